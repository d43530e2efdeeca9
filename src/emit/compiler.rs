//! Compilation of the functions of one program, which do not depend on each other, on all cores.

use std::sync::atomic::Ordering;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::Function;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{CompiledCode, Context};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_module::{FuncId, ModuleReloc};

use super::emitter::{Emitter, write};
use super::target::{Effort, FunctionId, Mode, compile_error, host_isa};
use super::text::FunctionText;
use super::{in_parallel, position, useful_threads};
use crate::error::CompileError;

/// A function that is to be compiled.
pub(super) struct Job<'j> {
    pub source: Source<'j>,
    pub effort: Effort,
    /// About the number of instructions.
    pub size: usize,
    /// What it is for, if texts are kept.
    pub purpose: String,
}

/// What a function is compiled from.
pub(super) enum Source<'j> {
    /// Cranelift's instructions.
    Written(Box<Function>),
    /// What writes them. A large program has too many to keep them all.
    Later(Box<dyn FnOnce(&mut Emitter<'_>) + Send + 'j>),
}

/// The code of one function, which does not know yet where what it calls is.
pub(super) struct Compiled {
    pub code: Vec<u8>,
    pub alignment: u64,
    pub relocations: Vec<ModuleReloc>,
    pub text: Option<FunctionText>,
}

/// Instructions that are worth a thread: one starts in the time in which some tens are compiled.
const MIN_SHARE: usize = 400;

/// Compiles the functions, in order. The code does not depend on the number of threads.
pub(super) fn compile(jobs: Vec<Job<'_>>, mode: Mode<'_>) -> Result<Vec<Compiled>, CompileError> {
    let n_threads = if mode.background.is_some() { 1 } else { n_threads(&jobs) };
    let n_jobs = jobs.len();
    let wanted = || mode.background.is_none_or(|abandoned| !abandoned.load(Ordering::Relaxed));
    let compiler = || Compiler {
        context: Context::new(),
        writing: FunctionBuilderContext::new(),
        registers: regalloc2::Ctx::default(),
        keeps_texts: mode.keeps_texts,
    };
    let jobs = jobs.into_iter().enumerate().take_while(|_| wanted());
    let done = in_parallel(n_threads, jobs, compiler, |compiler, (place, job)| compiler.compile(place, job));
    if done.len() < n_jobs {
        return Err(CompileError { message: "nobody waits for the code any more".to_string() });
    }
    done.into_iter().collect()
}

fn n_threads(jobs: &[Job<'_>]) -> usize {
    useful_threads(jobs.len(), jobs.iter().map(|job| job.size).sum(), MIN_SHARE)
}

/// What one thread needs, used again for each function.
struct Compiler {
    context: Context,
    writing: FunctionBuilderContext,
    /// What the register allocator keeps from function to function.
    registers: regalloc2::Ctx,
    keeps_texts: bool,
}

impl Compiler {
    fn compile(&mut self, place: usize, job: Job<'_>) -> Result<Compiled, CompileError> {
        let isa = host_isa(job.effort)?;
        let function = match job.source {
            Source::Written(function) => *function,
            Source::Later(body) => write(place, (isa.frontend_config(), job.effort), &mut self.writing, body),
        };
        self.context.clear();
        self.context.func = function;
        self.context.set_disasm(self.keeps_texts);
        let name = FunctionId::from_index(place).to_string();
        let mut text = self.keeps_texts.then(|| FunctionText::of_source(name, job.purpose, &self.context.func));
        let code = match job.effort {
            Effort::InOrder | Effort::Quick => self.compile_as_written(isa)?,
            Effort::Full => {
                let outcome = self.context.compile(&**isa, &mut ControlPlane::default());
                outcome.map_err(|error| compile_error(error.inner))?;
                self.context.take_compiled_code().expect("bug: compiled without code")
            }
        };
        if let Some(text) = &mut text {
            text.add_code(&code);
        }
        let id = FuncId::from_u32(position(place));
        let relocations = code.buffer.relocs().iter();
        Ok(Compiled {
            code: code.code_buffer().to_vec(),
            alignment: u64::from(code.buffer.alignment),
            relocations: relocations.map(|x| ModuleReloc::from_mach_reloc(x, &self.context.func, id)).collect(),
            text,
        })
    }

    /// Compiles the function without a look at it as a whole. The optimizer, at any level, takes the parameters of a block
    /// away to which only one value is ever given: they are what [`Emitter::in_next_block`] is for. In code of one pass
    /// there are none, and it would only look for them.
    fn compile_as_written(&mut self, isa: &OwnedTargetIsa) -> Result<CompiledCode, CompileError> {
        let context = &mut self.context;
        context.verify_if(&**isa).map_err(compile_error)?;
        context.compute_cfg();
        context.compute_domtree();
        let mut control = ControlPlane::default();
        let function = &context.func;
        let code =
            isa.compile_function(function, &context.domtree, &mut self.registers, self.keeps_texts, &mut control);
        Ok(code.map_err(compile_error)?.apply_params(&function.params))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    use cranelift_codegen::ir::Opcode;

    use crate::value::DType;

    /// Functions that all differ.
    fn jobs(size: usize) -> Vec<Job<'static>> {
        let job = |k: i32| {
            let body = move |e: &mut Emitter<'_>| {
                let base = e.base(0);
                let x = e.load(base, 8 * k, DType::F64, 1);
                let y = e.add(x, x);
                e.store(y, base, 0);
            };
            Job { source: Source::Later(Box::new(body)), effort: Effort::InOrder, size, purpose: format!("{k}") }
        };
        (0..40).map(job).collect()
    }

    #[test]
    fn code_does_not_depend_on_the_number_of_threads() {
        assert_eq!(n_threads(&jobs(0)), 1);
        let mode = Mode { keeps_texts: true, ..Mode::default() };
        let [alone, together] = [0, MIN_SHARE].map(|size| compile(jobs(size), mode).unwrap());
        assert_eq!(alone.len(), 40);
        for (k, (one, other)) in alone.iter().zip(&together).enumerate() {
            assert_eq!(one.code, other.code);
            assert_eq!(other.text.as_ref().unwrap().purpose, k.to_string());
        }
        assert!(alone[1..].iter().all(|function| function.code != alone[0].code));
    }

    /// The code of `(a·b, a·b)`, where both factors are loaded, and the product goes to the next block or does not.
    fn code_of_product(in_next_block: bool, effort: Effort) -> Vec<u8> {
        let body = move |e: &mut Emitter<'_>| {
            let base = e.base(0);
            let [x, y] = [0, 8].map(|offset| e.load(base, offset, DType::F64, 1));
            let mut product = e.mul(x, y);
            if in_next_block {
                product = e.in_next_block(&[product])[0];
            }
            e.store(product, base, 16);
            e.store(product, base, 24);
        };
        let job = Job { source: Source::Later(Box::new(body)), effort, size: 1, purpose: String::new() };
        compile(vec![job], Mode::default()).unwrap().remove(0).code
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_block_that_ends_lets_instructions_take_loads() {
        let lengths = |effort: Effort| [false, true].map(|cut| code_of_product(cut, effort).len());
        let [whole, cut] = lengths(Effort::InOrder);
        assert!(cut < whole, "{cut} bytes, {whole} in one block");
        // The optimizer joins the blocks again.
        let [whole, cut] = lengths(Effort::Full);
        assert_eq!(cut, whole);
    }

    /// How many instructions of that kind are in the blocks of a function that copies a matrix, in their order: before the
    /// loops, in the header and the body of the first, in those of the second, and after.
    fn instructions_of_copy(counted: fn(Opcode) -> bool) -> Vec<usize> {
        let body = |e: &mut Emitter<'_>| {
            e.load_bases([3, 4]);
            let (zero, end) = (e.index(0), e.index(1000));
            e.for_each(zero, end, 1, &[], |e, row, _| {
                let rows = [3, 4].map(|base| {
                    let base = e.base(base);
                    e.advance(base, row, 8000)
                });
                e.for_each(zero, end, 1, &[], |e, column, _| {
                    let [from, to] = rows.map(|row| e.advance(row, column, 8));
                    let x = e.load(from, 0, DType::F64, 1);
                    e.store(x, to, 0);
                    Vec::new()
                });
                Vec::new()
            });
        };
        let isa = host_isa(Effort::Full).unwrap();
        let function = write(0, (isa.frontend_config(), Effort::Full), &mut FunctionBuilderContext::new(), body);
        let mut context = Context::for_function(function);
        context.optimize(&**isa, &mut ControlPlane::default()).unwrap();
        let function = &context.func;
        let count =
            |block| function.layout.block_insts(block).filter(|&i| counted(function.dfg.insts[i].opcode())).count();
        function.layout.blocks().map(count).collect()
    }

    #[test]
    fn loops_compute_what_does_not_change_once() {
        // The bases of the table at first, then an element.
        let loads = instructions_of_copy(|opcode| opcode == Opcode::Load);
        assert_eq!(loads, [2, 0, 0, 0, 1, 0, 0]);
        // A row begins at one distance from both.
        let products = instructions_of_copy(|opcode| opcode == Opcode::Imul);
        assert_eq!(products, [0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_abandoned_is_not_compiled() {
        let abandoned = AtomicBool::new(false);
        let mode = Mode { background: Some(&abandoned), ..Mode::default() };
        assert_eq!(compile(jobs(MIN_SHARE), mode).unwrap().len(), 40);
        abandoned.store(true, Ordering::Relaxed);
        assert!(compile(jobs(MIN_SHARE), mode).is_err());
    }
}
