//! A Gaussian process through noisy points: its amplitude, length and noise are those of the highest likelihood, and its
//! predictions have error bars.
//!
//! `cargo run --release --example gaussian_process`
//!
//! Example of autograd's of the same name. The whole fit, by L-BFGS, is one compiled function, in which the likelihood and
//! its gradient share one factorization. It is differentiable in turn, which gives the slope of a prediction by each
//! observation where the process is fitted to them anew. All is held to NumPy and SciPy (`data/gaussian_process.py`), and to what
//! is known in closed form.

#[path = "common/least.rs"]
pub mod least;
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
use least::least;
use ndarray::{Array1, Array2, Axis};
use process::Process;
use retrograd::{Var, grad, jit, linalg, value_and_grad};
use svg::{Curve, Layer, draw};
use target::target;

/// Fits a Gaussian process, and draws its predictions.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("gaussian_process.svg"))]
    out: PathBuf,
}

/// Points as rows of one number, and observations there.
type Data = (Array2<f64>, Array1<f64>);
type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let args = Args::parse();
    let reference = Reference::load()?;
    let data = reference.data()?;
    let start = Process { mean: 0.0, amplitude: 0.0, lengths: vec![0.0], noise: -1.0 };
    let fitted: Process<f64> = jit(fit).call(&start, (&data.0, &data.1))?;
    check_likelihood(&reference, &data, &start, &fitted)?;
    check_predictions(&reference, &data, &fitted)?;
    check_left_out(&data, &fitted)?;
    check_through_the_fit(&data, &fitted)?;

    fs::write(&args.out, drawing(&data, &fitted)?)?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

fn cost(p: Process<Var>, (x, y): (Var, Var)) -> Var {
    -p.log_likelihood(x, y)
}

fn fit(start: Process<Var>, data: (Var, Var)) -> Process<Var> {
    least(|p| cost(p, data), start)
}

fn predict(p: Process<Var>, (x, y): (Var, Var), at: Var) -> (Var, Var) {
    p.predict(x, y, at)
}

fn check_likelihood(reference: &Reference, data: &Data, start: &Process<f64>, fitted: &Process<f64>) -> Outcome {
    let slope = jit(value_and_grad(cost));
    let at = |p: &Process<f64>| slope.call::<(f64, Process<f64>)>(p, (&data.0, &data.1));
    let ((before, down), (after, flat)) = (at(start)?, at(fitted)?);
    let [start, best] = ["start", "best"].map(|kind| reference.rows(kind).concat());
    demand("the cost before the fit", &[before], &start[..1], 1e-13);
    demand("its gradient", &numbers(&down), &start[1..], 1e-12);
    demand("the likelihood", &[-after], &best[..1], 1e-13);
    demand("the process", &numbers(fitted), &best[1..], 1e-8);
    demand("the gradient at the optimum", &numbers(&flat), &[0.0; 4], 1e-8);

    println!("log-likelihood {:.4}, before the fit {:.4}", -after, -before);
    println!("  mean      {:7.4}", fitted.mean);
    println!("  amplitude {:7.4}", fitted.amplitude.exp());
    println!("  length    {:7.4}", fitted.lengths[0].exp());
    println!("  noise     {:7.4}", fitted.noise.exp());

    // All covariances times s: where that changes nothing, (y - m)ᵀ K⁻¹ (y - m) is the number of observations.
    let quadratic =
        |p: Process<Var>, (x, y): (Var, Var)| (y - p.mean).dot(linalg::solve_positive(p.observed(x), y - p.mean));
    let quadratic: f64 = jit(quadratic).call(fitted, (&data.0, &data.1))?;
    demand("the quadratic form at the optimum", &[quadratic], &[data.1.len() as f64], 1e-10);
    Ok(())
}

fn check_predictions(reference: &Reference, (x, y): &Data, fitted: &Process<f64>) -> Outcome {
    let rows = reference.rows("predicted");
    let column = |k: usize| rows.iter().map(|row| row[k]).collect::<Vec<f64>>();
    let at = Array2::from_shape_vec((rows.len(), 1), column(0))?;
    let (mean, deviation): (Array1<f64>, Array1<f64>) = jit(predict).call(fitted, (x, y), &at)?;
    println!("     x    f(x)");
    for ((at, mean), deviation) in at.iter().zip(&mean).zip(&deviation) {
        println!("{at:6} {mean:7.4} ± {deviation:.4}");
    }
    demand("predictions", &mean.to_vec(), &column(1), 1e-8);
    demand("their deviations", &deviation.to_vec(), &column(2), 1e-8);
    Ok(())
}

/// The prediction for an observation from all others, and its variance, follow from the inverse of the covariance of all:
/// y - α / K⁻¹ᵢᵢ and 1 / K⁻¹ᵢᵢ, with α = K⁻¹ (y - m) (Rasmussen and Williams, 5.12).
fn check_left_out((x, y): &Data, fitted: &Process<f64>) -> Outcome {
    let inverse = |p: Process<Var>, (x, y): (Var, Var)| {
        let factor = linalg::cho_factor(p.observed(x));
        (factor.inv(), factor.solve(y - p.mean))
    };
    let (inverse, alpha): (Array2<f64>, Array1<f64>) = jit(inverse).call(fitted, (x, y))?;
    let predict = jit(predict);
    for left_out in 0..y.len() {
        let others: Vec<usize> = (0..y.len()).filter(|&row| row != left_out).collect();
        let (others, here) = ((x.select(Axis(0), &others), y.select(Axis(0), &others)), x.select(Axis(0), &[left_out]));
        let (mean, deviation): (Array1<f64>, Array1<f64>) = predict.call(fitted, (&others.0, &others.1), &here)?;
        let variance = 1.0 / inverse[[left_out, left_out]];
        demand("what is left out", &[mean[0]], &[y[left_out] - alpha[left_out] * variance], 1e-10);
        let noise = (2.0 * fitted.noise).exp();
        demand("its variance", &[deviation[0].powi(2) + noise], &[variance], 1e-10);
    }
    Ok(())
}

/// The slope of a prediction in the gap by each observation, where the process is fitted anew: that of the optimum comes
/// from the equation that the gradient vanishes there.
fn check_through_the_fit((x, y): &Data, fitted: &Process<f64>) -> Outcome {
    let anew = |y: Var, x: Var, start: Process<Var>| {
        let p = fit(start, (x, y));
        p.predict(x, y, Var::from(ndarray::arr2(&[[4.5]]))).0.at(0)
    };
    let slopes: Array1<f64> = jit(grad(anew)).call(y, x, fitted)?;
    let value = jit(anew);
    let mut differences = Vec::new();
    for k in 0..y.len() {
        let moved = |h: f64| {
            let mut y = y.clone();
            y[k] += h;
            value.call::<f64>(&y, x, fitted)
        };
        let [wide, narrow] = [(moved(4e-3)? - moved(-4e-3)?) / 8e-3, (moved(2e-3)? - moved(-2e-3)?) / 4e-3];
        differences.push((4.0 * narrow - wide) / 3.0);
    }
    let (most, slope) = slopes.iter().enumerate().max_by(|x, y| x.1.abs().total_cmp(&y.1.abs())).ok_or("no data")?;
    println!("f(4.5) depends most on the observation at {}: its slope is {slope:.4}, through the fit", x[[most, 0]]);
    demand("slopes through the fit", &slopes.to_vec(), &differences, 1e-5);
    Ok(())
}

fn drawing((x, y): &Data, fitted: &Process<f64>) -> Result<String, retrograd::Error> {
    let at: Array2<f64> = Array1::linspace(-1.0, 10.0, 221).insert_axis(Axis(1));
    let (mean, deviation): (Array1<f64>, Array1<f64>) = jit(predict).call(fitted, (x, y), &at)?;
    let curve = |label: &str, y: Array1<f64>| Curve {
        label: label.to_string(),
        points: at.iter().copied().zip(y).collect::<Vec<_>>(),
    };
    let (lower, upper) = (curve("two deviations", &mean - 2.0 * &deviation), curve("", &mean + 2.0 * &deviation));
    let observed = Curve { label: "observations".to_string(), points: x.iter().copied().zip(y.to_vec()).collect() };
    let layers = [Layer::Dots(observed), Layer::Line(curve("mean", mean)), Layer::Band(lower, upper.points)];
    Ok(draw("A Gaussian process", &layers))
}

fn numbers(p: &Process<f64>) -> Vec<f64> {
    [&[p.mean, p.amplitude], &p.lengths[..], &[p.noise]].concat()
}

/// Requires numbers to be near others, relative to the largest of these.
fn demand(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    let scale = expected.iter().fold(0.0f64, |scale, x| scale.max(x.abs()));
    let scale = if scale > 0.0 { scale } else { 1.0 };
    let is_near =
        got.len() == expected.len() && got.iter().zip(expected).all(|(x, y)| (x - y).abs() <= tolerance * scale);
    assert!(is_near, "{what}: {got:?}, not {expected:?}");
}

/// What `data/gaussian_process.py` writes.
struct Reference(Vec<(&'static str, Vec<f64>)>);

impl Reference {
    fn load() -> Result<Reference, Box<dyn Error>> {
        let row = |line: &'static str| {
            let (kind, numbers) = line.split_once(',').ok_or_else(|| format!("a line without numbers: {line}"))?;
            let numbers = numbers.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
            Ok::<_, Box<dyn Error>>((kind, numbers))
        };
        Ok(Reference(include_str!("data/gaussian_process.csv").lines().map(row).collect::<Result<_, _>>()?))
    }

    fn rows(&self, kind: &str) -> Vec<Vec<f64>> {
        self.0.iter().filter(|row| row.0 == kind).map(|row| row.1.clone()).collect()
    }

    fn data(&self) -> Result<Data, Box<dyn Error>> {
        let rows = self.rows("observed");
        let [x, y] = [0, 1].map(|k| rows.iter().map(|row| row[k]).collect::<Vec<f64>>());
        Ok((Array2::from_shape_vec((rows.len(), 1), x)?, Array1::from_vec(y)))
    }
}
