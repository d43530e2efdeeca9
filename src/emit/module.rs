use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use cranelift_codegen::ir::{AbiParam, Function, Signature, UserFuncName, types};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa, TargetFrontendConfig};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module as _, ModuleReloc, ModuleRelocTarget, default_libcall_names};

use super::compiler::{Compiled, Job, Source, compile};
use super::symbol::{self, Callee, Routine};
use super::{Emitter, FunctionText, position};
use crate::error::CompileError;

/// A function that has been given to a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId(usize);

/// How a module is compiled.
#[derive(Clone, Copy, Default)]
pub struct Mode<'j> {
    /// Whether each function is kept as text.
    pub keeps_texts: bool,
    /// Whether code that works in registers is compiled in about half the time, to code of about half the speed: registers
    /// are then given out in one pass.
    pub quick: bool,
    /// On one thread only, to leave the others to the program; given up once this is set.
    pub background: Option<&'j AtomicBool>,
}

/// Code under construction, for one compiled program: functions that wait to be compiled, all at once and on all cores.
pub struct Module<'j> {
    config: TargetFrontendConfig,
    context: FunctionBuilderContext,
    jobs: Vec<Job<'j>>,
    mode: Mode<'j>,
    purpose: String,
}

/// Finished code. It is freed on drop, so whoever calls it must own it.
pub struct Code {
    jit: Option<JITModule>,
    functions: Vec<*const u8>,
    bytes: usize,
}

// SAFETY: finished code is immutable (its pages are mapped readable and executable), the module is only kept to free
// it, and that takes `&mut self`.
unsafe impl Send for Code {}
// SAFETY: as above; `&Code` gives out addresses only.
unsafe impl Sync for Code {}

impl<'j> Module<'j> {
    /// An empty module for the machine that this program runs on.
    ///
    /// # Errors
    /// If Cranelift has no backend for this machine.
    pub fn new(mode: Mode<'j>) -> Result<Module<'j>, CompileError> {
        let config = host_isa(Effort::Full)?.frontend_config();
        let context = FunctionBuilderContext::new();
        Ok(Module { config, context, jobs: Vec::new(), mode, purpose: String::new() })
    }

    /// Says what the next function is for. The body runs only if the module keeps texts.
    pub fn describe(&mut self, purpose: impl FnOnce() -> String) {
        if self.mode.keeps_texts {
            self.purpose = purpose();
        }
    }

    /// Emits one function. The body ends by itself with success; it may return early with a status.
    pub fn function(&mut self, body: impl FnOnce(&mut Emitter<'_>)) -> FunctionId {
        let function = write(self.jobs.len(), (self.config, Effort::Full), &mut self.context, body);
        let size = function.dfg.num_insts();
        self.push(Source::Written(Box::new(function)), Effort::Full, size)
    }

    /// Emits one function, as [`Module::function`] does, of loops that work in registers.
    pub fn in_registers(&mut self, body: impl FnOnce(&mut Emitter<'_>)) -> FunctionId {
        let FunctionId(place) = self.function(body);
        if self.mode.quick {
            self.jobs[place].effort = Effort::Quick;
        }
        FunctionId(place)
    }

    /// Emits one function, as [`Module::function`] does, when it is compiled, on whatever thread that is. `size` is about
    /// the number of its instructions.
    pub fn function_later(&mut self, size: usize, body: impl FnOnce(&mut Emitter<'_>) + Send + 'j) -> FunctionId {
        self.push(Source::Later(Box::new(body)), Effort::Full, size)
    }

    /// Emits one function later, as [`Module::function_later`] does, whose instructions keep their order.
    ///
    /// Cranelift's optimizer moves arithmetic down to where a store or a call needs it, but leaves loads and calls where
    /// they are: in a long stretch without loops, what was loaded first then waits in the frame for nearly the whole
    /// stretch. There is nothing else that it could do for such code.
    pub fn straight_line(&mut self, size: usize, body: impl FnOnce(&mut Emitter<'_>) + Send + 'j) -> FunctionId {
        let effort = if self.mode.quick { Effort::Quick } else { Effort::InOrder };
        self.push(Source::Later(Box::new(body)), effort, size)
    }

    fn push(&mut self, source: Source<'j>, effort: Effort, size: usize) -> FunctionId {
        let purpose = std::mem::take(&mut self.purpose);
        self.jobs.push(Job { source, effort, size, purpose });
        FunctionId(self.jobs.len() - 1)
    }

    /// Compiles the functions and makes the code executable. Gives their texts, too, in order, if the module keeps them.
    ///
    /// # Errors
    /// If Cranelift rejects a function, which is a defect of its body, or the system refuses the memory, or the code was
    /// made in the background and has been given up.
    pub fn finish(self) -> Result<(Code, Vec<FunctionText>), CompileError> {
        let mut compiled = compile(self.jobs, self.mode)?;
        let texts = compiled.iter_mut().filter_map(|function| function.text.take()).collect();
        Ok((link(&compiled)?, texts))
    }
}

impl Code {
    /// The address of a function of signature `extern "C" fn(bases: *const *mut u8) -> i32`, valid while `self` lives.
    pub fn address(&self, function: FunctionId) -> *const u8 {
        self.functions[function.0]
    }

    /// The bytes of machine code.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if let Some(jit) = self.jit.take() {
            // SAFETY: addresses are given out for as long as `self` lives, so no one can be in the code now.
            unsafe { jit.free_memory() };
        }
    }
}

/// The name of the function in its module: `f0`.
impl fmt::Display for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

impl FunctionId {
    /// The function's place among those of its module.
    pub fn index(self) -> usize {
        self.0
    }

    /// The function at that place.
    pub(super) fn from_index(index: usize) -> FunctionId {
        FunctionId(index)
    }
}

/// Writes the function at that place of its module, for Cranelift to compile.
pub(super) fn write(
    place: usize,
    (config, effort): (TargetFrontendConfig, Effort),
    context: &mut FunctionBuilderContext,
    body: impl FnOnce(&mut Emitter<'_>),
) -> Function {
    let name = UserFuncName::user(0, position(place));
    let mut function = Function::with_name_signature(name, kernel_signature(config.default_call_conv));
    let mut emitter = Emitter::new(FunctionBuilder::new(&mut function, context), config, effort);
    body(&mut emitter);
    emitter.finish();
    function
}

/// `fn(bases: pointer) -> i32`, the one signature of compiled functions.
pub(super) fn kernel_signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::I32));
    signature
}

/// Puts the functions into memory, one behind the other, and lets them know where what they call is.
fn link(functions: &[Compiled]) -> Result<Code, CompileError> {
    let mut builder = JITBuilder::with_isa(host_isa(Effort::Full)?.clone(), default_libcall_names());
    builder.symbol_lookup_fn(Box::new(symbol::find));
    let mut jit = JITModule::new(builder);
    let convention = jit.isa().frontend_config().default_call_conv;
    let signature = kernel_signature(convention);
    let mut ids = Vec::with_capacity(functions.len());
    for place in 0..functions.len() {
        let name = FunctionId(place).to_string();
        ids.push(jit.declare_function(&name, Linkage::Local, &signature).map_err(compile_error)?);
    }
    let mut routines: HashMap<Routine, FuncId> = HashMap::new();
    for (&id, function) in ids.iter().zip(functions) {
        let mut relocations: Vec<ModuleReloc> = Vec::with_capacity(function.relocations.len());
        for relocation in &function.relocations {
            let mut relocation = relocation.clone();
            if let ModuleRelocTarget::User { namespace, index } = relocation.name {
                relocation.name = match Callee::from_name(namespace, index) {
                    Callee::Function(callee) => ids[callee.0].into(),
                    Callee::Math(routine) => match routines.get(&routine) {
                        Some(&known) => known.into(),
                        None => {
                            let signature = routine.signature(convention);
                            let import = jit.declare_function(&routine.symbol(), Linkage::Import, &signature);
                            let import = import.map_err(compile_error)?;
                            routines.insert(routine, import);
                            import.into()
                        }
                    },
                };
            }
            relocations.push(relocation);
        }
        jit.define_function_bytes(id, function.alignment, &function.code, &relocations).map_err(compile_error)?;
    }
    jit.finalize_definitions().map_err(compile_error)?;
    let addresses = ids.iter().map(|&id| jit.get_finalized_function(id)).collect();
    let bytes = functions.iter().map(|function| function.code.len()).sum();
    Ok(Code { jit: Some(jit), functions: addresses, bytes })
}

pub(super) fn compile_error(error: impl fmt::Debug) -> CompileError {
    CompileError { message: format!("{error:?}") }
}

/// What Cranelift's optimizer may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// All that it can.
    Full,
    /// Nothing: instructions keep their order.
    InOrder,
    /// Nothing, and registers are given out in one pass.
    Quick,
}

/// The one instruction set that all programs share, as each effort sees it.
pub(super) fn host_isa(effort: Effort) -> Result<&'static OwnedTargetIsa, CompileError> {
    static FULL: OnceLock<Result<OwnedTargetIsa, CompileError>> = OnceLock::new();
    static IN_ORDER: OnceLock<Result<OwnedTargetIsa, CompileError>> = OnceLock::new();
    static QUICK: OnceLock<Result<OwnedTargetIsa, CompileError>> = OnceLock::new();
    let isa = match effort {
        Effort::Full => FULL.get_or_init(|| build_isa("speed", "backtracking")),
        Effort::InOrder => IN_ORDER.get_or_init(|| build_isa("none", "backtracking")),
        Effort::Quick => QUICK.get_or_init(|| build_isa("none", "single_pass")),
    };
    isa.as_ref().map_err(Clone::clone)
}

fn build_isa(opt_level: &str, allocator: &str) -> Result<OwnedTargetIsa, CompileError> {
    let mut flags = settings::builder();
    // The verifier costs a third of the compile time, so it runs only where defects are looked for.
    let verify = if cfg!(debug_assertions) { "true" } else { "false" };
    let options = [
        ("opt_level", opt_level),
        ("regalloc_algorithm", allocator),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("enable_verifier", verify),
        ("unwind_info", "false"),
        // Frames are kept near zero; a large one must still touch its guard page.
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
    ];
    for (name, value) in options {
        flags.set(name, value).map_err(compile_error)?;
    }
    let isa = cranelift_native::builder().map_err(compile_error)?;
    isa.finish(settings::Flags::new(flags)).map_err(compile_error)
}
