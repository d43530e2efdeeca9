//! Inverse sine, cosine and tangent.
//!
//! `asin x = x + x³ P(x²)` up to one half and `π/2 - 2 asin √((1 - x)/2)` beyond, as in fdlibm; `atan q = q + q³ P(q²)`
//! up to tan π/8, to which larger quotients are reduced by the addition theorem. `P` are minimax polynomials.

use super::lanes::Lanes;
use super::pair::{Pair, exact_sum, ordered_sum, polynomial};
use std::f64::consts::{FRAC_PI_2, PI};

/// π/2 minus its nearest `f64`.
const FRAC_PI_2_LO: f64 = 6.123233995736766e-17;
/// π minus its nearest `f64`.
const PI_LO: f64 = 1.2246467991473532e-16;
/// The first 50 bits of π/4, so that its first multiples are exact.
const FRAC_PI_4_HI: f64 = f64::from_bits(0x3fe9_21fb_5444_2d18);
/// π/4 minus `FRAC_PI_4_HI`.
const FRAC_PI_4_LO: f64 = 3.061616997868383e-17;
/// The tangent of π/8.
const TAN_FRAC_PI_8: f64 = 0.41421356237309503;

/// `(asin x - x) / x³` as a polynomial in x², for `|x| <= 1/2`; the error is 2^-59.8.
const ASIN: [f64; 13] = [
    0.16666666666666763,
    0.07499999999970228,
    0.044642857175156,
    0.030381942681815533,
    0.02237221571402324,
    0.017351599076677823,
    0.013980974193896864,
    0.01139766723621089,
    0.010787162859884835,
    0.003680559253812936,
    0.02176974936278518,
    -0.021086425830333433,
    0.03268277764199973,
];

/// `(atan x - x) / x³` as a polynomial in x², for `|x| <= tan π/8`; the error is 2^-59.5.
const ATAN: [f64; 11] = [
    -0.333333333333332,
    0.19999999999953993,
    -0.14285714280239326,
    0.11111110785661878,
    -0.09090897822306301,
    0.07692061377916078,
    -0.06663117356199291,
    0.058479863304345375,
    -0.05039741389226403,
    0.03807561911317915,
    -0.017919262022952426,
];

/// `asin s`, where `s` is `|x|` up to one half and `√((1 - |x|)/2)` beyond, and whether it is beyond.
#[inline(always)]
fn asin_reduced<L: Lanes>(x: L) -> (L::Mask, Pair<L>) {
    let half = L::splat(0.5);
    let beyond = half.lt(x);
    let square = L::select(beyond, (L::splat(1.0) - x) * half, x * x);
    let root = square.sqrt();
    let s = L::select(beyond, root, x);
    // The rounding error of the root; at `|x| = 1` the root is 0, exact, and must not be a divisor.
    let of_root = (-root).fma(root, square) * (half / root.max(L::splat(1e-300)));
    let of_s = L::select(beyond, of_root, L::splat(0.0));
    (beyond, Pair::new(s, (s * square).fma(polynomial(square, ASIN), of_s)))
}

/// `asin x`.
#[inline(always)]
pub(super) fn asin<L: Lanes>(x: L) -> L {
    let (beyond, angle) = asin_reduced(x.abs());
    let two = L::splat(2.0);
    let complement = ordered_sum(L::splat(FRAC_PI_2), -(two * angle.hi));
    let lo = (-two).fma(angle.lo, L::splat(FRAC_PI_2_LO)) + complement.lo;
    let y = L::select(beyond, complement.hi + lo, angle.sum());
    y.bit_or(x.sign()).canonical()
}

/// `acos x`.
#[inline(always)]
pub(super) fn acos<L: Lanes>(x: L) -> L {
    let zero = L::splat(0.0);
    let (beyond, angle) = asin_reduced(x.abs());
    // 2a near 1, π - 2a near -1, and π/2 ∓ a between them, where `a` is the angle computed above.
    let negative = x.lt(zero);
    let base_hi = L::select(negative, L::splat(PI), zero);
    let base_lo = L::select(negative, L::splat(PI_LO), zero);
    let base_hi = L::select(beyond, base_hi, L::splat(FRAC_PI_2));
    let base_lo = L::select(beyond, base_lo, L::splat(FRAC_PI_2_LO));
    let factor = L::select(beyond, L::splat(2.0), L::splat(-1.0)).bit_xor(x.sign());
    let sum = ordered_sum(base_hi, factor * angle.hi);
    (sum.hi + factor.fma(angle.lo, sum.lo + base_lo)).canonical()
}

/// The angle of the point `(x, y)`, for nonnegative coordinates of which one is positive and finite. `negative`
/// reflects the point across the vertical axis.
#[inline(always)]
fn angle<L: Lanes>(y: L, x: L, negative: L::Mask) -> L {
    let steep = x.lt(y);
    let large = L::select(steep, y, x);
    let small = L::select(steep, x, y);
    // With t = small / large, atan t = π/4 - atan((1 - t)/(1 + t)).
    let middle = (large * L::splat(TAN_FRAC_PI_8)).lt(small);
    let difference = exact_sum(small, -large);
    let sum = ordered_sum(large, small);
    let zero = L::splat(0.0);
    let numerator = Pair::select(middle, difference, Pair::single(small));
    let denominator = Pair::select(middle, sum, Pair::single(large));
    let q = numerator.divide(denominator);
    let square = q.hi * q.hi;
    let rest = (q.hi * square).fma(polynomial(square, ATAN), q.lo);
    // The angle is `quarters` times π/4, plus or minus the arctangent.
    let one = L::splat(1.0);
    let quarters = L::select(middle, one, zero);
    let quarters = L::select(steep, L::splat(2.0) - quarters, quarters);
    let quarters = L::select(negative, L::splat(4.0) - quarters, quarters);
    let factor = L::select(steep, -one, one);
    let factor = L::select(negative, -factor, factor);
    let sum = ordered_sum(quarters * L::splat(FRAC_PI_4_HI), factor * q.hi);
    sum.hi + (factor.fma(rest, sum.lo) + quarters * L::splat(FRAC_PI_4_LO))
}

/// `atan x`.
#[inline(always)]
pub(super) fn atan<L: Lanes>(x: L) -> L {
    // Beyond this limit the result is the same.
    let bounded = x.abs().min(L::splat(1e300));
    let never = L::splat(1.0).lt(L::splat(0.0));
    let y = angle(bounded, L::splat(1.0), never);
    L::select(x.is_number(), y.bit_or(x.sign()), L::splat(f64::NAN))
}

/// The angle of the point `(x, y)`.
#[inline(always)]
pub(super) fn atan2<L: Lanes>(y: L, x: L) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let infinity = L::splat(f64::INFINITY);
    let (width, height) = (x.abs(), y.abs());
    let large = width.max(height);
    // Two infinite coordinates count as equal, and an infinite one dominates a finite one; at the origin, the sign of x
    // decides.
    let infinite = large.eq(infinity);
    let to_one = |z: L| L::select(infinite, L::select(z.eq(infinity), one, zero), z);
    let (width, height) = (to_one(width), to_one(height));
    let width = L::select(large.eq(zero), one, width);
    // The quotient is unchanged, but the reciprocal of its denominator becomes normal, and so does its remainder,
    // unless the quotient itself is subnormal.
    let factor = L::select(large.lt(L::splat(1e30)), L::splat(TWO_600), one);
    let factor = L::select(L::splat(1e150).lt(large), L::splat(1.0 / TWO_100), factor);
    let factor = L::select(infinite, one, factor);
    let negative = one.bit_or(x.sign()).lt(zero);
    let z = angle(height * factor, width * factor, negative).bit_or(y.sign());
    L::select(L::and(x.is_number(), y.is_number()), z, L::splat(f64::NAN))
}

const TWO_100: f64 = f64::from_bits((1023 + 100) << 52);
const TWO_600: f64 = f64::from_bits((1023 + 600) << 52);
