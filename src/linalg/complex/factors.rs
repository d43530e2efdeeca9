//! Factors of complex matrices, and what those of Hermitian positive definite ones are for.

use super::super::arguments::enter;
use super::super::{self as linalg};
use super::arguments::{Sides, matrices, shown, square};
use crate::numpy as np;
use crate::op::{
    Complex, ComplexOperand, Var, complex_lu_of, complex_qr_of, interleaved as real, lower_part, permutation,
    transposed, upper_part,
};

/// The lower triangular `L` with `A = L·Lᴴ`, for Hermitian positive definite matrices; its diagonal is real and positive.
///
/// `A` counts as its Hermitian part `(A + Aᴴ) / 2`. All elements of the triangle are NaN where that is not positive definite.
/// Derivative: that of [`linalg::cholesky`](super::super::cholesky) of the real matrix of twice the extent.
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let a = array![[c64(4.0, 0.0), c64(0.0, -2.0)], [c64(0.0, 2.0), c64(2.0, 0.0)]];
/// let f = move |x: Var| complex::cholesky(Complex::constant(&a) * x).at(1).at(0);
/// let l: Complex<f64> = jit(f).call(1.0)?;
/// assert_eq!((l.re, l.im), (0.0, 1.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn cholesky(a: Complex) -> Complex {
    let _function = enter("cholesky", &shown([a]));
    match square(a) {
        Some((a, _)) => triangle(linalg::cholesky(real::matrices(a))),
        None => Complex::poisoned(),
    }
}

/// The complex triangle of the real factor.
#[track_caller]
fn triangle(l: Var) -> Complex {
    let Complex { re, im } = real::complex(l);
    // On the diagonal of the imaginary part, what rounding leaves.
    Complex { re, im: lower_part(im, -1) }
}

/// Hermitian positive definite matrices and their factors of Cholesky, for several solutions, or a solution and a determinant.
#[derive(Clone, Copy, Debug)]
pub struct CholeskyFactor {
    a: Complex,
    real: linalg::CholeskyFactor,
}

/// Factors Hermitian positive definite matrices, for several uses; see [`cholesky`].
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let a = array![[c64(4.0, 0.0), c64(0.0, -2.0)], [c64(0.0, 2.0), c64(2.0, 0.0)]];
/// // -ln p of a complex normal vector, up to a constant.
/// let f = move |b: Var| {
///     let factor = complex::cho_factor(Complex::constant(&a));
///     factor.solve(b).vdot(b).re + factor.logdet()
/// };
/// let y: f64 = jit(f).call(array![4.0, 0.0])?;
/// assert!((y - (8.0 + 4f64.ln())).abs() < 1e-14);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn cho_factor(a: Complex) -> CholeskyFactor {
    let _function = enter("cho_factor", &shown([a]));
    match square(a) {
        Some((a, _)) => CholeskyFactor { a, real: linalg::cho_factor(real::matrices(a)) },
        None => CholeskyFactor { a: Complex::poisoned(), real: linalg::cho_factor(Var::poisoned()) },
    }
}

/// The solution of `A x = b`, given [`cho_factor`] of the matrices: [`CholeskyFactor::solve`].
#[track_caller]
pub fn cho_solve(factor: CholeskyFactor, b: impl ComplexOperand) -> Complex {
    factor.solve(b)
}

impl CholeskyFactor {
    /// The lower triangular factor; see [`cholesky`].
    #[track_caller]
    pub fn l(self) -> Complex {
        triangle(self.real.l())
    }

    /// The matrices as they were given.
    pub fn matrix(self) -> Complex {
        self.a
    }

    /// The solution of `A x = b`, as [`solve`](super::solve); NaN where `A` is not positive definite.
    #[track_caller]
    pub fn solve(self, b: impl ComplexOperand) -> Complex {
        let _function = enter("cho_solve", &shown([self.a]));
        let Some((a, n)) = square(self.a) else { return Complex::poisoned() };
        let Some(sides) = Sides::of_rows(a, n, b) else { return Complex::poisoned() };
        sides.restore(real::of_columns(self.real.solve(real::columns(sides.columns))))
    }

    /// The inverse, which is Hermitian.
    #[track_caller]
    pub fn inv(self) -> Complex {
        let _function = enter("inv", &shown([self.a]));
        real::complex(self.real.inv())
    }

    /// The logarithm of the determinant, which is real; see [`logdet`].
    #[track_caller]
    pub fn logdet(self) -> Var {
        let _function = enter("logdet", &shown([self.a]));
        // The real matrix has the square of the determinant.
        self.real.logdet() * 0.5
    }
}

/// The solution of `A x = b` with Hermitian positive definite matrices, at half of the arithmetic of
/// [`solve`](super::solve); NaN for others.
///
/// # Errors
/// Those of [`solve`](super::solve).
#[track_caller]
pub fn solve_positive(a: Complex, b: impl ComplexOperand) -> Complex {
    let _function = enter("solve_positive", &shown([a]));
    let Some((a, n)) = square(a) else { return Complex::poisoned() };
    let Some(sides) = Sides::of_rows(a, n, b) else { return Complex::poisoned() };
    sides.restore(real::of_columns(linalg::solve_positive(real::matrices(a), real::columns(sides.columns))))
}

/// The logarithm of the determinant of Hermitian positive definite matrices, which is real; NaN for others. See
/// [`linalg::logdet`](super::super::logdet).
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn logdet(a: Complex) -> Var {
    let _function = enter("logdet", &shown([a]));
    match square(a) {
        Some((a, _)) => linalg::logdet(real::matrices(a)) * 0.5,
        None => Var::poisoned(),
    }
}

/// SciPy's `lu` of complex matrices: `P`, which is real, `L` and `U` with `A = P L U`, by elimination with row exchanges; the
/// diagonal of `L` is 1. See [`linalg::lu`](super::super::lu).
///
/// The pivot of a column is the first with the largest sum of the magnitudes of its parts, as in LAPACK.
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn lu(a: Complex) -> (Var, Complex, Complex) {
    let _function = enter("lu", &shown([a]));
    let Some((a, n)) = square(a) else { return (Var::poisoned(), Complex::poisoned(), Complex::poisoned()) };
    let [re, im] = complex_lu_of([a.re, a.im]);
    if re.is_poisoned() || im.is_poisoned() {
        return (re, Complex::poisoned(), Complex::poisoned());
    }
    let both = Complex { re: re.slice_axis(re.rank() - 1, 0, n, 1), im };
    let l = both.each(|part| lower_part(part, -1)) + np::eye(n, n, 0).convert(a.dtype());
    (transposed(permutation(re)), l, both.each(|part| upper_part(part, 0)))
}

/// NumPy's `qr` of complex matrices with `mode="reduced"`: matrices `Q` with orthonormal columns and upper triangular `R`,
/// `A = Q · R`.
///
/// Takes a stack of m×n matrices and gives, with k = min(m, n), `[…, m, k]` and `[…, k, n]`. The diagonal of `R` is real and
/// not negative (in NumPy some of it is), which makes the factors unique.
///
/// Derivatives: those of [`linalg::qr`](super::super::qr), with the phases that keep the diagonal real. Where the first k
/// columns are linearly dependent there is no derivative, and it is infinite or NaN.
///
/// ```
/// use ndarray::{Array1, array};
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let a = array![[c64(0.0, 3.0)], [c64(4.0, 0.0)]];
/// let r: Complex<Array1<f64>> = jit(move |x: Var| complex::qr(Complex::constant(&a) * x).1.at(0)).call(1.0)?;
/// assert!((r.re - array![5.0]).iter().all(|error| error.abs() < 1e-15) && r.im == array![0.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn qr(a: Complex) -> (Complex, Complex) {
    let _function = enter("qr", &shown([a]));
    let [q_re, q_im, r_re, r_im] = match matrices(a) {
        Some((a, _)) => complex_qr_of([a.re, a.im]),
        None => [Var::poisoned(); 4],
    };
    (Complex { re: q_re, im: q_im }, Complex { re: r_re, im: r_im })
}
