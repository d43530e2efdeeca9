//! Functions of complex matrices.

use super::super::arguments::enter;
use super::super::functions::by_squaring;
use super::super::{self as linalg};
use super::arguments::{shown, square};
use super::inv;
use crate::numpy as np;
use crate::op::{Complex, interleaved as real};

/// The exponentials of complex square matrices; see [`linalg::expm`](super::super::expm), also for the derivative.
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// // How a spin turns: exp(-i t X) = cos t - i sin t X.
/// let x = array![[c64(0.0, 0.0), c64(1.0, 0.0)], [c64(1.0, 0.0), c64(0.0, 0.0)]];
/// let f = move |t: Var| complex::expm(-(Complex::constant(&x).mul_i() * t)).at(0);
/// let row: Complex<ndarray::Array1<f64>> = jit(f).call(0.5)?;
/// assert!((row.re - array![0.5f64.cos(), 0.0]).iter().all(|error| error.abs() < 1e-15));
/// assert!((row.im - array![0.0, -0.5f64.sin()]).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn expm(a: Complex) -> Complex {
    let _function = enter("expm", &shown([a]));
    match square(a) {
        Some((a, _)) => real::complex(linalg::expm(real::matrices(a))),
        None => Complex::poisoned(),
    }
}

/// The powers of complex square matrices with an integer exponent, by squaring; those of the inverse if it is negative.
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn matrix_power(a: Complex, exponent: i64) -> Complex {
    let _function = enter("matrix_power", &shown([a]));
    let Some((a, n)) = square(a) else { return Complex::poisoned() };
    let base = if exponent < 0 { inv(a) } else { a };
    match by_squaring(base, exponent.unsigned_abs(), Complex::matmul) {
        Some(power) => power,
        None => np::eye(n, n, 0).convert(a.dtype()).broadcast_to(&a.shape()).into(),
    }
}
