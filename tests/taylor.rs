//! Taylor mode: against closed forms, against nested forward and reverse mode, through every operation and region, and what
//! stands on it.

pub mod common;

use retrograd::op::Op;
use retrograd::value::{Array, DType, Type};
use retrograd::{Graph, Program, Var, differentiate, interpret, optimize, trace};

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
/// of regularized incomplete functions.
fn differentiable(op: &Op, types: &[Type]) -> Vec<usize> {
    let n_parameters = match op {
        Op::Igamma(_) | Op::Igammac(_) | Op::IgammaGradA(_) => 1,
        Op::Betainc(_) | Op::BetaincGradA(_) | Op::BetaincGradB(_) => 2,
        _ => 0,
    };
    (n_parameters..types.len()).filter(|&k| types[k].dtype.is_float()).collect()
}

#[test]
fn every_operation_agrees_with_nested_forward_mode() {
    let mut random = common::Random(5);
    let mut n_checked = 0;
    for (name, _, examples) in Op::table() {
        for sample in &examples.samples {
            let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
            let wrt = differentiable(&sample.op, &types);
            let too_large = types.iter().any(|ty| ty.size() > MAX_SIZE);
            if wrt.is_empty() || too_large {
                continue;
            }
            let inputs: Vec<Array> = sample.operands.iter().map(|(ty, domain)| random.array(ty, *domain)).collect();
            let direction: Vec<Array> = wrt.iter().map(|&k| random.array(&types[k], (-1.0, 1.0))).collect();
            let graph = common::graph_with(&sample.op, &sample.regions, &types);
            let is_single = wrt.iter().any(|&k| types[k].dtype == DType::F32);
            let tolerance = if is_single { 1e-4 } else { 1e-11 };
            compare_with_nested(name, &graph, &wrt, 4, &inputs, &direction, tolerance);
            n_checked += 1;
        }
    }
    assert!(n_checked > 150, "only {n_checked} samples were checked");
}
