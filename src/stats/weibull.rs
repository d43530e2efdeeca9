//! The Weibull distribution, with a shape and a scale.
//!
//! Density c z^(c-1) exp(-z^c)/scale with z = x/scale, for x ≥ 0. A shape and a scale that are not above 0 are NaN.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let p: f64 = jit(|x: Var| stats::weibull::cdf(x, 2.0, 3.0)).call(3.0)?;
//! assert!((p - (1.0 - (-1f64).exp())).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{Support, valid};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::{given, typed};
use crate::value::{Shape, Type};

/// The logarithm of the density; -inf outside of the support.
#[track_caller]
pub fn log_pdf(x: impl Operand, c: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::weibull::log_pdf";
    let Some([x, c, scale]) = typed(name, [&x, &c, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, c, scale]);
    let z = x / scale;
    let y = c.ln() + (c - 1.0).xlogy(z) - z.powf(c) - scale.ln();
    Support::within(x.less(0.0) | x.equal(f64::INFINITY), c.greater(0.0) & scale.greater(0.0))
        .density(y, &[x, c, scale])
}

/// P(X ≤ x).
#[track_caller]
pub fn cdf(x: impl Operand, c: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::weibull::cdf";
    let Some([x, c, scale]) = typed(name, [&x, &c, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, c, scale]);
    let z = x / scale;
    let y = -(-z.powf(c)).exp_m1();
    Support::within(x.less(0.0), c.greater(0.0) & scale.greater(0.0)).probability(y, &[x, c, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them.
#[track_caller]
pub fn sample(key: Var, c: impl Operand, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::weibull::sample", shape.into());
    let Some([c, scale]) = given(name, key, [&c, &scale], &shape) else { return Var::poisoned() };
    let z = random::exponential(key, Type::new(c.dtype(), shape));
    valid(c.greater(0.0) & scale.greater(0.0), scale) * z.powf(1.0 / c)
}
