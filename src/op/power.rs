//! Powers and roots, elementwise.

use serde::{Deserialize, Serialize};

use super::evaluate::{eval_math1, eval_math2};
use super::evaluate::{on_floats, on_numbers};
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats, numbers};
use super::trace::apply;
use super::var::apply_pair;
use super::{Operand, Strong, Var, strong_product};
use crate::ir::{Mismatch, mismatch};
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// `xⁿ` by repeated squaring, elementwise; 1 for the exponent 0, whatever `x`. Integers wrap.
///
/// The order of the products is fixed: from the lowest bit of the exponent to the highest. A power with a negative
/// exponent is the reciprocal of the positive one, so that it is 0 where that overflows.
///
/// # Constraints
/// (C1) For integers the exponent is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegerPow {
    /// The exponent.
    pub exponent: i32,
}

impl IntegerPow {
    /// `x` to the magnitude of the exponent, given how to multiply; `None` for the exponent 0. Interpreter and native
    /// code both use this, and so have one order.
    fn magnitude<T: Copy>(self, x: T, mut multiply: impl FnMut(T, T) -> T) -> Option<T> {
        let mut rest = self.exponent.unsigned_abs();
        let mut square = x;
        let mut product = None;
        while rest > 0 {
            if rest % 2 == 1 {
                product = Some(product.map_or(square, |product| multiply(product, square)));
            }
            rest /= 2;
            if rest > 0 {
                square = multiply(square, square);
            }
        }
        product
    }
}

impl Elementwise for IntegerPow {
    const NAME: &'static str = "integer_pow";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        let dtype = numbers(operands)?;
        if self.exponent < 0 && !dtype.is_float() {
            return Err(mismatch!("the exponent must not be negative for {dtype}, but got {}", self.exponent));
        }
        Ok(dtype)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        /// The power of a float.
        macro_rules! float {
            ($a:ident) => {
                match self.magnitude($a, |x, y| x * y) {
                    None => 1.0,
                    Some(power) if self.exponent > 0 => power,
                    Some(power) => 1.0 / power,
                }
            };
        }
        on_numbers!(x, |a| float!(a), self.magnitude(a, i64::wrapping_mul).unwrap_or(1))
    }

    fn partial(&self, _: usize, x: &[Var], y: Var) -> Partial {
        let n = f64::from(self.exponent);
        match self.exponent {
            0 => Partial::Zero,
            1 => Partial::One,
            2 => Partial::Of(n * x[0]),
            i32::MIN => Partial::Of(n * (y / x[0])),
            exponent => Partial::Of(n * x[0].powi(exponent - 1)),
        }
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        match self.magnitude(x[0], |x, y| i.mul(x, y)) {
            None => i.constant_like(1.0, x[0]),
            Some(power) if self.exponent > 0 => power,
            Some(power) => {
                let one = i.constant_like(1.0, x[0]);
                i.div(one, power)
            }
        }
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x to a fixed integer power",
                derivative: "n · xⁿ⁻¹",
                accuracy: "each product correctly rounded, by repeated squaring; integers wrap",
            },
            floats: &[
                (&[1.5], 3.375),
                (&[-2.0], -8.0),
                (&[-0.0], -0.0),
                (&[-INF], -INF),
                (&[1e-300], 0.0),
                (&[NAN], NAN),
            ],
            integers: &[(&[-3], -27), (&[1 << 22], 0)],
            domain: &[(0.5, 2.5)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<IntegerPow> {
        [3, 0, 1, 2, 4, 7, 10, -1, -2, -5].map(|exponent| IntegerPow { exponent }).into()
    }
}

/// `x` to the power of `y`, elementwise, with the special cases of IEEE 754.
///
/// # Derivative
/// By `x` it is `y · x^(y-1)`, and by `y` it is `x^y · ln x`, of which `0 · inf` is 0. So at `x = 0` the former is 0, 1,
/// 0 or inf for `y` equal to 0, equal to 1, above 1 or between, and the latter is 0 for `y > 0` and else -inf. For
/// negative `x` only the former is a number, and only for integral `y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pow;

impl Elementwise for Pow {
    const NAME: &'static str = "pow";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        eval_math2(math::Binary::Pow, x)
    }

    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        let (base, exponent) = (x[0], x[1]);
        let (factor, unbounded) = if slot == 0 { (exponent, base.powf(exponent - 1.0)) } else { (y, base.ln()) };
        // Not a mask, which would lose the derivative by the factor where that is 0.
        Partial::Of(strong_product(factor, unbounded, Strong::Lhs))
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.math2(math::Binary::Pow, x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x to the power of y",
                derivative: "y · x^(y-1), x^y · ln x; where a factor is 0, 0 even if the other is infinite",
                accuracy: "1 ulp",
            },
            floats: &[
                (&[2.0, 10.0], 1024.0),
                (&[2.0, -1074.0], 5e-324),
                (&[4.0, -0.5], 0.5),
                (&[2.0, 0.5], std::f64::consts::SQRT_2),
                (&[-2.0, 3.0], -8.0),
                (&[-2.0, -2.0], 0.25),
                (&[-8.0, 0.3333333333333333], NAN),
                (&[0.0, 0.0], 1.0),
                (&[NAN, 0.0], 1.0),
                (&[1.0, NAN], 1.0),
                (&[NAN, 1.0], NAN),
                (&[0.0, -1.0], INF),
                (&[-0.0, -1.0], -INF),
                (&[-0.0, 3.0], -0.0),
                (&[-0.0, 0.5], 0.0),
                (&[-1.0, INF], 1.0),
                (&[0.5, INF], 0.0),
                (&[0.5, -INF], INF),
                (&[INF, -1.0], 0.0),
                (&[-INF, 3.0], -INF),
                (&[-INF, 0.5], INF),
            ],
            integers: &[],
            domain: &[(0.5, 2.0), (-2.0, 3.0)],
            ulps: 1,
        }
    }

    fn instances() -> Vec<Pow> {
        vec![Pow]
    }
}

/// Square root, elementwise; NaN below 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sqrt;

impl Elementwise for Sqrt {
    const NAME: &'static str = "sqrt";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_floats!(x, |a| a.sqrt())
    }

    fn partial(&self, _: usize, _: &[Var], y: Var) -> Partial {
        Partial::Of(0.5 / y)
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.sqrt(x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "√x", derivative: "1/(2√x); inf at 0", accuracy: "correctly rounded" },
            floats: &[
                (&[2.25], 1.5),
                (&[2.0], std::f64::consts::SQRT_2),
                (&[-0.0], -0.0),
                (&[INF], INF),
                (&[-1.0], NAN),
                (&[NAN], NAN),
            ],
            integers: &[],
            domain: &[(0.5, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Sqrt> {
        vec![Sqrt]
    }
}

/// Reciprocal of the square root, elementwise; NaN below 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rsqrt;

impl Elementwise for Rsqrt {
    const NAME: &'static str = "rsqrt";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_floats!(x, |a| 1.0 / a.sqrt())
    }

    fn partial(&self, _: usize, x: &[Var], y: Var) -> Partial {
        Partial::Of(-0.5 * y / x[0])
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let one = i.constant_like(1.0, x[0]);
        let root = i.sqrt(x[0]);
        i.div(one, root)
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "1/√x",
                derivative: "-1/(2x√x); -inf at 0",
                accuracy: "root and quotient correctly rounded",
            },
            floats: &[(&[0.25], 2.0), (&[0.0], INF), (&[-0.0], -INF), (&[INF], 0.0), (&[-1.0], NAN), (&[NAN], NAN)],
            integers: &[],
            domain: &[(0.5, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Rsqrt> {
        vec![Rsqrt]
    }
}

/// Cube root, elementwise, of negative numbers, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cbrt;

impl Elementwise for Cbrt {
    const NAME: &'static str = "cbrt";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        eval_math1(math::Unary::Cbrt, x)
    }

    fn partial(&self, _: usize, _: &[Var], y: Var) -> Partial {
        Partial::Of(y.recip().square() / 3.0)
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.math1(math::Unary::Cbrt, x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "∛x", derivative: "1/(3y²); inf at 0", accuracy: "1 ulp" },
            floats: &[
                (&[27.0], 3.0),
                (&[-0.125], -0.5),
                (&[2.0], 1.259921049894873),
                (&[1e-300], 1e-100),
                (&[-0.0], -0.0),
                (&[-INF], -INF),
                (&[NAN], NAN),
            ],
            integers: &[],
            domain: &[(0.5, 3.0)],
            ulps: 1,
        }
    }

    fn instances() -> Vec<Cbrt> {
        vec![Cbrt]
    }
}

/// Square, elementwise. Integers wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Square;

impl Elementwise for Square {
    const NAME: &'static str = "square";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a| a * a, a.wrapping_mul(a))
    }

    fn partial(&self, _: usize, x: &[Var], _: Var) -> Partial {
        Partial::Of(2.0 * x[0])
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.mul(x[0], x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "x²", derivative: "2x", accuracy: "correctly rounded; integers wrap" },
            floats: &[(&[-1.5], 2.25), (&[-0.0], 0.0), (&[1e200], INF), (&[-INF], INF), (&[NAN], NAN)],
            integers: &[(&[-7], 49), (&[1 << 32], 0)],
            domain: &[(-2.0, 2.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Square> {
        vec![Square]
    }
}

/// Reciprocal, elementwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reciprocal;

impl Elementwise for Reciprocal {
    const NAME: &'static str = "reciprocal";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_floats!(x, |a| 1.0 / a)
    }

    fn partial(&self, _: usize, _: &[Var], y: Var) -> Partial {
        Partial::Of(-y.square())
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let one = i.constant_like(1.0, x[0]);
        i.div(one, x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "1/x", derivative: "-1/x²; -inf at 0", accuracy: "correctly rounded" },
            floats: &[(&[-4.0], -0.25), (&[0.0], INF), (&[-0.0], -INF), (&[-INF], -0.0), (&[NAN], NAN)],
            integers: &[],
            domain: &[(0.5, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Reciprocal> {
        vec![Reciprocal]
    }
}

/// Length of the vector `(x, y)`, elementwise, without overflow on the way; inf if either is infinite, even beside NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hypot;

impl Elementwise for Hypot {
    const NAME: &'static str = "hypot";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        eval_math2(math::Binary::Hypot, x)
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        Partial::Of(cosine(x[slot], x[1 - slot]))
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.math2(math::Binary::Hypot, x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "√(x² + y²)",
                derivative: "x/√(x² + y²), y/√(x² + y²); 0 at the origin",
                accuracy: "1 ulp",
            },
            floats: &[
                (&[3.0, -4.0], 5.0),
                (&[1.0, 1.0], std::f64::consts::SQRT_2),
                (&[3e300, 4e300], 5e300),
                (&[3e-320, 4e-320], 5e-320),
                (&[-0.0, -0.0], 0.0),
                (&[-INF, NAN], INF),
                (&[NAN, INF], INF),
                (&[NAN, 0.0], NAN),
            ],
            integers: &[],
            domain: &[(0.5, 2.0), (-3.0, -0.5)],
            ulps: 1,
        }
    }

    fn instances() -> Vec<Hypot> {
        vec![Hypot]
    }
}

/// `x / √(x² + y²)`, the cosine of the direction of the point `(x, y)`, elementwise, without overflow on the way; 0 at the
/// origin. It is the derivative of [`Hypot`] by its first operand.
///
/// Of an infinite coordinate only the direction counts: of `(inf, 1)` it is 1, of `(inf, inf)` √½.
///
/// # Derivative
/// With the length `h` and the sine `s = y/h` of the same direction it is `s²/h` by `x` and `-c s/h` by `y`: quotients in
/// which nothing cancels, where the derivative of `x/h` would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DirectionCosine;

impl Elementwise for DirectionCosine {
    const NAME: &'static str = "direction_cosine";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        eval_math2(math::Binary::DirectionCosine, x)
    }

    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        let sine = cosine(x[1], x[0]);
        let part = sine / nonzero(x[0].hypot(x[1]));
        Partial::Of(if slot == 0 { part * sine } else { -part * y })
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.math2(math::Binary::DirectionCosine, x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x/√(x² + y²), the cosine of the direction of (x, y); 0 at the origin",
                derivative: "y²/(x² + y²)^(3/2), -x y/(x² + y²)^(3/2); 0 at the origin",
                accuracy: "2 ulp",
            },
            floats: &[
                (&[3.0, -4.0], 0.6),
                (&[-4.0, 3.0], -0.8),
                (&[1.0, 1.0], std::f64::consts::FRAC_1_SQRT_2),
                (&[3e300, 4e300], 0.6),
                (&[3e-300, -4e-300], 0.6),
                (&[0.0, 0.0], 0.0),
                (&[0.0, 2.0], 0.0),
                (&[-INF, 1.0], -1.0),
                (&[1.0, INF], 0.0),
                (&[INF, INF], std::f64::consts::FRAC_1_SQRT_2),
                (&[INF, NAN], NAN),
                (&[NAN, 0.0], NAN),
            ],
            integers: &[],
            domain: &[(0.5, 2.0), (-3.0, -0.5)],
            ulps: 2,
        }
    }

    fn instances() -> Vec<DirectionCosine> {
        vec![DirectionCosine]
    }
}

/// The cosine of the direction of `(x, y)`.
pub(super) fn cosine(x: Var, y: Var) -> Var {
    apply(DirectionCosine, &[x, y])
}

/// A length as a divisor of its coordinates, which are 0 where it is.
pub(super) fn nonzero(length: Var) -> Var {
    length.equal(0.0).select(length.full_like(1.0), length)
}

impl Var {
    /// `self` to a fixed integer power, elementwise, by repeated squaring; see [`IntegerPow`].
    ///
    /// Takes numbers of any shape; integers wrap, and only take exponents that are not negative. Another dtype is an
    /// error. The derivative is `n · xⁿ⁻¹`, and 0 for the exponent 0.
    ///
    /// ```
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, f64) = jit(value_and_grad(|x: Var| x.powi(3))).call(2.0)?;
    /// assert_eq!((y, slope), (8.0, 12.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn powi(self, exponent: i32) -> Var {
        apply(IntegerPow { exponent }, &[self])
    }

    /// `self` to the power of `y`, elementwise with broadcasting, with the special cases of IEEE 754: `x⁰` is 1 even
    /// for NaN, and a negative base has powers of integral exponents only; others are NaN. See [`Pow`].
    ///
    /// Takes two operands of one floating-point dtype, or a number as the second. Other dtypes, and shapes that do not
    /// broadcast, are an error. The derivatives are `y · x^(y-1)` and `x^y · ln x`, in which `0 · inf` is 0: at `x = 0`
    /// they are finite where the limit is.
    ///
    /// ```
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let root = jit(value_and_grad(|x: Var, y: Var| x.powf(y)));
    /// let (y, slope): (f64, f64) = root.call(4.0, 1.5)?;
    /// assert_eq!((y, slope), (8.0, 3.0));
    /// assert!(jit(|x: Var| x.powf(0.5)).call::<f64>(-1.0)?.is_nan());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn powf(self, y: impl Operand) -> Var {
        apply_pair(Pow, self, y.var(self))
    }

    /// Square root, elementwise, correctly rounded; NaN below 0. See [`Sqrt`].
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. The derivative is
    /// `1/(2√x)`: inf at 0, and NaN below.
    ///
    /// ```
    /// use retrograd::{Var, grad, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, f64) = jit(value_and_grad(Var::sqrt)).call(4.0)?;
    /// assert_eq!((y, slope), (2.0, 0.25));
    /// assert_eq!(jit(grad(Var::sqrt)).call::<f64>(0.0)?, f64::INFINITY);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sqrt(self) -> Var {
        apply(Sqrt, &[self])
    }

    /// Reciprocal of the square root, elementwise; inf at 0, NaN below. See [`Rsqrt`].
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. The derivative is
    /// `-1/(2x√x)`.
    ///
    /// ```
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, f64) = jit(value_and_grad(Var::rsqrt)).call(4.0)?;
    /// assert_eq!((y, slope), (0.5, -0.0625));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn rsqrt(self) -> Var {
        apply(Rsqrt, &[self])
    }

    /// Cube root, elementwise, of negative numbers, too; within 1 ulp. See [`Cbrt`].
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. The derivative is
    /// `1/(3∛x²)`: inf at 0.
    ///
    /// ```
    /// use retrograd::{Var, grad, jit};
    ///
    /// assert_eq!(jit(Var::cbrt).call::<f64>(-27.0)?, -3.0);
    /// assert_eq!(jit(grad(Var::cbrt)).call::<f64>(0.0)?, f64::INFINITY);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn cbrt(self) -> Var {
        apply(Cbrt, &[self])
    }

    /// Square, elementwise; see [`Square`]. Takes numbers of any shape; integers wrap, and `bool` is an error. The
    /// derivative is `2x`.
    ///
    /// ```
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, f64) = jit(value_and_grad(Var::square)).call(-1.5)?;
    /// assert_eq!((y, slope), (2.25, -3.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn square(self) -> Var {
        apply(Square, &[self])
    }

    /// Reciprocal, elementwise, correctly rounded; `±inf` at `±0`. See [`Reciprocal`].
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. The derivative is `-1/x²`:
    /// -inf at 0.
    ///
    /// ```
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, f64) = jit(value_and_grad(Var::recip)).call(-4.0)?;
    /// assert_eq!((y, slope), (-0.25, -0.0625));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn recip(self) -> Var {
        apply(Reciprocal, &[self])
    }

    /// Length of the vector `(self, y)`, elementwise with broadcasting, without overflow on the way; within 1 ulp. It
    /// is inf if either is infinite, even beside NaN. See [`Hypot`].
    ///
    /// Takes two operands of one floating-point dtype, or a number as the second. Other dtypes, and shapes that do not
    /// broadcast, are an error. The derivatives are `x/√(x² + y²)` and `y/√(x² + y²)`, and 0 at the origin.
    ///
    /// ```
    /// use retrograd::{Var, grad, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, f64) = jit(value_and_grad(|x: Var| x.hypot(-4.0))).call(3.0)?;
    /// assert_eq!((y, slope), (5.0, 0.6));
    /// assert_eq!(jit(grad(|x: Var| x.hypot(0.0))).call::<f64>(0.0)?, 0.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn hypot(self, y: impl Operand) -> Var {
        apply_pair(Hypot, self, y.var(self))
    }
}
