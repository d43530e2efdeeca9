use std::collections::HashMap;

use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module as _, ModuleReloc, ModuleRelocTarget, default_libcall_names};

use super::compiler::{Compiled, Job, Source, compile};
#[cfg(unoptimized)]
use super::elementary::find;
use super::emitter::{Emitter, write};
#[cfg(not(unoptimized))]
use super::symbol::find;
use super::symbol::{Callee, Routine};
use super::target::{Effort, FunctionId, Mode, compile_error, host_isa, kernel_signature};
use super::text::FunctionText;
use crate::error::CompileError;

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

    /// Whether the first tier is made, whose code need not be the best.
    pub fn is_quick(&self) -> bool {
        self.mode.quick
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

    /// Emits one function later, as [`Module::function_later`] does, of a loop with so much code that it takes long to
    /// compile.
    pub fn long_loop(&mut self, size: usize, body: impl FnOnce(&mut Emitter<'_>) + Send + 'j) -> FunctionId {
        let effort = if self.mode.quick { Effort::Quick } else { Effort::Full };
        self.push(Source::Later(Box::new(body)), effort, size)
    }

    /// Emits one function later, as [`Module::function_later`] does, whose instructions keep their order.
    ///
    /// Cranelift's optimizer moves arithmetic down to where a store or a call needs it, but leaves loads and calls where
    /// they are: in a long segment without loops, what was loaded first then waits in the frame for nearly the whole
    /// segment. There is nothing else that it could do for such code.
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

/// Puts the functions into memory, one after the other, and lets them know where what they call is.
fn link(functions: &[Compiled]) -> Result<Code, CompileError> {
    let mut builder = JITBuilder::with_isa(host_isa(Effort::Full)?.clone(), default_libcall_names());
    builder.symbol_lookup_fn(Box::new(find));
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
