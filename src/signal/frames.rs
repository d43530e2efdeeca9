//! Spectra of frames: short parts of a signal, one after the other.

use super::filters::length;
use crate::fft::{Transform, on_line};
use crate::numpy::{enter, float};
use crate::op::{Complex, Var, trace};

/// The spectra of frames, as long as the window, which begin `hop` elements apart: with `w` the window of length m,
/// `Z[t, f] = Σⱼ x[t hop + j] w[j] exp(-2πi j f / m)` for bins f from 0 to m/2. The result has an axis of frames and one
/// of bins in the place of the last axis. What is left at the end, shorter than a frame, is not used.
///
/// The window is a vector; see [`hann`](super::hann). [`Stft`] has more options. SciPy's older `stft` divides by the sum
/// of the window, and has bins before frames.
///
/// Derivative: linear in the signal, and in the window.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use retrograd::signal::{Sampling, hann, stft};
/// use retrograd::{Var, jit};
///
/// let power = |x: Var| stft(x, hann(8, Sampling::Periodic), 4).abs_squared();
/// let beats: Array1<f64> = (0..20).map(|k| (k as f64 * std::f64::consts::FRAC_PI_2).cos()).collect();
/// let power: Array2<f64> = jit(power).call(beats)?;
/// assert_eq!(power.dim(), (4, 5));
/// // A frequency of a quarter: bin 2 of 8, where the sum of weights is 4, half of it on either side.
/// assert!((power[[1, 2]] - 4.0).abs() < 1e-13);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Signals shorter than the window, what is no vector as a window, a hop of 0.
#[track_caller]
pub fn stft(x: Var, window: Var, hop: usize) -> Complex {
    Stft::new(window, hop).stft(x)
}

/// The signal of which [`stft`] gives these spectra: frames are transformed back, weighed with the window once more, and
/// added where they overlap; the sum is divided by that of the squared windows (Griffin and Lim 1984, "Signal estimation
/// from modified short-time Fourier transform"). Of spectra that belong to no signal it is the nearest one. It has
/// `hop (frames - 1)` elements and one frame more.
///
/// Where no window is above zero, as at the ends with [`hann`](super::hann), nothing is known, and it is 0.
///
/// Derivative: linear in the spectra.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::signal::{Sampling, hamming, istft, stft};
/// use retrograd::{Var, jit};
///
/// let there_and_back = |x: Var| {
///     let window = hamming(8, Sampling::Periodic);
///     istft(stft(x, window, 4), window, 4)
/// };
/// let x = Array1::linspace(0.0, 1.0, 20);
/// let y: Array1<f64> = jit(there_and_back).call(&x)?;
/// assert!((y - x).iter().all(|error| error.abs() < 1e-14));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Spectra that have not as many bins as the window asks for, or no axis of frames; those of [`stft`].
#[track_caller]
pub fn istft(z: Complex, window: Var, hop: usize) -> Var {
    Stft::new(window, hop).istft(z)
}

/// How spectra over time are computed; see [`stft`].
///
/// ```
/// use ndarray::Array1;
/// use retrograd::signal::{Sampling, Stft, hann};
/// use retrograd::{Var, jit};
///
/// let there_and_back = |x: Var| {
///     let spectra = Stft::new(hann(8, Sampling::Periodic), 4).centered().length(16);
///     spectra.istft(spectra.stft(x))
/// };
/// let x = Array1::linspace(0.0, 1.0, 20);
/// let y: Array1<f64> = jit(there_and_back).call(&x)?;
/// assert!((y - x).iter().all(|error| error.abs() < 1e-14));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stft {
    window: Var,
    hop: usize,
    length: Option<usize>,
    is_centered: bool,
}

impl Stft {
    /// Frames as long as the window, so many elements apart.
    pub fn new(window: Var, hop: usize) -> Stft {
        Stft { window, hop, length: None, is_centered: false }
    }

    /// Zeros are appended to each frame, up to this length, which gives more bins.
    pub fn length(self, n: usize) -> Stft {
        Stft { length: Some(n), ..self }
    }

    /// The first frame has the first element in its middle: half a window of zeros goes before the signal, and behind it.
    /// So [`hann`](super::hann)'s window loses nothing at the ends.
    pub fn centered(self) -> Stft {
        Stft { is_centered: true, ..self }
    }

    /// [`stft`](fn@stft) with these options.
    #[track_caller]
    pub fn stft(&self, x: Var) -> Complex {
        let _function = enter("stft", &[x, self.window]);
        self.try_stft(float(x)).unwrap_or(Complex::poisoned())
    }

    /// [`istft`] with these options.
    #[track_caller]
    pub fn istft(&self, z: Complex) -> Var {
        let _function = enter("istft", &[z.re, z.im, self.window]);
        self.try_istft(z).unwrap_or(Var::poisoned())
    }

    #[track_caller]
    fn try_stft(&self, x: Var) -> Option<Complex> {
        let (window, m, n_fft) = self.checked_window()?;
        let axis = {
            length(x)?;
            x.rank() - 1
        };
        let margin = self.margin(m);
        let x = if margin == 0 { x } else { padded(x, axis, margin, margin) };
        if x.is_poisoned() {
            return None;
        }
        let n = x.shape()[axis];
        if n < m {
            trace::fail_at(format!("takes signals as long as the window, {m}, or longer, but got {}", x.ty()));
            return None;
        }
        let frames = framed(x, m, self.hop, (n - m) / self.hop + 1);
        Some(Transform::new().lengths(&[n_fft]).rfft(frames * window))
    }

    #[track_caller]
    fn try_istft(&self, z: Complex) -> Option<Var> {
        let (window, m, n_fft) = self.checked_window()?;
        let (rank, bins) = (z.rank(), n_fft / 2 + 1);
        if z.is_poisoned() {
            return None;
        }
        if rank < 2 || z.shape()[rank - 1] != bins || z.shape()[rank - 2] == 0 {
            trace::fail_at(format!("takes frames with {bins} bins along the last axis, but got {}", z.re.ty()));
            return None;
        }
        let frames = Transform::new().lengths(&[n_fft]).irfft(z).slice(rank - 1, ..m);
        if frames.is_poisoned() {
            return None;
        }
        let squares = window.square().insert_axis(0).broadcast_to(&[frames.shape()[rank - 2], m]);
        let (sum, weights) = (added(frames * window, self.hop), added(squares, self.hop));
        let is_known = weights.greater(1e-10 * weights.reduce_max(&[0]));
        let x = is_known.select(sum, 0.0) / is_known.select(weights, 1.0);
        if x.is_poisoned() {
            return None;
        }
        let margin = self.margin(m);
        let n = x.shape()[rank - 2];
        if n <= 2 * margin && margin > 0 {
            trace::fail_at(format!("takes more frames than half a window on either side, but got {}", z.re.ty()));
            return None;
        }
        Some(x.slice(rank - 2, margin..n - margin))
    }

    /// What is put before a signal and behind it.
    fn margin(&self, m: usize) -> usize {
        if self.is_centered { m / 2 } else { 0 }
    }

    /// The window, its length and that of transforms; `None` after an error.
    #[track_caller]
    fn checked_window(&self) -> Option<(Var, usize, usize)> {
        let window = float(self.window);
        if window.is_poisoned() {
            return None;
        }
        let (m, rank) = (window.shape().size(), window.rank());
        if rank != 1 || m == 0 {
            trace::fail_at(format!("takes a vector with elements as a window, but got {}", window.ty()));
            return None;
        }
        let n_fft = self.length.unwrap_or(m);
        if self.hop == 0 || n_fft < m {
            let n = m;
            trace::fail_at(format!(
                "takes a hop of at least 1, and a length of at least that of the window, {n}, but got {} and {n_fft}",
                self.hop
            ));
            return None;
        }
        Some((window, m, n_fft))
    }
}

/// So many zeros before and behind, along an axis.
#[track_caller]
fn padded(x: Var, axis: usize, before: usize, behind: usize) -> Var {
    let none = vec![0; x.rank()];
    let (mut low, mut high) = (none.clone(), none);
    // Extents beyond i64 are beyond any memory, too, which the operation reports.
    low[axis] = i64::try_from(before).unwrap_or(i64::MAX);
    high[axis] = i64::try_from(behind).unwrap_or(i64::MAX);
    x.pad(0.0, &low, &high, &vec![0; x.rank()])
}

/// Frames of the last axis, of `m` elements each: put together of blocks as long as the hop, of which neighboring frames
/// share all but one.
#[track_caller]
pub(super) fn framed(x: Var, m: usize, hop: usize, count: usize) -> Var {
    let axis = x.rank() - 1;
    if count == 1 {
        // However long the hop is.
        return x.slice(axis, ..m).insert_axis(axis);
    }
    let n_parts = m.div_ceil(hop);
    let n_blocks = count - 1 + n_parts;
    let shape = x.shape();
    let n = n_blocks.saturating_mul(hop);
    let x = if n > shape[axis] { padded(x, axis, 0, n - shape[axis]) } else { x.slice(axis, ..n) };
    if x.is_poisoned() {
        return x;
    }
    let blocks = x.reshape(&[&shape[..axis], &[n_blocks, hop]].concat());
    let parts: Vec<Var> = on_line(|| (0..n_parts).map(|k| blocks.slice(axis, k..k + count)).collect());
    Var::concatenate(&parts, axis + 1).slice(axis + 1, ..m)
}

/// The signal of which these are the frames, added where they overlap: the transpose of [`framed`].
#[track_caller]
fn added(frames: Var, hop: usize) -> Var {
    if frames.is_poisoned() {
        return frames;
    }
    let axis = frames.rank() - 1;
    let shape = frames.shape();
    let (count, m) = (shape[axis - 1], shape[axis]);
    if count == 1 {
        return frames.reshape(&[&shape[..axis - 1], &[m]].concat());
    }
    let n_parts = m.div_ceil(hop);
    let whole = padded(frames, axis, 0, n_parts.saturating_mul(hop) - m);
    if whole.is_poisoned() {
        return whole;
    }
    let part = |k: usize| padded(whole.slice(axis, k * hop..(k + 1) * hop), axis - 1, k, n_parts - 1 - k);
    let blocks = on_line(|| (1..n_parts).fold(part(0), |sum, k| sum + part(k)));
    let n_blocks = count - 1 + n_parts;
    let x = blocks.reshape(&[&shape[..axis - 1], &[n_blocks * hop]].concat());
    x.slice(axis - 1, ..(count - 1) * hop + m)
}
