use super::activity::{Activity, Step, variables};
use super::reverse::values;
use super::{Series, control};
use crate::ir::{Role, Value};
use crate::op::{Derivative, Partial, Partials, Strong, Var, strong_product, trace};

/// Appends the tangents of `outputs`, given those of `inputs`, to the open trace. `None` is a zero: that output does
/// not depend on the inputs.
#[track_caller]
pub(crate) fn pushforward(inputs: &[Var], tangents: &[Var], outputs: &[Var]) -> Vec<Option<Var>> {
    let (Some(x), Some(y)) = (values(inputs), values(outputs)) else {
        return vec![None; outputs.len()];
    };
    let activity = Activity::between(&x, &y);
    let mut table = Table { first: activity.first(), tangents: vec![Vec::new(); activity.len()] };
    for (&value, &t) in x.iter().zip(tangents) {
        if activity.contains(value) {
            trace::note_seed(t);
            table.set(value, Some(t));
        }
    }
    trace::differentiating(activity.is_derived(), || push_all(&activity, &mut table));
    y.iter().map(|&value| table.get(value)).collect()
}

fn push_all(activity: &Activity, table: &mut Table) {
    for index in 0..activity.len() {
        if trace::has_failed() {
            break;
        }
        if let Some(step) = activity.step(index) {
            let results = push_step(&step, table);
            for (result, t) in results.into_iter().enumerate() {
                table.set(Value { node: step.id, result: result as u16 }, t);
            }
        }
    }
}

/// The tangents computed so far, by node and result.
struct Table {
    first: usize,
    tangents: Vec<Vec<Option<Var>>>,
}

impl Table {
    fn set(&mut self, value: Value, t: Option<Var>) {
        let results = &mut self.tangents[value.node.index() - self.first];
        let result = usize::from(value.result);
        if results.len() <= result {
            results.resize(result + 1, None);
        }
        results[result] = t;
    }

    fn get(&self, value: Value) -> Option<Var> {
        let index = value.node.index().checked_sub(self.first)?;
        self.tangents.get(index)?.get(usize::from(value.result)).copied().flatten()
    }
}

fn push_step(step: &Step, table: &Table) -> Vec<Option<Var>> {
    let x = variables(&step.operands);
    let t: Vec<Option<Var>> = step.operands.iter().map(|&operand| table.get(operand)).collect();
    if t.iter().all(Option::is_none) {
        return vec![None; step.n_results];
    }
    trace::in_role(Role::Tangent(step.id.into()), || match step.op.derivative() {
        Derivative::Zero => vec![None],
        Derivative::Elementwise(rule) => vec![push_elementwise(rule, step, &x, &t)],
        Derivative::Linear(rule) => {
            vec![Some(rule.apply(&push_dense(&x, &t)))]
        }
        Derivative::General(rule) => rule.jvp(&x, &step.results(), &t),
        Derivative::Control => {
            let series: Vec<Series> = t.iter().map(|&t| vec![t]).collect();
            control::push(step, &x, &series, 1).into_iter().map(|series| series[0]).collect()
        }
    })
}

/// The tangents of `x`, with zeros where there are none.
pub(super) fn push_dense(x: &[Var], t: &[Option<Var>]) -> Vec<Var> {
    x.iter().zip(t).map(|(x, t)| t.unwrap_or_else(|| x.full_like(0.0))).collect()
}

fn push_elementwise(rule: &dyn Partials, step: &Step, x: &[Var], t: &[Option<Var>]) -> Option<Var> {
    let y = trace::variable(step.id.into());
    push_partials(t, |slot| rule.partial(slot, x, y))
}

/// `Σ ∂y/∂xᵢ · tᵢ` over the operands that have a tangent.
pub(super) fn push_partials(t: &[Option<Var>], partial: impl Fn(usize) -> Partial) -> Option<Var> {
    let mut sum: Option<Var> = None;
    let mut branches: Option<Branches> = None;
    for (slot, t) in t.iter().enumerate().filter_map(|(slot, t)| Some((slot, (*t)?))) {
        let mut add = |term: Var| sum = Some(sum.map_or(term, |sum| sum + term));
        match partial(slot) {
            Partial::Zero => {}
            Partial::One => add(t),
            Partial::MinusOne => sum = Some(sum.map_or_else(|| -t, |sum| sum - t)),
            Partial::Of(partial) => add(strong_product(partial, t, Strong::Rhs)),
            Partial::Vanishing(partial) => add(strong_product(partial, t, Strong::Either)),
            Partial::When(condition) => Branches::of(&mut branches, condition).taken = Some(t),
            Partial::Unless(condition) => Branches::of(&mut branches, condition).other = Some(t),
        }
    }
    match branches.and_then(Branches::choose) {
        None => sum,
        Some(term) => Some(sum.map_or(term, |sum| sum + term)),
    }
}

/// The tangents of the two branches of a choice, which one `select` joins.
struct Branches {
    condition: Var,
    taken: Option<Var>,
    other: Option<Var>,
}

impl Branches {
    fn of(branches: &mut Option<Branches>, condition: Var) -> &mut Branches {
        branches.get_or_insert(Branches { condition, taken: None, other: None })
    }

    fn choose(self) -> Option<Var> {
        let zero = self.taken.or(self.other)?.full_like(0.0);
        Some(self.condition.select(self.taken.unwrap_or(zero), self.other.unwrap_or(zero)))
    }
}
