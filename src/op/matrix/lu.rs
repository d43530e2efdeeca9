//! Factors of elimination.

use serde::{Deserialize, Serialize};

use super::parts::{lower_part, transposed, upper_part};
use super::products::times;
use super::small::{self, MAX_EXTENT};
use super::triangular::TriangularSolve;
use super::{SmallMatrices, one_square, run_small, square, stacked};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::{Stack, lu, parts, with_real};
use crate::op::instructions::Instructions;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use crate::op::trace::apply;
use crate::op::{Strong, Var};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The factors of `A = Pᵀ L U` by elimination with the largest element of each column as its pivot, for each matrix of a stack.
///
/// The result has one column more than `A`: `U` on and above the diagonal, `L`, whose diagonal is 1, below it, and in the last
/// column, as numbers of the dtype, the row of `A` that each row came from, so that `(P A)[i] = A[p[i]]`. Of equal pivots the
/// first is taken. A column without a pivot has the pivot 0, and zeros in `L`. An infinite or NaN element makes some of the
/// result NaN, and all that is solved with it.
///
/// # Constraints
/// (C1) The operand is of floating point, with at least two axes, of which the last two have equal extents.
///
/// # Derivative
/// Where the pivots do not change: `L̇ = L tril(F, -1)` and `U̇ = triu(F) U` with `F = L⁻¹ P Ȧ U⁻¹`. That of the last column is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lu;

impl Rules for Lu {
    const NAME: &'static str = "lu";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let (_, n) = one_square(operands)?;
        Ok(smallvec::smallvec![stacked(&operands[0], &[n, n + 1])])
    }

    on_stacks!(Lu);

    fn doc() -> Doc {
        Doc {
            summary: "the factors L and U of A with its rows in another order, and that order in a last column",
            derivative: "L·tril(F, -1) and triu(F)·U, where F = L⁻¹·P·Ȧ·U⁻¹",
            accuracy: "backward stable",
        }
    }

    fn examples() -> Examples {
        let answer = |a: Array, f: Array| Answer {
            op: Lu.into(),
            operands: vec![a],
            results: vec![f],
            ulps: 0,
            regions: vec![],
        };
        let answers = vec![
            answer(literal([2, 2], [1.0, 2.0, 4.0, 4.0]), literal([2, 3], [4.0, 4.0, 1.0, 0.25, 1.0, 0.0])),
            answer(literal([2, 2], [0.0, 2.0, 0.0, 4.0]), literal([2, 3], [0.0, 2.0, 0.0, 0.0, 4.0, 1.0])),
            // Of equal pivots the first.
            answer(
                literal([3, 3], [1.0, 0.0, 0.0, -2.0, 1.0, 1.0, 2.0, 0.0, 1.0]),
                literal([3, 4], [-2.0, 1.0, 1.0, 1.0, -1.0, 1.0, 2.0, 2.0, -0.5, 0.5, -0.5, 0.0]),
            ),
            answer(literal([2, 1, 1], [4.0f32, 0.0]), literal([2, 1, 2], [4.0f32, 0.0, 0.0, 0.0])),
            answer(literal::<f64>([0, 0], []), literal::<f64>([0, 1], [])),
        ];
        let sample = |dtype: DType, shape: &[usize]| Sample {
            op: Lu.into(),
            operands: vec![(Type::new(dtype, shape), (-1.0, 1.0))],
            regions: vec![],
        };
        let samples = [DType::F64, DType::F32]
            .into_iter()
            .flat_map(|dtype| [&[3, 3][..], &[2, 2, 2], &[6, 6], &[8, 8]].map(|shape| sample(dtype, shape)));
        Examples { answers, samples: samples.collect() }
    }
}

/// The columns before the last: both triangles.
#[track_caller]
fn triangles(factors: Var) -> Var {
    let rank = factors.rank();
    let n = factors.shape()[rank - 2];
    factors.slice_axis(rank - 1, 0, n, 1)
}

/// The permutation `P` of the rows, as a matrix.
#[track_caller]
pub(crate) fn permutation(factors: Var) -> Var {
    if factors.is_poisoned() {
        return factors;
    }
    let rank = factors.rank();
    let n = factors.shape()[rank - 2];
    let rows = factors.stop_gradient().slice_axis(rank - 1, n, n + 1, 1);
    let columns = Var::iota(&[n], 0, DType::I64).convert(factors.dtype());
    rows.equal(columns).convert(factors.dtype())
}

const LOWER: TriangularSolve = TriangularSolve { lower: true, transposed: false, unit: true, strong: true };
const UPPER: TriangularSolve = TriangularSolve { lower: false, unit: false, ..LOWER };

impl General for Lu {
    fn jvp(&self, _: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = t[0] else { return vec![None] };
        let both = triangles(y[0]);
        let moved = times(permutation(y[0]), t, Strong::Rhs);
        let inner = apply(LOWER, &[both, moved]);
        // X U⁻¹ = (U⁻ᵀ Xᵀ)ᵀ.
        let f = transposed(apply(TriangularSolve { transposed: true, ..UPPER }, &[both, transposed(inner)]));
        let below = lower_part(f, -1);
        let l_dot = times(lower_part(both, -1), below, Strong::Rhs) + below;
        let u_dot = times(upper_part(f, 0), upper_part(both, 0), Strong::Lhs);
        vec![Some(with_column(l_dot + u_dot))]
    }

    fn vjp(&self, _: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0].filter(|_| wanted[0]) else { return vec![None] };
        let (both, ct) = (triangles(y[0]), triangles(ct));
        let below = lower_part(ct, -1);
        // Lᵀ L̄, of which L̄ has no diagonal.
        let by_l = lower_part(times(transposed(lower_part(both, -1)), below, Strong::Rhs) + below, -1);
        let by_u = upper_part(times(upper_part(ct, 0), transposed(upper_part(both, 0)), Strong::Lhs), 0);
        let inner = apply(TriangularSolve { transposed: true, ..LOWER }, &[both, by_l + by_u]);
        // X U⁻ᵀ = (U⁻¹ Xᵀ)ᵀ.
        let moved = transposed(apply(UPPER, &[both, transposed(inner)]));
        vec![Some(times(transposed(permutation(y[0])), moved, Strong::Rhs))]
    }
}

/// A column of zeros behind the others.
#[track_caller]
fn with_column(x: Var) -> Var {
    if x.is_poisoned() {
        return x;
    }
    let mut shape = x.shape().to_vec();
    let rank = shape.len();
    shape[rank - 1] = 1;
    Var::concatenate(&[x, Var::zeros(Type::new(x.dtype(), shape))], rank - 1)
}

impl Library for Lu {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_real!(operands[0].dtype(), T => {
            let stack = Stack::<T>::new(&operands[0]);
            let n = stack.rows;
            if n <= MAX_EXTENT {
                return run_small::<T>(self, operands, results);
            }
            for (a, factors) in stack.matrices().zip(parts::<T>(&mut results[0], n * (n + 1))) {
                lu::lu(a, n, factors);
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        let n = operands[0].shape[operands[0].rank() - 1];
        operands[0].size().saturating_mul(n).saturating_mul(2) / 3
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        operands[0].checked_bytes().unwrap_or(usize::MAX).saturating_mul(2)
    }
}

impl SmallMatrices for Lu {
    fn work(&self, operands: &[&Type]) -> Option<usize> {
        let n = square(operands[0]).ok().filter(|&n| n <= MAX_EXTENT)?;
        Some(5 * n * n * n / 3 + n * n)
    }

    #[inline(always)]
    fn code<I: Instructions>(&self, i: &mut I, x: &[&[I::Reg]], operands: &[&Type]) -> Vec<I::Reg> {
        small::lu(i, x[0], operands[0].shape[operands[0].rank() - 1])
    }
}
