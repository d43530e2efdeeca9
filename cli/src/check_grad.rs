use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::transform::{Agreement, GraphCheck, Worst, check_graph_within};
use retrograd::value::Array;
use retrograd::{Error, Graph};

use crate::inputs::{InputFlags, values_help};
use crate::limits::{LimitFlags, MemoryFlag};
use crate::names::{input_positions, require_some};
use crate::output::{print, printable, report, tell};
use crate::random::RandomFlags;

/// Compares the derivatives of a graph with differences, at given or random points.
#[derive(Args)]
#[command(after_long_help = concat!("\
Compared are forward mode with differences of the function, reverse mode with forward mode, and then the same in second
order, with the Hessian and its transpose. The tolerances follow from rounding, also of terms that cancel (from how far
derivatives move at four points nearby), and from how much the differences change with half the step. What `stop_gradient`
leaves out is no derivative, but differences see it. What is worst is told by name and element; where it is beyond its
tolerance, the exit code is 1.

A point at which an output or a derivative is not finite, or a guard does not hold, lies outside of the domain. It is told,
and says nothing about the derivatives; if all points are such, the exit code is 1.

Inputs without a value are random, another at each point.

", values_help!(), "

Examples:
  retrograd check-grad loss.json
  retrograd check-grad loss.json --points 10 --seed 1 --range 0..2
  retrograd check-grad loss.json --input inputs.json --wrt w"))]
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
    #[command(flatten)]
    random: RandomFlags,
    #[command(flatten)]
    memory: MemoryFlag,
    #[command(flatten)]
    limits: LimitFlags,
}

impl CheckGrad {
    /// Does what the verb says, and tells what went wrong.
    pub fn run(&self) -> ExitCode {
        match self.work() {
            Ok(code) => code,
            Err(error) => report(&self.file, Err(error)),
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
        let (mut n_inside, mut n_wrong) = (0, 0);
        for point in 1..=n_points {
            let inputs = self.random.complete(&graph, &given, generator, &self.limits)?;
            let check = self.check(&graph, &inputs, &wrt, &format!("point {point} of {n_points}"))?;
            n_inside += u32::from(!check.agreements.is_empty());
            n_wrong += u32::from(check.disagreement().is_some());
        }
        if n_inside == 0 {
            tell(&format!("{}: no point lies inside of the domain", self.file.display()));
        }
        Ok(if n_inside > 0 && n_wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Checks one point, and tells how it went.
    fn check(&self, graph: &Graph, inputs: &[Array], wrt: &[usize], point: &str) -> Result<GraphCheck, Error> {
        let check = check_graph_within(graph, inputs, wrt, self.memory.max_memory)?;
        let mut text = format!("{point}\n");
        check.agreements.iter().for_each(|agreement| text.push_str(&lines(agreement)));
        if let Some(reason) = &check.outside {
            text.push_str(&format!("  outside of the domain, or at its edge: {reason}\n"));
        }
        if let Some(reason) = &check.no_second_order {
            text.push_str(&format!("  there is no second order: {reason}\n"));
        }
        print(&printable(&text))?;
        if let Some((agreement, worst)) = check.disagreement() {
            let Worst { place, derivative, reference, tolerance, .. } = worst;
            let (file, what) = (self.file.display(), agreement.what);
            tell(&format!(
                "{file}: {point}: {what}: {place} is {derivative:e}, but should be {reference:e} (tolerance {tolerance:.1e})"
            ));
        }
        Ok(check)
    }
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
