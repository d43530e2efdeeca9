//! From schedule and memory plan to code.

mod address;
mod blocks;
mod cascade;
mod code;
mod control;
mod element;
mod loops;
mod registers;
mod rows;
mod scalar;

pub use code::{Emission, KernelCode, emit};
