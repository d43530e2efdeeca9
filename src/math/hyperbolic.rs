//! Temporary definitions by way of the standard library.

use super::lanes::Lanes;

/// The hyperbolic sine.
#[inline(always)]
pub(super) fn sinh<L: Lanes>(x: L) -> L {
    x.map(f64::sinh).canonical()
}

/// The hyperbolic cosine.
#[inline(always)]
pub(super) fn cosh<L: Lanes>(x: L) -> L {
    x.map(f64::cosh).canonical()
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh<L: Lanes>(x: L) -> L {
    x.map(f64::tanh).canonical()
}

/// The inverse hyperbolic sine.
#[inline(always)]
pub(super) fn asinh<L: Lanes>(x: L) -> L {
    x.map(f64::asinh).canonical()
}

/// The inverse hyperbolic cosine, not negative.
#[inline(always)]
pub(super) fn acosh<L: Lanes>(x: L) -> L {
    x.map(f64::acosh).canonical()
}

/// The inverse hyperbolic tangent.
#[inline(always)]
pub(super) fn atanh<L: Lanes>(x: L) -> L {
    x.map(f64::atanh).canonical()
}
