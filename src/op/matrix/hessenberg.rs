//! Hessenberg form.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::Var;
use super::super::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use super::super::trace::{self, apply_all};
use super::{bytes_of, in_double, one_square};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::{Stack, hessenberg, hessenberg_bytes, parts};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The factors of square matrices, `A = Q · H · Qᵀ`: `H` without elements below the first subdiagonal, and an orthogonal `Q`
/// whose first row and column are those of the unit matrix.
///
/// The operand is a stack of square matrices, which are reduced by Householder reflections (faer).
///
/// # Gauge
/// No number on the subdiagonal of `H` is negative.
///
/// # Derivative
/// Refused, in both modes: an error names the operation.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all elements of both factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hessenberg;

impl Rules for Hessenberg {
    const NAME: &'static str = "hessenberg";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        one_square(operands)?;
        Ok(smallvec![operands[0].clone(), operands[0].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the Hessenberg form H and the orthogonal Q of A = Q H Qᵀ; the subdiagonal of H is not negative",
            derivative: "refused",
            accuracy: "backward stable: a few ulp times n, of the largest element",
        }
    }

    fn examples() -> Examples {
        let answer = |x: Array, h: Array, q: Array| Answer {
            op: Hessenberg.into(),
            operands: vec![x],
            results: vec![h, q],
            ulps: 8,
            regions: vec![],
        };
        let nan = f64::NAN;
        let answers = vec![
            answer(
                literal([3, 3], [1.0, 2.0, 0.0, 3.0, 4.0, 5.0, -4.0, 6.0, 7.0]),
                literal([3, 3], [1.0, 1.2, -1.6, 5.0, 0.64, 3.48, 0.0, 2.48, 10.36]),
                literal([3, 3], [1.0, 0.0, 0.0, 0.0, 0.6, -0.8, 0.0, -0.8, -0.6]),
            ),
            answer(
                literal([2, 2, 2], [1.0, 2.0, -3.0, 4.0, nan, 0.0, 0.0, 0.0]),
                literal([2, 2, 2], [1.0, -2.0, 3.0, 4.0, nan, nan, nan, nan]),
                literal([2, 2, 2], [1.0, 0.0, 0.0, -1.0, nan, nan, nan, nan]),
            ),
            answer(literal([1, 1], [-2.0f32]), literal([1, 1], [-2.0f32]), literal([1, 1], [1.0f32])),
            answer(literal::<f64>([0, 0], []), literal::<f64>([0, 0], []), literal::<f64>([0, 0], [])),
        ];
        let sample = |dtype: DType| Sample {
            op: Hessenberg.into(),
            operands: vec![(Type::new(dtype, [2, 5, 5]), (-6.0, 6.0))],
            regions: vec![],
        };
        Examples { answers, samples: [DType::F64, DType::F32].map(sample).into() }
    }
}

impl Library for Hessenberg {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let [h, q] = results else { unreachable!("bug: results that were not inferred") };
            let stack = Stack::<f64>::new(&operands[0]);
            let n = stack.rows;
            let factors = parts::<f64>(h, n * n).zip(parts::<f64>(q, n * n));
            stack.matrices().zip(factors).for_each(|(a, (h, q))| hessenberg(a, n, h, q));
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Golub and Van Loan, "Matrix Computations", 4th edition, section 7.4: 10/3 n³ and 4/3 n³.
        let n = operands[0].shape[operands[0].rank() - 1];
        operands[0].size().saturating_mul(n).saturating_mul(14) / 3
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |[n, _]| hessenberg_bytes(n))
    }
}

impl General for Hessenberg {
    fn jvp(&self, _: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        if t[0].is_some() {
            refuse();
        }
        vec![None; y.len()]
    }

    fn vjp(&self, _: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if wanted[0] && ct.iter().any(Option::is_some) {
            refuse();
        }
        vec![None]
    }
}

fn refuse() {
    let reason = "the Hessenberg form is not differentiated; differentiate what is made of the matrix itself";
    trace::fail_no_rule(Hessenberg::NAME, "first", reason);
}

/// `H` and `Q`; see [`Hessenberg`].
#[track_caller]
pub(crate) fn hessenberg_of(x: Var) -> [Var; 2] {
    apply_all(Hessenberg, &[x])
}
