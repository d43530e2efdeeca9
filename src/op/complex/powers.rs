//! Powers. Their values are accurate though the exponent `c · ln z` is large: it is computed to more digits than its type has.

use super::super::strong::{Strong, strong_product};
use super::super::{Operand, Var, trace};
use super::extended::{self, Extended};
use super::functions::{exp, ln_abs};
use super::rule::{complex, holomorphic, parts, times, times_real, with_rule};
use super::{Complex, ComplexOperand};
use crate::value::DType;

impl Complex {
    /// `zⁿ`, with an error of at most 4 units in the last place, relative to the absolute value; exact where all products are: for
    /// positive `n` and numbers of few digits. The power 0 is 1. Negative powers of 0 are infinite; those of infinite numbers, and
    /// numbers that overflow, may be NaN in a part, as products are: [`Complex::powf`] gives infinite ones.
    ///
    /// It is computed by at most `2·log2 |n|` products, of numbers of twice the precision but for `n` from 0 to 3; a negative power is
    /// that of the reciprocal.
    ///
    /// # Derivative
    /// `n · zⁿ⁻¹`, whose error is about `|n|` units in the last place.
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
        match n {
            -1 => self.recip(),
            0..=3 => products(self, n.into()),
            _ => holomorphic(
                self,
                |z| accurate(z, |z| precise_products(z, n.into()), |z| products(z, n.into())),
                |z, _| products(z, i64::from(n) - 1) * f64::from(n),
            ),
        }
    }

    /// `zᵖ` for a real power, which may be a [`Var`]: `|z|ᵖ · cis(p · arg z)`, the principal branch.
    ///
    /// The error is at most 4 units in the last place, relative to the absolute value, for `|p · ln z|` up to 1,000; beyond it, where
    /// only the angle can be, it grows with that. `0ᵖ` is 0 for positive `p`, and 1 for `p = 0`.
    ///
    /// # Derivative
    /// `p · z^(p - 1)` by z, and `zᵖ · ln z` by p, with errors of about `1 + |(p - 1) · ln z|` and `1 + |p · ln z|` units in the last
    /// place. At 0 those by z are right up to the third; further ones are NaN there.
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
        let p = p.var(self.re);
        let _method = trace::method("powf", &[self.re, p]);
        if !are_alike(self.re, p) {
            return Complex::poisoned();
        }
        real_power(self, p, is_known, RULES)
    }

    /// `zᶜ = e^(c · ln z)` for a complex power, the principal branch. For a power that is real use [`Complex::powf`] or
    /// [`Complex::powi`].
    ///
    /// Its error is as that of [`Complex::powf`]. `0ᶜ` is 0 where `c` has a positive real part.
    ///
    /// # Derivative
    /// `c · z^(c - 1)` by z, and `zᶜ · ln z` by c, as that of [`Complex::powf`].
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
        let c = Complex::of(c, self.re);
        let _method = trace::method("powc", &[self.re, c.re]);
        if !are_alike(self.re, c.re) {
            return Complex::poisoned();
        }
        complex_power(self, c, RULES)
    }

    /// `2ᶻ`; as accurate as [`Complex::powc`].
    #[track_caller]
    pub fn exp2(self) -> Complex {
        self.expf(2.0)
    }

    /// `baseᶻ` for a real base; as accurate as [`Complex::powc`]. That of a negative base is on its principal branch; that of 0 is 0
    /// where z has a positive real part, and so are its derivatives.
    #[track_caller]
    pub fn expf(self, base: f64) -> Complex {
        if self.dtype() == DType::F32 {
            // The base need not be a number of single precision.
            return self.convert(DType::F64).expf(base).convert(DType::F32);
        }
        if base < 0.0 {
            return complex_power(Complex::from(self.re.full_like(base)), self, RULES);
        }
        let exponent = move |z: Complex| {
            let [ln, _] = extended::ln(Complex::from(z.re.full_like(base)));
            exp_extended([ln.times_strong(z.re), ln.times_strong(z.im)])
        };
        let ln_base = base.ln();
        holomorphic(self, exponent, move |_, y| {
            y.each(|part| strong_product(part, part.full_like(ln_base), Strong::Lhs))
        })
    }
}

/// Whether both are of floating point and of one dtype; if not, that is recorded.
#[track_caller]
fn are_alike(z: Var, power: Var) -> bool {
    if z.is_poisoned() || power.is_poisoned() {
        return false;
    }
    let is_alike = z.dtype() == power.dtype();
    if !is_alike {
        trace::fail_at(format!(
            "takes a number and a power of one dtype, but got {} and {}; use convert",
            z.ty(),
            power.ty()
        ));
    }
    is_alike
}

/// The derivative of a power is made of another power, which has a rule of its own again, so often: up to that order
/// derivatives are right at 0, too. The last of them divides by z instead: beyond it they are NaN at 0. Only the first power, which
/// is the value, is computed in twice the precision.
const RULES: usize = 3;

/// `zᵖ` with so many rules within each other. Of a power that is known there is no derivative by it.
#[track_caller]
fn real_power(z: Complex, p: Var, is_known: bool, rules: usize) -> Complex {
    let operands = |[x, y, p]: [Var; 3]| (Complex { re: x, im: y }, p);
    let power = |z: Complex, p: Var| {
        let precise = |z: Complex| exp_extended(extended::ln(z).map(|part| part.times_strong(p)));
        value(z, rules, precise, |z| exp(times_real(plain_ln(z), p.convert(z.re.dtype()))))
    };
    let [re, im] = with_rule(
        [z.re, z.im, p],
        |x| {
            let (z, p) = operands(x);
            parts(power(z, p))
        },
        |x, w, t| {
            let ((z, p), (tz, tp)) = (operands(x), operands(t));
            let lower = match rules {
                0 => complex(w) / z,
                _ => real_power(z, p - 1.0, is_known, rules - 1),
            };
            // Where p is 0 the power is 1, also at 0.
            let by_z = times(times_real(lower, p), tz);
            // zᵖ ln z vanishes where zᵖ does.
            parts(if is_known { by_z } else { by_z + times_real(times(z.ln(), complex(w)), tp) })
        },
    );
    Complex { re, im }
}

/// `zᶜ` with so many rules within each other.
#[track_caller]
fn complex_power(z: Complex, c: Complex, rules: usize) -> Complex {
    let operands = |[x, y, c, d]: [Var; 4]| (Complex { re: x, im: y }, Complex { re: c, im: d });
    let power = |z: Complex, c: Complex| {
        let precise = |z: Complex| exp_extended(times_ln(c, extended::ln(z)));
        // The power 0 is 1, also of 0.
        value(z, rules, precise, |z| exp(times(plain_ln(z), c.convert(z.re.dtype()))))
    };
    let [re, im] = with_rule(
        [z.re, z.im, c.re, c.im],
        |x| {
            let (z, c) = operands(x);
            parts(power(z, c))
        },
        |x, w, t| {
            let ((z, c), (tz, tc)) = (operands(x), operands(t));
            let lower = match rules {
                0 => complex(w) / z,
                _ => complex_power(z, c - 1.0, rules - 1),
            };
            parts(times(times(lower, c), tz) + times(times(z.ln(), complex(w)), tc))
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

/// `e^z` of a number of twice the precision: that of its high parts `w`, and `w` times its low parts. What is 0 keeps its sign.
#[track_caller]
fn exp_extended([re, im]: [Extended; 2]) -> Complex {
    let power = exp(Complex { re: re.hi, im: im.hi });
    let corrected = power + power * Complex { re: re.correction(), im: im.correction() };
    let is_finite = power.is_finite();
    let part = |power: Var, corrected: Var| {
        let signed = corrected.equal(0.0).select(corrected.copysign(power), corrected);
        is_finite.select(signed, power)
    };
    Complex { re: part(power.re, corrected.re), im: part(power.im, corrected.im) }
}

/// `zⁿ`, rounded after each product.
#[track_caller]
fn products(z: Complex, n: i64) -> Complex {
    if n == 0 {
        return Complex { re: z.re.full_like(1.0), im: z.im.full_like(0.0) };
    }
    // The reciprocal comes first: its powers and their derivatives overflow where these do.
    let base = if n < 0 { z.recip() } else { z };
    let mut power = base;
    for is_odd in steps(n) {
        power = power.square();
        if is_odd {
            power *= base;
        }
    }
    if n < 0 { Complex::select(z.equal(0.0), base, power) } else { power }
}

/// `zⁿ`, rounded at the end.
#[track_caller]
fn precise_products(z: Complex, n: i64) -> Complex {
    let base = if n < 0 { extended_reciprocal(z) } else { single(z) };
    let mut power = base;
    for is_odd in steps(n) {
        power = extended_product(power, power);
        if is_odd {
            power = extended_product(power, base);
        }
    }
    let [re, im] = power;
    let rounded = Complex { re: re.rounded(), im: im.rounded() };
    // Where products overflow the low parts are NaN.
    Complex::select(rounded.is_finite(), rounded, products(z, n))
}

/// `1 / z`: the rounded one `r`, and `r (1 - z r)`.
#[track_caller]
fn extended_reciprocal(z: Complex) -> [Extended; 2] {
    let r = z.recip();
    let [re, im] = extended_product(single(z), single(r));
    let rest = r * Complex { re: (1.0 - re.hi) - re.lo, im: -im.rounded() };
    [Extended { hi: r.re, lo: rest.re }, Extended { hi: r.im, lo: rest.im }]
}

fn single(z: Complex) -> [Extended; 2] {
    [Extended::single(z.re), Extended::single(z.im)]
}

#[track_caller]
fn extended_product([a, b]: [Extended; 2], [c, d]: [Extended; 2]) -> [Extended; 2] {
    [a.times(c).minus(b.times(d)), a.times(d).plus(b.times(c))].map(Extended::normalized)
}

/// For each bit of `n` after the first one, whether it is set.
fn steps(n: i64) -> impl Iterator<Item = bool> {
    let bits = n.unsigned_abs();
    (0..bits.ilog2()).rev().map(move |bit| bits >> bit & 1 == 1)
}
