//! Operations with several results of which some have no use, where another operation gives the rest for less, to the same
//! bits: eigenvalues without their vectors. Where both are applied to the same operands, the larger one serves for both.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::ir::{NodeId, Operands, Value};
use crate::op::{Graph, Op};

/// The operation that a node is replaced by, and for each result of the node the result that equals it; `None` for one
/// without uses.
pub(super) struct Fitted {
    pub op: Op,
    pub places: SmallVec<[Option<u16>; 4]>,
}

/// The needed nodes for which there is such an operation.
pub(super) fn fitted(graph: &Graph) -> FxHashMap<NodeId, Fitted> {
    let mut fitted = FxHashMap::default();
    // Most graphs have no such operation, and are looked at once.
    let mut others: Vec<NodeId> = graph.ids().filter(|&id| has_other(graph, id)).collect();
    if others.is_empty() {
        return fitted;
    }
    let needed = graph.needed();
    others.retain(|id| needed[id.index()]);
    let used = used(graph, &needed, &others);
    let mut wide: FxHashSet<(&Op, Operands)> = FxHashSet::default();
    for &id in &others {
        let Some(op) = graph.node(id).op() else { continue };
        let Some((narrow, result)) = op.narrower() else { continue };
        let place = usize::from(result);
        if used[&id].iter().enumerate().all(|(k, &used)| !used || k == place) {
            let places = (0..used[&id].len()).map(|k| (k == place).then_some(0)).collect();
            fitted.insert(id, Fitted { op: narrow, places });
        } else {
            wide.insert((op, graph.operands(id)));
        }
    }
    for &id in &others {
        let wider = graph.node(id).op().and_then(Op::wider);
        if let Some((op, result)) = wider.filter(|(op, _)| wide.contains(&(op, graph.operands(id)))) {
            fitted.insert(id, Fitted { op, places: SmallVec::from_elem(Some(result), 1) });
        }
    }
    // What would be narrowed, but equals a node that is not, shares its results instead.
    fitted.retain(|&id, _| graph.node(id).op().is_none_or(|op| !wide.contains(&(op, graph.operands(id)))));
    fitted
}

fn has_other(graph: &Graph, id: NodeId) -> bool {
    graph.node(id).op().is_some_and(|op| op.narrower().is_some() || op.wider().is_some())
}

/// For each of the nodes which of its results have a use.
fn used(graph: &Graph, needed: &[bool], nodes: &[NodeId]) -> FxHashMap<NodeId, SmallVec<[bool; 4]>> {
    let unused = |&id: &NodeId| (id, SmallVec::from_elem(false, graph.node(id).types().len()));
    let mut used: FxHashMap<NodeId, SmallVec<[bool; 4]>> = nodes.iter().map(unused).collect();
    let mut mark = |value: Value| {
        if let Some(used) = used.get_mut(&value.node) {
            used[usize::from(value.result)] = true;
        }
    };
    for id in graph.ids().filter(|id| needed[id.index()]) {
        graph.operands(id).into_iter().for_each(&mut mark);
    }
    graph.outputs().iter().for_each(|output| mark(output.value));
    graph.guards().iter().for_each(|guard| mark(guard.value));
    used
}
