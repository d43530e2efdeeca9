//! Powers. Their values are accurate though the exponent `c · ln z` is large: it is computed to more digits than its type has.

use super::super::{Operand, Var};
use super::extended::{self, Extended};
use super::functions::{exp, ln_abs};
use super::rule::{complex, holomorphic, parts, times, times_real, with_rule};
use super::{Complex, ComplexOperand};
use crate::value::DType;

impl Complex {
    /// `zⁿ`, with an error of at most 4 units in the last place, relative to the absolute value; exact where all products are: for
    /// `n` up to 3, and for numbers of few digits. A negative power is the reciprocal of the positive one. The power 0 is 1.
    ///
    /// It is computed by at most `2·log2 |n|` products, beyond the third power of numbers of twice the precision.
    ///
    /// # Derivative
    /// `n · zⁿ⁻¹`, whose error is about `n` units in the last place.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let f = |z: Complex| (z.powi(5), z.powi(-2));
    /// let y: (Complex64, Complex64) = jit(f).call(c64(1.0, 1.0))?;
    /// assert_eq!(y, (c64(-4.0, -4.0), c64(0.0, -0.5)));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn powi(self, n: i32) -> Complex {
        if n.unsigned_abs() <= 3 {
            return products(self, n.into());
        }
        holomorphic(
            self,
            |z| accurate(z, |z| precise_products(z, n.into()), |z| products(z, n.into())),
            |z, _| products(z, i64::from(n) - 1) * f64::from(n),
        )
    }

    /// `zᵖ` for a real power, which may be a [`Var`]: `|z|ᵖ · cis(p · arg z)`, the principal branch.
    ///
    /// The error is at most 4 units in the last place, relative to the absolute value, for `|p · ln z|` up to 1,000; beyond it, where
    /// only the angle can be, it grows with that. `0ᵖ` is 0 for positive `p`, and 1 for `p = 0`.
    ///
    /// # Derivative
    /// `p · z^(p - 1)` by z, and `zᵖ · ln z` by p, with an error of about `1 + |p · ln z|` units in the last place.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.powf(1.5)).call(c64(0.0, 2.0))?;
    /// assert!((y - c64(-2.0, 2.0)).norm() < 2e-15);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn powf(self, p: impl Operand) -> Complex {
        let is_known = p.traced().is_none();
        real_power(self, p.var(self.re), is_known, RULES)
    }

    /// `zᶜ = e^(c · ln z)` for a complex power, the principal branch. For a power that is real use [`Complex::powf`] or
    /// [`Complex::powi`].
    ///
    /// Its error is as that of [`Complex::powf`]. `0ᶜ` is 0 where `c` has a positive real part.
    ///
    /// # Derivative
    /// `c · z^(c - 1)` by z, and `zᶜ · ln z` by c.
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Complex64 = jit(|z: Complex| z.powc(z)).call(c64(0.0, 1.0))?;
    /// assert!((y - (-std::f64::consts::FRAC_PI_2).exp()).norm() < 1e-16);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn powc(self, c: impl ComplexOperand) -> Complex {
        complex_power(self, Complex::of(c, self.re), false, RULES)
    }

    /// `2ᶻ`; as accurate as [`Complex::powc`].
    #[track_caller]
    pub fn exp2(self) -> Complex {
        self.expf(2.0)
    }

    /// `baseᶻ` for a real base; as accurate as [`Complex::powc`]. That of a negative base is on its principal branch.
    #[track_caller]
    pub fn expf(self, base: f64) -> Complex {
        complex_power(Complex::from(self.re.full_like(base)), self, true, RULES)
    }
}

/// The derivative of a power is made of another power, which has a rule of its own again, so often: up to that order
/// derivatives are right at 0, too. Only the first of them, which is the value, is computed in twice the precision.
const RULES: usize = 3;

/// `zᵖ` with so many rules within each other. Of a power that is known there is no derivative by it.
#[track_caller]
fn real_power(z: Complex, p: Var, is_known: bool, rules: usize) -> Complex {
    let operands = |[x, y, p]: [Var; 3]| (Complex { re: x, im: y }, p);
    let power = |z: Complex, p: Var| {
        let precise = |z: Complex| exp_extended(extended::ln(z).map(|part| part.times_strong(p)));
        value(z, rules, precise, |z| exp(times_real(plain_ln(z), p.convert(z.re.dtype()))))
    };
    if rules == 0 {
        return power(z, p);
    }
    let [re, im] = with_rule(
        [z.re, z.im, p],
        |x| {
            let (z, p) = operands(x);
            parts(power(z, p))
        },
        |x, w, t| {
            let ((z, p), (tz, tp)) = (operands(x), operands(t));
            // Where p is 0 the power is 1, also at 0.
            let by_z = times(times_real(real_power(z, p - 1.0, is_known, rules - 1), p), tz);
            // zᵖ ln z vanishes where zᵖ does.
            parts(if is_known { by_z } else { by_z + times_real(times(z.ln(), complex(w)), tp) })
        },
    );
    Complex { re, im }
}

/// `zᶜ` with so many rules within each other. Of a base that is known there is no derivative by it.
#[track_caller]
fn complex_power(z: Complex, c: Complex, is_known: bool, rules: usize) -> Complex {
    let operands = |[x, y, c, d]: [Var; 4]| (Complex { re: x, im: y }, Complex { re: c, im: d });
    let power = |z: Complex, c: Complex| {
        let precise = |z: Complex| exp_extended(times_ln(c, extended::ln(z)));
        // The power 0 is 1, also of 0.
        value(z, rules, precise, |z| exp(times(plain_ln(z), c.convert(z.re.dtype()))))
    };
    if rules == 0 {
        return power(z, c);
    }
    let [re, im] = with_rule(
        [z.re, z.im, c.re, c.im],
        |x| {
            let (z, c) = operands(x);
            parts(power(z, c))
        },
        |x, w, t| {
            let ((z, c), (tz, tc)) = (operands(x), operands(t));
            let by_c = times(times(z.ln(), complex(w)), tc);
            if is_known {
                return parts(by_c);
            }
            parts(times(times(complex_power(z, c - 1.0, is_known, rules - 1), c), tz) + by_c)
        },
    );
    Complex { re, im }
}

/// Without a derivative of its own.
#[track_caller]
fn plain_ln(z: Complex) -> Complex {
    Complex { re: ln_abs(z), im: z.arg() }
}

/// A power within which there are so many rules: the first one is the value.
#[track_caller]
fn value(
    z: Complex,
    rules: usize,
    precise: impl Fn(Complex) -> Complex,
    plain: impl Fn(Complex) -> Complex,
) -> Complex {
    if rules == RULES { accurate(z, precise, plain) } else { plain(z) }
}

/// A function by its definition in twice the precision; for numbers of single precision, by the plain one in double precision.
#[track_caller]
fn accurate(z: Complex, precise: impl Fn(Complex) -> Complex, plain: impl Fn(Complex) -> Complex) -> Complex {
    match z.re.dtype() {
        DType::F32 => plain(z.convert(DType::F64)).convert(DType::F32),
        _ => precise(z),
    }
}

/// `c · ln z` of the logarithm.
#[track_caller]
fn times_ln(c: Complex, [re, im]: [Extended; 2]) -> [Extended; 2] {
    let product = |part: Extended, factor: Var| part.times_strong(factor);
    [product(re, c.re).minus(product(im, c.im)), product(im, c.re).plus(product(re, c.im))]
}

/// `e^z` of a number of twice the precision: that of its high parts `w`, and `w` times its low parts.
#[track_caller]
fn exp_extended([re, im]: [Extended; 2]) -> Complex {
    let power = exp(Complex { re: re.hi, im: im.hi });
    let rest = Complex { re: re.correction(), im: im.correction() };
    Complex::select(power.is_finite(), power + power * rest, power)
}

/// `zⁿ`, rounded after each product.
#[track_caller]
fn products(z: Complex, n: i64) -> Complex {
    if n == 0 {
        return Complex { re: z.re.full_like(1.0), im: z.im.full_like(0.0) };
    }
    let mut power = z;
    for is_odd in steps(n) {
        power = power.square();
        if is_odd {
            power *= z;
        }
    }
    reciprocal_if(n < 0, z, power)
}

/// `zⁿ`, rounded at the end.
#[track_caller]
fn precise_products(z: Complex, n: i64) -> Complex {
    let z_extended = [Extended::single(z.re), Extended::single(z.im)];
    let mut power = z_extended;
    for is_odd in steps(n) {
        power = extended_product(power, power);
        if is_odd {
            power = extended_product(power, z_extended);
        }
    }
    let [re, im] = power;
    let rounded = Complex { re: re.rounded(), im: im.rounded() };
    // Where products overflow the low parts are NaN.
    let power = Complex::select(rounded.is_finite(), rounded, products(z, n.abs()));
    reciprocal_if(n < 0, z, power)
}

#[track_caller]
fn extended_product([a, b]: [Extended; 2], [c, d]: [Extended; 2]) -> [Extended; 2] {
    [a.times(c).minus(b.times(d)), a.times(d).plus(b.times(c))]
}

/// For each bit of `n` after the first one, whether it is set.
fn steps(n: i64) -> impl Iterator<Item = bool> {
    let bits = n.unsigned_abs();
    (0..bits.ilog2()).rev().map(move |bit| bits >> bit & 1 == 1)
}

#[track_caller]
fn reciprocal_if(is_negative: bool, z: Complex, power: Complex) -> Complex {
    if !is_negative {
        return power;
    }
    // Of a power that overflows, maybe to inf - inf, the reciprocal is 0.
    Complex::select(power.is_finite() | z.is_nan(), power.recip(), 0.0)
}
