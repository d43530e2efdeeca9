use std::io::Cursor;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;
use retrograd::Error;
use retrograd::error::IoError;

use crate::names::position;
use crate::output::{print, report};

/// Prints a script that lets a shell complete this command.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  retrograd completions bash > ~/.local/share/bash-completion/completions/retrograd
  retrograd completions zsh > ~/.zfunc/_retrograd
  retrograd completions fish > ~/.config/fish/completions/retrograd.fish")]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Does what the verb says for that command, and reports what went wrong.
    pub fn run(&self, mut command: Command) -> ExitCode {
        let mut script = Cursor::new(Vec::new());
        clap_complete::generate(self.shell, &mut command, "retrograd", &mut script);
        report(Path::new("-"), print(&String::from_utf8_lossy(script.get_ref())))
    }
}

/// Prints the manual page of the command, or of a verb.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  retrograd man > ~/.local/share/man/man1/retrograd.1
  retrograd man grad | man -l -")]
pub struct Man {
    /// The verb [default: the whole command].
    verb: Option<String>,
}

impl Man {
    /// Does what the verb says for that command, and reports what went wrong.
    pub fn run(&self, command: Command) -> ExitCode {
        report(Path::new("-"), self.work(command))
    }

    fn work(&self, mut command: Command) -> Result<(), Error> {
        command.build();
        let page = match &self.verb {
            None => command,
            Some(verb) => {
                let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_string()).collect();
                let at = position("verb", verb, names.iter().map(String::as_str))?;
                let found = command.get_subcommands().nth(at).expect("bug: a verb that is not there");
                found.clone()
            }
        };
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text).map_err(unwritable)?;
        print(&with_lines_kept(&String::from_utf8_lossy(&text)))
    }
}

/// The page with the lines of its last part kept as they are: it has tables and examples, whose lines `man` would
/// join as in any other text.
fn with_lines_kept(page: &str) -> String {
    let Some((before, extra)) = page.split_once(".SH EXTRA\n") else { return page.to_string() };
    let (extra, after) = extra.split_once(".SH ").map_or((extra, String::new()), |(x, y)| (x, format!(".SH {y}")));
    format!("{before}.SH NOTES\n.nf\n{extra}.fi\n{after}")
}

fn unwritable(error: std::io::Error) -> IoError {
    IoError { path: "the manual page".to_string(), action: "write", message: error.to_string() }
}
