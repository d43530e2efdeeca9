//! Gaussian processes, and functions of spectra.

use std::error::Error;

use retrograd::linalg::{self, Triangle};
use retrograd::{Var, numpy as np};

use crate::rig::{Case, Rig, What, types};

/// The covariance of noisy values at points, by the logarithms of two lengths, an amplitude and the noise.
fn covariance(theta: Var, x: Var) -> Var {
    let n = x.shape()[0];
    let scaled = x / theta.slice(0, 0..2).exp();
    let apart = scaled.reshape(&[n, 1, 2]) - scaled.reshape(&[1, n, 2]);
    let [amplitude, noise] = [2, 3].map(|k| (2.0 * theta.at(k)).exp());
    amplitude * (-0.5 * (apart * apart).sum_axes(&[2])).exp() + noise * np::eye(n, n, 0)
}

/// The negative logarithm of the likelihood, by the factor.
fn by_factor(theta: Var, x: Var, y: Var) -> Var {
    let l = linalg::cholesky(covariance(theta, x));
    let z = linalg::solve_triangular(l, y, Triangle::LOWER);
    0.5 * z.dot(z) + np::diagonal(l, 0, 0, 1).ln().sum() + constant(y)
}

/// The same by a solution and a determinant.
fn by_solution(theta: Var, x: Var, y: Var) -> Var {
    let factor = linalg::cho_factor(covariance(theta, x));
    0.5 * (y.dot(factor.solve(y)) + factor.logdet()) + constant(y)
}

fn constant(y: Var) -> Var {
    Var::from(0.5 * y.shape()[0] as f64 * (2.0 * std::f64::consts::PI).ln())
}

pub fn measure_gaussian_process(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = [&rig.args::<1>()?[..], &rig.consts::<2>()?].concat();
    let types = types(&inputs);
    Case::new(rig, "factor", inputs.clone()).scalar(by_factor, &types, 1, &[What::Primal, What::ValueAndGrad])?;
    Case::new(rig, "solution", inputs).scalar(by_solution, &types, 1, &[What::Primal, What::ValueAndGrad])
}

/// A sum of a smooth function of the eigenvalues of the symmetric part.
fn of_eigenvalues(m: Var) -> Var {
    let (l, _) = linalg::eigh(0.5 * (m + m.t()));
    (l.sin() + 0.1 * l * l).sum()
}

pub fn measure_eigenvalues(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = rig.args::<1>()?.to_vec();
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(of_eigenvalues, &types, 1, &[What::Primal, What::ValueAndGrad])
}

/// A sum of a smooth function of the singular values.
fn of_singular_values(m: Var) -> Var {
    let (_, s, _) = linalg::svd(m);
    (s.tanh() + 0.1 * s * s).sum()
}

pub fn measure_singular_values(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = rig.args::<1>()?.to_vec();
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(of_singular_values, &types, 1, &[What::Primal, What::ValueAndGrad])
}
