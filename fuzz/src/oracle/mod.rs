//! The properties of all programs: interpreter, native code and optimized native code give the same bits, whatever was
//! in the buffers before; saving and loading preserves a graph; derivatives agree with differences and with each other;
//! and programs on rows do what they do row by row.

mod derivatives;
mod differences;
mod points;
mod rows;
mod walk;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use retrograd::ir::Limits;
use retrograd::op::Op;
use retrograd::optimize::{compiled_form, optimize, pass};
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Error, Graph, Program, interpret};

use crate::case::Case;
use crate::choices::Random;
use crate::panics;

/// A violated property.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The property, the same for all findings of one kind.
    pub kind: String,
    /// The observation.
    pub detail: String,
    /// The program, or its derivative, with its inputs.
    pub case: Case,
}

/// The numbers of checks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Graphs that were compiled and compared: programs, their derivatives, and their optimized forms.
    pub graphs: u64,
    /// Derivatives of programs.
    pub derivatives: u64,
    /// Derivatives that were compared with differences and were found to agree.
    pub differences: u64,
    /// Comparisons of forward with reverse mode.
    pub products: u64,
}

impl Counts {
    /// The sum of both counts.
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            graphs: self.graphs + other.graphs,
            derivatives: self.derivatives + other.derivatives,
            differences: self.differences + other.differences,
            products: self.products + other.products,
        }
    }
}

/// Checks a program and its derivatives. The seed selects among the checks that take too long to do each time.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(case: &Case, seed: u64) -> Result<Counts, Box<Finding>> {
    Oracle::new(seed, true).check(case)
}

/// Checks that all ways to run a program and its derivatives agree, but not that the derivatives are correct.
///
/// # Errors
/// The first thing that does not hold.
pub fn check_bits(case: &Case, seed: u64) -> Result<Counts, Box<Finding>> {
    Oracle::new(seed, false).check(case)
}

/// Checks that all ways to run a graph agree, without its derivatives.
///
/// # Errors
/// The first thing that does not hold.
pub fn check_values(case: &Case, seed: u64) -> Result<Counts, Box<Finding>> {
    let oracle = Oracle::new(seed, false);
    let _ = oracle.agree("", &case.graph, &case.inputs, BOTH)?;
    Ok(oracle.counts.get())
}

/// The outputs of a graph, and the fastest program that computes them.
struct Agreed {
    outputs: Vec<Array>,
    /// The optimized program, if it was compiled.
    program: Option<Program>,
}

impl Agreed {
    /// The outputs for other inputs, or `None` after an error.
    fn at(&self, graph: &Graph, inputs: &[Array]) -> Option<Vec<Array>> {
        match &self.program {
            Some(program) => call(program, inputs, true).ok(),
            None => interpret::run(graph, inputs).ok(),
        }
    }
}

struct Oracle {
    random: Random,
    counts: std::cell::Cell<Counts>,
    /// Whether derivatives are compared with differences and with each other.
    judges: bool,
}

impl Oracle {
    fn new(seed: u64, judges: bool) -> Oracle {
        Oracle { random: Random::new(seed), counts: Default::default(), judges }
    }

    fn check(self, case: &Case) -> Result<Counts, Box<Finding>> {
        let forms = *self.of(&[BOTH, &[Form::Optimized]]);
        let agreed = self.agree("", &case.graph, &case.inputs, forms)?;
        if let Ok(agreed) = agreed {
            self.derivatives(case, &agreed)?;
            if self.random.below(3) == 0 {
                self.rows(case)?;
                self.passes(case)?;
            }
        }
        Ok(self.counts.get())
    }

    fn count(&self, add: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        add(&mut counts);
        self.counts.set(counts);
    }

    /// The outputs of the interpreter; checks that native code, optimized or not, and the interpreter on the optimized
    /// graph give the same outputs, or all the same error.
    fn agree(
        &self,
        what: &str,
        graph: &Graph,
        inputs: &[Array],
        forms: &[Form],
    ) -> Result<Result<Agreed, Error>, Box<Finding>> {
        let run = Run { what, graph, inputs, poisons: self.random.below(2) == 0 };
        run.guard("verify", || graph.verify().map_err(Error::from))?;
        let expected = run.attempt("interpreter", || interpret::run(graph, inputs))?;
        if forms.contains(&Form::Raw) {
            self.raw(&run, &expected)?;
        }
        let program = forms.contains(&Form::Optimized).then(|| self.optimized(&run, &expected)).transpose()?;
        if self.random.below(4) == 0 {
            run.file(&expected)?;
        }
        self.count(|counts| counts.graphs += 1);
        Ok(expected.map(|outputs| Agreed { outputs, program }))
    }

    fn of<'l, T>(&self, list: &'l [T]) -> &'l T {
        &list[self.random.below(list.len())]
    }

    /// Native code of the graph as it is; but where functions have rules of their own, it is optimized after all.
    fn raw(&self, run: &Run<'_>, expected: &Outcome) -> Result<(), Box<Finding>> {
        let form = run.guard("compiled form", || compiled_form(run.graph))?;
        let again = match &form {
            Cow::Borrowed(_) => None,
            Cow::Owned(form) => Some(run.again("interpreter on compiled form", form, expected)?),
        };
        run.native("native", run.graph, again.as_ref().unwrap_or(expected)).map(drop)
    }

    fn optimized(&self, run: &Run<'_>, expected: &Outcome) -> Result<Program, Box<Finding>> {
        let (graph, inputs) = (run.graph, run.inputs);
        let optimized = run.guard("optimize", || optimize(graph))?;
        run.guard("verify of optimized", || optimized.verify().map_err(Error::from))?;
        let expected = &run.again("interpreter on optimized", &optimized, expected)?;
        let program = run.native("optimized native", &optimized, expected)?;
        if self.random.below(16) == 0 {
            let fused = run.guard("fma", || (pass("fma")?.run)(&optimized))?;
            let expected = run.attempt("interpreter on fma", || interpret::run(&fused, inputs))?;
            run.native("native with fma", &fused, &expected)?;
        }
        if self.random.below(24) == 0 {
            run.tiered(&optimized, expected)?;
        }
        Ok(program)
    }
}

/// How many operations look at indices, in regions, too.
fn n_checked(graph: &Graph) -> usize {
    let of = |id| {
        let node = graph.node(id);
        let is_checked = matches!(node.op(), Some(Op::Gather(_) | Op::Scatter(_)));
        usize::from(is_checked) + node.regions().iter().map(|region| n_checked(region)).sum::<usize>()
    };
    graph.ids().map(of).sum()
}

/// A form of a graph that is compiled. Compilation takes nearly all of the time, so not every form of every derivative
/// is compiled.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Raw,
    Optimized,
}

/// All forms.
const BOTH: &[Form] = &[Form::Raw, Form::Optimized];

/// A graph with its inputs, for which all ways to run it are compared.
struct Run<'r> {
    what: &'r str,
    graph: &'r Graph,
    inputs: &'r [Array],
    /// Whether working memory is filled with garbage before each call; otherwise it is the program's own.
    poisons: bool,
}

type Outcome = Result<Vec<Array>, Error>;

impl<'r> Run<'r> {
    fn of(what: &'r str, graph: &'r Graph, inputs: &'r [Array]) -> Run<'r> {
        Run { what, graph, inputs, poisons: false }
    }

    fn finding(&self, kind: &str, detail: impl Into<String>) -> Box<Finding> {
        let separator = if self.what.is_empty() { "" } else { ": " };
        Box::new(Finding {
            kind: format!("{}{separator}{kind}", self.what),
            detail: detail.into(),
            case: Case { graph: self.graph.clone(), inputs: self.inputs.to_vec(), loss: None },
        })
    }

    /// Runs a stage that must neither panic nor fail.
    fn guard<T>(&self, stage: &str, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Box<Finding>> {
        self.attempt(stage, body)?.map_err(|error| self.finding(&format!("{stage} fails"), error.to_string()))
    }

    /// Runs a stage that must not panic.
    fn attempt<T>(&self, stage: &str, body: impl FnOnce() -> T) -> Result<T, Box<Finding>> {
        catch_unwind(AssertUnwindSafe(body)).map_err(|_| {
            let panic = panics::last();
            self.finding(&format!("{stage} panics: {}", panics::kind(&panic)), panic)
        })
    }

    /// What the interpreter says of an optimized form of the graph: what it says of the graph. But what nothing uses is
    /// dropped, and with it the error of an index; native code of that form agrees with that then.
    fn again(&self, stage: &str, form: &Graph, expected: &Outcome) -> Result<Outcome, Box<Finding>> {
        let again = self.attempt(stage, || interpret::run(form, self.inputs))?;
        let is_dropped = matches!((expected, &again), (Err(Error::Index(_)), Ok(_)));
        if !(is_dropped && n_checked(form) < n_checked(self.graph)) {
            self.compare(stage, expected, &again)?;
        }
        Ok(again)
    }

    /// Compiles and calls twice, each time with other garbage in the buffers of the results.
    fn native(&self, stage: &str, graph: &Graph, expected: &Outcome) -> Result<Program, Box<Finding>> {
        let program = self.guard(&format!("{stage}: compile"), || {
            let program = Program::compile(graph)?;
            Ok(if self.poisons { program.with_poisoned_memory() } else { program })
        })?;
        self.calls(stage, &program, expected)?;
        Ok(program)
    }

    fn calls(&self, stage: &str, program: &Program, expected: &Outcome) -> Result<(), Box<Finding>> {
        for garbage in [true, false] {
            let got = self.attempt(&format!("{stage}: call"), || call(program, self.inputs, garbage))?;
            self.compare(stage, expected, &got)?;
        }
        Ok(())
    }

    /// Checks the code of the baseline tier, and that of the optimized tier.
    fn tiered(&self, graph: &Graph, expected: &Outcome) -> Result<(), Box<Finding>> {
        let program = self.guard("compile_tiered", || Program::compile_tiered(graph.clone()))?;
        self.calls("first tier", &program, expected)?;
        while !program.is_final() {
            std::thread::yield_now();
        }
        self.calls("second tier", &program, expected)
    }

    /// Checks that saving and loading preserves the graph.
    fn file(&self, expected: &Outcome) -> Result<(), Box<Finding>> {
        let text = self.guard("save", || self.graph.to_json())?;
        let loaded = self.guard("load", || Graph::from_json(&text, &Limits::default()))?;
        let again = self.guard("save of loaded", || loaded.to_json())?;
        if text != again {
            return Err(self.finding("the dump of a load differs", again));
        }
        let got = self.attempt("interpreter on loaded", || interpret::run(&loaded, self.inputs))?;
        self.compare("interpreter on loaded", expected, &got)
    }

    fn compare(&self, stage: &str, expected: &Outcome, got: &Outcome) -> Result<(), Box<Finding>> {
        match (expected, got) {
            (Ok(expected), Ok(got)) => match expected.iter().zip(got).position(|(x, y)| !x.same_bits(y)) {
                None => Ok(()),
                Some(k) => {
                    let (name, place) = (&self.graph.outputs()[k].name, first_difference(&expected[k], &got[k]));
                    Err(self.finding(&format!("{stage} differs"), format!("output {k} ({name}): {place}")))
                }
            },
            (Err(expected), Err(got)) if expected == got => Ok(()),
            // Of several bad indices any may be met first.
            (Err(Error::Index(_)), Err(Error::Index(_))) => Ok(()),
            (expected, got) => {
                let say = |outcome: &Outcome| match outcome {
                    Ok(_) => "a result".to_string(),
                    Err(error) => error.to_string(),
                };
                let detail = format!("expected {}, got {}", say(expected), say(got));
                Err(self.finding(&format!("{stage} ends otherwise"), detail))
            }
        }
    }
}

/// Calls a program with garbage in the buffers of its results, so that missing writes are detected.
fn call(program: &Program, inputs: &[Array], garbage: bool) -> Outcome {
    let mut outputs: Vec<Array> = program.outputs().iter().map(|(_, ty)| filled(ty, garbage)).collect();
    let views: Vec<_> = inputs.iter().map(Array::view).collect();
    program.call_into(&views, &mut outputs.iter_mut().map(Array::view_mut).collect::<Vec<_>>())?;
    Ok(outputs)
}

fn filled(ty: &Type, garbage: bool) -> Array {
    let (shape, n) = (ty.shape.extents(), ty.size());
    let real = if garbage { f64::NAN } else { -1.25e77 };
    let array = match ty.dtype {
        DType::F64 => Array::from_elements(shape, vec![real; n]),
        DType::F32 => Array::from_elements(shape, vec![(real / 1e50) as f32; n]),
        DType::I64 => Array::from_elements(shape, vec![if garbage { 0x5A5A_5A5A_5A5A_5A5A_i64 } else { -3 }; n]),
        DType::Bool => Array::from_elements(shape, vec![garbage; n]),
    };
    array.expect("as many elements as the shape has")
}

/// The elements of a floating-point array; none for other dtypes.
fn reals(x: &Array) -> Vec<f64> {
    match (x.as_slice::<f64>(), x.as_slice::<f32>()) {
        (Some(x), _) => x.to_vec(),
        (_, Some(x)) => x.iter().map(|&x| f64::from(x)).collect(),
        _ => Vec::new(),
    }
}

/// The array with each element replaced; `None` for a dtype without floating point.
fn floats(x: &Array, by: impl Fn(f64) -> f64) -> Option<Array> {
    match x.dtype() {
        DType::F64 => Array::from_elements(x.shape(), reals(x).into_iter().map(by).collect()),
        DType::F32 => Array::from_elements(x.shape(), reals(x).into_iter().map(|x| by(x) as f32).collect()),
        DType::I64 | DType::Bool => None,
    }
}

fn first_difference(expected: &Array, got: &Array) -> String {
    let bits = |x: Scalar| x.bits();
    let mut pairs = expected.elements().zip(got.elements()).enumerate();
    let n = expected.elements().zip(got.elements()).filter(|&(x, y)| bits(x) != bits(y)).count();
    match pairs.find(|&(_, (x, y))| bits(x) != bits(y)) {
        Some((k, (x, y))) => {
            format!("{n} of {} elements of {}, the first at {k}: expected {x}, got {y}", expected.size(), expected.ty())
        }
        None => format!("expected {}, got {}", expected.ty(), got.ty()),
    }
}
