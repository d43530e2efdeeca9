//! The closure returns what is not traced, or what has no gradient.
use retrograd::{Var, grad, jit};

fn main() {
    let _ = jit(|_x: Var| 3.0);
    let _ = grad(|x: Var| (x, x * x));
    let _ = jit(|x: Var| (x, true));
}
