use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use retrograd::compile::{CheckLimits, PlanCheck, check_plan};
use retrograd::{Error, Graph};

use crate::limits::LimitFlags;
use crate::output::{print, report};

/// Verifies files, and reports all that is wrong with them.
#[derive(Args)]
#[command(after_long_help = "\
Every finding is reported with its place, and a hint where there is one:
  error: loss.json: loss.n7: there is no operation \"tahn\" (did you mean \"tanh\"?)

Examples:
  retrograd check loss.json
  retrograd check before.json after.json
  retrograd check --plan loss.json
  retrograd grad loss.json | retrograd check -")]
pub struct Check {
    /// The files; `-` is the standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Also plans the native code, and proves that every read in it finds the element that the graph means, within its
    /// buffer.
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    limits: LimitFlags,
}

impl Check {
    /// Does what the verb says, and tells what went wrong. One file that is not sound makes the whole a failure.
    pub fn run(&self) -> ExitCode {
        let codes: Vec<ExitCode> = self.files.iter().map(|file| report(file, self.check(file))).collect();
        codes.into_iter().find(|&code| code != ExitCode::SUCCESS).unwrap_or(ExitCode::SUCCESS)
    }

    fn check(&self, file: &Path) -> Result<(), Error> {
        let graph = self.limits.load(file)?.into_graph();
        let (n_inputs, n_ops, n_outputs) = (graph.inputs().len(), graph.n_ops(), graph.outputs().len());
        let plan = if self.plan { self.check_plan(&graph)? } else { String::new() };
        print(&format!("{}: sound: {n_inputs} inputs, {n_ops} operations, {n_outputs} outputs{plan}\n", file.display()))
    }

    fn check_plan(&self, graph: &Graph) -> Result<String, Error> {
        let PlanCheck { n_kernels, n_reads, n_skipped } = check_plan(graph, CheckLimits::default())?;
        let skipped = if n_skipped == 0 { String::new() } else { format!(", {n_skipped} plans too large to replay") };
        Ok(format!("; plan: {n_kernels} kernels, {n_reads} reads proved{skipped}"))
    }
}
