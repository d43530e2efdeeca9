//! Orthogonal and upper triangular factors.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::rules::{
    Answer, Batching, Derivative, Doc, Examples, General, Library, Lowering, Rules, Sample, eval_library, literal,
};
use super::super::trace::{apply, apply_regions};
use super::super::{Graph, Strong, Var};
use super::parts::{lower_part, transposed, upper_part};
use super::products::{times, times_transposed, transposed_times};
use super::{TriangularSolve, bytes_of, extents, one_matrix, stacked};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::{Stack, parts, qr, qr_bytes, with_real};
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
/// For m ≥ n, with `X = dA · R⁻¹` and `U` the upper triangle of `Qᵀ · X` with its strictly lower one transposed added:
/// `dR = U · R` and `dQ = X - Q · U` (Walter and Lehmann 2010, "On evaluating higher-order derivatives of the QR
/// decomposition of tall matrices"; Seeger et al. 2017). For m < n it is that of the first m columns, and `R` is `Qᵀ · A`
/// beyond. Where these columns are linearly dependent there is no derivative, and it is infinite or NaN.
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

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::General(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Stack
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Library(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "reduced orthogonal and upper triangular factors; the diagonal of R is not negative",
            derivative: "dR = U R, dQ = X - Q U, X = dA R⁻¹, U = triu(Qᵀ X) + tril(Qᵀ X, -1)ᵀ; none at linear dependence",
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
        let [q, r] = results else { unreachable!("bug: results that were not inferred") };
        with_real!(operands[0].dtype(), T => {
            let stack = Stack::<T>::new(&operands[0]);
            let [m, n] = [stack.rows, stack.columns];
            let k = m.min(n);
            let factors = parts::<T>(q, m * k).zip(parts::<T>(r, k * n));
            stack.matrices().zip(factors).for_each(|(a, (q, r))| qr(a, [m, n], q, r));
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Golub and Van Loan, "Matrix Computations", 4th edition, section 5.2: half of it for each factor.
        let [m, n] = extents(operands[0]).expect("bug: no matrices passed inference");
        operands[0].size().saturating_mul(m.min(n)).saturating_mul(4)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |extents| with_real!(operands[0].dtype, T => qr_bytes::<T>(extents)))
    }
}

impl General for Qr {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = t[0] else { return vec![None, None] };
        let [q, r] = [y[0], y[1]];
        let Some([m, n]) = extents_of(x[0]) else { return vec![Some(Var::poisoned()); 2] };
        if m >= n {
            let [of_q, of_r] = pushforward([q, r], t);
            return vec![Some(of_q), Some(of_r)];
        }
        let [of_q, of_first] = pushforward([q, columns(r, 0, m)], columns(t, 0, m));
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
            return vec![pullback([q, r], [ct[0], ct[1]])];
        }
        let Some(ct_r) = ct[1] else {
            let of_first = pullback([q, columns(r, 0, m)], [ct[0], None]);
            return vec![of_first.map(|ct| widened(ct, n - m))];
        };
        let ct_rest = columns(ct_r, m, n);
        let through_rest = times_transposed(columns(x[0], m, n), ct_rest, Strong::Rhs);
        let ct_q = ct[0].map_or(through_rest, |ct| ct + through_rest);
        let of_first = pullback([q, columns(r, 0, m)], [Some(ct_q), Some(columns(ct_r, 0, m))]);
        let of_rest = times(q, ct_rest, Strong::Rhs);
        vec![of_first.map(|of_first| Var::concatenate(&[of_first, of_rest], x[0].rank() - 1))]
    }
}

/// The tangents of the factors of matrices with no more columns than rows.
#[track_caller]
fn pushforward([q, r]: [Var; 2], t: Var) -> [Var; 2] {
    // dA · R⁻¹, by the rows.
    let x = transposed(solve(r, true, transposed(t)));
    let inner = transposed_times(q, x, Strong::Rhs);
    let u = upper_part(inner, 0) + transposed(lower_part(inner, -1));
    [x - times(q, u, Strong::Rhs), times(u, r, Strong::Lhs)]
}

/// The cotangent of a matrix with no more columns than rows.
#[track_caller]
fn pullback([q, r]: [Var; 2], [ct_q, ct_r]: [Option<Var>; 2]) -> Option<Var> {
    let by_r = ct_r.map(|ct| times_transposed(upper_part(ct, 0), r, Strong::Lhs));
    let by_q = ct_q.map(|ct| transposed_times(q, ct, Strong::Rhs));
    let u = match (by_r, by_q) {
        (Some(by_r), Some(by_q)) => by_r - by_q,
        (Some(by_r), None) => by_r,
        (None, Some(by_q)) => -by_q,
        (None, None) => return None,
    };
    let inner = upper_part(u, 0) + transposed(upper_part(u, 1));
    let inside = times(q, inner, Strong::Rhs);
    let x = ct_q.map_or(inside, |ct| ct + inside);
    // x · R⁻ᵀ, by the rows.
    Some(transposed(solve(r, false, transposed(x))))
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
    let results = apply_regions(Qr, &[x], Vec::<Graph>::new());
    results.and_then(|results| results.try_into().ok()).unwrap_or([Var::poisoned(); 2])
}
