//! Rosenbrock's valley: gradient descent creeps along its floor, Newton's method with the compiled Hessian is there at
//! once.
//!
//! `cargo run --release --example rosenbrock`

use nalgebra::{Matrix2, Vector2};
use retrograd::{Error, Var, hessian, jit, value_and_grad};

/// (1 - x)² + 100 (y - x²)²: least, 0, at (1, 1), at the bottom of a bent valley.
fn rosenbrock([x, y]: [Var; 2]) -> Var {
    let (a, b) = (1.0 - x, y - x * x);
    a * a + 100.0 * b * b
}

/// Where Rosenbrock began.
const START: [f64; 2] = [-1.2, 1.0];
const RATE: f64 = 1e-3;
const N_DESCENTS: usize = 50_000;

fn main() -> Result<(), Error> {
    let slow = gradient_descent()?;
    println!();
    let n_steps = newton()?;
    println!();
    println!(
        "{N_DESCENTS} steps of gradient descent end {slow:.1e} from the minimum; {n_steps} of Newton's method on it"
    );
    Ok(())
}

/// The distance from the minimum after all steps.
fn gradient_descent() -> Result<f64, Error> {
    let f = jit(value_and_grad(rosenbrock));
    let mut point = START;
    println!("gradient descent, rate {RATE}\n  step          value   distance to (1, 1)");
    for step in 0..=N_DESCENTS {
        let (value, slope): (f64, [f64; 2]) = f.call(point)?;
        if [0, 10, 100, 1_000, 10_000, N_DESCENTS].contains(&step) {
            println!("{step:6} {value:14.3e} {:20.3e}", distance(point));
        }
        point = [point[0] - RATE * slope[0], point[1] - RATE * slope[1]];
    }
    assert!(distance(point) < 1e-4, "gradient descent went astray");
    Ok(distance(point))
}

/// The number of steps until the gradient vanishes.
fn newton() -> Result<usize, Error> {
    let f = jit(value_and_grad(rosenbrock));
    let curvature = jit(hessian(rosenbrock));
    let mut point = START;
    println!("Newton's method\n  step          value   distance to (1, 1)");
    for step in 0..20 {
        let (value, slope): (f64, [f64; 2]) = f.call(point)?;
        println!("{step:6} {value:14.3e} {:20.3e}", distance(point));
        if slope == [0.0, 0.0] {
            assert_eq!(point, [1.0, 1.0], "a stationary point that is not the minimum");
            return Ok(step);
        }
        let h: [[f64; 2]; 2] = curvature.call(point)?;
        by_hand(point, h);
        let step = Matrix2::from(h).lu().solve(&Vector2::from(slope)).expect("Rosenbrock's Hessian is regular here");
        point = [point[0] - step.x, point[1] - step.y];
    }
    panic!("Newton's method did not arrive in 20 steps");
}

/// Requires the Hessian that one derives by hand.
fn by_hand([x, y]: [f64; 2], h: [[f64; 2]; 2]) {
    let expected = [[2.0 - 400.0 * (y - 3.0 * x * x), -400.0 * x], [-400.0 * x, 200.0]];
    for (got, expected) in h.iter().flatten().zip(expected.iter().flatten()) {
        assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{got} is not {expected}");
    }
}

fn distance([x, y]: [f64; 2]) -> f64 {
    (x - 1.0).hypot(y - 1.0)
}
