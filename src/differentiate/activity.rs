use std::sync::Arc;

use crate::ir::{Input, NodeId, Operands, Value};
use crate::op::{Derivative, Graph, Op, Var, trace};

/// What one node contributes to a derivative: its operation and operands, copied out of the growing graph.
pub(super) struct Step {
    pub id: NodeId,
    pub op: Op,
    pub operands: Operands,
    pub n_results: usize,
    pub regions: Vec<Arc<Graph>>,
}

impl Step {
    /// The results, as variables.
    pub fn results(&self) -> Vec<Var> {
        let results: Vec<Value> =
            (0..self.n_results).map(|result| Value { node: self.id, result: result as u16 }).collect();
        variables(&results)
    }
}

/// The nodes through which some outputs depend on some inputs, in a contiguous stretch of the schedule.
pub(super) struct Activity {
    first: usize,
    active: Vec<bool>,
    /// The inputs' nodes, which derivatives do not look through.
    stops: Vec<bool>,
}

impl Activity {
    /// Finds the nodes that depend on the inputs and on which the outputs depend. A node depends on an operand only
    /// if derivatives flow: operation and operand are differentiable. Inputs are themselves active; what lies before
    /// them does not matter.
    pub fn between(inputs: &[Value], outputs: &[Value]) -> Activity {
        trace::inspect(|graph| {
            let first = inputs.iter().map(|x| x.node.index()).min().unwrap_or(0);
            let end = outputs.iter().map(|y| y.node.index() + 1).max().unwrap_or(0).max(first);
            let mut stops = vec![false; end - first];
            for input in inputs {
                // An input behind the last output cannot matter.
                if let Some(stop) = stops.get_mut(input.node.index() - first) {
                    *stop = true;
                }
            }
            let mut activity = Activity { first, active: stops.clone(), stops };
            activity.mark_dependents(graph);
            activity.keep_needed(graph, outputs);
            activity
        })
    }

    fn mark_dependents(&mut self, graph: &Graph) {
        for index in 0..self.active.len() {
            let id = NodeId::from_index(self.first + index);
            let node = graph.node(id);
            if self.active[index] || !node.types().iter().any(|ty| ty.dtype.is_float()) {
                continue;
            }
            let Some(op) = node.op() else { continue };
            self.active[index] = !matches!(op.derivative(), Derivative::Zero)
                && graph.operands(id).iter().any(|&x| self.carries(graph, x));
        }
    }

    /// Drops what no output needs. Inputs stay: they end the derivative, and are not looked through.
    fn keep_needed(&mut self, graph: &Graph, outputs: &[Value]) {
        let mut needed = vec![false; self.active.len()];
        for output in outputs.iter().filter(|y| y.node.index() >= self.first) {
            needed[output.node.index() - self.first] = true;
        }
        for index in (0..self.active.len()).rev() {
            self.active[index] &= needed[index];
            if !self.active[index] || self.stops[index] {
                continue;
            }
            for x in graph.operands(NodeId::from_index(self.first + index)) {
                if self.carries(graph, x) {
                    needed[x.node.index() - self.first] = true;
                }
            }
        }
    }

    fn carries(&self, graph: &Graph, x: Value) -> bool {
        self.contains(x) && graph.ty(x).dtype.is_float()
    }

    /// Whether a value's node is active.
    pub fn contains(&self, x: Value) -> bool {
        x.node.index().checked_sub(self.first).is_some_and(|index| self.active.get(index) == Some(&true))
    }

    /// Whether derivatives are among the nodes.
    pub fn is_derived(&self) -> bool {
        trace::inspect(|graph| {
            let active = (0..self.active.len()).filter(|&index| self.active[index] && !self.stops[index]);
            active.map(|index| NodeId::from_index(self.first + index)).any(|id| trace::is_of_derivative(graph, id))
        })
    }

    /// The first node of the stretch.
    pub fn first(&self) -> usize {
        self.first
    }

    /// The number of nodes in the stretch.
    pub fn len(&self) -> usize {
        self.active.len()
    }

    /// The active node at that place of the stretch, unless it is inactive or an input.
    pub fn step(&self, index: usize) -> Option<Step> {
        if !self.active[index] || self.stops[index] {
            return None;
        }
        let id = NodeId::from_index(self.first + index);
        trace::inspect(|graph| {
            let node = graph.node(id);
            let op = node.op()?.clone();
            let regions = node.regions().to_vec();
            Some(Step { id, op, operands: graph.operands(id), n_results: node.types().len(), regions })
        })
    }
}

/// Which outputs of a region depend differentiably on any of these inputs.
pub(super) fn reached(region: &Graph, inputs: &[bool]) -> Vec<bool> {
    let mut marked = vec![false; region.n_nodes()];
    for (input, &is) in region.inputs().iter().zip(inputs) {
        marked[input.node.index()] = is;
    }
    let carries = |marked: &[bool], x: Value| marked[x.node.index()] && region.ty(x).dtype.is_float();
    for id in region.ids() {
        if let Some(op) = region.node(id).op() {
            marked[id.index()] = !matches!(op.derivative(), Derivative::Zero)
                && region.operands(id).iter().any(|&x| carries(&marked, x));
        }
    }
    region.outputs().iter().map(|output| carries(&marked, output.value)).collect()
}

/// On which inputs of a region any of these outputs depend differentiably.
pub(super) fn reaching(region: &Graph, outputs: &[bool]) -> Vec<bool> {
    let mut marked = vec![false; region.n_nodes()];
    for (output, &is) in region.outputs().iter().zip(outputs) {
        marked[output.value.node.index()] |= is && region.ty(output.value).dtype.is_float();
    }
    for id in region.ids().rev().filter(|id| region.node(*id).op().is_some()) {
        let zero = region.node(id).op().is_some_and(|op| matches!(op.derivative(), Derivative::Zero));
        if marked[id.index()] && !zero {
            for x in region.operands(id) {
                marked[x.node.index()] |= region.ty(x).dtype.is_float();
            }
        }
    }
    let is_float = |input: &Input| region.ty(input.node.into()).dtype.is_float();
    region.inputs().iter().map(|input| marked[input.node.index()] && is_float(input)).collect()
}

/// The variables that stand for values.
pub(super) fn variables(values: &[Value]) -> Vec<Var> {
    values.iter().map(|&value| trace::variable(value)).collect()
}
