//! Taylor mode: the coefficients of truncated power series, from the derivative rules that forward mode uses.
//!
//! For inputs `x(s) = Σ x_k sᵏ` it appends the coefficients `y_k` of the outputs. A rule that gives `y' = Σ pᵢ(x, y) · xᵢ'`
//! gives them all, since `k y_k = Σᵢ Σⱼ j x_{i,j} p_{i,k-j}`, and the partial derivatives `pᵢ` are values of the graph with
//! series of their own (Griewank and Walther, "Evaluating Derivatives", 2nd edition 2008, chapter 13). The work grows
//! with the square of the order, where nested forward mode doubles it with each.

use std::collections::HashMap;

use super::Series;
use super::activity::{Activity, Step, variables};
use super::control;
use super::forward::{push_dense, push_partials, pushforward};
use super::reverse::values;
use crate::ir::{NodeId, Role, Value};
use crate::op::{
    Alias, Derivative, DotGeneral, General, Linear, Op, Partial, Partials, Strong, StrongDot, Var, strong_product,
    trace,
};

/// Appends the coefficients of order 1 to `order` of `outputs`, given those of `inputs`, to the open trace. `None` is a
/// zero that is known beforehand.
///
/// Order 1 is forward mode.
///
/// Equal operations on equal operands are appended once, so that derivatives which come back to themselves do not grow:
/// without that, each order of the sine would append a sine and a cosine of their own.
#[track_caller]
pub(crate) fn push_series(inputs: &[Var], series: &[Series], outputs: &[Var], order: usize) -> Vec<Series> {
    if order == 0 {
        return vec![Vec::new(); outputs.len()];
    }
    if order == 1 {
        return push_tangents(inputs, series, outputs);
    }
    let (Some(x), Some(y)) = (values(inputs), values(outputs)) else {
        return vec![vec![None; order]; outputs.len()];
    };
    let activity = Activity::between(&x, &y);
    let mut table = Table::new(&activity, order);
    for (&value, series) in x.iter().zip(series) {
        series.iter().flatten().for_each(|&t| trace::note_seed(t));
        table.set_input(value, series.clone());
    }
    trace::differentiating(activity.is_derived(), || {
        trace::sharing(activity.first(), || y.iter().for_each(|&value| table.demand(value, order)));
    });
    y.iter().map(|&value| (1..=order).map(|k| table.get(value, k)).collect()).collect()
}

fn push_tangents(inputs: &[Var], series: &[Series], outputs: &[Var]) -> Vec<Series> {
    let given = inputs.iter().zip(series).filter_map(|(&x, series)| Some((x, series[0]?)));
    let (inputs, tangents): (Vec<Var>, Vec<Var>) = given.unzip();
    pushforward(&inputs, &tangents, outputs).into_iter().map(|t| vec![t]).collect()
}

/// The coefficients known so far, of the nodes from the first input on: those between inputs and outputs, and those that
/// rules append.
struct Table {
    first: usize,
    /// Nodes from here on are appended meanwhile.
    end: usize,
    order: usize,
    nodes: Vec<Known>,
    /// Of how many nodes it is known whether they vary.
    n_marked: usize,
    rules: HashMap<NodeId, Rule>,
}

/// What is known of one node.
#[derive(Default)]
struct Known {
    /// Whether it depends differentiably on an input.
    varies: bool,
    source: Source,
    /// The order up to which the coefficients are known.
    order: usize,
    /// The coefficients of each result.
    series: Vec<Series>,
}

/// Where the coefficients of a node come from.
#[derive(Clone, Copy, Default)]
enum Source {
    /// Its operation.
    #[default]
    Operation,
    /// They are given.
    Given,
    /// It stands for the derivative by `s` of this value: `(k + 1) x_{k+1}`.
    DerivativeOf(Value),
}

/// What a rule appends once for a node: values with series of their own.
enum Rule {
    /// The partial derivatives, by slot.
    Partials(Vec<Option<Partial>>),
    /// The derivatives of the results by `s`.
    Derivative(Vec<Option<Var>>),
}

impl Table {
    fn new(activity: &Activity, order: usize) -> Table {
        let first = activity.first();
        let (end, nodes, rules) = (first + activity.len(), Vec::new(), HashMap::new());
        Table { first, end, order, nodes, n_marked: 0, rules }
    }

    fn set_input(&mut self, value: Value, series: Series) {
        let order = self.order;
        let known = self.source(value.node, Source::Given);
        known.order = order;
        let result = usize::from(value.result);
        if known.series.len() <= result {
            known.series.resize(result + 1, Vec::new());
        }
        known.series[result] = series;
    }

    /// Says where the coefficients of a node come from that is not marked yet.
    fn source(&mut self, node: NodeId, source: Source) -> &mut Known {
        let index = node.index() - self.first;
        if self.nodes.len() <= index {
            self.nodes.resize_with(index + 1, Known::default);
        }
        let known = &mut self.nodes[index];
        known.source = source;
        known
    }

    /// A coefficient that has been computed.
    fn get(&self, value: Value, k: usize) -> Option<Var> {
        let known = self.nodes.get(value.node.index().checked_sub(self.first)?)?;
        known.series.get(usize::from(value.result))?.get(k - 1).copied().flatten()
    }

    fn varies(&mut self, value: Value) -> bool {
        let Some(index) = value.node.index().checked_sub(self.first) else { return false };
        self.mark_to(index);
        self.nodes[index].varies && trace::inspect(|graph| graph.ty(value).dtype.is_float())
    }

    /// Finds whether the nodes vary, to that one. Operands come before their uses.
    fn mark_to(&mut self, index: usize) {
        if self.nodes.len() <= index {
            self.nodes.resize_with(index + 1, Known::default);
        }
        let (first, nodes) = (self.first, &mut self.nodes);
        trace::inspect(|graph| {
            for index in self.n_marked..=index {
                let id = NodeId::from_index(first + index);
                let carries = |x: &Value| {
                    let index = x.node.index().checked_sub(first);
                    index.is_some_and(|index| nodes[index].varies) && graph.ty(*x).dtype.is_float()
                };
                nodes[index].varies = match (nodes[index].source, graph.node(id).op()) {
                    (Source::Given | Source::DerivativeOf(_), _) => true,
                    (Source::Operation, None) => false,
                    (Source::Operation, Some(op)) => {
                        !matches!(op.derivative(), Derivative::Zero) && graph.operands(id).iter().any(carries)
                    }
                };
            }
        });
        self.n_marked = self.n_marked.max(index + 1);
    }

    fn is_missing(&mut self, value: Value, k: usize) -> bool {
        self.varies(value) && self.nodes[value.node.index() - self.first].order < k
    }

    /// Computes the coefficients of a value to that order, and what they need. Coefficients of order `k` need those of
    /// earlier nodes to order `k` and those of partial derivatives to order `k - 1`, so this comes to an end. A chain of
    /// needs can be as long as the graph is deep, so it is kept in a list instead of using recursion.
    fn demand(&mut self, value: Value, k: usize) {
        let mut pending = vec![(value, k)];
        while let Some(&(value, k)) = pending.last() {
            if trace::has_failed() {
                return;
            }
            if !self.is_missing(value, k) {
                pending.pop();
                continue;
            }
            let known = &self.nodes[value.node.index() - self.first];
            let (next, source) = (known.order + 1, known.source);
            let step = Step::of(value.node);
            let mut needed = self.needed(&step, source, next);
            needed.retain(|&(value, k)| self.is_missing(value, k));
            if needed.is_empty() {
                let (series, order) = self.coefficients(&step, source, next);
                self.store(value.node, series, order);
            } else {
                pending.extend(needed);
            }
        }
    }

    /// Adds coefficients up to that order, by result.
    fn store(&mut self, node: NodeId, series: Vec<Series>, order: usize) {
        let known = &mut self.nodes[node.index() - self.first];
        known.series.resize(series.len(), Vec::new());
        for (all, new) in known.series.iter_mut().zip(series) {
            all.truncate(order - new.len());
            all.extend(new);
        }
        known.order = order;
    }

    /// The coefficients that the one of order `k` of a node needs, as far as can be seen: the rule is applied when those
    /// of its operands are known.
    fn needed(&mut self, step: &Step, source: Source, k: usize) -> Vec<(Value, usize)> {
        if let Source::DerivativeOf(x) = source {
            return vec![(x, k + 1)];
        }
        let order = self.order_at_once(step, k);
        let operands: Vec<(Value, usize)> = step.operands.iter().map(|&x| (x, order)).collect();
        if operands.iter().any(|&(x, k)| self.is_missing(x, k)) {
            return operands;
        }
        match step.op.derivative() {
            Derivative::Elementwise(rule) if k > 1 && Form::of(&step.op) == Form::Any => {
                self.append_partials(step, rule);
                let values = self.partials(step).into_iter().filter_map(factor).filter_map(trace::local);
                values.map(|p| (p, k - 1)).collect()
            }
            Derivative::General(rule) if k > 1 && bilinear(&step.op).is_none() => {
                self.append_derivative(step, rule);
                let values = self.derivative(step).into_iter().flatten().filter_map(trace::local);
                values.map(|y| (y, k - 1)).collect()
            }
            Derivative::Zero
            | Derivative::Elementwise(_)
            | Derivative::Linear(_)
            | Derivative::General(_)
            | Derivative::Control => Vec::new(),
        }
    }

    /// The order to which the coefficients are computed together. An operation with regions gives all in one operation,
    /// but one that is part of a partial derivative of its own operands cannot know them all.
    fn order_at_once(&self, step: &Step, k: usize) -> usize {
        let all = matches!(step.op.derivative(), Derivative::Control) && step.id.index() < self.end;
        if all { self.order } else { k }
    }

    /// The next coefficients of a node by result, whose first is of order `k`, or which begin anew, and the order that
    /// they reach.
    fn coefficients(&mut self, step: &Step, source: Source, k: usize) -> (Vec<Series>, usize) {
        if let Source::DerivativeOf(x) = source {
            let t = self.get(x, k + 1).map(|t| (k + 1) as f64 * t);
            return (vec![vec![t]], k);
        }
        let t: Vec<Option<Var>> = step.operands.iter().map(|&x| self.get(x, k)).collect();
        let results = trace::in_role(Role::Tangent(step.id.into()), || match step.op.derivative() {
            Derivative::Zero | Derivative::Control => vec![None],
            Derivative::Elementwise(rule) => vec![self.elementwise(step, rule, &t, k)],
            Derivative::Linear(rule) => vec![linear(rule, step, &t)],
            Derivative::General(rule) => self.general(step, rule, &t, k),
        });
        if !matches!(step.op.derivative(), Derivative::Control) {
            return (results.into_iter().map(|result| vec![result]).collect(), k);
        }
        let order = self.order_at_once(step, k);
        let of = |&x: &Value| -> Series { (1..=order).map(|k| self.get(x, k)).collect() };
        let series: Vec<Series> = step.operands.iter().map(of).collect();
        let role = Role::Tangent(step.id.into());
        (trace::in_role(role, || control::push(step, &variables(&step.operands), &series, order)), order)
    }

    fn elementwise(&mut self, step: &Step, rule: &dyn Partials, t: &[Option<Var>], k: usize) -> Option<Var> {
        self.append_partials(step, rule);
        let partials = self.partials(step);
        let form = Form::of(&step.op);
        if k > 1 && form == Form::Quotient {
            return self.quotient(step, &partials, t, k);
        }
        let linear = push_partials(t, |slot| partials[slot].unwrap_or(Partial::Zero));
        if k == 1 {
            return linear;
        }
        let rest = match form {
            Form::Product => self.products(step.operands[0], step.operands[1], k),
            Form::Square => self.products(step.operands[0], step.operands[0], k),
            Form::Any | Form::Quotient => self.weighted(step, &partials, k).map(|sum| sum / k as f64),
        };
        sum([linear, rest])
    }

    /// `Σᵢ Σⱼ j x_{i,j} p_{i,k-j}` for `0 < j < k`.
    fn weighted(&self, step: &Step, partials: &[Option<Partial>], k: usize) -> Option<Var> {
        let mut terms = Vec::new();
        for (&x, p) in step.operands.iter().zip(partials) {
            let Some(p) = p.and_then(factor).and_then(trace::local) else { continue };
            for j in 1..k {
                if let (Some(x), Some(p)) = (self.get(x, j), self.get(p, k - j)) {
                    let weighted = if j == 1 { x } else { j as f64 * x };
                    terms.push(Some(between(p, weighted)));
                }
            }
        }
        sum(terms)
    }

    /// `Σⱼ x_j y_{k-j}` for `0 < j < k`, elementwise.
    fn products(&self, x: Value, y: Value, k: usize) -> Option<Var> {
        if x != y {
            return self.all_products(x, y, k, &between);
        }
        // Each product but the middle one occurs twice.
        let term = |j: usize| Some(between(self.get(x, j)?, self.get(x, k - j)?));
        let twice = sum((1..k.div_ceil(2)).map(term)).map(|sum| 2.0 * sum);
        let middle = if k.is_multiple_of(2) { self.get(x, k / 2).map(|x| x * x) } else { None };
        sum([twice, middle])
    }

    /// The same for any bilinear operation, which need not commute.
    fn all_products(&self, x: Value, y: Value, k: usize, product: &dyn Fn(Var, Var) -> Var) -> Option<Var> {
        sum((1..k).map(|j| Some(product(self.get(x, j)?, self.get(y, k - j)?))))
    }

    /// `(x_k - Σⱼ y_j q_{k-j}) / y_0`, where `q = x / y` and `0 < j ≤ k`.
    fn quotient(&self, step: &Step, partials: &[Option<Partial>], t: &[Option<Var>], k: usize) -> Option<Var> {
        let divisor = step.operands[1];
        let last = t[1].map(|t| strong_product(trace::variable(step.id.into()), t, Strong::Rhs));
        let taken = sum([self.products(divisor, step.id.into(), k), last]);
        let numerator = match (t[0], taken) {
            (Some(t), Some(taken)) => t - taken,
            (t, taken) => t.or(taken.map(|taken| -taken))?,
        };
        let reciprocal = match partials[0].and_then(factor) {
            Some(reciprocal) => reciprocal,
            None => 1.0 / trace::variable(divisor),
        };
        Some(strong_product(numerator, reciprocal, Strong::Lhs))
    }

    /// The coefficients of order `k` of all results.
    fn general(&mut self, step: &Step, rule: &dyn General, t: &[Option<Var>], k: usize) -> Vec<Option<Var>> {
        if let Some(product) = bilinear(&step.op) {
            let x = variables(&step.operands);
            let linear = rule.jvp(&x, &step.results(), t)[0];
            let between = |x: Var, y: Var| {
                let product = product.jvp(&[x, y], &[], &[Some(x), None])[0];
                product.expect("bug: a product that is no product")
            };
            if k == 1 {
                return vec![linear];
            }
            return vec![sum([linear, self.all_products(step.operands[0], step.operands[1], k, &between)])];
        }
        // What stands for a tangent is never known to be zero, as a tangent may be.
        if k == 1 {
            return rule.jvp(&variables(&step.operands), &step.results(), t);
        }
        self.append_derivative(step, rule);
        let coefficient = |derivative: Option<Var>| Some(self.get(trace::local(derivative?)?, k - 1)? / k as f64);
        self.derivative(step).into_iter().map(coefficient).collect()
    }

    /// Appends the partial derivatives by the operands that vary.
    fn append_partials(&mut self, step: &Step, rule: &dyn Partials) {
        if self.rules.contains_key(&step.id) {
            return;
        }
        let (x, y) = (variables(&step.operands), trace::variable(step.id.into()));
        let varying: Vec<bool> = step.operands.iter().map(|&x| self.varies(x)).collect();
        let partials = trace::in_role(Role::Tangent(step.id.into()), || {
            (0..x.len()).map(|slot| varying[slot].then(|| rule.partial(slot, &x, y))).collect()
        });
        self.rules.insert(step.id, Rule::Partials(partials));
    }

    fn partials(&self, step: &Step) -> Vec<Option<Partial>> {
        match self.rules.get(&step.id) {
            Some(Rule::Partials(partials)) => partials.clone(),
            Some(Rule::Derivative(_)) | None => Vec::new(),
        }
    }

    /// Appends the derivatives of the results by `s`, from values that stand for those of the operands.
    fn append_derivative(&mut self, step: &Step, rule: &dyn General) {
        if self.rules.contains_key(&step.id) {
            return;
        }
        let x = variables(&step.operands);
        let derivative = trace::in_role(Role::Tangent(step.id.into()), || {
            let t: Vec<Option<Var>> = step.operands.iter().map(|&x| self.stand_in(x)).collect();
            rule.jvp(&x, &step.results(), &t)
        });
        self.rules.insert(step.id, Rule::Derivative(derivative));
    }

    /// The derivatives of the results, once they are appended.
    fn derivative(&self, step: &Step) -> Vec<Option<Var>> {
        match self.rules.get(&step.id) {
            Some(Rule::Derivative(derivatives)) => derivatives.clone(),
            Some(Rule::Partials(_)) | None => Vec::new(),
        }
    }

    /// A value of its own for the derivative of `x` by `s`.
    fn stand_in(&mut self, x: Value) -> Option<Var> {
        if !self.varies(x) {
            return None;
        }
        let t = self.get(x, 1).unwrap_or_else(|| trace::variable(x).full_like(0.0));
        let stand_in = trace::apply(Alias, &[t]);
        self.source(trace::local(stand_in)?.node, Source::DerivativeOf(x));
        Some(stand_in)
    }
}

/// The operations whose coefficients have a formula without weights.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A product of the first two operands.
    Product,
    Square,
    Quotient,
    Any,
}

impl Form {
    fn of(op: &Op) -> Form {
        if matches!(op, Op::Mul(_) | Op::StrongMul(_) | Op::Fma(_) | Op::StrongFma(_)) {
            Form::Product
        } else if matches!(op, Op::Square(_)) {
            Form::Square
        } else if matches!(op, Op::Div(_)) {
            Form::Quotient
        } else {
            Form::Any
        }
    }
}

/// The bilinear operation, with zeros of either operand strong.
fn bilinear(op: &Op) -> Option<StrongDot> {
    if let Op::DotGeneral(op) = op {
        let DotGeneral { contract, batch } = DotGeneral::clone(op);
        return Some(StrongDot { contract, batch, zeros: Strong::Either });
    }
    if let Op::StrongDot(op) = op {
        return Some(StrongDot { zeros: Strong::Either, ..StrongDot::clone(op) });
    }
    None
}

/// The product of two coefficients of which neither is that of order 0: an exact zero of either passes nothing on.
fn between(x: Var, y: Var) -> Var {
    strong_product(x, y, Strong::Either)
}

/// The partial derivative, if it enters products.
fn factor(partial: impl Into<Option<Partial>>) -> Option<Var> {
    match partial.into()? {
        Partial::Of(p) | Partial::Vanishing(p) => Some(p),
        Partial::Zero | Partial::One | Partial::MinusOne | Partial::When(_) | Partial::Unless(_) => None,
    }
}

fn linear(rule: &dyn Linear, step: &Step, t: &[Option<Var>]) -> Option<Var> {
    t.iter().any(Option::is_some).then(|| rule.apply(&push_dense(&variables(&step.operands), t)))
}

/// The sum of the terms that are not zero, from the first to the last.
fn sum(terms: impl IntoIterator<Item = Option<Var>>) -> Option<Var> {
    terms.into_iter().flatten().reduce(|sum, term| sum + term)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret;
    use crate::op::Graph;
    use crate::transform::{cond, trace as trace_function};
    use crate::value::{Array, DType};

    /// The series of order 3 of a function with a branch, where the nodes from `end` on count as appended by rules, and how
    /// many branches there are.
    fn series(end: impl Fn(usize) -> usize) -> (Vec<Array>, usize) {
        let f = |x: Var, t: Var| {
            let y = cond(x.less(0.0), || x.sin(), || (x * x).exp()) * x;
            let (x, value) = (trace::local(x).expect("a value"), trace::local(y).expect("a value"));
            let activity = Activity::between(&[x], &[value]);
            let mut table = Table::new(&activity, 3);
            table.end = end(table.end);
            table.set_input(x, vec![Some(t), None, None]);
            trace::sharing(activity.first(), || table.demand(value, 3));
            [1, 2, 3].map(|k| table.get(value, k).expect("a coefficient"))
        };
        let graph = trace_function(f, (DType::F64, DType::F64)).expect("a trace");
        let outputs = interpret::run(&graph, &[0.5, 1.0].map(Array::scalar)).expect("a run");
        (outputs, n_branches(&graph))
    }

    fn n_branches(graph: &Graph) -> usize {
        graph.ids().filter(|&id| matches!(graph.node(id).op(), Some(Op::Cond(_)))).count()
    }

    /// A branch that a rule appended is asked for one order after the other, and gives the same.
    #[test]
    fn branches_give_all_orders_at_once_or_one_by_one() {
        let (together, n) = series(|end| end);
        assert_eq!(n, 2);
        let (one_by_one, n) = series(|_| 0);
        assert_eq!((one_by_one, n), (together, 4));
    }
}
