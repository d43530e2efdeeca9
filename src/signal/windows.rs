//! Windows: weights that fall off towards the ends of a frame.

use crate::numpy::enter;
use crate::op::{Var, trace};
use crate::value::{DType, Type};

/// Where the other end of a window lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// The window is one period of a periodic function, as spectra ask for: its mirror image begins one element later.
    Periodic,
    /// The first and the last element are equal, as filters ask for.
    Symmetric,
}

/// Hann's window of n weights, `1/2 - 1/2 cos(2πk/d)` with `d = n`, or `n - 1` if it is symmetric: an `f64` vector. That of one
/// element is 1.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::signal::{Sampling, hann};
/// use retrograd::{Var, jit};
///
/// let w: Array1<f64> = jit(|x: Var| x * hann(4, Sampling::Periodic)).call(1.0)?;
/// assert!((w - array![0.0, 0.5, 1.0, 0.5]).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// `n = 0`.
#[track_caller]
pub fn hann(n: usize, sampling: Sampling) -> Var {
    cosines("hann", n, sampling, [0.5, 0.5, 0.0])
}

/// Hamming's window of n weights, `0.54 - 0.46 cos(2πk/d)`; see [`hann`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::signal::{Sampling, hamming};
/// use retrograd::{Var, jit};
///
/// let w: Array1<f64> = jit(|x: Var| x * hamming(3, Sampling::Symmetric)).call(1.0)?;
/// assert!((w - array![0.08, 1.0, 0.08]).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// `n = 0`.
#[track_caller]
pub fn hamming(n: usize, sampling: Sampling) -> Var {
    cosines("hamming", n, sampling, [0.54, 0.46, 0.0])
}

/// Blackman's window of n weights, `0.42 - 0.5 cos(2πk/d) + 0.08 cos(4πk/d)`; see [`hann`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::signal::{Sampling, blackman};
/// use retrograd::{Var, jit};
///
/// let w: Array1<f64> = jit(|x: Var| x * blackman(3, Sampling::Symmetric)).call(1.0)?;
/// assert!((w - array![0.0, 1.0, 0.0]).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// `n = 0`.
#[track_caller]
pub fn blackman(n: usize, sampling: Sampling) -> Var {
    cosines("blackman", n, sampling, [0.42, 0.5, 0.08])
}

/// `a₀ - a₁ cos φ + a₂ cos 2φ`.
#[track_caller]
fn cosines(name: &'static str, n: usize, sampling: Sampling, a: [f64; 3]) -> Var {
    let _function = enter(name, &[]);
    if n == 0 {
        trace::fail_at("takes a length of at least 1, but got 0".to_string());
        return Var::poisoned();
    }
    if n == 1 {
        return Var::ones(Type::new(DType::F64, [1]));
    }
    let period = match sampling {
        Sampling::Periodic => n,
        Sampling::Symmetric => n - 1,
    };
    let phase = Var::iota(&[n], 0, DType::F64) * (std::f64::consts::TAU / period as f64);
    let first = a[0] - a[1] * phase.cos();
    if a[2] == 0.0 { first } else { first + a[2] * (2.0 * phase).cos() }
}
