//! The minimum of a function that is expensive, found in 30 evaluations: each where a Gaussian process through those before
//! it expects the largest improvement.
//!
//! `cargo run --release --example bayesian_optimization`
//!
//! Example of autograd's of the same name (after Jones, Schonlau and Welch, *Efficient global optimization of expensive
//! black-box functions*, 1998), on Branin's function of two variables, whose three minima are known. The number of
//! evaluations grows, but the arrays do not, so that two functions are compiled once: the fit of the process, and the
//! ascent of the expected improvement, for all its starts in one `map`. Rows that are not there yet are rows of the
//! identity matrix, which tell nothing.

#[path = "common/process.rs"]
pub mod process;
#[path = "common/random.rs"]
pub mod random;
#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::f64::consts::{PI, TAU};
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use ndarray::{Array1, Array2, s};
use process::Process;
use random::Random;
use retrograd::transform::Minimize;
use retrograd::{Var, jit, linalg, map, numpy, stats};
use svg::{Curve, Layer, draw};
use target::target;

/// Finds a minimum in few evaluations, and draws where these are.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("bayesian_optimization.svg"))]
    out: PathBuf,
}

const N: usize = 30;
/// Evaluations before there is anything to learn from.
const N_FIRST: usize = 6;
const N_STARTS: usize = 32;
/// The deviation of the noise that the process allows for, of which there is none.
const NOISE: f64 = 1e-4;

type Outcome = Result<(), Box<dyn Error>>;

/// Branin's function over [-5, 10] × [0, 15], by coordinates from 0 to 1.
fn branin(x: f64, y: f64) -> f64 {
    let (x, y) = (15.0 * x - 5.0, 15.0 * y);
    let off = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    off * off + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

/// Its least value, at (π, 2.275) and two other points.
const LEAST: f64 = 0.397_887_357_729_738;

fn main() -> Outcome {
    let args = Args::parse();
    let random = &mut Random(2);
    let mut seen = Seen { points: Array2::zeros((N, 2)), values: Array1::zeros(N), n: 0 };
    for k in 0..N_FIRST {
        // One in each row and in each column of a grid, as the queens of a chess board.
        let place = |k: usize, random: &mut Random| (k as f64 + random.range(0.0, 1.0)) / N_FIRST as f64;
        let (row, column) = (place(k, random), place((2 * k + 1) % (N_FIRST + 1), random));
        seen.evaluate([row, column]);
    }
    let (fit, ascend) = (jit(fit), jit(ascend));
    println!("evaluation    value     best    expected to improve by");
    while seen.n < N {
        let (known, values, scale) = seen.scaled();
        let process: [f64; 3] = fit.call([0.0, -1.0, -1.0], (&seen.points, &values, &known))?;
        let starts = seen.starts(random);
        let (points, gains): (Array2<f64>, Array1<f64>) =
            ascend.call(process, (&seen.points, &values, &known), starts)?;
        if seen.n == N_FIRST {
            check(process, &seen, &points.slice(s![..1, ..]).to_owned())?;
        }
        let best = (0..N_STARTS).max_by(|&x, &y| gains[x].total_cmp(&gains[y])).ok_or("no starts")?;
        let value = seen.evaluate([points[[best, 0]], points[[best, 1]]]);
        println!("{:10}{value:9.4}{:9.4}{:26.1e}", seen.n, seen.least(), gains[best] * scale);
    }
    let by_chance =
        (0..N).map(|_| branin(random.range(0.0, 1.0), random.range(0.0, 1.0))).fold(f64::INFINITY, f64::min);
    println!("least {:.5}, in truth {LEAST:.5}; {N} evaluations anywhere find {by_chance:.5}", seen.least());
    assert!(seen.least() < LEAST + 1e-2, "the minimum is not found");
    fs::write(&args.out, drawing(&seen))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

/// The evaluations, of which there are `n` so far.
struct Seen {
    points: Array2<f64>,
    values: Array1<f64>,
    n: usize,
}

impl Seen {
    fn evaluate(&mut self, [x, y]: [f64; 2]) -> f64 {
        self.points[[self.n, 0]] = x;
        self.points[[self.n, 1]] = y;
        self.values[self.n] = branin(x, y);
        self.n += 1;
        self.values[self.n - 1]
    }

    fn least(&self) -> f64 {
        self.values.slice(s![..self.n]).iter().fold(f64::INFINITY, |least, &x| least.min(x))
    }

    /// Where to look from: anywhere, and near the best so far. Coordinates between 0 and 1 are given by their log-odds.
    fn starts(&self, random: &mut Random) -> Array2<f64> {
        let best = (0..self.n).fold(0, |best, k| if self.values[k] < self.values[best] { k } else { best });
        let best = self.points.row(best).mapv(|x| (x / (1.0 - x)).ln().clamp(-9.0, 9.0));
        Array2::from_shape_fn((N_STARTS, 2), |(start, axis)| {
            if start < N_STARTS / 4 { best[axis] + random.range(-0.1, 0.1) } else { random.range(-3.0, 3.0) }
        })
    }

    /// 1 for each row that is there; values with mean 0 and deviation 1; and their deviation.
    fn scaled(&self) -> (Array1<f64>, Array1<f64>, f64) {
        let known = Array1::from_shape_fn(N, |row| f64::from(row < self.n));
        let n = self.n as f64;
        let mean = self.values.sum() / n;
        let off = (&self.values - mean) * &known;
        let deviation = (off.dot(&off) / n).sqrt();
        (known, off / deviation, deviation)
    }
}

/// Points, values there, and which of them are there.
type Data = (Var, Var, Var);

fn process([amplitude, across, down]: [Var; 3]) -> Process<Var> {
    let [mean, noise] = [0.0, NOISE.ln()].map(|x| amplitude.full_like(x));
    Process { mean, amplitude, lengths: vec![across, down], noise }
}

/// The factor of the covariances, in which the rows that are not there are those of the identity.
fn factor(process: &Process<Var>, points: Var, known: Var) -> linalg::CholeskyFactor {
    let both = numpy::outer(known, known);
    linalg::cho_factor(both * process.observed(points) + numpy::diag(1.0 - known, 0))
}

fn log_likelihood(process: &Process<Var>, (points, values, known): Data) -> Var {
    let factor = factor(process, points, known);
    -0.5 * (values.dot(factor.solve(values)) + factor.logdet() + known.sum() * TAU.ln())
}

/// The amplitude and the lengths that are likeliest, where their logarithms are expected to be 0 and -1, ± 1.
fn fit(start: [Var; 3], data: Data) -> [Var; 3] {
    let cost = |p: [Var; 3]| {
        let prior = 0.5 * (p[0].square() + (p[1] + 1.0).square() + (p[2] + 1.0).square());
        prior - log_likelihood(&process(p), data)
    };
    // Where the covariances are nearly singular, rounding errors of the likelihood may hide the last steps.
    Minimize::new().lbfgs(10).tolerance(1e-4, 0.0).max_iterations(100).flagged(cost, start).0
}

/// The mean and the deviation at a point.
fn predict(
    process: &Process<Var>,
    factor: linalg::CholeskyFactor,
    (points, values, known): Data,
    at: Var,
) -> (Var, Var) {
    let covariance = known * process.covariance(points, at.insert_axis(0)).index_axis(1, 0);
    let variance = (2.0 * process.amplitude).exp() - covariance.dot(factor.solve(covariance));
    (covariance.dot(factor.solve(values)), variance.max(NOISE * NOISE).sqrt())
}

/// The mean of max(best - f, 0) over a normal distribution of f.
fn expected_improvement(best: Var, mean: Var, deviation: Var) -> Var {
    let z = (best - mean) / deviation;
    let density = stats::normal::log_pdf(z, 0.0, 1.0).exp();
    deviation * (z * stats::normal::cdf(z, 0.0, 1.0) + density)
}

/// From each start, a point where the expected improvement is largest nearby, and how large it is.
fn ascend(p: [Var; 3], data: Data, starts: Var) -> (Var, Var) {
    let process = process(p);
    let factor = factor(&process, data.0, data.2);
    let best = data.1.min_all();
    let improvement = |point: Var| {
        let (mean, deviation) = predict(&process, factor, data, point);
        expected_improvement(best, mean, deviation)
    };
    map(starts, |start: Var| {
        // Logarithms, for what may be tiny.
        let point = |x: Var| 0.5 * (1.0 + (0.5 * x).tanh());
        let cost = |x: Var| -improvement(point(x)).max(1e-20).ln();
        let (x, _) = Minimize::new().lbfgs(5).tolerance(1e-4, 0.0).max_iterations(40).flagged(cost, start);
        (point(x), improvement(point(x)))
    })
}

/// What the process says with rows that are not there, without them, and by sums.
fn check(p: [f64; 3], seen: &Seen, at: &Array2<f64>) -> Outcome {
    let (known, values, _) = seen.scaled();
    let (some, of_some) = (seen.points.slice(s![..seen.n, ..]).to_owned(), values.slice(s![..seen.n]).to_owned());
    let all = |p: [Var; 3], data: Data, at: Var| {
        let process = process(p);
        let (mean, deviation) = predict(&process, factor(&process, data.0, data.2), data, at.at(0));
        let best = data.1.min_all();
        (log_likelihood(&process, data), mean, deviation, best, expected_improvement(best, mean, deviation))
    };
    let (likelihood, mean, deviation, best, improvement): (f64, f64, f64, f64, f64) =
        jit(all).call(p, (&seen.points, &values, &known), at)?;
    let without = |p: [Var; 3], points: Var, values: Var, at: Var| {
        let process = process(p);
        let (mean, deviation) = process.predict(points, values, at);
        (process.log_likelihood(points, values), mean.at(0), deviation.at(0))
    };
    let (of_known, its_mean, its_deviation): (f64, f64, f64) = jit(without).call(p, &some, &of_some, at)?;
    let n = 200_000;
    let step = |k: usize| -8.0 + 16.0 * (k as f64 + 0.5) / n as f64;
    let part = |z: f64| (best - mean - deviation * z).max(0.0) * (-0.5 * z * z).exp();
    let sum = (0..n).map(|k| part(step(k))).sum::<f64>() * 16.0 / n as f64 / TAU.sqrt();
    for (got, expected) in [(likelihood, of_known), (mean, its_mean), (deviation, its_deviation), (improvement, sum)] {
        assert!((got - expected).abs() < 1e-7 * (1.0 + expected.abs()), "{got} is not {expected}");
    }
    Ok(())
}

fn drawing(seen: &Seen) -> String {
    let rows = |range: std::ops::Range<usize>| {
        range.map(|k| (15.0 * seen.points[[k, 0]] - 5.0, 15.0 * seen.points[[k, 1]])).collect::<Vec<_>>()
    };
    let dots = |label: &str, points: Vec<(f64, f64)>| Layer::Dots(Curve { label: label.to_string(), points });
    let minima = vec![(-PI, 12.275), (PI, 2.275), (3.0 * PI, 2.475)];
    let layers = [dots("first", rows(0..N_FIRST)), dots("then", rows(N_FIRST..N)), dots("minima", minima)];
    draw("Evaluations of Branin's function", &layers)
}
