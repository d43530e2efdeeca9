//! The order of elements along an axis.

use ndarray::{ArrayViewD, ArrayViewMutD, Axis};
use serde::{Deserialize, Serialize};

use super::rules::{
    Answer, Batch, Batched, Batching, Derivative, Doc, Examples, Library, Lowering, Rules, Sample, eval_library,
    literal,
};
use super::shape::check_axis;
use super::trace::{self, apply};
use super::{Op, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::order::{self, Ordered};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type, with_element};

/// Indices along an axis of the elements of given ranks: those by which a gather sorts, or selects.
///
/// Operands: keys of one shape, of any dtypes. Elements are compared by the first key, where these are equal by the
/// second, and so on; equal elements keep their order, and -0 equals 0. A NaN comes last, in either direction. The result
/// has the indices of the elements of the first range of ranks, then of the second, and so on.
///
/// Few ranks are selected, in time linear in the extent.
///
/// # Constraints
/// (C1) There is at least one key; all have one shape. (C2) `axis` lies below the rank. (C3) Ranges lie within the extent.
///
/// # Derivative
/// None: an index is no number that changes smoothly.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgSort {
    /// The axis along which elements are compared.
    pub axis: usize,
    /// Whether the greatest element has rank 0.
    pub descending: bool,
    /// The ranks: for each range its first, and the one before which it ends.
    pub ranks: Vec<[usize; 2]>,
}

impl ArgSort {
    fn extent(&self) -> Option<usize> {
        self.ranks.iter().try_fold(0usize, |sum, [start, limit]| sum.checked_add(limit - start))
    }
}

impl Rules for ArgSort {
    const NAME: &'static str = "argsort";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let Some(x) = operands.first() else { return Err(mismatch!("takes at least one key, but got none")) };
        if let Some(other) = operands.iter().find(|ty| ty.shape != x.shape) {
            return Err(mismatch!("keys must have equal shapes, but got {x} and {other}"));
        }
        let Some(&extent) = x.shape.get(self.axis) else {
            return Err(mismatch!("axis must lie below the rank {}, but got {}", x.rank(), self.axis));
        };
        if let Some([start, limit]) = self.ranks.iter().find(|[start, limit]| start > limit || *limit > extent) {
            return Err(mismatch!("ranks must lie within 0..{extent}, but got {start}..{limit}"));
        }
        let mut extents = x.shape.to_vec();
        extents[self.axis] = self.extent().ok_or_else(|| mismatch!("there are too many ranks to be counted"))?;
        Ok(smallvec::smallvec![Type::new(DType::I64, extents)])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Zero
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Library(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "indices of the elements of given ranks along an axis, as i64; stable, a NaN comes last",
            derivative: "none",
            accuracy: "exact",
        }
    }

    fn examples() -> Examples {
        let sort =
            |axis, descending, ranks: &[[usize; 2]]| -> Op { ArgSort { axis, descending, ranks: ranks.into() }.into() };
        let answer =
            |op, x: Vec<Array>, y: Array| Answer { op, operands: x, results: vec![y], ulps: 0, regions: vec![] };
        let nan = f64::NAN;
        let x = || literal([6], [2.0, nan, -0.0, f64::INFINITY, 0.0, -1.0]);
        let ties = || literal([4], [1i64, 0, 1, 0]);
        let answers = vec![
            answer(sort(0, false, &[[0, 6]]), vec![x()], literal([6], [5i64, 2, 4, 0, 3, 1])),
            answer(sort(0, true, &[[0, 6]]), vec![x()], literal([6], [3i64, 0, 2, 4, 5, 1])),
            answer(sort(0, false, &[[2, 3]]), vec![x()], literal([1], [4i64])),
            answer(sort(0, true, &[[1, 2], [0, 1]]), vec![x()], literal([2], [0i64, 3])),
            answer(
                sort(0, false, &[[0, 4]]),
                vec![ties(), literal([4], [0.5, 9.0, -0.5, 8.0])],
                literal([4], [3i64, 1, 2, 0]),
            ),
            answer(sort(0, false, &[[0, 2]]), vec![literal([2], [true, false])], literal([2], [1i64, 0])),
            answer(
                sort(1, false, &[[0, 2]]),
                vec![literal([2, 2], [2.0f32, 1.0, 3.0, 4.0])],
                literal([2, 2], [1i64, 0, 0, 1]),
            ),
            answer(sort(0, false, &[[0, 2]]), vec![literal([2], [i64::MAX, i64::MIN])], literal([2], [1i64, 0])),
        ];
        let sample = |dtype: DType| {
            let key = |dtype: DType| (Type::new(dtype, [4, 9, 5]), (-2.0, 2.0));
            [
                (sort(0, false, &[[0, 4]]), vec![key(dtype)]),
                (sort(1, true, &[[0, 9]]), vec![key(dtype)]),
                (sort(1, false, &[[1, 3], [8, 9]]), vec![key(dtype)]),
                (sort(2, false, &[[0, 5]]), vec![key(DType::Bool), key(dtype)]),
            ]
            .map(|(op, operands)| Sample { op, operands, regions: vec![] })
        };
        Examples { answers, samples: DType::ALL.into_iter().flat_map(sample).collect() }
    }
}

impl Library for ArgSort {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        if let [operand] = operands {
            return with_element!(operand.dtype(), T => self.run_on::<T>(operand.typed(), results[0].typed()));
        }
        let mut lanes: Vec<_> = operands.iter().map(|operand| self.keys(operand)).collect();
        let mut keys: Vec<Vec<u64>> = vec![Vec::with_capacity(operands[0].shape()[self.axis]); operands.len()];
        for mut indices in results[0].typed::<i64>().lanes_mut(Axis(self.axis)) {
            for (next, keys) in lanes.iter_mut().zip(&mut keys) {
                next(keys);
            }
            let mut places = indices.iter_mut();
            order::argsort_by_keys(&keys, &self.ranks, |index| {
                *places.next().expect("bug: more ranks than places") = index as i64;
            });
        }
    }

    fn flops(&self, _: &[&Type], _: &Type) -> usize {
        0
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        // Keys, a copy in which one is selected, and keys with indices.
        let per_element = (operands.len() + 3) * size_of::<u64>();
        operands[0].shape[self.axis].saturating_mul(per_element)
    }
}

impl ArgSort {
    /// By one key, which is looked at where it lies.
    fn run_on<T: Ordered>(&self, operand: &ArrayViewD<'_, T>, result: &mut ArrayViewMutD<'_, i64>) {
        let axis = Axis(self.axis);
        let mut copy = Vec::new();
        for (lane, mut indices) in operand.lanes(axis).into_iter().zip(result.lanes_mut(axis)) {
            let elements = lane.to_slice().unwrap_or_else(|| {
                copy.clear();
                copy.extend(lane.iter().copied());
                &copy
            });
            let mut places = indices.iter_mut();
            order::argsort(elements, self.descending, &self.ranks, |index| {
                *places.next().expect("bug: more ranks than places") = index as i64;
            });
        }
    }

    /// What replaces the keys of one lane of an operand by those of the next.
    fn keys<'a>(&self, operand: &'a ArrayRef<'_>) -> Box<dyn FnMut(&mut Vec<u64>) + 'a> {
        let descending = self.descending;
        with_element!(operand.dtype(), T => {
            let mut lanes = operand.typed::<T>().lanes(Axis(self.axis)).into_iter();
            Box::new(move |keys| {
                keys.clear();
                let lane = lanes.next().expect("bug: operands of two shapes");
                keys.extend(lane.iter().map(|x| x.key(descending)));
            })
        })
    }
}

impl Batch for ArgSort {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        let keys: Vec<Var> = x.iter().map(|x| x.rows(n)).collect();
        apply(ArgSort { axis: self.axis + 1, ..self.clone() }, &keys)
    }
}

impl Var {
    /// The indices of the elements of given ranks along an axis.
    #[track_caller]
    pub(super) fn order(self, axis: usize, descending: bool, ranks: &[[usize; 2]]) -> Var {
        apply(ArgSort { axis, descending, ranks: ranks.into() }, &[self])
    }

    /// The indices by which the elements along an axis ascend, as `i64`; see [`ArgSort`].
    ///
    /// Takes any dtype. Equal elements, as -0 and 0, keep their order, and NaNs come last. An axis that does not exist is
    /// an error. The result carries no derivative.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let i: Array1<i64> = jit(|x: Var| x.argsort(0)).call(array![3.0, f64::NAN, 1.0])?;
    /// assert_eq!(i, array![2i64, 0, 1]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn argsort(self, axis: usize) -> Var {
        self.whole_order("argsort", axis, false)
    }

    /// The indices by which the elements along an axis descend. Equal ones keep their order, and NaNs come last, as in
    /// [`Var::argsort`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let i: Array1<i64> = jit(|x: Var| x.argsort_descending(0)).call(array![3.0, f64::NAN, 1.0])?;
    /// assert_eq!(i, array![0i64, 2, 1]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn argsort_descending(self, axis: usize) -> Var {
        self.whole_order("argsort_descending", axis, true)
    }

    /// The elements along an axis in ascending order, NaNs last; see [`Var::argsort`].
    ///
    /// The derivative goes back to where each element came from: of equal ones the first in the operand is the first in
    /// the result.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, grad, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.sort(0)).call(array![3.0, 1.0, 2.0])?;
    /// assert_eq!(y, array![1.0, 2.0, 3.0]);
    /// let slope: Array1<f64> = jit(grad(|x: Var| x.sort(0).at(0))).call(array![3.0, 1.0, 2.0])?;
    /// assert_eq!(slope, array![0.0, 1.0, 0.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sort(self, axis: usize) -> Var {
        self.ordered(self.whole_order("sort", axis, false), axis)
    }

    /// The elements along an axis in descending order, NaNs last; otherwise as [`Var::sort`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.sort_descending(0)).call(array![3.0, 1.0, 2.0])?;
    /// assert_eq!(y, array![3.0, 2.0, 1.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_descending(self, axis: usize) -> Var {
        self.ordered(self.whole_order("sort_descending", axis, true), axis)
    }

    /// Arrays in the order in which keys ascend along an axis: by the first key, where that is equal by the second, and so
    /// on; elements with equal keys keep their order, and a NaN comes last. All have one shape. There must be a key.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|age: Var, name: Var| Var::sort_by_keys(&[age], &[name], 0)[0]);
    /// assert_eq!(f.call::<Array1<f64>>(array![3i64, 1, 2], array![0.3, 0.1, 0.2])?, array![0.1, 0.2, 0.3]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by_keys(keys: &[Var], values: &[Var], axis: usize) -> Vec<Var> {
        let _method = trace::method("sort_by_keys", keys);
        let poisoned = || vec![Var::poisoned(); values.len()];
        let Some(&first) = keys.first() else {
            trace::fail_at("takes at least one key, but got none".to_string());
            return poisoned();
        };
        if keys.iter().chain(values).any(|x| x.is_poisoned()) || !check_axis(first, axis) {
            return poisoned();
        }
        let ranks = vec![[0, first.shape()[axis]]];
        let order = apply(ArgSort { axis, descending: false, ranks }, keys);
        values.iter().map(|x| x.ordered(order, axis)).collect()
    }

    /// The `k` largest elements along an axis in descending order, and their indices as `i64`. NaNs are the last to be
    /// taken, and of equal ones the first is taken first. More than there are is an error.
    ///
    /// They are selected, and only they are sorted.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var| x.top_k(2, 0));
    /// let (y, i): (Array1<f64>, Array1<i64>) = f.call(array![3.0, 1.0, 5.0])?;
    /// assert_eq!((y, i), (array![5.0, 3.0], array![2i64, 0]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn top_k(self, k: usize, axis: usize) -> (Var, Var) {
        let _method = trace::method("top_k", &[self]);
        if self.is_poisoned() || !check_axis(self, axis) {
            return (Var::poisoned(), Var::poisoned());
        }
        let extent = self.shape()[axis];
        if k > extent {
            trace::fail_at(format!("takes at most the {extent} elements along axis {axis}, but got {k}"));
            return (Var::poisoned(), Var::poisoned());
        }
        let indices = self.order(axis, true, &[[0, k]]);
        (self.ordered(indices, axis), indices)
    }

    /// The middle element along an axis, which vanishes, or the mean of the two middle ones. NaN if any element is.
    ///
    /// Takes floating-point numbers. An axis without elements is an error. The derivative is that of the elements that are
    /// taken.
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var| x.median(0));
    /// assert_eq!(f.call::<f64>(array![3.0, 1.0, 2.0])?, 2.0);
    /// assert_eq!(f.call::<f64>(array![3.0, 1.0, 2.0, 9.0])?, 2.5);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn median(self, axis: usize) -> Var {
        let _method = trace::method("median", &[self]);
        self.between(0.5, axis, Quantile::Midpoint)
    }

    /// The `q`-th quantile along an axis, which vanishes, by linear interpolation: [`Var::quantile_by`] with
    /// [`Quantile::Linear`].
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::{Var, jit};
    ///
    /// let y: f64 = jit(|x: Var| x.quantile(0.25, 0)).call(array![3.0, 1.0, 2.0])?;
    /// assert_eq!(y, 1.5);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn quantile(self, q: f64, axis: usize) -> Var {
        let _method = trace::method("quantile", &[self]);
        self.between(q, axis, Quantile::Linear)
    }

    /// The `q`-th percentile along an axis: the quantile of `q / 100`. Otherwise as [`Var::quantile`].
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::{Var, jit};
    ///
    /// let y: f64 = jit(|x: Var| x.percentile(25.0, 0)).call(array![3.0, 1.0, 2.0])?;
    /// assert_eq!(y, 1.5);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn percentile(self, q: f64, axis: usize) -> Var {
        let _method = trace::method("percentile", &[self]);
        self.between(q / 100.0, axis, Quantile::Linear)
    }

    /// The `q`-th quantile along an axis, which vanishes, by one of NumPy's methods. NaN if any element is.
    ///
    /// Takes floating-point numbers. A `q` outside of 0..=1, and an axis without elements, are an error. At most two
    /// elements are selected; the derivative is that of the interpolation between them.
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::op::Quantile;
    /// use retrograd::{Var, jit};
    ///
    /// let y: f64 = jit(|x: Var| x.quantile_by(0.4, 0, Quantile::Higher)).call(array![3.0, 1.0, 2.0])?;
    /// assert_eq!(y, 2.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn quantile_by(self, q: f64, axis: usize, method: Quantile) -> Var {
        let _method = trace::method("quantile_by", &[self]);
        self.between(q, axis, method)
    }

    /// The ranks of the elements along an axis, from 1, as `scipy.stats.rankdata` gives them, of dtype `f64`. A NaN has the
    /// greatest rank. The result carries no derivative.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::op::Ties;
    /// use retrograd::{Var, jit};
    ///
    /// let f = |ties| jit(move |x: Var| x.ranks(0, ties)).call::<Array1<f64>>(array![2.0, 1.0, 2.0]);
    /// assert_eq!(f(Ties::Average)?, array![2.5, 1.0, 2.5]);
    /// assert_eq!(f(Ties::Ordinal)?, array![2.0, 1.0, 3.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn ranks(self, axis: usize, ties: Ties) -> Var {
        let _method = trace::method("ranks", &[self]);
        if self.is_poisoned() || !check_axis(self, axis) {
            return Var::poisoned();
        }
        let shape = self.shape();
        let order = self.order(axis, false, &[[0, shape[axis]]]);
        let places = Var::iota(&shape, axis, DType::I64);
        let back = |x: Var| Var::zeros(x.ty()).along(order, axis).clamp().set(x);
        if ties == Ties::Ordinal {
            return (back(places) + 1).convert(DType::F64);
        }
        // Where a new number begins among the sorted ones.
        let sorted = self.ordered(order, axis);
        let before = sorted.along((places - 1).max(0), axis).clamp().get();
        let begins = sorted.not_equal(before) & !(sorted.is_any_nan() & before.is_any_nan());
        let group = begins.convert(DType::I64).cumsum(axis);
        let sizes = Var::zeros(group.ty()).along(group, axis).clamp().add(Var::from(1i64));
        let of_group = |x: Var| x.along(group, axis).clamp().get();
        let last = of_group(sizes.cumsum(axis));
        let first = last - of_group(sizes) + 1;
        let ranks = match ties {
            Ties::Ordinal => unreachable!("bug: handled above"),
            Ties::Min => first.convert(DType::F64),
            Ties::Max => last.convert(DType::F64),
            Ties::Dense => (group + 1).convert(DType::F64),
            Ties::Average => (first + last).convert(DType::F64) * 0.5,
        };
        back(ranks)
    }

    #[track_caller]
    fn whole_order(self, name: &'static str, axis: usize, descending: bool) -> Var {
        let _method = trace::method(name, &[self]);
        if self.is_poisoned() || !check_axis(self, axis) {
            return Var::poisoned();
        }
        self.order(axis, descending, &[[0, self.shape()[axis]]])
    }

    /// The elements at indices that an [`ArgSort`] gave, which lie within.
    #[track_caller]
    fn ordered(self, order: Var, axis: usize) -> Var {
        if order.is_poisoned() {
            return order;
        }
        self.along(order, axis).clamp().get()
    }

    /// Where the elements are NaN, which integers never are.
    #[track_caller]
    fn is_any_nan(self) -> Var {
        if self.dtype().is_float() { self.is_nan() } else { Var::zeros(self.ty().with_dtype(DType::Bool)) }
    }

    #[track_caller]
    fn between(self, q: f64, axis: usize, method: Quantile) -> Var {
        if self.is_poisoned() || !check_axis(self, axis) {
            return Var::poisoned();
        }
        let n = self.shape()[axis];
        if !(0.0..=1.0).contains(&q) {
            trace::fail_at(format!("takes a quantile from 0 to 1, but got {q:?}"));
            return Var::poisoned();
        }
        if !self.dtype().is_float() || n == 0 {
            let requirement =
                format!("takes floating-point numbers with elements along axis {axis}, but got {}", self.ty());
            trace::fail_at(requirement);
            return Var::poisoned();
        }
        let Between { low, high, share } = method.place(q, n);
        let ranks = if low == high { vec![[low, low + 1]] } else { vec![[low, low + 1], [high, high + 1]] };
        let chosen = self.ordered(self.order(axis, false, &ranks), axis);
        let at = |place: usize| chosen.index_axis(axis, place);
        let quantile = match ranks.len() {
            1 => at(0),
            _ if share == 0.5 => (at(0) + at(1)) * 0.5,
            // From the nearer end, so that both ends are exact.
            _ if share < 0.5 => at(0) + (at(1) - at(0)) * share,
            _ => at(1) - (at(1) - at(0)) * (1.0 - share),
        };
        self.is_nan().any_axes(&[axis]).select(f64::NAN, quantile)
    }
}

/// How ranks of equal elements are chosen; see [`Var::ranks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// The mean of the ranks that they take.
    Average,
    /// The least of them.
    Min,
    /// The greatest of them.
    Max,
    /// The number of lesser numbers, each counted once, plus 1.
    Dense,
    /// Distinct ranks, in the order in which they stand.
    Ordinal,
}

/// How a quantile is found between two elements: NumPy's methods. Numbers are those of Hyndman and Fan 1996, *Sample
/// quantiles in statistical packages*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// 1: the least element with at least that share of all at or below it.
    InvertedCdf,
    /// 2: as 1, but the mean of two elements where the distribution function jumps.
    AveragedInvertedCdf,
    /// 3: the element nearest to `q·n`, of two equally near ones that of even number.
    ClosestObservation,
    /// 4: linear, `q·n`.
    InterpolatedInvertedCdf,
    /// 5: linear, `q·n + 1/2`.
    Hazen,
    /// 6: linear, `q·(n + 1)`.
    Weibull,
    /// 7: linear, `q·(n - 1) + 1`.
    Linear,
    /// 8: linear, `q·(n + 1/3) + 1/3`.
    MedianUnbiased,
    /// 9: linear, `q·(n + 1/4) + 3/8`.
    NormalUnbiased,
    /// Of the two elements of 7 the lesser.
    Lower,
    /// Of the two elements of 7 the greater.
    Higher,
    /// Of the two elements of 7 the mean.
    Midpoint,
    /// Of the two elements of 7 the nearer, of two equally near ones that of even index.
    Nearest,
}

/// Two elements by their ranks, and where between them.
struct Between {
    low: usize,
    high: usize,
    share: f64,
}

impl Quantile {
    fn place(self, q: f64, n: usize) -> Between {
        let count = n as f64;
        let plotting = |alpha: f64, beta: f64| count * q + (alpha + q * (1.0 - alpha - beta)) - 1.0;
        let linear = (count - 1.0) * q;
        // The element at, or after, an index, unless it is to stay before.
        let jump = |index: f64, stays: &dyn Fn(f64, f64) -> bool| {
            let before = index.floor();
            if stays(index - before, before) { before } else { before + 1.0 }
        };
        let index = match self {
            Quantile::InvertedCdf => jump(count * q - 1.0, &|share, _| share == 0.0),
            Quantile::AveragedInvertedCdf => {
                let index = count * q - 1.0;
                if index == index.floor() { index + 0.5 } else { index.floor() + 1.0 }
            }
            Quantile::ClosestObservation => {
                jump(count * q - 1.5, &|share, before| share == 0.0 && before.rem_euclid(2.0) == 1.0)
            }
            Quantile::InterpolatedInvertedCdf => count * q - 1.0,
            Quantile::Hazen => plotting(0.5, 0.5),
            Quantile::Weibull => plotting(0.0, 0.0),
            Quantile::Linear => linear,
            Quantile::MedianUnbiased => plotting(1.0 / 3.0, 1.0 / 3.0),
            Quantile::NormalUnbiased => plotting(3.0 / 8.0, 3.0 / 8.0),
            Quantile::Lower => linear.floor(),
            Quantile::Higher => linear.ceil(),
            Quantile::Midpoint => (linear.floor() + linear.ceil()) * 0.5,
            Quantile::Nearest => linear.round_ties_even(),
        };
        let index = index.clamp(0.0, count - 1.0);
        let (low, high) = (index.floor(), index.ceil());
        Between { low: low as usize, high: high as usize, share: index - low }
    }
}
