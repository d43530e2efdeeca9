//! Products of matrices of which half is known: triangular ones, and of a matrix with its own transpose.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use num_traits::Float;

/// The extent of the blocks that are left out, or multiplied whole.
const PANEL: usize = 64;

/// From this extent on half of the work is worth looking for.
const MIN_EXTENT: usize = 2 * PANEL;

/// `result = lhs · rhs`.
///
/// What elements hold decides what is left out: where one matrix has a triangle of zeros and the other is finite, the
/// products with these; where one is the transpose of the other, to the bit, one half of the result, which is copied from
/// the other half. A dense matrix is recognized at its first elements.
pub(super) fn product<T: ComplexField + Float>(lhs: MatRef<'_, T>, rhs: MatRef<'_, T>, mut result: MatMut<'_, T>) {
    let structure = Structure::of(lhs, rhs);
    for rows in panels(lhs.nrows(), structure.rows()) {
        for columns in panels(rhs.ncols(), structure.columns()) {
            if structure.is_symmetric && columns.start >= rows.end {
                continue;
            }
            let terms = structure.terms(&rows, &columns, lhs.ncols());
            let mut block = result.rb_mut().submatrix_mut(rows.start, columns.start, rows.len(), columns.len());
            if terms.is_empty() {
                block.fill(T::zero());
                continue;
            }
            let lhs = lhs.submatrix(rows.start, terms.start, rows.len(), terms.len());
            let rhs = rhs.submatrix(terms.start, columns.start, terms.len(), columns.len());
            matmul(block, Accum::Replace, lhs, rhs, T::one(), Par::Seq);
        }
    }
    if structure.is_symmetric {
        mirror(result);
    }
}

/// What is known of a product.
struct Structure {
    lhs: Triangle,
    rhs: Triangle,
    is_symmetric: bool,
}

/// Where a matrix has elements other than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Triangle {
    /// In row `i` up to column `i`.
    Lower,
    /// In row `i` from column `i` on.
    Upper,
    /// Anywhere.
    Full,
}

impl Structure {
    fn of<T: ComplexField + Float>(lhs: MatRef<'_, T>, rhs: MatRef<'_, T>) -> Structure {
        let is_worth_it = |extent: usize| lhs.ncols() >= MIN_EXTENT && extent >= MIN_EXTENT;
        // A product with 0 is 0 only if the other factor is finite.
        let triangle = |x: MatRef<'_, T>, other: MatRef<'_, T>| match Triangle::of(x) {
            Triangle::Full => Triangle::Full,
            triangle if is_finite(other) => triangle,
            _ => Triangle::Full,
        };
        let rows = if is_worth_it(lhs.nrows()) { triangle(lhs, rhs) } else { Triangle::Full };
        let columns = if is_worth_it(rhs.ncols()) { triangle(rhs, lhs) } else { Triangle::Full };
        let is_symmetric = lhs.nrows() >= MIN_EXTENT && is_transpose(lhs, rhs);
        Structure { lhs: rows, rhs: columns, is_symmetric }
    }

    /// Whether rows are taken in panels.
    fn rows(&self) -> bool {
        self.is_symmetric || self.lhs != Triangle::Full
    }

    /// Whether columns are taken in panels.
    fn columns(&self) -> bool {
        self.is_symmetric || self.rhs != Triangle::Full
    }

    /// The terms of the sums in a block that may be other than 0.
    fn terms(&self, rows: &Range<usize>, columns: &Range<usize>, n: usize) -> Range<usize> {
        let of_rows = match self.lhs {
            Triangle::Lower => 0..rows.end.min(n),
            Triangle::Upper => rows.start.min(n)..n,
            Triangle::Full => 0..n,
        };
        let of_columns = match self.rhs {
            Triangle::Lower => columns.start.min(n)..n,
            Triangle::Upper => 0..columns.end.min(n),
            Triangle::Full => 0..n,
        };
        of_rows.start.max(of_columns.start)..of_rows.end.min(of_columns.end)
    }
}

impl Triangle {
    fn of<T: ComplexField + Float>(x: MatRef<'_, T>) -> Triangle {
        let (m, n) = (x.nrows(), x.ncols());
        let is_zero = |i: usize, mut columns: Range<usize>| columns.all(|j| x[(i, j)] == T::zero());
        if (0..m).all(|i| is_zero(i, i + 1..n)) {
            Triangle::Lower
        } else if (0..m).all(|i| is_zero(i, 0..i.min(n))) {
            Triangle::Upper
        } else {
            Triangle::Full
        }
    }
}

fn is_finite<T: ComplexField + Float>(x: MatRef<'_, T>) -> bool {
    (0..x.ncols()).all(|j| (0..x.nrows()).all(|i| Float::is_finite(x[(i, j)])))
}

/// Whether one matrix is the transpose of the other, to the bit: with -0 for 0, a sum of products may be another zero.
fn is_transpose<T: ComplexField + Float>(x: MatRef<'_, T>, y: MatRef<'_, T>) -> bool {
    let is_same = |a: T, b: T| a == b && a.is_sign_negative() == b.is_sign_negative();
    (x.nrows(), x.ncols()) == (y.ncols(), y.nrows())
        && (0..x.nrows()).all(|i| (0..x.ncols()).all(|j| is_same(x[(i, j)], y[(j, i)])))
}

/// The whole, or panels of it.
fn panels(extent: usize, in_panels: bool) -> impl Iterator<Item = Range<usize>> {
    let step = if in_panels { PANEL } else { extent.max(1) };
    (0..extent).step_by(step).map(move |start| start..extent.min(start + step))
}

/// Copies the lower half to the upper one, in squares that stay in the cache.
fn mirror<T: ComplexField + Float>(mut x: MatMut<'_, T>) {
    let n = x.nrows();
    for rows in panels(n, true) {
        for columns in panels(n, true).take_while(|columns| columns.start < rows.end) {
            for i in rows.clone() {
                for j in columns.start..columns.end.min(i) {
                    x[(j, i)] = x[(i, j)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;

    fn number(i: usize, j: usize) -> f64 {
        (0.37 * (i * 131 + j * 17 + i * j % 97) as f64).sin()
    }

    fn lower(m: usize, n: usize) -> Mat<f64> {
        Mat::from_fn(m, n, |i, j| if j <= i { number(i, j) } else { 0.0 })
    }

    fn multiplied(x: MatRef<'_, f64>, y: MatRef<'_, f64>) -> Mat<f64> {
        let mut result = Mat::full(x.nrows(), y.ncols(), f64::NAN);
        product(x, y, result.as_mut());
        result
    }

    fn assert_close(x: MatRef<'_, f64>, y: MatRef<'_, f64>) {
        let result = multiplied(x, y);
        for j in 0..y.ncols() {
            for i in 0..x.nrows() {
                let expected: f64 = (0..x.ncols()).map(|k| x[(i, k)] * y[(k, j)]).sum();
                assert!((result[(i, j)] - expected).abs() <= 1e-12, "{i} {j}: {} {expected}", result[(i, j)]);
            }
        }
    }

    /// Square and not, all sides, with extents that are no multiples of a panel.
    #[test]
    fn what_is_left_out_is_zero() {
        let full = |m, n| Mat::from_fn(m, n, number);
        for (m, k, n) in [(128, 128, 128), (200, 130, 5), (150, 260, 140), (260, 150, 131)] {
            assert_close(lower(m, k).as_ref(), full(k, n).as_ref());
            assert_close(lower(k, m).transpose(), full(k, n).as_ref());
            assert_close(full(m, k).as_ref(), lower(k, n).as_ref());
            assert_close(full(m, k).as_ref(), lower(n, k).transpose());
            assert_close(lower(m, k).as_ref(), lower(k, n).as_ref());
            assert_close(lower(m, k).as_ref(), lower(n, k).transpose());
            assert_close(lower(k, m).transpose(), lower(n, k).transpose());
            assert_close(lower(k, m).transpose(), lower(k, n).as_ref());
        }
    }

    #[test]
    fn a_matrix_times_its_transpose_is_symmetric_to_the_bit() {
        for (m, k) in [(128, 40), (333, 128), (130, 300)] {
            for x in [Mat::from_fn(m, k, number), lower(m, k)] {
                assert!(Structure::of(x.as_ref(), x.transpose()).is_symmetric);
                assert_close(x.as_ref(), x.transpose());
                let square = multiplied(x.as_ref(), x.transpose());
                assert!((0..m).all(|i| (0..m).all(|j| square[(i, j)].to_bits() == square[(j, i)].to_bits())));
            }
        }
        let (mut x, y) = (Mat::from_fn(128, 128, number), Mat::from_fn(128, 128, number));
        x[(127, 3)] += 1e-9;
        assert!(!Structure::of(x.as_ref(), y.transpose()).is_symmetric);
        assert_close(x.as_ref(), y.transpose());
    }

    #[test]
    fn zeros_do_not_hide_what_is_infinite_or_nan() {
        let x = lower(128, 128);
        for special in [f64::INFINITY, f64::NAN] {
            let mut y = Mat::from_fn(128, 128, number);
            y[(127, 5)] = special;
            let result = multiplied(x.as_ref(), y.as_ref());
            assert!((0..128).all(|i| result[(i, 5)].is_nan() || i == 127 && special == f64::INFINITY));
            assert!((0..128).all(|i| result[(i, 6)].is_finite()));
            let result = multiplied(y.transpose(), x.transpose());
            assert!((0..127).all(|i| result[(5, i)].is_nan()));
        }
    }
}
