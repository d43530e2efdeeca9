//! The handwritten digits of Alpaydin and Kaynak: see `data/README.md`.

use std::error::Error;

use ndarray::{Array1, Array2, Axis};

use super::random::Random;

pub const N_PIXELS: usize = 64;
pub const N_DIGITS: usize = 10;
pub const N_HELD_OUT: usize = 360;
const SHADES: &str = "0123456789abcdefg";

pub struct Data {
    /// A row of pixels between 0 and 1 for each.
    pub images: Array2<f64>,
    pub labels: Vec<usize>,
}

impl Data {
    pub fn rows(&self, rows: &[usize]) -> Data {
        Data { images: self.images.select(Axis(0), rows), labels: rows.iter().map(|&row| self.labels[row]).collect() }
    }

    pub fn one_hot(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.labels.len(), N_DIGITS), |(row, digit)| f64::from(self.labels[row] == digit))
    }
}

/// The part of the digits that are those of the labels.
pub fn accuracy(digits: &Array1<i64>, labels: &[usize]) -> f64 {
    let n_right = digits.iter().zip(labels).filter(|&(&digit, &label)| digit == label as i64).count();
    n_right as f64 / labels.len() as f64
}

/// The images to train on, and those held out.
pub fn load_data(random: &mut Random) -> Result<(Data, Data), Box<dyn Error>> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (line, row) in include_str!("../data/digits.txt").lines().enumerate() {
        let (image, label) = row.split_once(' ').ok_or_else(|| format!("line {}: has no label", line + 1))?;
        for shade in image.chars() {
            let shade = SHADES.find(shade).ok_or_else(|| format!("line {}: {shade:?} is no shade", line + 1))?;
            pixels.push(shade as f64 / 16.0);
        }
        labels.push(label.parse()?);
    }
    let all = Data { images: Array2::from_shape_vec((labels.len(), N_PIXELS), pixels)?, labels };
    let order = random.order(all.labels.len());
    let (held_out, train) = order.split_at(N_HELD_OUT);
    Ok((all.rows(train), all.rows(held_out)))
}
