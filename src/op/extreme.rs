//! Where the extreme element along an axis stands.

use std::cmp::Ordering;

use ndarray::{ArrayView1, Axis, Zip};
use serde::{Deserialize, Serialize};

use super::Var;
use super::rules::{
    Answer, Batching, Derivative, Doc, Examples, Library, Lowering, Rules, Sample, eval_library, expect_arity, literal,
    shifted_batch,
};
use super::trace::{self, apply};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Element, Type, with_element};

/// Requires an axis of the operand that has elements.
fn infer_index(axis: usize, operands: &[Type]) -> Result<Types, Mismatch> {
    expect_arity(operands, 1)?;
    let x = &operands[0];
    match x.shape.get(axis) {
        None => Err(mismatch!("axis must lie below the rank {}, but got {axis}", x.rank())),
        Some(0) => Err(mismatch!("axis {axis} must have elements, but got {x}")),
        Some(_) => Ok(smallvec::smallvec![Type::new(DType::I64, x.shape.without(&[axis]))]),
    }
}

/// The index of the first element than which none is more extreme; NaN is more extreme than any number.
fn first_extreme<T: Element>(lane: ArrayView1<'_, T>, more_extreme: Ordering) -> i64 {
    let mut best = 0;
    for (i, x) in lane.iter().enumerate() {
        if x.partial_cmp(x).is_none() {
            return i as i64;
        }
        if x.partial_cmp(&lane[best]) == Some(more_extreme) {
            best = i;
        }
    }
    best as i64
}

/// Writes the operation that finds one of the two extremes.
macro_rules! extreme {
    (
        $op:ident, $name:literal, $method:ident, $of_all:ident, $word:literal, $ordering:expr,
        $indices:literal, $index:literal, $rows:expr
    ) => {
        #[doc = concat!("Index of the ", $word, " element along an axis: the first of equal ones, and the first NaN if there is any.")]
        ///
        /// # Constraints
        /// (C1) `axis` lies below the operand's rank. (C2) The operand has elements along it.
        ///
        /// # Derivative
        /// None: an index is no number that changes smoothly.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $op {
            /// The axis along which the elements are compared, which vanishes.
            pub axis: usize,
        }

        impl Rules for $op {
            const NAME: &'static str = $name;

            fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
                infer_index(self.axis, operands)
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
                    summary: concat!("index of the first ", $word, " element along an axis, as i64; a NaN comes first"),
                    derivative: "none",
                    accuracy: "exact",
                }
            }

            fn examples() -> Examples {
                let answers = $rows
                    .map(|(axis, x, y): (usize, Array, Array)| Answer {
                        op: $op { axis }.into(),
                        operands: vec![x],
                        results: vec![y],
                        ulps: 0, regions: vec![] })
                    .into();
                let sample = |dtype: DType| {
                    [0, 1, 2].map(|axis| Sample {
                        op: $op { axis }.into(),
                        operands: vec![(Type::new(dtype, [4, 3, 5]), (-2.0, 2.0))], regions: vec![] })
                };
                Examples { answers, samples: DType::ALL.into_iter().flat_map(sample).collect() }
            }
        }

        shifted_batch!($op, |op, n| $op { axis: op.axis + 1 });

        impl Library for $op {
            fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
                let result = results[0].typed::<i64>();
                with_element!(operands[0].dtype(), T => {
                    let lanes = operands[0].typed::<T>().lanes(Axis(self.axis));
                    Zip::from(result).and(lanes).for_each(|y, lane| *y = first_extreme(lane, $ordering));
                });
            }

            fn flops(&self, _: &[&Type], _: &Type) -> usize {
                0
            }
        }

        impl Var {
            #[doc = concat!("Index of the first ", $word, " element along an axis, as `i64`; see [`", stringify!($op), "`].")]
            ///
            /// Takes any dtype. A NaN counts as more extreme than any number, and -0 equals 0. An axis that does not exist, or
            /// that has no elements, is an error. The result carries no derivative.
            ///
            #[doc = concat!(
                "```\nuse ndarray::{Array1, array};\nuse retrograd::{Var, jit};\n\n",
                "let x = array![[1.0, 3.0, 3.0], [9.0, 2.0, 0.0]];\n",
                "let y: Array1<i64> = jit(|x: Var| x.", stringify!($method), "(1)).call(&x)?;\n",
                "assert_eq!(y, array!", $indices, ");\n# Ok::<(), retrograd::Error>(())\n```"
            )]
            #[track_caller]
            pub fn $method(self, axis: usize) -> Var {
                apply($op { axis }, &[self])
            }

            #[doc = concat!(
                "Index of the first ", $word, " of all elements in row-major order, as `i64`. Dtypes and NaN are as of [`Var::",
                stringify!($method), "`]; an array without elements is an error."
            )]
            ///
            #[doc = concat!(
                "```\nuse ndarray::array;\nuse retrograd::{Var, jit};\n\nlet x = array![[1.0, 3.0, 3.0], [9.0, 2.0, 0.0]];\n",
                "let y: i64 = jit(|x: Var| x.", stringify!($of_all), "()).call(&x)?;\nassert_eq!(y, ", $index,
                ");\n# Ok::<(), retrograd::Error>(())\n```"
            )]
            #[track_caller]
            pub fn $of_all(self) -> Var {
                let _method = trace::method(stringify!($of_all), &[self]);
                self.flatten().$method(0)
            }
        }
    };
}

const NAN: f64 = f64::NAN;

extreme!(
    ArgMax,
    "argmax",
    argmax,
    argmax_all,
    "largest",
    Ordering::Greater,
    "[1i64, 0]",
    "3",
    [
        (0, literal([4], [1.0, 3.0, 3.0, 2.0]), literal([], [1i64])),
        (1, literal([2, 3], [1.0, 2.0, 0.0, NAN, 9.0, NAN]), literal([2], [1i64, 0])),
        (0, literal([2, 3], [1.0, 2.0, 0.0, 0.5, 9.0, NAN]), literal([3], [0i64, 1, 1])),
        (0, literal([2], [-0.0, 0.0]), literal([], [0i64])),
        (0, literal([3], [-5i64, i64::MAX, 7]), literal([], [1i64])),
        (0, literal([3], [false, true, true]), literal([], [1i64])),
    ]
);
extreme!(
    ArgMin,
    "argmin",
    argmin,
    argmin_all,
    "smallest",
    Ordering::Less,
    "[0i64, 2]",
    "5",
    [
        (0, literal([4], [2.0, 1.0, 1.0, 3.0]), literal([], [1i64])),
        (1, literal([2, 3], [1.0, 2.0, 0.0, 3.0, NAN, -9.0]), literal([2], [2i64, 1])),
        (0, literal([2, 3], [1.0, 2.0, 0.0, 0.5, 9.0, NAN]), literal([3], [1i64, 0, 1])),
        (0, literal([2], [0.0, -0.0]), literal([], [0i64])),
        (0, literal([3], [-5i64, i64::MIN, 7]), literal([], [1i64])),
        (0, literal([3], [true, true, false]), literal([], [2i64])),
    ]
);
