//! The code of a plan, and which of it belongs to which kernel: what the program calls in order, and what is timed and told
//! of apart.

use std::sync::Arc;

use smallvec::SmallVec;

use super::control::{self, Case, Emitted};
use super::{loops, scalar};
use crate::compile::memory::{MemoryPlan, RegionMemory};
use crate::compile::runtime::{Hosts, Kept, LibraryCall, Slice, Step};
use crate::compile::schedule::{CHUNK, Kernel, Schedule, describe};
use crate::emit::{Emitter, FunctionId, Module, position};
use crate::error::Error;
use crate::interpret::too_many_iterations;
use crate::ir::{NodeId, results_of};
use crate::op::{Layout, Op};

/// The code of one kernel.
#[derive(Default)]
pub struct KernelCode {
    pub steps: SmallVec<[Step; 1]>,
    /// For each region that is a program of its own, the code of its kernels.
    pub regions: Vec<Vec<KernelCode>>,
}

/// About the number of instructions that an item of a loop nest takes, unrolled.
const INSTRUCTIONS_PER_ITEM: usize = 20;

/// The code of a plan.
pub struct Emission {
    pub entry: FunctionId,
    pub libraries: Vec<Arc<LibraryCall>>,
    pub kernels: Vec<KernelCode>,
}

/// Emits all kernels, and a function that calls them in order.
pub fn emit<'j>(
    module: &mut Module<'j>,
    schedule: &'j Schedule<'_>,
    plan: &'j MemoryPlan,
    kept: &mut Kept,
) -> Result<Emission, Error> {
    let mut kernels: Vec<KernelCode> = Vec::with_capacity(schedule.kernels.len());
    let mut libraries = Vec::new();
    for (k, kernel) in schedule.kernels.iter().enumerate() {
        let mut code = KernelCode::default();
        match kernel {
            Kernel::Scalar(line) => {
                for (segment, spills) in line.segments().zip(&plan.spills[&k]) {
                    module.describe(|| describe::straight_line(schedule, segment.ops));
                    let emit = move |e: &mut Emitter<'_>| scalar::emit(e, schedule, plan, segment.ops, spills);
                    code.steps.push(Step::Call(module.straight_line(segment.work, emit)));
                }
            }
            Kernel::Loop(nest) => {
                module.describe(|| describe::nest(schedule, nest));
                let emit = move |e: &mut Emitter<'_>| loops::emit(e, schedule, plan, k, nest);
                let size = INSTRUCTIONS_PER_ITEM * nest.items.len();
                let function =
                    if nest.is_long() { module.long_loop(size, emit) } else { module.function_later(size, emit) };
                code.steps.push(Step::Call(function));
            }
            Kernel::Library(node) => {
                let base = plan.first_library(schedule) + 2 * position(libraries.len());
                code.steps.push(Step::Library { node: *node, base });
                libraries.push(Arc::new(library_call(schedule, plan, *node, &kept.hosts)));
            }
            Kernel::Control(node) if schedule.controls[&k].in_registers => {
                module.describe(|| describe::control(schedule, k, &[]));
                let (limits, in_blocks) = (&mut kept.limits, !module.is_quick());
                let function =
                    module.in_registers(|e| control::emit_in_registers(e, schedule, plan, *node, limits, in_blocks));
                code.steps.push(Step::Call(function));
            }
            Kernel::Control(node) => {
                let memory = &plan.controls[&k];
                kept.drivers.extend(memory.driver.clone());
                let mut regions: Vec<Emitted> = Vec::new();
                for (schedule, memory) in schedule.controls[&k].regions.iter().zip(&memory.regions) {
                    let (region, kernels) = region(module, schedule, memory, kept)?;
                    regions.push(region);
                    code.regions.push(kernels);
                }
                let node = schedule.graph.node(*node);
                if let Some(Op::Switch(_)) = node.op() {
                    code.steps.push(Step::Call(switch(module, schedule, plan, k, &regions)));
                    kernels.push(code);
                    continue;
                }
                module.describe(|| describe::control(schedule, k, &entries(&regions)));
                let mut limit = None;
                if let Some(Op::While(op)) = node.op()
                    && op.max_trips.is_some()
                {
                    limit = Some(kept.limits.len());
                    kept.limits.push(too_many_iterations(op, node.provenance()));
                }
                code.steps.push(Step::Call(module.function(|e| control::emit(e, schedule, plan, k, &regions, limit))));
            }
        }
        kernels.push(code);
    }
    let entry = drive(module, schedule, &kernels);
    Ok(Emission { entry, libraries, kernels })
}

/// The most cases that one function distinguishes. A function of all branches would grow without bound, and its compilation
/// faster than it.
const MAX_CASES: usize = 64;

/// A `switch`: a function where there are few branches, and a tree of functions where there are many.
fn switch(
    module: &mut Module<'_>,
    schedule: &Schedule<'_>,
    plan: &MemoryPlan,
    kernel: usize,
    regions: &[Emitted],
) -> FunctionId {
    let mut function = |cases: &[Case], called: &[Emitted]| {
        module.describe(|| describe::control(schedule, kernel, &entries(called)));
        module.function(|e| control::emit_cases(e, schedule, plan, kernel, regions, cases))
    };
    let mut cases = control::cases(&schedule.controls[&kernel]);
    while cases.len() > MAX_CASES {
        cases = cases.chunks(MAX_CASES).map(|group| Case::of_all(group, function(group, &[]))).collect();
    }
    function(&cases, regions)
}

/// A function that runs all kernels in order.
fn drive(module: &mut Module<'_>, schedule: &Schedule<'_>, kernels: &[KernelCode]) -> FunctionId {
    let steps: Vec<Step> = kernels.iter().flat_map(|kernel| &kernel.steps).copied().collect();
    if let [Step::Call(only)] = steps[..] {
        return only;
    }
    // The driver too is cut: a call is few instructions, but a million operations are many calls.
    let mut drivers = Vec::new();
    for steps in steps.chunks(CHUNK) {
        module.describe(|| {
            describe::calls(steps.iter().map(|step| match *step {
                Step::Call(function) => function.to_string(),
                Step::Library { node, .. } => schedule.graph.line(node),
            }))
        });
        drivers.push(module.function(|e| {
            for step in steps {
                match *step {
                    Step::Call(function) => e.call_function(function),
                    Step::Library { base, .. } => e.call_through(base, base + 1),
                }
            }
        }));
    }
    if let [only] = drivers[..] {
        return only;
    }
    module.describe(|| describe::calls(drivers.iter().map(FunctionId::to_string)));
    module.function(|e| drivers.iter().for_each(|&driver| e.call_function(driver)))
}

/// Emits a region. What its table refers to is kept with the program.
fn region<'j>(
    module: &mut Module<'j>,
    schedule: &'j Schedule<'_>,
    memory: &'j RegionMemory,
    kept: &mut Kept,
) -> Result<(Emitted, Vec<KernelCode>), Error> {
    let Emission { entry, libraries, kernels } = emit(module, schedule, &memory.plan, kept)?;
    let mut constants = Vec::new();
    for &id in &memory.plan.constants {
        let constant = schedule.constant(schedule.value(id)).expect("bug: a constant without a value").clone();
        constants.push(constant.as_ptr() as usize);
        kept.constants.push(constant);
    }
    constants.extend(kept.keep_numbers(&memory.plan.numbers));
    let addresses = libraries.iter().map(|call| std::ptr::from_ref(&**call) as usize).collect();
    kept.libraries.extend(libraries);
    Ok((Emitted { entry, constants, libraries: addresses }, kernels))
}

fn entries(regions: &[Emitted]) -> Vec<String> {
    regions.iter().map(|region| region.entry.to_string()).collect()
}

/// The call of a routine, whose operands and results are where the plan says.
fn library_call(schedule: &Schedule<'_>, plan: &MemoryPlan, node: NodeId, hosts: &Hosts) -> LibraryCall {
    let operands = schedule.graph.operands(node).into_iter().map(|x| {
        let access = schedule.access(x);
        Slice::new(plan.place(access.root), schedule.ty(x).dtype, access.layout)
    });
    let results = results_of(schedule.graph, node).map(|y| {
        let ty = schedule.ty(y);
        Slice::new(plan.place(schedule.id(y)), ty.dtype, Layout::row_major(&ty.shape))
    });
    let op = schedule.graph.op(node).clone();
    let at = schedule.graph.node(node).provenance().at.as_ref();
    LibraryCall::new(op, operands.collect(), results.collect(), hosts, (node, at))
}
