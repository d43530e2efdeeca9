//! Factors of elimination of complex matrices.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::lu::permutation;
use super::super::pairs::{Triangle, lower, upper};
use super::super::products::{times, transposed_times};
use super::super::{bytes_of, in_double, stacked};
use super::one_square;
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::complex::{lu, lu_bytes};
use crate::math::matrix::{Stack, parts};
use crate::op::complex::Complex;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::trace::apply_all;
use crate::op::{Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The factors of `A = Pᵀ L U` by elimination with row exchanges, for each matrix of a stack of complex matrices, as real and
/// imaginary parts.
///
/// The results have `U` on and above the diagonal, and `L`, whose diagonal is 1, below it. That of the real parts has one
/// column more, as of [`Lu`](super::super::Lu): the row of `A` that each row came from. The pivot of a column is the first
/// with the largest sum of the magnitudes of its parts, as in LAPACK. A column without a pivot has the pivot 0, and zeros in
/// `L`. A matrix with an element that is infinite or NaN has NaN in all results.
///
/// # Derivative
/// Where the pivots do not change: `L̇ = L tril(F, -1)` and `U̇ = triu(F) U` with `F = L⁻¹ P Ȧ U⁻¹`. That of the last column is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplexLu;

impl Rules for ComplexLu {
    const NAME: &'static str = "complex_lu";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let n = one_square(operands)?;
        Ok(smallvec![stacked(&operands[0], &[n, n + 1]), operands[0].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the factors L and U of complex matrices with rows in another order, and that order in a last column",
            derivative: "L·tril(F, -1) and triu(F)·U, where F = L⁻¹·P·Ȧ·U⁻¹",
            accuracy: "backward stable",
        }
    }

    fn examples() -> Examples {
        let answer = |operands: [Array; 2], results: [Array; 2]| Answer {
            op: ComplexLu.into(),
            operands: operands.into(),
            results: results.into(),
            ulps: 0,
            regions: vec![],
        };
        let nan = f64::NAN;
        let answers = vec![
            answer(
                [literal([2, 2], [1.0, 2.0, 0.0, 4.0]), literal([2, 2], [0.0, 0.0, 2.0, 0.0])],
                [literal([2, 3], [0.0, 4.0, 1.0, 0.0, 2.0, 0.0]), literal([2, 2], [2.0, 0.0, -0.5, 2.0])],
            ),
            // A column without a pivot.
            answer(
                [literal([2, 2], [0.0, 2.0, 0.0, 4.0]), literal([2, 2], [0.0, 1.0, 0.0, 0.0])],
                [literal([2, 3], [0.0, 2.0, 0.0, 0.0, 4.0, 1.0]), literal([2, 2], [0.0, 1.0, 0.0, 0.0])],
            ),
            answer(
                [literal([2, 1, 1], [1.0, 2.0]), literal([2, 1, 1], [nan, 3.0])],
                [literal([2, 1, 2], [nan, nan, 2.0, 0.0]), literal([2, 1, 1], [nan, 3.0])],
            ),
            answer(
                [literal::<f64>([0, 0], []), literal::<f64>([0, 0], [])],
                [literal::<f64>([0, 1], []), literal::<f64>([0, 0], [])],
            ),
        ];
        let sample = |dtype: DType, shape: &[usize]| Sample {
            op: ComplexLu.into(),
            operands: vec![(Type::new(dtype, shape), (-1.0, 1.0)); 2],
            regions: vec![],
        };
        let samples = [DType::F64, DType::F32]
            .into_iter()
            .flat_map(|dtype| [&[3, 3][..], &[2, 2, 2], &[6, 6]].map(|shape| sample(dtype, shape)));
        Examples { answers, samples: samples.collect() }
    }
}

impl Library for ComplexLu {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let [re, im] = [0, 1].map(|part| Stack::<f64>::new(&operands[part]));
            let n = re.rows;
            let [f_re, f_im] = results else { unreachable!("bug: results that were not inferred") };
            let factors = parts::<f64>(f_re, n * (n + 1)).zip(parts::<f64>(f_im, n * n));
            for ((re, im), (f_re, f_im)) in re.matrices().zip(im.matrices()).zip(factors) {
                lu([re, im], n, [f_re, f_im]);
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        let n = operands[0].shape[operands[0].rank() - 1];
        operands[0].size().saturating_mul(n).saturating_mul(8) / 3
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |[n, _]| lu_bytes(n))
    }
}

/// The columns before the last: both triangles.
#[track_caller]
fn triangles(re: Var, im: Var) -> Complex {
    if re.is_poisoned() {
        return Complex { re, im };
    }
    let last = re.rank() - 1;
    Complex { re: re.slice_axis(last, 0, re.shape()[last - 1], 1), im }
}

const LOWER: Triangle = Triangle { lower: true, adjoint: false, unit: true };
const UPPER: Triangle = Triangle { lower: false, adjoint: false, unit: false };

impl General for ComplexLu {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = Complex::any_part(t[0], t[1], x[0]) else { return vec![None, None] };
        let both = triangles(y[0], y[1]);
        let order = permutation(y[0]);
        let inner = LOWER.solve(both, t.each(|part| times(order, part, Strong::Rhs)));
        // X U⁻¹ = (U⁻ᴴ Xᴴ)ᴴ.
        let f = Triangle { adjoint: true, ..UPPER }.solve(both, inner.adjoint()).adjoint();
        let below = lower(f, -1);
        let of_l = lower(both, -1).times(below, Strong::Rhs) + below;
        let of_u = upper(f, 0).times(upper(both, 0), Strong::Lhs);
        let Complex { re, im } = of_l + of_u;
        vec![Some(with_column(re)), Some(im)]
    }

    fn vjp(&self, _: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted.contains(&true) || ct.iter().all(Option::is_none) {
            return vec![None, None];
        }
        let both = triangles(y[0], y[1]);
        let ct = match (ct[0], ct[1]) {
            (Some(re), im) => triangles(re, Complex::from_parts(None, im, both.im).im),
            (None, im) => Complex::from_parts(None, im, both.im),
        };
        let below = lower(ct, -1);
        // Lᴴ L̄, of which L̄ has no diagonal.
        let by_l = lower(lower(both, -1).conjugate_transposed_times(below, Strong::Rhs) + below, -1);
        let by_u = upper(upper(ct, 0).times_conjugate_transposed(upper(both, 0), Strong::Lhs), 0);
        let inner = Triangle { adjoint: true, ..LOWER }.solve(both, by_l + by_u);
        // X U⁻ᴴ = (U⁻¹ Xᴴ)ᴴ.
        let moved = UPPER.solve(both, inner.adjoint()).adjoint();
        let order = permutation(y[0]);
        moved.each(|part| transposed_times(order, part, Strong::Rhs)).wanted(wanted)
    }
}

/// A column of zeros behind the others.
#[track_caller]
fn with_column(x: Var) -> Var {
    if x.is_poisoned() {
        return x;
    }
    let mut shape = x.shape().to_vec();
    let last = shape.len() - 1;
    shape[last] = 1;
    Var::concatenate(&[x, Var::zeros(Type::new(x.dtype(), shape))], last)
}

/// The factors; see [`ComplexLu`].
#[track_caller]
pub(crate) fn complex_lu_of(x: [Var; 2]) -> [Var; 2] {
    apply_all(ComplexLu, &x)
}
