//! From a graph to kernels: what fuses, what becomes straight-line code, which calls are made together. A schedule names no
//! address and no memory.

mod build;
pub mod calls;
pub mod describe;
mod fits;
mod kernels;
pub mod parts;
mod sizes;
mod work;

pub use fits::row_layout;
pub use kernels::*;
pub use sizes::{bytes_of, makes_stacks};
