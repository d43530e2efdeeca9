//! Reading and verifying a document. Reading continues after a finding: an error in one node must neither hide errors
//! in later nodes nor cause findings in correct ones.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::fields::{Place, did_you_mean};
use super::{Document, FORMAT, GraphMeta, Limits, Meta, VERSION};
use crate::error::{Error, Finding, LimitError, SourceLine, VerifyError};
use crate::ir::graph::{MAX_DEPTH, NESTED_REGIONS, guard_of, output_of};
use crate::ir::verify::Findings;
use crate::ir::{Graph, Guard, Operation};
use crate::stack;
use crate::value::json::Json;
use crate::value::{Array, DType, Type};

mod node;
mod scope;

use scope::{Known, Scope};

/// The most names that an unknown name is compared with, so that a bad file does not take quadratic time.
const MAX_COMPARED: usize = 10_000;

/// Reads a document.
pub(super) fn read<O: Operation>(text: &str, limits: &Limits) -> Result<Document<O>, Error> {
    if text.len() as u64 > limits.document_bytes {
        let (limit, got) = (limits.document_bytes, Some(text.len() as u64));
        return Err(LimitError { what: "bytes of a document", limit, got, place: None }.into());
    }
    let json = Json::parse(text).map_err(|error| {
        let place = format!("line {} column {}", error.line, error.column);
        VerifyError { findings: vec![Finding { place, message: error.message, hint: None }] }
    })?;
    let mut reader = Reader::new(limits);
    let document = reader.document(&json)?;
    reader.findings.into_result()?;
    Ok(document.expect("bug: neither a graph nor a finding"))
}

struct Reader<'t, O> {
    limits: &'t Limits,
    findings: Findings,
    /// The names of operations.
    ops: HashSet<&'static str>,
    /// The name of the operation that is a constant.
    constant: &'static str,
    /// The graphs of the document, unread.
    graphs: HashMap<&'t str, &'t Json<'t>>,
    /// The graphs read so far; `None` after findings.
    read: HashMap<&'t str, Option<Arc<Graph<O>>>>,
    /// The graphs that are being read: each is a region of the previous one.
    open: Vec<&'t str>,
    /// The table of constants, undecoded.
    table: HashMap<&'t str, &'t Json<'t>>,
    /// The entries of the table decoded so far, which nodes share; `None` after findings.
    constants: HashMap<&'t str, Option<Array>>,
    meta: Meta,
    n_nodes: usize,
    n_expanded: u64,
    /// For each region, its number of nodes, with nested regions counted at each use.
    expanded: HashMap<&'t str, u64>,
    n_bytes: u64,
}

impl<'t, O: Operation> Reader<'t, O> {
    fn new(limits: &'t Limits) -> Reader<'t, O> {
        Reader {
            limits,
            findings: Findings::default(),
            ops: O::names().iter().copied().collect(),
            constant: O::from_constant(Array::scalar(false)).name(),
            graphs: HashMap::new(),
            read: HashMap::new(),
            open: Vec::new(),
            table: HashMap::new(),
            constants: HashMap::new(),
            meta: Meta::default(),
            n_nodes: 0,
            n_expanded: 0,
            expanded: HashMap::new(),
            n_bytes: 0,
        }
    }

    /// The document, or `None` after findings.
    fn document(&mut self, json: &'t Json<'t>) -> Result<Option<Document<O>>, Error> {
        let place = Place::Document;
        let keys = ["format", "version", "producer", "entry", "graphs", "constants", "meta"];
        let Some(fields) = self.findings.fields(place, json, keys) else { return Ok(None) };
        let [format, version, producer, entry, graphs, table, meta] = fields.known;
        // The rest of an unsupported format or version cannot be interpreted.
        if !self.is_supported(format, version) {
            return Ok(None);
        }
        for (key, _) in fields.rest {
            let hint = || did_you_mean(key, keys);
            self.findings.add_with_hint(place.to_string(), format!("unknown key \"{key}\""), hint);
        }
        let producer = self.findings.text(place, "producer", producer);
        let entry = self.findings.text(place, "entry", entry);
        self.meta.document = meta.map(Json::to_value);
        if table.is_some() {
            self.table = self.entries("constants", table);
        }
        self.graphs = self.entries("graphs", graphs);
        let levels = self.graphs.len().min(self.max_depth());
        let graph = stack::for_levels(levels, || {
            let graph = entry.map_or(Ok(None), |entry| self.graph(place, entry))?;
            self.unused(entry.is_some_and(|entry| self.graphs.contains_key(entry)))?;
            Ok::<_, Error>(graph)
        })?;
        self.read.clear();
        Ok(graph.zip(producer).map(|(graph, producer)| Document {
            graph: Arc::into_inner(graph).expect("bug: the entry is a region"),
            producer: producer.to_string(),
            meta: std::mem::take(&mut self.meta),
        }))
    }

    fn is_supported(&mut self, format: Option<&'t Json<'t>>, version: Option<&'t Json<'t>>) -> bool {
        let n_before = self.findings.n();
        if let Some(format) = self.findings.text(Place::Document, "format", format).filter(|&format| format != FORMAT) {
            self.findings.at(Place::Document, format!("\"format\" must be \"{FORMAT}\", but is \"{format}\""));
        }
        let version = self.findings.required(Place::Document, "version", version);
        if let Some(version) = version.filter(|&version| *version != Json::Number(VERSION.into())) {
            let message =
                format!("\"version\" must be {VERSION} for {}, but got {}", super::PRODUCER, version.describe());
            self.findings.at(Place::Document, message);
        }
        self.findings.n() == n_before
    }

    /// The entries of a table by name.
    fn entries(&mut self, key: &str, table: Option<&'t Json<'t>>) -> HashMap<&'t str, &'t Json<'t>> {
        let mut entries = HashMap::new();
        for (name, json) in self.findings.object(Place::Document, key, table).unwrap_or_default() {
            if entries.insert(name.as_ref(), json).is_some() {
                self.findings.at(Place::Document, format!("\"{key}\" has two entries \"{name}\""));
            }
        }
        entries
    }

    /// Reads the graphs that have not been used. If there is an entry, unused graphs and constants are findings: saving
    /// the document would lose them silently.
    fn unused(&mut self, has_entry: bool) -> Result<(), Error> {
        let mut graphs = sorted(&self.graphs);
        graphs.retain(|name| !self.read.contains_key(name));
        for name in graphs {
            if has_entry {
                self.findings.at(Place::Graph(name), "is never used");
            }
            self.graph(Place::Document, name)?;
        }
        let mut constants = sorted(&self.table);
        constants.retain(|name| has_entry && !self.constants.contains_key(name));
        for name in constants {
            self.findings.at(Place::Constant(name), "is never used");
        }
        Ok(())
    }

    /// A graph of the document, which is read at its first use; `None` after findings.
    fn graph(&mut self, place: Place<'_>, name: &'t str) -> Result<Option<Arc<Graph<O>>>, Error> {
        if let Some(graph) = self.read.get(name) {
            // It may have been read at a smaller nesting depth.
            let depth = graph.as_ref().map_or(0, |graph| graph.depth());
            self.check_depth(place, self.open.len() + depth)?;
            return Ok(graph.clone());
        }
        if self.open.contains(&name) {
            self.findings.at(place, format!("graph \"{name}\" is a region of itself: {}", self.open.join(" → ")));
            return Ok(None);
        }
        let Some(&json) = self.graphs.get(name) else {
            let hint = || nearest(name, &self.graphs);
            self.findings.add_with_hint(place.to_string(), format!("there is no graph \"{name}\""), hint);
            return Ok(None);
        };
        self.check_depth(place, self.open.len())?;
        self.open.push(name);
        let graph = self.graph_body(name, json)?.map(Arc::new);
        self.open.pop();
        self.read.insert(name, graph.clone());
        Ok(graph)
    }

    fn max_depth(&self) -> usize {
        self.limits.region_depth.min(MAX_DEPTH)
    }

    fn check_depth(&self, place: Place<'_>, depth: usize) -> Result<(), LimitError> {
        let limit = self.max_depth();
        if depth <= limit {
            return Ok(());
        }
        Err(LimitError { what: NESTED_REGIONS, limit: limit as u64, got: None, place: Some(place.to_string()) })
    }

    fn graph_body(&mut self, name: &'t str, json: &'t Json<'t>) -> Result<Option<Graph<O>>, Error> {
        let place = Place::Graph(name);
        let keys = ["inputs", "nodes", "guards", "outputs", "meta"];
        let Some([inputs, nodes, guards, outputs, meta]) = self.findings.all_fields(place, json, keys) else {
            return Ok(None);
        };
        let inputs = self.findings.list(place, "inputs", inputs).unwrap_or_default();
        let nodes = self.findings.list(place, "nodes", nodes).unwrap_or_default();
        let outputs = self.findings.list(place, "outputs", outputs).unwrap_or_default();
        self.count_nodes(place, inputs.len() + nodes.len())?;
        if let Some(meta) = meta {
            self.graph_meta(name).graph = Some(meta.to_value());
        }

        let mut scope = Scope::new(name, inputs, nodes);
        for (position, json) in inputs.iter().enumerate() {
            self.input(&mut scope, position, json)?;
        }
        for (position, json) in nodes.iter().enumerate() {
            self.node(&mut scope, position, json)?;
        }
        if guards.is_some() {
            let guards = self.findings.list(place, "guards", guards).unwrap_or_default();
            for (position, json) in guards.iter().enumerate() {
                self.guard(&mut scope, position, json)?;
            }
        }
        let mut names = HashSet::new();
        for (position, json) in outputs.iter().enumerate() {
            self.output(&mut scope, &mut names, position, json)?;
        }
        Ok(self.is_sound().then_some(scope.graph))
    }

    /// Whether there are no findings so far. While that holds, every value of an open graph exists in the graph being
    /// built; afterwards nothing more is built.
    fn is_sound(&self) -> bool {
        self.findings.n() == 0
    }

    fn graph_meta(&mut self, graph: &str) -> &mut GraphMeta {
        self.meta.graphs.entry(graph.to_string()).or_default()
    }

    fn count_nodes(&mut self, place: Place<'_>, n: usize) -> Result<(), LimitError> {
        self.n_nodes += n;
        if self.n_nodes > self.limits.nodes {
            let (limit, got) = (self.limits.nodes as u64, Some(self.n_nodes as u64));
            return Err(LimitError { what: "nodes of a document", limit, got, place: Some(place.to_string()) });
        }
        Ok(())
    }

    /// Counts the nodes of a region at one more use. Evaluation and differentiation visit them at each use, and the
    /// number of visits multiplies with nesting.
    fn count_region(&mut self, place: Place<'_>, name: &'t str, region: &Graph<O>) -> Result<(), LimitError> {
        let n_nodes = *self.expanded.entry(name).or_insert_with(|| region.n_nodes_expanded());
        let n = self.n_expanded.saturating_add(n_nodes);
        self.n_expanded = n;
        if n > self.limits.nodes as u64 {
            let (limit, place) = (self.limits.nodes as u64, Some(place.to_string()));
            return Err(LimitError {
                what: "nodes of a document, as often as its regions are used",
                limit,
                got: Some(n),
                place,
            });
        }
        Ok(())
    }

    /// Adds the bytes of a value of type `ty` to the total.
    fn count_bytes(&mut self, place: Place<'_>, ty: &Type) -> Result<(), LimitError> {
        self.limits.check_type(ty, || place.to_string())?;
        self.n_bytes = self.n_bytes.saturating_add(ty.checked_bytes().map_or(u64::MAX, |bytes| bytes as u64));
        if self.n_bytes > self.limits.total_bytes {
            let (limit, got) = (self.limits.total_bytes, Some(self.n_bytes));
            return Err(LimitError { what: "bytes of all values", limit, got, place: Some(place.to_string()) });
        }
        Ok(())
    }

    fn input(&mut self, scope: &mut Scope<'t, O>, position: usize, json: &'t Json<'t>) -> Result<(), Error> {
        let item = Place::Item(scope.name, "inputs", position);
        let Some([id, ty]) = self.findings.all_fields(item, json, ["id", "type"]) else { return Ok(()) };
        let id = self.findings.name(item, "id", id);
        let place = id.map_or(item, |id| Place::Node(scope.name, id));
        let ty = self.findings.text(place, "type", ty).and_then(|text| self.findings.ty(place, text));
        if let Some(ty) = &ty {
            self.count_bytes(place, ty)?;
            if ty.stack {
                self.findings.at(place, format!("an input must be an array, but got {ty}"));
            }
        }
        let value = match (id, &ty) {
            (Some(id), Some(ty)) if self.is_sound() => Some(scope.graph.add_input(id, ty.clone())?),
            _ => None,
        };
        if let Some(id) = id {
            self.define(scope, item, id.into(), Known { ty, value });
        }
        Ok(())
    }

    fn guard(&mut self, scope: &mut Scope<'t, O>, position: usize, json: &'t Json<'t>) -> Result<(), Error> {
        let place = Place::Item(scope.name, "guards", position);
        let keys = ["value", "expect", "at"];
        let Some([value, expect, at]) = self.findings.all_fields(place, json, keys) else { return Ok(()) };
        let value = self.findings.text(place, "value", value);
        let value = value.and_then(|name| self.find(scope, place, None, name));
        let expect = self.findings.required(place, "expect", expect).and_then(|expect| match expect {
            Json::Bool(expect) => Some(*expect),
            other => {
                self.findings.takes(place, "expect", "true or false", other);
                None
            }
        });
        let at = at.and_then(|at| self.findings.text(place, "at", Some(at)));
        let at = at.map(|at| SourceLine::Recorded(at.into()));
        if let Some(ty) =
            value.as_ref().and_then(|value| value.ty.as_ref()).filter(|&ty| *ty != Type::scalar(DType::Bool))
        {
            self.findings.at(place, guard_of(ty));
        }
        if let (Some(value), Some(expect), true) = (value.and_then(|value| value.value), expect, self.is_sound()) {
            scope.graph.add_guard(Guard { value, expect, at })?;
        }
        Ok(())
    }

    fn output(
        &mut self,
        scope: &mut Scope<'t, O>,
        names: &mut HashSet<&'t str>,
        position: usize,
        json: &'t Json<'t>,
    ) -> Result<(), Error> {
        let place = Place::Item(scope.name, "outputs", position);
        let Some([name, value]) = self.findings.all_fields(place, json, ["name", "value"]) else { return Ok(()) };
        let name = self.findings.name(place, "name", name);
        if let Some(name) = name.filter(|&name| !names.insert(name)) {
            self.findings.at(place, format!("the name \"{name}\" is given twice"));
        }
        let value = self.findings.text(place, "value", value);
        let value = value.and_then(|value| self.find(scope, place, None, value));
        if let Some(ty) = value.as_ref().and_then(|value| value.ty.as_ref()).filter(|ty| ty.stack) {
            self.findings.at(place, output_of(ty));
        }
        let value = value.and_then(|value| value.value);
        if let (Some(name), Some(value), true) = (name, value, self.is_sound()) {
            scope.graph.add_output(name, value)?;
        }
        Ok(())
    }
}

/// A hint with the most similar name of a table.
fn nearest<'t>(name: &str, table: &HashMap<&'t str, &'t Json<'t>>) -> Option<String> {
    if table.len() <= MAX_COMPARED { did_you_mean(name, sorted(table)) } else { None }
}

/// The names of a table in a deterministic order.
fn sorted<'t>(table: &HashMap<&'t str, &'t Json<'t>>) -> Vec<&'t str> {
    let mut names: Vec<&str> = table.keys().copied().collect();
    names.sort_unstable();
    names
}
