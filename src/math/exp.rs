//! Exponentials, and the logistic function.
//!
//! The argument is reduced as `x = n ln 2 + r` by the method of Cody and Waite, *Software Manual for the Elementary
//! Functions* (1980), with the remainder kept in two parts; `eʳ` is `1 + r + r² P(r)`, where `P` is a minimax
//! polynomial (Remez exchange, weight `|r|`: the relative error of `eʳ - 1`).

use super::lanes::Lanes;
use super::pair::{Pair, exact_product, exact_sum, ordered_sum, polynomial};
use super::rounding::{power_of_two, round, round_product, scale};
use std::f64::consts::{LN_2, LOG2_E};

/// ln 2 minus its nearest `f64`.
const LN_2_LO: f64 = 2.3190468138462996e-17;

/// `P` of the module's description, for `|r| <= ln 2 / 2`; the error is 2^-61.7.
const EXP: [f64; 11] = [
    0.5,
    0.16666666666666677,
    0.0416666666666667,
    0.008333333333321579,
    0.0013888888888866702,
    0.0001984126988626712,
    2.4801587360803334e-05,
    2.7557244061174224e-06,
    2.755724256013965e-07,
    2.5109090636044818e-08,
    2.0924502165533372e-09,
];

/// `n ln 2 + r.hi + r.lo`, with `|r.hi|` at most a little above `ln 2 / 2`.
#[derive(Clone, Copy)]
pub(super) struct Reduced<L> {
    pub n: L,
    pub r: Pair<L>,
}

/// Subtracts the nearest multiple of ln 2 from `x`, for `|x|` up to some thousands.
#[inline(always)]
pub(super) fn reduce<L: Lanes>(x: L) -> Reduced<L> {
    let n = round_product(x, L::splat(LOG2_E)).value;
    // Exact: a multiple of the last bit of `LN_2`, or of that of `x`, and below one half.
    let rest = (-n).fma(L::splat(LN_2), x);
    let low = n * L::splat(LN_2_LO);
    let hi = rest - low;
    Reduced { n, r: Pair::new(hi, (rest - hi) - low) }
}

/// `eʳ - 1 - r + tail`, with an error of about `2⁻⁵⁷`.
#[inline(always)]
fn exp_rest<L: Lanes>(r: L, tail: L) -> L {
    (r * r).fma(polynomial(r, EXP), tail)
}

/// `eʳ - 1 - r.hi`, with the rounding error of the square of `r.hi`, which matters where the sum is small.
#[inline(always)]
pub(super) fn expm1_rest<L: Lanes>(r: Pair<L>) -> L {
    let square = exact_product(r.hi, r.hi);
    let lo = square.lo.fma(L::splat(0.5), r.lo);
    exp_rest(r.hi, lo.fma(r.hi, lo))
}

/// `eʳ` for a reduced `r`, to a few bits more than the precision of `f64`; `lo` may be as large as 0.07.
#[inline(always)]
pub(super) fn exp_reduced<L: Lanes>(r: Pair<L>) -> Pair<L> {
    let one = ordered_sum(L::splat(1.0), r.hi);
    Pair::new(one.hi, exp_rest(r.hi, r.lo.fma(r.hi, r.lo) + one.lo))
}

/// `eˣ` as `y 2ⁿ`, for `|x|` up to some thousands.
#[inline(always)]
pub(super) fn exp_parts<L: Lanes>(x: Pair<L>) -> (Pair<L>, L) {
    let Reduced { n, r } = reduce(x.hi);
    // The low part of the argument can be larger than the reduced argument.
    (exp_reduced(exact_sum(r.hi, r.lo + x.lo)).normalize(), n)
}

/// `eˣ`.
#[inline(always)]
pub(super) fn exp<L: Lanes>(x: L) -> L {
    // At these limits the result overflows or underflows.
    let Reduced { n, r } = reduce(x.max(L::splat(-750.0)).min(L::splat(710.0)));
    L::select(x.is_number(), scale(exp_reduced(r).sum(), n), L::splat(f64::NAN))
}

/// `2ˣ`.
#[inline(always)]
pub(super) fn exp2<L: Lanes>(x: L) -> L {
    let clamped = x.max(L::splat(-1100.0)).min(L::splat(1100.0));
    let n = round(clamped);
    let fraction = clamped - n;
    // The fraction, times ln 2, in two parts.
    let hi = fraction * L::splat(LN_2);
    let lo = fraction.fma(L::splat(LN_2), -hi) + fraction * L::splat(LN_2_LO);
    L::select(x.is_number(), scale(exp_reduced(Pair::new(hi, lo)).sum(), n), L::splat(f64::NAN))
}

/// `(eˣ - 1) / 2` for `-100 <= x <= 710`: half, so that it does not overflow before `eˣ - 1` does.
#[inline(always)]
pub(super) fn half_expm1<L: Lanes>(x: L) -> Pair<L> {
    let Reduced { n, r } = reduce(x);
    let (zero, half) = (L::splat(0.0), L::splat(0.5));
    let is_zero = n.eq(zero);
    let one = ordered_sum(L::splat(1.0), r.hi);
    // For n = 1 the result can be as small as a third of the terms.
    let rest = expm1_rest(r) + L::select(is_zero, zero, one.lo);
    let near_zero = Pair::new(r.hi * half, rest * half);
    let factor = power_of_two(n - L::splat(1.0));
    let difference = exact_sum(factor * one.hi, -half);
    let elsewhere = Pair::new(difference.hi, factor.fma(rest, difference.lo));
    Pair::select(is_zero, near_zero, elsewhere)
}

/// `eˣ - 1`.
#[inline(always)]
pub(super) fn expm1<L: Lanes>(x: L) -> L {
    let y = half_expm1(x.max(L::splat(-60.0)).min(L::splat(710.0))).sum();
    // Where x² / 2 is negligible relative to x, the sum above loses subnormal bits and the sign of zero.
    let y = L::select(x.abs().lt(L::splat(1e-17)), x, y + y);
    L::select(x.is_number(), y, L::splat(f64::NAN))
}

/// `w (1 - w)` for `0 <= w <= 1/2`.
#[inline(always)]
pub(super) fn times_complement<L: Lanes>(w: Pair<L>) -> L {
    let tail = (-(w.hi + w.hi)).fma(w.lo, w.lo);
    w.hi + (-w.hi).fma(w.hi, tail)
}

/// `1 / (1 + e⁻ˣ)` and its derivative `e⁻ˣ / (1 + e⁻ˣ)²`, from one exponential.
#[inline(always)]
pub(super) fn logistic_and_derivative<L: Lanes>(x: L) -> [L; 2] {
    // With `w = eᵃ / (1 + eᵃ)`, where `a = -|x|`, it is `1 - w` for positive x and `w` for negative x: no overflow.
    let one = L::splat(1.0);
    let Reduced { n, r } = reduce((-x.abs()).max(L::splat(-750.0)));
    let power = exp_reduced(r).normalize();
    // 2ⁿ in two factors, of which the product with the first is exact.
    let first = n.max(L::splat(-1000.0));
    let (factor, rest) = (power_of_two(first), power_of_two(n - first));
    let sum = ordered_sum(one, factor * power.hi);
    let denominator = Pair::new(sum.hi, factor.fma(power.lo, sum.lo));
    let smaller = power.divide(denominator).scaled(factor);
    let difference = ordered_sum(one, -smaller.hi);
    let larger = difference.hi + (difference.lo - smaller.lo);
    let y = L::select(x.lt(L::splat(0.0)), smaller.sum() * rest, larger);
    let slope = times_complement(smaller) * rest;
    let (number, nan) = (x.is_number(), L::splat(f64::NAN));
    [L::select(number, y, nan), L::select(number, slope, nan)]
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(super) fn logistic<L: Lanes>(x: L) -> L {
    logistic_and_derivative(x)[0]
}

/// The derivative of the logistic function.
#[inline(always)]
pub(super) fn logistic_derivative<L: Lanes>(x: L) -> L {
    logistic_and_derivative(x)[1]
}
