use crate::error::Error;
use crate::ir::{Guard, NodeId, Operands, Provenance, Value, ValueMap, results_of};
use crate::op::{Graph, Op};

/// What takes the place of a node.
pub(super) enum Rewrite {
    /// The same operation on the mapped operands.
    Keep,
    /// A value that exists already.
    Value(Value),
    /// All results of a node that exists already.
    Node(NodeId),
    /// Another operation with one result.
    Op(Op, Operands),
}

/// Copies the nodes that outputs and guards need into a new graph, letting `rewrite` replace each. It gets the new
/// graph, the operation, its operands in the new graph, and the node's provenance there.
pub(super) fn rebuild(
    graph: &Graph,
    mut rewrite: impl FnMut(&mut Graph, &Op, &Operands, &Provenance) -> Result<Rewrite, Error>,
) -> Result<Graph, Error> {
    let needed = graph.needed();
    let mut new = Graph::new(graph.name());
    new.reserve_like(graph);
    let mut map = ValueMap::new(graph.n_nodes());
    for input in graph.inputs() {
        let value = new.add_input(input.name.clone(), graph.ty(input.node.into()).clone())?;
        map.set(input.node, [value]);
    }
    for id in graph.ids().filter(|id| needed[id.index()]) {
        let node = graph.node(id);
        let Some(op) = node.op() else { continue };
        let operands: Operands =
            graph.operands(id).into_iter().map(|x| map.get(x).expect("bug: a needed operand was dropped")).collect();
        let provenance = map.provenance(node.provenance());
        match rewrite(&mut new, op, &operands, &provenance)? {
            Rewrite::Value(value) => map.set(id, [value]),
            Rewrite::Node(node) => map.set(id, results_of(&new, node)),
            Rewrite::Op(op, operands) => {
                let copy = new.add(op, &operands, provenance)?;
                map.set(id, [copy.into()]);
            }
            Rewrite::Keep => {
                let copy = new.add_with_regions(op.clone(), &operands, node.regions().into(), provenance)?;
                map.set(id, results_of(&new, copy));
            }
        }
    }
    finish(graph, &map, &mut new);
    Ok(new)
}

/// Carries over outputs and guards. A guard that repeats another, or that a constant settles, demands nothing new.
fn finish(graph: &Graph, map: &ValueMap, new: &mut Graph) {
    let mut seen = std::collections::HashSet::new();
    for guard in graph.guards() {
        let value = map.get(guard.value).expect("bug: a guard's value was dropped");
        let constant = match new.node(value.node).op() {
            Some(Op::Constant(constant)) => constant.value.as_slice::<bool>() == Some(&[guard.expect]),
            _ => false,
        };
        if !constant && seen.insert((value, guard.expect)) {
            new.add_guard(Guard { value, ..guard.clone() });
        }
    }
    for output in graph.outputs() {
        new.add_output(output.name.clone(), map.get(output.value).expect("bug: an output was dropped"));
    }
}
