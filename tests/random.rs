//! Random numbers: JAX's bits and numbers; the same bits wherever a graph runs; the distributions, by statistics with fixed
//! seeds; derivatives by the parameters of distributions.

use ndarray::{Array1, Array2};
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Program, Var, fori_loop, grad, interpret, jacobian, jit, map, optimize, random, trace, vmap};
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
            other => panic!("no function {other}"),
        }
    }
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string("tests/data/random/jax.json").unwrap();
    serde_json::from_str::<Vec<Json>>(&text).unwrap().into_iter().map(Case).collect()
}

/// What JAX gives to the bit, and what is made of it by functions that are rounded otherwise.
const BITS: [&str; 9] =
    ["key", "split", "fold_in", "bits", "bits32", "uniform", "integers", "categorical", "bernoulli"];

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
            assert!(near, "{got}, but JAX gives {expected}: {} {} {}", case.text("function"), case.0["dtype"], case.0["a"]);
            n += 1;
        }
    }
    assert!(n > 1_000, "{n} numbers");
}
