//! retrograd turns ordinary numerical Rust into native gradient code.
#![warn(missing_docs)]

pub mod compile;
pub mod differentiate;
mod emit;
pub mod error;
pub mod interpret;
pub mod ir;
mod math;
pub mod op;
pub mod optimize;
pub mod value;

pub use compile::Program;
pub use error::Error;
pub use op::{Graph, Var};
