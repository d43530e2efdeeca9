//! Plain descent along natural gradients beside Adam, in black-box variational inference: it ends nearer to the optimum.
//!
//! `cargo run --release --example natural_gradient_svi`
//!
//! Example `natural_gradient_black_box_svi` of autograd's: twenty numbers yᵢ ~ N(μᵢ, σᵢ) with ln σᵢ ~ N(0, 1.35). The
//! Fisher information of a normal distribution with independent coordinates is diagonal, 1/s² for its means and 2 for
//! the logarithms of its deviations s; the natural gradient is the gradient over it. The optimum of the bound is known:
//! see `black_box_svi`, of which this is twenty times that with another mean.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/variational.rs"]
pub mod variational;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use ndarray::Array1;
use retrograd::{Var, jit, random, value_and_grad};
use variational::{Normal, log_normal};

/// Compares natural with other gradients.
#[derive(Parser)]
struct Args {
    /// How many steps each optimizer takes.
    #[arg(long, default_value_t = 200)]
    steps: usize,
}

const N_NUMBERS: usize = 20;
const N_DRAWS: usize = 500;
const RATE: f64 = 0.1;
const PRIOR_DEVIATION: f64 = 1.35;

type Distribution = Normal<Array1<f64>>;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let y: Array1<f64> = jit(|seed: Var| 4.0 * random::normal(random::key(seed), [N_NUMBERS])).call(42i64)?;
    let n = 2 * N_NUMBERS;
    let start = Normal { mean: Array1::from_elem(n, -1.0), log_deviation: Array1::from_elem(n, -5.0) };
    // Twenty times the bound of a pair at its optimum, where the variance of ln σ is 1 / (2 + 1/1.35²).
    let variance: f64 = 1.0 / (2.0 + PRIOR_DEVIATION.powi(-2));
    let best = N_NUMBERS as f64 * (0.5 * variance.ln() - PRIOR_DEVIATION.ln());

    let mut natural = start.clone();
    let mut state: Adam<Distribution, f64> = jit(adam::start::<Normal<Var>>).call(&start)?;
    let (natural_step, adam_step, bound) = (jit(natural_step), jit(adam_step), jit(bound));
    println!("step    Adam  natural");
    for step in 0..=args.steps {
        if step % 50 == 0 {
            let bounds = [&state.0, &natural].map(|q| bound.call::<f64>(q, &y, -1i64));
            let [by_adam, by_natural] = bounds;
            println!("{step:4}{:8.1}{:9.1}", by_adam?, by_natural?);
        }
        natural = natural_step.call(&natural, &y, step as i64)?;
        state = adam_step.call(&state, &y, step as i64)?;
    }
    let (by_adam, by_natural): (f64, f64) = (bound.call(&state.0, &y, -1i64)?, bound.call(&natural, &y, -1i64)?);
    println!("the best bound is {best:.2}");
    assert!(by_natural > by_adam, "natural gradients are no better: {by_natural} against {by_adam}");
    assert!((by_natural - best).abs() < 0.5, "natural gradients end at {by_natural}, not {best}");
    Ok(())
}

fn bound(q: Normal<Var>, y: Var, n: Var) -> Var {
    let key = random::fold_in(random::key(0i64), n);
    q.bound(key, N_DRAWS, |rows| {
        let (mean, log_deviation) = (rows.slice(1, ..N_NUMBERS), rows.slice(1, N_NUMBERS..));
        let zero = y.full_like(0.0);
        let prior = log_normal(log_deviation, zero, zero + PRIOR_DEVIATION.ln());
        (prior + log_normal(y, mean, log_deviation)).sum_axes(&[1])
    })
}

fn loss(q: Normal<Var>, y: Var, n: Var) -> Var {
    -bound(q, y, n)
}

fn natural_step(q: Normal<Var>, y: Var, n: Var) -> Normal<Var> {
    let (_, slope) = value_and_grad(loss).call(q.clone(), y, n);
    let variance = (2.0 * q.log_deviation).exp();
    Normal {
        mean: q.mean - RATE * variance * slope.mean,
        log_deviation: q.log_deviation - RATE * slope.log_deviation / 2.0,
    }
}

fn adam_step(state: Adam<Normal<Var>, Var>, y: Var, n: Var) -> Adam<Normal<Var>, Var> {
    let (_, slope) = value_and_grad(loss).call(state.0.clone(), y, n);
    adam::step(state, &slope, RATE)
}
