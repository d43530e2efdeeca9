//! Magnitude and sign, elementwise.

use serde::{Deserialize, Serialize};

use super::evaluate::{on_floats, on_numbers};
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats, numbers};
use super::trace::apply;
use super::var::apply_pair;
use super::{Operand, Var};
use crate::ir::Mismatch;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// Magnitude, elementwise. Integers wrap: the least one stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Abs;

impl Elementwise for Abs {
    const NAME: &'static str = "abs";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a| a.abs(), a.wrapping_abs())
    }

    fn partial(&self, _: usize, x: &[Var], _: Var) -> Partial {
        Partial::Vanishing(x[0].sign())
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.abs(x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "|x|", derivative: "sign(x); 0 at 0", accuracy: "exact; integers wrap" },
            floats: &[(&[1.5], 1.5), (&[-1.5], 1.5), (&[-0.0], 0.0), (&[-INF], INF), (&[NAN], NAN)],
            integers: &[(&[-3], 3), (&[3], 3), (&[i64::MIN], i64::MIN)],
            domain: &[(-2.0, -0.1)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Abs> {
        vec![Abs]
    }
}

/// Sign, elementwise: -1, 1, or the zero itself, so that `sign(-0) = -0`; NaN for NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sign;

impl Elementwise for Sign {
    const NAME: &'static str = "sign";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        numbers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_numbers!(x, |a| if a.abs() > 0.0 { a.signum() } else { a }, a.signum())
    }

    fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
        Partial::Zero
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        sign(i, x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "-1 below 0, 1 above, else x itself",
                derivative: "0, also at the step",
                accuracy: "exact",
            },
            floats: &[(&[2.5], 1.0), (&[-INF], -1.0), (&[5e-324], 1.0), (&[0.0], 0.0), (&[-0.0], -0.0), (&[NAN], NAN)],
            integers: &[(&[7], 1), (&[0], 0), (&[i64::MIN], -1)],
            domain: &[(0.1, 2.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Sign> {
        vec![Sign]
    }
}

fn sign<I: Instructions>(i: &mut I, x: I::Reg) -> I::Reg {
    let (zero, one) = (i.constant_like(0.0, x), i.constant_like(1.0, x));
    if i.dtype(x).is_float() {
        // Neither zeros nor NaNs have a magnitude above 0.
        let magnitude = i.abs(x);
        let signed = i.gt(magnitude, zero);
        let unit = i.copysign(one, x);
        return i.select(signed, unit, x);
    }
    let minus_one = i.constant_like(-1.0, x);
    let (above, below) = (i.gt(x, zero), i.lt(x, zero));
    let sign = i.select(below, minus_one, zero);
    i.select(above, one, sign)
}

/// The magnitude of `x` with the sign of `y`, elementwise.
///
/// The sign of a NaN counts as positive: processors do not agree on the sign of the NaNs that they make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Copysign;

impl Elementwise for Copysign {
    const NAME: &'static str = "copysign";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        on_floats!(x, |a, b| if b.is_nan() { a.abs() } else { a.copysign(b) })
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        if slot == 1 {
            return Partial::Zero;
        }
        Partial::Vanishing(x[0].sign() * x[0].full_like(1.0).copysign(x[1]))
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let one = i.constant_like(1.0, x[1]);
        let nan = i.is_nan(x[1]);
        let sign = i.select(nan, one, x[1]);
        i.copysign(x[0], sign)
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "|x| with the sign of y; that of a NaN is positive",
                derivative: "1 where x keeps its sign, -1 where it changes, 0 at x = 0; none for y",
                accuracy: "exact",
            },
            floats: &[
                (&[1.5, -2.0], -1.5),
                (&[-1.5, 2.0], 1.5),
                (&[3.0, -0.0], -3.0),
                (&[0.0, -1.0], -0.0),
                (&[-1.0, NAN], 1.0),
                (&[-1.0, -NAN], 1.0),
                (&[NAN, -1.0], NAN),
            ],
            integers: &[],
            domain: &[(0.1, 2.0), (-2.0, -0.1)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Copysign> {
        vec![Copysign]
    }
}

impl Var {
    /// Magnitude, elementwise; see [`Abs`].
    #[track_caller]
    pub fn abs(self) -> Var {
        apply(Abs, &[self])
    }

    /// Sign, elementwise: -1, 1, or 0 for 0; see [`Sign`].
    #[track_caller]
    pub fn sign(self) -> Var {
        apply(Sign, &[self])
    }

    /// Sign, elementwise, as Rust's `signum`: for floats 1 at +0 and -1 at -0; see [`Var::sign`] for 0 at 0.
    #[track_caller]
    pub fn signum(self) -> Var {
        if !self.dtype().is_float() {
            return self.sign();
        }
        self.is_nan().select(self, self.full_like(1.0).copysign(self))
    }

    /// This magnitude with the sign of `y`, elementwise with broadcasting; see [`Copysign`].
    #[track_caller]
    pub fn copysign(self, y: impl Operand) -> Var {
        apply_pair(Copysign, self, y.var(self))
    }
}
