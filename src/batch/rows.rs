//! The operations of a graph, one after the other, on rows.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::analysis::{Analyses, Analysis, descendants};
use super::control::{self, Given, Regions};
use crate::error::OperationError;
use crate::ir::{NodeId, Role, Value, results_of};
use crate::op::{Batched, Batching, Graph, Scan, Var, of_unit_vectors, region, trace};
use crate::value::{DType, Type};

/// What one call of [`batch`](super::batch) knows.
pub(super) struct Batcher {
    /// The number of rows.
    n: usize,
    /// A graph whose first input has all unit vectors as rows, in order.
    units: Option<*const Graph>,
    analyses: RefCell<Analyses>,
    /// The regions that were made, by region, and which inputs and outputs have rows.
    regions: RefCell<HashMap<RegionKey, Arc<Graph>>>,
}

type RegionKey = (*const Graph, Vec<bool>, Vec<Given>);

/// What stands for each result of each node, in the open trace.
struct Table(Vec<Vec<Option<Batched>>>);

impl Table {
    fn get(&self, value: Value) -> Batched {
        self.known(value).expect("bug: an operand after its use")
    }

    fn known(&self, value: Value) -> Option<Batched> {
        self.0[value.node.index()].get(usize::from(value.result)).copied().flatten()
    }

    fn set(&mut self, node: NodeId, results: impl IntoIterator<Item = Batched>) {
        self.0[node.index()] = results.into_iter().map(Some).collect();
    }
}

impl Batcher {
    pub fn new(n: usize) -> Batcher {
        Batcher { n, units: None, analyses: RefCell::default(), regions: RefCell::default() }
    }

    /// The same where the rows of the first input of this graph are all unit vectors, in order.
    pub fn of_unit_vectors(n: usize, graph: &Graph) -> Batcher {
        Batcher { units: Some(graph), ..Batcher::new(n) }
    }

    /// Appends the operations of the graph to the open trace; gives its outputs, or `None` after an error.
    #[track_caller]
    pub fn replay(&self, graph: &Graph, inputs: &[Batched]) -> Option<Vec<Batched>> {
        self.replay_as(graph, inputs, &|_| None)
    }

    /// The same, where nodes bear a role in the open trace that the graph does not know.
    #[track_caller]
    pub fn replay_as(
        &self,
        graph: &Graph,
        inputs: &[Batched],
        role: &dyn Fn(NodeId) -> Option<Role>,
    ) -> Option<Vec<Batched>> {
        let has_rows: Vec<bool> = inputs.iter().map(|x| x.has_rows).collect();
        let analysis = self.analysis(graph, &has_rows);
        let mut table = Table(vec![Vec::new(); graph.n_nodes()]);
        for (input, &x) in graph.inputs().iter().zip(inputs) {
            table.set(input.node, [x]);
        }
        let together = analysis.together();
        for part in in_order(graph, together) {
            match part {
                Part::Node(id) => self.append(graph, id, role(id), &analysis, &mut table),
                Part::Together => {
                    let ids: Vec<NodeId> = graph.ids().filter(|id| together[id.index()]).collect();
                    self.append_row_by_row(graph, &ids, &used(graph, together), &mut table);
                }
            }
            if trace::has_failed() {
                return None;
            }
        }
        for guard in graph.guards() {
            let condition = table.get(guard.value);
            if condition.has_rows {
                trace::fail(OperationError {
                    op: "batch".to_string(),
                    requirement: "an `if` decides by a value that differs from row to row; use select, cond or \
                                  while_loop in its place"
                        .to_string(),
                    operands: vec![graph.line(guard.value.node)],
                    at: guard.at.clone(),
                });
                return None;
            }
            trace::add_guard(condition.var, guard);
        }
        Some(graph.outputs().iter().map(|output| table.get(output.value)).collect())
    }

    fn analysis(&self, graph: &Graph, inputs: &[bool]) -> Rc<Analysis> {
        self.analyses.borrow_mut().of(graph, inputs)
    }

    #[track_caller]
    fn append(&self, graph: &Graph, id: NodeId, role: Option<Role>, analysis: &Analysis, table: &mut Table) {
        let node = graph.node(id);
        let Some(op) = node.op() else { return };
        if analysis.is_row_by_row(id) {
            let results: Vec<Value> = results_of(graph, id).collect();
            return self.append_row_by_row(graph, &[id], &results, table);
        }
        let operands: Vec<Batched> = graph.operands(id).into_iter().map(|x| table.get(x)).collect();
        if !operands.iter().any(|x| x.has_rows) {
            let results = copy(graph, id, role, table);
            return table.set(id, results.into_iter().map(|var| Batched { var, has_rows: false }));
        }
        let results = in_scope_of(graph, id, role, table, || match op.batch() {
            Batching::Constant => unreachable!("bug: {} has no operands", op.name()),
            Batching::RowByRow => unreachable!("bug: {} was not analyzed", op.name()),
            Batching::Elementwise => {
                let operands: Vec<Var> = operands.iter().map(|x| x.rows(self.n)).collect();
                vec![Batched { var: trace::apply(op.clone(), &operands), has_rows: true }]
            }
            Batching::Stack => {
                let operands: Vec<Var> = operands.iter().map(|x| x.rows(self.n)).collect();
                let results = trace::apply_regions(op.clone(), &operands, Vec::<Arc<Graph>>::new());
                results.unwrap_or_default().into_iter().map(|var| Batched { var, has_rows: true }).collect()
            }
            Batching::Rule(rule) => {
                let known = self.by_unit_vectors(graph, id, &operands);
                vec![Batched { var: known.unwrap_or_else(|| rule.batch(&operands, self.n)), has_rows: true }]
            }
            Batching::Control => {
                let how = analysis.how(id).expect("bug: control flow that was not analyzed");
                control::on_rows(self, op, node.regions(), &operands, how).unwrap_or_default()
            }
        });
        name_like(graph, id, results.first().map(|result| &result.var));
        table.set(id, results);
    }

    /// What is known without a product where an operand is all unit vectors.
    fn by_unit_vectors(&self, graph: &Graph, id: NodeId, operands: &[Batched]) -> Option<Var> {
        let units = graph.inputs().first().filter(|_| self.units == Some(std::ptr::from_ref(graph)))?.node;
        let slot = graph.operands(id).iter().position(|x| x.node == units)?;
        let other = operands.get(1 - slot.min(1)).filter(|x| operands.len() == 2 && !x.has_rows)?;
        of_unit_vectors(graph.op(id), slot, other.var, self.n)
    }

    /// These nodes, once for each row: a loop without a carry, which gives these of their results.
    #[track_caller]
    fn append_row_by_row(&self, graph: &Graph, ids: &[NodeId], given: &[Value], table: &mut Table) {
        let own: HashSet<NodeId> = ids.iter().copied().collect();
        let mut met = HashSet::new();
        let operands = ids.iter().flat_map(|&id| graph.operands(id));
        let taken = operands.filter(|x| !own.contains(&x.node) && met.insert(*x));
        let (rows, same): (Vec<Value>, Vec<Value>) = taken.partition(|&value| table.get(value).has_rows);
        let mut inputs = vec![("i".to_string(), Type::scalar(DType::I64))];
        inputs.extend(rows.iter().enumerate().map(|(k, &value)| (format!("row.{k}"), graph.ty(value).clone())));
        let at = ids.first().and_then(|&id| graph.node(id).provenance().at.clone());
        let results = trace::in_scope(at, None, || {
            let region = region::trace("row", &inputs, |x| {
                let own = rows.iter().copied().zip(x[1..].iter().copied());
                let shared = same.iter().map(|&value| (value, table.get(value).var));
                let mut row: HashMap<Value, Var> = own.chain(shared).collect();
                for &id in ids {
                    let results = copy(graph, id, None, &row);
                    if trace::has_failed() {
                        return Vec::new();
                    }
                    row.extend(results_of(graph, id).zip(results));
                }
                given.iter().enumerate().map(|(k, value)| (format!("y.{k}"), row[value])).collect()
            })?;
            let op = Scan { carry: 0, xs: rows.len(), length: Some(self.n), reverse: false, checkpoint: None };
            let rows: Vec<Var> = rows.iter().map(|&value| table.get(value).var).collect();
            trace::apply_regions(op, &[rows, region.captured].concat(), vec![region.graph])
        });
        for (&value, var) in given.iter().zip(results.unwrap_or_default()) {
            table.insert(value, Batched { var, has_rows: true });
        }
    }
}

/// Where what stands for a value in the open trace is found.
trait Images {
    fn image(&self, value: Value) -> Option<Var>;
}

impl Images for Table {
    fn image(&self, value: Value) -> Option<Var> {
        self.known(value).map(|x| x.var)
    }
}

/// Of one row, for a few nodes.
impl Images for HashMap<Value, Var> {
    fn image(&self, value: Value) -> Option<Var> {
        self.get(&value).copied()
    }
}

/// The results of marked nodes that others, outputs or guards use.
fn used(graph: &Graph, marked: &[bool]) -> Vec<Value> {
    let uses = graph.ids().filter(|id| !marked[id.index()]).flat_map(|id| graph.operands(id));
    let outputs = graph.outputs().iter().map(|output| output.value);
    let guards = graph.guards().iter().map(|guard| guard.value);
    let mut met = HashSet::new();
    uses.chain(outputs).chain(guards).filter(|x| marked[x.node.index()] && met.insert(*x)).collect()
}

impl Regions for Batcher {
    fn n(&self) -> usize {
        self.n
    }

    fn replay(&self, graph: &Graph, inputs: &[Batched]) -> Option<Vec<Batched>> {
        Batcher::replay(self, graph, inputs)
    }

    fn region(&self, region: &Arc<Graph>, inputs: &[bool], outputs: &[Given]) -> Option<Arc<Graph>> {
        let key = (Arc::as_ptr(region), inputs.to_vec(), outputs.to_vec());
        if let Some(known) = self.regions.borrow().get(&key) {
            return Some(known.clone());
        }
        let types = region.inputs().iter().zip(inputs).map(|(input, &has_rows)| {
            let ty = region.ty(input.node.into());
            (input.name.to_string(), if has_rows { super::of_rows(ty, self.n) } else { ty.clone() })
        });
        let made = region::trace(region.name(), &types.collect::<Vec<_>>(), |x| {
            let x: Vec<Batched> = x.iter().zip(inputs).map(|(&var, &has_rows)| Batched { var, has_rows }).collect();
            let y = self.replay(region, &x).unwrap_or_default();
            let vars = y.into_iter().zip(outputs).map(|(y, given)| match given {
                Given::AsItIs => y.var,
                Given::Rows => y.rows(self.n),
                Given::Sum => y.rows(self.n).sum_axes(&[0]),
            });
            region.outputs().iter().map(|output| output.name.to_string()).zip(vars).collect()
        })?;
        let made = Arc::new(made.graph);
        self.regions.borrow_mut().insert(key, made.clone());
        Some(made)
    }
}

impl Table {
    /// One result of a node of which others may not be known.
    fn insert(&mut self, value: Value, x: Batched) {
        let results = &mut self.0[value.node.index()];
        let result = usize::from(value.result);
        if results.len() <= result {
            results.resize(result + 1, None);
        }
        results[result] = Some(x);
    }
}

/// The node as it is, on what stands for its operands.
#[track_caller]
fn copy(graph: &Graph, id: NodeId, role: Option<Role>, images: &dyn Images) -> Vec<Var> {
    let operands = graph.operands(id).into_iter();
    let operands: Vec<Var> = operands.map(|x| images.image(x).expect("bug: an operand after its use")).collect();
    let regions = graph.node(id).regions().to_vec();
    let results = in_scope_of(graph, id, role, images, || {
        trace::apply_regions(graph.op(id).clone(), &operands, regions).unwrap_or_default()
    });
    name_like(graph, id, results.first());
    results
}

/// What the body appends bears the source line of the node, and its role, or else that one.
fn in_scope_of<T>(graph: &Graph, id: NodeId, role: Option<Role>, images: &dyn Images, body: impl FnOnce() -> T) -> T {
    let provenance = graph.node(id).provenance();
    let mapped = provenance.role.and_then(|role| {
        let primal = images.image(role.of())?;
        Some(role.with(trace::own_value(primal)?))
    });
    trace::in_scope(provenance.at.clone(), mapped.or(role), body)
}

fn name_like(graph: &Graph, id: NodeId, first: Option<&Var>) {
    if let (Some(name), Some(&first)) = (&graph.node(id).provenance().name, first) {
        trace::set_name(first, name);
    }
}

enum Part {
    Node(NodeId),
    /// All nodes that run row by row together.
    Together,
}

/// The nodes in an order in which those that run row by row together are one.
fn in_order(graph: &Graph, together: &[bool]) -> Vec<Part> {
    if !together.contains(&true) {
        return graph.ids().map(Part::Node).collect();
    }
    let after = descendants(graph, together);
    let others = |is_after: bool| {
        let after = &after;
        graph.ids().filter(move |id| !together[id.index()] && after[id.index()] == is_after).map(Part::Node)
    };
    others(false).chain([Part::Together]).chain(others(true)).collect()
}
