//! Any operation on any valid operands, in graphs that nobody would write: every instance in the table of operations,
//! and nested regions that save values, scan along saved values, and return arbitrary results.

use std::sync::{Arc, OnceLock};

use retrograd::Graph;
use retrograd::ir::{Operation, Value, results_of};
use retrograd::op::{
    Add, BroadcastInDim, Checkpoint, Concatenate, Cond, CumSum, Custom, CustomRule, DotGeneral, External, Lt, Mul, Op,
    Pad, ReduceMax, ReduceSum, Reshape, Reverse, Scan, ScatterSlices, Schedule, Slice, Switch, Transpose, While,
};
use retrograd::value::{Array, DType, Shape, Type};

use crate::case::{Case, Draw, draw};
use crate::choices::Choices;

/// Shapes that exercise lanes, unrolling, remainders and tiles.
const SHAPES: [&[usize]; 9] = [&[], &[], &[1], &[3], &[17], &[2, 3], &[3, 1, 5], &[4, 19], &[530]];

/// The maximum nesting depth of regions.
const MAX_DEPTH: usize = 3;

/// The most elements of an array.
const MAX_ELEMENTS: usize = 4096;

/// Generates a graph.
pub fn write(choices: &Choices) -> Case {
    let mut builder = Builder { choices, graph: Graph::new("random"), values: Vec::new(), depth: 0 };
    let inputs = (0..2 + choices.below(4)).map(|k| builder.input(k)).collect();
    for _ in 0..4 + choices.below(24) {
        builder.step();
    }
    for k in 0..1 + choices.below(3) {
        let value = builder.pick();
        builder.graph.add_output(format!("y{k}"), value).expect("a name that is new");
    }
    let Builder { graph, .. } = builder;
    let is_loss = |k: &usize| {
        let ty = graph.ty(graph.outputs()[*k].value);
        ty.dtype.is_float() && ty.rank() == 0
    };
    let loss = (0..graph.outputs().len()).find(is_loss);
    Case { graph, inputs, loss }
}

/// Every instance of every operation in the samples of the table.
fn instances() -> &'static [Op] {
    static INSTANCES: OnceLock<Vec<Op>> = OnceLock::new();
    INSTANCES.get_or_init(|| {
        let mut instances: Vec<Op> = Vec::new();
        for (_, _, examples) in Op::table() {
            for op in examples.samples.into_iter().map(|sample| sample.op) {
                if !instances.contains(&op) {
                    instances.push(op);
                }
            }
        }
        instances
    })
}

fn is_small(ty: &Type) -> bool {
    ty.shape.checked_size().is_some_and(|size| size <= MAX_ELEMENTS)
}

struct Builder<'c> {
    choices: &'c Choices,
    graph: Graph,
    /// The arrays to choose from; stacks are used right after they are made.
    values: Vec<Value>,
    /// The number of regions that enclose this graph.
    depth: usize,
}

impl Builder<'_> {
    fn input(&mut self, k: usize) -> Array {
        let dtype = *self.choices.of(&[DType::F64, DType::F64, DType::F64, DType::F32, DType::I64, DType::Bool]);
        let ty = Type::new(dtype, *self.choices.of(&SHAPES));
        let value = self.graph.add_input(format!("x{k}"), ty.clone()).expect("a name that is new");
        self.values.push(value);
        draw(&self.choices.numbers(), &ty, Draw::Uniform(-2.0, 2.0))
    }

    fn pick(&self) -> Value {
        // Prefers late values, so that graphs become deep as well as wide.
        let n = self.values.len();
        let from = if self.choices.below(2) == 0 { n.saturating_sub(6) } else { 0 };
        self.values[from + self.choices.below(n - from)]
    }

    /// A value of the same type as another.
    fn companion(&self, of: Value) -> Value {
        self.of_type(&self.graph.ty(of).clone())
    }

    fn add(&mut self, op: Op, operands: &[Value]) {
        let types: Vec<Type> = operands.iter().map(|&x| self.graph.ty(x).clone()).collect();
        if !op.infer(&types, &[]).is_ok_and(|results| results.iter().all(is_small)) {
            return;
        }
        if let Ok(node) = self.graph.add(op, operands, Default::default()) {
            self.values.extend(results_of(&self.graph, node));
        }
    }

    fn step(&mut self) {
        if self.depth < MAX_DEPTH && self.choices.below(8) == 7 {
            return self.control();
        }
        let x = self.pick();
        let shape = self.graph.ty(x).shape.clone();
        match self.choices.below(16) {
            0 => {
                let axes = self.some_axes(shape.rank());
                self.add(ReduceSum { axes }.into(), &[x]);
            }
            1 => self.broadcast(x, &shape),
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
            _ => self.instance(x),
        }
    }

    fn some_axes(&self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|_| self.choices.below(2) == 0).collect()
    }

    fn broadcast(&mut self, x: Value, shape: &Shape) {
        let target = *self.choices.of(&SHAPES);
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

    fn instance(&mut self, x: Value) {
        let op = self.choices.of(instances()).clone();
        let (y, z) = (self.companion(x), self.companion(x));
        let condition = self.pick();
        if let Op::External(op) = &op {
            // The function of the host that is always there gives what it takes.
            let identity = External { results: self.types(&[x, y]), function: op.function.clone() };
            return self.add(identity.into(), &[x, y]);
        }
        for operands in [&[x] as &[Value], &[x, y], &[x, y, z], &[condition, x, y]] {
            if op.infer(&self.types(operands), &[]).is_ok_and(|results| results.iter().all(is_small)) {
                return self.add(op, operands);
            }
        }
    }

    /// An operation that rearranges the elements of a value of this shape.
    fn rename(&self, shape: &Shape) -> Op {
        let rank = shape.rank();
        match self.choices.below(5) {
            0 => {
                let mut perm: Vec<usize> = (0..rank).collect();
                (1..rank).for_each(|k| perm.swap(k, self.choices.below(k + 1)));
                Transpose { perm }.into()
            }
            1 => Reverse { axes: self.some_axes(rank) }.into(),
            2 => CumSum { axis: self.choices.below(rank.max(1)), reverse: self.choices.below(2) == 0 }.into(),
            3 => ReduceMax { axes: self.some_axes(rank) }.into(),
            _ => {
                let start: Vec<usize> = shape.iter().map(|&extent| self.choices.below(extent)).collect();
                let limit = |(&n, &a): (&usize, &usize)| (a + 1 + self.choices.below(n.saturating_sub(a))).min(n);
                let limit = shape.iter().zip(&start).map(limit).collect();
                let stride = shape.iter().map(|_| 1 + self.choices.below(3)).collect();
                Slice { start, limit, stride }.into()
            }
        }
    }

    /// An operation that joins a value of this shape with others of its type.
    fn join(&mut self, x: Value, shape: &Shape) {
        let rank = shape.rank();
        let y = self.companion(x);
        match self.choices.below(4) {
            0 if rank > 0 => {
                let axis = self.choices.below(rank);
                let others = |shape: &Shape| shape.without(&[axis]);
                let dtype = self.graph.ty(x).dtype;
                let fits = |ty: &Type| ty.dtype == dtype && ty.rank() == rank && others(&ty.shape) == others(shape);
                let mut parts = vec![x, y, x];
                parts.extend(self.values.iter().copied().filter(|&z| fits(self.graph.ty(z))).take(2));
                parts.rotate_left(self.choices.below(3));
                self.add(Concatenate { axis }.into(), &parts);
            }
            1 if rank > 0 => {
                let axis = self.choices.below(rank);
                let contract = [vec![axis], vec![axis]];
                let batch: Vec<usize> = (0..rank).filter(|&k| k != axis && self.choices.below(2) == 0).collect();
                self.add(DotGeneral { contract, batch: [batch.clone(), batch] }.into(), &[x, y]);
            }
            2 => {
                let dtype = self.graph.ty(x).dtype;
                let one = self.constant(match dtype {
                    DType::F64 => Array::scalar(1.0),
                    DType::F32 => Array::scalar(1f32),
                    DType::I64 => Array::scalar(1i64),
                    DType::Bool => Array::scalar(true),
                });
                let amounts = || shape.iter().map(|_| self.choices.below(4) as i64 - 1).collect::<Vec<i64>>();
                let (low, high) = (amounts(), amounts());
                let interior = shape.iter().map(|_| self.choices.below(2)).collect();
                self.add(Pad { low, high, interior }.into(), &[x, one]);
            }
            _ => self.scatter(x, shape),
        }
    }

    /// Slices as in a stencil, sometimes with strides.
    fn scatter(&mut self, x: Value, shape: &Shape) {
        let parts: Vec<Value> = (0..2 + self.choices.below(3)).map(|_| self.companion(x)).collect();
        let grown: Shape = shape.iter().map(|extent| extent * 2 + 3).collect();
        let largest_step = if self.choices.below(3) == 2 { 2 } else { 1 };
        let each = |number: &dyn Fn() -> usize| -> Vec<Vec<usize>> {
            parts.iter().map(|_| shape.iter().map(|_| number()).collect()).collect()
        };
        let strides = each(&|| 1 + self.choices.below(largest_step));
        let starts = each(&|| self.choices.below(4));
        self.add(ScatterSlices { shape: grown, starts, strides }.into(), &parts);
    }
}

/// Operations with regions.
impl Builder<'_> {
    fn constant(&mut self, value: Array) -> Value {
        self.graph.add(Op::from_constant(value), &[], Default::default()).expect("a constant fits anywhere").into()
    }

    /// Some small values for regions to take: a region may run many times.
    fn some(&self, at_most: usize) -> Vec<Value> {
        if self.values.is_empty() {
            return Vec::new();
        }
        let picked: Vec<Value> = (0..self.choices.below(at_most + 1)).map(|_| self.pick()).collect();
        picked.into_iter().filter(|&x| self.graph.ty(x).size() <= 100).collect()
    }

    fn types(&self, values: &[Value]) -> Vec<Type> {
        values.iter().map(|&x| self.graph.ty(x).clone()).collect()
    }

    /// A value of this type, of which at least one exists; prefers the latest.
    fn of_type(&self, ty: &Type) -> Value {
        let same: Vec<Value> = self.values.iter().copied().filter(|&x| self.graph.ty(x) == ty).collect();
        if self.choices.below(2) == 0 { same[same.len() - 1] } else { *self.choices.of(&same) }
    }

    /// A region with these inputs and some random operations.
    fn region(&self, name: &str, inputs: &[Type], outputs: impl FnOnce(&mut Builder<'_>) -> Vec<Value>) -> Arc<Graph> {
        self.region_with(name, inputs, &[], |inner, _| outputs(inner))
    }

    /// The same with further inputs, which no operation takes but those that make the outputs.
    fn region_with(
        &self,
        name: &str,
        inputs: &[Type],
        further: &[Type],
        outputs: impl FnOnce(&mut Builder<'_>, &[Value]) -> Vec<Value>,
    ) -> Arc<Graph> {
        let graph = Graph::new(name);
        let mut inner = Builder { choices: self.choices, graph, values: Vec::new(), depth: self.depth + 1 };
        for (k, ty) in inputs.iter().enumerate() {
            let input = inner.graph.add_input(format!("x{k}"), ty.clone()).expect("a name that is new");
            inner.values.push(input);
        }
        let add =
            |(k, ty): (usize, &Type)| inner.graph.add_input(format!("t{k}"), ty.clone()).expect("a name that is new");
        let further: Vec<Value> = further.iter().enumerate().map(add).collect();
        for _ in 0..inner.choices.below(9) {
            if !inner.values.is_empty() {
                inner.step();
            }
        }
        for (k, value) in outputs(&mut inner, &further).into_iter().enumerate() {
            inner.graph.add_output(format!("y{k}"), value).expect("a name that is new");
        }
        inner.graph.into()
    }

    fn apply(&mut self, op: impl Into<Op>, operands: &[Value], regions: Vec<Arc<Graph>>) -> Vec<Value> {
        let node = self.graph.add_with_regions(op.into(), operands, regions.into(), Default::default());
        let node = node.unwrap_or_else(|error| panic!("the generator wrote what does not fit: {error}"));
        let results: Vec<Value> = results_of(&self.graph, node).collect();
        self.values.extend(results.iter().filter(|&&y| !self.graph.ty(y).stack));
        results
    }

    fn control(&mut self) {
        match self.choices.below(9) {
            0 => self.branch(2, DType::Bool),
            1 => self.branch(1 + self.choices.below(4), DType::I64),
            2 => {
                let operands = self.some(3);
                let body = self.region("body", &self.types(&operands), |g| g.some(3));
                self.apply(Checkpoint, &operands, vec![body]);
            }
            3..=5 => self.repeat(),
            6..=7 => self.scan(),
            _ => self.custom(),
        }
    }

    /// A function with any rule that is linear in what derivatives give it.
    fn custom(&mut self) {
        let operands = self.some(3);
        let inputs = self.types(&operands);
        let function = self.region("function", &inputs, |g| g.some(3));
        let results = function.signature().outputs;
        let floats = |types: &[Type]| types.iter().filter(|ty| ty.dtype.is_float()).cloned().collect::<Vec<Type>>();
        let (given, asked, rule) = match self.choices.below(2) {
            0 => (floats(&inputs), floats(&results), CustomRule::Jvp),
            _ => (floats(&results), floats(&inputs), CustomRule::Vjp),
        };
        let region = self.region_with("arbitrary rule", &[inputs, results].concat(), &given, |g, given| {
            asked.iter().map(|ty| g.linear(ty, given)).collect()
        });
        self.apply(Custom { rule }, &operands, vec![function, region]);
    }

    /// A value of this type that is linear in one of those given; the type is one of those that there are.
    fn linear(&mut self, ty: &Type, given: &[Value]) -> Value {
        let factor = self.of_type(ty);
        let same: Vec<Value> = given.iter().copied().filter(|&x| self.graph.ty(x) == ty).collect();
        let x = match same.is_empty() {
            true => self.constant(Array::zeros(ty)),
            false => *self.choices.of(&same),
        };
        // Not among the values that others take: the product of two of these would not be linear.
        self.graph.add(Mul.into(), &[factor, x], Default::default()).expect("two values of one type").into()
    }

    /// A `cond` or a `switch` on a value of the graph, if there is a suitable one.
    fn branch(&mut self, n: usize, dtype: DType) {
        let ty = Type::scalar(dtype);
        let choice = match self.values.iter().any(|&x| *self.graph.ty(x) == ty) {
            true => self.of_type(&ty),
            false => self.constant(draw(&self.choices.numbers(), &ty, Draw::Halves)),
        };
        let operands = self.some(4);
        let inputs = self.types(&operands);
        let outputs: Vec<Type> = inputs.iter().filter(|_| self.choices.below(3) > 0).cloned().collect();
        let give = |g: &mut Builder<'_>| outputs.iter().map(|ty| g.of_type(ty)).collect();
        let regions = (0..n).map(|k| self.region(&format!("branch{k}"), &inputs, give)).collect();
        let op: Op = if dtype == DType::Bool { Cond.into() } else { Switch.into() };
        self.apply(op, &[&[choice], &operands[..]].concat(), regions);
    }

    /// A `while` of a few iterations, which may save values; a loop along these follows.
    fn repeat(&mut self) {
        let n_iterations = [0, 1, 2, 3, 3, 20][self.choices.below(if self.depth == 0 { 6 } else { 5 })];
        let counters = [0i64, n_iterations].map(|n| self.constant(Array::scalar(n)));
        let (carried, fixed) = (self.some(3), self.some(2));
        let operands = [&counters[..1], &carried, &counters[1..], &fixed].concat();
        let carry = 1 + carried.len();
        let inputs = self.types(&operands);
        let condition = self.region("condition", &inputs, |g| {
            let [count, limit] = [0, carry].map(|k| g.graph.inputs()[k].node.into());
            vec![g.graph.add(Lt.into(), &[count, limit], Default::default()).expect("two scalars of i64").into()]
        });
        let mut saved = Vec::new();
        let body = self.region("body", &inputs, |g| {
            let count = g.graph.inputs()[0].node.into();
            let one = g.constant(Array::scalar(1i64));
            let next = g.graph.add(Add.into(), &[count, one], Default::default()).expect("two scalars of i64").into();
            let carry = inputs[1..carry].iter().map(|ty| g.of_type(ty));
            let mut outputs: Vec<Value> = std::iter::once(next).chain(carry).collect();
            let extra = g.some(2);
            saved = g.types(&extra);
            outputs.extend(extra);
            outputs
        });
        let max_trips = (self.choices.below(4) == 3).then_some(n_iterations as u64);
        let results = self.apply(While { carry, max_trips }, &operands, vec![condition, body]);
        if !saved.is_empty() {
            let reverse = self.choices.below(2) == 0;
            self.run_along(&results[carry..], None, reverse);
        }
    }

    /// A `scan` along arrays that have as many rows as some value, or along nothing.
    fn scan(&mut self) {
        let most = if self.depth == 0 { 20 } else { 5 };
        let x = self.pick();
        let n = match self.graph.ty(x).row() {
            Some((n, _)) if n <= most => n,
            _ => self.choices.below(4),
        };
        let has_rows = |&x: &Value| self.graph.ty(x).row().is_some_and(|(rows, _)| rows == n);
        let mut xs: Vec<Value> = self.values.iter().copied().filter(has_rows).collect();
        let n_xs = self.choices.below(4).min(xs.len());
        while xs.len() > n_xs {
            xs.remove(self.choices.below(xs.len()));
        }
        let reverse = self.choices.below(2) == 0;
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
        let checkpoint = length.and_then(|_| match self.choices.below(4) {
            1 => Some(Schedule::Sqrt),
            2 => Some(Schedule::Binomial(1 + self.choices.below(3))),
            _ => None,
        });
        let op = Scan { carry: carried.len(), xs: xs.len(), length, reverse, checkpoint };
        self.apply(op, &[&carried, xs, &fixed].concat(), vec![body]);
    }
}
