//! Discrete Fourier transforms: the functions of `numpy.fft` and `scipy.fft`, under their names, for traced values.
//!
//! ```
//! use ndarray::{Array1, array};
//! use retrograd::{Complex, Var, fft, grad, jit};
//!
//! // What a filter, given by its response, leaves of a signal.
//! let energy = |response: Complex, x: Var| fft::irfft(fft::rfft(x) * response).square().sum();
//! let gain = |re: Var, x: Var| energy(Complex::from(re), x);
//! let (flat, x) = (array![1.0, 1.0, 1.0], array![1.0, 2.0, 3.0, 4.0]);
//! assert_eq!(jit(gain).call::<f64>(&flat, &x)?, 30.0);
//! let slope: Array1<f64> = jit(grad(gain)).call(&flat, &x)?;
//! assert_eq!(slope, array![50.0, 8.0, 2.0]);
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Definition
//! `fft` gives `y[k] = Σⱼ x[j] exp(-2πi j k / n)` for `k` from 0 to `n-1`, and `ifft` `x[j] = 1/n Σₖ y[k] exp(2πi j k / n)`, along the last axis. Of a
//! real line the bins `n/2 + 1` and later mirror the earlier ones, `y[n-k] = conj y[k]`, and `rfft` gives bins 0 to `n/2`, rounded down.
//! [`Norm`] says where the factor 1/n goes. Along any other axes, as many lines are transformed as there are.
//!
//! # Options
//! The functions have NumPy's defaults; a [`Transform`] has the same functions as methods, with axes, lengths and norms:
//!
//! ```
//! use ndarray::Array2;
//! use retrograd::fft::{Norm, Transform};
//! use retrograd::{Var, jit};
//!
//! let along_columns = |x: Var| Transform::new().axes(0).lengths(&[8]).norm(Norm::Ortho).rfft(x).abs_squared();
//! let y: Array2<f64> = jit(along_columns).call(Array2::<f64>::ones((4, 3)))?;
//! assert_eq!(y.dim(), (5, 3));
//! assert!((y[[0, 0]] - 2.0).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Conventions
//! - Operands are `f64` or `f32`, in which the transforms are computed; integers and truth values count as `f64`. What is real
//!   is a [`Var`](crate::Var), what is complex a [`Complex`](crate::Complex): of a complex value where a real one is asked, pass `z.re`, `z.im` or `z.abs()`.
//! - Any length takes a time of `n log n`; those without prime factors above 11 are fastest, see [`next_fast_len`]. Plans are
//!   made when a program is compiled, and kept with it.
//! - The error of a line is some units in the last place times `log n`, of its 2-norm. A NaN or an infinity spoils its line.
//! - Wrong axes and lengths are errors, which [`jit`](fn@crate::jit) returns: they name the function, the operands and the caller's line.
//! - All is linear. With `⟨c, y⟩ = Σ c.re y.re + c.im y.im` the transpose of `fft` is `n ifft`, and that of `rfft` is `n irfft` of the
//!   cotangent with its inner bins halved: derivatives of any order cost a transform. They are exact zeros for lines of zeros.
//! - Imaginary parts that are always 0, of bins 0 and `n/2` of a real line, are not read by `irfft`, and no derivative flows there.
//!
//! # Functions by theme
//!
//! **Complex transforms.** [`fft()`], [`ifft`], [`fft2`], [`ifft2`], [`fftn`], [`ifftn`].
//!
//! **Of real values.** [`rfft`], [`irfft`], [`rfft2`], [`irfft2`], [`rfftn`], [`irfftn`]; of what has a real spectrum [`hfft`],
//! [`ihfft`].
//!
//! **Cosine and sine transforms.** [`dct`], [`idct`], [`dst`], [`idst`].
//!
//! **Frequencies and order.** [`fftfreq`], [`rfftfreq`], [`fftshift`], [`ifftshift`], [`next_fast_len`].

mod arguments;
mod order;
mod transforms;
mod trigonometric;

use crate::numpy::Axes;

pub(crate) use arguments::on_line;
pub use order::{Movable, fftfreq, fftshift, ifftshift, next_fast_len, rfftfreq};
pub use transforms::{fft, fft2, fftn, hfft, ifft, ifft2, ifftn, ihfft, irfft, irfft2, irfftn, rfft, rfft2, rfftn};
pub use trigonometric::{Variant, dct, dst, idct, idst};

/// Where the factor 1/n goes, with n the number of elements of what is transformed together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Norm {
    /// Into the inverse transform.
    #[default]
    Backward,
    /// Its square root into both, which are unitary then.
    Ortho,
    /// Into the transform itself.
    Forward,
}

impl Norm {
    /// What the result is multiplied with.
    fn factor(self, n: f64, inverse: bool) -> f64 {
        match (self, inverse) {
            (Norm::Backward, false) | (Norm::Forward, true) => 1.0,
            (Norm::Backward, true) | (Norm::Forward, false) => 1.0 / n,
            (Norm::Ortho, _) => 1.0 / n.sqrt(),
        }
    }
}

/// Transforms with options: along which axes, at what lengths, with which norm. Its methods are the functions of this module.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::fft::{Norm, Transform};
/// use retrograd::{Var, jit};
///
/// // A line is cut, or zeros are appended, to the length.
/// let mean_of_two = |x: Var| Transform::new().lengths(&[2]).norm(Norm::Forward).rfft(x).re;
/// let y: Array1<f64> = jit(mean_of_two).call(array![1.0, 4.0, 9.0])?;
/// assert_eq!(y, array![2.5, -1.5]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Transform {
    axes: Option<Vec<isize>>,
    lengths: Option<Vec<usize>>,
    norm: Norm,
}

impl Transform {
    /// NumPy's defaults: the last axis, the last two or all axes, as they are long, [`Norm::Backward`].
    pub fn new() -> Transform {
        Transform::default()
    }

    /// Along these axes, of which negative ones count from the end; `()` for all. Functions of one axis take one, `fft2` and
    /// its kind take two. Functions on real values halve the last one named.
    pub fn axes(self, axes: impl Axes) -> Transform {
        Transform { axes: axes.axes(), ..self }
    }

    /// With so many elements along each of the axes, in their order: longer lines are cut at their end, zeros are
    /// appended to shorter ones. Of what [`irfft`] and its kind give: they take `n/2 + 1` bins along the last axis. Without axes,
    /// `fftn` and its kind transform as many of the last ones as there are lengths.
    pub fn lengths(self, lengths: &[usize]) -> Transform {
        Transform { lengths: Some(lengths.to_vec()), ..self }
    }

    /// With the factor 1/n there.
    pub fn norm(self, norm: Norm) -> Transform {
        Transform { norm, ..self }
    }
}
