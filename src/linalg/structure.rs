//! What the graph shows of a matrix: a transpose, a triangle, a diagonal. A system with such a matrix needs no elimination.

use std::collections::{BTreeSet, HashMap};

use crate::interpret;
use crate::ir::{NodeId, Value, results_of};
use crate::op::{Graph, Op, Var, trace};
use crate::value::{Array, DType};

/// The most elements of a mask that is looked at.
const MAX_MASK: usize = 1 << 22;

/// The most operations that make a mask.
const MAX_MASK_NODES: usize = 16;

/// What is known of square matrices.
#[derive(Clone, Copy)]
pub(super) enum Structure {
    /// Nothing.
    General,
    /// They are the transposes of others.
    TransposeOf(Value),
    /// There is nothing but zeros above the diagonal.
    Lower,
    /// There is nothing but zeros below the diagonal.
    Upper,
    /// There is nothing but zeros beside the diagonal.
    Diagonal,
}

/// What the graph shows of square matrices.
pub(super) fn structure(a: Var) -> Structure {
    let Some(value) = trace::own_value(a) else { return Structure::General };
    trace::inspect(|graph| of_value(graph, value)).unwrap_or(Structure::General)
}

fn of_value(graph: &Graph, a: Value) -> Option<Structure> {
    let operands = graph.operands(a.node);
    match graph.node(a.node).op()? {
        Op::Cholesky(_) => Some(Structure::Lower),
        Op::Transpose(op) => {
            let rank = op.perm.len();
            let mut exchanged: Vec<usize> = (0..rank).collect();
            if let [.., row, column] = &mut exchanged[..] {
                std::mem::swap(row, column);
            }
            let is_transpose = rank >= 2 && op.perm == exchanged;
            is_transpose.then(|| match of_value(graph, operands[0]) {
                Some(Structure::Lower) => Structure::Upper,
                Some(Structure::Upper) => Structure::Lower,
                Some(Structure::Diagonal) => Structure::Diagonal,
                _ => Structure::TransposeOf(operands[0]),
            })
        }
        // A vector whose elements stand a row and a column apart.
        Op::Reshape(_) => {
            let Op::Pad(pad) = graph.node(operands[0].node).op()? else { return None };
            let n = *graph.ty(a).shape.last()?;
            let [x, zero] = graph.operands(operands[0].node)[..] else { return None };
            let is_diagonal = graph.ty(a).rank() == 2 && graph.ty(x).shape[..] == [n] && pad.low[..] == [0];
            let fits = is_diagonal && pad.high[..] == [0] && pad.interior[..] == [n] && is_zero(graph, zero);
            fits.then_some(Structure::Diagonal)
        }
        Op::Select(_) => {
            if !is_zero(graph, operands[2]) {
                return None;
            }
            shown_by(&constant_of(graph, operands[0])?)
        }
        _ => None,
    }
}

fn is_zero(graph: &Graph, value: Value) -> bool {
    constant_of(graph, value).is_some_and(|zero| zero.elements().all(|x| x.convert(DType::F64).bits() << 1 == 0))
}

/// What a mask leaves of matrices.
fn shown_by(mask: &Array) -> Option<Structure> {
    let [.., n, columns] = *mask.shape() else { return None };
    let keeps = mask.as_slice::<bool>()?;
    let (mut below, mut above) = (false, false);
    for (k, _) in keeps.iter().enumerate().filter(|(_, keeps)| **keeps) {
        let (row, column) = (k / columns % n, k % columns);
        below |= row > column;
        above |= column > row;
    }
    match (below, above) {
        (false, false) => Some(Structure::Diagonal),
        (true, false) => Some(Structure::Lower),
        (false, true) => Some(Structure::Upper),
        (true, true) => None,
    }
}

/// The elements of a value that a few operations make of nothing, as masks are.
fn constant_of(graph: &Graph, value: Value) -> Option<Array> {
    let ids = makers(graph, value)?;
    let mut part = Graph::new("mask");
    let mut images: HashMap<Value, Value> = HashMap::new();
    for id in ids {
        let operands = graph.operands(id).iter().map(|x| images[x]).collect::<Vec<Value>>();
        let copy = part.add(graph.node(id).op()?.clone(), &operands, Default::default()).ok()?;
        images.extend(results_of(graph, id).zip(results_of(&part, copy)));
    }
    part.add_output("mask", images[&value]).ok()?;
    interpret::run(&part, &[]).ok()?.pop()
}

/// The operations that make a value, in order, if these are few, and nothing is large. A trace asks this often, so it looks at
/// no others.
fn makers(graph: &Graph, value: Value) -> Option<BTreeSet<NodeId>> {
    let mut makers = BTreeSet::new();
    let mut pending = vec![value.node];
    while let Some(id) = pending.pop() {
        let node = graph.node(id);
        let is_plain = node.op().is_some() && node.regions().is_empty();
        if !is_plain || node.types().iter().any(|ty| ty.size() > MAX_MASK) {
            return None;
        }
        if makers.insert(id) {
            pending.extend(graph.operands(id).iter().map(|x| x.node));
        }
        if makers.len() > MAX_MASK_NODES {
            return None;
        }
    }
    Some(makers)
}
