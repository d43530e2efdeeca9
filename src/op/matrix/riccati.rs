//! Algebraic Riccati equations, of optimal control and filtering.

use serde::{Deserialize, Serialize};

use super::exponential::{order, room};
use super::parts::{symmetric_part, transposed};
use super::products::times;
use super::stacks::{Kernel, over_stack, stacks, sum};
use super::{Factors, Lu, Solve, SolveStein, SolveSylvester, square};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::matrix::riccati::{self, Time};
use crate::op::Var;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::strong::Strong;
use crate::op::trace::apply;
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The stabilizing solution X of `Aᵀ X + X A - X B R⁻¹ Bᵀ X + Q = 0`.
///
/// Operands: stacks of the matrices A, `[…, n, n]`, B, `[…, n, m]`, Q, `[…, n, n]`, and R, `[…, m, m]`; of Q and R the
/// symmetric parts count. X is symmetric, and all eigenvalues of `A - B K` with the gain `K = R⁻¹ Bᵀ X` have negative real parts. By
/// the matrix sign function and Newton's method. Where there is no such X, all its elements are NaN, also where a number is
/// infinite or NaN.
///
/// # Constraints
/// (C1) The operands are of one dtype, of floating point, and have the same leading axes. (C2) A, Q and R are square; B has
/// the rows of A; Q has the extents of A, and R the columns of B.
///
/// # Derivative
/// With `C = A - B K`, the tangent of X solves `Cᵀ X' + X' C + X (A' - B' K) + (A' - B' K)ᵀ X + Q' + Kᵀ R' K = 0`. In reverse
/// mode S solves `C S + S Cᵀ = -ct`; the cotangents of A, B, Q and R are `2 X S`, `-2 X S Kᵀ`, S and `K S Kᵀ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveContinuousAre;

impl Rules for SolveContinuousAre {
    const NAME: &'static str = "solve_continuous_are";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        infer(operands)
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the stabilizing X of Aᵀ X + X A - X B R⁻¹ Bᵀ X + Q = 0",
            derivative: "by the linearized equation, a Lyapunov equation of the closed loop",
            accuracy: "a residual of a few units in the last place times n, in norm",
        }
    }

    fn examples() -> Examples {
        let number = |x: f64| literal([1, 1], [x]);
        let answers = vec![
            // 2x - x² + 3 = 0
            answer(SolveContinuousAre, [1.0, 1.0, 3.0, 1.0].map(number), number(3.0)),
            // -2x - x²/2 + 6 = 0
            answer(SolveContinuousAre, [-1.0, 1.0, 6.0, 2.0].map(number), number(2.0)),
            // An unstable state that costs nothing is stabilized.
            answer(SolveContinuousAre, [1.0, 1.0, 0.0, 1.0].map(number), number(2.0)),
            // An unstable state that no input moves, and a number that is NaN.
            answer(SolveContinuousAre, [1.0, 0.0, 1.0, 1.0].map(number), number(f64::NAN)),
            answer(SolveContinuousAre, [1.0, 1.0, f64::NAN, 1.0].map(number), number(f64::NAN)),
        ];
        Examples { answers, samples: samples(SolveContinuousAre.into()) }
    }
}

impl SolveContinuousAre {
    /// The gain K and the closed loop `A - B K`.
    #[track_caller]
    fn closed_loop(x: &[Var], y: Var) -> (Var, Var) {
        let (b, r) = (x[1], symmetric_part(x[3]));
        let bx = plain(transposed(b), y);
        let gain = linear_solve(r, bx);
        (gain, x[0] - plain(b, gain))
    }
}

impl General for SolveContinuousAre {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let (gain, closed) = SolveContinuousAre::closed_loop(x, y[0]);
        let xs = y[0];
        let half = sum([
            t[0].map(|t| times(xs, t, Strong::Rhs)),
            t[1].map(|t| -times(xs, times(t, gain, Strong::Lhs), Strong::Rhs)),
            t[2].map(|t| t * 0.5),
            t[3].map(|t| times(transposed(gain), times(t * 0.5, gain, Strong::Lhs), Strong::Rhs)),
        ]);
        let result = |half: Var| {
            let rhs = half + transposed(half);
            apply(SolveSylvester { strong: true }, &[transposed(closed), closed, -rhs])
        };
        vec![half.map(result)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None; 4] };
        let (gain, closed) = SolveContinuousAre::closed_loop(x, y[0]);
        let ct = symmetric_part(ct);
        let s = apply(SolveSylvester { strong: true }, &[closed, transposed(closed), -ct]);
        let xs = transposed(y[0]);
        let of_a = times(xs, s, Strong::Rhs) * 2.0;
        let of_b = || -times(of_a, transposed(gain), Strong::Lhs);
        let of_r = || times(gain, times(s, transposed(gain), Strong::Lhs), Strong::Rhs);
        vec![wanted[0].then_some(of_a), wanted[1].then(of_b), wanted[2].then_some(s), wanted[3].then(of_r)]
    }
}

impl Kernel<4> for SolveContinuousAre {
    fn run(&self, operands: [&[f64]; 4], [_, [n, m], _, _]: [[usize; 2]; 4], result: &mut [f64]) {
        riccati::solve(Time::Continuous, operands, n, m, result);
    }
}

impl Library for SolveContinuousAre {
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

/// The stabilizing solution X of `Aᵀ X A - X - Aᵀ X B (R + Bᵀ X B)⁻¹ Bᵀ X A + Q = 0`.
///
/// Operands: stacks of the matrices A, `[…, n, n]`, B, `[…, n, m]`, Q, `[…, n, n]`, and R, `[…, m, m]`; of Q and R the
/// symmetric parts count. X is symmetric, and all eigenvalues of `A - B K` with the gain `K = (R + Bᵀ X B)⁻¹ Bᵀ X A` lie within the unit circle. By
/// the matrix sign function and Newton's method. Where there is no such X, all its elements are NaN, also where a number is
/// infinite or NaN.
///
/// # Constraints
/// (C1) The operands are of one dtype, of floating point, and have the same leading axes. (C2) A, Q and R are square; B has
/// the rows of A; Q has the extents of A, and R the columns of B.
///
/// # Derivative
/// With `C = A - B K`, the tangent of X solves `X' = Cᵀ X' C + Cᵀ X (A' - B' K) + (A' - B' K)ᵀ X C + Q' + Kᵀ R' K`. In reverse
/// mode S solves `S - C S Cᵀ = ct`; the cotangents of A, B, Q and R are `2 X C S`, `-2 X C S Kᵀ`, S and `K S Kᵀ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveDiscreteAre;

impl Rules for SolveDiscreteAre {
    const NAME: &'static str = "solve_discrete_are";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        infer(operands)
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the stabilizing X of Aᵀ X A - X - Aᵀ X B (R + Bᵀ X B)⁻¹ Bᵀ X A + Q = 0",
            derivative: "by the linearized equation, a Lyapunov equation of the closed loop",
            accuracy: "a residual of a few units in the last place times n, in norm",
        }
    }

    fn examples() -> Examples {
        let number = |x: f64| literal([1, 1], [x]);
        let answers = vec![
            // x = a²x / (1 + x) + q
            answer(SolveDiscreteAre, [2.0, 1.0, 0.0, 1.0].map(number), number(3.0)),
            answer(SolveDiscreteAre, [1.0, 1.0, 0.5, 1.0].map(number), number(1.0)),
            // A weight of inputs that is singular.
            answer(SolveDiscreteAre, [2.0, 1.0, 5.0, 0.0].map(number), number(5.0)),
            answer(SolveDiscreteAre, [2.0, 0.0, 1.0, 1.0].map(number), number(f64::NAN)),
            answer(SolveDiscreteAre, [1.0, 1.0, f64::NAN, 1.0].map(number), number(f64::NAN)),
        ];
        Examples { answers, samples: samples(SolveDiscreteAre.into()) }
    }
}

impl SolveDiscreteAre {
    /// The gain K and the closed loop `A - B K`.
    #[track_caller]
    fn closed_loop(x: &[Var], y: Var) -> (Var, Var) {
        let (b, r) = (x[1], symmetric_part(x[3]));
        let bx = plain(transposed(b), y);
        let gain = linear_solve(r + plain(bx, b), plain(bx, x[0]));
        (gain, x[0] - plain(b, gain))
    }
}

impl General for SolveDiscreteAre {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let (gain, closed) = SolveDiscreteAre::closed_loop(x, y[0]);
        let xs = plain(transposed(closed), y[0]);
        let half = sum([
            t[0].map(|t| times(xs, t, Strong::Rhs)),
            t[1].map(|t| -times(xs, times(t, gain, Strong::Lhs), Strong::Rhs)),
            t[2].map(|t| t * 0.5),
            t[3].map(|t| times(transposed(gain), times(t * 0.5, gain, Strong::Lhs), Strong::Rhs)),
        ]);
        let result = |half: Var| {
            let rhs = half + transposed(half);
            apply(SolveStein { strong: true }, &[transposed(closed), closed, rhs])
        };
        vec![half.map(result)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None; 4] };
        let (gain, closed) = SolveDiscreteAre::closed_loop(x, y[0]);
        let ct = symmetric_part(ct);
        let s = apply(SolveStein { strong: true }, &[closed, transposed(closed), ct]);
        let xs = transposed(plain(transposed(closed), y[0]));
        let of_a = times(xs, s, Strong::Rhs) * 2.0;
        let of_b = || -times(of_a, transposed(gain), Strong::Lhs);
        let of_r = || times(gain, times(s, transposed(gain), Strong::Lhs), Strong::Rhs);
        vec![wanted[0].then_some(of_a), wanted[1].then(of_b), wanted[2].then_some(s), wanted[3].then(of_r)]
    }
}

impl Kernel<4> for SolveDiscreteAre {
    fn run(&self, operands: [&[f64]; 4], [_, [n, m], _, _]: [[usize; 2]; 4], result: &mut [f64]) {
        riccati::solve(Time::Discrete, operands, n, m, result);
    }
}

impl Library for SolveDiscreteAre {
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

/// The Y of `r · Y = b`.
#[track_caller]
fn linear_solve(r: Var, b: Var) -> Var {
    let factors = apply(Lu, &[r]);
    apply(Solve { factors: Factors::Lu, transposed: false, strong: true }, &[r, factors, b])
}

/// A product in which what is exactly 0 counts only as such.
#[track_caller]
fn plain(x: Var, y: Var) -> Var {
    times(x, y, Strong::Either)
}

fn infer(operands: &[Type]) -> Result<Types, Mismatch> {
    let [[n, _], [rows, m], q, r] = stacks::<4>(operands)?;
    square(&operands[0])?;
    if rows != n || q != [n, n] || r != [m, m] {
        return Err(mismatch!(
            "takes matrices [n,n], [n,m], [n,n] and [m,m], but got {}, {}, {} and {}",
            operands[0],
            operands[1],
            operands[2],
            operands[3]
        ));
    }
    Ok(smallvec::smallvec![operands[0].clone()])
}

/// Some ten inverses of twice the order, and two Schur forms.
fn flops(operands: &[&Type]) -> usize {
    operands[0].size().saturating_mul(order(operands[0])).saturating_mul(300)
}

fn scratch_bytes(operands: &[&Type]) -> usize {
    let n = order(operands[0]).saturating_mul(2).saturating_add(order(operands[3]));
    room(n, 12)
}

fn answer(op: impl Into<crate::op::Op>, operands: [Array; 4], result: Array) -> Answer {
    Answer { op: op.into(), operands: operands.into(), results: vec![result], ulps: 4, regions: vec![] }
}

/// Samples; what samples the operation adds to the diagonals of the weights.
fn samples(op: crate::op::Op) -> Vec<Sample> {
    let sample = |dtype: DType| {
        let cases: [(&[usize], [usize; 2]); 2] = [(&[], [3, 2]), (&[2], [2, 1])];
        cases.map(|(leading, [n, m])| {
            let operand = |own: [usize; 2]| (Type::new(dtype, [leading, &own].concat()), (-1.0, 1.0));
            let operands = vec![operand([n, n]), operand([n, m]), operand([n, n]), operand([m, m])];
            Sample { op: op.clone(), operands, regions: vec![] }
        })
    };
    [DType::F64, DType::F32].into_iter().flat_map(sample).collect()
}
