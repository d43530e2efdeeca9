//! The reference evaluator: calls each operation's `eval` in order. What native code gives is compared with it, bit
//! for bit.

use std::sync::Arc;

use crate::error::{ArgumentError, Error, GuardMiss};
use crate::ir::Value;
use crate::op::Graph;
use crate::value::{Array, Type};

/// Evaluates a graph.
///
/// ```
/// use retrograd::value::{Array, DType};
/// use retrograd::{Var, interpret, trace};
///
/// let graph = trace(|x: Var| x * x + 1.0, (DType::F64,))?;
/// let outputs = interpret::run(&graph, &[Array::scalar(3.0)])?;
/// assert_eq!(outputs, [Array::scalar(10.0)]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If the inputs are of other number or types than the graph's, or a guard does not hold.
pub fn run(graph: &Graph, inputs: &[Array]) -> Result<Vec<Array>, Error> {
    let mut evaluator = Evaluator::new(graph, inputs.to_vec())?;
    for (position, guard) in graph.guards().iter().enumerate() {
        if evaluator.value(graph, guard.value).as_slice::<bool>() != Some(&[guard.expect]) {
            return Err(GuardMiss { guard: position, expected: guard.expect, at: guard.at.clone() }.into());
        }
    }
    Ok(graph.outputs().iter().map(|output| evaluator.value(graph, output.value)).collect())
}

/// Evaluates values of a growing graph on demand, each node once.
pub(crate) struct Evaluator {
    results: Vec<Option<Arc<[Array]>>>,
}

impl Evaluator {
    /// An evaluator for a graph with these inputs.
    pub fn new(graph: &Graph, inputs: Vec<Array>) -> Result<Evaluator, Error> {
        check_inputs(graph, inputs.iter().map(Array::ty))?;
        Ok(Evaluator { results: inputs.into_iter().map(|input| Some(Arc::from([input]))).collect() })
    }

    /// The value, computed with whatever it needs that is not known yet.
    pub fn value(&mut self, graph: &Graph, value: Value) -> Array {
        self.results.resize(graph.n_nodes(), None);
        // An explicit stack, since graphs are deeper than the machine's.
        let mut pending = vec![value.node];
        while let Some(&node) = pending.last() {
            if self.results[node.index()].is_some() {
                pending.pop();
                continue;
            }
            let operands = graph.operands(node);
            let before = pending.len();
            pending.extend(operands.iter().map(|x| x.node).filter(|x| self.results[x.index()].is_none()));
            if pending.len() > before {
                continue;
            }
            pending.pop();
            let op = graph.node(node).op().expect("bug: an input without a value");
            let x: Vec<&Array> = operands.iter().map(|&x| self.known(x)).collect();
            let results = op.eval(&x, graph.node(node).types());
            self.results[node.index()] = Some(results.into());
        }
        self.known(value).clone()
    }

    fn known(&self, value: Value) -> &Array {
        let results = self.results[value.node.index()].as_ref();
        &results.expect("bug: an operand was not evaluated")[usize::from(value.result)]
    }
}

/// Requires inputs of the graph's number and types.
fn check_inputs(graph: &Graph, types: impl ExactSizeIterator<Item = Type>) -> Result<(), ArgumentError> {
    let expected = graph.inputs().iter().map(|input| (&*input.name, graph.ty(input.node.into())));
    check_input_types(graph.name(), expected, types)
}

/// Requires inputs of the expected number and types.
pub(crate) fn check_input_types<'a>(
    of: &str,
    expected: impl ExactSizeIterator<Item = (&'a str, &'a Type)>,
    types: impl ExactSizeIterator<Item = Type>,
) -> Result<(), ArgumentError> {
    if types.len() != expected.len() {
        return Err(ArgumentError::Count { of: of.to_string(), expected: expected.len(), got: types.len() });
    }
    for ((name, expected), got) in expected.zip(types) {
        if *expected != got {
            return Err(ArgumentError::Type { name: name.to_string(), expected: expected.clone(), got });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Var, trace};
    use crate::value::{DType, Type};

    const POINTS: [f64; 18] = [
        0.0,
        -0.0,
        0.3,
        -0.3,
        0.49999999999999994,
        0.5,
        -0.5,
        1.0,
        -1.0,
        1.5,
        2.5,
        -2.5,
        7.25,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];

    /// Requires that the traced function give what the plain one does, signs of zeros included, but for rounding.
    fn check(name: &str, traced: impl FnOnce(Var) -> Var, plain: impl Fn(f64) -> f64) {
        let mut graph = Graph::new(name);
        let x = graph.add_input("x", Type::new(DType::F64, [POINTS.len()])).unwrap();
        let (mut graph, y) = trace::record(graph, 100, None, || traced(trace::variable(x))).unwrap();
        graph.add_output("y", y.value().unwrap());
        let outputs = run(&graph, &[Array::from_elements([POINTS.len()], POINTS.to_vec()).unwrap()]).unwrap();
        for (&x, &y) in POINTS.iter().zip(outputs[0].as_slice::<f64>().unwrap()) {
            let expected = plain(x);
            let near = y.is_finite() && expected != 0.0 && (y - expected).abs() <= 1e-14 * expected.abs();
            let same = y.to_bits() == expected.to_bits() || y.is_nan() && expected.is_nan();
            assert!(near || same, "{name}({x}): {y}, not {expected}");
        }
    }

    #[test]
    fn methods_mean_what_they_mean_in_rust() {
        macro_rules! agree {
            ($($method:ident($($y:expr),*))*) => {
                $(check(stringify!($method), |x| x.$method($($y),*), |x| x.$method($($y),*));)*
            };
        }
        agree! {
            exp() exp2() exp_m1() ln() log2() log10() ln_1p() sin() cos() tan() asin() acos() atan() sinh() cosh() tanh()
            asinh() acosh() atanh() atan2(0.5) atan2(-0.0) hypot(2.0) powf(2.5) powf(-3.0) powi(3) powi(-2) powi(0) sqrt()
            cbrt() recip() abs() signum() copysign(-1.0) floor() ceil() round() round_ties_even() trunc() clamp(-0.4, 1.5)
            mul_add(2.0, -1.0)
        }
        check("sin_cos", |x| x.sin_cos().0 - x.sin_cos().1, |x| x.sin() - x.cos());
        check("rem", |x| x % 0.4, |x| x % 0.4);
        check("rem", |x| 0.4 % x, |x| 0.4 % x);
    }

    #[test]
    fn methods_that_rust_lacks() {
        check("square", Var::square, |x| x * x);
        check("rsqrt", Var::rsqrt, |x| 1.0 / x.sqrt());
        check("sigmoid", Var::sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        check("relu", Var::relu, |x| if x <= 0.0 { 0.0 } else { x });
        check("sign", Var::sign, |x| if x == 0.0 { x } else { x.signum() });
        check("stop_gradient", Var::stop_gradient, |x| x);
        check("convert", |x| x.convert(DType::I64).convert(DType::F64), |x| x as i64 as f64);
        // Unlike those of Rust, which ignore NaN.
        check("max", |x| x.max(0.4), |x| if x.is_nan() { x } else { x.max(0.4) });
        check("min", |x| x.min(0.4), |x| if x.is_nan() { x } else { x.min(0.4) });
        let number = |b: bool| f64::from(u8::from(b));
        check("is_nan", |x| x.is_nan().convert(DType::F64), |x| number(x.is_nan()));
        check("is_finite", |x| (!x.is_finite()).convert(DType::F64), |x| number(!x.is_finite()));
        let inside = |x: Var| (x.greater(-0.4) & x.less(1.5) | x.is_nan()).convert(DType::F64);
        check("and, or", inside, |x| number(x > -0.4 && x < 1.5 || x.is_nan()));
    }
}
