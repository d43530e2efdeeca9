//! Inverse hyperbolic and trigonometric functions, by the formulas of Kahan 1987, "Branch cuts for complex elementary
//! functions, or: much ado about nothing's sign bit".

use std::f64::consts::{FRAC_PI_2, LN_2};

use super::super::Var;
use super::Complex;
use super::functions::ln_abs;
use super::rule::holomorphic;
use crate::value::DType;

impl Complex {
    /// `asin z`; as C's `casin`: the cuts are the real axis beyond ±1.
    ///
    /// # Derivative
    /// `1 / (√(1 - z) · √(1 + z))`; infinite at ±1.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.asin().sin()).call(c64(2.0, 0.5))?;
    /// assert!((y - c64(2.0, 0.5)).norm() < 1e-15);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn asin(self) -> Complex {
        holomorphic(self, asin, |z, _| slope_of_asin(z))
    }

    /// `acos z`; as C's `cacos`: the cuts are the real axis beyond ±1.
    ///
    /// # Derivative
    /// `-1 / (√(1 - z) · √(1 + z))`; infinite at ±1.
    #[track_caller]
    pub fn acos(self) -> Complex {
        holomorphic(self, acos, |z, _| -slope_of_asin(z))
    }

    /// `atan z`; as C's `catan`: the cuts are the imaginary axis beyond ±i.
    ///
    /// # Derivative
    /// `1 / (1 + z²)`; infinite at ±i.
    #[track_caller]
    pub fn atan(self) -> Complex {
        self.exchanged().atanh().exchanged()
    }

    /// `asinh z`; as C's `casinh`: the cuts are the imaginary axis beyond ±i.
    ///
    /// # Derivative
    /// `1 / √(1 + z²)`; infinite at ±i.
    #[track_caller]
    pub fn asinh(self) -> Complex {
        self.exchanged().asin().exchanged()
    }

    /// `acosh z`, with a real part that is not negative; as C's `cacosh`: the cut is the real axis below 1.
    ///
    /// # Derivative
    /// `1 / (√(z - 1) · √(z + 1))`; infinite at ±1.
    #[track_caller]
    pub fn acosh(self) -> Complex {
        holomorphic(self, acosh, |z, _| {
            // By z² - 1 as by 1 - z², but for the branch of the roots.
            holomorphic(z, |z| (z - 1.0).sqrt().recip() * (z + 1.0).sqrt().recip(), |z, y| -(z * y * y.square()))
        })
    }

    /// `atanh z`; as C's `catanh`: the cuts are the real axis beyond ±1. Infinite at ±1.
    ///
    /// # Derivative
    /// `1 / ((1 - z) · (1 + z))`; infinite at ±1.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.atanh().tanh()).call(c64(0.25, -0.5))?;
    /// assert!((y - c64(0.25, -0.5)).norm() < 1e-15);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn atanh(self) -> Complex {
        holomorphic(self, atanh, |z, _| {
            holomorphic(z, |z| (1.0 - z).recip() * (1.0 + z).recip(), |z, y| 2.0 * (z * y.square()))
        })
    }
}

/// `1 / √(1 - z²)`, whose derivative is `z / √(1 - z²)³`: that of the two roots would cancel near 0.
#[track_caller]
fn slope_of_asin(z: Complex) -> Complex {
    let by_roots = |z: Complex| {
        let (minus, plus) = roots(z);
        minus.recip() * plus.recip()
    };
    holomorphic(z, by_roots, |z, y| z * y * y.square())
}

/// `√(1 - z)` and `√(1 + z)`.
#[track_caller]
fn roots(z: Complex) -> (Complex, Complex) {
    ((1.0 - z).sqrt(), (1.0 + z).sqrt())
}

/// Where both parts are so large that 1 does not count beside them, or one is infinite: `ln 2z` has no overflow there.
#[track_caller]
fn is_huge(z: Complex) -> Var {
    let bound = 2f64.powi(if z.re.dtype() == DType::F32 { 60 } else { 500 });
    z.re.abs().greater(bound) | z.im.abs().greater(bound)
}

#[track_caller]
fn asin(z: Complex) -> Complex {
    let (minus, plus) = roots(z);
    let product = minus * plus;
    let re = z.re.atan2(product.re);
    let im = (minus.conj() * plus).im.asinh();
    // asin z = arg z + i ln 2|z| of the number with the parts |re| and |im|, exchanged, and their signs.
    let (far, is_huge) = (ln_abs(z) + LN_2, is_huge(z));
    // On the imaginary axis the value is imaginary, even for NaN.
    let re = z.re.equal(0.0).select(z.re, is_huge.select(z.re.atan2(z.im.abs()), re));
    Complex { re, im: is_huge.select(far.copysign(z.im), im) }
}

#[track_caller]
fn acos(z: Complex) -> Complex {
    let (minus, plus) = roots(z);
    let re = minus.re.atan2(plus.re) * 2.0;
    let im = (plus.conj() * minus).im.asinh();
    let (far, is_huge) = (ln_abs(z) + LN_2, is_huge(z));
    let right_angle = z.re.full_like(FRAC_PI_2);
    let re = z.re.equal(0.0).select(right_angle, is_huge.select(z.im.abs().atan2(z.re), re));
    Complex { re, im: is_huge.select(-far.copysign(z.im), im) }
}

#[track_caller]
fn acosh(z: Complex) -> Complex {
    let (minus, plus) = ((z - 1.0).sqrt(), (z + 1.0).sqrt());
    let re = (minus.conj() * plus).re.asinh();
    let im = minus.im.atan2(plus.re) * 2.0;
    let (far, is_huge) = (ln_abs(z) + LN_2, is_huge(z));
    let right_angle = z.re.full_like(FRAC_PI_2).copysign(z.im);
    Complex { re: is_huge.select(far, re), im: z.re.equal(0.0).select(right_angle, is_huge.select(z.arg(), im)) }
}

/// The real part is `ln(1 + 4|x| / ((1 - |x|)² + y²)) / 4`, and the imaginary one half of the angle of `(1 - x)(1 + x) - y² + 2yi`.
#[track_caller]
fn atanh(z: Complex) -> Complex {
    let (x, y) = (z.re.abs(), z.im);
    let distance = (1.0 - x).hypot(y);
    let quotient = (4.0 * (x / distance)) / distance;
    // So near to the pole that the quotient overflows, |x| is 1.
    let is_near = distance.less(2f64.powi(if x.dtype() == DType::F32 { -50 } else { -500 }));
    let re = is_near.select((LN_2 - distance.ln()) * 0.5, quotient.ln_1p() * 0.25);
    let is_infinite = z.is_infinite();
    let re = (is_infinite | x.equal(0.0)).select(x.full_like(0.0), is_huge(z).select((x / distance) / distance, re));
    let im = ((2.0 * y).atan2((1.0 - x) * (1.0 + x) - y * y)) * 0.5;
    let is_known = !y.is_nan() & (!x.is_nan() | y.abs().equal(f64::INFINITY));
    let im = (is_huge(z) & is_known).select(y.full_like(FRAC_PI_2).copysign(y), im);
    Complex { re: re.copysign(z.re), im }
}
