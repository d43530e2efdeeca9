//! Elements by indices, and their order.

use super::axes::{Axes, enter, float, kept, one_axis, sorted_axes};
use crate::op::{Indices, Operand, Var, trace};
use crate::value::DType;

/// NumPy's `take`: the elements at indices along an axis, or among all in row-major order with `()`. Negative indices count
/// from the end, and others that do not exist are an error of the call; see [`Var::take`] and [`Var::at_indices`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let pick = |x: Var, i: Var| np::take(x, i, 0);
/// let y: Array1<f64> = jit(pick).call(array![1.0, 2.0, 3.0], array![0i64, -1])?;
/// assert_eq!(y, array![1.0, 3.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn take(x: Var, indices: impl Indices, axis: impl Axes) -> Var {
    let indices = indices.indices();
    let _method = enter("take", &[x, indices]);
    let Some((x, axis)) = along(x, axis) else { return Var::poisoned() };
    x.take(from_start(indices, x, axis), axis)
}

/// NumPy's `take_along_axis`: the elements at indices that are given for each place along the other axes; see [`take`] and
/// [`Var::take_along_axis`].
#[track_caller]
pub fn take_along_axis(x: Var, indices: Var, axis: isize) -> Var {
    let _method = enter("take_along_axis", &[x, indices]);
    match one_axis(x, axis) {
        Some(axis) => x.take_along_axis(from_start(indices, x, axis), axis),
        None => Var::poisoned(),
    }
}

/// Indices of which negative ones counted from the end. What is no index is the operation's to report.
fn from_start(indices: Var, x: Var, axis: usize) -> Var {
    if indices.dtype() != DType::I64 {
        return indices;
    }
    let extent = x.shape().get(axis).copied().unwrap_or(0);
    let extent = i64::try_from(extent).unwrap_or(i64::MAX);
    let counts_back = indices.less(0) & indices.greater_equal(-extent);
    counts_back.select(indices + extent, indices)
}

/// The array and one of its axes, or all elements along one; `None` after an error.
#[track_caller]
fn along(x: Var, axis: impl Axes) -> Option<(Var, usize)> {
    match (axis.axes(), sorted_axes(x, &axis)?.as_slice()) {
        (None, _) => Some((x.flatten(), 0)),
        (Some(_), &[axis]) => Some((x, axis)),
        (Some(axes), _) => {
            trace::fail_at(format!("takes one axis, or () for all elements, but got {axes:?}"));
            None
        }
    }
}

/// NumPy's `sort`: in ascending order along an axis, or all elements with `()` (NumPy's `axis=None`); NaN last. Equal
/// elements keep their order, and with it their cotangents; see [`Var::sort`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::sort(x, -1)).call(array![3.0, 1.0, 2.0])?;
/// assert_eq!(y, array![1.0, 2.0, 3.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn sort(x: Var, axis: impl Axes) -> Var {
    let _method = enter("sort", &[x]);
    along(x, axis).map_or(Var::poisoned(), |(x, axis)| x.sort(axis))
}

/// NumPy's `argsort` with `stable=True`: the indices of the elements in ascending order; see [`sort`] and [`Var::argsort`].
#[track_caller]
pub fn argsort(x: Var, axis: impl Axes) -> Var {
    let _method = enter("argsort", &[x]);
    along(x, axis).map_or(Var::poisoned(), |(x, axis)| x.argsort(axis))
}

/// NumPy's `searchsorted`: how many elements of a sorted vector are less than each number, or with `right` not greater; see
/// [`Var::searchsorted`].
#[track_caller]
pub fn searchsorted(sorted: Var, numbers: impl Operand, right: bool) -> Var {
    let _method = enter("searchsorted", &[sorted]);
    if right { sorted.searchsorted_right(numbers) } else { sorted.searchsorted(numbers) }
}

/// NumPy's `interp`: at `x`, linear between the points `xs`, which ascend, and `ys`; see [`Var::interp`].
#[track_caller]
pub fn interp(x: Var, xs: Var, ys: Var) -> Var {
    let _method = enter("interp", &[x, xs, ys]);
    x.interp(xs, ys)
}

/// NumPy's `bincount`, with `n` counts: how often each of the numbers from 0 to before `n` occurs. Another number is an error
/// of the call; see [`Var::bincount`].
#[track_caller]
pub fn bincount(x: Var, n: usize) -> Var {
    let _method = enter("bincount", &[x]);
    x.flatten().bincount(n)
}

/// NumPy's `median` over axes. Integers and `bool` count as `f64`. NaN if an element is; of nothing it is an error. See
/// [`Var::median`].
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, numpy as np};
///
/// assert_eq!(jit(|x: Var| np::median(x, ())).call::<f64>(array![[4.0, 1.0], [3.0, 2.0]])?, 2.5);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn median(x: Var, axes: impl Axes) -> Var {
    let _method = enter("median", &[x]);
    selected(x, axes, |x, axis| x.median(axis))
}

/// NumPy's `quantile` over axes, for one `q` from 0 to 1, with linear interpolation; see [`median`] and [`Var::quantile`].
/// [`Var::quantile_by`] has NumPy's other methods.
#[track_caller]
pub fn quantile(x: Var, q: f64, axes: impl Axes) -> Var {
    let _method = enter("quantile", &[x]);
    selected(x, axes, |x, axis| x.quantile(q, axis))
}

/// NumPy's `percentile` over axes, for one `q` from 0 to 100; see [`quantile`].
#[track_caller]
pub fn percentile(x: Var, q: f64, axes: impl Axes) -> Var {
    let _method = enter("percentile", &[x]);
    selected(x, axes, |x, axis| x.percentile(q, axis))
}

/// What a function selects of all elements along some axes, which it gets as the last one.
#[track_caller]
fn selected(x: Var, axes: impl Axes, select: impl FnOnce(Var, usize) -> Var) -> Var {
    let Some(list) = sorted_axes(x, &axes) else { return Var::poisoned() };
    let (x, shape) = (float(x), x.shape());
    let others: Vec<usize> = (0..shape.rank()).filter(|axis| !list.contains(axis)).collect();
    let n: usize = list.iter().map(|&axis| shape[axis]).product();
    let extents: Vec<usize> = others.iter().map(|&axis| shape[axis]).chain([n]).collect();
    let last = x.transpose(&[&others[..], &list].concat()).reshape(&extents);
    kept(select(last, others.len()), &shape, &list, axes.are_kept())
}
