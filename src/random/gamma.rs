//! The gamma distribution, and those that are made of it.

use super::continuous::{exponential, normal, unit};
use super::key::{keys, split};
use super::parameters::{Parameter, given, number, on_line};
use crate::op::trace::{self, apply};
use crate::op::{GammaDensity, IgammaGradA, Operand, Var};
use crate::transform::{custom_jvp, map, while_loop};
use crate::value::{Shape, Type};

/// Numbers of the gamma distribution with scale 1, by the rejection method of Marsaglia and Tsang, "A simple method for
/// generating gamma variables", ACM TOMS 26 (2000): JAX's up to rounding, which may be another number where rounding
/// decides a rejection.
///
/// Takes a key, the shape parameter `a`, a number or an array that broadcasts to `shape`, and the shape of the result.
/// Other keys, dtypes and shapes are an error. Where `a` is not above 0 or NaN, the result is NaN; where it is infinite,
/// infinite. For a small `a` most numbers are below the least float, and so 0: see [`log_gamma`].
///
/// It is differentiable once by `a`, by implicit reparameterization: dx/da = -∂P(a, x)/∂a / p(a, x) with the distribution
/// function P and the density p (Figurnov, Mohamed and Mnih, "Implicit reparameterization gradients", NeurIPS 2018). A
/// second derivative by `a` is an error, as that of [`Var::igamma`] is.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, grad, jit, random};
///
/// let draw = |a: Var| random::gamma(random::key(0), a, [10_000]);
/// let x: Array1<f64> = jit(draw).call(2.5)?;
/// assert!((x.mean().unwrap() - 2.5).abs() < 0.05);
/// // The mean is a, and its derivative 1.
/// let slope: f64 = jit(grad(move |a: Var| draw(a).mean())).call(2.5)?;
/// assert!((slope - 1.0).abs() < 0.03);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn gamma(key: Var, a: impl Operand, shape: impl Into<Shape>) -> Var {
    sampled("random::gamma", key, &a, &shape.into(), Scale::Plain)
}

/// Logarithms of numbers of the gamma distribution with scale 1, finite also where the numbers are below the least float.
/// As [`gamma`] in all else.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let y: Array1<f64> = jit(|a: Var| random::log_gamma(random::key(0), a, [1000])).call(1e-4)?;
/// assert!(y.iter().all(|y| y.is_finite()) && y.iter().any(|&y| y < -10_000.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn log_gamma(key: Var, a: impl Operand, shape: impl Into<Shape>) -> Var {
    sampled("random::log_gamma", key, &a, &shape.into(), Scale::Logarithmic)
}

/// Numbers of the beta distribution: x/(x + y) for `x` and `y` of the gamma distributions of shapes `a` and `b`, which are
/// kept as logarithms, so that small parameters do no harm. JAX's up to rounding.
///
/// Takes a key, the parameters, numbers or arrays that broadcast to `shape`, and the shape of the result. Other keys,
/// dtypes and shapes are an error. Where a parameter is not above 0, the result is NaN. It is differentiable once by the
/// parameters, as [`gamma`] is.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<f64> = jit(|a: Var| random::beta(random::key(0), a, 3.0, [10_000])).call(2.0)?;
/// assert!((x.mean().unwrap() - 0.4).abs() < 0.01);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn beta(key: Var, a: impl Operand, b: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("random::beta", shape.into());
    let Some([a, b]) = given(name, key, [&a, &b], &shape) else { return Var::poisoned() };
    let [for_a, for_b] = keys(key);
    let x = sampled(name, for_a, &a, &shape, Scale::Logarithmic);
    let y = sampled(name, for_b, &b, &shape, Scale::Logarithmic);
    (x - y).sigmoid()
}

/// Vectors of the Dirichlet distribution, whose elements add up to 1: numbers of the gamma distributions of the shapes
/// `a`, over their sum. JAX's up to rounding.
///
/// Takes a key, the parameters along the last axis of `a`, and the shape of the result without that axis, to which the
/// others of `a` broadcast. Other keys, dtypes and shapes are an error, as is a scalar `a`. Where a parameter is not above
/// 0, the vector is NaN. It is differentiable once by the parameters, as [`gamma`] is.
///
/// ```
/// use ndarray::{Array2, Axis};
/// use retrograd::{Var, jit, random};
///
/// let x: Array2<f64> = jit(|a: Var| random::dirichlet(random::key(0), a, [5_000])).call([1.0, 2.0, 5.0])?;
/// assert!(x.sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-15));
/// let mean = x.mean_axis(Axis(0)).unwrap();
/// assert!((mean[2] - 5.0 / 8.0).abs() < 0.01);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn dirichlet(key: Var, a: Var, shape: impl Into<Shape>) -> Var {
    if a.is_poisoned() {
        return a;
    }
    let Some(&n) = a.shape().last() else {
        let _method = trace::method("random::dirichlet", &[a]);
        trace::fail_at(format!("takes a vector of parameters, but got {}", a.ty()));
        return Var::poisoned();
    };
    let shape: Shape = shape.into().iter().copied().chain([n]).collect();
    let axis = shape.rank() - 1;
    let x = sampled("random::dirichlet", key, &a, &shape, Scale::Logarithmic);
    if x.is_poisoned() { x } else { x.softmax(axis) }
}

/// What is drawn of the gamma distribution.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Plain,
    Logarithmic,
}

/// Numbers of the gamma distribution, or their logarithms, with the derivative of an implicit reparameterization.
#[track_caller]
fn sampled(name: &'static str, key: Var, a: &dyn Parameter, shape: &Shape, scale: Scale) -> Var {
    let Some([a]) = given(name, key, [a], shape) else { return Var::poisoned() };
    on_line(|| with_derivative(key, a, shape, scale))
}

fn with_derivative(key: Var, a: Var, shape: &Shape, scale: Scale) -> Var {
    let n = shape.size();
    let is_valid = a.greater(0.0);
    // Any shape will do where there is no distribution.
    let each = (split(key, n), is_valid.select(a.stop_gradient(), 1.0).reshape(&[n]));
    let drawn = map(each, move |(key, a): (Var, Var)| one(key, a, scale)).reshape(shape);
    let drawn = is_valid.select(drawn, f64::NAN);
    // The loop itself is no function of `a` that could be differentiated: which number is accepted jumps.
    let identity = |_: Var, x: Var| x;
    match scale {
        Scale::Plain => {
            custom_jvp(identity, |(a, _): (Var, Var), x: Var, (t, _): (Var, Var)| t * by_shape(a, x)).call(a, drawn)
        }
        Scale::Logarithmic => {
            custom_jvp(identity, |(a, _): (Var, Var), y: Var, (t, _): (Var, Var)| t * log_by_shape(a, y)).call(a, drawn)
        }
    }
}

/// Below, P(a, x) is xᵃ/Γ(a + 1) to the last digit.
const NEAR_ZERO: f64 = 1e-17;

/// dx/da at the same P(a, x).
#[track_caller]
fn by_shape(a: Var, x: Var) -> Var {
    // xᵃ/Γ(a + 1) does not change, so dx/da = x (ψ(a + 1) - ln x)/a, and 0 at 0.
    let limit = (x * (a + 1.0).digamma() - x.xlogy(x)) / a;
    x.less(NEAR_ZERO).select(limit, ratio(a, x))
}

/// dy/da with y = ln x at the same P(a, x).
#[track_caller]
fn log_by_shape(a: Var, y: Var) -> Var {
    let x = y.exp();
    let limit = ((a + 1.0).digamma() - y) / a;
    x.less(NEAR_ZERO).select(limit, ratio(a, x) / x)
}

/// -∂P/∂a / p.
#[track_caller]
fn ratio(a: Var, x: Var) -> Var {
    -apply(IgammaGradA, &[a, x]) / apply(GammaDensity, &[a, x])
}

/// One number, by Marsaglia and Tsang: d v³ is accepted for v = 1 + c x with x normal, if u < exp(x²/2 + d - d v³ + d ln
/// v³) for u uniform. Shapes below 1 are those above, times u^(1/a).
#[track_caller]
fn one(key: Var, a: Var, scale: Scale) -> Var {
    let dtype = a.dtype();
    let ty = Type::scalar(dtype);
    let is_large = a.greater_equal(1.0);
    let d = is_large.select(a, a + 1.0) - number(dtype, 1.0 / 3.0, 1.0 / 3.0);
    let c = number(dtype, 1.0 / 3.0, 1.0 / 3.0) / d.sqrt();
    let [key, for_boost] = keys(key);
    let full = |x: f64| Var::number(x, dtype);
    let squeeze = number(dtype, 0.0331, 0.0331);
    let (_, _, cube, _) = while_loop(
        (key, full(0.0), full(1.0), full(2.0)),
        |(_, square, cube, u): (Var, Var, Var, Var)| {
            let outside = u.greater_equal(1.0 - squeeze * (square * square));
            outside & u.ln().greater_equal(square * 0.5 + d * ((1.0 - cube) + cube.ln()))
        },
        |(key, _, _, _)| {
            let [key, for_normal, for_uniform] = keys(key);
            let (_, x, v) = while_loop(
                (for_normal, full(0.0), full(-1.0)),
                |(_, _, v)| v.less_equal(0.0),
                |(key, _, _)| {
                    let [key, drawn] = keys(key);
                    let x = normal(drawn, &ty);
                    (key, x, 1.0 + x * c)
                },
            );
            (key, x * x, v * v * v, unit("random::gamma", for_uniform, &ty))
        },
    );
    match scale {
        Scale::Plain => {
            let u = 1.0 - unit("random::gamma", for_boost, &ty);
            d * cube * is_large.select(1.0, u.powf(1.0 / a))
        }
        Scale::Logarithmic => {
            let log_u = -exponential(for_boost, &ty);
            let is_whole = is_large | log_u.equal(0.0);
            (d.ln() + cube.ln()) + is_whole.select(0.0, log_u * (1.0 / a))
        }
    }
}
