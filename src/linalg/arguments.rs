//! What functions of linear algebra ask of their operands.

use std::panic::Location;

use crate::error::SourceLine;
use crate::op::trace::{self, MethodScope};
use crate::op::{Var, broadcast_shape};
use crate::transform::vmap;
use crate::value::DType;

/// Until what is returned is dropped, errors speak of this function and show these operands. The caller's line is that of
/// whatever is appended from here on.
#[track_caller]
pub(super) fn enter(name: &'static str, operands: &[Var]) -> MethodScope {
    trace::line_at(Location::caller());
    trace::method(name, operands)
}

/// The caller's line, for what a function and its rule append later.
#[track_caller]
pub(super) fn line() -> SourceLine {
    trace::line_at(Location::caller())
}

/// Runs what appends operations, all of which bear that line.
pub(super) fn on_line<R>(line: &SourceLine, body: impl FnOnce() -> R) -> R {
    trace::in_scope(Some(line.clone()), None, body)
}

/// Numbers of floating point: integers and truth values as `f64`.
#[track_caller]
pub(super) fn float(x: Var) -> Var {
    if x.is_poisoned() || x.dtype().is_float() { x } else { x.convert(DType::F64) }
}

/// Matrices of floating point and their extents; `None` after an error.
#[track_caller]
pub(super) fn matrices(x: Var) -> Option<(Var, [usize; 2])> {
    let x = float(x);
    if x.is_poisoned() {
        return None;
    }
    match x.shape().extents() {
        &[.., m, n] => Some((x, [m, n])),
        _ => {
            trace::fail_at(format!("takes matrices, which have at least 2 axes, but got {}", x.ty()));
            None
        }
    }
}

/// Square matrices of floating point and their extent; `None` after an error.
#[track_caller]
pub(super) fn square(x: Var) -> Option<(Var, usize)> {
    let (x, [m, n]) = matrices(x)?;
    if m != n {
        trace::fail_at(format!("takes square matrices, but got {}", x.ty()));
        return None;
    }
    Some((x, n))
}

/// Right-hand sides as NumPy takes them: a vector is one, matrices have them as columns.
pub(super) struct Sides {
    /// The columns, with the leading axes of the matrices.
    pub columns: Var,
    is_vector: bool,
}

impl Sides {
    /// Square matrices of floating point and their right-hand sides, with the same leading axes; `None` after an error.
    #[track_caller]
    pub fn of(a: Var, b: Var) -> Option<(Var, Sides)> {
        let (a, n) = square(a)?;
        Sides::of_rows(a, n, b)
    }

    /// Matrices of floating point with so many rows and their right-hand sides, with the same leading axes; `None` after an
    /// error.
    #[track_caller]
    pub fn of_rows(a: Var, n: usize, b: Var) -> Option<(Var, Sides)> {
        let b = float(b);
        if b.is_poisoned() {
            return None;
        }
        if a.dtype() != b.dtype() {
            trace::fail_at(format!("takes operands of one dtype, but got {} and {}; use convert", a.ty(), b.ty()));
            return None;
        }
        let is_vector = b.rank() == 1;
        let rows = if is_vector { 0 } else { b.rank().wrapping_sub(2) };
        if b.rank() == 0 || b.shape()[rows] != n {
            trace::fail_at(format!(
                "takes right-hand sides with as many rows as the matrices have, but got {} and {}",
                a.ty(),
                b.ty()
            ));
            return None;
        }
        let columns = if is_vector { b.reshape(&[n, 1]) } else { b };
        let [a, columns] = together(a, columns)?;
        Some((a, Sides { columns, is_vector }))
    }

    /// The solutions in the shape of the right-hand sides.
    #[track_caller]
    pub fn restore(&self, x: Var) -> Var {
        if x.is_poisoned() || !self.is_vector {
            return x;
        }
        let shape = x.shape();
        x.reshape(&shape[..shape.rank() - 1])
    }
}

/// Two stacks of matrices with the same leading axes; `None` after an error.
#[track_caller]
pub(super) fn together(x: Var, y: Var) -> Option<[Var; 2]> {
    let shapes = [x.shape(), y.shape()];
    let lead = |k: usize| &shapes[k][..shapes[k].rank() - 2];
    let Some(batch) = broadcast_shape(lead(0), lead(1)) else {
        trace::fail_at(format!("cannot broadcast the leading axes of {} and {}", shapes[0], shapes[1]));
        return None;
    };
    let spread = |x: Var, k: usize| {
        if lead(k) == &batch[..] { x } else { x.broadcast_to(&[&batch, &shapes[k][shapes[k].rank() - 2..]].concat()) }
    };
    Some([spread(x, 0), spread(y, 1)])
}

/// Fewer matrices are not worth a loop.
const MIN_STACK: usize = 4;

/// The largest extent of what is straight-line code.
const MAX_SMALL: usize = 6;

/// For stacks of small matrices with the same leading axes, the results of a function of one matrix of each: rows of a loop in
/// lanes. `None` for others.
#[track_caller]
pub(super) fn each<const N: usize, const M: usize>(
    operands: [Var; N],
    f: impl Fn([Var; N]) -> [Var; M],
) -> Option<[Var; M]> {
    if operands.iter().any(|x| x.is_poisoned()) {
        return None;
    }
    let shape = operands[0].shape();
    let leading = &shape[..shape.rank() - 2];
    let n: usize = leading.iter().product();
    let is_small = |x: &Var| x.shape().iter().rev().take(2).all(|&extent| extent <= MAX_SMALL);
    if leading.is_empty() || n < MIN_STACK || !operands.iter().all(is_small) {
        return None;
    }
    let rows = operands.map(|x| {
        let own = x.shape();
        x.reshape(&[&[n], &own[own.rank() - 2..]].concat())
    });
    let results = vmap(f).call(rows);
    Some(results.map(|y| {
        if y.is_poisoned() {
            return y;
        }
        let own = y.shape();
        y.reshape(&[leading, &own[1..]].concat())
    }))
}
