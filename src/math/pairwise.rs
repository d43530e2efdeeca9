//! The order in which many terms are combined: in blocks, and the blocks in pairs.
//!
//! # Order
//! [`BLOCK`] consecutive terms are a block, the last of which may be shorter. A block is combined from left to right,
//! beginning with the identity. The blocks are combined pairwise: `n > 1` of them give what the first `2ᵏ` give, combined
//! with what the others give, where `2ᵏ` is the greatest power of two below `n`. So the rounding error of a sum of
//! positive terms grows as the logarithm of their number: each term goes through fewer than `BLOCK + log₂ n` additions
//! (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, §4.2).
//!
//! The blocks are met one after the other, and what waits for a partner is kept: after `b` blocks there is one partial
//! result for each bit that is set in `b`, that of `2ˡ` blocks on level `l`.

use super::linear::{Number, with_number};
use crate::value::DType;

/// How many terms are combined from left to right.
pub const BLOCK: usize = 32;

/// The most levels that any number of terms in memory needs.
pub(crate) const MAX_LEVELS: usize = levels(usize::MAX);

/// How many partial results are kept while so many terms are combined.
pub(crate) const fn levels(n_terms: usize) -> usize {
    let n_waiting = n_terms.div_ceil(BLOCK).saturating_sub(1);
    (usize::BITS - n_waiting.leading_zeros()) as usize
}

/// How terms are combined, and what leaves a term as it is.
#[derive(Clone, Copy)]
pub(crate) struct Combine<T> {
    /// The two terms combined.
    pub combine: fn(T, T) -> T,
    /// What a block begins with.
    pub identity: T,
}

impl<T: Number> Combine<T> {
    /// Terms are added.
    pub const SUM: Combine<T> = Combine { combine: T::plus, identity: T::ZERO };

    /// Terms are multiplied.
    pub const PRODUCT: Combine<T> = Combine { combine: T::times, identity: T::ONE };
}

/// What waits for a partner.
pub(crate) struct Waiting<'p, T> {
    /// [`levels`] rows, each as long as there are results side by side.
    pub partials: &'p mut [T],
    /// The distance of the levels.
    pub stride: usize,
}

/// Ends a block, whose results, many side by side, are in `results`.
///
/// After the last block these are the results of all terms; after any other they are the identity, for the next block.
#[inline(always)]
pub(crate) fn close_block<T: Copy>(
    combine: Combine<T>,
    results: &mut [T],
    waiting: Waiting<'_, T>,
    block: usize,
    is_last: bool,
) {
    let Waiting { partials, stride } = waiting;
    let n = results.len();
    // Levels are combined while they are full from the lowest on; at the end, all that is there.
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

/// What compiled code calls for [`close_block`] after a term that ends a block: the results and their number, what waits
/// and the distance of its levels, the number of terms so far, and that of all terms.
pub(crate) fn close_block_address(dtype: DType, is_product: bool) -> usize {
    with_number!(dtype, T => if is_product {
        close_products_entry::<T> as *const () as usize
    } else {
        close_sums_entry::<T> as *const () as usize
    })
}

/// # Safety
/// Behind the addresses must be as many elements as the extents say, and what waits must not overlap with the results.
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
    close_block(combine, results, Waiting { partials, stride }, (n_terms - 1) / BLOCK, n_terms == n_total);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree of a sum, written out: terms are numbered, and a block is the list of its terms.
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
                assert_eq!(met_one_by_one(n_terms), tree(n_terms), "{n_terms} terms");
            }
        }
    }

    /// The same tree as [`close_block`] makes it: what it combines are positions in a list of texts.
    fn met_one_by_one(n_terms: usize) -> String {
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
            let waiting = Waiting { partials: &mut partials, stride: 1 };
            close_block(combine, &mut result, waiting, block, block + 1 == n_blocks);
        }
        TEXTS.with_borrow(|texts| texts[result[0]].clone())
    }

    #[test]
    fn levels_are_those_of_the_blocks_that_wait() {
        assert_eq!([0, 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 5 * BLOCK].map(levels), [0, 0, 0, 1, 1, 2, 3]);
    }
}
