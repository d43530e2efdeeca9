//! A normal distribution as near as can be to one that is none, by black-box variational inference.
//!
//! `cargo run --release --example black_box_svi`
//!
//! Example of autograd's of the same name: the target is a number x ~ N(0, σ) with ln σ ~ N(0, 1.35). Its density is
//! normalized, so the bound of the evidence is at most 0. For this target the bound has a closed form, and so has its
//! optimum, to which the stochastic gradients must lead: means of 0, s² = 1 / (2 + 1/1.35²) for ln σ, and e^(-2 s²) for x.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/variational.rs"]
pub mod variational;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use ndarray::{Array1, array};
use retrograd::{Var, jit, random, value_and_grad};
use variational::{Normal, log_normal};

/// Fits a normal distribution to another.
#[derive(Parser)]
struct Args {
    /// How many steps the optimizer takes.
    #[arg(long, default_value_t = 1000)]
    steps: usize,
}

const N_DRAWS: usize = 500;
const RATE: f64 = 0.05;
const PRIOR_DEVIATION: f64 = 1.35;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let start = Normal { mean: array![-1.0, -1.0], log_deviation: array![-5.0, -5.0] };
    let mut state: Adam<Normal<Array1<f64>>, f64> = jit(adam::start::<Normal<Var>>).call(&start)?;
    let step = jit(step);
    for n in 0..args.steps {
        // Smaller steps towards the end, so that what is random in the gradients averages out.
        let rate = RATE * (1.0 - n as f64 / args.steps as f64);
        let bound: f64;
        (state, bound) = step.call(&state, n as i64, rate)?;
        if n % 200 == 0 {
            println!("step {n:4}  bound {bound:9.4}");
        }
    }
    let found = state.0;
    let variance = 1.0 / (2.0 + PRIOR_DEVIATION.powi(-2));
    let expected = [0.0, 0.0, -variance, 0.5 * variance.ln()];
    println!("        mean of x  of ln σ  ln deviation of x  of ln σ");
    println!(
        "found {:11.4}{:9.4}{:19.4}{:9.4}",
        found.mean[0], found.mean[1], found.log_deviation[0], found.log_deviation[1]
    );
    println!("exact {:11.4}{:9.4}{:19.4}{:9.4}", expected[0], expected[1], expected[2], expected[3]);
    for (found, expected) in found.mean.iter().chain(&found.log_deviation).zip(expected) {
        assert!((found - expected).abs() < 0.02, "{found}, not {expected}");
    }
    let bound: f64 = jit(|q: Normal<Var>| q.bound(random::key(9i64), 100_000, log_density)).call(&found)?;
    let exact = exact_bound([found.mean[0], found.mean[1], found.log_deviation[0], found.log_deviation[1]]);
    println!("bound {bound:.4} by draws, {exact:.4} in closed form");
    assert!((bound - exact).abs() < 0.02 && exact < 0.0, "the bound {bound} is not {exact}");
    Ok(())
}

/// The log-density of rows of x and ln σ.
fn log_density(rows: Var) -> Var {
    let [x, log_deviation] = [0, 1].map(|column| rows.index_axis(1, column));
    let zero = x.full_like(0.0);
    log_normal(log_deviation, zero, zero + PRIOR_DEVIATION.ln()) + log_normal(x, zero, log_deviation)
}

/// One step with draws of its own, and the bound before it.
fn step(state: Adam<Normal<Var>, Var>, n: Var, rate: Var) -> (Adam<Normal<Var>, Var>, Var) {
    let key = random::fold_in(random::key(0i64), n);
    let loss = |q: Normal<Var>| -q.bound(key, N_DRAWS, log_density);
    let (loss, slope) = value_and_grad(loss).call(state.0.clone());
    (adam::step(state, &slope, rate), -loss)
}

/// The expectation of the log-density under the normal distribution, and its entropy.
fn exact_bound([mean_x, mean_log, log_s_x, log_s_log]: [f64; 4]) -> f64 {
    let half_log_tau = 0.5 * std::f64::consts::TAU.ln();
    let (var_x, var_log) = ((2.0 * log_s_x).exp(), (2.0 * log_s_log).exp());
    let prior = -half_log_tau - PRIOR_DEVIATION.ln() - (mean_log.powi(2) + var_log) / (2.0 * PRIOR_DEVIATION.powi(2));
    let precision = (-2.0 * mean_log + 2.0 * var_log).exp();
    let rest = -half_log_tau - mean_log - 0.5 * (mean_x.powi(2) + var_x) * precision;
    prior + rest + log_s_x + log_s_log + 1.0 + 2.0 * half_log_tau
}
