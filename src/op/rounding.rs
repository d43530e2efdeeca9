//! Rounding to integers, elementwise.

use serde::{Deserialize, Serialize};

use super::Var;
use super::evaluate::on_floats;
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::apply;
use crate::ir::Mismatch;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// Rounds with a method of Rust's floats; the method of `Var` has the same name.
macro_rules! rounding {
    ($op:ident, $name:literal, $method:ident, $emit:ident, $how:literal, &[$((&[$at:expr], $value:expr)),+ $(,)?]) => {
        #[doc = concat!("The integer ", $how, ", elementwise, as a float.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 1;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                floats(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                on_floats!(x, |a| a.$method())
            }

            fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
                Partial::Zero
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                i.$emit(x[0])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc {
                        summary: concat!("the integer ", $how),
                        derivative: "0, also at the steps",
                        accuracy: "exact",
                    },
                    floats: &[$((&[$at], $value)),+],
                    integers: &[],
                    domain: &[(0.1, 0.4)],
                    ulps: 0,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }

        impl Var {
            #[doc = concat!("The integer ", $how, ", elementwise, as a float; see [`", stringify!($op), "`].")]
            ///
            /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. The derivative is 0, also
            /// at the steps. The sign of a zero is that of `x`; NaN and infinities stay as they are.
            ///
            #[doc = super::example::example_of_floats!(concat!("x.", stringify!($method), "()"), 0, $(($at, $value)),+)]
            #[track_caller]
            pub fn $method(self) -> Var {
                apply($op, &[self])
            }
        }
    };
}

rounding! {
    Floor, "floor", floor, floor, "at or below x",
    &[(&[1.75], 1.0), (&[-1.25], -2.0), (&[-0.0], -0.0), (&[0.75], 0.0), (&[4503599627370495.5], 4503599627370495.0),
      (&[-INF], -INF), (&[NAN], NAN)]
}
rounding! {
    Ceil, "ceil", ceil, ceil, "at or above x",
    &[(&[1.25], 2.0), (&[-1.75], -1.0), (&[-0.5], -0.0), (&[0.0], 0.0), (&[4503599627370495.5], 4503599627370496.0),
      (&[INF], INF), (&[NAN], NAN)]
}
rounding! {
    Round, "round", round_ties_even, round, "nearest to x, the even one of two",
    &[(&[1.75], 2.0), (&[0.5], 0.0), (&[1.5], 2.0), (&[2.5], 2.0), (&[-0.5], -0.0), (&[-1.5], -2.0), (&[-2.5], -2.0),
      (&[0.49999999999999994], 0.0), (&[4503599627370495.5], 4503599627370496.0), (&[INF], INF), (&[NAN], NAN)]
}
rounding! {
    Trunc, "trunc", trunc, trunc, "nearest to x towards 0",
    &[(&[1.75], 1.0), (&[-1.75], -1.0), (&[-0.5], -0.0), (&[4503599627370495.5], 4503599627370495.0), (&[INF], INF),
      (&[NAN], NAN)]
}

impl Var {
    /// The nearest integer, and of two the one away from 0, elementwise, as Rust's `round`; see also
    /// [`Var::round_ties_even`], which is one operation.
    #[track_caller]
    pub fn round(self) -> Var {
        let integer = self.trunc();
        // The difference is exact, while `x + 0.5` would round the float below 0.5 up to 1.
        let away = (self - integer).abs().greater_equal(0.5);
        away.select(integer + self.full_like(1.0).copysign(self), integer)
    }
}
