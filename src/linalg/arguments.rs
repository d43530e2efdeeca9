//! What functions of linear algebra ask of their operands.

use std::panic::Location;

use crate::error::SourceLine;
pub(super) use crate::numpy::{enter, float};
use crate::op::trace;
use crate::op::{Var, broadcast_shape, small_matrices};
use crate::transform::vmap;

/// The caller's line, for what a function and its rule append later.
#[track_caller]
pub(super) fn line() -> SourceLine {
    trace::line_at(Location::caller())
}

/// Runs what appends operations, all of which bear that line.
pub(super) fn on_line<R>(line: &SourceLine, body: impl FnOnce() -> R) -> R {
    trace::in_scope(Some(line.clone()), None, body)
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
    /// The columns.
    pub columns: Var,
    is_vector: bool,
}

impl Sides {
    /// Right-hand sides of floating point; `None` after an error.
    #[track_caller]
    pub fn new(b: Var) -> Option<Sides> {
        let b = float(b);
        if b.is_poisoned() {
            return None;
        }
        match b.rank() {
            0 => {
                trace::fail_at(format!(
                    "takes right-hand sides with as many rows as the matrices have, but got {}",
                    b.ty()
                ));
                None
            }
            1 => Some(Sides { columns: b.insert_axis(1), is_vector: true }),
            _ => Some(Sides { columns: b, is_vector: false }),
        }
    }

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
        let Sides { columns, is_vector } = Sides::new(b)?;
        if columns.shape()[columns.rank() - 2] != n {
            trace::fail_at(format!(
                "takes right-hand sides with as many rows as the matrices have, but got {} and {}",
                a.ty(),
                b.ty()
            ));
            return None;
        }
        let [a, columns] = stacks([a, columns])?;
        Some((a, Sides { columns, is_vector }))
    }

    /// The solutions in the shape of the right-hand sides.
    #[track_caller]
    pub fn restore(&self, x: Var) -> Var {
        if x.is_poisoned() || !self.is_vector { x } else { x.squeeze(x.rank() - 1) }
    }
}

/// Matrices of floating point and of one dtype, with the same leading axes, to which those of the operands broadcast; `None`
/// after an error.
#[track_caller]
pub(super) fn stacks<const N: usize>(operands: [Var; N]) -> Option<[Var; N]> {
    let mut found = operands;
    let mut leading = Vec::new();
    for x in &mut found {
        *x = matrices(*x)?.0;
        let shape = x.shape();
        let own = &shape[..shape.rank() - 2];
        let Some(all) = broadcast_shape(&leading, own) else {
            trace::fail_at(format!("cannot broadcast the leading axes of {shape} with {leading:?}"));
            return None;
        };
        leading = all.to_vec();
    }
    if let Some(other) = found.iter().find(|x| x.dtype() != found[0].dtype()) {
        trace::fail_at(format!(
            "takes operands of one dtype, but got {} and {}; use convert",
            found[0].ty(),
            other.ty()
        ));
        return None;
    }
    Some(found.map(|x| {
        let shape = x.shape();
        let own = &shape[shape.rank() - 2..];
        if shape[..shape.rank() - 2] == leading[..] { x } else { x.broadcast_to(&[&leading, own].concat()) }
    }))
}

/// Fewer matrices are not worth a loop.
const MIN_STACK: usize = 4;

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
    let is_small = |x: &Var| x.shape().iter().rev().take(2).all(|&extent| extent <= small_matrices::MAX_EXTENT);
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
