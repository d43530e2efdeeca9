//! The reference evaluator: calls each operation's `eval` in order. What native code gives is compared with it, bit
//! for bit.

use std::sync::Arc;

use crate::error::{ArgumentError, Error, GuardMiss};
use crate::ir::Value;
use crate::op::Graph;
use crate::value::{Array, Type};

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
/// If the inputs are of other number or types than the graph's, or a guard does not hold.
pub fn run(graph: &Graph, inputs: &[Array]) -> Result<Vec<Array>, Error> {
    let mut evaluator = Evaluator::new(graph, inputs.to_vec())?;
    for (position, guard) in graph.guards().iter().enumerate() {
        if evaluator.value(graph, guard.value).as_slice::<bool>() != Some(&[guard.expect]) {
            return Err(GuardMiss { guard: position, expected: guard.expect, at: guard.at.clone() }.into());
        }
    }
    Ok(graph.outputs().iter().map(|output| evaluator.value(graph, output.value)).collect())
}

/// Evaluates values of a growing graph on demand, each node once.
pub(crate) struct Evaluator {
    results: Vec<Option<Arc<[Array]>>>,
}

impl Evaluator {
    /// An evaluator for a graph with these inputs.
    pub fn new(graph: &Graph, inputs: Vec<Array>) -> Result<Evaluator, Error> {
        check_inputs(graph, inputs.iter().map(Array::ty))?;
        Ok(Evaluator { results: inputs.into_iter().map(|input| Some(Arc::from([input]))).collect() })
    }

    /// The value, computed with whatever it needs that is not known yet.
    pub fn value(&mut self, graph: &Graph, value: Value) -> Array {
        self.results.resize(graph.n_nodes(), None);
        // An explicit stack, since graphs are deeper than the machine's.
        let mut pending = vec![value.node];
        while let Some(&node) = pending.last() {
            if self.results[node.index()].is_some() {
                pending.pop();
                continue;
            }
            let operands = graph.operands(node);
            let before = pending.len();
            pending.extend(operands.iter().map(|x| x.node).filter(|x| self.results[x.index()].is_none()));
            if pending.len() > before {
                continue;
            }
            pending.pop();
            let op = graph.node(node).op().expect("bug: an input without a value");
            let x: Vec<&Array> = operands.iter().map(|&x| self.known(x)).collect();
            let results = op.eval(&x, graph.node(node).types());
            self.results[node.index()] = Some(results.into());
        }
        self.known(value).clone()
    }

    fn known(&self, value: Value) -> &Array {
        let results = self.results[value.node.index()].as_ref();
        &results.expect("bug: an operand was not evaluated")[usize::from(value.result)]
    }
}

/// Requires inputs of the graph's number and types.
fn check_inputs(graph: &Graph, types: impl ExactSizeIterator<Item = Type>) -> Result<(), ArgumentError> {
    let expected = graph.inputs().iter().map(|input| (&*input.name, graph.ty(input.node.into())));
    check_input_types(graph.name(), expected, types)
}

/// Requires inputs of the expected number and types.
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
