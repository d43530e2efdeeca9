//! Gaussian processes with the covariance a² exp(-½ Σₖ (xₖ - yₖ)² / lₖ²), after Rasmussen and Williams (*Gaussian Processes
//! for Machine Learning*, 2006, chapters 2 and 5).

use std::f64::consts::TAU;

use retrograd::{Tree, Var, linalg, numpy};

/// What a process is like: its mean, and the logarithms of the amplitude a, of a length l for each coordinate of points,
/// and of the deviation of the noise. Points are rows.
#[derive(Clone, Debug, Tree)]
pub struct Process<T> {
    pub mean: T,
    pub amplitude: T,
    pub lengths: Vec<T>,
    pub noise: T,
}

impl Process<Var> {
    /// The covariances of the values at points with those at others, without noise.
    pub fn covariance(&self, x: Var, y: Var) -> Var {
        let lengths = Var::stack(&self.lengths, 0).exp();
        let [x, y] = [x, y].map(|points| points / lengths);
        let distances = (x.insert_axis(1) - y.insert_axis(0)).square().sum_axes(&[2]);
        (2.0 * self.amplitude - 0.5 * distances).exp()
    }

    /// The covariances of observations at points.
    pub fn observed(&self, x: Var) -> Var {
        self.covariance(x, x) + (2.0 * self.noise).exp() * numpy::identity(x.shape()[0])
    }

    /// The logarithm of the density of observations. The solution and the determinant share one factor, and so do their
    /// derivatives.
    pub fn log_likelihood(&self, x: Var, y: Var) -> Var {
        let (n, factor, off) = (y.shape()[0], linalg::cho_factor(self.observed(x)), y - self.mean);
        -0.5 * (off.dot(factor.solve(off)) + factor.logdet() + n as f64 * TAU.ln())
    }

    /// The means and the deviations of the values at other points, without noise, given observations.
    pub fn predict(&self, x: Var, y: Var, at: Var) -> (Var, Var) {
        let (factor, covariance) = (linalg::cho_factor(self.observed(x)), self.covariance(x, at));
        let mean = self.mean + factor.solve(y - self.mean).dot(covariance);
        let explained = (covariance * factor.solve(covariance)).sum_axes(&[0]);
        (mean, ((2.0 * self.amplitude).exp() - explained).sqrt())
    }
}
