//! A text to learn, and what counting says about it.

use std::collections::HashMap;

/// The license of this crate, which has words that come again, and is at hand.
pub const TEXT: &str = include_str!("../../LICENSE-APACHE");

/// Characters as numbers; 0 is what stands before each line.
pub struct Alphabet(Vec<char>);

pub const START: i64 = 0;

impl Alphabet {
    pub fn of_text() -> Alphabet {
        let mut symbols: Vec<char> = TEXT.chars().collect();
        symbols.sort_unstable();
        symbols.dedup();
        Alphabet([vec!['\0'], symbols].concat())
    }

    pub fn n_symbols(&self) -> usize {
        self.0.len()
    }

    pub fn numbers(&self, text: &str) -> Vec<i64> {
        let number = |symbol| self.0.binary_search(&symbol).expect("the text is made of these symbols") as i64;
        text.chars().map(number).collect()
    }

    pub fn text(&self, numbers: &[i64]) -> String {
        numbers.iter().map(|&number| self.0[number as usize]).collect()
    }
}

/// The lines of the text with their ends: those to learn from, and every tenth, which is held out.
pub fn lines(alphabet: &Alphabet) -> (Vec<Vec<i64>>, Vec<Vec<i64>>) {
    let lines = TEXT.split_inclusive('\n').filter(|line| line.trim() != "");
    let numbered = lines.map(|line| alphabet.numbers(line.trim_start())).enumerate();
    let (held_out, rest): (Vec<_>, Vec<_>) = numbered.partition(|(line, _)| line % 10 == 5);
    let unnumbered = |lines: Vec<(usize, Vec<i64>)>| lines.into_iter().map(|(_, line)| line).collect();
    (unnumbered(rest), unnumbered(held_out))
}

/// The mean of -ln p over the characters of lines, where p is how often a character comes after the `order` characters
/// before it, counted in the lines to learn from. Each count is mixed with the estimate of one order less, as if that had
/// been seen `weight` times.
pub fn counted_loss(learned: &[Vec<i64>], held_out: &[Vec<i64>], n_symbols: usize, order: usize, weight: f64) -> f64 {
    let context = |line: &[i64], at: usize, order: usize| -> Vec<i64> {
        (1..=order).map(|back| if back > at { START } else { line[at - back] }).collect()
    };
    let mut counts: HashMap<(Vec<i64>, i64), f64> = HashMap::new();
    let mut totals: HashMap<Vec<i64>, f64> = HashMap::new();
    for (line, at, order) in learned
        .iter()
        .flat_map(|line| (0..line.len()).map(move |at| (line, at)))
        .flat_map(|(line, at)| (0..=order).map(move |order| (line, at, order)))
    {
        let context = context(line, at, order);
        *counts.entry((context.clone(), line[at])).or_default() += 1.0;
        *totals.entry(context).or_default() += 1.0;
    }
    let (mut sum, mut n) = (0.0, 0.0);
    for (line, at) in held_out.iter().flat_map(|line| (0..line.len()).map(move |at| (line, at))) {
        let mut p = 1.0 / n_symbols as f64;
        for order in 0..=order {
            let context = context(line, at, order);
            let total = totals.get(&context).copied().unwrap_or_default();
            p = (counts.get(&(context, line[at])).copied().unwrap_or_default() + weight * p) / (total + weight);
        }
        sum -= p.ln();
        n += 1.0;
    }
    sum / n
}

/// The least of [`counted_loss`] over the weights, which is generous: it is chosen on what is held out.
pub fn best_counted_loss(learned: &[Vec<i64>], held_out: &[Vec<i64>], n_symbols: usize, order: usize) -> f64 {
    let losses =
        [0.25, 0.5, 1.0, 2.0, 4.0, 8.0].map(|weight| counted_loss(learned, held_out, n_symbols, order, weight));
    losses.into_iter().fold(f64::INFINITY, f64::min)
}
