//! Minima of functions of many variables.

use std::panic::Location;

use super::dense;
use super::equation::{Equation, failed};
use super::iterate::{Limits, Step, largest, limits, shortened};
use super::linear::LinearSolve;
use crate::op::Var;
use crate::transform::{Loop, VarTree, scan};

/// Where a function that returns a number is least, near a guess: by L-BFGS, or as [`Minimize`] says.
///
/// Derivatives flow to all that the function captures. They are those of the equation that its gradient vanishes, to any
/// order and in both modes: a function that is differentiated n times here is differentiated n + 1 times. See the
/// [module](super) for unknowns, and for what happens if there is no convergence. Any point whose gradient vanishes counts as
/// a minimum, though steps go downhill.
///
/// ```
/// use retrograd::{Var, grad, jit, minimize};
///
/// // The least cosh(x) - a x is at x = asinh(a).
/// let at = |a: Var| minimize(|x: Var| x.cosh() - a * x, a.full_like(0.0));
/// let (x, slope): (f64, f64) = (jit(at).call(2.0)?, jit(grad(at)).call(2.0)?);
/// assert!((x - 2f64.asinh()).abs() < 1e-9 && (slope - 1.0 / 5f64.sqrt()).abs() < 1e-9);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the guess has no leaf, or leaves of several dtypes or of none of floating point; or if the function
/// returns anything but a scalar of that dtype. At run time: if there is no convergence.
#[track_caller]
pub fn minimize<T: VarTree>(f: impl FnOnce(T) -> Var, x0: T) -> T {
    Minimize::new().solve(f, x0)
}

/// How [`minimize`] finds what it looks for.
///
/// ```
/// use retrograd::{Var, jit, transform::Minimize};
///
/// let rosenbrock = |[x, y]: [Var; 2]| (1.0 - x).square() + 100.0 * (y - x * x).square();
/// let least = move |x0: [Var; 2]| Minimize::new().newton().solve(rosenbrock, x0);
/// let [x, y]: [f64; 2] = jit(least).call([-1.2, 1.0])?;
/// assert!((x - 1.0).abs() + (y - 1.0).abs() < 1e-10);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Minimize {
    method: Method,
    limits: Limits,
    linear: LinearSolve,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Newton,
    Lbfgs(usize),
}

limits!(
    Minimize,
    "a gradient, with Newton's method a last step, whose largest element is",
    "The scale is the largest element of the gradient at the guess, and that of x for a step of Newton's; both are ε^⅔ by \
     default, 4e-11 for `f64` and 2e-5 for `f32`. Newton's method converges quadratically, so that its error is then far \
     less. A step down the gradient, which it makes where its own would go uphill, counts as a gradient.\n\n\
     So a function whose gradient at the guess is large counts as least where that is small beside it, and one all of \
     whose gradients are below the absolute tolerance, wherever one looks: scale it, or tell tolerances. Where the \
     function is infinite or NaN, it is not least.",
    "1000"
);

impl Minimize {
    /// L-BFGS with ten differences, and derivatives by elimination.
    pub fn new() -> Minimize {
        Minimize { method: Method::Lbfgs(10), limits: Limits::default(), linear: LinearSolve::new().dense() }
    }

    /// L-BFGS (Liu and Nocedal, *On the limited memory BFGS method for large scale optimization*, 1989) with the last `memory`
    /// differences of iterates and gradients, at least one.
    ///
    /// Steps are halved until the function is less as [`Minimize::newton`] has it. A difference along which the gradient does not
    /// grow is left out.
    #[must_use]
    pub fn lbfgs(self, memory: usize) -> Minimize {
        Minimize { method: Method::Lbfgs(memory), ..self }
    }

    /// Newton's method with the Hessian, by elimination; down the gradient where its direction would go uphill.
    ///
    /// Steps are halved until the function is less by 10⁻⁴ of what the slope promises (Nocedal and Wright, *Numerical
    /// optimization*, §3.1), up to rounding errors of the function's value. Where that takes sixty halves, none is made.
    #[must_use]
    pub fn newton(self) -> Minimize {
        Minimize { method: Method::Newton, ..self }
    }

    /// How the linear system of the derivative is solved: [`LinearSolve::dense`] by default. Its matrix is the Hessian, so
    /// [`LinearSolve::cg`] will do at a strict minimum.
    #[must_use]
    pub fn linear(self, linear: LinearSolve) -> Minimize {
        Minimize { linear, ..self }
    }

    /// See [`minimize`].
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn solve<T: VarTree>(self, f: impl FnOnce(T) -> Var, x0: T) -> T {
        self.run(f, x0, Location::caller()).0
    }

    /// The last iterate, and whether it is a solution (a `bool[]`): there is no error if it is not.
    ///
    /// # Errors
    /// When traced: as [`minimize`].
    #[track_caller]
    pub fn flagged<T: VarTree>(self, f: impl FnOnce(T) -> Var, x0: T) -> (T, Var) {
        let limits = Limits { flagged: true, ..self.limits };
        Minimize { limits, ..self }.run(f, x0, Location::caller())
    }

    fn run<T: VarTree>(self, f: impl FnOnce(T) -> Var, x0: T, at: &'static Location<'static>) -> (T, Var) {
        let guess = x0.clone();
        let solved = Equation::of_number("minimize", x0, f, at).and_then(|equation| {
            equation.solved(&self.limits, self.linear, equation.guess(), |p, x0| {
                let descent = Descent { equation: &equation, limits: &self.limits, p };
                match self.method {
                    Method::Newton => descent.newton(x0),
                    Method::Lbfgs(memory) => descent.lbfgs(x0, memory.max(1)),
                }
            })
        });
        solved.unwrap_or_else(|| (failed(&guess), Var::poisoned()))
    }
}

impl Default for Minimize {
    fn default() -> Minimize {
        Minimize::new()
    }
}

/// Goes downhill on the function that is to be least.
struct Descent<'e, T> {
    equation: &'e Equation<T>,
    limits: &'e Limits,
    p: &'e [Var],
}

/// The most iterations unless told otherwise.
const MAX_ITERATIONS: u64 = 1_000;

impl<T: VarTree> Descent<'_, T> {
    fn newton(&self, x0: Var) -> (Var, Var) {
        let bound_of_slope = self.limits.bound(largest(self.equation.residual(self.p, x0)));
        self.limits.repeat("minimize", MAX_ITERATIONS, x0.dtype(), x0, |x| {
            let (slope, hessian) = self.equation.linearized(self.p, x);
            let direction = downhill(-dense::solve(hessian, slope), slope);
            let next = self.search(x, direction.step);
            let error = where_finite(self.equation.value(self.p, next), largest(direction.step));
            // The distance to the minimum is told by a step of Newton's alone; another one is as long as the gradient.
            let bound = direction.is_steepest.select(bound_of_slope, self.limits.bound(largest(x)));
            Step { state: next, error, bound }
        })
    }

    /// With x, the gradient, and the last differences of either, row by row, from the oldest on.
    fn lbfgs(&self, x0: Var, memory: usize) -> (Var, Var) {
        let slope = self.equation.residual(self.p, x0);
        let bound = self.limits.bound(largest(slope));
        let none = x0.full_like(0.0).insert_axis(0).broadcast_to(&[memory, x0.ty().size()]);
        let init = (x0, slope, none, none);
        let ((x, ..), converged) =
            self.limits.repeat("minimize", MAX_ITERATIONS, x0.dtype(), init, |(x, slope, dx, dslope)| {
                let direction = downhill(-inverse_hessian_times(slope, dx, dslope), slope);
                let next = self.search(x, direction.step);
                let (value, new) = self.equation.value_and_residual(self.p, next);
                let (step, change) = (next - x, new - slope);
                let has_curvature = step.dot(change).greater(x.dtype().epsilon() * step.norm() * change.norm());
                let push = |rows: Var, row: Var| {
                    let pushed = Var::concatenate(&[rows.slice(0, 1..), row.insert_axis(0)], 0);
                    has_curvature.broadcast_to(&rows.shape()).select(pushed, rows)
                };
                let state = (next, new, push(dx, step), push(dslope, change));
                Step { state, error: where_finite(value, largest(new)), bound }
            });
        (x, converged)
    }

    /// The next point in that direction: this one, where none is lower.
    fn search(&self, x: Var, direction: Var) -> Var {
        let (value, slope) = self.equation.value_and_residual(self.p, x);
        let promise = 1e-4 * slope.dot(direction);
        // Near the minimum the function changes by less than its rounding errors.
        let noise = 10.0 * x.dtype().epsilon() * value.abs();
        let t = shortened(x.dtype(), LEAST_STEP, |t| {
            self.equation.value(self.p, x + t * direction).less_equal(value + t * promise + noise)
        });
        t.greater(LEAST_STEP).broadcast_to(&x.shape()).select(x + t * direction, x)
    }
}

/// So much of a step is none. Where the curvature all but vanishes, as that of ln cosh at 15, steps of Newton's are too long
/// by its reciprocal.
const LEAST_STEP: f64 = 1.0 / (1u64 << 60) as f64;

/// The error of a point at which the function has that value; NaN, which is within no bound, if it is infinite or NaN. A
/// gradient of 0 tells nothing there.
fn where_finite(value: Var, error: Var) -> Var {
    value.is_finite().select(error, error.full_like(f64::NAN))
}

struct Direction {
    step: Var,
    /// Whether it is the steepest descent.
    is_steepest: Var,
}

/// The direction, or that of the steepest descent where this one is none.
fn downhill(direction: Var, slope: Var) -> Direction {
    let descends = direction.dot(slope).less(0.0);
    Direction { step: descends.broadcast_to(&slope.shape()).select(direction, -slope), is_steepest: !descends }
}

/// The two loops over the differences s of iterates and y of gradients by which L-BFGS multiplies with its inverse Hessian
/// (Nocedal and Wright, algorithm 7.4). Rows of zeros count for nothing.
fn inverse_hessian_times(slope: Var, dx: Var, dslope: Var) -> Var {
    let curvature = (dx * dslope).sum_axes(&[1]);
    let none = curvature.equal(0.0);
    let rho = none.select(curvature, 1.0 / none.select(curvature.full_like(1.0), curvature));
    let (q, a) = Loop::new().reverse().scan(slope, (dx, dslope, rho), |q, (s, y, rho)| {
        let a = rho * s.dot(q);
        (q - a * y, a)
    });
    let last = dslope.index_axis(0, dslope.shape()[0] - 1);
    let size = last.norm_squared();
    let is_first = size.equal(0.0);
    // The first step is of length 1 at most.
    let length = slope.norm().max(1.0);
    let newest = dx.index_axis(0, dx.shape()[0] - 1).dot(last);
    let scale = is_first.select(1.0 / length, newest / is_first.select(length, size));
    scan(scale * q, (dx, dslope, rho, a), |r, (s, y, rho, a)| (r + (a - rho * y.dot(r)) * s, ())).0
}
