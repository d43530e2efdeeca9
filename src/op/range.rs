//! Which kinds of numbers a value may hold, found by looking at the graph alone.
//!
//! Derivatives ask it: where a partial derivative may be infinite or NaN, its product with a cotangent is a
//! [`StrongMul`](super::StrongMul), and elsewhere a plain product, which is cheaper. The extended reals are cut into ten
//! kinds, and a range is a set of them, so that a transfer function is a small table over single kinds. Inputs count as
//! finite. So do sums, products and quotients of finite numbers that are not 0, which overflow only far out: ranges say
//! where poles and ends of domains are, and exponentials, which overflow early.

use std::collections::HashMap;
use std::ops::BitOr;
use std::sync::LazyLock;

use smallvec::SmallVec;

use super::{Draw, Flow, Graph, Monoid, Op, OutOfBounds, Roles, Strong, Update};
use crate::ir::{NodeId, Value};
use crate::stack;
use crate::value::{Array, Scalar, Type};

/// A set of kinds of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Range(u16);

const NAN: Range = Range(1);
const NEG_INF: Range = Range(2);
/// (-∞, -64).
const NEG_HUGE: Range = Range(4);
/// [-64, -1].
const NEG_BIG: Range = Range(8);
/// (-1, 0).
const NEG_SMALL: Range = Range(16);
/// 0 and -0.
const ZERO: Range = Range(32);
/// (0, 1).
const SMALL: Range = Range(64);
/// [1, 64]: their exponentials are finite, in f32, too.
const BIG: Range = Range(128);
/// (64, ∞).
const HUGE: Range = Range(256);
const INF: Range = Range(512);
/// In ascending order, behind NaN.
const KINDS: [Range; 10] = [NAN, NEG_INF, NEG_HUGE, NEG_BIG, NEG_SMALL, ZERO, SMALL, BIG, HUGE, INF];

/// (0, 64].
const MODEST: Range = Range(SMALL.0 | BIG.0);
/// [1, ∞).
const LARGE: Range = Range(BIG.0 | HUGE.0);
/// 0, 1, 2, ….
const INDEX: Range = Range(ZERO.0 | LARGE.0);
const POSITIVE: Range = Range(MODEST.0 | HUGE.0);
const NEGATIVE: Range = Range(NEG_SMALL.0 | NEG_BIG.0 | NEG_HUGE.0);

impl BitOr for Range {
    type Output = Range;
    fn bitor(self, other: Range) -> Range {
        Range(self.0 | other.0)
    }
}

impl Range {
    /// No number at all.
    const NOTHING: Range = Range(0);
    /// Any number.
    pub(crate) const ANY: Range = Range(1023);
    /// Any number that is neither infinite nor NaN.
    pub(crate) const FINITE: Range = Range(POSITIVE.0 | NEGATIVE.0 | ZERO.0);

    /// Whether the value may be infinite or NaN.
    pub(crate) fn may_be_wild(self) -> bool {
        self.meets(NAN | NEG_INF | INF)
    }

    /// Whether the value may be 0.
    pub(crate) fn may_be_zero(self) -> bool {
        self.meets(ZERO)
    }

    /// Whether the value is 0 or above, and not NaN.
    pub(crate) fn is_positive(self) -> bool {
        self.within(ZERO | POSITIVE | INF)
    }

    /// The kinds of the elements of an array.
    fn of(array: &Array) -> Range {
        array.elements().fold(Range::NOTHING, |range, x| range | Range::of_number(x))
    }

    fn of_number(x: Scalar) -> Range {
        let x = match x {
            Scalar::F64(x) => x,
            Scalar::F32(x) => f64::from(x),
            Scalar::I64(x) => x as f64,
            Scalar::Bool(x) => f64::from(u8::from(x)),
        };
        match x {
            _ if x.is_nan() => NAN,
            f64::INFINITY => INF,
            f64::NEG_INFINITY => NEG_INF,
            _ if x > 64.0 => HUGE,
            _ if x >= 1.0 => BIG,
            _ if x > 0.0 => SMALL,
            0.0 => ZERO,
            _ if x > -1.0 => NEG_SMALL,
            _ if x >= -64.0 => NEG_BIG,
            _ => NEG_HUGE,
        }
    }

    fn meets(self, other: Range) -> bool {
        self.0 & other.0 != 0
    }

    fn within(self, other: Range) -> bool {
        self.0 & !other.0 == 0
    }

    fn without(self, other: Range) -> Range {
        Range(self.0 & !other.0)
    }

    fn kinds(self) -> impl Iterator<Item = Range> {
        KINDS.into_iter().filter(move |&kind| self.meets(kind))
    }

    /// The results of a function of one variable, given for single kinds.
    fn map(self, f: impl Fn(Range) -> Range) -> Range {
        self.kinds().fold(Range::NOTHING, |range, kind| range | f(kind))
    }

    /// The results of a function of two variables, given for pairs of single kinds.
    fn with(self, other: Range, f: impl Fn(Range, Range) -> Range) -> Range {
        self.map(|x| other.map(|y| f(x, y)))
    }

    fn neg(self) -> Range {
        // The nine kinds of numbers above the bit of NaN are in ascending order.
        let numbers = (self.0 >> 1).reverse_bits() >> 7;
        Range(self.0 & NAN.0 | numbers << 1)
    }

    fn abs(self) -> Range {
        self.map(|x| if x.within(NEGATIVE | NEG_INF) { x.neg() } else { x })
    }

    fn add(self, other: Range) -> Range {
        static SUMS: LazyLock<Table> = LazyLock::new(|| Table::new(Range::sum_of_kinds));
        SUMS.get(self, other)
    }

    /// The sum of two numbers, given as single kinds.
    fn sum_of_kinds(self, other: Range) -> Range {
        match (self, other) {
            (NAN, _) | (_, NAN) | (INF, NEG_INF) | (NEG_INF, INF) => NAN,
            (INF, _) | (_, INF) => INF,
            (NEG_INF, _) | (_, NEG_INF) => NEG_INF,
            (ZERO, other) | (other, ZERO) => other,
            (x, y) if x.within(NEGATIVE) && y.within(POSITIVE) => y.difference(x.neg()),
            (x, y) if x.within(POSITIVE) && y.within(NEGATIVE) => x.difference(y.neg()),
            (x, y) if x.within(NEGATIVE) => x.neg().sum(y.neg()).neg(),
            (x, y) => x.sum(y),
        }
    }

    /// The sum of two positive numbers, given as single kinds.
    fn sum(self, other: Range) -> Range {
        match (self, other) {
            (HUGE, _) | (_, HUGE) => HUGE,
            (SMALL, SMALL) => MODEST,
            _ => LARGE,
        }
    }

    /// The difference of two positive numbers, given as single kinds.
    fn difference(self, other: Range) -> Range {
        let bounded = MODEST | ZERO | MODEST.neg();
        match (self, other) {
            (HUGE, HUGE) => Range::FINITE,
            (HUGE, SMALL) => LARGE,
            (HUGE, _) => POSITIVE,
            (BIG, SMALL) => MODEST,
            (BIG, BIG) => bounded,
            (SMALL, SMALL) => SMALL | ZERO | NEG_SMALL,
            _ => other.difference(self).neg(),
        }
    }

    fn mul(self, other: Range) -> Range {
        static PRODUCTS: LazyLock<Table> = LazyLock::new(|| Table::new(Range::product_of_kinds));
        PRODUCTS.get(self, other)
    }

    /// The product of two numbers, given as single kinds.
    fn product_of_kinds(self, other: Range) -> Range {
        let magnitude = match (self.abs(), other.abs()) {
            (NAN, _) | (_, NAN) | (ZERO, INF) | (INF, ZERO) => return NAN,
            (INF, _) | (_, INF) => INF,
            (ZERO, _) | (_, ZERO) => ZERO,
            (BIG, BIG) => LARGE,
            (SMALL, SMALL) => SMALL | ZERO,
            (BIG, SMALL) | (SMALL, BIG) => MODEST,
            (HUGE, SMALL) | (SMALL, HUGE) => POSITIVE,
            _ => HUGE,
        };
        let negative = |x: Range| x.within(NEGATIVE | NEG_INF);
        if negative(self) == negative(other) { magnitude } else { magnitude.neg() }
    }

    fn recip(self) -> Range {
        self.map(|x| match x {
            ZERO => INF | NEG_INF,
            INF | NEG_INF => ZERO,
            SMALL => LARGE,
            NEG_SMALL => LARGE.neg(),
            BIG => MODEST,
            NEG_BIG => MODEST.neg(),
            HUGE => SMALL,
            NEG_HUGE => NEG_SMALL,
            other => other,
        })
    }

    fn square(self) -> Range {
        self.map(|x| x.mul(x))
    }

    fn power(self, exponent: i32) -> Range {
        let magnitude = self.map(|x| match exponent.unsigned_abs() {
            0 => BIG,
            n if n % 2 == 0 => x.mul(x),
            1 => x,
            _ => x.mul(x).mul(x),
        });
        if exponent < 0 { magnitude.recip() } else { magnitude }
    }

    fn sqrt(self) -> Range {
        self.map(|x| match x {
            NEG_INF | NEG_HUGE | NEG_BIG | NEG_SMALL => NAN,
            SMALL => MODEST,
            HUGE => LARGE,
            other => other,
        })
    }

    fn exp(self) -> Range {
        self.map(|x| match x {
            NEG_INF => ZERO,
            NEG_HUGE => ZERO | SMALL,
            NEG_BIG => SMALL,
            NEG_SMALL => MODEST,
            ZERO | SMALL => BIG,
            BIG => LARGE,
            HUGE => HUGE | INF,
            other => other,
        })
    }

    fn log(self) -> Range {
        self.map(|x| match x {
            NEG_INF | NEG_HUGE | NEG_BIG | NEG_SMALL => NAN,
            ZERO => NEG_INF,
            SMALL => NEGATIVE,
            BIG => ZERO | MODEST,
            HUGE => LARGE,
            other => other,
        })
    }

    /// A function with the sign of its argument, of which that of numbers from 0 to infinity is known.
    fn odd(self, f: impl Fn(Range) -> Range) -> Range {
        self.map(|x| if x.within(NEGATIVE | NEG_INF) { f(x.neg()).neg() } else { f(x) })
    }

    /// A function that is finite where its argument is, and NaN beyond.
    fn finite(self) -> Range {
        self.map(|x| if x.may_be_wild() { NAN } else { Range::FINITE })
    }

    /// A function that is within [-1, 1] where its argument is finite, and NaN beyond.
    fn wave(self) -> Range {
        self.map(|x| if x.may_be_wild() { NAN } else { MODEST | ZERO | MODEST.neg() })
    }

    fn max(self, other: Range) -> Range {
        self.with(other, |x, y| if x == NAN || y == NAN { NAN } else { Range(x.0.max(y.0)) })
    }

    fn min(self, other: Range) -> Range {
        self.with(other, |x, y| if x == NAN || y == NAN { NAN } else { Range(x.0.min(y.0)) })
    }

    fn hypot(self, other: Range) -> Range {
        self.abs().with(other.abs(), |x, y| match (x, y) {
            (INF, _) | (_, INF) => INF,
            (NAN, _) | (_, NAN) => NAN,
            (SMALL, SMALL) => MODEST,
            (BIG, BIG | SMALL) | (SMALL, BIG) => LARGE,
            _ => x.max(y),
        })
    }

    /// With exponents of up to 64 they grow as products of their base do, with larger ones as exponentials.
    fn pow(self, exponent: Range) -> Range {
        self.with(exponent, |x, y| match (x, y) {
            (_, ZERO) => BIG,
            (ZERO, y) if y.within(POSITIVE) => ZERO,
            (ZERO, y) if y.within(NEGATIVE) => INF | NEG_INF,
            (SMALL, y) if y.within(POSITIVE) => ZERO | MODEST,
            (SMALL, NEG_HUGE) | (BIG | HUGE, HUGE) => LARGE | INF,
            (SMALL, y) if y.within(NEGATIVE) => LARGE,
            (BIG | HUGE, y) if y.within(POSITIVE) => LARGE,
            (BIG | HUGE, y) if y.within(NEGATIVE) => ZERO | MODEST,
            _ => Range::ANY,
        })
    }

    /// Sums of any number of such numbers.
    fn sums(self) -> Range {
        self.repeated(ZERO, Range::add)
    }

    /// What comes of combining any number of such numbers, beginning with the identity.
    fn repeated(self, identity: Range, combine: impl Fn(Range, Range) -> Range) -> Range {
        let mut range = identity;
        loop {
            let next = range | combine(range, self);
            if next == range {
                return range;
            }
            range = next;
        }
    }

    fn reduced(self, monoid: Monoid) -> Range {
        match monoid {
            Monoid::Sum => self.sums(),
            Monoid::Prod => self.repeated(BIG, Range::mul),
            Monoid::Max => self.repeated(NEG_INF, Range::max).without(NEG_INF) | Range(self.0 & NEG_INF.0),
            Monoid::Min => self.repeated(INF, Range::min).without(INF) | Range(self.0 & INF.0),
            Monoid::And | Monoid::Or => Range::FINITE,
        }
    }
}

/// The results of a function of two variables, for the sets of kinds within each half of all kinds: `[half of x][half of y]`,
/// then `[set of x][set of y]`. Gradients of long chains ask for millions of sums and products.
struct Table([[[[Range; N_SETS]; N_SETS]; 2]; 2]);

const HALF: usize = KINDS.len() / 2;
const N_SETS: usize = 1 << HALF;

impl Table {
    /// From the results for single kinds.
    fn new(f: impl Fn(Range, Range) -> Range) -> Table {
        Table([0, HALF].map(|x| [0, HALF].map(|y| Table::of_halves(&f, &KINDS[x..], &KINDS[y..]))))
    }

    /// For the sets of the first kinds of each. A set has the results of its first kind and those of the others.
    fn of_halves(f: impl Fn(Range, Range) -> Range, x: &[Range], y: &[Range]) -> [[Range; N_SETS]; N_SETS] {
        let mut results = [[Range::NOTHING; N_SETS]; N_SETS];
        let without_first = |set: usize| set & (set - 1);
        let first = |set: usize| set.trailing_zeros() as usize;
        for x_set in 1..N_SETS {
            for y_set in 1..N_SETS {
                results[x_set][y_set] = match (without_first(x_set), without_first(y_set)) {
                    (0, 0) => f(x[first(x_set)], y[first(y_set)]),
                    (0, others) => results[x_set][others] | results[x_set][y_set - others],
                    (others, _) => results[others][y_set] | results[x_set - others][y_set],
                };
            }
        }
        results
    }

    fn get(&self, x: Range, y: Range) -> Range {
        let [x, y] = [x, y].map(|set| [usize::from(set.0) % N_SETS, usize::from(set.0) / N_SETS]);
        let [low, high] = [0, 1].map(|half| self.0[half][0][x[half]][y[0]] | self.0[half][1][x[half]][y[1]]);
        low | high
    }
}

impl Op {
    /// The range of the one result, given those of the operands. That of regions is found with the graph.
    fn range(&self, x: &[Range], ty: &Type) -> Range {
        if let Op::Constant(constant) = self {
            return Range::of(&constant.value);
        }
        if !ty.dtype.is_float() {
            return Range::FINITE;
        }
        let all = || x.iter().fold(Range::NOTHING, |all, &x| all | x);
        match self {
            Op::Add(_) => x[0].add(x[1]),
            Op::Sub(_) => x[0].add(x[1].neg()),
            Op::Mul(_) => x[0].mul(x[1]),
            Op::StrongMul(op) => strong_product(op.zeros, x[0], x[1]),
            Op::StrongFma(op) => strong_product(op.zeros, x[0], x[1]).add(x[2]),
            Op::Div(_) => x[0].mul(x[1].recip()),
            Op::Neg(_) => x[0].neg(),
            Op::Rem(_) => x[0].with(x[1], |x, y| match (x, y) {
                (_, ZERO) => NAN,
                (x, y) if x.may_be_wild() || y == NAN => NAN,
                _ => Range::FINITE,
            }),
            Op::Fma(_) => x[0].mul(x[1]).add(x[2]),
            Op::Max(_) => x[0].max(x[1]),
            Op::Min(_) => x[0].min(x[1]),
            Op::Clamp(_) => x[1].max(x[0]).min(x[2]),
            Op::Abs(_) => x[0].abs(),
            Op::Sign(_) => x[0].odd(|x| if x == NAN || x == ZERO { x } else { BIG }),
            Op::Copysign(_) => x[0].abs() | x[0].abs().neg(),
            Op::Floor(_) | Op::Ceil(_) | Op::Round(_) | Op::Trunc(_) => x[0].odd(|x| match x {
                SMALL => ZERO | BIG,
                HUGE => LARGE,
                other => other,
            }),
            Op::IntegerPow(op) => x[0].power(op.exponent),
            Op::Pow(_) => x[0].pow(x[1]),
            Op::Sqrt(_) => x[0].sqrt(),
            Op::Rsqrt(_) => x[0].sqrt().recip(),
            Op::Cbrt(_) => x[0].odd(|x| match x {
                SMALL => MODEST,
                HUGE => LARGE,
                other => other,
            }),
            Op::Square(_) => x[0].square(),
            Op::Reciprocal(_) => x[0].recip(),
            Op::Hypot(_) => x[0].hypot(x[1]),
            Op::DirectionCosine(_) => x[0].with(x[1], |x, y| if x == NAN || y == NAN { NAN } else { Range::FINITE }),
            Op::Sech(_)
            | Op::TanhDerivative(_)
            | Op::LogisticDerivative(_)
            | Op::Gaussian(_)
            | Op::NormalDensity(_) => x[0].map(|x| if x == NAN { NAN } else { ZERO | MODEST }),
            Op::NormalHazard(_) => x[0].map(|x| match x {
                NAN => NAN,
                NEG_INF | INF => ZERO | INF,
                _ => ZERO | POSITIVE,
            }),
            Op::Exp(_) | Op::Exp2(_) => x[0].exp(),
            Op::Expm1(_) => x[0].map(|x| match x {
                NEG_INF | NEG_HUGE => NEG_BIG,
                NEG_BIG => MODEST.neg(),
                SMALL => MODEST,
                BIG => LARGE,
                HUGE => HUGE | INF,
                other => other,
            }),
            Op::Log(_) | Op::Log2(_) | Op::Log10(_) => x[0].log(),
            Op::Log1p(_) => x[0].map(|x| match x {
                NEG_INF | NEG_HUGE => NAN,
                NEG_BIG => NAN | NEG_INF,
                NEG_SMALL => NEGATIVE,
                BIG => MODEST,
                HUGE => LARGE,
                other => other,
            }),
            Op::Sin(_) | Op::Cos(_) => x[0].wave(),
            Op::Tan(_) => x[0].finite(),
            Op::Asin(_) => x[0].odd(|x| match x {
                SMALL => MODEST,
                BIG => BIG | NAN,
                HUGE | INF => NAN,
                other => other,
            }),
            Op::Acos(_) => x[0].map(|x| match x {
                ZERO | NEG_SMALL => BIG,
                SMALL => MODEST,
                BIG => ZERO | NAN,
                NEG_BIG => BIG | NAN,
                _ => NAN,
            }),
            Op::Atan(_) => x[0].odd(|x| match x {
                BIG => MODEST,
                HUGE | INF => BIG,
                other => other,
            }),
            Op::Sinh(_) => x[0].odd(|x| match x {
                SMALL => MODEST,
                BIG => LARGE,
                HUGE => HUGE | INF,
                other => other,
            }),
            Op::Cosh(_) => x[0].abs().map(|x| match x {
                ZERO | SMALL => BIG,
                BIG => LARGE,
                HUGE => HUGE | INF,
                other => other,
            }),
            Op::Tanh(_) | Op::Erf(_) => x[0].odd(|x| match x {
                SMALL | BIG => MODEST,
                HUGE | INF => BIG,
                other => other,
            }),
            Op::Asinh(_) => x[0].odd(|x| match x {
                BIG => MODEST,
                HUGE => LARGE,
                other => other,
            }),
            Op::Acosh(_) => x[0].map(|x| match x {
                BIG => ZERO | MODEST,
                HUGE => LARGE,
                INF => INF,
                _ => NAN,
            }),
            Op::Atanh(_) => x[0].odd(|x| match x {
                SMALL => MODEST,
                BIG => INF | NAN,
                HUGE | INF => NAN,
                other => other,
            }),
            Op::Logistic(_) | Op::Ndtr(_) => x[0].map(|x| match x {
                NEG_INF => ZERO,
                NEG_HUGE | NEG_BIG | NEG_SMALL => ZERO | SMALL,
                ZERO => SMALL,
                SMALL | BIG => MODEST,
                HUGE | INF => BIG,
                other => other,
            }),
            Op::Atan2(_) => x[0].with(x[1], |x, y| if x == NAN || y == NAN { NAN } else { Range::FINITE }),
            Op::Erfc(_) => x[0].map(|x| match x {
                NAN => NAN,
                INF => ZERO,
                _ => ZERO | MODEST,
            }),
            Op::Softplus(_) => x[0].map(|x| match x {
                NEG_INF => ZERO,
                NAN | INF => x,
                _ => ZERO | POSITIVE,
            }),
            Op::Logaddexp(_) => x[0].with(x[1], |x, y| match (x, y) {
                (NAN, _) | (_, NAN) => NAN,
                (INF, _) | (_, INF) => INF,
                (NEG_INF, other) | (other, NEG_INF) => other,
                _ => Range::FINITE,
            }),
            Op::Sinc(_) | Op::SincDerivative(_) | Op::BesselJ0(_) | Op::BesselJ1(_) | Op::BesselJn(_) => {
                x[0].map(|x| if x == NAN { NAN } else { Range::FINITE })
            }
            Op::BesselI0e(_) | Op::BesselI1e(_) | Op::BesselIne(_) | Op::BesselIneDerivative(_) => {
                x[0].map(|x| if x == NAN { NAN } else { Range::FINITE })
            }
            // Poles, ends of domains, or early overflow.
            Op::Erfcx(_) | Op::ErfInv(_) | Op::LogNdtr(_) | Op::Ndtri(_) => Range::ANY,
            Op::ErfcxDerivative(_) | Op::ErfInvDerivative(_) | Op::LogNdtrDerivative(_) | Op::NdtriDerivative(_) => {
                Range::ANY
            }
            Op::PolygammaDifference(_) => Range::ANY,
            Op::Entr(_) | Op::Logit(_) | Op::Log1mexp(_) | Op::Xlogy(_) | Op::Xlog1py(_) => Range::ANY,
            Op::Gamma(_) | Op::Lgamma(_) | Op::Digamma(_) | Op::Polygamma(_) | Op::Beta(_) | Op::Lbeta(_) => Range::ANY,
            Op::Igamma(_) | Op::Igammac(_) | Op::GammaDensity(_) | Op::IgammaGradA(_) => Range::ANY,
            Op::Betainc(_) | Op::BetaDensity(_) | Op::BetaincGradA(_) | Op::BetaincGradB(_) => Range::ANY,
            Op::BesselY0(_) | Op::BesselY1(_) | Op::BesselI0(_) | Op::BesselI1(_) | Op::BesselIn(_) => Range::ANY,
            Op::Exp1(_) | Op::Expi(_) | Op::Spence(_) | Op::SpenceDerivative(_) | Op::Rgamma(_) | Op::Zeta(_) => {
                Range::ANY
            }
            Op::LogRatio(_) | Op::RelEntr(_) | Op::KlDiv(_) => Range::ANY,
            Op::Select(_) => x[1] | x[2],
            Op::StopGradient(_) | Op::Alias(_) => x[0],
            Op::Convert(_) => x[0].odd(|x| match x {
                SMALL => ZERO | MODEST,
                HUGE => LARGE,
                other => other,
            }),
            Op::BroadcastInDim(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) | Op::Reverse(_) => x[0],
            Op::ScatterSlices(_) => all().sums(),
            Op::Gather(op) => {
                let slices = if op.out_of_bounds == OutOfBounds::Drop { x[0] | ZERO } else { x[0] };
                if op.summed.is_empty() { slices } else { slices.reduced(Monoid::Sum) }
            }
            Op::Scatter(op) => match op.update {
                Update::Set | Update::Min | Update::Max => x[0] | x[2],
                Update::Add => (x[0] | x[2]).sums(),
                Update::Mul => Range::ANY,
            },
            Op::Pad(_) | Op::Concatenate(_) => all(),
            Op::ReduceSum(_) => x[0].reduced(Monoid::Sum),
            Op::ReduceProd(_) => x[0].reduced(Monoid::Prod),
            Op::ReduceMax(_) => x[0].reduced(Monoid::Max),
            Op::ReduceMin(_) => x[0].reduced(Monoid::Min),
            Op::CumSum(_) => x[0].sums(),
            Op::Fft(_) | Op::Irfft(_) => transformed(x[0] | x[1]),
            Op::Rfft(_) => transformed(x[0]),
            Op::DotGeneral(_) => x[0].mul(x[1]).sums(),
            Op::StrongDot(_) => (x[0].mul(x[1]) | ZERO).sums(),
            // They give no floating-point numbers, or are constants, or hold regions.
            Op::Eq(_) | Op::Ne(_) | Op::Lt(_) | Op::Le(_) | Op::Gt(_) | Op::Ge(_) => Range::ANY,
            Op::IsNan(_) | Op::IsFinite(_) => Range::ANY,
            // `bool`s, or integers, which are finite.
            Op::And(_) | Op::Or(_) | Op::Xor(_) | Op::Not(_) | Op::Popcount(_) => Range::FINITE,
            Op::ShiftLeft(_) | Op::ShiftRightLogical(_) | Op::ShiftRightArithmetic(_) => Range::FINITE,
            Op::ReduceAnd(_) | Op::ReduceOr(_) | Op::ArgMax(_) | Op::ArgMin(_) => Range::ANY,
            Op::ArgSort(_) | Op::SearchSorted(_) => Range::ANY,
            Op::Expm(_) | Op::ExpmFrechet(_) | Op::ExpmMultiply(_) => Range::ANY,
            Op::SolveSylvester(_) | Op::SolveStein(_) => Range::ANY,
            Op::Sqrtm(_) | Op::Logm(_) | Op::LogmFrechet(_) => Range::ANY,
            Op::TridiagonalSolve(_) | Op::BandedSolve(_) => Range::ANY,
            Op::SolveContinuousAre(_) | Op::SolveDiscreteAre(_) => Range::ANY,
            Op::Cholesky(_) | Op::CholeskyPullback(_) | Op::TriangularSolve(_) => Range::ANY,
            Op::Lu(_) | Op::Solve(_) | Op::Inverse(_) => Range::ANY,
            // Of all results, of which norms may overflow though the matrix is finite.
            Op::Eigh(_) | Op::Svd(_) | Op::Qr(_) | Op::Eig(_) | Op::Hessenberg(_) => Range::ANY,
            Op::Pinv(_) | Op::NullSpace(_) => Range::ANY,
            Op::ComplexEig(_) | Op::ComplexEigh(_) | Op::ComplexSvd(_) => Range::ANY,
            Op::ComplexLu(_) | Op::ComplexQr(_) | Op::ComplexSolve(_) => Range::ANY,
            Op::Threefry(op) => match op.draw {
                Draw::UnitF64 | Draw::UnitF32 => ZERO | SMALL,
                Draw::NormalF64 | Draw::NormalF32 | Draw::Words | Draw::Bits32 | Draw::Bits64 => Range::FINITE,
            },
            Op::Iota(_) => INDEX,
            Op::Constant(_) => Range::FINITE,
            Op::Cond(_) | Op::Switch(_) | Op::Checkpoint(_) | Op::Custom(_) | Op::External(_) => Range::ANY,
            Op::While(_) | Op::Scan(_) | Op::Revolve(_) => Range::ANY,
        }
    }
}

/// The product in which zeros of one factor, or of either, annihilate the other.
fn strong_product(zeros: Strong, x: Range, y: Range) -> Range {
    let factors = [x, y];
    let is_strong = |slot: usize| zeros.holds(slot) && factors[slot].may_be_zero();
    let rest = |slot: usize| if zeros.holds(slot) { factors[slot].without(ZERO) } else { factors[slot] };
    let product = rest(0).mul(rest(1));
    if is_strong(0) || is_strong(1) { product | ZERO } else { product }
}

/// Sums with weights of either sign, which are finite, of a line of numbers.
fn transformed(x: Range) -> Range {
    if x.may_be_wild() { Range::ANY } else { Range::FINITE }
}

/// How many nodes of regions are looked at for one graph. Regions may share regions, and so be more than a file is long;
/// what is beyond counts as anything.
const MAX_INNER_NODES: usize = 1 << 18;

/// The ranges of the values of one growing graph.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    /// Those that were told: of inputs, of which others are finite, and of what stands for other numbers than it holds.
    told: HashMap<NodeId, Range>,
    /// That of each node's first result.
    first: Vec<Range>,
    /// Those of further results.
    further: HashMap<NodeId, Vec<Range>>,
    inner: Inner,
    /// Whether the graph is a region that is looked at on the way.
    is_inner: bool,
}

/// What is known of regions that are looked at.
#[derive(Debug)]
struct Inner {
    /// How many of their nodes may still be looked at.
    budget: usize,
    /// The ranges of a region's outputs by its address and the ranges of its inputs, while one node is looked at: each
    /// level of loops goes several times through those within it.
    known: HashMap<(*const Graph, Vec<Range>), Vec<Range>>,
}

impl Default for Inner {
    fn default() -> Inner {
        Inner { budget: MAX_INNER_NODES, known: HashMap::new() }
    }
}

impl Ranges {
    /// Tells what the result of a node holds, or stands for, before anything is asked.
    pub(crate) fn tell(&mut self, x: Value, range: Range) {
        self.told.insert(x.node, range);
    }

    /// The range of a value of the graph, which may have grown since.
    pub(crate) fn get(&mut self, graph: &Graph, x: Value) -> Range {
        while self.first.len() <= x.node.index() {
            self.visit(graph, NodeId::from_index(self.first.len()));
        }
        self.known(x)
    }

    /// Results that a node got after it was visited may be anything.
    fn known(&self, x: Value) -> Range {
        match usize::from(x.result) {
            0 => self.first[x.node.index()],
            n => self.further.get(&x.node).and_then(|ranges| ranges.get(n - 1)).copied().unwrap_or(Range::ANY),
        }
    }

    fn visit(&mut self, graph: &Graph, id: NodeId) {
        let node = graph.node(id);
        let told = self.told.get(&id).copied();
        let Some(op) = node.op().filter(|_| told.is_none()) else {
            self.first.push(told.unwrap_or(Range::FINITE));
            return;
        };
        let operands = graph.operands(id);
        let x: SmallVec<[Range; 3]> = operands.iter().map(|&x| self.known(x)).collect();
        if node.regions().is_empty() {
            // A number times itself is a square, which is not negative.
            let square = if matches!(op, Op::Mul(_)) { square_up_to_sign(graph, &operands) } else { None };
            let of_op = |ty: &Type| match square.filter(|_| ty.dtype.is_float()) {
                Some(is_negated) => {
                    if is_negated {
                        x[0].square().neg()
                    } else {
                        x[0].square()
                    }
                }
                None => op.range(&x, ty),
            };
            self.first.push(node.types().first().map_or(Range::ANY, of_op));
            if node.types().len() > 1 {
                self.further.insert(id, node.types()[1..].iter().map(of_op).collect());
            }
            return;
        }
        let regions: Vec<&Graph> = node.regions().iter().map(|region| &**region).collect();
        let (depth, n_results) = (graph.depth(), node.types().len());
        let found = stack::at_level(depth, || of_control(op, &regions, &x, n_results, &mut self.inner));
        let mut results = found.unwrap_or_else(|_| vec![Range::ANY; n_results]);
        if !self.is_inner {
            self.inner.known.clear();
        }
        self.first.push(if results.is_empty() { Range::ANY } else { results.remove(0) });
        if !results.is_empty() {
            self.further.insert(id, results);
        }
    }
}

/// Whether the factors of a product are the same number but for their signs, and if so, whether these differ: `-x * x`, as
/// people write it, is `(-x) * x`.
fn square_up_to_sign(graph: &Graph, factors: &[Value]) -> Option<bool> {
    let [(x, x_is_negated), (y, y_is_negated)] = [factors[0], factors[1]].map(|factor| {
        let is_negated = matches!(graph.node(factor.node).op(), Some(Op::Neg(_)));
        (if is_negated { graph.operands(factor.node)[0] } else { factor }, is_negated)
    });
    (x == y).then_some(x_is_negated != y_is_negated)
}

/// What the inputs of an operation's regions may hold, region by region, given what the operands may.
pub(crate) fn of_region_inputs(op: &Op, regions: &[&Graph], x: &[Range]) -> Vec<Vec<Range>> {
    let mut inner = Inner::default();
    let roles = op.roles().expect("bug: regions of an operation without roles");
    match roles.flow {
        Flow::Choice | Flow::Once => vec![x[roles.n_choices..].to_vec(); regions.len()],
        Flow::While | Flow::Rows(_) => {
            let body = regions.last().expect("bug: a loop without a body");
            vec![loop_inputs(body, &roles, x, &mut inner).0; regions.len()]
        }
        Flow::Custom => {
            let mut inputs = vec![x.to_vec()];
            inputs.extend(regions[1..].iter().map(|rule| vec![Range::ANY; rule.inputs().len()]));
            inputs
        }
        Flow::Back(_) => regions.iter().map(|region| vec![Range::ANY; region.inputs().len()]).collect(),
    }
}

/// The ranges of the results of an operation with regions.
fn of_control(op: &Op, regions: &[&Graph], x: &[Range], n_results: usize, inner: &mut Inner) -> Vec<Range> {
    let roles = op.roles().expect("bug: regions of an operation without roles");
    match roles.flow {
        Flow::Choice | Flow::Once => {
            let mut results = vec![Range::NOTHING; n_results];
            for region in regions {
                let outputs = outputs(region, &x[roles.n_choices..], inner);
                results.iter_mut().zip(outputs).for_each(|(result, output)| *result = *result | output);
            }
            results
        }
        Flow::Custom => outputs(regions[0], x, inner),
        Flow::While | Flow::Rows(_) => {
            let body = regions.last().expect("bug: a loop without a body");
            loop_inputs(body, &roles, x, inner).1
        }
        Flow::Back(_) => vec![Range::ANY; n_results],
    }
}

/// How many iterations are followed to find what a loop carries.
const MAX_ITERATIONS: usize = 4;

/// What the inputs of a loop's body may hold in any iteration, and what its results may: the least that holds what the
/// carry begins with and what an iteration leaves of it. If a few iterations do not find that, a carry that begins finite is
/// taken to stay so if an iteration that gets it so leaves it so; else everything carried may be anything.
fn loop_inputs(body: &Graph, roles: &Roles, x: &[Range], inner: &mut Inner) -> (Vec<Range>, Vec<Range>) {
    let (begin, rest) = x.split_at(roles.n_carry);
    let mut iterate = |carried: &[Range]| {
        let inputs = [&vec![INDEX; roles.n_index()], carried, rest].concat();
        let mut results = outputs(body, &inputs, inner);
        results.iter_mut().zip(carried).for_each(|(after, &before)| *after = *after | before);
        (inputs, results)
    };
    let mut carried = begin.to_vec();
    for _ in 0..MAX_ITERATIONS {
        let (inputs, results) = iterate(&carried);
        if results.starts_with(&carried) {
            return (inputs, results);
        }
        carried.copy_from_slice(&results[..begin.len()]);
    }
    let finite = |range: &Range| if range.may_be_wild() { Range::ANY } else { Range::FINITE };
    let widened: Vec<Range> = begin.iter().map(finite).collect();
    let (inputs, results) = iterate(&widened);
    if results.starts_with(&widened) { (inputs, results) } else { iterate(&vec![Range::ANY; begin.len()]) }
}

fn outputs(region: &Graph, inputs: &[Range], inner: &mut Inner) -> Vec<Range> {
    let key = (std::ptr::from_ref(region), inputs.to_vec());
    if let Some(known) = inner.known.get(&key) {
        return known.clone();
    }
    let Some(rest) = inner.budget.checked_sub(region.n_nodes()) else {
        inner.budget = 0;
        return vec![Range::ANY; region.outputs().len()];
    };
    inner.budget = rest;
    let mut ranges = Ranges { inner: std::mem::take(inner), is_inner: true, ..Ranges::default() };
    for (input, &range) in region.inputs().iter().zip(inputs) {
        ranges.tell(input.node.into(), range);
    }
    let outputs: Vec<Range> = region.outputs().iter().map(|output| ranges.get(region, output.value)).collect();
    *inner = ranges.inner;
    inner.known.insert(key, outputs.clone());
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::region;
    use crate::op::trace::{self, record};
    use crate::op::{Derivative, Scan, Var};
    use crate::value::DType;

    /// Numbers of every kind, none so extreme that a sum, product or quotient of a few overflows.
    const POINTS: [f64; 19] = [
        f64::NAN,
        f64::NEG_INFINITY,
        -65.0,
        -50.0,
        -3.5,
        -1.0,
        -0.9,
        -0.5,
        -1e-3,
        -0.0,
        0.0,
        1e-3,
        0.5,
        0.9,
        1.0,
        3.5,
        50.0,
        65.0,
        f64::INFINITY,
    ];

    #[test]
    fn tables_hold_what_comes_of_each_pair_of_kinds() {
        for (x, y) in (0..1024).flat_map(|x| (0..1024).step_by(7).map(move |y| (Range(x), Range(y)))) {
            assert_eq!(x.add(y), x.with(y, Range::sum_of_kinds), "{x:?} + {y:?}");
            assert_eq!(x.mul(y), x.with(y, Range::product_of_kinds), "{x:?} · {y:?}");
        }
    }

    #[test]
    fn results_lie_within_ranges() {
        for (name, _, examples) in Op::table() {
            let samples = examples.samples.iter().filter(|sample| {
                let all_floats = sample.operands.iter().all(|(ty, _)| ty.dtype == DType::F64);
                all_floats && matches!(sample.op.derivative(), Derivative::Elementwise(_))
            });
            for sample in samples {
                let n = sample.operands.len();
                let types = vec![Type::scalar(DType::F64); n];
                let results = sample.op.infer(&types, &[]).unwrap();
                for row in 0..POINTS.len().pow(n as u32) {
                    let x: Vec<f64> =
                        (0..n).map(|slot| POINTS[row / POINTS.len().pow(slot as u32) % POINTS.len()]).collect();
                    let operands: Vec<Array> = x.iter().map(|&x| Array::scalar(x)).collect();
                    let y = sample.op.eval_inferred(&operands.iter().collect::<Vec<_>>(), &results).remove(0);
                    let ranges: Vec<Range> = operands.iter().map(Range::of).collect();
                    let range = sample.op.range(&ranges, &results[0]);
                    assert!(Range::of(&y).within(range), "{name}: {x:?} gives {y}, which is not in {range:?}");
                }
            }
        }
    }

    fn range_of(f: impl FnOnce(Var) -> Var) -> Range {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::new(DType::F64, [3])).unwrap();
        record(graph, 1000, None, || trace::range(f(trace::variable(x)))).unwrap().1
    }

    #[test]
    fn poles_are_told_from_what_is_bounded() {
        let wild = |f: fn(Var) -> Var| range_of(f).may_be_wild();
        assert!(!wild(|x| (x * x + x.sin()).tanh() - x.square()));
        assert!(!wild(|x| 1.0 / (1.0 + (-x).exp())));
        assert!(!wild(|x| (-x.square()).exp()));
        assert!(!wild(|x| (-x * x).exp() + (x * -x).exp()));
        assert!(wild(|x| (-x * -x).exp()));
        assert!(wild(|x| (-x * x.sin()).exp()));
        assert!(!wild(|x| (1.0 + x * x).sqrt().recip()));
        assert!(!wild(|x| x.clamp(1e-7, 0.999).ln()));
        assert!(!wild(|x| x.tanh().exp() + x.sin().exp() + x.clamp(-10.0, 10.0).sinh()));
        assert!(!wild(|x| x.cosh().square().recip()));
        assert!(!wild(|x| (1.0 + x * x).powf(1.5)));
        assert!(!wild(|x| (1.0 + x * x).powf(x.tanh())));
        assert!(wild(|x| (1.0 + x * x).powf(x)));
        assert!(wild(|x| x.sigmoid().clamp(1e-7, 0.5).powf(x)));
        assert!(wild(|x| x.exp()));
        assert!(wild(|x| x.sqrt()));
        assert!(wild(|x| x.recip()));
        assert!(wild(|x| x.ln().sum()));
    }

    /// What a loop of three iterations leaves, each of which gets its index and the carry.
    fn looped(f: impl Fn(Var, Var) -> Var, begin: Var) -> Var {
        let inputs = [("i".to_string(), Type::scalar(DType::I64)), ("x".to_string(), begin.ty())];
        let region = region::trace("body", &inputs, |x| vec![("next".to_string(), f(x[0], x[1]))]).unwrap();
        let op = Scan { carry: 1, xs: 0, length: Some(3), reverse: false, checkpoint: None };
        trace::apply_regions(op, &[begin], vec![region.graph]).unwrap()[0]
    }

    #[test]
    fn a_carry_is_finite_only_if_an_iteration_leaves_it_so() {
        let looped = |f: fn(Var) -> Var| range_of(|x| looped(|_, x| f(x), x));
        assert!(!looped(|x| x.sin() * 2.0).may_be_wild());
        assert!(looped(|x| x.sqrt()).may_be_wild());
    }

    #[test]
    fn a_carry_holds_what_iterations_leave_of_what_it_begins_with() {
        let looped = |f: fn(Var) -> Var, begin: fn(Var) -> Var| range_of(|x| looped(|_, x| f(x), begin(x)));
        let one = |x: Var| x.full_like(1.0);
        assert!(!looped(|x| x + 1.0, one).may_be_zero());
        assert!(!looped(|x| (x + 1.0).recip(), one).may_be_wild());
        assert!(!looped(|x| x.sqrt(), |x| x.square()).may_be_wild());
        // Halves become 0 in the end.
        assert!(looped(|x| x * 0.5, one).may_be_zero());
        assert!(!looped(|x| x.exp().tanh(), one).may_be_wild());
        // 1, e, …
        assert!(looped(|x| x.exp(), one).may_be_wild());
    }

    #[test]
    fn an_index_is_not_negative() {
        let range = range_of(|x| looped(|i, x| x / (i.convert(DType::F64) + 1.0), x));
        assert!(!range.may_be_wild());
    }
}
