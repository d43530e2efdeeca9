//! Bayesian networks by black-box variational inference, held to what is known in closed form.
//!
//! `cargo run --release --example variational`
//!
//! A network of cosines with fixed frequencies and random weights is linear in these, so that the posterior distribution,
//! the evidence and the best bound of it by a normal distribution with independent coordinates are known (Bishop, *Pattern
//! Recognition and Machine Learning*, sections 3.3, 3.5 and 10.1.2). First that network is inferred, by the same black box
//! as any: only draws of weights, the log-density of the data, and gradients. The mean of its predictions must be that of
//! the Gaussian process to which this network is equal. Then the frequencies and phases are unknown, too, and nothing is
//! in closed form: the predictions must be near to the function behind the data, and unsure far from
//! them.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/random.rs"]
pub mod random;
#[path = "common/variational.rs"]
pub mod variational;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2};
use random::Random;
use retrograd::random::{fold_in, key};
use retrograd::{Var, jit, value_and_grad};
use variational::{Normal, log_normal};

/// Infers networks.
#[derive(Parser)]
struct Args {
    /// How many steps the optimizer takes for each network.
    #[arg(long, default_value_t = 8000)]
    steps: usize,
}

const N_HIDDEN: usize = 8;
const N_DATA: usize = 40;
const N_DRAWS: usize = 32;
const NOISE: f64 = 0.1;
const RATE: f64 = 0.03;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let (x, y) = data();
    let features = features(&x);
    let exact = Exact::new(&features, &y);

    let linear = fit(linear_density, &features, &y, N_HIDDEN, args.steps)?;
    let bound: f64 = jit(|q: Normal<Var>, x: Var, y: Var| bound(linear_density, q, x, y, 2000, Var::from(-1i64)))
        .call(&linear, &features, &y)?;
    println!("linear network");
    println!(
        "  bound of the evidence {bound:9.3}, at best {:.3}; the evidence is {:.3}",
        exact.best_bound, exact.evidence
    );
    assert!((bound - exact.best_bound).abs() < 0.5 && bound < exact.evidence + 0.1, "the bound is {bound}");
    let worst = largest_difference(&linear.mean, exact.mean.as_slice());
    println!("  means of weights are off by at most {worst:.4}");
    let predicted = DMatrix::from_row_iterator(N_DATA, N_HIDDEN, features.iter().copied())
        * DVector::from_iterator(N_HIDDEN, linear.mean.iter().copied());
    let worst = largest_difference(&predicted, exact.predictions.as_slice());
    println!("  means of predictions are off those of the Gaussian process by at most {worst:.4}");
    assert!(worst < 0.02, "the predictions are off by {worst}");
    let deviations: Vec<f64> = linear.log_deviation.iter().map(|s| s.exp()).collect();
    for (got, exact) in deviations.iter().zip(&exact.deviations) {
        assert!((got / exact - 1.0).abs() < 0.1, "a deviation is {got}, not {exact}");
    }
    network(&x, &y, args.steps)
}

/// A cosine with noise, seen in two places.
fn data() -> (Array1<f64>, Array1<f64>) {
    let mut random = Random(10);
    let mut normal = || (0..12).map(|_| random.range(0.0, 1.0)).sum::<f64>() - 6.0;
    let x = Array1::from_shape_fn(N_DATA, |i| {
        let part = i as f64 / (N_DATA / 2 - 1) as f64;
        if i < N_DATA / 2 { 2.0 * part - 4.0 } else { 2.0 + 2.0 * (part - 20.0 / 19.0) }
    });
    let y = x.mapv(|x| x.cos() + NOISE * normal());
    (x, y)
}

/// Cosines of fixed frequencies and phases, a row for each number.
fn features(x: &Array1<f64>) -> Array2<f64> {
    Array2::from_shape_fn((x.len(), N_HIDDEN), |(row, k)| {
        let frequency = 0.3 * (1.0 + (k / 2) as f64);
        (frequency * x[row] - (k % 2) as f64 * std::f64::consts::FRAC_PI_2).cos()
    })
}

/// The log-density of data and weights, for each row of weights: weights are N(0, 1), data have noise.
fn linear_density(weights: Var, x: Var, y: Var) -> Var {
    let zero = Var::from(0.0);
    let prior = log_normal(weights, zero, zero).sum_axes(&[1]);
    prior + log_normal(y, weights.dot(x.t()), Var::from(NOISE.ln())).sum_axes(&[1])
}

/// The same, where frequencies, phases and biases of a layer are unknown, too.
fn network_density(weights: Var, x: Var, y: Var) -> Var {
    let zero = Var::from(0.0);
    let prior = log_normal(weights, zero, zero).sum_axes(&[1]);
    prior + log_normal(y, outputs(weights, x), Var::from(NOISE.ln())).sum_axes(&[1])
}

/// The outputs of a network of cosines for each row of weights, at each number.
fn outputs(weights: Var, x: Var) -> Var {
    let part = |n: usize| weights.slice(1, n * N_HIDDEN..(n + 1) * N_HIDDEN).insert_axis(1);
    let hidden = (x.insert_axis(1) * part(0) + part(1)).cos();
    (hidden * part(2)).sum_axes(&[2])
}

type Density = fn(Var, Var, Var) -> Var;
type Distribution = Normal<Array1<f64>>;

fn bound(density: Density, q: Normal<Var>, x: Var, y: Var, n_draws: usize, n: Var) -> Var {
    let key = fold_in(key(0i64), n);
    q.bound(key, n_draws, |weights| density(weights, x, y))
}

/// The black box: nothing but a density of rows of weights.
fn fit<X: retrograd::value::ToTree + Copy>(
    density: Density,
    x: X,
    y: &Array1<f64>,
    n_weights: usize,
    n_steps: usize,
) -> Result<Distribution, Box<dyn Error>> {
    let step = move |state: Adam<Normal<Var>, Var>, x: Var, y: Var, n: Var, rate: Var| {
        let loss = |q: Normal<Var>| -bound(density, q, x, y, N_DRAWS, n);
        let (loss, slope) = value_and_grad(loss).call(state.0.clone());
        (adam::step(state, &slope, rate), -loss)
    };
    let step = jit(step);
    let mut random = Random(11);
    let mean = Array1::from_shape_simple_fn(n_weights, || random.range(-1.0, 1.0));
    let start = Normal { mean, log_deviation: Array1::from_elem(n_weights, -3.0) };
    let mut state: Adam<Distribution, f64> = jit(adam::start::<Normal<Var>>).call(&start)?;
    for n in 0..n_steps {
        let rate = RATE * (1.0 - n as f64 / n_steps as f64);
        let _bound: f64;
        (state, _bound) = step.call(&state, x, y, n as i64, rate)?;
    }
    Ok(state.0)
}

/// What is known of the linear network with data.
struct Exact {
    mean: DVector<f64>,
    /// Of the independent coordinates that are nearest to the posterior distribution.
    deviations: Vec<f64>,
    evidence: f64,
    best_bound: f64,
    /// Those of a Gaussian process with the kernel of the features, from the data alone.
    predictions: DVector<f64>,
}

impl Exact {
    fn new(features: &Array2<f64>, y: &Array1<f64>) -> Exact {
        let phi = DMatrix::from_row_iterator(N_DATA, N_HIDDEN, features.iter().copied());
        let y = DVector::from_iterator(N_DATA, y.iter().copied());
        let precision = DMatrix::identity(N_HIDDEN, N_HIDDEN) + phi.transpose() * &phi / NOISE.powi(2);
        let factor = precision.clone().cholesky().expect("a precision is positive definite");
        let mean = factor.solve(&(phi.transpose() * &y)) / NOISE.powi(2);

        let kernel = &phi * phi.transpose();
        let covariance = &kernel + DMatrix::identity(N_DATA, N_DATA) * NOISE.powi(2);
        let of_data = covariance.cholesky().expect("a covariance is positive definite");
        let weights = of_data.solve(&y);
        let half_log_determinant: f64 = of_data.l().diagonal().map(f64::ln).sum();
        let half_log_tau = 0.5 * std::f64::consts::TAU.ln();
        let evidence = -0.5 * y.dot(&weights) - half_log_determinant - N_DATA as f64 * half_log_tau;

        // The distance is half the difference of the logarithms of Π Λᵢᵢ and |Λ|.
        let independent: f64 = precision.diagonal().map(f64::ln).sum();
        let determinant: f64 = 2.0 * factor.l().diagonal().map(f64::ln).sum();
        Exact {
            mean,
            deviations: precision.diagonal().iter().map(|precision| precision.powf(-0.5)).collect(),
            evidence,
            best_bound: evidence - 0.5 * (independent - determinant),
            predictions: kernel * weights,
        }
    }
}

/// The network with unknown frequencies.
fn network(x: &Array1<f64>, y: &Array1<f64>, n_steps: usize) -> Result<(), Box<dyn Error>> {
    let q = fit(network_density, x, y, 3 * N_HIDDEN, n_steps)?;
    let predict = jit(|q: Normal<Var>, x: Var| {
        let outputs = outputs(q.draw(key(7i64), 500), x);
        (outputs.mean_axes(&[0]), outputs.std_axes(&[0]))
    });
    let (mean, _): (Array1<f64>, Array1<f64>) = predict.call(&q, x)?;
    let off = (&mean - &x.mapv(f64::cos)).mapv(|e| e * e).mean().unwrap_or_default().sqrt();
    let places = ndarray::array![-3.0, 3.0, 20.0];
    let (_, deviations): (Array1<f64>, Array1<f64>) = predict.call(&q, &places)?;
    println!("network of unknown frequencies");
    println!("  predictions are {off:.3} off the cosine, with noise of {NOISE}");
    let [left, right, far] = [deviations[0], deviations[1], deviations[2]];
    println!("  deviations {left:.3} and {right:.3} where there are data, {far:.3} far from them");
    assert!(off < NOISE, "the predictions are off by {off}");
    assert!(far > 2.0 * left.max(right), "the network is sure where it knows nothing");
    Ok(())
}

fn largest_difference<'x>(x: impl IntoIterator<Item = &'x f64>, y: &[f64]) -> f64 {
    x.into_iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
}
