//! A long short-term memory that learns a text, character by character, and then writes some.
//!
//! `cargo run --release --example lstm`
//!
//! Example of autograd's of the same name. The cell is that of Hochreiter and Schmidhuber with the forget gate of Gers and
//! others; `scan` takes it along the text. The text is the license of this crate; every tenth line is held out, and on
//! these it must be better than the counts of characters and of pairs.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/random.rs"]
pub mod random;
#[path = "common/text.rs"]
pub mod text;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use ndarray::{Array1, Array2, s};
use random::Random;
use retrograd::{Tree, Var, jit, scan, value_and_grad};
use text::{Alphabet, best_counted_loss, lines};

/// Learns a text.
#[derive(Parser)]
struct Args {
    /// How many steps the optimizer takes.
    #[arg(long, default_value_t = 500)]
    steps: usize,
}

const N_HIDDEN: usize = 64;
const LENGTH: usize = 48;
const BATCH: usize = 16;
const RATE: f64 = 0.006;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let alphabet = Alphabet::of_text();
    let n_symbols = alphabet.n_symbols();
    let (learned, held_out) = lines(&alphabet);
    let counted = [0, 1].map(|order| best_counted_loss(&learned, &held_out, n_symbols, order));
    println!("counts of single characters  {:.3} nats a character", counted[0]);
    println!("counts of pairs              {:.3} nats a character", counted[1]);

    let model = fit(&learned.concat(), n_symbols, args.steps)?;
    let test = held_out.concat();
    let n = test.len() / (LENGTH + 1);
    let windows = Array2::from_shape_fn((LENGTH + 1, n), |(step, window)| test[window * (LENGTH + 1) + step]);
    let mean: f64 = jit(loss).call(&model, windows)?;
    println!("memory                       {mean:.3} nats a character");
    assert!(mean < counted[0], "the memory predicts no better than counts do");
    assert!(args.steps < 500 || mean < counted[1], "the memory predicts no better than counts of pairs do");
    println!("{}", write(&model, &alphabet, "License", 160)?);
    Ok(())
}

/// Weights of the input, one row for each symbol, and of the state, for all four gates side by side; and those out.
#[derive(Clone, Tree)]
struct Model<T> {
    symbols: T,
    state: T,
    out: T,
    out_bias: T,
}

type State = (Var, Var);

/// One step: the gates of input, forgetting and output, and what is to be remembered.
fn cell(weights: Var, (hidden, memory): State, x: Var) -> State {
    let gates = (x + hidden.dot(weights)).split(1, &[3 * N_HIDDEN, N_HIDDEN]);
    let open = (0.5 * gates[0]).tanh() * 0.5 + 0.5;
    let gate = |n: usize| open.slice(1, n * N_HIDDEN..(n + 1) * N_HIDDEN);
    let memory = gate(1) * memory + gate(0) * gates[1].tanh();
    (gate(2) * memory.tanh(), memory)
}

/// The mean of -ln p over the characters of texts but for their first ones; the texts are columns.
fn loss(model: Model<Var>, texts: Var) -> Var {
    let n = texts.shape()[0] - 1;
    let x = model.symbols.take(texts.slice(0, ..n), 0);
    let zero = x.at(0).slice(1, ..N_HIDDEN) * 0.0;
    let step = |state: State, x: Var| {
        let state = cell(model.state, state, x);
        (state, state.0)
    };
    let hidden = scan((zero, zero), x, step).1;
    let logits = hidden.dot(model.out) + model.out_bias;
    -logits.log_softmax(2).take_along_axis(texts.slice(0, 1..).insert_axis(2), 2).mean()
}

fn step(state: Adam<Model<Var>, Var>, texts: Var) -> (Adam<Model<Var>, Var>, Var) {
    let (loss, slope) = value_and_grad(loss).call(state.0.clone(), texts);
    (adam::step(state, &slope, RATE), loss)
}

fn begin(n_symbols: usize, random: &mut Random) -> Model<Array2<f64>> {
    let mut uniform = |rows: usize, columns: usize, bound: f64| {
        Array2::from_shape_simple_fn((rows, columns), || random.range(-bound, bound))
    };
    let mut symbols = uniform(n_symbols, 4 * N_HIDDEN, 0.5);
    // What is remembered is not forgotten at first.
    symbols.slice_mut(s![.., N_HIDDEN..2 * N_HIDDEN]).mapv_inplace(|x| x + 1.0);
    Model {
        symbols,
        state: uniform(N_HIDDEN, 4 * N_HIDDEN, (3.0 / N_HIDDEN as f64).sqrt()),
        out: uniform(N_HIDDEN, n_symbols, 0.1),
        out_bias: Array2::zeros((1, n_symbols)),
    }
}

fn fit(text: &[i64], n_symbols: usize, n_steps: usize) -> Result<Model<Array2<f64>>, Box<dyn Error>> {
    let mut random = Random(6);
    let step = jit(step);
    let mut state: Adam<Model<Array2<f64>>, f64> =
        jit(adam::start::<Model<Var>>).call(begin(n_symbols, &mut random))?;
    for n in 0..n_steps {
        let starts = [0; BATCH].map(|_| (random.bits() % (text.len() - LENGTH) as u64) as usize);
        let texts = Array2::from_shape_fn((LENGTH + 1, BATCH), |(step, column)| text[starts[column] + step]);
        let loss: f64;
        (state, loss) = step.call(&state, texts)?;
        if n % 100 == 0 {
            println!("step {n:3}  loss {loss:.3}");
        }
    }
    Ok(state.0)
}

/// A text that goes on as the model expects, drawn at random.
fn write(model: &Model<Array2<f64>>, alphabet: &Alphabet, begin: &str, n: usize) -> Result<String, Box<dyn Error>> {
    let next = jit(|model: Model<Var>, state: State, symbol: Var| {
        let state = cell(model.state, state, model.symbols.take(symbol, 0));
        (state, (state.0.dot(model.out) + model.out_bias).softmax(1).at(0))
    });
    let mut random = Random(8);
    let zero = Array2::<f64>::zeros((1, N_HIDDEN));
    let (mut state, mut symbols) = ((zero.clone(), zero), alphabet.numbers(begin));
    let n_begin = symbols.len();
    for at in 0..n_begin + n {
        let probabilities: Array1<f64>;
        (state, probabilities) = next.call(model, (&state.0, &state.1), ndarray::arr1(&[symbols[at]]))?;
        assert!((probabilities.sum() - 1.0).abs() < 1e-12, "the probabilities do not sum to 1");
        if at + 1 >= n_begin {
            let mut left = random.range(0.0, 1.0);
            let drawn = probabilities.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            symbols.push(drawn.unwrap_or(0) as i64);
        }
    }
    Ok(alphabet.text(&symbols))
}
