//! The closure borrows its arguments.
use retrograd::{Var, jit};

fn sum(x: &[Var]) -> Var {
    x.iter().copied().sum()
}

fn main() {
    let _ = jit(sum);
    let _ = jit(|x: &Var| *x * 2.0);
}
