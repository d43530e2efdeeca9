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

mod address;
mod allocate;
mod buffers;
mod calls;
mod checker;
mod cascade;
mod code;
mod control;
mod element;
mod inspect;
mod library;
mod loops;
mod machine;
mod nest;
mod parts;
mod plan;
mod program;
mod registers;
mod report;
mod residence;
mod revolve;
mod rows;
mod scalar;
mod stacks;
mod tier;

pub use checker::{CheckLimits, PlanCheck, PlanFault, check_plan};
pub use inspect::Inspection;
pub use machine::Machine;
pub use program::Program;
pub use report::{Home, KernelKind, KernelReport, ReadReport, RegionReport, Report, StepReport, Trips};

pub use crate::emit::FunctionText;
