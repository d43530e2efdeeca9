//! Sine, cosine and tangent.
//!
//! The argument is reduced to `|r| <= π/4` and a quadrant; `sin r = r + r³ S(r²)` and `cos r = 1 - r²/2 + r⁴ C(r²)`
//! with minimax polynomials `S` and `C` (Remez exchange, for the error relative to the function). Both are evaluated,
//! and each lane selects by its quadrant.

use super::lanes::Lanes;
use super::pair::{Pair, ordered_sum, polynomial};
use super::trig_reduction::{Quadrant, reduce};

/// `S` of the module's description, for `|r|` up to a little above π/4; the error is 2^-58.
const SIN: [f64; 6] = [
    -0.16666666666666632,
    0.00833333333332237,
    -0.00019841269829771357,
    2.755731367871302e-06,
    -2.5050755967688812e-08,
    1.589666685111974e-10,
];

/// `C` of the module's description, for `|r|` up to a little above π/4; the error is 2^-64.
const COS: [f64; 6] = [
    0.0416666666666666,
    -0.0013888888888874064,
    2.4801587289443566e-05,
    -2.7557314340679953e-07,
    2.0875721626181017e-09,
    -1.1359559449077249e-11,
];

/// The sine of a reduced argument.
#[inline(always)]
fn sin_reduced<L: Lanes>(r: Pair<L>) -> Pair<L> {
    let square = r.hi * r.hi;
    Pair::new(r.hi, (r.hi * square).fma(polynomial(square, SIN), r.lo))
}

/// The cosine of a reduced argument.
#[inline(always)]
fn cos_reduced<L: Lanes>(r: Pair<L>) -> Pair<L> {
    let half = L::splat(0.5);
    let square = r.hi * r.hi;
    let of_square = r.hi.fma(r.hi, -square);
    let leading = ordered_sum(L::splat(1.0), -(square * half));
    // The derivative of the cosine, times the rounding errors of `r.hi` and `square`.
    let lost = r.hi.fma(r.lo, of_square * half);
    Pair::new(leading.hi, (square * square).fma(polynomial(square, COS), leading.lo - lost))
}

/// `sin x` and `cos x` for finite `x >= 0`, to a few bits more than the precision of `f64`.
#[inline(always)]
pub(super) fn sin_cos_pair<L: Lanes>(x: L) -> [Pair<L>; 2] {
    let Quadrant { index, r } = reduce(x);
    let (sin, cos) = (sin_reduced(r).normalize(), cos_reduced(r).normalize());
    let odd = index.is_odd();
    let signed = |y: Pair<L>, sign: L| Pair::new(y.hi.bit_xor(sign), y.lo.bit_xor(sign));
    [signed(Pair::select(odd, cos, sin), index.sign()), signed(Pair::select(odd, sin, cos), index.next().sign())]
}

/// `sin x` and `cos x`.
#[inline(always)]
pub(super) fn sin_cos<L: Lanes>(x: L) -> [L; 2] {
    let Quadrant { index, r } = reduce(x.abs());
    let (sin, cos) = (sin_reduced(r).sum(), cos_reduced(r).sum());
    let odd = index.is_odd();
    let (sin, cos) = (L::select(odd, cos, sin), L::select(odd, sin, cos));
    let signs = [index.sign().bit_xor(x.sign()), index.next().sign()];
    [sin.bit_xor(signs[0]).canonical(), cos.bit_xor(signs[1]).canonical()]
}

/// `sin x`.
#[inline(always)]
pub(super) fn sin<L: Lanes>(x: L) -> L {
    sin_cos(x)[0]
}

/// `cos x`.
#[inline(always)]
pub(super) fn cos<L: Lanes>(x: L) -> L {
    sin_cos(x)[1]
}

/// `tan x`.
#[inline(always)]
pub(super) fn tan<L: Lanes>(x: L) -> L {
    let Quadrant { index, r } = reduce(x.abs());
    let sin = sin_reduced(r).normalize();
    let cos = cos_reduced(r).normalize();
    let odd = index.is_odd();
    // In odd quadrants the tangent is `-cos r / sin r`.
    let numerator = Pair::select(odd, -cos, sin);
    let denominator = Pair::select(odd, sin, cos);
    let y = numerator.divide(denominator).sum();
    let y = y.bit_xor(x.sign());
    // Where x³ / 3 is negligible relative to x, the quotient could lose subnormal bits.
    L::select(x.abs().lt(L::splat(1e-9)), x, y).canonical()
}
