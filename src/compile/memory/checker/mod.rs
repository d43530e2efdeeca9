//! The checker of finished plans: an independent reading of what will run, before it runs.
//!
//! It replays a plan on an abstract memory. In place of a number each element holds a *token* that says which element of
//! which value of the graph it is ([`Meaning`]); a kernel reads tokens where the plan says that its operands are, and
//! writes those of its results. What it proves is that
//!
//! 1. every read finds the element that the graph means, whole, and written before: through views, in place of another
//!    array, in parts that are assembled, from tiles, frames, tables and registers;
//! 2. every access lies within its buffer: arena, frame, input, output, constant, and what a loop needs besides;
//! 3. within a loop, whose elements go side by side in lanes, no element is read or written at one index and written at
//!    another;
//! 4. what a routine or a region writes overlaps with nothing that it reads;
//! 5. every output is written in full.
//!
//! It shares with emission what is emitted ([`Nest`](super::nest::Nest), the register allocation) and nothing of how that
//! was found: where the elements of a view are is asked of the operation's reference semantics. What it cannot see is
//! whether code is emitted as planned; that the bits of interpreter and native code are compared for.

mod meaning;
mod memory;
mod replay;

use std::fmt;

pub use self::replay::CheckLimits;
use super::allocate::allocate;
use super::plan::MemoryPlan;
use crate::compile::schedule::Schedule;
use crate::error::{CompileError, Error};
use crate::op::Graph;
use crate::optimize::compiled_form;

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFault {
    /// The graph, or the region of it.
    pub graph: String,
    /// The number of the kernel in the order in which they run; none if it is about the whole.
    pub kernel: Option<usize>,
    /// What was found.
    pub message: String,
}

impl fmt::Display for PlanFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the memory plan of {} is wrong: ", self.graph)?;
        if let Some(kernel) = self.kernel {
            write!(f, "kernel {kernel}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for PlanFault {}

impl From<PlanFault> for Error {
    fn from(fault: PlanFault) -> Error {
        CompileError { message: format!("bug: {fault}") }.into()
    }
}

/// What the checker found of a plan that has no fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanCheck {
    /// The kernels that were replayed, those of regions included.
    pub n_kernels: usize,
    /// The reads that were proved.
    pub n_reads: u64,
    /// The kernels, or whole regions, that were too large to replay.
    pub n_skipped: usize,
}

/// Plans a graph, as [`Program::compile`](crate::Program::compile) does, and proves that its plan is right: that every
/// read finds the element that the graph means, and that every access lies within its buffer. With debug assertions, small
/// plans are checked at every compilation.
///
/// ```
/// use retrograd::compile::{CheckLimits, check_plan};
/// use retrograd::value::{DType, Type};
/// use retrograd::{Var, trace};
///
/// let symmetric = |x: Var| {
///     let x = x.exp();
///     x + x.t()
/// };
/// let graph = trace(symmetric, (Type::new(DType::F64, [8, 8]),))?;
/// let check = check_plan(&graph, CheckLimits::default())?;
/// assert!(check.n_reads > 128 && check.n_skipped == 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the plan is wrong, which is a defect of retrograd.
pub fn check_plan(graph: &Graph, limits: CheckLimits) -> Result<PlanCheck, PlanFault> {
    // Where a limit of graphs is exceeded there is no plan.
    let Ok(graph) = compiled_form(graph) else { return Ok(PlanCheck { n_skipped: 1, ..PlanCheck::default() }) };
    let schedule = Schedule::new(&graph);
    let plan = allocate(&schedule, false);
    check(&schedule, &plan, limits)
}

/// Replays a plan, and the plans of its regions.
pub fn check(schedule: &Schedule<'_>, plan: &MemoryPlan, limits: CheckLimits) -> Result<PlanCheck, PlanFault> {
    replay::check(schedule, plan, limits)
}

#[cfg(test)]
mod tests;
