//! Determinants.

use super::arguments::{each, enter, line, on_line, square};
use super::factors::{CholeskyFactor, LuFactor, cho_factor_of, lu_factor_of};
use crate::numpy as np;
use crate::op::trace::apply;
use crate::op::{Factors, Inverse, Strong, StrongMul, Var, transposed};
use crate::transform::{cond, custom_jvp, custom_vjp};
use crate::value::DType;

/// The determinants of square matrices.
///
/// Up to 3×3 they are the polynomial in the elements, with all its derivatives; of larger ones the product of the pivots of
/// [`lu`](super::lu), which may overflow or vanish where [`slogdet`] does not. That of a matrix of extent 0 is 1.
///
/// Derivative: `det(A) tr(A⁻¹ Ȧ)` (Jacobi's formula; Giles 2008), and by the cofactors, from singular values, where a matrix is
/// singular; there, further derivatives are NaN beyond 3×3.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, grad, jit, linalg};
///
/// let a = array![[1.0, 2.0], [2.0, 4.0]];
/// assert_eq!(jit(|a: Var| linalg::det(a)).call::<f64>(&a)?, 0.0);
/// let cofactors: Array2<f64> = jit(grad(|a: Var| linalg::det(a))).call(&a)?;
/// assert_eq!(cofactors, array![[4.0, -2.0], [-2.0, 1.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn det(a: Var) -> Var {
    let _function = enter("det", &[a]);
    let Some((a, n)) = square(a) else { return Var::poisoned() };
    if n <= 3 {
        return small_determinant(a, n);
    }
    match lu_factor_of(a) {
        Some(factor) => factor.determinant(),
        None => Var::poisoned(),
    }
}

/// The sign of the determinants of square matrices, and the logarithm of their magnitude: 0 and -inf of a singular one.
///
/// Derivative of the logarithm: `tr(A⁻¹ Ȧ)` (Giles 2008), infinite or NaN where the matrix is singular. The sign has none.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, linalg};
///
/// let (sign, log): (f64, f64) = jit(|a: Var| linalg::slogdet(a)).call(array![[0.0, 2.0], [3.0, 0.0]])?;
/// assert_eq!(sign, -1.0);
/// assert!((log - 6f64.ln()).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn slogdet(a: Var) -> (Var, Var) {
    let _function = enter("slogdet", &[a]);
    let Some((a, _)) = square(a) else { return (Var::poisoned(), Var::poisoned()) };
    let one = |[a]: [Var; 1]| lu_factor_of(a).map_or([a; 2], |factor| factor.sign_and_logarithm().into());
    each([a], one).unwrap_or_else(|| one([a])).into()
}

/// The logarithm of the determinant of symmetric positive definite matrices; NaN for others.
///
/// `A` counts as its symmetric part; see [`cholesky`](super::cholesky). Derivative: `tr(A⁻¹ Ȧ)` (Giles 2008); the inverse takes
/// the factor that the value has.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, linalg};
///
/// let y: f64 = jit(|a: Var| linalg::logdet(a)).call(array![[4.0, 2.0], [2.0, 10.0]])?;
/// assert!((y - 36f64.ln()).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn logdet(a: Var) -> Var {
    let _function = enter("logdet", &[a]);
    let Some((a, _)) = square(a) else { return Var::poisoned() };
    let one = |[a]: [Var; 1]| [cho_factor_of(a).map_or(a, CholeskyFactor::logarithm)];
    each([a], one).map_or_else(|| one([a])[0], |[x]| x)
}

impl CholeskyFactor {
    /// The logarithm of the determinant; see [`logdet`].
    #[track_caller]
    pub fn logdet(self) -> Var {
        let _function = enter("logdet", &[self.matrix()]);
        self.logarithm()
    }

    #[track_caller]
    fn logarithm(self) -> Var {
        let (line, again) = (line(), line());
        let value = move |_: Var, l: Var| on_line(&line, || sum_last(diagonal(l).ln()) * 2.0);
        let rule = move |(a, l): (Var, Var), _: Var, ct: Var| {
            on_line(&again, || {
                let inverse = apply(Inverse { factors: Factors::Cholesky }, &[a, l]);
                (scaled(ct, inverse), Var::zeros(l.ty()))
            })
        };
        custom_vjp(value, rule).call(self.matrix(), self.l().stop_gradient())
    }
}

impl LuFactor {
    /// The determinant, as the product of the pivots; see [`det`].
    #[track_caller]
    pub fn det(self) -> Var {
        let _function = enter("det", &[self.matrix()]);
        self.determinant()
    }

    /// The sign of the determinant, and the logarithm of its magnitude; see [`slogdet`].
    #[track_caller]
    pub fn slogdet(self) -> (Var, Var) {
        let _function = enter("slogdet", &[self.matrix()]);
        self.sign_and_logarithm()
    }

    #[track_caller]
    fn determinant(self) -> Var {
        let shape = self.matrix().shape();
        if let Some(&n) = shape.last().filter(|&&n| n <= 3) {
            return small_determinant(self.matrix(), n);
        }
        let (line, again) = (line(), line());
        let value = move |_: Var, f: Var| on_line(&line, || parity(f) * product_last(diagonal(f)));
        let rule = move |(a, f): (Var, Var), y: Var, ct: Var| {
            on_line(&again, || (scaled(ct, cofactors(a, f, y)), Var::zeros(f.ty())))
        };
        custom_vjp(value, rule).call(self.matrix(), self.factors().stop_gradient())
    }

    #[track_caller]
    fn sign_and_logarithm(self) -> (Var, Var) {
        let factors = self.factors();
        // Plus 0, so that the sign of a singular matrix is no -0.
        let sign = parity(factors) * product_last(diagonal(factors.stop_gradient()).sign()) + 0.0;
        let (line, again) = (line(), line());
        let value = move |_: Var, f: Var| on_line(&line, || sum_last(diagonal(f).abs().ln()));
        let rule = move |(a, f): (Var, Var), _: Var, ct: Var| {
            on_line(&again, || {
                let inverse = apply(Inverse { factors: Factors::Lu }, &[a, f]);
                (scaled(ct, transposed(inverse)), Var::zeros(f.ty()))
            })
        };
        (sign, custom_vjp(value, rule).call(self.matrix(), factors.stop_gradient()))
    }
}

/// The cofactors `det(A) A⁻ᵀ`, which singular matrices have, too.
#[track_caller]
fn cofactors(a: Var, factors: Var, determinant: Var) -> Var {
    let all: Vec<usize> = (0..determinant.rank()).collect();
    let is_regular = determinant.not_equal(0.0).all_axes(&all);
    let by_inverse = || scaled(determinant, transposed(apply(Inverse { factors: Factors::Lu }, &[a, factors])));
    // The derivative of what a singular matrix takes is not that of the formula.
    let unknown = |_: (Var,), _: Var, (t,): (Var,)| {
        let nan = Var::number(f64::NAN, t.dtype()).broadcast_to(&t.shape());
        apply(StrongMul { zeros: Strong::Lhs }, &[t, nan])
    };
    cond(is_regular, by_inverse, || custom_jvp(cofactors_by_values, unknown).call(a))
}

/// With `A = U diag(s) Vᵀ`: `det(U Vᵀ) U diag(Πⱼ sⱼ but sᵢ) Vᵀ`.
#[track_caller]
fn cofactors_by_values(a: Var) -> Var {
    let (u, s, vt) = super::svd(a);
    if u.is_poisoned() || s.is_poisoned() {
        return Var::poisoned();
    }
    let orthogonal = match lu_factor_of(u.matmul(vt)) {
        Some(factor) => parity(factor.factors()) * product_last(diagonal(factor.factors()).sign()),
        None => Var::poisoned(),
    };
    scaled(orthogonal, (u * products_of_others(s).insert_axis(s.rank() - 1)).matmul(vt))
}

/// For each of the numbers along the last axis, the product of the others.
#[track_caller]
pub(super) fn products_of_others(s: Var) -> Var {
    let last = s.rank() - 1;
    let n = s.shape()[last];
    let [row, column] = [0, 1].map(|axis| Var::iota(&[n, n], axis, DType::I64));
    row.equal(column).select(Var::number(1.0, s.dtype()), s.insert_axis(last)).prod_axes(&[last + 1])
}

/// Matrices, each times its number.
#[track_caller]
pub(super) fn scaled(numbers: Var, matrices: Var) -> Var {
    if numbers.is_poisoned() || matrices.is_poisoned() {
        return Var::poisoned();
    }
    let shape = numbers.shape();
    let numbers = numbers.reshape(&[&shape[..], &[1, 1]].concat()).broadcast_to(&matrices.shape());
    apply(StrongMul { zeros: Strong::Lhs }, &[numbers, matrices])
}

/// The diagonals of matrices, of which there may be more columns than rows, along a last axis.
#[track_caller]
pub(super) fn diagonal(x: Var) -> Var {
    np::diagonal(x, 0, -2, -1)
}

#[track_caller]
pub(super) fn sum_last(x: Var) -> Var {
    if x.is_poisoned() { x } else { x.sum_axes(&[x.rank() - 1]) }
}

#[track_caller]
fn product_last(x: Var) -> Var {
    if x.is_poisoned() { x } else { x.prod_axes(&[x.rank() - 1]) }
}

/// 1 or -1: whether the rows took an even number of exchanges. Each pair of rows in another order counts.
#[track_caller]
pub(super) fn parity(factors: Var) -> Var {
    if factors.is_poisoned() {
        return factors;
    }
    let (rank, shape) = (factors.rank(), factors.shape());
    let n = shape[rank - 2];
    let rows = factors.stop_gradient().slice_axis(rank - 1, n, n + 1, 1);
    let [from, to] = [0, 1].map(|axis| Var::iota(&[n, n], axis, DType::I64));
    let columns = crate::op::transposed(rows);
    let is_exchanged = rows.greater(columns) & from.less(to);
    let signs = is_exchanged.select(Var::number(-1.0, factors.dtype()), Var::number(1.0, factors.dtype()));
    signs.prod_axes(&[rank - 2, rank - 1])
}

/// The polynomial in the elements.
#[track_caller]
fn small_determinant(a: Var, n: usize) -> Var {
    let (rank, shape) = (a.rank(), a.shape());
    let leading = &shape[..rank - 2];
    let at =
        |i: usize, j: usize| a.slice_axis(rank - 2, i, i + 1, 1).slice_axis(rank - 1, j, j + 1, 1).reshape(leading);
    let minor = |i: [usize; 2], j: [usize; 2]| at(i[0], j[0]) * at(i[1], j[1]) - at(i[0], j[1]) * at(i[1], j[0]);
    match n {
        0 => Var::number(1.0, a.dtype()).broadcast_to(leading),
        1 => at(0, 0),
        2 => minor([0, 1], [0, 1]),
        _ => at(0, 0) * minor([1, 2], [1, 2]) - at(0, 1) * minor([1, 2], [0, 2]) + at(0, 2) * minor([1, 2], [0, 1]),
    }
}
