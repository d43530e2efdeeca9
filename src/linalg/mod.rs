//! Linear algebra: the functions of `numpy.linalg` and `scipy.linalg`, under their names, for traced values.
//!
//! The numbers come from faer, the derivatives from the literature that each function names. Matrices are the last two axes;
//! the functions apply along any axes before them, and where there are two operands, these broadcast. A factorization that
//! several solutions share, or a value and its derivatives, is computed once.
//!
//! ```
//! use ndarray::{Array1, Array2, array};
//! use retrograd::{Var, grad, jit, linalg};
//!
//! // How the solution of a linear system depends on its matrix.
//! let first = |a: Var, b: Var| linalg::solve(a, b).at(0);
//! let (a, b) = (array![[4.0, 1.0], [2.0, 3.0]], array![1.0, 2.0]);
//! assert_eq!(jit(first).call::<f64>(&a, &b)?, 0.1);
//! let slope: Array2<f64> = jit(grad(first)).call(&a, &b)?;
//! assert!((slope - array![[-0.03, -0.18], [0.01, 0.06]]).iter().all(|error| error.abs() < 1e-15));
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! [`guide::linear_algebra`](crate::guide::linear_algebra) tells how factors are shared, what is fixed of a result, and what happens
//! at equal eigenvalues.
//!
//! # Conventions
//! - Operands are `f64` or `f32`; integers and truth values count as `f64`, and `f32` beside `f64` is an error.
//! - Wrong shapes are errors, which [`jit`](fn@crate::jit) returns: they name the function, the operands and the caller's line.
//! - What numbers decide is no error: what does not exist, as the factor of an indefinite matrix or the solution of a singular
//!   system, is NaN or infinite, and so is its derivative. A NaN or an infinity in a matrix makes its results NaN.
//! - A cotangent or tangent that is exactly 0 passes nothing on, even where the derivative is NaN.
//! - Matrices up to 6×6 are factored and solved with in straight-line code: within loops and maps they take no call, and the
//!   rows of a map go side by side in lanes.
//!
//! # Functions by theme
//!
//! **Factors.** [`cholesky`], [`cho_factor`], [`lu`], [`lu_factor`].
//!
//! **Systems.** [`solve`], [`solve_positive`], [`cho_solve`], [`lu_solve`], [`solve_triangular`], [`inv`],
//! [`solve_low_rank`]; least squares: [`lstsq`], [`lstsq_by_values`].
//!
//! **Determinants.** [`det`], [`slogdet`], [`logdet`].
//!
//! **Spectra.** [`eigh`], [`eigvalsh`], [`eig`], [`eigvals`], [`hessenberg`], [`svd`], [`svdvals`], [`qr`], [`polar`];
//! [`spectral_sum`] and [`funm_symmetric`], functions of eigenvalues with exact derivatives at repeated ones.
//!
//! **Rank and size.** [`pinv`], [`matrix_rank`], [`cond`], [`matrix_norm`], [`orth`], [`null_space`].
//!
//! **Functions of matrices.** [`expm`], [`expm_frechet`], [`expm_multiply`], [`sqrtm`], [`logm`], [`matrix_power`].
//!
//! **Equations.** [`solve_sylvester`], [`solve_continuous_lyapunov`], [`solve_lyapunov`], [`solve_discrete_lyapunov`],
//! [`solve_continuous_are`], [`solve_discrete_are`].
//!
//! **Banded systems.** [`tridiagonal_solve`], [`solve_banded`], [`solveh_banded`].
//!
//! **Special matrices.** [`toeplitz`], [`circulant`], [`hankel`], [`companion`], [`hilbert`], [`block_diag`],
//! [`matmul_toeplitz`], [`solve_toeplitz`], [`solve_circulant`].
//!
//! **Products.** [`multi_dot`], [`khatri_rao`].
//!
//! **Complex matrices.** The module [`complex`].

mod arguments;
mod banded;
pub mod complex;
mod determinants;
mod equations;
mod factors;
mod functions;
mod least_squares;
mod norms;
mod special;
mod spectra;
mod spectral;
mod structure;
mod systems;

pub use banded::{solve_banded, solveh_banded, tridiagonal_solve};
pub use determinants::{det, logdet, slogdet};
pub use equations::{
    solve_continuous_are, solve_continuous_lyapunov, solve_discrete_are, solve_discrete_lyapunov, solve_lyapunov,
    solve_sylvester,
};
pub use factors::{CholeskyFactor, LuFactor, cho_factor, cholesky, lu, lu_factor};
pub use functions::{expm, expm_frechet, expm_multiply, logm, matrix_power, sqrtm};
pub use least_squares::{lstsq, lstsq_by_values, solve_low_rank};
pub use special::{
    block_diag, circulant, companion, hankel, hilbert, khatri_rao, matmul_toeplitz, multi_dot, solve_circulant,
    solve_toeplitz, toeplitz,
};
pub use spectra::{
    MatrixNorm, cond, eig, eigh, eigvals, eigvalsh, hessenberg, matrix_norm, matrix_rank, null_space, orth, pinv,
    polar, qr, svd, svdvals,
};
pub use spectral::{funm_symmetric, spectral_sum};
pub use systems::{Triangle, cho_solve, inv, lu_solve, solve, solve_positive, solve_triangular};
