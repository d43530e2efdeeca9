//! The negative binomial distribution: how many trials fail before `n` succeed, with the probability of success.
//!
//! Probability C(k+n-1, k) pⁿ (1-p)ᵏ, for counts `k`: `i64`, or floating-point numbers that are integers; `n` may be
//! any number above 0. An `n` that is not above 0, and a `p` outside of 0..=1 or 0, are NaN. The distribution
//! function is differentiable once by n.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|p: Var| stats::negative_binomial::log_pmf(2, 1.0, p)).call(0.5)?;
//! assert!((y - 0.125f64.ln()).abs() < 1e-14);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{Support, counted, is_no_count, valid};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::random::parameters::given;
use crate::value::Shape;

/// The logarithm of the probability of `k`; -inf where that is no possible count.
#[track_caller]
pub fn log_pmf(k: impl Operand, n: impl Operand, p: impl Operand) -> Var {
    let name = "stats::negative_binomial::log_pmf";
    let Some((k, [n, p])) = counted(name, &k, [&n, &p]) else { return Var::poisoned() };
    let _method = trace::method(name, &[k, n, p]);
    let y = n.xlogy(p) + k.xlog1py(-p) - (n + k).ln() - n.lbeta(k + 1.0);
    Support::within(is_no_count(k), n.greater(0.0) & p.greater(0.0) & p.less_equal(1.0)).density(y, &[k, n, p])
}

/// P(X ≤ k).
#[track_caller]
pub fn cdf(k: impl Operand, n: impl Operand, p: impl Operand) -> Var {
    let name = "stats::negative_binomial::cdf";
    let Some((k, [n, p])) = counted(name, &k, [&n, &p]) else { return Var::poisoned() };
    let _method = trace::method(name, &[k, n, p]);
    let floor = k.floor();
    let y = floor.equal(f64::INFINITY).select(1.0, n.betainc((floor + 1.0).stop_gradient(), p));
    Support::within(floor.less(0.0), n.greater(0.0) & p.greater(0.0) & p.less_equal(1.0)).probability(y, &[k, n, p])
}

/// Counts, as `i64`, of that shape, to which the parameters broadcast; -1 where there is no distribution.
#[track_caller]
pub fn sample(key: Var, n: impl Operand, p: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::negative_binomial::sample", shape.into());
    let Some([n, p]) = given(name, key, [&n, &p], &shape) else { return Var::poisoned() };
    let [for_rate, for_count] = random::keys(key);
    // A Poisson distribution whose rate has a gamma distribution.
    let is_valid = n.greater(0.0) & p.greater(0.0) & p.less_equal(1.0);
    let rate = random::gamma(for_rate, n, shape.clone()) * ((1.0 - p) / p);
    random::poisson(for_count, valid(is_valid, rate), shape)
}
