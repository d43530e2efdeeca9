//! Logarithms next to products, quotients and sums of exponentials, elementwise: those of `math`, each exact where the
//! formula would cancel, overflow, or multiply 0 by infinity.
//!
//! ```
//! use retrograd::{Var, jit, value_and_grad};
//!
//! // Where the formula would be `0 · -inf` the cross entropy is 0, and so is its derivative.
//! let loss = |q: Var| -q.full_like(0.0).xlogy(q);
//! let (value, slope): (f64, f64) = jit(value_and_grad(loss)).call(0.0)?;
//! assert_eq!((value, slope), (0.0, 0.0));
//! let far: f64 = jit(|x: Var| x.softplus()).call(1000.0)?;
//! assert_eq!(far, 1000.0);
//! # Ok::<(), retrograd::Error>(())
//! ```

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use super::elementary::elementary;
use super::evaluate::{eval_math1, eval_math2, nan_where_nan};
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::apply;
use super::var::apply_pair;
use super::{Operand, Var};
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

elementary! {
    Entr, "entr", entr, "-x ln x; 0 at 0, -inf below",
    "-1 - ln x; inf at 0, NaN below", |x, _| -1.0 - x.ln(),
    (0.2, 2.0), 2,
    &[(&[0.0], 0.0), (&[-0.0], 0.0), (&[0.5], 0.34657359027997264), (&[1.0], -0.0), (&[2.0], -1.3862943611198906),
      (&[1e-300], 6.907755278982138e-298), (&[-1.0], -INF), (&[INF], -INF), (&[-INF], -INF), (&[NAN], NAN)]
}
elementary! {
    Logit, "logit", logit, "ln(x / (1 - x)), the inverse of the logistic function; NaN outside [0, 1]",
    "1/x + 1/(1 - x)", |x, y| nan_where_nan(y, x.recip() + (1.0 - x).recip()),
    (0.2, 0.8), 1,
    &[(&[0.5], 0.0), (&[0.75], 1.0986122886681098), (&[0.25], -1.0986122886681098), (&[1e-300], -690.7755278982137),
      (&[0.9999999999999999], 36.7368005696771), (&[0.0], -INF), (&[1.0], INF), (&[-0.5], NAN), (&[1.5], NAN),
      (&[NAN], NAN)]
}
elementary! {
    Softplus, "softplus", softplus, "ln(1 + eˣ), without overflow or cancellation",
    "1/(1 + e⁻ˣ)", |x, _| x.sigmoid(),
    (-2.0, 2.0), 1,
    &[(&[0.0], LN_2), (&[1.0], 1.3132616875182228), (&[-1.0], 0.3132616875182228), (&[-100.0], 3.720075976020836e-44),
      (&[100.0], 100.0), (&[-740.0], 4.2e-322), (&[1e300], 1e300), (&[INF], INF), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    Log1mexp, "log1mexp", log1mexp, "ln(1 - e⁻ˣ) for x >= 0, without cancellation; NaN below 0",
    "1/(eˣ - 1)", |x, y| nan_where_nan(y, (-x).exp() / -(-x).exp_m1()),
    (0.2, 2.0), 1,
    &[(&[1.0], -0.4586751453870819), (&[0.5], -0.9327521295671886), (&[2.0], -0.14541345786885906),
      (&[1e-300], -690.7755278982137), (&[5e-324], -744.4400719213812), (&[100.0], -3.720075976020836e-44),
      (&[0.0], -INF), (&[-0.0], -INF), (&[-1.0], NAN), (&[INF], -0.0), (&[NAN], NAN)]
}

/// A function of two variables from `math`, where it has the same name, with its derivatives in terms of the operands
/// and the result. Names in other libraries follow the method's.
macro_rules! elementary2 {
    (
        $(#[$doc:meta])*
        $op:ident, $name:literal, $method:ident, $(alias $alias:literal,)* $summary:literal,
        $derivative:literal, |$x:pat_param, $y:pat_param, $z:pat_param| $by_x:expr, $by_y:expr,
        $domain:expr, $accuracy:literal, $ulps:literal,
        &[$((&[$first:expr, $second:expr], $value:expr)),+ $(,)?]
    ) => {
        #[doc = concat!("`", $summary, "`, elementwise.")]
        ///
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 2;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                floats(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                eval_math2(math::Binary::$op, x)
            }

            fn partial(&self, slot: usize, x: &[Var], z: Var) -> Partial {
                let ($x, $y, $z) = (x[0], x[1], z);
                Partial::Of(super::evaluate::nan_where_nan(z, if slot == 0 { $by_x } else { $by_y }))
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                i.math2(math::Binary::$op, x[0], x[1])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: $summary, derivative: $derivative, accuracy: $accuracy },
                    floats: &[$((&[$first, $second], $value)),+],
                    integers: &[],
                    domain: $domain,
                    ulps: $ulps,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }

        impl Var {
            #[doc = concat!("`", $summary, "`, elementwise with broadcasting; see [`", stringify!($op), "`].")]
            ///
            /// Here `x` is `self`. Takes `f64` or `f32`, both of one dtype, and gives the same; other dtypes, and shapes that do
            /// not broadcast, are an error.
            #[doc = concat!("The derivatives are `", $derivative, "`; the accuracy is ", $accuracy, ".")]
            ///
            #[doc = super::example::example_of_pairs!(concat!("x.", stringify!($method), "(y)"), $ulps, $(([$first, $second], $value)),+)]
            $(#[doc(alias = $alias)])*
            #[track_caller]
            pub fn $method(self, y: impl Operand) -> Var {
                apply_pair($op, self, y.var(self))
            }
        }
    };
}
pub(super) use elementary2;

elementary2! {
    /// # Derivative
    /// `ln y` and `x / y`, of which `0 / 0` is 0.
    Xlogy, "xlogy", xlogy, "x ln y; 0 where x is 0, even if y is 0",
    "ln y, x/y; 0/0 is 0", |x, y, _| y.ln(), quotient(x, y),
    &[(-2.0, 2.0), (0.5, 3.0)], "1 ulp", 1,
    &[(&[2.0, 3.0], 2.1972245773362196), (&[-1.0, 0.5], LN_2), (&[3.0, 5e-324], -2233.320215764144), (&[0.0, 0.0], 0.0),
      (&[-0.0, INF], 0.0), (&[2.0, 0.0], -INF), (&[-2.0, -0.0], INF), (&[2.0, INF], INF), (&[INF, 1.0], NAN), (&[1.0, -1.0], NAN),
      (&[0.0, -1.0], NAN), (&[0.0, NAN], NAN), (&[NAN, 1.0], NAN)]
}
elementary2! {
    /// # Derivative
    /// `ln(1 + y)` and `x / (1 + y)`, of which `0 / 0` is 0.
    Xlog1py, "xlog1py", xlog1py, "x ln(1 + y), without cancellation near y = 0; 0 where x is 0",
    "ln(1 + y), x/(1 + y); 0/0 is 0", |x, y, _| y.ln_1p(), quotient(x, 1.0 + y),
    &[(-2.0, 2.0), (-0.5, 3.0)], "1 ulp", 1,
    &[(&[2.0, 3.0], 2.772588722239781), (&[-1.0, -0.5], LN_2), (&[3.0, 8.673617379884035e-19], 2.6020852139652106e-18),
      (&[0.0, -1.0], 0.0), (&[2.0, -1.0], -INF), (&[2.0, INF], INF), (&[0.0, INF], 0.0), (&[1.0, -2.0], NAN),
      (&[0.0, NAN], NAN), (&[NAN, 1.0], NAN)]
}
elementary2! {
    /// # Derivative
    /// `1/(1 + exp(y - x))` and its complement; 1/2 where both are the same infinity.
    Logaddexp, "logaddexp", logaddexp, "ln(eˣ + eʸ), without overflow",
    "1/(1 + e^(y - x)), 1/(1 + e^(x - y)); 1/2 at two equal infinities",
    |x, y, _| distance(x, y).sigmoid(), distance(y, x).sigmoid(),
    &[(-2.0, 2.0), (-3.0, 3.0)], "1 ulp; near its zeros 2⁻⁵⁸ of the larger operand", 1,
    &[(&[1.0, 2.0], 2.313261687518223), (&[2.0, 1.0], 2.313261687518223), (&[0.0, 0.0], LN_2),
      (&[-1000.0, -1001.0], -999.6867383124818), (&[1000.0, -1000.0], 1000.0), (&[-INF, -INF], -INF), (&[INF, INF], INF),
      (&[INF, -INF], INF), (&[-INF, 3.0], 3.0), (&[NAN, INF], NAN), (&[-INF, NAN], NAN)]
}

impl Var {
    /// The logarithm of the logistic function, elementwise: `-ln(1 + e⁻ˣ)`, without overflow or cancellation.
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. The derivative is `1/(1 + eˣ)`.
    ///
    /// ```
    /// use retrograd::{Var, grad, jit};
    ///
    /// let f = |x: Var| x.log_sigmoid();
    /// let (far, slope): (f64, f64) = (jit(f).call(-1000.0)?, jit(grad(f)).call(-1000.0)?);
    /// assert_eq!((far, slope), (-1000.0, 1.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[doc(alias = "log_expit")]
    #[track_caller]
    pub fn log_sigmoid(self) -> Var {
        -(-self).softplus()
    }
}

/// `x / y`, and 0 for `0 / 0`: a wider mask would lose the derivatives of this derivative.
pub(super) fn quotient(x: Var, y: Var) -> Var {
    (x.equal(0.0) & y.equal(0.0)).select(x.full_like(0.0), x / y)
}

/// `x - y`, and 0 where both are the same infinity.
fn distance(x: Var, y: Var) -> Var {
    (x.equal(y) & x.abs().equal(INF)).select(x.full_like(0.0), x - y)
}
