//! The Hurwitz zeta function, and the derivatives of the digamma function, from that of integer order.

use super::Binary;
use super::Unary;
use super::exp::exp_parts;
use super::gamma::nearest;
use super::lanes::Lanes;
use super::log::log_pair;
use super::pair::{Pair, exact_sum};
use super::rounding::scale;

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
pub(super) fn scaled_power(s: f64, x: f64, factor: f64) -> f64 {
    let half = (s * 0.5).trunc();
    factor * Binary::Pow.f64(x, -half) * Binary::Pow.f64(x, half - s)
}

/// `ζ(s, q) = Σ 1/(q + k)ˢ` over `k >= 0` for `s > 1`; where `q` is negative, `s` is an integer.
#[inline(always)]
pub(super) fn zeta<L: Lanes>(s: L, q: L) -> L {
    s.zip(q, hurwitz)
}

#[inline(never)]
fn hurwitz(s: f64, q: f64) -> f64 {
    if s.is_nan() || q.is_nan() || s < 1.0 {
        return f64::NAN;
    }
    let pole = q <= 0.0 && q.trunc() == q;
    if s == 1.0 || pole && q.is_finite() {
        return f64::INFINITY;
    }
    // Powers of numbers other than one overflow or vanish.
    if s > 1e19 {
        return if q < 0.0 && s == f64::INFINITY {
            f64::NAN
        } else if q < 1.0 {
            // So large an integer is even.
            f64::INFINITY
        } else if q == 1.0 {
            1.0
        } else {
            0.0
        };
    }
    if q < 0.0 {
        // Powers of negative numbers.
        return if s.trunc() == s && q.is_finite() { negative(s, q) } else { f64::NAN };
    }
    if q == f64::INFINITY {
        return 0.0;
    }
    if q > 1e18 { far(s, q) } else { positive(s, q) }
}

/// `q¹⁻ˢ (1/(s - 1) + 1/(2q))`, the leading terms of the asymptotic expansion; where the second is not negligible, `s` is so
/// large that the power vanishes.
fn far(s: f64, q: f64) -> f64 {
    let (power, n) = power(exact_sum(1.0, -s), log_pair(Pair::single(q)));
    scale(power.divide(exact_sum(s, -1.0)).sum(), n)
}

/// The same for positive `q`.
fn positive(s: f64, q: f64) -> f64 {
    let log = log_pair(Pair::single(q));
    let (first, exponent) = power(Pair::single(-s), log);
    scale(first.times(relative_sum(s, log, Pair::single(q))).sum(), exponent)
}

/// The same for negative `q` that is no integer, and integer `s`: the sum over all integers minus that
/// over negative ones, to more than the precision of `f64`, since for odd `s` the terms left and right of 0 cancel.
fn negative(s: f64, q: f64) -> f64 {
    let r = nearest(-q) + q;
    let log = log_pair(Pair::single(r.abs()));
    let mirror = if s % 2.0 == 0.0 { 1.0 } else { -1.0 };
    let (first, exponent) = power(Pair::single(-s), log);
    let right = relative_sum(s, log, exact_sum(1.0, r));
    let left = relative_sum(s, log, exact_sum(1.0, -r));
    let beyond = relative_sum(s, log, exact_sum(1.0, -q));
    let nearest = Pair::single(if r < 0.0 { mirror } else { 1.0 });
    let sum = nearest.plus(right).plus(left.plus(-beyond).scaled(mirror)).normalize();
    scale(first.times(sum).sum(), exponent)
}

/// `unitˢ ζ(s, x)`, given the logarithm of the unit, for real `s > 1`, by the Euler-Maclaurin formula after some terms.
fn relative_sum(s: f64, log_of_unit: Pair<f64>, mut x: Pair<f64>) -> Pair<f64> {
    let term = |x: Pair<f64>| {
        let (y, n) = power(Pair::single(-s), log_pair(x).plus(-log_of_unit));
        y.scaled(scale(1.0, n))
    };
    let below = exact_sum(s, -1.0);
    let mut sum = Pair::single(0.0);
    let mut next = term(x);
    let start = 12.0 + 0.5 * s;
    while x.hi < start {
        sum = sum.plus(next);
        x = x.plus(Pair::single(1.0));
        next = term(x);
        // The integral bounds what is left.
        if next.hi * (1.0 + x.hi / below.hi) <= 1e-24 * sum.hi {
            return sum;
        }
    }
    let tail = x.divide(below).plus(Pair::single(0.5 + corrections(s, x.hi)));
    sum.plus(next.times(tail)).normalize()
}

/// `e^(order log)` as a number of the order of one and a power of two, which vanishes or overflows where that does.
fn power(order: Pair<f64>, log: Pair<f64>) -> (Pair<f64>, f64) {
    let product = order.times(log).normalize();
    let limit = 1400.0;
    let inside = product.hi.abs() < limit;
    exp_parts(if inside { product } else { Pair::single(product.hi.clamp(-limit, limit)) })
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
    sum.plus(end.times(Pair::single(tail + corrections(s, x.hi))))
}

/// What the formula adds for the derivatives, `Σ B₂ₖ/(2k)! s (s + 1) … (s + 2k - 2)/x²ᵏ⁻¹`, relative to `x⁻ˢ`.
fn corrections(s: f64, x: f64) -> f64 {
    let square = x * x;
    let mut factor = s / x;
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
    corrections
}

/// The relative rounding error of the quotient `unit / x`: what must be added for the exact value.
fn quotient_lost(unit: f64, x: Pair<f64>) -> f64 {
    let quotient = unit / x.hi;
    if quotient < 1e-290 {
        return 0.0;
    }
    ((-quotient).mul_add(x.hi, unit) - quotient * x.lo) / unit
}
