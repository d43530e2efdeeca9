//! Reductions over any axes.

use super::axes::{Axes, enter, float, kept, named_axes, number, sorted_axes, truth, with_ones, without_nan};
use super::diagonals::diagonal_of;
use crate::op::{Var, trace};
use crate::value::{DType, Shape};

/// Reduces over axes: a closure gets the operand and the axes in ascending order.
#[track_caller]
fn reduced(x: Var, axes: impl Axes, reduce: impl FnOnce(Var, &[usize]) -> Var) -> Var {
    match sorted_axes(x, &axes) {
        Some(list) => kept(reduce(x, &list), &x.shape(), &list, axes.are_kept()),
        None => Var::poisoned(),
    }
}

/// The number of elements that are combined.
fn n_reduced(shape: &Shape, axes: &[usize]) -> f64 {
    axes.iter().map(|&axis| shape[axis] as f64).product()
}

/// Requires elements to choose an extreme one from, unless nothing is to be chosen.
#[track_caller]
fn has_elements(x: Var, axes: &[usize]) -> bool {
    let shape = x.shape();
    let is_empty = axes.iter().any(|&axis| shape[axis] == 0) && shape.without(axes).size() > 0;
    if is_empty {
        trace::fail_at(format!("takes at least one element along the axes {axes:?}, but got {}", x.ty()));
    }
    !is_empty
}

/// NumPy's `sum`. `bool` counts as `i64`; integers wrap. The sum of nothing is 0; see [`Var::sum`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::sum(x, -1)).call(array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(y, array![3.0, 7.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn sum(x: Var, axes: impl Axes) -> Var {
    let _method = enter("sum", &[x]);
    reduced(number(x), axes, |x, axes| x.sum_axes(axes))
}

/// NumPy's `prod`. `bool` counts as `i64`; integers wrap. The product of nothing is 1; see [`Var::prod`].
#[track_caller]
pub fn prod(x: Var, axes: impl Axes) -> Var {
    let _method = enter("prod", &[x]);
    reduced(number(x), axes, |x, axes| x.prod_axes(axes))
}

/// NumPy's `mean`. Integers and `bool` count as `f64`. The mean of nothing is NaN; see [`Var::mean`].
#[track_caller]
pub fn mean(x: Var, axes: impl Axes) -> Var {
    let _method = enter("mean", &[x]);
    reduced(float(x), axes, |x, axes| x.mean_axes(axes))
}

/// NumPy's `max`, or `amax`: NaN if an element is. Of nothing it is an error. Elements that tie share the cotangent evenly;
/// see [`Var::max_all`]. For two operands there is [`maximum`](super::maximum).
#[track_caller]
pub fn max(x: Var, axes: impl Axes) -> Var {
    let _method = enter("max", &[x]);
    reduced(x, axes, |x, axes| if has_elements(x, axes) { x.max_axes(axes) } else { Var::poisoned() })
}

/// NumPy's `min`, or `amin`; see [`max`].
#[track_caller]
pub fn min(x: Var, axes: impl Axes) -> Var {
    let _method = enter("min", &[x]);
    reduced(x, axes, |x, axes| if has_elements(x, axes) { x.min_axes(axes) } else { Var::poisoned() })
}

/// NumPy's `ptp`: the greatest element minus the least.
#[track_caller]
pub fn ptp(x: Var, axes: impl Axes) -> Var {
    let _method = enter("ptp", &[x]);
    reduced(
        x,
        axes,
        |x, axes| {
            if has_elements(x, axes) { x.max_axes(axes) - x.min_axes(axes) } else { Var::poisoned() }
        },
    )
}

/// NumPy's `all`: whether no element is 0, or `false`. True of nothing.
#[track_caller]
pub fn all(x: Var, axes: impl Axes) -> Var {
    let _method = enter("all", &[x]);
    reduced(truth(x), axes, |x, axes| x.all_axes(axes))
}

/// NumPy's `any`: whether an element is neither 0 nor `false`. False of nothing; a NaN is not 0.
#[track_caller]
pub fn any(x: Var, axes: impl Axes) -> Var {
    let _method = enter("any", &[x]);
    reduced(truth(x), axes, |x, axes| x.any_axes(axes))
}

/// NumPy's `count_nonzero`: how many elements are neither 0 nor `false`, as `i64`; a NaN counts.
#[track_caller]
pub fn count_nonzero(x: Var, axes: impl Axes) -> Var {
    let _method = enter("count_nonzero", &[x]);
    reduced(truth(x).convert(DType::I64), axes, |x, axes| x.sum_axes(axes))
}

/// NumPy's `argmax`: the index of the first greatest element along an axis, or among all in row-major order (`()`), as
/// `i64`; that of the first NaN if there is one. It carries no derivative.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let x = array![[1.0, 5.0], [7.0, 3.0]];
/// assert_eq!(jit(|x: Var| np::argmax(x, ())).call::<i64>(&x)?, 2);
/// assert_eq!(jit(|x: Var| np::argmax(x, -1)).call::<Array1<i64>>(&x)?, array![1i64, 0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Several axes, and an axis without elements.
#[track_caller]
pub fn argmax(x: Var, axis: impl Axes) -> Var {
    let _method = enter("argmax", &[x]);
    index_of(x, axis, Var::argmax)
}

/// NumPy's `argmin`; see [`argmax`].
#[track_caller]
pub fn argmin(x: Var, axis: impl Axes) -> Var {
    let _method = enter("argmin", &[x]);
    index_of(x, axis, Var::argmin)
}

#[track_caller]
fn index_of(x: Var, axis: impl Axes, index: impl Fn(Var, usize) -> Var) -> Var {
    let Some(list) = sorted_axes(x, &axis) else { return Var::poisoned() };
    let found = match (axis.axes(), &list[..]) {
        (None, _) => index(x.flatten(), 0),
        (Some(_), &[axis]) => index(x, axis),
        (Some(axes), _) => {
            trace::fail_at(format!("takes one axis, or () for all elements, but got {axes:?}"));
            return Var::poisoned();
        }
    };
    kept(found, &x.shape(), &list, axis.are_kept())
}

/// NumPy's `var`: the mean of the squared distances from the mean, where the sum is divided by the number of elements less
/// `ddof`. Integers and `bool` count as `f64`. With no more than `ddof` elements it is NaN, or inf; see [`Var::var`].
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, numpy as np};
///
/// let sample: f64 = jit(|x: Var| np::var(x, (), 1)).call(array![1.0, 2.0, 3.0])?;
/// assert_eq!(sample, 1.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn var(x: Var, axes: impl Axes, ddof: usize) -> Var {
    let _method = enter("var", &[x]);
    reduced(float(x), axes, |x, axes| scaled(x.var_axes(axes), correction(n_reduced(&x.shape(), axes), ddof)))
}

/// NumPy's `std`: the square root of [`var`]. The derivative at equal elements is 0.
#[track_caller]
pub fn std(x: Var, axes: impl Axes, ddof: usize) -> Var {
    let _method = enter("std", &[x]);
    reduced(float(x), axes, |x, axes| scaled(x.std_axes(axes), correction(n_reduced(&x.shape(), axes), ddof).sqrt()))
}

/// What makes a mean of `n` numbers their sum divided by `n - ddof`, or by 0 if that is negative.
fn correction(n: f64, ddof: usize) -> f64 {
    n / (n - ddof as f64).max(0.0)
}

fn scaled(x: Var, factor: f64) -> Var {
    if factor == 1.0 { x } else { x * factor }
}

/// NumPy's `average`: the sum of the products with weights, divided by the sum of the weights. The weights have the shape
/// of `x`, or the extents of the given axes, in their order. Integers and `bool` count as `f64`.
///
/// Weights whose sum is 0 give NaN or an infinity, where NumPy fails. It is differentiable by the weights, too.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let x = array![[1.0, 2.0, 4.0], [0.0, 0.0, 8.0]];
/// let y: Array1<f64> = jit(|x: Var, w: Var| np::average(x, 1, w)).call(&x, array![1.0, 1.0, 2.0])?;
/// assert_eq!(y, array![2.75, 4.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Weights of another shape, `f32` beside `f64`.
#[track_caller]
pub fn average(x: Var, axes: impl Axes, weights: Var) -> Var {
    let _method = enter("average", &[x, weights]);
    let (Some(list), shape) = (sorted_axes(x, &axes), x.shape()) else { return Var::poisoned() };
    let named = match axes.axes() {
        Some(named) => named_axes(shape.rank(), &named).unwrap_or_default(),
        None => list.clone(),
    };
    let own = weights.shape();
    let along: Vec<usize> = named.iter().map(|&axis| shape[axis]).collect();
    let spread = if own == shape {
        weights
    } else if own.extents() == along {
        let perm: Vec<usize> = list.iter().filter_map(|axis| named.iter().position(|other| other == axis)).collect();
        let others: Vec<usize> = (0..shape.rank()).filter(|axis| !list.contains(axis)).collect();
        weights.transpose(&perm).reshape(&with_ones(&shape, &others))
    } else {
        trace::fail_at(format!(
            "takes weights of the shape of the array, {shape}, or of the extents of its axes {named:?}, but got {own}"
        ));
        return Var::poisoned();
    };
    let (x, spread) = (float(x), float(spread).broadcast_to(&shape));
    let average = (x * spread).sum_axes(&list) / spread.sum_axes(&list);
    kept(average, &shape, &list, axes.are_kept())
}

/// NumPy's `cov`: the covariances of variables, each of which is a row of the matrix `x` and has an observation in each
/// column. The sums are divided by the number of observations less `ddof` (NumPy's default is 1). Integers and `bool` count
/// as `f64`. A vector is one variable, and gives a scalar.
///
/// For variables in columns, transpose; for two sets of variables, join them with [`vstack`](super::vstack).
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::cov(x, 1)).call(array![[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])?;
/// assert_eq!(y, array![[1.0, 2.0], [2.0, 4.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An array that is no vector and no matrix.
#[track_caller]
pub fn cov(x: Var, ddof: usize) -> Var {
    let _method = enter("cov", &[x]);
    covariance(x, ddof)
}

fn covariance(x: Var, ddof: usize) -> Var {
    let rank = x.rank();
    if rank != 1 && rank != 2 {
        trace::fail_at(format!("takes a vector or a matrix, but got {}", x.ty()));
        return Var::poisoned();
    }
    let x = float(x);
    let centered = x - x.mean_keep_axes(&[rank - 1]);
    let n = x.shape()[rank - 1] as f64;
    let products = centered.dot_general(centered, [&[rank - 1], &[rank - 1]], [&[], &[]]);
    products / (n - ddof as f64).max(0.0)
}

/// NumPy's `corrcoef`: the correlation coefficients of variables, which are the rows of a matrix; see [`cov`]. That of a
/// variable that is constant is NaN. They are not clipped to the range from -1 to 1, which they may leave by rounding, so
/// that they are smooth.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::corrcoef(x)).call(array![[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])?;
/// assert!((y - array![[1.0, -1.0], [-1.0, 1.0]]).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn corrcoef(x: Var) -> Var {
    let _method = enter("corrcoef", &[x]);
    let covariance = covariance(x, 1);
    if covariance.is_poisoned() {
        return covariance;
    }
    if covariance.rank() == 0 {
        let variance = covariance;
        return covariance / variance;
    }
    let deviation = diagonal_of(covariance, 0, 0, 1).sqrt();
    covariance / deviation.insert_axis(1) / deviation.insert_axis(0)
}

/// `ln Σ exp(x)` over axes, without overflow on the way: SciPy's `logsumexp`, and NumPy's `logaddexp.reduce`. Integers
/// and `bool` count as `f64`; see [`Var::logsumexp`].
#[track_caller]
pub fn logsumexp(x: Var, axes: impl Axes) -> Var {
    let _method = enter("logsumexp", &[x]);
    reduced(float(x), axes, |x, axes| x.logsumexp(axes))
}

/// The norm over axes, as NumPy's `linalg.norm` of a vector; without overflow on the way; see [`Var::norm`].
#[track_caller]
pub fn norm(x: Var, axes: impl Axes) -> Var {
    let _method = enter("norm", &[x]);
    reduced(float(x), axes, |x, axes| x.norm_axes(axes))
}

/// How many elements are no NaN, in the dtype of `x`.
fn n_valid(x: Var, axes: &[usize]) -> Var {
    (!x.is_nan()).convert(x.dtype()).sum_axes(axes)
}

/// NumPy's `nansum`: the sum of the elements that are no NaN, 0 if there are none. A NaN has derivative 0.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np, value_and_grad};
///
/// let f = jit(value_and_grad(|x: Var| np::nansum(x, ())));
/// let (y, slope): (f64, Array1<f64>) = f.call(array![1.0, f64::NAN, 2.0])?;
/// assert_eq!((y, slope), (3.0, array![1.0, 0.0, 1.0]));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn nansum(x: Var, axes: impl Axes) -> Var {
    let _method = enter("nansum", &[x]);
    reduced(without_nan(number(x), 0.0), axes, |x, axes| x.sum_axes(axes))
}

/// NumPy's `nanprod`: the product of the elements that are no NaN, 1 if there are none. A NaN has derivative 0.
#[track_caller]
pub fn nanprod(x: Var, axes: impl Axes) -> Var {
    let _method = enter("nanprod", &[x]);
    reduced(without_nan(number(x), 1.0), axes, |x, axes| x.prod_axes(axes))
}

/// NumPy's `nanmean`: the mean of the elements that are no NaN, NaN if there are none. A NaN has derivative 0.
#[track_caller]
pub fn nanmean(x: Var, axes: impl Axes) -> Var {
    let _method = enter("nanmean", &[x]);
    reduced(float(x), axes, |x, axes| without_nan(x, 0.0).sum_axes(axes) / n_valid(x, axes))
}

/// NumPy's `nanvar`: the variance of the elements that are no NaN; the sum is divided by their number less `ddof`, and the
/// result is NaN where that is not positive.
#[track_caller]
pub fn nanvar(x: Var, axes: impl Axes, ddof: usize) -> Var {
    let _method = enter("nanvar", &[x]);
    reduced(float(x), axes, |x, axes| {
        let (distances, divisor) = distances_of_valid(x, axes, ddof);
        divisor.greater(0).select(distances.square().sum_axes(axes) / divisor, f64::NAN)
    })
}

/// NumPy's `nanstd`: the square root of [`nanvar`], without its overflow and underflow. The derivative at equal elements is 0.
#[track_caller]
pub fn nanstd(x: Var, axes: impl Axes, ddof: usize) -> Var {
    let _method = enter("nanstd", &[x]);
    reduced(float(x), axes, |x, axes| {
        let (distances, divisor) = distances_of_valid(x, axes, ddof);
        divisor.greater(0).select(distances.norm_axes(axes) / divisor.sqrt(), f64::NAN)
    })
}

/// The distances from the mean, and what the sum of their squares is divided by. The distance of a NaN is 0.
fn distances_of_valid(x: Var, axes: &[usize], ddof: usize) -> (Var, Var) {
    let ones = with_ones(&x.shape(), axes);
    let n = n_valid(x, axes);
    let mean = without_nan(x, 0.0).sum_axes(axes) / n;
    let distances = x.is_nan().select(0.0, x - mean.reshape(&ones));
    (distances, n - ddof as f64)
}

/// NumPy's `nanmax`: the greatest of the elements that are no NaN, NaN if there are none. Elements that tie share the
/// cotangent evenly; a NaN has derivative 0.
///
/// # Errors
/// No elements at all.
#[track_caller]
pub fn nanmax(x: Var, axes: impl Axes) -> Var {
    let _method = enter("nanmax", &[x]);
    reduced(x, axes, |x, axes| extreme_of_valid(x, axes, f64::NEG_INFINITY, Var::max_axes))
}

/// NumPy's `nanmin`; see [`nanmax`].
#[track_caller]
pub fn nanmin(x: Var, axes: impl Axes) -> Var {
    let _method = enter("nanmin", &[x]);
    reduced(x, axes, |x, axes| extreme_of_valid(x, axes, f64::INFINITY, Var::min_axes))
}

#[track_caller]
fn extreme_of_valid(x: Var, axes: &[usize], least: f64, extreme: fn(Var, &[usize]) -> Var) -> Var {
    if !has_elements(x, axes) {
        return Var::poisoned();
    }
    let found = extreme(without_nan(x, least), axes);
    if x.dtype().is_float() { x.is_nan().all_axes(axes).select(f64::NAN, found) } else { found }
}
