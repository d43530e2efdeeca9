//! Named passes, each graph → graph, rebuilt through the builder, never mutated in place.
//!
//! The passes that run by default keep every bit of every result (all NaNs count as one), and every derivative: an
//! optimized graph can be saved, loaded and differentiated like any other.
//!
//! ```
//! use retrograd::value::DType;
//! use retrograd::{Var, optimize, trace};
//!
//! let graph = trace(|x: Var| (x * 1.0 + x) * (x + x), (DType::F64,))?;
//! let small = optimize::optimize(&graph)?;
//! assert_eq!((graph.n_ops(), small.n_ops()), (5, 2));
//! # Ok::<(), retrograd::Error>(())
//! ```

mod rebuild;
mod share;
mod simplify;

use crate::error::{ArgumentError, Error};
use crate::op::Graph;

/// A named pass.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// The name.
    pub name: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// The pass.
    pub run: fn(&Graph) -> Result<Graph, Error>,
}

/// The passes that run by default, in order.
pub const DEFAULT: [Pass; 2] = [
    Pass {
        name: "simplify",
        summary: "drops what no output needs, computes what is constant, and applies identities that keep every bit",
        run: simplify::run,
    },
    Pass { name: "share", summary: "computes equal values once, up to commutation", run: share::run },
];

/// Every pass, those that run by default first.
pub fn passes() -> &'static [Pass] {
    &DEFAULT
}

/// The pass of that name.
///
/// ```
/// use retrograd::value::DType;
/// use retrograd::{Var, optimize, trace};
///
/// let graph = trace(|x: Var| x.sin() + x.sin(), (DType::F64,))?;
/// let shared = (optimize::pass("share")?.run)(&graph)?;
/// assert_eq!((graph.n_ops(), shared.n_ops()), (3, 2));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If there is none.
pub fn pass(name: &str) -> Result<Pass, Error> {
    let known = || passes().iter().map(|pass| pass.name.to_string()).collect();
    let unknown = || ArgumentError::Unknown { kind: "pass", name: name.to_string(), known: known() };
    Ok(passes().iter().find(|pass| pass.name == name).copied().ok_or_else(unknown)?)
}

/// Runs the default passes.
///
/// # Errors
/// None that the input graph can cause: the passes build only what they have checked.
pub fn optimize(graph: &Graph) -> Result<Graph, Error> {
    let mut current = (DEFAULT[0].run)(graph)?;
    for pass in &DEFAULT[1..] {
        current = (pass.run)(&current)?;
    }
    Ok(current)
}
