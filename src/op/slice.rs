//! Parts of arrays: slices, their order reversed, and what puts slices back in their places.

use std::ops::{Bound, RangeBounds};

use ndarray::Slice as Range;
use serde::{Deserialize, Serialize};

use super::assembly::{Assembly, Part, Rest};
use super::reduce::check_axes;
use super::rules::{
    Answer, Batch, Batched, Batching, Derivative, Doc, Examples, Layout, Library, Linear, Lowering, Rules, Sample,
    View, eval_library, eval_view, expect_arity, led, literal, shifted, shifted_batch, with_rows,
};
use super::shape::check_axis;
use super::trace::{self, apply};
use super::{Op, Pad, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::linear::{Number, with_number};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Shape, Type};

/// Every `stride`-th element from `start` to before `limit`, along each axis.
///
/// # Constraints
/// (C1) `start`, `limit` and `stride` have one entry for each axis. (C2) `start ≤ limit ≤` the extent. (C3) `stride` is
/// positive.
///
/// # Derivative
/// Linear. The cotangent's elements go to their places in zeros of the operand's shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The first index along each axis.
    pub start: Vec<usize>,
    /// The index along each axis before which the slice ends.
    pub limit: Vec<usize>,
    /// The distance of indices along each axis.
    pub stride: Vec<usize>,
}

impl Slice {
    fn shape(&self) -> Shape {
        (0..self.start.len()).map(|axis| (self.limit[axis] - self.start[axis]).div_ceil(self.stride[axis])).collect()
    }
}

/// Requires one entry for each axis.
fn check_length<T>(name: &str, entries: &[T], rank: usize) -> Result<(), Mismatch> {
    if entries.len() == rank {
        return Ok(());
    }
    Err(mismatch!("{name} must have an entry for each of {rank} axes, but got {}", entries.len()))
}

/// Requires positive strides.
fn check_strides(name: &str, strides: &[usize]) -> Result<(), Mismatch> {
    if strides.contains(&0) { Err(mismatch!("{name} must be positive, but got {strides:?}")) } else { Ok(()) }
}

impl Rules for Slice {
    const NAME: &'static str = "slice";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 1)?;
        let x = &operands[0];
        check_length("start", &self.start, x.rank())?;
        check_length("limit", &self.limit, x.rank())?;
        check_length("stride", &self.stride, x.rank())?;
        check_strides("stride", &self.stride)?;
        for axis in 0..x.rank() {
            let (start, limit, extent) = (self.start[axis], self.limit[axis], x.shape[axis]);
            if start > limit || limit > extent {
                return Err(mismatch!("a slice of axis {axis} must lie within 0..{extent}, but got {start}..{limit}"));
            }
        }
        Ok(smallvec::smallvec![Type::new(x.dtype, self.shape())])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        vec![eval_view(self, operands[0], &results[0])]
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::View(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "every stride-th element of x from start to before limit, along each axis",
            derivative: "1 for the elements of the slice",
            accuracy: "exact",
        }
    }

    fn examples() -> Examples {
        let slice = |start: &[usize], limit: &[usize], stride: &[usize]| -> Op {
            Slice { start: start.into(), limit: limit.into(), stride: stride.into() }.into()
        };
        let x = literal([2, 5], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let answer =
            |op: Op, y: Array| Answer { op, operands: vec![x.clone()], results: vec![y], ulps: 0, regions: vec![] };
        let answers = vec![
            answer(slice(&[0, 1], &[2, 3], &[1, 1]), literal([2, 2], [1.0, 2.0, 6.0, 7.0])),
            answer(slice(&[1, 0], &[2, 5], &[1, 2]), literal([1, 3], [5.0, 7.0, 9.0])),
            answer(slice(&[0, 1], &[2, 5], &[3, 2]), literal([1, 2], [1.0, 3.0])),
            answer(slice(&[0, 5], &[2, 5], &[1, 1]), literal::<f64>([2, 0], [])),
        ];
        let cases = [
            (slice(&[1, 0, 2], &[4, 2, 7], &[1, 1, 2]), [4, 3, 8]),
            (slice(&[0, 2, 0], &[4, 3, 8], &[3, 1, 1]), [4, 3, 8]),
            (slice(&[2, 1, 3], &[2, 3, 8], &[1, 1, 1]), [4, 3, 8]),
        ];
        let sample = |dtype: DType| {
            cases.clone().map(|(op, shape)| Sample {
                op,
                operands: vec![(Type::new(dtype, shape), (-2.0, 2.0))],
                regions: vec![],
            })
        };
        Examples { answers, samples: DType::ALL.into_iter().flat_map(sample).collect() }
    }
}

impl Linear for Slice {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, _: usize, operands: &[Type], ct: Var) -> Var {
        let (starts, strides) = (vec![self.start.clone()], vec![self.stride.clone()]);
        apply(ScatterSlices { shape: operands[0].shape.clone(), starts, strides }, &[ct])
    }

    fn transpose_mask(&self, _: usize, operands: &[Type], mask: Var) -> Option<Var> {
        let (mut high, mut interior) = (Vec::new(), Vec::new());
        for (axis, &extent) in self.shape().iter().enumerate() {
            let stride = self.stride[axis];
            let covered = self.start[axis] + if extent == 0 { 0 } else { (extent - 1) * stride + 1 };
            high.push((operands[0].shape[axis] - covered) as i64);
            interior.push(stride - 1);
        }
        let low = self.start.iter().map(|&start| start as i64).collect();
        Some(apply(Pad { low, high, interior }, &[mask, Var::from(false)]))
    }
}

impl View for Slice {
    fn view(&self, operand: &Layout) -> Option<Layout> {
        let shape = self.shape();
        // An empty slice may start beyond the last element, and then has no place to point to.
        let axes = if shape.contains(&0) { 0 } else { shape.rank() };
        let offset = (0..axes).map(|axis| self.start[axis] as isize * operand.strides[axis]).sum::<isize>();
        let step = |axis: usize| {
            if shape[axis] <= 1 { operand.strides[axis] } else { self.stride[axis] as isize * operand.strides[axis] }
        };
        Some(Layout { offset: operand.offset + offset, strides: (0..shape.rank()).map(step).collect(), shape })
    }
}

impl Batch for Slice {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        let slice = Slice { start: led(0, &self.start), limit: led(n, &self.limit), stride: led(1, &self.stride) };
        apply(slice, &[x[0].rows(n)])
    }
}

/// The elements in reverse order along some axes.
///
/// # Constraints
/// (C1) `axes` ascend strictly and lie below the operand's rank.
///
/// # Derivative
/// Linear. The cotangent is reversed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reverse {
    /// The axes along which the order is reversed.
    pub axes: Vec<usize>,
}

impl Rules for Reverse {
    const NAME: &'static str = "reverse";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 1)?;
        check_axes(&self.axes, operands[0].rank())?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        vec![eval_view(self, operands[0], &results[0])]
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::View(self)
    }

    fn doc() -> Doc {
        Doc { summary: "x in reverse order along axes", derivative: "reverse back", accuracy: "exact" }
    }

    fn examples() -> Examples {
        let x = literal([2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let answer = |axes: &[usize], y: [f64; 6]| Answer {
            op: Reverse { axes: axes.into() }.into(),
            operands: vec![x.clone()],
            results: vec![literal([2, 3], y)],
            ulps: 0,
            regions: vec![],
        };
        let answers = vec![
            answer(&[1], [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]),
            answer(&[0], [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]),
            answer(&[0, 1], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]),
        ];
        let sample = |dtype: DType| {
            [[4, 3, 5], [4, 0, 5]].map(|shape| Sample {
                op: Reverse { axes: vec![0, 2] }.into(),
                operands: vec![(Type::new(dtype, shape), (-2.0, 2.0))],
                regions: vec![],
            })
        };
        Examples { answers, samples: DType::ALL.into_iter().flat_map(sample).collect() }
    }
}

shifted_batch!(Reverse, |op, n| Reverse { axes: shifted(&op.axes) });

impl Linear for Reverse {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, _: usize, _: &[Type], ct: Var) -> Var {
        apply(self.clone(), &[ct])
    }

    fn transpose_mask(&self, _: usize, _: &[Type], mask: Var) -> Option<Var> {
        Some(apply(self.clone(), &[mask]))
    }
}

impl View for Reverse {
    fn view(&self, operand: &Layout) -> Option<Layout> {
        let mut layout = operand.clone();
        // Without elements there is none to begin with.
        if layout.shape.contains(&0) {
            return Some(layout);
        }
        for &axis in &self.axes {
            layout.offset += (layout.shape[axis] - 1) as isize * layout.strides[axis];
            layout.strides[axis] = -layout.strides[axis];
        }
        Some(layout)
    }
}

/// Zeros, to which each operand is added at its own slice: the transpose of several slices of one value.
///
/// Operands are added in the order of their slots, beginning at 0.
///
/// # Constraints
/// (C1) There is at least one operand; all have one numeric dtype, and the result's rank. (C2) `starts` and `strides` have
/// one list for each operand, with one entry for each axis. (C3) Strides are positive. (C4) Every element falls inside
/// `shape`.
///
/// # Derivative
/// Linear. The cotangent of an operand is the slice at which it was added.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScatterSlices {
    /// The result's shape.
    pub shape: Shape,
    /// For each operand, the index of its first element along each axis.
    pub starts: Vec<Vec<usize>>,
    /// For each operand, the distance of its elements along each axis.
    pub strides: Vec<Vec<usize>>,
}

impl ScatterSlices {
    /// The slice of the result at which an operand of that shape is added.
    fn slice(&self, slot: usize, shape: &Shape) -> Slice {
        let (start, stride) = (self.starts[slot].clone(), self.strides[slot].clone());
        if shape.contains(&0) {
            let limit = start.iter().zip(shape.iter()).map(|(&start, &extent)| start + extent).collect();
            return Slice { limit, stride: vec![1; start.len()], start };
        }
        let limit = (0..start.len()).map(|axis| start[axis] + (shape[axis] - 1) * stride[axis] + 1).collect();
        Slice { start, limit, stride }
    }

    fn check_operand(&self, slot: usize, shape: &Shape) -> Result<(), Mismatch> {
        check_length("a start", &self.starts[slot], self.shape.rank())?;
        check_length("a stride", &self.strides[slot], self.shape.rank())?;
        check_strides("strides", &self.strides[slot])?;
        if shape.rank() != self.shape.rank() {
            return Err(mismatch!("operands must have the rank of the result, {}, but got {shape}", self.shape));
        }
        for (axis, &extent) in self.shape.iter().enumerate() {
            let (start, stride) = (self.starts[slot][axis], self.strides[slot][axis]);
            let steps = shape[axis].saturating_sub(1).checked_mul(stride);
            let limit = steps.and_then(|steps| steps.checked_add(start)?.checked_add(shape[axis].min(1)));
            if limit.is_none_or(|limit| limit > extent) {
                return Err(mismatch!(
                    "{} elements from {start} with stride {stride} must lie within axis {axis} of shape {}",
                    shape[axis],
                    self.shape
                ));
            }
        }
        Ok(())
    }
}

impl Rules for ScatterSlices {
    const NAME: &'static str = "scatter_slices";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        if operands.is_empty() || self.starts.len() != operands.len() || self.strides.len() != operands.len() {
            return Err(mismatch!(
                "takes one start and one stride for each operand, but got {} and {} for {}",
                self.starts.len(),
                self.strides.len(),
                operands.len()
            ));
        }
        let dtypes: Vec<DType> = operands.iter().map(|ty| ty.dtype).collect();
        let dtype = super::rules::numbers(&dtypes)?;
        for (slot, operand) in operands.iter().enumerate() {
            self.check_operand(slot, &operand.shape)?;
        }
        Ok(smallvec::smallvec![Type::new(dtype, self.shape.clone())])
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
        Lowering::Scatter(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "zeros of a shape, to which each operand is added at its own slice",
            derivative: "the slice of the cotangent, for each operand",
            accuracy: "added in the order of the operands; integers wrap",
        }
    }

    fn examples() -> Examples {
        let one = ScatterSlices { shape: [5].into(), starts: vec![vec![1]], strides: vec![vec![2]] };
        let two = ScatterSlices { shape: [4].into(), starts: vec![vec![0], vec![2]], strides: vec![vec![1], vec![1]] };
        let answers = vec![
            Answer {
                op: one.into(),
                operands: vec![literal([2], [1.5, -2.0])],
                results: vec![literal([5], [0.0, 1.5, 0.0, -2.0, 0.0])],
                ulps: 0,
                regions: vec![],
            },
            Answer {
                op: two.clone().into(),
                operands: vec![literal([3], [1.0, 2.0, 3.0]), literal([2], [10.0, 20.0])],
                results: vec![literal([4], [1.0, 2.0, 13.0, 20.0])],
                ulps: 0,
                regions: vec![],
            },
            Answer {
                op: two.into(),
                operands: vec![literal([3], [1i64, 2, i64::MAX]), literal([1], [1i64])],
                results: vec![literal([4], [1i64, 2, i64::MIN, 0])],
                ulps: 0,
                regions: vec![],
            },
        ];
        let op = ScatterSlices {
            shape: [5, 7].into(),
            starts: vec![vec![0, 1], vec![1, 0], vec![5, 0]],
            strides: vec![vec![2, 1], vec![1, 3], vec![1, 1]],
        };
        let sample = |dtype| Sample {
            op: op.clone().into(),
            operands: [[3, 4], [2, 3], [0, 7]].map(|shape| (Type::new(dtype, shape), (-2.0, 2.0))).into(),
            regions: vec![],
        };
        Examples { answers, samples: [DType::F64, DType::F32, DType::I64].map(sample).into() }
    }
}

impl Batch for ScatterSlices {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        let all = |first: usize, entries: &[Vec<usize>]| entries.iter().map(|entry| led(first, entry)).collect();
        let scatter = ScatterSlices {
            shape: with_rows(&self.shape, n),
            starts: all(0, &self.starts),
            strides: all(1, &self.strides),
        };
        apply(scatter, &x.iter().map(|x| x.rows(n)).collect::<Vec<Var>>())
    }
}

impl Linear for ScatterSlices {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, slot: usize, operands: &[Type], ct: Var) -> Var {
        apply(self.slice(slot, &operands[slot].shape), &[ct])
    }

    fn transpose_mask(&self, slot: usize, operands: &[Type], mask: Var) -> Option<Var> {
        Some(Linear::transpose(self, slot, operands, mask))
    }
}

impl ScatterSlices {
    /// The places in the result, in row-major order, to which the elements of an operand are added.
    pub(crate) fn places(&self, slot: usize, operand: &Shape) -> Vec<usize> {
        self.part(slot, operand).layout(&self.shape).places().map(|place| place as usize).collect()
    }

    pub(super) fn assembly(&self, operands: &[&Shape]) -> Assembly {
        let filled = operands.iter().enumerate().filter(|(_, operand)| operand.size() > 0);
        Assembly { parts: filled.map(|(slot, operand)| self.part(slot, operand)).collect(), rest: Rest::Zeros }
    }

    fn part(&self, slot: usize, operand: &Shape) -> Part {
        Part::new(slot, operand, |axis| (self.starts[slot][axis], self.strides[slot][axis]))
    }
}

impl Library for ScatterSlices {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_number!(results[0].dtype(), T => {
            let result = results[0].typed::<T>();
            result.fill(T::ZERO);
            for (slot, operand) in operands.iter().enumerate() {
                let x = operand.typed::<T>();
                if x.is_empty() {
                    continue;
                }
                let mut place = result.slice_each_axis_mut(|axis| {
                    let (start, stride) = (self.starts[slot][axis.axis.index()], self.strides[slot][axis.axis.index()]);
                    let limit = start + (x.len_of(axis.axis) - 1) * stride + 1;
                    Range::new(start as isize, Some(limit as isize), stride as isize)
                });
                place.zip_mut_with(x, |y, &x| *y = y.plus(x));
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        operands.iter().map(|ty| ty.size()).sum()
    }
}

impl Var {
    /// Every `step`-th element from `start` to before `end` along one axis; see [`Slice`].
    ///
    /// Takes any dtype. An axis that does not exist, a range that does not lie within its extent, and a step of 0 are
    /// an error. The derivative of an element that is left out is 0.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.slice_axis(0, 1, 5, 2)).call(array![0.0, 1.0, 2.0, 3.0, 4.0])?;
    /// assert_eq!(y, array![1.0, 3.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn slice_axis(self, axis: usize, start: usize, end: usize, step: usize) -> Var {
        let _method = trace::method("slice_axis", &[self]);
        if !check_axis(self, axis) {
            return Var::poisoned();
        }
        let mut limits = self.shape().to_vec();
        let (mut starts, mut strides) = (vec![0; limits.len()], vec![1; limits.len()]);
        (starts[axis], limits[axis], strides[axis]) = (start, end, step);
        apply(Slice { start: starts, limit: limits, stride: strides }, &[self])
    }

    /// What lies at that index along an axis, which vanishes: the row of a matrix, the element of a vector.
    ///
    /// Takes any dtype. An axis that does not exist, and an index that is not below its extent, are an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let x = array![[1.0, 2.0], [3.0, 4.0]];
    /// let row: Array1<f64> = jit(|x: Var| x.index_axis(0, 1)).call(&x)?;
    /// let column: Array1<f64> = jit(|x: Var| x.index_axis(1, 1)).call(&x)?;
    /// assert_eq!((row, column), (array![3.0, 4.0], array![2.0, 4.0]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn index_axis(self, axis: usize, index: usize) -> Var {
        let _method = trace::method("index_axis", &[self]);
        if !check_axis(self, axis) {
            return Var::poisoned();
        }
        let extent = self.shape()[axis];
        if index >= extent {
            trace::fail_at(format!("takes an index below the extent {extent} of axis {axis}, but got {index}"));
            return Var::poisoned();
        }
        self.slice_axis(axis, index, index + 1, 1).squeeze(axis)
    }

    /// What lies at that index of the first axis: an element of a vector, a row of a matrix.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let row: Array1<f64> = jit(|x: Var| x.at(1)).call(array![[1.0, 2.0], [3.0, 4.0]])?;
    /// assert_eq!(row, array![3.0, 4.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `self` is a scalar, or the index is not below the extent.
    #[track_caller]
    pub fn at(self, index: usize) -> Var {
        let _method = trace::method("at", &[self]);
        self.index_axis(0, index)
    }

    /// The elements along one axis whose indices lie in the range.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let steps = |x: Var| x.slice(0, 1..) - x.slice(0, ..x.shape()[0] - 1);
    /// assert_eq!(jit(steps).call::<Array1<f64>>(array![1.0, 4.0, 9.0])?, array![3.0, 5.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such axis, or the range ends before it begins or beyond the extent.
    #[track_caller]
    pub fn slice(self, axis: usize, range: impl RangeBounds<usize>) -> Var {
        let _method = trace::method("slice", &[self]);
        if !check_axis(self, axis) {
            return Var::poisoned();
        }
        let extent = self.shape()[axis];
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => extent,
        };
        if start > end || end > extent {
            trace::fail_at(format!(
                "takes a range within 0..{extent}, the extent of axis {axis}, but got {start}..{end}"
            ));
            return Var::poisoned();
        }
        self.slice_axis(axis, start, end, 1)
    }

    /// The element of a vector at that index, as a scalar. Takes a vector of any dtype; another rank, and an index that
    /// is not below the extent, are an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, grad, jit};
    ///
    /// let slope: Array1<f64> = jit(grad(|x: Var| x.index(0) * x.index(1))).call(array![3.0, 5.0, 7.0])?;
    /// assert_eq!(slope, array![5.0, 3.0, 0.0]);
    /// let wrong = jit(|x: Var| x.index(3)).call::<f64>(array![3.0, 5.0, 7.0]);
    /// assert!(wrong.is_err());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn index(self, i: usize) -> Var {
        let _method = trace::method("index", &[self]);
        if self.rank() != 1 {
            trace::fail_at(format!("takes a vector, but got {}; use index_axis", self.ty()));
            return Var::poisoned();
        }
        self.index_axis(0, i)
    }

    /// Everything along an axis, which vanishes, one by one: the scalars of a vector, the rows of a matrix.
    /// [`Var::stack`] puts them together again.
    ///
    /// Takes any dtype; an axis that does not exist is an error.
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::{Var, jit};
    ///
    /// let product = |x: Var| x.unstack(0).into_iter().product::<Var>();
    /// assert_eq!(jit(product).call::<f64>(array![2.0, 3.0, 4.0])?, 24.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn unstack(self, axis: usize) -> Vec<Var> {
        let _method = trace::method("unstack", &[self]);
        // How many parts there would be is not known, and the caller may ask for any.
        if !check_axis(self, axis) {
            trace::unwind();
        }
        let extent = self.shape()[axis];
        let mut parts = Vec::with_capacity(extent);
        for index in 0..extent {
            parts.push(self.index_axis(axis, index));
        }
        parts
    }

    /// Consecutive parts along an axis, of the given extents, which must cover the axis. [`Var::concatenate`] puts them
    /// together again.
    ///
    /// Takes any dtype. An axis that does not exist, and extents that do not add up to its extent, are an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let swap = |x: Var| {
    ///     let parts = x.split(0, &[1, 2]);
    ///     (parts[1], parts[0])
    /// };
    /// let (last, first): (Array1<f64>, Array1<f64>) = jit(swap).call(array![1.0, 2.0, 3.0])?;
    /// assert_eq!((first, last), (array![1.0], array![2.0, 3.0]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn split(self, axis: usize, extents: &[usize]) -> Vec<Var> {
        let _method = trace::method("split", &[self]);
        if !check_axis(self, axis) {
            return vec![Var::poisoned(); extents.len()];
        }
        let whole = self.shape()[axis];
        if extents.iter().try_fold(0usize, |sum, &extent| sum.checked_add(extent)) != Some(whole) {
            trace::fail_at(format!("takes extents that add up to {whole}, but got {extents:?}"));
            return vec![Var::poisoned(); extents.len()];
        }
        let mut start = 0;
        let mut parts = Vec::with_capacity(extents.len());
        for &extent in extents {
            parts.push(self.slice_axis(axis, start, start + extent, 1));
            start += extent;
        }
        parts
    }

    /// The elements in reverse order along the given axes; see [`Reverse`].
    ///
    /// Takes any dtype. Axes that do not exist, or do not ascend strictly, are an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.reverse(&[0])).call(array![1.0, 2.0, 3.0])?;
    /// assert_eq!(y, array![3.0, 2.0, 1.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn reverse(self, axes: &[usize]) -> Var {
        apply(Reverse { axes: axes.into() }, &[self])
    }
}
