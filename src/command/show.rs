use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::Error;

use super::limits::LimitFlags;
use super::output::{print, printable, report};

/// Prints a graph as a listing, or as canonical JSON.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  retrograd show loss.json                   a node a line, as they are computed
  retrograd show --json edited.json          the same graph as retrograd writes it, fit for a diff
  retrograd grad loss.json | retrograd show -")]
pub struct Show {
    /// The file; `-` is the standard input.
    file: PathBuf,
    /// Print JSON: fixed layout, fixed order of keys, ids in order.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitFlags,
}

impl Show {
    /// Does what the verb says, and tells what went wrong.
    pub fn run(&self) -> ExitCode {
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        let document = self.limits.load(&self.file)?;
        print(&if self.json { document.to_json()? } else { printable(&document.graph().to_string()) })
    }
}
