//! Emission of straight-line code on scalars and small arrays.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::allocate::{FIRST_INPUT, FRAME, Homes, is_negation};
use super::calls::{self, Joint};
use super::element;
use super::nest::{Fill, FillWith};
use super::plan::{Place, Plan, ScalarOp, ValueId};
use super::residence::{Element, places};
use crate::emit::{Emitter, Pointer, Reg};
use crate::ir::{NodeId, Operation, Value};
use crate::op::{Lowering, Monoid, Op};
use crate::value::{DType, Type};

/// Emits one stretch of a scalar kernel. `hits` says which of its reads find registers.
pub(super) fn emit(e: &mut Emitter<'_>, plan: &Plan<'_>, homes: &Homes, ops: &[ScalarOp], hits: &[bool]) {
    e.load_bases((homes.frame_slots > 0).then_some(FRAME));
    e.load_bases(homes.numbers_base(plan));
    let negations = negations_in_registers(plan, homes, ops);
    let (registers, hits) = (FxHashMap::default(), hits.iter());
    let mut block = Block { plan, homes, registers, hits, negations, bases: [None; 2] };
    for step in calls::steps(plan, ops) {
        block.emit(e, step);
    }
}

/// The negations that something else than an `fma` reads, or that are stored.
fn negations_in_registers(plan: &Plan<'_>, homes: &Homes, ops: &[ScalarOp]) -> FxHashSet<ValueId> {
    let negations = ops.iter().filter_map(|&op| node_of(op)).filter(|&node| is_negation(plan, node));
    let ids = negations.map(|node| plan.id(node.into()));
    let (mut stand, fused): (FxHashSet<ValueId>, FxHashSet<ValueId>) = ids.partition(|&id| homes.get(id).is_some());
    if !fused.is_empty() {
        let is_fma = |node: NodeId| matches!(plan.graph.node(node).op(), Some(Op::Fma(_)));
        let readers = ops.iter().filter(|op| !node_of(**op).is_some_and(is_fma));
        let read = readers.flat_map(|&x| plan.scalar_operands(x)).map(|x| plan.root(x));
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
    plan: &'p Plan<'g>,
    homes: &'p Homes,
    /// The register into which an element was last loaded, or in which it was made.
    registers: FxHashMap<Element, Reg>,
    /// For each read to come, whether the element is in a register.
    hits: std::slice::Iter<'p, bool>,
    /// The negations whose results must be in registers.
    negations: FxHashSet<ValueId>,
    /// The entries of the base table that were used last, the latest first, with what stands there.
    bases: [Option<(u32, Pointer)>; 2],
}

impl Block<'_, '_> {
    fn emit(&mut self, e: &mut Emitter<'_>, step: &[ScalarOp]) {
        match calls::joint_call(self.plan, step) {
            Some(joint) => self.call(e, &joint, step),
            None => step.iter().for_each(|&op| self.op(e, op)),
        }
    }

    /// One call for the elements of all operations of a step.
    fn call(&mut self, e: &mut Emitter<'_>, joint: &Joint, step: &[ScalarOp]) {
        let results = match joint {
            Joint::One(f) => {
                let operands = step.iter().flat_map(|&op| self.plan.scalar_operands(op));
                let x: Vec<Reg> = operands.flat_map(|x| self.elements(e, x)).collect();
                e.math1_many(*f, &x)
            }
            Joint::SinCos => self.sin_cos(e, step),
        };
        let mut results = &results[..];
        for node in step.iter().filter_map(|&op| node_of(op)) {
            let (own, others) = results.split_at(self.plan.ty(node.into()).size());
            self.define(e, node, own);
            results = others;
        }
    }

    /// Sines and cosines, in one call with each element once.
    fn sin_cos(&mut self, e: &mut Emitter<'_>, step: &[ScalarOp]) -> Vec<Reg> {
        let (mut known, mut x): (Vec<Element>, Vec<Reg>) = (Vec::new(), Vec::new());
        let mut wanted = Vec::new();
        for node in step.iter().filter_map(|&op| node_of(op)) {
            let is_cos = matches!(self.plan.graph.node(node).op(), Some(Op::Cos(_)));
            let operand = self.plan.graph.operands(node)[0];
            for place in places(self.plan, operand) {
                let register = self.element(e, operand, place);
                let element = (self.plan.root(operand), place);
                let k = known.iter().position(|&other| other == element).unwrap_or_else(|| {
                    known.push(element);
                    x.push(register);
                    x.len() - 1
                });
                wanted.push((is_cos, k));
            }
        }
        e.sin_cos_many(&x, &wanted)
    }

    /// An entry of the base table. One after the other, elements of few arrays are read and stored, whose addresses would be
    /// loaded again behind each store; more of them would leave the registers.
    fn base(&mut self, e: &mut Emitter<'_>, base: u32) -> Pointer {
        let known = self.bases.iter().position(|known| known.is_some_and(|(known, _)| known == base));
        let k = known.unwrap_or(self.bases.len() - 1);
        if known.is_none() {
            self.bases[k] = Some((base, e.base(base)));
        }
        self.bases[..=k].rotate_right(1);
        self.bases[0].expect("bug: no base was stored").1
    }

    fn op(&mut self, e: &mut Emitter<'_>, op: ScalarOp) {
        match op {
            ScalarOp::Node(node) => self.node(e, node),
            ScalarOp::Output { from, output } => {
                let base = FIRST_INPUT + (self.plan.graph.inputs().len() + output) as u32;
                let address = self.base(e, base);
                for (k, x) in self.elements(e, from).into_iter().enumerate() {
                    e.store(x, address, (k * x.dtype().size()) as i32);
                }
            }
            ScalarOp::Part { from, node, first, step } => {
                let place = self.homes.place(self.plan.id(node.into()));
                let address = self.base(e, place.base);
                for (k, x) in self.elements(e, from).into_iter().enumerate() {
                    let element = i64::from(first) + k as i64 * i64::from(step);
                    let place = place.beyond(element * x.dtype().size() as i64);
                    self.access(e, address, place.offset, |e, address, offset| e.store(x, address, offset));
                }
            }
            ScalarOp::Fill { with, node, first, n } => {
                let number = self.plan.constant(with).and_then(|number| number.get(self.plan.element(with) as usize));
                let number = FillWith::Immediate(number.expect("bug: no constant to fill with"));
                let place = self.homes.place(self.plan.id(node.into()));
                let stretch = first as usize..(first + n) as usize;
                Fill { place, dtype: self.plan.ty(node.into()).dtype, stretches: vec![stretch], with: number }.emit(e);
            }
            ScalarOp::Guard(guard) => {
                let guarded = &self.plan.graph.guards()[guard];
                let x = self.element(e, guarded.value, self.plan.element(guarded.value));
                e.return_unless(x, guarded.expect, guard as i32 + 1);
            }
        }
    }

    fn node(&mut self, e: &mut Emitter<'_>, node: NodeId) {
        let op = self.plan.graph.node(node).op().expect("bug: an input among operations");
        let operands = self.plan.graph.operands(node);
        let ty = self.plan.ty(node.into());
        if let Lowering::Inline(_) | Lowering::Math1(_) | Lowering::Math2(_) = op.lower() {
            let results = self.elementwise(e, node, &operands, ty.size());
            return self.define(e, node, &results);
        }
        let x: Vec<Vec<Reg>> = operands.iter().map(|&x| self.elements(e, x).into_vec()).collect();
        let types: Vec<&Type> = operands.iter().map(|&x| self.plan.ty(x)).collect();
        let results = element::compute(e, op, &x, &types, ty, 1);
        self.define(e, node, &results);
    }

    /// The elements of an elementwise operation. Numbers from memory are loaded last: an instruction takes the load that
    /// stands right before it for its operand.
    fn elementwise(&mut self, e: &mut Emitter<'_>, node: NodeId, operands: &[Value], size: usize) -> Elements {
        let mut known: SmallVec<[Result<Elements, Place>; 4]> = SmallVec::new();
        for (slot, &operand) in operands.iter().enumerate() {
            let number = self.homes.number(self.plan, node, slot);
            known.push(number.map_or_else(|| Ok(self.elements(e, operand)), Err));
        }
        let mut results = Elements::new();
        for k in 0..size {
            let mut x: SmallVec<[Reg; 4]> = SmallVec::new();
            for operand in &known {
                x.push(match operand {
                    Ok(elements) => elements[k],
                    Err(number) => self.number(e, *number),
                });
            }
            results.push(self.one(e, node, x));
        }
        results
    }

    /// One element of the result of an elementwise operation.
    fn one(&mut self, e: &mut Emitter<'_>, node: NodeId, mut x: SmallVec<[Reg; 4]>) -> Reg {
        let op = self.plan.graph.node(node).op().expect("bug: an input among operations");
        // Instructions take their last operand from memory, where constants are.
        if op.commutes() && self.plan.constant(self.plan.graph.operands(node)[0]).is_some() {
            x.swap(0, 1);
        }
        match op.lower() {
            Lowering::Inline(_) if self.negations.contains(&self.plan.id(node.into())) => {
                let mask = self.number(e, self.homes.sign(self.plan));
                e.neg_by(x[0], mask)
            }
            Lowering::Inline(rule) => rule.emit(e, &x),
            Lowering::Math1(f) => e.math1(f, x[0]),
            Lowering::Math2(f) => e.math2(f, x[0], x[1]),
            _ => unreachable!("bug: {} is not elementwise", op.name()),
        }
    }

    /// A number from memory.
    fn number(&mut self, e: &mut Emitter<'_>, Place { base, offset }: Place) -> Reg {
        let base = self.base(e, base);
        self.access(e, base, offset, |e, address, offset| e.load(address, offset, DType::F64, 1))
    }

    fn define(&mut self, e: &mut Emitter<'_>, node: NodeId, elements: &[Reg]) {
        let id = self.plan.id(node.into());
        let home = self.homes.get(id).map(|place| (self.base(e, place.base), place.offset));
        for (k, &x) in elements.iter().enumerate() {
            if let Some((address, offset)) = home {
                let distance = offset + (k * x.dtype().size()) as i64;
                self.access(e, address, distance, |e, address, offset| e.store(x, address, offset));
            }
            self.registers.insert((id, k as isize), x);
        }
    }

    /// The elements of a value, in row-major order.
    fn elements(&mut self, e: &mut Emitter<'_>, x: Value) -> Elements {
        places(self.plan, x).into_iter().map(|place| self.element(e, x, place)).collect()
    }

    /// The element at a place of the value's root.
    fn element(&mut self, e: &mut Emitter<'_>, x: Value, element: isize) -> Reg {
        if let Some(constant) = self.plan.constant(x) {
            let element = constant.get(element as usize).expect("bug: a view beyond its constant");
            return e.constant(element, 1);
        }
        let root = self.plan.root(x);
        if *self.hits.next().expect("bug: a read that was not foreseen") {
            return self.registers[&(root, element)];
        }
        let place = self.homes.place(root);
        let dtype = self.plan.ty(x).dtype;
        let base = self.base(e, place.base);
        let distance = place.offset + element as i64 * dtype.size() as i64;
        let register = self.access(e, base, distance, |e, address, offset| e.load(address, offset, dtype, 1));
        self.registers.insert((root, element), register);
        register
    }

    /// Memory at a distance that an instruction may be too short to hold.
    fn access<T>(
        &self,
        e: &mut Emitter<'_>,
        base: Pointer,
        distance: i64,
        access: impl FnOnce(&mut Emitter<'_>, Pointer, i32) -> T,
    ) -> T {
        match i32::try_from(distance) {
            Ok(offset) => access(e, base, offset),
            Err(_) => {
                let address = e.offset(base, distance);
                access(e, address, 0)
            }
        }
    }
}

impl Monoid {
    /// Two registers combined.
    pub(super) fn emit(self, e: &mut Emitter<'_>, x: Reg, y: Reg) -> Reg {
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
