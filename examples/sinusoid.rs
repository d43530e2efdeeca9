//! The sine and its derivatives by repeated `elementwise_grad`, drawn as one SVG.
//!
//! `cargo run --release --example sinusoid`
//!
//! Example of autograd's of the same name; its second part, a Taylor series that is differentiated, is `taylor_sine`.

#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use ndarray::Array1;
use retrograd::{Var, elementwise_grad, jit};
use svg::{Curve, plot};
use target::target;

/// Draws the sine and its derivatives.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("sinusoid.svg"))]
    out: PathBuf,
}

const N_POINTS: usize = 401;

/// The function, and four derivatives of it, each the derivative of the one before.
fn derivatives(x: Var) -> [Var; 5] {
    let first = || elementwise_grad(Var::sin);
    let second = || elementwise_grad(first());
    let third = || elementwise_grad(second());
    let fourth = elementwise_grad(third());
    [x.sin(), first().call(x), second().call(x), third().call(x), fourth.call(x)]
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let x = Array1::linspace(-7.0, 7.0, N_POINTS);
    let curves: [Array1<f64>; 5] = jit(derivatives).call(&x)?;
    let known: [fn(f64) -> f64; 4] = [f64::sin, f64::cos, |x| -x.sin(), |x| -x.cos()];
    let mut drawn = Vec::new();
    for (order, curve) in curves.iter().enumerate() {
        let worst = x.iter().zip(curve).map(|(&x, y)| (y - known[order % 4](x)).abs()).fold(0.0, f64::max);
        println!("derivative {order}  off by at most {worst:.1e}");
        assert!(worst < 1e-15, "derivative {order} is off by {worst:e}");
        let points = x.iter().copied().zip(curve.iter().copied()).collect();
        drawn.push(Curve { label: format!("order {order}"), points });
    }
    assert_eq!(curves[4], curves[0], "the fourth derivative of the sine is another function");
    fs::write(&args.out, plot("the sine and its derivatives", &drawn))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}
