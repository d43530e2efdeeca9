use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::ir::{Guard, Node, NodeId, Operands, Provenance, Value, ValueMap, results_of};
use crate::op::{Graph, Op};

/// What takes the place of a node.
pub(super) enum Rewrite {
    /// The same operation on the mapped operands.
    Keep,
    /// A value that exists already.
    Value(Value),
    /// All results of a node that exists already.
    Node(NodeId),
    /// A value that exists already for each result; none for those that nothing uses.
    Values(Vec<Option<Value>>),
    /// Another operation with one result.
    Op(Op, Operands),
    /// Nothing: the one that reads it will be replaced by something that does not. That one finds an operand of the node
    /// in its place.
    Absorbed,
}

/// A node as it is to be added to a new graph.
pub(super) struct Copy<'c> {
    /// The node in the old graph.
    pub id: NodeId,
    pub op: &'c Op,
    /// As it stands in the old graph.
    node: &'c Node<Op>,
    /// The operands in the new graph.
    pub operands: &'c Operands,
    /// The regions, to which the pass has been applied.
    pub regions: &'c [Arc<Graph>],
    /// The provenance in the new graph.
    pub provenance: &'c Provenance,
}

impl Copy<'_> {
    /// Adds it as it is.
    pub fn add(&self, new: &mut Graph) -> Result<NodeId, Error> {
        // A pass keeps the types of values, but may change the signatures of regions.
        if self.regions.is_empty() {
            return new.add_same(self.node, self.operands, self.provenance.clone());
        }
        new.add_with_regions(self.op.clone(), self.operands, self.regions.into(), self.provenance.clone())
    }
}

/// What one run of a pass knows of all graphs, regions in regions included.
#[derive(Default)]
pub(super) struct Run {
    /// The regions that have been rebuilt, and as what: one that stands in several places stays one, however they are
    /// nested. Originals are kept, so that no other graph takes the address by which one is known.
    rebuilt: RefCell<HashMap<*const Graph, [Arc<Graph>; 2]>>,
    /// The bytes of constants that have been computed.
    folded: Cell<usize>,
}

/// The bytes of all constants that one run of a pass computes; further ones are left to the program.
const MAX_FOLDED_BYTES: usize = 16 << 20;

impl Run {
    /// Whether a constant of so many bytes may be computed; it counts from now on.
    pub fn folds(&self, bytes: usize) -> bool {
        let folded = self.folded.get().saturating_add(bytes);
        let fits = folded <= MAX_FOLDED_BYTES;
        if fits {
            self.folded.set(folded);
        }
        fits
    }

    fn region(
        &self,
        region: &Arc<Graph>,
        pass: impl FnOnce(&Graph) -> Result<Graph, Error>,
    ) -> Result<Arc<Graph>, Error> {
        if let Some([_, new]) = self.rebuilt.borrow().get(&Arc::as_ptr(region)) {
            return Ok(new.clone());
        }
        let new = Arc::new(pass(region)?);
        self.rebuilt.borrow_mut().insert(Arc::as_ptr(region), [region.clone(), new.clone()]);
        Ok(new)
    }
}

/// Copies the nodes that outputs and guards need into a new graph, letting `rewrite` replace each, after the pass has been
/// applied to their regions.
pub(super) fn rebuild(
    graph: &Graph,
    run: &Run,
    pass: impl Fn(&Graph) -> Result<Graph, Error>,
    mut rewrite: impl FnMut(&mut Graph, &Copy<'_>) -> Result<Rewrite, Error>,
) -> Result<Graph, Error> {
    let needed = graph.needed();
    let mut new = Graph::new(graph.name());
    new.reserve_like(graph);
    let mut map = ValueMap::new(graph.n_nodes());
    let mut absorbed: FxHashMap<NodeId, Value> = FxHashMap::default();
    for input in graph.inputs() {
        let value = new.add_input(input.name.clone(), graph.ty(input.node.into()).clone())?;
        map.set(input.node, [value]);
    }
    for id in graph.ids().filter(|id| needed[id.index()]) {
        let node = graph.node(id);
        let Some(op) = node.op() else { continue };
        let image = |x: Value| map.get(x).or_else(|| absorbed.get(&x.node).copied());
        let mut operands = graph.operands(id);
        operands.iter_mut().for_each(|x| *x = image(*x).expect("bug: a needed operand was dropped"));
        let provenance = map.provenance(node.provenance());
        let mut regions = Vec::new();
        for region in node.regions() {
            regions.push(run.region(region, &pass)?);
        }
        let copy = Copy { id, op, node, operands: &operands, regions: &regions, provenance: &provenance };
        match rewrite(&mut new, &copy)? {
            Rewrite::Value(value) => map.set(id, [value]),
            Rewrite::Values(values) => map.set_used(id, values),
            Rewrite::Absorbed => drop(absorbed.insert(id, operands[0])),
            Rewrite::Node(node) => map.set(id, results_of(&new, node)),
            Rewrite::Op(op, operands) => {
                let copy = new.add(op, &operands, provenance)?;
                map.set(id, [copy.into()]);
            }
            Rewrite::Keep => {
                let copy = copy.add(&mut new)?;
                map.set(id, results_of(&new, copy));
            }
        }
    }
    finish(graph, &map, &mut new)?;
    Ok(new)
}

/// Carries over outputs and guards. A guard that repeats another, or that a constant decides, demands nothing new, but it
/// stays: the position of a guard is what a miss is reported by, before and after any pass. It costs nothing, since the
/// compiler leaves it out.
fn finish(graph: &Graph, map: &ValueMap, new: &mut Graph) -> Result<(), Error> {
    for guard in graph.guards() {
        let value = map.get(guard.value).expect("bug: a guard's value was dropped");
        new.add_guard(Guard { value, ..guard.clone() })?;
    }
    for output in graph.outputs() {
        new.add_output(output.name.clone(), map.get(output.value).expect("bug: an output was dropped"))?;
    }
    Ok(())
}
