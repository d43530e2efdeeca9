//! A part of the open trace on rows: what depends on one of its values.

use std::collections::{HashMap, HashSet};

use super::rows::Batcher;
use crate::ir::{NodeId, Operands, Provenance, Role, Value, results_of};
use crate::op::{Batched, Graph, Var, trace};

/// What depends on a value of the open trace, as a graph of its own that takes this value first, then what else it uses.
pub(crate) struct Pass {
    graph: Graph,
    captured: Vec<Var>,
    /// The role of each node of the graph, in the trace that it was taken from.
    roles: Vec<Option<Role>>,
    /// For each result that was asked for, which output of the graph it is; `None` if it does not depend on the value.
    outputs: Vec<Option<usize>>,
}

impl Pass {
    /// The part of the innermost trace by which `results` depend on `seed`; `None` after an error.
    pub fn between(seed: Var, results: &[Option<Var>]) -> Option<Pass> {
        let seed = trace::local(seed)?;
        let results: Vec<Option<Value>> = results.iter().map(|y| y.and_then(trace::local)).collect();
        if trace::has_failed() {
            return None;
        }
        let (graph, captured, roles, outputs) =
            trace::inspect(|graph| Extraction::new(graph, seed).finish(graph, &results));
        Some(Pass { graph, captured: captured.into_iter().map(trace::variable).collect(), roles, outputs })
    }

    /// Whether it uses what a loop has saved, which no region can take.
    pub fn takes_stacks(&self) -> bool {
        self.graph.inputs().iter().any(|input| self.graph.ty(input.node.into()).stack)
    }

    /// How many elements the largest of its values has.
    pub fn widest(&self) -> usize {
        let operations = self.graph.ids().filter(|&id| self.graph.node(id).op().is_some());
        operations.flat_map(|id| self.graph.node(id).types()).map(|ty| ty.size()).max().unwrap_or(0)
    }

    /// The results for all unit vectors, which `seeds` are, in order, in place of the value.
    #[track_caller]
    pub fn on_unit_vectors(&self, seeds: Var, n: usize) -> Vec<Option<Var>> {
        self.replay(&Batcher::of_unit_vectors(n, &self.graph), seeds, n)
    }

    /// The results for rows of the value, each with a leading axis of extent `n`; `None` for one that does not depend on
    /// it, and after an error. It may be asked for in a region of the trace that the pass was taken from.
    #[track_caller]
    pub fn on_rows(&self, seeds: Var, n: usize) -> Vec<Option<Var>> {
        self.replay(&Batcher::new(n), seeds, n)
    }

    #[track_caller]
    fn replay(&self, batcher: &Batcher, seeds: Var, n: usize) -> Vec<Option<Var>> {
        let first = Batched { var: seeds, has_rows: true };
        let captured = self.captured.iter().map(|&var| Batched { var, has_rows: false });
        let inputs: Vec<Batched> = std::iter::once(first).chain(captured).collect();
        // In a region, where the primal values are not, all are what the seeds are for.
        let is_home = self.captured.iter().all(|&x| trace::own_value(x).is_some());
        let own = trace::own_value(seeds);
        let role = |id: NodeId| {
            let role = self.roles[id.index()]?;
            if is_home { Some(role) } else { own.map(|own| role.with(own)) }
        };
        let outputs = batcher.replay_as(&self.graph, &inputs, &role).unwrap_or_default();
        let output = |k: &Option<usize>| outputs.get((*k)?).map(|y| y.rows(n));
        self.outputs.iter().map(output).collect()
    }
}

/// A graph as it is taken out of another.
struct Extraction {
    seed: Value,
    part: Graph,
    /// The images of values that depend on the seed, and of what was captured.
    images: HashMap<Value, Value>,
    depends: HashSet<Value>,
}

type Parts = (Graph, Vec<Value>, Vec<Option<Role>>, Vec<Option<usize>>);

impl Extraction {
    fn new(graph: &Graph, seed: Value) -> Extraction {
        let mut depends = HashSet::from([seed]);
        for index in seed.node.index() + 1..graph.n_nodes() {
            let id = NodeId::from_index(index);
            if graph.operands(id).iter().any(|x| depends.contains(x)) {
                depends.extend(results_of(graph, id));
            }
        }
        let mut part = Graph::new("pass");
        let input = part.add_input("seed", graph.ty(seed).clone()).expect("bug: the type of an array");
        Extraction { seed, part, images: HashMap::from([(seed, input)]), depends }
    }

    fn finish(mut self, graph: &Graph, results: &[Option<Value>]) -> Parts {
        let reached: Vec<Value> = results.iter().flatten().copied().filter(|y| self.depends.contains(y)).collect();
        let needed = graph.needed_for(reached);
        let seed = self.seed;
        let ids: Vec<NodeId> = (seed.node.index() + 1..graph.n_nodes())
            .map(NodeId::from_index)
            .filter(|id| needed[id.index()] && self.depends.contains(&Value::from(*id)))
            .collect();
        let captured = self.capture(graph, &ids);
        let mut roles = vec![None; self.part.n_nodes()];
        for id in ids {
            let node = graph.node(id);
            let operands: Operands = graph.operands(id).iter().map(|x| self.images[x]).collect();
            let provenance = Provenance { role: None, ..node.provenance().clone() };
            let copy = self.part.add_same(node, &operands, provenance).expect("bug: a node that was one before");
            roles.push(node.provenance().role);
            self.images.extend(results_of(graph, id).zip(results_of(&self.part, copy)));
        }
        let mut outputs = Vec::new();
        for (k, y) in results.iter().enumerate() {
            let image = y.filter(|y| self.depends.contains(y)).map(|y| self.images[&y]);
            outputs.push(image.map(|image| {
                self.part.add_output(format!("y.{k}"), image).expect("bug: an output that does not exist");
                self.part.outputs().len() - 1
            }));
        }
        (self.part, captured, roles, outputs)
    }

    /// Adds an input for each value that the nodes use and that does not depend on the seed.
    fn capture(&mut self, graph: &Graph, ids: &[NodeId]) -> Vec<Value> {
        let mut captured = Vec::new();
        for x in ids.iter().flat_map(|&id| graph.operands(id)) {
            if !self.depends.contains(&x) && !self.images.contains_key(&x) {
                let name = format!("x.{}", captured.len()).into();
                let input = self.part.add_part_input(name, graph.ty(x).clone()).expect("bug: more values than nodes");
                self.images.insert(x, input);
                captured.push(x);
            }
        }
        captured
    }
}
