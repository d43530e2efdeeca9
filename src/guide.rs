//! The guide: one page for each subject, documentation only.
//!
//! - [`tracing`]: how a function becomes a graph, and what happens at `if` and `while`.
//! - [`control_flow`]: loops and branches that stay loops and branches.
//! - [`derivatives`]: modes and orders, kinks, NaN, and how to check a gradient.
//! - [`indexing`]: elements by computed indices, and their order.
//! - [`rows`]: functions of one row, applied to many.
//! - [`complex`]: complex numbers, their functions and derivatives.
//! - [`linear_algebra`]: factors, systems, spectra, and what happens where they do not exist.
//! - [`fourier`]: transforms, their derivatives, and signals.
//! - [`performance`]: profiles of cargo, what is fused, how to write fast loops and small functions.
//! - [`file`](mod@file): graphs on disk.
//! - [`from_jax`]: what JAX and autograd call what this crate has.
//! - [`from_numpy`]: what NumPy's and SciPy's functions are called here.

#[doc = include_str!("guide/tracing.md")]
pub mod tracing {}

#[doc = include_str!("guide/control_flow.md")]
pub mod control_flow {}

#[doc = include_str!("guide/derivatives.md")]
pub mod derivatives {}

#[doc = include_str!("guide/indexing.md")]
pub mod indexing {}

#[doc = include_str!("guide/rows.md")]
pub mod rows {}

#[doc = include_str!("guide/complex.md")]
pub mod complex {}

#[doc = include_str!("guide/linear_algebra.md")]
pub mod linear_algebra {}

#[doc = include_str!("guide/fourier.md")]
pub mod fourier {}

#[doc = include_str!("guide/performance.md")]
pub mod performance {}

#[doc = include_str!("guide/file.md")]
pub mod file {}

#[doc = include_str!("guide/from_jax.md")]
pub mod from_jax {}

#[doc = include_str!("guide/from_numpy.md")]
pub mod from_numpy {}
