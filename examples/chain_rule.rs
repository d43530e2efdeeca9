//! The chain rule, many times over: the gradient of sinⁿ((2x² + x + 1)ᵐ) against its closed form.
//!
//! `cargo run --release --example chain_rule`

use retrograd::{Error, Var, grad, jit};

/// sinⁿ((2x² + x + 1)ᵐ), its powers written as loops.
fn f(x: Var, n: usize, m: usize) -> Var {
    let inner = power(2.0 * x * x + x + 1.0, m);
    power(inner.sin(), n)
}

fn power(x: Var, n: usize) -> Var {
    (1..n).fold(x, |y, _| y * x)
}

/// m n (4x + 1) (2x² + x + 1)ᵐ⁻¹ sinⁿ⁻¹((2x² + x + 1)ᵐ) cos((2x² + x + 1)ᵐ)
fn closed_form(x: f64, n: usize, m: usize) -> f64 {
    let p = 2.0 * x * x + x + 1.0;
    let inner = p.powi(m as i32);
    let factors = (m * n) as f64 * (4.0 * x + 1.0) * p.powi(m as i32 - 1);
    factors * inner.sin().powi(n as i32 - 1) * inner.cos()
}

fn main() -> Result<(), Error> {
    println!("  n  m       x                gradient             closed form    relative difference");
    for (n, m) in [(1, 1), (2, 3), (5, 4), (10, 8)] {
        let gradient = jit(grad(move |x: Var| f(x, n, m)));
        for x in [-0.4, 0.1, 0.3] {
            let got: f64 = gradient.call(x)?;
            let exact = closed_form(x, n, m);
            let difference = (got - exact).abs() / exact.abs();
            println!("{n:3}{m:3}{x:8.2}{got:24.16}{exact:24.16}{difference:23.1e}");
            assert!(difference < 1e-13, "the gradient is not the closed form");
        }
    }
    Ok(())
}
