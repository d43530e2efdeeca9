//! Calls that leave every register as it is, for rare ones in loops that work in registers.
//!
//! No register of floats lasts through an ordinary call. Where a loop has one, though it is taken once in a thousand
//! iterations, the allocator keeps what goes around the loop in the frame, in all of them.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, Signature, types};
use cranelift_codegen::isa::CallConv;

use super::target::{Effort, host_isa};
use super::{bits, lasting};
use crate::error::CompileError;

/// The signature of a function that takes so many numbers and an address for its result: the convention has no results.
pub(super) fn signature(n_arguments: usize) -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params.extend((0..n_arguments + 1).map(|_| AbiParam::new(types::I64)));
    signature
}

/// The address of code of that [`signature`], which calls a function of signature `extern "C" fn(usize, …) -> i64` at a
/// fixed address.
///
/// It is compiled once for all programs, and stays.
///
/// # Errors
/// If the system gives no memory for it.
pub(super) fn preserving(address: usize, n_arguments: usize) -> Result<usize, CompileError> {
    static KNOWN: LazyLock<Mutex<HashMap<usize, usize>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&code) = known.get(&address) {
        return Ok(code);
    }
    let code = compile(address, n_arguments)?;
    known.insert(address, code);
    Ok(code)
}

fn compile(address: usize, n_arguments: usize) -> Result<usize, CompileError> {
    let mut callee = Signature::new(host_isa(Effort::Full)?.frontend_config().default_call_conv);
    callee.params.extend((0..n_arguments).map(|_| AbiParam::new(types::I64)));
    callee.returns.push(AbiParam::new(types::I64));
    lasting::compile(signature(n_arguments), |builder| {
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        let params = builder.block_params(block).to_vec();
        let callee = builder.import_signature(callee);
        let at = builder.ins().iconst(types::I64, bits(address));
        let call = builder.ins().call_indirect(callee, at, &params[..n_arguments]);
        let result = builder.inst_results(call)[0];
        builder.ins().store(MemFlagsData::new().with_notrap(), result, params[n_arguments], 0);
        builder.ins().return_(&[]);
    })
}
