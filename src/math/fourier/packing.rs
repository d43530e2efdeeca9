//! From split to interleaved storage and back, and real lines of even length as complex ones of half of it.
//!
//! A real line `x` of length `n = 2m` is packed as `z[j] = x[2j] + i x[2j+1]`, as it lies in memory. With `Z` its transform of
//! length `m`, `E[k] = (Z[k] + conj Z[m-k]) / 2` and `O[k] = (Z[k] - conj Z[m-k]) / 2i` are the transforms of its even and odd
//! elements, and `X[k] = E[k] + exp(-2πik/n) O[k]`, `X[m-k] = conj(E[k] - exp(-2πik/n) O[k])` (Sorensen, Jones, Heideman and
//! Burrus 1987, "Real-valued fast Fourier transform algorithms").

use rustfft::num_complex::Complex;

use super::Real;
use crate::math::matrix::{Widened, widened};

/// Neighbors as real and imaginary parts.
///
/// # Panics
/// If their number is odd.
pub(super) fn as_complex<T: Real>(x: &[T]) -> &[Complex<T>] {
    assert!(x.len().is_multiple_of(2), "bug: half a complex number");
    // SAFETY: a `Complex<T>` is two `T`s, `repr(C)`, with their alignment; there are half as many of them.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), x.len() / 2) }
}

/// Neighbors as real and imaginary parts.
///
/// # Panics
/// If their number is odd.
pub(super) fn as_complex_mut<T: Real>(x: &mut [T]) -> &mut [Complex<T>] {
    assert!(x.len().is_multiple_of(2), "bug: half a complex number");
    // SAFETY: as in `as_complex`; the only borrow of the elements goes on in the result.
    unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr().cast(), x.len() / 2) }
}

/// `z = re + i im`.
pub(super) fn interleave<T: Real>(re: &[T], im: &[T], z: &mut [Complex<T>]) {
    widened(Interleave { re, im, z });
}

struct Interleave<'a, T> {
    re: &'a [T],
    im: &'a [T],
    z: &'a mut [Complex<T>],
}

impl<T: Real> Widened for Interleave<'_, T> {
    #[inline(always)]
    fn run(self) {
        for ((z, &re), &im) in self.z.iter_mut().zip(self.re).zip(self.im) {
            *z = Complex::new(re, im);
        }
    }
}

/// The real and imaginary parts of `z`.
pub(super) fn split<T: Real>(z: &[Complex<T>], re: &mut [T], im: &mut [T]) {
    widened(Split { z, re, im });
}

struct Split<'a, T> {
    z: &'a [Complex<T>],
    re: &'a mut [T],
    im: &'a mut [T],
}

impl<T: Real> Widened for Split<'_, T> {
    #[inline(always)]
    fn run(self) {
        for ((z, re), im) in self.z.iter().zip(self.re).zip(self.im) {
            (*re, *im) = (z.re, z.im);
        }
    }
}

/// The first half of the bins of a transformed real line of odd length; all but the first twice if `doubled`.
pub(super) fn first_bins<T: Real>(z: &[Complex<T>], [re, im]: [&mut [T]; 2], doubled: bool) {
    let factor = T::of(if doubled { 2.0 } else { 1.0 });
    for ((z, re), im) in z.iter().zip(&mut *re).zip(&mut *im) {
        (*re, *im) = (z.re * factor, z.im * factor);
    }
    (re[0], im[0]) = (z[0].re, T::ZERO);
}

/// All bins of a real line of odd length from the first half of them, which count half if `halved`.
pub(super) fn mirrored<T: Real>([re, im]: [&[T]; 2], z: &mut [Complex<T>], halved: bool) {
    let factor = T::of(if halved { 0.5 } else { 1.0 });
    let n = z.len();
    z[0] = Complex::new(re[0], T::ZERO);
    for k in 1..re.len() {
        let bin = Complex::new(re[k] * factor, im[k] * factor);
        (z[k], z[n - k]) = (bin, bin.conj());
    }
}

/// The bins of a real line from the transform of the packed one; inner ones twice if `doubled`. `turns` are
/// `exp(2πik/n)`.
pub(super) fn bins_of_packed<T: Real>(z: &[Complex<T>], turns: &[Complex<T>], bins: [&mut [T]; 2], doubled: bool) {
    let [re, im] = bins;
    let m = z.len();
    let factor = T::of(if doubled { 1.0 } else { 0.5 });
    let outer = [z[0].re + z[0].im, z[0].re - z[0].im];
    if m.is_multiple_of(2) {
        let twice = factor + factor;
        (re[m / 2], im[m / 2]) = (twice * z[m / 2].re, -(twice * z[m / 2].im));
    }
    widened(Unpack { z, turns, re: &mut *re, im: &mut *im, factor });
    ([re[0], re[m]], [im[0], im[m]]) = (outer, [T::ZERO; 2]);
}

/// How many bins are computed together, with as many mirror images.
const LANES: usize = 8;

struct Unpack<'a, T> {
    z: &'a [Complex<T>],
    turns: &'a [Complex<T>],
    re: &'a mut [T],
    im: &'a mut [T],
    factor: T,
}

impl<T: Real> Widened for Unpack<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Unpack { z, turns, re, im, factor } = self;
        let m = z.len();
        let n_pairs = (m.max(1) - 1) / 2;
        let n_blocks = n_pairs / LANES;
        for block in 0..n_blocks {
            // The pairs k, m-k for LANES consecutive k.
            let (low, high) = (1 + block * LANES, m - (block + 1) * LANES);
            let pairs =
                unpacked::<T, LANES>(array(&z[low..]), reversed(array(&z[high..])), array(&turns[low..]), factor);
            re[low..low + LANES].copy_from_slice(&pairs[0]);
            im[low..low + LANES].copy_from_slice(&pairs[1]);
            re[high..high + LANES].copy_from_slice(&reversed(pairs[2]));
            im[high..high + LANES].copy_from_slice(&reversed(pairs[3]));
        }
        for k in 1 + n_blocks * LANES..=n_pairs {
            let [[re_k], [im_k], [re_l], [im_l]] = unpacked([z[k]], [z[m - k]], [turns[k]], factor);
            (re[k], im[k], re[m - k], im[m - k]) = (re_k, im_k, re_l, im_l);
        }
    }
}

/// `X[k]` and `X[m-k]` by real and imaginary parts, from `Z[k]` and `Z[m-k]`.
#[inline(always)]
fn unpacked<T: Real, const N: usize>(
    z: [Complex<T>; N],
    mirror: [Complex<T>; N],
    turn: [Complex<T>; N],
    factor: T,
) -> [[T; N]; 4] {
    let mut result = [[T::ZERO; N]; 4];
    for l in 0..N {
        let (even_re, even_im) = (factor * (z[l].re + mirror[l].re), factor * (z[l].im - mirror[l].im));
        let (odd_re, odd_im) = (factor * (z[l].im + mirror[l].im), factor * (mirror[l].re - z[l].re));
        let turned_re = turn[l].re * odd_re + turn[l].im * odd_im;
        let turned_im = turn[l].re * odd_im - turn[l].im * odd_re;
        result[0][l] = even_re + turned_re;
        result[1][l] = even_im + turned_im;
        result[2][l] = even_re - turned_re;
        result[3][l] = turned_im - even_im;
    }
    result
}

/// The packed line whose inverse transform is that of the bins; inner ones count half if `halved`. `turns` are
/// `exp(2πik/n)`.
pub(super) fn packed_of_bins<T: Real>(bins: [&[T]; 2], turns: &[Complex<T>], z: &mut [Complex<T>], halved: bool) {
    let [re, im] = bins;
    let m = z.len();
    let factor = T::of(if halved { 0.5 } else { 1.0 });
    z[0] = Complex::new(re[0] + re[m], re[0] - re[m]);
    if m.is_multiple_of(2) {
        let twice = factor + factor;
        z[m / 2] = Complex::new(twice * re[m / 2], -(twice * im[m / 2]));
    }
    widened(Pack { re, im, turns, z, factor });
}

struct Pack<'a, T> {
    re: &'a [T],
    im: &'a [T],
    turns: &'a [Complex<T>],
    z: &'a mut [Complex<T>],
    factor: T,
}

impl<T: Real> Widened for Pack<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Pack { re, im, turns, z, factor } = self;
        let m = z.len();
        let n_pairs = (m.max(1) - 1) / 2;
        let n_blocks = n_pairs / LANES;
        for block in 0..n_blocks {
            let (low, high) = (1 + block * LANES, m - (block + 1) * LANES);
            let bins = [array(&re[low..]), array(&im[low..])];
            let mirror = [reversed(array(&re[high..])), reversed(array(&im[high..]))];
            let [own, mirrored] = packed::<T, LANES>(bins, mirror, array(&turns[low..]), factor);
            z[low..low + LANES].copy_from_slice(&own);
            z[high..high + LANES].copy_from_slice(&reversed(mirrored));
        }
        for k in 1 + n_blocks * LANES..=n_pairs {
            let [[own], [mirrored]] = packed([[re[k]], [im[k]]], [[re[m - k]], [im[m - k]]], [turns[k]], factor);
            (z[k], z[m - k]) = (own, mirrored);
        }
    }
}

/// `Z[k]` and `Z[m-k]` from `X[k]` and `X[m-k]`, which are given by real and imaginary parts.
#[inline(always)]
fn packed<T: Real, const N: usize>(
    [re, im]: [[T; N]; 2],
    [mirror_re, mirror_im]: [[T; N]; 2],
    turn: [Complex<T>; N],
    factor: T,
) -> [[Complex<T>; N]; 2] {
    let mut result = [[Complex::new(T::ZERO, T::ZERO); N]; 2];
    for l in 0..N {
        let (even_re, even_im) = (factor * (re[l] + mirror_re[l]), factor * (im[l] - mirror_im[l]));
        let (odd_re, odd_im) = (factor * (re[l] - mirror_re[l]), factor * (im[l] + mirror_im[l]));
        let turned_re = turn[l].re * odd_re - turn[l].im * odd_im;
        let turned_im = turn[l].re * odd_im + turn[l].im * odd_re;
        result[0][l] = Complex::new(even_re - turned_im, even_im + turned_re);
        result[1][l] = Complex::new(even_re + turned_im, turned_re - even_im);
    }
    result
}

#[inline(always)]
fn array<T: Copy, const N: usize>(x: &[T]) -> [T; N] {
    *x.first_chunk().expect("bug: a block beyond the end")
}

#[inline(always)]
fn reversed<T, const N: usize>(mut x: [T; N]) -> [T; N] {
    x.reverse();
    x
}
