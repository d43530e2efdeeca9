use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;
use retrograd::Error;
use retrograd::ir::{Change, Difference, Document};
use serde_json::{Value, json};

use crate::json::{errors, pretty};
use crate::limits::LimitFlags;
use crate::output::{one_line, print, print_styled, report, usage_error};

/// Shows what changed between two graphs, by structure.
#[derive(Args)]
#[command(after_long_help = "\
Ids, names of nodes, source lines and the order of independent operations do not matter. Lines that only the first graph has
begin with -, lines that only the second has with +. An operation that is the same but depends on a change is not listed.
The last line says how many operations are the same, and whether the outputs are: the same expressions of the same inputs,
under the same guards. Operands are compared in their order, so x + y is not y + x.

With --json the result is an object whose keys are
  equal              whether the graphs are the same
  outputs_equal      whether the outputs are
  operations         how many operations each graph has
  common_operations  how many are the same
  changes            objects of change (\"removed\" or \"added\") and line
and, if a file cannot be compared, {\"errors\": [...]}, objects of file and message.

The exit code is 0 if the graphs are the same, 1 if they differ, and 2 for a file that is not sound or bad usage.

Examples:
  retrograd diff before.json after.json
  retrograd diff --json before.json after.json > changes.json
  retrograd optimize loss.json | retrograd diff loss.json -")]
pub struct Diff {
    /// The first file; `-` is the standard input.
    old: PathBuf,
    /// The second file; `-` is the standard input.
    new: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitFlags,
}

impl Diff {
    /// Does what the verb says, and reports what went wrong. Here 1 says that there is a difference, so that 2 is for
    /// everything that went wrong, as with `diff` and `cmp`.
    pub fn run(&self) -> ExitCode {
        let is_stdin = |file: &Path| file == Path::new("-");
        if is_stdin(&self.old) && is_stdin(&self.new) {
            usage_error::<Diff>("retrograd diff", "the two graphs cannot both come from the standard input");
        }
        let load = |file: &Path| self.limits.load(file).map(Document::into_graph);
        // Both are read before either failure ends the verb, so that all findings are reported at once.
        let (old, new) = match (load(&self.old), load(&self.new)) {
            (Ok(old), Ok(new)) => (old, new),
            (old, new) => return self.fail(&[(&self.old, old.err()), (&self.new, new.err())]),
        };
        let difference = old.diff(&new);
        let n_ops = [old.n_ops(), new.n_ops()];
        let printed = if self.json {
            print(&pretty(&json(&difference, n_ops)))
        } else {
            print_styled(&lines(&difference, n_ops))
        };
        match report(&self.new, printed) {
            code if code != ExitCode::SUCCESS => ExitCode::from(2),
            _ if difference.is_empty() => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        }
    }

    /// Reports which of the files cannot be compared, and why.
    fn fail(&self, outcomes: &[(&PathBuf, Option<Error>); 2]) -> ExitCode {
        let failed = outcomes.iter().filter_map(|(file, error)| Some((file.as_path(), error.as_ref()?)));
        let failed: Vec<(&Path, &Error)> = failed.collect();
        if self.json {
            // Where the standard output fails, too, the exit code has to do.
            let _ = print(&pretty(&errors(&failed)));
        }
        failed.into_iter().for_each(|(file, error)| _ = report(file, Err(error.clone())));
        ExitCode::from(2)
    }
}

fn json(difference: &Difference, n_ops: [usize; 2]) -> Value {
    let changes = difference.changes.iter().map(|change| match change {
        Change::Removed(line) => json!({"change": "removed", "line": line}),
        Change::Added(line) => json!({"change": "added", "line": line}),
    });
    json!({
        "equal": difference.is_empty(),
        "outputs_equal": difference.outputs_equal,
        "operations": n_ops,
        "common_operations": difference.n_common,
        "changes": changes.collect::<Vec<_>>(),
    })
}

fn lines(difference: &Difference, [n_old, n_new]: [usize; 2]) -> Vec<(Style, String)> {
    let outputs = if difference.outputs_equal { "outputs equal" } else { "outputs differ" };
    let last = format!("{outputs}; {} operations the same of {n_old} and {n_new}", difference.n_common);
    difference.changes.iter().map(line).chain([(Style::new(), last)]).collect()
}

fn line(change: &Change) -> (Style, String) {
    match change {
        Change::Removed(line) => (AnsiColor::Red.on_default(), format!("- {}", one_line(line))),
        Change::Added(line) => (AnsiColor::Green.on_default(), format!("+ {}", one_line(line))),
    }
}
