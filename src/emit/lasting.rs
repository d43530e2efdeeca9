//! Single functions that all programs share: compiled once, and never freed.

use cranelift_codegen::ir::Signature;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module as _, default_libcall_names};

use super::target::{Effort, compile_error, host_isa};
use crate::error::CompileError;

/// Compiles a function, which `write` writes, and gives its address.
///
/// # Errors
/// If the system gives no memory for it, or Cranelift rejects it.
pub(super) fn compile(
    signature: Signature,
    write: impl FnOnce(&mut FunctionBuilder<'_>),
) -> Result<usize, CompileError> {
    let mut jit = JITModule::new(JITBuilder::with_isa(host_isa(Effort::Full)?.clone(), default_libcall_names()));
    let mut context = jit.make_context();
    context.func.signature = signature;
    let mut frame = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut context.func, &mut frame);
    write(&mut builder);
    builder.seal_all_blocks();
    builder.finalize(jit.isa().frontend_config());

    let function = jit.declare_anonymous_function(&context.func.signature).map_err(compile_error)?;
    jit.define_function(function, &mut context).map_err(compile_error)?;
    jit.finalize_definitions().map_err(compile_error)?;
    Ok(jit.get_finalized_function(function) as usize)
}
