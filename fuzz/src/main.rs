//! Runs random programs for as long as one likes, on all cores.
//!
//! ```text
//! cargo run --release -p retrograd-fuzz -- graphs --count 1000000 --seed 1
//! cargo run --release -p retrograd-fuzz -- graphs --count 1 --seed 4711    # one program again
//! cargo run --release -p retrograd-fuzz -- graphs --count 10000 --bits --under "valgrind -q --error-exitcode=9"
//! cargo run --release -p retrograd-fuzz -- reader --count 10000000         # damaged files
//! cargo run --release -p retrograd-fuzz -- whole-path --count 100000
//! ```
//!
//! Each core has a process of its own, so that one that is killed by a signal, or does not end, is a finding like any other:
//! it names its seed, and the next process goes on behind it. Findings are grouped by kind; the first of each kind are made
//! small, and are kept as files that `retrograd run` reads.

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
    /// Random programs with their derivatives.
    Graphs(Options),
    /// Damaged files, for the reader alone.
    Reader(Options),
    /// Damaged files, on the whole path from the reader to native code.
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
    /// How many.
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// The seed of the first; the others follow.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The number of processes; one for each core if it is not given.
    #[arg(long)]
    jobs: Option<u64>,
    /// Where findings are kept.
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
    /// How many findings of one kind are made small and kept.
    #[arg(long, default_value_t = 3)]
    per_kind: usize,
    /// How many programs a finding may be tried on to make it small.
    #[arg(long, default_value_t = 2_000)]
    tries: usize,
    /// The seconds after which a process that is not ready with one program is ended.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Compare bits alone: derivatives are made and run, and not compared with differences.
    #[arg(long)]
    bits: bool,
    /// A command under which the processes run: "valgrind -q --error-exitcode=9".
    #[arg(long, default_value = "")]
    under: String,
    /// In this process, for a debugger.
    #[arg(long)]
    in_process: bool,
    #[arg(long, default_value_t = 1, hide = true)]
    step: u64,
    /// Where a process says what it is at.
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
