use std::panic::Location;

use super::VarTree;
use super::control::rebuilt;
use super::var_tree::leaves;
use crate::op::{Var, trace};
use crate::value::Type;

/// The prefixes of a sequence under an associative function: element `k` of the result is `f(f(x₀, x₁), …, xₖ)`, or, if
/// `reverse`, what the elements from the last down to `k` give. The sequence lies along an axis of each leaf of a tree, and
/// negative axes count from the end.
///
/// The function takes and gives trees of arrays, and must work element by element along the axis: it is called with parts of
/// the sequence of any length. That it is associative is up to the caller; the prefixes are what some bracketing gives. The
/// work is linear, in a logarithmic number of steps, each of which is one call of the function on slices (odd and even
/// elements; Blelloch 1990, *Prefix sums and their applications*; as in JAX). So it is traced about `2 log₂ n` times, and is
/// differentiated, batched and compiled as what it is made of.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, associative_scan, jit};
///
/// // y[k] = a[k]·y[k - 1] + b[k]: affine functions are composed.
/// let recurrence = |a: Var, b: Var| {
///     let compose = |(a, b): (Var, Var), (c, d): (Var, Var)| (a * c, b * c + d);
///     associative_scan(compose, (a, b), 0, false).1
/// };
/// let y: Array1<f64> = jit(recurrence).call(array![0.5, 0.5, 0.5, 2.0], array![1.0, 1.0, 1.0, 0.0])?;
/// assert_eq!(y, array![1.0, 1.5, 1.75, 3.5]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if a leaf does not have the axis, leaves differ in their extents along it, or the function gives another
/// structure, dtype or shape than the leaves it takes have.
#[track_caller]
pub fn associative_scan<T: VarTree>(mut f: impl FnMut(T, T) -> T, xs: T, axis: isize, reverse: bool) -> T {
    let at = Location::caller();
    let elements = leaves(&xs);
    let Some(axes) = axes_of(&elements, axis) else { return rebuilt(&xs, None) };
    let reversed = |x: &[Var]| -> Vec<Var> { x.iter().zip(&axes).map(|(x, &axis)| x.reverse(&[axis])).collect() };
    let elements = if reverse { reversed(&elements) } else { elements };
    let mut combine = |x: Vec<Var>, y: Vec<Var>| {
        let result = f(rebuilt(&xs, Some(&x)), rebuilt(&xs, Some(&y)));
        checked(&xs, &x, &result, at)
    };
    let Some(prefixes) = prefixes(elements, &axes, &mut combine) else { return rebuilt(&xs, None) };
    let prefixes = if reverse { reversed(&prefixes) } else { prefixes };
    rebuilt(&xs, Some(&prefixes))
}

/// The place of the axis in each leaf, which all have the same extent along it; `None` after an error.
#[track_caller]
fn axes_of(leaves: &[Var], axis: isize) -> Option<Vec<usize>> {
    let mut axes = Vec::with_capacity(leaves.len());
    let mut first: Option<(Type, usize)> = None;
    for x in leaves {
        let ty = x.ty();
        let rank = ty.rank();
        let place = if axis < 0 { rank.checked_sub(axis.unsigned_abs()) } else { Some(axis.unsigned_abs()) };
        let Some(place) = place.filter(|&place| place < rank) else {
            trace::fail_at(format!("associative_scan: takes arrays that have an axis {axis}, but got {ty}"));
            return None;
        };
        let extent = ty.shape[place];
        let (like, length) = first.get_or_insert_with(|| (ty.clone(), extent));
        if *length != extent {
            trace::fail_at(format!(
                "associative_scan: arrays must have one extent along axis {axis}, but got {like} and {ty}"
            ));
            return None;
        }
        axes.push(place);
    }
    Some(axes)
}

/// The leaves of what the function gave, which have the types of its operands; `None` after an error.
fn checked<T: VarTree>(xs: &T, x: &[Var], result: &T, at: &'static Location<'static>) -> Option<Vec<Var>> {
    if trace::has_failed() {
        return None;
    }
    let types = |vars: &[Var]| -> Vec<Type> { vars.iter().map(|x| x.ty()).collect() };
    let own = leaves(result);
    if !xs.vars().matches(&result.vars(), &|_, _| true) || types(x) != types(&own) {
        let list = |types: Vec<Type>| types.iter().map(Type::to_string).collect::<Vec<String>>().join(", ");
        let requirement = "the function must give arrays of the types that it takes";
        trace::fail_on(
            format!("associative_scan: {requirement}, {}, but got {}", list(types(x)), list(types(&own))),
            at,
        );
        return None;
    }
    Some(own)
}

type Combine<'a> = dyn FnMut(Vec<Var>, Vec<Var>) -> Option<Vec<Var>> + 'a;

/// The prefixes at odd places are those of the sequence of pairs; a prefix at an even place is the one before it, with its
/// own element.
fn prefixes(x: Vec<Var>, axes: &[usize], combine: &mut Combine<'_>) -> Option<Vec<Var>> {
    let Some(n) = x.first().map(|x| x.shape()[axes[0]]).filter(|&n| n > 1) else { return Some(x) };
    let every_second = |start: usize, end: usize| -> Vec<Var> {
        x.iter().zip(axes).map(|(x, &axis)| x.slice_axis(axis, start, end, 2)).collect()
    };
    let whole_pairs = n - n % 2;
    let pairs = combine(every_second(0, whole_pairs), every_second(1, whole_pairs))?;
    let odd = prefixes(pairs, axes, combine)?;
    let first: Vec<Var> = x.iter().zip(axes).map(|(x, &axis)| x.slice(axis, ..1)).collect();
    if n == 2 {
        return Some(joined(&first, &odd, axes));
    }
    let n_even = n.div_ceil(2) - 1;
    let before: Vec<Var> = odd.iter().zip(axes).map(|(x, &axis)| x.slice(axis, ..n_even)).collect();
    let even = combine(before, every_second(2, n))?;
    Some(alternating(&joined(&first, &even, axes), &odd, axes))
}

fn joined(x: &[Var], y: &[Var], axes: &[usize]) -> Vec<Var> {
    x.iter().zip(y).zip(axes).map(|((&x, &y), &axis)| Var::concatenate(&[x, y], axis)).collect()
}

/// The elements of both sequences in turn, of which the first may have one more.
fn alternating(even: &[Var], odd: &[Var], axes: &[usize]) -> Vec<Var> {
    let woven = |((&x, &y), &axis): ((&Var, &Var), &usize)| {
        let n = y.shape()[axis];
        let mut shape = y.shape().to_vec();
        shape[axis] = 2 * n;
        let pairs = Var::stack(&[x.slice(axis, ..n), y], axis + 1).reshape(&shape);
        if x.shape()[axis] > n { Var::concatenate(&[pairs, x.slice(axis, n..)], axis) } else { pairs }
    };
    even.iter().zip(odd).zip(axes).map(woven).collect()
}
