//! Factors of square matrices by elimination with row exchanges, and what is solved with them.
//!
//! A factorization is one matrix with a further column: `U` on and above the diagonal, `L`, whose diagonal is 1, below it,
//! and in the last column the row of the matrix that each row came from.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::lu::partial_pivoting::factor::{lu_in_place, lu_in_place_scratch};
use faer::{MatMut, Par};

use super::triangular::Triangle;
use super::{Real, is_finite};

/// The fewest rows that faer factors; its calls take longer than smaller factors.
pub(super) const MIN_BLOCKED: usize = 24;

/// The factors of `a`, with the largest element of each column as its pivot. Where all that are left are 0, so is the pivot.
pub(crate) fn lu<T: Real>(a: &[T], n: usize, factors: &mut [T]) {
    if !is_finite(a) {
        return factors.fill(T::nan());
    }
    if n < MIN_BLOCKED {
        return eliminate(a, n, factors);
    }
    // By columns, as faer takes it fastest.
    let mut work: Vec<T> = (0..n * n).map(|k| a[k % n * n + k / n]).collect();
    let mut rows = vec![0usize; n];
    let mut places = vec![0usize; n];
    let mut memory = MemBuffer::new(lu_in_place_scratch::<usize, T>(n, n, Par::Seq, Default::default()));
    lu_in_place(
        MatMut::from_column_major_slice_mut(&mut work, n, n),
        &mut rows,
        &mut places,
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    );
    // Faer divides by pivots that are 0.
    if !is_finite(&work) {
        return eliminate(a, n, factors);
    }
    for (i, row) in factors.chunks_exact_mut(n + 1).enumerate() {
        row[..n].iter_mut().enumerate().for_each(|(j, x)| *x = work[j * n + i]);
        row[n] = number(rows[i]);
    }
}

/// [`lu`], row by row.
fn eliminate<T: Real>(a: &[T], n: usize, factors: &mut [T]) {
    for (i, (row, a)) in factors.chunks_exact_mut(n + 1).zip(a.chunks_exact(n.max(1))).enumerate() {
        row[..n].copy_from_slice(a);
        row[n] = number(i);
    }
    for k in 0..n {
        let size = |i: usize| num_traits::Float::abs(factors[i * (n + 1) + k]);
        let pivot = (k..n).fold(k, |largest, i| if size(i) > size(largest) { i } else { largest });
        if pivot != k {
            (0..=n).for_each(|j| factors.swap(k * (n + 1) + j, pivot * (n + 1) + j));
        }
        let (before, after) = factors.split_at_mut((k + 1) * (n + 1));
        let row = &before[k * (n + 1)..];
        if row[k] == T::ZERO {
            continue;
        }
        for other in after.chunks_exact_mut(n + 1) {
            let factor = other[k] / row[k];
            other[k] = factor;
            for j in k + 1..n {
                other[j] -= factor * row[j];
            }
        }
    }
}

fn number<T: Real>(k: usize) -> T {
    num_traits::NumCast::from(k).expect("bug: a number beyond all floating point")
}

/// The row that each row came from. What is no row, as a file may have it, counts as the nearest one.
fn rows<T: Real>(factors: &[T], n: usize) -> impl Iterator<Item = usize> {
    factors
        .chunks_exact(n + 1)
        .map(move |row| num_traits::ToPrimitive::to_f64(&row[n]).map_or(0, |x| x as usize).min(n - 1))
}

/// The solution of `a·x = b`, or with the transpose of `a`, given its factors; in place of `b`, which has `k` columns.
pub(crate) fn solve<T: Real>(factors: &[T], n: usize, transposed: bool, x: &mut [T], k: usize) {
    if n == 0 || k == 0 {
        return;
    }
    let upper = Triangle { elements: factors, n, stride: n + 1, lower: false, transposed, unit: false };
    let lower = Triangle { lower: true, unit: true, ..upper };
    if transposed {
        upper.solve(x, k);
        lower.solve(x, k);
        let y = x.to_vec();
        for (from, to) in rows(factors, n).enumerate() {
            x[to * k..][..k].copy_from_slice(&y[from * k..][..k]);
        }
    } else {
        let y = x.to_vec();
        for (to, from) in rows(factors, n).enumerate() {
            x[to * k..][..k].copy_from_slice(&y[from * k..][..k]);
        }
        lower.solve(x, k);
        upper.solve(x, k);
    }
}
