//! Functions with rules of their own for their derivatives: both modes and all orders from either kind of rule, inside
//! every kind of region, from files, and the errors of rules that do not fit.

pub mod common;

use common::everywhere::{everywhere, run_everywhere};
use ndarray::{Array1, array};
use retrograd::ir::{Limits, NodeId};
use retrograd::op::{Custom, CustomRule, Graph, Op};
use retrograd::optimize::optimize;
use retrograd::value::{Array, DType, Type};
use retrograd::{
    AllArgs, Arg, Error, Function, Loop, Program, Var, checkpoint, cond, custom_jvp, custom_vjp, differentiate,
    fori_loop, grad, jit, jvp, map, scan, switch, taylor, trace, vjp, vmap, while_loop,
};

#[track_caller]
fn near(got: &[f64], expected: &[f64]) {
    let same = got.len() == expected.len()
        && got.iter().zip(expected).all(|(x, y)| (x - y).abs() <= 1e-13 * (1.0 + y.abs()) || x.is_nan() && y.is_nan());
    assert!(same, "{got:?} is not {expected:?}");
}

/// The error that tracing a function of one number ends in.
fn error_of<F: Function<(Var,)>>(f: F) -> String {
    trace(f, (DType::F64,)).expect_err("this should not trace").to_string()
}

// Typical uses.

/// log(1 + exp x)
fn softplus(x: Var) -> Var {
    custom_vjp(|x: Var| x.exp().ln_1p(), |(x,): (Var,), _, ct: Var| (ct * x.sigmoid(),)).call(x)
}

/// Rounds, and lets derivatives pass as if it did not.
fn straight_through(x: Var) -> Var {
    custom_vjp(|x: Var| x.round(), |_: (Var,), _, ct: Var| (ct,)).call(x)
}

/// The root of y² = a by Newton's method, with the derivative of the equation.
fn root(a: Var) -> Var {
    let newton = |a: Var| while_loop(a, |y| (y * y - a).abs().greater(1e-15 * a), |y| 0.5 * (y + a / y));
    custom_jvp(newton, |_: (Var,), y: Var, (da,): (Var,)| da / (2.0 * y)).call(a)
}

#[test]
fn softplus_is_stable_to_the_third_order() {
    near(&everywhere(grad(softplus), (1000.0,)), &[1.0]);
    near(&everywhere(grad(|x: Var| x.exp().ln_1p()), (1000.0,)), &[0.0]);
    let x = 0.7f64;
    let s = 1.0 / (1.0 + (-x).exp());
    near(&everywhere(softplus, (x,)), &[x.exp().ln_1p()]);
    near(&everywhere(grad(softplus), (x,)), &[s]);
    near(&everywhere(grad(grad(softplus)), (x,)), &[s * (1.0 - s)]);
    near(&everywhere(grad(grad(grad(softplus))), (x,)), &[s * (1.0 - s) * (1.0 - 2.0 * s)]);
    near(&everywhere(jvp(grad(jvp_of(softplus))), (x, 1.0)), &[s * (1.0 - s), s * (1.0 - s) * (1.0 - 2.0 * s)]);
}

/// The derivative in forward mode.
fn jvp_of<F: Function<(Var,), Output = Var> + Copy>(f: F) -> impl Fn(Var) -> Var + Copy {
    move |x: Var| jvp(f).call(x, x.full_like(1.0)).1
}

#[test]
fn rounding_passes_derivatives_through() {
    let f = |x: Var| straight_through(x).powi(2);
    near(&everywhere(f, (2.7,)), &[9.0]);
    near(&everywhere(grad(f), (2.7,)), &[6.0]);
    near(&everywhere(jvp(f), (2.7, 1.0)), &[9.0, 6.0]);
    near(&everywhere(grad(grad(f)), (2.7,)), &[2.0]);
    near(&everywhere(jvp(jvp_of(f)), (2.7, 1.0)), &[6.0, 2.0]);
}

#[test]
fn gradients_are_reversed_and_clipped() {
    let reversed = |x: Var| custom_vjp(|x: Var| x, |_: (Var,), _, ct: Var| (-ct,)).call(x.sin()) * 2.0;
    near(&everywhere(grad(reversed), (0.3,)), &[-2.0 * 0.3f64.cos()]);
    near(&everywhere(jvp(reversed), (0.3, 1.0)), &[2.0 * 0.3f64.sin(), -2.0 * 0.3f64.cos()]);
    let clipped = |x: Var| custom_vjp(|x: Var| x, |_: (Var,), _, ct: Var| (ct.clamp(-1.0, 1.0),)).call(x).powi(3);
    near(&everywhere(grad(clipped), (0.5,)), &[0.75]);
    near(&everywhere(grad(clipped), (10.0,)), &[1.0]);
    // The second derivative is clipped on its way back, as the first is.
    near(&everywhere(grad(grad(clipped)), (0.1,)), &[0.6]);
    near(&everywhere(grad(grad(clipped)), (0.5,)), &[1.0]);
    near(&everywhere(grad(grad(clipped)), (10.0,)), &[0.0]);
    // Not linear in ct: forward mode takes the slope around 0.
    near(&everywhere(jvp(clipped), (10.0, 1.0)), &[1000.0, 300.0]);
}

#[test]
fn a_solver_has_the_derivative_of_its_equation() {
    let a = 3.0f64;
    near(&everywhere(root, (a,)), &[a.sqrt()]);
    near(&everywhere(grad(root), (a,)), &[0.5 / a.sqrt()]);
    near(&everywhere(grad(grad(root)), (a,)), &[-0.25 * a.powf(-1.5)]);
    near(&everywhere(grad(grad(grad(root))), (a,)), &[0.375 * a.powf(-2.5)]);
    near(&everywhere(jvp(grad(root)), (a, 1.0)), &[0.5 / a.sqrt(), -0.25 * a.powf(-1.5)]);
    // Nothing is saved for a reverse run through the loop.
    let gradient = optimize(&trace(grad(root), (DType::F64,)).unwrap()).unwrap();
    assert!(!gradient.to_string().contains("stack"), "{gradient}");
}

// Both modes and all orders.

/// sin(x w) and ∑ x² w, with the derivative by hand.
fn by_vjp(x: Var, w: Var) -> (Var, Var) {
    let function = |x: Var, w: Var| ((x * w).sin(), (x * x * w).sum());
    let rule = |(x, w): (Var, Var), _: (Var, Var), (a, b): (Var, Var)| {
        let outer = a * (x * w).cos();
        (outer * w + 2.0 * x * w * b, (outer * x).sum() + (x * x).sum() * b)
    };
    custom_vjp(function, rule).call(x, w)
}

fn by_jvp(x: Var, w: Var) -> (Var, Var) {
    let function = |x: Var, w: Var| ((x * w).sin(), (x * x * w).sum());
    let rule = |(x, w): (Var, Var), _: (Var, Var), (dx, dw): (Var, Var)| {
        ((x * w).cos() * (dx * w + x * dw), (2.0 * x * w * dx + x * x * dw).sum())
    };
    custom_jvp(function, rule).call(x, w)
}

fn plain(x: Var, w: Var) -> (Var, Var) {
    ((x * w).sin(), (x * x * w).sum())
}

type Pair = fn(Var, Var) -> (Var, Var);

#[test]
fn both_kinds_of_rules_serve_both_modes_to_the_third_order() {
    let x = Array::from_elements([3], vec![0.3, -0.7, 1.1]).unwrap();
    let w = Array::scalar(0.8);
    let loss = |f: Pair| {
        move |x: Var, w: Var| {
            let (a, b) = f(x, w);
            (a * b).sum() + a.square().sum() * b.sin()
        }
    };
    for f in [by_vjp as Pair, by_jvp as Pair] {
        let f = loss(f);
        let of_plain = loss(plain);
        let reverse = || grad(f).wrt(AllArgs);
        let first = |x: Var, w: Var| {
            let (dx, dw) = grad(f).wrt(AllArgs).call(x, w);
            (dx * x.exp()).sum() + dw * w
        };
        let first_plain = |x: Var, w: Var| {
            let (dx, dw) = grad(of_plain).wrt(AllArgs).call(x, w);
            (dx * x.exp()).sum() + dw * w
        };
        let args = (x.clone(), w.clone());
        let tangents = (x.clone(), w.clone(), (x.clone(), w.clone()));
        near(&everywhere(reverse(), args.clone()), &everywhere(grad(of_plain).wrt(AllArgs), args.clone()));
        near(
            &everywhere(jvp(f).wrt(AllArgs), tangents.clone()),
            &everywhere(jvp(of_plain).wrt(AllArgs), tangents.clone()),
        );
        // Reverse over reverse, forward over reverse, and reverse over forward over reverse.
        near(
            &everywhere(grad(first).wrt(AllArgs), args.clone()),
            &everywhere(grad(first_plain).wrt(AllArgs), args.clone()),
        );
        near(
            &everywhere(jvp(first).wrt(AllArgs), tangents.clone()),
            &everywhere(jvp(first_plain).wrt(AllArgs), tangents.clone()),
        );
        let third =
            |first: &dyn Fn(Var, Var) -> Var, x: Var, w: Var| jvp(|x: Var, w: Var| first(x, w)).call(x, w, x.cos()).1;
        near(
            &everywhere(grad(|x: Var, w: Var| third(&first, x, w)).wrt(AllArgs), args.clone()),
            &everywhere(grad(|x: Var, w: Var| third(&first_plain, x, w)).wrt(AllArgs), args.clone()),
        );
        // Forward over forward.
        let forward = |f: &dyn Fn(Var, Var) -> Var, x: Var, w: Var| jvp(|x: Var, w: Var| f(x, w)).call(x, w, x.cos()).1;
        near(
            &everywhere(jvp(|x: Var, w: Var| forward(&f, x, w)).wrt(AllArgs), tangents.clone()),
            &everywhere(jvp(|x: Var, w: Var| forward(&of_plain, x, w)).wrt(AllArgs), tangents),
        );
    }
}

// Regions.

#[test]
fn rules_are_used_in_every_region() {
    // Twice the true slope shows that the rule was used, in either mode.
    let doubled = |x: Var| custom_vjp(|x: Var| x.sin(), |(x,): (Var,), _, ct: Var| (2.0 * ct * x.cos(),)).call(x);
    let moved = |x: Var| custom_jvp(|x: Var| x.sin(), |(x,): (Var,), _, (t,): (Var,)| 2.0 * t * x.cos()).call(x);
    let (x, slope) = (0.4f64, 2.0 * 0.4f64.cos());
    let bend = -2.0 * x.sin();
    for f in [&doubled as &dyn Fn(Var) -> Var, &moved] {
        let check = |g: &dyn Fn(Var) -> Var, slope: f64, bend: f64| {
            let g = |x: Var| g(x);
            near(&everywhere(grad(g), (x,)), &[slope]);
            near(&everywhere(jvp(g), (x, 1.0))[1..], &[slope]);
            near(&everywhere(grad(grad(g)), (x,)), &[bend]);
            near(&everywhere(jvp(grad(g)), (x, 1.0))[1..], &[bend]);
        };
        check(&|x| f(x), slope, bend);
        check(&|x| cond(x.greater(0.0), || f(x), || x), slope, bend);
        check(&|x| switch(x.convert(DType::I64), 2, |k| if k == 0 { f(x) } else { x }), slope, bend);
        check(&|x| checkpoint(|x: Var| f(x)).call(x), slope, bend);
        check(&|x| map(x.broadcast_to(&[3]), f).sum(), 3.0 * slope, 3.0 * bend);
        check(&|x| scan(x * 0.0, x.broadcast_to(&[3]), |sum, x| (sum + f(x), ())).0, 3.0 * slope, 3.0 * bend);
        let counted = |x: Var| {
            let counter = (Var::from(0i64), x * 0.0);
            while_loop(counter, |(k, _)| k.less(3), |(k, sum)| (k + 1, sum + f(x))).1
        };
        check(&counted, 3.0 * slope, 3.0 * bend);
        let sparing = |x: Var| {
            let run = Loop::new().checkpoint(retrograd::op::Schedule::Binomial(2));
            run.fori_loop(3, x * 0.0, |_, sum| sum + f(x))
        };
        check(&sparing, 3.0 * slope, 3.0 * bend);
        // Within the function and the rule of another.
        let outer = |x: Var| custom_vjp(|x: Var| f(x), |(x,): (Var,), _, ct: Var| (ct * f(x),)).call(x);
        check(&outer, x.sin(), slope);
        // The function holds a loop, and the rule a loop and a branch.
        let looped = |x: Var| {
            let rule = |(x,): (Var,), _: Var, ct: Var| {
                let sum = scan(x * 0.0, x.broadcast_to(&[3]), |sum, x| (sum + ct * f(x), ())).0;
                (cond(x.greater(0.0), || sum, || -sum),)
            };
            custom_vjp(|x: Var| Loop::new().fori_loop(2, x, |_, x| f(x)), rule).call(x)
        };
        check(&looped, 3.0 * x.sin(), 3.0 * slope);
    }
}

// Trees.

#[derive(Clone, retrograd::Tree)]
struct Layer<T> {
    w: T,
    index: T,
}

#[test]
fn arguments_and_values_are_trees() {
    let f = custom_vjp(
        |layer: Layer<Var>, x: Vec<Var>| ((layer.w * x[0], layer.index + 1), [x[1]]),
        |(layer, x): (Layer<Var>, Vec<Var>), _, ((y, index), [z]): ((Var, Var), [Var; 1])| {
            assert_eq!((index.ty(), x.len()), (Type::scalar(DType::I64), 2));
            // What is not of floating point is ignored, whatever it is.
            (Layer { w: 10.0 * (y * x[0]).sum(), index: y }, vec![y * layer.w, z * 3.0])
        },
    );
    let loss = move |w: Var, x: Vec<Var>| {
        let ((y, index), [z]) = f.call(Layer { w, index: Var::from(4i64) }, x);
        (y.sum() + index.convert(DType::F64) + 2.0 * z, index)
    };
    let x = vec![Array::from_elements([2], vec![1.0, 2.0]).unwrap(), Array::scalar(7.0)];
    let got = everywhere(
        move |w: Var, x: Vec<Var>| grad(move |w: Var, x: Vec<Var>| loss(w, x).0).wrt(AllArgs).call(w, x),
        (3.0, x),
    );
    near(&got, &[30.0, 3.0, 3.0, 6.0]);
}

#[test]
fn functions_of_many_arguments_and_of_f32() -> Result<(), Error> {
    let f = custom_jvp(
        |a: Var, b: Var, c: Var, d: Var| a * b + c * d,
        |(a, b, c, d): (Var, Var, Var, Var), _, (da, db, dc, dd): (Var, Var, Var, Var)| {
            a * db + b * da + c * dd + d * dc
        },
    );
    let slopes: (f32, f32, f32, f32) = jit(grad(f).wrt(AllArgs)).call(2f32, 3f32, 5f32, 7f32)?;
    assert_eq!(slopes, (3.0, 2.0, 7.0, 5.0));
    Ok(())
}

// Zeros and NaN.

#[test]
fn a_rule_that_makes_nan_is_seen_and_one_that_is_not_needed_is_not_used() {
    let nan = |x: Var| custom_vjp(|x: Var| x * 2.0, |_: (Var,), _, ct: Var| (ct * f64::NAN,)).call(x);
    assert!(everywhere(grad(nan), (1.0,))[0].is_nan());
    assert!(everywhere(jvp(nan), (1.0, 1.0))[1].is_nan());
    near(&everywhere(grad(move |x: Var| nan(x).stop_gradient() + x), (1.0,)), &[1.0]);
    near(&everywhere(grad(move |x: Var| nan(x.stop_gradient()) + x), (1.0,)), &[1.0]);
    near(&everywhere(grad(move |x: Var| nan(x).floor() + x), (1.0,)), &[1.0]);
    // Where no rule is needed none is appended.
    let graph = trace(grad(move |x: Var| nan(x.stop_gradient()) + x), (DType::F64,)).unwrap();
    assert!(!graph.to_string().contains("nan"), "{graph}");
}

#[test]
fn a_value_without_cotangent_gets_zeros() {
    // The rule takes cotangents of both values, of which one is not used.
    let f = custom_vjp(|x: Var| (x.sin(), x.cos()), |(x,): (Var,), _, (a, b): (Var, Var)| (a * x.cos() - b * x.sin(),));
    near(&everywhere(grad(move |x: Var| f.call(x).1), (0.4,)), &[-0.4f64.sin()]);
    near(&everywhere(vjp(f), (0.4, (1.0, 0.0)))[2..], &[0.4f64.cos()]);
}

// Errors.

#[test]
fn captured_values_are_refused_with_their_name_and_line() {
    let outer = |x: Var| {
        let y = x.exp();
        custom_vjp(|x: Var| x, move |_: (Var,), _, ct: Var| (ct * y,)).call(x)
    };
    let error = error_of(outer);
    assert!(
        error.starts_with("custom_vjp: the rule captures %0; pass it as an argument\n  %0: f64[] = exp %x"),
        "{error}"
    );
    assert!(error.contains("tests/custom.rs"), "{error}");
    let error = error_of(|x: Var| custom_jvp(move |y: Var| x * y, |_: (Var,), _, (t,): (Var,)| t).call(2.0 * x));
    assert!(error.starts_with("custom_jvp: the function captures x; pass it as an argument"), "{error}");
    // A number is no argument.
    let scaled = |x: Var| {
        let two = Var::from(2.0);
        custom_vjp(move |x: Var| x * two, move |_: (Var,), _, ct: Var| (ct * two,)).call(x)
    };
    near(&everywhere(grad(scaled), (1.0,)), &[2.0]);
    // Within a loop, too.
    let error = error_of(|x: Var| {
        scan(x, x.broadcast_to(&[2]), |sum, row| {
            (custom_vjp(move |y: Var| y * row, |_: (Var,), _, ct: Var| (ct,)).call(sum), ())
        })
        .0
    });
    assert!(error.starts_with("custom_vjp: the function captures x; pass it as an argument"), "{error}");
}

#[test]
fn rules_that_do_not_fit_are_refused() {
    let error = error_of(|x: Var| custom_vjp(|x: Var| x, |_: (Var,), _, ct: Var| (ct.broadcast_to(&[2]),)).call(x));
    assert!(
        error.starts_with("trace: custom_vjp: the rule: returns x.0: f64[2], where its arguments are x.0: f64[]"),
        "{error}"
    );
    let error = error_of(|x: Var| {
        custom_jvp(|x: Var| (x, x), |_: (Var,), _, (t,): (Var,)| (t, t.convert(DType::F32))).call(x).0
    });
    assert!(
        error.starts_with("trace: custom_jvp: the rule: returns out.1: f32[], where its value is out.1: f64[]"),
        "{error}"
    );
    let error =
        error_of(|x: Var| custom_vjp(|x: Vec<Var>| x[0], |_: (Vec<Var>,), _, ct: Var| (vec![ct],)).call(vec![x, x]));
    assert!(error.starts_with("trace: custom_vjp: the rule: returns 1 arrays, where its arguments are 2"), "{error}");
    // The rule's own error comes with its line.
    let error = error_of(|x: Var| custom_vjp(|x: Var| x, |_: (Var,), _, ct: Var| (ct.sum_axes(&[3]),)).call(x));
    assert!(error.contains("sum_axes") && error.contains("tests/custom.rs"), "{error}");
    let error =
        error_of(|x: Var| custom_vjp(|x: Var| x, |(x,): (Var,), _, ct: Var| (if x > 0.0 { ct } else { -ct },)).call(x));
    assert!(error.contains("cond"), "{error}");
}

#[test]
fn signatures_are_checked_by_the_graph() {
    let ty = Type::scalar(DType::F64);
    let region = |n: usize, m: usize| {
        let mut graph = Graph::new("r");
        let x: Vec<_> = (0..n).map(|k| graph.add_input(format!("x{k}"), ty.clone()).unwrap()).collect();
        (0..m).for_each(|k| drop(graph.add_output(format!("y{k}"), x[0])));
        graph
    };
    let of = |rule: CustomRule, [function, given]: [Graph; 2]| {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", ty.clone()).unwrap();
        let y = graph.add_input("y", ty.clone()).unwrap();
        let regions = [function.into(), given.into()];
        let node: Result<NodeId, Error> =
            graph.add_with_regions(Custom { rule }.into(), &[x, y], regions.into(), Default::default());
        node.err().map(|error| error.to_string().lines().next().unwrap_or_default().to_string())
    };
    let (jvp, vjp) = (CustomRule::Jvp, CustomRule::Vjp);
    assert_eq!(of(vjp, [region(2, 1), region(4, 2)]), None);
    assert_eq!(of(jvp, [region(2, 1), region(5, 1)]), None);
    let three = "f64[] and f64[] and f64[]";
    assert_eq!(
        of(vjp, [region(3, 1), region(4, 2)]),
        Some(format!("custom: the function must take f64[] and f64[], but takes {three}"))
    );
    assert_eq!(
        of(vjp, [region(2, 1), region(3, 2)]),
        Some(format!("custom: the rule must take {three} and f64[], but takes {three}"))
    );
    assert_eq!(
        of(vjp, [region(2, 1), region(4, 1)]),
        Some("custom: the rule must give f64[] and f64[], but gives f64[]".to_string())
    );
    assert_eq!(
        of(jvp, [region(2, 1), region(5, 0)]),
        Some("custom: the rule must give f64[], but gives nothing".to_string())
    );
}

// Files and code.

/// The gradient by the first input, from the file of a graph.
fn grad_of_file(graph: &Graph) -> Graph {
    let loaded = Graph::from_json(&graph.to_json().unwrap(), &Limits::default()).unwrap();
    let last = loaded.outputs().len() - 1;
    differentiate::grad(&loaded, last, &[0]).unwrap()
}

#[test]
fn files_keep_their_rules_through_optimization_and_two_orders() {
    let s = 1.0 / (1.0 + (-0.7f64).exp());
    for f in [trace(softplus, (DType::F64,)).unwrap(), optimize(&trace(softplus, (DType::F64,)).unwrap()).unwrap()] {
        let first = grad_of_file(&f);
        let second = grad_of_file(&optimize(&first).unwrap());
        let third = grad_of_file(&second);
        let at = [Array::scalar(0.7)];
        near(&run_everywhere(&first, &at)[1..], &[s]);
        near(&run_everywhere(&second, &at)[2..], &[s * (1.0 - s)]);
        near(&run_everywhere(&third, &at)[3..], &[s * (1.0 - s) * (1.0 - 2.0 * s)]);
        near(&run_everywhere(&first, &[Array::scalar(1000.0)])[1..], &[1.0]);
    }
}

#[test]
fn compiled_code_is_that_of_the_function() {
    let matrix = (Type::new(DType::F64, [40]),);
    let code = |graph: &Graph| {
        let inspection = Program::inspect(graph).unwrap();
        (inspection.clif(), inspection.plan.kernels.len())
    };
    let own = trace(|x: Var| softplus(x).sum(), matrix.clone()).unwrap();
    let plain = trace(|x: Var| x.exp().ln_1p().sum(), matrix.clone()).unwrap();
    assert_eq!(code(&own), code(&optimize(&plain).unwrap()));
    // What function and rule have in common is computed once: the value and its gradient call exp once each.
    let swish = |x: Var| {
        custom_vjp(
            |x: Var| x * x.sigmoid(),
            |(x,): (Var,), _, ct: Var| (ct * (x.sigmoid() + x * x.logistic_derivative()),),
        )
        .call(x)
    };
    let both = trace(retrograd::value_and_grad(move |x: Var| swish(x).sum()), matrix).unwrap();
    let text = code(&optimize(&both).unwrap()).0;
    assert_eq!(text.matches("logistic ").count(), text.matches("logistic_derivative").count(), "{text}");
}

#[test]
fn functions_in_functions_in_functions_end_in_a_limit() {
    // Each level applies the one below twice: 2^40 operations in all.
    fn level(n: usize, x: Var) -> Var {
        if n == 0 { x.sin() } else { custom_vjp(move |x: Var| level(n - 1, x), |_: (Var,), _, ct: Var| (ct,)).call(x) }
    }
    near(&everywhere(|x: Var| level(20, x), (0.25,)), &[0.25f64.sin()]);
    let mut graph = trace(|x: Var| x.sin(), (DType::F64,)).unwrap();
    for _ in 0..40 {
        let region = std::sync::Arc::new(graph);
        let pass =
            std::sync::Arc::new(trace(|_: Var, _: Var, ct: Var| ct, (DType::F64, DType::F64, DType::F64)).unwrap());
        graph = Graph::new("f");
        let mut x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
        for _ in 0..2 {
            let regions = [region.clone(), pass.clone()];
            let op = Op::from(Custom { rule: CustomRule::Vjp });
            x = graph.add_with_regions(op, &[x], regions.into(), Default::default()).unwrap().into();
        }
        graph.add_output("y", x).unwrap();
    }
    assert!(matches!(Program::compile(&graph), Err(Error::Limit(_))));
}

/// The power series of a function with a rule, by either mode of the rule, and through a loop.
#[test]
fn series_of_any_order_follow_from_the_rule() -> Result<(), Error> {
    let plain = |x: Var, y: Var| x.softplus() * y;
    let forward = |x: Var, y: Var| {
        let softplus = custom_jvp(|x: Var| x.softplus(), |(x,): (Var,), _: Var, (t,): (Var,)| t * x.sigmoid());
        softplus.call(x) * y
    };
    let reverse = |x: Var, y: Var| {
        let rule = |(x, y): (Var, Var), _: Var, ct: Var| (ct * x.sigmoid() * y, ct * x.softplus());
        custom_vjp(|x: Var, y: Var| x.softplus() * y, rule).call(x, y)
    };
    let looped = |x: Var, y: Var| fori_loop(1, x * 0.0, |_, s| s + reverse(x, y));
    let at = (0.3, 2.0);
    let expected: Vec<f64> = jit(taylor(plain, 5).wrt(AllArgs)).call(at.0, at.1, (1.0, -0.5))?;
    let got: [Vec<f64>; 3] = [
        jit(taylor(forward, 5).wrt(AllArgs)).call(at.0, at.1, (1.0, -0.5))?,
        jit(taylor(reverse, 5).wrt(AllArgs)).call(at.0, at.1, (1.0, -0.5))?,
        jit(taylor(looped, 5).wrt(AllArgs)).call(at.0, at.1, (1.0, -0.5))?,
    ];
    for got in got {
        assert_eq!(got.len(), 6);
        for (x, y) in got.iter().zip(&expected) {
            assert!((x - y).abs() < 1e-14, "{got:?} {expected:?}");
        }
    }
    Ok(())
}

/// Rows of a function with a rule: the rule is for each row, and what all rows share gets the sum.
#[test]
fn rules_on_rows() -> Result<(), Error> {
    // The cotangent of each row is clipped, so that the order of clipping and summing shows.
    let clipped = |w: Var, x: Var| {
        let rule = |(w, x): (Var, Var), _: Var, ct: Var| ((ct * x).clamp(-1.0, 1.0), ct * w);
        custom_vjp(|w: Var, x: Var| w * x, rule).call(w, x)
    };
    let x = array![0.5, 3.0, -2.0, -0.25];
    let total = |w: Var, x: Var| vmap(clipped).over(Arg::<1>).call(w, x).sum();
    let (by_w, by_x): (f64, Array1<f64>) = jit(grad(total).wrt(AllArgs)).call(2.0, &x)?;
    assert_eq!((by_w, by_x), (0.5 + 1.0 - 1.0 - 0.25, array![2.0, 2.0, 2.0, 2.0]));
    let each: Array1<f64> = jit(vmap(grad(clipped)).over(Arg::<1>)).call(2.0, &x)?;
    assert_eq!(each, array![0.5, 1.0, -1.0, -0.25]);

    // A rule that looks at no row is applied once for each all the same.
    let counted =
        |w: Var, x: Var| custom_vjp(|w: Var, x: Var| w * x, |(w, x): (Var, Var), _, _| (w * 0.0 + 1.0, x)).call(w, x);
    let total = |w: Var, x: Var| vmap(counted).over(Arg::<1>).call(w, x).sum();
    assert_eq!(jit(grad(total)).call::<f64>(2.0, &x)?, 4.0);

    let third = |x: Var| custom_jvp(|x: Var| x * x * x, |(x,): (Var,), _: Var, (t,): (Var,)| 3.0 * x * x * t).call(x);
    let second: Array1<f64> = jit(vmap(grad(grad(third)))).call(&x)?;
    assert_eq!(second, &x * 6.0);
    let second: Array1<f64> = jit(grad(|x: Var| vmap(grad(third)).call(x).sum())).call(&x)?;
    assert_eq!(second, &x * 6.0);
    Ok(())
}
