use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::rebuild::{Rewrite, rebuild};
use crate::error::Error;
use crate::ir::{NodeId, Operands, Operation};
use crate::op::{Graph, Op};

/// Computes equal values once: the same operation on the same operands, up to commutation.
///
/// Nothing that it leaves is dead: what used a node that was dropped uses its equal, and both have the same operands.
pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    // By hash alone: the graph holds the operations and operands, and a copy of each as a key would cost more than the
    // whole pass. Of two nodes of one hash that differ the first is known, so that a graph from someone who knows the
    // hash costs no more than any other.
    let mut known: FxHashMap<u64, NodeId> = FxHashMap::with_capacity_and_hasher(graph.n_nodes(), FxBuildHasher);
    rebuild(graph, run, |new, copy| {
        let sorted = sorted(copy.op, copy.operands.clone());
        let hash = FxBuildHasher.hash_one((copy.op, &sorted));
        let equal = |node: NodeId| {
            let other = new.node(node);
            other.op() == Some(copy.op)
                && self::sorted(copy.op, new.operands(node)) == sorted
                && other.regions().iter().zip(copy.regions).all(|(x, y)| x.is_same(y))
        };
        let alike = known.get(&hash).copied();
        if let Some(node) = alike.filter(|&node| equal(node)) {
            return Ok(Rewrite::Node(node));
        }
        let node = copy.add(new)?;
        if alike.is_none() {
            known.insert(hash, node);
        }
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
