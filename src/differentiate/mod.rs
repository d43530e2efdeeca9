//! Reverse and forward mode, over graphs. The rules are written in the traced language itself, so both modes append
//! ordinary nodes, and compose with each other to any order.
//!
//! The transformations of functions work inside the trace that is open; [`grad`], [`vjp`] and [`jvp`] take a graph,
//! traced or loaded from a file, and give another.
//!
//! ```
//! use retrograd::value::{Array, DType};
//! use retrograd::{Var, differentiate, interpret, trace};
//!
//! let graph = trace(|x: Var| x * x * x, (DType::F64,))?;
//! let first = differentiate::grad(&graph, 0, &[0])?;
//! let second = differentiate::grad(&first, 1, &[0])?;
//! let outputs = interpret::run(&second, &[Array::scalar(2.0)])?;
//! assert_eq!(outputs, [8.0, 12.0, 12.0].map(Array::scalar)); // x³, 3x², 6x
//! # Ok::<(), retrograd::Error>(())
//! ```

mod activity;
mod control;
mod forward;
#[cfg(test)]
mod kinks;
mod partition;
mod reverse;

pub(crate) use forward::pushforward;
pub(crate) use reverse::pullback;

use crate::error::{ArgumentError, DerivativeError, Error};
use crate::ir::{Output, Role, Value};
use crate::op::{Graph, Var, trace};

/// The graph with the gradient of one output appended: its outputs, then the derivative by each input of `wrt`, named
/// `<input>.grad` (where that name is taken `<output>.<input>.grad`, and then with a number).
///
/// # Errors
/// If the output is not a scalar of floating point, or an input is not of floating point, or an index is out of range.
pub fn grad(graph: &Graph, of: usize, wrt: &[usize]) -> Result<Graph, Error> {
    let output = output(graph, of)?.clone();
    let ty = graph.ty(output.value);
    if ty.rank() != 0 {
        return Err(DerivativeError::NotScalar { name: output.name.to_string(), ty: ty.clone() }.into());
    }
    check_float(graph, &output.name, output.value)?;
    check_inputs(graph, wrt)?;
    extend(graph, &[], |inputs, outputs, _| {
        let x: Vec<Var> = wrt.iter().map(|&position| inputs[position]).collect();
        let y = outputs[of];
        let cts = pullback(&x, &[y], &[constant_like(y, 1.0, Role::Cotangent)]);
        let name = |position: usize| gradient_name(graph, &output.name, &graph.inputs()[position].name);
        wrt.iter()
            .zip(x)
            .zip(cts)
            .map(|((&w, x), ct)| (name(w), ct.unwrap_or_else(|| constant_like(x, 0.0, Role::Cotangent))))
            .collect()
    })
}

/// The graph with its pullback appended: further inputs `<output>.ct`, one for each output of floating point, and
/// further outputs `<input>.ct`, one for each input of `wrt`.
///
/// # Errors
/// If an input of `wrt` is not of floating point or out of range.
pub fn vjp(graph: &Graph, wrt: &[usize]) -> Result<Graph, Error> {
    check_inputs(graph, wrt)?;
    let seeded: Vec<usize> = (0..graph.outputs().len())
        .filter(|&position| graph.ty(graph.outputs()[position].value).dtype.is_float())
        .collect();
    let more = seeded.iter().map(|&position| &graph.outputs()[position]);
    let more: Vec<(String, Value)> = more.map(|output| (format!("{}.ct", output.name), output.value)).collect();
    extend(graph, &more, |inputs, outputs, cts| {
        let x: Vec<Var> = wrt.iter().map(|&position| inputs[position]).collect();
        let y: Vec<Var> = seeded.iter().map(|&position| outputs[position]).collect();
        let results = pullback(&x, &y, cts);
        let name = |position: usize| format!("{}.ct", graph.inputs()[position].name);
        wrt.iter()
            .zip(x)
            .zip(results)
            .map(|((&w, x), ct)| (name(w), ct.unwrap_or_else(|| constant_like(x, 0.0, Role::Cotangent))))
            .collect()
    })
}

/// The graph with its pushforward appended: further inputs `<input>.tangent`, one for each input of `wrt`, and further
/// outputs `<output>.tangent`, one for each output of floating point.
///
/// # Errors
/// If an input of `wrt` is not of floating point or out of range.
pub fn jvp(graph: &Graph, wrt: &[usize]) -> Result<Graph, Error> {
    check_inputs(graph, wrt)?;
    let more = wrt.iter().map(|&position| &graph.inputs()[position]);
    let more: Vec<(String, Value)> = more.map(|input| (format!("{}.tangent", input.name), input.node.into())).collect();
    extend(graph, &more, |inputs, outputs, tangents| {
        let x: Vec<Var> = wrt.iter().map(|&position| inputs[position]).collect();
        let floats = graph.outputs().iter().zip(outputs).filter(|(output, _)| graph.ty(output.value).dtype.is_float());
        let (names, y): (Vec<String>, Vec<Var>) =
            floats.map(|(output, &y)| (format!("{}.tangent", output.name), y)).unzip();
        let results = pushforward(&x, tangents, &y);
        names
            .into_iter()
            .zip(y)
            .zip(results)
            .map(|((name, y), t)| (name, t.unwrap_or_else(|| constant_like(y, 0.0, Role::Tangent))))
            .collect()
    })
}

/// The same number everywhere in a (co)tangent of `x`, with the source line of `x`.
fn constant_like(x: Var, number: f64, role: fn(Value) -> Role) -> Var {
    let primal = x.value().expect("bug: a poisoned variable in a trace without error");
    trace::in_role(role(primal), || x.full_like(number))
}

/// Copies a graph, with further inputs of the types of some values, and lets the body append further outputs. The body
/// gets the inputs, the outputs and the further inputs.
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
    let limit = trace::DEFAULT_MAX_NODES.max(graph.n_nodes().saturating_mul(16));
    let (mut copy, results) = trace::record(copy, limit, None, || {
        let vars = |values: &[Value]| values.iter().map(|&value| trace::variable(value)).collect::<Vec<Var>>();
        body(&vars(&inputs), &vars(&outputs), &vars(&further))
    })?;
    for (output, value) in graph.outputs().iter().zip(outputs) {
        copy.add_output(output.name.clone(), value);
    }
    for (name, var) in results {
        copy.add_output(name, var.value().expect("bug: a poisoned result of a trace without error"));
    }
    Ok(copy)
}

/// The first of `x.grad`, `y.x.grad`, `y.x.grad.2`, `y.x.grad.3`, … that no output has.
fn gradient_name(graph: &Graph, output: &str, input: &str) -> String {
    let taken = |name: &String| graph.outputs().iter().any(|output| *output.name == **name);
    let long = format!("{output}.{input}.grad");
    let numbered = (2..).map(|n| format!("{long}.{n}"));
    let mut names = [format!("{input}.grad"), long.clone()].into_iter().chain(numbered);
    names.find(|name| !taken(name)).expect("bug: all numbers are taken")
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
    Err(DerivativeError::NotFloat { name: name.to_string(), ty: ty.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret;
    use crate::value::{Array, DType};

    /// A graph of one scalar input `x` and one output.
    fn graph(f: impl FnOnce(Var) -> Var) -> Graph {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", crate::value::Type::scalar(DType::F64)).unwrap();
        let (mut graph, y) = trace::record(graph, 1000, None, || f(trace::variable(x))).unwrap();
        graph.add_output("y", y.value().unwrap());
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
    fn what_has_no_derivative_is_refused() {
        let f = graph(|x| x.broadcast_to(&[2]));
        assert!(matches!(grad(&f, 0, &[0]), Err(Error::Derivative(DerivativeError::NotScalar { .. }))));
        assert!(matches!(grad(&f, 1, &[0]), Err(Error::Argument(_))));
        let f = graph(|x| x.less(1.0));
        assert!(matches!(grad(&f, 0, &[0]), Err(Error::Derivative(DerivativeError::NotFloat { .. }))));
    }
}
