//! Prints each operation of a traced function with its values, and then those of its gradient.
//!
//! `cargo run --release --example print_trace`
//!
//! Example of autograd's of the same name, which prints what an operation is applied to while it runs. Here the graph is
//! there before anything runs: all of its values are made outputs, and the interpreter gives them.

use std::error::Error;

use retrograd::interpret;
use retrograd::value::{Array, DType};
use retrograd::{Graph, Var, differentiate, trace};

fn average(x: Var, y: Var) -> Var {
    (x + y) / 2.0
}

/// The function that autograd's example traces.
fn fun(x: Var) -> Var {
    let y = (x + x).sin();
    average(y, y)
}

fn main() -> Result<(), Box<dyn Error>> {
    let x = 1.23f64;
    let inputs = [Array::scalar(x)];
    let graph = trace(fun, (DType::F64,))?;
    println!("the function at {x}");
    let value = print_trace(&graph, &inputs)?;
    assert!((value - (2.0 * x).sin()).abs() < 1e-15, "the value is {value}");

    println!("\nthe function and its gradient");
    let gradient = differentiate::grad(&graph, 0, &[0])?;
    let slope = print_trace(&gradient, &inputs)?;
    assert!((slope - 2.0 * (2.0 * x).cos()).abs() < 1e-15, "the derivative is {slope}");
    Ok(())
}

/// Prints a line for each node, with its value, and returns the last output.
fn print_trace(graph: &Graph, inputs: &[Array]) -> Result<f64, Box<dyn Error>> {
    let mut all = graph.clone();
    all.clear_outputs();
    for id in graph.ids() {
        all.add_output(format!("value {}", id.index()), id.into())?;
    }
    let values = interpret::run(&all, inputs)?;
    for (id, value) in graph.ids().zip(&values) {
        println!("  {:36}  {}", graph.line(id), value.to_json());
    }
    let last = graph.outputs().last().ok_or("the function has no result")?;
    let value = &values[last.value.node.index()];
    assert_eq!(Some(value), interpret::run(graph, inputs)?.last(), "the trace has another value than a run");
    Ok(*value.as_slice::<f64>().and_then(|numbers| numbers.first()).ok_or("the result is no number")?)
}
