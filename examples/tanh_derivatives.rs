//! The hyperbolic tangent and its first six derivatives, in one pass of Taylor mode, drawn as one SVG.
//!
//! `cargo run --release --example tanh_derivatives`
//!
//! They are held to the closed form: with t = tanh x, the n-th derivative is a polynomial Pₙ(t), where P₀ = t and
//! Pₙ₊₁ = (1 - t²) Pₙ'.

#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use ndarray::Array1;
use retrograd::{Var, elementwise_derivatives, jit};
use svg::{Curve, plot};
use target::target;

/// Draws the first six derivatives of the hyperbolic tangent.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("tanh_derivatives.svg"))]
    out: PathBuf,
}

const N_CURVES: usize = 7;
const N_POINTS: usize = 401;

/// The value and six derivatives, in one pass.
fn derivatives(x: Var) -> Vec<Var> {
    elementwise_derivatives(Var::tanh, N_CURVES - 1).call(x)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let x = Array1::linspace(-4.0, 4.0, N_POINTS);
    let f = jit(derivatives);
    let curves: Vec<Array1<f64>> = f.call(&x)?;
    println!("{} operations traced for tanh and six derivatives", f.graph(&x)?.n_ops());

    println!("order    largest at    value    off the closed form by");
    let mut polynomial = vec![0.0, 1.0];
    let mut drawn = Vec::new();
    for (order, curve) in curves.iter().enumerate() {
        let (at, largest) = largest(curve);
        let worst =
            x.iter().zip(curve).map(|(x, y)| (y - evaluate(&polynomial, f64::tanh(*x))).abs()).fold(0.0, f64::max);
        println!("{order:5}{:14.2}{largest:9.3}{:26.1e}", x[at], worst / largest);
        assert!(worst < 1e-13 * largest, "derivative {order} is off by {worst:e}");
        // Each to its own scale: the sixth is over fifty times as high as the function.
        let points = x.iter().zip(curve).map(|(&x, &y)| (x, y / largest)).collect();
        drawn.push(Curve { label: format!("order {order}, up to {largest:.1}"), points });
        polynomial = differentiate(&polynomial);
    }
    fs::write(&args.out, plot("tanh and its derivatives, each to its own scale", &drawn))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

/// Where the magnitude is largest, and the magnitude.
fn largest(y: &Array1<f64>) -> (usize, f64) {
    y.iter().map(|y| y.abs()).enumerate().fold((0, 0.0), |best, this| if this.1 > best.1 { this } else { best })
}

/// A polynomial from its coefficients, lowest first.
fn evaluate(coefficients: &[f64], t: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * t + c)
}

/// (1 - t²) P'.
fn differentiate(coefficients: &[f64]) -> Vec<f64> {
    let mut result = vec![0.0; coefficients.len() + 1];
    for (power, c) in coefficients.iter().enumerate().skip(1) {
        result[power - 1] += power as f64 * c;
        result[power + 1] -= power as f64 * c;
    }
    result
}
