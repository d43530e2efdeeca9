//! The closure takes more than six arguments.
use retrograd::{Var, jit};

fn main() {
    let _ = jit(|a: Var, b: Var, c: Var, d: Var, e: Var, f: Var, g: Var| a + b + c + d + e + f + g);
}
