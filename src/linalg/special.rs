//! Matrices of special structure, and products of several matrices.

use super::arguments::{enter, float, stacks};
use super::systems::solve;
use crate::numpy as np;
use crate::op::{Var, broadcast_shape, trace};
use crate::value::{DType, Type};

/// SciPy's `toeplitz`: the matrix with `c` as its first column and `r` as its first row, constant along diagonals. The first
/// element of `r` counts for nothing.
///
/// Takes vectors, or stacks of them along the last axis, of one dtype; leading axes broadcast. The derivative of an element of
/// `c` or `r` is the sum over its diagonal.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let t: Array2<f64> =
///     jit(|c: Var, r: Var| linalg::toeplitz(c, r)).call(array![1.0, 2.0, 3.0], array![1.0, 4.0])?;
/// assert_eq!(t, array![[1.0, 4.0], [2.0, 1.0], [3.0, 2.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Scalars, empty vectors, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn toeplitz(c: Var, r: Var) -> Var {
    let _method = enter("toeplitz", &[c, r]);
    let Some([c, r]) = vectors([c, r]) else { return Var::poisoned() };
    toeplitz_of(c, r)
}

#[track_caller]
fn toeplitz_of(c: Var, r: Var) -> Var {
    let (m, n) = (length(c), length(r));
    along_diagonals(joined(reversed(c), rest(r)), m, n)
}

/// SciPy's `hankel`: the matrix with `c` as its first column and `r` as its last row, constant along the other diagonals. The
/// first element of `r` counts for nothing.
///
/// As [`toeplitz`].
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let h: Array2<f64> =
///     jit(|c: Var, r: Var| linalg::hankel(c, r)).call(array![1.0, 2.0, 3.0], array![3.0, 4.0])?;
/// assert_eq!(h, array![[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`toeplitz`].
#[track_caller]
pub fn hankel(c: Var, r: Var) -> Var {
    let _method = enter("hankel", &[c, r]);
    let Some([c, r]) = vectors([c, r]) else { return Var::poisoned() };
    let (m, n) = (length(c), length(r));
    let upside_down = along_diagonals(joined(c, rest(r)), m, n);
    if upside_down.is_poisoned() { upside_down } else { upside_down.reverse(&[upside_down.rank() - 2]) }
}

/// SciPy's `circulant`: the square matrix with `c` as its first column, of which each column is the one before it moved down by
/// one place, around the end.
///
/// Takes a vector, or a stack of them along the last axis.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let c: Array2<f64> = jit(|c: Var| linalg::circulant(c)).call(array![1.0, 2.0, 3.0])?;
/// assert_eq!(c, array![[1.0, 3.0, 2.0], [2.0, 1.0, 3.0], [3.0, 2.0, 1.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// A scalar, an empty vector.
#[track_caller]
pub fn circulant(c: Var) -> Var {
    let _method = enter("circulant", &[c]);
    let Some([c]) = vectors([c]) else { return Var::poisoned() };
    toeplitz_of(c, first_row_of_circulant(c))
}

#[track_caller]
fn first_row_of_circulant(c: Var) -> Var {
    let axis = c.rank() - 1;
    joined(c.slice_axis(axis, 0, 1, 1), reversed(rest(c)))
}

/// SciPy's `matmul_toeplitz`: the product of [`toeplitz`]`(c, r)` with `x`.
///
/// `x` is a vector or a stack of matrices. The matrix is formed: it takes `2 m n` operations for each column.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let f = |c: Var, r: Var, x: Var| linalg::matmul_toeplitz(c, r, x);
/// let y: Array1<f64> = jit(f).call(array![1.0, 2.0], array![1.0, 3.0], array![1.0, 10.0])?;
/// assert_eq!(y, array![31.0, 12.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`toeplitz`], and rows of `x` that are not as many as `r` has elements.
#[track_caller]
pub fn matmul_toeplitz(c: Var, r: Var, x: Var) -> Var {
    let _method = enter("matmul_toeplitz", &[c, r, x]);
    let Some([c, r]) = vectors([c, r]) else { return Var::poisoned() };
    toeplitz_of(c, r).matmul(float(x))
}

/// SciPy's `solve_toeplitz`: the x of `toeplitz(c, r) x = b`.
///
/// The matrix is formed and solved by [`solve`], which is backward stable; SciPy's recursion (Levinson) takes fewer
/// operations, and fails where a leading block is singular.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let f = |c: Var, r: Var, b: Var| linalg::solve_toeplitz(c, r, b);
/// let x: Array1<f64> = jit(f).call(array![0.0, 2.0], array![0.0, 4.0], array![8.0, 2.0])?;
/// assert_eq!(x, array![1.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`toeplitz`] and [`solve`].
#[track_caller]
pub fn solve_toeplitz(c: Var, r: Var, b: Var) -> Var {
    let _method = enter("solve_toeplitz", &[c, r, b]);
    let Some([c, r]) = vectors([c, r]) else { return Var::poisoned() };
    solve(toeplitz_of(c, r), b)
}

/// SciPy's `solve_circulant`: the x of `circulant(c) x = b`.
///
/// The matrix is formed and solved by [`solve`].
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, linalg};
///
/// let x: Array1<f64> = jit(|c: Var, b: Var| linalg::solve_circulant(c, b)).call(array![0.0, 2.0], array![4.0, 2.0])?;
/// assert_eq!(x, array![1.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Those of [`circulant`] and [`solve`].
#[track_caller]
pub fn solve_circulant(c: Var, b: Var) -> Var {
    let _method = enter("solve_circulant", &[c, b]);
    let Some([c]) = vectors([c]) else { return Var::poisoned() };
    solve(toeplitz_of(c, first_row_of_circulant(c)), b)
}

/// SciPy's `companion`: the matrix of which the eigenvalues are the roots of the polynomial `a₀ xⁿ + … + aₙ`.
///
/// Takes a vector of n + 1 ≥ 2 coefficients, or a stack of them along the last axis.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let c: Array2<f64> = jit(|a: Var| linalg::companion(a)).call(array![2.0, -8.0, 6.0])?;
/// assert_eq!(c, array![[4.0, -3.0], [1.0, 0.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// A scalar, fewer than two coefficients.
#[track_caller]
pub fn companion(a: Var) -> Var {
    let _method = enter("companion", &[a]);
    let Some([a]) = vectors([a]) else { return Var::poisoned() };
    let (axis, n) = (a.rank() - 1, length(a) - 1);
    if n == 0 {
        trace::fail_at(format!("takes at least two coefficients, but got {}", a.ty()));
        return Var::poisoned();
    }
    let first = -rest(a) / a.slice_axis(axis, 0, 1, 1);
    let leading = &a.shape()[..axis];
    let ones = np::eye(n - 1, n, 0).convert(a.dtype()).broadcast_to(&[leading, &[n - 1, n]].concat());
    Var::concatenate(&[first.insert_axis(axis), ones], axis)
}

/// SciPy's `hilbert`: the matrix with elements `1 / (i + k + 1)`, of `f64`.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let h: Array2<f64> = jit(|x: Var| linalg::hilbert(2) * x).call(1.0)?;
/// assert_eq!(h, array![[1.0, 0.5], [0.5, 1.0 / 3.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn hilbert(n: usize) -> Var {
    let _method = enter("hilbert", &[]);
    let [row, column] = [0, 1].map(|axis| Var::iota(&[n, n], axis, DType::F64));
    (row + column + 1.0).recip()
}

/// SciPy's `block_diag`: matrices along the diagonal, and zeros elsewhere.
///
/// Takes matrices of one dtype, of any extents, also with the same leading axes; a vector is a matrix of one row, a scalar one
/// of one element. Without any the result is a matrix without elements.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let f = |x: Var, y: Var| linalg::block_diag(&[x, y]);
/// let d: Array2<f64> = jit(f).call(array![[1.0], [2.0]], array![3.0, 4.0])?;
/// assert_eq!(d, array![[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 3.0, 4.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Leading axes that differ, two dtypes.
#[track_caller]
pub fn block_diag(blocks: &[Var]) -> Var {
    let _method = enter("block_diag", blocks);
    if blocks.is_empty() {
        return Var::zeros(Type::new(DType::F64, [0, 0]));
    }
    let matrix = |x: &Var| match x.rank() {
        0 => x.reshape(&[1, 1]),
        1 => x.insert_axis(0),
        _ => *x,
    };
    if blocks.iter().any(|x| x.is_poisoned()) {
        return Var::poisoned();
    }
    let blocks: Vec<Var> = blocks.iter().map(matrix).collect();
    let rank = blocks[0].rank();
    if let Some(other) = blocks.iter().find(|x| x.shape()[..x.rank() - 2] != blocks[0].shape()[..rank - 2]) {
        trace::fail_at(format!(
            "takes blocks with the same leading axes, but got {} and {}",
            blocks[0].ty(),
            other.ty()
        ));
        return Var::poisoned();
    }
    let width = |x: &Var| x.shape()[rank - 1];
    let total = blocks.iter().map(width).fold(0, usize::saturating_add);
    let mut before = 0;
    let rows: Vec<Var> = blocks
        .iter()
        .map(|block| {
            let (mut low, mut high) = (vec![0; rank], vec![0; rank]);
            let behind = total.saturating_sub(before).saturating_sub(width(block));
            (low[rank - 1], high[rank - 1]) = (before as i64, behind as i64);
            before += width(block);
            block.pad(Var::number(0.0, block.dtype()), &low, &high, &vec![0; rank])
        })
        .collect();
    Var::concatenate(&rows, rank - 2)
}

/// SciPy's `khatri_rao`: for each column the Kronecker product of the columns of both matrices.
///
/// Takes `[…, m, k]` and `[…, n, k]`, of which the leading axes broadcast, and gives `[…, m n, k]`.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let f = |a: Var, b: Var| linalg::khatri_rao(a, b);
/// let x: Array2<f64> = jit(f).call(array![[1.0, 2.0], [3.0, 4.0]], array![[1.0, 10.0]])?;
/// assert_eq!(x, array![[1.0, 20.0], [3.0, 40.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two axes, different numbers of columns, leading axes that do not broadcast, two dtypes.
#[track_caller]
pub fn khatri_rao(a: Var, b: Var) -> Var {
    let _method = enter("khatri_rao", &[a, b]);
    let Some([a, b]) = stacks([a, b]) else { return Var::poisoned() };
    let rank = a.rank();
    let (x, y) = (a.shape(), b.shape());
    if x[rank - 1] != y[rank - 1] {
        trace::fail_at(format!("takes matrices with as many columns, but got {} and {}", a.ty(), b.ty()));
        return Var::poisoned();
    }
    let rows = x[rank - 2].saturating_mul(y[rank - 2]);
    (a.insert_axis(rank - 1) * b.insert_axis(rank - 2)).reshape(&[&x[..rank - 2], &[rows, x[rank - 1]]].concat())
}

/// The most matrices for which the order of products is optimized, in time that grows with the cube of their number.
const MAX_ORDERED: usize = 256;

/// NumPy's `multi_dot`: the product of several matrices, in the order that takes the fewest multiplications.
///
/// Takes matrices of one dtype; the first may be a vector, which is a row, and so may the last, which is a column. From 256
/// matrices on the order is from left to right.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use retrograd::{Var, jit, linalg};
///
/// // Of a matrix, a matrix and a vector, the last two are multiplied first.
/// let (a, x) = (Array2::<f64>::ones((3, 3)), Array1::<f64>::ones(3));
/// let y: Array1<f64> = jit(|a: Var, x: Var| linalg::multi_dot(&[a, a, x])).call(&a, &x)?;
/// assert_eq!(y, Array1::from_elem(3, 9.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Fewer than two operands, other ranks, extents that do not match, two dtypes.
#[track_caller]
pub fn multi_dot(matrices: &[Var]) -> Var {
    let _method = enter("multi_dot", matrices);
    let n = matrices.len();
    if n < 2 {
        trace::fail_at(format!("takes at least two matrices, but got {n}"));
        return Var::poisoned();
    }
    if matrices.iter().any(|x| x.is_poisoned()) {
        return Var::poisoned();
    }
    let is_end = |k: usize| k == 0 || k + 1 == n;
    if let Some((_, x)) = matrices.iter().enumerate().find(|&(k, x)| x.rank() != 2 && !(x.rank() == 1 && is_end(k))) {
        trace::fail_at(format!("takes matrices, of which the first and the last may be vectors, but got {}", x.ty()));
        return Var::poisoned();
    }
    let product = |x: Var, y: Var| x.matmul(y);
    if n > MAX_ORDERED {
        return matrices[1..].iter().fold(matrices[0], |x, &y| product(x, y));
    }
    // The extents that neighbors share; a vector at an end has 1 on its free side.
    let rows = |x: &Var| if x.rank() == 1 { 1 } else { x.shape()[0] };
    let first = rows(&matrices[0]);
    let last =
        |k: usize| if k + 1 == n && matrices[k].rank() == 1 { 1 } else { matrices[k].shape()[matrices[k].rank() - 1] };
    let extents: Vec<f64> = [first].into_iter().chain((0..n).map(last)).map(|extent| extent as f64).collect();
    let splits = best_splits(&extents);
    // From the shortest chains on, so that no call nests.
    let mut pending = vec![(0, n, false)];
    let mut done: Vec<Var> = Vec::new();
    while let Some((start, end, is_ready)) = pending.pop() {
        if end - start == 1 {
            done.push(matrices[start]);
        } else if is_ready {
            let (right, left) = (done.pop(), done.pop());
            let (Some(right), Some(left)) = (right, left) else { unreachable!("bug: a product without factors") };
            done.push(product(left, right));
        } else {
            let split = splits[start * (n + 1) + end];
            pending.extend([(start, end, true), (split, end, false), (start, split, false)]);
        }
    }
    done.pop().unwrap_or_else(Var::poisoned)
}

/// For each chain from a matrix to before another, where its last product splits it (Cormen et al., "Introduction to
/// Algorithms", matrix-chain multiplication).
fn best_splits(extents: &[f64]) -> Vec<usize> {
    let n = extents.len() - 1;
    let place = |start: usize, end: usize| start * (n + 1) + end;
    let mut costs = vec![0.0; (n + 1) * (n + 1)];
    let mut splits = vec![0; (n + 1) * (n + 1)];
    for size in 2..=n {
        for start in 0..=n - size {
            let end = start + size;
            let cost = |split: usize| {
                let own = extents[start] * extents[split] * extents[end];
                costs[place(start, split)] + costs[place(split, end)] + own
            };
            let best = (start + 1..end).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(start + 1);
            let least = cost(best);
            (costs[place(start, end)], splits[place(start, end)]) = (least, best);
        }
    }
    splits
}

/// Vectors of floating point along last axes, with the same leading axes and dtype, none of them empty; `None` after an
/// error.
#[track_caller]
fn vectors<const N: usize>(operands: [Var; N]) -> Option<[Var; N]> {
    let found = operands.map(float);
    if found.iter().any(|x| x.is_poisoned()) {
        return None;
    }
    let mut leading = Vec::new();
    for x in found {
        let shape = x.shape();
        if shape.rank() == 0 || shape[shape.rank() - 1] == 0 {
            trace::fail_at(format!("takes vectors with at least one element, but got {}", x.ty()));
            return None;
        }
        let Some(all) = broadcast_shape(&leading, &shape[..shape.rank() - 1]) else {
            trace::fail_at(format!("cannot broadcast the leading axes of {shape} with {leading:?}"));
            return None;
        };
        leading = all;
    }
    Some(found.map(|x| x.broadcast_to(&[&leading[..], &[length(x)]].concat())))
}

/// The extent of the last axis.
fn length(x: Var) -> usize {
    x.shape()[x.rank() - 1]
}

/// All elements of the last axis but the first.
#[track_caller]
fn rest(x: Var) -> Var {
    x.slice_axis(x.rank() - 1, 1, length(x), 1)
}

#[track_caller]
fn reversed(x: Var) -> Var {
    x.reverse(&[x.rank() - 1])
}

#[track_caller]
fn joined(x: Var, y: Var) -> Var {
    Var::concatenate(&[x, y], x.rank() - 1)
}

/// The matrix with elements `values[m - 1 - i + k]`, from the `m + n - 1` values of its diagonals.
#[track_caller]
fn along_diagonals(values: Var, m: usize, n: usize) -> Var {
    if values.is_poisoned() {
        return values;
    }
    let axis = values.rank() - 1;
    let leading = &values.shape()[..axis];
    let with = |own: &[usize]| [leading, own].concat();
    if m == 1 {
        return values.insert_axis(axis);
    }
    // In copies side by side, a row begins one place before the end of a copy's worth behind the row before it.
    let copies = values.insert_axis(axis).broadcast_to(&with(&[m, m + n - 1]));
    let Some(size) = m.checked_mul(m + n - 1) else {
        trace::fail_at(format!("a matrix of {m} rows and {n} columns is too large"));
        return Var::poisoned();
    };
    let moved = copies.reshape(&with(&[size])).slice_axis(axis, m - 1, size - 1, 1);
    moved.reshape(&with(&[m, m + n - 2])).slice_axis(axis + 1, 0, n, 1)
}
