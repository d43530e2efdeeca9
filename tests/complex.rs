//! Complex numbers: values against mpmath and Annex G of the C standard, derivatives against holomorphic limits.

mod common;

use std::fs;

use ndarray::{Array1, ArrayD};
use retrograd::value::{DType, Type};
use retrograd::{Complex, Program, Var, grad, interpret, jacobian, jit, jvp, trace};

type Function = fn(Complex) -> Complex;

const FUNCTIONS: [(&str, Function); 15] = [
    ("exp", Complex::exp),
    ("ln", Complex::ln),
    ("sqrt", Complex::sqrt),
    ("sinh", Complex::sinh),
    ("cosh", Complex::cosh),
    ("tanh", Complex::tanh),
    ("sin", Complex::sin),
    ("cos", Complex::cos),
    ("tan", Complex::tan),
    ("asin", Complex::asin),
    ("acos", Complex::acos),
    ("atan", Complex::atan),
    ("asinh", Complex::asinh),
    ("acosh", Complex::acosh),
    ("atanh", Complex::atanh),
];

#[derive(Clone, Copy, Debug, PartialEq)]
struct Number {
    re: f64,
    im: f64,
}

impl Number {
    fn conj(self) -> Number {
        Number { re: self.re, im: -self.im }
    }
}

/// The arguments and values of each function of a file.
fn rows(file: &str) -> Vec<(String, Number, Number)> {
    let text = fs::read_to_string(format!("tests/data/complex/{file}.csv")).expect("a file");
    let row = |line: &str| {
        let (name, numbers) = line.split_once(',').expect("a name");
        let x: Vec<f64> = numbers.split(',').map(|x| x.parse().expect("a number")).collect();
        (name.to_string(), Number { re: x[0], im: x[1] }, Number { re: x[2], im: x[3] })
    };
    text.lines().map(row).collect()
}

/// The values at these arguments, by the interpreter and by native code, which must agree to the bit.
fn values(f: impl Fn(Complex) -> Complex + 'static, z: &[Number]) -> Vec<Number> {
    let part = |part: fn(&Number) -> f64| z.iter().map(part).collect::<Array1<f64>>();
    let arguments = Complex { re: part(|z| z.re), im: part(|z| z.im) };
    let ty = Type::new(DType::F64, [z.len()]);
    let graph = trace(f, (Complex { re: ty.clone(), im: ty },)).expect("a trace");
    let inputs = [arguments.re, arguments.im].map(|x| retrograd::value::Array::from_ndarray(x.into_dyn()));
    let native = Program::compile(&graph).expect("a program").call(&inputs).expect("values");
    let expected = interpret::run(&graph, &inputs).expect("values");
    assert!(native.iter().zip(&expected).all(|(x, y)| x.same_bits(y)));
    let [re, im] = [&native[0], &native[1]].map(|x| x.as_slice::<f64>().expect("f64").to_vec());
    re.into_iter().zip(im).map(|(re, im)| Number { re, im }).collect()
}

/// The error relative to a unit in the last place of the absolute value; infinite parts must be equal, and finite ones
/// beside them accurate by themselves.
fn ulps(got: Number, expected: Number) -> f64 {
    let apart = |got: f64, expected: f64, scale: f64| match (got, expected) {
        _ if got == expected || got.is_nan() && expected.is_nan() => 0.0,
        _ if got.is_finite() && expected.is_finite() => (got - expected).abs() / ulp(scale),
        _ => f64::INFINITY,
    };
    let norm = expected.re.abs().max(expected.im.abs());
    let scale = |part: f64| if norm.is_finite() { norm } else { part.abs() };
    apart(got.re, expected.re, scale(expected.re)).max(apart(got.im, expected.im, scale(expected.im)))
}

/// The unit in the last place of a number.
fn ulp(x: f64) -> f64 {
    f64::from_bits(x.to_bits() + 1) - x
}

#[test]
fn functions_are_within_4_ulps_of_mpmath() {
    let rows = rows("functions");
    for (name, f) in FUNCTIONS {
        let own: Vec<(Number, Number)> = rows.iter().filter(|row| row.0 == name).map(|row| (row.1, row.2)).collect();
        assert!(own.len() > 200, "{name} has too few rows");
        let mut worst = (0.0, own[0].0);
        for conjugate in [false, true] {
            let side = |z: Number| if conjugate { z.conj() } else { z };
            let arguments: Vec<Number> = own.iter().map(|row| side(row.0)).collect();
            for ((z, got), (_, expected)) in arguments.iter().zip(values(f, &arguments)).zip(&own) {
                let error = ulps(got, side(*expected));
                if error > worst.0 {
                    worst = (error, *z);
                }
            }
        }
        assert!(worst.0 <= 4.0, "{name}: {} ulps at {:?}", worst.0, worst.1);
    }
}

/// Where a part is NaN, C leaves the sign of the other one open. Signs of zeros count where no part of the argument is NaN,
/// but for the hyperbolic tangent of infinite numbers with an infinite angle.
#[test]
fn special_values_are_those_of_annex_g() {
    let rows = rows("special");
    for (name, f) in FUNCTIONS {
        let own: Vec<(Number, Number)> = rows.iter().filter(|row| row.0 == name).map(|row| (row.1, row.2)).collect();
        assert!(own.len() > 30, "{name} has too few rows");
        let arguments: Vec<Number> = own.iter().map(|row| row.0).collect();
        for ((z, got), (_, expected)) in arguments.iter().zip(values(f, &arguments)).zip(&own) {
            let is_open = expected.re.is_nan() || expected.im.is_nan();
            let shown = |z: Number| if is_open { Number { re: z.re.abs(), im: z.im.abs() } } else { z };
            let error = ulps(shown(got), shown(*expected));
            assert!(error <= 4.0, "{name} of {z:?}: {got:?}, but {expected:?}");
            let has_signs = !is_open && !z.re.is_nan() && !z.im.is_nan() && !(z.re.is_infinite() && z.im.is_infinite());
            let signs = |z: Number| [z.re.is_sign_negative(), z.im.is_sign_negative()];
            assert!(!has_signs || signs(got) == signs(*expected), "{name} of {z:?}: {got:?}, but {expected:?}");
        }
    }
}
