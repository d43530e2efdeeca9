//! The logistic distribution, with a location and a scale.
//!
//! Density e⁻ᶻ/(scale (1 + e⁻ᶻ)²) with z = (x - loc)/scale. A scale that is not above 0 is NaN.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let p: f64 = jit(|x: Var| stats::logistic::cdf(x, 0.0, 2.0)).call(2.0)?;
//! assert!((p - 1.0 / (1.0 + (-1f64).exp())).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{Support, valid};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::{given, typed};
use crate::value::{Shape, Type};

/// The logarithm of the density.
#[track_caller]
pub fn log_pdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::logistic::log_pdf";
    let Some([x, loc, scale]) = typed(name, [&x, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, loc, scale]);
    let z = (x - loc) / scale;
    let y = -z.softplus() - (-z).softplus() - scale.ln();
    Support::everywhere(scale.greater(0.0)).density(y, &[x, loc, scale])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::logistic::cdf";
    let Some([x, loc, scale]) = typed(name, [&x, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, loc, scale]);
    let z = (x - loc) / scale;
    Support::everywhere(scale.greater(0.0)).probability(z.sigmoid(), &[x, loc, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, loc: impl Operand, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::logistic::sample", shape.into());
    let Some([loc, scale]) = given(name, key, [&loc, &scale], &shape) else { return Var::poisoned() };
    let z = random::logistic(key, Type::new(loc.dtype(), shape));
    loc + valid(scale.greater(0.0), scale) * z
}
