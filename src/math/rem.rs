//! Temporary definitions by way of the standard library.

use super::lanes::Lanes;

/// The remainder of x / y with the sign of x, exact: `x % y` of Rust, `fmod` of C.
#[inline(always)]
pub(super) fn rem<L: Lanes>(x: L, y: L) -> L {
    x.zip(y, |x, y| x % y).canonical()
}
