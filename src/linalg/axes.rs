//! What several functions share: the scope of errors, vectors as matrices of one column.

use std::panic::Location;

use crate::op::Var;
use crate::op::trace::{self, MethodScope};

/// Until what is returned is dropped, errors speak of this function, and show these operands. The caller's line is that of
/// whatever is appended from here on, also in closures.
#[track_caller]
pub(super) fn enter(name: &'static str, operands: &[Var]) -> MethodScope {
    trace::line_at(Location::caller());
    trace::method(name, operands)
}

/// Applies what takes and gives matrices to a vector as a matrix of one column, or to matrices as they are.
#[track_caller]
pub(super) fn column(b: Var, f: impl FnOnce(Var) -> Var) -> Var {
    if b.is_poisoned() || b.rank() != 1 {
        return f(b);
    }
    let x = f(b.insert_axis(1));
    if x.is_poisoned() { x } else { x.squeeze(1) }
}
