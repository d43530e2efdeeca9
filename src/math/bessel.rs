//! Bessel functions of integer order.
//!
//! For small arguments they are computed from their power series, summed to twice the precision, since those of `Jₙ`
//! and `Yₙ` cancel; for large ones from Hankel's expansions (Abramowitz and Stegun, §§9.1.10 to 9.1.13, 9.2, 9.6.10 and
//! 9.7.1). For large arguments, orders of `Jₙ` above one come from the recurrence, which is stable as long as the order
//! is below the argument.

use super::exp::exp_parts;
use super::lanes::Lanes;
use super::log::log_pair;
use super::pair::{Pair, exact_product};
use super::rounding::scale;
use super::trig::sin_cos_pair;
use std::f64::consts::{FRAC_2_PI, PI};

/// From here on, the expansions of `J` and `Y` are used.
const FAR: f64 = 25.0;
/// From here on, the expansion of `I` is used.
const FAR_MODIFIED: f64 = 40.0;

const PI_PAIR: Pair<f64> = Pair { hi: PI, lo: 1.2246467991473532e-16 };
const FRAC_2_PI_PAIR: Pair<f64> = Pair { hi: FRAC_2_PI, lo: -3.935735335036497e-17 };
/// Euler's constant.
const EULER: Pair<f64> = Pair { hi: 0.5772156649015329, lo: -4.942915152430645e-18 };

/// Generates definitions for lanes from functions of one number.
macro_rules! by_element {
    ($($(#[$doc:meta])* $name:ident = |$x:ident| $value:expr;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(super) fn $name<L: Lanes>(x: L) -> L {
            x.zip(x, |$x, _| $value)
        }
    )*};
}

by_element! {
    /// `J₀(x)`.
    j0 = |x| first_kind(0, x);
    /// `J₁(x)`.
    j1 = |x| first_kind(1, x);
    /// `Y₀(x)`.
    y0 = |x| second_kind(0, x);
    /// `Y₁(x)`.
    y1 = |x| second_kind(1, x);
    /// `I₀(x)`.
    i0 = |x| modified(0, x, false);
    /// `I₁(x)`.
    i1 = |x| modified(1, x, false);
    /// `e^-|x| I₀(x)`.
    i0e = |x| modified(0, x, true);
    /// `e^-|x| I₁(x)`.
    i1e = |x| modified(1, x, true);
}

/// `Jₙ(x)`; NaN for orders that are not integers from 0 to 25.
#[inline(always)]
pub(super) fn jn<L: Lanes>(order: L, x: L) -> L {
    order.zip(x, |order, x| natural(order).map_or(f64::NAN, |order| first_kind(order, x)))
}

/// `Iₙ(x)`; NaN for orders that are not integers from 0 to 25.
#[inline(always)]
pub(super) fn in_<L: Lanes>(order: L, x: L) -> L {
    order.zip(x, |order, x| natural(order).map_or(f64::NAN, |order| modified(order, x, false)))
}

/// `e^-|x| Iₙ(x)`; NaN for orders that are not integers from 0 to 25.
#[inline(always)]
pub(super) fn ine<L: Lanes>(order: L, x: L) -> L {
    order.zip(x, |order, x| natural(order).map_or(f64::NAN, |order| modified(order, x, true)))
}

/// The order, if these methods are accurate for it.
fn natural(order: f64) -> Option<u32> {
    let natural = (0.0..=25.0).contains(&order) && order.trunc() == order;
    natural.then_some(order as u32)
}

#[inline(never)]
fn first_kind(order: u32, x: f64) -> f64 {
    let a = x.abs();
    if a.is_nan() {
        return f64::NAN;
    }
    let y = if a < FAR {
        power_series(order, a, -1.0).sum()
    } else if a == f64::INFINITY {
        0.0
    } else {
        far_first_kind(order, a)
    };
    // Odd orders are odd functions.
    if order % 2 == 1 && x.is_sign_negative() { -y } else { y }
}

/// `Jₙ(x)` for large `x`: orders above one from `Jₖ₊₁ = 2k/x Jₖ - Jₖ₋₁`.
fn far_first_kind(order: u32, x: f64) -> f64 {
    let first = expansion(0, x)[0];
    if order == 0 {
        return first.sum();
    }
    let (mut before, mut y) = (first, expansion(1, x)[0]);
    for k in 1..order {
        let factor = Pair::single(f64::from(2 * k)).divide(Pair::single(x));
        (before, y) = (y, factor.times(y).plus(-before).normalize());
    }
    y.sum()
}

#[inline(never)]
fn second_kind(order: u32, x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    if x >= FAR { expansion(order, x)[1].sum() } else { second_series(order, x) }
}

/// `(x/2)ⁿ Σ (sign x²/4)ᵏ / (k! (n + k)!)`.
fn power_series(order: u32, x: f64, sign: f64) -> Pair<f64> {
    let half = 0.5 * x;
    let mut term = Pair::single(1.0);
    for k in 1..=order {
        term = term.times(Pair::single(half)).divide(Pair::single(f64::from(k))).normalize();
    }
    if half < 1e-17 {
        return term;
    }
    let square = exact_product(half, half).scaled(sign);
    let mut sum = term;
    let mut largest = term.hi;
    let mut k = 1.0;
    while term.hi.abs() > 1e-34 * largest {
        term = term.times(square).divide(Pair::single(k * (k + f64::from(order)))).normalize();
        largest = largest.max(term.hi.abs());
        sum = sum.plus(term);
        k += 1.0;
    }
    sum
}

/// `Y₀` and `Y₁` for small arguments, with the harmonic numbers `Hₖ`: `2/π ((ln(x/2) + γ) J₀ - Σ (-x²/4)ᵏ Hₖ / k!²)`,
/// and `2/π ((ln(x/2) + γ) J₁ - 1/x) - 1/π Σ (Hₖ + Hₖ₊₁) (-x²/4)ᵏ (x/2) / (k! (k + 1)!)`.
fn second_series(order: u32, x: f64) -> f64 {
    let half = 0.5 * x;
    let one = Pair::single(1.0);
    let log = log_pair(Pair::single(x)).plus(-log_pair(Pair::single(2.0))).plus(EULER);
    let square = exact_product(half, -half);
    let mut term = if order == 0 { one } else { Pair::single(half) };
    let mut harmonic = Pair::single(0.0);
    let mut sum = Pair::single(0.0);
    let mut largest = term.hi;
    let mut k = 0.0;
    while half > 1e-160 && term.hi.abs() > 1e-34 * largest || k == 0.0 {
        let next = harmonic.plus(one.divide(Pair::single(k + 1.0)));
        let weight = if order == 0 { harmonic } else { harmonic.plus(next).scaled(0.5) };
        sum = sum.plus(term.times(weight));
        harmonic = next;
        k += 1.0;
        term = term.times(square).divide(Pair::single(k * (k + f64::from(order)))).normalize();
        largest = largest.max(term.hi.abs());
    }
    let regular = log.times(power_series(order, x, -1.0)).plus(-sum);
    if order == 0 {
        return regular.times(FRAC_2_PI_PAIR).sum();
    }
    // Near zero the pole dominates, and overflows.
    if x < 1e-290 {
        return -FRAC_2_PI / x;
    }
    regular.plus(-one.divide(Pair::single(x))).times(FRAC_2_PI_PAIR).sum()
}

/// Hankel's sums `P` and `Q`: the even and the odd ones of the terms `(4n² - 1) (4n² - 9) … / (k! (8x)ᵏ)`, each with
/// alternating signs if `alternating`.
fn hankel(order: u32, x: f64, alternating: bool) -> [Pair<f64>; 2] {
    let mu = f64::from(4 * order * order);
    let mut term = Pair::single(1.0);
    let mut sums = [term, Pair::single(0.0)];
    // For such arguments the second term is already negligible, and its denominator could overflow.
    if x > 1e40 {
        return sums;
    }
    let mut before = f64::INFINITY;
    for k in 1..200 {
        let odd = f64::from(2 * k - 1);
        let factor = Pair::single(mu - odd * odd).divide(exact_product(f64::from(8 * k), x));
        term = term.times(factor).normalize();
        // The expansion finally diverges, but long after its terms have become negligible.
        if term.hi.abs() < 1e-34 || term.hi.abs() > before && f64::from(k) > x {
            break;
        }
        before = term.hi.abs();
        let negative = alternating && k % 4 >= 2;
        let sum = &mut sums[k as usize % 2];
        *sum = sum.plus(if negative { -term } else { term });
    }
    sums
}

/// `J` and `Y` of order 0 or 1 for large arguments: `(P cos χ - Q sin χ)` and `(P sin χ + Q cos χ)` times `√(2/(πx))`,
/// where `χ = x - π/4 - nπ/2`.
fn expansion(order: u32, x: f64) -> [Pair<f64>; 2] {
    let [p, q] = hankel(order, x, true);
    let [sin, cos] = sin_cos_pair(x);
    let (sum, difference) = (sin.plus(cos), sin.plus(-cos));
    // √2 times the cosine and sine of χ.
    let (cosine, sine) = if order == 0 { (sum, difference) } else { (difference, -sum) };
    let first = p.times(cosine).plus(-q.times(sine));
    let second = p.times(sine).plus(q.times(cosine));
    let root = inverse_root(PI_PAIR, x);
    [first, second].map(|y| y.times(root).normalize())
}

/// `1 / √(constant x)` for large `x`.
fn inverse_root(constant: Pair<f64>, x: f64) -> Pair<f64> {
    // Scaling by a power of four prevents overflow of the product.
    let down = if x > 1e300 { 2f64.powi(-40) } else { 1.0 };
    let product = constant.times(Pair::single(x * down)).normalize();
    let y = 1.0 / product.hi.sqrt();
    // One Newton step: y (1 + (1 - product y²) / 2).
    let square = exact_product(y, y);
    let missing = Pair::single(1.0).plus(-product.times(square)).sum();
    Pair::new(y, 0.5 * y * missing).scaled(if x > 1e300 { 2f64.powi(-20) } else { 1.0 })
}

/// `Iₙ(x)`, scaled by `e^-|x|` if `scaled`.
#[inline(never)]
fn modified(order: u32, x: f64, scaled: bool) -> f64 {
    let a = x.abs();
    if a.is_nan() {
        return f64::NAN;
    }
    let y = if a == f64::INFINITY {
        if scaled { 0.0 } else { f64::INFINITY }
    } else if a < FAR_MODIFIED {
        let series = power_series(order, a, 1.0).normalize();
        if scaled { times_exp(series, -a) } else { series.sum() }
    } else {
        let [even, odd] = hankel(order, a, false);
        let series = even.plus(-odd).times(inverse_root(PI_PAIR.scaled(2.0), a)).normalize();
        if scaled { series.sum() } else { times_exp(series, a.min(1200.0)) }
    };
    if order % 2 == 1 && x.is_sign_negative() { -y } else { y }
}

/// The largest order of derivatives of `e^-|x| Iₙ(x)`: up to it, twice the precision compensates for cancellation.
const MAX_TIMES: f64 = 8.0;

/// The derivative of order `times` of `e^-|x| Iₙ(x)`; NaN for orders or counts that are not integers from 0 to 25 and from 0 to 8.
///
/// At 0 it is the mean of the limits from both sides.
pub(super) fn ine_derivative(order: f64, times: f64, x: f64) -> f64 {
    match natural(order) {
        Some(order) if times.trunc() == times && (0.0..=MAX_TIMES).contains(&times) => {
            scaled_modified_derivative(order, times as u32, x)
        }
        _ => f64::NAN,
    }
}

#[inline(never)]
fn scaled_modified_derivative(order: u32, times: u32, x: f64) -> f64 {
    let a = x.abs();
    if a.is_nan() {
        return f64::NAN;
    }
    let odd = (order + times) % 2 == 1;
    let y = if a == f64::INFINITY || a == 0.0 && odd {
        0.0
    } else if a < FAR_MODIFIED {
        times_exp(shifted_derivative(order, times, a), -a)
    } else {
        let root = inverse_root(PI_PAIR.scaled(2.0), a);
        expansion_derivative(order, times, a).times(root).sum()
    };
    if odd && x.is_sign_negative() { -y } else { y }
}

/// `eˣ (e⁻ˣ Iₙ(x))⁽ᵏ⁾ = Σ C(k, j) (-1)ᵏ⁻ʲ Iₙ⁽ʲ⁾`, where `2ʲ Iₙ⁽ʲ⁾ = Σ C(j, i) Iₙ₋ⱼ₊₂ᵢ`.
fn shifted_derivative(order: u32, times: u32, x: f64) -> Pair<f64> {
    let mut sum = Pair::single(0.0);
    // Each function of a neighboring order is computed once, with the sum of its factors, which are small dyadic
    // numbers.
    for shift in -(times as i32)..=times as i32 {
        let mut factor = 0.0;
        for j in shift.unsigned_abs()..=times {
            let rest = j as i32 + shift;
            if rest % 2 == 0 {
                let sign = if (times - j).is_multiple_of(2) { 1.0 } else { -1.0 };
                factor += sign * binomial(times, j) * binomial(j, rest as u32 / 2) / f64::from(1u32 << j);
            }
        }
        let series = power_series((order as i32 + shift).unsigned_abs(), x, 1.0);
        sum = sum.plus(series.normalize().times(Pair::single(factor)));
    }
    sum.normalize()
}

/// `(√x Σ (-1)ᵐ aₘ x^(-m-1/2))`, differentiated term by term: from some order on, the factors of Hankel's sums all have
/// the same sign, and so do those of their derivatives.
fn expansion_derivative(order: u32, times: u32, x: f64) -> Pair<f64> {
    let mu = f64::from(4 * order * order);
    let derived = |term: Pair<f64>, m: f64| {
        (0..times)
            .fold(term, |y, i| y.times(Pair::single(-(m + 0.5 + f64::from(i)))).divide(Pair::single(x)).normalize())
    };
    let mut term = Pair::single(1.0);
    let mut sum = derived(term, 0.0);
    let mut before = f64::INFINITY;
    for m in 1..200 {
        // For such arguments the next term is negligible, and its denominator could overflow.
        let odd = f64::from(2 * m - 1);
        if x > 1e40 {
            break;
        }
        term = -term.times(Pair::single(mu - odd * odd).divide(exact_product(f64::from(8 * m), x))).normalize();
        let next = derived(term, f64::from(m));
        if next.hi.abs() <= 1e-34 * sum.hi.abs() || next.hi.abs() > before && f64::from(m) > x {
            break;
        }
        before = next.hi.abs();
        sum = sum.plus(next);
    }
    sum.normalize()
}

fn binomial(n: u32, k: u32) -> f64 {
    (0..k).fold(1.0, |y, i| y * f64::from(n - i) / f64::from(i + 1))
}

/// `y eˣ`.
fn times_exp(y: Pair<f64>, x: f64) -> f64 {
    let (power, n) = exp_parts(Pair::single(x));
    scale(y.times(power).sum(), n)
}
