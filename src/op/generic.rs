//! The traits of `num_traits`, so that numerical code that is generic over `Float` traces unchanged.
//!
//! Such code makes numbers out of nothing (`T::zero()`, `T::from(0.5)`, `T::PI()`), and cannot say of which dtype. They
//! are scalar constants of the dtype of the trace's **first floating-point input**, `f64` if there is none: code on
//! `f32` computes in `f32` throughout, epsilon and pi included. A trace that mixes dtypes must convert as it would
//! without generic code; what is mixed is an error at its line.
//!
//! What answers with a `bool` (`is_nan`, `is_zero`, `is_sign_negative`, …) or with a class of numbers is a comparison:
//! it is answered for the values being traced, and guarded. What would take the number itself out of the trace
//! (`to_f64`, `to_i64`, `integer_decode`, `U::from(x)`) cannot be answered, and ends the trace with an error.
//!
//! Method calls on a `Var` as such find its own methods first, whichever traits are in scope: `x.is_nan()` is a traced
//! `bool` there, and a `bool` of the host in code that is generic over `Float`.

use std::iter::{Product, Sum};
use std::num::FpCategory;
use std::ops;

use num_traits::{
    Bounded, Float, FloatConst, FromPrimitive, Inv, MulAdd, MulAddAssign, Num, NumCast, One, ParseFloatError, Pow,
    Signed, ToPrimitive, Zero,
};

use super::{Var, trace};
use crate::value::{Array, DType, Scalar};

/// The dtype of numbers that code makes out of nothing. Only inputs tell: a constant may have been made in passing.
fn default_float() -> DType {
    trace::inspect(|graph| {
        graph.inputs().iter().map(|input| graph.ty(input.node.into()).dtype).find(|dtype| dtype.is_float())
    })
    .unwrap_or(DType::F64)
}

/// A constant of the default dtype, given in both: twice rounded is not always rounded once.
#[track_caller]
fn constant(x: f64, narrow: f32) -> Var {
    constant_of(default_float(), x, narrow)
}

/// A constant of that floating-point dtype.
#[track_caller]
fn constant_of(dtype: DType, x: f64, narrow: f32) -> Var {
    let scalar = if dtype == DType::F32 { Scalar::F32(narrow) } else { Scalar::F64(x) };
    Var::constant(Array::from_scalar(scalar))
}

/// Ends the trace: the host asks for a number that only a run has.
///
/// It unwinds rather than answer `None`, whose `unwrap` would panic before the error is seen.
#[track_caller]
pub(super) fn no_number(asked: &str) -> ! {
    trace::fail_at(format!("{asked} needs the number itself, but a traced value has none until the program runs"));
    trace::decide(Var::poisoned());
    unreachable!("bug: a poisoned condition was answered")
}

impl Zero for Var {
    #[track_caller]
    fn zero() -> Var {
        constant(0.0, 0.0)
    }

    /// Whether this is 0, for the host's `if`; a guard demands the answer.
    #[track_caller]
    fn is_zero(&self) -> bool {
        trace::decide(self.equal(0.0))
    }
}

impl One for Var {
    #[track_caller]
    fn one() -> Var {
        constant(1.0, 1.0)
    }

    /// Whether this is 1, for the host's `if`; a guard demands the answer.
    #[track_caller]
    fn is_one(&self) -> bool {
        trace::decide(self.equal(1.0))
    }
}

impl Default for Var {
    /// The constant 0 of the open trace.
    #[track_caller]
    fn default() -> Var {
        Var::zero()
    }
}

impl Num for Var {
    type FromStrRadixErr = ParseFloatError;

    #[track_caller]
    fn from_str_radix(text: &str, radix: u32) -> Result<Var, ParseFloatError> {
        Ok(constant(f64::from_str_radix(text, radix)?, f32::from_str_radix(text, radix)?))
    }
}

impl Bounded for Var {
    #[track_caller]
    fn min_value() -> Var {
        constant(f64::MIN, f32::MIN)
    }

    #[track_caller]
    fn max_value() -> Var {
        constant(f64::MAX, f32::MAX)
    }
}

impl NumCast for Var {
    /// A constant of the open trace. A `Var` is none: casting one ends the trace with an error.
    #[track_caller]
    fn from<T: ToPrimitive>(x: T) -> Option<Var> {
        Some(constant(x.to_f64()?, x.to_f32()?))
    }
}

/// Conversions from and to the primitive numbers.
macro_rules! primitives {
    ($($number:ident $from:ident $to:ident),* $(,)?) => {
        /// Each makes a constant of the open trace.
        impl FromPrimitive for Var {
            $(
                #[track_caller]
                fn $from(x: $number) -> Option<Var> {
                    <Var as NumCast>::from(x)
                }
            )*
        }

        /// Each ends the trace with an error.
        impl ToPrimitive for Var {
            $(
                #[track_caller]
                fn $to(&self) -> Option<$number> {
                    no_number(stringify!($to))
                }
            )*
        }
    };
}
primitives!(
    isize from_isize to_isize,
    i8 from_i8 to_i8,
    i16 from_i16 to_i16,
    i32 from_i32 to_i32,
    i64 from_i64 to_i64,
    i128 from_i128 to_i128,
    usize from_usize to_usize,
    u8 from_u8 to_u8,
    u16 from_u16 to_u16,
    u32 from_u32 to_u32,
    u64 from_u64 to_u64,
    u128 from_u128 to_u128,
    f32 from_f32 to_f32,
    f64 from_f64 to_f64,
);

/// Constants that have the same name in `std::f64::consts` and `std::f32::consts`.
macro_rules! float_constants {
    ($($name:ident)*) => {
        impl FloatConst for Var {
            $(
                #[track_caller]
                fn $name() -> Var {
                    constant(std::f64::consts::$name, std::f32::consts::$name)
                }
            )*
        }
    };
}
float_constants!(
    E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6 FRAC_PI_8 LN_10 LN_2
    LOG10_E LOG2_E PI SQRT_2 TAU LOG10_2 LOG2_10
);

/// Methods that `Var` has itself, under the same name.
macro_rules! own {
    ($($method:ident($($x:ident: $X:ty),*) -> $Y:ty),* $(,)?) => {$(
        #[track_caller]
        fn $method(self $(, $x: $X)*) -> $Y {
            Var::$method(self $(, $x)*)
        }
    )*};
}

/// Associated constants that `f64` and `f32` have.
macro_rules! limits {
    ($($function:ident $name:ident),* $(,)?) => {$(
        #[track_caller]
        fn $function() -> Var {
            constant(f64::$name, f32::$name)
        }
    )*};
}

/// Functions that are generic over `Float` trace unchanged, and give what they give on plain numbers: the same bits
/// where they are arithmetic and square roots.
///
/// The numbers that they make out of nothing (`T::zero()`, `T::from(0.5)`, `T::PI()`) have the dtype of the first
/// floating-point input of the trace. What answers with a `bool` is guarded as an `if` is, and what would take the number
/// out of the trace (`to_f64`, `integer_decode`) ends the trace with an error. Where both a trait's method and one of
/// `Var`'s own could be meant, as `x.is_nan()` on a `Var`, it is `Var`'s own.
///
/// ```
/// use num_traits::Float;
/// use retrograd::{Var, grad, jit};
///
/// fn distance<T: Float>(x: T, y: T) -> T {
///     if x.is_zero() { y.abs() } else { (x * x + y * y).sqrt() }
/// }
///
/// let slope: f64 = jit(grad(distance::<Var>)).call(3.0, 4.0)?;
/// assert_eq!(distance(3.0, 4.0), 5.0);
/// assert!((slope - 0.6).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
impl Float for Var {
    limits!(
        nan NAN,
        infinity INFINITY,
        neg_infinity NEG_INFINITY,
        min_value MIN,
        min_positive_value MIN_POSITIVE,
        epsilon EPSILON,
        max_value MAX,
    );

    own!(
        floor() -> Var,
        ceil() -> Var,
        round() -> Var,
        trunc() -> Var,
        abs() -> Var,
        signum() -> Var,
        copysign(y: Var) -> Var,
        mul_add(y: Var, z: Var) -> Var,
        recip() -> Var,
        powi(n: i32) -> Var,
        powf(y: Var) -> Var,
        sqrt() -> Var,
        cbrt() -> Var,
        hypot(y: Var) -> Var,
        exp() -> Var,
        exp2() -> Var,
        exp_m1() -> Var,
        ln() -> Var,
        ln_1p() -> Var,
        log2() -> Var,
        log10() -> Var,
        sin() -> Var,
        cos() -> Var,
        sin_cos() -> (Var, Var),
        tan() -> Var,
        asin() -> Var,
        acos() -> Var,
        atan() -> Var,
        atan2(x: Var) -> Var,
        sinh() -> Var,
        cosh() -> Var,
        tanh() -> Var,
        asinh() -> Var,
        acosh() -> Var,
        atanh() -> Var,
    );

    #[track_caller]
    fn neg_zero() -> Var {
        constant(-0.0, -0.0)
    }

    /// Whether this is NaN, for the host's `if`, unlike [`Var::is_nan`]; a guard demands the answer.
    #[track_caller]
    fn is_nan(self) -> bool {
        trace::decide(Var::is_nan(self))
    }

    #[track_caller]
    fn is_infinite(self) -> bool {
        trace::decide(self.abs().equal(f64::INFINITY))
    }

    /// Whether this is neither infinite nor NaN, for the host's `if`, unlike [`Var::is_finite`]; a guard demands the
    /// answer.
    #[track_caller]
    fn is_finite(self) -> bool {
        trace::decide(Var::is_finite(self))
    }

    #[track_caller]
    fn is_normal(self) -> bool {
        trace::decide(Var::is_finite(self) & self.abs().greater_equal(least_normal(self)))
    }

    #[track_caller]
    fn is_subnormal(self) -> bool {
        let magnitude = self.abs();
        trace::decide(magnitude.greater(0.0) & magnitude.less(least_normal(self)))
    }

    #[track_caller]
    fn classify(self) -> FpCategory {
        if Float::is_normal(self) {
            FpCategory::Normal
        } else if self.is_zero() {
            FpCategory::Zero
        } else if Float::is_nan(self) {
            FpCategory::Nan
        } else if Float::is_infinite(self) {
            FpCategory::Infinite
        } else {
            FpCategory::Subnormal
        }
    }

    /// Whether the sign bit is clear. That of a NaN counts as clear, as in [`Copysign`](super::Copysign).
    #[track_caller]
    fn is_sign_positive(self) -> bool {
        trace::decide(self.full_like(1.0).copysign(self).greater(0.0))
    }

    /// Whether the sign bit is set. That of a NaN counts as clear, as in [`Copysign`](super::Copysign).
    #[track_caller]
    fn is_sign_negative(self) -> bool {
        trace::decide(self.full_like(1.0).copysign(self).less(0.0))
    }

    #[track_caller]
    fn fract(self) -> Var {
        self - self.trunc()
    }

    #[track_caller]
    fn log(self, base: Var) -> Var {
        self.ln() / base.ln()
    }

    #[track_caller]
    fn to_degrees(self) -> Var {
        self * constant_of(self.dtype(), 180.0 / std::f64::consts::PI, f32::to_degrees(1.0))
    }

    #[track_caller]
    fn to_radians(self) -> Var {
        self * constant_of(self.dtype(), std::f64::consts::PI / 180.0, f32::to_radians(1.0))
    }

    /// The larger, and the other one where one is NaN, as `f64::max`: code may rely on it, as a fold that begins with
    /// NaN does. [`Var::max`] is one operation, and gives NaN.
    #[track_caller]
    fn max(self, y: Var) -> Var {
        unless_nan(self, y, Var::max(self, y))
    }

    /// The smaller, and the other one where one is NaN, as `f64::min`: code may rely on it, as a fold that begins with
    /// NaN does. [`Var::min`] is one operation, and gives NaN.
    #[track_caller]
    fn min(self, y: Var) -> Var {
        unless_nan(self, y, Var::min(self, y))
    }

    /// As [`Var::clamp`]: an empty range is no error, a bound that is NaN gives NaN, and -0 is below +0.
    #[track_caller]
    fn clamp(self, lo: Var, hi: Var) -> Var {
        Var::clamp(self, lo, hi)
    }

    #[track_caller]
    fn abs_sub(self, y: Var) -> Var {
        let difference = self - y;
        self.less_equal(y).select(difference.full_like(0.0), difference)
    }

    /// Ends the trace with an error.
    #[track_caller]
    fn integer_decode(self) -> (u64, i16, i8) {
        no_number("integer_decode")
    }
}

/// The least positive number of the dtype of `x` that has full precision.
#[track_caller]
fn least_normal(x: Var) -> Var {
    constant_of(x.dtype(), f64::MIN_POSITIVE, f32::MIN_POSITIVE)
}

/// An extremum of two numbers, or one of them where the other is NaN.
#[track_caller]
fn unless_nan(x: Var, y: Var, extremum: Var) -> Var {
    Var::is_nan(x).select(y, Var::is_nan(y).select(x, extremum))
}

impl Signed for Var {
    #[track_caller]
    fn abs(&self) -> Var {
        Var::abs(*self)
    }

    #[track_caller]
    fn abs_sub(&self, y: &Var) -> Var {
        Float::abs_sub(*self, *y)
    }

    #[track_caller]
    fn signum(&self) -> Var {
        Var::signum(*self)
    }

    #[track_caller]
    fn is_positive(&self) -> bool {
        Float::is_sign_positive(*self)
    }

    #[track_caller]
    fn is_negative(&self) -> bool {
        Float::is_sign_negative(*self)
    }
}

impl Inv for Var {
    type Output = Var;

    #[track_caller]
    fn inv(self) -> Var {
        self.recip()
    }
}

impl MulAdd for Var {
    type Output = Var;

    #[track_caller]
    fn mul_add(self, y: Var, z: Var) -> Var {
        Var::mul_add(self, y, z)
    }
}

impl MulAddAssign for Var {
    #[track_caller]
    fn mul_add_assign(&mut self, y: Var, z: Var) {
        *self = Var::mul_add(*self, y, z);
    }
}

/// Powers, by the method of `Var` that takes such an exponent.
macro_rules! power {
    ($($exponent:ty, $method:ident);*) => {$(
        impl Pow<$exponent> for Var {
            type Output = Var;

            #[track_caller]
            fn pow(self, exponent: $exponent) -> Var {
                self.$method(exponent)
            }
        }
    )*};
}
power!(Var, powf; f64, powf; i32, powi);

/// What `f64` does with references, and generic code therefore asks for.
macro_rules! assign_reference {
    ($($trait:ident $method:ident $operator:tt),* $(,)?) => {$(
        impl ops::$trait<&Var> for Var {
            #[track_caller]
            fn $method(&mut self, y: &Var) {
                *self = *self $operator *y;
            }
        }
    )*};
}
assign_reference!(
    AddAssign add_assign +,
    SubAssign sub_assign -,
    MulAssign mul_assign *,
    DivAssign div_assign /,
    RemAssign rem_assign %,
);

impl<'a> Sum<&'a Var> for Var {
    /// The sum, from the first element on; 0 if there is none.
    #[track_caller]
    fn sum<I: Iterator<Item = &'a Var>>(iterator: I) -> Var {
        iterator.copied().reduce(|x, y| x + y).unwrap_or_else(Var::zero)
    }
}

impl<'a> Product<&'a Var> for Var {
    /// The product, from the first element on; 1 if there is none.
    #[track_caller]
    fn product<I: Iterator<Item = &'a Var>>(iterator: I) -> Var {
        iterator.copied().reduce(|x, y| x * y).unwrap_or_else(Var::one)
    }
}
