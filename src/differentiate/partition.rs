//! Which values of an iteration the reverse of a loop needs, and which of them are saved.
//!
//! The joint graph of a body contains an iteration and its derivative. It is partitioned in two: each value of the
//! first part that the second part needs is either saved, or recomputed from saved values. A minimum cut decides which:
//! it minimizes the bytes saved, under the constraint that nothing expensive is computed twice. This is the
//! rematerialization of Jain et al., "Checkmate" (MLSys 2020), as a minimum cut, the form that is known from the
//! partitioner of PyTorch's AOTAutograd.

use std::collections::{HashMap, HashSet, VecDeque};

use smallvec::SmallVec;

use crate::error::Error;
use crate::ir::{Operands, Provenance, Value, results_of};
use crate::op::{Graph, Lowering, trace};
use crate::value::{DType, Type};

/// The kind of an input of a joint graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes from iteration to iteration, so it is available to the derivative only if it is saved.
    Carried,
    /// A row, or its index: the derivative can read it again.
    Row,
    /// It is the same in all iterations.
    Invariant,
    /// It is an input of the derivative alone.
    Seed,
}

/// Where an input of the second part comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// An input of the joint graph.
    Input(usize),
    /// A saved value, by its index in [`Partition::saved`].
    Saved(usize),
    /// A new input without uses.
    New(Type),
}

/// A partitioned joint graph.
pub(super) struct Partition<'j> {
    joint: &'j Graph,
    n_primal: usize,
    /// The nodes of the second part.
    second: Vec<bool>,
    /// The values that the first part saves.
    pub saved: Vec<Value>,
    /// Which inputs the second part uses.
    pub used: Vec<bool>,
}

/// Generates distinct names.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// Names that also differ from `taken`.
    pub fn of<'n>(taken: impl Iterator<Item = &'n str>) -> Names {
        Names(taken.map(str::to_string).collect())
    }

    /// This name, or, if it is taken, the name with a number.
    pub fn give(&mut self, name: &str) -> String {
        let name = trace::free_name(name, |name| self.0.contains(name));
        self.0.insert(name.clone());
        name
    }
}

/// With more values than this, no minimum cut is computed: all values that the second part needs are saved.
const MAX_CUT: usize = 100_000;

impl<'j> Partition<'j> {
    /// Partitions a joint graph whose first `n_primal` outputs are those of the iteration.
    pub fn new(joint: &'j Graph, kinds: &[Kind], n_primal: usize) -> Partition<'j> {
        let seeded = dependent(joint, kinds, |kind| kind == Kind::Seed);
        let mut partition = Partition::uncut(joint, n_primal);
        let frontier = partition.frontier(&seeded);
        let varying = dependent(joint, kinds, |kind| matches!(kind, Kind::Carried | Kind::Row));
        let choice = Choice { joint, kinds, varying };
        let saved = choice.cut(&frontier);
        partition.recompute(&choice, frontier, &saved);
        partition.saved = saved;
        partition
    }

    /// Partitions without saving: the second part computes everything from the inputs.
    pub fn without_saving(joint: &'j Graph, n_primal: usize) -> Partition<'j> {
        let mut partition = Partition::uncut(joint, n_primal);
        let frontier = partition.frontier(&vec![true; joint.n_nodes()]);
        debug_assert!(frontier.is_empty(), "bug: the second part needs a value of the first");
        partition
    }

    fn uncut(joint: &'j Graph, n_primal: usize) -> Partition<'j> {
        let (second, used) = (vec![false; joint.n_nodes()], vec![false; joint.inputs().len()]);
        Partition { joint, n_primal, second, saved: Vec::new(), used }
    }

    /// Marks the nodes that belong to the second part alone, and returns the values that it takes from the first.
    fn frontier(&mut self, seeded: &[bool]) -> Vec<Value> {
        let mut frontier = Vec::new();
        let mut known: HashMap<Value, ()> = HashMap::new();
        let mut take = |x: Value, second: &mut [bool], used: &mut [bool]| {
            if !seeded[x.node.index()] {
                if known.insert(x, ()).is_none() {
                    frontier.push(x);
                }
            } else if let Some(position) = input_position(self.joint, x) {
                used[position] = true;
            } else {
                second[x.node.index()] = true;
            }
        };
        for output in &self.joint.outputs()[self.n_primal..] {
            take(output.value, &mut self.second, &mut self.used);
        }
        for id in self.joint.ids().rev() {
            if self.second[id.index()] {
                for x in self.joint.operands(id) {
                    take(x, &mut self.second, &mut self.used);
                }
            }
        }
        frontier
    }

    /// Marks the nodes that are recomputed in the second part.
    fn recompute(&mut self, choice: &Choice<'_>, frontier: Vec<Value>, saved: &[Value]) {
        let saved: HashMap<Value, ()> = saved.iter().map(|&x| (x, ())).collect();
        let mut pending = frontier;
        while let Some(x) = pending.pop() {
            if saved.contains_key(&x) {
                continue;
            }
            if let Some(position) = input_position(self.joint, x) {
                debug_assert!(choice.kinds[position] != Kind::Carried, "bug: a carried value was not saved");
                self.used[position] = true;
            } else if !std::mem::replace(&mut self.second[x.node.index()], true) {
                pending.extend(self.joint.operands(x.node));
            }
        }
    }

    /// The iteration, with the saved values as further results after its own.
    pub fn first(&self, n_inputs: usize) -> Result<Graph, Error> {
        let inputs = self.joint.inputs()[..n_inputs].iter().enumerate();
        let inputs: Vec<(String, Source)> =
            inputs.map(|(k, input)| (input.name.to_string(), Source::Input(k))).collect();
        let outputs = self.joint.outputs()[..self.n_primal].iter();
        let mut outputs: Vec<(String, Value)> = outputs.map(|output| (output.name.to_string(), output.value)).collect();
        // The iteration may already save values for another derivative.
        let mut names = Names::of(outputs.iter().map(|(name, _)| name.as_str()));
        outputs.extend(self.saved.iter().enumerate().map(|(k, &value)| (names.give(&format!("saved.{k}")), value)));
        self.part(self.joint.name(), &inputs, &self.needed(&outputs), outputs)
    }

    /// A graph of some of the iteration's results, with the given inputs.
    pub fn iteration(&self, name: &str, inputs: &[(String, Source)], results: &[usize]) -> Result<Graph, Error> {
        let outputs = self.results(results);
        self.part(name, inputs, &self.needed(&outputs), outputs)
    }

    /// For each input, whether some of the iteration's results need it.
    pub fn inputs_of(&self, results: &[usize]) -> Vec<bool> {
        let mut needed = self.needed(&self.results(results));
        needed.truncate(self.joint.inputs().len());
        needed
    }

    fn results(&self, results: &[usize]) -> Vec<(String, Value)> {
        let outputs = results.iter().map(|&k| &self.joint.outputs()[k]);
        outputs.map(|output| (output.name.to_string(), output.value)).collect()
    }

    /// For each node, whether these outputs need it.
    fn needed(&self, outputs: &[(String, Value)]) -> Vec<bool> {
        self.joint.needed_for(outputs.iter().map(|&(_, x)| x))
    }

    /// The derivative of an iteration, with the given inputs. From output `saved_from` on, it omits outputs whose
    /// values are saved.
    pub fn second(&self, name: &str, inputs: &[(String, Source)], saved_from: usize) -> Result<Graph, Error> {
        let mut names = Names::default();
        let inputs: Vec<(String, Source)> =
            inputs.iter().map(|(name, source)| (names.give(name), source.clone())).collect();
        let outputs = self.joint.outputs()[self.n_primal..].iter().enumerate();
        let outputs = outputs.filter(|(k, output)| *k < saved_from || !self.saved.contains(&output.value));
        let outputs = outputs.map(|(_, output)| (output.name.to_string(), output.value)).collect();
        self.part(name, &inputs, &self.second, outputs)
    }

    /// A graph of the nodes marked in `keep`.
    fn part(
        &self,
        name: &str,
        inputs: &[(String, Source)],
        keep: &[bool],
        outputs: Vec<(String, Value)>,
    ) -> Result<Graph, Error> {
        let mut part = Graph::new(name);
        let mut map: HashMap<Value, Value> = HashMap::new();
        for (name, source) in inputs {
            let original = match source {
                Source::Input(position) => Some(Value::from(self.joint.inputs()[*position].node)),
                Source::Saved(k) => Some(self.saved[*k]),
                Source::New(_) => None,
            };
            let ty = match source {
                Source::New(ty) => ty.clone(),
                Source::Input(_) | Source::Saved(_) => {
                    self.joint.ty(original.expect("bug: a source without a value")).clone()
                }
            };
            let input = part.add_input(name.as_str(), ty)?;
            original.map(|original| map.insert(original, input));
        }
        for id in self.joint.ids().filter(|id| keep[id.index()]) {
            let node = self.joint.node(id);
            let Some(op) = node.op() else { continue };
            let operands: Operands = self.joint.operands(id).iter().map(|x| map[x]).collect();
            let role = node.provenance().role.and_then(|role| Some(role.with(*map.get(&role.of())?)));
            let provenance = Provenance { role, ..node.provenance().clone() };
            let copy = part.add_with_regions(op.clone(), &operands, node.regions().into(), provenance)?;
            for (original, result) in results_of(self.joint, id).zip(results_of(&part, copy)) {
                map.entry(original).or_insert(result);
            }
        }
        for (name, value) in outputs {
            part.add_output(name, map[&value])?;
        }
        Ok(part)
    }
}

fn input_position(graph: &Graph, x: Value) -> Option<usize> {
    (x.node.index() < graph.inputs().len()).then(|| x.node.index())
}

/// For each node, whether it depends on an input of a kind that `sought` selects.
pub(super) fn dependent(graph: &Graph, kinds: &[Kind], sought: impl Fn(Kind) -> bool) -> Vec<bool> {
    let mut dependent: Vec<bool> = kinds.iter().map(|&kind| sought(kind)).collect();
    for id in graph.ids().skip(kinds.len()) {
        let any = graph.operands(id).iter().any(|x| dependent[x.node.index()]);
        dependent.push(any);
    }
    dependent
}

/// Decides which values are saved and which are recomputed.
struct Choice<'j> {
    joint: &'j Graph,
    kinds: &'j [Kind],
    /// For each node, whether it changes from iteration to iteration.
    varying: Vec<bool>,
}

impl Choice<'_> {
    /// Whether the second part can cheaply obtain a value, given its operands.
    fn is_cheap(&self, x: Value) -> bool {
        let Some(op) = self.joint.node(x.node).op() else {
            return self.kinds[x.node.index()] != Kind::Carried;
        };
        // Loop-invariant values are computed before the loop.
        if self.joint.ty(x).stack || !self.varying[x.node.index()] {
            return true;
        }
        match op.lower() {
            Lowering::Constant(_) | Lowering::View(_) => true,
            Lowering::Elementwise => {
                let dtypes: SmallVec<[DType; 3]> =
                    self.joint.operands(x.node).iter().map(|&x| self.joint.ty(x).dtype).collect();
                op.work(&dtypes).slow == 0
            }
            Lowering::Math1(_)
            | Lowering::Math2(_)
            | Lowering::Reduce { .. }
            | Lowering::Assemble(_)
            | Lowering::Scatter(_)
            | Lowering::Contract(_)
            | Lowering::Generate(_)
            | Lowering::Library(_)
            | Lowering::Matrix(_)
            | Lowering::Checked(_)
            | Lowering::External(_)
            | Lowering::Control => false,
        }
    }

    /// The values to save, with the minimum number of bytes, in the order of the schedule.
    fn cut(&self, frontier: &[Value]) -> Vec<Value> {
        let mut network = Network::default();
        let mut numbers: HashMap<Value, usize> = HashMap::new();
        let mut order: Vec<Value> = Vec::new();
        let mut number = |x: Value, order: &mut Vec<Value>| {
            *numbers.entry(x).or_insert_with(|| {
                order.push(x);
                order.len() - 1
            })
        };
        for &x in frontier {
            number(x, &mut order);
        }
        let n_frontier = order.len();
        // Value `k` has the nodes `2 + 2k` and `3 + 2k` of the network; the edge between them has the price of saving
        // it.
        let (source, sink) = (0, 1);
        let mut next = 0;
        while let Some(&x) = order.get(next) {
            let inside = 2 + 2 * next;
            network.connect(inside, inside + 1, self.price(x));
            if next < n_frontier {
                network.connect(inside + 1, sink, Network::INFINITE);
            }
            if !self.is_cheap(x) {
                network.connect(source, inside, Network::INFINITE);
            } else if self.joint.node(x.node).op().is_some() {
                for operand in self.joint.operands(x.node) {
                    let operand = number(operand, &mut order);
                    network.connect(2 + 2 * operand + 1, inside, Network::INFINITE);
                }
            }
            if order.len() > MAX_CUT {
                return self.save_frontier(frontier);
            }
            next += 1;
        }
        let before_sink = network.cut(source, sink);
        let is_saved = |k: &usize| !before_sink[2 + 2 * k] && before_sink[3 + 2 * k];
        let mut saved: Vec<Value> = (0..order.len()).filter(is_saved).map(|k| order[k]).collect();
        saved.sort_unstable();
        saved
    }

    /// Saves the values that the second part takes, except those that cannot be saved or are available without it.
    fn save_frontier(&self, frontier: &[Value]) -> Vec<Value> {
        let mut saved: HashMap<Value, ()> = HashMap::new();
        let mut visited: HashMap<Value, ()> = HashMap::new();
        let mut pending: Vec<Value> = frontier.to_vec();
        while let Some(x) = pending.pop() {
            if visited.insert(x, ()).is_some() {
                continue;
            }
            let is_available = self.joint.node(x.node).op().is_none() && self.is_cheap(x);
            if self.joint.ty(x).stack || !self.varying[x.node.index()] && !is_available {
                pending.extend(self.joint.operands(x.node));
            } else if !is_available {
                saved.insert(x, ());
            }
        }
        let mut saved: Vec<Value> = saved.into_keys().collect();
        saved.sort_unstable();
        saved
    }

    fn price(&self, x: Value) -> u64 {
        let ty = self.joint.ty(x);
        if ty.stack {
            return Network::INFINITE;
        }
        // 1/16 byte more for each value, so that of two cuts of equal size the one with fewer values is chosen.
        let bytes = ty.checked_bytes().map_or(u64::MAX, |bytes| bytes as u64);
        bytes.saturating_mul(16).saturating_add(1).min(Network::MAX_PRICE)
    }
}

/// A flow network, for a minimum cut by Dinic's algorithm ("Algorithm for solution of a problem of maximum flow in networks
/// with power estimation", 1970).
#[derive(Default)]
struct Network {
    /// The edges that leave a node; edge `e ^ 1` is the reverse of edge `e`.
    leaving: Vec<Vec<usize>>,
    targets: Vec<usize>,
    capacities: Vec<u64>,
}

impl Network {
    const INFINITE: u64 = u64::MAX / 4;

    /// The highest price of a value, so that all values of a cut together cost less than one infinite edge. Larger
    /// values, of more than a terabyte, have this price, too.
    const MAX_PRICE: u64 = Network::INFINITE / (2 * MAX_CUT as u64);

    fn connect(&mut self, from: usize, to: usize, capacity: u64) {
        let n = from.max(to) + 1;
        if self.leaving.len() < n {
            self.leaving.resize(n, Vec::new());
        }
        for (from, to, capacity) in [(from, to, capacity), (to, from, 0)] {
            self.leaving[from].push(self.targets.len());
            self.targets.push(to);
            self.capacities.push(capacity);
        }
    }

    /// For each node, whether it is on the sink's side of the minimum cut nearest to the sink.
    fn cut(&mut self, source: usize, sink: usize) -> Vec<bool> {
        let n = self.leaving.len().max(2);
        self.leaving.resize(n, Vec::new());
        while let Some(levels) = self.levels(source, sink) {
            let mut next = vec![0; n];
            while self.augment(source, sink, &levels, &mut next) {}
        }
        // Backward search from the sink, along edges that are not saturated.
        let mut side = vec![false; n];
        side[sink] = true;
        let mut pending = vec![sink];
        while let Some(node) = pending.pop() {
            for &edge in &self.leaving[node] {
                let before = self.targets[edge];
                if self.capacities[edge ^ 1] > 0 && !side[before] {
                    side[before] = true;
                    pending.push(before);
                }
            }
        }
        side
    }

    /// The distances from the source, or `None` if the sink is unreachable.
    fn levels(&self, source: usize, sink: usize) -> Option<Vec<u32>> {
        let mut levels = vec![u32::MAX; self.leaving.len()];
        levels[source] = 0;
        let mut pending = VecDeque::from([source]);
        while let Some(node) = pending.pop_front() {
            for &edge in &self.leaving[node] {
                let target = self.targets[edge];
                if self.capacities[edge] > 0 && levels[target] == u32::MAX {
                    levels[target] = levels[node] + 1;
                    pending.push_back(target);
                }
            }
        }
        (levels[sink] != u32::MAX).then_some(levels)
    }

    /// Augments the flow along one shortest path. A path can be as long as a body, so it is kept in a list instead of
    /// using recursion.
    fn augment(&mut self, source: usize, sink: usize, levels: &[u32], next: &mut [usize]) -> bool {
        let mut path: Vec<usize> = Vec::new();
        let mut node = source;
        while node != sink {
            let edge = self.leaving[node][next[node]..]
                .iter()
                .position(|&edge| self.capacities[edge] > 0 && levels[self.targets[edge]] == levels[node] + 1);
            match edge {
                Some(ahead) => {
                    next[node] += ahead;
                    let edge = self.leaving[node][next[node]];
                    path.push(edge);
                    node = self.targets[edge];
                }
                None => {
                    next[node] = self.leaving[node].len();
                    let Some(edge) = path.pop() else { return false };
                    node = self.targets[edge ^ 1];
                    next[node] += 1;
                }
            }
        }
        let flow = path.iter().map(|&edge| self.capacities[edge]).min().unwrap_or(0);
        for edge in path {
            self.capacities[edge] -= flow;
            self.capacities[edge ^ 1] += flow;
        }
        true
    }
}

/// The inputs of a graph, by name.
pub(super) fn named_inputs(graph: &Graph) -> Vec<(String, Type)> {
    graph.inputs().iter().map(|input| (input.name.to_string(), graph.ty(input.node.into()).clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_prices_is_infinite() {
        assert!(Network::MAX_PRICE * (MAX_CUT as u64 + 1) < Network::INFINITE);
    }

    #[test]
    fn the_cheapest_cut_is_found() {
        // 0 → 2 → 3 → 1 and 0 → 4 → 3: cutting 3 → 1 is cheaper than cutting both paths before it.
        let mut network = Network::default();
        for (from, to, capacity) in [(0, 2, 7), (2, 3, 7), (0, 4, 2), (4, 3, 2), (3, 1, 8)] {
            network.connect(from, to, capacity);
        }
        assert_eq!(network.cut(0, 1), [false, true, false, false, false]);
        let mut network = Network::default();
        for (from, to, capacity) in [(0, 2, 3), (2, 3, 9), (0, 4, 2), (4, 3, 2), (3, 1, 8)] {
            network.connect(from, to, capacity);
        }
        assert_eq!(network.cut(0, 1), [false, true, true, true, false]);
    }
}
