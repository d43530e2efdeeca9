//! Room on the stack for what descends through nested regions.
//!
//! A thread that a program starts has 2 MiB, and regions may be nested 128 deep, with a closure, a trace and a rule of
//! derivatives on each level. So what goes deep runs on a stack of its own, which is mapped when it is asked for, and of
//! which only the pages exist that are touched. Everything stays on its thread: the open traces belong to it.

use corosensei::on_stack;
use corosensei::stack::DefaultStack;

use crate::error::{Error, MemoryError};

/// So many levels fit on any stack.
const SHALLOW: usize = 6;

/// What a level takes at most, in a build without optimization, with a margin.
const BYTES_PER_LEVEL: usize = 256 << 10;

/// What recurses level by level gets a further stack after so many.
const LEVELS_PER_STACK: usize = 8;

/// That stack. It is twice that of a main thread, since a user's closures may run on it and descend on their own.
const BYTES_PER_STACK: usize = 16 << 20;

/// Runs what descends through so many nested regions.
///
/// # Errors
/// Those of the work, and if the system gives no stack for it.
pub(crate) fn for_levels<R>(levels: usize, work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    if levels <= SHALLOW {
        return work();
    }
    let bytes = levels.saturating_mul(BYTES_PER_LEVEL);
    on_stack(map(bytes)?, work)
}

/// The same for work without errors, which takes little on each level: where the system gives no stack, it stays on this
/// one.
pub(crate) fn for_light_levels<R>(levels: usize, work: impl FnOnce() -> R) -> R {
    let stack = if levels <= SHALLOW { None } else { map(levels.saturating_mul(BYTES_PER_LEVEL)).ok() };
    match stack {
        None => work(),
        Some(stack) => on_stack(stack, work),
    }
}

/// Runs one level of what calls itself on the next, one deeper or one less deep.
///
/// # Errors
/// If the system gives no stack for it.
pub(crate) fn at_level<R>(level: usize, work: impl FnOnce() -> R) -> Result<R, MemoryError> {
    if level % LEVELS_PER_STACK < LEVELS_PER_STACK - 1 {
        return Ok(work());
    }
    Ok(on_stack(map(BYTES_PER_STACK)?, work))
}

fn map(bytes: usize) -> Result<DefaultStack, MemoryError> {
    let refused = |_| MemoryError { what: "the stack for nested regions".to_string(), bytes: bytes as u64 };
    DefaultStack::new(bytes).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::{BYTES_PER_LEVEL, at_level, for_levels, for_light_levels};
    use crate::error::Error;

    /// Uses about so many bytes of the stack.
    fn descend(bytes: usize) -> usize {
        const FRAME: usize = 4096;
        let frame = std::hint::black_box([1u8; FRAME]);
        usize::from(frame[bytes % FRAME]) + if bytes > FRAME { descend(bytes - FRAME) } else { 0 }
    }

    #[test]
    fn deep_work_has_room_on_a_small_thread() {
        let work = || {
            for_levels(128, || Ok(descend(128 * (BYTES_PER_LEVEL - 4096)))).unwrap();
            for_light_levels(128, || descend(128 * (BYTES_PER_LEVEL - 4096)));
            at_level(7, || descend(8 << 20)).unwrap();
        };
        std::thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn a_stack_that_the_system_does_not_give_is_an_error() {
        let refused = for_levels(1 << 40, || Ok(1)).unwrap_err().to_string();
        assert!(refused.contains("the stack for nested regions takes 288230376151711744 bytes"), "{refused}");
        assert_eq!(for_light_levels(1 << 40, || 1), 1);
    }

    #[test]
    fn panics_pass_through() {
        let panics = || -> Result<(), Error> { std::panic::resume_unwind(Box::new("a payload")) };
        let caught = std::panic::catch_unwind(|| for_levels(100, panics));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"a payload"));
    }
}
