//! Linear systems.

use super::arguments::{Sides, each, enter, square};
use super::factors::{CholeskyFactor, LuFactor, cho_factor_of, lu_factor_of};
use super::structure::{Structure, structure};
use crate::numpy as np;
use crate::op::trace::{self, apply};
use crate::op::{TriangularSolve, Var, transposed};

/// The solution of `A x = b` with square matrices, by elimination with row exchanges.
///
/// A vector `b` is one right-hand side for all matrices; of matrices the columns are. Leading axes broadcast. The error is that
/// of the solution of a system whose matrix differs from `A` by a few units in the last place times the extent. A singular
/// matrix gives infinities and NaN.
///
/// What the graph shows of the matrices is used: those of a transpose are solved with the factors of what is transposed, which
/// both share; triangles ([`cholesky`](super::cholesky), `numpy::tril`, `triu`) by substitution, diagonals by a division.
///
/// Derivative: `ẋ = A⁻¹ (ḃ - Ȧ x)`; backward `b̄ = A⁻ᵀ x̄`, `Ā = -b̄ xᵀ`, with the same factors (Giles, "Collected matrix derivative
/// results for forward and reverse mode algorithmic differentiation", 2008).
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let x: Array1<f64> = jit(|a: Var, b: Var| linalg::solve(a, b)).call(array![[0.0, 2.0], [1.0, 1.0]], array![2.0, 4.0])?;
/// assert_eq!(x, array![3.0, 1.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Matrices that are not square, other rows of `b`, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn solve(a: Var, b: Var) -> Var {
    let _function = enter("solve", &[a, b]);
    let Some((a, _)) = square(a) else { return Var::poisoned() };
    match structure(a) {
        Structure::Lower => triangular(a, b, Triangle::LOWER),
        Structure::Upper => triangular(a, b, Triangle::UPPER),
        Structure::Diagonal => {
            let Some((a, sides)) = Sides::of(a, b) else { return Var::poisoned() };
            sides.restore(sides.columns / np::diagonal(a, 0, -2, -1).insert_axis(a.rank() - 1))
        }
        Structure::TransposeOf(matrix) => match lu_factor_of(trace::variable(matrix)) {
            Some(factor) => factor.solve_sides(b, true),
            None => Var::poisoned(),
        },
        Structure::General => {
            let Some((a, sides)) = Sides::of(a, b) else { return Var::poisoned() };
            let one = |[a, b]: [Var; 2]| [lu_factor_of(a).map_or(b, |factor| factor.solve_columns(a, b, false))];
            sides.restore(each([a, sides.columns], one).map_or_else(|| one([a, sides.columns])[0], |[x]| x))
        }
    }
}

/// The solution of `A x = b`, given [`lu_factor`](super::lu_factor) of the matrices: [`LuFactor::solve`].
#[track_caller]
pub fn lu_solve(factor: LuFactor, b: Var) -> Var {
    factor.solve(b)
}

/// The solution of `A x = b`, given [`cho_factor`](super::cho_factor) of the matrices: [`CholeskyFactor::solve`].
#[track_caller]
pub fn cho_solve(factor: CholeskyFactor, b: Var) -> Var {
    factor.solve(b)
}

impl LuFactor {
    /// The solution of `A x = b`; see [`solve`].
    #[track_caller]
    pub fn solve(self, b: Var) -> Var {
        let _function = enter("lu_solve", &[self.matrix(), b]);
        self.solve_sides(b, false)
    }

    /// The solution of `Aᵀ x = b`; see [`solve`].
    #[track_caller]
    pub fn solve_transposed(self, b: Var) -> Var {
        let _function = enter("lu_solve", &[self.matrix(), b]);
        self.solve_sides(b, true)
    }

    /// The inverse; see [`inv`].
    #[track_caller]
    pub fn inv(self) -> Var {
        let _function = enter("inv", &[self.matrix()]);
        self.inverse()
    }

    #[track_caller]
    fn solve_sides(self, b: Var, transposed: bool) -> Var {
        let Some((a, sides)) = Sides::of(self.matrix(), b) else { return Var::poisoned() };
        sides.restore(self.solve_columns(a, sides.columns, transposed))
    }
}

impl CholeskyFactor {
    /// The solution of `A x = b` with a positive definite `A`, as [`solve`]; NaN for others.
    #[track_caller]
    pub fn solve(self, b: Var) -> Var {
        let _function = enter("cho_solve", &[self.matrix(), b]);
        let Some((a, sides)) = Sides::of(self.matrix(), b) else { return Var::poisoned() };
        sides.restore(self.solve_columns(a, sides.columns))
    }

    /// The inverse, which is symmetric; half of the arithmetic of [`inv`].
    #[track_caller]
    pub fn inv(self) -> Var {
        let _function = enter("inv", &[self.matrix()]);
        self.inverse()
    }
}

/// The solution of `A x = b` with a symmetric positive definite `A`: half of the arithmetic of [`solve`].
///
/// `A` counts as its symmetric part; one that is not positive definite gives NaN. Otherwise as [`solve`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let x: Array1<f64> = jit(|a: Var, b: Var| linalg::solve_positive(a, b)).call(array![[4.0, 2.0], [2.0, 10.0]], array![8.0, 22.0])?;
/// assert_eq!(x, array![1.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`solve`].
#[track_caller]
pub fn solve_positive(a: Var, b: Var) -> Var {
    let _function = enter("solve_positive", &[a, b]);
    let Some((a, sides)) = Sides::of(a, b) else { return Var::poisoned() };
    let one = |[a, b]: [Var; 2]| [cho_factor_of(a).map_or(b, |factor| factor.solve_columns(a, b))];
    sides.restore(each([a, sides.columns], one).map_or_else(|| one([a, sides.columns])[0], |[x]| x))
}

/// The inverse of square matrices. To multiply with it, [`solve`] is more exact, and faster.
///
/// A singular matrix gives infinities and NaN. Derivative: `-A⁻¹ Ȧ A⁻¹` (Giles 2008).
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let x: Array2<f64> = jit(|a: Var| linalg::inv(a)).call(array![[1.0, 2.0], [4.0, 4.0]])?;
/// assert_eq!(x, array![[-1.0, 0.5], [1.0, -0.25]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn inv(a: Var) -> Var {
    let _function = enter("inv", &[a]);
    let Some((a, _)) = square(a) else { return Var::poisoned() };
    let one = |[a]: [Var; 1]| [lu_factor_of(a).map_or(a, LuFactor::inverse)];
    each([a], one).map_or_else(|| one([a])[0], |[x]| x)
}

/// Which triangle of a matrix is meant, and which system; see [`solve_triangular`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triangle {
    pub(super) lower: bool,
    pub(super) transposed: bool,
    pub(super) unit: bool,
    pub(super) right: bool,
}

impl Triangle {
    /// The lower triangle.
    pub const LOWER: Triangle = Triangle { lower: true, transposed: false, unit: false, right: false };
    /// The upper triangle.
    pub const UPPER: Triangle = Triangle { lower: false, ..Triangle::LOWER };

    /// The transpose of that triangle: `Tᵀ x = b`.
    pub const fn transposed(self) -> Triangle {
        Triangle { transposed: !self.transposed, ..self }
    }

    /// That triangle with ones on its diagonal, whatever is there.
    pub const fn unit_diagonal(self) -> Triangle {
        Triangle { unit: true, ..self }
    }

    /// The unknowns stand to the left: `X T = B`.
    pub const fn from_right(self) -> Triangle {
        Triangle { right: true, ..self }
    }
}

/// The solution of a triangular system; only that triangle of the matrices is read.
///
/// Right-hand sides are as in [`solve`]; those of [`Triangle::from_right`] are the rows of matrices. A zero on the diagonal
/// gives infinities and NaN.
///
/// Derivative: `ẋ = T⁻¹ (ḃ - Ṫ x)`; backward `b̄ = T⁻ᵀ x̄`, and `T̄` the triangle of `-b̄ xᵀ` (Giles 2008).
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg, linalg::Triangle};
///
/// let t = array![[2.0, 7.0], [1.0, 4.0]];
/// let x: Array1<f64> = jit(|t: Var, b: Var| linalg::solve_triangular(t, b, Triangle::LOWER)).call(&t, array![4.0, 6.0])?;
/// assert_eq!(x, array![2.0, 1.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`solve`]; right-hand sides from the right that are a vector.
#[track_caller]
pub fn solve_triangular(t: Var, b: Var, triangle: Triangle) -> Var {
    let _function = enter("solve_triangular", &[t, b]);
    triangular(t, b, triangle)
}

#[track_caller]
pub(super) fn triangular(t: Var, b: Var, triangle: Triangle) -> Var {
    let Triangle { lower, transposed: is_transposed, unit, right } = triangle;
    let op = TriangularSolve { lower, transposed: is_transposed != right, unit, strong: false };
    if right && !b.is_poisoned() && b.rank() < 2 {
        trace::fail_at(format!("takes matrices of rows from the right, but got {}", b.ty()));
        return Var::poisoned();
    }
    let Some((t, sides)) = Sides::of(t, if right { transposed(b) } else { b }) else { return Var::poisoned() };
    let x = sides.restore(apply(op, &[t, sides.columns]));
    if right { transposed(x) } else { x }
}
