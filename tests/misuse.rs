//! What goes wrong in a user's function is an error that names the user's line and a remedy, and nothing hangs.

use std::sync::{Arc, Mutex};
use std::thread;

use ndarray::array;
use retrograd::ir::Provenance;
use retrograd::op::{Add, Constant, Op, Scan, Sin};
use retrograd::value::{Array, DType, Scalar, Shape, Type};
use retrograd::{
    Error, Graph, Jit, Program, Var, checkpoint, cond, fori_loop, grad, interpret, jit, map, scan, switch, trace,
    while_loop,
};

/// The message of an error, which must name a line of this file from `first` to `last`.
#[track_caller]
fn message(error: Error, first: u32, last: u32) -> String {
    let message = error.to_string();
    let line = message.rsplit_once(&format!("{}:", file!())).and_then(|(_, rest)| rest.split(':').next()?.parse().ok());
    assert!(line.is_some_and(|line: u32| (first..=last).contains(&line)), "not in {first}..={last}: {message}");
    message
}

/// What a closure hands out by way of its surroundings is not there when it has returned.
#[test]
fn a_value_that_leaves_a_region_is_told_at_the_users_line() {
    type Leak = fn(Var) -> Var;
    let first = line!();
    let leaks: [Leak; 7] = [
        |x| {
            let mut kept = x;
            fori_loop(3, x, |_, y| {
                kept = y * 2.0;
                y
            });
            kept + 1.0
        },
        |x| {
            let mut kept = x;
            while_loop(
                x,
                |y| {
                    kept = y;
                    y.less(0.0)
                },
                |y| y + 1.0,
            );
            kept.sin()
        },
        |x| {
            let mut kept = x;
            cond(
                x.less(0.0),
                || {
                    kept = x.sin();
                    x
                },
                || x,
            );
            kept
        },
        |x| {
            let kept = Mutex::new(x);
            let leaky = || {
                *kept.lock().unwrap() = x.sin();
                x
            };
            cond(x.less(0.0), leaky, || *kept.lock().unwrap())
        },
        |x| {
            let kept = Mutex::new(x);
            scan(x, Var::stack(&[x, x], 0), |c, row| {
                *kept.lock().unwrap() = row;
                (c + row, *kept.lock().unwrap())
            });
            let y = *kept.lock().unwrap();
            while_loop(x, |x| x.less(y), |x| x)
        },
        |x| {
            let kept = Mutex::new(x);
            checkpoint(|x: Var| {
                *kept.lock().unwrap() = x.exp();
                x
            })
            .call(x);
            let y = *kept.lock().unwrap();
            map(Var::stack(&[x, x], 0), |_| y).sum()
        },
        |x| {
            let mut kept = x;
            switch(x.convert(DType::I64), 2, |_| {
                kept = x.cos();
                x
            });
            grad(move |x: Var| x * kept).call(x)
        },
    ];
    for (k, leak) in leaks.into_iter().enumerate() {
        // One is what the function returns, to the line that traces it.
        let last = line!() + 1;
        let error = trace(leak, (DType::F64,)).unwrap_err();
        let message = message(error, first, last);
        assert!(message.contains("must be returned by its closure"), "{k}: {message}");
    }
}

#[test]
fn limits_are_told_at_the_users_line_with_a_remedy() {
    let first = line!();
    let long = |x: Var| (0..100).fold(x, |y, _| y.tanh());
    let in_body = |x: Var| fori_loop(3, x, |_, y| (0..100).fold(y, |y, _| y.tanh()));
    let last = line!();
    let errors = [
        jit(long).max_nodes(50).call::<f64>(0.5).unwrap_err(),
        jit(grad(long)).max_nodes(150).call::<f64>(0.5).unwrap_err(),
        jit(in_body).max_nodes(50).call::<f64>(0.5).unwrap_err(),
        jit(grad(in_body)).max_nodes(150).call::<f64>(0.5).unwrap_err(),
    ];
    for error in errors {
        let message = message(error, first, last);
        assert!(message.contains("`Jit::max_nodes` allows more, and `while_loop`"), "{message}");
    }

    let huge = |x: Var| fori_loop(usize::MAX, x, |_, y| y.sin());
    let error = jit(grad(huge)).call::<f64>(0.5).unwrap_err();
    assert!(message(error, line!() - 2, line!()).starts_with("scan, at tests/misuse.rs"));

    let first = line!();
    let f = jit(|x: Var| {
        if x > 1.0 {
            x
        } else if x > 0.0 {
            -x
        } else {
            x * x
        }
    })
    .max_paths(2);
    for x in [2.0, 0.5] {
        let _: f64 = f.call(x).unwrap();
    }
    let message = message(f.call::<f64>(-1.0).unwrap_err(), first, first + 12);
    assert!(
        message.contains("`Jit::max_paths` allows more, and with `select`, `cond` or `while_loop` all are one"),
        "{message}"
    );
}

/// Errors speak of the method that was called and of its operands, not of the operations that it is made of.
#[test]
fn messages_speak_of_the_methods_that_were_called() {
    type Wrong = fn(Var, Var, Var) -> Var;
    let first = line!();
    let cases: [(Wrong, &str); 28] = [
        (
            |a, _, v| a.dot(v),
            "dot: axis 1 of the left operand has extent 3, but axis 0 of the right operand has extent 4\n  \
             %a: f64[2,3] = input\n  %v: f64[4] = input",
        ),
        (
            |a, _, _| a.matmul(a),
            "matmul: axis 1 of the left operand has extent 3, but axis 0 of the right operand has extent 2\n",
        ),
        (
            |a, _, v| Var::stack(&[a, a], 0).matmul(Var::stack(&[v.outer(v), v.outer(v)], 0)),
            "matmul: axis 2 of the left operand has extent 3, but axis 1 of the right operand has extent 4\n",
        ),
        (
            |a, _, v| Var::stack(&[a.t(), a.t()], 0).matmul(Var::stack(&[a, a, a], 0)) + v.sum(),
            "matmul: cannot broadcast the batch axes of [2,3,2] and [3,2,3]\n",
        ),
        (|a, _, v| a.matmul(v.sum()), "matmul: takes vectors and matrices, but got [2,3] and []; use *\n"),
        (|a, n, _| a.outer(n), "outer: operands must have equal dtypes, but got f64 and i64; use convert\n"),
        (
            |a, _, v| Var::stack(&[a, v], 0),
            "stack: takes arrays of one shape and dtype, but got f64[2,3] and f64[4]\n  %a: f64[2,3] = input\n",
        ),
        (|_, n, _| n.mean(), "mean: takes floating-point numbers, but got i64[]; use convert\n  %n: i64[] = input\n"),
        (|_, n, _| n.std_axes(&[]), "std_axes: takes floating-point numbers, but got i64[]; use convert\n"),
        (|a, _, _| a.softmax(2), "softmax: takes an axis below the rank 2, but got 2\n"),
        (|a, _, _| a.sum_axes(&[2]), "sum_axes: "),
        (|a, _, _| a.norm_axes(&[3]), "norm_axes: "),
        (|a, _, _| a.greater(0.0).sum(), "sum: "),
        (|a, _, _| a.index_axis(1, 3), "index_axis: takes an index below the extent 3 of axis 1, but got 3\n"),
        (|a, _, _| a.index(1), "index: takes a vector, but got f64[2,3]; use index_axis\n"),
        (|a, _, _| a.unstack(2)[0], "unstack: takes an axis below the rank 2, but got 2\n"),
        (|a, _, _| a.split(1, &[1, 1])[0], "split: takes extents that add up to 3, but got [1, 1]\n"),
        (|a, _, _| a.slice_axis(1, 2, 7, 1), "slice_axis: "),
        (|a, _, _| a.squeeze(0), "squeeze: takes an axis of extent 1, but axis 0 has extent 2\n"),
        (|a, _, _| a.insert_axis(3), "insert_axis: takes a place of at most the rank 2, but got 3\n"),
        (|a, _, _| a.broadcast_to(&[2, 4]), "broadcast_to: cannot broadcast [2,3] to [2,4]\n  %a: f64[2,3] = input\n"),
        (|_, n, _| n.ln(), "ln: "),
        (|_, n, _| n.sigmoid(), "sigmoid: "),
        (|a, n, _| a.powf(n), "powf: "),
        (|a, n, _| a.less(n), "less: operands must have equal dtypes, but got f64 and i64; use convert\n"),
        (|a, n, _| a.mul_add(n, 1.0), "mul_add: "),
        (
            |a, _, v| a.greater_equal(v),
            "greater_equal: operands must have shapes that broadcast, but got f64[2,3] and f64[4]\n  %a",
        ),
        (|a, n, _| a.take(n, 2), "take: takes an axis below the rank 2, but got 2\n  %a: f64[2,3] = input\n  %n"),
    ];
    let last = line!();
    for (wrong, expected) in cases {
        let types = (Type::new(DType::F64, [2, 3]), DType::I64, Type::new(DType::F64, [4]));
        let error = jit(wrong).arguments(["a", "n", "v"]).trace(&types).unwrap_err();
        let message = message(error, first, last);
        assert!(message.starts_with(expected), "{expected}\n{message}");
    }
    // Within a region the operands are those around it, and the operations of a graph bear their own names.
    let captured = |a: Var, v: Var| cond(a.sum().less(0.0), || a.dot(v), || v);
    let error = trace(captured, (Type::new(DType::F64, [2, 3]), Type::new(DType::F64, [4]))).unwrap_err().to_string();
    assert!(error.starts_with("dot: axis 1") && error.contains("%x: f64[2,3]"), "{error}");
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", Type::new(DType::F64, [2])).unwrap();
    let op = retrograd::op::ReduceSum { axes: vec![1] };
    let error = graph.add(op.into(), &[x], Provenance::default()).unwrap_err().to_string();
    assert!(error.starts_with("reduce_sum: "), "{error}");
}

/// There is no trace to which an error could be told, so it is a panic: at the user's line.
#[test]
fn a_value_outside_of_any_trace_panics_at_the_users_line() {
    let kept = Mutex::new(None);
    let keep = |x: Var| {
        kept.lock().unwrap().replace(x);
        x
    };
    trace(keep, (Type::new(DType::F64, [2]),)).unwrap();
    let x = kept.lock().unwrap().unwrap();
    let first = line!();
    let uses: [fn(Var); 22] = [
        |x| _ = x + 1.0,
        |x| _ = 2.0 * x,
        |x| _ = -x,
        |x| _ = x.sin(),
        |x| _ = x.dot(x),
        |x| _ = x.mean(),
        |x| _ = x.sum(),
        |x| _ = x.ty(),
        |x| _ = x.shape(),
        |x| _ = x.named("x"),
        |x| _ = x > 0.0,
        |x| _ = x == x,
        |x| _ = x.clamp(0.0, 1.0),
        |x| _ = Var::stack(&[x], 0),
        |_| _ = Var::from(1.0),
        |_| _ = [Var::from(1.0)].iter().copied().sum::<Var>(),
        |x| _ = x.index(0),
        |x| _ = cond(x, || x, || x),
        |x| _ = while_loop(x, |x| x, |x| x),
        |x| _ = fori_loop(2, x, |_, x| x),
        |x| _ = scan(x, x, |c, x| (c, x)),
        |x| _ = grad(|x: Var| x).call(x),
    ];
    let last = line!();
    let lines: Arc<Mutex<Vec<(String, u32)>>> = Arc::default();
    let (seen, own, before) = (lines.clone(), thread::current().id(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().id() == own {
            let at = info.location().unwrap();
            seen.lock().unwrap().push((at.file().to_string(), at.line()));
        } else {
            before(info);
        }
    }));
    let outcomes = uses.map(|f| std::panic::catch_unwind(|| f(x)));
    drop(std::panic::take_hook());
    for outcome in outcomes {
        let payload = outcome.unwrap_err();
        let message = payload.downcast_ref::<&str>().unwrap();
        assert_eq!(*message, "a `Var` was used while no trace is open on this thread; use it inside `trace` or `jit`");
    }
    let expected: Vec<(String, u32)> = (first + 2..last - 1).map(|line| (file!().to_string(), line)).collect();
    assert_eq!(*lines.lock().unwrap(), expected);
}

/// Closures one in the other, as deep as the stack is: an error comes first.
#[test]
fn closures_that_nest_too_deep_are_told() {
    fn nested(x: Var, depth: usize) -> Var {
        if depth == 0 { x.sin() } else { checkpoint(move |x: Var| nested(x, depth - 1)).call(x) }
    }
    let first = line!() - 3;
    let error = trace(|x: Var| nested(x, 100_000), (DType::F64,)).unwrap_err();
    let message = message(error, first, first + 1);
    assert!(
        message.starts_with("checkpoint, at ") && message.ends_with("limit of 128 nested regions exceeded"),
        "{message}"
    );
}

/// It would wait for itself.
#[test]
fn a_compiled_function_that_calls_itself_is_an_error() {
    static F: std::sync::LazyLock<Jit<fn(Var) -> Var, (Var,)>> =
        std::sync::LazyLock::new(|| jit(call_f as fn(Var) -> Var));
    fn call_f(x: Var) -> Var {
        let y: Result<f64, Error> = F.call(0.5);
        let error = y.unwrap_err().to_string();
        assert!(error.starts_with("jit: main is called while it is traced, and would wait for itself; "), "{error}");
        assert!(error.contains(file!()), "{error}");
        x * 2.0
    }
    assert_eq!(F.call::<f64>(3.0).unwrap(), 6.0);
    assert_eq!(F.call::<f64>(4.0).unwrap(), 8.0);

    // By way of another.
    static G: std::sync::LazyLock<Jit<fn(Var) -> Var, (Var,)>> =
        std::sync::LazyLock::new(|| jit(call_h as fn(Var) -> Var));
    static H: std::sync::LazyLock<Jit<fn(Var) -> Var, (Var,)>> =
        std::sync::LazyLock::new(|| jit(call_g as fn(Var) -> Var));
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    fn call_h(x: Var) -> Var {
        let y: Result<f64, Error> = H.call(0.5);
        SEEN.lock().unwrap().extend(y.err().map(|error| error.to_string()));
        x + 1.0
    }
    fn call_g(x: Var) -> Var {
        let y: Result<f64, Error> = G.call(0.5);
        SEEN.lock().unwrap().extend(y.err().map(|error| error.to_string()));
        x + 2.0
    }
    assert_eq!(G.call::<f64>(1.0).unwrap(), 2.0);
    assert_eq!(SEEN.lock().unwrap().len(), 1);
    // Calls from within the trace of another function are no circle.
    let inner = Arc::new(jit(|x: Var| x * x));
    let shared = inner.clone();
    let outer = jit(move |x: Var| x * shared.call::<f64>(3.0).unwrap());
    assert_eq!(outer.call::<f64>(2.0).unwrap(), 18.0);
    let threads: Vec<_> = (0..4)
        .map(|k| {
            let inner = inner.clone();
            thread::spawn(move || inner.call::<f64>(f64::from(k)).unwrap())
        })
        .collect();
    assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<f64>(), 14.0);
}

#[test]
fn a_variable_shows_its_name_and_type() {
    let shown = Mutex::new(Vec::new());
    let f = |x: Var, y: Var| {
        let product = (x * y).named("product");
        fori_loop(2, product, |i, z| {
            shown.lock().unwrap().push(format!("{i:?} {z:?} {x:?}"));
            z
        });
        shown.lock().unwrap().push(format!("{x:?} {product:?} {:?}", product.sum()));
        let wrong = x.matmul(y);
        shown.lock().unwrap().push(format!("{wrong:?}"));
        x
    };
    let vector = Type::new(DType::F64, [3]);
    let kept = Mutex::new(None);
    trace(
        |x: Var| {
            kept.lock().unwrap().replace(x);
            x
        },
        (DType::F64,),
    )
    .unwrap();
    assert_eq!(format!("{:?}", kept.lock().unwrap().unwrap()), "Var(of a trace that is not open)");
    trace(f, (vector.clone(), DType::F64)).unwrap_err();
    assert_eq!(
        *shown.lock().unwrap(),
        [
            "Var(%i: i64[]) Var(%carry: f64[3]) Var(%x: f64[3])",
            "Var(%x: f64[3]) Var(%1: f64[3]) Var(%3: f64[])",
            "Var(after an error)",
        ]
    );
}

/// The variants of `Array` are public: elements may lie in any order, which no code may trust.
#[test]
fn arrays_in_another_order_are_refused_or_copied() {
    let transposed = || Array::F64(array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].reversed_axes().into_dyn().into_shared());
    let ordered = transposed().into_row_major();
    let graph = trace(|x: Var| x.exp() * 2.0, (Type::new(DType::F64, [3, 2]),)).unwrap();
    let program = Program::compile(&graph).unwrap();
    let expected = program.call(std::slice::from_ref(&ordered)).unwrap();
    assert_eq!(interpret::run(&graph, &[transposed()]).unwrap(), expected);
    let error = program.call(&[transposed()]).unwrap_err().to_string();
    assert_eq!(error, "x: takes elements in row-major order; use Array::into_row_major");

    let mut constant = Graph::new("f");
    let op = Constant { value: Arc::new(transposed()) };
    let error = constant.add(op.into(), &[], Provenance::default()).unwrap_err().to_string();
    assert_eq!(error, "constant: takes elements in row-major order; use Array::into_row_major");
    let traced = trace(|x: Var| x * Var::constant(transposed()), (DType::F64,)).unwrap();
    let y = Program::compile(&traced).unwrap().call(&[Array::scalar(1.0)]).unwrap();
    assert_eq!(y, [ordered]);
}

#[test]
fn operations_refuse_operands_that_are_not_theirs() {
    let (x, y, v) = (Array::scalar(1.0), Array::scalar(2i64), Array::from_elements([2], vec![1.0, 2.0]).unwrap());
    let eval = |op: Op, operands: &[&Array]| op.eval(operands).unwrap_err().to_string();
    assert_eq!(eval(Add.into(), &[]), "add: takes 2 operands, but got 0");
    assert!(eval(Add.into(), &[&x, &v]).starts_with("add: operands must have equal shapes"));
    assert!(eval(Sin.into(), &[&y]).starts_with("sin: takes floating-point numbers"));
    let op = Scan { carry: 1, xs: 0, length: Some(3), reverse: false, checkpoint: None };
    assert_eq!(eval(op.into(), &[&x]), "scan: holds regions; evaluate a graph with interpret::run");
    assert_eq!(Op::from(Sin).eval(&[&x]).unwrap(), [Array::scalar(1.0f64.sin())]);
    for (_, _, examples) in Op::table() {
        for sample in examples.samples.iter().filter(|sample| sample.regions.is_empty()) {
            // Neither too few operands nor others than these are a panic.
            let _ = sample.op.eval(&[]);
            let _ = sample.op.eval(&[&v, &x, &y, &v, &x]);
            let strange = Array::zeros(&Type::new(DType::Bool, [0, 3]));
            let _ = sample.op.eval(&vec![&strange; sample.operands.len()]);
        }
    }
}

#[test]
fn sizes_that_overflow_are_told() {
    let huge = Shape::from([usize::MAX, usize::MAX]);
    assert_eq!(huge.checked_size(), None);
    assert_eq!(huge.strides().len(), 2);
    let ty = Type::new(DType::F64, huge);
    assert_eq!(ty.checked_bytes(), None);
    assert!(Graph::new("f").add_input("x", ty.clone()).is_err());
    assert!(trace(|x: Var| x, (ty.clone(),)).is_err());
    assert!(trace(|x: Var| x.broadcast_to(&[1 << 40, 1 << 40]), (DType::F64,)).is_err());
    assert_eq!(Array::from_elements([usize::MAX, 2], vec![1.0]), None);
    assert!(std::panic::catch_unwind(|| Array::full(&ty, Scalar::F64(0.0))).is_err(), "documented");
}
