//! The command `retrograd`: shows, checks, differentiates, batches, optimizes, compares and runs saved graphs.

// The verbs, one file each, and what they share.
mod batch;
mod bench;
mod check;
mod check_grad;
mod complex;
mod diff;
mod grad;
mod highlight;
mod inputs;
mod json;
mod limits;
mod minimize;
mod names;
mod numbers;
mod ops;
mod optimize;
mod output;
mod pages;
mod passes;
mod plan;
mod plot;
mod random;
mod roofline;
mod run;
mod show;
mod table;
mod template;
mod times;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use batch::Batch;
use bench::Bench;
use check::Check;
use check_grad::CheckGrad;
use diff::Diff;
use grad::Grad;
use minimize::Minimize;
use ops::Ops;
use optimize::Optimize;
use pages::{Completions, Man};
use run::Run;
use show::Show;

/// Shows, checks, differentiates, batches, optimizes, compares, runs, measures and minimizes saved graphs.
///
/// A file holds one graph as JSON, as `Graph::save` writes it. `-` is the standard input, and as the value of --output the
/// standard output. Numbers are JSON, too: arrays are nested lists, and "nan", "inf" and "-inf" are strings.
///
/// A file is written completely or, if anything fails, not at all. The exit code is 1 for bad input and 2 for bad usage
/// (`diff` has its own). Errors are printed on the standard error; colors are used on a terminal unless NO_COLOR is set. If
/// the reader of the output stops early, as `head` does, the command ends without an error.
#[derive(Parser)]
#[command(name = "retrograd", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Show(Show),
    Check(Check),
    Grad(Grad),
    Batch(Batch),
    Optimize(Optimize),
    Diff(Diff),
    Run(Run),
    CheckGrad(CheckGrad),
    Bench(Bench),
    Minimize(Minimize),
    Ops(Ops),
    Completions(Completions),
    Man(Man),
}

fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Show(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Grad(verb) => verb.run(),
        Verb::Batch(verb) => verb.run(),
        Verb::Optimize(verb) => verb.run(),
        Verb::Diff(verb) => verb.run(),
        Verb::Run(verb) => verb.run(),
        Verb::CheckGrad(verb) => verb.run(),
        Verb::Bench(verb) => verb.run(),
        Verb::Minimize(verb) => verb.run(),
        Verb::Ops(verb) => verb.run(),
        Verb::Completions(verb) => verb.run(Cli::command()),
        Verb::Man(verb) => verb.run(Cli::command()),
    }
}
