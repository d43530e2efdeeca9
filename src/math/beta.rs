//! The beta function and its logarithm.
//!
//! If an argument is large, the logarithms of the gamma functions would cancel: their difference is computed term by
//! term from Stirling's formula, as in DiDonato and Morris, *Algorithm 708*, ACM TOMS 18 (1992), §7.

use super::Unary;
use super::exp::exp_parts;
use super::gamma::{lgamma_pair, stirling_rest};
use super::lanes::Lanes;
use super::log::{log_pair, log1p_accurate};
use super::pair::{Pair, exact_sum};
use super::rounding::scale;

/// `ln B(a, b)`.
#[inline(always)]
pub(super) fn lbeta<L: Lanes>(a: L, b: L) -> L {
    a.zip(b, |a, b| match special(a, b) {
        Some(y) => y,
        None => log_beta(a, b).sum(),
    })
}

/// `B(a, b)`.
#[inline(always)]
pub(super) fn beta<L: Lanes>(a: L, b: L) -> L {
    a.zip(b, power_of_log_beta)
}

#[inline(never)]
fn power_of_log_beta(a: f64, b: f64) -> f64 {
    match special(a, b) {
        Some(y) if y.is_nan() => y,
        Some(y) => {
            if y > 0.0 {
                f64::INFINITY
            } else {
                0.0
            }
        }
        None => {
            let log = log_beta(a, b);
            let (y, n) = exp_parts(if log.hi.abs() < 750.0 { log } else { Pair::single(log.hi.clamp(-750.0, 750.0)) });
            scale(y.sum(), n)
        }
    }
}

/// The logarithm at the ends of the domain, and NaN outside.
fn special(a: f64, b: f64) -> Option<f64> {
    let (small, large) = (a.min(b), a.max(b));
    if a.is_nan() || b.is_nan() || small < 0.0 || small == 0.0 && large == f64::INFINITY {
        return Some(f64::NAN);
    }
    if small == 0.0 {
        return Some(f64::INFINITY);
    }
    (large == f64::INFINITY).then_some(f64::NEG_INFINITY)
}

/// From here on, Stirling's formula is used.
const LARGE: f64 = 10.0;

/// `ln B(a, b)` for positive finite `a` and `b`, to a few bits more than the precision of `f64`.
#[inline(never)]
pub(super) fn log_beta(a: f64, b: f64) -> Pair<f64> {
    let (small, large) = (a.min(b), a.max(b));
    let sum = exact_sum(large, small);
    if large < LARGE {
        // The rounding error of the sum, times the slope of the last logarithm.
        let lost = sum.lo * Unary::Digamma.f64(sum.hi);
        let both = lgamma_pair(large).plus(-lgamma_pair(sum.hi)).plus(Pair::single(-lost));
        return lgamma_pair(small).plus(both);
    }
    if small < LARGE {
        return lgamma_pair(small).plus(difference(small, large, sum));
    }
    // ½ ln 2π - ½ ln b + (a - ½) ln(a / (a + b)) - b ln(1 + a / b).
    let ratio = Pair::single(small).divide(Pair::single(large));
    let rest = stirling_rest(small) + (stirling_rest(large) - stirling_rest(sum.hi));
    let share = log_pair(Pair::single(small).divide(sum).normalize()).times(exact_sum(small, -0.5));
    let other = log1p_accurate(ratio).times(Pair::single(large));
    let constant = Pair::new(0.9189385332046728, -3.8782941580672414e-17);
    let constant = constant.plus(log_pair(Pair::single(large)).scaled(-0.5)).plus(Pair::single(rest));
    share.plus(-other).plus(constant)
}

/// `lnΓ(b) - lnΓ(a + b)` for `b >= LARGE` and smaller `a`, given the sum.
fn difference(a: f64, b: f64, sum: Pair<f64>) -> Pair<f64> {
    // -(b + a - ½) ln(1 + a / b) - a (ln b - 1) + the correction to Stirling's formula.
    let ratio = Pair::single(a).divide(Pair::single(b));
    let u = log1p_accurate(ratio).times(sum.plus(Pair::single(-0.5)));
    let v = log_pair(Pair::single(b)).plus(Pair::single(-1.0)).times(Pair::single(a));
    // The corrections hardly differ if `a` is small.
    let rest = stirling_rest(b) - stirling_rest(sum.hi);
    (-v).plus(-u).plus(Pair::single(rest))
}
