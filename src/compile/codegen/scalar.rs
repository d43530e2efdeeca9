//! Emission of straight-line code on scalars and small arrays.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::address::Addresses;
use super::{element, loops};
use crate::compile::abi::{Address, FIRST_INPUT, FRAME};
use crate::compile::memory::{Element, MemoryPlan, Read, Spills, filler, is_negation, loses_registers, places};
use crate::compile::schedule::calls::{self, Joint};
use crate::compile::schedule::{ScalarOp, Schedule, ValueId};
use crate::emit::{Emitter, Reg, position, short, signed, wide};
use crate::ir::{NodeId, Operation, Value};
use crate::math;
use crate::op::{Instruction, Monoid};
use crate::value::{DType, Scalar, Type};

/// Emits one segment of a scalar kernel.
pub fn emit(e: &mut Emitter<'_>, schedule: &Schedule<'_>, plan: &MemoryPlan, ops: &[ScalarOp], spills: &Spills) {
    e.load_bases((plan.frame_slots > 0).then_some(FRAME));
    e.load_bases(plan.numbers_base(schedule));
    let mut block = Block {
        schedule,
        plan,
        registers: FxHashMap::default(),
        reads: spills.reads.iter(),
        uses: spills.uses.iter(),
        negations: negations_in_registers(schedule, plan, ops),
        addresses: Addresses::default(),
        mask: None,
        waiting: SmallVec::new(),
        with_loads: FxHashSet::default(),
        operands: Operands::default(),
    };
    for step in calls::steps(schedule, ops) {
        block.emit(e, step);
    }
    block.settle(e);
}

/// The negations that something else than an `fma` reads, or that are stored.
fn negations_in_registers(schedule: &Schedule<'_>, plan: &MemoryPlan, ops: &[ScalarOp]) -> FxHashSet<ValueId> {
    let negations = ops.iter().filter_map(|&op| node_of(op)).filter(|&node| is_negation(schedule, node));
    let ids = negations.map(|node| schedule.id(node.into()));
    let (mut stand, fused): (FxHashSet<ValueId>, FxHashSet<ValueId>) = ids.partition(|&id| plan.get(id).is_some());
    if !fused.is_empty() {
        let is_fma = |node: NodeId| schedule.instruction(node) == Some(Instruction::Fma);
        let readers = ops.iter().filter(|op| !node_of(**op).is_some_and(is_fma));
        let read = readers.flat_map(|&x| schedule.scalar_operands(x)).map(|x| schedule.root(x));
        stand.extend(read.filter(|root| fused.contains(root)));
    }
    stand
}

fn node_of(op: ScalarOp) -> Option<NodeId> {
    match op {
        ScalarOp::Node(node) => Some(node),
        ScalarOp::Output { .. } | ScalarOp::Part { .. } | ScalarOp::Fill { .. } | ScalarOp::Guard(_) => None,
    }
}

/// The elements of a value, in row-major order; most are scalars.
type Elements = SmallVec<[Reg; 2]>;

struct Block<'p, 'g> {
    schedule: &'p Schedule<'g>,
    plan: &'p MemoryPlan,
    /// The register into which an element was last loaded, or in which it was made.
    registers: FxHashMap<Element, Reg>,
    /// What is known of the reads to come.
    reads: std::slice::Iter<'p, Read>,
    /// How many reads find in registers what is to be made.
    uses: std::slice::Iter<'p, u8>,
    /// The negations whose results must be in registers.
    negations: FxHashSet<ValueId>,
    addresses: Addresses,
    /// The mask that negates, where it is in a register.
    mask: Option<Reg>,
    /// What was made and is not in the block yet in which it is used.
    waiting: SmallVec<[Waiting; MAX_WAITING]>,
    /// What was made in this block by instructions that could take loads.
    with_loads: FxHashSet<Element>,
    operands: Operands,
}

/// An element that is used more than once, and made by instructions that could take loads: they do only if the block
/// ends before its first use, see [`Emitter::in_next_block`].
struct Waiting {
    element: Element,
    register: Reg,
    /// Where it is stored then.
    address: Option<Address>,
}

/// The most elements that wait for the end of a block.
const MAX_WAITING: usize = 8;

/// What is known of the operands of the operation at hand, or of one of them.
#[derive(Clone, Copy, Default)]
struct Operands {
    /// Whether the operation, or one of those that make its operands in this block, could take a load.
    with_loads: bool,
    /// Whether the last one is read again later.
    stay: bool,
}

impl Block<'_, '_> {
    fn emit(&mut self, e: &mut Emitter<'_>, step: &[ScalarOp]) {
        let loses = loses_registers(self.schedule, step[0]);
        if !self.waiting.is_empty() {
            let mut read = step.iter().flat_map(|&op| self.schedule.scalar_operands(op)).map(|x| self.schedule.root(x));
            if loses || read.any(|root| self.waiting.iter().any(|waiting| waiting.element.0 == root)) {
                self.settle(e);
            }
        }
        self.operands = Operands::default();
        match calls::joint_call(self.schedule, step) {
            Some(joint) => self.call(e, &joint, step),
            None => step.iter().for_each(|&op| self.op(e, op)),
        }
        if loses {
            self.mask = None;
            self.addresses.forget_windows();
        }
    }

    /// Ends the block if elements wait for that.
    fn settle(&mut self, e: &mut Emitter<'_>) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let registers: SmallVec<[Reg; MAX_WAITING]> = waiting.iter().map(|waiting| waiting.register).collect();
        for (Waiting { element, address, .. }, register) in waiting.into_iter().zip(e.in_next_block(&registers)) {
            self.registers.insert(element, register);
            self.store(e, register, address);
        }
    }

    fn store(&mut self, e: &mut Emitter<'_>, x: Reg, address: Option<Address>) {
        if let Some(place) = address {
            let (address, offset) = self.addresses.near(e, place);
            e.store(x, address, offset);
        }
    }

    /// One call for the elements of all operations of a step.
    fn call(&mut self, e: &mut Emitter<'_>, joint: &Joint, step: &[ScalarOp]) {
        let results = match joint {
            Joint::One(f) => {
                let operands = step.iter().flat_map(|&op| self.schedule.scalar_operands(op));
                let x: Vec<Reg> = operands.flat_map(|x| self.elements(e, x)).collect();
                e.math1_many(*f, &x)
            }
            Joint::Couple(couple) => self.couple(e, *couple, step),
        };
        // What a call gives is not made of what it was given.
        self.operands = Operands::default();
        let mut results = &results[..];
        for node in step.iter().filter_map(|&op| node_of(op)) {
            let (own, others) = results.split_at(self.schedule.ty(node.into()).size());
            self.define(e, node, own);
            results = others;
        }
    }

    /// Two functions, in one call with each element once.
    fn couple(&mut self, e: &mut Emitter<'_>, couple: math::Couple, step: &[ScalarOp]) -> Vec<Reg> {
        let (mut known, mut x): (Vec<Element>, Vec<Reg>) = (Vec::new(), Vec::new());
        let mut wanted = Vec::new();
        for (node, f) in step.iter().filter_map(|&op| calls::function(self.schedule, op)) {
            let function = usize::from(f == couple.functions()[1]);
            let operand = self.schedule.graph.operands(node)[0];
            for place in places(self.schedule, operand) {
                let register = self.element(e, operand, place);
                let element = (self.schedule.root(operand), place);
                let k = known.iter().position(|&other| other == element).unwrap_or_else(|| {
                    known.push(element);
                    x.push(register);
                    x.len() - 1
                });
                wanted.push((function, k));
            }
        }
        element::both(e, couple, &x, &wanted)
    }

    fn op(&mut self, e: &mut Emitter<'_>, op: ScalarOp) {
        match op {
            ScalarOp::Node(node) => self.node(e, node),
            ScalarOp::Output { from, output } => {
                let base = FIRST_INPUT + position(self.schedule.graph.inputs().len() + output);
                self.copy(e, from, Address { base, offset: 0 }, 1);
            }
            ScalarOp::Part { from, node, first, step } => {
                let place = self.plan.place(self.schedule.id(node.into()));
                let size = signed(self.schedule.ty(from).dtype.size());
                self.copy(e, from, place.beyond(i64::from(first) * size), step.into());
            }
            ScalarOp::Fill { with, node, first, n } => {
                let place = self.plan.place(self.schedule.id(node.into()));
                self.fill(e, with, (place, first), n as usize);
            }
            ScalarOp::Guard(guard) => {
                let guarded = &self.schedule.graph.guards()[guard];
                let x = self.element(e, guarded.value, self.schedule.element(guarded.value));
                e.return_unless(x, guarded.expect, short(guard) + 1);
            }
        }
    }

    /// Stores the elements of a value, so many elements from each to the next.
    fn copy(&mut self, e: &mut Emitter<'_>, from: Value, place: Address, step: i64) {
        for (k, x) in self.elements(e, from).into_iter().enumerate() {
            let distance = signed(k) * step * signed(x.dtype().size());
            self.store(e, x, Some(place.beyond(distance)));
        }
    }

    /// Sets elements from the given one on to a constant.
    fn fill(&mut self, e: &mut Emitter<'_>, with: Value, (place, first): (Address, u32), n: usize) {
        let number = filler(self.schedule, with);
        let lanes = if n == 1 { 1 } else { loops::lanes_of([number.dtype()]) };
        let in_memory = match number {
            Scalar::F64(number) => self.plan.place_of(self.schedule, number),
            Scalar::F32(_) | Scalar::I64(_) | Scalar::Bool(_) => None,
        };
        let numbers = match in_memory {
            Some(place) => {
                let number = self.load_number(e, place);
                e.splat(number, lanes)
            }
            None => e.constant(number, lanes),
        };
        let start = self.addresses.near(e, place.beyond(i64::from(first) * signed(number.dtype().size())));
        loops::fill(e, start, n, numbers);
    }

    fn node(&mut self, e: &mut Emitter<'_>, node: NodeId) {
        let op = self.schedule.graph.op(node);
        let operands = self.schedule.graph.operands(node);
        let ty = self.schedule.ty(node.into());
        if op.is_elementwise() {
            let results = self.elementwise(e, node, &operands, ty.size());
            return self.define(e, node, &results);
        }
        let x: Vec<Vec<Reg>> = operands.iter().map(|&x| self.elements(e, x).into_vec()).collect();
        let types: Vec<&Type> = operands.iter().map(|&x| self.schedule.ty(x)).collect();
        let results = element::compute(e, op, &x, &types, ty, 1);
        self.define(e, node, &results);
    }

    /// The elements of an elementwise operation. Numbers from memory are loaded last: an instruction takes the load that
    /// stands right before it for its operand.
    fn elementwise(&mut self, e: &mut Emitter<'_>, node: NodeId, operands: &[Value], size: usize) -> Elements {
        // In code of one pass, blocks are not cut, so that few loads are taken by instructions.
        let takes_loads = e.takes_loads_between_blocks();
        let mut known: SmallVec<[Known; 4]> = SmallVec::new();
        for (slot, &operand) in operands.iter().enumerate() {
            known.push(match self.plan.number(self.schedule, node, slot, takes_loads) {
                Some(place) => Known::Number(place),
                None => self.known(e, operand),
            });
        }
        // A sum is made in the register of the first factor, or in that of a copy if that is read again.
        let is_fma = self.schedule.instruction(node) == Some(Instruction::Fma);
        if is_fma && known[0].stays() && !known[1].stays() {
            known.swap(0, 1);
        }
        let mut results = Elements::new();
        for k in 0..size {
            let mut x: SmallVec<[Reg; 4]> = SmallVec::new();
            for operand in &known {
                x.push(match operand {
                    Known::Elements(elements, _) => elements[k],
                    Known::Number(place) => self.number(e, *place),
                });
            }
            results.push(self.one(e, node, x));
        }
        results
    }

    fn known(&mut self, e: &mut Emitter<'_>, operand: Value) -> Known {
        self.operands.stay = false;
        let elements = self.elements(e, operand);
        Known::Elements(elements, self.operands.stay)
    }

    /// One element of the result of an elementwise operation.
    fn one(&mut self, e: &mut Emitter<'_>, node: NodeId, mut x: SmallVec<[Reg; 4]>) -> Reg {
        let op = self.schedule.graph.op(node);
        // Instructions take their last operand from memory, where constants are.
        if op.commutes() && self.schedule.constant(self.schedule.graph.operands(node)[0]).is_some() {
            x.swap(0, 1);
        }
        match self.schedule.instruction(node) {
            Some(Instruction::Neg) if self.negations.contains(&self.schedule.id(node.into())) => {
                let mask = self.mask(e);
                e.neg_by(x[0], mask)
            }
            Some(Instruction::Math1(f)) => e.math1(f, x[0]),
            Some(Instruction::Math2(f)) => e.math2(f, x[0], x[1]),
            _ => op.code(e, &x),
        }
    }

    fn mask(&mut self, e: &mut Emitter<'_>) -> Reg {
        let mask = self.mask.unwrap_or_else(|| self.load_number(e, self.plan.sign(self.schedule)));
        *self.mask.insert(mask)
    }

    /// A number from memory for one instruction.
    fn number(&mut self, e: &mut Emitter<'_>, place: Address) -> Reg {
        self.operands.with_loads = true;
        self.load_number(e, place)
    }

    fn load_number(&mut self, e: &mut Emitter<'_>, place: Address) -> Reg {
        let (address, offset) = self.addresses.near(e, place);
        e.load(address, offset, DType::F64, 1)
    }

    fn define(&mut self, e: &mut Emitter<'_>, node: NodeId, elements: &[Reg]) {
        let id = self.schedule.id(node.into());
        let address = self.plan.get(id);
        // A negation may be taken by the instructions that read it, if it is in their block.
        let may_wait = self.operands.with_loads
            && e.takes_loads_between_blocks()
            && (self.schedule.instruction(node) != Some(Instruction::Neg) || self.negations.contains(&id));
        for (k, &x) in elements.iter().enumerate() {
            let element = (id, k.cast_signed());
            let address = address.map(|place| place.beyond(signed(k * x.dtype().size())));
            let uses = *self.uses.next().expect("bug: a result that was not foreseen") + u8::from(address.is_some());
            if may_wait && uses > 1 && x.dtype().is_float() {
                if self.waiting.len() == MAX_WAITING {
                    self.settle(e);
                }
                self.waiting.push(Waiting { element, register: x, address });
                continue;
            }
            self.registers.insert(element, x);
            if self.operands.with_loads {
                self.with_loads.insert(element);
            }
            self.store(e, x, address);
        }
    }

    /// The elements of a value, in row-major order.
    fn elements(&mut self, e: &mut Emitter<'_>, x: Value) -> Elements {
        places(self.schedule, x).into_iter().map(|place| self.element(e, x, place)).collect()
    }

    /// The element at a place of the value's root.
    fn element(&mut self, e: &mut Emitter<'_>, x: Value, element: isize) -> Reg {
        if let Some(constant) = self.schedule.constant(x) {
            let element = constant.get(element.unsigned_abs()).expect("bug: a view beyond its constant");
            return e.constant(element, 1);
        }
        let root = self.schedule.root(x);
        let read = *self.reads.next().expect("bug: a read that was not foreseen");
        self.operands.stay |= read.stays;
        if read.is_hit {
            self.operands.with_loads |= self.with_loads.contains(&(root, element));
            return self.registers[&(root, element)];
        }
        self.operands.with_loads |= !read.stays;
        let place = self.plan.place(root);
        let dtype = self.schedule.ty(x).dtype;
        let (address, offset) = self.addresses.near(e, place.beyond(wide(element) * signed(dtype.size())));
        let register = e.load(address, offset, dtype, 1);
        self.registers.insert((root, element), register);
        register
    }
}

/// An operand of an elementwise operation.
enum Known {
    /// In registers, and whether it is read again later.
    Elements(Elements, bool),
    /// A number in memory.
    Number(Address),
}

impl Known {
    fn stays(&self) -> bool {
        matches!(self, Known::Elements(_, true))
    }
}

impl Monoid {
    /// Two registers combined.
    pub fn emit(self, e: &mut Emitter<'_>, x: Reg, y: Reg) -> Reg {
        match self {
            Monoid::Sum => e.add(x, y),
            Monoid::Prod => e.mul(x, y),
            Monoid::Max => e.max(x, y),
            Monoid::Min => e.min(x, y),
            Monoid::And => e.and(x, y),
            Monoid::Or => e.or(x, y),
        }
    }
}
