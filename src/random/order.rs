//! Random orders, and choices among what there is.

use super::continuous::{gumbel, unit};
use super::discrete::integers;
use super::key::{bits32, keys};
use super::parameters::{floats, is_key, on_line};
use crate::op::{Var, trace};
use crate::value::{DType, Shape, Type};

/// The indices `0..n` in a random order, each order as likely as any other; JAX's. As the indices of
/// [`Var::take`] they bring the rows of an array, or of several, to that order.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, jit, random};
///
/// let shuffled = |x: Var, y: Var| {
///     let order = random::permutation(random::key(0), 4);
///     (x.take(order, 0), y.take(order, 0))
/// };
/// let x = array![[0.0, 0.5], [1.0, 1.5], [2.0, 2.5], [3.0, 3.5]];
/// let (rows, labels): (Array2<f64>, Array1<i64>) = jit(shuffled).call(&x, [0i64, 1, 2, 3])?;
/// assert!(rows.outer_iter().zip(&labels).all(|(row, &label)| row == x.row(label as usize)));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If `key` is not an `i64[2]`.
#[track_caller]
pub fn permutation(key: Var, n: usize) -> Var {
    if !is_key("random::permutation", key) {
        return Var::poisoned();
    }
    on_line(|| shuffled_indices(key, n))
}

/// Sorted by random bits, as often as it takes that equal ones hardly matter: 3 ln n/ln 2³² times, rounded up.
fn shuffled_indices(key: Var, n: usize) -> Var {
    let rounds = (3.0 * (n.max(1) as f64).ln() / f64::from(u32::MAX).ln()).ceil() as usize;
    let mut order = Var::iota(&[n], 0, DType::I64);
    let mut key = key;
    for _ in 0..rounds {
        let [next, drawn] = keys(key);
        order = order.take(bits32(drawn, [n]).argsort(0), 0);
        key = next;
    }
    order
}

/// Indices below `n`, each as likely as any other, of which some may be chosen again; JAX's `choice`. It is
/// [`integers`](super::integers) in `0..n`.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// // A sample of the rows of x, as for the bootstrap.
/// let resampled = |x: Var| x.take(random::choice(random::key(0), 3, [3]), 0);
/// let y: Array1<f64> = jit(resampled).call([1.0, 2.0, 3.0])?;
/// assert!(y.iter().all(|y| [1.0, 2.0, 3.0].contains(y)));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If `key` is not an `i64[2]`, or there is nothing to choose from.
#[track_caller]
pub fn choice(key: Var, n: usize, shape: impl Into<Shape>) -> Var {
    let name = "random::choice";
    let end = i64::try_from(n).unwrap_or(i64::MAX);
    if !is_key(name, key) || !can_take(name, key, 1, n) {
        return Var::poisoned();
    }
    integers(key, shape, 0..end)
}

/// `k` different indices below `n`, in a random order; JAX's `choice` with `replace=False`.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let batch: Array1<i64> = jit(|seed: Var| random::distinct(random::key(seed), 100, 3)).call(0)?;
/// assert!(batch[0] != batch[1] && batch[1] != batch[2] && batch[0] != batch[2]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// If `key` is not an `i64[2]`, or `k` is above `n`.
#[track_caller]
pub fn distinct(key: Var, n: usize, k: usize) -> Var {
    let name = "random::distinct";
    if !is_key(name, key) || !can_take(name, key, k, n) {
        return Var::poisoned();
    }
    on_line(|| shuffled_indices(key, n).slice_axis(0, 0, k, 1))
}

/// Indices with probabilities in proportion to the weights, of which some may be chosen again: by inversion of the
/// cumulative sum, which takes one number and a search for each; JAX's `choice` with `p`, but for the rounding of that sum.
///
/// Takes a key, a vector of weights of floating point, and the shape of the result, which is `i64` and has no derivative.
/// Other keys, dtypes and ranks, and a vector without elements, are an error. A weight of 0 is never chosen. Where a weight
/// is negative, infinite or NaN, or all are 0, the indices are -1. See also [`categorical`](super::categorical), which
/// takes logits.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let draw = |weights: Var| random::choice_weighted(random::key(0), weights, [10_000]);
/// let x: Array1<i64> = jit(draw).call([1.0, 0.0, 3.0])?;
/// let of = |index: i64| x.iter().filter(|&&x| x == index).count();
/// assert!(of(0).abs_diff(2_500) < 150 && of(1) == 0);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn choice_weighted(key: Var, weights: Var, shape: impl Into<Shape>) -> Var {
    let name = "random::choice_weighted";
    let Some(n) = n_weights(name, key, weights, 1) else { return Var::poisoned() };
    let u = unit(name, key, &Type::new(weights.dtype(), shape.into()));
    on_line(|| {
        let sums = weights.stop_gradient().cumsum(0);
        let total = sums.at(n - 1);
        let index = sums.searchsorted(total * (1.0 - u));
        let is_valid = weights.greater_equal(0.0).all() & total.greater(0.0) & total.less(f64::INFINITY);
        is_valid.select(index, -1)
    })
}

/// `k` different indices, drawn one after the other with probabilities in proportion to the weights of those that are left:
/// the largest of `ln weights + gumbel` (Kool, van Hoof and Welling, "Stochastic beams and where to find them", ICML 2019);
/// JAX's `choice` with `p` and `replace=False`.
///
/// Takes a key and a vector of weights of floating point. Other keys, dtypes and ranks, and a `k` above the number of weights,
/// are an error. The result is `i64` and has no derivative. Weights of 0 come last; where a weight is negative or NaN, the
/// indices are -1.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, random};
///
/// let draw = |weights: Var| random::distinct_weighted(random::key(0), weights, 2);
/// let x: Array1<i64> = jit(draw).call([1.0, 0.0, 3.0])?;
/// assert!(x[0] != x[1] && !x.iter().any(|&x| x == 1));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn distinct_weighted(key: Var, weights: Var, k: usize) -> Var {
    if n_weights("random::distinct_weighted", key, weights, k).is_none() {
        return Var::poisoned();
    }
    on_line(|| {
        let (_, indices) = (gumbel(key, weights.ty()) + weights.stop_gradient().ln()).top_k(k, 0);
        weights.greater_equal(0.0).all().select(indices, -1)
    })
}

/// How many weights there are, if they are a vector from which `k` can be taken; else an error is recorded.
#[track_caller]
fn n_weights(name: &'static str, key: Var, weights: Var, k: usize) -> Option<usize> {
    if weights.is_poisoned() || !is_key(name, key) {
        return None;
    }
    let ty = floats(name, weights.ty())?;
    if ty.rank() != 1 {
        let _method = trace::method(name, &[weights]);
        trace::fail_at(format!("takes a vector of weights, but got {ty}"));
        return None;
    }
    can_take(name, key, k, ty.shape[0]).then_some(ty.shape[0])
}

/// Whether there are as many; else an error is recorded.
#[track_caller]
fn can_take(name: &'static str, key: Var, k: usize, n: usize) -> bool {
    if k > n {
        let _method = trace::method(name, &[key]);
        trace::fail_at(format!("cannot take {k} of {n}"));
    }
    k <= n
}
