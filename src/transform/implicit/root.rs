//! Roots of systems of equations.

use std::panic::Location;

use super::dense;
use super::equation::{Equation, Form, failed};
use super::iterate::{Limits, Step, largest, limits, shortened};
use super::linear::LinearSolve;
use crate::op::Var;
use crate::transform::VarTree;

/// The x where the function vanishes, by Newton's method from a guess; [`Root`] has others.
///
/// Derivatives flow to all that the function captures. They are those of the equation, to any order and in both modes.
/// See the [module](super) for unknowns, and for what happens if there is no convergence.
///
/// ```
/// use retrograd::{Var, grad, jit, root};
///
/// // Kepler's equation: the eccentric anomaly for a mean anomaly.
/// let anomaly = |m: Var, e: Var| root(|x| x - e * x.sin() - m, m);
/// let slope: f64 = jit(grad(anomaly)).call(1.0, 0.5)?;
/// let x: f64 = jit(anomaly).call(1.0, 0.5)?;
/// assert!((x - 0.5 * x.sin() - 1.0).abs() < 1e-15);
/// assert!((slope - 1.0 / (1.0 - 0.5 * x.cos())).abs() < 1e-14);
///
/// // A system for the sides of a rectangle, by area and circumference.
/// let sides = |area: Var, around: Var| {
///     root(|[a, b]: [Var; 2]| [a * b - area, 2.0 * (a + b) - around], [around / 3.0, around / 8.0])
/// };
/// let [a, b]: [f64; 2] = jit(sides).call(6.0, 10.0)?;
/// assert!((a - 3.0).abs() + (b - 2.0).abs() < 1e-14);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the guess has no leaf, or leaves of several dtypes or of none of floating point; or if the function
/// returns what is not of the structure and types of the guess. At run time: if there is no convergence.
#[track_caller]
pub fn root<T: VarTree>(f: impl FnOnce(T) -> T, x0: T) -> T {
    Root::new().solve(f, x0)
}

/// How [`root`] finds what it looks for.
///
/// ```
/// use retrograd::{Var, jit, transform::Root};
///
/// let cosine = |x0: Var| Root::new().broyden().tolerance(0.0, 1e-14).solve(|x| x.cos() - x, x0);
/// let x: f64 = jit(cosine).call(1.0)?;
/// assert!((x.cos() - x).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Root {
    method: Method,
    limits: Limits,
    linear: LinearSolve,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Newton,
    Broyden,
}

limits!(
    Root,
    "a last step whose largest element is",
    "The scale is the largest element of x; both are ε^⅔ by default, 4e-11 for `f64` and 2e-5 for `f32`. With quadratic \
     convergence the error is then far less.",
    "100 for Newton's method, 200 for Broyden's"
);

impl Root {
    /// Newton's method, with derivatives by elimination.
    pub fn new() -> Root {
        Root { method: Method::Newton, limits: Limits::default(), linear: LinearSolve::new().dense() }
    }

    /// Newton's method: the Jacobian is computed in each iteration, and the system is solved by elimination. Steps that do
    /// not lessen the largest element of the residual are halved (Dennis and Schnabel, *Numerical methods for unconstrained
    /// optimization and nonlinear equations*, §6.3), down to 2⁻³⁰.
    #[must_use]
    pub fn newton(self) -> Root {
        Root { method: Method::Newton, ..self }
    }

    /// Broyden's method (*A class of methods for solving nonlinear simultaneous equations*, 1965, the first one): the inverse
    /// of the Jacobian is computed at the guess, and then updated from what steps do to the residual. Steps are not
    /// shortened.
    #[must_use]
    pub fn broyden(self) -> Root {
        Root { method: Method::Broyden, ..self }
    }

    /// How the linear system of the derivative is solved: [`LinearSolve::dense`] by default.
    #[must_use]
    pub fn linear(self, linear: LinearSolve) -> Root {
        Root { linear, ..self }
    }

    /// See [`root`].
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn solve<T: VarTree>(self, f: impl FnOnce(T) -> T, x0: T) -> T {
        self.run(f, x0, Location::caller()).0
    }

    /// The last iterate, and whether it is a solution (a `bool[]`): there is no error if it is not.
    ///
    /// # Errors
    /// When traced: as [`root`].
    #[track_caller]
    pub fn flagged<T: VarTree>(self, f: impl FnOnce(T) -> T, x0: T) -> (T, Var) {
        let limits = Limits { flagged: true, ..self.limits };
        Root { limits, ..self }.run(f, x0, Location::caller())
    }

    fn run<T: VarTree>(self, f: impl FnOnce(T) -> T, x0: T, at: &'static Location<'static>) -> (T, Var) {
        let guess = x0.clone();
        let solved = Equation::of_tree("root", Form::Zero, x0, f, at).and_then(|equation| {
            equation.solved(&self.limits, self.linear, equation.guess(), |p, x0| match self.method {
                Method::Newton => newton(&equation, &self.limits, p, x0),
                Method::Broyden => broyden(&equation, &self.limits, p, x0),
            })
        });
        solved.unwrap_or_else(|| (failed(&guess), Var::poisoned()))
    }
}

impl Default for Root {
    fn default() -> Root {
        Root::new()
    }
}

fn newton<T: VarTree>(equation: &Equation<T>, limits: &Limits, p: &[Var], x0: Var) -> (Var, Var) {
    limits.repeat("root", 100, x0.dtype(), x0, |x| {
        let (y, jacobian) = equation.linearized(p, x);
        let step = step_to_zero(y, || dense::solve(jacobian, y));
        let (error, bound, size) = (largest(step), limits.bound(largest(x)), largest(y));
        let t = shortened(x.dtype(), 0.5f64.powi(30), |t| {
            let lessens = largest(equation.residual(p, x - t * step)).less_equal((1.0 - 1e-4 * t) * size);
            // Close to the solution rounding errors decide which residual is less.
            lessens | error.less_equal(bound)
        });
        Step { state: x - t * step, error, bound }
    })
}

/// No step from where the residual is zero: there the Jacobian may be singular.
fn step_to_zero(y: Var, step: impl FnOnce() -> Var) -> Var {
    let step = step();
    largest(y).equal(0.0).broadcast_to(&y.shape()).select(y.full_like(0.0), step)
}

fn broyden<T: VarTree>(equation: &Equation<T>, limits: &Limits, p: &[Var], x0: Var) -> (Var, Var) {
    let (y, jacobian) = equation.linearized(p, x0);
    let inverse = dense::solve(jacobian, dense::identity(equation.n(), equation.dtype()));
    let ((x, _, _), converged) = limits.repeat("root", 200, x0.dtype(), (x0, y, inverse), |(x, y, inverse)| {
        let step = step_to_zero(y, || -inverse.dot(y));
        let next = x + step;
        let residual = equation.residual(p, next);
        let change = inverse.dot(residual - y);
        let scale = step.dot(change);
        let is_still = scale.equal(0.0);
        let factor = is_still.select(scale, 1.0 / is_still.select(scale.full_like(1.0), scale));
        let inverse = inverse + (factor * (step - change)).outer(step.dot(inverse));
        Step { state: (next, residual, inverse), error: largest(step), bound: limits.bound(largest(next)) }
    });
    (x, converged)
}
