//! The operations, one file per family, everything about one in one place; and [`Var`], the handle with operators in
//! which users *and derivative rules* write.
//!
//! To add an operation: write its struct and its `Rules` (for an elementwise one, `Elementwise`) in the file of its
//! family, and its name in the list below and in the table of [`Op::cost`]. What is forgotten does not compile, or fails in
//! the table of tests.
//!
//! # Accuracy and time of the elementary functions
//!
#![doc = include_str!("accuracy.md")]
//!
//! # Accuracy of derivatives
//!
#![doc = include_str!("derivatives.md")]

mod arithmetic;
mod assembly;
mod bessel;
mod bits;
mod compare;
mod complex;
mod contract;
mod contract_rows;
mod control;
mod cost;
mod cumulative;
mod custom;
mod divergence;
mod elementary;
mod error_function;
mod evaluate;
mod example;
mod exponential_integral;
mod external;
mod extreme;
mod fourier;
mod gamma;
mod gather;
mod generic;
mod host;
mod incomplete;
mod indexing;
mod indices;
mod instructions;
#[doc(hidden)]
pub mod internals;
mod join;
mod keep_axes;
mod log_sums;
mod matrix;
#[cfg(feature = "nalgebra")]
mod nalgebra;
mod power;
mod range;
mod reduce;
pub(crate) mod region;
mod roles;
mod rounding;
mod rules;
mod search;
mod shape;
mod sign;
mod sinc;
mod slice;
mod sort;
mod source;
mod sparse;
mod spence;
mod statistics;
mod strong;
mod threefry;
pub(crate) mod trace;
mod var;
mod zeta;

use serde_json::Map;

pub use arithmetic::*;
pub(crate) use assembly::{Part, Rest};
pub use bessel::*;
pub use bits::*;
pub use compare::*;
pub use complex::*;
pub use contract::*;
pub(crate) use contract_rows::{keeps_order, of_unit_vectors};
pub use control::{Checkpoint, Cond, Revolve, Scan, Schedule, Switch, While};
pub use cost::*;
pub use cumulative::*;
pub use custom::{Custom, CustomRule};
pub use divergence::*;
pub use elementary::*;
pub use error_function::*;
pub use exponential_integral::*;
pub use external::External;
pub use extreme::*;
pub use fourier::{Fft, Irfft, Rfft};
pub(crate) use fourier::{fft_of, irfft_of, rfft_of};
pub use gamma::*;
pub use gather::*;
pub use incomplete::*;
pub use indexing::*;
pub use indices::{Indexing, OutOfBounds};
pub(crate) use instructions::{Code, Instruction, Instructions};
pub use join::*;
pub use log_sums::*;
pub use matrix::{
    BandedSolve, Expm, ExpmFrechet, ExpmMultiply, Logm, LogmFrechet, SolveContinuousAre, SolveDiscreteAre, SolveStein,
    SolveSylvester, Sqrtm, TridiagonalSolve,
};
pub use matrix::{Cholesky, CholeskyPullback, Factors, Inverse, Lu, Solve, TriangularSolve};
pub use matrix::{ComplexEig, ComplexEigh, ComplexLu, ComplexQr, ComplexSolve, ComplexSvd};
pub use matrix::{Eig, Eigh, Hessenberg, NullSpace, Pinv, Qr, Svd};
pub(crate) use matrix::{MatrixRoutine, small as small_matrices};
pub(crate) use matrix::{
    complex_eig_of, complex_eigh_of, complex_eigvals_of, complex_lu_of, complex_qr_of, complex_svd_of, interleaved,
};
pub(crate) use matrix::{
    default_fraction, eig_of, eigh_of, eigvals_of, hessenberg_of, null_space_of, pinv_of, products as matrix_products,
    qr_of, svd_of, symmetric_part,
};
pub(crate) use matrix::{lower_part, permutation, transposed, upper_part};
pub use power::*;
pub(crate) use range::{Range, of_region_inputs};
pub use reduce::*;
pub(crate) use roles::{ByRole, Flow, Roles};
pub use rounding::*;
pub(crate) use rules::*;
pub use rules::{Answer, Doc, Examples, Sample};
pub use search::*;
pub use shape::*;
pub use sign::*;
pub use sinc::*;
pub use slice::*;
pub use sort::*;
pub use spence::*;
pub(crate) use strong::strong_product;
pub use strong::{Strong, StrongFma, StrongMul};
pub use threefry::{Draw, Threefry};
pub(crate) use var::broadcast_shape;
pub use var::{Operand, Var};
pub use zeta::*;

use crate::error::{Error, IndexError, OperationError};
use crate::ir::{Mismatch, Operation, Signature, Types, mismatch};
use crate::value::{Array, Type};

impl Op {
    /// Operand types and signatures of regions → result types.
    ///
    /// ```
    /// use retrograd::op::{Add, Op};
    /// use retrograd::value::{DType, Type};
    ///
    /// let x = Type::new(DType::F64, [3]);
    /// assert_eq!(Op::from(Add).infer(&[x.clone(), x.clone()], &[]).unwrap()[0], x);
    /// assert!(Op::from(Add).infer(&[x], &[]).is_err());
    /// ```
    ///
    /// # Errors
    /// If the operation does not take such operands or regions.
    pub fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        if self.roles().is_none() {
            if !regions.is_empty() {
                return Err(mismatch!("takes no regions, but got {}", regions.len()));
            }
            if let Some(stack) = operands.iter().find(|ty| ty.stack) {
                return Err(mismatch!("takes arrays, but got {stack}"));
            }
        }
        self.infer_by_rule(operands, regions)
    }

    /// The reference semantics: the results on these operands.
    ///
    /// ```
    /// use retrograd::op::{Add, Op};
    /// use retrograd::value::Array;
    ///
    /// let (x, y) = (Array::scalar(1.5), Array::scalar(2.0));
    /// assert_eq!(Op::from(Add).eval(&[&x, &y])?, [Array::scalar(3.5)]);
    /// assert_eq!(Op::from(Add).eval(&[&x]).unwrap_err().to_string(), "add: takes 2 operands, but got 1");
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the operation does not take operands of these types, or holds regions, which only a graph has; and those of a
    /// function of the host.
    pub fn eval(&self, operands: &[&Array]) -> Result<Vec<Array>, Error> {
        let fail = |mismatch: Mismatch| OperationError {
            op: self.name().to_string(),
            requirement: mismatch.0,
            operands: Vec::new(),
            at: None,
        };
        if let Lowering::Control = self.lower() {
            return Err(fail(mismatch!("holds regions; evaluate a graph with interpret::run")).into());
        }
        let types: Vec<Type> = operands.iter().map(|x| x.ty()).collect();
        let results = self.infer(&types, &[]).map_err(fail)?;
        if let Some(ty) = results.iter().find(|ty| ty.checked_bytes().is_none()) {
            return Err(fail(mismatch!("the result {ty} is too large to be addressed")).into());
        }
        if let Lowering::External(op) = self.lower() {
            return Ok(op.call(operands, None)?);
        }
        let operands: Vec<Array> = operands.iter().map(|&x| x.clone().into_row_major()).collect();
        Ok(self.try_eval(&operands.iter().collect::<Vec<_>>(), &results)?)
    }

    /// Whether it may end in an error, whatever the types of its operands.
    pub(crate) fn may_fail(&self) -> bool {
        matches!(self.lower(), Lowering::Checked(_) | Lowering::External(_))
    }

    /// The reference semantics, on operands of the types from which these results were inferred.
    ///
    /// # Errors
    /// If the operation refuses what the operands hold.
    pub(crate) fn try_eval(&self, operands: &[&Array], results: &[Type]) -> Result<Vec<Array>, IndexError> {
        match self.lower() {
            Lowering::Checked(routine) => eval_checked(routine, operands, results),
            _ => Ok(self.eval_inferred(operands, results)),
        }
    }
}

/// A graph of these operations.
pub type Graph = crate::ir::Graph<Op>;

/// What an operation is held in: itself, or a box, so that the few with many parameters do not make every node large.
macro_rules! held {
    ($op:ident) => { $op };
    ($op:ident $holder:ident) => { $holder<$op> };
}

/// What an operation of that kind is made of.
macro_rules! code_of {
    (elementwise $op:ident, $i:expr, $x:expr) => {
        Code::code($op, $i, $x)
    };
    (structured $op:ident, $i:expr, $x:expr) => {{
        let _ = $op;
        unreachable!("bug: an operation that is not elementwise has no instructions")
    }};
}

macro_rules! is_elementwise {
    (elementwise) => {
        true
    };
    (structured) => {
        false
    };
}

/// The list of operations: those that are the same for each element, and those that are not.
macro_rules! operations {
    ($($kind:ident { $($op:ident $(in $holder:ident)?),* $(,)? })*) => {
        /// Any operation.
        ///
        /// There will be more, so that a `match` outside of this crate needs an arm for others.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Op {
            $($(
                #[doc = concat!("See [`struct@", stringify!($op), "`].")]
                $op(held!($op $($holder)?)),
            )*)*
        }

        $($(
            impl From<$op> for Op {
                fn from(op: $op) -> Op {
                    Op::$op(op.into())
                }
            }
        )*)*

        impl Op {
            /// The name in listings and files.
            pub fn name(&self) -> &'static str {
                match self { $($(Op::$op(_) => <$op as Rules>::NAME,)*)* }
            }

            fn infer_by_rule(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
                match self { $($(Op::$op(op) => <$op as Rules>::infer(op, operands, regions),)*)* }
            }

            /// The reference semantics of an operation that cannot fail.
            pub(crate) fn eval_inferred(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
                match self { $($(Op::$op(op) => <$op as Rules>::eval(op, operands, results),)*)* }
            }

            /// How the operation is differentiated.
            #[doc(hidden)]
            pub fn derivative(&self) -> Derivative<'_> {
                match self { $($(Op::$op(op) => <$op as Rules>::derivative(op),)*)* }
            }

            /// How the operation is applied to rows, all at once.
            #[doc(hidden)]
            pub fn batch(&self) -> Batching<'_> {
                match self { $($(Op::$op(op) => <$op as Rules>::batch(op),)*)* }
            }

            /// How the operation becomes native code.
            #[doc(hidden)]
            pub fn lower(&self) -> Lowering<'_> {
                match self { $($(Op::$op(op) => <$op as Rules>::lower(op),)*)* }
            }

            /// Whether it is the same for each element, by instructions.
            pub(crate) fn is_elementwise(&self) -> bool {
                match self { $($(Op::$op(_) => is_elementwise!($kind),)*)* }
            }

            /// The instructions for one element.
            ///
            /// # Panics
            /// If the operation is not elementwise.
            pub(crate) fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                match self { $($(Op::$op(op) => code_of!($kind op, i, x),)*)* }
            }

            fn parameters(&self) -> serde_json::Result<serde_json::Value> {
                match self { $($(Op::$op(op) => serde_json::to_value(op),)*)* }
            }

            fn parse(name: &str, parameters: serde_json::Value) -> Result<Op, Mismatch> {
                $($(
                    if name == <$op as Rules>::NAME {
                        return parse_op(parameters, &|x| serde_json::from_value::<$op>(x).map(Op::from));
                    }
                )*)*
                Err(mismatch!("there is no operation \"{name}\""))
            }

            /// Every operation's name, documentation and examples.
            pub fn table() -> Vec<(&'static str, Doc, Examples)> {
                vec![$($((<$op as Rules>::NAME, <$op as Rules>::doc(), <$op as Rules>::examples()),)*)*]
            }

            const NAMES: &'static [&'static str] = &[$($(<$op as Rules>::NAME,)*)*];
        }
    };
}

operations! {
    elementwise {
    // arithmetic
    Add,
    Sub,
    Mul,
    Div,
    Neg,
    Rem,
    Fma,
    Max,
    Min,
    Clamp,
    // sign
    Abs,
    Sign,
    Copysign,
    // rounding
    Floor,
    Ceil,
    Round,
    Trunc,
    // power
    IntegerPow,
    Pow,
    Sqrt,
    Rsqrt,
    Cbrt,
    Square,
    Reciprocal,
    Hypot,
    DirectionCosine,
    // elementary
    Exp,
    Exp2,
    Expm1,
    Log,
    Log2,
    Log10,
    Log1p,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Sech,
    Asinh,
    Acosh,
    Atanh,
    Logistic,
    TanhDerivative,
    LogisticDerivative,
    Atan2,
    // error_function
    Erf,
    Erfc,
    Erfcx,
    ErfInv,
    Ndtr,
    LogNdtr,
    Ndtri,
    Gaussian,
    NormalDensity,
    NormalHazard,
    ErfInvDerivative,
    NdtriDerivative,
    ErfcxDerivative,
    LogNdtrDerivative,
    // log_sums
    Entr,
    Logit,
    Softplus,
    Log1mexp,
    Xlogy,
    Xlog1py,
    Logaddexp,
    // gamma
    Gamma,
    Lgamma,
    Digamma,
    Polygamma,
    PolygammaDifference,
    Beta,
    Lbeta,
    // sinc
    Sinc,
    SincDerivative,
    // incomplete
    Igamma,
    Igammac,
    GammaDensity,
    IgammaGradA,
    Betainc,
    BetaDensity,
    BetaincGradA,
    BetaincGradB,
    // bessel
    BesselJ0,
    BesselJ1,
    BesselY0,
    BesselY1,
    BesselI0,
    BesselI1,
    BesselI0e,
    BesselI1e,
    BesselJn,
    BesselIn,
    BesselIne,
    BesselIneDerivative,
    // exponential_integral, spence, zeta, divergence
    Exp1,
    Expi,
    Spence,
    SpenceDerivative,
    Rgamma,
    Zeta,
    LogRatio,
    RelEntr,
    KlDiv,
    // compare
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Not,
    Xor,
    IsNan,
    IsFinite,
    Select,
    StopGradient,
    Convert,
    // bits
    ShiftLeft,
    ShiftRightLogical,
    ShiftRightArithmetic,
    Popcount,
    }
    structured {
    // shape
    Constant,
    Alias,
    BroadcastInDim in Box,
    Reshape in Box,
    Transpose in Box,
    // slice
    Slice in Box,
    Reverse in Box,
    ScatterSlices in Box,
    // gather
    Gather in Box,
    Scatter in Box,
    // join
    Pad in Box,
    Concatenate,
    Iota in Box,
    // reduce
    ReduceSum in Box,
    ReduceProd in Box,
    ReduceMax in Box,
    ReduceMin in Box,
    ReduceAnd in Box,
    ReduceOr in Box,
    // extreme
    ArgMax,
    ArgMin,
    // sort
    ArgSort in Box,
    // search
    SearchSorted in Box,
    // cumulative
    CumSum in Box,
    // contract
    DotGeneral in Box,
    // threefry
    Threefry in Box,
    // matrix
    // hessenberg, eig, eigh, svd, qr, pinv
    Hessenberg,
    Eig,
    Eigh,
    Svd,
    Qr,
    Pinv,
    NullSpace,
    Cholesky,
    CholeskyPullback,
    TriangularSolve,
    Lu,
    Solve,
    Inverse,
    //   exponential
    Expm,
    ExpmFrechet,
    ExpmMultiply,
    //   equations
    SolveSylvester,
    SolveStein,
    //   functions
    Sqrtm,
    Logm,
    LogmFrechet,
    //   riccati
    SolveContinuousAre,
    SolveDiscreteAre,
    //   complex
    ComplexEig,
    ComplexEigh,
    ComplexLu,
    ComplexQr,
    ComplexSolve,
    ComplexSvd,
    //   banded
    TridiagonalSolve,
    BandedSolve in Box,
    // fourier
    Fft,
    Rfft,
    Irfft,
    }
    elementwise {
    // strong
    StrongMul,
    StrongFma,
    }
    structured {
    StrongDot in Box,
    // control
    Cond,
    Switch,
    Checkpoint,
    While in Box,
    Scan in Box,
    Revolve in Box,
    // custom
    Custom,
    // external
    External in Box,
    }
}

/// Reads parameters. serde reads an operation without any from `null` only.
fn parse_op(
    parameters: serde_json::Value,
    read: &dyn Fn(serde_json::Value) -> serde_json::Result<Op>,
) -> Result<Op, Mismatch> {
    if let Ok(op) = read(serde_json::Value::Null) {
        return match parameters.as_object().and_then(|map| map.keys().next()) {
            None => Ok(op),
            Some(key) => Err(mismatch!("takes no parameters, but got \"{key}\"")),
        };
    }
    read(parameters).map_err(|error| mismatch!("{error}"))
}

impl Operation for Op {
    fn name(&self) -> &'static str {
        Op::name(self)
    }

    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        Op::infer(self, operands, regions)
    }

    fn attributes(&self) -> Map<String, serde_json::Value> {
        // A constant's elements are no parameters: listings abridge them, and files encode them apart.
        if self.constant().is_some() {
            return Map::new();
        }
        match self.parameters() {
            Ok(serde_json::Value::Object(map)) => map,
            _ => Map::new(),
        }
    }

    fn from_attributes(name: &str, attributes: Map<String, serde_json::Value>) -> Result<Op, Mismatch> {
        Op::parse(name, serde_json::Value::Object(attributes))
    }

    fn commutes(&self) -> bool {
        matches!(
            self,
            Op::Add(_)
                | Op::Mul(_)
                | Op::Max(_)
                | Op::Min(_)
                | Op::Eq(_)
                | Op::Ne(_)
                | Op::And(_)
                | Op::Or(_)
                | Op::Xor(_)
        )
    }

    fn constant(&self) -> Option<&Array> {
        if let Op::Constant(constant) = self { Some(&constant.value) } else { None }
    }

    fn from_constant(value: Array) -> Op {
        Constant { value: std::sync::Arc::new(value) }.into()
    }

    fn names() -> &'static [&'static str] {
        Op::NAMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_small() {
        // A million scalar nodes are a normal size, and each holds one.
        assert!(size_of::<Op>() <= 16, "{}", size_of::<Op>());
    }
}
