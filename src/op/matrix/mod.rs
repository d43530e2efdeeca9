//! Linear algebra: factors, solutions and spectra of matrices, which are the last two axes of an array; the axes before
//! them are a stack.

mod eigh;
mod parts;
pub(crate) mod products;
mod svd;

use super::Op;
use super::rules::{expect_arity, floats};
use crate::ir::{Mismatch, mismatch};
use crate::value::{DType, Type};

pub use eigh::Eigh;
pub(crate) use eigh::eigh_of;
pub use svd::Svd;
pub(crate) use svd::svd_of;
pub(crate) use parts::{lower_part, symmetric_part, transposed, upper_part};

impl Op {
    /// The operation that gives, on the same operands and to the same bits, only one of the results for less, and which of
    /// them.
    pub(crate) fn narrower(&self) -> Option<(Op, u16)> {
        match self {
            Op::Eigh(Eigh { vectors: true }) => Some((Eigh { vectors: false }.into(), 0)),
            Op::Svd(Svd { vectors: true }) => Some((Svd { vectors: false }.into(), 1)),
            _ => None,
        }
    }

    /// The operation of which that is the narrower one, and which of its results this gives.
    pub(crate) fn wider(&self) -> Option<(Op, u16)> {
        match self {
            Op::Eigh(Eigh { vectors: false }) => Some((Eigh { vectors: true }.into(), 0)),
            Op::Svd(Svd { vectors: false }) => Some((Svd { vectors: true }.into(), 1)),
            _ => None,
        }
    }
}

/// The dtype and the extents of the matrices of the only operand.
fn one_matrix(operands: &[Type]) -> Result<(DType, [usize; 2]), Mismatch> {
    expect_arity(operands, 1)?;
    let dtype = floats(&[operands[0].dtype])?;
    Ok((dtype, extents(&operands[0])?))
}

/// The dtype and the extent of the square matrices of the only operand.
fn one_square(operands: &[Type]) -> Result<(DType, usize), Mismatch> {
    let (dtype, _) = one_matrix(operands)?;
    Ok((dtype, square(&operands[0])?))
}

/// The extents of the matrices of an operand.
fn extents(ty: &Type) -> Result<[usize; 2], Mismatch> {
    match ty.shape[..] {
        [.., m, n] => Ok([m, n]),
        _ => Err(mismatch!("takes matrices, which have at least 2 axes, but got {ty}")),
    }
}

/// The extent of the square matrices of an operand.
fn square(ty: &Type) -> Result<usize, Mismatch> {
    match extents(ty)? {
        [m, n] if m == n => Ok(n),
        _ => Err(mismatch!("takes square matrices, but got {ty}")),
    }
}

/// The leading axes with the given extents behind them.
fn stacked(ty: &Type, own: &[usize]) -> Type {
    let leading = &ty.shape[..ty.rank() - 2];
    Type::new(ty.dtype, leading.iter().chain(own).copied().collect::<crate::value::Shape>())
}

/// The bytes that a routine takes for a matrix of these extents; none if there are no matrices with elements, whose
/// extents may then be of any size.
fn bytes_of(ty: &Type, bytes: impl FnOnce([usize; 2]) -> usize) -> usize {
    if ty.size() == 0 { 0 } else { extents(ty).map_or(0, bytes) }
}
