use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use retrograd::error::{ArgumentError, LimitError};
use retrograd::ir::{Document, Limits};
use retrograd::op::Op;
use retrograd::value::Type;
use retrograd::{Error, Graph, Program};

/// How much a file may ask for.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitFlags {
    /// The most bytes of a file.
    #[arg(long, value_name = "N", default_value_t = Limits::default().document_bytes)]
    pub max_file_bytes: u64,
    /// The most nodes of a file.
    #[arg(long, value_name = "N", default_value_t = Limits::default().nodes)]
    max_nodes: usize,
    /// The most elements of a value.
    #[arg(long, value_name = "N", default_value_t = Limits::default().elements)]
    max_elements: u64,
    /// The most bytes of all values of a file together.
    #[arg(long, value_name = "N", default_value_t = Limits::default().total_bytes)]
    max_total_bytes: u64,
}

/// How much memory what a file describes may take when it runs.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub struct MemoryFlag {
    /// The most bytes of memory for a run.
    #[arg(long, value_name = "N", default_value_t = 16 << 30)]
    pub max_memory: u64,
}

impl LimitFlags {
    /// Requires that a value which is yet to be made be allowed.
    pub fn demand_elements(&self, n_elements: u64, place: String) -> Result<(), LimitError> {
        if n_elements <= self.max_elements {
            return Ok(());
        }
        let (what, limit) = ("elements of a value", self.max_elements);
        Err(LimitError { what, limit, got: Some(n_elements), place: Some(place) })
    }

    /// Requires that inputs of these types, which no file holds, take no more bytes than arrays in files may.
    pub fn demand_inputs<'t>(&self, types: impl Iterator<Item = &'t Type>) -> Result<(), LimitError> {
        let (limit, bytes) = (self.max_array_bytes(), |ty: &Type| ty.checked_bytes().map_or(u64::MAX, |n| n as u64));
        let got = types.map(bytes).fold(0, u64::saturating_add);
        if got <= limit {
            return Ok(());
        }
        Err(LimitError { what: "bytes of inputs", limit, got: Some(got), place: None })
    }

    /// Reads a document and verifies it; `-` is the standard input.
    pub fn load(&self, file: &Path) -> Result<Document<Op>, Error> {
        Document::load(file, &self.limits())
    }

    /// The text of a graph that a command has made, if the limits allow to read it again.
    ///
    /// # Errors
    /// What reading it would say, and how the limit is raised.
    pub fn text_of(&self, graph: &Graph, file: &Path) -> Result<String, Error> {
        let text = graph.to_json()?;
        // Reading takes as long as all the rest, so it is tried only where it could fail.
        if !self.are_far_from(graph, &text) {
            match Document::<Op>::from_json(&text, &self.limits()) {
                Err(Error::Limit(error)) => return Err(not_written(&error, file).into()),
                outcome => drop(outcome?),
            }
        }
        Ok(text)
    }

    /// Whether a file with that graph is within the limits, however its regions are counted.
    fn are_far_from(&self, graph: &Graph, text: &str) -> bool {
        let limits = self.limits();
        let mut size = Size::default();
        let n_nodes = size.visit(graph);
        text.len() as u64 <= limits.document_bytes
            && n_nodes <= limits.nodes as u64
            && size.bytes <= limits.total_bytes
            && size.elements <= limits.elements
            && size.rank <= limits.rank
    }

    /// The most bytes that arrays may take when they are unpacked: what the largest allowed value takes, and a header.
    fn max_array_bytes(&self) -> u64 {
        self.max_elements.saturating_mul(8).saturating_add(1 << 16)
    }

    /// What these flags say.
    pub fn limits(&self) -> Limits {
        Limits {
            document_bytes: self.max_file_bytes,
            nodes: self.max_nodes,
            elements: self.max_elements,
            total_bytes: self.max_total_bytes,
            ..Limits::default()
        }
    }
}

/// The program within so many bytes, all of which its loops may take.
pub fn within(program: Program, max_bytes: u64) -> Result<Program, LimitError> {
    program.with_loop_memory(usize::try_from(max_bytes).unwrap_or(usize::MAX)).with_memory_limit(max_bytes)
}

/// The option that raises a limit, if there is one.
pub fn option(error: &LimitError) -> Option<&'static str> {
    match error.what {
        "bytes of a document" => Some("--max-file-bytes"),
        "nodes of a document" | "nodes of a document, as often as its regions are used" => Some("--max-nodes"),
        "elements of a value" | "bytes of inputs" => Some("--max-elements"),
        "bytes of all values" => Some("--max-total-bytes"),
        "bytes of memory for a run" | "bytes that loops save for the reverse mode" => Some("--max-memory"),
        _ => None,
    }
}

fn not_written(error: &LimitError, file: &Path) -> ArgumentError {
    let mut requirement = format!("the result is not written, since it could not be read again: {error}");
    if let Some(option) = option(error) {
        requirement.push_str(&format!("; {option} allows more, here and where the result is read"));
    }
    ArgumentError::Value { name: file.display().to_string(), requirement }
}

/// Bounds of what a graph and its regions ask for.
#[derive(Default)]
struct Size {
    /// The bytes of all values, those of each region once.
    bytes: u64,
    /// The elements of the largest value, where extents of 0 count as 1.
    elements: u64,
    /// The axes of the value that has most.
    rank: usize,
    /// The nodes of each region, by its address.
    regions: HashMap<*const Graph, u64>,
}

impl Size {
    /// Counts a graph; returns its nodes, those of its regions as often as they are used.
    fn visit(&mut self, graph: &Graph) -> u64 {
        let mut n_nodes = 0u64;
        for node in graph.ids().map(|id| graph.node(id)) {
            n_nodes = n_nodes.saturating_add(1);
            node.types().iter().for_each(|ty| self.visit_type(ty));
            for region in node.regions() {
                let address = Arc::as_ptr(region);
                let n = match self.regions.get(&address) {
                    Some(&n) => n,
                    None => {
                        let n = self.visit(region);
                        self.regions.insert(address, n);
                        n
                    }
                };
                n_nodes = n_nodes.saturating_add(n);
            }
        }
        n_nodes
    }

    fn visit_type(&mut self, ty: &Type) {
        let elements = ty.shape.iter().fold(1u64, |size, &extent| size.saturating_mul(extent.max(1) as u64));
        self.elements = self.elements.max(elements);
        self.rank = self.rank.max(ty.rank());
        self.bytes = self.bytes.saturating_add(ty.checked_bytes().map_or(u64::MAX, |bytes| bytes as u64));
    }
}
