//! Tridiagonal and banded systems.

use super::arguments::{Sides, enter, float, matrices, stacks};
use crate::op::trace::{self, apply};
use crate::op::{BandedSolve, TridiagonalSolve, Var};

/// The x of `A x = b` for tridiagonal matrices; JAX's `tridiagonal_solve`.
///
/// Takes the elements before the diagonal, `dl`, on it, `d`, and behind it, `du`, each `[…, n]` by rows: the first of `dl` and the
/// last of `du` count for nothing. Right-hand sides are `[…, n, k]`, or `[n]` where the diagonals are vectors. By factors with
/// partial pivoting, as LAPACK's `gtsv`, in time linear in n. A singular matrix gives NaN, and so does a number that is infinite
/// or NaN.
///
/// The derivative solves the system with the transpose, as fast.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let f = |l: Var, d: Var, u: Var, b: Var| linalg::tridiagonal_solve(l, d, u, b);
/// let x: Array1<f64> =
///     jit(f).call(array![0.0, 1.0, 1.0], array![2.0, 2.0, 2.0], array![1.0, 1.0, 0.0], array![3.0, 4.0, 3.0])?;
/// assert!((x - 1.0).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Diagonals of different shapes, right-hand sides of other extents, two dtypes.
#[track_caller]
pub fn tridiagonal_solve(dl: Var, d: Var, du: Var, b: Var) -> Var {
    let _method = enter("tridiagonal_solve", &[dl, d, du, b]);
    let [dl, d, du] = [dl, d, du].map(float);
    let Some(sides) = Sides::new(b) else { return Var::poisoned() };
    sides.restore(apply(TridiagonalSolve { strong: false }, &[dl, d, du, sides.columns]))
}

/// SciPy's `solve_banded`: the x of `A x = b` for matrices with `lower` diagonals below the main one and `upper` above it.
///
/// Takes the diagonals as `ab` of `[…, lower + upper + 1, n]`, with element `(i, k)` of the matrix at `ab[upper + i - k, k]`: what
/// belongs to no row counts for nothing. Right-hand sides are `[n]` or `[…, n, k]`, and leading axes broadcast. By factors with
/// partial pivoting, as LAPACK's `gbsv`. A singular matrix gives NaN, and so does a number that is infinite or NaN.
///
/// The derivative solves the system with the transpose; that by the diagonals is theirs, of the same shape.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// // [[2, 1, 0], [1, 2, 1], [0, 1, 2]]
/// let ab = array![[0.0, 1.0, 1.0], [2.0, 2.0, 2.0], [1.0, 1.0, 0.0]];
/// let x: Array1<f64> = jit(|ab: Var, b: Var| linalg::solve_banded((1, 1), ab, b)).call(&ab, array![3.0, 4.0, 3.0])?;
/// assert!((x - 1.0).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Another number of diagonals, another length, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn solve_banded((lower, upper): (usize, usize), ab: Var, b: Var) -> Var {
    let _method = enter("solve_banded", &[ab, b]);
    solve(lower, upper, ab, b)
}

#[track_caller]
fn solve(lower: usize, upper: usize, ab: Var, b: Var) -> Var {
    let Some(sides) = Sides::new(b) else { return Var::poisoned() };
    let Some(operands) = stacks([ab, sides.columns]) else { return Var::poisoned() };
    let op = BandedSolve { below: lower, above: upper, transposed: false, strong: false };
    sides.restore(apply(op, &operands))
}

/// SciPy's `solveh_banded`: [`solve_banded`] for symmetric matrices, of which the diagonals on one side are given.
///
/// With `lower`, element `(i, k)`, `i ≥ k`, stands at `ab[i - k, k]`; else, `i ≤ k`, at `ab[upper + i - k, k]`. The matrix may be
/// indefinite: it is factored as any other.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let ab = array![[2.0, 2.0, 2.0], [1.0, 1.0, 0.0]];
/// let x: Array1<f64> = jit(|ab: Var, b: Var| linalg::solveh_banded(ab, b, true)).call(&ab, array![3.0, 4.0, 3.0])?;
/// assert!((x - 1.0).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No diagonal, another length, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn solveh_banded(ab: Var, b: Var, lower: bool) -> Var {
    let _method = enter("solveh_banded", &[ab, b]);
    let Some((ab, [n_bands, _])) = matrices(ab) else { return Var::poisoned() };
    let Some(beside) = n_bands.checked_sub(1) else {
        trace::fail_at(format!("takes at least one diagonal, but got {}", ab.ty()));
        return Var::poisoned();
    };
    let rank = ab.rank();
    let band = |k: usize| ab.slice_axis(rank - 2, k, k + 1, 1);
    // The diagonal at a distance stands in the other half moved by that distance.
    let mirrored = |distance: usize| {
        let (own, by) = if lower { (distance, distance as i64) } else { (beside - distance, -(distance as i64)) };
        let (mut low, mut high) = (vec![0; rank], vec![0; rank]);
        (low[rank - 1], high[rank - 1]) = (by, -by);
        band(own).pad(0.0, &low, &high, &vec![0; rank])
    };
    let given = (0..n_bands).map(band);
    let all: Vec<Var> = if lower {
        (1..n_bands).rev().map(mirrored).chain(given).collect()
    } else {
        given.chain((1..n_bands).map(mirrored)).collect()
    };
    solve(beside, beside, Var::concatenate(&all, rank - 2), b)
}
