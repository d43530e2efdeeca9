//! Which code belongs to which kernel: what the program calls in order, and what is timed and told of apart.

use smallvec::SmallVec;

use crate::emit::FunctionId;
use crate::ir::NodeId;

/// The code of one kernel.
#[derive(Default)]
pub(super) struct KernelCode {
    pub steps: SmallVec<[Step; 1]>,
    /// For each region that is a program of its own, the code of its kernels.
    pub regions: Vec<Vec<KernelCode>>,
}

/// What is run as a whole.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// A function.
    Call(FunctionId),
    /// A routine, whose address stands in the base table, before that of its operands and results.
    Library { node: NodeId, base: u32 },
}
