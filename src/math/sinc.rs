//! The normalized sine cardinal, and its derivatives.

use super::gamma::{nearest, sin_pi};
use super::lanes::Lanes;
use super::pair::Pair;
use std::f64::consts::PI;

/// π minus its nearest `f64`.
const PI_LO: f64 = 1.2246467991473532e-16;

/// `sin(πx) / (πx)`, and 1 at 0.
#[inline(always)]
pub(super) fn sinc<L: Lanes>(x: L) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let a = x.abs();
    // Beyond this, all numbers are integers, where the sine is zero.
    let a = a.min(L::splat(9007199254740992.0));
    let n = nearest(a);
    let half = n * L::splat(0.5);
    let sine = sin_pi(Pair::single(a - n));
    let sine = Pair::select(half.trunc().eq(half), sine, -sine).normalize();
    let tiny = a.lt(L::splat(1e-9));
    let y = sine.divide(Pair::single(L::select(tiny, one, a)).times(Pair::splat(PI, PI_LO)).normalize()).sum();
    // All zeros are +0.
    let y = L::select(y.eq(zero), zero, y);
    L::select(x.is_number(), L::select(tiny, one, y), L::splat(f64::NAN))
}

/// The derivative of this order of `sinc` at `x`; NaN for orders that are not integers from 0 to 25.
#[inline(always)]
pub(super) fn sinc_derivative<L: Lanes>(order: L, x: L) -> L {
    order.zip(x, derivative)
}

/// `∫₀¹ (πt)ⁿ cos(πxt + nπ/2) dt`.
#[inline(never)]
fn derivative(order: f64, x: f64) -> f64 {
    if x.is_nan() || !(0.0..=25.0).contains(&order) || order.trunc() != order {
        return f64::NAN;
    }
    if x.is_infinite() {
        return 0.0;
    }
    // The Taylor series while its terms grow little; beyond that, the recurrence does not cancel.
    let z = PI * x;
    let y = if z.abs() < order.max(1.0) + 4.0 { taylor(order, x.abs()) } else { recurrence(order as usize, x.abs()) };
    if order % 2.0 == 1.0 && x < 0.0 { -y } else { y }
}

/// `Σ (-1)^((n+k)/2) πⁿ (πx)ᵏ / (k! (n + k + 1))` over the `k` for which `n + k` is even, to twice the precision.
fn taylor(order: f64, x: f64) -> f64 {
    let z = Pair::single(x).times(Pair::new(PI, PI_LO)).normalize();
    let square = z.times(z).normalize();
    let odd = order % 2.0 == 1.0;
    let mut k = if odd { 1.0 } else { 0.0 };
    let mut term = if odd { z } else { Pair::single(1.0) };
    if ((order + k) / 2.0) % 2.0 == 1.0 {
        term = -term;
    }
    for _ in 0..order as usize {
        term = term.times(Pair::new(PI, PI_LO)).normalize();
    }
    let mut sum = Pair::single(0.0);
    loop {
        let part = term.divide(Pair::single(order + k + 1.0));
        let next = sum.plus(part);
        if part.hi.abs() <= 1e-22 * next.hi.abs() && k * k > z.hi * z.hi || part.hi == 0.0 || k > 1000.0 {
            return next.sum();
        }
        sum = next;
        term = -term.times(square).divide(Pair::single((k + 1.0) * (k + 2.0))).normalize();
        k += 2.0;
    }
}

/// `x sₙ = πⁿ⁻¹ sin(πx + nπ/2) - n sₙ₋₁`, starting from `s₀`.
fn recurrence(order: usize, x: f64) -> f64 {
    let a = x.min(9007199254740992.0);
    let n = nearest(a);
    let sign = if n % 2.0 == 0.0 { 1.0 } else { -1.0 };
    let r = a - n;
    let sine = sin_pi(Pair::single(r)).scaled(sign).normalize();
    let cosine = sin_pi(Pair::single(0.5).plus(Pair::single(-r.abs()))).scaled(sign).normalize();
    let derivatives = [sine, cosine, -sine, -cosine];
    let pi = Pair::new(PI, PI_LO);
    let divisor = Pair::single(x);
    let mut s = sine.divide(divisor.times(pi).normalize());
    let mut power = Pair::single(1.0);
    for k in 1..=order {
        let leading = derivatives[k % 4].times(power);
        s = leading.plus(-s.times(Pair::single(k as f64))).divide(divisor).normalize();
        power = power.times(pi).normalize();
    }
    s.sum()
}
