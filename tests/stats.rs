//! Distributions: SciPy's values; derivatives against differences; what is outside and what is no distribution; samplers
//! against distribution functions.

use ndarray::{Array1, ArrayD};
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Program, Var, differentiate, grad, interpret, jit, optimize, random, stats, trace};
use serde_json::Value as Json;

/// A function of a number and of parameters.
type Of = fn(Var, &[Var]) -> Var;
/// A sampler of that many numbers.
type Sampler = fn(Var, &[Var], usize) -> Var;

/// A distribution, by the functions of its module.
struct Distribution {
    name: &'static str,
    log: Of,
    cdf: Of,
    sample: Sampler,
    /// Parameters at which it is tried, and a number inside of its support.
    at: (&'static [f64], f64),
    /// Parameters that are none, one by one in place of those.
    wrong: &'static [(usize, f64)],
    /// The name of the function of the logarithm.
    of_log: &'static str,
}

impl Distribution {
    fn is_discrete(&self) -> bool {
        self.of_log == "log_pmf"
    }
}

macro_rules! distribution {
    ($name:ident $log:ident ($($p:tt),*), $at:expr, $x:expr, $wrong:expr) => {
        Distribution {
            name: stringify!($name),
            log: |x, p| stats::$name::$log(x $(, p[$p])*),
            cdf: |x, p| stats::$name::cdf(x $(, p[$p])*),
            sample: |key, p, n| stats::$name::sample(key $(, p[$p])*, [n]),
            at: ($at, $x),
            wrong: $wrong,
            of_log: stringify!($log),
        }
    };
}

const DISTRIBUTIONS: [Distribution; 15] = [
    distribution!(normal log_pdf(0, 1), &[0.5, 2.0], 1.2, &[(1, 0.0), (1, -1.0), (1, f64::NAN), (0, f64::NAN)]),
    distribution!(t log_pdf(0, 1, 2), &[3.5, 0.5, 2.0], 1.2, &[(0, 0.0), (2, -1.0), (0, f64::NAN)]),
    distribution!(cauchy log_pdf(0, 1), &[0.5, 2.0], 1.2, &[(1, 0.0), (1, f64::NAN)]),
    distribution!(laplace log_pdf(0, 1), &[0.5, 2.0], 1.2, &[(1, 0.0), (1, f64::NAN)]),
    distribution!(logistic log_pdf(0, 1), &[0.5, 2.0], 1.2, &[(1, 0.0), (1, f64::NAN)]),
    distribution!(gamma log_pdf(0, 1), &[2.5, 0.7], 1.2, &[(0, 0.0), (1, -1.0), (0, f64::NAN)]),
    distribution!(inverse_gamma log_pdf(0, 1), &[2.5, 0.7], 0.4, &[(0, 0.0), (1, -1.0), (0, f64::NAN)]),
    distribution!(beta log_pdf(0, 1), &[2.5, 0.7], 0.4, &[(0, 0.0), (1, -1.0), (0, f64::NAN)]),
    distribution!(chi2 log_pdf(0), &[3.5], 1.2, &[(0, 0.0), (0, f64::NAN)]),
    distribution!(exponential log_pdf(0), &[1.7], 1.2, &[(0, 0.0), (0, f64::NAN)]),
    distribution!(weibull log_pdf(0, 1), &[1.7, 0.9], 1.2, &[(0, 0.0), (1, -1.0), (0, f64::NAN)]),
    distribution!(lognormal log_pdf(0, 1), &[0.7, 1.9], 1.2, &[(0, 0.0), (1, -1.0), (0, f64::NAN)]),
    distribution!(poisson log_pmf(0), &[4.5], 3.0, &[(0, -1.0), (0, f64::NAN)]),
    distribution!(binomial log_pmf(0, 1), &[12.0, 0.3], 3.0, &[(0, -1.0), (0, 2.5), (1, -0.1), (1, 1.1), (1, f64::NAN)]),
    distribution!(negative_binomial log_pmf(0, 1), &[4.5, 0.3], 3.0, &[(0, 0.0), (1, 0.0), (1, 1.1), (0, f64::NAN)]),
];

/// A function of a number and of parameters by the interpreter, natively, and natively after optimization, with the same
/// bits.
fn values(f: Of, x: &[f64], p: &[f64]) -> Vec<f64> {
    let scalar = Type::scalar(DType::F64);
    let types = (Type::new(DType::F64, [x.len()]), vec![scalar; p.len()]);
    let graph = trace(|x: Var, p: Vec<Var>| f(x, &p), types).unwrap();
    let inputs: Vec<Array> = [Array::from_elements([x.len()], x.to_vec()).unwrap()]
        .into_iter()
        .chain(p.iter().map(|&p| Array::scalar(p)))
        .collect();
    let expected = interpret::run(&graph, &inputs).unwrap();
    for graph in [&graph, &optimize::optimize(&graph).unwrap()] {
        let native = Program::compile(graph).unwrap().call(&inputs).unwrap();
        assert!(native[0].same_bits(&expected[0]), "{native:?} is not {expected:?}\n{graph}");
    }
    numbers(&expected[0])
}

fn numbers(x: &Array) -> Vec<f64> {
    x.elements().map(|x| if let Scalar::F64(x) = x.convert(DType::F64) { x } else { unreachable!() }).collect()
}

fn floats(x: &Json) -> Vec<f64> {
    let number = |x: &Json| x.as_f64().unwrap_or_else(|| x.as_str().unwrap().parse().unwrap());
    x.as_array().unwrap().iter().map(number).collect()
}

fn cases() -> Vec<Json> {
    serde_json::from_str(&std::fs::read_to_string("tests/data/stats/scipy.json").unwrap()).unwrap()
}

#[test]
fn values_are_those_of_scipy() {
    let (mut n, mut seen) = (0, Vec::new());
    for case in cases() {
        let Some(d) = DISTRIBUTIONS.iter().find(|d| case["distribution"] == d.name) else { continue };
        let (x, p) = (floats(&case["x"]), floats(&case["parameters"]));
        for (f, field) in [(d.log, "log"), (d.cdf, "cdf")] {
            for ((got, expected), x) in values(f, &x, &p).into_iter().zip(floats(&case[field])).zip(&x) {
                let near = (got - expected).abs() <= 2e-13 * (1.0 + expected.abs()) || got == expected;
                assert!(near, "{} {p:?} {field} at {x}: {got}, but SciPy gives {expected}", d.name);
                // Small probabilities keep their digits.
                let is_close = (got - expected).abs() <= 1e-11 * expected.abs() || got == expected;
                assert!(is_close || field == "log", "{} {p:?} {field} at {x}: {got}, {expected}", d.name);
                n += 1;
            }
        }
        seen.push(d.name);
    }
    assert!(DISTRIBUTIONS.iter().all(|d| seen.contains(&d.name)) && n > 700, "{n} values");
}

#[test]
fn values_of_vectors_are_those_of_scipy() {
    for case in cases().iter().filter(|case| case["distribution"] == "dirichlet") {
        let (x, a) = (Array1::from(floats(&case["x"])), Array1::from(floats(&case["parameters"])));
        let y: f64 = jit(|x: Var, a: Var| stats::dirichlet::log_pdf(x, a)).call(x, a).unwrap();
        assert!((y - floats(&case["log"])[0]).abs() < 1e-13 * (1.0 + y.abs()), "{y}: {case}");
    }
    let f = jit(|x: Var, a: Var| stats::dirichlet::log_pdf(x, a));
    let at = |x: [f64; 2], a: [f64; 2]| f.call::<f64>(x, a).unwrap();
    assert_eq!(at([-0.1, 1.1], [1.0, 1.0]), f64::NEG_INFINITY);
    assert_eq!(at([0.3, 0.6], [1.0, 1.0]), f64::NEG_INFINITY);
    assert!(at([0.4, 0.6], [0.0, 1.0]).is_nan());
}

#[test]
fn categories_have_the_probabilities_of_their_logits() {
    let f = jit(|k: Var, logits: Var| stats::categorical::log_pmf(k, logits));
    let logits = [0.5, -1.0, f64::NEG_INFINITY, 2.0];
    let total: f64 = logits.iter().map(|x| x.exp()).sum();
    let y: Array1<f64> = f.call([0i64, 1, 2, 3, 4, -1], logits).unwrap();
    for (k, y) in y.iter().enumerate() {
        let expected = logits.get(k).map_or(f64::NEG_INFINITY, |x| x - total.ln());
        assert!((y - expected).abs() < 1e-15 || *y == expected, "{k}: {y}, {expected}");
    }
    // Indices and logits with rows.
    let y: Array1<f64> = f.call([1i64, 0], ndarray::array![[0.0, 0.0], [0.0, 3f64.ln()]]).unwrap();
    assert!((y[0] - 0.5f64.ln()).abs() < 1e-15 && (y[1] - 0.25f64.ln()).abs() < 1e-15);
    let slopes: Array1<f64> =
        jit(grad(|logits: Var| stats::categorical::log_pmf(0.into(), logits))).call([0.0, 0.0]).unwrap();
    assert!((slopes[0] - 0.5).abs() < 1e-15 && (slopes[1] + 0.5).abs() < 1e-15);
}

/// The derivatives by the number and by the parameters at one point, in reverse mode; forward mode gives the same.
fn gradient(f: Of, x: f64, p: &[f64]) -> Vec<f64> {
    let types = (Type::scalar(DType::F64), vec![Type::scalar(DType::F64); p.len()]);
    let graph = trace(|x: Var, p: Vec<Var>| f(x, &p), types).unwrap();
    let wrt: Vec<usize> = (0..=p.len()).collect();
    let reverse = differentiate::grad(&graph, 0, &wrt).unwrap();
    let inputs: Vec<Array> = [x].iter().chain(p).map(|&x| Array::scalar(x)).collect();
    let results = Program::compile(&reverse).unwrap().call(&inputs).unwrap();
    let slopes: Vec<f64> = results[results.len() - wrt.len()..].iter().flat_map(numbers).collect();
    for (k, slope) in slopes.iter().enumerate() {
        let forward = differentiate::jvp(&graph, &[k]).unwrap();
        let inputs = [&inputs[..], &[Array::scalar(1.0)]].concat();
        let tangent = numbers(&Program::compile(&forward).unwrap().call(&inputs).unwrap()[1])[0];
        let same = (tangent - slope).abs() <= 1e-12 * (1.0 + slope.abs()) || tangent.is_nan() && slope.is_nan();
        assert!(same, "forward {tangent}, reverse {slope}");
    }
    slopes
}

#[test]
fn derivatives_agree_with_differences() {
    for d in &DISTRIBUTIONS {
        let (p, x) = d.at;
        for (f, what) in [(d.log, "log"), (d.cdf, "cdf")] {
            let slopes = gradient(f, x, p);
            // Counts, and numbers of trials, have no neighbors.
            let smooth =
                (0..slopes.len()).filter(|&k| k > usize::from(d.name == "binomial") || !d.is_discrete() && k == 0);
            for k in smooth {
                let at = |h: f64| {
                    let mut all = [&[x], p].concat();
                    all[k] += h;
                    values(f, &all[..1], &all[1..])[0]
                };
                let central = |h: f64| (at(h) - at(-h)) / (2.0 * h);
                let difference = (4.0 * central(5e-4) - central(1e-3)) / 3.0;
                let error = (slopes[k] - difference).abs();
                assert!(
                    error < 1e-9 * (1.0 + difference.abs()),
                    "{} {what} by {k}: {} {difference}",
                    d.name,
                    slopes[k]
                );
            }
        }
    }
}

/// The distribution function of t at its middle, where the incomplete beta function has a pole in its derivative.
#[test]
fn the_middle_of_t_has_its_density() {
    let cdf: Of = |x, p| stats::t::cdf(x, p[0], p[1], p[2]);
    let slopes = gradient(cdf, 0.5, &[3.0, 0.5, 2.0]);
    let density = values(|x, p| stats::t::log_pdf(x, p[0], p[1], p[2]), &[0.5], &[3.0, 0.5, 2.0])[0].exp();
    assert!((slopes[0] - density).abs() < 1e-14 && (slopes[2] + density).abs() < 1e-14, "{slopes:?}, {density}");
    assert_eq!([slopes[1], slopes[3]], [0.0, 0.0]);
}

/// -inf outside with derivatives of 0, and NaN throughout where there is no distribution or an operand is NaN.
#[test]
fn outside_of_the_support_and_without_a_distribution() {
    for d in &DISTRIBUTIONS {
        let (p, x) = d.at;
        let has_support = !["normal", "t", "cauchy", "laplace", "logistic"].contains(&d.name);
        if has_support {
            assert_eq!(values(d.log, &[-0.5], p), [f64::NEG_INFINITY], "{}", d.name);
            assert_eq!(values(d.cdf, &[-0.5], p), [0.0], "{}", d.name);
            for f in [d.log, d.cdf] {
                assert!(gradient(f, -0.5, p).iter().all(|&slope| slope == 0.0), "{}", d.name);
            }
        }
        for f in [d.log, d.cdf] {
            assert!(values(f, &[f64::NAN], p)[0].is_nan(), "{}", d.name);
            for &(slot, value) in d.wrong {
                let mut p = p.to_vec();
                p[slot] = value;
                let y = values(f, &[x, -0.5], &p);
                assert!(y.iter().all(|y| y.is_nan()), "{} {p:?}: {y:?}", d.name);
                assert!(gradient(f, x, &p)[slot + 1].is_nan(), "{} {p:?}", d.name);
            }
        }
        for &(slot, value) in d.wrong {
            let mut p = p.to_vec();
            p[slot] = value;
            for y in sampled(d, &p, 4) {
                assert!(if d.is_discrete() { y == -1.0 } else { y.is_nan() }, "{} {p:?}: {y}", d.name);
            }
        }
    }
}

fn sampled(d: &Distribution, p: &[f64], n: usize) -> Vec<f64> {
    let draw = d.sample;
    let f = move |seed: Var, p: Vec<Var>| draw(random::key(seed), &p, n);
    let graph = trace(f, (Type::scalar(DType::I64), vec![Type::scalar(DType::F64); p.len()])).unwrap();
    let inputs: Vec<Array> = [Array::scalar(2027i64)].into_iter().chain(p.iter().map(|&p| Array::scalar(p))).collect();
    numbers(&Program::compile(&graph).unwrap().call(&inputs).unwrap()[0])
}

/// Kolmogorov and Smirnov for numbers; for counts, in standard deviations of a binomial one, the worst of all counts.
#[test]
fn samplers_follow_their_distributions() {
    const N: usize = 20_000;
    for d in &DISTRIBUTIONS {
        let (p, _) = d.at;
        let x = sampled(d, p, N);
        let n = N as f64;
        if d.is_discrete() {
            let counts: Vec<f64> = (0..60).map(f64::from).collect();
            for (k, log_p) in counts.iter().zip(values(d.log, &counts, p)) {
                let got = x.iter().filter(|&x| x == k).count() as f64;
                let p = log_p.exp();
                let deviation = (n * p * (1.0 - p)).sqrt();
                assert!((got - n * p).abs() < 4.5 * deviation + 3.0, "{}: {got} times {k}, expected {}", d.name, n * p);
            }
            continue;
        }
        let mut p = values(d.cdf, &x, p);
        p.sort_by(f64::total_cmp);
        let distance = |(i, p): (usize, &f64)| (p - i as f64 / n).max((i as f64 + 1.0) / n - p);
        let statistic = p.iter().enumerate().map(distance).fold(0.0, f64::max) * n.sqrt();
        assert!((0.2..1.95).contains(&statistic), "{}: {statistic}", d.name);
    }
}

/// A number of a continuous distribution stays at its quantile when parameters move: dx/dθ = -∂F/∂θ / density.
#[test]
fn samples_move_along_their_quantiles() {
    for d in DISTRIBUTIONS.iter().filter(|d| !d.is_discrete()) {
        let (p, _) = d.at;
        let draw = d.sample;
        let f = move |seed: Var, p: Vec<Var>| draw(random::key(seed), &p, 1).index(0);
        let graph = trace(f, (Type::scalar(DType::I64), vec![Type::scalar(DType::F64); p.len()])).unwrap();
        let wrt: Vec<usize> = (1..=p.len()).collect();
        let gradient_of_x = Program::compile(&differentiate::grad(&graph, 0, &wrt).unwrap()).unwrap();
        let value = Program::compile(&graph).unwrap();
        for seed in 0..10i64 {
            let inputs: Vec<Array> =
                [Array::scalar(seed)].into_iter().chain(p.iter().map(|&p| Array::scalar(p))).collect();
            let x = numbers(&value.call(&inputs).unwrap()[0])[0];
            let results = gradient_of_x.call(&inputs).unwrap();
            let slopes: Vec<f64> = results[results.len() - wrt.len()..].iter().flat_map(numbers).collect();
            let of_cdf = gradient(d.cdf, x, p);
            for (k, slope) in slopes.iter().enumerate() {
                let expected = -of_cdf[k + 1] / of_cdf[0];
                // The sampler of t, z √(a/γ), and of beta, of two gammas each, move along other curves.
                if ["t", "beta"].contains(&d.name) {
                    assert!(slope.is_finite());
                    continue;
                }
                let error = (slope - expected).abs();
                assert!(error < 1e-8 * (1.0 + expected.abs()), "{} by {k} at {x}: {slope}, {expected}", d.name);
            }
        }
    }
}

#[test]
fn parameters_broadcast_and_errors_name_the_function() {
    let f = jit(|x: Var, loc: Var| stats::normal::log_pdf(x, loc, 1.0));
    let y: ArrayD<f64> = f.call(ndarray::array![[0.0], [1.0]], ndarray::array![0.0, 1.0, 2.0]).unwrap();
    assert_eq!(y.shape(), [2, 3]);
    let single: Array1<f32> = jit(|x: Var| stats::gamma::log_pdf(x, 2.0, 0.5)).call([1f32, 2.0]).unwrap();
    assert!((single[0] - (4f32.ln() - 2.0)).abs() < 1e-6);
    let message = |f: fn(Var) -> Var| {
        let error = jit(f).call::<ArrayD<f64>>([1.0, 2.0]).unwrap_err().to_string();
        assert!(error.contains("tests/stats.rs"), "{error}");
        error
    };
    let shapes = message(|x| stats::normal::log_pdf(x, Var::ones([3]), 1.0));
    assert!(shapes.contains("stats::normal::log_pdf: "), "{shapes}");
    let dtypes = message(|x| stats::gamma::cdf(x, Var::from(1f32), 1.0));
    assert!(dtypes.contains("stats::gamma::cdf: parameters must have equal dtypes, but got f64 and f32"), "{dtypes}");
    let scalar = message(|x| stats::dirichlet::log_pdf(x.sum(), x));
    assert!(scalar.contains("stats::dirichlet::log_pdf: takes vectors along the last axis"), "{scalar}");
    let index = message(|x| stats::categorical::log_pmf(x, x));
    assert!(index.contains("stats::categorical::log_pmf: takes indices of i64"), "{index}");
}

/// Densities vanish at infinity, and distribution functions end at 0 and 1.
#[test]
fn ends_of_the_line() {
    for d in &DISTRIBUTIONS {
        let (p, _) = d.at;
        let ends = [f64::NEG_INFINITY, f64::INFINITY];
        assert_eq!(values(d.log, &ends, p), [f64::NEG_INFINITY; 2], "{}", d.name);
        assert_eq!(values(d.cdf, &ends, p), [0.0, 1.0], "{}", d.name);
    }
}
