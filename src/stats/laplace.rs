//! The Laplace distribution, with a location and a scale.
//!
//! Density exp(-|z|)/(2 scale) with z = (x - loc)/scale. At the location the derivative of its logarithm is 0. A
//! scale that is not above 0 is NaN.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|x: Var| stats::laplace::log_pdf(x, 0.0, 0.5)).call(1.0)?;
//! assert!((y + 2.0).abs() < 1e-15);
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
    let name = "stats::laplace::log_pdf";
    let Some([x, loc, scale]) = typed(name, [&x, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, loc, scale]);
    let z = (x - loc) / scale;
    let y = -z.abs() - scale.ln() - std::f64::consts::LN_2;
    Support::everywhere(scale.greater(0.0)).density(y, &[x, loc, scale])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::laplace::cdf";
    let Some([x, loc, scale]) = typed(name, [&x, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, loc, scale]);
    let z = (x - loc) / scale;
    Support::everywhere(scale.greater(0.0))
        .probability(z.less(0.0).select(z.exp() * 0.5, 1.0 - (-z).exp() * 0.5), &[x, loc, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, loc: impl Operand, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::laplace::sample", shape.into());
    let Some([loc, scale]) = given(name, key, [&loc, &scale], &shape) else { return Var::poisoned() };
    let z = random::laplace(key, Type::new(loc.dtype(), shape));
    loc + valid(scale.greater(0.0), scale) * z
}
