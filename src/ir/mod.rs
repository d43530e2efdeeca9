//! The graph: its builder, verifier, text and JSON forms. The only place that names petgraph.
//!
//! A graph is append-only and typed by construction: a node's operands exist before it, so index order is a schedule
//! and reverse mode is index order backwards; the result types are inferred when a node is added.

mod diff;
mod dot;
mod file;
mod graph;
mod listing;
mod rebuild;
#[cfg(test)]
mod toy;
mod verify;

pub use diff::{Change, Difference};
pub use file::{Document, Limits, read_bytes, read_text, write_atomically};
pub use graph::{
    Content, Graph, Guard, Input, Mismatch, Node, NodeId, Operands, Operation, Output, Provenance, Role, Signature,
    Types, Value,
};
pub(crate) use graph::{MAX_DEPTH, NESTED_REGIONS, mismatch};
pub use rebuild::{ValueMap, results_of};
