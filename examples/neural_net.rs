//! A neural network that reads handwritten digits: parameters in structs, Adam, minibatches, and then to files.
//!
//! `cargo run --release --example neural_net`
//!
//! A whole step of the optimizer, from the loss over its gradient to the new parameters, is one compiled function of
//! structs. What the trained network does is saved as a graph, with the parameters and the held-out images as its
//! inputs, and the command reproduces the predictions from the files alone:
//!
//! `retrograd run target/neural_net/digits.json --input target/neural_net/inputs.json -o target/neural_net/again.json`
//!
//! `cmp target/neural_net/predictions.json target/neural_net/again.json`

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/digits.rs"]
pub mod digits;
#[path = "common/random.rs"]
pub mod random;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use adam::Adam;
use clap::Parser;
use digits::{Data, N_DIGITS, N_HELD_OUT, N_PIXELS, accuracy, load_data};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array1, Array2, ArrayD};
use random::Random;
use retrograd::value::{Array, ToTree};
use retrograd::{Graph, Program, Tree, Var, jit, optimize, value_and_grad};
use target::target;

/// Trains a network on handwritten digits, and saves it with its predictions.
#[derive(Parser)]
struct Args {
    /// How often each image is seen.
    #[arg(long, default_value_t = 40)]
    epochs: usize,
    /// Where the files are written.
    #[arg(long, value_name = "DIR", default_value_os_t = target("neural_net"))]
    out: PathBuf,
}

const EXTENTS: [usize; 3] = [N_PIXELS, 48, N_DIGITS];
const BATCH: usize = 32;
const RATE: f64 = 0.003;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut random = Random(1);
    let (train, held_out) = load_data(&mut random)?;
    println!("{} images to train on, {N_HELD_OUT} held out, {} parameters", train.labels.len(), n_parameters());

    let start = Instant::now();
    let network = fit(&train, args.epochs, &mut random)?;
    let predict = jit(predict).named("digits").arguments(["params", "x"]).results(["digit", "probability"]);
    for (name, part) in [("training", &train), ("held-out", &held_out)] {
        let (digits, _): (Array1<i64>, Array1<f64>) = predict.call(&network, &part.images)?;
        let accuracy = accuracy(&digits, &part.labels);
        println!("{name} accuracy  {:5.1} %", 100.0 * accuracy);
        assert!(accuracy >= 0.95, "the {name} accuracy is below 95 %");
    }
    println!("trained in {:.1} s", start.elapsed().as_secs_f64());

    let graph = predict.graph(&network, &held_out.images)?;
    let inputs = [named_leaves("params", &network), named_leaves("x", &held_out.images)].concat();
    let (digits, probability): (Array1<i64>, Array1<f64>) = predict.call(&network, &held_out.images)?;
    let predictions = [named_leaves("digit", &digits), named_leaves("probability", &probability)].concat();
    through_files(&args.out, &graph, &inputs, &predictions)
}

// The network: structs over the type of their leaves, `Var` while traced and arrays outside.

#[derive(Clone, Tree)]
struct Layer<T> {
    w: T,
    b: T,
}

#[derive(Clone, Tree)]
struct Network<T> {
    layers: Vec<Layer<T>>,
}

impl Network<Var> {
    /// The logits of each digit, for each row of `x`.
    fn apply(&self, mut x: Var) -> Var {
        for (k, layer) in self.layers.iter().enumerate() {
            x = x.dot(layer.w) + layer.b;
            if k + 1 < self.layers.len() {
                x = x.relu();
            }
        }
        x
    }
}

impl Network<ArrayD<f64>> {
    fn filled(mut weight: impl FnMut(usize) -> f64) -> Self {
        let layer = |pair: &[usize]| Layer {
            w: Array2::from_shape_simple_fn((pair[0], pair[1]), || weight(pair[0])).into_dyn(),
            b: Array1::zeros(pair[1]).into_dyn(),
        };
        Network { layers: EXTENTS.windows(2).map(layer).collect() }
    }
}

fn n_parameters() -> usize {
    EXTENTS.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
}

/// The mean of -ln p over the labels, which are one-hot.
fn loss(network: Network<Var>, x: Var, labels: Var) -> Var {
    -(network.apply(x).log_softmax(1) * labels).sum_axes(&[1]).mean()
}

/// The likeliest digit of each row, and its probability.
fn predict(network: Network<Var>, x: Var) -> (Var, Var) {
    let logits = network.apply(x);
    (logits.argmax(1), logits.softmax(1).reduce_max(&[1]))
}

/// One step on a batch, and the loss before it.
fn step(state: Adam<Network<Var>, Var>, x: Var, labels: Var) -> (Adam<Network<Var>, Var>, Var) {
    let (loss, slope) = value_and_grad(loss).call(state.0.clone(), x, labels);
    (adam::step(state, &slope, RATE), loss)
}

fn fit(data: &Data, n_epochs: usize, random: &mut Random) -> Result<Network<ArrayD<f64>>, Box<dyn Error>> {
    let step = jit(step);
    let n_batches = data.labels.len() / BATCH;
    let network = Network::filled(|n| random.range(-1.0, 1.0) * (6.0 / n as f64).sqrt()); // He and others
    let mut state: Adam<Network<ArrayD<f64>>, f64> = jit(adam::start::<Network<Var>>).call(&network)?;
    let bar = progress_bar(n_epochs);
    for epoch in 0..n_epochs {
        let order = random.order(data.labels.len());
        let mut sum = 0.0;
        for batch in order.chunks_exact(BATCH) {
            let batch = data.rows(batch);
            let loss: f64;
            (state, loss) = step.call(&state, &batch.images, batch.one_hot())?;
            sum += loss;
        }
        let mean = sum / n_batches as f64;
        bar.set_message(format!("loss {mean:.4}"));
        bar.inc(1);
        if epoch + 1 == n_epochs {
            bar.finish_and_clear();
            println!("loss after {n_epochs} epochs of {n_batches} steps  {mean:.4}");
        }
    }
    Ok(state.0)
}

/// A bar on the standard error; none where that is not a terminal.
fn progress_bar(n_epochs: usize) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} epoch {pos}/{len}, {msg}").unwrap_or(ProgressStyle::default_bar());
    ProgressBar::new(n_epochs as u64).with_style(style)
}

// Files

/// Saves the graph, its inputs and what it gave; loads it, runs it natively, and requires the same bits.
fn through_files(out: &Path, graph: &Graph, inputs: &[Named], predictions: &[Named]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    let file = out.join("digits.json");
    graph.save(&file)?;
    fs::write(out.join("inputs.json"), json_of(inputs))?;
    fs::write(out.join("predictions.json"), json_of(predictions))?;
    println!("saved {}, inputs.json and predictions.json", shown(&file));

    let program = Program::compile(&optimize::optimize(&Graph::load(&file)?)?)?;
    let arrays: Vec<Array> = inputs.iter().map(|(_, array)| array.clone()).collect();
    let again = program.call(&arrays)?;
    let same = again.iter().zip(predictions).all(|(got, (_, expected))| got.same_bits(expected));
    assert!(same && again.len() == predictions.len(), "the reloaded network predicts something else");
    println!("the reloaded network gives the same bits");
    Ok(())
}

/// An array and what it is called in the graph.
type Named = (String, Array);

/// The leaves of a value, as the inputs and outputs of a graph are named.
fn named_leaves(root: &str, value: &impl ToTree) -> Vec<Named> {
    value.to_tree().named_leaves(root).into_iter().map(|(name, leaf)| (name, leaf.to_array())).collect()
}

/// What the command reads and prints: arrays by name, one a line.
fn json_of(arrays: &[Named]) -> String {
    let lines: Vec<String> = arrays.iter().map(|(name, array)| format!(" \"{name}\": {}", array.to_json())).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// A path as one would type it here.
fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
