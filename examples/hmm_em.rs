//! A hidden Markov model of a text, by expectation and maximization: what is expected is a gradient.
//!
//! `cargo run --release --example hmm_em`
//!
//! Example of autograd's of the same name. The logarithm of the likelihood, as a function of the logarithms of the
//! probabilities, has as its derivatives how often each is expected to be used; that is the whole backward pass of Baum's
//! and Welch's algorithm. The characters choose columns of the table of emissions, and their expected counts are added up
//! where they came from. With each iteration the likelihood must rise (Dempster, Laird and Rubin, 1977).

#[path = "common/random.rs"]
pub mod random;
#[path = "common/text.rs"]
pub mod text;

use std::error::Error;

use clap::Parser;
use ndarray::{Array1, Array2, Axis};
use random::Random;
use retrograd::{Tree, Var, jit, scan, value_and_grad};
use text::Alphabet;

/// Learns hidden states of a text.
#[derive(Parser)]
struct Args {
    /// How many iterations there are.
    #[arg(long, default_value_t = 60)]
    iterations: usize,
}

const N_STATES: usize = 8;
const N_CHARACTERS: usize = 4000;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let alphabet = Alphabet::of_text();
    let text: String = text::TEXT.split_whitespace().flat_map(|word| [word, " "]).collect();
    let symbols: Array1<i64> = alphabet.numbers(&text)[..N_CHARACTERS].iter().copied().collect();
    let n_symbols = alphabet.n_symbols();
    sums_all_paths()?;

    let expect = jit(value_and_grad(log_likelihood));
    let mut model = begin(N_STATES, n_symbols);
    let mut last = f64::NEG_INFINITY;
    for iteration in 0..=args.iterations {
        let (value, counts): (f64, Host) = expect.call(&model, &symbols)?;
        if iteration % 20 == 0 {
            println!("iteration {iteration:2}  {:.4} nats a character", -value / N_CHARACTERS as f64);
        }
        assert!(value > last - 1e-9 * value.abs(), "the likelihood falls from {last} to {value}");
        let n = N_CHARACTERS as f64;
        for (counts, n) in [(counts.first.sum(), 1.0), (counts.next.sum(), n - 1.0), (counts.emitted.sum(), n)] {
            assert!((counts - n).abs() < 1e-9 * n, "{counts} uses are expected, not {n}");
        }
        model = counts.normalized();
        last = value;
    }

    let (loss, single) = (-last / N_CHARACTERS as f64, entropy(&symbols, n_symbols));
    println!("{N_STATES} states need {loss:.4} nats a character, single characters {single:.4}");
    assert!(loss < single - 0.1, "the hidden states tell nothing");
    Ok(())
}

/// Logarithms of probabilities: of the first state, of the next by this one, of a character by the state. The first is a
/// row, as the others are tables.
#[derive(Clone, Tree)]
struct Model<T> {
    first: T,
    next: T,
    emitted: T,
}

type Host = Model<Array2<f64>>;

/// Goes along the text with the probability of all that was seen, by the state that it ends in.
fn log_likelihood(model: Model<Var>, symbols: Var) -> Var {
    let emitted = model.emitted.take(symbols, 1).t();
    let start = model.first.at(0) + emitted.at(0);
    let step = |seen: Var, emitted: Var| {
        let seen = (seen.insert_axis(1) + model.next).logsumexp(&[0]) + emitted;
        (seen, ())
    };
    scan(start, emitted.slice(0, 1..), step).0.logsumexp(&[0])
}

impl Host {
    /// The logarithms of the shares that rows of expected counts have.
    fn normalized(self) -> Host {
        let shares = |x: Array2<f64>| (&x / &x.sum_axis(Axis(1)).insert_axis(Axis(1))).mapv(f64::ln);
        Model { first: shares(self.first), next: shares(self.next), emitted: shares(self.emitted) }
    }
}

fn begin(n_states: usize, n_symbols: usize) -> Host {
    let mut random = Random(12);
    let mut counts = |rows, columns| Array2::from_shape_simple_fn((rows, columns), || random.range(0.5, 1.0));
    Model { first: counts(1, n_states), next: counts(n_states, n_states), emitted: counts(n_states, n_symbols) }
        .normalized()
}

/// The likelihood of a short text is the sum over all paths of hidden states.
fn sums_all_paths() -> Result<(), Box<dyn Error>> {
    let (model, symbols) = (begin(3, 4), [2i64, 0, 3, 3, 1]);
    let mut sum = 0.0;
    for path in 0..3usize.pow(symbols.len() as u32) {
        let state = |at: usize| path / 3usize.pow(at as u32) % 3;
        let next: f64 = (1..symbols.len()).map(|at| model.next[[state(at - 1), state(at)]]).sum();
        let emitted = symbols.iter().enumerate().map(|(at, &symbol)| model.emitted[[state(at), symbol as usize]]);
        sum += (model.first[[0, state(0)]] + next + emitted.sum::<f64>()).exp();
    }
    let got: f64 = jit(log_likelihood).call(&model, ndarray::arr1(&symbols))?;
    assert!((got - sum.ln()).abs() < 1e-13, "the likelihood is {got}, not {}", sum.ln());
    Ok(())
}

/// What each character costs where only its frequency is known.
fn entropy(symbols: &Array1<i64>, n_symbols: usize) -> f64 {
    let mut counts = vec![0.0; n_symbols];
    symbols.iter().for_each(|&symbol| counts[symbol as usize] += 1.0);
    let n = symbols.len() as f64;
    counts.into_iter().filter(|&count| count > 0.0).map(|count| -count / n * (count / n).ln()).sum()
}
