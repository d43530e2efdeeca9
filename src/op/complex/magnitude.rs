//! Factors that move numbers away from the ends of the range of their type.

use super::super::Var;
use crate::value::DType;

/// Where the range of a type ends for squares and quotients: numbers that are that large or small are moved by a power of two.
pub(super) struct Magnitude {
    size: Var,
    is_small: Var,
    is_large: Var,
}

impl Magnitude {
    /// By the absolute value of the largest of the numbers.
    #[track_caller]
    pub fn of(size: Var) -> Magnitude {
        let (small, large) = if is_single(size) { (-80, 120) } else { (-900, 1000) };
        Magnitude { size, is_small: size.less(2f64.powi(small)), is_large: size.greater(2f64.powi(large)) }
    }

    /// The power of two by which numbers are multiplied, to that exponent: 1, -1 or -1/2; it is 1 for all but those near the ends.
    #[track_caller]
    pub fn factor(&self, exponent: f64) -> Var {
        let [up, down] = self.exponents().map(|own| (own * exponent).exp2());
        self.choose(up, down, 1.0)
    }

    /// The natural logarithm of the factor.
    #[track_caller]
    pub fn ln_factor(&self) -> Var {
        let [up, down] = self.exponents().map(|own| own * std::f64::consts::LN_2);
        self.choose(up, down, 0.0)
    }

    /// The logarithm of the factor to the base 2.
    #[track_caller]
    pub fn exponent(&self) -> Var {
        let [up, down] = self.exponents();
        self.choose(up, down, 0.0)
    }

    /// Even, so that the factor has a root.
    fn exponents(&self) -> [f64; 2] {
        if is_single(self.size) { [60.0, -10.0] } else { [120.0, -40.0] }
    }

    #[track_caller]
    fn choose(&self, if_small: f64, if_large: f64, other: f64) -> Var {
        let other = self.is_large.select(self.size.full_like(if_large), other);
        self.is_small.select(self.size.full_like(if_small), other)
    }
}

fn is_single(x: Var) -> bool {
    x.dtype() == DType::F32
}
