//! Numbers of about twice the precision of `f64`, as unevaluated sums of two, and the logarithm of a complex number in them: what
//! a power needs, whose error is that of its exponent, not relative to it.
//!
//! The sums and products are those of Dekker, *A floating-point technique for extending the available precision*, Numer. Math. 18
//! (1971), and Knuth, *The Art of Computer Programming*, vol. 2, §4.2.2, with products by fused multiply-add. The high part is always
//! what plain arithmetic would give; where it is infinite or NaN, the low one does not count.

use std::f64::consts::{FRAC_PI_4, SQRT_2};

use super::super::Var;
use super::super::strong::{Strong, strong_product};
use super::Complex;
use super::magnitude::Magnitude;

/// The number `hi + lo`, where `lo` is at most a few units in the last place of `hi`, or of the operands of a sum.
#[derive(Clone, Copy)]
pub(super) struct Extended {
    pub hi: Var,
    pub lo: Var,
}

impl Extended {
    /// The number `x`.
    #[track_caller]
    pub fn single(x: Var) -> Extended {
        Extended { hi: x, lo: x.full_like(0.0) }
    }

    #[track_caller]
    pub fn plus(self, y: Extended) -> Extended {
        let sum = exact_sum(self.hi, y.hi);
        Extended { hi: sum.hi, lo: sum.lo + (self.lo + y.lo) }
    }

    #[track_caller]
    pub fn minus(self, y: Extended) -> Extended {
        self.plus(Extended { hi: -y.hi, lo: -y.lo })
    }

    #[track_caller]
    pub fn times(self, y: Extended) -> Extended {
        let product = exact_product(self.hi, y.hi);
        Extended { hi: product.hi, lo: self.hi.mul_add(y.lo, self.lo.mul_add(y.hi, product.lo)) }
    }

    /// The product with a factor whose zeros are strong: 0 times an infinite logarithm is 0; times others it has a sign.
    #[track_caller]
    pub fn times_strong(self, y: Var) -> Extended {
        let hi = self.hi.is_finite().select(self.hi * y, strong_product(self.hi, y, Strong::Rhs));
        Extended { hi, lo: self.hi.mul_add(y, -hi) + self.lo * y }
    }

    /// The product with a power of two.
    #[track_caller]
    pub fn scaled(self, factor: f64) -> Extended {
        Extended { hi: self.hi * factor, lo: self.lo * factor }
    }

    /// The same number, whose high part is rounded to nearest: as long as they are small, products of low parts do not count.
    #[track_caller]
    pub fn normalized(self) -> Extended {
        ordered_sum(self.hi, self.lo)
    }

    /// The number, rounded.
    #[track_caller]
    pub fn rounded(self) -> Var {
        self.hi + self.lo
    }

    /// The low part where it counts, as far as its square does not.
    #[track_caller]
    pub fn correction(self) -> Var {
        (self.hi.abs().less(2f64.powi(26)) & self.lo.is_finite()).select(self.lo, 0.0)
    }

    #[track_caller]
    fn divided_by(self, y: Extended) -> Extended {
        let hi = self.hi / y.hi;
        let rest = (-hi).mul_add(y.hi, self.hi) + (-hi).mul_add(y.lo, self.lo);
        Extended { hi, lo: rest / y.hi }
    }
}

/// `ln|z|` and the angle, as [`Complex::ln`] has them, to about 66 bits.
#[track_caller]
pub(super) fn ln(z: Complex) -> [Extended; 2] {
    let (a, b) = (z.re.abs(), z.im.abs());
    let is_infinite = a.equal(f64::INFINITY) | b.equal(f64::INFINITY);
    let is_zero = a.max(b).equal(0.0);
    // Two infinite parts count as equal, and an infinite one dominates a finite one; the angle of 0 is that of ±1.
    let bounded = |part: Var| is_infinite.select(part.equal(f64::INFINITY).select(part.full_like(1.0), 0.0), part);
    let (a, b) = (is_zero.select(a.full_like(1.0), bounded(a)), bounded(b));
    let large = a.max(b);
    let magnitude = Magnitude::of(large);
    let up = magnitude.factor(1.0);
    let exponent = (large * up).log2().round();
    let down = (-exponent).exp2();
    let (a, b) = ((a * up) * down, (b * up) * down);
    let logarithm = ln_of_squares(a, b, exponent - magnitude.exponent());
    let limit = is_infinite.select(a.full_like(f64::INFINITY), f64::NEG_INFINITY);
    // An infinite part counts even beside NaN.
    let hi = (is_infinite | is_zero).select(limit, logarithm.hi);
    let angle = angle(b, a, z.re.full_like(1.0).copysign(z.re).less(0.0));
    let sign = z.im.full_like(1.0).copysign(z.im);
    [Extended { hi, lo: logarithm.lo }, Extended { hi: angle.hi * sign, lo: angle.lo * sign }]
}

/// `ln √(a² + b²) + n ln 2`, where the larger of the two is about 1: `ln m = 2 artanh(s / 2) = s + s³ P(s²)`, with
/// `s = 2 (m - 1) / (m + 1)`, of the sum of the squares halved until it is about 1.
#[track_caller]
fn ln_of_squares(a: Var, b: Var, n: Var) -> Extended {
    let squares = exact_product(a, a).plus(exact_product(b, b));
    let halvings = squares.hi.log2().round();
    let factor = (-halvings).exp2();
    let f = exact_sum(squares.hi * factor - 1.0, squares.lo * factor);
    let s = f.scaled(2.0).divided_by(f.plus(Extended::single(a.full_like(2.0))));
    let square = s.times(s);
    let beyond = s.times(square.times(series(square, &LOG, &LOG_REST)));
    let n = n + halvings * 0.5;
    // Half the logarithm of the squares; the first bits of ln 2 times a number of halves are exact.
    let of_two = exact_sum(n * LN_2_HI, n * LN_2_LO);
    of_two.plus(s.plus(beyond).scaled(0.5))
}

/// The angle of the point `(x, y)`, whose coordinates are not negative and of which one is about 1; of its mirror image across the
/// vertical axis where `is_left`.
#[track_caller]
fn angle(y: Var, x: Var, is_left: Var) -> Extended {
    let is_steep = y.greater(x);
    let (large, small) = (is_steep.select(y, x), is_steep.select(x, y));
    // With t = small / large, atan t = π/4 - atan((1 - t)/(1 + t)).
    let is_middle = small.greater(large * (SQRT_2 - 1.0));
    let (difference, sum) = (exact_sum(small, -large), exact_sum(large, small));
    let choose = |middle: Var, other: Var| is_middle.select(middle, other);
    let numerator = Extended { hi: choose(difference.hi, small), lo: choose(difference.lo, small.full_like(0.0)) };
    let denominator = Extended { hi: choose(sum.hi, large), lo: choose(sum.lo, large.full_like(0.0)) };
    let q = numerator.divided_by(denominator);
    let square = q.times(q);
    let arctangent = q.plus(q.times(square.times(series(square, &ARCTANGENT, &ARCTANGENT_REST))));
    // The angle is `quarters` times π/4, plus or minus the arctangent.
    let quarters = is_middle.select(x.full_like(1.0), 0.0);
    let quarters = is_steep.select(2.0 - quarters, quarters);
    let quarters = is_left.select(4.0 - quarters, quarters);
    let sign = is_steep.not_equal(is_left).select(x.full_like(-1.0), 1.0);
    let base = exact_product(quarters, x.full_like(FRAC_PI_4)).plus(Extended::single(quarters * FRAC_PI_4_LO));
    base.plus(Extended { hi: arctangent.hi * sign, lo: arctangent.lo * sign })
}

/// The polynomial in `x` with these coefficients, the first ones as sums of two, and then those of the rest, which is so small that its
/// rounding does not count.
#[track_caller]
fn series(x: Extended, first: &[[f64; 2]], rest: &[f64]) -> Extended {
    let mut tail = x.hi.full_like(0.0);
    for &coefficient in rest.iter().rev() {
        tail = tail.mul_add(x.hi, coefficient);
    }
    let mut sum = Extended::single(tail);
    for &[hi, lo] in first.iter().rev() {
        let product = x.times(sum);
        let leading = ordered_sum(x.hi.full_like(hi), product.hi);
        sum = Extended { hi: leading.hi, lo: leading.lo + (product.lo + lo) };
    }
    sum
}

/// `x + y`, exactly.
#[track_caller]
fn exact_sum(x: Var, y: Var) -> Extended {
    let hi = x + y;
    let of_y = hi - x;
    Extended { hi, lo: (x - (hi - of_y)) + (y - of_y) }
}

/// `x + y`, exactly if `|x| >= |y|`.
#[track_caller]
fn ordered_sum(x: Var, y: Var) -> Extended {
    let hi = x + y;
    Extended { hi, lo: y - (hi - x) }
}

/// `x · y`, exactly, unless it underflows.
#[track_caller]
fn exact_product(x: Var, y: Var) -> Extended {
    let hi = x * y;
    Extended { hi, lo: x.mul_add(y, -hi) }
}

/// The first 42 bits of ln 2.
const LN_2_HI: f64 = 0.693_147_180_559_890_3;
/// ln 2 minus `LN_2_HI`.
const LN_2_LO: f64 = 5.497_923_018_708_371e-14;
/// π/4 minus its nearest `f64`.
const FRAC_PI_4_LO: f64 = 3.061_616_997_868_383e-17;

/// The first coefficients of `P` in `ln m = s + s³ P(s²)`, 1/12 and 1/80, each as a sum of two.
const LOG: [[f64; 2]; 2] = [[1.0 / 12.0, 4.625929269271485e-18], [1.0 / 80.0, -6.938893903907229e-19]];
/// The others, for `s² <= 0.118`; the relative error of the logarithm is 2^-68.
const LOG_REST: [f64; 7] = [
    0.002232142857142859,
    0.0004340277777761858,
    8.87784093069251e-05,
    1.8780037100468995e-05,
    4.069275446696813e-06,
    8.943039560241077e-07,
    2.2060873758290164e-07,
];

/// The first coefficients of `P` in `atan q = q + q³ P(q²)`, -1/3, 1/5 and -1/7, each as a sum of two.
const ARCTANGENT: [[f64; 2]; 3] =
    [[-1.0 / 3.0, -1.850371707708594e-17], [1.0 / 5.0, -1.1102230246251566e-17], [-1.0 / 7.0, -7.93016446160826e-18]];
/// The others, for `q² <= 0.172`; the relative error of the angle is 2^-65.
const ARCTANGENT_REST: [f64; 11] = [
    0.11111111111111109,
    -0.09090909090905522,
    0.07692307691472754,
    -0.06666666590273235,
    0.05882349344064908,
    -0.05263058632809882,
    0.04760185885213552,
    -0.043285127094904854,
    0.038580878372970306,
    -0.030330146881739798,
    0.015000155007755747,
];
