//! The messages of caught panics.

use std::cell::RefCell;
use std::panic;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Records panics instead of printing them, in the whole process.
pub fn keep() {
    panic::set_hook(Box::new(|info| LAST.with_borrow_mut(|last| *last = info.to_string())));
}

/// The message of this thread's last panic.
pub fn last() -> String {
    LAST.with_borrow(String::clone)
}

/// The part of a message that is the same for all panics of one kind, without numbers.
pub fn kind(message: &str) -> String {
    let mut kind = String::new();
    for c in message.chars().take(160) {
        match c {
            '0'..='9' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            '\n' => kind.push(' '),
            c => kind.push(c),
        }
    }
    kind
}
