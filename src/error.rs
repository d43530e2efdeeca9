//! What can go wrong, by stage. Wrong input is always an [`Error`]; a panic that begins with "bug:" is a defect of
//! this crate.

use std::fmt;
use std::ops::Deref;
use std::panic;
use std::sync::Arc;

use crate::value::Type;

/// A place in the source of the program that was traced.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SourceLine {
    /// A line of the running program.
    Here(&'static panic::Location<'static>),
    /// A line that a file told of: `src/main.rs:12:18`.
    Recorded(Text),
}

/// A text that many hold, in one word: each node of a graph has room for two.
///
/// ```
/// use retrograd::error::Text;
///
/// let text = Text::from("src/main.rs:12:18");
/// assert!(text.starts_with("src") && text == text.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(Arc<Box<str>>);

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Arc::new(text.into()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(Arc::new(text.into()))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceLine::Here(location) => write!(f, "{location}"),
            SourceLine::Recorded(text) => f.write_str(text),
        }
    }
}

impl PartialEq for SourceLine {
    fn eq(&self, other: &SourceLine) -> bool {
        self.to_string() == other.to_string()
    }
}

/// Any error of this crate, by the stage at which it was found.
///
/// `Debug` writes what `Display` writes, so that a `main` that returns it ends with a message for people. The parts have
/// the `Debug` of their fields.
///
/// ```
/// use retrograd::{Error, Graph};
///
/// let error: Error = Graph::load("missing.json").unwrap_err();
/// assert_eq!(format!("{error:?}"), error.to_string());
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// An operation was applied to operands that it does not take.
    Operation(Box<OperationError>),
    /// A function could not be traced.
    Trace(TraceError),
    /// A function or a program was called with arguments that do not fit.
    Argument(ArgumentError),
    /// A derivative was asked for that is not defined.
    Derivative(DerivativeError),
    /// A graph breaks its invariants; every finding is listed.
    Verify(VerifyError),
    /// A limit was exceeded.
    Limit(LimitError),
    /// A compiled program left the path for which it was traced.
    Guard(GuardMiss),
    /// Native code could not be made.
    Compile(CompileError),
    /// The system gave no memory.
    Memory(MemoryError),
    /// A function of the host could not be called, or did not give its results.
    External(ExternalError),
    /// An index lies outside of an array.
    Index(Box<IndexError>),
    /// A file could not be read or written.
    Io(IoError),
}

/// An operation was applied to operands that it does not take.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OperationError {
    /// The operation's name.
    pub op: String,
    /// The requirement that is not met, and what it got instead.
    pub requirement: String,
    /// One line for each operand, as in a listing.
    pub operands: Vec<String>,
    /// The line that applied the operation.
    pub at: Option<SourceLine>,
}

/// A function of the host could not be called, or did not give its results; see [`external`](mod@crate::external).
///
/// ```
/// use retrograd::error::ExternalError;
/// use retrograd::value::Type;
/// use retrograd::{Error, Var, external, jit};
///
/// external::register("broken sensor", |_, _| Err("no reading"))?;
/// let error = jit(|x: Var| external("broken sensor", &[x], [x.ty()])[0]).call::<f64>(1.0).unwrap_err();
/// assert!(matches!(error, Error::External(ExternalError::Failed { message, .. }) if message == "no reading"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ExternalError {
    /// No function is registered under that name.
    Unknown {
        /// The name.
        name: String,
        /// The line that applies it, if it is known.
        at: Option<SourceLine>,
    },
    /// Another function is registered under that name.
    Taken {
        /// The name.
        name: String,
    },
    /// The function is registered for other types.
    Signature {
        /// The name.
        name: String,
        /// The types for which it is registered: `f64[3] -> f64[]`.
        expected: String,
        /// The types to which it is applied.
        got: String,
        /// The line that applies it, if it is known.
        at: Option<SourceLine>,
    },
    /// The function returned an error.
    Failed {
        /// The name.
        name: String,
        /// What the error says.
        message: String,
        /// The line that applies it, if it is known.
        at: Option<SourceLine>,
    },
    /// The function panicked.
    Panicked {
        /// The name.
        name: String,
        /// What the panic says.
        message: String,
        /// The line that applies it, if it is known.
        at: Option<SourceLine>,
    },
}

/// A function could not be traced.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TraceError {
    /// A comparison needed an answer, but the trace has types only.
    BranchWithoutValues {
        /// The line of the comparison.
        at: SourceLine,
    },
    /// A comparison needed an answer within the body of a loop or a branch, where values change from iteration to iteration.
    BranchInRegion {
        /// The line of the comparison.
        at: SourceLine,
    },
    /// A `Var` was used outside the trace that made it.
    Escaped {
        /// The line of the use.
        at: SourceLine,
    },
    /// More than one distinct outcome was followed than `jit` may compile.
    TooManyPaths {
        /// The limit.
        limit: usize,
        /// The comparison that asked for one more path.
        at: Option<SourceLine>,
    },
    /// A compiled function was called while it was traced: by itself, or by what it calls.
    Recursive {
        /// The name of its graph.
        name: String,
        /// The line of the call.
        at: SourceLine,
    },
    /// A value of another dtype or shape was needed, as in `Var::from` a number beyond the dtype.
    Value {
        /// What was needed, and what it got.
        requirement: String,
        /// The line that asked.
        at: SourceLine,
    },
}

/// A function or a program was called with arguments that do not fit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ArgumentError {
    /// Another number of arguments.
    Count {
        /// What takes the arguments: a function's or a program's name.
        of: String,
        /// How many it takes.
        expected: usize,
        /// How many it got.
        got: usize,
    },
    /// An argument of another dtype or shape.
    Type {
        /// The leaf: `x`, `params.0`.
        name: String,
        /// What it takes.
        expected: Type,
        /// What it got.
        got: Type,
    },
    /// Another structure of tuples and lists.
    Structure {
        /// The place in the arguments or results.
        name: String,
        /// What stands there.
        expected: String,
        /// What it got.
        got: String,
    },
    /// A name that nothing has.
    Unknown {
        /// What kind of thing was named: "input", "output", "graph".
        kind: &'static str,
        /// The name.
        name: String,
        /// Names that exist.
        known: Vec<String>,
    },
    /// A name without a value.
    Missing {
        /// What kind of thing: "input".
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A value that cannot be read as what it stands for.
    Value {
        /// The leaf.
        name: String,
        /// What was needed, and what it got.
        requirement: String,
    },
    /// An argument or a result of a call does not fit.
    Call {
        /// What does not fit.
        error: Box<ArgumentError>,
        /// The line of the call.
        at: SourceLine,
    },
}

/// A derivative was asked for that is not defined.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DerivativeError {
    /// The gradient of an output that is not a scalar.
    NotScalar {
        /// The output's name.
        name: String,
        /// Its type.
        ty: Type,
        /// The line that computed it, if it is known.
        at: Option<SourceLine>,
    },
    /// A derivative of or by a value that is not a floating-point number.
    NotFloat {
        /// The leaf's name.
        name: String,
        /// Its type.
        ty: Type,
        /// The line that computed it, if it is known; for an input of a traced function, the user's line that was met last.
        at: Option<SourceLine>,
    },
    /// A derivative of an operation by an operand by which it has none.
    NoRule {
        /// The operation.
        op: &'static str,
        /// The operand.
        operand: &'static str,
        /// Why it has none.
        reason: &'static str,
        /// The line of the operation, if it is known.
        at: Option<SourceLine>,
    },
    /// The first order agrees with differences, but there is no second (found by `check_grad`).
    NoSecondOrder {
        /// Why there is none.
        reason: String,
    },
    /// A derivative and a difference quotient disagree (found by `check_grad`).
    Mismatch {
        /// The leaf and element.
        name: String,
        /// What the derivative says.
        derivative: f64,
        /// What differences say.
        difference: f64,
        /// How far apart they may be.
        tolerance: f64,
    },
}

/// A graph breaks its invariants.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VerifyError {
    /// All that was found, in the order of the document.
    pub findings: Vec<Finding>,
}

/// One broken invariant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The graph and node, or the line and column of a document: `loss.n5`, `line 3 column 7`.
    pub place: String,
    /// The invariant, and what was found instead.
    pub message: String,
    /// What the author may have meant.
    pub hint: Option<String>,
}

/// A limit was exceeded.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitError {
    /// What is limited: "nodes of a trace", "bytes of a value".
    pub what: &'static str,
    /// The limit.
    pub limit: u64,
    /// What was asked for, if it is known.
    pub got: Option<u64>,
    /// Where.
    pub place: Option<String>,
}

/// A comparison came out otherwise than when the function was traced.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GuardMiss {
    /// The position of the guard in the graph's list.
    pub guard: usize,
    /// The outcome for which the program was traced.
    pub expected: bool,
    /// The line of the comparison.
    pub at: Option<SourceLine>,
}

/// An index that a program computed, or was given, lies outside of an array.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Error, Var, jit};
///
/// let rows = jit(|x: Var, i: Var| x.take(i, 0));
/// let error = rows.call::<Array1<f64>>(array![1.0, 2.0], array![1i64, 2, 0]).unwrap_err();
/// let Error::Index(error) = error else { panic!("{error}") };
/// assert_eq!((error.index, error.extent, &error.position[..]), (2, 2, &[1][..]));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IndexError {
    /// The operation's name.
    pub op: &'static str,
    /// The number of the node in its graph, or region.
    pub node: Option<usize>,
    /// The index.
    pub index: i64,
    /// Where it is among the indices: one number for each axis, but for that of index vectors.
    pub position: Vec<usize>,
    /// The axis to which it belongs.
    pub axis: usize,
    /// The extent of that axis.
    pub extent: usize,
    /// How many elements along the axis are taken or written from the index on.
    pub size: usize,
    /// The line that applies the operation, if it is known.
    pub at: Option<SourceLine>,
}

/// Native code could not be made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CompileError {
    /// What the code generator said.
    pub message: String,
}

/// The system gave no memory for something of a size that a graph or a file asks for. What is asked for beyond a limit is
/// a [`LimitError`] instead.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryError {
    /// What takes the memory: "working memory of loss", `f64[1000000]`.
    pub what: String,
    /// How many bytes.
    pub bytes: u64,
}

/// A file could not be read or written.
#[derive(Clone, Debug, PartialEq)]
pub struct IoError {
    /// The file.
    pub path: String,
    /// What was tried: "read", "write".
    pub action: &'static str,
    /// What the system said.
    pub message: String,
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Operation(e) => e.fmt(f),
            Error::Trace(e) => e.fmt(f),
            Error::Argument(e) => e.fmt(f),
            Error::Derivative(e) => e.fmt(f),
            Error::Verify(e) => e.fmt(f),
            Error::Limit(e) => e.fmt(f),
            Error::Guard(e) => e.fmt(f),
            Error::Compile(e) => e.fmt(f),
            Error::Memory(e) => e.fmt(f),
            Error::External(e) => e.fmt(f),
            Error::Index(e) => e.fmt(f),
            Error::Io(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.op, self.requirement)?;
        for operand in &self.operands {
            write!(f, "\n  {operand}")?;
        }
        write_at(f, self.at.as_ref())
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::BranchWithoutValues { at } => write!(
                f,
                "trace: a comparison of traced values needs an answer here, but this trace has types only; \
                 trace with values (`jit`), or use `select`, `cond` or `while_loop`\n  at {at}"
            ),
            TraceError::BranchInRegion { at } => write!(
                f,
                "trace: a comparison cannot decide an `if`, or end a `while`, in what is traced once for all of its runs: the body of \
                 a loop or a branch, or a function given to vmap, checkpoint or a custom rule; use `select`, `cond` or \
                 `while_loop`\n  at {at}"
            ),
            TraceError::Escaped { at } => {
                write!(
                    f,
                    "trace: this value belongs to a trace that is not the one open here; what is to leave the body of a \
                     loop or a branch must be returned by its closure\n  at {at}"
                )
            }
            TraceError::Recursive { name, at } => {
                write!(
                    f,
                    "jit: {name} is called while it is traced, and would wait for itself; call the plain function \
                     instead, or use `while_loop`\n  at {at}"
                )
            }
            TraceError::TooManyPaths { limit, at } => {
                write!(
                    f,
                    "jit: comparisons split this function into more than {limit} paths; `Jit::max_paths` allows more, and \
                     with `select`, `cond` or `while_loop` all are one"
                )?;
                write_at(f, at.as_ref())
            }
            TraceError::Value { requirement, at } => write!(f, "trace: {requirement}\n  at {at}"),
        }
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArgumentError::Count { of, expected, got } => {
                write!(f, "{of}: takes {expected} arguments, but got {got}")
            }
            ArgumentError::Type { name, expected, got } => {
                write!(f, "{}: takes {expected}, but got {got}", OneLine(name))
            }
            ArgumentError::Structure { name, expected, got } => {
                write!(f, "{}: takes {expected}, but got {got}", OneLine(name))
            }
            ArgumentError::Unknown { kind, name, known } => {
                write!(f, "there is no {kind} \"{}\"", OneLine(name))?;
                match closest(name, known.iter().map(String::as_str)) {
                    Some(meant) => write!(f, "; did you mean \"{}\"?", OneLine(meant)),
                    None if known.is_empty() => Ok(()),
                    None => {
                        let names: Vec<String> = known.iter().map(|name| in_list(name)).collect();
                        write!(f, "; there are: {}", names.join(", "))
                    }
                }
            }
            ArgumentError::Missing { kind, name } => write!(f, "{kind} \"{}\" has no value", OneLine(name)),
            ArgumentError::Value { name, requirement } => write!(f, "{}: {requirement}", OneLine(name)),
            ArgumentError::Call { error, at } => {
                error.fmt(f)?;
                write_at(f, Some(at))
            }
        }
    }
}

/// A name on one line: names come from files, which must not be able to add lines to a message.
struct OneLine<'n>(&'n str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.split('\n');
        f.write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| write!(f, "\\n{part}"))
    }
}

/// A name in a list with commas: in quotes if it could be read as several, or as none.
fn in_list(name: &str) -> String {
    let is_plain = !name.is_empty() && !name.contains([',', ' ', '"']);
    if is_plain { OneLine(name).to_string() } else { format!("\"{}\"", OneLine(name)) }
}

impl ArgumentError {
    /// The same error, seen from one level further up: its leaf lies below `place`.
    pub fn within(mut self, place: impl fmt::Display) -> ArgumentError {
        match &mut self {
            ArgumentError::Type { name, .. }
            | ArgumentError::Structure { name, .. }
            | ArgumentError::Value { name, .. } => {
                *name = if name.is_empty() { place.to_string() } else { format!("{place}.{name}") };
            }
            ArgumentError::Call { error, .. } => **error = error.clone().within(place),
            ArgumentError::Count { .. } | ArgumentError::Unknown { .. } | ArgumentError::Missing { .. } => {}
        }
        self
    }

    /// The same error, of a call at that line.
    pub(crate) fn of_call(self, at: &'static panic::Location<'static>) -> ArgumentError {
        ArgumentError::Call { error: Box::new(self), at: SourceLine::Here(at) }
    }
}

impl fmt::Display for DerivativeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DerivativeError::NotScalar { name, ty, at } => {
                write!(f, "grad: output \"{name}\" must be a scalar, but is {ty}; use jacobian or vjp, or sum it")?;
                write_at(f, at.as_ref())
            }
            DerivativeError::NotFloat { name, ty, at } => {
                write!(f, "derivative: \"{name}\" must be of floating point, but is {ty}")?;
                write_at(f, at.as_ref())
            }
            DerivativeError::NoRule { op, operand, reason, at } => {
                write!(f, "{op}: has no derivative by its {operand} operand; {reason}")?;
                write_at(f, at.as_ref())
            }
            DerivativeError::NoSecondOrder { reason } => {
                write!(f, "check_grad: the first order agrees with differences, but there is no second: {reason}")
            }
            DerivativeError::Mismatch { name, derivative, difference, .. } if difference.is_nan() => {
                write!(
                    f,
                    "check_grad: at {name} there are no differences, since the function is NaN at the point or beside it"
                )?;
                if derivative.is_nan() { Ok(()) } else { write!(f, "; the derivative is {derivative:e}") }
            }
            DerivativeError::Mismatch { name, derivative, difference, tolerance } => write!(
                f,
                "check_grad: at {name} the derivative is {derivative:e}, but differences give {difference:e} \
                 (tolerance {tolerance:e})"
            ),
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, finding) in self.findings.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// What is limited where a function is traced.
pub(crate) const NODES_OF_A_TRACE: &str = "nodes of a trace";

/// What is limited where a solver runs.
pub(crate) const ITERATIONS_OF_A_SOLVER: &str = "iterations";

/// What is limited where loops run whose derivative will be taken back through them.
pub(crate) const LOOP_MEMORY: &str = "bytes that loops save for the reverse mode";

/// What counts the results of a loop with what it saves.
pub(crate) const SAVED_VALUES: &str = "values that a node gives and saves for its derivative";

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "limit of {} {} exceeded", self.limit, self.what)?;
        if let Some(got) = self.got {
            write!(f, ": got {got}")?;
        }
        // Those that a program meets by what it does, and not by what it reads.
        match self.what {
            NODES_OF_A_TRACE => f.write_str(
                "; `Jit::max_nodes` allows more, and `while_loop`, `fori_loop` and `scan` keep loops as loops",
            ),
            SAVED_VALUES => f.write_str("; a `checkpoint` within a loop lets its derivative save less"),
            LOOP_MEMORY => {
                f.write_str("; `Program::with_loop_memory` allows more, and `checkpoint` lets loops save less")
            }
            ITERATIONS_OF_A_SOLVER => {
                let of_bracket = self.place.as_ref().is_some_and(|place| place.starts_with("bracket"));
                let reason = if of_bracket { ", as where the function has the same sign at both ends" } else { "" };
                write!(f, "; it has not converged{reason}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for GuardMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "guard {}: this program holds the path on which the comparison is {}, but it is {} for these inputs",
            self.guard, self.expected, !self.expected
        )?;
        write_at(f, self.at.as_ref())
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "compile: {}", self.message)
    }
}

impl MemoryError {
    /// The error of a value of that type.
    pub(crate) fn of(ty: &Type) -> MemoryError {
        MemoryError { what: ty.to_string(), bytes: ty.checked_bytes().map_or(u64::MAX, |bytes| bytes as u64) }
    }
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of memory: {} takes {} bytes, which the system does not give", self.what, self.bytes)
    }
}

impl fmt::Display for ExternalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = match self {
            ExternalError::Unknown { name, at } => {
                write!(
                    f,
                    "external: this program has registered no function \"{}\"; retrograd::external::register does, \
                     before the graph is traced, compiled or run, and the command registers none",
                    OneLine(name)
                )?;
                at
            }
            ExternalError::Taken { name } => {
                write!(f, "external: the name \"{}\" is taken; use another, or external::replace", OneLine(name))?;
                &None
            }
            ExternalError::Signature { name, expected, got, at } => {
                let name = OneLine(name);
                write!(f, "external function \"{name}\": is registered for {expected}, but is applied to {got}")?;
                at
            }
            ExternalError::Failed { name, message, at } => {
                write!(f, "external function \"{}\": {message}", OneLine(name))?;
                at
            }
            ExternalError::Panicked { name, message, at } => {
                write!(f, "external function \"{}\": panicked: {message}", OneLine(name))?;
                at
            }
        };
        write_at(f, at.as_ref())
    }
}

impl std::error::Error for ExternalError {}

impl IndexError {
    /// The error of a node of a graph.
    pub(crate) fn located(mut self, node: usize, at: Option<&SourceLine>) -> IndexError {
        self.node = Some(node);
        self.at = at.cloned();
        self
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: index {}", self.op, self.index)?;
        if !self.position.is_empty() {
            write!(f, " at {:?}", self.position)?;
        }
        let limit = (self.extent + 1).saturating_sub(self.size);
        write!(f, " must lie within 0..{limit}, for ")?;
        if self.size != 1 {
            write!(f, "{} elements along ", self.size)?;
        }
        write!(f, "axis {} of extent {}", self.axis, self.extent)?;
        if let Some(node) = self.node {
            write!(f, ", in %{node}")?;
        }
        write_at(f, self.at.as_ref())
    }
}

impl std::error::Error for IndexError {}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path, self.message)
    }
}

fn write_at(f: &mut fmt::Formatter<'_>, at: Option<&SourceLine>) -> fmt::Result {
    match at {
        Some(at) => write!(f, "\n  at {at}"),
        None => Ok(()),
    }
}

macro_rules! from_stage {
    ($($stage:ident($error:ty)),* $(,)?) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Error {
                Error::$stage(error.into())
            }
        }
    )*};
}
from_stage!(
    Operation(OperationError),
    Trace(TraceError),
    Argument(ArgumentError),
    Derivative(DerivativeError),
    Verify(VerifyError),
    Memory(MemoryError),
    Limit(LimitError),
    Guard(GuardMiss),
    Compile(CompileError),
    External(ExternalError),
    Index(IndexError),
    Io(IoError),
);

/// The known name that is nearest to a mistyped one, if any is near: at most a third of it has to change. Of equally
/// near ones it is the one of most nearly the same length, and of these the first.
pub(crate) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (edit_distance(name, candidate), name.len().max(candidate.len()), candidate))
        .filter(|&(distance, len, _)| distance * 3 <= len.max(3) && distance < len)
        .min_by_key(|&(distance, _, candidate)| (distance, name.len().abs_diff(candidate.len())))
        .map(|(_, _, candidate)| candidate)
}

/// Levenshtein's distance, by rows, in which two neighbors that have changed places count once. Names longer than 64
/// bytes are not worth the quadratic time.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().max(b.len()) > 64 {
        return usize::MAX / 3;
    }
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let replace = row[j] + usize::from(a[i] != b[j]);
            let distance = replace.min(next[j] + 1).min(row[j + 1] + 1);
            let swapped = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
            next.push(if swapped { distance.min(before[j - 1] + 1) } else { distance });
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_on_their_line_and_apart_from_each_other() {
        let unknown = |name: &str, known: &[&str]| {
            let known = known.iter().map(|name| name.to_string()).collect();
            ArgumentError::Unknown { kind: "input", name: name.to_string(), known }.to_string()
        };
        let message = unknown("zz\nerror: all is well", &["a", "a,b", "", "c\nd"]);
        assert_eq!(message, "there is no input \"zz\\nerror: all is well\"; there are: a, \"a,b\", \"\", c\\nd");
        let value = ArgumentError::Value { name: "x\ny".to_string(), requirement: "is named twice".to_string() };
        assert_eq!(value.to_string(), "x\\ny: is named twice");
    }

    #[test]
    fn near_names_are_suggested() {
        let known = ["tan", "tanh", "transpose"];
        assert_eq!(closest("tahn", known.into_iter()), Some("tanh"));
        assert_eq!(closest("tanhh", known.into_iter()), Some("tanh"));
        assert_eq!(closest("transpoze", known.into_iter()), Some("transpose"));
        assert_eq!(closest("weights", known.into_iter()), None);
        assert_eq!(closest("x", ["y", "xs"].into_iter()), Some("xs"));
    }
}
