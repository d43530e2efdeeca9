//! The regularized incomplete beta function, its density, and its derivatives by the parameters.
//!
//! Left of its mean it is `xᵃ (1 - x)ᵇ / (a B(a, b))` times a continued fraction (Abramowitz and Stegun, 26.5.8), and
//! right of it the complement of that with the parameters swapped; the derivatives by the parameters differentiate the
//! fraction, as Boik and Robison-Cox do, *Derivatives of the incomplete beta function*, J. Stat. Softw. 3 (1998). The
//! power is computed relative to its largest value, so that the logarithms are small.

use super::Unary;
use super::beta::log_beta;
use super::exp::exp_parts;
use super::gamma::stirling_rest;
use super::log::log_pair;
use super::pair::{Pair, exact_sum};
use super::rounding::scale;

/// After this many terms the fraction is considered divergent. The number of terms grows as the square root of the
/// parameters.
const MAX_TERMS: u32 = 20_000;

/// `I(a, b, x)`.
#[inline(never)]
pub(super) fn betainc(a: f64, b: f64, x: f64) -> f64 {
    if let Some(y) = special(a, b, x) {
        return y;
    }
    let (power, n) = prefix(a, b, x);
    let (fraction, swapped, own) = smaller_tail(a, b, x);
    let y = scale(power.sum() * fraction.value / own, n);
    if swapped { 1.0 - y } else { y }
}

/// `∂I/∂x = xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b)`.
#[inline(never)]
pub(super) fn beta_density(a: f64, b: f64, x: f64) -> f64 {
    if special(a, b, x).is_some_and(f64::is_nan) || a == 0.0 || b == 0.0 || a.max(b) == f64::INFINITY {
        return f64::NAN;
    }
    // At each end, one of the powers determines the value.
    let end = if x == 0.0 {
        Some((a, b))
    } else if x == 1.0 {
        Some((b, a))
    } else {
        None
    };
    if let Some((own, other)) = end {
        return if own < 1.0 {
            f64::INFINITY
        } else if own == 1.0 {
            other
        } else {
            0.0
        };
    }
    let (power, n) = prefix(a, b, x);
    scale(power.sum() / (1.0 - x), n) / x
}

/// `∂I/∂a`.
#[inline(never)]
pub(super) fn betainc_grad_a(a: f64, b: f64, x: f64) -> f64 {
    slopes(a, b, x)[0]
}

/// `∂I/∂b`.
#[inline(never)]
pub(super) fn betainc_grad_b(a: f64, b: f64, x: f64) -> f64 {
    slopes(a, b, x)[1]
}

/// The values at the ends of the domain, and NaN outside.
fn special(a: f64, b: f64, x: f64) -> Option<f64> {
    let outside = a.is_nan() || b.is_nan() || !(0.0..=1.0).contains(&x) || a < 0.0 || b < 0.0;
    let undefined = a == 0.0 && b == 0.0 || a.min(b) == f64::INFINITY;
    if outside || undefined {
        return Some(f64::NAN);
    }
    if x == 0.0 || x == 1.0 {
        return Some(x);
    }
    // All of the mass is at one end.
    if a == 0.0 || b == f64::INFINITY {
        return Some(1.0);
    }
    (b == 0.0 || a == f64::INFINITY).then_some(0.0)
}

/// The fraction of the smaller tail, whether that is the right one, and the parameter on its side. If this fraction
/// diverges, because the mean is near an end, it is that of the other tail.
fn smaller_tail(a: f64, b: f64, x: f64) -> (Dual, bool, f64) {
    let left = || (fraction(a, b, Pair::single(x)), false, a);
    let right = || (fraction(b, a, exact_sum(1.0, -x)), true, b);
    let is_right = x > a / (a + b);
    let first = if is_right { right() } else { left() };
    if !first.0.value.is_nan() {
        return first;
    }
    if is_right { left() } else { right() }
}

/// `xᵃ (1 - x)ᵇ / B(a, b)` as `y 2ⁿ`.
fn prefix(a: f64, b: f64, x: f64) -> (Pair<f64>, f64) {
    let rest = exact_sum(1.0, -x);
    let log = if a.min(b) < 10.0 {
        let powers = log_pair(Pair::single(x)).times(Pair::single(a));
        powers.plus(log_pair(rest).times(Pair::single(b))).plus(-log_beta(a, b))
    } else {
        // By Stirling's formula: a ln(x (a + b) / a) + b ln((1 - x) (a + b) / b) + ½ ln(a b / (2π (a + b))) - …
        let sum = exact_sum(a.max(b), a.min(b));
        let share = |x: Pair<f64>, a: f64| {
            let ratio = x.times(sum).divide(Pair::single(a)).normalize();
            log_pair(ratio).times(Pair::single(a))
        };
        let powers = share(Pair::single(x), a).plus(share(rest, b));
        let ratio = Pair::single(a).times(Pair::single(b)).divide(sum).normalize();
        let half_log_tau = Pair::new(0.9189385332046728, -3.8782941580672414e-17);
        let root = log_pair(ratio).scaled(0.5).plus(-half_log_tau);
        let correction = stirling_rest(sum.hi) - stirling_rest(a) - stirling_rest(b);
        powers.plus(root).plus(Pair::single(correction))
    };
    exp_parts(if log.hi.abs() < 1000.0 { log } else { Pair::single(log.hi.clamp(-1000.0, 1000.0)) })
}

/// A number and its derivatives by the two parameters.
#[derive(Clone, Copy)]
struct Dual {
    value: f64,
    slopes: [f64; 2],
}

impl Dual {
    fn new(value: f64, slopes: [f64; 2]) -> Dual {
        Dual { value, slopes }
    }

    fn plus(self, y: Dual) -> Dual {
        Dual::new(self.value + y.value, [0, 1].map(|k| self.slopes[k] + y.slopes[k]))
    }

    fn times(self, y: Dual) -> Dual {
        Dual::new(self.value * y.value, [0, 1].map(|k| self.slopes[k] * y.value + self.value * y.slopes[k]))
    }

    fn divide(self, y: Dual) -> Dual {
        let value = self.value / y.value;
        Dual::new(value, [0, 1].map(|k| (self.slopes[k] - value * y.slopes[k]) / y.value))
    }
}

/// The continued fraction, by the modified Lentz method of Thompson and Barnett.
fn fraction(a: f64, b: f64, x: Pair<f64>) -> Dual {
    let x = x.sum();
    let one = Dual::new(1.0, [0.0; 2]);
    let p = Dual::new(a, [1.0, 0.0]);
    let q = Dual::new(b, [0.0, 1.0]);
    let number = |value: f64| Dual::new(value, [0.0; 2]);
    let sum = p.plus(q);
    let mut c = one;
    let mut d = one.divide(one.plus(number(-x).times(sum).divide(p.plus(one))));
    let mut f = d;
    let mut n_converged = 0;
    for m in 1..MAX_TERMS {
        let m = f64::from(m);
        let even = p.plus(number(2.0 * m));
        let coefficient = number(m * x).times(q.plus(number(-m))).divide(even.plus(number(-1.0)).times(even));
        d = one.divide(one.plus(coefficient.times(d)));
        c = one.plus(coefficient.divide(c));
        f = f.times(d.times(c));
        let coefficient = number(-x).times(p.plus(number(m))).times(sum.plus(number(m)));
        let coefficient = coefficient.divide(even.times(even.plus(one)));
        d = one.divide(one.plus(coefficient.times(d)));
        c = one.plus(coefficient.divide(c));
        let factor = d.times(c);
        f = f.times(factor);
        // Rounding may leave a factor close to one; the derivatives converge slightly later than the value.
        n_converged = if (factor.value - 1.0).abs() <= 4.5e-16 { n_converged + 1 } else { 0 };
        let still = |k: usize| (factor.slopes[k] * f.value).abs() <= 1e-15 * f.slopes[k].abs();
        if n_converged > 0 && still(0) && still(1) || n_converged > 20 {
            return f;
        }
    }
    number(f64::NAN)
}

/// The derivatives by both parameters.
fn slopes(a: f64, b: f64, x: f64) -> [f64; 2] {
    if special(a, b, x).is_some_and(f64::is_nan) || a == 0.0 || b == 0.0 || a.max(b) == f64::INFINITY {
        return [f64::NAN; 2];
    }
    if x == 0.0 || x == 1.0 {
        return [0.0; 2];
    }
    let (power, n) = prefix(a, b, x);
    let of_sum = Unary::Digamma.f64(a + b);
    let logs = [Unary::Log.f64(x) + of_sum, Unary::Log1p.f64(-x) + of_sum];
    let logs = [logs[0] - Unary::Digamma.f64(a), logs[1] - Unary::Digamma.f64(b)];
    let (f, swapped, own) = smaller_tail(a, b, x);
    let slopes = if swapped { [f.slopes[1], f.slopes[0]] } else { f.slopes };
    let sign = if swapped { -1.0 } else { 1.0 };
    [0, 1].map(|k| {
        // The divisor is one of the parameters, so it has a derivative, too.
        let by_divisor = if (k == 1) == swapped { f.value / own } else { 0.0 };
        sign * scale(power.hi * (logs[k] * f.value + slopes[k] - by_divisor) / own, n)
    })
}
