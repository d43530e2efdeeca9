use std::sync::atomic::{AtomicU32, Ordering};

use super::arena::Arena;

/// Elements that are found by a hash, read without a lock: what has been added stays where it is.
///
/// Slots are probed one after the other from the place of the hash on, until one is empty. At most half of them are full;
/// before more would be, all indices go into twice as many. The fewer slots before stay for who still reads them.
pub(super) struct Table<T> {
    elements: Arena<(u64, T)>,
    slots: Arena<Box<[AtomicU32]>>,
}

/// Stands for a slot without an index.
const EMPTY: u32 = u32::MAX;

/// How many slots there are in the beginning.
const MIN_SLOTS: usize = 4;

impl<T> Table<T> {
    pub fn new() -> Table<T> {
        Table { elements: Arena::new(), slots: Arena::new() }
    }

    pub fn len(&self) -> usize {
        self.elements.len()
    }

    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.elements.get(index).map(|(_, element)| element)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements.iter().map(|(_, element)| element)
    }

    /// The index of the element of that hash for which the predicate holds.
    pub fn find(&self, hash: u64, is_meant: impl Fn(&T) -> bool) -> Option<usize> {
        self.probe(hash).find(|&index| {
            let (own, element) = self.elements.get(index).expect("bug: an index without an element");
            *own == hash && is_meant(element)
        })
    }

    /// Appends an element and gives its index. Only one thread may do so at a time.
    pub fn push(&self, hash: u64, element: T) -> usize {
        let index = self.elements.push((hash, element));
        match self.slots() {
            Some(slots) if (index + 1) * 2 <= slots.len() => enter(slots, hash, index),
            slots => {
                let n_slots = slots.map_or(MIN_SLOTS, |slots| slots.len() * 2);
                let slots: Box<[AtomicU32]> = (0..n_slots).map(|_| AtomicU32::new(EMPTY)).collect();
                self.elements.iter().enumerate().for_each(|(index, (hash, _))| enter(&slots, *hash, index));
                self.slots.push(slots);
            }
        }
        index
    }

    fn slots(&self) -> Option<&[AtomicU32]> {
        self.slots.len().checked_sub(1).and_then(|newest| self.slots.get(newest)).map(|slots| &**slots)
    }

    /// The indices in the slots where an element of that hash may be.
    fn probe(&self, hash: u64) -> impl Iterator<Item = usize> {
        let slots = self.slots().unwrap_or_default();
        let indices = places(hash, slots.len()).map(|place| slots[place].load(Ordering::Acquire));
        indices.take_while(|&index| index != EMPTY).map(|index| index as usize)
    }
}

fn enter(slots: &[AtomicU32], hash: u64, index: usize) {
    let mut places = places(hash, slots.len());
    let free = places.find(|&place| slots[place].load(Ordering::Relaxed) == EMPTY).expect("bug: no slot is free");
    slots[free].store(index as u32, Ordering::Release);
}

/// All places among so many, from that of the hash on. Its high bits are mixed into the low ones, which count.
fn places(hash: u64, n_slots: usize) -> impl Iterator<Item = usize> {
    let first = (hash ^ (hash >> 32)) as usize;
    (0..n_slots).map(move |step| first.wrapping_add(step) & (n_slots - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_few_comparisons() {
        let table = Table::new();
        let hash = |x: u64| x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for x in 0..10_000u64 {
            assert_eq!(table.find(hash(x), |&y| y == x), None);
            assert_eq!(table.push(hash(x), x), x as usize);
        }
        let n_probes = |x: u64| 1 + table.probe(hash(x)).position(|index| index == x as usize).unwrap();
        for x in 0..10_000 {
            assert_eq!(table.find(hash(x), |&y| y == x), Some(x as usize));
        }
        let total: usize = (0..10_000).map(n_probes).sum();
        assert!(total < 20_000, "{total} comparisons for 10,000 elements");
    }

    #[test]
    fn elements_of_one_hash_are_told_apart() {
        let table = Table::new();
        (0..100).for_each(|x| assert_eq!(table.push(7, x), x));
        assert!((0..100).all(|x| table.find(7, |&y| y == x) == Some(x)));
        assert_eq!((table.find(7, |&y| y == 100), table.find(8, |_| true), table.len()), (None, None, 100));
        assert!(table.iter().copied().eq(0..100) && table.get(99) == Some(&99));
    }
}
