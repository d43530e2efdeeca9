//! The root of a function of one number between two points.

use std::panic::Location;

use super::equation::{Equation, Form, on_line};
use super::iterate::{Limits, Step, limits};
use super::linear::LinearSolve;
use crate::op::{Var, trace};

/// The root of a function of one number that changes its sign between `lo` and `hi`.
///
/// Chandrupatla's method (*A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function without
/// using derivatives*, 1997): inverse quadratic interpolation where it is to be trusted, and halving elsewhere. It needs no
/// derivative of the function, and finds a root of every continuous one. Derivatives flow to all that the function captures,
/// and none to `lo` and `hi`; see the [module](super).
///
/// ```
/// use retrograd::{Var, bracket, grad, jit};
///
/// let log = |a: Var| bracket(|x| x.exp() - a, a.full_like(-20.0), a.full_like(20.0));
/// let (x, slope): (f64, f64) = (jit(log).call(5.0)?, jit(grad(log)).call(5.0)?);
/// assert!((x - 5f64.ln()).abs() < 1e-14 && (slope - 0.2).abs() < 1e-14);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if `lo` and `hi` are not scalars of one floating point dtype, or the function returns anything else. At run
/// time: if the function has the same sign at `lo` and `hi`, or there is no convergence, both as [`Error::Limit`](crate::Error).
#[track_caller]
pub fn bracket(f: impl FnOnce(Var) -> Var, lo: Var, hi: Var) -> Var {
    Bracket::new().solve(f, lo, hi)
}

/// How [`bracket()`] finds what it looks for.
///
/// ```
/// use retrograd::{Var, jit, transform::Bracket};
///
/// let f = |lo: Var, hi: Var| Bracket::new().flagged(|x| x * x - 2.0, lo, hi);
/// let (x, found): (f64, bool) = jit(f).call(0.0, 2.0)?;
/// assert!(found && (x - 2f64.sqrt()).abs() < 1e-15);
/// let (_, found): (f64, bool) = jit(f).call(2.0, 3.0)?;
/// assert!(!found);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Bracket {
    limits: Limits,
}

limits!(
    Bracket,
    "an interval whose width is",
    "The scale is the magnitude of x. By default, `absolute` is ε², and `relative` is 4 ε, with the distance ε of 1 to the next \
     larger number.",
    "200"
);

impl Bracket {
    /// The defaults.
    pub fn new() -> Bracket {
        Bracket::default()
    }

    /// See [`bracket()`].
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn solve(self, f: impl FnOnce(Var) -> Var, lo: Var, hi: Var) -> Var {
        self.run(f, lo, hi, Location::caller()).0
    }

    /// The last iterate, and whether it is a solution (a `bool[]`): there is no error if it is not. Without a change of sign it
    /// is NaN.
    ///
    /// # Errors
    /// When traced: as [`bracket()`].
    #[track_caller]
    pub fn flagged(self, f: impl FnOnce(Var) -> Var, lo: Var, hi: Var) -> (Var, Var) {
        Bracket { limits: Limits { flagged: true, ..self.limits } }.run(f, lo, hi, Location::caller())
    }

    fn run(self, f: impl FnOnce(Var) -> Var, lo: Var, hi: Var, at: &'static Location<'static>) -> (Var, Var) {
        for (name, end) in [("lo", lo), ("hi", hi)] {
            if let Some(ty) = trace::type_at(end, at).filter(|ty| ty.rank() > 0 && !trace::has_failed()) {
                trace::fail_on(format!("bracket: {name} must be a scalar, but is {ty}"), at);
            }
        }
        let solved = Equation::of_tree("bracket", Form::Zero, lo, f, at).and_then(|equation| {
            let dtype = equation.dtype();
            let tolerance = self.limits.tolerance.unwrap_or((dtype.epsilon().powi(2), 4.0 * dtype.epsilon()));
            let limits = Limits { tolerance: Some(tolerance), ..self.limits };
            let ends = on_line(at, || Var::stack(&[lo, hi], 0));
            equation.solved(&limits, LinearSolve::new().dense(), ends, |p, ends| {
                chandrupatla(&limits, ends.slice(0, ..1), ends.slice(0, 1..), |x| equation.residual(p, x))
            })
        });
        solved.unwrap_or((Var::poisoned(), Var::poisoned()))
    }
}

/// Two points of different sign, the one before the last, and where between the two to look next. All are vectors of one
/// element.
type State = ([Var; 2], [Var; 2], [Var; 2], Var, Var);

fn chandrupatla(limits: &Limits, lo: Var, hi: Var, f: impl Fn(Var) -> Var) -> (Var, Var) {
    let (a, b) = (lo, hi);
    let (fa, fb) = (f(a), f(b));
    let has_root = fa.sign().equal(-fb.sign()) | fa.equal(0.0) | fb.equal(0.0);
    let a = has_root.select(a, a.full_like(f64::NAN));
    let init: State = ([a, fa], [b, fb], [b, fb], a.full_like(0.5), a);
    let ((_, _, _, _, x), converged) = limits.repeat("bracket", 200, lo.dtype(), init, |(a, b, _, t, _)| {
        let x = a[0] + t * (b[0] - a[0]);
        let new = [x, f(x)];
        let is_same = new[1].sign().equal(a[1].sign());
        let pick = |x: [Var; 2], y: [Var; 2]| [is_same.select(x[0], y[0]), is_same.select(x[1], y[1])];
        let (c, b) = (pick(a, b), pick(b, a));
        let a = new;
        let best = a[1].abs().less(b[1].abs());
        let (x, y) = (best.select(a[0], b[0]), best.select(a[1], b[1]));
        let width = (b[0] - a[0]).abs();
        let bound = limits.bound(x.abs());
        let least = 0.5 * bound / width;
        let t = between(a, b, c).max(least).min(1.0 - least);
        let error = y.equal(0.0).select(y.abs(), width);
        Step { state: (a, b, c, t, x), error: error.sum(), bound: bound.sum() }
    });
    (x, converged)
}

/// Where to look next, as a part of the way from a to b: by inverse quadratic interpolation if it is monotonic there.
fn between([a, fa]: [Var; 2], [b, fb]: [Var; 2], [c, fc]: [Var; 2]) -> Var {
    let (xi, phi) = ((a - b) / (c - b), (fa - fb) / (fc - fb));
    let is_monotonic = phi.square().less(xi) & (1.0 - phi).square().less(1.0 - xi);
    let t = fa / (fb - fa) * (fc / (fb - fc)) + (c - a) / (b - a) * (fa / (fc - fa)) * (fb / (fc - fb));
    is_monotonic.select(t, t.full_like(0.5))
}
