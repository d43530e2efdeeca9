use std::fmt;
use std::sync::OnceLock;

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Signature, UserFuncName, types};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module as _, ModuleReloc, default_libcall_names};

use super::Emitter;
use super::text::{FunctionText, Texts};
use crate::error::CompileError;
use crate::math;

/// A function that has been emitted, before or after its code is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionId(usize);

/// Code under construction: one Cranelift module for one compiled program.
pub struct Module {
    jit: JITModule,
    context: Context,
    builder_context: FunctionBuilderContext,
    functions: Vec<FuncId>,
    code_bytes: usize,
    texts: Option<Texts>,
}

/// Finished code. It is freed on drop, so whoever calls it must own it.
pub struct Code {
    jit: Option<JITModule>,
    functions: Vec<*const u8>,
}

// SAFETY: finished code is immutable (its pages are mapped readable and executable), the module is only kept to free
// it, and that takes `&mut self`.
unsafe impl Send for Code {}
// SAFETY: as above; `&Code` gives out addresses only.
unsafe impl Sync for Code {}

impl Module {
    /// An empty module for the machine that this program runs on.
    ///
    /// # Errors
    /// If Cranelift has no backend for this machine.
    pub fn new() -> Result<Module, CompileError> {
        let isa = host_isa(Effort::Full).as_ref().map_err(Clone::clone)?;
        let mut builder = JITBuilder::with_isa(isa.clone(), default_libcall_names());
        builder.symbol_lookup_fn(Box::new(symbol));
        let jit = JITModule::new(builder);
        let context = jit.make_context();
        Ok(Module {
            jit,
            context,
            builder_context: FunctionBuilderContext::new(),
            functions: Vec::new(),
            code_bytes: 0,
            texts: None,
        })
    }

    /// An empty module that keeps each function as text.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn recording() -> Result<Module, CompileError> {
        Ok(Module { texts: Some(Texts::default()), ..Module::new()? })
    }

    /// Says what the next function is for. The body runs only if the module keeps texts.
    pub fn describe(&mut self, purpose: impl FnOnce() -> String) {
        if let Some(texts) = &mut self.texts {
            texts.describe(purpose());
        }
    }

    /// The bytes of machine code so far.
    pub fn code_bytes(&self) -> usize {
        self.code_bytes
    }

    /// The texts of the functions, in order, if the module keeps them. They are given once.
    pub fn take_texts(&mut self) -> Vec<FunctionText> {
        self.texts.take().map_or_else(Vec::new, Texts::finish)
    }

    /// Emits one function. The body ends by itself with success; it may return early with a status.
    ///
    /// # Errors
    /// If Cranelift rejects the function, which is a defect of the body.
    pub fn function(&mut self, body: impl FnOnce(&mut Emitter<'_>)) -> Result<FunctionId, CompileError> {
        let id = self.build(body)?;
        self.jit.define_function(id, &mut self.context).map_err(compile_error)?;
        Ok(self.push(id))
    }

    /// Emits one function, as [`Module::function`] does, whose instructions keep their order.
    ///
    /// Cranelift's optimizer moves arithmetic down to where a store or a call needs it, but leaves loads and calls where
    /// they are: in a long stretch without loops, what was loaded first then waits in the frame for nearly the whole
    /// stretch. There is nothing else that it could do for such code.
    ///
    /// # Errors
    /// As [`Module::function`].
    pub fn straight_line(&mut self, body: impl FnOnce(&mut Emitter<'_>)) -> Result<FunctionId, CompileError> {
        let id = self.build(body)?;
        let isa = host_isa(Effort::InOrder).as_ref().map_err(Clone::clone)?;
        self.context.compile(&**isa, &mut ControlPlane::default()).map_err(|error| compile_error(error.inner))?;
        let code = self.context.compiled_code().expect("bug: compiled without code");
        let relocations: Vec<ModuleReloc> =
            code.buffer.relocs().iter().map(|x| ModuleReloc::from_mach_reloc(x, &self.context.func, id)).collect();
        let alignment = u64::from(code.buffer.alignment);
        self.jit.define_function_bytes(id, alignment, code.code_buffer(), &relocations).map_err(compile_error)?;
        Ok(self.push(id))
    }

    /// Writes the body into the context.
    fn build(&mut self, body: impl FnOnce(&mut Emitter<'_>)) -> Result<FuncId, CompileError> {
        let name = FunctionId(self.functions.len()).to_string();
        let signature = kernel_signature(&self.jit);
        let id = self.jit.declare_function(&name, Linkage::Local, &signature).map_err(compile_error)?;
        self.jit.clear_context(&mut self.context);
        self.context.func.name = UserFuncName::user(0, id.as_u32());
        self.context.func.signature = signature;
        self.context.set_disasm(self.texts.is_some());
        let builder = FunctionBuilder::new(&mut self.context.func, &mut self.builder_context);
        let mut emitter = Emitter::new(builder, &mut self.jit, &self.functions);
        body(&mut emitter);
        emitter.finish();
        if let Some(texts) = &mut self.texts {
            texts.add_source(name, &self.context.func, &self.jit);
        }
        Ok(id)
    }

    /// Counts a function among the finished ones. Its code is still in the context.
    fn push(&mut self, id: FuncId) -> FunctionId {
        let code = self.context.compiled_code().expect("bug: compiled without code");
        self.code_bytes += code.code_buffer().len();
        if let Some(texts) = &mut self.texts {
            texts.add_code(code);
        }
        self.functions.push(id);
        FunctionId(self.functions.len() - 1)
    }

    /// Makes the code executable.
    ///
    /// # Errors
    /// If the system refuses the memory.
    pub fn finish(mut self) -> Result<Code, CompileError> {
        self.jit.finalize_definitions().map_err(compile_error)?;
        let functions = self.functions.iter().map(|&id| self.jit.get_finalized_function(id)).collect();
        Ok(Code { jit: Some(self.jit), functions })
    }
}

impl Code {
    /// The address of a function of signature `extern "C" fn(bases: *const *mut u8) -> i32`, valid while `self` lives.
    pub fn address(&self, function: FunctionId) -> *const u8 {
        self.functions[function.0]
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
}

/// `fn(bases: pointer) -> i32`, the one signature of compiled functions.
pub(super) fn kernel_signature(jit: &JITModule) -> Signature {
    let mut signature = jit.make_signature();
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::I32));
    signature
}

pub(super) fn compile_error(error: impl std::fmt::Debug) -> CompileError {
    CompileError { message: format!("{error:?}") }
}

/// What Cranelift's optimizer may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// All that it can.
    Full,
    /// Nothing: instructions keep their order.
    InOrder,
}

/// The one instruction set that all programs share, as each effort sees it.
fn host_isa(effort: Effort) -> &'static Result<OwnedTargetIsa, CompileError> {
    static FULL: OnceLock<Result<OwnedTargetIsa, CompileError>> = OnceLock::new();
    static IN_ORDER: OnceLock<Result<OwnedTargetIsa, CompileError>> = OnceLock::new();
    match effort {
        Effort::Full => FULL.get_or_init(|| build_isa("speed")),
        Effort::InOrder => IN_ORDER.get_or_init(|| build_isa("none")),
    }
}

fn build_isa(opt_level: &str) -> Result<OwnedTargetIsa, CompileError> {
    let mut flags = settings::builder();
    // The verifier costs a third of the compile time, so it runs only where defects are looked for.
    let verify = if cfg!(debug_assertions) { "true" } else { "false" };
    let options = [
        ("opt_level", opt_level),
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

/// The address of a function that compiled code may call: those of `math`, and those that Cranelift calls where the
/// machine lacks an instruction.
fn symbol(name: &str) -> Option<*const u8> {
    if let Some((kind, index)) = name.strip_prefix("math").and_then(|rest| rest.split_once('_')) {
        let index: usize = index.parse().ok()?;
        return match kind {
            "1d" => math::Unary::ALL.get(index).map(|f| f.scalar_f64() as *const u8),
            "1s" => math::Unary::ALL.get(index).map(|f| f.scalar_f32() as *const u8),
            "1dv" => math::Unary::ALL.get(index).map(|f| f.slice_f64() as *const u8),
            "1sv" => math::Unary::ALL.get(index).map(|f| f.slice_f32() as *const u8),
            "2d" => math::Binary::ALL.get(index).map(|f| f.scalar_f64() as *const u8),
            "2s" => math::Binary::ALL.get(index).map(|f| f.scalar_f32() as *const u8),
            "2dv" => math::Binary::ALL.get(index).map(|f| f.slice_f64() as *const u8),
            "2sv" => math::Binary::ALL.get(index).map(|f| f.slice_f32() as *const u8),
            "3d" => math::Ternary::ALL.get(index).map(|f| f.scalar_f64() as *const u8),
            "3s" => math::Ternary::ALL.get(index).map(|f| f.scalar_f32() as *const u8),
            _ => None,
        };
    }
    match name {
        "floor" => Some(floor as *const u8),
        "floorf" => Some(floorf as *const u8),
        "ceil" => Some(ceil as *const u8),
        "ceilf" => Some(ceilf as *const u8),
        "trunc" => Some(trunc as *const u8),
        "truncf" => Some(truncf as *const u8),
        "nearbyint" => Some(nearbyint as *const u8),
        "nearbyintf" => Some(nearbyintf as *const u8),
        "fma" => Some(fma as *const u8),
        "fmaf" => Some(fmaf as *const u8),
        _ => None,
    }
}

extern "C" fn floor(x: f64) -> f64 {
    x.floor()
}
extern "C" fn floorf(x: f32) -> f32 {
    x.floor()
}
extern "C" fn ceil(x: f64) -> f64 {
    x.ceil()
}
extern "C" fn ceilf(x: f32) -> f32 {
    x.ceil()
}
extern "C" fn trunc(x: f64) -> f64 {
    x.trunc()
}
extern "C" fn truncf(x: f32) -> f32 {
    x.trunc()
}
extern "C" fn nearbyint(x: f64) -> f64 {
    x.round_ties_even()
}
extern "C" fn nearbyintf(x: f32) -> f32 {
    x.round_ties_even()
}
extern "C" fn fma(x: f64, y: f64, z: f64) -> f64 {
    x.mul_add(y, z)
}
extern "C" fn fmaf(x: f32, y: f32, z: f32) -> f32 {
    x.mul_add(y, z)
}
