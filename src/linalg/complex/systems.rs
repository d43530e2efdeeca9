//! Linear systems of complex matrices.

use super::super::arguments::{enter, stacks};
use super::super::{self as linalg, Triangle};
use super::arguments::{Sides, matrices, shown, square};
use crate::numpy as np;
use crate::op::{
    Complex, ComplexOperand, ComplexSolve, Var, complex_lu_of, interleaved as real, small_matrices, trace, transposed,
};
use crate::value::DType;

/// The solution of `A x = b` with complex square matrices; see [`linalg::solve`](super::super::solve).
///
/// A vector `b` is one right-hand side for all matrices; of matrices the columns are. It may be real. Leading axes broadcast.
/// A singular matrix gives infinities and NaN.
///
/// Matrices are eliminated with row exchanges, up to 3×3 as real ones of twice the extent in straight-line code, larger ones
/// by the factors that [`lu`](super::lu) gives, which several solutions share. The solution is that of a system whose matrix
/// differs from `A` by a few units in the last place times the extent.
///
/// Derivative: `ẋ = A⁻¹ (ḃ - Ȧ x)` (Giles 2008).
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let a = array![[c64(0.0, 2.0), c64(0.0, 0.0)], [c64(1.0, 0.0), c64(1.0, 1.0)]];
/// let f = move |b: Var| complex::solve(Complex::constant(&a), b).at(0);
/// let x: Complex<f64> = jit(move |b: Var| f(b)).call(array![4.0, 0.0])?;
/// assert_eq!((x.re, x.im), (0.0, -2.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Matrices that are not square, other rows of `b`, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn solve(a: Complex, b: impl ComplexOperand) -> Complex {
    let _function = enter("solve", &shown([a]));
    let Some((a, n)) = square(a) else { return Complex::poisoned() };
    let Some(sides) = Sides::of_rows(a, n, b) else { return Complex::poisoned() };
    sides.restore(if n <= MAX_REAL {
        real::of_columns(linalg::solve(real::matrices(a), real::columns(sides.columns)))
    } else {
        by_factors(a, sides.columns)
    })
}

/// Matrices up to this extent have real ones of twice the extent that straight-line code eliminates.
const MAX_REAL: usize = small_matrices::MAX_EXTENT / 2;

/// The solution by the factors of the matrices; leading axes broadcast.
#[track_caller]
fn by_factors(a: Complex, b: Complex) -> Complex {
    let [f_re, f_im] = complex_lu_of([a.re, a.im]);
    let operands = [a.re, a.im, f_re, f_im, b.re, b.im];
    match stacks(operands) {
        Some(operands) => {
            let [re, im] = trace::apply_all(ComplexSolve { adjoint: false, strong: false }, &operands);
            Complex { re, im }
        }
        None => Complex::poisoned(),
    }
}

/// The inverses of complex square matrices; see [`linalg::inv`](super::super::inv). That of a singular matrix has infinities
/// and NaN.
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let a = array![[c64(0.0, 2.0), c64(0.0, 0.0)], [c64(0.0, 0.0), c64(1.0, 1.0)]];
/// let f = move |x: Var| complex::inv(Complex::constant(&a) * x).at(1).at(1);
/// let x: Complex<f64> = jit(f).call(0.5)?;
/// assert_eq!((x.re, x.im), (1.0, -1.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn inv(a: Complex) -> Complex {
    let _function = enter("inv", &shown([a]));
    match square(a) {
        Some((a, n)) if n <= MAX_REAL => real::complex(linalg::inv(real::matrices(a))),
        Some((a, n)) => by_factors(a, np::eye(n, n, 0).convert(a.dtype()).into()),
        None => Complex::poisoned(),
    }
}

/// The `x` with the least `‖A x - b‖`, for m×n matrices of full rank; for m < n that of them with the least norm. See
/// [`linalg::lstsq`](super::super::lstsq).
///
/// # Errors
/// Fewer than two axes, other rows of `b`, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn lstsq(a: Complex, b: impl ComplexOperand) -> Complex {
    let _function = enter("lstsq", &shown([a]));
    let Some((a, [m, _])) = matrices(a) else { return Complex::poisoned() };
    let Some(sides) = Sides::of_rows(a, m, b) else { return Complex::poisoned() };
    sides.restore(real::of_columns(linalg::lstsq(real::matrices(a), real::columns(sides.columns))))
}

/// The pseudoinverses of Moore and Penrose of complex matrices. Singular values up to `rtol` times the largest count as 0;
/// `None` is the larger extent times the machine epsilon. See [`linalg::pinv`](super::super::pinv), also for the derivative.
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn pinv(a: Complex, rtol: impl Into<Option<f64>>) -> Complex {
    let _function = enter("pinv", &shown([a]));
    let Some((a, [m, n])) = matrices(a) else { return Complex::poisoned() };
    let rtol = rtol.into().unwrap_or(a.dtype().epsilon() * m.max(n) as f64);
    real::complex(linalg::pinv(real::matrices(a), rtol))
}

/// The solution of `T x = b` with a triangle of complex matrices, of which nothing else is read; see
/// [`linalg::solve_triangular`](super::super::solve_triangular). [`Triangle::transposed`] is the transpose without
/// conjugation, as SciPy's `trans=1`; its `trans=2` is that of `t.conj()`.
///
/// A zero on the diagonal gives infinities and NaN.
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::linalg::{Triangle, complex};
/// use retrograd::{Complex, Var, jit};
///
/// let t = array![[c64(0.0, 2.0), c64(7.0, 7.0)], [c64(1.0, 0.0), c64(0.0, 1.0)]];
/// let f = move |b: Var| complex::solve_triangular(Complex::constant(&t), b, Triangle::LOWER).at(1);
/// let x: Complex<f64> = jit(f).call(array![4.0, 0.0])?;
/// assert_eq!((x.re, x.im), (2.0, 0.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`solve`]; a vector from the right.
#[track_caller]
pub fn solve_triangular(t: Complex, b: impl ComplexOperand, triangle: Triangle) -> Complex {
    let _function = enter("solve_triangular", &shown([t]));
    let Some((t, n)) = square(t) else { return Complex::poisoned() };
    let Triangle { lower, transposed: is_transposed, unit, right } = triangle;
    let mut b = Complex::of(b, t.re);
    if right {
        if !b.is_poisoned() && b.rank() < 2 {
            trace::fail_at(format!("takes matrices of rows from the right, but got {}", b.re.ty()));
            return Complex::poisoned();
        }
        b = b.each(transposed);
    }
    let Some(sides) = Sides::of_rows(t, n, b) else { return Complex::poisoned() };
    let x = sides.restore(substituted(t, sides.columns, lower, is_transposed != right, unit));
    if right { x.each(transposed) } else { x }
}

/// The real matrix has blocks on its diagonal, so it is triangular only where these are real: `T = D·U`, or `T = U·D` for the
/// transpose, where the diagonal of `U` is 1.
#[track_caller]
fn substituted(t: Complex, b: Complex, lower: bool, is_transposed: bool, unit: bool) -> Complex {
    let is_diagonal = diagonal_mask(t);
    let (t, b) = if unit {
        (t, b)
    } else {
        let diagonal = Complex::select(is_diagonal, t, 0.0).sum_axes(&[t.rank() - 1]);
        if diagonal.is_poisoned() {
            return diagonal;
        }
        let column = diagonal.insert_axis(diagonal.rank());
        let over = if is_transposed { diagonal.insert_axis(diagonal.rank() - 1) } else { column };
        (t / over, b / column)
    };
    let t = Complex::select(is_diagonal, t.re.full_like(1.0), t);
    let unit = if lower { Triangle::LOWER } else { Triangle::UPPER }.unit_diagonal();
    if !is_transposed {
        return real::of_columns(linalg::solve_triangular(real::matrices(t), real::columns(b), unit));
    }
    // The transpose of the real matrix is that of the adjoint.
    let adjoint = real::matrices(t.conj());
    real::of_columns(linalg::solve_triangular(adjoint, real::columns(b), unit.transposed()))
}

#[track_caller]
fn diagonal_mask(t: Complex) -> Var {
    let (shape, rank) = (t.shape(), t.rank());
    let [row, column] = [rank - 2, rank - 1].map(|axis| Var::iota(&shape, axis, DType::I64));
    row.equal(column)
}
