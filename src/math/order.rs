//! The order of numbers: by which index the element of each rank is found.

/// A number as an integer whose order is that of the numbers. -0 equals 0, and every NaN is one and the greatest.
pub(crate) trait Ordered: Copy {
    /// The integer, for ascending or for descending order; NaN comes last in both.
    fn key(self, descending: bool) -> u64;
}

macro_rules! floats {
    ($($float:ty),*) => {$(
        impl Ordered for $float {
            #[inline(always)]
            fn key(self, descending: bool) -> u64 {
                if self.is_nan() {
                    return u64::MAX;
                }
                // -0 + 0 is 0. Widening keeps the order.
                let bits = (f64::from(self) + 0.0).to_bits();
                let ascending = bits ^ (((bits.cast_signed() >> 63).cast_unsigned()) | 1 << 63);
                if descending { !ascending } else { ascending }
            }
        }
    )*};
}
floats!(f64, f32);

impl Ordered for i64 {
    #[inline(always)]
    fn key(self, descending: bool) -> u64 {
        let ascending = self.cast_unsigned() ^ 1 << 63;
        if descending { !ascending } else { ascending }
    }
}

impl Ordered for bool {
    #[inline(always)]
    fn key(self, descending: bool) -> u64 {
        u64::from(self != descending)
    }
}

/// Elements, whose keys are computed when they are looked at.
#[derive(Clone, Copy)]
struct Lane<'a, T> {
    elements: &'a [T],
    descending: bool,
}

/// So many keys are looked at together.
const BLOCK: usize = 64;

impl<T: Ordered> Lane<'_, T> {
    #[inline(always)]
    fn key(self, index: usize) -> u64 {
        self.elements[index].key(self.descending)
    }
}

/// Writes the indices of the elements whose ranks lie in the ranges, one range after the other.
///
/// Elements are ordered by their first keys, where these are equal by their second, and so on; equal ones keep their
/// order. Ranges must lie within the number of elements.
pub(crate) fn argsort_by_keys(keys: &[Vec<u64>], ranges: &[[usize; 2]], mut indices: impl FnMut(usize)) {
    let mut elements: Vec<usize> = (0..keys[0].len()).collect();
    // Indices make all elements distinct, so the order is stable.
    elements.sort_unstable_by(|&i, &j| {
        let of = |i: usize| keys.iter().map(move |keys| keys[i]).chain([i as u64]);
        of(i).cmp(of(j))
    });
    for &[start, limit] in ranges {
        elements[start..limit].iter().for_each(|&index| indices(index));
    }
}

/// The same for one key an element, the number itself.
pub(crate) fn argsort<T: Ordered>(
    elements: &[T],
    descending: bool,
    ranges: &[[usize; 2]],
    mut indices: impl FnMut(usize),
) {
    let (lane, n) = (Lane { elements, descending }, elements.len());
    let mut elements: Vec<Indexed> = Vec::new();
    for &[start, limit] in ranges.iter().filter(|[start, limit]| start < limit) {
        let few = (limit - start) * 4 <= n;
        let ranks = if few {
            select(lane, start, limit, &mut elements);
            0..limit - start
        } else {
            elements.clear();
            elements.extend((0..n).map(|index| indexed(lane.key(index), index)));
            start..limit
        };
        // Indices make all elements distinct, so the order is stable.
        elements.sort_unstable();
        elements[ranks].iter().for_each(|&element| indices(element as u64 as usize));
    }
}

/// A key, and below it the index: compared faster than a pair is.
type Indexed = u128;

#[inline(always)]
fn indexed(key: u64, index: usize) -> Indexed {
    u128::from(key) << 64 | index as u128
}

/// Collects the elements of these ranks, in any order, in linear time: those between two keys of a sample, and of these a
/// selection.
fn select<T: Ordered>(lane: Lane<'_, T>, start: usize, limit: usize, elements: &mut Vec<Indexed>) {
    let mut before = collect(lane, bounds(lane, start, limit), elements);
    if before > start || before + elements.len() < limit {
        // A sample that misleads.
        before = collect(lane, [0, u64::MAX], elements);
    }
    let (start, limit) = (start - before, limit - before);
    if limit < elements.len() {
        elements.select_nth_unstable(limit - 1);
        elements.truncate(limit);
    }
    if start > 0 {
        elements.select_nth_unstable(start);
        elements.drain(..start);
    }
}

/// Keys between which those of these ranks lie, very probably: the ranks in a sample, and four standard deviations.
fn bounds<T: Ordered>(lane: Lane<'_, T>, start: usize, limit: usize) -> [u64; 2] {
    const SAMPLES: usize = 1024;
    let n = lane.elements.len();
    let stride = n / SAMPLES;
    if stride < 4 {
        return [0, u64::MAX];
    }
    // One key of each block of `stride`, at a pseudorandom offset, so that periodic keys do not bias the sample.
    let place = |k: usize| k * stride + (k.wrapping_mul(0x9E37_79B9) >> 7) % stride;
    let mut sample: Vec<u64> = (0..SAMPLES).map(|k| lane.key(place(k))).collect();
    sample.sort_unstable();
    let rank = |position: usize| position as f64 / n as f64 * SAMPLES as f64;
    let margin = |rank: f64| 4.0 * (rank * (1.0 - rank / SAMPLES as f64)).sqrt() + 2.0;
    let (low, high) = (rank(start) - margin(rank(start)), rank(limit) + margin(rank(limit)));
    let first = if low < 1.0 { 0 } else { sample[low as usize] };
    [first, sample.get(high as usize).copied().unwrap_or(u64::MAX)]
}

/// Collects the elements whose keys lie between two, these included. Gives the number of those with lesser keys.
///
/// In wide registers where there are any.
fn collect<T: Ordered>(lane: Lane<'_, T>, bounds: [u64; 2], elements: &mut Vec<Indexed>) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        fn wide<T: Ordered>(lane: Lane<'_, T>, bounds: [u64; 2], elements: &mut Vec<Indexed>) -> usize {
            collect_blocks(lane, bounds, elements)
        }
        // SAFETY: the processor has the instructions.
        return unsafe { wide(lane, bounds, elements) };
    }
    collect_blocks(lane, bounds, elements)
}

#[inline(always)]
fn collect_blocks<T: Ordered>(lane: Lane<'_, T>, [first, last]: [u64; 2], elements: &mut Vec<Indexed>) -> usize {
    elements.clear();
    let mut block = [0; BLOCK];
    let (width, mut n_before) = (last - first, 0);
    for (k, numbers) in lane.elements.chunks(BLOCK).enumerate() {
        let (start, n) = (k * BLOCK, numbers.len());
        for (key, number) in block.iter_mut().zip(numbers) {
            *key = number.key(lane.descending);
        }
        // Without a branch for each key: most lie outside, or inside, at random.
        let mut inside = 0u64;
        for (place, key) in block.iter().enumerate() {
            inside |= u64::from(key.wrapping_sub(first) <= width) << place;
        }
        let mut rest = inside & (u64::MAX >> (BLOCK - n));
        while rest != 0 {
            let place = rest.trailing_zeros() as usize;
            elements.push(indexed(block[place], start + place));
            rest &= rest - 1;
        }
        if first > 0 {
            n_before += block[..n].iter().filter(|&&key| key < first).count();
        }
    }
    n_before
}

/// How many of the sorted keys come before one: those that are less, or, from the right, those that are not greater.
pub(crate) fn search(sorted: &[u64], key: u64, right: bool) -> usize {
    // Written out, since what is found among keys that are not sorted must not change, either.
    let (mut low, mut high) = (0, sorted.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if sorted[middle] < key || right && sorted[middle] == key { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_numbers() {
        let ascending = [f64::NEG_INFINITY, -1.5, -5e-324, 0.0, 5e-324, 2.0, f64::MAX, f64::INFINITY, f64::NAN];
        assert!(ascending.is_sorted_by(|a, b| a.key(false) < b.key(false)));
        assert_eq!((-0.0f64).key(false), 0.0f64.key(false));
        assert_eq!((-f64::NAN).key(true), f64::NAN.key(true));
        assert!(ascending[..8].is_sorted_by(|a, b| a.key(true) > b.key(true)));
        assert!([-3i64, 0, i64::MAX].is_sorted_by(|a, b| a.key(false) < b.key(false)));
        assert!(f64::INFINITY.key(true) < f64::NAN.key(true) && true.key(true) < false.key(true));
    }

    #[test]
    fn selection_and_sorting_agree() {
        // Many ties, so that thresholds are met more than once.
        let keys: Vec<i64> = (0..1000).map(|i| i * i * 7919 % 61).collect();
        let mut all = Vec::new();
        argsort(&keys, false, &[[0, 1000]], |i| all.push(i));
        for [start, limit] in [[0, 1], [0, 200], [333, 340], [990, 1000], [500, 501], [7, 7]] {
            let mut some = Vec::new();
            argsort(&keys, false, &[[start, limit]], |i| some.push(i));
            assert_eq!(some, all[start..limit]);
        }
    }

    /// Keys that are random, sorted, equal, periodic, and such that the sample says nothing of the others.
    #[test]
    fn selection_of_many_keys_is_exact() {
        let n = 20_000u64;
        let hash = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31).wrapping_mul(0xD1B5_4A32_D192_ED03);
        let stride = n / 1024;
        let mut misleading: Vec<u64> = (0..n).map(|i| hash(i) >> 1).collect();
        for k in 0..1024u64 {
            let place = k * stride + (k.wrapping_mul(0x9E37_79B9) >> 7) % stride;
            misleading[place as usize] = u64::MAX - k;
        }
        let sets: [Vec<u64>; 5] = [
            (0..n).map(hash).collect(),
            (0..n).rev().collect(),
            vec![7; n as usize],
            (0..n).map(|i| i % 19).collect(),
            misleading,
        ];
        for keys in sets {
            let mut all: Vec<(u64, usize)> = keys.iter().copied().zip(0..).collect();
            all.sort_unstable();
            // The integers that have these keys.
            let numbers: Vec<i64> = keys.iter().map(|key| (key ^ 1 << 63).cast_signed()).collect();
            for [start, limit] in
                [[0, 1000], [9_999, 10_001], [19_990, 20_000], [0, 1], [4_000, 8_000], [19_999, 20_000]]
            {
                let mut some = Vec::new();
                argsort(&numbers, false, &[[start, limit]], |i| some.push(i));
                assert!(some.iter().eq(all[start..limit].iter().map(|(_, i)| i)), "{start} {limit}");
            }
        }
    }
}
