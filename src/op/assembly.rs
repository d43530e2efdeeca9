//! Results that are put together from parts, each at a slice of its own: what `pad`, `concatenate` and `scatter_slices`
//! have in common for whoever compiles them.

use smallvec::SmallVec;

use super::{Layout, Op};
use crate::value::Shape;

/// A result that is put together from operands.
#[derive(Debug)]
pub(crate) struct Assembly {
    /// Where the operands go that have elements, in the order of their slots.
    pub parts: Vec<Part>,
    /// What stands where no part does.
    pub rest: Rest,
}

/// What stands in a result where no part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// There is no such place, and no place belongs to two parts.
    Nothing,
    /// The element of that operand. No place belongs to two parts.
    Operand(usize),
    /// Zeros, to which the parts are added in their order.
    Zeros,
}

/// Where the elements of one operand go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The operand.
    pub slot: usize,
    /// For each axis the index of the first element in the result, and the distance of neighbors.
    axes: SmallVec<[(usize, usize); 4]>,
    shape: Shape,
}

impl Part {
    /// The part of an operand of that shape; for each axis, where it begins, and how far its elements are apart.
    pub(super) fn new(slot: usize, shape: &Shape, axis: impl Fn(usize) -> (usize, usize)) -> Part {
        let axis = |k: usize| {
            let (start, step) = axis(k);
            // One element has no neighbor, however far the next would be.
            if shape[k] == 1 { (start, 1) } else { (start, step) }
        };
        Part { slot, axes: (0..shape.rank()).map(axis).collect(), shape: shape.clone() }
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.shape.size()
    }

    /// The places of the elements in a result of that shape.
    pub fn layout(&self, result: &Shape) -> Layout {
        let along = result.strides();
        let axes = || self.axes.iter().zip(&along);
        Layout {
            offset: axes().map(|(&(start, _), &stride)| start as isize * stride).sum(),
            strides: axes().map(|(&(_, step), &stride)| step as isize * stride).collect(),
            shape: self.shape.clone(),
        }
    }

    /// Whether some place may belong to both parts.
    pub fn overlaps(&self, other: &Part) -> bool {
        (0..self.axes.len()).all(|axis| {
            let ((a, step), (b, other_step)) = (self.axes[axis], other.axes[axis]);
            let last = |start: usize, step: usize, extent: usize| start + (extent - 1) * step;
            let apart = last(a, step, self.shape[axis]) < b || last(b, other_step, other.shape[axis]) < a;
            let between = step == other_step && a.abs_diff(b) % step != 0;
            !apart && !between
        })
    }

    /// Whether a loop that goes through both parts at once, in row-major order, is at each place that belongs to both
    /// with this part first, or with both at the same time.
    pub fn leads(&self, other: &Part) -> bool {
        let alike = self.axes.iter().zip(&other.axes).all(|((_, step), (_, other_step))| step == other_step);
        let starts = |part: &Part| part.axes.iter().map(|&(start, _)| start).collect::<SmallVec<[usize; 4]>>();
        // What begins later in the result is at a place of the result earlier.
        alike && self.shape == other.shape && starts(self) >= starts(other)
    }
}

impl Op {
    /// How the result is put together from operands of these shapes, if it is.
    pub(crate) fn assembly(&self, operands: &[&Shape]) -> Option<Assembly> {
        if let Op::Pad(pad) = self {
            return pad.assembly(operands[0]);
        }
        if let Op::Concatenate(concatenate) = self {
            return Some(concatenate.assembly(operands));
        }
        if let Op::ScatterSlices(scatter) = self {
            return Some(scatter.assembly(operands));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Concatenate, Pad, ScatterSlices};

    fn part(shape: &[usize], axes: &[(usize, usize)]) -> Part {
        Part::new(0, &shape.into(), |axis| axes[axis])
    }

    /// The places of every part, for operands of these shapes.
    fn places(op: impl Into<Op>, operands: &[&[usize]], result: &[usize]) -> Vec<Vec<isize>> {
        let shapes: Vec<Shape> = operands.iter().map(|&shape| shape.into()).collect();
        let assembly = op.into().assembly(&shapes.iter().collect::<Vec<_>>()).unwrap();
        assembly.parts.iter().map(|part| part.layout(&result.into()).places().collect()).collect()
    }

    #[test]
    fn operations_say_where_their_operands_go() {
        let join = Concatenate { axis: 1 };
        assert_eq!(places(join, &[&[2, 1], &[2, 0], &[2, 2]], &[2, 3]), [vec![0, 3], vec![1, 2, 4, 5]]);
        let pad = Pad { low: vec![1, 0], high: vec![0, 1], interior: vec![2, 0] };
        assert_eq!(places(pad, &[&[2, 2], &[]], &[5, 3]), [[3, 4, 12, 13]]);
        let cut = Op::from(Pad { low: vec![-1], high: vec![0], interior: vec![0] });
        assert!(cut.assembly(&[&[3].into(), &[].into()]).is_none());
        let scatter = |starts: [usize; 2], strides: [usize; 2]| ScatterSlices {
            shape: [9].into(),
            starts: starts.map(|start| vec![start]).into(),
            strides: strides.map(|stride| vec![stride]).into(),
        };
        assert_eq!(places(scatter([1, 0], [3, 1]), &[&[3], &[2]], &[9]), [vec![1, 4, 7], vec![0, 1]]);
        assert_eq!(places(scatter([0, 8], [1, usize::MAX]), &[&[0], &[1]], &[9]), [[8]]);
    }

    #[test]
    fn parts_overlap_unless_an_axis_tells_them_apart() {
        assert!(part(&[3], &[(0, 1)]).overlaps(&part(&[3], &[(2, 1)])));
        assert!(!part(&[3], &[(0, 1)]).overlaps(&part(&[3], &[(3, 1)])));
        assert!(!part(&[3], &[(0, 2)]).overlaps(&part(&[3], &[(1, 2)])));
        assert!(part(&[3], &[(0, 2)]).overlaps(&part(&[2], &[(1, 3)])));
        assert!(!part(&[4, 3], &[(0, 1), (0, 1)]).overlaps(&part(&[4, 2], &[(0, 1), (3, 1)])));
    }

    #[test]
    fn what_begins_later_leads() {
        let [first, second] = [part(&[3], &[(0, 1)]), part(&[3], &[(1, 1)])];
        assert!(second.leads(&first) && !first.leads(&second) && first.leads(&first));
        // Rows count more than what is within them.
        let [low, high] = [part(&[3, 3], &[(0, 1), (2, 1)]), part(&[3, 3], &[(1, 1), (0, 1)])];
        assert!(high.leads(&low) && !low.leads(&high));
        // Other steps, or another shape, are at common places in no fixed order.
        assert!(!part(&[3], &[(4, 2)]).leads(&first) && !part(&[2], &[(4, 1)]).leads(&first));
    }
}
