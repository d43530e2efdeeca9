//! How many operations on elements an operation takes, if it is made element by element.

use crate::op::{DotGeneral, Lowering, MIN_INTERLEAVED, Op};
use crate::value::Type;

/// The operations on elements that an operation takes, or `None` if it is not made element by element.
pub fn of_elements(op: &Op, operands: &[&Type], result: &Type) -> Option<usize> {
    match op.lower() {
        Lowering::Elementwise | Lowering::Math1(_) | Lowering::Math2(_) => Some(result.size()),
        Lowering::Constant(_) | Lowering::View(_) => Some(0),
        Lowering::Reduce { .. } => Some(operands[0].size()),
        Lowering::Assemble(_) | Lowering::Generate(_) => Some(0),
        Lowering::Scatter(_) => Some(operands.iter().map(|ty| ty.size()).sum()),
        Lowering::Contract(dot) => work_of_dot(dot, operands[0], operands[1]),
        Lowering::Matrix(matrix) => matrix.work(operands),
        // Few routines on whole arrays are worth it.
        Lowering::Library(_) | Lowering::Checked(_) | Lowering::External(_) | Lowering::Control => None,
    }
}

fn work_of_dot(dot: &DotGeneral, lhs: &Type, rhs: &Type) -> Option<usize> {
    let contracted: usize = dot.contract[0].iter().map(|&axis| lhs.shape[axis]).product();
    let batch: usize = dot.batch[0].iter().map(|&axis| lhs.shape[axis]).product();
    let [m, n] = [lhs, rhs].map(|ty| ty.size().checked_div(contracted * batch).unwrap_or(0));
    // From there on sums are interleaved.
    let plain = contracted < MIN_INTERLEAVED && m * n * contracted <= crate::math::linear::MAX_PLAIN;
    plain.then_some(2 * batch * m * n * contracted)
}
