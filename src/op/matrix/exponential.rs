//! Exponentials of matrices, of which the derivatives are [`ExpmFrechet`].

use serde::{Deserialize, Serialize};

use super::parts::transposed;
use super::products::times;
use super::stacks::{Kernel, block, block_upper, guarded, over_stack, square_pair, stacks, sum};
use super::{one_square, square};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::matrix::exponential;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::strong::Strong;
use crate::op::trace::apply;
use crate::op::{Op, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The exponential of square matrices.
///
/// Operand: a stack of matrices. By Padé approximants of degrees 3 to 13 with scaling and squaring (Al-Mohy and Higham
/// 2009), in `f64` for either dtype. A matrix with an infinite element or a NaN gives NaN, and so does one that is not
/// diagonal and of which the exponential overflows.
///
/// # Constraints
/// (C1) The operand is of floating point and has at least two axes. (C2) The last two have one extent.
///
/// # Derivative
/// [`ExpmFrechet`]; in reverse mode that of the transpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expm;

impl Rules for Expm {
    const NAME: &'static str = "expm";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        one_square(operands)?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "exponential of square matrices",
            derivative: "expm_frechet",
            accuracy: "a few units in the last place times the condition number, in norm",
        }
    }

    fn examples() -> Examples {
        let e = std::f64::consts::E;
        let answer = |x: Array, y: Array, ulps: u32| Answer {
            op: Expm.into(),
            operands: vec![x],
            results: vec![y],
            ulps,
            regions: vec![],
        };
        let answers = vec![
            answer(literal([2, 2], [0.0, 3.0, 0.0, 0.0]), literal([2, 2], [1.0, 3.0, 0.0, 1.0]), 2),
            answer(literal([2, 2], [1.0, 0.0, 0.0, 0.0]), literal([2, 2], [e, 0.0, 0.0, 1.0]), 1),
            answer(literal([2, 1, 1], [1.0, f64::NAN]), literal([2, 1, 1], [e, f64::NAN]), 1),
            answer(literal::<f64>([0, 0], []), literal::<f64>([0, 0], []), 0),
        ];
        let sample = |dtype: DType| {
            [vec![3, 3], vec![2, 4, 4]].map(|shape| Sample {
                op: Expm.into(),
                operands: vec![(Type::new(dtype, shape), (-1.0, 1.0))],
                regions: vec![],
            })
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(sample).collect() }
    }
}

impl General for Expm {
    fn jvp(&self, x: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        vec![t[0].map(|t| apply(ExpmFrechet, &[x[0], t]))]
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], _: &[bool]) -> Vec<Option<Var>> {
        vec![ct[0].map(|ct| apply(ExpmFrechet, &[transposed(x[0]), ct]))]
    }
}

impl Kernel<1> for Expm {
    fn run(&self, [a]: [&[f64]; 1], [[n, _]]: [[usize; 2]; 1], result: &mut [f64]) {
        exponential::expm(a, n, result);
    }
}

impl Library for Expm {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        over_stack(self, operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        let n = order(operands[0]);
        operands[0].size().saturating_mul(n).saturating_mul(24)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        room(order(operands[0]), 16)
    }
}

/// The derivative of the exponential of square matrices in a direction, `lim (exp(A + hE) - exp(A)) / h`.
///
/// Operands: stacks of the matrices A and the directions E. By the derivative of the approximants and squarings (Al-Mohy and
/// Higham, "Computing the Fréchet derivative of the matrix exponential", 2009). A direction that is exactly 0 gives 0,
/// whatever the matrix is; else a matrix or a direction with an infinite element or a NaN gives NaN.
///
/// # Constraints
/// (C1) The operands are of one type, of floating point, with at least two axes. (C2) The last two have one extent.
///
/// # Derivative
/// It is the block above the diagonal of `exp([[A, E], [0, A]])`, whose own derivative is that of the exponential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpmFrechet;

impl Rules for ExpmFrechet {
    const NAME: &'static str = "expm_frechet";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        square_pair(operands)?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "derivative of the exponential of square matrices in a direction",
            derivative: "by the exponential of [[a, e], [0, a]]",
            accuracy: "a few units in the last place times the condition number, in norm",
        }
    }

    fn examples() -> Examples {
        let e = std::f64::consts::E;
        let answer = |x: [Array; 2], y: Array| Answer {
            op: ExpmFrechet.into(),
            operands: x.into(),
            results: vec![y],
            ulps: 4,
            regions: vec![],
        };
        let answers = vec![
            // ∂e^x = e^x, and for a nilpotent A the derivative in direction E is E + (AE + EA) / 2 + AEA / 6.
            answer([literal([1, 1], [1.0]), literal([1, 1], [2.0])], literal([1, 1], [2.0 * e])),
            answer(
                [literal([2, 2], [0.0, 3.0, 0.0, 0.0]), literal([2, 2], [0.0, 0.0, 2.0, 0.0])],
                literal([2, 2], [3.0, 3.0, 2.0, 3.0]),
            ),
            answer(
                [literal([2, 1, 1], [f64::NAN, f64::NAN]), literal([2, 1, 1], [0.0, 1.0])],
                literal([2, 1, 1], [0.0, f64::NAN]),
            ),
        ];
        Examples { answers, samples: pair_samples(ExpmFrechet) }
    }
}

/// Samples of an operation on two stacks of square matrices.
pub(super) fn pair_samples(op: impl Into<Op> + Copy) -> Vec<Sample> {
    let sample = |dtype: DType| {
        [vec![3, 3], vec![2, 4, 4]].map(|shape| {
            let ty = Type::new(dtype, shape);
            let operands = vec![(ty.clone(), (-1.0, 1.0)), (ty, (-1.0, 1.0))];
            Sample { op: op.into(), operands, regions: vec![] }
        })
    };
    [DType::F64, DType::F32].into_iter().flat_map(sample).collect()
}

impl General for ExpmFrechet {
    fn jvp(&self, x: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        frechet_jvp(ExpmFrechet, x, t)
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        frechet_vjp(ExpmFrechet, x, ct, wanted)
    }
}

/// The derivative of a derivative L(A, E) of a function of matrices in direction (F, G), where `op` gives the derivatives:
/// `L(A, G)`, and the block above the diagonal of `L([[A, E], [0, A]], [[F, 0], [0, F]])`.
#[track_caller]
pub(super) fn frechet_jvp(op: impl Into<Op> + Copy, x: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
    let of_direction = t[1].map(|t| apply(op, &[x[0], t]));
    let of_matrix = t[0].map(|t| {
        let zero = Var::zeros(t.ty());
        block(apply(op, &[block_upper(x[0], x[1]), block_upper(t, zero)]), 0, 1)
    });
    vec![sum([of_matrix, of_direction])]
}

/// The cotangents that belong to [`frechet_jvp`].
#[track_caller]
pub(super) fn frechet_vjp(
    op: impl Into<Op> + Copy,
    x: &[Var],
    ct: &[Option<Var>],
    wanted: &[bool],
) -> Vec<Option<Var>> {
    let Some(ct) = ct[0] else { return vec![None, None] };
    if !wanted[0] {
        return vec![None, wanted[1].then(|| apply(op, &[transposed(x[0]), ct]))];
    }
    // The direction is [[0, ct], [0, 0]].
    let rank = ct.rank();
    let n = ct.shape()[rank - 1] as i64;
    let (mut low, mut high) = (vec![0; rank], vec![0; rank]);
    (low[rank - 1], high[rank - 2]) = (n, n);
    let direction = ct.pad(0.0, &low, &high, &vec![0; rank]);
    let cts = apply(op, &[transposed(block_upper(x[0], x[1])), direction]);
    let of_matrix = block(cts, 0, 0) + block(cts, 1, 1);
    vec![Some(of_matrix), wanted[1].then(|| block(cts, 0, 1))]
}

impl Kernel<2> for ExpmFrechet {
    fn run(&self, [a, e]: [&[f64]; 2], [[n, _], _]: [[usize; 2]; 2], result: &mut [f64]) {
        exponential::expm_frechet(a, e, n, result);
    }
}

impl Library for ExpmFrechet {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        over_stack(self, operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        let n = order(operands[0]);
        operands[0].size().saturating_mul(n).saturating_mul(72)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        room(order(operands[0]), 32)
    }
}

/// The exponential of square matrices times other matrices, without forming the exponential where that takes longer.
///
/// Operands: stacks of square matrices A, `[…, n, n]`, and of matrices B, `[…, n, k]`. By the series of the exponential in
/// steps (Al-Mohy and Higham, "Computing the action of the matrix exponential", 2011). A matrix with an infinite element or
/// a NaN gives NaN; with `strong`, a B that is exactly 0 gives 0, whatever A is.
///
/// # Constraints
/// (C1) The operands are of one dtype, of floating point, and have the same leading axes. (C2) A is square, and B has as
/// many rows.
///
/// # Derivative
/// Forward by the exponential of `[[A, E], [0, A]]` times a matrix; reverse by A, which takes as many elements, by
/// [`ExpmFrechet`], by B with the exponential of the transpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpmMultiply {
    /// Whether a B that is exactly 0 gives 0 even if A is infinite or NaN: what derivatives ask for.
    pub strong: bool,
}

impl Rules for ExpmMultiply {
    const NAME: &'static str = "expm_multiply";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let [[n, _], [rows, _]] = stacks::<2>(operands)?;
        square(&operands[0])?;
        if n != rows {
            return Err(mismatch!(
                "takes matrices that can be multiplied, but got {} and {}",
                operands[0],
                operands[1]
            ));
        }
        Ok(smallvec::smallvec![operands[1].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "exponential of square matrices times other matrices",
            derivative: "by the exponential of [[a, e], [0, a]], and expm_frechet",
            accuracy: "a few units in the last place times the condition number, in norm",
        }
    }

    fn examples() -> Examples {
        let e = std::f64::consts::E;
        let answer = |strong: bool, x: [Array; 2], y: Array| Answer {
            op: ExpmMultiply { strong }.into(),
            operands: x.into(),
            results: vec![y],
            ulps: 4,
            regions: vec![],
        };
        let zero = || [literal([1, 1], [f64::NAN]), literal([1, 1], [0.0])];
        let answers = vec![
            answer(
                false,
                [literal([2, 2], [0.0, 3.0, 0.0, 0.0]), literal([2, 1], [1.0, 2.0])],
                literal([2, 1], [7.0, 2.0]),
            ),
            answer(
                false,
                [literal([2, 2], [1.0, 0.0, 0.0, 0.0]), literal([2, 2], [1.0, 2.0, 3.0, 4.0])],
                literal([2, 2], [e, 2.0 * e, 3.0, 4.0]),
            ),
            answer(false, zero(), literal([1, 1], [f64::NAN])),
            answer(true, zero(), literal([1, 1], [0.0])),
        ];
        let sample = |dtype: DType| {
            [(true, vec![3, 3], vec![3, 5]), (false, vec![2, 4, 4], vec![2, 4, 1])].map(|(strong, a, b)| Sample {
                op: ExpmMultiply { strong }.into(),
                operands: vec![(Type::new(dtype, a), (-1.0, 1.0)), (Type::new(dtype, b), (-1.0, 1.0))],
                regions: vec![],
            })
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(sample).collect() }
    }
}

impl General for ExpmMultiply {
    fn jvp(&self, x: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let strong = ExpmMultiply { strong: true };
        let of_b = |t: Var| apply(strong, &[x[0], t]);
        let Some(e) = t[0] else { return vec![t[1].map(of_b)] };
        // The first rows of exp([[A, E], [0, A]]) · [0; B] are the derivative of exp(A) times B.
        let rank = x[1].rank();
        let stacked = Var::concatenate(&[Var::zeros(x[1].ty()), x[1]], rank - 2);
        let both = apply(strong, &[block_upper(x[0], e), stacked]);
        let of_a = guarded(e, both.slice_axis(rank - 2, 0, x[1].shape()[rank - 2], 1));
        vec![sum([Some(of_a), t[1].map(of_b)])]
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None, None] };
        let a = transposed(x[0]);
        let of_a = || apply(ExpmFrechet, &[a, times(ct, transposed(x[1]), Strong::Lhs)]);
        let of_b = || apply(ExpmMultiply { strong: true }, &[a, ct]);
        vec![wanted[0].then(of_a), wanted[1].then(of_b)]
    }
}

impl Kernel<2> for ExpmMultiply {
    fn run(&self, [a, b]: [&[f64]; 2], [[n, _], [_, columns]]: [[usize; 2]; 2], result: &mut [f64]) {
        if self.strong && b.iter().all(|&x| x == 0.0) {
            return result.fill(0.0);
        }
        exponential::expm_multiply(a, b, n, columns, result);
    }
}

impl Library for ExpmMultiply {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        over_stack(self, operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        operands[1].size().saturating_mul(order(operands[0])).saturating_mul(40)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        let own = operands[1].shape.last().map_or(0, |k| k.saturating_mul(order(operands[0])));
        room(order(operands[0]), 16).saturating_add(own.saturating_mul(4 * size_of::<f64>()))
    }
}

/// The number of rows of the matrices.
pub(super) fn order(ty: &Type) -> usize {
    ty.shape[ty.rank() - 2]
}

/// The bytes of so many square matrices of `f64`.
pub(super) fn room(n: usize, matrices: usize) -> usize {
    n.saturating_mul(n).saturating_mul(matrices * size_of::<f64>())
}
