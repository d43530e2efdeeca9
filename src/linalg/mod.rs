//! Linear algebra: the functions of `numpy.linalg` and `scipy.linalg`, under their names, for traced values.
//!
//! All take stacks of matrices: the last two axes are rows and columns, and the functions apply along any axes before them.

mod spectra;
mod spectral;

pub use spectra::*;
pub use spectral::{funm_symmetric, spectral_sum};
