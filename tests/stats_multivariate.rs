//! Distributions of vectors and matrices: SciPy's values, JAX's samples, derivatives against differences, what is outside.

mod common;

use common::Random;
use ndarray::{Array1, Array2, Array3, array};
use retrograd::transform::AllArgs;
use retrograd::value::{DType, Type};
use retrograd::{Var, grad, jit, random, stats, vmap};
use serde_json::Value as Json;

fn cases(family: &str) -> Vec<Json> {
    let text = include_str!("data/stats/multivariate.json");
    let all: Json = serde_json::from_str(text).expect("a file of this project");
    all[family].as_array().expect("cases").clone()
}

fn vector(x: &Json) -> Array1<f64> {
    x.as_array().expect("a vector").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn matrix(x: &Json) -> Array2<f64> {
    let rows: Vec<Array1<f64>> = x.as_array().expect("a matrix").iter().map(vector).collect();
    let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
    ndarray::stack(ndarray::Axis(0), &views).expect("rows of one length")
}

fn near(x: f64, y: f64) -> bool {
    (x - y).abs() <= 1e-12 * (1.0 + y.abs())
}

#[test]
fn values_are_those_of_scipy() {
    let normal = jit(|x: Var, m: Var, c: Var| stats::multivariate_normal::log_pdf(x, m, c));
    for case in cases("normal") {
        let y: f64 = normal.call(vector(&case["x"]), vector(&case["mean"]), matrix(&case["cov"])).unwrap();
        assert!(near(y, case["y"].as_f64().unwrap()), "{y}: {case}");
    }
    let wishart = jit(|x: Var, df: Var, v: Var| stats::wishart::log_pdf(x, df, v));
    for case in cases("wishart") {
        let df = case["df"].as_f64().unwrap();
        let y: f64 = wishart.call(matrix(&case["x"]), df, matrix(&case["scale"])).unwrap();
        assert!(near(y, case["y"].as_f64().unwrap()), "{y}: {case}");
    }
    let lkj = jit(|r: Var, eta: Var| stats::lkj::log_pdf(r, eta));
    for case in cases("lkj") {
        let y: f64 = lkj.call(matrix(&case["r"]), case["eta"].as_f64().unwrap()).unwrap();
        assert!(near(y, case["y"].as_f64().unwrap()), "{y}: {case}");
    }
}

#[test]
fn samples_are_those_of_jax() {
    for case in cases("sample") {
        let draw = jit(|m: Var, c: Var| random::multivariate_normal(random::key(5), m, c, [4]));
        let x: Array2<f64> = draw.call(vector(&case["mean"]), matrix(&case["cov"])).unwrap();
        let expected = matrix(&case["y"]);
        assert!(x.iter().zip(&expected).all(|(&x, &y)| near(x, y)), "{x}\n{expected}");
    }
}

/// The density by the factor is that by the matrix times the determinant of the derivative of `L Lᵀ` below the diagonal, which
/// is Π Lᵢᵢ^(n-i).
#[test]
fn densities_of_factors_are_those_of_matrices() {
    let f = jit(|r: Var| {
        let l = retrograd::linalg::cholesky(r);
        (stats::lkj::log_pdf(r, 2.3), stats::lkj::log_pdf_of_factor(l, 2.3), l)
    });
    for case in cases("lkj") {
        let (by_matrix, by_factor, l): (f64, f64, Array2<f64>) = f.call(matrix(&case["r"])).unwrap();
        let n = l.nrows();
        let jacobian: f64 = (0..n).map(|i| (n - 1 - i) as f64 * l[[i, i]].ln()).sum();
        assert!(near(by_factor, by_matrix + jacobian), "{by_factor} {by_matrix} {jacobian}");
    }
}

#[test]
fn derivatives_equal_differences() {
    let mut numbers = Random(3);
    for case in cases("normal").into_iter().take(5) {
        let (x, mean, cov) = (vector(&case["x"]), vector(&case["mean"]), matrix(&case["cov"]));
        let f = |x: Var, m: Var, c: Var| stats::multivariate_normal::log_pdf(x, m, c);
        let (of_x, of_mean, of_cov): (Array1<f64>, Array1<f64>, Array2<f64>) =
            jit(grad(f).wrt(AllArgs)).call(&x, &mean, &cov).unwrap();
        let (dx, dm) = (x.mapv(|_| numbers.range(-1.0, 1.0)), mean.mapv(|_| numbers.range(-1.0, 1.0)));
        let dc = cov.mapv(|_| numbers.range(-1.0, 1.0));
        let value = jit(f);
        let h = 1e-5;
        let at = |h: f64| value.call::<f64>(&x + &(&dx * h), &mean + &(&dm * h), &cov + &(&dc * h)).unwrap();
        let difference = (at(h) - at(-h)) / (2.0 * h);
        let slope = of_x.dot(&dx) + of_mean.dot(&dm) + (&of_cov * &dc).sum();
        assert!((slope - difference).abs() < 1e-7 * (1.0 + difference.abs()), "{slope} {difference}");
    }
}

#[test]
fn vectors_and_covariances_broadcast() {
    let (x, mean) = (array![[1.0, 0.5], [0.0, 2.0], [-1.0, 1.0]], array![0.1, 0.2]);
    let cov = array![[2.0, 0.6], [0.6, 1.0]];
    let f = |x: Var, m: Var, c: Var| stats::multivariate_normal::log_pdf(x, m, c);
    let together: Array1<f64> = jit(f).call(&x, &mean, &cov).unwrap();
    let each: Vec<f64> = x.rows().into_iter().map(|x| jit(f).call(x, &mean, &cov).unwrap()).collect();
    assert!(together.iter().zip(&each).all(|(&x, &y)| near(x, y)), "{together} {each:?}");
    let covs: Array3<f64> = ndarray::stack![ndarray::Axis(0), cov, &cov * 2.0, &cov * 3.0];
    let of_each: Array1<f64> = jit(f).call(&x, &mean, &covs).unwrap();
    let rows: Array1<f64> = jit(move |x: Var, m: Var, c: Var| vmap(move |x: Var, c: Var| f(x, m, c)).call(x, c))
        .call(&x, &mean, &covs)
        .unwrap();
    assert!(of_each.iter().zip(&rows).all(|(&x, &y)| near(x, y)), "{of_each} {rows}");
    assert!(near(of_each[0], each[0]));
}

#[test]
fn what_is_no_distribution_is_nan_and_what_is_outside_has_no_density() {
    let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
    let unit = Array2::<f64>::eye(2);
    let normal = jit(|c: Var| stats::multivariate_normal::log_pdf(Var::zeros(&[2]), Var::zeros(&[2]), c));
    assert!(normal.call::<f64>(&indefinite).unwrap().is_nan());
    let wishart = |x: Var, df: Var, v: Var| stats::wishart::log_pdf(x, df, v);
    let value = jit(wishart);
    assert_eq!(value.call::<f64>(&indefinite, 3.0, &unit).unwrap(), f64::NEG_INFINITY);
    assert!(value.call::<f64>(&unit, 1.0, &unit).unwrap().is_nan());
    assert!(value.call::<f64>(&unit, 3.0, &indefinite).unwrap().is_nan());
    assert!(value.call::<f64>(&unit * f64::NAN, 3.0, &unit).unwrap().is_nan());
    let slope: Array2<f64> = jit(grad(wishart)).call(&indefinite, 3.0, &unit).unwrap();
    assert_eq!(slope, Array2::<f64>::zeros((2, 2)));
    let lkj = jit(|r: Var, eta: Var| stats::lkj::log_pdf(r, eta));
    assert_eq!(lkj.call::<f64>(&indefinite, 2.0).unwrap(), f64::NEG_INFINITY);
    assert!(lkj.call::<f64>(&unit, 0.0).unwrap().is_nan());
    let shapes = [Type::new(DType::F64, [3]), Type::new(DType::F64, [2]), Type::new(DType::F64, [2, 2])];
    let [x, m, c] = shapes;
    let error = retrograd::trace(|x: Var, m: Var, c: Var| stats::multivariate_normal::log_pdf(x, m, c), (x, m, c));
    assert!(error.unwrap_err().to_string().contains("one extent"));
}
