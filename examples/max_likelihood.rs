//! Maximum likelihood: a negative binomial distribution is fitted to counts by Newton's method, with lgamma in the
//! likelihood, digamma in its gradient and trigamma in its Hessian, all from the one line that one writes.
//!
//! `cargo run --release --example max_likelihood`
//!
//! The counts are those on which R. A. Fisher showed the fit: red mites on 150 leaves of apple trees (C. I. Bliss and
//! R. A. Fisher, Fitting the negative binomial distribution to biological data, Biometrics 9, 1953, pages 176 to 200).

use nalgebra::{Matrix2, Vector2};
use ndarray::Array1;
use retrograd::{Error, Var, hessian, jit, value_and_grad};

/// How many leaves bear 0, 1, … mites.
const LEAVES: [f64; 8] = [70.0, 38.0, 17.0, 10.0, 9.0, 3.0, 2.0, 1.0];

/// Minus the log-likelihood of the logarithms of the mean m and of the exponent k:
/// P(y) = Γ(y + k) / (Γ(k) y!) · (k / (k + m))ᵏ · (m / (k + m))ʸ.
fn cost([ln_m, ln_k]: [Var; 2], y: Var, leaves: Var) -> Var {
    let (m, k) = (ln_m.exp(), ln_k.exp());
    let ln_sum = (m + k).ln();
    let ln_p = (y + k).lgamma() - k.lgamma() - (y + 1.0).lgamma() + k * (ln_k - ln_sum) + y * (ln_m - ln_sum);
    -(leaves * ln_p).sum()
}

fn main() -> Result<(), Error> {
    let (y, leaves) = (Array1::from_iter((0..LEAVES.len()).map(|y| y as f64)), Array1::from_iter(LEAVES));
    let slope = jit(value_and_grad(cost));
    let curvature = jit(hessian(cost));
    let mut point = [0.0f64, 0.0];
    println!("step        mean    exponent    log-likelihood    slope");
    for step in 0..20 {
        let (value, g): (f64, [f64; 2]) = slope.call(point, &y, &leaves)?;
        let steepness = Vector2::from(g).norm();
        println!("{step:4}{:12.6}{:12.6}{:18.9}{steepness:9.1e}", point[0].exp(), point[1].exp(), -value);
        let h: [[f64; 2]; 2] = curvature.call(point, &y, &leaves)?;
        let inverse = Matrix2::from(h).try_inverse().expect("the likelihood is curved in all directions here");
        if steepness < 1e-11 {
            report(point, &inverse);
            return Ok(());
        }
        let change = inverse * Vector2::from(g);
        point = [point[0] - change.x, point[1] - change.y];
    }
    panic!("Newton's method did not arrive in 20 steps");
}

/// Prints the fit with its standard errors, and holds it to the equations that the maximum must fulfill.
fn report([ln_m, ln_k]: [f64; 2], covariance: &Matrix2<f64>) {
    let (m, k) = (ln_m.exp(), ln_k.exp());
    let error = |at: usize, scale: f64| scale * covariance[(at, at)].sqrt();
    println!("mean {m:.4} ± {:.4}, exponent {k:.4} ± {:.4}", error(0, m), error(1, k));

    // The likeliest mean is that of the counts.
    let n: f64 = LEAVES.iter().sum();
    let mean = LEAVES.iter().enumerate().map(|(y, leaves)| y as f64 * leaves).sum::<f64>() / n;
    assert!((m - mean).abs() < 1e-12, "the mean is {m}, not {mean}");
    // Fisher's equation for k, without any special function: Σⱼ Aⱼ / (k + j) = n ln(1 + m/k), where Aⱼ leaves bear more
    // than j mites.
    let more_than = |j: usize| LEAVES[j + 1..].iter().sum::<f64>();
    let left: f64 = (0..LEAVES.len() - 1).map(|j| more_than(j) / (k + j as f64)).sum();
    assert!((left - n * (m / k).ln_1p()).abs() < 1e-10, "the exponent {k} does not solve Fisher's equation");
    assert!((k - 1.02459).abs() < 1e-5, "the exponent is {k}, not the published 1.02459");
}
