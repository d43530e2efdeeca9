//! The sine from its Taylor series, with a loop that runs until the terms are small, and the gradient through it: once by
//! a `while` of plain Rust, which is followed and guarded, and once by a `while_loop`, which stays a loop.
//!
//! `cargo run --release --example taylor_sine`

use std::f64::consts::PI;

use retrograd::{Error, Var, grad, jit, value_and_grad, while_loop};

/// x - x³/3! + x⁵/5! - …, up to the first term of at most 0.001.
fn taylor_sine(x: Var) -> Var {
    let square = x * x;
    let (mut ans, mut term, mut i) = (x, x, 0);
    while term.abs() > 0.001 {
        term = -term * square / ((2 * i + 3) * (2 * i + 2));
        ans += term;
        i += 1;
    }
    ans
}

/// The same, as a loop of the graph.
fn taylor_sine_in_graph(x: Var) -> Var {
    let square = x * x;
    let step = |(ans, term, i): (Var, Var, Var)| {
        let term = -term * square / ((2 * i + 3) * (2 * i + 2)).convert(x.dtype());
        (ans + term, term, i + 1)
    };
    while_loop((x, x, Var::from(0i64)), |(_, term, _)| term.abs().greater(0.001), step).0
}

/// The derivative of the same truncated series, derived by hand: 1 - x²/2! + x⁴/4! - …, with as many terms.
fn derivative_by_hand(x: f64) -> f64 {
    let (mut ans, mut term, mut slope, mut i) = (1.0, x, 1.0, 0.0);
    while f64::abs(term) > 0.001 {
        term = -term * x * x / ((2.0 * i + 3.0) * (2.0 * i + 2.0));
        slope = -slope * x * x / ((2.0 * i + 2.0) * (2.0 * i + 1.0));
        ans += slope;
        i += 1.0;
    }
    ans
}

fn main() -> Result<(), Error> {
    let gradient = jit(grad(taylor_sine));
    let at_pi: f64 = gradient.call(PI)?;
    let by_hand = derivative_by_hand(PI);
    println!("gradient at π    {at_pi:.15}");
    println!("derived by hand  {by_hand:.15}");
    println!("difference       {:.1e}", at_pi - by_hand);
    assert!((at_pi - by_hand).abs() < 1e-14, "the gradient is not the derivative of the series");

    // Every number of terms is a path of its own: traced and compiled when it is first met, then found again. A loop of the
    // graph is one program for all.
    let f = jit(value_and_grad(taylor_sine));
    let in_graph = jit(value_and_grad(taylor_sine_in_graph));
    let points: Vec<f64> = (0..1000).map(|k| f64::from(k) * 2.0 * PI / 1000.0).collect();
    let mut worst = 0.0f64;
    for &x in &points {
        let (value, slope): (f64, f64) = f.call(x)?;
        worst = worst.max((slope - derivative_by_hand(x)).abs());
        let (same_value, same_slope): (f64, f64) = in_graph.call(x)?;
        assert_eq!((same_value, same_slope), (value, slope), "the two loops differ at {x}");
    }
    println!("{} points in [0, 2π): {} paths compiled, largest difference {worst:.1e}", points.len(), f.n_paths());
    println!("by while_loop: {} path compiled, the same bits", in_graph.n_paths());
    assert_eq!(in_graph.n_paths(), 1);
    Ok(())
}
