//! A differential equation that is a neural network, learned from one trajectory of another.
//!
//! `cargo run --release --example ode_net`
//!
//! Example of autograd's of the same name (after Chen and others, *Neural Ordinary Differential Equations*, 2018): a damped
//! oscillator y' = A y³ is seen at 30 times, and a network learns the right side. The gradient goes back through the steps
//! of Runge's and Kutta's method. The trajectory of the oscillator is made by plain Rust, in steps a tenth as long; it must
//! be followed between the times that were seen, too.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/random.rs"]
pub mod random;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use ndarray::{Array1, Array2, Axis};
use random::Random;
use retrograd::{Tree, Var, jit, scan, value_and_grad};

/// Learns a differential equation.
#[derive(Parser)]
struct Args {
    /// How many steps the optimizer takes.
    #[arg(long, default_value_t = 2000)]
    steps: usize,
}

const N_TIMES: usize = 30;
const LAST_TIME: f64 = 1.5;
const STEP: f64 = LAST_TIME / (N_TIMES - 1) as f64;
const START: [f64; 2] = [2.0, 0.0];
const N_HIDDEN: usize = 50;
const RATE: f64 = 0.03;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let fine = oscillator(10);
    let seen = fine.select(Axis(0), &(0..N_TIMES).map(|k| 10 * k).collect::<Vec<_>>());
    let start = Array1::from(START.to_vec());

    let mut random = Random(15);
    let mut state: Adam<Network<Array2<f64>>, f64> =
        jit(adam::start::<Network<Var>>).call(Network::new(&mut random))?;
    slopes_are_those_of_differences(&state.0, &start, &seen)?;
    let step = jit(step);
    for n in 0..args.steps {
        // Smaller steps towards the end: the loss has corners.
        let loss: f64;
        (state, loss) = step.call(&state, &start, &seen, RATE * (1.0 - n as f64 / args.steps as f64))?;
        if n % 500 == 0 {
            println!("step {n:4}  mean distance {loss:.5}");
        }
    }
    let mean: f64 = jit(loss).call(&state.0, &start, &seen)?;
    println!("mean distance from the trajectory {mean:.5}");
    assert!(mean < 0.04, "the network is {mean} off the trajectory");

    // Half a step from the first time, and from there on in whole steps.
    let between = jit(|network: Network<Var>, start: Var| {
        trajectory(&network, runge_kutta(&network, start, STEP / 2.0), N_TIMES - 1)
    });
    let between: Array2<f64> = between.call(&state.0, &start)?;
    let expected = fine.select(Axis(0), &(0..N_TIMES - 1).map(|k| 10 * k + 5).collect::<Vec<_>>());
    let off = (between - expected).mapv(f64::abs).mean().unwrap_or_default();
    println!("between the times that were seen      {off:.5}");
    assert!(off < 0.04, "the network is {off} off between the times that it has seen");
    Ok(())
}

#[derive(Clone, Tree)]
struct Network<T> {
    hidden: T,
    hidden_bias: T,
    out: T,
    out_bias: T,
}

impl Network<Var> {
    fn apply(&self, y: Var) -> Var {
        (y.dot(self.hidden) + self.hidden_bias.at(0)).tanh().dot(self.out) + self.out_bias.at(0)
    }
}

impl Network<Array2<f64>> {
    fn new(random: &mut Random) -> Self {
        let mut uniform = |rows: usize, columns: usize, bound: f64| {
            Array2::from_shape_simple_fn((rows, columns), || random.range(-bound, bound))
        };
        Network {
            hidden: uniform(2, N_HIDDEN, 2.0),
            hidden_bias: uniform(1, N_HIDDEN, 2.0),
            out: uniform(N_HIDDEN, 2, 0.3),
            out_bias: Array2::zeros((1, 2)),
        }
    }
}

/// One step of the classical method of fourth order.
fn runge_kutta(network: &Network<Var>, y: Var, h: f64) -> Var {
    let a = network.apply(y);
    let b = network.apply(y + h / 2.0 * a);
    let c = network.apply(y + h / 2.0 * b);
    let d = network.apply(y + h * c);
    y + h / 6.0 * (a + 2.0 * (b + c) + d)
}

/// The states at `n` times, the first of which is the start.
fn trajectory(network: &Network<Var>, start: Var, n: usize) -> Var {
    let times = Var::from(Array1::<f64>::zeros(n));
    scan(start, times, |y, _: Var| (runge_kutta(network, y, STEP), y)).1
}

fn loss(network: Network<Var>, start: Var, seen: Var) -> Var {
    (trajectory(&network, start, N_TIMES) - seen).abs().mean()
}

fn step(state: Adam<Network<Var>, Var>, start: Var, seen: Var, rate: Var) -> (Adam<Network<Var>, Var>, Var) {
    let (loss, slope) = value_and_grad(loss).call(state.0.clone(), start, seen);
    (adam::step(state, &slope, rate), loss)
}

/// The trajectory of the oscillator by the same method in plain Rust, with `n` steps for one of the network's.
fn oscillator(n: usize) -> Array2<f64> {
    let right = |[x, y]: [f64; 2]| {
        let (x, y) = (x.powi(3), y.powi(3));
        [-0.1 * x - 2.0 * y, 2.0 * x - 0.1 * y]
    };
    let h = STEP / n as f64;
    let mut states = vec![START];
    let mut y = START;
    for _ in 0..n * (N_TIMES - 1) {
        let moved = |by: f64, slope: [f64; 2]| [y[0] + by * slope[0], y[1] + by * slope[1]];
        let a = right(y);
        let b = right(moved(h / 2.0, a));
        let c = right(moved(h / 2.0, b));
        let d = right(moved(h, c));
        y = [0, 1].map(|k| y[k] + h / 6.0 * (a[k] + 2.0 * (b[k] + c[k]) + d[k]));
        states.push(y);
    }
    Array2::from_shape_fn((states.len(), 2), |(row, column)| states[row][column])
}

/// The gradient by some weights, against differences.
fn slopes_are_those_of_differences(
    network: &Network<Array2<f64>>,
    start: &Array1<f64>,
    seen: &Array2<f64>,
) -> Result<(), Box<dyn Error>> {
    let (_, slope): (f64, Network<Array2<f64>>) = jit(value_and_grad(loss)).call(network, start, seen)?;
    let loss = jit(loss);
    for weight in [[0, 0], [1, 7], [0, 31]] {
        let at = |change: f64| {
            let mut moved = network.clone();
            moved.hidden[weight] += change;
            loss.call::<f64>(&moved, start, seen)
        };
        let difference = (at(1e-6)? - at(-1e-6)?) / 2e-6;
        let slope = slope.hidden[weight];
        assert!((slope - difference).abs() < 1e-7, "by weight {weight:?}: {slope} against {difference}");
    }
    Ok(())
}
