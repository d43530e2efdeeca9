//! Temporary definitions by way of the standard library.

use super::lanes::Lanes;

/// The cube root.
#[inline(always)]
pub(super) fn cbrt<L: Lanes>(x: L) -> L {
    x.map(f64::cbrt).canonical()
}

/// x to the power of y.
#[inline(always)]
pub(super) fn pow<L: Lanes>(x: L, y: L) -> L {
    x.zip(y, f64::powf).canonical()
}

/// The length of the vector (x, y), without overflow on the way.
#[inline(always)]
pub(super) fn hypot<L: Lanes>(x: L, y: L) -> L {
    x.zip(y, f64::hypot).canonical()
}
