//! Vectors of several normal distributions at once.

use super::continuous::normal;
use super::parameters::{given, on_line, typed};
use crate::linalg;
use crate::op::{Var, trace};
use crate::value::{Shape, Type};

/// Vectors of the normal distribution with that mean and covariance, JAX's up to rounding: `mean + L z`, where `L` is the
/// [Cholesky factor](linalg::cholesky) of the covariance and `z` are normal numbers.
///
/// Takes a key, the mean along the last axis, covariances, which are square matrices of its extent, and the shape of the result
/// without that axis, to which the other axes of both broadcast. Other shapes and dtypes are an error. A covariance that is
/// not positive definite gives NaN. Differentiable by mean and covariance.
///
/// ```
/// use ndarray::{Array2, Axis, array};
/// use retrograd::{Var, jit, random};
///
/// let draw = |mean: Var, cov: Var| random::multivariate_normal(random::key(0), mean, cov, [20_000]);
/// let x: Array2<f64> = jit(draw).call(array![1.0, -1.0], array![[2.0, 0.6], [0.6, 1.0]])?;
/// let centered = &x - &x.mean_axis(Axis(0)).unwrap();
/// let cov = centered.t().dot(&centered) / 20_000.0;
/// assert!((cov - array![[2.0, 0.6], [0.6, 1.0]]).iter().all(|error| error.abs() < 0.05));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn multivariate_normal(key: Var, mean: Var, covariance: Var, shape: impl Into<Shape>) -> Var {
    let name = "random::multivariate_normal";
    let Some([mean, covariance]) = typed(name, [&mean, &covariance]) else { return Var::poisoned() };
    let Some(n) = dimension(name, mean, covariance) else { return Var::poisoned() };
    let shape: Shape = shape.into().iter().copied().chain([n]).collect();
    let Some([mean]) = given(name, key, [&mean], &shape) else { return Var::poisoned() };
    on_line(|| {
        let z = normal(key, Type::new(mean.dtype(), shape.clone()));
        mean + times(linalg::cholesky(covariance), z)
    })
}

/// The extent of vectors along the last axis and of the matrices that belong to them; `None` after an error.
#[track_caller]
pub(crate) fn dimension(name: &'static str, vectors: Var, matrices: Var) -> Option<usize> {
    let _method = trace::method(name, &[vectors, matrices]);
    match (&vectors.shape()[..], &matrices.shape()[..]) {
        ([.., n], [.., rows, columns]) if rows == n && columns == n => Some(*n),
        _ => {
            trace::fail_at(format!(
                "takes vectors along the last axis and square matrices of their extent, but got {} and {}",
                vectors.ty(),
                matrices.ty()
            ));
            None
        }
    }
}

/// The products of matrices with vectors, which all have one matrix, or broadcast with them.
#[track_caller]
fn times(matrices: Var, vectors: Var) -> Var {
    if matrices.is_poisoned() || vectors.is_poisoned() {
        return Var::poisoned();
    }
    if matrices.rank() == 2 {
        return vectors.dot(matrices.t());
    }
    let columns = vectors.insert_axis(vectors.rank());
    let product = matrices.matmul(columns);
    if product.is_poisoned() {
        return product;
    }
    let shape = product.shape();
    product.reshape(&shape[..shape.rank() - 1])
}
