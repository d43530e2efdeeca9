use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::error::LimitError;
use retrograd::value::Type;
use retrograd::{Error, Program, interpret, optimize};

use super::inputs::{InputFlags, values_help};
use super::limits::LimitFlags;
use super::names::{distinct, with_outputs};
use super::numbers::write_arrays;
use super::output::report;

/// Compiles a graph to native code, runs it once, and writes its outputs.
#[derive(Args)]
#[command(after_long_help = concat!(values_help!(), "

Outputs are printed as JSON, one a line, or written to a file: as .npz or .npy if its name says so, else as JSON.

Examples:
  retrograd run loss.json w=[0.1,0.2,0.3] t=1
  retrograd run loss.json --input inputs.json -o outputs.json
  retrograd run loss.json w=@w.npy t=1 -o outputs.npz
  retrograd run loss.json w=@trees.csv:height t=1
  retrograd grad loss.json | retrograd run - --input inputs.json --only w.grad -o gradient.npy
with inputs.json:
  {\"w\": [0.1, 0.2, 0.3], \"t\": 1}"))]
pub struct Run {
    /// The file; `-` is the standard input.
    file: PathBuf,
    #[command(flatten)]
    inputs: InputFlags,
    /// Which outputs to write, in this order [default: all].
    #[arg(long, value_name = "OUTPUT", num_args = 1..)]
    only: Vec<String>,
    /// Where to write the outputs, as .npz, .npy or JSON [default: the standard output].
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

impl Run {
    /// Does what the verb says, and tells what went wrong.
    pub fn run(&self) -> ExitCode {
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        self.inputs.require_one_stdin::<Run>("retrograd run", &self.file);
        let mut graph = self.limits.load(&self.file)?.into_graph();
        if !self.only.is_empty() {
            let names = graph.outputs().iter().map(|output| &*output.name);
            let chosen = distinct("output", &self.only, names)?;
            graph = with_outputs(graph, &chosen);
        }
        let inputs = self.inputs.all(&graph, &self.limits)?;
        let outputs = if self.interpret {
            let values = graph.ids().flat_map(|id| graph.node(id).types());
            demand_memory(values.map(n_bytes), self.max_memory)?;
            interpret::run(&graph, &inputs)?
        } else {
            let program = Program::compile_tiered(optimize::optimize(&graph)?)?;
            let outputs = program.outputs().iter().map(|(_, ty)| n_bytes(ty));
            demand_memory(outputs.chain([program.memory_bytes() as u64]), self.max_memory)?;
            program.call(&inputs)?
        };
        let names = graph.outputs().iter().map(|output| &*output.name);
        write_arrays(self.output.as_deref(), &names.zip(&outputs).collect::<Vec<_>>())
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
