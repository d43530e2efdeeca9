//! Windows that slide along axes, and what is reduced over them.

use super::axes::{enter, one_axis};
use crate::op::{Var, trace};
use crate::value::{Array, DType, Scalar, Type};

/// Up to how many slices are put together one by one. Windows of more elements take a fixed number of operations, which
/// copy every element twice instead of once.
pub(super) const MAX_SLICES: usize = 64;

/// Windows along one axis.
#[derive(Clone, Copy)]
pub(super) struct Sliding {
    pub size: usize,
    pub stride: usize,
    pub dilation: usize,
}

impl Sliding {
    /// How many elements a window spans.
    fn span(&self) -> usize {
        (self.size - 1).saturating_mul(self.dilation).saturating_add(1)
    }

    /// How many windows there are along so many elements, which are at least as many as one spans.
    pub fn count(&self, extent: usize) -> usize {
        (extent - self.span()) / self.stride + 1
    }

    /// The elements that are at one place of all windows.
    fn slice(&self, x: Var, axis: usize, place: usize, count: usize) -> Var {
        let start = place * self.dilation;
        x.slice_axis(axis, start, start + (count - 1) * self.stride + 1, self.stride)
    }

    /// The windows of an axis: it is replaced by one for the places in a window, and one for the windows.
    pub fn view(&self, x: Var, axis: usize) -> Var {
        let extent = x.shape()[axis];
        let count = self.count(extent);
        if self.size <= MAX_SLICES {
            return Var::stack(&(0..self.size).map(|k| self.slice(x, axis, k, count)).collect::<Vec<Var>>(), axis);
        }
        // The axis, so many times in a row, cut into rows that are longer than it by the dilation: each row begins by as
        // much later than the one before it.
        let row = extent + self.dilation;
        let copies = self.size.saturating_mul(row).div_ceil(extent);
        let mut shape = x.shape().to_vec();
        shape.insert(axis, copies);
        let repeated = x.insert_axis(axis).broadcast_to(&shape);
        shape.remove(axis + 1);
        shape[axis] = copies.saturating_mul(extent);
        let flat = repeated.reshape(&shape).slice(axis, ..self.size.saturating_mul(row));
        shape[axis] = row;
        shape.insert(axis, self.size);
        flat.reshape(&shape).slice_axis(axis + 1, 0, (count - 1) * self.stride + 1, self.stride)
    }
}

/// The elements at one place of all windows over the last axes; places are counted in row-major order.
pub(super) fn elements_at(x: Var, windows: &[Sliding], mut place: usize) -> Var {
    let first = x.rank() - windows.len();
    let mut part = x;
    for (k, window) in windows.iter().enumerate().rev() {
        let own = place % window.size;
        place /= window.size;
        part = window.slice(part, first + k, own, window.count(x.shape()[first + k]));
    }
    part
}

/// The windows of the last axes: all places in a window become one axis, which stands at `at`, before these axes.
pub(super) fn patches(x: Var, windows: &[Sliding], at: usize) -> Var {
    let first = x.rank() - windows.len();
    let n_places: usize = windows.iter().map(|window| window.size).product();
    let counts: Vec<usize> =
        windows.iter().zip(&x.shape()[first..]).map(|(window, &extent)| window.count(extent)).collect();
    if n_places <= MAX_SLICES {
        let parts: Vec<Var> = (0..n_places).map(|place| elements_at(x, windows, place)).collect();
        return Var::stack(&parts, at);
    }
    let viewed = windows.iter().enumerate().fold(x, |x, (k, window)| window.view(x, first + 2 * k));
    let shape = x.shape();
    // The places' axes, which alternate with those of the windows, together at their place.
    let places = (0..windows.len()).map(|k| first + 2 * k);
    let perm: Vec<usize> =
        (0..at).chain(places).chain(at..first).chain((0..windows.len()).map(|k| first + 2 * k + 1)).collect();
    viewed.transpose(&perm).reshape(&[&shape[..at], &[n_places], &shape[at..first], &counts].concat())
}

/// Windows over the last axes of an array, for [`reduce_window`].
///
/// ```
/// use retrograd::numpy::Windows;
///
/// let pooling = Windows::new(&[3, 3]).strides(&[2, 2]).padding(&[(1, 1), (1, 1)]);
/// ```
#[derive(Clone, Debug)]
pub struct Windows {
    sizes: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    padding: Vec<(usize, usize)>,
}

impl Windows {
    /// Windows of that many elements along each of the last axes, at every place.
    pub fn new(sizes: &[usize]) -> Windows {
        let n = sizes.len();
        Windows { sizes: sizes.into(), strides: vec![1; n], dilations: vec![1; n], padding: vec![(0, 0); n] }
    }

    /// The distance of windows along each axis.
    pub fn strides(self, strides: &[usize]) -> Windows {
        Windows { strides: strides.into(), ..self }
    }

    /// The distance of elements of a window along each axis.
    pub fn dilations(self, dilations: &[usize]) -> Windows {
        Windows { dilations: dilations.into(), ..self }
    }

    /// By how many places windows may begin before and end after the elements of each axis.
    pub fn padding(self, padding: &[(usize, usize)]) -> Windows {
        Windows { padding: padding.into(), ..self }
    }

    /// The windows along each axis of an array of that shape; `None` after an error.
    #[track_caller]
    fn check(&self, shape: &[usize]) -> Option<Vec<Sliding>> {
        let n = self.sizes.len();
        if [self.strides.len(), self.dilations.len(), self.padding.len()] != [n; 3] || n > shape.len() {
            trace::fail_at(format!(
                "takes sizes, strides, dilations and padding for the same of {} axes, but got {n}, {}, {} and {}",
                shape.len(),
                self.strides.len(),
                self.dilations.len(),
                self.padding.len()
            ));
            return None;
        }
        let mut windows = Vec::with_capacity(n);
        for k in 0..n {
            let window = Sliding { size: self.sizes[k], stride: self.strides[k], dilation: self.dilations[k] };
            let axis = shape.len() - n + k;
            let (low, high) = self.padding[k];
            check_window(axis, window, shape[axis].saturating_add(low).saturating_add(high))?;
            windows.push(window);
        }
        Some(windows)
    }
}

/// Requires a window of some elements that fits into an axis with its padding.
#[track_caller]
pub(super) fn check_window(axis: usize, window: Sliding, extent: usize) -> Option<()> {
    let Sliding { size, stride, dilation } = window;
    if size == 0 || stride == 0 || dilation == 0 {
        trace::fail_at(format!(
            "takes windows, strides and dilations of at least 1, but got {size}, {stride} and {dilation} for axis {axis}"
        ));
        return None;
    }
    if window.span() > extent {
        trace::fail_at(format!(
            "a window that spans {} elements must fit into axis {axis}, which has {extent} with its padding",
            window.span()
        ));
        return None;
    }
    Some(())
}

/// What [`reduce_window`] computes of each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The sum; what is outside of the array counts as 0.
    Sum,
    /// The greatest element of the array. Elements that tie share the cotangent evenly.
    Max,
    /// The least element of the array. Elements that tie share the cotangent evenly.
    Min,
    /// The mean of the elements of the array; what is outside of it does not count. It is NaN where there are none.
    Mean,
}

/// A reduction of each window that slides over the last axes of an array: JAX's `lax.reduce_window`, `max_pool` and
/// `avg_pool`. There is one result for each window.
///
/// Takes numbers; the mean takes floating point. NaN in a window is NaN in its result. The greatest of a window that lies
/// outside of the array is -inf, or the least integer.
///
/// Sums go one axis after the other. For extremes, the elements of all windows are copied, unless they lie side by side and
/// have one element along the last axis (as images with channels last): these are reduced where they are.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::numpy::{Pool, Windows};
/// use retrograd::{Var, jit, numpy as np};
///
/// let pooled = |x: Var| np::reduce_window(x, Pool::Max, &Windows::new(&[2, 2]).strides(&[2, 2]));
/// let x = array![[1.0, 2.0, 5.0, 0.0], [3.0, 4.0, 6.0, 7.0]];
/// assert_eq!(jit(pooled).call::<Array2<f64>>(&x)?, array![[4.0, 7.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Windows that do not fit into an axis with its padding, sizes, strides and dilations of 0, lists of different lengths, and
/// `bool`.
#[track_caller]
pub fn reduce_window(x: Var, pool: Pool, windows: &Windows) -> Var {
    let _method = enter("reduce_window", &[x]);
    let shape = x.shape();
    let Some(sliding) = windows.check(&shape) else { return Var::poisoned() };
    let dtype = x.dtype();
    if dtype == DType::Bool || (pool == Pool::Mean && !dtype.is_float()) {
        trace::fail_at(format!("takes numbers, for the mean of floating point, but got {}", x.ty()));
        return Var::poisoned();
    }
    let first = shape.rank() - sliding.len();
    let padded = padded(x, first, &windows.padding, pool);
    if padded.is_poisoned() {
        return padded;
    }
    let reduced = match pool {
        Pool::Sum | Pool::Mean => sums(padded, first, &sliding),
        Pool::Max | Pool::Min if are_tiles(&sliding) => extremes(tiles(padded, first, &sliding), pool),
        Pool::Max | Pool::Min => extremes((patches(padded, &sliding, 0), vec![0]), pool),
    };
    if pool == Pool::Mean { reduced / n_elements(x, first, windows, &sliding) } else { reduced }
}

/// What changes no reduction.
fn identity(pool: Pool, dtype: DType) -> Var {
    let least = |float: f64, integer: i64| match dtype {
        DType::I64 => Var::from(integer),
        DType::F64 | DType::F32 | DType::Bool => Var::number(float, dtype),
    };
    match pool {
        Pool::Sum | Pool::Mean => Var::number(0.0, dtype),
        Pool::Max => least(f64::NEG_INFINITY, i64::MIN),
        Pool::Min => least(f64::INFINITY, i64::MAX),
    }
}

/// The array with what changes no reduction around it.
fn padded(x: Var, first: usize, padding: &[(usize, usize)], pool: Pool) -> Var {
    if padding.iter().all(|&widths| widths == (0, 0)) {
        return x;
    }
    // What is beyond the range of i64 is too large for any array, which the operation says.
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let (mut low, mut high) = (vec![0; first], vec![0; first]);
    low.extend(padding.iter().map(|&(before, _)| count(before)));
    high.extend(padding.iter().map(|&(_, after)| count(after)));
    x.pad(identity(pool, x.dtype()), &low, &high, &vec![0; low.len()])
}

/// Whether windows lie side by side and leave the last axis alone, along which loops are fast.
fn are_tiles(windows: &[Sliding]) -> bool {
    windows.last().is_none_or(|last| last.size == 1)
        && windows.iter().all(|window| window.dilation == 1 && window.stride == window.size)
}

/// Windows that lie side by side: the array under another shape, and the axes of the places in a window.
fn tiles(x: Var, first: usize, windows: &[Sliding]) -> (Var, Vec<usize>) {
    let mut shape = x.shape()[..first].to_vec();
    let mut whole = x;
    let mut axes = Vec::new();
    for (k, window) in windows.iter().enumerate() {
        let count = window.count(x.shape()[first + k]);
        whole = whole.slice(first + k, ..count * window.size);
        axes.push(shape.len() + 1);
        shape.extend([count, window.size]);
    }
    (whole.reshape(&shape), axes)
}

fn extremes((x, axes): (Var, Vec<usize>), pool: Pool) -> Var {
    if pool == Pool::Max { x.max_axes(&axes) } else { x.min_axes(&axes) }
}

/// The sums over windows, along one axis after the other.
fn sums(x: Var, first: usize, windows: &[Sliding]) -> Var {
    windows.iter().enumerate().fold(x, |x, (k, window)| {
        let axis = first + k;
        if window.size > MAX_SLICES {
            return window.view(x, axis).sum_axes(&[axis]);
        }
        let count = window.count(x.shape()[axis]);
        let parts = (0..window.size).map(|k| window.slice(x, axis, k, count));
        parts.reduce(|sum, part| sum + part).unwrap_or(x)
    })
}

/// How many elements of the array each window has.
fn n_elements(x: Var, first: usize, windows: &Windows, sliding: &[Sliding]) -> Var {
    let (shape, dtype) = (x.shape(), x.dtype());
    let mut product = Var::number(1.0, dtype);
    for (k, window) in sliding.iter().enumerate() {
        let extent = shape[first + k];
        let (low, high) = windows.padding[k];
        let n_within = |start: usize| {
            let place = |k: &usize| (start + k * window.dilation).checked_sub(low).is_some_and(|at| at < extent);
            (0..window.size).filter(place).count()
        };
        let counts: Vec<f64> =
            (0..window.count(extent + low + high)).map(|k| n_within(k * window.stride) as f64).collect();
        // A row for each axis, which broadcasts over those behind it.
        let mut row = vec![1; sliding.len() - k];
        row[0] = counts.len();
        let ty = Type::new(dtype, row);
        let counts = Array::collect(&ty, counts.into_iter().map(|n| Scalar::F64(n).convert(dtype)));
        product *= Var::constant(counts);
    }
    product
}

/// NumPy's `lib.stride_tricks.sliding_window_view` along one axis: all windows of neighbors; the places in a window are the
/// last axis of the result.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::sliding_window_view(x, 2, 0)).call(array![1.0, 2.0, 3.0])?;
/// assert_eq!(y, array![[1.0, 2.0], [2.0, 3.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An axis that does not exist, and a window that has no elements or more than the axis.
#[track_caller]
pub fn sliding_window_view(x: Var, size: usize, axis: isize) -> Var {
    let _method = enter("sliding_window_view", &[x]);
    let Some(axis) = one_axis(x, axis) else { return Var::poisoned() };
    let window = Sliding { size, stride: 1, dilation: 1 };
    if check_window(axis, window, x.shape()[axis]).is_none() {
        return Var::poisoned();
    }
    let view = window.view(x, axis);
    let rank = x.rank() + 1;
    let perm: Vec<usize> = (0..rank).filter(|&other| other != axis).chain([axis]).collect();
    view.transpose(&perm)
}
