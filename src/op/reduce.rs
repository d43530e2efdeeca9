//! Reductions over axes.
//!
//! # Order
//! Floating-point sums depend on their order, so there is one, independent of lanes, tiles and threads. If the last
//! axis is reduced, its elements (a *row*) are cut into tiles of [`TILE`]. A tile shorter than [`MIN_INTERLEAVED`] is
//! combined from left to right; a longer one by 8 interleaved accumulators, element `k` into accumulator `k mod 8`,
//! combined at the end as `((a₀+a₄)+(a₂+a₆))+((a₁+a₅)+(a₃+a₇))`. Accumulators start from the identity. The tiles'
//! values, or the elements themselves if the last axis is kept, are combined from left to right in row-major order,
//! starting from the identity.

use serde::{Deserialize, Serialize};

use super::rules::{Answer, Derivative, Doc, Examples, Linear, Lowering, Monoid, Rules, Sample, expect_arity};
use super::trace::apply;
use super::{BroadcastInDim, Op, Var};
use crate::ir::{Mismatch, Types, mismatch};
use crate::op::arithmetic::{maximum, minimum};
use crate::value::{Array, DType, Scalar, Shape, Type};

/// How many elements of a row are combined before they meet the rest.
pub const TILE: usize = 512;

/// From how many elements on a tile is combined by interleaved accumulators.
pub const MIN_INTERLEAVED: usize = 16;

/// How many interleaved accumulators there are.
pub const ACCUMULATORS: usize = 8;

impl Monoid {
    /// What leaves the other operand as it is.
    pub fn identity(self, dtype: DType) -> Scalar {
        match self {
            Monoid::Sum => Scalar::F64(0.0).convert(dtype),
            Monoid::Prod => Scalar::F64(1.0).convert(dtype),
            Monoid::Max if dtype == DType::I64 => Scalar::I64(i64::MIN),
            Monoid::Max => Scalar::F64(f64::NEG_INFINITY).convert(dtype),
            Monoid::Min if dtype == DType::I64 => Scalar::I64(i64::MAX),
            Monoid::Min => Scalar::F64(f64::INFINITY).convert(dtype),
            Monoid::And => Scalar::Bool(true),
            Monoid::Or => Scalar::Bool(false),
        }
    }

    /// The two elements combined.
    pub fn combine(self, x: Scalar, y: Scalar) -> Scalar {
        match (x, y) {
            (Scalar::F64(x), Scalar::F64(y)) => Scalar::F64(match self {
                Monoid::Sum => x + y,
                Monoid::Prod => x * y,
                Monoid::Max => maximum!(x, y),
                Monoid::Min => minimum!(x, y),
                Monoid::And | Monoid::Or => unreachable!("bug: {self:?} of floats"),
            }),
            (Scalar::F32(x), Scalar::F32(y)) => Scalar::F32(match self {
                Monoid::Sum => x + y,
                Monoid::Prod => x * y,
                Monoid::Max => maximum!(x, y),
                Monoid::Min => minimum!(x, y),
                Monoid::And | Monoid::Or => unreachable!("bug: {self:?} of floats"),
            }),
            (Scalar::I64(x), Scalar::I64(y)) => Scalar::I64(match self {
                Monoid::Sum => x.wrapping_add(y),
                Monoid::Prod => x.wrapping_mul(y),
                Monoid::Max => x.max(y),
                Monoid::Min => x.min(y),
                Monoid::And | Monoid::Or => unreachable!("bug: {self:?} of integers"),
            }),
            (Scalar::Bool(x), Scalar::Bool(y)) => Scalar::Bool(match self {
                Monoid::And => x & y,
                Monoid::Or => x | y,
                _ => unreachable!("bug: {self:?} of bools"),
            }),
            other => unreachable!("bug: {other:?} combined"),
        }
    }

    /// One tile, in the documented order.
    fn combine_tile(self, dtype: DType, tile: &[Scalar]) -> Scalar {
        let identity = self.identity(dtype);
        if tile.len() < MIN_INTERLEAVED {
            return tile.iter().fold(identity, |sum, &x| self.combine(sum, x));
        }
        let mut a = [identity; ACCUMULATORS];
        for (k, &x) in tile.iter().enumerate() {
            a[k % ACCUMULATORS] = self.combine(a[k % ACCUMULATORS], x);
        }
        let pairs = [0, 1, 2, 3].map(|k| self.combine(a[k], a[k + 4]));
        self.combine(self.combine(pairs[0], pairs[2]), self.combine(pairs[1], pairs[3]))
    }
}

/// The reference semantics of every reduction, in the documented order.
fn reduce(monoid: Monoid, axes: &[usize], x: &Array) -> Array {
    let shape = Shape::from(x.shape());
    let result = Type::new(x.dtype(), shape.without(axes));
    let mut sums = vec![monoid.identity(x.dtype()); result.size()];
    let last_reduced = shape.rank() > 0 && axes.contains(&(shape.rank() - 1));
    let row = if last_reduced { shape[shape.rank() - 1] } else { 1 };
    let elements: Vec<Scalar> = x.elements().collect();
    let rows = if row == 0 { 0 } else { elements.len() / row };
    for position in 0..rows {
        let kept = kept_position(&shape, axes, position * row);
        for tile in elements[position * row..(position + 1) * row].chunks(TILE) {
            // A tile of one kept element is that element itself.
            let value = if last_reduced { monoid.combine_tile(x.dtype(), tile) } else { tile[0] };
            sums[kept] = monoid.combine(sums[kept], value);
        }
    }
    Array::collect(&result, sums.into_iter())
}

/// The row-major position in the result to which the element at that position of the operand belongs.
fn kept_position(shape: &Shape, axes: &[usize], mut position: usize) -> usize {
    let (mut kept, mut stride) = (0, 1);
    for axis in (0..shape.rank()).rev() {
        let index = position % shape[axis];
        position /= shape[axis];
        if !axes.contains(&axis) {
            kept += index * stride;
            stride *= shape[axis];
        }
    }
    kept
}

/// Requires distinct axes of the operand, in ascending order.
fn infer_reduction(axes: &[usize], operands: &[Type]) -> Result<Shape, Mismatch> {
    expect_arity(operands, 1)?;
    let rank = operands[0].rank();
    if !axes.is_sorted_by(|a, b| a < b) || axes.last().is_some_and(|&axis| axis >= rank) {
        return Err(mismatch!("axes must ascend strictly and lie below the rank {rank}, but got {axes:?}"));
    }
    Ok(operands[0].shape.without(axes))
}

/// Sum over axes, in the order that this module documents. Integers wrap; the sum of nothing is 0.
///
/// # Constraints
/// (C1) `axes` ascend strictly and lie below the operand's rank. (C2) The operand is numeric.
///
/// # Derivative
/// Linear. The cotangent is repeated along the axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReduceSum {
    /// The axes that vanish.
    pub axes: Vec<usize>,
}

impl Rules for ReduceSum {
    const NAME: &'static str = "reduce_sum";

    fn infer(&self, operands: &[Type]) -> Result<Types, Mismatch> {
        let shape = infer_reduction(&self.axes, operands)?;
        if operands[0].dtype == DType::Bool {
            return Err(mismatch!("takes numbers, but got bool; use convert"));
        }
        Ok(smallvec::smallvec![Type::new(operands[0].dtype, shape)])
    }

    fn eval(&self, operands: &[&Array], _: &[Type]) -> Vec<Array> {
        vec![reduce(Monoid::Sum, &self.axes, operands[0])]
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Reduce { monoid: Monoid::Sum, axes: &self.axes }
    }

    fn doc() -> Doc {
        Doc {
            summary: "sum over axes",
            derivative: "1 for every element",
            accuracy: "one fixed order, interleaved and tiled; integers wrap",
        }
    }

    fn examples() -> Examples {
        let x = Array::from_elements([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("bug: six elements");
        let answer = |axes: &[usize], shape: &[usize], y: Vec<f64>| Answer {
            op: ReduceSum { axes: axes.into() }.into(),
            operands: vec![x.clone()],
            results: vec![Array::from_elements(shape, y).expect("bug: wrong literal")],
            ulps: 0,
        };
        let answers = vec![
            answer(&[0], &[3], vec![5.0, 7.0, 9.0]),
            answer(&[1], &[2], vec![6.0, 15.0]),
            answer(&[0, 1], &[], vec![21.0]),
        ];
        Examples {
            answers,
            samples: reduction_samples(|axes| ReduceSum { axes }.into(), &[DType::F64, DType::F32, DType::I64]),
        }
    }
}

impl Linear for ReduceSum {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, _: usize, operands: &[Type], ct: Var) -> Var {
        spread(ct, &operands[0].shape, &self.axes)
    }

    fn transpose_mask(&self, slot: usize, operands: &[Type], mask: Var) -> Option<Var> {
        Some(self.transpose(slot, operands, mask))
    }
}

/// Repeats the result of a reduction along the axes that it removed.
#[track_caller]
fn spread(y: Var, shape: &Shape, axes: &[usize]) -> Var {
    let kept = (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect();
    apply(BroadcastInDim { shape: shape.clone(), axes: kept }, &[y])
}

/// Reductions over the first, the last, a middle and all axes, and over rows longer than a tile.
fn reduction_samples(op: impl Fn(Vec<usize>) -> Op, dtypes: &[DType]) -> Vec<Sample> {
    let cases: [(&[usize], &[usize]); 7] = [
        (&[0], &[4, 3]),
        (&[1], &[3, 19]),
        (&[1], &[2, 3, 4]),
        (&[0, 2], &[3, 2, 17]),
        (&[0, 1], &[5, 7]),
        (&[], &[2, 3]),
        (&[0], &[TILE + 25]),
    ];
    let sample = |&dtype: &DType| {
        cases.map(|(axes, shape)| Sample { op: op(axes.into()), operands: vec![(Type::new(dtype, shape), (0.5, 1.5))] })
    };
    dtypes.iter().flat_map(sample).collect()
}

impl Var {
    /// The sum of all elements; see [`ReduceSum`].
    #[track_caller]
    pub fn sum(self) -> Var {
        self.sum_axes(&(0..self.rank()).collect::<Vec<_>>())
    }

    /// The sum over the given axes, which vanish; see [`ReduceSum`].
    #[track_caller]
    pub fn sum_axes(self, axes: &[usize]) -> Var {
        apply(ReduceSum { axes: axes.into() }, &[self])
    }
}
