//! The poles and zeros of a filter are found from its measured frequency response.
//!
//! `cargo run --release --example transfer_function`
//!
//! The response is `H(s) = g Π (s - z)(s - z̄) / Π (s - p)(s - p̄)` at `s = iω`. Poles, zeros and the gain are fitted to measurements
//! with relative noise, in magnitude and phase, by the method of Levenberg (1944) and Marquardt (1963), all of whose steps are one
//! compiled function; the Jacobian is that of a complex function by complex parameters. Without noise the fit gives the filter to the
//! last digits; with noise its errors are held to the standard errors that the Jacobian tells.

#[path = "common/random.rs"]
pub mod random;
#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use ndarray::{Array1, ArrayView1, array};
use num_complex::{Complex64, c64};
use random::Random;
use retrograd::{Complex, Var, fori_loop, jacobian, jit, linalg, numpy as np};
use svg::{Curve, Layer, draw};
use target::target;

/// Fits poles and zeros.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("transfer_function.svg"))]
    out: PathBuf,
}

/// Frequencies from a tenth to ten radians in a second.
const N: usize = 300;
/// The standard deviation of the real and of the imaginary part of the noise, relative to the response.
const NOISE: f64 = 0.01;
const N_STEPS: usize = 60;

/// A filter: of each conjugate pair of zeros and of poles the one above the real axis.
#[derive(Clone, retrograd::Tree)]
struct Filter<Z, G> {
    zeros: Z,
    poles: Z,
    gain: G,
}

type Values = Filter<Array1<Complex64>, f64>;

fn truth() -> Values {
    Filter { zeros: array![c64(-0.05, 2.0)], poles: array![c64(-0.1, 1.0), c64(-0.3, 3.0)], gain: 2.0 }
}

/// A dull filter with its resonances elsewhere.
fn start() -> Values {
    Filter { zeros: array![c64(-0.3, 1.7)], poles: array![c64(-0.4, 0.8), c64(-0.5, 3.6)], gain: 1.0 }
}

fn response(filter: &Filter<Complex, Var>, omega: Var) -> Complex {
    let s = Complex::new(omega.full_like(0.0), omega).insert_axis(1);
    let over = |roots: Complex| ((s - roots) * (s - roots.conj())).prod_axis(1);
    over(filter.zeros) / over(filter.poles) * filter.gain
}

/// The parameters as real numbers in a row, and back.
fn packed(filter: &Filter<Complex, Var>) -> Var {
    let Filter { zeros, poles, gain } = filter;
    Var::concatenate(&[zeros.re, zeros.im, poles.re, poles.im, gain.reshape(&[1])], 0)
}

fn unpacked(p: Var) -> Filter<Complex, Var> {
    let part = |from: usize, n: usize| Complex::new(p.slice(0, from..from + n), p.slice(0, from + n..from + 2 * n));
    Filter { zeros: part(0, 1), poles: part(2, 2), gain: p.at(6) }
}

/// By how much the logarithm of the response is off the measured one: in magnitude, then in phase.
fn residuals(p: Var, omega: Var, measured: Complex) -> Var {
    let off = (response(&unpacked(p), omega) / measured).ln();
    Var::concatenate(&[off.re, off.im], 0)
}

/// Steps of Gauss and Newton, damped the more the less they help. Gives the filter, and the standard errors of its numbers.
fn fit(start: Filter<Complex, Var>, omega: Var, measured: Complex) -> (Filter<Complex, Var>, Var, Var) {
    let step = |_: Var, (p, damping): (Var, Var)| {
        let r = residuals(p, omega, measured);
        let j = jacobian(residuals).call(p, omega, measured);
        let normal = j.t().dot(j);
        let damped = normal + np::diag(np::diagonal(normal, 0, 0, 1) * damping, 0);
        let next = p - linalg::solve(damped, j.t().dot(r));
        let helps = residuals(next, omega, measured).square().sum().less(r.square().sum());
        (helps.select(next, p), helps.select(damping * 0.2, damping * 5.0))
    };
    let (p, _) = fori_loop(N_STEPS, (packed(&start), Var::from(1e-2)), step);
    let j = jacobian(residuals).call(p, omega, measured);
    let misfit = residuals(p, omega, measured).square().sum();
    let n_free = (2 * N - p.shape()[0]) as f64;
    let variances = np::diagonal(linalg::inv(j.t().dot(j)), 0, 0, 1) * (misfit / n_free);
    (unpacked(p), variances.sqrt(), (misfit / n_free).sqrt())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let omega = Array1::logspace(10.0, -1.0, 1.0, N);
    let exact = omega.mapv(|omega| host_response(&truth(), omega));
    let mut random = Random(6);
    let measured = exact.mapv(|h| h * (1.0 + NOISE * c64(normal(&mut random), normal(&mut random))));

    let fit = jit(fit);
    let (found, ..): (Values, Array1<f64>, f64) = fit.call(start(), &omega, &exact)?;
    let worst = numbers(&found).iter().zip(numbers(&truth())).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    println!("without noise the filter is found to {worst:.0e}");
    assert!(worst < 1e-12, "the fit to exact measurements is off by {worst:e}");

    let (found, errors, noise): (Values, Array1<f64>, f64) = fit.call(start(), &omega, &measured)?;
    println!("the fit leaves noise of {noise:.4}, of which there was {NOISE}");
    assert!((noise / NOISE - 1.0).abs() < 0.1, "the fit leaves noise of {noise}");
    let names = ["re z", "im z", "re p1", "re p2", "im p1", "im p2", "gain"];
    for (((name, x), error), truth) in names.iter().zip(numbers(&found)).zip(&errors).zip(numbers(&truth())) {
        println!("{name:5} = {x:8.4} ± {error:.4}, in the filter {truth:8.4}");
        assert!((x - truth).abs() < 4.0 * error && *error < 0.02, "{name} is off by {}", x - truth);
    }

    let fitted = omega.mapv(|omega| host_response(&found, omega));
    fs::write(&args.out, drawing(omega.view(), &measured, &fitted))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

/// The response by the formula on numbers.
fn host_response(filter: &Values, omega: f64) -> Complex64 {
    let s = c64(0.0, omega);
    let over =
        |roots: &Array1<Complex64>| roots.iter().map(|&root| (s - root) * (s - root.conj())).product::<Complex64>();
    filter.gain * over(&filter.zeros) / over(&filter.poles)
}

/// The parameters in the order of [`packed`].
fn numbers(filter: &Values) -> Vec<f64> {
    let part =
        |roots: &Array1<Complex64>| roots.iter().map(|z| z.re).chain(roots.iter().map(|z| z.im)).collect::<Vec<f64>>();
    [part(&filter.zeros), part(&filter.poles), vec![filter.gain]].concat()
}

/// A number of the normal distribution (Box and Muller 1958).
fn normal(random: &mut Random) -> f64 {
    let (u, v) = (1.0 - random.range(0.0, 1.0), random.range(0.0, std::f64::consts::TAU));
    (-2.0 * u.ln()).sqrt() * v.cos()
}

/// Both responses in decibels over the logarithm of the frequency.
fn drawing(omega: ArrayView1<f64>, measured: &Array1<Complex64>, fitted: &Array1<Complex64>) -> String {
    let curve = |label: &str, h: &Array1<Complex64>| {
        let points = omega.iter().zip(h).map(|(omega, h)| (omega.log10(), 20.0 * h.norm().log10())).collect();
        Curve { label: label.to_string(), points }
    };
    let layers = [Layer::Dots(curve("measured, dB", measured)), Layer::Line(curve("fitted, dB", fitted))];
    draw("the response of a filter over log10 of the frequency", &layers)
}
