//! Functions of matrices.

use super::axes::{column, enter};
use crate::op::{Expm, ExpmFrechet, ExpmMultiply, Var, trace};

/// SciPy's `expm`: the exponential of square matrices, `Σ aᵏ / k!`.
///
/// Takes `[…, n, n]` of `f64` or `f32`. By Padé approximants with scaling and squaring: Al-Mohy and Higham, "A new scaling
/// and squaring algorithm for the matrix exponential", SIAM J. Matrix Anal. Appl. 31 (2009). The exponential of a diagonal
/// matrix is that of its elements. A matrix with an infinite element or a NaN gives NaN, and so does one that is not
/// diagonal and of which the exponential overflows.
///
/// The derivative is [`expm_frechet`], of any order.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, grad, jit, linalg, numpy as np};
///
/// // A rotation by 1 as the exponential of its generator.
/// let turn: Array2<f64> = jit(|a: Var| linalg::expm(a)).call(array![[0.0, -1.0], [1.0, 0.0]])?;
/// assert!((turn[[0, 0]] - 1f64.cos()).abs() < 1e-15 && (turn[[1, 0]] - 1f64.sin()).abs() < 1e-15);
/// // The derivative of the trace of exp(a) is the transpose of exp(a).
/// let slope: Array2<f64> = jit(grad(|a: Var| np::trace(linalg::expm(a), 0, 0, 1))).call(array![[0.0, -1.0], [1.0, 0.0]])?;
/// assert!((slope - turn.t()).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes, matrices that are not square, integers and `bool`.
#[track_caller]
pub fn expm(a: Var) -> Var {
    let _method = enter("expm", &[a]);
    trace::apply(Expm, &[a])
}

/// SciPy's `expm_frechet`: the derivative of [`expm`] at `a` in direction `e`.
///
/// Takes two arrays of one type, as [`expm`]. Al-Mohy and Higham, "Computing the Fréchet derivative of the matrix exponential,
/// with an application to condition number estimation", SIAM J. Matrix Anal. Appl. 30 (2009). A direction that is exactly 0
/// gives 0, whatever `a` is. The derivative is that of the block above the diagonal of `exp([[a, e], [0, a]])`.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let zeros = Array2::<f64>::zeros((2, 2));
/// let e = array![[1.0, 2.0], [3.0, 4.0]];
/// let slope: Array2<f64> = jit(|a: Var, e: Var| linalg::expm_frechet(a, e)).call(&zeros, &e)?;
/// assert_eq!(slope, e);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`expm`], and operands of two types.
#[track_caller]
pub fn expm_frechet(a: Var, e: Var) -> Var {
    let _method = enter("expm_frechet", &[a, e]);
    trace::apply(ExpmFrechet, &[a, e])
}

/// SciPy's `expm_multiply`: `expm(a) · b`, without forming the exponential where that takes longer.
///
/// Takes `a` of `[…, n, n]` and `b` of `[…, n, k]` or `[n]`, of one dtype; the leading axes are the same. Al-Mohy and Higham,
/// "Computing the action of the matrix exponential", SIAM J. Sci. Comput. 33 (2011). An infinite element or a NaN in `a` or
/// `b` gives NaN.
///
/// The derivative by `b` and forward mode do not form the exponential either; reverse mode by `a`, of which the cotangent is
/// no smaller, takes an [`expm_frechet`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let a = array![[0.0, 3.0], [0.0, 0.0]];
/// let y: Array1<f64> = jit(|a: Var, b: Var| linalg::expm_multiply(a, b)).call(&a, array![1.0, 2.0])?;
/// assert_eq!(y, array![7.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`expm`], leading axes or dtypes that differ, a number of rows of `b` that is not n.
#[track_caller]
pub fn expm_multiply(a: Var, b: Var) -> Var {
    let _method = enter("expm_multiply", &[a, b]);
    column(b, |b| trace::apply(ExpmMultiply { strong: false }, &[a, b]))
}
