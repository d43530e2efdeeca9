//! The logarithm of a ratio and the terms of the Kullback-Leibler divergence, without cancellation next to equal arguments.

use super::lanes::Lanes;
use super::log::{log_pair, log1p_accurate};
use super::pair::{Pair, exact_sum, ordered_sum, polynomial};

/// `x ln(x/y)`; 0 where x is 0, and infinity where an argument is negative.
#[inline(always)]
pub(super) fn rel_entr<L: Lanes>(x: L, y: L) -> L {
    x.zip(y, entropy)
}

/// `x ln(x/y) - x + y`; y where x is 0, and infinity where an argument is negative.
#[inline(always)]
pub(super) fn kl_div<L: Lanes>(x: L, y: L) -> L {
    x.zip(y, divergence)
}

/// `ln(x/y)`; NaN where an argument is negative.
#[inline(always)]
pub(super) fn log_ratio<L: Lanes>(x: L, y: L) -> L {
    x.zip(y, logarithm)
}

#[inline(never)]
fn logarithm(x: f64, y: f64) -> f64 {
    if x > 0.0 && y > 0.0 && x < f64::INFINITY && y < f64::INFINITY {
        return of_ratio(x, y).sum();
    }
    if !(x >= 0.0 && y >= 0.0) || x == y {
        return f64::NAN;
    }
    if x == 0.0 || y == f64::INFINITY { f64::NEG_INFINITY } else { f64::INFINITY }
}

#[inline(never)]
fn entropy(x: f64, y: f64) -> f64 {
    if let Some(at_limit) = limit(x, y, 0.0) {
        return at_limit;
    }
    if x == f64::INFINITY || y == f64::INFINITY {
        return if x == y { f64::NAN } else { x.min(y) * (x - y) };
    }
    x * of_ratio(x, y).sum()
}

#[inline(never)]
fn divergence(x: f64, y: f64) -> f64 {
    if let Some(at_limit) = limit(x, y, y) {
        return at_limit;
    }
    if x == f64::INFINITY || y == f64::INFINITY {
        return if x == y { f64::NAN } else { f64::INFINITY };
    }
    let log = of_ratio(x, y);
    let scale = balance(x, y);
    let (x, y) = (x * scale, y * scale);
    let y = if is_near(x, y) {
        Pair::single(x).times(excess(exact_sum(y, -x).divide(Pair::single(x)).normalize(), log))
    } else {
        Pair::single(x).times(log).plus(exact_sum(y, -x))
    };
    y.sum() / scale
}

/// The value where it is not the formula, given that for `x = 0`.
fn limit(x: f64, y: f64, at_zero: f64) -> Option<f64> {
    if x.is_nan() || y.is_nan() {
        return Some(f64::NAN);
    }
    if x > 0.0 && y > 0.0 {
        return None;
    }
    Some(if x == 0.0 && y >= 0.0 { at_zero + 0.0 } else { f64::INFINITY })
}

/// Whether the difference of positive arguments is exact, and their ratio is near one.
fn is_near(x: f64, y: f64) -> bool {
    x <= 1.9 * y && y <= 1.6 * x
}

/// A power of two that makes the larger one of positive arguments harmless: quotients and products by it neither overflow
/// nor vanish.
fn balance(x: f64, y: f64) -> f64 {
    let larger = x.max(y);
    if larger > 2f64.powi(500) {
        2f64.powi(-600)
    } else if larger < 2f64.powi(-400) {
        2f64.powi(600)
    } else {
        1.0
    }
}

/// `ln(x/y)` for positive finite arguments.
fn of_ratio(x: f64, y: f64) -> Pair<f64> {
    if !is_near(x, y) {
        return log_pair(Pair::single(x)).plus(-log_pair(Pair::single(y)));
    }
    let scale = balance(x, y);
    let (x, y) = (x * scale, y * scale);
    log1p_accurate(exact_sum(x, -y).divide(Pair::single(y)).normalize())
}

/// `t - ln(1 + t)`, given `-ln(1 + t)`; next to 0 by Taylor's series.
fn excess(t: Pair<f64>, minus_log: Pair<f64>) -> Pair<f64> {
    if t.hi.abs() > 1e-3 {
        return t.plus(minus_log).normalize();
    }
    let rest = t.hi * polynomial(t.hi, [-1.0 / 3.0, 0.25, -0.2, 1.0 / 6.0, -1.0 / 7.0]);
    let factor = ordered_sum(0.5, rest);
    t.times(t).times(factor)
}
