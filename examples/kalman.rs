//! An object that is seen with noise: a Kalman filter tells how likely what was seen is, its gradient says how much noise
//! there is, and a smoother where the object was.
//!
//! `cargo run --release --example kalman`
//!
//! The object moves on a plane with a velocity that changes at random (Särkkä, *Bayesian Filtering and Smoothing*, 2013,
//! sections 4.3 and 8.2). The filter is a `scan` whose matrices of 2×2 and 4×4 are factored in straight-line code; the
//! smoother, that of Rauch, Tung and Striebel (1965), goes back through what the filter found. Both are held to one system
//! of all positions and velocities: the posterior distribution of hundreds of numbers by `linalg` in one step, which is the
//! same, and so is the likelihood, with its gradient.

#[path = "common/least.rs"]
pub mod least;
#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::f64::consts::TAU;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use least::least;
use ndarray::{Array1, Array2, Array3, s};
use retrograd::{Loop, Tree, Var, hessian, jit, linalg, numpy, random, scan, value_and_grad};
use svg::{Curve, Layer, draw};
use target::target;

/// Tracks an object, and draws its path.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("kalman.svg"))]
    out: PathBuf,
}

/// The number of measurements, one in each unit of time.
const N: usize = 100;
/// How much the velocity changes in a unit of time, and how far off measurements are.
const TRUE_NOISE: Noise<f64> = Noise { process: -0.7, measured: 0.7 };

/// Logarithms of deviations.
#[derive(Clone, Copy, Debug, Tree)]
struct Noise<T> {
    process: T,
    measured: T,
}

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let args = Args::parse();
    let (states, measured): (Array2<f64>, Array2<f64>) = jit(simulate).call(TRUE_NOISE, 4i64)?;
    let noise = fit(&measured)?;
    check_likelihood(&noise, &measured)?;
    let tracks = Tracks::of(&noise, &measured)?;
    check_smoother(&noise, &measured, &tracks)?;
    tracks.compare(&states, &measured);
    fs::write(&args.out, tracks.drawing(&states, &measured))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

// The model: a state is a position and a velocity.

struct Model {
    transition: Var,
    process: Var,
    seen: Var,
    measured: Var,
    /// The covariance of the first state, whose mean is 0.
    first: Var,
}

impl Model {
    fn new(noise: Noise<Var>) -> Model {
        let plane = |of_axis: [[f64; 2]; 2]| numpy::kron(Var::from(ndarray::arr2(&of_axis)), numpy::identity(2));
        Model {
            transition: plane([[1.0, 1.0], [0.0, 1.0]]),
            // White noise as the acceleration, over a unit of time.
            process: (2.0 * noise.process).exp() * plane([[1.0 / 3.0, 0.5], [0.5, 1.0]]),
            seen: numpy::eye(2, 4, 0),
            measured: (2.0 * noise.measured).exp() * numpy::identity(2),
            first: plane([[100.0, 0.0], [0.0, 4.0]]),
        }
    }
}

/// States, and what is measured of them.
fn simulate(noise: Noise<Var>, seed: Var) -> (Var, Var) {
    let model = Model::new(noise);
    let [first, moved, seen] = random::keys(random::key(seed));
    let noise_of = |covariance: Var, noise: Var| noise.dot(linalg::cholesky(covariance).t());
    let start = noise_of(model.first, random::normal(first, [4]));
    let moves = noise_of(model.process, random::normal(moved, [N, 4]));
    let states = scan(start, moves, |state, moved| (model.transition.dot(state) + moved, state)).1;
    (states, states.dot(model.seen.t()) + noise_of(model.measured, random::normal(seen, [N, 2])))
}

/// Mean and covariance of a state.
type Normal = (Var, Var);

/// The logarithm of the density of all measurements; the states given all measurements up to theirs; and the states that
/// come next, given the same.
fn filter(model: &Model, measured: Var) -> (Var, Normal, Normal) {
    let step = |(mean, covariance): Normal, measured: Var| {
        let (off, seen) = (measured - model.seen.dot(mean), model.seen.dot(covariance));
        let innovation = linalg::cho_factor(seen.dot(model.seen.t()) + model.measured);
        let quadratic = off.dot(innovation.solve(off));
        let log_density = -0.5 * (quadratic + innovation.logdet() + 2.0 * TAU.ln());

        let gain = innovation.solve(seen).t();
        let (mean, covariance) = (mean + gain.dot(off), covariance - gain.dot(seen));
        let next = model.transition.dot(covariance).dot(model.transition.t()) + model.process;
        let next = (model.transition.dot(mean), next);
        (next, (log_density, (mean, covariance), next))
    };
    let start = (model.first.at(0) * 0.0, model.first);
    let (_, (log_densities, filtered, predicted)) = scan(start, measured, step);
    (log_densities.sum(), filtered, predicted)
}

/// The states given all measurements: back from the last prediction, which nothing follows.
fn smooth(model: &Model, filtered: Normal, predicted: Normal) -> Normal {
    let last = (predicted.0.at(N - 1), predicted.1.at(N - 1));
    let step = |(mean, covariance): Normal, (filtered, predicted): (Normal, Normal)| {
        let gain = linalg::solve_positive(predicted.1, model.transition.dot(filtered.1)).t();
        let mean = filtered.0 + gain.dot(mean - predicted.0);
        let covariance = filtered.1 + gain.dot(covariance - predicted.1).dot(gain.t());
        ((mean, covariance), (mean, covariance))
    };
    Loop::new().reverse().scan(last, (filtered, predicted), step).1
}

fn cost(noise: Noise<Var>, measured: Var) -> Var {
    -filter(&Model::new(noise), measured).0
}

fn fit(measured: &Array2<f64>) -> Result<Noise<f64>, Box<dyn Error>> {
    let start = Noise { process: 0.0, measured: 0.0 };
    let fit = jit(|start: Noise<Var>, measured: Var| least(|noise| cost(noise, measured), start));
    let noise: Noise<f64> = fit.call(start, measured)?;
    // The inverse of the Hessian is the covariance of the estimate.
    let errors = jit(|noise: Noise<Var>, measured: Var| {
        let of =
            |noise: Var, measured: Var| cost(Noise { process: noise.index(0), measured: noise.index(1) }, measured);
        let curvature = hessian(of).call(Var::stack(&[noise.process, noise.measured], 0), measured);
        numpy::diagonal(linalg::inv(curvature), 0, 0, 1).sqrt()
    });
    let errors: Array1<f64> = errors.call(noise, measured)?;
    for (name, at, error, exact) in [
        ("change of velocity", noise.process, errors[0], TRUE_NOISE.process),
        ("measurement", noise.measured, errors[1], TRUE_NOISE.measured),
    ] {
        println!("deviation of a {name}: {:.3} ± {:.3}, in truth {:.3}", at.exp(), error * at.exp(), exact.exp());
        assert!((at - exact).abs() < 3.0 * error, "the estimate {at} ± {error} is far from {exact}");
    }
    Ok(noise)
}

// All states at once: x₀ = w₀ and xₖ₊₁ - F xₖ = wₖ₊₁ is one system A x = w.

struct Batch {
    a: Var,
    /// The covariance of w, and that of the measurements given x.
    w: Var,
    measured: Var,
    seen: Var,
}

impl Batch {
    fn new(model: &Model) -> Batch {
        let mut first = Array2::zeros((N, N));
        first[[0, 0]] = 1.0;
        let (each, first) = (numpy::identity(N), Var::from(first));
        Batch {
            a: numpy::identity(4 * N) - numpy::kron(numpy::eye(N, N, -1), model.transition),
            w: numpy::kron(first, model.first) + numpy::kron(each - first, model.process),
            measured: numpy::kron(each, model.measured),
            seen: numpy::kron(each, model.seen),
        }
    }

    fn log_likelihood(&self, measured: Var) -> Var {
        let states = linalg::solve(self.a, linalg::solve(self.a, self.w).t());
        let covariance = self.seen.dot(states).dot(self.seen.t()) + self.measured;
        let (factor, y) = (linalg::cho_factor(covariance), measured.reshape(&[2 * N]));
        -0.5 * (y.dot(factor.solve(y)) + factor.logdet() + (2 * N) as f64 * TAU.ln())
    }

    /// Means and covariance of all states given all measurements: the precisions add up.
    fn posterior(&self, measured: Var) -> Normal {
        let seen = linalg::solve_positive(self.measured, self.seen).t();
        let precision = self.a.t().dot(linalg::solve_positive(self.w, self.a)) + seen.dot(self.seen);
        let factor = linalg::cho_factor(precision);
        (factor.solve(seen.dot(measured.reshape(&[2 * N]))).reshape(&[N, 4]), factor.inv())
    }
}

/// The filter's likelihood is that of the joint distribution of all measurements, and its gradient, which vanishes.
fn check_likelihood(fitted: &Noise<f64>, measured: &Array2<f64>) -> Outcome {
    let by_filter = jit(value_and_grad(cost));
    let at_once = |noise: Noise<Var>, measured: Var| -Batch::new(&Model::new(noise)).log_likelihood(measured);
    let at_once = jit(value_and_grad(at_once));
    for noise in [*fitted, Noise { process: 0.1, measured: -0.2 }] {
        let (value, slope): (f64, Noise<f64>) = by_filter.call(noise, measured)?;
        let (expected, expected_slope): (f64, Noise<f64>) = at_once.call(noise, measured)?;
        for (got, expected) in
            [(value, expected), (slope.process, expected_slope.process), (slope.measured, expected_slope.measured)]
        {
            assert!((got - expected).abs() < 1e-9 * value.abs(), "{got} by the filter, {expected} at once");
        }
    }
    let (value, slope): (f64, Noise<f64>) = by_filter.call(fitted, measured)?;
    assert!(slope.process.abs().max(slope.measured.abs()) < 1e-7, "the fit is no optimum: {slope:?}");
    println!("log-likelihood {:.4}: that of all measurements at once", -value);
    Ok(())
}

fn check_smoother(noise: &Noise<f64>, measured: &Array2<f64>, tracks: &Tracks) -> Outcome {
    let posterior = jit(|noise: Noise<Var>, measured: Var| Batch::new(&Model::new(noise)).posterior(measured));
    let (means, covariance): (Array2<f64>, Array2<f64>) = posterior.call(noise, measured)?;
    let mut off = (&means - &tracks.smoothed.0).iter().fold(0.0f64, |most, x| most.max(x.abs()));
    for (k, smoothed) in tracks.smoothed.1.outer_iter().enumerate() {
        let block = covariance.slice(s![4 * k..4 * k + 4, 4 * k..4 * k + 4]);
        off = (&block - &smoothed).iter().fold(off, |most, x| most.max(x.abs()));
    }
    assert!(off < 1e-9, "the smoother is {off} off the posterior distribution");
    println!(
        "smoothed positions and velocities, with their covariances: the posterior distribution of {} numbers",
        4 * N
    );
    Ok(())
}

type Normals = (Array2<f64>, Array3<f64>);

struct Tracks {
    filtered: Normals,
    smoothed: Normals,
}

impl Tracks {
    fn of(noise: &Noise<f64>, measured: &Array2<f64>) -> Result<Tracks, retrograd::Error> {
        let track = |noise: Noise<Var>, measured: Var| {
            let model = Model::new(noise);
            let (_, filtered, predicted) = filter(&model, measured);
            (filtered, smooth(&model, filtered, predicted))
        };
        let (filtered, smoothed): (Normals, Normals) = jit(track).call(noise, measured)?;
        Ok(Tracks { filtered, smoothed })
    }

    /// How far each is from where the object was, which no model knows.
    fn compare(&self, states: &Array2<f64>, measured: &Array2<f64>) {
        let exact = states.slice(s![.., ..2]);
        let off = |x: &ndarray::ArrayView2<f64>| ((x - &exact).mapv(|x| x * x).sum() / N as f64).sqrt();
        let of = |track: &Normals| off(&track.0.slice(s![.., ..2]));
        let [by_measurement, filtered, smoothed] = [off(&measured.view()), of(&self.filtered), of(&self.smoothed)];
        println!("off by {by_measurement:.3} as measured, {filtered:.3} filtered, {smoothed:.3} smoothed");
        assert!(smoothed < filtered && filtered < by_measurement, "what is known later does not help");
        // That far off is what the smoother expects to be, up to chance.
        let variances = self.smoothed.1.outer_iter().map(|covariance| covariance[[0, 0]] + covariance[[1, 1]]);
        let expected = (variances.sum::<f64>() / N as f64).sqrt();
        assert!((0.6..1.6).contains(&(smoothed / expected)), "off by {smoothed}, where {expected} is expected");
    }

    fn drawing(&self, states: &Array2<f64>, measured: &Array2<f64>) -> String {
        let curve = |label: &str, rows: &Array2<f64>| Curve {
            label: label.to_string(),
            points: rows.outer_iter().map(|row| (row[0], row[1])).collect(),
        };
        let layers = [
            Layer::Line(curve("the object", states)),
            Layer::Dots(curve("measured", measured)),
            Layer::Line(curve("filtered", &self.filtered.0)),
            Layer::Line(curve("smoothed", &self.smoothed.0)),
        ];
        draw("An object on a plane", &layers)
    }
}
