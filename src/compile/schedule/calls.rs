//! Calls of `math` in straight-line code, brought together: some elements in lanes cost little more than one alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::kernels::{ScalarOp, Schedule, Source};
use crate::ir::{NodeId, Value};
use crate::math;
use crate::op::{Graph, Instruction, Lowering, Op};
use crate::value::DType;

/// The most elements that are passed to one call.
pub const MAX_IN_CALL: usize = 16;

/// For fewer elements the way through memory costs more than the lanes save.
pub const MIN_IN_CALL: usize = 3;

/// What is called, and for what.
type Call = (Routine, DType);

/// What makes elements in lanes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Routine {
    One(math::Unary),
    /// One function or the other.
    Couple(math::Couple),
}

/// What a step calls for all its elements at once.
pub enum Joint {
    One(math::Unary),
    /// Two functions, which take little more time together than each by itself.
    Couple(math::Couple),
}

/// The operations of a kernel in an order in which calls of one function follow each other, if that is another: a call
/// is made together with an earlier one that its operand does not wait for.
pub fn gather(schedule: &Schedule<'_>, kernel: usize, ops: &[ScalarOp]) -> Option<Vec<ScalarOp>> {
    let calls: Vec<(usize, Call)> =
        ops.iter().enumerate().filter_map(|(k, &op)| Some((k, call(schedule, op)?.1))).collect();
    if calls.len() < 2 {
        return None;
    }
    let mut ready = ready(schedule, kernel, ops, &calls).into_iter().peekable();
    let mut waiting: FxHashMap<Call, BinaryHeap<Reverse<usize>>> = FxHashMap::default();
    let mut calls = calls.into_iter().peekable();
    let mut gathered = Vec::with_capacity(ops.len());
    let mut is_made = vec![false; ops.len()];
    for (k, &op) in ops.iter().enumerate() {
        while let Some((_, position, call)) = ready.next_if(|&(from, ..)| from <= k) {
            waiting.entry(call).or_default().push(Reverse(position));
        }
        let Some((_, call)) = calls.next_if(|&(position, _)| position == k) else {
            gathered.push(op);
            continue;
        };
        // All calls before this one have been made, so that it is the first that waits.
        let waiting = waiting.get_mut(&call).filter(|_| !is_made[k]);
        for Reverse(next) in waiting.into_iter().flat_map(|waiting| (0..MAX_IN_CALL).map_while(|_| waiting.pop())) {
            is_made[next] = true;
            gathered.push(ops[next]);
        }
    }
    Some(gathered)
}

/// From which position on each call can be made, in the order of these; its own position, and what it calls.
fn ready(
    schedule: &Schedule<'_>,
    kernel: usize,
    ops: &[ScalarOp],
    calls: &[(usize, Call)],
) -> Vec<(usize, usize, Call)> {
    let operands = |position: usize| {
        let roots = schedule.scalar_operands(ops[position]).into_iter().map(|x| schedule.root(x));
        roots.filter(|&root| schedule.source(root) == Source::Scalar(kernel))
    };
    // Only what calls wait for is of interest, which are few of a large graph.
    let mut made_at: FxHashMap<usize, usize> =
        calls.iter().flat_map(|&(position, _)| operands(position)).map(|root| (root, 0)).collect();
    for (k, &op) in ops.iter().enumerate() {
        if let ScalarOp::Node(node) = op
            && let Some(position) = made_at.get_mut(&schedule.id(node.into()))
        {
            *position = k;
        }
    }
    let from = |position: usize| operands(position).map(|root| made_at[&root] + 1).max().unwrap_or(0);
    let mut ready: Vec<_> = calls.iter().map(|&(position, call)| (from(position), position, call)).collect();
    ready.sort_unstable_by_key(|&(from, position, _)| (from, position));
    ready
}

/// Cuts straight-line code into steps, each of which is emitted as a whole: calls of one function that do not wait for
/// each other, or one operation.
pub fn steps<'k>(schedule: &Schedule<'_>, ops: &'k [ScalarOp]) -> impl Iterator<Item = &'k [ScalarOp]> {
    let mut rest = ops;
    std::iter::from_fn(move || {
        let first = *rest.first()?;
        let mut n = 1;
        if let Some((node, of)) = call(schedule, first) {
            let mut elements = schedule.ty(node.into()).size();
            let mut made: SmallVec<[usize; MAX_IN_CALL]> = SmallVec::from_slice(&[schedule.id(node.into())]);
            let mut passed: SmallVec<[Value; MAX_IN_CALL]> = schedule.graph.operands(node).into_iter().collect();
            for &op in &rest[1..] {
                let Some((node, _)) = call(schedule, op).filter(|&(_, other)| other == of) else { break };
                let operand = schedule.graph.operands(node)[0];
                // Two functions of the same elements take them once.
                if !passed.contains(&operand) {
                    elements += schedule.ty(operand).size();
                    passed.push(operand);
                }
                let waits = schedule.scalar_operands(op).into_iter().any(|x| made.contains(&schedule.root(x)));
                if waits || elements > MAX_IN_CALL {
                    break;
                }
                made.push(schedule.id(node.into()));
                n += 1;
            }
        }
        let (step, behind) = rest.split_at(n);
        rest = behind;
        Some(step)
    })
}

/// What a step calls for all its elements at once, if there are enough of them.
pub fn joint_call(schedule: &Schedule<'_>, step: &[ScalarOp]) -> Option<Joint> {
    let functions: SmallVec<[(NodeId, math::Unary); MAX_IN_CALL]> =
        step.iter().filter_map(|&op| function(schedule, op)).collect();
    let elements: usize = functions.iter().map(|&(node, _)| schedule.ty(node.into()).size()).sum();
    let &(node, first) = functions.first()?;
    let couple = math::Couple::of(first).filter(|_| functions.iter().any(|&(_, f)| f != first));
    // Two functions of one number are made at once in less time than one after the other.
    let operand = schedule.graph.operands(node)[0];
    let of_same = |&(other, f): &(NodeId, math::Unary)| f != first && schedule.graph.operands(other)[0] == operand;
    if elements < MIN_IN_CALL && !functions.iter().any(of_same) {
        return None;
    }
    Some(couple.map_or(Joint::One(first), |(couple, _)| Joint::Couple(couple)))
}

/// For nodes that one call of `math` computes together with another the other one. What a derivative needs beside a function
/// stands far after it in the schedule: placed there, it would take a call of its own.
pub fn partners(graph: &Graph, needed: &[bool]) -> FxHashMap<NodeId, NodeId> {
    let mut firsts: FxHashMap<(math::Couple, Value), (usize, NodeId)> = FxHashMap::default();
    let mut partners = FxHashMap::default();
    for id in graph.ids().filter(|id| needed[id.index()]) {
        let Some(Lowering::Math1(f)) = graph.node(id).op().map(Op::lower) else { continue };
        let Some((couple, function)) = math::Couple::of(f) else { continue };
        let &mut (of_first, first) = firsts.entry((couple, graph.operands(id)[0])).or_insert((function, id));
        if of_first != function {
            partners.entry(first).or_insert(id);
        }
    }
    partners
}

/// A call of `math` for many iterations of a loop.
pub struct Ahead {
    pub operand: Value,
    pub routine: Joint,
    /// The nodes of the results, in the order of a couple.
    pub nodes: SmallVec<[NodeId; 2]>,
}

/// The most passes over the iterations of a block before the last one. Each makes anew what is not handed over.
const MAX_PASSES: usize = 2;

/// The calls of a loop's body that can be made for many iterations at once, in passes: a call is in the one behind those that
/// its operand waits for. They take and make up to `max` numbers for each iteration.
pub fn in_passes(body: &Graph, max: usize) -> Vec<Vec<Ahead>> {
    let needed = body.needed();
    let partners = partners(body, &needed);
    let mut passes: Vec<Vec<Ahead>> = Vec::new();
    // In which pass a node is first known; what takes long is made only once, in the last.
    let mut pass = vec![Some(0); body.n_nodes()];
    let mut n = 0;
    for id in body.ids().filter(|id| needed[id.index()]) {
        let Some(op) = body.node(id).op() else { continue };
        let operands = body.operands(id);
        let of_operands = operands.iter().map(|x| pass[x.node.index()]).try_fold(0, |most, of| Some(most.max(of?)));
        pass[id.index()] = match op.lower() {
            Lowering::Math1(f) => {
                let size = body.ty(id.into()).size();
                let call = ahead(id, operands[0], f, partners.get(&id).copied());
                let is_made = passes.iter().flatten().any(|call| call.nodes.contains(&id));
                let numbers = size * (1 + call.nodes.len());
                match of_operands.filter(|&of| of < MAX_PASSES) {
                    Some(of) if is_made => Some(of + 1),
                    Some(of) if n + numbers <= max => {
                        n += numbers;
                        passes.resize_with(passes.len().max(of + 1), Vec::new);
                        passes[of].push(call);
                        Some(of + 1)
                    }
                    _ => None,
                }
            }
            Lowering::Elementwise
            | Lowering::Constant(_)
            | Lowering::View(_)
            | Lowering::Reduce { .. }
            | Lowering::Assemble(_)
            | Lowering::Scatter(_)
            | Lowering::Contract(_)
            | Lowering::Generate(_) => of_operands,
            _ => None,
        };
    }
    passes
}

fn ahead(id: NodeId, operand: Value, f: math::Unary, partner: Option<NodeId>) -> Ahead {
    match (math::Couple::of(f), partner) {
        (Some((couple, function)), Some(partner)) => {
            let nodes = if function == 0 { [id, partner] } else { [partner, id] };
            Ahead { operand, routine: Joint::Couple(couple), nodes: SmallVec::from_slice(&nodes) }
        }
        _ => Ahead { operand, routine: Joint::One(f), nodes: SmallVec::from_slice(&[id]) },
    }
}

fn call(schedule: &Schedule<'_>, op: ScalarOp) -> Option<(NodeId, Call)> {
    let (node, f) = function(schedule, op)?;
    let routine = math::Couple::of(f).map_or(Routine::One(f), |(couple, _)| Routine::Couple(couple));
    Some((node, (routine, schedule.ty(node.into()).dtype)))
}

/// The function of `math` that an operation calls.
pub fn function(schedule: &Schedule<'_>, op: ScalarOp) -> Option<(NodeId, math::Unary)> {
    let ScalarOp::Node(node) = op else { return None };
    match schedule.instruction(node)? {
        Instruction::Math1(f) => Some((node, f)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Kernel;
    use super::*;
    use crate::op::trace::{self, record};
    use crate::value::Type;

    #[test]
    fn calls_that_do_not_wait_for_each_other_are_one_step() {
        let mut graph = Graph::new("f");
        let x = ["x", "y", "z"].map(|name| graph.add_input(name, Type::scalar(DType::F64)).unwrap());
        let (mut graph, y) = record(graph, 100, None, || {
            let [x, y, z] = x.map(trace::variable);
            (x.sin() * y.sin() * z.sin()).sin() * z.cos()
        })
        .unwrap();
        graph.add_output("y", y.value().unwrap()).unwrap();
        let schedule = Schedule::new(&graph);
        let [Kernel::Scalar(code)] = &schedule.kernels[..] else { panic!("{:?}", schedule.kernels) };
        let steps: Vec<&[ScalarOp]> = steps(&schedule, &code.ops).collect();
        assert_eq!(steps.iter().map(|step| step.len()).collect::<Vec<_>>(), [4, 1, 1, 1, 1]);
        assert_eq!(steps.iter().filter(|step| joint_call(&schedule, step).is_some()).count(), 1);
    }
}
