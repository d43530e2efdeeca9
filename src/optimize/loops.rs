//! Simplification of loops and branches across the boundaries of their regions.
//!
//! - A branch whose choice is a constant is inlined; a loop without iterations is removed.
//! - Operands that are known numbers become constants within the regions; equal operands are passed once.
//! - A carry that the body returns unchanged becomes a fixed operand.
//! - Results that are the same value in every iteration, or in every branch, become one.
//! - Results without uses are dropped, with everything that only they need.
//! - A map is applied to all rows at once, where that keeps its bits and is faster.
//! - What is the same in all iterations is computed before the loop (loop-invariant code motion).

use std::collections::HashMap;
use std::sync::Arc;

use super::rebuild::{Copy, Rewrite, Run, rebuild};
use super::simplify;
use super::simplify::number;
use crate::batch::{Purpose, map_on_rows};
use crate::error::Error;
use crate::ir::{NodeId, Operands, Operation, Provenance, Value, ValueMap, results_of};
use crate::op::{BroadcastInDim, ByRole, Graph, Lowering, Op, Roles, Switch};
use crate::stack;
use crate::value::{Array, Scalar, Type};

pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    stack::for_levels(graph.depth(), || run_in(graph, &Runs::default()))
}

/// The state of this pass, and of `simplify`, which runs on the regions it builds.
#[derive(Default)]
struct Runs {
    loops: Run,
    simplify: Run,
}

fn run_in(graph: &Graph, runs: &Runs) -> Result<Graph, Error> {
    if graph.ids().all(|id| graph.node(id).regions().is_empty()) {
        return Ok(graph.clone());
    }
    let used = used(graph);
    let rewritten = rebuild(
        graph,
        &runs.loops,
        |region| run_in(region, runs),
        |new, copy| {
            // The signature of a function binds that of its rule.
            if copy.regions.is_empty() || matches!(copy.op, Op::Custom(_)) {
                return Ok(Rewrite::Keep);
            }
            let types: Vec<Type> = copy.operands.iter().map(|&x| new.ty(x).clone()).collect();
            if let Some(rows) = map_on_rows(copy.op, &copy.regions[0], &types, Purpose::Run)? {
                let map = new.inline(&rows, copy.operands)?;
                return Ok(Rewrite::Values(rows.outputs().iter().map(|y| map.get(y.value)).collect()));
            }
            let results = graph.node(copy.id).types().len();
            let used: Vec<bool> = (0..results).map(|k| used.contains_key(&(copy.id, k))).collect();
            Node::of(copy, used, &runs.simplify).rewrite(new, copy.provenance).map(Rewrite::Values)
        },
    )?;
    // Nodes moved out of regions may duplicate existing ones.
    simplify::run_in(&rewritten, &runs.simplify)
}

/// The results that nodes, guards and outputs use.
fn used(graph: &Graph) -> HashMap<(NodeId, usize), ()> {
    let operands = graph.ids().flat_map(|id| graph.operands(id));
    let outputs = graph.outputs().iter().map(|output| output.value);
    let all = operands.chain(outputs).chain(graph.guards().iter().map(|guard| guard.value));
    all.map(|x| ((x.node, usize::from(x.result)), ())).collect()
}

/// A node with regions, taken apart by the roles of its operands. Operands correspond to inputs of regions, and results
/// to outputs.
struct Node<'r> {
    op: Op,
    /// The roles of the original node. Counts may be outdated by rewrites; only the kinds of loop and region still
    /// hold.
    roles: Roles,
    choice: Option<Value>,
    carry: Vec<Value>,
    /// Operands that the body takes but does not return: the state that an [`Op::Revolve`] advances separately.
    state: Vec<Value>,
    rows: Vec<Value>,
    fixed: Vec<Value>,
    regions: Vec<Arc<Graph>>,
    /// For each result of the original node, whether it is used.
    used: Vec<bool>,
    /// For each result of the original node, where its value comes from now.
    origins: Vec<Origin>,
    /// The state of `simplify` for regions.
    simplify: &'r Run,
}

/// Where a result of the original node comes from.
#[derive(Clone, Copy)]
enum Origin {
    /// A result of the rewritten node.
    Result(usize),
    /// A value outside the regions.
    Value(Value),
    /// Nothing uses it.
    Dropped,
}

/// How an input of a region is rewritten.
#[derive(Clone)]
enum InputRewrite {
    Kept,
    /// Replaced by a uniform constant.
    Number(Scalar),
    /// Replaced by another input.
    Same(usize),
    /// Nothing uses it.
    Dropped,
}

impl<'r> Node<'r> {
    fn of(copy: &Copy<'_>, used: Vec<bool>, simplify: &'r Run) -> Node<'r> {
        let operands = copy.operands;
        let roles = copy.op.roles().expect("bug: regions of an operation without roles");
        let ByRole { choice, carry, state, rows, fixed } = roles.split(operands);
        Node {
            op: copy.op.clone(),
            roles,
            choice: choice.first().copied(),
            carry: carry.to_vec(),
            state: state.to_vec(),
            rows: rows.to_vec(),
            fixed: fixed.to_vec(),
            regions: copy.regions.to_vec(),
            origins: (0..used.len()).map(Origin::Result).collect(),
            used,
            simplify,
        }
    }

    fn body(&self) -> &Graph {
        self.regions.last().expect("bug: control flow without regions")
    }

    /// Rewrites the node until nothing changes and adds what remains. Returns a value for each result that is used.
    fn rewrite(mut self, new: &mut Graph, provenance: &Provenance) -> Result<Vec<Option<Value>>, Error> {
        if let Some(region) = self.known_branch(new) {
            return self.inline(new, region);
        }
        loop {
            let before = self.size();
            self.fix_unchanged_carries();
            self.merge_results();
            self.drop_results()?;
            self.canonicalize_inputs(new)?;
            if self.roles.is_loop() {
                self.hoist(new, provenance)?;
            }
            if self.size() == before {
                break;
            }
        }
        if self.has_no_iterations() {
            return self.without_iterations(new, provenance);
        }
        self.add(new, provenance)
    }

    /// A measure that changes with every rewrite: the numbers of operands, results and operations within.
    fn size(&self) -> (usize, usize, usize) {
        let operands = self.carry.len() + self.state.len() + self.rows.len() + self.fixed.len();
        let n_ops = self.regions.iter().map(|region| region.n_ops()).sum();
        (operands, self.body().outputs().len(), n_ops)
    }

    /// The region that is chosen, if the choice is a constant.
    fn known_branch(&self, graph: &Graph) -> Option<usize> {
        match (&self.op, number(graph, self.choice?)?) {
            (Op::Cond(_), Scalar::Bool(holds)) => Some(usize::from(!holds)),
            (Op::Switch(Switch), Scalar::I64(index)) => Some(index.clamp(0, self.regions.len() as i64 - 1) as usize),
            _ => None,
        }
    }

    fn inline(&self, new: &mut Graph, region: usize) -> Result<Vec<Option<Value>>, Error> {
        let region = &self.regions[region];
        let map = new.inline(region, &self.fixed)?;
        Ok(region.outputs().iter().map(|output| map.get(output.value)).collect())
    }

    /// Turns each carry that the body returns unchanged into a fixed operand.
    fn fix_unchanged_carries(&mut self) {
        if let Op::Revolve(_) = self.op {
            return;
        }
        let n_index = self.roles.n_index();
        let body = self.body();
        let unchanged = (0..self.carry.len())
            .rev()
            .filter(|&k| body.outputs()[k].value == Value::from(body.inputs()[n_index + k].node));
        for k in unchanged.collect::<Vec<usize>>() {
            let operand = self.carry.remove(k);
            self.fixed.push(operand);
            let from = n_index + k;
            for (position, region) in self.regions.iter_mut().enumerate() {
                // In the regions of a `while` the carry comes first; in both it moves to the end of the inputs.
                let n = region.inputs().len();
                let order: Vec<usize> = (0..n).filter(|&input| input != from).chain([from]).collect();
                let is_condition = matches!(self.op, Op::While(_)) && position == 0;
                let outputs: Vec<usize> =
                    (0..region.outputs().len()).filter(|&output| is_condition || output != k).collect();
                *region = Arc::new(reordered(region, &order, &outputs));
            }
            self.shift_results(k, Origin::Value(operand));
        }
        self.set_counts();
    }

    /// Removes the node's `k`-th result, which `instead` replaces.
    fn shift_results(&mut self, k: usize, instead: Origin) {
        for origin in &mut self.origins {
            match origin {
                Origin::Result(result) if *result == k => *origin = instead,
                Origin::Result(result) if *result > k => *result -= 1,
                _ => {}
            }
        }
    }

    fn set_counts(&mut self) {
        match &mut self.op {
            Op::While(op) => op.carry = self.carry.len(),
            Op::Scan(op) => (op.carry, op.xs) = (self.carry.len(), self.rows.len()),
            Op::Revolve(op) => (op.cts, op.carry, op.xs) = (self.carry.len(), self.state.len(), self.rows.len()),
            _ => {}
        }
    }

    /// Takes each result whose values are those of an earlier one from that one, which leaves it without uses.
    fn merge_results(&mut self) {
        let returning = match self.choice {
            Some(_) => &self.regions[..],
            None => &self.regions[self.regions.len() - 1..],
        };
        let mut first_with = HashMap::new();
        // A carry has another value outside: the last one.
        let collected = (self.carry.len()..self.body().outputs().len()).map(|k| {
            let values: Vec<Value> = returning.iter().map(|region| region.outputs()[k].value).collect();
            *first_with.entry(values).or_insert(k)
        });
        let first: Vec<usize> = (0..self.carry.len()).chain(collected).collect();
        for origin in &mut self.origins {
            if let Origin::Result(k) = origin {
                *k = first[*k];
            }
        }
    }

    /// Drops results without uses. A carry is live if its last value is used, or if an iteration needs it for a live
    /// result.
    fn drop_results(&mut self) -> Result<(), Error> {
        let n_carry = self.carry.len();
        let n_results = self.body().outputs().len();
        let mut live = vec![false; n_results];
        for (origin, &used) in self.origins.iter().zip(&self.used) {
            if let Origin::Result(k) = *origin {
                live[k] |= used;
            }
        }
        if matches!(self.op, Op::While(_)) {
            let inputs = needed_inputs(&self.regions[0], &[true]);
            live.iter_mut().zip(&inputs[..n_carry]).for_each(|(live, is)| *live |= is);
        }
        if n_carry > 0 {
            loop {
                let inputs = needed_inputs(self.body(), &live);
                let before = live.clone();
                let carry = &inputs[self.roles.n_index()..][..n_carry];
                live.iter_mut().zip(carry).for_each(|(live, is)| *live |= is);
                if live == before {
                    break;
                }
            }
        }
        let dead: Vec<usize> = (0..n_results).rev().filter(|&k| !live[k]).collect();
        self.drop_dead(&dead)?;
        self.set_counts();
        Ok(())
    }

    /// Drops all dead results at once, because dead carries may depend on each other.
    fn drop_dead(&mut self, dead: &[usize]) -> Result<(), Error> {
        if dead.is_empty() {
            return Ok(());
        }
        let (n_index, n_carry) = (self.roles.n_index(), self.carry.len());
        let is_while = matches!(self.op, Op::While(_));
        let first = usize::from(self.roles.is_advance(0));
        let regions = self.each_region(|position, region| {
            if position < first {
                return Ok(Graph::clone(region));
            }
            let is_condition = is_while && position == 0;
            let outputs: Vec<usize> =
                (0..region.outputs().len()).filter(|output| is_condition || !dead.contains(output)).collect();
            let is_dead =
                |input: usize| (n_index..n_index + n_carry).contains(&input) && dead.contains(&(input - n_index));
            let inputs: Vec<usize> = (0..region.inputs().len()).filter(|&input| !is_dead(input)).collect();
            Ok(reordered(region, &inputs, &outputs))
        });
        self.regions = regions?;
        // In descending order, so that the remaining positions stay valid.
        for &k in dead {
            if k < n_carry {
                self.carry.remove(k);
            }
            self.shift_results(k, Origin::Dropped);
        }
        Ok(())
    }

    /// Replaces each region. A region that serves several branches of a choice is replaced once.
    fn each_region(
        &self,
        mut replace: impl FnMut(usize, &Graph) -> Result<Graph, Error>,
    ) -> Result<Vec<Arc<Graph>>, Error> {
        let mut known: HashMap<*const Graph, Arc<Graph>> = HashMap::new();
        let mut regions = Vec::with_capacity(self.regions.len());
        for (position, region) in self.regions.iter().enumerate() {
            let same = known.get(&Arc::as_ptr(region)).filter(|_| self.choice.is_some());
            let new = match same {
                Some(same) => same.clone(),
                None => Arc::new(replace(position, region)?),
            };
            known.insert(Arc::as_ptr(region), new.clone());
            regions.push(new);
        }
        Ok(regions)
    }

    /// Replaces numbers by constants, merges equal operands, and drops operands without uses.
    fn canonicalize_inputs(&mut self, graph: &Graph) -> Result<(), Error> {
        let (n_index, n_carry) = (self.roles.n_index(), self.carry.len());
        let first_row = n_index + n_carry + self.state.len();
        let mut needed = vec![false; self.body().inputs().len()];
        for (position, region) in self.regions.iter().enumerate() {
            let mut inputs = needed_inputs(region, &vec![true; region.outputs().len()]);
            if self.roles.is_advance(position) {
                inputs.splice(n_index..n_index, vec![false; n_carry]);
            }
            needed.iter_mut().zip(inputs).for_each(|(needed, is)| *needed |= is);
        }
        let mut rewrites = vec![InputRewrite::Kept; needed.len()];
        let mut first_with: HashMap<(Value, bool), usize> = HashMap::new();
        let others = self.rows.iter().map(|&x| (x, true)).chain(self.fixed.iter().map(|&x| (x, false)));
        for (k, (x, is_row)) in others.enumerate() {
            let position = first_row + k;
            rewrites[position] = match (number(graph, x), first_with.get(&(x, is_row))) {
                _ if !needed[position] => InputRewrite::Dropped,
                (Some(number), _) => InputRewrite::Number(number),
                (None, Some(&first)) => InputRewrite::Same(first),
                (None, None) => {
                    first_with.insert((x, is_row), position);
                    InputRewrite::Kept
                }
            };
        }
        // A loop along stacks needs at least one stack for its number of iterations.
        let along_stacks = matches!(&self.op, Op::Scan(op) if op.length.is_none());
        let rows = &mut rewrites[first_row..][..self.rows.len()];
        if along_stacks && !rows.iter().any(|rewrite| matches!(rewrite, InputRewrite::Kept)) {
            rows[0] = InputRewrite::Kept;
        }
        if rewrites.iter().all(|rewrite| matches!(rewrite, InputRewrite::Kept)) {
            return Ok(());
        }
        let without_carry = without(&rewrites, n_index, n_carry);
        self.regions = self.each_region(|position, region| match self.roles.is_advance(position) {
            true => with_rewritten_inputs(region, &without_carry, self.simplify),
            false => with_rewritten_inputs(region, &rewrites, self.simplify),
        })?;
        let mut rewrites = rewrites[first_row..].iter();
        let mut keep = |_: &Value| matches!(rewrites.next(), Some(InputRewrite::Kept));
        self.rows.retain(&mut keep);
        self.fixed.retain(&mut keep);
        self.set_counts();
        Ok(())
    }

    /// Computes before the loop what is the same in all iterations.
    fn hoist(&mut self, new: &mut Graph, provenance: &Provenance) -> Result<(), Error> {
        for position in 0..self.regions.len() {
            let region = self.regions[position].clone();
            let n_inputs = region.inputs().len();
            let first_fixed = n_inputs - self.fixed.len();
            let hoisted = Hoisted::of(&region, first_fixed, self.surely_runs(position));
            if hoisted.boundary.is_empty() {
                continue;
            }
            let values = hoisted.copy(&region, new, &self.fixed, first_fixed, provenance)?;
            let types: Vec<Type> = hoisted.boundary.iter().map(|&x| region.ty(x).clone()).collect();
            for (other, region) in self.regions.iter_mut().enumerate() {
                let boundary: &[Value] = if other == position { &hoisted.boundary } else { &[] };
                *region = Arc::new(with_inputs(region, &types, boundary, self.simplify)?);
            }
            self.fixed.extend(values);
        }
        Ok(())
    }

    /// Whether the loop is known to have no iterations.
    fn has_no_iterations(&self) -> bool {
        match &self.op {
            Op::Scan(op) => op.length == Some(0),
            Op::Revolve(op) => op.length == 0,
            _ => false,
        }
    }

    /// Whether a region runs at least once.
    fn surely_runs(&self, region: usize) -> bool {
        match self.op {
            Op::While(_) => region == 0,
            Op::Scan(ref op) => op.length.is_some_and(|length| length > 0),
            // No state is advanced after the last iteration.
            Op::Revolve(ref op) => op.length > usize::from(region == 0),
            _ => false,
        }
    }

    fn without_iterations(&self, new: &mut Graph, provenance: &Provenance) -> Result<Vec<Option<Value>>, Error> {
        let mut results = self.carry.clone();
        for output in &self.body().outputs()[self.carry.len()..] {
            let empty = Array::zeros(&self.body().ty(output.value).repeated(0));
            results.push(new.add(Op::from_constant(empty), &[], provenance.clone())?.into());
        }
        Ok(self.resolved(&results))
    }

    fn add(&self, new: &mut Graph, provenance: &Provenance) -> Result<Vec<Option<Value>>, Error> {
        let operands: Operands = self
            .choice
            .iter()
            .chain(&self.carry)
            .chain(&self.state)
            .chain(&self.rows)
            .chain(&self.fixed)
            .copied()
            .collect();
        let regions = self.regions.iter().cloned().collect();
        let node = new.add_with_regions(self.op.clone(), &operands, regions, provenance.clone())?;
        let results: Vec<Value> = results_of(new, node).collect();
        Ok(self.resolved(&results))
    }

    fn resolved(&self, results: &[Value]) -> Vec<Option<Value>> {
        let resolve = |origin: &Origin| match *origin {
            Origin::Result(k) => Some(results[k]),
            Origin::Value(value) => Some(value),
            Origin::Dropped => None,
        };
        self.origins.iter().map(resolve).collect()
    }
}

/// The rewrites for a region without the `n` inputs from `first` on. Inputs that replace others come after these, so
/// their positions decrease by `n`.
fn without(rewrites: &[InputRewrite], first: usize, n: usize) -> Vec<InputRewrite> {
    let others = rewrites[..first].iter().chain(&rewrites[first + n..]);
    let moved = |rewrite: &InputRewrite| {
        if let InputRewrite::Same(input) = rewrite { InputRewrite::Same(input - n) } else { rewrite.clone() }
    };
    others.map(moved).collect()
}

/// For each input, whether a marked output depends on it.
fn needed_inputs(region: &Graph, outputs: &[bool]) -> Vec<bool> {
    let marked = region.outputs().iter().zip(outputs).filter(|&(_, &is)| is);
    let needed = region.needed_for(marked.map(|(output, _)| output.value));
    needed[..region.inputs().len()].to_vec()
}

/// The region with the given inputs and outputs, in that order. The outputs must not depend on an input that is left
/// out.
fn reordered(region: &Graph, inputs: &[usize], outputs: &[usize]) -> Graph {
    let all = region.outputs();
    let outputs: Vec<_> = outputs.iter().map(|&k| all[k].clone()).collect();
    let needed = region.needed_for(outputs.iter().map(|output| output.value));
    let mut new = Graph::new(region.name());
    let mut map = ValueMap::new(region.n_nodes());
    for &k in inputs {
        let input = &region.inputs()[k];
        let ty = region.ty(input.node.into()).clone();
        map.set(input.node, [new.add_input(input.name.clone(), ty).expect("bug: an invalid input of a valid region")]);
    }
    copy_nodes(region, &mut new, &mut map, |id| needed[id.index()]).expect("bug: a part of a valid region is invalid");
    for output in outputs {
        let value = map.get(output.value).expect("bug: an output was dropped");
        new.add_output(output.name.clone(), value).expect("bug: an invalid output of a valid region");
    }
    new
}

/// Appends the operations of a region that `keep` selects.
fn copy_nodes(region: &Graph, new: &mut Graph, map: &mut ValueMap, keep: impl Fn(NodeId) -> bool) -> Result<(), Error> {
    for id in region.ids().filter(|&id| keep(id)) {
        let node = region.node(id);
        let Some(op) = node.op() else { continue };
        let image = |x: Value| map.get(x).expect("bug: an operand was dropped");
        let operands: Operands = region.operands(id).into_iter().map(image).collect();
        let provenance = map.provenance(node.provenance());
        let copy = new.add_with_regions(op.clone(), &operands, node.regions().into(), provenance)?;
        map.set(id, results_of(new, copy));
    }
    Ok(())
}

/// The region with its inputs rewritten, simplified.
fn with_rewritten_inputs(region: &Graph, rewrites: &[InputRewrite], run: &Run) -> Result<Graph, Error> {
    let mut new = Graph::new(region.name());
    let mut map = ValueMap::new(region.n_nodes());
    for (input, rewrite) in region.inputs().iter().zip(rewrites) {
        if let InputRewrite::Kept = rewrite {
            let ty = region.ty(input.node.into()).clone();
            map.set(input.node, [new.add_input(input.name.clone(), ty)?]);
        }
    }
    for (input, rewrite) in region.inputs().iter().zip(rewrites) {
        let ty = region.ty(input.node.into());
        match rewrite {
            InputRewrite::Kept => {}
            InputRewrite::Same(first) => {
                let same = map.get(region.inputs()[*first].node.into()).expect("bug: the first of equals was dropped");
                map.set(input.node, [same]);
            }
            InputRewrite::Number(x) => map.set(input.node, [number_of_type(&mut new, *x, ty)?]),
            InputRewrite::Dropped => {
                map.set(input.node, [number_of_type(&mut new, Scalar::Bool(false).convert(ty.dtype), ty)?])
            }
        }
    }
    copy_nodes(region, &mut new, &mut map, |_| true)?;
    for output in region.outputs() {
        new.add_output(output.name.clone(), map.get(output.value).expect("bug: an output was dropped"))?;
    }
    simplify::run_in(&new, run)
}

/// A uniform value of type `ty`.
fn number_of_type(graph: &mut Graph, x: Scalar, ty: &Type) -> Result<Value, Error> {
    let number = graph.add(Op::from_constant(Array::from_scalar(x)), &[], Provenance::default())?;
    if ty.rank() == 0 {
        return Ok(number.into());
    }
    let broadcast = BroadcastInDim { shape: ty.shape.clone(), axes: vec![] };
    Ok(graph.add(broadcast.into(), &[number.into()], Provenance::default())?.into())
}

/// The region with further inputs of `types`, simplified; the first ones replace the values `instead_of`.
fn with_inputs(region: &Graph, types: &[Type], instead_of: &[Value], run: &Run) -> Result<Graph, Error> {
    let mut new = Graph::new(region.name());
    let mut map = ValueMap::new(region.n_nodes());
    let taken = |new: &Graph, name: &str| new.inputs().iter().any(|input| *input.name == *name);
    for input in region.inputs() {
        let ty = region.ty(input.node.into()).clone();
        map.set(input.node, [new.add_input(input.name.clone(), ty)?]);
    }
    let mut replaced: HashMap<Value, Value> = HashMap::new();
    for (k, ty) in types.iter().enumerate() {
        let name = crate::op::trace::free_name("fixed", |name| taken(&new, name));
        let input = new.add_input(name, ty.clone())?;
        instead_of.get(k).map(|&x| replaced.insert(x, input));
    }
    for id in region.ids() {
        let node = region.node(id);
        let Some(op) = node.op() else { continue };
        let image = |x: Value| replaced.get(&x).copied().or(map.get(x)).expect("bug: an operand was dropped");
        let operands: Operands = region.operands(id).into_iter().map(image).collect();
        let provenance = map.provenance(node.provenance());
        let copy = new.add_with_regions(op.clone(), &operands, node.regions().into(), provenance)?;
        map.set(id, results_of(&new, copy));
    }
    for output in region.outputs() {
        let value = replaced.get(&output.value).copied().or(map.get(output.value));
        new.add_output(output.name.clone(), value.expect("bug: an output was dropped"))?;
    }
    simplify::run_in(&new, run)
}

/// Which regions are sure to terminate without an error, by their addresses, as far as anyone asked: what is used again
/// and again, itself by what is, is looked at once.
#[derive(Default)]
struct Termination(HashMap<*const Graph, bool>);

impl Termination {
    /// Whether a node is sure to: it is no `while` and no function of the host, and its regions contain none.
    fn is_sure(&mut self, graph: &Graph, id: NodeId) -> bool {
        let node = graph.node(id);
        let may_fail = node.op().is_some_and(|op| matches!(op, Op::While(_)) || op.may_fail());
        !may_fail && node.regions().iter().all(|region| self.is_sure_of(region))
    }

    fn is_sure_of(&mut self, region: &Graph) -> bool {
        let address = std::ptr::from_ref(region);
        if let Some(&known) = self.0.get(&address) {
            return known;
        }
        let is_sure = region.ids().all(|id| self.is_sure(region, id));
        self.0.insert(address, is_sure);
        is_sure
    }
}

/// A constant expression of up to this many elements is cheaper to compute in the region than to pass as an operand.
const MAX_INLINE: usize = 16;

/// The loop-invariant part of a region.
struct Hoisted {
    /// For each node, whether it depends on fixed inputs and constants alone.
    fixed: Vec<bool>,
    /// The invariant values that the rest of the region uses and that are worth an operand.
    boundary: Vec<Value>,
}

impl Hoisted {
    /// Finds the invariant part. A loop that may not terminate, or may fail, is not moved out of a region that may
    /// never run.
    fn of(region: &Graph, first_fixed: usize, surely_runs: bool) -> Hoisted {
        let n_inputs = region.inputs().len();
        let mut fixed: Vec<bool> = (0..n_inputs).map(|k| k >= first_fixed).collect();
        let mut termination = Termination::default();
        for id in region.ids().skip(n_inputs) {
            let is_fixed = region.operands(id).iter().all(|x| fixed[x.node.index()]);
            let has_stacks = region.node(id).types().iter().any(|ty| ty.stack);
            fixed.push(is_fixed && !has_stacks && (surely_runs || termination.is_sure(region, id)));
        }
        let mut hoisted = Hoisted { fixed, boundary: Vec::new() };
        let mut seen: HashMap<Value, ()> = HashMap::new();
        let mut pending: Vec<Value> = region.outputs().iter().map(|output| output.value).collect();
        for id in region.ids().filter(|id| !hoisted.fixed[id.index()]) {
            pending.extend(region.operands(id));
        }
        while let Some(x) = pending.pop() {
            if !hoisted.fixed[x.node.index()] || seen.insert(x, ()).is_some() {
                continue;
            }
            let Some(op) = region.node(x.node).op() else { continue };
            match op.lower() {
                Lowering::Constant(_) => {}
                // A view costs nothing; its operand may.
                Lowering::View(_) => pending.extend(region.operands(x.node)),
                // A few constant numbers are part of the code.
                _ if region.operands(x.node).is_empty() && region.ty(x).size() <= MAX_INLINE => {}
                _ => hoisted.boundary.push(x),
            }
        }
        hoisted.boundary.sort_unstable();
        hoisted
    }

    /// Appends the invariant part to the graph around the loop. Returns the new values of `boundary`.
    fn copy(
        &self,
        region: &Graph,
        new: &mut Graph,
        operands: &[Value],
        first_fixed: usize,
        provenance: &Provenance,
    ) -> Result<Vec<Value>, Error> {
        let needed = region.needed_for(self.boundary.iter().copied());
        let mut map = ValueMap::new(region.n_nodes());
        for (input, &value) in region.inputs()[first_fixed..].iter().zip(operands) {
            map.set(input.node, [value]);
        }
        for id in region.ids().filter(|id| needed[id.index()]) {
            let node = region.node(id);
            let Some(op) = node.op() else { continue };
            let image = |x: Value| map.get(x).expect("bug: an operand was dropped");
            let operands: Operands = region.operands(id).into_iter().map(image).collect();
            let at = node.provenance().at.clone().or(provenance.at.clone());
            let provenance = Provenance { at, role: provenance.role, ..node.provenance().clone() };
            let copy = new.add_with_regions(op.clone(), &operands, node.regions().into(), provenance)?;
            map.set(id, results_of(new, copy));
        }
        Ok(self.boundary.iter().map(|&x| map.get(x).expect("bug: a value of the boundary was not computed")).collect())
    }
}
