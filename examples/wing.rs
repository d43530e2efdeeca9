//! A wing, cell by cell: which obstacle in a wind gives much lift for its drag?
//!
//! `cargo run --release --example wing`
//!
//! Example `wing` of autograd's, on a smaller grid. Each cell is occupied in part; the part is the parameter. The gradient
//! of lift over drag goes back through a simulation of the wind around the cells.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/fluid.rs"]
pub mod fluid;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use fluid::{advect, neighbors, project};
use ndarray::{Array2, s};
use retrograd::{Var, fori_loop, jit, value_and_grad};

/// Shapes a wing.
#[derive(Parser)]
struct Args {
    /// How many steps the optimizer takes.
    #[arg(long, default_value_t = 60)]
    steps: usize,
}

const ROWS: usize = 24;
const COLUMNS: usize = 36;
const N_TIMES: usize = 12;
const N_PRESSURES: usize = 30;
const RATE: f64 = 0.1;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut start = Array2::from_elem((ROWS, COLUMNS), -1.0);
    start.slice_mut(s![9..15, 9..15]).fill(0.0);
    let forces = jit(forces);
    let (lift, drag): (f64, f64) = forces.call(&start)?;
    println!("a block             lift {lift:9.6}  drag {drag:.6}");
    assert!(lift.abs() < 1e-14 && drag > 0.0, "a block that is its own mirror image is lifted by {lift}");

    let wing = optimize(start, args.steps)?;
    let (lift, drag): (f64, f64) = forces.call(&wing)?;
    println!("a wing              lift {lift:9.6}  drag {drag:.6}  ratio {:.3}", lift / drag);
    let mirrored = wing.slice(s![..;-1, ..]).to_owned();
    let (fall, same): (f64, f64) = forces.call(&mirrored)?;
    println!("its mirror image    lift {fall:9.6}  drag {same:.6}");
    assert!(lift > 0.2 * drag, "the wing does not lift");
    assert!((lift + fall).abs() < 1e-12 && (drag - same).abs() < 1e-12, "the mirror image is not pressed down as much");
    slopes_are_those_of_differences(&wing)?;
    for row in wing.rows().into_iter().skip(ROWS / 4).take(ROWS / 2) {
        let occupied = row.iter().skip(COLUMNS / 6).take(COLUMNS / 3);
        println!("  {}", occupied.map(|&x| if x.tanh() > 0.0 { '#' } else { '.' }).collect::<String>());
    }
    Ok(())
}

/// The parts of the cells that are occupied: none outside of a window.
fn occupied(parameters: Var) -> Var {
    let window = Array2::from_shape_fn((ROWS, COLUMNS), |(i, j)| {
        f64::from((ROWS / 4..3 * ROWS / 4).contains(&i) && (COLUMNS / 6..COLUMNS / 2).contains(&j))
    });
    0.5 * (parameters.tanh() + 1.0) * Var::from(window)
}

/// Within what is occupied, the mean of the free neighbors in place of the field.
fn continued(field: Var, free: Var) -> Var {
    field * free + (1.0 - free) * neighbors(field * free) / (neighbors(free) + 0.001)
}

/// The wind after some steps: downwards, and to the right.
fn simulate(parameters: Var) -> [Var; 2] {
    let free = 1.0 - occupied(parameters);
    let around = |flow| project(flow, N_PRESSURES, |x| continued(x, free)).map(|part| part * free);
    let wind = around([free.full_like(0.0), free.full_like(1.0)]);
    fori_loop(N_TIMES, wind, |_, flow| around(flow.map(|part| advect(part, flow))))
}

/// How much the obstacle turns the wind downwards, and how much it slows it.
fn forces(parameters: Var) -> (Var, Var) {
    let [down, right] = simulate(parameters);
    (down.mean(), (1.0 - right).mean())
}

fn loss(parameters: Var) -> Var {
    let (lift, drag) = forces(parameters);
    -lift / drag
}

fn step(state: Adam<Var, Var>) -> (Adam<Var, Var>, Var) {
    let (loss, slope) = value_and_grad(loss).call(state.0);
    (adam::step(state, &slope, RATE), loss)
}

fn optimize(start: Array2<f64>, n_steps: usize) -> Result<Array2<f64>, Box<dyn Error>> {
    let mut state: Adam<Array2<f64>, f64> = jit(adam::start::<Var>).call(&start)?;
    let step = jit(step);
    for n in 0..n_steps {
        let loss: f64;
        (state, loss) = step.call(&state)?;
        if n % 20 == 0 {
            println!("step {n:2}  lift over drag {:.4}", -loss);
        }
    }
    Ok(state.0)
}

/// The gradient by some cells, against differences.
fn slopes_are_those_of_differences(wing: &Array2<f64>) -> Result<(), Box<dyn Error>> {
    let (_, slopes): (f64, Array2<f64>) = jit(value_and_grad(loss)).call(wing)?;
    let loss = jit(loss);
    for cell in [[9, 9], [11, 14], [14, 12], [8, 16]] {
        let at = |change: f64| {
            let mut moved = wing.clone();
            moved[cell] += change;
            loss.call::<f64>(&moved)
        };
        let difference = (at(1e-5)? - at(-1e-5)?) / 2e-5;
        assert!((slopes[cell] - difference).abs() < 1e-6, "at {cell:?}: {} against {difference}", slopes[cell]);
    }
    assert_eq!(slopes[[0, 0]], 0.0, "a cell outside of the window has an effect");
    Ok(())
}
