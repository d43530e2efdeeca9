use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHasher};

use super::rebuild::{Copy, Rewrite, Run, rebuild};
use crate::error::Error;
use crate::ir::{NodeId, Operation, Provenance, Value};
use crate::op::{BroadcastInDim, Graph, Op};
use crate::stack;
use crate::value::{Array, Scalar, Shape};

/// Computes equal values once: the same operation on the same operands, up to commutation.
///
/// The result has no dead nodes: users of a dropped node use its equal instead, and both have the same operands.
pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    stack::for_levels(graph.depth(), || run_in(graph, &Run::default()))
}

fn run_in(graph: &Graph, run: &Run) -> Result<Graph, Error> {
    let mut known = Known::new(graph.n_nodes());
    rebuild(
        graph,
        run,
        |region| run_in(region, run),
        |new, copy| known.builder(new, copy.provenance).copy(copy).map(Rewrite::Node),
    )
}

/// The nodes of a graph under construction, indexed by what they compute (value numbering).
///
/// Equal nodes have the same operands, so a node is searched for in the list of nodes that have the same latest
/// operand. Such lists are close together in memory, unlike the entries of a hash table for a large graph. The table
/// serves only nodes without operands and those whose list is full.
pub(super) struct Known {
    /// For each node, the last entry in the list of nodes whose latest operand it is. 0 means none: the first node of a
    /// graph has no operands.
    last: Vec<u32>,
    /// For each node, the previous entry of its list, and its hash.
    links: Vec<(u32, u32)>,
    /// Keyed by the hash alone: the graph holds operations and operands, and a copy of each as a key would cost more
    /// than the whole pass. If two different nodes have the same hash, only the first is entered, so that a graph with
    /// deliberate hash collisions costs no more than any other.
    others: FxHashMap<u64, NodeId>,
}

/// The most nodes in one list.
const MAX_LIST: usize = 8;

impl Known {
    /// With capacity for a graph of this many nodes.
    pub fn new(n_nodes: usize) -> Known {
        let (last, links) = (Vec::with_capacity(n_nodes), Vec::with_capacity(n_nodes));
        Known { last, links, others: FxHashMap::default() }
    }

    /// A builder that adds nodes to the graph that `self` indexes.
    pub fn builder<'b>(&'b mut self, graph: &'b mut Graph, provenance: &'b Provenance) -> Builder<'b> {
        Builder { graph, known: self, provenance }
    }

    /// The existing node that computes the same, or a new one from `add`.
    fn find(
        &mut self,
        graph: &mut Graph,
        (op, x, regions): (&Op, &[Value], &[Arc<Graph>]),
        add: impl FnOnce(&mut Graph) -> Result<NodeId, Error>,
    ) -> Result<NodeId, Error> {
        let is_equal = |graph: &Graph, id: NodeId| {
            let node = graph.node(id);
            node.op() == Some(op)
                && is_permuted(op, x, &graph.operands(id))
                && node.regions().iter().zip(regions).all(|(x, y)| x.is_same(y))
        };
        let hash = hash(op, x);
        if let Some(latest) = x.iter().map(|x| x.node.index()).max() {
            let (mut link, mut n) = (self.last.get(latest).copied().unwrap_or(0), 0);
            while link != 0 {
                let (before, hash_there) = self.links[link as usize];
                let node = NodeId::from_index(link as usize);
                if hash_there == hash as u32 && is_equal(graph, node) {
                    return Ok(node);
                }
                (link, n) = (before, n + 1);
            }
            if n < MAX_LIST {
                let node = add(graph)?;
                self.append(latest, node, hash as u32);
                return Ok(node);
            }
        }
        match self.others.entry(hash) {
            Entry::Vacant(unknown) => Ok(*unknown.insert(add(graph)?)),
            Entry::Occupied(same_hash) if is_equal(graph, *same_hash.get()) => Ok(*same_hash.get()),
            Entry::Occupied(_) => add(graph),
        }
    }

    /// Adds a node to the list of its latest operand.
    fn append(&mut self, latest: usize, node: NodeId, hash: u32) {
        if self.last.len() <= node.index() {
            self.last.resize(node.index() + 1, 0);
            self.links.resize(node.index() + 1, (0, 0));
        }
        let before = std::mem::replace(&mut self.last[latest], node.index() as u32);
        self.links[node.index()] = (before, hash);
    }
}

/// Adds a node unless the graph already has an equal one.
pub(super) struct Builder<'b> {
    pub graph: &'b mut Graph,
    known: &'b mut Known,
    provenance: &'b Provenance,
}

impl Builder<'_> {
    /// An operation with one result.
    pub fn add(&mut self, op: Op, x: &[Value]) -> Result<Value, Error> {
        let provenance = self.provenance;
        let node = self.known.find(self.graph, (&op, x, &[]), |graph| graph.add(op.clone(), x, provenance.clone()));
        node.map(Value::from)
    }

    /// A copy of a node of another graph.
    pub fn copy(&mut self, copy: &Copy<'_>) -> Result<NodeId, Error> {
        self.known.find(self.graph, (copy.op, copy.operands, copy.regions), |graph| copy.add(graph))
    }

    /// A number broadcast to a shape.
    pub fn spread(&mut self, number: Scalar, shape: Shape) -> Result<Value, Error> {
        let constant = self.add(Op::from_constant(Array::from_scalar(number)), &[])?;
        if shape.rank() == 0 {
            return Ok(constant);
        }
        self.add(BroadcastInDim { shape, axes: vec![] }.into(), &[constant])
    }

    /// A number broadcast to the shape of another value.
    pub fn everywhere(&mut self, number: Scalar, like: Value) -> Result<Value, Error> {
        self.spread(number, self.graph.ty(like).shape.clone())
    }
}

/// A hash that does not depend on the order of operands if the operation commutes. Commutative operations have two
/// operands.
fn hash(op: &Op, x: &[Value]) -> u64 {
    let mut hasher = FxHasher::default();
    op.hash(&mut hasher);
    match *x {
        [a, b] if op.commutes() => (a.min(b), a.max(b)).hash(&mut hasher),
        _ => x.hash(&mut hasher),
    }
    hasher.finish()
}

fn is_permuted(op: &Op, x: &[Value], y: &[Value]) -> bool {
    x == y || op.commutes() && matches!((x, y), ([a, b], [c, d]) if (a, b) == (d, c))
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
        graph.add_output("y", y.value().unwrap()).unwrap();
        let small = run(&graph).unwrap();
        assert_eq!((graph.n_ops(), small.n_ops()), (16, 8));
        assert_eq!(run(&small).unwrap().n_ops(), 8);
    }
}
