//! Sums of everything before.

use ndarray::{Axis, Zip};
use serde::{Deserialize, Serialize};

use super::rules::{
    Answer, Batching, Derivative, Doc, Examples, Library, Linear, Lowering, Rules, Sample, eval_library, expect_arity,
    literal, shifted_batch,
};
use super::trace::apply;
use super::{Op, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::linear::{Number, with_number};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// Cumulative sum along an axis: each element with all before it, or with all after it. Integers wrap.
///
/// The sum goes on from one element to the next, beginning with the first, or with the last if `reverse`. So results for
/// elements of one sign never decrease in magnitude, but the error grows with the number of elements, unlike that of
/// [`ReduceSum`](super::ReduceSum).
///
/// # Constraints
/// (C1) `axis` lies below the operand's rank. (C2) The operand is numeric.
///
/// # Derivative
/// Linear. The cotangent is summed from the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CumSum {
    /// The axis along which is summed.
    pub axis: usize,
    /// Whether the sum begins at the end.
    pub reverse: bool,
}

impl Rules for CumSum {
    const NAME: &'static str = "cumsum";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 1)?;
        super::rules::numbers(&[operands[0].dtype])?;
        if self.axis >= operands[0].rank() {
            return Err(mismatch!("axis must lie below the rank {}, but got {}", operands[0].rank(), self.axis));
        }
        Ok(smallvec::smallvec![operands[0].clone()])
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
        Lowering::Library(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "sum of each element of x with all before it, or after it, along an axis",
            derivative: "cumulative sum from the other end",
            accuracy: "one after another, so the error grows as n; integers wrap",
        }
    }

    fn examples() -> Examples {
        let cumsum = |axis, reverse| -> Op { CumSum { axis, reverse }.into() };
        let x = literal([2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let answer = |op, y: [f64; 6]| Answer {
            op,
            operands: vec![x.clone()],
            results: vec![literal([2, 3], y)],
            ulps: 0,
            regions: vec![],
        };
        let answers = vec![
            answer(cumsum(0, false), [1.0, 2.0, 3.0, 5.0, 7.0, 9.0]),
            answer(cumsum(1, false), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]),
            answer(cumsum(1, true), [6.0, 5.0, 3.0, 15.0, 11.0, 6.0]),
            Answer {
                op: cumsum(0, false),
                operands: vec![literal([3], [-0.0, f64::INFINITY, f64::NEG_INFINITY])],
                results: vec![literal([3], [-0.0, f64::INFINITY, f64::NAN])],
                ulps: 0,
                regions: vec![],
            },
        ];
        let cases: [(Op, &[usize]); 4] = [
            (cumsum(0, false), &[7]),
            (cumsum(1, true), &[3, 5, 2]),
            (cumsum(2, false), &[3, 5, 2]),
            (cumsum(0, false), &[0, 3]),
        ];
        let sample = |dtype: DType| {
            cases.clone().map(|(op, shape)| Sample {
                op,
                operands: vec![(Type::new(dtype, shape), (-2.0, 2.0))],
                regions: vec![],
            })
        };
        Examples { answers, samples: [DType::F64, DType::F32, DType::I64].into_iter().flat_map(sample).collect() }
    }
}

shifted_batch!(CumSum, |op, n| CumSum { axis: op.axis + 1, ..*op });

impl Linear for CumSum {
    fn apply(&self, t: &[Var]) -> Var {
        apply(*self, t)
    }

    fn transpose(&self, _: usize, _: &[Type], ct: Var) -> Var {
        apply(CumSum { axis: self.axis, reverse: !self.reverse }, &[ct])
    }

    fn transpose_mask(&self, _: usize, _: &[Type], _: Var) -> Option<Var> {
        None
    }
}

impl Library for CumSum {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_number!(results[0].dtype(), T => {
            let axis = Axis(self.axis);
            let mut sums = results[0].typed::<T>().view_mut();
            sums.assign(operands[0].typed::<T>());
            if self.reverse {
                sums.invert_axis(axis);
            }
            Zip::from(sums.lanes_mut(axis)).for_each(|mut lane| {
                for i in 1..lane.len() {
                    lane[i] = lane[i - 1].plus(lane[i]);
                }
            });
        });
    }

    fn flops(&self, _: &[&Type], result: &Type) -> usize {
        let n_rows = result.shape.without(&[self.axis]).size();
        result.size().saturating_sub(n_rows)
    }
}

impl Var {
    /// The sum of each element with all before it along an axis; see [`CumSum`].
    ///
    /// Takes numbers; integers wrap. `bool`, and an axis that does not exist, are an error. The sum goes on from one
    /// element to the next, so its error grows with their number, and a NaN stays in all that follow. The derivative is
    /// the cumulative sum of the cotangent from the other end.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.cumsum(0)).call(array![1.0, 2.0, 3.0])?;
    /// assert_eq!(y, array![1.0, 3.0, 6.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn cumsum(self, axis: usize) -> Var {
        apply(CumSum { axis, reverse: false }, &[self])
    }
}
