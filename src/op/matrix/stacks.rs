//! What several rules are written in: products with strong zeros, blocks, checks of operands, runs over stacks.

use super::{extents, in_double, square};
use crate::ir::{Mismatch, mismatch};
use crate::math::matrix::{Stack, parts};
use crate::op::Var;
use crate::op::rules::{expect_arity, floats};
use crate::value::{ArrayMut, ArrayRef, DType, Type};

/// The matrices `[[a, b], [0, a]]`: a function of one holds the derivative of the function at `a` in direction `b`.
#[track_caller]
pub(super) fn block_upper(a: Var, b: Var) -> Var {
    if a.is_poisoned() || b.is_poisoned() {
        return Var::poisoned();
    }
    let rank = a.rank();
    let zero = Var::zeros(a.ty());
    let above = Var::concatenate(&[a, b], rank - 1);
    let below = Var::concatenate(&[zero, a], rank - 1);
    Var::concatenate(&[above, below], rank - 2)
}

/// The block of rows and columns of matrices of twice the extent: 0 for the first half, 1 for the second.
#[track_caller]
pub(super) fn block(x: Var, row: usize, column: usize) -> Var {
    if x.is_poisoned() {
        return x;
    }
    let rank = x.rank();
    let n = x.shape()[rank - 2] / 2;
    let rows = x.slice_axis(rank - 2, row * n, (row + 1) * n, 1);
    rows.slice_axis(rank - 1, column * n, (column + 1) * n, 1)
}

/// What a direction gives, and zeros for matrices of which the direction is exactly 0, whatever it gave.
#[track_caller]
pub(super) fn guarded(direction: Var, result: Var) -> Var {
    if direction.is_poisoned() || result.is_poisoned() {
        return Var::poisoned();
    }
    let rank = direction.rank();
    let shape = result.shape();
    let counts = direction.not_equal(0.0).any_axes(&[rank - 2, rank - 1]);
    let extended = [&shape[..rank - 2], &[1, 1]].concat();
    counts.reshape(&extended).broadcast_to(&shape).select(result, 0.0)
}

/// The sum of what is not known to be 0.
pub(super) fn sum(parts: impl IntoIterator<Item = Option<Var>>) -> Option<Var> {
    parts.into_iter().flatten().reduce(|x, y| x + y)
}

/// The dtype and extents of operands with the same leading axes: `N` stacks of matrices.
pub(super) fn stacks<const N: usize>(operands: &[Type]) -> Result<[[usize; 2]; N], Mismatch> {
    expect_arity(operands, N)?;
    let dtypes: Vec<DType> = operands.iter().map(|ty| ty.dtype).collect();
    floats(&dtypes)?;
    let mut all = [[0; 2]; N];
    for (own, ty) in all.iter_mut().zip(operands) {
        *own = extents(ty)?;
    }
    let leading = |ty: &Type| ty.shape[..ty.rank() - 2].to_vec();
    if let Some(other) = operands.iter().find(|ty| leading(ty) != leading(&operands[0])) {
        return Err(mismatch!("takes matrices with the same leading axes, but got {} and {other}", operands[0]));
    }
    Ok(all)
}

/// Two stacks of square matrices of one shape.
pub(super) fn square_pair(operands: &[Type]) -> Result<(), Mismatch> {
    stacks::<2>(operands)?;
    square(&operands[0])?;
    if operands[0] != operands[1] {
        return Err(mismatch!("takes matrices of equal shapes, but got {} and {}", operands[0], operands[1]));
    }
    Ok(())
}

/// A computation on matrices of either dtype: their elements in row-major order, their extents, and the result.
pub(super) trait Kernel<const N: usize> {
    fn run(&self, operands: [&[f64]; N], extents: [[usize; 2]; N], result: &mut [f64]);
}

/// Runs it for each matrix of stacks with the same leading axes; the one result is a stack of matrices, too.
pub(super) fn over_stack<const N: usize>(
    kernel: &impl Kernel<N>,
    operands: &[ArrayRef<'_>],
    results: &mut [ArrayMut<'_>],
) {
    in_double(operands, results, &|operands, results| {
        let stacks: [Stack<'_, f64>; N] = std::array::from_fn(|slot| Stack::new(&operands[slot]));
        let extents = stacks.each_ref().map(|stack| [stack.rows, stack.columns]);
        let mut matrices = stacks.each_ref().map(|stack| stack.matrices());
        let size = results[0].typed::<f64>().shape().iter().rev().take(2).product();
        for result in parts::<f64>(&mut results[0], size) {
            let own = matrices.each_mut().map(|next| next.next().unwrap_or(&[]));
            kernel.run(own, extents, result);
        }
    });
}
