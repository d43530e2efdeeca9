//! Comparison, logic and choice, elementwise.

use serde::{Deserialize, Serialize};

use super::rules::{Code, Doc, Elementwise, Facts, Partial, same_dtype};
use super::trace::apply;
use super::var::{apply_pair, broadcast_pair};
use super::{Op, Operand, Var};
use crate::ir::{Mismatch, mismatch};
use crate::value::{DType, Scalar};

/// Compares with Rust's operator in whichever dtype the operands have.
macro_rules! comparison {
    ($op:ident, $name:literal, $method:ident, $operator:tt, $emit:ident, $symbol:literal, $floats:expr, $integers:expr) => {
        #[doc = concat!("`x ", $symbol, " y`, elementwise; a comparison with NaN is that of IEEE 754.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 2;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                same_dtype(operands, |_| true, "any dtype").map(|_| DType::Bool)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                Scalar::Bool(match x {
                    [Scalar::F64(a), Scalar::F64(b)] => a $operator b,
                    [Scalar::F32(a), Scalar::F32(b)] => a $operator b,
                    [Scalar::I64(a), Scalar::I64(b)] => a $operator b,
                    [Scalar::Bool(a), Scalar::Bool(b)] => a $operator b,
                    other => unreachable!("bug: operands {other:?} passed inference"),
                })
            }

            fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
                Partial::Zero
            }

            fn code(&self) -> Code {
                Code::Inline(|e, x| e.$emit(x[0], x[1]))
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: concat!("x ", $symbol, " y"), derivative: "none", accuracy: "exact" },
                    floats: $floats,
                    integers: $integers,
                    domain: &[(-2.0, 2.0), (-3.0, 3.0)],
                    ulps: 0,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }

        impl Var {
            #[doc = concat!("`x ", $symbol, " y` as a traced `bool`, elementwise with broadcasting; see [`", stringify!($op), "`].")]
            #[track_caller]
            pub fn $method(self, y: impl Operand) -> Var {
                apply_pair($op, self, y.var(self))
            }
        }
    };
}

const NAN: f64 = f64::NAN;

comparison!(Eq, "eq", equal, ==, eq, "==",
    &[(&[1.0, 1.0], 1.0), (&[1.0, 2.0], 0.0), (&[0.0, -0.0], 1.0), (&[NAN, NAN], 0.0)],
    &[(&[1, 1], 1), (&[0, 1], 0)]);
comparison!(Ne, "ne", not_equal, !=, ne, "!=",
    &[(&[1.0, 1.0], 0.0), (&[1.0, 2.0], 1.0), (&[0.0, -0.0], 0.0), (&[NAN, NAN], 1.0)],
    &[(&[1, 1], 0), (&[0, 1], 1)]);
comparison!(Lt, "lt", less, <, lt, "<",
    &[(&[1.0, 2.0], 1.0), (&[2.0, 2.0], 0.0), (&[-0.0, 0.0], 0.0), (&[NAN, 1.0], 0.0)],
    &[(&[0, 1], 1), (&[1, 0], 0), (&[1, 1], 0)]);
comparison!(Le, "le", less_equal, <=, le, "<=",
    &[(&[1.0, 2.0], 1.0), (&[2.0, 2.0], 1.0), (&[3.0, 2.0], 0.0), (&[NAN, 1.0], 0.0)],
    &[(&[0, 1], 1), (&[1, 0], 0), (&[1, 1], 1)]);
comparison!(Gt, "gt", greater, >, gt, ">",
    &[(&[1.0, 2.0], 0.0), (&[3.0, 2.0], 1.0), (&[0.0, -0.0], 0.0), (&[NAN, 1.0], 0.0)],
    &[(&[0, 1], 0), (&[1, 0], 1), (&[1, 1], 0)]);
comparison!(Ge, "ge", greater_equal, >=, ge, ">=",
    &[(&[1.0, 2.0], 0.0), (&[2.0, 2.0], 1.0), (&[3.0, 2.0], 1.0), (&[NAN, 1.0], 0.0)],
    &[(&[0, 1], 0), (&[1, 0], 1), (&[1, 1], 1)]);

/// Choice between two arrays, elementwise by a third of `bool`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Select;

impl Elementwise for Select {
    const NAME: &'static str = "select";
    const ARITY: usize = 3;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        if operands[0] != DType::Bool {
            return Err(mismatch!("the condition must be bool, but got {}", operands[0]));
        }
        same_dtype(&operands[1..], |_| true, "any dtype")
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        if x[0] == Scalar::Bool(true) { x[1] } else { x[2] }
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        if slot == 1 { Partial::When(x[0]) } else { Partial::Unless(x[0]) }
    }

    fn code(&self) -> Code {
        Code::Inline(|e, x| e.select(x[0], x[1], x[2]))
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x where the condition holds, else y",
                derivative: "1 for the chosen operand; nothing, not even NaN, comes from the other",
                accuracy: "exact",
            },
            floats: &[(&[1.0, 2.0, 3.0], 2.0), (&[0.0, 2.0, 3.0], 3.0), (&[0.0, NAN, -0.0], -0.0)],
            integers: &[(&[1, 0, 1], 0), (&[0, 0, 1], 1)],
            domain: &[(0.0, 1.0), (-2.0, 2.0), (-3.0, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Select> {
        vec![Select]
    }
}

impl Var {
    /// `x` where `self` holds, else `y`; elementwise with broadcasting. The gradient of what is not chosen is 0, even
    /// where its derivative is NaN.
    #[track_caller]
    pub fn select(self, x: Var, y: Var) -> Var {
        let (x, y) = broadcast_pair(x, y);
        let (condition, x) = broadcast_pair(self, x);
        apply(Select, &[condition, x, y.broadcast_to(&x.shape())])
    }
}
