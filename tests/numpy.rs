//! NumPy's functions: their values against NumPy's own, in every evaluator, and their derivatives against differences.
//!
//! `tests/data/numpy/cases.py` has each expression in both languages, and `reference.py` beside it writes what NumPy computes.

#[path = "numpy/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};

use retrograd::value::{Array, DType, Scalar, Shape, Type};
use retrograd::{Program, Var, check_grad, interpret, jit, optimize};
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
            if tolerance > 0.0 { (a - b).abs() <= tolerance } else { a == b && a.is_sign_negative() == b.is_sign_negative() }
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
