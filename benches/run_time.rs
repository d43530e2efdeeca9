//! The run time of native code compared with the same computation in plain Rust, in the same run.
//! `cargo bench --bench run_time`; the table at the end shows the best time of each and the ratio.

#[path = "../examples/common/arm.rs"]
pub mod arm;

use std::hint::black_box;
use std::time::{Duration, Instant};

use arm::{Hand, N_JOINTS, READY, hand, jacobian_by_hand};
use criterion::Criterion;
use retrograd::ir::Limits;
use retrograd::optimize::optimize;
use retrograd::transform::{AllArgs, Arguments, Function, TypeTree};
use retrograd::value::{Array, ArrayMut, ArrayRef, DType, Type};
use retrograd::{Graph, Program, Var, grad, jacobian, jit, linalg, map, trace, value_and_grad, vmap};

/// The best time of one call: compiled, and by hand.
struct Line {
    name: String,
    compiled: Duration,
    by_hand: Duration,
}

/// Measures both, and records the best of all samples.
fn compare(
    criterion: &mut Criterion,
    lines: &mut Vec<Line>,
    name: &str,
    mut compiled: impl FnMut(),
    mut by_hand: impl FnMut(),
) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let mut best = [None; 2];
    let both: [(&str, &mut dyn FnMut()); 2] = [("compiled", &mut compiled), ("by hand", &mut by_hand)];
    for (best, (way, call)) in best.iter_mut().zip(both) {
        group.bench_function(way, |bencher| {
            bencher.iter_custom(|iterations| {
                let start = Instant::now();
                (0..iterations).for_each(|_| call());
                let total = start.elapsed();
                let one = total.div_f64(iterations as f64);
                *best = Some(best.map_or(one, |best: Duration| best.min(one)));
                total
            });
        });
    }
    group.finish();
    if let [Some(compiled), Some(by_hand)] = best {
        lines.push(Line { name: name.to_string(), compiled, by_hand });
    }
}

/// A compiled function with its arguments, and buffers for its results, so that a call allocates nothing.
struct Ready {
    program: Program,
    inputs: Vec<Array>,
    outputs: Vec<Array>,
}

impl Ready {
    fn new<F: Function<Args>, Args: Arguments>(f: F, types: impl TypeTree, inputs: &[&[f64]]) -> Ready {
        let graph = trace(f, types).expect("the function is traced");
        let program = Program::compile(&optimize(&graph).expect("the graph is optimized")).expect("it compiles");
        let types = program.inputs().iter().map(|(_, ty)| ty.shape.clone());
        let inputs = types.zip(inputs).map(|(shape, x)| Array::from_elements(shape, x.to_vec()).expect("its size"));
        let outputs = program.outputs().iter().map(|(_, ty)| Array::zeros(ty)).collect();
        Ready { inputs: inputs.collect(), outputs, program }
    }

    fn call(&mut self) {
        let inputs: Vec<ArrayRef<'_>> = self.inputs.iter().map(Array::view).collect();
        let mut outputs: Vec<ArrayMut<'_>> = self.outputs.iter_mut().map(Array::view_mut).collect();
        self.program.call_into(&inputs, &mut outputs).expect("the call succeeds");
    }

    /// Checks that both results are equal up to rounding.
    fn check(&mut self, output: usize, by_hand: &[f64]) {
        self.call();
        let compiled = self.outputs[output].as_slice::<f64>().expect("an array of f64");
        let near = |(&x, &y): (&f64, &f64)| (x - y).abs() <= 1e-9 * (1.0 + y.abs());
        assert!(compiled.len() == by_hand.len() && compiled.iter().zip(by_hand).all(near), "both ways agree");
    }
}

/// Pseudorandom numbers between -1 and 1, the same in every run.
fn numbers(n: usize) -> Vec<f64> {
    (0..n).map(|i| (0.37 * i as f64 + 0.1).sin()).collect()
}

fn vector(n: usize) -> Type {
    Type::new(DType::F64, [n])
}

fn rosenbrock(criterion: &mut Criterion, lines: &mut Vec<Line>, n: usize) {
    let f = move |x: Var| {
        let (a, b) = (x.slice_axis(0, 0, n - 1, 1), x.slice_axis(0, 1, n, 1));
        (100.0 * (b - a.square()).square() + (1.0 - a).square()).sum()
    };
    let x = numbers(n);
    let plain = |gradient: &mut [f64]| {
        gradient.fill(0.0);
        for i in 0..n - 1 {
            let t = x[i + 1] - x[i] * x[i];
            gradient[i] += -400.0 * t * x[i] - 2.0 * (1.0 - x[i]);
            gradient[i + 1] += 200.0 * t;
        }
    };
    let mut gradient = vec![0.0; n];
    plain(&mut gradient);
    let mut compiled = Ready::new(grad(f), (vector(n),), &[&x]);
    compiled.check(0, &gradient);
    let by_hand = || {
        plain(black_box(&mut gradient));
        black_box(&gradient);
    };
    compare(criterion, lines, &format!("gradient of rosenbrock, n = {n}"), || compiled.call(), by_hand);
}

fn logistic_regression(criterion: &mut Criterion, lines: &mut Vec<Line>) {
    const ROWS: usize = 1_000;
    const COLUMNS: usize = 50;
    let loss = |w: Var, x: Var, target: Var| {
        let p = x.dot(w).sigmoid();
        -(target * p.ln() + (1.0 - target) * (1.0 - p).ln()).sum()
    };
    // Probabilities that are not so close to 1 that 1 - p has no digits left.
    let (w, x) = (numbers(COLUMNS).iter().map(|w| 0.1 * w).collect::<Vec<f64>>(), numbers(ROWS * COLUMNS));
    let target: Vec<f64> = numbers(ROWS).iter().map(|x| f64::from(u8::from(*x > 0.0))).collect();
    let plain = |gradient: &mut [f64]| {
        gradient.fill(0.0);
        let mut total = 0.0;
        for (row, &t) in x.chunks_exact(COLUMNS).zip(&target) {
            let z: f64 = row.iter().zip(&w).map(|(x, w)| x * w).sum();
            let p = 1.0 / (1.0 + (-z).exp());
            total -= t * p.ln() + (1.0 - t) * (1.0 - p).ln();
            gradient.iter_mut().zip(row).for_each(|(g, x)| *g += (p - t) * x);
        }
        total
    };
    let mut gradient = vec![0.0; COLUMNS];
    let total = plain(&mut gradient);
    let types = (vector(COLUMNS), Type::new(DType::F64, [ROWS, COLUMNS]), vector(ROWS));
    let mut compiled = Ready::new(value_and_grad(loss), types, &[&w, &x, &target]);
    compiled.check(0, &[total]);
    compiled.check(1, &gradient);
    let by_hand = || {
        black_box(plain(black_box(&mut gradient)));
    };
    let name = format!("logistic regression {ROWS}×{COLUMNS}, value and gradient");
    compare(criterion, lines, &name, || compiled.call(), by_hand);
}

fn elementwise(criterion: &mut Criterion, lines: &mut Vec<Line>, n: usize) {
    let x = numbers(n);
    let plain = |x: f64| ((0.5 * x).exp() - 1.0).tanh() * x + 0.25;
    let mut y: Vec<f64> = x.iter().map(|&x| plain(x)).collect();
    let mut compiled = Ready::new(|x: Var| ((0.5 * x).exp() - 1.0).tanh() * x + 0.25, (vector(n),), &[&x]);
    compiled.check(0, &y);
    let by_hand = || {
        y.iter_mut().zip(black_box(&x)).for_each(|(y, &x)| *y = plain(x));
        black_box(&y);
    };
    compare(criterion, lines, &format!("exp, tanh and arithmetic, n = {n}"), || compiled.call(), by_hand);
}

fn products(criterion: &mut Criterion, lines: &mut Vec<Line>) {
    const N: usize = 1_000_000;
    const SIDE: usize = 512;
    let (x, y) = (numbers(N), numbers(N + 1)[1..].to_vec());
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let mut compiled = Ready::new(|x: Var, y: Var| x.dot(y), (vector(N), vector(N)), &[&x, &y]);
    compiled.check(0, &[dot(&x, &y)]);
    let by_hand = || {
        black_box(dot(black_box(&x), black_box(&y)));
    };
    compare(criterion, lines, &format!("dot product, n = {N}"), || compiled.call(), by_hand);

    let (matrix, v) = (numbers(SIDE * SIDE), numbers(SIDE));
    let types = (Type::new(DType::F64, [SIDE, SIDE]), vector(SIDE));
    let mut compiled = Ready::new(|a: Var, x: Var| a.dot(x), types, &[&matrix, &v]);
    let mut product: Vec<f64> = matrix.chunks_exact(SIDE).map(|row| dot(row, &v)).collect();
    compiled.check(0, &product);
    let by_hand = || {
        let rows = black_box(&matrix).chunks_exact(SIDE);
        product.iter_mut().zip(rows).for_each(|(y, row)| *y = dot(row, &v));
        black_box(&product);
    };
    compare(criterion, lines, &format!("matrix × vector, {SIDE}×{SIDE}"), || compiled.call(), by_hand);
}

/// What structure saves: products of which half is known, beside those of dense matrices of the same extents.
fn structured_products(criterion: &mut Criterion, lines: &mut Vec<Line>, side: usize) {
    let x = numbers(side * side);
    let y = numbers(side * side + 1)[1..].to_vec();
    let lower: Vec<f64> = (0..side * side).map(|k| if k % side <= k / side { x[k] } else { 0.0 }).collect();
    let matrix = || Type::new(DType::F64, [side, side]);
    let product =
        |x: &[f64], y: &[f64]| Ready::new(|x: Var, y: Var| x.dot(y.transpose(&[1, 0])), (matrix(), matrix()), &[x, y]);
    for (name, x, y) in [("X·Xᵀ", &x, &x), ("L·Y", &lower, &y), ("L·Lᵀ", &lower, &lower)] {
        let (mut compiled, mut dense) = (product(x, y), product(&y[..], &numbers(side * side + 2)[2..]));
        compare(criterion, lines, &format!("{name} beside X·Y, {side}×{side}"), || compiled.call(), || dense.call());
    }
}

/// The overhead of a call with almost no computation.
fn calls(criterion: &mut Criterion, lines: &mut Vec<Line>) {
    let f = |x: Var, y: Var| x * y + x;
    let plain: fn(f64, f64) -> f64 = |x, y| x * y + x;
    let by_hand = || {
        black_box(black_box(plain)(black_box(1.5), black_box(2.0)));
    };
    let compiled = jit(f);
    let through_jit = || {
        let y: f64 = compiled.call(black_box(1.5), black_box(2.0)).expect("the call succeeds");
        black_box(y);
    };
    compare(criterion, lines, "call of x·y + x: jit", through_jit, by_hand);
    let ready = Ready::new(f, (DType::F64, DType::F64), &[&[1.5], &[2.0]]);
    let mut y = [0.0];
    let scalars = || {
        ready.program.call_scalars(black_box(&[1.5, 2.0]), &mut y).expect("the call succeeds");
        black_box(y);
    };
    compare(criterion, lines, "call of x·y + x: call_scalars", scalars, by_hand);
}

/// The derivatives of the position and the axes of a robot's hand by its seven joints.
fn robot_arm(criterion: &mut Criterion, lines: &mut Vec<Line>) {
    let by_hand = || {
        black_box(jacobian_by_hand(black_box(READY)));
    };
    let compiled = jit(jacobian(hand::<Var>));
    let (place, _): Hand<[f64; N_JOINTS]> = compiled.call(READY).expect("the call succeeds");
    let expected = jacobian_by_hand(READY).0;
    let near = place.iter().flatten().zip(expected.iter().flatten()).all(|(x, y)| (x - y).abs() < 1e-14);
    assert!(near, "both ways agree");
    let through_jit = || {
        let slopes: Hand<[f64; N_JOINTS]> = compiled.call(black_box(READY)).expect("the call succeeds");
        black_box(slopes);
    };
    compare(criterion, lines, "Jacobian of 7 joints: jit", through_jit, by_hand);

    let graph = trace(jacobian(hand::<Var>), ([DType::F64; N_JOINTS],)).expect("the function is traced");
    let program = Program::compile(&optimize(&graph).expect("the graph is optimized")).expect("it compiles");
    let mut slopes = vec![0.0; program.outputs().len()];
    let scalars = || {
        program.call_scalars(black_box(&READY), &mut slopes).expect("the call succeeds");
        black_box(&slopes);
    };
    compare(criterion, lines, "Jacobian of 7 joints: call_scalars", scalars, by_hand);
}

/// The time to read and verify a file of `n` operations, compared with just parsing its JSON.
fn loading(criterion: &mut Criterion, lines: &mut Vec<Line>, n: usize) {
    let chain = move |x: Var| (0..n / 4).fold(x, |y, _| (y * x + 0.5).sin());
    let graph = trace(chain, (DType::F64,)).expect("the function is traced");
    let text = graph.to_json().expect("the graph verifies");
    let load = || {
        black_box(Graph::from_json(black_box(&text), &Limits::default()).expect("the file is sound"));
    };
    let parse = || {
        black_box(serde_json::from_str::<serde_json::Value>(black_box(&text)).expect("the file is JSON"));
    };
    compare(criterion, lines, &format!("load {} nodes, beside serde_json", graph.n_ops()), load, parse);
}

/// The gradient, by matrices and right-hand sides, of the sum of squares of the solutions of many systems of 3 unknowns.
fn small_systems(criterion: &mut Criterion, lines: &mut Vec<Line>) {
    const N: usize = 100_000;
    let one = |a: Var, b: Var| {
        let x = linalg::solve(a, b);
        x.dot(x)
    };
    let by_map = move |a: Var, b: Var| map((a, b), move |(a, b)| one(a, b)).sum();
    let by_stacks = |a: Var, b: Var| linalg::solve(a, b.reshape(&[N, 3, 1])).square().sum();
    // Elements that follow no rule, which a row is exchanged for in every other matrix.
    let element = |k: usize| (0.37 * (k * k) as f64).sin() + f64::from(u8::from((k % 9).is_multiple_of(4)));
    let (a, b) = ((0..9 * N).map(element).collect::<Vec<f64>>(), numbers(3 * N));
    let plain = |gradient: &mut [f64]| {
        let (of_a, of_b) = gradient.split_at_mut(9 * N);
        for k in 0..N {
            let a: &[f64; 9] = a[9 * k..][..9].try_into().expect("a matrix");
            let b: &[f64; 3] = b[3 * k..][..3].try_into().expect("a vector");
            let [slope_a, slope_b] = gradient_of_system(a, b);
            of_a[9 * k..][..9].copy_from_slice(&slope_a);
            of_b[3 * k..][..3].copy_from_slice(&slope_b[..3]);
        }
    };
    let mut gradient = vec![0.0; 12 * N];
    plain(&mut gradient);
    let types = (Type::new(DType::F64, [N, 3, 3]), Type::new(DType::F64, [N, 3]));
    let vmapped = move |a: Var, b: Var| vmap(one).call(a, b).sum();
    let mut ways = [
        ("map", Ready::new(grad(by_map).wrt(AllArgs), types.clone(), &[&a, &b])),
        ("vmap", Ready::new(grad(vmapped).wrt(AllArgs), types.clone(), &[&a, &b])),
        ("stacks", Ready::new(grad(by_stacks).wrt(AllArgs), types, &[&a, &b])),
    ];
    for (way, compiled) in &mut ways {
        compiled.check(0, &gradient[..9 * N]);
        compiled.check(1, &gradient[9 * N..]);
        let by_hand = || {
            plain(black_box(&mut gradient));
            black_box(&gradient);
        };
        compare(criterion, lines, &format!("gradient of {N} systems of 3, {way}"), || compiled.call(), by_hand);
    }
}

/// By elimination with row exchanges: the gradients by the matrix and by the right-hand side.
fn gradient_of_system(a: &[f64; 9], b: &[f64; 3]) -> [[f64; 9]; 2] {
    let mut u = *a;
    let mut rows = [0, 1, 2];
    for k in 0..2 {
        let size = |i: usize| u[3 * i + k].abs();
        let pivot = (k..3).fold(k, |best, i| if size(i) > size(best) { i } else { best });
        if pivot != k {
            (0..3).for_each(|j| u.swap(3 * k + j, 3 * pivot + j));
            rows.swap(k, pivot);
        }
        for i in k + 1..3 {
            u[3 * i + k] /= u[3 * k + k];
            (k + 1..3).for_each(|j| u[3 * i + j] -= u[3 * i + k] * u[3 * k + j]);
        }
    }
    let mut x = rows.map(|row| b[row]);
    x[1] -= u[3] * x[0];
    x[2] -= u[6] * x[0] + u[7] * x[1];
    x[2] /= u[8];
    x[1] = (x[1] - u[5] * x[2]) / u[4];
    x[0] = (x[0] - u[1] * x[1] - u[2] * x[2]) / u[0];
    let mut y = x.map(|x| 2.0 * x);
    y[0] /= u[0];
    y[1] = (y[1] - u[1] * y[0]) / u[4];
    y[2] = (y[2] - u[2] * y[0] - u[5] * y[1]) / u[8];
    y[1] -= u[7] * y[2];
    y[0] -= u[3] * y[1] + u[6] * y[2];
    let mut slopes = [[0.0; 9]; 2];
    rows.into_iter().zip(y).for_each(|(row, y)| slopes[1][row] = y);
    (0..9).for_each(|k| slopes[0][k] = -slopes[1][k / 3] * x[k % 3]);
    slopes
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut lines = Vec::new();
    small_systems(&mut criterion, &mut lines);
    calls(&mut criterion, &mut lines);
    rosenbrock(&mut criterion, &mut lines, 10);
    rosenbrock(&mut criterion, &mut lines, 1_000);
    rosenbrock(&mut criterion, &mut lines, 100_000);
    logistic_regression(&mut criterion, &mut lines);
    elementwise(&mut criterion, &mut lines, 1_000_000);
    products(&mut criterion, &mut lines);
    [100, 200, 300, 500].into_iter().for_each(|side| structured_products(&mut criterion, &mut lines, side));
    robot_arm(&mut criterion, &mut lines);
    loading(&mut criterion, &mut lines, 100_000);
    println!("\n{:<50}{:>14}{:>14}{:>8}", "best of one call", "compiled", "by hand", "ratio");
    for Line { name, compiled, by_hand } in &lines {
        let ratio = compiled.as_secs_f64() / by_hand.as_secs_f64();
        println!("{name:<50}{:>14}{:>14}{ratio:>8.2}", format!("{compiled:.2?}"), format!("{by_hand:.2?}"));
    }
    criterion.final_summary();
}
