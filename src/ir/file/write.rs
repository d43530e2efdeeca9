use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use super::constants;
use super::ids::Ids;
use super::{FORMAT, MAX_INLINE, MAX_INLINE_RANK, Meta, VERSION};
use crate::ir::{Graph, Guard, NodeId, Operation, Role};
use crate::value::Array;
use crate::value::json::{write_text, write_value};

/// The document's text. The graph must verify.
pub(super) fn write<O: Operation>(graph: &Graph<O>, producer: &str, meta: &Meta) -> String {
    let mut writer = Writer { meta, constants: Vec::new(), places: HashMap::new(), text: String::new() };
    let graphs = name_graphs(graph);
    writer.header(producer, graph.name());
    for (position, (name, graph)) in graphs.list.iter().enumerate() {
        writer.text.push_str(if position > 0 { ",\n" } else { "" });
        writer.graph(name, graph, &graphs.names);
    }
    writer.text.push_str("\n }");
    writer.constants_table();
    if let Some(meta) = &meta.document {
        writer.text.push_str(",\n \"meta\": ");
        write_value(meta, &mut writer.text);
    }
    writer.text.push_str("\n}\n");
    writer.text
}

/// The graphs of a document: the entry, then regions in the order of their first use. A region with several uses is
/// listed once.
struct Named<'g, O> {
    list: Vec<(String, &'g Graph<O>)>,
    names: HashMap<*const Graph<O>, String>,
}

fn name_graphs<O: Operation>(entry: &Graph<O>) -> Named<'_, O> {
    let mut taken = HashSet::from([entry.name().to_string()]);
    let mut next_number = HashMap::new();
    let mut named = Named { list: vec![(entry.name().to_string(), entry)], names: HashMap::new() };
    let mut position = 0;
    while let Some(&(_, graph)) = named.list.get(position) {
        for region in graph.ids().flat_map(|id| graph.node(id).regions()) {
            if named.names.contains_key(&Arc::as_ptr(region)) {
                continue;
            }
            let mut name = region.name().to_string();
            while !taken.insert(name.clone()) {
                let number = next_number.entry(region.name()).or_insert(2);
                name = format!("{}_{number}", region.name());
                *number += 1;
            }
            named.names.insert(Arc::as_ptr(region), name.clone());
            named.list.push((name, region));
        }
        position += 1;
    }
    named
}

struct Writer<'g> {
    meta: &'g Meta,
    /// The constants of the table.
    constants: Vec<&'g Array>,
    /// The table entry for elements at an address and of a type, so that shared elements are written once.
    places: HashMap<(*const u8, String), usize>,
    text: String,
}

impl<'g> Writer<'g> {
    fn header(&mut self, producer: &str, entry: &str) {
        self.text.push_str("{\n \"format\": ");
        write_text(FORMAT, &mut self.text);
        let _ = write!(self.text, ", \"version\": {VERSION}");
        self.field("producer", producer);
        self.field("entry", entry);
        self.text.push_str(",\n \"graphs\": {\n");
    }

    fn graph<O: Operation>(&mut self, name: &str, graph: &'g Graph<O>, regions: &HashMap<*const Graph<O>, String>) {
        let ids = Ids::new(graph);
        let meta = self.meta.graphs.get(name);
        self.text.push_str("  ");
        write_text(name, &mut self.text);
        self.text.push_str(": {\n   ");
        self.lines("inputs", graph.inputs(), |writer, input| {
            writer.first_field("id", &input.name);
            writer.field("type", &graph.ty(input.node.into()).to_string());
        });
        self.text.push_str(",\n   ");
        self.lines("nodes", graph.ids().skip(graph.inputs().len()), |writer, id| {
            writer.node(graph, id, &ids, regions);
            if let Some(meta) = meta.and_then(|meta| meta.nodes.get(&graph.op_number(id))) {
                writer.value_field("meta", meta);
            }
        });
        if !graph.guards().is_empty() {
            self.text.push_str(",\n   ");
            self.lines("guards", graph.guards(), |writer, guard| writer.guard(guard, &ids));
        }
        self.text.push_str(",\n   ");
        self.lines("outputs", graph.outputs(), |writer, output| {
            writer.first_field("name", &output.name);
            writer.field("value", &ids.value(output.value));
        });
        if let Some(meta) = meta.and_then(|meta| meta.graph.as_ref()) {
            self.text.push_str(",\n   \"meta\": ");
            write_value(meta, &mut self.text);
        }
        self.text.push_str("\n  }");
    }

    /// A list of objects, each on a line of its own.
    fn lines<T>(&mut self, key: &str, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Writer<'g>, T)) {
        let _ = write!(self.text, "\"{key}\": [");
        let start = self.text.len();
        for item in items {
            self.text.push_str(if self.text.len() > start { ",\n    {" } else { "\n    {" });
            write(self, item);
            self.text.push('}');
        }
        self.text.push_str(if self.text.len() > start { "\n   ]" } else { "]" });
    }

    fn node<O: Operation>(
        &mut self,
        graph: &'g Graph<O>,
        id: NodeId,
        ids: &Ids<'g, O>,
        regions: &HashMap<*const Graph<O>, String>,
    ) {
        let node = graph.node(id);
        let op = node.op().expect("bug: an input after an operation");
        self.first_field("id", &ids.node(id));
        self.field("op", op.name());
        self.texts("in", graph.operands(id).iter().map(|&operand| ids.value(operand)));
        match node.types() {
            [ty] => self.field("type", &ty.to_string()),
            types => self.texts("type", types.iter().map(ToString::to_string)),
        }
        if let Some(value) = op.constant() {
            self.constant(value);
        }
        for (key, attribute) in op.attributes() {
            self.value_field(&key, &attribute);
        }
        if !node.regions().is_empty() {
            self.texts("regions", node.regions().iter().map(|region| regions[&Arc::as_ptr(region)].as_str()));
        }
        let provenance = node.provenance();
        if let Some(name) = &provenance.name {
            self.field("name", name);
        }
        match provenance.role {
            Some(Role::Cotangent(of)) => self.field("cotangent_of", &ids.value(of)),
            Some(Role::Tangent(of)) => self.field("tangent_of", &ids.value(of)),
            None => {}
        }
        if let Some(at) = &provenance.at {
            self.field("at", &at.to_string());
        }
    }

    fn guard<O: Operation>(&mut self, guard: &Guard, ids: &Ids<'_, O>) {
        self.first_field("value", &ids.value(guard.value));
        self.value_field("expect", &guard.expect.into());
        if let Some(at) = &guard.at {
            self.field("at", &at.to_string());
        }
    }

    /// Writes a small constant in the node, a large one to the table.
    fn constant(&mut self, value: &'g Array) {
        self.text.push_str(", \"value\": ");
        if is_inline(value) {
            self.text.push_str(&value.to_json());
            return;
        }
        let place = *self.places.entry((value.as_ptr(), value.ty().to_string())).or_insert_with(|| {
            self.constants.push(value);
            self.constants.len() - 1
        });
        let _ = write!(self.text, "{{\"ref\": \"c{place}\"}}");
    }

    fn constants_table(&mut self) {
        if self.constants.is_empty() {
            return;
        }
        self.text.push_str(",\n \"constants\": {");
        for (place, value) in std::mem::take(&mut self.constants).into_iter().enumerate() {
            self.text.push_str(if place > 0 { ",\n" } else { "\n" });
            let _ = write!(self.text, "  \"c{place}\": {{\"type\": \"{}\", \"base64\": \"", value.ty());
            constants::encode(value, &mut self.text);
            self.text.push_str("\"}");
        }
        self.text.push_str("\n }");
    }

    fn first_field(&mut self, key: &str, text: &str) {
        let _ = write!(self.text, "\"{key}\": ");
        write_text(text, &mut self.text);
    }

    fn field(&mut self, key: &str, text: &str) {
        self.text.push_str(", ");
        self.first_field(key, text);
    }

    fn value_field(&mut self, key: &str, value: &serde_json::Value) {
        let _ = write!(self.text, ", \"{key}\": ");
        write_value(value, &mut self.text);
    }

    fn texts(&mut self, key: &str, texts: impl Iterator<Item = impl AsRef<str>>) {
        let _ = write!(self.text, ", \"{key}\": [");
        for (position, text) in texts.enumerate() {
            self.text.push_str(if position > 0 { ", " } else { "" });
            write_text(text.as_ref(), &mut self.text);
        }
        self.text.push(']');
    }
}

/// Whether a constant is written in the node. Extents of 0 count as 1: `f64[1000000,0]` is a million empty lists.
fn is_inline(value: &Array) -> bool {
    let n_lists = value.shape().iter().try_fold(1usize, |size, &extent| size.checked_mul(extent.max(1)));
    value.shape().len() <= MAX_INLINE_RANK && n_lists.is_some_and(|n| n <= MAX_INLINE)
}
