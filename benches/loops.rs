//! Loops in native code compared with the same loops in plain Rust, in the same run. `cargo bench --bench loops` prints
//! three tables: sums in several layouts, with norms and a logistic loss; Runge–Kutta steps of the Lotka–Volterra
//! equations with their gradient; and residuals of bundle adjustment with their Jacobian blocks, mapped over
//! observations.

use std::hint::black_box;
use std::time::{Duration, Instant};

use retrograd::optimize::optimize;
use retrograd::transform::{Arguments, Function, TypeTree};
use retrograd::value::{Array, ArrayMut, ArrayRef, DType, Scalar, Type};
use retrograd::{AllArgs, Program, Var, fori_loop, jacobian, map, trace, value_and_grad};

/// The best time of many calls, which take at least a second together.
fn best(mut call: impl FnMut()) -> Duration {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    let mut n = 0;
    while n < 5 || start.elapsed() < Duration::from_secs(1) {
        let start = Instant::now();
        call();
        best = best.min(start.elapsed());
        n += 1;
    }
    best
}

/// A compiled function with its arguments, buffers for its results, and the time from the function to code.
struct Ready {
    program: Program,
    inputs: Vec<Array>,
    outputs: Vec<Array>,
    compile: Duration,
}

impl Ready {
    fn new<F: Function<Args>, Args: Arguments>(f: F, types: impl TypeTree, inputs: Vec<Array>) -> Ready {
        let start = Instant::now();
        let graph = trace(f, types).expect("the function is traced");
        let program = Program::compile(&optimize(&graph).expect("the graph is optimized")).expect("it compiles");
        let compile = start.elapsed();
        let outputs = program.outputs().iter().map(|(_, ty)| Array::zeros(ty)).collect();
        Ready { program, inputs, outputs, compile }
    }

    fn call(&mut self) {
        let inputs: Vec<ArrayRef<'_>> = self.inputs.iter().map(Array::view).collect();
        let mut outputs: Vec<ArrayMut<'_>> = self.outputs.iter_mut().map(Array::view_mut).collect();
        self.program.call_into(&inputs, &mut outputs).expect("the call succeeds");
    }

    fn numbers(&mut self) -> Vec<f64> {
        self.call();
        self.outputs.iter().flat_map(|y| y.as_slice::<f64>().expect("f64").to_vec()).collect()
    }
}

fn agree(compiled: &[f64], by_hand: &[f64]) {
    assert_eq!(compiled.len(), by_hand.len());
    for (x, y) in compiled.iter().zip(by_hand) {
        assert!((x - y).abs() <= 1e-9 * (1.0 + y.abs()), "compiled {x}, by hand {y}");
    }
}

const STEP: f64 = 0.002;

/// One Runge–Kutta step for prey `x` and predators `y`.
macro_rules! step {
    ($p:expr, $x:expr, $y:expr) => {{
        let (p, x, y) = ($p, $x, $y);
        let slope = |x, y| (p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y);
        let (a, b) = slope(x, y);
        let (c, d) = slope(x + a * (0.5 * STEP), y + b * (0.5 * STEP));
        let (e, f) = slope(x + c * (0.5 * STEP), y + d * (0.5 * STEP));
        let (g, h) = slope(x + e * STEP, y + f * STEP);
        (x + (a + c * 2.0 + e * 2.0 + g) * (STEP / 6.0), y + (b + d * 2.0 + f * 2.0 + h) * (STEP / 6.0))
    }};
}

fn traced(n: usize) -> impl Fn([Var; 4]) -> Var {
    move |p: [Var; 4]| {
        let one = p[0].full_like(1.0);
        let (x, y) = fori_loop(n, (one, one), |_, (x, y)| step!(p, x, y));
        x * x + y
    }
}

fn primal(p: [f64; 4], n: usize) -> f64 {
    let (mut x, mut y) = (1.0, 1.0);
    for _ in 0..n {
        (x, y) = step!(p, x, y);
    }
    x * x + y
}

/// The cotangents through one slope: returns those of `x` and `y`, and adds those of the parameters.
#[inline(always)]
fn pull_slope(p: &[f64; 4], x: f64, y: f64, gx: f64, gy: f64, gp: &mut [f64; 4]) -> (f64, f64) {
    gp[0] += gx * x;
    gp[1] -= gx * x * y;
    gp[2] += gy * x * y;
    gp[3] -= gy * y;
    (gx * (p[0] - p[1] * y) + gy * p[2] * y, -gx * p[1] * x + gy * (p[2] * x - p[3]))
}

/// The adjoint method by hand: states are stored, stages are recomputed.
fn adjoint(p: [f64; 4], n: usize, states: &mut Vec<(f64, f64)>) -> (f64, [f64; 4]) {
    states.clear();
    let (mut x, mut y) = (1.0, 1.0);
    for _ in 0..n {
        states.push((x, y));
        (x, y) = step!(p, x, y);
    }
    let value = x * x + y;
    let (mut gx, mut gy, mut gp) = (2.0 * x, 1.0, [0.0; 4]);
    for &(x, y) in states.iter().rev() {
        let slope = |x, y| (p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y);
        let (a, b) = slope(x, y);
        let (x2, y2) = (x + a * (0.5 * STEP), y + b * (0.5 * STEP));
        let (c, d) = slope(x2, y2);
        let (x3, y3) = (x + c * (0.5 * STEP), y + d * (0.5 * STEP));
        let (e, f) = slope(x3, y3);
        let (x4, y4) = (x + e * STEP, y + f * STEP);
        let (sx, sy) = (gx * (STEP / 6.0), gy * (STEP / 6.0));
        let (hx4, hy4) = pull_slope(&p, x4, y4, sx, sy, &mut gp);
        let (hx3, hy3) = pull_slope(&p, x3, y3, 2.0 * sx + STEP * hx4, 2.0 * sy + STEP * hy4, &mut gp);
        let (hx2, hy2) = pull_slope(&p, x2, y2, 2.0 * sx + 0.5 * STEP * hx3, 2.0 * sy + 0.5 * STEP * hy3, &mut gp);
        let (hx1, hy1) = pull_slope(&p, x, y, sx + 0.5 * STEP * hx2, sy + 0.5 * STEP * hy2, &mut gp);
        (gx, gy) = (gx + hx4 + hx3 + hx2 + hx1, gy + hy4 + hy3 + hy2 + hy1);
    }
    (value, gp)
}

fn lotka_volterra() {
    println!(
        "| steps | compile value | compile gradient | value | by hand | gradient | by hand | gradient / value | value ratio | gradient ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let p = [1.1, 0.4, 0.1, 0.4];
    let inputs = || p.iter().map(|&x| Array::scalar(x)).collect::<Vec<Array>>();
    for n in [10, 1_000, 100_000] {
        let mut value = Ready::new(traced(n), (vec![DType::F64; 4],), inputs());
        let mut gradient = Ready::new(value_and_grad(traced(n)), (vec![DType::F64; 4],), inputs());
        let mut states = Vec::new();
        let (y, g) = adjoint(p, n, &mut states);
        agree(&gradient.numbers(), &[&[y], &g[..]].concat());
        let compiled = [best(|| value.call()), best(|| gradient.call())];
        let by_hand = [
            best(|| {
                black_box(primal(black_box(p), n));
            }),
            best(|| {
                black_box(adjoint(black_box(p), n, &mut states));
            }),
        ];
        let ratio = |x: Duration, y: Duration| x.as_secs_f64() / y.as_secs_f64();
        println!(
            "| {n} | {:.2?} | {:.2?} | {:.2?} | {:.2?} | {:.2?} | {:.2?} | {:.2} | {:.2} | {:.2} |",
            value.compile,
            gradient.compile,
            compiled[0],
            by_hand[0],
            compiled[1],
            by_hand[1],
            ratio(compiled[1], compiled[0]),
            ratio(compiled[0], by_hand[0]),
            ratio(compiled[1], by_hand[1]),
        );
    }
}

/// The residual of one observation: a camera (rotation, center, focal length, principal point, two coefficients of radial
/// distortion), a point, a weight; the definition is that of the ADBench suite.
fn residual(p: Var, feature: Var) -> Var {
    let [r0, r1, r2, c0, c1, c2, focal, u0, v0, a, b, x0, x1, x2, w] = std::array::from_fn(|k| p.index(k));
    let angle = (r0 * r0 + r1 * r1 + r2 * r2).sqrt();
    let (sin, cos) = angle.sin_cos();
    let k = [r0 / angle, r1 / angle, r2 / angle];
    let x = [x0 - c0, x1 - c1, x2 - c2];
    let cross = [k[1] * x[2] - k[2] * x[1], k[2] * x[0] - k[0] * x[2], k[0] * x[1] - k[1] * x[0]];
    let along = (k[0] * x[0] + k[1] * x[1] + k[2] * x[2]) * (1.0 - cos);
    let y: [Var; 3] = std::array::from_fn(|i| x[i] * cos + cross[i] * sin + k[i] * along);
    let u = [y[0] / y[2], y[1] / y[2]];
    let square = u[0] * u[0] + u[1] * u[1];
    let distortion = 1.0 + a * square + b * square * square;
    let projected = [u[0] * distortion * focal + u0, u[1] * distortion * focal + v0];
    Var::stack(&[w * (projected[0] - feature.index(0)), w * (projected[1] - feature.index(1))], 0)
}

/// Residual and Jacobian, differentiated by hand.
#[inline]
fn residual_by_hand(p: &[f64; 15], feature: &[f64; 2], out: &mut [f64; 2], jacobian: &mut [f64; 30]) {
    let [r0, r1, r2, c0, c1, c2, focal, u0, v0, a, b, x0, x1, x2, w] = *p;
    let dot = |x: &[f64; 3], y: &[f64; 3]| x[0] * y[0] + x[1] * y[1] + x[2] * y[2];
    let cross =
        |x: &[f64; 3], y: &[f64; 3]| [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
    let angle = (r0 * r0 + r1 * r1 + r2 * r2).sqrt();
    let (sin, cos) = angle.sin_cos();
    let k = [r0 / angle, r1 / angle, r2 / angle];
    let x = [x0 - c0, x1 - c1, x2 - c2];
    let kx = cross(&k, &x);
    let along = dot(&k, &x);
    let turned = |i: usize| x[i] * cos + kx[i] * sin + k[i] * along * (1.0 - cos);
    let y = [turned(0), turned(1), turned(2)];
    let by_angle: [f64; 3] = std::array::from_fn(|i| -x[i] * sin + kx[i] * cos + k[i] * along * sin);
    let u = [y[0] / y[2], y[1] / y[2]];
    let square = u[0] * u[0] + u[1] * u[1];
    let distortion = 1.0 + a * square + b * square * square;
    let by_square = a + 2.0 * b * square;
    let principal = [u0, v0];
    for i in 0..2 {
        let projected = u[i] * distortion * focal + principal[i];
        out[i] = w * (projected - feature[i]);
        let by_u: [f64; 2] = std::array::from_fn(|j| {
            let own = if i == j { distortion } else { 0.0 };
            w * focal * (own + u[i] * by_square * 2.0 * u[j])
        });
        let g = [by_u[0] / y[2], by_u[1] / y[2], -(by_u[0] * u[0] + by_u[1] * u[1]) / y[2]];
        let (gk, xg, kg) = (dot(&g, &k), cross(&x, &g), cross(&g, &k));
        let by_k: [f64; 3] = std::array::from_fn(|j| xg[j] * sin + (1.0 - cos) * (g[j] * along + x[j] * gk));
        let (through_angle, inward) = (dot(&g, &by_angle), dot(&k, &by_k));
        let row = &mut jacobian[15 * i..15 * (i + 1)];
        for j in 0..3 {
            row[j] = (by_k[j] - k[j] * inward) / angle + k[j] * through_angle;
            let by_x = g[j] * cos + kg[j] * sin + k[j] * gk * (1.0 - cos);
            row[3 + j] = -by_x;
            row[11 + j] = by_x;
        }
        row[6] = w * u[i] * distortion;
        (row[7], row[8]) = if i == 0 { (w, 0.0) } else { (0.0, w) };
        row[9] = w * u[i] * square * focal;
        row[10] = w * u[i] * square * square * focal;
        row[14] = projected - feature[i];
    }
}

fn bundle_adjustment() {
    const N: usize = 30_000;
    let spread = |k: usize| (0.37 * k as f64 + 0.1).sin();
    let center = [0.3, -0.2, 0.5, 0.1, 0.2, -8.0, 500.0, 320.0, 240.0, 0.01, 0.002, 0.4, -0.3, 1.0, 1.0];
    let params: Vec<[f64; 15]> =
        (0..N).map(|n| std::array::from_fn(|k| center[k] * (1.0 + 0.05 * spread(15 * n + k)))).collect();
    let features: Vec<[f64; 2]> = (0..N).map(|n| [300.0 + spread(n), 250.0 + spread(n + 7)]).collect();
    let array = |rows: usize, x: Vec<f64>| Array::from_elements([N, rows], x).expect("its size");
    let inputs = vec![array(15, params.concat()), array(2, features.concat())];
    let types = || (Type::new(DType::F64, [N, 15]), Type::new(DType::F64, [N, 2]));
    let values = |p: Var, features: Var| map((p, features), |(p, feature)| residual(p, feature));
    let blocks = |p: Var, features: Var| {
        map((p, features), |(p, feature)| {
            let block = jacobian(move |p: Var| residual(p, feature)).call(p);
            (residual(p, feature), block)
        })
    };
    let mut value = Ready::new(values, types(), inputs.clone());
    let mut block = Ready::new(blocks, types(), inputs);
    let mut residuals = vec![[0.0; 2]; N];
    let mut jacobians = vec![[0.0; 30]; N];
    let mut by_hand = || {
        for n in 0..N {
            residual_by_hand(&params[n], &features[n], &mut residuals[n], &mut jacobians[n]);
        }
        black_box((&residuals, &jacobians));
    };
    by_hand();
    let hand = best(&mut by_hand);
    agree(&block.numbers(), &[residuals.concat(), jacobians.concat()].concat());
    let compiled = [best(|| value.call()), best(|| block.call())];
    println!("\n| {N} observations | compile | value | compile with Jacobian | value and Jacobian | by hand | ratio |");
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| bundle adjustment | {:.2?} | {:.2?} | {:.2?} | {:.2?} | {hand:.2?} | {:.2} |",
        value.compile,
        compiled[0],
        block.compile,
        compiled[1],
        compiled[1].as_secs_f64() / hand.as_secs_f64(),
    );
}

/// Sums by hand: along the rows by eight accumulators, or over the rows.
fn sum_by_hand(x: &[f64], columns: usize, over_rows: bool) -> Vec<f64> {
    let row_sum = |row: &[f64]| {
        let (chunks, rest) = row.as_chunks::<8>();
        let add = |a: [f64; 8], x: &[f64; 8]| std::array::from_fn(|k| a[k] + x[k]);
        chunks.iter().fold([0.0; 8], add).iter().chain(rest).sum::<f64>()
    };
    if over_rows {
        let mut sums = vec![0.0; columns];
        x.chunks_exact(columns).for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
        return sums;
    }
    vec![x.chunks_exact(columns).map(row_sum).sum()]
}

fn sums() {
    println!("| sum | shape | axes | ns per element | by hand | ratio |");
    println!("|---|---|---|---|---|---|");
    let random = |k: usize| (0.37 * k as f64 + 0.1).sin();
    let line = |name: &str, shape: &[usize], axes: &str, time: Duration, by_hand: Option<Duration>| {
        let n = shape.iter().product::<usize>() as f64;
        let ns = |time: Duration| time.as_secs_f64() * 1e9 / n;
        let hand = by_hand.map(|hand| format!("{:.3} | {:.2}", ns(hand), time.as_secs_f64() / hand.as_secs_f64()));
        println!("| {name} | {shape:?} | {axes} | {:.3} | {} |", ns(time), hand.unwrap_or(" | ".to_string()));
    };
    let cases: [(&[usize], &[usize]); 10] = [
        (&[1_000], &[0]),
        (&[1_000_000], &[0]),
        (&[1000, 1000], &[0]),
        (&[1000, 1000], &[1]),
        (&[1000, 1000], &[0, 1]),
        (&[1_000_000, 2], &[0]),
        (&[1_000_000, 2], &[0, 1]),
        (&[100, 100, 100], &[0, 2]),
        (&[100, 100, 100], &[0, 1]),
        (&[40, 100_000], &[0]),
    ];
    for (shape, axes) in cases {
        for dtype in [DType::F64, DType::F32] {
            let numbers: Vec<f64> = (0..shape.iter().product()).map(random).collect();
            let ty = Type::new(dtype, shape);
            let x = Array::collect(&ty, numbers.iter().map(|&x| Scalar::F64(x).convert(dtype)));
            let mut ready = Ready::new(|x: Var| x.sum_axes(axes), (ty,), vec![x]);
            let time = best(|| ready.call());
            let columns = shape[shape.len() - 1];
            let over_rows = !axes.contains(&(shape.len() - 1));
            let whole = axes.len() == shape.len() || over_rows && axes.len() + 1 == shape.len();
            let by_hand = (dtype == DType::F64 && whole).then(|| {
                agree(&ready.numbers(), &sum_by_hand(&numbers, columns, over_rows));
                best(|| {
                    black_box(sum_by_hand(black_box(&numbers), columns, over_rows));
                })
            });
            line(&format!("sum {dtype}"), shape, &format!("{axes:?}"), time, by_hand);
        }
    }
    for n in [3, 12, 1_000, 1_000_000] {
        let ty = || Type::new(DType::F64, [n]);
        let x = Array::from_elements([n], (0..n).map(random).collect::<Vec<f64>>()).expect("its size");
        let mut norm = Ready::new(|x: Var| x.norm(), (ty(),), vec![x.clone()]);
        line("norm", &[n], "all", best(|| norm.call()), None);
        let mut gradient = Ready::new(value_and_grad(|x: Var| x.norm()), (ty(),), vec![x.clone()]);
        line("norm and gradient", &[n], "all", best(|| gradient.call()), None);
        let mut var = Ready::new(value_and_grad(|x: Var| x.var()), (ty(),), vec![x]);
        line("variance and gradient", &[n], "all", best(|| var.call()), None);
    }
    for dtype in [DType::F64, DType::F32] {
        let shape = [100_000, 100];
        let array = |shape: &[usize]| {
            let numbers = (0..shape.iter().product()).map(|k| Scalar::F64(random(k)).convert(dtype));
            Array::collect(&Type::new(dtype, shape), numbers)
        };
        let inputs = vec![array(&[100]), Array::from_scalar(Scalar::F64(0.1).convert(dtype)), array(&shape)];
        let types = (Type::new(dtype, [100]), Type::scalar(dtype), Type::new(dtype, shape));
        let loss = |w: Var, b: Var, x: Var| {
            let z = x.dot(w) + b;
            ((-z.abs()).exp().ln_1p() + z.max(0.0)).mean()
        };
        let mut logistic = Ready::new(value_and_grad(loss).wrt(AllArgs), types, inputs);
        line(&format!("logistic loss and gradient, {dtype}"), &shape, "", best(|| logistic.call()), None);
    }
    println!();
}

fn main() {
    sums();
    lotka_volterra();
    bundle_adjustment();
}
