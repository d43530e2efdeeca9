//! The gamma distribution, with a shape and a scale.
//!
//! Density z^(a-1) e⁻ᶻ/(scale Γ(a)) with z = x/scale, for x ≥ 0. A shape and a scale that are not above 0 are NaN. A
//! rate is one over a scale. The distribution function and the sampler are differentiable once by `a`.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|x: Var| stats::gamma::log_pdf(x, 2.0, 0.5)).call(1.0)?;
//! assert!((y - (4f64.ln() - 2.0)).abs() < 1e-15);
//! assert_eq!(jit(|x: Var| stats::gamma::log_pdf(x, 2.0, 0.5)).call::<f64>(-1.0)?, f64::NEG_INFINITY);
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
    let name = "stats::gamma::log_pdf";
    let Some([x, a, scale]) = typed(name, [&x, &a, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, a, scale]);
    let z = x / scale;
    let y = (a - 1.0).xlogy(z) - z - a.lgamma() - scale.ln();
    Support::within(x.less(0.0) | x.equal(f64::INFINITY), a.greater(0.0) & scale.greater(0.0))
        .density(y, &[x, a, scale])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, a: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::gamma::cdf";
    let Some([x, a, scale]) = typed(name, [&x, &a, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, a, scale]);
    let z = x / scale;
    let y = a.igamma(z);
    Support::within(x.less(0.0), a.greater(0.0) & scale.greater(0.0)).probability(y, &[x, a, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, a: impl Operand, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::gamma::sample", shape.into());
    let Some([a, scale]) = given(name, key, [&a, &scale], &shape) else { return Var::poisoned() };
    valid(scale.greater(0.0), scale) * random::gamma(key, a, shape)
}
