use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::ir::Document;
use retrograd::op::Op;
use retrograd::value::Type;
use retrograd::{Error, Graph, Program, optimize};
use serde_json::{Value, json};

use crate::highlight;
use crate::json::pretty;
use crate::limits::LimitFlags;
use crate::output::{print, print_colored, printable, report_as, usage_error};
use crate::passes::{After, after_parser};
use crate::plan;

/// Prints a graph as a listing, as JSON or as a drawing, or its plan, its code or its sizes.
#[derive(Args)]
#[command(after_long_help = "\
A listing has one node per line, in the order in which they are computed; on a terminal it is colored unless NO_COLOR is set.
`run` optimizes a graph before it compiles it, so --plan, --clif and --asm show the code after all passes, and --sizes counts
after each, unless --after names another pass. Code is compiled for the machine that shows it.

A plan lists the kernels in the order in which they run: straight-line code on single elements (scalar), loops over arrays,
calls of routines (library), and control flow with the kernels of its regions, or as one kernel if all values fit into
registers. Operations in one loop are fused. After each operation comes the location of its result: the caller's input or
output, an offset in bytes into the arena, a slot of the scalars' frame, a tile of 512 elements that stays in the first-level
cache, or registers only. Bytes that a kernel reads several times count once. Flops are floating-point additions,
subtractions, multiplications, divisions, square roots, maxima and minima; a fused multiply-add counts twice. Functions such
as exp are counted apart, as calls. Of several branches, the most expensive counts.

With --json, --sizes gives an object of graph and stages, objects of after (the pass), inputs, outputs, guards, operations,
by_name (how many operations have each name), constant_bytes, code_bytes and memory_bytes; --plan one whose keys are
  graph, moved_bytes                       the graph, and the bytes that its kernels read and write
  f64_flops, f32_flops, calls              null if they depend on a number of iterations
  arena_bytes, frame_bytes                 the working memory
  input_bytes, output_bytes, constant_bytes, code_bytes
  loops_save                               whether loops take more memory, which depends on their iterations
  kernels                                  objects of
    kind, shape                              scalar, loop (over that shape), library, control or registers
    steps                                    objects of op, line (of the listing) and locations (of its results)
    reads                                    objects of value and location
    read_bytes, written_bytes, scratch_bytes the last while the kernel runs
    f64_flops, f32_flops, calls, functions, code_bytes
    regions                                  objects of name, kind (branch or loop), iterations (null if unknown), kernels
A location is an object of in (input, output, constant, code, arena, frame, tile, registers) and its name, offset, slot or
tile. On failure the result is {\"errors\": [...]}, objects of file and message.

Examples:
  retrograd show loss.json                   one node per line, in the order in which they are computed
  retrograd show --after all loss.json       the same, and again after each pass of the optimizer
  retrograd show --json edited.json          the graph as retrograd writes it, so that files can be compared line by line
  retrograd show --dot loss.json | dot -Tsvg > loss.svg
  retrograd show --plan loss.json            its kernels, what they read and write, and where values are
  retrograd show --plan --json loss.json     the same for programs
  retrograd show --asm --after none f.json   the machine code of the graph as it is in the file
  retrograd show --sizes loss.json           operations by name, and bytes of constants, code and memory
  retrograd grad loss.json | retrograd show -")]
pub struct Show {
    /// The file; `-` is the standard input.
    file: PathBuf,
    #[command(flatten)]
    form: Form,
    /// Print JSON: the graph as a file holds it, or the numbers of --plan or --sizes.
    #[arg(long, conflicts_with_all = ["dot", "clif", "asm"])]
    json: bool,
    /// Show the graph after this pass of the optimizer and the passes before it.
    #[arg(long, value_name = "PASS", value_parser = after_parser())]
    after: Option<After>,
    #[command(flatten)]
    limits: LimitFlags,
}

/// How a graph is shown; without a choice as a listing.
#[derive(Args)]
#[group(multiple = false)]
struct Form {
    /// Print a drawing for Graphviz. Edges are labeled with the operand's slot if the order of operands matters.
    #[arg(long)]
    dot: bool,
    /// Print the plan: kernels, the operations fused in each, locations of values, bytes, flops, and flops per byte.
    #[arg(long)]
    plan: bool,
    /// Print each function in Cranelift's intermediate representation, before Cranelift optimizes it.
    #[arg(long)]
    clif: bool,
    /// Print the machine code of each compiled function.
    #[arg(long)]
    asm: bool,
    /// Print the numbers of inputs, outputs, guards and operations, and the bytes of constants, code and memory.
    #[arg(long)]
    sizes: bool,
}

impl Form {
    /// The name of a form that shows one graph only.
    fn of_one_graph(&self) -> Option<&'static str> {
        let forms = [(self.dot, "dot"), (self.plan, "plan"), (self.clif, "clif"), (self.asm, "asm")];
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
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        report_as(self.json && (self.form.sizes || self.form.plan), &self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        let is_graph_in_json = self.json && !self.form.plan && !self.form.sizes;
        let of_one_graph = self.form.of_one_graph().or(is_graph_in_json.then_some("json"));
        if let (Some(After::All), Some(form)) = (self.after, of_one_graph) {
            usage_error::<Show>("retrograd show", &format!("--{form} shows one graph; name one pass instead of all"));
        }
        let document = self.limits.load(&self.file)?;
        // Only a document that no pass has changed still has the producer and the `meta` of its file.
        if is_graph_in_json && self.after.is_none() {
            return print(&document.to_json()?);
        }
        let stages = self.stages(document)?;
        match stages.as_slice() {
            stages if self.form.sizes && self.json => print(&pretty(&sizes_json(stages)?)),
            stages if self.form.sizes => print(&printable(&sizes(stages)?)),
            [stage] if self.form.plan && self.json => {
                print(&pretty(&plan::json(&Program::inspect(&stage.graph)?.plan)))
            }
            [stage] if self.json => print(&stage.graph.to_json()?),
            [stage] if self.form.dot || self.form.clif || self.form.asm => print(&printable(&self.text(&stage.graph)?)),
            [stage] => print_colored(&highlight::listing(&printable(&self.text(&stage.graph)?))),
            stages => print_colored(&highlight::listing(&printable(&listings(stages)))),
        }
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

/// The table of sizes in JSON.
fn sizes_json(stages: &[Stage]) -> Result<Value, Error> {
    let name = stages.first().map(|stage| stage.graph.name().to_string());
    let stages = stages.iter().map(|stage| {
        let Counts { inputs, outputs, guards, ops, constant_bytes, code_bytes, memory_bytes } = counts(&stage.graph)?;
        Ok(json!({
            "after": stage.name,
            "inputs": inputs,
            "outputs": outputs,
            "guards": guards,
            "operations": ops.values().sum::<usize>(),
            "by_name": ops,
            "constant_bytes": constant_bytes,
            "code_bytes": code_bytes,
            "memory_bytes": memory_bytes,
        }))
    });
    Ok(json!({"graph": name, "stages": stages.collect::<Result<Vec<_>, Error>>()?}))
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
