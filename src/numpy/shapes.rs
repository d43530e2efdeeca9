//! Arrays under other shapes, and their elements in another order.

use super::axes::{Axes, axis_within, enter, named_axes, one_axis, sorted_axes};
use crate::op::{Var, trace};

/// NumPy's `reshape`, in which one extent may be -1: it follows from the others.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::reshape(x, &[-1, 2])).call(array![1.0, 2.0, 3.0, 4.0])?;
/// assert_eq!(y, array![[1.0, 2.0], [3.0, 4.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// A shape of another number of elements, extents below -1, and -1 where the elements do not determine it.
#[track_caller]
pub fn reshape(x: Var, shape: &[isize]) -> Var {
    let _method = enter("reshape", &[x]);
    let mut extents = Vec::with_capacity(shape.len());
    for &extent in shape {
        match usize::try_from(extent) {
            Ok(extent) => extents.push(extent),
            Err(_) if extent == -1 => extents.push(Var::REST),
            Err(_) => {
                trace::fail_at(format!("takes extents, or -1 for one of them, but got {shape:?}"));
                return Var::poisoned();
            }
        }
    }
    x.reshape(&extents)
}

/// NumPy's `ravel`: all elements in row-major order; see [`Var::flatten`].
#[track_caller]
pub fn ravel(x: Var) -> Var {
    let _method = enter("ravel", &[x]);
    x.flatten()
}

/// NumPy's `broadcast_to`; see [`Var::broadcast_to`].
#[track_caller]
pub fn broadcast_to(x: Var, shape: &[usize]) -> Var {
    let _method = enter("broadcast_to", &[x]);
    x.broadcast_to(shape)
}

/// NumPy's `broadcast_arrays`: arrays brought to one shape.
///
/// # Errors
/// Shapes that do not broadcast to one.
#[track_caller]
pub fn broadcast_arrays(arrays: &[Var]) -> Vec<Var> {
    let _method = enter("broadcast_arrays", arrays);
    let mut shape: Vec<usize> = Vec::new();
    for x in arrays {
        match joint_shape(&shape, &x.shape()) {
            Some(joint) => shape = joint,
            None => {
                trace::fail_at(format!("cannot broadcast {} with {shape:?}", x.shape()));
                return vec![Var::poisoned(); arrays.len()];
            }
        }
    }
    arrays.iter().map(|x| x.broadcast_to(&shape)).collect()
}

/// The shape to which both broadcast.
fn joint_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let joint = |axis| match (extent(a, axis), extent(b, axis)) {
        (m, n) if m == n || n == 1 => Some(m),
        (1, n) => Some(n),
        _ => None,
    };
    (0..rank).map(joint).collect()
}

/// NumPy's `transpose`: the axes in another order, or reversed with `()`. Negative axes count from the end.
///
/// # Errors
/// A list that does not name each axis once.
#[track_caller]
pub fn transpose(x: Var, axes: impl Axes) -> Var {
    let _method = enter("transpose", &[x]);
    match axes.axes() {
        None => x.t(),
        Some(axes) => match named_axes(x.rank(), &axes) {
            Some(perm) => x.transpose(&perm),
            None => Var::poisoned(),
        },
    }
}

/// NumPy's `swapaxes`: two axes in each other's place.
#[track_caller]
pub fn swapaxes(x: Var, axis1: isize, axis2: isize) -> Var {
    let _method = enter("swapaxes", &[x]);
    let (Some(a), Some(b)) = (one_axis(x, axis1), one_axis(x, axis2)) else { return Var::poisoned() };
    let mut perm: Vec<usize> = (0..x.rank()).collect();
    perm.swap(a, b);
    x.transpose(&perm)
}

/// NumPy's `moveaxis`: axes brought to other places; the others stay in order.
///
/// ```
/// use ndarray::Array3;
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array3<f64> = jit(|x: Var| np::moveaxis(x, 0, -1)).call(Array3::<f64>::zeros((2, 3, 4)))?;
/// assert_eq!(y.shape(), [3, 4, 2]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Axes that do not exist or are named twice, and lists of different lengths.
#[track_caller]
pub fn moveaxis(x: Var, source: impl Axes, destination: impl Axes) -> Var {
    let _method = enter("moveaxis", &[x]);
    let rank = x.rank();
    let list = |axes: Option<Vec<isize>>| match axes {
        Some(axes) => named_axes(rank, &axes),
        None => Some((0..rank).collect()),
    };
    let (Some(from), Some(to)) = (list(source.axes()), list(destination.axes())) else { return Var::poisoned() };
    if from.len() != to.len() {
        trace::fail_at(format!("takes as many axes as places, but got {} and {}", from.len(), to.len()));
        return Var::poisoned();
    }
    let mut others = (0..rank).filter(|axis| !from.contains(axis));
    let mut perm = Vec::with_capacity(rank);
    for place in 0..rank {
        let moved = to.iter().position(|&other| other == place).map(|k| from[k]);
        perm.extend(moved.or_else(|| others.next()));
    }
    x.transpose(&perm)
}

/// NumPy's `expand_dims`: new axes of extent 1 at these places of the result.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let column: Array2<f64> = jit(|x: Var| np::expand_dims(x, -1)).call(array![1.0, 2.0])?;
/// assert_eq!(column, array![[1.0], [2.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Places that the result does not have or that are named twice, and `()`, which names none.
#[track_caller]
pub fn expand_dims(x: Var, axes: impl Axes) -> Var {
    let _method = enter("expand_dims", &[x]);
    let Some(axes) = axes.axes() else {
        trace::fail_at("takes the places of the new axes, but got ()".to_string());
        return Var::poisoned();
    };
    let rank = x.rank() + axes.len();
    let Some(places) = named_axes(rank, &axes) else { return Var::poisoned() };
    let shape = x.shape();
    let mut own = shape.iter().copied();
    let extents = (0..rank).map(|place| if places.contains(&place) { 1 } else { own.next().unwrap_or(1) });
    x.reshape(&extents.collect::<Vec<usize>>())
}

/// NumPy's `squeeze`: without these axes, which have extent 1; without all of extent 1 for `()`.
///
/// # Errors
/// An axis of another extent, or that does not exist.
#[track_caller]
pub fn squeeze(x: Var, axes: impl Axes) -> Var {
    let _method = enter("squeeze", &[x]);
    let Some(mut list) = sorted_axes(x, &axes) else { return Var::poisoned() };
    let shape = x.shape();
    if axes.axes().is_none() {
        list.retain(|&axis| shape[axis] == 1);
    }
    if let Some(&axis) = list.iter().find(|&&axis| shape[axis] != 1) {
        trace::fail_at(format!("takes axes of extent 1, but axis {axis} has extent {}", shape[axis]));
        return Var::poisoned();
    }
    x.reshape(&shape.without(&list))
}

/// NumPy's `atleast_1d`: a scalar as a vector of one element, other arrays as they are.
#[track_caller]
pub fn atleast_1d(x: Var) -> Var {
    let _method = enter("atleast_1d", &[x]);
    if x.rank() == 0 { x.reshape(&[1]) } else { x }
}

/// NumPy's `atleast_2d`: a scalar or a vector as a matrix of one row, other arrays as they are.
#[track_caller]
pub fn atleast_2d(x: Var) -> Var {
    let _method = enter("atleast_2d", &[x]);
    if x.rank() < 2 { x.reshape(&[1, x.ty().size()]) } else { x }
}

/// NumPy's `atleast_3d`: axes of extent 1 around a vector and behind a matrix, other arrays as they are.
#[track_caller]
pub fn atleast_3d(x: Var) -> Var {
    let _method = enter("atleast_3d", &[x]);
    let shape = x.shape();
    match *shape.extents() {
        [] => x.reshape(&[1, 1, 1]),
        [n] => x.reshape(&[1, n, 1]),
        [m, n] => x.reshape(&[m, n, 1]),
        _ => x,
    }
}

/// NumPy's `flip`: in reverse order along axes, along all with `()`.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::flip(x, -1)).call(array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(y, array![[2.0, 1.0], [4.0, 3.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn flip(x: Var, axes: impl Axes) -> Var {
    let _method = enter("flip", &[x]);
    match sorted_axes(x, &axes) {
        Some(axes) => x.reverse(&axes),
        None => Var::poisoned(),
    }
}

/// NumPy's `flipud`: in reverse order along the first axis.
#[track_caller]
pub fn flipud(x: Var) -> Var {
    let _method = enter("flipud", &[x]);
    flip(x, 0)
}

/// NumPy's `fliplr`: in reverse order along the second axis.
#[track_caller]
pub fn fliplr(x: Var) -> Var {
    let _method = enter("fliplr", &[x]);
    flip(x, 1)
}

/// NumPy's `rot90`: turned `k` times by 90 degrees in the plane of two axes, from the first towards the second.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::rot90(x, 1, [0, 1])).call(array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(y, array![[2.0, 4.0], [1.0, 3.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn rot90(x: Var, k: isize, axes: [isize; 2]) -> Var {
    let _method = enter("rot90", &[x]);
    let Some(plane) = named_axes(x.rank(), &axes) else { return Var::poisoned() };
    let mut perm: Vec<usize> = (0..x.rank()).collect();
    perm.swap(plane[0], plane[1]);
    match k.rem_euclid(4) {
        1 => x.reverse(&[plane[1]]).transpose(&perm),
        2 => x.reverse(&[plane[0].min(plane[1]), plane[0].max(plane[1])]),
        3 => x.transpose(&perm).reverse(&[plane[1]]),
        _ => x,
    }
}

/// NumPy's `roll`: the elements moved by `shift` places along each of the axes, those that leave at one end coming back at
/// the other; along all elements in row-major order with `()`.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let laplacian = |x: Var| np::roll(x, 1, 0) - 2.0 * x + np::roll(x, -1, 0);
/// let y: Array1<f64> = jit(laplacian).call(array![0.0, 1.0, 0.0, 0.0])?;
/// assert_eq!(y, array![1.0, -2.0, 1.0, 0.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn roll(x: Var, shift: isize, axes: impl Axes) -> Var {
    let _method = enter("roll", &[x]);
    let Some(list) = sorted_axes(x, &axes) else { return Var::poisoned() };
    if axes.axes().is_none() {
        return rolled(x.flatten(), shift, 0).reshape(&x.shape());
    }
    list.into_iter().fold(x, |x, axis| rolled(x, shift, axis))
}

fn rolled(x: Var, shift: isize, axis: usize) -> Var {
    let Some(&extent) = x.shape().get(axis).filter(|&&extent| extent > 0) else { return x };
    let forward = shift.unsigned_abs() % extent;
    let start = if shift < 0 { forward } else { (extent - forward) % extent };
    if start == 0 {
        return x;
    }
    Var::concatenate(&[x.slice(axis, start..), x.slice(axis, ..start)], axis)
}

/// NumPy's `tile`: the array side by side with itself, so many times along each axis. The list and the array's axes end at
/// the last axis, and the shorter of them gets leading ones.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::tile(x, &[2, 2])).call(array![1.0, 2.0])?;
/// assert_eq!(y, array![[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// A result with too many elements.
#[track_caller]
pub fn tile(x: Var, repetitions: &[usize]) -> Var {
    let _method = enter("tile", &[x]);
    let shape = x.shape();
    let rank = shape.rank().max(repetitions.len());
    let padded = |list: &[usize]| [&vec![1; rank - list.len()], list].concat();
    let (own, times) = (padded(&shape), padded(repetitions));
    let apart: Vec<usize> = own.iter().flat_map(|&extent| [1, extent]).collect();
    let repeated: Vec<usize> = own.iter().zip(&times).flat_map(|(&extent, &n)| [n, extent]).collect();
    let joined: Vec<usize> = own.iter().zip(&times).map(|(extent, n)| extent.saturating_mul(*n)).collect();
    x.reshape(&apart).broadcast_to(&repeated).reshape(&joined)
}

/// NumPy's `repeat`: each element `n` times in a row along an axis, or along all elements in row-major order with `()`.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::repeat(x, 2, 0)).call(array![1.0, 2.0])?;
/// assert_eq!(y, array![1.0, 1.0, 2.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Several axes, and a result with too many elements.
#[track_caller]
pub fn repeat(x: Var, n: usize, axis: impl Axes) -> Var {
    let _method = enter("repeat", &[x]);
    let (x, axis) = match axis.axes() {
        None => (x.flatten(), 0),
        Some(axes) => match (sorted_axes(x, &axes).as_deref(), &axes[..]) {
            (Some(&[axis]), _) => (x, axis),
            (None, _) => return Var::poisoned(),
            (Some(_), axes) => {
                trace::fail_at(format!("takes one axis, or () for all elements, but got {axes:?}"));
                return Var::poisoned();
            }
        },
    };
    let mut shape = x.shape().to_vec();
    let Some(extent) = shape.get(axis).copied() else { return Var::poisoned() };
    shape.insert(axis + 1, n);
    let repeated = x.insert_axis(axis + 1).broadcast_to(&shape);
    shape.remove(axis + 1);
    shape[axis] = extent.saturating_mul(n);
    repeated.reshape(&shape)
}

/// Every `step`-th element along an axis, as Python's `start:stop:step`: negative bounds count from the end, bounds beyond
/// the ends are drawn in, a bound may be `None`, and a negative step goes backwards.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let x = array![0.0, 1.0, 2.0, 3.0, 4.0];
/// let y: Array1<f64> = jit(|x: Var| np::slice(x, 0, -2, None, 1)).call(&x)?;
/// assert_eq!(y, array![3.0, 4.0]);
/// let y: Array1<f64> = jit(|x: Var| np::slice(x, 0, None, None, -2)).call(&x)?;
/// assert_eq!(y, array![4.0, 2.0, 0.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An axis that does not exist, and a step of 0.
#[track_caller]
pub fn slice(x: Var, axis: isize, start: impl Into<Option<isize>>, stop: impl Into<Option<isize>>, step: isize) -> Var {
    let _method = enter("slice", &[x]);
    let Some(axis) = one_axis(x, axis) else { return Var::poisoned() };
    if step == 0 {
        trace::fail_at("takes a step that is not 0".to_string());
        return Var::poisoned();
    }
    let extent = x.shape()[axis];
    let (start, stop) = bounds(extent, start.into(), stop.into(), step < 0);
    let (stride, width) = (step.unsigned_abs(), start.abs_diff(stop));
    let is_empty = if step > 0 { start >= stop } else { start <= stop };
    if is_empty {
        return x.slice_axis(axis, 0, 0, 1);
    }
    // Both bounds are from -1 to the extent, and the first is an element.
    if step > 0 {
        let start = start.unsigned_abs();
        return x.slice_axis(axis, start, start + width, stride);
    }
    let last = start.unsigned_abs();
    let first = last - (width - 1) / stride * stride;
    x.slice_axis(axis, first, last + 1, stride).reverse(&[axis])
}

/// The bounds of a slice as Python draws them in (`slice.indices`).
fn bounds(extent: usize, start: Option<isize>, stop: Option<isize>, backwards: bool) -> (isize, isize) {
    let extent: isize = extent.try_into().unwrap_or(isize::MAX);
    let (least, most) = if backwards { (-1, extent - 1) } else { (0, extent) };
    let drawn_in = |bound: isize| if bound < 0 { (bound + extent).max(least) } else { bound.min(most) };
    let (first, end) = if backwards { (extent - 1, -1) } else { (0, extent) };
    (start.map_or(first, drawn_in), stop.map_or(end, drawn_in))
}

/// The element at an index along an axis, which vanishes; negative indices count from the end: NumPy's `x[…, i, …]`.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let last: Array1<f64> = jit(|x: Var| np::index(x, 0, -1)).call(array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(last, array![3.0, 4.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An axis or an index that does not exist.
#[track_caller]
pub fn index(x: Var, axis: isize, index: isize) -> Var {
    let _method = enter("index", &[x]);
    let Some(axis) = one_axis(x, axis) else { return Var::poisoned() };
    let extent = x.shape()[axis];
    match axis_within(index, extent) {
        Some(place) => x.index_axis(axis, place),
        None => {
            trace::fail_at(format!("takes an index within -{extent}..{extent} along axis {axis}, but got {index}"));
            Var::poisoned()
        }
    }
}
