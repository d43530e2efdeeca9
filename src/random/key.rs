//! Keys, and the bits that they give.

use super::parameters::{is_key, on_line};
use crate::op::trace::{self, apply};
use crate::op::{Draw, Threefry, Var};
use crate::value::{DType, Shape};

/// The key of a seed, `i64[2]`: its upper and its lower 32 bits. The same seed is the same key.
///
/// Takes an `i64`, a number or a traced scalar; another type is an error. Negative seeds are those of their bits in two's
/// complement, as in JAX with 64-bit integers.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, random};
///
/// let key = jit(|seed: Var| random::key(seed));
/// assert_eq!(key.call::<Array1<i64>>(42)?, array![0, 42]);
/// assert_eq!(key.call::<Array1<i64>>(-1)?, array![0xffff_ffff, 0xffff_ffff]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn key(seed: impl Into<Var>) -> Var {
    let Some(seed) = scalar("random::key", "seed", seed.into()) else { return Var::poisoned() };
    Var::stack(&[seed.shift_right_logical(32), seed & 0xffff_ffff], 0)
}

/// `n` keys of one, as the rows of an `i64[n, 2]`. They give numbers that have nothing to do with each other, nor with
/// those of `key` itself, which should not be used any more.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, map, random};
///
/// // One number of each key.
/// let draws = |seed: Var| map(random::split(random::key(seed), 3), |key: Var| random::uniform(key, [], 0.0..1.0));
/// let x: Array1<f64> = jit(draws).call(0)?;
/// assert_eq!(x.len(), 3);
/// assert!(x[0] != x[1] && x[1] != x[2]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If `key` is not an `i64[2]`.
#[track_caller]
pub fn split(key: Var, n: usize) -> Var {
    draw("random::split", key, [n], Draw::Words)
}

/// As many keys of one as are asked for; see [`split`].
///
/// ```
/// use retrograd::{Var, jit, random};
///
/// let difference = |seed: Var| {
///     let [a, b] = random::keys(random::key(seed));
///     random::normal(a, []) - random::normal(b, [])
/// };
/// assert_ne!(jit(difference).call::<f64>(0)?, 0.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If `key` is not an `i64[2]`.
#[track_caller]
pub fn keys<const N: usize>(key: Var) -> [Var; N] {
    let all = split(key, N);
    if all.is_poisoned() {
        return [all; N];
    }
    on_line(|| std::array::from_fn(|index| all.at(index)))
}

/// The key of another one and of a number, as that of an iteration or of a worker; its lower 32 bits count.
///
/// Takes a key and an `i64`, a number or a traced scalar; other types are an error.
///
/// ```
/// use retrograd::{Var, fori_loop, jit, random};
///
/// // A random walk of 100 steps.
/// let walk = |seed: Var| {
///     let key = random::key(seed);
///     fori_loop(100, Var::from(0.0), |i, x| x + random::normal(random::fold_in(key, i), []))
/// };
/// let end: f64 = jit(walk).call(1)?;
/// assert!(end.abs() < 40.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn fold_in(key: Var, number: impl Into<Var>) -> Var {
    let name = "random::fold_in";
    let Some(number) = scalar(name, "number", number.into()) else { return Var::poisoned() };
    if !is_key(name, key) {
        return Var::poisoned();
    }
    apply(Threefry { shape: vec![], draw: Draw::Words }, &[key, number & 0xffff_ffff])
}

/// 64 random bits for each element, as `i64`s: uniform over all of them, the negative ones, too.
///
/// ```
/// use ndarray::Array2;
/// use retrograd::{Var, jit, random};
///
/// let bits: Array2<i64> = jit(|seed: Var| random::bits(random::key(seed), [2, 3])).call(0)?;
/// let all: u32 = bits.iter().map(|bits| bits.count_ones()).sum();
/// assert!((150..234).contains(&all)); // about half of 384
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If `key` is not an `i64[2]`.
#[track_caller]
pub fn bits(key: Var, shape: impl Into<Shape>) -> Var {
    draw("random::bits", key, shape, Draw::Bits64)
}

/// 32 random bits for each element, as `i64`s in `0..2³²`; the bits that JAX calls `uint32`.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let bits: Array1<i64> = jit(|seed: Var| random::bits32(random::key(seed), [4])).call(0)?;
/// assert!(bits.iter().all(|&bits| (0..1 << 32).contains(&bits)));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If `key` is not an `i64[2]`.
#[track_caller]
pub fn bits32(key: Var, shape: impl Into<Shape>) -> Var {
    draw("random::bits32", key, shape, Draw::Bits32)
}

/// What a key gives for the counters from 0 on.
#[track_caller]
pub(super) fn draw(name: &'static str, key: Var, shape: impl Into<Shape>, draw: Draw) -> Var {
    if !is_key(name, key) {
        return Var::poisoned();
    }
    apply(Threefry { shape: shape.into().to_vec(), draw }, &[key, Var::number(0.0, DType::I64)])
}

/// An integer; else an error is recorded.
#[track_caller]
fn scalar(name: &'static str, what: &str, x: Var) -> Option<Var> {
    if x.is_poisoned() {
        return None;
    }
    let ty = x.ty();
    if ty == crate::value::Type::scalar(DType::I64) {
        return Some(x);
    }
    let _method = trace::method(name, &[x]);
    trace::fail_at(format!("the {what} must be i64[], but got {ty}"));
    None
}
