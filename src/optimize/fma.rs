use rustc_hash::FxHashMap;
use smallvec::smallvec;

use super::cse::{Builder, Known};
use super::rebuild::{Copy, Rewrite, Run, rebuild};
use super::simplify::{negative, number};
use crate::error::Error;
use crate::ir::{NodeId, Operands, Value};
use crate::op::{Fma, Graph, Neg, Op, StrongFma};
use crate::stack;

/// Contracts a product and a sum that is its only use: `a · b + c` is rounded once, not twice. So are products with strong
/// zeros, which stay strong.
pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    stack::for_levels(graph.depth(), || run_in(graph, &Run::default()))
}

fn run_in(graph: &Graph, run: &Run) -> Result<Graph, Error> {
    let absorbed = absorbed(graph);
    let mut contraction = Contraction { graph, absorbed, factors: FxHashMap::default(), known: Known::new(0) };
    let contracted = rebuild(graph, run, |region| run_in(region, run), |new, copy| contraction.rewrite(new, copy))?;
    // Negations and constants that were replaced by their negatives have no uses left.
    Ok(contracted.without_unneeded())
}

/// Whether the negative of a value takes no operation: the value is a constant number or a negation.
fn has_free_negative(graph: &Graph, x: Value) -> bool {
    number(graph, x).is_some() || matches!(graph.node(x.node).op(), Some(Op::Neg(_)))
}

/// For each node, whether it is a product that is contracted into a sum.
fn absorbed(graph: &Graph) -> Vec<bool> {
    let needed = graph.needed();
    let uses = n_uses(graph, &needed);
    let mut absorbed = vec![false; graph.n_nodes()];
    for id in graph.ids().filter(|id| needed[id.index()]) {
        if !matches!(graph.node(id).op(), Some(Op::Add(_) | Op::Sub(_))) || !graph.ty(id.into()).dtype.is_float() {
            continue;
        }
        let operands = graph.operands(id);
        let is_product = |x: Value| graph.node(x.node).op().and_then(contracted).is_some() && uses[x.node.index()] == 1;
        // Of two products, the later one is contracted: the earlier result is then ready when the `fma` needs it.
        if let Some(slot) = [1, 0].into_iter().find(|&slot| is_product(operands[slot])) {
            absorbed[operands[slot].node.index()] = true;
        }
    }
    absorbed
}

/// What a product and a sum become.
fn contracted(product: &Op) -> Option<Op> {
    match product {
        Op::Mul(_) => Some(Fma.into()),
        Op::StrongMul(product) => Some(StrongFma { zeros: product.zeros }.into()),
        _ => None,
    }
}

/// How often the first result of each node is used.
fn n_uses(graph: &Graph, needed: &[bool]) -> Vec<u32> {
    let mut uses = vec![0; graph.n_nodes()];
    let mut count = |x: Value| uses[x.node.index()] += 1;
    graph.ids().filter(|id| needed[id.index()]).for_each(|id| graph.operands(id).into_iter().for_each(&mut count));
    graph.outputs().iter().for_each(|output| count(output.value));
    graph.guards().iter().for_each(|guard| count(guard.value));
    uses
}

/// The contraction of one graph.
struct Contraction<'g> {
    graph: &'g Graph,
    absorbed: Vec<bool>,
    /// What becomes of the products that are not copied, because a sum absorbs them, and their factors.
    factors: FxHashMap<NodeId, (Op, Operands)>,
    /// The negatives built so far.
    known: Known,
}

impl Contraction<'_> {
    fn rewrite(&mut self, new: &mut Graph, copy: &Copy<'_>) -> Result<Rewrite, Error> {
        if self.absorbed[copy.id.index()]
            && let Some(op) = contracted(copy.op)
        {
            self.factors.insert(copy.id, (op, copy.operands.clone()));
            return Ok(Rewrite::Absorbed);
        }
        if !matches!(copy.op, Op::Add(_) | Op::Sub(_)) {
            return Ok(Rewrite::Keep);
        }
        let old = self.graph.operands(copy.id);
        let Some(slot) = [1, 0].into_iter().find(|&slot| self.absorbed[old[slot].node.index()]) else {
            return Ok(Rewrite::Keep);
        };
        let (op, factors) = &self.factors[&old[slot].node];
        let (mut a, mut b, mut c) = (factors[0], factors[1], copy.operands[1 - slot]);
        let mut new = self.known.builder(new, copy.provenance);
        match (copy.op, slot) {
            (Op::Sub(_), 0) => c = negated(&mut new, c)?,
            (Op::Sub(_), _) if has_free_negative(new.graph, b) => b = negated(&mut new, b)?,
            (Op::Sub(_), _) => a = negated(&mut new, a)?,
            _ => {}
        }
        Ok(Rewrite::Op(op.clone(), smallvec![a, b, c]))
    }
}

/// `-x`, without a new negation if `x` is a number or a negation.
fn negated(new: &mut Builder<'_>, x: Value) -> Result<Value, Error> {
    if let Some(Op::Neg(_)) = new.graph.node(x.node).op() {
        return Ok(new.graph.operands(x.node)[0]);
    }
    match number(new.graph, x).and_then(negative) {
        Some(number) => new.everywhere(number, x),
        None => new.add(Neg.into(), &[x]),
    }
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::op::trace::{self, record};
    use crate::op::{Graph, Strong, StrongMul, Var};
    use crate::value::{DType, Type};

    fn contracted(dtype: DType, f: impl FnOnce(Var, Var, Var) -> Var) -> String {
        let mut graph = Graph::new("f");
        let [x, y, z] = ["x", "y", "z"].map(|name| graph.add_input(name, Type::scalar(dtype)).unwrap());
        let body = || f(trace::variable(x), trace::variable(y), trace::variable(z));
        let (mut graph, out) = record(graph, 1000, None, body).unwrap();
        graph.strip_source_lines();
        graph.add_output("out", out.value().unwrap()).unwrap();
        let listing = run(&graph).unwrap().to_string();
        let lines = listing.lines().skip(1).map(str::trim).filter(|line| !line.starts_with("return") && *line != "}");
        lines.map(|line| line.split(" = ").nth(1).unwrap()).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn products_and_sums_are_contracted() {
        let float = |f: fn(Var, Var, Var) -> Var| contracted(DType::F64, f);
        assert_eq!(float(|x, y, z| x * y + z), "fma %x %y %z");
        assert_eq!(float(|x, y, z| z + x * y), "fma %x %y %z");
        assert_eq!(float(|x, y, z| x * y - z), "neg %z; fma %x %y %0");
        assert_eq!(float(|x, y, z| z - x * y), "neg %x; fma %0 %y %z");
        assert_eq!(float(|x, y, z| z - x * -y), "fma %x %y %z");
        assert_eq!(float(|x, _, z| z - x * 2.0), "constant -2.0; fma %x %0 %z");
        assert_eq!(float(|x, y, z| x * y + y * z), "mul %x %y; fma %y %z %0");
    }

    #[test]
    fn products_with_strong_zeros_stay_strong() {
        let strong = |x: Var, y: Var| trace::apply(StrongMul { zeros: Strong::Lhs }, &[x, y]);
        let sum = contracted(DType::F64, |x, y, z| strong(x, y) + z);
        assert_eq!(sum, "strong_fma %x %y %z zeros=\"lhs\"");
        let difference = contracted(DType::F64, |x, y, z| z - strong(x, y));
        assert_eq!(difference, "neg %x; strong_fma %0 %y %z zeros=\"lhs\"");
    }

    #[test]
    fn products_used_elsewhere_and_integers_are_not_contracted() {
        let twice = |x: Var, y: Var, z: Var| {
            let product = x * y;
            (product + z) / product
        };
        assert_eq!(contracted(DType::F64, twice), "mul %x %y; add %0 %z; div %1 %0");
        assert_eq!(contracted(DType::I64, |x, y, z| x * y + z), "mul %x %y; add %0 %z");
    }
}
