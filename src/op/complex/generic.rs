//! The traits of `num_traits` that need no order: so code that is generic over `Num` traces with complex numbers.

use std::iter::{Product, Sum};
use std::ops;

use num_complex::Complex as Host;
use num_traits::{Inv, Num, One, Pow, Zero};

use super::super::Var;
use super::Complex;

impl Zero for Complex {
    #[track_caller]
    fn zero() -> Complex {
        Complex { re: Var::zero(), im: Var::zero() }
    }

    /// Whether this is 0, for the host's `if`; a guard demands the answer.
    #[track_caller]
    fn is_zero(&self) -> bool {
        self.re.is_zero() && self.im.is_zero()
    }
}

impl One for Complex {
    #[track_caller]
    fn one() -> Complex {
        Complex { re: Var::one(), im: Var::zero() }
    }

    /// Whether this is 1, for the host's `if`; a guard demands the answer.
    #[track_caller]
    fn is_one(&self) -> bool {
        self.re.is_one() && self.im.is_zero()
    }
}

impl Default for Complex {
    /// The constant 0 of the open trace.
    #[track_caller]
    fn default() -> Complex {
        Complex::zero()
    }
}

/// Compares both parts. Of traced scalars, for the host's `if`, the answer is that for the values being traced, and guards
/// demand it.
impl<T: PartialEq> PartialEq for Complex<T> {
    #[track_caller]
    fn eq(&self, y: &Complex<T>) -> bool {
        self.re == y.re && self.im == y.im
    }
}

/// The remainder that `num_complex` gives: of the quotient whose parts are rounded toward 0.
impl ops::Rem for Complex {
    type Output = Complex;
    #[track_caller]
    fn rem(self, y: Complex) -> Complex {
        self - (self / y).each(Var::trunc) * y
    }
}

impl ops::RemAssign for Complex {
    #[track_caller]
    fn rem_assign(&mut self, y: Complex) {
        *self = *self % y;
    }
}

impl Num for Complex {
    type FromStrRadixErr = <Host<f64> as Num>::FromStrRadixErr;

    #[track_caller]
    fn from_str_radix(text: &str, radix: u32) -> Result<Complex, Self::FromStrRadixErr> {
        Host::<f64>::from_str_radix(text, radix).map(Complex::from)
    }
}

impl Inv for Complex {
    type Output = Complex;
    #[track_caller]
    fn inv(self) -> Complex {
        self.recip()
    }
}

impl Sum for Complex {
    #[track_caller]
    fn sum<I: Iterator<Item = Complex>>(terms: I) -> Complex {
        terms.reduce(|x, y| x + y).unwrap_or_else(Complex::zero)
    }
}

impl Product for Complex {
    #[track_caller]
    fn product<I: Iterator<Item = Complex>>(factors: I) -> Complex {
        factors.reduce(|x, y| x * y).unwrap_or_else(Complex::one)
    }
}

impl Pow<i32> for Complex {
    type Output = Complex;
    #[track_caller]
    fn pow(self, exponent: i32) -> Complex {
        self.powi(exponent)
    }
}
