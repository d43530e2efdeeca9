//! Random programs and damaged files for [`retrograd`], and checks of the properties that all of them must have.
//!
//! [`author`] generates programs as people write them: arrays that are read several times through different views,
//! nested joins, loops over such bodies, and their derivatives. [`operations`] applies any operation to any valid
//! operands. Both make their decisions from [`Choices`], that is, from a seed or from the bytes of a coverage-guided
//! fuzzer. [`oracle`] checks programs and their derivatives, and [`shrink`] reduces failing ones. [`files`] damages
//! files, and runs those that can still be read through all stages from file to numbers.
//!
//! `cargo run --release -p retrograd-fuzz -- graphs` runs any number of programs on all cores; the targets for
//! `cargo fuzz` are in `fuzz_targets/`.
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
pub use examine::{Check, Effort, Generator, examine, examine_by, smallest};
