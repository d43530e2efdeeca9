//! Complex matrices as real ones of twice the extents, of which rows and columns of the two parts alternate.
//!
//! The element `a + bi` becomes the block `[[a, -b], [b, a]]`. This is a homomorphism `R` of algebras, and `R(Aᴴ) = R(A)ᵀ`; a
//! vector `x + yi` becomes its column of `[x, y]`. So whatever is made of sums, products, inverses and adjoints is the
//! same of the real matrices: solutions, inverses, pseudoinverses, least squares, power series.
//!
//! It also holds of factors that are unique. A Hermitian positive definite `A = L·Lᴴ` has a real positive diagonal in `L`, of
//! which the blocks are multiples of the unit matrix: `R(L)` is a lower triangular matrix with a positive diagonal, and
//! `R(A) = R(L)·R(L)ᵀ`, so it is the factor of the real matrix. (With the parts in two halves, `[[A, -B], [B, A]]`, it is not
//! triangular.)
//!
//! By eigenvalues and determinants it does not: `R(A)` has each eigenvalue and its conjugate, and `det R(A) = |det A|²`.

use crate::op::Var;
use crate::op::complex::Complex;

/// The real matrices of complex ones.
#[track_caller]
pub(crate) fn matrices(z: Complex) -> Var {
    if z.is_poisoned() {
        return Var::poisoned();
    }
    let rank = z.rank();
    let rows = [alternating(z.re, -z.im, rank - 1), alternating(z.im, z.re, rank - 1)];
    alternating(rows[0], rows[1], rank - 2)
}

/// Of complex matrices those columns of the real ones that belong to real parts, which tell all.
#[track_caller]
pub(crate) fn columns(z: Complex) -> Var {
    if z.is_poisoned() {
        return Var::poisoned();
    }
    alternating(z.re, z.im, z.rank() - 2)
}

/// The complex matrices of real ones.
#[track_caller]
pub(crate) fn complex(x: Var) -> Complex {
    if x.is_poisoned() {
        return Complex::poisoned();
    }
    let (rank, shape) = (x.rank(), x.shape());
    of_columns(x.slice_axis(rank - 1, 0, shape[rank - 1], 2))
}

/// The complex matrices of such columns.
#[track_caller]
pub(crate) fn of_columns(x: Var) -> Complex {
    if x.is_poisoned() {
        return Complex::poisoned();
    }
    let (rank, shape) = (x.rank(), x.shape());
    let (rows, n) = (shape[rank - 2] / 2, shape[rank - 1]);
    let pairs = x.reshape(&[&shape[..rank - 2], &[rows, 2, n]].concat());
    let part = |k: usize| pairs.index_axis(rank - 1, k);
    Complex { re: part(0), im: part(1) }
}

/// Elements of either operand by turns along an axis.
#[track_caller]
fn alternating(x: Var, y: Var, axis: usize) -> Var {
    let both = Var::stack(&[x, y], axis + 1);
    if both.is_poisoned() {
        return both;
    }
    let mut shape = x.shape().to_vec();
    shape[axis] *= 2;
    both.reshape(&shape)
}
