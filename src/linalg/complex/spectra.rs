//! Eigenvalues and singular values of complex matrices, and what is made of them.

use super::super::MatrixNorm;
use super::super::arguments::enter;
use super::super::norms::{Matrices, condition_of, norm_of};
use super::arguments::{matrices, shown, square};
use super::inv;
use crate::op::{
    Complex, ComplexOperand, Var, complex_eig_of, complex_eigh_of, complex_eigvals_of, complex_svd_of, eig_of,
    eigvals_of,
};
use crate::value::{DType, Type};

/// NumPy's `eigh` of complex matrices: the eigenvalues of Hermitian matrices, which are real, in ascending order, and the
/// unitary matrices `V` whose columns are the eigenvectors, `A = V · diag(w) · Vᴴ`.
///
/// Takes a stack of square matrices, `[…, n, n]`, and gives `w`, `[…, n]`, and `V`, `[…, n, n]`. What is decomposed is the
/// Hermitian part `(A + Aᴴ) / 2`, where NumPy reads the lower triangle. Where `V` has no use, it is not computed, and a value
/// with its gradient takes one decomposition.
///
/// The first element of an eigenvector that is at least half as large as its largest one is real and positive.
///
/// Derivatives: Giles 2008, section 3.1, with the phases that keep the vectors so. Those of functions of the eigenvalues are
/// exact in first order even at repeated ones; see [`linalg::eigh`](super::super::eigh) for what happens to vectors there.
///
/// A matrix with a part that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array1, array};
/// use num_complex::c64;
/// use retrograd::{Complex, Var, grad, jit, linalg::complex};
///
/// // The energies of a spin in a field, and how the lowest one depends on the field.
/// let y = array![[c64(0.0, 0.0), c64(0.0, -1.0)], [c64(0.0, 1.0), c64(0.0, 0.0)]];
/// let energies = move |field: Var| complex::eigh(Complex::constant(&y) * field).0;
/// let w: Array1<f64> = jit(energies.clone()).call(2.0)?;
/// assert!((w - array![-2.0, 2.0]).iter().all(|error| error.abs() < 1e-15));
/// let slope: f64 = jit(grad(move |field: Var| energies(field).at(0))).call(2.0)?;
/// assert!((slope + 1.0).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No stack of square matrices.
#[track_caller]
pub fn eigh(a: Complex) -> (Var, Complex) {
    let _method = enter("eigh", &shown([a]));
    let [w, re, im] = match square(a) {
        Some((a, _)) => complex_eigh_of([a.re, a.im]),
        None => [Var::poisoned(); 3],
    };
    (w, Complex { re, im })
}

/// NumPy's `eigvalsh` of complex matrices: the eigenvalues of Hermitian matrices, in ascending order; see [`eigh`].
///
/// # Errors
/// No stack of square matrices.
#[track_caller]
pub fn eigvalsh(a: Complex) -> Var {
    let _method = enter("eigvalsh", &shown([a]));
    // The pass `simplify` drops the vectors if nothing else, as a derivative, asks for them.
    match square(a) {
        Some((a, _)) => complex_eigh_of([a.re, a.im])[0],
        None => Var::poisoned(),
    }
}

/// NumPy's `eig`: the eigenvalues of square matrices, and the eigenvectors as columns. The matrices may be complex or real.
///
/// Takes a stack of square matrices, `[…, n, n]`, and gives `[…, n]` and `[…, n, n]`. Of real matrices conjugate pairs are
/// neighbors, that with the positive imaginary part first; otherwise eigenvalues come in no particular order, the same for the
/// same bits. An eigenvector has length 1, and the first of its elements that is at least half as large as its largest one is
/// real and positive.
///
/// Derivatives: Boeddeker et al. 2017, with the multiples of the vectors that keep them so. What would be infinite at equal
/// eigenvalues is taken as 0; where the vectors are linearly dependent to working precision, derivatives are NaN.
///
/// A matrix with a part that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let turn = array![[0.0, -2.0], [2.0, 0.0]];
/// let w: Complex<Array1<f64>> = jit(|a: Var| complex::eig(a).0).call(&turn)?;
/// assert!((w.im - array![2.0, -2.0]).iter().chain(&w.re).all(|error| error.abs() < 1e-14));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No stack of square matrices.
#[track_caller]
pub fn eig(a: impl ComplexOperand) -> (Complex, Complex) {
    let (re, im) = parts(a);
    let _method = enter("eig", &[re]);
    let decompose = |(a, _): (Complex, usize)| if im.is_some() { complex_eig_of([a.re, a.im]) } else { eig_of(a.re) };
    let [w_re, w_im, v_re, v_im] = square(whole(re, im)).map_or([Var::poisoned(); 4], decompose);
    (Complex { re: w_re, im: w_im }, Complex { re: v_re, im: v_im })
}

/// NumPy's `eigvals`: the eigenvalues of square matrices, complex or real; see [`eig`].
///
/// # Errors
/// No stack of square matrices.
#[track_caller]
pub fn eigvals(a: impl ComplexOperand) -> Complex {
    let (re, im) = parts(a);
    let _method = enter("eigvals", &[re]);
    let decompose =
        |(a, _): (Complex, usize)| if im.is_some() { complex_eigvals_of([a.re, a.im]) } else { eigvals_of(a.re) };
    let [re, im] = square(whole(re, im)).map_or([Var::poisoned(); 2], decompose);
    Complex { re, im }
}

#[track_caller]
fn parts(a: impl ComplexOperand) -> (Var, Option<Var>) {
    a.parts(a.traced().unwrap_or_else(|| Var::from(0.0)))
}

#[track_caller]
fn whole(re: Var, im: Option<Var>) -> Complex {
    im.map_or_else(|| super::super::arguments::float(re).into(), |im| Complex { re, im })
}

/// NumPy's `svd` of complex matrices with `full_matrices=False`: the reduced decomposition `A = U · diag(s) · Vᴴ`, as the triple
/// of `U`, `s` and `Vᴴ`, with the singular values `s`, which are real, in descending order.
///
/// Takes a stack of m×n matrices and gives, with k = min(m, n), `[…, m, k]`, `[…, k]` and `[…, k, n]`. Where the vectors have
/// no use, they are not computed, and a value with its gradient takes one decomposition.
///
/// The first element of a column of `U` that is at least half as large as its largest one is real and positive; `Vᴴ` follows.
///
/// Derivatives: Wan and Zhang 2019, with the phases that keep the vectors so. See [`linalg::svd`](super::super::svd) for what
/// happens at equal values and at zeros.
///
/// A matrix with a part that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array1, array};
/// use num_complex::c64;
/// use retrograd::{Complex, Var, jit, linalg::complex};
///
/// let a = array![[c64(0.0, 0.0), c64(0.0, -2.0)], [c64(3.0, 0.0), c64(0.0, 0.0)]];
/// let s: Array1<f64> = jit(move |x: Var| complex::svd(Complex::constant(&a) * x).1).call(1.0)?;
/// assert!((s - array![3.0, 2.0]).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn svd(a: Complex) -> (Complex, Var, Complex) {
    let _method = enter("svd", &shown([a]));
    let [u_re, u_im, s, vh_re, vh_im] = match matrices(a) {
        Some((a, _)) => complex_svd_of([a.re, a.im]),
        None => [Var::poisoned(); 5],
    };
    (Complex { re: u_re, im: u_im }, s, Complex { re: vh_re, im: vh_im })
}

/// NumPy's `svdvals` of complex matrices: the singular values, in descending order; see [`svd`].
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn svdvals(a: Complex) -> Var {
    let _method = enter("svdvals", &shown([a]));
    match matrices(a) {
        Some((a, _)) => values_of(a),
        None => Var::poisoned(),
    }
}

#[track_caller]
fn values_of(a: Complex) -> Var {
    complex_svd_of([a.re, a.im])[2]
}

/// The rank of complex matrices: how many singular values exceed `rtol` times the largest; `None` is the larger extent times
/// the machine epsilon. An `i64`, without a derivative; see [`linalg::matrix_rank`](super::super::matrix_rank).
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn matrix_rank(a: Complex, rtol: impl Into<Option<f64>>) -> Var {
    let _method = enter("matrix_rank", &shown([a]));
    let Some((a, [m, n])) = matrices(a) else { return Var::poisoned() };
    let (s, last) = (values_of(a), a.rank() - 2);
    if s.is_poisoned() || m.min(n) == 0 {
        return if s.is_poisoned() { s } else { s.convert(DType::I64).sum_axes(&[last]) };
    }
    let rtol = rtol.into().unwrap_or(a.dtype().epsilon() * m.max(n) as f64);
    let threshold = s.slice_axis(last, 0, 1, 1) * rtol;
    s.greater(threshold).convert(DType::I64).sum_axes(&[last])
}

/// A norm of complex matrices; see [`linalg::matrix_norm`](super::super::matrix_norm).
///
/// ```
/// use ndarray::array;
/// use num_complex::c64;
/// use retrograd::linalg::{MatrixNorm, complex};
/// use retrograd::{Complex, Var, jit};
///
/// let a = array![[c64(3.0, 4.0), c64(0.0, 1.0)]];
/// let f = move |x: Var| complex::matrix_norm(Complex::constant(&a) * x, MatrixNorm::Infinity);
/// assert_eq!(jit(f).call::<f64>(2.0)?, 12.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes; but for sums, no rows or no columns.
#[track_caller]
pub fn matrix_norm(a: Complex, kind: MatrixNorm) -> Var {
    let _method = enter("matrix_norm", &shown([a]));
    match matrices(a) {
        Some((a, extents)) => norm_of(a, extents, kind),
        None => Var::poisoned(),
    }
}

impl Matrices for Complex {
    #[track_caller]
    fn ty(self) -> Type {
        self.re.ty()
    }

    #[track_caller]
    fn sizes(self) -> Var {
        self.abs()
    }

    #[track_caller]
    fn frobenius(self) -> Var {
        let rows = self.rank() - 2;
        Var::stack(&[self.re, self.im], rows).norm_axes(&[rows, rows + 1, rows + 2])
    }

    #[track_caller]
    fn singular_values(self) -> Var {
        values_of(self)
    }

    #[track_caller]
    fn inverses(self) -> Option<Complex> {
        let (a, _) = square(self)?;
        Some(inv(a))
    }

    #[track_caller]
    fn are_finite(self) -> Var {
        self.is_finite()
    }
}

/// The condition number of complex matrices in a norm; see [`linalg::cond`](super::super::cond). That of a singular matrix is
/// infinite.
///
/// # Errors
/// Those of [`matrix_norm`]; but for the norms by the largest and the least singular value, matrices that are not square.
#[track_caller]
pub fn cond(a: Complex, kind: MatrixNorm) -> Var {
    let _method = enter("cond", &shown([a]));
    match matrices(a) {
        Some((a, extents)) => condition_of(a, extents, kind),
        None => Var::poisoned(),
    }
}
