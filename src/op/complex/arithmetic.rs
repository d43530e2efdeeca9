//! The operators.

use std::ops;

use num_complex::Complex as Host;

use super::super::{Var, trace};
use super::magnitude::Magnitude;
use super::rule::{complex, holomorphic, parts, times, with_rule};
use super::{Complex, broadcast_pair};

/// What stands beside a `Complex` in an operation: a `Complex`, a [`Var`], an `f64` or a [`num_complex::Complex<f64>`]. A
/// number takes the dtype of the other operand.
pub trait ComplexOperand: Copy {
    /// The real part, and the imaginary part unless the operand is real; of the dtype of `like` if it is a number.
    #[track_caller]
    fn parts(self, like: Var) -> (Var, Option<Var>);

    /// A part of this operand, unless it is a number.
    fn traced(self) -> Option<Var> {
        None
    }
}

impl ComplexOperand for Complex {
    fn parts(self, _: Var) -> (Var, Option<Var>) {
        (self.re, Some(self.im))
    }

    fn traced(self) -> Option<Var> {
        Some(self.re)
    }
}

impl ComplexOperand for Var {
    fn parts(self, _: Var) -> (Var, Option<Var>) {
        (self, None)
    }

    fn traced(self) -> Option<Var> {
        Some(self)
    }
}

impl ComplexOperand for f64 {
    #[track_caller]
    fn parts(self, like: Var) -> (Var, Option<Var>) {
        (Var::number(self, like.dtype()), None)
    }
}

impl ComplexOperand for Host<f64> {
    #[track_caller]
    fn parts(self, like: Var) -> (Var, Option<Var>) {
        (Var::number(self.re, like.dtype()), Some(Var::number(self.im, like.dtype())))
    }
}

impl Complex {
    /// The operand as a complex number, of the dtype of `like` if it is a number.
    #[track_caller]
    pub(crate) fn of(x: impl ComplexOperand, like: Var) -> Complex {
        match x.parts(like) {
            (re, Some(im)) => Complex { re, im },
            (re, None) => re.into(),
        }
    }

    /// The conjugate `re - i·im`.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.conj() * z.mul_i()).call(c64(3.0, 4.0))?;
    /// assert_eq!(y, c64(0.0, 25.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn conj(self) -> Complex {
        Complex { re: self.re, im: -self.im }
    }

    /// `i · z`, which is exact.
    #[track_caller]
    pub fn mul_i(self) -> Complex {
        Complex { re: -self.im, im: self.re }
    }

    /// `|z|² = re² + im²`, which overflows where `|z|` is above the root of the largest number.
    ///
    /// ```
    /// use num_complex::c64;
    /// use retrograd::{Complex, jit};
    ///
    /// assert_eq!(jit(|z: Complex| z.abs_squared()).call::<f64>(c64(3.0, 4.0))?, 25.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn abs_squared(self) -> Var {
        self.re * self.re + self.im * self.im
    }

    /// `z²`.
    ///
    /// Its real part is `(re - im) · (re + im)`, which does not cancel where `re² - im²` does.
    #[track_caller]
    pub fn square(self) -> Complex {
        Complex { re: (self.re - self.im) * (self.re + self.im), im: 2.0 * (self.re * self.im) }
    }

    /// `1 / z`, which neither overflows nor underflows where the result does not. That of 0 is infinite.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let recip = jit(|z: Complex| z.recip());
    /// assert_eq!(recip.call::<Complex64>(c64(0.0, 2.0))?, c64(0.0, -0.5));
    /// assert_eq!(recip.call::<Complex64>(c64(-4e300, 0.0))?, c64(-2.5e-301, 0.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn recip(self) -> Complex {
        recip(self)
    }
}

#[track_caller]
fn add<X: ComplexOperand, Y: ComplexOperand>(x: X, y: Y, like: Var) -> Complex {
    let ((a, b), (c, d)) = (x.parts(like), y.parts(like));
    let im = match (b, d) {
        (Some(b), Some(d)) => b + d,
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => a.full_like(0.0),
    };
    Complex::shaped(a + c, im)
}

#[track_caller]
fn sub<X: ComplexOperand, Y: ComplexOperand>(x: X, y: Y, like: Var) -> Complex {
    let ((a, b), (c, d)) = (x.parts(like), y.parts(like));
    let im = match (b, d) {
        (Some(b), Some(d)) => b - d,
        (Some(b), None) => b,
        (None, Some(d)) => -d,
        (None, None) => a.full_like(0.0),
    };
    Complex::shaped(a - c, im)
}

#[track_caller]
fn mul<X: ComplexOperand, Y: ComplexOperand>(x: X, y: Y, like: Var) -> Complex {
    let ((a, b), (c, d)) = (x.parts(like), y.parts(like));
    match (b, d) {
        (Some(b), Some(d)) => Complex { re: a * c - b * d, im: a * d + b * c },
        (Some(b), None) => Complex { re: a * c, im: b * c },
        (None, Some(d)) => Complex { re: a * c, im: a * d },
        (None, None) => Complex::from(a * c),
    }
}

#[track_caller]
fn div<X: ComplexOperand, Y: ComplexOperand>(x: X, y: Y, like: Var) -> Complex {
    let (c, d) = y.parts(like);
    match (x.parts(like), d) {
        ((a, b), None) => Complex { re: a / c, im: b.unwrap_or_else(|| a.full_like(0.0)) / c },
        // A number is no operand: the quotient is a function of the divisor alone.
        ((a, b), Some(d)) if x.traced().is_none() => holomorphic(
            Complex { re: c, im: d },
            |w| complex(quotient(a, b.unwrap_or_else(|| a.full_like(0.0)), w.re, w.im)),
            |w, y| -(y * recip(w)),
        ),
        ((a, b), Some(d)) => {
            let _method = trace::method("div", &[a, c]);
            let [re, im] = with_rule(
                [a, b.unwrap_or_else(|| a.full_like(0.0)), c, d],
                |[a, b, c, d]| quotient(a, b, c, d),
                |[_, _, c, d], y, [ta, tb, tc, td]| {
                    let recip = recip(Complex { re: c, im: d });
                    let by_denominator = recip * complex(y);
                    parts(times(recip, Complex { re: ta, im: tb }) - times(by_denominator, Complex { re: tc, im: td }))
                },
            );
            Complex { re, im }
        }
    }
}

/// `1 / w`, with the derivative `-1 / w²`.
#[track_caller]
fn recip(w: Complex) -> Complex {
    holomorphic(w, |w| complex(quotient(w.re.full_like(1.0), w.re.full_like(0.0), w.re, w.im)), |_, y| -y.square())
}

/// The quotient `(a + bi)·w̄ / |w|²` by `w = c + di`, which is scaled so that its larger part has absolute value 1.
///
/// C's rules for the quotient by 0 and by an infinite number take the places of 0/0 and ∞/∞.
#[track_caller]
fn quotient(a: Var, b: Var, c: Var, d: Var) -> [Var; 2] {
    let (abs_c, abs_d) = (c.abs(), d.abs());
    if abs_c.is_poisoned() || abs_d.is_poisoned() {
        return [Var::poisoned(); 2];
    }
    // An infinite part counts even beside NaN.
    let is_infinite = abs_c.equal(f64::INFINITY) | abs_d.equal(f64::INFINITY);
    let largest = is_infinite.select(f64::INFINITY, abs_c.max(abs_d));
    // Numbers near the ends of the range are moved inside first: the reciprocal of a subnormal one is infinite, its products
    // lose digits, and the sum of two of the largest overflows.
    let (own, other) = (Magnitude::of(largest), Magnitude::of(a.abs().max(b.abs())));
    let up = own.factor(1.0);
    let (down, back) = (other.factor(1.0), other.factor(-1.0));
    let (a_lifted, b_lifted) = (a * down, b * down);
    let scale = (largest * up).recip();
    let unit = |part: Var| {
        let boxed = part.abs().equal(f64::INFINITY).select(part.full_like(1.0), 0.0).copysign(part);
        is_infinite.select(boxed, (part * up) * scale)
    };
    let (e, f) = (unit(c), unit(d));
    let norm = e * e + f * f;
    let (is_zero, over_zero) = (largest.equal(0.0), c.recip());
    let result =
        |numerator: Var, part: Var| is_zero.select(part * over_zero, ((numerator / norm) * scale) * (up * back));
    [result(a_lifted * e + b_lifted * f, a), result(b_lifted * e - a_lifted * f, b)]
}

impl Complex {
    /// Both parts in the shape of the larger, where one of them did not take part in an operation.
    #[track_caller]
    fn shaped(re: Var, im: Var) -> Complex {
        if re.is_poisoned() || im.is_poisoned() {
            return Complex { re, im };
        }
        let (re, im) = broadcast_pair(re, im);
        Complex { re, im }
    }
}

/// One operator between a complex number and what may stand beside it.
macro_rules! operator {
    ($trait:ident $method:ident $assign_trait:ident $assign:ident; $($other:ty),*) => {
        impl ops::$trait for Complex {
            type Output = Complex;
            #[track_caller]
            fn $method(self, y: Complex) -> Complex {
                $method(self, y, self.re)
            }
        }
        $(
            impl ops::$trait<$other> for Complex {
                type Output = Complex;
                #[track_caller]
                fn $method(self, y: $other) -> Complex {
                    $method(self, y, self.re)
                }
            }
            impl ops::$trait<Complex> for $other {
                type Output = Complex;
                #[track_caller]
                fn $method(self, y: Complex) -> Complex {
                    $method(self, y, y.re)
                }
            }
        )*
        impl<T: ComplexOperand> ops::$assign_trait<T> for Complex {
            #[track_caller]
            fn $assign(&mut self, y: T) {
                *self = $method(*self, y, self.re);
            }
        }
    };
}
operator!(Add add AddAssign add_assign; Var, f64, Host<f64>);
operator!(Sub sub SubAssign sub_assign; Var, f64, Host<f64>);
operator!(Mul mul MulAssign mul_assign; Var, f64, Host<f64>);
operator!(Div div DivAssign div_assign; Var, f64, Host<f64>);

impl ops::Neg for Complex {
    type Output = Complex;
    #[track_caller]
    fn neg(self) -> Complex {
        self.each(ops::Neg::neg)
    }
}
