//! Adam, by Kingma and Ba, as a traced function of whatever the parameters are.

use retrograd::{Var, VarTree};

/// The parameters, means of their gradients and of the squares of these, and the number of steps taken.
pub type Adam<P, T> = (P, P, P, T);

const MEAN_DECAY: f64 = 0.9;
const SQUARE_DECAY: f64 = 0.999;

/// Before the first step.
pub fn start<P: VarTree>(parameters: P) -> Adam<P, Var> {
    let zeros = parameters.map(&mut |x| x.full_like(0.0));
    (parameters, zeros.clone(), zeros, Var::from(0.0))
}

/// One step along the gradient.
pub fn step<P: VarTree>((x, mean, square, n_steps): Adam<P, Var>, slope: &P, rate: impl Into<Var>) -> Adam<P, Var> {
    let rate = rate.into();
    let n_steps = n_steps + 1.0;
    let mean = mean.zip(slope, &mut |m, g| MEAN_DECAY * m + (1.0 - MEAN_DECAY) * g);
    let square = square.zip(slope, &mut |v, g| SQUARE_DECAY * v + (1.0 - SQUARE_DECAY) * g * g);
    // Both begin at zero, which is made up for.
    let bias = |decay: f64| 1.0 - (n_steps * decay.ln()).exp();
    let (rate, bias) = (rate / bias(MEAN_DECAY), bias(SQUARE_DECAY));
    let change = mean.zip(&square, &mut |m, v| rate * m / ((v / bias).sqrt() + 1e-8));
    (x.zip(&change, &mut |x, change| x - change), mean, square, n_steps)
}
