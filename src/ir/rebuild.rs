use std::collections::HashMap;

use super::{Graph, Guard, NodeId, Operation, Provenance, Value};
use crate::error::{ArgumentError, Error};

/// A map from the values of one graph to those of another.
#[derive(Clone, Debug)]
pub struct ValueMap {
    /// The image of each node's first result.
    first: Vec<Option<Value>>,
    /// The images of the others, for the few nodes that have more than one. A result without a use may have none.
    others: HashMap<NodeId, Vec<Option<Value>>>,
}

impl ValueMap {
    /// An empty map for a graph of `n_nodes` nodes.
    pub fn new(n_nodes: usize) -> ValueMap {
        ValueMap { first: vec![None; n_nodes], others: HashMap::new() }
    }

    /// The image of a value, if its node has been mapped.
    ///
    /// # Panics
    /// If the map is for a graph of fewer nodes, as [`ValueMap::set`] does.
    pub fn get(&self, value: Value) -> Option<Value> {
        match usize::from(value.result).checked_sub(1) {
            None => self.first[value.node.index()],
            Some(position) => self.others.get(&value.node)?.get(position).copied().flatten(),
        }
    }

    /// Maps all results of a node.
    ///
    /// # Panics
    /// If the map is for a graph of fewer nodes.
    pub fn set(&mut self, node: NodeId, results: impl IntoIterator<Item = Value>) {
        self.set_used(node, results.into_iter().map(Some));
    }

    /// Maps the used results of a node; `None` for results without uses.
    ///
    /// # Panics
    /// As [`ValueMap::set`].
    pub fn set_used(&mut self, node: NodeId, results: impl IntoIterator<Item = Option<Value>>) {
        let mut results = results.into_iter();
        self.first[node.index()] = results.next().flatten();
        let others: Vec<Option<Value>> = results.collect();
        if !others.is_empty() {
            self.others.insert(node, others);
        }
    }

    /// The provenance with its role mapped; a role whose primal value has no image is dropped.
    pub fn provenance(&self, provenance: &Provenance) -> Provenance {
        let role = provenance.role.and_then(|role| Some(role.with(self.get(role.of())?)));
        Provenance { at: provenance.at.clone(), name: provenance.name.clone(), role }
    }
}

impl<O: Operation> Graph<O> {
    /// Appends every operation and guard of another graph, with its inputs replaced by `inputs`. Its outputs are not
    /// added; the map gives their values.
    ///
    /// # Errors
    /// If the number of `inputs` differs from that of the other graph, one of them is not a value of this graph, or an
    /// operation or a guard rejects the replaced operands.
    pub fn inline(&mut self, other: &Graph<O>, inputs: &[Value]) -> Result<ValueMap, Error> {
        if inputs.len() != other.inputs().len() {
            let (expected, got) = (other.inputs().len(), inputs.len());
            return Err(ArgumentError::Count { of: other.name().to_string(), expected, got }.into());
        }
        if let Some(position) = inputs.iter().position(|&value| !self.contains(value)) {
            let name = other.inputs()[position].name.to_string();
            let requirement = format!("takes a value of graph \"{}\", but got one of another", self.name());
            return Err(ArgumentError::Value { name, requirement }.into());
        }
        self.reserve_like(other);
        let mut map = ValueMap::new(other.n_nodes());
        let same_types =
            other.inputs().iter().zip(inputs).all(|(input, &value)| other.ty(input.node.into()) == self.ty(value));
        for (input, &value) in other.inputs().iter().zip(inputs) {
            map.set(input.node, [value]);
        }
        for id in other.ids() {
            let node = other.node(id);
            let Some(op) = node.op() else { continue };
            let operands: super::Operands = other
                .operands(id)
                .into_iter()
                .map(|operand| map.get(operand).expect("bug: an operand after its use"))
                .collect();
            let provenance = map.provenance(node.provenance());
            let copy = if same_types {
                self.add_same(node, &operands, provenance)?
            } else {
                self.add_with_regions(op.clone(), &operands, node.regions().into(), provenance)?
            };
            map.set(id, results_of(self, copy));
        }
        for guard in other.guards() {
            let value = map.get(guard.value).expect("bug: a guard on a value that does not exist");
            self.add_guard(Guard { value, ..guard.clone() })?;
        }
        Ok(map)
    }
}

/// All results of a node.
///
/// # Panics
/// If the graph has no such node.
pub fn results_of<O: Operation>(graph: &Graph<O>, node: NodeId) -> impl Iterator<Item = Value> + use<O> {
    (0..graph.node(node).types().len()).map(move |result| Value { node, result: result as u16 })
}
