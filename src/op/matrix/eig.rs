//! Eigenvalues and eigenvectors of matrices that need not be symmetric. Complex numbers are pairs of reals.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use super::super::trace::apply_all;
use super::super::{Op, Strong, Var, strong_product};
use super::pairs::{inverse, inverse_gaps, pivot_of, pivots, within_gauge};
use super::parts::has_elements;
use super::products::{column_products, diagonal, scaled_columns, times, transposed_times, with_diagonal};
use super::{bytes_of, in_double, one_square, stacked};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::{Stack, eig, eig_bytes, parts};
use crate::op::complex::Complex;
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The eigenvalues of square matrices, as their real and imaginary parts, and with `vectors` also the eigenvectors, as the
/// columns of two matrices, the real and the imaginary part: four results.
///
/// The operand is a stack of square matrices. They are reduced to Hessenberg and to Schur form (faer). Conjugate pairs are
/// neighbors, that with the positive imaginary part first; otherwise eigenvalues come in no particular order, the same for
/// the same bits. The last bits of values may differ with vectors and without.
///
/// # Gauge
/// An eigenvector has length 1, and the first of its elements that is at least half as large as its largest one is real and
/// positive.
///
/// # Derivative
/// With `K = V⁻¹ · dA · V` and `F[i, j] = 1 / (w[j] - w[i])`, `dw = diag(K)` and `dV = V · (F ∘ K)` (Giles 2008, section 3.1),
/// to which the multiple of each column is added that keeps it within the gauge. `F` is 0 where two eigenvalues are equal but
/// for rounding (they differ by no more than `2 n ε` times the largest). Where the vectors are linearly dependent to working precision, as those of a defective matrix are, there is no
/// derivative, and it is NaN.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eig {
    /// Whether eigenvectors are further results.
    pub vectors: bool,
}

impl Rules for Eig {
    const NAME: &'static str = "eig";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let (_, n) = one_square(operands)?;
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
            summary: "eigenvalues of square matrices, and eigenvectors as columns, as real and imaginary parts",
            derivative: "dw = diag(K), dV = V (F ∘ K) within the gauge, K = V⁻¹ dA V; NaN for defective matrices",
            accuracy: "backward stable: a few ulp times n, of the largest element",
        }
    }

    fn examples() -> Examples {
        let op = |vectors| -> Op { Eig { vectors }.into() };
        let answer =
            |op: Op, x: Array, results: Vec<Array>| Answer { op, operands: vec![x], results, ulps: 4, regions: vec![] };
        let (nan, half) = (f64::NAN, std::f64::consts::FRAC_1_SQRT_2);
        let answers = vec![
            answer(
                op(true),
                literal([2, 2], [1.0, -2.0, 2.0, 1.0]),
                vec![
                    literal([2], [1.0, 1.0]),
                    literal([2], [2.0, -2.0]),
                    literal([2, 2], [half, half, 0.0, 0.0]),
                    literal([2, 2], [0.0, 0.0, -half, half]),
                ],
            ),
            answer(
                op(false),
                literal([2, 1, 1], [-3.0f32, f32::INFINITY]),
                vec![literal([2, 1], [-3.0f32, f32::NAN]), literal([2, 1], [0.0f32, f32::NAN])],
            ),
            answer(
                op(true),
                literal([1, 1], [nan]),
                vec![literal([1], [nan]), literal([1], [nan]), literal([1, 1], [nan]), literal([1, 1], [nan])],
            ),
            answer(op(false), literal::<f64>([0, 0], []), vec![literal::<f64>([0], []), literal::<f64>([0], [])]),
        ];
        let sample = |(dtype, vectors, shape): (DType, bool, &[usize])| Sample {
            op: op(vectors),
            operands: vec![(Type::new(dtype, shape), (-6.0, 6.0))],
            regions: vec![],
        };
        let of = |dtype| [(dtype, true, &[4, 4][..]), (dtype, false, &[3, 3]), (dtype, true, &[2, 3, 3])].map(sample);
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Library for Eig {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let stack = Stack::<f64>::new(&operands[0]);
            let n = stack.rows;
            let (values, vectors) = results.split_at_mut(2);
            let [re, im] = values else { unreachable!("bug: results that were not inferred") };
            let mut values = parts::<f64>(re, n).zip(parts::<f64>(im, n));
            let mut vectors = match vectors {
                [re, im] => Some(parts::<f64>(re, n * n).zip(parts::<f64>(im, n * n))),
                _ => None,
            };
            for (a, (re, im)) in stack.matrices().zip(&mut values) {
                let vectors = vectors.as_mut().and_then(Iterator::next).map(|(x, y)| [x, y]);
                eig(a, n, [re, im], vectors);
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Golub and Van Loan, "Matrix Computations", 4th edition, section 7.5.
        let n = operands[0].shape[operands[0].rank() - 1];
        operands[0].size().saturating_mul(n).saturating_mul(if self.vectors { 25 } else { 10 })
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |[n, _]| eig_bytes(n, self.vectors))
    }
}

impl General for Eig {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = t[0].filter(|_| has_elements(x[0])) else { return vec![None; y.len()] };
        let (w, v) = self.full(x[0], y);
        let moved = v.each(|part| times(t, part, Strong::Lhs));
        let k = inverse(v).times(moved, Strong::Rhs);
        let of_values = k.each(diagonal);
        if !self.vectors {
            return vec![Some(of_values.re), Some(of_values.im)];
        }
        let free = v.times(inverse_gaps(w).elementwise(k, Strong::Rhs), Strong::Rhs);
        let (pivot, size) = pivots(v);
        // Each column moves by a multiple of itself, so that neither its length nor the phase of the pivot changes.
        let re = -(column_products(v.re, free.re, Strong::Rhs) + column_products(v.im, free.im, Strong::Rhs));
        let im = -strong_product(pivot_of(pivot, free.im), size.recip(), Strong::Lhs);
        let along = |part: Var, factor: Var| scaled_columns(part, factor, Strong::Rhs);
        let of_re = free.re + along(v.re, re) - along(v.im, im);
        let of_im = free.im + along(v.re, im) + along(v.im, re);
        vec![Some(of_values.re), Some(of_values.im), Some(of_re), Some(of_im)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted[0] || ct.iter().all(Option::is_none) || !has_elements(x[0]) {
            return vec![None];
        }
        let (w, v) = self.full(x[0], y);
        let of_values = Complex::from_parts(ct[0], ct[1], w.re);
        let of_vectors = if self.vectors && (ct[2].is_some() || ct[3].is_some()) {
            Some(Complex::from_parts(ct[2], ct[3], v.re))
        } else {
            None
        };
        let inner = match of_vectors {
            None => v.each(|part| part.full_like(0.0)),
            Some(ct) => {
                let free = within_gauge(v, ct);
                inverse_gaps(w).conj().elementwise(v.conjugate_transposed_times(free, Strong::Rhs), Strong::Rhs)
            }
        };
        let k = Complex { re: with_diagonal(inner.re, of_values.re), im: with_diagonal(inner.im, of_values.im) };
        let right = k.times_conjugate_transposed(v, Strong::Lhs);
        let left = inverse(v);
        let of_x = transposed_times(left.re, right.re, Strong::Rhs) + transposed_times(left.im, right.im, Strong::Rhs);
        vec![Some(of_x)]
    }
}

impl Eig {
    /// Values and vectors: the results, or those of the full operation.
    fn full(self, x: Var, y: &[Var]) -> (Complex, Complex) {
        let [a, b, c, d] = match *y {
            [a, b, c, d] => [a, b, c, d],
            _ => eig_of(x),
        };
        (Complex { re: a, im: b }, Complex { re: c, im: d })
    }
}

/// The real and imaginary parts of eigenvalues and eigenvectors; see [`Eig`].
#[track_caller]
pub(crate) fn eig_of(x: Var) -> [Var; 4] {
    apply_all(Eig { vectors: true }, &[x])
}

/// The real and imaginary parts of eigenvalues alone; see [`Eig`].
#[track_caller]
pub(crate) fn eigvals_of(x: Var) -> [Var; 2] {
    apply_all(Eig { vectors: false }, &[x])
}
