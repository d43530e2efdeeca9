//! Black-box variational inference: a normal distribution with independent coordinates, as near to a posterior
//! distribution as its log-density, up to a constant, tells (Ranganath, Gerrish and Blei, 2014; gradients by
//! reparameterization, Kingma and Welling, 2014).

use std::f64::consts::{PI, TAU};

use retrograd::{Tree, Var, random};

/// A normal distribution with independent coordinates.
#[derive(Clone, Debug, Tree)]
pub struct Normal<T> {
    pub mean: T,
    pub log_deviation: T,
}

impl Normal<Var> {
    /// Rows of numbers with this distribution.
    pub fn draw(&self, key: Var, n: usize) -> Var {
        let n_coordinates = self.mean.shape()[0];
        self.mean + self.log_deviation.exp() * random::normal(key, [n, n_coordinates])
    }

    pub fn entropy(&self) -> Var {
        (self.log_deviation + 0.5 * (1.0 + TAU.ln())).sum()
    }

    /// The log-density of each row.
    pub fn log_density(&self, rows: Var) -> Var {
        log_normal(rows, self.mean, self.log_deviation).sum_axes(&[1])
    }

    /// An estimate of the lower bound of the evidence, by `n` draws of a log-density of rows.
    pub fn bound(&self, key: Var, n: usize, log_density: impl Fn(Var) -> Var) -> Var {
        self.entropy() + log_density(self.draw(key, n)).mean()
    }
}

/// The log-density of the normal distribution, element by element.
pub fn log_normal(x: Var, mean: Var, log_deviation: Var) -> Var {
    -0.5 * ((x - mean) * (-log_deviation).exp()).square() - log_deviation - 0.5 * (2.0 * PI).ln()
}
