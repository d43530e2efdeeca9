//! Reduction of the arguments of sine, cosine and tangent modulo π/2.
//!
//! Below 2³⁰ by the method of Cody and Waite with fused multiply-add: π/2 in three parts of 53 bits each. Beyond that
//! by the method of Payne and Hanek, *Radian reduction for trigonometric functions*, SIGNUM Newsletter 18 (1983), in
//! integers, one lane after the other: multiples of 2π are omitted from the product of the argument with the bits of
//! 2/π.

use super::lanes::{Lanes, MAX_LANES};
use super::pair::{Pair, exact_product, exact_sum, ordered_sum};
use super::rounding::round_product;
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// π/2 minus its nearest `f64`, and the rounding error of that.
const FRAC_PI_2_MIDDLE: f64 = 6.123233995736766e-17;
const FRAC_PI_2_LO: f64 = -1.4973849048591698e-33;

/// From here on, arguments are reduced in integers.
const LARGE: f64 = 1073741824.0;

/// `x = index π/2 + r`, up to multiples of 2π, with `|r|` at most a little above π/4.
#[derive(Clone, Copy)]
pub(super) struct Quadrant<L> {
    pub index: Index<L>,
    pub r: Pair<L>,
}

/// An integer modulo four, in the last two bits.
#[derive(Clone, Copy)]
pub(super) struct Index<L>(L);

impl<L: Lanes> Index<L> {
    /// Whether the integer is odd.
    #[inline(always)]
    pub fn is_odd(self) -> L::Mask {
        // The last bit becomes the first bit of the exponent: ±2 if it is set, ±0 if not.
        L::splat(1.0).lt(self.0.bits_shl::<62>().abs())
    }

    /// The sign bit set for two and three.
    #[inline(always)]
    pub fn sign(self) -> L {
        self.0.bits_shl::<62>().sign()
    }

    /// The next integer.
    #[inline(always)]
    pub fn next(self) -> Index<L> {
        Index(self.0.bits_add(L::splat_bits(1)))
    }
}

/// Reduces `x >= 0`; an infinite or undefined `x` leaves an undefined `r`.
#[inline(always)]
pub(super) fn reduce<L: Lanes>(x: L) -> Quadrant<L> {
    let n = round_product(x, L::splat(FRAC_2_PI));
    // Exact: a multiple of the last bit of `FRAC_PI_2`, or of that of `x`, and below one.
    let rest = (-n.value).fma(L::splat(FRAC_PI_2), x);
    let middle = exact_product(n.value, L::splat(FRAC_PI_2_MIDDLE));
    let r = exact_sum(rest, -middle.hi);
    let lo = (-n.value).fma(L::splat(FRAC_PI_2_LO), r.lo - middle.lo);
    let quadrant = Quadrant { index: Index(n.bits), r: Pair::new(r.hi, lo) };
    if L::any(L::splat(LARGE).le(x)) { patch_large(x, quadrant) } else { quadrant }
}

/// Corrects the lanes whose arguments are large.
#[inline(always)]
fn patch_large<L: Lanes>(x: L, quadrant: Quadrant<L>) -> Quadrant<L> {
    let lanes = [x, quadrant.index.0, quadrant.r.hi, quadrant.r.lo];
    let mut arrays = [[0.0; MAX_LANES]; 4];
    for (lanes, array) in lanes.into_iter().zip(&mut arrays) {
        // SAFETY: the array has room for the lanes of every implementation.
        unsafe { lanes.store(array.as_mut_ptr()) };
    }
    reduce_large(&mut arrays, L::N);
    // SAFETY: as above.
    let [_, index, hi, lo] = arrays.map(|array| unsafe { L::load(array.as_ptr()) });
    Quadrant { index: Index(index), r: Pair::new(hi, lo) }
}

/// Reduces large arguments: the arrays are the arguments, `index`, `r.hi` and `r.lo`.
#[cold]
#[inline(never)]
fn reduce_large(arrays: &mut [[f64; MAX_LANES]; 4], n_lanes: usize) {
    let [x, index, hi, lo] = arrays;
    for i in 0..n_lanes {
        if x[i] == f64::INFINITY {
            hi[i] = f64::NAN;
        } else if x[i] >= LARGE {
            let (quadrant, r) = payne_hanek(x[i]);
            index[i] = f64::from_bits(quadrant);
            (hi[i], lo[i]) = (r.hi, r.lo);
        }
    }
}

/// Quadrant and remainder of a finite `x >= LARGE`.
fn payne_hanek(x: f64) -> (u64, Pair<f64>) {
    let fraction = (1 << 52) - 1;
    let significand = (x.to_bits() & fraction) | (1 << 52);
    // The exponent of the last bit of the significand, at least -22.
    let exponent = (x.to_bits() >> 52) as usize;
    // The bits of 2/π before this one contribute multiples of four; 64 zeros precede the first.
    let start = exponent + 62 - 1075;
    let words = two_over_pi(start);
    let product = multiply(significand, words);
    let quadrant = product[0] >> 62;
    // The bits after the two bits of the quadrant are a fraction, which is shifted into [-1/2, 1/2).
    let fraction = shift_left(product, 2);
    let negative = fraction[0] >> 63 == 1;
    let (quadrant, fraction) = if negative { (quadrant + 1, negate(fraction)) } else { (quadrant, fraction) };
    let r = times_half_pi(fraction);
    (quadrant, if negative { -r } else { r })
}

/// 2/π, after 64 zeros.
const TWO_OVER_PI: [u64; 20] = [
    0,
    0xa2f9836e4e441529,
    0xfc2757d1f534ddc0,
    0xdb6295993c439041,
    0xfe5163abdebbc561,
    0xb7246e3a424dd2e0,
    0x06492eea09d1921c,
    0xfe1deb1cb129a73e,
    0xe88235f52ebb4484,
    0xe99c7026b45f7e41,
    0x3991d639835339f4,
    0x9c845f8bbdf9283b,
    0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f,
    0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea,
    0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab,
];

/// 192 bits of 2/π, most significant word first.
fn two_over_pi(start: usize) -> [u64; 3] {
    let (word, bit) = (start / 64, start % 64);
    std::array::from_fn(|i| {
        let both = u128::from(TWO_OVER_PI[word + i]) << 64 | u128::from(TWO_OVER_PI[word + i + 1]);
        (both << bit >> 64) as u64
    })
}

/// The last 192 bits of a product.
fn multiply(x: u64, [a, b, c]: [u64; 3]) -> [u64; 3] {
    let low = u128::from(x) * u128::from(c);
    let middle = u128::from(x) * u128::from(b) + (low >> 64);
    let high = x.wrapping_mul(a).wrapping_add((middle >> 64) as u64);
    [high, middle as u64, low as u64]
}

/// A word of 192 bits, shifted by fewer than 64.
fn shift_left([a, b, c]: [u64; 3], k: u32) -> [u64; 3] {
    let join = |a: u64, b: u64| ((u128::from(a) << 64 | u128::from(b)) << k >> 64) as u64;
    [join(a, b), join(b, c), c << k]
}

/// The negative of a word of 192 bits, except for its last bit.
fn negate(words: [u64; 3]) -> [u64; 3] {
    words.map(|word| !word)
}

/// A fraction of 192 bits times π/2.
fn times_half_pi(fraction: [u64; 3]) -> Pair<f64> {
    // No `f64` is so close to a multiple of π/2 that more than 62 leading bits are zero.
    let shift = fraction[0].leading_zeros().min(63);
    let [a, b, _] = shift_left(fraction, shift);
    // Both conversions are exact, as each takes 53 bits.
    let hi = (a >> 11) as f64 * f64::from_bits((1023 - 53 - u64::from(shift)) << 52);
    let low_bits = (a & 0x7ff) << 42 | b >> 22;
    let lo = low_bits as f64 * f64::from_bits((1023 - 106 - u64::from(shift)) << 52);
    let product = exact_product(hi, FRAC_PI_2);
    ordered_sum(product.hi, product.lo + (lo * FRAC_PI_2 + hi * FRAC_PI_2_MIDDLE))
}
