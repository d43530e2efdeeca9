//! Derivatives at points where a function has a kink, or where the textbook's formula gives NaN although the limit
//! exists.

use super::{grad, jvp};
use crate::interpret;
use crate::op::{Graph, Var, trace};
use crate::value::{Array, DType, Type};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// A graph with this number of scalar inputs and one output.
fn graph(n_inputs: usize, f: impl FnOnce(&[Var]) -> Var) -> Graph {
    let mut graph = Graph::new("f");
    let inputs: Vec<_> =
        (0..n_inputs).map(|i| graph.add_input(format!("x{i}"), Type::scalar(DType::F64)).unwrap()).collect();
    let body = || f(&inputs.iter().map(|&x| trace::variable(x)).collect::<Vec<_>>());
    let (mut graph, y) = trace::record(graph, 1000, None, body).unwrap();
    graph.add_output("y", y.value().unwrap()).unwrap();
    graph
}

/// The last `n_outputs` outputs.
fn run(graph: &Graph, inputs: &[f64], n_outputs: usize) -> Vec<f64> {
    let inputs: Vec<Array> = inputs.iter().map(|&x| Array::scalar(x)).collect();
    let outputs = interpret::run(graph, &inputs).unwrap();
    let numbers = outputs.iter().map(|y| y.as_slice::<f64>().unwrap()[0]);
    numbers.collect::<Vec<f64>>().split_off(outputs.len() - n_outputs)
}

/// Whether both are equal up to the rounding of elementary functions.
fn same(x: f64, y: f64) -> bool {
    x == y || x.is_nan() && y.is_nan() || y.is_finite() && (x - y).abs() <= 1e-15 * y.abs()
}

/// Checks the gradient in both modes.
#[track_caller]
fn check(f: impl FnOnce(&[Var]) -> Var, x: &[f64], expected: &[f64]) {
    let graph = graph(x.len(), f);
    let all: Vec<usize> = (0..x.len()).collect();
    let reverse = run(&grad(&graph, 0, &all).unwrap(), x, x.len());
    assert!(reverse.iter().zip(expected).all(|(&x, &y)| same(x, y)), "reverse at {x:?}: {reverse:?}, not {expected:?}");
    let forward: Vec<f64> =
        all.iter().map(|&k| run(&jvp(&graph, &[k]).unwrap(), &[x, &[1.0]].concat(), 1)[0]).collect();
    assert!(forward.iter().zip(expected).all(|(&x, &y)| same(x, y)), "forward at {x:?}: {forward:?}, not {expected:?}");
}

/// Checks a second derivative, first by one input and then by the other.
#[track_caller]
fn check_second(f: impl FnOnce(&[Var]) -> Var, x: &[f64], wrt: [usize; 2], expected: f64) {
    let first = grad(&graph(x.len(), f), 0, &[wrt[0]]).unwrap();
    let got = run(&grad(&first, 1, &[wrt[1]]).unwrap(), x, 1)[0];
    assert!(same(got, expected), "{got}, not {expected}");
}

#[test]
fn steps_and_corners() {
    for x in [0.0, -0.0] {
        check(|x| x[0].abs(), &[x], &[0.0]);
        check(|x| x[0].relu(), &[x], &[0.0]);
        check(|x| x[0].sign() + x[0].signum() + x[0].floor() + x[0].round(), &[x], &[0.0]);
    }
    check(|x| x[0].abs(), &[-2.0], &[-1.0]);
    check(|x| x[0].relu(), &[-1.0], &[0.0]);
    check(|x| x[0].relu(), &[2.0], &[1.0]);
    check(|x| x[0].copysign(x[1]), &[0.0, -1.0], &[0.0, 0.0]);
    check(|x| x[0].copysign(x[1]), &[-3.0, -1.0], &[1.0, 0.0]);
    check(|x| x[0].copysign(x[1]), &[3.0, -1.0], &[-1.0, 0.0]);
}

#[test]
fn ties_share_evenly() {
    check(|x| x[0].max(x[1]), &[1.0, 1.0], &[0.5, 0.5]);
    check(|x| x[0].min(x[1]), &[1.0, 1.0], &[0.5, 0.5]);
    check(|x| x[0].max(x[1]), &[0.0, -0.0], &[0.5, 0.5]);
    check(|x| x[0].max(x[1]), &[3.0, 1.0], &[1.0, 0.0]);
    check(|x| x[0].min(x[1]), &[3.0, 1.0], &[0.0, 1.0]);
    check(|x| x[0].max(x[0]), &[2.0], &[1.0]);
}

#[test]
fn clamp_passes_half_at_a_bound() {
    let clamp = |x: &[Var]| x[1].clamp(x[0], x[2]);
    check(clamp, &[-1.0, 0.5, 1.0], &[0.0, 1.0, 0.0]);
    check(clamp, &[-1.0, -1.0, 1.0], &[0.5, 0.5, 0.0]);
    check(clamp, &[-1.0, 1.0, 1.0], &[0.0, 0.5, 0.5]);
    check(clamp, &[-1.0, -2.0, 1.0], &[1.0, 0.0, 0.0]);
    check(clamp, &[-1.0, 2.0, 1.0], &[0.0, 0.0, 1.0]);
    check(clamp, &[2.0, 0.0, 1.0], &[0.0, 0.0, 1.0]);
    check(clamp, &[1.0, 0.0, 1.0], &[0.5, 0.0, 0.5]);
    check(clamp, &[1.0, 1.0, 1.0], &[0.25, 0.25, 0.5]);
    check(|x| x[0].clamp(-1.0, 1.0), &[1.0], &[0.5]);
}

#[test]
fn powers_of_zero() {
    let pow = |x: &[Var]| x[0].powf(x[1]);
    check(pow, &[0.0, 3.0], &[0.0, 0.0]);
    check(pow, &[0.0, 1.0], &[1.0, 0.0]);
    check(pow, &[0.0, 0.5], &[INF, 0.0]);
    check(pow, &[0.0, 0.0], &[0.0, -INF]);
    check(pow, &[0.0, -1.0], &[-INF, -INF]);
    check(pow, &[-2.0, 3.0], &[12.0, NAN]);
    check(pow, &[-2.0, 0.5], &[NAN, NAN]);
    check(pow, &[5e-324, 0.0], &[0.0, 5e-324f64.ln()]);
    check(pow, &[INF, -1.0], &[0.0, 0.0]);
    // A constant exponent: the derivative by the exponent, which has a logarithm, is not computed.
    check(|x| x[0].powf(2), &[-3.0], &[-6.0]);

    check_second(pow, &[0.0, 2.0], [0, 0], 2.0);
    check_second(pow, &[0.0, 1.0], [0, 0], 0.0);
    check_second(pow, &[0.0, 3.0], [0, 0], 0.0);
    check_second(pow, &[0.0, 2.0], [1, 1], 0.0);
    check_second(pow, &[0.0, 2.0], [0, 1], 0.0);
    // x⁰ is constant in x, but its derivative by x grows with y.
    check_second(pow, &[4.0, 0.0], [0, 1], 0.25);
    check_second(pow, &[4.0, 0.0], [1, 0], 0.25);
}

#[test]
fn integer_powers() {
    check(|x| x[0].powi(0), &[0.0], &[0.0]);
    check(|x| x[0].powi(1), &[0.0], &[1.0]);
    check(|x| x[0].powi(2), &[-3.0], &[-6.0]);
    check(|x| x[0].powi(-1), &[0.0], &[-INF]);
    check(|x| x[0].powi(i32::MIN), &[-1.0], &[2147483648.0]);
    check_second(|x| x[0].powi(2), &[0.0], [0, 0], 2.0);
    check_second(|x| x[0].powi(3), &[0.0], [0, 0], 0.0);
    check_second(|x| x[0].powi(i32::MIN + 1), &[1.0], [0, 0], 2147483647.0 * 2147483648.0);
}

#[test]
fn roots_and_lengths_at_zero() {
    check(|x| x[0].sqrt(), &[0.0], &[INF]);
    check(|x| x[0].cbrt(), &[0.0], &[INF]);
    check(|x| x[0].cbrt(), &[-0.0], &[INF]);
    check(|x| x[0].hypot(x[1]), &[0.0, 0.0], &[0.0, 0.0]);
    check(|x| x[0].hypot(x[1]), &[3e-320, -4e-320], &[0.6, -0.8]);
    check(|x| x[0].atan2(x[1]), &[0.0, 0.0], &[0.0, 0.0]);
    check(|x| x[0].atan2(x[1]), &[0.0, 1e200], &[1e-200, -0.0]);
}

#[test]
fn derivatives_at_the_ends_of_domains_and_far_out() {
    check(|x| x[0].asin(), &[1.0], &[INF]);
    check(|x| x[0].acos(), &[-1.0], &[-INF]);
    check(|x| x[0].acosh(), &[1.0], &[INF]);
    check(|x| x[0].acosh(), &[2f64.powi(600)], &[2f64.powi(-600)]);
    check(|x| x[0].asinh(), &[-2f64.powi(600)], &[2f64.powi(-600)]);
    check(|x| x[0].atanh(), &[1.0], &[INF]);
    check(|x| x[0].atan(), &[1e200], &[0.0]);
    check(|x| x[0].exp_m1(), &[-50.0], &[(-50f64).exp()]);
    check(|x| x[0].tanh() + x[0].sigmoid(), &[INF], &[0.0]);
    check(|x| x[0].ln(), &[0.0], &[INF]);
    check(|x| x[0].ln_1p(), &[-1.0], &[INF]);
}

#[test]
fn special_functions_at_limits() {
    check(|x| x[0].xlogy(x[1]), &[0.0, 0.0], &[-INF, 0.0]);
    check(|x| x[0].xlog1py(x[1]), &[0.0, -1.0], &[-INF, 0.0]);
    check_second(|x| x[0].xlogy(x[1]), &[0.0, 4.0], [1, 0], 0.25);
    check(|x| x[0].entr(), &[0.0], &[INF]);
    check(|x| x[0].logaddexp(x[1]), &[-INF, -INF], &[0.5, 0.5]);
    check(|x| x[0].logaddexp(x[1]), &[-INF, 1.0], &[0.0, 1.0]);
    check_second(|x| x[0].logaddexp(x[1]), &[1.0, 1.0], [0, 0], 0.25);
    check(|x| x[0].softplus(), &[1000.0], &[1.0]);
    check(|x| x[0].softplus(), &[-INF], &[0.0]);
    check(|x| x[0].log1mexp(), &[INF], &[0.0]);
    check(|x| x[0].log_ndtr(), &[-1e100], &[1e100]);
    check(|x| x[0].log_ndtr(), &[50.0], &[0.0]);
    check(|x| x[0].igamma(x[1]), &[1.0, 0.0], &[0.0, 1.0]);
    check(|x| x[0].sinc(), &[0.0], &[0.0]);
    check_second(|x| x[0].sinc(), &[0.0], [0, 0], -std::f64::consts::PI.powi(2) / 3.0);
    check(|x| x[0].bessel_j1(), &[0.0], &[0.5]);
    check(|x| x[0].bessel_i1(), &[0.0], &[0.5]);
    check(|x| x[0].bessel_i0e(), &[0.0], &[0.0]);
    check_second(|x| x[0].bessel_j0(), &[0.0], [0, 0], -0.5);
    // The third derivative of J₁ at 0, which would be wrong if the quotient by x were merely masked.
    let first = grad(&graph(1, |x| x[0].bessel_j1()), 0, &[0]).unwrap();
    let third = grad(&grad(&first, 1, &[0]).unwrap(), 2, &[0]).unwrap();
    assert_eq!(run(&third, &[0.0], 1), [-0.375]);
}

#[test]
fn a_branch_not_taken_leaves_no_nan() {
    let root = |x: &[Var]| x[0].greater(0.0).select(x[0].sqrt(), x[0].full_like(0.0));
    check(root, &[0.0], &[0.0]);
    check(root, &[-1.0], &[0.0]);
    check(root, &[4.0], &[0.25]);
    check_second(root, &[0.0], [0, 0], 0.0);
    let both = |x: &[Var]| {
        let inside = x[0].greater(0.0) & x[1].greater(0.0);
        inside.select(x[0].ln() * x[1].sqrt(), x[0] + x[1])
    };
    check(both, &[0.0, 0.0], &[1.0, 1.0]);
    check(both, &[-1.0, 4.0], &[1.0, 1.0]);
    check(both, &[1.0, 4.0], &[2.0, 0.0]);
    check(|x| (x[0].is_nan() | !x[0].is_finite()).select(x[0], x[0].square()), &[3.0], &[6.0]);
}

#[test]
fn constants_to_derivatives() {
    check(|x| x[0] * x[0].stop_gradient(), &[3.0], &[3.0]);
    check(|x| x[0].convert(DType::F32).square().convert(DType::F64), &[3.0], &[6.0]);
    check(|x| x[0] * x[0].convert(DType::I64).convert(DType::F64), &[3.5], &[3.0]);
    check(|x| x[0] * x[0].greater(1.0).convert(DType::F64), &[3.5], &[1.0]);
}
