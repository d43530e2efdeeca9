//! Minima that are found as well as gradients are.

use retrograd::transform::Minimize;
use retrograd::{Var, VarTree};

/// Where a function is least, near a guess. L-BFGS compares values of the function, whose rounding errors hide the last
/// steps; these are Newton's, by the gradient and its derivative.
pub fn least<T: VarTree>(f: impl Fn(T) -> Var, guess: T) -> T {
    let near = Minimize::new().lbfgs(10).tolerance(1e-5, 0.0).solve(&f, guess);
    Minimize::new().newton().solve(f, near)
}
