//! Which elements straight-line code finds in registers when it reads them.
//!
//! The code of a segment is known from end to end, so that what gives way where registers run out is what is read
//! again last (Belady, "A study of replacement algorithms for a virtual-storage computer", 1966); it passes through
//! memory. What is kept at any one time fits into the registers of the machine, so that register allocation, which is
//! superlinear where it has to choose, has little to choose, and frames stay small.

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use crate::compile::schedule::{Kernel, ScalarOp, Schedule, Segment, ValueId, calls, fills_at_once};
use crate::emit::{in_parallel, position, useful_threads};
use crate::ir::Value;
use crate::value::DType;

/// An element: the root of its value, and the place among the elements of that.
pub type Element = (ValueId, isize);

/// How many floats are kept; instructions need further registers between.
const FLOATS: usize = 14;

/// How many numbers of other dtypes are kept, beside addresses.
const OTHERS: usize = 7;

/// Operations that are worth a thread.
const MIN_SHARE: usize = 2_000;

/// The position of a read that never comes.
const NEVER: u32 = u32::MAX;

/// What is known of the registers of a segment.
pub struct Spills {
    /// For each read, in order. Constants are no reads: they stand in the code.
    pub reads: Box<[Read]>,
    /// For each element that is made, in order, how many reads find it in its register; 2 stands for all that are more.
    pub uses: Box<[u8]>,
}

/// What is known of the register that a read reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Whether the element is there; else it is loaded.
    pub is_hit: bool,
    /// Whether a later read finds it there.
    pub stays: bool,
}

/// An element in a register.
#[derive(Clone, Copy)]
struct Kept {
    element: u32,
    next: u32,
}

/// What is known of the registers of each kernel of straight-line code and each segment of it. Stretches do not depend on
/// each other, so threads share them if `parallel`.
pub fn all(schedule: &Schedule<'_>, parallel: bool) -> HashMap<usize, Vec<Spills>> {
    let kernels = schedule.kernels.iter().enumerate().filter_map(|(k, kernel)| match kernel {
        Kernel::Scalar(code) => Some((k, code)),
        Kernel::Loop(_) | Kernel::Library(_) | Kernel::Control(_) => None,
    });
    let segments: Vec<(usize, Segment<'_>)> =
        kernels.flat_map(|(k, code)| code.segments().map(move |segment| (k, segment))).collect();
    let work = segments.iter().map(|(_, segment)| segment.work).sum();
    let n_threads = if parallel { useful_threads(segments.len(), work, MIN_SHARE) } else { 1 };
    let found = in_parallel(n_threads, segments.iter(), Reads::default, |reads, (_, segment)| {
        spills(reads, schedule, segment.ops)
    });
    let mut all: HashMap<usize, Vec<Spills>> = HashMap::new();
    for ((k, _), spills) in segments.iter().zip(found) {
        all.entry(*k).or_default().push(spills);
    }
    all
}

/// What is known of the registers of a segment.
fn spills(reads: &mut Reads, schedule: &Schedule<'_>, ops: &[ScalarOp]) -> Spills {
    reads.fill(schedule, ops);
    let Reads { order, next, first, numbers, n_of_op } = reads;
    let mut hits = Vec::with_capacity(order.len());
    let mut first_reads = Vec::with_capacity(ops.len());
    let mut n_of_op = n_of_op.iter();
    let mut kept: [SmallVec<[Kept; 32]>; 2] = [SmallVec::new(), SmallVec::new()];
    for step in calls::steps(schedule, ops) {
        for &n in n_of_op.by_ref().take(step.len()) {
            for k in hits.len()..hits.len() + n as usize {
                let Ordered { element, class } = order[k];
                let kept = &mut kept[class];
                let known = kept.iter_mut().find(|kept| kept.element == element);
                hits.push(known.is_some());
                match known {
                    Some(known) => known.next = next[k],
                    None => kept.push(Kept { element, next: next[k] }),
                }
            }
        }
        if loses_registers(schedule, step[0]) {
            kept.iter_mut().for_each(SmallVec::clear);
        }
        for &op in step {
            let ScalarOp::Node(node) = op else { continue };
            for k in 0..schedule.ty(node.into()).size() {
                let element = numbers.get(&(schedule.id(node.into()), k.cast_signed()));
                first_reads.push(element.map_or(NEVER, |&element| first[element as usize]));
                let made = element.map(|&element| Kept { element, next: first[element as usize] });
                kept[class(schedule, node.into())].extend(made);
            }
        }
        for (kept, room) in kept.iter_mut().zip([FLOATS, OTHERS]) {
            make_room(kept, room);
        }
    }
    let is_hit = |read: u32| hits.get(read as usize).is_some_and(|&hit| hit);
    let reads: Box<[Read]> =
        hits.iter().zip(&*next).map(|(&hit, &next)| Read { is_hit: hit, stays: is_hit(next) }).collect();
    let uses = first_reads.iter().map(|&read| match is_hit(read) {
        true => 1 + u8::from(reads[read as usize].stays),
        false => 0,
    });
    Spills { uses: uses.collect(), reads }
}

/// What is not read again goes, then what is read again last.
fn make_room(kept: &mut SmallVec<[Kept; 32]>, room: usize) {
    kept.retain(|kept| kept.next != NEVER);
    while kept.len() > room {
        let (last, _) = kept.iter().enumerate().max_by_key(|(_, kept)| kept.next).expect("bug: more than none");
        kept.swap_remove(last);
    }
}

fn class(schedule: &Schedule<'_>, x: Value) -> usize {
    usize::from(!schedule.ty(x).dtype.is_float())
}

/// Whether all registers have other contents after an operation: calls use them, and branches end what is allocated
/// together.
pub fn loses_registers(schedule: &Schedule<'_>, op: ScalarOp) -> bool {
    match op {
        ScalarOp::Node(node) => {
            let op = schedule.graph.op(node);
            let dtypes: SmallVec<[DType; 3]> =
                schedule.graph.operands(node).iter().map(|&x| schedule.ty(x).dtype).collect();
            op.work(&dtypes).calls > 0
        }
        ScalarOp::Output { .. } | ScalarOp::Part { .. } => false,
        ScalarOp::Fill { n, .. } => !fills_at_once(n as usize),
        ScalarOp::Guard(_) => true,
    }
}

/// What a segment reads. It is used again for the next one.
#[derive(Default)]
struct Reads {
    /// In order.
    order: Vec<Ordered>,
    /// For each read, that of the same element which comes next.
    next: Vec<u32>,
    /// For each element, the first read.
    first: Vec<u32>,
    numbers: FxHashMap<Element, u32>,
    /// For each operation, how many of the reads are its own.
    n_of_op: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Ordered {
    /// The element's number.
    element: u32,
    class: usize,
}

impl Reads {
    fn fill(&mut self, schedule: &Schedule<'_>, ops: &[ScalarOp]) {
        let Reads { order, next, first, numbers, n_of_op } = self;
        order.clear();
        numbers.clear();
        n_of_op.clear();
        for &op in ops {
            let n_before = order.len();
            for x in schedule.scalar_operands(op).into_iter().filter(|&x| schedule.constant(x).is_none()) {
                let (root, class) = (schedule.root(x), class(schedule, x));
                for place in places(schedule, x) {
                    let unknown = position(numbers.len());
                    order.push(Ordered { element: *numbers.entry((root, place)).or_insert(unknown), class });
                }
            }
            n_of_op.push(position(order.len() - n_before));
        }
        next.clear();
        next.resize(order.len(), NEVER);
        first.clear();
        first.resize(numbers.len(), NEVER);
        for (k, read) in order.iter().enumerate().rev() {
            next[k] = std::mem::replace(&mut first[read.element as usize], position(k));
        }
    }
}

/// The places of a value's elements among those of its root, in row-major order.
pub fn places(schedule: &Schedule<'_>, x: Value) -> SmallVec<[isize; 1]> {
    if schedule.ty(x).size() == 1 {
        return smallvec![schedule.element(x)];
    }
    schedule.access(x).layout.places().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::trace::{self, record};
    use crate::op::{Graph, Var};
    use crate::value::{DType, Type};

    fn residence_of(f: impl FnOnce(Var) -> Var) -> Spills {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
        let (mut graph, y) = record(graph, 1000, None, || f(trace::variable(x))).unwrap();
        graph.add_output("y", y.value().unwrap()).unwrap();
        let schedule = Schedule::new(&graph);
        let [Kernel::Scalar(code)] = &schedule.kernels[..] else { panic!("{:?}", schedule.kernels) };
        spills(&mut Reads::default(), &schedule, &code.ops)
    }

    fn hits_of(f: impl FnOnce(Var) -> Var) -> Vec<bool> {
        residence_of(f).reads.iter().map(|read| read.is_hit).collect()
    }

    #[test]
    fn reads_of_a_register_are_counted() {
        let sum_of_squares = residence_of(|x| {
            let y = x + 1.0;
            y * y + x
        });
        assert_eq!(sum_of_squares.uses[..], [2, 1, 0]);
        let stays: Vec<bool> = sum_of_squares.reads.iter().map(|read| read.stays).collect();
        assert_eq!(stays, [true, true, false, false, false]);
        // What is read after a call only is read from memory.
        assert_eq!(residence_of(|x| (x + 1.0) * x.sin()).uses[..], [0, 1, 0]);
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
