//! The memory of what loops save: stacks that grow while a program runs.
//!
//! It is taken from chunks, one after the other, and given back all at once: a region's stacks do not outlive the region.
//! What grows stays where it is as long as nothing was taken after it, so that a single stack is never copied within a
//! chunk.

use super::library::fail;
use crate::compile::abi::{Line, Status};
use crate::emit::{signed, unsigned};
use crate::error::MemoryError;

/// The size of the first chunk; the others double.
const FIRST_CHUNK: usize = 1 << 16;

/// What is kept from call to call.
const KEPT: usize = 1 << 26;

/// A mark holds the number of a chunk above so many bits, in which it holds the place within the chunk.
const CHUNK_BITS: u32 = 48;
const CHUNK_MASK: usize = (1 << CHUNK_BITS) - 1;

/// The beginning of a stack that grows.
#[repr(C)]
pub struct Head {
    data: *mut u8,
    len: usize,
    capacity: usize,
}

/// The places of [`Head`]'s fields, for compiled code.
pub const HEAD_DATA: i64 = 0;
pub const HEAD_LEN: i64 = 8;
pub const HEAD_CAPACITY: i64 = 16;
pub const HEAD_BYTES: usize = size_of::<Head>();

/// The memory of one call's stacks.
pub struct Stacks {
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

    /// Memory of that size, aligned to 16 bytes.
    ///
    /// # Errors
    /// The status of a call that would go beyond the limit, or for which the system gives no memory.
    pub fn take(&mut self, size: usize) -> Result<*mut u8, Status> {
        let place = self.find(size.checked_next_multiple_of(16).ok_or(Status::TooMuch)?)?;
        self.note_peak();
        Ok(place)
    }

    fn note_peak(&mut self) {
        let taken = self.filled[..self.current].iter().sum::<usize>() + self.top;
        self.peak = self.peak.max(taken);
    }

    fn find(&mut self, size: usize) -> Result<*mut u8, Status> {
        while self.current < self.chunks.len() {
            let chunk = &mut self.chunks[self.current];
            if bytes(chunk) - self.top >= size {
                // SAFETY: the place lies within the chunk.
                let place = unsafe { chunk.as_mut_ptr().cast::<u8>().add(self.top) };
                self.top += size;
                return Ok(place);
            }
            self.filled.truncate(self.current);
            self.filled.push(self.top);
            (self.current, self.top) = (self.current + 1, 0);
        }
        let taken: usize = self.chunks.iter().map(bytes).sum();
        let room = self.limit.checked_sub(taken).filter(|&room| room >= size).ok_or(Status::TooMuch)?;
        let wanted = self.chunks.last().map_or(FIRST_CHUNK, |chunk| bytes(chunk).saturating_mul(2));
        let wanted = wanted.min(room).max(size);
        let mut chunk: Vec<Line> = Vec::new();
        chunk.try_reserve_exact(wanted.div_ceil(size_of::<Line>())).map_err(|_| {
            let bytes = (taken as u64).saturating_add(wanted as u64);
            fail(MemoryError { what: "what loops save for the reverse mode".to_string(), bytes }.into())
        })?;
        let place = chunk.as_mut_ptr().cast();
        self.chunks.push(chunk);
        self.top = size;
        Ok(place)
    }

    /// Room for at least one more record.
    fn grow(&mut self, head: &mut Head, record: usize) -> Result<(), Status> {
        let bytes = |n: usize| n.checked_mul(record)?.checked_next_multiple_of(16);
        let first = (FIRST_CHUNK / record.max(1)).clamp(1, 16);
        let wanted = head.capacity.saturating_mul(2).max(first);
        let (size, bytes) = bytes(head.capacity).zip(bytes(wanted)).ok_or(Status::TooMuch)?;
        if self.extend(head.data, size, bytes) {
            head.capacity = wanted;
            return Ok(());
        }
        let data = self.take(bytes)?;
        if head.len > 0 {
            // SAFETY: both hold at least that many bytes, and what has just been taken overlaps with nothing.
            unsafe { std::ptr::copy_nonoverlapping(head.data, data, head.len * record) };
        }
        (head.data, head.capacity) = (data, wanted);
        Ok(())
    }

    /// Enlarges what was taken last, if there is room after it.
    fn extend(&mut self, data: *mut u8, size: usize, wanted: usize) -> bool {
        let Some(chunk) = self.chunks.get_mut(self.current) else { return false };
        let is_last = size > 0 && chunk.as_mut_ptr() as usize + self.top == data as usize + size;
        let end = (self.top - size.min(self.top)).checked_add(wanted).filter(|&end| is_last && end <= bytes(chunk));
        if let Some(end) = end {
            self.top = end;
            self.note_peak();
        }
        end.is_some()
    }
}

fn bytes(chunk: &Vec<Line>) -> usize {
    chunk.capacity() * size_of::<Line>()
}

/// Makes room for one more record of a stack; gives a status.
///
/// # Safety
/// `stacks` and `head` must be valid, and `head` must have been made for records of that size.
pub unsafe extern "C" fn grow(stacks: *mut Stacks, head: *mut Head, record: usize) -> i64 {
    // SAFETY: by this function's contract.
    let grown = unsafe { (*stacks).grow(&mut *head, record) };
    grown.map_or_else(|status| i64::from(status.number()), |()| 0)
}

/// Sets a head to an empty stack with room for so many records; gives a status.
///
/// # Safety
/// `stacks` and `head` must be valid.
pub unsafe extern "C" fn reserve(stacks: *mut Stacks, head: *mut Head, record: usize, n: usize) -> i64 {
    // SAFETY: by this function's contract.
    let data = n.checked_mul(record).ok_or(Status::TooMuch).and_then(|size| unsafe { (*stacks).take(size) });
    match data {
        Err(status) => i64::from(status.number()),
        Ok(data) => {
            // SAFETY: as above.
            unsafe { head.write(Head { data, len: 0, capacity: n }) };
            0
        }
    }
}

/// What has been taken so far, for [`release`].
///
/// # Safety
/// `stacks` must be valid.
pub unsafe extern "C" fn mark(stacks: *mut Stacks) -> i64 {
    // SAFETY: by this function's contract.
    let stacks = unsafe { &*stacks };
    // Chunks double, so that they are few, and no chunk is larger than what a processor addresses.
    debug_assert!(stacks.current < 1 << 15 && stacks.top <= CHUNK_MASK, "bug: a mark that does not fit");
    signed((stacks.current << CHUNK_BITS) | stacks.top)
}

/// Gives back what has been taken since the mark.
///
/// # Safety
/// `stacks` must be valid, and nothing that was taken since may be used any more.
pub unsafe extern "C" fn release(stacks: *mut Stacks, mark: i64) -> i64 {
    // SAFETY: by this function's contract.
    let stacks = unsafe { &mut *stacks };
    let mark = unsigned(mark);
    (stacks.current, stacks.top) = (mark >> CHUNK_BITS, mark & CHUNK_MASK);
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
        while stacks.grow(&mut head, 24).is_ok() {}
        assert!(stacks.chunks.iter().map(bytes).sum::<usize>() <= 1 << 17);
        // SAFETY: the stacks are there.
        let mark = unsafe { mark(&mut stacks) };
        stacks.reset(1 << 17);
        assert!(stacks.take(1 << 15).is_ok() && mark > 0);
    }

    #[test]
    fn a_record_as_large_as_the_limit_fits() {
        let mut stacks = Stacks::new(1 << 20);
        let mut head = Head { data: std::ptr::null_mut(), len: 0, capacity: 0 };
        assert_eq!((stacks.grow(&mut head, 1 << 20), head.capacity), (Ok(()), 1));
        assert_eq!(stacks.grow(&mut head, 1 << 20), Err(Status::TooMuch));
    }

    #[test]
    fn what_no_memory_can_hold_is_refused() {
        let mut stacks = Stacks::new(usize::MAX);
        for size in [usize::MAX, usize::MAX - 15, isize::MAX as usize, 1 << 62] {
            assert!(stacks.take(size).is_err(), "{size}");
        }
        let mut head = Head { data: std::ptr::null_mut(), len: 0, capacity: 0 };
        for (record, n) in [(usize::MAX, 2), (1 << 40, 1 << 40), (24, usize::MAX), (8, usize::MAX / 8)] {
            // SAFETY: stacks and head are there.
            let status = unsafe { reserve(&mut stacks, &mut head, record, n) };
            assert!(status < 0, "{n} records of {record} bytes");
        }
        for (record, capacity) in [(usize::MAX, 1), (1 << 60, 16), (1, usize::MAX), (24, usize::MAX / 24)] {
            let mut head = Head { data: std::ptr::null_mut(), len: 0, capacity };
            assert!(stacks.grow(&mut head, record).is_err(), "{capacity} records of {record} bytes");
        }
        assert_eq!(Stacks::new(100).take(101), Err(Status::TooMuch));
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
