//! The gamma function, its logarithm, and the logarithm's derivative.
//!
//! Below 7.5 a recurrence leads to the interval around two (for the digamma function: around its root), where a
//! polynomial is used; larger arguments use the Stirling series. Negative arguments are reflected. Terms and factors
//! are kept in two parts, so that little is lost where terms cancel, near the zeros at 1 and 2. See Abramowitz and
//! Stegun, *Handbook of Mathematical Functions*, §§6.1 and 6.3.

use super::exp::exp_parts;
use super::lanes::Lanes;
use super::log::log_pair;
use super::pair::{Pair, exact_sum, ordered_sum, polynomial};
use super::rounding::{round, scale};
use std::f64::consts::{FRAC_1_PI, PI};

/// π minus its nearest `f64`.
const PI_LO: f64 = 1.2246467991473532e-16;
/// 1/π minus its nearest `f64`.
const FRAC_1_PI_LO: f64 = -1.9678676675182486e-17;
/// 1 - γ in two parts, where γ is Euler's constant: the slope of the logarithm at 2.
const SLOPE_AT_TWO: [f64; 2] = [0.42278433509846713, 4.942915152430645e-18];
/// ln √(2π) in two parts.
const HALF_LOG_TAU: [f64; 2] = [0.9189385332046728, -3.8782941580672414e-17];
/// The positive root of the digamma function, in three parts.
const ROOT: [f64; 3] = [1.4616321449683622, 9.549995429965697e-17, 2.89392992820415e-33];
/// The slope of the digamma function at its root, in two parts.
const SLOPE_AT_ROOT: [f64; 2] = [0.9676722454476212, -3.387874303038943e-17];

/// `(lnΓ(2 + d) / d - (1 - γ)) / d` as a polynomial in d, for `|d| <= 1/2`; the error is 2^-66.
const LGAMMA: [f64; 20] = [
    0.3224670334241132,
    -0.0673523010531981,
    0.02058080842778457,
    -0.007385551028673995,
    0.002890510330738737,
    -0.001192753911701927,
    0.0005096695248853096,
    -0.00022315475852168894,
    9.945750909889392e-05,
    -4.49262349749866e-05,
    2.050726741605779e-05,
    -9.439514433031234e-06,
    4.374374916915131e-06,
    -2.038980289606216e-06,
    9.578663334114758e-07,
    -4.505513901600013e-07,
    2.0304806751615227e-07,
    -9.611311217528077e-08,
    6.379047507619774e-08,
    -3.0412068327913675e-08,
];

/// The rounding error of the first coefficient of `LGAMMA`.
const LGAMMA_LO: f64 = 1.5176930390577985e-17;

/// The correction to Stirling's formula, times x, as a polynomial in x⁻², for `x >= 7.5`; the error relative to the
/// logarithm is 2^-67.
const STIRLING: [f64; 8] = [
    0.08333333333333333,
    -0.0027777777777775368,
    0.0007936507933649074,
    -0.0005952379653539187,
    0.0008417216737331459,
    -0.0019139313272278763,
    0.006159482931227775,
    -0.019960699917191262,
];

/// `(ψ(r + d) / d - ψ'(r)) / d` as a polynomial in d, for the root r and `1 <= r + d <= 2`; the error is 2^-63.
const DIGAMMA: [f64; 24] = [
    -0.4427631689835921,
    0.258499760955651,
    -0.16394270544240644,
    0.10782405069125746,
    -0.07219956125646645,
    0.04880428816470895,
    -0.03316112647422889,
    0.022597648202106163,
    -0.015424765915916443,
    0.010538792506609421,
    -0.007204534504244088,
    0.004926765366474591,
    -0.0033697934609430084,
    0.00230531053972935,
    -0.0015770886566769378,
    0.0010774560322173634,
    -0.000736557303615619,
    0.0005114040354137345,
    -0.0003544277437864614,
    0.00021850039797515053,
    -0.00013050849787302188,
    0.00013325136083509577,
    -0.00013290983494598956,
    5.578676599909859e-05,
];

/// The rounding error of the first coefficient of `DIGAMMA`.
const DIGAMMA_LO: f64 = -2.475900309240471e-17;

/// `(ln x - 1/(2x) - ψ(x)) x²` as a polynomial in x⁻², for `x >= 8`; the error relative to ψ is 2^-69.
const DIGAMMA_TAIL: [f64; 8] = [
    0.08333333333333333,
    -0.008333333333331664,
    0.003968253965999701,
    -0.004166665501516725,
    0.007575459920369176,
    -0.02105106090804774,
    0.08002337465397756,
    -0.299425370626735,
];

/// `(sin(πr) / r - π) / r²` as a polynomial in r², for `|r| <= 1/2`; the error is 2^-68.
const SIN_PI: [f64; 9] = [
    -5.16771278004997,
    2.5501640398773455,
    -0.599264529320791,
    0.08214588661108463,
    -0.007370430944816936,
    0.0004663027953897944,
    -2.1915282920601852e-05,
    7.949258149042043e-07,
    -2.2349456072698055e-08,
];

/// The rounding errors of the first two coefficients of `SIN_PI`.
const SIN_PI_LO: [f64; 2] = [2.266715822754921e-16, -8.925976737124587e-17];

/// `sin πr` for `|r| <= 1/2`, to a few bits more than the precision of `f64`, since it cancels near the zeros of
/// reflected functions.
#[inline(always)]
pub(super) fn sin_pi<L: Lanes>(r: Pair<L>) -> Pair<L> {
    let [cubic, quintic, rest @ ..] = SIN_PI;
    let square = r.times(r).normalize();
    let inner = ordered_sum(L::splat(quintic), square.hi * polynomial(square.hi, rest));
    let product = square.times(Pair::new(inner.hi, inner.lo + L::splat(SIN_PI_LO[1])));
    let outer = ordered_sum(L::splat(cubic), product.hi);
    let outer = Pair::new(outer.hi, outer.lo + (product.lo + L::splat(SIN_PI_LO[0])));
    let beyond = r.times(square.times(outer));
    let leading = r.times(Pair::splat(PI, PI_LO));
    let sum = ordered_sum(leading.hi, beyond.hi);
    Pair::new(sum.hi, sum.lo + (leading.lo + beyond.lo))
}

/// `cos πr` for `|r| <= 1/2`: the sine of the complement.
#[inline(always)]
pub(super) fn cos_pi<L: Lanes>(r: L) -> Pair<L> {
    sin_pi(exact_sum(L::splat(0.5), -r.abs()))
}

/// `ln|Γ(x)|` for finite `x > -1/2` except 0, to a few bits more than the precision of `f64`.
#[inline(always)]
pub(super) fn lgamma_pair<L: Lanes>(x: L) -> Pair<L> {
    let (one, limit) = (L::splat(1.0), L::splat(7.5));
    let large = limit.le(x);
    let n = round(x.min(limit));
    // The distance to the nearest integer is exact, and so are the factors of the recurrence.
    let d = x - n;
    let mut product = Pair::single(one);
    for k in 1..=5 {
        let factor = L::select(L::splat(k as f64 + 1.5).lt(n), x - L::splat(k as f64), one);
        product = product.times(Pair::single(factor));
    }
    let at_one = n.eq(one);
    let at_zero = n.lt(L::splat(0.5));
    let a = x.abs();
    let next = exact_sum(one, x).times(Pair::single(a));
    let next = Pair::select(a.lt(L::splat(1e-20)), Pair::single(a), next);
    let product = Pair::select(at_one, Pair::single(x), Pair::select(at_zero, next, product));
    let log = log_pair(Pair::select(large, Pair::single(x), product));
    let [second, rest @ ..] = LGAMMA;
    let near = around_zero(Pair::single(d), SLOPE_AT_TWO, [second, LGAMMA_LO], d * polynomial(d, rest));
    let below = L::or(at_one, at_zero);
    let small = near.plus(Pair::select(below, -log, log));
    Pair::select(large, stirling(L::select(large, x, L::splat(8.0)), log), small)
}

/// `lnΓ(x)` for `x >= 7.5`, given `ln x`: `x (ln x - 1) - ½ ln x + ½ ln 2π + …`.
#[inline(always)]
fn stirling<L: Lanes>(x: L, log: Pair<L>) -> Pair<L> {
    let one = L::splat(1.0);
    // Where computing the low part of the product would overflow, all terms are scaled down by a power of two.
    let huge = L::splat(HUGE).lt(x);
    let down = L::select(huge, L::splat(1.0 / HUGE), one);
    let back = L::select(huge, L::splat(HUGE), one);
    let slope = exact_sum(log.hi, -one).plus(Pair::new(log.lo, L::splat(0.0)));
    let leading = Pair::single(x * down).times(slope);
    let rest = stirling_rest(x);
    let constant = Pair::splat(HALF_LOG_TAU[0], HALF_LOG_TAU[1]);
    let small = log.scaled(L::splat(-0.5)).plus(constant).plus(Pair::single(rest));
    leading.plus(small.scaled(down)).scaled(back)
}

/// The correction to Stirling's formula at `x >= 7.5`.
#[inline(always)]
pub(super) fn stirling_rest<L: Lanes>(x: L) -> L {
    let reciprocal = L::splat(1.0) / x;
    reciprocal * polynomial(reciprocal * reciprocal, STIRLING)
}

/// 2⁹⁰⁰.
const HUGE: f64 = f64::from_bits((1023 + 900) << 52);

/// `ln|Γ(x)|` except at poles and non-finite arguments, and whether `x` is a nonpositive integer.
#[inline(always)]
fn lgamma_anywhere<L: Lanes>(x: L) -> (Pair<L>, L::Mask) {
    let zero = L::splat(0.0);
    let a = x.abs();
    let reflected = x.lt(L::splat(-0.5));
    let finite = a.lt(L::splat(f64::INFINITY));
    let argument = L::select(finite, L::select(reflected, a, x), L::splat(1.0));
    let argument = L::select(x.eq(zero), L::splat(1.0), argument);
    let right = lgamma_pair(argument);
    let pole = L::and(x.le(zero), x.trunc().eq(x));
    let y = if L::any(reflected) {
        // Γ(x) Γ(-x) = -π / (x sin πx).
        let r = a - nearest(a);
        let sine = sin_pi(Pair::single(L::select(pole, L::splat(0.5), r.abs())));
        let product = sine.times(Pair::splat(FRAC_1_PI, FRAC_1_PI_LO)).times(Pair::single(argument));
        Pair::select(reflected, -(log_pair(product.normalize()).plus(right)), right)
    } else {
        right
    };
    (y, pole)
}

/// The integer nearest to `x >= 0`, ties to even.
#[inline(always)]
pub(super) fn nearest<L: Lanes>(x: L) -> L {
    L::select(x.lt(L::splat(4503599627370496.0)), round(x), x)
}

/// `ln|Γ(x)|`.
#[inline(always)]
pub(super) fn lgamma<L: Lanes>(x: L) -> L {
    let infinity = L::splat(f64::INFINITY);
    let (y, pole) = lgamma_anywhere(x);
    let y = L::select(L::or(pole, x.abs().eq(infinity)), infinity, y.sum());
    L::select(x.is_number(), y, L::splat(f64::NAN))
}

/// `Γ(x)`.
#[inline(always)]
pub(super) fn gamma<L: Lanes>(x: L) -> L {
    let (zero, infinity) = (L::splat(0.0), L::splat(f64::INFINITY));
    let (log, pole) = lgamma_anywhere(x);
    let y = with_sign_of_gamma(x, exp_of_log(log));
    let y = L::select(pole, L::select(x.eq(zero), infinity.bit_or(x.sign()), L::splat(f64::NAN)), y);
    let y = L::select(x.eq(infinity), infinity, y);
    L::select((-infinity).lt(x), y, L::splat(f64::NAN))
}

/// `1/Γ(x)`, an entire function: 0 where the gamma function has its poles.
#[inline(always)]
pub(super) fn rgamma<L: Lanes>(x: L) -> L {
    let (zero, infinity) = (L::splat(0.0), L::splat(f64::INFINITY));
    let (log, pole) = lgamma_anywhere(x);
    let y = with_sign_of_gamma(x, exp_of_log(-log));
    let y = L::select(pole, L::select(x.eq(zero), x, zero), y);
    let y = L::select(x.eq(infinity), zero, y);
    L::select((-infinity).lt(x), y, L::splat(f64::NAN))
}

/// `e` to a power.
#[inline(always)]
fn exp_of_log<L: Lanes>(log: Pair<L>) -> L {
    let limit = L::splat(750.0);
    // Beyond the limits the result overflows or underflows in any case.
    let inside = log.hi.abs().lt(limit);
    let log = Pair::select(inside, log, Pair::single(log.hi.max(-limit).min(limit)));
    let (y, n) = exp_parts(log);
    scale(y.sum(), n)
}

/// `y` with the sign of `Γ(x)`, which alternates between negative integers.
#[inline(always)]
fn with_sign_of_gamma<L: Lanes>(x: L, y: L) -> L {
    let half = x.trunc() * L::splat(0.5);
    let negative = L::and(x.lt(L::splat(0.0)), half.trunc().eq(half));
    L::select(negative, -y, y)
}

/// `ψ(x) = (ln Γ)'(x)`.
#[inline(always)]
pub(super) fn digamma<L: Lanes>(x: L) -> L {
    let (zero, one, infinity) = (L::splat(0.0), L::splat(1.0), L::splat(f64::INFINITY));
    let negative = x.lt(zero);
    let a = x.abs();
    let pole = L::and(x.le(zero), x.trunc().eq(x));
    let a = L::select(L::or(a.eq(zero), a.eq(infinity)), one, a);
    // ψ(-a) = ψ(1 + a) + π cot πa.
    let y = digamma_pair(a, negative);
    let y = if L::any(negative) {
        let r = a - nearest(a);
        let size = L::select(pole, L::splat(0.5), r.abs());
        let cotangent = cos_pi(size).divide(sin_pi(Pair::single(size)).normalize());
        let right = r.lt(zero);
        let cotangent = Pair::select(right, -cotangent, cotangent).times(Pair::splat(PI, PI_LO));
        // At a tiny distance from a pole the quotient overflows, or its low part does.
        let tiny = size.lt(L::splat(1e-290));
        let cotangent = Pair::select(tiny, Pair::single(one / r), cotangent);
        Pair::select(negative, y.plus(cotangent), y).sum()
    } else {
        y.sum()
    };
    // Near zero the reciprocal dominates, and overflows.
    let y = L::select(a.lt(L::splat(1e-290)), -(one / x), y);
    let y = L::select(x.eq(infinity), infinity, y);
    let y = L::select(pole, L::select(x.eq(zero), (-infinity).bit_xor(x.sign()), L::splat(f64::NAN)), y);
    L::select((-infinity).lt(x), y, L::splat(f64::NAN))
}

/// `ψ(a)` for finite `a > 0`, or `ψ(1 + a)` if the mask holds.
#[inline(always)]
fn digamma_pair<L: Lanes>(a: L, next: L::Mask) -> Pair<L> {
    let (zero, one, limit) = (L::splat(0.0), L::splat(1.0), L::splat(8.0));
    let large = limit.le(a);
    // The sum of the reciprocals of the recurrence that leads to the interval from 1 to 2.
    let floor = a.min(limit).trunc();
    let below = floor.lt(one);
    let mut sum = Pair::single(zero);
    for k in 1..=6 {
        let term = reciprocal(L::select(L::splat(k as f64).lt(floor), a - L::splat(k as f64), one));
        let term = Pair::select(L::splat(k as f64).lt(floor), term, Pair::single(zero));
        sum = sum.plus(term);
    }
    let first = reciprocal(a);
    let own = Pair::select(below, -first, Pair::single(zero));
    let following = Pair::select(below, Pair::single(zero), first);
    let first = Pair::select(next, following, own);
    let base = exact_sum(L::select(below, a, a - (floor - one)), L::select(below, one, zero));
    let d = exact_sum(base.hi, L::splat(-ROOT[0])).plus(Pair::new(base.lo - L::splat(ROOT[1]), L::splat(-ROOT[2])));
    let [second, rest @ ..] = DIGAMMA;
    let near = around_zero(d, SLOPE_AT_ROOT, [second, DIGAMMA_LO], d.hi * polynomial(d.hi, rest)).plus(sum);
    let far = L::select(large, a, limit);
    let step = reciprocal(far);
    let square = step.hi * step.hi;
    let tail = step.scaled(L::splat(-0.5)).plus(Pair::single(-(square * polynomial(square, DIGAMMA_TAIL))));
    let far = log_pair(Pair::single(far)).plus(tail);
    Pair::select(large, far, near).plus(first)
}

/// `d (slope + d (second + rest))`, a function at the distance `d` from its zero, where `slope` and `second` have two
/// parts.
#[inline(always)]
fn around_zero<L: Lanes>(d: Pair<L>, slope: [f64; 2], second: [f64; 2], rest: L) -> Pair<L> {
    let inner = ordered_sum(L::splat(second[0]), rest);
    let product = d.times(Pair::new(inner.hi, inner.lo + L::splat(second[1])));
    let outer = ordered_sum(L::splat(slope[0]), product.hi);
    d.times(Pair::new(outer.hi, outer.lo + (product.lo + L::splat(slope[1]))))
}

/// `1 / x` to twice the precision, or rounded if it is huge.
#[inline(always)]
fn reciprocal<L: Lanes>(x: L) -> Pair<L> {
    let one = L::splat(1.0);
    let hi = one / x;
    let lo = (-hi).fma(x, one) * hi;
    Pair::new(hi, L::select(hi.abs().lt(L::splat(1e290)), lo, L::splat(0.0)))
}
