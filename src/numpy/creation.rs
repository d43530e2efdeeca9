//! Arrays of known content.

use super::axes::enter;
use super::diagonals::below;
use crate::op::{Operand, Var, trace};
use crate::value::{DType, Type};

/// NumPy's `zeros`: zeros of a type, or of `f64` where a shape alone is given. See [`Var::zeros`].
#[track_caller]
pub fn zeros(ty: impl Into<Type>) -> Var {
    let _method = enter("zeros", &[]);
    Var::zeros(ty)
}

/// NumPy's `ones`: ones of a type, or of `f64` where a shape alone is given. See [`Var::ones`].
#[track_caller]
pub fn ones(ty: impl Into<Type>) -> Var {
    let _method = enter("ones", &[]);
    Var::ones(ty)
}

/// NumPy's `full`: a number everywhere in an array of that shape. The derivative by the number is the sum over the array.
///
/// The number is a `Var` of any dtype that broadcasts, as in NumPy, or one of Rust's, which is `f64`.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, grad, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::full(&[3], x)).call(2.5)?;
/// assert_eq!(y, array![2.5, 2.5, 2.5]);
/// assert_eq!(jit(grad(|x: Var| np::full(&[3], x).sum())).call::<f64>(2.5)?, 3.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn full(shape: &[usize], value: impl Operand) -> Var {
    let value = value.traced().unwrap_or_else(|| value.var(Var::from(0.0)));
    let _method = enter("full", &[value]);
    value.broadcast_to(shape)
}

/// NumPy's `zeros_like`.
#[track_caller]
pub fn zeros_like(x: Var) -> Var {
    let _method = enter("zeros_like", &[x]);
    Var::zeros(x.ty())
}

/// NumPy's `ones_like`.
#[track_caller]
pub fn ones_like(x: Var) -> Var {
    let _method = enter("ones_like", &[x]);
    Var::ones(x.ty())
}

/// NumPy's `full_like`: a number everywhere in an array of the shape and dtype of `x`. A `Var` must have the dtype.
#[track_caller]
pub fn full_like(x: Var, value: impl Operand) -> Var {
    let _method = enter("full_like", &[x]);
    value.var(x).broadcast_to(&x.shape())
}

/// NumPy's `eye`: the matrix of `f64` with ones on a diagonal, which is above the main one if `offset` is positive.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| x * np::eye(2, 3, 1)).call(4.0)?;
/// assert_eq!(y, array![[0.0, 4.0, 0.0], [0.0, 0.0, 4.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn eye(rows: usize, columns: usize, offset: isize) -> Var {
    let _method = enter("eye", &[]);
    let on = below(rows, columns, offset) & !below(rows, columns, offset.saturating_sub(1));
    on.convert(DType::F64)
}

/// NumPy's `identity`: the identity matrix of `f64`.
#[track_caller]
pub fn identity(n: usize) -> Var {
    let _method = enter("identity", &[]);
    eye(n, n, 0)
}

/// NumPy's `tri`: ones of `f64` on and below a diagonal, zeros above it.
#[track_caller]
pub fn tri(rows: usize, columns: usize, offset: isize) -> Var {
    let _method = enter("tri", &[]);
    below(rows, columns, offset).convert(DType::F64)
}

/// NumPy's `arange`: the numbers `start`, `start + step`, … before `stop`, as `f64`: `ceil((stop - start) / step)` of them,
/// and none if that is negative. For integers, convert the result or use [`Var::iota`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| x * np::arange(1.0, 2.0, 0.25)).call(2.0)?;
/// assert_eq!(y, array![2.0, 2.5, 3.0, 3.5]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// A step of 0, and ends that are not finite.
#[track_caller]
pub fn arange(start: f64, stop: f64, step: f64) -> Var {
    let _method = enter("arange", &[]);
    let n = ((stop - start) / step).ceil();
    // As many as a vector of f64 may hold in an address space.
    let most = (isize::MAX / 8) as f64;
    if step == 0.0 || !step.is_finite() || !n.is_finite() || n > most {
        trace::fail_at(format!("takes finite ends and a step that is not 0, but got {start}, {stop} and {step}"));
        return Var::poisoned();
    }
    // The conversion saturates: a negative number is none.
    let n = n as usize;
    // As NumPy's: the difference of the first two numbers, which may differ from the step by rounding.
    Var::iota(&[n], 0, DType::F64) * ((start + step) - start) + start
}

/// NumPy's `linspace`: `n` numbers at equal distances from `start` to `stop`, both of which are among them. One number
/// alone is `start`. The ends are numbers or scalars, by which it is differentiable; with numbers alone it is `f64`.
///
/// The last number is `stop` exactly.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::linspace(0.0, x, 5)).call(2.0)?;
/// assert_eq!(y, array![0.0, 0.5, 1.0, 1.5, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Ends that are no scalars of one floating-point dtype.
#[track_caller]
pub fn linspace(start: impl Operand, stop: impl Operand, n: usize) -> Var {
    let Some((start, stop)) = ends("linspace", start, stop) else { return Var::poisoned() };
    let _method = enter("linspace", &[start, stop]);
    if n < 2 {
        return start.broadcast_to(&[n]);
    }
    let step = (stop - start) / (n - 1) as f64;
    let all = Var::iota(&[n - 1], 0, start.dtype()) * step + start;
    Var::concatenate(&[all, stop.reshape(&[1])], 0)
}

/// NumPy's `logspace`: `base` to the powers of [`linspace`].
#[track_caller]
pub fn logspace(start: impl Operand, stop: impl Operand, n: usize, base: f64) -> Var {
    let Some((start, stop)) = ends("logspace", start, stop) else { return Var::poisoned() };
    let _method = enter("logspace", &[start, stop]);
    let powers = linspace(start, stop, n);
    powers.full_like(base).powf(powers)
}

/// NumPy's `geomspace`: `n` numbers of equal ratios from `start` to `stop`, both positive. Both ends are among them
/// exactly.
///
/// ```
/// use ndarray::Array1;
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::geomspace(x, 8.0, 4)).call(1.0)?;
/// assert!((y - ndarray::array![1.0, 2.0, 4.0, 8.0]).iter().all(|error| error.abs() < 1e-14));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn geomspace(start: impl Operand, stop: impl Operand, n: usize) -> Var {
    let Some((start, stop)) = ends("geomspace", start, stop) else { return Var::poisoned() };
    let _method = enter("geomspace", &[start, stop]);
    if n < 3 {
        return linspace(start, stop, n);
    }
    let inner = linspace(start.ln(), stop.ln(), n).exp().slice(0, 1..n - 1);
    Var::concatenate(&[start.reshape(&[1]), inner, stop.reshape(&[1])], 0)
}

/// The ends of a range as scalars of one dtype.
#[track_caller]
fn ends(name: &'static str, start: impl Operand, stop: impl Operand) -> Option<(Var, Var)> {
    let (start, stop) = match (start.traced(), stop.traced()) {
        (Some(start), _) => (start, stop.var(start)),
        (None, Some(stop)) => (start.var(stop), stop),
        (None, None) => {
            let like = Var::from(0.0);
            (start.var(like), stop.var(like))
        }
    };
    let (a, b) = (start.ty(), stop.ty());
    if a != b || a.rank() > 0 || !a.dtype.is_float() {
        let _method = enter(name, &[start, stop]);
        trace::fail_at(format!("takes two scalars of one floating-point dtype, but got {a} and {b}"));
        return None;
    }
    Some((start, stop))
}

/// How [`meshgrid`] orders the first two axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indexing {
    /// As coordinates in a plane: the first vector runs along axis 1, the second along axis 0. NumPy's `"xy"`.
    #[default]
    Xy,
    /// As indices of a matrix: vector `k` runs along axis `k`. NumPy's `"ij"`.
    Ij,
}

/// NumPy's `meshgrid`: for each of several vectors an array of all their combinations, in which that vector runs along
/// one axis. A scalar counts as a vector of one element.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::numpy::Indexing;
/// use retrograd::{Var, jit, numpy as np};
///
/// let plane = |x: Var, y: Var| {
///     let grids = np::meshgrid(&[x, y], Indexing::Xy);
///     10.0 * grids[1] + grids[0]
/// };
/// let z: Array2<f64> = jit(plane).call(array![1.0, 2.0, 3.0], array![1.0, 2.0])?;
/// assert_eq!(z, array![[11.0, 12.0, 13.0], [21.0, 22.0, 23.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An array with more than one axis.
#[track_caller]
pub fn meshgrid(vectors: &[Var], indexing: Indexing) -> Vec<Var> {
    let _method = enter("meshgrid", vectors);
    if let Some(other) = vectors.iter().find(|x| x.rank() > 1) {
        trace::fail_at(format!("takes vectors, but got {}", other.ty()));
        return vec![Var::poisoned(); vectors.len()];
    }
    let n = vectors.len();
    let axis = |k: usize| match (indexing, k) {
        (Indexing::Xy, 0 | 1) if n > 1 => 1 - k,
        _ => k,
    };
    let mut shape = vec![1; n];
    vectors.iter().enumerate().for_each(|(k, x)| shape[axis(k)] = x.ty().size());
    let spread = |(k, x): (usize, &Var)| {
        let mut own = vec![1; n];
        own[axis(k)] = shape[axis(k)];
        x.reshape(&own).broadcast_to(&shape)
    };
    vectors.iter().enumerate().map(spread).collect()
}
