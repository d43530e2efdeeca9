//! The command `retrograd`: shows, checks, differentiates and runs saved graphs.

use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, CommandFactory, Parser, Subcommand};
use retrograd::error::{ArgumentError, IoError, LimitError};
use retrograd::ir::{Document, Limits, read_text, write_atomically};
use retrograd::op::Op;
use retrograd::value::json::{Json, write_text};
use retrograd::value::{Array, Type};
use retrograd::{Error, Graph, Program, differentiate, interpret, optimize};

/// Shows, checks, differentiates and runs saved graphs.
///
/// A file holds one graph as JSON, as `Graph::save` writes it; `-` stands for the standard input. Numbers are JSON, too:
/// arrays are nested lists, and "nan", "inf" and "-inf" are strings.
///
/// The exit code is 1 for bad input and 2 for bad usage; errors go to the standard error.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Show(Show),
    Check(Check),
    Grad(Grad),
    Run(Run),
}

/// Prints a graph as a listing, or as canonical JSON.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  retrograd show loss.json                   a node a line, as they are computed
  retrograd show --json edited.json          the same graph as retrograd writes it, fit for a diff
  retrograd grad loss.json | retrograd show -")]
struct Show {
    /// The file; `-` is the standard input.
    file: PathBuf,
    /// Print JSON: fixed layout, fixed order of keys, ids in order.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitFlags,
}

/// Verifies files, and reports all that is wrong with them.
#[derive(Args)]
#[command(after_long_help = "\
Every finding is reported with its place, and a hint where there is one:
  error: loss.json: loss.n7: there is no operation \"tahn\" (did you mean \"tanh\"?)

Examples:
  retrograd check loss.json
  retrograd check ir-examples/*.json")]
struct Check {
    /// The files; `-` is the standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    limits: LimitFlags,
}

/// Writes the graph with the gradient of an output appended.
#[derive(Args)]
#[command(after_long_help = "\
The new graph has the outputs of the old one, then `NAME.grad` for each input NAME by which the derivative is taken. It is
a graph like any other, so it can be differentiated again.

Examples:
  retrograd grad loss.json -o loss.grad.json
  retrograd grad loss.json --wrt w b | retrograd show -
  retrograd grad f.json | retrograd grad - --of x.grad | retrograd run - x=2      the second derivative at 2")]
struct Grad {
    /// The file; `-` is the standard input.
    file: PathBuf,
    /// The output to differentiate, a floating-point scalar [default: the first].
    #[arg(long, value_name = "OUTPUT")]
    of: Option<String>,
    /// The inputs by which to differentiate [default: every floating-point input].
    #[arg(long, value_name = "INPUT", num_args = 1..)]
    wrt: Vec<String>,
    /// Where to write [default: the standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitFlags,
}

/// Compiles a graph to native code, runs it once, and prints its outputs as JSON.
#[derive(Args)]
#[command(after_long_help = "\
Inputs are given one by one as NAME=VALUE, or together in a JSON file; every input needs a value. A value is JSON, or one
of nan, inf, -inf. Outputs are printed as JSON, one a line.

Examples:
  retrograd run loss.json w=[0.1,0.2,0.3] t=1
  retrograd run loss.json --input inputs.json -o outputs.json
with inputs.json:
  {\"w\": [0.1, 0.2, 0.3], \"t\": 1}")]
struct Run {
    /// The file; `-` is the standard input.
    file: PathBuf,
    /// Values of inputs.
    #[arg(value_name = "NAME=VALUE")]
    values: Vec<Assignment>,
    /// A JSON file with values of inputs by name; `-` is the standard input.
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where to write the outputs [default: the standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Use the reference evaluator instead of native code. The outputs have the same bits.
    #[arg(long)]
    interpret: bool,
    /// The most bytes of memory that the run may take.
    #[arg(long, value_name = "N", default_value_t = 16 << 30, help_heading = "Limits")]
    max_memory: u64,
    #[command(flatten)]
    limits: LimitFlags,
}

#[derive(Args)]
#[command(next_help_heading = "Limits")]
struct LimitFlags {
    /// The most bytes that a file may have.
    #[arg(long, value_name = "N", default_value_t = Limits::default().document_bytes)]
    max_file_bytes: u64,
    /// The most nodes that a file may have.
    #[arg(long, value_name = "N", default_value_t = Limits::default().nodes)]
    max_nodes: usize,
    /// The most elements that a value may have.
    #[arg(long, value_name = "N", default_value_t = Limits::default().elements)]
    max_elements: u64,
    /// The most bytes that all values of a file together may have.
    #[arg(long, value_name = "N", default_value_t = Limits::default().total_bytes)]
    max_total_bytes: u64,
}

impl LimitFlags {
    fn limits(&self) -> Limits {
        Limits {
            document_bytes: self.max_file_bytes,
            nodes: self.max_nodes,
            elements: self.max_elements,
            total_bytes: self.max_total_bytes,
            ..Limits::default()
        }
    }
}

/// `NAME=VALUE` on the command line.
#[derive(Clone)]
struct Assignment {
    name: String,
    value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Assignment, String> {
        let (name, value) = text.split_once('=').ok_or("takes NAME=VALUE, as in x=1.5 or w=[1,2]")?;
        // Shells make quotes hard to type, so the three numbers that JSON lacks need none here.
        let value = if ["nan", "inf", "-inf"].contains(&value) { format!("\"{value}\"") } else { value.to_string() };
        match Json::parse(&value) {
            Ok(_) => Ok(Assignment { name: name.to_string(), value }),
            Err(error) => Err(format!("the value is not JSON: {} at column {}", error.message, error.column)),
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Show(verb) => report(&verb.file, show(&verb)),
        Verb::Check(verb) => verb.files.iter().fold(ExitCode::SUCCESS, |code, file| {
            match report(file, check(file, &verb.limits.limits())) {
                ExitCode::SUCCESS => code,
                failure => failure,
            }
        }),
        Verb::Grad(verb) => report(&verb.file, grad(&verb)),
        Verb::Run(verb) => report(&verb.file, run(&verb)),
    }
}

fn show(verb: &Show) -> Result<(), Error> {
    let document = Document::<Op>::load(&verb.file, &verb.limits.limits())?;
    print(&if verb.json { document.to_json()? } else { printable(&document.graph().to_string()) })
}

fn check(file: &Path, limits: &Limits) -> Result<(), Error> {
    let graph = Document::<Op>::load(file, limits)?.into_graph();
    let (n_inputs, n_ops, n_outputs) = (graph.inputs().len(), graph.n_ops(), graph.outputs().len());
    print(&format!("{}: sound: {n_inputs} inputs, {n_ops} operations, {n_outputs} outputs\n", file.display()))
}

fn grad(verb: &Grad) -> Result<(), Error> {
    let graph = Document::<Op>::load(&verb.file, &verb.limits.limits())?.into_graph();
    let of = match &verb.of {
        None => 0,
        Some(name) => position("output", name, graph.outputs().iter().map(|output| &*output.name))?,
    };
    let names = || graph.inputs().iter().map(|input| &*input.name);
    let wrt: Vec<usize> = if verb.wrt.is_empty() {
        let is_float = |&at: &usize| graph.ty(graph.inputs()[at].node.into()).dtype.is_float();
        (0..graph.inputs().len()).filter(is_float).collect()
    } else {
        verb.wrt.iter().map(|name| position("input", name, names())).collect::<Result<_, _>>()?
    };
    write(verb.output.as_deref(), &differentiate::grad(&graph, of, &wrt)?.to_json()?)
}

fn run(verb: &Run) -> Result<(), Error> {
    if verb.file == Path::new("-") && verb.input.as_deref() == Some(Path::new("-")) {
        let message = "the graph and its inputs cannot both come from the standard input";
        Cli::command().error(clap::error::ErrorKind::ArgumentConflict, message).exit();
    }
    let graph = Document::<Op>::load(&verb.file, &verb.limits.limits())?.into_graph();
    let inputs = read_inputs(verb, &graph)?;
    let outputs = if verb.interpret {
        let values = graph.ids().flat_map(|id| graph.node(id).types());
        demand_memory(values.map(n_bytes), verb.max_memory)?;
        interpret::run(&graph, &inputs)?
    } else {
        let program = Program::compile(&optimize::optimize(&graph)?)?;
        let outputs = program.outputs().iter().map(|(_, ty)| n_bytes(ty));
        demand_memory(outputs.chain([program.memory_bytes() as u64]), verb.max_memory)?;
        program.call(&inputs)?
    };
    let names = graph.outputs().iter().map(|output| &*output.name);
    write(verb.output.as_deref(), &object(names.zip(&outputs)))
}

/// The values of all inputs, in order, from the file and the command line together.
fn read_inputs(verb: &Run, graph: &Graph) -> Result<Vec<Array>, Error> {
    let text = verb.input.as_deref().map(|path| read_text(path, verb.limits.max_file_bytes)).transpose()?;
    let text = text.as_deref().unwrap_or("{}");
    let of_file = |requirement: String| {
        let name = verb.input.as_deref().map_or_else(String::new, |path| path.display().to_string());
        ArgumentError::Value { name, requirement }
    };
    let file = Json::parse(text).map_err(|error| of_file(error.to_string()))?;
    let fields = file
        .as_object()
        .ok_or_else(|| of_file(format!("takes an object of values by name, but got {}", file.describe())))?;

    let mut inputs: Vec<Option<Array>> = vec![None; graph.inputs().len()];
    for (name, value) in fields {
        assign(graph, &mut inputs, name, value)?;
    }
    for Assignment { name, value } in &verb.values {
        let value = Json::parse(value).expect("bug: the value was JSON before");
        assign(graph, &mut inputs, name, &value)?;
    }
    let missing = |name: &str| ArgumentError::Missing { kind: "input", name: name.to_string() };
    let named = inputs.into_iter().zip(graph.inputs());
    Ok(named.map(|(value, input)| value.ok_or_else(|| missing(&input.name))).collect::<Result<_, _>>()?)
}

fn assign(graph: &Graph, inputs: &mut [Option<Array>], name: &str, value: &Json<'_>) -> Result<(), ArgumentError> {
    let at = position("input", name, graph.inputs().iter().map(|input| &*input.name))?;
    let ty: &Type = graph.ty(graph.inputs()[at].node.into());
    let array = Array::from_json(value, ty).map_err(|misfit| ArgumentError::Value {
        name: format!("{name}{}", misfit.place),
        requirement: misfit.requirement,
    })?;
    match inputs[at].replace(array) {
        None => Ok(()),
        Some(_) => Err(ArgumentError::Value { name: name.to_string(), requirement: "has two values".into() }),
    }
}

/// The position of a name.
fn position<'n>(
    kind: &'static str,
    name: &str,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Result<usize, ArgumentError> {
    names.clone().position(|known| known == name).ok_or_else(|| ArgumentError::Unknown {
        kind,
        name: name.to_string(),
        known: names.map(str::to_string).collect(),
    })
}

/// Requires that what a run needs be allowed, before it is allocated.
fn demand_memory(needs: impl Iterator<Item = u64>, limit: u64) -> Result<(), LimitError> {
    let got = needs.fold(0, u64::saturating_add);
    if got <= limit {
        return Ok(());
    }
    Err(LimitError { what: "bytes of memory for a run", limit, got: Some(got), place: None })
}

fn n_bytes(ty: &Type) -> u64 {
    ty.checked_bytes().map_or(u64::MAX, |bytes| bytes as u64)
}

/// Arrays by name, one a line.
fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a Array)>) -> String {
    let mut text = String::from("{");
    for (place, (name, array)) in fields.enumerate() {
        text.push_str(if place > 0 { ",\n " } else { "\n " });
        write_text(name, &mut text);
        let _ = write!(text, ": {}", array.to_json());
    }
    text.push_str("\n}\n");
    text
}

/// Writes to a file, all or nothing, or to the standard output.
fn write(path: Option<&Path>, text: &str) -> Result<(), Error> {
    match path {
        Some(path) if path != Path::new("-") => write_atomically(path, text.as_bytes()),
        Some(_) | None => print(text),
    }
}

/// Writes to the standard output. A reader that has seen enough, as `head` has, is no error.
fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let path = "the standard output".to_string();
            Err(IoError { path, action: "write", message: error.to_string() }.into())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Tells what went wrong with a file; each finding on its own.
fn report(file: &Path, outcome: Result<(), Error>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    match &error {
        Error::Verify(error) => {
            error.findings.iter().for_each(|finding| tell(&format!("{}: {finding}", file.display())))
        }
        // These tell their file themselves, or are about the arguments.
        Error::Io(error) => tell(error),
        Error::Argument(error) => tell(error),
        error => tell(&format!("{}: {error}", file.display())),
    }
    ExitCode::FAILURE
}

/// Writes an error. Where there is no one to read it, the exit code has to do.
fn tell(error: &dyn Display) {
    let _ = writeln!(io::stderr(), "error: {}", printable(&error.to_string()));
}

/// The text with control characters shown rather than obeyed: names come from files that no one may have looked at.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}
