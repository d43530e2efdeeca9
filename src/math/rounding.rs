//! Rounding to integers, and powers of two, by adding a number so large that the last bit of the sum has the value one.

use super::lanes::Lanes;

/// `1.5 · 2⁵²`: the sum of this and a number below 2⁵¹ is rounded to an integer, which is in its last bits.
const MAGIC: f64 = 6755399441055744.0;

/// The integer nearest to `x`, ties to even, for `|x| < 2⁵¹`.
#[inline(always)]
pub(super) fn round<L: Lanes>(x: L) -> L {
    (x + L::splat(MAGIC)) - L::splat(MAGIC)
}

/// An integer, both as a number and in the last bits of a word.
#[derive(Clone, Copy)]
pub(super) struct Integer<L> {
    pub value: L,
    /// The integer modulo 2⁵¹ is in the last 51 bits; the others are arbitrary.
    pub bits: L,
}

/// The integer nearest to `x y`, where `|x y| < 2⁵¹`.
#[inline(always)]
pub(super) fn round_product<L: Lanes>(x: L, y: L) -> Integer<L> {
    let bits = x.fma(y, L::splat(MAGIC));
    Integer { value: bits - L::splat(MAGIC), bits }
}

/// `2ⁿ` for an integer `n` in `-1022..=1023`.
#[inline(always)]
pub(super) fn power_of_two<L: Lanes>(n: L) -> L {
    // The shift moves the biased exponent to its field, and discards the bits of the magic number.
    (n + L::splat(MAGIC + 1023.0)).bits_shl::<52>()
}

/// `x 2ⁿ` for an integer `n` in `-2044..=2046`, rounded once if it is subnormal.
#[inline(always)]
pub(super) fn scale<L: Lanes>(x: L, n: L) -> L {
    let half = round(n * L::splat(0.5));
    // For `x` of the order of one, the first product is exact.
    x * power_of_two(half) * power_of_two(n - half)
}

/// `k` and `m` such that `x = m 2ᵏ`, with `m` at most a factor `√2` from one, for `x` positive and finite.
#[inline(always)]
pub(super) fn split<L: Lanes>(x: L) -> (L, L) {
    let (x, bias) = widen_subnormal(x);
    // Adding the difference of the bits of one and √½ makes the exponent field change at √½ instead of one.
    let bits = x.bits_add(L::splat_bits(ONE - SQRT_HALF));
    let k = bits.bits_shr::<52>().bit_or(L::splat(TWO_52)) - (L::splat(TWO_52) + bias);
    let m = bits.bit_and(L::splat_bits(FRACTION)).bits_add(L::splat_bits(SQRT_HALF));
    (k, m)
}

/// `k` and `m` such that `x = m 2ᵏ` and `1 <= m < 2`, for `x` positive and finite.
#[inline(always)]
pub(super) fn split_at_one<L: Lanes>(x: L) -> (L, L) {
    let (x, bias) = widen_subnormal(x);
    let k = x.bits_shr::<52>().bit_or(L::splat(TWO_52)) - (L::splat(TWO_52) + bias);
    let m = x.bit_and(L::splat_bits(FRACTION)).bit_or(L::splat_bits(ONE));
    (k, m)
}

/// `x` scaled to a normal number, and the difference between its exponent field then and the exponent of `x`.
#[inline(always)]
fn widen_subnormal<L: Lanes>(x: L) -> (L, L) {
    let subnormal = x.lt(L::splat(f64::MIN_POSITIVE));
    let widened = x * L::splat(TWO_54);
    let bias = L::select(subnormal, L::splat(1023.0 + 54.0), L::splat(1023.0));
    (L::select(subnormal, widened, x), bias)
}

const TWO_52: f64 = 4503599627370496.0;
const TWO_54: f64 = 18014398509481984.0;
/// The bits of one.
const ONE: u64 = 0x3ff0_0000_0000_0000;
/// The bits of √½.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
/// The mask of the fraction field.
const FRACTION: u64 = 0x000f_ffff_ffff_ffff;
