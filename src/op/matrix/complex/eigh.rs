//! Eigenvalues and eigenvectors of Hermitian matrices.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::pairs::{freed, of_phases, phase_rates, turned};
use super::super::parts::has_elements;
use super::super::products::{inverse_gaps, scaled_columns, with_diagonal};
use super::super::{bytes_of, in_double, stacked};
use super::one_square;
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::complex::{eigh, eigh_bytes};
use crate::math::matrix::{Stack, parts};
use crate::op::complex::Complex;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::trace::apply_all;
use crate::op::{Op, Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The eigenvalues `w` of Hermitian matrices, in ascending order, and with `vectors` also the unitary matrices `V` whose
/// columns are the eigenvectors, as real and imaginary parts: `A = V · diag(w) · Vᴴ`.
///
/// The operands are the real and the imaginary part of a stack of square matrices, of which the Hermitian part
/// `(A + Aᴴ) / 2` is decomposed, by Householder reduction to tridiagonal form, which phases make real, and implicit QR, from
/// 128 rows on divide and conquer (faer). The eigenvalues have the same bits with vectors and without.
///
/// # Gauge
/// The first element of an eigenvector that is at least half as large as its largest one is real and positive. The vectors
/// of a repeated eigenvalue are some orthonormal basis.
///
/// # Derivative
/// With `K = Vᴴ · dA · V`, of the Hermitian part of `dA`, and `F[i, j] = 1 / (w[j] - w[i])`: `dw = diag(K)`, which is real, and
/// `dV = V · (F ∘ K + i diag(φ))`, with the phases `φ` that keep the vectors within the gauge (Giles 2008, "An extended
/// collection of matrix derivative results", section 3.1; the phases as in Boeddeker, Hanebrink, Drude, Heymann and
/// Haeb-Umbach 2017, "On the computation of complex-valued gradients with application to statistically optimum
/// beamforming"). `F` is 0 where two eigenvalues are equal but for rounding, as of [`Eigh`](super::super::Eigh).
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplexEigh {
    /// Whether eigenvectors are further results.
    pub vectors: bool,
}

impl Rules for ComplexEigh {
    const NAME: &'static str = "complex_eigh";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let n = one_square(operands)?;
        let values = stacked(&operands[0], &[n]);
        let vectors = &operands[0];
        Ok(if self.vectors { smallvec![values, vectors.clone(), vectors.clone()] } else { smallvec![values] })
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "eigenvalues of Hermitian matrices, ascending, and eigenvectors as columns; of the Hermitian part",
            derivative: "dw = diag(K), dV = V (F ∘ K) within the gauge, K = Vᴴ dA V, F = 1 / (w[j] - w[i]), 0 for equal ones",
            accuracy: "backward stable: a few ulp times n, of the largest eigenvalue",
        }
    }

    fn examples() -> Examples {
        let op = |vectors| -> Op { ComplexEigh { vectors }.into() };
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let answer = |op: Op, operands: Vec<Array>, results: Vec<Array>| Answer {
            op,
            operands,
            results,
            ulps: 4,
            regions: vec![],
        };
        let nan = f64::NAN;
        let answers = vec![
            answer(
                op(true),
                vec![literal([2, 2], [2.0, 1.0, -1.0, 2.0]), literal([2, 2], [5.0, 2.0, 0.0, 0.0])],
                vec![
                    literal([2], [1.0, 3.0]),
                    literal([2, 2], [half, half, 0.0, 0.0]),
                    literal([2, 2], [0.0, 0.0, half, -half]),
                ],
            ),
            answer(
                op(false),
                vec![literal([2, 2], [2.0f32, 0.0, 0.0, 2.0]), literal([2, 2], [0.0f32, 1.0, -1.0, 0.0])],
                vec![literal([2], [1.0f32, 3.0])],
            ),
            answer(
                op(true),
                vec![literal([2, 1, 1], [-3.0, 1.0]), literal([2, 1, 1], [0.0, f64::INFINITY])],
                vec![literal([2, 1], [-3.0, nan]), literal([2, 1, 1], [1.0, nan]), literal([2, 1, 1], [0.0, nan])],
            ),
            answer(
                op(true),
                vec![literal::<f64>([0, 0], []), literal::<f64>([0, 0], [])],
                vec![literal::<f64>([0], []), literal::<f64>([0, 0], []), literal::<f64>([0, 0], [])],
            ),
        ];
        let sample = |(dtype, vectors, shape): (DType, bool, &[usize])| Sample {
            op: op(vectors),
            operands: vec![(Type::new(dtype, shape), (-6.0, 6.0)); 2],
            regions: vec![],
        };
        let of = |dtype| [(dtype, true, &[4, 4][..]), (dtype, false, &[3, 3]), (dtype, true, &[2, 3, 3])].map(sample);
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Library for ComplexEigh {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let [re, im] = [0, 1].map(|part| Stack::<f64>::new(&operands[part]));
            let n = re.rows;
            let (values, vectors) = results.split_at_mut(1);
            let mut vectors = match vectors {
                [re, im] => Some(parts::<f64>(re, n * n).zip(parts::<f64>(im, n * n))),
                _ => None,
            };
            for ((re, im), w) in re.matrices().zip(im.matrices()).zip(parts::<f64>(&mut values[0], n)) {
                let vectors = vectors.as_mut().and_then(Iterator::next).map(|(re, im)| [re, im]);
                eigh([re, im], n, w, vectors);
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Four times those of real matrices; see `Eigh`.
        let n = operands[0].shape[operands[0].rank() - 1];
        let per_column = if self.vectors { n.saturating_mul(36) } else { n.saturating_mul(16) / 3 };
        operands[0].size().saturating_mul(per_column)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |[n, _]| eigh_bytes(n, self.vectors))
    }
}

impl General for ComplexEigh {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = Complex::any_part(t[0], t[1], x[0]).filter(|_| has_elements(x[0])) else {
            return vec![None; y.len()];
        };
        let (w, v) = self.full(x, y);
        let moved = t.hermitian_part().times(v, Strong::Lhs);
        let of_values = moved.inner_products(v);
        if !self.vectors {
            return vec![Some(of_values)];
        }
        let k = v.conjugate_transposed_times(moved, Strong::Rhs);
        let free = v.times(k.by(inverse_gaps(w)), Strong::Rhs);
        let of_vectors = free + turned(v, phase_rates(v, free));
        vec![Some(of_values), Some(of_vectors.re), Some(of_vectors.im)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted.contains(&true) || ct.iter().all(Option::is_none) || !has_elements(x[0]) {
            return vec![None, None];
        }
        let (w, v) = self.full(x, y);
        let of_vectors = if self.vectors { Complex::any_part(ct[1], ct[2], v.re) } else { None };
        let inner = match of_vectors {
            None => {
                let of_values = ct[0].expect("bug: no cotangent was excluded");
                v.each(|part| scaled_columns(part, of_values, Strong::Rhs))
            }
            Some(of_vectors) => {
                let free = freed(v, of_vectors, of_phases(v, of_vectors));
                let rotated = v.conjugate_transposed_times(free, Strong::Rhs).by(inverse_gaps(w));
                let re = ct[0].map_or(rotated.re, |of_values| with_diagonal(rotated.re, of_values));
                v.times(Complex { re, im: rotated.im }, Strong::Rhs)
            }
        };
        inner.times_conjugate_transposed(v, Strong::Lhs).hermitian_part().wanted(wanted)
    }
}

impl ComplexEigh {
    /// Values and vectors: the results, or those of the full operation.
    fn full(self, x: &[Var], y: &[Var]) -> (Var, Complex) {
        let [w, re, im] = match *y {
            [w, re, im] => [w, re, im],
            _ => complex_eigh_of([x[0], x[1]]),
        };
        (w, Complex { re, im })
    }
}

/// Eigenvalues and eigenvectors; see [`ComplexEigh`].
#[track_caller]
pub(crate) fn complex_eigh_of(x: [Var; 2]) -> [Var; 3] {
    apply_all(ComplexEigh { vectors: true }, &x)
}
