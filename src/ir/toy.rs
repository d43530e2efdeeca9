//! An operation with any number of results and regions, to test the graph independently of the real operations.

use std::sync::Arc;

use serde_json::Map;

use super::{Graph, Mismatch, NodeId, Operation, Provenance, Signature, Types, Value};
use crate::value::{Array, DType, Type};

/// Any number of scalars from any number of operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Toy {
    pub name: &'static str,
    pub n_results: usize,
}

impl Operation for Toy {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, _: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        Ok((0..self.n_results).map(|_| Type::scalar(DType::F64)).collect())
    }

    fn attributes(&self) -> Map<String, serde_json::Value> {
        Map::new()
    }

    fn from_attributes(name: &str, _: Map<String, serde_json::Value>) -> Result<Toy, Mismatch> {
        Err(Mismatch(format!("{name} is never read")))
    }

    fn commutes(&self) -> bool {
        false
    }

    fn constant(&self) -> Option<&Array> {
        None
    }

    fn from_constant(_: Array) -> Toy {
        Toy { name: "constant", n_results: 1 }
    }

    fn names() -> &'static [&'static str] {
        &[]
    }
}

/// A graph with this name and one input.
pub(super) fn graph(name: &str) -> (Graph<Toy>, Value) {
    let mut graph = Graph::new(name);
    let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
    (graph, x)
}

/// Appends a node, with a copy of the region if there is one.
pub(super) fn add(
    graph: &mut Graph<Toy>,
    name: &'static str,
    n_results: usize,
    operands: &[Value],
    region: Option<&Graph<Toy>>,
) -> NodeId {
    let regions = region.map(|region| Arc::new(region.clone())).into_iter().collect();
    graph.add_with_regions(Toy { name, n_results }, operands, regions, Provenance::default()).unwrap()
}

/// A loop whose body applies the operation `inner`.
pub(super) fn nested(inner: &'static str) -> Graph<Toy> {
    let (mut body, x) = graph("body");
    let y = add(&mut body, inner, 1, &[x], None);
    body.add_output("y", y.into()).unwrap();
    let (mut graph, x) = graph("f");
    let pair = add(&mut graph, "pair", 2, &[x], Some(&body));
    let second = Value { node: pair, result: 1 };
    let z = add(&mut graph, "join", 1, &[second, pair.into()], None);
    graph.add_output("z", z.into()).unwrap();
    graph
}
