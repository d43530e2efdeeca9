//! The functions, what is true of them, and where they are difficult.

use math::math::{Binary, Unary};
use rug::ops::PowAssign;
use rug::{Assign, Float};
use std::f64::consts::{E, FRAC_PI_2, FRAC_PI_4, LN_2, PI, SQRT_2};
use std::ops::Neg;

/// A function of ours, and MPFR's: in place, for one that takes two together with the second argument.
#[derive(Clone, Copy)]
pub enum Function {
    One(Unary, fn(&mut Float)),
    Two(Binary, fn(&mut Float, &Float)),
}

impl Function {
    /// The number of arguments.
    pub fn arity(self) -> usize {
        match self {
            Function::One(..) => 1,
            Function::Two(..) => 2,
        }
    }

    /// Replaces the first argument by the exact value, rounded to its precision.
    pub fn reference(self, x: &mut Float, y: &Float) {
        match self {
            Function::One(_, f) => f(x),
            Function::Two(_, f) => f(x, y),
        }
    }
}

/// How pairs of arguments are drawn.
#[derive(Clone, Copy)]
pub enum Pairs {
    /// As base and exponent.
    Pow,
    /// As coordinates.
    Plane,
}

/// Below which argument an error counts next to 2⁻⁷ where the value is smaller, as terms cancel at the zeros.
#[derive(Clone, Copy)]
pub struct Floor(f64);

impl Floor {
    /// The exponent of the floor, for a significand in [1/2, 1).
    pub const EXPONENT: i32 = -6;

    /// Whether an argument is below.
    pub fn applies(self, x: f64) -> bool {
        x < self.0
    }
}

/// A function with its points and its bound.
pub struct Case {
    pub function: Function,
    /// The error that is allowed, in units in the last place.
    pub bound: f64,
    /// Where points of every size are taken to.
    pub domain: (f64, f64),
    /// Where points are taken evenly.
    pub intervals: &'static [(f64, f64)],
    /// What points are taken next to.
    pub centers: &'static [f64],
    /// Whether it has a period of turns.
    pub turns: bool,
    pub floor: Option<Floor>,
    pub pairs: Option<Pairs>,
}

impl Case {
    /// The name of the function.
    pub fn name(&self) -> &'static str {
        match self.function {
            Function::One(f, _) => f.name(),
            Function::Two(f, _) => f.name(),
        }
    }
}

const INF: f64 = f64::INFINITY;
const EVERYWHERE: (f64, f64) = (-INF, INF);
const POSITIVE: (f64, f64) = (0.0, INF);
/// The number next to a multiple of π/2, among all of `f64`.
const WORST_TURN: f64 = 6381956970095103.0 * f64::from_bits((1023 + 797) << 52);
const TURNS: &[f64] = &[FRAC_PI_4, FRAC_PI_2, PI, 2.0 * PI, 355.0, 11.0, 1e5, 1073741824.0, 1e22, WORST_TURN];

const fn one(f: Unary, reference: fn(&mut Float), bound: f64, intervals: &'static [(f64, f64)]) -> Case {
    let function = Function::One(f, reference);
    Case { function, bound, domain: EVERYWHERE, intervals, centers: &[1.0], turns: false, floor: None, pairs: None }
}

const fn two(f: Binary, reference: fn(&mut Float, &Float), bound: f64, pairs: Pairs) -> Case {
    let function = Function::Two(f, reference);
    let (intervals, centers): (&[(f64, f64)], &[f64]) = (&[(-8.0, 8.0)], &[1.0]);
    Case { function, bound, domain: EVERYWHERE, intervals, centers, turns: false, floor: None, pairs: Some(pairs) }
}

impl Case {
    const fn within(mut self, low: f64, high: f64) -> Case {
        self.domain = (low, high);
        self
    }

    const fn positive(mut self) -> Case {
        self.domain = POSITIVE;
        self
    }

    const fn next_to(mut self, centers: &'static [f64]) -> Case {
        self.centers = centers;
        self
    }

    const fn of_turns(mut self) -> Case {
        self.turns = true;
        self
    }

    const fn with_floor_below(mut self, x: f64) -> Case {
        self.floor = Some(Floor(x));
        self
    }
}

/// All functions that are measured.
#[rustfmt::skip]
pub const CASES: &[Case] = &[
    one(Unary::Exp, Float::exp_mut, 1.0, &[(-0.4, 0.4), (-8.0, 8.0), (-750.0, 710.0), (-746.0, -707.0), (-104.0, 89.0)])
        .next_to(&[LN_2 / 2.0, -LN_2 / 2.0, 709.78271289338397, -708.39641853226408, -745.13321910194122, 88.7228, -87.3365, -103.97]),
    one(Unary::Exp2, Float::exp2_mut, 1.0, &[(-0.5, 0.5), (-8.0, 8.0), (-1076.0, 1025.0), (-1075.0, -1020.0), (-150.0, 129.0)])
        .next_to(&[0.5, -0.5, 1.5, 1024.0, -1022.0, -1074.5, 128.0, -126.0]),
    one(Unary::Expm1, Float::exp_m1_mut, 1.0, &[(-0.4, 0.4), (-2.0, 2.0), (-60.0, 60.0), (-60.0, 710.0)])
        .next_to(&[LN_2 / 2.0, -LN_2 / 2.0, 1.5 * LN_2, 709.78271289338397, -37.0, 37.4, 36.7, 1e-17, -60.0]),
    one(Unary::Log, Float::ln_mut, 1.0, &[(0.5, 2.0), (0.99, 1.01), (0.0, 100.0)]).positive()
        .next_to(&[1.0, SQRT_2 / 2.0, SQRT_2, 2.0, E, f64::MIN_POSITIVE]),
    one(Unary::Log2, Float::log2_mut, 1.0, &[(0.5, 2.0), (0.99, 1.01), (0.0, 100.0)]).positive()
        .next_to(&[1.0, SQRT_2 / 2.0, SQRT_2, 2.0, 8.0, f64::MIN_POSITIVE]),
    one(Unary::Log10, Float::log10_mut, 1.0, &[(0.5, 2.0), (0.99, 1.01), (0.0, 100.0)]).positive()
        .next_to(&[1.0, SQRT_2 / 2.0, SQRT_2, 10.0, 1000.0, f64::MIN_POSITIVE]),
    one(Unary::Log1p, Float::ln_1p_mut, 1.0, &[(-0.3, 0.45), (-1.0, 1.0), (0.0, 100.0), (-0.01, 0.01)]).within(-1.0, INF)
        .next_to(&[SQRT_2 - 1.0, SQRT_2 / 2.0 - 1.0, 1.0, -0.9999, -0.5, 1e-17, -1.0, 9007199254740992.0]),
    one(Unary::Sin, Float::sin_mut, 1.0, &[(-0.8, 0.8), (-7.0, 7.0), (-1000.0, 1000.0), (-1e10, 1e10)])
        .next_to(TURNS).of_turns(),
    one(Unary::Cos, Float::cos_mut, 1.0, &[(-0.8, 0.8), (-7.0, 7.0), (-1000.0, 1000.0), (-1e10, 1e10)])
        .next_to(TURNS).of_turns(),
    one(Unary::Tan, Float::tan_mut, 2.0, &[(-0.8, 0.8), (-7.0, 7.0), (-1000.0, 1000.0), (-1e10, 1e10)])
        .next_to(TURNS).of_turns(),
    one(Unary::Asin, Float::asin_mut, 2.0, &[(-1.0, 1.0), (0.45, 0.55), (0.99, 1.0)]).within(-1.0, 1.0)
        .next_to(&[0.5, -0.5, 1.0, -1.0, SQRT_2 / 2.0]),
    one(Unary::Acos, Float::acos_mut, 2.0, &[(-1.0, 1.0), (-0.01, 0.01), (0.99, 1.0)]).within(-1.0, 1.0)
        .next_to(&[0.5, -0.5, 1.0, -1.0, SQRT_2 / 2.0]),
    one(Unary::Atan, Float::atan_mut, 2.0, &[(-1.0, 1.0), (-4.0, 4.0), (0.4, 0.42), (-100.0, 100.0)])
        .next_to(&[SQRT_2 - 1.0, 1.0, SQRT_2 + 1.0, 0.5, 1e16]),
    one(Unary::Sinh, Float::sinh_mut, 1.0, &[(-0.6, 0.6), (-2.0, 2.0), (-40.0, 40.0), (-711.0, 711.0)])
        .next_to(&[0.52, 1.5 * LN_2, 709.8, 710.4758600739439, 20.0]),
    one(Unary::Cosh, Float::cosh_mut, 1.0, &[(-0.6, 0.6), (-2.0, 2.0), (-40.0, 40.0), (-711.0, 711.0)])
        .next_to(&[LN_2 / 2.0, 1.5 * LN_2, 709.8, 710.4758600739439, 20.0]),
    one(Unary::Tanh, Float::tanh_mut, 1.0, &[(-0.6, 0.6), (-2.0, 2.0), (-22.0, 22.0)])
        .next_to(&[LN_2 / 4.0, 0.75 * LN_2, 19.0, 22.0, 1.0, 1e-9]),
    one(Unary::Asinh, Float::asinh_mut, 2.0, &[(-0.6, 0.6), (-2.0, 2.0), (-100.0, 100.0)])
        .next_to(&[0.2, 0.58, 1.0, 1e18, 1e-9]),
    one(Unary::Acosh, Float::acosh_mut, 2.0, &[(1.0, 1.1), (1.0, 3.0), (1.0, 100.0)]).within(1.0, INF)
        .next_to(&[1.0, 1.5, 2.0, 1.0001, 1e18]),
    one(Unary::Atanh, Float::atanh_mut, 2.0, &[(-1.0, 1.0), (-0.4, 0.4), (0.99, 1.0)]).within(-1.0, 1.0)
        .next_to(&[3.0 - 2.0 * SQRT_2, 1.0 / 3.0, 0.5, 1.0, 1e-9]),
    one(Unary::Logistic, logistic, 1.0, &[(-1.0, 1.0), (-8.0, 8.0), (-40.0, 40.0), (-750.0, 40.0), (-746.0, -707.0)])
        .next_to(&[LN_2 / 2.0, -LN_2 / 2.0, -36.7, 36.7, -708.396, -745.133, -87.3365, -103.97]),
    one(Unary::Cbrt, Float::cbrt_mut, 2.0, &[(-8.0, 8.0), (1.0, 8.0)])
        .next_to(&[1.0, 2.0, 4.0, 8.0, 0.125, 27.0]),
    one(Unary::Erf, Float::erf_mut, 2.0, &[(-0.6, 0.6), (-3.0, 3.0), (-6.0, 6.0)])
        .next_to(&[0.5, -0.5, 1.0, 5.9, 4.0]),
    one(Unary::Erfc, Float::erfc_mut, 2.0, &[(-0.6, 0.6), (-6.0, 6.0), (-1.0, 27.3), (26.0, 27.3)])
        .next_to(&[0.5, -0.5, 1.0, 4.0, 26.543, 27.226]),
    one(Unary::Gamma, Float::gamma_mut, 2.0, &[(-4.0, 4.0), (0.5, 2.5), (-40.0, 172.0), (-180.0, -160.0)]).within(-200.0, 180.0)
        .next_to(&[1.0, 2.0, 1.4616321449683622, 7.5, 0.5, -0.5, -1.0, -2.0, -3.0, 171.62437695630272, 35.04]),
    one(Unary::Lgamma, |x| { x.ln_abs_gamma_mut(); }, 2.0, &[(-4.0, 4.0), (0.5, 2.5), (-40.0, 100.0), (-2.0, 0.0)]).within(-1e6, INF)
        .next_to(&[1.0, 2.0, 7.5, 0.5, -0.5, 1.5, -1.0, -2.0, -3.0, -2.4570247382208006, -2.7476826467274127, -3.1435808883499799, -9.9999997244])
        .with_floor_below(-2.0),
    one(Unary::Digamma, Float::digamma_mut, 2.0, &[(0.0, 4.0), (-4.0, 4.0), (-20.0, 20.0), (1.0, 2.0)]).within(-1e6, INF)
        .next_to(&[1.4616321449683622, 1.0, 2.0, 8.0, -0.5, -1.0, -2.0, -0.504083008264455409, -1.573498473162390459])
        .with_floor_below(0.0),
    two(Binary::Pow, |x, y| x.pow_assign(y), 1.0, Pairs::Pow),
    two(Binary::Atan2, Float::atan2_mut, 2.0, Pairs::Plane),
    two(Binary::Hypot, Float::hypot_mut, 1.0, Pairs::Plane),
    two(Binary::Rem, |x, y| *x %= y, 0.0, Pairs::Plane),
    one(Unary::Rgamma, |x| { x.gamma_mut(); x.recip_mut(); }, 1.0, &[(-4.0, 4.0), (0.5, 2.5), (-40.0, 178.0), (-180.0, -160.0)]).within(-200.0, 180.0)
        .next_to(&[0.5, 1.0, 1.5, 2.0, 7.5, 171.6, -0.5, -1.0, -2.0, -10.0, -170.5]),
    one(Unary::Expi, |x| { x.eint_mut(); }, 1.0, &[(0.3, 0.45), (-4.0, 4.0), (-40.0, 40.0), (-745.0, 717.0)])
        .next_to(&[0.37250741078136663, 0.2475, 0.4975, 40.0, -4.0, -708.0]),
    one(Unary::Exp1, |x| { *x *= -1; x.eint_mut(); *x *= -1; }, 1.0, &[(0.0, 4.0), (0.0, 40.0), (0.0, 745.0)]).within(0.0, 800.0)
        .next_to(&[1.0, 4.0, 700.0]),
    one(Unary::Spence, |x| { *x -= 1; *x *= -1; x.li2_mut(); }, 1.0, &[(0.0, 1.0), (0.5, 2.0), (0.0, 100.0)]).positive()
        .next_to(&[0.5, 1.0, 2.0]),
    one(Unary::Softplus, softplus, 1.0, &[(-1.0, 1.0), (-40.0, 40.0), (-750.0, 40.0)]).next_to(&[36.7, -36.7, -708.396, -745.133]),
    one(Unary::Logit, logit, 1.0, &[(0.0, 1.0), (0.4, 0.6), (0.99, 1.0)]).within(0.0, 1.0).next_to(&[0.5, 1.0, 0.25, 0.75]),
    one(Unary::Ndtr, ndtr, 2.0, &[(-1.0, 1.0), (-8.0, 8.0), (-38.6, 0.0)]).next_to(&[SQRT_2 / 2.0, -SQRT_2 / 2.0, -37.5, -38.4]),
];

/// Bits that the formulas below are evaluated to; none of them loses more than a dozen of these.
const INNER: u32 = 128;

fn logistic(x: &mut Float) {
    let power = Float::with_val(INNER, -&*x).exp();
    x.assign((power + 1u32).recip());
}

fn softplus(x: &mut Float) {
    // ln(1 + eˣ) = max(x, 0) + ln(1 + e^-|x|).
    let tail = Float::with_val(INNER, x.abs_ref()).neg().exp().ln_1p();
    if !x.is_nan() {
        x.assign(Float::with_val(INNER, x.positive_diff_ref(&Float::new(2))) + tail);
    }
}

fn logit(x: &mut Float) {
    // The difference of one and a number of `f64` is exact at so many bits.
    let complement = Float::with_val(1200, 1u32 - &*x);
    x.assign(Float::with_val(INNER, &*x / complement).ln());
}

fn ndtr(x: &mut Float) {
    let root = Float::with_val(INNER, 2u32).sqrt();
    x.assign((Float::with_val(INNER, &*x).neg() / root).erfc() / 2u32);
}
