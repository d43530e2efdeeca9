//! NumPy's functions: their values against NumPy's own, in every evaluator, and their derivatives against differences.
//!
//! `tests/data/numpy/cases.py` has each expression in both languages, and `reference.py` beside it writes what NumPy computes.

#[path = "numpy/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, ArrayD, array};
use retrograd::numpy as np;
use retrograd::op::Op;
use retrograd::value::{Array, DType, Scalar, Shape, Type};
use retrograd::{Program, Var, check_grad, grad, interpret, jit, optimize, vmap};
use serde_json::Value;

/// An expression of the table.
pub struct Expression {
    pub text: &'static str,
    /// What it computes of three operands.
    pub run: fn(Var, Var, Var) -> Vec<Var>,
}

impl Expression {
    /// What it computes of as many operands as it has.
    fn apply(&self, operands: &[Var]) -> Vec<Var> {
        let operand = |slot: usize| *operands.get(slot).unwrap_or(&operands[0]);
        (self.run)(operand(0), operand(1), operand(2))
    }
}

/// What an expression gives.
pub trait Results {
    fn list(self) -> Vec<Var>;
}

impl Results for Var {
    fn list(self) -> Vec<Var> {
        vec![self]
    }
}

impl Results for Vec<Var> {
    fn list(self) -> Vec<Var> {
        self
    }
}

impl Results for (Var, Var) {
    fn list(self) -> Vec<Var> {
        vec![self.0, self.1]
    }
}

/// What NumPy computes of an expression for some operands.
struct Case {
    names: Vec<String>,
    operands: Vec<Array>,
    results: Vec<Array>,
    ulps: f64,
    is_smooth: bool,
}

/// The cases by expression, without the spaces of its text.
fn reference() -> BTreeMap<String, Vec<Case>> {
    let json: Value = serde_json::from_str(include_str!("data/numpy/reference.json")).unwrap();
    let inputs = &json["inputs"];
    let cases = json["cases"].as_object().unwrap();
    cases
        .iter()
        .map(|(text, list)| (text.clone(), list.as_array().unwrap().iter().map(|x| case(x, inputs)).collect()))
        .collect()
}

fn case(json: &Value, inputs: &Value) -> Case {
    let names: Vec<String> = json["in"].as_array().unwrap().iter().map(|x| x.as_str().unwrap().to_string()).collect();
    Case {
        operands: names.iter().map(|name| array(&inputs[name])).collect(),
        results: json["out"].as_array().unwrap().iter().map(array).collect(),
        ulps: json["ulps"].as_f64().unwrap(),
        is_smooth: json["smooth"].as_bool().unwrap(),
        names,
    }
}

fn array(json: &Value) -> Array {
    let dtype = DType::from_name(json["type"].as_str().unwrap()).unwrap();
    let shape: Shape = json["shape"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect();
    let scalar = |x: &Value| match (dtype, x) {
        (DType::Bool, x) => Scalar::Bool(x.as_bool().unwrap()),
        (DType::I64, x) => Scalar::I64(x.as_i64().unwrap()),
        (_, Value::String(text)) => Scalar::F64(text.parse().unwrap()).convert(dtype),
        (_, x) => Scalar::F64(x.as_f64().unwrap()).convert(dtype),
    };
    Array::collect(&Type::new(dtype, shape), json["data"].as_array().unwrap().iter().map(scalar))
}

/// The text without spaces, but for those within strings.
fn without_spaces(text: &str) -> String {
    let parts = text.split('"').enumerate();
    let parts = parts.map(|(k, part)| match k % 2 {
        0 => part.split_whitespace().collect::<String>(),
        _ => part.to_string(),
    });
    parts.collect::<Vec<String>>().join("\"")
}

/// Runs a check for each expression and each of its cases, and reports all that failed.
fn for_each_case(check: impl Fn(&Expression, &Case) -> Result<(), String>) {
    let reference = reference();
    let mut failures = Vec::new();
    for expression in table::expressions() {
        let cases = reference.get(&without_spaces(expression.text));
        for case in cases.unwrap_or_else(|| panic!("no reference for {}", expression.text)) {
            if let Err(message) = check(&expression, case) {
                failures.push(format!("{} of {:?}: {message}", expression.text, case.names));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_table_has_every_expression_of_the_reference() {
    let table: BTreeSet<String> = table::expressions().iter().map(|x| without_spaces(x.text)).collect();
    let reference: BTreeSet<String> = reference().into_keys().collect();
    assert_eq!(table, reference);
}

#[test]
fn values_are_numpys_in_every_evaluator() {
    for_each_case(|expression, case| {
        let f = |x: Vec<Var>| expression.apply(&x);
        let graph = jit(f).graph(case.operands.clone()).map_err(|error| error.to_string())?;
        let interpreted = interpret::run(&graph, &case.operands).map_err(|error| error.to_string())?;
        let native = Program::compile(&graph).unwrap().call(&case.operands).unwrap();
        let optimized = optimize::optimize(&graph).unwrap();
        let faster = Program::compile(&optimized).unwrap().call(&case.operands).unwrap();
        for other in [native, faster] {
            if !interpreted.iter().zip(&other).all(|(a, b)| a.same_bits(b)) {
                return Err(format!("interpreted {interpreted:?}, native {other:?}"));
            }
        }
        compare(&interpreted, case)
    });
}

fn compare(results: &[Array], case: &Case) -> Result<(), String> {
    let differ = || Err(format!("got {results:?}, but NumPy gives {:?}", case.results));
    if results.len() != case.results.len() || results.iter().zip(&case.results).any(|(a, b)| a.ty() != b.ty()) {
        return differ();
    }
    let equal = results.iter().zip(&case.results).all(|(a, b)| {
        let largest = b.elements().map(magnitude).fold(0.0, f64::max);
        let unit = if b.dtype() == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON };
        let tolerance = case.ulps * unit * largest;
        a.elements().zip(b.elements()).all(|(a, b)| are_close(a, b, tolerance))
    });
    if equal { Ok(()) } else { differ() }
}

fn magnitude(x: Scalar) -> f64 {
    match x.convert(DType::F64) {
        Scalar::F64(x) if x.is_finite() => x.abs(),
        _ => 0.0,
    }
}

/// The same number, with the same sign of a zero, or within the tolerance.
fn are_close(a: Scalar, b: Scalar, tolerance: f64) -> bool {
    match (a.convert(DType::F64), b.convert(DType::F64)) {
        (Scalar::F64(a), Scalar::F64(b)) if a.is_finite() && b.is_finite() => {
            if tolerance > 0.0 {
                (a - b).abs() <= tolerance
            } else {
                a == b && a.is_sign_negative() == b.is_sign_negative()
            }
        }
        (Scalar::F64(a), Scalar::F64(b)) => a == b || a.is_nan() && b.is_nan(),
        _ => false,
    }
}

/// Both modes and both orders.
#[test]
fn derivatives_agree_with_differences() {
    for_each_case(|expression, case| {
        let has_floats = case.operands.iter().any(|x| x.dtype().is_float() && x.size() > 0);
        if !case.is_smooth || !has_floats || case.results.iter().all(|y| !y.dtype().is_float() || y.size() == 0) {
            return Ok(());
        }
        check_grad(|x: Vec<Var>| expression.apply(&x), (case.operands.clone(),)).map_err(|error| error.to_string())
    });
}

/// The multiplications of the products in a graph: those of `dot_general`, and of products by elements.
fn n_multiplications(f: impl Fn(Vec<Var>) -> Var, shapes: &[[usize; 2]]) -> usize {
    let types: Vec<Array> = shapes.iter().map(|&shape| Array::zeros(&Type::new(DType::F64, shape))).collect();
    let graph = jit(f).graph(types).unwrap();
    let count = |id| {
        let ty = |x| graph.ty(x).size();
        match graph.node(id).op() {
            Some(Op::DotGeneral(dot)) => {
                let lhs = graph.ty(graph.operands(id)[0]);
                ty(id.into()) * dot.contract[0].iter().map(|&axis| lhs.shape[axis]).product::<usize>()
            }
            Some(Op::Mul(_)) => ty(id.into()),
            _ => 0,
        }
    };
    graph.ids().map(count).sum()
}

#[test]
fn einsum_takes_the_order_of_fewest_multiplications() {
    let chain = |x: Vec<Var>| np::einsum("ab,bc,cd->ad", &x);
    assert_eq!(n_multiplications(chain, &[[2, 30], [30, 40], [40, 50]]), 2 * 30 * 40 + 2 * 40 * 50);
    assert_eq!(n_multiplications(chain, &[[50, 40], [40, 30], [30, 2]]), 40 * 30 * 2 + 50 * 40 * 2);
    // The first and the last operand go first, which are no neighbors.
    let ends = |x: Vec<Var>| np::einsum("ab,cd,da->bc", &x);
    assert_eq!(n_multiplications(ends, &[[40, 2], [30, 20], [20, 40]]), 20 * 40 * 2 + 30 * 20 * 2);
    // Beyond the operands that are searched, a vector goes through a chain of matrices from its own end.
    let long = |x: Vec<Var>| np::einsum("ab,bc,cd,de,ef,fg,gh,hi,ij->aj", &x);
    let mut shapes = [[9, 9]; 9];
    shapes[8] = [9, 1];
    assert_eq!(n_multiplications(long, &shapes), 8 * 81);
    shapes[8] = [9, 9];
    shapes[0] = [1, 9];
    assert_eq!(n_multiplications(long, &shapes), 8 * 81);
}

#[test]
fn einsum_of_many_operands_is_the_product() {
    let matrix = array![[0.5, -1.0], [0.25, 0.75]];
    let nine = |x: Var| np::einsum("ab,bc,cd,de,ef,fg,gh,hi,ij->aj", &[x; 9]);
    let product: Array2<f64> = jit(nine).call(&matrix).unwrap();
    let expected = (1..9).fold(matrix.clone(), |product, _| product.dot(&matrix));
    assert!((product - expected).iter().all(|error| error.abs() < 1e-15));
}

/// Lines of this crate are no help to a user.
#[test]
fn nodes_bear_the_users_line() {
    let first = line!();
    let f = |x: Vec<Var>| {
        let scanned = np::cumprod(np::einsum("ij,jk->ik", &[x[0], np::pad(x[0], 1, np::PadMode::Reflect)]), 0);
        let pooled = np::reduce_window(scanned, np::Pool::Mean, &np::Windows::new(&[2, 2]).padding(&[(1, 0), (0, 1)]));
        np::convolve(np::ravel(pooled), np::linspace(0.0, 1.0, 3), np::ConvolveMode::Same)
    };
    let last = line!();
    let graph = jit(f).graph(vec![Array::zeros(&Type::new(DType::F64, [3, 5]))]).unwrap();
    for id in graph.ids().filter(|&id| graph.node(id).op().is_some()) {
        let at = graph.node(id).provenance().at.as_ref().unwrap().to_string();
        let line: u32 =
            at.strip_prefix(concat!(file!(), ":")).and_then(|at| at.split(':').next()?.parse().ok()).unwrap();
        assert!((first..=last).contains(&line), "{at}");
    }
}

#[test]
fn functions_of_rows_are_the_functions_of_each_row() {
    let rows = Array::collect(&Type::new(DType::F64, [4, 6]), (0..24).map(|k| Scalar::F64((f64::from(k) * 0.7).sin())));
    let functions: [fn(Var) -> Var; 8] = [
        |x| np::einsum("i,j,i->j", &[x, x, x]),
        |x| np::cumprod(x, 0),
        |x| np::roll(x, 2, 0) * np::pad(x, 3, np::PadMode::Symmetric).slice(0, 2..8),
        |x| np::convolve(x, x, np::ConvolveMode::Full),
        |x| np::reduce_window(x, np::Pool::Max, &np::Windows::new(&[3]).strides(&[2])),
        |x| np::gradient(x, 0.5, -1, 2),
        |x| np::corrcoef(np::reshape(x, &[2, -1])),
        |x| np::conv_general(x.reshape(&[1, 1, 2, 3]), x.slice(0, ..4).reshape(&[2, 1, 2, 1]), &np::Convolution::new()),
    ];
    for (k, f) in functions.into_iter().enumerate() {
        let batched: ArrayD<f64> = jit(vmap(f)).call(rows.clone()).unwrap();
        let mapped: ArrayD<f64> = jit(|x: Var| np::stack(&x.unstack(0).into_iter().map(f).collect::<Vec<Var>>(), 0))
            .call(rows.clone())
            .unwrap();
        assert_eq!(batched.shape(), mapped.shape(), "{k}");
        assert!((batched - mapped).iter().all(|error| error.abs() < 1e-14), "{k}");
    }
}

/// In as many bits as there are.
#[test]
fn single_precision_stays_single() {
    let x = Array::collect(&Type::new(DType::F32, [3, 4]), (1..13).map(|k| Scalar::F32((k as f32 * 0.7).sin())));
    let functions: [fn(Var) -> Var; 16] = [
        |x| np::einsum("ij,kj->ik", &[x, x]),
        |x| np::var(x, -1, 1),
        |x| np::average(x, 0, x.square().sum_axes(&[1])),
        |x| np::nanmean(x, 0),
        |x| np::nanstd(x, 0, 1),
        |x| np::nanmax(x, 0),
        |x| np::corrcoef(x),
        |x| np::tril(x, 0),
        |x| np::cumlogsumexp(x, 0),
        |x| np::gradient(x, 0.5, 0, 2),
        |x| np::mod_(x, 0.3),
        |x| np::floor_divide(x, 0.3),
        |x| np::nan_to_num(np::logaddexp2(x, 1.5)),
        |x| np::heaviside(x, 0.5),
        |x| np::reduce_window(x, np::Pool::Mean, &np::Windows::new(&[2, 2]).padding(&[(1, 1), (0, 0)])),
        |x| np::linspace(x.index_axis(0, 0).index(0), 2.0, 3),
    ];
    for (k, f) in functions.into_iter().enumerate() {
        let y: Array = jit(f).call(x.clone()).unwrap();
        assert_eq!(y.dtype(), DType::F32, "{k}");
        let wide: Array = jit(move |x: Var| f(x.convert(DType::F32))).call(x.widen(DType::F64).unwrap()).unwrap();
        assert!(y.same_bits(&wide), "{k}");
        check_grad(f, (x.clone(),)).unwrap_or_else(|error| panic!("{k}: {error}"));
    }
}

/// The elements that tie for the greatest of a window share its cotangent evenly, also three of them.
#[test]
fn ties_of_a_window_share_evenly() {
    let overlapping = |x: Var| np::reduce_window(x, np::Pool::Max, &np::Windows::new(&[3])).sum();
    let slope: Array1<f64> = jit(grad(overlapping)).call(array![1.0, 1.0, 1.0, 0.0]).unwrap();
    assert_eq!(slope, array![1.0 / 3.0, 1.0 / 3.0 + 0.5, 1.0 / 3.0 + 0.5, 0.0]);
    let tiles = |x: Var| np::reduce_window(x, np::Pool::Min, &np::Windows::new(&[3]).strides(&[3])).sum();
    let slope: Array1<f64> = jit(grad(tiles)).call(array![1.0, 1.0, 1.0, 0.0]).unwrap();
    assert_eq!(slope, array![1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
}

/// What is cut off, replaced or passed over leaves no NaN behind.
#[test]
fn what_is_not_used_has_derivative_zero() {
    let slope =
        |f: fn(Var) -> Var, x: Array1<f64>| -> Array1<f64> { jit(grad(move |x: Var| f(x).sum())).call(x).unwrap() };
    let nan = f64::NAN;
    assert_eq!(slope(|x| np::nansum(x, ()), array![1.0, nan]), array![1.0, 0.0]);
    assert_eq!(slope(|x| np::nanmean(x, ()), array![1.0, nan, 3.0]), array![0.5, 0.0, 0.5]);
    assert_eq!(slope(|x| np::nanmax(x, ()), array![1.0, nan, 3.0]), array![0.0, 0.0, 1.0]);
    assert_eq!(slope(|x| np::nanvar(x, (), 0), array![1.0, nan, 3.0]), array![-1.0, 0.0, 1.0]);
    assert_eq!(slope(|x| np::nanstd(x, (), 0), array![2.0, nan, 2.0]), array![0.0, 0.0, 0.0]);
    assert_eq!(slope(np::nan_to_num, array![nan, f64::INFINITY, 1.0]), array![0.0, 0.0, 1.0]);
    assert_eq!(slope(|x| np::fmax(x, 0.5), array![nan, 1.0, 0.0]), array![0.0, 1.0, 0.0]);
    assert_eq!(slope(|x| np::fmin(0.5 * x, x), array![1.0, -1.0, 0.0]), array![0.5, 1.0, 0.75]);
    // The square root has an infinite derivative at 0, which is below the diagonal.
    let upper = |x: Var| np::triu(np::stack(&[x.sqrt(), x.sqrt()], 0), 1);
    assert_eq!(slope(upper, array![0.0, 4.0]), array![0.0, 0.25]);
}

/// Vectors so long that windows are copied, and in several parts: against sums in the host, and by the cotangent of a
/// bilinear function, which is the function of the cotangent.
#[test]
fn long_vectors_are_convolved_in_parts() {
    let wave = |n: usize, step: f64| -> Array1<f64> { (0..n).map(|k| (k as f64 * step).sin()).collect() };
    let (x, y) = (wave(9000, 0.7), wave(600, 1.3));
    let valid = |x: Var, y: Var| np::correlate(x, y, np::ConvolveMode::Valid);
    let z: Array1<f64> = jit(valid).call(&x, &y).unwrap();
    assert_eq!(z.len(), 8401);
    let term = |k: usize| -> f64 { (0..600).map(|i| x[k + i] * y[i]).sum() };
    assert!((0..8401).all(|k| (z[k] - term(k)).abs() < 1e-11));
    // By the shorter one, the cotangent is correlated with the longer one.
    let ct = wave(8401, 0.4);
    let of = |y: Var, x: Var, ct: Var| (valid(x, y) * ct).sum();
    let slope: Array1<f64> = jit(grad(of)).call(&y, &x, &ct).unwrap();
    let expected = |i: usize| -> f64 { (0..8401).map(|k| x[k + i] * ct[k]).sum() };
    assert!((0..600).all(|i| (slope[i] - expected(i)).abs() < 1e-10));
}
