use std::collections::HashSet;
use std::fmt::{self, Write};
use std::sync::Arc;

use super::{Graph, NodeId, Operation, Value};
use crate::stack;

/// The most elements of a constant that a listing shows.
const SHOWN_ELEMENTS: usize = 8;

impl<O: Operation> Graph<O> {
    /// One node as a line of the listing, without indentation: `%2: f64[4] = dot_general %x %w contract=[[1],[0]]`.
    pub fn line(&self, id: NodeId) -> String {
        let node = self.node(id);
        let mut line = String::new();
        for (result, ty) in node.types().iter().enumerate() {
            let separator = if result > 0 { ", " } else { "" };
            let value = Value { node: id, result: result as u16 };
            let _ = write!(line, "{separator}{}: {ty}", self.value_name(value));
        }
        let application = if node.op().is_some() { self.application(id, true) } else { "input".to_string() };
        let _ = write!(line, " = {application}");
        line
    }

    /// The operation of a node with its parameters in the form of a listing, optionally with its operands.
    pub(super) fn application(&self, id: NodeId, with_operands: bool) -> String {
        let Some(op) = self.node(id).op() else { return String::new() };
        let mut line = op.name().to_string();
        for operand in self.operands(id).iter().filter(|_| with_operands) {
            let _ = write!(line, " {}", self.value_name(*operand));
        }
        for (key, attribute) in op.attributes() {
            let _ = write!(line, " {key}={attribute}");
        }
        if let Some(value) = op.constant() {
            let shown: Vec<String> = value.elements().take(SHOWN_ELEMENTS).map(|x| x.to_string()).collect();
            let more = if value.size() > SHOWN_ELEMENTS { ", …" } else { "" };
            let brackets = if value.shape().is_empty() { ("", "") } else { ("[", "]") };
            let _ = write!(line, " {}{}{more}{}", brackets.0, shown.join(", "), brackets.1);
        }
        line
    }

    /// The name of a value in listings: `%x` for an input, `%4` for a node, `%4.1` if it has several results.
    pub fn value_name(&self, value: Value) -> String {
        let node = self.node(value.node);
        if node.op().is_none() {
            return format!("%{}", node.provenance().name.as_deref().unwrap_or_default());
        }
        if node.types().len() > 1 {
            format!("%{}.{}", self.op_number(value.node), value.result)
        } else {
            format!("%{}", self.op_number(value.node))
        }
    }
}

/// The listing, similar to a jaxpr: one node per line, with names and source lines as comments. Regions follow their
/// node; a region with several uses is listed at the first.
impl<O: Operation> fmt::Display for Graph<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        stack::for_light_levels(self.depth(), || self.list(f, "", &mut HashSet::new()))
    }
}

impl<O: Operation> Graph<O> {
    fn list(&self, f: &mut fmt::Formatter<'_>, indent: &str, shown: &mut HashSet<*const Graph<O>>) -> fmt::Result {
        let inputs: Vec<String> =
            self.inputs().iter().map(|input| format!("%{}: {}", input.name, self.ty(input.node.into()))).collect();
        writeln!(f, "{indent}{}({}) {{", self.name(), inputs.join(", "))?;
        for id in self.ids().filter(|&id| self.node(id).op().is_some()) {
            write!(f, "{indent}  {}", self.line(id))?;
            let notes = self.notes(id);
            writeln!(f, "{}{}", if notes.is_empty() { "" } else { "  # " }, notes.join(", "))?;
            for region in self.node(id).regions() {
                let indent = format!("{indent}    ");
                if shown.insert(Arc::as_ptr(region)) {
                    region.list(f, &indent, shown)?;
                } else {
                    writeln!(f, "{indent}{}(…) as above", region.name())?;
                }
            }
        }
        for guard in self.guards() {
            write!(f, "{indent}  guard {} == {}", self.value_name(guard.value), guard.expect)?;
            match &guard.at {
                Some(at) => writeln!(f, "  # {at}")?,
                None => writeln!(f)?,
            }
        }
        let outputs: Vec<String> = self
            .outputs()
            .iter()
            .map(|output| format!("{}: {} = {}", output.name, self.ty(output.value), self.value_name(output.value)))
            .collect();
        writeln!(f, "{indent}  return {}", outputs.join(", "))?;
        writeln!(f, "{indent}}}")
    }

    fn notes(&self, id: NodeId) -> Vec<String> {
        let provenance = self.node(id).provenance();
        let mut notes = Vec::new();
        notes.extend(provenance.name.as_deref().map(|name| format!("\"{name}\"")));
        notes.extend(provenance.role.map(|role| match role {
            super::Role::Cotangent(of) => format!("ct of {}", self.value_name(of)),
            super::Role::Tangent(of) => format!("tangent of {}", self.value_name(of)),
        }));
        notes.extend(provenance.at.as_ref().map(|at| at.to_string()));
        notes
    }
}
