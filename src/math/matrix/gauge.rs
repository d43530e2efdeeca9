//! Signs that make vectors unique which are determined up to their signs.

use std::borrow::Cow;

use faer::MatRef;

use super::{Real, largest};

/// For each column whether it is to be negated, so that the first of its elements that is at least half as large as the
/// largest becomes positive. The largest element itself would often be one of several that differ by rounding alone.
pub(super) fn negated<T: Real>(columns: MatRef<'_, T>) -> Vec<bool> {
    let half = T::ONE / (T::ONE + T::ONE);
    let is_negated = |column: &[T]| {
        let bound = half * largest(column);
        let leading = column.iter().find(|&&x| num_traits::Float::abs(x) >= bound);
        leading.is_some_and(|&x| x < T::ZERO)
    };
    (0..columns.ncols()).map(|k| is_negated(&column(columns, k))).collect()
}

/// The elements of a column.
fn column<T: Real>(columns: MatRef<'_, T>, k: usize) -> Cow<'_, [T]> {
    let column = columns.col(k);
    match column.try_as_col_major() {
        Some(column) => Cow::Borrowed(column.as_slice()),
        None => Cow::Owned(column.iter().copied().collect()),
    }
}

/// Writes the columns, negated where that is asked for, as the columns of a matrix in row-major order.
pub(super) fn write_columns<T: Real>(columns: MatRef<'_, T>, negated: &[bool], result: &mut [T]) {
    let n = columns.ncols();
    for (k, &negate) in negated.iter().enumerate() {
        for (row, &x) in result.chunks_exact_mut(n).zip(&*column(columns, k)) {
            row[k] = signed(x, negate);
        }
    }
}

/// Writes them as the rows of a matrix in row-major order.
pub(super) fn write_rows<T: Real>(columns: MatRef<'_, T>, negated: &[bool], result: &mut [T]) {
    for (k, (row, &negate)) in result.chunks_exact_mut(columns.nrows()).zip(negated).enumerate() {
        row.iter_mut().zip(&*column(columns, k)).for_each(|(y, &x)| *y = signed(x, negate));
    }
}

/// `x`, negated if asked for.
pub(super) fn signed<T: Real>(x: T, negate: bool) -> T {
    if negate { T::ZERO - x } else { x }
}
