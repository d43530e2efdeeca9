use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use smallvec::SmallVec;

use super::rebuild::{Rewrite, rebuild};
use crate::error::Error;
use crate::ir::{NodeId, Operands, Operation};
use crate::op::{Graph, Op};

/// Computes equal values once: the same operation on the same operands, up to commutation.
///
/// Nothing that it leaves is dead: what used a node that was dropped uses its equal, and both have the same operands.
pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    let hasher = RandomState::new();
    // By hash alone: the graph holds the operations and operands, and a copy of each as a key would cost more than the
    // whole pass.
    let mut known: HashMap<u64, SmallVec<[NodeId; 2]>> = HashMap::with_capacity(graph.n_nodes());
    rebuild(graph, |new, op, operands, provenance| {
        let sorted = sorted(op, operands.clone());
        let alike = known.entry(hasher.hash_one((op, &sorted))).or_default();
        let equal = |node: NodeId| new.node(node).op() == Some(op) && self::sorted(op, new.operands(node)) == sorted;
        if let Some(&node) = alike.iter().find(|&&node| equal(node)) {
            return Ok(Rewrite::Node(node));
        }
        let node = new.add(op.clone(), operands, provenance.clone())?;
        alike.push(node);
        Ok(Rewrite::Node(node))
    })
}

/// The operands in an order that does not matter to the operation.
fn sorted(op: &Op, mut operands: Operands) -> Operands {
    if op.commutes() {
        operands.sort_unstable();
    }
    operands
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::op::trace::{self, record};
    use crate::op::{Graph, Var};
    use crate::value::{DType, Type};

    #[test]
    fn nothing_dead_is_left() {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
        let f = |x: Var| (x.exp() * 2.0 - x).sin() + (x.exp() * 2.0 - x).sin() * (2.0 * x.exp()).cos();
        let (mut graph, y) = record(graph, 100, None, || f(trace::variable(x))).unwrap();
        graph.add_output("y", y.value().unwrap());
        let small = run(&graph).unwrap();
        assert_eq!((graph.n_ops(), small.n_ops()), (16, 8));
        assert_eq!(run(&small).unwrap().n_ops(), 8);
    }
}
