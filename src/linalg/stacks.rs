//! Several stacks of matrices as operands of one operation.

use super::arguments::matrices;
use crate::op::{Var, broadcast_shape, trace};

/// Matrices of floating point and of one dtype, with the same leading axes, to which those of the operands broadcast; `None`
/// after an error.
#[track_caller]
pub(super) fn stacks<const N: usize>(operands: [Var; N]) -> Option<[Var; N]> {
    let mut found = operands;
    let mut leading = Vec::new();
    for x in &mut found {
        *x = matrices(*x)?.0;
        let shape = x.shape();
        let own = &shape[..shape.rank() - 2];
        let Some(all) = broadcast_shape(&leading, own) else {
            trace::fail_at(format!("cannot broadcast the leading axes of {shape} with {leading:?}"));
            return None;
        };
        leading = all.to_vec();
    }
    if let Some(other) = found.iter().find(|x| x.dtype() != found[0].dtype()) {
        trace::fail_at(format!(
            "takes operands of one dtype, but got {} and {}; use convert",
            found[0].ty(),
            other.ty()
        ));
        return None;
    }
    Some(found.map(|x| {
        let shape = x.shape();
        let own = &shape[shape.rank() - 2..];
        if shape[..shape.rank() - 2] == leading[..] { x } else { x.broadcast_to(&[&leading, own].concat()) }
    }))
}
