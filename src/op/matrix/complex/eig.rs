//! Eigenvalues and eigenvectors of complex matrices that need not be Hermitian.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::pairs::{inverse, inverse_gaps, phase_rates, turned, within_gauge};
use super::super::parts::has_elements;
use super::super::products::{diagonal, scaled_columns, with_diagonal};
use super::super::{bytes_of, in_double, stacked};
use super::one_square;
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::complex::{eig, eig_bytes};
use crate::math::matrix::{Stack, parts};
use crate::op::complex::Complex;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::trace::apply_all;
use crate::op::{Op, Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The eigenvalues of complex square matrices, as their real and imaginary parts, and with `vectors` also the eigenvectors, as
/// the columns of two matrices, the real and the imaginary part: four results.
///
/// The operands are the real and the imaginary part of a stack of square matrices. They are reduced to Hessenberg and to
/// Schur form (faer). Eigenvalues come in no particular order, the same for the same bits. The last bits of values may differ
/// with vectors and without.
///
/// # Gauge
/// An eigenvector has length 1, and the first of its elements that is at least half as large as its largest one is real and
/// positive.
///
/// # Derivative
/// With `K = V⁻¹ · dA · V` and `F[i, j] = 1 / (w[j] - w[i])`, `dw = diag(K)` and `dV = V · (F ∘ K)` (Boeddeker et al. 2017, "On the
/// computation of complex-valued gradients with application to statistically optimum beamforming"), to which the multiple of
/// each column is added that keeps it within the gauge. `F` is 0, and there is no derivative, where of [`Eig`](super::super::Eig).
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplexEig {
    /// Whether eigenvectors are further results.
    pub vectors: bool,
}

impl Rules for ComplexEig {
    const NAME: &'static str = "complex_eig";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let n = one_square(operands)?;
        let values = stacked(&operands[0], &[n]);
        let vectors = &operands[0];
        Ok(if self.vectors {
            smallvec![values.clone(), values, vectors.clone(), vectors.clone()]
        } else {
            smallvec![values.clone(), values]
        })
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "eigenvalues of complex square matrices, and eigenvectors as columns, as real and imaginary parts",
            derivative: "dw = diag(K), dV = V (F ∘ K) within the gauge, K = V⁻¹ dA V; NaN for defective matrices",
            accuracy: "backward stable: a few ulp times n, of the largest element",
        }
    }

    fn examples() -> Examples {
        let op = |vectors| -> Op { ComplexEig { vectors }.into() };
        let answer = |op: Op, operands: Vec<Array>, results: Vec<Array>| Answer {
            op,
            operands,
            results,
            ulps: 4,
            regions: vec![],
        };
        let nan = f64::NAN;
        let empty = || literal::<f64>([0, 0], []);
        let answers = vec![
            answer(
                op(true),
                vec![literal([2, 2], [1.0, 0.0, 0.0, 5.0]), literal([2, 2], [2.0, 0.0, 0.0, -1.0])],
                vec![
                    literal([2], [1.0, 5.0]),
                    literal([2], [2.0, -1.0]),
                    literal([2, 2], [1.0, 0.0, 0.0, 1.0]),
                    literal([2, 2], [0.0; 4]),
                ],
            ),
            answer(
                op(false),
                vec![literal([2, 1, 1], [-3.0f32, f32::INFINITY]), literal([2, 1, 1], [0.5f32, 0.0])],
                vec![literal([2, 1], [-3.0f32, f32::NAN]), literal([2, 1], [0.5f32, f32::NAN])],
            ),
            answer(
                op(true),
                vec![literal([1, 1], [1.0]), literal([1, 1], [nan])],
                vec![literal([1], [nan]), literal([1], [nan]), literal([1, 1], [nan]), literal([1, 1], [nan])],
            ),
            answer(op(false), vec![empty(), empty()], vec![literal::<f64>([0], []), literal::<f64>([0], [])]),
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

impl Library for ComplexEig {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let [re, im] = [0, 1].map(|part| Stack::<f64>::new(&operands[part]));
            let n = re.rows;
            let (values, vectors) = results.split_at_mut(2);
            let [w_re, w_im] = values else { unreachable!("bug: results that were not inferred") };
            let values = parts::<f64>(w_re, n).zip(parts::<f64>(w_im, n));
            let mut vectors = match vectors {
                [re, im] => Some(parts::<f64>(re, n * n).zip(parts::<f64>(im, n * n))),
                _ => None,
            };
            for ((re, im), w) in re.matrices().zip(im.matrices()).zip(values) {
                let vectors = vectors.as_mut().and_then(Iterator::next).map(|(re, im)| [re, im]);
                eig([re, im], n, [w.0, w.1], vectors);
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Four times those of real matrices; see `Eig`.
        let n = operands[0].shape[operands[0].rank() - 1];
        operands[0].size().saturating_mul(n).saturating_mul(if self.vectors { 100 } else { 40 })
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |[n, _]| eig_bytes(n, self.vectors))
    }
}

impl General for ComplexEig {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = Complex::any_part(t[0], t[1], x[0]).filter(|_| has_elements(x[0])) else {
            return vec![None; y.len()];
        };
        let (w, v) = self.full(x, y);
        let k = inverse(v).times(t.times(v, Strong::Lhs), Strong::Rhs);
        let of_values = k.each(diagonal);
        if !self.vectors {
            return vec![Some(of_values.re), Some(of_values.im)];
        }
        let free = v.times(inverse_gaps(w).elementwise(k, Strong::Rhs), Strong::Rhs);
        // Each column moves by a multiple of itself, so that neither its length nor the phase of the pivot changes.
        let shrinking = -free.inner_products(v);
        let scaled = v.each(|part| scaled_columns(part, shrinking, Strong::Rhs));
        let of_vectors = free + scaled + turned(v, phase_rates(v, free));
        vec![Some(of_values.re), Some(of_values.im), Some(of_vectors.re), Some(of_vectors.im)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted.contains(&true) || ct.iter().all(Option::is_none) || !has_elements(x[0]) {
            return vec![None, None];
        }
        let (w, v) = self.full(x, y);
        let of_values = Complex::from_parts(ct[0], ct[1], w.re);
        let of_vectors = if self.vectors { Complex::any_part(ct[2], ct[3], v.re) } else { None };
        let inner = match of_vectors {
            None => Complex::from_parts(None, None, v.re),
            Some(ct) => {
                let free = v.conjugate_transposed_times(within_gauge(v, ct), Strong::Rhs);
                inverse_gaps(w).conj().elementwise(free, Strong::Rhs)
            }
        };
        let k = Complex { re: with_diagonal(inner.re, of_values.re), im: with_diagonal(inner.im, of_values.im) };
        let right = k.times_conjugate_transposed(v, Strong::Lhs);
        inverse(v).conjugate_transposed_times(right, Strong::Rhs).wanted(wanted)
    }
}

impl ComplexEig {
    /// Values and vectors: the results, or those of the full operation.
    fn full(self, x: &[Var], y: &[Var]) -> (Complex, Complex) {
        let [a, b, c, d] = match *y {
            [a, b, c, d] => [a, b, c, d],
            _ => complex_eig_of([x[0], x[1]]),
        };
        (Complex { re: a, im: b }, Complex { re: c, im: d })
    }
}

/// The real and imaginary parts of eigenvalues and eigenvectors; see [`ComplexEig`].
#[track_caller]
pub(crate) fn complex_eig_of(x: [Var; 2]) -> [Var; 4] {
    apply_all(ComplexEig { vectors: true }, &x)
}

/// The real and imaginary parts of eigenvalues alone; see [`ComplexEig`].
#[track_caller]
pub(crate) fn complex_eigvals_of(x: [Var; 2]) -> [Var; 2] {
    apply_all(ComplexEig { vectors: false }, &x)
}
