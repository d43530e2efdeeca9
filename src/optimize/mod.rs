//! Named passes, each graph → graph, rebuilt through the builder, never mutated in place.
//!
//! The passes that run by default keep every bit of every result (all NaNs count as one), and every derivative: an
//! optimized graph can be saved, loaded and differentiated like any other. The pass `fma` is for who wants speed for the
//! last bit: it contracts products and sums, as C compilers do that are not told otherwise.
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

mod fma;
mod rebuild;
mod regions;
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
    /// Whether it keeps every bit of every result. Only such passes run by default.
    pub keeps_bits: bool,
    /// The pass.
    pub run: fn(&Graph) -> Result<Graph, Error>,
}

/// The passes that run by default, in order.
pub const DEFAULT: [Pass; 2] = [
    Pass {
        name: "simplify",
        summary: "drops what no output needs, computes what is constant, applies identities that keep every bit, and computes equal values once",
        keeps_bits: true,
        run: simplify::run,
    },
    Pass {
        name: "regions",
        summary: "takes out of loops what does not change, and drops what nobody uses of them; follows branches that are known",
        keeps_bits: true,
        run: regions::run,
    },
];

const ALL: [Pass; 4] = [
    DEFAULT[0],
    DEFAULT[1],
    Pass {
        name: "share",
        summary: "computes equal values once, up to commutation, and does nothing else",
        keeps_bits: true,
        run: share::run,
    },
    Pass {
        name: "fma",
        summary: "contracts a product and the sum that uses it, which is rounded once then; changes last bits, so it runs only if named",
        keeps_bits: false,
        run: fma::run,
    },
];

/// Every pass, those that run by default first.
pub fn passes() -> &'static [Pass] {
    &ALL
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
///
/// let graph = trace(|x: Var, y: Var| x * y + 1.0, (DType::F64, DType::F64))?;
/// let contracted = (optimize::pass("fma")?.run)(&optimize::optimize(&graph)?)?;
/// assert!(contracted.to_string().contains("fma %x %y"));
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
    let simple = simplify::run(graph)?;
    // A copy of a graph without regions would be all that the last pass makes of it.
    if simple.ids().all(|id| simple.node(id).regions().is_empty()) {
        return Ok(simple);
    }
    regions::run(&simple)
}
