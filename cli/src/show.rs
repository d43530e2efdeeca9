use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::ir::Document;
use retrograd::op::Op;
use retrograd::value::Type;
use retrograd::{Error, Graph, Program, optimize};

use crate::limits::LimitFlags;
use crate::output::{print, printable, report, usage_error};
use crate::passes::{After, after_parser};

/// Prints a graph: as a listing, JSON, a drawing, its plan, the code that it becomes, or in numbers.
#[derive(Args)]
#[command(after_long_help = "\
A listing has a node a line, in the order in which they are computed. `run` optimizes a graph before it compiles it, and so
--plan, --clif and --asm show the code after all passes, and --sizes counts after each, unless --after says otherwise.
Code is for the machine that shows it.

A plan has the kernels in the order in which they run: straight-line code on single elements (scalar), loops over arrays,
calls of routines (library), and control flow with the kernels of its regions, or in one piece where all values fit into
registers. What stands in one loop was fused. Behind each operation stands where its result lives: in the caller's input or
output, in the arena at an offset in bytes, in a slot of the scalars' frame, in a tile of 512 elements that stays in the
first-level cache, or in registers alone. Bytes that are read count once in each kernel. Flops are additions, subtractions,
multiplications, divisions, square roots, maxima and minima of floating point, fused ones twice; functions as exp are
counted apart, as calls. Of branches, the dearest counts.

Examples:
  retrograd show loss.json                   a node a line, as they are computed
  retrograd show --after all loss.json       the same, and again after each pass of the optimizer
  retrograd show --json edited.json          the same graph as retrograd writes it, fit for a diff
  retrograd show --dot loss.json | dot -Tsvg > loss.svg
  retrograd show --plan loss.json            its kernels, what they read and write, and where values live
  retrograd show --asm --after none f.json   the machine code of the graph as it stands in the file
  retrograd show --sizes loss.json           operations by name, and bytes of constants, code and memory
  retrograd grad loss.json | retrograd show -")]
pub struct Show {
    /// The file; `-` is the standard input.
    file: PathBuf,
    #[command(flatten)]
    form: Form,
    /// Show the graph after that pass of the optimizer and those before it.
    #[arg(long, value_name = "PASS", value_parser = after_parser())]
    after: Option<After>,
    #[command(flatten)]
    limits: LimitFlags,
}

/// How a graph is shown; a listing if nothing is said.
#[derive(Args)]
#[group(multiple = false)]
struct Form {
    /// Print JSON: fixed layout, fixed order of keys, ids in order.
    #[arg(long)]
    json: bool,
    /// Print a drawing for Graphviz: edges bear the operand's slot where the order of operands matters.
    #[arg(long)]
    dot: bool,
    /// Print what is compiled: kernels, what is fused in each, where values live, bytes, flops, and flops a byte.
    #[arg(long)]
    plan: bool,
    /// Print each compiled function in Cranelift's language, as it was given to Cranelift.
    #[arg(long)]
    clif: bool,
    /// Print the machine code of each compiled function.
    #[arg(long)]
    asm: bool,
    /// Print how many inputs, outputs, guards and operations there are, and bytes of constants, code and memory.
    #[arg(long)]
    sizes: bool,
}

impl Form {
    /// The name of a form that shows one graph only.
    fn of_one_graph(&self) -> Option<&'static str> {
        let forms =
            [(self.json, "json"), (self.dot, "dot"), (self.plan, "plan"), (self.clif, "clif"), (self.asm, "asm")];
        forms.into_iter().find_map(|(chosen, name)| chosen.then_some(name))
    }

    fn shows_code(&self) -> bool {
        self.plan || self.clif || self.asm
    }
}

/// A graph, and after which pass it is that.
struct Stage {
    name: &'static str,
    graph: Graph,
}

impl Show {
    /// Does what the verb says, and tells what went wrong.
    pub fn run(&self) -> ExitCode {
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        if let (Some(After::All), Some(form)) = (self.after, self.form.of_one_graph()) {
            usage_error::<Show>("retrograd show", &format!("--{form} shows one graph; name one pass instead of all"));
        }
        let document = self.limits.load(&self.file)?;
        // Only a document that no pass has touched still has what its file says beside the graph.
        if self.form.json && self.after.is_none() {
            return print(&document.to_json()?);
        }
        let stages = self.stages(document)?;
        let text = match stages.as_slice() {
            stages if self.form.sizes => sizes(stages)?,
            [stage] => self.text(&stage.graph)?,
            stages => listings(stages),
        };
        print(&if self.form.json { text } else { printable(&text) })
    }

    /// The graphs to be shown.
    fn stages(&self, document: Document<Op>) -> Result<Vec<Stage>, Error> {
        let every = self.form.sizes || self.form.shows_code();
        let wanted = self.after.unwrap_or(if every { After::All } else { After::None });
        let mut stages = vec![Stage { name: "none", graph: document.into_graph() }];
        if matches!(wanted, After::None) {
            return Ok(stages);
        }
        for pass in optimize::passes() {
            let is_last = matches!(wanted, After::Pass(last) if last.name == pass.name);
            if !pass.keeps_bits && !is_last {
                continue;
            }
            let before = &stages.last().expect("bug: no graph to optimize").graph;
            let graph = (pass.run)(before)?;
            stages.push(Stage { name: pass.name, graph });
            if is_last {
                break;
            }
        }
        let all = matches!(wanted, After::All) && !self.form.shows_code();
        let n_earlier = if all { 0 } else { stages.len() - 1 };
        Ok(stages.split_off(n_earlier))
    }

    fn text(&self, graph: &Graph) -> Result<String, Error> {
        Ok(match self.form {
            Form { json: true, .. } => graph.to_json()?,
            Form { dot: true, .. } => graph.to_dot(),
            Form { plan: true, .. } => Program::inspect(graph)?.plan.to_string(),
            Form { clif: true, .. } => Program::inspect(graph)?.clif(),
            Form { asm: true, .. } => Program::inspect(graph)?.assembly(),
            Form { .. } => graph.to_string(),
        })
    }
}

/// One listing after the other, each under a title.
fn listings(stages: &[Stage]) -> String {
    let listings =
        stages.iter().map(|Stage { name, graph }| format!("# after {name}: {} operations\n{graph}", graph.n_ops()));
    listings.collect::<Vec<_>>().join("\n")
}

/// A table: a row for each number, a column for each graph.
fn sizes(stages: &[Stage]) -> Result<String, Error> {
    let columns = stages.iter().map(|stage| counts(&stage.graph)).collect::<Result<Vec<_>, _>>()?;
    let mut text = format!("{:22}", "after pass");
    stages.iter().for_each(|stage| _ = write!(text, "{:>12}", stage.name));
    text.push('\n');
    let mut row = |name: &str, number: &dyn Fn(&Counts) -> usize| {
        let _ = write!(text, "{name:22}");
        columns.iter().for_each(|counts| _ = write!(text, "{:>12}", number(counts)));
        text.push('\n');
    };
    row("inputs", &|counts| counts.inputs);
    row("outputs", &|counts| counts.outputs);
    row("guards", &|counts| counts.guards);
    row("operations", &|counts| counts.ops.values().sum());
    let names: std::collections::BTreeSet<&str> =
        columns.iter().flat_map(|counts| counts.ops.keys().copied()).collect();
    for name in names {
        row(&format!("  {name}"), &|counts| counts.ops.get(name).copied().unwrap_or(0));
    }
    row("bytes of constants", &|counts| counts.constant_bytes);
    row("bytes of code", &|counts| counts.code_bytes);
    row("bytes of memory", &|counts| counts.memory_bytes);
    Ok(text)
}

/// The numbers of one graph.
struct Counts {
    inputs: usize,
    outputs: usize,
    guards: usize,
    ops: BTreeMap<&'static str, usize>,
    constant_bytes: usize,
    code_bytes: usize,
    memory_bytes: usize,
}

fn counts(graph: &Graph) -> Result<Counts, Error> {
    let program = Program::compile(graph)?;
    let mut ops = BTreeMap::new();
    let mut constant_bytes = 0;
    for node in graph.ids().map(|id| graph.node(id)) {
        let Some(op) = node.op() else { continue };
        *ops.entry(op.name()).or_default() += 1;
        if matches!(op, Op::Constant(_)) {
            constant_bytes += node.types().iter().filter_map(Type::checked_bytes).sum::<usize>();
        }
    }
    Ok(Counts {
        inputs: graph.inputs().len(),
        outputs: graph.outputs().len(),
        guards: graph.guards().len(),
        ops,
        constant_bytes,
        code_bytes: program.code_bytes(),
        memory_bytes: program.memory_bytes(),
    })
}
