//! What compiled code and whoever calls it agree on: addresses in memory, the base table, and how a call ends.
//!
//! The base table holds the addresses of the arena, of the scalars' frame and of the memory of stacks, then those of
//! inputs, outputs and constants, and at last the library calls, each with the address of its routine and of its operands.

use crate::emit::{position, short};
use crate::op::Graph;

/// The entry of the base table that holds the arena.
pub const ARENA: u32 = 0;

/// The entry of the base table that holds the scalars' frame.
pub const FRAME: u32 = 1;

/// The entry of the base table that holds the memory of stacks, or nothing where a program has none.
pub const STACKS: u32 = 2;

/// The first of the inputs' entries; outputs, constants and library calls follow.
pub const FIRST_INPUT: u32 = 3;

/// The entry of the first constant of a graph.
pub fn first_constant(graph: &Graph) -> u32 {
    FIRST_INPUT + position(graph.inputs().len() + graph.outputs().len())
}

/// An address: an entry of the base table and a distance in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub base: u32,
    pub offset: i64,
}

impl Address {
    /// The address so many bytes after this one.
    pub fn beyond(self, bytes: i64) -> Address {
        Address { offset: self.offset + bytes, ..self }
    }

    /// How many bytes this address is after another of the same entry.
    pub fn behind(self, other: Address) -> Option<i64> {
        (self.base == other.base).then_some(self.offset - other.offset)
    }
}

/// One cache line, so that memory is aligned to it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [u8; 64]);

/// Compiled code as it is called, with the base table; it returns the number of a [`Status`].
pub type Entry = extern "C" fn(*const *mut u8) -> i32;

/// How a call of compiled code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With its results.
    Done,
    /// A library routine panicked, which is a defect.
    Panicked,
    /// Loops would take more memory for what they save than they may.
    TooMuch,
    /// The views are not what the program takes, so that no code has run.
    Unfit,
    /// The system gives no memory.
    NoMemory,
    /// A function of the host failed; its error waits on the thread that made the call.
    Failed,
    /// The loop that is the `k`-th with a limit goes beyond it.
    TooManyIterations(usize),
    /// The guard of that number does not hold.
    Miss(usize),
}

/// The number of the first loop with a limit; the others go down from there.
const TOO_MANY: i32 = -16;

impl Status {
    /// The number that compiled code returns.
    pub fn number(self) -> i32 {
        match self {
            Status::Done => 0,
            Status::Panicked => -1,
            Status::TooMuch => -2,
            Status::Unfit => -3,
            Status::NoMemory => -4,
            Status::Failed => -5,
            Status::TooManyIterations(limit) => TOO_MANY - short(limit),
            Status::Miss(guard) => 1 + short(guard),
        }
    }

    /// The status of a number that compiled code returned.
    pub fn of(number: i32) -> Status {
        match number {
            0 => Status::Done,
            -1 => Status::Panicked,
            -2 => Status::TooMuch,
            -3 => Status::Unfit,
            -4 => Status::NoMemory,
            -5 => Status::Failed,
            1.. => Status::Miss(number.unsigned_abs() as usize - 1),
            ..=TOO_MANY => Status::TooManyIterations(number.abs_diff(TOO_MANY) as usize),
            other => unreachable!("bug: a status {other} that nothing returns"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_statuses_correspond() {
        let simple = [Status::Done, Status::Panicked, Status::TooMuch, Status::Unfit, Status::NoMemory, Status::Failed];
        let numbered = [0, 1, 7, 1_000_000].into_iter().flat_map(|k| [Status::TooManyIterations(k), Status::Miss(k)]);
        for status in simple.into_iter().chain(numbered) {
            assert_eq!(Status::of(status.number()), status);
        }
    }
}
