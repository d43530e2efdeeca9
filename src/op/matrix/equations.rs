//! Linear equations of matrices: Sylvester's and Stein's.

use serde::{Deserialize, Serialize};

use super::exponential::{order, room};
use super::parts::transposed;
use super::products::times;
use super::square;
use super::stacks::{Kernel, over_stack, stacks, sum};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::matrix::equations::{self, Equation};
use crate::op::Var;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::strong::Strong;
use crate::op::trace::apply;
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The solution X of `A X + X B = Q`.
///
/// Operands: stacks of the square matrices A, `[…, m, m]`, and B, `[…, n, n]`, and of the matrices Q, `[…, m, n]`. By real Schur forms of A and B (Bartels and
/// Stewart 1972).
/// A number that is infinite or NaN gives NaN, and so do equations that have no solution or many, where rounding does not
/// hide it; with `strong`, a Q that is exactly 0 gives 0, whatever A and B are.
///
/// # Constraints
/// (C1) The operands are of one dtype, of floating point, and have the same leading axes. (C2) A and B are square, and Q has
/// the rows of A and the columns of B.
///
/// # Derivative
/// S solves the equation of the transposes, `Aᵀ S + S Bᵀ = ct`; the cotangents of A, B and Q are `-S Xᵀ`, `-Xᵀ S` and S.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveSylvester {
    /// Whether a Q that is exactly 0 gives 0 even if A or B is infinite or NaN: what derivatives ask for.
    pub strong: bool,
}

impl Rules for SolveSylvester {
    const NAME: &'static str = "solve_sylvester";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        infer(operands)
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the X of A X + X B = Q",
            derivative: "by the equation with transposed coefficients",
            accuracy: "backward stable: a few units in the last place times n, in norm",
        }
    }

    fn examples() -> Examples {
        let matrix = |x: [f64; 4]| literal([2, 2], x);
        let answers = vec![
            answer(
                SolveSylvester { strong: false },
                [matrix([1.0, 0.0, 0.0, 3.0]), matrix([1.0, 0.0, 0.0, 2.0]), matrix([2.0, 6.0, 8.0, 10.0])],
                matrix([1.0, 2.0, 2.0, 2.0]),
            ),
            answer(
                SolveSylvester { strong: false },
                [matrix([1.0, 0.0, 0.0, 3.0]), matrix([-1.0, 0.0, 0.0, 2.0]), matrix([2.0, 6.0, 8.0, 10.0])],
                matrix([f64::NAN; 4]),
            ),
            answer(SolveSylvester { strong: false }, wild(), matrix([f64::NAN; 4])),
            answer(SolveSylvester { strong: true }, wild(), matrix([0.0; 4])),
        ];
        Examples { answers, samples: samples(|strong| SolveSylvester { strong }.into(), [(0.5, 1.5), (0.5, 1.5)]) }
    }
}

impl General for SolveSylvester {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let rhs = sum([t[2], t[0].map(|t| -times(t, y[0], Strong::Lhs)), t[1].map(|t| -times(y[0], t, Strong::Rhs))]);
        vec![rhs.map(|rhs| apply(SolveSylvester { strong: true }, &[x[0], x[1], rhs]))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None; 3] };
        let [a, b, y] = [x[0], x[1], y[0]].map(transposed);
        let of_q = apply(SolveSylvester { strong: true }, &[a, b, ct]);
        let of_a = || -times(of_q, y, Strong::Lhs);
        let of_b = || -times(y, of_q, Strong::Rhs);
        vec![wanted[0].then(of_a), wanted[1].then(of_b), wanted[2].then_some(of_q)]
    }
}

impl Kernel<3> for SolveSylvester {
    fn run(&self, operands: [&[f64]; 3], [[m, _], [n, _], _]: [[usize; 2]; 3], result: &mut [f64]) {
        run(Equation::Sylvester, self.strong, operands, [m, n], result);
    }
}

impl Library for SolveSylvester {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        over_stack(self, operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        flops(operands)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        scratch_bytes(operands)
    }
}

/// The solution X of `X - A X B = Q`.
///
/// Operands: stacks of the square matrices A, `[…, m, m]`, and B, `[…, n, n]`, and of the matrices Q, `[…, m, n]`. By real Schur forms of A and B.
///
/// A number that is infinite or NaN gives NaN, and so do equations that have no solution or many, where rounding does not
/// hide it; with `strong`, a Q that is exactly 0 gives 0, whatever A and B are.
///
/// # Constraints
/// (C1) The operands are of one dtype, of floating point, and have the same leading axes. (C2) A and B are square, and Q has
/// the rows of A and the columns of B.
///
/// # Derivative
/// S solves the equation of the transposes, `S - Aᵀ S Bᵀ = ct`; the cotangents of A, B and Q are `S (X B)ᵀ`, `(A X)ᵀ S` and
/// S.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveStein {
    /// Whether a Q that is exactly 0 gives 0 even if A or B is infinite or NaN: what derivatives ask for.
    pub strong: bool,
}

impl Rules for SolveStein {
    const NAME: &'static str = "solve_stein";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        infer(operands)
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the X of X - A X B = Q",
            derivative: "by the equation with transposed coefficients",
            accuracy: "backward stable: a few units in the last place times n, in norm",
        }
    }

    fn examples() -> Examples {
        let matrix = |x: [f64; 4]| literal([2, 2], x);
        let answers = vec![
            answer(
                SolveStein { strong: false },
                [matrix([0.5, 0.0, 0.0, 3.0]), matrix([1.0, 0.0, 0.0, 4.0]), matrix([2.0, 6.0, 8.0, 11.0])],
                matrix([4.0, -6.0, -4.0, -1.0]),
            ),
            answer(SolveStein { strong: false }, wild(), matrix([f64::NAN; 4])),
            answer(SolveStein { strong: true }, wild(), matrix([0.0; 4])),
        ];
        Examples { answers, samples: samples(|strong| SolveStein { strong }.into(), [(-0.3, 0.3), (-0.3, 0.3)]) }
    }
}

impl General for SolveStein {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let rhs = sum([
            t[2],
            t[0].map(|t| times(t, times(y[0], x[1], Strong::Either), Strong::Lhs)),
            t[1].map(|t| times(times(x[0], y[0], Strong::Either), t, Strong::Rhs)),
        ]);
        vec![rhs.map(|rhs| apply(SolveStein { strong: true }, &[x[0], x[1], rhs]))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None; 3] };
        let [a, b, y] = [x[0], x[1], y[0]].map(transposed);
        let of_q = apply(SolveStein { strong: true }, &[a, b, ct]);
        let of_a = || times(of_q, times(b, y, Strong::Either), Strong::Lhs);
        let of_b = || times(times(y, a, Strong::Either), of_q, Strong::Rhs);
        vec![wanted[0].then(of_a), wanted[1].then(of_b), wanted[2].then_some(of_q)]
    }
}

impl Kernel<3> for SolveStein {
    fn run(&self, operands: [&[f64]; 3], [[m, _], [n, _], _]: [[usize; 2]; 3], result: &mut [f64]) {
        run(Equation::Stein, self.strong, operands, [m, n], result);
    }
}

impl Library for SolveStein {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        over_stack(self, operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        flops(operands)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        scratch_bytes(operands)
    }
}

fn infer(operands: &[Type]) -> Result<Types, Mismatch> {
    let [[m, _], [n, _], own] = stacks::<3>(operands)?;
    square(&operands[0])?;
    square(&operands[1])?;
    if own != [m, n] {
        return Err(mismatch!(
            "takes a right side with the rows of the first and the columns of the second matrix, but got {}, {} and {}",
            operands[0],
            operands[1],
            operands[2]
        ));
    }
    Ok(smallvec::smallvec![operands[2].clone()])
}

fn run(equation: Equation, strong: bool, operands: [&[f64]; 3], [m, n]: [usize; 2], result: &mut [f64]) {
    if strong && operands[2].iter().all(|&x| x == 0.0) {
        return result.fill(0.0);
    }
    equations::solve(equation, operands, m, n, result);
}

/// Two Schur forms, of about 25 n³, and products.
fn flops(operands: &[&Type]) -> usize {
    let cubes = operands[..2].iter().map(|ty| ty.size().saturating_mul(order(ty)).saturating_mul(25));
    let (m, n) = (order(operands[0]), order(operands[1]));
    cubes.fold(operands[2].size().saturating_mul(m.saturating_add(n)).saturating_mul(5), usize::saturating_add)
}

fn scratch_bytes(operands: &[&Type]) -> usize {
    let largest = order(operands[0]).max(order(operands[1]));
    room(largest, 12)
}

/// A number that is NaN, and a right side of 0.
fn wild() -> [Array; 3] {
    let matrix = |x: [f64; 4]| literal([2, 2], x);
    [matrix([1.0, 0.0, f64::NAN, 3.0]), matrix([1.0, 0.0, 0.0, 2.0]), matrix([0.0; 4])]
}

fn answer(op: impl Into<crate::op::Op>, operands: [Array; 3], result: Array) -> Answer {
    Answer { op: op.into(), operands: operands.into(), results: vec![result], ulps: 4, regions: vec![] }
}

fn samples(op: impl Fn(bool) -> crate::op::Op, ranges: [(f64, f64); 2]) -> Vec<Sample> {
    let sample = |dtype: DType| {
        [(true, [vec![3, 3], vec![4, 4], vec![3, 4]]), (false, [vec![2, 4, 4], vec![2, 1, 1], vec![2, 4, 1]])].map(
            |(strong, shapes)| {
                let ranges = [ranges[0], ranges[1], (-1.0, 1.0)];
                let operands = shapes.into_iter().map(|shape| Type::new(dtype, shape)).zip(ranges).collect();
                Sample { op: op(strong), operands, regions: vec![] }
            },
        )
    };
    [DType::F64, DType::F32].into_iter().flat_map(sample).collect()
}
