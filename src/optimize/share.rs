use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::rebuild::{Rewrite, rebuild};
use crate::error::Error;
use crate::ir::{NodeId, Operands};
use crate::op::{Graph, Op};

/// Computes equal values once: the same operation on the same operands, up to commutation.
pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    let mut known: HashMap<(Op, Operands), NodeId> = HashMap::new();
    rebuild(graph, |new, op, operands, provenance| {
        let mut sorted = operands.clone();
        if commutes(op) {
            sorted.sort_unstable();
        }
        match known.entry((op.clone(), sorted)) {
            Entry::Occupied(entry) => Ok(Rewrite::Node(*entry.get())),
            Entry::Vacant(entry) => {
                let node = new.add(op.clone(), operands, provenance.clone())?;
                Ok(Rewrite::Node(*entry.insert(node)))
            }
        }
    })
}

/// Whether the operands can change places without changing a bit, all NaNs alike.
fn commutes(op: &Op) -> bool {
    matches!(op, Op::Add(_) | Op::Mul(_) | Op::Max(_) | Op::Min(_) | Op::Eq(_) | Op::Ne(_) | Op::And(_) | Op::Or(_))
}
