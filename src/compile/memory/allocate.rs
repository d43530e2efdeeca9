//! Where values live: a slice of one arena, a slot of the scalars' frame, an input, an output, a constant.
//!
//! One pass over the kernels finds the last use of every value, a second one assigns memory and takes it back after
//! the last use. Arrays go to the smallest free block that is large enough (best fit), scalars to the slot that was
//! freed last. What a loop makes of each element of an array that is not used again takes that array's place. What is made
//! inside of another value lives and dies with that one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rustc_hash::FxHashMap;

use super::nest;
use super::plan::{ControlMemory, MemoryPlan, filler, is_negation, number_in_memory};
use super::spills::{self, Spills};
use crate::compile::abi::{ARENA, Address, FIRST_INPUT, FRAME, first_constant};
use crate::compile::schedule::{Item, Kernel, LoopKernel, ScalarOp, Schedule, Source, ValueId};
use crate::emit::{MAX_BYTES, position, signed, unsigned};
use crate::ir::{Operands, Value, results_of};
use crate::op::Op;
use crate::value::Scalar;

/// Blocks of the arena begin and end at multiples of a cache line.
const LINE: usize = 64;

/// Which values need memory, and when they are used last.
struct Lives {
    needs_memory: Vec<bool>,
    last_use: Vec<u32>,
}

/// Assigns memory to all values that need it, on several threads if `parallel`.
pub fn allocate(schedule: &Schedule<'_>, parallel: bool) -> MemoryPlan {
    let spills = spills::all(schedule, parallel);
    let lives = find_lives(schedule, &spills);
    let mut plan = MemoryPlan {
        places: fixed_places(schedule),
        scratch: HashMap::new(),
        constants: Vec::new(),
        numbers: Vec::new(),
        number_places: FxHashMap::default(),
        is_long: false,
        arena_bytes: 0,
        row_bytes: 0,
        frame_slots: 0,
        controls: controls(schedule),
        spills,
    };
    place_constants(schedule, &mut plan);
    let mut inside: FxHashMap<ValueId, Vec<ValueId>> = FxHashMap::default();
    for (root, owner) in schedule.aliases() {
        inside.entry(owner).or_default().push(root);
    }
    let mut allocator = Allocator { schedule, lives, plan, inside, arena: Arena::default(), free_slots: Vec::new() };
    allocator.run();
    let Allocator { mut plan, arena, .. } = allocator;
    (plan.arena_bytes, plan.row_bytes) = (arena.end, arena.peak_row_bytes);
    plan
}

/// The memory of control flow that has regions of its own.
fn controls(schedule: &Schedule<'_>) -> HashMap<usize, ControlMemory> {
    let with_regions = schedule.controls.iter().filter(|(_, control)| !control.in_registers);
    let layouts = with_regions.map(|(&k, control)| {
        let Kernel::Control(node) = schedule.kernels[k] else { unreachable!("bug: no control kernel") };
        let plan = control.regions.iter().map(|region| allocate(region, false)).collect();
        (k, ControlMemory::new(schedule.graph, node, control, plan))
    });
    layouts.collect()
}

fn find_lives(schedule: &Schedule<'_>, spills: &HashMap<usize, Vec<Spills>>) -> Lives {
    let n_values = schedule.n_values();
    let mut lives = Lives { needs_memory: vec![false; n_values], last_use: vec![0; n_values] };
    for (root, owner) in schedule.aliases() {
        lives.needs_memory[root] = true;
        lives.needs_memory[owner] = true;
    }
    let mut tick = 0;
    for (k, kernel) in schedule.kernels.iter().enumerate() {
        match kernel {
            Kernel::Scalar(code) => {
                let mut reads = spills[&k].iter().flat_map(|segment| &segment.reads);
                for &op in &code.ops {
                    tick += 1;
                    for x in schedule.scalar_operands(op) {
                        let root = schedule.root(x);
                        lives.last_use[owner(schedule, root)] = tick;
                        if schedule.constant(x).is_none() {
                            let misses = reads.by_ref().take(schedule.ty(x).size()).filter(|read| !read.is_hit).count();
                            lives.needs_memory[root] |= misses > 0;
                        }
                    }
                    if let ScalarOp::Part { node, .. } | ScalarOp::Fill { node, .. } = op {
                        lives.needs_memory[schedule.id(node.into())] = true;
                    }
                }
            }
            Kernel::Loop(nest) => {
                tick += 1;
                for item in &nest.items {
                    for x in schedule.item_operands(item) {
                        let root = schedule.root(x);
                        lives.needs_memory[root] |= schedule.source(root) != Source::Item(k);
                        lives.last_use[owner(schedule, root)] = tick;
                    }
                    if item.result().is_none()
                        && let Some(node) = item.stored_result()
                    {
                        lives.needs_memory[schedule.id(node.into())] = true;
                    }
                }
            }
            Kernel::Library(node) | Kernel::Control(node) => {
                tick += 1;
                for x in schedule.graph.operands(*node) {
                    lives.needs_memory[schedule.root(x)] = true;
                    lives.last_use[owner(schedule, schedule.root(x))] = tick;
                }
                for result in results_of(schedule.graph, *node) {
                    lives.needs_memory[schedule.id(result)] = true;
                }
            }
        }
    }
    lives
}

/// The value whose memory a root value has: its own, or that of the one that it is made inside of.
fn owner(schedule: &Schedule<'_>, root: ValueId) -> ValueId {
    schedule.inside(root).map_or(root, |(owner, _)| owner)
}

/// The places of inputs, and of values that are computed into an output.
fn fixed_places(schedule: &Schedule<'_>) -> Vec<Option<Address>> {
    let first_output = FIRST_INPUT + position(schedule.graph.inputs().len());
    (0..schedule.n_values())
        .map(|id| match (schedule.source(id), schedule.direct_output[id]) {
            (Source::Input(input), _) => Some(Address { base: FIRST_INPUT + position(input), offset: 0 }),
            (_, Some(output)) => Some(Address { base: first_output + output, offset: 0 }),
            _ => None,
        })
        .collect()
}

/// More operations of straight-line code than these, of ten bytes or so, do not stay in a processor's first cache.
const LONG: usize = 3_000;

/// Constants stand in the base table where a loop or a library routine reads them; single elements are immediate
/// operands of code, or stand together in memory where straight-line code is shorter for it.
fn place_constants(schedule: &Schedule<'_>, plan: &mut MemoryPlan) {
    let mut n_ops = 0;
    for kernel in &schedule.kernels {
        if let Kernel::Scalar(code) = kernel {
            code.ops.iter().for_each(|&op| place_numbers(schedule, plan, op));
            n_ops += code.ops.len();
        }
    }
    plan.is_long = n_ops > LONG;
    let mut place = |value: Value, always: bool| {
        let root = schedule.root(value);
        let constant = schedule.constant(value);
        if plan.places[root].is_none() && constant.is_some_and(|constant| always || constant.size() != 1) {
            let base = first_constant(schedule.graph) + position(plan.constants.len());
            plan.places[root] = Some(Address { base, offset: 0 });
            plan.constants.push(root);
        }
    };
    for kernel in &schedule.kernels {
        match kernel {
            Kernel::Scalar(_) => {}
            Kernel::Loop(nest) => {
                nest.items.iter().flat_map(|item| schedule.item_operands(item)).for_each(|x| place(x, false))
            }
            Kernel::Library(node) | Kernel::Control(node) => {
                schedule.graph.operands(*node).into_iter().for_each(|x| place(x, true))
            }
        }
    }
}

/// The numbers that a step of straight-line code reads from memory.
fn place_numbers(schedule: &Schedule<'_>, plan: &mut MemoryPlan, op: ScalarOp) {
    match op {
        ScalarOp::Node(node) => {
            let numbers = [0, 1].into_iter().filter_map(|slot| number_in_memory(schedule, node, slot));
            numbers.for_each(|(number, _)| plan.add_number(number));
            if is_negation(schedule, node) {
                plan.add_number(-0.0);
            }
        }
        ScalarOp::Fill { with, .. } => {
            if let Scalar::F64(number) = filler(schedule, with)
                && number.to_bits() != 0
            {
                plan.add_number(number);
            }
        }
        ScalarOp::Output { .. } | ScalarOp::Part { .. } | ScalarOp::Guard(_) => {}
    }
}

struct Allocator<'p, 'g> {
    schedule: &'p Schedule<'g>,
    lives: Lives,
    plan: MemoryPlan,
    /// What is made in the memory of each value.
    inside: FxHashMap<ValueId, Vec<ValueId>>,
    arena: Arena,
    free_slots: Vec<usize>,
}

impl Allocator<'_, '_> {
    fn run(&mut self) {
        let schedule = self.schedule;
        let owners: Vec<ValueId> = self.inside.keys().copied().collect();
        owners.into_iter().for_each(|owner| self.place_inside(owner));
        let mut tick = 0;
        for (k, kernel) in schedule.kernels.iter().enumerate() {
            match kernel {
                Kernel::Scalar(code) => {
                    for &op in &code.ops {
                        tick += 1;
                        match op {
                            ScalarOp::Node(node) => self.define_element(node.into()),
                            ScalarOp::Part { node, .. } | ScalarOp::Fill { node, .. } => self.define_array(node.into()),
                            ScalarOp::Output { .. } | ScalarOp::Guard(_) => {}
                        }
                        schedule.scalar_operands(op).iter().for_each(|&x| self.release(x, tick));
                    }
                }
                Kernel::Loop(nest) => {
                    tick += 1;
                    for (position, item) in nest.items.iter().enumerate() {
                        let Some(node) = item.stored_result() else { continue };
                        match self.replaced(nest, position, tick) {
                            Some(root) => self.take_place(node.into(), root),
                            None => self.define_array(node.into()),
                        }
                    }
                    let bytes = nest::scratch_bytes(schedule, k, &self.plan);
                    self.take_scratch(k, bytes);
                    nest.items.iter().flat_map(|item| schedule.item_operands(item)).for_each(|x| self.release(x, tick));
                }
                Kernel::Library(node) | Kernel::Control(node) => {
                    tick += 1;
                    results_of(schedule.graph, *node).for_each(|result| self.define_array(result));
                    if let Some(memory) = self.plan.controls.get(&k) {
                        let (bytes, row_bytes) = (memory.bytes, memory.row_bytes);
                        self.take_scratch(k, bytes);
                        self.arena.note_inner_rows(row_bytes);
                    }
                    schedule.graph.operands(*node).into_iter().for_each(|x| self.release(x, tick));
                }
            }
        }
    }

    /// The array whose place the result of an item can take: it is used for the last time, only one item reads it, on which
    /// the result depends, and all that this item reads of it at an index is the element there. So at each index it is read
    /// before the result is written there, and not afterwards.
    fn replaced(&self, nest: &LoopKernel, item: usize, tick: u32) -> Option<ValueId> {
        let schedule = self.schedule;
        let Item::Op(node) = nest.items[item] else { return None };
        let result = schedule.id(node.into());
        let has_place = self.plan.places[result].is_some() || schedule.inside(result).is_some();
        if !self.lives.needs_memory[result] || has_place {
            return None;
        }
        let is_free = |x: Value| {
            let root = schedule.root(x);
            let in_arena = self.plan.places[root].is_some_and(|place| place.base == ARENA);
            // A view, or what is made in its memory, may be read at another place of it.
            let is_whole = |x: Value| schedule.id(x) == root && schedule.ty(x) == schedule.ty(node.into());
            let reads = |x: &Value| owner(schedule, schedule.root(*x)) == root;
            let mut readers =
                nest.items.iter().map(|item| schedule.item_operands(item)).filter(|x| x.iter().any(reads));
            let only_whole = |operands: Operands| operands.iter().filter(|x| reads(x)).all(|&x| is_whole(x));
            let read_once = readers.next().is_some_and(only_whole) && readers.next().is_none();
            in_arena && self.lives.last_use[root] == tick && read_once
        };
        let mut made_from: Vec<ValueId> = vec![result];
        for item in nest.items[..=item].iter().rev() {
            let Item::Op(node) = *item else { continue };
            if !made_from.contains(&schedule.id(node.into())) {
                continue;
            }
            for x in schedule.graph.operands(node) {
                let root = schedule.root(x);
                match schedule.source(root) == schedule.source(result) {
                    true => made_from.push(root),
                    false if is_free(x) => return Some(root),
                    false => {}
                }
            }
        }
        None
    }

    /// Gives a result the place of an array that it replaces.
    fn take_place(&mut self, result: Value, replaced: ValueId) {
        self.plan.places[self.schedule.id(result)] = self.plan.places[replaced];
        self.lives.last_use[replaced] = u32::MAX;
    }

    /// Memory that a kernel needs while it runs.
    fn take_scratch(&mut self, kernel: usize, bytes: usize) {
        if bytes > 0 {
            let offset = self.arena.take(bytes);
            self.plan.scratch.insert(kernel, Address { base: ARENA, offset: signed(offset) });
            self.arena.give(offset, bytes);
        }
    }

    /// Scalars live in the frame.
    fn define_element(&mut self, value: Value) {
        let id = self.schedule.id(value);
        if self.schedule.ty(value).size() > 1 || self.schedule.inside(id).is_some() {
            return self.define_array(value);
        }
        if !self.lives.needs_memory[id] || self.plan.places[id].is_some() {
            return;
        }
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.plan.frame_slots += 1;
            self.plan.frame_slots - 1
        });
        self.plan.places[id] = Some(Address { base: FRAME, offset: 8 * signed(slot) });
    }

    fn define_array(&mut self, value: Value) {
        let id = self.schedule.id(value);
        if !self.lives.needs_memory[id] || self.plan.places[id].is_some() {
            return;
        }
        if let Some((owner, _)) = self.schedule.inside(id) {
            return self.define_array(self.schedule.value(owner));
        }
        let bytes = array_bytes(self.schedule, value);
        let offset = self.arena.take(bytes);
        if is_collected(self.schedule, value) {
            self.arena.note_rows(offset, bytes);
        }
        self.plan.places[id] = Some(Address { base: ARENA, offset: signed(offset) });
        self.place_inside(id);
    }

    /// Gives what is made in the memory of a value its place there, as soon as that is known: a value all of whose parts are
    /// made in place is defined by no step of its own.
    fn place_inside(&mut self, owner: ValueId) {
        let Some(place) = self.plan.places[owner] else { return };
        for &root in self.inside.get(&owner).into_iter().flatten() {
            let (_, first) = self.schedule.inside(root).expect("bug: a value that is inside of nothing");
            let distance = first * self.schedule.ty(self.schedule.value(root)).dtype.size();
            self.plan.places[root] = Some(place.beyond(signed(distance)));
        }
    }

    /// Takes back the memory of an operand that is not used again.
    fn release(&mut self, x: Value, tick: u32) {
        let root = owner(self.schedule, self.schedule.root(x));
        if self.lives.last_use[root] != tick {
            return;
        }
        // Later operands of the same operation must not release it once more.
        self.lives.last_use[root] = u32::MAX;
        match self.plan.places[root] {
            Some(Address { base: FRAME, offset }) => self.free_slots.push(unsigned(offset / 8)),
            Some(Address { base: ARENA, offset }) => {
                let value = self.schedule.value(root);
                self.arena.give(unsigned(offset), array_bytes(self.schedule, value));
            }
            _ => {}
        }
    }
}

fn array_bytes(schedule: &Schedule<'_>, value: Value) -> usize {
    let bytes = schedule.ty(value).checked_bytes();
    bytes.expect("bug: an oversized value passed the graph's check").max(1)
}

/// Whether the value is made of rows that a loop collects.
fn is_collected(schedule: &Schedule<'_>, value: Value) -> bool {
    let result = usize::from(value.result);
    let roles = schedule.graph.node(value.node).op().and_then(Op::roles);
    roles.is_some_and(|roles| roles.collects(result))
}

/// Free blocks of the arena, by place and by size.
#[derive(Default)]
struct Arena {
    by_offset: BTreeMap<usize, usize>,
    by_size: BTreeSet<(usize, usize)>,
    /// Beyond [`MAX_BYTES`], where it stays, no code is made.
    end: usize,
    /// The blocks that hold rows of loops, by place, and their bytes: now, and the most at one time.
    rows: BTreeMap<usize, usize>,
    row_bytes: usize,
    peak_row_bytes: usize,
}

impl Arena {
    fn take(&mut self, bytes: usize) -> usize {
        let bytes = bytes.next_multiple_of(LINE);
        let Some(&(size, offset)) = self.by_size.range((bytes, 0)..).next() else {
            return self.grow(bytes);
        };
        self.remove(offset, size);
        if size > bytes {
            self.insert(offset + bytes, size - bytes);
        }
        offset
    }

    /// New memory at the end, together with a free block that may lie there.
    fn grow(&mut self, bytes: usize) -> usize {
        let last = self.by_offset.last_key_value().map(|(&offset, &size)| (offset, size));
        let offset = match last {
            Some((offset, size)) if offset + size == self.end => {
                self.remove(offset, size);
                offset
            }
            _ => self.end,
        };
        self.end = (offset + bytes).min(2 * MAX_BYTES);
        offset
    }

    /// The block at that place holds rows of a loop until it is given back.
    fn note_rows(&mut self, offset: usize, bytes: usize) {
        self.rows.insert(offset, bytes);
        self.row_bytes = self.row_bytes.saturating_add(bytes);
        self.note_inner_rows(0);
    }

    /// Loops within a kernel hold so many bytes of rows while it runs.
    fn note_inner_rows(&mut self, bytes: usize) {
        self.peak_row_bytes = self.peak_row_bytes.max(self.row_bytes.saturating_add(bytes));
    }

    fn give(&mut self, offset: usize, bytes: usize) {
        self.row_bytes -= self.rows.remove(&offset).unwrap_or(0);
        let (mut offset, mut size) = (offset, bytes.next_multiple_of(LINE));
        if let Some((&before, &length)) = self.by_offset.range(..offset).next_back()
            && before + length == offset
        {
            self.remove(before, length);
            offset = before;
            size += length;
        }
        if let Some(&length) = self.by_offset.get(&(offset + size)) {
            self.remove(offset + size, length);
            size += length;
        }
        self.insert(offset, size);
    }

    fn insert(&mut self, offset: usize, size: usize) {
        self.by_offset.insert(offset, size);
        self.by_size.insert((size, offset));
    }

    fn remove(&mut self, offset: usize, size: usize) {
        self.by_offset.remove(&offset);
        self.by_size.remove(&(size, offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_blocks_join_and_are_used_again() {
        let mut arena = Arena::default();
        let blocks = [arena.take(100), arena.take(64), arena.take(1)];
        assert_eq!(blocks, [0, 128, 192]);
        arena.give(0, 100);
        arena.give(128, 64);
        assert_eq!(arena.take(192), 0);
        assert_eq!(arena.end, 256);
        arena.give(192, 1);
        assert_eq!(arena.take(128), 192, "a free block at the end grows");
        assert_eq!(arena.end, 320);
    }
}
