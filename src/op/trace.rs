//! The trace that is open on a thread: the graph under construction behind every [`Var`].

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::range::Ranges;
use super::source::{is_dependency, method_of};
use super::{Alias, Graph, Lowering, Op, Range, Var};
use crate::error::{DerivativeError, Error, LimitError, NODES_OF_A_TRACE, OperationError, SourceLine, TraceError};
use crate::ir::{Guard, MAX_DEPTH, NESTED_REGIONS, NodeId, Operands, Provenance, Role, Value, results_of};
use crate::stack;
use crate::value::Type;

/// Answers comparisons: the concrete outcome of a scalar `bool` in the graph so far.
pub(crate) type Oracle = Box<dyn FnMut(&Graph, Value) -> Result<bool, Error>>;

/// The most nodes that a trace makes unless told otherwise.
pub(crate) const DEFAULT_MAX_NODES: usize = 10_000_000;

struct Trace {
    id: u64,
    graph: Graph,
    max_nodes: usize,
    error: Option<Error>,
    oracle: Option<Oracle>,
    /// While a derivative rule runs: whose source line nodes bear, and what they are for. In a region that the rule makes,
    /// they are for the region as a whole.
    scope: Option<(Option<SourceLine>, Option<Role>)>,
    /// The method of `Var` that is at work, for errors.
    method: Option<Method>,
    /// For a region: what it captured of the trace below it.
    captures: Option<Captures>,
    /// What the values may hold, as far as anyone asked.
    ranges: Ranges,
    /// Whether what is being differentiated is made of derivatives itself, whose zeros are strong on either side.
    is_derived: bool,
    /// What derivatives began with: tangents of inputs, cotangents of outputs.
    seeds: HashSet<Value>,
    /// Whether inputs that are no seeds may be tangents or cotangents: those of a graph that came with derivatives.
    has_derived_inputs: bool,
    /// The line of the user's that was met last; in the beginning, that which asked for the trace.
    user: &'static Location<'static>,
    /// A file whose lines were looked at before, and whether they are those of a dependency.
    file: (&'static str, bool),
    /// While equal operations are appended once: those that exist.
    shared: Option<HashMap<(Op, Operands), NodeId>>,
}

/// What a region uses of the trace around it: the values there, and the inputs that stand for them here.
#[derive(Default)]
struct Captures {
    outside: Vec<Value>,
    inside: HashMap<Value, Value>,
}

thread_local! {
    static OPEN: RefCell<Vec<Trace>> = const { RefCell::new(Vec::new()) };
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// What unwinds a trace when a comparison cannot be answered. It carries nothing: the error stands in the trace.
struct Unwound;

/// Opens a trace on that graph, runs the body, and gives back the graph with what was appended.
///
/// # Errors
/// The first error that an operation met in the body. A panic of the body's own goes on to the caller.
#[track_caller]
pub(crate) fn record<T>(
    graph: Graph,
    max_nodes: usize,
    oracle: Option<Oracle>,
    body: impl FnOnce() -> T,
) -> Result<(Graph, T), Error> {
    record_at(Location::caller(), graph, max_nodes, oracle, body)
}

/// The same for a trace that was asked for at that line.
pub(crate) fn record_at<T>(
    at: &'static Location<'static>,
    graph: Graph,
    max_nodes: usize,
    oracle: Option<Oracle>,
    body: impl FnOnce() -> T,
) -> Result<(Graph, T), Error> {
    run(Trace::on(graph, at, max_nodes, oracle), body).map(|(trace, result)| (trace.graph, result))
}

impl Trace {
    fn on(graph: Graph, at: &'static Location<'static>, max_nodes: usize, oracle: Option<Oracle>) -> Trace {
        let has_derived_inputs = graph.ids().any(|id| is_of_derivative(&graph, id));
        Trace {
            id: 0,
            graph,
            max_nodes,
            error: None,
            oracle,
            scope: None,
            method: None,
            captures: None,
            ranges: Ranges::default(),
            is_derived: false,
            seeds: HashSet::new(),
            has_derived_inputs,
            user: at,
            file: (at.file(), false),
            shared: None,
        }
    }
}

fn run<T>(trace: Trace, body: impl FnOnce() -> T) -> Result<(Trace, T), Error> {
    let mut result = None;
    let trace = run_boxed(trace, Box::new(|| result = Some(body())))?;
    Ok((trace, result.expect("bug: a trace without a result")))
}

fn run_boxed(mut trace: Trace, body: Box<dyn FnOnce() + '_>) -> Result<Trace, Error> {
    trace.id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    OPEN.with_borrow_mut(|open| open.push(trace));
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    let mut trace = OPEN.with_borrow_mut(Vec::pop).expect("bug: the trace was closed by another");
    match (outcome, trace.error.take()) {
        (Ok(()), None) => Ok(trace),
        (Ok(()), Some(error)) => Err(error),
        (Err(payload), error) if payload.is::<Unwound>() => {
            // What poisoned a region's variables may stand in a trace around it.
            let around = || OPEN.with_borrow(|open| open.iter().rev().find_map(|trace| trace.error.clone()));
            Err(error.or_else(around).expect("bug: a trace was unwound without an error"))
        }
        (Err(payload), _) => panic::resume_unwind(payload),
    }
}

/// Inputs → named outputs. Boxed, since closures are many and what traces them should be compiled once.
pub(super) type Body<'a> = Box<dyn FnOnce(&[Var]) -> Vec<(String, Var)> + 'a>;

/// Traces a closure to a region of the innermost trace; gives with it what it captured of the traces around it.
#[track_caller]
pub(super) fn trace_region(
    at: &'static Location<'static>,
    name: &str,
    inputs: &[(String, Type)],
    ranges: &[Range],
    body: Body<'_>,
) -> Result<(Graph, Vec<Value>), Error> {
    let (depth, max_nodes, user, scope) = with_all(|open| {
        let depth = open.iter().rev().take_while(|trace| trace.captures.is_some()).count();
        let around = open.last_mut().expect("bug: no trace is open");
        let at = around.line(at);
        if depth >= MAX_DEPTH {
            let place = Some(format!("{name}, at {at}"));
            return Err(LimitError { what: NESTED_REGIONS, limit: MAX_DEPTH as u64, got: None, place });
        }
        let scope = around.scope.as_ref().map(|(at, _)| (at.clone(), None));
        Ok((depth, around.max_nodes.saturating_sub(around.graph.n_nodes()), around.user, scope))
    })?;
    let mut graph = Graph::new(name);
    let mut values = Vec::new();
    for (name, ty) in inputs {
        values.push(graph.add_input(name.as_str(), ty.clone())?);
    }
    let mut known = Ranges::default();
    values.iter().zip(ranges).for_each(|(&input, &range)| known.tell(input, range));
    let trace = Trace {
        scope,
        captures: Some(Captures::default()),
        ranges: known,
        is_derived: with_open(|around| around.is_derived),
        has_derived_inputs: true,
        ..Trace::on(graph, user, max_nodes, None)
    };
    let (trace, outputs) = run(trace, || {
        let inputs: Vec<Var> = values.into_iter().map(variable).collect();
        let outputs = stack::at_level(depth, || body(&inputs)).unwrap_or_else(|error| {
            fail(error);
            Vec::new()
        });
        // An output may be a value from outside, which must come in first.
        outputs.into_iter().filter_map(|(name, x)| Some((name, local_at(x, at)?))).collect()
    })?;
    in_order(trace, outputs)
}

/// The region with its inputs before its operations, and what it captured.
fn in_order(trace: Trace, outputs: Vec<(String, Value)>) -> Result<(Graph, Vec<Value>), Error> {
    let traced = trace.graph;
    let mut graph = Graph::new(traced.name());
    let mut inputs = Vec::new();
    for input in traced.inputs() {
        inputs.push(graph.add_input(input.name.clone(), traced.ty(input.node.into()).clone())?);
    }
    let map = graph.inline(&traced, &inputs)?;
    for (name, value) in outputs {
        graph.add_output(name, map.get(value).expect("bug: an output that does not exist"))?;
    }
    Ok((graph.without_unneeded_derivatives(), trace.captures.expect("bug: a region without captures").outside))
}

/// How a variable is shown: its name in listings, and its type, if its trace is open on this thread and not at work.
pub(crate) fn describe(x: Var) -> Option<String> {
    let value = x.value()?;
    let shown = OPEN.try_with(|open| {
        let open = open.try_borrow().ok()?;
        let trace = open.iter().rev().find(|trace| trace.id == x.trace)?;
        Some(format!("{}: {}", trace.graph.value_name(value), trace.graph.ty(value)))
    });
    shown.ok().flatten()
}

/// Runs the body on the innermost trace.
///
/// # Panics
/// If no trace is open on this thread: there is no one to whom an error could be returned.
#[track_caller]
fn with_open<T>(body: impl FnOnce(&mut Trace) -> T) -> T {
    with_all(|open| body(open.last_mut().expect("bug: no trace is open")))
}

/// Runs the body on all open traces, of which there is at least one.
///
/// # Panics
/// If no trace is open on this thread, at the caller's line: a panic in the closure would be at a line of this file.
#[track_caller]
fn with_all<T>(body: impl FnOnce(&mut [Trace]) -> T) -> T {
    let (mut body, mut result) = (Some(body), None);
    with_any(&mut |open| {
        if !open.is_empty() {
            result = body.take().map(|body| body(open));
        }
    });
    match result {
        Some(result) => result,
        None => panic!("a `Var` was used while no trace is open on this thread; use it inside `trace` or `jit`"),
    }
}

/// Runs the body on all open traces.
fn with_any(body: &mut dyn FnMut(&mut [Trace])) {
    OPEN.with_borrow_mut(|open| body(open));
}

/// The trace that made a variable: the innermost one, or one in whose regions it lies.
fn home(open: &[Trace], x: Var) -> Option<usize> {
    let mut level = open.len() - 1;
    while open[level].id != x.trace {
        open[level].captures.as_ref()?;
        level -= 1;
    }
    Some(level)
}

/// How many elements a constant may have that is copied into a region instead of being captured.
const MAX_COPIED: usize = 1;

/// The value behind a variable in the innermost trace, which captures it if it belongs to one around it. What belongs to
/// none of them is recorded as an error.
fn resolve(open: &mut [Trace], x: Var, at: &'static Location<'static>) -> Option<Value> {
    let value = x.value()?;
    let Some(level) = home(open, x) else {
        let innermost = open.last_mut().expect("bug: no trace is open");
        innermost.fail_escaped(at);
        return None;
    };
    (level + 1..open.len()).try_fold(value, |value, level| capture(open, level, value))
}

/// The input of the region at that level that stands for a value of the trace around it.
fn capture(open: &mut [Trace], level: usize, outside: Value) -> Option<Value> {
    let (around, region) = open.split_at_mut(level);
    let Trace { graph: around, ranges, .. } = &mut around[level - 1];
    let (outer_range, region) = (ranges.get(around, outside), &mut region[0]);
    let captures = region.captures.as_mut().expect("bug: a trace that is no region");
    if let Some(&inside) = captures.inside.get(&outside) {
        return Some(inside);
    }
    let node = around.node(outside.node);
    let inside = match node.op() {
        Some(op @ Op::Constant(constant)) if constant.value.size() <= MAX_COPIED => {
            // A role speaks of a value of the graph around.
            let provenance = Provenance { role: None, ..node.provenance().clone() };
            region.graph.add(op.clone(), &[], provenance).map(Value::from)
        }
        _ => {
            captures.outside.push(outside);
            let name = captured_name(&region.graph, around, outside);
            region.graph.add_input_anywhere(name, around.ty(outside).clone())
        }
    };
    match inside {
        Ok(inside) => {
            region.ranges.tell(inside, outer_range);
            captures.inside.insert(outside, inside);
            Some(inside)
        }
        Err(error) => {
            region.fail(error);
            None
        }
    }
}

/// The name of the input that stands for a captured value: that of the value, unless an input has it already.
fn captured_name(region: &Graph, around: &Graph, outside: Value) -> Arc<str> {
    let name = match &around.node(outside.node).provenance().name {
        Some(name) => name.to_string(),
        None => around.value_name(outside).replace('%', "v"),
    };
    free_name(&name, |name| region.inputs().iter().any(|input| *input.name == *name)).into()
}

/// The first of `name`, `name_2`, `name_3`, … that is not taken.
pub(crate) fn free_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|n| format!("{name}_{n}"));
    std::iter::once(name.to_string()).chain(numbered).find(|name| !taken(name)).expect("bug: all numbers are taken")
}

impl Trace {
    fn fail(&mut self, error: impl Into<Error>) {
        self.error.get_or_insert(error.into());
    }

    fn fail_escaped(&mut self, at: &'static Location<'static>) {
        let at = self.line(at);
        self.fail(TraceError::Escaped { at });
    }

    /// The user's line for one at which something was asked for: within a derivative rule, that of the operation that is
    /// differentiated; within a crate that is traced through, the last one outside of such.
    fn line(&mut self, at: &'static Location<'static>) -> SourceLine {
        if let Some((Some(at), _)) = &self.scope {
            return at.clone();
        }
        SourceLine::Here(self.user_line(at))
    }

    fn user_line(&mut self, at: &'static Location<'static>) -> &'static Location<'static> {
        if !std::ptr::eq(self.file.0, at.file()) {
            self.file = (at.file(), is_dependency(at.file()));
        }
        if !self.file.1 {
            self.user = at;
        }
        self.user
    }

    fn append(
        &mut self,
        op: Op,
        operands: &[Value],
        regions: Box<[Arc<Graph>]>,
        at: &'static Location<'static>,
    ) -> Option<NodeId> {
        // An alias exists to be told from its operand.
        let can_share = self.shared.is_some() && regions.is_empty() && op != Op::Alias(Alias);
        let key = can_share.then(|| (op.clone(), Operands::from(operands)));
        if let (Some(shared), Some(key)) = (&self.shared, &key)
            && let Some(&node) = shared.get(key)
        {
            return Some(node);
        }
        if self.graph.n_nodes() >= self.max_nodes {
            let place = Some(format!("{}, at {}", op.name(), self.line(at)));
            self.fail(LimitError { what: NODES_OF_A_TRACE, limit: self.max_nodes as u64, got: None, place });
            return None;
        }
        let provenance = match &self.scope {
            None => Provenance { at: Some(SourceLine::Here(self.user_line(at))), name: None, role: None },
            Some((at, role)) => Provenance { at: at.clone(), name: None, role: *role },
        };
        match self.graph.add_with_regions(op, operands, regions, provenance) {
            Ok(node) => {
                if let (Some(shared), Some(key)) = (&mut self.shared, key) {
                    shared.insert(key, node);
                }
                Some(node)
            }
            Err(error) => {
                let error = self.in_words_of_the_user(error);
                self.fail(error);
                None
            }
        }
    }

    /// An error of an operation, told of the method that the user called. Derivative rules speak of operations, which is
    /// what their graphs show.
    fn in_words_of_the_user(&self, error: Error) -> Error {
        match (error, &self.method) {
            (Error::Operation(mut error), Some(method)) if self.scope.is_none() => {
                error.op = method.name.to_string();
                // What is not of this trace has been captured, and is shown as the operand that it became.
                let lines = self.lines_of(&method.operands, &[]);
                if lines.len() == method.operands.len().min(MAX_LINES) {
                    error.operands = lines;
                }
                Error::Operation(error)
            }
            (Error::Operation(mut error), None) if self.scope.is_none() => {
                if let Some(method) = method_of(&error.op) {
                    error.op = method.to_string();
                }
                Error::Operation(error)
            }
            (error, _) => error,
        }
    }

    /// A line for each of the variables that belong to this trace or to one of those around it.
    fn lines_of(&self, vars: &[Var], around: &[Trace]) -> Vec<String> {
        let line = |x: Var| {
            let node = x.value()?.node;
            let mut traces = around.iter().chain([self]);
            traces.find(|trace| trace.id == x.trace).map(|trace| trace.graph.line(node))
        };
        vars.iter().take(MAX_LINES).filter_map(|&x| line(x)).collect()
    }
}

/// How many operands of a method an error shows.
const MAX_LINES: usize = 4;

/// A method that is made of operations of other names: what errors within it speak of.
struct Method {
    name: &'static str,
    operands: SmallVec<[Var; 2]>,
}

/// Until what is returned is dropped, errors of the innermost trace speak of this method, and show these operands. Within
/// another method it changes nothing.
#[track_caller]
pub(crate) fn method(name: &'static str, operands: &[Var]) -> MethodScope {
    with_open(|trace| {
        if trace.method.is_some() || trace.scope.is_some() {
            return MethodScope(None);
        }
        trace.method = Some(Method { name, operands: operands.into() });
        MethodScope(Some(trace.id))
    })
}

/// See [`method`]. It holds the trace whose errors it words.
pub(crate) struct MethodScope(Option<u64>);

impl Drop for MethodScope {
    fn drop(&mut self) {
        let Some(id) = self.0 else { return };
        OPEN.with_borrow_mut(|open| {
            if let Some(trace) = open.iter_mut().rev().find(|trace| trace.id == id) {
                trace.method = None;
            }
        });
    }
}

/// Appends the application of an operation with one result.
#[track_caller]
pub(crate) fn apply(op: impl Into<Op>, operands: &[Var]) -> Var {
    apply_at(op.into(), operands, Location::caller())
}

#[track_caller]
fn apply_at(op: Op, operands: &[Var], at: &'static Location<'static>) -> Var {
    append(op, operands, Box::default(), at).map_or(Var::poisoned(), |(trace, node)| Var::new(trace, node.into()))
}

/// Appends the application of an operation with several results; gives them.
#[track_caller]
pub(crate) fn apply_all<const N: usize>(op: impl Into<Op>, operands: &[Var]) -> [Var; N] {
    let results = apply_regions(op, operands, Vec::<Arc<Graph>>::new());
    results.and_then(|results| results.try_into().ok()).unwrap_or([Var::poisoned(); N])
}

/// Appends the application of an operation that holds regions; gives its results, or `None` after an error.
#[track_caller]
pub(crate) fn apply_regions(
    op: impl Into<Op>,
    operands: &[Var],
    regions: Vec<impl Into<Arc<Graph>>>,
) -> Option<Vec<Var>> {
    let at = Location::caller();
    let regions = regions.into_iter().map(Into::into).collect();
    let (trace, node) = append(op.into(), operands, regions, at)?;
    Some(inspect(|graph| results_of(graph, node).map(|result| Var::new(trace, result)).collect()))
}

#[track_caller]
fn append(
    op: Op,
    operands: &[Var],
    regions: Box<[Arc<Graph>]>,
    at: &'static Location<'static>,
) -> Option<(u64, NodeId)> {
    with_all(|open| {
        let mut values = Operands::new();
        for &x in operands {
            values.push(resolve(open, x, at)?);
        }
        let trace = open.last_mut().expect("bug: no trace is open");
        trace.append(op, &values, regions, at).map(|node| (trace.id, node))
    })
}

/// Gives a node of the innermost trace other regions, and with them further results, which are returned.
pub(crate) fn extend(node: NodeId, op: impl Into<Op>, regions: Vec<Graph>) -> Option<Vec<Var>> {
    with_open(|trace| match trace.graph.extend(node, op.into(), regions.into_iter().map(Arc::new).collect()) {
        Ok(n_before) => {
            let results = results_of(&trace.graph, node).skip(n_before);
            Some(results.map(|result| Var::new(trace.id, result)).collect())
        }
        Err(error) => {
            trace.fail(error);
            None
        }
    })
}

/// Appends the operations of a graph, its inputs replaced; gives its outputs, or `None` after an error.
#[track_caller]
pub(crate) fn inline(graph: &Graph, inputs: &[Var]) -> Option<Vec<Var>> {
    let inputs = inputs.iter().map(|&x| local(x)).collect::<Option<Vec<Value>>>()?;
    with_open(|trace| match trace.graph.inline(graph, &inputs) {
        Ok(map) => {
            let image = |value| map.get(value).expect("bug: an output that does not exist");
            Some(graph.outputs().iter().map(|output| Var::new(trace.id, image(output.value))).collect())
        }
        Err(error) => {
            trace.fail(error);
            None
        }
    })
}

/// The same for a rule that is part of a derivative: what is appended has the role of the derivative rule that runs.
#[track_caller]
pub(crate) fn inline_in_role(graph: &Graph, inputs: &[Var]) -> Option<Vec<Var>> {
    let first = inspect(Graph::n_nodes);
    let outputs = inline(graph, inputs)?;
    with_open(|trace| {
        if let Some((_, Some(role))) = trace.scope {
            trace.graph.set_roles_from(first, role);
        }
    });
    Some(outputs)
}

/// Requires that the innermost trace have room for so many further nodes, before what takes long or much memory to make
/// them. If it has not, the trace ends here with the error of that limit: where results are many, so are poisoned ones.
#[track_caller]
pub(crate) fn demand_nodes(n: u64) {
    let at = Location::caller();
    let exceeded = with_open(|trace| {
        let (limit, got) = (trace.max_nodes as u64, n.saturating_add(trace.graph.n_nodes() as u64));
        let exceeded = got > limit && trace.error.is_none();
        if exceeded {
            let place = Some(format!("at {at}"));
            trace.fail(LimitError { what: "nodes of a trace", limit, got: Some(got), place });
        }
        exceeded
    });
    if exceeded {
        panic::resume_unwind(Box::new(Unwound));
    }
}

/// The value behind a variable in the innermost trace, where derivatives are taken; `None` after an error.
#[track_caller]
pub(crate) fn local(x: Var) -> Option<Value> {
    local_at(x, Location::caller())
}

#[track_caller]
fn local_at(x: Var, at: &'static Location<'static>) -> Option<Value> {
    with_all(|open| resolve(open, x, at))
}

/// The type of a variable, or `None` after an error.
#[track_caller]
pub(crate) fn type_of(x: Var) -> Option<Type> {
    type_at(x, Location::caller())
}

/// The same for one who asks at that line, as in a closure, which does not know its caller's.
#[track_caller]
pub(crate) fn type_at(x: Var, at: &'static Location<'static>) -> Option<Type> {
    with_all(|open| match (home(open, x), x.value()) {
        (Some(level), Some(value)) => Some(open[level].graph.ty(value).clone()),
        (None, Some(_)) => {
            open.last_mut().expect("bug: no trace is open").fail_escaped(at);
            None
        }
        (_, None) => None,
    })
}

/// The user's line for one at which something was asked for, as errors and nodes bear it.
#[track_caller]
pub(crate) fn line_at(at: &'static Location<'static>) -> SourceLine {
    with_open(|trace| trace.line(at))
}

/// Records an error of the trace; what follows computes with poisoned variables.
#[track_caller]
pub(crate) fn fail(error: impl Into<Error>) {
    with_open(|trace| trace.fail(error));
}

/// Records that a requirement on traced values is not met, at the caller's line.
#[track_caller]
pub(crate) fn fail_at(requirement: String) {
    fail_on(requirement, Location::caller());
}

/// Records that an operation has no derivative by an operand, at the line of the operation that is differentiated.
pub(crate) fn fail_no_rule(op: &'static str, operand: &'static str, reason: &'static str) {
    with_open(|trace| {
        let at = trace.scope.as_ref().and_then(|(at, _)| at.clone());
        trace.fail(DerivativeError::NoRule { op, operand, reason, at });
    });
}

/// The same at another line, as in a closure, which does not know its caller's.
#[track_caller]
pub(crate) fn fail_on(requirement: String, at: &'static Location<'static>) {
    with_all(|open| {
        let (around, trace) = open.split_at_mut(open.len() - 1);
        let at = trace[0].line(at);
        match &trace[0].method {
            None => trace[0].fail(TraceError::Value { requirement, at }),
            Some(Method { name, operands }) => {
                let (op, operands) = (name.to_string(), trace[0].lines_of(operands, around));
                trace[0].fail(OperationError { op, requirement, operands, at: Some(at) });
            }
        }
    });
}

/// Whether an error has been recorded.
#[track_caller]
pub(crate) fn has_failed() -> bool {
    with_open(|trace| trace.error.is_some())
}

/// The place of the user's that was met last.
#[track_caller]
pub(crate) fn user() -> &'static Location<'static> {
    with_open(|trace| trace.user)
}

/// The user's line that was met last.
#[track_caller]
pub(crate) fn line_here() -> SourceLine {
    let at = Location::caller();
    with_open(|trace| trace.line(at))
}

/// Gives a variable's node a name.
#[track_caller]
pub(crate) fn set_name(x: Var, name: &str) {
    with_open(|trace| {
        if let Some(value) = x.value().filter(|_| x.trace == trace.id) {
            trace.graph.set_node_name(value.node, name);
        }
    });
}

/// The variable that stands for a value of the innermost trace.
#[track_caller]
pub(crate) fn variable(value: Value) -> Var {
    with_open(|trace| Var::new(trace.id, value))
}

/// What a value may hold; anything after an error.
pub(crate) fn range(x: Var) -> Range {
    let Some(value) = local(x) else { return Range::ANY };
    with_open(|trace| trace.ranges.get(&trace.graph, value))
}

/// Whether what is being differentiated is made of derivatives itself.
pub(crate) fn is_derived() -> bool {
    with_open(|trace| trace.is_derived)
}

/// Whether a node was made by a derivative rule.
pub(crate) fn is_of_derivative(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    node.provenance().role.is_some()
        || matches!(node.op(), Some(Op::StrongMul(_) | Op::StrongFma(_) | Op::StrongDot(_)))
}

/// Tells what a derivative begins with.
pub(crate) fn note_seed(seed: Var) {
    if let Some(seed) = local(seed) {
        with_open(|trace| trace.seeds.insert(seed));
    }
}

/// Whether a value may be a tangent or a cotangent, or other elements of one. What the user computes is none, but for what
/// a derivative began with; what a region computes may be, but what it captures is what it is outside.
pub(crate) fn may_be_linear(x: Var) -> bool {
    let Some(mut value) = local(x) else { return true };
    with_all(|open| {
        let mut level = open.len() - 1;
        loop {
            let Trace { graph, captures, seeds, has_derived_inputs, .. } = &open[level];
            let node = graph.node(value.node);
            if seeds.contains(&value) {
                return true;
            } else if node.op().is_some_and(|op| matches!(op.lower(), Lowering::View(_))) {
                value = graph.operands(value.node)[0];
            } else if let Some(captures) = captures {
                let captured = captures.inside.iter().find(|&(_, &inside)| inside == value);
                let Some((&outside, _)) = captured else { return true };
                (value, level) = (outside, level - 1);
            } else {
                let is_input = node.op().is_none();
                return is_input && *has_derived_inputs || is_of_derivative(graph, value.node);
            }
        }
    })
}

/// Runs a mode of differentiation over what is, or is not, made of derivatives. It is so in regions of what is so.
pub(crate) fn differentiating<T>(derived: bool, body: impl FnOnce() -> T) -> T {
    let before = with_open(|trace| {
        let before = trace.is_derived;
        trace.is_derived |= derived;
        before
    });
    let result = body();
    with_open(|trace| trace.is_derived = before);
    result
}

/// Runs the body with equal operations on equal operands appended once, those from the given node on included. Regions
/// that the body traces are not concerned.
pub(crate) fn sharing<T>(from: usize, body: impl FnOnce() -> T) -> T {
    let before = with_open(|trace| {
        let graph = &trace.graph;
        let ids = (from..graph.n_nodes()).map(NodeId::from_index);
        let plain = ids.filter(|&id| graph.node(id).regions().is_empty());
        let key = |id: NodeId| Some(((graph.node(id).op()?.clone(), graph.operands(id)), id));
        let mut shared: HashMap<(Op, Operands), NodeId> = HashMap::new();
        for (key, id) in plain.filter_map(key) {
            shared.entry(key).or_insert(id);
        }
        trace.shared.replace(shared)
    });
    let result = body();
    with_open(|trace| trace.shared = before);
    result
}

/// Reads the graph so far.
#[track_caller]
pub(crate) fn inspect<T>(read: impl FnOnce(&Graph) -> T) -> T {
    with_open(|trace| read(&trace.graph))
}

/// Runs a derivative rule: the nodes that it makes bear the primal node's line, and the role.
pub(crate) fn in_role<T>(role: Role, body: impl FnOnce() -> T) -> T {
    let at = inspect(|graph| graph.node(role.of().node).provenance().at.clone());
    in_scope(at, Some(role), body)
}

/// Runs a rule that rewrites a node: the nodes that it makes bear that source line and role.
pub(crate) fn in_scope<T>(at: Option<SourceLine>, role: Option<Role>, body: impl FnOnce() -> T) -> T {
    let before = with_open(|trace| trace.scope.replace((at, role)));
    let result = body();
    with_open(|trace| trace.scope = before);
    result
}

/// Runs a part of a rule: the nodes that it makes bear the line of what made `x`, and the role that they bear anyway.
pub(crate) fn at_line_of<T>(x: Var, body: impl FnOnce() -> T) -> T {
    let made = local(x);
    let (at, role) = with_open(|trace| {
        let at = made.and_then(|value| trace.graph.node(value.node).provenance().at.clone());
        (at, trace.scope.as_ref().and_then(|(_, role)| *role))
    });
    in_scope(at, role, body)
}

/// A value like `x` that stands for any finite numbers, which take its place later: rules must not learn that it holds zeros.
#[track_caller]
pub(crate) fn placeholder(x: Var) -> Var {
    let y = apply(Alias, &[x.full_like(0.0)]);
    with_open(|trace| {
        if let Some(value) = y.value() {
            trace.ranges.tell(value, Range::FINITE);
        }
    });
    y
}

/// The value of a variable that belongs to the innermost trace itself.
pub(crate) fn own_value(x: Var) -> Option<Value> {
    with_open(|trace| x.value().filter(|_| x.trace == trace.id))
}

/// Demands of a condition what a guard of another graph demands of its own.
pub(crate) fn add_guard(condition: Var, like: &Guard) {
    let Some(value) = local(condition) else { return };
    with_open(|trace| {
        if let Err(error) = trace.graph.add_guard(Guard { value, ..like.clone() }) {
            trace.fail(error);
        }
    });
}

/// Unwinds to the body of the innermost trace, which has failed: there is nothing to go on with.
pub(crate) fn unwind() -> ! {
    panic::resume_unwind(Box::new(Unwound))
}

/// The outcome of a comparison, which a guard will demand from now on.
///
/// Unwinds to [`record`] if there is no answer.
#[track_caller]
pub(crate) fn decide(condition: Var) -> bool {
    let at = Location::caller();
    match with_all(|open| decide_at_home(open, condition, at)) {
        Some(outcome) => outcome,
        None => unwind(),
    }
}

/// A comparison that rests on values from outside a region alone is answered, and guarded, where these values belong.
fn decide_at_home(open: &mut [Trace], condition: Var, at: &'static Location<'static>) -> Option<bool> {
    let mut value = condition.value()?;
    let Some(mut level) = home(open, condition) else {
        open.last_mut().expect("bug: no trace is open").fail_escaped(at);
        return None;
    };
    while open[level].captures.is_some()
        && let Some(outside) = lift(open, level, value, at)
    {
        (level, value) = (level - 1, outside);
    }
    let outcome = open[level].decide(value, at);
    if outcome.is_none()
        && let Some(error) = open[level].error.clone()
    {
        open.last_mut().expect("bug: no trace is open").fail(error);
    }
    outcome
}

/// Computes a value of the region at that level in the trace around it; `None` if it rests on more than what the region
/// captured.
fn lift(open: &mut [Trace], level: usize, value: Value, at: &'static Location<'static>) -> Option<Value> {
    let (around, region) = open.split_at_mut(level);
    let (around, region) = (&mut around[level - 1], &region[0]);
    let captures = region.captures.as_ref()?;
    let mut lifted: HashMap<Value, Value> =
        captures.inside.iter().map(|(&outside, &inside)| (inside, outside)).collect();
    let mut needed = BTreeSet::new();
    let mut pending = vec![value];
    while let Some(x) = pending.pop() {
        if lifted.contains_key(&x) || !needed.insert(x.node) {
            continue;
        }
        let node = region.graph.node(x.node);
        // An input that is no capture changes from iteration to iteration. What holds regions might never end if it ran outside the loop.
        if node.op().is_none() || !node.regions().is_empty() {
            return None;
        }
        pending.extend(region.graph.operands(x.node));
    }
    for id in needed {
        let op = region.graph.node(id).op()?.clone();
        let operands: Operands = region.graph.operands(id).iter().map(|x| lifted[x]).collect();
        let copy = around.append(op, &operands, Box::default(), at)?;
        lifted.extend(results_of(&region.graph, id).zip(results_of(&around.graph, copy)));
    }
    lifted.get(&value).copied()
}

impl Trace {
    fn decide(&mut self, value: Value, at: &'static Location<'static>) -> Option<bool> {
        let at = self.user_line(at);
        let ty = self.graph.ty(value);
        if ty.rank() != 0 {
            let requirement = format!("an `if` needs one truth value, but this comparison has type {ty}; use select");
            self.fail(TraceError::Value { requirement, at: SourceLine::Here(at) });
            return None;
        }
        if self.captures.is_some() {
            self.fail(TraceError::BranchInRegion { at: SourceLine::Here(at) });
            return None;
        }
        let Some(oracle) = &mut self.oracle else {
            self.fail(TraceError::BranchWithoutValues { at: SourceLine::Here(at) });
            return None;
        };
        match oracle(&self.graph, value) {
            Ok(expect) => {
                let guard = Guard { value, expect, at: Some(SourceLine::Here(at)) };
                self.graph.add_guard(guard).map_err(|error| self.fail(error)).ok().map(|()| expect)
            }
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }
}
