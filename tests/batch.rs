//! Batching, by the table of examples: every operation, every choice of operands that have rows, against the same
//! operation row by row; with derivatives over it and under it; the interpreter against native code.

pub mod common;

use common::{Random, floats, graph_with, sample_graph};
use retrograd::batch::batch;
use retrograd::op::{DotGeneral, Graph, Op};
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Error, Program, Var, differentiate, interpret, map, trace};

/// A graph with inputs of which some have rows, and others are the same for each.
struct Case<'g> {
    what: &'g str,
    graph: &'g Graph,
    over: Vec<usize>,
    n: usize,
    inputs: Vec<Array>,
}

impl<'g> Case<'g> {
    fn new(what: &'g str, graph: &'g Graph, over: Vec<usize>, n: usize, domains: &[(f64, f64)], seed: u64) -> Case<'g> {
        let mut random = Random(seed);
        let inputs = graph.inputs().iter().enumerate().map(|(k, input)| {
            let ty = graph.ty(input.node.into());
            let domain = domains.get(k).copied().unwrap_or((-1.0, 1.0));
            random.array(&if over.contains(&k) { with_rows(ty, n) } else { ty.clone() }, domain)
        });
        Case { what, graph, n, inputs: inputs.collect(), over }
    }

    fn batched(&self) -> Graph {
        batch(self.graph, &self.over, self.n).unwrap_or_else(|error| panic!("{}: {error}\n{}", self.what, self.graph))
    }

    /// The outputs of the graph for each row, one upon the other.
    fn row_by_row(&self) -> Vec<Array> {
        let rows: Vec<Vec<Array>> = (0..self.n)
            .map(|row| {
                let input = |(k, x): (usize, &Array)| {
                    if self.over.contains(&k) { row_of(x, row) } else { x.clone() }
                };
                let inputs: Vec<Array> = self.inputs.iter().enumerate().map(input).collect();
                interpret::run(self.graph, &inputs).unwrap()
            })
            .collect();
        (0..self.graph.outputs().len())
            .map(|k| {
                let ty = with_rows(self.graph.ty(self.graph.outputs()[k].value), self.n);
                Array::collect(&ty, rows.iter().flat_map(|row| row[k].elements().collect::<Vec<_>>()))
            })
            .collect()
    }

    /// Checks the batched graph against the graph on each row: to the bit, unless there are products.
    fn check(&self) {
        let batched = self.batched();
        let got = both(self.what, &batched, &self.inputs);
        let expected = self.row_by_row();
        let exact = !has_products(self.graph);
        for (k, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let agrees = if exact { got.same_bits(expected) } else { is_close(got, expected, 1e-13, 1e-5) };
            assert!(
                agrees,
                "{}: over {:?}, output {k}\nbatched {got}\nrow by row {expected}\n{}{batched}\n{:?}",
                self.what, self.over, self.graph, self.inputs
            );
        }
    }
}

fn with_rows(ty: &Type, n: usize) -> Type {
    ty.repeated(n)
}

fn row_of(x: &Array, row: usize) -> Array {
    let (_, ty) = x.ty().row().unwrap();
    Array::collect(&ty, x.elements().skip(row * ty.size()).take(ty.size()))
}

/// Whether products of matrices are among the operations, whose sums may have another order.
fn has_products(graph: &Graph) -> bool {
    graph.ids().any(|id| {
        let node = graph.node(id);
        matches!(node.op(), Some(Op::DotGeneral(_) | Op::StrongDot(_)))
            || node.regions().iter().any(|r| has_products(r))
    })
}

/// Relative to the largest element, for `f64` and `f32`.
fn is_close(got: &Array, expected: &Array, tolerance: f64, narrow: f64) -> bool {
    let tolerance = if matches!(got.elements().next(), Some(Scalar::F32(_))) { narrow } else { tolerance };
    let (got, expected) = (floats(got), floats(expected));
    let scale = expected.iter().filter(|x| x.is_finite()).fold(1.0f64, |scale, x| scale.max(x.abs()));
    got.len() == expected.len()
        && got
            .iter()
            .zip(&expected)
            .all(|(x, y)| x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan() || (x - y).abs() <= tolerance * scale)
}

/// Interpreted and native outputs, whose bits must be equal.
fn both(what: &str, graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    let expected = interpret::run(graph, inputs).unwrap();
    let got = Program::compile(graph).unwrap().call(inputs).unwrap();
    for (got, expected) in got.iter().zip(&expected) {
        assert!(got.same_bits(expected), "{what}: native {got}\ninterpreted {expected}\n{graph}{inputs:?}");
    }
    expected
}

/// Every non-empty choice of that many operands.
fn choices(n: usize) -> impl Iterator<Item = Vec<usize>> {
    (1..1usize << n).map(move |mask| (0..n).filter(|k| mask >> k & 1 == 1).collect())
}

fn each_sample(mut check: impl FnMut(&str, &Op, Graph, &[Type], &[(f64, f64)])) {
    for (name, _, examples) in Op::table() {
        for sample in &examples.samples {
            let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
            let domains: Vec<(f64, f64)> = sample.operands.iter().map(|&(_, domain)| domain).collect();
            check(name, &sample.op, sample_graph(&sample.op, &sample.regions, &types), &types, &domains);
        }
    }
}

#[test]
fn every_operation_is_what_it_is_row_by_row() {
    let mut n_checked = 0;
    each_sample(|name, _, graph, types, domains| {
        for over in choices(types.len()) {
            Case::new(name, &graph, over, 3, domains, 1).check();
            n_checked += 1;
        }
    });
    assert!(n_checked > 1000, "{n_checked}");
}

/// Products of vectors, and of vectors with matrices, where both have rows: sums keep their order, whichever axes are summed,
/// and so they do where a vector of rows meets one without.
#[test]
fn products_of_vectors_keep_their_bits() {
    let product = |contract: [&[usize]; 2], batch: [&[usize]; 2]| -> Op {
        DotGeneral { contract: contract.map(<[usize]>::to_vec), batch: batch.map(<[usize]>::to_vec) }.into()
    };
    let mut n_checked = 0;
    for k in [5, 37, 700] {
        let cases: [(Op, [&[usize]; 2], bool); 6] = [
            (product([&[0], &[0]], [&[], &[]]), [&[k], &[k]], true),
            (product([&[1], &[0]], [&[], &[]]), [&[3, k], &[k]], false),
            (product([&[0], &[0]], [&[], &[]]), [&[k, 3], &[k]], false),
            (product([&[0], &[1]], [&[], &[]]), [&[k], &[3, k]], false),
            (product([&[0], &[0]], [&[], &[]]), [&[k], &[k, 3]], false),
            (product([&[1], &[2]], [&[0], &[0]]), [&[2, k], &[2, 3, k]], false),
        ];
        for (op, shapes, are_vectors) in cases {
            for dtype in [DType::F64, DType::F32] {
                let graph = graph_with(&op, &[], &shapes.map(|shape| Type::new(dtype, shape)));
                for over in choices(2).filter(|over| are_vectors || over.len() == 2) {
                    let case = Case::new("dot_general", &graph, over.clone(), 4, &[], k as u64);
                    let got = both(case.what, &case.batched(), &case.inputs);
                    let expected = case.row_by_row();
                    assert!(got[0].same_bits(&expected[0]), "over {over:?}: {got:?} is not {expected:?}\n{graph}");
                    n_checked += 1;
                }
            }
        }
    }
    assert_eq!(n_checked, 48);
}

/// The optimizer applies maps to all rows at once only where that keeps the bits.
#[test]
fn maps_keep_their_bits() {
    let matrix = |rows: usize, columns: usize| Type::new(DType::F64, [rows, columns]);
    let of_shared = |x: Var, m: Var| map(x, |x| m.dot(x).sin());
    let of_rows = |x: Var, m: Var| map(x, |x| (x * m.sum_axes(&[1])).sin().sum());
    for graph in [trace(of_shared, (matrix(16, 90), matrix(50, 90))), trace(of_rows, (matrix(16, 50), matrix(50, 90)))]
    {
        let graph = graph.unwrap();
        let optimized = retrograd::optimize::optimize(&graph).unwrap();
        let mut random = Random(8);
        let inputs = graph.inputs().iter().map(|input| random.array(graph.ty(input.node.into()), (-1.0, 1.0)));
        let inputs: Vec<Array> = inputs.collect();
        let (got, expected) = (both("map", &optimized, &inputs), both("map", &graph, &inputs));
        assert!(got[0].same_bits(&expected[0]), "{got:?} is not {expected:?}\n{optimized}");
    }
}

#[test]
fn no_row_and_one_row() {
    each_sample(|name, _, graph, types, domains| {
        let all: Vec<usize> = (0..types.len()).collect();
        for n in [0, 1] {
            if !all.is_empty() {
                Case::new(name, &graph, all.clone(), n, domains, 2).check();
            }
        }
    });
}

/// The known answers of operations on special values, as rows.
#[test]
fn known_answers_in_rows() {
    for (name, _, examples) in Op::table() {
        for answer in examples.answers.iter().filter(|answer| !answer.operands.is_empty()) {
            let types: Vec<Type> = answer.operands.iter().map(Array::ty).collect();
            let graph = graph_with(&answer.op, &answer.regions, &types);
            for over in choices(types.len().min(4)) {
                let repeated = |(k, x): (usize, &Array)| {
                    if !over.contains(&k) {
                        return x.clone();
                    }
                    Array::collect(&with_rows(&x.ty(), 2), x.elements().chain(x.elements()))
                };
                let inputs = answer.operands.iter().enumerate().map(repeated).collect();
                Case { what: name, graph: &graph, over, n: 2, inputs }.check();
            }
        }
    }
}

/// The positions of operands that have derivatives.
fn float_inputs(graph: &Graph) -> Vec<usize> {
    let is_float = |&k: &usize| graph.ty(graph.inputs()[k].node.into()).dtype.is_float();
    (0..graph.inputs().len()).filter(is_float).collect()
}

/// Derivatives of a row, for each row.
#[test]
fn derivatives_of_rows() {
    each_sample(|name, _, graph, types, domains| {
        let wrt = float_inputs(&graph);
        if wrt.is_empty() {
            return;
        }
        for derive in [differentiate::vjp, differentiate::jvp] {
            let Ok(derived) = derive(&graph, &wrt) else { continue };
            for over in choices(types.len()) {
                Case::new(name, &derived, over, 2, domains, 3).check();
            }
            let all: Vec<usize> = (0..derived.inputs().len()).collect();
            Case::new(name, &derived, all, 2, domains, 4).check();
            if let Ok(second) = differentiate::jvp(&derived, &wrt[..1]) {
                Case::new(name, &second, wrt.clone(), 2, domains, 5).check();
            }
        }
    });
}

type Derive = fn(&Graph, &[usize]) -> Result<Graph, Error>;

/// Both modes, and one of the other.
const DERIVATIVES: [Derive; 4] = [
    differentiate::vjp,
    differentiate::jvp,
    |graph, wrt| differentiate::jvp(&differentiate::vjp(graph, wrt)?, wrt),
    |graph, wrt| differentiate::vjp(&differentiate::jvp(graph, wrt)?, wrt),
];

/// Derivatives of what was batched, in both modes and second order: what has rows is that of each row, and what has none,
/// the cotangent of an operand that all rows share, is the sum of theirs.
#[test]
fn derivatives_of_batches() {
    let mut n_checked = 0;
    each_sample(|name, _, graph, types, domains| {
        let wrt = float_inputs(&graph);
        for derive in DERIVATIVES {
            let Ok(derived) = derive(&graph, &wrt) else { continue };
            for over in choices(types.len()) {
                let batched = Case::new(name, &graph, over.clone(), 3, domains, 6).batched();
                let batched = derive(&batched, &wrt).unwrap();
                // An output that has no row of its own has a cotangent for each all the same: all outputs have rows.
                let ty = |graph: &Graph, k: usize| graph.ty(graph.inputs()[k].node.into()).clone();
                let with_rows = |&k: &usize| ty(&derived, k) != ty(&batched, k);
                let over: Vec<usize> = (0..derived.inputs().len()).filter(with_rows).collect();
                let rows = Case::new(name, &derived, over, 3, domains, 6);
                let got = both(name, &batched, &rows.inputs);
                for (k, (got, expected)) in got.iter().zip(rows.row_by_row()).enumerate() {
                    let shared = got.ty() != expected.ty();
                    let expected = if shared { sum_of_rows(&expected, &got.ty()) } else { expected };
                    assert!(
                        is_close(got, &expected, 1e-12, 1e-4),
                        "{name}: output {k}\nof the batch {got}\nof rows {expected}\n{batched}\n{:?}",
                        rows.inputs
                    );
                    n_checked += 1;
                }
            }
        }
    });
    assert!(n_checked > 10_000, "{n_checked}");
}

fn sum_of_rows(rows: &Array, ty: &Type) -> Array {
    let rows = floats(rows);
    let sum = |k: usize| rows.iter().skip(k).step_by(ty.size().max(1)).sum::<f64>();
    Array::collect(ty, (0..ty.size()).map(|k| Scalar::F64(sum(k)).convert(ty.dtype)))
}

/// Rows of rows.
#[test]
fn batches_of_batches() {
    each_sample(|name, _, graph, types, domains| {
        let all: Vec<usize> = (0..types.len()).collect();
        for over in [all.clone(), all.first().copied().into_iter().collect()] {
            if over.is_empty() {
                continue;
            }
            let inner = batch(&graph, &over, 2).unwrap();
            for outer in choices(types.len()) {
                Case::new(name, &inner, outer, 3, domains, 7).check();
            }
        }
    });
}

#[test]
fn what_cannot_be_batched_is_an_error() {
    let graph = trace(|x: Var, y: Var| x + y, (DType::F64, DType::F64)).unwrap();
    for (over, message) in [
        (vec![], "batch: at least one input must have rows"),
        (vec![2], "batch: there are 2 inputs, but input 2 was asked to have rows"),
        (vec![0, 0], "batch: input 0 was named twice"),
    ] {
        assert_eq!(batch(&graph, &over, 3).unwrap_err().to_string(), message);
    }
}
