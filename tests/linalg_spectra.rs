//! Spectra: eigenvalues, singular values, orthogonal factors.

use ndarray::{Array1, Array2, Array3, Axis, array, s};
use retrograd::linalg::MatrixNorm;
use retrograd::optimize::optimize;
use retrograd::value::{DType, Type};
use retrograd::{Graph, Program, Var, grad, hvp, jit, jvp, linalg, taylor, trace, value_and_grad, vmap};

const EPSILON: f64 = f64::EPSILON;

/// How many nodes of the optimized graph, regions included, have that name.
fn n_applied(graph: &Graph, name: &str) -> usize {
    let compiled = retrograd::optimize::compiled_form(&optimize(graph).unwrap()).unwrap().into_owned();
    let listing = compiled.to_string();
    listing.lines().filter(|line| line.contains(&format!("= {name} "))).count()
}

fn square(n: usize) -> (Type,) {
    (Type::new(DType::F64, [n, n]),)
}

#[test]
fn a_value_with_its_gradient_takes_one_decomposition() {
    let of_eigenvalues = |a: Var| {
        let w = linalg::eigvalsh(a);
        (w.sin() + 0.1 * w * w).sum()
    };
    let graph = trace(value_and_grad(of_eigenvalues), square(5)).unwrap();
    assert_eq!(n_applied(&graph, "eigh"), 1, "{graph}");
    let by_function = |a: Var| linalg::spectral_sum(a, |x| x.sin() + 0.1 * x * x);
    let graph = trace(value_and_grad(by_function), square(5)).unwrap();
    assert_eq!(
        n_applied(&graph, "eigh"),
        1,
        "{}",
        retrograd::optimize::compiled_form(&optimize(&graph).unwrap()).unwrap()
    );
    let of_singular_values = |a: Var| linalg::svdvals(a).sqrt().sum();
    let graph = trace(value_and_grad(of_singular_values), square(5)).unwrap();
    assert_eq!(n_applied(&graph, "svd"), 1, "{graph}");

    // Values alone compute no vectors.
    let alone = optimize(&trace(of_eigenvalues, square(5)).unwrap()).unwrap().to_string();
    assert!(alone.contains("vectors=false"), "{alone}");
}

/// A symmetric matrix with these eigenvalues, whose eigenvectors are no unit vectors.
fn with_eigenvalues(w: &[f64]) -> Array2<f64> {
    let n = w.len();
    // A product of reflections is orthogonal.
    let reflection = |seed: f64| {
        let v = Array1::from_iter((0..n).map(|k| (seed * (k as f64 + 1.0)).sin() + 0.1));
        let length = v.dot(&v);
        let outer = v.clone().insert_axis(ndarray::Axis(1)).dot(&v.insert_axis(ndarray::Axis(0)));
        Array2::<f64>::eye(n) - outer * (2.0 / length)
    };
    let q = reflection(1.0).dot(&reflection(2.5));
    let a = q.dot(&Array2::from_diag(&Array1::from(w.to_vec()))).dot(&q.t());
    (&a + &a.t()) * 0.5
}

fn direction(n: usize, seed: f64) -> Array2<f64> {
    let v = Array2::from_shape_fn((n, n), |(i, j)| (seed + 1.7 * (i * n + j) as f64).sin());
    (&v + &v.t()) * 0.5
}

fn worst(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).iter().fold(0.0, |worst: f64, x| worst.max(x.abs()))
}

/// Σ λ³ is the trace of A³, so its derivatives are polynomials of A: nothing depends on how eigenvalues are spread.
#[test]
fn sums_over_repeated_eigenvalues_have_exact_first_and_second_derivatives() {
    let cubes = |a: Var| linalg::spectral_sum(a, |x| x.powi(3));
    for w in
        [vec![1.0; 4], vec![2.0, 2.0, -1.0, -1.0], vec![0.0, 0.0, 0.0, 1.0], vec![1.0, 1.0 + 1e-9, 1.0 - 1e-13, 3.0]]
    {
        let (a, v) = (with_eigenvalues(&w), direction(4, 0.3));
        let slope: Array2<f64> = jit(grad(cubes)).call(&a).unwrap();
        assert!(worst(&slope, &(3.0 * a.dot(&a))) < 1e-13, "{w:?}");
        let composed: Array2<f64> = jit(grad(|a: Var| linalg::eigvalsh(a).powi(3).sum())).call(&a).unwrap();
        assert!(worst(&composed, &(3.0 * a.dot(&a))) < 1e-13, "{w:?}");
        let bend: Array2<f64> = jit(hvp(cubes)).call(&a, &v).unwrap();
        assert!(worst(&bend, &(3.0 * (a.dot(&v) + v.dot(&a)))) < 1e-10, "{w:?}: {bend}");
    }
}

/// A power of a matrix, by its eigenvalues and as a product.
#[test]
fn functions_of_matrices_have_exact_derivatives_at_repeated_eigenvalues() {
    let by_eigenvalues = |a: Var, c: Var| (linalg::funm_symmetric(a, |x| x.powi(3)) * c).sum();
    let product = |a: Var, c: Var| ((a + a.t()) * 0.5).matmul((a + a.t()) * 0.5).matmul((a + a.t()) * 0.5) * c;
    for w in [vec![1.0; 4], vec![2.0, 2.0, -1.0, -1.0], vec![1.0, 1.0 + 1e-6, 1.0 - 1e-12, 3.0]] {
        let (a, c) = (with_eigenvalues(&w), direction(4, 1.3));
        let got: Array2<f64> = jit(grad(by_eigenvalues)).call(&a, &c).unwrap();
        let expected: Array2<f64> = jit(grad(move |a: Var, c: Var| product(a, c).sum())).call(&a, &c).unwrap();
        assert!(worst(&got, &expected) < 1e-12, "{w:?}: {got} {expected}");
    }
}

/// A matrix of the recorded references, and numbers by mpmath; see `tests/data/linalg/spectra.py`.
struct Reference {
    name: String,
    a: Array2<f64>,
    numbers: Vec<f64>,
}

fn references(what: &str) -> Vec<Reference> {
    let lines = include_str!("data/linalg/spectra.csv").lines();
    let of = |line: &str| {
        let parts: Vec<&str> = line.split(',').collect();
        let extent = |k: usize| parts[k].parse::<usize>().unwrap();
        let (m, n) = (extent(2), extent(3));
        let numbers: Vec<f64> = parts[4..].iter().map(|x| x.parse().unwrap()).collect();
        let a = Array2::from_shape_vec((m, n), numbers[..m * n].to_vec()).unwrap();
        (parts[0] == what).then(|| Reference { name: parts[1].to_string(), a, numbers: numbers[m * n..].to_vec() })
    };
    let found: Vec<Reference> = lines.filter_map(of).collect();
    assert!(found.len() >= 2, "{what}");
    found
}

fn largest<'a>(x: impl IntoIterator<Item = &'a f64>) -> f64 {
    x.into_iter().fold(0.0, |largest: f64, x| largest.max(x.abs()))
}

/// Whether the columns are orthonormal.
fn assert_orthonormal(q: &Array2<f64>, what: &str) {
    let n = q.ncols();
    assert!(worst(&q.t().dot(q), &Array2::eye(n)) <= 8.0 * q.nrows() as f64 * EPSILON, "{what}");
}

/// Whether the first element of each column that is at least half as large as its largest one is positive.
fn assert_gauge(v: &Array2<f64>) {
    for column in v.columns() {
        let half = 0.5 * largest(column);
        assert!(*column.iter().find(|x| x.abs() >= half).unwrap() > 0.0, "{v}");
    }
}

fn weighted(x: Var, n: usize) -> Var {
    (x * Var::from(Array1::from_iter((1..=n).map(|k| k as f64)))).sum()
}

fn least_gap(w: &[f64]) -> f64 {
    w.windows(2).map(|w| (w[1] - w[0]).abs()).fold(f64::INFINITY, f64::min)
}

#[test]
fn eigenvalues_and_their_gradients_equal_those_of_mpmath() {
    for Reference { name, a, numbers } in references("eigh") {
        let n = a.nrows();
        let (w, v): (Array1<f64>, Array2<f64>) = jit(linalg::eigh).call(&a).unwrap();
        let (expected, slope) = numbers.split_at(n);
        let size = largest(expected);
        let unit = n as f64 * EPSILON;
        let error = w.iter().zip(expected).fold(0.0, |worst: f64, (x, y)| worst.max((x - y).abs()));
        assert!(error <= 2.0 * unit * size, "{name}: {error} of {size}");
        assert_orthonormal(&v, &name);
        assert_gauge(&v);
        let residual = worst(&a.dot(&v), &(&v * &w));
        assert!(residual <= 4.0 * unit * size, "{name}: {residual}");
        let alone: Array1<f64> = jit(linalg::eigvalsh).call(&a).unwrap();
        assert_eq!(w, alone, "{name}");

        let got: Array2<f64> = jit(grad(move |a: Var| weighted(linalg::eigvalsh(a), n))).call(&a).unwrap();
        let slope = Array2::from_shape_vec((n, n), slope.to_vec()).unwrap();
        let condition = size / least_gap(expected);
        let condition = if n == 1 { 1.0 } else { condition };
        assert!(worst(&got, &slope) <= 8.0 * unit * n as f64 * condition, "{name}: {}", worst(&got, &slope));
        assert_eq!(got, got.t(), "{name}");
    }
}

#[test]
fn singular_values_and_their_gradients_equal_those_of_mpmath() {
    for Reference { name, a, numbers } in references("svd") {
        let (m, n) = a.dim();
        let k = m.min(n);
        let (u, s, vt): (Array2<f64>, Array1<f64>, Array2<f64>) = jit(linalg::svd).call(&a).unwrap();
        let (expected, slope) = numbers.split_at(k);
        let (size, unit) = (largest(expected), m.max(n) as f64 * EPSILON);
        let error = s.iter().zip(expected).fold(0.0, |worst: f64, (x, y)| worst.max((x - y).abs()));
        assert!(error <= 2.0 * unit * size, "{name}: {error} of {size}");
        assert_orthonormal(&u, &name);
        assert_orthonormal(&vt.t().to_owned(), &name);
        assert_gauge(&u);
        assert!(worst(&(&u * &s).dot(&vt), &a) <= 4.0 * unit * size, "{name}");

        let got: Array2<f64> = jit(grad(move |a: Var| weighted(linalg::svdvals(a), k))).call(&a).unwrap();
        let slope = Array2::from_shape_vec((m, n), slope.to_vec()).unwrap();
        let condition = size / least_gap(expected).min(expected[k - 1]);
        assert!(worst(&got, &slope) <= 8.0 * unit * n as f64 * condition, "{name}: {}", worst(&got, &slope));
    }
}

#[test]
fn eigenvalues_of_general_matrices_equal_those_of_mpmath() {
    for Reference { name, a, numbers } in references("eig") {
        let n = a.nrows();
        let (re, im, x, y): (Array1<f64>, Array1<f64>, Array2<f64>, Array2<f64>) = jit(linalg::eig).call(&a).unwrap();
        let size = largest(&a) * n as f64;
        let unit = n as f64 * EPSILON;
        // Each expected one is found, each found one is expected.
        for k in 0..n {
            let away = |j: usize| (re[j] - numbers[k]).hypot(im[j] - numbers[n + k]);
            let nearest = (0..n).map(away).fold(f64::INFINITY, f64::min);
            assert!(nearest <= 32.0 * unit * size, "{name}: {nearest} of {size}");
        }
        let (left_re, left_im) = (a.dot(&x), a.dot(&y));
        let (right_re, right_im) = (&x * &re - &y * &im, &x * &im + &y * &re);
        assert!(worst(&left_re, &right_re) + worst(&left_im, &right_im) <= 4.0 * unit * size, "{name}");
        for (x, y) in x.columns().into_iter().zip(y.columns()) {
            let sizes: Vec<f64> = x.iter().zip(y).map(|(x, y)| x.hypot(*y)).collect();
            assert!((sizes.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() <= 8.0 * unit, "{name}");
            let leading = sizes.iter().position(|x| *x >= 0.5 * largest(&sizes)).unwrap();
            assert!(x[leading] > 0.0 && y[leading] == 0.0, "{name}");
        }
        let pairs = im.iter().position(|&y| y > 0.0).is_none_or(|k| im[k + 1] == -im[k] && re[k] == re[k + 1]);
        assert!(pairs, "{name}: {re} {im}");
    }
}

#[test]
fn polar_factors_equal_those_of_mpmath() {
    for Reference { name, a, numbers } in references("polar") {
        let (u, h): (Array2<f64>, Array2<f64>) = jit(linalg::polar).call(&a).unwrap();
        let expected = Array2::from_shape_vec(a.dim(), numbers).unwrap();
        assert!(worst(&u, &expected) < 1e-14, "{name}");
        assert!(worst(&u.dot(&h), &a) < 1e-14, "{name}");
        assert_eq!(h, h.t(), "{name}");
    }
}

#[test]
fn second_derivatives_of_spectral_sums_equal_those_of_mpmath() {
    for Reference { name, a, numbers } in references("spectral") {
        let n = a.nrows();
        let v = Array2::from_shape_fn((n, n), |(i, j)| (1.0 + (i + j) as f64).sin());
        let bend: Array2<f64> = jit(hvp(|a: Var| linalg::spectral_sum(a, |x| x.sin()))).call(&a, &v).unwrap();
        let expected = Array2::from_shape_vec((n, n), numbers).unwrap();
        assert!(worst(&bend, &expected) < 1e-12, "{name}: {}", worst(&bend, &expected));
    }
}

/// What is infinite or NaN gives NaN in its own matrix and leaves others alone; what does not count passes nothing on.
#[test]
fn matrices_that_are_not_finite() {
    let good = array![[2.0, 1.0], [1.0, 3.0]];
    // The logarithm makes a NaN and an infinity, which a graph expects there, not in its inputs.
    for bad in [-1.0, 0.0] {
        let mut stack = Array3::zeros((2, 2, 2));
        stack.slice_mut(s![0, .., ..]).assign(&good);
        stack.slice_mut(s![1, .., ..]).assign(&good);
        stack[[1, 0, 1]] = bad;
        let functions: [(&str, fn(Var) -> Var); 9] = [
            ("eigvalsh", linalg::eigvalsh),
            ("eigh", |a| linalg::eigh(a).1.sum_axes(&[1])),
            ("svd", |a| linalg::svd(a).0.sum_axes(&[1])),
            ("svdvals", linalg::svdvals),
            ("qr", |a| linalg::qr(a).0.sum_axes(&[1])),
            ("eig", |a| linalg::eig(a).2.sum_axes(&[1])),
            ("eigvals", |a| linalg::eigvals(a).0),
            ("pinv", |a| linalg::pinv(a, None).sum_axes(&[1])),
            ("null_space", |a| linalg::null_space(a, 1).sum_axes(&[1])),
        ];
        for (name, f) in functions {
            let f = move |b: Var| f(b.ln());
            let y: Array2<f64> = jit(f).call(&stack).unwrap();
            assert!(y.row(0).iter().all(|x| x.is_finite()), "{name}");
            assert!(y.row(1).iter().all(|x| x.is_nan()), "{name}: {y}");
            // The second matrix does not count.
            let first = move |b: Var| f(b).slice_axis(0, 0, 1, 1).square().sum();
            let slope: Array3<f64> = jit(grad(first)).call(&stack).unwrap();
            let alone: Array3<f64> = jit(grad(first)).call(stack.slice(s![..1, .., ..]).to_owned()).unwrap();
            assert!(slope.index_axis(Axis(0), 1).iter().all(|&x| x == 0.0), "{name}: {slope}");
            let error = worst(&slope.index_axis(Axis(0), 0).to_owned(), &alone.index_axis(Axis(0), 0).to_owned());
            assert!(error < 1e-12, "{name}");
        }
    }
    let with_infinity: Array1<f64> = jit(linalg::eigvalsh).call(array![[f64::INFINITY, 0.0], [0.0, 1.0]]).unwrap();
    assert!(with_infinity.iter().all(|x| x.is_nan()));
    let function: Array2<f64> =
        jit(|a: Var| linalg::funm_symmetric(a, |x| x.exp())).call(array![[f64::NAN, 0.0], [0.0, 1.0]]).unwrap();
    assert!(function.iter().all(|x| x.is_nan()));
}

#[test]
fn empty_and_single_matrices() {
    let none = Array2::<f64>::zeros((0, 0));
    let (w, v): (Array1<f64>, Array2<f64>) = jit(linalg::eigh).call(&none).unwrap();
    assert_eq!((w.len(), v.dim()), (0, (0, 0)));
    let (u, s, vt): (Array2<f64>, Array1<f64>, Array2<f64>) =
        jit(linalg::svd).call(Array2::<f64>::zeros((3, 0))).unwrap();
    assert_eq!((u.dim(), s.len(), vt.dim()), ((3, 0), 0, (0, 0)));
    let (q, r): (Array2<f64>, Array2<f64>) = jit(linalg::qr).call(Array2::<f64>::zeros((0, 3))).unwrap();
    assert_eq!((q.dim(), r.dim()), ((0, 0), (0, 3)));
    let (re, _, x, _): (Array1<f64>, Array1<f64>, Array2<f64>, Array2<f64>) = jit(linalg::eig).call(&none).unwrap();
    assert_eq!((re.len(), x.dim()), (0, (0, 0)));
    let p: Array2<f64> = jit(|a: Var| linalg::pinv(a, None)).call(Array2::<f64>::zeros((2, 0))).unwrap();
    assert_eq!(p.dim(), (0, 2));
    // Gradients of nothing.
    for f in [|a: Var| linalg::eigh(a).1.sum(), |a: Var| linalg::svd(a).0.sum(), |a: Var| linalg::eig(a).2.sum()] {
        let slope: Array2<f64> = jit(grad(f)).call(&none).unwrap();
        assert_eq!(slope.dim(), (0, 0));
    }
    let no_matrices: Array2<f64> = jit(linalg::eigvalsh).call(Array3::<f64>::zeros((0, 5, 5))).unwrap();
    assert_eq!(no_matrices.dim(), (0, 5));
    let slope: Array2<f64> = jit(grad(|a: Var| linalg::eigvalsh(a).sum())).call(array![[-3.0]]).unwrap();
    assert_eq!(slope, array![[1.0]]);
}

#[test]
fn single_precision() {
    let a = with_eigenvalues(&[1.0, -2.0, 3.0, 0.5]);
    let narrow = a.mapv(|x| x as f32);
    let w: Array1<f32> = jit(linalg::eigvalsh).call(&narrow).unwrap();
    assert!(w.iter().zip([-2.0, 0.5, 1.0, 3.0]).all(|(x, y)| (x - y).abs() < 4e-6));
    let s: Array1<f32> = jit(linalg::svdvals).call(&narrow).unwrap();
    assert!(s.iter().zip([3.0, 2.0, 1.0, 0.5]).all(|(x, y)| (x - y).abs() < 4e-6));
    let bend: Array2<f32> = jit(hvp(|a: Var| linalg::spectral_sum(a, |x| x.powi(3))))
        .call(Array2::<f32>::eye(3), Array2::<f32>::ones((3, 3)))
        .unwrap();
    assert!(bend.iter().all(|x| (x - 6.0).abs() < 1e-4), "{bend}");
}

/// Beyond the extents at which faer takes other algorithms.
#[test]
fn large_matrices() {
    for n in [127, 128, 150] {
        let a = Array2::from_shape_fn((n, n), |(i, j)| ((7 * i * i + 3 * j + i * j) as f64).sin());
        let symmetric = (&a + &a.t()) * 0.5;
        let unit = n as f64 * EPSILON;
        let (w, v): (Array1<f64>, Array2<f64>) = jit(linalg::eigh).call(&symmetric).unwrap();
        assert!(worst(&symmetric.dot(&v), &(&v * &w)) <= unit * largest(&w), "{n}");
        assert!(w.windows(2).into_iter().all(|w| w[0] <= w[1]));
        assert_orthonormal(&v, "large");
        let (u, s, vt): (Array2<f64>, Array1<f64>, Array2<f64>) = jit(linalg::svd).call(&a).unwrap();
        assert!(worst(&(&u * &s).dot(&vt), &a) <= unit * s[0], "{n}");
        assert_orthonormal(&u, "large");
        let (q, r): (Array2<f64>, Array2<f64>) = jit(linalg::qr).call(&a).unwrap();
        assert!(worst(&q.dot(&r), &a) <= unit * s[0], "{n}");
        assert!(r.diag().iter().all(|&x| x >= 0.0));
        let (re, im, x, y): (Array1<f64>, Array1<f64>, Array2<f64>, Array2<f64>) = jit(linalg::eig).call(&a).unwrap();
        assert!(worst(&a.dot(&x), &(&x * &re - &y * &im)) <= 4.0 * unit * s[0], "{n}");
        let (h, q): (Array2<f64>, Array2<f64>) = jit(linalg::hessenberg).call(&a).unwrap();
        assert!(worst(&q.dot(&h).dot(&q.t()), &a) <= unit * s[0], "{n}");
        assert!((1..n).all(|i| h[[i, i - 1]] >= 0.0 && h.row(i).iter().take(i - 1).all(|&x| x == 0.0)));
    }
}

#[test]
fn rows_of_a_map_are_those_of_a_stack() {
    let stack = Array3::from_shape_fn((4, 3, 3), |(b, i, j)| ((5 * b + 3 * i * i + 2 * j) as f64).sin());
    let f = |a: Var| {
        let (w, v) = linalg::eigh(a);
        let (u, s, vt) = linalg::svd(a);
        let (q, r) = linalg::qr(a);
        let (re, im) = linalg::eigvals(a);
        w.sum() + (v * v * v).sum() + u.sum() * s.sum() + vt.sum() + q.sum() + r.sin().sum() + (re * im * im).sum()
    };
    let values: Array1<f64> = jit(vmap(f)).call(&stack).unwrap();
    let slopes: Array3<f64> = jit(vmap(grad(f))).call(&stack).unwrap();
    for (k, a) in stack.outer_iter().enumerate() {
        let (value, slope): (f64, Array2<f64>) = jit(value_and_grad(f)).call(a.to_owned()).unwrap();
        assert!((values[k] - value).abs() < 1e-12);
        assert!(worst(&slopes.index_axis(Axis(0), k).to_owned(), &slope) < 1e-10);
    }
}

/// The pseudoinverse of an invertible matrix is its inverse, also in second order, and at equal singular values.
#[test]
fn pseudoinverses_have_derivatives_whatever_the_singular_values_are() {
    let (turned, c, v) = (linalg_rotation(4), direction(4, 0.8), direction(4, 2.1));
    for a in [turned.clone(), turned.dot(&Array2::from_diag(&array![1.0, 2.0, 2.0, 5.0]))] {
        let by = |inverse: fn(Var) -> Var| move |a: Var, c: Var| (inverse(a) * c).square().sum();
        let pseudo = by(|a| linalg::pinv(a, None));
        let plain = by(linalg::inv);
        let [got, expected] = [jit(grad(pseudo)).call(&a, &c), jit(grad(plain)).call(&a, &c)].map(Result::unwrap);
        let (got, expected): (Array2<f64>, Array2<f64>) = (got, expected);
        assert!(worst(&got, &expected) < 1e-12, "{got} {expected}");
        let got: Array2<f64> = jit(hvp(pseudo)).call(&a, &c, &v).unwrap();
        let expected: Array2<f64> = jit(hvp(plain)).call(&a, &c, &v).unwrap();
        assert!(worst(&got, &expected) < 1e-11, "{got} {expected}");
    }
}

fn linalg_rotation(n: usize) -> Array2<f64> {
    let a = Array2::from_shape_fn((n, n), |(i, j)| (1.0 + (3 * i * i + 5 * j) as f64).sin());
    jit(linalg::qr).call::<(Array2<f64>, Array2<f64>)>(&a).unwrap().0
}

/// A matrix of rank 2, moved within those of rank 2: differences tell the derivatives of the pseudoinverse and of the space
/// that is taken to zero.
#[test]
fn derivatives_at_constant_rank_equal_differences() {
    let factor = |seed: f64| Array2::from_shape_fn((5, 2), |(i, j)| (seed + (3 * i * i + 7 * j) as f64).sin());
    let (b, c, db, dc) = (factor(0.1), factor(1.2), factor(2.3), factor(3.4));
    let at = |h: f64| (&b + h * &db).dot(&(&c + h * &dc).t());
    let tangent = db.dot(&c.t()) + b.dot(&dc.t());
    let pinv = |a: Var| linalg::pinv(a, 1e-10);
    let projector = |a: Var| {
        let n = linalg::null_space(a, 2);
        n.matmul(n.t())
    };
    let rank: i64 = jit(|a: Var| linalg::matrix_rank(a, None)).call(at(0.0)).unwrap();
    assert_eq!(rank, 2);
    for f in [pinv as fn(Var) -> Var, projector] {
        let difference = |h: f64| {
            let [more, less] = [h, -h].map(|h| jit(f).call::<Array2<f64>>(at(h)).unwrap());
            (more - less) / (2.0 * h)
        };
        let expected = (4.0 * difference(5e-4) - difference(1e-3)) / 3.0;
        let (_, got): (Array2<f64>, Array2<f64>) = jit(jvp(f)).call(at(0.0), &tangent).unwrap();
        assert!(worst(&got, &expected) < 1e-8 * largest(&expected).max(1.0), "{got} {expected}");
        // ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩.
        let ct = Array2::from_shape_fn((5, 5), |(i, j)| (0.3 + (i * i + 2 * j) as f64).cos());
        let loss = move |a: Var, ct: Var| (f(a) * ct).sum();
        let slope: Array2<f64> = jit(grad(loss)).call(at(0.0), &ct).unwrap();
        assert!(((&ct * &got).sum() - (&slope * &tangent).sum()).abs() < 1e-11 * largest(&slope).max(1.0));
    }
    let p: Array2<f64> = jit(pinv).call(at(0.0)).unwrap();
    assert!(worst(&at(0.0).dot(&p).dot(&at(0.0)), &at(0.0)) < 1e-13);
}

/// Functions of repeated singular values, and of singular values that are 0.
#[test]
fn degenerate_singular_values() {
    let turned = linalg_rotation(3);
    // Σ s² is the sum of squares of the elements, Σ s the nuclear norm, whose gradient is the polar factor.
    for s in [[2.0, 2.0, 2.0], [2.0, 2.0, 1.0], [1.0, 1.0, 0.0]] {
        let a = turned.dot(&Array2::from_diag(&Array1::from(s.to_vec())));
        let slope: Array2<f64> = jit(grad(|a: Var| linalg::svdvals(a).square().sum())).call(&a).unwrap();
        assert!(worst(&slope, &(2.0 * &a)) < 1e-14, "{s:?}");
    }
    let slope: Array2<f64> = jit(grad(|a: Var| linalg::svdvals(a).sum())).call(&turned).unwrap();
    assert!(worst(&slope, &turned) < 1e-14);
    // The polar factor at equal singular values: at a matrix Q the derivative along Q·V is Q times the skew part of V.
    let v = array![[0.0, 1.0, 2.0], [3.0, 0.5, -1.0], [0.3, 0.2, 0.1]];
    let (_, moved): (Array2<f64>, Array2<f64>) =
        jit(jvp(|a: Var| linalg::polar(a).0)).call(&turned, turned.dot(&v)).unwrap();
    let expected = turned.dot(&((&v - &v.t()) * 0.5));
    assert!(worst(&moved, &expected) < 1e-14, "{moved} {expected}");
    // All zeros: nothing flows.
    let zero: Array2<f64> =
        jit(grad(|a: Var| linalg::matrix_norm(a, MatrixNorm::Nuclear))).call(Array2::<f64>::zeros((2, 3))).unwrap();
    assert!(zero.iter().all(|&x| x == 0.0));
}

/// The vectors of equal eigenvalues have no derivative, but nothing is infinite or NaN.
#[test]
fn vectors_of_equal_eigenvalues_have_finite_derivatives() {
    for f in [
        |a: Var| linalg::eigh(a).1.index_axis(0, 0).index(1),
        |a: Var| linalg::svd(a).0.index_axis(0, 0).index(1),
        |a: Var| linalg::eig(a).2.index_axis(0, 0).index(1),
    ] {
        let slope: Array2<f64> = jit(grad(f)).call(Array2::<f64>::eye(3)).unwrap();
        assert!(slope.iter().all(|x| x.is_finite()), "{slope}");
    }
}

#[test]
fn defective_matrices_have_no_derivative() {
    let a = array![[1.0, 1.0], [0.0, 1.0]];
    let (re, im): (Array1<f64>, Array1<f64>) = jit(linalg::eigvals).call(&a).unwrap();
    assert_eq!((re, im), (array![1.0, 1.0], array![0.0, 0.0]));
    let slope: Array2<f64> = jit(grad(|a: Var| linalg::eigvals(a).0.at(0))).call(&a).unwrap();
    assert!(slope.iter().any(|x| x.is_nan()), "{slope}");
}

#[test]
fn norms_and_conditions() {
    let a = array![[3.0, 0.0], [1.0, -4.0]];
    let norm = |kind: MatrixNorm| jit(move |a: Var| linalg::matrix_norm(a, kind)).call::<f64>(&a).unwrap();
    let cond = |kind: MatrixNorm| jit(move |a: Var| linalg::cond(a, kind)).call::<f64>(&a).unwrap();
    // NumPy's numbers.
    let expected = [
        (MatrixNorm::Frobenius, 5.0990195135927845, 2.1666666666666665),
        (MatrixNorm::Nuclear, 7.0710678118654755, 4.166666666666667),
        (MatrixNorm::Spectral, 4.2426406871192865, 1.5000000000000002),
        (MatrixNorm::LeastSingular, 2.8284271247461894, 0.6666666666666665),
        (MatrixNorm::One, 4.0, 1.6666666666666665),
        (MatrixNorm::LeastColumn, 4.0, 1.0),
        (MatrixNorm::Infinity, 5.0, 1.6666666666666665),
        (MatrixNorm::LeastRow, 3.0, 1.0),
    ];
    for (kind, of_norm, of_cond) in expected {
        assert!((norm(kind) - of_norm).abs() < 1e-14, "{kind:?}: {}", norm(kind));
        assert!((cond(kind) - of_cond).abs() < 1e-14, "{kind:?}: {}", cond(kind));
    }
    for kind in expected.map(|(kind, ..)| kind) {
        let singular: f64 = jit(move |a: Var| linalg::cond(a, kind)).call(array![[1.0, 2.0], [2.0, 4.0]]).unwrap();
        assert!(singular > 1e15 || kind == MatrixNorm::LeastSingular && singular < 1e-15, "{kind:?}: {singular}");
    }
}

#[test]
fn wrong_shapes_are_errors_at_the_callers_line() {
    let message =
        |f: fn(Var) -> Var, shape: &[usize]| trace(f, (Type::new(DType::F64, shape),)).unwrap_err().to_string();
    let line = message(linalg::eigvalsh, &[2, 3]);
    assert!(line.starts_with("eigvalsh: takes square matrices, but got f64[2,3]"), "{line}");
    let line = message(|a| linalg::svd(a).0, &[3]);
    assert!(line.starts_with("svd: takes matrices") && line.contains("tests/linalg_spectra.rs"), "{line}");
    let line = message(|a| linalg::orth(a, 3), &[2, 5]);
    assert!(line.contains("the rank must be 2 or less, but got 3"), "{line}");
    let line = message(|a| linalg::null_space(a, 3), &[2, 5]);
    assert!(line.contains("the rank must be 2 or less, but got 3"), "{line}");
    let line = message(|a| linalg::matrix_norm(a, MatrixNorm::One), &[0, 5]);
    assert!(line.contains("takes matrices with rows and columns"), "{line}");
    assert!(!message(|a| linalg::eig(a).0, &[4, 4, 5]).is_empty());
}

/// All results of a decomposition have power series.
#[test]
fn power_series_equal_nested_derivatives() {
    let functions: [fn(Var) -> Var; 4] = [
        |a| {
            let (w, v) = linalg::eigh(a);
            (w.sin() * v.powi(3).sum_axes(&[0])).sum()
        },
        |a| {
            let (u, s, vt) = linalg::svd(a);
            (u.sum_axes(&[0]) * s.sqrt() * vt.sum_axes(&[1])).sum()
        },
        |a| {
            let (q, r) = linalg::qr(a);
            (q.sin() * r.cos()).sum()
        },
        |a| linalg::spectral_sum(a, |x| x.sin()),
    ];
    let a = array![[3.0, 0.4, 0.2], [0.1, -2.0, 0.7], [0.9, 0.3, 1.0]];
    let v = direction(3, 0.4);
    for f in functions {
        let first = move |a: Var, v: Var| jvp(f).call(a, v).1;
        let second = move |a: Var, v: Var| jvp(move |a: Var| first(a, v)).call(a, v).1;
        let third = move |a: Var, v: Var| jvp(move |a: Var| second(a, v)).call(a, v).1;
        let series: Vec<f64> = jit(taylor(f, 3).derivatives()).call(&a, &v).unwrap();
        let nested = [jit(first).call::<f64>(&a, &v), jit(second).call(&a, &v), jit(third).call(&a, &v)];
        for (got, expected) in series[1..].iter().zip(nested) {
            let expected = expected.unwrap();
            assert!((got - expected).abs() <= 1e-10 * expected.abs().max(1.0), "{got} {expected}");
        }
    }
}

/// A program for a matrix that no memory holds is an error or waits for its operand; it does not end the process.
#[test]
fn matrices_beyond_memory_are_no_panic() {
    for extent in [1_000_000, 1 << 29] {
        let ty = Type::new(DType::F64, [extent, extent]);
        for f in [linalg::eigvalsh as fn(Var) -> Var, linalg::svdvals, |a| linalg::qr(a).1, |a| linalg::pinv(a, None)] {
            if let Ok(graph) = trace(f, (ty.clone(),)) {
                drop(Program::compile(&graph));
            }
        }
    }
    // Many small ones.
    let stack = Array3::from_shape_fn((100_000, 2, 2), |(b, i, j)| if i == j { b as f64 } else { 1.0 });
    let w: Array2<f64> = jit(linalg::eigvalsh).call(&stack).unwrap();
    assert!((w[[5, 0]] - 4.0).abs() < 1e-14 && (w[[99_999, 1]] - 100_000.0).abs() < 1e-9);
}

/// Beyond the derivatives that are exact at repeated eigenvalues there is NaN, in both modes, never a number.
#[test]
fn what_divided_differences_do_not_give_is_nan() {
    let weights = || Var::constant(retrograd::value::Array::from_ndarray(array![[0.3, 0.7], [0.7, -0.4]].into_dyn()));
    let f = move |a: Var| (linalg::funm_symmetric(a, |x| x * x * x) * weights()).sum();
    let cubed = move |a: Var| (a.dot(a).dot(a) * weights()).sum();
    let direction = array![[1.0, 2.0], [2.0, -1.0]];
    let apart = array![[1.0, 0.2], [0.2, 2.0]];
    let own: Array2<f64> = jit(retrograd::hvp(f)).call(&apart, &direction).unwrap();
    let expected: Array2<f64> = jit(retrograd::hvp(cubed)).call(&apart, &direction).unwrap();
    let symmetric = (&expected + &expected.t()) / 2.0;
    assert!((own - symmetric).iter().all(|x| x.abs() < 1e-12));
    let unit = Array2::<f64>::eye(2);
    let slope: Array2<f64> = jit(grad(f)).call(&unit).unwrap();
    let expected: Array2<f64> = jit(grad(cubed)).call(&unit).unwrap();
    assert!((slope - expected).iter().all(|x| x.abs() < 1e-14));
    let forward: Array2<f64> = jit(retrograd::hvp(f)).call(&unit, &direction).unwrap();
    assert!(forward.iter().any(|x| x.is_nan()), "{forward}");
    let reverse = move |a: Var, v: Var| grad(move |a: Var, v: Var| (grad(f).call(a) * v).sum()).call(a, v);
    let reverse: Array2<f64> = jit(reverse).call(&unit, &direction).unwrap();
    assert!(reverse.iter().any(|x| x.is_nan()), "{reverse}");
}

/// A finite matrix may have results that are infinite. What is exactly 0 flows through them as 0, wherever the graph knows
/// no more of the matrix than that its elements are finite.
#[test]
fn zeros_pass_nothing_through_results_that_overflow() {
    let huge = Array2::from_shape_fn((3, 3), |(i, j)| if (i + j) % 2 == 0 { 1.7e308 } else { 1.6e308 });
    let tiny = Array2::from_diag(&array![1e-310, 2e-310, 3e-310]);
    type Function = fn(Var) -> Var;
    let functions: [(&str, Function); 6] = [
        ("eigh", |a| {
            let (w, v) = linalg::eigh(a);
            w.sum() + v.sum()
        }),
        ("svd", |a| {
            let (u, s, vt) = linalg::svd(a);
            u.sum() + s.sum() + vt.sum()
        }),
        ("qr", |a| {
            let (q, r) = linalg::qr(a);
            q.sum() + r.sum()
        }),
        ("eig", |a| {
            let (re, im, v_re, v_im) = linalg::eig(a);
            re.sum() + im.sum() + v_re.sum() + v_im.sum()
        }),
        ("pinv", |a| linalg::pinv(a, None).sum()),
        ("null_space", |a| linalg::null_space(a, 1).sum()),
    ];
    // Numbers that an operation made are known to be finite, as those of an input are not.
    let finite = |a: Var| a.is_finite().select(a, 0.0);
    let known = |scale: f64| (Var::iota(&[3, 3], 0, DType::F64) - Var::iota(&[3, 3], 1, DType::F64)).sin() * scale;
    for (name, f) in functions {
        for a in [&huge, &tiny] {
            let chosen = move |a: Var| a.at(0).at(0).greater(-1.0).select(a.sum(), f(finite(a)));
            let slope: Array2<f64> = jit(grad(chosen)).call(a).unwrap();
            assert_eq!(slope, Array2::<f64>::ones((3, 3)), "{name}: {a}");
        }
        // By a factor of a matrix that the graph knows.
        let scaled = move |x: Var| x.less(2.0).select(x, f(known(1.7e308) * x.sin()));
        assert_eq!(jit(grad(scaled)).call::<f64>(1.5).unwrap(), 1.0, "{name}");
    }
}
