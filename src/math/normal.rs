//! Normal numbers of random bits: √2 erf⁻¹(x) at a uniform `x` in -1..1.
//!
//! The quantile is `x` times a polynomial in `w = -ln(1 - x²)`, a form by Giles, "Approximating the erfinv function", GPU
//! Computing Gems 2 (2011), with a polynomial of this crate. It is good for all but one of three hundred numbers; those
//! are computed one by one from the accurate inverse of `erf`. The error is below 4 units in the last place.

use std::f64::consts::SQRT_2;

use super::error_function::inverse_erf;
use super::lanes::*;
use super::log::log_absolute;
use super::pair::polynomial;
use super::threefry::{Key, fill_body};

/// √2 erf⁻¹(x) / x in w - 5/2, for w in 0..5 (`tests/data/math/fit.py`); its error is 2⁻⁵³·³ of it.
const NORMAL: [f64; 21] = [
    2.12331346701467,
    0.348802024399054,
    -0.005907619380164654,
    -0.001771596512913367,
    0.000308652483824766,
    -7.065523544817908e-06,
    -4.831829763633398e-06,
    6.770197244136967e-07,
    1.8974214298575432e-08,
    -1.5360036647889597e-08,
    1.2831311523329006e-09,
    1.6916254882722136e-10,
    -4.39912223437694e-11,
    1.284963003119658e-12,
    7.592179653214651e-13,
    -1.0679008776686067e-13,
    -4.429714956677305e-15,
    2.5717251497601876e-15,
    -1.4813799966920084e-16,
    -3.005991019861824e-17,
    3.7418277765660954e-18,
];

/// e⁻⁵: where `1 - x²` is less, the polynomial ends.
const END: f64 = 0.006_737_946_999_085_467;

/// How many numbers are made of bits before they are looked at again, from the nearest cache.
const CHUNK: usize = 256;

/// A number that is made of the words of a counter.
pub(crate) trait Normal: Copy {
    /// A uniform number in -1..1, without the end, rounded as the type is.
    fn uniform(hi: u32, lo: u32) -> f64;
    /// A result, rounded.
    fn of(y: f64) -> Self;
}

impl Normal for f64 {
    #[inline(always)]
    fn uniform(hi: u32, lo: u32) -> f64 {
        let bits = u64::from(hi) << 32 | u64::from(lo);
        let unit = f64::from_bits(bits >> 12 | 1.0f64.to_bits()) - 1.0;
        // From the number above -1 on, whose quantile is finite; the width rounds to 2.
        unit * 2.0 + (-1.0 + f64::EPSILON / 2.0)
    }

    #[inline(always)]
    fn of(y: f64) -> f64 {
        y
    }
}

impl Normal for f32 {
    #[inline(always)]
    fn uniform(hi: u32, lo: u32) -> f64 {
        let unit = f32::from_bits((hi ^ lo) >> 9 | 1.0f32.to_bits()) - 1.0;
        (unit * 2.0 + (-1.0 + f32::EPSILON / 2.0)).into()
    }

    #[inline(always)]
    fn of(y: f64) -> f32 {
        y as f32
    }
}

/// Writes the normal numbers of the counters from `start` on, modulo 2⁶⁴.
pub(crate) fn fill<T: Normal>(key: Key, start: u64, out: &mut [T]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            // SAFETY: the processor has just been checked to have the features of the function.
            return unsafe { fill_avx512(key, start, out) };
        }
        // SAFETY: the processor has just been checked to have the features of the function.
        return unsafe { fill_avx2(key, start, out) };
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        // SAFETY: the processor has just been checked to have the features of the function.
        return unsafe { fill_neon(key, start, out) };
    }
    fill_in::<T, Portable>(key, start, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512dq")]
fn fill_avx512<T: Normal>(key: Key, start: u64, out: &mut [T]) {
    fill_in::<T, Avx512>(key, start, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn fill_avx2<T: Normal>(key: Key, start: u64, out: &mut [T]) {
    fill_in::<T, Twice<Avx2>>(key, start, out);
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn fill_neon<T: Normal>(key: Key, start: u64, out: &mut [T]) {
    fill_in::<T, Twice<Neon>>(key, start, out);
}

#[inline(always)]
fn fill_in<T: Normal, L: Lanes>(key: Key, start: u64, out: &mut [T]) {
    let mut x = [0.0; CHUNK];
    let mut at = start;
    for part in out.chunks_mut(CHUNK) {
        fill_body(key, at, &mut x[..part.len()], T::uniform);
        for lanes in x[..part.len().next_multiple_of(L::N)].chunks_exact_mut(L::N) {
            // SAFETY: there are as many numbers as lanes. Beyond the end of the part stand some of before, or zeros.
            unsafe { quantile(L::load(lanes.as_ptr())).store(lanes.as_mut_ptr()) };
        }
        for (y, &x) in part.iter_mut().zip(&x) {
            *y = T::of(x);
        }
        at = at.wrapping_add(CHUNK as u64);
    }
}

/// √2 erf⁻¹(x) for |x| < 1.
#[inline(always)]
fn quantile<L: Lanes>(x: L) -> L {
    let one = L::splat(1.0);
    // Its digits are there also where x is near 1, as 1 - x is exact.
    let rest = (one - x) * (one + x);
    let w = -log_absolute(rest);
    let y = x * polynomial(w - L::splat(2.5), NORMAL);
    let is_far = rest.lt(L::splat(END));
    if !L::any(is_far) {
        return y;
    }
    let far = x.zip(rest, |x, rest| if rest < END { SQRT_2 * inverse_erf(x) } else { 0.0 });
    L::select(is_far, far, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the accurate inverse, over all sizes, and beside where the formula changes.
    #[test]
    fn quantiles_are_accurate() {
        let edge = (1.0 - END).sqrt();
        let points = (1..200_000).map(|k| f64::from(k) / 200_000.0);
        let small = (1..60).map(|k| 0.7f64.powi(k * 3));
        let near_one = (1..53).map(|k| 1.0 - 0.5f64.powi(k));
        let beside = (-50..50).map(|k| edge + f64::from(k) * f64::EPSILON);
        let mut worst = 0.0f64;
        for x in points.chain(small).chain(near_one).chain(beside) {
            let expected = SQRT_2 * inverse_erf(x);
            for (x, expected) in [(x, expected), (-x, -expected)] {
                let got = quantile(x);
                worst = worst.max((got - expected).abs() / (expected.abs() * f64::EPSILON));
            }
        }
        assert!(worst < 4.0, "{worst}");
        assert!(worst > 0.5, "{worst} units are too few to be true");
    }

    /// Elements depend on their counters alone, in lanes of any number.
    #[test]
    fn lanes_change_nothing() {
        fn check<T: Normal + PartialEq + std::fmt::Debug>(zero: T) {
            let key = [7, 11];
            let mut expected = vec![zero; 1000];
            fill_in::<T, f64>(key, 5, &mut expected);
            let mut got = vec![zero; 1000];
            fill(key, 5, &mut got);
            assert_eq!(got, expected);
            let mut portable = vec![zero; 1000];
            fill_in::<T, Portable>(key, 5, &mut portable);
            assert_eq!(portable, expected);
            let mut later = vec![zero; 77];
            fill(key, 5 + 601, &mut later);
            assert_eq!(later, expected[601..678]);
        }
        check(0.0f64);
        check(0.0f32);
    }
}
