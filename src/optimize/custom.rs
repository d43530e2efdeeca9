use std::collections::HashMap;

use super::rebuild::{Copy, Rewrite, Run, rebuild};
use crate::error::Error;
use crate::op::{Graph, Op};
use crate::stack;

/// The graph with the function in place of each operation that comes with a rule of its derivative, also in regions;
/// `None` if there is none.
pub(super) fn inline(graph: &Graph) -> Result<Option<Graph>, Error> {
    stack::for_levels(graph.depth(), || {
        if contains(graph, &mut HashMap::new()) { inline_in(graph, &Run::default()).map(Some) } else { Ok(None) }
    })
}

/// Whether such an operation is in the graph or in its regions, of which each is looked at once.
fn contains(graph: &Graph, known: &mut HashMap<*const Graph, bool>) -> bool {
    if let Some(&known) = known.get(&std::ptr::from_ref(graph)) {
        return known;
    }
    let found = graph.ids().any(|id| {
        let node = graph.node(id);
        matches!(node.op(), Some(Op::Custom(_))) || node.regions().iter().any(|region| contains(region, known))
    });
    known.insert(graph, found);
    found
}

fn inline_in(graph: &Graph, run: &Run) -> Result<Graph, Error> {
    rebuild(graph, run, |region| inline_in(region, run), rewrite)
}

/// The function has been rewritten before: it is a region.
fn rewrite(new: &mut Graph, copy: &Copy<'_>) -> Result<Rewrite, Error> {
    let Op::Custom(_) = copy.op else { return Ok(Rewrite::Keep) };
    let function = &copy.regions[0];
    let map = new.inline(function, copy.operands)?;
    Ok(Rewrite::Values(function.outputs().iter().map(|output| map.get(output.value)).collect()))
}
