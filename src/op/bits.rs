//! The bits of integers, and integer division by name.

use serde::{Deserialize, Serialize};

use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, same_dtype};
use super::trace::{self, apply};
use super::var::apply_pair;
use super::{Operand, Var};
use crate::ir::Mismatch;
use crate::value::{DType, Scalar};

fn integers(operands: &[DType]) -> Result<DType, Mismatch> {
    same_dtype(operands, |dtype| dtype == DType::I64, "integers")
}

/// The operand of an operation on one integer.
fn one(x: &[Scalar]) -> i64 {
    match x {
        [Scalar::I64(a)] => *a,
        other => unreachable!("bug: operands {other:?} passed inference"),
    }
}

/// The operands of an operation on two integers.
fn two(x: &[Scalar]) -> (i64, i64) {
    match x {
        [Scalar::I64(a), Scalar::I64(b)] => (*a, *b),
        other => unreachable!("bug: operands {other:?} passed inference"),
    }
}

/// Moves bits; the method of `Var` has the name of the operation.
macro_rules! shift {
    ($op:ident, $name:literal, $method:ident, $summary:literal, $outside:literal, |$x:ident, $amount:ident| $eval:expr,
     [$(([$first:expr, $second:expr], $value:expr)),+ $(,)?]) => {
        #[doc = concat!("The bits of ", $summary, ", elementwise; ", $outside, " if `y` is not in `0..64`, as in StableHLO.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 2;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                integers(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                let ($x, y) = two(x);
                let $amount = u32::try_from(y).ok().filter(|&y| y < i64::BITS);
                Scalar::I64($eval)
            }

            fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
                Partial::Zero
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                i.$method(x[0], x[1])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc {
                        summary: concat!("the bits of ", $summary, "; ", $outside, " if y is not in 0..64"),
                        derivative: "none",
                        accuracy: "exact",
                    },
                    floats: &[],
                    integers: &[$((&[$first, $second], $value)),+],
                    domain: &[(-9.0, 9.0), (-2.0, 66.0)],
                    ulps: 0,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }

        impl Var {
            #[doc = concat!("The bits of ", $summary, ", elementwise with broadcasting; see [`", stringify!($op), "`].")]
            ///
            #[doc = concat!("Takes `i64` of any shape; another dtype is an error. If `y` is not in `0..64` it gives ", $outside, ", as in StableHLO.")]
            ///
            /// ```
            /// use retrograd::{Var, jit};
            ///
            #[doc = concat!("let shift = jit(|x: Var, y: Var| x.", stringify!($method), "(y));")]
            /// let answers = [
            $(#[doc = concat!("    ([", stringify!($first), ", ", stringify!($second), "], ", stringify!($value), "),")])+
            /// ];
            /// for ([x, y], expected) in answers {
            ///     let z: i64 = shift.call(x, y)?;
            ///     assert_eq!(z, expected);
            /// }
            /// # Ok::<(), retrograd::Error>(())
            /// ```
            #[track_caller]
            pub fn $method(self, y: impl Operand) -> Var {
                apply_pair($op, self, y.var(self))
            }
        }
    };
}

shift! {
    ShiftLeft, "shift_left", shift_left, "`x << y`", "0", |x, amount| amount.map_or(0, |amount| x << amount),
    [([1, 0], 1), ([3, 4], 48), ([-1, 63], i64::MIN), ([1, 64], 0), ([1, -1], 0), ([5, i64::MIN], 0)]
}
shift! {
    ShiftRightLogical, "shift_right_logical", shift_right_logical, "`x >> y` with 0 from the left", "0",
    |x, amount| amount.map_or(0, |amount| (x.cast_unsigned() >> amount).cast_signed()),
    [([48, 4], 3), ([-1, 0], -1), ([-1, 1], i64::MAX), ([i64::MIN, 63], 1), ([-1, 64], 0), ([-1, -1], 0)]
}
shift! {
    ShiftRightArithmetic, "shift_right_arithmetic", shift_right_arithmetic, "`x >> y` with the sign from the left",
    "the sign in all bits", |x, amount| x >> amount.unwrap_or(i64::BITS - 1),
    [([48, 4], 3), ([-7, 1], -4), ([i64::MIN, 63], -1), ([i64::MAX, 64], 0), ([-5, 64], -1), ([-5, i64::MIN], -1)]
}

/// How many bits of an `i64` are set, in two's complement, elementwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Popcount;

impl Elementwise for Popcount {
    const NAME: &'static str = "popcount";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        integers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        Scalar::I64(one(x).count_ones().into())
    }

    fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
        Partial::Zero
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.popcount(x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "how many bits of x are set", derivative: "none", accuracy: "exact" },
            floats: &[],
            integers: &[(&[0], 0), (&[7], 3), (&[-1], 64), (&[i64::MIN], 1), (&[0x0123_4567_89ab_cdef], 32)],
            domain: &[(-9.0, 9.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Popcount> {
        vec![Popcount]
    }
}

impl Var {
    /// How many bits are set, elementwise; see [`Popcount`]. Takes `i64` of any shape; another dtype is an error.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let count = jit(Var::popcount);
    /// let counts: [i64; 3] = [count.call(0b1011)?, count.call(-1)?, count.call(i64::MIN)?];
    /// assert_eq!(counts, [3, 64, 1]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn popcount(self) -> Var {
        apply(Popcount, &[self])
    }

    /// The quotient `⌊x / y⌋` of integers, as Python's `//`, elementwise with broadcasting. The operator `/` truncates.
    ///
    /// Takes `i64`; another dtype is an error. Division by 0 gives -1, and `i64::MIN / -1` is `i64::MIN`, as with `/`.
    /// Always `x = y · x.div_floor(y) + x.rem_floor(y)` unless `y` is 0.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, y: Var| (x.div_floor(y), x.rem_floor(y)));
    /// for (x, y, expected) in [(7, 2, (3, 1)), (-7, 2, (-4, 1)), (7, -2, (-4, -1)), (-7, -2, (3, -1)), (-7, 0, (-1, -7))] {
    ///     let quotient_and_remainder: (i64, i64) = f.call(x, y)?;
    ///     assert_eq!(quotient_and_remainder, expected);
    /// }
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn div_floor(self, y: impl Operand) -> Var {
        let Some(Division { y, quotient, remainder }) = self.divided("div_floor", y) else { return Var::poisoned() };
        quotient - crosses(remainder, y).convert(DType::I64)
    }

    /// The remainder of integers with the sign of `y`, as Python's `%`, elementwise with broadcasting; see
    /// [`Var::div_floor`]. The operator `%` gives that with the sign of `x`.
    ///
    /// Takes `i64`; another dtype is an error. The remainder by 0 is `x`, and that of `i64::MIN` by -1 is 0, as with `%`.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var| x.rem_floor(3));
    /// let results: [i64; 3] = [f.call(-4)?, f.call(-3)?, f.call(4)?];
    /// assert_eq!(results, [2, 0, 1]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn rem_floor(self, y: impl Operand) -> Var {
        let Some(Division { y, remainder, .. }) = self.divided("rem_floor", y) else { return Var::poisoned() };
        crosses(remainder, y).select(remainder + y, remainder)
    }

    /// The quotient of integers that leaves [`Var::rem_euclid`], elementwise with broadcasting, as Rust's `div_euclid`.
    ///
    /// Takes `i64`; another dtype is an error. Division by 0 gives -1, and `i64::MIN / -1` is `i64::MIN`, as with `/`.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, y: Var| (x.div_euclid(y), x.rem_euclid(y)));
    /// for (x, y) in [(7i64, 4i64), (-7, 4), (7, -4), (-7, -4)] {
    ///     let quotient_and_remainder: (i64, i64) = f.call(x, y)?;
    ///     assert_eq!(quotient_and_remainder, (x.div_euclid(y), x.rem_euclid(y)));
    /// }
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn div_euclid(self, y: impl Operand) -> Var {
        let Some(Division { y, quotient, remainder }) = self.divided("div_euclid", y) else { return Var::poisoned() };
        // The sign of the divisor is 0 for a divisor of 0, whose quotient stays.
        remainder.less(0).select(quotient - y.sign(), quotient)
    }

    /// The remainder of integers that is 0 or above, elementwise with broadcasting, as Rust's `rem_euclid`.
    ///
    /// Takes `i64`; another dtype is an error. The remainder by 0 is `x`, and that of `i64::MIN` by -1 is 0, as with `%`.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, y: Var| x.rem_euclid(y));
    /// let results: [i64; 3] = [f.call(-7, 4)?, f.call(-7, -4)?, f.call(-7, 0)?];
    /// assert_eq!(results, [1, 1, -7]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn rem_euclid(self, y: impl Operand) -> Var {
        let Some(Division { y, remainder, .. }) = self.divided("rem_euclid", y) else { return Var::poisoned() };
        remainder.less(0).select(remainder + y.abs(), remainder)
    }

    /// What the operators give for integers.
    #[track_caller]
    fn divided(self, name: &'static str, y: impl Operand) -> Option<Division> {
        let y = y.var(self);
        if self.is_poisoned() || y.is_poisoned() {
            return None;
        }
        if let Some(other) = [self, y].iter().map(|x| x.dtype()).find(|&dtype| dtype != DType::I64) {
            let _method = trace::method(name, &[self, y]);
            trace::fail_at(format!("takes integers, but got {other}"));
            return None;
        }
        Some(Division { y, quotient: self / y, remainder: self % y })
    }
}

/// Truncated quotient and remainder.
struct Division {
    y: Var,
    quotient: Var,
    remainder: Var,
}

/// Whether a truncated remainder is on the other side of 0 than the divisor.
#[track_caller]
fn crosses(remainder: Var, y: Var) -> Var {
    remainder.not_equal(0) & y.not_equal(0) & (remainder ^ y).less(0)
}
