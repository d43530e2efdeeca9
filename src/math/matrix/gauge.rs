//! Signs that make vectors unique which are determined up to their signs.

use std::borrow::Cow;

use faer::MatRef;

use super::largest;

/// For each column whether it is to be negated, so that the first of its elements that is at least half as large as the
/// largest becomes positive. The largest element itself would often be one of several that differ by rounding alone.
pub(super) fn negated(columns: MatRef<'_, f64>) -> Vec<bool> {
    let is_negated = |column: &[f64]| {
        let bound = 0.5 * largest(column);
        let leading = column.iter().find(|&&x| x.abs() >= bound);
        leading.is_some_and(|&x| x < 0.0)
    };
    (0..columns.ncols()).map(|k| is_negated(&column(columns, k))).collect()
}

/// The elements of a column.
fn column(columns: MatRef<'_, f64>, k: usize) -> Cow<'_, [f64]> {
    let column = columns.col(k);
    match column.try_as_col_major() {
        Some(column) => Cow::Borrowed(column.as_slice()),
        None => Cow::Owned(column.iter().copied().collect()),
    }
}

/// Writes the columns, negated where that is asked for, as the columns of a matrix in row-major order.
pub(super) fn write_columns(columns: MatRef<'_, f64>, negated: &[bool], result: &mut [f64]) {
    let n = columns.ncols();
    for (k, &negate) in negated.iter().enumerate() {
        for (row, &x) in result.chunks_exact_mut(n).zip(&*column(columns, k)) {
            row[k] = signed(x, negate);
        }
    }
}

/// Writes them as the rows of a matrix in row-major order.
pub(super) fn write_rows(columns: MatRef<'_, f64>, negated: &[bool], result: &mut [f64]) {
    for (k, (row, &negate)) in result.chunks_exact_mut(columns.nrows()).zip(negated).enumerate() {
        row.iter_mut().zip(&*column(columns, k)).for_each(|(y, &x)| *y = signed(x, negate));
    }
}

/// `x`, negated if asked for.
pub(super) fn signed(x: f64, negate: bool) -> f64 {
    if negate { 0.0 - x } else { x }
}
