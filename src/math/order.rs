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

/// Writes the indices of the elements whose ranks lie in the ranges, one range after the other.
///
/// Elements are ordered by their first keys, where these are equal by their second, and so on; equal ones keep their
/// order. Ranges must lie within the number of elements.
pub(crate) fn argsort(keys: &[Vec<u64>], ranges: &[[usize; 2]], mut indices: impl FnMut(usize)) {
    let n = keys[0].len();
    let mut elements: Vec<(u64, usize)> = Vec::new();
    for &[start, limit] in ranges {
        if start >= limit {
            continue;
        }
        let few = keys.len() == 1 && (limit - start) * 4 <= n;
        let before =
            if few { elements_around(&keys[0], start, limit, &mut elements) } else { all(&keys[0], &mut elements) };
        // Indices make all elements distinct, so the order is stable.
        match keys {
            [_] => elements.sort_unstable(),
            _ => elements.sort_unstable_by(|&(_, i), &(_, j)| {
                let of = |i: usize| keys.iter().map(move |keys| keys[i]).chain([i as u64]);
                of(i).cmp(of(j))
            }),
        }
        elements[start - before..limit - before].iter().for_each(|&(_, index)| indices(index));
    }
}

fn all(keys: &[u64], elements: &mut Vec<(u64, usize)>) -> usize {
    elements.clear();
    elements.extend(keys.iter().copied().zip(0..));
    0
}

/// Collects the elements whose keys equal, or lie between, those of the first and the last rank: a selection, which takes
/// linear time. Gives the number of elements with lesser keys.
fn elements_around(keys: &[u64], start: usize, limit: usize, elements: &mut Vec<(u64, usize)>) -> usize {
    let mut scratch = keys.to_vec();
    let (_, &mut last, _) = scratch.select_nth_unstable(limit - 1);
    let first = if start == 0 { 0 } else { *scratch[..limit].select_nth_unstable(start).1 };
    elements.clear();
    let mut before = 0;
    for (index, &key) in keys.iter().enumerate() {
        if key < first {
            before += 1;
        } else if key <= last {
            elements.push((key, index));
        }
    }
    before
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
        let keys: Vec<u64> = (0..1000u64).map(|i| i * i * 7919 % 61).collect();
        let mut all = Vec::new();
        argsort(std::slice::from_ref(&keys), &[[0, 1000]], |i| all.push(i));
        for [start, limit] in [[0, 1], [0, 200], [333, 340], [990, 1000], [500, 501], [7, 7]] {
            let mut some = Vec::new();
            argsort(std::slice::from_ref(&keys), &[[start, limit]], |i| some.push(i));
            assert_eq!(some, all[start..limit]);
        }
    }
}
