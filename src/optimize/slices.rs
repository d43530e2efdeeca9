//! Sums of slices that a gather reads: a gather that adds them up, and writes none.

use rustc_hash::FxHashSet;

use crate::ir::{NodeId, Operands, Provenance, Value};
use crate::op::{Gather, Graph, Op};

/// The sums whose operands have no other use.
pub(super) fn sums_of_slices(graph: &Graph) -> FxHashSet<NodeId> {
    let is_gather = |id: NodeId| matches!(graph.node(id).op(), Some(Op::Gather(_)));
    let mut sums = FxHashSet::default();
    if !graph.ids().any(is_gather) {
        return sums;
    }
    let needed = graph.needed();
    let (mut read, mut read_again) = (FxHashSet::default(), FxHashSet::default());
    let mut mark = |value: Value| {
        if is_gather(value.node) && !read.insert(value.node) {
            read_again.insert(value.node);
        }
    };
    for id in graph.ids().filter(|id| needed[id.index()]) {
        let operands = graph.operands(id);
        if matches!(graph.node(id).op(), Some(Op::ReduceSum(_))) && is_gather(operands[0].node) {
            sums.insert(id);
        }
        operands.into_iter().for_each(&mut mark);
    }
    graph.outputs().iter().for_each(|output| mark(output.value));
    graph.guards().iter().for_each(|guard| mark(guard.value));
    sums.retain(|&id| !read_again.contains(&graph.operands(id)[0].node));
    sums
}

/// The gather that gives the sum, its operands, and the provenance of the gather of the slices, whose line an error names.
pub(super) fn gather_of_sums(graph: &Graph, op: &Op, slices: Value) -> Option<(Gather, Operands, Provenance)> {
    let (Op::ReduceSum(sum), node) = (op, graph.node(slices.node)) else { return None };
    let Some(Op::Gather(gather)) = node.op() else { return None };
    let gather = gather.with_sums(graph.ty(slices), &sum.axes)?;
    Some((gather, graph.operands(slices.node), node.provenance().clone()))
}
