//! Random numbers: JAX's bits and numbers; the same bits wherever a graph runs; the distributions, by statistics with fixed
//! seeds; derivatives by the parameters of distributions.

use ndarray::{Array1, Array2, ArrayD, Axis};
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Program, Var, elementwise_grad, fori_loop, grad, interpret, jit, map, optimize, random, trace, vmap};
use serde_json::Value as Json;

/// Runs a function of a key's seed by the interpreter, natively, and natively after optimization, and checks that the bits
/// are equal.
fn run(seed: i64, f: impl Fn(Var) -> Var) -> Array {
    let graph = trace(f, (Type::scalar(DType::I64),)).unwrap();
    let inputs = [Array::scalar(seed)];
    let interpreted = interpret::run(&graph, &inputs).unwrap();
    let native = Program::compile(&graph).unwrap().call(&inputs).unwrap();
    let optimized = Program::compile(&optimize::optimize(&graph).unwrap()).unwrap().call(&inputs).unwrap();
    assert!(native[0].same_bits(&interpreted[0]), "native {}\ninterpreted {}", native[0], interpreted[0]);
    assert!(optimized[0].same_bits(&interpreted[0]), "optimized {}\ninterpreted {}", optimized[0], interpreted[0]);
    interpreted[0].clone()
}

/// An entry of the file of recorded results.
struct Case(Json);

impl Case {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    fn integers(&self, field: &str) -> Vec<i64> {
        self.0[field].as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
    }

    fn floats(&self, field: &str) -> Vec<f64> {
        let number = |x: &Json| x.as_f64().unwrap_or_else(|| x.as_str().unwrap().parse().unwrap());
        self.0[field].as_array().unwrap().iter().map(number).collect()
    }

    fn ty(&self) -> Type {
        let dtype = if self.text("dtype") == "float32" { DType::F32 } else { DType::F64 };
        let shape: Vec<usize> = self.integers("shape").iter().map(|&extent| extent as usize).collect();
        Type::new(dtype, shape)
    }

    /// What retrograd gives.
    fn result(&self) -> Array {
        run(self.0["seed"].as_i64().unwrap(), |seed| self.traced(random::key(seed)))
    }

    fn traced(&self, key: Var) -> Var {
        let ty = self.ty();
        let shape = ty.shape.clone();
        let a = || self.floats("a").into_iter().map(|a| Var::from(a).convert(ty.dtype)).collect::<Vec<Var>>();
        match self.text("function") {
            "key" => key,
            "split" => random::split(key, shape[0]),
            "fold_in" => random::fold_in(key, self.0["data"].as_i64().unwrap()),
            "bits" => random::bits(key, shape),
            "bits32" => random::bits32(key, shape),
            "uniform" => random::uniform(key, ty, self.floats("range")[0]..self.floats("range")[1]),
            "integers" => random::integers(key, shape, self.integers("range")[0]..self.integers("range")[1]),
            "normal" => random::normal(key, ty),
            "exponential" => random::exponential(key, ty),
            "gumbel" => random::gumbel(key, ty),
            "laplace" => random::laplace(key, ty),
            "logistic" => random::logistic(key, ty),
            "cauchy" => random::cauchy(key, ty),
            "truncated_normal" => {
                let [lower, upper] = [0, 1].map(|end| self.floats("range")[end]);
                random::truncated_normal(key, lower, upper, ty)
            }
            "gamma" => random::gamma(key, a()[0], shape),
            "log_gamma" => random::log_gamma(key, a()[0], shape),
            "beta" => random::beta(key, a()[0], a()[1], shape),
            "dirichlet" => random::dirichlet(key, Var::stack(&a(), 0), [shape[0]]),
            "categorical" => random::categorical(key, Var::stack(&a(), 0), shape),
            "bernoulli" => random::bernoulli(key, a()[0], shape),
            "permutation" => random::permutation(key, shape[0]),
            "choice" => random::choice(key, self.0["n"].as_u64().unwrap() as usize, shape),
            "distinct" => random::distinct(key, self.0["n"].as_u64().unwrap() as usize, shape[0]),
            "choice_weighted" => random::choice_weighted(key, Var::stack(&a(), 0), shape),
            "distinct_weighted" => random::distinct_weighted(key, Var::stack(&a(), 0), shape[0]),
            other => panic!("no function {other}"),
        }
    }
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string("tests/data/random/jax.json").unwrap();
    serde_json::from_str::<Vec<Json>>(&text).unwrap().into_iter().map(Case).collect()
}

/// What JAX gives to the bit, and what is made of it by functions that are rounded otherwise.
const BITS: [&str; 14] = [
    "key",
    "split",
    "fold_in",
    "bits",
    "bits32",
    "uniform",
    "integers",
    "categorical",
    "bernoulli",
    "permutation",
    "choice",
    "distinct",
    "choice_weighted",
    "distinct_weighted",
];

/// A float as the integer of its bits, another element as an integer.
fn as_integer(x: Scalar) -> i64 {
    match x {
        Scalar::F64(x) => x.to_bits().cast_signed(),
        Scalar::F32(x) => x.to_bits().cast_signed().into(),
        Scalar::I64(x) => x,
        Scalar::Bool(x) => x.into(),
    }
}

#[test]
fn bits_are_those_of_jax() {
    let mut n = 0;
    for case in cases().iter().filter(|case| BITS.contains(&case.text("function"))) {
        let result = case.result();
        let elements: Vec<i64> = result.elements().map(as_integer).collect();
        assert_eq!(elements, case.integers("result"), "{}", case.0);
        assert_eq!(result.ty().shape, case.ty().shape, "{}", case.0);
        n += elements.len();
    }
    assert!(n > 4_000, "{n} elements");
}

#[test]
fn numbers_are_those_of_jax_up_to_rounding() {
    let mut n = 0;
    for case in cases().iter().filter(|case| !BITS.contains(&case.text("function"))) {
        let result = case.result();
        let (tolerance, recorded): (f64, Vec<f64>) = match case.ty().dtype {
            DType::F32 => {
                let of = |bits: i64| f64::from(f32::from_bits(bits as u32));
                (3e-6, case.integers("result").into_iter().map(of).collect())
            }
            _ => {
                let of = |bits: i64| f64::from_bits(bits.cast_unsigned());
                (1e-12, case.integers("result").into_iter().map(of).collect())
            }
        };
        assert_eq!(result.ty().shape, case.ty().shape, "{}", case.0);
        for (got, expected) in result.elements().zip(recorded) {
            let Scalar::F64(got) = got.convert(DType::F64) else { unreachable!() };
            let near = (got - expected).abs() <= tolerance * (0.1 + expected.abs()) || got == expected;
            assert!(
                near,
                "{got}, but JAX gives {expected}: {} {} {}",
                case.text("function"),
                case.0["dtype"],
                case.0["a"]
            );
            n += 1;
        }
    }
    assert!(n > 1_000, "{n} numbers");
}

/// The functions of this module, each drawing `[3]` of a key.
fn each_function() -> Vec<(&'static str, Box<dyn Fn(Var) -> Var>)> {
    let single = Type::new(DType::F32, [3]);
    vec![
        ("split", Box::new(|key| random::split(key, 3))),
        ("fold_in", Box::new(|key| random::fold_in(key, 3))),
        ("bits", Box::new(|key| random::bits(key, [3]))),
        ("bits32", Box::new(|key| random::bits32(key, [3]))),
        ("integers", Box::new(|key| random::integers(key, [3], -5..100))),
        ("uniform", Box::new(|key| random::uniform(key, [3], -1.0..2.0))),
        ("uniform of f32", Box::new(move |key| random::uniform(key, &single, 0.0..1.0))),
        ("normal", Box::new(|key| random::normal(key, [3]))),
        ("truncated_normal", Box::new(|key| random::truncated_normal(key, 1.0, 2.0, [3]))),
        ("exponential", Box::new(|key| random::exponential(key, [3]))),
        ("gumbel", Box::new(|key| random::gumbel(key, [3]))),
        ("gamma", Box::new(|key| random::gamma(key, 0.5, [3]))),
        ("log_gamma", Box::new(|key| random::log_gamma(key, 2.5, [3]))),
        ("beta", Box::new(|key| random::beta(key, 0.5, 2.0, [3]))),
        ("dirichlet", Box::new(|key| random::dirichlet(key, Var::ones([2]), [3]))),
        ("bernoulli", Box::new(|key| random::bernoulli(key, 0.5, [3]))),
        ("categorical", Box::new(|key| random::categorical(key, Var::zeros([4]), [3]))),
        ("permutation", Box::new(|key| random::permutation(key, 3))),
        ("choice", Box::new(|key| random::choice(key, 5, [3]))),
        ("distinct", Box::new(|key| random::distinct(key, 5, 3))),
        ("choice_weighted", Box::new(|key| random::choice_weighted(key, Var::ones([4]), [3]))),
        ("distinct_weighted", Box::new(|key| random::distinct_weighted(key, Var::ones([4]), 3))),
        ("poisson", Box::new(|key| random::poisson(key, Var::from(ndarray::array![0.5, 5.0, 50.0]), [3]))),
        ("binomial", Box::new(|key| random::binomial(key, 40.0, Var::from(ndarray::array![0.1, 0.4, 0.8]), [3]))),
    ]
}

/// A key gives the same bits alone, among the rows of a batch, of a map, and in a loop, by every evaluator.
#[test]
fn bits_are_the_same_in_batches_maps_and_loops() {
    for (name, f) in each_function() {
        let keys = |seed: Var| random::split(random::key(seed), 4);
        let alone = run(3, |seed| Var::stack(&keys(seed).unstack(0).into_iter().map(&f).collect::<Vec<Var>>(), 0));
        let batched = run(3, |seed| vmap(|key: Var| f(key)).call(keys(seed)));
        let mapped = run(3, |seed| map(keys(seed), |key: Var| f(key)));
        assert!(batched.same_bits(&alone), "{name}: in a batch {batched}, alone {alone}");
        assert!(mapped.same_bits(&alone), "{name}: in a map {mapped}, alone {alone}");

        let folded = |seed: Var, i: i64| f(random::fold_in(random::key(seed), i));
        let last = run(3, |seed| folded(seed, 2));
        let looped = run(3, |seed| fori_loop(3, folded(seed, 0), |i, _| f(random::fold_in(random::key(seed), i))));
        assert!(looped.same_bits(&last), "{name}: in a loop {looped}, alone {last}");
    }
}

#[test]
fn bits_are_the_same_on_any_number_of_threads() {
    for (name, f) in each_function() {
        let of_seed = |seed: Var| f(random::key(seed));
        let expected = run(7, of_seed);
        let program = Program::compile(&trace(of_seed, (Type::scalar(DType::I64),)).unwrap()).unwrap();
        let call = |seed: i64| program.call(&[Array::scalar(seed)]).unwrap().remove(0);
        for n_threads in [1, 2, 8] {
            // Other numbers are drawn in between.
            let draw = |k: i64| [call(k), call(7)][1].clone();
            let same = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..n_threads).map(|k| scope.spawn(move || draw(k))).collect();
                threads.into_iter().all(|thread| thread.join().unwrap().same_bits(&expected))
            });
            assert!(same, "{name}: {n_threads} threads");
        }
    }
}

/// Rows of a batch that share a key are the same; offsets of batches count for each row.
#[test]
fn a_key_that_all_rows_share_gives_each_the_same() {
    let shared = run(1, |seed| {
        let key = random::key(seed);
        vmap(move |x: Var| x + random::uniform(key, [2], 0.0..1.0)).call(Var::zeros([3]))
    });
    let alone = run(1, |seed| random::uniform(random::key(seed), [2], 0.0..1.0));
    let alone: Vec<Scalar> = alone.elements().collect();
    assert_eq!(shared.elements().collect::<Vec<Scalar>>(), [&alone[..], &alone, &alone].concat());
}

fn numbers(x: &Array) -> Vec<f64> {
    x.elements().map(|x| if let Scalar::F64(x) = x.convert(DType::F64) { x } else { unreachable!() }).collect()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// Pearson's statistic of counts, in standard deviations of its distribution from its mean.
fn chi_square(counts: &[f64], expected: &[f64]) -> f64 {
    let statistic: f64 = counts.iter().zip(expected).map(|(n, expected)| (n - expected).powi(2) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    (statistic - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn bits_are_uniform_in_every_position() {
    const N: usize = 1 << 16;
    let bits: Vec<i64> = jit(|seed: Var| random::bits(random::key(seed), [N])).call::<Array1<i64>>(9).unwrap().to_vec();
    for position in 0..64 {
        let ones = bits.iter().filter(|&bits| bits >> position & 1 == 1).count() as f64;
        assert!((ones - N as f64 / 2.0).abs() < 4.5 * (N as f64).sqrt() / 2.0, "bit {position}: {ones}");
    }
    for shift in (0..64).step_by(8) {
        let mut counts = vec![0.0; 256];
        bits.iter().for_each(|bits| counts[(bits >> shift & 255) as usize] += 1.0);
        let sigmas = chi_square(&counts, &vec![N as f64 / 256.0; 256]);
        assert!(sigmas.abs() < 4.5, "byte at {shift}: {sigmas}");
    }
    // Neighbors, and numbers of two keys of one, have nothing to do with each other.
    let uniform = |key: Var| random::uniform(key, [N], -0.5..0.5);
    let f = jit(|seed: Var| {
        let [a, b] = random::keys(random::key(seed));
        (uniform(a), uniform(b))
    });
    let (x, y): (Array1<f64>, Array1<f64>) = f.call(9).unwrap();
    let limit = 4.5 / 12.0 / (N as f64).sqrt();
    let neighbors = x.windows(2).into_iter().map(|pair| pair[0] * pair[1]).sum::<f64>() / N as f64;
    assert!(neighbors.abs() < limit && ((&x * &y).mean().unwrap()).abs() < limit);
    assert!((mean(x.as_slice().unwrap())).abs() < 4.5 / (12.0 * N as f64).sqrt());
}

/// The statistic of Kolmogorov and Smirnov, times √n: above 1.95 in one case of a thousand.
fn kolmogorov_smirnov(draw: impl Fn(Var) -> Var, cdf: impl Fn(Var) -> Var) -> f64 {
    let f = jit(move |seed: Var| cdf(draw(random::key(seed))));
    let mut p = f.call::<ArrayD<f64>>(2026).unwrap().into_iter().collect::<Vec<f64>>();
    p.sort_by(f64::total_cmp);
    let n = p.len() as f64;
    let distance = |(i, p): (usize, &f64)| (p - i as f64 / n).max((i as f64 + 1.0) / n - p);
    p.iter().enumerate().map(distance).fold(0.0, f64::max) * n.sqrt()
}

#[test]
fn numbers_have_their_distributions() {
    const N: [usize; 1] = [20_000];
    let single = Type::new(DType::F32, N);
    let gamma = |a: f64| move |key: Var| random::gamma(key, a, N);
    let by_gamma = |a: f64| move |x: Var| x.full_like(a).igamma(x);
    let beta = |a: f64, b: f64| move |key: Var| random::beta(key, a, b, N);
    let by_beta = |a: f64, b: f64| move |x: Var| x.full_like(a).betainc(b, x);
    let statistics = [
        ("uniform", kolmogorov_smirnov(|key| random::uniform(key, N, -1.0..3.0), |x| (x + 1.0) / 4.0)),
        ("normal", kolmogorov_smirnov(|key| random::normal(key, N), Var::ndtr)),
        (
            "normal of f32",
            kolmogorov_smirnov(move |key| random::normal(key, &single), |x| x.convert(DType::F64).ndtr()),
        ),
        (
            "truncated_normal",
            kolmogorov_smirnov(
                |key| random::truncated_normal(key, -0.5, 2.0, N),
                |x| (x.ndtr() - (-0.5 + 0.0 * x).ndtr()) / ((2.0 + 0.0 * x).ndtr() - (-0.5 + 0.0 * x).ndtr()),
            ),
        ),
        (
            "tail",
            kolmogorov_smirnov(
                |key| random::truncated_normal(key, 9.0, f64::INFINITY, N),
                |x| 1.0 - (-x).ndtr() / (-9.0 + 0.0 * x).ndtr(),
            ),
        ),
        ("exponential", kolmogorov_smirnov(|key| random::exponential(key, N), |x| -(-x).exp_m1())),
        ("gumbel", kolmogorov_smirnov(|key| random::gumbel(key, N), |x| (-(-x).exp()).exp())),
        ("logistic", kolmogorov_smirnov(|key| random::logistic(key, N), Var::sigmoid)),
        (
            "laplace",
            kolmogorov_smirnov(
                |key| random::laplace(key, N),
                |x| x.less(0.0).select(0.5 * x.exp(), 1.0 - 0.5 * (-x).exp()),
            ),
        ),
        ("cauchy", kolmogorov_smirnov(|key| random::cauchy(key, N), |x| 0.5 + x.atan() / std::f64::consts::PI)),
        ("gamma 0.3", kolmogorov_smirnov(gamma(0.3), by_gamma(0.3))),
        ("gamma 1", kolmogorov_smirnov(gamma(1.0), by_gamma(1.0))),
        ("gamma 7.5", kolmogorov_smirnov(gamma(7.5), by_gamma(7.5))),
        ("gamma 1000", kolmogorov_smirnov(gamma(1000.0), by_gamma(1000.0))),
        ("log_gamma 0.3", kolmogorov_smirnov(|key| random::log_gamma(key, 0.3, N).exp(), by_gamma(0.3))),
        ("beta 0.5 0.5", kolmogorov_smirnov(beta(0.5, 0.5), by_beta(0.5, 0.5))),
        ("beta 2 5", kolmogorov_smirnov(beta(2.0, 5.0), by_beta(2.0, 5.0))),
        (
            "dirichlet",
            kolmogorov_smirnov(
                |key| random::dirichlet(key, Var::from(ndarray::array![0.5, 1.0, 1.5]), N).index_axis(1, 2),
                by_beta(1.5, 1.5),
            ),
        ),
    ];
    for (name, statistic) in statistics {
        assert!(statistic < 1.95, "{name}: {statistic}");
        assert!(statistic > 0.2, "{name}: {statistic} is too even");
    }
}

/// Counts of integers against their probabilities, the last of which is that of all beyond.
fn of_integers(draw: impl Fn(Var) -> Var, probability: impl Fn(usize) -> f64) -> f64 {
    let graph = trace(|seed: Var| draw(random::key(seed)), (Type::scalar(DType::I64),)).unwrap();
    let x = numbers(&Program::compile(&graph).unwrap().call(&[Array::scalar(77i64)]).unwrap()[0]);
    let n = x.len() as f64;
    let mut probabilities: Vec<f64> = Vec::new();
    let last = (0..).find(|&k| probability(k) * n < 8.0 && k as f64 > mean(&x)).unwrap();
    probabilities.extend((0..last).map(&probability));
    probabilities.push(1.0 - probabilities.iter().sum::<f64>());
    let mut counts = vec![0.0; last + 1];
    x.iter().for_each(|&x| counts[(x as usize).min(last)] += 1.0);
    // Those of a few are counted together.
    let (mut merged, mut expected) = (vec![0.0], vec![0.0]);
    for (count, p) in counts.iter().zip(&probabilities) {
        *merged.last_mut().unwrap() += count;
        *expected.last_mut().unwrap() += p * n;
        if *expected.last().unwrap() >= 8.0 {
            merged.push(0.0);
            expected.push(0.0);
        }
    }
    let (rest, rest_expected) = (merged.pop().unwrap(), expected.pop().unwrap());
    *merged.last_mut().unwrap() += rest;
    *expected.last_mut().unwrap() += rest_expected;
    chi_square(&merged, &expected)
}

fn ln_factorial(n: usize) -> f64 {
    (1..=n).map(|k| (k as f64).ln()).sum()
}

#[test]
fn integers_have_their_distributions() {
    const N: [usize; 1] = [20_000];
    let poisson = |rate: f64| move |k: usize| (k as f64 * rate.ln() - rate - ln_factorial(k)).exp();
    let binomial = |n: usize, p: f64| {
        move |k: usize| {
            if k > n {
                return 0.0;
            }
            let ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
            (ways + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()).exp()
        }
    };
    let mut statistics = vec![
        ("integers", of_integers(|key| random::integers(key, N, 0..10), |k| if k < 10 { 0.1 } else { 0.0 })),
        ("bernoulli", of_integers(|key| random::bernoulli(key, 0.3, N), |k| [0.7, 0.3, 0.0][k.min(2)])),
        (
            "categorical",
            of_integers(
                |key| random::categorical(key, Var::from(ndarray::array![0.2, 0.1, 0.4, 0.3]).ln(), N),
                |k| [0.2, 0.1, 0.4, 0.3, 0.0][k.min(4)],
            ),
        ),
    ];
    for rate in [0.5, 3.0, 9.9, 10.0, 35.0, 400.0] {
        statistics.push(("poisson", of_integers(move |key| random::poisson(key, rate, N), poisson(rate))));
    }
    for (n, p) in [(5, 0.3), (40, 0.1), (40, 0.5), (40, 0.9), (300, 0.35), (1000, 0.97)] {
        let draw = move |key: Var| random::binomial(key, n as f64, p, N);
        statistics.push(("binomial", of_integers(draw, binomial(n, p))));
    }
    for (name, sigmas) in statistics {
        assert!(sigmas.abs() < 4.0, "{name}: {sigmas}");
    }
}

/// Each of the 24 orders of four is as likely as any other, and so is each pair of distinct indices by weights.
#[test]
fn orders_are_equally_likely() {
    const N: usize = 24_000;
    let orders = |seed: Var| map(random::split(random::key(seed), N), |key: Var| random::permutation(key, 4));
    let x: Array2<i64> = jit(orders).call(1).unwrap();
    let mut counts = std::collections::HashMap::new();
    x.outer_iter().for_each(|order| *counts.entry(order.to_vec()).or_insert(0.0) += 1.0);
    assert_eq!(counts.len(), 24);
    let counts: Vec<f64> = counts.into_values().collect();
    assert!(chi_square(&counts, &[1000.0; 24]).abs() < 4.0, "{counts:?}");

    // The second index of weights 1, 2, 3 after the first one: p₁ p₂/(1 - p₁).
    let weights = Var::from;
    let pairs = move |seed: Var| {
        let draw = |key: Var| random::distinct_weighted(key, weights(ndarray::array![1.0, 2.0, 3.0]), 2);
        map(random::split(random::key(seed), N), draw)
    };
    let x: Array2<i64> = jit(pairs).call(1).unwrap();
    let p = [1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0];
    for (a, b) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let got = x.outer_iter().filter(|pair| pair[0] == a && pair[1] == b).count() as f64 / N as f64;
        let (a, b) = (p[a as usize], p[b as usize]);
        let expected = a * b / (1.0 - a);
        assert!((got - expected).abs() < 4.5 * (expected / N as f64).sqrt(), "{got}, expected {expected}");
    }
}

/// What is no distribution is NaN, or -1 among integers.
#[test]
fn parameters_without_a_distribution() {
    let x = numbers(&run(0, |seed| {
        let a = Var::from(ndarray::array![-1.0, -0.5, 0.0, f64::NAN, f64::INFINITY, 1.0]);
        random::gamma(random::key(seed), a, [6])
    }));
    assert!(x[..4].iter().all(|x| x.is_nan()) && x[4] == f64::INFINITY && x[5].is_finite(), "{x:?}");
    let x = numbers(&run(0, |seed| random::beta(random::key(seed), Var::from(ndarray::array![0.0, 2.0]), 1.0, [2])));
    assert!(x[0].is_nan() && x[1].is_finite(), "{x:?}");
    let rates = ndarray::array![-1.0, f64::NAN, f64::INFINITY, 0.0, 1e15];
    let x = numbers(&run(0, |seed| random::poisson(random::key(seed), Var::from(&rates), [5])));
    assert!(x[..4] == [-1.0, -1.0, -1.0, 0.0] && (x[4] / 1e15 - 1.0).abs() < 1e-6, "{x:?}");
    let p = ndarray::array![-0.1, 1.1, f64::NAN, 0.0, 1.0];
    let x = numbers(&run(0, |seed| random::binomial(random::key(seed), 7.0, Var::from(&p), [5])));
    assert_eq!(x, [-1.0, -1.0, -1.0, 0.0, 7.0]);
    for weights in [[1.0, -1.0], [0.0, 0.0], [f64::NAN, 1.0], [f64::INFINITY, 1.0]] {
        let weights = ndarray::Array1::from(weights.to_vec());
        let x = numbers(&run(0, |seed| random::choice_weighted(random::key(seed), Var::from(&weights), [2])));
        assert_eq!(x, [-1.0, -1.0], "{weights}");
    }
    let weights = ndarray::array![1.0, -1.0];
    let x = numbers(&run(0, |seed| random::distinct_weighted(random::key(seed), Var::from(&weights), 1)));
    assert_eq!(x, [-1.0]);
    let n = ndarray::array![-1.0, 2.5, f64::NAN, 0.0, 1e15];
    let x = numbers(&run(0, |seed| random::binomial(random::key(seed), Var::from(&n), 0.5, [5])));
    assert!(x[..4] == [-1.0, -1.0, -1.0, 0.0] && (x[4] / 5e14 - 1.0).abs() < 1e-6, "{x:?}");
}

#[test]
fn wrong_keys_and_types_are_errors() {
    let message = |f: fn(Var) -> Var| {
        let error = jit(f).call::<ArrayD<f64>>(0).unwrap_err().to_string();
        assert!(error.contains("tests/random.rs"), "{error}");
        error
    };
    let key = "takes a key, i64[2], as random::key makes it, but got i64[]";
    assert!(message(|x| random::normal(x, [3])).contains(&format!("random::normal: {key}")));
    assert!(message(|x| random::split(x, 3)).contains(&format!("random::split: {key}")));
    assert!(message(|x| random::gamma(x, 1.0, [3])).contains(&format!("random::gamma: {key}")));
    let float = message(|_| random::key(Var::from(1.0)));
    assert!(float.contains("random::key: the seed must be i64[], but got f64[]"), "{float}");
    let ty = message(|x| random::uniform(random::key(x), Type::new(DType::I64, [3]), 0.0..1.0));
    assert!(ty.contains("random::uniform: gives floating-point numbers, but was asked for i64[3]"), "{ty}");
    let shape = message(|x| random::gamma(random::key(x), Var::ones([2]), [3]));
    assert!(shape.contains("random::gamma: parameters must broadcast to the shape [3], but got [2]"), "{shape}");
    let integer = message(|x| random::gamma(random::key(x), x, [3]));
    assert!(integer.contains("takes parameters of floating point, but got i64"), "{integer}");
    let mixed = message(|x| random::beta(random::key(x), Var::from(1f32), Var::from(1.0), [3]));
    assert!(mixed.contains("parameters must have equal dtypes, but got f32 and f64"), "{mixed}");
    let empty = message(|x| random::categorical(random::key(x), Var::zeros([0]), [3]));
    assert!(empty.contains("at least one logit"), "{empty}");
    let few = message(|x| random::distinct(random::key(x), 3, 4));
    assert!(few.contains("random::distinct: cannot take 4 of 3"), "{few}");
    let none = message(|x| random::choice(random::key(x), 0, [4]));
    assert!(none.contains("random::choice: cannot take 1 of 0"), "{none}");
    let matrix = message(|x| random::choice_weighted(random::key(x), Var::ones([2, 2]), [3]));
    assert!(matrix.contains("random::choice_weighted: takes a vector of weights, but got f64[2,2]"), "{matrix}");
}

/// `x` with P(a, x) = p, by Newton's method on the smaller of P and 1 - P, from a point nearby.
fn quantile(a: f64, p: &Array1<f64>, q: &Array1<f64>, start: &Array1<f64>) -> Array1<f64> {
    let step = jit(|a: Var, x: Var, p: Var, q: Var| {
        let excess = p.less(0.5).select(a.igamma(x) - p, q - a.igammac(x));
        x - excess / a.gamma_density(x)
    });
    (0..6).fold(start.clone(), |x, _| step.call(a, &x, p, q).unwrap())
}

/// In tails where densities underflow, to second order: x solves Φ(x) - Φ(a) = u (Φ(b) - Φ(a)).
#[test]
fn truncated_numbers_follow_their_bounds_in_tails() {
    for (lower, upper) in [(-1.0, 1.0), (30.0, 31.0), (-32.0, -30.5), (5.0, f64::INFINITY), (-0.5, 4.0)] {
        let draw = |lower: Var, upper: Var| random::truncated_normal(random::key(5), lower, upper, [4]);
        let of_bounds =
            |f: &dyn Fn(f64, f64) -> Array1<f64>, a: f64, b: f64, h: f64| (f(a + h, b) - f(a - h, b)) / (2.0 * h);
        let value = jit(draw);
        let slope = jit(retrograd::jacobian(draw));
        let bend = jit(retrograd::jacobian(retrograd::jacobian(draw)));
        let (value, slope) = (
            |a: f64, b: f64| value.call::<Array1<f64>>(a, b).unwrap(),
            |a: f64, b: f64| slope.call::<Array1<f64>>(a, b).unwrap(),
        );
        let bend: Array1<f64> = bend.call(lower, upper).unwrap();
        let by_values = of_bounds(&value, lower, upper, 1e-5);
        let by_slopes = of_bounds(&slope, lower, upper, 1e-5);
        let near = |x: &Array1<f64>, y: &Array1<f64>| (x - y).iter().all(|d| d.abs() < 2e-5 * (1.0 + y.sum().abs()));
        assert!(near(&slope(lower, upper), &by_values), "{lower} {upper}: {} {by_values}", slope(lower, upper));
        assert!(near(&bend, &by_slopes), "{lower} {upper}: {bend} {by_slopes}");
    }
}

#[test]
fn gamma_moves_along_its_quantiles() {
    const N: usize = 200;
    let draw = |a: Var| random::gamma(random::key(3), a, [N]);
    let by_a = jit(move |a: Var| elementwise_grad(move |a: Var| draw(a)).call(a.broadcast_to(&[N])));
    for a in [0.2, 0.7, 1.0, 2.5, 30.0, 2000.0] {
        let x: Array1<f64> = jit(draw).call(a).unwrap();
        let slopes: Array1<f64> = by_a.call(a).unwrap();
        let f = jit(|a: Var, x: Var| (a.igamma(x), a.igammac(x)));
        let (p, q): (Array1<f64>, Array1<f64>) = f.call(a, &x).unwrap();
        let h = 1e-4 * a;
        let [after, before] = [a + h, a - h].map(|a| quantile(a, &p, &q, &x));
        for k in 0..N {
            // Very small numbers move by a power law, which the difference does not follow.
            if x[k] < 1e-8 {
                continue;
            }
            let difference = (after[k] - before[k]) / (2.0 * h);
            let error = (slopes[k] - difference).abs();
            assert!(error < 1e-5 * slopes[k].abs(), "a = {a}, x = {}: {} and {difference}", x[k], slopes[k]);
        }
    }
}

/// The logarithm of a small number of the gamma distribution has the derivative of (ln p + ln Γ(a + 1))/a, at a p that does
/// not change.
#[test]
fn logarithms_of_small_gammas_move_along_their_quantiles() {
    let draw = |a: Var| random::log_gamma(random::key(3), a, [50]);
    let by_a = jit(move |a: Var| elementwise_grad(move |a: Var| draw(a)).call(a.broadcast_to(&[50])));
    let a = 1e-3;
    let y: Array1<f64> = jit(draw).call(a).unwrap();
    let slopes: Array1<f64> = by_a.call(a).unwrap();
    let [digamma, lgamma]: [f64; 2] = jit(|a: Var| [(a + 1.0).digamma(), (a + 1.0).lgamma()]).call(a).unwrap();
    for (y, slope) in y.iter().zip(&slopes).filter(|(y, _)| **y < -40.0) {
        let ln_p = a * y - lgamma;
        let expected = digamma / a - (ln_p + lgamma) / (a * a);
        assert!((slope - expected).abs() < 1e-12 * expected.abs(), "{y}: {slope}, {expected}");
    }
    // Beside them are numbers of ordinary size, and both dtypes agree.
    let single = jit(move |a: Var| elementwise_grad(move |a: Var| draw(a)).call(a.broadcast_to(&[50])));
    let narrow: Array1<f32> = single.call(0.7f32).unwrap();
    assert!(narrow.iter().all(|slope| slope.is_finite()));
}

/// Expectations of functions of random numbers, and their derivatives by the parameters of the distribution, known in
/// closed form.
#[test]
fn derivatives_of_expectations() {
    const N: usize = 20_000;
    let near = |name: &str, got: f64, expected: f64, tolerance: f64| {
        assert!((got - expected).abs() < tolerance, "{name}: {got}, expected {expected}");
    };
    let normal = |m: Var, s: Var| ((m + s * random::normal(random::key(0), [N])).square()).mean();
    let (by_m, by_s): (f64, f64) =
        jit(grad(normal).wrt((retrograd::Arg::<0>, retrograd::Arg::<1>))).call(1.5, 0.5).unwrap();
    near("normal by m", by_m, 3.0, 0.02);
    near("normal by s", by_s, 1.0, 0.04);
    // E x² = a (a + 1), whose derivative is 2 a + 1.
    let gamma = |a: Var| random::gamma(random::key(0), a, [N]).square().mean();
    near("gamma", jit(grad(gamma)).call(2.0).unwrap(), 5.0, 0.15);
    // E x = a/(a + b), E ln x = ψ(a) - ψ(a + b).
    let beta = |a: Var, b: Var| random::beta(random::key(0), a, b, [N]).mean();
    near("beta by a", jit(grad(beta)).call(2.0, 3.0).unwrap(), 3.0 / 25.0, 0.005);
    near("beta by b", jit(grad(beta).wrt(retrograd::Arg::<1>)).call(2.0, 3.0).unwrap(), -2.0 / 25.0, 0.005);
    let dirichlet = |a: Var| random::dirichlet(random::key(0), a, [N]).index_axis(1, 0).mean();
    let slopes: Array1<f64> = jit(grad(dirichlet)).call([1.0, 2.0, 1.0]).unwrap();
    for (slope, expected) in slopes.iter().zip([3.0 / 16.0, -1.0 / 16.0, -1.0 / 16.0]) {
        near("dirichlet", *slope, expected, 0.006);
    }
    // A bound of the uniform distribution, as the truncated one is within a small range.
    let truncated = |upper: Var| random::truncated_normal(random::key(0), 0.0, upper, [N]).mean();
    near("truncated_normal", jit(grad(truncated)).call(1e-3).unwrap(), 0.5, 0.01);
}

/// Rows of a batch of keys take as many iterations as each needs, and gradients pass through the batch.
#[test]
fn gradients_pass_through_batches_of_keys() {
    let loss = |a: Var, keys: Var| vmap(move |key: Var, a: Var| random::gamma(key, a, [5]).sum()).call(keys, a).sum();
    let slopes: Array1<f64> = jit(move |a: Var, seed: Var| {
        let keys = random::split(random::key(seed), 3);
        grad(loss).call(a, keys)
    })
    .call([0.5, 1.5, 4.0], 8)
    .unwrap();
    let alone: Array2<f64> = jit(move |a: Var, seed: Var| {
        let keys = random::split(random::key(seed), 3);
        let each = |k: usize| grad(move |a: Var| random::gamma(keys.at(k), a, [5]).sum()).call(a.at(k));
        Var::stack(&[each(0), each(1), each(2)], 0).reshape(&[3, 1])
    })
    .call([0.5, 1.5, 4.0], 8)
    .unwrap();
    for (slope, alone) in slopes.iter().zip(alone.index_axis(Axis(1), 0)) {
        assert!((slope - alone).abs() < 1e-13 * alone.abs(), "{slope}, {alone}");
    }
}

/// All that a function of this module appends to a graph bears the line that called it.
#[test]
fn operations_bear_the_lines_that_called() {
    for (name, f) in each_function() {
        let graph = trace(|seed: Var| f(random::key(seed)), (Type::scalar(DType::I64),)).unwrap();
        let text = graph.to_json().unwrap();
        assert!(text.contains("tests/random.rs") && !text.contains("src/random"), "{name}: {text}");
    }
}
