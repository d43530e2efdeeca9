//! Determinants of complex matrices.

use super::super::arguments::{enter, line, on_line};
use super::super::determinants::{self as real, diagonal, parity, products_of_others, sum_last};
use super::arguments::{shown, square};
use super::{inv, svd};
use crate::op::{Complex, Strong, Var, complex_lu_of, strong_product};
use crate::transform::{custom_jvp, custom_vjp};
use crate::value::Type;

/// The determinants of complex square matrices.
///
/// Up to 3×3 they are the polynomial in the elements, with all its derivatives; of larger ones the product of the pivots of
/// [`lu`](super::lu), which may overflow or vanish where [`slogdet`] does not. That of a matrix of extent 0 is 1.
///
/// Derivative: `det(A) tr(A⁻¹ Ȧ)`, and by the cofactors, from singular values, where a matrix is singular, as that of the real
/// [`det`](super::super::det); there, further derivatives are NaN beyond 3×3.
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
    let [re, im] = complex_lu_of([a.re, a.im]).map(Var::stop_gradient);
    let (line, again) = (line(), line());
    let value = move |_: Complex, re: Var, im: Var| on_line(&line, || product_of_pivots([re, im]));
    let rule = move |(a, re, im): (Complex, Var, Var), y: Complex, ct: Complex| {
        on_line(&again, || (scaled(ct, conjugate_cofactors(a, y)), Var::zeros(re.ty()), Var::zeros(im.ty())))
    };
    custom_vjp(value, rule).call(a, re, im)
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
    let (parity, pivots) = pivots_of(complex_lu_of([a.re, a.im]));
    let sizes = pivots.abs();
    let is_zero = sizes.equal(0.0);
    let units = pivots / is_zero.select(1.0, sizes);
    (units.prod_axis(units.rank().saturating_sub(1)) * parity, sum_last(sizes.ln()))
}

#[track_caller]
fn product_of_pivots(factors: [Var; 2]) -> Complex {
    let (parity, pivots) = pivots_of(factors);
    pivots.prod_axis(pivots.rank().saturating_sub(1)) * parity
}

/// The conjugate cofactors `det(A)̄ A⁻ᴴ`, which singular matrices have, too.
#[track_caller]
fn conjugate_cofactors(a: Complex, determinant: Complex) -> Complex {
    let all: Vec<usize> = (0..determinant.rank()).collect();
    let is_regular = (determinant.re.not_equal(0.0) | determinant.im.not_equal(0.0)).all_axes(&all);
    let by_inverse = || scaled(determinant.conj(), inv(a).adjoint());
    // The derivative of what a singular matrix takes is not that of the formula.
    let unknown = |_: (Complex,), _: Complex, (t,): (Complex,)| {
        t.each(|t| strong_product(t, Var::number(f64::NAN, t.dtype()).broadcast_to(&t.shape()), Strong::Lhs))
    };
    crate::transform::cond(is_regular, by_inverse, || custom_jvp(cofactors_by_values, unknown).call(a))
}

/// With `A = U diag(s) Vᴴ`: the conjugate of `det(U Vᴴ)`, times `U diag(Πⱼ sⱼ but sᵢ) Vᴴ`.
#[track_caller]
fn cofactors_by_values(a: Complex) -> Complex {
    let (u, s, vh) = svd(a);
    if u.is_poisoned() || s.is_poisoned() {
        return Complex::poisoned();
    }
    let (phase, _) = slogdet(u.matmul(vh));
    scaled(phase.conj(), (u * products_of_others(s).insert_axis(s.rank() - 1)).matmul(vh))
}

/// Matrices, each times its number.
#[track_caller]
fn scaled(numbers: Complex, matrices: Complex) -> Complex {
    let product = real::scaled;
    Complex {
        re: product(numbers.re, matrices.re) - product(numbers.im, matrices.im),
        im: product(numbers.re, matrices.im) + product(numbers.im, matrices.re),
    }
}

/// The parity of the row exchanges, and the pivots.
#[track_caller]
fn pivots_of([re, im]: [Var; 2]) -> (Var, Complex) {
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
