//! Pseudoinverses, and what matrices take to zero.

use faer::linalg::matmul::matmul;
use faer::{Accum, Par};

use super::{Real, faer as matrix, faer_mut, is_finite, svd, svd_bytes};

/// The pseudoinverse of an m×n matrix, in which singular values up to that part of the largest one count as 0; NaN where
/// an element, or the part, is not finite.
pub(crate) fn pinv<T: Real>(a: &[T], [m, n]: [usize; 2], fraction: T, p: &mut [T]) {
    if !is_finite(a) || !is_finite(&[fraction]) {
        p.fill(num_traits::Float::nan());
        return;
    }
    let k = m.min(n);
    let (mut u, mut s, mut vt) = (vec![T::ZERO; m * k], vec![T::ZERO; k], vec![T::ZERO; k * n]);
    svd(a, [m, n], &mut s, Some([&mut u, &mut vt]));
    let threshold = s.first().map_or(T::ZERO, |&largest| largest * fraction);
    for (&s, vt) in s.iter().zip(vt.chunks_exact_mut(n)) {
        let counts = s > threshold || num_traits::Float::is_nan(s);
        vt.iter_mut().for_each(|x| *x = if counts { *x / s } else { T::ZERO });
    }
    let (left, right) = (matrix(&vt, k, n).transpose(), matrix(&u, m, k).transpose());
    matmul(faer_mut(p, n, m), Accum::Replace, left, right, T::ONE, Par::Seq);
}

/// How many bytes that takes.
pub(crate) fn pinv_bytes<T: Real>([m, n]: [usize; 2]) -> usize {
    let elements = (m + n + 1).saturating_mul(m.min(n));
    svd_bytes::<T>([m, n], true).saturating_add(elements.saturating_mul(size_of::<T>()))
}

/// The right singular vectors beyond the first, as columns, of an m×n matrix; NaN where an element is not finite.
pub(crate) fn null_space<T: Real>(a: &[T], [m, n]: [usize; 2], rank: usize, vectors: &mut [T]) {
    // Rows of zeros make the matrix one with n singular vectors.
    let rows = m.max(n);
    let mut a = a.to_vec();
    a.resize(rows * n, T::ZERO);
    let (mut u, mut s, mut vt) = (vec![T::ZERO; rows * n], vec![T::ZERO; n], vec![T::ZERO; n * n]);
    svd(&a, [rows, n], &mut s, Some([&mut u, &mut vt]));
    let width = n - rank;
    for (i, row) in vectors.chunks_exact_mut(width.max(1)).enumerate() {
        row.iter_mut().enumerate().for_each(|(j, x)| *x = vt[(rank + j) * n + i]);
    }
    // U of a matrix with rows of zeros says nothing about these vectors: the sign is that of their own elements.
    let columns = super::faer(vectors, n, width);
    let negated = super::gauge::negated(columns);
    for row in vectors.chunks_exact_mut(width.max(1)) {
        row.iter_mut().zip(&negated).for_each(|(x, &negate)| *x = super::gauge::signed(*x, negate));
    }
}
