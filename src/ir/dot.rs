use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Graph, NodeId, Operation, Value};
use crate::stack;

impl<O: Operation> Graph<O> {
    /// The graph in the language of Graphviz: `retrograd show --dot loss.json | dot -Tsvg > loss.svg`.
    ///
    /// Inputs and outputs are named ovals, operations boxes with their parameters and types; an edge is labeled with
    /// the operand's slot if the order of operands matters. Regions are clusters; a region with several uses is drawn
    /// once.
    ///
    /// ```
    /// use retrograd::value::DType;
    /// use retrograd::{Var, trace};
    ///
    /// let graph = trace(|x: Var| 1.0 - x, (DType::F64,))?;
    /// assert_eq!(graph.to_dot(), "\
    /// digraph \"main\" {
    ///   node [shape=box, fontname=monospace];
    ///   n0 [label=\"%x\\nf64[]\", shape=oval];
    ///   n1 [label=\"%0 constant 1.0\\nf64[]\"];
    ///   n2 [label=\"%1 sub\\nf64[]\"];
    ///   n1 -> n2 [label=0];
    ///   n0 -> n2 [label=1];
    ///   out0 [label=\"out\", shape=oval];
    ///   n2 -> out0;
    /// }
    /// ");
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    pub fn to_dot(&self) -> String {
        let mut text = format!("digraph {} {{\n  node [shape=box, fontname=monospace];\n", quoted(self.name()));
        stack::for_light_levels(self.depth(), || self.write_dot(&mut text, "", &mut HashMap::new(), 1));
        text.push_str("}\n");
        text
    }

    /// A region is drawn at its first use, and the other uses refer to it; otherwise the size of the drawing could grow
    /// exponentially with nesting. `clusters` numbers the regions drawn so far.
    fn write_dot(&self, text: &mut String, prefix: &str, clusters: &mut HashMap<*const Graph<O>, usize>, depth: usize) {
        let indent = "  ".repeat(depth);
        for id in self.ids() {
            let shape = if self.node(id).op().is_none() { ", shape=oval" } else { "" };
            let label = quoted(&self.dot_label(id));
            let _ = writeln!(text, "{indent}{prefix}n{} [label={label}{shape}];", id.index());
            self.write_dot_edges(text, prefix, &indent, id);
            for region in self.node(id).regions() {
                let n_before = clusters.len();
                let cluster = *clusters.entry(Arc::as_ptr(region)).or_insert(n_before + 1);
                let inner = format!("r{cluster}_");
                if clusters.len() > n_before {
                    let label = quoted(&format!("{} in %{}", region.name(), self.op_number(id)));
                    let _ = writeln!(text, "{indent}subgraph cluster_{cluster} {{\n{indent}  label={label};");
                    region.write_dot(text, &inner, clusters, depth + 1);
                    let _ = writeln!(text, "{indent}}}");
                }
                if !region.outputs().is_empty() {
                    let _ = writeln!(text, "{indent}{inner}out0 -> {prefix}n{} [style=dashed];", id.index());
                }
            }
        }
        for (position, guard) in self.guards().iter().enumerate() {
            let label = quoted(&format!("guard: {}", guard.expect));
            let _ = writeln!(text, "{indent}{prefix}guard{position} [label={label}, shape=octagon];");
            let _ = writeln!(text, "{indent}{} -> {prefix}guard{position};", source(prefix, guard.value));
        }
        for (position, output) in self.outputs().iter().enumerate() {
            let _ = writeln!(text, "{indent}{prefix}out{position} [label={}, shape=oval];", quoted(&output.name));
            let _ = writeln!(text, "{indent}{} -> {prefix}out{position};", source(prefix, output.value));
        }
    }

    fn write_dot_edges(&self, text: &mut String, prefix: &str, indent: &str, id: NodeId) {
        let operands = self.operands(id);
        let ordered = operands.len() > 1 && !self.node(id).op().is_some_and(Operation::commutes);
        for (slot, &operand) in operands.iter().enumerate() {
            let mut notes = Vec::new();
            if ordered {
                notes.push(format!("label={slot}"));
            }
            if self.node(operand.node).types().len() > 1 {
                notes.push(format!("taillabel={}", operand.result));
            }
            let notes = if notes.is_empty() { String::new() } else { format!(" [{}]", notes.join(", ")) };
            let _ = writeln!(text, "{indent}{} -> {prefix}n{}{notes};", source(prefix, operand), id.index());
        }
    }

    /// The label of a node: name and operation, then the types.
    fn dot_label(&self, id: NodeId) -> String {
        let node = self.node(id);
        let types: Vec<String> = node.types().iter().map(ToString::to_string).collect();
        let name = match node.op() {
            None => self.value_name(id.into()),
            Some(_) => format!("%{} {}", self.op_number(id), self.application(id, false)),
        };
        format!("{name}\n{}", types.join(", "))
    }
}

fn source(prefix: &str, value: Value) -> String {
    format!("{prefix}n{}", value.node.index())
}

/// A quoted string of Graphviz. Control characters other than line ends are escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => {
                quoted.extend(c.escape_default().flat_map(|c| if c == '\\' { vec![c, c] } else { vec![c] }))
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use crate::ir::toy::nested;

    #[test]
    fn regions_are_clusters_and_results_are_distinguished() {
        assert_eq!(
            nested("sin").to_dot(),
            r#"digraph "f" {
  node [shape=box, fontname=monospace];
  n0 [label="%x\nf64[]", shape=oval];
  n1 [label="%0 pair\nf64[], f64[]"];
  n0 -> n1;
  subgraph cluster_1 {
    label="body in %0";
    r1_n0 [label="%x\nf64[]", shape=oval];
    r1_n1 [label="%0 sin\nf64[]"];
    r1_n0 -> r1_n1;
    r1_out0 [label="y", shape=oval];
    r1_n1 -> r1_out0;
  }
  r1_out0 -> n1 [style=dashed];
  n2 [label="%1 join\nf64[]"];
  n1 -> n2 [label=0, taillabel=1];
  n1 -> n2 [label=1, taillabel=0];
  out0 [label="z", shape=oval];
  n2 -> out0;
}
"#
        );
    }
}
