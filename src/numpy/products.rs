//! Products of arrays.

use super::axes::{enter, named_axes, one_axis};
use crate::op::{Var, trace};

/// NumPy's `dot`; see [`Var::dot`].
#[track_caller]
pub fn dot(x: Var, y: Var) -> Var {
    let _method = enter("dot", &[x, y]);
    x.dot(y)
}

/// NumPy's `matmul`, the operator `@`; see [`Var::matmul`].
#[track_caller]
pub fn matmul(x: Var, y: Var) -> Var {
    let _method = enter("matmul", &[x, y]);
    x.matmul(y)
}

/// NumPy's `outer`; see [`Var::outer`].
#[track_caller]
pub fn outer(x: Var, y: Var) -> Var {
    let _method = enter("outer", &[x, y]);
    x.outer(y)
}

/// NumPy's `vdot`: the sum of the products of all elements, in row-major order.
///
/// # Errors
/// Arrays of different numbers of elements or of two dtypes, or of `bool`.
#[track_caller]
pub fn vdot(x: Var, y: Var) -> Var {
    let _method = enter("vdot", &[x, y]);
    x.flatten().dot(y.flatten())
}

/// NumPy's `inner`: the sum of products over the last axis of both. A scalar on either side multiplies.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let (x, y) = (array![[1.0, 2.0], [3.0, 4.0]], array![[1.0, 1.0], [1.0, -1.0]]);
/// let z: Array2<f64> = jit(|x: Var, y: Var| np::inner(x, y)).call(&x, &y)?;
/// assert_eq!(z, array![[3.0, -1.0], [7.0, -1.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Last axes of different extents, two dtypes, `bool`.
#[track_caller]
pub fn inner(x: Var, y: Var) -> Var {
    let _method = enter("inner", &[x, y]);
    match (x.rank(), y.rank()) {
        (0, _) | (_, 0) => x * y,
        (m, n) => x.dot_general(y, [&[m - 1], &[n - 1]], [&[], &[]]),
    }
}

/// NumPy's `vecdot`: the sum of products along one axis of both, which broadcast.
///
/// # Errors
/// Shapes that do not broadcast, an axis that does not exist in the result of broadcasting, two dtypes, `bool`.
#[track_caller]
pub fn vecdot(x: Var, y: Var, axis: isize) -> Var {
    let _method = enter("vecdot", &[x, y]);
    let product = x * y;
    match one_axis(product, axis) {
        Some(axis) => product.sum_axes(&[axis]),
        None => Var::poisoned(),
    }
}

/// Which axes [`tensordot`] sums over: a number `n` for the last `n` of the first operand and the first `n` of the second,
/// or a pair of lists (or of axes), of which the elements with one index belong together.
pub trait Contracted {
    /// The axes of each operand, for operands of these ranks.
    fn pairs(&self, ranks: [usize; 2]) -> [Vec<isize>; 2];
}

impl Contracted for isize {
    /// More axes than there are give axes that do not exist, which is an error of [`tensordot`].
    fn pairs(&self, [rank, _]: [usize; 2]) -> [Vec<isize>; 2] {
        let rank = rank.try_into().unwrap_or(isize::MAX);
        let n = (*self).clamp(-1, rank + 1);
        if n < 0 { [vec![rank], vec![0]] } else { [(rank - n..rank).collect(), (0..n).collect()] }
    }
}

impl Contracted for (isize, isize) {
    fn pairs(&self, _: [usize; 2]) -> [Vec<isize>; 2] {
        [vec![self.0], vec![self.1]]
    }
}

impl<const M: usize, const N: usize> Contracted for ([isize; M], [isize; N]) {
    fn pairs(&self, _: [usize; 2]) -> [Vec<isize>; 2] {
        [self.0.to_vec(), self.1.to_vec()]
    }
}

impl Contracted for (&[isize], &[isize]) {
    fn pairs(&self, _: [usize; 2]) -> [Vec<isize>; 2] {
        [self.0.to_vec(), self.1.to_vec()]
    }
}

/// NumPy's `tensordot`: the sum of products over pairs of axes. The axes of the result are the others of `x`, then the
/// others of `y`.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use retrograd::{Var, jit, numpy as np};
///
/// let (x, y) = (Array3::<f64>::ones((2, 3, 4)), Array3::<f64>::ones((4, 3, 5)));
/// let z: Array2<f64> = jit(|x: Var, y: Var| np::tensordot(x, y, ([1, 2], [1, 0]))).call(&x, &y)?;
/// assert_eq!(z, Array2::<f64>::from_elem((2, 5), 12.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Axes that do not exist, lists of different lengths, paired axes of different extents, two dtypes, `bool`.
#[track_caller]
pub fn tensordot(x: Var, y: Var, axes: impl Contracted) -> Var {
    let _method = enter("tensordot", &[x, y]);
    let [in_x, in_y] = axes.pairs([x.rank(), y.rank()]);
    if in_x.len() != in_y.len() {
        trace::fail_at(format!("takes as many axes of one operand as of the other, but got {in_x:?} and {in_y:?}"));
        return Var::poisoned();
    }
    let (Some(in_x), Some(in_y)) = (named_axes(x.rank(), &in_x), named_axes(y.rank(), &in_y)) else {
        return Var::poisoned();
    };
    x.dot_general(y, [&in_x, &in_y], [&[], &[]])
}

/// NumPy's `kron`, the Kronecker product: along each axis, element `i · n + k` of the result is element `i` of `x` times
/// element `k` of `y`, where `n` is the extent of `y`. The array of fewer axes gets leading ones.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let z: Array1<f64> = jit(|x: Var, y: Var| np::kron(x, y)).call(array![1.0, 10.0], array![1.0, 2.0, 3.0])?;
/// assert_eq!(z, array![1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Two dtypes, `bool`.
#[track_caller]
pub fn kron(x: Var, y: Var) -> Var {
    let _method = enter("kron", &[x, y]);
    let (a, b) = (x.shape(), y.shape());
    let rank = a.rank().max(b.rank());
    let padded = |shape: &[usize]| [&vec![1; rank - shape.len()], shape].concat();
    let (a, b) = (padded(&a), padded(&b));
    let spread_x: Vec<usize> = a.iter().flat_map(|&extent| [extent, 1]).collect();
    let spread_y: Vec<usize> = b.iter().flat_map(|&extent| [1, extent]).collect();
    let product = x.reshape(&spread_x) * y.reshape(&spread_y);
    product.reshape(&a.iter().zip(&b).map(|(a, b)| a.saturating_mul(*b)).collect::<Vec<usize>>())
}

/// NumPy's `cross`: the cross product of the vectors of three elements along one axis of both, which broadcast; the axis
/// stays. Vectors of two elements give the third component alone, without the axis.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let z: Array1<f64> = jit(|x: Var, y: Var| np::cross(x, y, -1)).call(array![1.0, 0.0, 0.0], array![0.0, 1.0, 0.0])?;
/// assert_eq!(z, array![0.0, 0.0, 1.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An axis that does not exist, extents along it that are not 3 or 2 in both, shapes that do not broadcast, two dtypes,
/// `bool`.
#[track_caller]
pub fn cross(x: Var, y: Var, axis: isize) -> Var {
    let _method = enter("cross", &[x, y]);
    let (Some(a), Some(b)) = (one_axis(x, axis), one_axis(y, axis)) else { return Var::poisoned() };
    let extents = (x.shape()[a], y.shape()[b]);
    if extents != (3, 3) && extents != (2, 2) {
        trace::fail_at(format!("takes vectors of 3 or of 2 elements, but got {} and {}", extents.0, extents.1));
        return Var::poisoned();
    }
    let component = |i: usize, k: usize| x.index_axis(a, i) * y.index_axis(b, k);
    let minor = |i: usize, k: usize| component(i, k) - component(k, i);
    if extents.0 == 2 {
        return minor(0, 1);
    }
    // The axis counts from the end in the result as in the operand that has more axes.
    let place = if axis < 0 { x.rank().max(y.rank()) - axis.unsigned_abs() } else { a.max(b) };
    Var::stack(&[minor(1, 2), minor(2, 0), minor(0, 1)], place)
}
