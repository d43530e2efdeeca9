//! Spectra: eigenvalues, singular values, orthogonal factors.

use ndarray::{Array1, Array2, array};
use retrograd::optimize::optimize;
use retrograd::value::{DType, Type};
use retrograd::{Graph, Var, grad, hvp, jit, linalg, trace, value_and_grad};

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
    assert_eq!(n_applied(&graph, "eigh"), 1, "{}", retrograd::optimize::compiled_form(&optimize(&graph).unwrap()).unwrap());
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
    for w in [vec![1.0; 4], vec![2.0, 2.0, -1.0, -1.0], vec![0.0, 0.0, 0.0, 1.0], vec![1.0, 1.0 + 1e-9, 1.0 - 1e-13, 3.0]] {
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
    let _ = array![0.0];
}
