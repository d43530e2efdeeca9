//! A matrix of `f64` with what algorithms of linear algebra are written in: products, norms, solutions.

use std::ops::{Index, IndexMut};

use super::lu;
use super::triangular::dot;
use crate::math::linear::{Matrix, product};

/// A row-major matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dense {
    rows: usize,
    columns: usize,
    elements: Vec<f64>,
}

impl Dense {
    pub fn zeros(rows: usize, columns: usize) -> Dense {
        Dense { rows, columns, elements: vec![0.0; rows * columns] }
    }

    pub fn identity(n: usize) -> Dense {
        Dense::from_fn(n, n, |i, k| f64::from(u8::from(i == k)))
    }

    pub fn from_fn(rows: usize, columns: usize, mut element: impl FnMut(usize, usize) -> f64) -> Dense {
        let mut x = Dense::zeros(rows, columns);
        for i in 0..rows {
            for k in 0..columns {
                x[(i, k)] = element(i, k);
            }
        }
        x
    }

    /// The matrix of elements in row-major order.
    pub fn read(elements: &[f64], rows: usize, columns: usize) -> Dense {
        Dense { rows, columns, elements: elements.to_vec() }
    }

    /// Copies the elements to a result, in row-major order.
    pub fn write(&self, result: &mut [f64]) {
        result.copy_from_slice(&self.elements);
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn row(&self, i: usize) -> &[f64] {
        &self.elements[i * self.columns..][..self.columns]
    }

    /// Rows that follow each other.
    pub fn rows_of(&self, i: usize, n_rows: usize) -> &[f64] {
        &self.elements[i * self.columns..][..n_rows * self.columns]
    }

    /// Rows that follow each other.
    pub fn rows_mut(&mut self, i: usize, n_rows: usize) -> &mut [f64] {
        &mut self.elements[i * self.columns..][..n_rows * self.columns]
    }

    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.elements[i * self.columns..][..self.columns]
    }

    pub fn transposed(&self) -> Dense {
        Dense::from_fn(self.columns, self.rows, |i, k| self[(k, i)])
    }

    /// `self · rhs`.
    pub fn times(&self, rhs: &Dense) -> Dense {
        if rhs.columns == 1 {
            return Dense::from_fn(self.rows, 1, |i, _| dot(self.row(i), &rhs.elements));
        }
        let mut result = Dense::zeros(self.rows, rhs.columns);
        product(self.matrix(), rhs.matrix(), &mut result.elements);
        result
    }

    /// `selfᵀ · rhs`.
    pub fn transposed_times(&self, rhs: &Dense) -> Dense {
        let mut result = Dense::zeros(self.columns, rhs.columns);
        product(self.matrix().transposed(), rhs.matrix(), &mut result.elements);
        result
    }

    /// `self · rhsᵀ`.
    pub fn times_transposed(&self, rhs: &Dense) -> Dense {
        let mut result = Dense::zeros(self.rows, rhs.rows);
        product(self.matrix(), rhs.matrix().transposed(), &mut result.elements);
        result
    }

    fn matrix(&self) -> Matrix<'_, f64> {
        Matrix { elements: &self.elements, rows: self.rows, columns: self.columns, by_columns: false }
    }

    pub fn map(mut self, f: impl Fn(f64) -> f64) -> Dense {
        self.elements.iter_mut().for_each(|x| *x = f(*x));
        self
    }

    /// Elementwise.
    pub fn with(mut self, other: &Dense, f: impl Fn(f64, f64) -> f64) -> Dense {
        self.elements.iter_mut().zip(&other.elements).for_each(|(x, &y)| *x = f(*x, y));
        self
    }

    pub fn plus(self, other: &Dense) -> Dense {
        self.with(other, |x, y| x + y)
    }

    pub fn minus(self, other: &Dense) -> Dense {
        self.with(other, |x, y| x - y)
    }

    pub fn scaled(self, factor: f64) -> Dense {
        self.map(|x| x * factor)
    }

    /// Adds `factor · other`.
    pub fn add(&mut self, factor: f64, other: &Dense) {
        self.elements.iter_mut().zip(&other.elements).for_each(|(x, y)| *x += factor * y);
    }

    /// Adds `x` to each element of the diagonal.
    pub fn shift(&mut self, x: f64) {
        let step = self.columns + 1;
        self.elements.iter_mut().step_by(step).for_each(|d| *d += x);
    }

    /// `(x + xᵀ) / 2`.
    pub fn symmetric_part(&self) -> Dense {
        Dense::from_fn(self.rows, self.columns, |i, k| 0.5 * self[(i, k)] + 0.5 * self[(k, i)])
    }

    /// The largest sum of magnitudes of a column; NaN if an element is NaN.
    pub fn norm1(&self) -> f64 {
        let mut sums = vec![0.0; self.columns];
        for i in 0..self.rows {
            sums.iter_mut().zip(self.row(i)).for_each(|(sum, x)| *sum += x.abs());
        }
        sums.into_iter().fold(0.0, |a, b| if b.is_nan() || b > a { b } else { a })
    }

    /// The largest magnitude; NaN if an element is NaN.
    pub fn max_abs(&self) -> f64 {
        self.elements.iter().map(|x| x.abs()).fold(0.0, |a: f64, b| if b.is_nan() || b > a { b } else { a })
    }

    pub fn is_zero(&self) -> bool {
        self.elements.iter().all(|&x| x == 0.0)
    }

    pub fn is_finite(&self) -> bool {
        self.elements.iter().all(|x| x.is_finite())
    }

    pub fn nan(rows: usize, columns: usize) -> Dense {
        Dense { rows, columns, elements: vec![f64::NAN; rows * columns] }
    }

    /// The block that begins at that row and column.
    pub fn block(&self, row: usize, column: usize, rows: usize, columns: usize) -> Dense {
        Dense::from_fn(rows, columns, |i, k| self[(row + i, column + k)])
    }

    /// Writes a block that begins at that row and column.
    pub fn set_block(&mut self, row: usize, column: usize, block: &Dense) {
        for i in 0..block.rows {
            self.row_mut(row + i)[column..][..block.columns].copy_from_slice(block.row(i));
        }
    }

    /// The X of `self · X = rhs`; `None` where a pivot vanishes or a number is infinite or NaN.
    pub fn solve(&self, rhs: &Dense) -> Option<Dense> {
        Factors::new(self)?.solve(rhs)
    }

    pub fn swap_rows(&mut self, i: usize, k: usize) {
        for column in 0..self.columns {
            self.elements.swap(i * self.columns + column, k * self.columns + column);
        }
    }

    /// Subtracts `factor` times row `k` from row `i`, from a column on.
    pub fn subtract_row(&mut self, i: usize, k: usize, factor: f64, from: usize) {
        let n = self.columns;
        let (low, high) = self.elements.split_at_mut(i.max(k) * n);
        let (target, source) =
            if i < k { (&mut low[i * n..][..n], &high[..n]) } else { (&mut high[..n], &low[k * n..][..n]) };
        target[from..].iter_mut().zip(&source[from..]).for_each(|(x, y)| *x -= factor * y);
    }
}

/// The factors of a matrix; see [`lu`].
pub(crate) struct Factors {
    factors: Vec<f64>,
    n: usize,
}

impl Factors {
    /// `None` where a pivot vanishes or an element is infinite or NaN.
    pub fn new(matrix: &Dense) -> Option<Factors> {
        if !matrix.is_finite() {
            return None;
        }
        let n = matrix.rows;
        let mut factors = vec![0.0; n * (n + 1)];
        lu::lu(&matrix.elements, n, &mut factors);
        (0..n).all(|k| factors[k * (n + 1) + k] != 0.0).then_some(Factors { factors, n })
    }

    /// The X of `matrix · X = rhs`; `None` where it is infinite or NaN.
    pub fn solve(&self, rhs: &Dense) -> Option<Dense> {
        if !rhs.is_finite() {
            return None;
        }
        let mut x = rhs.clone();
        lu::solve(&self.factors, self.n, false, &mut x.elements, rhs.columns);
        x.is_finite().then_some(x)
    }
}

impl Index<(usize, usize)> for Dense {
    type Output = f64;

    fn index(&self, (i, k): (usize, usize)) -> &f64 {
        &self.elements[i * self.columns + k]
    }
}

impl IndexMut<(usize, usize)> for Dense {
    fn index_mut(&mut self, (i, k): (usize, usize)) -> &mut f64 {
        &mut self.elements[i * self.columns + k]
    }
}

/// The power of two next above a number: by it a matrix is scaled without rounding.
pub(crate) fn binary_exponent(x: f64) -> i32 {
    match x {
        x if x == 0.0 || !x.is_finite() => 0,
        x => {
            let (_, exponent, _) = num_traits::Float::integer_decode(x);
            i32::from(exponent) + 53
        }
    }
}

/// `x · 2^exponent`, rounded once at most where it ends in subnormal numbers.
pub(crate) fn times_power_of_two(x: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    // Two factors, as one may lie beyond the greatest power.
    let power = |n: i32| f64::powi(2.0, n.clamp(-1022, 1023));
    x * power(half) * power(exponent - half)
}
