//! Runs any number of random programs, on all cores.
//!
//! ```text
//! cargo run --release -p retrograd-fuzz -- graphs --count 1000000 --seed 1
//! cargo run --release -p retrograd-fuzz -- graphs --count 1 --seed 4711    # one program again
//! cargo run --release -p retrograd-fuzz -- graphs --count 10000 --bits --under "valgrind -q --error-exitcode=9"
//! cargo run --release -p retrograd-fuzz -- reader --count 10000000         # damaged files
//! cargo run --release -p retrograd-fuzz -- whole-path --count 100000
//! ```
//!
//! Each core has its own process, so that a crash or an endless run is a finding like any other: it has a seed, and the
//! next process continues after it. Findings are grouped by kind; the first of each kind are shrunk and saved as files
//! that `retrograd run` reads.
//!
//! Valgrind is there for memory. Its arithmetic, up to version 3.27, takes a negated product and sum of zeros (`vfnmadd`) for -0,
//! and NaN for a number in the comparison "ordered and not equal", so that a difference of values is one only without it.

mod allocations;
mod supervisor;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Random programs and damaged files for retrograd, and what must hold for each of them")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Random programs and their derivatives.
    Graphs(Options),
    /// Damaged files, reading only.
    Reader(Options),
    /// Damaged files, in all stages from the reader to native code.
    WholePath(Options),
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            What::Graphs(_) => "graphs",
            What::Reader(_) => "reader",
            What::WholePath(_) => "whole-path",
        }
    }

    fn options(&self) -> &Options {
        match self {
            What::Graphs(options) | What::Reader(options) | What::WholePath(options) => options,
        }
    }
}

#[derive(Args, Clone)]
struct Options {
    /// The number of programs or files.
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// The first seed; the others follow consecutively.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The number of processes [default: one for each core].
    #[arg(long)]
    jobs: Option<u64>,
    /// The folder for findings.
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
    /// How many findings of each kind are shrunk and saved.
    #[arg(long, default_value_t = 3)]
    per_kind: usize,
    /// The most attempts to shrink a finding.
    #[arg(long, default_value_t = 2_000)]
    tries: usize,
    /// The seconds per program after which a process is killed; shrinking ends after half of them.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Compare only bits: derivatives are built and run, but not compared with differences.
    #[arg(long)]
    bits: bool,
    /// A command that runs the processes, such as "valgrind -q --error-exitcode=9".
    #[arg(long, default_value = "")]
    under: String,
    /// Run in this process, for a debugger.
    #[arg(long)]
    in_process: bool,
    #[arg(long, default_value_t = 1, hide = true)]
    step: u64,
    /// The file to which a process writes the seed that it is working on.
    #[arg(long, hide = true)]
    state: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = arguments.what.options();
    let outcome = match options.in_process || options.state.is_some() {
        true => worker::run(&arguments.what, options),
        false => supervisor::run(arguments.what.name(), options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
