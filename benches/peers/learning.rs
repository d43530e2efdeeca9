//! Regression, networks, recurrent networks, and a mixture of Gaussians.

use std::array;
use std::error::Error;

use retrograd::value::{Array, Tree};
use retrograd::{Arg, Var, grad, scan, vmap};

use crate::rig::{Case, Rig, What, types};

/// The negative log likelihood of labels `t` under the probabilities `(tanh(x w / 2) + 1) / 2`.
fn logistic_regression(w: Var, x: Var, t: Var) -> Var {
    let p = 0.5 * ((x.dot(w) / 2.0).tanh() + 1.0);
    -(p * t + (1.0 - p) * (1.0 - t)).ln().sum()
}

/// The cross entropy of a three-layer perceptron.
fn mlp([first, second, last]: [(Var, Var); 3], x: Var, labels: Var) -> Var {
    let affine = |x: Var, (w, b): (Var, Var)| x.dot(w) + b;
    let hidden = affine(affine(x, first).tanh(), second).tanh();
    let z = affine(hidden, last);
    (z.logsumexp(&[1]) - (z * labels).sum_axes(&[1])).mean()
}

/// The log likelihood of points `x` under a mixture of Gaussians, with a Wishart prior (ADBench's `gmm`).
///
/// The inverse square root of a component's covariance is a lower triangular matrix Q. Its entries are in `icf`: the
/// logarithms of the diagonal, then the entries below it, column by column. Q (x - μ) is computed as Q x - Q μ, so that
/// one matrix product handles all points and components.
fn mixture(alphas: Var, means: Var, icf: Var, x: Var, prior: Var) -> Var {
    let (n, d) = (x.shape()[0] as f64, x.shape()[1]);
    let [gamma, m, constant] = array::from_fn(|k| prior.index(k));
    let (logs, lower) = (icf.slice_axis(1, 0, d, 1), icf.slice_axis(1, d, d * (d + 1) / 2, 1));
    let (diagonal, sum_of_logs) = (logs.exp(), logs.sum_axes(&[1]));
    let column = |i: usize| {
        let start = i * (2 * d - i - 1) / 2;
        let below = lower.slice_axis(1, start, start + d - 1 - i, 1);
        Var::concatenate(&[diagonal.slice_axis(1, i, i + 1, 1), below], 1).pad(0.0, &[0, i as i64], &[0, 0], &[0, 0])
    };
    // Column, component, row.
    let q = Var::stack(&(0..d).map(column).collect::<Vec<Var>>(), 0);
    let qx = x.dot_general(q, [&[1], &[0]], [&[], &[]]);
    let qm = means.dot_general(q, [&[1], &[0]], [&[0], &[1]]);
    let main = alphas + sum_of_logs - 0.5 * (qx - qm).square().sum_axes(&[2]);
    let squares = diagonal.square().sum_axes(&[1]) + lower.square().sum_axes(&[1]);
    let wishart = (0.5 * gamma * gamma * squares - m * sum_of_logs).sum();
    constant + main.logsumexp(&[1]).sum() - n * alphas.logsumexp(&[0]) + wishart
}

/// The mean square of the outputs of a recurrent network (LSTM) over time. The inputs are multiplied by their weights
/// before the loop, for all times at once.
fn lstm(wx: Var, wh: Var, b: Var, xs: Var) -> Var {
    let [times, batch, width] = [xs.shape()[0], xs.shape()[1], wh.shape()[0]];
    let zero = Var::zeros([batch, width]);
    let cell = |(h, c): (Var, Var), x: Var| {
        let z = (x + h.dot(wh)).split(1, &[width; 4]);
        let c = z[1].sigmoid() * c + z[0].sigmoid() * z[2].tanh();
        let h = z[3].sigmoid() * c.tanh();
        ((h, c), (h * h).sum())
    };
    let (_, squares) = scan((zero, zero), xs.dot(wx) + b, cell);
    squares.sum() / (times * batch * width) as f64
}

/// One layer of the diagonal network: for each gate, a vector of weights and a vector of biases.
type Gates = [(Var, Var); 4];

/// The loss of a network of LSTM layers with diagonal weights that predicts the next character (ADBench's `lstm`).
fn diagonal_lstm(main: Var, extra: Var, state: Var, text: Var) -> Var {
    let (n, width) = (text.shape()[0], text.shape()[1]);
    let gates = |pair: &[Var]| -> Gates {
        let (weights, biases) = (pair[0].split(0, &[width; 4]), pair[1].split(0, &[width; 4]));
        array::from_fn(|k| (weights[k], biases[k]))
    };
    let layers: Vec<Gates> = main.unstack(0).chunks(2).map(gates).collect();
    let states: Vec<(Var, Var)> = state.unstack(0).chunks(2).map(|pair| (pair[0], pair[1])).collect();
    let [w_in, w_out, b_out] = array::from_fn(|k| extra.index_axis(0, k));
    let step = |states: Vec<(Var, Var)>, (x, next): (Var, Var)| {
        let (mut x, mut updated) = (x * w_in, Vec::new());
        for (gates, (h, c)) in layers.iter().zip(states) {
            let gate = |x: Var, k: usize| x * gates[k].0 + gates[k].1;
            let (forget, ingate) = (gate(x, 0).sigmoid(), gate(h, 1).sigmoid());
            let (outgate, change) = (gate(x, 2).sigmoid(), gate(h, 3).tanh());
            let c = c * forget + ingate * change;
            x = outgate * c.tanh();
            updated.push((x, c));
        }
        let y = x * w_out + b_out;
        let normalized = y - (y.exp().sum() + 2.0).ln();
        (updated, (next * normalized).sum())
    };
    let pairs = (text.slice_axis(0, 0, n - 1, 1), text.slice_axis(0, 1, n, 1));
    let (_, likelihoods) = scan(states, pairs, step);
    -likelihoods.sum() / (width * (n - 1)) as f64
}

/// Half the square of the error of a network with one hidden layer.
fn squared_error((w1, b1, w2, b2): (Var, Var, Var, Var), x: Var, t: Var) -> Var {
    let e = (x.dot(w1) + b1).tanh().dot(w2) + b2 - t;
    0.5 * (e * e).sum()
}

/// Gradients for each example.
pub fn measure_per_example(rig: &Rig) -> Result<(), Box<dyn Error>> {
    if let Ok([_, _, _, _]) = rig.args::<4>() {
        let (args, consts) = (rig.args::<4>()?, rig.consts::<2>()?);
        let mut inputs = [&args[..], &consts].concat();
        inputs[3] = inputs[3].reshape(&[].into()).ok_or("b2 must be a number")?;
        let leaf = |array: &Array| Tree::Leaf(array.ty());
        let types = Tree::Tuple(vec![types(&inputs[..4]), leaf(&inputs[4]), leaf(&inputs[5])]);
        let mut case = Case::new(rig, "", inputs);
        case.traced(What::Primal, squared_error, &types, 1)?;
        let each = vmap(grad(squared_error)).over((Arg::<1>, Arg::<2>));
        return case.traced(What::PerExample, each, &types, 0);
    }
    let ([w], [x, t]) = (rig.args()?, rig.consts()?);
    let inputs = vec![w, x, t];
    let types = types(&inputs);
    let mut case = Case::new(rig, "", inputs);
    case.traced(What::Primal, logistic_regression, &types, 1)?;
    let each = vmap(grad(logistic_regression)).over((Arg::<1>, Arg::<2>));
    case.traced(What::PerExample, each, &types, 0)
}

/// The rig measures second derivatives of the small problem.
pub fn measure_logistic_regression(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let ([w], [x, t]) = (rig.args()?, rig.consts()?);
    let whats = [What::ValueAndGrad, What::Hvp, What::Hessian];
    let whats = if x.shape() == [1000, 50] { &whats[..] } else { &whats[..1] };
    let inputs = vec![w, x, t];
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(logistic_regression, &types, 1, whats)
}

pub fn measure_mlp(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let (args, consts) = (rig.args::<6>()?, rig.consts::<2>()?);
    let leaf = |array: &Array| Tree::Leaf(array.ty());
    let layers = args.chunks(2).map(types).collect();
    let types = Tree::Tuple(vec![Tree::List(layers), leaf(&consts[0]), leaf(&consts[1])]);
    Case::new(rig, "", [&args[..], &consts].concat()).scalar(mlp, &types, 6, &[What::ValueAndGrad])
}

/// The rig's second constant has the positions of a triangle's entries for JAX; here they are part of the code.
pub fn measure_mixture(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let ([alphas, means, icf], [x, _, prior]) = (rig.args()?, rig.consts()?);
    let inputs = vec![alphas, means, icf, x, prior];
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(mixture, &types, 3, &[What::ValueAndGrad])
}

pub fn measure_lstm(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = [&rig.args::<3>()?[..], &rig.consts::<1>()?].concat();
    let types = types(&inputs);
    Case::new(rig, "scan", inputs).scalar(lstm, &types, 3, &[What::ValueAndGrad])
}

pub fn measure_diagonal_lstm(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = [&rig.args::<2>()?[..], &rig.consts::<2>()?].concat();
    let types = types(&inputs);
    Case::new(rig, "scan", inputs).scalar(diagonal_lstm, &types, 2, &[What::ValueAndGrad])
}
