use smallvec::smallvec;

use super::rebuild::{Copy, Rewrite, rebuild};
use crate::error::Error;
use crate::ir::{NodeId, Value};
use crate::op::{Fma, Graph, Neg, Op};

/// Contracts a product and the sum that alone uses it: `a · b + c` is rounded once, not twice.
pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    let uses = n_uses(graph);
    let contracted = rebuild(graph, run, |new, copy| contract(graph, &uses, new, copy))?;
    // The products that are part of something now are left behind.
    rebuild(&contracted, run_nothing, |_, _| Ok(Rewrite::Keep))
}

/// Regions have been seen to.
fn run_nothing(graph: &Graph) -> Result<Graph, Error> {
    Ok(graph.clone())
}

/// How often the first result of each node is used.
fn n_uses(graph: &Graph) -> Vec<u32> {
    let needed = graph.needed();
    let mut uses = vec![0; graph.n_nodes()];
    let mut count = |x: Value| uses[x.node.index()] += 1;
    graph.ids().filter(|id| needed[id.index()]).for_each(|id| graph.operands(id).into_iter().for_each(&mut count));
    graph.outputs().iter().for_each(|output| count(output.value));
    graph.guards().iter().for_each(|guard| count(guard.value));
    uses
}

fn contract(graph: &Graph, uses: &[u32], new: &mut Graph, copy: &Copy<'_>) -> Result<Rewrite, Error> {
    let is_float = |id: NodeId| graph.ty(id.into()).dtype.is_float();
    if !matches!(copy.op, Op::Add(_) | Op::Sub(_)) || !is_float(copy.id) {
        return Ok(Rewrite::Keep);
    }
    let old = graph.operands(copy.id);
    let is_product = |slot: usize| {
        let node = old[slot].node;
        matches!(graph.node(node).op(), Some(Op::Mul(_))) && uses[node.index()] == 1
    };
    // The later of two products is nearer, so that the earlier one is ready when it comes.
    let Some(slot) = [1, 0].into_iter().find(|&slot| is_product(slot)) else { return Ok(Rewrite::Keep) };
    let (product, other) = (copy.operands[slot], copy.operands[1 - slot]);
    let factors = new.operands(product.node);
    let (mut a, b, mut c) = (factors[0], factors[1], other);
    let negated = match (copy.op, slot) {
        (Op::Sub(_), 0) => Some(&mut c),
        (Op::Sub(_), _) => Some(&mut a),
        _ => None,
    };
    if let Some(x) = negated {
        *x = new.add(Neg.into(), &[*x], copy.provenance.clone())?.into();
    }
    Ok(Rewrite::Op(Fma.into(), smallvec![a, b, c]))
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::op::trace::{self, record};
    use crate::op::{Graph, Var};
    use crate::value::{DType, Type};

    fn contracted(dtype: DType, f: impl FnOnce(Var, Var, Var) -> Var) -> String {
        let mut graph = Graph::new("f");
        let [x, y, z] = ["x", "y", "z"].map(|name| graph.add_input(name, Type::scalar(dtype)).unwrap());
        let body = || f(trace::variable(x), trace::variable(y), trace::variable(z));
        let (mut graph, out) = record(graph, 1000, None, body).unwrap();
        graph.strip_source_lines();
        graph.add_output("out", out.value().unwrap());
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
        assert_eq!(float(|x, y, z| x * y + y * z), "mul %x %y; fma %y %z %0");
    }

    #[test]
    fn what_is_used_elsewhere_and_integers_stay() {
        let twice = |x: Var, y: Var, z: Var| {
            let product = x * y;
            (product + z) / product
        };
        assert_eq!(contracted(DType::F64, twice), "mul %x %y; add %0 %z; div %1 %0");
        assert_eq!(contracted(DType::I64, |x, y, z| x * y + z), "mul %x %y; add %0 %z");
    }
}
