//! A mixture of normal distributions as near as can be to one that is none, by variational inference.
//!
//! `cargo run --release --example mixture_vi`
//!
//! Example `mixture_variational_inference` of autograd's (after Graves, *Stochastic Backpropagation through Mixture Density
//! Distributions*, 2016): draws are taken from each component, and weighted by its share, so that nothing discrete is
//! drawn. The target is the sum of two densities of x ~ N(±0.5, σ), with ln σ ~ N(0 or 0.1, 1.35), whose integral is 2: no
//! bound can be above ln 2, and the distance from it is the divergence from the target. It must shrink with more
//! components.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/variational.rs"]
pub mod variational;

use std::error::Error;
use std::f64::consts::LN_2;

use adam::Adam;
use clap::Parser;
use ndarray::{Array1, Array2};
use retrograd::{Tree, Var, jit, random, value_and_grad};
use variational::log_normal;

/// Fits mixtures of normal distributions to another one.
#[derive(Parser)]
struct Args {
    /// How many steps the optimizer takes for each mixture.
    #[arg(long, default_value_t = 1000)]
    steps: usize,
}

const N_DRAWS: usize = 40;
const RATE: f64 = 0.05;
const PRIOR_DEVIATION: f64 = 1.35;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    integral_is_two()?;
    let mut divergences = Vec::new();
    println!("components     bound  divergence   mean of x  of ln σ");
    for n_components in [1, 2, 8] {
        let mixture = fit(n_components, args.steps)?;
        let measure = jit(|mixture: Mixture<Var>| (mixture.bound(random::key(9i64), 20_000), mixture.mean()));
        let (bound, mean): (f64, Array1<f64>) = measure.call(&mixture)?;
        let divergence = LN_2 - bound;
        println!("{n_components:10}{bound:10.4}{divergence:12.4}{:12.4}{:9.4}", mean[0], mean[1]);
        assert!(divergence > -0.01, "the bound {bound} is above the logarithm of the integral");
        divergences.push(divergence);
    }
    let [one, _, eight] = divergences[..] else { return Err("three mixtures were fitted".into()) };
    assert!(eight < 0.15 && eight < 0.5 * one, "eight components are no nearer than one: {eight} against {one}");
    Ok(())
}

/// Logarithms of weights up to a constant, and means and logarithms of deviations, a row for each component.
#[derive(Clone, Tree)]
struct Mixture<T> {
    weights: T,
    means: T,
    deviations: T,
}

impl Mixture<Var> {
    fn log_weights(&self) -> Var {
        self.weights.at(0).log_softmax(0)
    }

    fn mean(&self) -> Var {
        self.log_weights().exp().dot(self.means)
    }

    /// The log-density of points along the last axis.
    fn log_density(&self, points: Var) -> Var {
        let axis = points.rank() - 1;
        let each = log_normal(points.insert_axis(axis), self.means, self.deviations).sum_axes(&[axis + 1]);
        (each + self.log_weights()).logsumexp(&[axis])
    }

    /// An estimate of the bound, by `n` draws of each component.
    fn bound(&self, key: Var, n: usize) -> Var {
        let [n_components, n_coordinates] = [0, 1].map(|axis| self.means.shape()[axis]);
        let noise = random::normal(key, [n_components, n, n_coordinates]);
        let draws = self.means.insert_axis(1) + self.deviations.exp().insert_axis(1) * noise;
        let of_each = (log_density(draws) - self.log_density(draws)).mean_axes(&[1]);
        self.log_weights().exp().dot(of_each)
    }
}

/// The logarithm of the target's density at points along the last axis.
fn log_density(points: Var) -> Var {
    let axis = points.rank() - 1;
    let (x, log_deviation) = (points.index_axis(axis, 0), points.index_axis(axis, 1));
    let bump = |mean_log: f64, mean: f64| {
        let prior = log_normal(log_deviation, Var::from(mean_log), Var::from(PRIOR_DEVIATION.ln()));
        prior + log_normal(x, Var::from(mean), log_deviation)
    };
    bump(0.0, -0.5).logaddexp(bump(0.1, 0.5))
}

fn step(state: Adam<Mixture<Var>, Var>, n: Var, rate: Var) -> Adam<Mixture<Var>, Var> {
    let key = random::fold_in(random::key(0i64), n);
    let (_, slope) = value_and_grad(|mixture: Mixture<Var>| -mixture.bound(key, N_DRAWS)).call(state.0.clone());
    adam::step(state, &slope, rate)
}

fn fit(n_components: usize, n_steps: usize) -> Result<Mixture<Array2<f64>>, Box<dyn Error>> {
    let begin = jit(move |seed: Var| Mixture {
        weights: Var::from(Array2::<f64>::zeros((1, n_components))),
        means: random::normal(random::key(seed), [n_components, 2]),
        deviations: Var::from(Array2::<f64>::zeros((n_components, 2)) - 1.0),
    });
    let begin: Mixture<Array2<f64>> = begin.call(1i64)?;
    let mut state: Adam<Mixture<Array2<f64>>, f64> = jit(adam::start::<Mixture<Var>>).call(&begin)?;
    let step = jit(step);
    for n in 0..n_steps {
        // Smaller steps towards the end, so that what is random in the gradients averages out.
        state = step.call(&state, n as i64, RATE * (1.0 - n as f64 / n_steps as f64))?;
    }
    Ok(state.0)
}

/// The integral of the target by sums over a grid: of ln σ, and of x in units of σ around zero.
fn integral_is_two() -> Result<(), Box<dyn Error>> {
    let (n, width) = (801, 40.0);
    let points = Array2::from_shape_fn((n * n, 2), |(at, column)| {
        let [u, v] = [at / n, at % n].map(|k| width * (2.0 * k as f64 / (n - 1) as f64 - 1.0));
        let log_deviation = v / 8.0;
        if column == 0 { u * log_deviation.exp() } else { log_deviation }
    });
    let densities: Array1<f64> = jit(log_density).call(&points)?;
    let cell = (2.0 * width / (n - 1) as f64).powi(2) / 8.0;
    let integral: f64 = densities.iter().zip(points.rows()).map(|(p, point)| (p + point[1]).exp() * cell).sum();
    println!("the integral of the target is {integral:.6}");
    assert!((integral - 2.0).abs() < 2e-3, "the integral of the target is {integral}, not 2");
    Ok(())
}
