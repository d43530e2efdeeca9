use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::Error;
use retrograd::transform::{Agreement, GraphCheck, Worst, check_graph_within};
use serde_json::{Value, json};

use crate::inputs::{InputFlags, values_help};
use crate::json::{number, pretty};
use crate::limits::{LimitFlags, MemoryFlag};
use crate::names::{input_positions, names_help, require_some};
use crate::output::{print, print_error, printable, report_as};
use crate::random::RandomFlags;

/// Compares the derivatives of a graph with finite differences, at given or random points.
#[derive(Args)]
#[command(after_long_help = concat!("\
Forward mode is compared with finite differences of the function, and reverse mode with forward mode. Then the second order
is compared in the same way, and the Hessian with its transpose. Each tolerance is computed from the rounding errors of the
derivative, also where terms cancel (by derivatives at four points nearby), and from how much the finite differences change
with half the step. `stop_gradient` changes derivatives, but not finite differences, so the two disagree there. The largest
disagreement is shown by name and element; if it is beyond its tolerance, the exit code is 1.

A point is outside of the domain if an output or a derivative there is not finite, or a guard does not hold. This is shown,
and is no error of the derivatives; but if all points are outside, or there is nothing to compare, the exit code is 1.

Inputs without a value are random, with other numbers at each point.

With --json the result is an object whose keys are
  graph, passed    the graph; whether the exit code is 0
  points           an object for each point, with
    outside          why the point is outside of the domain, or null
    no_second_order  why there is no second order, or null
    comparisons      objects of what (is compared), compared (how many derivatives) and worst: null, or an object of place,
                     derivative, reference, tolerance and excess (their distance in tolerances; up to 1 is right)
Numbers that JSON lacks are \"nan\", \"inf\" and \"-inf\". On failure the result is {\"errors\": [...]}, objects of file and
message.

", names_help!(), "

", values_help!(), "

Examples:
  retrograd check-grad loss.json
  retrograd check-grad loss.json --points 10 --seed 1 --range 0..2
  retrograd check-grad loss.json --input inputs.json --wrt w,t
  retrograd check-grad loss.json --json > agreement.json"))]
pub struct CheckGrad {
    /// The file; `-` is the standard input.
    file: PathBuf,
    #[command(flatten)]
    inputs: InputFlags,
    /// The inputs to differentiate with respect to, as `w,t` or `w t` [default: every floating-point input].
    #[arg(long, value_name = "INPUT", num_args = 1..)]
    wrt: Vec<String>,
    /// How many points to check, if an input is random.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    points: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    random: RandomFlags,
    #[command(flatten)]
    memory: MemoryFlag,
    #[command(flatten)]
    limits: LimitFlags,
}

impl CheckGrad {
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        match self.work() {
            Ok(code) => code,
            Err(error) => report_as(self.json, &self.file, Err(error)),
        }
    }

    fn work(&self) -> Result<ExitCode, Error> {
        self.inputs.require_one_stdin::<CheckGrad>("retrograd check-grad", &self.file);
        let graph = self.limits.load(&self.file)?.into_graph();
        let wrt = input_positions(&graph, &self.wrt)?;
        require_some("input", &wrt)?;
        let given = self.inputs.given(&graph, &self.limits)?;
        let n_points = if given.iter().all(Option::is_some) { 1 } else { self.points };
        let generator = &mut self.random.generator();
        let mut checks = Vec::new();
        for point in 1..=n_points {
            let inputs = self.random.complete(&graph, &given, generator, &self.limits)?;
            let check = check_graph_within(&graph, &inputs, &wrt, self.memory.max_memory)?;
            let point = format!("point {point} of {n_points}");
            if !self.json {
                print(&printable(&text(&check, &point)))?;
            }
            self.report_disagreement(&check, &point);
            checks.push(check);
        }
        let is_inside = |check: &GraphCheck| !check.agreements.is_empty();
        let n_inside = checks.iter().filter(|check| is_inside(check)).count();
        let is_compared = checks.iter().flat_map(|check| &check.agreements).any(|agreement| agreement.n > 0);
        let has_passed = is_compared && checks.iter().all(|check| check.disagreement().is_none());
        if self.json {
            let points: Vec<Value> = checks.iter().map(json).collect();
            print(&pretty(&json!({"graph": graph.name(), "passed": has_passed, "points": points})))?;
        }
        if n_inside == 0 {
            print_error(&format!("{}: no point lies inside of the domain", self.file.display()));
        } else if !is_compared {
            print_error(&format!(
                "{}: no output of floating point has an element to differentiate",
                self.file.display()
            ));
        }
        Ok(if has_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn report_disagreement(&self, check: &GraphCheck, point: &str) {
        let Some((agreement, worst)) = check.disagreement() else { return };
        let Worst { place, derivative, reference, tolerance, .. } = worst;
        let (file, what) = (self.file.display(), agreement.what);
        print_error(&format!(
            "{file}: {point}: {what}: {place} is {derivative:e}, but should be {reference:e} (tolerance {tolerance:.1e})"
        ));
    }
}

fn text(check: &GraphCheck, point: &str) -> String {
    let mut text = format!("{point}\n");
    check.agreements.iter().for_each(|agreement| text.push_str(&lines(agreement)));
    if let Some(reason) = &check.outside {
        text.push_str(&format!("  outside of the domain, or at its edge: {reason}\n"));
    }
    if let Some(reason) = &check.no_second_order {
        text.push_str(&format!("  there is no second order: {reason}\n"));
    }
    text
}

/// A point in JSON; what there is not is null.
fn json(GraphCheck { agreements, outside, no_second_order }: &GraphCheck) -> Value {
    let comparison = |Agreement { what, n, worst }: &Agreement| {
        let worst = worst.as_ref().map(|Worst { place, derivative, reference, tolerance, excess }| {
            json!({
                "place": place,
                "derivative": number(*derivative),
                "reference": number(*reference),
                "tolerance": number(*tolerance),
                "excess": number(*excess),
            })
        });
        json!({"what": what, "compared": n, "worst": worst})
    };
    let comparisons: Vec<Value> = agreements.iter().map(comparison).collect();
    json!({"outside": outside, "no_second_order": no_second_order, "comparisons": comparisons})
}

/// What was compared, and what was worst of it.
fn lines(Agreement { what, n, worst }: &Agreement) -> String {
    let mut text = format!("  {what}: {n} compared\n");
    if let Some(Worst { place, derivative, reference, tolerance, excess }) = worst {
        text.push_str(&format!(
            "    worst: {place}, {derivative:.6e} against {reference:.6e}, {excess:.0e} of the tolerance of {tolerance:.1e}\n"
        ));
    }
    text
}
