//! Sums of products over the iterations of a loop, moved out of the loop.
//!
//! The cotangent of a loop-invariant operand is a sum over the iterations. If an iteration adds a product of two
//! arrays, as for the cotangent of a weight matrix, then `Σₜ Aₜᵀ Bₜ` is one product: that of all `Aₜ`, stacked, with
//! all `Bₜ`. It reads each factor once, whereas the loop would read and write the whole sum in each iteration. It needs
//! the factors of all iterations, so it is used only if the factors to be collected in an iteration are no larger than
//! the sum.

use std::collections::HashMap;

use super::partition::Kind;
use crate::ir::Value;
use crate::op::{DotGeneral, Graph, Op, Var, trace};

/// Sums of fewer elements stay in registers or in the first-level cache.
const MIN_ELEMENTS: usize = 256;

/// Where the stacked factors of all iterations are.
#[derive(Clone, Copy)]
pub(super) enum Factor {
    /// An input of the iteration: a row.
    Input(usize),
    /// A value that the loop collects for this purpose.
    Collected(usize),
}

/// A sum that the loop need not carry.
pub(super) struct Product {
    /// Its position among the sums.
    pub sum: usize,
    dot: DotGeneral,
    factors: [Factor; 2],
}

impl Product {
    /// The sum over all iterations.
    pub fn of_all(&self, rows: impl Fn(Factor) -> Var) -> Var {
        let after_iterations = |axes: &Vec<usize>| axes.iter().map(|axis| axis + 1).collect::<Vec<usize>>();
        let dot = DotGeneral {
            contract: self.dot.contract.each_ref().map(|axes| [vec![0], after_iterations(axes)].concat()),
            batch: self.dot.batch.each_ref().map(after_iterations),
        };
        trace::apply(dot, &self.factors.map(rows))
    }
}

/// Finds sums of products in a joint graph, whose sums are the given pairs of input and output. Returns them and the
/// factors that the loop has to collect for them.
pub(super) fn find(joint: &Graph, kinds: &[Kind], sums: &[(Value, Value)]) -> (Vec<Product>, Vec<Value>) {
    let uses = n_uses(joint);
    let varying = super::partition::dependent(joint, kinds, |kind| kind != Kind::Invariant);
    let mut collected: Vec<Value> = Vec::new();
    let mut products = Vec::new();
    for (sum, &(before, after)) in sums.iter().enumerate() {
        let Some((dot, factors)) = summand(joint, &uses, before, after) else { continue };
        let is_row = |x: Value| kinds.get(x.node.index()) == Some(&Kind::Row);
        let known = |x: &Value| is_row(*x) || collected.contains(x);
        let more: usize = factors.iter().filter(|x| !known(x)).map(|&x| joint.ty(x).size()).sum();
        let size = joint.ty(after).size();
        if size < MIN_ELEMENTS || more > size || !factors.iter().all(|x| varying[x.node.index()]) {
            continue;
        }
        let factors = factors.map(|x| {
            if is_row(x) {
                return Factor::Input(x.node.index());
            }
            let place = collected.iter().position(|&other| other == x).unwrap_or_else(|| {
                collected.push(x);
                collected.len() - 1
            });
            Factor::Collected(place)
        });
        products.push(Product { sum, dot, factors });
    }
    (products, collected)
}

/// The product that an iteration adds to a sum, if nothing else uses the product or the sum.
fn summand(
    joint: &Graph,
    uses: &HashMap<Value, usize>,
    before: Value,
    after: Value,
) -> Option<(DotGeneral, [Value; 2])> {
    let Some(Op::Add(_)) = joint.node(after.node).op() else { return None };
    let terms = joint.operands(after.node);
    let added = if terms[0] == before { terms[1] } else { terms[0] };
    let Some(Op::DotGeneral(dot)) = joint.node(added.node).op() else { return None };
    let alone = |x: Value| uses.get(&x) == Some(&1);
    let factors = joint.operands(added.node);
    (terms.contains(&before) && alone(before) && alone(added)).then(|| ((**dot).clone(), [factors[0], factors[1]]))
}

/// How often each value is used, by operations and as an output.
fn n_uses(graph: &Graph) -> HashMap<Value, usize> {
    let mut uses = HashMap::new();
    let operands = graph.ids().flat_map(|id| graph.operands(id));
    for x in operands.chain(graph.outputs().iter().map(|output| output.value)) {
        *uses.entry(x).or_insert(0) += 1;
    }
    uses
}
