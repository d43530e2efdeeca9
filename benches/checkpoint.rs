//! The cost of checkpointing schedules: memory and time of the gradient of 100,000 Runge–Kutta steps of the
//! Lotka–Volterra equations by initial values and rates. `cargo bench --bench checkpoint` prints a table.

use std::time::{Duration, Instant};

use retrograd::op::Schedule;
use retrograd::optimize::optimize;
use retrograd::value::{Array, DType};
use retrograd::{AllArgs, Loop, Program, Var, trace, value_and_grad};

const STEPS: usize = 100_000;

fn step((x, y): (Var, Var), p: [Var; 4]) -> (Var, Var) {
    let slope = |x: Var, y: Var| (p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y);
    let h = 1e-3;
    let (a, b) = slope(x, y);
    let (c, d) = slope(x + 0.5 * h * a, y + 0.5 * h * b);
    let (e, f) = slope(x + 0.5 * h * c, y + 0.5 * h * d);
    let (g, i) = slope(x + h * e, y + h * f);
    (x + h / 6.0 * (a + 2.0 * c + 2.0 * e + g), y + h / 6.0 * (b + 2.0 * d + 2.0 * f + i))
}

/// Value and gradient of the product of the final populations.
fn program(run: Loop) -> Program {
    let f = move |x: Var, y: Var, p: Vec<Var>| {
        let (x, y) = run.fori_loop(STEPS, (x, y), |_, state| step(state, [p[0], p[1], p[2], p[3]]));
        x * y
    };
    let types = (DType::F64, DType::F64, vec![DType::F64; 4]);
    let graph = trace(value_and_grad(f).wrt(AllArgs), types).expect("the function is traced");
    Program::compile(&optimize(&graph).expect("the graph is optimized")).expect("it compiles")
}

/// The best time of several calls, which take at least a second together.
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

fn bytes(n: usize) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..10_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        _ => format!("{:.1} MB", n as f64 / 1e6),
    }
}

fn main() {
    let inputs: Vec<Array> = [1.0, 0.5, 1.5, 1.0, 0.75, 3.0].map(Array::scalar).into();
    let plain = program(Loop::new());
    let expected = plain.call(&inputs).expect("the call succeeds");
    let mut lines = vec![("none".to_string(), plain)];
    lines.push(("√n".to_string(), program(Loop::new().checkpoint(Schedule::Sqrt))));
    for snapshots in [1_000, 100, 30, 10, 5] {
        let run = Loop::new().checkpoint(Schedule::Binomial(snapshots));
        lines.push((format!("binomial({snapshots})"), program(run)));
    }
    println!("Value and gradient of {STEPS} steps:\n");
    println!("| schedule | memory for the reverse | time | to none |");
    println!("| --- | --- | --- | --- |");
    let mut none = None;
    for (name, program) in lines {
        let got = program.call(&inputs).expect("the call succeeds");
        assert_eq!(got, expected, "{name}: the same bits");
        let memory = program.memory_bytes() + program.peak_loop_bytes();
        let time = best(|| drop(program.call(&inputs).expect("the call succeeds")));
        let none = *none.get_or_insert(time);
        let ratio = time.as_secs_f64() / none.as_secs_f64();
        println!("| {name} | {} | {:.2} ms | {ratio:.2} |", bytes(memory), time.as_secs_f64() * 1e3);
    }
}
