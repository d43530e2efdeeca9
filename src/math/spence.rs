//! Spence's function, the dilogarithm of `1 - x`, and its derivatives.
//!
//! With `u = -ln x` it is `u - u²/4 + Σ B₂ₖ u²ᵏ⁺¹/(2k + 1)!`, which converges fast for `1/2 <= x <= 2`. The functional
//! equations of `x` and `1 - x`, and of `x` and `1/x`, lead there (Lewin, *Polylogarithms and Associated Functions* (1981),
//! §1). The derivatives are `-(-1)ⁿ Gₙ` with `Gₙ = n! ∫₀¹ tⁿ/(1 + (x - 1) t)ⁿ⁺¹ dt`, a hypergeometric function whose
//! series have terms of one sign (Abramowitz and Stegun, 15.3.3 and 15.3.4); far from one they are the recurrence that
//! follows from `(x - 1) G₀ = ln x`.

use super::gamma::gamma;
use super::lanes::Lanes;
use super::log::{log_pair, log1p_accurate};
use super::pair::{Pair, exact_sum, polynomial};
use super::zeta::scaled_power;

/// `∫ ln t / (1 - t) dt` from 1 to `x`; NaN below 0.
#[inline(always)]
pub(super) fn spence<L: Lanes>(x: L) -> L {
    x.zip(x, |x, _| value(x))
}

/// The derivative of this order of Spence's function at `x`; NaN for orders that are not integers from 1 to 25.
#[inline(always)]
pub(super) fn spence_derivative<L: Lanes>(order: L, x: L) -> L {
    order.zip(x, derivative)
}

/// π²/6.
const AT_ZERO: Pair<f64> = Pair { hi: 1.6449340668482264, lo: 3.040672350398476e-17 };

/// `B₂ₖ/(2k + 1)!` for `k > 0`.
const BERNOULLI: [f64; 10] = [
    0.027777777777777776,
    -0.0002777777777777778,
    4.72411186696901e-06,
    -9.185773074661964e-08,
    1.8978869988971e-09,
    -4.0647616451442256e-11,
    8.921691020456452e-13,
    -1.9939295860721074e-14,
    4.518980029619918e-16,
    -1.0356517612181247e-17,
];

#[inline(never)]
fn value(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    // What depends on x is far below the last place of the value at zero.
    if x < 1e-20 {
        return AT_ZERO.hi;
    }
    if x == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    let log = log_pair(Pair::single(x));
    if x < 0.5 {
        // π²/6 - ln x ln(1 - x) - f(1 - x).
        let other = log1p_accurate(Pair::single(-x));
        return AT_ZERO.plus(-log.times(other)).plus(-near_one(-other)).sum();
    }
    if x <= 2.0 {
        return near_one(-log).sum();
    }
    // -½ ln² x - f(1/x).
    let far = log.times(log).scaled(-0.5).plus(-AT_ZERO);
    if x > 1e20 {
        return far.sum();
    }
    let other = log1p_accurate(Pair::single(-1.0).divide(Pair::single(x)).normalize());
    far.plus(-log.times(other)).plus(near_one(-other)).sum()
}

/// Spence's function at `e⁻ᵘ`, for `|u|` up to a little above ln 2.
fn near_one(u: Pair<f64>) -> Pair<f64> {
    let square = u.hi * u.hi;
    let quarter = u.scaled(-0.25);
    let factor = exact_sum(1.0, quarter.hi);
    u.times(Pair::new(factor.hi, factor.lo + (quarter.lo + square * polynomial(square, BERNOULLI)))).normalize()
}

#[inline(never)]
fn derivative(order: f64, x: f64) -> f64 {
    if !(1.0..=25.0).contains(&order) || order.trunc() != order || x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    let n = order - 1.0;
    let size = if x == 0.0 {
        f64::INFINITY
    } else if x == f64::INFINITY {
        0.0
    } else {
        magnitude(n, x)
    };
    if n % 2.0 == 0.0 { -size } else { size }
}

/// `Gₙ` for positive finite `x`.
fn magnitude(n: f64, x: f64) -> f64 {
    if (0.5..1.0).contains(&x) {
        return over_power(series_below_one(n, x), n, x, gamma(n + 1.0));
    }
    if (1.0..=4.0).contains(&x) {
        return over_power(series_above_one(n, x), n + 1.0, x, gamma(n + 1.0));
    }
    let log = log_pair(Pair::single(x));
    if x > 1.0 {
        return over_power(recurrence_above_one(n, x, log), n + 1.0, x, gamma(n + 1.0));
    }
    let rest = exact_sum(1.0, -x);
    if n == 0.0 {
        return -log.divide(rest).sum();
    }
    over_power(recurrence_below_one(n, x, log.divide(rest)), n, x, gamma(n))
}

/// `Gₙ xⁿ/n! = Σ k!/((n + 1) … (n + 1 + k)) (1 - x)ᵏ`, for `1/2 <= x < 1`.
fn series_below_one(n: f64, x: f64) -> Pair<f64> {
    let z = 1.0 - x;
    let mut term = 1.0 / (n + 1.0);
    let mut sum = Pair::single(term);
    let mut k = 1.0;
    while term > 1e-19 * sum.hi {
        term *= z * (k / (n + 1.0 + k));
        sum = sum.plus(Pair::single(term));
        k += 1.0;
    }
    sum
}

/// `Gₙ xⁿ⁺¹/n! = Σ wᵏ/(n + 1 + k)` with `w = (x - 1)/x`, for `1 <= x <= 4`.
fn series_above_one(n: f64, x: f64) -> Pair<f64> {
    let w = Pair::single(x - 1.0).divide(Pair::single(x)).normalize();
    let mut power = Pair::single(1.0);
    let mut sum = Pair::single(1.0 / (n + 1.0));
    let mut k = 1.0;
    while power.hi > 1e-19 {
        power = power.times(w).normalize();
        sum = sum.plus(Pair::single(power.hi / (n + 1.0 + k)));
        k += 1.0;
    }
    sum
}

/// `aₙ = Gₙ xⁿ⁺¹/n!` from `a₀ = x ln x/(x - 1)` and `aₙ = x/(x - 1) (aₙ₋₁ - 1/n)`, for `x > 4`.
fn recurrence_above_one(n: f64, x: f64, log: Pair<f64>) -> Pair<f64> {
    // x/(x - 1) is 1 + 1/(x - 1), where for large x the second term is negligible.
    let below = if x < 1e20 { Pair::single(1.0).divide(exact_sum(x, -1.0).normalize()) } else { Pair::single(0.0) };
    let ratio = Pair::single(1.0).plus(below);
    let mut a = ratio.times(log).normalize();
    let mut k = 1.0;
    while k <= n {
        a = ratio.times(a.plus(-Pair::single(1.0).divide(Pair::single(k)))).normalize();
        k += 1.0;
    }
    a
}

/// `bₙ = Gₙ xⁿ/(n - 1)!` from `b₁ = (1 - x G₀)/(1 - x)` and `bₙ = (1 - n x bₙ₋₁/(n - 1))/(1 - x)`, for `x < 1/2` and
/// `n > 0`, given `-G₀`.
fn recurrence_below_one(n: f64, x: f64, minus_first: Pair<f64>) -> Pair<f64> {
    let (one, rest) = (Pair::single(1.0), exact_sum(1.0, -x));
    // For smaller x the product is negligible, and could underflow.
    let x = if x < 1e-40 { 0.0 } else { x };
    let mut b = one.plus(minus_first.times(Pair::single(x))).divide(rest).normalize();
    let mut k = 2.0;
    while k <= n {
        let product = b.times(Pair::single(x)).times(Pair::single(k)).divide(Pair::single(k - 1.0));
        b = one.plus(-product).divide(rest).normalize();
        k += 1.0;
    }
    b
}

/// `y factor / xᵐ`.
fn over_power(y: Pair<f64>, m: f64, x: f64, factor: f64) -> f64 {
    // No power up to the 25th overflows here.
    if !(1e-11..=1e11).contains(&x) {
        return scaled_power(m, x, factor * y.sum());
    }
    let mut power = Pair::single(1.0);
    let mut k = 0.0;
    while k < m {
        power = power.times(Pair::single(x)).normalize();
        k += 1.0;
    }
    y.times(Pair::single(factor)).divide(power).sum()
}
