//! A resonator is found from what goes in and what comes out: its frequency response is fitted by Fourier transforms, and drawn
//! over the measured one.
//!
//! `cargo run --release --example spectrum`
//!
//! The signal comes from a recursion in the time domain, `y[t] = a y[t-1] + b y[t-2] + c x[t]`, and noise. The fit knows the response
//! `H(ω) = c / (1 - a exp(-iω) - b exp(-2iω))` alone, and minimizes what `H` times the spectrum of the input leaves of the output. It is held to the
//! recursion's numbers, and its impulse response, the inverse transform of `H`, to what the recursion gives for an impulse.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/random.rs"]
pub mod random;
#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::f64::consts::TAU;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use ndarray::Array1;
use random::Random;
use retrograd::value::DType;
use retrograd::{Complex, Var, fft, jit, scan, value_and_grad};
use svg::{Curve, Layer, draw};
use target::target;

/// Fits a frequency response.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("spectrum.svg"))]
    out: PathBuf,
}

/// Samples in a period of the signal, which repeats itself.
const N: usize = 2000;
const NOISE: f64 = 0.2;
const N_STEPS: usize = 1500;
const RATE: f64 = 0.01;

/// The coefficients of the recursion: a pole of absolute value 0.95 at a tenth of the sampling rate.
fn truth() -> [f64; 3] {
    let (radius, angle) = (0.95f64, 0.1 * TAU);
    [2.0 * radius * angle.cos(), -radius * radius, 0.3]
}

/// What the recursion makes of an input that repeats itself, once it has forgotten how it began.
fn recursion(x: &[f64]) -> Vec<f64> {
    let [a, b, c] = truth();
    let (mut last, mut before) = (0.0, 0.0);
    let mut step = |&x: &f64| {
        (last, before) = (a * last + b * before + c * x, last);
        last
    };
    x.iter().for_each(|x| _ = step(x));
    x.iter().map(step).collect()
}

/// The response at the frequencies of a real transform. Radius and angle of the pole stand for the coefficients.
fn response(p: Var) -> Complex {
    let (radius, angle, c) = (p.at(0).sigmoid(), p.at(1), p.at(2));
    let delay = Complex::cis(-TAU * fft::rfftfreq(N, 1.0));
    c / (1.0 - delay * (2.0 * radius * angle.cos()) + delay * delay * (radius * radius))
}

/// The mean square of what the response leaves of the output.
fn misfit(p: Var, x: Var, y: Var) -> Var {
    (fft::irfft(fft::rfft(x) * response(p)) - y).square().mean()
}

/// The parameters after many steps of Adam, and the misfit at each.
fn fit(p: Var, x: Var, y: Var) -> (Var, Var) {
    let ((p, ..), misfits) = scan(adam::start(p), Var::iota(&[N_STEPS], 0, DType::F64), |state, _: Var| {
        let (misfit, slope) = value_and_grad(misfit).call(state.0, x, y);
        (adam::step(state, &slope, RATE), misfit)
    });
    (p, misfits)
}

/// The coefficients, the response in decibels, and the impulse response.
fn described(p: Var) -> (Var, Var, Var) {
    let radius = p.at(0).sigmoid();
    let coefficients = Var::stack(&[2.0 * radius * p.at(1).cos(), -radius * radius, p.at(2)], 0);
    let h = response(p);
    (coefficients, 10.0 * h.abs_squared().log10(), fft::irfft(h))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut random = Random(4);
    let x: Array1<f64> = (0..N).map(|_| random.range(-1.0, 1.0)).collect();
    let mut noisy = |y: f64| y + random.range(-NOISE, NOISE);
    let y: Array1<f64> = recursion(&x.to_vec()).into_iter().map(&mut noisy).collect();

    // A dull resonator at another place.
    let start = ndarray::array![1.0, 0.9, 0.5];
    let (p, misfits): (Array1<f64>, Array1<f64>) = jit(fit).call(start, &x, &y)?;
    let (found, decibels, impulse): (Array1<f64>, Array1<f64>, Array1<f64>) = jit(described).call(p)?;

    println!(
        "misfit {:.4} at first, {:.4} at last; the noise alone has {:.4}",
        misfits[0],
        misfits[N_STEPS - 1],
        NOISE * NOISE / 3.0
    );
    for ((name, found), truth) in ["a", "b", "c"].into_iter().zip(&found).zip(truth()) {
        println!("{name} = {found:8.5}, in the recursion {truth:8.5}");
        assert!((found - truth).abs() < 0.005, "{name} is off by {}", found - truth);
    }
    assert!(misfits[N_STEPS - 1] < 1.1 * NOISE * NOISE / 3.0, "the fit leaves more than the noise");

    let mut once = vec![0.0; N];
    once[0] = 1.0;
    let expected = recursion(&once);
    let worst = impulse.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    println!("the impulse response is off that of the recursion by at most {worst:.4}");
    assert!(worst < 0.005, "the impulse response is off by {worst}");

    let measured = jit(|x: Var, y: Var| 10.0 * (fft::rfft(y).abs_squared() / fft::rfft(x).abs_squared()).log10());
    let measured: Array1<f64> = measured.call(&x, &y)?;
    fs::write(&args.out, drawing(&measured, &decibels))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

/// Both responses over the frequency in parts of the sampling rate.
fn drawing(measured: &Array1<f64>, fitted: &Array1<f64>) -> String {
    let curve = |label: &str, y: &Array1<f64>| {
        let points = y.iter().enumerate().map(|(k, &y)| (k as f64 / N as f64, y)).collect();
        Curve { label: label.to_string(), points }
    };
    let layers = [Layer::Dots(curve("measured, dB", measured)), Layer::Line(curve("fitted, dB", fitted))];
    draw("the response of a resonator over the frequency", &layers)
}
