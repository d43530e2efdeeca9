//! Eigenvalues and eigenvectors of Hermitian matrices.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::evd::{ComputeEigenvectors, EvdError, self_adjoint_evd_scratch, tridiagonal_self_adjoint_evd};
use faer::linalg::householder;
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::{ColRef, Conj, Mat, Par, c64};

use super::super::eigh::params;
use super::super::scale::{scaled_pairs, unscale};
use super::gauge::{phases, write_columns};
use super::{Parts, are_finite};

/// The eigenvalues of the Hermitian part of a square matrix, in ascending order, and its eigenvectors, as columns, if asked
/// for; NaN where an element is not finite. The eigenvalues have the same bits with vectors and without.
pub(crate) fn eigh(a: [&[f64]; 2], n: usize, w: &mut [f64], mut v: Option<Parts<'_>>) {
    let done = are_finite(a) && decompose(a, n, w, v.as_mut()).is_ok();
    if !done {
        w.fill(f64::NAN);
        v.into_iter().flatten().for_each(|v| v.fill(f64::NAN));
    }
}

/// How many bytes it takes.
pub(crate) fn eigh_bytes(n: usize, vectors: bool) -> usize {
    let matrices: usize = if vectors { 4 } else { 3 };
    let elements = matrices.saturating_mul(n).saturating_mul(n);
    elements.saturating_mul(size_of::<c64>()).saturating_add(stack_of(n).unaligned_bytes_required())
}

fn stack_of(n: usize) -> StackReq {
    let evd = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, params());
    let block = recommended_block_size::<c64>(n, n);
    let rest = n.saturating_sub(1);
    let apply = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<c64>(rest, block, n);
    evd.or(tridiag_in_place_scratch::<c64>(n, Par::Seq, Default::default())).or(apply)
}

/// Reduction by reflections to a tridiagonal matrix, which a diagonal matrix of phases makes real; the rest is that of real
/// matrices.
fn decompose(a: [&[f64]; 2], n: usize, w: &mut [f64], v: Option<&mut Parts<'_>>) -> Result<(), EvdError> {
    let (a, undo) = scaled_pairs(a);
    let lower =
        |i: usize, j: usize| if i < j { c64::new(0.0, 0.0) } else { (a[i * n + j] + a[j * n + i].conj()) * 0.5 };
    let mut reduced = Mat::from_fn(n, n, lower);
    let mut reflections = Mat::zeros(recommended_block_size::<c64>(n, n), n - 1);
    let mut buffer = MemBuffer::new(stack_of(n));
    let stack = MemStack::new(&mut buffer);
    tridiag_in_place(reduced.as_mut(), reflections.as_mut(), Par::Seq, stack, Default::default());
    let diagonal: Vec<f64> = (0..n).map(|i| reduced[(i, i)].re).collect();
    let beside: Vec<c64> = (1..n).map(|i| reduced[(i, i - 1)]).collect();
    let below: Vec<f64> = beside.iter().map(|z| z.norm()).chain([0.0]).collect();
    let [diagonal, below] = [&diagonal, &below].map(|x| ColRef::from_slice(x).as_diagonal());

    let has_values = v.is_some();
    if let Some([re, im]) = v {
        let mut real = Mat::<f64>::zeros(n, n);
        let values = DiagMut::from_slice_mut(w);
        tridiagonal_self_adjoint_evd(diagonal, below, values, Some(real.as_mut()), Par::Seq, stack, params())?;
        let turns = turns(&beside);
        let mut vectors = Mat::from_fn(n, n, |i, j| turns[i] * real[(i, j)]);
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            reduced.as_ref().submatrix(1, 0, n - 1, n - 1),
            reflections.as_ref(),
            Conj::No,
            vectors.as_mut().subrows_mut(1, n - 1),
            Par::Seq,
            stack,
        );
        let phases = phases(vectors.as_ref());
        write_columns(vectors.as_ref(), &phases, [re, im]);
    }
    // As of real matrices: from some extent on, values that come with vectors differ in the last bits.
    if !has_values || n >= params().config.recursion_threshold {
        let values = DiagMut::from_slice_mut(w);
        tridiagonal_self_adjoint_evd(diagonal, below, values, None, Par::Seq, stack, params())?;
    }
    unscale(w, undo);
    Ok(())
}

/// The diagonal matrix `D` of phases for which `Dᴴ · T · D` is real, given what is below the diagonal of `T`.
fn turns(below: &[c64]) -> Vec<c64> {
    let mut turns = vec![c64::new(1.0, 0.0)];
    for (k, &z) in below.iter().enumerate() {
        let turned = z * turns[k];
        let size = turned.norm();
        turns.push(if size == 0.0 { c64::new(1.0, 0.0) } else { turned / size });
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pass that drops unused vectors relies on.
    #[test]
    fn values_have_the_same_bits_with_vectors_and_without() {
        for n in [1, 2, 3, 5, 17, 127, 128, 140] {
            let part = |seed: f64| (0..n * n).map(|k| (seed * (k * k % 1013) as f64).sin()).collect::<Vec<f64>>();
            let (re, im) = (part(0.7), part(1.3));
            let [mut w, mut alone] = [(); 2].map(|()| vec![0.0; n]);
            let [mut v_re, mut v_im] = [(); 2].map(|()| vec![0.0; n * n]);
            eigh([&re, &im], n, &mut alone, None);
            eigh([&re, &im], n, &mut w, Some([&mut v_re, &mut v_im]));
            assert_eq!(w, alone, "{n}");
        }
    }
}
