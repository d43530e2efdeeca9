//! Loops and branches as users write them: every function of structured control flow, its derivatives in both modes and
//! up to third order, captured values, and errors. Everything here runs in four ways with the same bits: by the
//! interpreter and natively, optimized or not.

pub mod common;

use common::Random;
use ndarray::{Array1, Array2, array};
use retrograd::error::{LimitError, TraceError};
use retrograd::op::{Op, Scan, While};
use retrograd::optimize::optimize;
use retrograd::transform::Arguments;
use retrograd::value::{Array, DType, Scalar, ToTree, Type};
use retrograd::{
    AllArgs, Arg, Error, Function, Graph, Loop, Program, Var, check_grad, checkpoint, cond, differentiate, fori_loop,
    grad, hessian, hvp, interpret, jacobian, jit, jvp, map, scan, switch, trace, trace_with, value_and_grad, vjp,
    while_loop,
};

/// The results of a function, checked to have the same bits from the interpreter and from native code, optimized or
/// not.
#[track_caller]
fn everywhere<F: Function<Args>, Args: Arguments>(f: F, args: impl ToTree) -> Vec<Array> {
    let graph = trace_with(f, &args).unwrap_or_else(|error| panic!("{error}"));
    graph.verify().unwrap_or_else(|error| panic!("{error}\n{graph}"));
    let optimized = optimize(&graph).unwrap();
    optimized.verify().unwrap_or_else(|error| panic!("{error}\n{optimized}"));
    let mut inputs = Vec::new();
    args.to_tree().for_each(&mut |leaf| inputs.push(leaf.to_array()));
    let expected = interpret::run(&graph, &inputs).unwrap();
    for (how, got) in [
        ("native", Program::compile(&graph).unwrap().call(&inputs).unwrap()),
        ("optimized", interpret::run(&optimized, &inputs).unwrap()),
        ("optimized and native", Program::compile(&optimized).unwrap().call(&inputs).unwrap()),
    ] {
        let same = got.len() == expected.len() && got.iter().zip(&expected).all(|(x, y)| x.same_bits(y));
        assert!(same, "{how}: {got:?} is not {expected:?}\n{graph}\n{optimized}");
    }
    expected
}

/// The same results as `f64` numbers, all leaves concatenated.
#[track_caller]
fn numbers<F: Function<Args>, Args: Arguments>(f: F, args: impl ToTree) -> Vec<f64> {
    everywhere(f, args).iter().flat_map(common::floats).collect()
}

/// The same for a function with a single number as its result.
#[track_caller]
fn number<F: Function<Args>, Args: Arguments>(f: F, args: impl ToTree) -> f64 {
    match numbers(f, args)[..] {
        [x] => x,
        ref other => panic!("{} numbers", other.len()),
    }
}

#[track_caller]
fn close(got: f64, expected: f64) {
    near(got, expected, 1e-13);
}

#[track_caller]
fn near(got: f64, expected: f64, tolerance: f64) {
    let distance = (got - expected).abs();
    assert!(distance <= tolerance * expected.abs().max(1.0), "{got:e} is not {expected:e}");
}

#[track_caller]
fn all_close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).for_each(|(&got, &expected)| close(got, expected));
}

/// The derivative of a function of one number, in forward mode.
macro_rules! forward {
    ($f:expr) => {{
        let f = $f;
        move |x: Var| jvp(f).call(x, x.full_like(1.0)).1
    }};
}

// Iterations

/// xⁿ by n iterations, with its first three derivatives; n is an argument, so one graph handles all n.
#[test]
fn a_while_with_any_number_of_iterations() {
    let power = |x: Var, n: Var| while_loop((n, x.full_like(1.0)), |(n, _)| n.greater(0), |(n, y)| (n - 1, y * x)).1;
    let x = 1.1f64;
    for n in [-1i64, 0, 1, 2, 3, 7, 40] {
        let m = n.max(0) as i32;
        let falling = |order: i32| (0..order).map(|k| f64::from(m - k)).product::<f64>() * x.powi((m - order).max(0));
        close(number(power, (x, n)), falling(0));
        close(number(grad(power), (x, n)), falling(1));
        close(number(grad(grad(power)), (x, n)), falling(2));
        close(number(grad(grad(grad(power))), (x, n)), falling(3));
    }
    let compiled = jit(grad(power));
    for n in 0..30i64 {
        close(compiled.call(x, n).unwrap(), n as f64 * x.powi(n as i32 - 1));
    }
    assert_eq!((compiled.n_paths(), compiled.n_traces()), (1, 1));
}

/// exp(x) by n terms, and its derivative by n - 1 terms.
#[test]
fn a_fori_loop_with_any_number_of_iterations() {
    let terms = |n: usize, x: f64| (0..n).fold((0.0, 1.0), |(sum, term), k| (sum + term, term * x / (k + 1) as f64)).0;
    for n in [0, 1, 2, 5, 30] {
        let exp = move |x: Var| {
            let step = |k: Var, (sum, term): (Var, Var)| (sum + term, term * x / (k + 1).convert(DType::F64));
            fori_loop(n, (0.0 * x, x.full_like(1.0)), step).0
        };
        let x = 0.7;
        close(number(exp, (x,)), terms(n, x));
        close(number(grad(exp), (x,)), terms(n.saturating_sub(1), x));
        close(number(grad(grad(grad(exp))), (x,)), terms(n.saturating_sub(3), x));
    }
}

/// A reversed loop begins with the last index.
#[test]
fn loops_run_backwards() {
    let digits = |l: Loop| move |x: Var| l.fori_loop(4, x, |k, y| y * 10.0 + k.convert(DType::F64));
    assert_eq!(number(digits(Loop::new()), (9.0,)), 90123.0);
    assert_eq!(number(digits(Loop::new().reverse()), (9.0,)), 93210.0);
    assert_eq!(number(grad(digits(Loop::new().reverse())), (9.0,)), 10_000.0);
    // Horner's method from either end, collecting the value before each step.
    let horner =
        |l: Loop| move |x: Var, c: Var| l.scan(x.full_like(0.0), c, move |sum: Var, c: Var| (sum * x + c, sum));
    let c = array![2.0, 3.0, 5.0];
    assert_eq!(numbers(horner(Loop::new()), (10.0, &c)), [235.0, 0.0, 2.0, 23.0]);
    assert_eq!(numbers(horner(Loop::new().reverse()), (10.0, &c)), [532.0, 53.0, 5.0, 0.0]);
    let last = |x: Var, c: Var| horner(Loop::new().reverse())(x, c).0;
    assert_eq!(numbers(grad(last).wrt(AllArgs), (10.0, &c)), [103.0, 1.0, 10.0, 100.0]);
    assert_eq!(number(grad(grad(last)), (10.0, &c)), 10.0);
}

/// Σ wₖ Πⱼ≤ₖ xⱼ, whose derivatives by every element are known.
#[test]
fn a_scan_of_any_number_of_rows() {
    let f = |x: Var, w: Var| {
        let one = Var::from(1.0);
        let (_, products) = scan(one, x, |p, x| (p * x, p * x));
        (products * w).sum()
    };
    for n in [0usize, 1, 2, 9] {
        let x = Array1::from_iter((0..n).map(|k| 0.7 + 0.1 * k as f64));
        let w = Array1::from_iter((0..n).map(|k| 1.0 - 0.3 * k as f64));
        let products: Vec<f64> = (0..n).map(|k| x.iter().take(k + 1).product()).collect();
        let value: f64 = products.iter().zip(&w).map(|(p, w)| p * w).sum();
        close(number(f, (&x, &w)), value);
        let by_x: Vec<f64> = (0..n).map(|j| (j..n).map(|k| w[k] * products[k] / x[j]).sum()).collect();
        let gradient = numbers(grad(f).wrt(AllArgs), (&x, &w));
        all_close(&gradient, &[by_x.clone(), products].concat());
        // The Hessian by x: the terms that contain both factors; zeros on the diagonal.
        let h = numbers(hessian(f), (&x, &w));
        for i in 0..n {
            for j in 0..n {
                let exact: f64 = (i.max(j)..n).map(|k| w[k] * x.iter().take(k + 1).product::<f64>()).sum();
                close(h[i * n + j], if i == j { 0.0 } else { exact / (x[i] * x[j]) });
            }
        }
    }
}

/// Rows, carry and collected values are trees of arrays of several dtypes.
#[test]
fn scans_take_and_give_trees() -> Result<(), Error> {
    let f = |m: Var, (rows, ns): (Var, Var)| {
        let body = |(h, n): (Var, Var), (row, k): (Var, Var)| {
            let next = (m.dot(h) + row).tanh();
            ((next, n + k), (next.sum(), [n, k], row.outer(row)))
        };
        scan((Var::from(array![0.5, -0.5]), Var::from(10i64)), (rows, ns), body)
    };
    let m = array![[0.3, -0.2], [0.1, 0.4]];
    let rows = array![[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]];
    let ns = array![1i64, 2, 3];
    type Out = ((Array1<f64>, i64), (Array1<f64>, [Array1<i64>; 2], ndarray::Array3<f64>));
    let ((h, n), (sums, [before, ks], outer)): Out = jit(f).call(&m, (&rows, &ns))?;
    let mut expected = array![0.5, -0.5];
    for (k, row) in rows.rows().into_iter().enumerate() {
        expected = (m.dot(&expected) + row).mapv(f64::tanh);
        close(sums[k], expected.sum());
        close(outer[[k, 0, 1]], row[0] * row[1]);
    }
    all_close(h.as_slice().unwrap(), expected.as_slice().unwrap());
    assert_eq!((n, before, ks), (16, array![10, 11, 13], ns.clone()));
    everywhere(f, (&m, (&rows, &ns)));
    check_grad(f, (&m, (&rows, &ns)))?;
    Ok(())
}

#[test]
fn maps_of_any_number_of_rows() -> Result<(), Error> {
    let f = |points: Var, scale: Var| {
        map(points, move |p: Var| {
            let (a, b) = (p.index(0), p.index(1));
            (a.hypot(b) * scale, (a * b).exp())
        })
    };
    for n in [0usize, 1, 2, 3, 4, 7, 8, 9, 33] {
        let points = Array2::from_shape_fn((n, 2), |(i, j)| 0.3 + 0.05 * i as f64 - 0.2 * j as f64);
        let (lengths, products): (Array1<f64>, Array1<f64>) = jit(f).call(&points, 2.0)?;
        for (k, p) in points.rows().into_iter().enumerate() {
            close(lengths[k], 2.0 * p[0].hypot(p[1]));
            close(products[k], (p[0] * p[1]).exp());
        }
        everywhere(f, (&points, 2.0));
        let total = |points: Var, scale: Var| f(points, scale).0.sum();
        let gradient = numbers(grad(total).wrt(AllArgs), (&points, 2.0));
        for (k, p) in points.rows().into_iter().enumerate() {
            close(gradient[2 * k], 2.0 * p[0] / p[0].hypot(p[1]));
            close(gradient[2 * k + 1], 2.0 * p[1] / p[0].hypot(p[1]));
        }
        close(gradient[2 * n], lengths.sum() / 2.0);
    }
    check_grad(f, (array![[0.3, 0.9], [1.2, -0.4], [-0.7, 0.2]], 1.5))
}

/// Functions of `math` are called for blocks of rows, once their operands are known for all of a block: operands that wait
/// for other functions, elements of small arrays, functions that come in couples, and more than a block has memory for.
#[test]
fn functions_are_called_for_blocks_of_rows() {
    type Body = fn(Var, Var) -> (Var, Vec<Var>);
    let bodies: [Body; 4] = [
        |sum, x| {
            let (a, b) = (x.index(0), x.index(1));
            let length = (a * a + b * b).sqrt();
            let (sin, cos) = length.sin_cos();
            let gate = (sin * b + length).tanh();
            (sum + gate.exp() * cos, vec![a * length, gate, sin])
        },
        |sum, x| (sum + x.tanh().sum(), vec![x.square().exp() + x]),
        |sum, x| {
            let (sines, cosines) = (x * 2.0).sin_cos();
            let waves = (x.exp() * sines).sin() + (x + cosines).sigmoid() + (x * 3.0).cosh().ln();
            (sum + waves.sum(), vec![waves])
        },
        // Of the row itself, and as a result.
        |sum, x| (sum + x.index(0), vec![x.cos()]),
    ];
    for body in bodies {
        let f = move |sum: Var, rows: Var| scan(sum, rows, body);
        let total = move |sum: Var, rows: Var| {
            let (sum, ys) = f(sum, rows);
            ys.iter().fold(sum, |all, y| all + (*y * 0.5).sum())
        };
        for n in [0usize, 1, 15, 16, 17, 31, 32, 33, 64, 95] {
            let rows = Array2::from_shape_fn((n, 3), |(i, j)| 0.3 + 0.02 * i as f64 - 0.4 * j as f64);
            everywhere(f, (0.5, &rows));
            everywhere(value_and_grad(total).wrt(AllArgs), (0.5, &rows));
            let narrow = rows.mapv(|x| x as f32);
            everywhere(f, (0.5f32, &narrow));
        }
    }
}

/// Products large enough for a library routine, sums in tiles and constants in memory, within nested loops.
#[test]
fn bodies_hold_kernels_of_all_kinds() {
    let mut random = Random(9);
    let mut draw = |shape: &[usize]| random.array(&Type::new(DType::F64, shape), (-0.3, 0.3));
    let (x, w, v) = (draw(&[3, 2, 40]), draw(&[40, 40]), draw(&[40, 40]));
    let numbers = Array2::from_shape_fn((40, 40), |(i, j)| (i as f64 - j as f64) / 40.0);
    let f = |x: Var, w: Var, v: Var| {
        let step = |h: Var, x: Var| {
            let gain = (w.matmul(v) * Var::from(&numbers)).sum() * 0.01;
            let next = (h.matmul(w) + x.dot(v.t()) * gain).tanh();
            (next, (next.cumsum(1).sum(), next.reverse(&[1]).max_all()))
        };
        let sequence = |h: Var| scan(h, x, step);
        let twice = |_: Var, h: Var| sequence(h).0.reverse(&[0]);
        let (last, (sums, largest)) = sequence(fori_loop(2, x.index_axis(0, 0), twice));
        (last.square().sum() + (sums * largest).mean(), last)
    };
    everywhere(f, (&x, &w, &v));
    let loss = |x: Var, w: Var, v: Var| f(x, w, v).0;
    let gradient = everywhere(grad(loss).wrt(AllArgs), (&x, &w, &v));
    // The directional derivative against a finite difference.
    let t = [draw(&[3, 2, 40]), draw(&[40, 40]), draw(&[40, 40])];
    let slope: f64 = gradient.iter().zip(&t).map(|(g, t)| dot(g, t)).sum();
    let compiled = jit(loss);
    let along = |h: f64| -> f64 {
        let moved: Vec<Array> = [&x, &w, &v].into_iter().zip(&t).map(|(x, t)| axpy(x, h, t)).collect();
        compiled.call(&moved[0], &moved[1], &moved[2]).unwrap()
    };
    near((along(1e-5) - along(-1e-5)) / 2e-5, slope, 1e-8);
    let forward = everywhere(jvp(loss).wrt(AllArgs), (&x, &w, &v, (&t[0], &t[1], &t[2])));
    near(common::floats(&forward[1])[0], slope, 1e-11);
}

fn dot(x: &Array, y: &Array) -> f64 {
    common::floats(x).iter().zip(common::floats(y)).map(|(x, y)| x * y).sum()
}

fn axpy(x: &Array, h: f64, t: &Array) -> Array {
    let moved = common::floats(x).into_iter().zip(common::floats(t)).map(|(x, t)| x + h * t).collect();
    Array::from_elements(x.ty().shape, moved).unwrap()
}

// Branches

#[test]
fn branches_of_both_kinds() -> Result<(), Error> {
    let f = |x: Var, y: Var| cond(x.less(y), || (x * y, [x.sin()]), || (y / x, [x.full_like(3.0)]));
    assert_eq!(numbers(f, (2.0, 3.0)), [6.0, 2f64.sin()]);
    assert_eq!(numbers(f, (4.0, 3.0)), [0.75, 3.0]);
    let first = |x: Var, y: Var| f(x, y).0;
    assert_eq!(numbers(grad(first).wrt(AllArgs), (2.0, 3.0)), [3.0, 2.0]);
    assert_eq!(numbers(grad(first).wrt(AllArgs), (4.0, 3.0)), [-3.0 / 16.0, 0.25]);
    assert_eq!(number(grad(grad(first)), (4.0, 3.0)), 6.0 / 64.0);
    assert_eq!(number(grad(grad(grad(first))), (4.0, 3.0)), -18.0 / 256.0);
    check_grad(f, (2.0, 3.0))?;
    check_grad(f, (4.0, 3.0))
}

/// A branch not taken is not run: it contributes no NaN to derivatives, and its loops do not iterate.
#[test]
fn branches_not_taken_leave_nothing() {
    let root = |x: Var| cond(x.greater(0.0), || x.sqrt(), || 0.0 * x);
    for (x, slope) in [(-4.0, 0.0), (0.0, 0.0), (4.0, 0.25)] {
        assert_eq!(number(grad(root), (x,)), slope);
        assert_eq!(number(forward!(root), (x,)), slope);
    }
    let endless = |x: Var| cond(x.greater(0.0), || while_loop(x, |y| y.greater(0.0), |y| y + 1.0), || x * x);
    assert_eq!(number(grad(endless), (-3.0,)), -6.0);
}

#[test]
fn indices_are_clamped() {
    let f = |k: Var, x: Var| {
        switch(k, 4, |branch| match branch {
            0 => x,
            1 => x * x,
            2 => x * x * x,
            _ => x.full_like(7.0),
        })
    };
    let exact = |k: i64, x: f64| match k.clamp(0, 3) {
        0 => [x, 1.0, 0.0],
        1 => [x * x, 2.0 * x, 2.0],
        2 => [x * x * x, 3.0 * x * x, 6.0 * x],
        _ => [7.0, 0.0, 0.0],
    };
    for k in [i64::MIN, -1, 0, 1, 2, 3, 4, 1 << 32, (1 << 32) + 1, i64::MAX] {
        let [value, slope, curvature] = exact(k, 5.0);
        assert_eq!(number(f, (k, 5.0)), value, "{k}");
        assert_eq!(number(grad(f).wrt(Arg::<1>), (k, 5.0)), slope, "{k}");
        assert_eq!(number(grad(grad(f).wrt(Arg::<1>)).wrt(Arg::<1>), (k, 5.0)), curvature, "{k}");
    }
    assert_eq!(number(|k: Var, x: Var| switch(k, 1, |_| -x), (3i64, 5.0)), -5.0);
}

// Captured values

/// A captured value is returned unchanged: as the carry, as a row, from a branch.
#[test]
fn captured_values_are_returned_unchanged() {
    let carried = |x: Var, y: Var, n: Var| while_loop((x, n), |(_, n)| n.greater(0), |(_, n)| (y, n - 1)).0;
    for (n, value, slopes) in [(0i64, 2.0, [1.0, 0.0]), (1, 3.0, [0.0, 1.0]), (5, 3.0, [0.0, 1.0])] {
        assert_eq!(number(carried, (2.0, 3.0, n)), value);
        assert_eq!(numbers(grad(carried).wrt((Arg::<0>, Arg::<1>)), (2.0, 3.0, n)), slopes);
    }
    let rows = |x: Var, w: Var| scan(w, x, |_, _| (w, w)).1.sum() + map(x, |_| w).sum();
    assert_eq!(number(rows, (array![1.0, 2.0, 3.0], 4.0)), 24.0);
    assert_eq!(numbers(grad(rows).wrt(AllArgs), (array![1.0, 2.0, 3.0], 4.0)), [0.0, 0.0, 0.0, 6.0]);
    let chosen = |p: Var, x: Var, y: Var| cond(p, || x, || y);
    assert_eq!(numbers(grad(chosen).wrt((Arg::<1>, Arg::<2>)), (true, 2.0, 3.0)), [1.0, 0.0]);
    assert_eq!(numbers(grad(chosen).wrt((Arg::<1>, Arg::<2>)), (false, 2.0, 3.0)), [0.0, 1.0]);
    let kept = |x: Var| checkpoint(move |_: Var| x).call(2.0 * x);
    assert_eq!(number(grad(kept), (2.0,)), 1.0);
}

/// Small and large constants, from outside and inside of the closure.
#[test]
fn constants_are_captured() {
    let weights = Array1::from_iter((0..100).map(|k| 1.0 / f64::from(k + 1)));
    let total = weights.sum();
    let f = |x: Var| {
        let (two, table) = (Var::from(2.0), Var::from(&weights));
        fori_loop(3, x, |_, y| y * two + (table * x).sum() - Var::from(array![1.0, 2.0]).sum())
    };
    let exact = |x: f64| (0..3).fold(x, |y, _| y * 2.0 + total * x - 3.0);
    close(number(f, (0.5,)), exact(0.5));
    close(number(grad(f), (0.5,)), 8.0 + 7.0 * total);
}

/// A nested region uses values from two levels further out, and results of an adjacent region.
#[test]
fn captures_cross_levels() -> Result<(), Error> {
    let f = |x: Var, w: Var| {
        let scale = w * w;
        let body = |sum: Var, row: Var| {
            let shifted = row + scale;
            let inner = while_loop(
                (row, Var::from(0i64)),
                |(y, k)| k.less(3) & y.less(100.0 * w),
                |(y, k)| (cond(y.greater(w), || y * scale + row, || y + shifted * w), k + 1),
            );
            (sum + inner.0 * scale, inner.0)
        };
        let (sum, rows) = scan(w, x, body);
        sum * rows.sum()
    };
    let plain = |x: [f64; 3], w: f64| {
        let (mut sum, mut total, scale) = (w, 0.0, w * w);
        for row in x {
            let (mut y, mut k) = (row, 0);
            while k < 3 && y < 100.0 * w {
                y = if y > w { y * scale + row } else { y + (row + scale) * w };
                k += 1;
            }
            sum += y * scale;
            total += y;
        }
        sum * total
    };
    let x = [0.5, 1.7, -0.4];
    close(number(f, (Array1::from(x.to_vec()), 1.1)), plain(x, 1.1));
    everywhere(grad(f).wrt(AllArgs), (Array1::from(x.to_vec()), 1.1));
    check_grad(f, (Array1::from(x.to_vec()), 1.1))
}

#[test]
fn loops_within_branches_within_loops() -> Result<(), Error> {
    // A `while` in a `cond` in a `scan`, whose rows take both branches.
    let f = |x: Var, w: Var| {
        let body = |sum: Var, x: Var| {
            let long = || while_loop(x, |y| y.less(2.0), |y| y * y * w).sin();
            let y = cond(x.greater(1.0), long, || x * w);
            (sum * 0.5 + y, y * sum)
        };
        let (last, rows) = scan(w, x, body);
        last + rows.sum()
    };
    let x = array![1.5, 0.3, 1.2, -0.8, 1.1];
    everywhere(grad(f).wrt(AllArgs), (&x, 1.05));
    everywhere(hessian(f), (&x, 1.05));
    check_grad(f, (&x, 1.05))?;
    // A `cond` in a `scan` in a `while`.
    let g = |x: Var, w: Var| {
        let rows = x;
        let pass = |y: Var| scan(y, rows, |y, r| (cond(y.less(r), || y * r + w, || y + w * w), y)).0;
        while_loop(x.index(0), |y| y.less(10.0), pass)
    };
    let x = array![0.4, 2.3, -0.6, 1.9];
    everywhere(grad(g).wrt(AllArgs), (&x, 0.9));
    check_grad(g, (&x, 0.9))?;
    // Nested loops, reversed or not, that use the index of the outer one.
    let h = |x: Var| {
        let inner = |k: Var, y: Var| Loop::new().reverse().fori_loop(3, y, |j, z| z * x + (k * j).convert(DType::F64));
        fori_loop(4, x, inner)
    };
    let plain = |x: f64| (0..4).fold(x, |y, k| (0..3).rev().fold(y, |z, j| z * x + f64::from(k * j)));
    close(number(h, (0.9,)), plain(0.9));
    let (g1, d) = (number(grad(h), (0.9,)), 1e-5);
    near(g1, (plain(0.9 + d) - plain(0.9 - d)) / (2.0 * d), 1e-8);
    check_grad(h, (0.9,))
}

// Derivatives within loops

/// y ← d/dz (z² x) at y is 2 x y, so three iterations turn x into 8 x⁴.
#[test]
fn derivatives_are_taken_within_loops() {
    let f = |x: Var| fori_loop(3, x, |_, y| grad(move |z: Var| z * z * x).call(y));
    let x = 1.3f64;
    close(number(f, (x,)), 8.0 * x.powi(4));
    close(number(grad(f), (x,)), 32.0 * x.powi(3));
    close(number(grad(grad(f)), (x,)), 96.0 * x.powi(2));
    close(number(forward!(grad(f)), (x,)), 96.0 * x.powi(2));
    let g = |x: Var| while_loop(x, |y| y.less(100.0), |y| jvp(move |z: Var| z * z * x).call(y, y).1);
    // Each iteration turns y into 2 y² x: starting at 1.3, that is 4.394, 50.19… and 6550.
    let iterations = |x: f64| [0, 1, 2].iter().fold(x, |y, _| 2.0 * y * y * x);
    close(number(g, (x,)), iterations(x));
    close(number(grad(g), (x,)), 15.0 * iterations(x) / x);
    // The derivative of a loop within a loop.
    let h = |x: Var| {
        let power = |y: Var| fori_loop(4, y.full_like(1.0), |_, p| p * y);
        fori_loop(2, x, |_, y| grad(power).call(y))
    };
    close(number(h, (x,)), 4.0 * (4.0 * x.powi(3)).powi(3));
    close(number(grad(h), (x,)), 9.0 * 256.0 * x.powi(8));
}

/// A value captured by the body is not differentiated there, even if it is the initial carry.
#[test]
fn perturbations_are_not_confused_within_loops() {
    let f = |x: Var| fori_loop(1, x, |_, y| y * grad(move |z: Var| x + y + z).call(y));
    assert_eq!((number(f, (3.0,)), number(grad(f), (3.0,))), (3.0, 1.0));
    let f = |x: Var| fori_loop(1, x, |_, y| grad(move |z: Var| y * z).call(y));
    assert_eq!((number(f, (3.0,)), number(grad(f), (3.0,)), number(forward!(f), (3.0,))), (3.0, 1.0, 1.0));
    let f = |x: Var| cond(x.greater(0.0), || vjp(move |z: Var| x * z).call(x, x.full_like(1.0)).1, || x);
    assert_eq!((number(f, (3.0,)), number(grad(f), (3.0,))), (3.0, 1.0));
}

/// Gradient descent on (w - a)² from w₀: after k steps w = a + (1 - 2r)ᵏ (w₀ - a), whose derivatives by the target and
/// by the rate are known.
#[test]
fn gradient_descent_is_differentiated() {
    const STEPS: usize = 25;
    let descend = |w: Var, a: Var, rate: Var| {
        let loss = move |w: Var| (w - a) * (w - a);
        fori_loop(STEPS, w, |_, w| w - rate * grad(loss).call(w))
    };
    let (w, a, rate) = (3.0, -1.0, 0.07f64);
    let (k, q) = (STEPS as i32, 1.0 - 2.0 * rate);
    close(number(descend, (w, a, rate)), a + q.powi(k) * (w - a));
    let gradient = numbers(grad(descend).wrt(AllArgs), (w, a, rate));
    let by_rate = -2.0 * f64::from(k) * q.powi(k - 1) * (w - a);
    all_close(&gradient, &[q.powi(k), 1.0 - q.powi(k), by_rate]);
    let curvature = 4.0 * f64::from(k * (k - 1)) * q.powi(k - 2) * (w - a);
    close(number(hessian(descend).wrt(Arg::<2>), (w, a, rate)), curvature);
    // Newton's method, with its own Hessian, until the gradient is small.
    let newton = |a: Var| {
        let loss = move |w: Var| (w * w - a) * (w * w - a);
        let slope = grad(loss);
        while_loop(a, |w| slope.call(w).abs().greater(1e-12), |w| w - slope.call(w) / hessian(loss).call(w))
    };
    near(number(newton, (2.0,)), 2f64.sqrt(), 1e-12);
    near(number(grad(newton), (2.0,)), 0.5 / 2f64.sqrt(), 1e-9);
}

// Higher orders and modes

/// x - x³/3! + x⁵/5! - …, up to the first term below the bound.
fn sine(x: Var, bound: f64) -> Var {
    let init = (x, x, Var::from(0i64));
    let step = |(sum, term, i): (Var, Var, Var)| {
        let divisor = ((2 * i + 3) * (2 * i + 2)).convert(DType::F64);
        let term = -term * x * x / divisor;
        (sum + term, term, i + 1)
    };
    while_loop(init, |(_, term, _)| term.abs().greater(bound), step).0
}

/// The same series as a plain Rust loop, which is traced with guards.
fn guarded_sine(x: Var, bound: f64) -> Var {
    let (mut sum, mut term, mut i) = (x, x, 0);
    while term.abs() > bound {
        term = -term * x * x / ((2 * i + 3) * (2 * i + 2));
        sum += term;
        i += 1;
    }
    sum
}

#[test]
fn third_derivatives_in_all_modes() {
    let f = |x: Var| sine(x, 1e-20);
    for x in [0.4f64, 2.0, -3.3] {
        for third in [
            number(grad(grad(grad(f))), (x,)),
            number(grad(grad(forward!(f))), (x,)),
            number(grad(forward!(grad(f))), (x,)),
            number(grad(forward!(forward!(f))), (x,)),
            number(forward!(grad(grad(f))), (x,)),
            number(forward!(grad(forward!(f))), (x,)),
            number(forward!(forward!(grad(f))), (x,)),
            number(forward!(forward!(forward!(f))), (x,)),
        ] {
            near(third, -x.cos(), 1e-12);
        }
    }
    // No iteration: x itself.
    assert_eq!(number(grad(grad(grad(|x: Var| sine(x, 10.0)))), (2.0,)), 0.0);
    assert_eq!(number(grad(|x: Var| sine(x, 10.0)), (2.0,)), 1.0);
}

/// A loop in the graph and a plain Rust loop have the same values and bit-identical gradients if an iteration uses each
/// outside value only once.
#[test]
fn a_loop_in_the_graph_is_the_loop_of_plain_rust() -> Result<(), Error> {
    let in_graph = |x: Var| {
        let square = x * x;
        let step = |(sum, term, i): (Var, Var, Var)| {
            let term = -term * square / ((2 * i + 3) * (2 * i + 2)).convert(DType::F64);
            (sum + term, term, i + 1)
        };
        while_loop((x, x, Var::from(0i64)), |(_, term, _)| term.abs().greater(0.001), step).0
    };
    let guarded = |x: Var| {
        let square = x * x;
        let (mut sum, mut term, mut i) = (x, x, 0);
        while term.abs() > 0.001 {
            term = -term * square / ((2 * i + 3) * (2 * i + 2));
            sum += term;
            i += 1;
        }
        sum
    };
    let (in_graph, guarded) = (jit(value_and_grad(in_graph)), jit(value_and_grad(guarded)));
    let mut random = Random(5);
    for _ in 0..1000 {
        let x = random.range(-10.0, 10.0);
        let (value, slope): (f64, f64) = in_graph.call(x)?;
        let expected: (f64, f64) = guarded.call(x)?;
        assert_eq!((value, slope), expected, "at {x}");
        let ratio = |k: i32| -x * x / f64::from((2 * k + 3) * (2 * k + 2));
        let terms = (0..40).scan(x, |term, k| Some(std::mem::replace(term, *term * ratio(k))));
        let n_terms = 1 + terms.take_while(|term| term.abs() > 0.001).count() as i32;
        // x²ᵏ / (2k)! for the same number of terms: the derivative of the series as it was summed.
        let by_hand = |k: i32| (1..=k).fold(1.0, |term, k| -term * x * x / f64::from((2 * k - 1) * (2 * k)));
        let scale = (0..n_terms).map(|k| by_hand(k).abs()).fold(1.0, f64::max);
        let exact: f64 = (0..n_terms).map(by_hand).sum();
        assert!((slope - exact).abs() < 1e-14 * scale, "{slope:e} is not {exact:e} at {x}");
    }
    assert_eq!((in_graph.n_paths(), in_graph.n_traces()), (1, 1));
    assert!(guarded.n_paths() > 10);
    Ok(())
}

/// If an iteration uses the argument twice, a loop in the graph adds both contributions to its cotangent at once, and
/// plain Rust adds one after the other: if the terms are large and their sum is small, gradients agree only to the
/// terms' last bits.
#[test]
fn gradients_of_loops_differ_by_the_order_of_sums_only() -> Result<(), Error> {
    let in_graph = jit(value_and_grad(|x: Var| sine(x, 0.001)));
    let guarded = jit(value_and_grad(|x: Var| guarded_sine(x, 0.001)));
    let mut random = Random(4);
    let (mut n_close, n) = (0, 1000);
    for _ in 0..n {
        let x = random.range(-10.0, 10.0);
        let (value, slope): (f64, f64) = in_graph.call(x)?;
        let (expected, expected_slope): (f64, f64) = guarded.call(x)?;
        assert_eq!(value, expected, "at {x}");
        let distance = (slope - expected_slope).abs();
        // The largest term of the cosine's series: x²ᵏ / (2k)!.
        let ratio = |k: u32| x * x / f64::from((2 * k + 1) * (2 * k + 2));
        let largest = (0..10).scan(1.0, |term, k| Some(std::mem::replace(term, *term * ratio(k)))).fold(1.0, f64::max);
        assert!(distance <= 1e-15 * largest, "{slope:e} is not {expected_slope:e} at {x}: {largest}");
        n_close += usize::from(distance <= 1e-14 * expected_slope.abs());
    }
    assert!(n_close * 100 >= n * 80, "{n_close} of {n} are equal to 1e-14 of themselves");
    assert_eq!((in_graph.n_paths(), in_graph.n_traces()), (1, 1));
    assert!(guarded.n_paths() > 10);
    Ok(())
}

/// √(x² + y²) by twelve Newton steps.
#[test]
fn hessian_through_a_while() -> Result<(), Error> {
    let f = |p: [Var; 2]| {
        let square = p[0] * p[0] + p[1] * p[1];
        let step = |(r, k): (Var, Var)| (0.5 * (r + square / r), k + 1);
        while_loop((square, Var::from(0i64)), |(_, k)| k.less(12), step).0
    };
    let [x, y] = [0.9, -1.4f64];
    let r = x.hypot(y);
    close(number(f, ([x, y],)), r);
    all_close(&numbers(grad(f), ([x, y],)), &[x / r, y / r]);
    let exact = [y * y, -x * y, -x * y, x * x].map(|z| z / r.powi(3));
    all_close(&numbers(hessian(f), ([x, y],)), &exact);
    all_close(&numbers(hvp(f), ([x, y], [1.0, 2.0])), &[exact[0] + 2.0 * exact[1], exact[2] + 2.0 * exact[3]]);
    all_close(&numbers(jacobian(grad(f)).forward(), ([x, y],)), &exact);
    all_close(&numbers(jacobian(grad(f)).reverse(), ([x, y],)), &exact);
    check_grad(f, ([x, y],))
}

/// ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩, and second-order derivatives, for a function with all kinds of control flow.
#[test]
fn products_through_everything_are_adjoint() -> Result<(), Error> {
    let f = |x: Var, w: Var| {
        let layer = checkpoint(move |h: Var| (w.dot(h)).tanh());
        let body = |h: Var, row: Var| {
            let k = (row.sum() * 3.0).convert(DType::I64);
            let next = switch(k, 3, |branch| if branch == 1 { layer.call(h) } else { h * (branch as f64) + row });
            (next, while_loop(next.sum(), |s| s.abs().greater(0.1), |s| s * 0.5 + s * s * 0.1))
        };
        scan(Var::from(array![0.1, 0.2]), x, body)
    };
    let x = array![[0.1, 0.2], [-0.3, 0.9], [0.5, 0.4], [0.2, 0.3]];
    let w = array![[0.4, -0.7], [0.2, 0.9]];
    let (t, tw) = (array![[0.3, -0.2], [0.8, 0.1], [-0.4, 0.6], [0.9, -0.5]], array![[0.2, 0.1], [-0.3, 0.7]]);
    let ct = (array![0.7, -1.1], array![0.3, 0.2, -0.9, 0.5]);
    type Out = (Array1<f64>, Array1<f64>);
    let (y, jt): (Out, Out) = jit(jvp(f).wrt(AllArgs)).call(&x, &w, (&t, &tw))?;
    let (same, (dx, dw)): (Out, (Array2<f64>, Array2<f64>)) = jit(vjp(f).wrt(AllArgs)).call(&x, &w, &ct)?;
    assert_eq!(y, same);
    let left = ct.0.dot(&jt.0) + ct.1.dot(&jt.1);
    close(left, (dx * t).sum() + (dw * tw).sum());
    check_grad(f, (&x, &w))
}

/// A loop with a checkpointed body saves only its carry, and has the same derivatives up to third order.
#[test]
fn checkpoints_save_only_arguments() -> Result<(), Error> {
    let body = |y: Var| (y.sin() * y.exp()).tanh() + (y * 0.3).cos();
    let plain = move |x: Var| fori_loop(6, x, |_, y| body(y));
    let kept = move |x: Var| fori_loop(6, x, |_, y| checkpoint(body).call(y));
    let collected = |graph: &Graph| {
        let first = graph.ids().find(|&id| !graph.node(id).regions().is_empty()).unwrap();
        graph.node(first).types().len() - 1
    };
    let [saved, saved_alone] =
        [optimize(&trace(grad(plain), (DType::F64,))?)?, optimize(&trace(grad(kept), (DType::F64,))?)?]
            .map(|graph| collected(&graph));
    assert!(saved_alone == 1 && saved > 1, "{saved} and {saved_alone} values are saved");
    assert_eq!(number(kept, (0.4,)), number(plain, (0.4,)));
    close(number(grad(kept), (0.4,)), number(grad(plain), (0.4,)));
    close(number(grad(grad(kept)), (0.4,)), number(grad(grad(plain)), (0.4,)));
    close(number(forward!(grad(grad(kept))), (0.4,)), number(forward!(grad(grad(plain))), (0.4,)));
    check_grad(kept, (0.4,))
}

/// Every operation has the source line that made it.
#[test]
fn operations_have_the_source_lines_of_the_user() -> Result<(), Error> {
    let (line, f) = (line!() + 1, |x: Var, n: Var| {
        let y = checkpoint(|x: Var| x.sin()).call(x);
        let y = cond(y.greater(0.0), || y, || -y);
        let y = switch(n, 2, |k| y * (k as f64));
        let y = while_loop(y, |y| y.less(4.0), |y| y + 1.0);
        let y = fori_loop(2, y, |_, y| y * y);
        let (y, ys) = scan(y, y.broadcast_to(&[3]), |y, x| (y + x, x));
        y + map(ys, |y| y.exp()).sum()
    });
    let graph = trace(f, (DType::F64, DType::I64))?;
    let lines = graph.ids().filter(|&id| !graph.node(id).regions().is_empty());
    let lines: Vec<String> = lines.map(|id| graph.node(id).provenance().at.as_ref().unwrap().to_string()).collect();
    assert_eq!(lines.len(), 7);
    for (k, at) in lines.iter().enumerate() {
        assert!(at.starts_with(&format!("tests/control.rs:{}:", line + k as u32)), "{at}");
    }
    // Derivatives show no lines of this crate either.
    let text = differentiate::grad(&graph, 0, &[0])?.to_json()?;
    assert!(text.contains("tests/control.rs") && !text.contains("src/"), "{text}");
    Ok(())
}

// Carries of every kind

fn op_of(graph: &Graph, name: &str) -> Op {
    let ops = graph.ids().filter_map(|id| graph.node(id).op().cloned());
    ops.into_iter().find(|op| op.name() == name).unwrap_or_else(|| panic!("no {name} in\n{graph}"))
}

/// Carries without uses and carries that do not change are removed from the loop; results stay the same.
#[test]
fn unused_and_unchanged_carries_are_removed() -> Result<(), Error> {
    let f = |x: Var, c: Var| {
        let init = (x, c, x.sin(), Var::from(0i64));
        let step = |(y, c, unused, k): (Var, Var, Var, Var)| (y * c + 1.0, c, unused.exp() + y, k + 1);
        while_loop(init, |(_, _, _, k)| k.less(5), step).0
    };
    let exact = |x: f64, c: f64| (0..5).fold(x, |y, _| y * c + 1.0);
    assert_eq!(number(f, (2.0, 3.0)), exact(2.0, 3.0));
    assert_eq!(number(grad(f), (2.0, 3.0)), 243.0);
    let graph = trace(f, (DType::F64, DType::F64))?;
    assert_eq!(op_of(&graph, "while"), While { carry: 4, max_trips: None }.into());
    assert_eq!(op_of(&optimize(&graph)?, "while"), While { carry: 2, max_trips: None }.into());

    let g =
        |x: Var, c: Var| scan((x, c), x.full_like(1.0).broadcast_to(&[4]), |(y, c), r| ((y * c, c), (y, r + c))).1.0;
    let graph = trace(g, (DType::F64, DType::F64))?;
    let settled = Scan { carry: 1, xs: 0, length: Some(4), reverse: false, checkpoint: None };
    assert_eq!(op_of(&optimize(&graph)?, "scan"), settled.into());
    assert_eq!(numbers(g, (2.0, 3.0)), [2.0, 6.0, 18.0, 54.0]);
    Ok(())
}

/// Dead carries that depend on each other are removed together.
#[test]
fn dead_carries_that_depend_on_each_other_are_removed() -> Result<(), Error> {
    let f = |x: Var| fori_loop(3, (x, x.sin(), x.cos()), |_, (y, a, b)| (y * x, b + 1.0, a * 2.0)).0;
    let graph = trace(f, (DType::F64,))?;
    let settled = Scan { carry: 1, xs: 0, length: Some(3), reverse: false, checkpoint: None };
    assert_eq!(op_of(&optimize(&graph)?, "scan"), settled.into());
    assert_eq!(number(f, (2.0,)), 16.0);
    Ok(())
}

/// Results with the same values become one: of a loop, of a map, and of branches that agree about them. Carries have
/// last values of their own.
#[test]
fn equal_results_become_one() -> Result<(), Error> {
    let n_results = |graph: &Graph| {
        let control = graph.ids().map(|id| graph.node(id)).find(|node| !node.regions().is_empty());
        control.map(|node| node.types().len())
    };
    let looped = |x: Var, rows: Var| scan(x, rows, |y, r| (y * r, [y.exp(), r, y.exp(), y, y.exp() + r]));
    let graph = trace(looped, (DType::F64, Type::new(DType::F64, [3])))?;
    assert_eq!((n_results(&graph), n_results(&optimize(&graph)?)), (Some(6), Some(5)));
    let (last, ys) = jit(looped).call::<(f64, [Vec<f64>; 5])>(0.5, vec![1.0, 2.0, 3.0])?;
    let expected = [0.5f64, 0.5, 1.0];
    assert_eq!(last, 3.0);
    assert_eq!(ys[3], expected);
    assert_eq!(ys[0], ys[2]);
    all_close(&ys[0], &expected.map(f64::exp));

    let mapped = |rows: Var| map(rows, |r| [while_loop(r, |r| r.less(3.0), |r| r + 1.0), r, r.exp(), r]);
    let graph = trace(mapped, (Type::new(DType::F64, [2]),))?;
    assert_eq!((n_results(&graph), n_results(&optimize(&graph)?)), (Some(4), Some(3)));
    let [ended, first, exp, last] = jit(mapped).call::<[Vec<f64>; 4]>(vec![0.5, 4.0])?;
    assert_eq!((ended, &first), (vec![3.5, 4.0], &last));
    all_close(&exp, &[0.5f64.exp(), 4.0f64.exp()]);

    let branches = |x: Var| cond(x.greater(0.0), || [x.sin(), x.cos(), x.sin(), x.cos()], || [x, x, x, x.exp()]);
    let graph = trace(branches, (DType::F64,))?;
    assert_eq!((n_results(&graph), n_results(&optimize(&graph)?)), (Some(4), Some(3)));
    for x in [0.5f64, -0.5] {
        let results = jit(branches).call::<[f64; 4]>(x)?;
        let expected = if x > 0.0 { [x.sin(), x.cos(), x.sin(), x.cos()] } else { [x, x, x, x.exp()] };
        all_close(&results, &expected);
    }
    Ok(())
}

/// Loop-invariant values are computed before the loop, unless they may not terminate and the loop may have no
/// iterations.
#[test]
fn loop_invariants_are_hoisted() -> Result<(), Error> {
    let f = |x: Var, w: Var| fori_loop(3, x, |_, y| y * w.exp());
    let optimized = optimize(&trace(f, (DType::F64, DType::F64))?)?;
    let outside = optimized.ids().any(|id| optimized.node(id).op().is_some_and(|op| op.name() == "exp"));
    assert!(outside, "{optimized}");
    close(number(f, (2.0, 0.5)), 2.0 * 1.5f64.exp());

    let g = |x: Var, n: Var, w: Var| {
        let limited = || Loop::new().max_trips(5).while_loop(w, |w| w.greater(0.0), |w| w + 1.0);
        while_loop((x, n), |(_, n)| n.greater(0), |(x, n)| (x + limited(), n - 1)).0
    };
    assert_eq!(number(g, (2.0, 0i64, 1.0)), 2.0);
    assert_eq!(number(g, (2.0, 3i64, -1.0)), -1.0);
    assert!(matches!(jit(g).call::<f64>(2.0, 3i64, 1.0), Err(Error::Limit(_))));
    Ok(())
}

/// Each iteration adds a product to the cotangent of a weight matrix. All of them are computed as one product after the
/// loop, from rows that the loop saves or collects. The same function without a loop has the same derivatives.
#[test]
fn products_are_summed_up_after_the_loop() -> Result<(), Error> {
    const N: usize = 20;
    let step = |h: Var, x: Var, w: Var, u: Var| (h.dot(w) + x.dot(u)).tanh();
    let looped = move |x: Var, w: Var, u: Var| {
        let (h, squares) = scan(Var::from(0.1).broadcast_to(&[3, N]), x, |h, x| {
            let next = step(h, x, w, u);
            (next, next.square().sum())
        });
        h.sum() + squares.sum()
    };
    let unrolled = move |x: Var, w: Var, u: Var| {
        let mut h = Var::from(0.1).broadcast_to(&[3, N]);
        let mut sum = Var::from(0.0);
        for t in 0..x.shape()[0] {
            h = step(h, x.index_axis(0, t), w, u);
            sum += h.square().sum();
        }
        h.sum() + sum
    };
    let mut random = Random(7);
    let mut array = |shape: &[usize]| random.array(&Type::new(DType::F64, shape), (-0.3, 0.3));
    let weights = [array(&[N, N]), array(&[N, N])];
    for n in [1usize, 2, 7] {
        let x = array(&[n, 3, N]);
        let args = (&x, &weights[0], &weights[1]);
        all_close(&numbers(grad(looped).wrt(AllArgs), args), &numbers(grad(unrolled).wrt(AllArgs), args));
        let by_w = |f: &dyn Fn(Var, Var, Var) -> Var, x: Var, w: Var| grad(|w: Var| f(x, w, w)).apply((w,));
        let curved = |f: &dyn Fn(Var, Var, Var) -> Var, x: Var, w: Var| by_w(f, x, w).square().sum();
        let second = |f: &dyn Fn(Var, Var, Var) -> Var, x: Var, w: Var| grad(|w: Var| curved(f, x, w)).apply((w,));
        let args = (&x, &weights[0]);
        all_close(
            &numbers(|x: Var, w: Var| second(&looped, x, w), args),
            &numbers(|x: Var, w: Var| second(&unrolled, x, w), args),
        );
    }

    let types = (Type::new(DType::F64, [7, 3, N]), Type::new(DType::F64, [N, N]), Type::new(DType::F64, [N, N]));
    let graph = optimize(&trace(grad(looped).wrt(AllArgs), types)?)?;
    let back = graph.ids().rfind(|&id| matches!(graph.node(id).op(), Some(Op::Scan(_)))).expect("there are loops");
    let Some(Op::Scan(op)) = graph.node(back).op() else { unreachable!() };
    assert_eq!(op.carry, 1, "the sums are carried:\n{graph}");
    assert!(graph.node(back).types().iter().all(|ty| ty.shape.extents() != [N, N]), "{graph}");
    Ok(())
}

#[test]
fn branches_with_constant_choices_are_inlined() -> Result<(), Error> {
    let f = |x: Var| {
        let never = fori_loop(0, x, |_, y| y.exp());
        cond(Var::from(true), || x * never, || x.exp()) + switch(Var::from(7i64), 2, |k| x * (k as f64))
    };
    let optimized = optimize(&trace(f, (DType::F64,))?)?;
    let regions = optimized.ids().filter(|&id| !optimized.node(id).regions().is_empty()).count();
    assert_eq!(regions, 0, "{optimized}");
    assert_eq!(number(grad(f), (3.0,)), 7.0);
    Ok(())
}

/// The Collatz sequence: integers only, and a `bool` carry.
#[test]
fn integers_and_truth_values_are_carried() {
    let collatz = |n: Var| {
        let init = (n, Var::from(0i64), Var::from(false));
        let step = |(n, steps, odd): (Var, Var, Var)| {
            let half = n / 2;
            let even = (half * 2).equal(n);
            (cond(even, || half, || 3 * n + 1), steps + 1, !odd)
        };
        while_loop(init, |(n, _, _)| n.greater(1), step)
    };
    for n in [1i64, 2, 7, 27, 97] {
        let (mut m, mut steps) = (n, 0);
        while m > 1 {
            (m, steps) = (if m % 2 == 0 { m / 2 } else { 3 * m + 1 }, steps + 1);
        }
        let expected = [Array::scalar(m), Array::scalar(steps), Array::scalar(steps % 2 == 1)];
        assert_eq!(everywhere(collatz, (n,)), expected, "{n}");
    }
    // Together with numbers that are differentiated.
    let f = |x: Var, flags: Var| {
        let step = |(y, n, all): (Var, Var, Var), flag: Var| {
            ((flag.select(y * x, y + x), n + flag.convert(DType::I64), all & flag), n)
        };
        scan((x, Var::from(0i64), Var::from(true)), flags, step)
    };
    let flags = array![true, false, true, true];
    // ((x² + x) x) x
    let first = |x: Var, flags: Var| f(x, flags).0.0;
    assert_eq!(number(first, (2.0, &flags)), 24.0);
    assert_eq!(number(grad(first), (2.0, &flags)), 4.0 * 8.0 + 3.0 * 4.0);
    assert_eq!(number(grad(grad(first)), (2.0, &flags)), 12.0 * 4.0 + 6.0 * 2.0);
    let results = everywhere(f, (2.0, &flags));
    assert_eq!(results[1..3], [Array::scalar(3i64), Array::scalar(false)]);
    assert_eq!(results[3], Array::from_elements([4], vec![0i64, 1, 1, 2]).unwrap());
}

#[test]
fn single_precision_stays_single() {
    let root = |x: Var| while_loop((x, Var::from(0i64)), |(_, k)| k.less(6), |(y, k)| (0.5 * (y + x / y), k + 1)).0;
    let plain = |x: f32| (0..6).fold(x, |y, _| 0.5 * (y + x / y));
    for x in [0.3f32, 2.0, 1e4] {
        assert_eq!(everywhere(root, (x,)), [Array::scalar(plain(x))]);
    }
    let slope = everywhere(grad(root), (2.0f32,))[0].get(0);
    assert!(matches!(slope, Some(Scalar::F32(d)) if (d - 0.5 / 2f32.sqrt()).abs() < 1e-6), "{slope:?}");
    check_grad(root, (2.0f32,)).unwrap();
}

/// A comparison with NaN does not hold, which ends a loop at the beginning or after some iterations.
#[test]
fn nan_ends_a_loop() {
    let f = |x: Var| while_loop((x, Var::from(0i64)), |(y, _)| y.greater(-10.0), |(y, k)| ((y - 1.0).sqrt(), k + 1));
    let results = everywhere(f, (f64::NAN,));
    assert!(common::floats(&results[0])[0].is_nan());
    assert_eq!(results[1], Array::scalar(0i64));
    // 11 → √10 → √(√10 - 1) = 1.47… → 0.68… → NaN
    let results = everywhere(f, (11.0,));
    assert!(common::floats(&results[0])[0].is_nan());
    assert_eq!(results[1], Array::scalar(4i64));
    let (value, slope) = (|x: Var| f(x).0, grad(|x: Var| f(x).0));
    assert!(number(value, (11.0,)).is_nan() && number(slope, (11.0,)).is_nan());
    let negated = |x: Var| while_loop(x, |y| !y.less(0.0), |y| y - 1.0);
    assert_eq!(number(negated, (1.5,)), -0.5);
}

// Errors

/// Checks the message of an error, which ends in the given line of this file.
#[track_caller]
fn expect_at(error: &Error, line: u32, message: &str) {
    let text = error.to_string();
    let (head, at) = text.split_once("\n  at ").unwrap_or((&text, ""));
    assert_eq!(head, message);
    assert!(at.starts_with(&format!("tests/control.rs:{line}:")), "not at line {line}: {text}");
}

/// The error of a trace with arguments of types `f64`, `i64` and `f64[3]`.
fn error_of<F: Function<(Var, Var, Var)>>(f: F) -> Error {
    let vector = Type::new(DType::F64, [3]);
    match trace(f, (DType::F64, DType::I64, vector)) {
        Ok(graph) => panic!("traced:\n{graph}"),
        Err(error) => error,
    }
}

#[test]
fn carries_that_change_their_type() {
    let line = line!() + 1;
    let dtype = error_of(|x: Var, n: Var, _: Var| while_loop((x, n), |(_, n)| n.greater(0), |(x, _)| (x, x)).0);
    expect_at(&dtype, line, "trace: while_loop: the body: returns carry.1: f64[], where it takes carry.1: i64[]");
    let line = line!() + 1;
    let shape = error_of(|x: Var, _: Var, v: Var| fori_loop(3, [x, x], |_, [a, b]| [a + b, (a * v).exp()])[0]);
    expect_at(&shape, line, "trace: fori_loop: the body: returns carry.1: f64[3], where it takes carry.1: f64[]");
    let line = line!() + 1;
    let row = error_of(|x: Var, _: Var, v: Var| scan(x, v, |sum, x| (v * sum, x)).0);
    expect_at(&row, line, "trace: scan: the body: returns carry: f64[3], where it takes carry: f64[]");
    let line = line!() + 1;
    let length = error_of(|x: Var, _: Var, _: Var| fori_loop(3, vec![x], |_, c| vec![c[0], c[0]])[0]);
    expect_at(&length, line, "trace: fori_loop: the body: returns 2 arrays, where it takes 1");
}

#[test]
fn branches_that_differ() {
    let line = line!() + 1;
    let shape = error_of(|x: Var, _: Var, v: Var| cond(x.greater(0.0), || (x, x), || (x, v)).0);
    expect_at(
        &shape,
        line,
        "trace: cond: if_false: returns out.1: f64[3], where the first branch returns out.1: f64[]",
    );
    let line = line!() + 1;
    let dtype = error_of(|x: Var, n: Var, _: Var| switch(n, 3, |k| if k < 2 { x } else { n }));
    expect_at(&dtype, line, "trace: switch: branch2: returns out: i64[], where the first branch returns out: f64[]");
    let line = line!() + 1;
    let length = error_of(|x: Var, n: Var, _: Var| switch(n, 2, |k| vec![x; k + 1])[0]);
    expect_at(&length, line, "trace: switch: branch1: returns 2 arrays, where the first branch returns 1");
}

#[test]
fn conditions_that_are_not_bool_scalars() {
    let line = line!() + 1;
    let number = error_of(|x: Var, _: Var, _: Var| while_loop(x, |x| x - 1.0, |x| x - 1.0));
    expect_at(&number, line, "trace: while_loop: the condition must return a bool[], but returns f64[]");
    let line = line!() + 1;
    let array = error_of(|_: Var, _: Var, v: Var| while_loop(v, |v| v.greater(0.0), |v| v - 1.0));
    expect_at(&array, line, "trace: while_loop: the condition must return a bool[], but returns bool[3]");
    for (line, error) in [
        (line!(), error_of(|x: Var, _: Var, v: Var| cond(v.greater(0.0), || x, || -x))),
        (line!(), error_of(|x: Var, n: Var, _: Var| cond(n, || x, || -x))),
        (line!(), error_of(|x: Var, _: Var, _: Var| switch(x, 2, |_| x))),
    ] {
        let Error::Operation(operation) = &error else { panic!("{error}") };
        let expected = match &*operation.op {
            "cond" => "the condition must be bool[], but got ",
            _ => "the index must be i64[], but got f64[]",
        };
        assert!(operation.requirement.starts_with(expected), "{error}");
        let at = operation.at.as_ref().unwrap().to_string();
        assert!(at.starts_with(&format!("tests/control.rs:{line}:")), "{error}");
    }
    let line = line!() + 1;
    let none = error_of(|x: Var, n: Var, _: Var| switch(n, 0, |_| x));
    expect_at(&none, line, "trace: switch: needs at least one branch, but got n = 0");
}

#[test]
fn rows_that_do_not_fit() {
    let line = line!() + 1;
    let scalar = error_of(|x: Var, _: Var, v: Var| scan(x, (v, x), |sum, (a, b)| (sum + a + b, a)).0);
    expect_at(&scalar, line, "trace: scan: xs.1 must have rows, but is a scalar, f64[]");
    let line = line!() + 1;
    let differ = error_of(|x: Var, _: Var, v: Var| scan(x, [v, v.slice_axis(0, 0, 2, 1)], |s, [a, _]| (s, a)).0);
    expect_at(&differ, line, "trace: scan: xs.0 has 3 rows, but xs.1 has 2");
    let line = line!() + 1;
    let nothing = error_of(|x: Var, _: Var, _: Var| scan(x, Vec::<Var>::new(), |sum, _| (sum, sum)).0);
    expect_at(&nothing, line, "trace: scan: there are no rows to go through; use fori_loop");
    let line = line!() + 1;
    let mapped = error_of(|x: Var, _: Var, _: Var| map(x, |x| x));
    expect_at(&mapped, line, "trace: map: xs must have rows, but is a scalar, f64[]");
}

#[test]
fn an_if_within_a_body_is_an_error() {
    let message = "trace: a comparison cannot decide an `if`, or end a `while`, in what is traced once for all of its runs: the \
                   body of a loop or a branch, or a function given to vmap, checkpoint or a custom rule; use `select`, `cond` or \
                   `while_loop`";
    let check = |line: u32, error: Error| {
        assert!(matches!(error, Error::Trace(TraceError::BranchInRegion { .. })), "{error}");
        expect_at(&error, line, message);
    };
    let in_body = |x: Var| fori_loop(3, x, |_, y| if y > 0.0 { y } else { -y });
    check(line!() - 1, jit(in_body).call::<f64>(1.0).unwrap_err());
    check(line!() - 2, jit(grad(in_body)).call::<f64>(1.0).unwrap_err());
    let in_condition = |x: Var| while_loop(x, |y| if y > 0.0 { y.less(3.0) } else { y.less(2.0) }, |y| y + 1.0);
    check(line!() - 1, jit(in_condition).call::<f64>(1.0).unwrap_err());
    // A branch within a body may be taken in one iteration and not in another.
    let in_branch = |x: Var| fori_loop(3, x, |_, y| cond(x.greater(0.0), || if y > 4.0 { x } else { y }, || x));
    check(line!() - 1, jit(in_branch).call::<f64>(1.0).unwrap_err());
    // An error ends the trace, and the next one works.
    assert_eq!(number(|x: Var| fori_loop(3, x, |_, y| y + 1.0), (1.0,)), 4.0);
}

/// A comparison of values from outside the body is evaluated and guarded outside.
#[test]
fn an_if_on_captured_values_is_followed() -> Result<(), Error> {
    let f = |x: Var, y: Var| {
        let large = y.greater(1.0);
        fori_loop(3, x, |_, z| {
            let z = if y > 0.0 { z * y } else { z - y };
            cond(large, || if x * x + 1.0 == 5.0 { z + 1.0 } else { z }, || z)
        })
    };
    let plain = |x: f64, y: f64| {
        (0..3).fold(x, |z, _| {
            let z = if y > 0.0 { z * y } else { z - y };
            if y > 1.0 && x == 2.0 { z + 1.0 } else { z }
        })
    };
    let (compiled, slope) = (jit(f), jit(grad(f)));
    for (x, y) in [(2.0, 3.0), (2.5, 3.0), (2.5, 4.0), (2.5, -1.0), (2.0, -1.0), (3.0, 0.5), (2.0, 1.5)] {
        assert_eq!(compiled.call::<f64>(x, y)?, plain(x, y), "at {x}, {y}");
        close(slope.call(x, y)?, if y > 0.0 { f64::powi(y, 3) } else { 1.0 });
    }
    assert_eq!((compiled.n_paths(), slope.n_paths()), (4, 4));
    Ok(())
}

/// A closure uses a variable of another trace, or of none.
#[test]
fn variables_of_other_traces_are_errors() {
    let kept = std::sync::Mutex::new(None);
    trace(|x: Var| *kept.lock().unwrap().insert(x), (DType::F64,)).unwrap();
    let old = kept.lock().unwrap().unwrap();
    let error = trace(move |x: Var| fori_loop(2, x, |_, y| y * old), (DType::F64,)).unwrap_err();
    assert!(matches!(error, Error::Trace(TraceError::Escaped { .. })), "{error}");
    // A value of the body does not exist outside of it.
    let leaked = |x: Var| {
        let mut inner = x;
        let y = fori_loop(2, x, |_, y| {
            inner = y * y;
            y + 1.0
        });
        y + inner
    };
    let error = trace(leaked, (DType::F64,)).unwrap_err();
    assert!(matches!(error, Error::Trace(TraceError::Escaped { .. })), "{error}");
}

#[test]
fn endless_loops_end_in_an_error() {
    let line = line!() + 1;
    let f = |x: Var| Loop::new().max_trips(1000).while_loop(x, |x| x.greater(0.0), |x| x + 1.0);
    let graph = trace(f, (DType::F64,)).unwrap();
    let gradient = optimize(&differentiate::grad(&graph, 0, &[0]).unwrap()).unwrap();
    // Reaching a limit without exceeding it is no error.
    let g = |x: Var| Loop::new().max_trips(1000).while_loop(x, |x| x.less(1000.0), |x| x + 1.0);
    assert_eq!(number(g, (0.0,)), 1000.0);
    assert_eq!(number(grad(g), (0.0,)), 1.0);
    for graph in [&graph, &optimize(&graph).unwrap(), &gradient] {
        let program = Program::compile(graph).unwrap();
        let interpreted = interpret::run(graph, &[Array::scalar(1.0)]).unwrap_err();
        let native = program.call(&[Array::scalar(1.0)]).unwrap_err();
        assert_eq!(interpreted, native);
        let Error::Limit(LimitError { what: "iterations of a loop", limit: 1000, got: None, place: Some(place) }) =
            &native
        else {
            panic!("{native}");
        };
        assert!(place.starts_with(&format!("while, at tests/control.rs:{line}:")), "{place}");
        assert_eq!(native.to_string(), format!("{place}: limit of 1000 iterations of a loop exceeded"));
        assert_eq!(program.call(&[Array::scalar(-1.0)]).unwrap()[0], Array::scalar(-1.0));
    }
    // For nested loops, the error names the inner one.
    let nested = |x: Var| fori_loop(3, x, |_, y| f(y - 2.0));
    let error = jit(nested).call::<f64>(5.0).unwrap_err().to_string();
    assert!(error.starts_with(&format!("while, at tests/control.rs:{line}:")), "{error}");
    assert_eq!(jit(nested).call::<f64>(2.0).unwrap(), -4.0);
}

/// A forward loop that saves more than the limit is an error, and the program can be called again.
#[test]
fn loop_memory_is_limited() -> Result<(), Error> {
    let f = |x: Var, n: Var| while_loop((x, n), |(_, n)| n.greater(0), |(y, n)| ((y + 1.0).sin(), n - 1)).0;
    let graph = trace(f, (DType::F64, DType::I64))?;
    let gradient = optimize(&differentiate::grad(&graph, 0, &[0])?)?;
    const BYTES: usize = 1 << 20;
    let program = Program::compile(&gradient)?.with_loop_memory(BYTES);
    let unlimited = Program::compile(&gradient)?;
    let at = |n: i64| [Array::scalar(0.3), Array::scalar(n)];
    for n in [10_000_000i64, 3, 500_000, 0, 10_000_000, 1000] {
        let outcome = program.call(&at(n));
        if n > BYTES as i64 / 8 {
            let error = outcome.unwrap_err();
            let what = "bytes that loops save for the reverse mode";
            assert_eq!(error, LimitError { what, limit: BYTES as u64, got: None, place: None }.into());
            assert!(error.to_string().starts_with(&format!("limit of {BYTES} {what} exceeded; ")), "{error}");
        } else {
            assert_eq!(outcome?, interpret::run(&gradient, &at(n))?);
        }
    }
    assert_eq!(unlimited.call(&at(500_000))?.len(), 2);
    // The value alone saves nothing, so the limit does not apply.
    assert!(Program::compile(&graph)?.with_loop_memory(0).call(&at(1_000_000)).is_ok());
    // Several threads call a program concurrently, some beyond its limit.
    std::thread::scope(|scope| {
        for k in 0..4 {
            let (program, at) = (&program, &at);
            scope.spawn(move || {
                for round in 0..5 {
                    let outcome = program.call(&at(if (k + round) % 2 == 0 { 10_000_000 } else { 100 }));
                    assert_eq!(outcome.is_err(), (k + round) % 2 == 0);
                }
            });
        }
    });
    Ok(())
}

/// An inner loop saves in each iteration of the outer one, and frees that memory again.
#[test]
fn loop_memory_is_freed() -> Result<(), Error> {
    let inner = |y: Var| fori_loop(100, y, |_, z| (z + 1.0).sin());
    let f = move |x: Var, n: Var| {
        while_loop(
            (x, n),
            |(_, n)| n.greater(0),
            |(y, n)| (while_loop((y, n), |(_, n)| n.greater(0), |(z, n)| (inner(z), n - 50)).0, n - 1),
        )
        .0
    };
    let graph = optimize(&trace(grad(f), (DType::F64, DType::I64))?)?;
    let at = [Array::scalar(0.3), Array::scalar(100i64)];
    let program = Program::compile(&graph)?.with_loop_memory(1 << 18);
    assert_eq!(program.call(&at)?, interpret::run(&graph, &at)?);
    assert_eq!(program.call(&at)?, program.call(&at)?);
    Ok(())
}

/// Nodes of regions count toward the limit of the trace.
#[test]
fn bodies_have_the_limits_of_the_trace() {
    let f = |x: Var| fori_loop(2, x, |_, y| (0..1000).fold(y, |z, _| z * y));
    let error = jit(f).max_nodes(100).call::<f64>(1.0).unwrap_err();
    assert!(matches!(&error, Error::Limit(LimitError { what: "nodes of a trace", .. })), "{error}");
    assert!(error.to_string().contains("tests/control.rs:"), "{error}");
    assert_eq!(jit(f).call::<f64>(1.0).unwrap(), 1.0);
}

/// A user's panic within a body reaches the caller, and tracing still works afterwards.
#[test]
fn panics_of_a_body_pass_through() {
    let f = jit(|x: Var| fori_loop(2, x, |_, _| std::panic::resume_unwind(Box::new("mine"))));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f.call::<f64>(1.0)));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"mine"));
    assert_eq!(number(|x: Var| fori_loop(2, x, |_, y| y + 1.0), (1.0,)), 3.0);
}
