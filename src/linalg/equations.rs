//! Equations in which the unknown is a matrix.

use super::arguments::{enter, stacks};
use crate::op::trace::apply;
use crate::op::{SolveContinuousAre, SolveDiscreteAre, SolveStein, SolveSylvester, Var, transposed};

/// SciPy's `solve_sylvester`: the X of `a X + X b = q`.
///
/// Takes `a` of `[…, m, m]`, `b` of `[…, n, n]` and `q` of `[…, m, n]`, of which the leading axes broadcast. By real Schur
/// forms: Bartels and Stewart, "Solution of the matrix equation AX + XB = C", Commun. ACM 15 (1972). Where an eigenvalue of
/// `a` is the negative of one of `b`, there is no solution or more than one: NaN or large numbers, as rounding decides. A
/// number that is infinite or NaN gives NaN.
///
/// The derivative solves the same equation, in reverse mode with transposes: `aᵀ S + S bᵀ = ct` gives the cotangents `-S Xᵀ`,
/// `-Xᵀ S` and S of `a`, `b` and `q`.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let (a, b, q) = (array![[1.0, 0.0], [0.0, 3.0]], array![[1.0, 0.0], [0.0, 2.0]], array![[2.0, 6.0], [8.0, 10.0]]);
/// let x: Array2<f64> = jit(|a: Var, b: Var, q: Var| linalg::solve_sylvester(a, b, q)).call(&a, &b, &q)?;
/// assert_eq!(x, array![[1.0, 2.0], [2.0, 2.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// `a` or `b` that are not square, a `q` of other extents, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn solve_sylvester(a: Var, b: Var, q: Var) -> Var {
    let _method = enter("solve_sylvester", &[a, b, q]);
    match stacks([a, b, q]) {
        Some(operands) => apply(SolveSylvester { strong: false }, &operands),
        None => Var::poisoned(),
    }
}

/// SciPy's `solve_continuous_lyapunov`: the X of `a X + X aᵀ = q`.
///
/// As [`solve_sylvester`], with one Schur form; of a symmetric `q` it is symmetric up to rounding.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// // The covariance of a stable linear system driven by noise.
/// let (a, noise) = (array![[-1.0, 0.0], [0.0, -2.0]], array![[2.0, 0.0], [0.0, 2.0]]);
/// let x: Array2<f64> = jit(|a: Var, q: Var| linalg::solve_continuous_lyapunov(a, -q)).call(&a, &noise)?;
/// assert_eq!(x, array![[1.0, 0.0], [0.0, 0.5]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`solve_sylvester`].
#[track_caller]
pub fn solve_continuous_lyapunov(a: Var, q: Var) -> Var {
    let _method = enter("solve_continuous_lyapunov", &[a, q]);
    let solve = |[a, q]: [Var; 2]| apply(SolveSylvester { strong: false }, &[a, transposed(a), q]);
    stacks([a, q]).map_or(Var::poisoned(), solve)
}

/// SciPy's other name of [`solve_continuous_lyapunov`].
#[track_caller]
pub fn solve_lyapunov(a: Var, q: Var) -> Var {
    solve_continuous_lyapunov(a, q)
}

/// SciPy's `solve_discrete_lyapunov`: the X of `a X aᵀ - X + q = 0`.
///
/// By a real Schur form, without forming an inverse or a Kronecker product. Where a product of two eigenvalues of `a` is 1,
/// there is no solution or more than one: NaN or large numbers, as rounding decides. The derivative solves the same equation,
/// in reverse mode `aᵀ S a - S + ct = 0`.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let (a, q) = (array![[0.5, 0.0], [0.0, 0.0]], array![[3.0, 1.0], [1.0, 2.0]]);
/// let x: Array2<f64> = jit(|a: Var, q: Var| linalg::solve_discrete_lyapunov(a, q)).call(&a, &q)?;
/// assert_eq!(x, array![[4.0, 1.0], [1.0, 2.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An `a` that is not square, a `q` of other extents, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn solve_discrete_lyapunov(a: Var, q: Var) -> Var {
    let _method = enter("solve_discrete_lyapunov", &[a, q]);
    let solve = |[a, q]: [Var; 2]| apply(SolveStein { strong: false }, &[a, transposed(a), q]);
    stacks([a, q]).map_or(Var::poisoned(), solve)
}

/// SciPy's `solve_continuous_are`: the stabilizing X of the algebraic Riccati equation `aᵀ X + X a - X b r⁻¹ bᵀ X + q = 0`.
///
/// Takes `a` of `[…, n, n]`, `b` of `[…, n, m]`, `q` of `[…, n, n]` and `r` of `[…, m, m]`; of `q` and `r` the symmetric parts
/// count. X is symmetric, and the eigenvalues of `a - b k` with `k = r⁻¹ bᵀ X`, the gain of the optimal control, have negative
/// real parts. By the matrix sign function (Roberts 1980) and Newton's method (Kleinman 1968). NaN where no such X exists, as
/// for an unstable state that no input moves, and for numbers that are infinite or NaN.
///
/// The derivative is that of the implicit function: a Lyapunov equation of the closed loop `a - b k`, in both modes.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, linalg, value_and_grad};
///
/// // 2ax - x² + 3 = 0 at a = 1: x = 3, and x' = x / (x - a).
/// let of = |a: Var| linalg::solve_continuous_are(a.reshape(&[1, 1]), Var::from(1.0).reshape(&[1, 1]),
///     Var::from(3.0).reshape(&[1, 1]), Var::from(1.0).reshape(&[1, 1])).reshape(&[]);
/// let (x, slope): (f64, f64) = jit(value_and_grad(of)).call(1.0)?;
/// assert!((x - 3.0).abs() < 1e-14 && (slope - 1.5).abs() < 1e-14);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Other extents, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn solve_continuous_are(a: Var, b: Var, q: Var, r: Var) -> Var {
    let _method = enter("solve_continuous_are", &[a, b, q, r]);
    match stacks([a, b, q, r]) {
        Some(operands) => apply(SolveContinuousAre, &operands),
        None => Var::poisoned(),
    }
}

/// SciPy's `solve_discrete_are`: the stabilizing X of the algebraic Riccati equation
/// `aᵀ X a - X - aᵀ X b (r + bᵀ X b)⁻¹ bᵀ X a + q = 0`.
///
/// As [`solve_continuous_are`]; the eigenvalues of `a - b k` with `k = (r + bᵀ X b)⁻¹ bᵀ X a` lie within the unit circle. `r` may
/// be singular if `r + bᵀ X b` is not. By the sign function of a Cayley transform of the extended pencil, and Newton's
/// method (Hewer 1971).
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// // x = x / (1 + x) + 1/2
/// let one = array![[1.0]];
/// let f = |a: Var, b: Var, q: Var, r: Var| linalg::solve_discrete_are(a, b, q, r);
/// let x: Array2<f64> = jit(f).call(&one, &one, array![[0.5]], &one)?;
/// assert!((x[[0, 0]] - 1.0).abs() < 1e-14);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`solve_continuous_are`].
#[track_caller]
pub fn solve_discrete_are(a: Var, b: Var, q: Var, r: Var) -> Var {
    let _method = enter("solve_discrete_are", &[a, b, q, r]);
    match stacks([a, b, q, r]) {
        Some(operands) => apply(SolveDiscreteAre, &operands),
        None => Var::poisoned(),
    }
}
