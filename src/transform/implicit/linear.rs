//! Linear systems whose matrix is a function that multiplies by it.

use std::panic::Location;

use super::dense;
use super::equation::{Equation, Form, failed, on_line};
use super::iterate::{Limits, Step, limits};
use crate::differentiate::jacobian_blocks;
use crate::op::{Alias, Var, trace};
use crate::transform::{VarTree, scan};
use crate::value::DType;

/// The x of A x = b, where the function multiplies by A: [`LinearSolve::new`] says how.
///
/// Derivatives flow to b and to all that the function captures; the transpose of A is derived from it. See the
/// [module](super) for unknowns, and for what happens if there is no convergence.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, grad, jit, linear_solve};
///
/// // x - s x'' = b on three points, with zeros beyond.
/// let smooth = |s: Var, b: Var| {
///     linear_solve(
///         |x: Var| x + s * (2.0 * x - x.slice(0, 1..).pad(0.0, &[0], &[1], &[0]) - x.slice(0, ..2).pad(0.0, &[1], &[0], &[0])),
///         b,
///     )
/// };
/// let x: Array1<f64> = jit(smooth).call(1.0, array![0.0, 21.0, 0.0])?;
/// assert!((x - array![3.0, 9.0, 3.0]).iter().all(|e| e.abs() < 1e-10));
/// let slope: f64 = jit(grad(move |s: Var, b: Var| smooth(s, b).sum())).call(1.0, array![0.0, 21.0, 0.0])?;
/// assert!((slope + 36.0 / 7.0).abs() < 1e-9);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if b has no leaf, or leaves of several dtypes or of none of floating point; or if the function returns
/// what is not of the structure and types of b. At run time: if there is no convergence. That the function is linear
/// is not checked: of another one, A is the derivative at 0, and b is less by the value there.
#[track_caller]
pub fn linear_solve<T: VarTree>(product: impl FnOnce(T) -> T, b: T) -> T {
    LinearSolve::new().solve(product, b)
}

/// How a linear system is solved: by [`linear_solve`], and in the derivatives of other solutions.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, jit, transform::LinearSolve};
///
/// let solve = |a: Var, b: Var| LinearSolve::new().gmres(20).tolerance(0.0, 1e-14).solve(|x| a.dot(x), b);
/// let x: Array1<f64> = jit(solve).call(array![[0.0, 2.0], [-1.0, 1.0]], array![2.0, 0.0])?;
/// assert!((x - array![1.0, 1.0]).iter().all(|e| e.abs() < 1e-12));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LinearSolve {
    method: Method,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
enum Method {
    Dense,
    Cg,
    BiCgStab,
    Gmres(usize),
}

limits!(
    LinearSolve,
    "a residual b - A x whose 2-norm is",
    "The scale is the 2-norm of b; both are ε^⅔ by default, 4e-11 for `f64` and 2e-5 for `f32`. \
     [`LinearSolve::dense`] uses neither.",
    "100 and 10 for each element of the unknown"
);

impl LinearSolve {
    /// Solves with [`LinearSolve::gmres`]`(30)`.
    pub fn new() -> LinearSolve {
        LinearSolve { method: Method::Gmres(30), limits: Limits::default() }
    }

    /// Computes the matrix, by one pass on rows of the function, and eliminates (Gauss–Jordan with partial pivoting). This takes
    /// n² numbers and of the order of n³ operations for n elements. A singular matrix gives NaN or infinities.
    #[must_use]
    pub fn dense(self) -> LinearSolve {
        LinearSolve { method: Method::Dense, ..self }
    }

    /// Conjugate gradients (Hestenes and Stiefel, 1952), for a matrix that is symmetric and positive definite.
    #[must_use]
    pub fn cg(self) -> LinearSolve {
        LinearSolve { method: Method::Cg, ..self }
    }

    /// The stabilized biconjugate gradients of van der Vorst (1992), for any matrix: memory for a few vectors, two products
    /// an iteration. It may break down, which is no convergence.
    #[must_use]
    pub fn bicgstab(self) -> LinearSolve {
        LinearSolve { method: Method::BiCgStab, ..self }
    }

    /// Generalized minimal residuals (Saad and Schultz, 1986), for any matrix: of all x in the space of the first
    /// `restart` products, that of the least residual, again and again from there. It keeps as many vectors, and an iteration
    /// makes as many products. The space is at most that of all x, and at least of one dimension.
    #[must_use]
    pub fn gmres(self, restart: usize) -> LinearSolve {
        LinearSolve { method: Method::Gmres(restart), ..self }
    }

    /// See [`linear_solve`].
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn solve<T: VarTree>(self, product: impl FnOnce(T) -> T, b: T) -> T {
        self.run(product, b, Location::caller()).0
    }

    /// The last iterate, and whether it is a solution (a `bool[]`): there is no error if it is not.
    ///
    /// # Errors
    /// When traced: as [`linear_solve`].
    #[track_caller]
    pub fn flagged<T: VarTree>(self, product: impl FnOnce(T) -> T, b: T) -> (T, Var) {
        let limits = Limits { flagged: true, ..self.limits };
        LinearSolve { limits, ..self }.run(product, b, Location::caller())
    }

    fn run<T: VarTree>(self, product: impl FnOnce(T) -> T, b: T, at: &'static Location<'static>) -> (T, Var) {
        let guess = on_line(at, || b.map(&mut |b| if b.is_poisoned() { b } else { b.full_like(0.0) }));
        let side = b.clone();
        let residual = |x: T| {
            let y = product(x);
            let matches = y.vars().matches(&side.vars(), &|y, b| y.is_poisoned() || y.ty() == b.ty());
            // What does not match is refused where it is returned.
            if matches { on_line(at, || y.zip(&side, &mut |y, b| y - b)) } else { y }
        };
        let solved = Equation::of_tree("linear_solve", Form::Zero, guess, residual, at).and_then(|equation| {
            equation.solved(&self.limits, self, equation.guess(), |p, x0| {
                let b = -equation.residual(p, x0);
                self.attempt(b, |v| equation.along(p, x0, v))
            })
        });
        solved.unwrap_or_else(|| (failed(&b), Var::poisoned()))
    }

    /// The solution for a right-hand side that is a vector.
    pub(super) fn solution(self, b: Var, product: impl Fn(Var) -> Var) -> Var {
        LinearSolve { limits: Limits { flagged: false, ..self.limits }, ..self }.attempt(b, product).0
    }

    fn attempt(self, b: Var, product: impl Fn(Var) -> Var) -> (Var, Var) {
        if b.is_poisoned() {
            return (b, b);
        }
        match self.method {
            Method::Dense => self.by_elimination(b, &product),
            Method::Cg => self.by_cg(b, &product),
            Method::BiCgStab => self.by_bicgstab(b, &product),
            Method::Gmres(restart) => self.by_gmres(b, &product, restart),
        }
    }

    fn by_elimination(self, b: Var, product: &dyn Fn(Var) -> Var) -> (Var, Var) {
        let zero = trace::apply(Alias, &[b.full_like(0.0)]);
        let matrix = jacobian_blocks(&[zero], &[product(zero)], true);
        let x = dense::solve(matrix.first().copied().unwrap_or(Var::poisoned()), b);
        (x, x.is_finite().all())
    }

    fn by_cg(self, b: Var, product: &dyn Fn(Var) -> Var) -> (Var, Var) {
        let bound = self.limits.bound(b.norm());
        let ((x, _, _), converged) = self.repeat(b, (b.full_like(0.0), b, b), |(x, r, p)| {
            let ap = product(p);
            let rr = r.dot(r);
            let a = ratio(rr, p.dot(ap));
            let (x, next) = (x + a * p, r - a * ap);
            let p = next + ratio(next.dot(next), rr) * p;
            Step { state: (x, next, p), error: next.norm(), bound }
        });
        (x, converged)
    }

    fn by_bicgstab(self, b: Var, product: &dyn Fn(Var) -> Var) -> (Var, Var) {
        let bound = self.limits.bound(b.norm());
        let ((x, _, _), converged) = self.repeat(b, (b.full_like(0.0), b, b), |(x, r, p)| {
            // The shadow residual is the first one, b.
            let (ap, br) = (product(p), b.dot(r));
            let a = ratio(br, b.dot(ap));
            let s = r - a * ap;
            let t = product(s);
            let w = ratio(t.dot(s), t.dot(t));
            let next = s - w * t;
            let beta = ratio(b.dot(next), br) * ratio(a, w);
            let state = (x + a * p + w * s, next, next + beta * (p - w * ap));
            Step { state, error: next.norm(), bound }
        });
        (x, converged)
    }

    /// As many iterations as Krylov methods may take, each with a step.
    fn repeat<C: VarTree>(self, b: Var, init: C, body: impl FnOnce(C) -> Step<C>) -> (C, Var) {
        let n = u64::try_from(b.ty().size()).unwrap_or(u64::MAX);
        self.limits.repeat("linear_solve", n.saturating_mul(10).saturating_add(100), b.dtype(), init, body)
    }

    fn by_gmres(self, b: Var, product: &dyn Fn(Var) -> Var, restart: usize) -> (Var, Var) {
        let bound = self.limits.bound(b.norm());
        let m = restart.clamp(1, b.ty().size().max(1));
        let ((x, _), converged) = self.repeat(b, (b.full_like(0.0), b), |(x, r)| {
            let x = x + best_in_krylov_space(r, product, m);
            let r = b - product(x);
            Step { state: (x, r), error: r.norm(), bound }
        });
        (x, converged)
    }
}

impl Default for LinearSolve {
    fn default() -> LinearSolve {
        LinearSolve::new()
    }
}

/// The quotient, or 0 where the dividend is: with nothing left to do, there may be nothing to divide by.
fn ratio(x: Var, y: Var) -> Var {
    let is_zero = x.equal(0.0);
    is_zero.select(x, x / is_zero.select(y.full_like(1.0), y))
}

/// The d with the least |r - A d| in the span of r, A r, …, Aᵐ⁻¹ r.
///
/// The Arnoldi process with classical Gram–Schmidt orthogonalization, done twice (Giraud et al., 2005), gives an orthonormal
/// basis V, whose vectors are rows here, and A V = V H. What is linearly dependent to rounding gives a zero vector.
fn best_in_krylov_space(r: Var, product: &dyn Fn(Var) -> Var, m: usize) -> Var {
    let (n, dtype) = (r.ty().size(), r.dtype());
    let length = r.norm();
    let first = ratio_of_vector(r, length);
    let basis = first.insert_axis(0).pad(0.0, &[0, 0], &[as_i64(m), 0], &[0, 0]);
    let (basis, columns) = scan(basis, Var::iota(&[m], 0, DType::I64), |basis, k| {
        let rows = Var::iota(&[m + 1], 0, DType::I64);
        let current = rows.equal(k).convert(dtype).dot(basis);
        let next = product(current);
        let once = basis.dot(next);
        let rest = next - once.dot(basis);
        let twice = basis.dot(rest);
        let rest = rest - twice.dot(basis);
        let height = rest.norm();
        let height = height.greater(4.0 * dtype.epsilon() * next.norm()).select(height, height.full_like(0.0));
        let place = rows.equal(k + 1);
        let vector = ratio_of_vector(rest, height);
        let spread = |x: Var, axis: usize| x.insert_axis(axis).broadcast_to(&[m + 1, n]);
        let basis = spread(place, 1).select(spread(vector, 0), basis);
        (basis, place.select(height.broadcast_to(&[m + 1]), once + twice))
    });
    least_squares(columns, length).dot(basis.slice(0, ..m))
}

/// The vector divided by its length; zeros if that is 0.
fn ratio_of_vector(x: Var, length: Var) -> Var {
    let is_zero = length.equal(0.0);
    x * is_zero.select(length, 1.0 / is_zero.select(length.full_like(1.0), length))
}

/// The y of the least |Hᵀ y - s e₁|, given the rows of H, from the augmented system of which it is part (Björck, 1967):
/// `r + Hᵀ y = s e₁` and `H r = 0`. Rows of zeros get y = 0.
fn least_squares(h: Var, s: Var) -> Var {
    let (m, dtype) = (h.shape()[0], h.dtype());
    let is_zero = h.abs().max_axes(&[1]).equal(0.0);
    let eye = dense::identity(m, dtype);
    let corner = is_zero.insert_axis(1).broadcast_to(&[m, m]).select(eye, eye.full_like(0.0));
    let top = Var::concatenate(&[dense::identity(m + 1, dtype), h.t()], 1);
    let bottom = Var::concatenate(&[h, corner], 1);
    let side = s.insert_axis(0).pad(0.0, &[0], &[as_i64(2 * m)], &[0]);
    dense::solve(Var::concatenate(&[top, bottom], 0), side).slice(0, m + 1..)
}

fn as_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
