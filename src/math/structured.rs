//! Products of matrices of which half is known: triangular ones, and of a matrix with its own transpose.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, Par};
use num_traits::Float;

use super::linear::Matrix;

/// The extent of the blocks that are left out, or multiplied whole.
const PANEL: usize = 64;

/// From this extent on half of the work takes clearly less time than all of it in one piece.
const MIN_EXTENT: usize = 3 * PANEL;

/// `result = lhs · rhs`.
///
/// What elements hold decides what is left out: where one matrix has a triangle of zeros and the other is finite, the
/// products with these; where one is the transpose of the other, to the bit, one half of the result, which is copied from
/// the other half. A dense matrix is recognized at its first elements.
pub(super) fn product<T: ComplexField + Float>(lhs: Matrix<'_, T>, rhs: Matrix<'_, T>, mut result: MatMut<'_, T>) {
    let structure = Structure::of(lhs, rhs);
    let (lhs, rhs) = (lhs.faer(), rhs.faer());
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
    fn of<T: Float>(lhs: Matrix<'_, T>, rhs: Matrix<'_, T>) -> Structure {
        // A product with 0 is 0 only if the other factor is finite.
        let triangle = |x: Matrix<'_, T>, other: Matrix<'_, T>, extent: usize| {
            let is_worth_it = lhs.columns >= MIN_EXTENT && extent >= MIN_EXTENT;
            let triangle = if is_worth_it { Triangle::of(x) } else { Triangle::Full };
            let counts = triangle != Triangle::Full && other.elements.iter().all(|x| x.is_finite());
            if counts { triangle } else { Triangle::Full }
        };
        Structure {
            lhs: triangle(lhs, rhs, lhs.rows),
            rhs: triangle(rhs, lhs, rhs.columns),
            // Copying the other half takes as long as short sums.
            is_symmetric: lhs.rows >= MIN_EXTENT && lhs.columns >= PANEL && is_transpose(lhs, rhs),
        }
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
    fn of<T: Float>(x: Matrix<'_, T>) -> Triangle {
        if x.by_columns {
            return Triangle::of(x.transposed()).transposed();
        }
        let rows = || x.elements.chunks_exact(x.columns).enumerate();
        let are_zeros = |elements: &[T]| elements.iter().all(|&x| x == T::zero());
        if rows().all(|(i, row)| are_zeros(row.get(i + 1..).unwrap_or_default())) {
            Triangle::Lower
        } else if rows().all(|(i, row)| are_zeros(&row[..i.min(x.columns)])) {
            Triangle::Upper
        } else {
            Triangle::Full
        }
    }

    fn transposed(self) -> Triangle {
        match self {
            Triangle::Lower => Triangle::Upper,
            Triangle::Upper => Triangle::Lower,
            Triangle::Full => Triangle::Full,
        }
    }
}

/// Whether one matrix is the transpose of the other, to the bit: with -0 for 0, a sum of products may be another zero.
fn is_transpose<T: Float>(x: Matrix<'_, T>, y: Matrix<'_, T>) -> bool {
    let is_same = |a: &T, b: &T| a == b && a.is_sign_negative() == b.is_sign_negative();
    if (x.rows, x.columns) != (y.columns, y.rows) {
        return false;
    }
    if x.by_columns != y.by_columns {
        return x.elements.iter().zip(y.elements).all(|(a, b)| is_same(a, b));
    }
    // Element `(i, j)` of what lies in rows against `(j, i)`, in squares that stay in the cache.
    let (m, n) = if x.by_columns { (x.columns, x.rows) } else { (x.rows, x.columns) };
    let column = |i: usize, columns: &Range<usize>| y.elements[columns.start * m + i..].iter().step_by(m);
    panels(m, true).all(|rows| {
        panels(n, true).all(|columns| {
            rows.clone().all(|i| {
                let row = &x.elements[i * n..(i + 1) * n][columns.clone()];
                row.iter().zip(column(i, &columns)).all(|(a, b)| is_same(a, b))
            })
        })
    })
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
    use faer::{Mat, MatRef};

    use super::*;

    fn number(i: usize, j: usize) -> f64 {
        (0.37 * (i * 131 + j * 17 + i * j % 97) as f64).sin()
    }

    fn lower(m: usize, n: usize) -> Mat<f64> {
        Mat::from_fn(m, n, |i, j| if j <= i { number(i, j) } else { 0.0 })
    }

    /// The elements of a matrix in either order.
    fn elements(x: MatRef<'_, f64>, by_columns: bool) -> Vec<f64> {
        let (m, n) = if by_columns { (x.ncols(), x.nrows()) } else { (x.nrows(), x.ncols()) };
        let at = |i, j| if by_columns { x[(j, i)] } else { x[(i, j)] };
        (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| at(i, j)).collect()
    }

    fn matrix<'a>(x: MatRef<'_, f64>, elements: &'a [f64], by_columns: bool) -> Matrix<'a, f64> {
        Matrix { elements, rows: x.nrows(), columns: x.ncols(), by_columns }
    }

    /// The products of matrices whose elements lie in either order.
    fn multiplied(x: MatRef<'_, f64>, y: MatRef<'_, f64>) -> Vec<Mat<f64>> {
        let mut results = Vec::new();
        for (x_by_columns, y_by_columns) in [(false, false), (false, true), (true, false), (true, true)] {
            let (xs, ys) = (elements(x, x_by_columns), elements(y, y_by_columns));
            let mut result = Mat::full(x.nrows(), y.ncols(), f64::NAN);
            product(matrix(x, &xs, x_by_columns), matrix(y, &ys, y_by_columns), result.as_mut());
            results.push(result);
        }
        results
    }

    fn is_symmetric(x: MatRef<'_, f64>, y: MatRef<'_, f64>) -> bool {
        let (xs, ys) = (elements(x, false), elements(y, false));
        Structure::of(matrix(x, &xs, false), matrix(y, &ys, false)).is_symmetric
    }

    fn assert_close(x: MatRef<'_, f64>, y: MatRef<'_, f64>) {
        let expected = x * y;
        for result in multiplied(x, y) {
            for (i, j) in (0..x.nrows()).flat_map(|i| (0..y.ncols()).map(move |j| (i, j))) {
                let (got, expected) = (result[(i, j)], expected[(i, j)]);
                assert!((got - expected).abs() <= 1e-12, "{i} {j}: {got} {expected}");
            }
        }
    }

    /// Square and not, all sides, with extents that are no multiples of a panel.
    #[test]
    fn what_is_left_out_is_zero() {
        let full = |m, n| Mat::from_fn(m, n, number);
        for (m, k, n) in [(192, 192, 192), (200, 195, 5), (210, 260, 200), (260, 210, 193)] {
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
        for (m, k) in [(192, 64), (333, 192), (195, 300)] {
            for x in [Mat::from_fn(m, k, number), lower(m, k)] {
                assert!(is_symmetric(x.as_ref(), x.transpose()));
                assert_close(x.as_ref(), x.transpose());
                for square in multiplied(x.as_ref(), x.transpose()) {
                    assert!((0..m).all(|i| (0..m).all(|j| square[(i, j)].to_bits() == square[(j, i)].to_bits())));
                }
            }
        }
        let (mut x, y) = (Mat::from_fn(192, 192, number), Mat::from_fn(192, 192, number));
        x[(191, 3)] += 1e-9;
        assert!(!is_symmetric(x.as_ref(), y.transpose()));
        assert_close(x.as_ref(), y.transpose());
    }

    #[test]
    fn zeros_do_not_hide_what_is_infinite_or_nan() {
        let x = lower(192, 192);
        for special in [f64::INFINITY, f64::NAN] {
            let mut y = Mat::from_fn(192, 192, number);
            y[(191, 5)] = special;
            for result in multiplied(x.as_ref(), y.as_ref()) {
                assert!((0..192).all(|i| result[(i, 5)].is_nan() || i == 191 && special == f64::INFINITY));
                assert!((0..192).all(|i| result[(i, 6)].is_finite()));
            }
            for result in multiplied(y.transpose(), x.transpose()) {
                assert!((0..191).all(|i| result[(5, i)].is_nan()));
            }
        }
    }
}
