//! A matrix of `f64` with what algorithms of linear algebra are written in: products, norms, solutions.

use std::ops::{Index, IndexMut};

use faer::Par;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::lu::partial_pivoting as lu;
use faer::perm::PermRef;

use super::{Real, faer_mut};
use crate::math::linear::{Matrix, product};

/// A row-major matrix. Kernels compute in it for operands of `f32`, too, whose results are then rounded once.
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
    pub fn read<T: Real>(elements: &[T], rows: usize, columns: usize) -> Dense {
        let elements = elements.iter().map(|x| num_traits::ToPrimitive::to_f64(x).expect("bug: a float is a number"));
        Dense { rows, columns, elements: elements.collect() }
    }

    /// Rounds the elements to a result, in row-major order.
    pub fn write<T: Real>(&self, result: &mut [T]) {
        for (y, &x) in result.iter_mut().zip(&self.elements) {
            *y = <T as num_traits::NumCast>::from(x).expect("bug: floats are numbers");
        }
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

    /// Three rows that follow each other, or two.
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

/// The factors of a matrix, with partial pivoting.
pub(crate) struct Factors {
    /// The unit lower factor below the diagonal, the upper one on it and above.
    factors: Dense,
    /// For each row of the factors, the row of the matrix.
    order: Vec<usize>,
    inverse: Vec<usize>,
}

impl Factors {
    /// `None` where a pivot vanishes or an element is infinite or NaN.
    pub fn new(matrix: &Dense) -> Option<Factors> {
        if !matrix.is_finite() {
            return None;
        }
        let n = matrix.rows;
        let mut new = Factors { factors: matrix.clone(), order: (0..n).collect(), inverse: (0..n).collect() };
        if n < MIN_BLOCKED {
            new.eliminate()
        } else {
            new.factor_blocked()
        }
        (0..n).all(|k| new.factors[(k, k)] != 0.0).then_some(new)
    }

    fn eliminate(&mut self) {
        let n = self.factors.rows;
        let a = &mut self.factors;
        for k in 0..n {
            let pivot = (k..n).max_by(|&i, &j| a[(i, k)].abs().total_cmp(&a[(j, k)].abs())).unwrap_or(k);
            if a[(pivot, k)] == 0.0 {
                return;
            }
            a.swap_rows(k, pivot);
            self.order.swap(k, pivot);
            for i in k + 1..n {
                let factor = a[(i, k)] / a[(k, k)];
                a[(i, k)] = factor;
                if factor != 0.0 {
                    a.subtract_row(i, k, factor, k + 1);
                }
            }
        }
    }

    fn factor_blocked(&mut self) {
        let n = self.factors.rows;
        let mut room =
            MemBuffer::new(lu::factor::lu_in_place_scratch::<usize, f64>(n, n, Par::Seq, Default::default()));
        lu::factor::lu_in_place(
            faer_mut(&mut self.factors.elements, n, n),
            &mut self.order,
            &mut self.inverse,
            Par::Seq,
            MemStack::new(&mut room),
            Default::default(),
        );
    }

    /// The X of `matrix · X = rhs`; `None` where it is infinite or NaN.
    pub fn solve(&self, rhs: &Dense) -> Option<Dense> {
        if !rhs.is_finite() {
            return None;
        }
        let x = if self.factors.rows < MIN_BLOCKED { self.substitute(rhs) } else { self.solve_blocked(rhs) };
        x.is_finite().then_some(x)
    }

    fn substitute(&self, rhs: &Dense) -> Dense {
        let (n, factors) = (self.factors.rows, &self.factors);
        let mut x = Dense::zeros(n, rhs.columns);
        for (i, &from) in self.order.iter().enumerate() {
            x.row_mut(i).copy_from_slice(rhs.row(from));
        }
        for k in 0..n {
            for i in k + 1..n {
                x.subtract_row(i, k, factors[(i, k)], 0);
            }
        }
        for k in (0..n).rev() {
            let pivot = factors[(k, k)];
            x.row_mut(k).iter_mut().for_each(|x| *x /= pivot);
            for i in 0..k {
                x.subtract_row(i, k, factors[(i, k)], 0);
            }
        }
        x
    }

    fn solve_blocked(&self, rhs: &Dense) -> Dense {
        let (n, columns) = (rhs.rows, rhs.columns);
        let mut x = rhs.clone();
        let mut room = MemBuffer::new(lu::solve::solve_in_place_scratch::<usize, f64>(n, columns, Par::Seq));
        let factors = super::faer(&self.factors.elements, n, n);
        lu::solve::solve_in_place(
            factors,
            factors,
            PermRef::new_checked(&self.order, &self.inverse, n),
            faer_mut(&mut x.elements, n, columns),
            Par::Seq,
            MemStack::new(&mut room),
        );
        x
    }
}

/// The fewest rows that faer factors; its calls take longer than smaller factors.
const MIN_BLOCKED: usize = 24;

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

/// The sum of products, by eight interleaved parts, which lanes can add.
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    const PARTS: usize = 8;
    let mut sums = [0.0; PARTS];
    let (xs, ys) = (x.chunks_exact(PARTS), y.chunks_exact(PARTS));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in xs.zip(ys) {
        (0..PARTS).for_each(|k| sums[k] += x[k] * y[k]);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
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
