//! From graph to native code: the plan (which values live where, what fuses), then emission, then [`Program`], the safe
//! face of the code.
//!
//! ```
//! use retrograd::value::{Array, DType};
//! use retrograd::{Program, Var, trace};
//!
//! let graph = trace(|x: Var| (x * x).sum(), (retrograd::value::Type::new(DType::F64, [3]),))?;
//! let program = Program::compile(&graph)?;
//! let x = Array::from_elements([3], vec![1.0, 2.0, 3.0]).unwrap();
//! assert_eq!(program.call(&[x])?, [Array::scalar(14.0)]);
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! A program may take up to 2⁴⁷ bytes of working memory, and its values up to as many; what is beyond that, or takes more
//! than the system gives, or what loops save beyond [`Program::with_loop_memory`], is a typed error before anything is
//! allocated.

#![deny(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]

mod abi;
mod codegen;
mod extents;
mod inspect;
mod machine;
mod memory;
mod program;
mod report;
mod runtime;
mod schedule;
mod tier;

pub use inspect::Inspection;
pub use machine::Machine;
pub use memory::{CheckLimits, PlanCheck, PlanFault, check_plan};
pub use program::Program;
pub use report::{Iterations, KernelKind, KernelReport, Location, ReadReport, RegionReport, Report, StepReport};

pub(crate) use self::runtime::zeros;
pub use crate::emit::FunctionText;
