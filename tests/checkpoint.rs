//! Checkpointing schedules for loops: bit-identical gradients with fewer states in memory.

pub mod common;

use common::everywhere::run_everywhere;
use retrograd::error::LimitError;
use retrograd::ir::Limits;
use retrograd::op::{Graph, Op, Revolve, Scan, Schedule};
use retrograd::optimize::optimize;
use retrograd::transform::Arguments;
use retrograd::value::{Array, DType, ToTree, Type};
use retrograd::{
    AllArgs, Error, Function, Loop, Program, Var, differentiate, grad, hessian, hvp, interpret, jvp, trace, trace_with,
    while_loop,
};

const SCHEDULES: [Schedule; 5] =
    [Schedule::Sqrt, Schedule::Binomial(1), Schedule::Binomial(2), Schedule::Binomial(5), Schedule::Binomial(1000)];

/// The results of a function, checked to have the same bits from the interpreter and from native code, optimized or
/// not.
#[track_caller]
fn everywhere<F: Function<Args>, Args: Arguments>(f: F, args: impl ToTree) -> Vec<f64> {
    let graph = trace_with(f, &args).unwrap_or_else(|error| panic!("{error}"));
    run_everywhere(&graph, &arrays(args))
}

fn arrays(args: impl ToTree) -> Vec<Array> {
    let mut arrays = Vec::new();
    args.to_tree().for_each(&mut |leaf| arrays.push(leaf.to_array()));
    arrays
}

/// Checks that the gradient of a function by all its arguments is the same with every schedule as without one.
#[track_caller]
fn same_gradients<F: Function<Args>, Args: Arguments>(f: impl Fn(Loop) -> F, args: impl ToTree + Clone) {
    let inputs = arrays(args.clone());
    let gradient = |run: Loop| {
        let graph = trace_with(f(run), &args).unwrap_or_else(|error| panic!("{error}"));
        let all: Vec<usize> = (0..inputs.len()).collect();
        differentiate::grad(&graph, 0, &all).unwrap()
    };
    let plain = run_everywhere(&gradient(Loop::new()), &inputs);
    assert!(plain.iter().all(|x| x.is_finite()) && plain.iter().any(|x| *x != 0.0), "{plain:?}");
    for schedule in SCHEDULES {
        let checkpointed = gradient(Loop::new().checkpoint(schedule));
        assert!(revolves(&checkpointed).next().is_some(), "{schedule:?}: nothing is checkpointed\n{checkpointed}");
        let got = run_everywhere(&checkpointed, &inputs);
        let same = got.len() == plain.len() && got.iter().zip(&plain).all(|(x, y)| x.to_bits() == y.to_bits());
        assert!(same, "{schedule:?}: {got:?}, without {plain:?}\n{checkpointed}");
    }
}

fn revolves(graph: &Graph) -> impl Iterator<Item = Revolve> {
    graph.ids().filter_map(|id| match graph.node(id).op() {
        Some(Op::Revolve(op)) => Some(**op),
        _ => None,
    })
}

/// A predator-prey model, by the classical Runge–Kutta method.
fn step((x, y): (Var, Var), p: [Var; 4]) -> (Var, Var) {
    let slope = |x: Var, y: Var| (p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y);
    let h = 0.01;
    let (a, b) = slope(x, y);
    let (c, d) = slope(x + 0.5 * h * a, y + 0.5 * h * b);
    let (e, f) = slope(x + 0.5 * h * c, y + 0.5 * h * d);
    let (g, i) = slope(x + h * e, y + h * f);
    (x + h / 6.0 * (a + 2.0 * c + 2.0 * e + g), y + h / 6.0 * (b + 2.0 * d + 2.0 * f + i))
}

fn orbit(run: Loop, n: usize) -> impl Fn(Var, Var, [Var; 4]) -> Var + Copy {
    move |x: Var, y: Var, p: [Var; 4]| {
        let (x, y) = run.fori_loop(n, (x, y), |_, state| step(state, p));
        x * y
    }
}

const RATES: [f64; 4] = [1.5, 1.0, 0.75, 3.0];

#[test]
fn gradients_are_the_same_to_the_bit() {
    for n in [1, 2, 7, 50] {
        same_gradients(|run| orbit(run, n), (1.0, 0.5, RATES));
    }
}

#[test]
fn rows_sums_and_reversed_loops() {
    let rows = ndarray::Array1::from_iter((0..13).map(|k| (0.7 * f64::from(k)).sin()));
    for reverse in [false, true] {
        let f = |run: Loop| {
            let run = if reverse { run.reverse() } else { run };
            move |w: Var, b: Var, rows: Var| {
                let zero = w * 0.0;
                let count = Var::constant(Array::scalar(0i64));
                let body = |(x, sum, k): (Var, Var, Var), row: Var| {
                    let next = (w * x + row).tanh() + b * k.convert(DType::F64);
                    ((next, sum + next.square(), k + 1), (next * row, x.exp()))
                };
                let ((last, sum, _), (ys, zs)) = run.scan((zero, zero, count), rows, body);
                last * sum + (ys * zs).sum()
            }
        };
        same_gradients(f, (0.6, 0.1, rows.clone()));
    }
}

fn vector_and_weights(n: usize) -> (ndarray::Array1<f64>, ndarray::Array2<f64>) {
    let w = ndarray::Array2::from_shape_fn((n, n), |(i, j)| (0.3 * i as f64 - 0.5 * j as f64).cos() / 8.0);
    (ndarray::Array1::from_shape_fn(n, |i| (i as f64).sin()), w)
}

/// A loop that saves its states computes sums of products for large weights as one product after the loop, in another
/// order than iteration by iteration. Gradients agree up to the rounding of these sums.
#[test]
fn large_sums_of_products_differ_by_their_order_only() {
    let (x, w) = vector_and_weights(20);
    let args = (x, w);
    let inputs = arrays(args.clone());
    let gradient = |run: Loop| {
        let f = move |x: Var, w: Var| run.fori_loop(9, x, |_, x| w.dot(x).tanh()).sum();
        let graph = trace_with(f, &args).unwrap_or_else(|error| panic!("{error}"));
        run_everywhere(&differentiate::grad(&graph, 0, &[0, 1]).unwrap(), &inputs)
    };
    let plain = gradient(Loop::new());
    let largest = plain.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    for schedule in SCHEDULES {
        let got = gradient(Loop::new().checkpoint(schedule));
        assert_eq!(got.len(), plain.len());
        let apart = got.iter().zip(&plain).fold(0.0f64, |apart, (x, y)| apart.max((x - y).abs()));
        assert!(apart <= 1e-14 * largest, "{schedule:?}: {apart:e} of {largest:e}");
    }
}

#[test]
fn vectors_and_loops_within_loops() {
    let (x, w) = vector_and_weights(12);
    // The inner loop makes a stack, which is freed after each iteration of the outer one.
    let f = |run: Loop| {
        move |x: Var, w: Var| {
            let body = |_: Var, x: Var| {
                let pushed = w.dot(x).tanh();
                let norm = while_loop(pushed.square().sum(), |y| y.greater(0.5), |y| y * 0.7 + y.sin() * 0.1);
                pushed * (1.0 + norm)
            };
            run.fori_loop(9, x, body).sum()
        }
    };
    same_gradients(f, (x, w));
    // Each loop has its own schedule.
    let nested = |run: Loop| {
        move |x: Var| run.fori_loop(6, x, |_, x| run.fori_loop(4, x, |k, x| (x + k.convert(DType::F64)).sin() * 1.3))
    };
    same_gradients(nested, (0.4,));
}

#[test]
fn higher_orders_agree() {
    for schedule in [Schedule::Sqrt, Schedule::Binomial(2)] {
        let looped = |run: Loop| {
            move |p: [Var; 2]| {
                let body = |k: Var, x: Var| (p[0] * x).sin() + p[1] * (k + 1).convert(DType::F64) * 0.1;
                run.fori_loop(6, p[0], body)
            }
        };
        let (plain, checkpointed) = (looped(Loop::new()), looped(Loop::new().checkpoint(schedule)));
        let p = [0.8, 0.3];
        let t = [1.0, -0.5];
        // Reverse over reverse, applied explicitly: the gradient of a product of derivatives.
        let twice = |run: Loop| {
            grad(move |p: [Var; 2]| {
                let slopes = grad(looped(run)).call(p);
                slopes[0] * slopes[1]
            })
        };
        let pairs = [
            (everywhere(hessian(plain), (p,)), everywhere(hessian(checkpointed), (p,))),
            (everywhere(hvp(plain), (p, t)), everywhere(hvp(checkpointed), (p, t))),
            (everywhere(twice(Loop::new()), (p,)), everywhere(twice(Loop::new().checkpoint(schedule)), (p,))),
        ];
        for (plain, checkpointed) in pairs {
            assert_eq!(plain.len(), checkpointed.len());
            for (x, y) in plain.iter().zip(&checkpointed) {
                assert!((x - y).abs() <= 1e-13 * (1.0 + x.abs()), "{plain:?}, {checkpointed:?}");
            }
        }
    }
    let third = |run: Loop| {
        let f = move |x: Var| run.fori_loop(5, x, |_, x| (x * 1.2).sin());
        everywhere(grad(grad(grad(f))), (0.7,))
    };
    let (plain, checkpointed) = (third(Loop::new()), third(Loop::new().checkpoint(Schedule::Sqrt)));
    assert!((plain[0] - checkpointed[0]).abs() <= 1e-12 * plain[0].abs(), "{plain:?}, {checkpointed:?}");
}

#[test]
fn forward_mode_keeps_the_schedule() {
    let f = |x: Var| Loop::new().checkpoint(Schedule::Binomial(3)).fori_loop(9, x, |_, x| x.sin());
    let pushed = trace(move |x: Var, t: Var| jvp(f).call(x, t).1, (DType::F64, DType::F64)).unwrap();
    let pulled = differentiate::grad(&pushed, 0, &[0]).unwrap();
    let schedules: Vec<Schedule> = revolves(&pulled).map(|op| op.schedule).collect();
    assert_eq!(schedules, [Schedule::Binomial(3)], "{pulled}");
}

#[test]
fn a_state_is_what_the_derivative_needs() {
    // The derivative of a sum does not need the sum.
    let f = |x: Var| {
        let run = Loop::new().checkpoint(Schedule::Sqrt);
        run.fori_loop(10, (x, x * 0.0), |_, (x, sum)| (x.sin(), sum + x * x)).1
    };
    let gradient = trace(grad(f), (DType::F64,)).unwrap();
    let states: Vec<usize> = revolves(&gradient).map(|op| op.carry).collect();
    assert_eq!(states, [1], "{gradient}");
}

fn gradient_of_orbit(run: Loop, n: usize) -> Program {
    let types = (DType::F64, DType::F64, vec![DType::F64; 4]);
    let f = move |x: Var, y: Var, p: Vec<Var>| orbit(run, n)(x, y, [p[0], p[1], p[2], p[3]]);
    let graph = trace(grad(f).wrt(AllArgs), types).unwrap();
    Program::compile(&optimize(&graph).unwrap()).unwrap()
}

#[test]
fn memory_is_as_the_schedule_says_and_limited() {
    let inputs: Vec<Array> = [1.0, 0.5].into_iter().chain(RATES).map(Array::scalar).collect();
    let plain = gradient_of_orbit(Loop::new(), 10_000);
    let expected = plain.call(&inputs).unwrap();
    assert!(plain.memory_bytes() > 10_000 * 16);
    // Two numbers and the index of the iteration; two more states to advance through.
    for (schedule, snapshots) in [(Schedule::Sqrt, 199), (Schedule::Binomial(10), 10), (Schedule::Binomial(1), 1)] {
        let n = if snapshots == 1 { 100 } else { 10_000 };
        let program = gradient_of_orbit(Loop::new().checkpoint(schedule), n);
        assert!(program.memory_bytes() < 10_000, "{schedule:?}: {} bytes", program.memory_bytes());
        assert_eq!(program.peak_loop_bytes(), 0);
        let got = program.call(&inputs).unwrap();
        let bytes = (snapshots + 2) * 24usize;
        assert_eq!(program.peak_loop_bytes(), bytes.next_multiple_of(16), "{schedule:?}");
        assert!(n < 10_000 || got == expected, "{schedule:?}: {got:?}, without {expected:?}");
        let program = program.with_loop_memory(bytes - 1);
        for _ in 0..2 {
            assert!(matches!(program.call(&inputs), Err(Error::Limit(LimitError { .. }))), "{schedule:?}");
        }
        assert_eq!(program.with_loop_memory(1 << 20).call(&inputs).unwrap(), got, "{schedule:?}");
    }
}

#[test]
fn limits_within_the_body_end_the_run() {
    let f = |x: Var| {
        let body = |_: Var, x: Var| Loop::new().max_trips(5).while_loop(x, |x| x.less(100.0), |x| x * 3.0) * 0.01;
        Loop::new().checkpoint(Schedule::Binomial(2)).fori_loop(4, x, body).sin()
    };
    // The value is not used, so only the recomputation of the loop remains.
    let graph = optimize(&trace(grad(f), (DType::F64,)).unwrap()).unwrap();
    let program = Program::compile(&graph).unwrap();
    assert!(program.call(&[Array::scalar(1.0)]).is_ok());
    let x = [Array::scalar(1e-9)];
    let [native, interpreted] = [program.call(&x), interpret::run(&graph, &x)];
    let native = native.expect_err("too many iterations").to_string();
    assert!(native.contains("iterations of a loop"), "{native}");
    assert_eq!(native, interpreted.expect_err("too many iterations").to_string());
    assert!(program.call(&[Array::scalar(1.0)]).is_ok());
}

#[test]
fn invalid_schedules_are_errors() {
    let f = |x: Var| Loop::new().checkpoint(Schedule::Sqrt).while_loop(x, |x| x.less(2.0), |x| x * 2.0);
    let error = trace(f, (DType::F64,)).unwrap_err().to_string();
    assert!(error.contains("while_loop: takes no schedule of checkpoints"), "{error}");
    let f = |x: Var| Loop::new().checkpoint(Schedule::Binomial(0)).fori_loop(3, x, |_, x| x * 2.0);
    let error = trace(f, (DType::F64,)).unwrap_err().to_string();
    assert!(error.contains("a binomial schedule needs at least 1 snapshot, but got 0"), "{error}");
}

/// A graph of an operation's documented example, with the operation changed by `op`.
fn with_op(name: &str, op: impl Fn(Op) -> Op) -> Result<Graph, Error> {
    let (_, _, examples) = Op::table().into_iter().find(|(other, ..)| *other == name).unwrap();
    let answer = &examples.answers[0];
    let mut graph = Graph::new("main");
    let inputs: Vec<_> =
        answer.operands.iter().enumerate().map(|(k, x)| graph.add_input(format!("x{k}"), x.ty()).unwrap()).collect();
    graph.add_with_regions(op(answer.op.clone()), &inputs, answer.regions.clone().into(), Default::default())?;
    Ok(graph)
}

#[test]
fn the_verifier_rejects_inconsistent_parameters() {
    let revolve = |change: fn(&mut Revolve)| {
        let changed = |op| match op {
            Op::Revolve(mut op) => {
                change(&mut op);
                Op::Revolve(op)
            }
            other => other,
        };
        with_op("revolve", changed).map_or_else(|error| error.to_string(), |graph| graph.to_string())
    };
    for (change, message) in [
        ((|op| op.cts = 9) as fn(&mut Revolve), "revolve: \"cts\" counts 9 operands, but there are 5"),
        (|op| op.carry = 4, "revolve: \"carry\" counts 4 operands, but there are 3"),
        (|op| op.xs = 3, "revolve: \"xs\" counts 3 operands, but there are 2"),
        (|op| op.length = 4, "revolve: xs[0] must be an array with 4 rows, but got f64[3]"),
        (|op| op.schedule = Schedule::Binomial(0), "a binomial schedule needs at least 1 snapshot, but got 0"),
        (|op| op.cts = 1, "revolve: xs[0] must be an array with 3 rows, but got f64[]"),
    ] {
        let got = revolve(change);
        assert!(got.contains(message), "{got}");
    }
    let shown = revolve(|op| op.schedule = Schedule::Binomial(4));
    assert!(shown.contains("schedule={\"binomial\":4}"), "{shown}");
    let without_length = |op| match op {
        Op::Scan(op) => Scan { length: None, checkpoint: Some(Schedule::Sqrt), ..*op }.into(),
        other => other,
    };
    let error = with_op("scan", without_length).unwrap_err().to_string();
    assert!(error.contains("\"checkpoint\" needs a length"), "{error}");
}

#[test]
fn schedules_in_files() {
    let rows = Type::new(DType::F64, [4]);
    for (schedule, text) in
        [(Schedule::Sqrt, "\"checkpoint\": \"sqrt\""), (Schedule::Binomial(8), "\"checkpoint\": {\"binomial\": 8}")]
    {
        let f = |x: Var| Loop::new().checkpoint(schedule).scan(x.index(0), x, |sum, x| (sum * x, sum.sin())).1.sum();
        let json = trace(f, (rows.clone(),)).unwrap().to_json().unwrap();
        assert!(json.contains(text), "{json}");
        let loaded = Graph::from_json(&json, &Limits::default()).unwrap();
        let pulled = differentiate::grad(&loaded, 0, &[0]).unwrap();
        assert_eq!(revolves(&pulled).map(|op| op.schedule).collect::<Vec<_>>(), [schedule], "{pulled}");
    }
}
