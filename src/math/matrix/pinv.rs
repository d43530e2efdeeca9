//! Pseudoinverses, and what matrices take to zero.

use faer::linalg::matmul::matmul;
use faer::{Accum, Par};

use super::{faer as matrix, faer_mut, is_finite, svd, svd_bytes};

/// The pseudoinverse of an m×n matrix, in which singular values up to that part of the largest one count as 0; NaN where
/// an element, or the part, is not finite.
pub(crate) fn pinv(a: &[f64], [m, n]: [usize; 2], fraction: f64, p: &mut [f64]) {
    if !is_finite(a) || !is_finite(&[fraction]) {
        p.fill(f64::NAN);
        return;
    }
    let k = m.min(n);
    let (mut u, mut s, mut vt) = (vec![0.0; m * k], vec![0.0; k], vec![0.0; k * n]);
    svd(a, [m, n], &mut s, Some([&mut u, &mut vt]));
    let threshold = s.first().map_or(0.0, |&largest| largest * fraction);
    for (&s, vt) in s.iter().zip(vt.chunks_exact_mut(n)) {
        let counts = s > threshold || s.is_nan();
        vt.iter_mut().for_each(|x| *x = if counts { *x / s } else { 0.0 });
    }
    let (left, right) = (matrix(&vt, k, n).transpose(), matrix(&u, m, k).transpose());
    matmul(faer_mut(p, n, m), Accum::Replace, left, right, 1.0, Par::Seq);
}

/// How many bytes that takes.
pub(crate) fn pinv_bytes([m, n]: [usize; 2]) -> usize {
    let elements = (m + n + 1).saturating_mul(m.min(n));
    svd_bytes([m, n], true).saturating_add(elements.saturating_mul(size_of::<f64>()))
}

/// The right singular vectors beyond the first, as columns, of an m×n matrix; NaN where an element is not finite.
pub(crate) fn null_space(a: &[f64], [m, n]: [usize; 2], rank: usize, vectors: &mut [f64]) {
    // Rows of zeros make the matrix one with n singular vectors.
    let rows = m.max(n);
    let mut a = a.to_vec();
    a.resize(rows * n, 0.0);
    let (mut u, mut s, mut vt) = (vec![0.0; rows * n], vec![0.0; n], vec![0.0; n * n]);
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
