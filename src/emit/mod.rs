//! A small façade over Cranelift: functions, loads and stores, loops, arithmetic in one or several lanes, calls. The
//! only place that names cranelift.
//!
//! Every compiled function has one signature: it takes the table of base addresses and returns a status, 0 for
//! success. What an instruction means does not depend on the number of lanes: what the machine lacks in lanes is done
//! lane by lane here, so that callers need not ask.
//!
//! No offset, extent, stride or byte count is ever cut to fewer bits: a program of one that is too large ends in an error
//! before it is emitted, and a distance beyond what an instruction holds is added in a register.

#![deny(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]

mod arithmetic;
mod compiler;
#[cfg(any(unoptimized, test))]
mod elementary;
mod emitter;
mod instructions;
mod lasting;
mod module;
mod preserving;
mod sizes;
mod symbol;
mod target;
mod text;
mod threads;

pub use emitter::{Emitter, Pointer, Reg};
pub use module::{Code, Module};
pub(crate) use sizes::{MAX_BYTES, bits, position, short, signed, unsigned, wide};
pub use target::{FunctionId, Mode};
pub use text::FunctionText;
pub use threads::{in_parallel, useful_threads};
