//! Triangular systems.

use serde::{Deserialize, Serialize};

use super::parts::{lower_part, transposed, upper_part};
use super::products::times;
use super::small::{self, MAX_EXTENT, zero_where_zero};
use super::{SmallMatrices, extents, run_small, square};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::matrix::{Stack, parts, triangular, with_real};
use crate::op::instructions::Instructions;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, expect_arity, literal, same_dtype};
use crate::op::trace::apply;
use crate::op::{Strong, Var};
use crate::value::{ArrayMut, ArrayRef, DType, Type};

/// The solution `X` of `T X = B` with triangular matrices `T`, for each matrix of a stack.
///
/// Operands: `T`, of which only the triangle is read; `B`, whose matrices have the right-hand sides as columns. A zero on the
/// diagonal gives infinities and NaN.
///
/// # Constraints
/// (C1) The operands are of one floating-point dtype, with the same leading axes. (C2) The matrices of `T` are square, and
/// have as many rows as those of `B`.
///
/// # Derivative
/// `Ẋ = T⁻¹ (Ḃ - Ṫ X)`; backward `B̄ = T⁻ᵀ X̄` and `T̄` the triangle of `-B̄ Xᵀ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriangularSolve {
    /// Whether the lower triangle is read.
    pub lower: bool,
    /// Whether the system is that of the transpose.
    pub transposed: bool,
    /// Whether the diagonal counts as ones.
    pub unit: bool,
    /// Whether columns of zeros give zeros, even if `T` is singular or NaN, as a derivative needs it.
    pub strong: bool,
}

impl Rules for TriangularSolve {
    const NAME: &'static str = "triangular_solve";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        same_dtype(&[operands[0].dtype, operands[1].dtype], DType::is_float, "floating-point numbers")?;
        square(&operands[0])?;
        check_sides(&operands[0], &operands[1])?;
        Ok(smallvec::smallvec![operands[1].clone()])
    }

    on_stacks!(TriangularSolve);

    fn doc() -> Doc {
        Doc {
            summary: "the solution X of T·X = B with triangular matrices T",
            derivative: "T⁻¹·(Ḃ - Ṫ·X)",
            accuracy: "backward stable",
        }
    }

    fn examples() -> Examples {
        let op = |lower, transposed, unit, strong| TriangularSolve { lower, transposed, unit, strong };
        let answer = |op: TriangularSolve, t: [f64; 4], b: [f64; 2], x: [f64; 2]| Answer {
            op: op.into(),
            operands: vec![literal([2, 2], t), literal([2, 1], b)],
            results: vec![literal([2, 1], x)],
            ulps: 0,
            regions: vec![],
        };
        let t = [2.0, 3.0, 1.0, 4.0];
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let answers = vec![
            answer(op(true, false, false, false), t, [4.0, 6.0], [2.0, 1.0]),
            answer(op(true, true, false, false), t, [5.0, 4.0], [2.0, 1.0]),
            answer(op(false, false, false, false), t, [7.0, 4.0], [2.0, 1.0]),
            answer(op(false, true, false, false), t, [4.0, 10.0], [2.0, 1.0]),
            answer(op(true, false, true, false), t, [2.0, 3.0], [2.0, 1.0]),
            answer(op(true, false, false, false), [0.0, 0.0, 0.0, 1.0], [1.0, 1.0], [inf, nan]),
            answer(op(true, false, false, true), [0.0, 0.0, nan, 1.0], [0.0, 0.0], [0.0, 0.0]),
        ];
        let sample = |dtype: DType, (lower, transposed): (bool, bool), t: &[usize], b: &[usize]| Sample {
            op: op(lower, transposed, lower != transposed, transposed).into(),
            operands: vec![(Type::new(dtype, t), (0.5, 1.5)), (Type::new(dtype, b), (-1.0, 1.0))],
            regions: vec![],
        };
        let mut samples = Vec::new();
        for dtype in [DType::F64, DType::F32] {
            for how in [(true, false), (true, true), (false, false), (false, true)] {
                samples.push(sample(dtype, how, &[3, 3], &[3, 2]));
                samples.push(sample(dtype, how, &[2, 7, 7], &[2, 7, 3]));
                samples.push(sample(dtype, how, &[8, 8], &[8, 1]));
            }
        }
        Examples { answers, samples }
    }
}

/// Requires right-hand sides that belong to square matrices.
pub(super) fn check_sides(matrix: &Type, sides: &Type) -> Result<(), Mismatch> {
    extents(sides)?;
    let rank = matrix.rank();
    if sides.rank() != rank || sides.shape[..rank - 1] != matrix.shape[..rank - 1] {
        return Err(mismatch!(
            "matrices and right-hand sides must have the same leading axes and rows, but got {matrix} and {sides}"
        ));
    }
    Ok(())
}

impl TriangularSolve {
    /// The triangle of a tangent or cotangent of `T`.
    #[track_caller]
    fn triangle(&self, x: Var) -> Var {
        let offset = i64::from(self.unit);
        if self.lower { lower_part(x, -offset) } else { upper_part(x, offset) }
    }
}

impl General for TriangularSolve {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let by_t = t[0].map(|t| {
            let t = self.triangle(t);
            -times(if self.transposed { transposed(t) } else { t }, y[0], Strong::Lhs)
        });
        let side = match (t[1], by_t) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        vec![side.map(|side| apply(TriangularSolve { strong: true, ..*self }, &[x[0], side]))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None, None] };
        let back = TriangularSolve { transposed: !self.transposed, strong: true, ..*self };
        let by_b = apply(back, &[x[0], ct]);
        let by_t = wanted[0].then(|| {
            let whole = if self.transposed {
                times(y[0], transposed(by_b), Strong::Rhs)
            } else {
                times(by_b, transposed(y[0]), Strong::Lhs)
            };
            -self.triangle(whole)
        });
        vec![by_t, wanted[1].then_some(by_b)]
    }
}

impl Library for TriangularSolve {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_real!(operands[0].dtype(), T => {
            let (t, b) = (Stack::<T>::new(&operands[0]), Stack::<T>::new(&operands[1]));
            let n = t.rows;
            if n <= MAX_EXTENT {
                return run_small::<T>(self, operands, results);
            }
            let triangle = |elements| triangular::Triangle {
                elements,
                n,
                stride: n,
                lower: self.lower,
                transposed: self.transposed,
                unit: self.unit,
            };
            for ((t, b), x) in t.matrices().zip(b.matrices()).zip(parts::<T>(&mut results[0], b.size())) {
                x.copy_from_slice(b);
                triangle(t).solve(x, x.len() / n);
                if self.strong {
                    triangular::zero_where_zero(x, b, x.len() / n);
                }
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        result.size().saturating_mul(operands[0].shape[operands[0].rank() - 1])
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        operands.iter().map(|ty| ty.checked_bytes().unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
    }
}

impl SmallMatrices for TriangularSolve {
    fn work(&self, operands: &[&Type]) -> Option<usize> {
        let n = square(operands[0]).ok().filter(|&n| n <= MAX_EXTENT)?;
        let k = operands[1].shape[operands[1].rank() - 1];
        k.checked_mul(n * n + 2 * n)
    }

    #[inline(always)]
    fn code<I: Instructions>(&self, i: &mut I, x: &[&[I::Reg]], operands: &[&Type]) -> Vec<I::Reg> {
        let k = operands[1].shape[operands[1].rank() - 1];
        let stride = operands[0].shape[operands[0].rank() - 1];
        let mut solution = x[1].to_vec();
        let TriangularSolve { lower, transposed, unit, strong } = *self;
        small::Triangle { elements: x[0], stride, lower, transposed, unit }.solve(i, &mut solution, k);
        if strong {
            zero_where_zero(i, &mut solution, x[1], k);
        }
        solution
    }
}
