//! Hessenberg form.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::hessenberg::{hessenberg_in_place, hessenberg_in_place_scratch};
use faer::linalg::householder;
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::{Conj, Mat, Par};

use super::is_finite;
use super::scale::scaled;

/// The factors `H`, without elements below its first subdiagonal and without a negative one on it, and the orthogonal `Q`
/// of `A = Q · H · Qᵀ`; NaN where an element is not finite.
pub(crate) fn hessenberg(a: &[f64], n: usize, h: &mut [f64], q: &mut [f64]) {
    if !is_finite(a) {
        h.fill(f64::NAN);
        q.fill(f64::NAN);
        return;
    }
    let (a, undo) = scaled(a);
    let rest = n - 1;
    let block = recommended_block_size::<f64>(rest, rest);
    let mut reduced = Mat::from_fn(n, n, |i, j| a[i * n + j]);
    let mut reflections = Mat::zeros(block, rest);
    let mut buffer = MemBuffer::new(stack_of(n));
    let stack = MemStack::new(&mut buffer);
    hessenberg_in_place(reduced.as_mut(), reflections.as_mut(), Par::Seq, stack, Default::default());
    let mut turned = Mat::<f64>::identity(n, n);
    householder::apply_block_householder_sequence_on_the_right_in_place_with_conj(
        reduced.as_ref().submatrix(1, 0, rest, rest),
        reflections.as_ref(),
        Conj::No,
        turned.as_mut().submatrix_mut(1, 1, rest, rest),
        Par::Seq,
        stack,
    );
    let mut signs = vec![1.0; n];
    for i in 1..n {
        let is_negative = signs[i - 1] * reduced[(i, i - 1)] < 0.0;
        signs[i] = if is_negative { -1.0 } else { 1.0 };
    }
    for (i, (h, q)) in h.chunks_exact_mut(n).zip(q.chunks_exact_mut(n)).enumerate() {
        for j in 0..n {
            h[j] = if i > j + 1 { 0.0 } else { signs[i] * reduced[(i, j)] * signs[j] * undo };
            q[j] = turned[(i, j)] * signs[j];
        }
    }
}

/// How many bytes that takes.
pub(crate) fn hessenberg_bytes(n: usize) -> usize {
    let elements = n.saturating_mul(n).saturating_mul(4);
    elements.saturating_mul(size_of::<f64>()).saturating_add(stack_of(n).unaligned_bytes_required())
}

fn stack_of(n: usize) -> StackReq {
    let rest = n - 1;
    let block = recommended_block_size::<f64>(rest, rest);
    let apply = householder::apply_block_householder_sequence_on_the_right_in_place_scratch::<f64>(rest, block, rest);
    hessenberg_in_place_scratch::<f64>(n, block, Par::Seq, Default::default()).or(apply)
}
