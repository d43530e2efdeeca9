//! The traits of `simba`, on which `nalgebra` is built, so that `Matrix3<Var>`, `UnitQuaternion<Var>` and
//! `Isometry3<Var>` trace unchanged. Behind the feature `nalgebra`.
//!
//! The conventions are those of the traits of `num_traits`: numbers made out of nothing have the dtype of the trace's
//! first floating-point input, what answers with a `bool` is guarded, and what would take a number out of the trace
//! ends it with an error. A `Var` in a matrix is a scalar.

use std::fmt;

use approx::{AbsDiffEq, RelativeEq, UlpsEq};
use num_traits::{Float, FloatConst, Zero};
use simba::scalar::{ComplexField, Field, RealField, SubsetOf};
use simba::simd::{PrimitiveSimdValue, SimdValue};

use super::generic::no_number;
use super::{Var, trace};

/// Shows what [`Debug`](fmt::Debug) shows: a traced value has no number until the program runs.
impl fmt::Display for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A value of one lane.
impl SimdValue for Var {
    const LANES: usize = 1;
    type Element = Var;
    type SimdBool = bool;

    fn splat(x: Var) -> Var {
        x
    }

    fn extract(&self, _: usize) -> Var {
        *self
    }

    unsafe fn extract_unchecked(&self, _: usize) -> Var {
        *self
    }

    fn replace(&mut self, _: usize, x: Var) {
        *self = x;
    }

    unsafe fn replace_unchecked(&mut self, _: usize, x: Var) {
        *self = x;
    }

    fn select(self, condition: bool, y: Var) -> Var {
        if condition { self } else { y }
    }
}

impl PrimitiveSimdValue for Var {}

impl Field for Var {}

impl SubsetOf<Var> for Var {
    fn to_superset(&self) -> Var {
        *self
    }

    fn from_superset_unchecked(x: &Var) -> Var {
        *x
    }

    fn is_in_subset(_: &Var) -> bool {
        true
    }
}

/// Numbers become constants of the open trace; the way back ends the trace with an error.
macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl SubsetOf<Var> for $number {
            #[track_caller]
            fn to_superset(&self) -> Var {
                <Var as num_traits::NumCast>::from(*self).expect("bug: a primitive number that is no float")
            }

            #[track_caller]
            fn from_superset_unchecked(_: &Var) -> $number {
                no_number(concat!("a conversion to ", stringify!($number)))
            }

            fn is_in_subset(_: &Var) -> bool {
                true
            }
        }
    )*};
}
numbers!(f64, f32, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

/// Comparisons within a tolerance, for the host's `if`; a guard demands the answer.
impl AbsDiffEq for Var {
    type Epsilon = Var;

    #[track_caller]
    fn default_epsilon() -> Var {
        Float::epsilon()
    }

    #[track_caller]
    fn abs_diff_eq(&self, y: &Var, epsilon: Var) -> bool {
        trace::decide((*self - *y).abs().less_equal(epsilon))
    }
}

impl RelativeEq for Var {
    #[track_caller]
    fn default_max_relative() -> Var {
        Float::epsilon()
    }

    /// As that of `f64`: equal infinities are near each other, and others are not.
    #[track_caller]
    fn relative_eq(&self, y: &Var, epsilon: Var, max_relative: Var) -> bool {
        let (x, y) = (*self, *y);
        let difference = (x - y).abs();
        let largest = Float::max(x.abs(), y.abs());
        let near = difference.less_equal(epsilon) | difference.less_equal(largest * max_relative);
        trace::decide(x.equal(y) | (Var::is_finite(x) & Var::is_finite(y) & near))
    }
}

impl UlpsEq for Var {
    fn default_max_ulps() -> u32 {
        4
    }

    /// Ends the trace with an error: the distance in units of the last place is one of bits.
    #[track_caller]
    fn ulps_eq(&self, _: &Var, _: Var, _: u32) -> bool {
        no_number("ulps_eq")
    }
}

/// Methods that the trait of `num_traits` has under the same name.
macro_rules! as_float {
    ($($method:ident($($x:ident),*)),* $(,)?) => {$(
        #[track_caller]
        fn $method(self $(, $x: Var)*) -> Var {
            Float::$method(self $(, $x)*)
        }
    )*};
}

/// A real number, of which the imaginary part is 0.
impl ComplexField for Var {
    type RealField = Var;

    as_float!(
        floor(),
        ceil(),
        round(),
        trunc(),
        fract(),
        abs(),
        signum(),
        recip(),
        mul_add(a, b),
        hypot(y),
        sin(),
        cos(),
        tan(),
        asin(),
        acos(),
        atan(),
        sinh(),
        cosh(),
        tanh(),
        asinh(),
        acosh(),
        atanh(),
        log(base),
        log2(),
        log10(),
        ln(),
        ln_1p(),
        sqrt(),
        exp(),
        exp2(),
        exp_m1(),
        powf(n),
        cbrt(),
    );

    fn from_real(x: Var) -> Var {
        x
    }

    fn real(self) -> Var {
        self
    }

    #[track_caller]
    fn imaginary(self) -> Var {
        self.full_like(0.0)
    }

    #[track_caller]
    fn modulus(self) -> Var {
        self.abs()
    }

    #[track_caller]
    fn modulus_squared(self) -> Var {
        self * self
    }

    /// 0, or π for a negative number: a comparison, for the host's `if`.
    #[track_caller]
    fn argument(self) -> Var {
        if self >= Var::zero() { Var::zero() } else { Var::PI() }
    }

    #[track_caller]
    fn norm1(self) -> Var {
        self.abs()
    }

    #[track_caller]
    fn scale(self, factor: Var) -> Var {
        self * factor
    }

    #[track_caller]
    fn unscale(self, factor: Var) -> Var {
        self / factor
    }

    #[track_caller]
    fn to_exp(self) -> (Var, Var) {
        if self >= Var::zero() { (self, self.full_like(1.0)) } else { (-self, self.full_like(-1.0)) }
    }

    fn conjugate(self) -> Var {
        self
    }

    #[track_caller]
    fn sin_cos(self) -> (Var, Var) {
        Var::sin_cos(self)
    }

    #[track_caller]
    fn powi(self, n: i32) -> Var {
        Var::powi(self, n)
    }

    #[track_caller]
    fn powc(self, n: Var) -> Var {
        self.powf(n)
    }

    #[track_caller]
    fn is_finite(&self) -> bool {
        Float::is_finite(*self)
    }

    #[track_caller]
    fn try_sqrt(self) -> Option<Var> {
        (self >= Var::zero()).then(|| Var::sqrt(self))
    }
}

/// Constants that have another name in `num_traits`.
macro_rules! constants {
    ($($function:ident $name:ident),* $(,)?) => {$(
        #[track_caller]
        fn $function() -> Var {
            Var::$name()
        }
    )*};
}

/// Code that is generic over `RealField`, that of `nalgebra` first, traces unchanged.
///
/// A matrix of `nalgebra` is no [tree](crate::VarTree): it is made of `Var`s within the function, and taken apart
/// there.
///
/// ```
/// use retrograd::{Var, grad, jit};
/// use simba::scalar::RealField; // nalgebra::RealField
///
/// fn length<T: RealField>([x, y]: [T; 2]) -> T {
///     (x.clone() * x + y.clone() * y).sqrt()
/// }
///
/// let slope: [f64; 2] = jit(grad(length::<Var>)).call([3.0, 4.0])?;
/// assert!((slope[0] - 0.6).abs() < 1e-15 && (slope[1] - 0.8).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// The example `robot_arm` turns vectors by unit quaternions.
impl RealField for Var {
    as_float!(copysign(sign), max(y), min(y), atan2(x));

    constants!(
        pi PI,
        two_pi TAU,
        frac_pi_2 FRAC_PI_2,
        frac_pi_3 FRAC_PI_3,
        frac_pi_4 FRAC_PI_4,
        frac_pi_6 FRAC_PI_6,
        frac_pi_8 FRAC_PI_8,
        frac_1_pi FRAC_1_PI,
        frac_2_pi FRAC_2_PI,
        frac_2_sqrt_pi FRAC_2_SQRT_PI,
        e E,
        log2_e LOG2_E,
        log10_e LOG10_E,
        ln_2 LN_2,
        ln_10 LN_10,
    );

    #[track_caller]
    fn is_sign_positive(&self) -> bool {
        Float::is_sign_positive(*self)
    }

    #[track_caller]
    fn is_sign_negative(&self) -> bool {
        Float::is_sign_negative(*self)
    }

    #[track_caller]
    fn clamp(self, lo: Var, hi: Var) -> Var {
        Var::clamp(self, lo, hi)
    }

    #[track_caller]
    fn min_value() -> Option<Var> {
        Some(Float::min_value())
    }

    #[track_caller]
    fn max_value() -> Option<Var> {
        Some(Float::max_value())
    }
}
