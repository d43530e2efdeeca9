//! The elementary functions of retrograd by themselves, from the files of the crate, to be tested where the whole crate is
//! not at hand. On an emulated processor:
//!
//! ```text
//! cargo test --release -p math
//! CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
//! CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
//!     cargo test --release -p math --target aarch64-unknown-linux-gnu
//! ```

#[path = "../../../src/math/mod.rs"]
pub mod math;
