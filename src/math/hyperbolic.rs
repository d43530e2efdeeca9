//! Hyperbolic functions and their inverses, based on the two-part exponential and logarithm.

use super::exp::{Reduced, exp_reduced, expm1_rest, reduce, times_complement};
use super::lanes::Lanes;
use super::log::log1p_pair;
use super::pair::{Pair, exact_sum, ordered_sum, polynomial};
use super::rounding::{power_of_two, scale};

/// `(sinh x - x) / x³` as a polynomial in x², for `|x| <= 0.52`; a minimax polynomial, whose error is 2^-66.
const SINH: [f64; 6] = [
    0.16666666666666666,
    0.008333333333333512,
    0.0001984126984084212,
    2.7557319694642723e-06,
    2.505184658995852e-08,
    1.613064989982984e-10,
];

/// `eᵃ ± e⁻ᵃ` as `y 2ⁿ`, for `a >= 0`.
struct Exponentials<L> {
    difference: L,
    sum: L,
    n: L,
}

/// The sum and the difference of `eᵃ` and `e⁻ᵃ`; the difference is accurate from 0.5 on.
#[inline(always)]
fn exponentials<L: Lanes>(a: L) -> Exponentials<L> {
    // Beyond this limit both are infinite.
    let Reduced { n, r } = reduce(a.min(L::splat(720.0)));
    let up = exp_reduced(r).normalize();
    let down = Pair::single(L::splat(1.0)).divide(up);
    let factor = power_of_two(-(n + n).min(L::splat(1000.0)));
    let (down_hi, down_lo) = (factor * down.hi, factor * down.lo);
    let difference = ordered_sum(up.hi, -down_hi);
    let sum = ordered_sum(up.hi, down_hi);
    Exponentials {
        difference: difference.hi + (difference.lo + (up.lo - down_lo)),
        sum: sum.hi + (sum.lo + (up.lo + down_lo)),
        n,
    }
}

/// `sinh x`.
#[inline(always)]
pub(super) fn sinh<L: Lanes>(x: L) -> L {
    let a = x.abs();
    let square = a * a;
    let near_zero = (a * square).fma(polynomial(square, SINH), a);
    let Exponentials { difference, n, .. } = exponentials(a);
    let elsewhere = scale(difference, n - L::splat(1.0));
    let y = L::select(a.lt(L::splat(0.52)), near_zero, elsewhere);
    L::select(x.is_number(), y.bit_or(x.sign()), L::splat(f64::NAN))
}

/// `cosh x`.
#[inline(always)]
pub(super) fn cosh<L: Lanes>(x: L) -> L {
    let Exponentials { sum, n, .. } = exponentials(x.abs());
    L::select(x.is_number(), scale(sum, n - L::splat(1.0)), L::splat(f64::NAN))
}

/// `1 / cosh x`, which is 0 only below the smallest subnormal number.
#[inline(always)]
pub(super) fn sech<L: Lanes>(x: L) -> L {
    let one = L::splat(1.0);
    // 2 e⁻ᵃ / (1 + e⁻²ᵃ).
    let Reduced { n, r } = reduce((-x.abs()).max(L::splat(-760.0)));
    let power = exp_reduced(r).normalize();
    let square = power.times(power).scaled(power_of_two((n + n).max(L::splat(-1000.0))));
    let sum = ordered_sum(one, square.hi);
    let y = scale(power.divide(Pair::new(sum.hi, sum.lo + square.lo)).sum(), n + one);
    L::select(x.is_number(), y, L::splat(f64::NAN))
}

/// `tanh x` and its derivative `1 / cosh² x`, from one exponential.
#[inline(always)]
pub(super) fn tanh_and_derivative<L: Lanes>(x: L) -> [L; 2] {
    // With `h = (e⁻²ᵃ - 1) / 2` the results are `-h / (1 + h)` and `4 w (1 - w)`, where `w = e⁻²ᵃ / 2 / (1 + h)`.
    let Reduced { n, r } = reduce((x.abs() * L::splat(-2.0)).max(L::splat(-750.0)));
    let (half, one) = (L::splat(0.5), L::splat(1.0));
    // At this limit h is -1/2, the first quotient rounds to one, and w is negligible relative to one.
    let first = n.max(L::splat(-100.0)) - one;
    // `factor`, at most one half, is `e⁻²ᵃ / 2` without `eʳ`; h is its difference from one half, and its product with
    // `eʳ - 1`.
    let factor = power_of_two(first);
    let rest = expm1_rest(r);
    let difference = ordered_sum(-half, factor);
    let h = ordered_sum(difference.hi, factor * r.hi);
    let h = ordered_sum(h.hi, factor.fma(rest, h.lo + difference.lo));
    let sum = ordered_sum(one, h.hi);
    let denominator = Pair::new(sum.hi, sum.lo + h.lo);
    let y = h.divide(denominator).sum().abs().bit_or(x.sign());
    let sum = ordered_sum(one, r.hi);
    let power = ordered_sum(sum.hi, sum.lo + rest);
    let w = power.divide(denominator).scaled(factor);
    let slope = times_complement(w) * power_of_two(n - first + one);
    let (number, nan) = (x.is_number(), L::splat(f64::NAN));
    [L::select(number, y, nan), L::select(number, slope, nan)]
}

/// `tanh x`.
#[inline(always)]
pub(super) fn tanh<L: Lanes>(x: L) -> L {
    tanh_and_derivative(x)[0]
}

/// The derivative of `tanh x`.
#[inline(always)]
pub(super) fn tanh_derivative<L: Lanes>(x: L) -> L {
    tanh_and_derivative(x)[1]
}

/// From here on, `asinh x` and `acosh x` are `ln 2x`.
const LARGE: f64 = 1e18;

/// `asinh x`.
#[inline(always)]
pub(super) fn asinh<L: Lanes>(x: L) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let a = x.abs();
    // ln(a + √(a² + 1)) = ln(1 + a + a² / (1 + √(a² + 1))).
    let square = a * a;
    let t = ordered_sum(a, square / (one + a.fma(a, one).sqrt()));
    let large = L::splat(LARGE).lt(a);
    let t = Pair::select(large, Pair::single(a), t);
    let y = log1p_pair(t, L::select(large, one, zero)).sum();
    // Where x³ / 6 is negligible relative to x, the sum above could lose subnormal bits.
    let y = L::select(a.lt(L::splat(1e-9)), a, y);
    let y = L::select(a.eq(L::splat(f64::INFINITY)), a, y);
    L::select(x.is_number(), y.bit_or(x.sign()), L::splat(f64::NAN))
}

/// `acosh x`.
#[inline(always)]
pub(super) fn acosh<L: Lanes>(x: L) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    // With t = x - 1 the result is ln(1 + t + √(t (x + 1))).
    let t = exact_sum(x, -one);
    let factor = ordered_sum(x, one);
    let square = t.hi * factor.hi;
    let root = square.sqrt();
    let of_square = t.hi.fma(factor.lo, t.hi.fma(factor.hi, -square));
    let missing = (-root).fma(root, square) + of_square;
    let root_lo = missing * (L::splat(0.5) / root.max(L::splat(1e-300)));
    let sum = ordered_sum(root, t.hi);
    let sum = Pair::new(sum.hi, sum.lo + (t.lo + root_lo));
    let large = L::splat(LARGE).lt(x);
    let sum = Pair::select(large, Pair::single(x), sum);
    let y = log1p_pair(sum, L::select(large, one, zero)).sum();
    let y = L::select(x.eq(L::splat(f64::INFINITY)), x, y);
    L::select(one.le(x), y, L::splat(f64::NAN))
}

/// `atanh x`.
#[inline(always)]
pub(super) fn atanh<L: Lanes>(x: L) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let a = x.abs();
    // The result is half of ln((1 + a) / (1 - a)) = ln(1 + 2a / (1 - a)).
    let numerator = Pair::single(a + a);
    let t = numerator.divide(ordered_sum(one, -a));
    let y = log1p_pair(t, zero).sum() * L::splat(0.5);
    // Where x³ / 3 is negligible relative to x, the sum above could lose subnormal bits.
    let y = L::select(a.lt(L::splat(1e-9)), a, y);
    let y = L::select(a.eq(one), L::splat(f64::INFINITY), y);
    L::select(a.le(one), y.bit_or(x.sign()), L::splat(f64::NAN))
}
