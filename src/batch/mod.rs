//! Functions of one row applied to many, all at once: graph → graph, by the batch rule of each operation.
//!
//! [`batch`] gives some inputs of a graph, and all of its outputs, one more, leading axis, along which the graph is
//! applied. What does not depend on these inputs is computed once. The result is an ordinary graph: it is differentiated,
//! batched again, saved and compiled like any other. [`vmap`](crate::vmap) is the same for functions.
//!
//! # Semantics
//! The result is what the graph gives for each row, to the bit; but products of matrices may be summed in another order
//! (that of [`DotGeneral`](crate::op::DotGeneral) for the larger product), and so may those of a vector that has rows with
//! a matrix that has none.
//!
//! - A `cond` or `switch` whose choice is the same for all rows stays one, on rows. Where the choice differs from row to
//!   row, each row runs the branch that it takes and no other: a `map` of the row's `cond`. Only if all branches together
//!   take little arithmetic, cannot fail, and hold no control flow, are they all computed, and the results selected.
//! - A `while` whose condition is the same for all rows stays one, on rows. Else it is a `map` of the row's loop, so the
//!   time is that of the sum of the rows' iterations, and a row that would not have entered the loop does not.
//! - What such a `while` saves for the reverse mode is used within the same `map`.
//! - `scan` and `checkpoint` run on rows.
//! - A [`Guard`](crate::ir::Guard) demands one answer, so it cannot rest on what differs from row to row: an error.
//!
//! ```
//! use retrograd::value::{Array, DType, Type};
//! use retrograd::{Var, batch::batch, differentiate, interpret, trace};
//!
//! let cube = trace(|x: Var, a: Var| a * x * x * x, (DType::F64, DType::F64))?;
//! let slopes = batch(&differentiate::grad(&cube, 0, &[0])?, &[0], 3)?;
//! let x = Array::from_elements([3], vec![1.0, 2.0, 3.0]).unwrap();
//! let outputs = interpret::run(&slopes, &[x, Array::scalar(2.0)])?;
//! assert_eq!(outputs[1], Array::from_elements([3], vec![6.0, 24.0, 54.0]).unwrap());
//! # Ok::<(), retrograd::Error>(())
//! ```

mod analysis;
mod control;
mod map;
mod pass;
mod rows;

use crate::error::{ArgumentError, Error};
use crate::op::{Batched, Graph, Var, trace, with_rows};
use crate::stack;
use crate::value::Type;

use map::map_in_lanes;
pub(crate) use map::{Purpose, map_on_rows, stays_in_registers};
pub(crate) use pass::Pass;
use rows::Batcher;

/// The graph applied to `n` rows: the inputs of `over` and all outputs get a leading axis of extent `n`. The other inputs
/// are the same for each row. Names stay as they are. See the [module](self) for what becomes of control flow.
///
/// No row at all is allowed: the outputs have none, either.
///
/// # Errors
/// If `over` is empty, names an input twice, or one that does not exist; if a guard rests on an input of `over`; or if a
/// type would be too large.
pub fn batch(graph: &Graph, over: &[usize], n: usize) -> Result<Graph, Error> {
    let has_rows = check(graph, over)?;
    let mut copy = Graph::new(graph.name());
    let mut inputs = Vec::new();
    for (input, &has_rows) in graph.inputs().iter().zip(&has_rows) {
        let ty = graph.ty(input.node.into());
        let ty = if has_rows { of_rows(ty, n) } else { ty.clone() };
        inputs.push(copy.add_input(input.name.clone(), ty)?);
    }
    let max_nodes = trace::DEFAULT_MAX_NODES.max(graph.n_nodes().saturating_mul(16));
    let replay = || {
        let inputs = inputs.iter().zip(&has_rows);
        let inputs: Vec<Batched> =
            inputs.map(|(&input, &has_rows)| Batched { var: trace::variable(input), has_rows }).collect();
        let outputs = rows_of(graph, &inputs, n).unwrap_or_default();
        outputs.into_iter().map(|output| output.rows(n)).collect::<Vec<Var>>()
    };
    let recorded = stack::for_levels(graph.depth(), || trace::record(copy, max_nodes, None, replay));
    let (mut copy, outputs) = recorded?;
    for (output, var) in graph.outputs().iter().zip(outputs) {
        copy.add_output(output.name.clone(), var.value().expect("bug: a poisoned result of a trace without error"))?;
    }
    Ok(copy)
}

/// What the graph gives for these inputs, appended to the open trace; `None` after an error, which is recorded there.
#[track_caller]
pub(crate) fn rows_of(graph: &Graph, inputs: &[Batched], n: usize) -> Option<Vec<Batched>> {
    match map_in_lanes(graph, inputs, n) {
        Some(results) => results,
        None => Batcher::new(n).replay(graph, inputs),
    }
}

/// The type with a leading axis of rows; of a stack, each of its arrays.
pub(crate) fn of_rows(ty: &Type, n: usize) -> Type {
    Type { shape: with_rows(&ty.shape, n), ..ty.clone() }
}

/// Which inputs have rows.
fn check(graph: &Graph, over: &[usize]) -> Result<Vec<bool>, Error> {
    let requirement = |requirement: String| ArgumentError::Value { name: "batch".to_string(), requirement };
    let n_inputs = graph.inputs().len();
    let mut has_rows = vec![false; n_inputs];
    for &position in over {
        match has_rows.get_mut(position) {
            None => {
                let text = format!("there are {n_inputs} inputs, but input {position} was asked to have rows");
                return Err(requirement(text).into());
            }
            Some(true) => return Err(requirement(format!("input {position} was named twice")).into()),
            Some(has_rows) => *has_rows = true,
        }
    }
    if over.is_empty() {
        return Err(requirement("at least one input must have rows".to_string()).into());
    }
    Ok(has_rows)
}
