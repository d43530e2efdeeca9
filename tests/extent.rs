//! Very wide or very deep graphs in every stage, on a thread with a small stack: they give results or errors, in time
//! proportional to their size.

use std::fmt::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use retrograd::ir::{Limits, Provenance};
use retrograd::op::{Add, Checkpoint, Concatenate, Cond, Custom, CustomRule, Graph, Op, Scan, Sin, Switch, While};
use retrograd::value::{Array, DType, Type};
use retrograd::{
    Error, Program, Var, batch, checkpoint, cond, differentiate, fori_loop, grad, interpret, jit, jvp, map, optimize,
    scan, switch, trace, vmap, while_loop,
};

/// Less than the default stack of a thread, 2 MiB.
const STACK: usize = 512 << 10;

/// Runs a test on a thread with a small stack.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(STACK).spawn(test).unwrap();
    thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
}

/// Runs a graph through every stage, and returns its outputs.
fn through_all_stages(graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    graph.verify().unwrap();
    let text = graph.to_json().unwrap();
    let loaded = Graph::from_json(&text, &Limits::default()).unwrap();
    assert!(!graph.to_string().is_empty() && !graph.to_dot().is_empty());
    assert!(graph.diff(&loaded).is_empty());
    let optimized = optimize::optimize(&loaded).unwrap();
    let expected = interpret::run(graph, inputs).unwrap();
    for graph in [&loaded, &optimized] {
        assert_eq!(interpret::run(graph, inputs).unwrap(), expected);
        assert_eq!(Program::compile(graph).unwrap().call(inputs).unwrap(), expected);
    }
    expected
}

/// The same for the graph with its gradient by input `wrt`.
fn with_gradient(graph: &Graph, wrt: usize, inputs: &[Array]) -> Vec<Array> {
    through_all_stages(graph, inputs);
    through_all_stages(&differentiate::grad(graph, 0, &[wrt]).unwrap(), inputs)
}

fn scalar(dtype: DType) -> Type {
    Type::scalar(dtype)
}

/// A graph with these inputs whose outputs are the results of a node with these regions.
fn around(op: impl Into<Op>, inputs: &[Type], regions: Vec<Arc<Graph>>) -> Result<Graph, Error> {
    let mut graph = Graph::new("f");
    let mut x = Vec::new();
    for (k, ty) in inputs.iter().enumerate() {
        x.push(graph.add_input(format!("x{k}"), ty.clone())?);
    }
    let node = graph.add_with_regions(op.into(), &x, regions.into(), Provenance::default())?;
    graph.add_output("y", node.into())?;
    Ok(graph)
}

/// A region with one number as its input, which optionally takes the sine, and then adds the input `n_adds` times.
fn region(takes_sine: bool, n_adds: usize) -> Arc<Graph> {
    let mut graph = Graph::new("branch");
    let x = graph.add_input("x", scalar(DType::F64)).unwrap();
    let mut y = x;
    if takes_sine {
        y = graph.add(Sin.into(), &[x], Provenance::default()).unwrap().into();
    }
    for _ in 0..n_adds {
        y = graph.add(Add.into(), &[y, x], Provenance::default()).unwrap().into();
    }
    graph.add_output("y", y).unwrap();
    Arc::new(graph)
}

fn branches(regions: Vec<Arc<Graph>>) -> Graph {
    around(Switch, &[scalar(DType::I64), scalar(DType::F64)], regions).unwrap()
}

/// All branches are the same region, or two regions alternate, or all are distinct.
#[test]
fn switches_of_many_branches() {
    on_small_stack(|| {
        let (sine, sum, same) = (region(true, 0), region(false, 3), region(false, 0));
        let index = |k: i64| [Array::scalar(k), Array::scalar(0.5)];
        let at_half = |y: f64, slope: f64| vec![Array::scalar(y), Array::scalar(slope)];
        let sine_at_half = at_half(0.5f64.sin(), 0.5f64.cos());

        let alike = branches(vec![sine.clone(); 60_000]);
        assert_eq!(with_gradient(&alike, 1, &index(50_000)), sine_at_half);
        let unchanged = branches(vec![same; 10_000]);
        assert_eq!(with_gradient(&unchanged, 1, &index(-3)), at_half(0.5, 1.0));
        let alternating = branches((0..10_000).map(|k| [&sine, &sum][k % 2].clone()).collect());
        assert_eq!(with_gradient(&alternating, 1, &index(9_998)), sine_at_half);
        assert_eq!(through_all_stages(&alternating, &index(70_000)), at_half(2.0, 4.0)[..1]);
    });
}

/// Every branch of a switch whose branches are separate functions is called correctly.
#[test]
fn every_branch_is_the_right_one() {
    on_small_stack(|| {
        const N: i64 = 300;
        // Some branches are equal, and the last is long, so that they do not fit into registers.
        let n_adds = |k: i64| if k == N - 1 { 3_000 } else { (k / 3 * 3) as usize };
        let mut regions: Vec<Arc<Graph>> = Vec::new();
        for k in 0..N {
            let same = if k % 3 == 1 { regions.last().cloned() } else { None };
            regions.push(same.unwrap_or_else(|| region(false, n_adds(k))));
        }
        let graph = branches(regions);
        let program = Program::compile(&graph).unwrap();
        for k in (-1..=N).chain([i64::MIN, i64::MAX]) {
            let inputs = [Array::scalar(k), Array::scalar(1.0)];
            let expected = 1.0 + n_adds(k.clamp(0, N - 1)) as f64;
            assert_eq!(program.call(&inputs).unwrap(), [Array::scalar(expected)], "branch {k}");
            assert_eq!(interpret::run(&graph, &inputs).unwrap(), [Array::scalar(expected)], "branch {k}");
        }
        // Many small branches in registers.
        let small = branches((0..50).map(|k| region(false, k)).collect());
        let program = Program::compile(&small).unwrap();
        for k in -1..=50 {
            let inputs = [Array::scalar(k), Array::scalar(1.0)];
            let expected = 1.0 + k.clamp(0, 49) as f64;
            assert_eq!(program.call(&inputs).unwrap(), [Array::scalar(expected)], "branch {k}");
        }
    });
}

/// Compilation takes linear, not quadratic time in the number of distinct branches.
#[test]
fn time_grows_with_the_number_of_branches() {
    let time = |n: usize| {
        let graph = branches((0..n).map(|k| region(true, k % 7)).collect());
        let start = Instant::now();
        let inputs = [Array::scalar(n as i64 - 2), Array::scalar(0.5)];
        through_all_stages(&graph, &inputs);
        start.elapsed()
    };
    let (short, long) = (time(1_000), time(4_000));
    assert!(long < 10 * short + Duration::from_millis(200), "{short:?}, {long:?}");
}

#[test]
fn a_traced_switch_of_many_branches() {
    on_small_stack(|| {
        let f = |k: Var, x: Var, y: Var| switch(k, 5_000, |branch| if branch % 2 == 0 { x.sin() } else { x * y });
        let f = jit(f);
        let (even, odd): (f64, f64) = (f.call(4_000i64, 0.5, 2.0).unwrap(), f.call(4_001i64, 0.5, 2.0).unwrap());
        assert_eq!((even, odd), (0.5f64.sin(), 1.0));
    });
}

#[test]
fn nodes_of_many_operands() {
    on_small_stack(|| {
        let concatenate = |n: usize| {
            let mut graph = Graph::new("f");
            let x = graph.add_input("x", Type::new(DType::F64, [1])).unwrap();
            let node = graph.add(Concatenate { axis: 0 }.into(), &vec![x; n], Provenance::default())?;
            graph.add_output("y", node.into())?;
            Ok::<Graph, Error>(graph)
        };
        let graph = concatenate(65_535).unwrap();
        let x = Array::from_elements([1], vec![2.0]).unwrap();
        let y = through_all_stages(&graph, std::slice::from_ref(&x));
        assert_eq!(y[0], Array::from_elements([65_535], vec![2.0; 65_535]).unwrap());
        let vjp = differentiate::vjp(&graph, &[0]).unwrap();
        through_all_stages(&vjp, &[x, Array::from_elements([65_535], vec![1.0; 65_535]).unwrap()]);

        for n in [65_536, 1_000_000] {
            let error = concatenate(n).unwrap_err().to_string();
            let expected = format!("concatenate: limit of 65535 operands or results of a node exceeded: got {n}");
            assert_eq!(error, expected);
            let mut text = r#"{"format": "retrograd", "version": 1, "producer": "", "entry": "f", "graphs": {"f": {
                "inputs": [{"id": "x", "type": "f64[1]"}], "outputs": [{"name": "y", "value": "n"}],
                "nodes": [{"id": "n", "op": "concatenate", "axis": 0, "type": "f64["#
                .to_string();
            write!(text, "{n}]\", \"in\": [\"x\"{}]}}]}}}}}}", ", \"x\"".repeat(n - 1)).unwrap();
            assert_eq!(Graph::from_json(&text, &Limits::default()).unwrap_err().to_string(), expected);
        }
        // An error does not list all of the operands.
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", scalar(DType::F64)).unwrap();
        let error = graph.add(Sin.into(), &vec![x; 1_000_000], Provenance::default()).unwrap_err().to_string();
        assert!(error.starts_with("sin: takes 1 operands, but got 1000000\n") && error.len() < 1_000, "{error}");
    });
}

/// Wraps a graph as the only region of an operation.
type Wrap = fn(Arc<Graph>) -> Result<Graph, Error>;

/// A sine within `depth` nested regions of one kind.
fn deep(depth: usize, wrap: Wrap) -> Result<Graph, Error> {
    (0..depth).try_fold(Graph::clone(&region(true, 0)), |graph, _| wrap(Arc::new(graph)))
}

fn in_checkpoint(region: Arc<Graph>) -> Result<Graph, Error> {
    around(Checkpoint, &[scalar(DType::F64)], vec![region])
}

/// The region as the only iteration of a loop.
fn in_scan(region: Arc<Graph>) -> Result<Graph, Error> {
    let mut body = Graph::new("body");
    let (_, x) = (body.add_input("i", scalar(DType::I64))?, body.add_input("x", scalar(DType::F64))?);
    let map = body.inline(&region, &[x])?;
    let y = map.get(region.outputs()[0].value).unwrap();
    body.add_output("y", y)?;
    let op = Scan { carry: 1, xs: 0, length: Some(1), reverse: false, checkpoint: None };
    around(op, &[scalar(DType::F64)], vec![Arc::new(body)])
}

/// The region as the only iteration of a loop that ends when its counter is 1.
fn in_while(region: Arc<Graph>) -> Result<Graph, Error> {
    let types = [scalar(DType::F64), scalar(DType::Bool)];
    let inputs = |graph: &mut Graph| [0, 1].map(|k| graph.add_input(format!("x{k}"), types[k].clone()).unwrap());
    let mut condition = Graph::new("condition");
    let [_, goes_on] = inputs(&mut condition);
    condition.add_output("goes_on", goes_on)?;
    let mut body = Graph::new("body");
    let [x, _] = inputs(&mut body);
    let map = body.inline(&region, &[x])?;
    let y = map.get(region.outputs()[0].value).unwrap();
    let stop = body.add(Op::from(retrograd::op::Lt), &[x, x], Provenance::default())?;
    body.add_output("y", y)?;
    body.add_output("stop", stop.into())?;
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", types[0].clone())?;
    let go = graph.add(Op::from(retrograd::op::Le), &[x, x], Provenance::default())?;
    let op = While { carry: 2, max_trips: Some(3) };
    let regions = [Arc::new(condition), Arc::new(body)];
    let node = graph.add_with_regions(op.into(), &[x, go.into()], regions.into(), Provenance::default())?;
    graph.add_output("y", node.into())?;
    Ok(graph)
}

/// The maximum nesting of a graph, and nearly so much with derivatives.
#[test]
fn deep_regions() {
    for wrap in [in_checkpoint as Wrap, in_scan, in_while] {
        on_small_stack(move || {
            let x = [Array::scalar(0.5)];
            let expected = [Array::scalar(0.5f64.sin()), Array::scalar(0.5f64.cos())];
            assert_eq!(with_gradient(&deep(120, wrap).unwrap(), 0, &x), expected);
            let deepest = deep(128, wrap).unwrap();
            let optimized = optimize::optimize(&deepest).unwrap();
            for graph in [&deepest, &optimized] {
                assert_eq!(interpret::run(graph, &x).unwrap(), expected[..1]);
                assert_eq!(Program::compile(graph).unwrap().call(&x).unwrap(), expected[..1]);
            }
            let error = deep(100_000, wrap).unwrap_err().to_string();
            assert!(error.ends_with("limit of 128 nested regions exceeded"), "{error}");
        });
    }
}

/// Wraps a function in one closure of control flow.
type Nest = fn(&dyn Fn(Var) -> Var, Var) -> Var;

/// Ways to nest closures: each computes what the closure does.
const NESTS: [(&str, Nest); 6] = [
    ("fori_loop", |f, x| fori_loop(1, x, |_, x| f(x))),
    ("while_loop", |f, x| while_loop((x, x * 0.0), |(_, n)| n.less(1.0), |(x, n)| (f(x), n + 1.0)).0),
    ("scan", |f, x| scan(x, x.broadcast_to(&[1]), |x, _| (f(x), ())).0),
    ("cond", |f, x| cond(x.greater(-10.0), || f(x), || x)),
    ("map", |f, x| map(x.broadcast_to(&[1]), f).sum()),
    ("checkpoint", |f, x| checkpoint(f).call(x)),
];

/// Applies the sine within so many closures of a kind.
fn sine_within(nest: Nest, depth: usize, x: Var) -> Var {
    if depth == 0 { x.sin() } else { nest(&|x| sine_within(nest, depth - 1, x), x) }
}

/// Closures nested nearly as deep as regions may be, traced and compiled with derivatives of two orders, and in rows.
#[test]
fn deep_closures() {
    for (name, nest) in NESTS {
        on_small_stack(move || {
            let f = move |x: Var| sine_within(nest, 120, x);
            let values = jit(f).call(0.5).and_then(|value: f64| {
                let slope: f64 = jit(grad(f)).call(0.5)?;
                let (_, tangent): (f64, f64) = jit(jvp(f)).call(0.5, 1.0)?;
                let rows: Vec<f64> = jit(vmap(f)).call(vec![0.5, 0.5])?;
                Ok([value, slope, tangent, rows[1]])
            });
            let (sin, cos) = 0.5f64.sin_cos();
            assert_eq!(values.unwrap(), [sin, cos, cos, sin], "{name}");
            let graph = trace(f, (DType::F64,)).unwrap();
            assert_eq!(with_gradient(&graph, 0, &[Array::scalar(0.5)])[1], Array::scalar(cos), "{name}");

            let second: f64 = jit(grad(grad(move |x: Var| sine_within(nest, 20, x)))).call(0.5).unwrap();
            assert_eq!(second, -sin, "{name}");
            let deeper: Result<f64, Error> = jit(move |x: Var| sine_within(nest, 129, x)).call(0.5);
            assert!(is_limit(&deeper.unwrap_err()), "{name}");
        });
    }
}

fn is_limit(error: &Error) -> bool {
    error.to_string().ends_with("limit of 128 nested regions exceeded")
}

/// The graph applied to what it gives. Both times its operations have the same regions.
fn twice(graph: &Graph) -> Result<Graph, Error> {
    let mut result = Graph::new("twice");
    let x = result.add_input("x", scalar(DType::F64))?;
    let mut y = x;
    for _ in 0..2 {
        let map = result.inline(graph, &[y])?;
        y = map.get(graph.outputs()[0].value).unwrap();
    }
    result.add_output("y", y)?;
    Ok(result)
}

/// Regions that are used twice, themselves within such: a graph of a few hundred nodes stands for 2³⁴. What need not run or
/// compile it takes no longer for that.
#[test]
fn shared_regions() {
    for wrap in [in_checkpoint as Wrap, in_scan, in_while, in_branches, in_rule] {
        on_small_stack(move || {
            let double = |graph: Graph| twice(&wrap(Arc::new(graph))?);
            let graph = (0..34).try_fold(Graph::clone(&region(true, 0)), |graph, _| double(graph)).unwrap();
            let derived = [
                differentiate::grad(&graph, 0, &[0]),
                differentiate::jvp(&graph, &[0]),
                differentiate::hvp(&graph, 0, &[0]),
                differentiate::taylor(&graph, 3, &[0]),
                batch::batch(&graph, &[0], 3),
            ];
            // A loop saves for each use of the loops within it.
            let saves_too_much = |error: &Error| error.to_string().contains("limit of 65535 ");
            let kept = derived.into_iter().filter(|derived| !derived.as_ref().is_err_and(saves_too_much));
            for graph in [Ok(graph.clone())].into_iter().chain(kept).map(Result::unwrap) {
                graph.verify().unwrap();
                let limits = Limits { nodes: usize::MAX, total_bytes: u64::MAX, ..Limits::default() };
                let loaded = Graph::from_json(&graph.to_json().unwrap(), &limits).unwrap();
                assert!(!graph.to_string().is_empty() && !graph.to_dot().is_empty());
                assert!(format!("{graph:?}").len() < 10_000);
                assert!(graph.diff(&loaded).is_empty());
                for pass in optimize::passes() {
                    (pass.run)(&graph).unwrap();
                }
                let optimized = optimize::optimize(&loaded).unwrap();
                for graph in [&graph, &optimized] {
                    let error = Program::compile(graph).err().unwrap().to_string();
                    assert!(error.contains("limit of 10000000 nodes of a program"), "{error}");
                }
            }
        });
    }
}

fn in_branches(region: Arc<Graph>) -> Result<Graph, Error> {
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", scalar(DType::F64))?;
    let holds = graph.add(Op::from(retrograd::op::Le), &[x, x], Provenance::default())?;
    let regions = [region.clone(), region];
    let node = graph.add_with_regions(Op::from(Cond), &[holds.into(), x], regions.into(), Provenance::default())?;
    graph.add_output("y", node.into())?;
    Ok(graph)
}

/// A function with a rule of its own, for its tangents.
fn in_rule(region: Arc<Graph>) -> Result<Graph, Error> {
    let mut rule = Graph::new("rule");
    let [x, _, t] = ["x", "y", "t"].map(|name| rule.add_input(name, scalar(DType::F64)).unwrap());
    let map = rule.inline(&region, &[x])?;
    let y = map.get(region.outputs()[0].value).unwrap();
    let scaled = rule.add(Op::from(retrograd::op::Mul), &[t, y], Provenance::default())?;
    rule.add_output("tangent", scaled.into())?;
    around(Custom { rule: CustomRule::Jvp }, &[scalar(DType::F64)], vec![region, Arc::new(rule)])
}

/// A loop whose body computes more values than a node may have results: the derivative, which would save them, says so.
#[test]
fn loops_that_would_save_too_many_values() {
    let loops: [fn(Var, fn(Var) -> Var) -> Var; 2] = [
        |x, f| fori_loop(2, x, |_, x| f(x)),
        |x, f| while_loop((x, x * 0.0), |(_, n)| n.less(2.0), |(x, n)| (f(x), n + 1.0)).0,
    ];
    for looped in loops {
        let error = trace(grad(move |x: Var| looped(x, long_sine)), (DType::F64,)).unwrap_err().to_string();
        assert!(error.contains("limit of 65535 values that a node gives and saves") && error.len() < 300, "{error}");
        assert!(error.contains("tests/extent.rs:"), "{error}");
        let saved = trace(grad(move |x: Var| looped(x, |x| checkpoint(long_sine).call(x))), (DType::F64,));
        assert!(saved.is_ok(), "{saved:?}");
    }
}

fn long_sine(x: Var) -> Var {
    (0..70_000).fold(x, |y, _| y.sin())
}
