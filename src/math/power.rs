//! Powers, roots and Euclidean norms.

use super::exp::{Reduced, exp_reduced, reduce};
use super::lanes::Lanes;
use super::log::log_accurate;
use super::pair::{exact_product, exact_sum, ordered_sum, polynomial};
use super::rounding::{power_of_two, round, scale, split_at_one};

/// `xʸ` for positive finite `x` and finite `y`, as `e` to the power of `y ln x`, which requires the logarithm to 68
/// bits.
#[inline(always)]
fn positive_pow<L: Lanes>(x: L, y: L) -> L {
    let log = log_accurate(x);
    let product = exact_product(y, log.hi);
    // Beyond these limits the result overflows or underflows in any case, and the low part may be undefined.
    let limit = L::splat(1000.0);
    let inside = product.hi.abs().lt(limit);
    let lo = L::select(inside, y.fma(log.lo, product.lo), L::splat(0.0));
    let Reduced { n, r } = reduce(product.hi.max(-limit).min(limit));
    // The low part of the product can be larger than the reduced argument.
    scale(exp_reduced(exact_sum(r.hi, r.lo + lo)).sum(), n)
}

/// `xʸ`, with the special cases of C.
#[inline(always)]
pub(super) fn pow<L: Lanes>(x: L, y: L) -> L {
    let (zero, one, half) = (L::splat(0.0), L::splat(1.0), L::splat(0.5));
    let (infinity, nan) = (L::splat(f64::INFINITY), L::splat(f64::NAN));
    let size = x.abs();
    let z = positive_pow(size, y);
    // For these operands the power is 0 or infinite.
    let unbounded = L::or(L::or(size.eq(zero), size.eq(infinity)), y.abs().eq(infinity));
    let grows = L::select(one.lt(size), y, -y);
    let limit = L::select(zero.lt(grows), infinity, zero);
    let z = L::select(unbounded, limit, z);
    let z = L::select(size.eq(one), one, z);
    // The sign: minus for odd powers of negative numbers; non-integer powers of negative numbers are undefined.
    let integer = y.trunc().eq(y);
    let half_integer = (y * half).trunc().eq(y * half);
    let odd = L::select(half_integer, zero, L::select(integer, one, zero));
    let z = L::select(zero.lt(odd), z.bit_or(x.sign()), z);
    let undefined = L::select(L::or(integer, unbounded), zero, x);
    let z = L::select(undefined.lt(zero), nan, z);
    let z = L::select(L::and(x.is_number(), y.is_number()), z, nan);
    L::select(L::or(y.eq(zero), x.eq(one)), one, z)
}

/// `m` to the power of -1/3 for `1 <= m <= 2`, a minimax polynomial whose relative error is 2^-14.7.
const INVERSE_CBRT: [f64; 5] =
    [1.6700067330386967, -1.1728801643917044, 0.6954825479667934, -0.2212378008803698, 0.02859101467957667];

/// The cube root.
#[inline(always)]
pub(super) fn cbrt<L: Lanes>(x: L) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let size = x.abs();
    let (k, m) = split_at_one(size);
    // k = 3 q + j with j in 0..3; (k - 1) / 3 is at most a third from q.
    let third = L::splat(1.0 / 3.0);
    let q = round((k - one) * third);
    let j = k - L::splat(3.0) * q;
    let z = m * power_of_two(j);
    /// 2 to the power of -1/3 and -2/3.
    const ROOTS: [f64; 2] = [0.7937005259840998, 0.6299605249474366];
    let root = L::select(j.lt(L::splat(1.5)), L::splat(ROOTS[0]), L::splat(ROOTS[1]));
    let root = L::select(j.lt(L::splat(0.5)), one, root);
    // One third-order step for the inverse root: h = 1 - z y³, y (1 + h/3 + 2 h²/9).
    let y = polynomial(m, INVERSE_CBRT) * root;
    let h = (-(z * y)).fma(y * y, one);
    let y = (y * h).fma(h.fma(L::splat(2.0 / 9.0), third), y);
    // One Newton step for the root, with the residual t³ - z to twice the precision.
    let t = z * (y * y);
    let square = exact_product(t, t);
    let residual = square.hi.fma(t, -z) + square.lo * t;
    let t = (-residual).fma(y * y * third, t);
    let result = (t * power_of_two(q)).bit_or(x.sign());
    let special = L::or(size.eq(zero), size.eq(L::splat(f64::INFINITY)));
    L::select(special, x, L::select(x.is_number(), result, L::splat(f64::NAN)))
}

/// `√(x² + y²)`.
#[inline(always)]
pub(super) fn hypot<L: Lanes>(x: L, y: L) -> L {
    let one = L::splat(1.0);
    let (x, y) = (x.abs(), y.abs());
    let large = x.max(y);
    let small = L::select(x.lt(y), x, y);
    // Scaling by powers of two prevents overflow and underflow of the squares.
    let up = large.lt(L::splat(1e-120));
    let down = L::splat(1e150).lt(large);
    let factor = L::select(up, L::splat(TWO_700), L::select(down, L::splat(1.0 / TWO_700), one));
    let back = L::select(up, L::splat(1.0 / TWO_700), L::select(down, L::splat(TWO_700), one));
    let large_square = exact_product(large * factor, large * factor);
    let small_square = exact_product(small * factor, small * factor);
    let sum = ordered_sum(large_square.hi, small_square.hi);
    let root = sum.hi.sqrt();
    let missing = (-root).fma(root, sum.hi) + (sum.lo + (large_square.lo + small_square.lo));
    let root_lo = missing * (L::splat(0.5) / root.max(L::splat(1e-300)));
    let z = (root + root_lo) * back;
    let z = L::select(L::and(x.is_number(), y.is_number()), z, L::splat(f64::NAN));
    let infinity = L::splat(f64::INFINITY);
    L::select(L::or(x.eq(infinity), y.eq(infinity)), infinity, z)
}

/// `x / √(x² + y²)`; at the origin, `x` itself, which is a zero.
#[inline(always)]
pub(super) fn direction_cosine<L: Lanes>(x: L, y: L) -> L {
    let (zero, one, infinity) = (L::splat(0.0), L::splat(1.0), L::splat(f64::INFINITY));
    let (x_infinite, y_infinite) = (x.abs().eq(infinity), y.abs().eq(infinity));
    // An infinite coordinate counts as ±1; if only one is infinite, the other counts as ±0.
    let (x_limit, y_limit) = (L::select(x_infinite, one, zero), L::select(y_infinite, one, zero));
    let any = L::or(x_infinite, y_infinite);
    let number = L::and(x.is_number(), y.is_number());
    let x = L::select(any, x_limit.bit_or(x.sign()), x);
    let y = L::select(any, y_limit.bit_or(y.sign()), y);
    let large = x.abs().max(y.abs());
    // Scaling by powers of two prevents overflow and underflow of the squares; the quotient is rounded once.
    let up = large.lt(L::splat(1e-120));
    let down = L::splat(1e150).lt(large);
    let factor = L::select(up, L::splat(TWO_700), L::select(down, L::splat(1.0 / TWO_700), one));
    let length = hypot(x * factor, y * factor);
    let numerator = L::select(up, x * factor, x);
    let cosine = numerator / L::select(length.eq(zero), one, length);
    let cosine = L::select(down, cosine * factor, cosine);
    L::select(number, cosine, L::splat(f64::NAN))
}

const TWO_700: f64 = f64::from_bits((1023 + 700) << 52);
