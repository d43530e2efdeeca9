//! Factors of square matrices.

use super::arguments::{each, enter, square};
use crate::numpy as np;
use crate::op::trace::apply;
use crate::op::{Cholesky, Factors, Inverse, Lu, Solve, Var, lower_part, permutation, transposed, upper_part};

/// The lower triangular `L` with `A = L Lᵀ` and a positive diagonal, for symmetric positive definite matrices.
///
/// `A` counts as its symmetric part `(A + Aᵀ)/2`, so that derivatives by it are symmetric. Where that is not positive
/// definite to working precision, the lower triangle is NaN, and so are derivatives.
///
/// Derivative: `L̇ = L Φ(L⁻¹ Ȧ L⁻ᵀ)`, where `Φ` takes the lower triangle with half of the diagonal; backward by blocks, with
/// twice the arithmetic of the factorization (Murray, "Differentiation of the Cholesky decomposition", 2016). The upper factor
/// is the transpose.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let l: Array2<f64> = jit(|a: Var| linalg::cholesky(a)).call(array![[4.0, 2.0], [2.0, 10.0]])?;
/// assert_eq!(l, array![[2.0, 0.0], [1.0, 3.0]]);
/// let none: Array2<f64> = jit(|a: Var| linalg::cholesky(a)).call(array![[1.0, 2.0], [2.0, 1.0]])?;
/// assert!(none[[0, 0]].is_nan());
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn cholesky(a: Var) -> Var {
    let _function = enter("cholesky", &[a]);
    let Some((a, _)) = square(a) else { return Var::poisoned() };
    each([a], |[a]| [apply(Cholesky, &[a])]).map_or_else(|| apply(Cholesky, &[a]), |[l]| l)
}

/// Symmetric positive definite matrices with their factors, by which systems are solved and determinants computed: each at the
/// price of a product, and none with a further factorization, its derivatives included.
#[derive(Clone, Copy, Debug)]
pub struct CholeskyFactor {
    a: Var,
    l: Var,
}

/// The factors by which [`cho_solve`](super::cho_solve), [`CholeskyFactor::logdet`] and [`CholeskyFactor::inv`] compute; see [`cholesky`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// // The logarithm of a normal density, but for a constant.
/// let f = |a: Var, x: Var| {
///     let factor = linalg::cho_factor(a);
///     -0.5 * (x.dot(factor.solve(x)) + factor.logdet())
/// };
/// let y: f64 = jit(f).call(array![[4.0, 0.0], [0.0, 1.0]], array![2.0, 3.0])?;
/// assert!((y - -0.5 * (10.0 + 4f64.ln())).abs() < 1e-14);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn cho_factor(a: Var) -> CholeskyFactor {
    let _function = enter("cho_factor", &[a]);
    cho_factor_of(a).unwrap_or(CholeskyFactor { a: Var::poisoned(), l: Var::poisoned() })
}

#[track_caller]
pub(super) fn cho_factor_of(a: Var) -> Option<CholeskyFactor> {
    let (a, _) = square(a)?;
    Some(CholeskyFactor { a, l: apply(Cholesky, &[a]) })
}

impl CholeskyFactor {
    /// The lower triangular factor.
    pub fn l(self) -> Var {
        self.l
    }

    /// The matrices as they were given.
    pub fn matrix(self) -> Var {
        self.a
    }

    #[track_caller]
    pub(super) fn solve_columns(self, a: Var, columns: Var) -> Var {
        let l = if a.shape() == self.a.shape() { self.l } else { self.l.broadcast_to(&a.shape()) };
        apply(Solve { factors: Factors::Cholesky, transposed: false, strong: false }, &[a, l, columns])
    }

    #[track_caller]
    pub(super) fn inverse(self) -> Var {
        apply(Inverse { factors: Factors::Cholesky }, &[self.a, self.l])
    }
}

/// The factors of `A = P L U`: a permutation matrix, a lower triangular matrix with ones on its diagonal, and an upper
/// triangular one, by elimination with the largest element of each column as its pivot, of equal ones the first.
///
/// Of a singular matrix, `U` has a zero on its diagonal; derivatives are infinite or NaN then.
///
/// Derivative, where the pivots do not change: with `F = L⁻¹ Pᵀ Ȧ U⁻¹`, `L̇ = L tril(F, -1)`, `U̇ = triu(F) U` (de Hoog, Anderssen,
/// Lukas, "Differentiation of matrix functionals using triangular factorization", 2011). That of `P` is 0.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let a = array![[1.0, 2.0], [4.0, 4.0]];
/// let (p, l, u): (Array2<f64>, Array2<f64>, Array2<f64>) = jit(|a: Var| linalg::lu(a)).call(&a)?;
/// assert_eq!((&l, &u), (&array![[1.0, 0.0], [0.25, 1.0]], &array![[4.0, 4.0], [0.0, 1.0]]));
/// assert_eq!(p.dot(&l).dot(&u), a);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn lu(a: Var) -> (Var, Var, Var) {
    let _function = enter("lu", &[a]);
    let Some((a, n)) = square(a) else { return (Var::poisoned(), Var::poisoned(), Var::poisoned()) };
    let factors = apply(Lu, &[a]);
    if factors.is_poisoned() {
        return (factors, factors, factors);
    }
    let both = factors.slice_axis(factors.rank() - 1, 0, n, 1);
    let l = lower_part(both, -1) + np::eye(n, n, 0).convert(a.dtype());
    (transposed(permutation(factors)), l, upper_part(both, 0))
}

/// Square matrices with their factors, by which systems are solved and determinants computed: each at the price of a product,
/// and none with a further factorization, its derivatives included.
#[derive(Clone, Copy, Debug)]
pub struct LuFactor {
    a: Var,
    factors: Var,
}

/// The factors by which [`lu_solve`](super::lu_solve), [`LuFactor::det`] and [`LuFactor::inv`] compute; see [`lu`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let f = |a: Var, b: Var| {
///     let factor = linalg::lu_factor(a);
///     (factor.solve(b), factor.solve_transposed(b), factor.det())
/// };
/// let (x, y, det): (Array1<f64>, Array1<f64>, f64) = jit(f).call(array![[0.0, 2.0], [1.0, 0.0]], array![4.0, 3.0])?;
/// assert_eq!((x, y, det), (array![3.0, 2.0], array![1.5, 4.0], -2.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn lu_factor(a: Var) -> LuFactor {
    let _function = enter("lu_factor", &[a]);
    lu_factor_of(a).unwrap_or(LuFactor { a: Var::poisoned(), factors: Var::poisoned() })
}

#[track_caller]
pub(super) fn lu_factor_of(a: Var) -> Option<LuFactor> {
    let (a, _) = square(a)?;
    Some(LuFactor { a, factors: apply(Lu, &[a]) })
}

impl LuFactor {
    /// The matrices as they were given.
    pub fn matrix(self) -> Var {
        self.a
    }

    /// The factors as the operation [`Lu`](crate::op::Lu) gives them.
    pub fn factors(self) -> Var {
        self.factors
    }

    #[track_caller]
    pub(super) fn solve_columns(self, a: Var, columns: Var, transposed: bool) -> Var {
        let factors = if a.shape() == self.a.shape() {
            self.factors
        } else {
            let (shape, own) = (a.shape(), self.factors.shape());
            self.factors.broadcast_to(&[&shape[..shape.rank() - 2], &own[own.rank() - 2..]].concat())
        };
        apply(Solve { factors: Factors::Lu, transposed, strong: false }, &[a, factors, columns])
    }

    #[track_caller]
    pub(super) fn inverse(self) -> Var {
        apply(Inverse { factors: Factors::Lu }, &[self.a, self.factors])
    }
}
