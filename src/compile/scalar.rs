//! Emission of straight-line code on single elements.

use std::collections::HashMap;

use super::allocate::{FRAME, Homes};
use super::plan::{NEAR, Plan, ScalarOp, ValueId};
use crate::emit::{Emitter, Reg};
use crate::ir::{NodeId, Value};
use crate::op::{Lowering, Monoid};

/// Emits one stretch of a scalar kernel. `start` is the position of its first operation in the kernel.
pub(super) fn emit(e: &mut Emitter<'_>, plan: &Plan<'_>, homes: &Homes, ops: &[ScalarOp], start: usize) {
    if homes.frame_slots > 0 {
        e.load_bases([FRAME]);
    }
    let mut block = Block { plan, homes, registers: HashMap::new() };
    for (k, &op) in ops.iter().enumerate() {
        block.emit(e, op, start + k);
    }
}

struct Block<'p, 'g> {
    plan: &'p Plan<'g>,
    homes: &'p Homes,
    /// The register of a value of one element, by root and place, and where in the kernel it was last loaded or made.
    registers: HashMap<(ValueId, isize), (Reg, usize)>,
}

impl Block<'_, '_> {
    fn emit(&mut self, e: &mut Emitter<'_>, op: ScalarOp, position: usize) {
        let x: Vec<Reg> = self.plan.scalar_operands(op).iter().map(|&x| self.operand(e, x, position)).collect();
        match op {
            ScalarOp::Node(node) => {
                let result = self.compute(e, node, &x);
                self.define(e, node, result, position);
            }
            ScalarOp::Output { output, .. } => {
                let base = super::allocate::FIRST_INPUT + (self.plan.graph.inputs().len() + output) as u32;
                let address = e.base(base);
                e.store(x[0], address, 0);
            }
            ScalarOp::Guard(guard) => e.return_unless(x[0], self.plan.graph.guards()[guard].expect, guard as i32 + 1),
        }
    }

    fn compute(&self, e: &mut Emitter<'_>, node: NodeId, x: &[Reg]) -> Reg {
        let op = self.plan.graph.node(node).op().expect("bug: an input among operations");
        match op.lower() {
            Lowering::Inline(rule) => rule.emit(e, x),
            Lowering::Math1(f) => e.math1(f, x[0]),
            Lowering::Math2(f) => e.math2(f, x[0], x[1]),
            Lowering::Reduce { monoid, axes } => {
                let operand = self.plan.graph.operands(node)[0];
                let rank = self.plan.ty(operand).rank();
                reduce_one(e, monoid, rank > 0 && axes.contains(&(rank - 1)), x[0])
            }
            Lowering::Constant(_) | Lowering::View(_) | Lowering::Library(_) | Lowering::Control(_) => {
                unreachable!("bug: {} in straight-line code", op.name())
            }
        }
    }

    fn define(&mut self, e: &mut Emitter<'_>, node: NodeId, result: Reg, position: usize) {
        let id = self.plan.id(node.into());
        if let Some(place) = self.homes.get(id) {
            let address = e.base(place.base);
            e.store(result, address, place.offset as i32);
        }
        self.registers.insert((id, 0), (result, position));
    }

    fn operand(&mut self, e: &mut Emitter<'_>, x: Value, position: usize) -> Reg {
        let (root, element) = (self.plan.root(x), self.plan.element(x));
        if let Some(constant) = self.plan.constant(x) {
            let element = constant.get(element as usize).expect("bug: a view beyond its constant");
            return e.constant(element, 1);
        }
        if let Some(&(register, made)) = self.registers.get(&(root, element))
            && position - made <= NEAR
        {
            return register;
        }
        let place = self.homes.place(root);
        let dtype = self.plan.ty(x).dtype;
        let distance = place.offset + element as i64 * dtype.size() as i64;
        let base = e.base(place.base);
        let (address, offset) = match i32::try_from(distance) {
            Ok(offset) => (base, offset),
            Err(_) => (e.offset(base, distance), 0),
        };
        let register = e.load(address, offset, dtype, 1);
        self.registers.insert((root, element), (register, position));
        register
    }
}

/// The reduction of a single element, with the identities of the documented order.
fn reduce_one(e: &mut Emitter<'_>, monoid: Monoid, in_row: bool, x: Reg) -> Reg {
    let identity = e.constant(monoid.identity(x.dtype()), 1);
    let tile = if in_row { monoid.emit(e, identity, x) } else { x };
    monoid.emit(e, identity, tile)
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
