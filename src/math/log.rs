//! Temporary definitions by way of the standard library.

use super::lanes::Lanes;

/// The natural logarithm.
#[inline(always)]
pub(super) fn log<L: Lanes>(x: L) -> L {
    x.map(f64::ln).canonical()
}

/// The logarithm to base 2.
#[inline(always)]
pub(super) fn log2<L: Lanes>(x: L) -> L {
    x.map(f64::log2).canonical()
}

/// The logarithm to base 10.
#[inline(always)]
pub(super) fn log10<L: Lanes>(x: L) -> L {
    x.map(f64::log10).canonical()
}

/// The natural logarithm of 1 + x, without cancellation near zero.
#[inline(always)]
pub(super) fn log1p<L: Lanes>(x: L) -> L {
    x.map(f64::ln_1p).canonical()
}
