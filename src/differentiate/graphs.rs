use std::collections::HashSet;

use super::{Series, forward_is_cheaper, jacobian_blocks, pullback, push_series, pushforward};
use crate::error::{ArgumentError, DerivativeError, Error, LimitError};
use crate::ir::{Output, Role, Value};
use crate::op::{Graph, Var, trace};
use crate::stack;

/// The graph with the gradient of one output appended: its outputs, then the derivative by each input of `wrt`, named
/// `<input>.grad` (if that name is taken, `<output>.<input>.grad`, then with a number).
///
/// # Errors
/// If the output is not a floating-point scalar, an input is not of floating point, or an index is out of range.
pub fn grad(graph: &Graph, of: usize, wrt: &[usize]) -> Result<Graph, Error> {
    let output = scalar_output(graph, of)?;
    let names = gradient_names(graph, output, wrt, "grad")?;
    extend(graph, &[], |inputs, outputs, _| {
        let x = at(wrt, inputs);
        names.into_iter().zip(gradient(&x, outputs[of])).collect()
    })
}

/// The graph with its pullback appended: further inputs `<output>.ct`, one for each output of floating point, and
/// further outputs `<input>.ct`, one for each input of `wrt`.
///
/// # Errors
/// If an input of `wrt` is not of floating point or out of range.
pub fn vjp(graph: &Graph, wrt: &[usize]) -> Result<Graph, Error> {
    vjp_of(graph, &float_outputs(graph), wrt)
}

/// The graph with the pullback of some outputs appended, as [`vjp`] does with all.
///
/// # Errors
/// If an output or an input is not of floating point, or an index is out of range.
pub fn vjp_of(graph: &Graph, of: &[usize], wrt: &[usize]) -> Result<Graph, Error> {
    check_inputs(graph, wrt)?;
    let seeded = of.iter().map(|&position| float_output(graph, position)).collect::<Result<Vec<_>, _>>()?;
    let mut taken = Names::of_inputs(graph);
    let cts: Vec<(String, Value)> =
        seeded.iter().map(|output| (taken.claim([format!("{}.ct", output.name)]), output.value)).collect();
    let mut taken = Names::of_outputs(graph);
    let names: Vec<String> = wrt.iter().map(|&w| taken.claim([format!("{}.ct", input_name(graph, w))])).collect();
    extend(graph, &cts, |inputs, outputs, cts| {
        let x = at(wrt, inputs);
        let results = pullback(&x, &at(of, outputs), cts);
        let dense = x.iter().zip(results).map(|(&x, ct)| ct.unwrap_or_else(|| constant_like(x, 0.0, Role::Cotangent)));
        names.into_iter().zip(dense.collect::<Vec<_>>()).collect()
    })
}

/// The graph with its pushforward appended: further inputs `<input>.tangent`, one for each input of `wrt`, and further
/// outputs `<output>.tangent`, one for each output of floating point.
///
/// # Errors
/// If an input of `wrt` is not of floating point or out of range.
pub fn jvp(graph: &Graph, wrt: &[usize]) -> Result<Graph, Error> {
    jvp_of(graph, &float_outputs(graph), wrt)
}

/// The graph with the pushforward of some outputs appended, as [`jvp`] does with all.
///
/// # Errors
/// If an output or an input is not of floating point, or an index is out of range.
pub fn jvp_of(graph: &Graph, of: &[usize], wrt: &[usize]) -> Result<Graph, Error> {
    let tangents = tangent_inputs(graph, wrt)?;
    let mut taken = Names::of_outputs(graph);
    let mut names = Vec::new();
    for &position in of {
        names.push(taken.claim([format!("{}.tangent", float_output(graph, position)?.name)]));
    }
    extend(graph, &tangents, |inputs, outputs, tangents| {
        names.into_iter().zip(tangents_of(&at(wrt, inputs), tangents, &at(of, outputs))).collect()
    })
}

/// The graph with the Jacobian of one output appended: a further output `<output>.<input>.jacobian` for each input of
/// `wrt`, of shape `[output's shape…, input's shape…]`.
///
/// It takes one pullback for each element of the output, or one pushforward for each element of the inputs, whichever
/// are fewer. Those for one input or output are one pass on rows, in blocks that fit into the cache, so that the graph does
/// not grow with their number; up to 16 on small arrays are appended one after the other.
///
/// ```
/// use retrograd::value::{Array, DType, Type};
/// use retrograd::{Var, differentiate, interpret, trace};
///
/// let graph = trace(|x: Var| x * x, (Type::new(DType::F64, [2]),))?;
/// let jacobian = differentiate::jacobian(&graph, 0, &[0])?;
/// let x = Array::from_elements([2], vec![3.0, 4.0]).unwrap();
/// let outputs = interpret::run(&jacobian, &[x])?;
/// assert_eq!(outputs[1], Array::from_elements([2, 2], vec![6.0, 0.0, 0.0, 8.0]).unwrap());
/// assert_eq!(&*jacobian.outputs()[1].name, "out.x.jacobian");
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If the output or an input is not of floating point, or an index is out of range.
pub fn jacobian(graph: &Graph, of: usize, wrt: &[usize]) -> Result<Graph, Error> {
    let output = float_output(graph, of)?;
    check_inputs(graph, wrt)?;
    let mut taken = Names::of_outputs(graph);
    let name = |&w: &usize| taken.claim([format!("{}.{}.jacobian", output.name, input_name(graph, w))]);
    let names: Vec<String> = wrt.iter().map(name).collect();
    extend(graph, &[], |inputs, outputs, _| {
        let (x, y) = (at(wrt, inputs), [outputs[of]]);
        names.into_iter().zip(jacobian_blocks(&x, &y, forward_is_cheaper(&x, &y))).collect()
    })
}

/// The graph with the Hessian of one output appended: a further output `<output>.<input>.<other>.hessian` for each pair
/// of inputs of `wrt`, of shape `[input's shape…, other's shape…]`. It is computed in forward-over-reverse mode, with
/// one pushforward for each element of the inputs.
///
/// ```
/// use retrograd::value::{Array, DType};
/// use retrograd::{Var, differentiate, interpret, trace};
///
/// let graph = trace(|x: Var, y: Var| x * x * y, (DType::F64, DType::F64))?;
/// let hessian = differentiate::hessian(&graph, 0, &[0, 1])?;
/// let outputs = interpret::run(&hessian, &[3.0, 5.0].map(Array::scalar))?;
/// assert_eq!(outputs, [45.0, 10.0, 6.0, 6.0, 0.0].map(Array::scalar)); // the value, by xx, xy, yx, yy
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`grad`], and if the number of pairs of inputs exceeds the limit of ten million nodes.
pub fn hessian(graph: &Graph, of: usize, wrt: &[usize]) -> Result<Graph, Error> {
    let output = scalar_output(graph, of)?;
    check_inputs(graph, wrt)?;
    check_pairs(graph, wrt.len())?;
    let mut taken = Names::of_outputs(graph);
    let pairs = wrt.iter().flat_map(|&x| wrt.iter().map(move |&z| (input_name(graph, x), input_name(graph, z))));
    let names: Vec<String> = pairs.map(|(x, z)| taken.claim([format!("{}.{x}.{z}.hessian", output.name)])).collect();
    extend(graph, &[], |inputs, outputs, _| {
        let x = at(wrt, inputs);
        names.into_iter().zip(jacobian_blocks(&x, &gradient(&x, outputs[of]), true)).collect()
    })
}

/// The graph with the Hessian of one output times a vector appended: further inputs `<input>.tangent`, the vector, and
/// further outputs `<input>.hvp`, one for each input of `wrt`. The Hessian itself is never built.
///
/// ```
/// use retrograd::value::{Array, DType};
/// use retrograd::{Var, differentiate, interpret, trace};
///
/// let graph = trace(|x: Var| x * x * x, (DType::F64,))?;
/// let product = differentiate::hvp(&graph, 0, &[0])?;
/// let outputs = interpret::run(&product, &[2.0, 0.5].map(Array::scalar))?;
/// assert_eq!(outputs, [8.0, 6.0].map(Array::scalar)); // x³, 6x · 0.5
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`grad`].
pub fn hvp(graph: &Graph, of: usize, wrt: &[usize]) -> Result<Graph, Error> {
    let output = scalar_output(graph, of)?;
    let tangents = tangent_inputs(graph, wrt)?;
    let names = gradient_names(graph, output, wrt, "hvp")?;
    extend(graph, &tangents, |inputs, outputs, tangents| {
        let x = at(wrt, inputs);
        let slope = gradient(&x, outputs[of]);
        names.into_iter().zip(tangents_of(&x, tangents, &slope)).collect()
    })
}

/// The graph with the Taylor coefficients of its outputs along a direction appended: further inputs `<input>.tangent`, the
/// direction `t`, one for each input of `wrt`, and for each output `y` of floating point the further outputs
/// `<output>.taylor.1` to `<output>.taylor.<order>`, of the output's type, such that `y(x + s t) = y + Σ y_k sᵏ + …`. The
/// derivative of order `k` by `s` is `k! y_k`.
///
/// It is computed in Taylor mode: the size of the graph grows with the square of the order, where nested
/// pushforwards double it with each. At kinks, and where values are infinite or NaN, the coefficients follow the rules of
/// the first derivative. The coefficient of order 1 is the tangent of [`jvp`], to the bit.
///
/// ```
/// use retrograd::value::{Array, DType};
/// use retrograd::{Var, differentiate, interpret, trace};
///
/// let graph = trace(|x: Var| x.exp(), (DType::F64,))?;
/// let series = differentiate::taylor(&graph, 3, &[0])?;
/// let outputs = interpret::run(&series, &[0.0, 1.0].map(Array::scalar))?;
/// assert_eq!(outputs, [1.0, 1.0, 0.5, 0.5 / 3.0].map(Array::scalar));
/// assert_eq!(&*series.outputs()[3].name, "out.taylor.3");
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If an input of `wrt` is not of floating point or out of range, or the order exceeds 1,000.
pub fn taylor(graph: &Graph, order: usize, wrt: &[usize]) -> Result<Graph, Error> {
    taylor_of(graph, &float_outputs(graph), order, wrt)
}

/// The graph with the Taylor coefficients of some outputs appended, as [`taylor`] does with all.
///
/// # Errors
/// As [`taylor`], and if an output is not of floating point or out of range.
pub fn taylor_of(graph: &Graph, of: &[usize], order: usize, wrt: &[usize]) -> Result<Graph, Error> {
    check_order(order, graph.name())?;
    let tangents = tangent_inputs(graph, wrt)?;
    let mut taken = Names::of_outputs(graph);
    let mut names = Vec::new();
    for &position in of {
        let name = &float_output(graph, position)?.name;
        names.extend((1..=order).map(|k| taken.claim([format!("{name}.taylor.{k}")])));
    }
    extend(graph, &tangents, |inputs, outputs, tangents| {
        let y = at(of, outputs);
        let series: Vec<Series> = tangents.iter().map(|&t| along(t, order)).collect();
        let pushed = push_series(&at(wrt, inputs), &series, &y, order);
        let coefficients = y.iter().zip(pushed).flat_map(|(&y, series)| series.into_iter().map(move |t| (y, t)));
        let coefficients = coefficients.map(|(y, t)| t.unwrap_or_else(|| constant_like(y, 0.0, Role::Tangent)));
        names.into_iter().zip(coefficients.collect::<Vec<_>>()).collect()
    })
}

/// The highest order of a Taylor series.
const MAX_ORDER: usize = 1_000;

/// Checks that Taylor series may be of this order.
pub(crate) fn check_order(order: usize, place: &str) -> Result<(), LimitError> {
    if order <= MAX_ORDER {
        return Ok(());
    }
    let (limit, got) = (MAX_ORDER as u64, Some(order as u64));
    Err(LimitError { what: "order of a Taylor series", limit, got, place: Some(place.to_string()) })
}

/// The coefficients of order 1, 2, … of `x + s t`.
pub(crate) fn along(t: Var, order: usize) -> Series {
    (1..=order).map(|k| (k == 1).then_some(t)).collect()
}

/// The cotangents of `x` for a cotangent 1 of the scalar `y`.
fn gradient(x: &[Var], y: Var) -> Vec<Var> {
    let cts = pullback(x, &[y], &[constant_like(y, 1.0, Role::Cotangent)]);
    x.iter().zip(cts).map(|(&x, ct)| ct.unwrap_or_else(|| constant_like(x, 0.0, Role::Cotangent))).collect()
}

/// The tangents of `y`, with symbolic zeros materialized.
fn tangents_of(x: &[Var], t: &[Var], y: &[Var]) -> Vec<Var> {
    let results = pushforward(x, t, y);
    y.iter().zip(results).map(|(&y, t)| t.unwrap_or_else(|| constant_like(y, 0.0, Role::Tangent))).collect()
}

/// A uniform tangent or cotangent of `x`, with the source line of `x`.
fn constant_like(x: Var, number: f64, role: fn(Value) -> Role) -> Var {
    let primal = x.value().expect("bug: a poisoned variable in a trace without error");
    trace::in_role(role(primal), || x.full_like(number))
}

fn at(positions: &[usize], vars: &[Var]) -> Vec<Var> {
    positions.iter().map(|&position| vars[position]).collect()
}

/// Copies a graph and adds inputs with the types of some values. The body then receives the inputs, the outputs and the
/// added inputs, and appends further outputs.
fn extend(
    graph: &Graph,
    more_inputs: &[(String, Value)],
    body: impl FnOnce(&[Var], &[Var], &[Var]) -> Vec<(String, Var)>,
) -> Result<Graph, Error> {
    let mut copy = Graph::new(graph.name());
    let mut inputs = Vec::new();
    for input in graph.inputs() {
        inputs.push(copy.add_input(input.name.clone(), graph.ty(input.node.into()).clone())?);
    }
    let mut further = Vec::new();
    for (name, like) in more_inputs {
        further.push(copy.add_input(name.as_str(), graph.ty(*like).clone())?);
    }
    let map = copy.inline(graph, &inputs)?;
    let image = |output: &Output| map.get(output.value).expect("bug: an output that does not exist");
    let outputs: Vec<Value> = graph.outputs().iter().map(image).collect();
    let derive = || {
        let vars = |values: &[Value]| values.iter().map(|&value| trace::variable(value)).collect::<Vec<Var>>();
        body(&vars(&inputs), &vars(&outputs), &vars(&further))
    };
    let recorded = stack::for_levels(graph.depth(), || trace::record(copy, max_nodes(graph), None, derive));
    let (mut copy, results) = recorded?;
    for (output, value) in graph.outputs().iter().zip(outputs) {
        copy.add_output(output.name.clone(), value)?;
    }
    for (name, var) in results {
        copy.add_output(name, var.value().expect("bug: a poisoned result of a trace without error"))?;
    }
    Ok(copy.without_unneeded_derivatives())
}

/// The most nodes that a graph may have with its derivatives.
fn max_nodes(graph: &Graph) -> usize {
    trace::DEFAULT_MAX_NODES.max(graph.n_nodes().saturating_mul(16))
}

/// Checks that a graph with a further output for each pair of `n` inputs is allowed, before anything is built.
fn check_pairs(graph: &Graph, n: usize) -> Result<(), LimitError> {
    let (limit, got) = (max_nodes(graph) as u64, (n as u64).saturating_mul(n as u64));
    if got <= limit {
        return Ok(());
    }
    let place = Some(graph.name().to_string());
    Err(LimitError { what: "outputs of a graph with its derivatives", limit, got: Some(got), place })
}

/// The names in use, from which new names must differ.
struct Names(HashSet<String>);

impl Names {
    fn of_inputs(graph: &Graph) -> Names {
        Names(graph.inputs().iter().map(|input| input.name.to_string()).collect())
    }

    fn of_outputs(graph: &Graph) -> Names {
        Names(graph.outputs().iter().map(|output| output.name.to_string()).collect())
    }

    /// The first free candidate, or the last one with a number.
    fn claim<const N: usize>(&mut self, candidates: [String; N]) -> String {
        let last = candidates.last().expect("bug: no name was proposed").clone();
        let numbered = (2..).map(|n| format!("{last}.{n}"));
        let mut names = candidates.into_iter().chain(numbered);
        let name = names.find(|name| !self.0.contains(name)).expect("bug: all numbers are taken");
        self.0.insert(name.clone());
        name
    }
}

/// The first of `x.grad`, `y.x.grad`, `y.x.grad.2`, `y.x.grad.3`, … that no output has, for each input of `wrt`.
fn gradient_names(graph: &Graph, output: &Output, wrt: &[usize], kind: &str) -> Result<Vec<String>, Error> {
    check_inputs(graph, wrt)?;
    let mut taken = Names::of_outputs(graph);
    let name = |&w: &usize| {
        let input = input_name(graph, w);
        taken.claim([format!("{input}.{kind}"), format!("{}.{input}.{kind}", output.name)])
    };
    Ok(wrt.iter().map(name).collect())
}

/// The names of the inputs for the tangents of `wrt`, and the values whose types they have.
fn tangent_inputs(graph: &Graph, wrt: &[usize]) -> Result<Vec<(String, Value)>, Error> {
    check_inputs(graph, wrt)?;
    let mut taken = Names::of_inputs(graph);
    let inputs = wrt.iter().map(|&w| &graph.inputs()[w]);
    Ok(inputs.map(|input| (taken.claim([format!("{}.tangent", input.name)]), input.node.into())).collect())
}

fn input_name(graph: &Graph, position: usize) -> &str {
    &graph.inputs()[position].name
}

fn float_outputs(graph: &Graph) -> Vec<usize> {
    let is_float = |&position: &usize| graph.ty(graph.outputs()[position].value).dtype.is_float();
    (0..graph.outputs().len()).filter(is_float).collect()
}

fn scalar_output(graph: &Graph, position: usize) -> Result<&Output, Error> {
    let output = output(graph, position)?;
    let ty = graph.ty(output.value);
    if ty.rank() != 0 {
        let at = graph.node(output.value.node).provenance().at.clone();
        return Err(DerivativeError::NotScalar { name: output.name.to_string(), ty: ty.clone(), at }.into());
    }
    check_float(graph, &output.name, output.value)?;
    Ok(output)
}

fn float_output(graph: &Graph, position: usize) -> Result<&Output, Error> {
    let output = output(graph, position)?;
    check_float(graph, &output.name, output.value)?;
    Ok(output)
}

fn output(graph: &Graph, position: usize) -> Result<&Output, ArgumentError> {
    graph.outputs().get(position).ok_or_else(|| ArgumentError::Unknown {
        kind: "output",
        name: position.to_string(),
        known: graph.outputs().iter().map(|output| output.name.to_string()).collect(),
    })
}

fn check_inputs(graph: &Graph, wrt: &[usize]) -> Result<(), Error> {
    for &position in wrt {
        let input = graph.inputs().get(position).ok_or_else(|| ArgumentError::Unknown {
            kind: "input",
            name: position.to_string(),
            known: graph.inputs().iter().map(|input| input.name.to_string()).collect(),
        })?;
        check_float(graph, &input.name, input.node.into())?;
    }
    Ok(())
}

fn check_float(graph: &Graph, name: &str, value: Value) -> Result<(), DerivativeError> {
    let ty = graph.ty(value);
    if ty.dtype.is_float() {
        return Ok(());
    }
    let at = graph.node(value.node).provenance().at.clone();
    Err(DerivativeError::NotFloat { name: name.to_string(), ty: ty.clone(), at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret;
    use crate::value::{Array, DType};

    /// A graph with one scalar input `x` and one output.
    fn graph(f: impl FnOnce(Var) -> Var) -> Graph {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", crate::value::Type::scalar(DType::F64)).unwrap();
        let (mut graph, y) = trace::record(graph, 1000, None, || f(trace::variable(x))).unwrap();
        graph.add_output("y", y.value().unwrap()).unwrap();
        graph
    }

    fn outputs(graph: &Graph, x: f64) -> Vec<f64> {
        let outputs = interpret::run(graph, &[Array::scalar(x)]).unwrap();
        outputs.iter().map(|y| y.as_slice::<f64>().unwrap()[0]).collect()
    }

    #[test]
    fn gradients_of_gradients() {
        let cube = graph(|x| x * x * x);
        let first = grad(&cube, 0, &[0]).unwrap();
        let second = grad(&first, 1, &[0]).unwrap();
        let third = grad(&second, 2, &[0]).unwrap();
        assert_eq!(outputs(&third, 2.0), [8.0, 12.0, 12.0, 6.0]);
        let names: Vec<&str> = third.outputs().iter().map(|output| &*output.name).collect();
        assert_eq!(names, ["y", "x.grad", "x.grad.x.grad", "x.grad.x.grad.x.grad"]);
        let again = grad(&grad(&grad(&cube, 0, &[0]).unwrap(), 0, &[0]).unwrap(), 0, &[0]).unwrap();
        let names: Vec<&str> = again.outputs().iter().map(|output| &*output.name).collect();
        assert_eq!(names, ["y", "x.grad", "y.x.grad", "y.x.grad.2"]);
    }

    /// Files identify inputs and outputs by name, so no derivative may use a name twice.
    #[test]
    fn names_stay_distinct() {
        let mut many = graph(|x| x * x * x);
        type Derivative = fn(&Graph) -> Result<Graph, Error>;
        let derivatives: [Derivative; 6] = [
            |f| grad(f, 0, &[0, 0]),
            |f| jvp(f, &[0]),
            |f| vjp_of(f, &[0], &[0]),
            |f| jacobian(f, 0, &[0]),
            |f| hessian(f, 0, &[0]),
            |f| hvp(f, 0, &[0]),
        ];
        for derivative in derivatives.iter().chain(&derivatives) {
            many = derivative(&many).unwrap();
        }
        assert_eq!(many.verify(), Ok(()));
        let names: Vec<&str> = many.inputs().iter().map(|input| &*input.name).collect();
        assert_eq!(names, ["x", "x.tangent", "y.ct", "x.tangent.2", "x.tangent.3", "y.ct.2", "x.tangent.4"]);
        let names: Vec<&str> = many.outputs().iter().map(|output| &*output.name).take(6).collect();
        assert_eq!(names, ["y", "x.grad", "y.x.grad", "y.tangent", "x.grad.tangent", "y.x.grad.tangent"]);
    }

    #[test]
    fn second_derivatives_agree() {
        let f = graph(|x| (x * 3.0).sin() / (x + 2.0));
        let number = |graph: &Graph, x: &[f64]| {
            let inputs: Vec<Array> = x.iter().map(|&x| Array::scalar(x)).collect();
            interpret::run(graph, &inputs).unwrap().last().unwrap().as_slice::<f64>().unwrap()[0]
        };
        let exact = number(&grad(&grad(&f, 0, &[0]).unwrap(), 1, &[0]).unwrap(), &[0.7]);
        let hessian = number(&hessian(&f, 0, &[0]).unwrap(), &[0.7]);
        let hvp = number(&hvp(&f, 0, &[0]).unwrap(), &[0.7, 2.0]);
        let jacobian = number(&jacobian(&grad(&f, 0, &[0]).unwrap(), 1, &[0]).unwrap(), &[0.7]);
        for got in [hessian, hvp / 2.0, jacobian] {
            assert!((got - exact).abs() < 1e-14, "{got} is not {exact}");
        }
    }

    #[test]
    fn modes_agree() {
        let f = graph(|x| (x * 3.0 - 1.0 / x) / (x + 2.0));
        let forward = jvp(&f, &[0]).unwrap();
        let reverse = vjp(&f, &[0]).unwrap();
        let input = [Array::scalar(1.3), Array::scalar(1.0)];
        let t = interpret::run(&forward, &input).unwrap();
        let ct = interpret::run(&reverse, &input).unwrap();
        let (t, ct) = (t[1].as_slice::<f64>().unwrap()[0], ct[1].as_slice::<f64>().unwrap()[0]);
        let exact = ((3.0 + 1.0 / 1.69) * 3.3 - (3.9 - 1.0 / 1.3)) / (3.3 * 3.3);
        assert!((t - exact).abs() < 1e-15 && (ct - exact).abs() < 1e-15, "{t} {ct} {exact}");
    }

    #[test]
    fn an_untaken_branch_leaves_no_nan() {
        let f = graph(|x| x.greater(0.0).select(1.0 / x, x * 0.0));
        let gradient = grad(&grad(&f, 0, &[0]).unwrap(), 1, &[0]).unwrap();
        assert_eq!(outputs(&gradient, 0.0), [0.0, 0.0, 0.0]);
        assert_eq!(outputs(&gradient, 2.0), [0.5, -0.25, 0.25]);
    }

    #[test]
    fn non_differentiable_inputs_and_outputs_are_refused() {
        let f = graph(|x| x.broadcast_to(&[2]));
        assert!(matches!(grad(&f, 0, &[0]), Err(Error::Derivative(DerivativeError::NotScalar { .. }))));
        assert!(matches!(grad(&f, 1, &[0]), Err(Error::Argument(_))));
        let f = graph(|x| x.less(1.0));
        assert!(matches!(grad(&f, 0, &[0]), Err(Error::Derivative(DerivativeError::NotFloat { .. }))));
    }
}
