use std::collections::{HashMap, VecDeque};

use smallvec::SmallVec;

use super::{Graph, NodeId, Operation, Value};
use crate::stack;
use crate::value::Type;

/// The difference between two graphs; see [`Graph::diff`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The lines that only one graph has: inputs, operations, guards and outputs, each in the order of its graph.
    pub changes: Vec<Change>,
    /// Whether the graphs have the same inputs, and outputs and guards are equal expressions of them. Remaining changes
    /// then concern only operations without effect on outputs, or how often equal expressions are computed.
    pub outputs_equal: bool,
    /// The number of operations that both graphs have.
    pub n_common: usize,
}

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// In the first graph only.
    Removed(String),
    /// In the second graph only.
    Added(String),
}

impl Difference {
    /// Whether the graphs are the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl<O: Operation> Graph<O> {
    /// The structural changes from this graph to another: ids, the order of independent operations, names of nodes and
    /// source lines do not matter. Operands are compared in order, even for commutative operations.
    ///
    /// Operations are matched from the inputs downward where they are equal expressions, and from the outputs upward
    /// where they have the same position. So only an operation that was replaced or has other operands counts as
    /// changed, not everything that depends on it. This takes linear time.
    ///
    /// ```
    /// use retrograd::ir::Change;
    /// use retrograd::value::DType;
    /// use retrograd::{Var, trace};
    ///
    /// let before = trace(|x: Var| (x.sin() * 2.0).exp(), (DType::F64,))?;
    /// let after = trace(|x: Var| (x.cos() * 2.0).exp(), (DType::F64,))?;
    /// let difference = before.diff(&after);
    /// assert_eq!(difference.changes, [
    ///     Change::Removed("%0: f64[] = sin %x".to_string()),
    ///     Change::Added("%0: f64[] = cos %x".to_string()),
    /// ]);
    /// assert!(before.diff(&before).is_empty());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    pub fn diff(&self, other: &Graph<O>) -> Difference {
        let mut classes = Classes { known: HashMap::new(), regions: HashMap::new() };
        let depth = self.depth().max(other.depth());
        let (old, new) = stack::for_light_levels(depth, || (classes.of(self, false), classes.of(other, false)));
        let mut matching = Matching {
            graphs: [self, other],
            classes: [old, new],
            partners: [vec![None; self.n_nodes()], vec![None; other.n_nodes()]],
            changed: vec![false; self.n_nodes()],
            guards: [Vec::new(), Vec::new()],
            regions: classes.regions,
        };
        matching.match_classes();
        matching.match_inputs();
        matching.match_guards();
        matching.match_upwards();
        matching.find_rewired();
        matching.report()
    }
}

/// The value number of a node: equal in both graphs for equal expressions of inputs with equal names.
type Class = u32;

/// Value numbering over both graphs.
struct Classes<'g, O> {
    known: HashMap<Key<'g, O>, Class>,
    /// The regions numbered so far, by address, so that a region with many uses is numbered once.
    regions: HashMap<*const Graph<O>, Class>,
}

/// The key of a value number: two nodes, or two regions, with equal keys are equal.
#[derive(PartialEq, Eq, Hash)]
enum Key<'g, O> {
    Input(&'g str, &'g Type),
    /// Inputs of regions are identified by position.
    RegionInput(usize, &'g Type),
    Op(&'g O, SmallVec<[(Class, u16); 3]>, SmallVec<[Class; 0]>),
    Region(Vec<(Class, u16)>, Vec<((Class, u16), bool)>),
}

impl<'g, O: Operation> Classes<'g, O> {
    fn of(&mut self, graph: &'g Graph<O>, is_region: bool) -> Vec<Class> {
        let mut classes: Vec<Class> = Vec::with_capacity(graph.n_nodes());
        for id in graph.ids() {
            let node = graph.node(id);
            let key = match node.op() {
                None if is_region => Key::RegionInput(id.index(), &node.types()[0]),
                None => Key::Input(node.provenance().name.as_deref().unwrap_or_default(), &node.types()[0]),
                Some(op) => {
                    let operands = graph.operands(id).iter().map(|&x| with_result(&classes, x)).collect();
                    Key::Op(op, operands, node.regions().iter().map(|region| self.region(region)).collect())
                }
            };
            classes.push(self.number(key));
        }
        classes
    }

    fn region(&mut self, region: &'g Graph<O>) -> Class {
        if let Some(&class) = self.regions.get(&std::ptr::from_ref(region)) {
            return class;
        }
        let classes = self.of(region, true);
        let outputs = region.outputs().iter().map(|output| with_result(&classes, output.value)).collect();
        let guards = region.guards().iter().map(|guard| (with_result(&classes, guard.value), guard.expect)).collect();
        let class = self.number(Key::Region(outputs, guards));
        self.regions.insert(region, class);
        class
    }

    fn number(&mut self, key: Key<'g, O>) -> Class {
        let next = Class::try_from(self.known.len()).expect("bug: more classes than nodes");
        *self.known.entry(key).or_insert(next)
    }
}

fn with_result(classes: &[Class], value: Value) -> (Class, u16) {
    (classes[value.node.index()], value.result)
}

/// A matching of the nodes of two graphs; `[0]` is the old graph, `[1]` the new one.
struct Matching<'g, O> {
    graphs: [&'g Graph<O>; 2],
    classes: [Vec<Class>; 2],
    partners: [Vec<Option<NodeId>>; 2],
    /// For each node of the old graph, whether its match is another operation or has other operands.
    changed: Vec<bool>,
    /// The guards without a match.
    guards: [Vec<usize>; 2],
    /// The value number of each region.
    regions: HashMap<*const Graph<O>, Class>,
}

impl<O: Operation> Matching<'_, O> {
    fn pair(&mut self, old: NodeId, new: NodeId) {
        self.partners[0][old.index()] = Some(new);
        self.partners[1][new.index()] = Some(old);
    }

    /// Matches equal expressions. If one graph computes an expression more often, its last copies stay unmatched.
    fn match_classes(&mut self) {
        let mut waiting: HashMap<Class, VecDeque<NodeId>> = HashMap::new();
        for id in self.graphs[0].ids() {
            waiting.entry(self.classes[0][id.index()]).or_default().push_back(id);
        }
        for id in self.graphs[1].ids() {
            if let Some(old) = waiting.get_mut(&self.classes[1][id.index()]).and_then(VecDeque::pop_front) {
                self.pair(old, id);
            }
        }
    }

    /// Inputs match by name, even if their types differ.
    fn match_inputs(&mut self) {
        let by_name: HashMap<&str, NodeId> =
            self.graphs[0].inputs().iter().map(|input| (&*input.name, input.node)).collect();
        for input in self.graphs[1].inputs() {
            if let Some(&old) = by_name.get(&*input.name).filter(|&&old| self.are_free(old, input.node)) {
                self.changed[old.index()] = true;
                self.pair(old, input.node);
            }
        }
    }

    /// Matches guards, and keeps those without a match.
    fn match_guards(&mut self) {
        let demands = |side: usize| {
            let classes = &self.classes[side];
            self.graphs[side].guards().iter().map(move |guard| (with_result(classes, guard.value), guard.expect))
        };
        let mut waiting: HashMap<((Class, u16), bool), VecDeque<usize>> = HashMap::new();
        for (position, demand) in demands(0).enumerate() {
            waiting.entry(demand).or_default().push_back(position);
        }
        let mut left = Vec::new();
        for (position, demand) in demands(1).enumerate() {
            if waiting.get_mut(&demand).and_then(VecDeque::pop_front).is_none() {
                left.push(position);
            }
        }
        let mut rest: Vec<usize> = waiting.into_values().flatten().collect();
        rest.sort_unstable();
        self.guards = [rest, left];
    }

    /// Matches nodes in the same position as seen from outputs and guards, even if their operations differ.
    fn match_upwards(&mut self) {
        let by_name: HashMap<&str, Value> =
            self.graphs[0].outputs().iter().map(|output| (&*output.name, output.value)).collect();
        let outputs = self.graphs[1].outputs().iter();
        let outputs = outputs.filter_map(|output| Some((*by_name.get(&*output.name)?, output.value)));
        let guard = |side: usize, position: usize| self.graphs[side].guards()[position].value;
        let guards = self.guards[0].iter().zip(&self.guards[1]).map(|(&old, &new)| (guard(0, old), guard(1, new)));
        let mut places: VecDeque<(Value, Value)> = outputs.chain(guards).collect();
        while let Some((old, new)) = places.pop_front() {
            let (old, new) = (old.node, new.node);
            if !self.are_free(old, new) {
                continue;
            }
            let [x, y] = [self.graphs[0].operands(old), self.graphs[1].operands(new)];
            let is_op = |side: usize, id: NodeId| self.graphs[side].node(id).op().is_some();
            if is_op(0, old) && is_op(1, new) && x.len() == y.len() {
                self.pair(old, new);
                self.changed[old.index()] = !self.same_operation(old, new);
                places.extend(x.into_iter().zip(y));
            }
        }
    }

    fn same_operation(&self, old: NodeId, new: NodeId) -> bool {
        let [old, new] = [self.graphs[0].node(old), self.graphs[1].node(new)];
        let regions = |node: &super::Node<O>| -> Vec<Class> {
            node.regions().iter().map(|region| self.regions[&std::ptr::from_ref(&**region)]).collect()
        };
        old.op() == new.op() && regions(old) == regions(new)
    }

    /// Marks matched operations as changed if an operand differs.
    fn find_rewired(&mut self) {
        for old in self.graphs[0].ids() {
            let Some(new) = self.partner(0, old) else { continue };
            let [x, y] = [self.graphs[0].operands(old), self.graphs[1].operands(new)];
            if !x.iter().zip(&y).all(|(&x, &y)| self.same_value(x, y)) {
                self.changed[old.index()] = true;
            }
        }
    }

    fn same_value(&self, old: Value, new: Value) -> bool {
        with_result(&self.classes[0], old) == with_result(&self.classes[1], new)
            || self.partner(0, old.node) == Some(new.node) && old.result == new.result
    }

    fn are_free(&self, old: NodeId, new: NodeId) -> bool {
        self.partner(0, old).is_none() && self.partner(1, new).is_none()
    }

    fn partner(&self, side: usize, id: NodeId) -> Option<NodeId> {
        self.partners[side][id.index()]
    }

    fn report(&self) -> Difference {
        let mut changes = Vec::new();
        self.report_nodes(&mut changes);
        self.report_guards(&mut changes);
        self.report_outputs(&mut changes);
        Difference { changes, outputs_equal: self.outputs_equal(), n_common: self.n_common() }
    }

    fn report_nodes(&self, changes: &mut Vec<Change>) {
        let names = |side: usize| self.graphs[side].inputs().iter().map(|input| &*input.name).collect();
        report_order("inputs", names(0), names(1), changes);
        for old in self.graphs[0].ids() {
            let partner = self.partner(0, old);
            if partner.is_none() || self.changed[old.index()] {
                changes.push(Change::Removed(self.graphs[0].line(old)));
                changes.extend(partner.map(|new| Change::Added(self.graphs[1].line(new))));
            }
        }
        let added = self.graphs[1].ids().filter(|&new| self.partner(1, new).is_none());
        changes.extend(added.map(|new| Change::Added(self.graphs[1].line(new))));
    }

    fn report_guards(&self, changes: &mut Vec<Change>) {
        let guard = |side: usize, position: usize| &self.graphs[side].guards()[position];
        let line = |side: usize, position: usize| {
            let guard = guard(side, position);
            format!("guard {} == {}", self.graphs[side].value_name(guard.value), guard.expect)
        };
        let n_pairs = self.guards[0].len().min(self.guards[1].len());
        for (&old, &new) in self.guards[0].iter().zip(&self.guards[1]) {
            let same = guard(0, old).expect == guard(1, new).expect;
            if !same || !self.same_value(guard(0, old).value, guard(1, new).value) {
                changes.extend([Change::Removed(line(0, old)), Change::Added(line(1, new))]);
            }
        }
        changes.extend(self.guards[0][n_pairs..].iter().map(|&old| Change::Removed(line(0, old))));
        changes.extend(self.guards[1][n_pairs..].iter().map(|&new| Change::Added(line(1, new))));
    }

    fn report_outputs(&self, changes: &mut Vec<Change>) {
        let [old, new] = self.graphs;
        let line = |graph: &Graph<O>, output: &super::Output| {
            format!("output {}: {} = {}", output.name, graph.ty(output.value), graph.value_name(output.value))
        };
        let names = |side: usize| self.graphs[side].outputs().iter().map(|output| &*output.name).collect();
        report_order("outputs", names(0), names(1), changes);
        let by_name: HashMap<&str, &super::Output> =
            new.outputs().iter().map(|output| (&*output.name, output)).collect();
        for output in old.outputs() {
            match by_name.get(&*output.name) {
                None => changes.push(Change::Removed(line(old, output))),
                Some(now) => {
                    let same_type = old.ty(output.value) == new.ty(now.value);
                    if !same_type || !self.same_value(output.value, now.value) {
                        changes.extend([Change::Removed(line(old, output)), Change::Added(line(new, now))]);
                    }
                }
            }
        }
        let known: HashMap<&str, ()> = old.outputs().iter().map(|output| (&*output.name, ())).collect();
        let added = new.outputs().iter().filter(|output| !known.contains_key(&*output.name));
        changes.extend(added.map(|output| Change::Added(line(new, output))));
    }

    fn outputs_equal(&self) -> bool {
        let inputs = |side: usize| -> Vec<Class> {
            self.graphs[side].inputs().iter().map(|input| self.classes[side][input.node.index()]).collect()
        };
        let outputs = |side: usize| -> Vec<(&str, (Class, u16))> {
            let outputs = self.graphs[side].outputs().iter();
            outputs.map(|output| (&*output.name, with_result(&self.classes[side], output.value))).collect()
        };
        inputs(0) == inputs(1) && outputs(0) == outputs(1) && self.guards.iter().all(Vec::is_empty)
    }

    fn n_common(&self) -> usize {
        let same = |&id: &NodeId| self.partner(0, id).is_some() && !self.changed[id.index()];
        self.graphs[0].ids().filter(same).filter(|&id| self.graphs[0].node(id).op().is_some()).count()
    }
}

/// Reports a changed order of names: callers pass inputs by position.
fn report_order(what: &str, old: Vec<&str>, new: Vec<&str>, changes: &mut Vec<Change>) {
    let sorted = |names: &[&str]| {
        let mut names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        names.sort_unstable();
        names
    };
    if old != new && sorted(&old) == sorted(&new) {
        changes.push(Change::Removed(format!("order of {what}: {}", old.join(", "))));
        changes.push(Change::Added(format!("order of {what}: {}", new.join(", "))));
    }
}

#[cfg(test)]
mod tests {
    use super::Change;
    use crate::ir::toy::nested;
    use crate::ir::{Guard, Operation, Provenance};
    use crate::op::trace::{self, record};
    use crate::op::{Graph, Gt, Op, Var};
    use crate::value::{Array, DType, Type};

    fn graph(f: impl FnOnce(Var, Var) -> Var) -> Graph {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
        let y = graph.add_input("y", Type::scalar(DType::F64)).unwrap();
        let (mut graph, z) = record(graph, 100_000, None, || f(trace::variable(x), trace::variable(y))).unwrap();
        graph.add_output("z", z.value().unwrap()).unwrap();
        graph
    }

    fn lines(old: &Graph, new: &Graph) -> Vec<String> {
        let difference = old.diff(new);
        let line = |change: &Change| match change {
            Change::Removed(line) => format!("- {line}"),
            Change::Added(line) => format!("+ {line}"),
        };
        difference.changes.iter().map(line).collect()
    }

    #[test]
    fn the_order_of_independent_operations_does_not_matter() {
        let old = graph(|x, y| {
            let (a, b) = (x.sin(), y.cos());
            a * b
        });
        let new = graph(|x, y| {
            let b = y.cos();
            x.sin() * b
        });
        let difference = old.diff(&new);
        assert!(difference.is_empty() && difference.outputs_equal);
        assert_eq!(difference.n_common, 3);
    }

    #[test]
    fn only_the_cause_of_a_change_is_reported() {
        let f = |k: f64| graph(move |x, y| ((x * k + y).exp() * y).sin().square() + x);
        assert_eq!(lines(&f(2.0), &f(3.0)), ["- %0: f64[] = constant 2.0", "+ %0: f64[] = constant 3.0"]);
    }

    #[test]
    fn swapped_operands_are_a_change() {
        let (old, new) = (graph(|x, y| (x - y).exp()), graph(|x, y| (y - x).exp()));
        assert_eq!(lines(&old, &new), ["- %0: f64[] = sub %x %y", "+ %0: f64[] = sub %y %x"]);
    }

    #[test]
    fn an_addition_is_reported_alone() {
        let (old, new) = (graph(|x, y| x * y), graph(|x, y| (x * y).sin()));
        let expected = ["+ %1: f64[] = sin %0", "- output z: f64[] = %0", "+ output z: f64[] = %1"];
        assert_eq!(lines(&old, &new), expected);
    }

    #[test]
    fn a_duplicate_operation_is_a_change_with_equal_outputs() {
        let (old, new) = (
            graph(|x, _| x.sin() + x.sin()),
            graph(|x, _| {
                let y = x.sin();
                y + y
            }),
        );
        let difference = old.diff(&new);
        assert_eq!(difference.changes, [Change::Removed("%1: f64[] = sin %x".to_string())]);
        assert!(difference.outputs_equal);
    }

    #[test]
    fn an_input_of_another_type_changes_nothing_else() {
        let of = |ty: Type| {
            let mut graph = Graph::new("f");
            let x = graph.add_input("x", ty).unwrap();
            let (mut graph, y) = record(graph, 100, None, || trace::variable(x).sin().exp()).unwrap();
            graph.add_output("y", y.value().unwrap()).unwrap();
            graph
        };
        let (old, new) = (of(Type::new(DType::F64, [3])), of(Type::new(DType::F64, [4])));
        let expected =
            ["- %x: f64[3] = input", "+ %x: f64[4] = input", "- output y: f64[3] = %1", "+ output y: f64[4] = %1"];
        assert_eq!(lines(&old, &new), expected);
        assert!(!old.diff(&new).outputs_equal);
    }

    #[test]
    fn regions_are_compared_by_what_they_compute() {
        let (sin, cos) = (nested("sin"), nested("cos"));
        assert!(sin.diff(&nested("sin")).is_empty());
        let difference = sin.diff(&cos);
        let line = "%0.0: f64[], %0.1: f64[] = pair %x".to_string();
        assert_eq!(difference.changes, [Change::Removed(line.clone()), Change::Added(line)]);
        assert!(!difference.outputs_equal);
    }

    #[test]
    fn guards_are_compared() {
        let f = |limit: f64, expect: bool| {
            let mut graph = graph(|x, _| x.sin());
            let x = graph.inputs()[0].node.into();
            let provenance = Provenance::default;
            let limit = Op::from_constant(Array::scalar(limit));
            let limit = graph.add(limit, &[], provenance()).unwrap().into();
            let value = graph.add(Gt.into(), &[x, limit], provenance()).unwrap().into();
            graph.add_guard(Guard { value, expect, at: None }).unwrap();
            graph
        };
        assert!(f(1.0, true).diff(&f(1.0, true)).is_empty());
        assert_eq!(lines(&f(1.0, true), &f(1.0, false)), ["- guard %2 == true", "+ guard %2 == false"]);
        let expected = ["- %1: f64[] = constant 1.0", "+ %1: f64[] = constant 2.0"];
        assert_eq!(lines(&f(1.0, true), &f(2.0, true)), expected);
        assert!(!f(1.0, true).diff(&f(2.0, true)).outputs_equal);
    }

    #[test]
    fn another_order_of_inputs_is_a_change() {
        let of = |names: [&str; 2]| {
            let mut graph = Graph::new("f");
            for name in names {
                graph.add_input(name, Type::scalar(DType::F64)).unwrap();
            }
            graph
        };
        let difference = lines(&of(["x", "y"]), &of(["y", "x"]));
        assert_eq!(difference, ["- order of inputs: x, y", "+ order of inputs: y, x"]);
    }

    /// This chain would take hours if the search for a change started again at each node.
    #[test]
    fn long_chains_take_linear_time() {
        let f = |k: f64| graph(move |x, _| (0..50_000).fold(x * k, |x, _| x.sin()));
        assert_eq!(f(1.0).diff(&f(2.0)).changes.len(), 2);
    }
}
