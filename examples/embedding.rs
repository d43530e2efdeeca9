//! Vectors of characters: which one comes next? The vectors of the three before it, and the mean of those of the word
//! before and of what stands of this one, go through one layer of neurons.
//!
//! `cargo run --release --example embedding`
//!
//! The model is that of Bengio and others (*A Neural Probabilistic Language Model*, 2003), with a bag beside the window.
//! Vectors are rows of a table, which `take` reads; the words have different lengths, so that the means are means of
//! segments. The text is the license of this crate, of which every tenth line is held out. There the network must be
//! better than the counts of single characters, of pairs, and of triples.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/random.rs"]
pub mod random;
#[path = "common/text.rs"]
pub mod text;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use ndarray::{Array1, Array2};
use random::Random;
use retrograd::{Tree, Var, jit, value_and_grad};
use text::{Alphabet, START, best_counted_loss, lines};

/// Learns vectors of characters.
#[derive(Parser)]
struct Args {
    /// How often each character is seen.
    #[arg(long, default_value_t = 20)]
    epochs: usize,
}

const WINDOW: usize = 3;
const N_DIMENSIONS: usize = 12;
const N_HIDDEN: usize = 64;
const BATCH: usize = 128;
const RATE: f64 = 0.004;
/// The characters in the bags of a batch: places that are left over belong to a bag that nothing reads.
const BAGS: usize = 20 * BATCH;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let alphabet = Alphabet::of_text();
    let n_symbols = alphabet.n_symbols();
    let (learned, held_out) = lines(&alphabet);
    let (train, test) = (samples(&learned, &alphabet), samples(&held_out, &alphabet));
    println!("{} characters of {n_symbols} kinds to learn from, {} held out", train.len(), test.len());

    let names = ["single characters", "pairs", "triples"];
    let counted = [0, 1, 2].map(|order| best_counted_loss(&learned, &held_out, n_symbols, order));
    names.iter().zip(counted).for_each(|(name, loss)| println!("counts of {name:17}  {loss:.3} nats a character"));

    let model = fit(&train, n_symbols, args.epochs)?;
    let (loss, n) = (jit(loss), test.len() - test.len() % BATCH);
    let losses = test[..n].chunks_exact(BATCH).map(|batch| loss.call::<f64>(&model, Batch::new(batch)));
    let mean = losses.sum::<Result<f64, retrograd::Error>>()? / (n / BATCH) as f64;
    println!("vectors                      {mean:.3} nats a character");
    assert!(mean < counted[0] && mean < counted[1], "the vectors predict no better than counts do: {mean}");
    assert!(args.epochs < 20 || mean < counted[2], "the vectors predict no better than counts of triples: {mean}");
    unseen_rows_stay(&model)
}

/// A character and what is known before it: the last ones, and those of the last word and of this one.
#[derive(Clone)]
struct Sample {
    window: [i64; WINDOW],
    bag: Vec<i64>,
    next: i64,
}

fn samples(lines: &[Vec<i64>], alphabet: &Alphabet) -> Vec<Sample> {
    let space = alphabet.numbers(" ")[0];
    let places = lines.iter().flat_map(|line| (0..line.len()).map(move |at| (line, at)));
    let sample = |(line, at): (&Vec<i64>, usize)| {
        let window = std::array::from_fn(|back| if back < at { line[at - back - 1] } else { START });
        let word = |before: usize| line[..before].iter().rposition(|&symbol| symbol == space).unwrap_or(0);
        let mut bag = line[word(word(at))..at].to_vec();
        bag.push(START); // so that none is empty
        bag.truncate(BAGS / BATCH);
        Sample { window, bag, next: line[at] }
    };
    places.map(sample).collect()
}

#[derive(Clone, Tree)]
struct Batch<T> {
    /// `[BATCH, WINDOW]`
    window: T,
    /// The characters of all bags, `[BAGS]`, and which bag each is in.
    bag: T,
    bag_of: T,
    next: T,
}

impl Batch<ndarray::ArrayD<i64>> {
    fn new(samples: &[Sample]) -> Self {
        let window = Array2::from_shape_fn((samples.len(), WINDOW), |(row, back)| samples[row].window[back]);
        let members =
            samples.iter().enumerate().flat_map(|(row, sample)| sample.bag.iter().map(move |&x| (x, row as i64)));
        let rest = std::iter::repeat((START, samples.len() as i64));
        let (bag, bag_of): (Vec<i64>, Vec<i64>) = members.chain(rest).take(BAGS).unzip();
        let next: Array1<i64> = samples.iter().map(|sample| sample.next).collect();
        let [bag, bag_of, next] = [bag.into(), bag_of.into(), next].map(Array1::into_dyn);
        Batch { window: window.into_dyn(), bag, bag_of, next }
    }
}

#[derive(Clone, Tree)]
struct Model<T> {
    table: T,
    hidden: T,
    hidden_bias: T,
    out: T,
    out_bias: T,
}

/// The mean of -ln p over the characters that come next.
fn loss(model: Model<Var>, batch: Batch<Var>) -> Var {
    let n = batch.next.shape()[0];
    let window = model.table.take(batch.window, 0).reshape(&[n, Var::REST]);
    let bags = model.table.take(batch.bag, 0).segment_mean(batch.bag_of, n + 1).slice(0, ..n);
    let hidden = (Var::concatenate(&[window, bags], 1).dot(model.hidden) + model.hidden_bias).tanh();
    let logits = hidden.dot(model.out) + model.out_bias;
    -logits.log_softmax(1).take_along_axis(batch.next.insert_axis(1), 1).mean()
}

fn step(state: Adam<Model<Var>, Var>, batch: Batch<Var>) -> (Adam<Model<Var>, Var>, Var) {
    let (loss, slope) = value_and_grad(loss).call(state.0.clone(), batch);
    (adam::step(state, &slope, RATE), loss)
}

fn begin(n_symbols: usize, random: &mut Random) -> Model<Array2<f64>> {
    let n_in = (WINDOW + 1) * N_DIMENSIONS;
    let mut uniform = |rows: usize, columns: usize, bound: f64| {
        Array2::from_shape_simple_fn((rows, columns), || random.range(-bound, bound))
    };
    Model {
        table: uniform(n_symbols, N_DIMENSIONS, 1.0),
        hidden: uniform(n_in, N_HIDDEN, (3.0 / n_in as f64).sqrt()),
        hidden_bias: Array2::zeros((1, N_HIDDEN)),
        out: uniform(N_HIDDEN, n_symbols, 0.1),
        out_bias: Array2::zeros((1, n_symbols)),
    }
}

fn fit(train: &[Sample], n_symbols: usize, n_epochs: usize) -> Result<Model<Array2<f64>>, Box<dyn Error>> {
    let mut random = Random(3);
    let step = jit(step);
    let mut state: Adam<Model<Array2<f64>>, f64> =
        jit(adam::start::<Model<Var>>).call(begin(n_symbols, &mut random))?;
    for epoch in 1..=n_epochs {
        let order = random.order(train.len());
        let mut sum = 0.0;
        for rows in order.chunks_exact(BATCH) {
            let samples: Vec<Sample> = rows.iter().map(|&row| train[row].clone()).collect();
            let loss: f64;
            (state, loss) = step.call(&state, Batch::new(&samples))?;
            sum += loss;
        }
        println!("epoch {epoch:2}  loss {:.3}", sum / (train.len() / BATCH) as f64);
    }
    Ok(state.0)
}

/// The gradient by the table is zero but in the rows that were taken, and is there what differences say.
fn unseen_rows_stay(model: &Model<Array2<f64>>) -> Result<(), Box<dyn Error>> {
    let sample = Sample { window: [5, 6, 5], bag: vec![7, 8, 7], next: 9 };
    let batch = Batch::new(std::slice::from_ref(&sample));
    let (_, slope): (f64, Model<Array2<f64>>) = jit(value_and_grad(loss)).call(model, &batch)?;
    let loss = jit(loss);
    for (row, slopes) in slope.table.outer_iter().enumerate() {
        let at = |change: f64| {
            let mut moved = model.clone();
            moved.table[[row, 0]] += change;
            loss.call::<f64>(&moved, &batch)
        };
        let difference = (at(1e-5)? - at(-1e-5)?) / 2e-5;
        assert!((slopes[0] - difference).abs() < 1e-8, "row {row}: {} against {difference}", slopes[0]);
        let taken = (5..=8).contains(&row);
        assert!(taken != slopes.iter().all(|&slope| slope == 0.0), "row {row} has another gradient than it should");
    }
    Ok(())
}
