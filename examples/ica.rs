//! Independent component analysis: signals are told apart that were only seen mixed, by maximum likelihood with the
//! logarithm of a determinant.
//!
//! `cargo run --release --example ica`
//!
//! Example of autograd's of the same name, by the matrix that undoes the mixing (Bell and Sejnowski, *An
//! information-maximization approach to blind separation and blind deconvolution*, 1995; Cardoso, 1997): the density of what
//! is seen, x, is |det W| p(W x) with independent numbers of a density p with heavy tails. At the optimum the mean of
//! ψ(s) sᵀ is the identity, with s = W x and ψ = -p'/p.

#[path = "common/least.rs"]
pub mod least;

use std::error::Error;

use least::least;
use ndarray::Array2;
use retrograd::{Var, grad, jit, linalg, random, stats};

/// Signals, and their samples.
const N_SIGNALS: usize = 4;
const N: usize = 3000;

fn main() -> Result<(), Box<dyn Error>> {
    let (mixing, seen): (Array2<f64>, Array2<f64>) = jit(simulate).call(3i64)?;
    check_gradient(&seen)?;
    let fit = jit(|start: Var, seen: Var| least(|unmixing| cost(unmixing, seen), start));
    let unmixing: Array2<f64> = fit.call(Array2::<f64>::eye(N_SIGNALS), &seen)?;

    let correlations: Array2<f64> = jit(|unmixing: Var, seen: Var| {
        let signals = seen.dot(unmixing.t());
        (0.5 * signals).tanh().t().dot(signals) / N as f64
    })
    .call(&unmixing, &seen)?;
    let off = (&correlations - &Array2::<f64>::eye(N_SIGNALS)).iter().fold(0.0f64, |most, x| most.max(x.abs()));
    println!("mean of ψ(s) sᵀ: the identity but for {off:.0e}");
    assert!(off < 1e-8, "the fit is no optimum: {correlations}");

    let product = unmixing.dot(&mixing);
    println!("what was undone times what was done, in units of the largest of each row:");
    for row in product.outer_iter() {
        let most = row.iter().fold(0.0f64, |most, x| if x.abs() > most.abs() { *x } else { most });
        println!("  {}", row.iter().map(|x| format!("{:6.3}", x / most)).collect::<Vec<_>>().join(" "));
    }
    let [before, after] = [distance(&mixing), distance(&product)];
    println!("distance from a permutation {before:.4}, unmixed {after:.4}");
    assert!(after < 0.05, "the signals are not told apart");
    Ok(())
}

/// How signals are mixed, and what is seen of them, a row for each time.
fn simulate(seed: Var) -> (Var, Var) {
    let [mixing, signals] = random::keys(random::key(seed));
    let mixing = random::normal(mixing, [N_SIGNALS, N_SIGNALS]);
    (mixing, random::laplace(signals, [N, N_SIGNALS]).dot(mixing.t()))
}

/// Minus the log-likelihood of one row, in the mean: with the logistic distribution, whose ψ(s) is tanh(s/2).
fn cost(unmixing: Var, seen: Var) -> Var {
    let (_, log_det) = linalg::slogdet(unmixing);
    -log_det - stats::logistic::log_pdf(seen.dot(unmixing.t()), 0.0, 1.0).sum_axes(&[1]).mean()
}

/// By hand the gradient is mean ψ(W x) xᵀ - W⁻ᵀ.
fn check_gradient(seen: &Array2<f64>) -> Result<(), Box<dyn Error>> {
    let at = Array2::from_shape_fn((N_SIGNALS, N_SIGNALS), |(i, j)| 1.0 / (1.0 + i as f64 + 2.0 * j as f64).sin());
    let by_hand = |unmixing: Var, seen: Var| {
        let psi = (0.5 * seen.dot(unmixing.t())).tanh();
        psi.t().dot(seen) / N as f64 - linalg::inv(unmixing).t()
    };
    let (got, expected): (Array2<f64>, Array2<f64>) = (jit(grad(cost)).call(&at, seen)?, jit(by_hand).call(&at, seen)?);
    for (got, expected) in got.iter().zip(&expected) {
        assert!((got - expected).abs() < 1e-11, "the gradient is {got}, by hand {expected}");
    }
    Ok(())
}

/// Amari's: 0 for a permutation of signals with scales, and 1 where nothing stands out.
fn distance(product: &Array2<f64>) -> f64 {
    let spread = |rows: ndarray::ArrayView2<f64>| -> f64 {
        let of_row = |row: ndarray::ArrayView1<f64>| {
            let most = row.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            row.iter().map(|x| x.abs() / most).sum::<f64>() - 1.0
        };
        rows.outer_iter().map(of_row).sum()
    };
    (spread(product.view()) + spread(product.t())) / (2 * N_SIGNALS * (N_SIGNALS - 1)) as f64
}
