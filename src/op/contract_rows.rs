//! Contractions of rows: the batch rules of [`DotGeneral`] and [`StrongDot`].

use super::contract::is_identity;
use super::rules::{Batch, Batched, shifted, with_rows};
use super::strong::StrongMul;
use super::trace::{self, apply};
use super::{BroadcastInDim, DotGeneral, Op, StrongDot, Var};
use crate::value::{Shape, Type};

impl Batch for DotGeneral {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        batch(self, x, n, &|op| op.into(), &|x, y| x * y)
    }
}

impl Batch for StrongDot {
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        let swapped = |op: DotGeneral, is_swapped: bool| {
            let zeros = if is_swapped { self.zeros.swapped() } else { self.zeros };
            StrongDot { contract: op.contract, batch: op.batch, zeros }
        };
        let plain = DotGeneral { contract: self.contract.clone(), batch: self.batch.clone() };
        let product = |x: Var, y: Var| apply(StrongMul { zeros: self.zeros }, &[x, y]);
        batch(&plain, x, n, &|Contraction { op, is_swapped }| swapped(op, is_swapped).into(), &product)
    }
}

/// Whether the batch rule of an operation keeps the order of all sums, given the types of the operands of one row, and
/// which have rows. Only contractions may not: where one operand is a matrix that is the same for each row, and where both
/// are matrices.
pub(crate) fn keeps_order(op: &Op, operands: &[(&Type, bool)]) -> bool {
    let (contract, batch) = match op {
        Op::DotGeneral(op) => (&op.contract, &op.batch),
        Op::StrongDot(op) => (&op.contract, &op.batch),
        _ => return true,
    };
    let size = |slot: usize, axes: &[usize]| axes.iter().map(|&axis| operands[slot].0.shape[axis]).product::<usize>();
    let kept = |slot: usize| operands[slot].0.size() / (size(slot, &contract[slot]) * size(slot, &batch[slot])).max(1);
    let rows = [operands[0].1, operands[1].1];
    match rows {
        [false, false] => true,
        [true, true] => kept(0) <= 1 || kept(1) <= 1,
        [true, false] | [false, true] => kept(0) <= 1 && kept(1) <= 1 && batch[0].is_empty(),
    }
}

/// What a contraction gives for all unit vectors in the place of one operand: the other operand, its contracted axes first.
///
/// That is exact where zeros of the unit vectors annihilate, and where the other operand is finite, which derivative rules
/// see to; only a zero may have another sign. `None` if the operation is another, or keeps axes of the vectors.
pub(crate) fn of_unit_vectors(op: &Op, slot: usize, other: Var, n: usize) -> Option<Var> {
    let (contract, batch) = match op {
        Op::DotGeneral(op) => (&op.contract, &op.batch),
        Op::StrongDot(op) => (&op.contract, &op.batch),
        _ => return None,
    };
    let rank = trace::type_of(other)?.rank();
    let mut partners: Vec<(usize, usize)> =
        contract[slot].iter().copied().zip(contract[1 - slot].iter().copied()).collect();
    partners.sort_unstable();
    let keeps_none = partners.iter().enumerate().all(|(k, &(axis, _))| axis == k);
    let size: usize = contract[1 - slot].iter().map(|&axis| other.shape()[axis]).product();
    if !batch[slot].is_empty() || !keeps_none || size != n {
        return None;
    }
    let first = partners.into_iter().map(|(_, axis)| axis);
    let kept = (0..rank).filter(|axis| !contract[1 - slot].contains(axis));
    let perm: Vec<usize> = first.chain(kept.clone()).collect();
    let kept: Vec<usize> = kept.map(|axis| other.shape()[axis]).collect();
    let y = if is_identity(&perm) { other } else { other.transpose(&perm) };
    Some(y.reshape(&with_rows(&kept, n)))
}

/// A contraction of the operands, or of the operands the other way round.
struct Contraction {
    op: DotGeneral,
    is_swapped: bool,
}

impl From<Contraction> for Op {
    fn from(contraction: Contraction) -> Op {
        contraction.op.into()
    }
}

/// The contraction for each row. Where only one operand has rows, these are more of the axes that it keeps: one product
/// of larger matrices. Where both have, products of vectors are written out, so that they are fused with what surrounds
/// them; those of matrices stand side by side.
fn batch(
    op: &DotGeneral,
    x: &[Batched],
    n: usize,
    contract: &dyn Fn(Contraction) -> Op,
    product: &dyn Fn(Var, Var) -> Var,
) -> Var {
    let shapes = [0, 1].map(|slot| row_shape(x[slot]));
    let kept = [0, 1].map(|slot| op.kept(slot, shapes[slot].rank()));
    let size = |slot: usize, axes: &[usize]| axes.iter().map(|&axis| shapes[slot][axis]).product::<usize>();
    let is_vector = (0..2).any(|slot| size(slot, &kept[slot]) == 1);
    let no_sum = size(0, &op.contract[0]) == 1;
    if no_sum || is_vector && x[0].has_rows && x[1].has_rows {
        return written_out(op, x, n, &shapes, product);
    }
    let shift = |slot: usize, axes: &[usize]| if x[slot].has_rows { shifted(axes) } else { axes.to_vec() };
    let both = |axes: &[Vec<usize>; 2]| [shift(0, &axes[0]), shift(1, &axes[1])];
    let mut shifted = DotGeneral { contract: both(&op.contract), batch: both(&op.batch) };
    let n_batch = op.batch[0].len();
    match [x[0].has_rows, x[1].has_rows] {
        [true, true] => {
            shifted.batch.iter_mut().for_each(|axes| axes.insert(0, 0));
            apply(contract(Contraction { op: shifted, is_swapped: false }), &[x[0].var, x[1].var])
        }
        // The rows are the first of the axes that the right operand keeps. Where it keeps no other, it comes first, so that
        // no transposition is needed.
        [false, true] if kept[1].is_empty() => {
            shifted.contract.swap(0, 1);
            shifted.batch.swap(0, 1);
            let y = apply(contract(Contraction { op: shifted, is_swapped: true }), &[x[1].var, x[0].var]);
            leading(y, n_batch)
        }
        [false, true] => {
            let y = apply(contract(Contraction { op: shifted, is_swapped: false }), &[x[0].var, x[1].var]);
            leading(y, n_batch + kept[0].len())
        }
        [true, false] | [false, false] => {
            let y = apply(contract(Contraction { op: shifted, is_swapped: false }), &[x[0].var, x[1].var]);
            leading(y, n_batch)
        }
    }
}

/// The products of elements, and their sums along what is contracted: for each row in the order of [`DotGeneral`].
fn written_out(
    op: &DotGeneral,
    x: &[Batched],
    n: usize,
    shapes: &[Shape; 2],
    product: &dyn Fn(Var, Var) -> Var,
) -> Var {
    let kept = [0, 1].map(|slot| op.kept(slot, shapes[slot].rank()));
    let extents = |slot: usize, axes: &[usize]| axes.iter().map(|&axis| shapes[slot][axis]).collect::<Vec<usize>>();
    let groups = [extents(0, &op.batch[0]), extents(0, &op.contract[0]), extents(0, &kept[0]), extents(1, &kept[1])];
    // Sums run along the last axes, unless the last axis of the matrix is one that it keeps.
    let matrix = usize::from(extents(1, &kept[1]).iter().any(|&extent| extent != 1));
    let last = (0..shapes[matrix].rank()).rfind(|&axis| shapes[matrix][axis] != 1);
    let contracted_first = last.is_some_and(|axis| kept[matrix].contains(&axis));
    let order: [usize; 4] = if contracted_first { [0, 1, 2, 3] } else { [0, 2, 3, 1] };
    let first_of = |group: usize| -> usize {
        let before = order.iter().take_while(|&&other| other != group);
        1 + before.map(|&other| groups[other].len()).sum::<usize>()
    };
    let shape: Shape = [n].into_iter().chain(order.iter().flat_map(|&group| groups[group].iter().copied())).collect();
    let spread = |slot: usize| {
        let own = [(0, &op.batch[slot]), (1, &op.contract[slot]), (2 + slot, &kept[slot])];
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (group, axes) in own {
            places.extend(axes.iter().enumerate().map(|(k, &axis)| (first_of(group) + k, axis)));
        }
        places.sort_unstable();
        let first = usize::from(x[slot].has_rows);
        let perm: Vec<usize> = (0..first).chain(places.iter().map(|&(_, axis)| axis + first)).collect();
        let axes: Vec<usize> = (0..first).chain(places.iter().map(|&(place, _)| place)).collect();
        let y = if is_identity(&perm) { x[slot].var } else { x[slot].var.transpose(&perm) };
        if axes.len() == shape.rank() { y } else { apply(BroadcastInDim { shape: shape.clone(), axes }, &[y]) }
    };
    let first = first_of(1);
    let summed: Vec<usize> = (first..first + op.contract[0].len()).collect();
    let products = product(spread(0), spread(1));
    // A sum begins with 0, so that a single product that is -0 becomes 0.
    if summed.is_empty() { products + products.full_like(0.0) } else { products.sum_axes(&summed) }
}

/// The shape that an operand has for one row.
fn row_shape(x: Batched) -> Shape {
    let shape = x.var.shape();
    shape[usize::from(x.has_rows)..].iter().copied().collect()
}

/// The axis at that place before all others.
fn leading(x: Var, axis: usize) -> Var {
    if axis == 0 || x.is_poisoned() {
        return x;
    }
    let rank = x.rank();
    let perm: Vec<usize> = std::iter::once(axis).chain((0..rank).filter(|&other| other != axis)).collect();
    x.transpose(&perm)
}
