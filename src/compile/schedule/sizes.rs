//! What graphs and types take.

use crate::op::{Flow, Graph, Op};
use crate::value::Type;

/// Whether running a graph takes memory from stacks, for itself or within regions.
pub fn makes_stacks(graph: &Graph) -> bool {
    graph.ids().any(|id| {
        let node = graph.node(id);
        let takes = node.types().iter().any(|ty| ty.stack)
            || node.op().and_then(Op::roles).is_some_and(|roles| matches!(roles.flow, Flow::Back(_)));
        takes || node.regions().iter().any(|region| makes_stacks(region))
    })
}

/// The bytes of a value, whose type has been checked.
pub fn bytes_of(ty: &Type) -> usize {
    ty.checked_bytes().expect("bug: an oversized value passed the graph's check")
}
