use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;
use retrograd::ir::Change;

use crate::limits::LimitFlags;
use crate::output::{one_line, print_styled, report, usage_error};

/// Tells what changed between two graphs, by structure.
#[derive(Args)]
#[command(after_long_help = "\
Neither ids nor the order of independent operations matter, nor do names of nodes and source lines. Lines that only the
first graph has are marked -, lines that only the second has +; what depends on a change but is otherwise the same is not
listed. The last line says how many operations are the same, and whether the outputs are: the same expressions of the
same inputs, under the same guards. Operands are compared as written, in their order.

The exit code is 0 if there is no difference and 1 if there is one; it is 2 if a file is not sound, too, as for bad usage.

Examples:
  retrograd diff before.json after.json
  retrograd optimize loss.json | retrograd diff loss.json -")]
pub struct Diff {
    /// The first file; `-` is the standard input.
    old: PathBuf,
    /// The second file; `-` is the standard input.
    new: PathBuf,
    #[command(flatten)]
    limits: LimitFlags,
}

impl Diff {
    /// Does what the verb says, and tells what went wrong. Here 1 says that there is a difference, and so 2 stands for
    /// everything that went wrong, as with `diff` and `cmp`.
    pub fn run(&self) -> ExitCode {
        let is_stdin = |file: &Path| file == Path::new("-");
        if is_stdin(&self.old) && is_stdin(&self.new) {
            usage_error::<Diff>("retrograd diff", "the two graphs cannot both come from the standard input");
        }
        let load = |file: &Path| match self.limits.load(file) {
            Ok(document) => Some(document.into_graph()),
            Err(error) => {
                report(file, Err(error));
                None
            }
        };
        // Both are read before either failure ends the verb, so that all findings are told at once.
        let (Some(old), Some(new)) = (load(&self.old), load(&self.new)) else { return ExitCode::from(2) };
        let difference = old.diff(&new);
        let mut lines: Vec<(Style, String)> = difference.changes.iter().map(line).collect();
        let outputs = if difference.outputs_equal { "outputs equal" } else { "outputs differ" };
        let n_common = difference.n_common;
        lines.push((
            Style::new(),
            format!("{outputs}; {n_common} operations the same of {} and {}", old.n_ops(), new.n_ops()),
        ));
        match report(&self.new, print_styled(&lines)) {
            code if code != ExitCode::SUCCESS => ExitCode::from(2),
            _ if difference.is_empty() => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        }
    }
}

fn line(change: &Change) -> (Style, String) {
    match change {
        Change::Removed(line) => (AnsiColor::Red.on_default(), format!("- {}", one_line(line))),
        Change::Added(line) => (AnsiColor::Green.on_default(), format!("+ {}", one_line(line))),
    }
}
