//! Running back through a loop with few states in memory: the schedules, and what carries them out.
//!
//! The snapshots lie on a stack, each the state before a iteration, with the number of that iteration. The iterations that are still to be
//! reversed lie between the snapshot on top and an end that comes nearer: either a iteration between them is reached and noted as
//! another snapshot, or the last one is reached and reversed. A snapshot is dropped once its own iteration is reversed.

use super::stacks::{self, Stacks};
use crate::compile::abi::{FIRST_INPUT, Status};
use crate::emit::signed;
use crate::op::Schedule;

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// So many iterations on from the snapshot on top, another one is put on top of it.
    Store(usize),
    /// The last iteration is reversed; so many lie between the snapshot on top and it.
    Reverse(usize),
}

/// How many snapshots a schedule holds at most.
fn capacity(schedule: Schedule, length: usize) -> usize {
    match schedule {
        Schedule::Sqrt => {
            let segment = segment(length);
            (length.div_ceil(segment) + segment - 1).min(length)
        }
        Schedule::Binomial(snapshots) => snapshots.min(length),
    }
}

/// The next step, if `left` iterations lie after the snapshot on top, which is one of `held`.
fn next_step(schedule: Schedule, length: usize, left: usize, held: usize) -> Step {
    match schedule {
        _ if left <= 1 => Step::Reverse(0),
        Schedule::Sqrt => {
            let segment = segment(length);
            Step::Store(if left > segment { segment } else { 1 })
        }
        Schedule::Binomial(snapshots) if held >= snapshots => Step::Reverse(left - 1),
        Schedule::Binomial(snapshots) => Step::Store(split(left, snapshots - held + 1)),
    }
}

/// How many iterations lie between snapshots of the first sweep: √n, rounded up.
fn segment(length: usize) -> usize {
    let root = length.isqrt();
    (if root * root < length { root + 1 } else { root }).max(1)
}

/// Where to put the next snapshot, if there may be `snapshots` on these iterations, the one before them included: so that as few
/// iterations as possible are computed once more. With `β(c, r)` iterations each is computed `r` times at most, so the first part may
/// have `β(c, r - 1)`, and what is left must have `β(c - 1, r - 1)` at least.
fn split(iterations: usize, snapshots: usize) -> usize {
    let (iterations, c) = (iterations as u128, snapshots as u128);
    let (mut r, mut before, mut reach) = (0, 1, 1);
    while reach < iterations {
        r += 1;
        (before, reach) = (reach, reach * (c + r) / r);
    }
    let least_left = before * c / (c + r - 1);
    usize::try_from(before.min(iterations - least_left)).expect("bug: a part beyond the whole")
}

/// How many iterations a schedule computes once more; `None` where counting them would take long itself.
pub fn n_advances(schedule: Schedule, length: usize) -> Option<u64> {
    const MAX_LENGTH: usize = 1_000_000;
    if length > MAX_LENGTH {
        return None;
    }
    let (mut snapshots, mut end, mut n) = (vec![0], length, 0);
    while let (Some(&top), true) = (snapshots.last(), end > 0) {
        match next_step(schedule, length, end - top, snapshots.len()) {
            Step::Store(iterations) => {
                n += iterations as u64;
                snapshots.push(top + iterations);
            }
            Step::Reverse(iterations) => {
                n += iterations as u64;
                end -= 1;
                if iterations == 0 {
                    snapshots.pop();
                }
            }
        }
    }
    Some(n)
}

/// What carries out the schedule of one node.
pub struct Driver {
    pub schedule: Schedule,
    pub length: usize,
    /// Whether the state begins with the last row.
    pub reverse: bool,
    /// How many values the reverse carries.
    pub n_cts: usize,
    /// The bytes of each value of the state.
    pub state: Vec<usize>,
    /// The bytes of a row of each array that is read.
    pub xs: Vec<usize>,
    /// The bytes of a row of each array that is written.
    pub ys: Vec<usize>,
    /// The number of inputs of each region.
    pub n_inputs: [usize; 2],
    /// Whether each region makes stacks, which end with it.
    pub makes_stacks: [bool; 2],
}

/// The code of a region, as [`emit`](crate::emit) makes it.
type Code = unsafe extern "C" fn(bases: *mut *mut u8) -> i32;

/// What compiled code gives to the driver. The addresses of the state, of the arrays that are read and of those that are
/// written follow.
#[repr(C)]
pub struct Call {
    code: [Code; 2],
    tables: [*mut *mut u8; 2],
    stacks: *mut Stacks,
    /// Where regions find the number of the row.
    index: *mut i64,
}

/// The number of words before the addresses.
pub const CALL_WORDS: usize = size_of::<Call>() / 8;

pub const ADVANCE: usize = 0;
pub const REVERSE: usize = 1;

impl Driver {
    /// The words of a [`Call`] with its addresses.
    pub fn n_words(&self) -> usize {
        CALL_WORDS + self.state.len() + self.xs.len() + self.ys.len()
    }

    /// The bytes of a snapshot: the number of a iteration, then each value of the state.
    fn snapshot_bytes(&self) -> Option<usize> {
        self.state.iter().try_fold(8usize, |sum, bytes| sum.checked_add(bytes.checked_next_multiple_of(8)?))
    }

    /// The bytes of all states that are kept at one time, and of two more through which states advance; `usize::MAX` if
    /// they are more.
    pub fn memory_bytes(&self) -> usize {
        let n = if self.length == 0 { 0 } else { capacity(self.schedule, self.length).saturating_add(2) };
        self.snapshot_bytes().map_or(usize::MAX, |bytes| bytes.saturating_mul(n))
    }

    /// The number of the row of a iteration.
    fn row(&self, iteration: usize) -> usize {
        if self.reverse { self.length - 1 - iteration } else { iteration }
    }
}

/// Runs back through all iterations; gives a status.
///
/// # Safety
/// The driver must have been made for the node whose code calls it. `call` must be as [`Call`] says, the tables complete but
/// for what changes from iteration to iteration, and all memory that they lead to must be valid and overlap with nothing else.
pub unsafe extern "C" fn run(driver: *const Driver, call: *const Call) -> i64 {
    // SAFETY: by this function's contract.
    let (driver, call) = unsafe { (&*driver, &*call) };
    // SAFETY: the addresses follow the call.
    let addresses = unsafe {
        let first = std::ptr::from_ref(call).add(1).cast::<*mut u8>();
        std::slice::from_raw_parts(first, driver.n_words() - CALL_WORDS)
    };
    let run = Run { driver, call, addresses };
    // SAFETY: the stacks are valid, and no snapshot outlives the run.
    unsafe {
        let mark = stacks::mark(call.stacks);
        let outcome = run.run();
        stacks::release(call.stacks, mark);
        outcome.map_or_else(i64::from, |()| 0)
    }
}

struct Run<'r> {
    driver: &'r Driver,
    call: &'r Call,
    addresses: &'r [*mut u8],
}

impl Run<'_> {
    /// # Safety
    /// As [`run`].
    unsafe fn run(&self) -> Result<(), i32> {
        let &Driver { schedule, length, .. } = self.driver;
        if length == 0 {
            return Ok(());
        }
        let bytes = self.driver.snapshot_bytes().ok_or(Status::TooMuch.number())?;
        // SAFETY: the stacks are valid, and nobody else uses them meanwhile. What saturates is beyond every limit.
        let memory = unsafe { (*self.call.stacks).take(self.driver.memory_bytes()) }.map_err(Status::number)?;
        let between = [memory, memory.wrapping_add(bytes)];
        let snapshot = |k: usize| memory.wrapping_add((2 + k) * bytes);
        let (mut held, mut end) = (1, length);
        // SAFETY: the schedule holds at most as many snapshots as there is memory for, and notes a iteration on each.
        unsafe {
            self.begin(snapshot(0));
            while end > 0 {
                let top = snapshot(held - 1);
                let iteration = top.cast::<usize>().read();
                match next_step(schedule, length, end - iteration, held) {
                    Step::Store(n) => {
                        self.advance(top, iteration, n, between, snapshot(held))?;
                        held += 1;
                    }
                    Step::Reverse(0) => {
                        self.reverse(top)?;
                        (held, end) = (held - 1, end - 1);
                    }
                    Step::Reverse(n) => {
                        let last = between[n % 2];
                        self.advance(top, iteration, n, between, last)?;
                        self.reverse(last)?;
                        end -= 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes the state before the first iteration.
    ///
    /// # Safety
    /// There must be room for a snapshot.
    unsafe fn begin(&self, to: *mut u8) {
        // SAFETY: by this function's contract.
        unsafe { to.cast::<usize>().write(0) };
        let mut place = to.wrapping_add(8);
        for (&bytes, &from) in self.driver.state.iter().zip(self.addresses) {
            // SAFETY: there is a value of that size at each address, and room for it in the snapshot.
            unsafe { std::ptr::copy_nonoverlapping(from, place, bytes) };
            place = place.wrapping_add(bytes.next_multiple_of(8));
        }
    }

    /// Computes `n` iterations on from a state, through two others in turn. What is read last may not be what is written last.
    ///
    /// # Safety
    /// All of them must be states, the first one before that iteration, and the last other than both it and `between[(n - 1) % 2]`.
    unsafe fn advance(
        &self,
        mut from: *mut u8,
        iteration: usize,
        n: usize,
        between: [*mut u8; 2],
        last: *mut u8,
    ) -> Result<(), i32> {
        let first_output = self.driver.n_inputs[ADVANCE];
        for k in 0..n {
            let to = if k + 1 == n { last } else { between[(k + 1) % 2] };
            // SAFETY: by this function's contract; a iteration reads one state and writes another.
            unsafe {
                self.set_state(ADVANCE, 1, from);
                self.set_state(ADVANCE, first_output, to);
                self.set_rows(ADVANCE, 1 + self.driver.state.len(), iteration + k);
                self.enter(ADVANCE)?;
                to.cast::<usize>().write(iteration + k + 1);
            }
            from = to;
        }
        Ok(())
    }

    /// Runs the reverse of the iteration that begins with a state.
    ///
    /// # Safety
    /// It must be a state.
    unsafe fn reverse(&self, state: *mut u8) -> Result<(), i32> {
        let (n_cts, n_state) = (self.driver.n_cts, self.driver.state.len());
        let first_output = self.driver.n_inputs[REVERSE];
        // SAFETY: the table has these entries. What a iteration has written the next one reads.
        unsafe {
            let iteration = state.cast::<usize>().read();
            self.set_state(REVERSE, 1 + n_cts, state);
            self.set_rows(REVERSE, 1 + n_cts + n_state, iteration);
            let written = &self.addresses[n_state + self.driver.xs.len()..];
            for (k, (&start, bytes)) in written.iter().zip(&self.driver.ys).enumerate() {
                self.set(REVERSE, first_output + n_cts + k, start.wrapping_add(self.driver.row(iteration) * bytes));
            }
            self.enter(REVERSE)?;
            for k in 0..n_cts {
                self.entry(REVERSE, 1 + k).swap(self.entry(REVERSE, first_output + k));
            }
        }
        Ok(())
    }

    /// Lets a region read or write a state.
    ///
    /// # Safety
    /// The table must have entries for it there.
    unsafe fn set_state(&self, region: usize, first: usize, state: *mut u8) {
        let mut place = state.wrapping_add(8);
        for (k, bytes) in self.driver.state.iter().enumerate() {
            // SAFETY: by this function's contract.
            unsafe { self.set(region, first + k, place) };
            place = place.wrapping_add(bytes.next_multiple_of(8));
        }
    }

    /// Lets a region read the rows of a iteration, and their number.
    ///
    /// # Safety
    /// The table must have entries for them there.
    unsafe fn set_rows(&self, region: usize, first: usize, iteration: usize) {
        let row = self.driver.row(iteration);
        let arrays = &self.addresses[self.driver.state.len()..];
        // SAFETY: by this function's contract.
        unsafe {
            self.call.index.write(signed(row));
            for (k, (bytes, &start)) in self.driver.xs.iter().zip(arrays).enumerate() {
                self.set(region, first + k, start.wrapping_add(row * bytes));
            }
        }
    }

    /// # Safety
    /// The table must have that entry.
    unsafe fn set(&self, region: usize, position: usize, address: *mut u8) {
        // SAFETY: by this function's contract.
        unsafe { self.entry(region, position).write(address) };
    }

    /// The table's entry for an input, or after them for an output.
    fn entry(&self, region: usize, position: usize) -> *mut *mut u8 {
        self.call.tables[region].wrapping_add(FIRST_INPUT as usize + position)
    }

    /// # Safety
    /// The table must be complete.
    unsafe fn enter(&self, region: usize) -> Result<(), i32> {
        let stacks = self.call.stacks;
        // SAFETY: by this function's contract; a region's stacks end with it.
        let status = unsafe {
            if self.driver.makes_stacks[region] {
                let mark = stacks::mark(stacks);
                let status = self.call.code[region](self.call.tables[region]);
                stacks::release(stacks, mark);
                status
            } else {
                self.call.code[region](self.call.tables[region])
            }
        };
        if status == 0 { Ok(()) } else { Err(status) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries out a schedule on numbers alone; gives the iterations that were computed once more, and the most snapshots held.
    fn simulate(schedule: Schedule, length: usize) -> (usize, usize) {
        let (mut snapshots, mut end) = (vec![0], length);
        let (mut advances, mut most) = (0, 0);
        while end > 0 {
            most = most.max(snapshots.len());
            let top = snapshots[snapshots.len() - 1];
            match next_step(schedule, length, end - top, snapshots.len()) {
                Step::Store(n) => {
                    assert!(n > 0 && top + n < end, "a snapshot between the last one and the end");
                    advances += n;
                    snapshots.push(top + n);
                }
                Step::Reverse(n) => {
                    assert_eq!(top + n, end - 1);
                    advances += n;
                    end -= 1;
                    if n == 0 {
                        snapshots.pop();
                    }
                }
            }
        }
        assert!(snapshots.len() <= 1 && most <= capacity(schedule, length));
        assert_eq!(n_advances(schedule, length), Some(advances as u64));
        (advances, most)
    }

    fn beta(c: usize, r: usize) -> usize {
        (1..=r).fold(1, |product, k| product * (c + k) / k)
    }

    /// Griewank and Walther's formula.
    fn least(length: usize, c: usize) -> usize {
        let r = (0..).find(|&r| beta(c, r) >= length).unwrap();
        if r == 0 { 0 } else { r * length - beta(c + 1, r - 1) }
    }

    #[test]
    fn binomial_schedules_compute_as_little_as_possible() {
        // By trying every place for every snapshot.
        let mut best = vec![vec![0; 9]; 41];
        for length in 2..=40 {
            best[length][1] = length * (length - 1) / 2;
            for c in 2..=8 {
                let split = |m: usize| m + best[length - m][c - 1] + best[m][c];
                best[length][c] = (1..length).map(split).min().unwrap();
            }
        }
        for (length, best) in best.iter().enumerate().skip(1) {
            for (c, &best) in best.iter().enumerate().skip(1) {
                let (advances, _) = simulate(Schedule::Binomial(c), length);
                assert_eq!((advances, least(length, c)), (best, best), "{length} trips, {c} snapshots");
            }
        }
    }

    #[test]
    fn binomial_schedules_keep_to_the_formula_in_the_large() {
        for (length, c) in [(1_000, 3), (1_000, 10), (10_000, 5), (100_000, 10), (100_000, 300), (5_000, 1), (500, 500)]
        {
            let (advances, most) = simulate(Schedule::Binomial(c), length);
            assert_eq!(advances, least(length, c), "{length} trips, {c} snapshots");
            assert!(most <= c);
        }
        assert_eq!(simulate(Schedule::Binomial(usize::MAX), 1_000), (999, 1_000));
    }

    #[test]
    fn the_memory_of_states_does_not_wrap() {
        let bytes = |schedule, length, state: &[usize]| {
            let driver = Driver {
                schedule,
                length,
                reverse: false,
                n_cts: 1,
                state: state.into(),
                xs: vec![],
                ys: vec![],
                n_inputs: [2, 3],
                makes_stacks: [false; 2],
            };
            driver.memory_bytes()
        };
        assert_eq!(bytes(Schedule::Binomial(3), 10, &[8, 1]), (3 + 2) * 24);
        assert_eq!(bytes(Schedule::Binomial(usize::MAX), 10, &[8]), (10 + 2) * 16);
        assert_eq!(bytes(Schedule::Binomial(3), 0, &[8]), 0);
        for length in [usize::MAX, usize::MAX - 1, usize::MAX - 2, isize::MAX as usize] {
            assert_eq!(bytes(Schedule::Binomial(usize::MAX), length, &[8]), usize::MAX, "{length}");
            assert_eq!(bytes(Schedule::Sqrt, length, &[usize::MAX / 2, usize::MAX / 2]), usize::MAX, "{length}");
        }
        assert_eq!(bytes(Schedule::Binomial(2), 10, &[usize::MAX - 8]), usize::MAX);
    }

    #[test]
    fn square_roots_bound_memory_and_work() {
        for length in (1..200).chain([10_000, 100_000, 99_999]) {
            let (advances, most) = simulate(Schedule::Sqrt, length);
            let bound = 2.0 * (length as f64).sqrt();
            assert!(advances <= 2 * length && most as f64 <= bound, "{length} trips: {advances}, {most}");
        }
    }
}
