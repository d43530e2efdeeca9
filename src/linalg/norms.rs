//! Norms and condition numbers, of real and of complex matrices alike.

use super::MatrixNorm;
use crate::op::{Var, trace};
use crate::value::Type;

/// What norms ask of stacks of matrices.
pub(super) trait Matrices: Copy {
    /// The type of an element, or of a part of it.
    fn ty(self) -> Type;
    /// The sizes of the elements.
    fn sizes(self) -> Var;
    /// The roots of the sums of squares of all elements of each.
    fn frobenius(self) -> Var;
    /// The singular values.
    fn singular_values(self) -> Var;
    /// The inverses of square matrices; `None` after an error.
    fn inverses(self) -> Option<Self>;
    /// Whether elements are neither infinite nor NaN.
    fn are_finite(self) -> Var;
}

/// A norm of m×n matrices.
#[track_caller]
pub(super) fn norm_of<M: Matrices>(a: M, [m, n]: [usize; 2], kind: MatrixNorm) -> Var {
    let rows = a.ty().rank() - 2;
    let is_sum = matches!(kind, MatrixNorm::Frobenius | MatrixNorm::Nuclear);
    if m.min(n) == 0 && !is_sum {
        trace::fail_at(format!("takes matrices with rows and columns, but got {}", a.ty()));
        return Var::poisoned();
    }
    let sums = |over: usize| a.sizes().sum_axes(&[over]);
    match kind {
        MatrixNorm::Frobenius => a.frobenius(),
        MatrixNorm::Nuclear => a.singular_values().sum_axes(&[rows]),
        MatrixNorm::Spectral => a.singular_values().max_axes(&[rows]),
        MatrixNorm::LeastSingular => a.singular_values().min_axes(&[rows]),
        MatrixNorm::One => sums(rows).max_axes(&[rows]),
        MatrixNorm::LeastColumn => sums(rows).min_axes(&[rows]),
        MatrixNorm::Infinity => sums(rows + 1).max_axes(&[rows]),
        MatrixNorm::LeastRow => sums(rows + 1).min_axes(&[rows]),
    }
}

/// The condition number of m×n matrices in a norm; infinite for a singular one.
#[track_caller]
pub(super) fn condition_of<M: Matrices>(a: M, [m, n]: [usize; 2], kind: MatrixNorm) -> Var {
    let norm = |a: M, kind: MatrixNorm| norm_of(a, [m, n], kind);
    let (largest, least) = (MatrixNorm::Spectral, MatrixNorm::LeastSingular);
    let value = match kind {
        MatrixNorm::Spectral => norm(a, largest) / norm(a, least),
        MatrixNorm::LeastSingular => norm(a, least) / norm(a, largest),
        MatrixNorm::Frobenius
        | MatrixNorm::Nuclear
        | MatrixNorm::One
        | MatrixNorm::LeastColumn
        | MatrixNorm::Infinity
        | MatrixNorm::LeastRow => match a.inverses() {
            Some(inverse) => norm(a, kind) * norm(inverse, kind),
            None => Var::poisoned(),
        },
    };
    if value.is_poisoned() {
        return value;
    }
    // Of a singular matrix the inverse may hold NaN.
    let rank = a.ty().rank();
    let is_finite = a.are_finite().all_axes(&[rank - 2, rank - 1]);
    (value.is_nan() & is_finite).select(f64::INFINITY, value)
}
