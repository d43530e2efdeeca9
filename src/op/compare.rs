//! Comparison, logic and choice, conversion between dtypes, and the end of derivatives, elementwise.

use std::ops;

use serde::{Deserialize, Serialize};

use super::instructions::{Code, Instructions};
use super::rules::{
    Answer, Batching, Derivative, Doc, Elementwise, Examples, Facts, Linear, Lowering, Partial, Rules, Sample,
    expect_arity, floats, same_dtype,
};
use super::trace::apply;
use super::var::{apply_pair, apply_triple};
use super::{Operand, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::value::{Array, DType, Element, Scalar, Type};

/// Compares with Rust's operator in whichever dtype the operands have.
macro_rules! comparison {
    ($op:ident, $name:literal, $method:ident, $operator:tt, $emit:ident, $symbol:literal, &[$((&[$first:expr, $second:expr], $value:tt)),+ $(,)?], $integers:expr) => {
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

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                i.$emit(x[0], x[1])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: concat!("x ", $symbol, " y"), derivative: "none", accuracy: "exact" },
                    floats: &[$((&[$first, $second], $value)),+],
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
            #[doc = concat!("`x ", $symbol, " y` as a traced `bool`, elementwise with broadcasting; see [`struct@", stringify!($op), "`].")]
            ///
            /// Takes two operands of one dtype, which may be any, or a number as the second. Other dtypes, and shapes that do
            /// not broadcast, are an error. Comparisons with NaN are those of IEEE 754, and -0 equals 0. A result that is
            /// `bool` carries no derivative.
            ///
            /// Rust's operators on scalars give a `bool` of the host instead, with a guard; see [`jit`](crate::jit).
            ///
            #[doc = super::example::example_of_bools!(
                "x: Var, y: Var", concat!("x.", stringify!($method), "(y)"), "[x, y]", "x, y",
                $(([$first, $second], $value)),+
            )]
            #[track_caller]
            pub fn $method(self, y: impl Operand) -> Var {
                apply_pair($op, self, y.var(self))
            }
        }
    };
}

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

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

/// Joins `bool`s, or the bits of integers, with Rust's operator.
macro_rules! logic {
    ($op:ident, $name:literal, $trait:ident, $method:ident, $operator:tt, $emit:ident, $symbol:literal, $integers:expr) => {
        #[doc = concat!("`x ", $symbol, " y` of `bool`s, or of each bit of `i64`s, elementwise.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 2;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                bools_or_integers(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                match x {
                    [Scalar::Bool(a), Scalar::Bool(b)] => Scalar::Bool(a $operator b),
                    [Scalar::I64(a), Scalar::I64(b)] => Scalar::I64(a $operator b),
                    other => unreachable!("bug: operands {other:?} passed inference"),
                }
            }

            fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
                Partial::Zero
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                i.$emit(x[0], x[1])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: concat!("x ", $symbol, " y"), derivative: "none", accuracy: "exact" },
                    floats: &[],
                    integers: $integers,
                    domain: &[(-9.0, 9.0), (-7.0, 7.0)],
                    ulps: 0,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }

        #[doc = concat!("`x ", $symbol, " y` of `bool`s, or of each bit of `i64`s; see [`struct@", stringify!($op), "`].")]
        impl ops::$trait for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: Var) -> Var {
                apply_pair($op, self, y)
            }
        }

        #[doc = concat!("`x ", $symbol, " y` with a number, as with an array of the dtype of `x`.")]
        impl ops::$trait<i64> for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: i64) -> Var {
                apply_pair($op, self, y.var(self))
            }
        }
    };
}

logic!(And, "and", BitAnd, bitand, &, and, "&",
    &[(&[0, 0], 0), (&[0, 1], 0), (&[1, 0], 0), (&[1, 1], 1), (&[12, 10], 8), (&[-1, i64::MIN], i64::MIN)]);
logic!(Or, "or", BitOr, bitor, |, or, "|",
    &[(&[0, 0], 0), (&[0, 1], 1), (&[1, 0], 1), (&[1, 1], 1), (&[12, 10], 14), (&[i64::MAX, i64::MIN], -1)]);
logic!(Xor, "xor", BitXor, bitxor, ^, xor, "^",
    &[(&[0, 0], 0), (&[0, 1], 1), (&[1, 0], 1), (&[1, 1], 0), (&[12, 10], 6), (&[-1, i64::MIN], i64::MAX)]);

fn bools_or_integers(operands: &[DType]) -> Result<DType, Mismatch> {
    same_dtype(operands, |dtype| matches!(dtype, DType::Bool | DType::I64), "bools or integers")
}

/// `!x` of `bool`s, or of each bit of `i64`s, elementwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Not;

impl Elementwise for Not {
    const NAME: &'static str = "not";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        bools_or_integers(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        match x[0] {
            Scalar::I64(a) => Scalar::I64(!a),
            other => Scalar::Bool(other == Scalar::Bool(false)),
        }
    }

    fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
        Partial::Zero
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.not(x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "!x", derivative: "none", accuracy: "exact" },
            floats: &[(&[0.0], 1.0), (&[1.0], 0.0)],
            integers: &[(&[0], -1), (&[1], -2), (&[-6], 5), (&[i64::MIN], i64::MAX)],
            domain: &[(-9.0, 9.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<Not> {
        vec![Not]
    }
}

/// `!x` of `bool`s, or of each bit of `i64`s; see [`struct@Not`].
impl ops::Not for Var {
    type Output = Var;
    #[track_caller]
    fn not(self) -> Var {
        apply(Not, &[self])
    }
}

/// Classifies floats with Rust's method.
macro_rules! predicate {
    ($op:ident, $name:literal, $method:ident, $summary:literal, |$i:ident, $x:ident| $code:expr, &[$((&[$at:expr], $value:tt)),+ $(,)?]) => {
        #[doc = concat!("Whether ", $summary, ", elementwise.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 1;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                floats(operands).map(|_| DType::Bool)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                Scalar::Bool(match x {
                    [Scalar::F64(a)] => a.$method(),
                    [Scalar::F32(a)] => a.$method(),
                    other => unreachable!("bug: operands {other:?} passed inference"),
                })
            }

            fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
                Partial::Zero
            }

            fn code<I: Instructions>(&self, $i: &mut I, $x: &[I::Reg]) -> I::Reg {
                $code
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: concat!("whether ", $summary), derivative: "none", accuracy: "exact" },
                    floats: &[$((&[$at], $value)),+],
                    integers: &[],
                    domain: &[(-2.0, 2.0)],
                    ulps: 0,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }

        impl Var {
            #[doc = concat!("Whether ", $summary, ", elementwise, as a traced `bool`; see [`struct@", stringify!($op), "`].")]
            ///
            /// Takes `f64` or `f32` of any shape; another dtype is an error. The result carries no derivative.
            ///
            #[doc = super::example::example_of_bools!(
                "x: Var", concat!("x.", stringify!($method), "()"), "x", "x", $(($at, $value)),+
            )]
            #[track_caller]
            pub fn $method(self) -> Var {
                apply($op, &[self])
            }
        }
    };
}

predicate! {
    IsNan, "is_nan", is_nan, "x is NaN",
    |i, x| i.is_nan(x[0]),
    &[(&[0.0], 0.0), (&[5e-324], 0.0), (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], 1.0)]
}
predicate! {
    IsFinite, "is_finite", is_finite, "x is neither infinite nor NaN",
    |i, x| {
        let infinity = i.constant_like(INF, x[0]);
        let magnitude = i.abs(x[0]);
        i.lt(magnitude, infinity)
    },
    &[(&[0.0], 1.0), (&[-f64::MAX], 1.0), (&[5e-324], 1.0), (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], 0.0)]
}

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

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.select(x[0], x[1], x[2])
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
    /// `x` where `self` holds, else `y`; elementwise with broadcasting. See [`struct@Select`].
    ///
    /// Takes a condition of `bool` and two operands of one dtype, which may be any. A number takes the dtype of the
    /// other; two numbers are `f64`. Other dtypes, and shapes that do not broadcast, are an error. The gradient of what is not chosen is 0, even where its derivative is NaN or
    /// infinite. Both operands are computed: [`cond`](crate::cond) computes one of two branches.
    ///
    /// ```
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// // At 0 the square root has no finite derivative, but it is not chosen there.
    /// let root = |x: Var| x.greater(0.0).select(x.sqrt(), 0.0);
    /// let (y, slope): (f64, f64) = jit(value_and_grad(root)).call(0.0)?;
    /// assert_eq!((y, slope), (0.0, 0.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn select(self, x: impl Operand, y: impl Operand) -> Var {
        let (x, y) = match (x.traced(), y.traced()) {
            (Some(x), _) => (x, y.var(x)),
            (None, Some(y)) => (x.var(y), y),
            (None, None) => {
                let like = Var::from(0.0);
                (x.var(like), y.var(like))
            }
        };
        apply_triple(Select, self, x, y)
    }
}

impl Var {
    /// `self` where it is above 0, else 0, elementwise; NaN for NaN. Takes numbers of any shape; `bool` is an error.
    /// The derivative is 1 above 0, 0 below and at 0.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, grad, jit};
    ///
    /// let y: Array1<f64> = jit(Var::relu).call(array![-1.0, 2.0])?;
    /// assert_eq!(y, array![0.0, 2.0]);
    /// assert_eq!(jit(grad(Var::relu)).call::<f64>(0.0)?, 0.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn relu(self) -> Var {
        let zero = self.full_like(0.0);
        self.less_equal(zero).select(zero, self)
    }
}

/// The value itself, which counts as a constant when derivatives are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StopGradient;

impl Elementwise for StopGradient {
    const NAME: &'static str = "stop_gradient";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        same_dtype(operands, |_| true, "any dtype")
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        x[0]
    }

    fn partial(&self, _: usize, _: &[Var], _: Var) -> Partial {
        Partial::Zero
    }

    fn code<I: Instructions>(&self, _: &mut I, x: &[I::Reg]) -> I::Reg {
        x[0]
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc { summary: "x, a constant to derivatives", derivative: "0", accuracy: "exact" },
            floats: &[(&[1.5], 1.5), (&[-0.0], -0.0), (&[NAN], NAN)],
            integers: &[(&[0], 0), (&[1], 1), (&[i64::MIN], i64::MIN)],
            domain: &[(-2.0, 2.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<StopGradient> {
        vec![StopGradient]
    }
}

/// The value as another dtype, elementwise, as Rust's `as` converts: to nearest between floats, truncated and saturated to
/// integers with 0 for NaN, and to `bool` by comparison with 0.
///
/// # Derivative
/// Linear between floats; the cotangent is converted back. There is none where either dtype is not of floating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convert {
    /// The result's dtype.
    pub dtype: DType,
}

impl Rules for Convert {
    const NAME: &'static str = "convert";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 1)?;
        Ok(smallvec::smallvec![operands[0].with_dtype(self.dtype)])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        vec![Array::collect(&results[0], operands[0].elements().map(|x| x.convert(self.dtype)))]
    }

    fn derivative(&self) -> Derivative<'_> {
        if self.dtype.is_float() { Derivative::Linear(self) } else { Derivative::Zero }
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Elementwise
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Elementwise
    }

    fn doc() -> Doc {
        Doc {
            summary: "x as another dtype, converted as by Rust's `as`",
            derivative: "the cotangent converted back, between floats; else none",
            accuracy: "correctly rounded to floats; truncated and saturated to integers",
        }
    }

    fn examples() -> Examples {
        let sample = |from: DType, to: DType| {
            let op = Convert { dtype: to }.into();
            Sample { op, operands: vec![(Type::new(from, [3, 5]), (1.1, 1.9))], regions: vec![] }
        };
        let samples = DType::ALL.into_iter().flat_map(|from| DType::ALL.map(|to| sample(from, to))).collect();
        Examples { answers: conversions().into(), samples }
    }
}

/// Known answers of conversions.
fn conversions() -> [Answer; 9] {
    let answer = |x: Array, y: Array| Answer {
        op: Convert { dtype: y.dtype() }.into(),
        operands: vec![x],
        results: vec![y],
        ulps: 0,
        regions: vec![],
    };
    [
        answer(vector([0.1, 1e-50, -0.0, 1e40, NAN]), vector([0.1f32, 0.0, -0.0, f32::INFINITY, f32::NAN])),
        answer(vector([0.1f32, -0.0, f32::NAN]), vector([0.10000000149011612, -0.0, NAN])),
        answer(
            vector([1.75, -1.75, -0.5, 1e30, -INF, NAN, 9223372036854774784.0]),
            vector([1, -1, 0, i64::MAX, i64::MIN, 0, 9223372036854774784]),
        ),
        answer(vector([2.5f32, -1e30, f32::NAN]), vector([2, i64::MIN, 0])),
        answer(
            vector([7, -7, i64::MAX, 9007199254740993, 9007199254740995]),
            vector([7.0, -7.0, 9223372036854775808.0, 9007199254740992.0, 9007199254740996.0]),
        ),
        answer(vector([7, i64::MAX, 16777217]), vector([7.0f32, 9223372036854775808.0, 16777216.0])),
        answer(vector([0.0, -0.0, 5e-324, NAN]), vector([false, false, true, true])),
        answer(vector([0, 2, 1 << 32]), vector([false, true, true])),
        answer(vector([true, false]), vector([1.0, 0.0])),
    ]
}

fn vector<T: Element>(elements: impl Into<Vec<T>>) -> Array {
    let elements = elements.into();
    Array::from_elements([elements.len()], elements).expect("bug: a vector of another length")
}

impl Linear for Convert {
    fn apply(&self, t: &[Var]) -> Var {
        t[0].convert(self.dtype)
    }

    fn transpose(&self, _: usize, operands: &[Type], ct: Var) -> Var {
        ct.convert(operands[0].dtype)
    }

    fn transpose_mask(&self, _: usize, _: &[Type], mask: Var) -> Option<Var> {
        Some(mask)
    }
}

impl Code for Convert {
    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.convert(x[0], self.dtype)
    }
}

impl Var {
    /// The same value, which counts as a constant when derivatives are taken; see [`StopGradient`]. Takes any type.
    ///
    /// ```
    /// use retrograd::{Var, grad, jit};
    ///
    /// let slope: f64 = jit(grad(|x: Var| x * x.stop_gradient())).call(3.0)?;
    /// assert_eq!(slope, 3.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn stop_gradient(self) -> Var {
        apply(StopGradient, &[self])
    }

    /// The value as another dtype, elementwise, as Rust's `as` converts: to nearest between floats, truncated and
    /// saturated to integers with 0 for NaN, and to `bool` by comparison with 0. See [`Convert`].
    ///
    /// Takes any type. Between floats the derivative is converted back; where either dtype is not of floating point
    /// there is none.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::value::DType;
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<i64> = jit(|x: Var| x.convert(DType::I64)).call(array![1.75, -1.75, f64::NAN])?;
    /// assert_eq!(y, array![1i64, -1, 0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn convert(self, dtype: DType) -> Var {
        apply(Convert { dtype }, &[self])
    }
}
