//! Arrays made larger or put together: padding, concatenation, and counting.

use ndarray::{Axis, Slice as Range};
use serde::{Deserialize, Serialize};

use super::assembly::{Assembly, Part, Rest};
use super::rules::{
    Answer, Batch, Batched, Batching, Derivative, Doc, Examples, Library, Linear, Lowering, Rules, Sample,
    eval_library, expect_arity, led, list, literal,
};
use super::trace::{self, apply};
use super::{BroadcastInDim, Op, Operand, Slice, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Element, Scalar, Shape, Type, with_element};

/// An array with a scalar around it and between its elements. Where `low` or `high` is negative, that many elements are
/// cut off instead, after `interior` has been put between.
///
/// # Constraints
/// (C1) The first operand is an array, the second a scalar of the same dtype. (C2) `low`, `high` and `interior` have one
/// entry for each axis. (C3) No extent of the result is negative.
///
/// # Derivative
/// Linear. The cotangent of the array is what fell on its elements; that of the scalar is the sum of the rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// How many scalars come before the elements along each axis; fewer than 0 cut elements off.
    pub low: Vec<i64>,
    /// How many scalars come after the elements along each axis; fewer than 0 cut elements off.
    pub high: Vec<i64>,
    /// How many scalars come between two elements along each axis.
    pub interior: Vec<usize>,
}

impl Pad {
    /// The extent of the result along an axis; `None` if there is none.
    fn extent(&self, axis: usize, extent: usize) -> Option<usize> {
        let between = self.interior[axis].checked_mul(extent.saturating_sub(1))?;
        let spread = isize::try_from(between.checked_add(extent)?).ok()?;
        usize::try_from(spread as i128 + i128::from(self.low[axis]) + i128::from(self.high[axis])).ok()
    }

    /// Which elements of the operand are in the result, and where: for one axis the operand's indices, and the result's.
    fn ranges(&self, axis: usize, from: usize, to: usize) -> (Range, Range) {
        let (step, low) = (self.interior[axis] as i128 + 1, i128::from(self.low[axis]));
        let first = (-low).max(0).div_euclid(step) + i128::from((-low).max(0).rem_euclid(step) > 0);
        let limit = ((to as i128 - low - 1).div_euclid(step) + 1).min(from as i128);
        if first >= limit {
            return (Range::new(0, Some(0), 1), Range::new(0, Some(0), 1));
        }
        let place = |index: i128| (low + index * step) as isize;
        // One element has no neighbor, however far the next would be.
        let step = if limit - first == 1 { 1 } else { step as isize };
        (
            Range::new(first as isize, Some(limit as isize), 1),
            Range::new(place(first), Some(place(limit - 1) + 1), step),
        )
    }
}

impl Rules for Pad {
    const NAME: &'static str = "pad";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        let (x, value) = (&operands[0], &operands[1]);
        if value.dtype != x.dtype || value.rank() != 0 {
            return Err(mismatch!("takes an array and a scalar of its dtype, but got {}", list(operands)));
        }
        let rank = x.rank();
        if self.low.len() != rank || self.high.len() != rank || self.interior.len() != rank {
            return Err(mismatch!(
                "low, high and interior must have an entry for each of {rank} axes, but got {:?}, {:?} and {:?}",
                self.low,
                self.high,
                self.interior
            ));
        }
        let mut shape = Vec::with_capacity(rank);
        for axis in 0..rank {
            let Some(extent) = self.extent(axis, x.shape[axis]) else {
                return Err(mismatch!(
                    "axis {axis} of extent {} cannot be padded by {} before, {} after and {} between",
                    x.shape[axis],
                    self.low[axis],
                    self.high[axis],
                    self.interior[axis]
                ));
            };
            shape.push(extent);
        }
        Ok(smallvec::smallvec![Type::new(x.dtype, shape)])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Assemble(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "x with a scalar before, after and between its elements; negative counts cut elements off",
            derivative: "1 for the elements that remain; for the scalar, the sum over the places that it fills",
            accuracy: "exact",
        }
    }

    fn examples() -> Examples {
        let pad = |low: &[i64], high: &[i64], interior: &[usize]| -> Op {
            Pad { low: low.into(), high: high.into(), interior: interior.into() }.into()
        };
        let answer = |op: Op, x: Array, y: Array| Answer {
            op,
            operands: vec![x, Array::scalar(9.0)],
            results: vec![y],
            ulps: 0,
            regions: vec![],
        };
        let x = literal([3], [1.0, 2.0, 3.0]);
        let answers = vec![
            answer(pad(&[1], &[2], &[0]), x.clone(), literal([6], [9.0, 1.0, 2.0, 3.0, 9.0, 9.0])),
            answer(pad(&[0], &[0], &[2]), x.clone(), literal([7], [1.0, 9.0, 9.0, 2.0, 9.0, 9.0, 3.0])),
            answer(pad(&[-1], &[1], &[1]), x.clone(), literal([5], [9.0, 2.0, 9.0, 3.0, 9.0])),
            answer(pad(&[-2], &[-2], &[1]), x.clone(), literal([1], [2.0])),
            answer(pad(&[-5], &[4], &[0]), x.clone(), literal([2], [9.0, 9.0])),
            answer(pad(&[2], &[-4], &[0]), x, literal([1], [9.0])),
            answer(pad(&[1], &[1], &[3]), literal::<f64>([0], []), literal([2], [9.0, 9.0])),
            answer(pad(&[0, 1], &[1, -1], &[0, 0]), literal([1, 2], [1.0, 2.0]), literal([2, 2], [9.0, 1.0, 9.0, 9.0])),
        ];
        let cases = [
            (pad(&[1, 0, 2], &[0, 3, 1], &[0, 1, 2]), [2, 3, 4]),
            (pad(&[-1, 2, -3], &[2, -1, 0], &[2, 0, 1]), [2, 3, 4]),
            (pad(&[1, 1, 1], &[0, 1, 0], &[0, 0, 0]), [2, 0, 4]),
        ];
        let range = (-2.0, 2.0);
        let sample = |dtype: DType| {
            cases.clone().map(|(op, shape)| Sample {
                op,
                operands: vec![(Type::new(dtype, shape), range), (Type::scalar(dtype), range)],
                regions: vec![],
            })
        };
        Examples { answers, samples: DType::ALL.into_iter().flat_map(sample).collect() }
    }
}

impl Batch for Pad {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        let (array, value) = (x[0].rows(n), x[1]);
        let pad = Pad { low: led(0, &self.low), high: led(0, &self.high), interior: led(0, &self.interior) };
        if !value.has_rows {
            return apply(pad, &[array, value.var]);
        }
        // A value of each row's own: it is chosen where nothing of the array is.
        let Some(ty) = trace::type_of(array) else { return Var::poisoned() };
        let holes = apply(pad.clone(), &[Var::zeros(ty.with_dtype(DType::Bool)), Var::from(true)]);
        let spread = apply(pad, &[array, Var::zeros(Type::scalar(ty.dtype))]);
        let shape = spread.shape();
        holes.select(apply(BroadcastInDim { shape, axes: vec![0] }, &[value.var]), spread)
    }
}

impl Linear for Pad {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, slot: usize, operands: &[Type], ct: Var) -> Var {
        let x = &operands[0];
        if slot == 0 {
            return self.undo(x, ct);
        }
        let hole = Var::zeros(x.with_dtype(DType::Bool));
        let filled = apply(self.clone(), &[hole, Var::from(true)]);
        filled.select(ct, Var::number(0.0, x.dtype)).sum()
    }

    fn transpose_mask(&self, slot: usize, operands: &[Type], mask: Var) -> Option<Var> {
        (slot == 0).then(|| self.undo(&operands[0].with_dtype(DType::Bool), mask))
    }
}

impl Pad {
    /// What lies where the operand's elements went, and zeros for those that were cut off.
    fn undo(&self, x: &Type, ct: Var) -> Var {
        let rank = x.rank();
        let negated = |counts: &[i64]| counts.iter().map(|count| count.saturating_neg()).collect();
        let back = Pad { low: negated(&self.low), high: negated(&self.high), interior: vec![0; rank] };
        let spread = apply(back, &[ct, Var::number(0.0, x.dtype)]);
        if self.interior.iter().all(|&interior| interior == 0) {
            return spread;
        }
        let limit = (0..rank).map(|axis| {
            let extent = x.shape[axis];
            extent + extent.saturating_sub(1) * self.interior[axis]
        });
        let stride = self.interior.iter().map(|interior| interior.saturating_add(1)).collect();
        apply(Slice { start: vec![0; rank], limit: limit.collect(), stride }, &[spread])
    }
}

impl Pad {
    /// Where the operand's elements go, unless some are cut off.
    pub(super) fn assembly(&self, operand: &Shape) -> Option<Assembly> {
        if self.low.iter().chain(&self.high).any(|&count| count < 0) {
            return None;
        }
        let parts = match operand.size() {
            0 => Vec::new(),
            _ => vec![Part::new(0, operand, |axis| (self.low[axis] as usize, self.interior[axis].saturating_add(1)))],
        };
        Some(Assembly { parts, rest: Rest::Operand(1) })
    }
}

impl Library for Pad {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_element!(results[0].dtype(), T => {
            let (x, value) = (operands[0].typed::<T>(), operands[1].typed::<T>());
            let result = results[0].typed::<T>();
            result.fill(*value.first().expect("bug: a scalar without an element"));
            let ranges = |axis: usize, to: usize| self.ranges(axis, x.shape()[axis], to);
            let extents: smallvec::SmallVec<[usize; 4]> = result.shape().into();
            let kept = x.slice_each_axis(|axis| ranges(axis.axis.index(), extents[axis.axis.index()]).0);
            result.slice_each_axis_mut(|axis| ranges(axis.axis.index(), axis.len).1).assign(&kept);
        });
    }

    fn flops(&self, _: &[&Type], _: &Type) -> usize {
        0
    }
}

/// Arrays one after another along an axis.
///
/// # Constraints
/// (C1) There is at least one operand; all have one dtype and one rank. (C2) `axis` lies below the rank. (C3) Extents are
/// equal along the other axes.
///
/// # Derivative
/// Linear. The cotangent of an operand is the slice of the cotangent at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concatenate {
    /// The axis along which the operands follow one another.
    pub axis: usize,
}

impl Rules for Concatenate {
    const NAME: &'static str = "concatenate";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let Some(first) = operands.first() else {
            return Err(mismatch!("takes at least one operand, but got none"));
        };
        if self.axis >= first.rank() {
            return Err(mismatch!("axis must lie below the rank {}, but got {}", first.rank(), self.axis));
        }
        let mut shape = first.shape.to_vec();
        for (slot, operand) in operands.iter().enumerate().skip(1) {
            let others = |ty: &Type| ty.shape.without(&[self.axis]);
            if operand.dtype != first.dtype || operand.rank() != first.rank() || others(operand) != others(first) {
                return Err(mismatch!(
                    "operands must have one dtype, and one shape but for axis {}, but operand 0 is {first} and operand {slot} is {operand}",
                    self.axis
                ));
            }
            shape[self.axis] = shape[self.axis]
                .checked_add(operand.shape[self.axis])
                .ok_or_else(|| mismatch!("the extents along axis {} are too large to be added", self.axis))?;
        }
        Ok(smallvec::smallvec![Type::new(first.dtype, shape)])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Assemble(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "arrays one after another along an axis",
            derivative: "the slice of the cotangent, for each operand",
            accuracy: "exact",
        }
    }

    fn examples() -> Examples {
        let x = literal([1, 2], [1.0, 2.0]);
        let y = literal([2, 2], [3.0, 4.0, 5.0, 6.0]);
        let answers = vec![
            Answer {
                op: Concatenate { axis: 0 }.into(),
                operands: vec![x.clone(), y.clone()],
                results: vec![literal([3, 2], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])],
                ulps: 0,
                regions: vec![],
            },
            Answer {
                op: Concatenate { axis: 1 }.into(),
                operands: vec![y, literal([2, 1], [7.0, 8.0]), literal::<f64>([2, 0], [])],
                results: vec![literal([2, 3], [3.0, 4.0, 7.0, 5.0, 6.0, 8.0])],
                ulps: 0,
                regions: vec![],
            },
        ];
        let sample = |dtype| Sample {
            op: Concatenate { axis: 1 }.into(),
            operands: [[2, 3, 5], [2, 1, 5], [2, 4, 5]].map(|shape| (Type::new(dtype, shape), (-2.0, 2.0))).into(),
            regions: vec![],
        };
        Examples { answers, samples: DType::ALL.map(sample).into() }
    }
}

impl Batch for Concatenate {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        apply(Concatenate { axis: self.axis + 1 }, &x.iter().map(|x| x.rows(n)).collect::<Vec<Var>>())
    }
}

impl Linear for Concatenate {
    fn apply(&self, t: &[Var]) -> Var {
        apply(*self, t)
    }

    fn transpose(&self, slot: usize, operands: &[Type], ct: Var) -> Var {
        let own = &operands[slot].shape;
        let before: usize = operands[..slot].iter().map(|operand| operand.shape[self.axis]).sum();
        let (mut start, mut limit) = (vec![0; own.rank()], own.to_vec());
        start[self.axis] = before;
        limit[self.axis] += before;
        apply(Slice { start, limit, stride: vec![1; own.rank()] }, &[ct])
    }

    fn transpose_mask(&self, slot: usize, operands: &[Type], mask: Var) -> Option<Var> {
        Some(self.transpose(slot, operands, mask))
    }
}

impl Concatenate {
    pub(super) fn assembly(&self, operands: &[&Shape]) -> Assembly {
        let mut parts = Vec::new();
        let mut before = 0;
        for (slot, operand) in operands.iter().enumerate().filter(|(_, operand)| operand.size() > 0) {
            parts.push(Part::new(slot, operand, |axis| if axis == self.axis { (before, 1) } else { (0, 1) }));
            before += operand[self.axis];
        }
        Assembly { parts, rest: Rest::Nothing }
    }
}

impl Library for Concatenate {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_element!(results[0].dtype(), T => {
            let axis = Axis(self.axis);
            let mut rest = results[0].typed::<T>().view_mut();
            for operand in operands {
                let x = operand.typed::<T>();
                let (mut place, after) = rest.split_at(axis, x.len_of(axis));
                place.assign(x);
                rest = after;
            }
        });
    }

    fn flops(&self, _: &[&Type], _: &Type) -> usize {
        0
    }
}

/// The index along one axis: `0, 1, 2, …`.
///
/// # Constraints
/// (C1) `axis` lies below the rank of `shape`. (C2) `dtype` is numeric.
///
/// # Derivative
/// There is nothing to differentiate by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Iota {
    /// The result's shape.
    pub shape: Shape,
    /// The axis along which is counted.
    pub axis: usize,
    /// The result's dtype.
    pub dtype: DType,
}

impl Rules for Iota {
    const NAME: &'static str = "iota";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 0)?;
        if self.axis >= self.shape.rank() {
            return Err(mismatch!("axis must lie below the rank {}, but got {}", self.shape.rank(), self.axis));
        }
        super::rules::numbers(&[self.dtype])?;
        Ok(smallvec::smallvec![Type::new(self.dtype, self.shape.clone())])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Zero
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Constant
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Generate(self)
    }

    fn doc() -> Doc {
        Doc { summary: "the index along an axis", derivative: "none", accuracy: "the integer, rounded to the dtype" }
    }

    fn examples() -> Examples {
        let iota = |shape: &[usize], axis, dtype| -> Op { Iota { shape: shape.into(), axis, dtype }.into() };
        let answer = |op: Op, y: Array| Answer { op, operands: vec![], results: vec![y], ulps: 0, regions: vec![] };
        let answers = vec![
            answer(iota(&[3], 0, DType::F64), literal([3], [0.0, 1.0, 2.0])),
            answer(iota(&[2, 3], 0, DType::I64), literal([2, 3], [0i64, 0, 0, 1, 1, 1])),
            answer(iota(&[2, 3], 1, DType::F32), literal([2, 3], [0.0f32, 1.0, 2.0, 0.0, 1.0, 2.0])),
            answer(iota(&[0, 3], 1, DType::F64), literal::<f64>([0, 3], [])),
        ];
        let sample = |dtype| Sample { op: iota(&[2, 5, 3], 1, dtype), operands: vec![], regions: vec![] };
        Examples { answers, samples: [DType::F64, DType::F32, DType::I64].map(sample).into() }
    }
}

impl Library for Iota {
    fn run(&self, _: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_element!(self.dtype, T => {
            let number = |index: usize| {
                let number = Scalar::I64(index as i64).convert(self.dtype);
                T::from_scalar(number).expect("bug: convert gave another dtype")
            };
            // Parts of one element each would take longer to find than to fill.
            if self.shape.rank() == 1 && let Some(line) = results[0].as_slice_mut::<T>() {
                line.iter_mut().enumerate().for_each(|(index, x)| *x = number(index));
                return;
            }
            for (index, mut part) in results[0].typed::<T>().axis_iter_mut(Axis(self.axis)).enumerate() {
                part.fill(number(index));
            }
        });
    }

    fn flops(&self, _: &[&Type], _: &Type) -> usize {
        0
    }
}

/// How many arrays one `concatenate` takes: more are put together in groups, so that derivative rules, which look at all
/// operands for each of them, stay linear.
const MAX_PARTS: usize = 256;

impl Var {
    /// This value with a scalar before, after and between its elements; see [`Pad`]. Along each axis come `low` scalars
    /// before the elements, `high` after them and `interior` between two of them; negative counts cut elements off.
    ///
    /// Takes any dtype, which the scalar shares; a number takes it. The three lists have one entry for each axis. Other
    /// lengths, and extents that would be negative, are an error. The derivative of an element that is kept is 1, and
    /// that of the scalar is the sum over its copies.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.pad(0.0, &[1], &[2], &[1])).call(array![5.0, 6.0])?;
    /// assert_eq!(y, array![0.0, 5.0, 0.0, 6.0, 0.0, 0.0]);
    /// let shorter: Array1<f64> = jit(|x: Var| x.pad(0.0, &[-1], &[0], &[0])).call(array![5.0, 6.0])?;
    /// assert_eq!(shorter, array![6.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn pad(self, value: impl Operand, low: &[i64], high: &[i64], interior: &[usize]) -> Var {
        let value = value.var(self);
        apply(Pad { low: low.into(), high: high.into(), interior: interior.into() }, &[self, value])
    }

    /// Arrays one after another along an axis; see [`Concatenate`].
    ///
    /// Takes at least one array; all have one dtype and one rank, and equal extents along the other axes. Anything else
    /// is an error, and so is an axis that does not exist. The derivative of a part is the slice of the cotangent at
    /// its place.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let both = |x: Var, y: Var| Var::concatenate(&[x, y], 0);
    /// let z: Array1<f64> = jit(both).call(array![1.0, 2.0], array![3.0])?;
    /// assert_eq!(z, array![1.0, 2.0, 3.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn concatenate(parts: &[Var], axis: usize) -> Var {
        if parts.len() <= MAX_PARTS {
            return apply(Concatenate { axis }, parts);
        }
        let mut groups = Vec::with_capacity(parts.len().div_ceil(MAX_PARTS));
        for group in parts.chunks(MAX_PARTS) {
            groups.push(apply(Concatenate { axis }, group));
        }
        Var::concatenate(&groups, axis)
    }

    /// Arrays of one type side by side along a new axis, whose extent is their number. [`Var::unstack`] takes them
    /// apart again.
    ///
    /// Takes at least one array of any dtype, scalars, too; arrays of several types, and a place above the rank, are an
    /// error. The derivative of a part is the slice of the cotangent at its place.
    ///
    /// ```
    /// use ndarray::{Array1, Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let rows = |x: Var, y: Var| Var::stack(&[x, y], 0);
    /// let z: Array2<f64> = jit(rows).call(array![1.0, 2.0], array![3.0, 4.0])?;
    /// assert_eq!(z, array![[1.0, 2.0], [3.0, 4.0]]);
    /// let vector: Array1<f64> = jit(|x: Var| Var::stack(&[x, x.sin()], 0)).call(0.0)?;
    /// assert_eq!(vector, array![0.0, 0.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn stack(parts: &[Var], axis: usize) -> Var {
        let _method = trace::method("stack", parts);
        if let Some(other) = parts.iter().find(|part| part.ty() != parts[0].ty()) {
            let (first, other) = (parts[0].ty(), other.ty());
            trace::fail_at(format!("takes arrays of one shape and dtype, but got {first} and {other}"));
            return Var::poisoned();
        }
        let mut longer = Vec::with_capacity(parts.len());
        for part in parts {
            longer.push(part.insert_axis(axis));
        }
        Var::concatenate(&longer, axis)
    }

    /// The index along one axis, 0, 1, 2, …, of an array of that shape; see [`Iota`]. It carries no derivative.
    ///
    /// The axis must exist, and the dtype be numeric; else it is an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::value::DType;
    /// use retrograd::{Var, jit};
    ///
    /// let ramp = |x: Var| x * Var::iota(&[4], 0, DType::F64);
    /// let y: Array1<f64> = jit(ramp).call(0.5)?;
    /// assert_eq!(y, array![0.0, 0.5, 1.0, 1.5]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn iota(shape: &[usize], axis: usize, dtype: DType) -> Var {
        apply(Iota { shape: shape.into(), axis, dtype }, &[])
    }
}
