//! Distributions whose numbers are a function of one uniform number each.

use std::f64::consts;
use std::ops::Range;

use super::key::draw;
use super::parameters::{broadcast, floats, number, on_line};
use crate::op::{Draw, Operand, Var};
use crate::transform::custom_jvp;
use crate::value::{DType, Type};

/// Numbers that are uniform in a range, whose end is not among them but for rounding: with JAX's bits.
///
/// Takes a key and a type of floating point, or the shape of an array of `f64`; another key or dtype is an error. In `0..1`
/// the numbers are multiples of 2⁻⁵², those of `f32` of 2⁻²³, and the end is not among them; another range stretches them,
/// rounded once. No number is below the start. A range that is not finite gives NaN or infinities.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<f64> = jit(|seed: Var| random::uniform(random::key(seed), [1000], -1.0..3.0)).call(0)?;
/// assert!(x.iter().all(|x| (-1.0..3.0).contains(x)));
/// assert!((x.mean().unwrap() - 1.0).abs() < 0.1);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn uniform(key: Var, ty: impl Into<Type>, range: Range<f64>) -> Var {
    let Some(ty) = floats("random::uniform", ty) else { return Var::poisoned() };
    let unit = unit("random::uniform", key, &ty);
    if unit.is_poisoned() {
        return unit;
    }
    // As the dtype holds them, and so their difference.
    let narrow = Range { start: range.start as f32, end: range.end as f32 };
    let [start, end] = match ty.dtype {
        DType::F32 => [narrow.start.into(), narrow.end.into()],
        DType::F64 | DType::I64 | DType::Bool => [range.start, range.end],
    };
    if start == 0.0 && end == 1.0 {
        return unit;
    }
    let width = number(ty.dtype, range.end - range.start, narrow.end - narrow.start);
    let x = unit.mul_add(width, start);
    // Rounding is monotonic, so only a range that runs backwards gets below its start.
    if start <= end { x } else { x.max(start) }
}

/// Numbers of the normal distribution with mean 0 and variance 1: √2 erf⁻¹(u) for `u` uniform in -1..1, as in JAX, whose
/// numbers they are up to rounding: their error is 4 units in the last place, as numbers of `f32` half a unit.
///
/// Takes a key and a type of floating point, or the shape of an array of `f64`; another key or dtype is an error. Numbers
/// are within ±8.3, those of `f32` within ±5.5. Those of mean `m` and deviation `s` are `m + s * normal(key, shape)`, which
/// is differentiable by both.
///
/// ```
/// use retrograd::{Var, grad, jit, random};
///
/// // The standard deviation of 10,000 numbers, and its derivative by that of the distribution.
/// let deviation = |s: Var| (2.0 + s * random::normal(random::key(1), [10_000])).std();
/// let (value, slope): (f64, f64) = (jit(deviation).call(3.0)?, jit(grad(deviation)).call(3.0)?);
/// assert!((value - 3.0).abs() < 0.1 && (slope - 1.0).abs() < 0.03);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn normal(key: Var, ty: impl Into<Type>) -> Var {
    let Some(ty) = floats("random::normal", ty) else { return Var::poisoned() };
    let how = if ty.dtype == DType::F32 { Draw::NormalF32 } else { Draw::NormalF64 };
    draw("random::normal", key, ty.shape, how)
}

/// Numbers of the normal distribution with mean 0 and variance 1 between two bounds, by the quantile function of one uniform
/// number each: in JAX's order, up to rounding, and accurate in the tails, where JAX's are not.
///
/// Takes a key, bounds that broadcast to the shape, which are numbers or traced values, and a type of floating point, or the
/// shape of an array of `f64`. Other keys, dtypes and shapes are an error. A bound that is NaN gives NaN. Numbers are
/// differentiable by the bounds: at the probability u, dx/dlower is (1 - u) φ(lower)/φ(x), and dx/dupper u φ(upper)/φ(x).
/// Where Φ of both bounds underflows, beyond 38 deviations on one side, there are few numbers to choose from, or one.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let tail = |lower: Var| random::truncated_normal(random::key(0), lower, f64::INFINITY, [1000]);
/// let x: Array1<f64> = jit(tail).call(10.0)?;
/// // Beyond 10 the distribution is nearly exponential, of mean 1/10.
/// assert!(x.iter().all(|&x| x >= 10.0) && (x.mean().unwrap() - 10.098).abs() < 0.02);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn truncated_normal(key: Var, lower: impl Operand, upper: impl Operand, ty: impl Into<Type>) -> Var {
    let name = "random::truncated_normal";
    let Some(ty) = floats(name, ty) else { return Var::poisoned() };
    let unit = unit(name, key, &ty);
    if unit.is_poisoned() {
        return unit;
    }
    let (lower, upper) = (lower.var(unit), upper.var(unit));
    let Some([lower, upper]) = broadcast(name, [&lower, &upper], &ty.shape) else { return Var::poisoned() };
    let rule = |(unit, lower, upper): (Var, Var, Var), x: Var, (_, to_lower, to_upper): (Var, Var, Var)| {
        // φ(bound)/φ(x), which neither underflow of the densities spoils.
        let ratio = |bound: Var| ((x - bound) * 0.5 * (x + bound)).exp();
        to_lower * (1.0 - unit) * ratio(lower) + to_upper * unit * ratio(upper)
    };
    on_line(|| custom_jvp(between, rule).call(unit, lower, upper))
}

fn between(unit: Var, lower: Var, upper: Var) -> Var {
    // Φ keeps its digits on the left, so what lies on the right is mirrored.
    let mirrored = lower.greater(0.0);
    let mirror = |x: Var| mirrored.select(-x, x);
    let (first, last) = (mirror(lower).ndtr(), mirror(upper).ndtr());
    let x = mirror((first + unit * (last - first)).ndtri());
    x.clamp(lower, upper)
}

/// Numbers of the exponential distribution with mean 1: -ln(1 - u) for `u` uniform in 0..1, JAX's up to rounding.
///
/// Takes a key and a type of floating point, or the shape of an array of `f64`; another key or dtype is an error. Divided by
/// a rate they have that rate, and are differentiable by it.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<f64> = jit(|seed: Var| random::exponential(random::key(seed), [10_000])).call(0)?;
/// assert!(x.iter().all(|&x| x >= 0.0) && (x.mean().unwrap() - 1.0).abs() < 0.03);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn exponential(key: Var, ty: impl Into<Type>) -> Var {
    of_unit("random::exponential", key, ty, |u, _| -(-u).ln_1p())
}

/// Numbers of the Gumbel distribution with location 0 and scale 1, whose distribution function is exp(-exp(-x)); JAX's up
/// to rounding.
///
/// Takes a key and a type of floating point, or the shape of an array of `f64`; another key or dtype is an error. The index
/// of the largest of `ln p + gumbel` is one with the probabilities `p`: see [`categorical`](super::categorical).
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<f64> = jit(|seed: Var| random::gumbel(random::key(seed), [10_000])).call(0)?;
/// assert!((x.mean().unwrap() - 0.5772).abs() < 0.04); // Euler's constant
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn gumbel(key: Var, ty: impl Into<Type>) -> Var {
    of_unit("random::gumbel", key, ty, |u, dtype| -(-above_zero(u, dtype).ln()).ln())
}

/// Numbers of the Laplace distribution with location 0 and scale 1, whose density is exp(-|x|)/2; JAX's up to rounding.
///
/// Takes a key and a type of floating point, or the shape of an array of `f64`; another key or dtype is an error.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<f64> = jit(|seed: Var| random::laplace(random::key(seed), [10_000])).call(0)?;
/// assert!((x.mapv(f64::abs).mean().unwrap() - 1.0).abs() < 0.03);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn laplace(key: Var, ty: impl Into<Type>) -> Var {
    of_unit("random::laplace", key, ty, |u, dtype| {
        let start = number(dtype, -1.0 + f64::EPSILON / 2.0, -1.0 + f32::EPSILON / 2.0);
        let u = u * 2.0 + start;
        u.sign() * (-u.abs()).ln_1p()
    })
}

/// Numbers of the logistic distribution with location 0 and scale 1, whose distribution function is 1/(1 + exp(-x)); JAX's
/// up to rounding.
///
/// Takes a key and a type of floating point, or the shape of an array of `f64`; another key or dtype is an error.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<f64> = jit(|seed: Var| random::logistic(random::key(seed), [10_000])).call(0)?;
/// assert!((x.std(1.0) - 1.8138).abs() < 0.05); // π/√3
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn logistic(key: Var, ty: impl Into<Type>) -> Var {
    of_unit("random::logistic", key, ty, |u, dtype| above_zero(u, dtype).logit())
}

/// Numbers of the Cauchy distribution with location 0 and scale 1: tan(π (u - 1/2)) for `u` uniform in 0..1, as in JAX, whose
/// numbers they are up to rounding. They have no mean.
///
/// Takes a key and a type of floating point, or the shape of an array of `f64`; another key or dtype is an error.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<f64> = jit(|seed: Var| random::cauchy(random::key(seed), [10_000])).call(0)?;
/// let within = x.iter().filter(|x| x.abs() < 1.0).count();
/// assert!(within.abs_diff(5_000) < 200); // its quartiles are ±1
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn cauchy(key: Var, ty: impl Into<Type>) -> Var {
    of_unit("random::cauchy", key, ty, |u, dtype| {
        // From ε to 1, of width 1 - ε.
        let width = number(dtype, 1.0 - f64::EPSILON, 1.0 - f32::EPSILON);
        let u = u.mul_add(width, number(dtype, f64::EPSILON, f32::EPSILON));
        ((u - 0.5) * number(dtype, consts::PI, std::f32::consts::PI)).tan()
    })
}

/// A function of a number in 0..1, and of its dtype.
#[track_caller]
fn of_unit(name: &'static str, key: Var, ty: impl Into<Type>, f: impl FnOnce(Var, DType) -> Var) -> Var {
    let Some(ty) = floats(name, ty) else { return Var::poisoned() };
    let unit = unit(name, key, &ty);
    if unit.is_poisoned() { unit } else { on_line(|| f(unit, ty.dtype)) }
}

/// Numbers in 0..1.
#[track_caller]
pub(super) fn unit(name: &'static str, key: Var, ty: &Type) -> Var {
    let how = if ty.dtype == DType::F32 { Draw::UnitF32 } else { Draw::UnitF64 };
    draw(name, key, ty.shape.clone(), how)
}

/// The least positive normal number in place of 0, whose logarithm is infinite.
#[track_caller]
fn above_zero(u: Var, dtype: DType) -> Var {
    u.max(number(dtype, f64::MIN_POSITIVE, f32::MIN_POSITIVE))
}
