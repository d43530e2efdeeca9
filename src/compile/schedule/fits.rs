//! Which control flow fits into registers.

use std::collections::HashMap;

use super::work::of_elements;
use crate::ir::{NodeId, Value};
use crate::op::{ByRole, Flow, Graph, Layout, Lowering, small_matrices};
use crate::value::Type;

/// The most elements of an array in registers: as many as the factors of a small matrix have.
const MAX_ELEMENTS: usize = small_matrices::MAX_ELEMENTS;

/// The most elements of a carry: each is alive in every iteration.
const MAX_CARRY: usize = 48;

/// The most operations on elements in one function: register allocation is superlinear.
const MAX_WORK: usize = 2000;

/// Whether a node with regions fits into registers.
pub fn fits(graph: &Graph, id: NodeId) -> bool {
    let types = graph.operands(id).into_iter().map(|x| graph.ty(x));
    let stored: Vec<Stored> =
        types.map(|ty| (ty.rank() > 0 && !ty.stack).then(|| Layout::row_major(&ty.shape))).collect();
    node_fits(graph, id, &stored, true, &mut Work(MAX_WORK)).is_some()
}

/// The operations on elements that may still be met. What is known to be too much is not counted to its end: with nested
/// regions that are used again and again, it may be millions.
struct Work(usize);

impl Work {
    fn spend(&mut self, n: usize) -> Option<()> {
        self.0 = self.0.checked_sub(n)?;
        Some(())
    }
}

/// Where the elements of a value lie, if they lie in memory.
type Stored = Option<Layout>;

/// Spends the operations on elements that a node with regions takes, or gives `None` if it does not fit. `stored` tells
/// which operands lie in memory, and `outermost` whether the node is a kernel of its own.
fn node_fits(graph: &Graph, id: NodeId, stored: &[Stored], outermost: bool, work: &mut Work) -> Option<()> {
    let node = graph.node(id);
    let types: Vec<&Type> = graph.operands(id).iter().map(|&x| graph.ty(x)).collect();
    let small = |ty: &Type| ty.size() <= MAX_ELEMENTS;
    let carry_fits = |n: usize| types[..n].iter().map(|ty| ty.size()).sum::<usize>() <= MAX_CARRY;
    // What does not lie in memory lies in registers.
    let held = types.iter().zip(stored).all(|(ty, stored)| stored.is_some() || ty.stack || small(ty));
    if !held {
        return None;
    }
    let roles = node.op()?.roles()?;
    let ByRole { rows, fixed, .. } = roles.split(stored);
    let inside = |n_index: usize| vec![None; n_index + roles.n_carry];
    if !carry_fits(roles.n_carry) {
        return None;
    }
    work.spend(1)?;
    match roles.flow {
        Flow::Choice | Flow::Once => {
            if !node.types().iter().all(small) {
                return None;
            }
            for region in node.regions() {
                // The choice.
                work.spend(1)?;
                region_fits(region, fixed, work)?;
            }
            Some(())
        }
        Flow::While => {
            if !node.types().iter().all(small) {
                return None;
            }
            let mut inside = inside(0);
            inside.extend_from_slice(fixed);
            node.regions().iter().try_for_each(|region| region_fits(region, &inside, work))
        }
        Flow::Rows(length) => {
            let body = &node.regions()[0];
            let collected = &body.signature().outputs[roles.n_carry..];
            // Rows that are collected need memory, which only a kernel of its own has; stacks have it anyway.
            let has_place = collected.is_empty() || length.is_none() || outermost;
            if !collected.iter().all(small) || !has_place {
                return None;
            }
            let mut inside = inside(1);
            for (ty, stored) in roles.split(&types).rows.iter().zip(rows) {
                let of_stack = ty.stack.then(|| Layout::row_major(&ty.shape));
                inside.push(Some(of_stack.or_else(|| stored.as_ref().map(row_layout))?));
            }
            inside.extend_from_slice(fixed);
            region_fits(body, &inside, work)
        }
        // It is a kernel of its own.
        Flow::Back(_) => None,
        // It has been inlined.
        Flow::Custom => None,
    }
}

/// The places of one row's elements, from its first.
pub fn row_layout(layout: &Layout) -> Layout {
    Layout { offset: 0, strides: layout.strides[1..].into(), shape: layout.shape[1..].into() }
}

/// Spends the operations on elements that a region takes, or gives `None` if it does not fit.
fn region_fits(region: &Graph, stored: &[Stored], work: &mut Work) -> Option<()> {
    let mut in_memory: HashMap<Value, Layout> = HashMap::new();
    for (input, stored) in region.inputs().iter().zip(stored) {
        let value = Value::from(input.node);
        match stored {
            Some(layout) => drop(in_memory.insert(value, layout.clone())),
            None if region.ty(value).size() > MAX_ELEMENTS => return None,
            None => {}
        }
    }
    let small = |x: Value| region.ty(x).size() <= MAX_ELEMENTS;
    for id in region.ids().skip(region.inputs().len()) {
        let op = region.node(id).op()?;
        let operands = region.operands(id);
        if let Lowering::Control = op.lower() {
            let stored: Vec<Stored> = operands.iter().map(|x| in_memory.get(x).cloned()).collect();
            node_fits(region, id, &stored, false, work)?;
            continue;
        }
        if let Lowering::View(view) = op.lower()
            && let Some(layout) = in_memory.get(&operands[0]).and_then(|layout| view.view(layout))
        {
            in_memory.insert(id.into(), layout);
            continue;
        }
        if !operands.iter().all(|&x| small(x)) || !small(id.into()) {
            return None;
        }
        let types: Vec<&Type> = operands.iter().map(|&x| region.ty(x)).collect();
        work.spend(of_elements(op, &types, region.ty(id.into()))?)?;
    }
    let outputs_fit = region.outputs().iter().all(|output| small(output.value));
    outputs_fit.then_some(())
}
