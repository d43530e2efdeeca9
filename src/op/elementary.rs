//! Elementary functions, elementwise: those of `math`, which interpreter and native code share.

use std::f64::consts::*;

use serde::{Deserialize, Serialize};

use super::evaluate::{eval_math1, eval_math2};
use super::instructions::Instructions;
use super::power::{cosine, nonzero};
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::{self, apply};
use super::var::apply_pair;
use super::{Operand, Var};
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// `x` inside of the domain of a function; outside, NaN in the value and in all derivatives: where the function is NaN, so
/// are its derivatives.
pub(super) fn where_it_holds(x: Var, inside: Var) -> Var {
    if trace::range(x).is_positive() { x } else { inside.select(x, x * NAN) }
}

/// A function of one variable from `math`, where it has the same name, with its derivative in terms of `x` and `y`. Names in
/// other libraries follow the method's.
///
/// Rows at 2⁻⁷⁰ = 8.470329472543003e-22 are so near 0 that `f(x) = x` for any function with `f(0) = 0` and `f'(0) = 1`.
macro_rules! elementary {
    (
        $op:ident, $name:literal, $method:ident, $(alias $alias:literal,)* $summary:literal,
        $derivative:literal, |$x:pat_param, $y:pat_param| $partial:expr,
        $domain:expr, $ulps:literal $($beside:literal)?,
        &[$((&[$at:expr], $value:expr)),+ $(,)?]
    ) => {
        #[doc = concat!("`", $summary, "`, elementwise.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 1;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                floats(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                eval_math1(math::Unary::$op, x)
            }

            fn partial(&self, _: usize, x: &[Var], y: Var) -> Partial {
                let ($x, $y) = (x[0], y);
                Partial::Of($partial)
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                i.math1(math::Unary::$op, x[0])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: $summary, derivative: $derivative, accuracy: concat!($ulps, " ulp" $(, $beside)?) },
                    floats: &[$((&[$at], $value)),+],
                    integers: &[],
                    domain: &[$domain],
                    ulps: $ulps,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }

        impl Var {
            #[doc = concat!("`", $summary, "`, elementwise; see [`", stringify!($op), "`].")]
            ///
            /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error.
            #[doc = concat!("The derivative is `", $derivative, "`; the accuracy is ", $ulps, " ulp" $(, $beside)?, ".")]
            ///
            #[doc = super::example::example_of_floats!(concat!("x.", stringify!($method), "()"), $ulps, $(($at, $value)),+)]
            $(#[doc(alias = $alias)])*
            #[track_caller]
            pub fn $method(self) -> Var {
                apply($op, &[self])
            }
        }
    };
}
pub(super) use elementary;

elementary! {
    Exp, "exp", exp, "eˣ",
    "eˣ", |_, y| y,
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[1.0], E), (&[LN_2], 2.0), (&[0.5], 1.6487212707001282),
      (&[-700.0], 9.85967654375977e-305), (&[-745.0], 5e-324), (&[-746.0], 0.0), (&[709.0], 8.218407461554972e307),
      (&[710.0], INF), (&[INF], INF), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    Exp2, "exp2", exp2, "2ˣ",
    "ln 2 · 2ˣ", |_, y| LN_2 * y,
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[10.0], 1024.0), (&[-3.0], 0.125), (&[0.5], SQRT_2), (&[-1074.0], 5e-324), (&[-1076.0], 0.0),
      (&[1024.0], INF), (&[INF], INF), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    Expm1, "expm1", exp_m1, alias "expm1", "eˣ - 1, without cancellation near 0",
    "eˣ", |x, _| x.exp(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[1.0], 1.7182818284590453), (&[-1.0], -0.6321205588285577),
      (&[0.5], 0.6487212707001282), (&[-50.0], -1.0), (&[710.0], INF), (&[INF], INF), (&[-INF], -1.0), (&[NAN], NAN)]
}
elementary! {
    Log, "log", ln, "ln x",
    "1/x", |x, _| where_it_holds(x, x.greater_equal(0.0)).recip(),
    (0.5, 3.0), 1,
    &[(&[1.0], 0.0), (&[2.0], LN_2), (&[10.0], LN_10), (&[E], 1.0), (&[5e-324], -744.4400719213812), (&[0.0], -INF),
      (&[-0.0], -INF), (&[-1.0], NAN), (&[INF], INF), (&[-INF], NAN), (&[NAN], NAN)]
}
elementary! {
    Log2, "log2", log2, "log₂ x",
    "1/(x ln 2)", |x, _| LOG2_E / where_it_holds(x, x.greater_equal(0.0)),
    (0.5, 3.0), 1,
    &[(&[1.0], 0.0), (&[8.0], 3.0), (&[0.125], -3.0), (&[10.0], LOG2_10), (&[5e-324], -1074.0), (&[0.0], -INF),
      (&[-1.0], NAN), (&[INF], INF), (&[NAN], NAN)]
}
elementary! {
    Log10, "log10", log10, "log₁₀ x",
    "1/(x ln 10)", |x, _| LOG10_E / where_it_holds(x, x.greater_equal(0.0)),
    (0.5, 3.0), 1,
    &[(&[1.0], 0.0), (&[1000.0], 3.0), (&[1e-300], -300.0), (&[2.0], LOG10_2), (&[0.0], -INF), (&[-1.0], NAN),
      (&[INF], INF), (&[NAN], NAN)]
}
elementary! {
    Log1p, "log1p", ln_1p, alias "log1p", "ln(1 + x), without cancellation near 0",
    "1/(1 + x)", |x, _| where_it_holds(1.0 + x, x.greater_equal(-1.0)).recip(),
    (-0.5, 2.0), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[1.0], LN_2), (&[9.0], LN_10), (&[0.5], 0.4054651081081644),
      (&[-0.5], -LN_2), (&[-1.0], -INF), (&[-2.0], NAN), (&[INF], INF), (&[NAN], NAN)]
}
elementary! {
    Sin, "sin", sin, "sin x",
    "cos x", |x, _| x.cos(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[1.0], 0.8414709848078965), (&[FRAC_PI_6], 0.5),
      (&[FRAC_PI_2], 1.0), (&[PI], 1.2246467991473532e-16), (&[1e22], -0.8522008497671888), (&[INF], NAN),
      (&[-INF], NAN), (&[NAN], NAN)]
}
elementary! {
    Cos, "cos", cos, "cos x",
    "-sin x", |x, _| -x.sin(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[1.0], 0.5403023058681398), (&[FRAC_PI_3], 0.4999999999999999),
      (&[FRAC_PI_2], 6.123233995736766e-17), (&[PI], -1.0), (&[1e22], 0.523214785395139), (&[INF], NAN),
      (&[-INF], NAN), (&[NAN], NAN)]
}
elementary! {
    Tan, "tan", tan, "tan x",
    "1 + tan² x", |_, y| 1.0 + y.square(),
    (-1.2, 1.2), 2,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[0.5], 0.5463024898437905), (&[1.0], 1.5574077246549023),
      (&[FRAC_PI_4], 0.9999999999999999), (&[FRAC_PI_2], 1.633123935319537e16), (&[1e22], -1.6287782256068988), (&[INF], NAN),
      (&[NAN], NAN)]
}
elementary! {
    Asin, "asin", asin, "asin x, in [-π/2, π/2]",
    "1/√(1 - x²)", |x, _| one_less_square(x).rsqrt(),
    (-0.8, 0.8), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[0.5], FRAC_PI_6), (&[1.0], FRAC_PI_2),
      (&[-1.0], -FRAC_PI_2), (&[1.0000000000000002], NAN), (&[-2.0], NAN),
      (&[NAN], NAN)]
}
elementary! {
    Acos, "acos", acos, "acos x, in [0, π]",
    "-1/√(1 - x²)", |x, _| -one_less_square(x).rsqrt(),
    (-0.8, 0.8), 1,
    &[(&[1.0], 0.0), (&[-1.0], PI), (&[0.0], FRAC_PI_2), (&[0.5], FRAC_PI_3), (&[-0.5], 2.0943951023931957),
      (&[1.0000000000000002], NAN), (&[-2.0], NAN), (&[NAN], NAN)]
}
elementary! {
    Atan, "atan", atan, "atan x, in [-π/2, π/2]",
    "1/(1 + x²)", |x, _| x.hypot(1.0).recip().square(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[0.5], 0.4636476090008061), (&[1.0], FRAC_PI_4),
      (&[-1.0], -FRAC_PI_4), (&[1e300], FRAC_PI_2), (&[INF], FRAC_PI_2), (&[-INF], -FRAC_PI_2), (&[NAN], NAN)]
}
elementary! {
    Sinh, "sinh", sinh, "sinh x",
    "cosh x", |x, _| x.cosh(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[1.0], 1.1752011936438014), (&[-1.0], -1.1752011936438014),
      (&[710.0], 1.1169973830808555e308), (&[711.0], INF), (&[INF], INF), (&[-INF], -INF), (&[NAN], NAN)]
}
elementary! {
    Cosh, "cosh", cosh, "cosh x",
    "sinh x", |x, _| x.sinh(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[1.0], 1.5430806348152437), (&[-1.0], 1.5430806348152437),
      (&[710.0], 1.1169973830808555e308), (&[-711.0], INF), (&[INF], INF), (&[-INF], INF), (&[NAN], NAN)]
}
elementary! {
    Tanh, "tanh", tanh, "tanh x",
    "1/cosh² x", |x, _| x.tanh_derivative(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[0.5], 0.46211715726000974), (&[1.0], 0.7615941559557649),
      (&[-1.0], -0.7615941559557649), (&[20.0], 1.0), (&[INF], 1.0), (&[-INF], -1.0), (&[NAN], NAN)]
}
elementary! {
    Sech, "sech", sech, "1/cosh x, without overflow",
    "-y tanh x", |x, y| -y * x.tanh(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[1.0], 0.6480542736638855), (&[-1.0], 0.6480542736638855),
      (&[710.0], 8.95257245135026e-309), (&[744.0], 1.5e-323), (&[750.0], 0.0), (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    Asinh, "asinh", asinh, "asinh x",
    "1/√(1 + x²)", |x, _| x.hypot(1.0).recip(),
    (-2.0, 2.0), 2,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[1.0], 0.881373587019543), (&[-1.0], -0.881373587019543),
      (&[1e300], 691.4686750787737), (&[-1099511627776.0], -28.419034402957756), (&[INF], INF), (&[-INF], -INF),
      (&[NAN], NAN)]
}
elementary! {
    Acosh, "acosh", acosh, "acosh x, not negative",
    "1/√(x² - 1)", |x, _| (x - 1.0).rsqrt() * (x + 1.0).rsqrt(),
    (1.5, 4.0), 1,
    &[(&[1.0], 0.0), (&[2.0], 1.3169578969248168), (&[1.0000000000009095], 1.3486991523485068e-6),
      (&[1e300], 691.4686750787737), (&[0.9999999999999999], NAN), (&[-2.0], NAN), (&[INF], INF), (&[-INF], NAN),
      (&[NAN], NAN)]
}
elementary! {
    Atanh, "atanh", atanh, "atanh x",
    "1/(1 - x²)", |x, _| where_it_holds(one_less_square(x), x.abs().less_equal(1.0)).recip(),
    (-0.8, 0.8), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[8.470329472543003e-22], 8.470329472543003e-22), (&[0.5], 0.5493061443340549), (&[-0.5], -0.5493061443340549),
      (&[1.0], INF), (&[-1.0], -INF), (&[1.0000000000000002], NAN), (&[NAN], NAN)]
}
elementary! {
    Logistic, "logistic", sigmoid, alias "expit", "1/(1 + e⁻ˣ)",
    "1/(4 cosh²(x/2))", |x, _| x.logistic_derivative(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.5), (&[-0.0], 0.5), (&[2.0], 0.8807970779778824), (&[-2.0], 0.11920292202211756),
      (&[-700.0], 9.85967654375977e-305), (&[-746.0], 0.0), (&[50.0], 1.0), (&[INF], 1.0), (&[-INF], 0.0),
      (&[NAN], NAN)]
}
elementary! {
    TanhDerivative, "tanh_derivative", tanh_derivative, "1/cosh² x, the derivative of tanh, without overflow",
    "-2 y tanh x", |x, y| -2.0 * y * x.tanh(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[1.0], 0.4199743416140261), (&[-1.0], 0.4199743416140261),
      (&[20.0], 1.6993417021166355e-17), (&[355.0], 1.790514490270052e-308), (&[374.0], 0.0), (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    LogisticDerivative, "logistic_derivative", logistic_derivative, "1/(4 cosh²(x/2)), the derivative of logistic",
    "-y tanh(x/2)", |x, y| -y * (0.5 * x).tanh(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.25), (&[-0.0], 0.25), (&[2.0], 0.10499358540350652), (&[-2.0], 0.10499358540350652),
      (&[-700.0], 9.85967654375977e-305), (&[700.0], 9.85967654375977e-305), (&[-746.0], 0.0), (&[INF], 0.0), (&[-INF], 0.0),
      (&[NAN], NAN)]
}

/// Angle of the point `(x, y)`, elementwise, in [-π, π]. The operands are `y`, `x`, in this order.
///
/// # Derivative
/// `x/(x² + y²)` by `y` and `-y/(x² + y²)` by `x`; at the origin, where it has none, 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Atan2;

impl Elementwise for Atan2 {
    const NAME: &'static str = "atan2";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        eval_math2(math::Binary::Atan2, x)
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        let length = nonzero(x[0].hypot(x[1]));
        Partial::Of(if slot == 0 { cosine(x[1], x[0]) / length } else { -cosine(x[0], x[1]) / length })
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.math2(math::Binary::Atan2, x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "the angle of the point (second operand, first operand), in [-π, π]",
                derivative: "x/(x² + y²), -y/(x² + y²); 0 at the origin",
                accuracy: "1 ulp",
            },
            floats: &[
                (&[1.0, 1.0], FRAC_PI_4),
                (&[1.0, -1.0], 2.356194490192345),
                (&[-1.0, -1.0], -2.356194490192345),
                (&[-2.0, 0.0], -FRAC_PI_2),
                (&[0.0, 0.0], 0.0),
                (&[-0.0, 0.0], -0.0),
                (&[0.0, -0.0], PI),
                (&[-0.0, -0.0], -PI),
                (&[0.0, -3.0], PI),
                (&[-0.0, -3.0], -PI),
                (&[1.0, INF], 0.0),
                (&[-1.0, -INF], -PI),
                (&[INF, 1.0], FRAC_PI_2),
                (&[INF, INF], FRAC_PI_4),
                (&[-INF, -INF], -2.356194490192345),
                (&[NAN, 1.0], NAN),
                (&[1.0, NAN], NAN),
            ],
            integers: &[],
            domain: &[(0.5, 2.0), (-3.0, 3.0)],
            ulps: 1,
        }
    }

    fn instances() -> Vec<Atan2> {
        vec![Atan2]
    }
}

/// `1 - x²`, rounded once, so that it does not cancel next to 1, and its derivative not next to 0.
fn one_less_square(x: Var) -> Var {
    (-x).mul_add(x, 1.0)
}

impl Var {
    /// The angle of the point `(x, self)`, elementwise with broadcasting, in [-π, π]; within 1 ulp, with the special
    /// cases of IEEE 754. See [`Atan2`].
    ///
    /// Takes two operands of one floating-point dtype, or a number as the second. Other dtypes, and shapes that do not
    /// broadcast, are an error. The derivatives are `x/(x² + y²)` and `-y/(x² + y²)`, where `y` is `self`, and 0 at the
    /// origin.
    ///
    /// ```
    /// use retrograd::{Var, grad, jit, value_and_grad};
    ///
    /// let angle = jit(value_and_grad(|y: Var, x: Var| y.atan2(x)));
    /// assert_eq!(angle.call::<(f64, f64)>(0.0, 2.0)?, (0.0, 0.5));
    /// assert_eq!(angle.call::<(f64, f64)>(1.0, 0.0)?, (std::f64::consts::FRAC_PI_2, 0.0));
    /// assert_eq!(jit(grad(|y: Var| y.atan2(0.0))).call::<f64>(0.0)?, 0.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn atan2(self, x: impl Operand) -> Var {
        apply_pair(Atan2, self, x.var(self))
    }

    /// Sine and cosine, elementwise: [`Var::sin`] and [`Var::cos`]. Takes `f64` or `f32` of any shape and gives the
    /// same type; another dtype is an error.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let (sine, cosine): (f64, f64) = jit(Var::sin_cos).call(0.0)?;
    /// assert_eq!((sine, cosine), (0.0, 1.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sin_cos(self) -> (Var, Var) {
        (self.sin(), self.cos())
    }
}
