use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::Error;
use retrograd::optimize::{DEFAULT, Pass};

use crate::limits::LimitFlags;
use crate::output::{is_watched, note, report, write};
use crate::passes::pass_parser;

/// Writes the optimized graph, whose outputs have the same bits unless a pass that is named changes them.
#[derive(Args)]
#[command(after_long_help = "\
The passes run in the order in which they are named. Each keeps every bit of every output and of every derivative, except for
fma, which rounds a sum of products once, and runs only if it is named. How many operations each pass leaves is printed on
the standard error if that is a terminal, or with --verbose.

Examples:
  retrograd optimize loss.json -o small.json
  retrograd optimize loss.json --passes cse | retrograd show -
  retrograd grad loss.json | retrograd optimize - --verbose -o loss.grad.json")]
pub struct Optimize {
    /// The file; `-` is the standard input.
    file: PathBuf,
    /// The passes, separated by commas [default: simplify,loops].
    #[arg(long, value_name = "PASS", value_delimiter = ',', value_parser = pass_parser())]
    passes: Vec<Pass>,
    /// Print what each pass did, even if the standard error is not a terminal.
    #[arg(short, long)]
    verbose: bool,
    /// Where to write [default: the standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitFlags,
}

impl Optimize {
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        let mut graph = self.limits.load(&self.file)?.into_graph();
        let passes = if self.passes.is_empty() { &DEFAULT } else { &self.passes[..] };
        for pass in passes {
            let before = graph.n_ops();
            graph = (pass.run)(&graph)?;
            if self.verbose || is_watched() {
                note(&format!("{}: {before} → {} operations", pass.name, graph.n_ops()));
            }
        }
        write(self.output.as_deref(), &self.limits.text_of(&graph, &self.file)?)
    }
}
