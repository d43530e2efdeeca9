//! Control flow on rows.

use std::sync::Arc;

use super::analysis::{How, OnRows};
use crate::op::{Batched, BroadcastInDim, CustomRule, Flow, Graph, Op, Var, trace};
use crate::value::Shape;

/// What rules for control flow need of those for all operations.
pub(super) trait Regions {
    /// The number of rows.
    fn n(&self) -> usize;
    /// The operations of the graph, appended to the open trace: its outputs, or `None` after an error.
    fn replay(&self, graph: &Graph, inputs: &[Batched]) -> Option<Vec<Batched>>;
    /// The region on rows: which of its inputs have rows, and how its outputs are given.
    fn region(&self, region: &Arc<Graph>, inputs: &[bool], outputs: &[Given]) -> Option<Arc<Graph>>;
}

/// How a region gives an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Given {
    /// It has no rows.
    AsItIs,
    /// With rows, repeated if it is the same for each.
    Rows,
    /// The sum of the rows.
    Sum,
}

fn given(has_rows: &[bool]) -> Vec<Given> {
    has_rows.iter().map(|&has_rows| if has_rows { Given::Rows } else { Given::AsItIs }).collect()
}

/// The results of a node with regions, of which an operand has rows; `None` after an error.
#[track_caller]
pub(super) fn on_rows(
    batcher: &dyn Regions,
    op: &Op,
    regions: &[Arc<Graph>],
    operands: &[Batched],
    how: &How,
) -> Option<Vec<Batched>> {
    match how {
        How::OnRows(on_rows) => regions_on_rows(batcher, op, regions, operands, on_rows),
        How::Select => select(batcher, regions, operands),
        How::RowByRow => unreachable!("bug: what runs row by row is no batch rule's"),
    }
}

fn regions_on_rows(
    batcher: &dyn Regions,
    op: &Op,
    regions: &[Arc<Graph>],
    operands: &[Batched],
    on_rows: &OnRows,
) -> Option<Vec<Batched>> {
    let roles = op.roles()?;
    let rows = roles.first_fixed() - roles.n_rows..roles.first_fixed();
    let taken = operands.iter().zip(&on_rows.operands).enumerate();
    let operands: Vec<Var> = taken
        .map(|(k, (x, &has_rows))| {
            let x = if has_rows { x.rows(batcher.n()) } else { x.var };
            if has_rows && rows.contains(&k) { swapped(x) } else { x }
        })
        .collect();
    let index = [false];
    let taken = &on_rows.operands[roles.n_choices..];
    let results = given(&on_rows.results);
    let mut made = Vec::new();
    for (k, region) in regions.iter().enumerate() {
        let own = |inputs: &[bool], outputs: &[Given]| batcher.region(region, inputs, outputs);
        made.push(match roles.flow {
            Flow::Choice | Flow::Once => own(taken, &results),
            Flow::Custom if k == 0 => own(taken, &results),
            Flow::Custom => custom_rule(batcher, op, k, regions, taken),
            Flow::While if k == 0 => own(taken, &[Given::AsItIs]),
            Flow::While => own(taken, &results),
            Flow::Back(_) if k == 0 => {
                let (state, _) = taken[roles.n_carry..].split_at(roles.n_state);
                own(&[&index, &taken[roles.n_carry..]].concat(), &given(state))
            }
            Flow::Rows(_) | Flow::Back(_) => own(&[&index, taken].concat(), &results),
        }?);
    }
    let results = trace::apply_regions(op.clone(), &operands, made)?;
    let results = results.into_iter().zip(&on_rows.results).enumerate();
    Some(
        results
            .map(|(k, (var, &has_rows))| {
                let var = if has_rows && roles.collects(k) { swapped(var) } else { var };
                Batched { var, has_rows }
            })
            .collect(),
    )
}

/// The rule of a custom derivative on rows. The function is applied once for each row, so the cotangent of an operand that is
/// the same for each is the sum of what each row gives it.
fn custom_rule(
    batcher: &dyn Regions,
    op: &Op,
    k: usize,
    regions: &[Arc<Graph>],
    operands: &[bool],
) -> Option<Arc<Graph>> {
    let Op::Custom(custom) = op else { return None };
    let (function, rule) = (&regions[0], &regions[k]);
    let signature = function.signature();
    let is_float = |ty: &&crate::value::Type| ty.dtype.is_float();
    let of_operands: Vec<bool> =
        signature.inputs.iter().zip(operands).filter(|(ty, _)| is_float(ty)).map(|(_, &has_rows)| has_rows).collect();
    let results = vec![true; signature.outputs.len()];
    let of_results = vec![true; signature.outputs.iter().filter(is_float).count()];
    match custom.rule {
        CustomRule::Jvp => batcher.region(rule, &[operands, &results, &of_operands].concat(), &given(&of_results)),
        CustomRule::Vjp => {
            let cts: Vec<Given> =
                of_operands.iter().map(|&has_rows| if has_rows { Given::Rows } else { Given::Sum }).collect();
            batcher.region(rule, &[operands, &results, &of_results].concat(), &cts)
        }
        CustomRule::Solve => batcher.region(rule, operands, &given(&results)),
    }
}

/// The results of all branches, of which each row's is selected. An index is clamped to the numbers of the branches.
fn select(batcher: &dyn Regions, regions: &[Arc<Graph>], operands: &[Batched]) -> Option<Vec<Batched>> {
    let (choice, rest) = operands.split_first()?;
    let is_condition = choice.var.dtype() == crate::value::DType::Bool;
    let mut branches = regions.iter().enumerate().rev();
    let (_, last) = branches.next()?;
    let mut chosen: Vec<Var> = batcher.replay(last, rest)?.into_iter().map(|y| y.rows(batcher.n())).collect();
    for (k, region) in branches {
        let is_taken = if is_condition { choice.var } else { choice.var.less_equal(k as i64) };
        for (y, own) in chosen.iter_mut().zip(batcher.replay(region, rest)?) {
            let own = own.rows(batcher.n());
            *y = spread(is_taken, &y.shape()).select(own, *y);
        }
    }
    Some(chosen.into_iter().map(|var| Batched { var, has_rows: true }).collect())
}

/// One truth value for each row, repeated along the other axes.
fn spread(x: Var, shape: &Shape) -> Var {
    if shape.rank() == 1 || x.is_poisoned() {
        return x;
    }
    trace::apply(BroadcastInDim { shape: shape.clone(), axes: vec![0] }, &[x])
}

/// The first two axes, exchanged; of a stack nothing, whose arrays have the rows.
fn swapped(x: Var) -> Var {
    let Some(ty) = trace::type_of(x) else { return x };
    if ty.stack {
        return x;
    }
    let perm: Vec<usize> = [1, 0].into_iter().chain(2..ty.rank()).collect();
    x.transpose(&perm)
}
