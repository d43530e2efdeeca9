//! Taylor mode: against closed forms, against nested forward and reverse mode, through every operation and region, and what
//! stands on it.

pub mod common;

use std::fs;

use ndarray::{Array1, Array2, array};
use retrograd::op::{Op, Sample, Schedule};
use retrograd::transform::HalfSquares;
use retrograd::value::json::Json;
use retrograd::value::{Array, DType, Type};
use retrograd::{
    AllArgs, Arg, Error, Graph, Loop, Program, Var, checkpoint, cond, differential_operator, differentiate,
    elementwise_derivatives, fori_loop, ggnvp, grad, hessian, hvp, interpret, jacobian, jet, jit, laplacian,
    laplacian_estimate, map, mixed_partial, optimize, scan, switch, taylor, trace, value_and_grad, vmap, while_loop,
};

/// The coefficients of order 0 to `order` of a function of one variable, at a point in direction 1; from native code, which
/// must agree with the interpreter.
fn coefficients(f: impl Fn(Var) -> Var, x: f64, order: usize) -> Vec<f64> {
    let graph = trace(f, (DType::F64,)).expect("a trace");
    let series = differentiate::taylor(&graph, order, &[0]).expect("a series");
    run(&series, &[x, 1.0].map(Array::scalar)).iter().map(|y| common::floats(y)[0]).collect()
}

/// The outputs, which must be the same bits from the interpreter, from native code and from optimized native code.
fn run(graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    let outputs = interpret::run(graph, inputs).expect("a run");
    let optimized = optimize::optimize(graph).expect("an optimized graph");
    for graph in [graph, &optimized] {
        let native = Program::compile(graph).expect("a program").call(inputs).expect("a call");
        assert!(native.iter().zip(&outputs).all(|(a, b)| a.same_bits(b)), "{native:?}\nbut {outputs:?}");
    }
    outputs
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(|k| k as f64).product()
}

#[track_caller]
fn assert_near(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got - expected).abs();
        assert!(error <= tolerance * expected.abs().max(1e-300), "order {k}: {got}, but {expected}");
    }
}

#[test]
fn series_of_known_functions() {
    let n = 10;
    let x = 0.7f64;
    let sine: Vec<f64> = (0..=n).map(|k| [x.sin(), x.cos(), -x.sin(), -x.cos()][k % 4] / factorial(k)).collect();
    assert_near(&coefficients(Var::sin, x, n), &sine, 1e-14);
    let exp: Vec<f64> = (0..=n).map(|k| x.exp() / factorial(k)).collect();
    assert_near(&coefficients(Var::exp, x, n), &exp, 1e-14);
    // 1/(1 - x) at 0 and at 1/2: exact.
    assert_eq!(coefficients(|x| 1.0 / (1.0 - x), 0.0, n), vec![1.0; n + 1]);
    let powers: Vec<f64> = (0..=n).map(|k| 2f64.powi(k as i32 + 1)).collect();
    assert_eq!(coefficients(|x| 1.0 / (1.0 - x), 0.5, n), powers);
    // tan and tanh at 0, from the Bernoulli numbers.
    let tan = [0.0, 1.0, 0.0, 1.0 / 3.0, 0.0, 2.0 / 15.0, 0.0, 17.0 / 315.0, 0.0, 62.0 / 2835.0, 0.0];
    let signs = |k: usize| if k % 4 == 3 { -1.0 } else { 1.0 };
    let tanh: Vec<f64> = tan.iter().enumerate().map(|(k, t)| signs(k) * t).collect();
    assert_near(&coefficients(Var::tan, 0.0, n), &tan, 1e-14);
    assert_near(&coefficients(Var::tanh, 0.0, n), &tanh, 1e-14);
    // ln(1 + x), and (1 + x)^a with the binomial coefficients.
    let log: Vec<f64> = (0..=n).map(|k| if k == 0 { 0.0 } else { [-1.0, 1.0][k % 2] / k as f64 }).collect();
    assert_near(&coefficients(|x| x.ln_1p(), 0.0, n), &log, 1e-14);
    let a = 0.3;
    let mut binomial = vec![1.0];
    (0..n).for_each(|k| binomial.push(binomial[k] * (a - k as f64) / (k + 1) as f64));
    assert_near(&coefficients(|x| (1.0 + x).powf(a), 0.0, n), &binomial, 1e-13);
    // A polynomial of integers: exact, and 0 beyond its degree.
    let cubic = coefficients(|x| x.powi(3) - 2.0 * x * x + x.square() * x, 2.0, 6);
    assert_eq!(cubic, [8.0, 16.0, 10.0, 2.0, 0.0, 0.0, 0.0]);
}

/// The derivatives of order 1 to `order` of a graph's outputs along a direction, by that many pushforwards over each other:
/// each by `wrt`, with the direction as a constant.
fn nested(graph: &Graph, wrt: &[usize], order: usize, inputs: &[Array], direction: &[Array]) -> Vec<Vec<Array>> {
    let is_float = |graph: &Graph, k: usize| graph.ty(graph.outputs()[k].value).dtype.is_float();
    let mut of: Vec<usize> = (0..graph.outputs().len()).filter(|&k| is_float(graph, k)).collect();
    let (mut graph, mut inputs, mut all) = (graph.clone(), inputs.to_vec(), Vec::new());
    for _ in 0..order {
        let n = graph.outputs().len();
        graph = differentiate::jvp_of(&graph, &of, wrt).expect("a derivative");
        of = (n..graph.outputs().len()).collect();
        inputs.extend_from_slice(direction);
        let outputs = interpret::run(&graph, &inputs).expect("a run");
        all.push(of.iter().map(|&k| outputs[k].clone()).collect());
    }
    all
}

/// Compares the coefficients of order 1 to `order` with nested pushforwards, and native code with the interpreter. The
/// tolerance is relative to the largest element of an output.
fn compare_with_nested(
    what: &str,
    graph: &Graph,
    wrt: &[usize],
    order: usize,
    inputs: &[Array],
    direction: &[Array],
    tolerance: f64,
) {
    let expected = nested(graph, wrt, order, inputs, direction);
    let series = differentiate::taylor(graph, order, wrt).expect("a series");
    let outputs = run(&series, &[inputs, direction].concat());
    let coefficients = &outputs[graph.outputs().len()..];
    for (k, expected) in (1..=order).zip(expected) {
        for (position, expected) in expected.iter().enumerate() {
            let got = &coefficients[position * order + k - 1];
            if k == 1 {
                assert_eq!(got, expected, "{what}: the tangent of output {position}\n{graph}");
            }
            let (got, expected) = (common::floats(got), common::floats(expected));
            let largest = expected.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
            for (got, expected) in got.iter().map(|y| y * factorial(k)).zip(expected) {
                let is_near = (got - expected).abs() <= tolerance * largest || got.is_nan() && expected.is_nan();
                assert!(is_near, "{what}: output {position}, order {k}: {got}, but {expected}\n{graph}");
            }
        }
    }
}

/// The largest sample that is differentiated several times.
const MAX_SIZE: usize = 400;

/// The operands by which the operation can be differentiated several times: all of floating point, but for the parameters
/// of regularized incomplete functions and the order of the zeta function.
fn differentiable(op: &Op, types: &[Type]) -> Vec<usize> {
    let n_parameters = match op {
        Op::Igamma(_) | Op::Igammac(_) | Op::IgammaGradA(_) | Op::Zeta(_) | Op::Hessenberg(_) => 1,
        Op::Betainc(_) | Op::BetaincGradA(_) | Op::BetaincGradB(_) => 2,
        _ => 0,
    };
    (n_parameters..types.len()).filter(|&k| types[k].dtype.is_float()).collect()
}

/// Of several draws of the operands the one with the smallest tangents: near a singular matrix, high derivatives are
/// differences of large numbers, of which no digit is certain in either way to compute them.
fn well_conditioned(
    sample: &Sample,
    graph: &Graph,
    wrt: &[usize],
    direction: &[Array],
    random: &mut common::Random,
) -> Vec<Array> {
    let draw = |_| sample.operands.iter().map(|(ty, domain)| random.array(ty, *domain)).collect::<Vec<Array>>();
    let largest_tangent = |inputs: &Vec<Array>| {
        let tangents = nested(graph, wrt, 1, inputs, direction);
        tangents[0].iter().flat_map(common::floats).fold(0.0, |largest: f64, x| largest.max(x.abs()))
    };
    let draws: Vec<Vec<Array>> = (0..6).map(draw).collect();
    let best = draws.iter().map(largest_tangent).enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
    draws[best.expect("draws").0].clone()
}

#[test]
fn every_operation_agrees_with_nested_forward_mode() {
    let mut n_checked = 0;
    for (name, _, examples) in Op::table() {
        for (k, sample) in examples.samples.iter().enumerate() {
            // Each sample has numbers of its own, which do not depend on what comes before it.
            let seed = name.bytes().fold(k as u64 + 5, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
            let mut random = common::Random(seed);
            let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
            let wrt = differentiable(&sample.op, &types);
            let too_large = types.iter().any(|ty| ty.size() > MAX_SIZE);
            if wrt.is_empty() || too_large {
                continue;
            }
            let graph = common::sample_graph(&sample.op, &sample.regions, &types);
            let direction: Vec<Array> = wrt.iter().map(|&k| random.array(&types[k], (-1.0, 1.0))).collect();
            let inputs = well_conditioned(sample, &graph, &wrt, &direction, &mut random);
            let is_single = wrt.iter().any(|&k| types[k].dtype == DType::F32);
            let tolerance = if is_single { 1e-4 } else { 1e-11 };
            compare_with_nested(name, &graph, &wrt, 4, &inputs, &direction, tolerance);
            n_checked += 1;
        }
    }
    assert!(n_checked > 150, "only {n_checked} samples were checked");
}

/// The operations of the series of order 5, 10 and 20 by all inputs, which the documentation of `taylor` lists.
#[test]
fn graphs_grow_with_the_square_of_the_order() {
    let scalar = DType::F64;
    let mlp = |w: Var, u: Var, x: Var| u.dot(w.dot(x).tanh()).sum();
    let [w, u, v] = [&[4, 3][..], &[2, 4], &[3]].map(|shape| Type::new(DType::F64, shape));
    let graphs = [
        ("sin x", trace(Var::sin, (scalar,)), [26, 56, 116]),
        ("exp x", trace(Var::exp, (scalar,)), [14, 29, 59]),
        ("exp(sin x)", trace(|x: Var| x.sin().exp(), (scalar,)), [59, 174, 554]),
        ("tanh x", trace(Var::tanh, (scalar,)), [43, 138, 478]),
        ("lgamma x", trace(Var::lgamma, (scalar,)), [40, 130, 460]),
        ("x^y", trace(|x: Var, y: Var| x.powf(y), (scalar, scalar)), [191, 858, 4618]),
        ("a perceptron with one hidden layer", trace(mlp, (w, u, v)), [90, 230, 660]),
    ];
    for (what, graph, expected) in graphs {
        let graph = graph.expect("a trace");
        let wrt: Vec<usize> = (0..graph.inputs().len()).collect();
        let n_ops = [5, 10, 20].map(|order| differentiate::taylor(&graph, order, &wrt).expect("a series").n_ops());
        assert_eq!(n_ops, expected, "{what}");
    }
}

/// A function of one variable at several points, in several orders, against nested pushforwards.
#[track_caller]
fn check<F: Fn(Var) -> Var>(what: &str, f: F, ty: Type, points: &[&[f64]], order: usize) {
    let graph = trace(f, (ty.clone(),)).expect("a trace");
    check_graph(what, &graph, &[0], points, order);
}

#[track_caller]
fn check_graph(what: &str, graph: &Graph, wrt: &[usize], points: &[&[f64]], order: usize) {
    let ty = graph.ty(graph.inputs()[0].node.into()).clone();
    let mut random = common::Random(3);
    for point in points {
        let mut inputs = vec![Array::from_elements(ty.shape.clone(), point.to_vec()).expect("a point")];
        for input in &graph.inputs()[1..] {
            inputs.push(random.array(graph.ty(input.node.into()), (0.5, 1.5)));
        }
        let direction = wrt.iter().map(|&k| random.array(&inputs[k].ty(), (-1.0, 1.0)));
        let direction: Vec<Array> = direction.collect();
        compare_with_nested(what, graph, wrt, order, &inputs, &direction, 1e-11);
    }
}

#[test]
fn regions_of_every_kind() {
    let scalar = || Type::scalar(DType::F64);
    let vector = || Type::new(DType::F64, [3]);
    let (both, one): (&[&[f64]], &[&[f64]]) = (&[&[0.4], &[-0.7]], &[&[0.4]]);
    let points: &[&[f64]] = &[&[0.4, -0.3, 1.2]];
    check("cond", |x| cond(x.less(0.0), || x.sin() * x, || (x * x).exp()), scalar(), both, 5);
    // Only one branch depends on the argument.
    check("half of a cond", |x| cond(x.less(0.0), || x.powi(3), || Var::from(2.0)), scalar(), both, 3);
    check("switch", |x| switch(Var::from(1i64), 3, |k| x.powi(k as i32 + 2)), scalar(), one, 4);
    check("checkpoint", |x| checkpoint(|x: Var| x.sin().exp()).call(x), scalar(), one, 5);
    check("map", |x| map(x, |x| x.tanh() * x), vector(), points, 5);
    let running = |x: Var| scan(x.index(0) * 0.5, x, |sum, x| ((sum * x).sin(), sum * sum)).1;
    check("scan", running, vector(), points, 4);
    check("fori_loop", |x| fori_loop(3, x, |_, y| (y * x).sin()), scalar(), one, 4);
    let doubled = |x: Var| while_loop(x, |y| y.abs().less(3.0), |y| y * 1.5 + x.sin());
    check("while_loop", doubled, scalar(), one, 5);
    let in_cond = |x: Var| cond(x.index(0).less(9.0), || fori_loop(2, x, |_, y| map(y, |y| y.exp() * 0.1)), || x);
    check("a map in a loop in a cond", in_cond, vector(), points, 3);
}

/// Series of gradients: through loops that save residuals, run along stacks, or compute states again.
#[test]
fn regions_of_gradients() {
    let scalar = || Type::scalar(DType::F64);
    let doubled = |x: Var| while_loop(x, |y| y.abs().less(3.0), |y| y * 1.5 + (x * y).sin());
    check("the slope of a while_loop", move |x| grad(doubled).call(x), scalar(), &[&[0.4]], 3);
    let twice = move |x: Var| grad(move |x: Var| grad(doubled).call(x)).call(x);
    check("the second derivative of a while_loop", twice, scalar(), &[&[0.4]], 3);
    let pair = |x: Var| {
        let step = |(y, z): (Var, Var)| (y * 1.5 + (x * z).sin(), z * y.cos() + 0.1 * x);
        let (y, z) = while_loop((x, 2.0 * x), |(y, _)| y.abs().less(3.0), step);
        y * z
    };
    check("the slope of a while_loop with two carries", move |x| grad(pair).call(x), scalar(), &[&[0.4]], 3);
    let schedules = [Schedule::Binomial(2), Schedule::Binomial(3)];
    for schedule in schedules {
        let orbit = move |x: Var| Loop::new().checkpoint(schedule).fori_loop(5, x, |_, y| (x + y.sin()).cos());
        check("the slope of a loop with checkpoints", move |x| grad(orbit).call(x), scalar(), &[&[0.4]], 3);
    }
    let branch = |x: Var| cond(x.less(0.0), || x.sin() * x, || (x * x).exp());
    check("the slope of a cond", move |x| grad(branch).call(x), scalar(), &[&[0.4], &[-0.4]], 4);
    let running = |x: Var| scan(x.index(0) * 0.5, x, |sum, x| ((sum * x).sin(), sum * sum)).1.sum();
    check(
        "the gradient of a scan",
        move |x| grad(running).call(x),
        Type::new(DType::F64, [3]),
        &[&[0.4, -0.3, 1.2]],
        3,
    );
}

#[test]
fn functions_of_several_arguments_and_results() {
    let f = |x: Var, a: Var, b: Var| ((a.dot(x) + b).tanh(), (x * b.index(0)).prod(), x.less(0.0));
    let types = (Type::new(DType::F64, [3]), Type::new(DType::F64, [2, 3]), Type::new(DType::F64, [2]));
    let graph = trace(f, types).expect("a trace");
    // Products of a value with itself: one commutes, and one does not.
    let matrix: &[&[f64]] = &[&[0.3, -0.4, 0.5, 0.9]];
    check("squares", |x| x * x + x.square() * x, Type::new(DType::F64, [2, 2]), matrix, 4);
    let itself = |x: Var| {
        let y = x.sin();
        y.dot(y)
    };
    check("a matrix times itself", itself, Type::new(DType::F64, [2, 2]), matrix, 4);
    check_graph("by one", &graph, &[0], &[&[0.4, -0.3, 1.2]], 4);
    check_graph("by all", &graph, &[0, 1, 2], &[&[0.4, -0.3, 1.2]], 4);
    check_graph("by the others", &graph, &[1, 2], &[&[0.4, -0.3, 1.2]], 4);
    let series = differentiate::taylor_of(&graph, &[1], 2, &[2]).expect("a series");
    let names: Vec<&str> = series.outputs().iter().map(|output| &*output.name).collect();
    assert_eq!(names, ["out.0", "out.1", "out.2", "out.1.taylor.1", "out.1.taylor.2"]);
    assert_eq!(&*series.inputs()[3].name, "z.tangent");
}

/// Programs that people write, from files: networks, solvers, simulations, and their gradients.
#[test]
fn example_files_agree_with_nested_forward_mode() {
    let folder = common::root().join("ir-examples");
    let mut n_checked = 0;
    for entry in fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let Some(inputs) = path.to_str().and_then(|path| path.strip_suffix(".inputs.json")) else { continue };
        let graph = Graph::load(format!("{inputs}.json")).expect("a graph");
        let text = fs::read_to_string(&path).expect("inputs");
        let values = Json::parse(&text).expect("inputs");
        let values = values.as_object().expect("inputs").iter();
        let types = graph.inputs().iter().map(|input| graph.ty(input.node.into()));
        let inputs: Vec<Array> =
            types.zip(values).map(|(ty, (_, value))| Array::from_json(value, ty).expect("an input")).collect();
        let wrt: Vec<usize> = (0..inputs.len()).filter(|&k| inputs[k].dtype().is_float()).collect();
        let mut random = common::Random(2);
        let direction: Vec<Array> = wrt.iter().map(|&k| random.array(&inputs[k].ty(), (-0.1, 0.1))).collect();
        let is_single = inputs.iter().any(|x| x.dtype() == DType::F32);
        let tolerance = if is_single { 1e-4 } else { 1e-9 };
        compare_with_nested(&path.display().to_string(), &graph, &wrt, 3, &inputs, &direction, tolerance);
        n_checked += 1;
    }
    assert!(n_checked > 15, "only {n_checked} files were checked");
}

/// `select` leaves no NaN behind, and kinks have the derivatives of the first order's rules.
#[test]
fn kinks_and_branches_not_taken() {
    let rooted = |x: Var| x.greater(0.0).select(x.sqrt(), 0.0 * x);
    for x in [0.0, -1.0] {
        assert_eq!(coefficients(rooted, x, 5), [0.0; 6]);
    }
    assert_eq!(coefficients(Var::abs, 0.0, 3), [0.0; 4]);
    assert_eq!(coefficients(Var::abs, -2.0, 3), [2.0, -1.0, 0.0, 0.0]);
    assert_eq!(coefficients(|x| x.max(2.0), 2.0, 2), [2.0, 0.5, 0.0]);
    // A factor that is exactly zero passes nothing on, in any order.
    assert_eq!(coefficients(|x| (x * 0.0).powf(x), 0.5, 3), [0.0; 4]);
    assert_eq!(coefficients(|x| (1.0 + 0.0 * x) * x.sqrt(), 0.0, 2), [0.0, f64::INFINITY, f64::NEG_INFINITY]);
    let dotted = |x: Var| Var::stack(&[1.0 + 0.0 * x, x], 0).dot(Var::stack(&[x.sqrt(), x], 0));
    assert_eq!(coefficients(dotted, 0.0, 2), [0.0, f64::INFINITY, f64::NEG_INFINITY]);
    let swapped = |x: Var| Var::stack(&[x.sqrt(), x], 0).dot(Var::stack(&[1.0 + 0.0 * x, x], 0));
    assert_eq!(coefficients(swapped, 0.0, 2), [0.0, f64::INFINITY, f64::NEG_INFINITY]);
    assert_eq!(coefficients(|x| (x * 0.0).sqrt(), 1.0, 4), [0.0; 5]);
    assert!(coefficients(Var::sqrt, -1.0, 4).iter().all(|y| y.is_nan()));
    assert!(coefficients(|x| x.ln().max(0.0), -1.0, 3).iter().all(|y| y.is_nan()));
}

/// What is not differentiated is a constant, and so are integers.
#[test]
fn constants_have_no_series() {
    assert_eq!(coefficients(|x| x.stop_gradient() * x, 3.0, 3), [9.0, 3.0, 0.0, 0.0]);
    assert_eq!(coefficients(|x| x.floor() + x.convert(DType::I64).convert(DType::F64), 3.5, 2), [6.0, 0.0, 0.0]);
    assert_eq!(coefficients(|_| Var::from(2.0), 3.0, 2), [2.0, 0.0, 0.0]);
    let single = trace(|x: Var| x.exp(), (DType::F32,)).expect("a trace");
    let series = differentiate::taylor(&single, 3, &[0]).expect("a series");
    let outputs = run(&series, &[0.0f32, 1.0].map(Array::scalar));
    assert_eq!(outputs, [1.0, 1.0, 0.5, 0.5f32 / 3.0].map(Array::scalar));
}

#[test]
fn deep_graphs_take_no_stack() {
    let deep = |x: Var| (0..30_000).fold(x, |y, _| y + 1e-3 * y.sin());
    let graph = trace(deep, (DType::F64,)).expect("a trace");
    let series = differentiate::taylor(&graph, 3, &[0]).expect("a series");
    let n = graph.n_ops() as f64;
    assert!((series.n_ops() as f64) < 12.0 * n, "{} operations from {n}", series.n_ops());
    let outputs = interpret::run(&series, &[0.5, 1.0].map(Array::scalar)).expect("a run");
    assert!(outputs.iter().all(|y| common::floats(y)[0].is_finite()));
}

#[test]
fn series_along_curves_compose() {
    // The series of f(g(x)) is that of f along that of g.
    let (f, g) = (|x: Var| x.sin(), |x: Var| (x * x).exp());
    let curve = [0.3, -0.2, 0.5, 0.1];
    let of_g: Vec<f64> = jit(jet(g)).call(0.4, curve.to_vec()).expect("a series");
    let of_f: Vec<f64> = jit(jet(f)).call(of_g[0], of_g[1..].to_vec()).expect("a series");
    let of_both: Vec<f64> = jit(jet(move |x: Var| f(g(x)))).call(0.4, curve.to_vec()).expect("a series");
    assert_near(&of_f, &of_both, 1e-14);
    // Derivatives by Faà di Bruno's formula.
    let (x, [d1, d2, d3]) = (0.4f64, [0.3, -0.2, 0.5]);
    let y: Vec<f64> = jit(jet(f).derivatives()).call(x, vec![d1, d2, d3]).expect("a series");
    let (s, c) = x.sin_cos();
    let expected = [s, c * d1, -s * d1 * d1 + c * d2, -c * d1.powi(3) - 3.0 * s * d1 * d2 + c * d3];
    assert_near(&y, &expected, 1e-14);
    // A curve without terms is a point.
    let y: Vec<f64> = jit(jet(f)).call(x, Vec::<f64>::new()).expect("a value");
    assert_eq!(y, [s]);
}

#[test]
fn functions_of_trees_within_traces() {
    // A pair of results, by two arguments; called within a trace, and differentiated by what the direction depends on.
    let f = |x: Var, y: Var| (x * y, [x.sin()]);
    let outer = move |x: Var, y: Var| {
        let terms = taylor(f, 2).wrt(AllArgs).call(x, y, (x * 2.0, y));
        let (product, [sine]) = terms[2];
        product + sine
    };
    let (value, slope): (f64, f64) = jit(value_and_grad(outer)).call(0.3, 0.7).expect("a slope");
    // 2x y - x²·4 sin(x)/2, and its slope by x.
    let x = 0.3f64;
    assert_near(
        &[value, slope],
        &[2.0 * x * 0.7 - 2.0 * x * x * x.sin(), 1.4 - 4.0 * x * x.sin() - 2.0 * x * x * x.cos()],
        1e-14,
    );
    // In a loop, in a branch, and for each row.
    let third = |x: Var| elementwise_derivatives(|x: Var| x.powi(4), 3).call(x)[3];
    let in_loops = move |x: Var| {
        let once = map(x, third);
        cond(x.index(0).greater(0.0), || fori_loop(2, once, |_, y| third(y) / 24.0), || once)
    };
    let y: Vec<f64> = jit(in_loops).call(vec![1.0, 2.0]).expect("rows");
    assert_eq!(y, [24.0, 48.0]);
    let (y, slope): (f64, Vec<f64>) =
        jit(value_and_grad(move |x: Var| in_loops(x).sum())).call(vec![1.0, 2.0]).expect("rows");
    assert_eq!((y, slope), (72.0, vec![24.0, 24.0]));
}

/// Row by row, under and over a map of all rows at once.
#[test]
fn series_of_rows() {
    let f = |x: Var, y: Var| cond(x.less(y), || (x * y).sin() * x, || fori_loop(3, x, |_, z| z.exp() * y));
    let (x, y, t) = (array![0.3, 0.5, -0.2], array![0.4, 0.1, 0.2], array![1.0, -0.5, 0.25]);
    let rows: Vec<Array1<f64>> = jit(vmap(taylor(f, 3))).call(&x, &y, &t).expect("rows");
    let mapped: Vec<Array1<f64>> = jit(taylor(vmap(f), 3)).call(&x, &y, &t).expect("rows");
    let single = jit(taylor(f, 3));
    for row in 0..3 {
        let expected: Vec<f64> = single.call(x[row], y[row], t[row]).expect("a series");
        for k in 0..=3 {
            assert_eq!((rows[k][row], mapped[k][row]), (expected[k], expected[k]), "row {row}, order {k}");
        }
    }
    let energy = |x: Var| (x.square().sum()).square();
    let y: Array1<f64> = jit(vmap(laplacian(energy))).call(array![[1.0, 2.0], [0.5, 3.0]]).expect("rows");
    assert_eq!(y, array![16.0 * 5.0, 16.0 * 9.25]);
}

#[test]
fn laplacians() {
    // Harmonic functions.
    let plane = |[x, y]: [Var; 2]| (x.exp() * y.cos(), x.powi(3) - 3.0 * x * y * y);
    let (a, b): (f64, f64) = jit(laplacian(plane)).call([0.3, 0.4]).expect("a Laplacian");
    assert!(a.abs() < 1e-15 && b.abs() < 1e-14, "{a} {b}");
    let potential = |x: Var| 1.0 / x.square().sum().sqrt();
    let y: f64 = jit(laplacian(potential)).call(array![0.3, -0.4, 1.2]).expect("a Laplacian");
    assert!(y.abs() < 1e-14, "{y}");
    // The trace of the Hessian, written out and as a loop; and of two arguments together.
    let mut random = common::Random(1);
    for n in [5, 40] {
        let f = |x: Var, a: Var| ((a.dot(x)).tanh() * x).sum();
        let [x, a] = [&[n][..], &[n, n]].map(|shape| random.array(&Type::new(DType::F64, shape), (-0.5, 0.5)));
        let h: Array = jit(hessian(f)).call(&x, &a).expect("a Hessian");
        let trace_of_h: f64 = (0..n).map(|k| common::floats(&h)[k * (n + 1)]).sum();
        let y: f64 = jit(laplacian(f)).call(&x, &a).expect("a Laplacian");
        assert_near(&[y], &[trace_of_h], 1e-12);
    }
    let y: f64 = jit(laplacian(|x: Var, y: Var| (x * x).sum() * y).wrt(AllArgs))
        .call(array![1.0, 2.0], 5.0)
        .expect("a Laplacian");
    assert_eq!(y, 20.0);
    // Biharmonic: Δ²|x|⁴ = 8 n (n + 2).
    let fourth = |x: Var| x.square().sum().square();
    let y: f64 = jit(laplacian(laplacian(fourth))).call(array![1.0, 2.0, 3.0]).expect("a biharmonic");
    assert_eq!(y, 120.0);
    // All directions of ±1 give the Laplacian itself; one gives its own second derivative.
    let mixed = |x: Var| (x.index(0) * x.index(1)).sin() + x.index(0).powi(3);
    let all = array![[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]];
    let exact: f64 = jit(laplacian(mixed)).call(array![0.3, 0.8]).expect("a Laplacian");
    let mean: f64 = jit(laplacian_estimate(mixed)).call(array![0.3, 0.8], all).expect("an estimate");
    assert_near(&[mean], &[exact], 1e-14);
    let h: Vec<Vec<f64>> = jit(hessian(mixed))
        .call(array![0.3, 0.8])
        .map(|h: Array2<f64>| h.outer_iter().map(|r| r.to_vec()).collect())
        .expect("a Hessian");
    let one: f64 = jit(laplacian_estimate(mixed)).call(array![0.3, 0.8], array![[1.0, -1.0]]).expect("an estimate");
    assert_near(&[one], &[h[0][0] - 2.0 * h[0][1] + h[1][1]], 1e-14);
}

#[test]
fn mixed_partials() {
    // Polynomials of integers: exact.
    let f = |[x, y, z]: [Var; 3]| x.powi(3) * y.square() * z + x * y * z.powi(4);
    let at = [2.0, 3.0, 5.0];
    let of = |orders: [usize; 3]| -> f64 { jit(mixed_partial(f, orders)).call(at).expect("a derivative") };
    assert_eq!(of([0, 0, 0]), 8.0 * 9.0 * 5.0 + 6.0 * 625.0);
    assert_eq!(of([1, 0, 0]), 12.0 * 9.0 * 5.0 + 3.0 * 625.0);
    assert_eq!(of([2, 1, 1]), 12.0 * 6.0);
    assert_eq!(of([3, 2, 1]), 12.0);
    assert_eq!(of([1, 1, 3]), 24.0 * 5.0);
    assert_eq!(of([0, 3, 0]), 0.0);
    // Against nested gradients.
    let g = |x: Var, y: Var| (x * y).sin() * x.exp();
    let nested: f64 = jit(grad(grad(grad(g)).wrt(Arg::<1>)).wrt(Arg::<1>)).call(0.3, 0.7).expect("a derivative");
    let mixed: f64 = jit(mixed_partial(g, [1, 2]).wrt(AllArgs)).call(0.3, 0.7).expect("a derivative");
    assert_near(&[mixed], &[nested], 1e-13);
    // Elementwise on arrays, and differentiated again.
    let slope =
        jit(grad(|x: Var, y: Var| mixed_partial(|x: Var, y: Var| x.powi(3) * y, [2, 1]).wrt(AllArgs).call(x, y).sum()));
    let y: Array1<f64> = slope.call(array![1.0, 2.0], array![1.0, 1.0]).expect("a slope");
    assert_eq!(y, array![6.0, 6.0]);
    // The biharmonic operator, whose terms share directions.
    let h = |[x, y]: [Var; 2]| x.powi(4) * y.powi(4);
    let terms = [(1.0, vec![4, 0]), (2.0, vec![2, 2]), (1.0, vec![0, 4]), (-3.0, vec![0, 0])];
    let y: f64 = jit(differential_operator(h, terms)).call([1.0, 2.0]).expect("an operator");
    assert_eq!(y, 24.0 * 16.0 + 2.0 * 12.0 * 48.0 + 24.0 - 3.0 * 16.0);
    let none: f64 = jit(differential_operator(h, [])).call([1.0, 2.0]).expect("an operator");
    assert_eq!(none, 0.0);
}

#[test]
fn gauss_newton_products() {
    let f = |(w, b): (Var, Var), x: Var| ((x.dot(w) + b).tanh(), b.exp());
    let loss = |(y, z): (Var, Var)| y.powi(4).sum() + (y.index(0) * z).sin();
    let mut random = common::Random(4);
    let (w, b, x) = (
        random.array(&Type::new(DType::F64, [3]), (-1.0, 1.0)),
        0.3,
        random.array(&Type::new(DType::F64, [4, 3]), (-1.0, 1.0)),
    );
    let v = random.array(&Type::new(DType::F64, [3]), (-1.0, 1.0));
    let (gw, gb): (Vec<f64>, f64) = jit(ggnvp(f, loss)).call((&w, b), &x, (&v, -0.5)).expect("a product");
    // The matrices themselves, of everything joined to vectors.
    let joined = move |p: Var, x: Var| {
        let (y, z) = f((p.slice(0, 0..3), p.index(3)), x);
        Var::concatenate(&[y, z.insert_axis(0)], 0)
    };
    let of_joined = move |y: Var| loss((y.slice(0, 0..4), y.index(4)));
    let p: Array1<f64> = common::floats(&w).into_iter().chain([b]).collect();
    let j: Array2<f64> = jit(jacobian(joined)).call(&p, &x).expect("a Jacobian");
    let y: Array1<f64> = jit(joined).call(&p, &x).expect("a value");
    let h: Array2<f64> = jit(hessian(of_joined)).call(&y).expect("a Hessian");
    let v: Array1<f64> = common::floats(&v).into_iter().chain([-0.5]).collect();
    let expected = j.t().dot(&h.dot(&j.dot(&v)));
    assert_near(&[gw, vec![gb]].concat(), &expected.to_vec(), 1e-12);
    // Where the function is linear, it is the Hessian.
    let linear = |w: Var, x: Var| x.dot(w);
    let squares = |w: Var, x: Var| 0.5 * linear(w, x).square().sum();
    let (w, v) = (array![1.0, 2.0, 3.0], array![0.5, -1.0, 2.0]);
    let g: Vec<f64> = jit(ggnvp(linear, HalfSquares)).call(&w, &x, &v).expect("a product");
    let h: Vec<f64> = jit(hvp(squares)).call(&w, &x, &v).expect("a product");
    assert_near(&g, &h, 1e-14);
    // By another argument, within a trace.
    let by_x = |x: Var| ggnvp(|a: Var, x: Var| a * x * x, HalfSquares).wrt(Arg::<1>).call(3.0 * x, x, x.full_like(1.0));
    let g: f64 = jit(by_x).call(2.0).expect("a product");
    assert_eq!(g, 24.0 * 24.0);
}

#[test]
fn what_is_refused() {
    let message = |result: Result<Vec<f64>, Error>| result.expect_err("an error").to_string();
    let sine = |x: Var| x.sin();
    let much = message(jit(taylor(sine, 1001)).call(1.0, 1.0));
    assert!(much.contains("order of a Taylor series") && much.contains("1000") && much.contains("1001"), "{much}");
    let graph = trace(sine, (DType::F64,)).expect("a trace");
    assert!(matches!(differentiate::taylor(&graph, usize::MAX, &[0]), Err(Error::Limit(_))));
    assert!(matches!(differentiate::taylor(&graph, 2, &[1]), Err(Error::Argument(_))));
    let factorial = message(jit(taylor(sine, 171).derivatives()).call(1.0, 1.0));
    assert!(factorial.contains("order of derivatives in f64"), "{factorial}");
    let integers = message(jit(taylor(|x: Var| x * x, 2)).call(1i64, 1i64));
    assert!(integers.contains("i64"), "{integers}");
    let direction = message(jit(taylor(sine, 2)).call(1.0, array![1.0, 2.0]));
    assert!(direction.contains("v") && direction.contains("f64[2]"), "{direction}");
    let curve = message(jit(jet(sine)).call(1.0, vec![array![1.0, 2.0]]));
    assert!(curve.contains("series.0") && curve.contains("f64[2]"), "{curve}");
    let number = |result: Result<f64, Error>| result.expect_err("an error").to_string();
    let orders = number(jit(mixed_partial(sine, [1, 1])).call(1.0));
    assert!(orders.contains("an order for each of 1 leaves, but got 2"), "{orders}");
    let many = number(jit(mixed_partial(|x: Vec<Var>| x[0] * x[1], vec![1; 20])).call(vec![1.0; 20]));
    assert!(many.contains("directions of a mixed partial derivative"), "{many}");
    let none = number(jit(laplacian_estimate(|x: Var| x.sum())).call(array![1.0], Array2::<f64>::zeros((0, 1))));
    assert!(none.contains("at least one direction"), "{none}");
    let other = number(jit(laplacian_estimate(|x: Var| x.sum())).call(array![1.0], array![[1.0, 2.0]]));
    assert!(other.contains("directions") && other.contains("f64[2]"), "{other}");
    let loss = number(jit(ggnvp(|x: Var| x * x, |y: Var| y)).call(array![1.0], array![1.0]).map(|x: Vec<f64>| x[0]));
    assert!(loss.contains("scalar"), "{loss}");
}
