//! Positions in sorted arrays, and interpolation between their elements.

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::rules::{
    Answer, Batch, Batched, Batching, Derivative, Doc, Examples, Library, Lowering, Rules, Sample, eval_library,
    expect_arity, literal, same_dtype,
};
use super::trace::{self, apply};
use super::{Op, Operand, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::order::{self, Ordered};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type, with_element};

/// For each number, how many elements of a sorted array come before it.
///
/// Operands: the sorted elements, `[batch…, n]`; the numbers, `[batch…, …]`. The result has the shape of the numbers.
/// Elements that equal a number count if `right` is set. A NaN counts as greater than any number; what is not sorted
/// gives some number from 0 to n.
///
/// # Constraints
/// (C1) The operands have one dtype. (C2) The sorted elements have `batch_axes + 1` axes, and the numbers at least
/// `batch_axes`, of which the first have equal extents.
///
/// # Derivative
/// None: an index is no number that changes smoothly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchSorted {
    /// Whether equal elements count.
    pub right: bool,
    /// The number of leading axes that run side by side.
    pub batch_axes: usize,
}

impl Rules for SearchSorted {
    const NAME: &'static str = "searchsorted";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        let (sorted, numbers) = (&operands[0], &operands[1]);
        same_dtype(&[sorted.dtype, numbers.dtype], |_| true, "numbers")?;
        let n = self.batch_axes;
        if sorted.rank().checked_sub(1) != Some(n) || numbers.rank() < n || sorted.shape[..n] != numbers.shape[..n] {
            return Err(mismatch!(
                "takes sorted elements with {n} batch axes and one more, and numbers with the same batch axes, but got \
                 {sorted} and {numbers}"
            ));
        }
        Ok(smallvec::smallvec![numbers.with_dtype(DType::I64)])
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
            summary: "how many elements of a sorted array come before each number, as i64",
            derivative: "none",
            accuracy: "exact",
        }
    }

    fn examples() -> Examples {
        let op = |right, batch_axes| -> Op { SearchSorted { right, batch_axes }.into() };
        let answer =
            |op, x: [Array; 2], y: Array| Answer { op, operands: x.into(), results: vec![y], ulps: 0, regions: vec![] };
        let sorted = || literal([4], [-1.0, 0.0, 0.0, 2.0]);
        let numbers = || literal([6], [-2.0, -0.0, 1.0, 2.0, f64::INFINITY, f64::NAN]);
        let answers = vec![
            answer(op(false, 0), [sorted(), numbers()], literal([6], [0i64, 1, 3, 3, 4, 4])),
            answer(op(true, 0), [sorted(), numbers()], literal([6], [0i64, 3, 3, 4, 4, 4])),
            answer(op(false, 1), [literal([2, 2], [1i64, 3, 5, 7]), literal([2], [3i64, 3])], literal([2], [1i64, 0])),
            answer(op(false, 0), [literal::<f64>([0], []), literal([], [3.0])], literal([], [0i64])),
        ];
        let sample = |dtype: DType| {
            let numbers = |shape: &[usize]| (Type::new(dtype, shape), (-2.0, 2.0));
            [
                (op(false, 0), vec![numbers(&[9]), numbers(&[4, 3])]),
                (op(true, 1), vec![numbers(&[4, 9]), numbers(&[4, 3, 5])]),
            ]
            .map(|(op, operands)| Sample { op, operands, regions: vec![] })
        };
        Examples { answers, samples: DType::ALL.into_iter().flat_map(sample).collect() }
    }
}

impl Library for SearchSorted {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_element!(operands[0].dtype(), T => {
            let (sorted, numbers) = (operands[0].typed::<T>(), operands[1].typed::<T>());
            let indices = results[0].typed::<i64>();
            if numbers.is_empty() {
                return;
            }
            let mut counts = indices.view_mut().into_slice().expect("bug: a result in pieces").iter_mut();
            let per_lane = numbers.shape()[self.batch_axes..].iter().product::<usize>();
            let mut numbers = numbers.iter();
            let mut keys: Vec<u64> = Vec::new();
            for sorted in sorted.lanes(Axis(self.batch_axes)) {
                keys.clear();
                keys.extend(sorted.iter().map(|x| x.key(false)));
                for (&x, count) in numbers.by_ref().zip(counts.by_ref()).take(per_lane) {
                    *count = order::search(&keys, x.key(false), self.right) as i64;
                }
            }
        });
    }

    fn flops(&self, _: &[&Type], _: &Type) -> usize {
        0
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        operands[0].shape[self.batch_axes].saturating_mul(size_of::<u64>())
    }
}

impl Batch for SearchSorted {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        // Sorted elements that are the same for all rows are searched for all numbers together.
        if !x[0].has_rows && self.batch_axes == 0 {
            return apply(*self, &[x[0].var, x[1].var]);
        }
        apply(SearchSorted { batch_axes: self.batch_axes + 1, ..*self }, &[x[0].rows(n), x[1].rows(n)])
    }
}

impl Var {
    /// For each number, how many elements of this sorted vector are less than it: where it would be inserted, before equal
    /// ones. See [`SearchSorted`].
    ///
    /// Takes a vector and numbers of the same dtype, of any shape, and gives `i64` of that shape, which carries no
    /// derivative. A NaN counts as greater than any number. The vector must be sorted, which is not checked.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let i: Array1<i64> = jit(|x: Var, t: Var| x.searchsorted(t)).call(array![1.0, 2.0, 4.0], array![0.0, 2.0, 9.0])?;
    /// assert_eq!(i, array![0i64, 1, 3]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn searchsorted(self, numbers: impl Operand) -> Var {
        apply(SearchSorted { right: false, batch_axes: 0 }, &[self, numbers.var(self)])
    }

    /// As [`Var::searchsorted`], after equal ones: how many elements are not greater.
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::{Var, jit};
    ///
    /// let i: i64 = jit(|x: Var| x.searchsorted_right(2.0)).call(array![1.0, 2.0, 2.0, 4.0])?;
    /// assert_eq!(i, 3);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn searchsorted_right(self, numbers: impl Operand) -> Var {
        apply(SearchSorted { right: true, batch_axes: 0 }, &[self, numbers.var(self)])
    }

    /// Linear interpolation between the points of a table, at `self`; beyond its ends, the value there.
    ///
    /// `xs` are at least one sorted points, `ys` the values at them; `self` has any shape. All are of one floating-point
    /// dtype. A NaN gives NaN. The derivative by `self` is the slope of the piece to the right at an inner point, and 0 at
    /// the last one and beyond the ends; those by `xs` and `ys` are exact, too. The bits are those of `numpy.interp`, whose
    /// table must ascend, too: this is not checked. Of equal points the last one counts.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let table = jit(|t: Var, xs: Var, ys: Var| t.interp(xs, ys));
    /// let y: Array1<f64> = table.call(array![-1.0, 0.5, 2.0, 7.0], array![0.0, 1.0, 3.0], array![5.0, 6.0, 2.0])?;
    /// assert_eq!(y, array![5.0, 5.5, 4.0, 2.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn interp(self, xs: Var, ys: Var) -> Var {
        let _method = trace::method("interp", &[self, xs, ys]);
        let (shape, values) = (xs.shape(), ys.shape());
        if shape.rank() != 1 || values != shape || shape[0] == 0 || !self.dtype().is_float() {
            trace::fail_at(format!(
                "takes floating-point numbers, and two vectors of one extent above 0, but got {}, {} and {}",
                self.ty(),
                xs.ty(),
                ys.ty()
            ));
            return Var::poisoned();
        }
        let n = shape[0] as i64;
        let right = xs.searchsorted_right(self);
        let (low, high) = ((right - 1).max(0), right.min(n - 1));
        let [x0, x1] = [low, high].map(|i| xs.at_indices(i, 0).clamp().get());
        let [y0, y1] = [low, high].map(|i| ys.at_indices(i, 0).clamp().get());
        // At the last point and beyond the ends both points are one.
        let flat = low.equal(high);
        let width = flat.select(x1.full_like(1.0), x1 - x0);
        let slope = (y1 - y0) / width;
        // As in NumPy: from the other end where the point to the left is infinite, and the value itself at a point, or where
        // both are equal.
        let [from_left, from_right] = [slope * (self - x0) + y0, slope * (self - x1) + y1];
        let inner = from_left.is_nan().select(from_right, from_left);
        let inner = (inner.is_nan() & (y0.equal(y1) | self.equal(x0))).select(y0, inner);
        self.is_nan().select(self + y0, flat.select(y0, inner))
    }
}
