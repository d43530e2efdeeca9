use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::ir::{Guard, Node, NodeId, Operands, Provenance, Value, ValueMap, results_of};
use crate::op::{Graph, Op};

/// What a pass replaces a node by.
pub(super) enum Rewrite {
    /// The same operation on the mapped operands.
    Keep,
    /// An existing value.
    Value(Value),
    /// All results of an existing node.
    Node(NodeId),
    /// An existing value for each result, or `None` for a result without uses.
    Values(Vec<Option<Value>>),
    /// Another operation with one result.
    Op(Op, Operands),
    /// Nothing: its user will be rewritten not to read it. Until then, an operand of the node is mapped in its place.
    Absorbed,
}

/// A node as it is to be added to a new graph.
pub(super) struct Copy<'c> {
    /// The node in the old graph.
    pub id: NodeId,
    pub op: &'c Op,
    /// The node's data in the old graph.
    node: &'c Node<Op>,
    /// The operands in the new graph.
    pub operands: &'c Operands,
    /// The regions, to which the pass has been applied.
    pub regions: &'c [Arc<Graph>],
    /// The provenance in the new graph.
    pub provenance: &'c Provenance,
}

impl Copy<'_> {
    /// Adds it unchanged.
    pub fn add(&self, new: &mut Graph) -> Result<NodeId, Error> {
        // A pass keeps the types of values, but may change the signatures of regions.
        if self.regions.is_empty() {
            return new.add_same(self.node, self.operands, self.provenance.clone());
        }
        new.add_with_regions(self.op.clone(), self.operands, self.regions.into(), self.provenance.clone())
    }
}

/// State of one run of a pass, common to the graph and all nested regions.
#[derive(Default)]
pub(super) struct Run {
    /// The regions rebuilt so far, with their replacements, so that a region with several uses stays one region at any
    /// nesting depth. The original is kept alive, because its address is the key.
    rebuilt: RefCell<HashMap<*const Graph, [Arc<Graph>; 2]>>,
    /// The total size in bytes of the constants folded so far.
    folded: Cell<usize>,
}

/// The most bytes of constants that one run of a pass folds; the rest is computed at run time.
const MAX_FOLDED_BYTES: usize = 16 << 20;

impl Run {
    /// Whether a constant of this many bytes may be folded; if so, it is added to the total.
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

/// Copies the nodes that outputs and guards need into a new graph. The pass is first applied to the regions of a node;
/// then `rewrite` decides what replaces the node.
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

/// Copies outputs and guards. A guard that repeats another, or whose value is a constant, checks nothing new, but it is
/// kept: a miss is reported by the guard's position, which must be the same before and after a pass. It costs nothing,
/// since the compiler omits it.
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
