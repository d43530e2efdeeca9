//! The remainder of division, which is always exact.

use super::lanes::{Lanes, SIGN};

/// The remainder of `x / y`, with the sign of `x`.
#[inline(always)]
pub(super) fn rem<L: Lanes>(x: L, y: L) -> L {
    let zero = L::splat(0.0);
    let (size, modulus) = (x.abs(), y.abs());
    // A quotient below 2⁵³ is rounded to an integer at most one too large. The remainder is then exact, because it is a
    // multiple of the last bit of the modulus and not larger than the modulus.
    let quotient = size / modulus;
    let rest = (-quotient.trunc()).fma(modulus, size);
    let rest = L::select(rest.lt(zero), rest + modulus, rest);
    let rest = L::select(size.lt(modulus), size, rest);
    let large = L::splat(9007199254740992.0).le(quotient);
    let rest = if L::any(large) { L::select(large, size.zip(modulus, long_division), rest) } else { rest };
    rest.abs().bit_or(x.sign()).canonical()
}

/// The remainder of `x / y`, neither of which is negative, by long division.
#[cold]
#[inline(never)]
fn long_division(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() || x == f64::INFINITY || y == 0.0 {
        return f64::NAN;
    }
    if x < y {
        return x;
    }
    let (mut rest, exponent) = integer(x);
    let (modulus, last) = integer(y);
    // As many bits per step as fit after a remainder of 53 bits.
    rest %= modulus;
    let mut left = exponent - last;
    while left > 0 && rest != 0 {
        let k = left.min(11);
        rest = (rest << k) % modulus;
        left -= k;
    }
    assemble(rest, last)
}

/// `m` and `e` such that `x = m 2ᵉ⁻¹⁰⁷⁵`, for `x` positive and finite; `m` is below 2⁵³, `e` at least one.
fn integer(x: f64) -> (u64, u32) {
    let fraction = x.to_bits() & ((1 << 52) - 1);
    match (x.to_bits() >> 52) as u32 {
        0 => (fraction, 1),
        exponent => (fraction | 1 << 52, exponent),
    }
}

/// The inverse of `integer`.
fn assemble(m: u64, e: u32) -> f64 {
    if m == 0 {
        return 0.0;
    }
    // Normalizes as far as the exponent allows.
    let shift = (m.leading_zeros() - 11).min(e - 1);
    let m = m << shift;
    let biased = if m >> 52 == 1 { u64::from(e - shift) } else { 0 };
    f64::from_bits((m & ((1 << 52) - 1) | biased << 52) & !SIGN)
}
