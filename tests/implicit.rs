//! Solutions of equations: values and derivatives against closed forms and against those through unrolled solvers, to
//! second and third order in both modes, inside every kind of region, from files, and the errors.

pub mod common;

use ndarray::{Array1, Array2, array};
use retrograd::ir::Limits;
use retrograd::op::Graph;
use retrograd::optimize::optimize;
use retrograd::transform::{Arguments, Bracket, FixedPoint, LinearSolve, Minimize, Root};
use retrograd::value::{Array, DType, ToTree, Type};
use retrograd::{
    AllArgs, Error, Function, Program, Var, bracket, cond, differentiate, fixed_point, fori_loop, grad, hessian,
    interpret, jacobian, jit, jvp, linear_solve, minimize, root, scan, taylor, trace, trace_with, vmap,
};

/// The results of a function, checked to have the same bits from the interpreter and from native code, as traced and
/// optimized, saved and loaded.
#[track_caller]
fn everywhere<F: Function<Args>, Args: Arguments>(f: F, args: impl ToTree) -> Vec<f64> {
    let graph = trace_with(f, &args).unwrap_or_else(|error| panic!("{error}"));
    let mut inputs = Vec::new();
    args.to_tree().for_each(&mut |leaf| inputs.push(leaf.to_array()));
    run_everywhere(&graph, &inputs)
}

#[track_caller]
fn run_everywhere(graph: &Graph, inputs: &[Array]) -> Vec<f64> {
    let optimized = optimize(graph).unwrap();
    let expected = interpret::run(graph, inputs).unwrap();
    for (how, graph) in [("as traced", graph), ("optimized", &optimized)] {
        graph.verify().unwrap_or_else(|error| panic!("{how}: {error}\n{graph}"));
        let json = graph.to_json().unwrap();
        let loaded = Graph::from_json(&json, &Limits::default()).unwrap();
        assert_eq!(loaded.to_json().unwrap(), json, "{how}: saved and loaded");
        for (by, got) in [
            ("interpreter", interpret::run(&loaded, inputs).unwrap()),
            ("native code", Program::compile(&loaded).unwrap().call(inputs).unwrap()),
        ] {
            let same = got.len() == expected.len() && got.iter().zip(&expected).all(|(x, y)| x.same_bits(y));
            assert!(same, "{how}, {by}: {got:?} is not {expected:?}");
        }
    }
    expected.iter().flat_map(common::floats).collect()
}

#[track_caller]
fn within(tolerance: f64, got: &[f64], expected: &[f64]) {
    let same = got.len() == expected.len()
        && got.iter().zip(expected).all(|(x, y)| (x - y).abs() <= tolerance * (1.0 + y.abs()));
    assert!(same, "{got:?} is not {expected:?}");
}

fn jvp_of<F: Function<(Var,), Output = Var> + Copy>(f: F) -> impl Fn(Var) -> Var + Copy {
    move |x: Var| jvp(f).call(x, x.full_like(1.0)).1
}

/// The value and three derivatives of a function of a number, in both modes.
#[track_caller]
fn derivatives<F: Function<(Var,), Output = Var> + Copy>(f: F, at: f64, tolerance: f64, expected: [f64; 4]) {
    let [d0, d1, d2, d3] = expected;
    within(tolerance, &everywhere(f, (at,)), &[d0]);
    within(tolerance, &everywhere(grad(f), (at,)), &[d1]);
    within(tolerance, &everywhere(jvp_of(f), (at,)), &[d1]);
    within(tolerance, &everywhere(grad(grad(f)), (at,)), &[d2]);
    within(tolerance, &everywhere(jvp_of(jvp_of(f)), (at,)), &[d2]);
    within(tolerance, &everywhere(grad(jvp_of(f)), (at,)), &[d2]);
    within(tolerance, &everywhere(jvp_of(grad(f)), (at,)), &[d2]);
    within(tolerance, &everywhere(grad(grad(jvp_of(f))), (at,)), &[d3]);
    within(tolerance, &everywhere(grad(grad(grad(f))), (at,)), &[d3]);
    let series: Vec<f64> = jit(taylor(f, 3)).call(at, 1.0).unwrap();
    within(tolerance, &series, &[d0, d1, d2 / 2.0, d3 / 6.0]);
}

fn sqrt(a: Var) -> Var {
    root(|x| x * x - a, a.full_like(1.0))
}

// √a and its first three derivatives.
fn of_sqrt(a: f64) -> [f64; 4] {
    let y = a.sqrt();
    [y, 0.5 / y, -0.25 / (a * y), 0.375 / (a * a * y)]
}

#[test]
fn a_square_root_by_every_method() {
    derivatives(sqrt, 3.0, 1e-13, of_sqrt(3.0));
    let broyden = |a: Var| Root::new().broyden().tolerance(0.0, 1e-14).solve(|x| x * x - a, a.full_like(1.0));
    derivatives(broyden, 3.0, 1e-12, of_sqrt(3.0));
    let bracketed = |a: Var| bracket(|x| x * x - a, 0.0 * a, a);
    derivatives(bracketed, 3.0, 1e-13, of_sqrt(3.0));
    let heron = |a: Var| fixed_point(|x| 0.5 * (x + a / x), a);
    derivatives(heron, 3.0, 1e-12, of_sqrt(3.0));
    let least = |a: Var| Minimize::new().newton().solve(|x: Var| x.powi(3) / 3.0 - a * x, a);
    derivatives(least, 3.0, 1e-9, of_sqrt(3.0));
    let krylov = |a: Var| Root::new().linear(LinearSolve::new()).solve(|x| x * x - a, a.full_like(1.0));
    derivatives(krylov, 3.0, 1e-9, of_sqrt(3.0));
}
