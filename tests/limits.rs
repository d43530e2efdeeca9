//! Graphs that require too much are typed errors, before the memory is allocated and before much time is spent.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use retrograd::error::{LimitError, MemoryError};
use retrograd::ir::{Limits, Operation, Provenance, Value};
use retrograd::op::{
    BroadcastInDim, Cond, Exp, Iota, Op, Pad, ReduceSum, Reshape, Revolve, Scan, Schedule, Sin, Slice, While,
};
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Error, Graph, Loop, Program, Var, differentiate, fori_loop, hessian, interpret, optimize, trace};
use retrograd::{jit, scan};

/// Counts the bytes that each thread holds, and their peak.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(address: *mut u8, bytes: usize) -> *mut u8 {
    if !address.is_null() {
        let held = HELD.get() + bytes.cast_signed();
        HELD.set(held);
        PEAK.set(PEAK.get().max(held));
    }
    address
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by this function's contract.
        count(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by this function's contract.
        count(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size().cast_signed());
        // SAFETY: by this function's contract.
        unsafe { System.dealloc(address, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The result of a function, and the peak of additional memory of this thread during the call.
fn peak_of<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = f();
    (result, (PEAK.get() - before).unsigned_abs())
}

const MIB: usize = 1 << 20;

fn array(shape: &[usize]) -> Type {
    Type::new(DType::F64, shape)
}

fn add(graph: &mut Graph, op: impl Into<Op>, x: &[Value]) -> Value {
    graph.add(op.into(), x, Provenance::default()).unwrap().into()
}

/// `x` broadcast to a shape.
fn everywhere(graph: &mut Graph, x: Value, shape: &[usize]) -> Value {
    add(graph, BroadcastInDim { shape: shape.into(), axes: vec![] }, &[x])
}

fn sum(graph: &mut Graph, x: Value) -> Value {
    let axes = (0..graph.ty(x).rank()).collect();
    add(graph, ReduceSum { axes }, &[x])
}

fn limit_of<T>(outcome: Result<T, Error>) -> LimitError {
    match outcome {
        Err(Error::Limit(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("no error"),
    }
}

/// The error of compilation, checked to come quickly and without large allocations.
fn refused(graph: &Graph) -> LimitError {
    let (outcome, peak) = peak_of(|| Program::compile(graph).map(drop));
    assert!(peak < MIB, "{peak} bytes");
    limit_of(outcome)
}

#[test]
fn states_of_an_endless_loop_are_refused() {
    let file = include_str!("data/revolve_huge.json");
    let graph: Graph = Graph::from_json(file, &Limits::default()).unwrap();
    assert_eq!(refused(&graph).what, "iterations of a loop");
    assert_eq!(limit_of(interpret::run(&graph, &[Array::scalar(0.5)])).what, "iterations of a loop");
}

/// A reverse loop without a forward loop before it.
fn revolve(length: usize, schedule: Schedule) -> Graph {
    let advance = trace(|_: Var, y: Var| y.sin(), (DType::I64, DType::F64)).unwrap();
    let reverse = trace(|_: Var, ct: Var, y: Var| ct * y.cos(), (DType::I64, DType::F64, DType::F64)).unwrap();
    let mut graph = Graph::new("f");
    let [ct, y] = ["ct", "y"].map(|name| graph.add_input(name, Type::scalar(DType::F64)).unwrap());
    let op = Revolve { cts: 1, carry: 1, xs: 0, length, reverse: false, schedule };
    let regions = [advance, reverse].map(Arc::new).into();
    let result = graph.add_with_regions(op.into(), &[ct, y], regions, Provenance::default()).unwrap();
    graph.add_output("ct", result.into()).unwrap();
    graph
}

#[test]
fn states_that_no_memory_holds_are_refused_before_anything_runs() {
    let most = i64::MAX as usize;
    for (length, snapshots) in [(most, most), (most, usize::MAX), (1 << 61, 1 << 60), (1 << 40, 1 << 30)] {
        let program = Program::compile(&revolve(length, Schedule::Binomial(snapshots))).unwrap();
        let (outcome, peak) = peak_of(|| program.call(&[1.0, 0.5].map(Array::scalar)));
        assert_eq!(limit_of(outcome).what, "bytes that loops save for the reverse mode", "{length}, {snapshots}");
        assert!(peak < MIB, "{peak} bytes");
    }
    // The limit counts all memory: four states of 8 bytes with their indices, two of them to advance through.
    let graph = revolve(100, Schedule::Binomial(2));
    let inputs = [1.0, 0.5].map(Array::scalar);
    assert!(Program::compile(&graph).unwrap().with_loop_memory(64).call(&inputs).is_ok());
    limit_of(Program::compile(&graph).unwrap().with_loop_memory(63).call(&inputs));
}

#[test]
fn loops_of_more_iterations_than_an_index_counts_are_refused() {
    let body = trace(|_: Var, y: Var| y.sin(), (DType::I64, DType::F64)).unwrap();
    let mut graph = Graph::new("f");
    let y = graph.add_input("y", Type::scalar(DType::F64)).unwrap();
    let op = Scan { carry: 1, xs: 0, length: Some(1 << 63), reverse: false, checkpoint: None };
    let result = graph.add_with_regions(op.into(), &[y], [Arc::new(body)].into(), Provenance::default()).unwrap();
    graph.add_output("y", result.into()).unwrap();
    assert_eq!(refused(&graph).got, Some(1 << 63));
    assert_eq!(limit_of(interpret::run(&graph, &[Array::scalar(0.5)])).got, Some(1 << 63));
}

#[test]
fn a_limit_of_iterations_beyond_any_loop_has_no_effect() {
    for limit in [u64::MAX, 1 << 63, i64::MAX as u64] {
        let f = move |x: Var| Loop::new().max_trips(limit).while_loop(x, |y| y.less(10.0), |y| y * 2.0);
        let graph = trace(f, (DType::F64,)).unwrap();
        let x = [Array::scalar(1.0)];
        assert_eq!(Program::compile(&graph).unwrap().call(&x), Ok(vec![Array::scalar(16.0)]));
        assert_eq!(interpret::run(&graph, &x), Ok(vec![Array::scalar(16.0)]));
    }
}

#[test]
fn a_large_carry_is_refused_where_memory_is_limited() {
    let file = include_str!("data/while_large_carry.json");
    let graph: Graph = Graph::from_json(file, &Limits::default()).unwrap();
    let program = Program::compile(&graph).unwrap();
    assert!(program.memory_bytes() > 3 << 30);
    let (outcome, peak) = peak_of(|| program.with_memory_limit(3 << 30).map(drop).map_err(Error::from));
    assert_eq!(limit_of(outcome).what, "bytes of memory for a run");
    let (outcome, interpreted) = peak_of(|| interpret::run_within(&graph, &[Array::scalar(0.5)], 1 << 29));
    assert_eq!(limit_of(outcome).what, "bytes of memory for a run");
    assert!(peak.max(interpreted) < MIB, "{peak} and {interpreted} bytes");
}

/// A `while` with a carry of `n` arrays of `size` elements.
fn carries(n: usize, size: usize) -> Graph {
    let mut condition = Graph::new("condition");
    let mut body = Graph::new("body");
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
    let start = everywhere(&mut graph, x, &[size]);
    for (region, prefix) in [(&mut condition, "c"), (&mut body, "b")] {
        for k in 0..n {
            region.add_input(format!("{prefix}{k}"), array(&[size])).unwrap();
        }
    }
    let first: Value = condition.inputs()[0].node.into();
    let slice = Slice { start: vec![0], limit: vec![1], stride: vec![1] };
    let first = add(&mut condition, slice.clone(), &[first]);
    let first = add(&mut condition, Reshape { shape: [].into() }, &[first]);
    let ten = add(&mut condition, Op::from_constant(Array::scalar(10.0)), &[]);
    let holds = add(&mut condition, retrograd::op::Lt, &[first, ten]);
    condition.add_output("holds", holds).unwrap();
    for k in 0..n {
        let x: Value = body.inputs()[k].node.into();
        let next = add(&mut body, Exp, &[x]);
        body.add_output(format!("next{k}"), next).unwrap();
    }
    let op = While { carry: n, max_trips: Some(1) };
    let regions = [condition, body].map(Arc::new).into();
    let node = graph.add_with_regions(op.into(), &vec![start; n], regions, Provenance::default()).unwrap();
    let first = add(&mut graph, slice, &[node.into()]);
    graph.add_output("y", first).unwrap();
    graph
}

#[test]
fn carries_of_any_size_are_planned_or_refused() {
    // Together more than 2³¹, 2³², 2⁴⁶ bytes: planned, and rejected by a limit at run time.
    for (n, size) in [(3, 1 << 27), (5, 1 << 27), (40, 1 << 24), (2, 1 << 41)] {
        let program = Program::compile(&carries(n, size)).unwrap();
        assert!(program.memory_bytes() >= 16 * n * size, "{n} arrays of {size}");
        assert!(program.with_memory_limit(1 << 30).is_err());
    }
    // More than 2⁴⁷ and 2⁶³ bytes.
    for (n, size) in [(2, 1 << 44), (17, 1 << 40), (3, 1 << 59), (300, 1 << 56)] {
        assert!(refused(&carries(n, size)).what.starts_with("bytes"), "{n} arrays of {size}");
    }
    // A carry that is within all limits, but its two copies are not.
    assert_eq!(refused(&carries(3, 1 << 42)).what, "bytes of working memory of a program");
}

#[test]
fn working_memory_beyond_what_a_process_addresses_is_refused() {
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
    // Two sums in different orders read each array, so that all of them are in memory.
    let mut sums = Vec::new();
    for k in 0..40 {
        let wide = everywhere(&mut graph, x, &[1 << 20, 1 << (21 + k % 2)]);
        let y = if k % 3 == 0 { add(&mut graph, Sin, &[wide]) } else { add(&mut graph, Exp, &[wide]) };
        let y = add(&mut graph, Op::from(retrograd::op::CumSum { axis: 0, reverse: false }), &[y]);
        sums.push(y);
    }
    for (k, y) in sums.into_iter().enumerate() {
        graph.add_output(format!("y{k}"), y).unwrap();
        let total = sum(&mut graph, y);
        graph.add_output(format!("total{k}"), total).unwrap();
    }
    let outcome = Program::compile(&graph).map(|program| program.with_memory_limit(1 << 40).map(drop));
    assert!(!matches!(outcome, Ok(Ok(()))), "hundreds of TiB");
}

#[test]
fn large_extents_are_compiled_or_refused() {
    // Values that need no memory may be large; the program is not run here.
    for extent in [(1 << 31) - 1, 1 << 31, (1 << 31) + 1, 1 << 32, (1 << 32) + 1, 1 << 40] {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
        let wide = everywhere(&mut graph, x, &[extent]);
        let total = sum(&mut graph, wide);
        graph.add_output("total", total).unwrap();
        let slice = Slice { start: vec![extent - 3], limit: vec![extent], stride: vec![2] };
        let end = add(&mut graph, slice, &[wide]);
        graph.add_output("end", end).unwrap();
        let mut ends = Graph::new("ends");
        let x = ends.add_input("x", Type::scalar(DType::F64)).unwrap();
        let wide = everywhere(&mut ends, x, &[extent]);
        let far = Slice { start: vec![1], limit: vec![extent], stride: vec![extent - 2] };
        let far = add(&mut ends, far, &[wide]);
        ends.add_output("ends", far).unwrap();
        assert_eq!(ends.ty(far).size(), 2);
        let x = [Array::scalar(2.5)];
        let expected = Ok(vec![Array::full(&array(&[2]), Scalar::F64(2.5))]);
        assert_eq!(Program::compile(&ends).unwrap().call(&x), expected, "{extent}");
        Program::compile(&graph).unwrap();
    }
    for (low, high, interior) in [(1 << 40, 0, 0), (0, 1 << 46, 0), (0, 0, 1 << 45), (1 << 62, 0, 0)] {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", array(&[3])).unwrap();
        let zero = add(&mut graph, Op::from_constant(Array::scalar(0.0)), &[]);
        let pad = Pad { low: vec![low], high: vec![high], interior: vec![interior] };
        let Ok(padded) = graph.add(pad.into(), &[x, zero], Provenance::default()) else { continue };
        graph.add_output("y", padded.into()).unwrap();
        let outcome =
            Program::compile(&graph).and_then(|program| Ok(program.with_memory_limit(1 << 30)?.name().to_string()));
        limit_of(outcome);
    }
}

#[test]
fn results_that_the_system_has_no_memory_for_are_an_error() {
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
    let wide = everywhere(&mut graph, x, &[1 << 43]);
    for name in ["y", "z", "w"] {
        let y = add(&mut graph, Exp, &[wide]);
        graph.add_output(name, y).unwrap();
    }
    let outcome = Program::compile(&graph).unwrap().call(&[Array::scalar(0.5)]);
    let what = "f64[8796093022208]".to_string();
    assert_eq!(outcome, Err(Error::Memory(MemoryError { what, bytes: 1 << 46 })));
    assert_eq!(limit_of(interpret::run(&graph, &[Array::scalar(0.5)])).what, "bytes of memory for a run");
    assert!(matches!(interpret::run_within(&graph, &[Array::scalar(0.5)], u64::MAX), Err(Error::Memory(_))));

    let f = jit(|x: Var| (x, x.broadcast_to(&[1 << 43])));
    let outcome = f.call::<(f64, Vec<f64>)>(0.5);
    assert_eq!(outcome, Err(Error::Memory(MemoryError { what: "f64[8796093022208]".to_string(), bytes: 1 << 46 })));
}

#[test]
fn saving_that_the_system_has_no_memory_for_is_named() {
    let inner = |y: Var| fori_loop(1 << 43, y, |_, y| y.sin());
    let f = move |x: Var| Loop::new().while_loop(x, |y| y.less(10.0), inner);
    let graph = differentiate::grad(&trace(f, (DType::F64,)).unwrap(), 0, &[0]).unwrap();
    let program = Program::compile(&graph).unwrap().with_loop_memory(usize::MAX);
    let what = "what loops save for the reverse mode".to_string();
    assert_eq!(program.call(&[Array::scalar(0.5)]), Err(Error::Memory(MemoryError { what, bytes: 1 << 46 })));
}

/// A product copies an operand whose rows are not contiguous, here a broadcast number.
#[test]
fn copies_that_routines_make_are_counted() {
    let product = |n: usize| {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
        let row = graph.add_input("row", array(&[20, 3])).unwrap();
        let wide = everywhere(&mut graph, x, &[n, 20]);
        let dot = retrograd::op::DotGeneral { contract: [vec![1], vec![0]], batch: [vec![], vec![]] };
        let y = add(&mut graph, dot, &[wide, row]);
        let y = sum(&mut graph, y);
        graph.add_output("y", y).unwrap();
        graph
    };
    let inputs = [Array::scalar(0.5), Array::full(&array(&[20, 3]), Scalar::F64(2.0))];
    let graph = product(1_000);
    assert_eq!(Program::compile(&graph).unwrap().call(&inputs), Ok(vec![Array::scalar(60_000.0)]));
    let least = Program::compile(&graph).unwrap().memory_bytes() as u64 + 8 + 8 * 20_000;
    assert!(Program::compile(&graph).unwrap().with_memory_limit(least).is_ok());
    assert!(Program::compile(&graph).unwrap().with_memory_limit(least - 1).is_err());
    // More than the address space, for the copy or for the result.
    let outcome = Program::compile(&product(1 << 42)).and_then(|program| program.call(&inputs));
    assert!(matches!(outcome, Err(Error::Memory(_) | Error::Limit(_))), "{outcome:?}");
}

/// 8 GB of rows, which are kept in the arena.
#[test]
fn rows_of_loops_count_as_loop_memory() {
    let f = |x: Var| fori_loop(1_000, x, |_, y| (y * 0.5).sin()).sum();
    let gradient = differentiate::grad(&trace(f, (array(&[1_000_000]),)).unwrap(), 0, &[0]).unwrap();
    let x = [Array::full(&array(&[1_000_000]), Scalar::F64(0.5))];
    let program = Program::compile(&optimize::optimize(&gradient).unwrap()).unwrap();
    let (outcome, peak) = peak_of(|| program.call(&x));
    assert_eq!(
        limit_of(outcome).to_string(),
        "limit of 4294967296 bytes that loops save for the reverse mode exceeded; `Program::with_loop_memory` allows \
         more, and `checkpoint` lets loops save less"
    );
    assert!(peak < 16 * MIB, "{peak} bytes: nothing but the results");
    let along = |x: Var, rows: Var| scan(x, rows, |y, row| ((y * row).sin(), y)).1.cumsum(0).sum();
    let types = (DType::F64, array(&[1_000]));
    let gradient = differentiate::grad(&trace(along, types).unwrap(), 0, &[0]).unwrap();
    let inputs = [Array::scalar(0.5), Array::full(&array(&[1_000]), Scalar::F64(0.9))];
    let compile = || Program::compile(&gradient).unwrap();
    let expected = compile().call(&inputs).unwrap();
    assert_eq!(compile().with_loop_memory(100_000).call(&inputs).unwrap(), expected);
    limit_of(compile().with_loop_memory(1_000).call(&inputs));
    limit_of(compile().with_loop_memory(0).call(&inputs));
    // The limit is the same in both tiers.
    let tiered = Program::compile_tiered(gradient.clone()).unwrap().with_loop_memory(1_000);
    limit_of(tiered.call(&inputs));
}

#[test]
fn the_interpreter_counts_the_memory_that_it_takes() {
    let f = |x: Var| {
        let step = |(y, n): (Var, Var)| ((y * 1.001).sin(), n + 1.0);
        retrograd::while_loop((x, x * 0.0), |(_, n)| n.less(20_000.0), step).0
    };
    let gradient = differentiate::grad(&trace(f, (DType::F64,)).unwrap(), 0, &[0]).unwrap();
    let rows = |x: Var| fori_loop(20_000, x, |_, y| (y * 0.5).sin());
    let rows = differentiate::grad(&trace(rows, (DType::F64,)).unwrap(), 0, &[0]).unwrap();
    let wide = trace(|x: Var| x.broadcast_to(&[300_000]).exp().sin().sum(), (DType::F64,)).unwrap();
    for graph in [gradient, rows, wide] {
        let x = [Array::scalar(0.5)];
        let (outcome, peak) = peak_of(|| interpret::run(&graph, &x));
        outcome.unwrap();
        let enough = interpret::run_within(&graph, &x, 3 * peak as u64);
        assert!(enough.is_ok(), "{peak} bytes: {enough:?}");
        limit_of(interpret::run_within(&graph, &x, peak as u64 / 3));
    }
}

#[test]
fn folded_constants_have_a_limit() {
    let mut graph = Graph::new("f");
    let mut x = add(&mut graph, Op::from_constant(Array::full(&array(&[4_096]), Scalar::F64(0.5))), &[]);
    for _ in 0..5_000 {
        x = add(&mut graph, Sin, &[x]);
    }
    let total = sum(&mut graph, x);
    graph.add_output("total", total).unwrap();
    let (optimized, peak) = peak_of(|| optimize::optimize(&graph).unwrap());
    assert!(peak < 64 * MIB, "{peak} bytes");
    let expected = Program::compile(&graph).unwrap().call(&[]).unwrap();
    assert_eq!(Program::compile(&optimized).unwrap().call(&[]).unwrap(), expected);
    // The same if each constant is in a region.
    let f = |x: Var| {
        (0..500).fold(x, |y, k| {
            let table = Array::collect(&array(&[4_096]), (0..4_096).map(|i| Scalar::F64(f64::from(i + k))));
            let region = move || Var::constant(table.clone()).sqrt().sin().exp().sum() + y;
            retrograd::cond(y.greater(0.0), region, || y)
        })
    };
    let graph = trace(f, (DType::F64,)).unwrap();
    let (optimized, peak) = peak_of(|| optimize::optimize(&graph).unwrap());
    assert!(peak < 128 * MIB, "{peak} bytes");
    assert_eq!(interpret::run(&optimized, &[Array::scalar(1.0)]), interpret::run(&graph, &[Array::scalar(1.0)]));
}

/// Nested branches, each with one region twice. With `crossed`, each level has two regions, both of which use the two
/// regions of the next level.
fn nested(depth: usize, crossed: bool) -> Graph {
    let scalar = Type::scalar(DType::F64);
    let leaf = |k: f64| trace(move |x: Var| (x * k).sin(), (DType::F64,)).unwrap();
    let mut pair = [leaf(1.0), leaf(1.5)].map(Arc::new);
    let hold = |name: &str, inner: [Arc<Graph>; 2]| {
        let mut graph = Graph::new(name);
        let x = graph.add_input("x", scalar.clone()).unwrap();
        let zero = add(&mut graph, Op::from_constant(Array::scalar(0.0)), &[]);
        let holds = add(&mut graph, retrograd::op::Lt, &[zero, x]);
        let y = graph.add_with_regions(Cond.into(), &[holds, x], inner.into(), Provenance::default()).unwrap();
        let y = add(&mut graph, Sin, &[y.into()]);
        graph.add_output("y", y).unwrap();
        graph
    };
    for _ in 0..depth {
        let [a, b] = &pair;
        pair = match crossed {
            true => [hold("a", [a.clone(), b.clone()]), hold("b", [b.clone(), a.clone()])].map(Arc::new),
            false => {
                let both = Arc::new(hold("a", [a.clone(), a.clone()]));
                [both.clone(), both]
            }
        };
    }
    hold("f", pair)
}

#[test]
fn regions_that_share_regions_do_not_double() {
    for crossed in [false, true] {
        let derived = |depth: usize| {
            peak_of(|| {
                let first = differentiate::grad(&nested(depth, crossed), 0, &[0])?;
                let second = optimize::optimize(&differentiate::grad(&first, 1, &[0])?)?;
                let forward = optimize::optimize(&differentiate::jvp(&second, &[0])?)?;
                let length = forward.to_string().len() + forward.to_dot().len() + forward.to_json()?.len();
                Ok::<_, Error>((length, forward))
            })
        };
        // Twice the depth takes twice as much; if each use counted separately, it would take more than a thousand times
        // as much.
        let [(shallow, less), (deep, more)] = [12, 24].map(derived);
        let ((short, _), (long, graph)) = (shallow.unwrap(), deep.unwrap());
        assert!(more < 4 * less && long < 4 * short, "{less} and {more} bytes, texts of {short} and {long}");
        assert_eq!(graph.verify(), Ok(()));
        let deep = nested(40, crossed);
        assert_eq!(refused(&deep).what, "nodes of a program, those of regions at each use");
        // For a small depth, which can be compiled, the derivative is correct.
        let small = nested(6, crossed);
        let gradient = differentiate::grad(&small, 0, &[0]).unwrap();
        let at = |x: f64| interpret::run(&gradient, &[Array::scalar(x)]).unwrap();
        let number = |array: &Array| array.as_slice::<f64>().unwrap()[0];
        for x in [0.7, -0.7] {
            let (slope, step) = (number(&at(x)[1]), 1e-6);
            let difference = (number(&at(x + step)[0]) - number(&at(x - step)[0])) / (2.0 * step);
            assert!((slope - difference).abs() < 1e-9, "{slope}, {difference}");
            let optimized = Program::compile(&optimize::optimize(&gradient).unwrap()).unwrap();
            assert_eq!(optimized.call(&[Array::scalar(x)]).unwrap(), at(x));
        }
    }
}

/// A loop that may end at once, whose body holds such branches that do not depend on the iteration: whether they may be
/// moved out depends on all of them.
#[test]
fn shared_regions_that_may_be_moved_out_of_a_loop_are_looked_at_once() {
    let region = |name: &str, result: &dyn Fn(&mut Graph, Value, Value) -> Value| {
        let mut graph = Graph::new(name);
        let [sum, x] = ["sum", "x"].map(|name| graph.add_input(name, Type::scalar(DType::F64)).unwrap());
        let result = result(&mut graph, sum, x);
        graph.add_output("result", result).unwrap();
        Arc::new(graph)
    };
    let goes_on = region("condition", &|graph, sum, x| add(graph, retrograd::op::Lt, &[sum, x]));
    let branches = nested(60, true);
    let body = region("body", &|graph, sum, x| {
        let map = graph.inline(&branches, &[x]).unwrap();
        add(graph, retrograd::op::Add, &[sum, map.get(branches.outputs()[0].value).unwrap()])
    });
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
    let op = While { carry: 1, max_trips: Some(3) };
    let y = graph.add_with_regions(op.into(), &[x, x], [goes_on, body].into(), Provenance::default()).unwrap();
    graph.add_output("y", y.into()).unwrap();
    let optimized = optimize::optimize(&graph).unwrap();
    assert!(optimized.to_string().lines().take(4).any(|line| line.contains("cond ")), "{optimized}");
}

#[test]
fn hessians_of_many_scalars_are_refused_at_once() {
    let mut graph = Graph::new("f");
    let n = 5_000;
    let x: Vec<Value> = (0..n).map(|k| graph.add_input(format!("x{k}"), Type::scalar(DType::F64)).unwrap()).collect();
    let square = x.iter().map(|&x| add(&mut graph, retrograd::op::Square, &[x])).collect::<Vec<_>>();
    let total = square.into_iter().reduce(|sum, x| add(&mut graph, retrograd::op::Add, &[sum, x])).unwrap();
    graph.add_output("y", total).unwrap();
    let wrt: Vec<usize> = (0..n).collect();
    let (outcome, peak) = peak_of(|| differentiate::hessian(&graph, 0, &wrt));
    assert_eq!(limit_of(outcome).got, Some(25_000_000));
    assert!(peak < 64 * MIB, "{peak} bytes");
    let f = |x: Vec<Var>| x.iter().map(|x| x.square()).reduce(|sum, x| sum + x).unwrap();
    let (outcome, peak) = peak_of(|| jit(hessian(f)).call(vec![1.0; n]).map(|_: Vec<Vec<f64>>| ()));
    assert_eq!(limit_of(outcome).what, "nodes of a trace");
    assert!(peak < 64 * MIB, "{peak} bytes");
}

#[test]
fn integers_that_count_rows_stay_exact() {
    // More than 2³¹ rows are not allocated here; the indices of the last rows of a loop are checked.
    let mut graph = Graph::new("f");
    let n = add(&mut graph, Iota { shape: [70_000].into(), axis: 0, dtype: DType::I64 }, &[]);
    let last = add(&mut graph, Slice { start: vec![69_999], limit: vec![70_000], stride: vec![usize::MAX] }, &[n]);
    graph.add_output("last", last).unwrap();
    let expected = Ok(vec![Array::from_elements([1], vec![69_999_i64]).unwrap()]);
    assert_eq!(Program::compile(&graph).unwrap().call(&[]), expected);
    assert_eq!(interpret::run(&graph, &[]), expected);
}

/// NumPy archives.
#[cfg(feature = "npz")]
mod archives {
    use std::io::{Cursor, Write};

    use retrograd::value::{npy, npz};
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::{MIB, array, peak_of};

    /// An archive with one deflated member: a header and zeros.
    fn archive(header: &[u8], n_zeros: usize) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
        archive.start_file("x.npy", options).unwrap();
        archive.write_all(header).unwrap();
        let zeros = vec![0; MIB];
        (0..n_zeros / MIB).for_each(|_| archive.write_all(&zeros).unwrap());
        archive.finish().unwrap().into_inner()
    }

    fn npy_header(dtype: &str, n: usize) -> Vec<u8> {
        let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({n},), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    #[test]
    fn archives_are_not_unpacked_before_their_sizes_are_checked() {
        // The header specifies more than is allowed, or than there is.
        let bomb = archive(&npy_header("<f8", 1 << 25), 1 << 28);
        assert!(bomb.len() < MIB);
        let (outcome, peak) = peak_of(|| npz::read(&bomb, 1 << 20));
        assert_eq!(outcome.unwrap_err().to_string(), "x.npy: limit of 1048576 bytes of unpacked arrays exceeded");
        assert!(peak < 4 * MIB, "{peak} bytes");
        let (types, peak) = peak_of(|| npz::types(&bomb));
        assert_eq!(types, Ok(vec![("x".to_string(), array(&[1 << 25]))]));
        assert!(peak < 4 * MIB, "{peak} bytes");
        // Bytes that become 64-bit integers count with that size.
        let narrow = archive(&npy_header("|u1", 1 << 25), 1 << 25);
        assert!(npz::read(&narrow, (1 << 25) + 1_000).is_err());
        assert_eq!(npz::read(&narrow, (1 << 28) + 1_000).unwrap()[0].1.size(), 1 << 25);
        // More data than the header specifies.
        let (outcome, peak) = peak_of(|| npz::read(&archive(&npy_header("<f8", 2), 1 << 28), 1 << 30));
        assert_eq!(outcome.unwrap_err().to_string(), "x.npy: has 1 bytes beyond the data of f64[2]");
        assert!(peak < 8 * MIB, "{peak} bytes");
        assert!(npy::read(&npy_header("<f8", usize::MAX)).is_err());
    }
}

/// A call with complex numbers is one with two numbers each: nothing is allocated.
#[test]
fn calls_with_complex_numbers_allocate_nothing() {
    use num_complex::{Complex64, c64};
    use retrograd::Complex;

    let f = jit(|z: Complex, w: (Complex, Var)| (z * w.0, w.1 + z.re));
    let call = || f.call::<(Complex64, f64)>(c64(1.0, 2.0), (c64(0.0, 1.0), 3.0));
    assert_eq!(call().unwrap(), (c64(-2.0, 1.0), 4.0));
    let (result, peak) = peak_of(call);
    assert_eq!((result.unwrap(), peak), ((c64(-2.0, 1.0), 4.0), 0));
}
