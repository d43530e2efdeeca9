//! The normal distribution of vectors, with a mean and a covariance.
//!
//! Density exp(-½ (x - mean)ᵀ C⁻¹ (x - mean)) / √((2π)ⁿ det C), along the last axis. The covariance `C` counts as its symmetric
//! part; one that is not positive definite is NaN, and so are derivatives. It is factored once, for the value and all
//! derivatives.
//!
//! ```
//! use ndarray::{Array1, array};
//! use retrograd::{Var, grad, jit, stats};
//!
//! let cov = array![[2.0, 0.6], [0.6, 1.0]];
//! let f = |x: Var, mean: Var, cov: Var| stats::multivariate_normal::log_pdf(x, mean, cov);
//! let y: f64 = jit(f).call(array![1.0, 0.5], array![0.0, 0.0], &cov)?;
//! assert!((y - -2.359615431229838).abs() < 1e-14);
//! // The score of x, -C⁻¹ (x - mean).
//! let score: Array1<f64> = jit(grad(f)).call(array![1.0, 0.5], array![0.0, 0.0], &cov)?;
//! assert!((cov.dot(&score) + array![1.0, 0.5]).iter().all(|error| error.abs() < 1e-15));
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::LN_SQRT_2PI;
use crate::linalg;
use crate::op::{Var, trace};
use crate::random;
use crate::random::multivariate::dimension;
use crate::random::parameters::typed;
use crate::value::Shape;

/// The logarithm of the density of vectors along the last axis, which vanishes. Their other axes and those of the mean
/// broadcast, and so do the axes of covariances before the last two. Vectors and matrices of other extents are an error.
#[track_caller]
pub fn log_pdf(x: Var, mean: Var, covariance: Var) -> Var {
    let name = "stats::multivariate_normal::log_pdf";
    let Some([x, mean, covariance]) = typed(name, [&x, &mean, &covariance]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, mean, covariance]);
    if x.rank() == 0 || mean.rank() == 0 || x.shape().last() != mean.shape().last() {
        trace::fail_at(format!("takes vectors and means of one extent, but got {} and {}", x.ty(), mean.ty()));
        return Var::poisoned();
    }
    let apart = x - mean;
    if apart.is_poisoned() {
        return apart;
    }
    let Some(n) = dimension(name, apart, covariance) else { return Var::poisoned() };
    let factor = linalg::cho_factor(covariance);
    (squared_length(factor, apart, n) + factor.logdet()) * -0.5 - LN_SQRT_2PI * n as f64
}

/// `dᵀ C⁻¹ d` for vectors along the last axis.
#[track_caller]
fn squared_length(factor: linalg::CholeskyFactor, apart: Var, n: usize) -> Var {
    let shape = apart.shape();
    let leading = &shape[..shape.rank() - 1];
    if factor.matrix().rank() == 2 {
        // All vectors are right-hand sides of one system.
        let rows = apart.reshape(&[leading.iter().product(), n]);
        return (rows * factor.solve(rows.t()).t()).sum_axes(&[1]).reshape(leading);
    }
    let columns = apart.insert_axis(shape.rank());
    let product = columns * factor.solve(columns);
    if product.is_poisoned() { product } else { product.sum_axes(&[product.rank() - 2, product.rank() - 1]) }
}

/// Vectors of the distribution along a last axis, behind those of the shape; see [`random::multivariate_normal`].
#[track_caller]
pub fn sample(key: Var, mean: Var, covariance: Var, shape: impl Into<Shape>) -> Var {
    random::multivariate_normal(key, mean, covariance, shape)
}
