//! What transforms ask of their operands, and how lines are found along any axis.

use std::panic::Location;

use super::Transform;
use crate::numpy::{float, named_axes};
use crate::op::{Complex, ComplexOperand, Var, trace};

/// How many axes a function transforms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    One,
    Two,
    Any,
}

/// One axis along which is transformed, and the length that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Along {
    pub axis: usize,
    pub length: Option<usize>,
}

impl Transform {
    /// The axes of an operand of that rank, in their order; `None` after an error.
    #[track_caller]
    pub(super) fn along(&self, rank: usize, count: Count) -> Option<Vec<Along>> {
        let named = match (&self.axes, count, &self.lengths) {
            (Some(axes), ..) => axes.clone(),
            (None, Count::One, _) => vec![-1],
            (None, Count::Two, _) => vec![-2, -1],
            (None, Count::Any, Some(lengths)) => (1..=lengths.len()).rev().map(|k| -k.cast_signed()).collect(),
            (None, Count::Any, None) => (0..rank).map(usize::cast_signed).collect(),
        };
        let expected = match count {
            Count::One => Some(1),
            Count::Two => Some(2),
            Count::Any => None,
        };
        if let Some(expected) = expected.filter(|&expected| expected != named.len()) {
            trace::fail_at(format!("takes {expected} axes, but got {named:?}"));
            return None;
        }
        let axes = named_axes(rank, &named)?;
        if let Some(lengths) = &self.lengths {
            if lengths.len() != axes.len() {
                trace::fail_at(format!("takes a length for each of the axes {named:?}, but got {lengths:?}"));
                return None;
            }
            if lengths.contains(&0) {
                trace::fail_at(format!("takes lengths of at least 1, but got {lengths:?}"));
                return None;
            }
        }
        let length = |k: usize| self.lengths.as_ref().map(|lengths| lengths[k]);
        Some(axes.into_iter().enumerate().map(|(k, axis)| Along { axis, length: length(k) }).collect())
    }
}

/// Real values of floating point, and what of them is transformed; `None` after an error.
#[track_caller]
pub(super) fn real(x: Var) -> Option<Var> {
    let x = float(x);
    (!x.is_poisoned()).then_some(x)
}

/// Parts of floating point, the imaginary one only if it is not known to be 0; `None` after an error.
#[track_caller]
pub(super) fn parts(z: impl ComplexOperand) -> Option<(Var, Option<Var>)> {
    let (re, im) = z.parts(z.traced().unwrap_or_else(|| Var::from(0.0)));
    match im {
        None => Some((real(re)?, None)),
        Some(im) => {
            let z = Complex::new(float(re), float(im));
            (!z.is_poisoned()).then_some((z.re, Some(z.im)))
        }
    }
}

/// The values cut, or with zeros appended, to the length of the axis that is asked for; `None` after an error.
#[track_caller]
pub(super) fn resized(x: Var, along: Along) -> Option<Var> {
    let extent = x.shape()[along.axis];
    match along.length {
        None if extent == 0 => {
            trace::fail_at(format!("takes at least 1 element along axis {}, but got {}", along.axis, x.ty()));
            None
        }
        Some(n) => {
            let x = with_extent(x, along.axis, n);
            (!x.is_poisoned()).then_some(x)
        }
        None => Some(x),
    }
}

/// The values cut, or with zeros appended, to that extent.
#[track_caller]
pub(super) fn with_extent(x: Var, axis: usize, n: usize) -> Var {
    let extent = x.shape()[axis];
    if n < extent {
        return x.slice(axis, ..n);
    }
    if n == extent {
        return x;
    }
    let none = vec![0; x.rank()];
    let mut high = none.clone();
    // A length beyond i64 is beyond any memory, too, which the operation reports.
    high[axis] = i64::try_from(n - extent).unwrap_or(i64::MAX);
    x.pad(0.0, &none, &high, &vec![0; x.rank()])
}

/// Runs what appends operations, all of which bear the caller's line, also those of closures.
#[track_caller]
pub(crate) fn on_line<R>(body: impl FnOnce() -> R) -> R {
    let line = trace::line_at(Location::caller());
    trace::in_scope(Some(line), None, body)
}

/// A function of lines along the last axis, of lines along any axis.
#[track_caller]
pub(super) fn on_last<const N: usize, const M: usize>(
    x: [Var; N],
    axis: usize,
    f: impl FnOnce([Var; N]) -> [Var; M],
) -> [Var; M] {
    let rank = x[0].rank();
    if axis + 1 == rank || x.iter().any(|x| x.is_poisoned()) {
        return on_line(|| f(x));
    }
    let there: Vec<usize> = (0..rank).filter(|&other| other != axis).chain([axis]).collect();
    let mut back: Vec<usize> = (0..rank - 1).collect();
    back.insert(axis, rank - 1);
    on_line(|| f(x.map(|x| x.transpose(&there))).map(|y| if y.is_poisoned() { y } else { y.transpose(&back) }))
}
