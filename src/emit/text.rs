use std::fmt::Write as _;

use cranelift_codegen::CompiledCode;
use cranelift_codegen::ir::Function;
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Module as _};

use crate::math;

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

/// The texts of a module under construction.
#[derive(Default)]
pub(super) struct Texts {
    purpose: String,
    functions: Vec<FunctionText>,
}

impl Texts {
    /// Says what the next function is for.
    pub fn describe(&mut self, purpose: String) {
        self.purpose = purpose;
    }

    /// Begins a function with its instructions.
    pub fn add_source(&mut self, name: String, function: &Function, jit: &JITModule) {
        let mut clif = callees(function, jit, |index, _| format!("u0:{index}"));
        let _ = write!(clif, "{}", function.display());
        let assembly = callees(function, jit, |_, reference| format!("userextname{reference}"));
        let purpose = std::mem::take(&mut self.purpose);
        self.functions.push(FunctionText { name, purpose, clif, assembly, code_bytes: 0 });
    }

    /// Completes the last function with its machine code.
    pub fn add_code(&mut self, code: &CompiledCode) {
        let function = self.functions.last_mut().expect("bug: code without a function");
        function.assembly.push_str(code.vcode.as_deref().expect("bug: the disassembly was asked for"));
        function.code_bytes = code.code_buffer().len();
    }

    /// The functions, in order.
    pub fn finish(self) -> Vec<FunctionText> {
        self.functions
    }
}

/// A comment for each function that this one may call: Cranelift knows them by number, and by another in machine code.
fn callees(function: &Function, jit: &JITModule, shown: impl Fn(u32, u32) -> String) -> String {
    let mut comments = String::new();
    for (reference, name) in function.params.user_named_funcs().iter() {
        let id = FuncId::from_u32(name.index);
        let declared = jit.declarations().get_function_decl(id).linkage_name(id);
        let _ = writeln!(comments, "; {} is {}", shown(name.index, reference.as_u32()), readable(&declared));
    }
    comments
}

/// A symbol as a reader knows the function.
fn readable(symbol: &str) -> String {
    let known = || {
        let (kind, index) = symbol.strip_prefix("math")?.split_once('_')?;
        let index: usize = index.parse().ok()?;
        let name = match kind.get(..1)? {
            "1" => math::Unary::ALL.get(index)?.name(),
            _ => math::Binary::ALL.get(index)?.name(),
        };
        let (dtype, many) = (if kind[1..].starts_with('d') { "f64" } else { "f32" }, kind.ends_with('v'));
        Some(if many { format!("{name} of consecutive elements ({dtype})") } else { format!("{name} ({dtype})") })
    };
    known().unwrap_or_else(|| symbol.to_string())
}
