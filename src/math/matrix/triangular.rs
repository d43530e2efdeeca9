//! Triangular systems.

use faer::Par;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place, solve_unit_upper_triangular_in_place,
    solve_upper_triangular_in_place,
};
use faer::{MatMut, MatRef};

use super::lu::MIN_BLOCKED;
use super::{Real, faer_mut};

/// A triangle of a square matrix, or of its transpose.
#[derive(Clone, Copy)]
pub(crate) struct Triangle<'a, T> {
    /// The elements of the matrix, in row-major order.
    pub elements: &'a [T],
    /// The extent of the matrix.
    pub n: usize,
    /// From one row to the next.
    pub stride: usize,
    /// Whether it is the lower triangle of the matrix as it lies in memory.
    pub lower: bool,
    /// Whether the transpose is meant.
    pub transposed: bool,
    /// Whether the diagonal counts as ones.
    pub unit: bool,
}

impl<T: Real> Triangle<'_, T> {
    /// Solves for `k` right-hand sides, the columns of `x`, in place.
    pub fn solve(self, x: &mut [T], k: usize) {
        match (k, self.transposed) {
            (1, false) => self.solve_by_rows(x),
            (1, true) => self.solve_by_columns(x),
            _ if self.n < MIN_BLOCKED => self.solve_few(x, k),
            _ => self.solve_many(faer_mut(x, self.n, k)),
        }
    }

    fn row(&self, i: usize) -> &[T] {
        &self.elements[i * self.stride..][..self.n]
    }

    /// Each unknown from those before it.
    fn solve_by_rows(self, x: &mut [T]) {
        for step in 0..self.n {
            let (i, known) = if self.lower { (step, 0..step) } else { (self.n - 1 - step, self.n - step..self.n) };
            let row = self.row(i);
            let rest = x[i] - dot(&row[known.clone()], &x[known]);
            x[i] = if self.unit { rest } else { rest / row[i] };
        }
    }

    /// The transpose, whose columns are rows in memory: what each unknown adds to the equations after it.
    fn solve_by_columns(self, x: &mut [T]) {
        for step in 0..self.n {
            let (i, others) =
                if self.lower { (self.n - 1 - step, 0..self.n - 1 - step) } else { (step, step + 1..self.n) };
            let row = self.row(i);
            if !self.unit {
                x[i] /= row[i];
            }
            let known = x[i];
            for (x, &t) in x[others.clone()].iter_mut().zip(&row[others]) {
                *x -= known * t;
            }
        }
    }

    /// What each unknown adds to the equations after it, for all right-hand sides.
    fn solve_few(self, x: &mut [T], k: usize) {
        let forward = self.lower != self.transposed;
        for step in 0..self.n {
            let (i, others) =
                if forward { (step, step + 1..self.n) } else { (self.n - 1 - step, 0..self.n - 1 - step) };
            if !self.unit {
                let pivot = self.row(i)[i];
                x[i * k..][..k].iter_mut().for_each(|x| *x /= pivot);
            }
            for other in others {
                let factor = if self.transposed { self.row(i)[other] } else { self.row(other)[i] };
                let (low, high) = x.split_at_mut(i.max(other) * k);
                let (known, target) = if i < other {
                    (&low[i * k..][..k], &mut high[..k])
                } else {
                    (&high[..k], &mut low[other * k..][..k])
                };
                target.iter_mut().zip(known).for_each(|(x, &known)| *x -= factor * known);
            }
        }
    }

    fn solve_many(self, x: MatMut<'_, T>) {
        if self.n == 0 || x.ncols() == 0 {
            return;
        }
        let whole = MatRef::from_row_major_slice_with_stride(self.elements, self.n, self.n, self.stride);
        let matrix = if self.transposed { whole.transpose() } else { whole };
        match (self.lower != self.transposed, self.unit) {
            (true, false) => solve_lower_triangular_in_place(matrix, x, Par::Seq),
            (true, true) => solve_unit_lower_triangular_in_place(matrix, x, Par::Seq),
            (false, false) => solve_upper_triangular_in_place(matrix, x, Par::Seq),
            (false, true) => solve_unit_upper_triangular_in_place(matrix, x, Par::Seq),
        }
    }
}

/// A sum of products by eight interleaved accumulators.
pub(super) fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::ZERO; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest = xs.remainder().iter().zip(ys.remainder());
    for (x, y) in xs.zip(ys) {
        for (sum, (&x, &y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    let rest = rest.fold(T::ZERO, |sum, (&x, &y)| sum + x * y);
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) + rest
}

/// Sets the columns of `x` to zeros that belong to columns of `b` that are zeros; each row has `k` elements.
pub(crate) fn zero_where_zero<T: Real>(x: &mut [T], b: &[T], k: usize) {
    for column in 0..k {
        if b.iter().skip(column).step_by(k).all(|&b| b == T::ZERO) {
            x.iter_mut().skip(column).step_by(k).for_each(|x| *x = T::ZERO);
        }
    }
}
