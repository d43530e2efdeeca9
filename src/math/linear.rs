//! Sums of products: vectors with vectors, matrices with vectors, matrices with matrices.
//!
//! # Order
//! Each function documents the order of its sums. It depends on extents alone, never on strides, addresses or the
//! processor, so the same elements give the same bits in any layout. Only [`Number::blocked_product`] leaves the order
//! to faer, which therefore always gets its operands in the same layout.

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;

use faer::{MatMut, MatRef};
use ndarray::{ArrayView1, ArrayView2, Axis};

#[cfg(target_arch = "x86_64")]
use super::accumulators::{Accumulators, Doubles, Singles};
use super::pairwise::{self, Combine, Partials};
use super::structured;
use crate::value::{DType, Element};

/// The number of elements of a row that are combined before they are added to the rest.
pub const TILE: usize = 512;

/// The fewest elements of a tile that is combined by interleaved accumulators.
pub const MIN_INTERLEAVED: usize = 16;

/// The number of interleaved accumulators.
pub const ACCUMULATORS: usize = 8;

/// The most multiplications of a matrix product that is not blocked.
pub(crate) const MAX_PLAIN: usize = 512;

/// The number of rows of a matrix that are processed together, which hides the latency of additions.
pub(super) const ROWS: usize = 4;

/// An element that can be added and multiplied.
pub(crate) trait Number: Element {
    /// The number 0.
    const ZERO: Self;

    /// The number 1.
    const ONE: Self;

    /// `self + y`; integers wrap.
    fn plus(self, y: Self) -> Self;

    /// `self · y`; integers wrap.
    fn times(self, y: Self) -> Self;

    /// The row-major product of matrices that are large enough for blocking.
    fn blocked_product(lhs: Matrix<'_, Self>, rhs: Matrix<'_, Self>, result: &mut [Self]);

    /// [`rows_times_vector`], by the instructions of the running processor.
    fn rows_times_vector(w: Rows<'_, Self>, x: &[Self], y: &mut [Self]);
}

/// Runs the body with `$t` as the Rust type of a numeric dtype.
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
    ($($float:ty, $accumulators:ident);*) => {$(
        impl Number for $float {
            const ZERO: $float = 0.0;
            const ONE: $float = 1.0;

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
                structured::product(lhs, rhs, result);
            }

            fn rows_times_vector(w: Rows<'_, $float>, x: &[$float], y: &mut [$float]) {
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has just been checked to have the features of the function.
                    return unsafe { rows_times_vector_in_registers::<$accumulators>(w, x, y) };
                }
                rows_times_vector_plain(w, x, y);
            }
        }
    )*};
}
float!(f64, Doubles; f32, Singles);

impl Number for i64 {
    const ZERO: i64 = 0;
    const ONE: i64 = 1;

    #[inline(always)]
    fn plus(self, y: i64) -> i64 {
        self.wrapping_add(y)
    }

    #[inline(always)]
    fn times(self, y: i64) -> i64 {
        self.wrapping_mul(y)
    }

    /// Wrapping sums do not depend on their order; faer does not multiply integers.
    fn blocked_product(lhs: Matrix<'_, i64>, rhs: Matrix<'_, i64>, result: &mut [i64]) {
        product_by_rows(lhs, rhs, result);
    }

    fn rows_times_vector(w: Rows<'_, i64>, x: &[i64], y: &mut [i64]) {
        rows_times_vector_widened(w, x, y);
    }
}

/// A matrix without gaps, row-major or column-major.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    /// The elements.
    pub elements: &'a [T],
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub columns: usize,
    /// Whether the matrix is column-major.
    pub by_columns: bool,
}

impl<'a, T: Copy> Matrix<'a, T> {
    pub(super) fn faer(self) -> MatRef<'a, T> {
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

    /// The matrix or its transpose, whichever is row-major.
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
/// Sums of one product have no order. For few products, the result is computed row by row: blocking would cost more
/// than it gains, and compiled code can do the same in registers. Otherwise the order is that of
/// [`Number::blocked_product`].
pub(crate) fn product<T: Number>(lhs: Matrix<'_, T>, rhs: Matrix<'_, T>, result: &mut [T]) {
    if lhs.columns <= 1 || lhs.rows * lhs.columns * rhs.columns <= MAX_PLAIN {
        product_by_rows(lhs, rhs, result)
    } else {
        T::blocked_product(lhs, rhs, result);
        clear_upper_halves();
    }
}

/// Clears the upper halves of wide registers, as compilers do at the end of code that uses them. The kernels of matrix
/// products do not, and compiled loops, which use the lower halves only, would then have a false dependency on the
/// upper halves in each step.
pub(crate) fn clear_upper_halves() {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") {
        #[target_feature(enable = "avx")]
        fn clear() {
            std::arch::x86_64::_mm256_zeroupper();
        }
        // SAFETY: the processor has just been checked to have the features of the function.
        unsafe { clear() }
    }
}

/// Compiles a function twice, for any processor and for one with AVX2, and calls the appropriate version. Results do
/// not depend on which: no compiler may fuse or reorder the body's operations.
macro_rules! widened {
    ($(#[$doc:meta])* fn $name:ident / $wide:ident = $body:ident($($argument:ident: $ty:ty),*)) => {
        $(#[$doc])*
        pub(crate) fn $name<T: Number>($($argument: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has just been checked to have the features of the function.
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

/// `y[i] = Σₖ w[i, k] · x[k]`.
///
/// The order is that of a reduction over the last axis: the products of a row are split into tiles of [`TILE`]. A
/// tile shorter than [`MIN_INTERLEAVED`] is added from left to right; a longer one by [`ACCUMULATORS`] interleaved
/// accumulators, product `k` into accumulator `k mod 8`, added at the end as `((a₀+a₄)+(a₂+a₆))+((a₁+a₅)+(a₃+a₇))`,
/// beginning at 0. The tiles' sums are added in the order of [`pairwise`].
pub(crate) fn rows_times_vector<T: Number>(w: Rows<'_, T>, x: &[T], y: &mut [T]) {
    T::rows_times_vector(w, x, y);
}

widened! {
    /// [`rows_times_vector`] as the compiler makes it.
    fn rows_times_vector_widened / rows_times_vector_avx2 =
        rows_times_vector_plain(w: Rows<'_, T>, x: &[T], y: &mut [T])
}

widened! {
    /// `y[j] = Σₖ x[k] · w[k, j]`, each sum in the order of [`pairwise`]: that of a reduction over the first axis.
    fn vector_times_rows / vector_times_rows_avx2 = vector_times_rows_body(x: ArrayView1<'_, T>, w: Rows<'_, T>, y: &mut [T])
}

widened! {
    /// Adds the products of some rows, so that all rows in consecutive parts give the bits of [`vector_times_rows`] if
    /// `y` begins at 0: `part` specifies which rows these are, and keeps partial sums from one part to the next.
    fn add_vector_times_rows / add_vector_times_rows_avx2 =
        add_vector_times_rows_body(x: ArrayView1<'_, T>, w: Rows<'_, T>, y: &mut [T], part: Part<'_, T>)
}

widened! {
    /// The product of matrices, row by row of the result, in the order of [`vector_times_rows`], or of
    /// [`rows_times_vector`] if `rhs` is column-major.
    fn product_by_rows / product_by_rows_avx2 =
        product_by_rows_body(lhs: Matrix<'_, T>, rhs: Matrix<'_, T>, result: &mut [T])
}

/// The address of the routine that compiled code calls for [`rows_times_vector`]. Its arguments: `n` rows, given by the
/// first one's address, the number of columns and the distance between rows in elements; the vector; the result.
pub(crate) fn rows_times_vector_address(dtype: DType) -> usize {
    with_number!(dtype, T => rows_times_vector_entry::<T> as *const () as usize)
}

/// The address of the routine that compiled code calls for [`add_vector_times_rows`]. Its arguments: the same, then the
/// partial sums ([`pairwise::levels`] rows of one element per column), the number of rows before these, and the total
/// number of rows.
pub(crate) fn add_vector_times_rows_address(dtype: DType) -> usize {
    with_number!(dtype, T => add_vector_times_rows_entry::<T> as *const () as usize)
}

/// # Safety
/// The addresses must point to as many elements as the extents specify, and the result must not overlap with the rest.
unsafe extern "C" fn rows_times_vector_entry<T: Number>(
    first: *const T,
    stride: isize,
    n: usize,
    columns: usize,
    x: *const T,
    y: *mut T,
) -> usize {
    let w = Rows { first, stride, n, columns, elements: PhantomData };
    // SAFETY: by this function's contract.
    let (x, y) = unsafe { (std::slice::from_raw_parts(x, columns), std::slice::from_raw_parts_mut(y, n)) };
    rows_times_vector(w, x, y);
    0
}

/// # Safety
/// As [`rows_times_vector_entry`]; nothing else may read or write the partial sums.
unsafe extern "C" fn add_vector_times_rows_entry<T: Number>(
    first: *const T,
    stride: isize,
    n: usize,
    columns: usize,
    x: *const T,
    y: *mut T,
    partials: *mut T,
    n_before: usize,
    n_total: usize,
) -> usize {
    let w = Rows { first, stride, n, columns, elements: PhantomData };
    let n_partials = pairwise::levels(n_total) * columns;
    let partials = if n_partials == 0 { NonNull::dangling().as_ptr() } else { partials };
    // SAFETY: by this function's contract.
    let (x, y, partials) = unsafe {
        (
            std::slice::from_raw_parts(x, n),
            std::slice::from_raw_parts_mut(y, columns),
            std::slice::from_raw_parts_mut(partials, n_partials),
        )
    };
    add_vector_times_rows(ArrayView1::from(x), w, y, Part { partials, n_before, n_total });
    0
}

/// A matrix whose rows are each contiguous, at equal distances.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    first: *const T,
    stride: isize,
    n: usize,
    columns: usize,
    elements: PhantomData<&'a [T]>,
}

impl<'a, T: Copy> Rows<'a, T> {
    /// # Panics
    /// If a row is not contiguous.
    pub fn new(view: ArrayView2<'a, T>) -> Rows<'a, T> {
        let (n, columns) = view.dim();
        // Without rows, strides are irrelevant.
        assert!(n == 0 || columns <= 1 || view.strides()[1] == 1, "bug: a row that is not contiguous");
        Rows { first: view.as_ptr(), stride: view.strides()[0], n, columns, elements: PhantomData }
    }

    #[inline(always)]
    fn row(self, i: usize) -> &'a [T] {
        debug_assert!(i < self.n, "bug: row {i} of {}", self.n);
        // SAFETY: the view's rows are `stride` apart, `columns` elements each, and live as long as it.
        unsafe { std::slice::from_raw_parts(self.first.offset(i as isize * self.stride), self.columns) }
    }

    #[inline(always)]
    fn rows<const R: usize>(self, i: usize) -> [&'a [T]; R] {
        std::array::from_fn(|r| self.row(i + r))
    }
}

/// How the products of a tile of several rows with a tile of a vector are computed, and each row's summed.
pub(super) trait TileDots<T> {
    /// At most [`TILE`] elements of each row, and as many of the vector.
    fn tile_dots<const R: usize>(rows: [&[T]; R], x: &[T]) -> [T; R];

    /// The products of rows of one tile, the sum of which is that of the row.
    #[inline(always)]
    fn tiles(w: Rows<'_, T>, x: &[T], y: &mut [T])
    where
        T: Number,
    {
        tiles_from::<T, Self>(0, w, x, y);
    }
}

/// [`TileDots::tiles`] from a row on.
#[inline(always)]
fn tiles_from<T: Number, D: TileDots<T> + ?Sized>(first: usize, w: Rows<'_, T>, x: &[T], y: &mut [T]) {
    let mut i = first;
    while i + ROWS <= y.len() {
        write_sums(&mut y[i..i + ROWS], D::tile_dots::<ROWS>(w.rows(i), x));
        i += ROWS;
    }
    while i < y.len() {
        write_sums(&mut y[i..i + 1], D::tile_dots::<1>(w.rows(i), x));
        i += 1;
    }
}

#[inline(always)]
fn write_sums<T: Number, const R: usize>(y: &mut [T], sums: [T; R]) {
    for r in 0..R {
        y[r] = T::ZERO.plus(sums[r]);
    }
}

/// As the compiler makes it.
pub(super) struct Plain;

#[inline(always)]
fn rows_times_vector_plain<T: Number>(w: Rows<'_, T>, x: &[T], y: &mut [T]) {
    rows_times_vector_body::<T, Plain>(w, x, y);
}

#[inline(always)]
fn rows_times_vector_body<T: Number, D: TileDots<T>>(w: Rows<'_, T>, x: &[T], y: &mut [T]) {
    assert!(w.n == y.len() && w.columns == x.len(), "bug: a matrix of other extents than the vectors");
    if x.len() <= TILE {
        return D::tiles(w, x, y);
    }
    let mut i = 0;
    while i + ROWS <= y.len() {
        y[i..i + ROWS].copy_from_slice(&dots::<T, D, ROWS>(w.rows(i), x));
        i += ROWS;
    }
    while i < y.len() {
        [y[i]] = dots::<T, D, 1>(w.rows(i), x);
        i += 1;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn rows_times_vector_in_registers<A: Accumulators<Element: Number>>(
    w: Rows<'_, A::Element>,
    x: &[A::Element],
    y: &mut [A::Element],
) {
    rows_times_vector_body::<A::Element, InRegisters<A>>(w, x, y);
}

/// The products of several rows with one vector.
#[inline(always)]
fn dots<T: Number, D: TileDots<T>, const R: usize>(rows: [&[T]; R], x: &[T]) -> [T; R] {
    const BLOCK_OF_TILES: usize = pairwise::BLOCK * TILE;
    if x.len() <= BLOCK_OF_TILES {
        return block_dots::<T, D, R>(rows, x);
    }
    let mut partials = [[T::ZERO; R]; pairwise::MAX_LEVELS];
    let n_blocks = x.len().div_ceil(BLOCK_OF_TILES);
    let mut sums = [T::ZERO; R];
    for block in 0..n_blocks {
        let (start, end) = (block * BLOCK_OF_TILES, x.len().min((block + 1) * BLOCK_OF_TILES));
        sums = block_dots::<T, D, R>(rows.map(|row| &row[start..end]), &x[start..end]);
        let partials = Partials { partials: partials.as_flattened_mut(), stride: R };
        pairwise::close_block(Combine::SUM, &mut sums, partials, block, block + 1 == n_blocks);
    }
    sums
}

/// The products of parts of several rows with the same part of a vector, a block of tiles.
#[inline(always)]
fn block_dots<T: Number, D: TileDots<T>, const R: usize>(rows: [&[T]; R], x: &[T]) -> [T; R] {
    let mut sums = [T::ZERO; R];
    let mut start = 0;
    while start < x.len() {
        let end = x.len().min(start + TILE);
        let tile = D::tile_dots(rows.map(|row| &row[start..end]), &x[start..end]);
        for r in 0..R {
            sums[r] = sums[r].plus(tile[r]);
        }
        start = end;
    }
    sums
}

impl<T: Number> TileDots<T> for Plain {
    #[inline(always)]
    fn tile_dots<const R: usize>(rows: [&[T]; R], x: &[T]) -> [T; R] {
        let rows = rows.map(|row| &row[..x.len()]);
        if x.len() < MIN_INTERLEAVED {
            // The rows side by side: in each, an addition waits for the one before.
            let mut sums = [T::ZERO; R];
            for (k, &x) in x.iter().enumerate() {
                for r in 0..R {
                    sums[r] = sums[r].plus(rows[r][k].times(x));
                }
            }
            return sums;
        }
        // The accumulators in two halves, for all rows side by side, as registers hold them.
        let (mut low, mut high) = ([[T::ZERO; HALF]; R], [[T::ZERO; HALF]; R]);
        let whole = x.len() / ACCUMULATORS * ACCUMULATORS;
        for k in (0..whole).step_by(ACCUMULATORS) {
            add_products(&mut low, rows, x, k);
            add_products(&mut high, rows, x, k + HALF);
        }
        let has_half = x.len() - whole >= HALF;
        let mut k = whole;
        if has_half {
            add_products(&mut low, rows, x, k);
            k += HALF;
        }
        if k < x.len() {
            let last = if has_half { &mut high } else { &mut low };
            for lane in 0..x.len() - k {
                for r in 0..R {
                    last[r][lane % HALF] = last[r][lane % HALF].plus(rows[r][k + lane].times(x[k + lane]));
                }
            }
        }
        // The order of `pairwise::combine_accumulators`, written out: it is inlined into code for wider registers, where a
        // function that is passed would be called.
        std::array::from_fn(|r| {
            let pairs: [T; HALF] = std::array::from_fn(|lane| low[r][lane].plus(high[r][lane]));
            pairs[0].plus(pairs[2]).plus(pairs[1].plus(pairs[3]))
        })
    }
}

/// With the accumulators of each row in registers of their own. Used by functions that have the features of `A` only.
#[cfg(target_arch = "x86_64")]
struct InRegisters<A>(PhantomData<A>);

#[cfg(target_arch = "x86_64")]
impl<A: Accumulators<Element: Number>> TileDots<A::Element> for InRegisters<A> {
    #[inline(always)]
    fn tile_dots<const R: usize>(rows: [&[A::Element]; R], x: &[A::Element]) -> [A::Element; R] {
        if x.len() < MIN_INTERLEAVED {
            return Plain::tile_dots(rows, x);
        }
        let (steps, rest) = x.as_chunks();
        let rows = rows.map(|row| row[..x.len()].as_chunks());
        // Loops over the rows: what a closure returns would not stay in registers, since it lacks the features.
        let mut a = [A::zero(); R];
        for (k, x) in steps.iter().enumerate() {
            let x = A::load(x);
            for r in 0..R {
                a[r] = a[r].add_product(A::load(&rows[r].0[k]), x);
            }
        }
        if !rest.is_empty() {
            let x = A::load_part(rest);
            for r in 0..R {
                a[r] = a[r].add_product(A::load_part(rows[r].1), x);
            }
        }
        let mut sums = [A::Element::ZERO; R];
        match <&[A; ROWS]>::try_from(&a[..]) {
            Ok(rows) => sums.copy_from_slice(&A::sums(rows)),
            Err(_) => {
                for r in 0..R {
                    sums[r] = pairwise::combine_accumulators(a[r].elements(), &mut |x, y| x.plus(y));
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn tiles(w: Rows<'_, A::Element>, x: &[A::Element], y: &mut [A::Element]) {
        // Short rows by code for their number of steps: what is done once a row would take as long as the products.
        let done = match x.len() {
            2..4 => few_pairs::<A, 1>(w, x, y),
            4..6 => few_pairs::<A, 2>(w, x, y),
            6..8 => few_pairs::<A, 3>(w, x, y),
            8..10 => few_pairs::<A, 4>(w, x, y),
            10..12 => few_pairs::<A, 5>(w, x, y),
            12..14 => few_pairs::<A, 6>(w, x, y),
            14..16 => few_pairs::<A, 7>(w, x, y),
            16..24 => few_steps::<A, 2>(w, x, y),
            24..32 => few_steps::<A, 3>(w, x, y),
            32..40 => few_steps::<A, 4>(w, x, y),
            _ => 0,
        };
        tiles_from::<A::Element, Self>(done, w, x, y);
    }
}

/// What the code by the number of steps counts on.
#[cfg(target_arch = "x86_64")]
const _: () = assert!(MIN_INTERLEAVED == 16 && ACCUMULATORS == 8);

/// [`TileDots::tiles`] of rows with so many pairs of elements, summed from left to right; gives the number of rows.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn few_pairs<A: Accumulators<Element: Number>, const PAIRS: usize>(
    w: Rows<'_, A::Element>,
    x: &[A::Element],
    y: &mut [A::Element],
) -> usize {
    let n = y.len() / ROWS * ROWS;
    for (k, y) in y.chunks_exact_mut(ROWS).enumerate() {
        write_sums(y, A::in_order::<PAIRS>(w.rows(k * ROWS), x));
    }
    n
}

/// The same for rows with so many steps of the accumulators.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn few_steps<A: Accumulators<Element: Number>, const STEPS: usize>(
    w: Rows<'_, A::Element>,
    x: &[A::Element],
    y: &mut [A::Element],
) -> usize {
    let (steps, rest) = x.as_chunks();
    assert_eq!(steps.len(), STEPS, "bug: code for another number of steps");
    let n = y.len() / ROWS * ROWS;
    for (k, y) in y.chunks_exact_mut(ROWS).enumerate() {
        let rows: [&[A::Element]; ROWS] = w.rows(k * ROWS);
        let mut a = [A::zero(); ROWS];
        for r in 0..ROWS {
            let (row, row_rest) = rows[r].as_chunks();
            for step in 0..STEPS {
                a[r] = a[r].add_product(A::load(&row[step]), A::load(&steps[step]));
            }
            if !rest.is_empty() {
                a[r] = a[r].add_product(A::load_part(row_rest), A::load_part(rest));
            }
        }
        write_sums(y, A::sums(&a));
    }
    n
}

/// Half of the accumulators.
const HALF: usize = ACCUMULATORS / 2;

/// Adds the products of elements `k`, `k + 1`, … to half of the accumulators of each row.
#[inline(always)]
fn add_products<T: Number, const R: usize>(a: &mut [[T; HALF]; R], rows: [&[T]; R], x: &[T], k: usize) {
    let half = |elements: &[T]| -> [T; HALF] { elements[k..k + HALF].try_into().expect("bug: no half is left") };
    let x = half(x);
    for r in 0..R {
        let row = half(rows[r]);
        for lane in 0..HALF {
            a[r][lane] = a[r][lane].plus(row[lane].times(x[lane]));
        }
    }
}

/// Which rows of a matrix are added, and the state that is kept from one part of the rows to the next.
pub(crate) struct Part<'p, T> {
    /// The partial sums of blocks: [`pairwise::levels`] rows as long as the result.
    partials: &'p mut [T],
    /// The number of rows in earlier parts.
    n_before: usize,
    /// The total number of rows.
    n_total: usize,
}

#[inline(always)]
fn vector_times_rows_body<T: Number>(x: ArrayView1<'_, T>, w: Rows<'_, T>, y: &mut [T]) {
    let mut partials = vec![T::ZERO; pairwise::levels(w.n) * w.columns];
    y.fill(T::ZERO);
    add_vector_times_rows_body(x, w, y, Part { partials: &mut partials, n_before: 0, n_total: w.n });
}

#[inline(always)]
fn add_vector_times_rows_body<T: Number>(x: ArrayView1<'_, T>, w: Rows<'_, T>, y: &mut [T], part: Part<'_, T>) {
    assert!(w.n == x.len() && w.columns == y.len(), "bug: a matrix of other extents than the vectors");
    let mut k = 0;
    while k < x.len() {
        let block = (part.n_before + k) / pairwise::BLOCK;
        let end = x.len().min((block + 1) * pairwise::BLOCK - part.n_before);
        add_block(x, w, y, k..end);
        k = end;
        let n_added = part.n_before + end;
        let is_last = n_added == part.n_total;
        if is_last || n_added == (block + 1) * pairwise::BLOCK {
            let partials = Partials { partials: &mut *part.partials, stride: w.columns };
            pairwise::close_block(Combine::SUM, y, partials, block, is_last);
        }
    }
}

/// Adds a range of rows in order.
#[inline(always)]
fn add_block<T: Number>(x: ArrayView1<'_, T>, w: Rows<'_, T>, y: &mut [T], range: Range<usize>) {
    let mut k = range.start;
    while k + ROWS <= range.end {
        add_rows::<T, ROWS>(y, std::array::from_fn(|r| x[k + r]), w.rows(k));
        k += ROWS;
    }
    while k < range.end {
        add_rows(y, [x[k]], w.rows(k));
        k += 1;
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

#[inline(always)]
fn product_by_rows_body<T: Number>(lhs: Matrix<'_, T>, rhs: Matrix<'_, T>, result: &mut [T]) {
    let (lhs, w) = (lhs.view(), Rows::new(rhs.rows_in_memory()));
    for (i, y) in result.chunks_exact_mut(rhs.columns.max(1)).enumerate() {
        let x = lhs.index_axis_move(Axis(0), i);
        match (rhs.by_columns, x.to_slice()) {
            (false, _) => vector_times_rows_body(x, w, y),
            (true, Some(x)) => rows_times_vector_plain(w, x, y),
            (true, None) => rows_times_vector_plain(w, &x.to_vec(), y),
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// Numbers whose sums depend on the order, and a few that are none.
    fn awkward<T: Number>(n: usize, seed: usize, of: fn(f64) -> T) -> Vec<T> {
        let number = |k: usize| match k.wrapping_mul(2_654_435_761) >> 7 & 0xffff {
            0 => f64::NAN,
            1 => f64::INFINITY,
            k if k % 8 == 0 => -0.0,
            k if k % 8 == 1 => 1e-310,
            k => (k as f64 - 3e4) * 1.1f64.powi(k as i32 % 60),
        };
        (0..n).map(|k| of(number(k + seed))).collect()
    }

    fn registers_keep_bits<A: Accumulators<Element: Number>>(
        of: fn(f64) -> A::Element,
        same: fn(A::Element, A::Element) -> bool,
    ) {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        for columns in (0..70).chain([511, 512, 513, 530, 1_000, 1_024 + 17, 17_000, 40_003]) {
            for (n, gap) in [(1, 0), (3, 1), (4, 3), (9, 0)] {
                let (elements, x) = (awkward(n * (columns + gap), 3, of), awkward(columns, 70_000, of));
                let w = || {
                    let first = elements.as_ptr();
                    Rows { first, stride: (columns + gap) as isize, n, columns, elements: PhantomData }
                };
                let (mut got, mut expected) = (vec![of(7.0); n], vec![of(8.0); n]);
                // SAFETY: the processor has just been checked to have the features of the function.
                unsafe { rows_times_vector_in_registers::<A>(w(), &x, &mut got) };
                rows_times_vector_plain(w(), &x, &mut expected);
                assert!(got.iter().zip(&expected).all(|(&x, &y)| same(x, y)), "{n} rows of {columns} columns");
            }
        }
    }

    #[test]
    fn sums_in_registers_have_the_documented_order() {
        registers_keep_bits::<Doubles>(|x| x, |x, y| x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan());
        registers_keep_bits::<Singles>(|x| x as f32, |x, y| x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan());
    }
}
