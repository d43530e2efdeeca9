use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::batch::batch;
use retrograd::value::Type;
use retrograd::{Error, Graph};

use crate::limits::LimitFlags;
use crate::names::{distinct, names_help};
use crate::output::{report, write};

/// Writes the graph applied to many rows at once: inputs and all outputs get one more, leading axis.
#[derive(Args)]
#[command(after_long_help = concat!("\
The inputs of --over get a leading axis of --rows rows, and so do all outputs, which keep their names. The other inputs are
the same for each row. A branch or a loop runs for the rows that take it, and for no others. The result is a graph like any
other: it can be differentiated, batched again, optimized and run.

An `if` that the traced function decided by an input with rows cannot be batched: an error that names its line.

", names_help!(), "

Examples:
  retrograd batch loss.json --over x,y --rows 100 -o losses.json
  retrograd grad loss.json --wrt w | retrograd batch - --over x,y --rows 100      a gradient by w for each row
  retrograd batch f.json --over x --rows 3 | retrograd run - x=[1,2,3]"))]
pub struct Batch {
    /// The file; `-` is the standard input.
    file: PathBuf,
    /// The inputs that have rows, as `x,y` or `x y`.
    #[arg(long, value_name = "INPUT", num_args = 1.., required = true)]
    over: Vec<String>,
    /// How many rows; 0 is allowed.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    rows: usize,
    /// Where to write [default: the standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitFlags,
}

impl Batch {
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        let graph = self.limits.load(&self.file)?.into_graph();
        let over = distinct("input", &self.over, graph.inputs().iter().map(|input| &*input.name))?;
        self.demand_size(&graph, &over)?;
        let batched = batch(&graph, &over, self.rows)?;
        write(self.output.as_deref(), &self.limits.text_of(&batched, &self.file)?)
    }

    /// Requires that inputs and outputs with rows be no larger than a value may be.
    fn demand_size(&self, graph: &Graph, over: &[usize]) -> Result<(), Error> {
        let demand = |name: &str, ty: &Type| {
            self.limits.demand_elements((ty.size() as u64).saturating_mul(self.rows as u64), name.to_string())
        };
        for input in over.iter().map(|&at| &graph.inputs()[at]) {
            demand(&input.name, graph.ty(input.node.into()))?;
        }
        for output in graph.outputs() {
            demand(&output.name, graph.ty(output.value))?;
        }
        Ok(())
    }
}
