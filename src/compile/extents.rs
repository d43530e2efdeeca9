//! What a program may ask for: sizes with which planning and emission compute without overflow.
//!
//! Each value, and all results of a node together, are at most [`MAX_BYTES`]; so is the working memory, whose sums stay
//! beyond that limit once they are. So a product or sum of sizes that goes into code is far from 2⁶³.

use std::collections::HashSet;

use crate::emit::MAX_BYTES;
use crate::error::LimitError;
use crate::interpret::too_long;
use crate::ir::NodeId;
use crate::op::{Graph, Op};
use crate::value::Type;

/// The most nodes of a graph whose regions are counted as often as they are used, if there are not more without that: each
/// use of a region is planned by itself.
const MAX_EXPANDED: u64 = 10_000_000;

/// The most guards of a program: each has a status of its own.
const MAX_GUARDS: usize = 1 << 30;

/// Requires that a graph be one that can be planned and emitted.
///
/// # Errors
/// If a value or the results of a node take more than [`MAX_BYTES`], a loop has more iterations than an index can count, or
/// regions that are used again and again make a graph of more than ten million nodes.
pub(super) fn check(graph: &Graph) -> Result<(), LimitError> {
    let exceeded = |what, limit, got| LimitError { what, limit, got: Some(got), place: Some(graph.name().to_string()) };
    let limit = MAX_EXPANDED.max(graph.n_nodes() as u64);
    let n_expanded = graph.n_nodes_expanded();
    if n_expanded > limit {
        return Err(exceeded("nodes of a program, those of regions at each use", limit, n_expanded));
    }
    if graph.guards().len() > MAX_GUARDS {
        return Err(exceeded("guards of a program", MAX_GUARDS as u64, graph.guards().len() as u64));
    }
    let (mut pending, mut met) = (vec![graph], HashSet::new());
    while let Some(graph) = pending.pop() {
        for id in graph.ids() {
            check_node(graph, id)?;
            let regions = graph.node(id).regions().iter().map(|region| &**region);
            pending.extend(regions.filter(|&region| met.insert(std::ptr::from_ref(region))));
        }
    }
    Ok(())
}

fn check_node(graph: &Graph, id: NodeId) -> Result<(), LimitError> {
    let node = graph.node(id);
    let bytes = node.types().iter().map(size).fold(0, u64::saturating_add);
    if bytes > MAX_BYTES as u64 {
        let place = Some(format!("{}: {}", graph.name(), graph.line(id)));
        return Err(LimitError { what: "bytes of a value", limit: MAX_BYTES as u64, got: Some(bytes), place });
    }
    let n_iterations = node.op().and_then(Op::roles).and_then(|roles| roles.length());
    n_iterations.map_or(Ok(()), |n| too_long(n, node.provenance().at.as_ref()))
}

/// The bytes of a value, or of an array of a stack, and as many where an extent of 0 leaves none: strides know of the
/// other extents. `u64::MAX` if they are more.
fn size(ty: &Type) -> u64 {
    let factors = ty.shape.iter().map(|&extent| extent.max(1) as u64);
    factors.fold(ty.dtype.size() as u64, u64::saturating_mul)
}
