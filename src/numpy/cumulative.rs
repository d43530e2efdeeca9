//! Cumulative functions, differences and integrals along an axis.

use super::axes::{demand_nodes, enter, float, number, one_axis, without_nan};
use crate::op::{Operand, Var, trace};
use crate::transform::associative_scan;
use crate::value::DType;

/// NumPy's `cumsum`, as `cumulative_sum`: each element with all before it. `bool` counts as `i64`; integers wrap. See
/// [`Var::cumsum`], which documents the order of summation.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::cumsum(x, -1)).call(array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(y, array![[1.0, 3.0], [3.0, 7.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn cumsum(x: Var, axis: isize) -> Var {
    let _method = enter("cumsum", &[x]);
    match one_axis(x, axis) {
        Some(axis) => number(x).cumsum(axis),
        None => Var::poisoned(),
    }
}

/// NumPy's `cumprod`, as `cumulative_prod`: the product of each element with all before it. `bool` counts as `i64`;
/// integers wrap. It is an [`associative_scan`], of which the derivative is exact also where elements are 0.
#[track_caller]
pub fn cumprod(x: Var, axis: isize) -> Var {
    let _method = enter("cumprod", &[x]);
    scanned(number(x), axis, |x, y| x * y)
}

/// NumPy's `nancumsum`: [`cumsum`] where a NaN counts as 0. Its derivative by a NaN is 0.
#[track_caller]
pub fn nancumsum(x: Var, axis: isize) -> Var {
    let _method = enter("nancumsum", &[x]);
    cumsum(without_nan(x, 0.0), axis)
}

/// NumPy's `nancumprod`: [`cumprod`] where a NaN counts as 1. Its derivative by a NaN is 0.
#[track_caller]
pub fn nancumprod(x: Var, axis: isize) -> Var {
    let _method = enter("nancumprod", &[x]);
    cumprod(without_nan(x, 1.0), axis)
}

/// The greatest element so far: NumPy's `maximum.accumulate`, JAX's `cummax`. NaN from the first NaN on. It is an
/// [`associative_scan`] of [`Var::max`], so of two elements that tie each gets half of the cotangent where they meet.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::cummax(x, 0)).call(array![1.0, 3.0, 2.0, 5.0])?;
/// assert_eq!(y, array![1.0, 3.0, 3.0, 5.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn cummax(x: Var, axis: isize) -> Var {
    let _method = enter("cummax", &[x]);
    scanned(x, axis, |x, y| x.max(y))
}

/// The least element so far: NumPy's `minimum.accumulate`; see [`cummax`].
#[track_caller]
pub fn cummin(x: Var, axis: isize) -> Var {
    let _method = enter("cummin", &[x]);
    scanned(x, axis, |x, y| x.min(y))
}

/// `ln Σ exp(x)` of each element with all before it, without overflow on the way: NumPy's `logaddexp.accumulate`, JAX's
/// `cumlogsumexp`. Integers and `bool` count as `f64`. It is an [`associative_scan`] of [`Var::logaddexp`].
#[track_caller]
pub fn cumlogsumexp(x: Var, axis: isize) -> Var {
    let _method = enter("cumlogsumexp", &[x]);
    scanned(float(x), axis, |x, y| x.logaddexp(y))
}

#[track_caller]
fn scanned(x: Var, axis: isize, f: impl FnMut(Var, Var) -> Var) -> Var {
    match one_axis(x, axis) {
        Some(_) => associative_scan(f, x, axis, false),
        None => Var::poisoned(),
    }
}

/// NumPy's `diff`: each element minus the one before it, `n` times. Of `bool` it is whether they differ. `n` of the extent
/// or more gives no elements.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::diff(x, 2, -1)).call(array![1.0, 4.0, 9.0, 16.0])?;
/// assert_eq!(y, array![2.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn diff(x: Var, n: usize, axis: isize) -> Var {
    let _method = enter("diff", &[x]);
    let Some(axis) = one_axis(x, axis) else { return Var::poisoned() };
    let extent = x.shape()[axis];
    if n >= extent && n > 0 {
        return x.slice_axis(axis, 0, 0, 1);
    }
    demand_nodes(n);
    (0..n).fold(x, |x, _| steps(x, axis))
}

/// NumPy's `ediff1d`: [`diff`] of all elements in row-major order.
#[track_caller]
pub fn ediff1d(x: Var) -> Var {
    let _method = enter("ediff1d", &[x]);
    diff(x.flatten(), 1, 0)
}

/// Each element minus the one before it, of which there is one less, or none of none.
fn steps(x: Var, axis: usize) -> Var {
    let n = x.shape().get(axis).copied().unwrap_or(0);
    let (after, before) = (x.slice(axis, n.min(1)..), x.slice(axis, ..n.saturating_sub(1)));
    if x.dtype() == DType::Bool { after.not_equal(before) } else { after - before }
}

/// How far apart samples are, by name: a number or a scalar for a constant distance, or a vector of coordinates.
enum Spacing {
    Constant(Var),
    /// The distances of neighbors, with axes of extent 1 around the axis of the samples.
    Varying(Var),
}

/// Reads a distance or coordinates for `n` samples along an axis; `None` after an error.
#[track_caller]
fn spacing(x: Var, axis: usize, spacing: impl Operand) -> Option<Spacing> {
    let spacing = float(spacing.traced().unwrap_or_else(|| spacing.var(x)));
    let (shape, n) = (spacing.shape(), x.shape()[axis]);
    match *shape.extents() {
        [] => Some(Spacing::Constant(spacing)),
        [extent] if extent == n => {
            let mut around = vec![1; x.rank()];
            around[axis] = n.saturating_sub(1);
            Some(Spacing::Varying(steps(spacing, 0).reshape(&around)))
        }
        _ => {
            trace::fail_at(format!("takes a distance, or the coordinates of {n} samples, but got {}", spacing.ty()));
            None
        }
    }
}

/// NumPy's `gradient` along one axis: second-order differences of samples, and at the ends differences of the order
/// `edge_order`, 1 or 2. The samples are at a constant distance (a number or a scalar), or at coordinates (a vector), by
/// which it is differentiable, too. Integers count as `f64`.
///
/// At coordinates the inner differences weigh both sides so that they are exact for parabolas (Quarteroni, Sacco and Saleri
/// 2007, *Numerical Mathematics*, as cited by NumPy).
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::gradient(x, 1.0, 0, 2)).call(array![0.0, 1.0, 4.0, 9.0])?;
/// assert_eq!(y, array![0.0, 2.0, 4.0, 6.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An axis that does not exist or has fewer than `edge_order + 1` samples, another order, coordinates of another number.
#[track_caller]
pub fn gradient(x: Var, distances: impl Operand, axis: isize, edge_order: usize) -> Var {
    let _method = enter("gradient", &[x]);
    let x = float(x);
    let Some(axis) = one_axis(x, axis) else { return Var::poisoned() };
    let n = x.shape()[axis];
    if !(1..=2).contains(&edge_order) || n < edge_order + 1 {
        trace::fail_at(format!(
            "takes an edge order of 1 or 2, and more samples than that, but got order {edge_order} for {n} samples"
        ));
        return Var::poisoned();
    }
    let Some(distances) = spacing(x, axis, distances) else { return Var::poisoned() };
    let samples = Samples { x, axis, n, distances };
    let (first, last) = (samples.edge(false, edge_order), samples.edge(true, edge_order));
    if n == 2 {
        return Var::concatenate(&[first, last], axis);
    }
    Var::concatenate(&[first, samples.inner(), last], axis)
}

struct Samples {
    x: Var,
    axis: usize,
    n: usize,
    distances: Spacing,
}

impl Samples {
    /// The samples from an index on, so many that the last is `left` before the end.
    fn part(&self, start: usize, left: usize) -> Var {
        self.x.slice(self.axis, start..self.n - left)
    }

    fn inner(&self) -> Var {
        let (before, at, after) = (self.part(0, 2), self.part(1, 1), self.part(2, 0));
        match self.distances {
            Spacing::Constant(h) => (after - before) / (h * 2.0),
            Spacing::Varying(h) => {
                let (h1, h2) = (h.slice(self.axis, ..self.n - 2), h.slice(self.axis, 1..));
                let a = -h2 / (h1 * (h1 + h2));
                let b = (h2 - h1) / (h1 * h2);
                let c = h1 / (h2 * (h1 + h2));
                a * before + b * at + c * after
            }
        }
    }

    /// The derivative at the first or the last sample.
    fn edge(&self, is_last: bool, order: usize) -> Var {
        // The sample and the distance that are so many places from the end.
        let place = |k: usize, n: usize| if is_last { n - 1 - k } else { k };
        let sample = |k: usize| self.x.slice_axis(self.axis, place(k, self.n), place(k, self.n) + 1, 1);
        let distance = |k: usize| match self.distances {
            Spacing::Constant(h) => h,
            Spacing::Varying(h) => h.slice_axis(self.axis, place(k, self.n - 1), place(k, self.n - 1) + 1, 1),
        };
        let towards = if is_last { -1.0 } else { 1.0 };
        if order == 1 {
            return (sample(1) - sample(0)) * towards / distance(0);
        }
        let (f0, f1, f2) = (sample(0), sample(1), sample(2));
        match self.distances {
            Spacing::Constant(h) => (f0 * -1.5 + f1 * 2.0 - f2 * 0.5) * towards / h,
            Spacing::Varying(_) => {
                let (h1, h2) = (distance(0), distance(1));
                let a = -(h1 * 2.0 + h2) / (h1 * (h1 + h2));
                let b = (h1 + h2) / (h1 * h2);
                let c = -h1 / (h2 * (h1 + h2));
                (a * f0 + b * f1 + c * f2) * towards
            }
        }
    }
}

/// NumPy's `trapezoid`: the integral of samples along an axis, which vanishes, by the trapezoidal rule. The samples are at a
/// constant distance (a number or a scalar), or at coordinates (a vector). Integers count as `f64`. Of fewer than two
/// samples it is 0.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: f64 = jit(|y: Var, x: Var| np::trapezoid(y, x, 0)).call(array![0.0, 1.0, 2.0], array![0.0, 1.0, 3.0])?;
/// assert_eq!(y, 3.5);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An axis that does not exist, coordinates of another number.
#[track_caller]
pub fn trapezoid(x: Var, distances: impl Operand, axis: isize) -> Var {
    let _method = enter("trapezoid", &[x]);
    match areas(x, distances, axis) {
        Some((areas, axis)) => areas.sum_axes(&[axis]),
        None => Var::poisoned(),
    }
}

/// SciPy's `cumulative_trapezoid`: the integral up to each sample but the first; see [`trapezoid`].
#[track_caller]
pub fn cumulative_trapezoid(x: Var, distances: impl Operand, axis: isize) -> Var {
    let _method = enter("cumulative_trapezoid", &[x]);
    match areas(x, distances, axis) {
        Some((areas, axis)) => areas.cumsum(axis),
        None => Var::poisoned(),
    }
}

/// The areas of the trapezoids, and the axis along which they lie.
#[track_caller]
fn areas(x: Var, distances: impl Operand, axis: isize) -> Option<(Var, usize)> {
    let x = float(x);
    let axis = one_axis(x, axis)?;
    let n = x.shape()[axis];
    let distances = spacing(x, axis, distances)?;
    let sums = x.slice(axis, n.min(1)..) + x.slice(axis, ..n.saturating_sub(1));
    let areas = match distances {
        Spacing::Constant(h) | Spacing::Varying(h) => h * sums * 0.5,
    };
    Some((areas, axis))
}
