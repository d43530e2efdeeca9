//! Linear algebra of complex matrices: values against SciPy, derivatives against differences of the real parts.

pub mod common;

use std::fs;

use common::Random;
use ndarray::{Array2, ArrayD, Ix2};
use num_complex::{Complex64, c64};
use retrograd::linalg::{MatrixNorm, Triangle, complex};
use retrograd::optimize::optimize;
use retrograd::value::{Array, DType, Type};
use retrograd::{Complex, Program, Var, grad, holomorphic_grad, interpret, jit, jvp, trace};
use serde_json::Value;

type Numbers = ArrayD<Complex64>;

/// What stands for complex numbers in arguments and results.
type Parts = Complex<ArrayD<f64>>;

fn parts(z: &Numbers) -> Parts {
    Complex { re: z.mapv(|z| z.re), im: z.mapv(|z| z.im) }
}

fn numbers(re: &ArrayD<f64>, im: &ArrayD<f64>) -> Numbers {
    ndarray::Zip::from(re).and(im).map_collect(|&re, &im| c64(re, im))
}

/// The results for these operands, by the interpreter, by native code and by optimized native code, which must agree to the
/// bit.
fn run<const N: usize>(operands: [&Numbers; N], f: impl Fn([Complex; N]) -> Vec<Complex> + 'static) -> Vec<Numbers> {
    let types: [Complex<Type>; N] = operands.map(|z| {
        let ty = Type::new(DType::F64, z.shape());
        Complex { re: ty.clone(), im: ty }
    });
    let graph = trace(f, (types,)).unwrap();
    let inputs: Vec<Array> =
        operands.iter().flat_map(|z| [parts(z).re, parts(z).im]).map(Array::from_ndarray).collect();
    let expected = interpret::run(&graph, &inputs).unwrap();
    for graph in [&graph, &optimize(&graph).unwrap()] {
        let native = Program::compile(graph).unwrap().call(&inputs).unwrap();
        assert!(native.iter().zip(&expected).all(|(x, y)| x.same_bits(y)), "{graph}");
    }
    let real = |x: &Array| ArrayD::from_shape_vec(x.shape(), x.as_slice::<f64>().unwrap().to_vec()).unwrap();
    expected.chunks(2).map(|pair| numbers(&real(&pair[0]), &real(&pair[1]))).collect()
}

fn random(seed: u64, shape: &[usize]) -> Numbers {
    let mut random = Random(seed);
    ArrayD::from_shape_simple_fn(shape, || c64(random.range(-1.0, 1.0), random.range(-1.0, 1.0)))
}

fn matrix(z: &Numbers) -> Array2<Complex64> {
    z.clone().into_dimensionality::<Ix2>().unwrap()
}

fn adjoint(z: &Array2<Complex64>) -> Array2<Complex64> {
    z.t().mapv(|z| z.conj())
}

fn identity(n: usize) -> Array2<Complex64> {
    Array2::eye(n)
}

/// A Hermitian positive definite matrix.
fn positive(seed: u64, n: usize) -> Numbers {
    let a = matrix(&random(seed, &[n, n]));
    (a.dot(&adjoint(&a)) + identity(n)).into_dyn()
}

fn size<D: ndarray::Dimension>(z: &ndarray::Array<Complex64, D>) -> f64 {
    z.iter().fold(0.0, |largest: f64, z| if z.is_nan() { f64::NAN } else { largest.max(z.norm()) })
}

/// The largest distance of elements, relative to the largest element.
#[track_caller]
fn close(what: &str, got: &Numbers, expected: &Numbers, tolerance: f64) {
    assert_eq!(got.shape(), expected.shape(), "{what}");
    let error = size(&(got - expected));
    assert!(error <= tolerance * size(expected).max(f64::MIN_POSITIVE), "{what}: {got}, but {expected}: {error:e}");
}

/// Cases of `tests/data/linalg_complex`.
fn cases(which: &str) -> Vec<Value> {
    let text = fs::read_to_string("tests/data/linalg_complex/reference.json").unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(all[which].take()).unwrap()
}

fn of(case: &Value, name: &str) -> Numbers {
    let list =
        |part: &str| case[name][part].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<f64>>();
    let shape: Vec<usize> =
        case[name]["shape"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect();
    let part = |name: &str| ArrayD::from_shape_vec(shape.clone(), list(name)).unwrap();
    numbers(&part("re"), &part("im"))
}

#[test]
fn systems_are_those_of_scipy() {
    for case in cases("square") {
        let [a, b, h] = ["a", "b", "h"].map(|name| of(&case, name));
        let solved = run([&a, &b], |[a, b]| {
            vec![
                complex::solve(a, b),
                complex::inv(a),
                complex::solve_triangular(a, b, Triangle::LOWER),
                complex::expm(a),
                complex::matrix_power(a, -2),
            ]
        });
        let names = ["solve", "inv", "triangular", "expm"];
        for (name, got) in names.into_iter().zip(&solved) {
            close(name, got, &of(&case, name), 1e-12);
        }
        let inverse = matrix(&of(&case, "inv"));
        close("matrix_power", &solved[4], &inverse.dot(&inverse).into_dyn(), 1e-11);
        let factored = run([&h, &b], |[h, b]| {
            let factor = complex::cho_factor(h);
            vec![
                complex::cholesky(h),
                complex::logdet(h).into(),
                factor.solve(b),
                factor.l(),
                factor.logdet().into(),
                complex::solve_positive(h, b),
                factor.inv(),
            ]
        });
        let names = ["cholesky", "logdet", "cho_solve", "cholesky", "logdet", "cho_solve"];
        for (name, got) in names.into_iter().zip(&factored) {
            close(name, got, &of(&case, name), 1e-12);
        }
        let n = a.shape()[0];
        close("cho_inv", &matrix(&factored[6]).dot(&matrix(&h)).into_dyn(), &identity(n).into_dyn(), 1e-12);
    }
    for case in cases("rectangular") {
        let [a, b] = ["a", "b"].map(|name| of(&case, name));
        let got = run([&a, &b], |[a, b]| vec![complex::lstsq(a, b), complex::pinv(a, None)]);
        close("lstsq", &got[0], &of(&case, "lstsq"), 1e-13);
        close("pinv", &got[1], &of(&case, "pinv"), 1e-13);
    }
}

/// The real factor of twice the extent is the complex one, also where the matrix is nearly singular.
#[test]
fn factors_of_ill_conditioned_positive_matrices_reconstruct_them() {
    for n in [2, 3, 5, 12, 40] {
        for least in [1e-3f64, 1e-8, 1e-13] {
            let a = matrix(&random(n as u64, &[n, n]));
            let scale = |k: usize| least * (-least.ln() * k as f64 / (n - 1) as f64).exp();
            let q = matrix(&run([&a.clone().into_dyn()], |[a]| vec![complex::expm(a - a.adjoint())])[0]);
            let d = Array2::from_diag(&(0..n).map(|k| c64(scale(k), 0.0)).collect::<ndarray::Array1<Complex64>>());
            let h = q.dot(&d).dot(&adjoint(&q));
            let h = ((&h + &adjoint(&h)) * c64(0.5, 0.0)).into_dyn();
            let l = matrix(&run([&h], |[h]| vec![complex::cholesky(h)])[0]);
            let back = l.dot(&adjoint(&l)).into_dyn();
            close("cholesky", &back, &h, 1e-14);
            assert!((0..n).all(|i| l[(i, i)].im == 0.0 && l[(i, i)].re > 0.0));
            assert!((0..n).all(|i| (i + 1..n).all(|k| l[(i, k)] == c64(0.0, 0.0))));
        }
    }
}

/// A real function of all elements, none of which it treats like another.
fn weighed(results: Vec<Complex>) -> Var {
    let weights = |x: Var, seed: f64| {
        let place = Var::iota(&[x.ty().size()], 0, DType::I64).convert(x.dtype());
        ((place * 1.7 + seed).sin() * x.flatten()).sum()
    };
    let of = |(k, z): (usize, Complex)| weights(z.re, 0.3 + k as f64) + weights(z.im, 1.1 + k as f64);
    results.into_iter().enumerate().map(of).reduce(|x, y| x + y).unwrap()
}

fn dot(x: &Parts, y: &Parts) -> f64 {
    (&x.re * &y.re).sum() + (&x.im * &y.im).sum()
}

/// First derivatives in both modes and second ones against differences.
#[track_caller]
fn derivatives(what: &str, a: &Numbers, f: impl Fn(Complex) -> Vec<Complex> + Clone + 'static, tolerance: f64) {
    let loss = {
        let f = f.clone();
        move |z: Complex| weighed(f(z))
    };
    let (at, t) = (parts(a), parts(&random(77, a.shape())));
    let moved = |h: f64| Complex { re: &at.re + &t.re * h, im: &at.im + &t.im * h };
    // Central differences with Richardson extrapolation.
    let rate = |f: &dyn Fn(&Parts) -> f64| {
        let central = |h: f64| (f(&moved(h)) - f(&moved(-h))) / (2.0 * h);
        (4.0 * central(5e-4) - central(1e-3)) / 3.0
    };
    let value = jit(loss.clone());
    let expected = rate(&|z| value.call::<f64>(z).unwrap());
    let slope = jit(grad(loss.clone()));
    let by_reverse: Parts = slope.call(&at).unwrap();
    let (_, by_forward): (f64, f64) = {
        let loss = loss.clone();
        jit(move |z: Complex, t: Complex| jvp(loss.clone()).call(z, t)).call(&at, &t).unwrap()
    };
    let scale = 1.0 + expected.abs();
    let by_reverse = dot(&by_reverse, &t);
    assert!((by_reverse - expected).abs() <= tolerance * scale, "{what}: reverse {by_reverse}, but {expected}");
    assert!((by_forward - expected).abs() <= tolerance * scale, "{what}: forward {by_forward}, but {expected}");
    let other = parts(&random(78, a.shape()));
    let expected = rate(&|z| dot(&slope.call::<Parts>(z).unwrap(), &other));
    let second: Parts = jit(move |z: Complex, t: Complex| jvp(grad(loss.clone())).call(z, t).1).call(&at, &t).unwrap();
    let second = dot(&second, &other);
    let scale = 1.0 + expected.abs();
    assert!((second - expected).abs() <= 10.0 * tolerance * scale, "{what}: second {second}, but {expected}");
}

#[test]
fn derivatives_of_systems_agree_with_differences() {
    for n in [1, 2, 3, 5] {
        let a = (matrix(&random(3, &[n, n])) + identity(n) * c64(2.0, 1.0)).into_dyn();
        derivatives("solve", &a, |a| vec![complex::solve(a, a.index_axis(1, 0) * a.re.at(0))], 1e-8);
        derivatives("inv", &a, |a| vec![complex::inv(a)], 1e-8);
        derivatives("expm", &a, |a| vec![complex::expm(a)], 1e-8);
        derivatives("pinv", &a, |a| vec![complex::pinv(a, None)], 1e-8);
        derivatives("matrix_power", &a, |a| vec![complex::matrix_power(a, 3)], 1e-8);
        for triangle in [
            Triangle::LOWER,
            Triangle::UPPER,
            Triangle::LOWER.transposed(),
            Triangle::UPPER.transposed().from_right(),
            Triangle::LOWER.unit_diagonal(),
        ] {
            derivatives("solve_triangular", &a, move |a| vec![complex::solve_triangular(a, a.conj(), triangle)], 1e-8);
        }
        derivatives("cholesky", &positive(4, n), |a| vec![complex::cholesky(a)], 1e-8);
        let normal = |a: Complex| vec![complex::logdet(a).into(), complex::cho_factor(a).solve(a.index_axis(1, 0))];
        derivatives("positive", &positive(4, n), normal, 1e-8);
    }
    for shape in [[4, 2], [2, 3]] {
        let lstsq = |a: Complex| vec![complex::lstsq(a, a.index_axis(1, 0).square()), complex::pinv(a, None)];
        derivatives("lstsq", &random(5, &shape), lstsq, 1e-8);
    }
}

/// Each of them solves the system that its name says.
#[test]
fn triangles_are_those_they_are_called() {
    let n = 4;
    let (t, b) = (matrix(&random(8, &[n, n])), random(9, &[n, n]));
    for (lower, transposed, unit, right) in
        (0..16).map(|k| (k & 1 == 1, k & 2 == 2, k & 4 == 4, k & 8 == 8)).collect::<Vec<_>>()
    {
        let mut triangle = if lower { Triangle::LOWER } else { Triangle::UPPER };
        let mut own = Array2::from_shape_fn((n, n), |(i, k)| match (i, k) {
            _ if i == k && unit => c64(1.0, 0.0),
            _ if i == k || (i > k) == lower => t[(i, k)],
            _ => c64(0.0, 0.0),
        });
        // What is not read may be anything.
        let given = Array2::from_shape_fn((n, n), |(i, k)| match (i, k) {
            _ if i == k || (i > k) == lower => t[(i, k)],
            _ => c64(f64::NAN, f64::INFINITY),
        });
        if transposed {
            (own, triangle) = (own.t().to_owned(), triangle.transposed());
        }
        triangle = if unit { triangle.unit_diagonal() } else { triangle };
        triangle = if right { triangle.from_right() } else { triangle };
        let x = run([&given.into_dyn(), &b], move |[t, b]| vec![complex::solve_triangular(t, b, triangle)]);
        let x = matrix(&x[0]);
        let back = if right { x.dot(&own) } else { own.dot(&x) };
        close(&format!("{triangle:?}"), &back.into_dyn(), &b, 1e-13);
    }
}

/// The first element of each column that is at least half as large as its largest one is real and positive.
#[track_caller]
fn within_gauge(what: &str, v: &Array2<Complex64>) {
    for column in v.columns() {
        let largest = column.iter().fold(0.0, |largest: f64, z| largest.max(z.norm()));
        // Only one that is clearly so large counts.
        let first = column.iter().find(|z| z.norm() >= 0.5000001 * largest).unwrap();
        let doubtful = column.iter().any(|z| (z.norm() - 0.5 * largest).abs() < 1e-6 * largest);
        assert!(doubtful || first.im == 0.0 && first.re > 0.0, "{what}: {v}");
    }
}

fn diagonal(d: &Numbers) -> Array2<Complex64> {
    Array2::from_diag(&d.clone().into_dimensionality::<ndarray::Ix1>().unwrap())
}

/// The eigenvalues in the order of their real parts, then of their imaginary ones.
fn ordered(w: &Numbers) -> Numbers {
    let mut w: Vec<Complex64> = w.iter().copied().collect();
    w.sort_by(|x, y| x.re.total_cmp(&y.re).then(x.im.total_cmp(&y.im)));
    Numbers::from_shape_vec([w.len()].as_slice(), w).unwrap()
}

#[test]
fn spectra_are_those_of_scipy_and_reconstruct() {
    for case in cases("square") {
        let [a, h] = ["a", "h"].map(|name| of(&case, name));
        let n = a.shape()[0];
        let got = run([&a, &h], |[a, h]| {
            let ((w, v), (z, x)) = (complex::eigh(h), complex::eig(a));
            vec![w.into(), v, z, x, complex::eigvalsh(h).into(), complex::eigvals(a), complex::svdvals(a).into()]
        });
        for (k, name) in [(0, "eigvalsh"), (4, "eigvalsh"), (6, "svdvals")] {
            close(name, &got[k], &of(&case, name), 1e-14);
        }
        close("eig", &ordered(&got[2]), &of(&case, "eigvals"), 1e-12);
        close("eigvals", &ordered(&got[5]), &of(&case, "eigvals"), 1e-12);
        let (v, x) = (matrix(&got[1]), matrix(&got[3]));
        close("eigh", &v.dot(&diagonal(&got[0])).dot(&adjoint(&v)).into_dyn(), &h, 1e-14);
        close("unitary", &adjoint(&v).dot(&v).into_dyn(), &identity(n).into_dyn(), 1e-14);
        close("eig", &matrix(&a).dot(&x).into_dyn(), &x.dot(&diagonal(&got[2])).into_dyn(), 1e-13);
        within_gauge("eigh", &v);
        within_gauge("eig", &x);
    }
    let all = ["square", "rectangular"].map(cases).concat();
    for case in all {
        let a = of(&case, "a");
        let got = run([&a], |[a]| {
            let (u, s, vh) = complex::svd(a);
            vec![u, s.into(), vh]
        });
        let (u, vh) = (matrix(&got[0]), matrix(&got[2]));
        close("svd", &got[1], &of(&case, "svdvals"), 1e-14);
        close("svd", &u.dot(&diagonal(&got[1])).dot(&vh).into_dyn(), &a, 2e-15 * a.len() as f64);
        let k = identity(u.ncols()).into_dyn();
        close("left", &adjoint(&u).dot(&u).into_dyn(), &k, 1e-14);
        close("right", &vh.dot(&adjoint(&vh)).into_dyn(), &k, 1e-14);
        within_gauge("svd", &u);
    }
}

#[test]
fn norms_are_those_of_numpy() {
    let kinds = [
        MatrixNorm::Frobenius,
        MatrixNorm::Nuclear,
        MatrixNorm::Spectral,
        MatrixNorm::LeastSingular,
        MatrixNorm::One,
        MatrixNorm::LeastColumn,
        MatrixNorm::Infinity,
        MatrixNorm::LeastRow,
    ];
    for case in cases("rectangular") {
        let a = of(&case, "a");
        let got = run([&a], move |[a]| {
            let norms = kinds.map(|kind| complex::matrix_norm(a, kind));
            let sizes = [complex::cond(a, MatrixNorm::Spectral), complex::matrix_rank(a, None).convert(DType::F64)];
            vec![Var::stack(&norms, 0).into(), sizes[0].into(), sizes[1].into()]
        });
        close("norms", &got[0], &of(&case, "norms"), 1e-14);
        close("cond", &got[1], &of(&case, "cond"), 1e-13);
        assert_eq!(got[2].first().unwrap().re, a.shape()[0].min(a.shape()[1]) as f64);
    }
    let a = random(3, &[3, 3]);
    let got = run([&a], |[a]| vec![complex::cond(a, MatrixNorm::One).into(), complex::inv(a)]);
    let norm =
        |z: &Array2<Complex64>| z.columns().into_iter().map(|z| z.iter().map(|z| z.norm()).sum()).fold(0.0, f64::max);
    let expected: f64 = norm(&matrix(&a)) * norm(&matrix(&got[1]));
    assert!((got[0].first().unwrap().re - expected).abs() < 1e-13 * expected);
    // Twice the same row.
    let a = random(3, &[1, 3]).broadcast(ndarray::IxDyn(&[3, 3])).unwrap().to_owned();
    let got = run([&a], |[a]| {
        vec![
            complex::matrix_rank(a, None).convert(DType::F64).into(),
            complex::matrix_rank(a * 0.0, 0.5).convert(DType::F64).into(),
        ]
    });
    assert_eq!([got[0].first().unwrap().re, got[1].first().unwrap().re], [1.0, 0.0]);
}

#[test]
fn derivatives_of_spectra_agree_with_differences() {
    let eigh = |a: Complex| {
        let (w, v) = complex::eigh(a);
        vec![w.sin().into(), v]
    };
    let svd = |a: Complex| {
        let (u, s, vh) = complex::svd(a);
        vec![u, (s * s).into(), vh]
    };
    let eig = |a: Complex| {
        let (w, v) = complex::eig(a);
        vec![w.square(), v]
    };
    for n in [1, 2, 3, 5] {
        let a = random(13, &[n, n]);
        derivatives("eigh", &a, eigh, 1e-8);
        derivatives("eigvalsh", &a, |a| vec![complex::eigvalsh(a).into()], 1e-8);
        derivatives("eigh, vectors", &a, |a| vec![complex::eigh(a).1], 1e-8);
        derivatives("eig", &a, eig, 1e-8);
        derivatives("eigvals", &a, |a| vec![complex::eigvals(a)], 1e-8);
        derivatives("eig of real", &a, |a| vec![complex::eig(a.re).0], 1e-8);
    }
    for shape in [[1, 1], [3, 3], [4, 2], [2, 5], [3, 1], [1, 3]] {
        let a = random(14, &shape);
        derivatives("svd", &a, svd, 1e-8);
        derivatives("svd, left", &a, |a| vec![complex::svd(a).0], 1e-8);
        derivatives("svd, right", &a, |a| vec![complex::svd(a).2], 1e-8);
        derivatives("svdvals", &a, |a| vec![complex::svdvals(a).into()], 1e-8);
        derivatives("nuclear", &a, |a| vec![complex::matrix_norm(a, MatrixNorm::Nuclear).into()], 1e-8);
    }
    for kind in [MatrixNorm::Frobenius, MatrixNorm::One, MatrixNorm::Infinity] {
        derivatives("norm", &random(15, &[3, 2]), move |a| vec![complex::matrix_norm(a, kind).into()], 1e-8);
    }
}

/// tr A³ by eigenvalues has the gradient 3 A²; the nuclear norm the gradient U Vᴴ.
#[test]
fn functions_of_repeated_values_have_exact_derivatives() {
    let skew = matrix(&random(5, &[4, 4]));
    let q = matrix(&run([&(&skew - &adjoint(&skew)).into_dyn()], |[a]| vec![complex::expm(a)])[0]);
    for w in [[1.0; 4], [2.0, 2.0, -1.0, -1.0], [0.0, 0.0, 0.0, 1.0]] {
        let d = Array2::from_diag(&ndarray::arr1(&w).mapv(|w| c64(w, 0.0)));
        let a = q.dot(&d).dot(&adjoint(&q));
        let a = (&a + &adjoint(&a)) * c64(0.5, 0.0);
        let expected = a.dot(&a) * c64(3.0, 0.0);
        let cubes = |a: Complex| complex::eigvalsh(a).powi(3).sum();
        let slope: Parts = jit(grad(cubes)).call(parts(&a.clone().into_dyn())).unwrap();
        close("cubes", &numbers(&slope.re, &slope.im), &expected.into_dyn(), 1e-13);
    }
    let b = q.clone() * c64(2.0, 0.0);
    let slope: Parts = jit(grad(|a: Complex| complex::svdvals(a).sum())).call(parts(&b.into_dyn())).unwrap();
    close("nuclear norm", &numbers(&slope.re, &slope.im), &q.into_dyn(), 1e-13);
}

/// A value with its gradient takes one decomposition, and values alone take no vectors.
#[test]
fn decompositions_are_shared_and_no_wider_than_needed() {
    let ty = Type::new(DType::F64, [4, 4]);
    let z = || (Complex { re: ty.clone(), im: ty.clone() },);
    let applied = |graph: &retrograd::Graph, what: &str| {
        let graph = optimize(graph).unwrap();
        let compiled = retrograd::optimize::compiled_form(&graph).unwrap().into_owned().to_string();
        compiled.lines().filter(|line| line.contains(what)).map(str::to_string).collect::<Vec<String>>()
    };
    let energy = |a: Complex| complex::eigvalsh(a).sin().sum();
    let size = |a: Complex| complex::svdvals(a).sqrt().sum();
    for (name, graph, alone) in [
        ("= complex_eigh ", trace(retrograd::value_and_grad(energy), z()).unwrap(), trace(energy, z()).unwrap()),
        ("= complex_svd ", trace(retrograd::value_and_grad(size), z()).unwrap(), trace(size, z()).unwrap()),
    ] {
        assert_eq!(applied(&graph, name).len(), 1, "{graph}");
        let alone = applied(&alone, name);
        assert!(alone.len() == 1 && alone[0].contains("vectors=false"), "{alone:?}");
    }
}

#[test]
fn numbers_that_are_not_finite_make_all_results_nan() {
    let mut a = random(6, &[2, 3, 3]);
    a[[1, 0, 2]].im = f64::INFINITY;
    let got = run([&a], |[a]| {
        let ((w, v), (z, x), (u, s, vh)) = (complex::eigh(a), complex::eig(a), complex::svd(a));
        let flat = |z: Complex| z.reshape(&[2, z.shape().size() / 2]);
        [w.into(), v, z, x, u, s.into(), vh, complex::eigvals(a)].map(flat).to_vec()
    });
    for (k, z) in got.iter().enumerate() {
        assert!(z.index_axis(ndarray::Axis(0), 0).iter().all(|z| z.is_finite()), "{k}: {z}");
        assert!(z.index_axis(ndarray::Axis(0), 1).iter().all(|z| z.re.is_nan()), "{k}: {z}");
    }
}

/// Every function on a stack is the function of each matrix; `vmap` the same.
#[test]
fn stacks_and_rows_have_the_bits_of_single_matrices() {
    let all = |a: Complex| {
        let ((w, v), (z, x), (u, s, vh)) = (complex::eigh(a), complex::eig(a), complex::svd(a));
        let sized = [w.into(), v, z, x, u, s.into(), vh, complex::expm(a), complex::inv(a)];
        let positive = a.matmul(a.adjoint());
        let factored = [complex::cholesky(positive), complex::solve(a, a.adjoint()), complex::logdet(positive).into()];
        sized.into_iter().chain(factored).collect::<Vec<Complex>>()
    };
    for n in [1, 2, 4] {
        let a = random(7, &[5, n, n]);
        let stacked = run([&a], move |[a]| all(a));
        let mapped = run([&a], move |[a]| retrograd::vmap(all).call(a));
        for k in 0..5 {
            let single = a.index_axis(ndarray::Axis(0), k).to_owned();
            let single = run([&single], move |[a]| all(a));
            for (which, z) in single.iter().enumerate() {
                for many in [&stacked[which], &mapped[which]] {
                    let own = many.index_axis(ndarray::Axis(0), k);
                    close(&format!("{which} of extent {n}"), &own.to_owned(), z, 1e-13);
                }
            }
        }
    }
}

#[test]
fn extents_0_and_right_hand_sides_without_columns() {
    let a = random(1, &[0, 0]);
    let got = run([&a], |[a]| {
        let ((w, v), (z, x), (u, s, vh)) = (complex::eigh(a), complex::eig(a), complex::svd(a));
        vec![
            w.into(),
            v,
            z,
            x,
            u,
            s.into(),
            vh,
            complex::inv(a),
            complex::expm(a),
            complex::cholesky(a),
            complex::solve(a, a),
            complex::logdet(a).into(),
            complex::solve_triangular(a, a, Triangle::LOWER),
        ]
    });
    assert!(got.iter().all(|z| z.is_empty() || z.ndim() == 0 && z.first() == Some(&c64(0.0, 0.0))), "{got:?}");
    let a = random(1, &[2, 0]);
    let got = run([&a], |[a]| vec![complex::svd(a).0, complex::pinv(a, None), complex::svdvals(a).into()]);
    assert_eq!(got.iter().map(|z| z.shape().to_vec()).collect::<Vec<_>>(), [vec![2, 0], vec![0, 2], vec![0]]);
    let (a, b) = (random(1, &[2, 2]), random(1, &[2, 0]));
    assert_eq!(run([&a, &b], |[a, b]| vec![complex::solve(a, b)])[0].shape(), [2, 0]);
    let none =
        jit(grad(|a: Complex| complex::eigh(a).0.sum() + complex::eig(a).0.re.sum() + complex::svdvals(a).sum()));
    assert!(none.call::<Parts>(&parts(&random(1, &[0, 0]))).unwrap().re.is_empty());
}

#[test]
fn single_precision_is_rounded_once() {
    let a = random(9, &[3, 3]).mapv(|z| c64(z.re as f32 as f64, z.im as f32 as f64));
    let all = |a: Complex| {
        let ((w, v), (u, s, vh)) = (complex::eigh(a), complex::svd(a));
        vec![w.into(), v, complex::eig(a).0, u, s.into(), vh]
    };
    let double = run([&a], move |[a]| all(a));
    let single = run([&a], move |[a]| all(a.convert(DType::F32)).into_iter().map(|z| z.convert(DType::F64)).collect());
    for (single, double) in single.iter().zip(&double) {
        assert_eq!(single, &double.mapv(|z| c64(z.re as f32 as f64, z.im as f32 as f64)));
    }
    let rest =
        |a: Complex| vec![complex::solve(a, a.adjoint()), complex::expm(a), complex::cholesky(a.matmul(a.adjoint()))];
    let double = run([&a], move |[a]| rest(a));
    let single = run([&a], move |[a]| rest(a.convert(DType::F32)).into_iter().map(|z| z.convert(DType::F64)).collect());
    for (single, double) in single.iter().zip(&double) {
        close("f32", single, double, 1e-5);
    }
}

/// Wrong operands are errors that name the function and what it got.
#[test]
fn wrong_shapes_are_errors_that_name_the_function() {
    let fails = |f: fn(Complex) -> Complex, shape: &[usize]| {
        let ty = Type::new(DType::F64, shape);
        trace(f, (Complex { re: ty.clone(), im: ty },)).unwrap_err().to_string()
    };
    let cases: [(fn(Complex) -> Complex, &[usize], &str); 9] = [
        (|a| complex::solve(a, a), &[2, 3], "solve: takes square matrices, but got f64[2,3]"),
        (|a| complex::inv(a), &[3], "inv: takes matrices, which have at least 2 axes, but got f64[3]"),
        (|a| complex::eigh(a).1, &[2, 3], "eigh: takes square matrices, but got f64[2,3]"),
        (|a| complex::eig(a).1, &[2, 3], "eig: takes square matrices, but got f64[2,3]"),
        (|a| complex::svd(a).0, &[3], "svd: takes matrices, which have at least 2 axes, but got f64[3]"),
        (
            |a| complex::solve(a, a.slice(0, ..1)),
            &[2, 2],
            "solve: takes right-hand sides with as many rows as the matrices have, but got f64[2,2] and f64[1,2]",
        ),
        (|a| complex::solve(a, 1.0), &[2, 2], "solve: takes right-hand sides with as many rows"),
        (|a| complex::solve(a, a.convert(DType::F32)), &[2, 2], "solve: takes operands of one dtype (use convert)"),
        (
            |a| complex::solve(a, Complex::concatenate(&[a, a], 0)),
            &[2, 2, 2],
            "solve: takes leading axes that broadcast, but got f64[2,2,2] and f64[4,2,2]",
        ),
    ];
    for (f, shape, expected) in cases {
        let message = fails(f, shape);
        assert!(message.starts_with(expected), "{message}");
        assert!(message.contains("tests/linalg_complex.rs"), "{message}");
    }
}

#[test]
fn factors_and_determinants_are_those_of_scipy() {
    for case in cases("square") {
        let a = of(&case, "a");
        let got = run([&a], |[a]| {
            let ((p, l, u), (q, r), (sign, log)) = (complex::lu(a), complex::qr(a), complex::slogdet(a));
            vec![p.into(), l, u, q, r, complex::det(a), sign, log.into()]
        });
        for (name, got) in ["p", "l", "u", "q", "r", "det"].into_iter().zip(&got) {
            close(name, got, &of(&case, name), 1e-12);
        }
        let slogdet = of(&case, "slogdet");
        assert!(
            (got[6].first().unwrap() - slogdet[0]).norm() < 1e-12
                && (got[7].first().unwrap() - slogdet[1]).norm() < 1e-12
        );
    }
    // Nearly dependent, dependent and vanishing columns.
    for shape in [[5, 5], [6, 3], [3, 6], [40, 30]] {
        let mut a = random(21, &shape);
        for k in 1..shape[1].min(shape[0]) {
            let (near, own) =
                (a.index_axis(ndarray::Axis(1), k - 1).to_owned(), a.index_axis(ndarray::Axis(1), k).to_owned());
            let share = [1e-9, 0.0, 1e-200][k % 3];
            a.index_axis_mut(ndarray::Axis(1), k)
                .assign(&(if k == 2 { own * c64(0.0, 0.0) } else { near + own * c64(share, 0.0) }));
        }
        let got = run([&a], |[a]| {
            let (q, r) = complex::qr(a);
            vec![q, r]
        });
        let (q, r) = (matrix(&got[0]), matrix(&got[1]));
        close("unitary", &adjoint(&q).dot(&q).into_dyn(), &identity(q.ncols()).into_dyn(), 1e-14);
        close("qr", &q.dot(&r).into_dyn(), &a, 1e-14);
        assert!(r.diag().iter().all(|z| z.im == 0.0 && z.re >= 0.0));
    }
}

#[test]
fn derivatives_of_factors_agree_with_differences() {
    let qr = |a: Complex| {
        let (q, r) = complex::qr(a);
        vec![q, r]
    };
    let lu = |a: Complex| {
        let (_, l, u) = complex::lu(a);
        vec![l, u]
    };
    let determinants = |a: Complex| {
        let (sign, log) = complex::slogdet(a);
        vec![complex::det(a), sign, log.into()]
    };
    for n in [1, 2, 3, 4, 5] {
        let a = random(31, &[n, n]);
        derivatives("lu", &a, lu, 1e-8);
        derivatives("determinants", &a, determinants, 1e-8);
    }
    for shape in [[1, 1], [3, 3], [4, 2], [2, 4], [3, 1], [1, 3]] {
        let a = random(32, &shape);
        derivatives("qr", &a, qr, 1e-8);
        derivatives("q", &a, |a| vec![complex::qr(a).0], 1e-8);
        derivatives("r", &a, |a| vec![complex::qr(a).1], 1e-8);
    }
    let stack = random(33, &[2, 4, 4]) + (identity(4) * c64(2.0, 1.0)).into_dyn();
    derivatives("stack", &stack, move |a| [qr(a), lu(a), determinants(a)].concat(), 1e-8);
}

/// Cofactors of singular matrices, by minors.
#[test]
fn determinants_have_derivatives_at_singular_matrices() {
    let det = jit(|a: Complex| complex::det(a));
    let slope = jit(holomorphic_grad(|a: Complex| complex::det(a)));
    for (n, rank_loss) in [(1, 0), (2, 1), (3, 1), (4, 0), (4, 1), (4, 2), (6, 1), (6, 2)] {
        let mut a = random(70 + n as u64, &[n, n]).into_dimensionality::<Ix2>().unwrap();
        for k in 0..rank_loss {
            let row = a.row(n - 1).to_owned();
            a.row_mut(k).assign(&(row * c64(0.5, -2.0)));
        }
        let cofactors: Array2<Complex64> = slope.call(&a).unwrap();
        for ((i, j), &got) in cofactors.indexed_iter() {
            let kept = |skip: usize| (0..n).filter(|&k| k != skip).collect::<Vec<usize>>();
            let part = a.select(ndarray::Axis(0), &kept(i)).select(ndarray::Axis(1), &kept(j));
            let minor: Complex64 = det.call(&part).unwrap();
            let expected = if (i + j).is_multiple_of(2) { minor } else { -minor };
            assert!((got - expected).norm() < 1e-12 * 3f64.powi(n as i32), "{n} {rank_loss}: {got} for {expected}");
        }
    }
    // A further derivative at a singular matrix is NaN beyond 3×3, never a number.
    let bend = |a: Complex| holomorphic_grad(|a: Complex| complex::det(a)).call(a).abs_squared().sum();
    let at_singular: Array2<Complex64> = jit(grad(bend)).call(Array2::<Complex64>::ones((4, 4))).unwrap();
    assert!(at_singular.iter().all(|z| z.is_nan()), "{at_singular}");
}

#[test]
fn singular_matrices_have_the_determinant_0() {
    let mut a = random(41, &[4, 4]);
    a.index_axis_mut(ndarray::Axis(0), 2).fill(c64(0.0, 0.0));
    let got = run([&a], |[a]| {
        let (sign, log) = complex::slogdet(a);
        vec![complex::det(a), sign, log.into()]
    });
    let got: Vec<Complex64> = got.iter().map(|z| *z.first().unwrap()).collect();
    assert!(got[0] == c64(0.0, 0.0) && got[1] == c64(0.0, 0.0) && got[2].re == f64::NEG_INFINITY, "{got:?}");
    let none = random(1, &[0, 0]);
    let got = run([&none], |[a]| vec![complex::det(a), complex::slogdet(a).0, complex::slogdet(a).1.into()]);
    let got: Vec<Complex64> = got.iter().map(|z| *z.first().unwrap()).collect();
    assert_eq!(got, [c64(1.0, 0.0), c64(1.0, 0.0), c64(0.0, 0.0)]);
}
