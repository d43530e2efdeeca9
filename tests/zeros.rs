//! An exact zero in a cotangent or tangent propagates as zero, whatever the partial derivative is. Functions with
//! infinite slopes, poles and domain ends are used in many ways, and masked in many ways, in both modes and up to third
//! order. And where a value is NaN, so is the derivative.

pub mod common;

use common::{floats, graph_of};
use retrograd::optimize::optimize;
use retrograd::value::{Array, DType, Type};
use retrograd::{
    Graph, Program, Var, checkpoint, cond, differentiate, fori_loop, interpret, map, scan, switch, trace, while_loop,
};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// A way in which the result of a function is used.
type Way = fn(&dyn Fn(Var) -> Var, Var) -> Var;

/// The number of elements: those that count come first, and masked ones follow.
const N: usize = 5;
const N_GOOD: usize = 3;

/// A function, numbers in its domain, and numbers where it or its slope is infinite or NaN.
struct Wild {
    name: &'static str,
    f: fn(Var) -> Var,
    good: [f64; N_GOOD],
    bad: &'static [f64],
}

const INSIDE: [f64; N_GOOD] = [0.3, 0.7, 0.45];
const ABOVE: [f64; N_GOOD] = [1.3, 2.7, 1.75];

fn wild() -> Vec<Wild> {
    let wild = |name, f, good, bad| Wild { name, f, good, bad };
    vec![
        wild("sqrt", |x| x.sqrt(), ABOVE, &[0.0, -1.0]),
        wild("rsqrt", |x| x.rsqrt(), ABOVE, &[0.0, -1.0]),
        wild("cbrt", |x| x.cbrt(), ABOVE, &[0.0, -0.0]),
        // Above 1, where there is no pole, but large powers are infinite.
        wild("power", |x| (x.square() + 1.0).powf(x.square() + 1.0), INSIDE, &[-40.0, 1e3]),
        wild("ln", |x| x.ln(), ABOVE, &[0.0, -1.0]),
        wild("recip", |x| x.recip(), ABOVE, &[0.0, -0.0]),
        wild("quotient", |x| (x + 2.0) / x, ABOVE, &[0.0, -0.0]),
        wild("asin", |x| x.asin(), INSIDE, &[1.0, 2.0]),
        wild("acosh", |x| x.acosh(), ABOVE, &[1.0, 0.5]),
        wild("atanh", |x| x.atanh(), INSIDE, &[1.0, 2.0]),
        wild("powf", |x| x.powf(0.5), ABOVE, &[0.0, -1.0]),
        wild("powi", |x| x.powi(-3), ABOVE, &[0.0, -0.0]),
        wild("exp", |x| x.exp() / (x.exp() + 1.0), ABOVE, &[1000.0, 800.0]),
        wild("lgamma", |x| x.lgamma(), ABOVE, &[0.0, -1.0]),
        wild("entropy", |x| x * x.ln(), INSIDE, &[0.0, -1.0]),
        wild("length", |x| (x * x).sqrt() * (x + 1.0).ln(), ABOVE, &[0.0, -1.0]),
    ]
}

/// A constant vector with distinct elements.
fn weights(n: usize) -> Var {
    Var::constant(vector((0..n).map(|k| 0.75 + 0.5 * k as f64 - 0.3 * (k * k) as f64).collect()))
}

fn vector(elements: Vec<f64>) -> Array {
    Array::from_elements([elements.len()], elements).unwrap()
}

/// A column repeated to a matrix.
fn columns(y: Var, n: usize) -> Var {
    y.reshape(&[N, 1]).broadcast_to(&[N, n])
}

/// Ways in which a vector is used without mixing elements that count with others. They also get the input, whose first
/// element counts.
fn ways() -> Vec<(&'static str, Way)> {
    vec![
        ("directly", |f, x| f(x)),
        ("unstack", |f, x| Var::stack(&f(x).unstack(0), 0)),
        ("map", |f, x| map(x, |x: Var| f(x))),
        ("map of the result", |f, x| map(f(x), |y: Var| y.sin() * y)),
        ("fori_loop", |f, x| fori_loop(1, x, |_, x| f(x))),
        ("fori_loop of the result", |f, x| fori_loop(3, f(x), |_, y| 0.5 * y + y.square())),
        ("scan", |f, x| scan(x.index(0), x, |sum, x| (0.5 * sum, sum * f(x))).1),
        ("while_loop", |f, x| while_loop((x, Var::from(0i64)), |(_, i)| i.less(1), |(x, i)| (f(x), i + 1)).0),
        ("while_loop of the result", |f, x| {
            while_loop((f(x), Var::from(0i64)), |(_, i)| i.less(2), |(y, i)| (y.square() + 0.5 * y, i + 1)).0
        }),
        ("checkpoint", |f, x| checkpoint(|x: Var| f(x)).call(x)),
        ("cond", |f, x| cond(x.index(0).less(100.0), || f(x), || x)),
        ("switch", |f, x| {
            let y = f(x);
            switch(Var::from(1i64), 2, |k| if k == 0 { x } else { y.sin() })
        }),
        ("cumsum", |f, x| f(x).cumsum(0)),
        ("outer", |f, x| f(x).outer(weights(3)).sum_axes(&[1])),
        ("dot with a vector", |f, x| columns(f(x), 4).dot(weights(4))),
        ("dot of few", |f, x| columns(f(x), 2).dot(weights(6).reshape(&[2, 3]) * x.index(0)).sum_axes(&[1])),
        ("dot of many", |f, x| columns(f(x), 7).dot(weights(63).reshape(&[7, 9]) * x.index(0)).sum_axes(&[1])),
        ("batched dot", |f, x| {
            let y = f(x).reshape(&[N, 1, 1]).broadcast_to(&[N, 3, 4]);
            let z = weights(60).reshape(&[N, 4, 3]) * x.reshape(&[N, 1, 1]);
            y.dot_general(z, [&[2], &[1]], [&[0], &[0]]).sum_axes(&[1, 2])
        }),
        ("prod", |f, x| (columns(f(x), 3) * weights(3)).prod_axes(&[1])),
        ("reduce_max", |f, x| (columns(f(x), 3) + weights(3)).reduce_max(&[1])),
        ("reduce_min", |f, x| (columns(f(x), 3) + weights(3)).reduce_min(&[1])),
        ("broadcast, transpose and reshape", |f, x| {
            f(x).broadcast_to(&[2, N]).transpose(&[1, 0]).reshape(&[2 * N]).reshape(&[N, 2]).sum_axes(&[1])
        }),
        ("concatenate", |f, x| Var::concatenate(&[f(x), x], 0).slice_axis(0, 0, N, 1)),
        ("pad", |f, x| f(x).pad(0.0, &[1], &[1], &[0]).slice_axis(0, 1, N + 1, 1)),
        ("reverse", |f, x| f(x.reverse(&[0])).reverse(&[0])),
        ("cbrt", |f, x| f(x).cbrt()),
        ("hypot", |f, x| f(x).hypot(x)),
        ("atan2", |f, x| f(x).atan2(x)),
        ("max", |f, x| f(x).max(0.1 * x)),
        ("clamp", |f, x| f(x).clamp(-0.9 * x, 1.1 * x)),
        ("norm", |f, x| columns(f(x), 2).square().sum_axes(&[1]).sqrt()),
        ("softmax", |f, x| (columns(f(x), 3) * weights(3)).softmax(1).dot(weights(3))),
        ("std", |f, x| (columns(f(x), 3) * weights(3)).std_axes(&[1])),
        ("convert", |f, x| f(x).convert(DType::F32).convert(DType::F64)),
        ("mul_add", |f, x| f(x).mul_add(x, f(x))),
    ]
}

/// Ways in which the elements that do not count are masked.
fn masks() -> Vec<(&'static str, fn(Var) -> Var)> {
    fn counts() -> Var {
        Var::constant(Array::from_elements([N], (0..N).map(|k| k < N_GOOD).collect::<Vec<bool>>()).unwrap())
    }
    vec![
        ("select", |y| counts().select(y, y.full_like(0.0))),
        ("select twice", |y| {
            let kept = counts().select(y, y.full_like(1.0));
            (!counts()).select(kept.full_like(0.0), kept * kept)
        }),
        ("slice", |y| y.slice_axis(0, 0, N_GOOD, 1)),
        ("pad", |y| y.pad(0.0, &[1], &[N_GOOD as i64 - N as i64], &[0])),
        ("cond", |y| {
            let others = y.slice_axis(0, N_GOOD, N, 1);
            let good = y.slice_axis(0, 0, N_GOOD, 1);
            let rest = cond(good.index(0).greater(1e9), || others.sum(), || Var::from(0.0));
            good + rest
        }),
        ("get", |y| Var::stack(&[y.index(0), y.index(2)], 0)),
    ]
}

/// The loss of the remaining elements, whose cotangent is not constant.
fn loss(z: Var) -> Var {
    (z * z * weights(z.shape()[0])).sum()
}

/// All derivatives of a scalar function of a vector, up to second order in every combination of modes, and to third
/// order in some, contracted with constant directions.
fn derivatives(graph: &Graph, x: &[f64], third: bool) -> Vec<(&'static str, Vec<f64>)> {
    let n = x.len();
    let input = vector(x.to_vec());
    let direction = |k: usize| vector((0..n).map(|i| 0.4 + ((3 * i + 2 * k) % 5) as f64 / 4.0).collect());
    let one_hot = |k: usize| vector((0..n).map(|i| f64::from(u8::from(i == k))).collect());
    let last = |graph: &Graph, inputs: &[Array]| floats(interpret::run(graph, inputs).unwrap().last().unwrap());
    let number = |graph: &Graph, inputs: &[Array]| last(graph, inputs)[0];
    let at = |graph: &Graph| graph.outputs().len() - 1;

    let r = differentiate::grad(graph, 0, &[0]).unwrap();
    let f = differentiate::jvp_of(graph, &[0], &[0]).unwrap();
    let rr = differentiate::vjp_of(&r, &[at(&r)], &[0]).unwrap();
    let fr = differentiate::jvp_of(&r, &[at(&r)], &[0]).unwrap();
    let rf = differentiate::grad(&f, at(&f), &[0]).unwrap();
    let ff = differentiate::jvp_of(&f, &[at(&f)], &[0]).unwrap();
    let (v, w) = (direction(0), direction(1));
    let mut all = vec![
        ("r", last(&r, std::slice::from_ref(&input))),
        ("f", (0..n).map(|k| number(&f, &[input.clone(), one_hot(k)])).collect()),
        ("rr", last(&rr, &[input.clone(), v.clone()])),
        ("fr", last(&fr, &[input.clone(), v.clone()])),
        ("rf", last(&rf, &[input.clone(), v.clone()])),
        ("ff", (0..n).map(|k| number(&ff, &[input.clone(), v.clone(), one_hot(k)])).collect()),
    ];
    if third {
        let rrr = differentiate::vjp_of(&rr, &[at(&rr)], &[0]).unwrap();
        let ffr = differentiate::jvp_of(&fr, &[at(&fr)], &[0]).unwrap();
        let rff = differentiate::grad(&ff, at(&ff), &[0]).unwrap();
        let fff = differentiate::jvp_of(&ff, &[at(&ff)], &[0]).unwrap();
        all.push(("rrr", last(&rrr, &[input.clone(), v.clone(), w.clone()])));
        all.push(("ffr", last(&ffr, &[input.clone(), v.clone(), w.clone()])));
        all.push(("rff", last(&rff, &[input.clone(), v.clone(), w.clone()])));
        let inputs = |k: usize| [input.clone(), v.clone(), w.clone(), one_hot(k)];
        all.push(("fff", (0..n).map(|k| number(&fff, &inputs(k))).collect()));
    }
    all
}

fn vector_function(n: usize, f: impl Fn(Var) -> Var) -> Graph {
    trace(|x: Var| f(x), (Type::new(DType::F64, [n]),)).unwrap()
}

/// Checks that the last output of a graph, a derivative, has the interpreter's bits in native code, optimized or not.
fn check_native(what: &str, graph: &Graph, inputs: &[Array]) {
    let expected = interpret::run(graph, inputs).unwrap();
    let optimized = optimize(graph).unwrap();
    for (how, got) in [
        ("native", Program::compile(graph).unwrap().call(inputs).unwrap()),
        ("optimized", Program::compile(&optimized).unwrap().call(inputs).unwrap()),
    ] {
        let same = got.iter().zip(&expected).all(|(got, expected)| got.same_bits(expected));
        assert!(same, "{what}, {how}: {got:?} is not {expected:?}\n{graph}");
    }
}

/// Checks that derivatives with bad elements equal those with good ones in their position, and are 0 by the bad ones.
fn check_left_out(what: &str, f: &dyn Fn(Var) -> Var, good: [f64; N_GOOD], bad: &[f64], third: bool) -> Vec<String> {
    let graph = vector_function(N, f);
    let others = |elements: &mut dyn Iterator<Item = f64>| good.into_iter().chain(elements.take(N - N_GOOD)).collect();
    let tame: Vec<f64> = others(&mut good.into_iter());
    let x: Vec<f64> = others(&mut bad.iter().copied().cycle());
    let mut wrong = Vec::new();
    for ((order, expected), (_, got)) in
        derivatives(&graph, &tame, third).into_iter().zip(derivatives(&graph, &x, third))
    {
        let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
        let near = |k: usize| (got[k] - expected[k]).abs() <= 1e-9 * size;
        if !((0..N_GOOD).all(near) && (N_GOOD..N).all(|k| got[k] == 0.0 && expected[k] == 0.0)) {
            wrong.push(format!("{what}: {order} {got:?} is not {expected:?}"));
        }
    }
    wrong
}

#[track_caller]
fn none_wrong(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}

#[test]
fn masked_elements_cause_no_nan_in_any_order_of_modes() {
    let mut wrong = Vec::new();
    for (i, wild) in wild().into_iter().enumerate() {
        for (j, (way, pass)) in ways().into_iter().enumerate() {
            // Two masks for each pair, so that each mask is combined with each function and each way.
            for (position, (mask, left)) in masks().into_iter().enumerate().filter(|(k, _)| (i + j + k) % 3 == 0) {
                let f = |x: Var| loss(left(pass(&wild.f, x)));
                let what = format!("{} {way} {mask}", wild.name);
                // Third order for some combinations, so that each way and each mask is included.
                let third = (wild.name.len() + way.len() + position) % 6 == 0;
                wrong.extend(check_left_out(&what, &f, wild.good, wild.bad, third));
            }
        }
    }
    none_wrong(wrong);
}

#[test]
fn native_code_agrees_where_zeros_meet_infinities() {
    for wild in wild() {
        for (way, pass) in ways() {
            let (_, select) = masks()[0];
            let graph = vector_function(N, |x| loss(select(pass(&wild.f, x))));
            let mut x = wild.good.to_vec();
            x.extend(wild.bad);
            let gradient = differentiate::grad(&graph, 0, &[0]).unwrap();
            let inputs = [vector(x), weights_of(N)];
            check_native(&format!("{} {way}", wild.name), &gradient, &inputs[..1]);
            if wild.name == "ln" {
                let second = differentiate::jvp_of(&gradient, &[1], &[0]).unwrap();
                check_native(&format!("{} {way} second", wild.name), &second, &inputs);
            }
        }
    }
}

fn weights_of(n: usize) -> Array {
    vector((0..n).map(|k| 0.5 + k as f64).collect())
}

/// Functions whose composition masks values outside of a domain: derivatives of all orders there are 0.
#[test]
fn compositions_that_mask_by_value() {
    let cases: [(&str, fn(Var) -> Var, &[f64]); 9] = [
        ("acos of clamp", |x| x.clamp(-1.0, 1.0).acos(), &[2.0, -3.0]),
        ("asin of min and max", |x| x.min(1.0).max(-1.0).asin(), &[2.0, -3.0]),
        ("sqrt of max", |x| x.max(0.0).sqrt(), &[-1.0, -0.5]),
        ("sqrt of relu", |x| x.relu().sqrt(), &[-1.0, -0.5]),
        ("ln of relu", |x| x.relu().ln(), &[-1.0, -0.5]),
        ("recip of max", |x| x.max(0.0).recip(), &[-1.0, -2.0]),
        ("atanh of clamp", |x| x.clamp(-1.0, 1.0).atanh(), &[2.0, -3.0]),
        ("cbrt of max", |x| x.max(0.0).cbrt(), &[-1.0, -2.0]),
        ("select", |x| x.greater(0.0).select(x.sqrt(), x.full_like(0.0)), &[0.0, -1.0]),
    ];
    let mut wrong = Vec::new();
    for (name, f, x) in cases {
        for (way, pass) in ways().into_iter().take(12) {
            if ["scan", "switch", "map of the result"].contains(&way) || way.contains("result") {
                continue;
            }
            let graph = vector_function(x.len(), |x| pass(&f, x).sum());
            for (order, got) in derivatives(&graph, x, false) {
                if got.iter().any(|&x| x != 0.0) {
                    wrong.push(format!("{name} {way}: {order} {got:?}"));
                }
            }
        }
    }
    none_wrong(wrong);
}

/// Checks the Hessian of a function of a vector in all combinations of modes.
#[track_caller]
fn check_hessian(name: &str, f: fn(Var) -> Var, x: &[f64], expected: &[&[f64]]) {
    let n = x.len();
    let graph = vector_function(n, f);
    let input = vector(x.to_vec());
    let one_hot = |k: usize| vector((0..n).map(|i| f64::from(u8::from(i == k))).collect());
    let last = |graph: &Graph, inputs: &[Array]| floats(interpret::run(graph, inputs).unwrap().last().unwrap());
    let at = |graph: &Graph| graph.outputs().len() - 1;
    let r = differentiate::grad(&graph, 0, &[0]).unwrap();
    let f = differentiate::jvp_of(&graph, &[0], &[0]).unwrap();
    let rr = differentiate::vjp_of(&r, &[at(&r)], &[0]).unwrap();
    let fr = differentiate::jvp_of(&r, &[at(&r)], &[0]).unwrap();
    let rf = differentiate::grad(&f, at(&f), &[0]).unwrap();
    let ff = differentiate::jvp_of(&f, &[at(&f)], &[0]).unwrap();
    for (k, row) in expected.iter().enumerate() {
        let inputs = [input.clone(), one_hot(k)];
        assert_eq!(last(&rr, &inputs), *row, "{name}: rr, row {k}");
        assert_eq!(last(&fr, &inputs), *row, "{name}: fr, row {k}");
        assert_eq!(last(&rf, &inputs), *row, "{name}: rf, row {k}");
        let row_of_ff: Vec<f64> = (0..n).map(|j| last(&ff, &[input.clone(), one_hot(k), one_hot(j)])[0]).collect();
        assert_eq!(row_of_ff, *row, "{name}: ff, row {k}");
    }
    let whole = differentiate::hessian(&graph, 0, &[0]).unwrap();
    assert_eq!(last(&whole, &[input]), expected.concat(), "{name}: hessian");
}

#[test]
fn hessians_at_kinks_agree_in_all_orders_of_modes() {
    let zero: [&[f64]; 2] = [&[0.0, 0.0], &[0.0, 0.0]];
    check_hessian("norm", |x| x.norm(), &[0.0, 0.0], &zero);
    check_hessian(
        "norm and sine",
        |x| x.sin().norm() + x.index(0) * x.index(1),
        &[0.0, 0.0],
        &[&[0.0, 1.0], &[1.0, 0.0]],
    );
    check_hessian("norm_squared", |x| x.norm_squared(), &[0.0, 0.0], &[&[2.0, 0.0], &[0.0, 2.0]]);
    check_hessian("std", |x| x.std(), &[0.0, 0.0], &zero);
    check_hessian("std of equal values", |x| x.std(), &[3.0, 3.0], &zero);
    check_hessian("hypot", |x| x.index(0).hypot(x.index(1)), &[0.0, 0.0], &zero);
    check_hessian("atan2", |x| x.index(0).atan2(x.index(1)), &[0.0, 0.0], &zero);
    check_hessian("abs", |x| x.abs().sum(), &[0.0, 0.0], &zero);
    check_hessian("logsumexp of -inf", |x| x.logsumexp(&[0]), &[-INF, -INF], &zero);
    check_hessian("logsumexp beside -inf", |x| x.logsumexp(&[0]), &[-INF, 2.0], &zero);
    check_hessian("logaddexp beside -inf", |x| x.index(0).logaddexp(x.index(1)), &[-INF, 2.0], &zero);
    check_hessian("softmax beside -inf", |x| x.softmax(0).square().sum(), &[-INF, 2.0], &zero);
    check_hessian("prod", |x| x.prod(), &[0.0, 0.0], &[&[0.0, 1.0], &[1.0, 0.0]]);
    check_hessian("powf", |x| x.powf(2.0).sum(), &[0.0, 0.0], &[&[2.0, 0.0], &[0.0, 2.0]]);
}

/// The derivatives of powers at 0 are their limits, also in regions: those of `x + x² + x³ + x⁴` at 0 are 1, 2, 6 and
/// 24.
#[test]
fn powers_of_zero_in_regions() {
    let exponents = || weights_from(vec![1.0, 2.0, 3.0, 4.0]);
    let powers: [(&str, fn(Var, Var) -> Var); 6] = [
        ("directly", |x, n| x.broadcast_to(&[4]).powf(n).sum()),
        ("map", |x, n| map(n, |n: Var| x.powf(n)).sum()),
        ("fori_loop", |x, n| fori_loop(1, x.broadcast_to(&[4]), |_, x| x.powf(n)).sum()),
        ("scan", |x, n| scan(x.full_like(0.0), n, |sum, n| (sum + x.powf(n), sum)).0),
        ("while_loop", |x, n| {
            let first = (x.broadcast_to(&[4]), Var::from(0i64));
            while_loop(first, |(_, i)| i.less(1), |(x, i)| (x.powf(n), i + 1)).0.sum()
        }),
        ("checkpoint", |x, n| checkpoint(|x: Var, n: Var| x.broadcast_to(&[4]).powf(n).sum()).call(x, n)),
    ];
    for (way, f) in powers {
        let graph = trace(|x: Var| f(x, exponents()), (DType::F64,)).unwrap();
        let (mut reverse, mut forward) = (graph.clone(), graph);
        let mut inputs = vec![Array::scalar(0.0)];
        for expected in [1.0, 2.0, 6.0, 24.0] {
            let last = reverse.outputs().len() - 1;
            reverse = differentiate::grad(&reverse, last, &[0]).unwrap();
            let got = interpret::run(&reverse, &inputs[..1]).unwrap();
            assert_eq!(floats(got.last().unwrap()), [expected], "{way} in reverse mode");
            let last = forward.outputs().len() - 1;
            forward = differentiate::jvp_of(&forward, &[last], &[0]).unwrap();
            inputs.push(Array::scalar(1.0));
            let got = interpret::run(&forward, &inputs).unwrap();
            assert_eq!(floats(got.last().unwrap()), [expected], "{way} in forward mode");
        }
    }
}

fn weights_from(elements: Vec<f64>) -> Var {
    Var::constant(vector(elements))
}

/// Operations that are linear in an operand, so that the derivative by it does not depend on its value; and those whose
/// derivative is 0 everywhere. By slot.
const LINEAR: [(&str, &[usize]); 19] = [
    ("add", &[0, 1]),
    ("sub", &[0, 1]),
    ("neg", &[0]),
    ("mul", &[0, 1]),
    ("strong_mul", &[0, 1]),
    ("div", &[0]),
    ("rem", &[0]),
    ("fma", &[0, 1, 2]),
    ("strong_fma", &[0, 1, 2]),
    ("copysign", &[1]),
    ("sign", &[0]),
    ("floor", &[0]),
    ("ceil", &[0]),
    ("round", &[0]),
    ("trunc", &[0]),
    ("select", &[1, 2]),
    ("stop_gradient", &[0]),
    ("xlogy", &[0]),
    ("xlog1py", &[0]),
];

/// Numbers on both sides of every domain end.
const POINTS: [f64; 14] = [NAN, -INF, -1e3, -2.0, -1.5, -1.0, -0.25, 0.0, 0.25, 1.0, 1.5, 2.0, 1e3, INF];

#[test]
fn derivatives_are_nan_where_values_are() {
    let mut wrong = Vec::new();
    for (name, _, examples) in retrograd::op::Op::table() {
        let Some(sample) = examples.samples.iter().find(|sample| {
            let types = || sample.operands.iter().map(|(ty, _)| ty.dtype);
            sample.op.derivative().kind() == "elementwise" && types().any(|dtype| dtype == DType::F64)
        }) else {
            continue;
        };
        let n = sample.operands.len();
        let linear = LINEAR.iter().find(|(other, _)| *other == name).map_or(&[][..], |(_, slots)| slots);
        let rows: Vec<Vec<f64>> = (0..POINTS.len().pow(n as u32))
            .map(|row| (0..n).map(|slot| POINTS[row / POINTS.len().pow(slot as u32) % POINTS.len()]).collect())
            .collect();
        let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| Type::new(ty.dtype, [rows.len()])).collect();
        let operands: Vec<Array> = (0..n)
            .map(|slot| {
                let element = |row: &Vec<f64>| retrograd::value::Scalar::F64(row[slot]).convert(types[slot].dtype);
                Array::collect(&types[slot], rows.iter().map(element))
            })
            .collect();
        for slot in (0..n).filter(|slot| !linear.contains(slot) && types[*slot].dtype == DType::F64) {
            let graph = graph_of(&sample.op, &types);
            let ones = vector(vec![1.0; rows.len()]);
            // A few functions have no derivative by a parameter, which is an error.
            let Ok(reverse) = differentiate::vjp_of(&graph, &[0], &[slot]) else { continue };
            let forward = differentiate::jvp_of(&graph, &[0], &[slot]).unwrap();
            let y = floats(&interpret::run(&graph, &operands).unwrap()[0]);
            for (mode, graph) in [("reverse", reverse), ("forward", forward)] {
                let inputs = [&operands[..], std::slice::from_ref(&ones)].concat();
                let got = floats(interpret::run(&graph, &inputs).unwrap().last().unwrap());
                // The power 1 is linear.
                let is_linear = |k: usize| name == "pow" && slot == 0 && rows[k][1] == 1.0;
                let is_lost = |&k: &usize| y[k].is_nan() && !got[k].is_nan() && !is_linear(k);
                let lost: Vec<usize> = (0..rows.len()).filter(is_lost).collect();
                if let Some(&k) = lost.first() {
                    let (row, n) = (&rows[k], lost.len());
                    wrong.push(format!("{name} by operand {slot}: {mode} is {} at {row:?}, and {n} in all", got[k]));
                }
            }
        }
    }
    none_wrong(wrong);
}

/// Maxima and minima, and functions based on reductions.
#[test]
fn nan_propagates_through_reductions() {
    let reductions: [(&str, fn(Var) -> Var); 12] = [
        ("max_all", |x| x.max_all()),
        ("min_all", |x| x.min_all()),
        ("sum", |x| x.square().sum()),
        ("prod", |x| x.prod()),
        ("norm", |x| x.norm()),
        ("std", |x| x.std()),
        ("var", |x| x.var()),
        ("logsumexp", |x| x.logsumexp(&[0])),
        ("softmax", |x| x.softmax(0).square().sum()),
        ("log_softmax", |x| x.log_softmax(0).index(0)),
        ("max", |x| x.index(0).max(x.index(1)) * x.index(2).min(x.index(1))),
        ("hypot", |x| x.index(0).hypot(x.index(1)) * x.index(2)),
    ];
    for (name, f) in reductions {
        let graph = vector_function(3, f);
        for (mode, got) in derivatives(&graph, &[1.0, NAN, 2.0], false).into_iter().take(2) {
            let expected = match name {
                "sum" => &[false, true, false],
                // It is linear in each factor.
                "prod" => &[true, false, true],
                _ => &[true; 3],
            };
            let is_nan: Vec<bool> = got.iter().map(|x| x.is_nan()).collect();
            // The input is assumed to be finite, so a plain product with the tangent 0 may be NaN, too.
            assert!((0..3).all(|k| is_nan[k] || !expected[k]), "{name} {mode}: {got:?}");
        }
    }
    // Derivatives of other rows stay 0.
    let rows = vector_function(6, |x| {
        let largest = x.reshape(&[2, 3]).reduce_max(&[1]);
        largest.index(0) * 3.0
    });
    for (mode, got) in derivatives(&rows, &[1.0, 3.0, 2.0, NAN, 1.0, 2.0], false) {
        let expected = if mode.len() == 1 { [0.0, 3.0, 0.0, 0.0, 0.0, 0.0] } else { [0.0; 6] };
        assert_eq!(got, expected, "{mode}");
    }
}

/// Strong zeros have a cost, which code without poles does not pay: its gradients contain plain products only.
#[test]
fn ordinary_code_keeps_plain_products() {
    let gradients: [(&str, fn(Var) -> Var); 8] = [
        ("rosenbrock", |x| {
            let (a, b) = (x.slice_axis(0, 0, N - 1, 1), x.slice_axis(0, 1, N, 1));
            (100.0 * (b - a.square()).square() + (1.0 - a).square()).sum()
        }),
        ("a chain", |x| x.tanh().exp().sin().sum()),
        ("a perceptron", |x| weights(35).reshape(&[7, N]).dot(x).tanh().square().sum()),
        ("a cell", |x| fori_loop(4, x, |_, h| h.sigmoid() * (h * x).tanh() + 0.5 * h).sum()),
        ("a Gaussian", |x| (-0.5 * x.square()).exp().sum()),
        ("a robust loss", |x| ((1.0 + x.square()).sqrt() - 1.0).sum()),
        ("a rotation", |x| map(x, |x: Var| x.sin() * weights(3) + x.cos()).square().sum()),
        ("a likelihood", |x| -(0.5 * ((0.5 * x).tanh() + 1.0)).ln().sum()),
    ];
    for (name, f) in gradients {
        let gradient = differentiate::grad(&vector_function(N, f), 0, &[0]).unwrap();
        assert!(!gradient.to_string().contains("strong"), "{name}\n{gradient}");
    }
    // Where the exponential overflows its cotangent is 0, and so is the gradient.
    let logistic = vector_function(2, |x| (1.0 / (1.0 + (-x).exp())).sum());
    let gradient = differentiate::grad(&logistic, 0, &[0]).unwrap();
    assert!(gradient.to_string().contains("strong_mul"), "{gradient}");
    let outputs = interpret::run(&gradient, &[vector(vec![-1000.0, 0.0])]).unwrap();
    assert_eq!(floats(&outputs[1]), [0.0, 0.25]);
}

/// In higher orders, zeros of former cotangents and tangents are strong, and zeros of data are not: products with data
/// stay plain, and matrix products are not split, whatever the other factor is.
#[test]
fn zeros_of_data_are_not_strong() {
    let data = Type::new(DType::F64, [7, 3]);
    let loss = |w: Var, x: Var| -(0.5 * (x.dot(w).tanh() + 1.0)).ln().sum();
    let graph = trace(loss, (Type::new(DType::F64, [3]), data.clone())).unwrap();
    let of_map = trace(
        |w: Var, x: Var, ways: Var| {
            let slope = retrograd::grad(|w: Var| loss(w, x));
            map(ways, |t: Var| retrograd::jvp(|w: Var| slope.call(w)).call(w, t).1)
        },
        (Type::new(DType::F64, [3]), data, Type::new(DType::F64, [2, 3])),
    );
    let of_graph = optimize(&differentiate::hessian(&graph, 0, &[0]).unwrap()).unwrap();
    for hessian in [of_graph, optimize(&of_map.unwrap()).unwrap()] {
        let listing = hessian.to_string();
        let strong: Vec<&str> = listing.lines().filter(|line| line.contains(" = strong_")).collect();
        assert!(!strong.is_empty(), "{listing}");
        assert!(strong.iter().all(|line| line.contains("f64[7] =")), "{listing}");
    }
}

/// A zero seed of a derivative propagates as zero, although it is an input like any other.
#[test]
fn zeros_of_seeds_are_strong() {
    let slope = |x: Var, t: Var| retrograd::jvp(|x: Var| x * x).call(x, t).1.sqrt();
    let scalar = || Type::scalar(DType::F64);
    let graph = trace(slope, (scalar(), scalar())).unwrap();
    let of_graph = differentiate::grad(&graph, 0, &[0]).unwrap();
    let of_function = |x: Var, t: Var| (x, retrograd::grad(|x: Var| slope(x, t)).call(x));
    for gradient in [of_graph, trace(of_function, (scalar(), scalar())).unwrap()] {
        let at = |t: f64| floats(&interpret::run(&gradient, &[3.0, t].map(Array::scalar)).unwrap()[1])[0];
        assert_eq!(at(0.0), 0.0, "{gradient}");
        assert_eq!(at(6.0), 1.0, "{gradient}");
    }
}
