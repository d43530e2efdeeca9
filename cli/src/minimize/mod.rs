mod line_search;
mod objective;
mod solve;
mod trajectory;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::TypedValueParser as _;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use retrograd::Error;
use retrograd::ir::write_atomically;
use retrograd::value::Array;

use self::objective::{Objective, Point};
use self::solve::{Method, Outcome, Settings, Stop, minimize};
use self::trajectory::Trajectory;
use crate::inputs::{InputFlags, values_help};
use crate::limits::{LimitFlags, MemoryFlag};
use crate::names::{input_positions, names_help, output_position, require_some};
use crate::numbers::{Format, file_parser, object, write_arrays};
use crate::output::{messages, print_error, printable, report, usage_error, write};

/// Minimizes a scalar output over some inputs.
#[derive(Args)]
#[command(after_long_help = concat!("\
The search starts at the given values; every input needs one. It converges where the norm of the gradient is within the
tolerance, unless a lower point was met before (\"gradient\"). The result is an object of method, stopped, iterations,
evaluations, value, gradient_norm and point.

If it does not converge, the exit code is 1, the reason is on the standard error, and the result is the lowest point that was
met. The reasons are: the limit of iterations (\"iterations\"), no step that lowers the value (\"no progress\"), a value or a
gradient that is infinite or NaN (\"diverged\"), and a graph that cannot be evaluated (\"failed\").

", names_help!(), "

", values_help!(), "

Examples:
  retrograd minimize loss.json w=[1,2,3] t=1 --wrt w
  retrograd minimize loss.json --input inputs.json --wrt w --point fitted.npz
  retrograd minimize loss.json --input inputs.json --wrt w --method newton-cg --trajectory steps.csv
  retrograd minimize loss.json --input inputs.json --wrt w --method adam --learning-rate 0.05 --trajectory steps.svg"))]
pub struct Minimize {
    /// The file; `-` is the standard input.
    file: PathBuf,
    #[command(flatten)]
    inputs: InputFlags,
    /// The output to minimize, a floating-point scalar [default: the first].
    #[arg(long, value_name = "OUTPUT")]
    of: Option<String>,
    /// The inputs to minimize over, as `w,t` or `w t`; the others keep their values [default: every floating-point input].
    #[arg(long, value_name = "INPUT", num_args = 1..)]
    wrt: Vec<String>,
    /// The method.
    #[arg(long, value_enum, default_value_t = Method::Lbfgs)]
    method: Method,
    /// The step size of adam [default: 0.01] and gradient-descent [default: a line search].
    #[arg(long, value_name = "RATE", value_parser = positive)]
    learning_rate: Option<f64>,
    /// The limit of iterations.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_iterations: u64,
    /// The norm of the gradient at which to stop.
    #[arg(long, value_name = "NORM", default_value = "1e-6", value_parser = not_negative)]
    tolerance: f64,
    /// Where to write the result, as .json or .npz [default: the standard output].
    #[arg(short, long, value_name = "FILE", value_parser = file_parser().try_map(result_file))]
    output: Option<PathBuf>,
    /// Where to write the point alone, as .json or .npz for `retrograd run --input`; .npy and .csv where it fits these.
    #[arg(long, value_name = "FILE", value_parser = file_parser())]
    point: Option<PathBuf>,
    /// Where to write all iterations, as a table (.csv) or a plot (.svg).
    #[arg(long, value_name = "FILE", value_parser = trajectory_file)]
    trajectory: Option<PathBuf>,
    #[command(flatten)]
    memory: MemoryFlag,
    #[command(flatten)]
    limits: LimitFlags,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| x.is_finite() && *x > 0.0);
    number.ok_or_else(|| "takes a positive number".to_string())
}

fn not_negative(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| *x >= 0.0).ok_or_else(|| "takes a number of at least 0".to_string())
}

fn trajectory_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let known = path.extension().is_some_and(|extension| extension == "csv" || extension == "svg");
    if known { Ok(path) } else { Err("takes a file that ends in .csv or .svg".to_string()) }
}

fn result_file(path: PathBuf) -> Result<PathBuf, &'static str> {
    match Format::of(Some(&path)) {
        Ok(Format::Json | Format::Npz) => Ok(path),
        Ok(Format::Npy | Format::Csv) | Err(_) => {
            Err("takes a file that ends in .json or .npz; the point alone, with --point, also as .npy or .csv")
        }
    }
}

impl Minimize {
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        match self.work() {
            Ok(code) => code,
            Err(error) => report(&self.file, Err(error)),
        }
    }

    fn work(&self) -> Result<ExitCode, Error> {
        self.inputs.require_one_stdin::<Minimize>("retrograd minimize", &self.file);
        if self.learning_rate.is_some() && matches!(self.method, Method::Lbfgs | Method::NewtonCg) {
            let message = "--learning-rate is for adam and gradient-descent; other methods find their steps themselves";
            usage_error::<Minimize>("retrograd minimize", message);
        }
        let files = [&self.output, &self.point, &self.trajectory].map(|file| file.as_deref());
        if (1..files.len()).any(|k| files[k].is_some() && files[..k].contains(&files[k])) {
            let message = "--output, --point and --trajectory take different files";
            usage_error::<Minimize>("retrograd minimize", message);
        }
        let graph = self.limits.load(&self.file)?.into_graph();
        let (of, wrt) = (output_position(&graph, self.of.as_deref())?, input_positions(&graph, &self.wrt)?);
        require_some("input", &wrt)?;
        let inputs = self.inputs.all(&graph, &self.limits)?;
        let objective =
            Objective::new(&graph, of, wrt, inputs, self.method == Method::NewtonCg, self.memory.max_memory)?;
        let settings = Settings {
            method: self.method,
            learning_rate: self.learning_rate,
            max_iterations: self.max_iterations,
            tolerance: self.tolerance,
        };

        let bar = progress();
        let mut trajectory = Trajectory::default();
        let outcome = minimize(&objective, &settings, &mut |iteration, point| {
            if !bar.is_hidden() {
                bar.set_message(printable(&progress_line(iteration, objective.name(), point)));
                bar.tick();
            }
            if self.trajectory.is_some() {
                trajectory.push(iteration, point);
            }
        });
        bar.finish_and_clear();
        // A file that cannot be written must not cost the others, nor hide why the search ended.
        let written = [
            self.trajectory.as_ref().map_or(Ok(()), |path| self.write_trajectory(path, &trajectory, &objective)),
            self.write_point(&objective, &outcome),
            self.write_result(&objective, &outcome),
        ];
        let note = if outcome.point.is_some() && written.iter().all(Result::is_ok) { NOTE } else { "" };
        let code = self.report_failure(&objective, &outcome, note);
        let codes = written.map(|outcome| report(&self.file, outcome));
        Ok(if codes == [ExitCode::SUCCESS; 3] { code } else { ExitCode::FAILURE })
    }

    fn write_trajectory(&self, path: &Path, trajectory: &Trajectory, objective: &Objective) -> Result<(), Error> {
        if path.extension().is_some_and(|extension| extension == "svg") {
            write_atomically(path, trajectory.svg(objective).as_bytes())
        } else {
            write_atomically(path, &trajectory.csv(objective))
        }
    }

    /// The point alone, if it is wanted and there is one.
    fn write_point(&self, objective: &Objective, outcome: &Outcome) -> Result<(), Error> {
        let (Some(path), Some(point)) = (&self.point, &outcome.point) else { return Ok(()) };
        let arrays = objective.arrays(&point.x);
        write_arrays(Some(path), &arrays.iter().map(|(name, array)| (*name, array)).collect::<Vec<_>>())
    }

    /// The result, if there is a point at all.
    fn write_result(&self, objective: &Objective, outcome: &Outcome) -> Result<(), Error> {
        let Some(point) = &outcome.point else { return Ok(()) };
        let arrays = objective.arrays(&point.x);
        let by_name: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (*name, array)).collect();
        let (value, norm) = (Array::scalar(point.value), Array::scalar(point.gradient_norm()));
        let iterations = Array::scalar(i64::try_from(outcome.iteration).unwrap_or(i64::MAX));
        let output = self.output.as_deref();
        if Format::of(output)? == Format::Npz {
            let converged = Array::scalar(matches!(outcome.stop, Stop::Gradient));
            let more = [
                ("result.value", &value),
                ("result.gradient_norm", &norm),
                ("result.iterations", &iterations),
                ("result.converged", &converged),
            ];
            return write_arrays(output, &[by_name, more.to_vec()].concat());
        }
        let method = self.method.to_possible_value().expect("bug: a method without a name");
        let mut text =
            format!("{{\n \"method\": \"{}\",\n \"stopped\": \"{}\"", method.get_name(), reason(&outcome.stop));
        let _ = write!(text, ",\n \"iterations\": {}", iterations.to_json());
        let _ = write!(text, ",\n \"evaluations\": {}", objective.n_evaluations());
        let _ = write!(text, ",\n \"value\": {},\n \"gradient_norm\": {}", value.to_json(), norm.to_json());
        let _ = write!(text, ",\n \"point\": {}", object(&by_name).trim_end().replace('\n', "\n "));
        text.push_str("\n}\n");
        write(output, &text)
    }

    /// Says how far it came.
    fn report_no_convergence(&self, reason: &str, outcome: &Outcome, note: &str) -> ExitCode {
        let norm = outcome.point.as_ref().map_or(f64::NAN, |point| point.gradient_norm());
        let (file, iteration, tolerance) = (self.file.display(), outcome.iteration, self.tolerance);
        print_error(&format!(
            "{file}: minimize: did not converge: {reason}; in iteration {iteration} the norm of the gradient is \
             {norm:.3e}, the tolerance {tolerance:e}{note}"
        ));
        ExitCode::FAILURE
    }

    fn report_failure(&self, objective: &Objective, outcome: &Outcome, note: &str) -> ExitCode {
        let (what, x) = match &outcome.stop {
            Stop::Gradient => return ExitCode::SUCCESS,
            Stop::Iterations => {
                return self.report_no_convergence("the limit of iterations is reached", outcome, note);
            }
            Stop::NoProgress => return self.report_no_convergence("no step leads to a lower value", outcome, note),
            Stop::Failed(error, x) => (messages(error).join("\n"), x),
            Stop::Diverged(point) => (culprit(objective, point), &point.x),
        };
        let (file, iteration, place) = (self.file.display(), outcome.iteration, abridged(objective, x));
        let verb = if matches!(outcome.stop, Stop::Diverged(_)) { "diverged" } else { "failed" };
        print_error(&format!("{file}: minimize: {verb} in iteration {iteration} at {place}{note}: {what}"));
        ExitCode::FAILURE
    }
}

/// What there is although the search failed.
const NOTE: &str = " (the lowest point is written)";

fn reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::Gradient => "gradient",
        Stop::Iterations => "iterations",
        Stop::NoProgress => "no progress",
        Stop::Diverged(_) => "diverged",
        Stop::Failed(..) => "failed",
    }
}

/// What is not finite.
fn culprit(objective: &Objective, point: &Point) -> String {
    if !point.value.is_finite() {
        return format!("{} is {}", objective.name(), point.value);
    }
    let mut elements = objective.element_names().into_iter().zip(&point.gradient);
    let (name, x) = elements.find(|(_, x)| !x.is_finite()).expect("bug: a finite point diverged");
    format!("the derivative of {} by {name} is {x}", objective.name())
}

/// `x = 1.5, y = -2.0`, the first few.
fn abridged(objective: &Objective, x: &[f64]) -> String {
    const MAX: usize = 6;
    let names = objective.element_names();
    let mut text: Vec<String> = names.iter().zip(x).take(MAX).map(|(name, x)| format!("{name} = {x:?}")).collect();
    if x.len() > MAX {
        text.push(format!("… ({} more)", x.len() - MAX));
    }
    text.join(", ")
}

/// A line on the standard error, if that is a terminal.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}").expect("bug: the template is not one");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}

fn progress_line(iteration: u64, name: &str, point: &Point) -> String {
    format!("iteration {iteration}: {name} {:.6e}, gradient {:.2e}", point.value, point.gradient_norm())
}
