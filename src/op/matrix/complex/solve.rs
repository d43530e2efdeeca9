//! Solutions of complex linear systems of which the factors are known.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::{bytes_of, extents, in_double, square, stacked};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::matrix::complex::solve;
use crate::math::matrix::{Stack, parts};
use crate::op::complex::Complex;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, expect_arity, floats, literal};
use crate::op::trace::apply_all;
use crate::op::{Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The solution `X` of `A X = B`, or of `Aᴴ X = B`, with complex square matrices `A` whose factors are known, for each matrix of
/// a stack; its real and its imaginary part.
///
/// Operands, each as real and imaginary part: `A`; the results of [`ComplexLu`](super::ComplexLu), from which the result is
/// computed; `B`, whose matrices have the right-hand sides as columns. A singular `A` gives infinities and NaN.
///
/// # Constraints
/// (C1) The operands are of one floating-point dtype, with the same leading axes. (C2) The matrices of `A` are square, have
/// factors of the shape that the factorization gives, and have as many rows as those of `B`.
///
/// # Derivative
/// `Ẋ = A⁻¹ (Ḃ - Ȧ X)`; backward `B̄ = A⁻ᴴ X̄` and `Ā = -B̄ Xᴴ` (Giles 2008). Through the factors nothing flows. It is right if
/// they are those of `A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplexSolve {
    /// Whether it is solved with the adjoint of `A`.
    pub adjoint: bool,
    /// Whether a right-hand side of zeros has a solution of zeros even if the matrix is singular or NaN.
    pub strong: bool,
}

impl Rules for ComplexSolve {
    const NAME: &'static str = "complex_solve";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 6)?;
        floats(&operands.iter().map(|ty| ty.dtype).collect::<Vec<DType>>())?;
        let (a, b) = (&operands[0], &operands[4]);
        let n = square(a)?;
        let [rows, k] = extents(b)?;
        let expected = [a.clone(), a.clone(), stacked(a, &[n, n + 1]), a.clone(), stacked(a, &[n, k]), b.clone()];
        let found = operands.iter().zip(&expected).find(|(ty, expected)| ty != expected);
        match found {
            None => Ok(smallvec![b.clone(), b.clone()]),
            Some(_) if rows != n => Err(mismatch!("takes as many rows as the matrices have, but got {a} and {b}")),
            Some((ty, expected)) => Err(mismatch!("takes parts and factors that fit, {expected}, but got {ty}")),
        }
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the solution X of complex A·X = B or Aᴴ·X = B, given the factors of A",
            derivative: "A⁻¹·(Ḃ - Ȧ·X)",
            accuracy: "backward stable",
        }
    }

    fn examples() -> Examples {
        let op = |adjoint, strong| ComplexSolve { adjoint, strong };
        let answer = |op: ComplexSolve, b: [Array; 2], x: [Array; 2]| {
            // A = [[1, 4i], [2i, 0]].
            let a = [literal([2, 2], [1.0, 0.0, 0.0, 0.0]), literal([2, 2], [0.0, 4.0, 2.0, 0.0])];
            let f = [literal([2, 3], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]), literal([2, 2], [2.0, 0.0, -0.5, 4.0])];
            let operands = a.into_iter().chain(f).chain(b).collect();
            Answer { op: op.into(), operands, results: x.into(), ulps: 0, regions: vec![] }
        };
        let column = |x: [f64; 2]| literal([2, 1], x);
        let answers = vec![
            answer(
                op(false, false),
                [column([4.0, 4.0]), column([-2.0, 0.0])],
                [column([0.0, 0.0]), column([-2.0, -1.0])],
            ),
            answer(op(true, false), [column([0.0, 8.0]), column([0.0, 0.0])], [column([0.0, 1.0]), column([2.0, 0.0])]),
        ];
        let sample = |(dtype, op, n, k, leading): (DType, ComplexSolve, usize, usize, &[usize])| {
            let of = |own: [usize; 2]| (Type::new(dtype, [leading, &own].concat()), (-1.0, 1.0));
            let a = of([n, n]);
            let operands = vec![a.clone(), a.clone(), of([n, n + 1]), a, of([n, k]), of([n, k])];
            Sample { op: op.into(), operands, regions: vec![] }
        };
        let of = |dtype| {
            [
                (dtype, op(false, false), 4, 2, &[][..]),
                (dtype, op(true, true), 3, 1, &[]),
                (dtype, op(false, true), 2, 3, &[2]),
            ]
            .map(sample)
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl General for ComplexSolve {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let solution = Complex { re: y[0], im: y[1] };
        let by_a = Complex::any_part(t[0], t[1], x[0]).map(|t| {
            if self.adjoint {
                t.conjugate_transposed_times(solution, Strong::Lhs)
            } else {
                t.times(solution, Strong::Lhs)
            }
        });
        let side = match (Complex::any_part(t[4], t[5], x[4]), by_a) {
            (Some(b), Some(a)) => b - a,
            (Some(b), None) => b,
            (None, Some(a)) => a.each(|part| -part),
            (None, None) => return vec![None, None],
        };
        let Complex { re, im } = self.again(x, side, self.adjoint);
        vec![Some(re), Some(im)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = Complex::any_part(ct[0], ct[1], y[0]) else { return vec![None; 6] };
        let solution = Complex { re: y[0], im: y[1] };
        let by_b = self.again(x, ct, !self.adjoint);
        let by_a = if !wanted[..2].contains(&true) {
            vec![None, None]
        } else if self.adjoint {
            solution.times_conjugate_transposed(by_b, Strong::Rhs).each(|part| -part).wanted(&wanted[..2])
        } else {
            by_b.times_conjugate_transposed(solution, Strong::Lhs).each(|part| -part).wanted(&wanted[..2])
        };
        [by_a, vec![None, None], by_b.wanted(&wanted[4..])].concat()
    }
}

impl ComplexSolve {
    /// The solution with other right-hand sides, which are tangents or cotangents.
    #[track_caller]
    fn again(self, x: &[Var], b: Complex, adjoint: bool) -> Complex {
        let operands = [x[0], x[1], x[2], x[3], b.re, b.im];
        let [re, im] = apply_all(ComplexSolve { adjoint, strong: true }, &operands);
        Complex { re, im }
    }
}

impl Library for ComplexSolve {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let stacks: Vec<Stack<'_, f64>> = operands[2..].iter().map(Stack::new).collect();
            let [f_re, f_im, b_re, b_im] = &stacks[..] else { unreachable!("bug: operands that were not inferred") };
            let (n, k) = (b_re.rows, b_re.columns);
            let [x_re, x_im] = results else { unreachable!("bug: results that were not inferred") };
            let factors = f_re.matrices().zip(f_im.matrices());
            let sides = b_re.matrices().zip(b_im.matrices());
            let solutions = parts::<f64>(x_re, n * k).zip(parts::<f64>(x_im, n * k));
            for ((f, b), x) in factors.zip(sides).zip(solutions) {
                x.0.copy_from_slice(b.0);
                x.1.copy_from_slice(b.1);
                solve([f.0, f.1], n, self.adjoint, [&mut *x.0, &mut *x.1], k);
                if self.strong {
                    zero_where_zero([x.0, x.1], [b.0, b.1], k);
                }
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        result.size().saturating_mul(operands[0].shape[operands[0].rank() - 1]).saturating_mul(8)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        let elements = operands[4].size().saturating_mul(4);
        bytes_of(operands[0], |_| elements.saturating_mul(size_of::<f64>()))
    }
}

/// The columns of `x` that belong to zero columns of `b` as zeros.
fn zero_where_zero(x: [&mut [f64]; 2], b: [&[f64]; 2], k: usize) {
    let [re, im] = x;
    for column in 0..k {
        let is_zero = |part: &[f64]| part.iter().skip(column).step_by(k).all(|&x| x == 0.0);
        if b.into_iter().all(is_zero) {
            re.iter_mut().chain(&mut *im).skip(column).step_by(k).for_each(|x| *x = 0.0);
        }
    }
}
