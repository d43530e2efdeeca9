//! Arithmetic, elementwise: IEEE 754 for floats, wrapping for integers.

use serde::{Deserialize, Serialize};

use super::rules::{Code, Doc, Elementwise, Facts, Partial, floats, numbers};
use super::trace::apply;
use super::var::apply_pair;
use super::{Op, Operand, Var};
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

/// Evaluates an expression in whichever numeric dtype the operands have.
macro_rules! on_numbers {
    ($x:expr, |$($a:ident),+| $float:expr, $integer:expr) => {
        match $x {
            [$(Scalar::F64($a)),+] => { $(let $a = *$a;)+ Scalar::F64($float) }
            [$(Scalar::F32($a)),+] => { $(let $a = *$a;)+ Scalar::F32($float) }
            [$(Scalar::I64($a)),+] => { $(let $a = *$a;)+ Scalar::I64($integer) }
            other => unreachable!("bug: operands {other:?} passed inference"),
        }
    };
}
pub(super) use on_numbers;

/// Evaluates an expression in whichever floating-point dtype the operands have.
macro_rules! on_floats {
    ($x:expr, |$($a:ident),+| $float:expr) => {
        match $x {
            [$(Scalar::F64($a)),+] => { $(let $a = *$a;)+ Scalar::F64($float) }
            [$(Scalar::F32($a)),+] => { $(let $a = *$a;)+ Scalar::F32($float) }
            other => unreachable!("bug: operands {other:?} passed inference"),
        }
    };
}
pub(super) use on_floats;

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

    fn code(&self) -> Code {
        Code::Inline(|e, x| e.add(x[0], x[1]))
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

    fn code(&self) -> Code {
        Code::Inline(|e, x| e.sub(x[0], x[1]))
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

    fn code(&self) -> Code {
        Code::Inline(|e, x| e.mul(x[0], x[1]))
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

    fn code(&self) -> Code {
        Code::Inline(|e, x| e.div(x[0], x[1]))
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

    fn code(&self) -> Code {
        Code::Inline(|e, x| e.neg(x[0]))
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

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        if slot == 0 { Partial::One } else { Partial::Of(-(x[0] / x[1]).trunc()) }
    }

    fn code(&self) -> Code {
        Code::Inline(|e, x| match x[0].dtype() {
            DType::I64 => e.int_rem(x[0], x[1]),
            _ => e.math2(math::Binary::Rem, x[0], x[1]),
        })
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

/// The larger, elementwise; NaN if either is NaN, and -0 below +0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Max;

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

impl Elementwise for Max {
    const NAME: &'static str = "max";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a, b| maximum!(a, b), a.max(b))
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        let (own, other) = (x[slot], x[1 - slot]);
        let half = own.full_like(0.5);
        let tie = own.equal(other).select(half, own.full_like(0.0));
        Partial::Of(own.greater(other).select(own.full_like(1.0), tie))
    }

    fn code(&self) -> Code {
        Code::Inline(|e, x| e.max(x[0], x[1]))
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "the larger of x and y",
                derivative: "1 for the larger, 0 for the other, 1/2 each for a tie",
                accuracy: "exact; NaN if either is; -0 < +0",
            },
            floats: &[
                (&[1.0, 2.0], 2.0),
                (&[-0.0, 0.0], 0.0),
                (&[0.0, -0.0], 0.0),
                (&[f64::NAN, 1.0], f64::NAN),
                (&[1.0, f64::NAN], f64::NAN),
            ],
            integers: &[(&[-4, 3], 3)],
            domain: &[(-2.0, -0.1), (0.1, 2.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Max> {
        vec![Max]
    }
}

impl Var {
    /// The larger, elementwise with broadcasting; see [`Max`].
    #[track_caller]
    pub fn max(self, y: impl Operand) -> Var {
        apply_pair(Max, self, y.var(self))
    }
}

/// The integer part, elementwise: rounded toward zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trunc;

impl Elementwise for Trunc {
    const NAME: &'static str = "trunc";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_floats!(x, |a| a.trunc())
    }

    fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
        Partial::Zero
    }

    fn code(&self) -> Code {
        Code::Inline(|e, x| e.trunc(x[0]))
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "x rounded toward zero", derivative: "0, also at the steps", accuracy: "exact" },
            floats: &[(&[1.75], 1.0), (&[-1.75], -1.0), (&[-0.5], -0.0), (&[f64::INFINITY], f64::INFINITY)],
            integers: &[],
            domain: &[(0.1, 0.9)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Trunc> {
        vec![Trunc]
    }
}

impl Var {
    /// The integer part, elementwise; see [`Trunc`].
    #[track_caller]
    pub fn trunc(self) -> Var {
        apply(Trunc, &[self])
    }
}
