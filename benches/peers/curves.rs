//! A series, the Rosenbrock function, an elementwise chain, and an ordinary differential equation.

use std::array;
use std::error::Error;

use retrograd::value::Shape;
use retrograd::{Var, fori_loop, while_loop};

use crate::rig::{Case, Rig, What, types};

/// The sine by its series, up to the first negligible term.
fn taylor_sine(x: Var) -> Var {
    let step = |(ans, term, i): (Var, Var, Var)| {
        let term = -term * x * x / ((2.0 * i + 3.0) * (2.0 * i + 2.0));
        (ans + term, term, i + 1.0)
    };
    while_loop((x, x, Var::from(0.0)), |(_, term, _)| term.abs().greater(0.001), step).0
}

/// `Σ 100 (x[i+1] - x[i]²)² + (1 - x[i])²`.
fn rosenbrock(x: Var) -> Var {
    let n = x.shape()[0];
    let (a, b) = (x.slice_axis(0, 0, n - 1, 1), x.slice_axis(0, 1, n, 1));
    (100.0 * (b - a * a).square() + (1.0 - a).square()).sum()
}

/// `Σ tanh(x) exp(-x²) + sin(x) / (1 + x²)`.
fn chain(x: Var) -> Var {
    (x.tanh() * (-x * x).exp() + x.sin() / (1.0 + x * x)).sum()
}

/// The sum of squares of the populations after `steps` Runge–Kutta steps of the Lotka–Volterra equations.
fn lotka_volterra(steps: usize) -> impl Fn(Var) -> Var + Copy {
    const DT: f64 = 0.01;
    move |p| {
        let [a, b, c, d] = array::from_fn(|k| p.index(k));
        let slope = |x: Var, y: Var| (a * x - b * x * y, d * x * y - c * y);
        let step = |_, (x, y): (Var, Var)| {
            let (x1, y1) = slope(x, y);
            let (x2, y2) = slope(x + 0.5 * DT * x1, y + 0.5 * DT * y1);
            let (x3, y3) = slope(x + 0.5 * DT * x2, y + 0.5 * DT * y2);
            let (x4, y4) = slope(x + DT * x3, y + DT * y3);
            (x + DT / 6.0 * (x1 + 2.0 * x2 + 2.0 * x3 + x4), y + DT / 6.0 * (y1 + 2.0 * y2 + 2.0 * y3 + y4))
        };
        let (x, y) = fori_loop(steps, (Var::from(1.0), Var::from(1.0)), step);
        x * x + y * y
    }
}

/// The rig stores the scalar as a vector with one element.
pub fn measure_taylor_sine(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let [x] = rig.args()?;
    let scalar = x.reshape(&Shape::scalar()).ok_or_else(|| format!("x must be one number, but is {}", x.ty()))?;
    let inputs = vec![scalar];
    let types = types(&inputs);
    Case::new(rig, "while_loop", inputs).scalar(taylor_sine, &types, 1, &[What::ValueAndGrad])
}

/// The rig measures second derivatives for one size, and first derivatives for all others.
pub fn measure_rosenbrock(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let [x] = rig.args()?;
    let whats: &[What] = if x.size() == 100 { &[What::Hvp, What::Hessian] } else { &[What::ValueAndGrad] };
    let inputs = vec![x];
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(rosenbrock, &types, 1, whats)
}

pub fn measure_chain(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = rig.args::<1>()?.to_vec();
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(chain, &types, 1, &[What::ValueAndGrad])
}

pub fn measure_lotka_volterra(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = rig.args::<1>()?.to_vec();
    let types = types(&inputs);
    let f = lotka_volterra(rig.integer("steps")?);
    Case::new(rig, "fori_loop", inputs).scalar(f, &types, 1, &[What::ValueAndGrad])
}
