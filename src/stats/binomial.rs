//! The binomial distribution, with a number of trials and the probability of success.
//!
//! Probability C(n, k) pᵏ (1-p)^(n-k), for counts `k` in 0..=n: `i64`, or floating-point numbers that are integers.
//! An `n` that is no count, and a `p` outside of 0..=1, are NaN. The distribution function is differentiable by p.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|p: Var| stats::binomial::log_pmf(1, 3.0, p)).call(0.5)?;
//! assert!((y - 0.375f64.ln()).abs() < 1e-14);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{Support, counted, is_no_count};
use crate::op::{Operand, Var, trace};
use crate::random;
use crate::value::Shape;

/// The logarithm of the probability of `k`; -inf where that is no possible count.
#[track_caller]
pub fn log_pmf(k: impl Operand, n: impl Operand, p: impl Operand) -> Var {
    let name = "stats::binomial::log_pmf";
    let Some((k, [n, p])) = counted(name, &k, [&n, &p]) else { return Var::poisoned() };
    let _method = trace::method(name, &[k, n, p]);
    let y = k.xlogy(p) + (n - k).xlog1py(-p) - (n + 1.0).ln() - (n - k + 1.0).lbeta(k + 1.0);
    Support::within(
        is_no_count(k) | k.greater(n),
        n.greater_equal(0.0) & n.equal(n.floor()) & p.greater_equal(0.0) & p.less_equal(1.0),
    )
    .density(y, &[k, n, p])
}

/// P(X ≤ k).
#[track_caller]
pub fn cdf(k: impl Operand, n: impl Operand, p: impl Operand) -> Var {
    let name = "stats::binomial::cdf";
    let Some((k, [n, p])) = counted(name, &k, [&n, &p]) else { return Var::poisoned() };
    let _method = trace::method(name, &[k, n, p]);
    let floor = k.floor();
    let y =
        floor.greater_equal(n).select(1.0, (n - floor).stop_gradient().betainc((floor + 1.0).stop_gradient(), 1.0 - p));
    Support::within(
        floor.less(0.0),
        n.greater_equal(0.0) & n.equal(n.floor()) & p.greater_equal(0.0) & p.less_equal(1.0),
    )
    .probability(y, &[k, n, p])
}

/// Counts, as `i64`, of that shape, to which the parameters broadcast; -1 where there is no distribution.
#[track_caller]
pub fn sample(key: Var, n: impl Operand, p: impl Operand, shape: impl Into<Shape>) -> Var {
    random::binomial(key, n, p, shape)
}
