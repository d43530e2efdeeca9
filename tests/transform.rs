//! What users call on functions: traces, compiled functions with guards, and derivatives, against closed forms.

use std::f64::consts::PI;
use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ndarray::{Array1, Array2, Array3, ArrayD, arr0, array, s};
use num_traits::Float;
use retrograd::error::{ArgumentError, DerivativeError, TraceError};
use retrograd::transform::{Compiled, TypeTree};
use retrograd::value::{Array, DType, Type};
use retrograd::{
    AllArgs, Arg, Error, Function, Graph, Jit, Var, VarTree, check_grad, elementwise_grad, fori_loop, grad,
    grad_with_aux, hessian, hvp, interpret, jacobian, jit, jvp, scan, taylor, trace, trace_with, value_and_grad,
    value_and_grad_with_aux, vjp,
};

#[track_caller]
fn close(got: f64, expected: f64) {
    let distance = (got - expected).abs();
    assert!(distance <= 1e-13 * expected.abs().max(1.0), "{got:e} is not {expected:e}");
}

#[track_caller]
fn all_close<'a>(got: impl IntoIterator<Item = &'a f64>, expected: &[f64]) {
    let got: Vec<f64> = got.into_iter().copied().collect();
    assert_eq!(got.len(), expected.len());
    for (&got, &expected) in got.iter().zip(expected) {
        close(got, expected);
    }
}

fn names(graph: &Graph) -> (Vec<&str>, Vec<&str>) {
    let inputs = graph.inputs().iter().map(|input| &*input.name).collect();
    (inputs, graph.outputs().iter().map(|output| &*output.name).collect())
}

// Derivatives

#[test]
fn derivatives_to_sixth_order() -> Result<(), Error> {
    for x in [-2.5f64, -0.3, 0.0, 0.7, 1.9] {
        let orders: [f64; 7] = {
            let f = |x: Var| x.tanh();
            [
                jit(f).call(x)?,
                jit(grad(f)).call(x)?,
                jit(grad(grad(f))).call(x)?,
                jit(grad(grad(grad(f)))).call(x)?,
                jit(grad(grad(grad(grad(f))))).call(x)?,
                jit(grad(grad(grad(grad(grad(f)))))).call(x)?,
                jit(grad(grad(grad(grad(grad(grad(f))))))).call(x)?,
            ]
        };
        let t = x.tanh();
        let s = 1.0 - t * t;
        let exact = [
            t,
            s,
            -2.0 * t * s,
            s * (6.0 * t * t - 2.0),
            s * t * (16.0 - 24.0 * t * t),
            s * (16.0 - 120.0 * t * t + 120.0 * t.powi(4)),
            s * t * (-272.0 + 960.0 * t * t - 720.0 * t.powi(4)),
        ];
        for (got, expected) in orders.into_iter().zip(exact) {
            assert!((got - expected).abs() < 1e-12 * expected.abs().max(1.0), "{x}: {got} is not {expected}");
        }
    }
    Ok(())
}

#[test]
fn derivatives_of_sine_to_sixth_order() -> Result<(), Error> {
    let f = |x: Var| x.sin();
    let g3 = grad(grad(grad(f)));
    let g6 = grad(grad(grad(g3)));
    for x in [-4.0, -0.5, 0.0, 2.0, 10.0] {
        close(jit(g3).call(x)?, -f64::cos(x));
        close(jit(g6).call(x)?, -f64::sin(x));
    }
    Ok(())
}

/// Forward and reverse nested in every order give the same.
#[test]
fn modes_compose_in_any_order() -> Result<(), Error> {
    let f = |x: Var| (x * x).sin() * x.exp();
    let forward = |x: Var| jvp(f).call(x, x.full_like(1.0)).1;
    let x = 0.8f64;
    let exact = {
        let (s, c, e) = ((x * x).sin(), (x * x).cos(), f64::exp(x));
        e * (2.0 * c - 4.0 * x * x * s) + 2.0 * e * 2.0 * x * c + e * s
    };
    close(jit(grad(grad(f))).call(x)?, exact);
    close(jit(grad(forward)).call(x)?, exact);
    close(jit(move |x: Var| jvp(forward).call(x, x.full_like(1.0)).1).call(x)?, exact);
    close(jit(move |x: Var| jvp(grad(f)).call(x, x.full_like(1.0)).1).call(x)?, exact);
    close(jit(hessian(f)).call(x)?, exact);
    close(jit(hvp(f)).call(x, 1.0)?, exact);
    Ok(())
}

#[test]
fn gradient_by_chosen_arguments() -> Result<(), Error> {
    let f = |x: Var, y: Var, z: Var| x * y * y + z * x;
    assert_eq!(jit(grad(f)).call::<f64>(2.0, 3.0, 5.0)?, 14.0);
    assert_eq!(jit(grad(f).wrt(Arg::<1>)).call::<f64>(2.0, 3.0, 5.0)?, 12.0);
    assert_eq!(jit(grad(f).wrt((Arg::<0>, Arg::<2>))).call::<(f64, f64)>(2.0, 3.0, 5.0)?, (14.0, 2.0));
    assert_eq!(jit(grad(f).wrt(AllArgs)).call::<(f64, f64, f64)>(2.0, 3.0, 5.0)?, (14.0, 12.0, 2.0));
    let (value, by_y): (f64, f64) = jit(value_and_grad(f).wrt(Arg::<1>)).call(2.0, 3.0, 5.0)?;
    assert_eq!((value, by_y), (28.0, 12.0));
    let h: ((f64, f64), (f64, f64)) = jit(hessian(f).wrt((Arg::<0>, Arg::<1>))).call(2.0, 3.0, 5.0)?;
    assert_eq!(h, ((0.0, 6.0), (6.0, 4.0)));
    Ok(())
}

#[test]
fn independent_leaves_get_zeros() -> Result<(), Error> {
    let f = |x: (Var, Var), _: Var| x.0 * 2.0;
    let (first, second): (f64, Array1<f64>) = jit(grad(f)).call((1.0, array![1.0, 2.0]), 3.0)?;
    assert_eq!((first, second), (2.0, array![0.0, 0.0]));
    assert_eq!(jit(grad(f).wrt(Arg::<1>)).call::<f64>((1.0, 1.0), 3.0)?, 0.0);
    assert_eq!(jit(grad(|_: Var| Var::from(1.0))).call::<f64>(3.0)?, 0.0);
    let (value, t): (f64, f64) = jit(jvp(|_: Var| Var::from(1.0))).call(3.0, 1.0)?;
    assert_eq!((value, t), (1.0, 0.0));
    assert_eq!(jit(jacobian(|_: Var| Var::from(array![1.0, 2.0]))).call::<Array1<f64>>(3.0)?, array![0.0, 0.0]);
    assert_eq!(jit(hessian(|x: Var| x)).call::<f64>(3.0)?, 0.0);
    Ok(())
}

#[test]
fn results_that_are_not_floating_carry_no_derivative() -> Result<(), Error> {
    let f = |x: Var| (x * x, x.greater(1.0));
    let ((value, large), (t, nothing)): ((f64, bool), (f64, bool)) = jit(jvp(f)).call(3.0, 1.0)?;
    assert_eq!((value, large, t, nothing), (9.0, true, 6.0, false));
    let ((value, large), ct): ((f64, bool), f64) = jit(vjp(f)).call(3.0, (1.0, true))?;
    assert_eq!((value, large, ct), (9.0, true, 6.0));
    Ok(())
}

/// (r, θ) ↦ (r cos θ, r sin θ), whose determinant is r.
#[test]
fn jacobian_of_polar_coordinates() -> Result<(), Error> {
    let f = |p: [Var; 2]| [p[0] * p[1].cos(), p[0] * p[1].sin()];
    let (r, a) = (2.0, 0.6f64);
    let exact = [[a.cos(), -r * a.sin()], [a.sin(), r * a.cos()]];
    for j in [jit(jacobian(f)), jit(jacobian(f).forward()), jit(jacobian(f).reverse())] {
        let got: [[f64; 2]; 2] = j.call([r, a])?;
        all_close(got.as_flattened(), exact.as_flattened());
    }
    Ok(())
}

/// The shapes of a Jacobian's leaves, tall and wide, in both modes.
#[test]
fn jacobians_of_arrays() -> Result<(), Error> {
    let f = |x: Var, y: Var| x.reshape(&[3, 1]) * y; // out[i,j] = x[i] y[j]
    let (x, y) = (array![1.0, 2.0, 3.0], array![5.0, 7.0]);
    for j in [jacobian(f), jacobian(f).forward(), jacobian(f).reverse()] {
        let by_x: Array3<f64> = jit(j).call(&x, &y)?;
        let by_y: Array3<f64> = jit(j.wrt(Arg::<1>)).call(&x, &y)?;
        assert_eq!((by_x.dim(), by_y.dim()), ((3, 2, 3), (3, 2, 2)));
        for ((i, j, k), &d) in by_x.indexed_iter() {
            assert_eq!(d, if i == k { y[j] } else { 0.0 });
        }
        for ((i, j, k), &d) in by_y.indexed_iter() {
            assert_eq!(d, if j == k { x[i] } else { 0.0 });
        }
    }
    let wide: Array1<f64> = jit(jacobian(|x: Var| (x * x).sum())).call(&x)?;
    assert_eq!(wide, array![2.0, 4.0, 6.0]);
    Ok(())
}

/// Beyond a few elements the passes are one on rows, in blocks, and the graph does not grow with their number.
#[test]
fn jacobians_of_long_arrays() -> Result<(), Error> {
    // ∂(x[k]² y[k] + Σ x)/∂x[l] = 2 x[k] y[k] [k = l] + 1, and a sum beside it.
    let f = |x: Var, y: Var| (x * x * y + x.sum(), (x * y).sum());
    let x = Array1::from_shape_fn(30, |k| 0.1 * k as f64 - 1.0);
    let y = Array1::from_shape_fn(30, |k| 2.0 - 0.3 * k as f64);
    let exact = Array2::from_shape_fn((30, 30), |(k, l)| if k == l { 2.0 * x[k] * y[k] + 1.0 } else { 1.0 });
    for j in [jacobian(f), jacobian(f).forward(), jacobian(f).reverse()] {
        let (by_x, of_sum): (Array2<f64>, Array1<f64>) = jit(j).call(&x, &y)?;
        all_close(by_x.as_slice().unwrap(), exact.as_slice().unwrap());
        assert_eq!(of_sum, y);
    }
    let size = |n: usize| {
        let array = Array1::from_elem(n, 0.5);
        let graph = jit(jacobian(f).forward()).graph(&array, &array).unwrap();
        graph.n_nodes()
    };
    assert_eq!(size(40), size(300));
    assert_eq!(size(1000), size(2000));
    assert!(size(2000) < 2 * size(40));

    // Matrices keep their shapes: the value's, then the argument's.
    let g = |x: Var| x.t() * 3.0;
    let m = Array2::from_shape_fn((4, 5), |(i, j)| (5 * i + j) as f64);
    for j in [jacobian(g).forward(), jacobian(g).reverse()] {
        let d: ArrayD<f64> = jit(j).call(&m)?;
        assert_eq!(d.shape(), [5, 4, 4, 5]);
        for ((i, j), (k, l)) in [((0, 0), (0, 0)), ((4, 3), (3, 4)), ((2, 3), (3, 2)), ((2, 3), (2, 3))] {
            assert_eq!(d[[i, j, k, l]], if (i, j) == (l, k) { 3.0 } else { 0.0 });
        }
    }
    Ok(())
}

/// The Hessian of a chain of 40: tridiagonal; with a branch of plain Rust, and within a trace.
#[test]
fn hessian_of_a_long_array() -> Result<(), Error> {
    let n = 40;
    let f = move |x: Var| {
        let (a, b) = (x.slice_axis(0, 0, n - 1, 1), x.slice_axis(0, 1, n, 1));
        let sum = (100.0 * (b - a * a).square() + (1.0 - a).square()).sum();
        if sum > 0.0 { sum } else { -sum }
    };
    let x = Array1::from_shape_fn(n, |k| f64::sin(k as f64));
    let mut exact = Array2::<f64>::zeros((n, n));
    for k in 0..n - 1 {
        exact[[k, k]] += 1200.0 * x[k] * x[k] - 400.0 * x[k + 1] + 2.0;
        exact[[k + 1, k + 1]] += 200.0;
        exact[[k, k + 1]] = -400.0 * x[k];
        exact[[k + 1, k]] = -400.0 * x[k];
    }
    let h: Array2<f64> = jit(hessian(f)).call(&x)?;
    let close = |got: &Array2<f64>, scale: f64| {
        let error = (got / scale - &exact).iter().fold(0.0f64, |worst, x| worst.max(x.abs()));
        assert!(error < 1e-10, "{error}");
    };
    close(&h, 1.0);
    let h: Array2<f64> = jit(jacobian(grad(f)).reverse()).call(&x)?;
    close(&h, 1.0);
    let twice = |x: Var| 2.0 * hessian(f).call(x);
    close(&jit(twice).call(&x)?, 2.0);
    // Third derivatives go through the loop: the trace of the Hessian is Σ 1200 x² - 400 x + constants.
    let trace = move |x: Var| (hessian(f).call(x) * Var::from(Array2::<f64>::eye(n))).sum();
    let third: Array1<f64> = jit(grad(trace)).call(&x)?;
    for k in 0..n {
        let expected = if k < n - 1 { 2400.0 * x[k] } else { 0.0 } - if k > 0 { 400.0 } else { 0.0 };
        assert!((third[k] - expected).abs() < 1e-9, "{k}: {} is not {expected}", third[k]);
    }
    Ok(())
}

/// A mask of zeros annihilates the infinite slope beside it, in passes that are written out and in those on rows: what stands
/// for the unit vectors while a pass is traced must not be taken for the zeros that it holds.
#[test]
fn masked_poles_in_hessians() -> Result<(), Error> {
    let f = |x: Var, mask: Var| (mask * x.sqrt()).sum();
    for n in [3, 30, 400] {
        let (x, mask) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n));
        let h: Array2<f64> = jit(hessian(f)).call(&x, &mask)?;
        assert_eq!(h, Array2::<f64>::zeros((n, n)), "{n}");
    }
    Ok(())
}

/// What cannot be traced in a pass is an error, as it is in the value.
#[test]
fn errors_within_passes_of_a_jacobian() {
    let f = |x: Var| x.dot(Var::from(array![1.0, 2.0]));
    let x = Array1::<f64>::zeros(30);
    for j in [jacobian(f).forward(), jacobian(f).reverse()] {
        let error = jit(j).call::<Array1<f64>>(&x).unwrap_err().to_string();
        assert!(error.starts_with("dot: ") && error.contains("30"), "{error}");
    }
}

#[test]
fn jacobians_of_trees() -> Result<(), Error> {
    let f = |x: (Var, Vec<Var>)| (x.0 * x.1[0], [x.1[1].sum(), x.0]);
    type Argument = (f64, Vec<Array1<f64>>);
    let x: Argument = (2.0, vec![array![3.0, 4.0], array![5.0, 6.0]]);
    type OfProduct = (Array1<f64>, Vec<Array2<f64>>);
    let ((by_a, by_list), rest): (OfProduct, [Argument; 2]) = jit(jacobian(f)).call(&x)?;
    assert_eq!(by_a, array![3.0, 4.0]);
    assert_eq!(by_list, vec![array![[2.0, 0.0], [0.0, 2.0]], Array2::zeros((2, 2))]);
    assert_eq!(rest[0], (0.0, vec![array![0.0, 0.0], array![1.0, 1.0]]));
    assert_eq!(rest[1], (1.0, vec![array![0.0, 0.0], array![0.0, 0.0]]));
    Ok(())
}

#[test]
fn jacobians_of_nothing() -> Result<(), Error> {
    let j: Array2<f64> = jit(jacobian(|x: Var| x * x)).call(Array1::<f64>::zeros(0))?;
    assert_eq!(j.dim(), (0, 0));
    let j: Array1<f64> = jit(jacobian(|x: Var| x.sum())).call(Array1::<f64>::zeros(0))?;
    assert_eq!(j.dim(), 0);
    Ok(())
}

fn rosenbrock(x: [Var; 2]) -> Var {
    let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
    a * a + 100.0 * b * b
}

fn rosenbrock_hessian([x, y]: [f64; 2]) -> [[f64; 2]; 2] {
    [[2.0 - 400.0 * (y - 3.0 * x * x), -400.0 * x], [-400.0 * x, 200.0]]
}

#[test]
fn hessian_of_rosenbrock() -> Result<(), Error> {
    let h = jit(hessian(rosenbrock));
    for point in [[1.0, 1.0], [-1.2, 1.0], [0.3, -0.8]] {
        let got: [[f64; 2]; 2] = h.call(point)?;
        all_close(got.as_flattened(), rosenbrock_hessian(point).as_flattened());
        let v = [0.7, -1.3];
        let product: [f64; 2] = jit(hvp(rosenbrock)).call(point, v)?;
        let exact = rosenbrock_hessian(point).map(|row| row[0] * v[0] + row[1] * v[1]);
        all_close(&product, &exact);
    }
    Ok(())
}

#[test]
fn hessian_of_an_array() -> Result<(), Error> {
    let f = |x: Var, c: Var| (x * x * x * c).sum() + x.sum() * x.sum();
    let (x, c) = (array![1.0, -2.0, 0.5], array![0.3, 0.7, -1.1]);
    let h: Array2<f64> = jit(hessian(f)).call(&x, &c)?;
    let mut exact = Array2::from_elem((3, 3), 2.0);
    for k in 0..3 {
        exact[[k, k]] += 6.0 * x[k] * c[k];
    }
    all_close(&h, exact.as_slice().unwrap());
    let v = array![1.0, 2.0, 3.0];
    let product: Array1<f64> = jit(hvp(f)).call(&x, &c, &v)?;
    all_close(&product, exact.dot(&v).as_slice().unwrap());
    Ok(())
}

#[test]
fn elementwise_derivatives() -> Result<(), Error> {
    let x = array![[0.1f64, 0.7], [-2.0, 1.5]];
    let slope: Array2<f64> = jit(elementwise_grad(|x: Var| x.tanh())).call(&x)?;
    all_close(&slope, x.map(|x| 1.0 - x.tanh().powi(2)).as_slice().unwrap());
    let curvature: Array2<f64> = jit(elementwise_grad(elementwise_grad(|x: Var| x.sin()))).call(&x)?;
    all_close(&curvature, x.map(|x| -x.sin()).as_slice().unwrap());
    Ok(())
}

/// ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩.
#[test]
fn products_are_adjoint() -> Result<(), Error> {
    let f = |x: (Var, Vec<Var>), a: Var| (x.0.sin() * x.1[0], x.1[1] * a + x.0.sum());
    let x = (array![0.3, 0.9], vec![array![1.0, -2.0], array![0.2, 0.4]]);
    let t = (array![0.5, -0.1], vec![array![0.8, 0.3], array![-0.6, 0.9]]);
    let ct = (array![1.0, 2.0], array![-0.5, 0.7]);
    type Out = (Array1<f64>, Array1<f64>);
    let (y, jt): (Out, Out) = jit(jvp(f)).call(&x, 3.0, &t)?;
    let (same, jct): (Out, (Array1<f64>, Vec<Array1<f64>>)) = jit(vjp(f)).call(&x, 3.0, &ct)?;
    assert_eq!(y, same);
    let left = ct.0.dot(&jt.0) + ct.1.dot(&jt.1);
    let right = jct.0.dot(&t.0) + jct.1[0].dot(&t.1[0]) + jct.1[1].dot(&t.1[1]);
    close(left, right);
    Ok(())
}

/// What a closure captured is not differentiated, even where it is the very variable that it is called with.
#[test]
fn perturbations_are_not_confused() -> Result<(), Error> {
    // d/dx (x · d/dy (x + y)) = d/dx x = 1.
    let f = |x: Var| x * grad(move |y: Var| x + y).call(x);
    assert_eq!(jit(grad(f)).call::<f64>(2.0)?, 1.0);
    // d/dy (x·y) at y = x is x, and its derivative 1; that of x² would be 2.
    let f = |x: Var| grad(move |y: Var| x * y).call(x);
    assert_eq!((jit(f).call::<f64>(3.0)?, jit(grad(f)).call::<f64>(3.0)?), (3.0, 1.0));
    let f = |x: Var| jvp(move |y: Var| x * y).call(x, x.full_like(1.0)).1;
    assert_eq!((jit(f).call::<f64>(3.0)?, jit(grad(f)).call::<f64>(3.0)?), (3.0, 1.0));
    let f = |x: Var| vjp(move |y: Var| x * y).call(x, x.full_like(1.0)).1;
    assert_eq!((jit(f).call::<f64>(3.0)?, jit(grad(f)).call::<f64>(3.0)?), (3.0, 1.0));
    let f = |x: Var| jacobian(move |y: Var| x * y).call(x);
    assert_eq!((jit(f).call::<f64>(3.0)?, jit(grad(f)).call::<f64>(3.0)?), (3.0, 1.0));
    let f = |x: Var| hessian(move |y: Var| x * y * y).call(x);
    assert_eq!((jit(f).call::<f64>(3.0)?, jit(grad(f)).call::<f64>(3.0)?), (6.0, 2.0));
    let f = |x: Var| hvp(move |y: Var| x * y * y).call(x, x);
    assert_eq!((jit(f).call::<f64>(3.0)?, jit(grad(f)).call::<f64>(3.0)?), (18.0, 12.0));
    // The same variable for two arguments.
    let f = |x: Var| grad(|y: Var, z: Var| y * y * z).call(x, x);
    assert_eq!((jit(f).call::<f64>(3.0)?, jit(grad(f)).call::<f64>(3.0)?), (18.0, 12.0));
    Ok(())
}

#[test]
fn compiled_functions_are_functions() -> Result<(), Error> {
    let f = jit(|x: Var| x * x * x);
    assert_eq!(f.call::<f64>(2.0)?, 8.0);
    assert_eq!(jit(grad(f)).call::<f64>(2.0)?, 12.0);
    Ok(())
}

/// A function item, and generic code over functions.
#[test]
fn functions_of_every_kind() -> Result<(), Error> {
    fn square(x: Var) -> Var {
        x * x
    }
    fn slope_at(f: impl Function<(Var,), Output = Var>, x: f64) -> Result<f64, Error> {
        jit(grad(f)).call(x)
    }
    assert_eq!(slope_at(square, 3.0)?, 6.0);
    assert_eq!(slope_at(grad(square), 3.0)?, 2.0);
    let boxed: Box<dyn Fn(Var) -> Var + Send + Sync> = Box::new(square);
    assert_eq!(slope_at(boxed, 5.0)?, 10.0);
    let by_sixth = jit(grad(|a: Var, b: Var, c: Var, d: Var, e: Var, f: Var| a + b * c - d * e * f * f).wrt(Arg::<5>));
    assert_eq!(by_sixth.call::<f64>(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)?, -240.0);
    Ok(())
}

// Trees

#[test]
fn trees_of_arguments_and_results() -> Result<(), Error> {
    type Traced = ((Var, Var), Vec<(Var, [Var; 2])>);
    let f = |x: Traced| {
        let list: Vec<Var> = x.1.iter().map(|(a, b)| *a * b[0] + b[1]).collect();
        (x.0.0 + x.0.1, list, (x.0.1,))
    };
    let x = ((1.0, 2.0), vec![(3.0, [4.0, 5.0]), (6.0, [7.0, 8.0])]);
    type Out = (f64, Vec<f64>, (f64,));
    let compiled = jit(f);
    assert_eq!(compiled.call::<Out>(&x)?, (3.0, vec![17.0, 50.0], (2.0,)));
    let graph = compiled.graph(&x)?;
    let expected = ["x.0.0", "x.0.1", "x.1.0.0", "x.1.0.1.0", "x.1.0.1.1", "x.1.1.0", "x.1.1.1.0", "x.1.1.1.1"];
    assert_eq!(names(&graph), (expected.into(), ["out.0", "out.1.0", "out.1.1", "out.2.0"].into()));
    // Another length is another signature.
    let longer = ((1.0, 2.0), vec![(1.0, [1.0, 1.0]); 3]);
    assert_eq!(compiled.call::<Out>(&longer)?.1, vec![2.0; 3]);
    assert_eq!((compiled.n_signatures(), compiled.n_paths()), (2, 2));
    let loss = move |x| {
        let (a, list, _) = f(x);
        a * list.into_iter().sum::<Var>()
    };
    type In = ((f64, f64), Vec<(f64, [f64; 2])>);
    let gradient: In = jit(grad(loss)).call(&x)?;
    assert_eq!(gradient, ((67.0, 67.0), vec![(12.0, [9.0, 3.0]), (21.0, [18.0, 3.0])]));
    Ok(())
}

#[test]
fn arguments_of_every_host_type() -> Result<(), Error> {
    let double = jit(|x: Var| x + x);
    assert_eq!(double.call::<f64>(1.5)?, 3.0);
    assert_eq!(double.call::<f32>(1.5f32)?, 3.0);
    assert_eq!(double.call::<i64>(21)?, 42);
    assert_eq!(double.call::<f64>(arr0(1.5))?, 3.0);
    let a = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let twice = &a * 2.0;
    assert_eq!(double.call::<Array2<f64>>(&a)?, twice);
    assert_eq!(double.call::<Array2<f64>>(a.view())?, twice);
    assert_eq!(double.call::<Array2<f64>>(a.to_shared())?, twice);
    assert_eq!(double.call::<ndarray::ArrayD<f64>>(a.clone())?, twice.clone().into_dyn());
    assert_eq!(double.call::<ndarray::ArcArray2<f64>>(&a)?, twice.to_shared());
    assert_eq!(double.call::<Array2<f64>>(Array::from_ndarray(a.clone().into_dyn()))?, twice);
    // Views that do not lie in row-major order.
    assert_eq!(double.call::<Array2<f64>>(a.t())?, twice.t());
    assert_eq!(double.call::<Array2<f64>>(a.slice(s![.., ..;2]))?, twice.slice(s![.., ..;2]));
    assert_eq!(double.call::<Array2<f64>>(a.slice(s![..;-1, 1..]))?, twice.slice(s![..;-1, 1..]));
    let not = jit(|x: Var| x.select(Var::from(false), Var::from(true)));
    assert!(not.call::<bool>(false)?);
    let sum = jit(|x: Vec<Var>| x.into_iter().sum::<Var>());
    assert_eq!(sum.call::<f64>(vec![1.0, 2.0])?, 3.0);
    assert_eq!(sum.call::<f64>([1.0, 2.0])?, 3.0);
    assert_eq!(sum.call::<f64>([1.0, 2.0].as_slice())?, 3.0);
    assert_eq!(sum.n_paths(), 1);
    Ok(())
}

#[test]
fn rows_of_numbers_are_arrays_where_one_is_taken() -> Result<(), Error> {
    let f = jit(|x: Var, p: (Var, Vec<Var>)| (x * p.0).sum() + p.1[0]);
    let list = vec![4.0, 5.0];
    assert_eq!(f.call::<f64>(array![1.0, 2.0], (array![3.0, 4.0], [5.0]))?, 16.0);
    assert_eq!(f.call::<f64>([1.0, 2.0], (vec![3.0, 4.0], [5.0]))?, 16.0);
    assert_eq!(f.call::<f64>(list.as_slice(), (&list, vec![0.5]))?, 41.5);
    assert_eq!((f.n_signatures(), f.n_traces()), (1, 1), "all of these are vectors");
    // Rows of rows, and numbers of other types.
    let sums = jit(|x: Var| x.sum_axes(&[1]));
    assert_eq!(sums.call::<[f64; 2]>([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])?, [6.0, 15.0]);
    assert_eq!(sums.call::<Vec<f32>>(vec![[1.0f32, 2.0], [3.0, 4.0]])?, [3.0, 7.0]);
    assert_eq!(sums.call::<Vec<i64>>([[1, 2], [3, 4i64]].as_slice())?, [3, 7]);
    assert_eq!(sums.call::<Vec<f64>>(Vec::<[f64; 3]>::new())?, [0.0; 0]);
    let outer = jit(|x: Var| x.outer(x));
    assert_eq!(outer.call::<Vec<Vec<f64>>>([1.0, 2.0])?, [[1.0, 2.0], [2.0, 4.0]]);
    assert_eq!(outer.call::<[[f64; 2]; 2]>([1.0, 2.0])?, [[1.0, 2.0], [2.0, 4.0]]);
    assert_eq!(outer.call::<Vec<Array1<f64>>>([1.0, 2.0])?, [array![1.0, 2.0], array![2.0, 4.0]]);
    // A list where the function takes a list is still one, of numbers of its own.
    let lists = jit(|x: Vec<Var>| x.len() as f64 * x[0]);
    assert_eq!(
        (lists.call::<f64>([1.5, 2.0])?, lists.call::<f64>([[1.0, 2.0], [0.0, 0.0]].map(|x| x[0]))?),
        (3.0, 2.0)
    );
    let gradient: (Vec<f64>, f64) = jit(grad(|p: (Var, Var)| (p.0 * p.0).sum() * p.1)).call(([1.0, 2.0], 3.0))?;
    assert_eq!(gradient, (vec![6.0, 12.0], 5.0));
    check_grad(|x: Var| (x * x).sum(), [1.0, 2.0])?;
    let wrong = |error: Error| error.to_string().split_once("\n").unwrap().0.to_string();
    assert_eq!(wrong(outer.call::<[[f64; 3]; 2]>([1.0, 2.0]).unwrap_err()), "out.0: takes a list of 3, but got f64[2]");
    assert_eq!(wrong(outer.call::<Vec<f64>>([1.0, 2.0]).unwrap_err()), "out.0: takes f64[], but got f64[2]");
    assert_eq!(wrong(outer.call::<Vec<f64>>([1.0, 2.0]).unwrap_err()), "out.0: takes f64[], but got f64[2]");
    let mixed = jit(|x: Var| x).call::<f64>(vec![vec![1.0], vec![2.0, 3.0]]).unwrap_err();
    assert_eq!(wrong(mixed), "argument 0 (x): takes one array or number, but got a list of 2");
    Ok(())
}

#[test]
fn nothing_is_a_tree() -> Result<(), Error> {
    let last = |x: Var| scan(Var::from(1.0), x, |product, x| (product * x, ())).0;
    assert_eq!(jit(last).call::<f64>([2.0, 3.0])?, 6.0);
    assert_eq!(jit(grad(last)).call::<Vec<f64>>([2.0, 3.0])?, [3.0, 2.0]);
    let nothing = jit(|x: Var, (): ()| drop(vec![x.sin()]));
    nothing.call::<()>(1.0, ())?;
    assert_eq!(nothing.graph(1.0, ())?.outputs().len(), 0);
    assert!(nothing.call::<f64>(1.0, ()).is_err() && nothing.call::<()>(1.0, 2.0).is_err());
    Ok(())
}

#[test]
fn the_type_of_one_argument_stands_by_itself() -> Result<(), Error> {
    let vector = Type::new(DType::F64, [3]);
    let f = |x: Var| x.sum();
    assert_eq!(trace(f, &vector)?.to_string(), trace(f, (&vector,))?.to_string());
    assert_eq!(trace_with(f, array![1.0, 2.0, 3.0])?.to_string(), trace(f, (&vector,))?.to_string());
    assert_eq!(jit(|x: [Var; 2]| x[0] * x[1]).trace([DType::F64, DType::F64])?.inputs().len(), 2);
    // A tuple is that of the arguments.
    let pair = |p: (Var, Var)| p.0 * p.1;
    assert!(trace(pair, (DType::F64, DType::F64)).is_err());
    assert_eq!(trace(pair, ((DType::F64, DType::F64),))?.inputs().len(), 2);
    Ok(())
}

#[test]
fn a_function_may_return_more_than_its_value() -> Result<(), Error> {
    let loss = |w: Var, x: Var| ((w * x).sum().square(), (x.argmax(0), [w * x]));
    let step = jit(value_and_grad_with_aux(loss).wrt(Arg::<1>));
    type Aux = (i64, [Array1<f64>; 1]);
    let ((value, aux), slope): ((f64, Aux), Vec<f64>) = step.call(2.0, [1.0, 3.0])?;
    assert_eq!((value, aux, slope), (64.0, (1, [array![2.0, 6.0]]), vec![32.0, 32.0]));
    let (slope, aux): (f64, Aux) = jit(grad_with_aux(loss)).call(2.0, [1.0, 3.0])?;
    assert_eq!((slope, aux.0), (64.0, 1));
    // What is returned beside the value is differentiated further, like anything else.
    let of_aux = grad(move |w: Var, x: Var| grad_with_aux(loss).call(w, x).1.1[0].sum());
    assert_eq!(jit(of_aux).call::<f64>(2.0, [1.0, 3.0])?, 4.0);
    let not_scalar = jit(grad_with_aux(|x: Var| (x, x))).call::<(Vec<f64>, Vec<f64>)>([1.0, 2.0]).unwrap_err();
    assert!(matches!(not_scalar, Error::Derivative(DerivativeError::NotScalar { .. })), "{not_scalar}");
    Ok(())
}

#[test]
fn erased_functions_keep_what_was_compiled() -> Result<(), Error> {
    struct Model {
        slope: Compiled<(Var, Var), (Var, Var)>,
    }
    let scale = 3.0;
    let compiled = jit(grad(move |x: Var, y: Var| (x * y * scale).sum()).wrt(AllArgs)).named("slope");
    let _: (f64, f64) = compiled.call(1.0, 2.0)?;
    let model = Model { slope: compiled.erase() };
    let slope: (f64, f64) = model.slope.call(1.0, 2.0)?;
    assert_eq!((slope, model.slope.n_traces()), ((6.0, 3.0), 1));
    let (mut by_x, mut by_y) = (array![0.0, 0.0], 0.0);
    model.slope.call_into(array![1.0, 2.0], 2.0, &mut [by_x.view_mut().into(), (&mut by_y).into()])?;
    assert_eq!((by_x, by_y, model.slope.n_traces()), (array![6.0, 6.0], 9.0, 2));
    // An erased function is a function.
    assert_eq!(jit(grad(jit(|x: Var| x * x * x).erase())).call::<f64>(2.0)?, 12.0);
    let double = jit(|x: Var| if x.sum() > 0.0 { x * 2.0 } else { x }).erase();
    let mut y = vec![0.0; 3];
    double.call_into([1.0, 2.0, 3.0], &mut [y.as_mut_slice().into()])?;
    assert_eq!(y, [2.0, 4.0, 6.0]);
    double.call_into([-1.0, -2.0, -3.0], &mut [y.as_mut_slice().into()])?;
    assert_eq!((y, double.n_paths()), (vec![-1.0, -2.0, -3.0], 2));
    let mut short = [0.0; 2];
    let error = double.call_into([1.0, 2.0, 3.0], &mut [short.as_mut_slice().into()]).unwrap_err();
    assert!(matches!(error, Error::Argument(ArgumentError::Type { .. })), "{error}");
    assert!(matches!(double.call_into([1.0], &mut []), Err(Error::Argument(ArgumentError::Count { .. }))));
    thread::spawn(move || double.call::<Vec<f64>>([1.0])).join().unwrap()?;
    Ok(())
}

#[test]
fn wrong_trees_are_named() {
    let f = jit(|x: Var, p: (Var, [Var; 2])| x * p.0 * p.1[0]);
    let first = line!();
    let errors = [
        f.call::<f64>(1.0, (2.0, 3.0)).unwrap_err(),
        f.call::<f64>(1.0, (2.0, [3.0])).unwrap_err(),
        f.call::<f64>((1.0, 2.0), (2.0, [3.0, 4.0])).unwrap_err(),
        f.call::<f64>(1.0, (2.0, [3.0, 4.0], 5.0)).unwrap_err(),
        f.call::<f32>(1.0, (2.0, [3.0, 4.0])).unwrap_err(),
        f.call::<(f64, f64)>(1.0, (2.0, [3.0, 4.0])).unwrap_err(),
        jit(|x: Var| (x, x)).call::<(Array2<f64>, f64)>(1.0).unwrap_err(),
        jit(|w: Var, b: Var| w * b).arguments(["w", "b"]).call::<f64>(1.0, (2.0, 3.0)).unwrap_err(),
    ];
    let expected = [
        "argument 1 (y.1): takes a list of 2, but got one array or number",
        "argument 1 (y.1): takes a list of 2, but got a list of 1",
        "argument 0 (x): takes one array or number, but got a tuple of 2",
        "argument 1 (y): takes a tuple of 2, but got a tuple of 3",
        "out: takes f32[], but got f64[]",
        "out: takes a tuple of 2, but got one array or number",
        "out.0: takes an array of f64 of rank 2, but got f64[]",
        "b: takes one array or number, but got a tuple of 2",
    ];
    for (k, (error, expected)) in errors.iter().zip(expected).enumerate() {
        let message = error.to_string();
        let (what, at) = message.split_once("\n  at ").unwrap();
        assert_eq!(what, expected);
        assert!(at.starts_with(&format!("{}:{}:", file!(), first as usize + 2 + k)), "{message}");
    }
}

#[test]
fn traces_from_types() -> Result<(), Error> {
    let f = |x: Var, p: (Var, Vec<Var>)| (x * p.0).sum() + p.1[1];
    let types = (Type::new(DType::F64, [3]), (DType::F64, vec![DType::F64, DType::F64]));
    let graph = trace(f, &types)?;
    assert_eq!((graph.name(), names(&graph)), ("main", (vec!["x", "y.0", "y.1.0", "y.1.1"], vec!["out"])));
    assert!(graph.guards().is_empty());
    let x = Array::from_ndarray(array![1.0, 2.0, 3.0].into_dyn());
    let scalars = [2.0, 5.0, 7.0].map(Array::scalar);
    let y = interpret::run(&graph, &[vec![x], scalars.to_vec()].concat())?;
    assert_eq!(y, [Array::scalar(19.0)]);
    let named = jit(f).named("loss").arguments(["w", "p"]).results(["loss"]);
    let graph = named.trace(&types)?;
    assert_eq!((graph.name(), names(&graph)), ("loss", (vec!["w", "p.0", "p.1.0", "p.1.1"], vec!["loss"])));
    let pair = jit(value_and_grad(|w: (Var, Var)| w.0 * w.1)).arguments(["w"]).results(["loss", "w.grad"]);
    let graph = pair.trace(((DType::F64, DType::F64),))?;
    assert_eq!(names(&graph), (vec!["w.0", "w.1"], vec!["loss", "w.grad.0", "w.grad.1"]));
    Ok(())
}

/// The first line of a message of two, of which the second is a place in this file.
fn first_of_two(error: Error) -> String {
    let message = error.to_string();
    let (first, place) = message.split_once('\n').unwrap_or_else(|| panic!("one line: {message}"));
    assert!(place.starts_with("  at tests/transform.rs:") && !place.contains('\n'), "{message}");
    first.to_string()
}

#[test]
fn wrong_types_and_names_are_reported() {
    fn message<F: Function<A>, A: retrograd::transform::Arguments>(f: F, types: impl TypeTree) -> String {
        first_of_two(trace(f, types).unwrap_err())
    }
    let f = |x: Var, _: Var| x;
    assert_eq!(message(f, (DType::F64,)), "main: takes 2 arguments, but got 1");
    assert_eq!(message(f, DType::F64), "main: takes a tuple of 2 arguments, but got one array or number");
    let structure = message(f, (DType::F64, [DType::F64]));
    assert_eq!(structure, "argument 1 (y): takes one array or number, but got a list of 1");
    let types = (DType::F64, DType::F64);
    let names = jit(f).arguments(["a"]).trace(types).unwrap_err();
    assert_eq!(first_of_two(names), "main: the function has 2 arguments, but 1 were named");
    let names = jit(f).results(["a", "b"]).call::<f64>(1.0, 2.0).unwrap_err();
    assert_eq!(first_of_two(names), "main: the function has 1 results, but 2 were named");
    let twice = jit(f).arguments(["a", "a"]).trace(types).unwrap_err();
    assert_eq!(first_of_two(twice), "a: two arguments or results bear this name");
    let empty = jit(f).arguments(["a", ""]).trace(types).unwrap_err();
    assert_eq!(first_of_two(empty), "name 1: the name of an argument or result must not be empty");
    let nothing = check_grad(|n: Var| n * 2, (1i64,)).unwrap_err().to_string();
    assert_eq!(nothing, "check_grad: takes at least one number of floating point, by which to differentiate");
}

// Errors

#[test]
fn derivatives_that_do_not_exist_are_errors() {
    let line = line!() + 1;
    let not_scalar = jit(grad(|x: Var| x * x)).call::<Array1<f64>>(array![1.0, 2.0]).unwrap_err();
    assert!(matches!(&not_scalar, Error::Derivative(DerivativeError::NotScalar { ty, .. }) if ty.rank() == 1));
    let expected = "grad: output \"%0\" must be a scalar, but is f64[2]; use jacobian or vjp, or sum it\n  at ";
    assert_eq!(not_scalar.to_string().split_once(file!()).unwrap().0, expected);
    assert!(not_scalar.to_string().contains(&format!("{}:{line}:", file!())), "{not_scalar}");
    let not_float = |result: Result<f64, Error>| match result.unwrap_err() {
        Error::Derivative(DerivativeError::NotFloat { name, .. }) => name,
        other => panic!("{other}"),
    };
    assert_eq!(not_float(jit(grad(|n: Var| n * 2)).call(3)), "x");
    assert_eq!(not_float(jit(grad(|_: Var, p: (Var, Var)| p.0).wrt(Arg::<1>)).call(1.0, (1.0, true))), "y.1");
    assert_eq!(not_float(jit(jacobian(|n: Var| n * 2)).call(3)), "x");
    assert_eq!(not_float(jit(jvp(|n: Var| n * 2)).call(3, 1)), "x");
    assert_eq!(not_float(jit(vjp(|n: Var| n * 2)).call(3, 1)), "x");
    // An integer output: listed by its node.
    assert_eq!(not_float(jit(grad(|x: Var| x.convert(DType::I64))).call(3.0)), "%0");
}

#[test]
fn tangents_that_do_not_fit_are_errors() {
    let message = |result: Result<(f64, f64), Error>| first_of_two(result.unwrap_err());
    let f = |x: Vec<Var>| x[0] * x[1];
    assert_eq!(message(jit(jvp(f)).call([1.0, 2.0], [1.0])), "jvp: t takes [f64[], f64[]], but got [f64[]]");
    assert_eq!(message(jit(jvp(|x: Var| x)).call(1.0, 1.0f32)), "jvp: t takes f64[], but got f32[]");
    let wrong = jit(vjp(|x: Var| (x, [x]))).call::<((f64, [f64; 1]), f64)>(1.0, (1.0, [array![1.0]]));
    assert_eq!(first_of_two(wrong.unwrap_err()), "vjp: ct.1.0 takes f64[], but got f64[1]");
    let wrong = jit(hvp(|x: Var| x.sin().sum())).call::<Array1<f64>>(array![1.0, 2.0], array![1.0]);
    assert_eq!(first_of_two(wrong.unwrap_err()), "hvp: v takes f64[2], but got f64[1]");
    let integer = jit(grad(|x: Var| x.convert(DType::F64))).call::<f64>(3i64);
    assert_eq!(first_of_two(integer.unwrap_err()), "derivative: \"x\" must be of floating point, but is i64[]");
}

/// Not that of the function that is differentiated, which may be another's.
#[test]
fn tangents_that_do_not_fit_have_the_line_that_gives_them() {
    fn model(x: Var) -> Var {
        x.sin()
    }
    let calls: [(u32, fn(Var) -> Var); 4] = [
        (line!(), |x| jvp(model).call(x, x.index(0)).1),
        (line!(), |x| vjp(model).call(x, x.index(0)).1),
        (line!(), |x| hvp(|x: Var| model(x).sum()).call(x, x.index(0))),
        (line!(), |x| taylor(model, 2).call(x, x.index(0))[1]),
    ];
    for (line, call) in calls {
        let message = jit(call).call::<Array1<f64>>(array![1.0, 2.0]).unwrap_err().to_string();
        assert!(
            message.contains(&format!("takes f64[2], but got f64[]\n  at tests/transform.rs:{line}:")),
            "{message}"
        );
    }
}

#[test]
fn series_of_an_order_that_is_too_high_are_an_error() {
    let line = line!() + 1;
    let error = jit(|x: Var| taylor(|x: Var| x.sin(), 1001).call(x, x)[3]).call::<f64>(1.0).unwrap_err();
    let expected = format!("taylor, at tests/transform.rs:{line}:");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn errors_in_a_trace_have_their_line() {
    let line = line!() + 1;
    let shapes = trace(|x: Var, y: Var| x + y, (Type::new(DType::F64, [2]), Type::new(DType::F64, [3])));
    let message = shapes.unwrap_err().to_string();
    assert!(
        message.starts_with("add: operands must have shapes that broadcast, but got f64[2] and f64[3]"),
        "{message}"
    );
    assert!(message.contains(&format!("tests/transform.rs:{line}:")), "{message}");
    let dtypes = trace(|x: Var, y: Var| x * y, (DType::F64, DType::F32)).unwrap_err().to_string();
    assert!(dtypes.starts_with("mul: operands must have equal dtypes, but got f64 and f32; use convert"), "{dtypes}");
    let number = trace(|n: Var| n + 0.5, (DType::I64,)).unwrap_err().to_string();
    assert!(number.contains("the number 0.5 cannot stand beside a value of dtype i64"), "{number}");
    // The first error wins, and derivatives of what failed add none.
    let first = jit(grad(|x: Var| (x.reshape(&[7]) * x).sum())).call::<f64>(1.0).unwrap_err().to_string();
    assert!(first.starts_with("reshape:"), "{first}");
}

#[test]
fn branches_without_values_are_errors() {
    let line = line!() + 1;
    let error = trace(|x: Var| if x > 0.0 { x } else { -x }, (DType::F64,)).unwrap_err();
    assert!(matches!(error, Error::Trace(TraceError::BranchWithoutValues { .. })));
    assert!(error.to_string().contains(&format!("tests/transform.rs:{line}:")), "{error}");
    // A branch on what failed before has no answer either; the failure is reported.
    let error = jit(|x: Var| if x.reshape(&[7]).sum() > 0.0 { x } else { -x }).call::<f64>(1.0).unwrap_err();
    assert!(error.to_string().starts_with("reshape:"), "{error}");
    let error = jit(|x: Var| if x > 0.0 { x } else { -x }).call::<Array1<f64>>(array![1.0, 2.0]).unwrap_err();
    assert!(error.to_string().contains("an `if` needs one truth value"), "{error}");
}

#[test]
fn escaped_variables_are_errors() {
    let kept: Mutex<Option<Var>> = Mutex::new(None);
    let keep = |x: Var| {
        *kept.lock().unwrap() = Some(x);
        x
    };
    trace(keep, (DType::F64,)).unwrap();
    let old = kept.lock().unwrap().unwrap();
    let escaped = |error: Error| assert!(matches!(error, Error::Trace(TraceError::Escaped { .. })), "{error}");
    escaped(trace(move |x: Var| x + old, (DType::F64,)).unwrap_err());
    escaped(trace(move |_: Var| old, (DType::F64,)).unwrap_err());
    escaped(jit(grad(move |x: Var| x * old)).call::<f64>(1.0).unwrap_err());
    escaped(jit(grad(move |_: Var| old)).call::<f64>(1.0).unwrap_err());
    escaped(jit(move |x: Var| if old > 0.0 { x } else { -x }).call::<f64>(1.0).unwrap_err());
    // A variable of the outer trace inside an inner one.
    let outer = |x: Var| match jit(move |y: Var| x * y).call::<f64>(2.0) {
        Ok(y) => x * y,
        Err(error) => {
            escaped(error);
            x
        }
    };
    assert_eq!(jit(outer).call::<f64>(3.0).unwrap(), 3.0);
}

#[test]
fn limits_are_errors() {
    let long = |x: Var| (0..1000).fold(x, |y, _| y * x);
    let error = jit(long).max_nodes(100).call::<f64>(1.0).unwrap_err();
    assert!(matches!(&error, Error::Limit(limit) if limit.limit == 100), "{error}");
    assert!(error.to_string().contains("tests/transform.rs:"), "{error}");
    // Without a limit this would never end: the trace is never told that x is large enough.
    let endless = |x: Var| {
        let mut y = x;
        while y < 1e9 {
            y = y * 1.0 + 0.0;
        }
        y
    };
    assert!(matches!(jit(endless).max_nodes(10_000).call::<f64>(1.0), Err(Error::Limit(_))));
}

/// A panic of the function's own reaches the caller, and leaves nothing broken behind.
#[test]
fn panics_pass_through() {
    let fail = AtomicUsize::new(1);
    let f = jit(|x: Var| {
        if fail.load(Ordering::Relaxed) > 0 {
            panic::resume_unwind(Box::new("mine"));
        }
        x + 1.0
    });
    let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| f.call::<f64>(1.0)));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"mine"));
    fail.store(0, Ordering::Relaxed);
    assert_eq!(f.call::<f64>(1.0).unwrap(), 2.0);
}

// Plain Rust control flow

/// The article's sine: the terms of its series until they are small.
fn taylor_sine(x: Var) -> Var {
    let (mut sum, mut term, mut i) = (x, x, 0);
    while term.abs() > 0.001 {
        term = -term * x * x / f64::from((2 * i + 3) * (2 * i + 2));
        sum += term;
        i += 1;
    }
    sum
}

/// The same on numbers, with its derivative by hand, and the number of terms.
fn taylor_sine_by_hand(x: f64) -> (f64, f64, usize) {
    let (mut sum, mut term, mut slope, mut n) = (x, x, 1.0, 0);
    let mut power = 1.0; // x²ⁿ / (2n)!
    while term.abs() > 0.001 {
        let i = n as f64;
        term = -term * x * x / ((2.0 * i + 3.0) * (2.0 * i + 2.0));
        sum += term;
        power *= -x * x / ((2.0 * i + 1.0) * (2.0 * i + 2.0));
        slope += power;
        n += 1;
    }
    (sum, slope, n)
}

#[test]
fn loops_follow_the_data() -> Result<(), Error> {
    let f = jit(value_and_grad(taylor_sine));
    let mut lengths = Vec::new();
    for k in (0..400).chain((0..400).rev()) {
        let x = (f64::from(k) - 200.0) * 0.05;
        let (value, slope): (f64, f64) = f.call(x)?;
        let (exact, exact_slope, n) = taylor_sine_by_hand(x);
        assert_eq!(value, exact, "at {x}");
        assert!(
            (slope - exact_slope).abs() <= 1e-12 * exact_slope.abs().max(1.0),
            "{slope} is not {exact_slope} at {x}"
        );
        if !lengths.contains(&n) {
            lengths.push(n);
        }
    }
    assert!(lengths.len() > 10);
    assert_eq!((f.n_paths(), f.n_traces(), f.n_signatures()), (lengths.len(), lengths.len(), 1));
    let at_pi: f64 = jit(grad(taylor_sine)).call(PI)?;
    assert!((at_pi - taylor_sine_by_hand(PI).1).abs() < 1e-14);
    Ok(())
}

/// Every order in which paths are met leads to the same numbers and the same paths.
#[test]
fn paths_are_found_from_anywhere() -> Result<(), Error> {
    let f = |x: Var, y: Var| {
        let mut z = if x > 0.0 { x } else { -x };
        if y > 0.5 {
            z *= 2.0;
        }
        if x + y > 1.0 {
            z + 1.0
        } else if z > 3.0 {
            z * z
        } else {
            z
        }
    };
    let plain = |x: f64, y: f64| {
        let mut z = if x > 0.0 { x } else { -x };
        if y > 0.5 {
            z *= 2.0;
        }
        if x + y > 1.0 {
            z + 1.0
        } else if z > 3.0 {
            z * z
        } else {
            z
        }
    };
    let points: Vec<(f64, f64)> =
        (-8..9).flat_map(|i| (-8..9).map(move |j| (f64::from(i) * 0.51, f64::from(j) * 0.49))).collect();
    let mut counts = Vec::new();
    for stride in [1, 5, 7, 100, 288] {
        let compiled = jit(f);
        for k in 0..3 * points.len() {
            let (x, y) = points[k * stride % points.len()];
            assert_eq!(compiled.call::<f64>(x, y)?, plain(x, y), "at {x}, {y}");
        }
        counts.push((compiled.n_paths(), compiled.n_traces()));
    }
    assert!(counts.iter().all(|&(n_paths, n_traces)| n_paths == counts[0].0 && n_traces == n_paths), "{counts:?}");
    Ok(())
}

#[test]
fn comparisons_follow_ieee() -> Result<(), Error> {
    let kind = jit(|x: Var| {
        if x < 0.0 {
            x * 0.0 - 1.0
        } else if x == 0.0 {
            x * 0.0
        } else if x > 0.0 {
            x * 0.0 + 1.0
        } else {
            x.full_like(7.0)
        }
    });
    for (x, expected) in [(-2.0, -1.0), (0.0, 0.0), (-0.0, 0.0), (3.0, 1.0), (f64::NAN, 7.0), (5.0, 1.0)] {
        assert_eq!(kind.call::<f64>(x)?, expected, "at {x}");
    }
    assert_eq!(kind.n_paths(), 4);
    Ok(())
}

#[test]
fn paths_may_return_other_shapes() -> Result<(), Error> {
    let f = jit(|x: Var, y: Var| if x > 0.0 { vec![y] } else { vec![y, x * y] });
    assert_eq!(f.call::<Vec<f64>>(1.0, 2.0)?, [2.0]);
    assert_eq!(f.call::<Vec<f64>>(-1.0, 2.0)?, [2.0, -2.0]);
    assert_eq!(f.call::<Vec<f64>>(1.0, 3.0)?, [3.0]);
    Ok(())
}

#[test]
fn too_many_paths_is_an_error() {
    let f = jit(taylor_sine).max_paths(3);
    let results: Vec<Result<f64, Error>> = [0.0, 0.2, 1.0, 2.0, 4.0].into_iter().map(|x| f.call(x)).collect();
    assert_eq!(f.n_paths(), 3);
    assert!(results[..3].iter().all(Result::is_ok));
    let error = results[3].as_ref().unwrap_err();
    assert!(matches!(error, Error::Trace(TraceError::TooManyPaths { limit: 3, .. })), "{error}");
    assert!(error.to_string().contains("tests/transform.rs:"), "{error}");
    // The paths that there are still serve.
    assert_eq!(f.call::<f64>(0.2).unwrap(), taylor_sine_by_hand(0.2).0);
}

#[test]
fn guards_are_checked_in_their_order() -> Result<(), Error> {
    // The second condition is a part of the first, so that it is computed before.
    let f = |x: Var| match (Float::is_normal(x), Float::is_finite(x)) {
        (true, true) => 2.0 * x,
        (false, true) => 3.0 * x,
        (normal, false) => x.full_like(if normal { 0.5 } else { 4.0 }),
    };
    let f = jit(f);
    for (x, y) in [(1.0, 2.0), (f64::INFINITY, 4.0), (0.0, 0.0), (f64::NAN, 4.0), (1e-310, 3e-310), (-1.0, -2.0)] {
        assert_eq!(f.call::<f64>(x)?, y, "at {x:e}");
    }
    assert_eq!(f.n_paths(), 3);
    Ok(())
}

#[test]
fn guards_stand_in_the_graph() -> Result<(), Error> {
    let graph = trace_with(taylor_sine, (1.0,))?;
    let n = taylor_sine_by_hand(1.0).2;
    let outcomes: Vec<bool> = graph.guards().iter().map(|guard| guard.expect).collect();
    assert_eq!(outcomes, [vec![true; n], vec![false]].concat());
    assert!(graph.guards().iter().all(|guard| guard.at.is_some()));
    let Err(Error::Guard(miss)) = interpret::run(&graph, &[Array::scalar(3.0)]) else { panic!("no guard missed") };
    assert_eq!((miss.guard, miss.expected), (n, false));
    Ok(())
}

// Threads

#[test]
fn threads_share_a_compiled_function() -> Result<(), Error> {
    fn shared<T: Send + Sync>(_: &T) {}
    let f: Jit<_, _> = jit(value_and_grad(taylor_sine));
    shared(&f);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let f = &f;
                scope.spawn(move || {
                    for k in 0..200 {
                        let x = f64::from((k * 7 + worker * 31) % 120) * 0.07;
                        let (value, _): (f64, f64) = f.call(x)?;
                        assert_eq!(value, taylor_sine_by_hand(x).0);
                    }
                    Ok::<(), Error>(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap())
    })?;
    let mut lengths: Vec<usize> = (0..120).map(|k| taylor_sine_by_hand(f64::from(k) * 0.07).2).collect();
    lengths.sort_unstable();
    lengths.dedup();
    assert_eq!((f.n_paths(), f.n_traces()), (lengths.len(), lengths.len()));
    Ok(())
}

// check_grad

#[test]
fn derivatives_agree_with_differences() -> Result<(), Error> {
    check_grad(|x: Var| x.tanh() * x.exp(), (0.7,))?;
    check_grad(rosenbrock, ([-1.2, 1.0],))?;
    check_grad(taylor_sine, (2.0,))?;
    check_grad(|x: Var| (x * x).sum(), (array![0.0, 1e-6, 1.0, 1e6],))?;
    check_grad(|x: Var| x.ln(), (1e-8,))?;
    check_grad(|x: Var, n: Var| x.sin() * n.convert(DType::F32), (array![0.3f32, 2.0], 3))?;
    check_grad(
        |p: (Var, Vec<Var>), y: Var| (p.0 * p.1[0] * y, [p.1[1].exp() / p.0]),
        ((array![1.0, 2.0], vec![array![0.5, -0.5], array![0.1, 0.2]]), 3.0),
    )
}

/// A function that is not what its derivative says: the branch is taken from the value behind `stop_gradient`.
#[test]
fn wrong_derivatives_are_found() {
    let wrong = |x: Var| (x * x.stop_gradient()).sum();
    let error = check_grad(wrong, (array![1.0, 3.0],)).unwrap_err();
    let Error::Derivative(DerivativeError::Mismatch { name, derivative, difference, .. }) = &error else {
        panic!("{error}");
    };
    assert!(name.starts_with("out by x["), "{name}");
    assert!((derivative * 2.0 - difference).abs() < 1e-6, "{error}");
    // At a kink the first derivative is the mean of both sides, but the second is not what differences say.
    // By its parameter, an incomplete function can be differentiated but once.
    check_grad(|x: Var| x.full_like(1.5).igamma(x), (0.7,)).unwrap();
    let once = check_grad(|a: Var, x: Var| a.igamma(x), (1.5, 0.7)).unwrap_err().to_string();
    let expected = "check_grad: the first order agrees with differences, but there is no second: ";
    assert!(once.starts_with(expected) && once.contains("only once by its parameters"), "{once}");
    let kink = check_grad(|x: Var| x.abs(), (0.0,)).unwrap_err().to_string();
    assert!(kink.starts_with("check_grad: at x.grad by x (forward mode)"), "{kink}");
    let error = check_grad(|x: Var| x.sqrt(), (0.0,)).unwrap_err();
    assert!(matches!(error, Error::Derivative(DerivativeError::Mismatch { .. })), "{error}");
    let error = check_grad(|x: Var, y: Var| x * y, (1.0,)).unwrap_err();
    assert!(matches!(error, Error::Argument(ArgumentError::Count { expected: 2, got: 1, .. })));
}

/// `VarTree` is for users' own types, too.
#[test]
fn trees_replace_leaves() -> Result<(), Error> {
    let f = |x: Var| {
        let pair = (x, vec![x * 2.0]);
        pair.replace(&mut |y| [y, y + 1.0])
    };
    let ([a, b], list): ([f64; 2], Vec<[f64; 2]>) = jit(f).call(1.0)?;
    assert_eq!((a, b, list), (1.0, 2.0, vec![[2.0, 3.0]]));
    Ok(())
}

/// A number that a derivative made is copied into a body that uses it, without its role, which speaks of another graph.
#[test]
fn a_body_may_use_a_number_that_a_derivative_made() -> Result<(), Error> {
    let f = |x: Var| {
        let y = 2.0 * x;
        let one = grad(|y: Var| y + 1.0).call(y);
        fori_loop(3, x.full_like(0.0), move |_, sum: Var| sum + one)
    };
    let sum: f64 = jit(f).call(1.5)?;
    assert_eq!(sum, 3.0);
    Ok(())
}

/// A loop's body may differentiate by what stands around the loop.
#[test]
fn a_body_may_take_a_jacobian_by_what_it_captures() -> Result<(), Error> {
    let f = |x: Var| fori_loop(3, x.full_like(0.0), |_, sum: Var| sum + jacobian(|y: Var| y * y).call(x));
    let sum: f64 = jit(f).call(1.5)?;
    let slope: f64 = jit(grad(f)).call(1.5)?;
    assert_eq!((sum, slope), (9.0, 6.0));
    Ok(())
}
