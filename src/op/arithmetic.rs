//! Arithmetic, elementwise: IEEE 754 for floats, wrapping for integers.

use serde::{Deserialize, Serialize};

use super::evaluate::{nan_where_nan, on_floats, on_numbers};
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats, numbers};
use super::var::{apply_pair, apply_triple};
use super::{Operand, Var};
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

/// Sum, elementwise. Integers wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Add;

impl Elementwise for Add {
    const NAME: &'static str = "add";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a, b| a + b, a.wrapping_add(b))
    }

    fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
        Partial::One
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.add(x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "x + y", derivative: "1, 1", accuracy: "correctly rounded; integers wrap" },
            floats: &[
                (&[1.5, 2.25], 3.75),
                (&[-0.0, -0.0], -0.0),
                (&[-0.0, 0.0], 0.0),
                (&[f64::INFINITY, f64::NEG_INFINITY], f64::NAN),
                (&[f64::NAN, 1.0], f64::NAN),
            ],
            integers: &[(&[2, 3], 5), (&[i64::MAX, 1], i64::MIN)],
            domain: &[(-2.0, 2.0), (-3.0, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Add> {
        vec![Add]
    }
}

/// Difference, elementwise. Integers wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sub;

impl Elementwise for Sub {
    const NAME: &'static str = "sub";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a, b| a - b, a.wrapping_sub(b))
    }

    fn partial(&self, slot: usize, _: &[Var], _: Var) -> Partial {
        if slot == 0 { Partial::One } else { Partial::MinusOne }
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.sub(x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "x - y", derivative: "1, -1", accuracy: "correctly rounded; integers wrap" },
            floats: &[
                (&[1.5, 2.25], -0.75),
                (&[0.0, 0.0], 0.0),
                (&[-0.0, 0.0], -0.0),
                (&[f64::INFINITY, f64::INFINITY], f64::NAN),
            ],
            integers: &[(&[2, 5], -3), (&[i64::MIN, 1], i64::MAX)],
            domain: &[(-2.0, 2.0), (-3.0, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Sub> {
        vec![Sub]
    }
}

/// Product, elementwise. Integers wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mul;

impl Elementwise for Mul {
    const NAME: &'static str = "mul";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a, b| a * b, a.wrapping_mul(b))
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        Partial::Of(x[1 - slot])
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.mul(x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "x · y", derivative: "y, x", accuracy: "correctly rounded; integers wrap" },
            floats: &[(&[1.5, -2.25], -3.375), (&[-1.0, 0.0], -0.0), (&[0.0, f64::INFINITY], f64::NAN)],
            integers: &[(&[-4, 6], -24), (&[i64::MAX, 2], -2)],
            domain: &[(-2.0, 2.0), (-3.0, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Mul> {
        vec![Mul]
    }
}

/// Quotient, elementwise. Integers truncate; `x / 0 = -1` and `MIN / -1 = MIN`, as in XLA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Div;

impl Elementwise for Div {
    const NAME: &'static str = "div";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a, b| a / b, if b == 0 { -1 } else { a.wrapping_div(b) })
    }

    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        if slot == 0 { Partial::Of(1.0 / x[1]) } else { Partial::Of(-y / x[1]) }
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.div(x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x / y",
                derivative: "1/y, -x/y²",
                accuracy: "correctly rounded; integers truncate, x / 0 = -1",
            },
            floats: &[
                (&[3.0, -2.0], -1.5),
                (&[1.0, 0.0], f64::INFINITY),
                (&[1.0, -0.0], f64::NEG_INFINITY),
                (&[0.0, 0.0], f64::NAN),
            ],
            integers: &[(&[7, -2], -3), (&[7, 0], -1), (&[i64::MIN, -1], i64::MIN)],
            domain: &[(-2.0, 2.0), (1.0, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Div> {
        vec![Div]
    }
}

/// Negation, elementwise. Integers wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Neg;

impl Elementwise for Neg {
    const NAME: &'static str = "neg";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a| -a, a.wrapping_neg())
    }

    fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
        Partial::MinusOne
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.neg(x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "-x", derivative: "-1", accuracy: "exact; integers wrap" },
            floats: &[(&[1.5], -1.5), (&[0.0], -0.0), (&[f64::NEG_INFINITY], f64::INFINITY)],
            integers: &[(&[3], -3), (&[i64::MIN], i64::MIN)],
            domain: &[(-2.0, 2.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Neg> {
        vec![Neg]
    }
}

/// Remainder with the sign of the dividend, elementwise, as Rust's `%`; for integers `x % 0 = x`, as in XLA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rem;

impl Elementwise for Rem {
    const NAME: &'static str = "rem";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        match x {
            [Scalar::F64(a), Scalar::F64(b)] => Scalar::F64(math::Binary::Rem.f64(*a, *b)),
            [Scalar::F32(a), Scalar::F32(b)] => Scalar::F32(math::Binary::Rem.f32(*a, *b)),
            [Scalar::I64(a), Scalar::I64(b)] => Scalar::I64(if *b == 0 { *a } else { a.wrapping_rem(*b) }),
            other => unreachable!("bug: operands {other:?} passed inference"),
        }
    }

    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        if slot == 0 { Partial::One } else { Partial::Of(nan_where_nan(y, -(x[0] / x[1]).trunc())) }
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        match i.dtype(x[0]) {
            DType::I64 => i.int_rem(x[0], x[1]),
            _ => i.math2(math::Binary::Rem, x[0], x[1]),
        }
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x - y · trunc(x / y), the remainder with the sign of x",
                derivative: "1, -trunc(x/y); also where x is a multiple of y",
                accuracy: "exact; integers: x % 0 = x",
            },
            floats: &[(&[7.5, 2.0], 1.5), (&[-7.5, 2.0], -1.5), (&[1.0, 0.0], f64::NAN), (&[-0.0, 1.0], -0.0)],
            integers: &[(&[-7, 3], -1), (&[7, 0], 7), (&[i64::MIN, -1], 0)],
            domain: &[(4.1, 5.9), (1.0, 1.3)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Rem> {
        vec![Rem]
    }
}

/// `x · y + z`, elementwise, rounded once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fma;

impl Elementwise for Fma {
    const NAME: &'static str = "fma";
    const ARITY: usize = 3;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_floats!(x, |a, b, c| a.mul_add(b, c))
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        if slot == 2 { Partial::One } else { Partial::Of(x[1 - slot]) }
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.fma(x[0], x[1], x[2])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "x · y + z, rounded once", derivative: "y, x, 1", accuracy: "correctly rounded" },
            floats: &[
                (&[2.0, 3.0, -10.0], -4.0),
                // (1 + ε)(1 - ε) - 1 = -ε², of which nothing is left when the product is rounded by itself.
                (&[1.0000000000000002, 0.9999999999999998, -1.0], -4.930380657631324e-32),
                (&[1.0000001192092896, 0.9999998807907104, -1.0], -1.4210854715202004e-14),
                (&[-0.0, 1.0, -0.0], -0.0),
                (&[f64::INFINITY, 0.0, 1.0], f64::NAN),
                (&[f64::INFINITY, 1.0, f64::NEG_INFINITY], f64::NAN),
            ],
            integers: &[],
            domain: &[(-2.0, 2.0), (-3.0, 3.0), (-1.0, 1.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Fma> {
        vec![Fma]
    }
}

/// IEEE 754-2019 `maximum`.
macro_rules! maximum {
    ($a:expr, $b:expr) => {
        if $a.is_nan() || $b.is_nan() {
            $a + $b
        } else if $a == $b {
            if $a.is_sign_negative() { $b } else { $a }
        } else if $a > $b {
            $a
        } else {
            $b
        }
    };
}
pub(super) use maximum;

/// IEEE 754-2019 `minimum`.
macro_rules! minimum {
    ($a:expr, $b:expr) => {
        if $a.is_nan() || $b.is_nan() {
            $a + $b
        } else if $a == $b {
            if $a.is_sign_negative() { $a } else { $b }
        } else if $a < $b {
            $a
        } else {
            $b
        }
    };
}
pub(super) use minimum;

/// What an operand gets of the cotangent of an extremum `y`: all if it wins, nothing if it loses, half if it ties; and NaN
/// if `y` is NaN.
fn share(wins: Var, loses: Var, y: Var) -> Var {
    let tie = y.is_nan().select(y, y.full_like(0.5));
    wins.select(y.full_like(1.0), loses.select(y.full_like(0.0), tie))
}

/// Chooses one of two numbers by their order.
macro_rules! extremum {
    ($op:ident, $name:literal, $method:ident, $better:literal, $float:ident, $wins:ident, &[$((&[$first:expr, $second:expr], $value:expr)),+ $(,)?], $integers:expr) => {
        #[doc = concat!("The ", $better, ", elementwise; NaN if either is NaN, and -0 below +0.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 2;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                numbers(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                on_numbers!(x, |a, b| $float!(a, b), a.$method(b))
            }

            fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
                let (own, other) = (x[slot], x[1 - slot]);
                Partial::Vanishing(share(own.$wins(other), other.$wins(own), y))
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                i.$method(x[0], x[1])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc {
                        summary: concat!("the ", $better, " of x and y"),
                        derivative: concat!("1 for the ", $better, ", 0 for the other, 1/2 each for a tie"),
                        accuracy: "exact; NaN if either is; -0 < +0",
                    },
                    floats: &[$((&[$first, $second], $value)),+],
                    integers: $integers,
                    domain: &[(-2.0, -0.1), (0.1, 2.0)],
                    ulps: 0,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }

        impl Var {
            #[doc = concat!("The ", $better, ", elementwise with broadcasting; NaN if either is NaN, unlike Rust's `f64::", $name,
                "`. See [`", stringify!($op), "`].")]
            ///
            /// Takes two operands of one numeric dtype, or a number as the second. Other dtypes, and shapes that do not
            /// broadcast, are an error. -0 is below 0.
            #[doc = concat!("The derivative is 1 for the ", $better, " operand and 0 for the other; at a tie it is 1/2 each,")]
            /// and NaN where the result is.
            ///
            #[doc = concat!("The extreme element of one array is [`Var::", $name, "_all`] or [`Var::", $name, "_axes`].")]
            ///
            #[doc = super::example::example_of_pairs!(concat!("x.", stringify!($method), "(y)"), 0, $(([$first, $second], $value)),+)]
            #[track_caller]
            pub fn $method(self, y: impl Operand) -> Var {
                apply_pair($op, self, y.var(self))
            }
        }
    };
}

const NAN: f64 = f64::NAN;

extremum! {
    Max, "max", max, "larger", maximum, greater,
    &[(&[1.0, 2.0], 2.0), (&[-0.0, 0.0], 0.0), (&[0.0, -0.0], 0.0), (&[NAN, 1.0], NAN), (&[1.0, NAN], NAN)],
    &[(&[-4, 3], 3), (&[3, -4], 3)]
}
extremum! {
    Min, "min", min, "smaller", minimum, less,
    &[(&[1.0, 2.0], 1.0), (&[-0.0, 0.0], -0.0), (&[0.0, -0.0], -0.0), (&[NAN, 1.0], NAN), (&[1.0, NAN], NAN)],
    &[(&[-4, 3], -4), (&[3, -4], -4)]
}

/// `min(max(x, lo), hi)`, elementwise: `x` brought into the range from `lo` to `hi`, and `hi` where the range is empty.
///
/// The operands are `lo`, `x`, `hi`, in this order. NaN in any of them gives NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Clamp;

impl Elementwise for Clamp {
    const NAME: &'static str = "clamp";
    const ARITY: usize = 3;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        let raised = Elementwise::eval(&Max, &[x[1], x[0]]);
        Elementwise::eval(&Min, &[raised, x[2]])
    }

    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        let (lo, hi) = (x[0], x[2]);
        let raised = x[1].max(lo);
        let (below, above) = (raised.less(hi), hi.less(raised));
        if slot == 2 {
            return Partial::Vanishing(share(above, below, y));
        }
        let (own, other) = (x[slot], x[1 - slot]);
        Partial::Vanishing(share(own.greater(other), other.greater(own), raised) * share(below, above, y))
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let raised = i.max(x[1], x[0]);
        i.min(raised, x[2])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x brought into the range from lo to hi; hi where lo > hi",
                derivative: "1 for the operand that is the result, 0 for the others; at a bound x and the bound get 1/2 each",
                accuracy: "exact; NaN if any operand is; -0 < +0",
            },
            floats: &[
                (&[-1.0, 0.5, 2.0], 0.5),
                (&[-1.0, -3.0, 2.0], -1.0),
                (&[-1.0, 3.0, 2.0], 2.0),
                (&[2.0, 0.5, 1.0], 1.0),
                (&[0.0, -0.0, 1.0], 0.0),
                (&[-1.0, f64::INFINITY, f64::INFINITY], f64::INFINITY),
                (&[NAN, 0.5, 1.0], NAN),
                (&[0.0, NAN, 1.0], NAN),
                (&[0.0, 0.5, NAN], NAN),
            ],
            integers: &[(&[-1, 1, 2], 1), (&[-1, -3, 2], -1), (&[-1, 3, 2], 2), (&[2, 0, 1], 1)],
            domain: &[(-2.0, -1.0), (-0.9, 0.9), (1.0, 2.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Clamp> {
        vec![Clamp]
    }
}

impl Var {
    /// `self · y + z`, elementwise with broadcasting, rounded once; see [`Fma`].
    #[track_caller]
    pub fn mul_add(self, y: impl Operand, z: impl Operand) -> Var {
        apply_triple(Fma, self, y.var(self), z.var(self))
    }

    /// `self` brought into the range from `lo` to `hi`, elementwise with broadcasting; `hi` where `lo > hi`. See
    /// [`Clamp`].
    #[track_caller]
    pub fn clamp(self, lo: impl Operand, hi: impl Operand) -> Var {
        apply_triple(Clamp, lo.var(self), self, hi.var(self))
    }
}
