//! The reference evaluator: calls each operation's `eval` in order. Results of native code are compared with it, bit
//! for bit.

use std::sync::Arc;

use crate::error::{
    ArgumentError, Error, GuardMiss, ITERATIONS_OF_A_SOLVER, LOOP_MEMORY, LimitError, MemoryError, SourceLine,
};
use crate::ir::{NodeId, Provenance, Value};
use crate::op::{ByRole, Graph, Op, Revolve, Roles, Scan, While};
use crate::stack;
use crate::value::{Array, Scalar, Type, with_element};

/// The default limit on the bytes of stacks in a run.
pub(crate) const DEFAULT_LOOP_BYTES: u64 = 4 << 30;

/// The default limit on the total bytes of a run.
const DEFAULT_BYTES: u64 = 16 << 30;

/// The memory that an array takes besides its elements: its entry in a growing list, which may have twice the necessary
/// capacity, and the overhead of heap blocks for its elements and their reference count.
const ARRAY_BYTES: u64 = 2 * size_of::<Datum>() as u64 + 96;

/// Smaller blocks are not allocated tentatively.
const MIN_TRIAL: usize = 1 << 20;

/// Evaluates a graph.
///
/// ```
/// use retrograd::value::{Array, DType};
/// use retrograd::{Var, interpret, trace};
///
/// let graph = trace(|x: Var| x * x + 1.0, (DType::F64,))?;
/// let outputs = interpret::run(&graph, &[Array::scalar(3.0)])?;
/// assert_eq!(outputs, [Array::scalar(10.0)]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If the number or types of the inputs are not the graph's, a guard does not hold, or the run exceeds a limit: the
/// number of iterations of a loop, 4 GiB of stacks, or 16 GiB of memory in total. All values are kept until the end of
/// the run, those of a region until the end of the region.
pub fn run(graph: &Graph, inputs: &[Array]) -> Result<Vec<Array>, Error> {
    run_within(graph, inputs, DEFAULT_BYTES)
}

/// Evaluates a graph, as [`run`] does, with another limit of memory.
///
/// ```
/// use retrograd::value::{Array, DType, Type};
/// use retrograd::{Var, interpret, trace};
///
/// let graph = trace(|x: Var| x.broadcast_to(&[1_000_000]).exp().sum(), (DType::F64,))?;
/// let x = [Array::scalar(0.0)];
/// assert_eq!(interpret::run_within(&graph, &x, 20_000_000)?, [Array::scalar(1e6)]);
/// let error = interpret::run_within(&graph, &x, 10_000_000).unwrap_err();
/// assert_eq!(error.to_string(), "limit of 10000000 bytes of memory for a run exceeded");
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`run`].
pub fn run_within(graph: &Graph, inputs: &[Array], max_bytes: u64) -> Result<Vec<Array>, Error> {
    check_inputs(graph, inputs.iter().map(Array::ty))?;
    stack::for_levels(graph.depth(), || evaluate(graph, inputs, max_bytes))
}

fn evaluate(graph: &Graph, inputs: &[Array], max_bytes: u64) -> Result<Vec<Array>, Error> {
    let mut evaluator = Evaluator::within(Budget::new(max_bytes), inputs.to_vec());
    for (position, guard) in graph.guards().iter().enumerate() {
        if evaluator.value(graph, guard.value)?.as_slice::<bool>() != Some(&[guard.expect]) {
            return Err(GuardMiss { guard: position, expected: guard.expect, at: guard.at.clone() }.into());
        }
    }
    graph.outputs().iter().map(|output| evaluator.value(graph, output.value)).collect()
}

/// A result of a node: an array, or a stack of arrays that a loop has saved.
#[derive(Clone)]
enum Datum {
    Array(Array),
    Stack(Arc<Vec<Array>>),
}

/// Evaluates values of a growing graph on demand, each node once.
pub(crate) struct Evaluator {
    results: Vec<Option<Arc<[Datum]>>>,
    budget: Budget,
}

/// The memory that a run may still allocate, in bytes.
#[derive(Clone, Copy)]
struct Budget {
    limit: u64,
    left: u64,
    /// For stacks.
    of_loops: u64,
}

impl Budget {
    fn new(limit: u64) -> Budget {
        Budget { limit, left: limit, of_loops: DEFAULT_LOOP_BYTES }
    }

    /// Counts an array that will be allocated and kept, and checks that the system has the memory.
    fn take(&mut self, ty: &Type) -> Result<(), Error> {
        let bytes = array_bytes(ty);
        let exceeded = LimitError { what: "bytes of memory for a run", limit: self.limit, got: None, place: None };
        self.left = self.left.checked_sub(bytes).ok_or(exceeded)?;
        match ty.checked_bytes() {
            Some(bytes) if bytes < MIN_TRIAL || Vec::<u8>::new().try_reserve_exact(bytes).is_ok() => Ok(()),
            _ => Err(MemoryError::of(ty).into()),
        }
    }

    /// Counts an array on a stack.
    fn save(&mut self, ty: &Type) -> Result<(), Error> {
        let bytes = array_bytes(ty);
        self.of_loops = self.of_loops.checked_sub(bytes).ok_or_else(|| too_much_loop_memory(DEFAULT_LOOP_BYTES))?;
        let exceeded = LimitError { what: "bytes of memory for a run", limit: self.limit, got: None, place: None };
        self.left = self.left.checked_sub(bytes).ok_or(exceeded)?;
        Ok(())
    }
}

/// The total memory of an array.
fn array_bytes(ty: &Type) -> u64 {
    ty.checked_bytes().map_or(u64::MAX, |bytes| ARRAY_BYTES.saturating_add(bytes as u64))
}

impl Evaluator {
    /// An evaluator for a graph with these inputs.
    pub fn new(graph: &Graph, inputs: Vec<Array>) -> Result<Evaluator, Error> {
        check_inputs(graph, inputs.iter().map(Array::ty))?;
        let inputs = inputs.into_iter().map(Array::into_row_major).collect();
        Ok(Evaluator::within(Budget::new(DEFAULT_BYTES), inputs))
    }

    fn within(budget: Budget, inputs: Vec<Array>) -> Evaluator {
        let known = |input| Some(Arc::from([Datum::Array(input)]));
        Evaluator { results: inputs.into_iter().map(known).collect(), budget }
    }

    /// A value, computed together with the values that it needs and that are not known yet.
    ///
    /// # Errors
    /// If the run exceeds a limit.
    pub fn value(&mut self, graph: &Graph, value: Value) -> Result<Array, Error> {
        self.results.resize(graph.n_nodes(), None);
        // An explicit stack, since recursion over a deep graph would overflow the machine's.
        let mut pending = vec![value.node];
        while let Some(&node) = pending.last() {
            if self.is_known(graph, node) {
                pending.pop();
                continue;
            }
            let operands = graph.operands(node);
            let before = pending.len();
            pending.extend(operands.iter().map(|x| x.node).filter(|&x| !self.is_known(graph, x)));
            if pending.len() > before {
                continue;
            }
            pending.pop();
            let x: Vec<Datum> = operands.iter().map(|&x| self.known(x).clone()).collect();
            self.results[node.index()] = Some(self.evaluate(graph, node, x)?.into());
        }
        Ok(self.known(value).array().clone())
    }

    /// Whether all results are known: a loop may have been extended after it was evaluated.
    fn is_known(&self, graph: &Graph, node: NodeId) -> bool {
        self.results[node.index()].as_ref().is_some_and(|results| results.len() == graph.node(node).types().len())
    }

    fn known(&self, value: Value) -> &Datum {
        let results = self.results[value.node.index()].as_ref();
        &results.expect("bug: an operand was not evaluated")[usize::from(value.result)]
    }

    fn evaluate(&mut self, graph: &Graph, id: NodeId, x: Vec<Datum>) -> Result<Vec<Datum>, Error> {
        let node = graph.node(id);
        let op = node.op().expect("bug: an input without a value");
        node.types().iter().filter(|ty| !ty.stack).try_for_each(|ty| self.budget.take(ty))?;
        if let Op::External(op) = op {
            let x: Vec<&Array> = x.iter().map(Datum::array).collect();
            let results = op.call(&x, node.provenance().at.as_ref())?;
            return Ok(results.into_iter().map(Datum::Array).collect());
        }
        let Some(roles) = op.roles() else {
            let x: Vec<&Array> = x.iter().map(Datum::array).collect();
            let results = op.try_eval(&x, node.types()).map_err(|error| {
                let at = node.provenance().at.as_ref();
                error.located(id.index(), at)
            })?;
            return Ok(results.into_iter().map(Datum::Array).collect());
        };
        let mut control = Control { regions: node.regions(), provenance: node.provenance(), evaluator: self };
        match op {
            Op::Cond(_) => control.branch(usize::from(x[0].array().get(0) != Some(Scalar::Bool(true))), &x[1..]),
            Op::Switch(_) => {
                let last = node.regions().len() as i64 - 1;
                let Some(Scalar::I64(index)) = x[0].array().get(0) else { unreachable!("bug: an index that is none") };
                control.branch(index.clamp(0, last) as usize, &x[1..])
            }
            Op::Checkpoint(_) | Op::Custom(_) => control.branch(0, &x),
            Op::While(op) => control.repeat(op, &x),
            Op::Scan(op) => control.scan(op, &roles, &x, node.types()),
            Op::Revolve(op) => control.revolve(op, &roles, &arrays(&x), node.types()),
            other => unreachable!("bug: {} is not control flow", other.name()),
        }
    }
}

impl Datum {
    fn array(&self) -> &Array {
        match self {
            Datum::Array(array) => array,
            Datum::Stack(_) => unreachable!("bug: a stack among arrays"),
        }
    }

    fn stack(&self) -> &[Array] {
        match self {
            Datum::Stack(arrays) => arrays,
            Datum::Array(_) => unreachable!("bug: an array among stacks"),
        }
    }
}

fn arrays(data: &[Datum]) -> Vec<Array> {
    data.iter().map(|x| x.array().clone()).collect()
}

/// An operation with regions under evaluation.
struct Control<'e> {
    regions: &'e [Arc<Graph>],
    provenance: &'e Provenance,
    evaluator: &'e mut Evaluator,
}

impl Control<'_> {
    fn call(&mut self, region: usize, inputs: Vec<Array>) -> Result<Vec<Array>, Error> {
        let region = &self.regions[region];
        let mut inner = Evaluator::within(self.evaluator.budget, inputs);
        region.outputs().iter().map(|output| inner.value(region, output.value)).collect()
    }

    fn branch(&mut self, region: usize, x: &[Datum]) -> Result<Vec<Datum>, Error> {
        Ok(self.call(region, arrays(x))?.into_iter().map(Datum::Array).collect())
    }

    fn repeat(&mut self, op: &While, x: &[Datum]) -> Result<Vec<Datum>, Error> {
        let mut state = arrays(x);
        let mut saved: Vec<Vec<Array>> = vec![Vec::new(); self.regions[1].outputs().len() - op.carry];
        let mut n_iterations = 0;
        while self.call(0, state.clone())?[0].get(0) == Some(Scalar::Bool(true)) {
            if op.max_trips.is_some_and(|limit| n_iterations >= limit) {
                return Err(too_many_iterations(op, self.provenance).into());
            }
            n_iterations += 1;
            let mut next = self.call(1, state.clone())?;
            for (stack, array) in saved.iter_mut().zip(next.drain(op.carry..)) {
                self.push(stack, array)?;
            }
            state.splice(..op.carry, next);
        }
        state.truncate(op.carry);
        let stacks = saved.into_iter().map(|stack| Datum::Stack(stack.into()));
        Ok(state.into_iter().map(Datum::Array).chain(stacks).collect())
    }

    fn scan(&mut self, op: &Scan, roles: &Roles, x: &[Datum], types: &[Type]) -> Result<Vec<Datum>, Error> {
        let ByRole { carry, rows: xs, fixed, .. } = roles.split(x);
        let (mut carry, rest) = (arrays(carry), arrays(fixed));
        let n = op.length.unwrap_or_else(|| xs[0].stack().len());
        too_long(n, self.provenance.at.as_ref())?;
        let mut rows = types[op.carry..].iter().map(Rows::new).collect::<Result<Vec<Rows>, _>>()?;
        for iteration in 0..n {
            let index = if op.reverse { n - 1 - iteration } else { iteration };
            let mut inputs = vec![Array::scalar(index as i64)];
            inputs.extend(carry);
            inputs.extend(xs.iter().map(|x| match x {
                Datum::Array(array) => row(array, index),
                Datum::Stack(stack) => stack[index].clone(),
            }));
            inputs.extend(rest.iter().cloned());
            carry = self.call(0, inputs)?;
            for (rows, y) in rows.iter_mut().zip(carry.drain(op.carry..)) {
                match rows {
                    Rows::Stack(stack) => self.push(stack, y)?,
                    Rows::Array(array) => set_row(array, index, &y),
                }
            }
        }
        let ys = rows.into_iter().map(|rows| match rows {
            Rows::Stack(mut stack) => {
                if op.reverse {
                    stack.reverse();
                }
                Datum::Stack(stack.into())
            }
            Rows::Array(array) => Datum::Array(array),
        });
        Ok(carry.into_iter().map(Datum::Array).chain(ys).collect())
    }

    /// Keeps every state regardless of the schedule, which does not affect results.
    fn revolve(&mut self, op: &Revolve, roles: &Roles, x: &[Array], types: &[Type]) -> Result<Vec<Datum>, Error> {
        const ADVANCE: usize = 0;
        const REVERSE: usize = 1;
        too_long(op.length, self.provenance.at.as_ref())?;
        let ByRole { carry: cts, state, rows: xs, fixed: rest, .. } = roles.split(x);
        let inputs = |iteration: usize, cts: &[Array], state: &[Array]| {
            let index = if op.reverse { op.length - 1 - iteration } else { iteration };
            let mut inputs = vec![Array::scalar(index as i64)];
            inputs.extend(cts.iter().chain(state).cloned());
            inputs.extend(xs.iter().map(|x| row(x, index)));
            inputs.extend(rest.iter().cloned());
            inputs
        };
        let mut states: Vec<Vec<Array>> = vec![Vec::new(); op.carry];
        let mut next = state.to_vec();
        for iteration in 0..op.length {
            if iteration > 0 {
                next = self.call(ADVANCE, inputs(iteration - 1, &[], &next))?;
            }
            for (states, state) in states.iter_mut().zip(&next) {
                self.push(states, state.clone())?;
            }
        }
        let mut cts = cts.to_vec();
        let mut ys = types[op.cts..].iter().map(Array::try_zeros).collect::<Result<Vec<Array>, _>>()?;
        for iteration in (0..op.length).rev() {
            let state: Vec<Array> = states.iter().map(|states| states[iteration].clone()).collect();
            cts = self.call(REVERSE, inputs(iteration, &cts, &state))?;
            let index = if op.reverse { op.length - 1 - iteration } else { iteration };
            ys.iter_mut().zip(cts.drain(op.cts..)).for_each(|(array, y)| set_row(array, index, &y));
        }
        Ok(cts.into_iter().chain(ys).map(Datum::Array).collect())
    }

    /// Pushes onto a stack, within the limit of memory.
    fn push(&mut self, stack: &mut Vec<Array>, array: Array) -> Result<(), Error> {
        self.evaluator.budget.save(&array.ty())?;
        stack.push(array);
        Ok(())
    }
}

/// The values that a scan collects.
enum Rows {
    Array(Array),
    Stack(Vec<Array>),
}

impl Rows {
    fn new(ty: &Type) -> Result<Rows, MemoryError> {
        if ty.stack { Ok(Rows::Stack(Vec::new())) } else { Array::try_zeros(ty).map(Rows::Array) }
    }
}

/// Writes one row of an array.
fn set_row(array: &mut Array, index: usize, row: &Array) {
    with_element!(array.dtype(), T => {
        let row = row.as_slice::<T>().expect("bug: a row of another dtype");
        let mut view = array.view_mut();
        let all = view.typed::<T>().as_slice_mut().expect("bug: an array with gaps");
        all[index * row.len()..][..row.len()].copy_from_slice(row);
    });
}

/// One row of an array.
fn row(array: &Array, index: usize) -> Array {
    let (_, ty) = array.ty().row().expect("bug: a row of a scalar");
    let n = ty.size();
    let element = |k: usize| array.get(k).expect("bug: a row beyond its array");
    Array::collect(&ty, (index * n..(index + 1) * n).map(element))
}

/// The names that loops of solvers bear.
const SOLVERS: [&str; 5] = ["bracket", "fixed_point", "linear_solve", "minimize", "root"];

/// The error of a loop with more iterations than its limit. Where it is a solver's, it bears the solver's name.
pub(crate) fn too_many_iterations(op: &While, provenance: &Provenance) -> LimitError {
    let limit = op.max_trips.expect("bug: a limit that is none");
    let name = provenance.name.as_deref().unwrap_or("while");
    let place = provenance.at.as_ref().map_or_else(|| name.to_string(), |at| format!("{name}, at {at}"));
    let what = if SOLVERS.contains(&name) { ITERATIONS_OF_A_SOLVER } else { "iterations of a loop" };
    LimitError { what, limit, got: None, place: Some(place) }
}

/// Checks that an `i64` can count the iterations of a loop.
pub(crate) fn too_long(n_iterations: usize, at: Option<&SourceLine>) -> Result<(), LimitError> {
    let limit = i64::MAX as u64;
    match n_iterations as u64 {
        n if n <= limit => Ok(()),
        n => {
            let place = at.map(|at| format!("at {at}"));
            Err(LimitError { what: "iterations of a loop", limit, got: Some(n), place })
        }
    }
}

/// The error of loops that save more than the limit.
pub(crate) fn too_much_loop_memory(limit: u64) -> LimitError {
    LimitError { what: LOOP_MEMORY, limit, got: None, place: None }
}

/// Checks that the inputs have the graph's number and types.
fn check_inputs(graph: &Graph, types: impl ExactSizeIterator<Item = Type>) -> Result<(), ArgumentError> {
    let expected = graph.inputs().iter().map(|input| (&*input.name, graph.ty(input.node.into())));
    check_input_types(graph.name(), expected, types)
}

/// Checks that the inputs have the expected number and types.
pub(crate) fn check_input_types<'a>(
    of: &str,
    expected: impl ExactSizeIterator<Item = (&'a str, &'a Type)>,
    types: impl ExactSizeIterator<Item = Type>,
) -> Result<(), ArgumentError> {
    if types.len() != expected.len() {
        return Err(ArgumentError::Count { of: of.to_string(), expected: expected.len(), got: types.len() });
    }
    for ((name, expected), got) in expected.zip(types) {
        if *expected != got {
            return Err(ArgumentError::Type { name: name.to_string(), expected: expected.clone(), got });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Var, trace};
    use crate::value::{DType, Type};

    const POINTS: [f64; 18] = [
        0.0,
        -0.0,
        0.3,
        -0.3,
        0.49999999999999994,
        0.5,
        -0.5,
        1.0,
        -1.0,
        1.5,
        2.5,
        -2.5,
        7.25,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];

    /// Checks that the traced function equals the plain one up to rounding, including the signs of zeros.
    fn check(name: &str, traced: impl FnOnce(Var) -> Var, plain: impl Fn(f64) -> f64) {
        let mut graph = Graph::new(name);
        let x = graph.add_input("x", Type::new(DType::F64, [POINTS.len()])).unwrap();
        let (mut graph, y) = trace::record(graph, 100, None, || traced(trace::variable(x))).unwrap();
        graph.add_output("y", y.value().unwrap()).unwrap();
        let outputs = run(&graph, &[Array::from_elements([POINTS.len()], POINTS.to_vec()).unwrap()]).unwrap();
        for (&x, &y) in POINTS.iter().zip(outputs[0].as_slice::<f64>().unwrap()) {
            let expected = plain(x);
            let near = y.is_finite() && expected != 0.0 && (y - expected).abs() <= 1e-14 * expected.abs();
            let same = y.to_bits() == expected.to_bits() || y.is_nan() && expected.is_nan();
            assert!(near || same, "{name}({x}): {y}, not {expected}");
        }
    }

    #[test]
    fn methods_behave_as_in_rust() {
        macro_rules! agree {
            ($($method:ident($($y:expr),*))*) => {
                $(check(stringify!($method), |x| x.$method($($y),*), |x| x.$method($($y),*));)*
            };
        }
        agree! {
            exp() exp2() exp_m1() ln() log2() log10() ln_1p() sin() cos() tan() asin() acos() atan() sinh() cosh() tanh()
            asinh() acosh() atanh() atan2(0.5) atan2(-0.0) hypot(2.0) powf(2.5) powf(-3.0) powi(3) powi(-2) powi(0) sqrt()
            cbrt() recip() abs() signum() copysign(-1.0) floor() ceil() round() round_ties_even() trunc() clamp(-0.4, 1.5)
            mul_add(2.0, -1.0)
        }
        check("sin_cos", |x| x.sin_cos().0 - x.sin_cos().1, |x| x.sin() - x.cos());
        check("rem", |x| x % 0.4, |x| x % 0.4);
        check("rem", |x| 0.4 % x, |x| 0.4 % x);
    }

    #[test]
    fn methods_without_a_counterpart_in_rust() {
        check("square", Var::square, |x| x * x);
        check("rsqrt", Var::rsqrt, |x| 1.0 / x.sqrt());
        check("sigmoid", Var::sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        check("relu", Var::relu, |x| if x <= 0.0 { 0.0 } else { x });
        check("sign", Var::sign, |x| if x == 0.0 { x } else { x.signum() });
        check("stop_gradient", Var::stop_gradient, |x| x);
        check("convert", |x| x.convert(DType::I64).convert(DType::F64), |x| x as i64 as f64);
        // Unlike those of Rust, which ignore NaN.
        check("max", |x| x.max(0.4), |x| if x.is_nan() { x } else { x.max(0.4) });
        check("min", |x| x.min(0.4), |x| if x.is_nan() { x } else { x.min(0.4) });
        let number = |b: bool| f64::from(u8::from(b));
        check("is_nan", |x| x.is_nan().convert(DType::F64), |x| number(x.is_nan()));
        check("is_finite", |x| (!x.is_finite()).convert(DType::F64), |x| number(!x.is_finite()));
        let inside = |x: Var| (x.greater(-0.4) & x.less(1.5) | x.is_nan()).convert(DType::F64);
        check("and, or", inside, |x| number(x > -0.4 && x < 1.5 || x.is_nan()));
    }
}
