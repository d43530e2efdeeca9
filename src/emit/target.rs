//! What code is compiled for and how: the instruction set, registers, the signature of functions.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use cranelift_codegen::ir::{self, AbiParam, Signature, types};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};

use crate::error::CompileError;
use crate::value::DType;

/// A function that has been given to a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId(pub(super) usize);

/// How a module is compiled.
#[derive(Clone, Copy, Default)]
pub struct Mode<'j> {
    /// Whether each function is kept as text.
    pub keeps_texts: bool,
    /// Whether code that works in registers, and long loop nests, are compiled in about half the time, to code of about half
    /// the speed: registers are then given out in one pass.
    pub quick: bool,
    /// On one thread only, to leave the others to the program; given up once this is set.
    pub background: Option<&'j AtomicBool>,
}

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

/// `fn(bases: pointer) -> i32`, the one signature of compiled functions.
pub(super) fn kernel_signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::I32));
    signature
}

/// The integer vector that is a mask of that many lanes.
pub(super) fn mask_type(lanes: u8) -> ir::Type {
    match lanes {
        1 => types::I8,
        2 => types::I64X2,
        4 => types::I32X4,
        _ => unreachable!("bug: {lanes} lanes"),
    }
}

/// Cranelift's type of a register.
pub(super) fn register_type(dtype: DType, lanes: u8) -> ir::Type {
    match (dtype, lanes) {
        (DType::F64, 1) => types::F64,
        (DType::F32, 1) => types::F32,
        (DType::I64, 1) => types::I64,
        (DType::Bool, lanes) => mask_type(lanes),
        (DType::F64, 2) => types::F64X2,
        (DType::F32, 4) => types::F32X4,
        (DType::I64, 2) => types::I64X2,
        _ => unreachable!("bug: {lanes} lanes of {dtype}"),
    }
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
