//! Which elements straight-line code finds in registers when it reads them.
//!
//! The code of a stretch is known from end to end, so that what gives way where registers run out is what is read
//! again last (Belady, "A study of replacement algorithms for a virtual-storage computer", 1966); it passes through
//! memory. What is kept at any one time fits into the registers of the machine, so that register allocation, which is
//! superlinear where it has to choose, has little to choose, and frames stay small.

use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use super::calls;
use super::plan::{Plan, ScalarOp, ValueId};
use crate::ir::Value;
use crate::op::Lowering;

/// An element: the root of its value, and the place among the elements of that.
pub(super) type Element = (ValueId, isize);

/// How many floats are kept; instructions need further registers between.
const FLOATS: usize = 14;

/// How many numbers of other dtypes are kept, beside addresses.
const OTHERS: usize = 7;

/// The position of a read that never comes.
const NEVER: u32 = u32::MAX;

/// An element in a register.
#[derive(Clone, Copy)]
struct Kept {
    element: u32,
    next: u32,
}

/// For each read of a stretch, in order, whether the element is in a register. Constants are no reads: they stand in the
/// code.
pub(super) fn hits(plan: &Plan<'_>, ops: &[ScalarOp]) -> Box<[bool]> {
    let Reads { reads, next, numbers } = Reads::new(plan, ops);
    let mut first = vec![NEVER; numbers.len()];
    for (k, &element) in reads.iter().enumerate().rev() {
        first[element as usize] = k as u32;
    }
    let mut hits = Vec::with_capacity(reads.len());
    let mut kept: [SmallVec<[Kept; 32]>; 2] = [SmallVec::new(), SmallVec::new()];
    for step in calls::steps(plan, ops) {
        for x in step.iter().flat_map(|&op| plan.scalar_operands(op)) {
            if plan.constant(x).is_some() {
                continue;
            }
            let kept = &mut kept[class(plan, x)];
            for _ in 0..plan.ty(x).size() {
                let k = hits.len();
                let known = kept.iter_mut().find(|kept| kept.element == reads[k]);
                hits.push(known.is_some());
                match known {
                    Some(known) => known.next = next[k],
                    None => kept.push(Kept { element: reads[k], next: next[k] }),
                }
            }
        }
        if loses_registers(plan, step[0]) {
            kept.iter_mut().for_each(SmallVec::clear);
        }
        for &op in step {
            let ScalarOp::Node(node) = op else { continue };
            let made =
                (0..plan.ty(node.into()).size()).filter_map(|k| numbers.get(&(plan.id(node.into()), k as isize)));
            let made = made.map(|&element| Kept { element, next: first[element as usize] });
            kept[class(plan, node.into())].extend(made);
        }
        for (kept, room) in kept.iter_mut().zip([FLOATS, OTHERS]) {
            make_room(kept, room);
        }
    }
    hits.into_boxed_slice()
}

/// What is not read again goes, then what is read again last.
fn make_room(kept: &mut SmallVec<[Kept; 32]>, room: usize) {
    kept.retain(|kept| kept.next != NEVER);
    while kept.len() > room {
        let (last, _) = kept.iter().enumerate().max_by_key(|(_, kept)| kept.next).expect("bug: more than none");
        kept.swap_remove(last);
    }
}

fn class(plan: &Plan<'_>, x: Value) -> usize {
    usize::from(!plan.ty(x).dtype.is_float())
}

/// Whether all registers have other contents after an operation: calls use them, and branches end what is allocated
/// together.
fn loses_registers(plan: &Plan<'_>, op: ScalarOp) -> bool {
    match op {
        ScalarOp::Node(node) => {
            let op = plan.graph.node(node).op().expect("bug: an input among operations");
            matches!(op.lower(), Lowering::Math1(_) | Lowering::Math2(_))
        }
        ScalarOp::Output { .. } => false,
        ScalarOp::Guard(_) => true,
    }
}

/// What a stretch reads.
struct Reads {
    /// The number of each element that is read, in order.
    reads: Vec<u32>,
    /// For each read, that of the same element which comes next.
    next: Vec<u32>,
    numbers: FxHashMap<Element, u32>,
}

impl Reads {
    fn new(plan: &Plan<'_>, ops: &[ScalarOp]) -> Reads {
        let mut numbers: FxHashMap<Element, u32> = FxHashMap::default();
        let mut reads = Vec::with_capacity(2 * ops.len());
        for x in ops.iter().flat_map(|&op| plan.scalar_operands(op)).filter(|&x| plan.constant(x).is_none()) {
            let root = plan.root(x);
            for place in places(plan, x) {
                let unknown = numbers.len() as u32;
                reads.push(*numbers.entry((root, place)).or_insert(unknown));
            }
        }
        let mut next = vec![NEVER; reads.len()];
        let mut last_seen = vec![NEVER; numbers.len()];
        for (k, &element) in reads.iter().enumerate().rev() {
            next[k] = std::mem::replace(&mut last_seen[element as usize], k as u32);
        }
        Reads { reads, next, numbers }
    }
}

/// The places of a value's elements among those of its root, in row-major order.
pub(super) fn places(plan: &Plan<'_>, x: Value) -> SmallVec<[isize; 1]> {
    if plan.ty(x).size() == 1 {
        return smallvec![plan.element(x)];
    }
    plan.access(x).layout.places().collect()
}

#[cfg(test)]
mod tests {
    use super::super::plan::Kernel;
    use super::*;
    use crate::op::trace::{self, record};
    use crate::op::{Graph, Var};
    use crate::value::{DType, Type};

    fn hits_of(f: impl FnOnce(Var) -> Var) -> Vec<bool> {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
        let (mut graph, y) = record(graph, 1000, None, || f(trace::variable(x))).unwrap();
        graph.add_output("y", y.value().unwrap());
        let plan = Plan::new(&graph);
        let [Kernel::Scalar(ops)] = &plan.kernels[..] else { panic!("{:?}", plan.kernels) };
        hits(&plan, ops).into_vec()
    }

    #[test]
    fn what_is_read_again_last_gives_way() {
        assert_eq!(hits_of(|x| x * x + x), [false, true, true, true]);
        // Nothing is kept across a call, but its result.
        assert_eq!(hits_of(|x| x.sin() + x), [false, true, false]);
        // Of forty products, summed from the last to the first, the last ones are kept.
        const N: usize = 40;
        let hits = hits_of(|x| {
            let products: Vec<Var> = (0..N).map(|k| x * (k as f64 + 2.0)).collect();
            products.into_iter().rev().reduce(|sum, x| sum + x).unwrap()
        });
        assert_eq!(hits.iter().filter(|hit| !**hit).count(), 1 + N - FLOATS);
    }
}
