use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::{Error, differentiate};

use super::limits::LimitFlags;
use super::names::position;
use super::output::{report, write};

/// Writes the graph with the gradient of an output appended.
#[derive(Args)]
#[command(after_long_help = "\
The new graph has the outputs of the old one, then `NAME.grad` for each input NAME by which the derivative is taken. It is
a graph like any other, so it can be differentiated again.

Examples:
  retrograd grad loss.json -o loss.grad.json
  retrograd grad loss.json --wrt w b | retrograd show -
  retrograd grad f.json | retrograd grad - --of x.grad | retrograd run - x=2      the second derivative at 2")]
pub struct Grad {
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

impl Grad {
    /// Does what the verb says, and tells what went wrong.
    pub fn run(&self) -> ExitCode {
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        let graph = self.limits.load(&self.file)?.into_graph();
        let of = match &self.of {
            None => 0,
            Some(name) => position("output", name, graph.outputs().iter().map(|output| &*output.name))?,
        };
        let names = || graph.inputs().iter().map(|input| &*input.name);
        let wrt: Vec<usize> = if self.wrt.is_empty() {
            let is_float = |&at: &usize| graph.ty(graph.inputs()[at].node.into()).dtype.is_float();
            (0..graph.inputs().len()).filter(is_float).collect()
        } else {
            self.wrt.iter().map(|name| position("input", name, names())).collect::<Result<_, _>>()?
        };
        write(self.output.as_deref(), &differentiate::grad(&graph, of, &wrt)?.to_json()?)
    }
}
