//! Where the values of a schedule are in memory, and what finds registers.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::spills::Spills;
use crate::compile::abi::{Address, first_constant};
use crate::compile::runtime::Driver;
use crate::compile::schedule::{Schedule, ValueId};
use crate::emit::{position, signed};
use crate::ir::{NodeId, Operation, Value};
use crate::op::{Instruction, Lowering};
use crate::value::{DType, Scalar};

/// The memory of a plan.
pub struct MemoryPlan {
    pub(super) places: Vec<Option<Address>>,
    /// For each kernel that needs memory while it runs, where that is.
    pub scratch: HashMap<usize, Address>,
    /// Constants that stand in the base table, in the order of their entries.
    pub constants: Vec<ValueId>,
    /// Numbers that straight-line code reads from memory, which has an entry of its own after those of the constants.
    pub numbers: Vec<f64>,
    pub(super) number_places: FxHashMap<u64, usize>,
    /// Whether straight-line code is so long that it waits for its own bytes.
    pub(super) is_long: bool,
    /// The bytes of the arena.
    pub arena_bytes: usize,
    /// How many of these hold, at one time, rows that loops collect.
    pub row_bytes: usize,
    /// The 8-byte slots of the scalars' frame.
    pub frame_slots: usize,
    /// The memory of the kernels of control flow that have regions of their own.
    pub controls: HashMap<usize, ControlMemory>,
    /// For each kernel of straight-line code and each segment of it, what its reads find in registers.
    pub spills: HashMap<usize, Vec<Spills>>,
}

/// The scratch memory of a control kernel: what the loop itself needs, and what its regions do.
pub struct ControlMemory {
    pub regions: Vec<RegionMemory>,
    pub carry: Vec<Copies>,
    /// The number of the row, or the outcome of the condition.
    pub word: usize,
    /// The head of the stack of records that the loop makes.
    pub head: usize,
    /// What carries out the schedule of a loop that is run back through, to which the code refers by address.
    pub driver: Option<Arc<Driver>>,
    /// What is handed to it.
    pub call: usize,
    /// The bytes of scratch memory.
    pub bytes: usize,
    /// How many of these hold, at one time, rows that loops collect.
    pub row_bytes: usize,
    /// The bytes of states that are kept while a loop is run back through.
    pub state_bytes: usize,
}

/// The memory of a region, and where its table, its arena and its frame are in that of the control kernel.
pub struct RegionMemory {
    pub plan: MemoryPlan,
    /// The entries of its base table.
    pub n_entries: usize,
    pub table: usize,
    pub arena: usize,
    pub frame: usize,
    /// Whether it makes stacks, which end with it.
    pub makes_stacks: bool,
}

/// The two copies of a carried value.
pub struct Copies {
    pub bytes: usize,
    pub places: [usize; 2],
}

impl MemoryPlan {
    /// The place of a root value. Every value that is read through memory has one.
    pub fn place(&self, root: ValueId) -> Address {
        self.places[root].expect("bug: a value without memory is read through memory")
    }

    /// The place of a root value, if it has one.
    pub fn get(&self, root: ValueId) -> Option<Address> {
        self.places[root]
    }

    /// Moves a root value, as no allocation would.
    #[cfg(test)]
    pub fn misplace(&mut self, root: ValueId, place: Option<Address>) {
        self.places[root] = place;
    }

    /// The number of entries of the base table, if there are that many library calls.
    pub fn n_entries(&self, schedule: &Schedule<'_>, n_libraries: usize) -> usize {
        self.first_library(schedule) as usize + 2 * n_libraries
    }

    /// The entry of the first library call in the base table.
    pub fn first_library(&self, schedule: &Schedule<'_>) -> u32 {
        self.numbers_entry(schedule) + u32::from(!self.numbers.is_empty())
    }

    /// The entry of the numbers of straight-line code, if there are any.
    fn numbers_entry(&self, schedule: &Schedule<'_>) -> u32 {
        first_constant(schedule.graph) + position(self.constants.len())
    }

    /// The place of a number that is an operand of a node of straight-line code and had better be read from memory.
    /// `takes_loads` says whether instructions take most loads for their operands.
    pub fn number(&self, schedule: &Schedule<'_>, node: NodeId, slot: usize, takes_loads: bool) -> Option<Address> {
        let (number, wanted) = number_in_memory(schedule, node, slot)?;
        self.place_of(schedule, number).filter(|_| wanted == Wanted::Always || takes_loads && self.is_long)
    }

    /// The place of a number, if it is in memory.
    pub fn place_of(&self, schedule: &Schedule<'_>, number: f64) -> Option<Address> {
        let place = *self.number_places.get(&number.to_bits())?;
        Some(Address { base: self.numbers_entry(schedule), offset: 8 * signed(place) })
    }

    /// The entry of the base table with the numbers of straight-line code, if it reads any from memory.
    pub fn numbers_base(&self, schedule: &Schedule<'_>) -> Option<u32> {
        (!self.numbers.is_empty()).then(|| self.numbers_entry(schedule))
    }

    /// The place of -0, the mask that negates a float.
    pub fn sign(&self, schedule: &Schedule<'_>) -> Address {
        self.place_of(schedule, -0.0).expect("bug: the mask of a negation is nowhere")
    }

    pub(super) fn add_number(&mut self, number: f64) {
        let places = self.number_places.len();
        if *self.number_places.entry(number.to_bits()).or_insert(places) == places {
            self.numbers.push(number);
        }
    }
}

/// Whether a node of straight-line code negates `f64`.
pub fn is_negation(schedule: &Schedule<'_>, node: NodeId) -> bool {
    schedule.instruction(node) == Some(Instruction::Neg) && schedule.ty(node.into()).dtype == DType::F64
}

/// When a number is read from memory rather than from the constants of its function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// An instruction cannot take it from there: those can only be the last operand. Two instructions would make it in a
    /// register, and the operands of a product, where `fma` adds to it, are taken from memory only if they are loads.
    Always,
    /// An instruction can, but where it takes the load, near an address in a register, it is three bytes shorter. In
    /// short code that does not pay for the address.
    InLongCode,
}

/// The number that is an operand of an operation on scalars, or on all elements of a small array, if an instruction cannot
/// take it as it stands.
pub(super) fn number_in_memory(schedule: &Schedule<'_>, node: NodeId, slot: usize) -> Option<(f64, Wanted)> {
    let op = schedule.graph.node(node).op()?;
    let operands = schedule.graph.operands(node);
    let x = *operands.get(slot).filter(|_| operands.len() > 1)?;
    let constant = schedule.constant(x)?;
    let is_factor = schedule.instruction(node) == Some(Instruction::Fma) && slot < 2;
    let wanted = if op.commutes() && !is_factor { Wanted::InLongCode } else { Wanted::Always };
    if !is_factor && !op.commutes() && slot > 0 || !matches!(op.lower(), Lowering::Elementwise) {
        return None;
    }
    if schedule.ty(node.into()).size() != 1 && constant.size() != 1 {
        return None;
    }
    match constant.get(schedule.element(x).unsigned_abs())? {
        // Zero takes one instruction.
        Scalar::F64(number) => (number.to_bits() != 0).then_some((number, wanted)),
        Scalar::F32(_) | Scalar::I64(_) | Scalar::Bool(_) => None,
    }
}

/// The bytes of a tile of any dtype.
pub const TILE_BYTES: usize = 8 * crate::op::TILE;

/// The number with which a segment of a result is filled.
pub fn filler(schedule: &Schedule<'_>, with: Value) -> Scalar {
    let number = schedule.constant(with).and_then(|number| number.get(schedule.element(with).unsigned_abs()));
    number.expect("bug: no constant to fill with")
}
