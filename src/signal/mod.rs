//! Signals: filters, envelopes and spectra by Fourier transforms, under the names of `scipy.signal`, for traced values.
//!
//! ```
//! use ndarray::{Array1, array};
//! use retrograd::numpy::ConvolveMode;
//! use retrograd::{Var, grad, jit, signal};
//!
//! // How well a kernel makes one signal of another, and where to change it.
//! let misfit = |kernel: Var, x: Var, y: Var| (signal::fft_convolve(x, kernel, ConvolveMode::Same) - y).square().sum();
//! let (x, y) = (array![0.0, 1.0, 0.0, 0.0], array![0.5, 1.0, 0.5, 0.0]);
//! let slope: Array1<f64> = jit(grad(misfit)).call(array![0.5, 1.0, 0.5], &x, &y)?;
//! assert!(slope.iter().all(|slope| slope.abs() < 1e-15));
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! Signals are the last axis; the functions apply along any axes before it. Operands are `f64` or `f32`, integers count as
//! `f64`, and `f32` beside `f64` is an error. All are compositions of [`fft`](crate::fft) and of elementwise operations, so derivatives
//! of any order, rows and loops are theirs; a NaN or an infinity spoils the line, or the frame, that it is in.
//!
//! **Filters.** [`fft_convolve`], [`hilbert`].
//!
//! **Spectra over time.** [`stft`], [`istft`], with options [`Stft`].
//!
//! **Densities.** [`periodogram`], [`welch`], with options [`Welch`].
//!
//! **Windows.** [`hann`], [`hamming`], [`blackman`].

mod density;
mod filters;
mod frames;
mod windows;

pub use density::{Scaling, Welch, periodogram, welch};
pub use filters::{fft_convolve, hilbert};
pub use frames::{Stft, istft, stft};
pub use windows::{Sampling, blackman, hamming, hann};
