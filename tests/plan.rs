//! The plan of a program as users see it: kernels, locations, bytes, arithmetic; and the times of single kernels.

pub mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::Random;
use retrograd::compile::{Iterations, KernelKind, KernelReport, Location, Report};
use retrograd::ir::Value;
use retrograd::op::internals::Lowering;
use retrograd::op::{
    Add, And, BroadcastInDim, Concatenate, Constant, Cost, Op, Pad, ReduceSum, ScatterSlices, Schedule,
};
use retrograd::value::{Array, ArrayMut, ArrayRef, DType, Scalar, Type};
use retrograd::{
    Graph, Loop, Program, Var, cond, differentiate, fori_loop, interpret, map, optimize, scan, trace, while_loop,
};

fn plan(graph: &Graph) -> Report {
    Program::inspect(graph).unwrap().plan
}

fn f64s(shape: &[usize]) -> Type {
    Type::new(DType::F64, shape)
}

/// The gradient of the first floating-point scalar output by all floating-point inputs.
fn gradient(graph: &Graph) -> Graph {
    let is_float = |value| graph.ty(value).dtype.is_float();
    let of = graph.outputs().iter().position(|output| graph.ty(output.value).rank() == 0 && is_float(output.value));
    let wrt: Vec<usize> = (0..graph.inputs().len()).filter(|&k| is_float(graph.inputs()[k].node.into())).collect();
    differentiate::grad(graph, of.unwrap(), &wrt).unwrap()
}

fn locations(kernel: &KernelReport) -> Vec<String> {
    kernel
        .steps
        .iter()
        .map(|step| step.locations.iter().map(Location::to_string).collect::<Vec<_>>().join(", "))
        .collect()
}

fn reads(kernel: &KernelReport) -> Vec<String> {
    kernel.reads.iter().map(|read| format!("{}: {}", read.name, read.location)).collect()
}

fn examples() -> Vec<(String, Graph, Vec<Array>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ir-examples");
    let mut examples = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(stem) = path.to_str().unwrap().strip_suffix(".inputs.json") else { continue };
        let graph = Graph::load(format!("{stem}.json")).unwrap();
        // What has rows alone has no gradient.
        if graph.outputs().iter().all(|output| graph.ty(output.value).rank() > 0) {
            continue;
        }
        let given: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let inputs = graph.inputs().iter().map(|input| {
            let text = given[&*input.name].to_string();
            let json = retrograd::value::json::Json::parse(&text).unwrap();
            Array::from_json(&json, graph.ty(input.node.into())).unwrap()
        });
        let inputs = inputs.collect();
        examples.push((stem.to_string(), graph, inputs));
    }
    assert!(examples.len() > 5);
    examples
}

#[test]
fn fused_operands_are_read_once_and_kept_in_registers() {
    let graph = trace(|x: Var, s: Var| ((x * s - 1.0) * x).sum_axes(&[1]), (f64s(&[40, 30]), f64s(&[30]))).unwrap();
    let plan = plan(&graph);
    let [kernel] = &plan.kernels[..] else { panic!("{plan}") };
    assert_eq!(kernel.kind, KernelKind::Loop { shape: [40, 30].into() });
    assert_eq!(kernel.summary(), "2 mul, reduce_sum, sub");
    assert_eq!(locations(kernel), ["registers", "registers", "registers", "output out"]);
    // The broadcast row is read without a copy, and the number 1 is part of the code.
    assert_eq!(kernel.read_bytes, 8 * (40 * 30 + 30));
    assert_eq!(kernel.written_bytes, 8 * 40);
    assert_eq!(reads(kernel).len(), 3, "{plan}");
    assert!(reads(kernel)[2].ends_with(": in the code"), "{plan}");
    assert_eq!(kernel.cost.unwrap().flops(), 3 * 1200 + (1200 - 40));
    assert_eq!(plan.memory_bytes(), 0);
    assert_eq!((plan.input_bytes, plan.output_bytes), (8 * 1230, 320));
}

/// What a later function or its result is combined with takes no tile for waiting.
#[test]
fn what_is_needed_late_is_computed_late() {
    let graph = trace(|x: Var| x.sin() / ((x * x + 1.0) * x) + x, (f64s(&[1000]),)).unwrap();
    let plan = checked(&graph);
    let [kernel] = &plan.kernels[..] else { panic!("{plan}") };
    assert_eq!(
        locations(kernel),
        ["tile 0", "registers", "registers", "registers", "registers", "output out"],
        "{plan}"
    );
    // The square is in a tile anyway, and what is made of it waits; but nothing takes a tile so that something else may.
    let graph = trace(|x: Var| x.sin() / ((x * x).exp() + x * x + 1.0), (f64s(&[1000]),)).unwrap();
    let plan = checked(&graph);
    let tiles =
        |kernel: &KernelReport| locations(kernel).iter().filter(|location| location.starts_with("tile")).count();
    assert_eq!(tiles(&plan.kernels[0]), 3, "{plan}");
    let graph = trace(|x: Var| (x * 2.0 + 1.0, (x * 2.0 + 3.0) * x.sin()), (f64s(&[1000]),)).unwrap();
    let plan = checked(&optimize::optimize(&graph).unwrap());
    assert_eq!(tiles(&plan.kernels[0]), 2, "{plan}");
}

/// The gradient of a linear model, in which the rows of the data occur in two products.
#[test]
fn products_with_the_rows_of_a_matrix_read_it_once() {
    let model = |x: Var, w: Var, t: Var| (x.dot(w) - t).square().sum();
    for (n, d) in [(20, 2), (511, 3), (512, 17), (513, 40), (1300, 5)] {
        for dtype in [DType::F64, DType::F32] {
            let ty = |shape: &[usize]| Type::new(dtype, shape);
            // The matrix itself, or the transpose of another one, whose rows are not contiguous.
            for transposed in [false, true] {
                let shape = if transposed { [d, n] } else { [n, d] };
                let f = |x: Var, w: Var, t: Var| model(if transposed { x.t() } else { x }, w, t);
                let graph = trace(f, (ty(&shape), ty(&[d]), ty(&[n]))).unwrap();
                let graph = optimize::optimize(&differentiate::grad(&graph, 0, &[1]).unwrap()).unwrap();
                let plan = plan(&graph);
                let products = |kernel: &&KernelReport| kernel.steps.iter().any(|step| step.op == "dot_general");
                let with_products: Vec<&KernelReport> = plan.kernels.iter().filter(products).collect();
                if !transposed {
                    let [kernel] = with_products[..] else { panic!("{plan}") };
                    assert_eq!(kernel.kind, KernelKind::Loop { shape: [n].into() }, "{plan}");
                    let bytes = dtype.size() as u64 * (n * d + d + n) as u64;
                    assert_eq!(kernel.read_bytes, bytes, "{plan}");
                }
                let mut state = 7u64;
                let mut number = || {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    Scalar::F64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0).convert(dtype)
                };
                let types = graph.inputs().iter().map(|input| graph.ty(input.node.into()));
                let inputs: Vec<Array> = types.map(|ty| Array::collect(ty, (0..ty.size()).map(|_| number()))).collect();
                let native = Program::compile(&graph).unwrap().call(&inputs).unwrap();
                let expected = interpret::run(&graph, &inputs).unwrap();
                for (x, y) in native.iter().zip(&expected) {
                    assert!(x.same_bits(y), "{n} {d} {dtype} {transposed}");
                }
            }
        }
    }
}

/// Numbers whose sums depend on the order, including zeros of both signs.
fn awkward(seed: usize, ty: &Type) -> Array {
    let mut random = Random(seed as u64);
    let numbers = [-0.0, 0.0, 1.0, -1.0, 3.0, 1e16, -1e16, 0.1];
    let mut number = || Scalar::F64(numbers[random.below(8)]).convert(ty.dtype);
    Array::collect(ty, (0..ty.size()).map(|_| number()))
}

/// Checks native code against the interpreter, bit for bit, and returns the plan.
fn checked(graph: &Graph) -> Report {
    let types = graph.inputs().iter().map(|input| graph.ty(input.node.into()));
    let inputs: Vec<Array> = types.enumerate().map(|(k, ty)| awkward(k, ty)).collect();
    let inspection = Program::inspect(graph).unwrap();
    let native = inspection.program.call(&inputs).unwrap();
    for (k, (native, expected)) in native.iter().zip(&interpret::run(graph, &inputs).unwrap()).enumerate() {
        assert!(native.same_bits(expected), "output {k}: {native}\nexpected {expected}\n{graph}\n{}", inspection.plan);
    }
    inspection.plan
}

/// An array combined with itself: for numbers, twice its elements.
fn doubled(graph: &mut Graph, x: Value) -> Value {
    let op = if graph.ty(x).dtype == DType::Bool { Op::from(And) } else { Op::from(Add) };
    graph.add(op, &[x, x], Default::default()).unwrap().into()
}

/// An operation that assembles computed arrays of these shapes.
fn joined(op: impl Into<Op>, dtype: DType, shapes: &[Vec<usize>]) -> Graph {
    let mut graph = Graph::new("joined");
    let inputs = shapes.iter().enumerate();
    let inputs = inputs.map(|(k, shape)| graph.add_input(format!("x{k}"), Type::new(dtype, &shape[..])).unwrap());
    let inputs: Vec<Value> = inputs.collect();
    let parts: Vec<Value> = inputs.into_iter().map(|x| doubled(&mut graph, x)).collect();
    let node = graph.add(op.into(), &parts, Default::default()).unwrap();
    graph.add_output("y", node.into()).unwrap();
    graph
}

/// A computed array of this shape, padded with an input.
fn padded(op: Pad, dtype: DType, shape: &[usize]) -> Graph {
    let mut graph = Graph::new("padded");
    let x = graph.add_input("x", Type::new(dtype, shape)).unwrap();
    let number = graph.add_input("number", Type::scalar(dtype)).unwrap();
    let x = doubled(&mut graph, x);
    let node = graph.add(op.into(), &[x, number], Default::default()).unwrap();
    graph.add_output("y", node.into()).unwrap();
    graph
}

fn scatter(size: usize, starts: &[usize], strides: &[usize]) -> ScatterSlices {
    let each = |numbers: &[usize]| numbers.iter().map(|&number| vec![number]).collect();
    ScatterSlices { shape: [size].into(), starts: each(starts), strides: each(strides) }
}

fn loops(plan: &Report) -> usize {
    let is_loop = |kernel: &&KernelReport| matches!(kernel.kind, KernelKind::Loop { .. });
    let n = plan.kernels.iter().filter(is_loop).count();
    assert_eq!(n, plan.kernels.len(), "{plan}");
    n
}

/// Scalars are written directly to their destination: a matrix of them takes no memory but the output's.
#[test]
fn a_matrix_of_scalars_is_written_in_place() {
    let n = 20;
    let matrix = |x: Var| {
        let x = x.unstack(0);
        let element = |i: usize, j: usize| match (i + j) % 5 {
            // Adjacent zeros that differ in the sign bit.
            0 => Var::from(0.0),
            1 => Var::from(-0.0),
            2 => x[i],
            // Each other value occurs at two positions.
            _ => x[i.min(j)].sin() * x[i.max(j)],
        };
        let row = |i: usize| Var::stack(&(0..n).map(|j| element(i, j)).collect::<Vec<Var>>(), 0);
        Var::stack(&(0..n).map(row).collect::<Vec<Var>>(), 0)
    };
    let optimized = |graph: Graph| optimize::optimize(&graph).unwrap();
    let plan = checked(&optimized(trace(matrix, (f64s(&[n]),)).unwrap()));
    assert!(plan.kernels.iter().all(|kernel| kernel.kind == KernelKind::Scalar), "{plan}");
    assert_eq!(plan.arena_bytes, 0, "{plan}");
    // The sines may be stored in addition, but nothing is stored twice.
    let written = plan.kernels.iter().map(|kernel| kernel.written_bytes).sum::<u64>();
    assert!((8 * 400..=8 * 420).contains(&written), "{plan}");

    // Later uses read the matrix: a loop, straight-line code, and an output.
    let read_again = |x: Var| {
        let y = matrix(x);
        let corner = y.index_axis(0, 3).index(5);
        (y.square().sum() + corner, y, corner.exp())
    };
    let plan = checked(&optimized(trace(read_again, (f64s(&[n]),)).unwrap()));
    assert!(plan.kernels.iter().all(|kernel| kernel.kind != KernelKind::Library), "{plan}");
}

#[test]
fn small_arrays_are_concatenated_without_copies() {
    for dtype in [DType::F64, DType::F32, DType::I64, DType::Bool] {
        for (axis, shape, n) in [(0, &[1][..], 40), (0, &[3], 10), (1, &[3, 1], 10), (1, &[1, 5], 200), (0, &[2, 2], 9)]
        {
            let plan = checked(&joined(Concatenate { axis }, dtype, &vec![shape.to_vec(); n]));
            assert!(plan.kernels.iter().all(|kernel| kernel.kind == KernelKind::Scalar), "{plan}");
        }
        // The loop writes its part directly to the result, and two small arrays are written beside it.
        let shapes = [vec![100], vec![1], vec![7]];
        let plan = checked(&joined(Concatenate { axis: 0 }, dtype, &shapes));
        assert!(plan.kernels.iter().all(|kernel| kernel.kind != KernelKind::Library), "{plan}");
        assert_eq!(plan.kernels.iter().map(|kernel| kernel.written_bytes).sum::<u64>(), (108 * dtype.size()) as u64);
    }
}

/// A run of a constant between computed numbers is stored in lanes, a long one in a loop.
#[test]
fn runs_of_a_constant_are_filled() {
    let minus_zero = [Scalar::F64(-0.0), Scalar::F32(-0.0)];
    let ones = [DType::F64, DType::F32, DType::I64, DType::Bool].map(|dtype| Scalar::F64(1.0).convert(dtype));
    let zeros = ones.map(|one| Scalar::Bool(false).convert(one.dtype()));
    for constant in ones.into_iter().chain(zeros).chain(minus_zero) {
        for run in [1, 2, 3, 15, 32, 33, 70] {
            let mut graph = Graph::new("runs");
            let ty = Type::new(constant.dtype(), &[1][..]);
            let x = graph.add_input("x", ty.clone()).unwrap();
            let made = doubled(&mut graph, x);
            let constant = Constant { value: Arc::new(Array::full(&ty, constant)) };
            let constant = graph.add(constant.into(), &[], Default::default()).unwrap().into();
            let parts = [&[made][..], &vec![constant; run], &[made, constant, constant, made]].concat();
            let node = graph.add(Op::from(Concatenate { axis: 0 }), &parts, Default::default()).unwrap();
            graph.add_output("y", node.into()).unwrap();
            let plan = checked(&graph);
            assert!(plan.kernels.iter().all(|kernel| kernel.kind == KernelKind::Scalar), "{plan}");
        }
    }
}

/// Values with several uses end blocks of straight-line code, which separates negations and products from sums.
#[test]
fn values_with_several_uses_in_straight_line_code_keep_their_bits() {
    for dtype in [DType::F64, DType::F32] {
        let f = |x: Var| {
            let mut x = x.unstack(0);
            let n = x.len();
            for k in 0..300 {
                let [a, b, c] = [k % n, (3 * k + 1) % n, (7 * k + 2) % n].map(|k| x[k]);
                x[(5 * k + 3) % n] = match k % 6 {
                    0 => a * 0.37 + b,
                    1 => -(a * b) - c,
                    2 => c - (a - 0.25) * (a - 0.25),
                    3 => 0.8 * a.max(-b),
                    4 if k % 60 == 4 => (a + c).tanh(),
                    4 => (a * b - c * 0.125) * 0.5,
                    _ => -a + b * c,
                };
            }
            let again = x[0] * x[1];
            (Var::stack(&x, 0), again, -again)
        };
        let graph = trace(f, (Type::new(dtype, &[24][..]),)).unwrap();
        checked(&graph);
        let optimized = optimize::optimize(&graph).unwrap();
        checked(&optimized);
        checked(&(optimize::pass("fma").unwrap().run)(&optimized).unwrap());
    }
}

/// Each array contains the previous one, and the last contains all of them.
#[test]
fn growing_arrays_are_built_within_the_largest() {
    let f = |x: Var| {
        let mut y = Var::stack(&[x.sin(); 20], 0);
        for k in 1..100 {
            y = Var::concatenate(&[y, (x * k as f64).reshape(&[1])], 0);
        }
        y
    };
    let plan = checked(&trace(f, (DType::F64,)).unwrap());
    assert_eq!((plan.arena_bytes, plan.kernels.len()), (0, 1), "{plan}");
}

/// The next carry is written while the current one is still read.
#[test]
fn a_carry_of_scalars_is_written_in_place() {
    let reversed = |x: Var| {
        let x = x.unstack(0);
        let n = x.len();
        let next: Vec<Var> =
            (0..n).map(|k| if k % 7 == 0 { Var::from(0.5) } else { x[n - 1 - k] * x[k / 2] }).collect();
        Var::stack(&next, 0)
    };
    for n_iterations in [1, 2, 5] {
        let f = move |x: Var| fori_loop(n_iterations, x, move |_, x| reversed(x));
        let graph = trace(f, (f64s(&[40]),)).unwrap();
        checked(&graph);
        checked(&optimize::optimize(&graph).unwrap());
        let total = trace(move |x: Var| f(x).sum(), (f64s(&[40]),)).unwrap();
        checked(&optimize::optimize(&gradient(&total)).unwrap());
    }
}

/// Overlapping slices of one value: the loop that computes their cotangents writes them to their positions.
#[test]
fn a_gradient_by_slices_is_one_loop() {
    for n in [18, 513, 1000, 1300, 5000] {
        let rosenbrock = move |x: Var| {
            let (a, b) = (x.slice_axis(0, 0, n - 1, 1), x.slice_axis(0, 1, n, 1));
            ((b - a * a).square() * 100.0 + (1.0 - a).square()).sum()
        };
        for dtype in [DType::F64, DType::F32] {
            let graph = trace(rosenbrock, (Type::new(dtype, [n]),)).unwrap();
            let graph = optimize::optimize(&differentiate::grad(&graph, 0, &[0]).unwrap()).unwrap();
            let plan = checked(&graph);
            let [kernel] = &plan.kernels[..] else { panic!("{plan}") };
            assert_eq!(kernel.kind, KernelKind::Loop { shape: [n - 1].into() }, "{plan}");
            let bytes = |n: usize| (dtype.size() * n) as u64;
            assert_eq!((kernel.read_bytes, kernel.written_bytes), (bytes(n), bytes(n + 1)), "{plan}");
            // The summands are kept in a tile.
            assert_eq!(plan.arena_bytes, 4096, "{plan}");
            let step = kernel.steps.last().unwrap();
            assert_eq!(
                (step.op, &step.locations[..]),
                ("scatter_slices", &[Location::Output("x.grad".to_string())][..])
            );
            assert_eq!(plan.to_string().matches("= scatter_slices").count(), 1, "{plan}");
        }
    }
}

#[test]
fn overlapping_parts_are_added_in_order() {
    let n = 1100;
    let shapes = vec![vec![n - 2]; 3];
    let outputs = |starts: &[usize], dtype: DType| {
        let graph = joined(scatter(n, starts, &[1; 3]), dtype, &shapes);
        let ty = Type::new(dtype, [n - 2]);
        let inputs = [0, 1, 2].map(|k| awkward(k, &ty));
        (checked(&graph), interpret::run(&graph, &inputs).unwrap())
    };
    for dtype in [DType::F64, DType::F32, DType::I64] {
        // In the fused loop a slice that begins later is ahead, so later summands must not begin after it.
        let (descending, sums) = outputs(&[2, 1, 0], dtype);
        assert_eq!(loops(&descending), 1, "{descending}");
        let (ascending, others) = outputs(&[0, 1, 2], dtype);
        assert_eq!(loops(&ascending), 3, "{ascending}");
        assert_eq!(loops(&outputs(&[1, 0, 2], dtype).0), 2);
        assert_eq!(loops(&outputs(&[1, 1, 0], dtype).0), 1);
        assert!(dtype == DType::I64 || sums != others, "the order makes no difference");
    }
    // Two summands can be added to 0 in either order.
    for starts in [[0, 1], [1, 0], [0, 0], [500, 0], [0, 700]] {
        let plan = checked(&joined(scatter(n, &starts, &[1, 1]), DType::F64, &vec![vec![400]; 2]));
        assert_eq!(loops(&plan), 1, "{plan}");
    }
    // Rows are compared first; a slice that begins at an earlier row but a later column is behind.
    let op = |starts: [[usize; 2]; 3]| ScatterSlices {
        shape: [30, 80].into(),
        starts: starts.map(|start| start.to_vec()).into(),
        strides: vec![vec![1, 1]; 3],
    };
    let in_rows = |starts| checked(&joined(op(starts), DType::F64, &vec![vec![20, 70]; 3]));
    assert_eq!(loops(&in_rows([[3, 0], [2, 9], [2, 1]])), 1);
    assert_eq!(loops(&in_rows([[2, 9], [3, 0], [0, 0]])), 2);
    // With different strides, or in another shape, the order of positions is not fixed.
    assert_eq!(loops(&checked(&joined(scatter(n, &[100, 0], &[2, 3]), DType::F64, &vec![vec![300]; 2]))), 2);
    assert_eq!(loops(&checked(&joined(scatter(n, &[3, 0], &[1, 1]), DType::F64, &[vec![900], vec![901]]))), 2);
}

#[test]
fn parts_of_every_dtype_are_scattered_with_any_stride() {
    for dtype in DType::ALL {
        for n in [17, 100, 1026] {
            for (low, high, interior) in [(0, 0, 0), (1, 0, 0), (0, 37, 0), (3, 5, 0), (0, 0, 1), (2, 1, 4)] {
                let op = Pad { low: vec![low], high: vec![high], interior: vec![interior] };
                assert_eq!(loops(&checked(&padded(op, dtype, &[n]))), 1);
            }
        }
        let rows = |low: [i64; 2], high: [i64; 2], interior: [usize; 2]| {
            let op = Pad { low: low.into(), high: high.into(), interior: interior.into() };
            checked(&padded(op, dtype, &[21, 67]))
        };
        assert_eq!(loops(&rows([2, 0], [1, 0], [0, 0])), 1);
        assert_eq!(loops(&rows([0, 2], [0, 3], [0, 0])), 1);
        assert_eq!(loops(&rows([2, 2], [1, 3], [2, 1])), 1);
        // Some elements are cropped.
        assert_eq!(rows([2, -2], [1, 3], [2, 1]).kernels.last().unwrap().kind, KernelKind::Library);
        if dtype != DType::Bool {
            assert_eq!(loops(&checked(&joined(scatter(1200, &[1, 0], &[2, 2]), dtype, &vec![vec![600]; 2]))), 1);
            assert_eq!(loops(&checked(&joined(scatter(1200, &[3, 1], &[2, 2]), dtype, &vec![vec![500]; 2]))), 1);
        }
    }
}

#[test]
fn loops_write_their_parts_of_joined_arrays() {
    // Each loop writes its part of the output, and nothing else is written.
    let graph = trace(|x: Var, y: Var| Var::concatenate(&[x.exp(), y * y], 0), (f64s(&[600]), f64s(&[700]))).unwrap();
    let plan = checked(&graph);
    assert_eq!(loops(&plan), 2, "{plan}");
    let written: Vec<u64> = plan.kernels.iter().map(|kernel| kernel.written_bytes).collect();
    assert_eq!(written, [8 * 600, 8 * 700], "{plan}");
    assert!(plan.to_string().contains("= concatenate %0 %1 axis=0, of it %1"), "{plan}");
    // Also as columns of a matrix, although these are reshaped first, and flattened.
    let stacked = |axis: usize| move |x: Var| Var::stack(&[x.exp(), x * x, x.sin()], axis);
    for axis in [0, 1] {
        let plan = checked(&trace(stacked(axis), (f64s(&[1000]),)).unwrap());
        assert_eq!(loops(&plan), 1, "{plan}");
        assert_eq!((plan.kernels[0].written_bytes, plan.kernels[0].read_bytes), (24_000, 8000), "{plan}");
    }
    let flat = |x: Var, y: Var| Var::concatenate(&[(x * x).reshape(&[600]), (y * y).reshape(&[80])], 0);
    let plan = checked(&trace(flat, (f64s(&[20, 30]), f64s(&[80, 1]))).unwrap());
    assert_eq!(plan.kernels[0].kind, KernelKind::Loop { shape: [20, 30].into() }, "{plan}");
    assert_eq!((loops(&plan), plan.arena_bytes), (2, 0), "{plan}");
    // Operands of views are read without a copy.
    let renamed = |x: Var| Var::concatenate(&[x.reverse(&[0]), x.slice_axis(0, 3, 503, 2), (x * x).reverse(&[0])], 0);
    assert_eq!(loops(&checked(&trace(renamed, (f64s(&[520]),)).unwrap())), 3);
}

#[test]
fn parts_without_elements_are_ignored() {
    let join = |shapes: &[Vec<usize>]| checked(&joined(Concatenate { axis: 0 }, DType::F64, shapes));
    assert_eq!(join(&[vec![0], vec![600], vec![0]]).kernels.last().unwrap().summary(), "add, concatenate");
    join(&[vec![0, 600], vec![0, 600]]);
    let scatter = |n: usize| checked(&joined(scatter(600, &[600, 2], &[1, 1]), DType::F64, &[vec![0], vec![n]]));
    for n in [0, 17, 300] {
        assert_eq!(scatter(n).kernels.last().unwrap().kind == KernelKind::Library, n == 0);
    }
    checked(&padded(Pad { low: vec![300], high: vec![300], interior: vec![0] }, DType::F64, &[0]));
    checked(&padded(Pad { low: vec![0, 300], high: vec![0, 0], interior: vec![0, 0] }, DType::F64, &[0, 5]));
}

/// A result whose parts come from several kernels is live from the first of them on.
#[test]
fn parts_are_written_after_their_operands() {
    let mut graph = Graph::new("late");
    let x = graph.add_input("x", f64s(&[1000])).unwrap();
    let x = doubled(&mut graph, x);
    let sum = graph.add(ReduceSum { axes: vec![0] }.into(), &[x], Default::default()).unwrap().into();
    let all = BroadcastInDim { shape: [1000].into(), axes: vec![] };
    let all = graph.add(all.into(), &[sum], Default::default()).unwrap().into();
    let late = graph.add(Add.into(), &[x, all], Default::default()).unwrap().into();
    let node = graph.add(scatter(1100, &[7, 0], &[1, 1]).into(), &[x, late], Default::default()).unwrap();
    graph.add_output("y", node.into()).unwrap();
    let plan = checked(&graph);
    let [first, second] = &plan.kernels[..] else { panic!("{plan}") };
    // The first fills the rest of the result; the second reads what it adds to.
    assert_eq!((first.read_bytes, first.written_bytes), (8000, 8000 + 8 + 8800), "{plan}");
    assert_eq!((second.read_bytes, second.written_bytes), (8 + 8000 + 8000, 8000), "{plan}");
    assert_eq!(reads(second).last().unwrap(), "%4: output y", "{plan}");
    assert_eq!(first.cost.unwrap().flops() + second.cost.unwrap().flops(), plan.cost().unwrap().flops());
}

/// Memory is reused while results are assembled.
#[test]
fn parts_do_not_overlap_live_memory() {
    let n = 700;
    let step = move |x: Var, k: usize| {
        let (head, tail) = (x.slice_axis(0, 0, n - 1, 1), x.slice_axis(0, 1, n, 1));
        let up = (head * tail).pad(0.5, &[1], &[0], &[0]);
        let down = (tail - head).sin().pad(up.sum() * 1e-3, &[0], &[1], &[0]);
        let halves = [(up * down).slice_axis(0, k, n / 2 + k, 1), down.slice_axis(0, 0, n - n / 2, 1)];
        Var::concatenate(&halves, 0) + up * 0.25
    };
    let chain = move |x: Var| (0..6).fold(x, step);
    for graph in [
        trace(chain, (f64s(&[n]),)).unwrap(),
        trace(move |x: Var| chain(x).sum(), (f64s(&[n]),)).unwrap(),
        trace(move |x: Var| fori_loop(4, x, move |_, x| step(x, 3)), (f64s(&[n]),)).unwrap(),
        trace(move |x: Var| fori_loop(4, x, move |_, x| step(x, 3)).sum(), (f64s(&[n]),)).unwrap(),
    ] {
        checked(&graph);
        checked(&optimize::optimize(&graph).unwrap());
        if graph.ty(graph.outputs()[0].value).rank() == 0 {
            checked(&optimize::optimize(&gradient(&graph)).unwrap());
        }
    }
    // One result as two outputs: it is written to one, and copied to the other.
    let twice = |x: Var| {
        let y = (x * x).pad(1.0, &[2], &[3], &[0]);
        (y, y, y.sum())
    };
    let plan = checked(&trace(twice, (f64s(&[n]),)).unwrap());
    assert_eq!(locations(&plan.kernels[0])[1], "output out.0", "{plan}");
}

#[test]
fn the_plan_shows_tiles_and_the_arena() {
    let f = |x: Var| {
        let y = x.exp() + x.sin();
        y / y.sum()
    };
    let graph = trace(f, (f64s(&[2000]),)).unwrap();
    let inspection = Program::inspect(&graph).unwrap();
    let plan = &inspection.plan;
    let [first, second] = &plan.kernels[..] else { panic!("{plan}") };
    // The functions use tiles; their sum is needed again after all of its elements are computed.
    assert_eq!(locations(first)[..3], ["tile 0", "tile 1", "arena + 0"], "{plan}");
    assert_eq!(first.cost.unwrap(), Cost { f64_flops: 2000 + 1999, calls: 4000, ..Cost::default() });
    assert_eq!(first.scratch_bytes, 2 * 512 * 8);
    assert_eq!(reads(second)[0], "%2: arena + 0", "{plan}");
    assert_eq!(locations(second), ["output out"]);
    assert_eq!(plan.memory_bytes().next_multiple_of(64), inspection.program.memory_bytes());
    assert!(plan.arena_bytes >= 16_000 + first.scratch_bytes);
}

#[test]
fn views_are_read_without_copies() {
    let f = |x: Var| (x.slice_axis(0, 0, 10, 1) * x.slice_axis(0, 5, 15, 1)).reshape(&[2, 5]).sum();
    let graph = trace(f, (f64s(&[100]),)).unwrap();
    let plan = plan(&graph);
    // Two overlapping slices are two rows to read; nothing outside of them is read.
    assert_eq!(plan.kernels[0].read_bytes, 8 * 20, "{plan}");
    assert_eq!(reads(&plan.kernels[0]), ["%x: input x"]);
}

/// Rows are done in bands, and these in chunks, where only neighbors in different rows share lines of cache.
#[test]
fn transposed_operands_are_read_in_bands() {
    for dtype in [DType::F64, DType::F32, DType::I64] {
        for (m, n) in [(1, 300), (2, 257), (7, 300), (8, 512), (9, 514), (17, 257), (33, 1000), (300, 300)] {
            let [x, y] = [[n, m], [m, n]].map(|shape| Type::new(dtype, shape));
            let transposed = |x: Var| x.transpose(&[1, 0]);
            checked(&trace(|x: Var| -transposed(x), (x.clone(),)).unwrap());
            let sum = |x: Var, y: Var| transposed(x) * 3.0 + y + y.slice_axis(0, 0, 1, 1);
            let sum_of_integers = |x: Var, y: Var| transposed(x) + y + y.slice_axis(0, 0, 1, 1);
            let types = (x.clone(), y.clone());
            let graph = if dtype.is_float() { trace(sum, types) } else { trace(sum_of_integers, types) };
            checked(&graph.unwrap());
            if dtype.is_float() {
                // What is read in two ways is not replaced by what is made of it.
                checked(&trace(|x: Var| transposed(x.exp()) * transposed(x), (x.clone(),)).unwrap());
            }
        }
        let batch = Type::new(dtype, [3, 270, 5]);
        checked(&trace(|x: Var| -x.transpose(&[0, 2, 1]), (batch.clone(),)).unwrap());
        checked(&trace(|x: Var| -x.transpose(&[2, 0, 1]), (batch,)).unwrap());
        let square = Type::new(dtype, [260, 260]);
        let symmetric = |x: Var| {
            let x = x + x;
            x + x.transpose(&[1, 0])
        };
        checked(&trace(symmetric, (square,)).unwrap());
    }
}

#[test]
fn products_are_calls_of_a_library() {
    let graph = trace(|x: Var, y: Var| x.dot(y), (f64s(&[40, 30]), f64s(&[30, 50]))).unwrap();
    let plan = plan(&graph);
    let [kernel] = &plan.kernels[..] else { panic!("{plan}") };
    assert_eq!((&kernel.kind, kernel.summary().as_str()), (&KernelKind::Library, "dot_general"));
    assert_eq!(kernel.cost.unwrap().flops(), 2 * 40 * 30 * 50);
    assert_eq!((kernel.read_bytes, kernel.written_bytes), (8 * (1200 + 1500), 8 * 2000));
    assert!(kernel.functions.is_empty() && kernel.code_bytes == 0);
    assert_eq!(kernel.intensity(), Some(120_000.0 / 37_600.0));
}

#[test]
fn regions_are_counted_as_often_as_they_run() {
    let scalar = (DType::F64,);
    let cost = |graph: &Graph| plan(graph).cost();
    let repeated = trace(|x: Var| fori_loop(7, x, |_, x| x * x + 1.0), scalar).unwrap();
    assert_eq!(cost(&repeated).unwrap().flops(), 14);
    let region = &plan(&repeated).kernels[0].regions[0];
    assert_eq!((region.iterations, region.kernels[0].summary().as_str()), (Iterations::Known(7), "add, constant, mul"));
    // Of two branches, the more expensive one counts.
    let branched = trace(|x: Var| cond(x.greater(0.0), || x * x + x, || x + x), scalar).unwrap();
    assert_eq!(cost(&branched).unwrap().flops(), 2);
    assert_eq!(plan(&branched).kernels.iter().flat_map(|kernel| &kernel.regions).count(), 2);
    // The number of iterations is unknown.
    let endless = trace(|x: Var| while_loop(x, |x: Var| x.less(10.0), |x: Var| x * 2.0), scalar).unwrap();
    assert_eq!(cost(&endless), None);
    assert!(plan(&endless).to_string().contains("depends on the number of iterations"));
    // With a schedule, states are recomputed: three iterations from one state recompute two and one.
    let looped = Loop::new().checkpoint(Schedule::Binomial(1));
    let scheduled = trace(move |x: Var| looped.fori_loop(3, x, |_, x| x.sin()), scalar).unwrap();
    let scheduled = plan(&optimize::optimize(&gradient(&scheduled)).unwrap());
    let regions = scheduled.kernels.iter().flat_map(|kernel| &kernel.regions);
    let back: Vec<Iterations> = regions.map(|region| region.iterations).collect();
    assert!(back.ends_with(&[Iterations::Known(3), Iterations::Known(3)]), "{back:?}");
}

/// Large regions have their own kernels, which the plan lists under their operation.
#[test]
fn kernels_of_regions_are_nested() {
    let graph = trace(|x: Var| fori_loop(5, x, |_, x| (x * 0.5).sin()), (f64s(&[1000]),)).unwrap();
    let plan = plan(&graph);
    let [kernel] = &plan.kernels[..] else { panic!("{plan}") };
    assert_eq!(kernel.kind, KernelKind::Control);
    let [region] = &kernel.regions[..] else { panic!("{plan}") };
    let [inner] = &region.kernels[..] else { panic!("{plan}") };
    assert_eq!(inner.kind, KernelKind::Loop { shape: [1000].into() });
    assert_eq!(kernel.cost.unwrap(), inner.cost.unwrap().times(5));
    assert_eq!(kernel.cost.unwrap(), Cost { f64_flops: 5000, calls: 5000, ..Cost::default() });
    assert!(inner.code_bytes > 0 && kernel.code_bytes > inner.code_bytes);
    // Both copies of the carry, and the working memory of an iteration.
    assert!(kernel.scratch_bytes >= 16_000 && plan.arena_bytes >= kernel.scratch_bytes);
}

/// The plan is complete: each operation that computes something is in a kernel, and the total arithmetic is that of the
/// operations.
#[test]
fn every_operation_of_every_example_is_in_a_kernel() {
    for (name, graph, _) in examples() {
        for graph in [optimize::optimize(&graph).unwrap(), gradient(&graph)] {
            let inspection = Program::inspect(&graph).unwrap();
            let text = inspection.plan.to_string();
            let graph = optimize::compiled_form(&graph).unwrap();
            let (n_lines, cost) = computed(&graph, &text);
            assert!(n_lines > 0, "{name}");
            if let Some(cost) = cost {
                assert_eq!(inspection.plan.cost(), Some(cost), "{name}: {text}");
            }
            let code: usize = inspection.plan.kernels.iter().map(|kernel| kernel.code_bytes).sum();
            assert!(0 < code && code <= inspection.plan.code_bytes, "{name}: {text}");
        }
    }
}

/// Checks that the plan contains the lines of a graph; returns their number and, without regions, their cost.
fn computed(graph: &Graph, plan: &str) -> (usize, Option<Cost>) {
    let (mut n_lines, mut cost) = (0, Some(Cost::default()));
    let mut needed: Vec<bool> = vec![false; graph.n_nodes()];
    let roots = graph.outputs().iter().map(|output| output.value);
    roots.chain(graph.guards().iter().map(|guard| guard.value)).for_each(|x| needed[x.node.index()] = true);
    for id in graph.ids().rev().filter(|id| graph.node(*id).op().is_some()) {
        if !needed[id.index()] {
            continue;
        }
        graph.operands(id).iter().for_each(|x| needed[x.node.index()] = true);
        let node = graph.node(id);
        let op = node.op().unwrap();
        match op.lower() {
            Lowering::Constant(_) | Lowering::View(_) => continue,
            _ => {}
        }
        let line = graph.line(id);
        assert!(plan.contains(&line), "{line} is missing:\n{plan}");
        n_lines += 1;
        let operands: Vec<&Type> = graph.operands(id).into_iter().map(|x| graph.ty(x)).collect();
        cost = cost.map(|cost| cost.plus(op.cost(&operands, node.types())));
        for region in node.regions() {
            n_lines += computed(region, plan).0;
            cost = None;
        }
    }
    (n_lines, cost)
}

#[test]
fn timed_kernels_compute_the_results_of_a_call() {
    for (name, graph, inputs) in examples() {
        let inspection = Program::inspect(&optimize::optimize(&gradient(&graph)).unwrap()).unwrap();
        let x: Vec<ArrayRef<'_>> = inputs.iter().map(Array::view).collect();
        let mut outputs: Vec<Array> = inspection.program.outputs().iter().map(|(_, ty)| Array::zeros(ty)).collect();
        let mut y: Vec<ArrayMut<'_>> = outputs.iter_mut().map(Array::view_mut).collect();
        let times = inspection.time_kernels(&x, &mut y).unwrap();
        assert_eq!(times.len(), inspection.plan.kernels.len(), "{name}");
        drop(y);
        assert_eq!(outputs, inspection.program.call(&inputs).unwrap(), "{name}");
    }
}

#[test]
fn a_missed_guard_ends_a_timed_call() {
    let graph = retrograd::jit(|x: Var| if x > 1.0 { x * 2.0 } else { x }).graph(2.0).unwrap();
    let inspection = Program::inspect(&graph).unwrap();
    let (x, mut y) = (Array::scalar(0.5), Array::scalar(0.0));
    let error = inspection.time_kernels(&[x.view()], &mut [y.view_mut()]).unwrap_err();
    assert_eq!(error, inspection.program.call(&[x]).unwrap_err());
    let short = Array::full(&f64s(&[1]), Scalar::F64(0.0));
    assert!(inspection.time_kernels(&[short.view()], &mut [y.view_mut()]).is_err());
}

/// The routines that compiled code calls, for consecutive elements or single ones.
fn routines(graph: &Graph) -> Vec<String> {
    let functions = Program::inspect(graph).unwrap().functions;
    let lines = functions.iter().flat_map(|function| function.clif.lines());
    let calls = lines.filter_map(|line| line.split_once(" (f64)")?.0.rsplit_once(" is "));
    let mut calls: Vec<String> = calls.map(|(_, name)| name.replace(" of consecutive elements", "")).collect();
    calls.sort_unstable();
    calls
}

/// One routine computes both, for rows of a loop and for scalars of straight-line code.
#[test]
fn sine_and_cosine_of_one_argument_are_one_call() {
    let rows = trace(|x: Var| (x * 2.0).sin() * x.cos() + (x * 2.0).cos(), (f64s(&[1000]),)).unwrap();
    let numbers = |x: [Var; 3]| x.map(|x| (x.cos() * 3.0 + x.sin(), x.sin() - x));
    let numbers = trace(numbers, ([DType::F64; 3],)).unwrap();
    // The loop has one more cosine, of another argument.
    for (graph, expected) in [(rows, ["cos", "sin and cos"].as_slice()), (numbers, &["sin and cos"])] {
        let graph = optimize::optimize(&graph).unwrap();
        checked(&graph);
        assert_eq!(routines(&graph), expected);
    }
}

/// A derivative is far after its function in the schedule, separated by more than fits into a kernel.
#[test]
fn a_function_and_its_derivative_are_one_call() {
    let far = |f: fn(Var) -> Var, x: Var| (0..30).fold(f(x), |y, _| (y * x).abs() + 1.0).sum();
    let long = gradient(&trace(|x: Var| far(Var::tanh, x), (f64s(&[1000]),)).unwrap());
    assert!(loops(&plan(&long)) > 1);
    let small = gradient(&trace(|x: Var| far(Var::sigmoid, x), (f64s(&[12]),)).unwrap());
    let in_a_scan = |h: Var, x: Var| {
        let cell = |h: Var, x: Var| ((h * x).tanh(), h.sigmoid().sum());
        scan(h, x, cell).1.sum()
    };
    let number = gradient(&trace(|x: Var| far(Var::tanh, x), (f64s(&[]),)).unwrap());
    let in_a_scan = |n: usize| gradient(&trace(in_a_scan, (f64s(&[n]), f64s(&[5, n]))).unwrap());
    let in_a_map = trace(|x: Var| map(x, |x: Var| x.sin() * x + x.cos()), (f64s(&[100]),)).unwrap();
    let both = ["logistic and logistic_derivative", "tanh and tanh_derivative"].as_slice();
    let cases = [
        (long, &both[1..]),
        (small, &both[..1]),
        (number, &both[1..]),
        (in_a_scan(100), both),
        // These keep their values in registers.
        (in_a_scan(3), both),
        (in_a_scan(1), both),
        (in_a_map, &["sin and cos"]),
    ];
    for (graph, expected) in cases {
        let graph = optimize::optimize(&graph).unwrap();
        checked(&graph);
        assert_eq!(routines(&graph), expected);
    }
}

/// An elementwise result reuses the memory of its operand, unless the operand is read later.
#[test]
fn the_last_use_of_an_array_frees_its_memory() {
    let matrix = f64s(&[40, 40]);
    let compile = |f: fn(Var, Var) -> Var| {
        let graph = optimize::optimize(&trace(f, (matrix.clone(), matrix.clone())).unwrap()).unwrap();
        checked(&graph)
    };
    let bytes = 40 * 40 * 8;
    assert_eq!(compile(|x, y| x.matmul(y).tanh().matmul(y)).arena_bytes, bytes);
    // Including a tile for the square.
    assert!(compile(|x, y| x.matmul(y).square().sin().matmul(y)).arena_bytes < 2 * bytes);
    let product_used_twice = |x: Var, y: Var| {
        let product = x.matmul(y);
        (product.tanh() * y).matmul(product)
    };
    assert!((2 * bytes..3 * bytes).contains(&compile(product_used_twice).arena_bytes));
    // The sum over rows reads the product at other indices than the quotient does.
    let normalized = |x: Var, y: Var| {
        let product = x.matmul(y);
        (product / product.sum_axes(&[0])).matmul(y)
    };
    compile(normalized);
}

/// How often code branches, which each loop does once.
fn n_branches(graph: &Graph) -> usize {
    let functions = Program::inspect(graph).unwrap().functions;
    functions.iter().flat_map(|function| function.clif.lines()).filter(|line| line.contains("brif ")).count()
}

/// Around each row there is one loop. Within it, long rows take one, and one more for what is left after it.
#[test]
fn short_rows_take_no_loop_of_their_own() {
    let scaled = |n: usize, m: usize| {
        let scaled = |x: Var, y: Var| x.insert_axis(1).broadcast_to(&[n, m]) * y;
        trace(scaled, (f64s(&[n]), f64s(&[n, m]))).unwrap()
    };
    let sums = |n: usize, m: usize| trace(|x: Var| x.sum_axes(&[1]), (f64s(&[n, m]),)).unwrap();
    for m in [2, 7, 8, 20, 31] {
        assert_eq!(n_branches(&scaled(40, m)), 1, "{m} columns");
    }
    for m in [10, 20, 31] {
        assert_eq!(n_branches(&sums(32, m)), 1, "{m} columns");
    }
    assert_eq!(n_branches(&scaled(40, 207)), 3);
    assert_eq!(n_branches(&sums(32, 207)), 2);
    // Few rows are not worth more code.
    assert_eq!(n_branches(&scaled(5, 20)), 3);
    // So many operations at each element are a loop of few rather than many without one.
    let long = |x: Var, y: Var| (0..20).fold(x.insert_axis(1).broadcast_to(&[40, 20]), |z, _| z * y + 1.0);
    assert!(n_branches(&trace(long, (f64s(&[40]), f64s(&[40, 20]))).unwrap()) > 1);
}

#[test]
fn rows_of_every_length_have_the_same_bits() {
    for m in 1..=70 {
        for (n, dtype) in [(40, DType::F64), (40, DType::F32), (5, DType::F64)] {
            let rows = |shape: &[usize]| Type::new(dtype, shape);
            let each = |x: Var, y: Var, k: Var| {
                let z = x.insert_axis(1).broadcast_to(&[n, m]) * y;
                let wide = (z + y.reverse(&[1])).square() - z;
                // Other lanes, and none; sums and largest elements of rows; functions of tiles.
                let mixed = z.greater(y).select(z, y) + k.convert(dtype);
                (wide, mixed, wide.sum_axes(&[1]), mixed.max_axes(&[1]), (z * 0.1).tanh() + z, wide.sum_axes(&[0]))
            };
            let index = Type::new(DType::I64, [n, m]);
            checked(&trace(each, (rows(&[n]), rows(&[n, m]), index)).unwrap());
        }
    }
}
