//! Axes as NumPy names them: negative ones count from the end, and reductions take none, one or several.

use std::panic::Location;

use crate::op::trace::{self, MethodScope};
use crate::op::{Operand, Var};
use crate::value::{DType, Shape};

/// The axes that a function works over: `()` for all of them, one (`0`, `-1`) or several (`[0, -1]`, a slice, a `Vec`),
/// and [`keep`] of any of these, with which the result of a reduction keeps the axes with extent 1.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let x = array![[1.0, 2.0], [3.0, 5.0]];
/// assert_eq!(jit(|x: Var| np::sum(x, ())).call::<f64>(&x)?, 11.0);
/// assert_eq!(jit(|x: Var| np::sum(x, [0, -1])).call::<f64>(&x)?, 11.0);
/// assert_eq!(jit(|x: Var| np::sum(x, -1)).call::<Array1<f64>>(&x)?, array![3.0, 8.0]);
/// assert_eq!(jit(|x: Var| np::sum(x, np::keep(-1))).call::<Array2<f64>>(&x)?, array![[3.0], [8.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
pub trait Axes {
    /// The axes, of which negative ones count from the end; `None` for all.
    fn axes(&self) -> Option<Vec<isize>>;

    /// Whether a reduction keeps them with extent 1, as NumPy with `keepdims=True`.
    fn are_kept(&self) -> bool {
        false
    }
}

impl Axes for () {
    fn axes(&self) -> Option<Vec<isize>> {
        None
    }
}

impl Axes for isize {
    fn axes(&self) -> Option<Vec<isize>> {
        Some(vec![*self])
    }
}

macro_rules! list_of_axes {
    ($(($($generics:tt)*) $list:ty),+) => {$(
        impl<$($generics)*> Axes for $list {
            fn axes(&self) -> Option<Vec<isize>> {
                Some(self.to_vec())
            }
        }
    )+};
}
list_of_axes!((const N: usize) [isize; N], (const N: usize) &[isize; N], () &[isize], () Vec<isize>, () &Vec<isize>);

/// Axes that a reduction keeps; see [`keep`].
#[derive(Clone, Copy, Debug)]
pub struct Keep<A>(A);

impl<A: Axes> Axes for Keep<A> {
    fn axes(&self) -> Option<Vec<isize>> {
        self.0.axes()
    }

    fn are_kept(&self) -> bool {
        true
    }
}

/// NumPy's `keepdims=True`: the axes over which a function reduces stay, with extent 1, so that the result broadcasts
/// against the operand.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let centered = |x: Var| x - np::mean(x, np::keep(0));
/// let y: Array2<f64> = jit(centered).call(array![[1.0, 2.0], [3.0, 6.0]])?;
/// assert_eq!(y, array![[-1.0, -2.0], [1.0, 2.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
pub fn keep<A: Axes>(axes: A) -> Keep<A> {
    Keep(axes)
}

/// Until what is returned is dropped, errors speak of this function and show these operands. The caller's line is that of
/// whatever is appended from here on, also in closures.
#[track_caller]
pub(crate) fn enter(name: &'static str, operands: &[Var]) -> MethodScope {
    trace::line_at(Location::caller());
    trace::method(name, operands)
}

/// Requires that the trace have room for so many further nodes, before a loop that makes them; where there is an error
/// already, the trace ends here.
#[track_caller]
pub(super) fn demand_nodes(n: usize) {
    if trace::has_failed() {
        trace::unwind();
    }
    trace::demand_nodes(n as u64);
}

/// An axis of that rank, counted from the start; `None` if there is no such axis.
pub(super) fn axis_within(axis: isize, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { rank.checked_sub(axis.unsigned_abs())? } else { axis.unsigned_abs() };
    (axis < rank).then_some(axis)
}

/// The axis counted from the start; `None` after an error.
#[track_caller]
pub(super) fn one_axis(x: Var, axis: isize) -> Option<usize> {
    one_axis_of(x.rank(), axis)
}

#[track_caller]
pub(super) fn one_axis_of(rank: usize, axis: isize) -> Option<usize> {
    let found = axis_within(axis, rank);
    if found.is_none() && rank == 0 {
        trace::fail_at(format!("takes an array with an axis {axis}, but got a number"));
    } else if found.is_none() {
        trace::fail_at(format!("takes an axis within -{rank}..{rank} of {rank} axes, but got {axis}"));
    }
    found
}

/// The axes in the order in which they are named, counted from the start; `None` after an error.
#[track_caller]
pub(crate) fn named_axes(rank: usize, axes: &[isize]) -> Option<Vec<usize>> {
    let mut found = Vec::with_capacity(axes.len());
    for &axis in axes {
        let place = one_axis_of(rank, axis)?;
        if found.contains(&place) {
            trace::fail_at(format!("takes each axis once, but got {axes:?} of {rank} axes"));
            return None;
        }
        found.push(place);
    }
    Some(found)
}

/// The axes in ascending order, counted from the start; `None` after an error.
#[track_caller]
pub(super) fn sorted_axes(x: Var, axes: &impl Axes) -> Option<Vec<usize>> {
    let rank = x.rank();
    let Some(named) = axes.axes() else { return Some((0..rank).collect()) };
    let mut found = named_axes(rank, &named)?;
    found.sort_unstable();
    Some(found)
}

/// The reduced value, with the axes put back if they are kept.
#[track_caller]
pub(super) fn kept(reduced: Var, shape: &Shape, axes: &[usize], keep: bool) -> Var {
    if !keep || reduced.is_poisoned() {
        return reduced;
    }
    reduced.reshape(&with_ones(shape, axes))
}

/// The shape with extent 1 along these axes.
pub(super) fn with_ones(shape: &Shape, axes: &[usize]) -> Vec<usize> {
    (0..shape.rank()).map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] }).collect()
}

/// Numbers, as NumPy computes with truth values: `bool` as 0 and 1 of `i64`.
#[track_caller]
pub(super) fn number(x: Var) -> Var {
    if x.dtype() == DType::Bool { x.convert(DType::I64) } else { x }
}

/// Numbers of floating point: integers and truth values as `f64`.
#[track_caller]
pub(crate) fn float(x: Var) -> Var {
    if x.dtype().is_float() { x } else { x.convert(DType::F64) }
}

/// Truth values: what is not 0 holds, and a NaN holds.
#[track_caller]
pub(super) fn truth(x: Var) -> Var {
    if x.dtype() == DType::Bool { x } else { x.not_equal(0) }
}

/// Two operands of one dtype as NumPy promotes them where no digit is lost: `bool` beside `i64` becomes `i64`, either beside
/// a float takes its dtype. `f32` beside `f64` stays as it is, so that the operation reports it.
#[track_caller]
pub(super) fn promoted(x: Var, y: impl Operand) -> (Var, Var) {
    let y = y.var(x);
    let (a, b) = (x.dtype(), y.dtype());
    match (order(a), order(b)) {
        (2, 2) => (x, y),
        (m, n) if m < n => (x.convert(b), y),
        (m, n) if m > n => (x, y.convert(a)),
        _ => (x, y),
    }
}

/// How far a dtype stands in the order in which others are converted to it.
fn order(dtype: DType) -> usize {
    match dtype {
        DType::Bool => 0,
        DType::I64 => 1,
        DType::F32 | DType::F64 => 2,
    }
}

/// The elements, with a number in place of each NaN.
#[track_caller]
pub(super) fn without_nan(x: Var, number: f64) -> Var {
    if x.dtype().is_float() { x.is_nan().select(number, x) } else { x }
}
