//! Linear algebra of complex matrices: the functions of [`linalg`](super) under the same names, for [`Complex`](crate::Complex).
//!
//! Matrices are the last two axes; the functions apply along any axes before them. Right-hand sides may be real. What is said
//! of real matrices there holds here, too: errors name the function and the caller's line; what does not exist is NaN, and
//! so is its derivative; a NaN or an infinity in a matrix makes its results NaN; a cotangent or tangent of 0 passes nothing on.
//!
//! ```
//! use num_complex::c64;
//! use retrograd::{Complex, Var, grad, jit, linalg::complex};
//!
//! // The current in a loop of two impedances depends on the frequency.
//! let current = |omega: Var| {
//!     let one = Complex::from(omega.full_like(1.0));
//!     let (coil, capacitor) = (Complex::from(c64(0.0, 2.0)) * omega, (Complex::from(c64(0.0, 0.5)) * omega).recip());
//!     let z = Complex::stack(&[Complex::stack(&[coil + 1.0, -one], 0), Complex::stack(&[-one, capacitor + 1.0], 0)], 0);
//!     complex::solve(z, Complex::stack(&[one, one * 0.0], 0)).at(0).abs_squared()
//! };
//! let slope: f64 = jit(grad(current)).call(1.0)?;
//! assert!((slope + 0.5).abs() < 1e-14);
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Functions by theme
//!
//! **Systems.** [`solve`], [`solve_positive`], [`cho_solve`], [`solve_triangular`], [`inv`], [`lstsq`].
//!
//! **Factors.** [`cholesky`], [`cho_factor`], [`lu`], [`qr`].
//!
//! **Determinants.** [`det`], [`slogdet`], [`logdet`].
//!
//! **Spectra.** [`eigh`], [`eigvalsh`], [`eig`], [`eigvals`], [`svd`], [`svdvals`].
//!
//! **Rank and size.** [`pinv`], [`matrix_rank`], [`cond`], [`matrix_norm`].
//!
//! **Functions of matrices.** [`expm`], [`matrix_power`].

mod arguments;
mod determinants;
mod factors;
mod functions;
mod spectra;
mod systems;

pub use determinants::{det, slogdet};
pub use factors::{CholeskyFactor, cho_factor, cho_solve, cholesky, logdet, lu, qr, solve_positive};
pub use functions::{expm, matrix_power};
pub use spectra::{cond, eig, eigh, eigvals, eigvalsh, matrix_norm, matrix_rank, svd, svdvals};
pub use systems::{inv, lstsq, pinv, solve, solve_triangular};
