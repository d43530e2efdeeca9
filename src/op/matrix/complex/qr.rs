//! Unitary and upper triangular factors of complex matrices.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::pairs::{Triangle, lower, upper};
use super::super::parts::has_elements;
use super::super::products::{diagonal, with_diagonal};
use super::super::{bytes_of, extents, in_double, stacked};
use super::one_matrix;
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::complex::{qr, qr_bytes};
use crate::math::matrix::{Stack, parts};
use crate::op::complex::Complex;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::trace::apply_all;
use crate::op::{Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The reduced factors of complex matrices, `A = Q · R`: four results, the real and imaginary parts of `Q` and those of `R`.
///
/// The operands are the real and the imaginary part of a stack of m×n matrices; with k = min(m, n), `Q` is m×k with orthonormal
/// columns, and `R` is k×n and zero below its diagonal. It is computed by Householder reflections.
///
/// # Gauge
/// The diagonal of `R` is real and not negative, which makes the factors unique if the first k columns of `A` are linearly
/// independent.
///
/// # Derivative
/// For m ≥ n, with `X = dA · R⁻¹`, `Y = Qᴴ · X`, its strictly lower triangle `L` and `T = L - Lᴴ + i im diag(Y)`:
/// `dQ = Q · T + (X - Q · Y)`, of which the second part vanishes for m = n, and `dR` the upper triangle of `Qᴴ · dA - T · R`
/// (that of [`Qr`](super::super::Qr), and a diagonal of `T` by which that of `R` stays real). For m < n it is that of the first m columns, and
/// `R` is `Qᴴ · A` beyond. Where these columns are linearly dependent there is no derivative, and it is infinite or NaN.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplexQr;

impl Rules for ComplexQr {
    const NAME: &'static str = "complex_qr";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let [m, n] = one_matrix(operands)?;
        let k = m.min(n);
        let (q, r) = (stacked(&operands[0], &[m, k]), stacked(&operands[0], &[k, n]));
        Ok(smallvec![q.clone(), q, r.clone(), r])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "reduced unitary and upper triangular factors of complex matrices; the diagonal of R is not negative",
            derivative: "dQ = Q T + (X - Q Qᴴ X), dR = triu(Qᴴ dA - T R), X = dA R⁻¹, T skew-Hermitian with tril(Qᴴ X)",
            accuracy: "backward stable: a few ulp times the extent, of the largest column",
        }
    }

    fn examples() -> Examples {
        let answer = |operands: [Array; 2], results: [Array; 4]| Answer {
            op: ComplexQr.into(),
            operands: operands.into(),
            results: results.into(),
            ulps: 4,
            regions: vec![],
        };
        let nan = f64::NAN;
        let empty = |shape: [usize; 2]| literal::<f64>(shape, []);
        let answers = vec![
            answer(
                [literal([2, 1], [3.0, 0.0]), literal([2, 1], [0.0, -4.0])],
                [
                    literal([2, 1], [0.6, 0.0]),
                    literal([2, 1], [0.0, -0.8]),
                    literal([1, 1], [5.0]),
                    literal([1, 1], [0.0]),
                ],
            ),
            answer(
                [literal([2, 1, 1], [0.0f32, f32::NAN]), literal([2, 1, 1], [-2.0f32, 0.0])],
                [
                    literal([2, 1, 1], [0.0f32, f32::NAN]),
                    literal([2, 1, 1], [-1.0f32, f32::NAN]),
                    literal([2, 1, 1], [2.0f32, f32::NAN]),
                    literal([2, 1, 1], [0.0f32, f32::NAN]),
                ],
            ),
            answer(
                [literal([1, 1], [0.0]), literal([1, 1], [f64::INFINITY])],
                [literal([1, 1], [nan]), literal([1, 1], [nan]), literal([1, 1], [nan]), literal([1, 1], [nan])],
            ),
            answer([empty([0, 2]), empty([0, 2])], [empty([0, 0]), empty([0, 0]), empty([0, 2]), empty([0, 2])]),
        ];
        let sample = |dtype: DType, shape: &[usize]| Sample {
            op: ComplexQr.into(),
            operands: vec![(Type::new(dtype, shape), (-6.0, 6.0)); 2],
            regions: vec![],
        };
        let shapes = [&[3, 3][..], &[4, 2], &[2, 4], &[2, 3, 2]];
        let of = |dtype| shapes.map(|shape| sample(dtype, shape));
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Library for ComplexQr {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let [re, im] = [0, 1].map(|part| Stack::<f64>::new(&operands[part]));
            let [m, n] = [re.rows, re.columns];
            let k = m.min(n);
            let [q_re, q_im, r_re, r_im] = results else { unreachable!("bug: results that were not inferred") };
            let q = parts::<f64>(q_re, m * k).zip(parts::<f64>(q_im, m * k));
            let r = parts::<f64>(r_re, k * n).zip(parts::<f64>(r_im, k * n));
            for ((re, im), (q, r)) in re.matrices().zip(im.matrices()).zip(q.zip(r)) {
                qr([re, im], [m, n], [q.0, q.1], [r.0, r.1]);
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Four times those of real matrices; see `Qr`.
        let [m, n] = extents(operands[0]).expect("bug: no matrices passed inference");
        operands[0].size().saturating_mul(m.min(n)).saturating_mul(16)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], qr_bytes)
    }
}

/// Both factors, or what belongs to them.
#[derive(Clone, Copy)]
struct Factors {
    q: Complex,
    r: Complex,
}

impl General for ComplexQr {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = Complex::any_part(t[0], t[1], x[0]).filter(|_| has_elements(x[0])) else { return vec![None; 4] };
        let factors = Factors { q: Complex { re: y[0], im: y[1] }, r: Complex { re: y[2], im: y[3] } };
        let Some([m, n]) = extents_of(x[0]) else { return vec![Some(Var::poisoned()); 4] };
        let Factors { q, r } = if m >= n {
            pushforward(factors, t, m == n)
        } else {
            let first = Factors { q: factors.q, r: columns(factors.r, 0, m) };
            let Factors { q: of_q, r: of_first } = pushforward(first, columns(t, 0, m), true);
            let rest = columns(Complex { re: x[0], im: x[1] }, m, n);
            let of_rest = of_q.conjugate_transposed_times(rest, Strong::Lhs)
                + factors.q.conjugate_transposed_times(columns(t, m, n), Strong::Rhs);
            Factors { q: of_q, r: joined(of_first, of_rest) }
        };
        vec![Some(q.re), Some(q.im), Some(r.re), Some(r.im)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted.contains(&true) || ct.iter().all(Option::is_none) || !has_elements(x[0]) {
            return vec![None, None];
        }
        let factors = Factors { q: Complex { re: y[0], im: y[1] }, r: Complex { re: y[2], im: y[3] } };
        let Some([m, n]) = extents_of(x[0]) else { return vec![Some(Var::poisoned()); 2] };
        let ct = Factors { q: Complex::from_parts(ct[0], ct[1], y[0]), r: Complex::from_parts(ct[2], ct[3], y[2]) };
        if m >= n {
            return pullback(factors, ct, m == n).wanted(wanted);
        }
        let rest = columns(Complex { re: x[0], im: x[1] }, m, n);
        let ct_rest = columns(ct.r, m, n);
        let through_rest = rest.times_conjugate_transposed(ct_rest, Strong::Rhs);
        let first = Factors { q: factors.q, r: columns(factors.r, 0, m) };
        let ct = Factors { q: ct.q + through_rest, r: columns(ct.r, 0, m) };
        let of_first = pullback(first, ct, true);
        joined(of_first, factors.q.times(ct_rest, Strong::Rhs)).wanted(wanted)
    }
}

const UPPER: Triangle = Triangle { lower: false, adjoint: false, unit: false };

/// The tangents of the factors of matrices with no more columns than rows; see [`ComplexQr`].
#[track_caller]
fn pushforward(Factors { q, r }: Factors, t: Complex, is_square: bool) -> Factors {
    // Ȧ · R⁻¹ = (R⁻ᴴ · Ȧᴴ)ᴴ.
    let x = Triangle { adjoint: true, ..UPPER }.solve(r, t.adjoint()).adjoint();
    let inner = q.conjugate_transposed_times(x, Strong::Rhs);
    let below = lower(inner, -1);
    let turn = with_phases(below - below.adjoint(), inner);
    let of_q = q.times(turn, Strong::Rhs);
    let of_q = if is_square { of_q } else { of_q + (x - q.times(inner, Strong::Rhs)) };
    let of_r = upper(q.conjugate_transposed_times(t, Strong::Rhs) - turn.times(r, Strong::Lhs), 0);
    // The diagonal of R is real.
    Factors { q: of_q, r: Complex { re: of_r.re, im: upper(of_r, 1).im } }
}

/// The cotangent of matrices with no more columns than rows: the transpose of [`pushforward`].
///
/// With `Z = Qᴴ Q̄ - triu(R̄) Rᴴ`, where the diagonal of `R̄` is real, and `W = tril(Z - Zᴴ, -1) + i im diag(Z)`:
/// `Q (triu(R̄) + W R⁻ᴴ) + (Q̄ - Q Qᴴ Q̄) R⁻ᴴ`.
#[track_caller]
fn pullback(Factors { q, r }: Factors, ct: Factors, is_square: bool) -> Complex {
    let ct_r = Complex { re: upper(ct.r, 0).re, im: upper(ct.r, 1).im };
    let by_q = q.conjugate_transposed_times(ct.q, Strong::Rhs);
    let z = by_q - ct_r.times_conjugate_transposed(r, Strong::Lhs);
    // X · R⁻ᴴ = (R⁻¹ · Xᴴ)ᴴ.
    let divided = |x: Complex| UPPER.solve(r, x.adjoint()).adjoint();
    let turned = divided(with_phases(lower(z - z.adjoint(), -1), z));
    let within = q.times(ct_r + turned, Strong::Rhs);
    if is_square {
        return within;
    }
    within + divided(ct.q - q.times(by_q, Strong::Rhs))
}

/// With the imaginary parts of another diagonal.
#[track_caller]
fn with_phases(x: Complex, other: Complex) -> Complex {
    let im = diagonal(other.im);
    let re = if im.is_poisoned() { im } else { im.full_like(0.0) };
    Complex { re: with_diagonal(x.re, re), im: with_diagonal(x.im, im) }
}

fn extents_of(x: Var) -> Option<[usize; 2]> {
    if x.is_poisoned() { None } else { extents(&x.ty()).ok() }
}

/// Some of the columns of the matrices.
#[track_caller]
fn columns(x: Complex, start: usize, limit: usize) -> Complex {
    x.each(|part| if part.is_poisoned() { part } else { part.slice_axis(part.rank() - 1, start, limit, 1) })
}

/// Matrices with further columns.
#[track_caller]
fn joined(x: Complex, y: Complex) -> Complex {
    if x.re.is_poisoned() || y.re.is_poisoned() {
        return x;
    }
    let last = x.re.rank() - 1;
    Complex { re: Var::concatenate(&[x.re, y.re], last), im: Var::concatenate(&[x.im, y.im], last) }
}

/// The parts of `Q` and `R`; see [`ComplexQr`].
#[track_caller]
pub(crate) fn complex_qr_of(x: [Var; 2]) -> [Var; 4] {
    apply_all(ComplexQr, &x)
}
