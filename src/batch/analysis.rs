//! Which values of a graph differ from row to row, and how control flow runs then.

use std::collections::HashMap;
use std::rc::Rc;

use smallvec::SmallVec;

use crate::ir::{NodeId, Value};
use crate::op::{Batching, Custom, CustomRule, Flow, Graph, Op};

/// Which values of a graph have rows.
pub(super) struct Analysis {
    /// For each result of each node.
    has_rows: Vec<SmallVec<[bool; 1]>>,
    /// How the nodes with regions run, and those that run row by row, where an operand has rows.
    control: HashMap<NodeId, How>,
    /// For each node, whether it is one of those that run row by row together.
    together: Vec<bool>,
}

/// How a node with regions runs where an operand has rows.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// Its regions take and give rows.
    OnRows(OnRows),
    /// All branches are computed, and each row's is selected.
    Select,
    /// Once for each row.
    RowByRow,
}

/// Which operands and results have rows.
#[derive(Clone, Debug)]
pub(super) struct OnRows {
    /// Of the operands; what is carried has rows if any iteration gives it rows.
    pub operands: Vec<bool>,
    /// Of the results.
    pub results: Vec<bool>,
}

/// The analyses that were made of regions, by region and inputs. Regions live as long as the graph that is batched.
#[derive(Default)]
pub(super) struct Analyses(HashMap<(*const Graph, Vec<bool>), Rc<Analysis>>);

impl Analysis {
    /// Whether a value has rows.
    pub fn has_rows(&self, value: Value) -> bool {
        self.has_rows[value.node.index()][usize::from(value.result)]
    }

    /// How a node with regions runs; `None` if it has none, or no operand with rows.
    pub fn how(&self, id: NodeId) -> Option<&How> {
        self.control.get(&id)
    }

    /// Whether a node runs once for each row.
    pub fn is_row_by_row(&self, id: NodeId) -> bool {
        matches!(self.control.get(&id), Some(How::RowByRow))
    }

    /// For each node, whether it is one of those that run row by row together, whose results have rows.
    pub fn together(&self) -> &[bool] {
        &self.together
    }

    fn outputs(&self, graph: &Graph) -> Vec<bool> {
        graph.outputs().iter().map(|output| self.has_rows(output.value)).collect()
    }
}

impl Analyses {
    /// The analysis of a graph of which these inputs have rows.
    pub fn of(&mut self, graph: &Graph, inputs: &[bool]) -> Rc<Analysis> {
        let key = (std::ptr::from_ref(graph), inputs.to_vec());
        if let Some(known) = self.0.get(&key) {
            return known.clone();
        }
        let mut analysis = self.analyze(graph, inputs, vec![false; graph.n_nodes()]);
        loop {
            // What runs row by row gives rows to all of its results, by which more may have to.
            let together = together(graph, &analysis);
            if together == analysis.together {
                break;
            }
            analysis = self.analyze(graph, inputs, together);
        }
        let analysis = Rc::new(analysis);
        self.0.insert(key, analysis.clone());
        analysis
    }

    fn analyze(&mut self, graph: &Graph, inputs: &[bool], together: Vec<bool>) -> Analysis {
        let mut analysis =
            Analysis { has_rows: Vec::with_capacity(graph.n_nodes()), control: HashMap::new(), together };
        let mut inputs = inputs.iter();
        for id in graph.ids() {
            let node = graph.node(id);
            let Some(op) = node.op() else {
                let has_rows = inputs.next().expect("bug: a graph with more inputs than it has");
                analysis.has_rows.push(SmallVec::from_elem(*has_rows, 1));
                continue;
            };
            let operands: Vec<bool> = graph.operands(id).into_iter().map(|x| analysis.has_rows(x)).collect();
            let any = operands.contains(&true) || analysis.together[id.index()];
            let mut results = SmallVec::from_elem(any, node.types().len());
            if any && matches!(op.batch(), Batching::RowByRow) {
                analysis.control.insert(id, How::RowByRow);
            } else if any && op.roles().is_some() {
                let how = self.control(op, node.regions().iter().map(|region| &**region).collect(), &operands);
                if let How::OnRows(OnRows { results: own, .. }) = &how
                    && !analysis.together[id.index()]
                {
                    results = own.iter().copied().collect();
                }
                analysis.control.insert(id, how);
            }
            analysis.has_rows.push(results);
        }
        analysis
    }

    fn control(&mut self, op: &Op, regions: Vec<&Graph>, operands: &[bool]) -> How {
        let roles = op.roles().expect("bug: an operation without regions");
        let mut operands = operands.to_vec();
        let carry = roles.n_choices..roles.n_choices + roles.n_carry;
        match roles.flow {
            Flow::Choice if operands[0] => {
                if are_cheap(&regions) {
                    How::Select
                } else {
                    How::RowByRow
                }
            }
            Flow::Choice | Flow::Once => {
                let mut results: Vec<bool> = Vec::new();
                for region in regions {
                    let outputs = self.outputs(region, &operands[roles.n_choices..]);
                    results.resize(outputs.len(), false);
                    results.iter_mut().zip(outputs).for_each(|(any, is)| *any |= is);
                }
                How::OnRows(OnRows { operands, results })
            }
            // The rule is for each row, whatever the function takes of it.
            Flow::Custom => {
                let results = vec![true; regions[0].outputs().len()];
                if matches!(op, Op::Custom(Custom { rule: CustomRule::Solve })) {
                    // The right-hand side is of the solution's type.
                    let first = operands.len() - results.len();
                    operands[first..].fill(true);
                }
                How::OnRows(OnRows { operands, results })
            }
            Flow::While => {
                let results = self.carried(regions[1], &mut operands, carry, 0);
                if self.outputs(regions[0], &operands)[0] {
                    return How::RowByRow;
                }
                How::OnRows(OnRows { operands, results })
            }
            Flow::Rows(_) => {
                let results = self.carried(regions[0], &mut operands, carry, 1);
                How::OnRows(OnRows { operands, results })
            }
            Flow::Back(_) => {
                // The advance takes the state, and what comes after it.
                let mut rest = operands.split_off(carry.end);
                self.carried(regions[0], &mut rest, 0..roles.n_state, 1);
                operands.extend(rest);
                let results = self.carried(regions[1], &mut operands, carry, 1);
                How::OnRows(OnRows { operands, results })
            }
        }
    }

    /// Which outputs of a loop's body have rows. What is carried has, if any iteration gives it rows.
    fn carried(
        &mut self,
        body: &Graph,
        operands: &mut [bool],
        carry: std::ops::Range<usize>,
        n_index: usize,
    ) -> Vec<bool> {
        loop {
            let inputs = [&[false][..n_index], operands].concat();
            let outputs = self.outputs(body, &inputs);
            let before = operands.to_vec();
            operands[carry.clone()].iter_mut().zip(&outputs).for_each(|(any, is)| *any |= is);
            if *operands == before {
                // What begins with rows keeps them, whatever an iteration gives.
                let carried = operands[carry.clone()].iter().copied();
                return carried.chain(outputs[carry.len()..].iter().copied()).collect();
            }
        }
    }

    fn outputs(&mut self, region: &Graph, inputs: &[bool]) -> Vec<bool> {
        self.of(region, inputs).outputs(region)
    }
}

/// Up to so much arithmetic for each row, counted in additions, all branches are computed: about as much as it takes to
/// run one of them by itself.
const MAX_SELECTED: u64 = 128;

/// How many additions a function of `math` counts for.
const CALL: u64 = 16;

/// Whether branches are so cheap that computing all of them beats running one, and cannot fail or run forever.
fn are_cheap(regions: &[&Graph]) -> bool {
    let mut total: u64 = 0;
    for region in regions {
        for id in region.ids() {
            let node = region.node(id);
            let Some(op) = node.op() else { continue };
            let fails = op.may_fail() || matches!(op.batch(), Batching::RowByRow);
            if fails || op.roles().is_some() || !region.guards().is_empty() {
                return false;
            }
            let operands = region.operands(id);
            let operands: Vec<_> = operands.iter().map(|&x| region.ty(x)).collect();
            let cost = op.cost(&operands, node.types());
            let elements: u64 = node.types().iter().map(|ty| ty.size() as u64).sum();
            total = total.saturating_add(cost.flops()).saturating_add(cost.calls.saturating_mul(CALL));
            total = total.saturating_add(elements);
        }
    }
    total <= MAX_SELECTED
}

/// The nodes that must run row by row together: a loop that runs row by row and saves stacks, whatever uses these, and
/// all on the ways between.
fn together(graph: &Graph, analysis: &Analysis) -> Vec<bool> {
    let has_stack = |id: NodeId| graph.node(id).types().iter().any(|ty| ty.stack);
    let mut marked: Vec<bool> = graph.ids().map(|id| analysis.is_row_by_row(id) && has_stack(id)).collect();
    if !marked.contains(&true) {
        return marked;
    }
    loop {
        let before = marked.clone();
        for id in graph.ids() {
            for x in graph.operands(id) {
                if graph.ty(x).stack && (marked[id.index()] || marked[x.node.index()]) {
                    marked[id.index()] = true;
                    marked[x.node.index()] = true;
                }
            }
        }
        let (below, above) = (descendants(graph, &marked), ancestors(graph, &marked));
        marked.iter_mut().zip(below.iter().zip(above)).for_each(|(is, (&below, above))| *is |= below && above);
        if marked == before {
            return marked;
        }
    }
}

/// The nodes that depend on marked ones.
pub(super) fn descendants(graph: &Graph, marked: &[bool]) -> Vec<bool> {
    let mut below = vec![false; marked.len()];
    for id in graph.ids() {
        below[id.index()] = graph.operands(id).into_iter().any(|x| marked[x.node.index()] || below[x.node.index()]);
    }
    below
}

/// The nodes on which marked ones depend.
fn ancestors(graph: &Graph, marked: &[bool]) -> Vec<bool> {
    let mut above = vec![false; marked.len()];
    for id in graph.ids().rev() {
        if marked[id.index()] || above[id.index()] {
            graph.operands(id).into_iter().for_each(|x| above[x.node.index()] = true);
        }
    }
    above
}
