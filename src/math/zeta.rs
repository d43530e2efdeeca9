//! The derivatives of the digamma function, from the Hurwitz zeta function.

use super::Binary;
use super::Unary;
use super::gamma::nearest;
use super::lanes::Lanes;
use super::pair::{Pair, exact_sum};

/// The derivative of this order of the digamma function at `x`; NaN for orders that are not integers from 0 to 101.
#[inline(always)]
pub(super) fn polygamma<L: Lanes>(order: L, x: L) -> L {
    order.zip(x, derivative)
}

/// `ψ⁽ⁿ⁾(x) = (-1)ⁿ⁺¹ n! ζ(n + 1, x)` for `n > 0`.
#[inline(never)]
fn derivative(order: f64, x: f64) -> f64 {
    if !(0.0..=101.0).contains(&order) || order.trunc() != order {
        return f64::NAN;
    }
    if order == 0.0 {
        return Unary::Digamma.f64(x);
    }
    let s = order + 1.0;
    let sign = if order % 2.0 == 1.0 { 1.0 } else { -1.0 };
    if x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x == f64::INFINITY {
        return sign * 0.0;
    }
    if x <= 0.0 && x.trunc() == x {
        // An even power has the same sign on both sides of a pole; for an odd one, only the pole at zero has a sign.
        let odd = s % 2.0 == 1.0;
        return if !odd {
            f64::INFINITY
        } else if x == 0.0 {
            -(1.0 / x)
        } else {
            f64::NAN
        };
    }
    let factorial = Unary::Gamma.f64(s);
    // Here the leading term of the asymptotic expansion suffices, and the product below could underflow.
    if x > 1e20 {
        return sign * scaled_power(order, x, Unary::Gamma.f64(order));
    }
    if x > 0.0 {
        return sign * scaled_power(s, x, factorial) * relative_zeta(s, x, Pair::single(x)).sum();
    }
    // The sum over all integers minus that over negative ones: Σ 1/(x + k)ˢ over k >= 0 = Σ over all k - Σ over k < 0.
    let a = -x;
    let r = nearest(a) - a;
    let mirror = if s % 2.0 == 0.0 { 1.0 } else { -1.0 };
    let signed = |r: f64| if r < 0.0 { mirror } else { 1.0 };
    let unit = r.abs();
    let right = relative_zeta(s, unit, exact_sum(1.0, r));
    let left = relative_zeta(s, unit, exact_sum(1.0, -r));
    let beyond = relative_zeta(s, unit, exact_sum(1.0, a));
    let others = right.plus(left.plus(-beyond).scaled(mirror));
    let sum = Pair::single(signed(r)).plus(others).sum();
    sign * scaled_power(s, unit, factorial) * sum
}

/// `factor / xˢ`, in two steps, so that neither overflows unless the result does.
fn scaled_power(s: f64, x: f64, factor: f64) -> f64 {
    let half = (s * 0.5).trunc();
    factor * Binary::Pow.f64(x, -half) * Binary::Pow.f64(x, half - s)
}

/// The Bernoulli numbers `B₂ₖ`, divided by `(2k)!`.
const BERNOULLI: [f64; 12] = [
    0.08333333333333333,
    -0.001388888888888889,
    3.306878306878307e-05,
    -8.267195767195768e-07,
    2.08767569878681e-08,
    -5.284190138687493e-10,
    1.3382536530684679e-11,
    -3.3896802963225827e-13,
    8.586062056277845e-15,
    -2.174868698558062e-16,
    5.5090028283602295e-18,
    -1.3954464685812522e-19,
];

/// `unitˢ ζ(s, x) = Σ (unit / (x + k))ˢ` over `k >= 0`, by the Euler-Maclaurin formula after some terms (Abramowitz and
/// Stegun, 23.2.9), for integer `s >= 2`.
fn relative_zeta(s: f64, unit: f64, x: Pair<f64>) -> Pair<f64> {
    let power = |x: Pair<f64>| {
        // (hi + lo)⁻ˢ is hi⁻ˢ (1 - s lo / hi) to the required accuracy.
        let y = Binary::Pow.f64(unit / x.hi, s);
        let lost = s * quotient_lost(unit, x);
        Pair::new(y, y * lost)
    };
    let mut sum = Pair::single(0.0);
    let mut x = x;
    let start = 12.0 + 0.5 * s;
    while x.hi < start {
        let term = power(x);
        sum = sum.plus(term);
        if term.hi < 1e-22 * sum.hi {
            return sum;
        }
        x = x.plus(Pair::single(1.0));
    }
    let end = power(x);
    let tail = x.hi / (s - 1.0) + 0.5;
    let square = x.hi * x.hi;
    let mut factor = s / x.hi;
    let mut corrections = 0.0;
    for (k, bernoulli) in BERNOULLI.iter().enumerate() {
        let term = bernoulli * factor;
        corrections += term;
        if term.abs() < 1e-18 * corrections.abs() {
            break;
        }
        let k = 2.0 * k as f64 + 1.0;
        factor *= (s + k) * (s + k + 1.0) / square;
    }
    sum.plus(end.times(Pair::single(tail + corrections)))
}

/// The relative rounding error of the quotient `unit / x`: what must be added for the exact value.
fn quotient_lost(unit: f64, x: Pair<f64>) -> f64 {
    let quotient = unit / x.hi;
    if quotient < 1e-290 {
        return 0.0;
    }
    ((-quotient).mul_add(x.hi, unit) - quotient * x.lo) / unit
}
