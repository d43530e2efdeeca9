//! Temporary definitions by way of the standard library.

use super::lanes::Lanes;

/// The inverse sine, in [-π/2, π/2].
#[inline(always)]
pub(super) fn asin<L: Lanes>(x: L) -> L {
    x.map(f64::asin).canonical()
}

/// The inverse cosine, in [0, π].
#[inline(always)]
pub(super) fn acos<L: Lanes>(x: L) -> L {
    x.map(f64::acos).canonical()
}

/// The inverse tangent, in [-π/2, π/2].
#[inline(always)]
pub(super) fn atan<L: Lanes>(x: L) -> L {
    x.map(f64::atan).canonical()
}

/// The angle of the point (y, x), `x.atan2(y)` in terms of Rust, in [-π, π].
#[inline(always)]
pub(super) fn atan2<L: Lanes>(x: L, y: L) -> L {
    x.zip(y, f64::atan2).canonical()
}
