use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A list that only grows, read without a lock: what has been added stays where it is.
///
/// Chunk `k` has room for `2ᵏ` elements, so that none ever moves.
pub(super) struct Arena<T> {
    chunks: [OnceLock<Box<[OnceLock<T>]>>; N_CHUNKS],
    len: AtomicUsize,
}

/// More elements than `2³²` would exceed every limit.
const N_CHUNKS: usize = 32;

impl<T> Arena<T> {
    pub fn new() -> Arena<T> {
        Arena { chunks: [const { OnceLock::new() }; N_CHUNKS], len: AtomicUsize::new(0) }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        let (chunk, offset) = place(index);
        self.chunks.get(chunk)?.get()?.get(offset)?.get()
    }

    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map_while(|index| self.get(index))
    }

    /// Appends an element and gives its index. Only one thread may do so at a time.
    pub fn push(&self, element: T) -> usize {
        let index = self.len();
        let (chunk, offset) = place(index);
        let slots = self.chunks[chunk].get_or_init(|| (0..1usize << chunk).map(|_| OnceLock::new()).collect());
        assert!(slots[offset].set(element).is_ok(), "bug: two threads appended at once");
        self.len.store(index + 1, Ordering::Release);
        index
    }
}

/// The chunk of an element, and its place therein.
#[inline]
fn place(index: usize) -> (usize, usize) {
    let chunk = (index + 1).ilog2() as usize;
    (chunk, index + 1 - (1 << chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stay_where_they_are() {
        let arena = Arena::new();
        let indices: Vec<usize> = (0..100).map(|x| arena.push(x)).collect();
        assert_eq!(indices, (0..100).collect::<Vec<_>>());
        assert!(arena.iter().copied().eq(0..100));
        assert_eq!(arena.get(100), None);
    }
}
