//! The χ² distribution, with degrees of freedom.
//!
//! The gamma distribution of shape df/2 and scale 2, for x ≥ 0. Degrees of freedom that are not above 0 are NaN. The
//! distribution function and the sampler are differentiable once by them.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let p: f64 = jit(|x: Var| stats::chi2::cdf(x, 2.0)).call(3.0)?;
//! assert!((p - (1.0 - (-1.5f64).exp())).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::Support;
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::{given, typed};
use crate::value::Shape;

/// The logarithm of the density; -inf outside of the support.
#[track_caller]
pub fn log_pdf(x: impl Operand, df: impl Operand) -> Var {
    let name = "stats::chi2::log_pdf";
    let Some([x, df]) = typed(name, [&x, &df]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, df]);
    let (a, z) = (df * 0.5, x * 0.5);
    let y = (a - 1.0).xlogy(z) - z - a.lgamma() - std::f64::consts::LN_2;
    Support::within(x.less(0.0) | x.equal(f64::INFINITY), df.greater(0.0)).density(y, &[x, df])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, df: impl Operand) -> Var {
    let name = "stats::chi2::cdf";
    let Some([x, df]) = typed(name, [&x, &df]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, df]);
    let (a, z) = (df * 0.5, x * 0.5);
    let y = a.igamma(z);
    Support::within(x.less(0.0), df.greater(0.0)).probability(y, &[x, df])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, df: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::chi2::sample", shape.into());
    let Some([df]) = given(name, key, [&df], &shape) else { return Var::poisoned() };
    random::gamma(key, df * 0.5, shape) * 2.0
}
