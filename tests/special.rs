//! Special functions that are compositions of others against mpmath, and the values of special functions at edges against
//! SciPy's: `tests/data/special.csv`, which `special.py` writes.

use ndarray::{Array1, array};
use retrograd::{Error, Var, grad, jit};

struct Row {
    name: &'static str,
    x: f64,
    y: Option<f64>,
    /// The value, the derivative and the second derivative, as far as they are stated.
    exact: Vec<f64>,
}

fn rows() -> impl Iterator<Item = Row> {
    include_str!("data/special.csv").lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |cell: &&str| cell.parse().ok();
        let exact = cells[3..].iter().filter_map(number).collect();
        Row { name: cells[0], x: number(&cells[1]).expect("a number"), y: number(&cells[2]), exact }
    })
}

fn of_one(name: &str, x: Var) -> Var {
    match name {
        "erfc_inv" => x.erfc_inv(),
        "log_sigmoid" => x.log_sigmoid(),
        "multigammaln_1" => x.multigammaln(1),
        "multigammaln_2" => x.multigammaln(2),
        "multigammaln_3" => x.multigammaln(3),
        "multigammaln_7" => x.multigammaln(7),
        "multigammaln_40" => x.multigammaln(40),
        "gammasgn" => x.gammasgn(),
        "exp1" => x.exp1(),
        "expi" => x.expi(),
        "spence" => x.spence(),
        "rgamma" => x.rgamma(),
        other => panic!("{other}"),
    }
}

fn of_two(name: &str, x: Var, y: Var) -> Var {
    match name {
        "rel_entr" => x.rel_entr(y),
        "kl_div" => x.kl_div(y),
        "zeta" => x.zeta(y),
        other => panic!("{other}"),
    }
}

/// The largest relative error of each function and of its derivatives. The terms of the multivariate gamma function have
/// both signs.
fn tolerance(name: &str) -> f64 {
    if name.starts_with("multigammaln") { 4e-14 } else { 2e-15 }
}

#[test]
fn compositions_and_their_derivatives_are_those_of_mpmath() {
    let mut n_rows = 0;
    for Row { name, x, exact, .. } in rows().filter(|row| row.exact.len() == 3) {
        let f = move |x: Var| of_one(name, x);
        let found: [f64; 3] =
            [jit(f).call(x).unwrap(), jit(grad(f)).call(x).unwrap(), jit(grad(grad(f))).call(x).unwrap()];
        for (order, (found, exact)) in found.into_iter().zip(exact).enumerate() {
            let agree = found == exact || (found - exact).abs() <= tolerance(name) * exact.abs();
            assert!(agree, "{name}({x:e}), order {order}: {found:e}, not {exact:e}");
        }
        n_rows += 1;
    }
    assert!(n_rows > 50);
}

#[test]
fn values_at_edges_are_those_of_scipy() {
    let mut n_rows = 0;
    for Row { name, x, y, exact } in rows().filter(|row| row.exact.len() == 1) {
        let found: f64 = match y {
            None => jit(move |x: Var| of_one(name, x)).call(x).unwrap(),
            Some(y) => jit(move |x: Var, y: Var| of_two(name, x, y)).call(x, y).unwrap(),
        };
        let expected = other_than_scipy(name, x, y).unwrap_or(exact[0]);
        let agree = found == expected || found.is_nan() && expected.is_nan();
        let close = (found - expected).abs() <= 1e-13 * expected.abs();
        assert!(agree || expected.is_finite() && close, "{name}({x}, {y:?}): {found:e}, not {expected:e}");
        n_rows += 1;
    }
    assert!(n_rows > 500);
}

/// The limits, where SciPy's result is an accident of its formula.
fn other_than_scipy(name: &str, x: f64, y: Option<f64>) -> Option<f64> {
    let (infinity, y) = (f64::INFINITY, y.unwrap_or(f64::NAN));
    match name {
        "kl_div" if x == infinity && y > 0.0 && y < infinity => Some(infinity),
        "kl_div" if y == infinity && x > 0.0 && x < infinity => Some(infinity),
        "spence" if x == infinity => Some(-infinity),
        "rgamma" if x == -infinity => Some(f64::NAN),
        "rgamma" if x == 180.0 => Some(0.0),
        "zeta" if x == infinity && y > 1.0 => Some(0.0),
        "zeta" if x == infinity && y < 0.0 && y.fract() != 0.0 => Some(f64::NAN),
        "zeta" if x.is_nan() => Some(f64::NAN),
        "zeta" if x == 1.0 && y.is_nan() || x > 1.0 && y == -infinity => Some(f64::NAN),
        _ => None,
    }
}

#[test]
fn shapes_and_dtypes_of_the_multivariate_gamma_function() {
    let (f, x) = (jit(|x: Var| x.multigammaln(3)), array![1.5f32, 2.0, 0.5]);
    let y: Array1<f32> = f.call(&x).unwrap();
    let each: f32 = jit(|x: Var| x.multigammaln(3)).call(1.5f32).unwrap();
    assert_eq!(y[0].to_bits(), each.to_bits());
    assert!(y[1].is_finite() && y[2].is_nan());
    let edge: f64 = jit(|x: Var| x.multigammaln(3)).call(1.0).unwrap();
    assert_eq!(edge, f64::INFINITY);
    let none = jit(|x: Var| x.multigammaln(0)).call::<f64>(1.0).unwrap_err();
    assert!(none.to_string().contains("the dimension of the multivariate gamma function must be positive"), "{none}");
}

#[test]
fn the_reciprocal_of_the_gamma_function_is_smooth_at_the_poles() {
    let f = |x: Var| x.rgamma();
    // (-1)ⁿ n!, and minus twice the derivative of ln Γ's regular part times that.
    for (x, slope) in [(0.0, 1.0), (-1.0, -1.0), (-2.0, 2.0), (-3.0, -6.0), (-10.0, 3628800.0)] {
        assert_eq!(jit(f).call::<f64>(x).unwrap(), 0.0);
        let found: f64 = jit(grad(f)).call(x).unwrap();
        assert!((found - slope).abs() <= 4e-16 * f64::abs(slope), "{x}: {found}");
    }
}

#[test]
fn the_order_of_the_zeta_function_has_no_derivative() {
    let by_order = jit(grad(|s: Var, q: Var| s.zeta(q))).call::<f64>(2.5, 0.5).unwrap_err();
    assert!(matches!(by_order, Error::Derivative(_)), "{by_order}");
    let text = by_order.to_string();
    assert!(text.contains("zeta") && text.contains("first operand"), "{text}");
}
