//! Numbers of about twice the precision, as unevaluated sums of two, and polynomials.
//!
//! The exact sums and products are those of Dekker, *A floating-point technique for extending the available
//! precision*, Numer. Math. 18 (1971), and Knuth, *The Art of Computer Programming*, vol. 2, §4.2.2; the product is
//! the short form that fused multiply-add allows.

use super::lanes::Lanes;
use std::ops::Neg;

/// The number `hi + lo`, where `lo` is the smaller part.
#[derive(Clone, Copy)]
pub(super) struct Pair<L> {
    pub hi: L,
    pub lo: L,
}

impl<L: Lanes> Pair<L> {
    /// The number `hi + lo`.
    #[inline(always)]
    pub fn new(hi: L, lo: L) -> Pair<L> {
        Pair { hi, lo }
    }

    /// The number `x`.
    #[inline(always)]
    pub fn single(x: L) -> Pair<L> {
        Pair { hi: x, lo: L::splat(0.0) }
    }

    /// The number, rounded.
    #[inline(always)]
    pub fn sum(self) -> L {
        self.hi + self.lo
    }

    /// The same number with `hi` rounded to nearest; requires `|hi| >= |lo|`.
    #[inline(always)]
    pub fn normalize(self) -> Pair<L> {
        ordered_sum(self.hi, self.lo)
    }

    /// The sum, with a relative error far below one ulp of its `hi` unless the two nearly cancel.
    #[inline(always)]
    pub fn plus(self, y: Pair<L>) -> Pair<L> {
        let sum = exact_sum(self.hi, y.hi);
        ordered_sum(sum.hi, sum.lo + (self.lo + y.lo))
    }

    /// The product, without the product of the low parts.
    #[inline(always)]
    pub fn times(self, y: Pair<L>) -> Pair<L> {
        let product = exact_product(self.hi, y.hi);
        Pair::new(product.hi, self.hi.fma(y.lo, self.lo.fma(y.hi, product.lo)))
    }

    /// The product with a power of two, exact unless it underflows.
    #[inline(always)]
    pub fn scaled(self, factor: L) -> Pair<L> {
        Pair::new(self.hi * factor, self.lo * factor)
    }

    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(hi: f64, lo: f64) -> Pair<L> {
        Pair::new(L::splat(hi), L::splat(lo))
    }

    /// The quotient, with a relative error far below one ulp of its `hi`.
    ///
    /// `1 / y.hi` may neither overflow nor be subnormal.
    #[inline(always)]
    pub fn divide(self, y: Pair<L>) -> Pair<L> {
        let reciprocal = L::splat(1.0) / y.hi;
        let hi = self.hi * reciprocal;
        // The remainder of the quotient, `x - q y`, is exact in its leading term.
        let rest = (-hi).fma(y.hi, self.hi) + (-hi).fma(y.lo, self.lo);
        Pair { hi, lo: rest * reciprocal }
    }

    /// `yes` where the mask holds, `no` elsewhere.
    #[inline(always)]
    pub fn select(mask: L::Mask, yes: Pair<L>, no: Pair<L>) -> Pair<L> {
        Pair { hi: L::select(mask, yes.hi, no.hi), lo: L::select(mask, yes.lo, no.lo) }
    }
}

impl<L: Lanes> Neg for Pair<L> {
    type Output = Pair<L>;
    #[inline(always)]
    fn neg(self) -> Pair<L> {
        Pair::new(-self.hi, -self.lo)
    }
}

/// `x + y`, exactly.
#[inline(always)]
pub(super) fn exact_sum<L: Lanes>(x: L, y: L) -> Pair<L> {
    let hi = x + y;
    let of_y = hi - x;
    let lo = (x - (hi - of_y)) + (y - of_y);
    Pair { hi, lo }
}

/// `x + y`, exactly if `|x| >= |y|` or `x` is zero.
#[inline(always)]
pub(super) fn ordered_sum<L: Lanes>(x: L, y: L) -> Pair<L> {
    let hi = x + y;
    Pair { hi, lo: y - (hi - x) }
}

/// `x y`, exactly, unless it underflows.
#[inline(always)]
pub(super) fn exact_product<L: Lanes>(x: L, y: L) -> Pair<L> {
    let hi = x * y;
    Pair { hi, lo: x.fma(y, -hi) }
}

/// The polynomial with these coefficients, constant term first; at least three.
///
/// Odd and even powers are evaluated by two independent chains of Horner's method, which halves the latency of a single
/// evaluation. The constant term is added last, so that the error is hardly more than the last rounding.
#[inline(always)]
pub(super) fn polynomial<L: Lanes, const N: usize>(x: L, coefficients: [f64; N]) -> L {
    let square = x * x;
    let mut chains = [L::splat(coefficients[N - 1]), L::splat(coefficients[N - 2])];
    for &coefficient in coefficients[1..N - 2].iter().rev() {
        chains = [chains[1], chains[0].fma(square, L::splat(coefficient))];
    }
    chains[0].fma(x, chains[1]).fma(x, L::splat(coefficients[0]))
}
