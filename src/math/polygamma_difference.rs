//! Differences of polygamma functions, whose terms would cancel if the distance is small relative to the argument.
//!
//! Every term of the series and of the asymptotic expansion (Abramowitz and Stegun, 6.3.16, 6.3.18 and 6.4.10 to
//! 6.4.11) is a power of the argument: `x⁻ᵐ - (x + d)⁻ᵐ = -x⁻ᵐ expm1(-m ln(1 + d/x))`, and nearly all have the same
//! sign.

use super::{Binary, Unary};

/// The Bernoulli numbers `B₂ₖ`.
const BERNOULLI: [f64; 10] = [
    0.16666666666666666,
    -0.03333333333333333,
    0.023809523809523808,
    -0.03333333333333333,
    0.07575757575757576,
    -0.2531135531135531,
    1.1666666666666667,
    -7.092156862745098,
    54.971177944862156,
    -529.1242424242424,
];

/// `ψ⁽ⁿ⁾(x) - ψ⁽ⁿ⁾(x + d)` for positive `x` and `d`, and the limits; NaN for orders that are not integers from 0 to 100.
pub(super) fn polygamma_difference(order: f64, x: f64, d: f64) -> f64 {
    if !(0.0..=100.0).contains(&order) || order.trunc() != order || !(x >= 0.0 && d >= 0.0) {
        return f64::NAN;
    }
    // The function increases for even orders and decreases for odd ones.
    let sign = if order % 2.0 == 0.0 { -1.0 } else { 1.0 };
    let y = if d == 0.0 && x > 0.0 {
        0.0
    } else if x == f64::INFINITY {
        if d == f64::INFINITY && order == 0.0 { f64::NAN } else { 0.0 }
    } else if d == f64::INFINITY {
        if order == 0.0 { f64::INFINITY } else { Binary::Polygamma.f64(order, x).abs() }
    } else if x == 0.0 {
        if d == 0.0 { f64::NAN } else { f64::INFINITY }
    } else {
        size(order, x, d)
    };
    sign * y
}

/// `n! Σ (x + k)⁻ⁿ⁻¹ - (x + d + k)⁻ⁿ⁻¹` over `k >= 0`.
fn size(order: f64, x: f64, d: f64) -> f64 {
    let s = order + 1.0;
    let factorial = Unary::Gamma.f64(s);
    let mut x = x;
    let mut sum = 0.0;
    while x < 12.0 + 0.5 * s {
        sum += factorial * power_difference(s, x, d);
        x += 1.0;
    }
    sum + tail(order, x, d)
}

/// The same from the asymptotic expansion: `ln(1 + d/x)` or `(n-1)! x⁻ⁿ`, `n!/2 x⁻ⁿ⁻¹`, and
/// `B₂ₖ (2k + n - 1)!/(2k)! x⁻²ᵏ⁻ⁿ`, all minus the same at `x + d`.
fn tail(order: f64, x: f64, d: f64) -> f64 {
    let below = Unary::Gamma.f64(order.max(1.0));
    let leading = if order == 0.0 { Unary::Log1p.f64(d / x) } else { below * power_difference(order, x, d) };
    let half = 0.5 * below * order.max(1.0) * power_difference(order + 1.0, x, d);
    let mut rest = 0.0;
    // (2k + n - 1)!/(2k)! for k = 1: (n + 1)!/2, and 1/2 for n = 0.
    let mut factor = 0.5 * Unary::Gamma.f64(order + 2.0);
    for (k, bernoulli) in BERNOULLI.iter().enumerate() {
        let m = 2.0 * (k + 1) as f64;
        let term = bernoulli * factor * power_difference(m + order, x, d);
        rest += term;
        if term.abs() < 1e-18 * rest.abs() {
            break;
        }
        factor *= (m + order) * (m + order + 1.0) / ((m + 1.0) * (m + 2.0));
    }
    leading + (half + rest)
}

/// `x⁻ᵐ - (x + d)⁻ᵐ` for positive `x` and `d`.
fn power_difference(m: f64, x: f64, d: f64) -> f64 {
    let ratio = d / x;
    let share =
        if m == 1.0 && ratio < 1e300 { ratio / (1.0 + ratio) } else { -Unary::Expm1.f64(-m * Unary::Log1p.f64(ratio)) };
    // In two steps, neither of which overflows or underflows unless the result does.
    let half = (m * 0.5).trunc();
    share * Binary::Pow.f64(x, -half) * Binary::Pow.f64(x, half - m)
}
