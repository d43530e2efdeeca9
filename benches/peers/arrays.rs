//! Convolutions, embeddings, and selections.

use std::error::Error;

use retrograd::Var;
use retrograd::value::{Array, Tree};

use crate::rig::{Case, Rig, What, types};

/// The cross entropy of a network of two convolutions by 3×3 kernels, of images whose channels come last.
fn conv_net([k1, b1, k2, b2, d, b3]: [Var; 6], x: Var, labels: Var, conv: fn(Var, Var) -> Var) -> Var {
    let h = (conv(x, k1) + b1).max(0.0);
    let h = (conv(h, k2) + b2).max(0.0);
    let [n, height, width, channels] = [0, 1, 2, 3].map(|axis| h.shape()[axis]);
    let h = h.reshape(&[n, height / 2, 2, width / 2, 2, channels]).max_axes(&[2, 4]);
    let z = h.reshape(&[n, Var::REST]).dot(d) + b3;
    (z.logsumexp(&[1]) - (z * labels).sum_axes(&[1])).mean()
}

/// The images, padded by zeros, as they are met by each entry of the kernel.
fn shifted(x: Var) -> Vec<Var> {
    let (height, width) = (x.shape()[1], x.shape()[2]);
    let padded = x.pad(0.0, &[0, 1, 1, 0], &[0, 1, 1, 0], &[0; 4]);
    let part = |i: usize| padded.slice(1, i / 3..i / 3 + height).slice(2, i % 3..i % 3 + width);
    (0..9).map(part).collect()
}

fn by_shifted_products(x: Var, kernel: Var) -> Var {
    let products = shifted(x).into_iter().enumerate().map(|(i, x)| x.dot(kernel.at(i / 3).at(i % 3)));
    products.reduce(|sum, product| sum + product).expect("nine products")
}

fn by_columns(x: Var, kernel: Var) -> Var {
    let channels = kernel.shape()[3];
    Var::concatenate(&shifted(x), 3).dot(kernel.reshape(&[Var::REST, channels]))
}

pub fn measure_conv(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = [&rig.args::<6>()?[..], &rig.consts::<2>()?].concat();
    let leaves = |arrays: &[Array]| arrays.iter().map(|array| Tree::Leaf(array.ty())).collect::<Vec<_>>();
    let types = Tree::Tuple([vec![Tree::List(leaves(&inputs[..6]))], leaves(&inputs[6..])].concat());
    for (variant, conv) in [("shifted products", by_shifted_products as fn(Var, Var) -> Var), ("columns", by_columns)] {
        let loss = move |weights: [Var; 6], x: Var, labels: Var| conv_net(weights, x, labels, conv);
        Case::new(rig, variant, inputs.clone()).scalar(loss, &types, 6, &[What::ValueAndGrad])?;
    }
    Ok(())
}

/// The logistic loss of means of rows of a table, ten for each.
fn embedding(table: Var, w: Var, rows: Var, t: Var) -> Var {
    let means = table.take(rows.reshape(&[t.shape()[0], Var::REST]), 0).mean_axes(&[1]);
    (-(2.0 * t - 1.0) * means.dot(w)).exp().ln_1p().mean()
}

pub fn measure_embedding(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = [&rig.args::<2>()?[..], &rig.consts::<2>()?].concat();
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(embedding, &types, 2, &[What::ValueAndGrad])
}

/// The mean of the largest twentieth of absolute errors.
fn value_at_risk(w: Var, x: Var, y: Var) -> Var {
    let n = y.shape()[0];
    (x.dot(w) - y).abs().top_k(n / 20, 0).0.mean()
}

pub fn measure_value_at_risk(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = [&rig.args::<1>()?[..], &rig.consts::<2>()?].concat();
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(value_at_risk, &types, 1, &[What::ValueAndGrad])
}
