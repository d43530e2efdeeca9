//! The regularized incomplete gamma functions, their density, and their derivative by the parameter.
//!
//! With `D = xᵃ e⁻ˣ / Γ(a + 1)`, the lower function is `D Σ xᵏ / ((a + 1) … (a + k))` for `x < a + 1`; for larger `x`
//! the upper one is `D` times a continued fraction, by the Lentz method. For small `a` and `x` the upper one has a
//! series of its own. For large `a` and `x` near it, both are the uniform expansion of Temme, *The asymptotic expansion
//! of the incomplete gamma functions*, SIAM J. Math. Anal. 10 (1979). The choice follows DiDonato and Morris,
//! *Computation of the incomplete gamma function ratios and their inverse*, ACM TOMS 12 (1986). The derivative by `a`
//! differentiates each of these term by term, as Moore does, *Algorithm AS 187*, Appl. Statist. 31 (1982).

use super::Unary;
use super::exp::exp_parts;
use super::gamma::{lgamma_pair, stirling_rest};
use super::lanes::Lanes;
use super::log::log_pair;
use super::pair::{Pair, exact_sum};
use super::rounding::scale;

/// The lower function, `P(a, x)`.
#[inline(always)]
pub(super) fn igamma<L: Lanes>(a: L, x: L) -> L {
    a.zip(x, |a, x| functions(a, x)[0])
}

/// The upper function, `Q(a, x) = 1 - P(a, x)`.
#[inline(always)]
pub(super) fn igammac<L: Lanes>(a: L, x: L) -> L {
    a.zip(x, |a, x| functions(a, x)[1])
}

/// `∂P/∂x = xᵃ⁻¹ e⁻ˣ / Γ(a)`.
#[inline(always)]
pub(super) fn gamma_density<L: Lanes>(a: L, x: L) -> L {
    a.zip(x, density)
}

/// `∂P/∂a`.
#[inline(always)]
pub(super) fn igamma_grad_a<L: Lanes>(a: L, x: L) -> L {
    a.zip(x, derivative)
}

/// From this `a` on, the uniform expansion is used for `|x - a| < NEAR a`.
const UNIFORM: f64 = 200.0;
const NEAR: f64 = 0.3;

/// The coefficients of Temme's expansion: of a⁻ᵏ in row k, that of ηⁿ in column n. They follow from those of Stirling's
/// series and of `1/μ` by the recurrence of the paper, in rational numbers.
const TEMME: [&[f64]; 9] = [
    &[
        -0.3333333333333333,
        0.08333333333333333,
        -0.014814814814814815,
        0.0011574074074074073,
        0.0003527336860670194,
        -0.0001787551440329218,
        3.919263178522438e-05,
        -2.185448510679992e-06,
        -1.85406221071516e-06,
        8.296711340953087e-07,
        -1.7665952736826078e-07,
        6.707853543401498e-09,
        1.0261809784240309e-08,
        -4.382036018453353e-09,
        9.14769958223679e-10,
        -2.5514193994946248e-11,
        -5.830772132550426e-11,
        2.4361948020667415e-11,
        -5.0276692801141755e-12,
        1.1004392031956135e-13,
    ],
    &[
        -0.001851851851851852,
        -0.003472222222222222,
        0.0026455026455026454,
        -0.0009902263374485596,
        0.00020576131687242798,
        -4.018775720164609e-07,
        -1.8098550334489977e-05,
        7.64916091608111e-06,
        -1.6120900894563446e-06,
        4.647127802807434e-09,
        1.378633446915721e-07,
        -5.752545603517705e-08,
        1.1951628599778148e-08,
        -1.7543241719747647e-11,
        -1.0091543710600413e-09,
        4.162792991842583e-10,
        -8.56390702649298e-11,
        6.067215101604758e-14,
    ],
    &[
        0.004133597883597883,
        -0.0026813271604938273,
        0.0007716049382716049,
        2.0093878600823047e-06,
        -0.0001073665322636516,
        5.2923448829120125e-05,
        -1.2760635188618728e-05,
        3.423578734096138e-08,
        1.3721957309062934e-06,
        -6.298992138380055e-07,
        1.4280614206064242e-07,
        -2.0477098421990866e-10,
        -1.409252991086752e-08,
        6.228974084922022e-09,
        -1.3670488396617114e-09,
        9.428356159014678e-13,
    ],
    &[
        0.0006494341563786008,
        0.00022947209362139917,
        -0.0004691894943952557,
        0.00026772063206283885,
        -7.561801671883977e-05,
        -2.396505113867297e-07,
        1.1082654115347302e-05,
        -5.6749528269915965e-06,
        1.4230900732435883e-06,
        -2.7861080291528143e-11,
        -1.6958404091930278e-07,
        8.099464905388083e-08,
        -1.9111168485973655e-08,
        2.3928620439808118e-12,
    ],
    &[
        -0.0008618882909167117,
        0.0007840392217200666,
        -0.0002990724803031902,
        -1.4638452578843418e-06,
        6.641498215465122e-05,
        -3.968365047179435e-05,
        1.1375726970678419e-05,
        2.507497226237533e-10,
        -1.6954149536558305e-06,
        8.907507532205309e-07,
        -2.292934834000805e-07,
        2.956794137544049e-11,
    ],
    &[
        -0.00033679855336635813,
        -6.972813758365857e-05,
        0.0002772753244959392,
        -0.00019932570516188847,
        6.797780477937208e-05,
        1.419062920643967e-07,
        -1.3594048189768693e-05,
        8.018470256334202e-06,
        -2.291481176508095e-06,
        -3.252473551298454e-10,
    ],
    &[
        0.0005313079364639922,
        -0.0005921664373536939,
        0.0002708782096718045,
        7.902353232660328e-07,
        -8.153969367561969e-05,
        5.61168275310625e-05,
        -1.8329116582843375e-05,
        -3.0796134506033047e-09,
    ],
    &[
        0.00034436760689237765,
        5.171790908260592e-05,
        -0.00033493161081142234,
        0.0002812695154763237,
        -0.00010976582244684731,
        -1.2741009095484485e-07,
    ],
    &[-0.0006526239185953094, 0.0008394987206720873, -0.000438297098541721, -6.969091458420552e-07],
];

/// Both functions.
#[inline(never)]
fn functions(a: f64, x: f64) -> [f64; 2] {
    if a.is_nan() || x.is_nan() || a < 0.0 || x < 0.0 || a == 0.0 && x == 0.0 || a == f64::INFINITY && x == a {
        return [f64::NAN; 2];
    }
    if x == 0.0 || a == f64::INFINITY {
        return [0.0, 1.0];
    }
    if a == 0.0 || x == f64::INFINITY {
        return [1.0, 0.0];
    }
    if is_uniform(a, x) {
        let [small, large] = Uniform::new(a, x).tails();
        return if x < a { [small, large] } else { [large, small] };
    }
    let (d, n) = prefix(a, x);
    let value = |factor: Pair<f64>| scale(d.times(factor).sum(), n);
    if x <= 1.1 && a < 1.0 {
        // For small `a` the lower function may be near one: both are then computed from the smaller one.
        let lower = value(series(a, x)[0]);
        return if lower < 0.7 { [lower, 1.0 - lower] } else { [lower, upper_near_zero(a, x)] };
    }
    if x < a + 1.0 {
        let lower = value(series(a, x)[0]);
        return [lower, 1.0 - lower];
    }
    let upper = value(Pair::single(a * fraction(a, x)[0]));
    [1.0 - upper, upper]
}

fn is_uniform(a: f64, x: f64) -> bool {
    a >= UNIFORM && (x - a).abs() < NEAR * a
}

/// `D` as `y 2ⁿ`.
fn prefix(a: f64, x: f64) -> (Pair<f64>, f64) {
    let log = if a < 10.0 {
        let log = log_pair(Pair::single(x)).times(Pair::single(a)).plus(Pair::single(-x));
        log.plus(-lgamma_next(a))
    } else {
        // -a φ - ½ ln(2πa) - …: with `a ln x - x` alone, large terms would cancel.
        let half_log_tau = Pair::new(0.9189385332046728, -3.8782941580672414e-17);
        let root = log_pair(Pair::single(a)).scaled(0.5).plus(half_log_tau).plus(Pair::single(stirling_rest(a)));
        -(excess(a, x)[0].times(Pair::single(a)).plus(root))
    };
    // Below this limit the result underflows; the prefix never overflows.
    exp_parts(if log.hi > -1000.0 { log } else { Pair::single(-1000.0) })
}

/// `lnΓ(1 + a)` for `0 < a < 10`.
fn lgamma_next(a: f64) -> Pair<f64> {
    let next = exact_sum(1.0, a);
    lgamma_pair(next.hi).plus(Pair::single(next.lo * Unary::Digamma.f64(next.hi)))
}

/// `φ = μ - ln(1 + μ)` and `μ = (x - a) / a`.
fn excess(a: f64, x: f64) -> [Pair<f64>; 2] {
    let mu = exact_sum(x, -a).divide(Pair::single(a)).normalize();
    if mu.hi.abs() > NEAR {
        let ratio = Pair::single(x).divide(Pair::single(a)).normalize();
        return [mu.plus(-log_pair(ratio)), mu];
    }
    // With s = μ / (2 + μ), φ is μ s - 2 (s³/3 + s⁵/5 + …), in which nothing cancels.
    let s = mu.divide(mu.plus(Pair::single(2.0))).normalize();
    let square = s.times(s).normalize();
    let mut power = s.times(square).normalize();
    let mut sum = Pair::single(0.0);
    let mut k = 3.0;
    while power.hi.abs() > 1e-34 * s.hi.abs() {
        sum = sum.plus(power.divide(Pair::single(k)));
        power = power.times(square).normalize();
        k += 2.0;
    }
    [mu.times(s).normalize().plus(sum.scaled(-2.0)), mu]
}

/// `S = Σ xᵏ / ((a + 1) … (a + k))` and its derivative by `a`.
fn series(a: f64, x: f64) -> [Pair<f64>; 2] {
    let mut term = Pair::single(1.0);
    let mut sum = term;
    let (mut logarithmic, mut slope) = (0.0, 0.0);
    for k in 1..10_000 {
        let divisor = exact_sum(a, f64::from(k));
        term = term.times(Pair::single(x)).divide(divisor).normalize();
        sum = sum.plus(term);
        logarithmic -= 1.0 / divisor.hi;
        slope += term.hi * logarithmic;
        if term.hi < 1e-19 * sum.hi {
            break;
        }
    }
    [sum, Pair::single(slope)]
}

/// `xᵃ e⁻ˣ F = Γ(a, x)`: the even part of the continued fraction and its derivative by `a`, by the modified Lentz
/// method of Thompson and Barnett.
fn fraction(a: f64, x: f64) -> [f64; 2] {
    let tiny = Dual::new(1e-300, 0.0);
    let mut b = Dual::new(x + 1.0 - a, -1.0);
    let mut c = Dual::new(1.0, 0.0).divide(tiny);
    let mut d = Dual::new(1.0, 0.0).divide(b);
    let mut f = d;
    let (mut step, mut n_stalled) = (f64::INFINITY, 0);
    for k in 1..10_000 {
        let k = f64::from(k);
        let numerator = Dual::new(-k * (k - a), k);
        b = Dual::new(b.value + 2.0, -1.0);
        d = Dual::new(1.0, 0.0).divide(numerator.times(d).plus(b));
        c = b.plus(numerator.divide(c));
        let factor = c.times(d);
        f = f.times(factor);
        if (factor.value - 1.0).abs() > 4.5e-16 {
            continue;
        }
        // The derivative converges later than the value, which terminates for integer `a`: the loop ends when the steps
        // of the derivative are negligible, or stop shrinking because they are rounding errors.
        let before = std::mem::replace(&mut step, (factor.slope * f.value).abs());
        n_stalled += usize::from(step >= before);
        if step <= 1e-16 * f.slope.abs() || n_stalled > 8 {
            break;
        }
    }
    [f.value, f.slope]
}

/// A number and its derivative.
#[derive(Clone, Copy)]
struct Dual {
    value: f64,
    slope: f64,
}

impl Dual {
    fn new(value: f64, slope: f64) -> Dual {
        Dual { value, slope }
    }

    fn plus(self, y: Dual) -> Dual {
        Dual::new(self.value + y.value, self.slope + y.slope)
    }

    fn times(self, y: Dual) -> Dual {
        Dual::new(self.value * y.value, self.slope * y.value + self.value * y.slope)
    }

    fn divide(self, y: Dual) -> Dual {
        let value = self.value / y.value;
        Dual::new(value, (self.slope - value * y.slope) / y.value)
    }
}

/// `Q(a, x) = 1 - xᵃ / Γ(a + 1) - xᵃ / Γ(a + 1) · a Σ (-x)ᵏ / ((a + k) k!)` over `k >= 1`, for small `a` and `x`.
fn upper_near_zero(a: f64, x: f64) -> f64 {
    let log = log_pair(Pair::single(x)).times(Pair::single(a)).plus(-lgamma_next(a)).sum();
    let mut power = 1.0;
    let mut sum = 0.0;
    for k in 1..40 {
        let k = f64::from(k);
        power *= -x / k;
        sum += power / (a + k);
    }
    -Unary::Expm1.f64(log) - Unary::Exp.f64(log) * a * sum
}

/// The uniform expansion: `Q = ½ erfc(η √(a/2)) + e⁻ʸ T(η) / √(2πa)` with `y = a η²/2 = a φ`.
struct Uniform {
    a: f64,
    mu: f64,
    /// `y`.
    exponent: Pair<f64>,
    eta: f64,
    /// `T(η) = Σ cₖ(η) a⁻ᵏ`.
    sum: f64,
    /// `∂T/∂η`, and `∂T/∂a` at the same `η`.
    slopes: [f64; 2],
}

impl Uniform {
    fn new(a: f64, x: f64) -> Uniform {
        let [phi, mu] = excess(a, x);
        let eta = (2.0 * phi.hi).sqrt().copysign(mu.hi);
        let (mut sum, mut by_eta, mut by_a) = (0.0, 0.0, 0.0);
        for (k, row) in TEMME.iter().enumerate().rev() {
            let (mut value, mut slope) = (0.0, 0.0);
            for &coefficient in row.iter().rev() {
                slope = slope * eta + value;
                value = value * eta + coefficient;
            }
            // Horner's method in 1/a: the derivative by a of cₖ a⁻ᵏ is -k cₖ a⁻ᵏ⁻¹.
            sum = sum / a + value;
            by_eta = by_eta / a + slope;
            by_a = by_a / a - k as f64 * value / a;
        }
        Uniform { a, mu: mu.hi, exponent: phi.times(Pair::single(a)), eta, sum, slopes: [by_eta, by_a] }
    }

    /// The smaller tail, on the side of `x`, and the other one.
    fn tails(&self) -> [f64; 2] {
        // Beyond this the smaller one underflows.
        if self.exponent.hi > 800.0 {
            return [0.0, 1.0];
        }
        let (power, n) = exp_parts(-self.exponent);
        let complement = 0.5 * Unary::Erfcx.f64(self.exponent.hi.sqrt());
        let rest = self.sum / (std::f64::consts::TAU * self.a).sqrt();
        let tail = if self.mu < 0.0 { complement - rest } else { complement + rest };
        let tail = scale(power.hi * tail, n);
        [tail, 1.0 - tail]
    }

    /// `∂Q/∂a`.
    fn slope(&self) -> f64 {
        let log = Unary::Log1p.f64(self.mu);
        // Both quotients are one at η = 0.
        let near = self.eta.abs() < 1e-9;
        let by_log = if near { 1.0 } else { log / self.eta };
        let by_mu = if near { 1.0 } else { self.mu / self.eta };
        let rest = self.sum * (log - 0.5 / self.a) + self.slopes[1] - self.slopes[0] * by_mu / self.a;
        let power = Unary::Exp.f64(-self.exponent.hi);
        power * (by_log + rest) / (std::f64::consts::TAU * self.a).sqrt()
    }
}

#[inline(never)]
fn density(a: f64, x: f64) -> f64 {
    if a.is_nan() || x.is_nan() || a < 0.0 || x < 0.0 || a == f64::INFINITY {
        return f64::NAN;
    }
    if a == 0.0 || x == f64::INFINITY {
        return 0.0;
    }
    if x == 0.0 {
        return if a < 1.0 {
            f64::INFINITY
        } else if a == 1.0 {
            1.0
        } else {
            0.0
        };
    }
    let (d, n) = prefix(a, x);
    let ratio = Pair::single(a).divide(Pair::single(x));
    // Near zero the quotient may overflow although the result does not.
    if x < 1e-280 || !ratio.hi.is_finite() {
        return scale(d.sum(), n) / x * a;
    }
    scale(1.0, n) * d.times(ratio).sum()
}

#[inline(never)]
fn derivative(a: f64, x: f64) -> f64 {
    if a.is_nan() || x.is_nan() || a <= 0.0 || x < 0.0 || a == f64::INFINITY {
        return f64::NAN;
    }
    if x == 0.0 || x == f64::INFINITY {
        return 0.0;
    }
    if is_uniform(a, x) {
        return -Uniform::new(a, x).slope();
    }
    let (d, n) = prefix(a, x);
    let log = Unary::Log.f64(x);
    let factor = if x < a + 1.0 {
        let [sum, slope] = series(a, x);
        (log - Unary::Digamma.f64(a + 1.0)) * sum.hi + slope.hi
    } else {
        let [value, slope] = fraction(a, x);
        -a * ((log - Unary::Digamma.f64(a)) * value + slope)
    };
    scale(d.hi * factor, n)
}
