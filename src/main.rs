//! The command `retrograd`: shows, checks, differentiates and runs saved graphs.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use command::{Bench, Check, CheckGrad, Grad, Minimize, Run, Show};

/// Shows, checks, differentiates and runs saved graphs.
///
/// A file holds one graph as JSON, as `Graph::save` writes it; `-` stands for the standard input. Numbers are JSON, too:
/// arrays are nested lists, and "nan", "inf" and "-inf" are strings.
///
/// The exit code is 1 for bad input and 2 for bad usage; errors go to the standard error.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Show(Show),
    Check(Check),
    Grad(Grad),
    Run(Run),
    CheckGrad(CheckGrad),
    Bench(Bench),
    Minimize(Minimize),
}

fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Show(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Grad(verb) => verb.run(),
        Verb::Run(verb) => verb.run(),
        Verb::CheckGrad(verb) => verb.run(),
        Verb::Bench(verb) => verb.run(),
        Verb::Minimize(verb) => verb.run(),
    }
}
