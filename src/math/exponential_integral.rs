//! The exponential integrals `E₁` and `Ei`.
//!
//! For small arguments they are power series, summed to twice the precision, since that of `E₁` cancels (Abramowitz and
//! Stegun, *Handbook of Mathematical Functions*, 5.1.10 and 5.1.11). For larger ones `E₁` is a continued fraction (5.1.22, in
//! its even form) and `Ei` its asymptotic expansion (5.1.51). Next to its zero `Ei` is Taylor's series there, with the
//! logarithm split off (Cody and Thacher, *Chebyshev approximations for the exponential integral Ei(x)*, Math. Comp. 23
//! (1969)).

use super::exp::exp_parts;
use super::lanes::Lanes;
use super::log::{log_pair, log1p_accurate};
use super::pair::{Pair, exact_sum, ordered_sum, polynomial};
use super::rounding::scale;

/// `E₁(x) = ∫ e⁻ᵗ/t dt` from `x` to infinity; NaN below 0.
#[inline(always)]
pub(super) fn exp1<L: Lanes>(x: L) -> L {
    x.zip(x, |x, _| if x < 0.0 { f64::NAN } else { decaying(x) })
}

/// `Ei(x)`, the principal value of `∫ eᵗ/t dt` from minus infinity to `x`.
#[inline(always)]
pub(super) fn expi<L: Lanes>(x: L) -> L {
    x.zip(x, |x, _| if x < 0.0 { -decaying(-x) } else { growing(x) })
}

/// From here on, `E₁` is the continued fraction.
const FRACTION: f64 = 4.0;
/// From here on, `Ei` is the asymptotic expansion, whose smallest term is `e⁻ˣ`.
const EXPANSION: f64 = 40.0;

/// Euler's constant.
const EULER: Pair<f64> = Pair { hi: 0.5772156649015329, lo: -4.942915152430645e-18 };
/// The zero of `Ei`, in three parts.
const ROOT: [f64; 3] = [0.3725074107813666, 1.3140183414386028e-17, 6.4725688445954145e-34];
/// From the zero to here Taylor's series is used.
const NEAR_ROOT: f64 = 0.125;
/// The slope of `Ei(x) - ln x` at the zero, in two parts.
const SLOPE_AT_ROOT: Pair<f64> = Pair { hi: 1.2117053830864597, lo: -3.9840654382552305e-17 };

/// The coefficients of Taylor's series of `Ei(x) - ln x` at the zero of `Ei` after the slope.
const BEYOND_SLOPE: [f64; 12] = [
    0.3216900454331978,
    0.0736491178369258,
    0.014058457874600975,
    0.0022764039044718323,
    0.00031888587136831017,
    3.9299458146496575e-05,
    4.320007766390822e-06,
    4.283877949222866e-07,
    3.868228477723948e-08,
    3.2056971517296526e-09,
    2.454516516119882e-10,
    1.746345479752011e-11,
];

/// `E₁(x)` for `x >= 0`.
#[inline(never)]
fn decaying(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::INFINITY;
    }
    if x < FRACTION {
        return log_and_euler(x).plus(entire(x, -1.0)).scaled(-1.0).sum();
    }
    // Here e⁻ˣ has long vanished.
    if x > 1000.0 {
        return 0.0;
    }
    let (power, n) = exp_parts(Pair::single(-x));
    scale(power.divide(denominator(x)).sum(), n)
}

/// `e⁻ˣ / E₁(x) = x + 1 - 1²/(x + 3 - 2²/(x + 5 - …))`, as many terms as are needed from `x = 4` on.
fn denominator(x: f64) -> Pair<f64> {
    let n = (6.0 + 130.0 / x).trunc();
    let mut k = n;
    let mut tail = x + 2.0 * k + 1.0;
    while k > 1.0 {
        tail = (x + (2.0 * k - 1.0)) - k * k / tail;
        k -= 1.0;
    }
    exact_sum(x, 1.0).plus(Pair::single(-1.0 / tail)).normalize()
}

/// `Ei(x)` for `x >= 0`.
#[inline(never)]
fn growing(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if (x - ROOT[0]).abs() < NEAR_ROOT {
        return around_root(x).sum();
    }
    if x < EXPANSION {
        return log_and_euler(x).plus(entire(x, 1.0)).sum();
    }
    if x > 1000.0 {
        return f64::INFINITY;
    }
    let (power, n) = exp_parts(Pair::single(x));
    let sum = ordered_sum(1.0, expansion(x));
    scale(power.times(sum).divide(Pair::single(x)).sum(), n)
}

/// `Σ k!/xᵏ` over `k > 0`, up to the smallest term.
fn expansion(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 0.0);
    let mut k = 1.0;
    while k < x && term > 1e-20 {
        term *= k / x;
        sum += term;
        k += 1.0;
    }
    sum
}

/// `ln x + γ`.
fn log_and_euler(x: f64) -> Pair<f64> {
    log_pair(Pair::single(x)).plus(EULER)
}

/// `Σ (sign x)ᵏ / (k k!)` over `k > 0`.
fn entire(x: f64, sign: f64) -> Pair<f64> {
    let x = Pair::single(x * sign);
    let mut power = x;
    let mut sum = x;
    let mut k = 2.0;
    // Where it cancels, at 4 at most, the result is above 10⁻³.
    while power.hi.abs() > 1e-24 * sum.hi.abs().min(1.0) {
        power = power.times(x).divide(Pair::single(k)).normalize();
        sum = sum.plus(power.divide(Pair::single(k)));
        k += 1.0;
    }
    sum
}

/// `Ei(r + d) = ln(1 + d/r) + d Σ cₖ dᵏ` for the zero `r`, both terms of one sign.
fn around_root(x: f64) -> Pair<f64> {
    let d = exact_sum(x, -ROOT[0]).plus(Pair::new(-ROOT[1], -ROOT[2]));
    let log = log1p_accurate(d.divide(Pair::new(ROOT[0], ROOT[1])).normalize());
    let slope = SLOPE_AT_ROOT.plus(Pair::single(d.hi * polynomial(d.hi, BEYOND_SLOPE)));
    log.plus(d.times(slope))
}
