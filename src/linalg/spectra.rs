//! Eigenvalues and singular values.

use super::spectral::enter;
use crate::op::{Var, eigh_of, svd_of};

/// NumPy's `eigh`: the eigenvalues of symmetric matrices, in ascending order, and the orthogonal matrices whose columns are
/// the eigenvectors. See [`Eigh`](struct@crate::op::Eigh) for signs and derivatives.
#[track_caller]
pub fn eigh(a: Var) -> (Var, Var) {
    let _method = enter("eigh", &[a]);
    let [w, v] = eigh_of(a);
    (w, v)
}

/// NumPy's `eigvalsh`.
#[track_caller]
pub fn eigvalsh(a: Var) -> Var {
    let _method = enter("eigvalsh", &[a]);
    eigh_of(a)[0]
}

/// NumPy's `svd` with `full_matrices=False`.
#[track_caller]
pub fn svd(a: Var) -> (Var, Var, Var) {
    let _method = enter("svd", &[a]);
    let [u, s, vt] = svd_of(a);
    (u, s, vt)
}

/// NumPy's `svdvals`.
#[track_caller]
pub fn svdvals(a: Var) -> Var {
    let _method = enter("svdvals", &[a]);
    svd_of(a)[1]
}
