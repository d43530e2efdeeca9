//! Eigenvalues and eigenvectors of symmetric matrices.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::evd::{
    ComputeEigenvectors, EvdError, SelfAdjointEvdParams, self_adjoint_evd_scratch, tridiagonal_self_adjoint_evd,
};
use faer::linalg::householder;
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::prelude::ReborrowMut;
use faer::{Auto, Conj, Mat, Par, Spec};

use super::gauge::{negated, write_columns};
use super::is_finite;
use super::scale::{scaled, unscale};

/// The eigenvalues of the symmetric part of a square matrix, in ascending order, and its eigenvectors, as columns, if
/// asked for; NaN where an element is not finite. The eigenvalues have the same bits with vectors and without.
pub(crate) fn eigh(a: &[f64], n: usize, w: &mut [f64], mut v: Option<&mut [f64]>) {
    let done = is_finite(a) && decompose(a, n, w, v.as_deref_mut()).is_ok();
    if !done {
        w.fill(f64::NAN);
        v.into_iter().for_each(|v| v.fill(f64::NAN));
    }
}

/// How many bytes it takes.
pub(crate) fn eigh_bytes(n: usize, vectors: bool) -> usize {
    let matrices: usize = if vectors { 4 } else { 3 };
    let elements = matrices.saturating_mul(n).saturating_mul(n);
    elements.saturating_mul(size_of::<f64>()).saturating_add(stack_of(n).unaligned_bytes_required())
}

pub(super) fn params() -> Spec<SelfAdjointEvdParams, f64> {
    Spec::new(<SelfAdjointEvdParams as Auto<f64>>::auto())
}

fn stack_of(n: usize) -> StackReq {
    let evd = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, params());
    evd.or(tridiag_in_place_scratch::<f64>(n, Par::Seq, Default::default()))
}

fn decompose(a: &[f64], n: usize, w: &mut [f64], v: Option<&mut [f64]>) -> Result<(), EvdError> {
    let (a, undo) = scaled(a);
    let mut reduced = Mat::zeros(n, n);
    for j in 0..n {
        let (below, row) = (a[j * n + j..].iter().step_by(n), &a[j * n + j..(j + 1) * n]);
        let column = reduced.col_mut(j).try_as_col_major_mut().expect("bug: columns in pieces").as_slice_mut();
        for (x, (&y, &z)) in column[j..].iter_mut().zip(below.zip(row)) {
            *x = (y + z) * 0.5;
        }
    }
    let mut reflections = Mat::zeros(recommended_block_size::<f64>(n, n), n.saturating_sub(1));
    let mut buffer = MemBuffer::new(stack_of(n));
    let stack = MemStack::new(&mut buffer);
    tridiag_in_place(reduced.as_mut(), reflections.as_mut(), Par::Seq, stack, Default::default());
    let diagonal: Vec<f64> = (0..n).map(|i| reduced[(i, i)]).collect();
    let below: Vec<f64> = (0..n).map(|i| if i + 1 < n { reduced[(i + 1, i)] } else { 0.0 }).collect();
    let [diagonal, below] = [&diagonal, &below].map(|x| faer::ColRef::from_slice(x).as_diagonal());

    let has_values = v.is_some();
    if let Some(v) = v {
        let mut vectors = Mat::<f64>::zeros(n, n);
        let values = faer::diag::DiagMut::from_slice_mut(w);
        tridiagonal_self_adjoint_evd(diagonal, below, values, Some(vectors.as_mut()), Par::Seq, stack, params())?;
        let rest = n - 1;
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            reduced.as_ref().submatrix(1, 0, rest, rest),
            reflections.as_ref(),
            Conj::No,
            vectors.as_mut().rb_mut().subrows_mut(1, rest),
            Par::Seq,
            stack,
        );
        let negated = negated(vectors.as_ref());
        write_columns(vectors.as_ref(), &negated, v);
    }
    // From some extent on vectors come from another algorithm (divide and conquer), whose values differ in the last bits from
    // those that are found without vectors, in a time that is short compared with the reduction.
    if !has_values || n >= params().config.recursion_threshold {
        let values = faer::diag::DiagMut::from_slice_mut(w);
        tridiagonal_self_adjoint_evd(diagonal, below, values, None, Par::Seq, stack, params())?;
    }
    unscale(w, undo);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pass that drops unused vectors relies on.
    #[test]
    fn values_have_the_same_bits_with_vectors_and_without() {
        for n in [1, 2, 3, 5, 8, 17, 64, 127, 128, 140, 200] {
            let a: Vec<f64> = (0..n * n).map(|k| (0.7 * (k * k % 1013) as f64).sin()).collect();
            let [mut w, mut alone] = [(); 2].map(|()| vec![0.0; n]);
            let mut v = vec![0.0; n * n];
            eigh(&a, n, &mut alone, None);
            eigh(&a, n, &mut w, Some(&mut v));
            assert_eq!(w, alone, "{n}");
        }
    }
}
