//! Linear algebra on matrices, by faer, one at a time; and on stacks of them.
//!
//! Every kernel takes and gives matrices in row-major order without gaps, and runs on the calling thread. None panics:
//! what does not exist is NaN, in all elements of the result.

pub(crate) mod banded;
pub(crate) mod cholesky;
pub(crate) mod complex;
mod dense;
mod eig;
mod eigh;
pub(crate) mod equations;
pub(crate) mod exponential;
mod gauge;
mod hessenberg;
pub(crate) mod lu;
mod pinv;
mod qr;
pub(crate) mod riccati;
pub(crate) mod roots;
mod scale;
mod schur;
mod svd;
pub(crate) mod triangular;

use std::borrow::Cow;

use faer::{MatMut, MatRef};

use super::linear::Number;
use crate::value::{ArrayMut, ArrayRef};

pub(crate) use eig::{eig, eig_bytes};
pub(crate) use eigh::{eigh, eigh_bytes};
pub(crate) use hessenberg::{hessenberg, hessenberg_bytes};
pub(crate) use pinv::{null_space, pinv, pinv_bytes};
pub(crate) use qr::{qr, qr_bytes};
pub(crate) use svd::{svd, svd_bytes};

/// An element that kernels of linear algebra compute with.
pub(crate) trait Real: Number + faer::traits::RealField + num_traits::Float {}

impl Real for f64 {}
impl Real for f32 {}

/// Runs the body with `$t` as the Rust type of a dtype of floating point.
macro_rules! with_real {
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
            $crate::value::DType::I64 | $crate::value::DType::Bool => {
                unreachable!("bug: no floating point passed inference where it is needed")
            }
        }
    };
}
pub(crate) use with_real;

/// The matrices of an operand, which has any leading axes; copied if they do not lie in row-major order.
pub(crate) struct Stack<'a, T: Clone> {
    elements: Cow<'a, [T]>,
    /// The extents of a matrix.
    pub rows: usize,
    /// The extents of a matrix.
    pub columns: usize,
}

impl<'a, T: Real> Stack<'a, T> {
    /// An operand with at least two axes.
    pub fn new(operand: &'a ArrayRef<'_>) -> Stack<'a, T> {
        let view = operand.typed::<T>();
        let rank = view.ndim();
        let elements = match view.as_slice() {
            Some(elements) => Cow::Borrowed(elements),
            None => Cow::Owned(view.iter().copied().collect()),
        };
        Stack { elements, rows: view.shape()[rank - 2], columns: view.shape()[rank - 1] }
    }

    /// The number of elements of a matrix.
    pub fn size(&self) -> usize {
        self.rows * self.columns
    }

    /// The elements of `n` matrices from the `first` on, side by side; the last one stands for what there is not.
    #[inline(always)]
    pub fn lanes<const LANES: usize>(&self, first: usize, n: usize) -> Vec<[T; LANES]> {
        let size = self.size();
        let own = &self.elements[first * size..(first + n) * size];
        (0..size).map(|k| std::array::from_fn(|lane| own[lane.min(n - 1) * size + k])).collect()
    }

    /// One matrix after the other; none if they have no elements.
    pub fn matrices(&self) -> impl Iterator<Item = &[T]> {
        self.elements.chunks_exact(self.size().max(1))
    }
}

/// The elements of a result, by parts of that size; none if that is 0.
pub(crate) fn parts<'a, T: Real>(result: &'a mut ArrayMut<'_>, size: usize) -> std::slice::ChunksExactMut<'a, T> {
    let elements = result.typed::<T>().as_slice_mut().expect("bug: a result in pieces");
    elements.chunks_exact_mut(size.max(1))
}

/// The matrix as faer takes it.
pub(crate) fn faer<T>(elements: &[T], rows: usize, columns: usize) -> MatRef<'_, T> {
    MatRef::from_row_major_slice(elements, rows, columns)
}

/// The matrix as faer writes it.
pub(crate) fn faer_mut<T>(elements: &mut [T], rows: usize, columns: usize) -> MatMut<'_, T> {
    MatMut::from_row_major_slice_mut(elements, rows, columns)
}

/// Whether no element is infinite or NaN.
pub(crate) fn is_finite<T: Real>(elements: &[T]) -> bool {
    // Without a way out in between, which lanes have not.
    elements.iter().fold(true, |all, &x| all & num_traits::Float::is_finite(x))
}

/// The largest magnitude of numbers that are none of them NaN; 0 if there are none.
fn largest<T: Real>(elements: &[T]) -> T {
    let larger = |largest: T, x: T| {
        let x = num_traits::Float::abs(x);
        if x > largest { x } else { largest }
    };
    let mut lanes = [T::ZERO; 8];
    let chunks = elements.chunks_exact(8);
    let rest = chunks.remainder().iter().fold(T::ZERO, |largest, &x| larger(largest, x));
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane = larger(*lane, x));
    }
    lanes.into_iter().fold(rest, larger)
}

/// What is compiled twice, for any processor and for one with AVX2, with the same results: no compiler may fuse or reorder its
/// operations. Whatever it calls is to be inlined.
pub(crate) trait Widened {
    /// Does it.
    fn run(self);
}

/// Does it by the instructions of the running processor.
pub(crate) fn widened(work: impl Widened) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        fn wide(work: impl Widened) {
            work.run();
        }
        // SAFETY: the processor has just been checked to have the features of the function.
        return unsafe { wide(work) };
    }
    work.run();
}
