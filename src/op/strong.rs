//! Products with a strong zero: what derivatives are multiplied with where a factor may be infinite or NaN.
//!
//! What is exactly zero in a cotangent or a tangent passes nothing on, whatever the partial derivative is. A plain product
//! would turn `0 · inf` into NaN, as at the elements that a `select` leaves out. The term is Enzyme's ("strong zero"; so
//! are the "hard zeros" of Julia's ChainRules).

use std::num::FpCategory;

use serde::{Deserialize, Serialize};

use super::Var;
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::{self, apply};
use crate::ir::Mismatch;
use crate::value::{DType, Scalar};

/// Which operand of a product annihilates the other where it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strong {
    /// The first.
    Lhs,
    /// The second.
    Rhs,
    /// Either of them.
    Either,
}

impl Strong {
    /// The same of the operands the other way round.
    pub(super) fn swapped(self) -> Strong {
        match self {
            Strong::Lhs => Strong::Rhs,
            Strong::Rhs => Strong::Lhs,
            Strong::Either => Strong::Either,
        }
    }

    /// The operands in these slots, if there are any.
    pub(crate) fn of(slots: [bool; 2]) -> Option<Strong> {
        match slots {
            [true, true] => Some(Strong::Either),
            [true, false] => Some(Strong::Lhs),
            [false, true] => Some(Strong::Rhs),
            [false, false] => None,
        }
    }

    /// The operand in that slot.
    pub(super) fn slot(slot: usize) -> Strong {
        if slot == 0 { Strong::Lhs } else { Strong::Rhs }
    }

    /// Whether zeros of the operand in that slot annihilate the other.
    pub(crate) fn holds(self, slot: usize) -> bool {
        self == Strong::Either || self == Strong::slot(slot)
    }

    /// The partial derivative may itself be a cotangent or tangent of an earlier mode, of which an exact zero passes nothing
    /// on either, though what flows now may be infinite there.
    pub(super) fn here(self, operands: [Var; 2]) -> Strong {
        let may_be_linear = |slot: usize| !self.holds(slot) && trace::may_be_linear(operands[slot]);
        if trace::is_derived() && (0..2).any(may_be_linear) { Strong::Either } else { self }
    }

    /// That of the product in which a tangent takes the place of the operand in that slot: what was a partial derivative
    /// counts only where both its tangent and what it was multiplied with are not 0.
    pub(super) fn of_tangent(self, slot: usize) -> Strong {
        if self == Strong::slot(slot) { self } else { Strong::Either }
    }
}

/// `x · y`, elementwise, and 0 where an operand that annihilates is 0, even if the other is infinite or NaN.
///
/// Derivative rules multiply with it where a partial derivative may be infinite or NaN; which operand holds the cotangent
/// or tangent, `zeros` says.
///
/// # Derivative
/// By the annihilating operand it is the other one; what flows to the other one is annihilated by the zeros of either the
/// cotangent or the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrongMul {
    /// Whose zeros annihilate.
    pub zeros: Strong,
}

impl Elementwise for StrongMul {
    const NAME: &'static str = "strong_mul";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        match x {
            [Scalar::F64(x), Scalar::F64(y)] => Scalar::F64(x.strong_times(*y, self.zeros)),
            [Scalar::F32(x), Scalar::F32(y)] => Scalar::F32(x.strong_times(*y, self.zeros)),
            other => unreachable!("bug: operands {other:?} passed inference"),
        }
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        let other = x[1 - slot];
        if self.zeros == Strong::slot(slot) { Partial::Of(other) } else { Partial::Vanishing(other) }
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let zeros = self.zeros;
        let product = i.mul(x[0], x[1]);
        (0..2).filter(|&slot| zeros.holds(slot)).fold(product, |product, slot| i.zero_where_zero(product, x[slot]))
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x · y, and 0 where an operand that annihilates is 0, even if the other is infinite or NaN",
                derivative: "y, x, with the same zeros",
                accuracy: "correctly rounded",
            },
            floats: &[
                (&[1.5, -2.25], -3.375),
                (&[0.0, f64::INFINITY], 0.0),
                (&[-0.0, f64::NAN], 0.0),
                (&[0.0, -1.0], 0.0),
                (&[f64::INFINITY, 0.0], f64::NAN),
                (&[f64::NAN, 0.0], f64::NAN),
                (&[5e-324, f64::INFINITY], f64::INFINITY),
            ],
            integers: &[],
            domain: &[(0.1, 2.0), (0.1, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<StrongMul> {
        [Strong::Lhs, Strong::Rhs, Strong::Either].map(|zeros| StrongMul { zeros }).into()
    }
}

/// `x · y + z`, elementwise, rounded once, in which a factor counts as 0 where the other one annihilates it.
///
/// The pass `fma` makes it of a [`StrongMul`] and a sum.
///
/// # Derivative
/// That of [`StrongMul`] by the factors, and 1 by the summand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrongFma {
    /// Whose zeros annihilate.
    pub zeros: Strong,
}

impl Elementwise for StrongFma {
    const NAME: &'static str = "strong_fma";
    const ARITY: usize = 3;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        match x {
            [Scalar::F64(x), Scalar::F64(y), Scalar::F64(z)] => Scalar::F64(x.strong_fma(*y, *z, self.zeros)),
            [Scalar::F32(x), Scalar::F32(y), Scalar::F32(z)] => Scalar::F32(x.strong_fma(*y, *z, self.zeros)),
            other => unreachable!("bug: operands {other:?} passed inference"),
        }
    }

    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        if slot == 2 { Partial::One } else { StrongMul { zeros: self.zeros }.partial(slot, x, y) }
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let factors = [0, 1].map(|slot| {
            let other = 1 - slot;
            if self.zeros.holds(other) { i.zero_where_zero(x[slot], x[other]) } else { x[slot] }
        });
        i.fma(factors[0], factors[1], x[2])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x · y + z, rounded once, where a factor counts as 0 that the other one annihilates",
                derivative: "those of `strong_mul`, 1",
                accuracy: "correctly rounded",
            },
            floats: &[
                (&[2.0, 3.0, -10.0], -4.0),
                (&[1.0000000000000002, 0.9999999999999998, -1.0], -4.930380657631324e-32),
                (&[0.0, f64::INFINITY, 1.5], 1.5),
                (&[-0.0, f64::NAN, -2.5], -2.5),
                (&[0.0, -1.0, -0.0], 0.0),
                (&[-0.0, 1.0, -0.0], -0.0),
                (&[f64::INFINITY, 0.0, 1.0], f64::NAN),
                (&[0.0, 1.0, f64::NAN], f64::NAN),
                (&[5e-324, f64::INFINITY, 1.0], f64::INFINITY),
            ],
            integers: &[],
            domain: &[(0.1, 2.0), (0.1, 3.0), (-1.0, 1.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<StrongFma> {
        [Strong::Lhs, Strong::Rhs, Strong::Either].map(|zeros| StrongFma { zeros }).into()
    }
}

/// What a product with strong zeros asks of a number.
pub(super) trait Float: crate::math::linear::Number {
    /// The product with strong zeros.
    fn strong_times(self, y: Self, zeros: Strong) -> Self;
    /// The product with strong zeros, and a sum, rounded once.
    fn strong_fma(self, y: Self, z: Self, zeros: Strong) -> Self;
    /// Whether it is neither infinite nor NaN.
    fn is_tame(self) -> bool;
}

macro_rules! float {
    ($($float:ty),*) => {$(
        impl Float for $float {
            fn strong_times(self, y: Self, zeros: Strong) -> Self {
                let is_zero = |slot: usize| zeros.holds(slot) && [self, y][slot].classify() == FpCategory::Zero;
                if is_zero(0) || is_zero(1) { 0.0 } else { self * y }
            }

            fn strong_fma(self, y: Self, z: Self, zeros: Strong) -> Self {
                let factor = |x: Self, slot: usize, other: Self| {
                    if zeros.holds(1 - slot) && other.classify() == FpCategory::Zero { 0.0 } else { x }
                };
                factor(self, 0, y).mul_add(factor(y, 1, self), z)
            }

            fn is_tame(self) -> bool {
                self.is_finite()
            }
        }
    )*};
}
float!(f64, f32);

/// The product of two variables in which zeros of one, or of either, annihilate the other: a plain product where that
/// makes no difference, so far as can be seen from the graph.
#[track_caller]
pub(crate) fn strong_product(x: Var, y: Var, zeros: Strong) -> Var {
    let zeros = zeros.here([x, y]);
    if matters([x, y], zeros) { apply(StrongMul { zeros }, &[x, y]) } else { x * y }
}

/// Whether a strong zero can make a difference: whether an operand may be 0 where the other may be infinite or NaN.
///
/// That of a partial derivative, which comes first, most often decides alone. Then the ranges of what has just been appended
/// are never asked for: a range is found with those of all earlier nodes.
pub(super) fn matters(x: [Var; 2], zeros: Strong) -> bool {
    let may_be_wild = |slot: usize| trace::range(x[slot]).may_be_wild();
    let may_be_zero = |slot: usize| trace::range(x[slot]).may_be_zero();
    (0..2).any(|slot| zeros.holds(slot) && may_be_wild(1 - slot) && may_be_zero(slot))
}
