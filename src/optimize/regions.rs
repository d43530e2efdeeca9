//! Rewriting across the borders of regions: what loops and branches take and give.
//!
//! - A branch whose choice is a constant is followed; a loop without trips is dropped.
//! - Numbers that are known come into regions as constants; operands that are the same come in once.
//! - A carry that the body gives back as it is does not change, so it is no carry.
//! - Results that nothing uses are dropped, and with them what only they need.
//! - What does not change from trip to trip is computed before the loop (loop-invariant code motion).

use std::collections::HashMap;
use std::sync::Arc;

use super::rebuild::{Copy, Rewrite, Run, rebuild};
use super::simplify;
use super::simplify::number;
use crate::error::Error;
use crate::ir::{NodeId, Operands, Operation, Provenance, Value, ValueMap, results_of};
use crate::op::{BroadcastInDim, ByRole, Graph, Lowering, Op, Roles, Switch};
use crate::value::{Array, Scalar, Type};

pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    run_in(graph, &Runs::default())
}

/// The runs of this pass, and of that which simplifies what it makes.
#[derive(Default)]
struct Runs {
    regions: Run,
    simplify: Run,
}

fn run_in(graph: &Graph, runs: &Runs) -> Result<Graph, Error> {
    if graph.ids().all(|id| graph.node(id).regions().is_empty()) {
        return Ok(graph.clone());
    }
    let used = used(graph);
    let rewritten = rebuild(
        graph,
        &runs.regions,
        |region| run_in(region, runs),
        |new, copy| {
            if copy.regions.is_empty() {
                return Ok(Rewrite::Keep);
            }
            let results = graph.node(copy.id).types().len();
            let used: Vec<bool> = (0..results).map(|k| used.contains_key(&(copy.id, k))).collect();
            Node::of(copy, used, &runs.simplify).rewrite(new, copy.provenance).map(Rewrite::Values)
        },
    )?;
    // What has moved out of regions may repeat what is there already.
    simplify::run_in(&rewritten, &runs.simplify)
}

/// The results that nodes, guards and outputs use.
fn used(graph: &Graph) -> HashMap<(NodeId, usize), ()> {
    let operands = graph.ids().flat_map(|id| graph.operands(id));
    let outputs = graph.outputs().iter().map(|output| output.value);
    let all = operands.chain(outputs).chain(graph.guards().iter().map(|guard| guard.value));
    all.map(|x| ((x.node, usize::from(x.result)), ())).collect()
}

/// A node that holds regions, in parts: operands and inputs of regions correspond to each other, and results and outputs.
struct Node<'r> {
    op: Op,
    /// Those of the original node; of what is dropped since, only the kinds hold.
    roles: Roles,
    choice: Option<Value>,
    carry: Vec<Value>,
    /// What the body takes, but does not give: the state that a [`Op::Revolve`] computes beside it.
    state: Vec<Value>,
    rows: Vec<Value>,
    fixed: Vec<Value>,
    regions: Vec<Arc<Graph>>,
    /// For each result of the original node, whether it is used.
    used: Vec<bool>,
    /// For each result of the original node, what gives it.
    origins: Vec<Origin>,
    /// What simplifies regions.
    simplify: &'r Run,
}

/// What gives a result of the original node.
#[derive(Clone, Copy)]
enum Origin {
    /// A result of the node as it is now.
    Result(usize),
    /// A value outside.
    Value(Value),
    /// Nothing uses it.
    Dropped,
}

/// What becomes of an input of a region.
#[derive(Clone)]
enum Fate {
    Kept,
    /// It is a number everywhere.
    Number(Scalar),
    /// It is another input.
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

    /// Rewrites, and adds what is left; gives a value for each result that is used.
    fn rewrite(mut self, new: &mut Graph, provenance: &Provenance) -> Result<Vec<Option<Value>>, Error> {
        if let Some(region) = self.known_branch(new) {
            return self.inline(new, region);
        }
        loop {
            let before = self.size();
            self.settle_carry();
            self.drop_results()?;
            self.settle_inputs(new)?;
            if self.roles.is_loop() {
                self.hoist(new, provenance)?;
            }
            if self.size() == before {
                break;
            }
        }
        if self.has_no_trips() {
            return self.no_trips(new, provenance);
        }
        self.add(new, provenance)
    }

    /// What shrinks with every rewriting: operands, results and operations within.
    fn size(&self) -> (usize, usize, usize) {
        let operands = self.carry.len() + self.state.len() + self.rows.len() + self.fixed.len();
        let n_ops = self.regions.iter().map(|region| region.n_ops()).sum();
        (operands, self.body().outputs().len(), n_ops)
    }

    /// The region that will be run, if that is known.
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

    /// A carry that is given back as it came in is fixed.
    fn settle_carry(&mut self) {
        if let Op::Revolve(_) = self.op {
            return;
        }
        let n_index = self.roles.n_index();
        let body = self.body();
        let settled = (0..self.carry.len())
            .rev()
            .filter(|&k| body.outputs()[k].value == Value::from(body.inputs()[n_index + k].node));
        for k in settled.collect::<Vec<usize>>() {
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

    /// The node loses its `k`-th result, which is something else from now on.
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

    /// Drops results that nothing uses. A carry is used if its last value is, or if a trip needs it for something that is.
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

    /// All at once, for dead carries may need each other.
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
        // The last comes first, so that the positions of the others stay.
        for &k in dead {
            if k < n_carry {
                self.carry.remove(k);
            }
            self.shift_results(k, Origin::Dropped);
        }
        Ok(())
    }

    /// New regions in place of those that there are. One that is several branches of a choice stays one.
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

    /// Numbers come in as constants, equal operands once, and what is not used not at all.
    fn settle_inputs(&mut self, graph: &Graph) -> Result<(), Error> {
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
        let mut fates = vec![Fate::Kept; needed.len()];
        let mut met: HashMap<(Value, bool), usize> = HashMap::new();
        let others = self.rows.iter().map(|&x| (x, true)).chain(self.fixed.iter().map(|&x| (x, false)));
        for (k, (x, is_row)) in others.enumerate() {
            let position = first_row + k;
            fates[position] = match (number(graph, x), met.get(&(x, is_row))) {
                _ if !needed[position] => Fate::Dropped,
                (Some(number), _) => Fate::Number(number),
                (None, Some(&first)) => Fate::Same(first),
                (None, None) => {
                    met.insert((x, is_row), position);
                    Fate::Kept
                }
            };
        }
        // A loop along stacks needs one that says how often it runs.
        let along_stacks = matches!(&self.op, Op::Scan(op) if op.length.is_none());
        let rows = &mut fates[first_row..][..self.rows.len()];
        if along_stacks && !rows.iter().any(|fate| matches!(fate, Fate::Kept)) {
            rows[0] = Fate::Kept;
        }
        if fates.iter().all(|fate| matches!(fate, Fate::Kept)) {
            return Ok(());
        }
        let without_carry = without(&fates, n_index, n_carry);
        self.regions = self.each_region(|position, region| match self.roles.is_advance(position) {
            true => settled(region, &without_carry, self.simplify),
            false => settled(region, &fates, self.simplify),
        })?;
        let mut fates = fates[first_row..].iter();
        let mut keep = |_: &Value| matches!(fates.next(), Some(Fate::Kept));
        self.rows.retain(&mut keep);
        self.fixed.retain(&mut keep);
        self.set_counts();
        Ok(())
    }

    /// Computes before the loop what does not change from trip to trip.
    fn hoist(&mut self, new: &mut Graph, provenance: &Provenance) -> Result<(), Error> {
        for position in 0..self.regions.len() {
            let region = self.regions[position].clone();
            let n_inputs = region.inputs().len();
            let first_fixed = n_inputs - self.fixed.len();
            let hoisted = Hoisted::of(&region, first_fixed, self.surely_runs(position));
            if hoisted.border.is_empty() {
                continue;
            }
            let values = hoisted.copy(&region, new, &self.fixed, first_fixed, provenance)?;
            let types: Vec<Type> = hoisted.border.iter().map(|&x| region.ty(x).clone()).collect();
            for (other, region) in self.regions.iter_mut().enumerate() {
                let border: &[Value] = if other == position { &hoisted.border } else { &[] };
                *region = Arc::new(with_inputs(region, &types, border, self.simplify)?);
            }
            self.fixed.extend(values);
        }
        Ok(())
    }

    /// Whether it is known to run not even once.
    fn has_no_trips(&self) -> bool {
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
            // There is nothing to advance to after the last trip.
            Op::Revolve(ref op) => op.length > usize::from(region == 0),
            _ => false,
        }
    }

    fn no_trips(&self, new: &mut Graph, provenance: &Provenance) -> Result<Vec<Option<Value>>, Error> {
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

/// The fates of the inputs of a region that lacks `n` of them from `first` on. Equal inputs stand behind these.
fn without(fates: &[Fate], first: usize, n: usize) -> Vec<Fate> {
    let others = fates[..first].iter().chain(&fates[first + n..]);
    let moved = |fate: &Fate| if let Fate::Same(input) = fate { Fate::Same(input - n) } else { fate.clone() };
    others.map(moved).collect()
}

/// Which inputs these outputs depend on.
fn needed_inputs(region: &Graph, outputs: &[bool]) -> Vec<bool> {
    let mut needed = vec![false; region.n_nodes()];
    for (output, &is) in region.outputs().iter().zip(outputs) {
        needed[output.value.node.index()] |= is;
    }
    for id in region.ids().rev() {
        if needed[id.index()] {
            region.operands(id).iter().for_each(|x| needed[x.node.index()] = true);
        }
    }
    needed[..region.inputs().len()].to_vec()
}

/// The region with inputs and outputs in another order. Inputs and outputs that are left out must not matter.
fn reordered(region: &Graph, inputs: &[usize], outputs: &[usize]) -> Graph {
    let all = region.outputs();
    let outputs: Vec<_> = outputs.iter().map(|&k| all[k].clone()).collect();
    let mut needed = vec![false; region.n_nodes()];
    outputs.iter().for_each(|output| needed[output.value.node.index()] = true);
    for id in region.ids().rev() {
        if needed[id.index()] {
            region.operands(id).iter().for_each(|x| needed[x.node.index()] = true);
        }
    }
    let mut new = Graph::new(region.name());
    let mut map = ValueMap::new(region.n_nodes());
    for &k in inputs {
        let input = &region.inputs()[k];
        let ty = region.ty(input.node.into()).clone();
        map.set(input.node, [new.add_input(input.name.clone(), ty).expect("bug: an input that was one before")]);
    }
    copy_nodes(region, &mut new, &mut map, |id| needed[id.index()]).expect("bug: a part of a region does not stand");
    for output in outputs {
        let value = map.get(output.value).expect("bug: an output was dropped");
        new.add_output(output.name.clone(), value).expect("bug: an output that was one before");
    }
    new
}

/// Appends some operations of a region.
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

/// The region without the inputs that do not stay, simplified with what is known of them.
fn settled(region: &Graph, fates: &[Fate], run: &Run) -> Result<Graph, Error> {
    let mut new = Graph::new(region.name());
    let mut map = ValueMap::new(region.n_nodes());
    for (input, fate) in region.inputs().iter().zip(fates) {
        if let Fate::Kept = fate {
            let ty = region.ty(input.node.into()).clone();
            map.set(input.node, [new.add_input(input.name.clone(), ty)?]);
        }
    }
    for (input, fate) in region.inputs().iter().zip(fates) {
        let ty = region.ty(input.node.into());
        match fate {
            Fate::Kept => {}
            Fate::Same(first) => {
                let same = map.get(region.inputs()[*first].node.into()).expect("bug: the first of equals was dropped");
                map.set(input.node, [same]);
            }
            Fate::Number(x) => map.set(input.node, [number_of_type(&mut new, *x, ty)?]),
            Fate::Dropped => {
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

/// The same number everywhere.
fn number_of_type(graph: &mut Graph, x: Scalar, ty: &Type) -> Result<Value, Error> {
    let number = graph.add(Op::from_constant(Array::from_scalar(x)), &[], Provenance::default())?;
    if ty.rank() == 0 {
        return Ok(number.into());
    }
    let broadcast = BroadcastInDim { shape: ty.shape.clone(), axes: vec![] };
    Ok(graph.add(broadcast.into(), &[number.into()], Provenance::default())?.into())
}

/// The region with further inputs in place of some of its values.
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

/// Whether a node holds no `while`.
fn surely_ends(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let is_while = matches!(node.op(), Some(Op::While(_)));
    !is_while && node.regions().iter().all(|region| region.ids().all(|id| surely_ends(region, id)))
}

/// Arrays of so many elements that do not depend on anything are not worth an operand of a loop.
const MAX_WRITTEN: usize = 16;

/// What of a region does not change from trip to trip.
struct Hoisted {
    /// The nodes that depend on fixed inputs and constants alone.
    fixed: Vec<bool>,
    /// Their values that the rest of the region uses, and that are worth an operand.
    border: Vec<Value>,
}

impl Hoisted {
    /// A loop that may go on without end, or end in an error, is not run in place of a region that may never be.
    fn of(region: &Graph, first_fixed: usize, surely_runs: bool) -> Hoisted {
        let n_inputs = region.inputs().len();
        let mut fixed: Vec<bool> = (0..n_inputs).map(|k| k >= first_fixed).collect();
        for id in region.ids().skip(n_inputs) {
            let is_fixed = region.operands(id).iter().all(|x| fixed[x.node.index()]);
            let may_move = surely_runs || surely_ends(region, id);
            fixed.push(is_fixed && may_move && !region.node(id).types().iter().any(|ty| ty.stack));
        }
        let mut hoisted = Hoisted { fixed, border: Vec::new() };
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
                // Other elements of the same memory are no work; what they are taken from may be.
                Lowering::View(_) => pending.extend(region.operands(x.node)),
                // A few numbers stand in the code.
                _ if region.operands(x.node).is_empty() && region.ty(x).size() <= MAX_WRITTEN => {}
                _ => hoisted.border.push(x),
            }
        }
        hoisted.border.sort_unstable();
        hoisted
    }

    /// Appends what does not change to the graph around the loop; gives the values of the border.
    fn copy(
        &self,
        region: &Graph,
        new: &mut Graph,
        operands: &[Value],
        first_fixed: usize,
        provenance: &Provenance,
    ) -> Result<Vec<Value>, Error> {
        let mut needed = vec![false; region.n_nodes()];
        self.border.iter().for_each(|x| needed[x.node.index()] = true);
        for id in region.ids().rev() {
            if needed[id.index()] {
                region.operands(id).iter().for_each(|x| needed[x.node.index()] = true);
            }
        }
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
        Ok(self.border.iter().map(|&x| map.get(x).expect("bug: a value of the border was not computed")).collect())
    }
}
