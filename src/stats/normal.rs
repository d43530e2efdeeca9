//! The normal distribution, with a mean and a standard deviation.
//!
//! Density exp(-z²/2)/(scale √(2π)) with z = (x - loc)/scale. A scale that is not above 0 is NaN.
//!
//! ```
//! use retrograd::{Var, grad, jit, stats};
//!
//! let y: f64 = jit(|x: Var| stats::normal::log_pdf(x, 1.0, 2.0)).call(2.0)?;
//! assert!((y + 1.737085713764618).abs() < 1e-15);
//! // The score of the mean, (x - loc)/scale².
//! let score: f64 = jit(grad(|loc: Var| stats::normal::log_pdf(2.0, loc, 2.0))).call(1.0)?;
//! assert!((score - 0.25).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{LN_SQRT_2PI, Support, valid};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::{given, typed};
use crate::value::{Shape, Type};

/// The logarithm of the density.
#[track_caller]
pub fn log_pdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::normal::log_pdf";
    let Some([x, loc, scale]) = typed(name, [&x, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, loc, scale]);
    let z = (x - loc) / scale;
    let y = z.square() * -0.5 - scale.ln() - LN_SQRT_2PI;
    Support::everywhere(scale.greater(0.0)).density(y, &[x, loc, scale])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::normal::cdf";
    let Some([x, loc, scale]) = typed(name, [&x, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, loc, scale]);
    let z = (x - loc) / scale;
    Support::everywhere(scale.greater(0.0)).probability(z.ndtr(), &[x, loc, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, loc: impl Operand, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::normal::sample", shape.into());
    let Some([loc, scale]) = given(name, key, [&loc, &scale], &shape) else { return Var::poisoned() };
    let z = random::normal(key, Type::new(loc.dtype(), shape));
    loc + valid(scale.greater(0.0), scale) * z
}
/// The logarithm of P(X ≤ x), accurate also where that is below the least float.
#[track_caller]
pub fn log_cdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::normal::log_cdf";
    let Some([x, loc, scale]) = typed(name, [&x, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, loc, scale]);
    let z = (x - loc) / scale;
    Support::everywhere(scale.greater(0.0)).probability(z.log_ndtr(), &[x, loc, scale])
}
