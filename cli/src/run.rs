use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::{Error, Program, interpret, optimize};

use crate::inputs::{InputFlags, values_help};
use crate::limits::{LimitFlags, MemoryFlag, within};
use crate::names::{distinct, names_help, with_outputs};
use crate::numbers::{file_parser, write_arrays};
use crate::output::report;
use crate::template::write_template;

/// Compiles a graph to native code, runs it once, and writes its outputs.
#[derive(Args)]
#[command(after_long_help = concat!(values_help!(), "

Outputs are printed as JSON, one a line, or written to a file in the format that its name ends in:
  .json, or no extension     an object of arrays by name
  .npz                       all arrays by name, for NumPy; a complex one as such
  .npy                       one array, for NumPy
  .csv                       a table: a scalar or an array of rank 1 is a column with its name, an array y of rank 2 is the
                             columns y.0, y.1, ...; all must have equally many rows
With --template nothing is run: zeros for all inputs are written as JSON or .npz, to fill in and to give with --input. JSON
leaves out arrays of more than 10000 elements and names them on the standard error; give these as NAME=@FILE.npy.

", names_help!(), "

Examples:
  retrograd run loss.json w=[0.1,0.2,0.3] t=1
  retrograd run loss.json --template -o inputs.json
  retrograd run loss.json --input inputs.json -o outputs.json
  retrograd run loss.json w=@w.npy t=1 -o outputs.npz
  retrograd run loss.json w=@trees.csv:height t=1
  retrograd grad loss.json | retrograd run - --input inputs.json --only w.grad -o gradient.csv
with inputs.json:
  {\"w\": [0.1, 0.2, 0.3], \"t\": 1}"))]
pub struct Run {
    /// The file; `-` is the standard input.
    file: PathBuf,
    #[command(flatten)]
    inputs: InputFlags,
    /// Which outputs to write, in this order, as `y,z` or `y z` [default: all].
    #[arg(long, value_name = "OUTPUT", num_args = 1..)]
    only: Vec<String>,
    /// Where to write the outputs, by the end of its name as .json, .npz, .npy or .csv; JSON without one [default: the
    /// standard output].
    #[arg(short, long, value_name = "FILE", value_parser = file_parser())]
    output: Option<PathBuf>,
    /// Run nothing, but write a file of inputs to fill in, for --input: a zero for each element.
    #[arg(long, conflicts_with_all = ["values", "input", "no_header", "only", "interpret"])]
    template: bool,
    /// Use the interpreter, on the graph as it is, instead of native code of the optimized graph, which leaves out what no
    /// output depends on; the outputs have the same bits.
    #[arg(long)]
    interpret: bool,
    #[command(flatten)]
    memory: MemoryFlag,
    #[command(flatten)]
    limits: LimitFlags,
}

impl Run {
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        self.inputs.require_one_stdin::<Run>("retrograd run", &self.file);
        let mut graph = self.limits.load(&self.file)?.into_graph();
        if self.template {
            return write_template(&graph, self.output.as_deref(), &self.limits);
        }
        if !self.only.is_empty() {
            let names = graph.outputs().iter().map(|output| &*output.name);
            let chosen = distinct("output", &self.only, names)?;
            graph = with_outputs(graph, &chosen);
        }
        let inputs = self.inputs.all(&graph, &self.limits)?;
        let outputs = if self.interpret {
            interpret::run_within(&graph, &inputs, self.memory.max_memory)?
        } else {
            let program = Program::compile_tiered(optimize::optimize(&graph)?)?;
            within(program, self.memory.max_memory)?.call(&inputs)?
        };
        let names = graph.outputs().iter().map(|output| &*output.name);
        write_arrays(self.output.as_deref(), &names.zip(&outputs).collect::<Vec<_>>())
    }
}
