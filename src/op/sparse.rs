//! Sums of products with what is zero but for a few slices: the cotangent of an array of which little is read.

use super::indices::{Indexing, OutOfBounds};
use super::trace::{self, apply};
use super::{DotGeneral, Gather, Op, Scatter, Update, Var};
use crate::value::Scalar;

/// The contraction in which only those slices of the other operand are read that meet the few of one that may be other
/// than zero, if one is so along the axis that is summed over.
///
/// To be asked only where zeros need not annihilate: cotangents that cancel in a sum would not.
#[track_caller]
pub(super) fn contraction(op: &DotGeneral, operands: [Var; 2]) -> Option<Var> {
    for slot in 0..2 {
        let ([axis], [other_axis]) = (&op.contract[slot][..], &op.contract[1 - slot][..]) else { return None };
        let Some(few) = FewSlices::of(operands[slot], *axis, MAX_STEPS) else { continue };
        let mut slices = [few.values; 2];
        slices[1 - slot] = few.same_of(operands[1 - slot], *other_axis);
        return Some(apply(op.clone(), &slices));
    }
    None
}

/// How many operations lie at most between the product and where the slices are added to zeros.
const MAX_STEPS: usize = 4;

/// An array that is zero but for slices that are added along one axis.
struct FewSlices {
    /// Where along the axis, `i64[k, 1]`.
    indices: Var,
    /// What becomes of indices beyond the axis.
    out_of_bounds: OutOfBounds,
    /// The slices, side by side along the axis.
    values: Var,
    /// What adds them, whose line is that of the user's indices.
    added: Var,
}

impl FewSlices {
    #[track_caller]
    fn of(x: Var, axis: usize, max_steps: usize) -> Option<FewSlices> {
        let steps = max_steps.checked_sub(1)?;
        let (op, operands) = made_by(x, |op| matches!(op, Op::Scatter(_) | Op::Mul(_) | Op::Neg(_)))?;
        match op {
            Op::Scatter(scatter) => FewSlices::added(x, &scatter, &operands, axis),
            Op::Neg(_) => {
                let few = FewSlices::of(operands[0], axis, steps)?;
                Some(FewSlices { values: -few.values, ..few })
            }
            Op::Mul(_) => {
                for slot in 0..2 {
                    let Some(few) = FewSlices::of(operands[slot], axis, steps) else { continue };
                    let factor = few.same_of(operands[1 - slot], axis);
                    return Some(FewSlices { values: few.values * factor, ..few });
                }
                None
            }
            _ => None,
        }
    }

    fn added(added: Var, scatter: &Scatter, operands: &[Var], axis: usize) -> Option<FewSlices> {
        let [array, indices, slices] = [0, 1, 2].map(|k| operands[k].shape());
        let is_by_rows = indices.rank() == 2 && scatter.indexing == Indexing::rows(axis, array.rank(), 1);
        let is_added = scatter.update == Update::Add && scatter.out_of_bounds != OutOfBounds::Drop;
        let is_few = array[axis] >= MIN_EXTENT && indices[0] <= array[axis] / 4;
        let is_whole = (0..array.rank()).all(|k| k == axis || slices[k] == array[k]);
        let few = FewSlices { indices: operands[1], out_of_bounds: scatter.out_of_bounds, values: operands[2], added };
        (is_by_rows && is_added && is_few && is_whole && is_zero(operands[0])).then_some(few)
    }

    /// The slices of another array at the same places along an axis.
    #[track_caller]
    fn same_of(&self, x: Var, axis: usize) -> Var {
        let mut sizes = x.shape().to_vec();
        sizes[axis] = 1;
        let indexing = Indexing::rows(axis, x.rank(), 1);
        let gather = Gather { indexing, sizes, out_of_bounds: self.out_of_bounds, summed: vec![] };
        trace::at_line_of(self.added, || apply(gather, &[x, self.indices]))
    }
}

/// Below this extent, all slices are read as fast.
const MIN_EXTENT: usize = 256;

/// The operation that made a variable, with its operands, if it is one of those that are sought.
fn made_by(x: Var, is_sought: impl FnOnce(&Op) -> bool) -> Option<(Op, Vec<Var>)> {
    let value = trace::local(x)?;
    let (op, operands) = trace::inspect(|graph| {
        let op = graph.node(value.node).op().filter(|op| is_sought(op))?;
        Some((op.clone(), graph.operands(value.node)))
    })?;
    Some((op, operands.into_iter().map(trace::variable).collect()))
}

/// Whether an array is a repeated zero.
fn is_zero(x: Var) -> bool {
    match made_by(x, |op| matches!(op, Op::BroadcastInDim(_) | Op::Constant(_))) {
        Some((Op::BroadcastInDim(_), operands)) => is_zero(operands[0]),
        Some((Op::Constant(constant), _)) if constant.value.size() == 1 => {
            constant.value.get(0).is_some_and(|x| matches!(x, Scalar::F64(0.0) | Scalar::F32(0.0)))
        }
        _ => false,
    }
}
