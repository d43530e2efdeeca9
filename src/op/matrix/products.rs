//! Products of stacks of matrices in which rules are written.

use super::super::contract::contraction;
use super::super::{DotGeneral, Strong, Var, strong_product};
use crate::value::DType;

/// `X · Y`, where zeros of an operand annihilate.
#[track_caller]
pub(crate) fn times(x: Var, y: Var, zeros: Strong) -> Var {
    product([x, y], [1, 0], zeros)
}

/// `Xᵀ · Y`, where zeros of an operand annihilate.
#[track_caller]
pub(crate) fn transposed_times(x: Var, y: Var, zeros: Strong) -> Var {
    product([x, y], [0, 0], zeros)
}

/// `X · Yᵀ`, where zeros of an operand annihilate.
#[track_caller]
pub(crate) fn times_transposed(x: Var, y: Var, zeros: Strong) -> Var {
    product([x, y], [1, 1], zeros)
}

/// The product that sums over that axis of the matrices of either operand.
#[track_caller]
fn product(x: [Var; 2], summed: [usize; 2], zeros: Strong) -> Var {
    if x.iter().any(|x| x.is_poisoned()) {
        return Var::poisoned();
    }
    let leading = x[0].rank() - 2;
    let stack: Vec<usize> = (0..leading).collect();
    let contract = summed.map(|axis| vec![leading + axis]);
    contraction(DotGeneral { contract, batch: [stack.clone(), stack] }, x, zeros)
}

/// Columns of the matrices times numbers, one for each; zeros of an operand annihilate.
#[track_caller]
pub(crate) fn scaled_columns(x: Var, factors: Var, zeros: Strong) -> Var {
    strong_product(x, spread(along_rows(factors), x), zeros)
}

/// Rows of the matrices times numbers, one for each; zeros of an operand annihilate.
#[track_caller]
pub(crate) fn scaled_rows(x: Var, factors: Var, zeros: Strong) -> Var {
    strong_product(x, spread(along_columns(factors), x), zeros)
}

/// `x` with the shape of another.
#[track_caller]
fn spread(x: Var, like: Var) -> Var {
    if x.is_poisoned() || like.is_poisoned() { Var::poisoned() } else { x.broadcast_to(&like.shape()) }
}

/// Each vector as a matrix of one row.
#[track_caller]
pub(crate) fn along_rows(x: Var) -> Var {
    if x.is_poisoned() { x } else { x.insert_axis(x.rank() - 1) }
}

/// Each vector as a matrix of one column.
#[track_caller]
pub(crate) fn along_columns(x: Var) -> Var {
    if x.is_poisoned() { x } else { x.insert_axis(x.rank()) }
}

/// The sums of the products of the elements of columns at the same place: the diagonal of `Xᵀ · Y`.
#[track_caller]
pub(crate) fn column_products(x: Var, y: Var, zeros: Strong) -> Var {
    let product = strong_product(x, y, zeros);
    if product.is_poisoned() { product } else { product.sum_axes(&[product.rank() - 2]) }
}

/// The matrices with other numbers on their diagonals.
#[track_caller]
pub(crate) fn with_diagonal(x: Var, diagonal: Var) -> Var {
    if x.is_poisoned() || diagonal.is_poisoned() {
        return Var::poisoned();
    }
    let shape = x.shape();
    let extents = &shape[shape.rank() - 2..];
    let [row, column] = [0, 1].map(|axis| Var::iota(extents, axis, DType::I64));
    row.equal(column).select(along_columns(diagonal), x)
}

/// The diagonals of square matrices.
#[track_caller]
pub(crate) fn diagonal(x: Var) -> Var {
    if x.is_poisoned() {
        return x;
    }
    let (rank, shape) = (x.rank(), x.shape());
    let [row, column] = [0, 1].map(|axis| Var::iota(&shape[rank - 2..], axis, DType::I64));
    row.equal(column).select(x, 0.0).sum_axes(&[rank - 1])
}

/// `1 / (x[j] - x[i])`, and 0 where the two are equal but for rounding, with a derivative of 0 there.
#[track_caller]
pub(crate) fn inverse_gaps(x: Var) -> Var {
    reciprocal_or_zero(along_rows(x) - along_columns(x), x)
}

/// `1 / (x[j] + x[i])`, and 0 where the sum is 0 but for rounding.
#[track_caller]
pub(crate) fn inverse_sums(x: Var) -> Var {
    reciprocal_or_zero(along_rows(x) + along_columns(x), x)
}

/// `1 / x`, and 0 where that is 0 but for rounding.
#[track_caller]
pub(crate) fn inverses(x: Var) -> Var {
    reciprocal_or_zero(x, x)
}

/// `1 / x`, and 0 where `x` is what rounding may leave of 0.
#[track_caller]
fn reciprocal_or_zero(x: Var, values: Var) -> Var {
    if x.is_poisoned() || values.is_poisoned() || values.shape().size() == 0 {
        return x;
    }
    let noise = rounding_of(values);
    let noise = (noise.rank()..x.rank()).fold(noise, |noise, axis| noise.insert_axis(axis));
    let is_zero = x.abs().less_equal(noise.broadcast_to(&x.shape()));
    is_zero.select(0.0, is_zero.select(1.0, x).recip())
}

/// By how much rounding may move eigenvalues or singular values, for each list of them: two units in the last place of the
/// largest, times their number.
#[track_caller]
pub(crate) fn rounding_of(values: Var) -> Var {
    let last = values.rank() - 1;
    values.abs().max_axes(&[last]) * (2.0 * values.dtype().epsilon() * values.shape()[last] as f64)
}
