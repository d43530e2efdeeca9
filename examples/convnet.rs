//! A convolution net that reads handwritten digits: two layers of 3×3 kernels, a pooling, Adam.
//!
//! `cargo run --release --example convnet`
//!
//! Example of autograd's of the same name, on images of 8×8 pixels. The convolution is first held to its definition.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/digits.rs"]
pub mod digits;
#[path = "common/random.rs"]
pub mod random;

use std::error::Error;
use std::time::Instant;

use adam::Adam;
use clap::Parser;
use digits::{Data, N_DIGITS, N_HELD_OUT, accuracy, load_data};
use ndarray::{Array1, ArrayD, IxDyn};
use random::Random;
use retrograd::numpy::{self as np, Convolution};
use retrograd::{Tree, Var, jit, value_and_grad};

/// Trains a convolution net on handwritten digits.
#[derive(Parser)]
struct Args {
    /// How often each image is seen.
    #[arg(long, default_value_t = 12)]
    epochs: usize,
    /// The part of the held-out images that must be read.
    #[arg(long, default_value_t = 0.975)]
    accuracy: f64,
}

const SIDE: usize = 8;
const KERNEL: usize = 3;
const CHANNELS: [usize; 3] = [1, 12, 24];
const BATCH: usize = 32;
const RATE: f64 = 0.003;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut random = Random(1);
    let (train, held_out) = load_data(&mut random)?;
    println!("{} images to train on, {N_HELD_OUT} held out", train.labels.len());
    convolves()?;

    let start = Instant::now();
    let net = fit(&train, args.epochs, &mut random)?;
    let read = jit(|net: Net<Var>, x: Var| net.logits(x).argmax(1));
    let digits: Array1<i64> = read.call(&net, &held_out.images)?;
    let right = accuracy(&digits, &held_out.labels);
    println!("held-out accuracy {:.1} %, in {:.1} s", 100.0 * right, start.elapsed().as_secs_f64());
    assert!(right >= args.accuracy, "the held-out accuracy is below {:.1} %", 100.0 * args.accuracy);
    Ok(())
}

#[derive(Clone, Tree)]
struct Layer<T> {
    w: T,
    b: T,
}

#[derive(Clone, Tree)]
struct Net<T> {
    convolutions: Vec<Layer<T>>,
    dense: Layer<T>,
}

/// The convolution of images `[n, height, width, channels]` with kernels `[height, width, channels, kernels]`, padded by
/// zeros so that the image keeps its extents.
fn convolve(x: Var, kernels: Var) -> Var {
    let [above, left] = [0, 1].map(|axis| kernels.shape()[axis] as i64 / 2);
    let channels_last = ([0, 3, 1, 2], [3, 2, 0, 1]);
    let layer = Convolution::new().padding(&[(above, above), (left, left)]).axes(
        &channels_last.0,
        &channels_last.1,
        &channels_last.0,
    );
    np::conv_general(x, kernels, &layer)
}

/// The largest of each 2×2 pixels.
fn pool(x: Var) -> Var {
    let [n, height, width, channels] = [0, 1, 2, 3].map(|axis| x.shape()[axis]);
    x.reshape(&[n, height / 2, 2, width / 2, 2, channels]).max_axes(&[2, 4])
}

impl Net<Var> {
    /// The logits of each digit, for each row of pixels.
    fn logits(&self, x: Var) -> Var {
        let n = x.shape()[0];
        let mut x = x.reshape(&[n, SIDE, SIDE, 1]);
        for layer in &self.convolutions {
            x = (convolve(x, layer.w) + layer.b).relu();
        }
        pool(x).reshape(&[n, Var::REST]).dot(self.dense.w) + self.dense.b
    }
}

impl Net<ArrayD<f64>> {
    /// Weights as He and others scale them: with variance two over the number of what is summed.
    fn new(random: &mut Random) -> Self {
        let mut layer = |shape: &[usize]| {
            let (n_out, n_in) = (shape[shape.len() - 1], shape[..shape.len() - 1].iter().product::<usize>());
            let bound = (6.0 / n_in as f64).sqrt();
            let w = ArrayD::from_shape_simple_fn(IxDyn(shape), || random.range(-bound, bound));
            Layer { w, b: ArrayD::zeros(IxDyn(&[n_out])) }
        };
        let convolutions = CHANNELS.windows(2).map(|pair| layer(&[KERNEL, KERNEL, pair[0], pair[1]])).collect();
        let n_pooled = (SIDE / 2) * (SIDE / 2) * CHANNELS[CHANNELS.len() - 1];
        Net { convolutions, dense: layer(&[n_pooled, N_DIGITS]) }
    }
}

/// The mean of -ln p over the labels, which are one-hot.
fn loss(net: Net<Var>, x: Var, labels: Var) -> Var {
    -(net.logits(x).log_softmax(1) * labels).sum_axes(&[1]).mean()
}

/// One step on a batch, and the loss before it.
fn step(state: Adam<Net<Var>, Var>, x: Var, labels: Var) -> (Adam<Net<Var>, Var>, Var) {
    let (loss, slope) = value_and_grad(loss).call(state.0.clone(), x, labels);
    (adam::step(state, &slope, RATE), loss)
}

fn fit(data: &Data, n_epochs: usize, random: &mut Random) -> Result<Net<ArrayD<f64>>, Box<dyn Error>> {
    let step = jit(step);
    let mut state: Adam<Net<ArrayD<f64>>, f64> = jit(adam::start::<Net<Var>>).call(Net::new(random))?;
    for epoch in 1..=n_epochs {
        let mut sum = 0.0;
        let order = random.order(data.labels.len());
        for batch in order.chunks_exact(BATCH) {
            let batch = data.rows(batch);
            let loss: f64;
            (state, loss) = step.call(&state, &batch.images, batch.one_hot())?;
            sum += loss;
        }
        if epoch % 4 == 0 || epoch == n_epochs {
            println!("epoch {epoch:2}  loss {:.4}", sum / (data.labels.len() / BATCH) as f64);
        }
    }
    Ok(state.0)
}

/// The convolution is that of its definition, summed by loops of plain Rust.
fn convolves() -> Result<(), Box<dyn Error>> {
    let mut random = Random(2);
    let mut filled = |shape: &[usize]| ArrayD::from_shape_simple_fn(IxDyn(shape), || random.range(-1.0, 1.0));
    let (x, kernels) = (filled(&[2, 5, 4, 3]), filled(&[3, 3, 3, 2]));
    let result: ArrayD<f64> = jit(convolve).call(&x, &kernels)?;
    for (place, &got) in result.indexed_iter() {
        let [image, row, column, kernel] = [0, 1, 2, 3].map(|axis| place[axis]);
        let mut sum = 0.0;
        for ((i, j), channel) in (0..9).map(|at| (at / 3, at % 3)).flat_map(|at| (0..3).map(move |c| (at, c))) {
            let at = [image, (row + i).wrapping_sub(1), (column + j).wrapping_sub(1), channel];
            sum += x.get(&at[..]).unwrap_or(&0.0) * kernels[[i, j, channel, kernel]];
        }
        assert!((got - sum).abs() < 1e-14, "at {place:?}: {got}, not {sum}");
    }
    Ok(())
}
