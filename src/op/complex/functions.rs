//! Absolute values and angles, the exponential function, logarithms and roots.

use super::super::Var;
use super::Complex;
use super::magnitude::Magnitude;
use super::rule::holomorphic;
use crate::value::DType;

impl Complex {
    /// `cos t + i sin t`, a point of the unit circle, for a real angle in radians. An infinite angle gives NaN.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, Var, jit};
    ///
    /// let y: Complex64 = jit(|t: Var| Complex::cis(t) * Complex::cis(-t)).call(0.3)?;
    /// assert!((y - 1.0).norm() < 1e-16);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn cis(t: Var) -> Complex {
        let (im, re) = t.sin_cos();
        Complex { re, im }
    }

    /// `r · (cos t + i sin t)`.
    #[track_caller]
    pub fn from_polar(r: Var, t: Var) -> Complex {
        Complex::cis(t) * r
    }

    /// The absolute value and the angle; see [`Complex::abs`] and [`Complex::arg`].
    #[track_caller]
    pub fn to_polar(self) -> (Var, Var) {
        (self.abs(), self.arg())
    }

    /// The absolute value `√(re² + im²)`, without overflow of the squares; see [`Var::hypot`]. Infinite where a part is, even
    /// beside NaN.
    ///
    /// # Derivative
    /// The direction `z / |z|`, and 0 at 0.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, grad, jit};
    ///
    /// let slope = jit(grad(|z: Complex| z.abs()));
    /// assert_eq!(slope.call::<Complex64>(c64(0.0, -4e200))?, c64(0.0, -1.0));
    /// assert_eq!(slope.call::<Complex64>(c64(0.0, 0.0))?, c64(0.0, 0.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn abs(self) -> Var {
        self.re.hypot(self.im)
    }

    /// The angle in `[-π, π]`, by [`Var::atan2`]; the cut is the negative real axis, where the sign of the imaginary zero
    /// decides.
    #[track_caller]
    pub fn arg(self) -> Var {
        self.im.atan2(self.re)
    }

    /// The direction `z / |z|`; 0 at 0, where the derivative is 0, too, and NaN for infinite numbers.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let sign = jit(|z: Complex| z.sign());
    /// assert_eq!(sign.call::<Complex64>(c64(0.0, -2.0))?, c64(0.0, -1.0));
    /// assert_eq!(sign.call::<Complex64>(c64(0.0, 0.0))?, c64(0.0, 0.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sign(self) -> Complex {
        let abs = self.abs();
        let is_zero = abs.equal(0.0);
        Complex::select(is_zero, 0.0, self / is_zero.select(abs.full_like(1.0), abs))
    }

    /// `eᶻ`. It overflows only where a part of the result does.
    ///
    /// # Special values
    /// As C's `cexp`: `e^(x + 0i)` is real; `e^(-∞ + iy)` is 0 for any y.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.exp()).call(c64(0.0, std::f64::consts::PI))?;
    /// assert!((y + 1.0).norm() < 2e-16);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn exp(self) -> Complex {
        holomorphic(self, exp, |_, y| y)
    }

    /// `ln|z| + i·arg z`, the principal branch: the cut is the negative real axis. The real part is accurate near the unit
    /// circle, and does not overflow.
    ///
    /// # Special values
    /// As C's `clog`: `ln 0` is `-∞`, with the angle of the signed zeros.
    ///
    /// # Derivative
    /// `1 / z`; infinite at 0.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.ln()).call(c64(-1.0, -0.0))?;
    /// assert_eq!(y, c64(0.0, -std::f64::consts::PI));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn ln(self) -> Complex {
        holomorphic(self, |z| Complex { re: ln_abs(z), im: z.arg() }, |z, _| z.recip())
    }

    /// The logarithm to the base 10.
    #[track_caller]
    pub fn log10(self) -> Complex {
        self.ln() * std::f64::consts::LOG10_E
    }

    /// The logarithm to the base 2.
    #[track_caller]
    pub fn log2(self) -> Complex {
        self.ln() * std::f64::consts::LOG2_E
    }

    /// The logarithm to a real base.
    #[track_caller]
    pub fn log(self, base: f64) -> Complex {
        self.ln() / base.ln()
    }

    /// `√z` with a real part that is not negative; the cut is the negative real axis, where the sign of the imaginary zero
    /// decides. (Kahan 1987, "Branch cuts for complex elementary functions".)
    ///
    /// # Special values
    /// As C's `csqrt`: infinite where a part is, even beside NaN.
    ///
    /// # Derivative
    /// `1 / (2√z)`; infinite at 0.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let root = jit(|z: Complex| z.sqrt());
    /// assert_eq!(root.call::<Complex64>(c64(-4.0, 0.0))?, c64(0.0, 2.0));
    /// assert_eq!(root.call::<Complex64>(c64(-4.0, -0.0))?, c64(0.0, -2.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sqrt(self) -> Complex {
        holomorphic(self, sqrt, |_, y| y.recip() * 0.5)
    }

    /// `∛z`, the principal branch `|z|^(1/3) · cis(arg z / 3)`: the root of a negative number is not real.
    #[track_caller]
    pub fn cbrt(self) -> Complex {
        holomorphic(self, |z| Complex::from_polar(z.abs().cbrt(), z.arg() / 3.0), |z, y| y / z * (1.0 / 3.0))
    }
}

/// Beyond it `e^x` may overflow where `e^x · cos y` does not.
pub(super) fn large(dtype: DType) -> f64 {
    if dtype == DType::F32 { 80.0 } else { 700.0 }
}

/// Without a derivative of its own.
#[track_caller]
pub(super) fn exp(z: Complex) -> Complex {
    let Complex { re: x, im: y } = z;
    let (scale, rest) = scaled_exp(x);
    // At -∞ an angle that is infinite or NaN does not count.
    let angle = (x.equal(f64::NEG_INFINITY) & !y.is_finite()).select(y.full_like(0.0), y);
    let (sin, cos) = angle.sin_cos();
    let is_infinite = x.equal(f64::INFINITY);
    let re = (scale * cos) * rest;
    // C: the absolute value is infinite, even if the angle is infinite or NaN.
    let re = (is_infinite & !y.is_finite()).select(x, re);
    // No sine of 0 meets an infinite factor.
    Complex { re, im: y.equal(0.0).select(y, (scale * sin) * rest) }
}

/// `eˣ` as two factors, of which neither overflows before their product with a cosine does; the second one is 1 but for
/// large x, so that moderate results are rounded once.
#[track_caller]
fn scaled_exp(x: Var) -> (Var, Var) {
    let large = large(x.dtype());
    let is_large = x.greater(large);
    let scale = is_large.select(x - large, x).exp();
    (scale, is_large.select(scale.full_like(large.exp()), 1.0))
}

/// `ln|z|`: by `ln(1 + (|z|² - 1))/2` near the unit circle, where the larger part is subtracted from 1 exactly.
#[track_caller]
pub(super) fn ln_abs(z: Complex) -> Var {
    let (a, b) = (z.re.abs(), z.im.abs());
    let (large, small) = (a.max(b), a.min(b));
    let near = ((large - 1.0) * (large + 1.0) + small * small).ln_1p() * 0.5;
    let magnitude = Magnitude::of(large);
    let factor = magnitude.factor(1.0);
    let far = (z.re * factor).hypot(z.im * factor).ln() - magnitude.ln_factor();
    (large.greater(0.5) & large.less(2.0)).select(near, far)
}

/// Without a derivative of its own. With `t = √((|x| + |z|)/2)` the parts are `t` and `y/(2t)` for x ≥ 0, exchanged but for signs for
/// x < 0.
#[track_caller]
fn sqrt(z: Complex) -> Complex {
    let Complex { re: x, im: y } = z;
    let (a, b) = (x.abs(), y.abs());
    let magnitude = Magnitude::of(a.max(b));
    let (factor, back) = (magnitude.factor(1.0), magnitude.factor(-0.5));
    let (a, b) = (a * factor, b * factor);
    let t = ((a + a.hypot(b)) * 0.5).sqrt();
    let other = t.equal(0.0).select(t, (b * 0.5) / t);
    let (t, other) = (t * back, other * back);
    let is_right = x.greater_equal(0.0);
    let (re, im) = (is_right.select(t, other), is_right.select(other, t));
    let is_infinite = y.abs().equal(f64::INFINITY);
    Complex { re: is_infinite.select(y.abs(), re), im: is_infinite.select(y.abs(), im).copysign(y) }
}
