use std::collections::HashMap;

use super::check::{Check, Comparison, Place, at, coarsest, excess, name, places, weights};
use crate::compile::Program;
use crate::differentiate;
use crate::error::{DerivativeError, Error, LimitError};
use crate::op::Graph;
use crate::optimize;
use crate::value::{Array, Scalar, Type};

/// More derivatives than these would fill memory before they fill patience.
const MAX_DERIVATIVES: u64 = 1 << 22;

/// How the derivatives of a graph fare at a point; see [`check_graph`].
#[derive(Clone, Debug, PartialEq)]
pub struct GraphCheck {
    /// What was compared, in the order in which it was.
    pub agreements: Vec<Agreement>,
    /// Why nothing more could be compared, if the point is outside of the function's domain or at its edge.
    pub outside: Option<String>,
    /// Why there is no second order, if an operation of the first has no derivative.
    pub no_second_order: Option<String>,
}

/// Two ways to get the same derivatives, and where they are furthest apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// The two ways.
    pub what: &'static str,
    /// How many derivatives were compared.
    pub n: usize,
    /// The two that are furthest apart, in tolerances; `None` where there was nothing to compare.
    pub worst: Option<Worst>,
}

/// Two numbers that should be near each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// The derivative: `loss by w[2]`.
    pub place: String,
    /// What is checked.
    pub derivative: f64,
    /// What it is checked against.
    pub reference: f64,
    /// How far apart they may be.
    pub tolerance: f64,
    /// How far apart they are, in tolerances; up to 1 is right.
    pub excess: f64,
}

impl GraphCheck {
    /// The first two ways that do not agree.
    pub fn disagreement(&self) -> Option<(&Agreement, &Worst)> {
        let mut worst = self.agreements.iter().filter_map(|agreement| Some((agreement, agreement.worst.as_ref()?)));
        worst.find(|(_, worst)| worst.excess > 1.0)
    }
}

/// Compares the derivatives of a graph by the inputs `wrt`, at these inputs: forward mode with differences of the
/// compiled graph, reverse mode with forward mode, and in second order the same, and the Hessian with its transpose. The
/// second order is that of a weighted sum of all outputs of floating point.
///
/// Differences are taken as [`check_grad`](super::check_grad) does it. A point at which an output is not finite, a
/// derivative is infinite, a guard does not hold, or differences do not stay in the domain, is no wrong derivative.
///
/// ```
/// use retrograd::transform::{check_graph, trace};
/// use retrograd::value::{Array, DType};
/// use retrograd::Var;
///
/// let graph = trace(|x: Var| x.sqrt(), (DType::F64,))?;
/// let good = check_graph(&graph, &[Array::scalar(2.0)], &[0])?;
/// assert!(good.disagreement().is_none() && good.outside.is_none());
/// let edge = check_graph(&graph, &[Array::scalar(0.0)], &[0])?;
/// assert_eq!(edge.outside.as_deref(), Some("the derivative of out by x is inf"));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If the inputs do not fit the graph, an input of `wrt` is not of floating point, or there are more than 2²² derivatives
/// of outputs by inputs or in the Hessian.
pub fn check_graph(graph: &Graph, inputs: &[Array], wrt: &[usize]) -> Result<GraphCheck, Error> {
    check_graph_within(graph, inputs, wrt, u64::MAX)
}

/// Compares derivatives as [`check_graph`] does, where the programs that compute them take at most so many bytes of memory
/// when they run.
///
/// ```
/// use retrograd::transform::{check_graph_within, trace};
/// use retrograd::value::{Array, DType, Type};
/// use retrograd::{Error, Var};
///
/// let graph = trace(|x: Var| x.broadcast_to(&[100, 1000]).exp().sum_axes(&[0]).sum(), (Type::new(DType::F64, [1000]),))?;
/// let x = [Array::zeros(&Type::new(DType::F64, [1000]))];
/// assert!(matches!(check_graph_within(&graph, &x, &[0], 1_000), Err(Error::Limit(_))));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As there, and if the programs take more.
pub fn check_graph_within(graph: &Graph, inputs: &[Array], wrt: &[usize], max_bytes: u64) -> Result<GraphCheck, Error> {
    check_number(graph, wrt)?;
    let mut check = GraphCheck { agreements: Vec::new(), outside: None, no_second_order: None };
    let floats = float_outputs(graph);
    let first = Derivatives::new(graph, inputs.to_vec(), wrt, floats.clone(), max_bytes)?;
    match first.program.call(inputs) {
        Err(Error::Guard(miss)) => check.outside = Some(miss.to_string()),
        Err(error) => return Err(error),
        Ok(y) => check.outside = not_finite(graph, &y),
    }
    if check.outside.is_none() {
        first.check(&["forward mode against differences", "reverse mode against forward mode"], &mut check)?;
    }
    if check.outside.is_none() && check.disagreement().is_none() && !floats.is_empty() {
        let types: Vec<Type> = floats.iter().map(|&at| graph.ty(graph.outputs()[at].value).clone()).collect();
        let pullback = differentiate::vjp(graph, wrt)?;
        let inputs = [inputs.to_vec(), weights(&types)].concat();
        let n_primal = graph.outputs().len();
        let of = (n_primal..n_primal + wrt.len()).collect();
        let mut second = match Derivatives::new(&pullback, inputs, wrt, of, max_bytes) {
            Ok(second) => second,
            Err(Error::Derivative(error)) if matches!(error, DerivativeError::NoRule { .. }) => {
                check.no_second_order = Some(error.to_string());
                return Ok(check);
            }
            Err(error) => return Err(error),
        };
        second.out_names = second.in_names.iter().map(|name| format!("{name}.grad")).collect();
        let what = [
            "second order, forward mode against differences of the gradient",
            "second order, reverse mode against forward mode",
            "second order, the Hessian against its transpose",
        ];
        second.check(&what, &mut check)?;
    }
    Ok(check)
}

fn check_number(graph: &Graph, wrt: &[usize]) -> Result<(), LimitError> {
    let size = |ty: &Type| ty.size() as u64;
    let known = wrt.iter().filter_map(|&position| graph.inputs().get(position));
    let n_inputs = known.map(|input| size(graph.ty(input.node.into()))).fold(0, u64::saturating_add);
    let outputs = float_outputs(graph).into_iter().map(|at| size(graph.ty(graph.outputs()[at].value)));
    let n_outputs = outputs.fold(0, u64::saturating_add);
    let got = n_inputs.saturating_mul(n_outputs.max(n_inputs));
    if got <= MAX_DERIVATIVES {
        return Ok(());
    }
    Err(LimitError { what: "derivatives to check", limit: MAX_DERIVATIVES, got: Some(got), place: None })
}

fn float_outputs(graph: &Graph) -> Vec<usize> {
    let outputs = graph.outputs().iter().enumerate();
    outputs.filter(|(_, output)| graph.ty(output.value).dtype.is_float()).map(|(position, _)| position).collect()
}

/// The first element of an output that is not finite.
fn not_finite(graph: &Graph, y: &[Array]) -> Option<String> {
    let names: Vec<String> = graph.outputs().iter().map(|output| output.name.to_string()).collect();
    let place = places(y).find(|&place| y[place.leaf].dtype().is_float() && !at(y, place).is_finite())?;
    Some(format!("{} is {}", name(&names, y, place), at(y, place)))
}

/// A graph with its derivatives, compiled, at a point.
struct Derivatives {
    program: Program,
    forward: Program,
    reverse: Program,
    /// All inputs, those that are varied and those that are kept.
    inputs: Vec<Array>,
    wrt: Vec<usize>,
    /// The outputs that are checked.
    of: Vec<usize>,
    in_names: Vec<String>,
    out_names: Vec<String>,
}

impl Derivatives {
    fn new(
        graph: &Graph,
        inputs: Vec<Array>,
        wrt: &[usize],
        of: Vec<usize>,
        max_bytes: u64,
    ) -> Result<Derivatives, Error> {
        let mut left = max_bytes;
        let mut compile = |graph: &Graph| {
            let program = Program::compile(&optimize::optimize(graph)?)?.with_memory_limit(left)?;
            // Working memory is kept from call to call.
            left = left.saturating_sub(program.memory_bytes() as u64);
            Ok::<Program, Error>(program)
        };
        Ok(Derivatives {
            forward: compile(&differentiate::jvp_of(graph, &of, wrt)?)?,
            reverse: compile(&differentiate::vjp_of(graph, &of, wrt)?)?,
            program: compile(graph)?,
            inputs,
            wrt: wrt.to_vec(),
            in_names: wrt.iter().map(|&position| graph.inputs()[position].name.to_string()).collect(),
            out_names: of.iter().map(|&position| graph.outputs()[position].name.to_string()).collect(),
            of,
        })
    }

    fn check(&self, what: &[&'static str], check: &mut GraphCheck) -> Result<(), Error> {
        let x: Vec<Array> = self.wrt.iter().map(|&position| self.inputs[position].clone()).collect();
        let mut comparisons = Vec::new();
        let y = Check {
            value: &|x| self.value(x),
            forward: &|x, t| Ok(last(self.forward.call(&[self.at(x), t].concat())?, self.of.len())),
            reverse: &|x, ct| Ok(last(self.reverse.call(&[self.at(x), ct].concat())?, self.wrt.len())),
            x: &x,
        }
        .run(&mut |comparison| comparisons.push(comparison))?;
        let describe = |of, by| format!("{} by {}", name(&self.out_names, &y, of), name(&self.in_names, &x, by));

        check.outside = comparisons.iter().find_map(|comparison| outside(comparison, describe));
        if check.outside.is_some() {
            return Ok(());
        }
        // Modes differ by rounding alone, of sums that may be long.
        let rounding = coarsest(x.iter().chain(&y)).powf(0.75);
        check.agreements.push(agreement(what[0], &comparisons, describe, |c| {
            (c.forward, c.quotient.difference, c.quotient.tolerance)
        }));
        check
            .agreements
            .push(agreement(what[1], &comparisons, describe, |c| (c.reverse, c.forward, rounding * c.scale + c.noise)));
        if let Some(symmetric) = what.get(2) {
            let hessian: HashMap<(Place, Place), f64> = comparisons.iter().map(|c| ((c.of, c.by), c.forward)).collect();
            let scale = comparisons.iter().fold(0.0, |scale: f64, c| scale.max(c.scale));
            let noise = comparisons.iter().fold(0.0, |noise: f64, c| noise.max(c.noise));
            check.agreements.push(agreement(symmetric, &comparisons, describe, |c| {
                (c.forward, hessian[&(c.by, c.of)], rounding * scale + noise)
            }));
        }
        Ok(())
    }

    /// All inputs, with these in place of those that are varied.
    fn at(&self, x: &[Array]) -> Vec<Array> {
        let mut inputs = self.inputs.clone();
        self.wrt.iter().zip(x).for_each(|(&position, x)| inputs[position] = x.clone());
        inputs
    }

    /// The outputs that are checked; NaN where a guard does not hold, for there the function is another.
    fn value(&self, x: &[Array]) -> Result<Vec<Array>, Error> {
        match self.program.call(&self.at(x)) {
            Ok(outputs) => Ok(self.of.iter().map(|&position| outputs[position].clone()).collect()),
            Err(Error::Guard(_)) => {
                let types = self.of.iter().map(|&position| &self.program.outputs()[position].1);
                Ok(types.map(|ty| Array::full(ty, Scalar::F64(f64::NAN))).collect())
            }
            Err(error) => Err(error),
        }
    }
}

/// Derivatives stand after the primal outputs.
fn last(mut outputs: Vec<Array>, n: usize) -> Vec<Array> {
    outputs.split_off(outputs.len() - n)
}

/// Why a comparison says nothing about the derivative.
fn outside(c: &Comparison, describe: impl Fn(Place, Place) -> String) -> Option<String> {
    if c.forward.is_infinite() || c.reverse.is_infinite() {
        let derivative = if c.forward.is_infinite() { c.forward } else { c.reverse };
        return Some(format!("the derivative of {} is {derivative}", describe(c.of, c.by)));
    }
    if !c.quotient.difference.is_finite() || c.quotient.tolerance.is_nan() {
        return Some(format!("differences of {} leave it", describe(c.of, c.by)));
    }
    None
}

fn agreement(
    what: &'static str,
    comparisons: &[Comparison],
    describe: impl Fn(Place, Place) -> String,
    numbers: impl Fn(&Comparison) -> (f64, f64, f64),
) -> Agreement {
    let mut worst: Option<Worst> = None;
    for comparison in comparisons {
        let (derivative, reference, tolerance) = numbers(comparison);
        let excess = excess(derivative, reference, tolerance);
        if worst.as_ref().is_none_or(|worst| excess > worst.excess) {
            let place = describe(comparison.of, comparison.by);
            worst = Some(Worst { place, derivative, reference, tolerance, excess });
        }
    }
    Agreement { what, n: comparisons.len(), worst }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Var;
    use crate::transform::{jit, trace};
    use crate::value::DType;

    fn check(f: impl Fn(Var) -> Var, x: f64) -> GraphCheck {
        let graph = trace(|x: Var| f(x), (DType::F64,)).unwrap();
        check_graph(&graph, &[Array::scalar(x)], &[0]).unwrap()
    }

    #[test]
    fn derivatives_that_agree_are_counted() {
        let good = check(|x| (x * x).sin() / x, 1.3);
        assert_eq!((good.outside.clone(), good.disagreement()), (None, None));
        assert_eq!(good.agreements.len(), 5);
        assert!(good.agreements.iter().all(|a| a.n == 1 && a.worst.as_ref().is_some_and(|worst| worst.excess <= 1.0)));
    }

    #[test]
    fn a_derivative_that_is_cut_off_is_found() {
        let bad = check(|x| x.stop_gradient() * x, 3.0);
        let (agreement, worst) = bad.disagreement().unwrap();
        assert_eq!(agreement.what, "forward mode against differences");
        assert_eq!((worst.place.as_str(), worst.derivative), ("out by x", 3.0));
        assert!((worst.reference - 6.0).abs() < 1e-8 && worst.excess > 1e6);
        // The gradient is right, but its own derivative is cut off.
        let bad = check(|x| x.stop_gradient() * x * 2.0 - (x * x).stop_gradient(), 3.0);
        assert!(bad.disagreement().is_some());
    }

    #[test]
    fn outside_of_the_domain_nothing_is_wrong() {
        let outside = |f: fn(Var) -> Var, x: f64| {
            let check = check(f, x);
            assert_eq!(check.disagreement(), None);
            check.outside.unwrap()
        };
        assert_eq!(outside(|x| x.ln(), -1.0), "out is NaN");
        assert_eq!(outside(|x| 1.0 / x, 0.0), "out is inf");
        assert_eq!(outside(|x| x.sqrt(), 0.0), "the derivative of out by x is inf");
        assert_eq!(outside(|x| (x * x).sqrt() * x.sqrt(), 1e-300 * 0.0), "differences of out by x leave it");
    }

    #[test]
    fn too_many_derivatives_are_refused() {
        let graph = trace(|x: Var| x.sum(), (Type::new(DType::F64, [2049]),)).unwrap();
        let x = [Array::full(&Type::new(DType::F64, [2049]), Scalar::F64(1.0))];
        let error = check_graph(&graph, &x, &[0]).unwrap_err();
        assert_eq!(error.to_string(), "limit of 4194304 derivatives to check exceeded: got 4198401");
    }

    #[test]
    fn guards_bound_the_domain() {
        let graph = jit(|x: Var| if x > 1.0 { x * x } else { x }).graph(2.0).unwrap();
        let at = |x: f64| check_graph(&graph, &[Array::scalar(x)], &[0]).unwrap().outside;
        assert_eq!(at(2.0), None);
        assert!(at(0.5).unwrap().starts_with("guard 0: "));
        assert_eq!(at(1.000_000_1).unwrap(), "differences of out by x leave it");
    }
}
