//! Smoke in a fluid: which flow at the beginning turns a disk of smoke into a handwritten digit?
//!
//! `cargo run --release --example fluid_simulation`
//!
//! Example `fluidsim` of autograd's: the gradient goes back through all steps of a simulation, in which each cell of a
//! grid takes its smoke and its velocity from the place that the flow brings them from (a gather), and the flow is made
//! nearly free of divergence. The grid has no edges. The image is one of the handwritten digits.

#[path = "common/adam.rs"]
pub mod adam;
#[path = "common/digits.rs"]
pub mod digits;
#[path = "common/fluid.rs"]
pub mod fluid;
#[path = "common/random.rs"]
pub mod random;

use std::error::Error;

use adam::Adam;
use clap::Parser;
use digits::{N_PIXELS, load_data};
use fluid::{advect, project};
use ndarray::{Array2, ArrayView2};
use random::Random;
use retrograd::{Var, fori_loop, jit, value_and_grad};

/// Finds a flow that forms smoke.
#[derive(Parser)]
struct Args {
    /// How many steps the optimizer takes.
    #[arg(long, default_value_t = 150)]
    steps: usize,
}

const SIDE: usize = 32;
const N_TIMES: usize = 20;
const N_PRESSURES: usize = 10;
const RATE: f64 = 0.03;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    whole_cells_are_moved()?;
    shear_stays()?;

    let mut random = Random(4);
    let (images, _) = load_data(&mut random)?;
    let three = images.labels.iter().position(|&label| label == 3).ok_or("no image shows a 3")?;
    let pixels = images.images.row(three);
    let scale = SIDE / N_PIXELS.isqrt();
    let target = Array2::from_shape_fn((SIDE, SIDE), |(i, j)| pixels[i / scale * (SIDE / scale) + j / scale]);
    let middle = (SIDE as f64 - 1.0) / 2.0;
    let disk = Array2::from_shape_fn((SIDE, SIDE), |(i, j)| {
        f64::from((i as f64 - middle).hypot(j as f64 - middle) < 0.4 * SIDE as f64)
    });

    slope_is_that_of_differences(&disk, &target, &mut random)?;
    let still = [Array2::zeros((SIDE, SIDE)), Array2::zeros((SIDE, SIDE))];
    let before: f64 = jit(distance).call(&still, &disk, &target)?;
    let unmoved = (&disk - &target).mapv(|x| x * x).mean().unwrap_or_default();
    assert!((before - unmoved).abs() < 1e-15, "a still fluid moves smoke: {before}, not {unmoved}");
    let flow = optimize(still, &disk, &target, args.steps)?;
    let after: f64 = jit(distance).call(&flow, &disk, &target)?;
    println!("mean square distance from the image {before:.4}, and {after:.4} after {} steps", args.steps);
    assert!(after < 0.1 * before, "the flow does not form the smoke");

    let smoke: Array2<f64> = jit(simulate).call(&flow, &disk)?;
    draw(&target.view(), &smoke.view());
    Ok(())
}

/// The smoke after some steps.
fn simulate(flow: [Var; 2], smoke: Var) -> Var {
    let step = |_, (flow, smoke): ([Var; 2], Var)| {
        let flow = project(flow.map(|part| advect(part, flow)), N_PRESSURES, |x| x);
        (flow, advect(smoke, flow))
    };
    fori_loop(N_TIMES, (flow, smoke), step).1
}

fn distance(flow: [Var; 2], smoke: Var, target: Var) -> Var {
    (simulate(flow, smoke) - target).square().mean()
}

fn step(state: Adam<[Var; 2], Var>, smoke: Var, target: Var) -> (Adam<[Var; 2], Var>, Var) {
    let (distance, slope) = value_and_grad(distance).call(state.0, smoke, target);
    (adam::step(state, &slope, RATE), distance)
}

type Flow = [Array2<f64>; 2];

fn optimize(start: Flow, smoke: &Array2<f64>, target: &Array2<f64>, n_steps: usize) -> Result<Flow, Box<dyn Error>> {
    let mut state: Adam<Flow, f64> = jit(adam::start::<[Var; 2]>).call(&start)?;
    let step = jit(step);
    for n in 0..n_steps {
        let distance: f64;
        (state, distance) = step.call(&state, smoke, target)?;
        if n % 50 == 0 {
            println!("step {n:3}  distance {distance:.4}");
        }
    }
    Ok(state.0)
}

/// A flow by whole cells moves a field as it is, around the edges.
fn whole_cells_are_moved() -> Result<(), Box<dyn Error>> {
    let mut random = Random(5);
    let field = Array2::from_shape_simple_fn((7, 5), || random.range(0.0, 1.0));
    let flow = [Array2::from_elem((7, 5), 3.0), Array2::from_elem((7, 5), -6.0)];
    let moved: Array2<f64> = jit(|field: Var, flow: [Var; 2]| advect(field, flow)).call(&field, &flow)?;
    for ((i, j), &value) in moved.indexed_iter() {
        assert_eq!(value, field[[(i + 7 - 3) % 7, (j + 6) % 5]], "at {i}, {j}");
    }
    Ok(())
}

/// A flow without divergence, here layers that slide along each other, has no pressure, and is its own future.
fn shear_stays() -> Result<(), Box<dyn Error>> {
    let shear = [Array2::zeros((9, 9)), Array2::from_shape_fn((9, 9), |(i, _)| (i as f64).sin())];
    let later = |flow: [Var; 2]| project(flow.map(|part| advect(part, flow)), N_PRESSURES, |x| x);
    let later: Flow = jit(later).call(&shear)?;
    for (part, same) in later.iter().zip(&shear) {
        assert!((part - same).iter().all(|change| change.abs() < 1e-15), "a shear flow changes");
    }
    Ok(())
}

/// The gradient at some flow along some direction, against a difference.
fn slope_is_that_of_differences(
    smoke: &Array2<f64>,
    target: &Array2<f64>,
    random: &mut Random,
) -> Result<(), Box<dyn Error>> {
    let mut some = || [0, 1].map(|_| Array2::from_shape_simple_fn((SIDE, SIDE), || random.range(-1.0, 1.0)));
    let (flow, along) = (some(), some());
    let (_, slope): (f64, Flow) = jit(value_and_grad(distance)).call(&flow, smoke, target)?;
    let slope: f64 = slope.iter().zip(&along).map(|(slope, along)| (slope * along).sum()).sum();
    let distance = jit(distance);
    let at = |t: f64| distance.call::<f64>([0, 1].map(|part| &flow[part] + t * &along[part]), smoke, target);
    let difference = (at(1e-7)? - at(-1e-7)?) / 2e-7;
    println!("slope along a direction {slope:.7}, by differences {difference:.7}");
    assert!((slope - difference).abs() < 1e-5 * slope.abs(), "the gradient is wrong");
    Ok(())
}

/// The image and the smoke side by side, in shades of characters.
fn draw(left: &ArrayView2<f64>, right: &ArrayView2<f64>) {
    const SHADES: [char; 5] = [' ', '.', 'o', 'O', '@'];
    let shade = |x: &f64| SHADES[(x.clamp(0.0, 1.0) * 4.0).round() as usize];
    for (left, right) in left.rows().into_iter().zip(right.rows()).step_by(2) {
        println!("{}   {}", left.iter().map(shade).collect::<String>(), right.iter().map(shade).collect::<String>());
    }
}
