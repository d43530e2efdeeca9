//! The lines of arrays: what lies along their last axis.

use ndarray::{ArrayView2, ArrayViewD, Axis, Ix2, s};

use super::Real;
use crate::value::{ArrayMut, ArrayRef};

/// How many lines are gathered together, if neighboring elements of a line are apart: in a transposed array a cache line
/// holds elements of neighboring lines. So many numbers lie between gathered lines, too, lest those of a length that is a
/// power of two compete for the same places of the cache.
pub(super) const GATHERED: usize = 8;

/// Calls for each line of the operands, which have the same leading axes, with those of the results. All are in one piece:
/// lines of an operand of another layout are copied to `gathered` first.
pub(super) fn each<T: Real, const N: usize, const M: usize>(
    x: &[ArrayRef<'_>],
    y: &mut [ArrayMut<'_>],
    gathered: &mut Vec<T>,
    mut call: impl FnMut([&[T]; N], [&mut [T]; M]),
) {
    let x: [&ArrayViewD<'_, T>; N] = std::array::from_fn(|slot| x[slot].typed::<T>());
    let leading = &x[0].shape()[..x[0].ndim() - 1];
    let n_lines: usize = leading.iter().product();
    let y = y.first_chunk_mut::<M>().expect("bug: results that were not inferred");
    let y = y.each_mut().map(|y| y.typed::<T>().as_slice_mut().expect("bug: a result in pieces"));
    if y[0].is_empty() {
        return;
    }
    let mut y = y.map(|y| {
        let length = y.len() / n_lines;
        y.chunks_exact_mut(length)
    });
    let n_rows = leading.last().copied().unwrap_or(1);
    for number in 0..n_lines / n_rows {
        let planes = x.map(|x| plane(x, number));
        for first in (0..n_rows).step_by(GATHERED) {
            let rows = first..n_rows.min(first + GATHERED);
            let blocks = planes.each_ref().map(|plane| plane.slice(s![rows.clone(), ..]));
            let starts = gather(&blocks, gathered);
            for row in 0..rows.len() {
                let own = std::array::from_fn(|slot| match starts[slot] {
                    None => blocks[slot].row(row).to_slice().expect("bug: a line in pieces"),
                    Some(start) => {
                        let length = blocks[slot].ncols();
                        &gathered[start + row * (length + GATHERED)..][..length]
                    }
                });
                call(own, y.each_mut().map(|y| y.next().expect("bug: a line without result")));
            }
        }
    }
}

/// The last two axes of an array, at one place along those before; the only line of a vector.
fn plane<'a, T>(x: &'a ArrayViewD<'_, T>, number: usize) -> ArrayView2<'a, T> {
    let mut plane = x.view();
    if plane.ndim() == 1 {
        plane.insert_axis_inplace(Axis(0));
    }
    let mut rest = number;
    while plane.ndim() > 2 {
        let n_inner: usize = plane.shape()[1..plane.ndim() - 2].iter().product();
        plane = plane.index_axis_move(Axis(0), rest / n_inner);
        rest %= n_inner;
    }
    plane.into_dimensionality::<Ix2>().expect("bug: two axes that are none")
}

/// Copies the lines that do not lie in one piece; gives where each operand's begin.
fn gather<T: Real, const N: usize>(blocks: &[ArrayView2<'_, T>; N], gathered: &mut Vec<T>) -> [Option<usize>; N] {
    let mut end = 0;
    blocks.each_ref().map(|block| {
        if block.row(0).to_slice().is_some() {
            return None;
        }
        let (start, stride) = (end, block.ncols() + GATHERED);
        end += block.nrows() * stride;
        if gathered.len() < end {
            gathered.resize(end, T::ZERO);
        }
        let room = &mut gathered[start..end];
        for (place, column) in block.axis_iter(Axis(1)).enumerate() {
            for (row, &x) in column.iter().enumerate() {
                room[row * stride + place] = x;
            }
        }
        Some(start)
    })
}
