//! Functions of matrices.

use super::arguments::{Sides, enter, square, stacks};
use super::systems::inv;
use crate::numpy as np;
use crate::op::trace::{self, apply};
use crate::op::{Expm, ExpmFrechet, ExpmMultiply, Logm, Sqrtm, Var};

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
    function(a, Expm)
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
    match stacks([a, e]) {
        Some(both) => apply(ExpmFrechet, &both),
        None => Var::poisoned(),
    }
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
    let Some((a, sides)) = Sides::of(a, b) else { return Var::poisoned() };
    sides.restore(apply(ExpmMultiply { strong: false }, &[a, sides.columns]))
}

/// SciPy's `sqrtm`: the principal square root of square matrices, of which no eigenvalue has a negative real part.
///
/// Takes `[…, n, n]`. By real Schur forms: Higham, "Computing real square roots of a real matrix", Linear Algebra Appl. 88/89
/// (1987). SciPy answers with complex numbers where no real root exists; here all elements are NaN: for a matrix with a
/// negative eigenvalue, with a Jordan block of the eigenvalue 0, with an infinite element or a NaN. Of a singular matrix,
/// rounding decides whether an eigenvalue is negative: for symmetric ones without negative eigenvalues use the
/// eigenvalues.
///
/// The derivative Y' at Y solves `Y Y' + Y' Y = A'`, a Sylvester equation (Higham, "Functions of Matrices", 2008); it is
/// infinite or NaN where the root is singular.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let root: Array2<f64> = jit(|a: Var| linalg::sqrtm(a)).call(array![[4.0, 5.0], [0.0, 9.0]])?;
/// assert_eq!(root, array![[2.0, 1.0], [0.0, 3.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes, matrices that are not square.
#[track_caller]
pub fn sqrtm(a: Var) -> Var {
    let _method = enter("sqrtm", &[a]);
    function(a, Sqrtm)
}

/// SciPy's `logm`: the principal logarithm of square matrices, of which the eigenvalues have imaginary parts within (-π, π).
///
/// Takes `[…, n, n]`. By inverse scaling and squaring of real Schur forms: Al-Mohy, Higham and Relton, "Computing the Fréchet
/// derivative of the matrix logarithm and estimating the condition number", SIAM J. Sci. Comput. 35 (2013). SciPy answers
/// with complex numbers where no real logarithm exists; here all elements are NaN: for a matrix with an eigenvalue that is
/// negative or 0, with an infinite element or a NaN, and for one so far from normal that 100 square roots do not bring it near
/// the identity, which takes elements 10²⁸ times as large as the eigenvalues.
///
/// The derivative is the block above the diagonal of `log([[a, e], [0, a]])`, of any order.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let log: Array2<f64> = jit(|a: Var| linalg::logm(a)).call(array![[1.0, 3.0], [0.0, 1.0]])?;
/// assert_eq!(log, array![[0.0, 3.0], [0.0, 0.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes, matrices that are not square.
#[track_caller]
pub fn logm(a: Var) -> Var {
    let _method = enter("logm", &[a]);
    function(a, Logm)
}

/// A function of square matrices.
#[track_caller]
fn function(a: Var, op: impl Into<crate::op::Op>) -> Var {
    match square(a) {
        Some((a, _)) => apply(op, &[a]),
        None => Var::poisoned(),
    }
}

/// NumPy's `matrix_power`: square matrices multiplied with themselves; the power 0 is the identity, and those of negative
/// exponents are powers of the inverse.
///
/// By squarings, about `2 log₂ |exponent|` products, of which the derivative is that of products.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let fibonacci: Array2<f64> = jit(|a: Var| linalg::matrix_power(a, 10)).call(array![[1.0, 1.0], [1.0, 0.0]])?;
/// assert_eq!(fibonacci, array![[89.0, 55.0], [55.0, 34.0]]);
/// let back: Array2<f64> = jit(|a: Var| linalg::matrix_power(a, -2)).call(array![[2.0, 0.0], [0.0, 4.0]])?;
/// assert_eq!(back, array![[0.25, 0.0], [0.0, 0.0625]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes, matrices that are not square.
#[track_caller]
pub fn matrix_power(a: Var, exponent: i64) -> Var {
    let _method = enter("matrix_power", &[a]);
    let Some((a, n)) = square(a) else { return Var::poisoned() };
    let base = if exponent < 0 { inv(a) } else { a };
    match by_squaring(base, exponent.unsigned_abs(), Var::matmul) {
        Some(power) => power,
        None => np::eye(n, n, 0).convert(a.dtype()).broadcast_to(&a.shape()),
    }
}

/// A power by repeated squaring; `None` for the exponent 0.
#[track_caller]
pub(super) fn by_squaring<T: Copy>(base: T, exponent: u64, product: fn(T, T) -> T) -> Option<T> {
    let (mut power, mut rest, mut result) = (base, exponent, None);
    while rest > 0 && !trace::has_failed() {
        if rest & 1 == 1 {
            result = Some(match result {
                Some(result) => product(result, power),
                None => power,
            });
        }
        rest >>= 1;
        if rest > 0 {
            power = product(power, power);
        }
    }
    result
}
