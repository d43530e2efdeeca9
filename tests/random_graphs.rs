//! Random graphs from fixed seeds, with regions in regions: interpreter = native = optimized, to the bit; and interpreter =
//! native once more where products and sums are contracted.

pub mod common;

use std::sync::Arc;

use common::Random;
use retrograd::error::DerivativeError;
use retrograd::ir::{Operation, Value, results_of};
use retrograd::op::{
    Add, BroadcastInDim, Checkpoint, Concatenate, Cond, CumSum, DotGeneral, Graph, Lt, Op, Pad, ReduceMax, ReduceSum,
    Reshape, Reverse, Scan, ScatterSlices, Schedule, Slice, Switch, Transpose, While,
};
use retrograd::optimize::{optimize, pass};
use retrograd::value::{Array, DType, Element, Shape, Type};
use retrograd::{Error, Program, differentiate, interpret};

/// How many graphs are made, unless the variable `N_GRAPHS` says otherwise.
const N_GRAPHS: u64 = 10_000;

/// Seeds that once failed stay here.
const REGRESSIONS: [u64; 0] = [];

/// Extents that meet lanes, unrolling, remainders and tiles.
const SHAPES: [&[usize]; 9] = [&[], &[], &[1], &[3], &[17], &[2, 3], &[3, 1, 5], &[4, 19], &[530]];

/// How deep regions are nested.
const MAX_DEPTH: usize = 3;

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
    /// The arrays to choose from; stacks are used where they are made.
    values: Vec<Value>,
    /// How many regions stand around this graph.
    depth: usize,
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
            self.values.extend(results_of(&self.graph, node));
        }
    }

    fn step(&mut self) {
        if self.depth < MAX_DEPTH && self.random.below(8) == 0 {
            return self.control();
        }
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
            5 | 6 => self.join(x, &shape),
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
                let others = |shape: &Shape| shape.without(&[axis]);
                let dtype = self.graph.ty(x).dtype;
                let fits = |ty: &Type| ty.dtype == dtype && ty.rank() == rank && others(&ty.shape) == others(shape);
                let mut parts = vec![x, y, x];
                parts.extend(self.values.iter().copied().filter(|&z| fits(self.graph.ty(z))).take(2));
                parts.rotate_left(self.random.below(3));
                self.add(Concatenate { axis }.into(), &parts);
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
                let one = self.constant(Array::full(&Type::scalar(dtype), 1i64.scalar()));
                let mut amounts = || shape.iter().map(|_| self.random.below(4) as i64 - 1).collect::<Vec<i64>>();
                let (low, high) = (amounts(), amounts());
                let interior = shape.iter().map(|_| self.random.below(2)).collect();
                self.add(Pad { low, high, interior }.into(), &[x, one]);
            }
            _ => {
                let parts: Vec<Value> = (0..2 + self.random.below(3)).map(|_| self.companion(x)).collect();
                let grown: Shape = shape.iter().map(|extent| extent * 2 + 3).collect();
                // Mostly slices as those of a stencil, sometimes with steps.
                let with_steps = self.random.below(3) == 0;
                let step = |g: &mut Self| if with_steps { 1 + g.random.below(2) } else { 1 };
                let strides: Vec<Vec<usize>> =
                    parts.iter().map(|_| shape.iter().map(|_| step(self)).collect()).collect();
                let starts = parts.iter().map(|_| shape.iter().map(|_| self.random.below(4)).collect()).collect();
                self.add(ScatterSlices { shape: grown, starts, strides }.into(), &parts);
            }
        }
    }
}

/// Operations with regions.
impl Generator<'_> {
    fn constant(&mut self, value: Array) -> Value {
        self.graph.add(Operation::from_constant(value), &[], Default::default()).unwrap().into()
    }

    /// Some values that regions take, none of them large: a region runs more than once.
    fn some(&mut self, at_most: usize) -> Vec<Value> {
        let n = self.random.below(at_most + 1);
        let picked: Vec<Value> = (0..n).map(|_| self.pick()).collect();
        picked.into_iter().filter(|&x| self.graph.ty(x).size() <= 100).collect()
    }

    fn types(&self, values: &[Value]) -> Vec<Type> {
        values.iter().map(|&x| self.graph.ty(x).clone()).collect()
    }

    /// A value of that type, of which there is at least one; the latest more often than others.
    fn of_type(&mut self, ty: &Type) -> Value {
        let same: Vec<Value> = self.values.iter().copied().filter(|&x| self.graph.ty(x) == ty).collect();
        if self.random.below(2) == 0 { same[same.len() - 1] } else { same[self.random.below(same.len())] }
    }

    /// A region with these inputs and some random operations.
    fn region(
        &mut self,
        name: &str,
        inputs: &[Type],
        outputs: impl FnOnce(&mut Generator<'_>) -> Vec<Value>,
    ) -> Arc<Graph> {
        let random = Random(self.random.below(usize::MAX) as u64);
        let graph = Graph::new(name);
        let mut inner =
            Generator { random, instances: self.instances, graph, values: Vec::new(), depth: self.depth + 1 };
        for (k, ty) in inputs.iter().enumerate() {
            let input = inner.graph.add_input(format!("x{k}"), ty.clone()).unwrap();
            inner.values.push(input);
        }
        for _ in 0..inner.random.below(9) {
            if !inner.values.is_empty() {
                inner.step();
            }
        }
        for (k, value) in outputs(&mut inner).into_iter().enumerate() {
            inner.graph.add_output(format!("y{k}"), value).unwrap();
        }
        inner.graph.into()
    }

    fn apply(&mut self, op: impl Into<Op>, operands: &[Value], regions: Vec<Arc<Graph>>) -> Vec<Value> {
        let op: Op = op.into();
        let node = self.graph.add_with_regions(op, operands, regions.into(), Default::default());
        let node = node.unwrap_or_else(|error| panic!("{error}"));
        let results: Vec<Value> = results_of(&self.graph, node).collect();
        self.values.extend(results.iter().filter(|&&y| !self.graph.ty(y).stack));
        results
    }

    fn control(&mut self) {
        match self.random.below(8) {
            0 => self.branch(2, DType::Bool),
            1 => {
                let n = 1 + self.random.below(4);
                self.branch(n, DType::I64);
            }
            2 => {
                let operands = self.some(3);
                let body = self.region("body", &self.types(&operands), |g| g.some_outputs());
                self.apply(Checkpoint, &operands, vec![body]);
            }
            3..=5 => self.repeat(),
            _ => self.scan(),
        }
    }

    fn some_outputs(&mut self) -> Vec<Value> {
        if self.values.is_empty() { Vec::new() } else { self.some(3) }
    }

    /// A `cond` or a `switch`, on a value of the graph where there is one.
    fn branch(&mut self, n: usize, dtype: DType) {
        let ty = Type::scalar(dtype);
        let choice = match self.values.iter().any(|&x| *self.graph.ty(x) == ty) {
            true => self.of_type(&ty),
            false => {
                let value = self.random.array(&ty, (-1.0, 4.0));
                self.constant(value)
            }
        };
        let operands = self.some(4);
        let inputs = self.types(&operands);
        let outputs: Vec<Type> = inputs.iter().filter(|_| self.random.below(3) > 0).cloned().collect();
        let give = |g: &mut Generator<'_>| outputs.iter().map(|ty| g.of_type(ty)).collect();
        let regions = (0..n).map(|k| self.region(&format!("branch{k}"), &inputs, give)).collect();
        let op: Op = if dtype == DType::Bool { Cond.into() } else { Switch.into() };
        self.apply(op, &[&[choice], &operands[..]].concat(), regions);
    }

    /// A `while` of a few trips, which may save something; a loop along what it saved follows.
    fn repeat(&mut self) {
        let n_trips = [0, 1, 2, 3, 3, 20][self.random.below(if self.depth == 0 { 6 } else { 5 })];
        let counters = [0i64, n_trips].map(|n| self.constant(Array::scalar(n)));
        let (carried, fixed) = (self.some(3), self.some(2));
        let operands = [&counters[..1], &carried, &counters[1..], &fixed].concat();
        let carry = 1 + carried.len();
        let inputs = self.types(&operands);
        let condition = self.region("condition", &inputs, |g| {
            let [count, limit] = [0, carry].map(|k| g.graph.inputs()[k].node.into());
            vec![g.graph.add(Lt.into(), &[count, limit], Default::default()).unwrap().into()]
        });
        let mut saved = Vec::new();
        let body = self.region("body", &inputs, |g| {
            let count = g.graph.inputs()[0].node.into();
            let one = g.constant(Array::scalar(1i64));
            let next = g.graph.add(Add.into(), &[count, one], Default::default()).unwrap().into();
            let carry = inputs[1..carry].iter().map(|ty| g.of_type(ty));
            let mut outputs: Vec<Value> = std::iter::once(next).chain(carry).collect();
            let extra = g.some(2);
            saved = g.types(&extra);
            outputs.extend(extra);
            outputs
        });
        let max_trips = (self.random.below(4) == 0).then_some(n_trips as u64);
        let results = self.apply(While { carry, max_trips }, &operands, vec![condition, body]);
        if !saved.is_empty() {
            let reverse = self.random.below(2) == 0;
            self.run_along(&results[carry..], None, reverse);
        }
    }

    /// A `scan` along what has as many rows as some value, or along nothing.
    fn scan(&mut self) {
        let most = if self.depth == 0 { 20 } else { 5 };
        let x = self.pick();
        let n = match self.graph.ty(x).row() {
            Some((n, _)) if n <= most => n,
            _ => self.random.below(4),
        };
        let has_rows = |&x: &Value| self.graph.ty(x).row().is_some_and(|(rows, _)| rows == n);
        let mut xs: Vec<Value> = self.values.iter().copied().filter(has_rows).collect();
        while xs.len() > self.random.below(4) {
            xs.remove(self.random.below(xs.len()));
        }
        let reverse = self.random.below(2) == 0;
        self.run_along(&xs, Some(n), reverse);
    }

    fn run_along(&mut self, xs: &[Value], length: Option<usize>, reverse: bool) {
        let (carried, fixed) = (self.some(2), self.some(2));
        let carry = self.types(&carried);
        let rows = self.types(xs).into_iter().filter_map(|x| match x.stack {
            true => Some(x.unstacked()),
            false => x.row().map(|(_, row)| row),
        });
        let mut inputs = vec![Type::scalar(DType::I64)];
        inputs.extend(carry.iter().cloned().chain(rows).chain(self.types(&fixed)));
        let body = self.region("body", &inputs, |g| {
            let mut outputs: Vec<Value> = carry.iter().map(|ty| g.of_type(ty)).collect();
            if length.is_some() {
                outputs.extend(g.some(2));
            }
            outputs
        });
        let checkpoint = length.and_then(|_| match self.random.below(4) {
            0 => Some(Schedule::Sqrt),
            1 => Some(Schedule::Binomial(1 + self.random.below(3))),
            _ => None,
        });
        let op = Scan { carry: carried.len(), xs: xs.len(), length, reverse, checkpoint };
        self.apply(op, &[&carried, xs, &fixed].concat(), vec![body]);
    }
}

fn generate(seed: u64, instances: &[Op]) -> (Graph, Vec<Array>) {
    let mut g =
        Generator { random: Random(seed), instances, graph: Graph::new("random"), values: Vec::new(), depth: 0 };
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
        g.graph.add_output(format!("y{k}"), value).unwrap();
    }
    (g.graph, inputs)
}

fn check(seed: u64, graph: &Graph, inputs: &[Array]) {
    let optimized = optimize(graph).unwrap();
    let expected = interpret::run(graph, inputs).unwrap();
    let mut results = vec![
        ("native", Program::compile(graph).unwrap().call(inputs).unwrap(), expected.clone()),
        ("optimized", Program::compile(&optimized).unwrap().call(inputs).unwrap(), expected),
    ];
    // Contracted, it is another graph, on which interpreter and native code agree again.
    if seed.is_multiple_of(4) {
        let contracted = (pass("fma").unwrap().run)(&optimized).unwrap();
        let expected = interpret::run(&contracted, inputs).unwrap();
        results.push(("contracted", Program::compile(&contracted).unwrap().call(inputs).unwrap(), expected));
    }
    for (what, got, expected) in results {
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
    let n = std::env::var("N_GRAPHS").map_or(N_GRAPHS, |n| n.parse().expect("N_GRAPHS is a number"));
    for seed in REGRESSIONS.into_iter().chain(0..n) {
        let (graph, inputs) = generate(seed, &instances);
        let run = || {
            check(seed, &graph, &inputs);
            if seed % 4 == 0
                && let Some(gradient) = gradient(&graph)
            {
                check(seed, &gradient, &inputs);
            }
        };
        // A panic of the crate's own does not know the seed.
        std::panic::catch_unwind(run).unwrap_or_else(|panic| {
            eprintln!("seed {seed}\n{graph}");
            std::panic::resume_unwind(panic)
        });
    }
}
