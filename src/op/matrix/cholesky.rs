//! The factor of Cholesky.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::products::times;
use super::small::{self, MAX_EXTENT};
use super::triangular::TriangularSolve;
use super::{SmallMatrices, one_square, parts, run_small, square, symmetric_part, transposed};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::matrix::{Stack, cholesky, parts as parts_of, with_real};
use crate::op::instructions::Instructions;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, expect_arity, literal, same_dtype};
use crate::op::trace::apply;
use crate::op::{Op, Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The lower triangular `L` with `L Lᵀ = (A + Aᵀ)/2` and a positive diagonal, for each matrix of a stack.
///
/// It is NaN in the whole lower triangle if the symmetric part is not positive definite to working precision, as where `A`
/// has a NaN; above the diagonal it is 0.
///
/// # Constraints
/// (C1) The operand is of floating point, with at least two axes, of which the last two have equal extents.
///
/// # Derivative
/// `L̇ = L Φ(L⁻¹ sym(Ȧ) L⁻ᵀ)`, where `Φ` takes the lower triangle with half of the diagonal; see [`CholeskyPullback`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cholesky;

impl Rules for Cholesky {
    const NAME: &'static str = "cholesky";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        one_square(operands)?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    on_stacks!(Cholesky);

    fn doc() -> Doc {
        Doc {
            summary: "the lower factor L of L·Lᵀ = (A + Aᵀ)/2; NaN if that is not positive definite",
            derivative: "L·Φ(L⁻¹·sym(Ȧ)·L⁻ᵀ), where Φ takes the lower triangle with half of the diagonal",
            accuracy: "backward stable",
        }
    }

    fn examples() -> Examples {
        let answer = |a: Array, l: Array| Answer {
            op: Cholesky.into(),
            operands: vec![a],
            results: vec![l],
            ulps: 0,
            regions: vec![],
        };
        let nan = f64::NAN;
        let large = |diagonal: f64, below: f64| {
            let element = |k: usize| match (k / 7).cmp(&(k % 7)) {
                Ordering::Less => 0.0,
                Ordering::Equal => diagonal,
                Ordering::Greater => below,
            };
            literal([7, 7], (0..49).map(element).collect::<Vec<f64>>())
        };
        let answers = vec![
            answer(literal([2, 2], [4.0, 2.0, 2.0, 10.0]), literal([2, 2], [2.0, 0.0, 1.0, 3.0])),
            // Of the symmetric part.
            answer(literal([2, 2], [4.0, 4.0, 0.0, 10.0]), literal([2, 2], [2.0, 0.0, 1.0, 3.0])),
            answer(literal([2, 1, 1], [4.0f32, 9.0]), literal([2, 1, 1], [2.0f32, 3.0])),
            answer(literal([2, 2], [1.0, 2.0, 2.0, 4.0]), literal([2, 2], [nan, 0.0, nan, nan])),
            answer(literal([2, 2], [1.0, nan, 0.0, 1.0]), literal([2, 2], [nan, 0.0, nan, nan])),
            answer(literal::<f64>([0, 0], []), literal::<f64>([0, 0], [])),
            answer(large(4.0, 0.0), large(2.0, 0.0)),
            answer(large(-4.0, 0.0), large(nan, nan)),
        ];
        let sample = |dtype: DType, shape: &[usize]| Sample {
            op: Cholesky.into(),
            operands: vec![(Type::new(dtype, shape), (-1.0, 1.0))],
            regions: vec![],
        };
        let samples = [DType::F64, DType::F32]
            .into_iter()
            .flat_map(|dtype| [&[3, 3][..], &[1, 1], &[2, 2, 2], &[5, 5], &[8, 8]].map(|shape| sample(dtype, shape)));
        Examples { answers, samples: samples.collect() }
    }
}

impl General for Cholesky {
    fn jvp(&self, _: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        vec![t[0].map(|t| pushforward(y[0], symmetric_part(t)))]
    }

    fn vjp(&self, _: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        vec![ct[0].filter(|_| wanted[0]).map(|ct| apply(CholeskyPullback, &[y[0], ct]))]
    }
}

/// `L Φ(L⁻¹ T L⁻ᵀ)`: the tangent of the factor behind a symmetric `T`.
#[track_caller]
fn pushforward(l: Var, t: Var) -> Var {
    times(l, half_lower(congruence(l, t)), Strong::Rhs)
}

/// `L⁻¹ T L⁻ᵀ` for a symmetric `T`.
#[track_caller]
fn congruence(l: Var, t: Var) -> Var {
    let solve = TriangularSolve { lower: true, transposed: false, unit: false, strong: true };
    apply(solve, &[l, transposed(apply(solve, &[l, t]))])
}

/// `Φ`: the lower triangle with half of the diagonal.
#[track_caller]
fn half_lower(x: Var) -> Var {
    (parts::lower_part(x, 0) + parts::lower_part(x, -1)) * 0.5
}

impl Library for Cholesky {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_real!(operands[0].dtype(), T => {
            let stack = Stack::<T>::new(&operands[0]);
            let n = stack.rows;
            if n <= MAX_EXTENT {
                return run_small::<T>(self, operands, results);
            }
            for (a, l) in stack.matrices().zip(parts_of::<T>(&mut results[0], n * n)) {
                cholesky::cholesky(a, n, l);
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        let n = operands[0].shape[operands[0].rank() - 1];
        result.size().saturating_mul(n) / 3
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        operands[0].checked_bytes().unwrap_or(usize::MAX).saturating_mul(2)
    }
}

impl SmallMatrices for Cholesky {
    fn work(&self, operands: &[&Type]) -> Option<usize> {
        let n = square(operands[0]).ok().filter(|&n| n <= MAX_EXTENT)?;
        Some(n * n * n / 3 + 3 * n * n)
    }

    #[inline(always)]
    fn code<I: Instructions>(&self, i: &mut I, x: &[&[I::Reg]], operands: &[&Type]) -> Vec<I::Reg> {
        small::cholesky(i, x[0], operands[0].shape[operands[0].rank() - 1])
    }
}

/// The cotangent of `A` behind the cotangent `C` of its factor [`Cholesky`] `L`: `sym(L⁻ᵀ Φ(Lᵀ C) L⁻¹)`.
///
/// Operands: `L`, of which the lower triangle counts; `C`, of which it counts, too. Where all of that is 0, so is the result,
/// even if `L` is NaN. It takes twice the arithmetic of the factorization: Murray, "Differentiation of the Cholesky
/// decomposition" (2016).
///
/// # Constraints
/// (C1) The operands are of one type, of floating point, with at least two axes, of which the last two have equal extents.
///
/// # Derivative
/// With `S` the result and `K = L̇ L⁻¹`: `Ṡ = S(Ċ) + sym(L⁻ᵀ Φ(L̇ᵀ C) L⁻¹) - (Kᵀ S + S K)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CholeskyPullback;

impl Rules for CholeskyPullback {
    const NAME: &'static str = "cholesky_pullback";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        same_dtype(&[operands[0].dtype, operands[1].dtype], DType::is_float, "floating-point numbers")?;
        square(&operands[0])?;
        if operands[0] != operands[1] {
            return Err(mismatch!("operands must have equal shapes, but got {} and {}", operands[0], operands[1]));
        }
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    on_stacks!(CholeskyPullback);

    fn doc() -> Doc {
        Doc {
            summary: "the cotangent of A behind a cotangent C of its factor L: sym(L⁻ᵀ·Φ(Lᵀ·C)·L⁻¹)",
            derivative: "linear in C; by L that of the formula",
            accuracy: "backward stable",
        }
    }

    fn examples() -> Examples {
        let op = || -> Op { CholeskyPullback.into() };
        let answers = vec![
            Answer {
                op: op(),
                operands: vec![literal([1, 1], [2.0]), literal([1, 1], [8.0])],
                results: vec![literal([1, 1], [2.0])],
                ulps: 0,
                regions: vec![],
            },
            Answer {
                op: op(),
                operands: vec![literal([2, 2], [1.0, 9.0, 0.5, 1.0]), literal([2, 2], [0.0, 9.0, 1.0, 4.0])],
                results: vec![literal([2, 2], [0.25, -0.5, -0.5, 2.0])],
                ulps: 0,
                regions: vec![],
            },
            Answer {
                op: op(),
                operands: vec![literal([1, 1], [f64::NAN]), literal([1, 1], [0.0])],
                results: vec![literal([1, 1], [0.0])],
                ulps: 0,
                regions: vec![],
            },
        ];
        let sample = |dtype: DType, shape: &[usize]| Sample {
            op: op(),
            operands: vec![(Type::new(dtype, shape), (-1.0, 1.0)), (Type::new(dtype, shape), (-1.0, 1.0))],
            regions: vec![],
        };
        let samples = [DType::F64, DType::F32]
            .into_iter()
            .flat_map(|dtype| [&[3, 3][..], &[2, 2, 2], &[8, 8]].map(|shape| sample(dtype, shape)));
        Examples { answers, samples: samples.collect() }
    }
}

impl General for CholeskyPullback {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let (l, c, s) = (x[0], parts::lower_part(x[1], 0), y[0]);
        let by_c = t[1].map(|t| apply(CholeskyPullback, &[l, t]));
        let by_l = t[0].map(|t| {
            let t = parts::lower_part(t, 0);
            let phi = half_lower(times(transposed(t), c, Strong::Either));
            let back = TriangularSolve { lower: true, transposed: true, unit: false, strong: true };
            // L⁻ᵀ Φ L⁻¹ = L⁻ᵀ (L⁻ᵀ Φᵀ)ᵀ.
            let inner = transposed(apply(back, &[l, transposed(phi)]));
            let first = symmetric_part(apply(back, &[l, inner]));
            // S K = S L̇ L⁻¹ = (L⁻ᵀ (S L̇)ᵀ)ᵀ; its transpose is Kᵀ S.
            let k = apply(back, &[l, transposed(times(s, t, Strong::Either))]);
            first - (k + transposed(k))
        });
        vec![match (by_l, by_c) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        }]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None, None] };
        let (l, c, s) = (x[0], parts::lower_part(x[1], 0), y[0]);
        let q = symmetric_part(ct);
        let w = half_lower(congruence(l, q));
        let by_l = || {
            let first = times(c, transposed(w), Strong::Either);
            // 2 S Q L⁻ᵀ = 2 (L⁻¹ (S Q)ᵀ)ᵀ.
            let solve = TriangularSolve { lower: true, transposed: false, unit: false, strong: true };
            let second = apply(solve, &[l, transposed(times(s, q, Strong::Either))]);
            parts::lower_part(first - transposed(second) * 2.0, 0)
        };
        let by_c = || times(parts::lower_part(l, 0), w, Strong::Rhs);
        vec![wanted[0].then(by_l), wanted[1].then(by_c)]
    }
}

impl Library for CholeskyPullback {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_real!(operands[0].dtype(), T => {
            let (l, c) = (Stack::<T>::new(&operands[0]), Stack::<T>::new(&operands[1]));
            let n = l.rows;
            if n <= MAX_EXTENT {
                return run_small::<T>(self, operands, results);
            }
            for ((l, c), a) in l.matrices().zip(c.matrices()).zip(parts_of::<T>(&mut results[0], n * n)) {
                if (0..n).all(|i| c[i * n..=i * n + i].iter().all(|&x| x == 0.0)) {
                    a.fill(0.0);
                } else {
                    cholesky::pullback(l, c, n, a);
                }
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        Cholesky.flops(&operands[..1], result).saturating_mul(2)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        operands[0].checked_bytes().unwrap_or(usize::MAX).saturating_mul(3)
    }
}

impl SmallMatrices for CholeskyPullback {
    fn work(&self, operands: &[&Type]) -> Option<usize> {
        let n = square(operands[0]).ok().filter(|&n| n <= MAX_EXTENT)?;
        Some(2 * n * n * n / 3 + 4 * n * n)
    }

    #[inline(always)]
    fn code<I: Instructions>(&self, i: &mut I, x: &[&[I::Reg]], operands: &[&Type]) -> Vec<I::Reg> {
        small::cholesky_pullback(i, x[0], x[1], operands[0].shape[operands[0].rank() - 1])
    }
}
