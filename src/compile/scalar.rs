//! Emission of straight-line code on scalars and small arrays.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::allocate::{FIRST_INPUT, FRAME, Homes};
use super::element;
use super::plan::{NEAR, Plan, ScalarOp, ValueId};
use crate::emit::{Emitter, Pointer, Reg};
use crate::ir::{NodeId, Value};
use crate::op::{Lowering, Monoid};
use crate::value::Type;

/// Emits one stretch of a scalar kernel. `start` is the position of its first operation in the kernel.
pub(super) fn emit(e: &mut Emitter<'_>, plan: &Plan<'_>, homes: &Homes, ops: &[ScalarOp], start: usize) {
    if homes.frame_slots > 0 {
        e.load_bases([FRAME]);
    }
    let mut block = Block { plan, homes, registers: HashMap::new() };
    let mut position = start;
    for &op in ops {
        let end = position + plan.scalar_work(op);
        block.emit(e, op, position, end - 1);
        position = end;
    }
}

struct Block<'p, 'g> {
    plan: &'p Plan<'g>,
    homes: &'p Homes,
    /// The register of an element, by root and place, and where in the kernel it was last loaded or made.
    registers: HashMap<(ValueId, isize), (Reg, usize)>,
}

impl Block<'_, '_> {
    /// A step that begins at a position and ends at another.
    fn emit(&mut self, e: &mut Emitter<'_>, op: ScalarOp, position: usize, end: usize) {
        match op {
            ScalarOp::Node(node) => self.node(e, node, position, end),
            ScalarOp::Output { from, output } => {
                let base = FIRST_INPUT + (self.plan.graph.inputs().len() + output) as u32;
                let address = e.base(base);
                for (k, x) in self.elements(e, from, position).into_iter().enumerate() {
                    e.store(x, address, (k * x.dtype().size()) as i32);
                }
            }
            ScalarOp::Guard(guard) => {
                let guarded = &self.plan.graph.guards()[guard];
                let x = self.element(e, guarded.value, self.plan.element(guarded.value), position);
                e.return_unless(x, guarded.expect, guard as i32 + 1);
            }
        }
    }

    fn node(&mut self, e: &mut Emitter<'_>, node: NodeId, position: usize, end: usize) {
        let op = self.plan.graph.node(node).op().expect("bug: an input among operations");
        let operands = self.plan.graph.operands(node);
        let ty = self.plan.ty(node.into());
        if ty.size() == 1
            && let Lowering::Inline(_) | Lowering::Math1(_) | Lowering::Math2(_) = op.lower()
        {
            let x: SmallVec<[Reg; 4]> =
                operands.iter().map(|&x| self.element(e, x, self.plan.element(x), position)).collect();
            let result = match op.lower() {
                Lowering::Inline(rule) => rule.emit(e, &x),
                Lowering::Math1(f) => e.math1(f, x[0]),
                Lowering::Math2(f) => e.math2(f, x[0], x[1]),
                _ => unreachable!("bug: {} was elementwise", op.name()),
            };
            return self.define(e, node, &[result], end);
        }
        let x: Vec<Vec<Reg>> = operands.iter().map(|&x| self.elements(e, x, position)).collect();
        let types: Vec<&Type> = operands.iter().map(|&x| self.plan.ty(x)).collect();
        let results = element::compute(e, op, &x, &types, ty, 1);
        self.define(e, node, &results, end);
    }

    fn define(&mut self, e: &mut Emitter<'_>, node: NodeId, elements: &[Reg], end: usize) {
        let id = self.plan.id(node.into());
        let home = self.homes.get(id).map(|place| (e.base(place.base), place.offset));
        for (k, &x) in elements.iter().enumerate() {
            if let Some((address, offset)) = home {
                let distance = offset + (k * x.dtype().size()) as i64;
                self.access(e, address, distance, |e, address, offset| e.store(x, address, offset));
            }
            self.registers.insert((id, k as isize), (x, end));
        }
    }

    /// The elements of a value, in row-major order.
    fn elements(&mut self, e: &mut Emitter<'_>, x: Value, position: usize) -> Vec<Reg> {
        if self.plan.ty(x).size() == 1 {
            return vec![self.element(e, x, self.plan.element(x), position)];
        }
        let places: Vec<isize> = self.plan.access(x).layout.places().collect();
        places.into_iter().map(|place| self.element(e, x, place, position)).collect()
    }

    /// The element at a place of the value's root.
    fn element(&mut self, e: &mut Emitter<'_>, x: Value, element: isize, position: usize) -> Reg {
        if let Some(constant) = self.plan.constant(x) {
            let element = constant.get(element as usize).expect("bug: a view beyond its constant");
            return e.constant(element, 1);
        }
        let root = self.plan.root(x);
        if let Some(&(register, made)) = self.registers.get(&(root, element))
            && position.saturating_sub(made) <= NEAR
        {
            return register;
        }
        let place = self.homes.place(root);
        let dtype = self.plan.ty(x).dtype;
        let base = e.base(place.base);
        let distance = place.offset + element as i64 * dtype.size() as i64;
        let register = self.access(e, base, distance, |e, address, offset| e.load(address, offset, dtype, 1));
        self.registers.insert((root, element), (register, position));
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
