//! The error function, and the functions of the normal distribution.
//!
//! Below one half `erf a` is an odd polynomial. From there on, `erfc a = exp(-a²) w(a)`, where the square is computed
//! to twice the precision, and the scaled function `w` by the expansion of Shepherd and Laframboise, *Chebyshev
//! approximation of (1 + 2x) exp(x²) erfc x*, Math. Comp. 36 (1981), in `(a - 4) / (a + 3)`, with coefficients computed
//! for this crate. The inverses correct a first approximation by Halley steps, whose residual is computed to more than
//! 60 bits.

use super::Unary;
use super::exp::{exp, exp_parts};
use super::lanes::Lanes;
use super::log::{log_pair, log1p_pair};
use super::pair::{Pair, exact_product, exact_sum, ordered_sum, polynomial};
use super::rounding::{power_of_two, scale};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

/// 2/√π minus its nearest `f64`.
const FRAC_2_SQRT_PI_LO: f64 = 1.533545961316588e-17;
/// 1/√2 minus its nearest `f64`.
const FRAC_1_SQRT_2_LO: f64 = -4.833646656726457e-17;
/// √2 minus its nearest `f64`.
const SQRT_2_LO: f64 = -9.667293313452913e-17;

/// `(erf(x) / x - 2/√π) / x²` as a polynomial in x², for `|x| <= 1/2`; the error relative to erf(x) / x is 2^-63.
const ERF: [f64; 9] = [
    -0.37612638903183754,
    0.112837916709551,
    -0.02686617064510409,
    0.005223977624325344,
    -0.0008548326793233783,
    0.0001205530629440674,
    -1.4923829613452872e-05,
    1.6389446360450111e-06,
    -1.4787385599052157e-07,
];

/// `(1 + 2a) w(a)` as a polynomial in `(a - 4) / (a + 3)`, for `a >= 1/2`; the error is 2^-66.
const ERFCX: [f64; 28] = [
    1.2329951186255526,
    -0.12216847723549219,
    -0.0034960135133680504,
    0.046654585346742244,
    -0.04180651066502419,
    0.02280179959886345,
    -0.008073603938191242,
    0.001392061249542773,
    0.00024740376466352606,
    -0.00019788759800411812,
    1.747910539251417e-05,
    1.8863227868638108e-05,
    -4.577263849378901e-06,
    -1.9136695748598273e-06,
    7.238585849755996e-07,
    2.411333412883917e-07,
    -1.0508373266033132e-07,
    -3.881642069357495e-08,
    1.4440121668708531e-08,
    7.333596728976295e-09,
    -1.7276214249638335e-09,
    -1.4439441409331504e-09,
    1.3914069256716247e-10,
    2.628893488328339e-10,
    2.5925983125395153e-13,
    -3.7587383169344025e-11,
    -1.2460401873215559e-12,
    3.0093270823225812e-12,
];

/// The rounding error of the first coefficient of `ERFCX`.
const ERFCX_LO: f64 = -4.625318921008717e-17;

/// From here on, the error function is the complement of `exp(-a²) w(a)`.
const SPLIT: f64 = 0.5;

/// `erf x` for `|x|` up to a little above `SPLIT`.
#[inline(always)]
fn erf_near_zero<L: Lanes>(x: Pair<L>) -> Pair<L> {
    let square = x.hi * x.hi;
    let leading = x.times(Pair::splat(FRAC_2_SQRT_PI, FRAC_2_SQRT_PI_LO));
    let rest = (x.hi * square) * polynomial(square, ERF);
    let sum = ordered_sum(leading.hi, rest);
    Pair::new(sum.hi, sum.lo + leading.lo)
}

/// `w(a) = exp(a²) erfc(a)` for `a` from a little below `SPLIT` up to 1e300.
#[inline(always)]
fn scaled_complement<L: Lanes>(a: Pair<L>) -> Pair<L> {
    let numerator = exact_sum(a.hi, L::splat(-4.0)).plus(Pair::new(a.lo, L::splat(0.0)));
    let denominator = exact_sum(a.hi, L::splat(3.0));
    let u = numerator.divide(denominator).sum();
    let [_, rest @ ..] = ERFCX;
    let product = u * polynomial(u, rest);
    let sum = ordered_sum(L::splat(ERFCX[0]), product);
    let sum = Pair::new(sum.hi, sum.lo + L::splat(ERFCX_LO));
    let divisor = exact_sum(a.hi + a.hi, L::splat(1.0));
    sum.divide(Pair::new(divisor.hi, divisor.lo + (a.lo + a.lo))).normalize()
}

/// `erfc a` as `y 2ⁿ`, for `a` from a little below `SPLIT` on; beyond 30 the value at 30 is used, which is negligible.
#[inline(always)]
fn complement<L: Lanes>(a: Pair<L>) -> (Pair<L>, L) {
    let limit = L::splat(30.0);
    let inside = a.hi.lt(limit);
    let a = Pair::select(inside, a, Pair::single(limit));
    let square = exact_product(a.hi, a.hi);
    let twice = a.lo + a.lo;
    let (power, n) = exp_parts(Pair::new(-square.hi, -twice.fma(a.hi, square.lo)));
    (power.times(scaled_complement(a)).normalize(), n)
}

/// `y 2ⁿ` for a `y` of the order of one and `n <= 0`, as a pair; values below 2⁻¹⁰⁰⁰ have an absolute error of that
/// order.
#[inline(always)]
fn unscaled<L: Lanes>((y, n): (Pair<L>, L)) -> Pair<L> {
    y.scaled(power_of_two(n.max(L::splat(-1000.0))))
}

/// `erf x`.
#[inline(always)]
pub(super) fn erf<L: Lanes>(x: L) -> L {
    let a = Pair::single(x.abs());
    let rest = unscaled(complement(a));
    let sum = ordered_sum(L::splat(1.0), -rest.hi);
    let elsewhere = sum.hi + (sum.lo - rest.lo);
    let y = L::select(a.hi.lt(L::splat(SPLIT)), erf_near_zero(a).sum(), elsewhere);
    L::select(x.is_number(), y.bit_or(x.sign()), L::splat(f64::NAN))
}

/// `erfc x`, times a power of two that is 1 or 1/2, for a two-part `x`.
#[inline(always)]
fn erfc_pair<L: Lanes>(x: Pair<L>, factor: f64) -> L {
    let (one, two) = (L::splat(factor), L::splat(2.0 * factor));
    let negative = x.hi.lt(L::splat(0.0));
    let a = Pair::select(negative, -x, x);
    let near = erf_near_zero(x).scaled(one);
    let sum = ordered_sum(one, -near.hi);
    let near = sum.hi + (sum.lo - near.lo);
    let far = complement(a);
    let positive = scale(far.0.sum() * one, far.1);
    let rest = unscaled(far).scaled(one);
    let sum = ordered_sum(two, -rest.hi);
    let y = L::select(negative, sum.hi + (sum.lo - rest.lo), positive);
    let y = L::select(a.hi.lt(L::splat(SPLIT)), near, y);
    L::select(x.hi.is_number(), y, L::splat(f64::NAN))
}

/// `erfc x`.
#[inline(always)]
pub(super) fn erfc<L: Lanes>(x: L) -> L {
    erfc_pair(Pair::single(x), 1.0)
}

/// `exp(x²) erfc x`.
#[inline(always)]
pub(super) fn erfcx<L: Lanes>(x: L) -> L {
    let one = L::splat(1.0);
    let a = x.abs();
    let near = a.lt(L::splat(SPLIT));
    let far = L::splat(1e9);
    let w = scaled_complement(Pair::single(a.max(L::splat(SPLIT)).min(far)));
    // For large a, where 1 / (2a²) is negligible relative to one, `w` is proportional to the reciprocal.
    let w = Pair::select(far.lt(a), Pair::single(L::splat(0.5 * FRAC_2_SQRT_PI) / a), w);
    let inside = a.min(L::splat(27.0));
    let square = exact_product(inside, inside);
    let (power, n) = exp_parts(square);
    let erf = erf_near_zero(Pair::single(x));
    let sum = ordered_sum(one, -erf.hi);
    let complement = Pair::new(sum.hi, sum.lo - erf.lo);
    let middle = scale(power.times(complement).sum(), n);
    // For negative x, the other tail is subtracted from twice the power; it matters only if that is small.
    let double = power.scaled(power_of_two(n.min(L::splat(1000.0)) + one));
    let sum = ordered_sum(double.hi, -w.hi);
    let twice = sum.hi + (sum.lo + (double.lo - w.lo));
    let twice = L::select(L::splat(20.0).lt(a), scale(power.sum(), n + one), twice);
    let y = L::select(near, middle, L::select(x.lt(L::splat(0.0)), twice, w.sum()));
    L::select(x.is_number(), y, L::splat(f64::NAN))
}

/// `x / √2`.
#[inline(always)]
fn over_sqrt_2<L: Lanes>(x: L) -> Pair<L> {
    let product = exact_product(x, L::splat(FRAC_1_SQRT_2));
    let lo = x.fma(L::splat(FRAC_1_SQRT_2_LO), product.lo);
    // The product does not overflow, but if x is infinite its low part is undefined.
    Pair::new(product.hi, L::select(product.hi.abs().lt(L::splat(1e300)), lo, L::splat(0.0)))
}

/// The distribution function of the normal distribution, `erfc(-x / √2) / 2`.
#[inline(always)]
pub(super) fn ndtr<L: Lanes>(x: L) -> L {
    erfc_pair(-over_sqrt_2(x), 0.5)
}

/// `1/√(2π)`, in two parts.
const NORMAL_HEIGHT: [f64; 2] = [0.3989422804014327, -2.49232720227773e-17];
/// `√(2/π)`, in two parts.
const SQRT_FRAC_2_PI: [f64; 2] = [0.7978845608028654, -4.98465440455546e-17];

/// `exp(-x²)`.
#[inline(always)]
pub(super) fn gaussian<L: Lanes>(x: L) -> L {
    let (power, n) = gaussian_parts(x.abs().min(L::splat(28.0)), 1.0);
    L::select(x.is_number(), scale(power.sum(), n), L::splat(f64::NAN))
}

/// `exp(-x²/2) / √(2π)`.
#[inline(always)]
pub(super) fn normal_density<L: Lanes>(x: L) -> L {
    let (density, n) = normal_density_parts(x);
    L::select(x.is_number(), scale(density.sum(), n), L::splat(f64::NAN))
}

/// `exp(-factor a²)` as `y 2ⁿ`, for a factor that is a power of two; the square is computed to twice the precision.
#[inline(always)]
fn gaussian_parts<L: Lanes>(a: L, factor: f64) -> (Pair<L>, L) {
    exp_parts(exact_product(a, a).scaled(L::splat(-factor)))
}

/// `exp(-x²/2) / √(2π)` as `y 2ⁿ`; beyond 40 the value at 40 is used, which is negligible.
#[inline(always)]
fn normal_density_parts<L: Lanes>(x: L) -> (Pair<L>, L) {
    let (power, n) = gaussian_parts(x.abs().min(L::splat(40.0)), 0.5);
    (power.times(Pair::splat(NORMAL_HEIGHT[0], NORMAL_HEIGHT[1])).normalize(), n)
}

/// `exp(-x²/2) / (√(2π) ndtr x)`, the derivative of `log_ndtr`.
#[inline(always)]
pub(super) fn normal_hazard<L: Lanes>(x: L) -> L {
    let (above, n) = hazard_parts(x);
    let above = scale(above.sum(), n);
    // Below -1 the result is √(2/π) / w, and far below it is -x.
    let size = x.abs().max(L::splat(1.0)).min(L::splat(1e9));
    let below = Pair::splat(SQRT_FRAC_2_PI[0], SQRT_FRAC_2_PI[1]).divide(scaled_complement(over_sqrt_2(size))).sum();
    let below = L::select(x.lt(L::splat(-1e9)), -x, below);
    let y = L::select(x.lt(L::splat(-1.0)), below, above);
    L::select(x.is_number(), y, L::splat(f64::NAN))
}

/// `normal_hazard` as `y 2ⁿ`, for `x >= -1`.
#[inline(always)]
pub(super) fn hazard_parts<L: Lanes>(x: L) -> (Pair<L>, L) {
    let (density, n) = normal_density_parts(x);
    let q = upper_tail(x.max(L::splat(-1.0))).0;
    (density.divide(exact_sum(L::splat(1.0), -q.hi).plus(Pair::new(-q.lo, L::splat(0.0)))), n)
}

/// `1 - ndtr x` for `x >= -1`, and for `x >= 1` twice that as `y 2ⁿ`.
#[inline(always)]
fn upper_tail<L: Lanes>(x: L) -> (Pair<L>, (Pair<L>, L)) {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let y = over_sqrt_2(x);
    let negative = x.lt(zero);
    let a = Pair::select(negative, -y, y);
    let near = a.hi.lt(L::splat(SPLIT));
    let half = L::splat(0.5);
    let inner = erf_near_zero(y).scaled(half);
    let inner = exact_sum(half, -inner.hi).plus(Pair::new(-inner.lo, zero));
    let far = complement(a);
    let tail = unscaled(far).scaled(half);
    let other = exact_sum(one, -tail.hi).plus(Pair::new(-tail.lo, zero));
    (Pair::select(near, inner, Pair::select(negative, other, tail)), far)
}

/// The logarithm of `ndtr`.
#[inline(always)]
pub(super) fn log_ndtr<L: Lanes>(x: L) -> L {
    let (zero, one, half) = (L::splat(0.0), L::splat(1.0), L::splat(0.5));
    // Above -1 the result is `ln(1 - q)` with the other tail `q`.
    let (q, far) = upper_tail(x);
    let above = log1p_pair(-q, zero).sum();
    let above = L::select(L::splat(10.0).lt(x), -scale(far.0.sum() * half, far.1), above);
    // Below -1 it is `ln(w / 2) - x² / 2`, where the square overflows only if the result does.
    let size = x.abs().max(one).min(L::splat(1e154));
    let w = scaled_complement(over_sqrt_2(size)).scaled(half);
    let square = exact_product(size * half, -size);
    let below = square.plus(log_pair(w)).sum();
    let below = L::select(x.lt(L::splat(-1e154)), x * (x * -half), below);
    let y = L::select(x.lt(-one), below, above);
    L::select(x.is_number(), y, L::splat(f64::NAN))
}

/// The inverse of `erf`.
#[inline(always)]
pub(super) fn erf_inv<L: Lanes>(x: L) -> L {
    x.zip(x, |x, _| inverse_erf(x))
}

/// The inverse of `ndtr`.
#[inline(always)]
pub(super) fn ndtri<L: Lanes>(x: L) -> L {
    x.zip(x, |x, _| inverse_ndtr(x))
}

/// `y` with `erf y = x`.
#[inline(never)]
pub(super) fn inverse_erf(x: f64) -> f64 {
    let size = x.abs();
    if size.is_nan() || size > 1.0 {
        return f64::NAN;
    }
    if size == 1.0 {
        return x * f64::INFINITY;
    }
    inverse_erf_parts(size).sum().copysign(x)
}

/// `y` with `erf y = x` for `0 <= x < 1`.
fn inverse_erf_parts(x: f64) -> Pair<f64> {
    if x < SPLIT { inverse_near_zero(x) } else { inverse_complement(1.0 - x) }
}

/// The derivative of the inverse of `erf`, `√π/2 exp(y²)`.
#[inline(always)]
pub(super) fn erf_inv_derivative<L: Lanes>(x: L) -> L {
    x.zip(x, |x, _| slope_of_inverse_erf(x.abs()))
}

/// The derivative of the inverse of `ndtr`, `√(2π) exp(y²/2)`.
#[inline(always)]
pub(super) fn ndtri_derivative<L: Lanes>(x: L) -> L {
    x.zip(x, |p, _| slope_of_inverse_ndtr(p))
}

#[inline(never)]
fn slope_of_inverse_erf(x: f64) -> f64 {
    if x >= 1.0 || x.is_nan() {
        return if x == 1.0 { f64::INFINITY } else { f64::NAN };
    }
    inverse_gaussian(inverse_erf_parts(x), [0.886226925452758, -3.8332932499128993e-17])
}

#[inline(never)]
fn slope_of_inverse_ndtr(p: f64) -> f64 {
    if p.is_nan() || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return f64::INFINITY;
    }
    inverse_gaussian(inverse_ndtr_parts(p), [2.5066282746310007, -1.8328579980459167e-16])
}

/// `height exp(y²)`.
fn inverse_gaussian(y: Pair<f64>, height: [f64; 2]) -> f64 {
    let y = y.normalize();
    let (power, n) = exp_parts(y.times(y).normalize());
    scale(power.times(Pair::new(height[0], height[1])).sum(), n)
}

/// `x` with `ndtr x = p`.
#[inline(never)]
fn inverse_ndtr(p: f64) -> f64 {
    if p.is_nan() || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let y = inverse_ndtr_parts(p).times(Pair::new(SQRT_2, SQRT_2_LO)).sum();
    if p < 0.5 { -y } else { y }
}

/// The magnitude of `x / √2` with `ndtr x = p`, for `0 < p < 1`.
fn inverse_ndtr_parts(p: f64) -> Pair<f64> {
    // Twice the smaller tail is exact, and so is its difference from one where it is used.
    let tail = if p > 0.5 { 2.0 * (1.0 - p) } else { 2.0 * p };
    if tail > SPLIT { inverse_near_zero(1.0 - tail) } else { inverse_complement(tail) }
}

/// `y` with `erf y = x` for `0 <= x <= SPLIT`.
fn inverse_near_zero(x: f64) -> Pair<f64> {
    // The first terms of the Taylor series of the inverse: accurate to some thousandths, which two steps reduce to
    // 2⁻⁷⁰.
    let z = x / FRAC_2_SQRT_PI;
    let square = z * z;
    let mut y = Pair::single(z * (1.0 + square * (1.0 / 3.0 + square * (7.0 / 30.0 + square * (127.0 / 630.0)))));
    if x < 1e-150 {
        // The squares underflow; the leading term suffices.
        let first = x / FRAC_2_SQRT_PI;
        return Pair::new(first, (-first).mul_add(FRAC_2_SQRT_PI, x) / FRAC_2_SQRT_PI);
    }
    for _ in 0..2 {
        let missing = erf_near_zero(y).plus(Pair::single(-x)).sum();
        let step = missing / (FRAC_2_SQRT_PI * exp(-y.hi * y.hi));
        y = y.plus(Pair::single(-step / (1.0 + y.hi * step)));
    }
    y
}

/// `y` with `erfc y = q` for `0 < q <= 1/2`, by steps on `ln erfc y = ln q`.
fn inverse_complement(q: f64) -> Pair<f64> {
    let target = log_pair(Pair::single(q));
    let t = -target.hi;
    // An initial value accurate to some hundredths: `erfc y` is about `exp(-y²) / (y √π)` in the tail.
    let far = (t - 0.5 * Unary::Log.f64((t - 0.5).max(0.1) * std::f64::consts::PI)).max(0.0).sqrt();
    let mut y = Pair::single(if t > 2.0 { far } else { 0.47 + 0.53 * (t - 0.69) });
    for _ in 0..4 {
        // The scaled function yields the logarithm `ln w - y²` and its derivative, `-2 / (w √π)`.
        let w = scaled_complement(y);
        let square = y.times(y);
        let missing = log_pair(w).plus(-square).plus(-target).sum();
        let slope = -FRAC_2_SQRT_PI / w.hi;
        let step = missing / slope;
        // The second derivative of the logarithm divided by the first is `-(2 y + slope)`.
        y = y.plus(Pair::single(-step / (1.0 + 0.5 * step * (2.0 * y.hi + slope))));
    }
    y
}
