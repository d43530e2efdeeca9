use std::fmt::Write as _;

use cranelift_codegen::CompiledCode;
use cranelift_codegen::ir::Function;

use super::symbol::Callee;

/// One compiled function as text, for people who want to see what is run.
#[derive(Clone, Debug)]
pub struct FunctionText {
    /// The name by which other functions call it: `f0`.
    pub name: String,
    /// What it is for: the lines of the graph that it computes.
    pub purpose: String,
    /// The instructions as they were given to Cranelift, before it optimized them. Comments name what is called.
    pub clif: String,
    /// The machine code as text, in the order in which it lies in memory.
    pub assembly: String,
    /// The bytes of machine code.
    pub code_bytes: usize,
}

impl FunctionText {
    /// The text of a function that has not been compiled yet.
    pub(super) fn of_source(name: String, purpose: String, function: &Function) -> FunctionText {
        let mut clif = callees(function, |callee, _| format!("u{}:{}", callee.name().namespace, callee.name().index));
        let _ = write!(clif, "{}", function.display());
        let assembly = callees(function, |_, reference| format!("userextname{reference}"));
        FunctionText { name, purpose, clif, assembly, code_bytes: 0 }
    }

    /// Completes the text with the machine code.
    pub(super) fn add_code(&mut self, code: &CompiledCode) {
        self.assembly.push_str(code.vcode.as_deref().expect("bug: the disassembly was asked for"));
        self.code_bytes = code.code_buffer().len();
    }
}

/// A comment for each function that this one may call: Cranelift knows them by number, and by another in machine code.
fn callees(function: &Function, shown: impl Fn(Callee, u32) -> String) -> String {
    let mut comments = String::new();
    for (reference, name) in function.params.user_named_funcs().iter() {
        let callee = Callee::from_name(name.namespace, name.index);
        let _ = writeln!(comments, "; {} is {}", shown(callee, reference.as_u32()), callee.readable());
    }
    comments
}
