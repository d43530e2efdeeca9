//! Solutions, determinants and factors against mpmath: values, first and second derivatives; backward errors.

use ndarray::{Array1, Array2};
use retrograd::{Var, grad, hvp, jit, jvp, linalg};
use serde_json::Value as Json;

fn cases() -> Vec<Json> {
    let text = include_str!("data/linalg/systems.json");
    serde_json::from_str(text).expect("a file of this project")
}

fn vector(x: &Json) -> Array1<f64> {
    x.as_array().expect("a vector").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn matrix(x: &Json) -> Array2<f64> {
    let rows: Vec<Array1<f64>> = x.as_array().expect("a matrix").iter().map(vector).collect();
    let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
    ndarray::stack(ndarray::Axis(0), &views).expect("rows of one length")
}

type Function = fn(Var, Var, Var) -> Var;

/// A function of a matrix and what else it takes, as the reference has it.
fn function(name: &str, is_positive: bool) -> Function {
    match (name, is_positive) {
        ("solve", false) => |a, b, c| linalg::solve(a, b).dot(c),
        ("solve", true) => |a, b, c| linalg::solve_positive(a, b).dot(c),
        ("log_determinant", false) => |a, _, _| linalg::slogdet(a).1,
        ("log_determinant", true) => |a, _, _| linalg::logdet(a),
        ("cholesky", true) => |a, big, _| (linalg::cholesky(a) * big).sum(),
        other => panic!("no function {other:?}"),
    }
}

/// Values and both derivatives, in both modes. Rounding moves the elements of a matrix of condition κ by some units in the last
/// place times its extent, which moves each of these by κ times that, relative to it.
#[test]
fn values_and_derivatives_are_those_of_mpmath() {
    let mut n_checked = 0;
    for case in cases() {
        let (a, e, f) = (matrix(&case["a"]), matrix(&case["e"]), matrix(&case["f"]));
        let name = case["name"].as_str().unwrap();
        // What scales rows and columns alike does not count.
        let condition = if name.contains("graded") { 5.0 } else { case["condition"].as_f64().unwrap() };
        for (key, expected) in case["functions"].as_object().unwrap() {
            let of = function(key, case["positive"].as_bool().unwrap());
            let b = if key == "cholesky" { matrix(&case["big"]).into_dyn() } else { vector(&case["b"]).into_dyn() };
            let c = vector(&case["c"]);
            let value: f64 = jit(of).call(&a, &b, &c).unwrap();
            let slope: Array2<f64> = jit(grad(of)).call(&a, &b, &c).unwrap();
            let (_, tangent): (f64, f64) = jit(jvp(of)).call(&a, &b, &c, &e).unwrap();
            let bend: Array2<f64> = jit(hvp(of)).call(&a, &b, &c, &e).unwrap();
            let expected = vector(expected);
            let unit = condition * f64::EPSILON * a.nrows() as f64;
            for (got, order) in [(value, 0), ((&slope * &e).sum(), 1), (tangent, 1), ((&bend * &f).sum(), 2)] {
                let bound = 4.0 * unit * expected[order].abs();
                assert!(
                    (got - expected[order]).abs() <= bound,
                    "{name}, {key}, order {order}: {got} for {}",
                    expected[order]
                );
                n_checked += 1;
            }
        }
    }
    assert!(n_checked > 200, "{n_checked}");
}
