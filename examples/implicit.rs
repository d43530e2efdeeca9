//! Derivatives of solutions: a ridge regression's penalty is chosen by the gradient of the validation error through the
//! regression's solution; and an equilibrium of a network is pushed by a gradient through it.
//!
//! `cargo run --release --example implicit`
//!
//! The regression's weights solve (XᵀX + s n) w = Xᵀy, by conjugate gradients that only multiply. Their derivative by the
//! penalty s is that of this equation, whatever the iterations were.

use std::error::Error;

use ndarray::{Array1, Array2};
use retrograd::transform::{FixedPoint, LinearSolve};
use retrograd::{Var, grad, hessian, jit, minimize, value_and_grad};

/// Measurements of a smooth curve with much noise, at the points from 0 to 1 in steps of 1/11.
const TRAINING: [f64; 12] = [0.21, 0.36, 1.18, 0.80, 0.93, 0.02, -0.05, -1.01, -0.78, -1.12, -0.30, -0.22];

/// The same between these points, with less of it.
const VALIDATION: [f64; 11] = [0.25, 0.80, 0.93, 0.95, 0.50, 0.06, -0.60, -0.86, -1.03, -0.71, -0.33];

/// How many polynomials are fitted.
const FEATURES: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    ridge()?;
    equilibrium()
}

fn ridge() -> Result<(), Box<dyn Error>> {
    let (x, y) = (features(&Array1::linspace(0.0, 1.0, 12)), Array1::from_iter(TRAINING));
    let between = Array1::linspace(0.5 / 11.0, 10.5 / 11.0, 11);
    let (validation_x, validation_y) = (features(&between), Array1::from_iter(VALIDATION));

    let weights = |log_penalty: Var, x: Var, y: Var| {
        let s = log_penalty.exp() * x.shape()[0] as f64;
        LinearSolve::new().cg().tolerance(0.0, 1e-13).solve(|w: Var| x.t().dot(x.dot(w)) + s * w, x.t().dot(y))
    };
    let error = move |log_penalty: Var, (x, y): (Var, Var), (validation_x, validation_y): (Var, Var)| {
        (validation_x.dot(weights(log_penalty, x, y)) - validation_y).square().mean()
    };
    let (training, validation) = ((&x, &y), (&validation_x, &validation_y));
    let value = jit(error);
    let error_and_slope = jit(value_and_grad(error));
    let bend = jit(hessian(error));

    // Newton's method on the logarithm of the penalty, with steps of 1 at most.
    let mut at = -4.0f64;
    for _ in 0..6 {
        let (error, slope): (f64, f64) = error_and_slope.call(at, training, validation)?;
        let bend: f64 = bend.call(at, training, validation)?;
        println!("penalty {:.2e}: validation error {error:.6}, slope {slope:+.2e}", at.exp());
        let h = 1e-4;
        let [above, below]: [f64; 2] =
            [value.call(at + h, training, validation)?, value.call(at - h, training, validation)?];
        assert!(((above - below) / (2.0 * h) - slope).abs() < 1e-8, "the slope is not that of differences");
        let step = if bend > 0.0 { -slope / bend } else { -slope.signum() };
        at += step.clamp(-1.0, 1.0);
    }
    let (_, slope): (f64, f64) = error_and_slope.call(at, training, validation)?;
    assert!(slope.abs() < 1e-9, "the slope is still {slope}");

    // The regression as a minimization has the same solution, with the same derivative.
    let by_minimum = |log_penalty: Var, x: Var, y: Var| {
        let s = log_penalty.exp() * x.shape()[0] as f64;
        let loss = |w: Var| (x.dot(w) - y).square().sum() + s * w.square().sum();
        minimize(loss, x.index_axis(0, 0) * 0.0)
    };
    let slopes = |f: f64, g: f64| assert!((f - g).abs() < 1e-6 * g.abs(), "{f} is not {g}");
    let first: f64 = jit(grad(move |s: Var, x: Var, y: Var| weights(s, x, y).square().sum())).call(at, &x, &y)?;
    let second: f64 = jit(grad(move |s: Var, x: Var, y: Var| by_minimum(s, x, y).square().sum())).call(at, &x, &y)?;
    slopes(first, second);
    println!("the best penalty is {:.2e}", at.exp());
    Ok(())
}

/// Legendre's polynomials at points from 0 to 1, row by row.
fn features(points: &Array1<f64>) -> Array2<f64> {
    Array2::from_shape_fn((points.len(), FEATURES), |(i, degree)| {
        let t = 2.0 * points[i] - 1.0;
        let (mut last, mut p) = (0.0, 1.0);
        for k in 0..degree {
            let k = k as f64;
            (last, p) = (p, ((2.0 * k + 1.0) * t * p - k * last) / (k + 1.0));
        }
        p
    })
}

/// The state z = tanh(W z + u) of a network in equilibrium, as deep equilibrium models have it, and what its input u must be
/// for its first half to become as large as may be.
fn equilibrium() -> Result<(), Box<dyn Error>> {
    const N: usize = 12;
    let w = Array2::from_shape_fn((N, N), |(i, j)| 0.9 / N as f64 * (1.0 + (7 * i + 3 * j) as f64).sin());
    let state = |u: Var, w: Var| FixedPoint::new().anderson(4).solve(|z| (w.dot(z) + u).tanh(), u.full_like(0.0));
    let total = move |u: Var, w: Var| state(u, w).slice(0, ..N / 2).sum();
    let total_and_slope = jit(value_and_grad(total));

    let mut u = Array1::from_shape_fn(N, |k| 0.1 * (k as f64).cos());
    let (first, slope): (f64, Array1<f64>) = total_and_slope.call(&u, &w)?;
    let value = jit(total);
    for k in 0..N {
        let mut moved = [u.clone(), u.clone()];
        (moved[0][k], moved[1][k]) = (u[k] + 1e-5, u[k] - 1e-5);
        let [above, below]: [f64; 2] = [value.call(&moved[0], &w)?, value.call(&moved[1], &w)?];
        assert!(((above - below) / 2e-5 - slope[k]).abs() < 1e-6, "the slope is not that of differences");
    }
    for _ in 0..20 {
        let (_, slope): (f64, Array1<f64>) = total_and_slope.call(&u, &w)?;
        u.scaled_add(0.1, &slope);
    }
    let last: f64 = value.call(&u, &w)?;
    assert!(last > first);
    println!("an equilibrium of {N} numbers: pushed along its gradient, the sum goes from {first:.4} to {last:.4}");
    Ok(())
}
