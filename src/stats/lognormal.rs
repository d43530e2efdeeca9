//! The lognormal distribution, with the standard deviation of the logarithm, and a scale, the exponential of its mean.
//!
//! The distribution of scale · exp(s z) for z normal, for x > 0. Parameters that are not above 0 are NaN.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let p: f64 = jit(|x: Var| stats::lognormal::cdf(x, 0.7, 3.0)).call(3.0)?;
//! assert!((p - 0.5).abs() < 1e-15); // the median is the scale
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{LN_SQRT_2PI, Support, valid};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::{given, typed};
use crate::value::{Shape, Type};

/// The logarithm of the density; -inf outside of the support.
#[track_caller]
pub fn log_pdf(x: impl Operand, s: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::lognormal::log_pdf";
    let Some([x, s, scale]) = typed(name, [&x, &s, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, s, scale]);
    let z = (x / scale).ln() / s;
    let y = z.square() * -0.5 - s.ln() - x.ln() - LN_SQRT_2PI;
    Support::within(x.less_equal(0.0), s.greater(0.0) & scale.greater(0.0)).density(y, &[x, s, scale])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, s: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::lognormal::cdf";
    let Some([x, s, scale]) = typed(name, [&x, &s, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, s, scale]);
    let z = (x / scale).ln() / s;
    let y = z.ndtr();
    Support::within(x.less_equal(0.0), s.greater(0.0) & scale.greater(0.0)).probability(y, &[x, s, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, s: impl Operand, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::lognormal::sample", shape.into());
    let Some([s, scale]) = given(name, key, [&s, &scale], &shape) else { return Var::poisoned() };
    let z = random::normal(key, Type::new(s.dtype(), shape));
    let is_valid = s.greater(0.0) & scale.greater(0.0);
    valid(is_valid, scale) * (s * z).exp()
}
