//! Temporary definitions by way of the standard library.

use super::lanes::Lanes;

/// e to the power of x.
#[inline(always)]
pub(super) fn exp<L: Lanes>(x: L) -> L {
    x.map(f64::exp).canonical()
}

/// 2 to the power of x.
#[inline(always)]
pub(super) fn exp2<L: Lanes>(x: L) -> L {
    x.map(f64::exp2).canonical()
}

/// e to the power of x, less one, without cancellation near zero.
#[inline(always)]
pub(super) fn expm1<L: Lanes>(x: L) -> L {
    x.map(f64::exp_m1).canonical()
}

/// The logistic function, 1 / (1 + e to the power of -x).
#[inline(always)]
pub(super) fn logistic<L: Lanes>(x: L) -> L {
    x.map(|x| 1.0 / (1.0 + (-x).exp())).canonical()
}
