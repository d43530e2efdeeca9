//! `vmap` on functions: compositions with derivatives and control flow, against the same row by row.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array1, Array2, Array3, Axis, array};
use retrograd::{
    AllArgs, Arg, Error, Loop, Var, checkpoint, cond, external, fori_loop, grad, hessian, hvp, jacobian, jit, jvp, map,
    scan, switch, value_and_grad, vmap, while_loop,
};

/// A row's function with every kind of control flow, whose branch and whose number of iterations depend on the row.
fn winding(x: Var) -> Var {
    let start = cond(x.sum().greater(0.0), || x * 2.0, || x.sin());
    let (y, _) = while_loop(
        (start, x.sum() * 0.0),
        |(y, k)| (y.norm_squared() + k).less(4.0),
        |(y, k)| (y * 1.3 + 0.1, k + 0.5),
    );
    let (sum, parts) = scan(x.sum() * 0.0, y, |sum, y| (sum * 0.5 + y, sum * y));
    let kind = (x.index(0) * 10.0).convert(retrograd::value::DType::I64);
    let chosen = switch(kind, 3, |k| [sum, sum * sum, sum.exp()][k]);
    let again = checkpoint(|p: Var| (p.cos() * p).sum()).call(parts);
    chosen + again + fori_loop(3, sum, |_, s| s.sin())
}

fn points() -> Array2<f64> {
    Array2::from_shape_fn((7, 3), |(i, j)| ((i * 5 + j * 3) % 11) as f64 * 0.13 - 0.55)
}

fn close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (k, (x, y)) in got.iter().zip(expected).enumerate() {
        assert!((x - y).abs() <= 1e-12 * y.abs().max(1.0), "{k}: {x} is not {y}");
    }
}

#[test]
fn derivatives_of_control_flow_over_and_under() -> Result<(), Error> {
    let x = points();
    let value = jit(winding);
    let slope = jit(grad(winding));
    let bend = jit(hessian(winding));
    let (mut values, mut slopes, mut bends) = (Vec::new(), Vec::new(), Vec::new());
    for row in x.rows() {
        let row = row.to_owned();
        values.push(value.call::<f64>(&row)?);
        slopes.extend(slope.call::<Array1<f64>>(&row)?);
        bends.extend(bend.call::<Array2<f64>>(&row)?);
    }
    let all: Array1<f64> = jit(vmap(winding)).call(&x)?;
    assert_eq!(all.to_vec(), values);
    let each: Array2<f64> = jit(vmap(grad(winding))).call(&x)?;
    close(each.as_slice().unwrap(), &slopes);
    let of_sum: Array2<f64> = jit(grad(|x: Var| vmap(winding).call(x).sum())).call(&x)?;
    close(of_sum.as_slice().unwrap(), &slopes);
    let each: Array3<f64> = jit(vmap(hessian(winding))).call(&x)?;
    close(each.as_slice().unwrap(), &bends);

    // The Jacobian of all rows by all rows is made of the gradients.
    let whole: ndarray::ArrayD<f64> = jit(jacobian(vmap(winding))).call(&x)?;
    assert_eq!(whole.shape(), [7, 7, 3]);
    for i in 0..7 {
        for j in 0..7 {
            for k in 0..3 {
                let expected = if i == j { slopes[3 * i + k] } else { 0.0 };
                assert!((whole[[i, j, k]] - expected).abs() < 1e-12);
            }
        }
    }
    let along: Array1<f64> = jit(|x: Var, t: Var| jvp(vmap(winding)).call(x, t).1).call(&x, &x)?;
    let expected: Vec<f64> = (0..7).map(|i| (0..3).map(|k| slopes[3 * i + k] * x[[i, k]]).sum::<f64>()).collect();
    close(along.as_slice().unwrap(), &expected);
    let product: Array2<f64> = jit(vmap(hvp(winding))).call(&x, &x)?;
    let expected: Vec<f64> = (0..7)
        .flat_map(|i| (0..3).map(move |k| (i, k)))
        .map(|(i, k)| (0..3).map(|l| bends[9 * i + 3 * k + l] * x[[i, l]]).sum())
        .collect();
    close(product.as_slice().unwrap(), &expected);
    Ok(())
}

#[test]
fn rows_of_rows_and_rows_in_loops() -> Result<(), Error> {
    let f = |x: Var| cond(x.greater(0.0), || x.sqrt(), || while_loop(x, |y| y.less(1.0), |y| y + 0.3));
    let x = array![[1.0, -2.0, 0.25], [-0.1, 4.0, 0.0]];
    let each = |x: f64| {
        if x > 0.0 { x.sqrt() } else { (0..).map(|k| (0..k).fold(x, |y, _| y + 0.3)).find(|y| *y >= 1.0).unwrap() }
    };
    let expected = x.mapv(each);
    let twice: Array2<f64> = jit(vmap(vmap(f))).call(&x)?;
    assert_eq!(twice, expected);
    let in_map: Array2<f64> = jit(|x: Var| map(x, |row| vmap(f).call(row))).call(&x)?;
    assert_eq!(in_map, expected);
    let of_map: Array2<f64> = jit(vmap(|row: Var| map(row, f))).call(&x)?;
    assert_eq!(of_map, expected);
    let in_scan: Array1<f64> =
        jit(|x: Var| scan(Var::zeros([3]), x, |sum, row| (sum + vmap(f).call(row), ())).0).call(&x)?;
    assert_eq!(in_scan, expected.sum_axis(Axis(0)));
    let in_branch: Array2<f64> = jit(|x: Var| cond(x.sum().greater(0.0), || vmap(vmap(f)).call(x), || x)).call(&x)?;
    assert_eq!(in_branch, expected);
    let in_while: Array1<f64> =
        jit(|x: Var| while_loop(x, |y| y.sum().less(4.0), |y| vmap(f).call(y) + 1.0)).call(array![0.5, -1.0])?;
    assert!(in_while.sum() >= 4.0);
    let again: Array2<f64> = jit(|x: Var| checkpoint(vmap(vmap(f))).call(x)).call(&x)?;
    assert_eq!(again, expected);
    Ok(())
}

#[derive(Clone, Debug, PartialEq, retrograd::Tree)]
struct Layer<T> {
    w: T,
    b: T,
}

#[test]
fn trees_and_what_is_the_same_for_each_row() -> Result<(), Error> {
    let f = |p: (Layer<Var>, Vec<Var>), x: [Var; 2]| {
        let y = p.0.w.dot(x[0]) + p.0.b;
        (Layer { w: y * x[1], b: p.1[0] * 2.0 }, vec![y.sum()])
    };
    let layer = Layer { w: array![[1.0, 2.0], [3.0, 4.0]].into_dyn(), b: array![0.5, -0.5].into_dyn() };
    let args = (layer, vec![array![10.0].into_dyn()]);
    let rows = [array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]].into_dyn(), array![1.0, 2.0, 3.0].into_dyn()];
    type Out = (Layer<ndarray::ArrayD<f64>>, Vec<ndarray::ArrayD<f64>>);
    let (y, sums): Out = jit(vmap(f).over(Arg::<1>)).call(args, rows)?;
    assert_eq!(y.w, array![[1.5, 2.5], [5.0, 7.0], [10.5, 19.5]].into_dyn());
    // What does not depend on the rows is repeated.
    assert_eq!(y.b, array![[20.0], [20.0], [20.0]].into_dyn());
    assert_eq!(sums[0], array![4.0, 6.0, 10.0].into_dyn());
    Ok(())
}

#[test]
fn captured_values_are_the_same_for_each_row() -> Result<(), Error> {
    let f = |w: Var, x: Var| value_and_grad(|w: Var| vmap(|x: Var| (w * x).sin()).call(x).sum()).call(w);
    let (value, slope): (f64, f64) = jit(f).call(0.5, array![1.0, 2.0, 3.0])?;
    let terms = [1.0f64, 2.0, 3.0];
    close(
        &[value, slope],
        &[terms.map(|x| (0.5 * x).sin()).iter().sum(), terms.map(|x| x * (0.5 * x).cos()).iter().sum()],
    );
    Ok(())
}

/// A branch that would not end, or fail, runs for no row that does not take it.
#[test]
fn branches_run_for_the_rows_that_take_them() -> Result<(), Error> {
    let endless = |x: Var| while_loop(x, |y| y.greater_equal(0.0), |y| y + 1.0);
    let guarded = |x: Var| cond(x.greater(0.0), || x * 2.0, || cond(x.less(-1.0), || endless(x), || -x));
    let x = array![1.0, -2.0, -0.5, 3.0];
    let y: Array1<f64> = jit(vmap(guarded)).call(&x)?;
    assert_eq!(y, array![2.0, -2.0, 0.5, 6.0]);
    let limited = |x: Var| Loop::new().max_trips(10).while_loop(x, |y| y.greater(0.0), |y| y + 1.0);
    let guarded = move |x: Var| cond(x.greater(0.0), || x * 2.0, || limited(x));
    let slopes: Array1<f64> = jit(vmap(grad(guarded))).call(&x)?;
    assert_eq!(slopes, array![2.0, 1.0, 1.0, 2.0]);
    // For a row that takes it, it is the error that it is alone.
    let outcome = jit(vmap(limited)).call::<Array1<f64>>(array![-1.0, 1.0]);
    assert!(matches!(outcome, Err(Error::Limit(_))), "{outcome:?}");
    Ok(())
}

/// The time is that of the sum of the rows' iterations: one row of many does not make all the others wait. A function of the
/// host counts them.
#[test]
fn a_loop_takes_the_iterations_of_each_row() -> Result<(), Error> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    external::register("counts iterations", |operands, results| {
        COUNT.fetch_add(1, Ordering::Relaxed);
        let x = operands[0].as_slice::<f64>().ok_or("takes f64")?;
        results[0].as_slice_mut::<f64>().map(|y| y.copy_from_slice(x)).ok_or("gives f64")
    })?;
    let count = |n: Var| {
        let step = |(n, s): (Var, Var)| (external("counts iterations", &[n - 1.0], [n.ty()])[0], s + n);
        while_loop((n, n * 0.0), |(n, _)| n.greater(0.5), step).1
    };
    let uneven = Array1::from_shape_fn(1000, |i| if i == 0 { 10_000.0 } else { (i % 2) as f64 });
    let total: Array1<f64> = jit(vmap(count)).call(&uneven)?;
    assert_eq!((total[0], total[1], total[2]), (50_005_000.0, 1.0, 0.0));
    assert_eq!(COUNT.load(Ordering::Relaxed), 10_000 + 500);
    Ok(())
}

/// Within another loop, a loop whose number of iterations differs from row to row makes rows of all that it saves and
/// returns, whether that depends on the row or not.
#[test]
fn derivatives_of_loops_in_loops_whose_counts_differ() -> Result<(), Error> {
    type Inner = fn(Var, Var, Var) -> Var;
    let inner: [Inner; 4] = [
        // What is carried comes out as it went in, or depends on the count alone, or on both.
        |c, _, n| while_loop((c, Var::from(0i64)), |(_, i)| i.less(n), |(c, i)| (c, i + 1)).0,
        |c, x, n| while_loop((c, x, n), |(_, _, n)| n.greater(0), |(c, x, n)| (c, x * 1.5, n - 1)).0,
        |c, x, n| while_loop((c, x, n), |(_, _, n)| n.greater(0), |(c, x, n)| (c * 0.5 + x, x.sin(), n - 1)).0,
        |c, x, n| c * while_loop((x, n), |(_, n)| n.greater(0), |(x, n)| (x.sin(), n - 1)).0,
    ];
    type Outer = fn(Inner, Var, Var, Var) -> Var;
    let outer: [Outer; 5] = [
        |f, x, y, n| fori_loop(2, x, |_, c| f(c, y, n)),
        |f, x, y, n| scan(x, Var::stack(&[y, y * 2.0], 0), |c, y| (f(c, y, n), c * y)).1.sum(),
        |f, x, y, n| while_loop((x, Var::from(0i64)), |(_, i)| i.less(3), |(c, i)| (f(c, y, n) + 0.25, i + 1)).0,
        |f, x, y, n| map(Var::stack(&[y, x], 0), |y| f(x, y, n)).sum() * x,
        |f, x, y, n| fori_loop(2, x, |_, c| cond(y.greater(0.3), || f(c, y, n), || c.cos())),
    ];
    let (x, y, n) = ([0.5, 0.6, -0.7, 0.8], [0.2, 0.9, 0.4, 0.3], [0i64, 1, 3, 2]);
    let rows = (Array1::from(x.to_vec()), Array1::from(y.to_vec()), Array1::from(n.to_vec()));
    for (f, g) in outer.iter().flat_map(|g| inner.iter().map(move |f| (*f, *g))) {
        let of = move |x: Var, y: Var, n: Var| g(f, x, y, n);
        let gradient = move |x: Var, y: Var, n: Var| grad(of).wrt((Arg::<0>, Arg::<1>)).call(x, y, n);
        let curved = move |x: Var, y: Var, n: Var| hvp(of).call(x, y, n, x * 2.0);
        let alone = |x: f64, y: f64, n: i64| -> Result<(Vec<f64>, f64), Error> {
            let (dx, dy): (f64, f64) = jit(gradient).call(x, y, n)?;
            let curved: f64 = jit(curved).call(x, y, n)?;
            Ok((vec![dx, dy], curved))
        };
        let expected = |row: &dyn Fn(usize) -> (f64, f64, i64)| -> Result<[Vec<f64>; 3], Error> {
            let mut all = [vec![], vec![], vec![]];
            for i in 0..4 {
                let (x, y, n) = row(i);
                let (gradient, curved) = alone(x, y, n)?;
                [gradient[0], gradient[1], curved].into_iter().zip(&mut all).for_each(|(x, all)| all.push(x));
            }
            Ok(all)
        };
        let check = |expected: &[Vec<f64>; 3], got: [Array1<f64>; 3]| {
            for (expected, got) in expected.iter().zip(got) {
                close(got.as_slice().unwrap(), expected);
            }
        };
        let all = expected(&|i| (x[i], y[i], n[i]))?;
        let (dx, dy) = jit(vmap(gradient)).call(&rows.0, &rows.1, &rows.2)?;
        check(&all, [dx, dy, jit(vmap(curved)).call(&rows.0, &rows.1, &rows.2)?]);
        let counts_alone = expected(&|i| (x[0], y[1], n[i]))?;
        let (dx, dy) = jit(vmap(gradient).over(Arg::<2>)).call(x[0], y[1], &rows.2)?;
        check(&counts_alone, [dx, dy, jit(vmap(curved).over(Arg::<2>)).call(x[0], y[1], &rows.2)?]);
        let sum = move |x: Var, y: Var, n: Var| vmap(of).call(x, y, n).sum();
        let dx: Array1<f64> = jit(grad(sum)).call(&rows.0, &rows.1, &rows.2)?;
        close(dx.as_slice().unwrap(), &all[0]);
    }
    Ok(())
}

#[test]
fn no_rows() -> Result<(), Error> {
    let y: Array1<f64> = jit(vmap(winding)).call(Array2::<f64>::zeros((0, 3)))?;
    assert_eq!(y.len(), 0);
    let y: Array2<f64> = jit(vmap(grad(winding))).call(Array2::<f64>::zeros((0, 3)))?;
    assert_eq!(y.dim(), (0, 3));
    let y: Array2<f64> = jit(grad(|x: Var| vmap(winding).call(x).sum())).call(Array2::<f64>::zeros((0, 3)))?;
    assert_eq!(y.dim(), (0, 3));
    let y: Array1<f64> = jit(vmap(|x: Var, w: Var| x.dot(w)).over(Arg::<0>))
        .call(Array2::<f64>::zeros((0, 3)), array![1.0, 2.0, 3.0])?;
    assert_eq!(y.len(), 0);
    Ok(())
}

#[test]
fn what_cannot_have_rows_is_an_error() {
    let two = |x: Var, y: Var| x * y;
    let message = |outcome: Result<Array1<f64>, Error>| outcome.unwrap_err().to_string();
    let error = message(jit(vmap(two)).call(array![1.0, 2.0], array![1.0, 2.0, 3.0]));
    assert!(error.contains("x.0 has 2 rows, but x.1 has 3") && error.contains("tests/vmap.rs"), "{error}");
    let error = message(jit(vmap(two)).call(array![1.0, 2.0], 3.0));
    assert!(error.contains("x.1 must have rows, but is a scalar") && error.contains("over"), "{error}");
    let error = message(
        jit(vmap(|p: Vec<Var>, x: Var| p.iter().fold(x, |x, p| x + *p)).over(Arg::<0>)).call(Vec::<f64>::new(), 1.0),
    );
    assert!(error.contains("no argument has rows"), "{error}");
    let by_host = |x: Var| if x > 0.0 { x } else { -x };
    let error = message(jit(vmap(by_host)).call(array![1.0, 2.0]));
    assert!(error.contains("cond") && error.contains("tests/vmap.rs"), "{error}");
    // What is the same for each row can still decide an `if`.
    let f = |x: Var, a: Var| if a > 0.0 { x } else { -x };
    let y: Array1<f64> = jit(vmap(f).over(Arg::<0>)).call(array![1.0, 2.0], -1.0).unwrap();
    assert_eq!(y, array![-1.0, -2.0]);
    let error = message(jit(vmap(|x: Var| x.dot(Var::from(array![1.0, 2.0])))).call(Array2::<f64>::zeros((4, 3))));
    assert!(error.contains("dot") && error.contains('3') && error.contains('2'), "{error}");
}

#[test]
fn all_arguments_by_default() -> Result<(), Error> {
    let f = |x: Var, y: Var, z: Var| x * y + z;
    let rows = array![1.0, 2.0];
    let expected: Array1<f64> = array![2.0, 6.0];
    assert_eq!(jit(vmap(f)).call::<Array1<f64>>(&rows, &rows, &rows)?, expected);
    assert_eq!(jit(vmap(f).over(AllArgs)).call::<Array1<f64>>(&rows, &rows, &rows)?, expected);
    assert_eq!(jit(vmap(f).over((Arg::<0>, Arg::<2>))).call::<Array1<f64>>(&rows, 2.0, &rows)?, array![3.0, 6.0]);
    Ok(())
}

/// What is carried may get rows in the second iteration only.
#[test]
fn rows_that_are_carried_on() -> Result<(), Error> {
    // Three places, of which each takes what the one before it held.
    let shift = |x: Var, a: Var| {
        let first = a * 2.0;
        let (_, _, last) = fori_loop(4, (first, first, first), |_, (p, q, _)| (x * p, p, q));
        last
    };
    let until = |x: Var, a: Var| {
        let first = a * 2.0;
        let body = |(k, p, q): (Var, Var, Var)| (k + 1.0, x * q, p);
        while_loop((a * 0.0, first, first), |(k, _, _)| k.less(3.0), body).2
    };
    let x = array![1.0, -2.0, 0.5];
    let last: Array1<f64> = jit(vmap(shift).over(Arg::<0>)).call(&x, 3.0)?;
    assert_eq!(last, x.mapv(|x| 6.0 * x * x));
    let last: Array1<f64> = jit(vmap(until).over(Arg::<0>)).call(&x, 3.0)?;
    assert_eq!(last, x.mapv(|x| 6.0 * x));
    let slopes: Array1<f64> = jit(vmap(grad(shift)).over(Arg::<0>)).call(&x, 3.0)?;
    assert_eq!(slopes, x.mapv(|x| 12.0 * x));
    let slopes: Array1<f64> = jit(vmap(grad(until)).over(Arg::<0>)).call(&x, 3.0)?;
    assert_eq!(slopes, array![6.0, 6.0, 6.0]);
    let by_a: f64 = jit(grad(|a: Var, x: Var| vmap(shift).over(Arg::<0>).call(x, a).sum())).call(3.0, &x)?;
    assert_eq!(by_a, 2.0 * x.mapv(|x| x * x).sum());
    Ok(())
}

/// More passes than a block holds, and some that are left over, through all that may stand in a pass.
#[test]
fn jacobians_in_blocks() -> Result<(), Error> {
    let n = 700;
    let x = Array1::from_shape_fn(n, |k| (k as f64 * 0.37).sin());
    let shape = |x: Var| x.square() * 0.5 + x.sum();
    for j in [jit(jacobian(shape).forward()), jit(jacobian(shape).reverse())] {
        let got: Array2<f64> = j.call(&x)?;
        for ((k, l), &got) in got.indexed_iter() {
            assert_eq!(got, if k == l { x[k] + 1.0 } else { 1.0 }, "{k}, {l}");
        }
    }

    // A loop that saves what the way back takes, in iterations that the argument decides.
    let x = x.mapv(|x| x + 1.2);
    let doubled = |x: Var| while_loop(x, |y| y.norm_squared().less(20_000.0), |y| y * y * 0.5 + y);
    let exact = jit(jacobian(doubled).forward());
    let exact: Array2<f64> = exact.call(&x)?;
    let got: Array2<f64> = jit(jacobian(doubled).reverse()).call(&x)?;
    for ((place, got), exact) in got.indexed_iter().zip(&exact) {
        assert!((got - exact).abs() <= 1e-12 * exact.abs(), "{place:?}: {got} is not {exact}");
        assert!(place.0 == place.1 || *got == 0.0);
    }
    assert!(exact[[1, 1]] > 1.0);
    Ok(())
}

/// A product with the unit vectors is the matrix itself; that with what is made of them, or within a branch, is none.
#[test]
fn jacobians_of_products() -> Result<(), Error> {
    let constant = || Array2::from_shape_fn((20, 20), |(i, j)| ((3 * i + 7 * j) % 13) as f64 - 4.0);
    let matrix = constant();
    let x = Array1::from_shape_fn(20, |k| 0.25 * k as f64 - 2.0);
    let of = |f: fn(Var, Var) -> Var, slope: &dyn Fn(usize) -> f64| -> Result<(), Error> {
        for j in [jacobian(f).forward(), jacobian(f).reverse()] {
            let got: Array2<f64> = jit(j).call(&x, &matrix)?;
            for ((i, j), &got) in got.indexed_iter() {
                assert_eq!(got, matrix[[i, j]] * slope(j), "{i}, {j}");
            }
        }
        Ok(())
    };
    of(|x, m| m.dot(x), &|_| 1.0)?;
    of(|x, m| x.dot(m.t()), &|_| 1.0)?;
    of(|x, m| m.dot(x.square()), &|j| 2.0 * x[j])?;
    of(|x, m| cond(m.index_axis(0, 0).sum().less(1e3), || m.dot(x.square()), || x), &|j| 2.0 * x[j])?;
    of(|x, m| checkpoint(|y: Var| m.dot(y)).call(x.square()), &|j| 2.0 * x[j])?;
    // A region that takes nothing but what has rows.
    let within = |x: Var| checkpoint(|y: Var| Var::from(constant()).dot(y)).call(x.square());
    let chosen = |x: Var| cond(x.sum().less(1e3), || Var::from(constant()).dot(x.square()), || x);
    for got in [
        jit(jacobian(within).forward()).call::<Array2<f64>>(&x)?,
        jit(jacobian(within).reverse()).call(&x)?,
        jit(jacobian(chosen).forward()).call(&x)?,
        jit(jacobian(chosen).reverse()).call(&x)?,
    ] {
        assert_eq!(got, &matrix * &(2.0 * &x));
    }

    // Two axes at once, in the order of the argument's and the other way round.
    let cube = Array3::from_shape_fn((3, 4, 5), |(i, j, k)| (20 * i + 5 * j + k) as f64);
    let y = Array2::from_shape_fn((4, 5), |(j, k)| (j * k) as f64);
    for j in [0, 1] {
        let sums = |y: Var, c: Var| c.dot_general(y, [&[1, 2], &[0, 1]], [&[], &[]]);
        let turned = |y: Var, c: Var| c.transpose(&[2, 0, 1]).dot_general(y, [&[2, 0], &[0, 1]], [&[], &[]]);
        let got: Array3<f64> = match j {
            0 => jit(jacobian(sums).forward()).call(&y, &cube)?,
            _ => jit(jacobian(turned).forward()).call(&y, &cube)?,
        };
        assert_eq!(got, cube);
    }
    Ok(())
}

/// A derivative that is exactly zero passes nothing on, in rows and passes as alone: what it meets may be infinite.
#[test]
fn zeros_of_derivatives_stay_zeros() -> Result<(), Error> {
    let kinks: [(&str, fn(Var) -> Var); 5] = [
        ("clamped", |x| x.clamp(-1.0, 1.0).acos()),
        ("selected", |x| x.greater(0.0).select(x.sqrt(), x)),
        ("branch", |x| cond(x.greater(0.0), || x.sqrt(), || x)),
        ("in a loop", |x| fori_loop(2, x, |_, y| y.clamp(-1.0, 1.0).acos() * 0.5)),
        ("masked", |x| (x.max(0.0) * 0.0).powf(0.5) + x.square()),
    ];
    let x = Array1::from_shape_fn(24, |k| [0.0, -1.0, 1.0, 2.0, -3.0, 0.5][k % 6]);
    for (name, f) in kinks {
        let second = jit(grad(grad(f)));
        let alone: Vec<f64> = x.iter().map(|&x| second.call::<f64>(x)).collect::<Result<_, _>>()?;
        let third = jit(grad(grad(grad(f))));
        let third: Vec<f64> = x.iter().map(|&x| third.call::<f64>(x)).collect::<Result<_, _>>()?;
        let agree = |how: &str, got: &[f64], alone: &[f64]| {
            for (k, (got, alone)) in got.iter().zip(alone).enumerate() {
                // Sums of finite terms may have another order.
                let is_close = (got - alone).abs() <= 1e-14 * alone.abs();
                let agrees = got == alone || alone.is_finite() && is_close || got.is_nan() && alone.is_nan();
                assert!(agrees, "{name}, {how}, at {}: {got} is not {alone}", x[k]);
            }
        };
        let same = |how: &str, got: &[f64]| agree(how, got, &alone);
        let rows: Array1<f64> = jit(vmap(grad(grad(f)))).call(&x)?;
        same("under", rows.as_slice().unwrap());
        let between: Array1<f64> = jit(grad(|x: Var| vmap(grad(f)).call(x).sum())).call(&x)?;
        same("between", between.as_slice().unwrap());
        let over: Array1<f64> = jit(grad(|x: Var| grad(|x: Var| vmap(f).call(x).sum()).call(x).sum())).call(&x)?;
        same("over", over.as_slice().unwrap());
        let slopes = |x: Var| grad(|x: Var| vmap(f).call(x).sum()).call(x);
        for j in [jit(jacobian(slopes).forward()), jit(jacobian(slopes).reverse())] {
            let j: Array2<f64> = j.call(&x)?;
            same("in passes", &j.diag().to_vec());
        }
        let by_columns = |x: Var| jacobian(slopes).forward().call(x).sum();
        let by_rows = |x: Var| jacobian(slopes).reverse().call(x).sum();
        for n in [24, 600] {
            let x = Array1::from_shape_fn(n, |k| x[k % 24]);
            let through: [Array1<f64>; 2] = [jit(grad(by_columns)).call(&x)?, jit(grad(by_rows)).call(&x)?];
            for through in through {
                through.as_slice().unwrap().chunks(24).for_each(|part| agree("third", part, &third));
            }
        }
        // Forward mode gives the whole matrix; what is beside its diagonal is 0.
        let columns = |x: Var| jvp(jacobian(slopes).forward()).call(x, x.full_like(1.0)).1;
        let rows = |x: Var| jvp(jacobian(slopes).reverse()).call(x, x.full_like(1.0)).1;
        let through: [Array2<f64>; 2] = [jit(columns).call(&x)?, jit(rows).call(&x)?];
        for through in through {
            agree("third, forward", &through.diag().to_vec(), &third);
            let beside = through.indexed_iter().filter(|((i, j), _)| i != j);
            beside.for_each(|(place, slope)| assert!(*slope == 0.0, "{name}, {place:?}: {slope}"));
        }
        // Through the passes of a Jacobian, in one block and in several: most elements of the unit vectors are zeros.
        for n in [24, 600] {
            let x = Array1::from_shape_fn(n, |k| x[k % 24]);
            let by_columns = |x: Var| jacobian(vmap(f)).forward().call(x).sum();
            let by_rows = |x: Var| jacobian(vmap(f)).reverse().call(x).sum();
            let through: [Array1<f64>; 2] = [jit(grad(by_columns)).call(&x)?, jit(grad(by_rows)).call(&x)?];
            for through in through {
                for part in through.as_slice().unwrap().chunks(24) {
                    same("through passes", part);
                }
            }
        }
    }
    Ok(())
}
