//! Frequencies of bins, and their order.

use super::on_line;
use crate::numpy::{self as np, Axes, enter, named_axes};
use crate::op::{Complex, Var, trace};
use crate::value::DType;

/// The frequencies of the bins of [`fft`](super::fft()) for lines of `n` samples at distances `d`: an `f64` vector of length n, first those
/// from 0 up, `0, 1, …`, then the negative ones, `…, -2, -1`, each times `1 / (n d)`. For even n, bin n/2 counts as negative.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, fft, jit};
///
/// let f: Array1<f64> = jit(|x: Var| fft::fftfreq(4, 0.5) + x).call(0.0)?;
/// assert_eq!(f, array![0.0, 0.5, -1.0, -0.5]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// `n = 0`.
#[track_caller]
pub fn fftfreq(n: usize, d: f64) -> Var {
    let _function = enter("fftfreq", &[]);
    let Some(k) = numbers(n, n) else { return Var::poisoned() };
    let positive = k.less(n.div_ceil(2) as f64);
    positive.select(k, k - n as f64) * (1.0 / (n as f64 * d))
}

/// The frequencies of the bins of [`rfft`](super::rfft()) for lines of `n` samples at distances `d`: `k / (n d)` for k from 0 to n/2,
/// rounded down.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, fft, jit};
///
/// let f: Array1<f64> = jit(|x: Var| fft::rfftfreq(5, 0.1) + x).call(0.0)?;
/// assert_eq!(f, array![0.0, 2.0, 4.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// `n = 0`.
#[track_caller]
pub fn rfftfreq(n: usize, d: f64) -> Var {
    let _function = enter("rfftfreq", &[]);
    let Some(k) = numbers(n, n / 2 + 1) else { return Var::poisoned() };
    k * (1.0 / (n as f64 * d))
}

/// The first numbers from 0, for lines of length `n`.
#[track_caller]
fn numbers(n: usize, count: usize) -> Option<Var> {
    if n == 0 {
        trace::fail_at("takes lines of length 1 or more, but got 0".to_string());
        return None;
    }
    Some(Var::iota(&[count], 0, DType::F64))
}

/// Real or complex values, whose elements can be moved.
pub trait Movable: Copy + sealed::Sealed {
    /// The number of axes.
    #[doc(hidden)]
    fn n_axes(self) -> usize;

    /// The elements along that axis moved on by so many places, those at the end to the beginning.
    #[doc(hidden)]
    fn rolled(self, axis: usize, shift: impl Fn(usize) -> usize) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::op::Var {}
    impl Sealed for crate::op::Complex {}
}

impl Movable for Var {
    #[track_caller]
    fn n_axes(self) -> usize {
        if self.is_poisoned() { 0 } else { self.rank() }
    }

    #[track_caller]
    fn rolled(self, axis: usize, shift: impl Fn(usize) -> usize) -> Var {
        if self.is_poisoned() {
            return self;
        }
        // Extents of arrays that exist are far below the greatest isize.
        np::roll(self, shift(self.shape()[axis]).cast_signed(), axis.cast_signed())
    }
}

impl Movable for Complex {
    #[track_caller]
    fn n_axes(self) -> usize {
        self.re.n_axes()
    }

    #[track_caller]
    fn rolled(self, axis: usize, shift: impl Fn(usize) -> usize) -> Complex {
        Complex { re: self.re.rolled(axis, &shift), im: self.im.rolled(axis, &shift) }
    }
}

/// Bins with that of frequency 0 in the middle, along these axes (`()` for all): the second half, which has the negative
/// frequencies, goes first. Takes real and complex values of any shape; linear.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, fft, jit};
///
/// let y: Array1<f64> = jit(|x: Var| fft::fftshift(x, ())).call(array![0.0, 1.0, 2.0, -2.0, -1.0])?;
/// assert_eq!(y, array![-2.0, -1.0, 0.0, 1.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Axes that do not exist, or are named twice.
#[track_caller]
pub fn fftshift<Z: Movable>(z: Z, axes: impl Axes) -> Z {
    moved("fftshift", z, axes, |n| n / 2)
}

/// The inverse of [`fftshift`], which differs from it for odd extents.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, fft, jit};
///
/// let y: Array1<f64> = jit(|x: Var| fft::ifftshift(x, 0)).call(array![-2.0, -1.0, 0.0, 1.0, 2.0])?;
/// assert_eq!(y, array![0.0, 1.0, 2.0, -2.0, -1.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`fftshift`].
#[track_caller]
pub fn ifftshift<Z: Movable>(z: Z, axes: impl Axes) -> Z {
    moved("ifftshift", z, axes, |n| n.div_ceil(2))
}

#[track_caller]
fn moved<Z: Movable>(name: &'static str, z: Z, axes: impl Axes, shift: impl Fn(usize) -> usize) -> Z {
    let _function = enter(name, &[]);
    let rank = z.n_axes();
    let axes = match axes.axes() {
        None => Some((0..rank).collect()),
        Some(axes) => named_axes(rank, &axes),
    };
    on_line(|| axes.unwrap_or_default().into_iter().fold(z, |z, axis| z.rolled(axis, &shift)))
}

/// The least number from `n` on that has no prime factor above 5 and is even, if it is above 1: lines of that length are
/// transformed fast. 0 gives 1.
///
/// ```
/// use retrograd::fft::next_fast_len;
///
/// assert_eq!([1, 7, 97, 1024, 1025].map(next_fast_len), [1, 8, 100, 1024, 1080]);
/// ```
pub fn next_fast_len(n: usize) -> usize {
    let is_fast = |&m: &usize| {
        let mut rest = m;
        for factor in [2, 3, 5] {
            while rest.is_multiple_of(factor) {
                rest /= factor;
            }
        }
        rest == 1
    };
    let n = n.max(1);
    if n == 1 { 1 } else { (n..).filter(|m| m.is_multiple_of(2)).find(is_fast).unwrap_or(n) }
}
