//! The Dirichlet distribution, with a vector of shapes.
//!
//! Density Γ(Σ a) Π x^(a-1)/Γ(a), along the last axis, for x ≥ 0 that add up to 1, to 10⁻⁶ in `f64` and 10⁻⁴ in
//! `f32`. Shapes that are not above 0 are NaN. The sampler is differentiable once by them.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|x: Var, a: Var| stats::dirichlet::log_pdf(x, a)).call([0.2, 0.3, 0.5], [1.0, 1.0, 1.0])?;
//! assert!((y - 2f64.ln()).abs() < 1e-15); // uniform on a triangle
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::Support;
use crate::op::{Var, trace};
use crate::random;
use crate::random::parameters::{number, typed};
use crate::value::Shape;

/// The logarithm of the density of vectors along the last axis, which vanishes; -inf outside of the support. Both
/// operands have at least one axis; else it is an error.
#[track_caller]
pub fn log_pdf(x: Var, a: Var) -> Var {
    let name = "stats::dirichlet::log_pdf";
    let Some([x, a]) = typed(name, [&x, &a]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, a]);
    if x.rank() == 0 || a.rank() == 0 {
        trace::fail_at(format!("takes vectors along the last axis, but got {} and {}", x.ty(), a.ty()));
        return Var::poisoned();
    }
    let total = |x: Var| x.sum_axes(&[x.rank() - 1]);
    let terms = (a - 1.0).xlogy(x);
    let y = total(terms) + total(a).lgamma() - total(a.lgamma());
    let tolerance = number(x.dtype(), 1e-6, 1e-4);
    let is_outside = x.less(0.0).any_axes(&[x.rank() - 1]) | (total(x) - 1.0).abs().greater(tolerance);
    let is_valid = a.greater(0.0).all_axes(&[a.rank() - 1]);
    Support::within(is_outside, is_valid).density(y, &[total(x), total(a)])
}

/// Vectors of the distribution along a last axis, behind those of the shape; see [`random::dirichlet`].
#[track_caller]
pub fn sample(key: Var, a: Var, shape: impl Into<Shape>) -> Var {
    random::dirichlet(key, a, shape)
}
