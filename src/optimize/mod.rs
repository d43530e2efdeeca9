//! Named passes, each graph → graph, rebuilt through the builder, never mutated in place.
//!
//! The passes that run by default keep every bit of every result (all NaNs are considered equal), and every derivative:
//! an optimized graph can be saved, loaded and differentiated like any other. The pass `fma` trades the last bit for
//! speed: it contracts products and sums, as C compilers do by default.
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

mod cse;
mod custom;
mod fma;
mod loops;
mod narrow;
mod rebuild;
mod simplify;
mod slices;

use std::borrow::Cow;

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
    /// Applies the pass.
    pub run: fn(&Graph) -> Result<Graph, Error>,
}

impl Pass {
    /// The name that the pass had in earlier versions, which [`pass`] still accepts.
    ///
    /// ```
    /// use retrograd::optimize;
    ///
    /// let cse = optimize::pass("share")?;
    /// assert_eq!((cse.name, cse.former_name()), ("cse", Some("share")));
    /// assert_eq!(optimize::pass("fma")?.former_name(), None);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    pub fn former_name(&self) -> Option<&'static str> {
        FORMER_NAMES.iter().find(|(name, _)| *name == self.name).map(|&(_, former)| former)
    }
}

/// The current and the former name of each renamed pass.
const FORMER_NAMES: [(&str, &str); 2] = [("cse", "share"), ("loops", "regions")];

/// The passes that run by default, in order.
pub const DEFAULT: [Pass; 2] = [
    Pass {
        name: "simplify",
        summary: "removes dead code, folds constants, applies identities that keep every bit, and eliminates common subexpressions",
        keeps_bits: true,
        run: simplify::run,
    },
    Pass {
        name: "loops",
        summary: "moves invariant code out of loops, drops their unused results, applies maps to all rows at once, and inlines branches whose choice is constant",
        keeps_bits: true,
        run: loops::run,
    },
];

const ALL: [Pass; 4] = [
    DEFAULT[0],
    DEFAULT[1],
    Pass {
        name: "cse",
        summary: "eliminates common subexpressions, up to commutation, and does nothing else",
        keeps_bits: true,
        run: cse::run,
    },
    Pass {
        name: "fma",
        summary: "contracts a product and the only sum that uses it, so that both are rounded once; changes last bits, so it runs only if named",
        keeps_bits: false,
        run: fma::run,
    },
];

/// Every pass, those that run by default first.
pub fn passes() -> &'static [Pass] {
    &ALL
}

/// The pass with this name, or with this former name: `share` for `cse`, and `regions` for `loops`.
///
/// ```
/// use retrograd::value::DType;
/// use retrograd::{Var, optimize, trace};
///
/// let graph = trace(|x: Var| x.sin() + x.sin(), (DType::F64,))?;
/// let shared = (optimize::pass("cse")?.run)(&graph)?;
/// assert_eq!((graph.n_ops(), shared.n_ops()), (3, 2));
///
/// let graph = trace(|x: Var, y: Var| x * y + 1.0, (DType::F64, DType::F64))?;
/// let contracted = (optimize::pass("fma")?.run)(&optimize::optimize(&graph)?)?;
/// assert!(contracted.to_string().contains("fma %x %y"));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If there is no such pass.
pub fn pass(name: &str) -> Result<Pass, Error> {
    let known = || passes().iter().map(|pass| pass.name.to_string()).collect();
    let unknown = || ArgumentError::Unknown { kind: "pass", name: name.to_string(), known: known() };
    Ok(passes()
        .iter()
        .find(|pass| pass.name == name || pass.former_name() == Some(name))
        .copied()
        .ok_or_else(unknown)?)
}

/// Runs the default passes.
///
/// # Errors
/// None that the input graph can cause: the passes build only what they have checked.
pub fn optimize(graph: &Graph) -> Result<Graph, Error> {
    let simple = simplify::run(graph)?;
    // The last pass would only copy a graph without regions.
    if simple.ids().all(|id| simple.node(id).regions().is_empty()) {
        return Ok(simple);
    }
    loops::run(&simple)
}

/// The form of a graph that is compiled, of which a [`Report`](crate::compile::Report) tells. No derivative of machine
/// code is taken, so that rules of derivatives have no use there: each [`Custom`](crate::op::Custom) is replaced by its
/// function, and what results is optimized. A graph without such functions is returned as it is.
///
/// ```
/// use retrograd::value::DType;
/// use retrograd::{Var, custom_vjp, optimize, trace};
///
/// let halved = custom_vjp(|x: Var| x * 0.5, |_: (Var,), _, ct: Var| (ct,));
/// let graph = trace(halved, (DType::F64,))?;
/// assert!(graph.to_string().contains("custom"));
/// assert!(!optimize::compiled_form(&graph)?.to_string().contains("custom"));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If that exceeds a limit of graphs.
pub fn compiled_form(graph: &Graph) -> Result<Cow<'_, Graph>, Error> {
    match custom::inline(graph)? {
        None => Ok(Cow::Borrowed(graph)),
        Some(inlined) => optimize(&inlined).map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::{pass, passes};

    #[test]
    fn passes_are_found_by_current_and_former_names() {
        for known in passes() {
            assert_eq!(pass(known.name).unwrap().name, known.name);
        }
        for (former, name) in [("share", "cse"), ("regions", "loops")] {
            assert_eq!(pass(former).unwrap().name, name);
        }
        let error = pass("shares").unwrap_err().to_string();
        assert!(error.contains("simplify, loops, cse, fma"), "{error}");
    }
}
