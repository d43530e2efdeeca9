//! Distributions of integers and of `bool`s.

use std::ops::Range;

use super::continuous::{gumbel, unit};
use super::key::{bits, keys, split};
use super::parameters::{given, is_key, on_line};
use crate::op::trace;
use crate::op::{Operand, Var};
use crate::transform::{cond, map, while_loop};
use crate::value::{DType, Shape, Type};

/// `bool`s that are true with the probability `p`: a uniform number in 0..1 is below it; JAX's bits.
///
/// Takes a key, `p`, a number or an array of floating point that broadcasts to `shape`, and the shape of the result. Other
/// keys, dtypes and shapes are an error. A `p` of 0 or below is always false, of 1 or above always true; NaN is false.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<bool> = jit(|p: Var| random::bernoulli(random::key(0), p, [10_000])).call(0.3)?;
/// assert!(x.iter().filter(|&&x| x).count().abs_diff(3_000) < 150);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn bernoulli(key: Var, p: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("random::bernoulli", shape.into());
    let Some([p]) = given(name, key, [&p], &shape) else { return Var::poisoned() };
    unit(name, key, &Type::new(p.dtype(), shape)).less(p)
}

/// Indices with probabilities in proportion to exp(logits), along the last axis of `logits`: the largest of `logits +
/// gumbel` (Gumbel's trick); JAX's up to rounding.
///
/// Takes a key, logits of floating point with at least one axis, whose last is not empty, and the shape of the result, to
/// which the other axes of the logits broadcast: `[1000]` gives a thousand indices of one vector. Other keys, dtypes and
/// shapes are an error. Logits of -inf are never chosen beside others; a NaN is the first to be chosen. The result is `i64`
/// and has no derivative. It takes one number for each element of the shape and each logit.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, random};
///
/// let draw = |p: Var| random::categorical(random::key(0), p.ln(), [10_000]);
/// let x: Array1<i64> = jit(draw).call(array![0.1, 0.0, 0.9])?;
/// let of = |index: i64| x.iter().filter(|&&x| x == index).count();
/// assert!(of(0).abs_diff(1_000) < 100 && of(1) == 0);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn categorical(key: Var, logits: Var, shape: impl Into<Shape>) -> Var {
    if logits.is_poisoned() {
        return logits;
    }
    let name = "random::categorical";
    let n = logits.shape().last().copied().filter(|&n| n > 0);
    let Some(n) = n else {
        let _method = trace::method(name, &[logits]);
        trace::fail_at(format!("takes at least one logit along the last axis, but got {}", logits.ty()));
        return Var::poisoned();
    };
    let all: Shape = shape.into().iter().copied().chain([n]).collect();
    let Some([logits]) = given(name, key, [&logits], &all) else { return Var::poisoned() };
    let ty = Type::new(logits.dtype(), all);
    (gumbel(key, &ty) + logits).argmax(ty.rank() - 1)
}

/// Integers that are uniform in a range, whose end is not among them: JAX's `randint` with 64-bit integers, to the bit.
///
/// Takes a key, the shape of the result, and a range; another key is an error. A range without integers gives its start.
/// An integer is as likely as any other but for some 2⁻⁶⁴ of the extent of the range.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let dice: Array1<i64> = jit(|seed: Var| random::integers(random::key(seed), [6000], 1..7)).call(0)?;
/// for face in 1..7 {
///     assert!(dice.iter().filter(|&&x| x == face).count().abs_diff(1000) < 120);
/// }
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn integers(key: Var, shape: impl Into<Shape>, range: Range<i64>) -> Var {
    if !is_key("random::integers", key) {
        return Var::poisoned();
    }
    let shape = shape.into();
    let extent = range.end.wrapping_sub(range.start).cast_unsigned();
    let extent = if range.is_empty() { 1 } else { extent };
    let [for_high, for_low] = keys(key);
    let high = unsigned_rem(bits(for_high, shape.clone()), extent);
    let low = unsigned_rem(bits(for_low, shape), extent);
    // What 2⁶⁴ leaves, by which the upper bits count.
    let half = (1u64 << 32) % extent;
    let weight = half.wrapping_mul(half) % extent;
    unsigned_rem(high * weight.cast_signed() + low, extent) + range.start
}

/// The remainder of bits as of an unsigned number, by another one.
#[track_caller]
fn unsigned_rem(x: Var, by: u64) -> Var {
    let divisor = by.cast_signed();
    if divisor < 0 {
        // It goes into no number twice. Unsigned numbers are ordered as signed ones with the other sign bit.
        let is_below = (x ^ i64::MIN).less(divisor ^ i64::MIN);
        return is_below.select(x, x - divisor);
    }
    // Half the number has no sign bit; what its quotient leaves of the whole is below twice the divisor.
    let quotient = (x.shift_right_logical(1) / divisor).shift_left(1);
    let rest = x - quotient * divisor;
    let is_below = (rest ^ i64::MIN).less(divisor ^ i64::MIN);
    is_below.select(rest, rest - divisor)
}

/// Numbers of the Poisson distribution: below a rate of 10 by products of uniform numbers (Knuth, *The Art of Computer
/// Programming* 2, 3.4.1), else by the transformed rejection PTRS of Hörmann, "The transformed rejection method for
/// generating Poisson random variables", Insurance: Mathematics and Economics 12 (1993).
///
/// Takes a key, the rate, a number or an array of floating point that broadcasts to `shape`, and the shape of the result.
/// Other keys, dtypes and shapes are an error. The result is `i64` and has no derivative. A rate of 0 gives 0; one that is
/// negative, NaN or above 10¹⁵ gives -1. Numbers are computed in `f64`, whatever the dtype; they are not JAX's.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<i64> = jit(|rate: Var| random::poisson(random::key(0), rate, [10_000])).call(3.5)?;
/// assert!((x.mapv(|x| x as f64).mean().unwrap() - 3.5).abs() < 0.1);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn poisson(key: Var, rate: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("random::poisson", shape.into());
    let Some([rate]) = given(name, key, [&rate], &shape) else { return Var::poisoned() };
    on_line(|| each_poisson(key, rate, &shape))
}

fn each_poisson(key: Var, rate: Var, shape: &Shape) -> Var {
    let each = (split(key, shape.size()), rate.convert(DType::F64).reshape(&[shape.size()]));
    map(each, |(key, rate): (Var, Var)| {
        let is_valid = rate.greater_equal(0.0) & rate.less_equal(LARGEST_MEAN);
        let x = cond(
            rate.less(10.0) | !is_valid,
            || poisson_by_products(key, is_valid.select(rate, 0.0)),
            || poisson_by_rejection(key, rate),
        );
        is_valid.select(x, -1.0).convert(DType::I64)
    })
    .reshape(shape)
}

/// Beyond, neighbors are hardly distinct in the logarithms that decide.
const LARGEST_MEAN: f64 = 1e15;

/// How many uniform numbers have a product above exp(-rate).
#[track_caller]
fn poisson_by_products(key: Var, rate: Var) -> Var {
    let zero = Var::from(0.0);
    let (_, n, _) = while_loop(
        (key, Var::from(-1.0), zero),
        |(_, _, log_product): (Var, Var, Var)| log_product.greater(-rate),
        |(key, n, log_product)| {
            let [key, drawn] = keys(key);
            (key, n + 1.0, log_product + (1.0 - scalar_unit(drawn)).ln())
        },
    );
    // A rate of 0 has not begun.
    n.max(0.0)
}

/// PTRS, with its constants.
#[track_caller]
fn poisson_by_rejection(key: Var, rate: Var) -> Var {
    let log_rate = rate.ln();
    let b = 0.931 + 2.53 * rate.sqrt();
    let a = -0.059 + 0.02483 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let sure = 0.9277 - 3.6224 / (b - 2.0);
    let of = move |u: Var, us: Var| ((2.0 * a / us + b) * u + rate + 0.43).floor();
    rejected(key, sure, of, move |k, us, v| {
        let s = (v * inverse_alpha / (a / (us * us) + b)).ln();
        k.greater_equal(0.0) & s.less_equal(k * log_rate - rate - (k + 1.0).lgamma())
    })
}

/// The loop of transformed rejection: `of` makes a candidate of u in -1/2..1/2 and us = 1/2 - |u|, which is accepted if us
/// is at least 0.07 and v, another number in 0..1, at most `sure`; else if it is not outside of what has to be looked at,
/// and `accepts`.
#[track_caller]
fn rejected(key: Var, sure: Var, of: impl FnOnce(Var, Var) -> Var, accepts: impl FnOnce(Var, Var, Var) -> Var) -> Var {
    let init = (key, Var::from(0.0), Var::from(false));
    let (_, k, _) = while_loop(
        init,
        |(_, _, is_accepted): (Var, Var, Var)| !is_accepted,
        |(key, _, _)| {
            let [key, for_u, for_v] = keys(key);
            let u = scalar_unit(for_u) - 0.5;
            let v = 1.0 - scalar_unit(for_v);
            let us = 0.5 - u.abs();
            let k = of(u, us);
            let is_sure = us.greater_equal(0.07) & v.less_equal(sure);
            let is_out = us.less(0.013) & v.greater(us);
            (key, k, is_sure | (!is_out & accepts(k, us, v)))
        },
    );
    k
}

#[track_caller]
fn scalar_unit(key: Var) -> Var {
    unit("random::unit", key, &Type::scalar(DType::F64))
}

/// Numbers of the binomial distribution, how many of `n` trials succeed with the probability `p`: with at most 10 expected
/// successes (or failures) by inversion of the distribution function, else by the transformed rejection BTRS of Hörmann,
/// "The generation of binomial random variates", J. Stat. Comput. Simul. 46 (1993).
///
/// Takes a key, `n` and `p`, numbers or arrays of one dtype of floating point that broadcast to `shape`, and the shape of
/// the result. Other keys, dtypes and shapes are an error. The result is `i64` and has no derivative. A `p` outside of
/// 0..=1, and an `n` that is negative, no integer or above 10¹⁵, or a NaN, give -1. Numbers are computed in `f64`,
/// whatever the dtype; they are not JAX's.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let x: Array1<i64> = jit(|p: Var| random::binomial(random::key(0), 20.0, p, [10_000])).call(0.25)?;
/// assert!(x.iter().all(|x| (0..=20).contains(x)));
/// assert!((x.mapv(|x| x as f64).mean().unwrap() - 5.0).abs() < 0.1);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn binomial(key: Var, n: impl Operand, p: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("random::binomial", shape.into());
    let Some([n, p]) = given(name, key, [&n, &p], &shape) else { return Var::poisoned() };
    on_line(|| each_binomial(key, n, p, &shape))
}

fn each_binomial(key: Var, n: Var, p: Var, shape: &Shape) -> Var {
    let [n, p] = [n, p].map(|x| x.convert(DType::F64).reshape(&[shape.size()]));
    let each = (split(key, shape.size()), n, p);
    map(each, |(key, n, p): (Var, Var, Var)| {
        let is_valid = n.greater_equal(0.0) & n.less_equal(LARGEST_MEAN) & n.equal(n.trunc());
        let is_valid = is_valid & p.greater_equal(0.0) & p.less_equal(1.0);
        let [n, p] = [n, p].map(|x| is_valid.select(x, 0.0));
        // The rarer outcome is counted.
        let is_rare = p.less_equal(0.5);
        let q = is_rare.select(p, 1.0 - p);
        let few = (n * q).less(10.0);
        let x = cond(few, || binomial_by_inversion(key, n, q), || binomial_by_rejection(key, n, q));
        let x = is_rare.select(x, n - x);
        is_valid.select(x, -1.0).convert(DType::I64)
    })
    .reshape(shape)
}

/// The least k whose distribution function is above a uniform number, by the ratio of neighboring probabilities.
#[track_caller]
fn binomial_by_inversion(key: Var, n: Var, p: Var) -> Var {
    let odds = p / (1.0 - p);
    let first = (n * (-p).ln_1p()).exp();
    let (k, _, _) = while_loop(
        (Var::from(0.0), first, scalar_unit(key)),
        |(k, probability, rest): (Var, Var, Var)| rest.greater_equal(probability) & k.less(n),
        |(k, probability, rest)| {
            let next = probability * ((n - k) / (k + 1.0)) * odds;
            (k + 1.0, next, rest - probability)
        },
    );
    k
}

/// BTRS, with its constants, for p at most 1/2.
#[track_caller]
fn binomial_by_rejection(key: Var, n: Var, p: Var) -> Var {
    let spread = (n * p * (1.0 - p)).sqrt();
    let b = 1.15 + 2.53 * spread;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let center = n * p + 0.5;
    let sure = 0.92 - 4.2 / b;
    let alpha = (2.83 + 5.1 / b) * spread;
    let log_odds = (p / (1.0 - p)).ln();
    let mode = ((n + 1.0) * p).floor();
    let at_mode = (mode + 1.0).lgamma() + (n - mode + 1.0).lgamma();
    let of = move |u: Var, us: Var| ((2.0 * a / us + b) * u + center).floor();
    rejected(key, sure, of, move |k, us, v| {
        let s = (v * alpha / (a / (us * us) + b)).ln();
        let log_ratio = at_mode - (k + 1.0).lgamma() - (n - k + 1.0).lgamma() + (k - mode) * log_odds;
        k.greater_equal(0.0) & k.less_equal(n) & s.less_equal(log_ratio)
    })
}
