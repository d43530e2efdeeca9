//! Room on the stack for what descends through nested regions.
//!
//! A thread that a program starts has 2 MiB, and regions may be nested 128 deep, with a closure, a trace and a rule of
//! derivatives on each level. So what goes deep runs on a stack of its own, which is mapped when it is asked for, and of
//! which only the pages exist that are touched. Everything stays on its thread: the open traces belong to it.

use corosensei::on_stack;
use corosensei::stack::DefaultStack;

/// So many levels fit on any stack.
const SHALLOW: usize = 6;

/// What a level takes at most, in a build without optimization, with a margin.
const BYTES_PER_LEVEL: usize = 256 << 10;

/// What recurses level by level gets a further stack after so many.
const LEVELS_PER_STACK: usize = 8;

/// That stack. It is twice that of a main thread, since a user's closures may run on it and descend on their own.
const BYTES_PER_STACK: usize = 16 << 20;

/// Runs what descends through so many nested regions.
pub(crate) fn for_levels<R>(levels: usize, work: impl FnOnce() -> R) -> R {
    if levels <= SHALLOW { work() } else { on_own(levels.saturating_mul(BYTES_PER_LEVEL), work) }
}

/// Runs one level of what calls itself on the next, one deeper or one less deep.
pub(crate) fn at_level<R>(level: usize, work: impl FnOnce() -> R) -> R {
    if level % LEVELS_PER_STACK < LEVELS_PER_STACK - 1 { work() } else { on_own(BYTES_PER_STACK, work) }
}

/// Where the system maps no further stack, the work stays on this one, which may be large enough.
fn on_own<R>(bytes: usize, work: impl FnOnce() -> R) -> R {
    match DefaultStack::new(bytes) {
        Ok(stack) => on_stack(stack, work),
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_PER_LEVEL, at_level, for_levels};

    /// Uses about so many bytes of the stack.
    fn descend(bytes: usize) -> usize {
        const FRAME: usize = 4096;
        let frame = std::hint::black_box([1u8; FRAME]);
        usize::from(frame[bytes % FRAME]) + if bytes > FRAME { descend(bytes - FRAME) } else { 0 }
    }

    #[test]
    fn deep_work_has_room_on_a_small_thread() {
        let work = || {
            for_levels(128, || descend(128 * (BYTES_PER_LEVEL - 4096)));
            at_level(7, || descend(8 << 20));
        };
        std::thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn panics_pass_through() {
        let caught = std::panic::catch_unwind(|| for_levels(100, || std::panic::resume_unwind(Box::new("a payload"))));
        let caught: std::thread::Result<()> = caught;
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"a payload"));
    }
}
