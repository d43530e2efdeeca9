//! Least squares, and systems that differ from a simple one by a matrix of low rank.

use super::arguments::{Sides, enter, float, matrices};
use super::spectra::fraction;
use super::systems::{Triangle, solve, triangular};
use crate::numpy as np;
use crate::op::{Var, pinv_of, qr_of, trace, transposed};

/// The least squares solution: `x` for which `‖A x - b‖` is least, and of those, if there are several since `A` has fewer rows
/// than columns, that of least norm.
///
/// `A` must have full rank, which is not checked: else the solution is infinite, NaN or large without meaning;
/// [`lstsq_by_values`] is for others. Right-hand sides are as in [`solve`]: a vector, or the columns of
/// matrices. By [`qr`](super::qr), whose error does not square the condition number as that of the normal equations does.
///
/// Derivative: that of the factors and the triangular solution.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// // A line through three points.
/// let a = array![[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]];
/// let x: Array1<f64> = jit(|a: Var, b: Var| linalg::lstsq(a, b)).call(&a, array![1.0, 2.0, 6.0])?;
/// assert!((x - array![0.5, 2.5]).iter().all(|error| error.abs() < 1e-14));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`solve`], but for matrices that are not square.
#[track_caller]
pub fn lstsq(a: Var, b: Var) -> Var {
    let _function = enter("lstsq", &[a, b]);
    let Some((a, [m, n])) = matrices(a) else { return Var::poisoned() };
    let Some((a, sides)) = Sides::of_rows(a, m, b) else { return Var::poisoned() };
    let x = if m >= n {
        let [q, r] = qr_of(a);
        triangular(r, transposed(q).matmul(sides.columns), Triangle::UPPER)
    } else {
        let [q, r] = qr_of(transposed(a));
        q.matmul(triangular(r, sides.columns, Triangle::UPPER.transposed()))
    };
    sides.restore(x)
}

/// The least squares solution of least norm, of matrices of any rank: singular values up to `rtol` times the largest one count
/// as 0, by default ε · max(m, n).
///
/// Otherwise as [`lstsq`], which takes a fraction of the time. Derivative: that of [`pinv`](super::pinv), by Golub and Pereyra
/// (1973); it holds while the rank does not change.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let a = array![[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]];
/// let x: Array1<f64> = jit(|a: Var, b: Var| linalg::lstsq_by_values(a, b, None)).call(&a, array![1.0, 2.0, 6.0])?;
/// assert!((x - array![1.5, 1.5]).iter().all(|error| error.abs() < 1e-14));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`lstsq`].
#[track_caller]
pub fn lstsq_by_values(a: Var, b: Var, rtol: impl Into<Option<f64>>) -> Var {
    let _function = enter("lstsq_by_values", &[a, b]);
    let Some((a, [m, _])) = matrices(a) else { return Var::poisoned() };
    let Some((a, sides)) = Sides::of_rows(a, m, b) else { return Var::poisoned() };
    sides.restore(pinv_of(a, fraction(a, rtol.into())).matmul(sides.columns))
}

/// The solution of `(diag(d) + U Vᵀ) x = b`, where `U` and `V` have few columns: at the price of a system of as many unknowns as
/// they have columns (Sherman, Morrison, Woodbury).
///
/// `d` is a vector, `[n]`, `u` and `v` are `[n, k]`, `b` is a vector or a matrix of columns. The error grows with the condition of
/// the small system and with `‖U Vᵀ‖ / min |d|`; where that is large, [`solve`] is more exact. Derivatives are those of what it is
/// made of.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let f = |d: Var, u: Var, b: Var| linalg::solve_low_rank(d, u, u, b);
/// let x: Array1<f64> = jit(f).call(array![1.0, 2.0, 4.0], array![[1.0], [2.0], [2.0]], array![8.0, 18.0, 18.0])?;
/// assert!((x - array![1.0, 2.0, 1.0]).iter().all(|error| error.abs() < 1e-14));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Other shapes, two dtypes.
#[track_caller]
pub fn solve_low_rank(d: Var, u: Var, v: Var, b: Var) -> Var {
    let _function = enter("solve_low_rank", &[d, u, v, b]);
    let [d, u, v, b] = [d, u, v, b].map(float);
    if [d, u, v, b].iter().any(|x| x.is_poisoned()) {
        return Var::poisoned();
    }
    let n = d.ty().size();
    let fits = d.rank() == 1 && u.rank() == 2 && u.shape() == v.shape() && u.shape()[0] == n;
    if !fits || b.rank() == 0 || b.rank() > 2 || b.shape()[0] != n {
        trace::fail_at(format!(
            "takes a diagonal [n], matrices [n, k], and a vector or a matrix of n rows, but got {}, {}, {} and {}",
            d.ty(),
            u.ty(),
            v.ty(),
            b.ty()
        ));
        return Var::poisoned();
    }
    let k = u.shape()[1];
    let column = d.reshape(&[n, 1]);
    let over = |x: Var| if x.rank() == 1 { x / d } else { x / column };
    let (x, of_u) = (over(b), over(u));
    let small = v.t().dot(of_u) + np::eye(k, k, 0).convert(d.dtype());
    x - of_u.dot(solve(small, v.t().dot(x)))
}
