//! Derivatives of `erfcx` and of `log_ndtr`, whose formulas in terms of the functions themselves cancel.
//!
//! With `Sₙ(x) = 2/√π ∫₀^∞ sⁿ/n! exp(-s² - 2xs) ds`, `erfcx⁽ⁿ⁾ = (-2)ⁿ n! Sₙ`, and `Sₙ₋₁ = 2x Sₙ + 2(n + 1) Sₙ₊₁` with
//! `S₋₁ = 2/√π`. For positive arguments the recurrence is stable downward only (Gautschi, *Computational aspects of
//! three-term recurrence relations*, SIAM Review 9 (1967)): for large arguments the quotients `Sₙ / Sₙ₋₁` come from a
//! continued fraction; for smaller ones the recurrence goes upward from the Taylor series, with twice the precision,
//! which compensates for the instability. The same holds for the Mills ratio `R(t) = ∫₀^∞ exp(-s²/2 - ts) ds`, which is
//! `√(π/2) erfcx(t/√2)`; with it `ln ndtr(x) = -x²/2 + ln R(-x) - ln √(2π)`.

use super::Unary;
use super::error_function::hazard_parts;
use super::lanes::Lanes;
use super::pair::{Pair, exact_product};
use super::rounding::scale;

/// `2/√π`, in two parts.
const FRAC_2_SQRT_PI: [f64; 2] = [std::f64::consts::FRAC_2_SQRT_PI, 1.533545961316588e-17];
/// `√(π/2)`, in two parts.
const SQRT_FRAC_PI_2: [f64; 2] = [1.2533141373155003, -9.164289990229583e-17];
/// From here on, the leading term suffices: the next one is smaller by a factor of the order of the square of this.
const FAR: f64 = 1e10;

/// The largest order of derivatives of `erfcx`.
const MAX_ORDER: usize = 25;

/// One number for each order.
type Orders = [Pair<f64>; MAX_ORDER + 1];

/// The derivative of this order of `erfcx` at `x`; NaN for orders that are not integers from 0 to 25.
#[inline(always)]
pub(super) fn erfcx_derivative<L: Lanes>(order: L, x: L) -> L {
    order.zip(x, |order, x| match natural(order, 0, MAX_ORDER) {
        Some(n) if !x.is_nan() => of_erfcx(n, x),
        _ => f64::NAN,
    })
}

/// The derivative of that order, from 2 to 4, of `log_ndtr` at `x`; NaN for other orders.
#[inline(always)]
pub(super) fn log_ndtr_derivative<L: Lanes>(order: L, x: L) -> L {
    order.zip(x, |order, x| match natural(order, 2, 4) {
        Some(n) if !x.is_nan() => of_log_ndtr(n, x),
        _ => f64::NAN,
    })
}

/// The number as an integer, if it is one within the bounds.
fn natural(x: f64, least: usize, most: usize) -> Option<usize> {
    (x.trunc() == x && (least as f64..=most as f64).contains(&x)).then_some(x as usize)
}

#[inline(never)]
fn of_erfcx(n: usize, x: f64) -> f64 {
    if x < 0.0 {
        return ascend(n, x, Unary::Erfcx.f64(x));
    }
    if x > FAR {
        // n! (-1)ⁿ / (√π xⁿ⁺¹).
        return (1..=n).fold(0.5 * FRAC_2_SQRT_PI[0] / x, |y, k| -y * (k as f64 / x));
    }
    // The loss of the upward recurrence grows as exp(1.5 √n x).
    if x < 5.0 / (n.max(4) as f64).sqrt() {
        return ascend_pair(n, x).sum();
    }
    let ratios = ratios(n, 2.0 * x, 2.0);
    let product =
        ratios[..=n].iter().fold(Pair::splat(FRAC_2_SQRT_PI[0], FRAC_2_SQRT_PI[1]), |y, &q| y.times(q).normalize());
    (1..=n).fold(product, |y, k| y.times(Pair::single(-2.0 * k as f64)).normalize()).sum()
}

/// `yₙ₊₁ = 2x yₙ + 2n yₙ₋₁` from `y₀`, where `y₁ = 2x y₀ - 2/√π`, for negative `x`, for which nothing cancels.
fn ascend(n: usize, x: f64, first: f64) -> f64 {
    let mut y = [-FRAC_2_SQRT_PI[0], first];
    for k in 0..n {
        let before = if k == 0 { y[0] } else { 2.0 * k as f64 * y[0] };
        y = [y[1], (2.0 * x).mul_add(y[1], before)];
    }
    y[1]
}

/// The same recurrence to twice the precision, starting from the Taylor series.
fn ascend_pair(n: usize, x: f64) -> Pair<f64> {
    let slope = Pair::splat(-FRAC_2_SQRT_PI[0], -FRAC_2_SQRT_PI[1]);
    let mut y = [slope, taylor(x, Pair::single(1.0), slope, 2.0)];
    for k in 0..n {
        let factor = if k == 0 { 1.0 } else { 2.0 * k as f64 };
        let next = y[1].times(Pair::single(2.0 * x)).plus(y[0].times(Pair::single(factor)));
        y = [y[1], next.normalize()];
    }
    y[1]
}

/// `Σ aₖ xᵏ` where `aₖ₊₁ (k + 1) = factor aₖ₋₁`, starting from `a₀` and `a₁`.
fn taylor(x: f64, constant: Pair<f64>, slope: Pair<f64>, factor: f64) -> Pair<f64> {
    let square = exact_product(x, x).scaled(factor);
    let mut terms = [constant, slope.times(Pair::single(x)).normalize()];
    let mut sum = constant.plus(terms[1]);
    let mut k = 1.0;
    while terms[0].hi.abs().max(terms[1].hi.abs()) > 1e-34 {
        k += 1.0;
        terms = [terms[1], terms[0].times(square).divide(Pair::single(k)).normalize()];
        sum = sum.plus(terms[1]);
    }
    sum
}

/// The quotients `q₀`, …, `qₙ` with `qₖ = 1 / (b + c (k + 1) qₖ₊₁)`, for a `b` that is not small.
fn ratios(n: usize, b: f64, c: f64) -> Orders {
    // Enough for 70 bits, by measurement; for large `b`, half as many terms give the same numbers.
    let n_terms = 10 + 3 * n + (700.0 * c / (b * b)) as usize;
    let mut q = Pair::single(0.0);
    let mut ratios = [q; MAX_ORDER + 1];
    for k in (0..n_terms).rev() {
        let next = q.times(Pair::single(c * (k + 1) as f64)).plus(Pair::single(b));
        q = Pair::single(1.0).divide(next).normalize();
        if k <= n {
            ratios[k] = q;
        }
    }
    ratios
}

#[inline(never)]
fn of_log_ndtr(n: usize, x: f64) -> f64 {
    if x > 2.5 {
        return far_above(n, x);
    }
    if x < -FAR {
        // -1 + 1/x², 2/|x|³, 6/x⁴.
        return if n == 2 { -1.0 } else { (1..n).fold(-1.0 / x, |y, k| -y * (k as f64 / x)) };
    }
    if x > -4.0 {
        return near_zero(n, x).sum();
    }
    // The cumulants of the density proportional to exp(-s²/2 + xs), from its moments.
    let ratios = ratios(n, -x, 1.0);
    let times = |y: Pair<f64>, z: Pair<f64>| y.times(z).normalize();
    let mut moments = [Pair::single(1.0); MAX_ORDER + 1];
    for k in 1..=n {
        moments[k] = times(times(moments[k - 1], ratios[k]), Pair::single(k as f64));
    }
    // κₙ = mₙ - Σ C(n-1, k-1) κₖ mₙ₋ₖ over 0 < k < n.
    let mut cumulants = [Pair::single(0.0); MAX_ORDER + 1];
    for n in 1..=n {
        let term = |k: usize| times(times(cumulants[k], moments[n - k]), Pair::single(binomial(n - 1, k - 1)));
        cumulants[n] = (1..n).fold(moments[n], |sum, k| sum.plus(-term(k)));
    }
    if n == 2 { cumulants[2].plus(Pair::single(-1.0)).sum() } else { cumulants[n].sum() }
}

fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |y, i| y * (n - i) as f64 / (i + 1) as f64)
}

/// From `y₂ = -y₁ (y₁ + x)` and its derivatives, in which nothing cancels in this range; `y₁` is scaled.
fn far_above(n: usize, x: f64) -> f64 {
    let x = x.min(40.0);
    let (hazard, exponent) = hazard_parts(x);
    let h = scale(hazard.sum(), exponent);
    let rise = h + x;
    let second = -rise;
    let third = (h + rise).mul_add(rise, -1.0);
    let factor = match n {
        2 => second,
        3 => third,
        _ => -(h * third + 2.0 * second * (h * second + 1.0) + third * rise),
    };
    scale((hazard.times(Pair::single(factor))).sum(), exponent)
}

/// The same formulas to twice the precision, with `y₁ = 1/R(-x)` from the Taylor series.
fn near_zero(n: usize, x: f64) -> Pair<f64> {
    let ratio = taylor(-x, Pair::splat(SQRT_FRAC_PI_2[0], SQRT_FRAC_PI_2[1]), Pair::single(-1.0), 1.0);
    let h = Pair::single(1.0).divide(ratio.normalize()).normalize();
    let times = |y: Pair<f64>, z: Pair<f64>| y.times(z).normalize();
    let rise = h.plus(Pair::single(x)).normalize();
    let second = -times(h, rise);
    let third = times(h, times(h.plus(rise), rise).plus(Pair::single(-1.0)));
    match n {
        2 => second,
        3 => third,
        _ => {
            let middle = times(second, second.plus(Pair::single(1.0))).scaled(2.0);
            -times(h, third).plus(middle).plus(times(third, rise))
        }
    }
}
