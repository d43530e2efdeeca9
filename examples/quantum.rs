//! A variational circuit of eight qubits: the energy of a state, its gradient by 64 angles, and the ground state of Ising's
//! model in a transverse field.
//!
//! `cargo run --release --example quantum`
//!
//! The circuit is an array of 256 complex amplitudes. Each layer lets neighbors on a ring interact, and then turns each qubit
//! about its x axis. Its gradient is held to the rule of shifted parameters, by which a quantum computer finds it: every
//! angle θ stands in one exp(-½i θ P) with P² = 1, so the slope by it is half the difference between the energies at
//! θ + π/2 and at θ - π/2 (Mitarai, Negoro, Kitagawa and Fujii 2018; Schuld and others 2019). The lowest energy that the
//! circuit reaches is held to the closed form for free fermions (Pfeuty 1970), and to the eigenvalues of the Hamiltonian as
//! a matrix of 256 rows. Half as many layers as qubits suffice for the exact ground state (Ho and Hsieh 2019).

#[path = "common/circuit.rs"]
pub mod circuit;

use std::f64::consts::{FRAC_PI_2, PI};
use std::time::Instant;

use circuit::{N_QUBITS, N_STATES, energy, state};
use ndarray::{Array1, Array2, Array3};
use num_complex::Complex64;
use retrograd::{Error, Var, jit, linalg, value_and_grad};

const N_LAYERS: usize = N_QUBITS / 2;
/// The transverse field at which the infinite ring changes from magnet to paramagnet.
const FIELD: f64 = 1.0;
const N_STEPS: usize = 500;

fn main() -> Result<(), Error> {
    check_state()?;
    println!("the gradient is off the rule of shifted parameters by {:.1e}", check_gradient()?);
    ground_state()
}

/// Angles without symmetry.
fn some_angles() -> Array3<f64> {
    Array3::from_shape_fn((N_LAYERS, 2, N_QUBITS), |(layer, kind, qubit)| {
        0.1 + (0.05 * (16 * layer + 8 * kind + qubit) as f64) % 1.7
    })
}

/// A circuit keeps the norm of the state, and without angles the state itself.
fn check_state() -> Result<(), Error> {
    let amplitudes: Array1<Complex64> = jit(state).call(some_angles())?;
    let norm: f64 = amplitudes.iter().map(|z| z.norm_sqr()).sum();
    assert!((norm - 1.0).abs() < 1e-14, "the norm is {norm}");
    let at_rest: Array1<Complex64> = jit(state).call(Array3::<f64>::zeros((N_LAYERS, 2, N_QUBITS)))?;
    assert!(at_rest.iter().all(|z| (z - 1.0 / 16.0).norm() < 1e-15), "no angle, no change");
    Ok(())
}

/// How far the gradient is from the rule of shifted parameters.
fn check_gradient() -> Result<f64, Error> {
    let (energy, slopes, mut angles) = (jit(energy), jit(value_and_grad(energy)), some_angles());
    let (_, slopes): (f64, Array3<f64>) = slopes.call(&angles, FIELD)?;
    let mut worst = 0.0f64;
    for (place, &slope) in slopes.indexed_iter() {
        let angle = angles[place];
        let mut at = |angle: f64| -> Result<f64, Error> {
            angles[place] = angle;
            energy.call(&angles, FIELD)
        };
        let shifted = (at(angle + FRAC_PI_2)? - at(angle - FRAC_PI_2)?) / 2.0;
        angles[place] = angle;
        worst = worst.max((slope - shifted).abs());
    }
    assert!(worst < 1e-13, "the gradient is off by {worst:e}");
    Ok(worst)
}

/// Finds the ground state, from angles that turn the field down slowly.
fn ground_state() -> Result<(), Error> {
    let exact = free_fermions();
    let spectrum: Array1<f64> = jit(|h: Var| linalg::eigvalsh(h)).call(hamiltonian())?;
    assert!((exact - spectrum[0]).abs() < 1e-12, "{exact} in closed form, but {} by eigenvalues", spectrum[0]);
    let slopes = jit(value_and_grad(energy));
    let ramp = |layer: usize| (layer as f64 + 0.5) / N_LAYERS as f64;
    let start = Array3::from_shape_fn((N_LAYERS, 2, N_QUBITS), |(layer, kind, _)| {
        -1.2 * if kind == 0 { ramp(layer) } else { 1.0 - ramp(layer) }
    });
    let clock = Instant::now();
    let mut n_calls = 0;
    let mut evaluate = |angles: &Array1<f64>| -> Result<(f64, Array1<f64>), Error> {
        n_calls += 1;
        let angles = angles.to_shape((N_LAYERS, 2, N_QUBITS)).expect("bug: another number of angles");
        let (value, slope): (f64, Array3<f64>) = slopes.call(angles, FIELD)?;
        Ok((value, slope.into_flat()))
    };
    let (found, n_steps) = minimize(start.into_flat(), &mut evaluate)?;
    let seconds = clock.elapsed().as_secs_f64();
    println!("the ground state has energy {exact:.9}, and is found to {:.1e} in {n_steps} steps", found - exact);
    println!("{:.1} µs for each energy and gradient, with compilation", 1e6 * seconds / f64::from(n_calls));
    assert!((found - exact).abs() < 1e-8, "the energy is {found}, but should be {exact}");
    assert!(found > exact - 1e-12, "below the ground state");
    Ok(())
}

/// The lowest energy of the ring: Σ of the energies of free fermions, whose momenta are odd multiples of π over the number
/// of qubits.
fn free_fermions() -> f64 {
    let momentum = |k: usize| (2 * k + 1) as f64 * PI / N_QUBITS as f64;
    -(0..N_QUBITS).map(|k| (1.0 + FIELD * FIELD + 2.0 * FIELD * momentum(k).cos()).sqrt()).sum::<f64>()
}

/// The Hamiltonian as a matrix.
fn hamiltonian() -> Array2<f64> {
    Array2::from_shape_fn((N_STATES, N_STATES), |(row, column)| {
        let spin = |qubit: usize| if row >> (qubit % N_QUBITS) & 1 == 0 { 1.0 } else { -1.0 };
        match (row ^ column).count_ones() {
            0 => -(0..N_QUBITS).map(|qubit| spin(qubit) * spin(qubit + 1)).sum::<f64>(),
            1 => -FIELD,
            _ => 0.0,
        }
    })
}

type Evaluate<'a> = dyn FnMut(&Array1<f64>) -> Result<(f64, Array1<f64>), Error> + 'a;

/// The method of Broyden, Fletcher, Goldfarb and Shanno. Returns the lowest value, and how many steps it took.
fn minimize(mut x: Array1<f64>, f: &mut Evaluate<'_>) -> Result<(f64, usize), Error> {
    let n = x.len();
    let (mut value, mut slope) = f(&x)?;
    let mut inverse = Array2::<f64>::eye(n);
    for step in 0..N_STEPS {
        if slope.dot(&slope).sqrt() < 1e-7 {
            return Ok((value, step));
        }
        let direction = -inverse.dot(&slope);
        let descent = direction.dot(&slope);
        let mut length = 1.0;
        let (next, next_value, next_slope) = loop {
            let next = &x + length * &direction;
            let (next_value, next_slope) = f(&next)?;
            if next_value <= value + 1e-4 * length * descent || length < 1e-9 {
                break (next, next_value, next_slope);
            }
            length /= 2.0;
        };
        let (moved, bent) = (&next - &x, &next_slope - &slope);
        let along = moved.dot(&bent);
        if along > 1e-14 {
            let turned = inverse.dot(&bent);
            let outer = |a: &Array1<f64>, b: &Array1<f64>| {
                a.view().insert_axis(ndarray::Axis(1)).dot(&b.view().insert_axis(ndarray::Axis(0)))
            };
            let both = outer(&turned, &moved);
            inverse = inverse + outer(&moved, &moved) * ((1.0 + bent.dot(&turned) / along) / along)
                - (&both + &both.t()) / along;
        }
        (x, value, slope) = (next, next_value, next_slope);
    }
    Ok((value, N_STEPS))
}
