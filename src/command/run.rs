use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use retrograd::error::{ArgumentError, LimitError};
use retrograd::ir::read_text;
use retrograd::value::json::{Json, write_text};
use retrograd::value::{Array, Type};
use retrograd::{Error, Graph, Program, interpret, optimize};

use super::limits::LimitFlags;
use super::names::position;
use super::output::{report, usage_error, write};

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
pub struct Run {
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

impl Run {
    /// Does what the verb says, and tells what went wrong.
    pub fn run(&self) -> ExitCode {
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        if self.file == Path::new("-") && self.input.as_deref() == Some(Path::new("-")) {
            let message = "the graph and its inputs cannot both come from the standard input";
            usage_error::<Run>("retrograd run", message);
        }
        let graph = self.limits.load(&self.file)?.into_graph();
        let inputs = self.read_inputs(&graph)?;
        let outputs = if self.interpret {
            let values = graph.ids().flat_map(|id| graph.node(id).types());
            demand_memory(values.map(n_bytes), self.max_memory)?;
            interpret::run(&graph, &inputs)?
        } else {
            let program = Program::compile(&optimize::optimize(&graph)?)?;
            let outputs = program.outputs().iter().map(|(_, ty)| n_bytes(ty));
            demand_memory(outputs.chain([program.memory_bytes() as u64]), self.max_memory)?;
            program.call(&inputs)?
        };
        let names = graph.outputs().iter().map(|output| &*output.name);
        write(self.output.as_deref(), &object(names.zip(&outputs)))
    }

    /// The values of all inputs, in order, from the file and the command line together.
    fn read_inputs(&self, graph: &Graph) -> Result<Vec<Array>, Error> {
        let text = self.input.as_deref().map(|path| read_text(path, self.limits.max_file_bytes)).transpose()?;
        let text = text.as_deref().unwrap_or("{}");
        let of_file = |requirement: String| {
            let name = self.input.as_deref().map_or_else(String::new, |path| path.display().to_string());
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
        for Assignment { name, value } in &self.values {
            let value = Json::parse(value).expect("bug: the value was JSON before");
            assign(graph, &mut inputs, name, &value)?;
        }
        let missing = |name: &str| ArgumentError::Missing { kind: "input", name: name.to_string() };
        let named = inputs.into_iter().zip(graph.inputs());
        Ok(named.map(|(value, input)| value.ok_or_else(|| missing(&input.name))).collect::<Result<_, _>>()?)
    }
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
