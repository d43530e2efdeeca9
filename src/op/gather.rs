//! Slices of an array that begin where indices say: read by [`Gather`], written by [`Scatter`].

use ndarray::{ArrayViewD, ArrayViewMutD};
use serde::{Deserialize, Serialize};

use super::arithmetic::{maximum, minimum};
use super::indices::{Indexing, OutOfBounds};
use super::reduce::check_axes;
use super::rules::{
    Answer, Batch, Batched, Batching, Checked, Derivative, Doc, Examples, General, Library, Lowering, Rules, Sample,
    eval_library, expect_arity, led, literal, same_dtype, shifted,
};
use super::strong::{Strong, strong_product};
use super::trace::apply;
use super::{BroadcastInDim, Op, Var};
use crate::error::IndexError;
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::indexing;
use crate::math::linear::{Number, with_number};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Element, Shape, Type, with_element};

/// Slices of an array that begin where indices say, or sums of them.
///
/// Operands: the array; the indices, `i64[…, k]`. The slices have the axes of a slice at `indexing.window`, and those of
/// the indices, but for the last, at the others, both in order. The result is the slices, summed over the axes that belong
/// to the axes `summed` of the indices: what [`ReduceSum`](super::ReduceSum) makes of them, to the bit, but no slice is
/// written. Where there are such sums, [`optimize`](crate::optimize::optimize) finds them.
///
/// # Constraints
/// (C1) `sizes` has an entry for each axis of the array, none above the extent, and 1 along collapsed and batch axes.
/// (C2) The axes of `indexing` fit the operands; see [`Indexing`]. (C3) `summed` ascends, and is empty unless the array
/// holds numbers and the last axis of the slices is one along which a slice extends.
///
/// # Errors
/// With `OutOfBounds::Error`, the call ends in an [`IndexError`] where a slice does not lie within the array.
///
/// # Derivative
/// Linear in the array. The cotangent's slices are added to zeros, in row-major order of the indices.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gather {
    /// How indices address slices.
    pub indexing: Indexing,
    /// The extents of a slice along each axis of the array.
    pub sizes: Vec<usize>,
    /// What happens to a slice that does not lie within the array.
    pub out_of_bounds: OutOfBounds,
    /// The axes of the indices whose slices are added up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summed: Vec<usize>,
}

impl Gather {
    /// The shape of the slices.
    fn slices(&self, array: &[usize], indices: &[usize]) -> Shape {
        let extents: Vec<usize> = self.indexing.extended(array.len()).map(|axis| self.sizes[axis]).collect();
        self.indexing.slices(&extents, indices)
    }

    /// The axes of the slices that are summed over, given their rank.
    fn summed_axes(&self, rank: usize) -> Vec<usize> {
        let places = self.indexing.places(rank);
        self.summed.iter().map(|&place| places[place]).collect()
    }

    /// This gather of slices whose sums over those of their axes are the result, if there is such a one.
    pub(crate) fn with_sums(&self, slices: &Type, axes: &[usize]) -> Option<Gather> {
        let places = self.indexing.places(slices.rank());
        let summed =
            axes.iter().map(|axis| places.iter().position(|place| place == axis)).collect::<Option<Vec<usize>>>();
        let new = Gather { summed: summed?, ..self.clone() };
        // A sum over no axes adds each element to 0, which makes 0 of -0.
        let is_sum = self.summed.is_empty() && !new.summed.is_empty();
        (is_sum && new.check_summed(slices).is_ok()).then_some(new)
    }

    fn check_summed(&self, slices: &Type) -> Result<(), Mismatch> {
        if self.summed.is_empty() {
            return Ok(());
        }
        check_axes(&self.summed, slices.rank() - self.indexing.window.len())?;
        if slices.dtype == DType::Bool {
            return Err(mismatch!("slices that are summed must hold numbers, but got {slices}"));
        }
        if !self.indexing.window.contains(&(slices.rank() - 1)) {
            return Err(mismatch!(
                "slices that are summed must extend along their last axis, but got {:?}",
                self.indexing.window
            ));
        }
        Ok(())
    }

    fn copy(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) -> Result<(), IndexError> {
        let indices = operands[1].typed::<i64>();
        if !self.summed.is_empty() {
            return with_number!(operands[0].dtype(), T => {
                self.sum_typed::<T>(operands[0].typed(), indices, results[0].typed())
            });
        }
        with_element!(operands[0].dtype(), T => {
            let (array, slices) = (operands[0].typed::<T>(), results[0].typed::<T>());
            if self.out_of_bounds == OutOfBounds::Drop {
                slices.fill(T::default());
            }
            self.copy_typed(array, indices, slices)
        })
    }

    fn copy_typed<T: Copy>(
        &self,
        array: &ArrayViewD<'_, T>,
        indices: &ArrayViewD<'_, i64>,
        slices: &mut ArrayViewMutD<'_, T>,
    ) -> Result<(), IndexError> {
        let axes = self.indexing.axes(array.ndim(), slices.ndim());
        indexing::gather(&axes, self.out_of_bounds.beyond(), array, indices, slices)
            .map_err(|refused| self.indexing.refusal(Gather::NAME, refused, array.shape(), slices.shape()))
    }

    fn sum_typed<T: Number>(
        &self,
        array: &ArrayViewD<'_, T>,
        indices: &ArrayViewD<'_, i64>,
        sums: &mut ArrayViewMutD<'_, T>,
    ) -> Result<(), IndexError> {
        let slices = self.slices(array.shape(), indices.shape());
        let axes = self.indexing.axes(array.ndim(), slices.rank());
        let summed = indexing::Summed { places: &self.summed, slices: &slices };
        indexing::gather_sums(&axes, self.out_of_bounds.beyond(), array, indices, summed, sums)
            .map_err(|refused| self.indexing.refusal(Gather::NAME, refused, array.shape(), &slices))
    }

    /// The scatter that adds the cotangent's slices.
    fn transposed(&self) -> Scatter {
        Scatter { indexing: self.indexing.clone(), update: Update::Add, out_of_bounds: self.out_of_bounds }
    }
}

impl Rules for Gather {
    const NAME: &'static str = "gather";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        let (array, indices) = (&operands[0], &operands[1]);
        self.indexing.check(array, indices)?;
        if self.sizes.len() != array.rank() {
            return Err(mismatch!("sizes must have {} entries, one an axis, but got {:?}", array.rank(), self.sizes));
        }
        for (axis, (&size, &extent)) in self.sizes.iter().zip(array.shape.iter()).enumerate() {
            let single = self.indexing.collapsed.contains(&axis) || self.indexing.batch[0].contains(&axis);
            if single && size != 1 {
                return Err(mismatch!("sizes must be 1 along the collapsed or batch axis {axis}, but got {size}"));
            }
            // Along batch axes without elements there is no slice.
            if size > extent && !self.indexing.batch[0].contains(&axis) && has_places(indices) {
                return Err(mismatch!("a slice that extends over {size} does not fit axis {axis} of extent {extent}"));
            }
        }
        let slices = Type::new(array.dtype, self.slices(&array.shape, &indices.shape));
        self.check_summed(&slices)?;
        let sums = slices.shape.without(&self.summed_axes(slices.rank()));
        Ok(smallvec::smallvec![Type::new(array.dtype, sums)])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::General(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        match self.out_of_bounds {
            OutOfBounds::Error => Lowering::Checked(self),
            OutOfBounds::Clamp | OutOfBounds::Drop => Lowering::Library(self),
        }
    }

    fn doc() -> Doc {
        Doc {
            summary: "slices of x that begin where indices say, or their sums",
            derivative: "the cotangent's slices added where they came from, in the order of the indices",
            accuracy: "exact; sums are those of reduce_sum",
        }
    }

    fn examples() -> Examples {
        let rows = |axis, rank, axes, sizes: &[usize], out_of_bounds| -> Op {
            gather(Indexing::rows(axis, rank, axes), sizes, out_of_bounds).into()
        };
        let sums = |axis, rank, axes, sizes: &[usize], out_of_bounds, summed: &[usize]| -> Op {
            let gather = gather(Indexing::rows(axis, rank, axes), sizes, out_of_bounds);
            Gather { summed: summed.into(), ..gather }.into()
        };
        let x = || literal([3, 2], [0.0, 1.0, 10.0, 11.0, 20.0, 21.0]);
        let answer = |op: Op, x: Array, i: Array, y: Array| Answer {
            op,
            operands: vec![x, i],
            results: vec![y],
            ulps: 0,
            regions: vec![],
        };
        let (error, clamp, drop) = (OutOfBounds::Error, OutOfBounds::Clamp, OutOfBounds::Drop);
        let window = Indexing { window: vec![1], collapsed: vec![1], batch: [vec![], vec![]], map: vec![0, 1] };
        let window = |out_of_bounds| -> Op { gather(window.clone(), &[2, 1], out_of_bounds).into() };
        let along = Indexing { window: vec![], collapsed: vec![1], batch: [vec![0], vec![0]], map: vec![1] };
        let along = |out_of_bounds| -> Op { gather(along.clone(), &[1, 1], out_of_bounds).into() };
        let outside = || literal([3, 1], [-1i64, 9, 1]);
        let answers = vec![
            answer(
                rows(0, 2, 1, &[1, 2], error),
                x(),
                literal([3, 1], [2i64, 0, 2]),
                literal([3, 2], [20.0, 21.0, 0.0, 1.0, 20.0, 21.0]),
            ),
            answer(rows(1, 2, 1, &[3, 1], error), x(), literal([1, 1], [1i64]), literal([3, 1], [1.0, 11.0, 21.0])),
            answer(rows(0, 2, 1, &[1, 2], clamp), x(), outside(), literal([3, 2], [0.0, 1.0, 20.0, 21.0, 10.0, 11.0])),
            answer(rows(0, 2, 1, &[1, 2], drop), x(), outside(), literal([3, 2], [0.0, 0.0, 0.0, 0.0, 10.0, 11.0])),
            answer(
                sums(0, 2, 2, &[1, 2], error, &[1]),
                x(),
                literal([2, 2, 1], [2i64, 0, 1, 1]),
                literal([2, 2], [20.0, 22.0, 20.0, 22.0]),
            ),
            answer(sums(0, 2, 1, &[1, 2], drop, &[0]), x(), outside(), literal([2], [10.0, 11.0])),
            answer(
                sums(0, 2, 2, &[1, 2], error, &[0]),
                x(),
                literal([0, 1, 1], Vec::<i64>::new()),
                literal([1, 2], [0.0, 0.0]),
            ),
            answer(window(error), x(), literal([2, 2], [1i64, 1, 0, 0]), literal([2, 2], [11.0, 21.0, 0.0, 10.0])),
            answer(window(clamp), x(), literal([1, 2], [i64::MAX, i64::MIN]), literal([1, 2], [10.0, 20.0])),
            answer(along(error), x(), literal([3, 1], [1i64, 0, 1]), literal([3], [1.0, 10.0, 21.0])),
            answer(
                rows(0, 1, 1, &[1], error),
                literal([2], [true, false]),
                literal([0, 1], Vec::<i64>::new()),
                literal([0], Vec::<bool>::new()),
            ),
        ];
        let index = |shape: &[usize], limit: f64| (Type::new(DType::I64, shape), (0.0, limit));
        let sample = |dtype: DType| {
            let array = |shape: &[usize]| (Type::new(dtype, shape), (-2.0, 2.0));
            [
                (rows(0, 3, 1, &[1, 3, 5], error), vec![array(&[4, 3, 5]), index(&[6, 1], 4.0)]),
                (rows(1, 3, 2, &[4, 1, 5], error), vec![array(&[4, 3, 5]), index(&[2, 6, 1], 3.0)]),
                (window(error), vec![array(&[4, 3]), index(&[5, 2], 3.0)]),
                (window(clamp), vec![array(&[4, 3]), (Type::new(DType::I64, [5, 2]), (-2.0, 6.0))]),
                (along(error), vec![array(&[4, 3]), index(&[4, 1], 3.0)]),
                (along(drop), vec![array(&[4, 3]), (Type::new(DType::I64, [4, 1]), (-2.0, 6.0))]),
                (rows(0, 1, 0, &[1], error), vec![array(&[7]), index(&[1], 7.0)]),
            ]
            .map(|(op, operands)| Sample { op, operands, regions: vec![] })
        };
        // Sums of one block of terms and of several, of lines that take registers and of single elements.
        let summed = |dtype: DType| {
            let array = |shape: &[usize]| (Type::new(dtype, shape), (-2.0, 2.0));
            let outside = |shape: &[usize]| (Type::new(DType::I64, shape), (-2.0, 6.0));
            [
                (sums(0, 2, 2, &[1, 43], error, &[1]), vec![array(&[4, 43]), index(&[3, 10, 1], 4.0)]),
                (sums(0, 2, 2, &[1, 3], error, &[0]), vec![array(&[4, 3]), index(&[70, 2, 1], 4.0)]),
                (sums(0, 3, 3, &[1, 2, 3], drop, &[0, 2]), vec![array(&[4, 2, 3]), outside(&[3, 2, 13, 1])]),
            ]
            .map(|(op, operands)| Sample { op, operands, regions: vec![] })
        };
        let samples = DType::ALL.into_iter().flat_map(sample);
        let samples = samples.chain([DType::F64, DType::F32, DType::I64].into_iter().flat_map(summed)).collect();
        Examples { answers, samples }
    }
}

fn gather(indexing: Indexing, sizes: &[usize], out_of_bounds: OutOfBounds) -> Gather {
    Gather { indexing, sizes: sizes.into(), out_of_bounds, summed: vec![] }
}

/// Whether there are any slices.
fn has_places(indices: &Type) -> bool {
    !indices.shape[..indices.rank() - 1].contains(&0)
}

impl Checked for Gather {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) -> Result<(), IndexError> {
        self.copy(operands, results)
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        let terms = self.summed.iter().map(|&axis| operands[1].shape[axis]);
        if self.summed.is_empty() { 0 } else { terms.fold(result.size(), usize::saturating_mul) }
    }
}

impl Library for Gather {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        self.copy(operands, results).unwrap_or_else(|error| panic!("bug: evaluated where it must not fail: {error}"));
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        Checked::flops(self, operands, result)
    }
}

impl General for Gather {
    fn jvp(&self, x: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        vec![t[0].map(|t| apply(self.clone(), &[t, x[1]]))]
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let slices = self.slices(&x[0].shape(), &x[1].shape());
        let transpose = |ct: Var| {
            let ct = if self.summed.is_empty() { ct } else { self.to_slices(ct, slices.clone()) };
            apply(self.transposed(), &[Var::zeros(x[0].ty()), x[1], ct])
        };
        vec![ct[0].filter(|_| wanted[0]).map(transpose), None]
    }
}

impl Gather {
    /// Sums, repeated along the axes of the slices over which they are.
    #[track_caller]
    fn to_slices(&self, sums: Var, slices: Shape) -> Var {
        let summed = self.summed_axes(slices.rank());
        let axes = (0..slices.rank()).filter(|axis| !summed.contains(axis)).collect();
        apply(BroadcastInDim { shape: slices, axes }, &[sums])
    }
}

impl Batch for Gather {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        let (array, indices) = (x[0].has_rows, x[1].has_rows);
        let sizes = match (array, indices) {
            (true, true) => led(1, &self.sizes),
            (true, false) => led(n, &self.sizes),
            (false, _) => self.sizes.clone(),
        };
        let indexing = self.indexing.with_rows(array, indices);
        let summed = if indices { shifted(&self.summed) } else { self.summed.clone() };
        let out_of_bounds = self.out_of_bounds;
        apply(Gather { indexing, sizes, out_of_bounds, summed }, &[x[0].var, x[1].var])
    }
}

/// How an element of a slice is combined with one of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// It replaces it; the last one stays.
    Set,
    /// They are added; integers wrap.
    Add,
    /// They are multiplied; integers wrap.
    Mul,
    /// The smaller; NaN if either is.
    Min,
    /// The larger; NaN if either is.
    Max,
}

/// An array with slices combined into it that begin where indices say.
///
/// Operands: the array; the indices, `i64[…, k]`; the slices, which have the axes of a slice at `indexing.window`, and
/// those of the indices, but for the last, at the others. Slices are combined one after the other, in row-major order of
/// the indices, so bits never depend on the machine.
///
/// # Constraints
/// (C1) Array and slices have one dtype, numeric unless `update` is `Set`. (C2) The axes of `indexing` fit the operands;
/// see [`Indexing`]. (C3) Slices have the extents of the indices, and none above that of the array.
///
/// # Errors
/// With `OutOfBounds::Error`, the call ends in an [`IndexError`] where a slice does not lie within the array.
///
/// # Derivative
/// `Set` passes the cotangent to what stays, `Add` to all. `Min` and `Max` share it evenly among ties, the array's element
/// included; a NaN gets NaN. That of `Mul` is the product of all other factors, exact where some are zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scatter {
    /// How indices address slices.
    pub indexing: Indexing,
    /// How elements are combined.
    pub update: Update,
    /// What happens to a slice that does not lie within the array.
    pub out_of_bounds: OutOfBounds,
}

impl Scatter {
    fn with(&self, update: Update) -> Scatter {
        Scatter { update, ..self.clone() }
    }

    /// The gather that reads what the slices meet, given the types of array and slices.
    fn gather(&self, array: &Type, slices: &Type) -> Gather {
        let axes = self.indexing.axes(array.rank(), slices.rank());
        let mut sizes = vec![1; array.rank()];
        for &(axis, slice) in &axes.window {
            sizes[axis] = slices.shape[slice];
        }
        gather(self.indexing.clone(), &sizes, self.out_of_bounds)
    }

    fn combine_typed<T: Copy>(
        &self,
        array: &mut ArrayViewMutD<'_, T>,
        indices: &ArrayViewD<'_, i64>,
        slices: &ArrayViewD<'_, T>,
        combine: impl Fn(T, T) -> T + Copy,
    ) -> Result<(), IndexError> {
        let axes = self.indexing.axes(array.ndim(), slices.ndim());
        indexing::scatter(&axes, self.out_of_bounds.beyond(), array, indices, slices, combine)
            .map_err(|refused| self.indexing.refusal(Scatter::NAME, refused, array.shape(), slices.shape()))
    }

    fn write(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) -> Result<(), IndexError> {
        let (dtype, indices) = (operands[0].dtype(), operands[1].typed::<i64>());
        if self.update == Update::Set {
            return with_element!(dtype, T => {
                let (array, slices) = (results[0].typed::<T>(), operands[2].typed::<T>());
                copy_array(operands[0].typed::<T>(), array);
                self.combine_typed(array, indices, slices, |_, slice| slice)
            });
        }
        with_number!(dtype, T => {
            let (array, slices) = (results[0].typed::<T>(), operands[2].typed::<T>());
            copy_array(operands[0].typed::<T>(), array);
            match self.update {
                Update::Set => unreachable!("bug: handled above"),
                Update::Add => self.combine_typed(array, indices, slices, T::plus),
                Update::Mul => self.combine_typed(array, indices, slices, T::times),
                Update::Min => self.combine_typed(array, indices, slices, Extreme::lesser),
                Update::Max => self.combine_typed(array, indices, slices, Extreme::greater),
            }
        })
    }
}

/// Numbers with a smaller and a larger of two.
trait Extreme {
    fn lesser(self, y: Self) -> Self;
    fn greater(self, y: Self) -> Self;
}

macro_rules! extreme_of_floats {
    ($($float:ty),*) => {$(
        impl Extreme for $float {
            fn lesser(self, y: $float) -> $float {
                minimum!(self, y)
            }

            fn greater(self, y: $float) -> $float {
                maximum!(self, y)
            }
        }
    )*};
}
extreme_of_floats!(f64, f32);

impl Extreme for i64 {
    fn lesser(self, y: i64) -> i64 {
        self.min(y)
    }

    fn greater(self, y: i64) -> i64 {
        self.max(y)
    }
}

/// Copies an array; one that repeats a number, as zeros do, by filling.
fn copy_array<T: Element>(from: &ArrayViewD<'_, T>, to: &mut ArrayViewMutD<'_, T>) {
    match from.first() {
        Some(&number) if from.strides().iter().all(|&stride| stride == 0) => to.fill(number),
        _ => to.assign(from),
    }
}

impl Rules for Scatter {
    const NAME: &'static str = "scatter";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 3)?;
        let (array, indices, slices) = (&operands[0], &operands[1], &operands[2]);
        let numeric = |dtype: DType| self.update == Update::Set || dtype != DType::Bool;
        same_dtype(&[array.dtype, slices.dtype], numeric, "numbers")?;
        self.indexing.check(array, indices)?;
        if slices.rank() != self.indexing.window.len() + indices.rank() - 1 {
            return Err(mismatch!(
                "slices must have {} axes, but got {slices}",
                self.indexing.window.len() + indices.rank() - 1
            ));
        }
        let axes = self.indexing.axes(array.rank(), slices.rank());
        for (place, &axis) in axes.places.iter().enumerate() {
            if slices.shape[axis] != indices.shape[place] {
                return Err(mismatch!(
                    "axis {axis} of the slices must have extent {}, as axis {place} of the indices, but got {slices}",
                    indices.shape[place]
                ));
            }
        }
        for &(axis, slice) in &axes.window {
            if slices.shape[slice] > array.shape[axis] {
                return Err(mismatch!("slices of {slices} do not fit axis {axis} of {array}"));
            }
        }
        let empty = self.indexing.collapsed.iter().find(|&&axis| array.shape[axis] == 0);
        if let Some(axis) = empty.filter(|_| has_places(indices)) {
            return Err(mismatch!("a slice that extends over 1 does not fit axis {axis} of extent 0"));
        }
        Ok(smallvec::smallvec![array.clone()])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::General(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        match self.out_of_bounds {
            OutOfBounds::Error => Lowering::Checked(self),
            OutOfBounds::Clamp | OutOfBounds::Drop => Lowering::Library(self),
        }
    }

    fn doc() -> Doc {
        Doc {
            summary: "x with slices set, added, multiplied, or their smaller or larger taken where indices say",
            derivative: "the cotangent's slices; of min and max shared evenly among ties; of products times the other factors",
            accuracy: "combined in the order of the indices; integers wrap",
        }
    }

    fn examples() -> Examples {
        let rows = |update, out_of_bounds| -> Op {
            Scatter { indexing: Indexing::rows(0, 1, 1), update, out_of_bounds }.into()
        };
        let (error, clamp, drop) = (OutOfBounds::Error, OutOfBounds::Clamp, OutOfBounds::Drop);
        let answer = |op: Op, index: [i64; 3], y: [f64; 3]| Answer {
            op,
            operands: vec![literal([3], [1.0, 2.0, -3.0]), literal([3, 1], index), literal([3], [10.0, -20.0, 30.0])],
            results: vec![literal([3], y)],
            ulps: 0,
            regions: vec![],
        };
        let answers = vec![
            answer(rows(Update::Set, error), [2, 0, 2], [-20.0, 2.0, 30.0]),
            answer(rows(Update::Add, error), [2, 0, 2], [-19.0, 2.0, 37.0]),
            answer(rows(Update::Mul, error), [2, 0, 2], [-20.0, 2.0, -900.0]),
            answer(rows(Update::Min, error), [2, 0, 2], [-20.0, 2.0, -3.0]),
            answer(rows(Update::Max, error), [2, 0, 2], [1.0, 2.0, 30.0]),
            answer(rows(Update::Add, clamp), [-1, 7, 1], [11.0, 32.0, -23.0]),
            answer(rows(Update::Set, drop), [-1, i64::MIN, 1], [1.0, 30.0, -3.0]),
        ];
        let all = [Update::Set, Update::Add, Update::Mul, Update::Min, Update::Max];
        let window = Indexing { window: vec![1], collapsed: vec![1], batch: [vec![], vec![]], map: vec![0, 1] };
        let along = Indexing { window: vec![], collapsed: vec![1], batch: [vec![0], vec![0]], map: vec![1] };
        let index = |shape: &[usize], low: f64, high: f64| (Type::new(DType::I64, shape), (low, high));
        let sample = |dtype: DType, update: Update| {
            let array = |shape: &[usize]| (Type::new(dtype, shape), (-2.0, 2.0));
            let op = |indexing: &Indexing, out_of_bounds| -> Op {
                Scatter { indexing: indexing.clone(), update, out_of_bounds }.into()
            };
            // An extreme is smooth only where elements lie well apart.
            [
                (op(&Indexing::rows(0, 2, 1), error), vec![array(&[4, 2]), index(&[3, 1], 0.0, 4.0), array(&[3, 2])]),
                (op(&window, clamp), vec![array(&[4, 3]), index(&[5, 2], -2.0, 6.0), array(&[5, 2])]),
                (op(&along, drop), vec![array(&[4, 3]), index(&[4, 1], -2.0, 6.0), array(&[4])]),
            ]
            .map(|(op, operands)| Sample { op, operands, regions: vec![] })
        };
        let of_dtype = |dtype: DType| {
            let n_samples = if dtype == DType::F64 { 3 } else { 1 };
            let n_updates = if dtype == DType::Bool { 1 } else { 5 };
            all[..n_updates].iter().flat_map(move |&update| sample(dtype, update).into_iter().take(n_samples))
        };
        Examples { answers, samples: DType::ALL.into_iter().flat_map(of_dtype).collect() }
    }
}

impl Checked for Scatter {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) -> Result<(), IndexError> {
        self.write(operands, results)
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        if self.update == Update::Set { 0 } else { operands[2].size() }
    }
}

impl Library for Scatter {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        self.write(operands, results).unwrap_or_else(|error| panic!("bug: evaluated where it must not fail: {error}"));
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        Checked::flops(self, operands, result)
    }
}

impl General for Scatter {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let (array, slices) = (t[0], t[2]);
        if array.is_none() && slices.is_none() {
            return vec![None];
        }
        let linear = |update: Update, array: Option<Var>, slices: Option<Var>| {
            let array = array.unwrap_or_else(|| Var::zeros(x[0].ty()));
            let slices = slices.unwrap_or_else(|| Var::zeros(x[2].ty()));
            apply(self.with(update), &[array, x[1], slices])
        };
        vec![Some(match self.update {
            Update::Set | Update::Add => linear(self.update, array, slices),
            Update::Mul => {
                let by_array = array.map(|t| strong_product(t, self.product(x), Strong::Lhs));
                let terms = slices.map(|t| strong_product(t, self.other_factors(x), Strong::Lhs));
                match terms {
                    Some(terms) => linear(Update::Add, by_array, Some(terms)),
                    None => by_array.expect("bug: handled above"),
                }
            }
            Update::Min | Update::Max => {
                let ties = self.ties(x, y[0]);
                linear(Update::Add, array.map(|t| ties.pass(0, t)), slices.map(|t| ties.pass(1, t))) / ties.number
            }
        })]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None; 3] };
        let read = |ct: Var| apply(self.gather(&x[0].ty(), &x[2].ty()), &[ct, x[1]]);
        let (array, slices): (Option<Var>, Option<Var>) = match self.update {
            Update::Add => (Some(ct), wanted[2].then(|| read(ct))),
            Update::Set => {
                let rest = || apply(self.clone(), &[ct, x[1], Var::zeros(x[2].ty())]);
                (wanted[0].then(rest), wanted[2].then(|| self.staying(x).select(read(ct), Var::zeros(x[2].ty()))))
            }
            Update::Mul => (
                wanted[0].then(|| strong_product(ct, self.product(x), Strong::Lhs)),
                wanted[2].then(|| strong_product(read(ct), self.other_factors(x), Strong::Lhs)),
            ),
            Update::Min | Update::Max => {
                let ties = self.ties(x, y[0]);
                let ct = ct / ties.number;
                (wanted[0].then(|| ties.pass(0, ct)), wanted[2].then(|| ties.pass(1, read(ct))))
            }
        };
        vec![array.filter(|_| wanted[0]), None, slices]
    }
}

/// Which elements equal an extreme. Slices that are dropped are read as 0, and so contribute nothing.
struct Ties {
    /// Those of the array, and those of the slices.
    masks: [Var; 2],
    /// Their number, for each element of the result; 1 where there are none.
    number: Var,
    /// The derivative by other elements: 0, and NaN where the result is NaN, which equals no element; for the array, and
    /// for the slices.
    lost: [Var; 2],
}

impl Ties {
    fn pass(&self, side: usize, t: Var) -> Var {
        self.masks[side].select(t, strong_product(t, self.lost[side], Strong::Lhs))
    }
}

impl Scatter {
    fn ties(&self, x: &[Var], y: Var) -> Ties {
        let read = |y: Var| apply(self.gather(&x[0].ty(), &x[2].ty()), &[y, x[1]]);
        let masks = [x[0].equal(y), x[2].equal(read(y))];
        let ones = |side: usize| masks[side].select(x[2 * side].full_like(1.0), x[2 * side].full_like(0.0));
        let number = apply(self.with(Update::Add), &[ones(0), x[1], ones(1)]);
        let none = number.equal(0);
        let lost = none.select(number.full_like(f64::NAN), number.full_like(0.0));
        Ties { masks, number: none.select(number.full_like(1.0), number), lost: [lost, read(lost)] }
    }

    /// The product of all that an element of the array is multiplied with.
    fn product(&self, x: &[Var]) -> Var {
        apply(self.clone(), &[Var::ones(x[0].ty()), x[1], x[2]])
    }

    /// For each element of the slices the product of all others that meet it, the array's included: products of those
    /// before it times those after it, so zeros are exact in derivatives of any order.
    fn other_factors(&self, x: &[Var]) -> Var {
        let (array, slices) = (x[0].ty(), x[2].ty());
        let read = |x: Var, indices: Var| apply(self.gather(&array, &slices), &[x, indices]);
        let n = slices.size();
        let numbers = Var::iota(&[array.size()], 0, DType::I64).reshape(&array.shape);
        // What is dropped is read as number 0, and must not meet the element of that number.
        let place = read(numbers + 1, x[1]).reshape(&[n]);
        let order = place.argsort(0);
        let sorted = |x: Var| x.take_along_axis(order, 0);
        let (place, factors) = (sorted(place), sorted(x[2].reshape(&[n])));
        let before = products_before(factors, place);
        let after = products_before(factors.reverse(&[0]), place.reverse(&[0])).reverse(&[0]);
        let others = Var::zeros(factors.ty()).along(order, 0).clamp().set(before * after);
        read(x[0], x[1]) * others.reshape(&slices.shape)
    }

    /// Which elements of slices are not replaced by later ones.
    fn staying(&self, x: &[Var]) -> Var {
        let slices = x[2].ty();
        let numbers = Var::iota(&[slices.size()], 0, DType::I64).reshape(&slices.shape);
        let none = Var::zeros(x[0].ty().with_dtype(DType::I64));
        let winners = apply(self.clone(), &[none, x[1], numbers]);
        let winner = apply(self.gather(&x[0].ty(), &slices), &[winners, x[1]]);
        winner.equal(numbers)
    }
}

/// For each factor the product of those before it of the same group; groups stand together.
fn products_before(factors: Var, group: Var) -> Var {
    let n = factors.ty().size();
    let shifted = |x: Var, by: usize, with: Var| {
        let head = with.broadcast_to(&[by]);
        Var::concatenate(&[head, x.slice(0, ..n - by)], 0)
    };
    let number = |x: Var, value: i64| Var::from(value).convert(x.dtype());
    if n == 0 {
        return factors;
    }
    let same = |by: usize| shifted(group, by, Var::from(-1i64)).equal(group);
    let mut products = same(1).select(shifted(factors, 1, number(factors, 1)), number(factors, 1).broadcast_to(&[n]));
    let mut by = 1;
    while by < n {
        let earlier = shifted(products, by, number(factors, 1));
        products = same(by).select(products * earlier, products);
        by *= 2;
    }
    products
}

impl Batch for Scatter {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        let indices = x[1].has_rows;
        let indexing = self.indexing.with_rows(true, indices);
        apply(Scatter { indexing, ..*self }, &[x[0].rows(n), x[1].var, x[2].rows(n)])
    }
}
