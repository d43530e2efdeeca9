//! Quantile regression: between which bounds does a measurement lie, given others? Linear models of the 10 %, 50 % and
//! 90 % quantiles of how large the largest nuclei of a sample are, by the means of radius and concavity.
//!
//! `cargo run --release --example quantile_regression`
//!
//! Koenker and Bassett's pinball loss of a residual r is q r where r is positive, else (q - 1) r. It has corners, and its
//! minimum stands on some of them, so it is smoothed less and less, each time minimized by Newton's method with compiled
//! gradient and Hessian. Then the model goes through the rows that lie nearest to it, and the subgradient tells whether
//! this is the minimum, with no tolerance but that of rounding (Koenker, *Quantile Regression*, 2005, theorem 2.1).

#[path = "common/breast_cancer.rs"]
pub mod breast_cancer;
#[path = "common/random.rs"]
pub mod random;

use std::error::Error;

use breast_cancer::load_data;
use clap::Parser;
use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use retrograd::op::Quantile;
use retrograd::{Error as TraceError, Var, hessian, jit, value_and_grad};

/// Fits quantiles of a measurement by others.
#[derive(Parser)]
struct Args {
    /// How often the corners of the loss are made half as round.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
}

const QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];
const MEAN_RADIUS: usize = 0;
const MEAN_CONCAVITY: usize = 6;
const WORST_RADIUS: usize = 20;
const N_HELD_OUT: usize = 190;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let (table, _) = load_data()?;
    let ones = Array2::ones((table.nrows(), 1));
    let x = concatenate![Axis(1), ones, table.select(Axis(1), &[MEAN_RADIUS, MEAN_CONCAVITY])];
    let y = table.column(WORST_RADIUS).to_owned();
    let n = y.len() - N_HELD_OUT;
    let (train_x, train_y) = (x.slice(s![..n, ..]).to_owned(), y.slice(s![..n]).to_owned());
    println!("{n} samples to fit, {N_HELD_OUT} held out");

    constants_are_quantiles(&train_y, args.rounds)?;
    let models = QUANTILES.map(|q| proved_fit(&train_x, &train_y, q, args.rounds));
    let models = models.into_iter().collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<_> = models.iter().map(|model| model.view()).collect();
    held_out(&ndarray::stack(Axis(0), &rows)?, &x.slice(s![n.., ..]), &y.slice(s![n..]).to_owned())
}

/// Koenker's and Bassett's loss.
fn pinball(residual: Var, q: Var) -> Var {
    (q * residual).max((q - 1.0) * residual)
}

fn loss(w: Var, x: Var, y: Var, q: Var) -> Var {
    pinball(y - x.dot(w), q).mean()
}

/// The same with corners rounded over a distance: q r + h ln(1 + exp(-r/h)) is above it by at most h ln 2.
fn rounded_loss(w: Var, x: Var, y: Var, q: Var, h: Var) -> Var {
    let r = y - x.dot(w);
    (q * r + h * (-r / h).logaddexp(0.0)).mean()
}

/// The rows nearest to the model, as many as it has weights: where they stand, and what the model must meet.
fn nearest(w: Var, x: Var, y: Var) -> (Var, Var, Var) {
    let (_, rows) = (-(y - x.dot(w)).abs()).top_k(w.shape()[0], 0);
    (rows, x.take(rows, 0), y.take(rows, 0))
}

/// The minimum of the pinball loss, and the rows that it goes through.
fn fit(x: &Array2<f64>, y: &Array1<f64>, q: f64, n_rounds: usize) -> Result<(Array1<f64>, Vec<usize>), Box<dyn Error>> {
    let near = smoothed_fit(x, y, q, n_rounds)?;
    let (rows, at_x, at_y): (Array1<i64>, Array2<f64>, Array1<f64>) = jit(nearest).call(&near, x, y)?;
    let through = to_matrix(&at_x).lu().solve(&DVector::from_iterator(near.len(), at_y));
    let w = through.ok_or("the nearest rows are alike")?.iter().copied().collect();
    Ok((w, rows.iter().map(|&row| row as usize).collect()))
}

/// A fit that is proved to be one, and told.
fn proved_fit(x: &Array2<f64>, y: &Array1<f64>, q: f64, n_rounds: usize) -> Result<Array1<f64>, Box<dyn Error>> {
    let (w, rows) = fit(x, y, q, n_rounds)?;
    let held = certify(x, y, q, &w, &rows)?;
    let loss: f64 = jit(loss).call(&w, x, y, q)?;
    print!("{:3.0} % quantile  loss {loss:.6}  weights", 100.0 * q);
    w.iter().for_each(|w| print!("{w:9.4}"));
    println!("  multipliers from {:.3} to {:.3}", held.min(), held.max());
    Ok(w)
}

/// The minimum of ever less rounded losses, by Newton's method with halved steps.
fn smoothed_fit(x: &Array2<f64>, y: &Array1<f64>, q: f64, n_rounds: usize) -> Result<Array1<f64>, TraceError> {
    let (slope, curvature) = (jit(value_and_grad(rounded_loss)), jit(hessian(rounded_loss)));
    let value = jit(rounded_loss);
    let mut w = Array1::zeros(x.ncols());
    let mut h = y.std(0.0);
    for _ in 0..n_rounds {
        for _ in 0..50 {
            let (loss, g): (f64, Array1<f64>) = slope.call(&w, x, y, q, h)?;
            let curvature: Array2<f64> = curvature.call(&w, x, y, q, h)?;
            let g = DVector::from_iterator(w.len(), g);
            let Some(inverse) = to_matrix(&curvature).cholesky() else { return Ok(w) };
            let step = inverse.solve(&g);
            let fall = step.dot(&g);
            let (mut part, mut moved) = (1.0, Array1::zeros(w.len()));
            let better = (0..30).any(|_| {
                moved = Array1::from_shape_fn(w.len(), |k| w[k] - part * step[k]);
                part /= 2.0;
                value.call::<f64>(&moved, x, y, q, h).is_ok_and(|new| new < loss - 0.5 * part * fall)
            });
            if !better || fall < 1e-14 * loss {
                break;
            }
            w = moved;
        }
        h /= 2.0;
    }
    Ok(w)
}

/// Multipliers that prove the minimum. Rows off the model push with slope q or q - 1; those on it must hold against all
/// of these with slopes between q - 1 and q.
fn certify(
    x: &Array2<f64>,
    y: &Array1<f64>,
    q: f64,
    w: &Array1<f64>,
    on_it: &[usize],
) -> Result<DVector<f64>, Box<dyn Error>> {
    let mut push = DVector::zeros(w.len());
    for (row, x) in x.axis_iter(Axis(0)).enumerate().filter(|(row, _)| !on_it.contains(row)) {
        let slope = if y[row] > x.dot(w) { q } else { q - 1.0 };
        push += slope * DVector::from_iterator(w.len(), x.iter().copied());
    }
    let held = to_matrix(&x.select(Axis(0), on_it)).transpose().lu().solve(&-push).ok_or("the rows are alike")?;
    let optimal = held.iter().all(|&slope| slope > q - 1.0 && slope < q);
    assert!(optimal, "no minimum for q = {q}: multipliers {held:?}");
    Ok(held)
}

/// A model without features is the quantile of the numbers, whatever minimizes it.
fn constants_are_quantiles(y: &Array1<f64>, n_rounds: usize) -> Result<(), Box<dyn Error>> {
    let mut sorted = y.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ones = Array2::ones((y.len(), 1));
    for q in QUANTILES {
        let least = sorted[(q * y.len() as f64).ceil() as usize - 1];
        let direct: f64 = jit(move |y: Var| y.quantile_by(q, 0, Quantile::InvertedCdf)).call(y)?;
        let (w, _) = fit(&ones, y, q, n_rounds)?;
        assert!(direct == least && w[0] == least, "of {q}: {direct} and {}, not {least}", w[0]);
    }
    Ok(())
}

/// How many rows that the models have not seen lie below them, and whether the quantiles are in order.
fn held_out(models: &Array2<f64>, x: &ArrayView2<f64>, y: &Array1<f64>) -> Result<(), Box<dyn Error>> {
    // Quantiles that cross are put in order, which brings them nearer (Chernozhukov, Fernández-Val and Galichon, 2010).
    let predict = jit(|models: Var, x: Var| {
        let lines = x.dot(models.t());
        (lines.sort(1), lines)
    });
    let (sorted, lines): (Array2<f64>, Array2<f64>) = predict.call(models, x)?;
    let n_crossed = sorted.outer_iter().zip(lines.outer_iter()).filter(|(sorted, line)| sorted != line).count();
    let n = y.len() as f64;
    println!("{} held-out samples, {n_crossed} with crossing quantiles", y.len());
    for (q, bound) in QUANTILES.into_iter().zip(sorted.columns()) {
        let below = y.iter().zip(bound).filter(|(y, bound)| y < bound).count() as f64 / n;
        println!("{:5.1} % lie below the {:.0} % quantile", 100.0 * below, 100.0 * q);
        // Three standard deviations of a binomial distribution.
        assert!((below - q).abs() < 3.0 * (q * (1.0 - q) / n).sqrt(), "{below} of the rows lie below quantile {q}");
    }
    assert!(sorted.outer_iter().all(|row| row[0] <= row[1] && row[1] <= row[2]), "quantiles cross");
    assert!(n_crossed * 20 <= y.len(), "{n_crossed} rows have crossing quantiles");
    Ok(())
}

fn to_matrix(x: &Array2<f64>) -> DMatrix<f64> {
    DMatrix::from_row_iterator(x.nrows(), x.ncols(), x.iter().copied())
}
