//! A small façade over Cranelift: functions, loads and stores, loops, arithmetic in one or several lanes, calls. The
//! only place that names cranelift.
//!
//! Every compiled function has one signature: it takes the table of base addresses and returns a status, 0 for
//! success. What an instruction means does not depend on the number of lanes: what the machine lacks in lanes is done
//! lane by lane here, so that callers need not ask.

mod arithmetic;
mod compiler;
mod emitter;
mod module;
mod symbol;
mod text;
mod threads;

pub use emitter::{Emitter, Pointer, Reg};
pub use module::{Code, FunctionId, Mode, Module};
pub use text::FunctionText;
pub use threads::{in_parallel, useful_threads};
