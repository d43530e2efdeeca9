//! Cholesky factors, what is solved with them, and how cotangents pass through them.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par};

use super::triangular::Triangle;
use super::{Real, faer, faer_mut};

/// The rows and columns of a block that is read by columns: it fits into the first-level cache.
const TILE: usize = 32;

/// The extent of the diagonal blocks of [`pullback`].
const BLOCK: usize = 32;

/// The lower triangular `l` with `l·lᵀ = (a + aᵀ)/2` and a positive diagonal; NaN in the lower triangle if there is none.
pub(crate) fn cholesky<T: Real>(a: &[T], n: usize, l: &mut [T]) {
    // By columns, as faer takes it fastest.
    let mut work = vec![T::ZERO; n * n];
    let half = T::ONE / (T::ONE + T::ONE);
    for_each_below(n, |i, j| {
        let (x, y) = (a[i * n + j], a[j * n + i]);
        work[j * n + i] = if i == j { x } else { half * x + half * y };
    });
    let scratch = llt::factor::cholesky_in_place_scratch::<T>(n, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    let outcome = llt::factor::cholesky_in_place(
        MatMut::from_column_major_slice_mut(&mut work, n, n),
        Default::default(),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    );
    let exists = outcome.is_ok() && (0..n).all(|i| num_traits::Float::is_finite(work[i * n + i]));
    l.fill(T::ZERO);
    for_each_below(n, |i, j| l[i * n + j] = if exists { work[j * n + i] } else { T::nan() });
}

/// Runs over the lower triangle, block by block, so that rows and columns are both found in the cache.
fn for_each_below(n: usize, mut f: impl FnMut(usize, usize)) {
    for first_row in (0..n).step_by(TILE) {
        for first_column in (0..=first_row).step_by(TILE) {
            for i in first_row..n.min(first_row + TILE) {
                for j in first_column..=i.min(first_column + TILE - 1) {
                    f(i, j);
                }
            }
        }
    }
}

/// The solution of `l·lᵀ·x = b`, in place of `b`, which has `k` columns.
pub(crate) fn solve<T: Real>(l: &[T], n: usize, x: &mut [T], k: usize) {
    let triangle = Triangle { elements: l, n, stride: n, lower: true, transposed: false, unit: false };
    triangle.solve(x, k);
    Triangle { transposed: true, ..triangle }.solve(x, k);
}

/// The inverse of `l·lᵀ`: the derivative of the logarithm of its determinant, `2 Σ ln lᵢᵢ`, which takes no more arithmetic than
/// the inverse itself, nearly all of it in products of blocks.
pub(crate) fn inverse<T: Real>(l: &[T], n: usize, inverse: &mut [T]) {
    let mut l_bar = vec![T::ZERO; n * n];
    (0..n * n).step_by(n + 1).for_each(|k| l_bar[k] = (T::ONE + T::ONE) / l[k]);
    pullback(l, &l_bar, n, inverse);
}

/// The cotangent of `a` behind that of its factor `l`, symmetric; of `l_bar` the lower triangle counts.
///
/// Blocks are taken from the last to the first, with twice the arithmetic of the factorization: I. Murray, "Differentiation of
/// the Cholesky decomposition" (2016), section 4.2.
pub(crate) fn pullback<T: Real>(l: &[T], l_bar: &[T], n: usize, result: &mut [T]) {
    let mut bar = vec![T::ZERO; n * n];
    for i in 0..n {
        bar[i * n..=i * n + i].copy_from_slice(&l_bar[i * n..=i * n + i]);
    }
    let mut end = n;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        pull_block(faer(l, n, n), faer_mut(&mut bar, n, n), start, end);
        end = start;
    }
    let half = T::ONE / (T::ONE + T::ONE);
    for_each_below(n, |i, j| {
        let x = if i == j { bar[i * n + j] } else { half * bar[i * n + j] };
        (result[i * n + j], result[j * n + i]) = (x, x);
    });
}

/// Takes the columns from `start` to `end` of the factor's cotangent back, and what they pass on to those before.
///
/// The rows from `start` on are `R D` and, below, `B C`, of which `D` is the diagonal block.
fn pull_block<T: Real>(l: MatRef<'_, T>, bar: MatMut<'_, T>, start: usize, end: usize) {
    let n = l.nrows();
    let minus = -T::ONE;
    let (r, d) = (l.submatrix(start, 0, end - start, start), l.submatrix(start, start, end - start, end - start));
    let (b, c) = (l.submatrix(end, 0, n - end, start), l.submatrix(end, start, n - end, end - start));
    let (_, bar) = bar.split_at_row_mut(start);
    let (upper, lower) = bar.split_at_row_mut(end - start);
    let (mut r_bar, rest) = upper.split_at_col_mut(start);
    let mut d_bar = rest.subcols_mut(0, end - start);
    let (mut b_bar, rest) = lower.split_at_col_mut(start);
    let mut c_bar = rest.subcols_mut(0, end - start);
    if n > end {
        solve_upper_triangular_in_place(d.transpose(), c_bar.rb_mut().transpose_mut(), Par::Seq);
        if start > 0 {
            matmul(b_bar.rb_mut(), Accum::Add, c_bar.rb(), r, minus, Par::Seq);
            matmul(r_bar.rb_mut(), Accum::Add, c_bar.rb().transpose(), b, minus, Par::Seq);
        }
        matmul(d_bar.rb_mut(), Accum::Add, c_bar.rb().transpose(), c, minus, Par::Seq);
    }
    let symmetric = pull_diagonal(d, d_bar);
    if start > 0 {
        let m = end - start;
        matmul(r_bar, Accum::Add, faer(&symmetric, m, m), r, minus, Par::Seq);
    }
}

/// [`pullback`] of one block; gives the sum of the result and its transpose.
fn pull_diagonal<T: Real>(l: MatRef<'_, T>, mut bar: MatMut<'_, T>) -> Vec<T> {
    let n = l.nrows();
    let (mut own, mut own_bar) = (vec![T::ZERO; n * n], vec![T::ZERO; n * n]);
    for i in 0..n {
        for j in 0..=i {
            (own[i * n + j], own_bar[i * n + j]) = (l[(i, j)], bar[(i, j)]);
        }
    }
    pull_columns(&own, n, &mut own_bar);
    for i in 0..n {
        for j in 0..=i {
            bar[(i, j)] = own_bar[i * n + j];
        }
    }
    (0..n * n).map(|k| own_bar[k] + own_bar[k % n * n + k / n]).collect()
}

/// [`pullback`] column by column (section 4.1), by the instructions of the running processor.
fn pull_columns<T: Real>(own: &[T], n: usize, own_bar: &mut [T]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        fn wide<T: Real>(own: &[T], n: usize, own_bar: &mut [T]) {
            pull_columns_plain(own, n, own_bar);
        }
        // SAFETY: the processor has just been checked to have the features of the function.
        return unsafe { wide(own, n, own_bar) };
    }
    pull_columns_plain(own, n, own_bar);
}

#[inline(always)]
fn pull_columns_plain<T: Real>(own: &[T], n: usize, own_bar: &mut [T]) {
    for j in (0..n).rev() {
        let pivot = own[j * n + j];
        let below = (j + 1..n).fold(T::ZERO, |sum, i| sum + own[i * n + j] * own_bar[i * n + j]);
        let pivot_bar = (own_bar[j * n + j] - below / pivot) / pivot;
        let (before, after) = own_bar.split_at_mut((j + 1) * n);
        let (row_bar, row) = (&mut before[j * n..=j * n + j], &own[j * n..j * n + j]);
        for (bar, &x) in row_bar.iter_mut().zip(row) {
            *bar -= pivot_bar * x;
        }
        for (other, other_bar) in own[(j + 1) * n..].chunks_exact(n).zip(after.chunks_exact_mut(n)) {
            let factor = other_bar[j] / pivot;
            other_bar[j] = factor;
            let bars = row_bar[..j].iter_mut().zip(&mut other_bar[..j]);
            for ((bar, other_bar), (&x, &other)) in bars.zip(row.iter().zip(&other[..j])) {
                *bar -= factor * other;
                *other_bar -= factor * x;
            }
        }
        row_bar[j] = pivot_bar / (T::ONE + T::ONE);
    }
}
