//! A variational autoencoder of handwritten digits: four numbers for an image.
//!
//! `cargo run --release --example vae`
//!
//! Example `variational_autoencoder` of autograd's (Kingma and Welling, 2014), on images of 8×8 pixels, each of which is
//! taken for the probability of a dark one. One network gives a normal distribution of four numbers for an image, the
//! other a probability for each pixel from these. The bound of the evidence of images that were held out must be above that
//! of pixels which are independent, with the frequencies of the others, and below that of pixels whose probabilities are
//! known: both of these are counted.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/digits.rs"]
pub mod digits;
#[path = "common/random.rs"]
pub mod random;
#[path = "common/variational.rs"]
pub mod variational;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use digits::N_PIXELS;
use ndarray::{Array1, Array2, ArrayView1, Axis};
use random::Random;
use retrograd::random::{fold_in, key, normal};
use retrograd::{Tree, Var, jit, value_and_grad};
use variational::log_normal;

/// Learns to describe and to draw digits.
#[derive(Parser)]
struct Args {
    /// How often each image is seen.
    #[arg(long, default_value_t = 60)]
    epochs: usize,
}

const N_LATENT: usize = 4;
const N_HIDDEN: usize = 64;
const BATCH: usize = 64;
const RATE: f64 = 0.005;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut random = Random(14);
    let (train, held_out) = digits::load_data(&mut random)?;
    let net = fit(&train.images, args.epochs, &mut random)?;

    let measure = jit(|net: Net<Var>, x: Var| {
        let (drawn, divergence, estimate) = net.parts(x, key(5i64));
        (drawn.mean() - divergence.mean(), divergence.mean(), estimate.mean())
    });
    let (bound, divergence, estimate): (f64, f64, f64) = measure.call(&net, &held_out.images)?;
    let independent = of_independent_pixels(&train.images, &held_out.images);
    let known = -held_out.images.mapv(entropy).sum() / held_out.images.nrows() as f64;
    println!("bound of the evidence of held-out images  {bound:.2} nats an image");
    println!("where pixels are independent              {independent:.2} nats an image");
    println!("where each pixel's probability is known   {known:.2} nats an image");
    println!("of the bound, the divergence from the prior is {divergence:.2}, by draws {estimate:.2}");
    assert!(bound > independent + 1.0, "four numbers tell little about an image: {bound} against {independent}");
    assert!(bound < known, "the bound {bound} is above what can be known");
    assert!((divergence - estimate).abs() < 0.3, "the divergence in closed form is {divergence}, by draws {estimate}");

    let pictures: Array2<f64> =
        jit(|net: Net<Var>| net.decoder.apply(normal(key(3i64), [8, N_LATENT])).sigmoid()).call(&net)?;
    assert!(pictures.iter().all(|p| (0.0..=1.0).contains(p)), "a probability is none");
    draw(&pictures);
    Ok(())
}

/// Weights and biases of two layers.
#[derive(Clone, Tree)]
struct Layers<T> {
    hidden: (T, T),
    out: (T, T),
}

#[derive(Clone, Tree)]
struct Net<T> {
    encoder: Layers<T>,
    decoder: Layers<T>,
}

impl Layers<Var> {
    fn apply(&self, x: Var) -> Var {
        let hidden = (x.dot(self.hidden.0) + self.hidden.1).tanh();
        hidden.dot(self.out.0) + self.out.1
    }
}

impl Net<Var> {
    /// For each image the log-probability of its pixels by one draw of the numbers, the divergence of their distribution
    /// from N(0, 1), and the estimate of that by the same draw.
    fn parts(&self, x: Var, key: Var) -> (Var, Var, Var) {
        let codes = self.encoder.apply(x);
        let (mean, log_deviation) = (codes.slice(1, ..N_LATENT), codes.slice(1, N_LATENT..));
        let draw = mean + log_deviation.exp() * normal(key, [x.shape()[0], N_LATENT]);
        let logits = self.decoder.apply(draw);
        let drawn = (x * logits - logits.logaddexp(0.0)).sum_axes(&[1]);
        let variance = (2.0 * log_deviation).exp();
        let divergence = (0.5 * (variance + mean.square() - 1.0) - log_deviation).sum_axes(&[1]);
        let zero = Var::from(0.0);
        let estimate = log_normal(draw, mean, log_deviation) - log_normal(draw, zero, zero);
        (drawn, divergence, estimate.sum_axes(&[1]))
    }
}

fn step(state: Adam<Net<Var>, Var>, x: Var, n: Var) -> (Adam<Net<Var>, Var>, Var) {
    let key = fold_in(key(0i64), n);
    let loss = |net: Net<Var>| {
        let (drawn, divergence, _) = net.parts(x, key);
        (divergence - drawn).mean()
    };
    let (loss, slope) = value_and_grad(loss).call(state.0.clone());
    (adam::step(state, &slope, RATE), loss)
}

impl Net<Array2<f64>> {
    fn new(random: &mut Random) -> Self {
        let mut layer = |n_in: usize, n_out: usize| {
            let bound = (3.0 / n_in as f64).sqrt();
            (Array2::from_shape_simple_fn((n_in, n_out), || random.range(-bound, bound)), Array2::zeros((1, n_out)))
        };
        let encoder = Layers { hidden: layer(N_PIXELS, N_HIDDEN), out: layer(N_HIDDEN, 2 * N_LATENT) };
        let decoder = Layers { hidden: layer(N_LATENT, N_HIDDEN), out: layer(N_HIDDEN, N_PIXELS) };
        Net { encoder, decoder }
    }
}

fn fit(images: &Array2<f64>, n_epochs: usize, random: &mut Random) -> Result<Net<Array2<f64>>, Box<dyn Error>> {
    let step = jit(step);
    let mut state: Adam<Net<Array2<f64>>, f64> = jit(adam::start::<Net<Var>>).call(Net::new(random))?;
    let mut n_steps = 0i64;
    for epoch in 1..=n_epochs {
        let order = random.order(images.nrows());
        let mut sum = 0.0;
        for rows in order.chunks_exact(BATCH) {
            let loss: f64;
            (state, loss) = step.call(&state, images.select(Axis(0), rows), n_steps)?;
            sum += loss;
            n_steps += 1;
        }
        if epoch % 10 == 0 {
            println!("epoch {epoch:2}  bound {:.2}", -sum / (images.nrows() / BATCH) as f64);
        }
    }
    Ok(state.0)
}

/// The mean log-probability of images whose pixels are dark as often as those of other images, each for itself.
fn of_independent_pixels(images: &Array2<f64>, held_out: &Array2<f64>) -> f64 {
    let n = images.nrows() as f64;
    let frequencies: Array1<f64> = images.sum_axis(Axis(0)).mapv(|sum| (sum + 0.5) / (n + 1.0));
    let image = |image: ArrayView1<f64>| -> f64 {
        image.iter().zip(&frequencies).map(|(x, p)| x * p.ln() + (1.0 - x) * (1.0 - p).ln()).sum()
    };
    held_out.rows().into_iter().map(image).sum::<f64>() / held_out.nrows() as f64
}

/// Of a pixel that is dark with this probability.
fn entropy(p: f64) -> f64 {
    let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    part(p) + part(1.0 - p)
}

/// Images side by side, in shades of characters.
fn draw(images: &Array2<f64>) {
    const SHADES: [char; 5] = [' ', '.', 'o', 'O', '@'];
    let side = N_PIXELS.isqrt();
    for row in 0..side {
        let line = |image: ArrayView1<f64>| -> String {
            (0..side).map(|column| SHADES[(image[row * side + column] * 4.0).round() as usize]).collect()
        };
        println!("{}", images.rows().into_iter().map(line).collect::<Vec<_>>().join("  "));
    }
}
