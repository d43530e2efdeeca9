use std::collections::HashMap;

use smallvec::SmallVec;

use super::activity::{Activity, Step, variables};
use super::control;
use crate::ir::{Role, Value};
use crate::op::{
    Derivative, General, Linear, Op, Partial, Partials, ScatterSlices, Slice, Strong, Var, strong_product, trace,
};
use crate::value::Type;

/// Appends the cotangents of `inputs`, given those of `outputs`, to the open trace. `None` is a zero: the outputs do
/// not depend on that input.
///
/// Index order is a schedule, so reverse index order visits every node after all its uses. Symbolic zeros are never
/// materialized, and factors 1 are not multiplied.
#[track_caller]
pub(crate) fn pullback(inputs: &[Var], outputs: &[Var], cts: &[Var]) -> Vec<Option<Var>> {
    let (Some(x), Some(y)) = (values(inputs), values(outputs)) else {
        return vec![None; inputs.len()];
    };
    let activity = Activity::between(&x, &y);
    let mut table = Table { first: activity.first(), sums: Vec::new() };
    table.sums.resize_with(activity.len(), SmallVec::new);
    for (&value, &ct) in y.iter().zip(cts) {
        if activity.contains(value) {
            trace::note_seed(ct);
            table.add(value, Ct::from(ct));
        }
    }
    trace::differentiating(activity.is_derived(), || pull_all(&activity, &mut table));
    // An input may occur twice, so its cotangent is kept.
    let mut finished: HashMap<Value, Option<Var>> = HashMap::new();
    for &value in &x {
        finished.entry(value).or_insert_with(|| {
            let ct = table.take(value)?;
            Some(trace::in_role(Role::Cotangent(value), || ct.materialize()))
        });
    }
    x.iter().map(|value| finished[value]).collect()
}

fn pull_all(activity: &Activity, table: &mut Table) {
    for index in (0..activity.len()).rev() {
        if trace::has_failed() {
            break;
        }
        if let Some(step) = activity.step(index) {
            let cts: SmallVec<[Option<Ct>; 1]> =
                (0..step.n_results as u16).map(|result| table.take(Value { node: step.id, result })).collect();
            if cts.iter().any(Option::is_some) {
                transpose_step(&step, &cts, activity, table);
            }
        }
    }
}

/// The values of variables in the innermost trace, or `None` if one is poisoned: the trace has recorded its error.
pub(super) fn values(vars: &[Var]) -> Option<Vec<Value>> {
    vars.iter().map(|&x| trace::local(x)).collect()
}

/// A cotangent with a delayed mask: `select(mask, value, 0)`, or `value` if there is no mask.
///
/// The mask is applied late, so that `select(c, ct, 0) · p` becomes `select(c, ct · p, 0)`: the derivative of a branch
/// not taken contributes nothing, even if it is NaN.
#[derive(Clone, Copy)]
struct Ct {
    value: Var,
    mask: Option<Var>,
}

impl From<Var> for Ct {
    fn from(value: Var) -> Ct {
        Ct { value, mask: None }
    }
}

impl Ct {
    fn materialize(self) -> Var {
        match self.mask {
            None => self.value,
            Some(mask) => mask.select(self.value, self.value.full_like(0.0)),
        }
    }

    /// The sum, which is zero where both terms are masked out.
    fn plus(self, other: Ct) -> Ct {
        let mask = self.mask.zip(other.mask).map(|(mask, other)| mask | other);
        let (x, y) = (self.materialize(), other.materialize());
        let value = if x.ty().stack { control::add_stacks(x, y) } else { x + y };
        Ct { value, mask }
    }

    fn masked(self, condition: Var) -> Ct {
        let mask = self.mask.map_or(condition, |mask| mask & condition);
        Ct { value: self.value, mask: Some(mask) }
    }
}

/// The contributions to the cotangent of one value.
#[derive(Default)]
struct Sum {
    dense: Option<Ct>,
    /// The contributions of slices of the value. They are joined at the end, so that a loop over the elements of an
    /// array takes time linear in its length, rather than quadratic.
    slices: Vec<(Slice, Ct)>,
}

/// The most slices that one operation joins.
const MAX_JOINED: usize = 4096;

impl Sum {
    fn add(&mut self, ct: Ct) {
        self.dense = Some(match self.dense {
            None => ct,
            Some(sum) => sum.plus(ct),
        });
    }

    fn total(mut self, ty: &Type) -> Option<Ct> {
        if let [(slice, ct)] = &self.slices[..] {
            let ct = transpose(slice, 0, std::slice::from_ref(ty), *ct);
            self.add(ct);
            return self.dense;
        }
        for group in std::mem::take(&mut self.slices).chunks(MAX_JOINED) {
            let (starts, strides) = group.iter().map(|(slice, _)| (slice.start.clone(), slice.stride.clone())).unzip();
            let cts: Vec<Var> = group.iter().map(|(_, ct)| ct.materialize()).collect();
            let joined = trace::apply(ScatterSlices { shape: ty.shape.clone(), starts, strides }, &cts);
            self.add(Ct::from(joined));
        }
        self.dense
    }
}

/// The contributions collected so far, by node and result.
struct Table {
    first: usize,
    sums: Vec<SmallVec<[Sum; 1]>>,
}

impl Table {
    fn add(&mut self, value: Value, ct: Ct) {
        self.sum(value).add(ct);
    }

    fn sum(&mut self, value: Value) -> &mut Sum {
        let results = &mut self.sums[value.node.index() - self.first];
        let result = usize::from(value.result);
        if results.len() <= result {
            results.resize_with(result + 1, Sum::default);
        }
        &mut results[result]
    }

    /// The cotangent of a value all of whose uses have been visited.
    fn take(&mut self, value: Value) -> Option<Ct> {
        let index = value.node.index().checked_sub(self.first)?;
        let sum = std::mem::take(self.sums.get_mut(index)?.get_mut(usize::from(value.result))?);
        if sum.slices.is_empty() {
            return sum.dense;
        }
        let ty = trace::inspect(|graph| graph.ty(value).clone());
        trace::in_role(Role::Cotangent(value), || sum.total(&ty))
    }
}

fn transpose_step(step: &Step, cts: &[Option<Ct>], activity: &Activity, table: &mut Table) {
    let types: SmallVec<[Type; 3]> =
        trace::inspect(|graph| step.operands.iter().map(|&x| graph.ty(x).clone()).collect());
    let wanted: SmallVec<[bool; 3]> =
        step.operands.iter().zip(&types).map(|(&x, ty)| activity.contains(x) && ty.dtype.is_float()).collect();
    match step.op.derivative() {
        Derivative::Zero => {}
        Derivative::Elementwise(rule) => transpose_elementwise(rule, step, cts[0], &wanted, table),
        Derivative::Linear(rule) => transpose_linear(rule, step, cts[0], &types, &wanted, table),
        Derivative::General(rule) => transpose_general(rule, step, cts, &wanted, table),
        Derivative::Control => transpose_control(step, cts, &wanted, table),
    }
}

fn transpose_elementwise(rule: &dyn Partials, step: &Step, ct: Option<Ct>, wanted: &[bool], table: &mut Table) {
    let Some(ct) = ct else { return };
    let x: SmallVec<[Var; 3]> = step.operands.iter().map(|&x| trace::variable(x)).collect();
    let y = trace::variable(step.id.into());
    for (slot, &operand) in step.operands.iter().enumerate().filter(|&(slot, _)| wanted[slot]) {
        let contribution = trace::in_role(Role::Cotangent(operand), || match rule.partial(slot, &x, y) {
            Partial::Zero => None,
            Partial::One => Some(ct),
            Partial::MinusOne => Some(Ct { value: -ct.value, ..ct }),
            Partial::When(condition) => Some(ct.masked(condition)),
            Partial::Unless(condition) => Some(ct.masked(!condition)),
            Partial::Of(partial) => Some(Ct { value: strong_product(ct.value, partial, Strong::Lhs), ..ct }),
            Partial::Vanishing(partial) => Some(Ct { value: strong_product(ct.value, partial, Strong::Either), ..ct }),
        });
        contribute(operand, contribution, table);
    }
}

fn transpose_linear(
    rule: &dyn Linear,
    step: &Step,
    ct: Option<Ct>,
    types: &[Type],
    wanted: &[bool],
    table: &mut Table,
) {
    let Some(ct) = ct else { return };
    for (slot, &operand) in step.operands.iter().enumerate().filter(|&(slot, _)| wanted[slot]) {
        if let Op::Slice(slice) = &step.op {
            table.sum(operand).slices.push((Slice::clone(slice), ct));
            continue;
        }
        let contribution = trace::in_role(Role::Cotangent(operand), || transpose(rule, slot, types, ct));
        contribute(operand, Some(contribution), table);
    }
}

fn transpose(rule: &dyn Linear, slot: usize, types: &[Type], ct: Ct) -> Ct {
    match ct.mask.and_then(|mask| rule.transpose_mask(slot, types, mask)) {
        Some(mask) => Ct { value: rule.transpose(slot, types, ct.value), mask: Some(mask) },
        None => Ct::from(rule.transpose(slot, types, ct.materialize())),
    }
}

fn transpose_general(rule: &dyn General, step: &Step, cts: &[Option<Ct>], wanted: &[bool], table: &mut Table) {
    let (x, y) = (variables(&step.operands), step.results());
    let contributions =
        trace::in_role(Role::Cotangent(step.id.into()), || rule.vjp(&x, &y, &materialized(cts), wanted));
    contribute_all(step, contributions, wanted, table);
}

fn transpose_control(step: &Step, cts: &[Option<Ct>], wanted: &[bool], table: &mut Table) {
    let x = variables(&step.operands);
    let contributions =
        trace::in_role(Role::Cotangent(step.id.into()), || control::pull(step, &x, &materialized(cts), wanted));
    contribute_all(step, contributions, wanted, table);
}

fn materialized(cts: &[Option<Ct>]) -> Vec<Option<Var>> {
    cts.iter().map(|ct| ct.map(Ct::materialize)).collect()
}

fn contribute_all(step: &Step, contributions: Vec<Option<Var>>, wanted: &[bool], table: &mut Table) {
    for (slot, contribution) in contributions.into_iter().enumerate().filter(|&(slot, _)| wanted[slot]) {
        contribute(step.operands[slot], contribution.map(Ct::from), table);
    }
}

fn contribute(operand: Value, contribution: Option<Ct>, table: &mut Table) {
    if let Some(ct) = contribution {
        trace::in_role(Role::Cotangent(operand), || table.add(operand, ct));
    }
}
