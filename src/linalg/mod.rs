//! Linear algebra: the functions of `numpy.linalg` and `scipy.linalg`, under their names, for traced values.
//!
//! All take stacks of matrices: the last two axes are rows and columns, and the functions apply along any axes before them.

mod axes;
mod functions;

pub use functions::{expm, expm_frechet, expm_multiply};
