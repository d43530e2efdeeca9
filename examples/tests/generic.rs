//! Code that is generic over `num_traits::Float`, ours and that of published crates, on plain numbers and on `Var`.

use std::f64::consts::{FRAC_PI_2, PI};
use std::num::FpCategory;

use interp::InterpMode;
use num_complex::Complex;
use num_quaternion::{Quaternion, UnitQuaternion};
use num_traits::{
    Float, FloatConst, FromPrimitive, MulAddAssign, Num, NumAssignRef, One, Pow, Signed, ToPrimitive, Zero,
};
use retrograd::error::TraceError;
use retrograd::value::DType;
use retrograd::{Error, Var, grad, hessian, jit, trace, value_and_grad};

/// A tolerance for functions that call a few elementary ones, of which each is within 2 ulp here and in Rust's `std`.
#[track_caller]
fn close(got: f64, expected: f64) {
    assert!(
        got == expected || (got - expected).abs() <= 1e-14 * expected.abs().max(1.0),
        "{got:e} is not {expected:e}"
    );
}

#[track_caller]
fn same_bits(got: f64, expected: f64) {
    assert_eq!(got.to_bits(), expected.to_bits(), "{got:e} is not {expected:e}");
}

// Our own generic functions

fn horner<T: Float>(coefficients: &[f64], x: T) -> T {
    coefficients.iter().rev().fold(T::zero(), |sum, &c| sum * x + T::from(c).unwrap())
}

/// A root of `f`, whose derivative is `slope`.
fn newton<T: Float>(f: impl Fn(T) -> T, slope: impl Fn(T) -> T, start: T) -> T {
    let mut x = start;
    loop {
        let step = f(x) / slope(x);
        x = x - step;
        if step.abs() <= T::epsilon() * x.abs() * T::from(4).unwrap() {
            return x;
        }
    }
}

/// The real roots of `a x² + b x + c`, the lesser first, computed without cancellation.
fn quadratic_roots<T: Float>(a: T, b: T, c: T) -> Option<(T, T)> {
    let discriminant = b * b - T::from(4.0)? * a * c;
    if discriminant.is_sign_negative() {
        return None;
    }
    let q = -(b + b.signum() * discriminant.sqrt()) / T::from(2)?;
    let (first, second) = (q / a, c / q);
    Some(if first <= second { (first, second) } else { (second, first) })
}

fn simpson<T: Float + FromPrimitive>(f: impl Fn(T) -> T, from: T, to: T, n: usize) -> T {
    let width = (to - from) / T::from_usize(n).unwrap();
    let at = |k: usize| f(from + width * T::from_usize(k).unwrap());
    let two = T::one() + T::one();
    let inner = (1..n).fold(T::zero(), |sum, k| sum + at(k) * if k % 2 == 1 { two + two } else { two });
    (at(0) + inner + at(n)) * width / T::from_u8(3).unwrap()
}

const CUBIC: [f64; 4] = [0.3, -1.7, 0.1, 2.9];

#[test]
fn a_polynomial() -> Result<(), Error> {
    let f = |x: Var| horner(&CUBIC, x);
    let g = jit(value_and_grad(f));
    for x in [-3.1, -0.7, 0.0, 0.2, 1e5] {
        let (value, slope): (f64, f64) = g.call(x)?;
        same_bits(value, horner(&CUBIC, x));
        close(slope, horner(&[CUBIC[1], 2.0 * CUBIC[2], 3.0 * CUBIC[3]], x));
    }
    assert_eq!(g.n_paths(), 1);
    Ok(())
}

#[test]
fn newton_with_a_while() -> Result<(), Error> {
    fn root<T: Float>(a: T) -> T {
        let three = T::from(3).unwrap();
        newton(|x| x * x * x - a, |x| three * x * x, T::one())
    }
    let g = jit(value_and_grad(root::<Var>));
    for a in [0.5, 0.6, 2.0, 27.0, 1e6] {
        let (value, slope): (f64, f64) = g.call(a)?;
        same_bits(value, root(a));
        close(value, a.cbrt());
        close(slope, a.cbrt() / (3.0 * a));
    }
    assert!(g.n_paths() > 1);
    Ok(())
}

#[test]
fn quadratic_roots_on_both_sides_of_their_branches() -> Result<(), Error> {
    fn gap<T: Float>(a: T, b: T, c: T) -> T {
        quadratic_roots(a, b, c).map_or(T::neg_infinity(), |(less, more)| more - less)
    }
    let g = jit(value_and_grad(gap::<Var>).wrt(retrograd::AllArgs));
    for (a, b, c) in [(1.0, -3.0, 2.0), (1.0, 3.0, 2.0), (2.0, -1e8, 1.0), (-1.5, 0.25, 7.0), (1.0, 0.5, 1.0)] {
        let (value, slopes): (f64, (f64, f64, f64)) = g.call(a, b, c)?;
        same_bits(value, gap(a, b, c));
        // The gap is √D/|a|, with D = b² - 4ac.
        let root = (b * b - 4.0 * a * c).sqrt();
        if root.is_nan() {
            assert_eq!((value, slopes), (f64::NEG_INFINITY, (0.0, 0.0, 0.0)));
            continue;
        }
        let width = a.abs() * root;
        let exact = (-2.0 * c / width - root / (a * a.abs()), b / width, -2.0 * a / width);
        let relative = |got: f64, exact: f64| close(got / exact, 1.0);
        relative(slopes.0, exact.0);
        relative(slopes.1, exact.1);
        relative(slopes.2, exact.2);
    }
    Ok(())
}

#[test]
fn a_rule_that_takes_a_closure() -> Result<(), Error> {
    fn integral<T: Float + FromPrimitive>(a: T) -> T {
        simpson(|x| (T::one() + a * x * x).sqrt().recip(), T::zero(), T::one(), 64)
    }
    let g = jit(value_and_grad(integral::<Var>));
    for a in [0.25f64, 1.0, 3.0] {
        let (value, slope): (f64, f64) = g.call(a)?;
        same_bits(value, integral(a));
        // ∫ 1/√(1 + a x²) = asinh(√a)/√a
        let exact = a.sqrt().asinh() / a.sqrt();
        assert!((value - exact).abs() < 1e-8);
        assert!((slope - (1.0 / (1.0 + a).sqrt() - exact) / (2.0 * a)).abs() < 1e-7);
    }
    // The closure captures a traced value, and the function under the integral is not arithmetic alone.
    let f = |a: Var| simpson(|x| Float::sin(a * x), Var::zero(), Var::PI(), 64);
    close(jit(f).call(0.75)?, simpson(|x: f64| (0.75 * x).sin(), 0.0, PI, 64));
    Ok(())
}

#[test]
fn code_that_assigns_and_sums_by_reference() -> Result<(), Error> {
    fn moments<T: Float + NumAssignRef + Signed + Default + for<'a> std::iter::Sum<&'a T>>(x: &[T]) -> T {
        let total: T = x.iter().sum();
        let mut spread = T::default();
        for x in x {
            spread += &(x.powi(2) - *x);
        }
        spread *= &total;
        Signed::abs(&spread)
    }
    let x = [0.1, -2.5, 3.75];
    same_bits(jit(|x: [Var; 3]| moments(&x)).call(x)?, moments(&x));
    Ok(())
}

// The traits, method by method

/// Compares one expression in `x` and `y`, both floats, on numbers and on `Var`s, at pairs of numbers.
macro_rules! agree {
    ($($close:ident: $($e:expr),* $(,)?;)*) => {
        #[test]
        fn methods_agree_with_those_of_f64() -> Result<(), Error> {
            $($({
                fn f<T: Float + FloatConst>(x: T, y: T) -> T {
                    let f: fn(T, T) -> T = $e;
                    f(x, y)
                }
                let g = jit(f::<Var>);
                for (x, y) in [(0.3, 0.9), (0.75, -0.25), (-0.5, 2.5), (-0.0, 0.0), (1.0, f64::NAN), (f64::NAN, 0.5)] {
                    let (got, expected) = (g.call::<f64>(x, y)?, f(x, y));
                    if !(got.is_nan() && expected.is_nan()) {
                        $close(got, expected);
                    }
                }
            })*)*
            Ok(())
        }
    };
}
agree! {
    same_bits:
        |x, y| (x + y) * (x - y) / y % x, |x, _| x.floor(), |x, _| (x * T::from(2).unwrap()).round(), |x, _| x.ceil(),
        |x, y| (x * y).trunc(), |_, y| y.fract(), |x, y| x.abs() + y.abs_sub(x), |x, _| x.signum(),
        |x, y| x.copysign(y), |x, y| x.mul_add(y, x), |_, y| y.recip(), |x, _| x.sqrt(), |x, _| x.to_degrees(),
        |x, _| x.to_radians(), |_, _| T::epsilon(), |_, _| T::max_value() + T::min_value(),
        |_, _| T::min_positive_value(), |_, _| T::neg_zero(), |_, _| T::infinity(), |_, _| T::neg_infinity(),
        |_, _| T::nan(), |_, _| T::E() + T::SQRT_2() * T::TAU() - T::LOG2_10() / T::LOG10_2();
    // These three may give either of two equal zeros.
    close:
        |x, y| x.max(y), |x, y| x.min(y), |x, _| x.clamp(T::zero(), T::FRAC_1_PI()),
        |x, _| x.powi(3), |x, y| x.abs().powf(y), |x, _| x.exp(), |x, _| x.exp2(), |x, _| x.abs().ln(),
        |x, y| x.abs().log(y.abs() + T::E()), |_, y| y.log2(), |_, y| y.log10(), |x, _| x.cbrt(), |x, y| x.hypot(y),
        |x, _| x.sin(), |x, _| x.cos(), |x, _| x.tan(), |x, _| x.asin(), |x, _| x.acos(), |_, y| y.atan(),
        |x, y| x.atan2(y), |x, _| x.sin_cos().0 - x.sin_cos().1, |x, _| x.exp_m1(), |x, _| x.ln_1p(), |x, _| x.sinh(),
        |x, _| x.cosh(), |_, y| y.tanh(), |_, y| y.asinh(), |_, y| (y.abs() + T::one()).acosh(), |x, _| x.atanh();
}

#[test]
fn predicates_are_guarded() -> Result<(), Error> {
    fn class<T: Float>(x: T) -> T {
        let class = match x.classify() {
            FpCategory::Nan => 1,
            FpCategory::Infinite => 2,
            FpCategory::Zero => 3,
            FpCategory::Subnormal => 4,
            FpCategory::Normal => 5,
        };
        let flags = [
            x.is_nan(),
            x.is_infinite(),
            x.is_finite(),
            x.is_normal(),
            x.is_subnormal(),
            x.is_sign_negative(),
            x.is_sign_positive(),
            x.is_zero(),
            x.is_one(),
        ];
        let bits = flags.iter().fold(class, |bits, &flag| 2 * bits + flag as i32);
        T::from(bits).unwrap()
    }
    let f = jit(class::<Var>);
    let points = [f64::NAN, f64::INFINITY, -f64::INFINITY, 0.0, -0.0, 5e-324, -1e-310, f64::MIN_POSITIVE, 1.0, -2.5];
    for x in points.into_iter().chain(points) {
        assert_eq!(f.call::<f64>(x)?, class(x), "at {x:e}");
    }
    for x in [f32::NAN, f32::NEG_INFINITY, -0.0, 1e-45, f32::MIN_POSITIVE, -1.0] {
        assert_eq!(f.call::<f32>(x)?, class(x), "at {x:e}");
    }
    assert!(matches!(trace(class::<Var>, (DType::F64,)), Err(Error::Trace(TraceError::BranchWithoutValues { .. }))));
    Ok(())
}

#[test]
fn extrema_pass_over_nan_as_those_of_f64_do() -> Result<(), Error> {
    fn largest<T: Float>(x: &[T]) -> T {
        x.iter().copied().fold(T::nan(), T::max)
    }
    let f = |x: Vec<Var>| largest(&x);
    assert_eq!(jit(f).call::<f64>([0.5, f64::NAN, 2.0, 1.0])?, 2.0);
    assert_eq!(jit(grad(f)).call::<Vec<f64>>([0.5, f64::NAN, 2.0, 1.0])?, [0.0, 0.0, 1.0, 0.0]);
    // A method call on a `Var` as such is its own.
    assert!(jit(|x: Var, y: Var| x.max(y)).call::<f64>(1.0, f64::NAN)?.is_nan());
    assert!(jit(|x: Var| x.is_nan()).call::<bool>(f64::NAN)?);
    Ok(())
}

#[test]
fn constants_take_the_dtype_of_the_first_floating_point_input() -> Result<(), Error> {
    fn mean_angle<T: Float + FloatConst>(x: T, y: T) -> T {
        let half = T::from(0.5).unwrap();
        ((x + y) * half + T::PI() / T::from(3).unwrap() + T::epsilon()) * T::from(0.1).unwrap()
    }
    let expected = mean_angle(0.7f32, -1.3);
    assert_eq!(jit(mean_angle::<Var>).call::<f32>(0.7f32, -1.3f32)?, expected);
    let (value, _): (f32, f32) = jit(value_and_grad(mean_angle::<Var>)).call(0.7f32, -1.3f32)?;
    assert_eq!(value, expected);
    assert_eq!(jit(|n: Var, x: Var| x * Var::one() + n.convert(DType::F32)).call::<f32>(2, 0.5f32)?, 2.5);
    assert_eq!(jit(|n: Var| Var::E() * n.convert(DType::F64)).call::<f64>(1)?, std::f64::consts::E);
    let mixed = jit(mean_angle::<Var>).call::<f64>(0.7, -1.3f32);
    assert!(mixed.unwrap_err().to_string().contains("tests/generic.rs"));
    Ok(())
}

#[test]
fn powers_and_texts() -> Result<(), Error> {
    fn f<T: Float + Pow<T, Output = T> + Pow<i32, Output = T> + MulAddAssign>(x: T) -> T {
        let mut y = Pow::pow(Pow::pow(x, 2i32), T::one() / T::from(4).unwrap());
        y.mul_add_assign(x, x.clamp(T::zero(), T::one()));
        y
    }
    close(jit(f::<Var>).call(2.25)?, f(2.25));
    let half = |x: Var| x * <Var as Num>::from_str_radix("0.8", 16).unwrap();
    assert_eq!(jit(half).call::<f64>(3.0)?, 1.5);
    assert!(jit(|x: Var| if Var::from_str_radix("x", 10).is_err() { x } else { -x }).call::<f64>(3.0)? == 3.0);
    Ok(())
}

#[test]
fn what_takes_a_number_out_of_the_trace_is_an_error() {
    #[track_caller]
    fn check(asked: &str, f: impl Fn(Var) -> Var + Send + Sync + 'static) {
        let error = jit(f).call::<f64>(2.0).unwrap_err();
        assert!(matches!(error, Error::Trace(TraceError::Value { .. })), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("{asked} needs the number itself")), "{text}");
        assert!(text.contains("tests/generic.rs"), "{text}");
    }
    check("to_f64", |x| x * x.to_f64().unwrap());
    check("to_usize", |x| x.powi(x.to_usize().unwrap() as i32));
    check("integer_decode", |x| x * Float::integer_decode(x).0 as f64);
    check("to_f64", |x| <Var as num_traits::NumCast>::from(x).unwrap());
}

// Published crates

fn complex<T: Float>(re: f64, im: f64) -> Complex<T> {
    Complex::new(T::from(re).unwrap(), T::from(im).unwrap())
}

#[test]
fn complex_arithmetic() -> Result<(), Error> {
    /// A step of Newton's method for the roots of unity, and its distance from the last.
    fn step<T: Float + num_traits::NumAssign>(re: T, im: T) -> (T, T, T) {
        let z = Complex::new(re, im);
        let mut next = z - (z * z * z - Complex::one()) / (z * z).scale(T::from(3).unwrap());
        next += complex::<T>(0.25, -0.5) * next.conj();
        (next.re, next.im, (next - z).norm_sqr().sqrt())
    }
    for (re, im) in [(0.3, -1.2), (-2.5, 0.01), (4.0, 7.0)] {
        let got: (f64, f64, f64) = jit(step::<Var>).call(re, im)?;
        let expected = step(re, im);
        same_bits(got.0, expected.0);
        same_bits(got.1, expected.1);
        same_bits(got.2, expected.2);
    }
    Ok(())
}

/// Holds a function of `num_complex` to its own results on `f64`, and its derivatives to the closed form: for an
/// analytic `f`, `∂(Re f)/∂re = Re f'` and `∂(Re f)/∂im = -Im f'`.
macro_rules! analytic {
    ($($name:ident: |$z:ident| $f:expr, $slope:expr;)*) => {$(
        #[test]
        fn $name() -> Result<(), Error> {
            fn value<T: Float>($z: Complex<T>) -> Complex<T> {
                $f
            }
            let slope = |$z: Complex<f64>| -> Complex<f64> { $slope };
            let parts = jit(|re: Var, im: Var| {
                let f = value(Complex::new(re, im));
                (f.re, f.im)
            });
            let gradient = jit(grad(|re: Var, im: Var| value(Complex::new(re, im)).re).wrt(retrograd::AllArgs));
            for z in [complex(0.4, 0.7), complex(-0.6, 0.2), complex(1.3, -0.9)] {
                let (re, im): (f64, f64) = parts.call(z.re, z.im)?;
                let expected = value(z);
                close(re, expected.re);
                close(im, expected.im);
                let (by_re, by_im): (f64, f64) = gradient.call(z.re, z.im)?;
                close(by_re, slope(z).re);
                close(by_im, -slope(z).im);
            }
            Ok(())
        }
    )*};
}
analytic! {
    complex_exp: |z| z.exp(), z.exp();
    complex_ln: |z| z.ln(), z.inv();
    complex_sqrt: |z| z.sqrt(), (z.sqrt() * 2.0).inv();
    complex_cbrt: |z| z.cbrt(), z.cbrt() / (z * 3.0);
    complex_tan: |z| z.tan(), z.cos().powi(-2);
    complex_tanh: |z| z.tanh(), z.cosh().powi(-2);
    complex_asin: |z| z.asin(), (1.0 - z * z).sqrt().inv();
    complex_atan: |z| z.atan(), (1.0 + z * z).inv();
    complex_powf: |z| z.powf(T::from(1.75).unwrap()), z.powf(0.75) * 1.75;
    complex_powc: |z| z.powc(complex(0.5, 1.5)), z.powc(complex(-0.5, 1.5)) * complex::<f64>(0.5, 1.5);
    complex_power_of_itself: |z| z.powc(z), z.powc(z) * (z.ln() + 1.0);
}

#[test]
fn complex_branches_are_followed() -> Result<(), Error> {
    fn root<T: Float>(re: T, im: T) -> (T, T) {
        let root = Complex::new(re, im).sqrt();
        (root.re, root.im)
    }
    let f = jit(root::<Var>);
    for (re, im) in [(4.0, 0.0), (-4.0, 0.0), (-4.0, -0.0), (0.0, 2.0), (0.0, -2.0)] {
        let (got, expected): ((f64, f64), _) = (f.call(re, im)?, root(re, im));
        same_bits(got.0, expected.0);
        same_bits(got.1, expected.1);
    }
    assert_eq!(f.n_paths(), 5);
    Ok(())
}

#[test]
fn rotations() -> Result<(), Error> {
    /// Arithmetic and square roots only.
    fn turned<T: Float>(q: [T; 4], v: [T; 3]) -> [T; 3] {
        let [w, x, y, z] = q;
        UnitQuaternion::normalize(Quaternion::new(w, x, y, z)).unwrap().rotate_vector(v)
    }
    let (q, v) = ([0.9, -0.3, 0.2, 0.5], [1.5, -0.25, 2.0]);
    let got: [f64; 3] = jit(turned::<Var>).call(q, v)?;
    turned(q, v).into_iter().zip(got).for_each(|(expected, got)| same_bits(got, expected));
    let norm = |v: [f64; 3]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    close(norm(got), norm(v));
    // The length does not depend on the rotation, and its slope by the vector is the vector's direction.
    let length = |q: [Var; 4], v: [Var; 3]| {
        let [x, y, z] = turned(q, v);
        (x * x + y * y + z * z).sqrt()
    };
    let (by_q, by_v): ([f64; 4], [f64; 3]) = jit(grad(length).wrt(retrograd::AllArgs)).call(q, v)?;
    by_q.into_iter().for_each(|slope| close(slope, 0.0));
    by_v.into_iter().zip(v).for_each(|(slope, x)| close(slope, x / norm(v)));
    Ok(())
}

#[test]
fn rotation_vectors() -> Result<(), Error> {
    fn back_and_forth<T: Float + FloatConst>(v: [T; 3]) -> [T; 3] {
        UnitQuaternion::from_rotation_vector(&v).to_rotation_vector()
    }
    let v = [0.4, -1.1, 0.6];
    let got: [f64; 3] = jit(back_and_forth::<Var>).call(v)?;
    got.into_iter().zip(v).for_each(|(got, expected)| close(got, expected));
    for k in 0..3 {
        let slopes: [f64; 3] = jit(grad(move |v: [Var; 3]| back_and_forth(v)[k])).call(v)?;
        slopes.into_iter().enumerate().for_each(|(l, slope)| close(slope, if k == l { 1.0 } else { 0.0 }));
    }
    Ok(())
}

#[test]
fn a_way_between_rotations() -> Result<(), Error> {
    /// The x-axis, turned a part `t` of the way about z, from no angle to a right one.
    fn way<T: Float>(t: T) -> [T; 3] {
        let quarter = UnitQuaternion::from_euler_angles(T::zero(), T::zero(), T::from(FRAC_PI_2).unwrap());
        UnitQuaternion::one().slerp(&quarter, t).rotate_vector([T::one(), T::zero(), T::zero()])
    }
    let h = jit(hessian(|t: Var| way(t)[1]));
    let (f, g) = (jit(way::<Var>), jit(grad(|t: Var| way(t)[1])));
    for t in [0.1f64, 0.5, 0.8] {
        let angle = FRAC_PI_2 * t;
        let got: [f64; 3] = f.call(t)?;
        way(t).into_iter().zip(got).for_each(|(expected, got)| close(got, expected));
        close(got[1], angle.sin());
        close(g.call(t)?, FRAC_PI_2 * angle.cos());
        close(h.call(t)?, -FRAC_PI_2 * FRAC_PI_2 * angle.sin());
    }
    Ok(())
}

#[test]
fn interpolation() -> Result<(), Error> {
    let (x, y) = ([0.0, 1.0, 2.5, 4.0], [1.0, -0.5, 3.0, 2.0]);
    let f =
        |y: [Var; 4], at: Var| interp::interp(&x.map(|x| Var::from_f64(x).unwrap()), &y, at, &InterpMode::Extrapolate);
    let g = jit(value_and_grad(f).wrt(retrograd::AllArgs));
    for (at, k) in [(-0.5, 0), (0.25, 0), (1.75, 1), (3.9, 2), (5.0, 2)] {
        let (value, (by_y, by_at)): (f64, ([f64; 4], f64)) = g.call(y, at)?;
        same_bits(value, interp::interp(&x, &y, at, &InterpMode::Extrapolate));
        let width = x[k + 1] - x[k];
        close(by_at, (y[k + 1] - y[k]) / width);
        let mut weights = [0.0; 4];
        weights[k] = (x[k + 1] - at) / width;
        weights[k + 1] = (at - x[k]) / width;
        by_y.into_iter().zip(weights).for_each(|(slope, weight)| close(slope, weight));
    }
    assert_eq!(g.n_paths(), 5);
    Ok(())
}
