//! Diagonals and triangles of matrices.

use super::axes::{enter, number, one_axis};
use crate::op::{Var, trace};
use crate::value::{DType, Type};

/// NumPy's `diagonal`: the elements `x[i, i + offset]` of the matrices in two axes; the diagonal becomes the last axis.
///
/// Takes any dtype. A diagonal beyond the matrix has no elements. The derivative of an element outside of the diagonal is 0.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let x = array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]];
/// let y: Array1<f64> = jit(|x: Var| np::diagonal(x, 1, 0, 1)).call(&x)?;
/// assert_eq!(y, array![1.0, 5.0]);
/// let y: Array1<f64> = jit(|x: Var| np::diagonal(x, -1, 0, 1)).call(&x)?;
/// assert_eq!(y, array![3.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Axes that do not exist, or one axis twice.
#[track_caller]
pub fn diagonal(x: Var, offset: isize, axis1: isize, axis2: isize) -> Var {
    let _method = enter("diagonal", &[x]);
    let (Some(a), Some(b)) = (one_axis(x, axis1), one_axis(x, axis2)) else { return Var::poisoned() };
    if a == b {
        trace::fail_at(format!("takes two different axes, but got {axis1} and {axis2}"));
        return Var::poisoned();
    }
    diagonal_of(x, offset, a, b)
}

/// The elements `x[…, i, i + offset, …]` for the first and the second of two axes, along a last axis.
pub(super) fn diagonal_of(x: Var, offset: isize, a: usize, b: usize) -> Var {
    let rank = x.rank();
    let others: Vec<usize> = (0..rank).filter(|&axis| axis != a && axis != b).collect();
    let perm = [&others[..], &[a, b]].concat();
    let x = if perm.iter().enumerate().all(|(k, &axis)| k == axis) { x } else { x.transpose(&perm) };
    let shape = x.shape();
    if x.is_poisoned() {
        return x;
    }
    let (m, n) = (shape[rank - 2], shape[rank - 1]);
    let (row, column) = if offset < 0 { (offset.unsigned_abs(), 0) } else { (0, offset.unsigned_abs()) };
    let length = m.saturating_sub(row).min(n.saturating_sub(column));
    let flat = x.reshape(&[&shape[..rank - 2], &[m * n]].concat());
    // In row-major order, an element of the diagonal is a row and a column after the one before it.
    let start = if length == 0 { 0 } else { row * n + column };
    let end = if length == 0 { 0 } else { start + (length - 1) * (n + 1) + 1 };
    flat.slice_axis(rank - 2, start, end, n + 1)
}

/// NumPy's `trace`: the sum of a diagonal of the matrices in two axes. `bool` counts as `i64`.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: f64 = jit(|x: Var| np::trace(x, 0, 0, 1)).call(array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(y, 5.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`diagonal`].
#[track_caller]
pub fn trace(x: Var, offset: isize, axis1: isize, axis2: isize) -> Var {
    let _method = enter("trace", &[x]);
    let diagonal = number(diagonal(x, offset, axis1, axis2));
    if diagonal.is_poisoned() { diagonal } else { diagonal.sum_axes(&[diagonal.rank() - 1]) }
}

/// NumPy's `diag`: the matrix that has a vector on its diagonal and zeros elsewhere, or the diagonal of a matrix.
///
/// Takes a vector or a matrix of any dtype; another rank is an error. `offset` is above the main diagonal if positive.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let matrix: Array2<f64> = jit(|x: Var| np::diag(x, 0)).call(array![1.0, 2.0])?;
/// assert_eq!(matrix, array![[1.0, 0.0], [0.0, 2.0]]);
/// let back: Array1<f64> = jit(|x: Var| np::diag(x, 0)).call(&matrix)?;
/// assert_eq!(back, array![1.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn diag(x: Var, offset: isize) -> Var {
    let _method = enter("diag", &[x]);
    match x.rank() {
        1 => diagonal_matrix(x, offset),
        2 => diagonal_of(x, offset, 0, 1),
        _ => {
            trace::fail_at(format!("takes a vector or a matrix, but got {}", x.ty()));
            Var::poisoned()
        }
    }
}

/// NumPy's `diagflat`: [`diag`] of all elements in row-major order.
#[track_caller]
pub fn diagflat(x: Var, offset: isize) -> Var {
    let _method = enter("diagflat", &[x]);
    diagonal_matrix(x.flatten(), offset)
}

/// The square matrix with that vector on a diagonal.
fn diagonal_matrix(x: Var, offset: isize) -> Var {
    let (length, away) = (x.ty().size(), offset.unsigned_abs());
    let n = match length.checked_add(away).filter(|n| n.checked_mul(*n).is_some()) {
        Some(n) => n,
        None => {
            trace::fail_at(format!("the matrix of a diagonal of {length} elements at offset {offset} is too large"));
            return Var::poisoned();
        }
    };
    if length == 0 {
        return Var::zeros(Type::new(x.dtype(), [n, n]));
    }
    let start = if offset < 0 { away * n } else { away };
    let high = n * n - start - ((length - 1) * (n + 1) + 1);
    // Sizes of arrays that exist are far below the greatest i64.
    let zero = Var::number(0.0, x.dtype());
    x.pad(zero, &[start as i64], &[high as i64], &[n]).reshape(&[n, n])
}

/// NumPy's `tril`: zeros above the diagonal `offset` of the matrices in the last two axes.
///
/// Takes any dtype and at least two axes. What is cut off has derivative 0, also if it is infinite or NaN.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::tril(x, 0)).call(array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(y, array![[1.0, 0.0], [3.0, 4.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn tril(x: Var, offset: isize) -> Var {
    let _method = enter("tril", &[x]);
    triangle(x, |rows, columns| below(rows, columns, offset))
}

/// NumPy's `triu`: zeros below the diagonal `offset` of the matrices in the last two axes; see [`tril`].
#[track_caller]
pub fn triu(x: Var, offset: isize) -> Var {
    let _method = enter("triu", &[x]);
    triangle(x, |rows, columns| !below(rows, columns, offset.saturating_sub(1)))
}

fn triangle(x: Var, mask: impl FnOnce(usize, usize) -> Var) -> Var {
    let shape = x.shape();
    let [.., rows, columns] = *shape.extents() else {
        trace::fail_at(format!("takes matrices, but got {}", x.ty()));
        return Var::poisoned();
    };
    mask(rows, columns).select(x, Var::number(0.0, x.dtype()))
}

/// Whether an element of a matrix stands on or below that diagonal.
pub(super) fn below(rows: usize, columns: usize, offset: isize) -> Var {
    let shape = [rows, columns];
    let (row, column) = (Var::iota(&shape, 0, DType::I64), Var::iota(&shape, 1, DType::I64));
    // The diagonal may lie far outside of the matrix, where the sum would wrap.
    let bound = (rows.max(columns)).try_into().unwrap_or(isize::MAX);
    let offset = offset.clamp(isize::saturating_neg(bound), bound);
    column.less_equal(row + Var::from(offset as i64))
}
