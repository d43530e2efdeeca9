//! Loops that end when something is small enough.

use crate::op::{Var, trace};
use crate::transform::{Loop, VarTree};
use crate::value::DType;

/// When a solver has converged, and when it gives up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// The absolute and the relative tolerance.
    pub tolerance: Option<(f64, f64)>,
    pub max_iterations: Option<u64>,
    /// Whether giving up is a result instead of an error.
    pub flagged: bool,
}

/// What an iteration gives: the next state, and an error that is to be within a bound.
pub(super) struct Step<C> {
    pub state: C,
    pub error: Var,
    pub bound: Var,
}

impl Limits {
    /// The error that is allowed for something of this magnitude. Beside an infinite one any error would be small.
    pub fn bound(&self, scale: Var) -> Var {
        let default = default_tolerance(scale.dtype());
        let (absolute, relative) = self.tolerance.unwrap_or((default, default));
        absolute + relative * scale.equal(f64::INFINITY).select(scale.full_like(0.0), scale)
    }

    /// Repeats the body until the error is within the bound; gives the last state, and whether that is so. The loop bears
    /// the solver's name, which an error calls that does not converge.
    pub fn repeat<C: VarTree>(
        &self,
        solver: &'static str,
        max_iterations: u64,
        dtype: DType,
        init: C,
        body: impl FnOnce(C) -> Step<C>,
    ) -> (C, Var) {
        let max = self.max_iterations.unwrap_or(max_iterations);
        let infinite = Var::number(f64::INFINITY, dtype);
        if self.flagged {
            let limit = i64::try_from(max).unwrap_or(i64::MAX);
            let goes_on = |(_, error, bound, k): (C, Var, Var, Var)| error.greater(bound) & k.less(limit);
            let next = |(state, _, _, k): (C, Var, Var, Var)| {
                let Step { state, error, bound } = body(state);
                (state, error, bound, k + 1)
            };
            let init = (init, infinite, Var::number(0.0, dtype), Var::number(0.0, DType::I64));
            let (state, error, bound, _) = Loop::new().while_loop(init, goes_on, next);
            trace::set_name(error, solver);
            return (state, error.less_equal(bound));
        }
        // Not within the bound is what NaN is, too, which so ends at the limit.
        let next = |(state, _): (C, Var)| {
            let Step { state, error, bound } = body(state);
            (state, !error.less_equal(bound))
        };
        let open = infinite.greater(0.0);
        let (state, open) = Loop::new().max_trips(max).while_loop((init, open), |(_, open)| open, next);
        trace::set_name(open, solver);
        (state, !open)
    }
}

/// ε^⅔, with the distance ε of 1 to the next larger number: it can be reached in spite of rounding errors, and a method that
/// converges quadratically is then at the solution to the last bits.
pub(super) fn default_tolerance(dtype: DType) -> f64 {
    dtype.epsilon().powf(2.0 / 3.0)
}

/// The largest magnitude of an element; 0 for none.
pub(super) fn largest(x: Var) -> Var {
    x.abs().max_all().max(0.0)
}

/// The part of a step that is accepted: all of it, or a half, and so on; or `least`, a power of 2, if no larger one is.
pub(super) fn shortened(dtype: DType, least: f64, accepts: impl FnOnce(Var) -> Var) -> Var {
    let one = Var::number(1.0, dtype);
    Loop::new().while_loop(one, |t| !accepts(t) & t.greater(least), |t| 0.5 * t)
}

/// Gives options of solvers that are common to all of them.
macro_rules! limits {
    ($name:ident, $measure:literal, $default:literal, $iterations:literal) => {
        impl $name {
            #[doc = concat!("Converged is ", $measure, " of at most `absolute + relative · scale`. ", $default)]
            #[must_use]
            pub fn tolerance(mut self, absolute: f64, relative: f64) -> $name {
                self.limits.tolerance = Some((absolute, relative));
                self
            }

            #[doc = concat!("The most iterations, ", $iterations, " by default.")]
            #[must_use]
            pub fn max_iterations(mut self, n: u64) -> $name {
                self.limits.max_iterations = Some(n);
                self
            }
        }
    };
}
pub(super) use limits;
