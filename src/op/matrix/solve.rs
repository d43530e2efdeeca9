//! Solutions of linear systems, and inverses, of matrices whose factors are known.

use serde::{Deserialize, Serialize};

use super::parts::{symmetric_part, transposed};
use super::products::times;
use super::small::{self, MAX_EXTENT};
use super::triangular::check_sides;
use super::{SmallMatrices, run_small, square, stacked};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::matrix::{Stack, cholesky, lu, parts, triangular, with_real};
use crate::op::instructions::Instructions;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, expect_arity, literal, same_dtype};
use crate::op::trace::apply;
use crate::op::{Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// What a matrix has been factored into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factors {
    /// The result of [`Lu`](super::Lu).
    Lu,
    /// That of [`Cholesky`](super::Cholesky): the matrix counts as its symmetric part.
    Cholesky,
}

impl Factors {
    /// Requires a matrix and its factors.
    fn check(self, matrix: &Type, factors: &Type) -> Result<(), Mismatch> {
        let n = square(matrix)?;
        let expected = match self {
            Factors::Lu => stacked(matrix, &[n, n + 1]),
            Factors::Cholesky => matrix.clone(),
        };
        if *factors != expected {
            return Err(mismatch!("factors of {matrix} must be {expected}, but got {factors}"));
        }
        Ok(())
    }

    /// A tangent or cotangent of the matrix as it counts.
    #[track_caller]
    fn part(self, x: Var) -> Var {
        match self {
            Factors::Lu => x,
            Factors::Cholesky => symmetric_part(x),
        }
    }
}

/// The solution `X` of `A X = B` with square matrices `A` whose factors are known, for each matrix of a stack.
///
/// Operands: `A`; its factors, from which the result is computed; `B`, whose matrices have the right-hand sides as columns.
/// A singular `A` gives infinities and NaN.
///
/// # Constraints
/// (C1) The operands are of one floating-point dtype, with the same leading axes. (C2) The matrices of `A` are square, have
/// factors of the shape that the factorization gives, and have as many rows as those of `B`.
///
/// # Derivative
/// That of the solution by `A` and `B`: `Ẋ = A⁻¹ (Ḃ - Ȧ X)`; backward `B̄ = A⁻ᵀ X̄` and `Ā = -B̄ Xᵀ`. All of it is solved with the
/// same factors, through which nothing flows. It is right if the factors are those of `A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solve {
    /// What the factors are.
    pub factors: Factors,
    /// Whether the system is that of the transpose.
    pub transposed: bool,
    /// Whether columns of zeros give zeros, even if `A` is singular or NaN, as a derivative needs it.
    pub strong: bool,
}

impl Rules for Solve {
    const NAME: &'static str = "solve";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 3)?;
        let dtypes = [operands[0].dtype, operands[1].dtype, operands[2].dtype];
        same_dtype(&dtypes, DType::is_float, "floating-point numbers")?;
        self.factors.check(&operands[0], &operands[1])?;
        check_sides(&operands[0], &operands[2])?;
        Ok(smallvec::smallvec![operands[2].clone()])
    }

    on_stacks!(Solve);

    fn doc() -> Doc {
        Doc {
            summary: "the solution X of A·X = B, given the factors of A",
            derivative: "A⁻¹·(Ḃ - Ȧ·X), with the same factors",
            accuracy: "backward stable",
        }
    }

    fn examples() -> Examples {
        let lu = |transposed, strong| Solve { factors: Factors::Lu, transposed, strong };
        let by_cholesky = Solve { factors: Factors::Cholesky, ..lu(false, false) };
        let answer = |op: Solve, a: [f64; 4], factors: Array, b: [f64; 2], x: [f64; 2]| Answer {
            op: op.into(),
            operands: vec![literal([2, 2], a), factors, literal([2, 1], b)],
            results: vec![literal([2, 1], x)],
            ulps: 0,
            regions: vec![],
        };
        let a = [1.0, 2.0, 4.0, 4.0];
        let factors = || literal([2, 3], [4.0, 4.0, 1.0, 0.25, 1.0, 0.0]);
        let singular = || literal([2, 3], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let nan = f64::NAN;
        let answers = vec![
            answer(lu(false, false), a, factors(), [5.0, 12.0], [1.0, 2.0]),
            answer(lu(true, false), a, factors(), [9.0, 10.0], [1.0, 2.0]),
            answer(lu(false, false), [0.0; 4], singular(), [0.0, 0.0], [nan, nan]),
            answer(lu(false, true), [0.0; 4], singular(), [0.0, 0.0], [0.0, 0.0]),
            answer(by_cholesky, [4.0, 2.0, 2.0, 10.0], literal([2, 2], [2.0, 0.0, 1.0, 3.0]), [8.0, 22.0], [1.0, 2.0]),
        ];
        let sample = |dtype: DType, op: Solve, a: &[usize], k: usize| {
            let n = a[a.len() - 1];
            let width = if op.factors == Factors::Lu { n + 1 } else { n };
            let with = |last: usize| {
                let shape: Vec<usize> = a[..a.len() - 1].iter().copied().chain([last]).collect();
                (Type::new(dtype, shape), (-1.0, 1.0))
            };
            Sample { op: op.into(), operands: vec![with(n), with(width), with(k)], regions: vec![] }
        };
        let mut samples = Vec::new();
        for dtype in [DType::F64, DType::F32] {
            for op in [lu(false, false), lu(true, true), by_cholesky] {
                samples.push(sample(dtype, op, &[3, 3], 1));
                samples.push(sample(dtype, op, &[2, 2, 2], 3));
                samples.push(sample(dtype, op, &[8, 8], 1));
                samples.push(sample(dtype, op, &[7, 7], 2));
            }
        }
        Examples { answers, samples }
    }
}

impl Solve {
    /// The product with a tangent of the matrix as the system has it.
    #[track_caller]
    fn times(&self, t: Var, x: Var) -> Var {
        let t = self.factors.part(t);
        times(if self.transposed { transposed(t) } else { t }, x, Strong::Lhs)
    }
}

impl General for Solve {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let by_a = t[0].map(|t| -self.times(t, y[0]));
        let side = match (t[2], by_a) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        vec![side.map(|side| apply(Solve { strong: true, ..*self }, &[x[0], x[1], side]))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None, None, None] };
        let back = Solve { transposed: !self.transposed && self.factors == Factors::Lu, strong: true, ..*self };
        let by_b = apply(back, &[x[0], x[1], ct]);
        let by_a = wanted[0].then(|| {
            let whole = if self.transposed {
                times(y[0], transposed(by_b), Strong::Rhs)
            } else {
                times(by_b, transposed(y[0]), Strong::Lhs)
            };
            -self.factors.part(whole)
        });
        vec![by_a, None, wanted[2].then_some(by_b)]
    }
}

impl Library for Solve {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_real!(operands[0].dtype(), T => {
            let (factors, b) = (Stack::<T>::new(&operands[1]), Stack::<T>::new(&operands[2]));
            let n = b.rows;
            if n <= MAX_EXTENT {
                return run_small::<T>(self, operands, results);
            }
            let k = b.columns;
            for ((factors, b), x) in factors.matrices().zip(b.matrices()).zip(parts::<T>(&mut results[0], b.size())) {
                x.copy_from_slice(b);
                match self.factors {
                    Factors::Lu => lu::solve(factors, n, self.transposed, x, k),
                    Factors::Cholesky => cholesky::solve(factors, n, x, k),
                }
                if self.strong {
                    triangular::zero_where_zero(x, b, k);
                }
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        result.size().saturating_mul(operands[0].shape[operands[0].rank() - 1]).saturating_mul(2)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        operands.iter().map(|ty| ty.checked_bytes().unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
    }
}

impl SmallMatrices for Solve {
    fn work(&self, operands: &[&Type]) -> Option<usize> {
        let n = square(operands[0]).ok().filter(|&n| n <= MAX_EXTENT)?;
        let k = operands[2].shape[operands[2].rank() - 1];
        k.checked_mul(3 * n * n + 2 * n)
    }

    #[inline(always)]
    fn code<I: Instructions>(&self, i: &mut I, x: &[&[I::Reg]], operands: &[&Type]) -> Vec<I::Reg> {
        let n = operands[0].shape[operands[0].rank() - 1];
        let k = operands[2].shape[operands[2].rank() - 1];
        let mut solution = match self.factors {
            Factors::Lu => small::solve_lu(i, x[1], n, self.transposed, x[2], k),
            Factors::Cholesky => small::solve_cholesky(i, x[1], n, x[2], k),
        };
        if self.strong {
            small::zero_where_zero(i, &mut solution, x[2], k);
        }
        solution
    }
}

/// The inverses of square matrices whose factors are known, for each matrix of a stack.
///
/// Operands: `A`; its factors, from which the result is computed. That of a singular matrix is infinities and NaN.
///
/// # Constraints
/// (C1) The operands are of one floating-point dtype. (C2) The matrices of `A` are square, and have factors of the shape that
/// the factorization gives.
///
/// # Derivative
/// That of the inverse by `A`: `-A⁻¹ Ȧ A⁻¹`. Through the factors nothing flows. It is right if they are those of `A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inverse {
    /// What the factors are.
    pub factors: Factors,
}

impl Rules for Inverse {
    const NAME: &'static str = "inverse";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        same_dtype(&[operands[0].dtype, operands[1].dtype], DType::is_float, "floating-point numbers")?;
        self.factors.check(&operands[0], &operands[1])?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    on_stacks!(Inverse);

    fn doc() -> Doc {
        Doc {
            summary: "the inverse of A, given its factors",
            derivative: "-A⁻¹·Ȧ·A⁻¹",
            accuracy: "backward stable by columns",
        }
    }

    fn examples() -> Examples {
        let by = |factors| Inverse { factors };
        let answer = |op: Inverse, a: [f64; 4], factors: Array, x: [f64; 4]| Answer {
            op: op.into(),
            operands: vec![literal([2, 2], a), factors],
            results: vec![literal([2, 2], x)],
            ulps: 0,
            regions: vec![],
        };
        let answers = vec![
            answer(
                by(Factors::Lu),
                [1.0, 2.0, 4.0, 4.0],
                literal([2, 3], [4.0, 4.0, 1.0, 0.25, 1.0, 0.0]),
                [-1.0, 0.5, 1.0, -0.25],
            ),
            answer(
                by(Factors::Cholesky),
                [4.0, 2.0, 2.0, 5.0],
                literal([2, 2], [2.0, 0.0, 1.0, 2.0]),
                [0.3125, -0.125, -0.125, 0.25],
            ),
        ];
        let sample = |dtype: DType, factors: Factors, a: &[usize]| {
            let n = a[a.len() - 1];
            let width = if factors == Factors::Lu { n + 1 } else { n };
            let with = |last: usize| {
                let shape: Vec<usize> = a[..a.len() - 1].iter().copied().chain([last]).collect();
                (Type::new(dtype, shape), (-1.0, 1.0))
            };
            Sample { op: by(factors).into(), operands: vec![with(n), with(width)], regions: vec![] }
        };
        let mut samples = Vec::new();
        for dtype in [DType::F64, DType::F32] {
            for factors in [Factors::Lu, Factors::Cholesky] {
                samples.extend([&[3, 3][..], &[2, 2, 2], &[7, 7]].map(|shape| sample(dtype, factors, shape)));
            }
        }
        Examples { answers, samples }
    }
}

impl General for Inverse {
    fn jvp(&self, _: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let by_a = |t: Var| -times(times(y[0], self.factors.part(t), Strong::Rhs), y[0], Strong::Lhs);
        vec![t[0].map(by_a)]
    }

    fn vjp(&self, _: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let by_a = |ct: Var| {
            let back = transposed(y[0]);
            -self.factors.part(times(times(back, ct, Strong::Rhs), back, Strong::Lhs))
        };
        vec![ct[0].filter(|_| wanted[0]).map(by_a), None]
    }
}

impl Library for Inverse {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_real!(operands[0].dtype(), T => {
            let factors = Stack::<T>::new(&operands[1]);
            let n = factors.rows;
            if n <= MAX_EXTENT {
                return run_small::<T>(self, operands, results);
            }
            for (factors, x) in factors.matrices().zip(parts::<T>(&mut results[0], n * n)) {
                match self.factors {
                    Factors::Cholesky => cholesky::inverse(factors, n, x),
                    Factors::Lu => {
                        x.fill(0.0);
                        x.iter_mut().step_by(n + 1).for_each(|x| *x = 1.0);
                        lu::solve(factors, n, false, x, n);
                    }
                }
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        let n = operands[0].shape[operands[0].rank() - 1];
        let products = result.size().saturating_mul(n);
        match self.factors {
            Factors::Lu => products.saturating_mul(2),
            Factors::Cholesky => products / 3 * 2,
        }
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        operands[1].checked_bytes().unwrap_or(usize::MAX).saturating_mul(2)
    }
}

impl SmallMatrices for Inverse {
    fn work(&self, operands: &[&Type]) -> Option<usize> {
        let n = square(operands[0]).ok().filter(|&n| n <= MAX_EXTENT)?;
        Some(3 * n * n * n + 2 * n * n)
    }

    #[inline(always)]
    fn code<I: Instructions>(&self, i: &mut I, x: &[&[I::Reg]], operands: &[&Type]) -> Vec<I::Reg> {
        let n = operands[0].shape[operands[0].rank() - 1];
        let Some(&first) = x[1].first() else { return vec![] };
        let unit = small::identity(i, n, first);
        match self.factors {
            Factors::Lu => small::solve_lu(i, x[1], n, false, &unit, n),
            Factors::Cholesky => small::solve_cholesky(i, x[1], n, &unit, n),
        }
    }
}
