use std::path::Path;

use clap::Args;
use retrograd::Error;
use retrograd::error::LimitError;
use retrograd::ir::{Document, Limits};
use retrograd::op::Op;
use retrograd::value::Type;

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
