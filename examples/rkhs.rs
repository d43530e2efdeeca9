//! A function is learned by following its gradient, which is a function, too: in a Hilbert space of functions with a
//! reproducing kernel.
//!
//! `cargo run --release --example rkhs`
//!
//! Example of autograd's of the same name. The space is spanned by k(xᵢ, ·), so a function is its weights α, and its
//! values at the points are K α. The gradient of f(xⱼ) by f is k(xⱼ, ·) in this space, that is the weights eⱼ, while by
//! the weights as plain numbers it would be K eⱼ. A rule of its own says so: the cotangent of the values is the cotangent
//! of the function.

use std::error::Error;

use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2, array};
use retrograd::{Var, custom_vjp, grad, jit};

const N_STEPS: usize = 100;
const RATE: f64 = 0.01;

fn kernel(x: Var, y: Var) -> Var {
    let distances = x.insert_axis(1) - y.insert_axis(0);
    (-distances.square()).exp()
}

/// The values at points of the function with these weights at the same points.
fn values(weights: Var, x: Var) -> Var {
    let rule = |(_, x): (Var, Var), _: Var, ct: Var| (ct, x.full_like(0.0));
    custom_vjp(|weights: Var, x: Var| kernel(x, x).dot(weights), rule).call(weights, x)
}

fn log_probability(weights: Var, x: Var, y: Var) -> Var {
    -(values(weights, x) - y).square().sum()
}

fn main() -> Result<(), Box<dyn Error>> {
    let (x, y) = (array![0.0, 1.0, 2.0, 3.0, 4.0], array![1.0, 2.0, 3.0, 2.0, 1.0]);
    let climb = jit(|weights: Var, x: Var, y: Var| weights + RATE * grad(log_probability).call(weights, x, y));
    let mut weights = Array1::<f64>::zeros(x.len());
    for _ in 0..N_STEPS {
        weights = climb.call(&weights, &x, &y)?;
    }
    let at = jit(|weights: Var, x: Var, points: Var| kernel(points, x).dot(weights));
    let learned: Array1<f64> = at.call(&weights, &x, &x)?;
    println!("  x    y      f(x)");
    x.iter().zip(&y).zip(&learned).for_each(|((x, y), f)| println!("{x:3}  {y:3}  {f:8.5}"));

    let exact = in_closed_form(&x, &y);
    let worst = weights.iter().zip(exact.iter()).map(|(got, exact)| (got - exact).abs()).fold(0.0, f64::max);
    println!("the weights are off their closed form by {worst:.1e}");
    assert!(worst < 1e-12, "weights {weights}, in closed form {exact}");

    // Between the points it is the sum of Gaussian functions.
    let between: Array1<f64> = at.call(&weights, &x, array![0.5, 2.5])?;
    for (point, got) in [0.5, 2.5f64].into_iter().zip(between) {
        let sum: f64 = x.iter().zip(&weights).map(|(x, weight)| weight * (-(point - x).powi(2)).exp()).sum();
        assert!((got - sum).abs() < 1e-14, "at {point}: {got}, not {sum}");
    }
    Ok(())
}

/// Each step takes α to α + 2 r (y - K α), so after n of them α = K⁻¹ (1 - (1 - 2 r K)ⁿ) y: by the eigenvalues of K.
fn in_closed_form(x: &Array1<f64>, y: &Array1<f64>) -> DVector<f64> {
    let n = x.len();
    let gram = Array2::from_shape_fn((n, n), |(i, j)| (-(x[i] - x[j]).powi(2)).exp());
    let eigen = DMatrix::from_row_iterator(n, n, gram).symmetric_eigen();
    let reached = |value: f64| (1.0 - (1.0 - 2.0 * RATE * value).powi(N_STEPS as i32)) / value;
    let part = eigen.eigenvectors.transpose() * DVector::from_iterator(n, y.iter().copied());
    &eigen.eigenvectors * eigen.eigenvalues.map(reached).component_mul(&part)
}
