//! Reverse, forward and Taylor mode, over graphs. The rules are written in the traced language itself, so all modes append
//! ordinary nodes, and compose with each other to any order.
//!
//! The transformations of functions work inside the open trace. [`grad`], [`vjp`], [`jvp`], [`jacobian`], [`hessian`],
//! [`hvp`] and [`taylor`] instead take a graph, traced or loaded from a file, and return another: its inputs and outputs come
//! first, unchanged, and new ones follow.
//!
//! | | new inputs | new outputs |
//! | --- | --- | --- |
//! | [`grad`] | | `x.grad` |
//! | [`jvp`] | `x.tangent` | `y.tangent` |
//! | [`vjp`] | `y.ct` | `x.ct` |
//! | [`jacobian`] | | `y.x.jacobian` |
//! | [`hessian`] | | `y.x.z.hessian` |
//! | [`hvp`] | `x.tangent` | `x.hvp` |
//! | [`taylor`] | `x.tangent` | `y.taylor.1`, `y.taylor.2`, … |
//!
//! where `x` and `z` are inputs and `y` is an output. If a name is taken, the output's name is prepended (`y.x.grad`),
//! and if that is taken, too, a number is appended (`y.x.grad.2`).
//!
//! ```
//! use retrograd::value::{Array, DType};
//! use retrograd::{Var, differentiate, interpret, trace};
//!
//! let graph = trace(|x: Var| x * x * x, (DType::F64,))?;
//! let first = differentiate::grad(&graph, 0, &[0])?;
//! let second = differentiate::grad(&first, 1, &[0])?;
//! let outputs = interpret::run(&second, &[Array::scalar(2.0)])?;
//! assert_eq!(outputs, [8.0, 12.0, 12.0].map(Array::scalar)); // x³, 3x², 6x
//! # Ok::<(), retrograd::Error>(())
//! ```

mod activity;
mod blocks;
mod control;
mod custom;
mod forward;
mod graphs;
#[cfg(test)]
mod kinks;
mod known;
mod partition;
mod products;
mod reverse;
mod taylor;

pub(crate) use blocks::{along_unit_vectors, forward_is_cheaper, jacobian_blocks};
pub(crate) use forward::pushforward;
pub(crate) use graphs::{along, check_order};
pub use graphs::{grad, hessian, hvp, jacobian, jvp, jvp_of, taylor, taylor_of, vjp, vjp_of};
pub(crate) use reverse::pullback;
pub(crate) use taylor::push_series;

/// The coefficients of order 1, 2, … of a value's power series. `None` is a zero.
pub(crate) type Series = Vec<Option<crate::op::Var>>;
