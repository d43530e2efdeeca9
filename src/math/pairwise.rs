//! The order in which many terms are combined: in blocks, and the blocks in pairs.
//!
//! # Order
//! [`BLOCK`] consecutive terms form a block; the last block may be shorter. A block is combined from left to right,
//! beginning with the identity. The blocks are combined pairwise: `n > 1` blocks are split into the first `2ᵏ` and the
//! rest, where `2ᵏ` is the greatest power of two below `n`; both parts are combined in the same way, and then with each
//! other. So the rounding error of a sum of positive terms grows as the logarithm of their number: each term goes
//! through fewer than `BLOCK + log₂ n` additions (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002,
//! §4.2).
//!
//! The blocks come one after the other, and partial results are kept until they are combined: after `b` blocks there is
//! one for each bit that is set in `b`, that of `2ˡ` blocks on level `l`.

use super::linear::{ACCUMULATORS, MIN_INTERLEAVED, Number, with_number};
use crate::value::DType;

/// The number of terms that are combined from left to right.
pub const BLOCK: usize = 32;

/// The number of levels for the largest number of terms.
pub(crate) const MAX_LEVELS: usize = levels(usize::MAX);

/// The number of levels of partial results that combining this many terms requires.
pub(crate) const fn levels(n_terms: usize) -> usize {
    let n_waiting = n_terms.div_ceil(BLOCK).saturating_sub(1);
    (usize::BITS - n_waiting.leading_zeros()) as usize
}

/// One tile of a row: up to [`MIN_INTERLEAVED`] elements from left to right, more of them in interleaved accumulators.
pub fn combine_tile<T: Copy>(identity: T, tile: &[T], combine: &mut impl FnMut(T, T) -> T) -> T {
    if tile.len() < MIN_INTERLEAVED {
        return tile.iter().fold(identity, |sum, &x| combine(sum, x));
    }
    let mut a = [identity; ACCUMULATORS];
    for (k, &x) in tile.iter().enumerate() {
        a[k % ACCUMULATORS] = combine(a[k % ACCUMULATORS], x);
    }
    combine_accumulators(a, combine)
}

/// The accumulators of a tile: those with a distance of 4, then of 2, then of 1.
#[inline(always)]
pub fn combine_accumulators<T: Copy>(a: [T; ACCUMULATORS], combine: &mut impl FnMut(T, T) -> T) -> T {
    let pairs = [0, 1, 2, 3].map(|k| combine(a[k], a[k + 4]));
    let halves = [combine(pairs[0], pairs[2]), combine(pairs[1], pairs[3])];
    combine(halves[0], halves[1])
}

/// An operation that combines terms, and its identity.
#[derive(Clone, Copy)]
pub(crate) struct Combine<T> {
    /// Combines two terms.
    pub combine: fn(T, T) -> T,
    /// The identity, which a block begins with.
    pub identity: T,
}

impl<T: Number> Combine<T> {
    /// Terms are added.
    pub const SUM: Combine<T> = Combine { combine: T::plus, identity: T::ZERO };

    /// Terms are multiplied.
    pub const PRODUCT: Combine<T> = Combine { combine: T::times, identity: T::ONE };
}

/// Partial results that are not combined yet.
pub(crate) struct Partials<'p, T> {
    /// [`levels`] rows, with an element for each of the results that are computed side by side.
    pub partials: &'p mut [T],
    /// The distance between rows, in elements.
    pub stride: usize,
}

/// Ends a block, whose results (many side by side) are in `results`.
///
/// After the last block, `results` are those of all terms; after any other, they are the identity, for the next block.
#[inline(always)]
pub(crate) fn close_block<T: Copy>(
    combine: Combine<T>,
    results: &mut [T],
    partials_so_far: Partials<'_, T>,
    block: usize,
    is_last: bool,
) {
    let Partials { partials, stride } = partials_so_far;
    let n = results.len();
    // Combines the full levels from the lowest up to the first empty one; at the end, all full levels.
    let full = if is_last { block } else { block & !(block + 1) };
    for level in (0..usize::BITS as usize).take_while(|level| full >> level > 0) {
        if full >> level & 1 == 1 {
            let before = &partials[level * stride..level * stride + n];
            results.iter_mut().zip(before).for_each(|(result, &before)| *result = (combine.combine)(before, *result));
        }
    }
    if !is_last {
        let level = (block + 1).trailing_zeros() as usize;
        partials[level * stride..level * stride + n].copy_from_slice(results);
        results.fill(combine.identity);
    }
}

/// The address of the routine that compiled code calls to end a block, see [`close_block`]. Its arguments: the results
/// and their number, the partial results and the distance between levels, the number of terms so far, and the total
/// number of terms.
pub(crate) fn close_block_address(dtype: DType, is_product: bool) -> usize {
    with_number!(dtype, T => if is_product {
        close_products_entry::<T> as *const () as usize
    } else {
        close_sums_entry::<T> as *const () as usize
    })
}

/// # Safety
/// The addresses must point to as many elements as the extents specify, and the partial results must not overlap with
/// the results.
unsafe extern "C" fn close_sums_entry<T: Number>(
    results: *mut T,
    n: usize,
    partials: *mut T,
    stride: usize,
    n_terms: usize,
    n_total: usize,
) -> usize {
    // SAFETY: by this function's contract.
    unsafe { close_entry(Combine::<T>::SUM, (results, n), (partials, stride), n_terms, n_total) }
}

/// # Safety
/// As [`close_sums_entry`].
unsafe extern "C" fn close_products_entry<T: Number>(
    results: *mut T,
    n: usize,
    partials: *mut T,
    stride: usize,
    n_terms: usize,
    n_total: usize,
) -> usize {
    // SAFETY: by this function's contract.
    unsafe { close_entry(Combine::<T>::PRODUCT, (results, n), (partials, stride), n_terms, n_total) }
}

/// # Safety
/// As [`close_sums_entry`].
#[inline(always)]
unsafe fn close_entry<T: Number>(
    combine: Combine<T>,
    (results, n): (*mut T, usize),
    (partials, stride): (*mut T, usize),
    n_terms: usize,
    n_total: usize,
) -> usize {
    let n_levels = levels(n_total);
    let n_partials = if n_levels == 0 { 0 } else { (n_levels - 1) * stride + n };
    // SAFETY: by this function's contract.
    let (results, partials) =
        unsafe { (std::slice::from_raw_parts_mut(results, n), std::slice::from_raw_parts_mut(partials, n_partials)) };
    close_block(combine, results, Partials { partials, stride }, (n_terms - 1) / BLOCK, n_terms == n_total);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented tree of a sum as a text: terms are numbered, and a block is the list of its terms.
    fn tree(n_terms: usize) -> String {
        fn pairs(blocks: &[String]) -> String {
            match blocks {
                [block] => block.clone(),
                _ => {
                    let (first, rest) = blocks.split_at(blocks.len().next_power_of_two() / 2);
                    format!("({}+{})", pairs(first), pairs(rest))
                }
            }
        }
        let terms: Vec<String> = (0..n_terms).map(|k| k.to_string()).collect();
        pairs(&terms.chunks(BLOCK).map(|block| block.join(",")).collect::<Vec<String>>())
    }

    #[test]
    fn blocks_are_combined_in_the_documented_tree() {
        for n_blocks in 1..40 {
            for n_terms in [n_blocks * BLOCK, n_blocks * BLOCK - 5] {
                assert_eq!(combined_block_by_block(n_terms), tree(n_terms), "{n_terms} terms");
            }
        }
    }

    /// The tree of [`close_block`] as a text: the values combined are positions in a list of texts.
    fn combined_block_by_block(n_terms: usize) -> String {
        use std::cell::RefCell;
        thread_local!(static TEXTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });
        let keep = |text: String| {
            TEXTS.with_borrow_mut(|texts| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let combine = |x: usize, y: usize| {
            TEXTS.with_borrow_mut(|texts| {
                texts.push(format!("({}+{})", texts[x], texts[y]));
                texts.len() - 1
            })
        };
        let mut partials = vec![usize::MAX; levels(n_terms)];
        let mut result = [usize::MAX];
        let terms: Vec<String> = (0..n_terms).map(|k| k.to_string()).collect();
        let n_blocks = n_terms.div_ceil(BLOCK);
        for (block, terms) in terms.chunks(BLOCK).enumerate() {
            result[0] = keep(terms.join(","));
            let combine = Combine { combine, identity: usize::MAX };
            let partials_so_far = Partials { partials: &mut partials, stride: 1 };
            close_block(combine, &mut result, partials_so_far, block, block + 1 == n_blocks);
        }
        TEXTS.with_borrow(|texts| texts[result[0]].clone())
    }

    #[test]
    fn levels_are_those_of_the_uncombined_blocks() {
        assert_eq!([0, 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 5 * BLOCK].map(levels), [0, 0, 0, 1, 1, 2, 3]);
    }
}
