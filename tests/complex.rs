//! Complex numbers: values against mpmath and Annex G of the C standard, derivatives against holomorphic limits.

use std::collections::BTreeMap;
use std::fs;

use ndarray::{Array1, Array2};
use num_complex::{Complex64, c64};
use retrograd::value::{Array, DType, Type};
use retrograd::{
    Complex, Program, Var, grad, hessian, holomorphic_grad, holomorphic_jacobian, interpret, jacobian, jit, jvp, trace,
};

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

/// The pairs of arguments and the values of functions of two numbers.
fn pairs(file: &str) -> Vec<(String, Number, Number, Number)> {
    let text = fs::read_to_string(format!("tests/data/complex/{file}.csv")).expect("a file");
    let row = |line: &str| {
        let (name, numbers) = line.split_once(',').expect("a name");
        let x: Vec<f64> = numbers.split(',').map(|x| x.parse().expect("a number")).collect();
        let number = |k: usize| Number { re: x[k], im: x[k + 1] };
        (name.to_string(), number(0), number(2), number(4))
    };
    text.lines().map(row).collect()
}

/// The values at these arguments, by the interpreter and by native code, which must agree to the bit.
fn values(f: impl Fn(Complex) -> Complex, z: &[Number]) -> Vec<Number> {
    let rows: Vec<(String, Number, Number, Number)> = z.iter().map(|&z| (String::new(), z, z, z)).collect();
    values_of_two(|z, _| f(z), &rows)
}

/// The same for functions of two numbers.
fn values_of_two(f: impl Fn(Complex, Complex) -> Complex, rows: &[(String, Number, Number, Number)]) -> Vec<Number> {
    let part = |part: &dyn Fn(&(String, Number, Number, Number)) -> f64| {
        Array::from_ndarray(rows.iter().map(part).collect::<Array1<f64>>().into_dyn())
    };
    let inputs = [part(&|row| row.1.re), part(&|row| row.1.im), part(&|row| row.2.re), part(&|row| row.2.im)];
    let ty = || Type::new(DType::F64, [rows.len()]);
    let complex = || Complex { re: ty(), im: ty() };
    let graph = trace(f, (complex(), complex())).expect("a trace");
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
            let has_no_signs = is_open || z.re.is_nan() || z.im.is_nan() || z.re.is_infinite() && z.im.is_infinite();
            let signs = |z: Number| [z.re.is_sign_negative(), z.im.is_sign_negative()];
            assert!(has_no_signs || signs(got) == signs(*expected), "{name} of {z:?}: {got:?}, but {expected:?}");
        }
    }
}

#[test]
fn quotients_are_within_4_ulps_of_mpmath() {
    let rows = pairs("quotients");
    assert!(rows.len() > 4000);
    let got = values_of_two(|x, y| x / y, &rows);
    for ((_, x, y, expected), got) in rows.iter().zip(got) {
        // Beside a part that overflows, a finite one does not count.
        let overflows = expected.re.is_infinite() || expected.im.is_infinite();
        let kept = |part: f64, expected: f64| if overflows && expected.is_finite() { 0.0 } else { part };
        let kept = |z: Number| Number { re: kept(z.re, expected.re), im: kept(z.im, expected.im) };
        assert!(ulps(kept(got), kept(*expected)) <= 4.0, "{x:?} / {y:?}: {got:?}, but {expected:?}");
    }
}

#[test]
fn powers_are_within_4_ulps_of_mpmath() {
    let mut groups: BTreeMap<(String, i32), Vec<(String, Number, Number, Number)>> = BTreeMap::new();
    for row in pairs("powers") {
        let n = if row.0 == "powi" { row.2.re as i32 } else { 0 };
        groups.entry((row.0.clone(), n)).or_default().push(row);
    }
    assert_eq!(groups.len(), 4 + 15);
    for ((name, n), rows) in groups {
        let f = move |z: Complex, c: Complex| match &*name {
            "powc" => z.powc(c),
            "powf" => z.powf(c.re),
            "exp2" => z.exp2(),
            "expf" => z.expf(0.003),
            _ => z.powi(n),
        };
        for (got, (name, x, c, expected)) in values_of_two(f, &rows).iter().zip(&rows) {
            let error = ulps(*got, *expected);
            assert!(error <= 4.0, "{name} {x:?} {c:?}: {got:?}, but {expected:?}: {error} ulps");
        }
    }
}

#[test]
fn powers_of_zero_and_infinity() {
    let at_zero = |f: fn(Complex) -> Complex| values(f, &[Number { re: 0.0, im: 0.0 }])[0];
    assert_eq!(at_zero(|z| z.powf(2.5)), Number { re: 0.0, im: 0.0 });
    assert_eq!(at_zero(|z| z.powf(0.0)), Number { re: 1.0, im: 0.0 });
    assert_eq!(at_zero(|z| z.powc(z + 2.0)), Number { re: 0.0, im: 0.0 });
    assert_eq!(at_zero(|z| z.powi(0)), Number { re: 1.0, im: 0.0 });
}

/// The first and the second derivative, each by reverse mode, against mpmath; and the first one by forward mode.
#[test]
fn derivatives_are_holomorphic_limits() {
    let text = fs::read_to_string("tests/data/complex/derivatives.csv").expect("a file");
    for (name, f) in FUNCTIONS {
        let rows = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(','));
        let rows: Vec<Vec<f64>> =
            rows.map(|row| row.split(',').map(|x| x.parse().expect("a number")).collect()).collect();
        assert_eq!(rows.len(), 24, "{name}");
        let first = jit(holomorphic_grad(f));
        let second = jit(holomorphic_grad(holomorphic_grad(f)));
        let forward = jit(jvp(f));
        for row in rows {
            let z = Complex { re: row[1], im: row[2] };
            let expected = Number { re: row[3], im: row[4] };
            let mut got = vec![if row[0] == 1.0 { first.call(z) } else { second.call(z) }];
            if row[0] == 1.0 {
                // Along i the derivative is i f'.
                let y: Result<(Complex<f64>, Complex<f64>), _> = forward.call(z, Complex { re: 0.0, im: 1.0 });
                got.push(y.map(|(_, t)| Complex { re: t.im, im: -t.re }));
            }
            for got in got {
                let got: Complex<f64> = got.expect("a derivative");
                let error = (got.re - expected.re).hypot(got.im - expected.im) / expected.re.hypot(expected.im);
                assert!(error < 1e-14, "{name}, order {}, at {z:?}: {got:?}, but {expected:?}", row[0]);
            }
        }
    }
}

/// Gradients of real functions against differences of the real parts, at points off the kinks.
#[test]
fn gradients_are_those_of_real_differences() {
    let functions: [(&str, fn(Complex) -> Var); 9] = [
        ("abs", |z| z.abs()),
        ("arg", |z| z.arg()),
        ("sign", |z| (z.sign() * Complex::cis(z.re)).im),
        ("quotient", |z| ((z + 2.0) / (z * z - num_complex::c64(0.5, 1.0))).re),
        ("real quotient", |z| (z.re / (z.conj() + 0.3)).im),
        ("powf", |z| z.powf(z.im).re),
        ("powc", |z| z.powc(z.conj()).im),
        ("cbrt", |z| z.cbrt().abs_squared() + z.exp2().re + z.log10().im + z.log2().re),
        ("polar", |z| Complex::from_polar(z.re, z.im).sqrt().re),
    ];
    for (name, f) in functions {
        let (value, slope) = (jit(f), jit(grad(f)));
        let forward = jit(move |z: Complex, t: Complex| jvp(f).call(z, t).1);
        for z in [Complex { re: 0.7, im: -0.4 }, Complex { re: -1.3, im: 0.6 }, Complex { re: 0.2, im: 1.9 }] {
            let got: Complex<f64> = slope.call(z).expect("a gradient");
            let at =
                |re: f64, im: f64| -> f64 { value.call(Complex { re: z.re + re, im: z.im + im }).expect("a value") };
            let h = 1e-5;
            let expected = [(at(h, 0.0) - at(-h, 0.0)) / (2.0 * h), (at(0.0, h) - at(0.0, -h)) / (2.0 * h)];
            let is_near = |got: f64, expected: f64| (got - expected).abs() < 1e-8 * (1.0 + expected.abs());
            assert!(is_near(got.re, expected[0]) && is_near(got.im, expected[1]), "{name}: {got:?}, but {expected:?}");
            let along: f64 = forward.call(z, Complex { re: 0.3, im: -0.5 }).expect("a tangent");
            assert!(is_near(along, 0.3 * got.re - 0.5 * got.im), "{name}: {along}");
        }
    }
}

#[test]
fn kinks_and_branches_not_taken() {
    let gradient = |f: fn(Complex) -> Var, re: f64, im: f64| {
        let slope: Complex<f64> = jit(grad(f)).call(Complex { re, im }).expect("a gradient");
        (slope.re, slope.im)
    };
    assert_eq!(gradient(|z| z.abs(), 0.0, 0.0), (0.0, 0.0));
    // The root and the logarithm have no derivative at 0, but are not chosen there.
    let unused: [fn(Complex) -> Var; 4] = [
        |z| Complex::select(z.re.greater(0.0), z.sqrt(), 0.0).re,
        |z| Complex::select(z.re.greater(0.0), z.ln(), 0.0).im,
        |z| Complex::select(z.re.greater(0.0), 1.0 / z, 0.0).re,
        |z| Complex::select(z.re.greater(0.0), z.powf(0.5), 0.0).re,
    ];
    for f in unused {
        assert_eq!(gradient(f, 0.0, 0.0), (0.0, 0.0));
        assert_eq!(gradient(f, -1.0, 0.0), (0.0, 0.0));
    }
    // What is multiplied with 0 passes nothing on, though no condition says so; forward, neither does a tangent of 0.
    let vanishing: [fn(Complex) -> Var; 5] = [
        |z| z.sqrt().re * z.re.greater(0.0).convert(DType::F64),
        |z| z.ln().im * z.re.greater(0.0).convert(DType::F64),
        |z| z.recip().re * z.re.greater(0.0).convert(DType::F64),
        |z| (z.re / z).im * z.re.greater(0.0).convert(DType::F64),
        |z| z.powc(z).im * z.re.greater(0.0).convert(DType::F64),
    ];
    for f in vanishing {
        assert_eq!(gradient(f, 0.0, 0.0), (0.0, 0.0));
    }
    let root = jit(|z: Complex, t: Complex| jvp(|z: Complex| z.sqrt()).call(z, t).1);
    let t: Complex<f64> = root.call(Complex { re: 0.0, im: 0.0 }, Complex { re: 0.0, im: 0.0 }).expect("a tangent");
    assert_eq!((t.re, t.im), (0.0, 0.0));
    // Where there is none, the derivative is infinite or NaN, never a number.
    let poles: [fn(Complex) -> Var; 4] = [|z| z.sqrt().re, |z| z.ln().re, |z| (1.0 / z).re, |z| (z.re / z).im];
    for f in poles {
        let (re, im) = gradient(f, 0.0, 0.0);
        assert!(!re.is_finite() || !im.is_finite(), "{re} {im}");
    }
    let (re, _) = gradient(|z| z.exp().re, f64::NAN, 0.0);
    assert!(re.is_nan());
}

/// Where a formula of the derivative would cancel, overflow, or meet 0 · ∞.
#[test]
fn derivatives_at_the_ends_of_the_range() {
    let at = |f: &dyn Fn(Complex) -> Complex, re: f64, im: f64| -> [(f64, f64); 2] {
        let slope: Complex<f64> = jit(holomorphic_grad(f)).call(Complex { re, im }).expect("a derivative");
        let bend: Complex<f64> =
            jit(holomorphic_grad(holomorphic_grad(f))).call(Complex { re, im }).expect("a derivative");
        [(slope.re, slope.im), (bend.re, bend.im)]
    };
    // Powers at 0, to the order at which they are constant.
    assert_eq!(at(&|z| z.powf(2.0), 0.0, 0.0), [(0.0, 0.0), (2.0, 0.0)]);
    assert_eq!(at(&|z| z.powf(1.0), 0.0, 0.0), [(1.0, 0.0), (0.0, 0.0)]);
    assert_eq!(at(&|z| z.powf(0.0), 0.0, 0.0)[0], (0.0, 0.0));
    assert_eq!(at(&|z| z.powc(num_complex::c64(1.0, 0.0)), 0.0, 0.0)[0], (1.0, 0.0));
    assert_eq!(at(&|z| z.powc(num_complex::c64(2.0, 0.0)), 0.0, 0.0)[1], (2.0, 0.0));
    let by_power = jit(grad(|p: Var, z: Complex| z.powf(p).re)).call::<f64>(1.5, Complex { re: 0.0, im: 0.0 });
    assert_eq!(by_power.expect("a derivative"), 0.0);
    // Far out.
    let inverse: [fn(Complex) -> Complex; 6] =
        [Complex::atan, Complex::atanh, Complex::asin, Complex::acos, Complex::asinh, Complex::acosh];
    for f in inverse {
        let [(re, im), (bend_re, bend_im)] = at(&f, 1e200, 1e200);
        assert!(re.abs() < 1e-199 && im.abs() < 1e-199 && bend_re.abs() < 1e-300 && bend_im.abs() < 1e-300);
    }
    assert_eq!(values(|z| z.powi(-3), &[Number { re: 0.0, im: 1e200 }])[0].re, 0.0);
    for f in inverse {
        let [(re, im), _] = at(&f, f64::INFINITY, 0.0);
        assert!(re.abs() == 0.0 && im.abs() == 0.0, "{re} {im}");
    }
    let infinite = [Number { re: f64::INFINITY, im: f64::NAN }, Number { re: f64::NAN, im: f64::NEG_INFINITY }];
    for z in values(Complex::recip, &infinite) {
        assert!(z.re == 0.0 && z.im == 0.0, "{z:?}");
    }
    // A number divided: what overflows on the way must not be seen.
    let small = values(|z| 1e-300 / z, &[Number { re: 0.0, im: 1e-310 }])[0];
    assert!(ulps(small, Number { re: 0.0, im: -1e-300 / 1e-310 }) <= 4.0, "{small:?}");
    let large = values(|z| num_complex::c64(1e308, 1e308) / z, &[Number { re: 1.5e308, im: 1.5e308 }])[0];
    assert!(ulps(large, Number { re: 1e308 / 1.5e308, im: 0.0 }) <= 4.0, "{large:?}");
    let [(slope, _), (bend, _)] = at(&|z| 3.0 / z, 0.5, 0.0);
    assert!((slope + 12.0).abs() < 1e-13 && (bend - 48.0).abs() < 1e-13);
    // Near 0 the second derivatives are ±z, ±2z.
    for (f, factor) in [(Complex::asin as fn(Complex) -> Complex, 1.0), (Complex::atanh, 2.0), (Complex::asinh, -1.0)] {
        for size in [1e-10, 1e-200] {
            let (re, im) = at(&f, size, 2.0 * size)[1];
            assert!((re / size - factor).abs() < 1e-15 && (im / size - 2.0 * factor).abs() < 1e-15, "{re} {im}");
        }
    }
}

/// Both conventions, a real Jacobian and a holomorphic one, a Hessian of a real function.
#[test]
fn derivatives_of_trees() {
    let z = Complex { re: ndarray::arr1(&[1.0, -0.5]), im: ndarray::arr1(&[2.0, 0.25]) };
    let f = |z: Complex, (w, s): (Complex, Var)| (z * w).abs_squared().sum() * s;
    let slopes = jit(grad(f).wrt(retrograd::AllArgs));
    let other = jit(grad(f).wrt(retrograd::AllArgs).conjugate());
    type Slopes = (Complex<Array1<f64>>, (Complex<f64>, f64));
    let w = Complex { re: 0.5, im: -1.5 };
    let a: Slopes = slopes.call(&z, (w, 2.0)).expect("gradients");
    let b: Slopes = other.call(&z, (w, 2.0)).expect("gradients");
    assert_eq!((&a.0.re, a.0.im.map(|x| -x), a.1.0.re, -a.1.0.im, a.1.1), (&b.0.re, b.0.im, b.1.0.re, b.1.0.im, b.1.1));
    // ∂|z w|² s/∂z = 2 s |w|² z
    assert_eq!(a.0.im, z.im.map(|y| 2.0 * 2.0 * 2.5 * y));

    let square = |z: Complex| z * z;
    let real: Complex<Complex<f64>> = jit(jacobian(square)).call(Complex { re: 3.0, im: 4.0 }).expect("a Jacobian");
    assert_eq!([real.re.re, real.re.im, real.im.re, real.im.im], [6.0, -8.0, 8.0, 6.0]);
    let whole: Complex<f64> = jit(holomorphic_jacobian(square)).call(Complex { re: 3.0, im: 4.0 }).expect("a Jacobian");
    assert_eq!([whole.re, whole.im], [6.0, 8.0]);

    let h: Complex<Complex<f64>> =
        jit(hessian(|z: Complex| z.abs_squared().square())).call(Complex { re: 1.0, im: 2.0 }).expect("a Hessian");
    // (x² + y²)²
    assert_eq!([h.re.re, h.re.im, h.im.re, h.im.im], [28.0, 16.0, 16.0, 52.0]);

    let error = jit(holomorphic_grad(|z: Complex, _: Var| z * z)).call::<Complex<f64>>(&z, 1.0).unwrap_err();
    assert!(error.to_string().contains("one complex number"), "{error}");
    let error = jit(holomorphic_grad(|x: Var| Complex::cis(x))).call::<f64>(1.0).unwrap_err();
    assert!(error.to_string().contains("complex arguments"), "{error}");
}

/// In f32 the functions are as accurate as its digits, against those of f64, which are compared with mpmath.
#[test]
fn functions_of_f32_are_accurate() {
    for (name, f) in FUNCTIONS {
        let parts = [0.0f32, 1e-30, 3e-5, 0.4, 1.0, 1.0 + f32::EPSILON, 2.5, 9.0, 60.0, 1e25, -0.0, -0.7, -1.0, -30.0];
        let points: Vec<(f32, f32)> = parts.iter().flat_map(|&x| parts.iter().map(move |&y| (x, y))).collect();
        let wide: Vec<Number> = points.iter().map(|&(re, im)| Number { re: re.into(), im: im.into() }).collect();
        let part = |part: fn(&(f32, f32)) -> f32| points.iter().map(part).collect::<Array1<f32>>();
        let narrow = Complex { re: part(|z| z.0), im: part(|z| z.1) };
        let got: Complex<Array1<f32>> = jit(f).call(narrow).expect("values");
        for ((z, expected), (re, im)) in wide.iter().zip(values(f, &wide)).zip(got.re.iter().zip(&got.im)) {
            // What is beyond f32 is infinite there, and what is below its normal numbers is 0 beside its smallest one.
            let norm = expected.re.abs().max(expected.im.abs());
            let unit = f64::from(f32::EPSILON) * norm.max(f64::from(f32::MIN_POSITIVE));
            for (got, expected) in [(*re, expected.re), (*im, expected.im)] {
                let is_near = (f64::from(got) - expected).abs() <= 4.0 * unit;
                let is_same = got == expected as f32 || got.is_nan() && expected.is_nan();
                assert!(is_near || is_same, "{name} of {z:?}: {got}, but {expected}");
            }
        }
    }
}

#[test]
fn products_of_large_matrices_are_three() {
    let count = |shape: &[usize], product: fn(Complex, Complex) -> Complex| {
        let ty = || Type::new(DType::F64, shape).complex();
        let graph = trace(product, (ty(), ty())).expect("a trace");
        graph.to_string().matches("dot_general").count()
    };
    let squares: [fn(Complex, Complex) -> Complex; 4] = [
        |a, b| a.dot(b),
        |a, b| a.matmul(b),
        |a, b| a.dot_general(b, [&[1], &[0]], [&[], &[]]),
        |a, b| Complex::einsum("ij,jk->ik", &[a, b]),
    ];
    for product in squares {
        assert_eq!([8, 32, 64, 200].map(|n| count(&[n, n], product)), [4, 4, 3, 3]);
    }
    // However many small matrices there are.
    let stacks: [fn(Complex, Complex) -> Complex; 2] =
        [|a, b| a.matmul(b), |a, b| Complex::einsum("bij,bjk->bik", &[a, b])];
    for product in stacks {
        assert_eq!([count(&[10_000, 4, 4], product), count(&[10, 64, 64], product)], [4, 3]);
    }
    let n = 70;
    let matrix =
        |t: f64| Array2::from_shape_fn((n, n), |(i, j)| c64((i as f64 + t * j as f64).sin(), (t * i as f64).cos()));
    let (a, b) = (matrix(0.7), matrix(1.9));
    let got: Array2<Complex64> = jit(|a: Complex, b: Complex| a.dot(b)).call(&a, &b).expect("a product");
    // Twenty rounding errors of the product of the norms of a row and a column.
    let allowed = 20.0 * f64::EPSILON / 2.0 * 2.0 * n as f64;
    let error = (&got - &a.dot(&b)).iter().map(|z| z.norm()).fold(0.0, f64::max);
    assert!(error < allowed, "{error:e}");
    // The gradient of Re tr(CᴴAB) by A is C Bᴴ.
    let slope = jit(grad(|a: Complex, b: Complex, c: Complex| c.vdot(a.dot(b)).re));
    let got: Array2<Complex64> = slope.call(&a, &b, &b).expect("a gradient");
    let error = (&got - &b.dot(&b.t().mapv(|z| z.conj()))).iter().map(|z| z.norm()).fold(0.0, f64::max);
    assert!(error < allowed, "{error:e}");
}

/// The power itself is infinitely differentiable where its exponent is a whole number, which a rule of so many levels cannot say at 0:
/// beyond the third order it is NaN there, never a wrong number.
#[test]
fn higher_derivatives_of_powers_at_0() {
    fn fourth(f: fn(Complex) -> Complex, z: Complex64) -> [Complex64; 4] {
        let first = move |z: Complex| holomorphic_grad(f).call(z);
        let second = move |z: Complex| holomorphic_grad(first).call(z);
        let third = move |z: Complex| holomorphic_grad(second).call(z);
        let fourth = move |z: Complex| holomorphic_grad(third).call(z);
        let all = jit(move |z: Complex| (first(z), second(z), third(z), fourth(z)));
        let (a, b, c, d): (Complex64, Complex64, Complex64, Complex64) = all.call(z).expect("derivatives");
        [a, b, c, d]
    }
    let zero = c64(0.0, 0.0);
    let [a, b, c, d] = fourth(|z| z.powf(4.0), zero);
    assert!([a, b, c] == [zero; 3] && d.is_nan(), "{d}");
    let [.., d] = fourth(|z| z.powf(0.5), zero);
    assert!(d.is_nan(), "{d}");
    let [.., d] = fourth(|z| z.powc(c64(5.0, 0.0)), zero);
    assert!(d.is_nan(), "{d}");
    assert_eq!(fourth(|z| z.powi(4), zero), [zero, zero, zero, c64(24.0, 0.0)]);
    let elsewhere: [fn(Complex) -> Complex; 3] = [|z| z.powf(4.0), |z| z.powc(c64(4.0, 0.0)), |z| z.powi(4)];
    for f in elsewhere {
        for (got, expected) in
            fourth(f, c64(0.0, 2.0)).iter().zip([c64(0.0, -32.0), c64(-48.0, 0.0), c64(0.0, 48.0), c64(24.0, 0.0)])
        {
            assert!((got - expected).norm() < 1e-12, "{got}, but {expected}");
        }
    }
    // Those of 0ᶻ are 0 where it is.
    assert_eq!(fourth(|z| z.expf(0.0), c64(2.0, 0.0)), [zero; 4]);
}

/// The reciprocal comes first: neither a value nor a derivative overflows before its time.
#[test]
fn negative_powers_at_the_ends_of_the_range() {
    for (n, x) in [(-2, 1e-78), (-2, 1e100), (-3, 1e-60), (-3, 1e70), (-7, 1e-30), (-5, 1e40)] {
        let slope = jit(holomorphic_grad(move |z: Complex| z.powi(n)));
        let got: Complex64 = slope.call(c64(x, 0.0)).expect("a derivative");
        let expected = f64::from(n) * f64::powi(x, n - 1);
        assert!((got.re / expected - 1.0).abs() < 1e-13 && got.im == 0.0, "{n} {x}: {got}, but {expected}");
    }
    let slope = jit(holomorphic_grad(|z: Complex| z.powi(-3)));
    let got: num_complex::Complex32 = slope.call(num_complex::c32(1e-8, 0.0)).expect("a derivative");
    assert!((got.re / -3e32 - 1.0).abs() < 1e-6 && got.im == 0.0, "{got}");
    let at = |n: i32, z: Complex64| -> Complex64 { jit(move |z: Complex| z.powi(n)).call(z).expect("a power") };
    // By mpmath: numbers that are subnormal.
    assert!((at(-2, c64(-8.86e155, 1.64e155)) - c64(1.15008508807e-312, 4.40870501615e-313)).norm() < 1e-322);
    assert!((at(-4, c64(1.3e77, 0.0)).re - 3.50127796645776e-309).abs() < 1e-322);
    assert!(at(-2, c64(0.0, 0.0)).re == f64::INFINITY && at(-3, c64(f64::INFINITY, 0.0)) == c64(0.0, 0.0));
    assert_eq!(at(i32::MIN, c64(1.0000000272012484, 0.0)), c64(4.275825330792860_3e-26, 0.0));
}

#[test]
fn powers_keep_the_sign_of_zeros() {
    let at = |f: fn(Complex) -> Complex, z: Complex64| -> Complex64 { jit(f).call(z).expect("a power") };
    let z = at(|z| z.powf(0.5), c64(4.0, -0.0));
    assert!(z == c64(2.0, 0.0) && z.im.is_sign_negative(), "{z}");
    let z = at(|z| z.exp2(), c64(1.0, -0.0));
    assert!(z == c64(2.0, 0.0) && z.im.is_sign_negative(), "{z}");
    let z = at(|z| z.powf(2.0), c64(0.0, -2.0));
    assert!((z + 4.0).norm() < 1e-15 && z.im.is_sign_negative(), "{z}");
}

/// The base of single precision is not rounded to it.
#[test]
fn bases_of_f32_are_numbers_of_f64() {
    let at = |base: f64, z: f32| -> num_complex::Complex32 {
        jit(move |z: Complex| z.expf(base)).call(num_complex::c32(z, 0.0)).expect("a power")
    };
    for (base, x) in [(1.1f64, 900f32), (0.7, 240.0), (1e300, 0.1), (1e-300, 0.1)] {
        let expected = base.powf(f64::from(x)) as f32;
        assert!((at(base, x).re / expected - 1.0).abs() < 2e-7, "{base} {x}");
    }
}

#[test]
fn messages_of_powers_name_them() {
    let message = |f: fn(Complex, Var) -> Complex, p: DType| {
        let ty = Type::scalar(DType::F64).complex();
        trace(f, (ty, Type::scalar(p))).expect_err("a message").to_string()
    };
    let text = message(|z, p| z.powf(p), DType::F32);
    assert!(text.contains("powf: takes a number and a power of one dtype, but got f64[] and f32[]"), "{text}");
    let text = message(|z, p| z.powc(Complex { re: p, im: p }), DType::F32);
    assert!(text.contains("powc: takes a number and a power of one dtype"), "{text}");
    let text = message(|_, p| Complex::from(p).powi(5), DType::I64);
    assert!(text.contains("complex: takes parts of one dtype of floating point"), "{text}");
}
