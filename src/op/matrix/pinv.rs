//! Pseudoinverses, and what matrices take to zero.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::super::rules::{
    Answer, Doc, Examples, General, Library, Rules, Sample, expect_arity, floats, literal, same_dtype,
};
use super::super::trace::apply;
use super::super::{Op, Strong, Var};
use super::parts::transposed;
use super::products::{times, times_transposed, transposed_times};
use super::{bytes_of, extents, in_double, one_matrix, stacked};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::matrix::{Stack, null_space, parts, pinv, pinv_bytes, svd_bytes};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The pseudoinverses of Moore and Penrose of matrices: `V · diag(1/s) · Uᵀ`, with 0 in place of `1/s` for singular values
/// that are not larger than a given part of the largest one.
///
/// Operands: a stack of m×n matrices; for each of them the part, a number.
///
/// # Constraints
/// (C1) Both have one floating-point dtype. (C2) The shape of the second is the leading axes of the first.
///
/// # Derivative
/// By the matrix, with `P` for the result: `-P · dA · P + P · Pᵀ · dAᵀ · (I - A · P) + (I - P · A) · dAᵀ · Pᵀ · P` (Golub and
/// Pereyra 1973), which holds while the rank does not change. By the part it is 0.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all elements of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinv;

impl Rules for Pinv {
    const NAME: &'static str = "pinv";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        same_dtype(&[operands[0].dtype, operands[1].dtype], DType::is_float, "floating-point numbers")?;
        let [m, n] = extents(&operands[0])?;
        let leading = &operands[0].shape[..operands[0].rank() - 2];
        if operands[1].shape[..] != *leading {
            return Err(mismatch!("takes one number for each matrix, but got {} and {}", operands[0], operands[1]));
        }
        Ok(smallvec![stacked(&operands[0], &[n, m])])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "pseudoinverses; singular values up to a given part of the largest count as 0",
            derivative: "-P dA P + P Pᵀ dAᵀ (I - A P) + (I - P A) dAᵀ Pᵀ P, at constant rank; 0 by the part",
            accuracy: "a few ulp times the extent and the condition, of the largest element",
        }
    }

    fn examples() -> Examples {
        let answer = |x: Array, part: Array, y: Array| Answer {
            op: Pinv.into(),
            operands: vec![x, part],
            results: vec![y],
            ulps: 4,
            regions: vec![],
        };
        let nan = f64::NAN;
        let answers = vec![
            answer(
                literal([2, 3], [0.0, 4.0, 0.0, 0.5, 0.0, 0.0]),
                literal([], [0.0]),
                literal([3, 2], [0.0, 2.0, 0.25, 0.0, 0.0, 0.0]),
            ),
            answer(
                literal([2, 2], [4.0f32, 0.0, 0.0, 1.0]),
                literal([], [0.5f32]),
                literal([2, 2], [0.25f32, 0.0, 0.0, 0.0]),
            ),
            answer(
                literal([3, 1, 1], [0.0, nan, 2.0]),
                literal([3], [0.0, 0.0, 0.0]),
                literal([3, 1, 1], [0.0, nan, 0.5]),
            ),
            answer(literal::<f64>([0, 2], []), literal([], [0.0]), literal::<f64>([2, 0], [])),
        ];
        let sample = |dtype: DType, shape: &[usize]| Sample {
            op: Pinv.into(),
            operands: vec![
                (Type::new(dtype, shape), (-6.0, 6.0)),
                (Type::new(dtype, &shape[..shape.len() - 2]), (1e-6, 1e-5)),
            ],
            regions: vec![],
        };
        let of = |dtype| [&[5, 3][..], &[4, 2], &[2, 2, 3]].map(|shape| sample(dtype, shape));
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Library for Pinv {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let stack = Stack::<f64>::new(&operands[0]);
            let extents = [stack.rows, stack.columns];
            let fractions = operands[1].typed::<f64>();
            let results = parts::<f64>(&mut results[0], stack.size());
            for ((a, p), &fraction) in stack.matrices().zip(results).zip(fractions.iter()) {
                pinv(a, extents, fraction, p);
            }
        });
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        let [m, n] = extents(operands[0]).expect("bug: no matrices passed inference");
        operands[0].size().saturating_mul(m.min(n)).saturating_mul(16)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], pinv_bytes)
    }
}

impl General for Pinv {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = t[0] else { return vec![None] };
        let (a, p) = (x[0], y[0]);
        let through = times(times(p, t, Strong::Rhs), p, Strong::Lhs);
        let left = times(p, transposed_times(p, transposed(t), Strong::Rhs), Strong::Rhs);
        let right = times(times_transposed(transposed(t), p, Strong::Lhs), p, Strong::Lhs);
        let left = left - times(times(left, a, Strong::Lhs), p, Strong::Lhs);
        let right = right - times(p, times(a, right, Strong::Rhs), Strong::Rhs);
        vec![Some(left + right - through)]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0].filter(|_| wanted[0]) else { return vec![None, None] };
        let (a, p) = (x[0], y[0]);
        let through = times_transposed(transposed_times(p, ct, Strong::Rhs), p, Strong::Lhs);
        let ct = transposed(ct);
        let left = times_transposed(times(ct, p, Strong::Lhs), p, Strong::Lhs);
        let right = transposed_times(p, times(p, ct, Strong::Rhs), Strong::Rhs);
        let left = left - times(a, times(p, left, Strong::Rhs), Strong::Rhs);
        let right = right - times(times(right, p, Strong::Lhs), a, Strong::Lhs);
        vec![Some(left + right - through), None]
    }
}

/// Pseudoinverses; see [`Pinv`].
#[track_caller]
pub(crate) fn pinv_of(x: Var, fraction: Var) -> Var {
    apply(Pinv, &[x, fraction])
}

/// Orthonormal vectors, as columns, that matrices take to zero: the right singular vectors of the least singular values.
///
/// The operand is a stack of m×n matrices, of a rank that is given; the result has n - rank columns.
///
/// # Gauge
/// The vectors are some orthonormal basis of what they span, the same for the same bits of the matrix.
///
/// # Constraints
/// (C1) The rank is m or less, and n or less.
///
/// # Derivative
/// `-A⁺ · dA · N`, with `N` for the result, which is that of a basis that turns as little as can be. It holds while the rank
/// does not change, and is exact for functions of the space that the vectors span, as `N · Nᵀ`.
///
/// # NaN
/// A matrix with an element that is infinite or NaN has NaN in all elements of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NullSpace {
    /// The rank of the matrices.
    pub rank: usize,
}

impl Rules for NullSpace {
    const NAME: &'static str = "null_space";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let (dtype, [m, n]) = one_matrix(operands)?;
        floats(&[dtype])?;
        if self.rank > m.min(n) {
            return Err(mismatch!("the rank must be {} or less, but got {}", m.min(n), self.rank));
        }
        Ok(smallvec![stacked(&operands[0], &[n, n - self.rank])])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "orthonormal vectors, as columns, that matrices of a given rank take to zero",
            derivative: "-A⁺ dA N, at constant rank; exact for functions of the space",
            accuracy: "backward stable: a few ulp times the extent, of the largest singular value",
        }
    }

    fn examples() -> Examples {
        let answer = |rank: usize, x: Array, y: Array| Answer {
            op: NullSpace { rank }.into(),
            operands: vec![x],
            results: vec![y],
            ulps: 4,
            regions: vec![],
        };
        let nan = f64::NAN;
        let answers = vec![
            answer(1, literal([1, 2], [3.0, -4.0]), literal([2, 1], [0.8, 0.6])),
            answer(1, literal([2, 1, 2], [0.0, 2.0, nan, 1.0]), literal([2, 2, 1], [1.0, 0.0, nan, nan])),
            answer(0, literal([1, 1], [0.0f32]), literal([1, 1], [1.0f32])),
            answer(0, literal::<f64>([0, 1], []), literal([1, 1], [1.0])),
        ];
        let sample = |dtype: DType, rank: usize, shape: &[usize]| Sample {
            op: NullSpace { rank }.into(),
            operands: vec![(Type::new(dtype, shape), (-6.0, 6.0))],
            regions: vec![],
        };
        let of = |dtype| [sample(dtype, 3, &[3, 4]), sample(dtype, 2, &[2, 2, 3])];
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Library for NullSpace {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        in_double(operands, results, &|operands, results| {
            let stack = Stack::<f64>::new(&operands[0]);
            let (m, n) = (stack.rows, stack.columns);
            let results = parts::<f64>(&mut results[0], n * (n - self.rank));
            // Matrices without rows have no elements, but a null space.
            let mut matrices = stack.matrices();
            for result in results {
                null_space(matrices.next().unwrap_or(&[]), [m, n], self.rank, result);
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        let n = result.shape[result.rank() - 2];
        operands[0].size().max(result.size()).saturating_mul(n).saturating_mul(22)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        bytes_of(operands[0], |[m, n]| {
            let rows = m.max(n);
            let elements = rows.saturating_mul(n).saturating_mul(3).saturating_mul(size_of::<f64>());
            svd_bytes([rows, n], true).saturating_add(elements)
        })
    }
}

impl General for NullSpace {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        vec![t[0].map(|t| -times(inverse_of(x[0]), times(t, y[0], Strong::Lhs), Strong::Rhs))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let of = |ct: Var| -times_transposed(transposed_times(inverse_of(x[0]), ct, Strong::Rhs), y[0], Strong::Lhs);
        vec![ct[0].filter(|_| wanted[0]).map(of)]
    }
}

/// The pseudoinverse, with NumPy's part.
#[track_caller]
fn inverse_of(x: Var) -> Var {
    if x.is_poisoned() { x } else { pinv_of(x, default_fraction(x)) }
}

/// For each matrix, the part of the largest singular value up to which others are rounding errors: epsilon times the larger
/// extent, as in NumPy.
#[track_caller]
pub(crate) fn default_fraction(x: Var) -> Var {
    let shape = x.shape();
    let (leading, own) = shape.split_at(shape.rank() - 2);
    let fraction = x.dtype().epsilon() * own[0].max(own[1]) as f64;
    Var::number(fraction, x.dtype()).broadcast_to(leading)
}

/// See [`NullSpace`].
#[track_caller]
pub(crate) fn null_space_of(x: Var, rank: usize) -> Var {
    let op: Op = NullSpace { rank }.into();
    apply(op, &[x])
}
