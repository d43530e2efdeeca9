//! Where a distribution is defined, and what is outside.

use crate::op::{Operand, Var};
use crate::random::parameters::{Parameter, on_line, typed};
use crate::value::DType;

/// ln √(2π).
pub(super) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// Where a distribution is defined, elementwise.
#[derive(Clone, Copy)]
pub(super) struct Support {
    /// Below the support, or at numbers that have no density.
    outside: Option<Var>,
    /// Whether the parameters are those of a distribution.
    is_valid: Var,
}

impl Support {
    /// All numbers belong to it.
    pub(super) fn everywhere(is_valid: Var) -> Support {
        Support { outside: None, is_valid }
    }

    /// But for some.
    pub(super) fn within(outside: Var, is_valid: Var) -> Support {
        Support { outside: Some(outside), is_valid }
    }

    /// A logarithm of a density: -inf with the derivative 0 outside, NaN with the derivative NaN where the parameters, which
    /// are among `all`, are wrong.
    #[track_caller]
    pub(super) fn density(self, y: Var, all: &[Var]) -> Var {
        self.with(y, f64::NEG_INFINITY, all)
    }

    /// A probability: 0 with the derivative 0 outside, which is to be below the support.
    #[track_caller]
    pub(super) fn probability(self, p: Var, all: &[Var]) -> Var {
        self.with(p, 0.0, all)
    }

    #[track_caller]
    fn with(self, y: Var, outside: f64, all: &[Var]) -> Var {
        on_line(|| {
            let within = self.outside.map_or(y, |is_outside| is_outside.select(outside, y));
            let wrong = all.iter().copied().reduce(|x, y| x + y).map_or(y, |sum| sum * f64::NAN);
            self.is_valid.select(within, wrong)
        })
    }
}

/// A parameter, or NaN, whose derivative is NaN, where it is wrong.
#[track_caller]
pub(super) fn valid(is_valid: Var, parameter: Var) -> Var {
    is_valid.select(parameter, parameter * f64::NAN)
}

/// A count, which may be of `i64`, and parameters of one dtype of floating point, which the count gets, too; else an error
/// is recorded.
#[track_caller]
pub(super) fn counted<const N: usize>(
    name: &'static str,
    k: &impl Operand,
    parameters: [&dyn Parameter; N],
) -> Option<(Var, [Var; N])> {
    let parameters = typed(name, parameters)?;
    let dtype = parameters[0].dtype();
    let k = match k.traced() {
        Some(k) if k.is_poisoned() => return None,
        Some(k) if k.dtype() == DType::I64 => k.convert(dtype),
        Some(k) => typed(name, [&k, &parameters[0]])?[0],
        None => k.var(parameters[0]),
    };
    Some((k, parameters))
}

/// Whether a number is none of 0, 1, 2, …, as infinity is not; NaN is not looked at.
#[track_caller]
pub(super) fn is_no_count(k: Var) -> Var {
    k.less(0.0) | k.greater(k.floor()) | k.equal(f64::INFINITY)
}
