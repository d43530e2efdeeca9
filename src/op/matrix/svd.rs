//! Singular values and vectors.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use super::super::trace::apply_all;
use super::super::{Op, Strong, Var, strong_product};
use super::parts::{symmetric_part, transposed};
use super::products::{
    column_products, inverse_gaps, inverse_sums, inverses, scaled_columns, scaled_rows, times, times_transposed,
    transposed_times, with_diagonal,
};
use super::{bytes_of, extents, in_double, one_matrix, stacked};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::{Stack, parts, svd, svd_bytes};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The singular values `s` of matrices, in descending order, or with `vectors` three results `U`, `s`, `Vᵀ`: the reduced
/// decomposition `A = U · diag(s) · Vᵀ`.
///
/// The operand is a stack of m×n matrices; with k = min(m, n), `U` is m×k with orthonormal columns and `Vᵀ` is k×n with
/// orthonormal rows. It is computed by reduction to bidiagonal form and implicit QR, for k of 128 or more by divide and
/// conquer (faer). The values have the same bits with vectors and without.
///
/// # Gauge
/// The first element of a column of `U` that is at least half as large as its largest one is positive; rows of `Vᵀ` follow.
/// The vectors of a repeated value, and those of the value 0, are some orthonormal basis.
///
/// # Derivative
/// With `P = Uᵀ · dA · V`, its symmetric part `Y` and its skew part `Z`, `E[i, j] = 1 / (s[j] - s[i])` and
/// `G[i, j] = 1 / (s[j] + s[i])`: `ds = diag(P)`, `dU = U · (E ∘ Y + G ∘ Z) + (I - U · Uᵀ) · dA · V / s`, and
/// `dV = V · (E ∘ Y - G ∘ Z) + (I - V · Vᵀ) · dAᵀ · U / s` (Giles 2008, section 3.2, and Seeger et al. 2017, in partial
/// fractions, which do not cancel). `E`, `G` and `1 / s` are 0 where they would be infinite but for rounding (up to `2 k ε`
/// times the largest value): at equal values, where vectors have no derivative, and at zeros. What flows is then exact for functions of the values and for `U · Vᵀ`, and finite
/// always. A value that is 0 passes nothing on, as `abs` at 0.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Svd {
    /// Whether singular vectors are further results.
    pub vectors: bool,
}

impl Rules for Svd {
    const NAME: &'static str = "svd";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let (_, [m, n]) = one_matrix(operands)?;
        let of = |own: &[usize]| stacked(&operands[0], own);
        let k = m.min(n);
        Ok(if self.vectors { smallvec![of(&[m, k]), of(&[k]), of(&[k, n])] } else { smallvec![of(&[k])] })
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "singular values, descending, or the reduced decomposition U, s, Vᵀ",
            derivative: "ds = diag(Uᵀ dA V); of vectors with 1 / (s[j] ± s[i]), 0 for equal values; 0 by a value that is 0",
            accuracy: "backward stable: a few ulp times the extent, of the largest value",
        }
    }

    fn examples() -> Examples {
        let op = |vectors| -> Op { Svd { vectors }.into() };
        let answer =
            |op: Op, x: Array, results: Vec<Array>| Answer { op, operands: vec![x], results, ulps: 4, regions: vec![] };
        let nan = f64::NAN;
        let answers = vec![
            answer(
                op(true),
                literal([2, 3], [0.0, -2.0, 0.0, 3.0, 0.0, 0.0]),
                vec![
                    literal([2, 2], [0.0, 1.0, 1.0, 0.0]),
                    literal([2], [3.0, 2.0]),
                    literal([2, 3], [1.0, 0.0, 0.0, 0.0, -1.0, 0.0]),
                ],
            ),
            answer(op(false), literal([2, 1], [3.0f32, -4.0]), vec![literal([1], [5.0f32])]),
            answer(op(false), literal([2, 1, 1], [-3.0, nan]), vec![literal([2, 1], [3.0, nan])]),
            answer(
                op(true),
                literal::<f64>([0, 2], []),
                vec![literal::<f64>([0, 0], []), literal::<f64>([0], []), literal::<f64>([0, 2], [])],
            ),
        ];
        let sample = |(dtype, vectors, shape): (DType, bool, &[usize])| Sample {
            op: op(vectors),
            operands: vec![(Type::new(dtype, shape), (-6.0, 6.0))],
            regions: vec![],
        };
        let of = |dtype| {
            let shapes = [(true, &[3, 3][..]), (true, &[4, 2]), (true, &[2, 4]), (false, &[3, 4]), (true, &[2, 3, 2])];
            shapes.map(|(vectors, shape)| sample((dtype, vectors, shape)))
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Library for Svd {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let stack = Stack::<f64>::new(&operands[0]);
            let [m, n] = [stack.rows, stack.columns];
            let k = m.min(n);
            match results {
                [s] => {
                    stack.matrices().zip(parts::<f64>(s, k)).for_each(|(a, s)| svd(a, [m, n], s, None));
                }
                [u, s, vt] => {
                    let vectors = parts::<f64>(u, m * k).zip(parts::<f64>(vt, k * n));
                    for ((a, s), (u, vt)) in stack.matrices().zip(parts::<f64>(s, k)).zip(vectors) {
                        svd(a, [m, n], s, Some([u, vt]));
                    }
                }
                _ => unreachable!("bug: results that were not inferred"),
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Golub and Van Loan, "Matrix Computations", 4th edition, section 8.6.
        let [m, n] = extents(operands[0]).expect("bug: no matrices passed inference");
        let (long, k) = (m.max(n), m.min(n));
        let per_element = if self.vectors {
            k.saturating_mul(14).saturating_add(k.saturating_mul(k).saturating_mul(8) / long.max(1))
        } else {
            k.saturating_mul(4).saturating_sub(k.saturating_mul(k).saturating_mul(4) / (3 * long.max(1)))
        };
        operands[0].size().saturating_mul(per_element)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |extents| svd_bytes(extents, self.vectors))
    }
}

impl General for Svd {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = t[0] else { return vec![None; y.len()] };
        let [u, s, vt] = self.full(x[0], y);
        let moved = times_transposed(t, vt, Strong::Lhs);
        let of_values = unless_zero(s, column_products(moved, u, Strong::Lhs));
        if !self.vectors {
            return vec![Some(of_values)];
        }
        let p = transposed_times(u, moved, Strong::Rhs);
        let [e, g] = [inverse_gaps(s), inverse_sums(s)];
        let (even, odd) =
            (strong_product(symmetric_part(p), e, Strong::Lhs), strong_product(skew_part(p), g, Strong::Lhs));
        let [m, n, k] = extents_of(u, vt);
        let mut of_u = times(u, even + odd, Strong::Rhs);
        if m > k {
            let outside = moved - times(u, p, Strong::Rhs);
            of_u += scaled_columns(outside, inverses(s), Strong::Lhs);
        }
        let mut of_vt = times(odd - even, vt, Strong::Lhs);
        if n > k {
            let outside = transposed_times(u, t, Strong::Rhs) - times(p, vt, Strong::Lhs);
            of_vt += scaled_rows(outside, inverses(s), Strong::Lhs);
        }
        vec![Some(of_u), Some(of_values), Some(of_vt)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted[0] || ct.iter().all(Option::is_none) {
            return vec![None];
        }
        let [u, s, vt] = self.full(x[0], y);
        let (ct_u, ct_s, ct_vt) = if self.vectors { (ct[0], ct[1], ct[2]) } else { (None, ct[0], None) };
        let ct_s = ct_s.map(|ct| unless_zero(s, ct));
        if let (None, Some(ct_s), None) = (ct_u, ct_s, ct_vt) {
            return vec![Some(times(scaled_columns(u, ct_s, Strong::Rhs), vt, Strong::Lhs))];
        }
        // Uᵀ · Ū and Vᵀ · V̄.
        let in_u = ct_u.map(|ct| transposed_times(u, ct, Strong::Rhs));
        let in_v = ct_vt.map(|ct| transposed(times_transposed(ct, vt, Strong::Lhs)));
        let [sum, difference] = match (in_u, in_v) {
            (Some(a), Some(b)) => [a + b, a - b],
            (Some(a), None) => [a, a],
            (None, Some(b)) => [b, -b],
            (None, None) => unreachable!("bug: cotangents of vectors were excluded"),
        };
        let [e, g] = [inverse_gaps(s), inverse_sums(s)];
        let even = symmetric_part(strong_product(sum, e, Strong::Lhs));
        let odd = skew_part(strong_product(difference, g, Strong::Lhs));
        let inner = ct_s.map_or(even + odd, |ct| with_diagonal(even + odd, ct));
        let [m, n, k] = extents_of(u, vt);
        let mut of_left = times(u, inner, Strong::Rhs);
        if let (Some(ct), Some(inside)) = (ct_u, in_u)
            && m > k
        {
            let outside = ct - times(u, inside, Strong::Rhs);
            of_left += scaled_columns(outside, inverses(s), Strong::Lhs);
        }
        let mut of_x = times(of_left, vt, Strong::Lhs);
        if let (Some(ct), Some(inside)) = (ct_vt, in_v)
            && n > k
        {
            let outside = ct - transposed_times(inside, vt, Strong::Lhs);
            of_x += times(u, scaled_rows(outside, inverses(s), Strong::Lhs), Strong::Rhs);
        }
        vec![Some(of_x)]
    }
}

impl Svd {
    /// `U`, `s` and `Vᵀ`: the results, or those of the full operation.
    fn full(self, x: Var, y: &[Var]) -> [Var; 3] {
        match *y {
            [u, s, vt] => [u, s, vt],
            _ => svd_of(x),
        }
    }
}

/// `U`, `s` and `Vᵀ`; see [`Svd`].
#[track_caller]
pub(crate) fn svd_of(x: Var) -> [Var; 3] {
    apply_all(Svd { vectors: true }, &[x])
}

/// `(x - xᵀ) / 2`.
#[track_caller]
fn skew_part(x: Var) -> Var {
    (x - transposed(x)) * 0.5
}

/// What flows by a singular value, which is 0 where that is.
#[track_caller]
fn unless_zero(s: Var, flow: Var) -> Var {
    s.equal(0.0).select(0.0, flow)
}

/// The extents m and n of the matrices, and k, the lesser one.
fn extents_of(u: Var, vt: Var) -> [usize; 3] {
    if u.is_poisoned() || vt.is_poisoned() {
        return [0; 3];
    }
    let [u, vt] = [u, vt].map(Var::shape);
    [u[u.rank() - 2], vt[vt.rank() - 1], u[u.rank() - 1]]
}
