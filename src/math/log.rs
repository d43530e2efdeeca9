//! Logarithms.
//!
//! `x = m 2ᵏ` with `m` near one, and with `s = 2 (m - 1) / (m + 1)` (to twice the precision of `f64`)
//! `ln m = 2 artanh(s / 2) = s + s³ P(s²)`, where `P` is a minimax polynomial. The correction `s³ P` is at most a
//! hundredth of the result, so its rounding hardly matters. This form of the series is that of fdlibm's `log`.

use super::lanes::Lanes;
use super::pair::{Pair, exact_product, exact_sum, ordered_sum, polynomial};
use super::rounding::{power_of_two, split};
use std::f64::consts::{LOG2_E, LOG10_E};

/// The first 42 bits of ln 2, so that its product with an exponent is exact.
const LN_2_HI: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800);
/// ln 2 minus `LN_2_HI`.
const LN_2_LO: f64 = 5.497923018708371e-14;
/// log₂ e minus its nearest `f64`.
const LOG2_E_LO: f64 = 2.0355273740931033e-17;
/// log₁₀ e minus its nearest `f64`.
const LOG10_E_LO: f64 = 1.098319650216765e-17;
/// The first 42 bits of log₁₀ 2.
const LOG10_2_HI: f64 = f64::from_bits(0x3fd3_4413_509f_7800);
/// log₁₀ 2 minus `LOG10_2_HI`.
const LOG10_2_LO: f64 = 2.8363394551044964e-14;

/// `P` of the module's description, a polynomial in s², for `|s| <= 2 (√2 - 1) / (√2 + 1)`; the relative error
/// of the logarithm is 2^-59.5.
const LOG: [f64; 7] = [
    0.08333333333333418,
    0.012499999999816859,
    0.0022321428705127347,
    0.0004340273155055876,
    8.878694040495252e-05,
    1.869387398816713e-05,
    4.5154588517283985e-06,
];

/// `P` without its first two terms, 1/12 and s²/80, divided by s⁴; the relative error of the logarithm is 2^-72.8.
const LOG_REST: [f64; 7] = [
    0.0022321428571432157,
    0.00043402777773462613,
    8.877841115920035e-05,
    1.8779996215234205e-05,
    4.06975194803416e-06,
    8.914976999949307e-07,
    2.2718456581169088e-07,
];

/// `s` of the module's description, for `m = 1 + f`, to about 105 bits if `f` is.
#[inline(always)]
fn series_argument<L: Lanes>(f: Pair<L>) -> Pair<L> {
    let two = L::splat(2.0);
    let sum = ordered_sum(two, f.hi);
    let denominator = Pair::new(sum.hi, sum.lo + f.lo);
    Pair::new(f.hi + f.hi, f.lo + f.lo).divide(denominator)
}

/// `ln (1 + f)` for `1 + f` near one, to about seven bits more than the precision of `f64`.
#[inline(always)]
fn log_near_one<L: Lanes>(f: Pair<L>) -> Pair<L> {
    let s = series_argument(f);
    let square = s.hi * s.hi;
    Pair::new(s.hi, (s.hi * square).fma(polynomial(square, LOG), s.lo))
}

/// The sum of `k ln 2` and a logarithm near zero.
#[inline(always)]
fn add_exponent<L: Lanes>(k: L, log: Pair<L>) -> Pair<L> {
    let sum = ordered_sum(k * L::splat(LN_2_HI), log.hi);
    Pair::new(sum.hi, sum.lo + k.fma(L::splat(LN_2_LO), log.lo))
}

/// The product of a logarithm near zero and a constant in two parts.
#[inline(always)]
fn change_base<L: Lanes>(log: Pair<L>, hi: f64, lo: f64) -> Pair<L> {
    let product = exact_product(log.hi, L::splat(hi));
    Pair::new(product.hi, log.lo.fma(L::splat(hi), log.hi.fma(L::splat(lo), product.lo)))
}

/// `y`, except for arguments at which the logarithm is infinite or undefined.
#[inline(always)]
fn special<L: Lanes>(x: L, y: L) -> L {
    let zero = L::splat(0.0);
    let infinity = L::splat(f64::INFINITY);
    let y = L::select(x.eq(infinity), infinity, y);
    let y = L::select(x.eq(zero), -infinity, y);
    L::select(zero.le(x), y, L::splat(f64::NAN))
}

/// `ln x`.
#[inline(always)]
pub(super) fn log<L: Lanes>(x: L) -> L {
    let (k, m) = split(x);
    let log = log_near_one(Pair::single(m - L::splat(1.0)));
    special(x, add_exponent(k, log).sum())
}

/// `ln x` for positive finite `x`, with an error of about 2⁻⁵³ times itself or one, whichever is larger: for what does not
/// need its digits near one.
#[cfg(not(elementary))]
#[inline(always)]
pub(super) fn log_absolute<L: Lanes>(x: L) -> L {
    let (k, m) = split(x);
    let f = m - L::splat(1.0);
    let s = (f + f) / (f + L::splat(2.0));
    let square = s * s;
    let near_one = (s * square).fma(polynomial(square, LOG), s);
    k.fma(L::splat(std::f64::consts::LN_2), near_one)
}

/// `log₂ x`.
#[inline(always)]
pub(super) fn log2<L: Lanes>(x: L) -> L {
    let (k, m) = split(x);
    let log = log_near_one(Pair::single(m - L::splat(1.0)));
    let log = change_base(log, LOG2_E, LOG2_E_LO);
    let sum = ordered_sum(k, log.hi);
    special(x, sum.hi + (sum.lo + log.lo))
}

/// `log₁₀ x`.
#[inline(always)]
pub(super) fn log10<L: Lanes>(x: L) -> L {
    let (k, m) = split(x);
    let log = log_near_one(Pair::single(m - L::splat(1.0)));
    let log = change_base(log, LOG10_E, LOG10_E_LO);
    let sum = ordered_sum(k * L::splat(LOG10_2_HI), log.hi);
    special(x, sum.hi + (sum.lo + k.fma(L::splat(LOG10_2_LO), log.lo)))
}

/// `ln (1 + t)` for finite `t > -1`, plus `extra` times ln 2.
#[inline(always)]
pub(super) fn log1p_pair<L: Lanes>(t: Pair<L>, extra: L) -> Pair<L> {
    let one = L::splat(1.0);
    let sum = exact_sum(one, t.hi);
    let (k, m) = split(sum.hi);
    // For large k the rounding error of the sum does not matter, and its scale would be subnormal.
    let lost = (sum.lo + t.lo) * power_of_two(-k.min(L::splat(1000.0)));
    let elsewhere = Pair::new(m - one, lost);
    let f = Pair::select(k.eq(L::splat(0.0)), t, elsewhere);
    add_exponent(k + extra, log_near_one(f))
}

/// `ln (1 + x)`.
#[inline(always)]
pub(super) fn log1p<L: Lanes>(x: L) -> L {
    let zero = L::splat(0.0);
    let y = log1p_pair(Pair::single(x), zero).sum();
    // Where x² / 2 is negligible relative to x, the sum above loses the sign of zero.
    let y = L::select(x.abs().lt(L::splat(1e-17)), x, y);
    let infinity = L::splat(f64::INFINITY);
    let y = L::select(x.eq(infinity), infinity, y);
    let y = L::select(x.eq(L::splat(-1.0)), -infinity, y);
    L::select(L::splat(-1.0).le(x), y, L::splat(f64::NAN))
}

/// `ln x` for positive finite `x` to about 68 bits, as the power function requires.
#[inline(always)]
pub(super) fn log_accurate<L: Lanes>(x: L) -> Pair<L> {
    let (k, m) = split(x);
    log_accurate_near_one(k, Pair::single(m - L::splat(1.0)))
}

/// `ln x` for positive finite `x` to about 68 bits; the low part of `x` counts if the high part is above 2⁻¹⁰⁰⁰.
#[inline(always)]
pub(super) fn log_pair<L: Lanes>(x: Pair<L>) -> Pair<L> {
    let limit = L::splat(1000.0);
    let (k, m) = split(x.hi);
    let lost = x.lo * power_of_two(-k.max(-limit).min(limit));
    log_accurate_near_one(k, Pair::new(m - L::splat(1.0), lost))
}

/// `ln (1 + t)` for finite `t > -1/2`, to about 68 bits; `t` may not be near the largest numbers.
#[inline(always)]
pub(super) fn log1p_accurate<L: Lanes>(t: Pair<L>) -> Pair<L> {
    let near = L::splat(0.25);
    let inside = t.hi.abs().lt(near);
    let sum = exact_sum(L::splat(1.0), L::select(inside, near, t.hi));
    let elsewhere = log_pair(Pair::new(sum.hi, sum.lo + t.lo));
    Pair::select(inside, log_accurate_near_one(L::splat(0.0), t), elsewhere)
}

/// `k ln 2 + ln (1 + f)` for `1 + f` near one.
#[inline(always)]
fn log_accurate_near_one<L: Lanes>(k: L, f: Pair<L>) -> Pair<L> {
    let s = series_argument(f);
    let correction = cubic_and_beyond(s);
    let near_one = ordered_sum(s.hi, correction.hi);
    let near_one = Pair::new(near_one.hi, near_one.lo + (s.lo + correction.lo));
    let sum = ordered_sum(k * L::splat(LN_2_HI), near_one.hi);
    Pair::new(sum.hi, sum.lo + k.fma(L::splat(LN_2_LO), near_one.lo)).normalize()
}

/// `s³ (1/12 + s² (1/80 + s² Q(s²)))`, with the first two terms in twice the precision.
#[inline(always)]
fn cubic_and_beyond<L: Lanes>(s: Pair<L>) -> Pair<L> {
    /// 1/80 minus its nearest `f64`.
    const EIGHTIETH_LO: f64 = -6.938893903907229e-19;
    /// 1/12 minus its nearest `f64`.
    const TWELFTH_LO: f64 = 4.625929269271485e-18;
    let square = s.times(s);
    let rest = square.hi * polynomial(square.hi, LOG_REST);
    let inner = ordered_sum(L::splat(1.0 / 80.0), rest);
    let inner = Pair::new(inner.hi, inner.lo + L::splat(EIGHTIETH_LO));
    let product = square.times(inner);
    let outer = ordered_sum(L::splat(1.0 / 12.0), product.hi);
    let outer = Pair::new(outer.hi, outer.lo + (product.lo + L::splat(TWELFTH_LO)));
    s.times(square.times(outer))
}
