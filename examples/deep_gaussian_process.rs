//! A step, learned by a Gaussian process of what another one makes of the points: nearer than by one process, which is as
//! smooth everywhere as it is anywhere.
//!
//! `cargo run --release --example deep_gaussian_process`
//!
//! Example of autograd's of the same name (after Damianou and Lawrence, *Deep Gaussian processes*, 2013). What stands
//! between the two, a number for each point, is that of the highest probability, together with the parameters of both
//! processes, by L-BFGS. The first process has an amplitude of 1, since the length of the second one sets the unit, and next
//! to no noise, so that what it makes is smooth. The gradient is held to that by hand.

#[path = "common/process.rs"]
pub mod process;
#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use ndarray::{Array1, Array2, Axis};
use process::Process;
use retrograd::transform::Minimize;
use retrograd::{Tree, Var, grad, jit, linalg, random};
use svg::{Curve, Layer, draw};
use target::target;

/// Learns a step, and draws it.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("deep_gaussian_process.svg"))]
    out: PathBuf,
}

const N: usize = 40;
const NOISE: f64 = 0.1;

/// What the first process makes of each point, the logarithm of its length, and the second process.
#[derive(Clone, Debug, Tree)]
struct Deep<B, T> {
    between: B,
    length: T,
    second: Process<T>,
}

type Traced = Deep<Var, Var>;
type Host = Deep<Array1<f64>, f64>;

impl Traced {
    fn first(&self) -> Process<Var> {
        let [mean, amplitude, noise] = [0.0, 0.0, -7.0].map(|x| self.length.full_like(x));
        Process { mean, amplitude, lengths: vec![self.length], noise }
    }

    /// Minus the logarithm of the density of the observations and of what is between.
    fn cost(&self, x: Var, y: Var) -> Var {
        -self.first().log_likelihood(x, self.between) - self.second.log_likelihood(self.between.insert_axis(1), y)
    }

    /// The means and deviations at other points, by the mean of the first process.
    fn predict(&self, x: Var, y: Var, at: Var) -> (Var, Var) {
        let (between, _) = self.first().predict(x, self.between, at);
        self.second.predict(self.between.insert_axis(1), y, between.insert_axis(1))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let x: Array2<f64> = Array1::linspace(-2.0, 2.0, N).insert_axis(Axis(1));
    let noise: Array1<f64> = jit(|seed: Var| NOISE * random::normal(random::key(seed), [N])).call(0i64)?;
    let y = x.column(0).mapv(f64::signum) + &noise;

    let second = Process { mean: 0.0, amplitude: 0.0, lengths: vec![0.0], noise: -1.0 };
    let start = Host { between: x.column(0).to_owned(), length: 0.0, second: second.clone() };
    check_gradient(&start, &x, &y)?;
    let descent = || Minimize::new().lbfgs(10).tolerance(1e-4, 0.0).max_iterations(500);
    let fit_one = move |start: Process<Var>, x: Var, y: Var| descent().flagged(|p| -p.log_likelihood(x, y), start).0;
    let fit_deep = move |start: Traced, x: Var, y: Var| descent().flagged(|deep| deep.cost(x, y), start).0;
    let one: Process<f64> = jit(fit_one).call(&second, &x, &y)?;
    let deep: Host = jit(fit_deep).call(&start, &x, &y)?;

    let at: Array2<f64> = Array1::linspace(-2.0, 2.0, 400).insert_axis(Axis(1));
    type Predicted = (Array1<f64>, Array1<f64>);
    let by_one: Predicted =
        jit(|p: Process<Var>, x: Var, y: Var, at: Var| p.predict(x, y, at)).call(&one, &x, &y, &at)?;
    let by_deep: Predicted = jit(|p: Traced, x: Var, y: Var, at: Var| p.predict(x, y, at)).call(&deep, &x, &y, &at)?;
    let off = |(mean, _): &Predicted| {
        let off = mean - &at.column(0).mapv(f64::signum);
        (off.dot(&off) / off.len() as f64).sqrt()
    };
    let [off_one, off_deep] = [off(&by_one), off(&by_deep)];
    println!("off the step by {off_one:.4} with one process, {off_deep:.4} with two");
    println!("noise {:.3} and {:.3}, in truth {NOISE}", one.noise.exp(), deep.second.noise.exp());
    assert!(off_deep < 0.8 * off_one, "two processes are no better than one");

    let curve = |label: &str, y: Array1<f64>| Curve {
        label: label.to_string(),
        points: at.iter().copied().zip(y).collect::<Vec<_>>(),
    };
    let (mean, deviation) = by_deep;
    let (lower, upper) = (curve("two deviations", &mean - 2.0 * &deviation), curve("", &mean + 2.0 * &deviation));
    let observed = Curve { label: "observations".to_string(), points: x.iter().copied().zip(y.to_vec()).collect() };
    let layers = [
        Layer::Dots(observed),
        Layer::Line(curve("two processes", mean)),
        Layer::Band(lower, upper.points),
        Layer::Line(curve("one process", by_one.0)),
    ];
    fs::write(&args.out, draw("A step by Gaussian processes", &layers))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

/// By hand the gradient by h, which is between, is K₁⁻¹ h + Σⱼ Mᵢⱼ (hⱼ - hᵢ) / l², with M the product of each element of
/// K₂⁻¹ - α αᵀ with that of the second covariance, and α = K₂⁻¹ y.
fn check_gradient(at: &Host, x: &Array2<f64>, y: &Array1<f64>) -> Result<(), Box<dyn Error>> {
    let by_hand = |deep: Traced, x: Var, y: Var| {
        let (h, second) = (deep.between, &deep.second);
        let factor = linalg::cho_factor(second.observed(h.insert_axis(1)));
        let alpha = factor.solve(y - second.mean);
        let inner = factor.inv() - alpha.insert_axis(1) * alpha;
        let weights = inner * second.covariance(h.insert_axis(1), h.insert_axis(1));
        let differences = h - h.insert_axis(1);
        let of_second = (weights * differences).sum_axes(&[1]) / (2.0 * second.lengths[0]).exp();
        linalg::solve_positive(deep.first().observed(x), h) + of_second
    };
    let expected: Array1<f64> = jit(by_hand).call(at, x, y)?;
    let slope: Host = jit(grad(|deep: Traced, x: Var, y: Var| deep.cost(x, y))).call(at, x, y)?;
    for (got, expected) in slope.between.iter().zip(&expected) {
        assert!((got - expected).abs() < 1e-9 * (1.0 + expected.abs()), "a slope of {got}, by hand {expected}");
    }
    Ok(())
}
