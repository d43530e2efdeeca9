//! Fixed points.

use std::panic::Location;

use super::dense;
use super::equation::{Equation, Form, failed};
use super::iterate::{Limits, Step, largest, limits};
use super::linear::LinearSolve;
use crate::op::Var;
use crate::transform::VarTree;

/// The x that the function maps to itself, by iteration from a guess: [`FixedPoint`] has a faster one.
///
/// Derivatives flow to all that the function captures. They are those of the equation, to any order and in both modes.
/// See the [module](super) for unknowns, and for what happens if there is no convergence.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, fixed_point, grad, jit};
///
/// // An equilibrium of a network, and its derivative by the input.
/// let equilibrium = |x: Var, w: Var| fixed_point(|z| (w.dot(z) + x).tanh(), x.full_like(0.0));
/// let (x, w) = (array![0.5, -1.0], array![[0.1, 0.4], [-0.3, 0.2]]);
/// let z: Array1<f64> = jit(equilibrium).call(&x, &w)?;
/// assert!(z.iter().zip(&(w.dot(&z) + &x)).all(|(z, y)| (z - y.tanh()).abs() < 1e-10));
/// let slope: Array1<f64> = jit(grad(move |x: Var, w: Var| equilibrium(x, w).sum())).call(&x, &w)?;
/// assert!(slope.iter().all(|s| s.is_finite()));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`root`](super::root()).
#[track_caller]
pub fn fixed_point<T: VarTree>(f: impl FnOnce(T) -> T, x0: T) -> T {
    FixedPoint::new().solve(f, x0)
}

/// How [`fixed_point`] finds what it looks for.
///
/// ```
/// use retrograd::{Var, jit, transform::FixedPoint};
///
/// // Plain iteration would take over a hundred steps.
/// let f = |x0: Var| FixedPoint::new().anderson(3).max_iterations(10).solve(|x| 1.0 - 0.9 * x.sin(), x0);
/// let x: f64 = jit(f).call(1.0)?;
/// assert!((x - 1.0 + 0.9 * x.sin()).abs() < 1e-10);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FixedPoint {
    /// How many earlier iterates Anderson's acceleration uses.
    depth: Option<usize>,
    limits: Limits,
    linear: LinearSolve,
}

limits!(
    FixedPoint,
    "a change f(x) - x whose largest element is",
    "The scale is the largest element of x; both are ε^⅔ by default, 4e-11 for `f64` and 2e-5 for `f32`. Where the function \
     shortens distances by a factor q only, the error is up to 1 / (1 - q) times that.",
    "10000"
);

impl FixedPoint {
    /// Plain iteration, with derivatives by elimination.
    pub fn new() -> FixedPoint {
        FixedPoint { depth: None, limits: Limits::default(), linear: LinearSolve::new().dense() }
    }

    /// The function is applied again and again, which converges linearly if it shortens distances.
    #[must_use]
    pub fn plain(self) -> FixedPoint {
        FixedPoint { depth: None, ..self }
    }

    /// Anderson's acceleration (1965; Walker and Ni, *Anderson acceleration for fixed-point iterations*, 2011): of the
    /// combinations of the last `depth + 1` iterates that which would change least. There is at least one earlier iterate,
    /// and at most one for each element.
    #[must_use]
    pub fn anderson(self, depth: usize) -> FixedPoint {
        FixedPoint { depth: Some(depth), ..self }
    }

    /// How the linear system of the derivative is solved: [`LinearSolve::dense`] by default. Its matrix is ∂f/∂x - 1, which
    /// is not positive.
    #[must_use]
    pub fn linear(self, linear: LinearSolve) -> FixedPoint {
        FixedPoint { linear, ..self }
    }

    /// See [`fixed_point`].
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
    /// When traced: as [`root`](super::root()).
    #[track_caller]
    pub fn flagged<T: VarTree>(self, f: impl FnOnce(T) -> T, x0: T) -> (T, Var) {
        let limits = Limits { flagged: true, ..self.limits };
        FixedPoint { limits, ..self }.run(f, x0, Location::caller())
    }

    fn run<T: VarTree>(self, f: impl FnOnce(T) -> T, x0: T, at: &'static Location<'static>) -> (T, Var) {
        let guess = x0.clone();
        let solved = Equation::of_tree("fixed_point", Form::Unknown, x0, f, at).and_then(|equation| {
            equation.solved(&self.limits, self.linear, equation.guess(), |p, x0| {
                let change = |x: Var| equation.residual(p, x);
                match self.depth {
                    None => plain(&self.limits, x0, change),
                    Some(depth) => anderson(&self.limits, x0, change, depth.clamp(1, equation.n().max(1))),
                }
            })
        });
        solved.unwrap_or_else(|| (failed(&guess), Var::poisoned()))
    }
}

impl Default for FixedPoint {
    fn default() -> FixedPoint {
        FixedPoint::new()
    }
}

fn plain(limits: &Limits, x0: Var, change: impl Fn(Var) -> Var) -> (Var, Var) {
    limits.repeat("fixed_point", 10_000, x0.dtype(), x0, |x| {
        let step = change(x);
        Step { state: x + step, error: largest(step), bound: limits.bound(largest(x)) }
    })
}

/// With x, the change there, and the last differences of either, row by row, from the oldest on.
fn anderson(limits: &Limits, x0: Var, change: impl Fn(Var) -> Var, depth: usize) -> (Var, Var) {
    let none = x0.full_like(0.0).insert_axis(0).broadcast_to(&[depth, x0.ty().size()]);
    let ((x, ..), converged) =
        limits.repeat("fixed_point", 10_000, x0.dtype(), (x0, change(x0), none, none), |(x, step, dx, dstep)| {
            let weights = best_weights(dstep, step);
            let next = x + step - weights.dot(dx + dstep);
            let new = change(next);
            let push = |rows: Var, row: Var| Var::concatenate(&[rows.slice(0, 1..), row.insert_axis(0)], 0);
            let state = (next, new, push(dx, next - x), push(dstep, new - step));
            Step { state, error: largest(new), bound: limits.bound(largest(next)) }
        });
    (x, converged)
}

/// The w of the least |y - wᵀ A|, of rows A that may be zero or almost dependent: by the normal equations of the rows scaled
/// to length 1, with a little on the diagonal.
fn best_weights(rows: Var, y: Var) -> Var {
    let (depth, dtype) = (rows.shape()[0], rows.dtype());
    let lengths = rows.square().sum_axes(&[1]).sqrt();
    let is_zero = lengths.equal(0.0);
    let inverse = is_zero.select(lengths, 1.0 / is_zero.select(lengths.full_like(1.0), lengths));
    let scaled = rows * inverse.insert_axis(1);
    let zeros = is_zero.convert(dtype) + 10.0 * dtype.epsilon();
    let normal = scaled.dot(scaled.t()) + dense::identity(depth, dtype) * zeros.insert_axis(1);
    dense::solve(normal, scaled.dot(y)) * inverse
}
