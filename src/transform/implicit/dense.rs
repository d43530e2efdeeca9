//! Linear systems of full matrices.

use crate::op::Var;
use crate::transform::scan;
use crate::value::DType;

/// The X of A X = B, for A of shape `[n, n]` and B of shape `[n]` or `[n, m]`.
///
/// Gauss–Jordan elimination with partial pivoting: as accurate as Gaussian elimination where A is not ill conditioned (Peters
/// and Wilkinson, *On the stability of Gauss–Jordan elimination with pivoting*, 1975). A singular A gives NaN or infinities.
pub(super) fn solve(a: Var, b: Var) -> Var {
    let shape = b.shape();
    let n = shape[0];
    if n == 0 {
        return b;
    }
    if n == 1 {
        return b / a.reshape(&vec![1; shape.rank()]);
    }
    let b = if shape.rank() == 1 { b.insert_axis(1) } else { b };
    let units = identity(n, a.dtype());
    let rows = Var::iota(&[n], 0, DType::I64);
    let (m, _) = scan(Var::concatenate(&[a, b], 1), (units, rows), |m, (unit, k)| (eliminated(m, unit, k), ()));
    m.slice(1, n..).reshape(&shape)
}

/// The identity matrix.
pub(super) fn identity(n: usize, dtype: DType) -> Var {
    let [rows, columns] = [0, 1].map(|axis| Var::iota(&[n, n], axis, DType::I64));
    rows.equal(columns).convert(dtype)
}

/// The matrix with a unit vector in column `k`, whose number `unit` says, too.
fn eliminated(m: Var, unit: Var, k: Var) -> Var {
    let n = m.shape()[0];
    let row = unit.greater(0.0);
    let column = row.broadcast_to(&[n, n]);
    let column = picked(column, m.slice(1, ..n), 1);
    // The pivot is the first of the largest elements at or below the diagonal. With NaN there is none, and NaN results.
    let sizes = Var::iota(&[n], 0, DType::I64).greater_equal(k).select(column.abs(), column.full_like(-1.0));
    let is_largest = sizes.equal(sizes.max_all());
    let is_pivot = is_largest & is_largest.convert(DType::I64).cumsum(0).equal(1i64);
    let pivot_row = picked(along(is_pivot, m), m, 0);
    let own_row = picked(along(row, m), m, 0);
    let pivot = picked(is_pivot, column, 0);
    let scaled = pivot_row / pivot;
    let swapped = along(is_pivot, m).select(own_row.broadcast_to(&m.shape()), m);
    let factors = is_pivot.select(picked(row, column, 0).broadcast_to(&[n]), column);
    along(row, m).select(scaled.broadcast_to(&m.shape()), swapped - factors.outer(scaled))
}

/// A truth value for each row of the matrix.
fn along(rows: Var, m: Var) -> Var {
    rows.insert_axis(1).broadcast_to(&m.shape())
}

/// The sum of the elements that are picked. The others may be infinite.
fn picked(which: Var, x: Var, axis: usize) -> Var {
    which.select(x, x.full_like(0.0)).sum_axes(&[axis])
}
