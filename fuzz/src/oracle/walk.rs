//! Evaluates a graph node by node, including regions, with a callback that can observe and change every step.

use std::rc::Rc;
use std::sync::Arc;

use retrograd::Graph;
use retrograd::ir::{Node, NodeId, Value};
use retrograd::op::internals::Lowering;
use retrograd::op::{Op, Revolve, Scan, While};
use retrograd::value::{Array, Scalar, Type};

/// The value of a result.
#[derive(Clone)]
pub(super) enum Datum {
    /// An array.
    Array {
        /// Its elements.
        array: Array,
        /// Whether it depends on an input that is a tangent or a cotangent, in which a derivative is linear. All other
        /// values in a derivative are slopes.
        is_linear: bool,
    },
    /// The values that a loop has saved.
    Stack(Rc<Vec<Datum>>),
}

impl Datum {
    /// An input, linear or not.
    pub(super) fn new(array: Array, is_linear: bool) -> Datum {
        Datum::Array { array, is_linear }
    }

    /// A result: integers and booleans are never linear.
    fn new_float(array: Array, is_linear: bool) -> Datum {
        let is_linear = is_linear && array.dtype().is_float();
        Datum::Array { array, is_linear }
    }

    /// The array, if it is one.
    pub(super) fn array(&self) -> Option<&Array> {
        match self {
            Datum::Array { array, .. } => Some(array),
            Datum::Stack(_) => None,
        }
    }

    /// Whether it depends on a tangent or a cotangent.
    pub(super) fn is_linear(&self) -> bool {
        match self {
            Datum::Array { is_linear, .. } => *is_linear,
            Datum::Stack(stack) => stack.iter().any(Datum::is_linear),
        }
    }

    /// The same value, linear if it was or if `also` is true.
    fn or_linear(self, also: bool) -> Datum {
        match self {
            Datum::Array { array, is_linear } => Datum::Array { array, is_linear: is_linear || also },
            stack @ Datum::Stack(_) => stack,
        }
    }

    fn stack(&self) -> Option<&[Datum]> {
        match self {
            Datum::Stack(stack) => Some(stack),
            Datum::Array { .. } => None,
        }
    }

    /// A row of an array, or an element of a stack.
    fn row(&self, index: usize) -> Option<Datum> {
        match self {
            Datum::Stack(stack) => stack.get(index).cloned(),
            Datum::Array { array, is_linear } => {
                let (_, ty) = array.ty().row()?;
                let n = ty.size();
                let elements: Option<Vec<Scalar>> = (index * n..(index + 1) * n).map(|k| array.get(k)).collect();
                Some(Datum::new(Array::collect(&ty, elements?.into_iter()), *is_linear))
            }
        }
    }

    /// Combines rows into an array or a stack.
    fn of_rows(rows: Vec<Datum>, as_stack: bool, of: &Type) -> Option<Datum> {
        if as_stack {
            return Some(Datum::Stack(rows.into()));
        }
        let is_linear = rows.iter().any(Datum::is_linear);
        let arrays: Option<Vec<&Array>> = rows.iter().map(Datum::array).collect();
        let elements = arrays?.into_iter().flat_map(Array::elements).collect::<Vec<_>>();
        Some(Datum::new(Array::collect(of, elements.into_iter()), is_linear))
    }
}

/// The evaluation of an operation without regions.
pub(super) struct Step<'s> {
    /// The operation.
    pub(super) op: &'s Op,
    /// The operands.
    pub(super) operands: &'s [Datum],
    /// The results, which the callback may change.
    pub(super) results: &'s mut [Array],
    /// Whether the results depend on a tangent or a cotangent.
    pub(super) is_linear: bool,
}

impl Step<'_> {
    /// The operands as arrays.
    pub(super) fn arrays(&self) -> Vec<&Array> {
        self.operands.iter().filter_map(Datum::array).collect()
    }
}

/// The outputs of a graph, with `watch` called for each step; `None` if the run ends in an error.
pub(super) fn walk(graph: &Graph, inputs: Vec<Datum>, watch: &mut dyn FnMut(Step<'_>)) -> Option<Vec<Datum>> {
    let mut known: Vec<Vec<Datum>> = vec![Vec::new(); graph.n_nodes()];
    for (input, datum) in graph.inputs().iter().zip(inputs) {
        known[input.node.index()] = vec![datum];
    }
    let of = |known: &[Vec<Datum>], value: Value| known[value.node.index()].get(usize::from(value.result)).cloned();
    let needed = needed(graph);
    for id in graph.ids().filter(|id| needed[id.index()] && graph.node(*id).op().is_some()) {
        let operands: Vec<Datum> = graph.operands(id).iter().map(|&x| of(&known, x)).collect::<Option<_>>()?;
        known[id.index()] = step(graph, id, &operands, watch)?;
    }
    graph.outputs().iter().map(|output| of(&known, output.value)).collect()
}

/// For each node, whether an output depends on it.
fn needed(graph: &Graph) -> Vec<bool> {
    let mut needed = vec![false; graph.n_nodes()];
    graph.outputs().iter().for_each(|output| needed[output.value.node.index()] = true);
    for id in graph.ids().rev().filter(|id| graph.node(*id).op().is_some()) {
        if needed[id.index()] {
            graph.operands(id).iter().for_each(|x| needed[x.node.index()] = true);
        }
    }
    needed
}

fn step(graph: &Graph, id: NodeId, x: &[Datum], watch: &mut dyn FnMut(Step<'_>)) -> Option<Vec<Datum>> {
    let node = graph.node(id);
    let op = node.op()?;
    if !matches!(op.lower(), Lowering::Control) {
        let arrays: Vec<&Array> = x.iter().map(Datum::array).collect::<Option<_>>()?;
        let mut results = op.eval(&arrays).ok()?;
        let is_linear = x.iter().any(Datum::is_linear);
        watch(Step { op, operands: x, results: &mut results, is_linear });
        return Some(results.into_iter().map(|y| Datum::new_float(y, is_linear)).collect());
    }
    // A zero cotangent, in a branch not taken or as the start of a sum, is as linear as the value in the other branch
    // or later in the sum.
    let linear = linear_results(op, node.regions(), x.iter().map(Datum::is_linear).collect());
    let mut x = x.to_vec();
    for (x, &linear) in x.iter_mut().zip(&linear[..n_carried(op)]) {
        *x = x.clone().or_linear(linear);
    }
    let results = control(op, node, &x, watch)?;
    Some(results.into_iter().zip(linear).map(|(y, linear)| y.or_linear(linear)).collect())
}

/// The number of leading operands that are carried, and so returned as results.
fn n_carried(op: &Op) -> usize {
    if let Op::While(op) = op {
        op.carry
    } else if let Op::Scan(op) = op {
        op.carry
    } else if let Op::Revolve(op) = op {
        op.cts
    } else {
        0
    }
}

/// For each result of an operation with regions, whether it depends on a linear operand in any branch or iteration.
fn linear_results(op: &Op, regions: &[Arc<Graph>], mut x: Vec<bool>) -> Vec<bool> {
    // The condition or the index precedes the operands of the branches, and the index of the row is not an operand.
    let skipped = usize::from(matches!(op, Op::Cond(_) | Op::Switch(_)));
    let added = usize::from(matches!(op, Op::Scan(_) | Op::Revolve(_)));
    // Of a function with a rule for its derivative, the function alone runs.
    let chosen = match op {
        Op::While(_) | Op::Revolve(_) => &regions[1..],
        Op::Custom(_) => &regions[..1],
        _ => regions,
    };
    loop {
        let inputs = [&vec![false; added][..], &x[skipped..]].concat();
        let each = chosen.iter().map(|region| linear_outputs(region, &inputs));
        let results = each.reduce(|x, y| x.into_iter().zip(y).map(|(x, y)| x || y).collect()).unwrap_or_default();
        let before = x.clone();
        x.iter_mut().zip(&results[..n_carried(op)]).for_each(|(x, y)| *x |= y);
        if x == before {
            return results;
        }
    }
}

/// For each output, whether it depends on a linear input.
fn linear_outputs(graph: &Graph, inputs: &[bool]) -> Vec<bool> {
    let mut known: Vec<Vec<bool>> = vec![Vec::new(); graph.n_nodes()];
    for (input, &linear) in graph.inputs().iter().zip(inputs) {
        known[input.node.index()] = vec![linear];
    }
    for id in graph.ids() {
        let node = graph.node(id);
        let Some(op) = node.op() else { continue };
        let x: Vec<bool> = graph.operands(id).iter().map(|x| known[x.node.index()][usize::from(x.result)]).collect();
        known[id.index()] = if matches!(op.lower(), Lowering::Control) {
            linear_results(op, node.regions(), x)
        } else {
            let any = x.contains(&true);
            node.types().iter().map(|ty| any && ty.dtype.is_float()).collect()
        };
    }
    graph.outputs().iter().map(|output| known[output.value.node.index()][usize::from(output.value.result)]).collect()
}

fn control(op: &Op, node: &Node<Op>, x: &[Datum], watch: &mut dyn FnMut(Step<'_>)) -> Option<Vec<Datum>> {
    let mut call = |region: usize, inputs: Vec<Datum>| walk(&node.regions()[region], inputs, watch);
    match op {
        Op::Cond(_) => call(usize::from(x[0].array()?.get(0)? != Scalar::Bool(true)), x[1..].to_vec()),
        Op::Switch(_) => {
            let Scalar::I64(index) = x[0].array()?.get(0)? else { return None };
            call(index.clamp(0, node.regions().len() as i64 - 1) as usize, x[1..].to_vec())
        }
        Op::Checkpoint(_) | Op::Custom(_) => call(0, x.to_vec()),
        Op::While(op) => repeat(op, x, node.types().len(), &mut call),
        Op::Scan(op) => scan(op, x, node.types(), &mut call),
        Op::Revolve(op) => revolve(op, x, node.types(), &mut call),
        other => unreachable!("bug: {} is no control flow", other.name()),
    }
}

type Call<'c> = &'c mut dyn FnMut(usize, Vec<Datum>) -> Option<Vec<Datum>>;

fn repeat(op: &While, x: &[Datum], n_results: usize, call: Call<'_>) -> Option<Vec<Datum>> {
    let mut state = x.to_vec();
    let mut saved: Vec<Vec<Datum>> = vec![Vec::new(); n_results - op.carry];
    while call(0, state.clone())?[0].array()?.get(0)? == Scalar::Bool(true) {
        let mut next = call(1, state.clone())?;
        saved.iter_mut().zip(next.drain(op.carry..)).for_each(|(stack, y)| stack.push(y));
        state.splice(..op.carry, next);
    }
    state.truncate(op.carry);
    Some(state.into_iter().chain(saved.into_iter().map(|stack| Datum::Stack(stack.into()))).collect())
}

fn scan(op: &Scan, x: &[Datum], types: &[Type], call: Call<'_>) -> Option<Vec<Datum>> {
    let (carry, rest) = x.split_at(op.carry);
    let (xs, rest) = rest.split_at(op.xs);
    let n = op.length.or_else(|| Some(xs.first()?.stack()?.len()))?;
    let mut carry = carry.to_vec();
    let mut rows: Vec<Vec<Datum>> = vec![Vec::new(); types.len() - op.carry];
    for iteration in 0..n {
        let index = if op.reverse { n - 1 - iteration } else { iteration };
        let mut inputs = vec![Datum::new(Array::scalar(index as i64), false)];
        inputs.extend(carry);
        inputs.extend(xs.iter().map(|x| x.row(index)).collect::<Option<Vec<_>>>()?);
        inputs.extend(rest.iter().cloned());
        carry = call(0, inputs)?;
        rows.iter_mut().zip(carry.drain(op.carry..)).for_each(|(rows, y)| rows.push(y));
    }
    joined(carry, rows, &types[op.carry..], op.reverse)
}

/// The final carry, followed by the collected rows.
fn joined(carry: Vec<Datum>, rows: Vec<Vec<Datum>>, types: &[Type], reverse: bool) -> Option<Vec<Datum>> {
    let ys = rows.into_iter().zip(types).map(|(mut rows, ty)| {
        if reverse {
            rows.reverse();
        }
        Datum::of_rows(rows, ty.stack, ty)
    });
    carry.into_iter().map(Some).chain(ys).collect()
}

/// Keeps every state regardless of the schedule, which does not affect results.
fn revolve(op: &Revolve, x: &[Datum], types: &[Type], call: Call<'_>) -> Option<Vec<Datum>> {
    const ADVANCE: usize = 0;
    const REVERSE: usize = 1;
    let (cts, rest) = x.split_at(op.cts);
    let (state, rest) = rest.split_at(op.carry);
    let (xs, rest) = rest.split_at(op.xs);
    let inputs = |iteration: usize, cts: &[Datum], state: &[Datum]| {
        let index = if op.reverse { op.length - 1 - iteration } else { iteration };
        let mut inputs = vec![Datum::new(Array::scalar(index as i64), false)];
        inputs.extend(cts.iter().chain(state).cloned());
        inputs.extend(xs.iter().map(|x| x.row(index)).collect::<Option<Vec<_>>>()?);
        inputs.extend(rest.iter().cloned());
        Some(inputs)
    };
    let mut states = vec![state.to_vec()];
    for iteration in 1..op.length {
        states.push(call(ADVANCE, inputs(iteration - 1, &[], &states[iteration - 1])?)?);
    }
    let mut cts = cts.to_vec();
    let mut rows: Vec<Vec<Datum>> = vec![Vec::new(); types.len() - op.cts];
    for iteration in (0..op.length).rev() {
        cts = call(REVERSE, inputs(iteration, &cts, &states[iteration])?)?;
        rows.iter_mut().zip(cts.drain(op.cts..)).for_each(|(rows, y)| rows.push(y));
    }
    // The last iteration came first.
    joined(cts, rows, &types[op.cts..], !op.reverse)
}

#[cfg(test)]
mod tests {
    use retrograd::interpret;

    use super::*;
    use crate::{Choices, Generator};

    #[test]
    fn a_walk_gives_the_interpreters_results() {
        let mut n_regions = 0;
        for seed in 0..400 {
            let Ok(case) = Generator::of_seed(seed).write(&Choices::from_seed(seed)) else { continue };
            let Ok(expected) = interpret::run(&case.graph, &case.inputs) else { continue };
            let inputs = case.inputs.iter().map(|x| Datum::new(x.clone(), false)).collect();
            let got = walk(&case.graph, inputs, &mut |_| {}).unwrap_or_else(|| panic!("seed {seed}"));
            n_regions += case.graph.ids().map(|id| case.graph.node(id).regions().len()).sum::<usize>();
            assert!(expected.iter().zip(&got).all(|(x, y)| y.array().is_some_and(|y| x.same_bits(y))), "seed {seed}");
        }
        assert!(n_regions > 100, "{n_regions}");
    }
}
