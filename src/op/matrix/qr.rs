//! Orthogonal and upper triangular factors.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use super::super::trace::{apply, apply_all};
use super::super::{Strong, Var};
use super::parts::{lower_part, transposed, upper_part};
use super::products::{times, times_transposed, transposed_times};
use super::{TriangularSolve, bytes_of, extents, in_double, one_matrix, stacked};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::{Stack, parts, qr, qr_bytes};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The reduced factors of matrices, `A = Q · R`.
///
/// The operand is a stack of m×n matrices; with k = min(m, n), `Q` is m×k with orthonormal columns, and `R` is k×n and zero
/// below its diagonal. It is computed by Householder reflections (faer).
///
/// # Gauge
/// No number on the diagonal of `R` is negative, which makes the factors unique if the first k columns of `A` are linearly
/// independent.
///
/// # Derivative
/// For m ≥ n, with `X = dA · R⁻¹` and the strictly lower triangle `L` of `Qᵀ · X`: `dQ = Q · (L - Lᵀ) + (X - Q · Qᵀ · X)`, of which the
/// second part vanishes for m = n, and `dR` the upper triangle of `Qᵀ · dA - (L - Lᵀ) · R` (in another form Walter and Lehmann 2010, "On evaluating higher-order derivatives of the QR
/// decomposition of tall matrices"; Seeger et al. 2017). For m < n it is that of the first m columns, and `R` is `Qᵀ · A`
/// beyond. Where these columns are linearly dependent there is no derivative, and it is infinite or NaN; but the last column of a
/// square matrix may depend on the others, as Q and R are smooth there.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all elements of both factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qr;

impl Rules for Qr {
    const NAME: &'static str = "qr";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let (_, [m, n]) = one_matrix(operands)?;
        let k = m.min(n);
        Ok(smallvec![stacked(&operands[0], &[m, k]), stacked(&operands[0], &[k, n])])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "reduced orthogonal and upper triangular factors; the diagonal of R is not negative",
            derivative: "dQ = Q (L - Lᵀ) + (X - Q Qᵀ X), dR = triu(Qᵀ dA - (L - Lᵀ) R), X = dA R⁻¹, L = tril(Qᵀ X, -1)",
            accuracy: "backward stable: a few ulp times the extent, of the largest column",
        }
    }

    fn examples() -> Examples {
        let answer = |x: Array, q: Array, r: Array| Answer {
            op: Qr.into(),
            operands: vec![x],
            results: vec![q, r],
            ulps: 4,
            regions: vec![],
        };
        let nan = f64::NAN;
        let answers = vec![
            answer(
                literal([2, 2], [3.0, 1.0, -4.0, 7.0]),
                literal([2, 2], [0.6, 0.8, -0.8, 0.6]),
                literal([2, 2], [5.0, -5.0, 0.0, 5.0]),
            ),
            answer(literal([1, 2], [-2.0f32, 3.0]), literal([1, 1], [-1.0f32]), literal([1, 2], [2.0f32, -3.0])),
            answer(
                literal([2, 2, 1], [0.0, -2.0, nan, 1.0]),
                literal([2, 2, 1], [0.0, -1.0, nan, nan]),
                literal([2, 1, 1], [2.0, nan]),
            ),
            answer(literal::<f64>([2, 0], []), literal::<f64>([2, 0], []), literal::<f64>([0, 0], [])),
        ];
        let sample = |dtype: DType, shape: &[usize]| Sample {
            op: Qr.into(),
            operands: vec![(Type::new(dtype, shape), (-6.0, 6.0))],
            regions: vec![],
        };
        let of = |dtype| [&[3, 3][..], &[5, 3], &[2, 4], &[2, 4, 3]].map(|shape| sample(dtype, shape));
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Library for Qr {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let [q, r] = results else { unreachable!("bug: results that were not inferred") };
            let stack = Stack::<f64>::new(&operands[0]);
            let [m, n] = [stack.rows, stack.columns];
            let k = m.min(n);
            let factors = parts::<f64>(q, m * k).zip(parts::<f64>(r, k * n));
            stack.matrices().zip(factors).for_each(|(a, (q, r))| qr(a, [m, n], q, r));
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Golub and Van Loan, "Matrix Computations", 4th edition, section 5.2: half of it for each factor.
        let [m, n] = extents(operands[0]).expect("bug: no matrices passed inference");
        operands[0].size().saturating_mul(m.min(n)).saturating_mul(4)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], qr_bytes)
    }
}

impl General for Qr {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = t[0] else { return vec![None, None] };
        let [q, r] = [y[0], y[1]];
        let Some([m, n]) = extents_of(x[0]) else { return vec![Some(Var::poisoned()); 2] };
        if m >= n {
            let [of_q, of_r] = pushforward([q, r], t, m == n);
            return vec![Some(of_q), Some(of_r)];
        }
        let [of_q, of_first] = pushforward([q, columns(r, 0, m)], columns(t, 0, m), true);
        let of_rest = transposed_times(of_q, columns(x[0], m, n), Strong::Lhs)
            + transposed_times(q, columns(t, m, n), Strong::Rhs);
        let last = x[0].rank() - 1;
        vec![Some(of_q), Some(Var::concatenate(&[of_first, of_rest], last))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted[0] || ct.iter().all(Option::is_none) {
            return vec![None];
        }
        let [q, r] = [y[0], y[1]];
        let Some([m, n]) = extents_of(x[0]) else { return vec![Some(Var::poisoned())] };
        if m >= n {
            return vec![pullback([q, r], [ct[0], ct[1]], m == n)];
        }
        let Some(ct_r) = ct[1] else {
            let of_first = pullback([q, columns(r, 0, m)], [ct[0], None], true);
            return vec![of_first.map(|ct| widened(ct, n - m))];
        };
        let ct_rest = columns(ct_r, m, n);
        let through_rest = times_transposed(columns(x[0], m, n), ct_rest, Strong::Rhs);
        let ct_q = ct[0].map_or(through_rest, |ct| ct + through_rest);
        let of_first = pullback([q, columns(r, 0, m)], [Some(ct_q), Some(columns(ct_r, 0, m))], true);
        let of_rest = times(q, ct_rest, Strong::Rhs);
        vec![of_first.map(|of_first| Var::concatenate(&[of_first, of_rest], x[0].rank() - 1))]
    }
}

/// The tangents of the factors of matrices with no more columns than rows.
///
/// With `X = Ȧ R⁻¹` and the strictly lower triangle `L` of `Qᵀ X`: `Q̇ = Q (L - Lᵀ) + (X - Q Qᵀ X)`, of which the second part
/// vanishes for square matrices, and `Ṙ` the upper triangle of `Qᵀ Ȧ - (L - Lᵀ) R`. So the last pivot of a square matrix,
/// on which its factors depend smoothly, is not divided by.
#[track_caller]
fn pushforward([q, r]: [Var; 2], t: Var, is_square: bool) -> [Var; 2] {
    // Ȧ · R⁻¹, by the rows.
    let x = transposed(solve(pivoted(r, is_square), true, transposed(t)));
    let inner = transposed_times(q, x, Strong::Rhs);
    let below = lower_part(inner, -1);
    let turn = below - transposed(below);
    let of_q = times(q, turn, Strong::Rhs);
    let of_q = if is_square { of_q } else { of_q + (x - times(q, inner, Strong::Rhs)) };
    let of_r = transposed_times(q, t, Strong::Rhs) - times(turn, r, Strong::Lhs);
    [of_q, upper_part(of_r, 0)]
}

/// The cotangent of a matrix with no more columns than rows: the transpose of [`pushforward`].
///
/// With `Z = Qᵀ Q̄ - triu(R̄) Rᵀ`: `Q (triu(R̄) + tril(Z - Zᵀ, -1) R⁻ᵀ) + (Q̄ - Q Qᵀ Q̄) R⁻ᵀ`.
#[track_caller]
fn pullback([q, r]: [Var; 2], [ct_q, ct_r]: [Option<Var>; 2], is_square: bool) -> Option<Var> {
    let ct_r = ct_r.map(|ct| upper_part(ct, 0));
    let by_q = ct_q.map(|ct| transposed_times(q, ct, Strong::Rhs));
    let by_r = ct_r.map(|ct| times_transposed(ct, r, Strong::Lhs));
    let z = match (by_q, by_r) {
        (Some(by_q), Some(by_r)) => by_q - by_r,
        (Some(by_q), None) => by_q,
        (None, Some(by_r)) => -by_r,
        (None, None) => return None,
    };
    // X · R⁻ᵀ, by the rows.
    let divided = |x: Var| transposed(solve(pivoted(r, is_square), false, transposed(x)));
    let turned = divided(lower_part(z - transposed(z), -1));
    let within = times(q, ct_r.map_or(turned, |ct| ct + turned), Strong::Rhs);
    let beyond = ct_q.zip(by_q).filter(|_| !is_square).map(|(ct, by_q)| divided(ct - times(q, by_q, Strong::Rhs)));
    Some(beyond.map_or(within, |beyond| within + beyond))
}

/// The upper factor with 1 for the last pivot of a square matrix, which only meets zeros.
#[track_caller]
fn pivoted(r: Var, is_square: bool) -> Var {
    if r.is_poisoned() || !is_square {
        return r;
    }
    let shape = r.shape();
    let n = shape[shape.rank() - 1];
    let [row, column] = [0, 1].map(|axis| Var::iota(&[n, n], axis, DType::I64));
    (row + column).equal(2 * n as i64 - 2).select(Var::number(1.0, r.dtype()), r)
}

/// The solution of `R · y = x` or `Rᵀ · y = x`.
#[track_caller]
fn solve(r: Var, of_transpose: bool, x: Var) -> Var {
    apply(TriangularSolve { lower: false, transposed: of_transpose, unit: false, strong: true }, &[r, x])
}

/// Some of the columns of the matrices.
#[track_caller]
fn columns(x: Var, start: usize, limit: usize) -> Var {
    if x.is_poisoned() { x } else { x.slice_axis(x.rank() - 1, start, limit, 1) }
}

/// The matrices with so many columns of zeros behind theirs.
#[track_caller]
fn widened(x: Var, n: usize) -> Var {
    if x.is_poisoned() {
        return x;
    }
    let mut shape = x.shape().to_vec();
    let last = shape.len() - 1;
    shape[last] = n;
    Var::concatenate(&[x, Var::zeros(Type::new(x.dtype(), shape))], last)
}

fn extents_of(x: Var) -> Option<[usize; 2]> {
    if x.is_poisoned() { None } else { extents(&x.ty()).ok() }
}

/// `Q` and `R`; see [`Qr`].
#[track_caller]
pub(crate) fn qr_of(x: Var) -> [Var; 2] {
    apply_all(Qr, &[x])
}
