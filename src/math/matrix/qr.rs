//! Orthogonal and upper triangular factors.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::householder;
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::{Conj, Mat, Par};

use super::is_finite;
use super::scale::scaled;

/// The reduced factors of an m×n matrix, with k = min(m, n): an m×k matrix with orthonormal columns, and a k×n matrix that
/// is upper triangular, or trapezoidal, without a negative number on its diagonal; NaN where an element is not finite.
pub(crate) fn qr(a: &[f64], [m, n]: [usize; 2], q: &mut [f64], r: &mut [f64]) {
    if !is_finite(a) {
        q.fill(f64::NAN);
        r.fill(f64::NAN);
        return;
    }
    let k = m.min(n);
    let (a, undo) = scaled(a);
    let mut packed = Mat::from_fn(m, n, |i, j| a[i * n + j]);
    let mut reflections = Mat::zeros(recommended_block_size::<f64>(m, n), k);
    let mut buffer = MemBuffer::new(stack_of([m, n]));
    let stack = MemStack::new(&mut buffer);
    qr_in_place(packed.as_mut(), reflections.as_mut(), Par::Seq, stack, Default::default());
    let mut columns = Mat::<f64>::identity(m, k);
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        packed.as_ref().subcols(0, k),
        reflections.as_ref(),
        Conj::No,
        columns.as_mut(),
        Par::Seq,
        stack,
    );
    let sign = |i: usize| if packed[(i, i)] < 0.0 { -1.0 } else { 1.0 };
    for (i, r) in r.chunks_exact_mut(n).enumerate() {
        let upper = |j: usize| if j < i { 0.0 } else { sign(i) * packed[(i, j)] * undo };
        r.iter_mut().enumerate().for_each(|(j, r)| *r = upper(j));
    }
    for (i, q) in q.chunks_exact_mut(k).enumerate() {
        q.iter_mut().enumerate().for_each(|(j, q)| *q = sign(j) * columns[(i, j)]);
    }
}

/// How many bytes it takes.
pub(crate) fn qr_bytes([m, n]: [usize; 2]) -> usize {
    let k = m.min(n);
    let columns = (m + recommended_block_size::<f64>(m, n)).saturating_mul(k);
    let elements = m.saturating_mul(n).saturating_mul(2).saturating_add(columns);
    elements.saturating_mul(size_of::<f64>()).saturating_add(stack_of([m, n]).unaligned_bytes_required())
}

fn stack_of([m, n]: [usize; 2]) -> StackReq {
    let block = recommended_block_size::<f64>(m, n);
    let k = m.min(n);
    let apply = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(m, block, k);
    qr_in_place_scratch::<f64>(m, n, block, Par::Seq, Default::default()).or(apply)
}
