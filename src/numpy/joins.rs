//! Arrays put together, taken apart, and continued beyond their ends.

use super::axes::{demand_nodes, enter, one_axis, one_axis_of};
use super::shapes::{atleast_1d, atleast_2d, atleast_3d, slice};
use crate::op::{Var, trace};

/// NumPy's `concatenate`: arrays one after another along an axis; see [`Var::concatenate`].
///
/// # Errors
/// No arrays, several dtypes, and shapes that differ along other axes.
#[track_caller]
pub fn concatenate(arrays: &[Var], axis: isize) -> Var {
    let _method = enter("concatenate", arrays);
    let Some(&first) = arrays.first() else { return none() };
    match one_axis(first, axis) {
        Some(axis) => Var::concatenate(arrays, axis),
        None => Var::poisoned(),
    }
}

#[track_caller]
fn none() -> Var {
    trace::fail_at("takes at least one array, but got none".to_string());
    Var::poisoned()
}

/// NumPy's `append`: a second array after the first along an axis.
#[track_caller]
pub fn append(x: Var, y: Var, axis: isize) -> Var {
    let _method = enter("append", &[x, y]);
    concatenate(&[x, y], axis)
}

/// NumPy's `stack`: arrays of one type side by side along a new axis of the result; see [`Var::stack`].
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var, y: Var| np::stack(&[x, y], -1)).call(array![1.0, 2.0], array![3.0, 4.0])?;
/// assert_eq!(y, array![[1.0, 3.0], [2.0, 4.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn stack(arrays: &[Var], axis: isize) -> Var {
    let _method = enter("stack", arrays);
    let Some(first) = arrays.first() else { return none() };
    match one_axis_of(first.rank() + 1, axis) {
        Some(axis) => Var::stack(arrays, axis),
        None => Var::poisoned(),
    }
}

/// NumPy's `unstack`: what lies along an axis, one by one; see [`Var::unstack`].
#[track_caller]
pub fn unstack(x: Var, axis: isize) -> Vec<Var> {
    let _method = enter("unstack", &[x]);
    match one_axis(x, axis) {
        Some(axis) => x.unstack(axis),
        // How many parts there would be is not known, and the caller may ask for any.
        None => trace::unwind(),
    }
}

/// NumPy's `hstack`: one after another along the second axis, vectors and scalars along the first.
#[track_caller]
pub fn hstack(arrays: &[Var]) -> Var {
    let _method = enter("hstack", arrays);
    let arrays: Vec<Var> = arrays.iter().map(|&x| atleast_1d(x)).collect();
    concatenate(&arrays, if arrays.first().is_some_and(|x| x.rank() == 1) { 0 } else { 1 })
}

/// NumPy's `vstack`: one after another along the first axis, vectors as rows of a matrix.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::vstack(&[x, 2.0 * x])).call(array![1.0, 2.0])?;
/// assert_eq!(y, array![[1.0, 2.0], [2.0, 4.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn vstack(arrays: &[Var]) -> Var {
    let _method = enter("vstack", arrays);
    concatenate(&arrays.iter().map(|&x| atleast_2d(x)).collect::<Vec<Var>>(), 0)
}

/// NumPy's `dstack`: one after another along the third axis, after [`atleast_3d`].
#[track_caller]
pub fn dstack(arrays: &[Var]) -> Var {
    let _method = enter("dstack", arrays);
    concatenate(&arrays.iter().map(|&x| atleast_3d(x)).collect::<Vec<Var>>(), 2)
}

/// NumPy's `column_stack`: vectors as the columns of a matrix, and matrices with theirs, one after another.
#[track_caller]
pub fn column_stack(arrays: &[Var]) -> Var {
    let _method = enter("column_stack", arrays);
    let column = |&x: &Var| if x.rank() < 2 { x.reshape(&[x.ty().size(), 1]) } else { x };
    concatenate(&arrays.iter().map(column).collect::<Vec<Var>>(), 1)
}

/// How [`split`] cuts: into a number of parts, or before each of the indices in a list.
pub trait Cuts {
    /// The number of parts, or the indices.
    fn cuts(&self) -> Result<usize, Vec<isize>>;
}

impl Cuts for usize {
    fn cuts(&self) -> Result<usize, Vec<isize>> {
        Ok(*self)
    }
}

impl<const N: usize> Cuts for [isize; N] {
    fn cuts(&self) -> Result<usize, Vec<isize>> {
        Err(self.to_vec())
    }
}

impl Cuts for &[isize] {
    fn cuts(&self) -> Result<usize, Vec<isize>> {
        Err(self.to_vec())
    }
}

/// NumPy's `split`: into a number of equal parts along an axis (`3`), or before each of the given indices (`[2, -1]`).
///
/// Indices are as in [`slice`](super::slice()): what is not in order gives parts without elements.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let sum = |x: Var| {
///     let parts = np::split(x, 2, 0);
///     parts[0] + parts[1]
/// };
/// assert_eq!(jit(sum).call::<Array1<f64>>(array![1.0, 2.0, 3.0, 4.0])?, array![4.0, 6.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An axis that does not exist, no parts, and an extent that is no multiple of their number; see [`array_split`].
#[track_caller]
pub fn split(x: Var, cuts: impl Cuts, axis: isize) -> Vec<Var> {
    let _method = enter("split", &[x]);
    parts(x, cuts, axis, true)
}

/// NumPy's `array_split`: as [`split`]; parts of a number that does not divide the extent differ by one element, and the
/// longer ones come first.
#[track_caller]
pub fn array_split(x: Var, cuts: impl Cuts, axis: isize) -> Vec<Var> {
    let _method = enter("array_split", &[x]);
    parts(x, cuts, axis, false)
}

/// NumPy's `hsplit`: [`split`] along the second axis, of a vector along its only one.
#[track_caller]
pub fn hsplit(x: Var, cuts: impl Cuts) -> Vec<Var> {
    let _method = enter("hsplit", &[x]);
    parts(x, cuts, if x.rank() == 1 { 0 } else { 1 }, true)
}

/// NumPy's `vsplit`: [`split`] along the first axis of an array with two or more.
#[track_caller]
pub fn vsplit(x: Var, cuts: impl Cuts) -> Vec<Var> {
    let _method = enter("vsplit", &[x]);
    if x.rank() < 2 {
        trace::fail_at(format!("takes an array of two or more axes, but got {}", x.ty()));
        trace::unwind();
    }
    parts(x, cuts, 0, true)
}

/// NumPy's `dsplit`: [`split`] along the third axis.
#[track_caller]
pub fn dsplit(x: Var, cuts: impl Cuts) -> Vec<Var> {
    let _method = enter("dsplit", &[x]);
    parts(x, cuts, 2, true)
}

#[track_caller]
fn parts(x: Var, cuts: impl Cuts, axis: isize, equal: bool) -> Vec<Var> {
    // After an error, the caller may ask for any part.
    let Some(place) = one_axis(x, axis) else { trace::unwind() };
    let extent = x.shape()[place];
    match cuts.cuts() {
        Ok(0) => {
            trace::fail_at("takes at least one part, but got 0".to_string());
            trace::unwind()
        }
        Ok(n) if equal && !extent.is_multiple_of(n) => {
            trace::fail_at(format!("axis {place} has extent {extent}, which cannot be split into {n} equal parts"));
            vec![Var::poisoned(); n]
        }
        Ok(n) => {
            demand_nodes(n);
            let extents: Vec<usize> = (0..n).map(|k| extent / n + usize::from(k < extent % n)).collect();
            x.split(place, &extents)
        }
        Err(indices) => {
            let starts = std::iter::once(None).chain(indices.iter().copied().map(Some));
            let ends = indices.iter().copied().map(Some).chain([None]);
            starts.zip(ends).map(|(start, end)| slice(x, axis, start, end, 1)).collect()
        }
    }
}

/// What [`pad`] continues an array with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// A number.
    Constant(f64),
    /// The first and the last element.
    Edge,
    /// The array, mirrored at its first and last element, which are not repeated: `c b | a b c | b a`.
    Reflect,
    /// The array, mirrored at its ends: `b a | a b c | c b`.
    Symmetric,
    /// The array again: `b c | a b c | a b`.
    Wrap,
}

/// How many elements [`pad`] adds: one number for both ends of all axes, a pair `(before, after)` for all axes, or a list
/// of a pair for each axis.
pub trait PadWidth {
    /// The elements before and after, for an array of that rank.
    fn widths(&self, rank: usize) -> Vec<(usize, usize)>;
}

impl PadWidth for usize {
    fn widths(&self, rank: usize) -> Vec<(usize, usize)> {
        vec![(*self, *self); rank]
    }
}

impl PadWidth for (usize, usize) {
    fn widths(&self, rank: usize) -> Vec<(usize, usize)> {
        vec![*self; rank]
    }
}

impl<const N: usize> PadWidth for [(usize, usize); N] {
    fn widths(&self, _: usize) -> Vec<(usize, usize)> {
        self.to_vec()
    }
}

impl PadWidth for &[(usize, usize)] {
    fn widths(&self, _: usize) -> Vec<(usize, usize)> {
        self.to_vec()
    }
}

/// NumPy's `pad`: the array continued before and after its elements along each axis.
///
/// Takes any dtype. The derivative of an element is the sum over its copies.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::numpy::PadMode;
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::pad(x, (2, 1), PadMode::Reflect)).call(array![1.0, 2.0, 3.0])?;
/// assert_eq!(y, array![3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// A list of another length than there are axes; an axis without elements that is continued with its own; a number that the
/// dtype does not have.
#[track_caller]
pub fn pad(x: Var, widths: impl PadWidth, mode: PadMode) -> Var {
    let _method = enter("pad", &[x]);
    let rank = x.rank();
    let widths = widths.widths(rank);
    if widths.len() != rank {
        trace::fail_at(format!("takes a pair of widths for each of {rank} axes, but got {}", widths.len()));
        return Var::poisoned();
    }
    if let PadMode::Constant(value) = mode {
        // What is beyond the range of i64 is too large for any array, which the operation says.
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (low, high): (Vec<i64>, Vec<i64>) = widths.iter().map(|&(a, b)| (count(a), count(b))).unzip();
        return x.pad(value, &low, &high, &vec![0; rank]);
    }
    let continued = |x: Var, (axis, &width): (usize, &(usize, usize))| continued(x, axis, width, mode);
    widths.iter().enumerate().fold(x, continued)
}

/// The array with copies of its elements before and after along one axis.
fn continued(x: Var, axis: usize, (before, after): (usize, usize), mode: PadMode) -> Var {
    let Some(&n) = x.shape().get(axis) else { return x };
    if before == 0 && after == 0 {
        return x;
    }
    if n == 0 {
        trace::fail_at(format!("axis {axis} has no elements to be continued with, but got {}", x.ty()));
        return Var::poisoned();
    }
    let whole = match mode {
        PadMode::Edge => return edges(x, axis, n, before, after),
        PadMode::Reflect if n == 1 => return edges(x, axis, n, before, after),
        PadMode::Wrap => x,
        // One period: the array, then its mirror image.
        PadMode::Symmetric => Var::concatenate(&[x, x.reverse(&[axis])], axis),
        PadMode::Reflect | PadMode::Constant(_) => {
            Var::concatenate(&[x, x.slice(axis, 1..n - 1).reverse(&[axis])], axis)
        }
    };
    periodic(whole, axis, n, before, after)
}

fn edges(x: Var, axis: usize, n: usize, before: usize, after: usize) -> Var {
    let copies = |index: usize, count: usize| {
        let mut shape = x.shape().to_vec();
        shape[axis] = count;
        x.slice_axis(axis, index, index + 1, 1).broadcast_to(&shape)
    };
    Var::concatenate(&[copies(0, before), x, copies(n - 1, after)], axis)
}

/// Elements from `-before` to before `n + after` of an array that repeats for ever.
fn periodic(period: Var, axis: usize, n: usize, before: usize, after: usize) -> Var {
    let Some(&extent) = period.shape().get(axis) else { return period };
    let Some(length) = before.checked_add(after).and_then(|length| length.checked_add(n)) else {
        trace::fail_at(format!("widths of {before} and {after} are too large"));
        return Var::poisoned();
    };
    let start = (extent - before % extent) % extent;
    let first = (extent - start).min(length);
    let n_whole = (length - first) / extent;
    let rest = (length - first) % extent;
    let mut parts = vec![period.slice(axis, start..start + first)];
    if n_whole > 0 {
        let mut times = vec![1; period.rank()];
        times[axis] = n_whole;
        parts.push(super::shapes::tile(period, &times));
    }
    if rest > 0 {
        parts.push(period.slice(axis, ..rest));
    }
    Var::concatenate(&parts, axis)
}
