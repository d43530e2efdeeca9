//! What runs beside compiled code, and calls it: routines, stacks, the driver of checkpointed loops, and the executable.

mod buffers;
mod executable;
mod hosts;
mod library;
mod revolve;
mod stacks;

pub use buffers::{Addresses, Buffers, Views, unfit_buffers, zeros};
pub use executable::{Executable, Kept, Step};
pub use hosts::Hosts;
pub use library::{LibraryCall, Slice, call_library, take_failure};
pub use revolve::{ADVANCE, CALL_WORDS, Driver, REVERSE, n_advances, run as run_driver};
pub use stacks::{HEAD_BYTES, HEAD_CAPACITY, HEAD_DATA, HEAD_LEN, grow, mark, release, reserve};
