//! The trace that is open on a thread: the graph under construction behind every [`Var`].

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Graph, Op, Var};
use crate::error::{DerivativeError, Error, LimitError, SourceLine, TraceError};
use crate::ir::{Guard, NodeId, Provenance, Role, Value};
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
    /// What nodes are for while a derivative rule runs, and whose source line they bear.
    scope: Option<(Option<SourceLine>, Role)>,
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
pub(crate) fn record<T>(
    graph: Graph,
    max_nodes: usize,
    oracle: Option<Oracle>,
    body: impl FnOnce() -> T,
) -> Result<(Graph, T), Error> {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    OPEN.with_borrow_mut(|open| open.push(Trace { id, graph, max_nodes, error: None, oracle, scope: None }));
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    let trace = OPEN.with_borrow_mut(Vec::pop).expect("bug: the trace was closed by another");
    match outcome {
        Ok(result) => match trace.error {
            None => Ok((trace.graph, result)),
            Some(error) => Err(error),
        },
        Err(payload) if payload.is::<Unwound>() => Err(trace.error.expect("bug: a trace was unwound without an error")),
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// Runs the body on the innermost trace.
///
/// # Panics
/// If no trace is open on this thread: there is no one to whom an error could be returned.
#[track_caller]
fn with_open<T>(body: impl FnOnce(&mut Trace) -> T) -> T {
    OPEN.with_borrow_mut(|open| match open.last_mut() {
        Some(trace) => body(trace),
        None => panic!("a `Var` was used while no trace is open on this thread; use it inside `trace` or `jit`"),
    })
}

impl Trace {
    fn fail(&mut self, error: impl Into<Error>) {
        self.error.get_or_insert(error.into());
    }

    /// The value behind a variable of this trace; anything else is recorded as an error.
    fn value(&mut self, x: Var, at: &'static Location<'static>) -> Option<Value> {
        if x.trace != self.id && !x.is_poisoned() {
            self.fail(TraceError::Escaped { at: SourceLine::Here(at) });
            return None;
        }
        x.value()
    }

    fn append(&mut self, op: Op, operands: &[Var], at: &'static Location<'static>) -> Option<NodeId> {
        let mut values = crate::ir::Operands::new();
        for &x in operands {
            values.push(self.value(x, at)?);
        }
        if self.graph.n_nodes() >= self.max_nodes {
            let place = Some(format!("at {at}"));
            self.fail(LimitError { what: "nodes of a trace", limit: self.max_nodes as u64, got: None, place });
            return None;
        }
        let provenance = match &self.scope {
            None => Provenance { at: Some(SourceLine::Here(at)), name: None, role: None },
            Some((at, role)) => Provenance { at: at.clone(), name: None, role: Some(*role) },
        };
        match self.graph.add(op, &values, provenance) {
            Ok(node) => Some(node),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }
}

/// Appends the application of an operation with one result.
#[track_caller]
pub(crate) fn apply(op: impl Into<Op>, operands: &[Var]) -> Var {
    let at = Location::caller();
    with_open(|trace| match trace.append(op.into(), operands, at) {
        Some(node) => Var::new(trace.id, node.into()),
        None => Var::poisoned(),
    })
}

/// The type of a variable, or `None` after an error.
#[track_caller]
pub(crate) fn type_of(x: Var) -> Option<Type> {
    let at = Location::caller();
    with_open(|trace| trace.value(x, at).map(|value| trace.graph.ty(value).clone()))
}

/// Records an error of the trace; what follows computes with poisoned variables.
#[track_caller]
pub(crate) fn fail(error: impl Into<Error>) {
    with_open(|trace| trace.fail(error));
}

/// Records that a requirement on traced values is not met, at the caller's line.
#[track_caller]
pub(crate) fn fail_at(requirement: String) {
    fail(TraceError::Value { requirement, at: SourceLine::Here(Location::caller()) });
}

/// Records that an operation has no derivative by an operand, at the line of the operation that is differentiated.
pub(crate) fn fail_no_rule(op: &'static str, operand: &'static str, reason: &'static str) {
    with_open(|trace| {
        let at = trace.scope.as_ref().and_then(|(at, _)| at.clone());
        trace.fail(DerivativeError::NoRule { op, operand, reason, at });
    });
}

/// Whether an error has been recorded.
pub(crate) fn has_failed() -> bool {
    with_open(|trace| trace.error.is_some())
}

/// Gives a variable's node a name.
pub(crate) fn set_name(x: Var, name: &str) {
    with_open(|trace| {
        if let Some(value) = x.value().filter(|_| x.trace == trace.id) {
            trace.graph.set_node_name(value.node, name);
        }
    });
}

/// The variable that stands for a value of the innermost trace.
pub(crate) fn variable(value: Value) -> Var {
    with_open(|trace| Var::new(trace.id, value))
}

/// Reads the graph so far.
pub(crate) fn inspect<T>(read: impl FnOnce(&Graph) -> T) -> T {
    with_open(|trace| read(&trace.graph))
}

/// Runs a derivative rule: the nodes that it makes bear the primal node's line, and the role.
pub(crate) fn in_role<T>(role: Role, body: impl FnOnce() -> T) -> T {
    let before = with_open(|trace| {
        let at = trace.graph.node(role.of().node).provenance().at.clone();
        trace.scope.replace((at, role))
    });
    let result = body();
    with_open(|trace| trace.scope = before);
    result
}

/// The outcome of a comparison, which a guard will demand from now on.
///
/// Unwinds to [`record`] if there is no answer.
#[track_caller]
pub(crate) fn decide(condition: Var) -> bool {
    let at = Location::caller();
    match with_open(|trace| trace.decide(condition, at)) {
        Some(outcome) => outcome,
        None => panic::resume_unwind(Box::new(Unwound)),
    }
}

impl Trace {
    fn decide(&mut self, condition: Var, at: &'static Location<'static>) -> Option<bool> {
        let value = self.value(condition, at)?;
        let ty = self.graph.ty(value);
        if ty.rank() != 0 {
            let requirement = format!("an `if` needs one truth value, but this comparison has type {ty}; use select");
            self.fail(TraceError::Value { requirement, at: SourceLine::Here(at) });
            return None;
        }
        let Some(oracle) = &mut self.oracle else {
            self.fail(TraceError::BranchWithoutValues { at: SourceLine::Here(at) });
            return None;
        };
        match oracle(&self.graph, value) {
            Ok(expect) => {
                self.graph.add_guard(Guard { value, expect, at: Some(SourceLine::Here(at)) });
                Some(expect)
            }
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }
}
