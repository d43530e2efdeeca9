//! Derivatives of operations with regions, built from the derivatives of the regions.

use std::collections::HashSet;
use std::sync::Arc;

use super::activity::{Step, reached, reaching};
use super::known::{self, Key};
use super::partition::{Kind, Names, Partition, Source, named_inputs};
use super::products::{self, Factor, Product};
use super::{Series, custom, pullback, push_series};
use crate::batch::{Purpose, map_on_rows, stays_in_registers};
use crate::ir::Value;
use crate::op::{Graph, Op, Range, Revolve, Scan, Schedule, Var, While, of_region_inputs, region, trace};
use crate::value::{DType, Type};

/// The series of the results of an operation with regions, to the given order; those of order 1 are tangents. Results
/// that do not depend on the operands with a series have none.
pub(super) fn push(step: &Step, x: &[Var], t: &[Series], order: usize) -> Vec<Series> {
    let _known = known::Scope::enter();
    let series = match &step.op {
        Op::Cond(_) | Op::Switch(_) | Op::Checkpoint(_) => push_branches(step, x, t, order),
        Op::Scan(_) if let Some(results) = map_on_all_rows(step, x) => Some(push_through(x, t, &results, order)),
        Op::While(_) | Op::Scan(_) => Loop::of(step, x).push(step, x, t, order),
        Op::Revolve(op) => push_revolve(step, op, x, t, order),
        Op::Custom(op) => custom::push(step, op.rule, x, t, order),
        other => unreachable!("bug: {} holds no regions", other.name()),
    };
    series.unwrap_or_else(|| vec![vec![None; order]; step.n_results])
}

/// Whether a value varies.
fn is_some(series: &Series) -> bool {
    series.iter().any(Option::is_some)
}

/// The orders of a series' coefficients that are not zero.
fn orders(series: &Series) -> impl Iterator<Item = usize> + '_ {
    (1..=series.len()).filter(|&k| series[k - 1].is_some())
}

/// The name of a coefficient, from that of its primal value.
fn coefficient_name(name: &str, k: usize, order: usize) -> String {
    if order == 1 { format!("{name}.tangent") } else { format!("{name}.taylor.{k}") }
}

/// The series of `y`, given some coefficients of `x` by position and order. The others are zero.
fn push_gathered(x: &[Var], given: &[(usize, usize)], coefficients: &[Var], y: &[Var], order: usize) -> Vec<Series> {
    let (mut inputs, mut series): (Vec<Var>, Vec<Series>) = (Vec::new(), Vec::new());
    for (position, (&(at, k), &t)) in given.iter().zip(coefficients).enumerate() {
        if position == 0 || given[position - 1].0 != at {
            inputs.push(x[at]);
            series.push(vec![None; order]);
        }
        series.last_mut().expect("bug: no series was begun")[k - 1] = Some(t);
    }
    push_series(&inputs, &series, y, order)
}

/// All coefficients of these values, one value after the other. What does not vary gets zeros.
fn dense(y: &[Var], series: &[Series]) -> Vec<Var> {
    let of = |(&y, series): (&Var, &Series)| -> Vec<Var> {
        series.iter().map(|t| t.unwrap_or_else(|| y.full_like(0.0))).collect()
    };
    y.iter().zip(series).flat_map(of).collect()
}

/// The cotangents of the wanted operands of an operation with regions. `None` is a zero.
pub(super) fn pull(step: &Step, x: &[Var], cts: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
    let _known = known::Scope::enter();
    let pulled = match &step.op {
        Op::Cond(_) | Op::Switch(_) | Op::Checkpoint(_) => pull_branches(step, x, cts, wanted),
        Op::Scan(_) if let Some(results) = map_on_all_rows(step, x) => Some(pull_through(x, cts, wanted, &results)),
        Op::While(_) | Op::Scan(_) => Loop::of(step, x).pull(step, x, cts, wanted),
        Op::Revolve(op) => pull_revolve(step, op, x, cts, wanted),
        Op::Custom(op) => custom::pull(step, op.rule, x, cts, wanted),
        other => unreachable!("bug: {} holds no regions", other.name()),
    };
    pulled.unwrap_or_else(|| vec![None; step.operands.len()])
}

/// The sum of two stacks of equal length.
pub(super) fn add_stacks(x: Var, y: Var) -> Var {
    let row = x.ty().unstacked();
    let inputs = [("i".to_string(), index()), ("x".to_string(), row.clone()), ("y".to_string(), row)];
    let region = region::trace("add", &inputs, |x| vec![("sum".to_string(), x[1] + x[2])]);
    let op = Scan { carry: 0, xs: 2, length: None, reverse: false, checkpoint: None };
    let sum = region.and_then(|region| trace::apply_regions(op, &[x, y], vec![region.graph]));
    sum.map_or(Var::poisoned(), |sum| sum[0])
}

fn index() -> Type {
    Type::scalar(DType::I64)
}

/// The ranges of values that the inputs of each region can have.
fn region_ranges(step: &Step, x: &[Var]) -> Vec<Vec<Range>> {
    let operands: Vec<Range> = x.iter().map(|&x| trace::range(x)).collect();
    of_region_inputs(&step.op, &step.regions.iter().map(|region| &**region).collect::<Vec<_>>(), &operands)
}

fn push_branches(step: &Step, x: &[Var], t: &[Series], order: usize) -> Option<Vec<Series>> {
    let n = step.op.roles().map_or(0, |roles| roles.n_choices);
    let varied: Vec<bool> = t[n..].iter().map(is_some).collect();
    let mut moved = vec![false; step.n_results];
    for region in once_each(&step.regions) {
        moved.iter_mut().zip(reached(region, &varied)).for_each(|(any, is)| *any |= is);
    }
    if !moved.contains(&true) {
        return None;
    }
    let given: Vec<(usize, usize)> = (0..t.len() - n).flat_map(|at| orders(&t[n + at]).map(move |k| (at, k))).collect();
    let coefficients: Vec<Var> = t[n..].iter().flatten().copied().flatten().collect();
    let mut regions = Vec::new();
    for (region, ranges) in step.regions.iter().zip(region_ranges(step, x)) {
        regions.push(forward_region(region, ranges, &given, &moved, order)?);
    }
    let operands = [x, &coefficients].concat();
    let results = trace::apply_regions(step.op.clone(), &operands, regions)?;
    Some(spread_series(step.n_results, &positions(&moved), &results, order))
}

/// Distributes all coefficients of some results, one result after the other.
fn spread_series(n: usize, moved: &[usize], coefficients: &[Var], order: usize) -> Vec<Series> {
    let mut series = vec![vec![None; order]; n];
    for (&at, coefficients) in moved.iter().zip(coefficients.chunks(order)) {
        series[at] = coefficients.iter().copied().map(Some).collect();
    }
    series
}

/// The distinct regions: one that serves several branches is returned once.
fn once_each(regions: &[Arc<Graph>]) -> impl Iterator<Item = &Arc<Graph>> {
    let mut seen = HashSet::new();
    regions.iter().filter(move |region| seen.insert(Arc::as_ptr(region)))
}

/// Distributes results to the marked positions, in order.
fn spread(marked: &[bool], results: Vec<Var>) -> Vec<Option<Var>> {
    let mut results = results.into_iter();
    marked.iter().map(|&is| if is { results.next() } else { None }).collect()
}

/// A region that maps the region's inputs and the given coefficients of theirs, by position and order, to all
/// coefficients of the `moved` outputs.
fn forward_region(
    region: &Arc<Graph>,
    mut ranges: Vec<Range>,
    given: &[(usize, usize)],
    moved: &[bool],
    order: usize,
) -> Option<Arc<Graph>> {
    let mut inputs = named_inputs(region);
    let n = inputs.len();
    let mut names = Names::of(inputs.iter().map(|(name, _)| name.as_str()));
    for &(at, k) in given {
        let name = names.give(&coefficient_name(&inputs[at].0, k, order));
        inputs.push((name, inputs[at].1.clone()));
    }
    ranges.resize(inputs.len(), Range::ANY);
    let (at, of): (Vec<usize>, Vec<usize>) = given.iter().copied().unzip();
    let key = Key::new("forward branch", region, &inputs, &ranges, &[&at, &of, &positions(moved), &[order]]);
    let body = |x: &[Var]| {
        let Some(y) = trace::inline(region, &x[..n]) else { return Vec::new() };
        let to: Vec<Var> = positions(moved).into_iter().map(|k| y[k]).collect();
        let pushed = dense(&to, &push_gathered(&x[..n], given, &x[n..], &to, order));
        pushed.into_iter().enumerate().map(|(k, t)| (output_name(k, order), t)).collect()
    };
    known::derivative(key, region, || Some(region::trace_within(region.name(), &inputs, &ranges, body)?.graph))
}

/// The name of one of the coefficients that a region returns.
fn output_name(position: usize, order: usize) -> String {
    if order == 1 {
        format!("tangent.{position}")
    } else {
        format!("taylor.{}.{}", position / order, position % order + 1)
    }
}

/// The marked positions.
fn positions(marked: &[bool]) -> Vec<usize> {
    (0..marked.len()).filter(|&k| marked[k]).collect()
}

fn pull_branches(step: &Step, x: &[Var], cts: &[Option<Var>], wanted: &[bool]) -> Option<Vec<Option<Var>>> {
    let n = step.op.roles().map_or(0, |roles| roles.n_choices);
    let useful: Vec<bool> = cts.iter().map(Option::is_some).collect();
    let mut pulled = vec![false; step.operands.len() - n];
    for region in once_each(&step.regions) {
        let reaching = reaching(region, &useful);
        pulled.iter_mut().zip(reaching).zip(&wanted[n..]).for_each(|((any, is), wanted)| *any |= is && *wanted);
    }
    if !pulled.contains(&true) {
        return None;
    }
    let mut regions = Vec::new();
    for (region, ranges) in step.regions.iter().zip(region_ranges(step, x)) {
        regions.push(reverse_region(region, ranges, &useful, &pulled)?);
    }
    let given: Vec<Var> = cts.iter().copied().flatten().collect();
    let results = trace::apply_regions(step.op.clone(), &[x, &given].concat(), regions)?;
    Some([vec![None; n], spread(&pulled, results)].concat())
}

/// A region that maps the region's inputs and the cotangents of `useful` outputs to the cotangents of `pulled` inputs.
fn reverse_region(region: &Arc<Graph>, mut ranges: Vec<Range>, useful: &[bool], pulled: &[bool]) -> Option<Arc<Graph>> {
    let mut inputs = named_inputs(region);
    let n = inputs.len();
    let mut names = Names::of(inputs.iter().map(|(name, _)| name.as_str()));
    for (output, _) in region.outputs().iter().zip(useful).filter(|(_, useful)| **useful) {
        inputs.push((names.give(&format!("{}.ct", output.name)), region.ty(output.value).clone()));
    }
    ranges.resize(inputs.len(), Range::ANY);
    let key = Key::new("reverse branch", region, &inputs, &ranges, &[&positions(useful), &positions(pulled)]);
    let body = |x: &[Var]| {
        let Some(y) = trace::inline(region, &x[..n]) else { return Vec::new() };
        let to: Vec<Var> = (0..n).filter(|&k| pulled[k]).map(|k| x[k]).collect();
        let from: Vec<Var> = (0..y.len()).filter(|&k| useful[k]).map(|k| y[k]).collect();
        let cts = pullback(&to, &from, &x[n..]);
        let cts = to.iter().zip(cts).map(|(x, ct)| ct.unwrap_or_else(|| x.full_like(0.0)));
        cts.enumerate().map(|(k, ct)| (format!("ct.{k}"), ct)).collect()
    };
    known::derivative(key, region, || Some(region::trace_within(region.name(), &inputs, &ranges, body)?.graph))
}

fn push_revolve(step: &Step, op: &Revolve, x: &[Var], t: &[Series], order: usize) -> Option<Vec<Series>> {
    Some(push_through(x, t, &expanded(step, op, x)?, order))
}

/// The series of results that were computed once more from the operands by what can be differentiated.
fn push_through(x: &[Var], t: &[Series], results: &[Var], order: usize) -> Vec<Series> {
    let given = distinct(x).into_iter().filter(|&k| is_some(&t[k])).map(|k| (x[k], t[k].clone()));
    let (from, series): (Vec<Var>, Vec<Series>) = given.unzip();
    push_series(&from, &series, results, order)
}

fn pull_revolve(
    step: &Step,
    op: &Revolve,
    x: &[Var],
    cts: &[Option<Var>],
    wanted: &[bool],
) -> Option<Vec<Option<Var>>> {
    Some(pull_through(x, cts, wanted, &expanded(step, op, x)?))
}

/// The cotangents of the wanted operands, as [`push_through`].
fn pull_through(x: &[Var], cts: &[Option<Var>], wanted: &[bool], results: &[Var]) -> Vec<Option<Var>> {
    let given = (0..results.len()).filter_map(|k| Some((results[k], cts[k]?)));
    let (from, given): (Vec<Var>, Vec<Var>) = given.unzip();
    let asked: Vec<usize> = distinct(x).into_iter().filter(|&k| wanted[k]).collect();
    let to: Vec<Var> = asked.iter().map(|&k| x[k]).collect();
    let mut pulled = vec![None; x.len()];
    asked.into_iter().zip(pullback(&to, &from, &given)).for_each(|(k, ct)| pulled[k] = ct);
    pulled
}

/// The results of a map, computed on all rows at once: what the optimizer makes of it, whose derivative needs no loop.
fn map_on_all_rows(step: &Step, x: &[Var]) -> Option<Vec<Var>> {
    let types: Vec<Type> = x.iter().map(|&x| x.ty()).collect();
    match map_on_rows(&step.op, &step.regions[0], &types, Purpose::Differentiate) {
        Ok(rows) => trace::inline(&rows?, x),
        Err(error) => {
            trace::fail(error);
            None
        }
    }
}

/// The first slot of each distinct operand. Its tangent or cotangent covers all its slots and must count once.
fn distinct(x: &[Var]) -> Vec<usize> {
    let mut seen = HashSet::new();
    (0..x.len()).filter(|&k| seen.insert(x[k].value())).collect()
}

/// The results of a [`Revolve`], computed by two plain loops, which can be differentiated: one collects the states, and
/// one runs back along them.
fn expanded(step: &Step, op: &Revolve, x: &[Var]) -> Option<Vec<Var>> {
    let Revolve { cts, carry, xs, length, reverse, .. } = *op;
    let (cts_given, iteration) = x.split_at(cts);
    let advance = &step.regions[0];
    let collecting = region::trace(advance.name(), &named_inputs(advance), |x| {
        let next = trace::inline(advance, x).unwrap_or_default();
        let outputs = next.into_iter().chain(x[1..].iter().copied().take(carry));
        outputs.enumerate().map(|(k, y)| (format!("next.{k}"), y)).collect()
    })?;
    let states = Scan { carry, xs, length: Some(length), reverse, checkpoint: None };
    let states = trace::apply_regions(states, iteration, vec![collecting.graph])?;
    let operands = [cts_given, &states[carry..], &iteration[carry..]].concat();
    let back = Scan { carry: cts, xs: carry + xs, length: Some(length), reverse: !reverse, checkpoint: None };
    trace::apply_regions(back, &operands, vec![step.regions[1].clone()])
}

/// The common form of [`While`] and [`Scan`]. The body takes the index of the row (for a scan), the carry, rows, and
/// loop-invariant operands; it returns the next carry and the values that are collected.
struct Loop<'s> {
    body: &'s Arc<Graph>,
    /// The condition of a `while`.
    condition: Option<&'s Graph>,
    carry: usize,
    xs: usize,
    length: Option<usize>,
    reverse: bool,
    checkpoint: Option<Schedule>,
    /// The ranges of values that the body's inputs can have in any iteration.
    ranges: Vec<Range>,
}

impl<'s> Loop<'s> {
    fn of(step: &'s Step, x: &[Var]) -> Loop<'s> {
        let ranges = region_ranges(step, x).swap_remove(0);
        match &step.op {
            Op::While(op) => {
                let (condition, body) = (Some(&*step.regions[0]), &step.regions[1]);
                Loop { body, condition, carry: op.carry, xs: 0, length: None, reverse: false, checkpoint: None, ranges }
            }
            Op::Scan(op) => Loop {
                body: &step.regions[0],
                condition: None,
                carry: op.carry,
                xs: op.xs,
                length: op.length,
                reverse: op.reverse,
                checkpoint: op.checkpoint,
                ranges,
            },
            other => unreachable!("bug: {} is not a loop", other.name()),
        }
    }

    /// The ranges of `n_inputs` inputs: first the body's, then tangents or cotangents.
    fn ranges_of(&self, n_inputs: usize) -> Vec<Range> {
        let mut ranges = self.ranges.clone();
        ranges.resize(n_inputs, Range::ANY);
        ranges
    }

    /// The number of inputs of the body before the carry.
    fn n_index(&self) -> usize {
        usize::from(self.condition.is_none())
    }

    /// Which inputs of the body vary if the marked operands do: a carry also varies if the previous iteration makes it
    /// vary.
    fn varied(&self, operands: impl Iterator<Item = bool>) -> Vec<bool> {
        let mut varied = vec![false; self.n_index()];
        varied.extend(operands);
        loop {
            let outputs = reached(self.body, &varied);
            let carry = &mut varied[self.n_index()..][..self.carry];
            let before = carry.to_vec();
            carry.iter_mut().zip(outputs).for_each(|(varied, is)| *varied |= is);
            if *carry == before {
                return varied;
            }
        }
    }

    /// Which outputs of the body matter if these results do: a carry also matters if the next iteration uses it.
    fn useful(&self, cts: &[Option<Var>]) -> Vec<bool> {
        let mut useful: Vec<bool> = cts.iter().map(Option::is_some).collect();
        loop {
            let inputs = reaching(self.body, &useful);
            let before = useful.clone();
            let carry = inputs[self.n_index()..].iter().take(self.carry);
            useful.iter_mut().zip(carry).for_each(|(useful, is)| *useful |= is);
            if useful == before {
                return useful;
            }
        }
    }

    /// The series of a loop's results, from one loop that carries primal values and coefficients together.
    fn push(&self, step: &Step, x: &[Var], t: &[Series], order: usize) -> Option<Vec<Series>> {
        let varied = self.varied(t.iter().map(is_some));
        let moved = reached(self.body, &varied);
        let n_index = self.n_index();
        let carries = |k: &usize| varied[n_index + k];
        let given = |range: std::ops::Range<usize>| -> Vec<(usize, usize)> {
            range.flat_map(|at| orders(&t[at]).map(move |k| (at, k))).collect()
        };
        let collected: Vec<usize> = (self.carry..step.n_results).filter(|&k| moved[k]).collect();
        let carried: Vec<usize> = (0..self.carry).filter(carries).collect();
        let all_carried: Vec<(usize, usize)> =
            carried.iter().flat_map(|&at| (1..=order).map(move |k| (at, k))).collect();
        let rows = given(self.carry..self.carry + self.xs);
        let fixed = given(self.carry + self.xs..x.len());
        if carried.is_empty() && collected.is_empty() {
            return None;
        }
        if self.condition.is_some() && step.n_results > self.carry {
            let moved = Moved { carried: &all_carried, collected: &collected, fixed: &fixed, order };
            return self.push_along(step, x, t, &moved);
        }

        let coefficient = |&(at, k): &(usize, usize)| t[at][k - 1].unwrap_or_else(|| x[at].full_like(0.0));
        let mut operands = Vec::new();
        for (primal, moved) in self.groups(x).into_iter().zip([&all_carried, &rows, &fixed]) {
            operands.extend(primal);
            operands.extend(moved.iter().map(coefficient));
        }
        let mut names = Names::default();
        let own = named_inputs(self.body);
        let mut inputs: Vec<(String, Type)> = Vec::new();
        // The positions of the body's own inputs and of the coefficients among the new inputs.
        let (mut primal_at, mut coefficient_at, mut of) = (Vec::new(), Vec::new(), Vec::new());
        let mut add = |inputs: &mut Vec<(String, Type)>, name: &str, ty: &Type| {
            inputs.push((names.give(name), ty.clone()));
            inputs.len() - 1
        };
        for (name, ty) in &own[..n_index] {
            primal_at.push(add(&mut inputs, name, ty));
        }
        let ends = [self.carry, self.carry + self.xs, x.len()];
        for (group, moved) in [&all_carried, &rows, &fixed].into_iter().enumerate() {
            let start = if group == 0 { 0 } else { ends[group - 1] };
            for (name, ty) in &own[n_index + start..n_index + ends[group]] {
                primal_at.push(add(&mut inputs, name, ty));
            }
            for &(at, k) in moved {
                let (name, ty) = &own[n_index + at];
                of.push((n_index + at, k));
                coefficient_at.push(add(&mut inputs, &coefficient_name(name, k, order), ty));
            }
        }
        let mut ranges = vec![Range::ANY; inputs.len()];
        primal_at.iter().zip(&self.ranges).for_each(|(&at, &range)| ranges[at] = range);
        let (of_input, of_order): (Vec<usize>, Vec<usize>) = of.iter().copied().unzip();
        let key = Key::new(
            "forward",
            self.body,
            &inputs,
            &ranges,
            &[&[self.carry, order], &primal_at, &coefficient_at, &of_input, &of_order, &carried, &collected],
        );
        let iteration = |x: &[Var]| {
            let primal: Vec<Var> = primal_at.iter().map(|&at| x[at]).collect();
            let Some(y) = trace::inline(self.body, &primal) else { return Vec::new() };
            let coefficients: Vec<Var> = coefficient_at.iter().map(|&at| x[at]).collect();
            let to: Vec<Var> = carried.iter().chain(&collected).map(|&k| y[k]).collect();
            let pushed = push_gathered(&primal, &of, &coefficients, &to, order);
            let outputs = y[..self.carry].iter().copied().chain(dense(&to, &pushed));
            outputs.enumerate().map(|(k, y)| (format!("next.{k}"), y)).collect()
        };
        let body = || Some(region::trace_within(self.body.name(), &inputs, &ranges, iteration)?.graph);
        let body = known::derivative(key, self.body, body)?;
        let n_carry = self.carry + all_carried.len();
        let mut regions: Vec<Arc<Graph>> = Vec::new();
        if let Some(condition) = self.condition {
            let traced = region::trace(condition.name(), &inputs, |x| {
                let primal: Vec<Var> = primal_at.iter().map(|&at| x[at]).collect();
                let holds = trace::inline(condition, &primal).unwrap_or_default();
                holds.into_iter().map(|holds| ("holds".to_string(), holds)).collect()
            })?;
            regions.push(traced.graph.into());
        }
        regions.push(body);
        let op: Op = if let Op::While(op) = &step.op {
            While { carry: n_carry, ..**op }.into()
        } else {
            let Loop { length, reverse, checkpoint, .. } = *self;
            Scan { carry: n_carry, xs: self.xs + rows.len(), length, reverse, checkpoint }.into()
        };
        let results = trace::apply_regions(op, &operands, regions)?;
        let moved = [carried, collected].concat();
        Some(spread_series(step.n_results, &moved, &results[self.carry..], order))
    }

    /// The series of a `while` that saves residuals. A reverse loop along its stacks needs the coefficients of the
    /// stacks, too, and one loop must determine the lengths of both. So the coefficients are computed by a second loop
    /// after the first, along what the first saves for it.
    fn push_along(&self, step: &Step, x: &[Var], t: &[Series], moved: &Moved<'_>) -> Option<Vec<Series>> {
        let joint = self.joint_forward(moved)?;
        let n_own = self.body.inputs().len();
        let mut kinds = vec![Kind::Carried; self.carry];
        kinds.resize(n_own, Kind::Invariant);
        kinds.resize(joint.inputs().len(), Kind::Seed);
        let partition = Partition::new(&joint, &kinds, self.body.outputs().len());
        let mut stacks = Vec::new();
        if !partition.saved.is_empty() {
            let first = or_fail(partition.first(n_own))?;
            let regions = self.condition.into_iter().cloned().chain([first]).collect();
            stacks = trace::extend(step.id, step.op.clone(), regions)?;
        }
        let seed = |k: usize| (joint.inputs()[n_own + k].name.to_string(), Source::Input(n_own + k));
        let n_carried = moved.carried.len();
        let mut inputs = vec![("trip".to_string(), Source::New(index()))];
        inputs.extend((0..n_carried).map(seed));
        inputs.extend((0..stacks.len()).map(|k| (format!("saved.{k}"), Source::Saved(k))));
        if stacks.is_empty() {
            // Only the number of iterations is needed, which is the length of any of the loop's stacks.
            let counting = step.results()[self.carry];
            inputs.push(("saved".to_string(), Source::New(counting.ty().unstacked())));
            stacks.push(counting);
        }
        let used: Vec<usize> = (self.carry..x.len()).filter(|&k| partition.used[k]).collect();
        inputs.extend(used.iter().map(|&k| (joint.inputs()[k].name.to_string(), Source::Input(k))));
        inputs.extend((n_carried..n_carried + moved.fixed.len()).map(seed));
        let second = or_fail(partition.second("forward", &inputs, usize::MAX))?;

        let coefficient = |&(at, k): &(usize, usize)| t[at][k - 1].unwrap_or_else(|| x[at].full_like(0.0));
        let mut operands: Vec<Var> = moved.carried.iter().map(coefficient).collect();
        operands.extend(&stacks);
        operands.extend(used.iter().map(|&k| x[k]));
        operands.extend(moved.fixed.iter().map(coefficient));
        let op = Scan { carry: n_carried, xs: stacks.len(), length: None, reverse: false, checkpoint: None };
        let results = trace::apply_regions(op, &operands, vec![second])?;
        let of = [moved.carries(), moved.collected.to_vec()].concat();
        Some(spread_series(step.n_results, &of, &results, moved.order))
    }

    /// An iteration and its coefficients in one graph. Inputs: those of the body, then coefficients. Outputs: those of
    /// the body, then the coefficients of the carry and of the collected values.
    fn joint_forward(&self, moved: &Moved<'_>) -> Option<Arc<Graph>> {
        let mut inputs = named_inputs(self.body);
        let n_own = inputs.len();
        let mut names = Names::of(inputs.iter().map(|(name, _)| name.as_str()));
        let given = [moved.carried, moved.fixed].concat();
        for &(at, k) in &given {
            let (name, ty) = inputs[at].clone();
            inputs.push((names.give(&coefficient_name(&name, k, moved.order)), ty));
        }
        let ranges = self.ranges_of(inputs.len());
        let (at, of): (Vec<usize>, Vec<usize>) = given.iter().copied().unzip();
        let carried = moved.carries();
        let key = Key::new(
            "iteration and tangents",
            self.body,
            &inputs,
            &ranges,
            &[&at, &of, &carried, moved.collected, &[moved.order]],
        );
        let iteration = |x: &[Var]| {
            let Some(y) = trace::inline(self.body, &x[..n_own]) else { return Vec::new() };
            let to: Vec<Var> = carried.iter().chain(moved.collected).map(|&k| y[k]).collect();
            let pushed = dense(&to, &push_gathered(&x[..n_own], &given, &x[n_own..], &to, moved.order));
            let own = self.body.outputs().iter().zip(&y);
            let mut outputs: Vec<(String, Var)> = own.map(|(output, &y)| (output.name.to_string(), y)).collect();
            let mut names = Names::of(outputs.iter().map(|(name, _)| name.as_str()));
            for (k, t) in pushed.into_iter().enumerate() {
                outputs.push((names.give(&output_name(k, moved.order)), t));
            }
            outputs
        };
        known::derivative(key, self.body, || {
            Some(region::trace_within(self.body.name(), &inputs, &ranges, iteration)?.graph)
        })
    }

    /// Carry, rows, and loop-invariant operands.
    fn groups<T: Clone>(&self, operands: &[T]) -> [Vec<T>; 3] {
        let (carry, rest) = operands.split_at(self.carry);
        let (rows, fixed) = rest.split_at(self.xs);
        [carry.to_vec(), rows.to_vec(), fixed.to_vec()]
    }

    /// The cotangents of a loop: the loop saves the residuals of each iteration, and a reverse loop runs back along
    /// them.
    fn pull(&self, step: &Step, x: &[Var], cts: &[Option<Var>], wanted: &[bool]) -> Option<Vec<Option<Var>>> {
        let varied = self.varied(wanted.iter().copied());
        let useful = self.useful(cts);
        let n_index = self.n_index();
        let active: Vec<usize> = (0..self.carry).filter(|&k| varied[n_index + k] && useful[k]).collect();
        let collected: Vec<usize> = (self.carry..step.n_results).filter(|&k| useful[k]).collect();
        if active.is_empty() && collected.is_empty() {
            return None;
        }
        let end_of_rows = self.carry + self.xs;
        let is_reached = reaching(self.body, &useful);
        let asked = |k: &usize| wanted[*k] && is_reached[n_index + k];
        let rows: Vec<usize> = (self.carry..end_of_rows).filter(asked).collect();
        let fixed: Vec<usize> = (end_of_rows..x.len()).filter(asked).collect();
        let flow = Flow { active: &active, collected: &collected, rows: &rows, fixed: &fixed };
        let mut joint = self.joint(&flow)?;
        if let (Some(schedule), Some(length)) = (self.checkpoint, self.length) {
            return self.revolve(&joint, &flow, schedule, length, x, cts);
        }

        let n_own = self.body.inputs().len();
        let mut kinds = vec![Kind::Row; n_index];
        kinds.resize(n_index + self.carry, Kind::Carried);
        kinds.resize(n_index + end_of_rows, Kind::Row);
        kinds.resize(n_own, Kind::Invariant);
        kinds.resize(joint.inputs().len(), Kind::Seed);
        let (products, collects) = self.take_products(&mut joint, &flow, &kinds);
        let carried: Vec<usize> =
            (0..fixed.len()).filter(|&sum| products.iter().all(|product| product.sum != sum)).collect();
        let partition = if self.carry == 0 && self.length.is_some() && stays_in_registers(self.body) {
            Partition::without_saving(&joint, self.body.outputs().len())
        } else {
            Partition::new(&joint, &kinds, self.body.outputs().len())
        };
        let mut first = or_fail(partition.first(n_own))?;
        if self.length.is_none() && self.xs == 0 && partition.saved.is_empty() {
            // Only the number of iterations is needed, which is the length of a stack of empty arrays.
            or_fail(save_nothing(&mut first))?;
        }
        let regions = self.condition.into_iter().cloned().chain([first]).collect();
        let saved = trace::extend(step.id, step.op.clone(), regions)?;

        let name = |k: usize| joint.inputs()[k].name.to_string();
        let input = |k: usize| (name(k), Source::Input(k));
        let used_rows: Vec<usize> = (self.carry..end_of_rows).filter(|&k| partition.used[n_index + k]).collect();
        let used_fixed: Vec<usize> = (end_of_rows..x.len()).filter(|&k| partition.used[n_index + k]).collect();
        // Of the stacks along which the loop runs, the derivative may need only the length.
        let needs_length = self.length.is_none() && saved.is_empty() && used_rows.is_empty() && collected.is_empty();
        let counting = needs_length.then(|| x[self.carry]);
        let mut inputs = vec![if n_index == 1 { input(0) } else { ("trip".to_string(), Source::New(index())) }];
        let seeds = |from: usize, n: usize| (n_own + from..n_own + from + n).map(input);
        inputs.extend(seeds(0, active.len()));
        inputs.extend(carried.iter().map(|&sum| input(n_own + active.len() + collected.len() + sum)));
        inputs.extend((0..partition.saved.len()).map(|k| (format!("saved.{k}"), Source::Saved(k))));
        if saved.len() > partition.saved.len() {
            inputs.push(("saved".to_string(), Source::New(nothing())));
        }
        inputs.extend(counting.map(|stack| ("counted".to_string(), Source::New(stack.ty().unstacked()))));
        inputs.extend(used_rows.iter().map(|&k| input(n_index + k)));
        inputs.extend(seeds(active.len(), collected.len()));
        inputs.extend(used_fixed.iter().map(|&k| input(n_index + k)));
        let n_given = active.len() + carried.len() + rows.len();
        let second = or_fail(partition.second("reverse", &inputs, n_given))?;

        let mut operands: Vec<Var> = active.iter().map(|&k| cts[k].unwrap_or_else(|| x[k].full_like(0.0))).collect();
        operands.extend(carried.iter().map(|&sum| x[fixed[sum]].full_like(0.0)));
        operands.extend(&saved);
        operands.extend(counting);
        operands.extend(used_rows.iter().map(|&k| x[k]));
        operands.extend(collected.iter().filter_map(|&k| cts[k]));
        let carry = active.len() + carried.len();
        let xs = operands.len() - carry;
        operands.extend(used_fixed.iter().map(|&k| x[k]));
        let op = Scan { carry, xs, length: self.length, reverse: !self.reverse, checkpoint: None };
        let results = trace::apply_regions(op, &operands, vec![second])?;
        let mut pulled = vec![None; x.len()];
        let carried = carried.iter().map(|&sum| &fixed[sum]);
        for (&k, &ct) in active.iter().chain(carried).chain(&rows).zip(&results) {
            pulled[k] = Some(ct);
        }
        let mut given = results[n_given..].iter();
        let collected: Vec<Var> = collects
            .iter()
            .map(|value| match partition.saved.iter().position(|saved| saved == value) {
                Some(k) => saved[k],
                None => *given.next().expect("bug: a factor that is neither saved nor collected"),
            })
            .collect();
        for product in products {
            let rows = |factor| match factor {
                Factor::Input(k) => x[k - n_index],
                Factor::Collected(k) => collected[k],
            };
            pulled[fixed[product.sum]] = Some(product.of_all(rows));
        }
        Some(pulled)
    }

    /// Replaces sums of products, among the outputs of an iteration's derivative, by the factors, which are collected
    /// after all other outputs. Only loops of known length collect rows.
    fn take_products(&self, joint: &mut Graph, flow: &Flow<'_>, kinds: &[Kind]) -> (Vec<Product>, Vec<Value>) {
        if self.length.is_none() {
            return (Vec::new(), Vec::new());
        }
        let first_input = self.body.inputs().len() + flow.active.len() + flow.collected.len();
        let first_output = self.body.outputs().len() + flow.active.len();
        let sum = |k: usize| (joint.inputs()[first_input + k].node.into(), joint.outputs()[first_output + k].value);
        let sums: Vec<(Value, Value)> = (0..flow.fixed.len()).map(sum).collect();
        let (products, collects) = products::find(joint, kinds, &sums);
        let outputs = joint.outputs().to_vec();
        let mut names = Names::of(outputs.iter().map(|output| &*output.name));
        joint.clear_outputs();
        for (k, output) in outputs.iter().enumerate() {
            if products.iter().all(|product| first_output + product.sum != k) {
                or_fail(joint.add_output(output.name.clone(), output.value));
            }
        }
        for &value in &collects {
            or_fail(joint.add_output(names.give("factor"), value));
        }
        (products, collects)
    }

    /// The cotangents of a loop that saves nothing: a [`Revolve`] recomputes the states.
    fn revolve(
        &self,
        joint: &Graph,
        flow: &Flow<'_>,
        schedule: Schedule,
        length: usize,
        x: &[Var],
        cts: &[Option<Var>],
    ) -> Option<Vec<Option<Var>>> {
        let Flow { active, collected, rows, fixed } = *flow;
        let n_index = self.n_index();
        let n_own = self.body.inputs().len();
        let partition = Partition::without_saving(joint, self.body.outputs().len());
        let state = self.state(&partition);
        let input = |k: usize| (joint.inputs()[k].name.to_string(), Source::Input(k));
        let seeds = |from: usize, n: usize| (n_own + from..n_own + from + n).map(input);
        let mut iteration: Vec<(String, Source)> = state.iter().map(|&k| input(n_index + k)).collect();
        iteration.extend((self.carry..self.carry + self.xs).map(|k| input(n_index + k)));
        iteration.extend(seeds(active.len(), collected.len()));
        iteration.extend((self.carry + self.xs..x.len()).map(|k| input(n_index + k)));
        let carried = seeds(0, active.len()).chain(seeds(active.len() + collected.len(), fixed.len()));
        let advance = std::iter::once(input(0)).chain(iteration.clone()).collect::<Vec<_>>();
        let reverse = std::iter::once(input(0)).chain(carried).chain(iteration).collect::<Vec<_>>();
        let advance = or_fail(partition.iteration("advance", &advance, &state))?;
        let reverse = or_fail(partition.second("reverse", &reverse, usize::MAX))?;

        let mut operands: Vec<Var> = active.iter().map(|&k| cts[k].unwrap_or_else(|| x[k].full_like(0.0))).collect();
        operands.extend(fixed.iter().map(|&k| x[k].full_like(0.0)));
        operands.extend(state.iter().map(|&k| x[k]));
        let [_, own_rows, own_fixed] = self.groups(x);
        operands.extend(own_rows);
        operands.extend(collected.iter().filter_map(|&k| cts[k]));
        operands.extend(own_fixed);
        let op = Revolve {
            cts: active.len() + fixed.len(),
            carry: state.len(),
            xs: self.xs + collected.len(),
            length,
            reverse: self.reverse,
            schedule,
        };
        let results = trace::apply_regions(op, &operands, vec![advance, reverse])?;
        let mut pulled = vec![None; x.len()];
        for (&k, &ct) in active.iter().chain(fixed).chain(rows).zip(&results) {
            pulled[k] = Some(ct);
        }
        Some(pulled)
    }

    /// The part of the carry that the derivative of an iteration needs, closed under what computing that part needs.
    fn state(&self, partition: &Partition<'_>) -> Vec<usize> {
        let carried =
            |needed: &[bool]| -> Vec<usize> { (0..self.carry).filter(|k| needed[self.n_index() + k]).collect() };
        let mut needed = partition.used.clone();
        loop {
            let state = carried(&needed);
            needed.iter_mut().zip(partition.inputs_of(&state)).for_each(|(needed, is)| *needed |= is);
            if carried(&needed) == state {
                return state;
            }
        }
    }

    /// An iteration and its derivative in one graph. Inputs: those of the body; cotangents of the active carry and of
    /// the collected values; sums for loop-invariant operands. Outputs: those of the body; cotangents of the active
    /// carry; the sums with this iteration's cotangents added; cotangents of rows.
    fn joint(&self, flow: &Flow<'_>) -> Option<Graph> {
        let n_index = self.n_index();
        let mut inputs = named_inputs(self.body);
        let n_own = inputs.len();
        let mut names = Names::of(inputs.iter().map(|(name, _)| name.as_str()));
        for &k in flow.active.iter().chain(flow.collected) {
            let output = &self.body.outputs()[k];
            let name = if k < self.carry { &inputs[n_index + k].0 } else { &*output.name };
            let name = names.give(&format!("{name}.ct"));
            inputs.push((name, self.body.ty(output.value).clone()));
        }
        for &k in flow.fixed {
            let (name, ty) = inputs[n_index + k].clone();
            inputs.push((names.give(&format!("{name}.ct")), ty));
        }
        let ranges = self.ranges_of(inputs.len());
        let positions = [flow.active, flow.collected, flow.rows, flow.fixed, &[n_index, self.carry]];
        let key = Key::new("iteration and cotangents", self.body, &inputs, &ranges, &positions);
        let iteration = |x: &[Var]| {
            let Some(y) = trace::inline(self.body, &x[..n_own]) else { return Vec::new() };
            let operand = |&k: &usize| x[n_index + k];
            let to: Vec<Var> = flow.active.iter().chain(flow.fixed).chain(flow.rows).map(operand).collect();
            let from: Vec<Var> = flow.active.iter().chain(flow.collected).map(|&k| y[k]).collect();
            let (seeds, sums) = x[n_own..].split_at(from.len());
            let pulled = pullback(&to, &from, seeds);
            let mut outputs: Vec<(String, Var)> = Vec::new();
            let own = self.body.outputs().iter().zip(&y);
            outputs.extend(own.map(|(output, &y)| (output.name.to_string(), y)));
            let mut names = Names::of(outputs.iter().map(|(name, _)| name.as_str()));
            for (position, (x, ct)) in to.into_iter().zip(pulled).enumerate() {
                let sum = position.checked_sub(flow.active.len()).and_then(|k| sums.get(k));
                let ct = match (sum, ct) {
                    (Some(&sum), Some(ct)) => sum + ct,
                    (Some(&sum), None) => sum,
                    (None, Some(ct)) => ct,
                    (None, None) => x.full_like(0.0),
                };
                outputs.push((names.give(&format!("ct.{position}")), ct));
            }
            outputs
        };
        let joint = || Some(region::trace_within(self.body.name(), &inputs, &ranges, iteration)?.graph);
        known::derivative(key, self.body, joint).map(|joint| Graph::clone(&joint))
    }
}

/// What the reverse of a loop propagates: active carries, collected values that matter, and the rows and fixed operands
/// whose cotangents are wanted. All are positions among operands or results.
struct Flow<'f> {
    active: &'f [usize],
    collected: &'f [usize],
    rows: &'f [usize],
    fixed: &'f [usize],
}

/// What forward mode propagates through a loop: the coefficients of the carries that vary and of the loop-invariant
/// operands, by operand and order, and the collected values that vary, by their positions among the results.
struct Moved<'m> {
    carried: &'m [(usize, usize)],
    collected: &'m [usize],
    fixed: &'m [(usize, usize)],
    order: usize,
}

impl Moved<'_> {
    /// The positions of the carries that vary.
    fn carries(&self) -> Vec<usize> {
        self.carried.iter().step_by(self.order).map(|&(at, _)| at).collect()
    }
}

/// The type of arrays without elements.
fn nothing() -> Type {
    Type::new(DType::Bool, [0])
}

fn save_nothing(body: &mut Graph) -> Result<(), crate::error::Error> {
    // The loop may already save values for another derivative.
    let name = Names::of(body.outputs().iter().map(|output| &*output.name)).give("saved");
    let constant = crate::op::Constant { value: Arc::new(crate::value::Array::zeros(&nothing())) };
    let node = body.add(constant.into(), &[], Default::default())?;
    body.add_output(name, node.into())
}

/// Records an error in the open trace.
fn or_fail<T>(result: Result<T, crate::error::Error>) -> Option<T> {
    result.map_err(trace::fail).ok()
}
