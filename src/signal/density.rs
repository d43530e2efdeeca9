//! How the power of a signal is spread over frequencies.

use super::filters::length;
use super::frames::framed;
use super::windows::{Sampling, hann};
use crate::fft::{Transform, rfftfreq};
use crate::numpy::{enter, float};
use crate::op::{Var, trace};
use crate::value::Type;

/// What a density is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Power per frequency: the integral over frequencies is the mean square.
    Density,
    /// Power: a sine of amplitude a gives a²/2 in its bin.
    Spectrum,
}

/// Frequencies and the power spectral density of lines along the last axis: `|X[f]|² / (rate n)` of the line without its mean, with `X` its transform, and twice
/// that for the inner bins, which stand for two frequencies. `rate` is the number of samples per unit of time.
///
/// Derivative: that of the squares; frequencies have none.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, signal};
///
/// let (f, p): (Array1<f64>, Array1<f64>) =
///     jit(|x: Var| signal::periodogram(x, 4.0)).call(array![3.0, 2.0, 1.0, 2.0])?;
/// assert_eq!((f, p), (array![0.0, 1.0, 2.0], array![0.0, 0.5, 0.0]));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Values without axes, lines without elements.
#[track_caller]
pub fn periodogram(x: Var, rate: f64) -> (Var, Var) {
    let _function = enter("periodogram", &[x]);
    let x = float(x);
    let Some(n) = length(x) else { return (Var::poisoned(), Var::poisoned()) };
    let window = Var::ones(Type::new(x.dtype(), [n]));
    Welch::new(window, rate).of("periodogram", x)
}

/// Frequencies and the power spectral density by Welch's method: the mean of the periodograms of segments of that length, which overlap by half, each
/// without its mean and weighed with [`hann`]'s window (Welch 1967, "The use of fast Fourier transform for the estimation of power
/// spectra"). [`Welch`] has more options.
///
/// Derivative: that of the squares; frequencies have none.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, signal};
///
/// let x: Array1<f64> = (0..64).map(|k| (k as f64 * std::f64::consts::FRAC_PI_2).cos()).collect();
/// let (f, p): (Array1<f64>, Array1<f64>) = jit(|x: Var| signal::welch(x, 8.0, 16)).call(x)?;
/// let largest = (0..9).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
/// assert_eq!(f[largest], 2.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Signals shorter than a segment, segments without elements.
#[track_caller]
pub fn welch(x: Var, rate: f64, segment: usize) -> (Var, Var) {
    let _function = enter("welch", &[x]);
    if segment == 0 {
        trace::fail_at("takes segments of at least 1 element, but got 0".to_string());
        return (Var::poisoned(), Var::poisoned());
    }
    let x = float(x);
    Welch::new(hann(segment, Sampling::Periodic).convert(x.dtype()), rate).of("welch", x)
}

/// Power spectral densities with options; see [`welch`].
///
/// ```
/// use ndarray::Array1;
/// use retrograd::signal::{Sampling, Scaling, Welch, hamming};
/// use retrograd::{Var, jit};
///
/// let amplitude = |x: Var| {
///     let (_, power) = Welch::new(hamming(16, Sampling::Periodic), 1.0).scaling(Scaling::Spectrum).hop(4).density(x);
///     (2.0 * power.index(4)).sqrt()
/// };
/// let x: Array1<f64> = (0..64).map(|k| 3.0 * (k as f64 * std::f64::consts::FRAC_PI_2).cos()).collect();
/// let a: f64 = jit(amplitude).call(x)?;
/// assert!((a - 3.0).abs() < 1e-14);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Welch {
    window: Var,
    rate: f64,
    hop: Option<usize>,
    keeps_mean: bool,
    scaling: Scaling,
}

impl Welch {
    /// Segments as long as the window, a vector, which overlap by half, rounded down; `rate` is the number of samples per unit of time.
    pub fn new(window: Var, rate: f64) -> Welch {
        Welch { window, rate, hop: None, keeps_mean: false, scaling: Scaling::Density }
    }

    /// Segments begin so many elements apart.
    pub fn hop(self, hop: usize) -> Welch {
        Welch { hop: Some(hop), ..self }
    }

    /// The mean of each segment is not taken away.
    pub fn keep_mean(self) -> Welch {
        Welch { keeps_mean: true, ..self }
    }

    /// In these units.
    pub fn scaling(self, scaling: Scaling) -> Welch {
        Welch { scaling, ..self }
    }

    /// Frequencies, and the density of each line.
    ///
    /// # Errors
    /// Those of [`welch`], what is no vector as a window, a hop of 0.
    #[track_caller]
    pub fn density(&self, x: Var) -> (Var, Var) {
        self.of("welch", float(x))
    }

    #[track_caller]
    fn of(&self, name: &'static str, x: Var) -> (Var, Var) {
        let _function = enter(name, &[x, self.window]);
        self.try_density(x).unwrap_or((Var::poisoned(), Var::poisoned()))
    }

    #[track_caller]
    fn try_density(&self, x: Var) -> Option<(Var, Var)> {
        let n = length(x)?;
        let window = float(self.window);
        if window.is_poisoned() {
            return None;
        }
        let m = window.shape().size();
        let hop = self.hop.unwrap_or(m - m / 2);
        if window.rank() != 1 || m == 0 || n < m || hop == 0 {
            trace::fail_at(format!(
                "takes a vector that is no longer than the signal as a window, and a hop of at least 1, but got {}, {} and {hop}",
                window.ty(),
                x.ty()
            ));
            return None;
        }
        let axis = x.rank();
        let segments = framed(x, m, hop, (n - m) / hop + 1);
        let centered =
            if self.keeps_mean { segments } else { segments - segments.mean_axes(&[axis]).insert_axis(axis) };
        let bins = Transform::new().rfft(centered * window);
        let weight = match self.scaling {
            Scaling::Density => self.rate * window.square().sum(),
            Scaling::Spectrum => window.sum().square(),
        };
        let power = bins.abs_squared().mean_axes(&[axis - 1]) * (inner_twice(x, m) / weight);
        Some((rfftfreq(m, 1.0 / self.rate).convert(x.dtype()), power))
    }
}

/// 2 for bins that stand for two frequencies, else 1: of lines of length `m`.
#[track_caller]
fn inner_twice(like: Var, m: usize) -> Var {
    let k = Var::iota(&[m / 2 + 1], 0, like.dtype());
    let is_inner = k.greater(0.0) & (2.0 * k).less(m as f64);
    is_inner.select(Var::number(2.0, like.dtype()), 1.0)
}
