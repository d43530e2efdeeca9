//! Logistic regression, from a loss in plain Rust to native gradient code, and to a file and back.
//!
//! `cargo run --example logistic_regression`; an argument is the folder where graphs are written.

#[path = "common/breast_cancer.rs"]
pub mod breast_cancer;
#[path = "common/random.rs"]
pub mod random;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use breast_cancer::load_data;
use ndarray::{Array1, Array2, Axis, Dimension};
use retrograd::value::{Array, Type};
use retrograd::{Graph, Program, Var, differentiate, jit, optimize, value_and_grad};

fn main() -> Result<(), Box<dyn Error>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/logistic_regression");
    let out = env::args_os().nth(1).map_or_else(beside, PathBuf::from);
    toy_problem()?;
    breast_cancer(&out)
}

// The toy problem: four points, and a loss that is written as in a textbook.

fn sigmoid(x: Var) -> Var {
    0.5 * ((x / 2.0).tanh() + 1.0)
}

/// The negative logarithm of the probability of all labels.
fn toy_loss(w: Var, x: Var, t: Var) -> Var {
    let p = sigmoid(x.dot(w));
    -(p * t + (1.0 - p) * (1.0 - t)).ln().sum()
}

fn toy_problem() -> Result<(), Box<dyn Error>> {
    let x = [[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]];
    let t = [1.0, 1.0, 0.0, 1.0];
    const N_STEPS: usize = 100;
    const RATE: f64 = 0.01;

    let step = jit(value_and_grad(toy_loss));
    let (inputs, targets) = (ndarray::arr2(&x), ndarray::arr1(&t));
    let mut w = Array1::zeros(3);
    let (initial, _): (f64, Array1<f64>) = step.call(&w, &inputs, &targets)?;
    for _ in 0..N_STEPS {
        let (_, dw): (f64, Array1<f64>) = step.call(&w, &inputs, &targets)?;
        w.scaled_add(-RATE, &dw);
    }
    let (trained, _): (f64, Array1<f64>) = step.call(&w, &inputs, &targets)?;

    let mut plain_w = [0.0; 3];
    let (plain_initial, _) = toy_loss_by_hand(&plain_w, &x, &t);
    for _ in 0..N_STEPS {
        let (_, dw) = toy_loss_by_hand(&plain_w, &x, &t);
        for (w, dw) in plain_w.iter_mut().zip(dw) {
            *w -= RATE * dw;
        }
    }
    let (plain_trained, _) = toy_loss_by_hand(&plain_w, &x, &t);

    println!("{:23}{:>15}{:>18}", format!("Toy problem, {N_STEPS} steps"), "retrograd", "derived by hand");
    println!("  initial loss    {initial:20.12} {plain_initial:17.12}");
    println!("  trained loss    {trained:20.12} {plain_trained:17.12}");
    let exact = 4.0 * std::f64::consts::LN_2;
    for (got, expected) in [(initial, exact), (initial, plain_initial), (trained, plain_trained)] {
        assert!((got - expected).abs() < 1e-13, "{got} is not {expected}");
    }
    Ok(())
}

/// The same loss and its gradient in plain `f64`: with q the probability of the label,
/// dq/dw = ± p (1 - p) x, and the loss is -Σ ln q.
fn toy_loss_by_hand(w: &[f64; 3], x: &[[f64; 3]; 4], t: &[f64; 4]) -> (f64, [f64; 3]) {
    let (mut loss, mut dw) = (0.0, [0.0; 3]);
    for (x, t) in x.iter().zip(t) {
        let z: f64 = w.iter().zip(x).map(|(w, x)| w * x).sum();
        let p = 0.5 * ((z / 2.0).tanh() + 1.0);
        let q = p * t + (1.0 - p) * (1.0 - t);
        loss -= q.ln();
        for (dw, x) in dw.iter_mut().zip(x) {
            *dw -= (2.0 * t - 1.0) * p * (1.0 - p) / q * x;
        }
    }
    (loss, dw)
}

// The breast cancer data: 30 features of cell nuclei, malignant or benign.

const N_FOLDS: usize = 5;
const N_STEPS: usize = 400;
const RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const RIDGE: f64 = 1e-3;

/// The log-odds.
fn score((w, b): (Var, Var), x: Var) -> Var {
    x.dot(w) + b
}

/// The mean of -ln p over the labels, from log-odds so that it never overflows, and a small price on large weights.
fn loss(parameters: (Var, Var), x: Var, t: Var) -> Var {
    let z = score(parameters, x);
    let cross_entropy = (z.max(0.0) - z * t + (-z.abs()).exp().ln_1p()).mean();
    cross_entropy + RIDGE * parameters.0.norm_squared()
}

fn breast_cancer(out: &Path) -> Result<(), Box<dyn Error>> {
    let (x, t) = load_data()?;
    let step = jit(value_and_grad(loss)).named("loss").arguments(["parameters", "x", "t"]).results(["loss", "grad"]);
    let step = |(w, b): (&Array1<f64>, f64), x: &Array2<f64>, t: &Array1<f64>| step.call((w, b), x, t);
    println!();
    println!("Breast cancer, {} rows of {} features, {N_STEPS} steps", x.nrows(), x.ncols());

    // Every row is held out once, so the accuracy does not hang on a lucky choice.
    let scores = jit(score);
    let mut n_right = 0;
    for fold in 0..N_FOLDS {
        let (held_out, rest): (Vec<usize>, Vec<usize>) = (0..t.len()).partition(|row| row % N_FOLDS == fold);
        let (train_x, train_t) = (x.select(Axis(0), &rest), t.select(Axis(0), &rest));
        let scale = Scale::of(&train_x)?;
        let (w, b) = train(&step, &scale.apply(&train_x), &train_t)?;
        let z: Array1<f64> = scores.call((&w, b), scale.apply(&x.select(Axis(0), &held_out)))?;
        n_right += z.iter().zip(&held_out).filter(|&(&z, &row)| (z > 0.0) == (t[row] > 0.5)).count();
    }
    let accuracy = n_right as f64 / t.len() as f64;

    let x = Scale::of(&x)?.apply(&x);
    let (w, b) = train(&step, &x, &t)?;
    let (initial, _) = step((&Array1::zeros(x.ncols()), 0.0), &x, &t)?;
    let (trained, (dw, db)) = step((&w, b), &x, &t)?;
    println!("  initial loss       {initial:8.6}");
    println!("  trained loss       {trained:8.6}");
    println!("  held-out accuracy  {:8.1} % ({N_FOLDS} folds)", 100.0 * accuracy);
    assert!(accuracy >= 0.95, "the held-out accuracy is below 95 %");

    let inputs = [array_of(&w), Array::scalar(b), array_of(&x), array_of(&t)];
    let in_process = [Array::scalar(trained), array_of(&dw), Array::scalar(db)];
    through_files(out, &inputs, &in_process)
}

/// The loss and its gradient.
type Step = (f64, (Array1<f64>, f64));

/// Gradient descent with momentum, from zeros.
fn train(
    step: &impl Fn((&Array1<f64>, f64), &Array2<f64>, &Array1<f64>) -> Result<Step, retrograd::Error>,
    x: &Array2<f64>,
    t: &Array1<f64>,
) -> Result<(Array1<f64>, f64), retrograd::Error> {
    let (mut w, mut b) = (Array1::<f64>::zeros(x.ncols()), 0.0);
    let (mut w_speed, mut b_speed) = (w.clone(), 0.0);
    for _ in 0..N_STEPS {
        let (_, (dw, db)) = step((&w, b), x, t)?;
        w_speed = MOMENTUM * w_speed - RATE * dw;
        b_speed = MOMENTUM * b_speed - RATE * db;
        w += &w_speed;
        b += b_speed;
    }
    Ok((w, b))
}

/// Saves the loss and its gradient, loads both, runs them natively, and requires the bits of the program in this process.
fn through_files(out: &Path, inputs: &[Array], in_process: &[Array]) -> Result<(), Box<dyn Error>> {
    let types: Vec<Type> = inputs.iter().map(Array::ty).collect();
    let [w, b, x, t] = &types[..] else { return Err("the loss has four inputs".into()) };
    let graph = jit(loss).named("loss").arguments(["parameters", "x", "t"]).results(["loss"]);
    let graph = graph.trace(((w, b), x, t))?;
    let gradient = differentiate::grad(&graph, 0, &[0, 1])?;

    fs::create_dir_all(out)?;
    let (loss_file, gradient_file) = (out.join("loss.json"), out.join("gradient.json"));
    graph.save(&loss_file)?;
    gradient.save(&gradient_file)?;
    println!();
    for (file, graph) in [(&loss_file, &graph), (&gradient_file, &gradient)] {
        println!("Saved {} ({} operations)", shown(file), graph.n_ops());
    }

    let reloaded = run_natively(&Graph::load(&gradient_file)?, inputs)?;
    demand_same_bits("the reloaded gradient", &reloaded, in_process)?;
    println!("The reloaded gradient gives the same bits as the program in this process.");
    let anew = run_natively(&differentiate::grad(&Graph::load(&loss_file)?, 0, &[0, 1])?, inputs)?;
    demand_same_bits("the gradient of the reloaded loss", &anew, in_process)?;
    println!("So does the gradient of the reloaded loss.");
    Ok(())
}

fn run_natively(graph: &Graph, inputs: &[Array]) -> Result<Vec<Array>, retrograd::Error> {
    Program::compile(&optimize::optimize(graph)?)?.call(inputs)
}

fn demand_same_bits(what: &str, got: &[Array], expected: &[Array]) -> Result<(), String> {
    let same = got.len() == expected.len() && got.iter().zip(expected).all(|(x, y)| x.same_bits(y));
    if same { Ok(()) } else { Err(format!("{what} gives other bits than the program in this process")) }
}

/// A path as one would type it here.
fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

fn array_of<D: Dimension>(x: &ndarray::Array<f64, D>) -> Array {
    Array::from_ndarray(x.clone().into_dyn())
}

/// What makes features have mean 0 and deviation 1. It is taken from the rows to train on, and applied to all.
struct Scale {
    mean: Array1<f64>,
    deviation: Array1<f64>,
}

impl Scale {
    fn of(x: &Array2<f64>) -> Result<Scale, &'static str> {
        let mean = x.mean_axis(Axis(0)).ok_or("there are no rows")?;
        Ok(Scale { mean, deviation: x.std_axis(Axis(0), 0.0) })
    }

    fn apply(&self, x: &Array2<f64>) -> Array2<f64> {
        (x - &self.mean) / &self.deviation
    }
}
