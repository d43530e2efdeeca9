//! The Poisson distribution, with a rate.
//!
//! Probability rateᵏ e^(-rate)/k!, for counts `k`: `i64`, or floating-point numbers that are integers. A rate that is
//! negative or NaN is NaN.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|rate: Var| stats::poisson::log_pmf(2, rate)).call(3.0)?;
//! assert!((y - (4.5f64.ln() - 3.0)).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{Support, counted, is_no_count};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::value::Shape;

/// The logarithm of the probability of `k`; -inf where that is no possible count.
#[track_caller]
pub fn log_pmf(k: impl Operand, rate: impl Operand) -> Var {
    let name = "stats::poisson::log_pmf";
    let Some((k, [rate])) = counted(name, &k, [&rate]) else { return Var::poisoned() };
    let _method = trace::method(name, &[k, rate]);
    let y = k.xlogy(rate) - rate - (k + 1.0).lgamma();
    Support::within(is_no_count(k), rate.greater_equal(0.0)).density(y, &[k, rate])
}

/// P(X ≤ k).
#[track_caller]
pub fn cdf(k: impl Operand, rate: impl Operand) -> Var {
    let name = "stats::poisson::cdf";
    let Some((k, [rate])) = counted(name, &k, [&rate]) else { return Var::poisoned() };
    let _method = trace::method(name, &[k, rate]);
    let floor = k.floor();
    let y = (floor + 1.0).igammac(rate);
    Support::within(floor.less(0.0), rate.greater_equal(0.0)).probability(y, &[k, rate])
}

/// Counts, as `i64`, of that shape, to which the parameters broadcast; -1 where there is no distribution.
#[track_caller]
pub fn sample(key: Var, rate: impl Operand, shape: impl Into<Shape>) -> Var {
    random::poisson(key, rate, shape)
}
