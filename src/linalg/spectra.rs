//! Eigenvalues, singular values, orthogonal factors, and what is made of them.

use super::arguments::{enter, matrices, square};
use super::norms::{Matrices, condition_of, norm_of};
use super::systems::inv;
use crate::op::trace;
use crate::op::{
    Var, default_fraction, eig_of, eigh_of, eigvals_of, hessenberg_of, null_space_of, pinv_of, qr_of, svd_of,
    symmetric_part, transposed,
};
use crate::value::{DType, Type};

/// NumPy's `eigh`: the eigenvalues of symmetric matrices, in ascending order, and the orthogonal matrices `V` whose columns
/// are the eigenvectors, `A = V · diag(w) · Vᵀ`.
///
/// Takes a stack of square matrices, `[…, n, n]`, and gives `w`, `[…, n]`, and `V`, `[…, n, n]`. What is decomposed is the
/// symmetric part `(A + Aᵀ) / 2`, where NumPy reads the lower triangle, so that cotangents are symmetric. Where `V` has no
/// use, it is not computed, and a value with its gradient takes one decomposition.
///
/// The first element of an eigenvector that is at least half as large as its largest one is positive.
///
/// Derivatives: Giles 2008, section 3.1. Those of functions of the eigenvalues are exact in first order even at repeated
/// ones; see [`spectral_sum`](super::spectral_sum) for second order. Vectors of a repeated eigenvalue have no derivative:
/// their share, `1 / (w[j] - w[i])`, is taken as 0 where the two are equal but for rounding (by `2 n ε` times the largest),
/// so that nothing is infinite. It is large where they are close: what depends on single vectors within a cluster has no
/// meaning, also not its derivative.
///
/// A matrix with an element that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, grad, jit, linalg};
///
/// let a = array![[2.0, 1.0], [1.0, 2.0]];
/// let (w, v): (Array1<f64>, Array2<f64>) = jit(linalg::eigh).call(&a)?;
/// assert!((w - array![1.0, 3.0]).iter().all(|x| x.abs() < 1e-15));
/// assert!((v.column(0).to_owned() * 2f64.sqrt() - array![1.0, -1.0]).iter().all(|x| x.abs() < 1e-15));
///
/// // The derivative of an eigenvalue is v vᵀ.
/// let largest = |a: Var| linalg::eigvalsh(a).at(1);
/// let slope: Array2<f64> = jit(grad(largest)).call(&a)?;
/// assert!((slope - array![[0.5, 0.5], [0.5, 0.5]]).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No stack of square matrices.
#[track_caller]
pub fn eigh(a: Var) -> (Var, Var) {
    let _method = enter("eigh", &[a]);
    let [w, v] = match square(a) {
        Some((a, _)) => eigh_of(a),
        None => [Var::poisoned(); 2],
    };
    (w, v)
}

/// NumPy's `eigvalsh`: the eigenvalues of symmetric matrices, in ascending order; see [`eigh`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{jit, linalg};
///
/// let w: Array1<f64> = jit(linalg::eigvalsh).call(array![[0.0, 2.0], [2.0, 3.0]])?;
/// assert!((w - array![-1.0, 4.0]).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No stack of square matrices.
#[track_caller]
pub fn eigvalsh(a: Var) -> Var {
    let _method = enter("eigvalsh", &[a]);
    // The pass `simplify` drops the vectors if nothing else, as a derivative, asks for them.
    match square(a) {
        Some((a, _)) => eigh_of(a)[0],
        None => Var::poisoned(),
    }
}

/// NumPy's `svd` with `full_matrices=False`: the reduced decomposition `A = U · diag(s) · Vᵀ`, as the triple of `U`, `s` and
/// `Vᵀ`, with the singular values `s` in descending order.
///
/// Takes a stack of m×n matrices and gives, with k = min(m, n), `[…, m, k]`, `[…, k]` and `[…, k, n]`. Where the vectors have
/// no use, they are not computed, and a value with its gradient takes one decomposition.
///
/// The first element of a column of `U` that is at least half as large as its largest one is positive; `Vᵀ` follows.
///
/// Derivatives: Giles 2008, section 3.2; Seeger et al. 2017. Those of functions of the values, and of `U · Vᵀ`, are exact in
/// first order even at repeated values. What is infinite but for rounding (by `2 k ε` times the largest value) is taken as 0:
/// the share `1 / (s[j] - s[i])` of vectors at equal values, and `1 / s` at zeros. A value that is 0 passes nothing on, as `abs` at 0, so that the
/// gradient of the nuclear norm is the subgradient of least norm. (Where rounding makes such a value not quite 0, it is
/// another subgradient.)
///
/// A matrix with an element that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, grad, jit, linalg};
///
/// let a = array![[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]];
/// let (u, s, vt): (Array2<f64>, Array1<f64>, Array2<f64>) = jit(linalg::svd).call(&a)?;
/// assert_eq!(s, array![3.0, 2.0]);
/// assert!((u.dot(&Array2::from_diag(&s)).dot(&vt) - &a).iter().all(|x| x.abs() < 1e-15));
///
/// // The gradient of the nuclear norm is U Vᵀ.
/// let slope: Array2<f64> = jit(grad(|a: Var| linalg::svdvals(a).sum())).call(&a)?;
/// assert!((slope - u.dot(&vt)).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn svd(a: Var) -> (Var, Var, Var) {
    let _method = enter("svd", &[a]);
    let [u, s, vt] = match matrices(a) {
        Some((a, _)) => svd_of(a),
        None => [Var::poisoned(); 3],
    };
    (u, s, vt)
}

/// NumPy's `svdvals`: the singular values of matrices, in descending order; see [`svd`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{jit, linalg};
///
/// let s: Array1<f64> = jit(linalg::svdvals).call(array![[3.0, 0.0], [0.0, -4.0]])?;
/// assert_eq!(s, array![4.0, 3.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn svdvals(a: Var) -> Var {
    let _method = enter("svdvals", &[a]);
    match matrices(a) {
        Some((a, _)) => svd_of(a)[1],
        None => Var::poisoned(),
    }
}

/// NumPy's `qr` with `mode="reduced"`: matrices `Q` with orthonormal columns and upper triangular `R`, `A = Q · R`.
///
/// Takes a stack of m×n matrices and gives, with k = min(m, n), `[…, m, k]` and `[…, k, n]`. No number on the diagonal of
/// `R` is negative (in NumPy some are), which makes the factors unique.
///
/// Derivatives: Walter and Lehmann 2010; Seeger et al. 2017; for m < n by the first m columns, on which `Q` depends alone.
/// Where the first k columns are linearly dependent there is no derivative, and it is infinite or NaN; but the k-th of k rows may
/// depend on the others.
///
/// A matrix with an element that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{jit, linalg};
///
/// let (q, r): (Array2<f64>, Array2<f64>) = jit(linalg::qr).call(array![[3.0, 1.0], [-4.0, 7.0]])?;
/// assert!((q - array![[0.6, 0.8], [-0.8, 0.6]]).iter().all(|x| x.abs() < 1e-15));
/// assert!((r - array![[5.0, -5.0], [0.0, 5.0]]).iter().all(|x| x.abs() < 1e-14));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn qr(a: Var) -> (Var, Var) {
    let _method = enter("qr", &[a]);
    let [q, r] = match matrices(a) {
        Some((a, _)) => qr_of(a),
        None => [Var::poisoned(); 2],
    };
    (q, r)
}

/// SciPy's `polar` with `side="right"`: `A = U · H`, with a matrix `U` with orthonormal columns (rows, for m < n), the nearest
/// one to `A`, and a symmetric `H` without negative eigenvalues.
///
/// Takes a stack of m×n matrices and gives `[…, m, n]` and `[…, n, n]`. The factors are made of the singular value
/// decomposition (`U · Vᵀ` there), of which the derivatives are exact in first order at repeated singular values, too, and
/// in second order where these are apart. At singular matrices `U` is not unique, and what would be infinite is taken as 0.
///
/// A matrix with an element that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{jit, linalg};
///
/// let (u, h): (Array2<f64>, Array2<f64>) = jit(linalg::polar).call(array![[0.0, -2.0], [3.0, 0.0]])?;
/// assert!((u - array![[0.0, -1.0], [1.0, 0.0]]).iter().all(|x| x.abs() < 1e-15));
/// assert!((h - array![[3.0, 0.0], [0.0, 2.0]]).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn polar(a: Var) -> (Var, Var) {
    let _method = enter("polar", &[a]);
    let Some((a, _)) = matrices(a) else { return (Var::poisoned(), Var::poisoned()) };
    let [u, _, vt] = svd_of(a);
    let u = u.matmul(vt);
    (u, symmetric_part(transposed(u).matmul(a)))
}

/// NumPy's `pinv`: the pseudoinverses of Moore and Penrose, by the singular value decomposition. Values up to `rtol` times
/// the largest one count as 0: by default ε · max(m, n).
///
/// Takes a stack of m×n matrices and gives `[…, n, m]`. `pinv(a).matmul(b)` solves least squares of any rank, with the
/// solution of least norm.
///
/// The derivative is that of Golub and Pereyra (1973), in terms of the pseudoinverse itself: repeated singular values do not
/// matter, in any order. It holds while the rank does not change; where it does, the pseudoinverse jumps.
///
/// A matrix with an element that is infinite or NaN gives NaN.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let p: Array2<f64> = jit(|a: Var| linalg::pinv(a, None)).call(array![[1.0, 1.0], [1.0, 1.0]])?;
/// assert!((p - 0.25).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn pinv(a: Var, rtol: impl Into<Option<f64>>) -> Var {
    let _method = enter("pinv", &[a]);
    match matrices(a) {
        Some((a, _)) => pinv_of(a, fraction(a, rtol.into())),
        None => Var::poisoned(),
    }
}

/// NumPy's `matrix_rank`: how many singular values are larger than `rtol` times the largest one, by default ε · max(m, n);
/// as `i64`, without derivative. A matrix with an element that is infinite or NaN has rank 0.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, linalg};
///
/// let rank: i64 = jit(|a: Var| linalg::matrix_rank(a, None)).call(array![[1.0, 2.0], [2.0, 4.0]])?;
/// assert_eq!(rank, 1);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes.
#[track_caller]
pub fn matrix_rank(a: Var, rtol: impl Into<Option<f64>>) -> Var {
    let _method = enter("matrix_rank", &[a]);
    let Some((a, [m, n])) = matrices(a) else { return Var::poisoned() };
    let s = svd_of(a)[1];
    let last = a.rank() - 2;
    if m.min(n) == 0 {
        return s.convert(DType::I64).sum_axes(&[last]);
    }
    let threshold = fraction(a, rtol.into()).insert_axis(last) * s.slice_axis(last, 0, 1, 1);
    s.greater(threshold).convert(DType::I64).sum_axes(&[last])
}

/// For each matrix the part of the largest singular value up to which others count as 0.
#[track_caller]
pub(super) fn fraction(a: Var, rtol: Option<f64>) -> Var {
    let default = default_fraction(a);
    rtol.map_or(default, |rtol| default.full_like(rtol))
}

/// Which norm of a matrix, or which condition number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatrixNorm {
    /// The root of the sum of squares: NumPy's `"fro"`.
    Frobenius,
    /// The sum of the singular values: NumPy's `"nuc"`.
    Nuclear,
    /// The largest singular value: NumPy's `2`.
    Spectral,
    /// The smallest singular value: NumPy's `-2`.
    LeastSingular,
    /// The largest sum of the sizes of a column: NumPy's `1`.
    One,
    /// The smallest sum of the sizes of a column: NumPy's `-1`.
    LeastColumn,
    /// The largest sum of the sizes of a row: NumPy's `inf`.
    Infinity,
    /// The smallest sum of the sizes of a row: NumPy's `-inf`.
    LeastRow,
}

/// NumPy's `matrix_norm`, in all its kinds.
///
/// Takes a stack of m×n matrices and gives a number for each. Where several columns, rows or singular values are the
/// largest, they share the cotangent evenly; a singular value that is 0, and the norm of a matrix of zeros, pass nothing on.
/// NaN gives NaN.
///
/// ```
/// use ndarray::array;
/// use retrograd::linalg::{MatrixNorm, matrix_norm};
/// use retrograd::{Var, jit};
///
/// let a = array![[3.0, 0.0], [1.0, -4.0]];
/// let norm = |kind: MatrixNorm| jit(move |a: Var| matrix_norm(a, kind)).call::<f64>(&a);
/// assert_eq!((norm(MatrixNorm::One)?, norm(MatrixNorm::Infinity)?), (4.0, 5.0));
/// assert!((norm(MatrixNorm::Frobenius)? - 26f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes; no rows or columns, but for the norms of Frobenius and the nuclear one.
#[track_caller]
pub fn matrix_norm(a: Var, kind: MatrixNorm) -> Var {
    let _method = enter("matrix_norm", &[a]);
    match matrices(a) {
        Some((a, extents)) => norm_of(a, extents, kind),
        None => Var::poisoned(),
    }
}

impl Matrices for Var {
    #[track_caller]
    fn ty(self) -> Type {
        Var::ty(self)
    }

    #[track_caller]
    fn sizes(self) -> Var {
        self.abs()
    }

    #[track_caller]
    fn frobenius(self) -> Var {
        let rows = self.rank() - 2;
        self.norm_axes(&[rows, rows + 1])
    }

    #[track_caller]
    fn singular_values(self) -> Var {
        svd_of(self)[1]
    }

    #[track_caller]
    fn inverses(self) -> Option<Var> {
        let (a, _) = square(self)?;
        Some(inv(a))
    }

    #[track_caller]
    fn are_finite(self) -> Var {
        self.is_finite()
    }
}

/// NumPy's `cond`: the norm of a matrix times that of its inverse; for [`MatrixNorm::Spectral`], the default there, the
/// largest singular value over the smallest, and for [`MatrixNorm::LeastSingular`] the smallest over the largest, also of
/// matrices that are not square.
///
/// Takes a stack of matrices and gives a number for each: infinity for a singular one, NaN for NaN.
///
/// ```
/// use ndarray::array;
/// use retrograd::linalg::{MatrixNorm, cond};
/// use retrograd::{Var, jit};
///
/// let kappa: f64 = jit(|a: Var| cond(a, MatrixNorm::Spectral)).call(array![[2.0, 0.0], [0.0, -0.5]])?;
/// assert_eq!(kappa, 4.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes; no rows or columns; no square matrices, but for the two kinds above.
#[track_caller]
pub fn cond(a: Var, kind: MatrixNorm) -> Var {
    let _method = enter("cond", &[a]);
    match matrices(a) {
        Some((a, extents)) => condition_of(a, extents, kind),
        None => Var::poisoned(),
    }
}

/// SciPy's `orth`: orthonormal vectors, as columns, that span what matrices of a given rank map to: the first left singular
/// vectors.
///
/// Takes a stack of m×n matrices and gives `[…, m, rank]`. The rank is an argument, since shapes are known before values;
/// [`matrix_rank`] finds it. Derivatives are those of [`svd`].
///
/// A matrix with an element that is infinite or NaN gives NaN.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let q: Array2<f64> = jit(|a: Var| linalg::orth(a, 1)).call(array![[3.0, 3.0], [4.0, 4.0]])?;
/// assert!((q - array![[0.6], [0.8]]).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes; a rank beyond min(m, n).
#[track_caller]
pub fn orth(a: Var, rank: usize) -> Var {
    let _method = enter("orth", &[a]);
    let Some((a, [m, n])) = matrices(a) else { return Var::poisoned() };
    if rank > m.min(n) {
        trace::fail_at(format!("the rank must be {} or less, but got {rank}", m.min(n)));
        return Var::poisoned();
    }
    svd_of(a)[0].slice_axis(a.rank() - 1, 0, rank, 1)
}

/// SciPy's `null_space`: orthonormal vectors, as columns, that matrices of a given rank take to zero.
///
/// Takes a stack of m×n matrices and gives `[…, n, n - rank]`. The rank is an argument, since shapes are known before
/// values; [`matrix_rank`] finds it.
///
/// The derivative is `-A⁺ · dA · N`, with `N` for the result: that of a basis that turns as little as can be, while the rank
/// does not change. It is exact in every order for functions of the space, as `N · Nᵀ`, and not for those of single vectors,
/// which are no functions of the matrix.
///
/// A matrix with an element that is infinite or NaN gives NaN.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let n: Array2<f64> = jit(|a: Var| linalg::null_space(a, 1)).call(array![[3.0, -4.0]])?;
/// assert!((n - array![[0.8], [0.6]]).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes; a rank beyond min(m, n).
#[track_caller]
pub fn null_space(a: Var, rank: usize) -> Var {
    let _method = enter("null_space", &[a]);
    match matrices(a) {
        Some((a, _)) => null_space_of(a, rank),
        None => Var::poisoned(),
    }
}

/// NumPy's `eig`: the eigenvalues and eigenvectors of square matrices, `A · V = V · diag(w)`, as the four arrays `re w`,
/// `im w`, `re V` and `im V`.
///
/// Takes a stack of square matrices, `[…, n, n]`, and gives `[…, n]` twice and `[…, n, n]` twice. Conjugate pairs are
/// neighbors, that with the positive imaginary part first; otherwise eigenvalues come in no particular order, the same for
/// the same bits.
///
/// An eigenvector has length 1, and the first of its elements that is at least half as large as its largest one is real and
/// positive. (In NumPy the phase is another.)
///
/// Derivatives: Giles 2008, section 3.1, within the gauge. At equal eigenvalues of a matrix that is not defective those of
/// vectors are taken as finite, as for [`eigh`]. Where the vectors are linearly dependent to working precision, as those of
/// a defective matrix are, there is no derivative, and it is NaN.
///
/// A matrix with an element that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, grad, jit, linalg};
///
/// // A rotation by a right angle: the eigenvalues are i and -i.
/// let a = array![[0.0, -1.0], [1.0, 0.0]];
/// let (re, im): (Array1<f64>, Array1<f64>) = jit(linalg::eigvals).call(&a)?;
/// assert!(re.iter().all(|x| x.abs() < 1e-15));
/// assert!((im - array![1.0, -1.0]).iter().all(|x| x.abs() < 1e-15));
///
/// // How fast it turns depends on the elements off the diagonal.
/// let angle = |a: Var| linalg::eig(a).1.at(0);
/// let slope: Array2<f64> = jit(grad(angle)).call(&a)?;
/// assert!((slope - array![[0.0, -0.5], [0.5, 0.0]]).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No stack of square matrices.
#[track_caller]
pub fn eig(a: Var) -> (Var, Var, Var, Var) {
    let _method = enter("eig", &[a]);
    let [re, im, v_re, v_im] = match square(a) {
        Some((a, _)) => eig_of(a),
        None => [Var::poisoned(); 4],
    };
    (re, im, v_re, v_im)
}

/// NumPy's `eigvals`: the real and the imaginary parts of the eigenvalues of square matrices; see [`eig`]. Their last bits
/// may differ from those that come with vectors; a gradient decomposes once more, with vectors.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{jit, linalg};
///
/// let (re, im): (Array1<f64>, Array1<f64>) = jit(linalg::eigvals).call(array![[1.0, 5.0], [0.0, 2.0]])?;
/// assert_eq!((re, im), (array![1.0, 2.0], array![0.0, 0.0]));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No stack of square matrices.
#[track_caller]
pub fn eigvals(a: Var) -> (Var, Var) {
    let _method = enter("eigvals", &[a]);
    let [re, im] = match square(a) {
        Some((a, _)) => eigvals_of(a),
        None => [Var::poisoned(); 2],
    };
    (re, im)
}

/// SciPy's `hessenberg` with `calc_q=True`: `A = Q · H · Qᵀ`, with `H` zero below its first subdiagonal and an orthogonal `Q`
/// whose first row and column are those of the unit matrix; the pair of `H` and `Q`.
///
/// Takes a stack of square matrices and gives two such stacks. No number on the subdiagonal of `H` is negative. (In SciPy
/// some are.)
///
/// A matrix with an element that is infinite or NaN has NaN in all results.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, grad, jit, linalg};
///
/// let a = array![[1.0, 2.0, 0.0], [3.0, 4.0, 5.0], [-4.0, 6.0, 7.0]];
/// let (h, q): (Array2<f64>, Array2<f64>) = jit(linalg::hessenberg).call(&a)?;
/// assert_eq!(h[[2, 0]], 0.0);
/// assert!((q.dot(&h).dot(&q.t()) - &a).iter().all(|x| x.abs() < 1e-14));
///
/// let refused = jit(grad(|a: Var| linalg::hessenberg(a).0.sum())).call::<Array2<f64>>(&a).unwrap_err();
/// assert!(refused.to_string().contains("hessenberg"));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No stack of square matrices. A derivative, in either mode, is an error that names the operation.
#[track_caller]
pub fn hessenberg(a: Var) -> (Var, Var) {
    let _method = enter("hessenberg", &[a]);
    let [h, q] = match square(a) {
        Some((a, _)) => hessenberg_of(a),
        None => [Var::poisoned(); 2],
    };
    (h, q)
}
