//! The inverse gamma distribution, with a shape and a scale.
//!
//! The distribution of scale/y for y of the gamma distribution of shape a: density z^a e⁻ᶻ/(x Γ(a)) with z = scale/x,
//! for x > 0. A shape and a scale that are not above 0 are NaN. The distribution function and the sampler are
//! differentiable once by `a`.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let p: f64 = jit(|x: Var| stats::inverse_gamma::cdf(x, 1.0, 2.0)).call(4.0)?;
//! assert!((p - (-0.5f64).exp()).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{Support, valid};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::{given, typed};
use crate::value::Shape;

/// The logarithm of the density; -inf outside of the support.
#[track_caller]
pub fn log_pdf(x: impl Operand, a: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::inverse_gamma::log_pdf";
    let Some([x, a, scale]) = typed(name, [&x, &a, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, a, scale]);
    let z = scale / x;
    let y = a * z.ln() - z - a.lgamma() - x.ln();
    Support::within(x.less_equal(0.0), a.greater(0.0) & scale.greater(0.0)).density(y, &[x, a, scale])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, a: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::inverse_gamma::cdf";
    let Some([x, a, scale]) = typed(name, [&x, &a, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, a, scale]);
    let z = scale / x;
    let y = a.igammac(z);
    Support::within(x.less_equal(0.0), a.greater(0.0) & scale.greater(0.0)).probability(y, &[x, a, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, a: impl Operand, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::inverse_gamma::sample", shape.into());
    let Some([a, scale]) = given(name, key, [&a, &scale], &shape) else { return Var::poisoned() };
    valid(scale.greater(0.0), scale) * (-random::log_gamma(key, a, shape)).exp()
}
