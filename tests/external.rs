//! Functions of the host, by name: in native code and interpreter alike, from several threads, in every region; what
//! they return, what they panic with, and what is not registered.

pub mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use retrograd::error::ExternalError;
use retrograd::ir::Limits;
use retrograd::op::{External, Op};
use retrograd::optimize::optimize;
use retrograd::value::{Array, ArrayMut, ArrayRef, DType, Type};
use retrograd::{
    Error, Graph, Program, Var, cond, custom_jvp, custom_vjp, differentiate, external, grad, interpret, jit, jvp, map,
    scan, trace, while_loop,
};

/// Registers a function of the elements of the first operand.
fn elementwise(name: &str, f: impl Fn(f64) -> f64 + Send + Sync + 'static) {
    external::register(name, move |operands, results| {
        let x = operands[0].as_slice::<f64>().ok_or("takes f64 in row-major order")?;
        let y = results[0].as_slice_mut::<f64>().ok_or("gives f64")?;
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
        Ok::<(), &str>(())
    })
    .unwrap();
}

fn apply(name: &'static str) -> impl Fn(Var) -> Var + Copy {
    move |x: Var| external(name, &[x], [x.ty()])[0]
}

/// The results of a graph, checked to have the same bits from the interpreter and from native code, as traced and
/// optimized, saved and loaded.
#[track_caller]
fn everywhere(graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    let expected = interpret::run(graph, inputs).unwrap();
    for graph in [graph, &optimize(graph).unwrap()] {
        let text = graph.to_json().unwrap();
        let loaded = Graph::from_json(&text, &Limits::default()).unwrap();
        assert_eq!(loaded.to_json().unwrap(), text);
        let program = Program::compile(&loaded).unwrap().with_poisoned_memory();
        for got in [interpret::run(&loaded, inputs).unwrap(), program.call(inputs).unwrap()] {
            assert!(got.iter().zip(&expected).all(|(x, y)| x.same_bits(y)), "{got:?} is not {expected:?}\n{graph}");
        }
    }
    expected
}

fn vector(x: &[f64]) -> Array {
    Array::from_elements([x.len()], x.to_vec()).unwrap()
}

unsafe extern "C" {
    safe fn j0(x: f64) -> f64;
    safe fn j1(x: f64) -> f64;
}

#[test]
fn a_function_of_a_c_library_with_its_derivative() -> Result<(), Error> {
    elementwise("libm.j0", |x| j0(x));
    elementwise("libm.j1", |x| j1(x));
    let rule = |(x,): (Var,), _: Var, ct: Var| (-ct * apply("libm.j1")(x),);
    let bessel = move |x: Var| custom_vjp(apply("libm.j0"), rule).call(x);
    let graph = trace(move |x: Var| grad(move |x: Var| bessel(x).sum()).call(x), (Type::new(DType::F64, [3]),))?;
    let x = [0.5, 1.0, 7.0];
    assert_eq!(everywhere(&graph, &[vector(&x)]), [vector(&x.map(|x| -j1(x)))]);
    let forward: (f64, f64) = jit(jvp(bessel)).call(2.0, 0.5)?;
    assert_eq!(forward, (j0(2.0), -0.5 * j1(2.0)));
    // From the file alone, to the second order.
    let file = Graph::from_json(&trace(bessel, (DType::F64,))?.to_json()?, &Limits::default())?;
    let first = differentiate::grad(&file, 0, &[0])?;
    assert_eq!(everywhere(&first, &[Array::scalar(1.5)])[1], Array::scalar(-j1(1.5)));
    // The rule itself calls a function without a derivative.
    let error = differentiate::grad(&first, 1, &[0]).unwrap_err().to_string();
    assert!(error.starts_with("external: has no derivative by its first operand"), "{error}");
    Ok(())
}

#[test]
fn a_measured_table_is_interpolated() -> Result<(), Error> {
    let table = [(0.0, 1.0), (1.0, 3.0), (3.0, 2.0)];
    external::register("viscosity", move |operands, results| {
        let x = operands[0].as_slice::<f64>().ok_or("takes f64")?;
        let [values, slopes] = results else { return Err("gives values and slopes".to_string()) };
        let values = values.as_slice_mut::<f64>().ok_or("gives f64")?;
        let slopes = slopes.as_slice_mut::<f64>().ok_or("gives f64")?;
        for (k, &x) in x.iter().enumerate() {
            let cell = table.windows(2).find(|cell| (cell[0].0..=cell[1].0).contains(&x));
            let [(x0, y0), (x1, y1)] = cell.ok_or_else(|| format!("{x} is beyond the table"))? else { continue };
            slopes[k] = (y1 - y0) / (x1 - x0);
            values[k] = y0 + slopes[k] * (x - x0);
        }
        Ok(())
    })?;
    let both = |x: Var| external("viscosity", &[x], [x.ty(), x.ty()]);
    let curve =
        move |x: Var| custom_jvp(move |x: Var| both(x)[0], move |(x,): (Var,), _, (t,): (Var,)| t * both(x)[1]).call(x);
    let ty = Type::new(DType::F64, [3]);
    let graph = trace(move |x: Var| (curve(x), grad(move |x: Var| curve(x).square().sum()).call(x)), (ty,))?;
    let outputs = everywhere(&graph, &[vector(&[0.5, 2.0, 3.0])]);
    assert_eq!(outputs, [vector(&[2.0, 2.5, 2.0]), vector(&[8.0, -2.5, -2.0])]);
    let error = jit(curve).call::<f64>(4.0).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("external function \"viscosity\": 4 is beyond the table\n  at tests/external.rs:"),
        "{error}"
    );
    // In a loop: the reverse run takes what was computed.
    let walk = move |x: Var| scan(x, x.broadcast_to(&[4]), move |y, x| (0.5 * curve(y) + 0.1 * x, ())).0;
    let graph = trace(grad(walk), (DType::F64,))?;
    let slope = everywhere(&graph, &[Array::scalar(0.5)]);
    let value = |x: f64| jit(walk).call::<f64>(x);
    let difference = (value(0.5 + 1e-6)? - value(0.5 - 1e-6)?) / 2e-6;
    let slope = slope[0].as_slice::<f64>().unwrap()[0];
    assert!((slope - difference).abs() < 1e-8, "{slope}, {difference}");
    Ok(())
}

#[test]
fn results_of_several_dtypes_are_zero_where_nothing_is_written_and_nan_is_passed_on() -> Result<(), Error> {
    external::register("several", |operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]| {
        let x = operands[0].as_slice::<f64>().ok_or("takes f64")?;
        results[0].as_slice_mut::<f64>().ok_or("gives f64")?[1] = f64::NAN;
        results[1].as_slice_mut::<i64>().ok_or("gives i64")?[2] = x.len() as i64;
        results[2].as_slice_mut::<bool>().ok_or("gives bool")?[0] = true;
        results[3].as_slice_mut::<f32>().ok_or("gives f32")?[0] = 0.5;
        Ok::<(), &str>(())
    })?;
    let types = || [DType::F64, DType::I64, DType::Bool, DType::F32].map(|dtype| Type::new(dtype, [3]));
    let ty = Type::new(DType::F64, [2]);
    let graph = trace(
        move |x: Var| {
            let [a, b, c, d] = external("several", &[x.exp()], types());
            // The blocks of the arena that they get held other numbers before.
            (a * x.exp().sum(), b + 1, !c, d.exp(), a)
        },
        (ty.clone(),),
    )?;
    let outputs = everywhere(&graph, &[vector(&[0.0, 0.0])]);
    let a = vector(&[0.0, f64::NAN, 0.0]);
    assert!(outputs[0].same_bits(&a) && outputs[4].same_bits(&a), "{outputs:?}");
    assert_eq!(outputs[1].as_slice::<i64>(), Some(&[1, 1, 3][..]));
    assert_eq!(outputs[2].as_slice::<bool>(), Some(&[false, true, true][..]));
    assert_eq!(outputs[3].as_slice::<f32>(), Some(&[0.5f32.exp(), 1.0, 1.0][..]));
    // One result is used, of which the rest are left over.
    let graph = trace(move |x: Var| external("several", &[x], types())[1], (ty,))?;
    assert_eq!(everywhere(&graph, &[vector(&[0.0, 0.0])])[0].as_slice::<i64>(), Some(&[0, 0, 2][..]));
    Ok(())
}

#[test]
fn operands_are_in_row_major_order_whatever_they_are_views_of() -> Result<(), Error> {
    elementwise("negative", |x| -x);
    let matrix = Type::new(DType::F64, [2, 3]);
    let f = |x: Var| {
        let negative = apply("negative");
        (
            negative(x.t()),
            negative(x.reverse(&[1])),
            negative(x.index_axis(0, 0).broadcast_to(&[2, 3])),
            negative(x.slice_axis(1, 0, 3, 2)),
        )
    };
    let graph = trace(f, (matrix,))?;
    let x = Array::from_elements([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let outputs = everywhere(&graph, &[x]);
    let expected: [&[f64]; 4] = [
        &[-1.0, -4.0, -2.0, -5.0, -3.0, -6.0],
        &[-3.0, -2.0, -1.0, -6.0, -5.0, -4.0],
        &[-1.0, -2.0, -3.0, -1.0, -2.0, -3.0],
        &[-1.0, -3.0, -4.0, -6.0],
    ];
    for (output, expected) in outputs.iter().zip(expected) {
        assert_eq!(output.as_slice::<f64>(), Some(expected));
    }
    Ok(())
}

#[test]
fn what_fails_ends_the_call_in_an_error_from_any_thread() -> Result<(), Error> {
    external::register("moody", |operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]| {
        let x = operands[0].as_slice::<f64>().ok_or("takes f64")?[0];
        assert!(x != 13.0, "{x} is unlucky");
        if x > 100.0 {
            return Err("too large");
        }
        results[0].as_slice_mut::<f64>().ok_or("gives f64")?[0] = 2.0 * x;
        Ok(())
    })?;
    let f = |x: Var| scan(x, x.broadcast_to(&[3]), |y, _| (apply("moody")(y), ())).0 + 1.0;
    let graph = trace(f, (DType::F64,))?;
    let program = Program::compile(&graph)?;
    let outcomes = |x: f64| {
        let inputs = [Array::scalar(x)];
        let mut y = [0.0];
        [
            interpret::run(&graph, &inputs).map(|y| y[0].as_slice::<f64>().unwrap()[0]),
            program.call(&inputs).map(|y| y[0].as_slice::<f64>().unwrap()[0]),
            program.call_scalars(&[x], &mut y).map(|()| y[0]),
        ]
    };
    let check = |x: f64| {
        for outcome in outcomes(x) {
            match outcome {
                Ok(y) => assert_eq!(y, 8.0 * x + 1.0),
                Err(Error::External(ExternalError::Panicked { name, message, at })) => {
                    let at = at.unwrap().to_string();
                    assert!(
                        name == "moody" && message == "13 is unlucky" && at.starts_with("tests/external.rs:"),
                        "{at}"
                    );
                    assert!([13.0, 6.5, 3.25].contains(&x));
                }
                Err(Error::External(ExternalError::Failed { name, message, .. })) => {
                    assert!(name == "moody" && message == "too large" && x > 25.0);
                }
                Err(other) => panic!("{x}: {other}"),
            }
        }
    };
    thread::scope(|scope| {
        for k in 0..8 {
            scope.spawn(move || (0..200).for_each(|n| check([1.0, 13.0, 200.0, 6.5, 30.0, 0.25][(n + k) % 6])));
        }
    });
    let panicked = program.call(&[Array::scalar(3.25)]).unwrap_err().to_string();
    assert!(panicked.starts_with("external function \"moody\": panicked: 13 is unlucky"), "{panicked}");
    // A program within a function of the host fails by itself.
    external::register("nested", move |operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]| {
        let inner = program.call(&[operands[0].to_array()]);
        results[0].as_slice_mut::<f64>().ok_or("gives f64")?[0] = if inner.is_err() { -1.0 } else { 1.0 };
        if operands[0].as_slice::<f64>() == Some(&[200.0]) { Err("outer") } else { Ok(()) }
    })?;
    let nested = jit(apply("nested"));
    assert_eq!((nested.call::<f64>(1.0)?, nested.call::<f64>(30.0)?), (1.0, -1.0));
    let error = nested.call::<f64>(200.0).unwrap_err().to_string();
    assert!(error.starts_with("external function \"nested\": outer"), "{error}");
    Ok(())
}

#[test]
fn unknown_functions_are_named() -> Result<(), Error> {
    let ty = || Type::scalar(DType::F64);
    let error = trace(apply("unheard of"), (DType::F64,)).unwrap_err().to_string();
    assert!(error.starts_with("external: this program has registered no function \"unheard of\""), "{error}");
    assert!(error.contains("external::register") && error.contains("tests/external.rs:"), "{error}");
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", ty())?;
    let op = External { function: "from a file".to_string(), results: vec![ty()] };
    let y = graph.add(Op::from(op), &[x], Default::default())?;
    graph.add_output("y", y.into())?;
    // It can be kept, loaded, optimized and looked at.
    let graph = optimize(&Graph::from_json(&graph.to_json()?, &Limits::default())?)?;
    assert!(graph.to_string().contains("external %x function=\"from a file\" results=[\"f64[]\"]"), "{graph}");
    for error in [
        Program::compile(&graph).err().unwrap(),
        Program::compile_tiered(graph.clone()).err().unwrap(),
        interpret::run(&graph, &[Array::scalar(1.0)]).unwrap_err(),
    ] {
        assert_eq!(error, ExternalError::Unknown { name: "from a file".to_string(), at: None }.into());
    }
    elementwise("from a file", |x| x + 1.0);
    let program = Program::compile(&graph)?;
    // A program keeps what it was compiled with.
    assert!(external::replace("from a file", |_, _| Err("another")));
    assert_eq!(program.call(&[Array::scalar(1.0)])?, [Array::scalar(2.0)]);
    assert!(matches!(Program::compile(&graph)?.call(&[Array::scalar(1.0)]), Err(Error::External(_))));
    assert!(external::remove("from a file"));
    assert_eq!(program.call(&[Array::scalar(1.0)])?, [Array::scalar(2.0)]);
    assert!(interpret::run(&graph, &[Array::scalar(1.0)]).is_err());
    Ok(())
}

#[test]
fn both_tiers_call_the_same_function() -> Result<(), Error> {
    elementwise("tiered", |x| x + 1.0);
    let f = |x: Var| (0..2000).fold(x, |y, _| (y * x).cos()) + apply("tiered")(x);
    let program = Program::compile_tiered(trace(f, (DType::F64,))?)?;
    elementwise_replace("tiered", |x| x - 1.0);
    let (mut soon, mut later) = ([0.0], [0.0]);
    program.call_scalars(&[0.5], &mut soon)?;
    while !program.is_final() {
        thread::yield_now();
    }
    program.call_scalars(&[0.5], &mut later)?;
    assert_eq!(soon, later);
    Ok(())
}

fn elementwise_replace(name: &str, f: impl Fn(f64) -> f64 + Send + Sync + 'static) {
    assert!(external::remove(name));
    elementwise(name, f);
}

#[test]
fn types_for_which_a_function_is_registered_are_checked() -> Result<(), Error> {
    let ty = |n: usize| Type::new(DType::F64, [n]);
    external::register_typed("three", &[ty(3)], &[ty(3)], |_, _| Ok::<(), String>(()))?;
    assert!(trace(apply("three"), (ty(3),)).is_ok());
    let error = trace(apply("three"), (ty(4),)).unwrap_err().to_string();
    let expected =
        "external function \"three\": is registered for f64[3] -> f64[3], but is applied to f64[4] -> f64[4]";
    assert!(error.starts_with(expected), "{error}");
    assert_eq!(
        external::register("three", |_, _| Ok::<(), String>(())),
        Err(ExternalError::Taken { name: "three".to_string() })
    );
    // So are those of a graph whose function was registered anew.
    let graph = trace(apply("three"), (ty(3),))?;
    external::remove("three");
    external::register_typed("three", &[ty(5)], &[ty(5)], |_, _| Ok::<(), String>(()))?;
    assert!(matches!(Program::compile(&graph), Err(Error::External(ExternalError::Signature { .. }))));
    assert!(matches!(
        interpret::run(&graph, &[vector(&[0.0; 3])]),
        Err(Error::External(ExternalError::Signature { .. }))
    ));
    Ok(())
}

#[test]
fn functions_are_called_where_they_are_needed_and_as_often() -> Result<(), Error> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    elementwise("counted", |x| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        x * 0.5
    });
    let counted = apply("counted");
    let count = |f: &dyn Fn(Var) -> Var, x: f64, expected: f64| -> Result<usize, Error> {
        let graph = optimize(&trace(|x: Var| f(x), (DType::F64,))?)?;
        let program = Program::compile(&graph)?;
        CALLS.store(0, Ordering::Relaxed);
        assert_eq!(program.call(&[Array::scalar(x)])?, [Array::scalar(expected)]);
        let native = CALLS.swap(0, Ordering::Relaxed);
        assert_eq!(interpret::run(&graph, &[Array::scalar(x)])?, [Array::scalar(expected)]);
        assert_eq!(CALLS.load(Ordering::Relaxed), native);
        Ok(native)
    };
    // Equal calls are one, and what nobody needs is none.
    assert_eq!(
        count(&|x| counted(x) + counted(x) + 0.0 * (counted(x + 1.0).stop_gradient() - counted(x + 1.0)), 2.0, 2.0)?,
        2
    );
    assert_eq!(count(&|x| [x, counted(x)][0] * 2.0, 2.0, 4.0)?, 0);
    // Constant operands are no reason to call it beforehand.
    assert_eq!(count(&|x| counted(Var::from(3.0)) + x, 2.0, 3.5)?, 1);
    // A branch that is not taken calls nothing, and neither does a loop without iterations.
    let branch = |x: Var| cond(x.greater(0.0), || counted(x), || x);
    assert_eq!((count(&branch, 2.0, 1.0)?, count(&branch, -2.0, -2.0)?), (1, 0));
    let looped = |x: Var| while_loop(x, |y| y.less(0.0), move |y| y + counted(Var::from(4.0)) + counted(x) * 0.0);
    assert_eq!(count(&looped, 3.0, 3.0)?, 0);
    // What does not change is computed once for all rows; the rest, row by row.
    let rows = |x: Var| map(x.broadcast_to(&[5]), |row| counted(row + 1.0)).sum();
    assert_eq!(count(&rows, 1.0, 5.0)?, 5);
    // Nothing is called at the element of a fused loop.
    let fused = |x: Var| (counted(x).broadcast_to(&[1000]) * 2.0 + 1.0).sum();
    assert_eq!(count(&fused, 1.0, 2000.0)?, 1);
    Ok(())
}

#[test]
fn there_is_no_derivative_unless_nothing_flows() -> Result<(), Error> {
    elementwise("plain", |x| x * x);
    let plain = apply("plain");
    let error = jit(grad(plain)).call::<f64>(1.0).unwrap_err().to_string();
    assert!(error.starts_with("external: has no derivative by its first operand"), "{error}");
    assert!(error.contains("custom_vjp") && error.contains("tests/external.rs:"), "{error}");
    let error = jit(jvp(plain)).call::<(f64, f64)>(1.0, 1.0).unwrap_err().to_string();
    assert!(error.starts_with("external: has no derivative by its first operand"), "{error}");
    for f in [&|x: Var| plain(x.stop_gradient()) * x as Var, &|x: Var| plain(x).stop_gradient() * x]
        as [&dyn Fn(Var) -> Var; 2]
    {
        assert_eq!(jit(grad(|x: Var| f(x))).call::<f64>(3.0)?, 9.0);
    }
    let of_two = |k: Var, x: Var| external("plain", &[k, x], [x.ty()])[0];
    let graph = trace(of_two, (DType::I64, DType::F64))?;
    let error = differentiate::grad(&graph, 0, &[1]).unwrap_err().to_string();
    assert!(error.starts_with("external: has no derivative by its second operand"), "{error}");
    Ok(())
}

#[test]
fn there_is_a_result_and_it_is_an_array() {
    let error = trace(|x: Var| external("retrograd.identity", &[], []).first().copied().unwrap_or(x), (DType::F64,));
    assert!(error.unwrap_err().to_string().contains("must give at least one result"));
    let error = trace(|x: Var| external("retrograd.identity", &[x], [x.ty().stacked()])[0], (DType::F64,));
    assert!(error.unwrap_err().to_string().contains("gives arrays, but \"results\" has stack f64[]"));
}
