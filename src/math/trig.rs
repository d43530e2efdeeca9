//! Temporary definitions by way of the standard library.

use super::lanes::Lanes;

/// The sine.
#[inline(always)]
pub(super) fn sin<L: Lanes>(x: L) -> L {
    x.map(f64::sin).canonical()
}

/// The cosine.
#[inline(always)]
pub(super) fn cos<L: Lanes>(x: L) -> L {
    x.map(f64::cos).canonical()
}

/// The tangent.
#[inline(always)]
pub(super) fn tan<L: Lanes>(x: L) -> L {
    x.map(f64::tan).canonical()
}
