//! Equations with tridiagonal and banded matrices, by factors with partial pivoting, as LAPACK's `gtsv` and `gbsv`.

use super::Real;

/// The X with `A X = B` for matrices A of `n` rows, of which row `i` has `lower[i]` before the diagonal, and `upper[i]`
/// behind it; `lower[0]` and `upper[n - 1]` count for nothing. NaN where a pivot is 0.
pub(crate) fn tridiagonal<T: Real>([lower, diagonal, upper, b]: [&[T]; 4], columns: usize, x: &mut [T]) {
    let n = diagonal.len();
    x.copy_from_slice(b);
    let (mut d, mut above) = (diagonal.to_vec(), upper.to_vec());
    // What pivoting brings to the second diagonal above.
    let mut second = vec![T::ZERO; n];
    for i in 0..n.saturating_sub(1) {
        let below = lower[i + 1];
        let (first, rest) = x[i * columns..].split_at_mut(columns);
        let next = &mut rest[..columns];
        let size = |x: T| num_traits::Float::abs(x);
        if size(d[i]) >= size(below) {
            if d[i] == T::ZERO {
                return x.fill(num_traits::Float::nan());
            }
            let factor = below / d[i];
            d[i + 1] -= factor * above[i];
            next.iter_mut().zip(&*first).for_each(|(x, &y)| *x -= factor * y);
        } else {
            let factor = d[i] / below;
            d[i] = below;
            let diagonal = d[i + 1];
            d[i + 1] = above[i] - factor * diagonal;
            if i + 2 < n {
                second[i] = above[i + 1];
                above[i + 1] = -factor * second[i];
            }
            above[i] = diagonal;
            for (x, y) in next.iter_mut().zip(first) {
                (*x, *y) = (*y - factor * *x, *x);
            }
        }
    }
    if n > 0 && d[n - 1] == T::ZERO {
        return x.fill(num_traits::Float::nan());
    }
    for i in (0..n).rev() {
        for column in 0..columns {
            let mut sum = x[i * columns + column];
            if i + 1 < n {
                sum -= above[i] * x[(i + 1) * columns + column];
            }
            if i + 2 < n {
                sum -= second[i] * x[(i + 2) * columns + column];
            }
            x[i * columns + column] = sum / d[i];
        }
    }
    poison(x);
}

/// The X with `A X = B` for a banded matrix with `lower` diagonals below the main one and `upper` above it: element
/// `(i, k)` is `bands[upper + i - k, k]`. NaN where a pivot is 0.
pub(crate) fn banded<T: Real>(
    [lower, upper]: [usize; 2],
    [bands, b]: [&[T]; 2],
    [n, columns]: [usize; 2],
    x: &mut [T],
) {
    x.copy_from_slice(b);
    // By rows: element (i, k) at `k + lower - i`; pivoting fills so many diagonals more.
    let width = 2 * lower + upper + 1;
    let mut rows = vec![T::ZERO; n * width];
    for i in 0..n {
        for k in i.saturating_sub(lower)..n.min(i + upper + 1) {
            rows[i * width + k + lower - i] = bands[(upper + i - k) * n + k];
        }
    }
    let place = |i: usize, k: usize| i * width + k + lower - i;
    for k in 0..n {
        let end = n.min(k + lower + 1);
        let mut pivot = k;
        for i in k + 1..end {
            if num_traits::Float::abs(rows[place(i, k)]) > num_traits::Float::abs(rows[place(pivot, k)]) {
                pivot = i;
            }
        }
        let last = n.min(k + lower + upper + 1);
        if rows[place(pivot, k)] == T::ZERO {
            return x.fill(num_traits::Float::nan());
        }
        if pivot != k {
            (k..last).for_each(|column| rows.swap(place(k, column), place(pivot, column)));
            (0..columns).for_each(|column| x.swap(k * columns + column, pivot * columns + column));
        }
        for i in k + 1..end {
            let factor = rows[place(i, k)] / rows[place(k, k)];
            subtract(&mut rows, [place(k, k + 1), place(i, k + 1)], last - k - 1, factor);
            subtract(x, [k * columns, i * columns], columns, factor);
        }
    }
    for i in (0..n).rev() {
        let last = n.min(i + lower + upper + 1);
        for column in 0..columns {
            let mut sum = x[i * columns + column];
            for k in i + 1..last {
                sum -= rows[place(i, k)] * x[k * columns + column];
            }
            x[i * columns + column] = sum / rows[place(i, i)];
        }
    }
    poison(x);
}

/// Subtracts so many times the elements from the first place on from those from the second place on, which is behind them.
fn subtract<T: Real>(x: &mut [T], [from, to]: [usize; 2], n: usize, factor: T) {
    let (low, high) = x.split_at_mut(to);
    high[..n].iter_mut().zip(&low[from..]).for_each(|(x, &y)| *x -= factor * y);
}

/// A solution that is not finite is none.
fn poison<T: Real>(x: &mut [T]) {
    if !super::is_finite(x) {
        x.fill(num_traits::Float::nan());
    }
}
