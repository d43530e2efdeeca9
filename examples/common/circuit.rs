//! A variational circuit of qubits on a ring, and the energy of Ising's model in a transverse field.

use ndarray::Array2;
use retrograd::value::Array;
use retrograd::{Complex, Var, scan};

pub const N_QUBITS: usize = 8;
/// The amplitudes of a state, in the order of the bits of all qubits, that of the first one in front.
pub const N_STATES: usize = 1 << N_QUBITS;

/// The state after the layers, from the one in which all outcomes are equally likely. For each layer the angles are those
/// between neighbors, and then those of the single qubits: `f64[layers, 2, qubits]`.
pub fn state(angles: Var) -> Complex {
    let start = Complex::ones([N_STATES]) * (N_STATES as f64).sqrt().recip();
    scan(start, angles, |state, angles| (layer(state, angles), ())).0
}

/// Neighbors interact, and then each qubit turns about its x axis.
fn layer(state: Complex, angles: Var) -> Complex {
    // exp(-½i Σ θ ZZ) is diagonal: a phase for each outcome, by which neighbors agree in it.
    let phases = bonds().dot(angles.at(0));
    let state = state * Complex::cis(-0.5 * phases);
    (0..N_QUBITS).fold(state, |state, qubit| turn_first(state, angles.at(1).at(qubit)))
}

/// Turns the qubit in front by exp(-½i θ X) = cos ½θ - i sin ½θ X, and moves it behind all others: after as many turns as
/// there are qubits, they are in order again. So every turn reads two halves in a row.
fn turn_first(state: Complex, angle: Var) -> Complex {
    let (sin, cos) = (0.5 * angle).sin_cos();
    let (a, b) = (state.slice(0, ..N_STATES / 2), state.slice(0, N_STATES / 2..));
    Complex::stack(&[a * cos - (b * sin).mul_i(), b * cos - (a * sin).mul_i()], 1).flatten()
}

/// The expectation of the Hamiltonian -Σ ZZ - field Σ X, with each qubit and its next one on the ring.
pub fn energy(angles: Var, field: Var) -> Var {
    let state = state(angles);
    let classical = -bonds().sum_axes(&[1]).dot(state.abs_squared());
    let turned = (0..N_QUBITS).map(|qubit| state.vdot(flipped(state, qubit)).re).fold(Var::from(0.0), |a, b| a + b);
    classical - field * turned
}

/// The amplitudes with a qubit turned over: Pauli's X.
fn flipped(state: Complex, qubit: usize) -> Complex {
    state.reshape(&[1 << qubit, 2, N_STATES >> (qubit + 1)]).reverse(&[1]).flatten()
}

/// For each outcome and each qubit whether the next one agrees, as 1 or -1.
fn bonds() -> Var {
    let bit = |outcome: usize, qubit: usize| outcome >> (N_QUBITS - 1 - qubit % N_QUBITS) & 1;
    let agree = |(outcome, qubit)| if bit(outcome, qubit) == bit(outcome, qubit + 1) { 1.0 } else { -1.0 };
    Var::constant(Array::from_ndarray(Array2::from_shape_fn((N_STATES, N_QUBITS), agree).into_dyn()))
}
