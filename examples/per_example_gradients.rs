//! A gradient for each of 10,000 rows, each clipped to a norm: logistic regression on data of which some rows are wrong.
//!
//! `cargo run --release --example per_example_gradients`
//!
//! No row moves the parameters further than the norm allows, however wrong it is. (With noise added to the sum, this is a
//! step of differentially private descent: Abadi et al., Deep Learning with Differential Privacy, 2016, algorithm 1.) The
//! loss, its gradient and the clipping are written for one row; `vmap` applies them to all.

#[path = "common/random.rs"]
mod random;

use std::error::Error;
use std::time::Instant;

use ndarray::{Array1, Array2};
use random::Random;
use retrograd::{Arg, Var, grad, jit, value_and_grad, vmap};

const N_ROWS: usize = 10_000;
const N_FEATURES: usize = 20;
const N_STEPS: usize = 200;
const RATE: f64 = 4.0;
/// The greatest norm that the gradient of one row may have.
const MAX_NORM: f64 = 0.25;
/// So many rows are far away, and have the wrong label.
const N_WRONG: usize = 200;

/// The log-odds.
fn score((w, b): (Var, Var), x: Var) -> Var {
    x.dot(w) + b
}

/// -ln p of one row's label, from log-odds so that it never overflows.
fn loss(parameters: (Var, Var), x: Var, t: Var) -> Var {
    let z = score(parameters, x);
    z.max(0.0) - z * t + (-z.abs()).exp().ln_1p()
}

/// One row's loss, and its gradient, made shorter where it is longer than `MAX_NORM`.
fn clipped(parameters: (Var, Var), x: Var, t: Var) -> (Var, (Var, Var)) {
    let (loss, (dw, db)) = value_and_grad(loss).call(parameters, x, t);
    let norm = (dw.norm_squared() + db * db).sqrt();
    // A norm of 0 gives ∞, and so 1.
    let scale = (MAX_NORM / norm).min(1.0);
    (loss, (dw * scale, db * scale))
}

/// The parameters after a step along the mean of the clipped gradients, and the losses before it.
fn clipped_step(parameters: (Var, Var), x: Var, t: Var) -> ((Var, Var), Var) {
    let (losses, (dw, db)) = vmap(clipped).over((Arg::<1>, Arg::<2>)).call(parameters, x, t);
    let (w, b) = parameters;
    ((w - RATE * dw.mean_axes(&[0]), b - RATE * db.mean()), losses)
}

/// The same along the gradient of the mean loss.
fn plain_step(parameters: (Var, Var), x: Var, t: Var) -> ((Var, Var), Var) {
    let mean = |p: (Var, Var), x: Var, t: Var| vmap(loss).over((Arg::<1>, Arg::<2>)).call(p, x, t).mean();
    let (loss, (dw, db)) = value_and_grad(mean).call(parameters, x, t);
    let (w, b) = parameters;
    ((w - RATE * dw, b - RATE * db), loss)
}

type Parameters = (Array1<f64>, f64);

fn main() -> Result<(), Box<dyn Error>> {
    let Data { x, t, right, is_wrong } = &data();
    println!("{N_ROWS} rows of {N_FEATURES} features, {N_WRONG} of them wrong");

    let step = jit(clipped_step);
    for what in ["compiled, and one step, in", "one step in"] {
        let start = Instant::now();
        step.call::<(Parameters, Array1<f64>)>(&zeros(), x, t)?;
        println!("{what} {:.1?}", start.elapsed());
    }

    let mut parameters = zeros();
    for k in 0..N_STEPS {
        let (next, losses): (Parameters, Array1<f64>) = step.call(&parameters, x, t)?;
        if k % (N_STEPS / 5) == 0 {
            let sum: f64 = losses.iter().zip(is_wrong).filter(|(_, is_wrong)| !**is_wrong).map(|(loss, _)| loss).sum();
            println!("step {k:3}: mean loss of the others {:.4}", sum / (N_ROWS - N_WRONG) as f64);
        }
        parameters = next;
    }
    let of_clipped = accuracy(&parameters, x, right)?;

    let plain = jit(plain_step);
    let mut drawn = zeros();
    for _ in 0..N_STEPS {
        (drawn, _) = plain.call::<(Parameters, f64)>(&drawn, x, t)?;
    }
    let of_plain = accuracy(&drawn, x, right)?;
    println!("right for {:.1} % with clipped gradients, {:.1} % without", 100.0 * of_clipped, 100.0 * of_plain);
    assert!(of_clipped > 0.95 && of_clipped > of_plain + 0.05, "clipping did not help");

    let wrong = is_wrong.iter().position(|&is_wrong| is_wrong).ok_or("no row is wrong")?;
    let other = is_wrong.iter().position(|&is_wrong| !is_wrong).ok_or("all rows are wrong")?;
    check_rows(&[wrong, other], &parameters, x, t)?;
    println!("the gradients of single rows, clipped by hand, are the same");
    Ok(())
}

/// Compares gradients of the batch with those of rows alone; the first is clipped.
fn check_rows(rows: &[usize], parameters: &Parameters, x: &Array2<f64>, t: &Array1<f64>) -> Result<(), Box<dyn Error>> {
    let (w, b) = parameters;
    let all = jit(vmap(clipped).over((Arg::<1>, Arg::<2>)));
    let (_, (dw, db)): (Array1<f64>, (Array2<f64>, Array1<f64>)) = all.call((w, *b), x, t)?;
    let single = jit(grad(loss));
    for (k, &row) in rows.iter().enumerate() {
        let (own_w, own_b): Parameters = single.call((w, *b), x.row(row).to_owned(), t[row])?;
        let norm = (own_w.dot(&own_w) + own_b * own_b).sqrt();
        let scale = (MAX_NORM / norm).min(1.0);
        assert!(k > 0 || scale < 1.0, "row {row} was not clipped");
        let own = own_w.iter().chain([&own_b]).map(|slope| slope * scale);
        let of_batch = dw.row(row).to_vec().into_iter().chain([db[row]]);
        for (own, of_batch) in own.zip(of_batch) {
            assert!((own - of_batch).abs() <= 1e-14, "row {row}: {of_batch} in the batch, {own} alone");
        }
    }
    Ok(())
}

fn zeros() -> Parameters {
    (Array1::zeros(N_FEATURES), 0.0)
}

/// Points on both sides of a plane.
struct Data {
    x: Array2<f64>,
    /// The labels, of which some are wrong.
    t: Array1<f64>,
    right: Array1<f64>,
    is_wrong: Vec<bool>,
}

fn data() -> Data {
    let mut random = Random(1);
    let plane = Array1::from_shape_simple_fn(N_FEATURES, || random.range(-2.0, 2.0));
    let mut x = Array2::from_shape_simple_fn((N_ROWS, N_FEATURES), || random.range(-1.0, 1.0));
    let right = (x.dot(&plane) + 0.5).mapv(|z| if z > 0.0 { 1.0 } else { 0.0 });
    let (mut t, mut is_wrong) = (right.clone(), vec![false; N_ROWS]);
    for &row in &random.order(N_ROWS)[..N_WRONG] {
        x.row_mut(row).mapv_inplace(|x| 100.0 * x);
        t[row] = 1.0 - t[row];
        is_wrong[row] = true;
    }
    Data { x, t, right, is_wrong }
}

/// For how many of all rows, wherever they are, the log-odds have the right sign.
fn accuracy((w, b): &Parameters, x: &Array2<f64>, right: &Array1<f64>) -> Result<f64, retrograd::Error> {
    let scores: Array1<f64> = jit(vmap(score).over(Arg::<1>)).call((w, *b), x)?;
    let n_right = scores.iter().zip(right).filter(|&(&score, &right)| (score > 0.0) == (right > 0.5)).count();
    Ok(n_right as f64 / N_ROWS as f64)
}
