//! Evaluation of elements in whichever dtype they have, and NaN in derivatives.

use super::Var;
use crate::math;
use crate::value::Scalar;

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

/// A function of one variable in whichever floating-point dtype the operand has.
pub(super) fn eval_math1(f: math::Unary, x: &[Scalar]) -> Scalar {
    match x {
        [Scalar::F64(x)] => Scalar::F64(f.f64(*x)),
        [Scalar::F32(x)] => Scalar::F32(f.f32(*x)),
        other => unreachable!("bug: operands {other:?} passed inference"),
    }
}

/// A function of two variables in whichever floating-point dtype the operands have.
pub(super) fn eval_math2(f: math::Binary, x: &[Scalar]) -> Scalar {
    match x {
        [Scalar::F64(x), Scalar::F64(y)] => Scalar::F64(f.f64(*x, *y)),
        [Scalar::F32(x), Scalar::F32(y)] => Scalar::F32(f.f32(*x, *y)),
        other => unreachable!("bug: operands {other:?} passed inference"),
    }
}

/// The partial derivative of a function whose result is `y`: NaN where that is, and so are the derivatives of this one.
pub(super) fn nan_where_nan(y: Var, partial: Var) -> Var {
    y.is_nan().select(y, partial)
}
