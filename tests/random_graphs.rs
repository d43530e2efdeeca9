//! Random graphs from fixed seeds: interpreter = native = optimized, to the bit.

pub mod common;

use common::Random;
use retrograd::error::DerivativeError;
use retrograd::ir::Value;
use retrograd::op::{
    BroadcastInDim, Concatenate, CumSum, DotGeneral, Graph, Op, Pad, ReduceMax, ReduceSum, Reshape, Reverse,
    ScatterSlices, Slice, Transpose,
};
use retrograd::optimize::optimize;
use retrograd::value::{Array, DType, Element, Shape, Type};
use retrograd::{Error, Program, differentiate, interpret};

const N_GRAPHS: u64 = 10_000;

/// Seeds that once failed stay here.
const REGRESSIONS: [u64; 0] = [];

/// Extents that meet lanes, unrolling, remainders and tiles.
const SHAPES: [&[usize]; 9] = [&[], &[], &[1], &[3], &[17], &[2, 3], &[3, 1, 5], &[4, 19], &[530]];

/// Every operation of the table in every instance that the samples hold.
fn instances() -> Vec<Op> {
    let mut instances: Vec<Op> = Vec::new();
    for (_, _, examples) in Op::table() {
        for op in examples.samples.into_iter().map(|sample| sample.op) {
            if !instances.contains(&op) {
                instances.push(op);
            }
        }
    }
    instances
}

struct Generator<'i> {
    random: Random,
    instances: &'i [Op],
    graph: Graph,
    values: Vec<Value>,
}

impl Generator<'_> {
    fn pick(&mut self) -> Value {
        // Late values more often than early ones, so that graphs grow deep as well as wide.
        let n = self.values.len();
        let from = if self.random.below(2) == 0 { n.saturating_sub(6) } else { 0 };
        self.values[from + self.random.below(n - from)]
    }

    /// A value of the same type as another, or at least of the same shape, if there is one.
    fn companion(&mut self, of: Value) -> Value {
        let ty = self.graph.ty(of).clone();
        let same: Vec<Value> = self.values.iter().copied().filter(|&x| *self.graph.ty(x) == ty).collect();
        same[self.random.below(same.len())]
    }

    fn add(&mut self, op: Op, operands: &[Value]) {
        let types: Vec<Type> = operands.iter().map(|&x| self.graph.ty(x).clone()).collect();
        if !op.infer(&types).is_ok_and(|results| results.iter().all(|ty| ty.size() <= 4096)) {
            return;
        }
        if let Ok(node) = self.graph.add(op, operands, Default::default()) {
            self.values.extend(retrograd::ir::results_of(&self.graph, node));
        }
    }

    fn step(&mut self) {
        let x = self.pick();
        let shape = self.graph.ty(x).shape.clone();
        match self.random.below(16) {
            0 => {
                let axes = (0..shape.rank()).filter(|_| self.random.below(2) == 0).collect();
                self.add(ReduceSum { axes }.into(), &[x]);
            }
            1 => {
                let target = SHAPES[self.random.below(SHAPES.len())];
                let mut axes: Vec<usize> = Vec::new();
                for extent in shape.iter() {
                    let from = axes.last().map_or(0, |axis| axis + 1);
                    match (from..target.len()).find(|&axis| target[axis] == *extent) {
                        Some(axis) => axes.push(axis),
                        None => return,
                    }
                }
                self.add(BroadcastInDim { shape: target.into(), axes }.into(), &[x]);
            }
            2 => {
                let mut extents: Vec<usize> = shape.to_vec();
                extents.reverse();
                self.add(Reshape { shape: extents.into() }.into(), &[x]);
            }
            3 | 4 => {
                let op = self.rename(&shape);
                self.add(op, &[x]);
            }
            5 => self.join(x, &shape),
            _ => {
                let op = self.instances[self.random.below(self.instances.len())].clone();
                let (y, z) = (self.companion(x), self.companion(x));
                let condition = self.pick();
                for operands in [&[x] as &[Value], &[x, y], &[x, y, z], &[condition, x, y]] {
                    let types: Vec<Type> = operands.iter().map(|&x| self.graph.ty(x).clone()).collect();
                    let small = |results: retrograd::ir::Types| results.iter().all(|ty| ty.size() <= 4096);
                    if op.infer(&types).is_ok_and(small) {
                        return self.add(op, operands);
                    }
                }
            }
        }
    }
}

impl Generator<'_> {
    /// An operation that moves the elements of a value of that shape.
    fn rename(&mut self, shape: &Shape) -> Op {
        let rank = shape.rank();
        match self.random.below(5) {
            0 => {
                let mut perm: Vec<usize> = (0..rank).collect();
                (1..rank).for_each(|k| perm.swap(k, self.random.below(k + 1)));
                Transpose { perm }.into()
            }
            1 => Reverse { axes: (0..rank).filter(|_| self.random.below(2) == 0).collect() }.into(),
            2 => CumSum { axis: self.random.below(rank.max(1)), reverse: self.random.below(2) == 0 }.into(),
            3 => ReduceMax { axes: (0..rank).filter(|_| self.random.below(2) == 0).collect() }.into(),
            _ => {
                let start: Vec<usize> = shape.iter().map(|&extent| self.random.below(extent)).collect();
                let limit = shape.iter().zip(&start).map(|(&n, &a)| a + 1 + self.random.below(n - a)).collect();
                let stride = shape.iter().map(|_| 1 + self.random.below(3)).collect();
                Slice { start, limit, stride }.into()
            }
        }
    }

    /// An operation that joins a value of that shape with others of its type.
    fn join(&mut self, x: Value, shape: &Shape) {
        let rank = shape.rank();
        let y = self.companion(x);
        match self.random.below(4) {
            0 if rank > 0 => {
                let axis = self.random.below(rank);
                self.add(Concatenate { axis }.into(), &[x, y, x]);
            }
            1 if rank > 0 => {
                let axis = self.random.below(rank);
                let contract = [vec![axis], vec![axis]];
                let batch: Vec<usize> = (0..rank).filter(|&k| k != axis && self.random.below(2) == 0).collect();
                let op = DotGeneral { contract, batch: [batch.clone(), batch] };
                let types = [x, y].map(|x| self.graph.ty(x).clone());
                if Op::from(op.clone()).infer(&types).is_ok_and(|results| results[0].size() <= 4096) {
                    self.add(op.into(), &[x, y]);
                }
            }
            2 => {
                let dtype = self.graph.ty(x).dtype;
                let zero = self.graph.add(
                    retrograd::ir::Operation::from_constant(Array::full(&Type::scalar(dtype), 1i64.scalar())),
                    &[],
                    Default::default(),
                );
                let mut amounts = || shape.iter().map(|_| self.random.below(4) as i64 - 1).collect::<Vec<i64>>();
                let (low, high) = (amounts(), amounts());
                let interior = shape.iter().map(|_| self.random.below(2)).collect();
                self.add(Pad { low, high, interior }.into(), &[x, zero.unwrap().into()]);
            }
            _ => {
                let grown: Shape = shape.iter().map(|extent| extent * 2 + 1).collect();
                let starts = vec![vec![0; rank], vec![1; rank]];
                let strides = vec![vec![2; rank], vec![1; rank]];
                self.add(ScatterSlices { shape: grown, starts, strides }.into(), &[x, y]);
            }
        }
    }
}

fn generate(seed: u64, instances: &[Op]) -> (Graph, Vec<Array>) {
    let mut g = Generator { random: Random(seed), instances, graph: Graph::new("random"), values: Vec::new() };
    let mut inputs = Vec::new();
    for k in 0..2 + g.random.below(4) {
        let dtype = [DType::F64, DType::F64, DType::F64, DType::F32, DType::I64, DType::Bool][g.random.below(6)];
        let ty = Type::new(dtype, SHAPES[g.random.below(SHAPES.len())]);
        inputs.push(g.random.array(&ty, (-2.0, 2.0)));
        let value = g.graph.add_input(format!("x{k}"), ty).unwrap();
        g.values.push(value);
    }
    for _ in 0..4 + g.random.below(40) {
        g.step();
    }
    for k in 0..1 + g.random.below(3) {
        let value = g.pick();
        g.graph.add_output(format!("y{k}"), value);
    }
    (g.graph, inputs)
}

fn check(seed: u64, graph: &Graph, inputs: &[Array]) {
    let expected = interpret::run(graph, inputs).unwrap();
    let optimized = optimize(graph).unwrap();
    let results = [
        ("native", Program::compile(graph).unwrap().call(inputs).unwrap()),
        ("optimized", Program::compile(&optimized).unwrap().call(inputs).unwrap()),
    ];
    for (what, got) in results {
        for (k, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert!(
                got.same_bits(expected),
                "seed {seed}: output {k} {what}\ngot {got}\nexpected {expected}\n{graph}\n{optimized}\n{inputs:?}"
            );
        }
    }
}

/// The gradient of the sum of all outputs of floating point by all such inputs, if there are any.
fn gradient(graph: &Graph) -> Option<Graph> {
    let wrt: Vec<usize> =
        (0..graph.inputs().len()).filter(|&k| graph.ty(graph.inputs()[k].node.into()).dtype.is_float()).collect();
    let of = (0..graph.outputs().len()).find(|&k| {
        let ty = graph.ty(graph.outputs()[k].value);
        ty.dtype.is_float() && ty.rank() == 0
    })?;
    if wrt.is_empty() {
        return None;
    }
    match differentiate::grad(graph, of, &wrt) {
        Ok(gradient) => Some(gradient),
        // Some operations have no derivative by some operands, and say so.
        Err(Error::Derivative(DerivativeError::NoRule { .. })) => None,
        Err(error) => panic!("{error}\n{graph}"),
    }
}

#[test]
fn interpreter_native_and_optimized_agree() {
    let instances = instances();
    for seed in REGRESSIONS.into_iter().chain(0..N_GRAPHS) {
        let (graph, inputs) = generate(seed, &instances);
        check(seed, &graph, &inputs);
        if let Some(gradient) = gradient(&graph).filter(|_| seed % 4 == 0) {
            check(seed, &gradient, &inputs);
        }
    }
}
