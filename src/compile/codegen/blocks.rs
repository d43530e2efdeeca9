//! Blocks of iterations that do not depend on each other: a function of `math` is called for all iterations of a block, since
//! its lanes take many numbers in little more time than one.

use crate::compile::schedule::bytes_of;
use crate::compile::schedule::calls::{self, Ahead, Joint};
use crate::emit::{Emitter, Pointer, Reg, position, signed};
use crate::ir::Value;
use crate::op::Graph;
use crate::value::DType;

/// The iterations of a block, whose numbers stay in the first-level cache.
const BLOCK: usize = 32;

/// The most numbers for each iteration that are handed over in memory: operands of functions and their results.
const MAX_NUMBERS: usize = 12;

/// Memory for the numbers of a block, which its loop hands out. No loop in blocks stands in another.
pub struct Room {
    start: Pointer,
    used: usize,
}

impl Room {
    pub fn new(e: &mut Emitter<'_>) -> Room {
        Room { start: e.shared_scratch(position(ROOM_BYTES)), used: 0 }
    }

    fn take(&mut self, e: &mut Emitter<'_>, bytes: usize) -> Pointer {
        let start = e.offset(self.start, signed(self.used));
        self.used += bytes;
        debug_assert!(self.used <= ROOM_BYTES, "bug: more numbers than a block has room for");
        start
    }
}

/// Numbers have up to eight bytes.
const ROOM_BYTES: usize = MAX_NUMBERS * BLOCK * 8;

/// What is called for blocks of a loop of that known length, pass by pass; nothing if a block is not worth its code.
pub fn passes(body: &Graph, length: Option<usize>) -> Vec<Vec<Ahead>> {
    if length.is_some_and(|n| n < BLOCK / 2) { Vec::new() } else { calls::in_passes(body, MAX_NUMBERS) }
}

/// Emits a loop over blocks, each of which gets its first iteration, the one behind its last, and what is carried.
pub fn for_each(
    e: &mut Emitter<'_>,
    n: Pointer,
    start: &[Reg],
    body: impl FnOnce(&mut Emitter<'_>, [Pointer; 2], &[Reg]) -> Vec<Reg>,
) -> Vec<Reg> {
    let (zero, end) = (e.index(0), e.offset(n, signed(BLOCK - 1)));
    let blocks = e.for_each(zero, end, signed(BLOCK), start, |e, first, carried| {
        let beyond = e.offset(first, signed(BLOCK));
        let end = e.least(beyond, n);
        body(e, [first, end], carried)
    });
    blocks.1
}

/// Emits a loop over iterations, as many at once as there are lanes, and the rest one by one.
pub fn along(
    e: &mut Emitter<'_>,
    [first, end]: [Pointer; 2],
    lanes: u8,
    start: &[Reg],
    body: impl Fn(&mut Emitter<'_>, Pointer, &[Reg], u8) -> Vec<Reg>,
) -> Vec<Reg> {
    let (mut iteration, mut carried) = (first, start.to_vec());
    for lanes in if lanes > 1 { vec![lanes, 1] } else { vec![1] } {
        (iteration, carried) = e.for_each(iteration, end, i64::from(lanes), &carried, |e, iteration, carried| {
            body(e, iteration, carried, lanes)
        });
    }
    carried
}

/// What is known of the iterations of a block that begins with `first`.
#[derive(Default)]
pub struct Beside<'k> {
    pub known: &'k [Known],
    pub first: Option<Pointer>,
}

impl Beside<'_> {
    /// The values that are known.
    pub fn values(&self) -> Vec<Value> {
        self.known.iter().map(|known| known.value).collect()
    }

    /// The elements of those that are needed, by node, in the iterations from this one on.
    pub fn load(&self, e: &mut Emitter<'_>, needed: &[bool], iteration: Pointer, lanes: u8) -> Vec<(Value, Vec<Reg>)> {
        let Some(first) = self.first else { return Vec::new() };
        let known = self.known.iter().filter(|known| needed[known.value.node.index()]);
        known.map(|known| (known.value, known.load(e, first, iteration, lanes))).collect()
    }
}

/// A value of each iteration of a block: for each of its elements the numbers of all iterations.
#[derive(Clone, Copy)]
pub struct Known {
    value: Value,
    start: Pointer,
    dtype: DType,
    size: usize,
}

impl Known {
    fn new(e: &mut Emitter<'_>, room: &mut Room, body: &Graph, value: Value) -> Known {
        let ty = body.ty(value);
        Known { value, start: room.take(e, BLOCK * bytes_of(ty)), dtype: ty.dtype, size: ty.size() }
    }

    fn load(&self, e: &mut Emitter<'_>, first: Pointer, iteration: Pointer, lanes: u8) -> Vec<Reg> {
        let places = self.places(e, first, iteration);
        places.into_iter().map(|place| e.load(place, 0, self.dtype, lanes)).collect()
    }

    fn store(&self, e: &mut Emitter<'_>, x: &[Reg], first: Pointer, iteration: Pointer) {
        let places = self.places(e, first, iteration);
        places.into_iter().zip(x).for_each(|(place, &x)| e.store(x, place, 0));
    }

    /// Where the elements of an iteration are.
    fn places(&self, e: &mut Emitter<'_>, first: Pointer, iteration: Pointer) -> Vec<Pointer> {
        let distance = e.distance(first, iteration);
        let start = e.advance(self.start, distance, signed(self.dtype.size()));
        (0..self.size).map(|k| self.line(e, start, k)).collect()
    }

    /// Where the numbers of an element begin, or go on from `start`.
    fn line(&self, e: &mut Emitter<'_>, start: Pointer, element: usize) -> Pointer {
        e.offset(start, signed(element * BLOCK * self.dtype.size()))
    }
}

/// The calls of one pass, with the memory of what they take and make.
pub struct Calls<'p> {
    calls: Vec<(&'p Ahead, Known, Vec<Known>)>,
}

impl<'p> Calls<'p> {
    pub fn new(e: &mut Emitter<'_>, room: &mut Room, body: &Graph, pass: &'p [Ahead]) -> Calls<'p> {
        let mut calls = Vec::new();
        for call in pass {
            let results = call.nodes.iter().map(|&id| Known::new(e, room, body, id.into())).collect();
            calls.push((call, Known::new(e, room, body, call.operand), results));
        }
        Calls { calls }
    }

    pub fn operands(&self) -> Vec<Value> {
        self.calls.iter().map(|(call, ..)| call.operand).collect()
    }

    pub fn store_operands(&self, e: &mut Emitter<'_>, x: &[Vec<Reg>], first: Pointer, iteration: Pointer) {
        for (x, (_, operand, _)) in x.iter().zip(&self.calls) {
            operand.store(e, x, first, iteration);
        }
    }

    /// Calls the functions for all iterations of the block; gives what is known then.
    pub fn make(self, e: &mut Emitter<'_>, [first, end]: [Pointer; 2]) -> Vec<Known> {
        let n = e.distance(first, end);
        let mut known = Vec::new();
        for (call, operand, results) in self.calls {
            for k in 0..operand.size {
                let x = operand.line(e, operand.start, k);
                let y: Vec<Pointer> = results.iter().map(|result| result.line(e, result.start, k)).collect();
                match (&call.routine, &y[..]) {
                    (Joint::One(f), &[y]) => e.slice_math1(*f, operand.dtype, x, y, n),
                    (Joint::Couple(couple), &[y, z]) => e.slice_couple(*couple, operand.dtype, x, [y, z], n),
                    _ => unreachable!("bug: a function with other results than its own"),
                }
            }
            known.extend(results);
            known.push(operand);
        }
        known
    }
}
