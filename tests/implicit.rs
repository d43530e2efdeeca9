//! Solutions of equations: values and derivatives against closed forms and against those through unrolled solvers, to
//! second and third order in both modes, inside every kind of region, from files, and the errors.

pub mod common;

use common::everywhere::{everywhere, run_everywhere};
use ndarray::{Array1, Array2, array};
use retrograd::ir::Limits;
use retrograd::op::Graph;
use retrograd::transform::{Bracket, FixedPoint, LinearSolve, Minimize, Root};
use retrograd::value::{Array, DType};
use retrograd::{
    AllArgs, Arg, Error, Function, Var, bracket, cond, differentiate, fixed_point, fori_loop, grad, hessian, jacobian,
    jit, jvp, linear_solve, minimize, root, scan, taylor, trace, vmap, while_loop,
};

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
    derivatives(least, 3.0, 1e-10, of_sqrt(3.0));
    let tight = LinearSolve::new().tolerance(0.0, 1e-14);
    let krylov = |a: Var| Root::new().linear(tight).solve(|x| x * x - a, a.full_like(1.0));
    derivatives(krylov, 3.0, 1e-10, of_sqrt(3.0));
}

// Closed forms.

#[test]
fn kepler_s_equation_by_both_of_its_parameters() {
    let anomaly = |m: Var, e: Var| root(|x| x - e * x.sin() - m, m);
    let (m, e) = (1.0f64, 0.5f64);
    let x = everywhere(anomaly, (m, e))[0];
    within(1e-15, &[x - e * x.sin()], &[m]);
    let (s, c) = x.sin_cos();
    let d = 1.0 - e * c;
    within(1e-13, &everywhere(grad(anomaly).wrt(AllArgs), (m, e)), &[1.0 / d, s / d]);
    // Differentiated by hand once more: d = 1 - e cos x has the derivatives e s / d by m and e s²/d - c by e.
    let by_m = [-e * s / d.powi(3), (c - e * s * s / d) / (d * d)];
    let mixed_and_ee = [(c - e * s * s / d) / (d * d), (c * s / d) / d - s * (e * s * s / d - c) / (d * d)];
    let second = [by_m, mixed_and_ee].concat();
    within(1e-12, &everywhere(hessian(anomaly).wrt(AllArgs), (m, e)), &second);
    within(1e-12, &everywhere(jacobian(grad(anomaly).wrt(AllArgs)).wrt(AllArgs).reverse(), (m, e)), &second);
}

/// The sides of a rectangle, given area and half of the circumference, as a struct of a number and a vector would be.
fn sides(area: Var, half: Var) -> (Var, Var) {
    let equation = |(a, b): (Var, Var)| ((a * b.sum() - area), (a + b.sum() - half) * b.full_like(1.0));
    root(equation, (0.9 * half, (0.2 * half).reshape(&[1])))
}

#[test]
fn a_system_has_the_derivatives_of_the_quadratic_formula() {
    let closed = |area: Var, half: Var| {
        let root = (half.square() / 4.0 - area).sqrt();
        (half / 2.0 + root, (half / 2.0 - root).reshape(&[1]))
    };
    let at = (6.0, 5.0);
    within(1e-13, &everywhere(sides, at), &everywhere(closed, at));
    for (implicit, explicit) in [
        (everywhere(jacobian(sides).wrt(AllArgs).forward(), at), everywhere(jacobian(closed).wrt(AllArgs), at)),
        (everywhere(jacobian(sides).wrt(AllArgs).reverse(), at), everywhere(jacobian(closed).wrt(AllArgs), at)),
        (
            everywhere(jacobian(jacobian(sides).wrt(AllArgs).reverse()).wrt(AllArgs).reverse(), at),
            everywhere(jacobian(jacobian(closed).wrt(AllArgs)).wrt(AllArgs), at),
        ),
    ] {
        within(1e-11, &implicit, &explicit);
    }
}

/// A 3×3 system's matrix, that is neither symmetric nor diagonally dominant and depends on `p`.
fn matrix(p: Var) -> Var {
    let fixed =
        Var::constant(Array::from_elements([3, 3], vec![0.0, 2.0, 1.0, 1.0, -1.0, 3.0, 4.0, 1.0, 0.5]).unwrap());
    fixed + p.square() * Var::constant(Array::from_elements([3, 3], vec![0.0, 1., 2., 3., 4., 5., 6., 7., 9.]).unwrap())
}

/// The solution by the adjugate.
fn cramer(a: Var, b: Var) -> Var {
    let e = |i: usize, j: usize| a.index_axis(0, i % 3).index(j % 3);
    let cofactor = |i: usize, j: usize| e(i + 1, j + 1) * e(i + 2, j + 2) - e(i + 1, j + 2) * e(i + 2, j + 1);
    let det = (0..3).map(|j| e(0, j) * cofactor(0, j)).reduce(|x, y| x + y).unwrap();
    let x = |j: usize| (0..3).map(|i| cofactor(i, j) * b.index(i)).reduce(|x, y| x + y).unwrap() / det;
    Var::stack(&[x(0), x(1), x(2)], 0)
}

#[track_caller]
fn solves_like_cramer(how: LinearSolve, definite: bool, tolerance: f64) {
    let side = |p: Var| Var::stack(&[p, p.sin(), p * p], 0);
    let of = move |p: Var| if definite { matrix(p).t().dot(matrix(p)) } else { matrix(p) };
    let implicit = move |p: Var| {
        let a = of(p);
        how.solve(|x| a.dot(x), side(p)).dot(Var::stack(&[p.full_like(1.0), p, p.cos()], 0))
    };
    let closed = move |p: Var| cramer(of(p), side(p)).dot(Var::stack(&[p.full_like(1.0), p, p.cos()], 0));
    let value = |f: Vec<f64>| f[0];
    let expected = [
        value(everywhere(closed, (0.3,))),
        value(everywhere(grad(closed), (0.3,))),
        value(everywhere(grad(grad(closed)), (0.3,))),
        value(everywhere(grad(grad(grad(closed))), (0.3,))),
    ];
    derivatives(implicit, 0.3, tolerance, expected);
}

#[test]
fn linear_systems_by_every_method() {
    let tight = LinearSolve::new().tolerance(0.0, 1e-14);
    solves_like_cramer(LinearSolve::new().dense(), false, 1e-11);
    solves_like_cramer(tight.gmres(3), false, 1e-11);
    solves_like_cramer(tight.gmres(2).max_iterations(2000).tolerance(0.0, 1e-13), true, 1e-10);
    solves_like_cramer(tight.bicgstab().tolerance(0.0, 1e-13), false, 1e-10);
    solves_like_cramer(tight.cg().tolerance(0.0, 1e-13), true, 1e-10);
}

#[test]
fn elimination_agrees_with_krylov_methods_where_rows_must_be_exchanged() {
    // A cyclic permutation with small numbers beside: the first pivots are 0.
    let n = 7;
    let a = Array2::from_shape_fn((n, n), |(i, j)| if (i + 1) % n == j { 2.0 + i as f64 } else { 0.0 })
        + Array2::from_shape_fn((n, n), |(i, j)| if i == j { 0.0 } else { 0.01 * ((i * j) as f64).sin() });
    let x = Array1::from_iter((0..n).map(|k| 1.0 - 0.3 * k as f64));
    let b = a.dot(&x);
    for how in [LinearSolve::new().dense(), LinearSolve::new().tolerance(0.0, 1e-14)] {
        let got = everywhere(move |a: Var, b: Var| how.solve(|x| a.dot(x), b), (&a, &b));
        within(1e-13, &got, x.as_slice().unwrap());
    }
}

const RIDGE_X: [[f64; 2]; 5] = [[1.0, 0.5], [-0.5, 2.0], [0.3, -1.0], [2.0, 1.0], [-1.5, 0.7]];
const RIDGE_Y: [f64; 5] = [1.0, -0.5, 0.8, 2.2, -1.0];

/// A ridge regression's weights by minimization.
fn ridge(minimizer: Minimize) -> impl Fn(Var) -> Var + Copy {
    move |penalty: Var| {
        let x = Var::constant(Array::from_elements([5, 2], RIDGE_X.concat()).unwrap());
        let y = Var::constant(Array::from_elements([5], RIDGE_Y.to_vec()).unwrap());
        let loss = |w: Var| (x.dot(w) - y).square().sum() + penalty * w.square().sum();
        minimizer.solve(loss, Var::from(0.0).broadcast_to(&[2])).dot(weights(&[1.0, -2.0]))
    }
}

fn weights(x: &[f64]) -> Var {
    Var::constant(Array::from_elements([x.len()], x.to_vec()).unwrap())
}

#[test]
fn a_ridge_regression_s_weights_by_the_penalty() {
    // (XᵀX + s) w = Xᵀy, two by two.
    let closed = |s: Var| {
        let sum = |f: &dyn Fn([f64; 2], f64) -> f64| RIDGE_X.iter().zip(RIDGE_Y).map(|(&x, y)| f(x, y)).sum::<f64>();
        let (aa, ab, bb) = (sum(&|x, _| x[0] * x[0]), sum(&|x, _| x[0] * x[1]), sum(&|x, _| x[1] * x[1]));
        let (ay, by) = (sum(&|x, y| x[0] * y), sum(&|x, y| x[1] * y));
        let det = (aa + s) * (bb + s) - ab * ab;
        (ay * (bb + s) - by * ab) / det - 2.0 * ((aa + s) * by - ab * ay) / det
    };
    let value = |f: Vec<f64>| f[0];
    let expected = [
        value(everywhere(closed, (0.4,))),
        value(everywhere(grad(closed), (0.4,))),
        value(everywhere(grad(grad(closed)), (0.4,))),
        value(everywhere(grad(grad(grad(closed))), (0.4,))),
    ];
    derivatives(ridge(Minimize::new().newton()), 0.4, 1e-11, expected);
    derivatives(ridge(Minimize::new().tolerance(0.0, 1e-13)), 0.4, 1e-11, expected);
    let tight = LinearSolve::new().cg().tolerance(0.0, 1e-14);
    derivatives(ridge(Minimize::new().lbfgs(1).tolerance(0.0, 1e-13).linear(tight)), 0.4, 1e-10, expected);
}

// Unrolled solvers.

fn equilibrium(how: FixedPoint) -> impl Fn(Var, Var) -> Var + Copy {
    move |x: Var, w: Var| how.solve(|z| (w.dot(z) + x).tanh(), x.full_like(0.0)).dot(weights(&[1.0, -2.0, 0.5]))
}

#[test]
fn an_equilibrium_agrees_with_its_iteration_unrolled() {
    let unrolled =
        |x: Var, w: Var| fori_loop(120, x.full_like(0.0), |_, z| (w.dot(z) + x).tanh()).dot(weights(&[1.0, -2.0, 0.5]));
    let x = array![0.5, -1.0, 0.2];
    let w = array![[0.1, 0.4, -0.2], [-0.3, 0.2, 0.1], [0.25, 0.05, -0.15]];
    let first = everywhere(grad(unrolled).wrt(AllArgs), (&x, &w));
    let second = everywhere(hessian(unrolled).wrt(AllArgs), (&x, &w));
    let tight = FixedPoint::new().tolerance(0.0, 1e-15);
    for how in [tight, tight.anderson(2), tight.linear(LinearSolve::new().tolerance(0.0, 1e-14))] {
        let f = equilibrium(how);
        within(1e-10, &everywhere(f, (&x, &w)), &everywhere(unrolled, (&x, &w)));
        within(1e-10, &everywhere(grad(f).wrt(AllArgs), (&x, &w)), &first);
        within(1e-10, &everywhere(hessian(f).wrt(AllArgs), (&x, &w)), &second);
        let reverse = jacobian(grad(f).wrt(AllArgs)).wrt(AllArgs).reverse();
        within(1e-10, &everywhere(reverse, (&x, &w)), &second);
    }
}

#[test]
fn a_ridge_regression_agrees_with_its_descent_unrolled() {
    let data = |x: Vec<f64>, shape: &[usize]| Var::constant(Array::from_elements(shape, x).unwrap());
    // Steps of an eighth of half the curvature: each leaves at most a tenth of the distance.
    let unrolled = move |penalty: Var| {
        let (x, y) = (data(RIDGE_X.concat(), &[5, 2]), data(RIDGE_Y.to_vec(), &[5]));
        let step = |_, w: Var| w - ((x.dot(w) - y).dot(x) + penalty * w) / 8.0;
        fori_loop(40, Var::from(0.0).broadcast_to(&[2]), step).dot(weights(&[1.0, -2.0]))
    };
    let value = |f: Vec<f64>| f[0];
    let expected = [
        value(everywhere(unrolled, (0.4,))),
        value(everywhere(grad(unrolled), (0.4,))),
        value(everywhere(grad(grad(unrolled)), (0.4,))),
        value(everywhere(jvp_of(jvp_of(jvp_of(unrolled))), (0.4,))),
    ];
    for how in [Minimize::new().newton(), Minimize::new().tolerance(0.0, 1e-13)] {
        derivatives(ridge(how), 0.4, 1e-10, expected);
    }
}

#[test]
fn newton_unrolled_has_the_same_derivatives() {
    let f = |x: Var, p: Var| x.powi(3) + p * x - 2.0;
    let implicit = move |p: Var| root(|x| f(x, p), p.full_like(1.0));
    // Past convergence an iteration reproduces one order of derivatives after the other.
    let unrolled = move |p: Var| fori_loop(12, p.full_like(1.0), |_, x| x - f(x, p) / (3.0 * x * x + p));
    let value = |f: Vec<f64>| f[0];
    let expected = [
        value(everywhere(unrolled, (1.5,))),
        value(everywhere(grad(unrolled), (1.5,))),
        value(everywhere(grad(grad(unrolled)), (1.5,))),
        value(everywhere(jvp_of(jvp_of(jvp_of(unrolled))), (1.5,))),
    ];
    derivatives(implicit, 1.5, 1e-10, expected);
}

#[test]
fn a_strongly_convex_function_of_two_leaves() {
    // Stationary where exp(u) = a - u and 4 v³ + v = a u: the first is u = a - W(exp a).
    let least = |a: Var| {
        let f = |(u, v): (Var, Var)| u.exp() + 0.5 * u * u - a * u + v.powi(4).sum() + 0.5 * (v * v).sum();
        let (u, v) = Minimize::new().tolerance(0.0, 1e-14).solve(f, (a, a.broadcast_to(&[2])));
        u + v.sum()
    };
    let omega = |a: Var| root(|u| u.exp() + u - a, 0.5 * a);
    for at in [0.5, 2.0] {
        let expected = [
            everywhere(omega, (at,))[0],
            everywhere(grad(omega), (at,))[0],
            everywhere(grad(grad(omega)), (at,))[0],
            everywhere(grad(grad(grad(omega))), (at,))[0],
        ];
        derivatives(least, at, 1e-10, expected);
    }
}

// In every kind of region, and on rows.

#[test]
fn solutions_inside_of_regions() {
    let in_scan = |x: Var| {
        let steps = Var::stack(&[x, 2.0 * x, 3.0 * x], 0);
        scan(x, steps, |sum, a| (sum + sqrt(a + sum), ())).0
    };
    let plain_scan = |x: Var| {
        let steps = Var::stack(&[x, 2.0 * x, 3.0 * x], 0);
        scan(x, steps, |sum, a| (sum + (a + sum).sqrt(), ())).0
    };
    let in_cond = |x: Var| cond(x.greater(1.0), || sqrt(x), || x.square());
    let outer = |x: Var| root(|y| y + sqrt(y * x) - 6.0, x);
    // With s = √y: s² + √x s - 6 = 0.
    let closed = |x: Var| (0.5 * ((x + 24.0).sqrt() - x.sqrt())).square();
    let inner = |x: Var| fixed_point(|y| 0.5 * sqrt(y + x), x);
    let in_while = |x: Var| while_loop(x, |y| y.greater(1.1), sqrt);
    let plain_while = |x: Var| while_loop(x, |y| y.greater(1.1), |y| y.sqrt());
    let inner_closed = |x: Var| 0.125 * (1.0 + (1.0 + 16.0 * x).sqrt());
    for (f, g) in [
        (derive(in_scan), derive(plain_scan)),
        (derive(in_while), derive(plain_while)),
        (derive(in_cond), derive(|x: Var| x.sqrt())),
        (derive(outer), derive(closed)),
        (derive(inner), derive(inner_closed)),
    ] {
        within(2e-10, &f, &g);
    }
}

/// Value and derivatives to second order in both modes.
fn derive<F: Function<(Var,), Output = Var> + Copy>(f: F) -> Vec<f64> {
    let at = (2.5,);
    [
        everywhere(f, at),
        everywhere(grad(f), at),
        everywhere(jvp_of(f), at),
        everywhere(grad(grad(f)), at),
        everywhere(jvp_of(grad(f)), at),
        everywhere(grad(jvp_of(f)), at),
    ]
    .concat()
}

#[test]
fn solutions_of_rows() {
    let rows = array![0.5, 2.0, 9.0, 1e4];
    let expected = |k: usize| rows.iter().map(|&a| of_sqrt(a)[k]).collect::<Vec<f64>>();
    within(1e-13, &everywhere(vmap(sqrt), (&rows,)), &expected(0));
    within(1e-13, &everywhere(vmap(grad(sqrt)), (&rows,)), &expected(1));
    within(1e-12, &everywhere(vmap(grad(grad(sqrt))), (&rows,)), &expected(2));
    let sum = |a: Var| vmap(sqrt).call(a).sum();
    within(1e-13, &everywhere(grad(sum), (&rows,)), &expected(1));
    let diagonal: Vec<f64> = everywhere(hessian(sum), (&rows,)).into_iter().step_by(5).collect();
    within(1e-12, &diagonal, &expected(2));
}

#[test]
fn linear_systems_of_rows_share_their_matrix_or_their_right_hand_side() {
    for how in [LinearSolve::new().dense(), LinearSolve::new().tolerance(0.0, 1e-14)] {
        let solve = move |a: Var, b: Var| how.solve(|x| a.dot(x), b);
        let (a, b) = (array![[2.0, 1.0], [-1.0, 3.0]], array![1.0, 0.5]);
        let many_a = ndarray::stack![ndarray::Axis(0), a, 2.0 * &a, a.t().to_owned()];
        let many_b = array![[1.0, 0.5], [0.0, 2.0], [3.0, -1.0]];
        let row = |a: &Array2<f64>, b: &Array1<f64>| everywhere(solve, (a, b));
        let slope = |a: &Array2<f64>, b: &Array1<f64>| {
            everywhere(grad(move |a: Var, b: Var| solve(a, b).square().sum()).wrt(AllArgs), (a, b))
        };
        let square = move |a: Var, b: Var| solve(a, b).square().sum();
        let shared_a: Vec<f64> = many_b.rows().into_iter().flat_map(|b| row(&a, &b.to_owned())).collect();
        within(1e-13, &everywhere(vmap(solve).over(Arg::<1>), (&a, &many_b)), &shared_a);
        let shared_b: Vec<f64> = many_a.outer_iter().flat_map(|a| row(&a.to_owned(), &b)).collect();
        within(1e-13, &everywhere(vmap(solve).over(Arg::<0>), (&many_a, &b)), &shared_b);
        // The gradient by what is shared is the sum over the rows.
        let total = move |a: Var, b: Var| vmap(square).over(Arg::<1>).call(a, b).sum();
        let mut by_a = vec![0.0; 4];
        let mut by_b = Vec::new();
        for b in many_b.rows() {
            let slope = slope(&a, &b.to_owned());
            by_a.iter_mut().zip(&slope).for_each(|(sum, x)| *sum += x);
            by_b.extend_from_slice(&slope[4..]);
        }
        within(1e-12, &everywhere(grad(total).wrt(AllArgs), (&a, &many_b)), &[by_a, by_b].concat());
        let per_row: Vec<f64> = many_a.outer_iter().flat_map(|a| slope(&a.to_owned(), &b)[..4].to_vec()).collect();
        within(1e-12, &everywhere(vmap(grad(square)).over(Arg::<0>), (&many_a, &b)), &per_row);
    }
}

// Files.

#[test]
fn files_are_differentiated_again() {
    let reload = |graph: &Graph| Graph::from_json(&graph.to_json().unwrap(), &Limits::default()).unwrap();
    let solution = |a: Var| {
        let x = root(|[x, y]: [Var; 2]| [x * y - a, x - y - 1.0], [a, a]);
        x[0] + LinearSolve::new().tolerance(0.0, 1e-14).solve(|v: Var| v * a, x[1])
    };
    // x² - x = a.
    let closed = |a: Var| {
        let x = 0.5 + (0.25 + a).sqrt();
        x + (x - 1.0) / a
    };
    let mut graph = reload(&trace(solution, (DType::F64,)).unwrap());
    let mut expected = trace(closed, (DType::F64,)).unwrap();
    for order in 0..3 {
        let last = |got: Vec<f64>| got[got.len() - 1];
        within(
            1e-10,
            &[last(run_everywhere(&graph, &[Array::scalar(2.0)]))],
            &[last(run_everywhere(&expected, &[Array::scalar(2.0)]))],
        );
        graph = reload(&differentiate::grad(&graph, order, &[0]).unwrap());
        expected = differentiate::grad(&expected, order, &[0]).unwrap();
    }
}

// Options and edges.

#[test]
fn what_does_not_converge_is_a_typed_error_or_a_flag() {
    let limit = |solver: &str, outcome: Result<f64, Error>| {
        let told = format!("{solver}, at tests/implicit.rs:");
        let Err(error @ Error::Limit(_)) = &outcome else { panic!("{outcome:?}") };
        let reason = if solver == "bracket" { ", as where the function has the same sign at both ends" } else { "" };
        let (error, told_last) = (error.to_string(), format!(" iterations exceeded; it has not converged{reason}"));
        assert!(error.starts_with(&told) && error.ends_with(&told_last), "{error}");
    };
    let no_root = |a: Var| Root::new().max_iterations(30).solve(|x| x * x + a, a.full_like(1.0));
    limit("root", jit(no_root).call(1.0));
    limit("root", jit(grad(no_root)).call(1.0));
    limit("root", jit(|a: Var| Root::new().broyden().max_iterations(30).solve(|x| x * x + a, a)).call(1.0));
    limit("fixed_point", jit(|a: Var| fixed_point(|x| 2.0 * x + a, a)).call(1.0));
    limit("bracket", jit(|a: Var| bracket(|x| x * x + a, -a, a)).call(1.0));
    limit("minimize", jit(|a: Var| Minimize::new().max_iterations(50).solve(|x: Var| a * x, a)).call(1.0));
    limit("linear_solve", jit(|a: Var| LinearSolve::new().max_iterations(3).solve(|x: Var| 0.0 * x, a)).call(1.0));
    // NaN in the residual.
    limit("root", jit(|a: Var| root(|x| (x - a).ln(), a.full_like(1.0))).call(2.0));

    let flag = |outcome: (f64, bool)| outcome.1;
    let halved = |a: Var| FixedPoint::new().flagged(|x| 0.5 * x + a, a);
    assert!(flag(jit(halved).call(1.0).unwrap()));
    assert!(!flag(jit(|a: Var| FixedPoint::new().max_iterations(9).flagged(|x| 0.5 * x + a, a)).call(1.0).unwrap()));
    assert!(!flag(jit(|a: Var| FixedPoint::new().flagged(|x| x.ln(), a)).call(1.0).unwrap()));
    assert!(!flag(jit(|a: Var| Root::new().flagged(|x| x * x + a, a)).call(1.0).unwrap()));
    assert!(!flag(jit(|a: Var| Bracket::new().flagged(|x| x * x + a, -a, a)).call(1.0).unwrap()));
    assert!(!flag(jit(|a: Var| Minimize::new().max_iterations(9).flagged(|x: Var| a * x, a)).call(1.0).unwrap()));
    assert!(!flag(jit(|a: Var| LinearSolve::new().flagged(|x: Var| 0.0 * x, a)).call(1.0).unwrap()));
    assert!(flag(jit(|a: Var| LinearSolve::new().flagged(|x: Var| a * x, a)).call(3.0).unwrap()));
    // The derivative of a flagged solution.
    let slope: f64 = jit(grad(move |a: Var| halved(a).0)).call(1.0).unwrap();
    within(1e-14, &[slope], &[2.0]);
}

#[test]
fn all_operations_bear_lines_of_the_user() {
    let f = |a: Var| {
        let x = linear_solve(|x: Var| a * x, a.full_like(1.0));
        let y = bracket(|y| y - x, a * 0.0, a);
        let z = minimize(|z: Var| (z - y).square(), y);
        root(|x| x * x - z, a) + fixed_point(|x| 0.5 * x + a, a)
    };
    let listing = trace(grad(f), (DType::F64,)).unwrap().to_string();
    assert!(listing.contains("# tests/implicit.rs") && !listing.contains("src/transform/implicit"), "{listing}");
}

#[test]
fn functions_that_do_not_fit_are_refused() {
    let error = |outcome: Result<Graph, Error>| outcome.expect_err("this should not trace").to_string();
    let one = (DType::F64,);
    let wrong = error(trace(|a: Var| root(|x: Var| x.insert_axis(0) * a, a), one));
    assert!(wrong.contains("root: the function: returns out: f64[1], where the unknown is x: f64[]"), "{wrong}");
    let wrong = error(trace(|a: Var| root(|x: Vec<Var>| vec![x[0]], vec![a, a])[0], one));
    assert!(wrong.contains("root: the function: returns 1 arrays, where the unknown is 2"), "{wrong}");
    let wrong = error(trace(|a: Var| linear_solve(|x: Var| Var::stack(&[x, a], 0), a), one));
    assert!(
        wrong.contains("linear_solve: the function: returns out: f64[2], where the unknown is x: f64[]"),
        "{wrong}"
    );
    let wrong = error(trace(|a: Var| minimize(|x: Var| x * a, a.insert_axis(0)), one));
    assert!(wrong.contains("minimize: the function must return a f64[], but returns f64[1]"), "{wrong}");
    let wrong = error(trace(|a: Var| bracket(|x| x - a, a, a.insert_axis(0)), one));
    assert!(wrong.contains("bracket: hi must be a scalar, but is f64[1]"), "{wrong}");
    let wrong = error(trace(|a: Var| root(|x: Var| x, a.convert(DType::I64)), one));
    assert!(wrong.contains("must be of floating point"), "{wrong}");
    let wrong = error(trace(|a: Var| root(|x: (Var, Var)| x, (a, a.convert(DType::F32))).0, one));
    assert!(wrong.contains("root: the unknown must be of one dtype, but x.0 is of f64, and x.1 of f32"), "{wrong}");
    let wrong = error(trace(|a: Var| root(|x: Vec<Var>| x, Vec::new()).iter().fold(a, |a, &x| a + x), one));
    assert!(wrong.contains("root: the unknown has no array"), "{wrong}");
}

#[test]
fn an_unknown_without_elements_is_solved_at_once() {
    let empty = Array1::<f64>::zeros(0);
    let by_root = |b: Var| root(|x| x * x - b, b);
    let by_broyden = |b: Var| Root::new().broyden().solve(|x| x * x - b, b);
    let by_iteration = |b: Var| fixed_point(|x| x * b, b);
    let by_anderson = |b: Var| FixedPoint::new().anderson(3).solve(|x| x * b, b);
    let by_gmres = |b: Var| linear_solve(|x: Var| 2.0 * x, b);
    let by_cg = |b: Var| LinearSolve::new().cg().solve(|x: Var| 2.0 * x, b);
    let by_bicgstab = |b: Var| LinearSolve::new().bicgstab().solve(|x: Var| 2.0 * x, b);
    let least = |b: Var| minimize(|x: Var| (x - b).square().sum(), b);
    let newton = |b: Var| Minimize::new().newton().solve(|x: Var| (x - b).square().sum(), b);
    let none: [f64; 0] = [];
    assert_eq!(everywhere(by_root, (&empty,)), none);
    assert_eq!(everywhere(by_broyden, (&empty,)), none);
    assert_eq!(everywhere(by_iteration, (&empty,)), none);
    assert_eq!(everywhere(by_anderson, (&empty,)), none);
    assert_eq!(everywhere(by_gmres, (&empty,)), none);
    assert_eq!(everywhere(by_cg, (&empty,)), none);
    assert_eq!(everywhere(by_bicgstab, (&empty,)), none);
    assert_eq!(everywhere(least, (&empty,)), none);
    assert_eq!(everywhere(newton, (&empty,)), none);
    assert_eq!(everywhere(grad(move |b: Var| by_root(b).sum()), (&empty,)), none);
    assert_eq!(everywhere(grad(move |b: Var| by_gmres(b).sum()), (&empty,)), none);
}

#[test]
fn a_right_hand_side_of_zeros_and_a_guess_that_is_the_root() {
    for how in [LinearSolve::new(), LinearSolve::new().cg(), LinearSolve::new().bicgstab(), LinearSolve::new().dense()]
    {
        let solve = move |b: Var| how.solve(|x: Var| 3.0 * x, b);
        assert_eq!(everywhere(solve, (array![0.0, 0.0],)), [0.0, 0.0]);
        within(1e-10, &everywhere(grad(move |b: Var| solve(b).sum()), (array![0.0, 0.0],)), &[1.0 / 3.0; 2]);
    }
    // At a double root the Jacobian is singular, but nothing is left to do.
    assert_eq!(everywhere(|a: Var| root(|x| (x - a).square(), a), (2.0,)), [2.0]);
    assert_eq!(everywhere(|a: Var| bracket(|x| x - a, a, a + 1.0), (2.0,)), [2.0]);
    assert_eq!(everywhere(|a: Var| bracket(|x| x - a, a - 1.0, a), (2.0,)), [2.0]);
    // No derivative flows to the guess.
    assert_eq!(everywhere(grad(|x0: Var| root(|x| x * x - 2.0, x0)), (1.0,)), [0.0]);
}

#[test]
fn single_precision() {
    let root = |a: Var| root(|x| x * x - a, a.full_like(1.0));
    let linear = |a: Var| linear_solve(|x: Var| a * x, a.full_like(3.0));
    let point = |a: Var| fixed_point(|x| 0.5 * (x + a / x), a);
    let least = |a: Var| minimize(|x: Var| x.cosh() - a * x, a);
    let between = |a: Var| bracket(|x| x * x - a, 0.0 * a, a);
    let check = |got: f32, expected: f32| assert!((got - expected).abs() < 2e-5, "{got} is not {expected}");
    let a = 2.0f32;
    for (value, slope, expected) in [
        (jit(root).call(a).unwrap(), jit(grad(root)).call(a).unwrap(), [a.sqrt(), 0.5 / a.sqrt()]),
        (jit(point).call(a).unwrap(), jit(grad(point)).call(a).unwrap(), [a.sqrt(), 0.5 / a.sqrt()]),
        (jit(between).call(a).unwrap(), jit(grad(between)).call(a).unwrap(), [a.sqrt(), 0.5 / a.sqrt()]),
        (jit(linear).call(a).unwrap(), jit(grad(linear)).call(a).unwrap(), [3.0 / a, -3.0 / (a * a)]),
        (jit(least).call(a).unwrap(), jit(grad(least)).call(a).unwrap(), [a.asinh(), 1.0 / (1.0 + a * a).sqrt()]),
    ] {
        check(value, expected[0]);
        check(slope, expected[1]);
    }
}

#[test]
fn brackets_narrow_to_the_last_bits_of_hard_functions() {
    let steep = |a: Var| bracket(|x| (x - a).powi(9), 0.0 * a, a.full_like(10.0));
    let far = |a: Var| bracket(|x| (1e3 * (x - a)).atan(), a.full_like(-1e6), a.full_like(1e6));
    let jump = |a: Var| bracket(|x| (x - a).signum(), a.full_like(-3.0), a.full_like(8.0));
    within(1e-14, &everywhere(steep, (1.7,)), &[1.7]);
    within(1e-14, &everywhere(far, (1.7,)), &[1.7]);
    within(1e-14, &everywhere(jump, (1.7,)), &[1.7]);
}

/// What is called least is: steps that go nowhere, that lead uphill or that are short beside a large x are not.
#[test]
fn minimizers_know_whether_they_have_converged() {
    type Function = fn(Var) -> Var;
    let (newton, lbfgs) = (Minimize::new().newton(), Minimize::new());
    let at = |how: Minimize, f: Function, x0: Array1<f64>| -> (f64, f64, bool) {
        let run = move |x0: Var| {
            let (x, converged) = how.flagged(f, x0);
            (f(x), grad(f).call(x).abs().max_all(), converged)
        };
        jit(run).call(x0).unwrap()
    };
    let huber: Function = |x| ((1.0 + x.square()).sqrt() - 1.0).sum();
    let log_cosh: Function = |x| x.cosh().ln().sum();
    for how in [newton, lbfgs] {
        // The Hessian of a norm is singular along x; all slopes beyond 1 are the same; a sigmoid has no minimum.
        for (f, x0) in [
            (Var::norm as Function, array![1.0, 2.0]),
            (huber, array![1e8, 1.0]),
            (log_cosh, array![15.0]),
            (log_cosh, array![20.0, -3.0]),
            (|x| x.sigmoid().sum(), array![1e8, 1.0]),
        ] {
            let before: f64 = jit(f).call(&x0).unwrap();
            let (after, slope, converged) = at(how, f, x0.clone());
            assert!(after <= before, "{how:?} {x0}: {after}, {before}");
            assert!(!converged || slope < 1e-9, "{how:?} {x0}: {after}, {slope}");
        }
        let (least, _, converged) = at(how, log_cosh, array![15.0]);
        assert!(least < 1e-15 && converged, "{how:?}: {least}");
        // A gradient of 0 where the function is infinite, and NaN, which is infinity less infinity.
        assert!(!at(how, log_cosh, array![800.0]).2);
        assert!(!at(how, Var::norm_squared, array![f64::INFINITY, 1.0]).2);
        assert!(!at(how, |x| (1.0 + x.norm_squared()).sqrt(), array![1e200, 0.0]).2);
        // Beside the slope at the guess, which is infinite, all are small.
        let edge: Function = |x| x.slice(0, ..1).sqrt().sum() + (x.slice(0, 1..) - 3.0).square().sum();
        assert!(!at(how, edge, array![0.0, 1.0]).2);
        let solved = move |x0: Var| how.max_iterations(100).solve(log_cosh, x0);
        assert!(matches!(jit(solved).call::<Array1<f64>>(array![800.0]), Err(Error::Limit(_))));
        // Elements that the function does not depend on make the Hessian singular.
        assert!(at(how, |x| (x.slice(0, ..1) - 3.0).square().sum(), array![1.0, 7.0]).2);
    }
}

#[test]
fn few_iterations_suffice() {
    let count = |f: &dyn Fn(u64) -> bool| (1..500).find(|&n| f(n)).unwrap();
    let newton =
        |n: u64| jit(move |a: Var| Root::new().max_iterations(n).flagged(|x| x * x - a, a).1).call(3.0).unwrap();
    let broyden = |n: u64| {
        let f = move |a: Var| Root::new().broyden().max_iterations(n).flagged(|x| x * x - a, a).1;
        jit(f).call(3.0).unwrap()
    };
    let between = |n: u64| {
        let f = move |a: Var| Bracket::new().max_iterations(n).flagged(|x| x * x - a, 0.0 * a, a).1;
        jit(f).call(3.0).unwrap()
    };
    let anderson = |n: u64| {
        let f = move |a: Var| FixedPoint::new().anderson(2).max_iterations(n).flagged(|x| a * x.cos(), a).1;
        jit(f).call(0.9).unwrap()
    };
    let lbfgs = |n: u64| {
        let f = |x: Var| (x.slice(0, 1..) - x.slice(0, ..1).square()).square().sum() * 100.0 + (1.0 - x).square().sum();
        let f = move |x0: Var| Minimize::new().max_iterations(n).flagged(f, x0).1;
        jit(f).call(array![-1.2, 1.0]).unwrap()
    };
    let counts = [count(&newton), count(&broyden), count(&between), count(&anderson), count(&lbfgs)];
    let most = [7, 12, 14, 12, 60];
    assert!(counts.iter().zip(most).all(|(&n, most)| n <= most), "{counts:?}");
}
