//! Functions of matrices and equations for matrices: against mpmath's numbers, `tests/data/linalg/functions.json`, which
//! `functions.py` writes, and what holds for all of them: both modes, second order, stacks, `f32`, zeros, NaN, refusals.

pub mod common;

use common::{Random, floats};
use ndarray::{Array1, Array2, Array3, array};
use retrograd::op::{Graph, Op};
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Error, Program, Var, differentiate, grad, interpret, jit, linalg, optimize, trace, vmap};

struct Case {
    function: String,
    label: String,
    inputs: Vec<Array>,
    value: Array,
    condition: f64,
    direction: Vec<Array>,
    derivative: Array,
    derivative_condition: f64,
}

fn cases() -> Vec<Case> {
    let parsed: serde_json::Value = serde_json::from_str(include_str!("data/linalg/functions.json")).unwrap();
    let matrix = |rows: &serde_json::Value| {
        let rows: Vec<Vec<f64>> = serde_json::from_value(rows.clone()).unwrap();
        Array::from_elements([rows.len(), rows[0].len()], rows.concat()).unwrap()
    };
    let list = |rows: &serde_json::Value| rows.as_array().unwrap().iter().map(matrix).collect();
    let case = |case: &serde_json::Value| Case {
        function: case["function"].as_str().unwrap().to_string(),
        label: case["label"].as_str().unwrap().to_string(),
        inputs: list(&case["inputs"]),
        value: matrix(&case["value"]),
        condition: case["condition"].as_f64().unwrap(),
        direction: list(&case["direction"]),
        derivative: matrix(&case["derivative"]),
        derivative_condition: case["derivative_condition"].as_f64().unwrap(),
    };
    parsed.as_array().unwrap().iter().map(case).collect()
}

fn apply(function: &str, x: &[Var]) -> Var {
    match (function, x) {
        ("expm", &[a]) => linalg::expm(a),
        ("expm_multiply", &[a, b]) => linalg::expm_multiply(a, b),
        ("sqrtm", &[a]) => linalg::sqrtm(a),
        ("logm", &[a]) => linalg::logm(a),
        ("solve_sylvester", &[a, b, q]) => linalg::solve_sylvester(a, b, q),
        ("solve_continuous_lyapunov", &[a, q]) => linalg::solve_continuous_lyapunov(a, q),
        ("solve_discrete_lyapunov", &[a, q]) => linalg::solve_discrete_lyapunov(a, q),
        ("solve_continuous_are", &[a, b, q, r]) => linalg::solve_continuous_are(a, b, q, r),
        ("solve_discrete_are", &[a, b, q, r]) => linalg::solve_discrete_are(a, b, q, r),
        ("tridiagonal_solve", &[l, d, u, b]) => {
            let [l, d, u] = [l, d, u].map(Var::flatten);
            linalg::tridiagonal_solve(l, d, u, b)
        }
        ("solve_banded_1_2", &[ab, b]) => linalg::solve_banded((1, 2), ab, b),
        ("solve_banded_3_0", &[ab, b]) => linalg::solve_banded((3, 0), ab, b),
        other => panic!("{other:?}"),
    }
}

fn graph_of(function: &str, inputs: &[Array]) -> Graph {
    let types: Vec<Type> = inputs.iter().map(Array::ty).collect();
    trace(|x: Vec<Var>| apply(function, &x), (types,)).unwrap()
}

/// The results of the interpreter, of native code and of optimized native code, which have the same bits.
fn run(graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    let expected = interpret::run(graph, inputs).unwrap();
    let optimized = optimize::optimize(graph).unwrap();
    for graph in [graph, &optimized] {
        let got = Program::compile(graph).unwrap().call(inputs).unwrap();
        assert!(got.iter().zip(&expected).all(|(got, expected)| got.same_bits(expected)), "{graph}");
    }
    expected
}

fn all(n: usize) -> Vec<usize> {
    (0..n).collect()
}

fn norm(x: &[f64]) -> f64 {
    // Scaled, since some matrices are huge and others tiny.
    let largest = x.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    if largest == 0.0 { 0.0 } else { largest * x.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt() }
}

/// The norm of the difference relative to that of what is expected.
fn distance(got: &Array, expected: &Array) -> f64 {
    assert_eq!(got.shape(), expected.shape());
    let (got, expected) = (floats(got), floats(expected));
    let size = norm(&expected);
    let difference: Vec<f64> = got.iter().zip(&expected).map(|(a, b)| a - b).collect();
    if size == 0.0 { norm(&difference) } else { norm(&difference) / size }
}

fn converted(x: &Array, dtype: DType) -> Array {
    Array::collect(&x.ty().with_dtype(dtype), x.elements().map(|x| x.convert(dtype)))
}

/// The error of a backward stable algorithm, with a factor for the order of the matrices.
fn bound(case: &Case, condition: f64, unit: f64) -> f64 {
    let order = case.inputs[0].shape()[0].max(case.inputs[0].shape()[1]) as f64;
    8.0 * order * unit * condition.max(1.0)
}

#[test]
fn values_and_derivatives_are_those_of_mpmath() {
    let cases = cases();
    assert!(cases.len() >= 50);
    for case in &cases {
        let what = format!("{}, {}", case.function, case.label);
        let graph = graph_of(&case.function, &case.inputs);
        let wrt = all(case.inputs.len());
        let forward = differentiate::jvp(&graph, &wrt).unwrap();
        let inputs: Vec<Array> = case.inputs.iter().chain(&case.direction).cloned().collect();
        let results = run(&forward, &inputs);
        let error = distance(&results[0], &case.value);
        let limit = bound(case, case.condition, f64::EPSILON);
        assert!(error <= limit, "{what}: {error:e}, not {limit:e}\n{}\n{}", results[0], case.value);
        let error = distance(&results[1], &case.derivative);
        let limit = bound(case, case.derivative_condition.max(case.condition), f64::EPSILON);
        assert!(error <= limit, "{what}: derivative {error:e}, not {limit:e}\n{}\n{}", results[1], case.derivative);
    }
}

/// ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩.
#[test]
fn reverse_mode_is_the_transpose_of_forward_mode() {
    let mut random = Random(3);
    for case in cases() {
        let what = format!("{}, {}", case.function, case.label);
        let graph = graph_of(&case.function, &case.inputs);
        let wrt = all(case.inputs.len());
        let ct = random.array(&case.value.ty(), (-1.0, 1.0));
        let reverse = differentiate::vjp(&graph, &wrt).unwrap();
        let inputs: Vec<Array> = case.inputs.iter().chain([&ct]).cloned().collect();
        let pulled = run(&reverse, &inputs).split_off(1);
        // The forward product is mpmath's.
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).collect::<Vec<f64>>();
        let left = dot(&floats(&ct), &floats(&case.derivative));
        let right: Vec<f64> =
            pulled.iter().zip(&case.direction).flat_map(|(x, t)| dot(&floats(x), &floats(t))).collect();
        let size = left.iter().chain(&right).map(|x| x.abs()).sum::<f64>();
        let error = (left.iter().sum::<f64>() - right.iter().sum::<f64>()).abs() / size;
        let limit = bound(&case, case.derivative_condition.max(case.condition), f64::EPSILON);
        assert!(error <= limit, "{what}: {error:e}, not {limit:e}");
    }
}

/// In `f32` results are those in `f64`, up to rounding of inputs and results.
#[test]
fn single_precision_follows_double() {
    for case in cases() {
        let narrow: Vec<Array> = case.inputs.iter().map(|x| converted(x, DType::F32)).collect();
        let is_exact = |x: &Array| floats(x).iter().all(|x| x.is_finite());
        if !narrow.iter().all(is_exact) || case.label == "tiny" || case.condition > 1e4 {
            continue;
        }
        let wide: Vec<Array> = narrow.iter().map(|x| converted(x, DType::F64)).collect();
        let got = &run(&graph_of(&case.function, &narrow), &narrow)[0];
        assert_eq!(got.dtype(), DType::F32);
        let expected = &run(&graph_of(&case.function, &wide), &wide)[0];
        let limit = if case.function.contains("band") || case.function.contains("diagonal") {
            bound(&case, case.condition, f64::from(f32::EPSILON))
        } else {
            // These compute in f64, and round once.
            f64::from(f32::EPSILON)
        };
        let error = distance(&converted(got, DType::F64), expected);
        assert!(error <= limit, "{}, {}: {error:e}, not {limit:e}", case.function, case.label);
    }
}

/// A stack gives for each matrix what the matrix alone gives, and so does `vmap`; NaN stays with its matrix, in values and
/// derivatives.
#[test]
fn stacks_are_their_matrices() {
    let mut seen: Vec<String> = Vec::new();
    for case in cases() {
        if seen.contains(&case.function) || case.label == "one element" {
            continue;
        }
        seen.push(case.function.clone());
        let doubled = |x: &Array| Array::collect(&x.ty(), floats(x).into_iter().map(|x| Scalar::F64(x * 1.25)));
        let broken = |x: &Array| {
            let mut elements = floats(x);
            // An element that counts in every form: of a row of diagonals the one in the middle.
            let place = elements.len() / 2;
            elements[place] = f64::NAN;
            Array::from_elements(x.shape().to_vec(), elements).unwrap()
        };
        let sets: Vec<Vec<Array>> = vec![
            case.inputs.clone(),
            case.inputs.iter().enumerate().map(|(k, x)| if k == 0 { broken(x) } else { x.clone() }).collect(),
            case.inputs.iter().map(doubled).collect(),
        ];
        let stack = |k: usize| {
            let elements: Vec<f64> = sets.iter().flat_map(|set| floats(&set[k])).collect();
            Array::from_elements([&[sets.len()], sets[0][k].shape()].concat(), elements).unwrap()
        };
        let stacked: Vec<Array> = (0..case.inputs.len()).map(stack).collect();
        let types: Vec<Type> = stacked.iter().map(Array::ty).collect();
        let function = case.function.clone();
        let graph = trace(vmap(move |x: Vec<Var>| apply(&function, &x)), (types,)).unwrap();
        let wrt = all(stacked.len());
        let forward = differentiate::vjp(&graph, &wrt).unwrap();
        let cts = Array::collect(
            graph.ty(graph.outputs()[0].value),
            (0..3).flat_map(|_| floats(&case.value)).map(Scalar::F64),
        );
        let all_inputs: Vec<Array> = stacked.iter().chain([&cts]).cloned().collect();
        let together = run(&forward, &all_inputs);
        let single = differentiate::vjp(&graph_of(&case.function, &case.inputs), &wrt).unwrap();
        for (row, set) in sets.iter().enumerate() {
            let inputs: Vec<Array> = set.iter().chain([&case.value]).cloned().collect();
            let alone = run(&single, &inputs);
            for (position, (together, alone)) in together.iter().zip(&alone).enumerate() {
                let size = floats(alone).len();
                let part = &floats(together)[row * size..][..size];
                let same = part
                    .iter()
                    .zip(floats(alone))
                    .all(|(a, b)| a.to_bits() == b.to_bits() || (a - b).abs() <= 1e-13 * b.abs());
                assert!(same, "{}: result {position} of row {row}\n{part:?}\n{alone}", case.function);
                assert_eq!(
                    part.iter().any(|x| x.is_nan()),
                    row == 1,
                    "{}: result {position} of row {row}",
                    case.function
                );
            }
        }
    }
    assert_eq!(seen.len(), 12);
}

/// What is exactly 0 in a cotangent or a tangent passes nothing on, whatever the matrices hold.
#[test]
fn zeros_are_strong() {
    let mut seen: Vec<String> = Vec::new();
    for case in cases() {
        if seen.contains(&case.function) {
            continue;
        }
        seen.push(case.function.clone());
        // Logarithms of negative numbers.
        let negative = |x: &Array| Array::collect(&x.ty(), floats(x).iter().map(|_| Scalar::F64(-1.0)));
        let inputs: Vec<Array> = case.inputs.iter().map(negative).collect();
        let types: Vec<Type> = inputs.iter().map(Array::ty).collect();
        let of_nan = |x: Vec<Var>| apply(&case.function, &x.into_iter().map(Var::ln).collect::<Vec<Var>>());
        let graph = trace(of_nan, (types,)).unwrap();
        let wrt = all(inputs.len());
        let zeros: Vec<Array> = inputs.iter().map(|x| Array::zeros(&x.ty())).collect();
        let ct = Array::zeros(&case.value.ty());
        let vjp = differentiate::vjp(&graph, &wrt).unwrap();
        let pulled = run(&vjp, &[&inputs[..], std::slice::from_ref(&ct)].concat());
        let pushed = run(&differentiate::jvp(&graph, &wrt).unwrap(), &[&inputs[..], &zeros].concat());
        for x in pulled[1..].iter().chain(&pushed[1..]) {
            assert!(floats(x).iter().all(|&x| x == 0.0), "{}: {x}", case.function);
        }
        assert!(floats(&pulled[0]).iter().all(|x| x.is_nan()), "{}", case.function);
        // Second order: no tangent, and no cotangent.
        let again = differentiate::jvp(&vjp, &wrt).unwrap();
        let twice = run(&again, &[&inputs[..], std::slice::from_ref(&ct), &zeros].concat());
        for x in &twice[pulled.len()..] {
            assert!(floats(x).iter().all(|&x| x == 0.0), "{}: {x}", case.function);
        }
    }
}

/// The derivative of Jᵀct against differences of it, and its symmetry.
#[test]
fn second_derivatives_are_those_of_differences() {
    let mut random = Random(5);
    for case in cases() {
        let moderate = case.condition < 100.0 && case.derivative_condition < 400.0;
        if !moderate || ["blocked", "huge", "tiny", "huge and tiny", "near the identity"].contains(&&*case.label) {
            continue;
        }
        let what = format!("{}, {}", case.function, case.label);
        let graph = graph_of(&case.function, &case.inputs);
        let wrt = all(case.inputs.len());
        let vjp = differentiate::vjp(&graph, &wrt).unwrap();
        let hvp = differentiate::jvp(&vjp, &wrt).unwrap();
        let ct = random.array(&case.value.ty(), (-1.0, 1.0));
        let other: Vec<Array> = case.inputs.iter().map(|x| random.array(&x.ty(), (-1.0, 1.0))).collect();
        let n = wrt.len();
        let hessian_times = |t: &[Array]| {
            let results = run(&hvp, &[&case.inputs[..], std::slice::from_ref(&ct), t].concat());
            results[results.len() - n..].iter().flat_map(floats).collect::<Vec<f64>>()
        };
        let (u, v) = (hessian_times(&case.direction), hessian_times(&other));
        let flat = |x: &[Array]| x.iter().flat_map(floats).collect::<Vec<f64>>();
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let size = norm(&u) * norm(&flat(&other)) + norm(&v) * norm(&flat(&case.direction));
        let error = (dot(&u, &flat(&other)) - dot(&v, &flat(&case.direction))).abs() / size;
        assert!(error <= 1e-10, "{what}: not symmetric by {error:e}");

        let at = |h: f64| {
            let moved = case.inputs.iter().zip(&case.direction).map(|(x, t)| {
                let elements = floats(x).iter().zip(floats(t)).map(|(x, t)| Scalar::F64(x + h * t)).collect::<Vec<_>>();
                Array::collect(&x.ty(), elements.into_iter())
            });
            let inputs: Vec<Array> = moved.chain([ct.clone()]).collect();
            interpret::run(&vjp, &inputs).unwrap()[1..].iter().flat_map(floats).collect::<Vec<f64>>()
        };
        let central =
            |h: f64| at(h).into_iter().zip(at(-h)).map(move |(a, b)| (a - b) / (2.0 * h)).collect::<Vec<f64>>();
        let (coarse, fine) = (central(2e-4), central(1e-4));
        let difference: Vec<f64> =
            coarse.iter().zip(&fine).zip(&u).map(|((coarse, fine), u)| (4.0 * fine - coarse) / 3.0 - u).collect();
        let error = norm(&difference) / norm(&u);
        assert!(error <= 1e-6, "{what}: differs from differences by {error:e}");
    }
}

fn value(f: impl Fn(Var) -> Var, x: &Array2<f64>) -> Array2<f64> {
    jit(move |x: Var| f(x)).call(x).unwrap()
}

#[test]
fn what_does_not_exist_is_nan() {
    let all_nan = |x: Array2<f64>| x.iter().all(|x| x.is_nan());
    let inf = f64::INFINITY;
    // A negative eigenvalue, and a Jordan block of the eigenvalue 0.
    for a in [array![[-1.0, 0.0], [0.0, 2.0]], array![[0.0, 1.0], [0.0, 0.0]], array![[inf, 0.0], [0.0, 1.0]]] {
        assert!(all_nan(value(linalg::sqrtm, &a)), "{a}");
        assert!(all_nan(value(linalg::logm, &a)), "{a}");
    }
    assert!(all_nan(value(linalg::logm, &array![[0.0, 0.0], [0.0, 1.0]])));
    assert_eq!(value(linalg::sqrtm, &array![[0.0, 0.0], [0.0, 4.0]]), array![[0.0, 0.0], [0.0, 2.0]]);
    // An exponential that overflows, though not of a diagonal matrix, of which each element stands for itself.
    assert!(all_nan(value(linalg::expm, &array![[1e3, 1.0], [0.0, 1.0]])));
    assert_eq!(value(linalg::expm, &array![[1e3, 0.0], [0.0, 0.0]]), array![[inf, 0.0], [0.0, 1.0]]);
    // Huge norms end, too, whether the exponential vanishes, is a polynomial or does not exist.
    assert_eq!(value(linalg::expm, &array![[-1e300, 1e300], [0.0, -1e300]]), array![[0.0, 0.0], [0.0, 0.0]]);
    assert_eq!(value(linalg::expm, &array![[0.0, 1e300], [0.0, 0.0]]), array![[1.0, 1e300], [0.0, 1.0]]);
    assert!(all_nan(value(linalg::expm, &array![[f64::MAX, f64::MAX], [f64::MAX, 1.0]])));
    assert!(all_nan(value(|a| linalg::expm_multiply(a, a), &array![[f64::MAX, f64::MAX], [f64::MAX, 1.0]])));

    // Eigenvalues of a and -b that agree.
    assert!(all_nan(value(|a| linalg::solve_sylvester(a, -a, a), &array![[1.0, 0.0], [0.0, 2.0]])));
    assert!(all_nan(value(|a| linalg::solve_discrete_lyapunov(a, a), &array![[1.0, 0.0], [0.0, 0.5]])));
    // A mode that is neither stable nor moved by an input, and one on the boundary that nothing costs.
    let are = |of: fn(Var, Var, Var, Var) -> Var, a: [f64; 2], b: [f64; 2], q: [f64; 2]| -> Array2<f64> {
        let diagonal = |[x, y]: [f64; 2]| array![[x, 0.0], [0.0, y]];
        let one = array![[1.0]];
        let f = move |a: Var, b: Var, q: Var, r: Var| of(a, b, q, r);
        jit(f).call(diagonal(a), array![[b[0]], [b[1]]], diagonal(q), &one).unwrap()
    };
    assert!(all_nan(are(linalg::solve_continuous_are, [1.0, 2.0], [0.0, 1.0], [1.0, 1.0])));
    assert!(all_nan(are(linalg::solve_continuous_are, [0.0, -2.0], [1.0, 1.0], [0.0, 1.0])));
    assert!(all_nan(are(linalg::solve_discrete_are, [2.0, 0.5], [0.0, 1.0], [1.0, 1.0])));
    assert!(all_nan(are(linalg::solve_discrete_are, [1.0, 0.5], [1.0, 1.0], [0.0, 1.0])));
    assert!(are(linalg::solve_discrete_are, [0.5, 0.25], [0.0, 1.0], [1.0, 1.0]).iter().all(|x| x.is_finite()));
}

#[test]
fn matrices_without_elements_and_with_one() {
    let empty = Array2::<f64>::zeros((0, 0));
    for f in [linalg::expm, linalg::sqrtm, linalg::logm] {
        assert_eq!(value(f, &empty), empty);
        let slope = jit(grad(move |a: Var| f(a).sum())).call::<Array2<f64>>(&empty).unwrap();
        assert_eq!(slope, empty);
    }
    assert_eq!(value(|a| linalg::matrix_power(a, 0), &empty), empty);
    assert_eq!(value(|a| linalg::solve_sylvester(a, a, a), &empty), empty);
    assert_eq!(value(|a| linalg::solve_discrete_are(a, a, a, a), &empty), empty);
    let none: Array2<f64> = jit(|ab: Var, b: Var| linalg::solve_banded((0, 0), ab, b))
        .call(Array2::<f64>::zeros((1, 0)), Array2::<f64>::zeros((0, 3)))
        .unwrap();
    assert_eq!(none.shape(), [0, 3]);
    let none: Array1<f64> = jit(|d: Var| linalg::tridiagonal_solve(d, d, d, d)).call(Array1::<f64>::zeros(0)).unwrap();
    assert_eq!(none.len(), 0);
    // No inputs: a Lyapunov equation.
    let f = |a: Var| {
        let b = Var::zeros(Type::new(DType::F64, [1, 0]));
        linalg::solve_continuous_are(a, b, a * -2.0, Var::zeros(Type::new(DType::F64, [0, 0])))
    };
    assert_eq!(value(f, &array![[-1.0]]), array![[1.0]]);
    let stack = Array3::<f64>::zeros((0, 2, 2));
    let got: Array3<f64> = jit(|a: Var| linalg::expm(a)).call(&stack).unwrap();
    assert_eq!(got.shape(), [0, 2, 2]);
}

/// exp(log A) = A and sqrt(A)² = A for stacks of many matrices, by one path through native code.
#[test]
fn functions_undo_each_other() {
    let mut random = Random(11);
    let n = 5;
    let near = |random: &mut Random| {
        let x = random.array(&Type::new(DType::F64, [n, n]), (-0.3, 0.3));
        floats(&x).iter().enumerate().map(|(k, x)| if k % (n + 1) == 0 { x + 1.5 } else { *x }).collect::<Vec<f64>>()
    };
    let elements: Vec<f64> = (0..200).flat_map(|_| near(&mut random)).collect();
    let a = Array3::from_shape_vec((200, n, n), elements).unwrap();
    let f = |a: Var| {
        let root = linalg::sqrtm(a);
        (linalg::expm(linalg::logm(a)) - a, root.matmul(root) - a)
    };
    let (of_log, of_root): (Array3<f64>, Array3<f64>) = jit(f).call(&a).unwrap();
    let worst = |x: &Array3<f64>| x.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    assert!(worst(&of_log) < 2.5e-14 && worst(&of_root) < 2.5e-14, "{:e} {:e}", worst(&of_log), worst(&of_root));
}

/// Of `[[1, b], [0, -1]]`, whose even powers are the identity, and of matrices of one block, each element is exact.
#[test]
fn exponentials_of_triangular_matrices_are_exact_by_elements() {
    let close = |x: f64, y: f64| (x - y).abs() <= 1e-14 * y.abs();
    for b in [1.0, 1e3, 1e6, 1e10, 1e15, 1e200] {
        let y = value(linalg::expm, &array![[1.0, b], [0.0, -1.0]]);
        let e = 1f64.exp();
        assert!(close(y[[0, 0]], e) && close(y[[0, 1]], b * 1f64.sinh()) && close(y[[1, 1]], 1.0 / e), "{b:e}: {y}");
        assert_eq!(y[[1, 0]], 0.0);
        // A logarithm takes a square root for each factor of 2 by which the norm exceeds the eigenvalues, 100 at most.
        let log = value(linalg::logm, &array![[2.0, b], [0.0, 0.5]]);
        assert!(b > 1e20 || close(log[[0, 1]], b * 4f64.ln() / 1.5), "{b:e}: {log}");
    }
    for (x, y) in [(1e-12, 1e12), (1e12, 1e-12), (1.0, 1.0 + 1e-9), (3.0, 3.0), (1e-300, 1.0), (2.0, 1.5)] {
        let log = value(linalg::logm, &array![[x, 1.0], [0.0, y]]);
        let far: bool = x < 0.1 * y || y < 0.1 * x;
        let slope = match y - x {
            0.0 => 1.0 / x,
            apart if far => (f64::ln(y) - f64::ln(x)) / apart,
            apart => f64::ln_1p(apart / x) / apart,
        };
        assert!(
            close(log[[0, 0]], x.ln()) && close(log[[1, 1]], y.ln()) && close(log[[0, 1]], slope),
            "{x} {y}: {log}"
        );
    }
    // Tiny and huge matrices and directions, far below and above what can be squared.
    let slope = |a: f64, e: f64| -> Array2<f64> {
        let f = |a: Var, e: Var| linalg::expm_frechet(a, e);
        jit(f).call(array![[0.0, a], [0.0, 0.0]], array![[0.0, 0.0], [e, 0.0]]).unwrap()
    };
    for (a, e) in [(1e-310, 1.0), (1e-200, 1e200), (1e-320, 1e-300), (3.0, 1e300), (1e100, 1e-100)] {
        let y = slope(a, e);
        // E + (AE + EA) / 2 + AEA / 6
        let expected = array![[a * e / 2.0, a * e * a / 6.0], [e, a * e / 2.0]];
        let worst = (&y - &expected).iter().fold(0.0, |x: f64, y| x.max(y.abs()));
        let size = expected.iter().fold(0.0, |x: f64, y| x.max(y.abs()));
        assert!(worst <= 1e-14 * size, "{a:e}, {e:e}: {y}, not {expected}");
    }
}

#[test]
fn special_matrices() {
    let vector = |f: fn(Var) -> Var, x: Array1<f64>| -> Array2<f64> { jit(move |x: Var| f(x)).call(x).unwrap() };
    assert_eq!(vector(linalg::circulant, array![1.0]), array![[1.0]]);
    assert_eq!(vector(linalg::circulant, array![1.0, 2.0]), array![[1.0, 2.0], [2.0, 1.0]]);
    assert_eq!(vector(|x| linalg::toeplitz(x, x), array![1.0]), array![[1.0]]);
    assert_eq!(vector(|x| linalg::toeplitz(x.slice(0, ..1), x), array![1.0, 2.0, 3.0]), array![[1.0, 2.0, 3.0]]);
    assert_eq!(vector(|x| linalg::toeplitz(x, x.slice(0, ..1)), array![1.0, 2.0]), array![[1.0], [2.0]]);
    assert_eq!(vector(|x| linalg::hankel(x, x * 10.0), array![1.0, 2.0]), array![[1.0, 2.0], [2.0, 20.0]]);
    assert_eq!(vector(linalg::companion, array![2.0, 4.0]), array![[-2.0]]);
    // Each element of c counts as often as it stands on its diagonal.
    let slope: Array1<f64> = jit(grad(|c: Var| linalg::toeplitz(c, c).sum())).call(array![1.0, 2.0, 3.0]).unwrap();
    assert_eq!(slope, array![3.0, 4.0, 2.0]);
    // A stack of vectors.
    let stack: Array3<f64> = jit(|c: Var| linalg::circulant(c)).call(array![[1.0, 2.0], [3.0, 4.0]]).unwrap();
    assert_eq!(stack, array![[[1.0, 2.0], [2.0, 1.0]], [[3.0, 4.0], [4.0, 3.0]]]);
    let upper: Array1<f64> = jit(|ab: Var, b: Var| linalg::solveh_banded(ab, b, false))
        .call(array![[0.0, 1.0, 3.0], [2.0, 4.0, 5.0]], array![3.0, 8.0, 8.0])
        .unwrap();
    assert!((upper - 1.0).iter().all(|error| error.abs() < 1e-15));
    // Powers, of which negative ones invert.
    let a = array![[2.0, 1.0], [0.0, 4.0]];
    let powers = value(|a| linalg::matrix_power(a, 3).matmul(linalg::matrix_power(a, -3)), &a);
    assert!((powers - Array2::<f64>::eye(2)).iter().all(|error| error.abs() < 1e-14));
    assert_eq!(value(|a| linalg::matrix_power(a, 0), &a), Array2::<f64>::eye(2));
}

/// The order of products is that of fewest multiplications: (a b) c for narrow ends, a (b c) for a vector.
#[test]
fn products_are_ordered_by_their_cost() {
    let ty = |m: usize, n: usize| Type::new(DType::F64, [m, n]);
    let f = |x: Vec<Var>| linalg::multi_dot(&x);
    let shapes = |graph: &Graph| -> Vec<Vec<usize>> {
        let dots = graph.ids().filter(|&id| matches!(graph.node(id).op(), Some(Op::DotGeneral(_))));
        dots.map(|id| graph.ty(id.into()).shape.to_vec()).collect()
    };
    // 10·30·5 + 10·5·60 = 4500 against 27000.
    let graph = trace(f, (vec![ty(10, 30), ty(30, 5), ty(5, 60)],)).unwrap();
    assert_eq!(shapes(&graph), [[10, 5], [10, 60]]);
    // 10·3·1 + 2·10·1 = 50 against 2·10·3 + 2·3·1 = 66.
    let graph = trace(f, (vec![ty(2, 10), ty(10, 3), ty(3, 1)],)).unwrap();
    assert_eq!(shapes(&graph), [[10, 1], [2, 1]]);
    // The example of Cormen et al., section 15.2: ((A₁ (A₂ A₃)) ((A₄ A₅) A₆)).
    let chain = [30, 35, 15, 5, 10, 20, 25].windows(2).map(|e| ty(e[0], e[1])).collect::<Vec<_>>();
    let graph = trace(f, (chain,)).unwrap();
    assert_eq!(shapes(&graph), [[35, 5], [30, 5], [5, 20], [5, 25], [30, 25]]);
}

#[test]
fn wrong_operands_are_refused() {
    let message = |f: fn(Var) -> Var, shape: &[usize]| {
        trace(move |x: Var| f(x), (Type::new(DType::F64, shape),)).unwrap_err().to_string()
    };
    let starts = |message: String, start: &str| assert!(message.starts_with(start), "{message}");
    for (f, name) in [(linalg::expm as fn(Var) -> Var, "expm"), (linalg::sqrtm, "sqrtm"), (linalg::logm, "logm")] {
        starts(message(f, &[2, 3]), &format!("{name}: takes square matrices, but got f64[2,3]"));
        starts(message(f, &[3]), &format!("{name}: takes matrices"));
    }
    starts(message(|x| linalg::matrix_power(x, 2), &[2, 3]), "matrix_power: takes square matrices");
    starts(message(|x| linalg::expm_frechet(x, x.slice(0, ..2)), &[3, 3]), "expm_frechet: takes matrices of equal");
    starts(message(|x| linalg::expm_multiply(x, x.slice(0, ..2)), &[3, 3]), "expm_multiply: takes right-hand");
    starts(message(|x| linalg::solve_sylvester(x, x, x.slice(0, ..2)), &[3, 3]), "solve_sylvester: takes a right side");
    starts(message(|x| linalg::solve_discrete_lyapunov(x, x.slice(0, ..2)), &[3, 3]), "solve_discrete_lyapunov: takes");
    starts(message(|x| linalg::solve_continuous_are(x, x.slice(0, ..2), x, x), &[3, 3]), "solve_continuous_are: takes");
    starts(message(|x| linalg::solve_banded((1, 1), x, x.slice(0, ..1)), &[2, 3]), "solve_banded: takes");
    starts(message(|x| linalg::solve_banded((usize::MAX, 1), x, x), &[3, 3]), "solve_banded: takes");
    starts(message(|x| linalg::tridiagonal_solve(x, x, x.slice(0, ..2), x), &[3]), "tridiagonal_solve: takes");
    starts(message(|x| linalg::solveh_banded(x, x, true), &[0, 3]), "solveh_banded: takes at least one diagonal");
    starts(message(linalg::circulant, &[0]), "circulant: takes vectors with at least one element");
    starts(message(linalg::companion, &[1]), "companion: takes at least two coefficients");
    starts(message(|x| linalg::multi_dot(&[x]), &[2, 2]), "multi_dot: takes at least two matrices");
    starts(message(|x| linalg::multi_dot(&[x, x, x]), &[2]), "multi_dot: takes matrices, of which");
    starts(message(|x| linalg::khatri_rao(x, x.t()), &[2, 3]), "khatri_rao: takes matrices with as many columns");
    let mixed: Error = trace(
        |x: Var, y: Var| linalg::solve_sylvester(x, x, y),
        (Type::new(DType::F64, [2, 2]), Type::new(DType::F32, [2, 2])),
    )
    .unwrap_err();
    starts(mixed.to_string(), "solve_sylvester: takes operands of one dtype");
}
