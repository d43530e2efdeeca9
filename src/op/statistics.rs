//! What is composed of reductions: means, variances, norms, and sums of exponentials.

use super::Var;
use super::reduce::spread;
use super::shape::check_axis;
use super::trace;

/// Requires a floating-point value.
#[track_caller]
fn check_float(x: Var, what: &str) -> bool {
    let ty = x.ty();
    if !ty.dtype.is_float() {
        trace::fail_at(format!("{what} takes floating-point numbers, but got {ty}; use convert"));
    }
    ty.dtype.is_float()
}
