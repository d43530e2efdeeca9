//! Singular values and vectors of complex matrices.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::pairs::{freed, of_phases, phase_rates, turned};
use super::super::parts::has_elements;
use super::super::products::{inverse_gaps, inverse_sums, inverses, scaled_columns, scaled_rows, with_diagonal};
use super::super::{bytes_of, extents, in_double, stacked};
use super::one_matrix;
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::complex::{svd, svd_bytes};
use crate::math::matrix::{Stack, parts};
use crate::op::complex::Complex;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::trace::apply_all;
use crate::op::{Op, Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The singular values `s` of complex matrices, in descending order, or with `vectors` five results, the real and imaginary
/// parts of `U`, `s`, and those of `Vᴴ`: the reduced decomposition `A = U · diag(s) · Vᴴ`.
///
/// The operands are the real and the imaginary part of a stack of m×n matrices; with k = min(m, n), `U` is m×k with
/// orthonormal columns and `Vᴴ` is k×n with orthonormal rows. It is computed by reduction to bidiagonal form and implicit QR,
/// from 128 on divide and conquer (faer). The values have the same bits with vectors and without.
///
/// # Gauge
/// The first element of a column of `U` that is at least half as large as its largest one is real and positive; rows of `Vᴴ`
/// follow. The vectors of a repeated value, and those of the value 0, are some orthonormal basis.
///
/// # Derivative
/// With `P = Uᴴ · dA · V`, its Hermitian part `Y` and its skew-Hermitian part `Z`, `E[i, j] = 1 / (s[j] - s[i])` and
/// `G[i, j] = 1 / (s[j] + s[i])`: `ds = re diag(P)`, `dU = U · (E ∘ Y + G ∘ Z + i diag(φ)) + (I - U · Uᴴ) · dA · V / s`, and
/// `dV = V · (E ∘ Y - G ∘ Z + i diag(φ)) + (I - V · Vᴴ) · dAᴴ · U / s`, with the phases `φ` that keep the gauge (Wan and Zhang
/// 2019, "Automatic differentiation for complex valued SVD", in partial fractions as of [`Svd`](super::super::Svd)). What is
/// infinite but for rounding is taken as 0, as there.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplexSvd {
    /// Whether singular vectors are further results.
    pub vectors: bool,
}

impl Rules for ComplexSvd {
    const NAME: &'static str = "complex_svd";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let [m, n] = one_matrix(operands)?;
        let of = |own: &[usize]| stacked(&operands[0], own);
        let k = m.min(n);
        let (u, vh) = (of(&[m, k]), of(&[k, n]));
        Ok(if self.vectors { smallvec![u.clone(), u, of(&[k]), vh.clone(), vh] } else { smallvec![of(&[k])] })
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "singular values of complex matrices, descending, or the reduced decomposition U, s, Vᴴ",
            derivative: "ds = re diag(Uᴴ dA V); of vectors as of real ones, within the gauge; 0 by a value that is 0",
            accuracy: "backward stable: a few ulp times the extent, of the largest value",
        }
    }

    fn examples() -> Examples {
        let op = |vectors| -> Op { ComplexSvd { vectors }.into() };
        let answer = |op: Op, operands: Vec<Array>, results: Vec<Array>| Answer {
            op,
            operands,
            results,
            ulps: 4,
            regions: vec![],
        };
        let nan = f64::NAN;
        let empty = |shape: [usize; 2]| literal::<f64>(shape, []);
        let answers = vec![
            answer(
                op(true),
                vec![literal([2, 3], [0.0, 0.0, 0.0, 3.0, 0.0, 0.0]), literal([2, 3], [0.0, -2.0, 0.0, 0.0, 0.0, 0.0])],
                vec![
                    literal([2, 2], [0.0, 1.0, 1.0, 0.0]),
                    literal([2, 2], [0.0; 4]),
                    literal([2], [3.0, 2.0]),
                    literal([2, 3], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
                    literal([2, 3], [0.0, 0.0, 0.0, 0.0, -1.0, 0.0]),
                ],
            ),
            answer(
                op(false),
                vec![literal([2, 1], [3.0f32, 0.0]), literal([2, 1], [0.0f32, -4.0])],
                vec![literal([1], [5.0f32])],
            ),
            answer(
                op(false),
                vec![literal([2, 1, 1], [-3.0, 1.0]), literal([2, 1, 1], [4.0, nan])],
                vec![literal([2, 1], [5.0, nan])],
            ),
            answer(
                op(true),
                vec![empty([0, 2]), empty([0, 2])],
                vec![empty([0, 0]), empty([0, 0]), literal::<f64>([0], []), empty([0, 2]), empty([0, 2])],
            ),
        ];
        let sample = |(dtype, vectors, shape): (DType, bool, &[usize])| Sample {
            op: op(vectors),
            operands: vec![(Type::new(dtype, shape), (-6.0, 6.0)); 2],
            regions: vec![],
        };
        let of = |dtype| {
            let shapes = [(true, &[3, 3][..]), (true, &[4, 2]), (true, &[2, 4]), (false, &[3, 4]), (true, &[2, 3, 2])];
            shapes.map(|(vectors, shape)| sample((dtype, vectors, shape)))
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Library for ComplexSvd {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let [re, im] = [0, 1].map(|part| Stack::<f64>::new(&operands[part]));
            let [m, n] = [re.rows, re.columns];
            let k = m.min(n);
            let matrices = re.matrices().zip(im.matrices()).map(|(re, im)| [re, im]);
            match results {
                [s] => matrices.zip(parts::<f64>(s, k)).for_each(|(a, s)| svd(a, [m, n], s, None)),
                [u_re, u_im, s, vh_re, vh_im] => {
                    let left = parts::<f64>(u_re, m * k).zip(parts::<f64>(u_im, m * k));
                    let right = parts::<f64>(vh_re, k * n).zip(parts::<f64>(vh_im, k * n));
                    let vectors = left.zip(right);
                    for ((a, s), (u, vh)) in matrices.zip(parts::<f64>(s, k)).zip(vectors) {
                        svd(a, [m, n], s, Some([[u.0, u.1], [vh.0, vh.1]]));
                    }
                }
                _ => unreachable!("bug: results that were not inferred"),
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Four times those of real matrices; see `Svd`.
        let [m, n] = extents(operands[0]).expect("bug: no matrices passed inference");
        let (long, k) = (m.max(n), m.min(n));
        let per_element = if self.vectors {
            k.saturating_mul(14).saturating_add(k.saturating_mul(k).saturating_mul(8) / long.max(1))
        } else {
            k.saturating_mul(4).saturating_sub(k.saturating_mul(k).saturating_mul(4) / (3 * long.max(1)))
        };
        operands[0].size().saturating_mul(per_element).saturating_mul(4)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |extents| svd_bytes(extents, self.vectors))
    }
}

/// The factors of a decomposition.
struct Factors {
    u: Complex,
    s: Var,
    vh: Complex,
}

impl General for ComplexSvd {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = Complex::any_part(t[0], t[1], x[0]).filter(|_| has_elements(x[0])) else {
            return vec![None; y.len()];
        };
        let Factors { u, s, vh } = self.full(x, y);
        let moved = t.times_conjugate_transposed(vh, Strong::Lhs);
        let of_values = unless_zero(s, moved.inner_products(u));
        if !self.vectors {
            return vec![Some(of_values)];
        }
        let p = u.conjugate_transposed_times(moved, Strong::Rhs);
        let (even, odd) = (p.hermitian_part().by(inverse_gaps(s)), p.skew_part().by(inverse_sums(s)));
        let [m, n, k] = extents_of(u, vh);
        let mut of_u = u.times(even + odd, Strong::Rhs);
        if m > k {
            let outside = moved - u.times(p, Strong::Rhs);
            of_u += outside.each(|part| scaled_columns(part, inverses(s), Strong::Lhs));
        }
        let mut of_vh = (odd - even).times(vh, Strong::Lhs);
        if n > k {
            let outside = u.conjugate_transposed_times(t, Strong::Rhs) - p.times(vh, Strong::Lhs);
            of_vh += outside.each(|part| scaled_rows(part, inverses(s), Strong::Lhs));
        }
        let rates = phase_rates(u, of_u);
        of_u += turned(u, rates);
        of_vh += turned(vh.adjoint(), rates).adjoint();
        vec![Some(of_u.re), Some(of_u.im), Some(of_values), Some(of_vh.re), Some(of_vh.im)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted.contains(&true) || ct.iter().all(Option::is_none) || !has_elements(x[0]) {
            return vec![None, None];
        }
        let Factors { u, s, vh } = self.full(x, y);
        let ct_s = if self.vectors { ct[2] } else { ct[0] }.map(|ct| unless_zero(s, ct));
        let ct_u = if self.vectors { Complex::any_part(ct[0], ct[1], u.re) } else { None };
        let ct_vh = if self.vectors { Complex::any_part(ct[3], ct[4], vh.re) } else { None };
        if let (None, Some(ct_s), None) = (ct_u, ct_s, ct_vh) {
            let scaled = u.each(|part| scaled_columns(part, ct_s, Strong::Rhs));
            return scaled.times(vh, Strong::Lhs).wanted(wanted);
        }
        let ct_u = ct_u.unwrap_or_else(|| Complex::from_parts(None, None, u.re));
        let by_phases = match ct_vh {
            Some(ct) => of_phases(u, ct_u) + of_phases(vh.adjoint(), ct.adjoint()),
            None => of_phases(u, ct_u),
        };
        let ct_u = freed(u, ct_u, by_phases);
        // Uᴴ · Ū and Vᴴ · V̄.
        let in_u = u.conjugate_transposed_times(ct_u, Strong::Rhs);
        let in_v = ct_vh.map(|ct| ct.times_conjugate_transposed(vh, Strong::Lhs).adjoint());
        let [sum, difference] = in_v.map_or([in_u, in_u], |in_v| [in_u + in_v, in_u - in_v]);
        let even = sum.by(inverse_gaps(s)).hermitian_part();
        let odd = difference.by(inverse_sums(s)).skew_part();
        let Complex { re, im } = even + odd;
        let inner = Complex { re: ct_s.map_or(re, |ct| with_diagonal(re, ct)), im };
        let [m, n, k] = extents_of(u, vh);
        let mut of_left = u.times(inner, Strong::Rhs);
        if m > k {
            let outside = ct_u - u.times(in_u, Strong::Rhs);
            of_left += outside.each(|part| scaled_columns(part, inverses(s), Strong::Lhs));
        }
        let mut of_x = of_left.times(vh, Strong::Lhs);
        if let (Some(ct), Some(inside)) = (ct_vh, in_v)
            && n > k
        {
            let outside = ct - inside.conjugate_transposed_times(vh, Strong::Lhs);
            let scaled = outside.each(|part| scaled_rows(part, inverses(s), Strong::Lhs));
            of_x += u.times(scaled, Strong::Rhs);
        }
        of_x.wanted(wanted)
    }
}

impl ComplexSvd {
    /// The factors: the results, or those of the full operation.
    fn full(self, x: &[Var], y: &[Var]) -> Factors {
        let [u_re, u_im, s, vh_re, vh_im] = match *y {
            [a, b, c, d, e] => [a, b, c, d, e],
            _ => complex_svd_of([x[0], x[1]]),
        };
        Factors { u: Complex { re: u_re, im: u_im }, s, vh: Complex { re: vh_re, im: vh_im } }
    }
}

/// What flows by a singular value, which is 0 where that is.
#[track_caller]
fn unless_zero(s: Var, flow: Var) -> Var {
    s.equal(0.0).select(0.0, flow)
}

/// The extents m and n of the matrices, and k, the lesser one.
fn extents_of(u: Complex, vh: Complex) -> [usize; 3] {
    if u.re.is_poisoned() || vh.re.is_poisoned() {
        return [0; 3];
    }
    let [u, vh] = [u, vh].map(|x| x.re.shape());
    [u[u.rank() - 2], vh[vh.rank() - 1], u[u.rank() - 1]]
}

/// `U`, `s` and `Vᴴ`; see [`ComplexSvd`].
#[track_caller]
pub(crate) fn complex_svd_of(x: [Var; 2]) -> [Var; 5] {
    apply_all(ComplexSvd { vectors: true }, &x)
}
