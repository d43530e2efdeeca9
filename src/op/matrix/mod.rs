//! Linear algebra: factors, solutions and spectra of matrices, which are the last two axes of an array; the axes before
//! them are a stack.

mod banded;
mod equations;
mod exponential;
mod functions;
mod parts;
mod products;
mod riccati;

use super::rules::{expect_arity, floats};
use crate::ir::{Mismatch, mismatch};
use crate::value::{DType, Type};

pub use banded::{BandedSolve, TridiagonalSolve};
pub use equations::{SolveStein, SolveSylvester};
pub use exponential::{Expm, ExpmFrechet, ExpmMultiply};
pub use functions::{Logm, LogmFrechet, Sqrtm};
pub(crate) use parts::{lower_part, symmetric_part, transposed, upper_part};
pub use riccati::{SolveContinuousAre, SolveDiscreteAre};

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
