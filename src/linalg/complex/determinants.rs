//! Determinants of complex matrices.

use super::super::arguments::enter;
use super::super::determinants::{diagonal, parity, sum_last};
use super::arguments::{shown, square};
use crate::op::{Complex, Var, complex_lu_of};
use crate::value::Type;

/// The determinants of complex square matrices.
///
/// Up to 3×3 they are the polynomial in the elements, with all its derivatives; of larger ones the product of the pivots of
/// [`lu`](super::lu), which may overflow or vanish where [`slogdet`] does not; their derivatives are NaN where a matrix is
/// singular. That of a matrix of extent 0 is 1.
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let a = array![[c64(0.0, 2.0), c64(1.0, 0.0)], [c64(1.0, 0.0), c64(1.0, 1.0)]];
/// let det: Complex<f64> = jit(move |x: Var| complex::det(Complex::constant(&a) * x)).call(1.0)?;
/// assert_eq!((det.re, det.im), (-3.0, 2.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn det(a: Complex) -> Complex {
    let _function = enter("det", &shown([a]));
    let Some((a, n)) = square(a) else { return Complex::poisoned() };
    if n <= 3 {
        return small_determinant(a, n);
    }
    let (parity, pivots) = pivots(a);
    pivots.prod_axis(pivots.rank().saturating_sub(1)) * parity
}

/// The signs of the determinants of complex square matrices, numbers of magnitude 1, and the logarithms of their magnitudes: 0
/// and -inf of a singular one.
///
/// Derivatives: `tr(A⁻¹ Ȧ)`, of which the real part is that of the logarithm, and the imaginary part that of the phase (Giles
/// 2008); infinite or NaN where a matrix is singular.
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let a = array![[c64(0.0, 2.0), c64(0.0, 0.0)], [c64(0.0, 0.0), c64(3.0, 0.0)]];
/// let f = move |x: Var| complex::slogdet(Complex::constant(&a) * x);
/// let (sign, log): (Complex<f64>, f64) = jit(f).call(1.0)?;
/// assert_eq!((sign.re, sign.im), (0.0, 1.0));
/// assert!((log - 6f64.ln()).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// What is no stack of square matrices.
#[track_caller]
pub fn slogdet(a: Complex) -> (Complex, Var) {
    let _function = enter("slogdet", &shown([a]));
    let Some((a, _)) = square(a) else { return (Complex::poisoned(), Var::poisoned()) };
    let (parity, pivots) = pivots(a);
    let sizes = pivots.abs();
    let is_zero = sizes.equal(0.0);
    let units = pivots / is_zero.select(1.0, sizes);
    (units.prod_axis(units.rank().saturating_sub(1)) * parity, sum_last(sizes.ln()))
}

/// The parity of the row exchanges, and the pivots.
#[track_caller]
fn pivots(a: Complex) -> (Var, Complex) {
    let [re, im] = complex_lu_of([a.re, a.im]);
    (parity(re), Complex { re: diagonal(re), im: diagonal(im) })
}

/// The polynomial in the elements.
#[track_caller]
fn small_determinant(a: Complex, n: usize) -> Complex {
    let last = a.rank() - 1;
    let at = |i: usize, j: usize| a.index_axis(last, j).index_axis(last - 1, i);
    let minor = |i: [usize; 2], j: [usize; 2]| at(i[0], j[0]) * at(i[1], j[1]) - at(i[0], j[1]) * at(i[1], j[0]);
    match n {
        0 => Complex::ones(Type::new(a.dtype(), &a.shape()[..last - 1])),
        1 => at(0, 0),
        2 => minor([0, 1], [0, 1]),
        _ => at(0, 0) * minor([1, 2], [1, 2]) - at(0, 1) * minor([1, 2], [0, 2]) + at(0, 2) * minor([1, 2], [0, 1]),
    }
}
