//! Sums of products: vectors with vectors, matrices with vectors, matrices with matrices.
//!
//! # Order
//! Each function documents the order of its sums. It depends on extents alone, never on strides, addresses or what the
//! processor offers, so the same elements give the same bits wherever they lie. Only [`Number::blocked_product`] leaves
//! the order to faer, which therefore gets its operands in one layout always.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{ArrayView1, ArrayView2};

use crate::value::Element;

/// How many elements of a row are combined before they meet the rest.
pub const TILE: usize = 512;

/// From how many elements on a tile is combined by interleaved accumulators.
pub const MIN_INTERLEAVED: usize = 16;

/// How many interleaved accumulators there are.
pub const ACCUMULATORS: usize = 8;

/// Up to how many products of elements a product of matrices is not worth faer's preparations.
pub const MAX_UNBLOCKED: usize = 512;

/// How many rows of a matrix are read side by side, which hides the latency of additions.
const ROWS: usize = 4;

/// An element that can be added and multiplied.
pub(crate) trait Number: Element {
    /// The number 0.
    const ZERO: Self;

    /// `self + y`; integers wrap.
    fn plus(self, y: Self) -> Self;

    /// `self · y`; integers wrap.
    fn times(self, y: Self) -> Self;

    /// The product of matrices that are worth blocking, row-major.
    fn blocked_product(lhs: Matrix<'_, Self>, rhs: Matrix<'_, Self>, result: &mut [Self]);
}

/// Runs the body with `$t` standing for the Rust type of a numeric dtype.
macro_rules! with_number {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::value::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::value::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::value::DType::I64 => {
                type $t = i64;
                $body
            }
            $crate::value::DType::Bool => unreachable!("bug: bool passed inference where numbers are needed"),
        }
    };
}
pub(crate) use with_number;

macro_rules! float {
    ($($float:ty),*) => {$(
        impl Number for $float {
            const ZERO: $float = 0.0;

            #[inline(always)]
            fn plus(self, y: $float) -> $float {
                self + y
            }

            #[inline(always)]
            fn times(self, y: $float) -> $float {
                self * y
            }

            fn blocked_product(lhs: Matrix<'_, $float>, rhs: Matrix<'_, $float>, result: &mut [$float]) {
                let (m, n) = (lhs.rows, rhs.columns);
                let result = MatMut::from_row_major_slice_mut(result, m, n);
                matmul(result, Accum::Replace, lhs.faer(), rhs.faer(), 1.0, Par::Seq);
            }
        }
    )*};
}
float!(f64, f32);

impl Number for i64 {
    const ZERO: i64 = 0;

    #[inline(always)]
    fn plus(self, y: i64) -> i64 {
        self.wrapping_add(y)
    }

    #[inline(always)]
    fn times(self, y: i64) -> i64 {
        self.wrapping_mul(y)
    }

    /// Wrapping sums do not depend on their order, and no library multiplies integers.
    fn blocked_product(lhs: Matrix<'_, i64>, rhs: Matrix<'_, i64>, result: &mut [i64]) {
        product_by_rows(lhs, rhs, result);
    }
}

/// A matrix without gaps, by rows or by columns.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    /// The elements.
    pub elements: &'a [T],
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub columns: usize,
    /// Whether columns, not rows, lie in one piece.
    pub by_columns: bool,
}

impl<'a, T: Copy> Matrix<'a, T> {
    fn faer(self) -> MatRef<'a, T> {
        if self.by_columns {
            MatRef::from_column_major_slice(self.elements, self.rows, self.columns)
        } else {
            MatRef::from_row_major_slice(self.elements, self.rows, self.columns)
        }
    }

    /// The matrix with rows and columns exchanged.
    pub fn transposed(self) -> Matrix<'a, T> {
        Matrix { rows: self.columns, columns: self.rows, by_columns: !self.by_columns, ..self }
    }

    /// The matrix or its transpose, whichever has rows that lie in one piece.
    fn rows_in_memory(self) -> ArrayView2<'a, T> {
        let shape = if self.by_columns { (self.columns, self.rows) } else { (self.rows, self.columns) };
        ArrayView2::from_shape(shape, self.elements).expect("bug: a matrix with gaps")
    }

    /// The matrix.
    fn view(self) -> ArrayView2<'a, T> {
        if self.by_columns { self.rows_in_memory().reversed_axes() } else { self.rows_in_memory() }
    }
}

/// `result[i, j] = Σₖ lhs[i, k] · rhs[k, j]`, row-major.
///
/// Up to [`MAX_UNBLOCKED`] products, each row of the result is that of [`vector_times_rows`], or of
/// [`rows_times_vector`] if `rhs` lies by columns; beyond, the order is faer's.
pub(crate) fn product<T: Number>(lhs: Matrix<'_, T>, rhs: Matrix<'_, T>, result: &mut [T]) {
    if lhs.rows * lhs.columns * rhs.columns <= MAX_UNBLOCKED || lhs.columns <= 1 {
        product_by_rows(lhs, rhs, result);
    } else {
        T::blocked_product(lhs, rhs, result);
    }
}

fn product_by_rows<T: Number>(lhs: Matrix<'_, T>, rhs: Matrix<'_, T>, result: &mut [T]) {
    let (lhs, columns) = (lhs.view(), rhs.columns);
    let w = rhs.rows_in_memory();
    for (x, y) in lhs.rows().into_iter().zip(result.chunks_exact_mut(columns.max(1))) {
        match (rhs.by_columns, x.to_slice()) {
            (false, _) => vector_times_rows(x, w, y),
            (true, Some(x)) => rows_times_vector(w, x, y),
            (true, None) => rows_times_vector(w, &x.to_vec(), y),
        }
    }
}

/// Compiles a function twice, for any processor and for one with AVX2, and calls what fits. Nothing in the body depends
/// on which: no compiler may fuse or reorder its operations.
macro_rules! widened {
    ($(#[$doc:meta])* fn $name:ident / $wide:ident = $body:ident($($argument:ident: $ty:ty),*)) => {
        $(#[$doc])*
        pub(crate) fn $name<T: Number>($($argument: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor was just found to have what the function asks for.
                return unsafe { $wide($($argument),*) };
            }
            $body($($argument),*)
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn $wide<T: Number>($($argument: $ty),*) {
            $body($($argument),*)
        }
    };
}

widened! {
    /// `y[i] = Σₖ w[i, k] · x[k]`.
    ///
    /// The order is that of a reduction over the last axis: the products of a row are cut into tiles of [`TILE`]. A tile
    /// shorter than [`MIN_INTERLEAVED`] is added from left to right; a longer one by [`ACCUMULATORS`] interleaved
    /// accumulators, product `k` into accumulator `k mod 8`, added at the end as
    /// `((a₀+a₄)+(a₂+a₆))+((a₁+a₅)+(a₃+a₇))`. The tiles' sums are added from left to right. All begin at 0.
    ///
    /// # Panics
    /// If a row of `w` does not lie in one piece.
    fn rows_times_vector / rows_times_vector_avx2 = rows_times_vector_body(w: ArrayView2<'_, T>, x: &[T], y: &mut [T])
}

widened! {
    /// `y[j] = Σₖ x[k] · w[k, j]`, each sum from left to right, beginning at 0: the order of a reduction over the first
    /// axis.
    ///
    /// # Panics
    /// If a row of `w` does not lie in one piece.
    fn vector_times_rows / vector_times_rows_avx2 = vector_times_rows_body(x: ArrayView1<'_, T>, w: ArrayView2<'_, T>, y: &mut [T])
}

/// One row, whose elements lie in one piece.
#[inline(always)]
fn row<'a, T>(w: ArrayView2<'a, T>, i: usize) -> &'a [T] {
    w.index_axis_move(ndarray::Axis(0), i).to_slice().expect("bug: a row in several pieces")
}

#[inline(always)]
fn rows_times_vector_body<T: Number>(w: ArrayView2<'_, T>, x: &[T], y: &mut [T]) {
    let whole = y.len() / ROWS * ROWS;
    for i in (0..whole).step_by(ROWS) {
        let sums = dots([row(w, i), row(w, i + 1), row(w, i + 2), row(w, i + 3)], x);
        y[i..i + ROWS].copy_from_slice(&sums);
    }
    for (i, y) in y.iter_mut().enumerate().skip(whole) {
        [*y] = dots([row(w, i)], x);
    }
}

/// The products of several rows with one vector.
#[inline(always)]
fn dots<T: Number, const R: usize>(rows: [&[T]; R], x: &[T]) -> [T; R] {
    let mut sums = [T::ZERO; R];
    let mut start = 0;
    while start < x.len() {
        let end = x.len().min(start + TILE);
        let tile = tile_dots(rows.map(|row| &row[start..end]), &x[start..end]);
        for r in 0..R {
            sums[r] = sums[r].plus(tile[r]);
        }
        start = end;
    }
    sums
}

#[inline(always)]
fn tile_dots<T: Number, const R: usize>(rows: [&[T]; R], x: &[T]) -> [T; R] {
    if x.len() < MIN_INTERLEAVED {
        return rows.map(|row| row.iter().zip(x).fold(T::ZERO, |sum, (&w, &x)| sum.plus(w.times(x))));
    }
    let mut a = [[T::ZERO; ACCUMULATORS]; R];
    let (chunks, rest) = x.as_chunks::<ACCUMULATORS>();
    let row_chunks = rows.map(|row| &row.as_chunks::<ACCUMULATORS>().0[..chunks.len()]);
    for (c, x) in chunks.iter().enumerate() {
        for r in 0..R {
            let w = &row_chunks[r][c];
            for lane in 0..ACCUMULATORS {
                a[r][lane] = a[r][lane].plus(w[lane].times(x[lane]));
            }
        }
    }
    let whole = x.len() - rest.len();
    for r in 0..R {
        for (lane, (&w, &x)) in rows[r][whole..].iter().zip(rest).enumerate() {
            a[r][lane] = a[r][lane].plus(w.times(x));
        }
    }
    a.map(|a| {
        let pairs = [0, 1, 2, 3].map(|lane| a[lane].plus(a[lane + 4]));
        pairs[0].plus(pairs[2]).plus(pairs[1].plus(pairs[3]))
    })
}

#[inline(always)]
fn vector_times_rows_body<T: Number>(x: ArrayView1<'_, T>, w: ArrayView2<'_, T>, y: &mut [T]) {
    y.fill(T::ZERO);
    let whole = x.len() / ROWS * ROWS;
    for k in (0..whole).step_by(ROWS) {
        add_rows(y, [x[k], x[k + 1], x[k + 2], x[k + 3]], [row(w, k), row(w, k + 1), row(w, k + 2), row(w, k + 3)]);
    }
    for k in whole..x.len() {
        add_rows(y, [x[k]], [row(w, k)]);
    }
}

/// `y[j] += x[0] · rows[0][j]`, then `x[1] · rows[1][j]`, and so on.
#[inline(always)]
fn add_rows<T: Number, const R: usize>(y: &mut [T], x: [T; R], rows: [&[T]; R]) {
    let rows = rows.map(|row| &row[..y.len()]);
    for (j, y) in y.iter_mut().enumerate() {
        let mut sum = *y;
        for r in 0..R {
            sum = sum.plus(x[r].times(rows[r][j]));
        }
        *y = sum;
    }
}
