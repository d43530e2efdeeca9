//! Random programs and damaged files for [`retrograd`], and what must hold for each of them.
//!
//! [`author`] writes programs as people write them: arrays that are read several times through different views, joins in
//! joins, loops over such bodies, derivatives of it all. [`operations`] applies any operation to anything that fits.
//! Both make their decisions from [`Choices`], so from a seed as well as from the bytes of a coverage-guided fuzzer.
//! [`oracle`] says what must hold for a program and its derivatives, and [`shrink`] makes what fails small. [`files`]
//! damages files, and takes what is still read along the whole path from file to numbers.
//!
//! `cargo run --release -p retrograd-fuzz -- graphs` runs as many as one likes, on all cores; the targets for `cargo
//! fuzz` are in `fuzz_targets/`.
#![warn(missing_docs)]

pub mod author;
pub mod case;
mod choices;
mod examine;
pub mod files;
pub mod operations;
pub mod oracle;
pub mod panics;
pub mod shrink;

pub use case::Case;
pub use choices::{Choices, Random};
pub use examine::{Check, Generator, examine, examine_by, smallest};
