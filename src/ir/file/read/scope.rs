//! The names of a graph that is being read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::super::fields::{Place, did_you_mean};
use super::{MAX_COMPARED, Reader};
use crate::ir::{Graph, Operation, Value};
use crate::value::Type;
use crate::value::json::Json;

/// A graph that is being read.
pub(super) struct Scope<'t, O> {
    pub name: &'t str,
    inputs: &'t [Json<'t>],
    nodes: &'t [Json<'t>],
    /// The graph built so far; complete as long as there are no findings.
    pub graph: Graph<O>,
    names: HashMap<Cow<'t, str>, Named>,
    ahead: Option<Ahead<'t>>,
}

/// A value of the graph as far as it is known.
#[derive(Clone)]
pub(super) struct Known {
    /// `None` where the document is contradictory: nothing is inferred from it.
    pub ty: Option<Type>,
    /// `None` after findings.
    pub value: Option<Value>,
}

/// What a name refers to.
enum Named {
    Value(Known),
    /// A node with this number of results, which have their own names.
    Several(usize),
}

/// Where later names are defined.
struct Ahead<'t> {
    positions: HashMap<&'t str, usize>,
    /// For each node, its strongly connected component: nodes that depend on each other have the same number.
    components: Vec<usize>,
}

impl<'t, O: Operation> Scope<'t, O> {
    pub fn new(name: &'t str, inputs: &'t [Json<'t>], nodes: &'t [Json<'t>]) -> Scope<'t, O> {
        let names = HashMap::with_capacity(inputs.len() + nodes.len());
        Scope { name, inputs, nodes, graph: Graph::new(name), names, ahead: None }
    }

    /// Whether the name is that of one of several results of a node with unknown types.
    fn is_result_of_unknown(&self, name: &str) -> bool {
        let node = name.rsplit_once('.').and_then(|(node, _)| self.names.get(node));
        matches!(node, Some(Named::Value(Known { ty: None, .. })))
    }

    /// A hint with the most similar name. Generated names (`n5`) are all similar to each other, and nobody misspells
    /// them.
    fn nearest(&self, name: &str) -> Option<String> {
        let is_digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
        let is_number = |name: &str| name.strip_prefix('n').is_some_and(is_digits);
        if is_number(name) {
            return None;
        }
        let named = self.inputs.iter().chain(self.nodes).take(MAX_COMPARED);
        did_you_mean(name, named.filter_map(|json| field(json, "id")?.as_text()).filter(|name| !is_number(name)))
    }

    /// The node that defines a name; `None` for an input.
    pub fn node_of(&mut self, name: &str) -> Option<&'t Json<'t>> {
        let position = position_of(&self.ahead().positions, name)?;
        self.nodes.get(position)
    }

    fn ahead(&mut self) -> &Ahead<'t> {
        self.ahead.get_or_insert_with(|| Ahead::new(self.nodes))
    }
}

impl<'t> Ahead<'t> {
    fn new(nodes: &'t [Json<'t>]) -> Ahead<'t> {
        let mut positions = HashMap::new();
        let mut dag = DiGraph::<(), ()>::new();
        for (position, node) in nodes.iter().enumerate() {
            dag.add_node(());
            if let Some(id) = field(node, "id").and_then(Json::as_text) {
                positions.insert(id, position);
            }
        }
        for (position, node) in nodes.iter().enumerate() {
            let operands = field(node, "in").and_then(Json::as_list).unwrap_or_default();
            for source in operands.iter().filter_map(|name| position_of(&positions, name.as_text()?)) {
                dag.add_edge(NodeIndex::new(source), NodeIndex::new(position), ());
            }
        }
        let mut components = vec![0; nodes.len()];
        for (number, component) in kosaraju_scc(&dag).into_iter().enumerate() {
            component.into_iter().for_each(|node| components[node.index()] = number);
        }
        Ahead { positions, components }
    }
}

/// The node that a name refers to, by its id or as one of its results.
fn position_of(positions: &HashMap<&str, usize>, name: &str) -> Option<usize> {
    let node = || name.rsplit_once('.').and_then(|(node, _)| positions.get(node));
    positions.get(name).or_else(node).copied()
}

/// The value of a key of an object.
pub(super) fn field<'t>(json: &'t Json<'t>, key: &str) -> Option<&'t Json<'t>> {
    json.as_object()?.iter().find(|(other, _)| other == key).map(|(_, value)| value)
}

impl<'t, O: Operation> Reader<'t, O> {
    /// Defines the name of a value.
    pub fn define(&mut self, scope: &mut Scope<'t, O>, place: Place<'_>, id: Cow<'t, str>, known: Known) {
        self.define_named(scope, place, id, Named::Value(known));
    }

    /// Defines the names of a node's results: the id itself, or `id.0`, `id.1`, … if there are several.
    pub fn define_results(&mut self, scope: &mut Scope<'t, O>, place: Place<'_>, id: &'t str, results: Vec<Known>) {
        match <[Known; 1]>::try_from(results) {
            Ok([known]) => self.define(scope, place, id.into(), known),
            Err(results) => {
                self.define_named(scope, place, id.into(), Named::Several(results.len()));
                for (result, known) in results.into_iter().enumerate() {
                    self.define(scope, place, format!("{id}.{result}").into(), known);
                }
            }
        }
    }

    fn define_named(&mut self, scope: &mut Scope<'t, O>, place: Place<'_>, id: Cow<'t, str>, named: Named) {
        match scope.names.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(named);
            }
            Entry::Occupied(mut entry) => {
                self.findings.at(place, format!("the id \"{}\" is given twice", entry.key()));
                entry.insert(Named::Value(Known { ty: None, value: None }));
            }
        }
    }

    /// The value with this name. `node` is the position of the node that refers to it.
    pub fn find(
        &mut self,
        scope: &mut Scope<'t, O>,
        place: Place<'_>,
        node: Option<usize>,
        name: &str,
    ) -> Option<Known> {
        match scope.names.get(name) {
            Some(Named::Value(known)) => return Some(known.clone()),
            Some(&Named::Several(n)) => {
                let message = format!("node \"{name}\" has {n} results; name one of them: \"{name}.0\"");
                self.findings.at(place, message);
                return None;
            }
            None if scope.is_result_of_unknown(name) => return Some(Known { ty: None, value: None }),
            None => {}
        }
        let ahead = scope.ahead();
        match (position_of(&ahead.positions, name), node) {
            (Some(position), Some(node)) if ahead.components[position] == ahead.components[node] => {
                self.findings.at(place, format!("\"{name}\" depends on this node in turn: a cycle"));
            }
            (Some(position), Some(node)) if position > node => {
                self.findings.at(place, format!("\"{name}\" is used before its definition"));
            }
            (Some(_), _) | (None, _) => {
                let hint = || scope.nearest(name);
                self.findings.add_with_hint(place.to_string(), format!("there is no value \"{name}\""), hint);
            }
        }
        None
    }
}
