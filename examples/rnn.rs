//! A small recurrent network that learns to remember: at each step it must say what it heard two steps before. It is
//! trained by `scan` through sequences of twenty steps, and then listens to sequences of two hundred.
//!
//! `cargo run --release --example rnn`

use std::error::Error;

use ndarray::{Array1, Array2, Axis};
use retrograd::{Var, jit, scan, value_and_grad};

const N_HIDDEN: usize = 12;
const N_SEQUENCES: usize = 32;
const N_STEPS: usize = 20;
const DELAY: usize = 2;
const N_UPDATES: usize = 600;

/// Weights of the input, of the state, of the output; biases of the state and of the output.
type Parameters<T> = (T, T, T, T, T);

/// What the network says at each step, of sequences that lie side by side: rows are steps, columns are sequences.
fn answers((w_in, w_state, w_out, b, b_out): Parameters<Var>, heard: Var) -> Var {
    let silence = heard.index_axis(0, 0).outer(b) * 0.0;
    let step = |state: Var, x: Var| {
        let state = (x.outer(w_in) + state.dot(w_state) + b).tanh();
        (state, state.dot(w_out) + b_out)
    };
    scan(silence, heard, step).1
}

/// The mean square error, from the first step on that has an answer.
fn loss(parameters: Parameters<Var>, heard: Var) -> Var {
    let n = heard.shape()[0];
    let said = answers(parameters, heard).slice_axis(0, DELAY, n, 1);
    (said - heard.slice_axis(0, 0, n - DELAY, 1)).square().mean()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(7);
    let mut parameters = [
        random.array((1, N_HIDDEN)),
        random.array((N_HIDDEN, N_HIDDEN)) / (N_HIDDEN as f64).sqrt(),
        random.array((1, N_HIDDEN)) * 0.1,
        Array2::zeros((1, N_HIDDEN)),
        Array2::zeros((1, 1)),
    ];
    let step = jit(value_and_grad(loss));
    let mut adam = Adam::new(&parameters);
    for update in 0..=N_UPDATES {
        let heard = random.array((N_STEPS, N_SEQUENCES));
        let (loss, slopes): (f64, Leaves) = step.call(as_tree(&parameters), &heard)?;
        if update % (N_UPDATES / 3) == 0 {
            println!("update {update:3}  mean square error {loss:.4}");
        }
        adam.update(&mut parameters, slopes);
    }

    // Silence, as the best of all constant answers, is wrong by the variance of what is heard: 1/3.
    let error = jit(loss);
    let trees = as_tree(&parameters);
    let same: f64 = error.call(&trees, random.array((N_STEPS, 500)))?;
    let longer: f64 = error.call(&trees, random.array((10 * N_STEPS, 500)))?;
    println!("new sequences                mean square error {same:.4}");
    println!("sequences ten times as long  mean square error {longer:.4}");
    assert!(same < 0.01 && longer < 0.01, "the network has not learned to remember: {same}, {longer}");
    assert_eq!(step.n_paths(), 1);
    Ok(())
}

/// Parameters as the functions take them; they are all kept as matrices.
fn as_tree([w_in, w_state, w_out, b, b_out]: &[Array2<f64>; 5]) -> Leaves {
    let row = |x: &Array2<f64>| x.row(0).to_owned();
    (row(w_in), w_state.clone(), row(w_out), row(b), b_out[[0, 0]])
}

/// What stands for the parameters on this side.
type Leaves = (Array1<f64>, Array2<f64>, Array1<f64>, Array1<f64>, f64);

/// Kingma's and Ba's method.
struct Adam {
    mean: [Array2<f64>; 5],
    square: [Array2<f64>; 5],
    n_updates: i32,
}

impl Adam {
    fn new(parameters: &[Array2<f64>; 5]) -> Adam {
        let zeros = || parameters.each_ref().map(|x| Array2::zeros(x.dim()));
        Adam { mean: zeros(), square: zeros(), n_updates: 0 }
    }

    fn update(&mut self, parameters: &mut [Array2<f64>; 5], (w_in, w_state, w_out, b, b_out): Leaves) {
        const RATE: f64 = 0.005;
        let row = |x: Array1<f64>| x.insert_axis(Axis(0));
        let slopes = [row(w_in), w_state, row(w_out), row(b), Array2::from_elem((1, 1), b_out)];
        self.n_updates += 1;
        let [mean_scale, square_scale] = [0.9f64, 0.999].map(|decay| 1.0 / (1.0 - decay.powi(self.n_updates)));
        for (k, slope) in slopes.iter().enumerate() {
            let (mean, square) = (&mut self.mean[k], &mut self.square[k]);
            *mean = &*mean * 0.9 + slope * 0.1;
            *square = &*square * 0.999 + slope * slope * 0.001;
            let step = (&*mean * mean_scale) / ((&*square * square_scale).mapv(f64::sqrt) + 1e-8);
            parameters[k].scaled_add(-RATE, &step);
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine.
struct Random(u64);

impl Random {
    /// Uniform in [-1, 1).
    fn array(&mut self, (rows, columns): (usize, usize)) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
    }
}
