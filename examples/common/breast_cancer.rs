//! The breast cancer data of Wolberg, Street and Mangasarian: see `data/README.md`.

use std::error::Error;

use ndarray::{Array1, Array2, Axis, s};

use super::random::Random;

const N_COLUMNS: usize = 31;

/// The features, and the labels: 0 malignant, 1 benign. The rows are in an order drawn from a fixed seed.
pub fn load_data() -> Result<(Array2<f64>, Array1<f64>), Box<dyn Error>> {
    let numbers = include_str!("../data/breast_cancer.csv").lines().skip(1).flat_map(|line| line.split(','));
    let numbers = numbers.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let table = Array2::from_shape_vec((numbers.len() / N_COLUMNS, N_COLUMNS), numbers)?;
    let table = table.select(Axis(0), &Random(0).order(table.nrows()));
    Ok((table.slice(s![.., ..N_COLUMNS - 1]).to_owned(), table.column(N_COLUMNS - 1).to_owned()))
}
