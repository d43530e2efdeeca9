//! Parts of matrices in which rules are written.

use crate::op::Var;
use crate::value::DType;

/// The matrices with rows and columns exchanged.
#[track_caller]
pub(crate) fn transposed(x: Var) -> Var {
    if x.is_poisoned() {
        return x;
    }
    let rank = x.rank();
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.swap(rank - 2, rank - 1);
    x.transpose(&axes)
}

/// Whether there are elements, without which nothing flows.
pub(super) fn has_elements(x: Var) -> bool {
    x.is_poisoned() || x.shape().size() > 0
}

/// `(x + xᵀ) / 2`.
#[track_caller]
pub(crate) fn symmetric_part(x: Var) -> Var {
    (x + transposed(x)) * 0.5
}

/// The elements on diagonal `k` and below it; 0 elsewhere, whatever is there.
#[track_caller]
pub(crate) fn lower_part(x: Var, k: i64) -> Var {
    triangle(x, |row, column| column.less_equal(row + k))
}

/// The elements on diagonal `k` and above it; 0 elsewhere, whatever is there.
#[track_caller]
pub(crate) fn upper_part(x: Var, k: i64) -> Var {
    triangle(x, |row, column| column.greater_equal(row + k))
}

#[track_caller]
fn triangle(x: Var, keeps: impl FnOnce(Var, Var) -> Var) -> Var {
    if x.is_poisoned() {
        return x;
    }
    let shape = x.shape();
    let extents = &shape[shape.rank() - 2..];
    let [row, column] = [0, 1].map(|axis| Var::iota(extents, axis, DType::I64));
    keeps(row, column).select(x, Var::number(0.0, x.dtype()))
}
