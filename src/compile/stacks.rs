//! The memory of what loops save: stacks that grow while a program runs.
//!
//! It is taken from chunks, one behind the other, and given back all at once: a region's stacks do not outlive the region.
//! What grows stays where it is as long as nothing was taken after it, so that a single stack is never copied within a
//! chunk.

use super::program::Line;

/// The status with which compiled code returns when stacks would take more memory than they may.
pub(super) const TOO_MUCH: i32 = -2;

/// The size of the first chunk; the others double.
const FIRST_CHUNK: usize = 1 << 16;

/// What is kept from call to call.
const KEPT: usize = 1 << 26;

/// The beginning of a stack that grows.
#[repr(C)]
pub(super) struct Head {
    data: *mut u8,
    len: usize,
    capacity: usize,
}

/// The places of [`Head`]'s fields, for compiled code.
pub(super) const HEAD_DATA: i32 = 0;
pub(super) const HEAD_LEN: i32 = 8;
pub(super) const HEAD_CAPACITY: i32 = 16;
pub(super) const HEAD_BYTES: usize = size_of::<Head>();

/// The memory of one call's stacks.
pub(super) struct Stacks {
    /// Their elements are never initialized as far as Rust knows: only compiled code reads what it has written.
    chunks: Vec<Vec<Line>>,
    /// For each chunk before the current one, how much of it was taken.
    filled: Vec<usize>,
    current: usize,
    top: usize,
    limit: usize,
    /// The most that has been taken at one time, in all calls.
    peak: usize,
}

// SAFETY: the chunks are owned, and no address into them outlives a call.
unsafe impl Send for Stacks {}

impl Stacks {
    pub fn new(limit: usize) -> Stacks {
        Stacks { chunks: Vec::new(), filled: Vec::new(), current: 0, top: 0, limit, peak: 0 }
    }

    /// The most bytes that have been taken at one time, in all calls.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// Forgets what has been taken, and gives back what is too much to keep.
    pub fn reset(&mut self, limit: usize) {
        (self.current, self.top, self.limit) = (0, 0, limit);
        let mut kept = 0;
        self.chunks.retain(|chunk| {
            kept += bytes(chunk);
            kept <= KEPT.min(limit)
        });
    }

    /// Memory of that size, aligned to 16 bytes; `None` beyond the limit.
    pub fn take(&mut self, size: usize) -> Option<*mut u8> {
        let place = self.find(size.checked_next_multiple_of(16)?)?;
        self.note_peak();
        Some(place)
    }

    fn note_peak(&mut self) {
        let taken = self.filled[..self.current].iter().sum::<usize>() + self.top;
        self.peak = self.peak.max(taken);
    }

    fn find(&mut self, size: usize) -> Option<*mut u8> {
        while self.current < self.chunks.len() {
            let chunk = &mut self.chunks[self.current];
            if bytes(chunk) - self.top >= size {
                // SAFETY: the place lies within the chunk.
                let place = unsafe { chunk.as_mut_ptr().cast::<u8>().add(self.top) };
                self.top += size;
                return Some(place);
            }
            self.filled.truncate(self.current);
            self.filled.push(self.top);
            (self.current, self.top) = (self.current + 1, 0);
        }
        let taken: usize = self.chunks.iter().map(bytes).sum();
        let room = self.limit.checked_sub(taken).filter(|&room| room >= size)?;
        let wanted = self.chunks.last().map_or(FIRST_CHUNK, |chunk| 2 * bytes(chunk));
        let mut chunk: Vec<Line> = Vec::new();
        chunk.try_reserve_exact(wanted.min(room).max(size).div_ceil(size_of::<Line>())).ok()?;
        let place = chunk.as_mut_ptr().cast();
        self.chunks.push(chunk);
        self.top = size;
        Some(place)
    }

    /// Room for at least one more record.
    fn grow(&mut self, head: &mut Head, record: usize) -> Option<()> {
        let wanted = (2 * head.capacity).max(16);
        let size = head.capacity.checked_mul(record)?.checked_next_multiple_of(16)?;
        if self.extend(head.data, size, wanted.checked_mul(record)?) {
            head.capacity = wanted;
            return Some(());
        }
        let data = self.take(wanted.checked_mul(record)?)?;
        if head.len > 0 {
            // SAFETY: both hold at least that many bytes, and what has just been taken overlaps with nothing.
            unsafe { std::ptr::copy_nonoverlapping(head.data, data, head.len * record) };
        }
        (head.data, head.capacity) = (data, wanted);
        Some(())
    }

    /// Enlarges what was taken last, if there is room behind it.
    fn extend(&mut self, data: *mut u8, size: usize, wanted: usize) -> bool {
        let Some(chunk) = self.chunks.get_mut(self.current) else { return false };
        let is_last = size > 0 && chunk.as_mut_ptr() as usize + self.top == data as usize + size;
        let end = self.top - size.min(self.top) + wanted.next_multiple_of(16);
        let fits = is_last && end <= bytes(chunk);
        if fits {
            self.top = end;
            self.note_peak();
        }
        fits
    }
}

fn bytes(chunk: &Vec<Line>) -> usize {
    chunk.capacity() * size_of::<Line>()
}

/// Makes room for one more record of a stack; gives a status.
///
/// # Safety
/// `stacks` and `head` must be valid, and `head` must have been made for records of that size.
pub(super) unsafe extern "C" fn grow(stacks: *mut Stacks, head: *mut Head, record: usize) -> i64 {
    // SAFETY: by this function's contract.
    let grown = unsafe { (*stacks).grow(&mut *head, record) };
    if grown.is_some() { 0 } else { i64::from(TOO_MUCH) }
}

/// Sets a head to an empty stack with room for so many records; gives a status.
///
/// # Safety
/// `stacks` and `head` must be valid.
pub(super) unsafe extern "C" fn reserve(stacks: *mut Stacks, head: *mut Head, record: usize, n: usize) -> i64 {
    // SAFETY: by this function's contract.
    let data = n.checked_mul(record).and_then(|size| unsafe { (*stacks).take(size) });
    let Some(data) = data else { return i64::from(TOO_MUCH) };
    // SAFETY: as above.
    unsafe { head.write(Head { data, len: 0, capacity: n }) };
    0
}

/// What has been taken so far, for [`release`].
///
/// # Safety
/// `stacks` must be valid.
pub(super) unsafe extern "C" fn mark(stacks: *mut Stacks) -> i64 {
    // SAFETY: by this function's contract.
    let stacks = unsafe { &*stacks };
    ((stacks.current as i64) << 48) | stacks.top as i64
}

/// Gives back what has been taken since the mark.
///
/// # Safety
/// `stacks` must be valid, and nothing that was taken since may be used any more.
pub(super) unsafe extern "C" fn release(stacks: *mut Stacks, mark: i64) -> i64 {
    // SAFETY: by this function's contract.
    let stacks = unsafe { &mut *stacks };
    (stacks.current, stacks.top) = ((mark >> 48) as usize, (mark & ((1 << 48) - 1)) as usize);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_stack_grows_in_place_and_within_the_limit() {
        let mut stacks = Stacks::new(1 << 17);
        let mut head = Head { data: std::ptr::null_mut(), len: 0, capacity: 0 };
        stacks.grow(&mut head, 24).unwrap();
        let first = head.data;
        while head.capacity * 24 < FIRST_CHUNK / 2 {
            head.len = head.capacity;
            stacks.grow(&mut head, 24).unwrap();
        }
        assert_eq!(head.data, first);
        while stacks.grow(&mut head, 24).is_some() {}
        assert!(stacks.chunks.iter().map(bytes).sum::<usize>() <= 1 << 17);
        // SAFETY: the stacks are there.
        let mark = unsafe { mark(&mut stacks) };
        stacks.reset(1 << 17);
        assert!(stacks.take(1 << 15).is_some() && mark > 0);
    }

    #[test]
    fn what_is_released_is_taken_again() {
        let mut stacks = Stacks::new(1 << 20);
        let kept = stacks.take(100).unwrap();
        // SAFETY: the stacks are there.
        let before = unsafe { mark(&mut stacks) };
        let first = stacks.take(1 << 17).unwrap();
        // SAFETY: as above; what was taken is not used.
        unsafe { release(&mut stacks, before) };
        assert_eq!(stacks.take(1 << 17).unwrap(), first);
        assert_ne!(kept, first);
    }
}
