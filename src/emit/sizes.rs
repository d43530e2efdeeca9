//! Conversions between the integers that count bytes and elements, those that addresses are computed with, and those that
//! instructions hold. None of them cuts a number: one that does not fit is a defect, since a program beyond
//! [`MAX_BYTES`] is refused before it is emitted.

/// The most bytes of working memory that a program may take, and the most bytes or elements that a value of it may have:
/// 2⁴⁷, all that a process can address on today's processors. Sums of several of them, and their products with the size of
/// an element, stay far from what 64 bits hold.
pub const MAX_BYTES: usize = 1 << 47;

/// A count or distance as the machine computes with it.
#[track_caller]
pub fn signed(n: usize) -> i64 {
    i64::try_from(n).expect("bug: a size beyond the limit of programs")
}

/// A count or distance that is known not to be negative.
#[track_caller]
pub fn unsigned(n: i64) -> usize {
    usize::try_from(n).expect("bug: a negative size")
}

/// A distance in elements as the machine computes with it: `isize` and `i64` are one on the machines that are compiled for.
pub fn wide(n: isize) -> i64 {
    i64::try_from(n).expect("bug: a distance of more than 64 bits")
}

/// The position of a value, an entry or a function, of which no graph has 2³².
#[track_caller]
pub fn position(n: usize) -> u32 {
    u32::try_from(n).expect("bug: a position beyond the limit of graphs")
}

/// A distance that an instruction holds, where only few elements lie between.
#[track_caller]
pub fn short(n: usize) -> i32 {
    i32::try_from(n).expect("bug: a distance that no instruction holds")
}

/// The bits of an address, as the machine computes with it.
pub fn bits(address: usize) -> i64 {
    address.cast_signed() as i64
}
