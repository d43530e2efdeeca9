//! Hyperbolic and trigonometric functions.
//!
//! The trigonometric ones are the hyperbolic ones of a number whose parts are exchanged: `sin(x + iy)` has the parts of
//! `sinh(y + ix)`, exchanged. So do their special values follow in Annex G of the C standard.

use super::super::Var;
use super::Complex;
use super::functions::large;
use super::rule::{complex, holomorphic, times, with_rule};
use crate::value::DType;

impl Complex {
    /// `sinh z` and `cosh z`, which share most of their work.
    ///
    /// # Special values
    /// As C's `csinh` and `ccosh`.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let one = |z: Complex| {
    ///     let (sinh, cosh) = z.sinh_cosh();
    ///     cosh.square() - sinh.square()
    /// };
    /// let y: Complex64 = jit(one).call(c64(0.5, 2.0))?;
    /// assert!((y - 1.0).norm() < 1e-15);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sinh_cosh(self) -> (Complex, Complex) {
        let [a, b, c, d] = with_rule(
            [self.re, self.im],
            |z| sinh_cosh(complex(z)),
            |_, [a, b, c, d], t| {
                let (sinh, cosh, t) = (complex([a, b]), complex([c, d]), complex(t));
                let (by_sinh, by_cosh) = (times(cosh, t), times(sinh, t));
                [by_sinh.re, by_sinh.im, by_cosh.re, by_cosh.im]
            },
        );
        (complex([a, b]), complex([c, d]))
    }

    /// `sinh z`; as C's `csinh`.
    #[track_caller]
    pub fn sinh(self) -> Complex {
        self.sinh_cosh().0
    }

    /// `cosh z`; as C's `ccosh`.
    #[track_caller]
    pub fn cosh(self) -> Complex {
        self.sinh_cosh().1
    }

    /// `tanh z`; as C's `ctanh`: ±1 far from the imaginary axis. Infinite at its poles, where a part of the argument is not a
    /// number of the machine.
    ///
    /// # Derivative
    /// `1 / cosh² z`.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.tanh()).call(c64(800.0, 1.0))?;
    /// assert_eq!(y, c64(1.0, 0.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn tanh(self) -> Complex {
        holomorphic(self, tanh, |z, _| z.cosh().recip().square())
    }

    /// `sin z` and `cos z`, which share most of their work.
    #[track_caller]
    pub fn sin_cos(self) -> (Complex, Complex) {
        let (sinh, cosh) = self.exchanged().sinh_cosh();
        (sinh.exchanged(), cosh.conj())
    }

    /// `sin z`; as C's `csin`.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.sin()).call(c64(0.0, 1.0))?;
    /// assert_eq!(y, c64(0.0, 1f64.sinh()));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sin(self) -> Complex {
        self.sin_cos().0
    }

    /// `cos z`; as C's `ccos`.
    #[track_caller]
    pub fn cos(self) -> Complex {
        self.sin_cos().1
    }

    /// `tan z`; as C's `ctan`.
    #[track_caller]
    pub fn tan(self) -> Complex {
        self.exchanged().tanh().exchanged()
    }

    /// The parts exchanged: `i · z̄`.
    pub(super) fn exchanged(self) -> Complex {
        Complex { re: self.im, im: self.re }
    }
}

/// The parts of `sinh z` and of `cosh z`: `sinh x · cos y + i cosh x · sin y`, and `cosh x · cos y + i sinh x · sin y`.
#[track_caller]
fn sinh_cosh(z: Complex) -> [Var; 4] {
    let Complex { re: x, im: y } = z;
    // Beyond that, sinh and cosh are half of an exponential, which is split so that it does not overflow too early.
    let large = large(x.dtype());
    let excess = x.abs() - large;
    let is_large = excess.greater(0.0);
    let rest = is_large.select(excess.exp(), 1.0);
    let bounded = is_large.select(x.full_like(large).copysign(x), x);
    let (sinh, cosh) = (bounded.sinh(), bounded.cosh());
    let (sin, cos) = y.sin_cos();
    // What is 0 for a real or an imaginary argument is so beside a factor that is infinite or NaN, too.
    let (is_real, is_imaginary) = (y.equal(0.0), x.equal(0.0));
    let product = |factor: Var, wave: Var| (factor * wave) * rest;
    let a = (is_imaginary & !y.is_finite()).select(x, product(sinh, cos));
    let b = is_real.select(y, product(cosh, sin));
    let c = product(cosh, cos);
    let zero = x.full_like(0.0).copysign(x) * y.full_like(1.0).copysign(y);
    let d = (is_real | (is_imaginary & !y.is_finite())).select(zero, product(sinh, sin));
    // C: the absolute value is infinite for an infinite real part, even if the angle is infinite or NaN.
    let wild = x.abs().equal(f64::INFINITY) & !y.is_finite();
    [wild.select(x, a), b, wild.select(x.abs(), c), d]
}

/// `(sinh x · cosh x + i sin y · cos y) / (sinh² x + cos² y)`, of which every term is accurate near the poles and zeros; far
/// from the imaginary axis the imaginary part is `4 sin y · cos y · e^(-2|x|)`.
#[track_caller]
fn tanh(z: Complex) -> Complex {
    let Complex { re: x, im: y } = z;
    let far = if x.dtype() == DType::F32 { 10.0 } else { 22.0 };
    let bounded = x.clamp(-far, far);
    let (sinh, cosh) = (bounded.sinh(), bounded.cosh());
    let (sin, cos) = y.sin_cos();
    let norm = sinh * sinh + cos * cos;
    let is_far = x.abs().greater(far);
    let wave = sin * cos;
    let tail = 4.0 * wave * (-2.0 * x.abs()).exp();
    let im = is_far.select(tail, wave / norm);
    let re = is_far.select(x.full_like(1.0).copysign(x), (sinh * cosh) / norm);
    let is_infinite = x.abs().equal(f64::INFINITY);
    // No limit: the wave has none, however far away.
    let re = (is_infinite | y.is_finite()).select(re, f64::NAN);
    let im = (is_infinite & !y.is_finite()).select(y.full_like(0.0).copysign(y), im);
    // A real argument has a real value, NaN included, and an imaginary one an imaginary value.
    Complex { re: x.equal(0.0).select(x, re), im: y.equal(0.0).select(y, im) }
}
