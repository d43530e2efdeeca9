//! Fluids on a grid without edges, after Jos Stam (*Real-Time Fluid Dynamics for Games*, 2003).

use retrograd::value::DType;
use retrograd::{Var, fori_loop};

/// The grid moved by one cell: `forward` towards higher indices, else towards lower ones.
pub fn roll(x: Var, axis: usize, forward: bool) -> Var {
    let n = x.shape()[axis];
    let cut = if forward { n - 1 } else { 1 };
    Var::concatenate(&[x.slice(axis, cut..), x.slice(axis, ..cut)], axis)
}

/// The sum of the four neighbors.
pub fn neighbors(x: Var) -> Var {
    roll(x, 0, true) + roll(x, 0, false) + roll(x, 1, true) + roll(x, 1, false)
}

/// Half the difference of the neighbors along an axis.
pub fn slope(x: Var, axis: usize) -> Var {
    0.5 * (roll(x, axis, false) - roll(x, axis, true))
}

/// What a field becomes in a unit of time in which each cell takes its value from where the flow brings it: between four
/// cells, as a weighted mean.
pub fn advect(field: Var, [down, right]: [Var; 2]) -> Var {
    let (i, j) = (Var::iota(&field.shape(), 0, DType::F64) - down, Var::iota(&field.shape(), 1, DType::F64) - right);
    let (above, left) = (i.floor(), j.floor());
    let (i, j) = (i - above, j - left);
    let (above, left) = (above.convert(DType::I64), left.convert(DType::I64));
    let cell = |down: i64, right: i64| field.at_points(&[above + down, left + right]).wrap().get();
    (1.0 - i) * ((1.0 - j) * cell(0, 0) + j * cell(0, 1)) + i * ((1.0 - j) * cell(1, 0) + j * cell(1, 1))
}

/// The flow with less of its divergence: less the slope of a pressure that some steps of Jacobi's method find. `settle`
/// is what is done to the divergence, and to the pressure after each step.
pub fn project(flow: [Var; 2], n_steps: usize, settle: impl Fn(Var) -> Var) -> [Var; 2] {
    let divergence = settle(-(slope(flow[0], 0) + slope(flow[1], 1)));
    let start = divergence.full_like(0.0);
    let pressure = fori_loop(n_steps, start, |_, p| settle((divergence + neighbors(p)) / 4.0));
    [flow[0] - slope(pressure, 0), flow[1] - slope(pressure, 1)]
}
