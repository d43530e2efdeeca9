//! Results that are assembled from parts: each part goes to its places from the loop that makes it, or is made there in
//! the first place, so that it needs no memory of its own.
//!
//! A part that is added where another has been must come after that one. In one nest the two go to successive levels: a
//! tile of the first is stored before one of the second is added, and from tile to tile the first has to be ahead.

use std::cmp::Ordering;
use std::ops::Range;

use rustc_hash::FxHashSet;

use super::kernels::{Filling, Item, LoopKernel, MAX_SMALL, PlacedPart, Put, ScalarOp, Schedule, Source, ValueId};
use crate::ir::{NodeId, Value};
use crate::op::{Layout, Part, Reshape, Rest, View};
use crate::value::Shape;

/// A result of which loops place more parts is assembled by a routine: each of them is compared with all others here.
const MAX_PARTS: usize = 32;

/// A part goes to its places from a loop if so many of its elements lie at even distances in a row, or all of them.
/// Shorter rows would cut those of everything else in the loop.
const MIN_ROW: usize = 64;

/// If more segments of a result are to be filled, all of it is.
const MAX_STRETCHES: usize = 8;

impl PlacedPart {
    /// Whether it may stand in a kernel, where another part of the result, which comes before it, stands in that other one.
    pub fn may_follow(&self, other: &PlacedPart, kernel: usize, other_kernel: usize) -> bool {
        match other_kernel.cmp(&kernel) {
            Ordering::Less => true,
            Ordering::Equal => !self.part.overlaps(&other.part) || other.part.leads(&self.part),
            Ordering::Greater => !self.part.overlaps(&other.part),
        }
    }

    /// If this is the first part of its result in a nest, all of them that are there.
    pub fn together<'n>(&self, nest: &'n LoopKernel) -> Option<Vec<&'n PlacedPart>> {
        let parts = nest.items.iter().filter_map(|item| match item {
            Item::Part(part) if part.node == self.node => Some(&**part),
            _ => None,
        });
        let parts: Vec<&PlacedPart> = parts.collect();
        (parts.first()?.part.slot == self.part.slot).then_some(parts)
    }
}

/// The listing's line of a result of which a nest has these parts.
pub fn line(schedule: &Schedule<'_>, parts: &[&PlacedPart]) -> String {
    let first = parts[0];
    let line = schedule.graph.line(first.node);
    if parts.len() == first.of {
        return line;
    }
    let operands = schedule.graph.operands(first.node);
    let names = parts.iter().map(|part| schedule.graph.value_name(operands[part.part.slot]));
    format!("{line}, of it {}", names.collect::<Vec<_>>().join(", "))
}

/// How a result is assembled.
#[derive(Default)]
pub struct Placement {
    /// The values that are made in the result's memory, each with the place of its first element.
    pub inside: Vec<(ValueId, usize)>,
    /// The small parts that straight-line code stores.
    pub stored: Vec<ScalarOp>,
    /// The parts that loops place, in an order in which loops may take them, the first with the filling.
    pub placed: Vec<PlacedPart>,
}

/// How the parts of a node's result come to their places. `None` if a routine does better, or if it is no such node.
pub fn placement(schedule: &Schedule<'_>, node: NodeId) -> Option<Placement> {
    let graph = schedule.graph;
    let operands = graph.operands(node);
    let shapes: Vec<&Shape> = operands.iter().map(|&x| &graph.ty(x).shape).collect();
    let mut assembly = graph.node(node).op()?.assembly(&shapes)?;
    if assembly.parts.is_empty() {
        return None;
    }
    // Two numbers are added to 0 in either order with the same result; one of the orders may do with one loop.
    if let [first, second] = &assembly.parts[..]
        && second.leads(first)
        && !first.leads(second)
    {
        assembly.parts.swap(0, 1);
    }
    let result = &graph.ty(node.into()).shape;
    let of = assembly.parts.len();
    let mut placement = Placement::default();
    let mut inside = FxHashSet::default();
    for part in assembly.parts {
        let (from, places) = flattened(schedule, operands[part.slot], part.layout(result));
        let row = row_of(&places);
        let parts_only = assembly.rest == Rest::Nothing;
        if parts_only && may_be_inside(schedule, from, &places) && inside.insert(schedule.id(from)) {
            placement.inside.push((schedule.id(from), places.offset.unsigned_abs()));
        } else if parts_only && part.size() <= MAX_SMALL && row == part.size() {
            placement.store(schedule, from, node, &places)?;
        } else if row >= MIN_ROW.min(part.size()) && placement.placed.len() < MAX_PARTS {
            let put = placement.put(&part, assembly.rest);
            placement.placed.push(PlacedPart { node, part, from, places, put, of, filling: None });
        } else {
            return None;
        }
    }
    if assembly.rest != Rest::Nothing {
        let with = if let Rest::Operand(slot) = assembly.rest { Some(operands[slot]) } else { None };
        let segments = segments(&placement.placed, result.size());
        placement.placed[0].filling = Some(Filling { segments, with });
    }
    Some(placement)
}

impl Placement {
    /// How a part is put after those that are placed already.
    fn put(&self, part: &Part, rest: Rest) -> Put {
        match rest {
            Rest::Nothing | Rest::Operand(_) => Put::Store,
            Rest::Zeros if self.placed.iter().any(|before| before.part.overlaps(part)) => Put::Add,
            Rest::Zeros => Put::AddToZero,
        }
    }

    /// Adds the step that stores a small part, whose elements lie at even distances, or makes the last step, which stores
    /// the same number right before it, longer. `None` if the result is too large for a step.
    fn store(&mut self, schedule: &Schedule<'_>, from: Value, node: NodeId, places: &Layout) -> Option<()> {
        let first_here = u32::try_from(places.offset).ok()?;
        let n_here = u32::try_from(places.shape.size()).ok()?;
        let axes = 0..places.shape.rank();
        let step = axes.rev().find(|&axis| places.shape[axis] != 1).map_or(1, |axis| places.strides[axis]);
        // Arrays are equal only to the bit. A number may stand for many elements, which must be neighbors to be filled.
        let number = |x: Value| schedule.constant(x).filter(|constant| constant.size() == 1);
        if number(from).is_none() || step != 1 {
            self.stored.push(ScalarOp::Part { from, node, first: first_here, step: step.try_into().ok()? });
            return Some(());
        }
        match self.stored.last_mut() {
            Some(ScalarOp::Fill { with, first, n, .. })
                if first.checked_add(*n) == Some(first_here) && number(*with) == number(from) =>
            {
                *n = n.checked_add(n_here)?;
            }
            _ => self.stored.push(ScalarOp::Fill { with: from, node, first: first_here, n: n_here }),
        }
        Some(())
    }
}

/// Whether a value can be made at these places: it is made as a whole and has no other place, and what a loop makes at each
/// index goes there from registers.
fn may_be_inside(schedule: &Schedule<'_>, from: Value, places: &Layout) -> bool {
    let root = schedule.id(from);
    let made = matches!(schedule.source(root), Source::Scalar(_) | Source::After(_)) && schedule.root(from) == root;
    made && !schedule.has_place(root) && places.is_row_major() && schedule.ty(from).size() == places.shape.size()
}

/// A value and the places of its elements; or, if it has the elements of another in their order, that one and the places,
/// if strides express them: so it may be placed by the loop that makes the other.
fn flattened(schedule: &Schedule<'_>, x: Value, places: Layout) -> (Value, Layout) {
    let access = schedule.access(x);
    let root = schedule.value(access.root);
    let shape = &schedule.ty(root).shape;
    let all = access.layout.offset == 0 && access.layout.is_row_major() && shape.size() == access.layout.shape.size();
    let reshaped = Reshape { shape: shape.clone() }.view(&places);
    match reshaped.filter(|_| all) {
        Some(places) => (root, with_even_units(places)),
        None => (x, with_even_units(places)),
    }
}

/// Gives axes of extent 1, along which nothing moves, the strides with which they can be merged with their neighbors.
fn with_even_units(mut places: Layout) -> Layout {
    let axes = 0..places.shape.rank();
    let innermost = axes.clone().rev().find(|&axis| places.shape[axis] != 1);
    let mut stride = innermost.map_or(1, |axis| places.strides[axis]);
    for axis in axes.rev() {
        if places.shape[axis] == 1 {
            places.strides[axis] = stride;
        }
        stride = places.strides[axis] * places.shape[axis].cast_signed();
    }
    places
}

/// How many elements in row-major order lie at even distances.
fn row_of(places: &Layout) -> usize {
    let mut row = 1;
    let mut next = None;
    for axis in (0..places.shape.rank()).rev().filter(|&axis| places.shape[axis] != 1) {
        if next.is_some_and(|next| places.strides[axis] != next) {
            break;
        }
        row *= places.shape[axis];
        next = Some(places.strides[axis] * places.shape[axis].cast_signed());
    }
    row
}

/// What has to be filled in a result of that size so that, with what the parts store, all of it is defined.
fn segments(parts: &[PlacedPart], size: usize) -> Vec<Range<usize>> {
    // What is stored nowhere overlaps.
    let stored = || parts.iter().filter(|part| part.put != Put::Add);
    if stored().map(|part| part.part.size()).sum::<usize>() == size {
        return Vec::new();
    }
    let whole = stored().filter(|part| part.places.is_row_major());
    let mut covered: Vec<Range<usize>> = whole
        .map(|part| (part.places.offset.unsigned_abs(), part.part.size()))
        .map(|(first, n)| first..first + n)
        .collect();
    covered.sort_unstable_by_key(|range| range.start);
    let starts = std::iter::once(0).chain(covered.iter().map(|range| range.end));
    let ends = covered.iter().map(|range| range.start).chain(std::iter::once(size));
    let gaps: Vec<Range<usize>> =
        starts.zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty()).collect();
    if gaps.len() <= MAX_STRETCHES { gaps } else { std::iter::once(0..size).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Graph, Op, Pad, ScatterSlices};
    use crate::value::{DType, Type};

    fn layout(shape: &[usize], strides: &[isize]) -> Layout {
        Layout { offset: 0, strides: strides.into(), shape: shape.into() }
    }

    /// The parts of one operation on inputs of these shapes, and from where to where is filled.
    fn parts(op: impl Into<Op>, shapes: &[&[usize]]) -> Option<(Vec<(usize, Put)>, Vec<[usize; 2]>)> {
        let mut graph = Graph::new("main");
        let inputs = shapes.iter().enumerate();
        let inputs = inputs.map(|(k, &shape)| graph.add_input(format!("x{k}"), Type::new(DType::F64, shape)).unwrap());
        let inputs: Vec<Value> = inputs.collect();
        let node = graph.add(op.into(), &inputs, Default::default()).unwrap();
        graph.add_output("y", node.into()).unwrap();
        let mut parts = placement(&Schedule::new(&graph), node)?.placed;
        let filling = parts[0].filling.take().unwrap();
        assert!(parts.iter().all(|part| part.filling.is_none()));
        let segments = filling.segments.into_iter().map(|segment| [segment.start, segment.end]);
        Some((parts.iter().map(|part| (part.part.slot, part.put)).collect(), segments.collect()))
    }

    fn scatter(size: usize, starts: &[usize], strides: &[usize]) -> ScatterSlices {
        let each = |numbers: &[usize]| numbers.iter().map(|&number| vec![number]).collect();
        ScatterSlices { shape: [size].into(), starts: each(starts), strides: each(strides) }
    }

    #[test]
    fn what_no_part_stores_is_filled() {
        use Put::{Add, AddToZero, Store};
        let one = |op: ScatterSlices, n: usize| parts(op, &[&[n]]).unwrap();
        assert_eq!(one(scatter(100, &[10], &[1]), 50), (vec![(0, AddToZero)], vec![[0, 10], [60, 100]]));
        // Between the elements of a slice with steps all is filled first.
        assert_eq!(one(scatter(100, &[1], &[2]), 40).1, [[0, 100]]);
        let two = |starts: &[usize], strides: &[usize]| parts(scatter(100, starts, strides), &[&[50], &[50]]).unwrap();
        assert_eq!(two(&[50, 0], &[1, 1]), (vec![(0, AddToZero), (1, AddToZero)], vec![]));
        assert!(two(&[1, 0], &[2, 2]).1.is_empty());
        assert_eq!(two(&[3, 2], &[1, 1]), (vec![(0, AddToZero), (1, Add)], vec![[0, 3], [53, 100]]));
        // The one that begins later comes first.
        assert_eq!(two(&[2, 3], &[1, 1]), (vec![(1, AddToZero), (0, Add)], vec![[0, 3], [53, 100]]));
        let pad = Pad { low: vec![1, 0], high: vec![0, 0], interior: vec![0, 0] };
        assert_eq!(parts(pad, &[&[20, 80], &[]]).unwrap(), (vec![(0, Store)], vec![[0, 80]]));
    }

    #[test]
    fn short_rows_and_many_parts_are_left_to_routines() {
        let pad = |low: usize| Pad { low: vec![0, crate::emit::signed(low)], high: vec![0, 0], interior: vec![0, 0] };
        assert!(parts(pad(1), &[&[50, 3], &[]]).is_none());
        assert_eq!(parts(pad(1), &[&[50, 64], &[]]).unwrap().1, [[0, 50 * 65]]);
        assert!(parts(pad(0), &[&[50, 3], &[]]).unwrap().1.is_empty());
        let many = |n: usize| parts(scatter(100, &vec![0; n], &vec![1; n]), &vec![&[100][..]; n]);
        assert!(many(MAX_PARTS).is_some() && many(MAX_PARTS + 1).is_none());
    }

    #[test]
    fn axes_of_one_element_cut_no_rows() {
        assert_eq!(row_of(&layout(&[3, 50, 1], &[150, 3, 0])), 150);
        assert_eq!(row_of(&layout(&[3, 50, 1], &[151, 3, 7])), 50);
        assert_eq!(with_even_units(layout(&[3, 1, 50, 1], &[150, 0, 3, 0])).strides[..], [150, 150, 3, 3]);
        assert_eq!(with_even_units(layout(&[1, 1], &[0, 0])).strides[..], [1, 1]);
    }
}
