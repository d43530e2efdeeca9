use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;
use retrograd::Error;
use retrograd::error::IoError;
use retrograd::ir::write_atomically;

use crate::{json, limits};

/// The color that sets errors apart from other text.
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Writes to a file, all or nothing, or to the standard output.
pub fn write(path: Option<&Path>, text: &str) -> Result<(), Error> {
    match path {
        Some(path) if path != Path::new("-") => write_atomically(path, text.as_bytes()),
        Some(_) | None => print(text),
    }
}

/// Writes to the standard output. A reader that has seen enough, as `head` has, is no error.
pub fn print(text: &str) -> Result<(), Error> {
    print_to(&mut io::stdout().lock(), text)
}

/// Writes lines to the standard output, each in its style if a terminal shows them and `NO_COLOR` is not set.
pub fn print_styled(lines: &[(Style, String)]) -> Result<(), Error> {
    let text: String = lines.iter().map(|(style, line)| format!("{style}{}{style:#}\n", printable(line))).collect();
    print_colored(&text)
}

/// Writes to the standard output a text with colors, which are left out unless a terminal shows it and `NO_COLOR` is not
/// set. Whatever comes from a file must be [`printable`].
pub fn print_colored(text: &str) -> Result<(), Error> {
    print_to(&mut anstream::stdout().lock(), text)
}

fn print_to(out: &mut impl Write, text: &str) -> Result<(), Error> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let path = "the standard output".to_string();
            Err(IoError { path, action: "write", message: error.to_string() }.into())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints a remark on the standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// Whether remarks are seen at once: the standard error is a terminal.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Prints what went wrong with a file, each finding on its own.
pub fn report(file: &Path, outcome: Result<(), Error>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let prefix = match &error {
        // These name their file themselves, or are about the arguments.
        Error::Io(_) | Error::Argument(_) => String::new(),
        _ => format!("{}: ", file.display()),
    };
    messages(&error).iter().for_each(|message| print_error(&format!("{prefix}{message}")));
    ExitCode::FAILURE
}

/// Prints what went wrong as [`report`] does, and with `--json` also as JSON on the standard output.
pub fn report_as(is_json: bool, file: &Path, outcome: Result<(), Error>) -> ExitCode {
    if let (true, Err(error)) = (is_json, &outcome) {
        // Where the standard output is what fails, the report says so.
        let _ = print(&json::pretty(&json::errors(&[(file, error)])));
    }
    report(file, outcome)
}

/// An error as text, without its file: one for each finding.
pub fn messages(error: &Error) -> Vec<String> {
    match error {
        Error::Verify(error) => error.findings.iter().map(ToString::to_string).collect(),
        Error::Limit(limit) => {
            let option = limits::option(limit).map(|option| format!("; {option} allows more")).unwrap_or_default();
            vec![format!("{limit}{option}")]
        }
        error => vec![error.to_string()],
    }
}

/// Ends the command for bad usage that clap cannot see by itself.
pub fn usage_error<A: Args>(verb: &'static str, message: &str) -> ! {
    let mut command = A::augment_args(clap::Command::new(verb));
    command.error(clap::error::ErrorKind::ArgumentConflict, message).exit()
}

/// Writes an error. Where there is no one to read it, the exit code has to do.
pub fn print_error(error: &dyn Display) {
    let _ = writeln!(anstream::stderr(), "{ERROR}error:{ERROR:#} {}", printable(&error.to_string()));
}

/// The text with control characters shown rather than obeyed: names come from files that no one may have looked at.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// A text that stays on its line, whatever names are in it: else a file could add lines of its own.
pub fn one_line(text: &str) -> String {
    text.replace('\n', "\\n")
}
