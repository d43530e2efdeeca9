use std::borrow::Cow;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::abi::{Entry, Line, Status};
use super::codegen::{Emission, KernelCode, emit};
use super::extents;
use super::memory::{CheckLimits, MemoryPlan, allocate, check};
use super::runtime::{
    Addresses, Buffers, Executable, Hosts, Kept, Views, call_library, take_failure, unfit_buffers, zeros,
};
use super::schedule::{Schedule, makes_stacks};
use super::tier::OptimizedTier;
use crate::emit::{FunctionText, MAX_BYTES, Mode, Module};
use crate::error::{ArgumentError, Error, GuardMiss, LimitError, MemoryError, SourceLine};
use crate::interpret::{DEFAULT_LOOP_BYTES, check_input_types, too_much_loop_memory};
use crate::op::Graph;
use crate::optimize::compiled_form;
use crate::stack;
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// A graph as native code, ready to be called from any thread.
///
/// Compilation does not optimize: give it the result of [`optimize`](crate::optimize::optimize). Only where a graph has
/// functions with rules of their own for their derivatives, these are inlined and the result is optimized, since code has
/// no derivative. A call allocates
/// nothing but its results, and with [`Program::call_into`] not even those; its working memory is kept between calls.
pub struct Program {
    /// What takes the place of the code once it is there. It is dropped first, so that work on it ends at once.
    pub(super) optimized: Option<OptimizedTier<Program>>,
    name: String,
    inputs: Vec<(String, Type)>,
    outputs: Vec<(String, Type)>,
    guards: Vec<(bool, Option<SourceLine>)>,
    executable: Executable,
    /// How many bytes loops may save.
    loop_bytes: usize,
    scalars_only: bool,
}

/// A program, and what it was made by.
pub(super) struct Built<'g> {
    pub program: Program,
    /// The functions' texts, if the module kept them.
    pub functions: Vec<FunctionText>,
    pub schedule: Schedule<'g>,
    pub plan: MemoryPlan,
    pub kernels: Vec<KernelCode>,
}

/// Fewer operations in long code are compiled in about a millisecond.
const MIN_TIERED_WORK: usize = 250;

impl Program {
    /// Compiles a graph as it is, or, if it holds functions with rules of their own for derivatives, its
    /// [`compiled_form`](crate::optimize::compiled_form).
    ///
    /// # Errors
    /// If Cranelift has no backend for this machine, or the system refuses the memory; or if the graph asks for what no
    /// machine has: a value, or working memory, of more than 2⁴⁷ bytes, a loop of 2⁶³ iterations, or regions that are used so
    /// often that there are more than ten million nodes.
    pub fn compile(graph: &Graph) -> Result<Program, Error> {
        stack::for_levels(graph.depth(), || {
            let graph = compilable(graph)?;
            Ok(Program::build(&graph, Mode::default())?.program)
        })
    }

    /// Compiles a graph so that the first call can be made soon: code on scalars and small arrays is compiled in about half
    /// the time, and runs at about half the speed. Meanwhile one thread for all programs compiles better code, which takes
    /// the other's place when it is there. Both give the same bits. Loops over large arrays are as [`Program::compile`]
    /// makes them from the start, but for those of some fifty operations and more, and a program without much else is final
    /// at once.
    ///
    /// ```
    /// use retrograd::value::DType;
    /// use retrograd::{Program, Var, trace};
    ///
    /// let graph = trace(|x: Var| (0..1000).fold(x, |y, _| (y * x).sin()), (DType::F64,))?;
    /// let program = Program::compile_tiered(graph)?;
    /// let (mut soon, mut later) = ([0.0], [0.0]);
    /// program.call_scalars(&[0.5], &mut soon)?;
    /// while !program.is_final() {
    ///     std::thread::yield_now();
    /// }
    /// program.call_scalars(&[0.5], &mut later)?;
    /// assert_eq!(soon, later);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn compile_tiered(graph: impl Into<Arc<Graph>>) -> Result<Program, Error> {
        let graph = graph.into();
        stack::for_levels(graph.depth(), || Program::build_tiered(graph))
    }

    fn build_tiered(mut graph: Arc<Graph>) -> Result<Program, Error> {
        if let Cow::Owned(compilable) = compilable(&graph)? {
            graph = Arc::new(compilable);
        }
        // Both tiers call the same functions of the host.
        let hosts = Hosts::of(&graph)?;
        let schedule = Schedule::new(&graph);
        if schedule.work_in_long_code() < MIN_TIERED_WORK {
            return Ok(Program::build_planned(schedule, Mode::default(), hosts)?.program);
        }
        let mode = Mode { quick: true, ..Mode::default() };
        let quick = Program::build_planned(schedule, mode, hosts.clone())?.program;
        let better = move |abandoned: &AtomicBool| {
            let mode = Mode { background: Some(abandoned), ..Mode::default() };
            let build = || Program::build_planned(Schedule::new(&graph), mode, hosts);
            stack::for_levels(graph.depth(), build).ok().map(|built| built.program)
        };
        Ok(Program { optimized: Some(OptimizedTier::start(better)), ..quick })
    }

    /// Whether the code will not be replaced by better code any more; always so unless the program comes from
    /// [`Program::compile_tiered`].
    pub fn is_final(&self) -> bool {
        self.optimized.as_ref().is_none_or(OptimizedTier::is_decided)
    }

    /// Compiles a graph that [`compilable`] returned.
    pub(super) fn build<'g>(graph: &'g Graph, mode: Mode<'_>) -> Result<Built<'g>, Error> {
        let hosts = Hosts::of(graph)?;
        Program::build_planned(Schedule::new(graph), mode, hosts)
    }

    fn build_planned<'g>(schedule: Schedule<'g>, mode: Mode<'_>, hosts: Hosts) -> Result<Built<'g>, Error> {
        let plan = allocate(&schedule, mode.background.is_none());
        check_memory(schedule.graph, &plan)?;
        if cfg!(debug_assertions)
            && let Err(fault) = check(&schedule, &plan, CheckLimits::SHORT)
        {
            panic!("bug: {fault}");
        }
        Program::build_allocated(schedule, plan, mode, hosts)
    }

    /// Makes the code of a plan whose values have their places.
    pub(super) fn build_allocated<'g>(
        schedule: Schedule<'g>,
        plan: MemoryPlan,
        mode: Mode<'_>,
        hosts: Hosts,
    ) -> Result<Built<'g>, Error> {
        let graph = schedule.graph;
        let mut kept = Kept { hosts, ..Kept::default() };
        let mut module = Module::new(mode)?;
        let Emission { entry, libraries, kernels } = emit(&mut module, &schedule, &plan, &mut kept)?;
        let (code, functions) = module.finish()?;
        // SAFETY: compiled functions have this signature, and the code lives as long as the program.
        let entry = unsafe { std::mem::transmute::<*const u8, Entry>(code.address(entry)) };
        let constant =
            |&id: &usize| schedule.constant(schedule.value(id)).expect("bug: a constant without a value").clone();
        let constants: Vec<Array> = plan.constants.iter().map(constant).collect();
        let mut fixed: Vec<usize> = constants.iter().map(|constant| constant.as_ptr() as usize).collect();
        fixed.extend(kept.keep_numbers(&plan.numbers));
        for call in &libraries {
            fixed.push(call_library as *const () as usize);
            fixed.push(std::ptr::from_ref(&**call) as usize);
        }
        let ty = |value| graph.ty(value).clone();
        let inputs: Vec<_> =
            graph.inputs().iter().map(|input| (input.name.to_string(), ty(input.node.into()))).collect();
        let outputs: Vec<_> =
            graph.outputs().iter().map(|output| (output.name.to_string(), ty(output.value))).collect();
        let scalar = |(_, ty): &(String, Type)| *ty == Type::scalar(DType::F64);
        let n_entries = plan.n_entries(&schedule, libraries.len());
        kept.libraries.extend(libraries);
        let scratch_bytes = kept.libraries.iter().map(|call| call.scratch_bytes).max().unwrap_or(0);
        let arena_lines = plan.arena_bytes.div_ceil(size_of::<Line>());
        let frame_lines = (8 * plan.frame_slots).div_ceil(size_of::<Line>());
        let routines = makes_stacks(graph) || !kept.libraries.is_empty();
        let program = Program {
            name: graph.name().to_string(),
            scalars_only: inputs.iter().all(scalar) && outputs.iter().all(scalar),
            inputs,
            outputs,
            guards: graph.guards().iter().map(|guard| (guard.expect, guard.at.clone())).collect(),
            executable: Executable {
                is_small: !routines && Executable::fits_on_stack(arena_lines + frame_lines, n_entries),
                is_poisoned: false,
                n_entries,
                code,
                entry,
                fixed: fixed.into_boxed_slice(),
                constants,
                kept,
                row_bytes: plan.row_bytes,
                state_bytes: plan.controls.values().map(|control| control.state_bytes).max().unwrap_or(0),
                scratch_bytes,
                arena_lines,
                frame_lines,
                memory: Mutex::new(Vec::new()),
            },
            loop_bytes: usize::try_from(DEFAULT_LOOP_BYTES).unwrap_or(usize::MAX),
            optimized: None,
        };
        Ok(Built { program, functions, schedule, plan, kernels })
    }

    /// The name of the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names and types of the inputs.
    pub fn inputs(&self) -> &[(String, Type)] {
        &self.inputs
    }

    /// The names and types of the outputs.
    pub fn outputs(&self) -> &[(String, Type)] {
        &self.outputs
    }

    /// The bytes of working memory that one call uses.
    pub fn memory_bytes(&self) -> usize {
        self.executable.memory_bytes()
    }

    /// Limits the memory that loops may use for what they save for the reverse mode; 4 GiB unless told otherwise. Beyond
    /// it a call ends in an error, before anything runs where the sizes are known: those of the rows that [`scan`] and
    /// [`fori_loop`] collect, other than into outputs, and of the states that a [`Loop::checkpoint`] keeps.
    ///
    /// ```
    /// use retrograd::value::{Array, DType};
    /// use retrograd::{Program, Var, differentiate, fori_loop, trace};
    ///
    /// let graph = trace(|x: Var| fori_loop(1000, x, |_, y| (y * 0.5).sin()), (DType::F64,))?;
    /// let gradient = differentiate::grad(&graph, 0, &[0])?;
    /// let x = [Array::scalar(0.5)];
    /// assert!(Program::compile(&gradient)?.with_loop_memory(16_000).call(&x).is_ok());
    /// let error = Program::compile(&gradient)?.with_loop_memory(1_000).call(&x).unwrap_err();
    /// assert!(error.to_string().starts_with("limit of 1000 bytes that loops save for the reverse mode exceeded"));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// [`scan`]: crate::scan
    /// [`fori_loop`]: crate::fori_loop
    /// [`Loop::checkpoint`]: crate::Loop::checkpoint
    pub fn with_loop_memory(self, bytes: usize) -> Program {
        Program { loop_bytes: bytes, ..self }
    }

    /// Limits the memory that a call may take, beside its inputs: its results, working memory, that of routines such as
    /// products of matrices, and what loops save, as far as [`Program::with_loop_memory`] allows.
    ///
    /// ```
    /// use retrograd::value::{DType, Type};
    /// use retrograd::{Program, Var, trace};
    ///
    /// let graph = trace(|x: Var| x.exp(), (Type::new(DType::F64, [1000]),))?;
    /// assert!(Program::compile(&graph)?.with_memory_limit(8_000).is_ok());
    /// let error = Program::compile(&graph)?.with_memory_limit(7_999).err().unwrap();
    /// assert_eq!(error.to_string(), "limit of 7999 bytes of memory for a run exceeded: got 8000");
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// If results and working memory alone are more. What loops save beyond the limit ends a call in an error.
    pub fn with_memory_limit(self, max_bytes: u64) -> Result<Program, LimitError> {
        let outputs = self.outputs.iter().map(|(_, ty)| ty.checked_bytes().map_or(u64::MAX, |bytes| bytes as u64));
        let own = self.memory_bytes().saturating_add(self.executable.scratch_bytes) as u64;
        let got = outputs.fold(own, u64::saturating_add);
        let Some(left) = max_bytes.checked_sub(got) else {
            return Err(LimitError {
                what: "bytes of memory for a run",
                limit: max_bytes,
                got: Some(got),
                place: None,
            });
        };
        // The rows of loops are a part of working memory.
        let for_loops = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(self.executable.row_bytes);
        Ok(Program { loop_bytes: self.loop_bytes.min(for_loops), ..self })
    }

    /// Fills the working memory with garbage before each call, so that what the code reads without having written it shows in
    /// the results. For tests.
    #[doc(hidden)]
    pub fn with_poisoned_memory(self) -> Program {
        Program { executable: Executable { is_small: false, is_poisoned: true, ..self.executable }, ..self }
    }

    /// The most bytes that loops have taken at one time, in all calls that have returned: for stacks, and for states that
    /// are computed once more. Arrays of rows are part of [`Program::memory_bytes`].
    pub fn peak_loop_bytes(&self) -> usize {
        self.executable.peak_loop_bytes().max(self.best().executable.peak_loop_bytes())
    }

    /// The bytes of machine code.
    pub fn code_bytes(&self) -> usize {
        self.best().executable.code.bytes()
    }

    /// The program whose code runs.
    #[inline]
    fn best(&self) -> &Program {
        self.optimized.as_ref().and_then(OptimizedTier::get).unwrap_or(self)
    }

    /// The bytes of the constants that the code reads from memory. Most of those of one element stand in the code itself.
    pub fn constant_bytes(&self) -> usize {
        self.executable.constant_bytes()
    }

    /// Runs the program.
    ///
    /// # Errors
    /// If the inputs are of other number or types than the program's, a guard does not hold, a loop exceeds a limit (its
    /// number of iterations, or the memory of what it saves), or the system does not give the memory.
    pub fn call(&self, inputs: &[Array]) -> Result<Vec<Array>, Error> {
        self.check_inputs(inputs)?;
        let mut outputs = self.outputs.iter().map(|(_, ty)| zeros(ty)).collect::<Result<Vec<Array>, _>>()?;
        let x = inputs.iter().map(|input| input.as_ptr().cast_mut());
        let y = outputs.iter_mut().map(Array::as_mut_ptr);
        // SAFETY: types have been checked, so at each address is as much memory as the plan expects, in row-major
        // order; inputs are only read, and outputs belong to this call.
        let status = unsafe { self.run(Addresses(x, y)) };
        self.outcome(status)?;
        Ok(outputs)
    }

    /// Builds types only to report them: this is on the path of every call.
    fn check_inputs(&self, inputs: &[Array]) -> Result<(), ArgumentError> {
        let fits = |((_, expected), got): (&(String, Type), &Array)| {
            expected.dtype == got.dtype() && expected.shape.extents() == got.shape() && got.is_row_major()
        };
        if inputs.len() == self.inputs.len() && self.inputs.iter().zip(inputs).all(fits) {
            return Ok(());
        }
        let expected = self.inputs.iter().map(|(name, ty)| (name.as_str(), ty));
        check_input_types(&self.name, expected, inputs.iter().map(Array::ty))?;
        let unordered = self.inputs.iter().zip(inputs).find(|(_, input)| !input.is_row_major());
        let ((name, _), _) = unordered.expect("bug: inputs that fit were refused");
        let requirement = "takes elements in row-major order; use Array::into_row_major".to_string();
        Err(ArgumentError::Value { name: name.clone(), requirement })
    }

    /// Runs the program, writing the results into the caller's buffers. Nothing is allocated.
    ///
    /// # Errors
    /// If inputs or outputs are of other number or types than the program's or not in row-major order, or a guard does
    /// not hold; the buffers may have been written to.
    pub fn call_into(&self, inputs: &[ArrayRef<'_>], outputs: &mut [ArrayMut<'_>]) -> Result<(), Error> {
        // SAFETY: the views are checked as they are written; the borrow checker keeps the outputs apart from each other and
        // from the inputs.
        let status = unsafe { self.run(self.views(inputs, outputs)) };
        if status == Status::Unfit.number() { Err(self.unfit(inputs, outputs)) } else { self.outcome(status) }
    }

    #[inline]
    fn views<'c, 'i, 'o>(&'c self, inputs: &'c [ArrayRef<'i>], outputs: &'c mut [ArrayMut<'o>]) -> Views<'c, 'i, 'o> {
        Views { expected: [&self.inputs, &self.outputs], inputs, outputs }
    }

    #[cold]
    fn unfit(&self, inputs: &[ArrayRef<'_>], outputs: &[ArrayMut<'_>]) -> Error {
        unfit_buffers(&self.name, [&self.inputs, &self.outputs], inputs, outputs).into()
    }

    /// Whether all inputs and outputs are scalars of `f64`, so that [`Program::call_scalars`] applies.
    pub fn scalars_only(&self) -> bool {
        self.scalars_only
    }

    /// Runs a program whose inputs and outputs are scalars of `f64`: the shortest way into the code.
    ///
    /// # Errors
    /// If the program is of another kind or has another number of inputs or outputs, or a guard does not hold.
    pub fn call_scalars(&self, inputs: &[f64], outputs: &mut [f64]) -> Result<(), Error> {
        if !self.scalars_only || inputs.len() != self.inputs.len() || outputs.len() != self.outputs.len() {
            return Err(self.no_such_scalars(inputs.len(), outputs.len()).into());
        }
        let x = inputs.iter().map(|x| std::ptr::from_ref(x).cast_mut().cast());
        let y = outputs.iter_mut().map(|y| std::ptr::from_mut(y).cast());
        // SAFETY: the numbers have been checked, and all types are scalars of `f64`.
        let status = unsafe { self.run(Addresses(x, y)) };
        self.outcome(status)
    }

    /// Why the program cannot be called with so many scalars.
    #[cold]
    fn no_such_scalars(&self, n_inputs: usize, n_outputs: usize) -> ArgumentError {
        for (what, expected, got) in [("inputs", &self.inputs, n_inputs), ("outputs", &self.outputs, n_outputs)] {
            if expected.len() != got {
                return ArgumentError::Count { of: format!("{} ({what})", self.name), expected: expected.len(), got };
            }
        }
        let got = Type::scalar(DType::F64);
        let other = self.inputs.iter().chain(&self.outputs).find(|(_, ty)| *ty != got);
        let (name, expected) = other.cloned().expect("bug: a program of scalars only");
        ArgumentError::Type { name, expected, got }
    }

    /// Runs the program, as [`Program::call_into`] does, kernel by kernel; gives the time that each took.
    pub(super) fn call_timed(
        &self,
        kernels: &[KernelCode],
        inputs: &[ArrayRef<'_>],
        outputs: &mut [ArrayMut<'_>],
    ) -> Result<Vec<Duration>, Error> {
        let mut times = Vec::with_capacity(kernels.len());
        // SAFETY: as in `call_into`; kernels in their order do what the entry does.
        let status = unsafe {
            self.executable.with_bases(self.loop_bytes, self.views(inputs, outputs), |bases| {
                let mut last = Instant::now();
                for kernel in kernels {
                    let status = self.executable.run_steps(&kernel.steps, bases);
                    let now = Instant::now();
                    times.push(now - last);
                    if status != 0 {
                        return status;
                    }
                    last = now;
                }
                0
            })
        };
        if status == Status::Unfit.number() {
            return Err(self.unfit(inputs, outputs));
        }
        self.outcome(status)?;
        Ok(times)
    }

    /// Runs the code.
    ///
    /// # Safety
    /// If the buffers say that they fit, at each of their addresses must be an array of the type of that input or output,
    /// in row-major order; outputs must not overlap with anything else.
    #[inline]
    unsafe fn run(&self, buffers: impl Buffers) -> i32 {
        let best = self.best();
        // SAFETY: by this function's contract, since a successor takes the same buffers.
        unsafe { best.executable.with_bases(self.loop_bytes, buffers, |bases| (best.executable.entry)(bases)) }
    }

    #[inline]
    fn outcome(&self, status: i32) -> Result<(), Error> {
        if status == 0 { Ok(()) } else { Err(self.failure(status)) }
    }

    /// What a status means that is not success.
    #[cold]
    fn failure(&self, status: i32) -> Error {
        match Status::of(status) {
            Status::Done | Status::Unfit => unreachable!("bug: a call that did not fail"),
            Status::Panicked => panic!("bug: a library routine of {} panicked", self.name),
            Status::Failed => take_failure().expect("bug: a failure without an error"),
            Status::TooMuch => too_much_loop_memory(self.loop_bytes as u64).into(),
            Status::NoMemory => {
                let bytes = self.memory_bytes().saturating_add(self.executable.scratch_bytes) as u64;
                MemoryError { what: format!("working memory of {}", self.name), bytes }.into()
            }
            Status::TooManyIterations(limit) => self.executable.kept.limits[limit].clone().into(),
            Status::Miss(guard) => {
                let (expected, at) = self.guards[guard].clone();
                GuardMiss { guard, expected, at }.into()
            }
        }
    }
}

/// The form of a graph that is compiled, which asks for no more than what can be planned.
pub(super) fn compilable(graph: &Graph) -> Result<Cow<'_, Graph>, Error> {
    // First, as inlining copies a region at each use.
    extents::check(graph)?;
    let compiled = compiled_form(graph)?;
    if let Cow::Owned(graph) = &compiled {
        extents::check(graph)?;
    }
    Ok(compiled)
}

/// Requires that the working memory be no more than what a process can address: until then no offset has overflowed.
fn check_memory(graph: &Graph, plan: &MemoryPlan) -> Result<(), LimitError> {
    let bytes = plan.arena_bytes.saturating_add(plan.frame_slots.saturating_mul(8));
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let (what, place) = ("bytes of working memory of a program", Some(graph.name().to_string()));
    Err(LimitError { what, limit: MAX_BYTES as u64, got: None, place })
}
