use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use retrograd::compile::{CheckLimits, PlanCheck, check_plan};
use retrograd::ir::{Document, read_text};
use retrograd::{Error, Graph};
use serde_json::{Value, json};

use crate::json::{findings, pretty};
use crate::limits::LimitFlags;
use crate::output::{print, report};

/// Verifies files, and reports everything that is wrong with them.
#[derive(Args)]
#[command(after_long_help = "\
Every finding is reported with its place, and with a hint if there is one:
  error: loss.json: loss.n7: there is no operation \"tahn\" (did you mean \"tanh\"?)

With --json the result is {\"files\": [...]}, an object for each file, whose keys are
  file, sound                   the file; whether it is sound
  inputs, operations, outputs   how many there are; null if the file is not sound
  plan                          with --plan: the numbers of kernels, proved reads and skipped plans; else null
  findings                      objects of place, node (the id of an input or a node), message, hint and line (of the file);
                                what does not apply is null
The findings are printed on the standard error as well, and the exit code is the same.

Examples:
  retrograd check loss.json
  retrograd check before.json after.json
  retrograd check --plan loss.json
  retrograd check --json loss.json > findings.json
  retrograd grad loss.json | retrograd check -")]
pub struct Check {
    /// The files; `-` is the standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Also plan the native code, and prove that every read in it is within its buffer and finds the element that the
    /// graph means.
    #[arg(long)]
    plan: bool,
    /// Print JSON, for all files together.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitFlags,
}

/// What a sound file has.
struct Counts {
    inputs: usize,
    operations: usize,
    outputs: usize,
    plan: Option<PlanCheck>,
}

impl Check {
    /// Does what the verb says, and reports what went wrong. One file that is not sound makes the whole a failure.
    pub fn run(&self) -> ExitCode {
        let mut files = Vec::new();
        let mut code = ExitCode::SUCCESS;
        for file in &self.files {
            let (text, outcome) = self.check(file);
            files.push(if self.json { entry(file, text.as_deref(), &outcome) } else { Value::Null });
            let outcome = match outcome {
                Ok(counts) if !self.json => print(&counts.line(file)),
                outcome => outcome.map(drop),
            };
            if report(file, outcome) != ExitCode::SUCCESS {
                code = ExitCode::FAILURE;
            }
        }
        let printed = if self.json { print(&pretty(&json!({ "files": files }))) } else { Ok(()) };
        if report(Path::new("-"), printed) == ExitCode::SUCCESS { code } else { ExitCode::FAILURE }
    }

    /// The text of a file, if it can be read, and what is in it.
    fn check(&self, file: &Path) -> (Option<String>, Result<Counts, Error>) {
        match read_text(file, self.limits.max_file_bytes) {
            Ok(text) => {
                let counts = self.check_text(&text);
                (Some(text), counts)
            }
            Err(error) => (None, Err(error)),
        }
    }

    fn check_text(&self, text: &str) -> Result<Counts, Error> {
        let graph: Graph = Document::from_json(text, &self.limits.limits())?.into_graph();
        let plan = if self.plan { Some(check_plan(&graph, CheckLimits::default())?) } else { None };
        let (inputs, outputs) = (graph.inputs().len(), graph.outputs().len());
        Ok(Counts { inputs, operations: graph.n_ops(), outputs, plan })
    }
}

impl Counts {
    fn line(&self, file: &Path) -> String {
        let Counts { inputs, operations, outputs, plan } = self;
        let plan = plan.map_or_else(String::new, |PlanCheck { n_kernels, n_reads, n_skipped }| {
            let skipped =
                if n_skipped == 0 { String::new() } else { format!(", {n_skipped} plans too large to replay") };
            format!("; plan: {n_kernels} kernels, {n_reads} reads proved{skipped}")
        });
        format!("{}: sound: {inputs} inputs, {operations} operations, {outputs} outputs{plan}\n", file.display())
    }
}

/// A file in JSON; what is not known is null.
fn entry(file: &Path, text: Option<&str>, outcome: &Result<Counts, Error>) -> Value {
    let file = file.display().to_string();
    match outcome {
        Ok(Counts { inputs, operations, outputs, plan }) => {
            let plan = plan.as_ref().map(|PlanCheck { n_kernels, n_reads, n_skipped }| {
                json!({"kernels": n_kernels, "reads": n_reads, "skipped": n_skipped})
            });
            json!({
                "file": file, "sound": true, "inputs": inputs, "operations": operations, "outputs": outputs,
                "plan": plan, "findings": [],
            })
        }
        Err(error) => json!({
            "file": file, "sound": false, "inputs": null, "operations": null, "outputs": null, "plan": null,
            "findings": findings(error, text),
        }),
    }
}
