use std::alloc;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::allocate::{FIRST_INPUT, Homes, allocate};
use super::buffers::{Addresses, Buffers, Slot, Views, unfit_buffers, zeros};
use super::checker::{self, CheckLimits};
use super::code::{Emission, Kept, KernelCode, Step, emit};
use super::extents;
use super::library::{PANICKED, call_library};
use super::plan::Plan;
use super::rows::{limit_of, makes_stacks};
use super::stacks::{NO_MEMORY, Stacks, TOO_MUCH};
use super::tier::Successor;
use crate::emit::{Code, FunctionId, FunctionText, MAX_BYTES, Mode, Module};
use crate::error::{ArgumentError, Error, GuardMiss, LimitError, MemoryError, SourceLine};
use crate::interpret::{DEFAULT_LOOP_BYTES, check_input_types, too_many_trips, too_much_loop_memory};
use crate::op::Graph;
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// A graph as native code, ready to be called from any thread.
///
/// Compilation does not optimize: give it the result of [`optimize`](crate::optimize::optimize). A call allocates
/// nothing but its results, and with [`Program::call_into`] not even those; its working memory is kept between calls.
pub struct Program {
    /// What takes the place of the code once it is there. It is dropped first, so that work on it ends at once.
    successor: Option<Successor>,
    name: String,
    inputs: Vec<(String, Type)>,
    outputs: Vec<(String, Type)>,
    guards: Vec<(bool, Option<SourceLine>)>,
    /// Keeps the entry where it is.
    code: Code,
    entry: Entry,
    /// The number of entries of the base table, and what stands in the last of them at every call.
    n_entries: usize,
    fixed: Box<[usize]>,
    /// What these refer to, and what code within regions does.
    constants: Vec<Array>,
    kept: Kept,
    /// How many bytes loops may save.
    loop_bytes: usize,
    /// How many they save in the arena, for rows; and how many a call takes for states, whatever its inputs are.
    row_bytes: usize,
    state_bytes: usize,
    /// How many a routine takes for itself.
    scratch_bytes: usize,
    arena_lines: usize,
    frame_lines: usize,
    /// Whether the stack has room for what a call needs. Routines in Rust need memory that was written to before.
    is_small: bool,
    /// Whether working memory is filled with garbage before each call.
    is_poisoned: bool,
    memory: Mutex<Vec<Memory>>,
    scalars_only: bool,
}

/// Compiled code as it is called, with the base table.
type Entry = extern "C" fn(*const *mut u8) -> i32;

/// A program, and what it was made by.
pub(super) struct Built<'g> {
    pub program: Program,
    /// The functions' texts, if the module kept them.
    pub functions: Vec<FunctionText>,
    pub plan: Plan<'g>,
    pub homes: Homes,
    pub kernels: Vec<KernelCode>,
}

/// One cache line, so that memory is aligned to it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([u8; 64]);

/// The working memory of one call at a time: the arena, the frame, the base table.
struct Memory {
    lines: Box<[Line]>,
    stacks: Stacks,
}

/// Working memory up to this many lines is on the caller's stack, if the base table has up to so many entries.
const STACK_LINES: usize = 128;
const STACK_ENTRIES: usize = 128;

/// The status of a call whose views are not what the program takes, so that no code has run.
const UNFIT: i32 = -3;

/// Fewer operations in registers are compiled in about a millisecond.
const MIN_TIERED_WORK: usize = 250;

impl Program {
    /// Compiles a graph.
    ///
    /// # Errors
    /// If Cranelift has no backend for this machine, or the system refuses the memory; or if the graph asks for what no
    /// machine has: a value, or working memory, of more than 2⁴⁷ bytes, a loop of 2⁶³ trips, or regions that are used so
    /// often that there are more than ten million nodes.
    pub fn compile(graph: &Graph) -> Result<Program, Error> {
        Ok(Program::build(graph, Mode::default())?.program)
    }

    /// Compiles a graph so that the first call can be made soon: code on scalars and small arrays is compiled in about half
    /// the time, and runs at about half the speed. Meanwhile one thread for all programs compiles better code, which takes
    /// the other's place when it is there. Both give the same bits. Loops over large arrays are as [`Program::compile`]
    /// makes them from the start, and a program without much else is final at once.
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
        extents::check(&graph)?;
        let plan = Plan::new(&graph);
        if plan.work_in_registers() < MIN_TIERED_WORK {
            return Ok(Program::build_planned(plan, Mode::default())?.program);
        }
        let mode = Mode { quick: true, ..Mode::default() };
        let quick = Program::build_planned(plan, mode)?.program;
        Ok(Program { successor: Some(Successor::start(graph)), ..quick })
    }

    /// Whether the code will not be replaced by better code any more; always so unless the program comes from
    /// [`Program::compile_tiered`].
    pub fn is_final(&self) -> bool {
        self.successor.as_ref().is_none_or(Successor::is_decided)
    }

    /// Compiles a graph.
    pub(super) fn build<'g>(graph: &'g Graph, mode: Mode<'_>) -> Result<Built<'g>, Error> {
        extents::check(graph)?;
        Program::build_planned(Plan::new(graph), mode)
    }

    fn build_planned<'g>(plan: Plan<'g>, mode: Mode<'_>) -> Result<Built<'g>, Error> {
        let homes = allocate(&plan, mode.background.is_none());
        check_memory(plan.graph, &homes)?;
        if cfg!(debug_assertions)
            && let Err(fault) = checker::check(&plan, &homes, CheckLimits::SHORT)
        {
            panic!("bug: {fault}");
        }
        Program::build_allocated(plan, homes, mode)
    }

    /// Makes the code of a plan whose values have their places.
    pub(super) fn build_allocated<'g>(plan: Plan<'g>, homes: Homes, mode: Mode<'_>) -> Result<Built<'g>, Error> {
        let graph = plan.graph;
        let mut kept = Kept::default();
        let mut module = Module::new(mode)?;
        let Emission { entry, libraries, kernels } = emit(&mut module, &plan, &homes, &mut kept)?;
        let (code, functions) = module.finish()?;
        // SAFETY: compiled functions have this signature, and the code lives as long as the program.
        let entry = unsafe { std::mem::transmute::<*const u8, Entry>(code.address(entry)) };
        let constant = |&id: &usize| plan.constant(plan.value(id)).expect("bug: a constant without a value").clone();
        let constants: Vec<Array> = homes.constants.iter().map(constant).collect();
        let mut fixed: Vec<usize> = constants.iter().map(|constant| constant.as_ptr() as usize).collect();
        fixed.extend(kept.keep_numbers(&homes));
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
        let n_entries = homes.n_entries(&plan, libraries.len());
        kept.libraries.extend(libraries);
        let scratch_bytes = kept.libraries.iter().map(|call| call.scratch_bytes).max().unwrap_or(0);
        let arena_lines = homes.arena_bytes.div_ceil(size_of::<Line>());
        let frame_lines = (8 * homes.frame_slots).div_ceil(size_of::<Line>());
        let routines = makes_stacks(graph) || !kept.libraries.is_empty();
        let program = Program {
            name: graph.name().to_string(),
            scalars_only: inputs.iter().all(scalar) && outputs.iter().all(scalar),
            inputs,
            outputs,
            guards: graph.guards().iter().map(|guard| (guard.expect, guard.at.clone())).collect(),
            is_small: !routines && arena_lines + frame_lines <= STACK_LINES && n_entries <= STACK_ENTRIES,
            is_poisoned: false,
            n_entries,
            code,
            entry,
            fixed: fixed.into_boxed_slice(),
            constants,
            kept,
            loop_bytes: usize::try_from(DEFAULT_LOOP_BYTES).unwrap_or(usize::MAX),
            row_bytes: homes.row_bytes,
            state_bytes: plan.controls.values().map(|control| control.state_bytes).max().unwrap_or(0),
            scratch_bytes,
            arena_lines,
            frame_lines,
            memory: Mutex::new(Vec::new()),
            successor: None,
        };
        Ok(Built { program, functions, plan, homes, kernels })
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
        (self.arena_lines + self.frame_lines) * size_of::<Line>()
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
    /// assert_eq!(error.to_string(), "limit of 1000 bytes that loops save for the reverse mode exceeded");
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
        let own = self.memory_bytes().saturating_add(self.scratch_bytes) as u64;
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
        let for_loops = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(self.row_bytes);
        Ok(Program { loop_bytes: self.loop_bytes.min(for_loops), ..self })
    }

    /// Fills the working memory with garbage before each call, so that what the code reads without having written it shows in
    /// the results. For tests.
    #[doc(hidden)]
    pub fn with_poisoned_memory(self) -> Program {
        Program { is_small: false, is_poisoned: true, ..self }
    }

    /// The most bytes that loops have taken at one time, in all calls that have returned: for stacks, and for states that
    /// are computed once more. Arrays of rows are part of [`Program::memory_bytes`].
    pub fn peak_loop_bytes(&self) -> usize {
        let peak = |program: &Program| {
            let memory = program.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.iter().map(|memory| memory.stacks.peak()).max()
        };
        peak(self).max(peak(self.best())).unwrap_or(0)
    }

    /// The bytes of machine code.
    pub fn code_bytes(&self) -> usize {
        self.best().code.bytes()
    }

    /// The program whose code runs.
    #[inline]
    fn best(&self) -> &Program {
        self.successor.as_ref().and_then(Successor::get).unwrap_or(self)
    }

    /// The bytes of the constants that the code reads from memory. Most of those of one element stand in the code itself.
    pub fn constant_bytes(&self) -> usize {
        let in_regions = self.kept.constants.iter();
        let all = self.constants.iter().chain(in_regions);
        let numbers: usize = self.kept.numbers.iter().map(|numbers| size_of_val(&numbers[..])).sum();
        numbers + all.filter_map(|constant| constant.ty().checked_bytes()).sum::<usize>()
    }

    /// Runs the program.
    ///
    /// # Errors
    /// If the inputs are of other number or types than the program's, a guard does not hold, a loop exceeds a limit (its
    /// number of trips, or the memory of what it saves), or the system does not give the memory.
    pub fn call(&self, inputs: &[Array]) -> Result<Vec<Array>, Error> {
        self.check_inputs(inputs)?;
        let mut outputs = self.outputs.iter().map(|(_, ty)| zeros(ty)).collect::<Result<Vec<Array>, _>>()?;
        let x = inputs.iter().map(|input| input.as_ptr().cast_mut());
        let y = outputs.iter_mut().map(Array::as_mut_ptr);
        // SAFETY: types have been checked, so behind each address is as much memory as the plan expects, in row-major
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
        if status == UNFIT { Err(self.unfit(inputs, outputs)) } else { self.outcome(status) }
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
            self.with_bases(self.loop_bytes, self.views(inputs, outputs), |bases| {
                let mut last = Instant::now();
                for kernel in kernels {
                    let status = self.run_kernel(kernel, bases);
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
        if status == UNFIT {
            return Err(self.unfit(inputs, outputs));
        }
        self.outcome(status)?;
        Ok(times)
    }

    /// # Safety
    /// The kernel must be one of this program's, not of a region, and the table as its entry takes it.
    unsafe fn run_kernel(&self, kernel: &KernelCode, bases: *const *mut u8) -> i32 {
        for step in &kernel.steps {
            let status = match *step {
                // SAFETY: by this function's contract.
                Step::Call(function) => unsafe { self.run_function(function, bases) },
                // SAFETY: the entry behind that of the routine holds the call, by the contract.
                Step::Library { base, .. } => unsafe { call_library((*bases.add(base as usize + 1)).cast(), bases) },
            };
            if status != 0 {
                return status;
            }
        }
        0
    }

    /// Runs the code.
    ///
    /// # Safety
    /// If the buffers say that they fit, behind each of their addresses must be an array of the type of that input or output,
    /// in row-major order; outputs must not overlap with anything else.
    #[inline]
    unsafe fn run(&self, buffers: impl Buffers) -> i32 {
        let best = self.best();
        // SAFETY: by this function's contract, since a successor takes the same buffers.
        unsafe { best.with_bases(self.loop_bytes, buffers, |bases| (best.entry)(bases)) }
    }

    /// # Safety
    /// The function must take the table of the whole program, and the table must be complete.
    unsafe fn run_function(&self, function: FunctionId, bases: *const *mut u8) -> i32 {
        // SAFETY: the code has this signature and lives as long as `self`.
        let code = unsafe { std::mem::transmute::<*const u8, Entry>(self.code.address(function)) };
        code(bases)
    }

    /// Completes the base table, and hands it on. Loops may save `loop_bytes`.
    ///
    /// # Safety
    /// As for [`Program::run`], where `go` runs code of this program.
    #[inline]
    unsafe fn with_bases(
        &self,
        loop_bytes: usize,
        buffers: impl Buffers,
        go: impl FnOnce(*const *mut u8) -> i32,
    ) -> i32 {
        if !self.is_small || self.row_bytes > loop_bytes {
            // SAFETY: this function's contract.
            return unsafe { self.with_kept_memory(loop_bytes, buffers, go) };
        }
        let mut memory = [MaybeUninit::<Line>::uninit(); STACK_LINES];
        let mut table = [Slot::uninit(); STACK_ENTRIES];
        let table = &mut table[..self.n_entries];
        // SAFETY: compiled code writes every part of its memory before it reads it; the rest is this function's contract.
        unsafe { self.enter(table, memory.as_mut_ptr().cast(), std::ptr::null_mut(), buffers, go) }
    }

    /// The same with memory from the heap.
    ///
    /// # Safety
    /// As for [`Program::with_bases`].
    #[inline(never)]
    unsafe fn with_kept_memory(
        &self,
        loop_bytes: usize,
        buffers: impl Buffers,
        go: impl FnOnce(*const *mut u8) -> i32,
    ) -> i32 {
        let Some(stack_bytes) = loop_bytes.checked_sub(self.row_bytes).filter(|&bytes| self.state_bytes <= bytes)
        else {
            return TOO_MUCH;
        };
        let lines = self.arena_lines + self.frame_lines;
        let kept = self.memory.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(mut memory) = kept.or_else(|| self.new_memory()) else { return NO_MEMORY };
        memory.stacks.reset(stack_bytes);
        let (arena, table) = memory.lines.split_at_mut(lines);
        if self.is_poisoned {
            // NaN of both precisions, and no number that a program is likely to compute.
            arena.fill(Line([0xFF; 64]));
        }
        // SAFETY: as many entries have been allocated there, and lines are aligned to more than addresses are.
        let table = unsafe { std::slice::from_raw_parts_mut(table.as_mut_ptr().cast(), self.n_entries) };
        // SAFETY: this function's contract.
        let status = unsafe { self.enter(table, arena.as_mut_ptr().cast(), &mut memory.stacks, buffers, go) };
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        status
    }

    /// Working memory for one call at a time; `None` if the system has none.
    fn new_memory(&self) -> Option<Memory> {
        let n_table_lines = (size_of::<Slot>() * self.n_entries).div_ceil(size_of::<Line>());
        let lines = zeroed_lines(self.arena_lines + self.frame_lines + n_table_lines)?;
        Some(Memory { lines, stacks: Stacks::new(0) })
    }

    /// Fills the base table, which has as many entries as the code expects, and hands it on.
    ///
    /// # Safety
    /// As for [`Program::with_bases`]; and the arena must be as long as the program's, with its frame behind it.
    #[inline(always)]
    unsafe fn enter(
        &self,
        table: &mut [Slot],
        arena: *mut u8,
        stacks: *mut Stacks,
        buffers: impl Buffers,
        go: impl FnOnce(*const *mut u8) -> i32,
    ) -> i32 {
        let (changing, fixed) = table.split_at_mut(table.len() - self.fixed.len());
        // SAFETY: the frame follows the arena in the same memory.
        let frame = unsafe { arena.add(self.arena_lines * size_of::<Line>()) };
        let (own, given) = changing.split_at_mut(FIRST_INPUT as usize);
        own.iter_mut().zip([arena, frame, stacks.cast()]).for_each(|(slot, address)| *slot = Slot::new(address));
        if !buffers.write(given) {
            return UNFIT;
        }
        fixed.iter_mut().zip(&self.fixed).for_each(|(slot, &address)| *slot = Slot::new(address as *mut u8));
        go(table.as_ptr().cast())
    }

    #[inline]
    fn outcome(&self, status: i32) -> Result<(), Error> {
        if status == 0 { Ok(()) } else { Err(self.failure(status)) }
    }

    /// What a status means that is not success.
    #[cold]
    fn failure(&self, status: i32) -> Error {
        match status {
            PANICKED => panic!("bug: a library routine of {} panicked", self.name),
            TOO_MUCH => too_much_loop_memory(self.loop_bytes as u64).into(),
            NO_MEMORY => {
                let bytes = self.memory_bytes().saturating_add(self.scratch_bytes) as u64;
                MemoryError { what: format!("working memory of {}", self.name), bytes }.into()
            }
            status if let Some(limit) = limit_of(status) => {
                let (op, at) = &self.kept.limits[limit];
                too_many_trips(op, at.as_ref()).into()
            }
            status => {
                let guard = usize::try_from(status - 1).expect("bug: a status that stands for nothing");
                let (expected, at) = self.guards[guard].clone();
                GuardMiss { guard, expected, at }.into()
            }
        }
    }
}

/// Requires that the working memory be no more than what a process can address: until then no offset has overflowed.
fn check_memory(graph: &Graph, homes: &Homes) -> Result<(), LimitError> {
    let bytes = homes.arena_bytes.saturating_add(homes.frame_slots.saturating_mul(8));
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let (what, place) = ("bytes of working memory of a program", Some(graph.name().to_string()));
    Err(LimitError { what, limit: MAX_BYTES as u64, got: None, place })
}

/// Memory that holds zeros, and that the system need not touch for that.
fn zeroed_lines(n: usize) -> Option<Box<[Line]>> {
    if n == 0 {
        return Some(Box::default());
    }
    let layout = alloc::Layout::array::<Line>(n).ok()?;
    // SAFETY: the layout is of that many lines, of which bytes of 0 are one. A box of them is freed with the same layout.
    unsafe {
        let lines = alloc::alloc_zeroed(layout).cast::<Line>();
        (!lines.is_null()).then(|| Box::from_raw(std::ptr::slice_from_raw_parts_mut(lines, n)))
    }
}
