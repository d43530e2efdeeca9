//! Factors, systems and determinants: plans, structure, singular and other bad input.

pub mod common;

use common::Random;

use ndarray::{Array1, Array2, Array3, array};
use retrograd::compile::{KernelKind, KernelReport, Report};
use retrograd::linalg::{self, Triangle};
use retrograd::optimize::optimize;
use retrograd::transform::AllArgs;
use retrograd::value::{Array, DType, Type};
use retrograd::{Graph, Program, Var, grad, hvp, jit, jvp, map, numpy as np, scan, trace, value_and_grad, vmap};

/// A matrix of numbers, traced as a constant.
fn constant(x: Array2<f64>) -> Var {
    Var::constant(Array::from_ndarray(x.into_dyn()))
}

fn matrices(shape: &[usize]) -> Type {
    Type::new(DType::F64, shape)
}

fn plan_of(graph: &Graph) -> Report {
    let graph = optimize(graph).expect("it optimizes");
    Program::inspect(&graph).expect("it compiles").plan
}

/// The operations of all kernels, those of regions included.
fn operations(kernels: &[KernelReport]) -> Vec<&'static str> {
    let of_one = |kernel: &KernelReport| {
        let own = kernel.steps.iter().map(|step| step.op);
        own.chain(kernel.regions.iter().flat_map(|region| operations(&region.kernels))).collect::<Vec<_>>()
    };
    kernels.iter().flat_map(of_one).collect()
}

fn count(plan: &Report, operation: &str) -> usize {
    operations(&plan.kernels).iter().filter(|&&op| op == operation).count()
}

fn calls_routines(kernels: &[KernelReport]) -> bool {
    kernels.iter().any(|kernel| {
        kernel.kind == KernelKind::Library || kernel.regions.iter().any(|region| calls_routines(&region.kernels))
    })
}

#[test]
fn small_systems_of_a_map_and_their_gradient_take_no_call() {
    let one = |a: Var, b: Var| linalg::solve(a, b).square().sum();
    let mapped = move |a: Var, b: Var| map((a, b), move |(a, b)| one(a, b)).sum();
    let batched = move |a: Var, b: Var| vmap(one).call(a, b).sum();
    for n in [2, 3, 4] {
        let types = || (matrices(&[1000, n, n]), matrices(&[1000, n]));
        check(&trace(value_and_grad(mapped).wrt(AllArgs), types()).unwrap());
        check(&trace(value_and_grad(batched).wrt(AllArgs), types()).unwrap());
    }
    fn check(gradient: &Graph) {
        let plan = plan_of(gradient);
        assert!(!calls_routines(&plan.kernels), "{plan}");
        assert!(plan.kernels.iter().all(|kernel| kernel.kind != KernelKind::Control), "{plan}");
        assert!(!plan.makes_stacks, "{plan}");
        // The value takes one factorization of each row, and the gradient computes it again.
        assert_eq!(count(&plan, "lu"), 2, "{plan}");
    }
}

/// The gradient of a log determinant and a quadratic form factors once.
#[test]
fn a_likelihood_and_its_gradient_factor_once() {
    let by_factor = |k: Var, y: Var| {
        let factor = linalg::cho_factor(k);
        0.5 * (y.dot(factor.solve(y)) + factor.logdet())
    };
    // Two factorizations in the text are one in the graph.
    let by_functions = |k: Var, y: Var| 0.5 * (y.dot(linalg::solve_positive(k, y)) + linalg::logdet(k));
    let by_lu = |k: Var, y: Var| 0.5 * (y.dot(linalg::solve(k, y)) + linalg::slogdet(k).1);
    let types = || (matrices(&[30, 30]), matrices(&[30]));
    let graphs = [
        (trace(value_and_grad(by_factor).wrt(AllArgs), types()).unwrap(), "cholesky"),
        (trace(value_and_grad(by_functions).wrt(AllArgs), types()).unwrap(), "cholesky"),
        (trace(value_and_grad(by_lu).wrt(AllArgs), types()).unwrap(), "lu"),
    ];
    for (graph, factorization) in graphs {
        let plan = plan_of(&graph);
        let n = ["cholesky", "lu"].map(|name| count(&plan, name));
        assert_eq!(n.iter().sum::<usize>(), 1, "{plan}");
        assert_eq!(count(&plan, factorization), 1, "{plan}");
        // Nothing flows through the factors: a solution backward for the right-hand side, and an inverse.
        assert_eq!(count(&plan, "cholesky_pullback"), 0, "{plan}");
        assert!(count(&plan, "solve") <= 2 && count(&plan, "inverse") == 1, "{plan}");
    }
}

/// A step of a Kalman filter, its likelihood and its gradient by the noise, in a loop: straight-line code.
#[test]
fn a_filter_in_a_loop_calls_no_routine() {
    let likelihood = |noise: Var, ys: Var| {
        let f = constant(array![[1.0, 0.1], [0.0, 1.0]]);
        let h = constant(array![[1.0, 0.0]]);
        let q = constant(array![[1e-3, 0.0], [0.0, 1e-2]]);
        let start = (Var::zeros([2]), constant(Array2::<f64>::eye(2)), Var::from(0.0));
        let ((_, _, log), ()) = scan(start, ys, |(x, p, log), y| {
            let (x, p) = (f.dot(x), f.dot(p).dot(f.t()) + q);
            let s = h.dot(p).dot(h.t()) + noise.reshape(&[1, 1]);
            let factor = linalg::cho_factor(s);
            let off = y - h.dot(x);
            let gain = factor.solve(h.dot(p)).t();
            let log = log - 0.5 * (off.dot(factor.solve(off)) + factor.logdet());
            ((x + gain.dot(off), p - gain.dot(h).dot(p), log), ())
        });
        log
    };
    let gradient = trace(value_and_grad(likelihood), (DType::F64, matrices(&[50, 1]))).unwrap();
    let plan = plan_of(&gradient);
    assert!(!calls_routines(&plan.kernels), "{plan}");
    let ys: Array2<f64> = Array2::from_shape_fn((50, 1), |(i, _)| (0.2 * i as f64).sin());
    let slope: f64 = jit(grad(likelihood)).call(0.3, &ys).unwrap();
    let at = |noise: f64| jit(likelihood).call::<f64>(noise, &ys).unwrap();
    let difference = (at(0.3 + 1e-5) - at(0.3 - 1e-5)) / 2e-5;
    assert!((slope - difference).abs() < 1e-7 * difference.abs(), "{slope} {difference}");
}

/// What the graph shows of a matrix is used, and changes nothing but the rounding.
#[test]
fn structure_is_used() {
    type Made = fn(Var) -> Var;
    let cases: [(&str, Made, &[&str]); 8] = [
        ("general", |a| a * 1.0, &["lu", "solve"]),
        ("transpose", |a| a.t(), &["lu", "solve"]),
        ("lower", |a| np::tril(a, 0), &["triangular_solve"]),
        ("upper", |a| np::triu(a, 0), &["triangular_solve"]),
        ("upper by transpose", |a| np::tril(a, 0).t(), &["triangular_solve"]),
        ("factor", |a| linalg::cholesky(a.t().dot(a)), &["cholesky", "triangular_solve"]),
        ("diagonal", |a| np::diag(np::diagonal(a, 0, 0, 1), 0), &[]),
        ("below the diagonal and above", |a| np::tril(a, 1), &["lu", "solve"]),
    ];
    let all = ["lu", "solve", "triangular_solve", "cholesky", "inverse"];
    let mut random = Random(8);
    let a = Array2::from_shape_fn((9, 9), |(i, j)| random.range(-1.0, 1.0) + if i == j { 4.0 } else { 0.0 });
    let b = Array1::from_shape_fn(9, |_| random.range(-1.0, 1.0));
    for (name, made, expected) in cases {
        let f = move |a: Var, b: Var| linalg::solve(made(a), b);
        let graph = trace(f, (matrices(&[9, 9]), matrices(&[9]))).unwrap();
        let plan = plan_of(&graph);
        for operation in all {
            assert_eq!(count(&plan, operation), usize::from(expected.contains(&operation)), "{name}: {plan}");
        }
        let (x, m): (Array1<f64>, Array2<f64>) = jit(move |a: Var, b: Var| (f(a, b), made(a))).call(&a, &b).unwrap();
        assert!((m.dot(&x) - &b).iter().all(|error| error.abs() < 1e-13), "{name}: {x}");
        // The gradient is that of elimination, of which the graph shows nothing.
        let plain = move |a: Var, b: Var| linalg::lu_factor(made(a)).solve(b).square().sum();
        let own: (Array2<f64>, Array1<f64>) =
            jit(grad(move |a: Var, b: Var| f(a, b).square().sum()).wrt(AllArgs)).call(&a, &b).unwrap();
        let by_elimination: (Array2<f64>, Array1<f64>) = jit(grad(plain).wrt(AllArgs)).call(&a, &b).unwrap();
        let near = |x: &f64, y: &f64| (x - y).abs() < 1e-12;
        assert!(own.0.iter().zip(&by_elimination.0).all(|(x, y)| near(x, y)), "{name}");
        assert!(own.1.iter().zip(&by_elimination.1).all(|(x, y)| near(x, y)), "{name}");
    }
}

/// A matrix and its transpose share their factors.
#[test]
fn a_transpose_shares_the_factors() {
    let f = |a: Var, b: Var| linalg::solve(a, b).dot(linalg::solve(a.t(), b));
    let graph = trace(value_and_grad(f).wrt(AllArgs), (matrices(&[9, 9]), matrices(&[9]))).unwrap();
    let plan = plan_of(&graph);
    assert_eq!(count(&plan, "lu"), 1, "{plan}");
}

/// Cofactors of singular matrices, by minors.
#[test]
fn determinants_have_derivatives_at_singular_matrices() {
    let det = jit(|a: Var| linalg::det(a));
    let slope = jit(grad(|a: Var| linalg::det(a)));
    let mut random = Random(4);
    for n in [1, 2, 3, 4, 5, 7] {
        for rank_loss in [0, 1, 2] {
            let mut a = Array2::from_shape_fn((n, n), |_| (random.range(-4.0, 4.0)).round());
            for k in 0..rank_loss.min(n - 1) {
                let row = a.row(n - 1).to_owned();
                a.row_mut(k).assign(&(row * 2.0));
            }
            let cofactors: Array2<f64> = slope.call(&a).unwrap();
            let minor = |i: usize, j: usize| {
                let kept = |skip: usize| (0..n).filter(|&k| k != skip).collect::<Vec<usize>>();
                let part = a.select(ndarray::Axis(0), &kept(i)).select(ndarray::Axis(1), &kept(j));
                let sign = if (i + j).is_multiple_of(2) { 1.0 } else { -1.0 };
                sign * if n == 1 { 1.0 } else { det.call::<f64>(&part).unwrap() }
            };
            let scale = a.iter().fold(1.0, |max: f64, x| max.max(x.abs())).powi(n as i32);
            for ((i, j), &x) in cofactors.indexed_iter() {
                assert!((x - minor(i, j)).abs() < 1e-12 * scale, "{n} {rank_loss}: {x} for {}\n{a}", minor(i, j));
            }
        }
    }
    // A further derivative at a singular matrix is NaN beyond 3×3, never a number.
    let bend = |a: Var| grad(|a: Var| linalg::det(a)).call(a).square().sum();
    let at_singular: Array2<f64> = jit(grad(bend)).call(Array2::<f64>::ones((4, 4))).unwrap();
    assert!(at_singular.iter().all(|x| x.is_nan()), "{at_singular}");
    let forward = jit(hvp(|a: Var| linalg::det(a)));
    let singular = Array2::from_diag(&array![0.0, 1.0, 1.0, 1.0]);
    let along = Array2::from_diag(&array![0.0, 1.0, 0.0, 0.0]);
    assert!(forward.call::<Array2<f64>>(&singular, &along).unwrap().iter().any(|x| x.is_nan()));
    // By the factors, the determinant of a small matrix is its polynomial, too.
    let of_factor = jit(hvp(|a: Var| linalg::lu_factor(a).det()));
    let bend: Array2<f64> = of_factor.call(array![[0.0, 0.0], [0.0, 1.0]], array![[0.0, 0.0], [0.0, 1.0]]).unwrap();
    assert_eq!(bend, array![[1.0, 0.0], [0.0, 0.0]]);
}

#[test]
fn what_does_not_exist_is_not_finite_and_zeros_pass_nothing_on() {
    for n in [1, 2, 3, 6, 7, 20] {
        let zero = Array2::<f64>::zeros((n, n));
        let ones = Array1::<f64>::ones(n);
        let x: Array1<f64> = jit(|a: Var, b: Var| linalg::solve(a, b)).call(&zero, &ones).unwrap();
        assert!(x.iter().all(|x| !x.is_finite()), "{x}");
        let l: Array2<f64> = jit(|a: Var| linalg::cholesky(a)).call(-Array2::<f64>::eye(n)).unwrap();
        assert!(l.indexed_iter().all(|((i, j), x)| if j > i { *x == 0.0 } else { x.is_nan() }), "{l}");
        let (sign, log): (f64, f64) = jit(|a: Var| linalg::slogdet(a)).call(&zero).unwrap();
        assert_eq!((sign, log), (0.0, f64::NEG_INFINITY));
        for bad in [f64::NAN, f64::INFINITY] {
            let mut a = Array2::<f64>::eye(n);
            a[[n - 1, 0]] = bad;
            let x: Array1<f64> = jit(|a: Var, b: Var| linalg::solve(a, b)).call(&a, &ones).unwrap();
            assert!(x.iter().any(|x| x.is_nan()) || n == 1, "{n} {bad}: {x}");
            let l: Array2<f64> = jit(|a: Var| linalg::cholesky(a)).call(&a).unwrap();
            assert!(l[[n - 1, n - 1]].is_nan() || n == 1 && bad == f64::INFINITY, "{n} {bad}: {l}");
        }
        // A branch that is not taken leaves no NaN behind.
        let chosen = |a: Var, b: Var| {
            let unused = linalg::solve(a, b).sum() + linalg::logdet(a) + linalg::det(a) + linalg::inv(a).sum();
            a.at(0).at(0).greater(-1.0).select(a.sum(), unused + linalg::cholesky(a).sum())
        };
        let slope: (Array2<f64>, Array1<f64>) = jit(grad(chosen).wrt(AllArgs)).call(&zero, &ones).unwrap();
        assert_eq!(slope, (Array2::ones((n, n)), Array1::zeros(n)));
    }
}

#[test]
fn matrices_without_elements() {
    let (a, b) = (Array2::<f64>::zeros((0, 0)), Array1::<f64>::zeros(0));
    let f =
        |a: Var, b: Var| (linalg::solve(a, b), linalg::det(a), linalg::slogdet(a), linalg::logdet(a), linalg::inv(a));
    type Results = (Array1<f64>, f64, (f64, f64), f64, Array2<f64>);
    let (x, det, slogdet, logdet, inverse): Results = jit(f).call(&a, &b).unwrap();
    assert_eq!((x.len(), det, slogdet, logdet, inverse.len()), (0, 1.0, (1.0, 0.0), 0.0, 0));
    let stacks: Array3<f64> = jit(|a: Var| linalg::inv(a)).call(Array3::<f64>::zeros((0, 3, 3))).unwrap();
    assert_eq!(stacks.shape(), [0, 3, 3]);
    let none: Array2<f64> =
        jit(|a: Var, b: Var| linalg::solve(a, b)).call(Array2::<f64>::eye(3), Array2::<f64>::zeros((3, 0))).unwrap();
    assert_eq!(none.shape(), [3, 0]);
}

#[test]
fn wrong_shapes_are_errors_that_name_the_function() {
    let types = |a: &[usize], b: &[usize]| (matrices(a), matrices(b));
    let solve = |a: Var, b: Var| linalg::solve(a, b);
    for (a, b, text) in [
        (&[2, 3][..], &[2][..], "square"),
        (&[3], &[3], "at least 2 axes"),
        (&[3, 3], &[2], "as many rows"),
        (&[3, 3], &[], "as many rows"),
        (&[2, 3, 3], &[4, 3, 1], "broadcast"),
    ] {
        let error = trace(solve, types(a, b)).unwrap_err().to_string();
        assert!(error.contains("solve") && error.contains(text) && error.contains("linalg.rs"), "{error}");
    }
    let error = trace(solve, (Type::new(DType::F32, [2, 2]), matrices(&[2]))).unwrap_err().to_string();
    assert!(error.contains("one dtype"), "{error}");
    let norm = |a: Var| linalg::matrix_norm(a, linalg::MatrixNorm::Spectral);
    let error = trace(norm, (matrices(&[0, 0]),)).unwrap_err().to_string();
    assert!(error.contains("tests/linalg.rs"), "{error}");
    let error = trace(grad(|a: Var| linalg::hessenberg(a).0.sum()), (matrices(&[3, 3]),)).unwrap_err().to_string();
    assert!(error.contains("tests/linalg.rs"), "{error}");
    let integers: f64 = jit(|a: Var| linalg::det(a)).call(array![[2i64, 1], [1, 3]]).unwrap();
    assert_eq!(integers, 5.0);
    let from_right = |t: Var, b: Var| linalg::solve_triangular(t, b, Triangle::LOWER.from_right());
    assert!(trace(from_right, types(&[2, 2], &[2])).unwrap_err().to_string().contains("from the right"));
}

/// `X T = B`, of either triangle, transposed and with ones on the diagonal.
#[test]
fn triangles_from_either_side() {
    let mut random = Random(12);
    for n in [1, 3, 7, 40] {
        let t = Array2::from_shape_fn((n, n), |(i, j)| random.range(-0.5, 0.5) + if i == j { 2.0 } else { 0.0 });
        let b = Array2::from_shape_fn((n, n), |_| random.range(-1.0, 1.0));
        for (triangle, lower) in [(Triangle::LOWER, true), (Triangle::UPPER, false)] {
            for unit in [false, true] {
                for transposed in [false, true] {
                    let mut own = triangle;
                    if unit {
                        own = own.unit_diagonal()
                    }
                    if transposed {
                        own = own.transposed()
                    }
                    let m = Array2::from_shape_fn((n, n), |(i, j)| match (i == j, (j < i) == lower) {
                        (true, _) => {
                            if unit {
                                1.0
                            } else {
                                t[[i, i]]
                            }
                        }
                        (false, true) => t[[i, j]],
                        (false, false) => 0.0,
                    });
                    let m = if transposed { m.reversed_axes() } else { m };
                    let f = move |t: Var, b: Var| {
                        (linalg::solve_triangular(t, b, own), linalg::solve_triangular(t, b, own.from_right()))
                    };
                    let (left, right): (Array2<f64>, Array2<f64>) = jit(f).call(&t, &b).unwrap();
                    assert!((m.dot(&left) - &b).iter().all(|x| x.abs() < 1e-11), "{n} {own:?}");
                    assert!((right.dot(&m) - &b).iter().all(|x| x.abs() < 1e-11), "{n} {own:?}");
                }
            }
        }
    }
}

#[test]
fn least_squares_solve_the_normal_equations() {
    let mut random = Random(21);
    for (m, n) in [(1, 1), (3, 2), (9, 4), (30, 12), (2, 3), (4, 9), (12, 30)] {
        let a = Array2::from_shape_fn((m, n), |_| random.range(-1.0, 1.0));
        let b = Array1::from_shape_fn(m, |_| random.range(-1.0, 1.0));
        let by_factors = |a: Var, b: Var| linalg::lstsq(a, b);
        let by_values = |a: Var, b: Var| linalg::lstsq_by_values(a, b, None);
        let x: Array1<f64> = jit(by_factors).call(&a, &b).unwrap();
        assert!(a.t().dot(&(a.dot(&x) - &b)).iter().all(|x| x.abs() < 1e-13), "{m} {n}");
        let y: Array1<f64> = jit(by_values).call(&a, &b).unwrap();
        assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-11 * (1.0 + y.abs())), "{m} {n}: {x} {y}");
        let slopes = |by: fn(Var, Var) -> Var| -> (Array2<f64>, Array1<f64>) {
            jit(grad(move |a: Var, b: Var| by(a, b).sin().sum()).wrt(AllArgs)).call(&a, &b).unwrap()
        };
        let (one, other) = (slopes(by_factors), slopes(by_values));
        let near = |(x, y): (&f64, &f64)| (x - y).abs() < 1e-9 * (1.0 + y.abs());
        assert!(one.0.iter().zip(&other.0).all(near), "{m} {n}");
        assert!(one.1.iter().zip(&other.1).all(near), "{m} {n}");
    }
}

/// A stack of small matrices is computed as rows of a loop, and has the bits of its matrices one by one.
#[test]
fn stacks_of_small_matrices_are_their_matrices() {
    let mut random = Random(31);
    let f = |a: Var, b: Var| {
        let s = a.matmul(np::swapaxes(a, -1, -2)) + np::eye(3, 3, 0);
        (
            linalg::solve(a, b),
            linalg::inv(a),
            linalg::slogdet(a),
            linalg::cholesky(s),
            linalg::solve_positive(s, b),
            linalg::logdet(s),
        )
    };
    type Results<S, M> = (M, M, (S, S), M, M, S);
    let a = ndarray::Array4::from_shape_fn((2, 3, 3, 3), |_| random.range(-1.0, 1.0));
    let b = ndarray::Array4::from_shape_fn((2, 3, 3, 1), |_| random.range(-1.0, 1.0));
    let whole: Results<Array2<f64>, ndarray::Array4<f64>> = jit(f).call(&a, &b).unwrap();
    let one = jit(f);
    for i in 0..2 {
        for j in 0..3 {
            let of = |x: &ndarray::Array4<f64>| x.slice(ndarray::s![i, j, .., ..]).to_owned();
            let own: Results<f64, Array2<f64>> = one.call(of(&a), of(&b)).unwrap();
            assert_eq!((of(&whole.0), of(&whole.1)), (own.0, own.1));
            assert_eq!((whole.2.0[[i, j]], whole.2.1[[i, j]]), own.2);
            assert_eq!((of(&whole.3), of(&whole.4), whole.5[[i, j]]), (own.3, own.4, own.5));
        }
    }
    let plan = plan_of(&trace(|a: Var| linalg::inv(a), (matrices(&[1000, 2, 2]),)).unwrap());
    assert!(!calls_routines(&plan.kernels), "{plan}");
}

/// Where the last column of a square matrix depends on the others, its factors still depend smoothly on it.
#[test]
fn orthogonal_factors_have_derivatives_beside_singular_matrices() {
    for a in [1.0, 1e-8, 1e-17, 1e-160] {
        let both = |a: Var| {
            let (q, r) = linalg::qr(a.reshape(&[1, 1]));
            (q + r).sum()
        };
        assert_eq!(jit(grad(both)).call::<f64>(a).unwrap(), 1.0, "{a}");
        assert_eq!(jit(grad(both)).call::<f64>(-a).unwrap(), -1.0, "{a}");
        assert_eq!(jit(hvp(both)).call::<f64>(a, 1.0).unwrap(), 0.0, "{a}");
    }
    // The first column decides on all of Q, and the second on R alone.
    let sum = |a: Var| {
        let (q, r) = linalg::qr(a);
        (q + r).sum()
    };
    for d in [1e-3, 1e-8, 1e-15] {
        let a = array![[1.0, 2.0], [1.0, 2.0 + d]];
        let slope: Array2<f64> = jit(grad(sum)).call(&a).unwrap();
        let root = 2f64.sqrt();
        let expected = array![[2.0 * root, 0.0], [-root, root]];
        let bound = 10.0 * d + 1e-14;
        assert!(slope.iter().zip(&expected).all(|(x, y)| (x - y).abs() < bound), "{d}: {slope}");
        let along: f64 = jit(jvp(sum)).call::<(f64, f64)>(&a, array![[0.3, -0.2], [0.7, 0.5]]).unwrap().1;
        let inner = (&slope * &array![[0.3, -0.2], [0.7, 0.5]]).sum();
        assert!((along - inner).abs() < 1e-13, "{d}: {along} {inner}");
    }
}
