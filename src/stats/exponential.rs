//! The exponential distribution, with a scale, which is its mean.
//!
//! Density e⁻ᶻ/scale with z = x/scale, for x ≥ 0. A scale that is not above 0 is NaN. A rate is one over a scale.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|x: Var| stats::exponential::log_pdf(x, 0.5)).call(3.0)?;
//! assert!((y - (2f64.ln() - 6.0)).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{Support, valid};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::{given, typed};
use crate::value::{Shape, Type};

/// The logarithm of the density; -inf outside of the support.
#[track_caller]
pub fn log_pdf(x: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::exponential::log_pdf";
    let Some([x, scale]) = typed(name, [&x, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, scale]);
    let z = x / scale;
    let y = -z - scale.ln();
    Support::within(x.less(0.0), scale.greater(0.0)).density(y, &[x, scale])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::exponential::cdf";
    let Some([x, scale]) = typed(name, [&x, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, scale]);
    let z = x / scale;
    let y = -(-z).exp_m1();
    Support::within(x.less(0.0), scale.greater(0.0)).probability(y, &[x, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::exponential::sample", shape.into());
    let Some([scale]) = given(name, key, [&scale], &shape) else { return Var::poisoned() };
    valid(scale.greater(0.0), scale) * random::exponential(key, Type::new(scale.dtype(), shape))
}
