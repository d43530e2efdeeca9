//! Logarithms of quotients and sums of exponentials, and products with logarithms, without cancellation or intermediate
//! overflow.

use super::exp::{exp_parts, half_expm1};
use super::lanes::Lanes;
use super::log::{log_pair, log1p_pair};
use super::pair::{Pair, exact_sum};
use super::rounding::{power_of_two, scale};

/// `factor · log`; a factor 0 gives 0 even for an infinite logarithm.
#[inline(always)]
fn times_log<L: Lanes>(factor: L, log: Pair<L>, limit: L) -> L {
    let zero = L::splat(0.0);
    let y = Pair::single(factor).times(log).sum();
    // If the product overflows or underflows, the two-part product is invalid.
    let plain = factor * limit;
    let inside = L::and(plain.abs().lt(L::splat(1e300)), L::splat(1e-290).lt(plain.abs()));
    let y = L::select(inside, y, plain);
    L::select(factor.eq(zero), L::select(limit.is_number(), zero, limit), y)
}

/// `x ln y`, and 0 for `x = 0`.
#[inline(always)]
pub(super) fn xlogy<L: Lanes>(x: L, y: L) -> L {
    let (zero, infinity) = (L::splat(0.0), L::splat(f64::INFINITY));
    let regular = L::and(zero.lt(y), y.lt(infinity));
    let log = log_pair(Pair::single(L::select(regular, y, L::splat(1.0))));
    let limit = L::select(regular, log.sum(), L::select(y.eq(zero), -infinity, y));
    let limit = L::select(zero.le(y), limit, L::splat(f64::NAN));
    times_log(x, log, limit).canonical()
}

/// `x ln(1 + y)`, and 0 for `x = 0`.
#[inline(always)]
pub(super) fn xlog1py<L: Lanes>(x: L, y: L) -> L {
    let (zero, one, infinity) = (L::splat(0.0), L::splat(1.0), L::splat(f64::INFINITY));
    let regular = L::and((-one).lt(y), y.lt(infinity));
    let y_inside = L::select(regular, y, one);
    // Where y² / 2 is negligible relative to y, the sum could lose subnormal bits.
    let tiny = y.abs().lt(L::splat(1e-17));
    let log = Pair::select(tiny, Pair::single(y), log1p_pair(Pair::single(y_inside), zero));
    let limit = L::select(regular, log.sum(), L::select(y.eq(-one), -infinity, y));
    let limit = L::select((-one).le(y), limit, L::splat(f64::NAN));
    times_log(x, log, limit).canonical()
}

/// `-x ln x`, 0 at 0, and -inf below.
#[inline(always)]
pub(super) fn entr<L: Lanes>(x: L) -> L {
    let zero = L::splat(0.0);
    let y = L::select(x.lt(zero), L::splat(f64::NEG_INFINITY), xlogy(-x, x));
    L::select(x.is_number(), y, L::splat(f64::NAN))
}

/// `ln(p / (1 - p))`.
#[inline(always)]
pub(super) fn logit<L: Lanes>(p: L) -> L {
    let (zero, one, infinity) = (L::splat(0.0), L::splat(1.0), L::splat(f64::INFINITY));
    let inside = L::and(zero.lt(p), p.lt(one));
    let regular = L::select(inside, p, L::splat(0.5));
    let quotient = Pair::single(regular).divide(exact_sum(one, -regular));
    // The low part of a tiny quotient may be inexact, but it is negligible.
    let lo = L::select(p.lt(L::splat(1e-17)), zero, quotient.lo);
    let y = log_pair(Pair::new(quotient.hi, lo).normalize()).sum();
    let y = L::select(p.eq(zero), -infinity, y);
    let y = L::select(p.eq(one), infinity, y);
    L::select(L::and(zero.le(p), p.le(one)), y, L::splat(f64::NAN))
}

/// `ln(1 + e⁻ᵈ)` for `d >= 0`.
#[inline(always)]
fn log1p_exp<L: Lanes>(d: Pair<L>) -> Pair<L> {
    let (power, n) = exp_parts(-d);
    log1p_pair(power.scaled(power_of_two(n.max(L::splat(-1000.0)))), L::splat(0.0))
}

/// `ln(eˣ + eʸ)`.
#[inline(always)]
pub(super) fn logaddexp<L: Lanes>(x: L, y: L) -> L {
    let (zero, limit) = (L::splat(0.0), L::splat(700.0));
    let swapped = x.lt(y);
    let (large, small) = (L::select(swapped, y, x), L::select(swapped, x, y));
    let d = exact_sum(large, -small);
    let inside = d.hi.lt(limit);
    let d = Pair::select(inside, d, Pair::single(limit));
    let more = Pair::select(inside, log1p_exp(d), Pair::single(zero));
    let sum = exact_sum(large, more.hi);
    let z = sum.hi + (sum.lo + more.lo);
    // Infinite operands have no difference; and if the added term is 0, the larger operand is the result.
    let z = L::select(L::and(inside, large.abs().lt(L::splat(f64::INFINITY))), z, large);
    L::select(L::and(x.is_number(), y.is_number()), z, L::splat(f64::NAN))
}

/// `ln(1 + eˣ)`.
#[inline(always)]
pub(super) fn softplus<L: Lanes>(x: L) -> L {
    let limit = L::splat(-40.0);
    // Far below zero the logarithm equals the exponential.
    let (power, n) = exp_parts(Pair::single(x.max(L::splat(-750.0)).min(limit)));
    let y = L::select(x.lt(limit), scale(power.sum(), n), logaddexp(x, L::splat(0.0)));
    L::select(x.is_number(), y, L::splat(f64::NAN))
}

/// `ln(1 - e⁻ˣ)` for `x >= 0`.
#[inline(always)]
pub(super) fn log1mexp<L: Lanes>(x: L) -> L {
    let (zero, half) = (L::splat(0.0), L::splat(0.5));
    let near = half_expm1(-x.max(L::splat(1e-17)).min(L::splat(1.0)));
    let near = Pair::new(-(near.hi + near.hi), -(near.lo + near.lo)).normalize();
    let tiny = x.lt(L::splat(1e-17));
    let near = log_pair(Pair::select(tiny, Pair::single(L::select(zero.lt(x), x, half)), near)).sum();
    let (power, n) = exp_parts(Pair::single(-x.max(half).min(L::splat(750.0))));
    let small = power.scaled(power_of_two(n.max(L::splat(-1000.0))));
    let far = log1p_pair(-small, zero).sum();
    let far = L::select(L::splat(40.0).lt(x), -scale(power.sum(), n), far);
    let y = L::select(x.lt(L::splat(std::f64::consts::LN_2)), near, far);
    let y = L::select(x.eq(zero), L::splat(f64::NEG_INFINITY), y);
    L::select(zero.le(x), y, L::splat(f64::NAN))
}
