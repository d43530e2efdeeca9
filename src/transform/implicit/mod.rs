//! Solutions of equations, with the derivative of the equation: that of the iterations by which a solver came to the
//! solution has no part in it.
//!
//! The solution x of F(x, p) = 0 changes by dx where ∂F/∂x dx = -∂F/∂p dp (the implicit function theorem; Blondel et al.,
//! *Efficient and modular implicit differentiation*, 2022). p is whatever the function of the equation captures: a
//! derivative by that needs nothing further. Reverse mode solves with the transpose, (∂F/∂x)ᵀ u = ct, and p gets -uᵀ ∂F/∂p.
//! Higher orders differentiate this: x on the right-hand sides is the solution again. In graphs and files a solution is an
//! operation [`custom`](crate::op::Custom) of kind `jvp`, whose function is the solver, and in whose rule stands one of
//! kind `solve`.
//!
//! # Unknowns
//! An unknown is any [tree](crate::VarTree) of arrays of one floating point dtype, with or without elements. The
//! equation has the structure, the dtype and the shapes of the unknown. Nothing flows to the guess that a solver starts
//! from: its derivative is zero.
//!
//! # Solutions that are not found
//! A solver that does not converge within its limit of iterations ends the run with an [`Error::Limit`](crate::Error);
//! so does one that meets NaN, since NaN is within no tolerance. `flagged` has another answer: it gives the last iterate and
//! whether it converged, without error, and ends at once with NaN. The derivatives of an iterate that is no solution
//! are those of the formula above at that point. Where ∂F/∂x is singular, they are infinite or NaN.
//!
//! ```
//! use retrograd::{Error, Var, jit, transform::Root};
//!
//! let square = |a: Var| Root::new().max_iterations(20).solve(|x| x * x - a, a.full_like(1.0));
//! assert_eq!(jit(square).call::<f64>(4.0)?, 2.0);
//! let outcome: Result<f64, Error> = jit(square).call(-4.0);
//! assert!(matches!(outcome, Err(Error::Limit(_))));
//!
//! let flagged = |a: Var| Root::new().max_iterations(20).flagged(|x| x * x - a, a.full_like(1.0));
//! let (_, converged): (f64, bool) = jit(flagged).call(-4.0)?;
//! assert!(!converged);
//! # Ok::<(), Error>(())
//! ```

mod bracket;
mod dense;
mod equation;
mod fixed_point;
mod iterate;
mod linear;
mod minimize;
mod root;

pub use bracket::{Bracket, bracket};
pub use fixed_point::{FixedPoint, fixed_point};
pub use linear::{LinearSolve, linear_solve};
pub use minimize::{Minimize, minimize};
pub use root::{Root, root};
