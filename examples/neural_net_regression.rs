//! A curve through noisy points, by a small network.
//!
//! `cargo run --release --example neural_net_regression`
//!
//! Example of autograd's of the same name: 80 points of a cosine in two places, and a network with two layers of neurons
//! that are bells, as in its example; the most probable weights, where weights are normal with deviation 5. Held to the
//! cosine that the network has not seen, at points between those that it has.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/random.rs"]
pub mod random;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use ndarray::{Array1, Array2, array};
use random::Random;
use retrograd::{Tree, Var, jit, value_and_grad};

/// Fits a network to points.
#[derive(Parser)]
struct Args {
    /// How many steps the optimizer takes.
    #[arg(long, default_value_t = 1000)]
    steps: usize,
}

const N_POINTS: usize = 80;
const EXTENTS: [usize; 4] = [1, 4, 4, 1];
const NOISE: f64 = 0.1;
const PRIOR_DEVIATION: f64 = 5.0;
const RATE: f64 = 0.02;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut random = Random(13);
    let x: Array1<f64> =
        Array1::linspace(0.0, 2.0, N_POINTS / 2).into_iter().chain(Array1::linspace(6.0, 8.0, N_POINTS / 2)).collect();
    // The sum of twelve uniform numbers is nearly normal.
    let mut normal = || (0..12).map(|_| random.range(-0.5, 0.5)).sum::<f64>();
    let y = x.mapv(|x| x.cos() + NOISE * normal());

    let mut state: Adam<Network<Array2<f64>>, f64> =
        jit(adam::start::<Network<Var>>).call(Network::new(&mut random))?;
    let step = jit(step);
    for n in 0..args.steps {
        let loss: f64;
        (state, loss) = step.call(&state, &x, &y)?;
        if n % 250 == 0 {
            println!("step {n:4}  -ln p of weights and points {loss:9.2}");
        }
    }
    let predict = jit(|network: Network<Var>, x: Var| network.apply(x));
    for (from, to) in [(0.0, 2.0), (6.0, 8.0)] {
        let x = Array1::linspace(from, to, 333);
        let curve: Array1<f64> = predict.call(&state.0, &x)?;
        let off = (curve - x.mapv(f64::cos)).mapv(|e| e * e).mean().unwrap_or_default().sqrt();
        println!("from {from} to {to} the curve is {off:.4} off the cosine, with noise of {NOISE}");
        assert!(off < 0.6 * NOISE, "the curve is {off} off");
    }
    let bell: f64 = jit(|x: Var| bell(x)).call(0.7)?;
    assert!((bell - 0.312_253_933_366_761_27).abs() < 1e-15, "the density of the normal distribution at 0.7 is {bell}");
    let ends: Array1<f64> = predict.call(&state.0, array![100.0, -100.0])?;
    assert!(ends.iter().all(|y| y.is_finite()), "{ends}");
    Ok(())
}

#[derive(Clone, Tree)]
struct Network<T> {
    /// Weights and biases of each layer.
    layers: Vec<(T, T)>,
}

/// The density of the normal distribution.
fn bell(x: Var) -> Var {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

impl Network<Var> {
    fn apply(&self, x: Var) -> Var {
        let mut x = (x.insert_axis(1) - 4.0) / 4.0;
        for (k, (w, b)) in self.layers.iter().enumerate() {
            x = if k == 0 { x } else { bell(x) }.dot(*w) + *b;
        }
        x.squeeze(1)
    }
}

impl Network<Array2<f64>> {
    fn new(random: &mut Random) -> Self {
        let mut layer = |pair: &[usize]| {
            let mut uniform = |rows| Array2::from_shape_simple_fn((rows, pair[1]), || random.range(-2.0, 2.0));
            (uniform(pair[0]), uniform(1))
        };
        Network { layers: EXTENTS.windows(2).map(&mut layer).collect() }
    }
}

fn loss(network: Network<Var>, x: Var, y: Var) -> Var {
    let weights = network.layers.iter().flat_map(|&(w, b)| [w, b]).map(Var::norm_squared);
    let prior = weights.reduce(|sum, w| sum + w).unwrap_or(0.0.into()) / (2.0 * PRIOR_DEVIATION.powi(2));
    prior + (network.apply(x) - y).square().sum() / (2.0 * NOISE.powi(2))
}

fn step(state: Adam<Network<Var>, Var>, x: Var, y: Var) -> (Adam<Network<Var>, Var>, Var) {
    let (loss, slope) = value_and_grad(loss).call(state.0.clone(), x, y);
    (adam::step(state, &slope, RATE), loss)
}
