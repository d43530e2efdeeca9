//! The same of complex matrices, which are pairs of arrays of one type: their real and their imaginary parts.

mod eig;
mod eigh;
mod lu;
mod qr;
mod solve;
mod svd;

pub use eig::ComplexEig;
pub(crate) use eig::{complex_eig_of, complex_eigvals_of};
pub use eigh::ComplexEigh;
pub(crate) use eigh::complex_eigh_of;
pub use lu::ComplexLu;
pub(crate) use lu::complex_lu_of;
pub use qr::ComplexQr;
pub(crate) use qr::complex_qr_of;
pub use solve::ComplexSolve;
pub use svd::ComplexSvd;
pub(crate) use svd::complex_svd_of;

use super::super::rules::{expect_arity, floats};
use super::{extents, square};
use crate::ir::{Mismatch, mismatch};
use crate::value::Type;

/// The extents of complex matrices, whose parts are the only operands.
fn one_matrix(operands: &[Type]) -> Result<[usize; 2], Mismatch> {
    expect_arity(operands, 2)?;
    floats(&[operands[0].dtype, operands[1].dtype])?;
    if operands[0] != operands[1] {
        return Err(mismatch!("takes parts of one type, but got {} and {}", operands[0], operands[1]));
    }
    extents(&operands[0])
}

/// The extent of complex square matrices, whose parts are the only operands.
fn one_square(operands: &[Type]) -> Result<usize, Mismatch> {
    one_matrix(operands)?;
    square(&operands[0])
}
