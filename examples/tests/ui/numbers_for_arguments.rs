//! The closure takes numbers.
use retrograd::{grad, jit};

fn main() {
    let _ = jit(|x: f64| x * x);
    let _ = grad(|x: f64| x * x);
}
