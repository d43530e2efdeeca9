use std::borrow::Cow;

use crate::ir::{Graph, NodeId, Operation, Value};

/// The names of a graph's values in its file.
///
/// An input keeps its own name, a node is named `n0`, `n1`, … by its [`Graph::op_number`], and one of several results
/// of a node `n5.1`. If an input has such a name, nodes are named `nn0`, `nn1`, … instead, with as many `n`s as
/// necessary.
pub(in crate::ir) struct Ids<'g, O> {
    graph: &'g Graph<O>,
    prefix: String,
}

impl<'g, O: Operation> Ids<'g, O> {
    /// The names of the graph's values.
    pub fn new(graph: &'g Graph<O>) -> Ids<'g, O> {
        // The least number of `n`s that no input uses is at most one more than the number of inputs.
        let mut used = vec![false; graph.inputs().len() + 2];
        for input in graph.inputs() {
            let n_letters = input.name.bytes().take_while(|&b| b == b'n').count();
            if input.name.as_bytes().get(n_letters).is_some_and(u8::is_ascii_digit)
                && let Some(used) = used.get_mut(n_letters)
            {
                *used = true;
            }
        }
        let n_letters = (1..used.len()).find(|&n| !used[n]).expect("bug: more prefixes in use than inputs");
        Ids { graph, prefix: "n".repeat(n_letters) }
    }

    /// The name of a node.
    pub fn node(&self, id: NodeId) -> Cow<'g, str> {
        match self.graph.inputs().get(id.index()) {
            Some(input) => Cow::Borrowed(&*input.name),
            None => Cow::Owned(format!("{}{}", self.prefix, self.graph.op_number(id))),
        }
    }

    /// The name of a value.
    pub fn value(&self, value: Value) -> Cow<'g, str> {
        if self.graph.node(value.node).types().len() == 1 {
            self.node(value.node)
        } else {
            Cow::Owned(format!("{}.{}", self.node(value.node), value.result))
        }
    }
}
