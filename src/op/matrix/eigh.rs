//! Eigenvalues and eigenvectors of symmetric matrices.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, literal};
use super::super::trace::apply_all;
use super::super::{Op, Strong, Var, strong_product};
use super::parts::symmetric_part;
use super::products::{
    column_products, inverse_gaps, scaled_columns, times, times_transposed, transposed_times, with_diagonal,
};
use super::{bytes_of, in_double, one_square, stacked};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::matrix::{Stack, eigh, eigh_bytes, parts};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The eigenvalues `w` of symmetric matrices, in ascending order, and with `vectors` also the orthogonal matrices `V` whose
/// columns are the eigenvectors: `A = V · diag(w) · Vᵀ`.
///
/// The operand is a stack of square matrices, of which the symmetric part `(A + Aᵀ) / 2` is decomposed, by Householder
/// reduction to tridiagonal form and implicit QR (faer). The eigenvalues have the same bits with vectors and without.
///
/// # Gauge
/// The first element of an eigenvector that is at least half as large as its largest one is positive. The vectors of a
/// repeated eigenvalue are some orthonormal basis.
///
/// # Derivative
/// With `K = Vᵀ · dA · V` and `F[i, j] = 1 / (w[j] - w[i])`: `dw = diag(K)`, and `dV = V · (F ∘ K)`; the cotangent of A is
/// the symmetric part of `V · (diag(w̄) + F ∘ (Vᵀ · V̄)) · Vᵀ` (Giles 2008, "An extended collection of matrix derivative
/// results", section 3.1). `F` is 0 where two eigenvalues are equal but for rounding (they differ by no more
/// than `2 n ε` times the largest), where vectors have no derivative: what flows to `A` is then exact for functions of
/// eigenvalues, in first order, and finite always.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eigh {
    /// Whether eigenvectors are a second result.
    pub vectors: bool,
}

impl Rules for Eigh {
    const NAME: &'static str = "eigh";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let (_, n) = one_square(operands)?;
        let values = stacked(&operands[0], &[n]);
        Ok(if self.vectors { smallvec![values, operands[0].clone()] } else { smallvec![values] })
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "eigenvalues of symmetric matrices, ascending, and eigenvectors as columns; of the symmetric part",
            derivative: "dw = diag(K), dV = V (F ∘ K), K = Vᵀ dA V, F = 1 / (w[j] - w[i]), 0 for equal eigenvalues",
            accuracy: "backward stable: a few ulp times n, of the largest eigenvalue",
        }
    }

    fn examples() -> Examples {
        let op = |vectors| -> Op { Eigh { vectors }.into() };
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let answer =
            |op: Op, x: Array, results: Vec<Array>| Answer { op, operands: vec![x], results, ulps: 4, regions: vec![] };
        let nan = f64::NAN;
        let answers = vec![
            answer(
                op(true),
                literal([2, 2], [2.0, 3.0, -1.0, 2.0]),
                vec![literal([2], [1.0, 3.0]), literal([2, 2], [half, half, -half, half])],
            ),
            answer(op(false), literal([2, 2], [2.0f32, 1.0, 1.0, 2.0]), vec![literal([2], [1.0f32, 3.0])]),
            answer(
                op(true),
                literal([2, 1, 1], [-3.0, f64::INFINITY]),
                vec![literal([2, 1], [-3.0, nan]), literal([2, 1, 1], [1.0, nan])],
            ),
            answer(op(true), literal::<f64>([0, 0], []), vec![literal::<f64>([0], []), literal::<f64>([0, 0], [])]),
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

impl Library for Eigh {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let stack = Stack::<f64>::new(&operands[0]);
            let n = stack.rows;
            let (values, vectors) = results.split_at_mut(1);
            let mut vectors = vectors.first_mut().map(|v| parts::<f64>(v, n * n));
            for (a, w) in stack.matrices().zip(parts::<f64>(&mut values[0], n)) {
                eigh(a, n, w, vectors.as_mut().and_then(Iterator::next));
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        // Golub and Van Loan, "Matrix Computations", 4th edition, section 8.3.
        let n = operands[0].shape[operands[0].rank() - 1];
        let per_column = if self.vectors { n.saturating_mul(9) } else { n.saturating_mul(4) / 3 };
        operands[0].size().saturating_mul(per_column)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |[n, _]| eigh_bytes(n, self.vectors))
    }
}

impl General for Eigh {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = t[0] else { return vec![None; y.len()] };
        let [w, v] = self.full(x[0], y);
        let moved = times(symmetric_part(t), v, Strong::Lhs);
        let of_values = column_products(moved, v, Strong::Lhs);
        if !self.vectors {
            return vec![Some(of_values)];
        }
        let k = transposed_times(v, moved, Strong::Rhs);
        let of_vectors = times(v, strong_product(k, inverse_gaps(w), Strong::Lhs), Strong::Rhs);
        vec![Some(of_values), Some(of_vectors)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if !wanted[0] || ct.iter().all(Option::is_none) {
            return vec![None];
        }
        let [w, v] = self.full(x[0], y);
        let rotated = |ct: Var| strong_product(transposed_times(v, ct, Strong::Rhs), inverse_gaps(w), Strong::Lhs);
        let inner = match (ct[0], ct.get(1).copied().flatten()) {
            (Some(of_values), None) => scaled_columns(v, of_values, Strong::Rhs),
            (None, Some(of_vectors)) => times(v, rotated(of_vectors), Strong::Rhs),
            (Some(of_values), Some(of_vectors)) => times(v, with_diagonal(rotated(of_vectors), of_values), Strong::Rhs),
            (None, None) => unreachable!("bug: no cotangent was excluded"),
        };
        vec![Some(symmetric_part(times_transposed(inner, v, Strong::Lhs)))]
    }
}

impl Eigh {
    /// Values and vectors: the results, or those of the full operation.
    fn full(self, x: Var, y: &[Var]) -> [Var; 2] {
        match *y {
            [w, v] => [w, v],
            _ => eigh_of(x),
        }
    }
}

/// Eigenvalues and eigenvectors; see [`Eigh`].
#[track_caller]
pub(crate) fn eigh_of(x: Var) -> [Var; 2] {
    apply_all(Eigh { vectors: true }, &[x])
}
