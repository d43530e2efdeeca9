//! The beta distribution, with two shapes.
//!
//! Density x^(a-1) (1-x)^(b-1)/B(a, b), for x in 0..=1. Shapes that are not above 0 are NaN. The distribution
//! function and the sampler are differentiable once by them.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|x: Var| stats::beta::log_pdf(x, 2.0, 3.0)).call(0.5)?;
//! assert!((y - 1.5f64.ln()).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::Support;
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::typed;
use crate::value::Shape;

/// The logarithm of the density; -inf outside of the support.
#[track_caller]
pub fn log_pdf(x: impl Operand, a: impl Operand, b: impl Operand) -> Var {
    let name = "stats::beta::log_pdf";
    let Some([x, a, b]) = typed(name, [&x, &a, &b]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, a, b]);
    let y = (a - 1.0).xlogy(x) + (b - 1.0).xlog1py(-x) - a.lbeta(b);
    let is_outside = x.less(0.0) | x.greater(1.0);
    Support::within(is_outside, a.greater(0.0) & b.greater(0.0)).density(y, &[x, a, b])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, a: impl Operand, b: impl Operand) -> Var {
    let name = "stats::beta::cdf";
    let Some([x, a, b]) = typed(name, [&x, &a, &b]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, a, b]);
    let y = x.greater(1.0).select(1.0, a.betainc(b, x.min(1.0)));
    Support::within(x.less(0.0), a.greater(0.0) & b.greater(0.0)).probability(y, &[x, a, b])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them,
/// once.
#[track_caller]
pub fn sample(key: Var, a: impl Operand, b: impl Operand, shape: impl Into<Shape>) -> Var {
    random::beta(key, a, b, shape)
}
