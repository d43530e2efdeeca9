//! Square roots and logarithms of matrices.

use serde::{Deserialize, Serialize};

use super::exponential::{frechet_jvp, frechet_vjp, order, room};
use super::parts::transposed;
use super::stacks::{Kernel, over_stack, square_pair};
use super::{SolveSylvester, one_square};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::roots;
use crate::op::Var;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::trace::apply;
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The principal square root of square matrices: that of which no eigenvalue has a negative real part.
///
/// Operand: a stack of matrices. By real Schur forms (Higham 1987), in `f64` for either dtype. A matrix with a negative
/// eigenvalue, with an eigenvalue 0 of a Jordan block, with an infinite element or a NaN gives NaN; whether an eigenvalue
/// near 0 is negative, rounding decides.
///
/// # Constraints
/// (C1) The operand is of floating point and has at least two axes. (C2) The last two have one extent.
///
/// # Derivative
/// The tangent Y' solves `Y Y' + Y' Y = A'`, see [`SolveSylvester`]; in reverse mode that of the transpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sqrtm;

impl Rules for Sqrtm {
    const NAME: &'static str = "sqrtm";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        one_square(operands)?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "principal square root of square matrices",
            derivative: "by a Sylvester equation",
            accuracy: "a few units in the last place times the condition number, in norm",
        }
    }

    fn examples() -> Examples {
        let answer = |x: Array, y: Array| Answer {
            op: Sqrtm.into(),
            operands: vec![x],
            results: vec![y],
            ulps: 4,
            regions: vec![],
        };
        let answers = vec![
            answer(literal([2, 2], [4.0, 5.0, 0.0, 9.0]), literal([2, 2], [2.0, 1.0, 0.0, 3.0])),
            answer(literal([2, 2], [4.0, 0.0, 0.0, 0.0]), literal([2, 2], [2.0, 0.0, 0.0, 0.0])),
            answer(literal([2, 1, 1], [4.0, -4.0]), literal([2, 1, 1], [2.0, f64::NAN])),
            answer(literal([2, 2], [0.0, 1.0, 0.0, 0.0]), literal([2, 2], [f64::NAN; 4])),
            answer(literal::<f64>([0, 0], []), literal::<f64>([0, 0], [])),
        ];
        Examples { answers, samples: samples(Sqrtm, 1) }
    }
}

impl General for Sqrtm {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let _ = x;
        vec![t[0].map(|t| apply(SolveSylvester { strong: true }, &[y[0], y[0], t]))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], _: &[bool]) -> Vec<Option<Var>> {
        let _ = x;
        let y = transposed(y[0]);
        vec![ct[0].map(|ct| apply(SolveSylvester { strong: true }, &[y, y, ct]))]
    }
}

impl Kernel<1> for Sqrtm {
    fn run(&self, [a]: [&[f64]; 1], [[n, _]]: [[usize; 2]; 1], result: &mut [f64]) {
        roots::sqrtm(a, n, result);
    }
}

impl Library for Sqrtm {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        over_stack(self, operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        operands[0].size().saturating_mul(order(operands[0])).saturating_mul(35)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        room(order(operands[0]), 12)
    }
}

/// The principal logarithm of square matrices: that of which the eigenvalues have imaginary parts within (-π, π).
///
/// Operand: a stack of matrices. By inverse scaling and squaring of real Schur forms (Al-Mohy, Higham and Relton 2013), in
/// `f64` for either dtype. A matrix with an eigenvalue that is negative or 0, with an infinite element or a NaN gives NaN.
///
/// # Constraints
/// (C1) The operand is of floating point and has at least two axes. (C2) The last two have one extent.
///
/// # Derivative
/// [`LogmFrechet`]; in reverse mode that of the transpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logm;

impl Rules for Logm {
    const NAME: &'static str = "logm";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        one_square(operands)?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "principal logarithm of square matrices",
            derivative: "logm_frechet",
            accuracy: "a few units in the last place times the condition number, in norm",
        }
    }

    fn examples() -> Examples {
        let answer = |x: Array, y: Array| Answer {
            op: Logm.into(),
            operands: vec![x],
            results: vec![y],
            ulps: 4,
            regions: vec![],
        };
        let answers = vec![
            answer(literal([2, 2], [1.0, 3.0, 0.0, 1.0]), literal([2, 2], [0.0, 3.0, 0.0, 0.0])),
            answer(
                literal([2, 2], [2.0, 0.0, 0.0, 0.5]),
                literal([2, 2], [std::f64::consts::LN_2, 0.0, 0.0, -std::f64::consts::LN_2]),
            ),
            answer(literal([3, 1, 1], [1.0, -4.0, 0.0]), literal([3, 1, 1], [0.0, f64::NAN, f64::NAN])),
            answer(literal::<f64>([0, 0], []), literal::<f64>([0, 0], [])),
        ];
        Examples { answers, samples: samples(Logm, 1) }
    }
}

impl General for Logm {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let _ = y;
        vec![t[0].map(|t| apply(LogmFrechet, &[x[0], t]))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], _: &[bool]) -> Vec<Option<Var>> {
        let _ = y;
        vec![ct[0].map(|ct| apply(LogmFrechet, &[transposed(x[0]), ct]))]
    }
}

impl Kernel<1> for Logm {
    fn run(&self, [a]: [&[f64]; 1], [[n, _]]: [[usize; 2]; 1], result: &mut [f64]) {
        roots::logm(a, n, result);
    }
}

impl Library for Logm {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        over_stack(self, operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        operands[0].size().saturating_mul(order(operands[0])).saturating_mul(60)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        room(order(operands[0]), 12)
    }
}

/// Samples with so many operands; what samples the operation adds to the diagonal of the first.
fn samples(op: impl Into<crate::op::Op> + Copy, arity: usize) -> Vec<Sample> {
    let sample = |dtype: DType| {
        [vec![3, 3], vec![2, 1, 1], vec![2, 4, 4]].map(|shape| Sample {
            op: op.into(),
            operands: vec![(Type::new(dtype, shape), (-1.0, 1.0)); arity],
            regions: vec![],
        })
    };
    [DType::F64, DType::F32].into_iter().flat_map(sample).collect()
}

/// The derivative of the principal logarithm of square matrices in a direction.
///
/// Operands: stacks of the matrices A and the directions E. By inverse scaling and squaring of `[[A, E], [0, A]]` (Al-Mohy,
/// Higham and Relton 2013). A direction that is exactly 0 gives 0, whatever the matrix is; else what gives no logarithm
/// gives NaN.
///
/// # Constraints
/// (C1) The operands are of one type, of floating point, with at least two axes. (C2) The last two have one extent.
///
/// # Derivative
/// It is the block above the diagonal of `log([[A, E], [0, A]])`, whose own derivative is that of the logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogmFrechet;

impl Rules for LogmFrechet {
    const NAME: &'static str = "logm_frechet";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        square_pair(operands)?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "derivative of the principal logarithm of square matrices in a direction",
            derivative: "by the logarithm of [[a, e], [0, a]]",
            accuracy: "a few units in the last place times the condition number, in norm",
        }
    }

    fn examples() -> Examples {
        let answer = |x: [Array; 2], y: Array| Answer {
            op: LogmFrechet.into(),
            operands: x.into(),
            results: vec![y],
            ulps: 4,
            regions: vec![],
        };
        let answers = vec![
            answer([literal([1, 1], [4.0]), literal([1, 1], [2.0])], literal([1, 1], [0.5])),
            answer(
                [literal([2, 1, 1], [-1.0, -1.0]), literal([2, 1, 1], [0.0, 1.0])],
                literal([2, 1, 1], [0.0, f64::NAN]),
            ),
        ];
        Examples { answers, samples: samples(LogmFrechet, 2) }
    }
}

impl General for LogmFrechet {
    fn jvp(&self, x: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        frechet_jvp(LogmFrechet, x, t)
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        frechet_vjp(LogmFrechet, x, ct, wanted)
    }
}

impl Kernel<2> for LogmFrechet {
    fn run(&self, [a, e]: [&[f64]; 2], [[n, _], _]: [[usize; 2]; 2], result: &mut [f64]) {
        roots::logm_frechet(a, e, n, result);
    }
}

impl Library for LogmFrechet {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        over_stack(self, operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        operands[0].size().saturating_mul(order(operands[0])).saturating_mul(300)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        room(order(operands[0]), 40)
    }
}
