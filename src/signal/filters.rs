//! Convolutions and analytic signals.

use crate::fft::{Transform, next_fast_len};
use crate::numpy::{ConvolveMode, enter, float};
use crate::op::{Complex, Var, irfft_of, trace};

/// The convolution of lines along the last axis by their transforms: the sums of the products of one with the other in
/// reverse order, at each shift. It takes a time of `(m + n) log (m + n)`, where [`convolve`](fn@crate::numpy::convolve) takes `m n`, which is less for kernels of
/// some tens of elements.
///
/// The axes before the last broadcast. Errors are relative to the product of the norms of both lines, also where results
/// are small.
///
/// Derivative: that of the products of transforms, linear in each line.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::numpy::ConvolveMode;
/// use retrograd::{Var, jit, signal};
///
/// let full = |x: Var, y: Var| signal::fft_convolve(x, y, ConvolveMode::Full);
/// let z: Array1<f64> = jit(full).call(array![1.0, 2.0, 3.0], array![1.0, -1.0])?;
/// assert!((z - array![1.0, 1.0, 1.0, -3.0]).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Values without axes, lines without elements, axes that do not broadcast, two dtypes.
#[track_caller]
pub fn fft_convolve(x: Var, y: Var, mode: ConvolveMode) -> Var {
    let _function = enter("fft_convolve", &[x, y]);
    let (x, y) = (float(x), float(y));
    let (Some(m), Some(n)) = (length(x), length(y)) else { return Var::poisoned() };
    let (axis, full) = (x.rank().max(y.rank()) - 1, m + n - 1);
    let transform = Transform::new().lengths(&[next_fast_len(full)]);
    let all = transform.irfft(transform.rfft(x) * transform.rfft(y));
    if all.is_poisoned() {
        return all;
    }
    // NumPy's middle: as if the shorter line were moved over the longer one.
    let (short, long) = (m.min(n), m.max(n));
    let (start, count) = match mode {
        ConvolveMode::Full => (0, full),
        ConvolveMode::Same => ((short - 1) / 2, long),
        ConvolveMode::Valid => (short - 1, long - short + 1),
    };
    all.slice(axis, start..start + count)
}

/// The length of the lines; `None` after an error.
#[track_caller]
pub(super) fn length(x: Var) -> Option<usize> {
    if x.is_poisoned() {
        return None;
    }
    match x.shape().last() {
        Some(&n) if n > 0 => Some(n),
        _ => {
            trace::fail_at(format!("takes signals that have elements along the last axis, but got {}", x.ty()));
            None
        }
    }
}

/// The analytic signal `x + i H(x)` of real lines along the last axis: what is left without negative frequencies. `H`, the Hilbert transform, turns each
/// frequency by a quarter. The absolute value is the envelope, the argument the phase of an oscillation.
///
/// The real part is `x` itself, where SciPy gives it rounded.
///
/// Derivative: linear.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, signal};
///
/// let shifted = |x: Var| signal::hilbert(x).im;
/// let y: Array1<f64> = jit(shifted).call(array![1.0, 0.0, -1.0, 0.0])?;
/// assert_eq!(y, array![0.0, 1.0, 0.0, -1.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Values without axes, lines without elements.
#[track_caller]
pub fn hilbert(x: Var) -> Complex {
    let _function = enter("hilbert", &[x]);
    let x = float(x);
    let Some(n) = length(x) else { return Complex::poisoned() };
    let bins = Transform::new().rfft(x);
    // -i times the bins; what is real there at frequencies 0 and n/2 becomes imaginary, and is not read.
    let turned = irfft_of(bins.im, -bins.re, n, false) * (1.0 / n as f64);
    Complex { re: x, im: turned }
}
