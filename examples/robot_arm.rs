//! A robot arm of seven joints: where its hand is, how that changes with each joint, and which angles bring it to a
//! given place.
//!
//! `cargo run --release --example robot_arm`
//!
//! The kinematics are written once, generic over `num_traits::Float`: plain `f64` runs them, and `Var` traces them.
//! Their Jacobian is compiled from the trace and held to the one of the textbooks, column by column: joint i, which
//! turns about the axis z at the place p, moves the hand by z × (hand - p), and turns it by z. Gauss and Newton's
//! method inverts them.

#[path = "common/arm.rs"]
pub mod arm;
#[path = "common/random.rs"]
pub mod random;

use std::time::Instant;

use arm::{FLANGE, Hand, LIMITS, N_JOINTS, READY, hand, jacobian_by_hand, sub};
use nalgebra::{SMatrix, SVector};
use num_traits::Float;
use random::Random;
use retrograd::{Error, Var, jacobian, jit};

fn main() -> Result<(), Error> {
    stretched_out();
    let worst = check_jacobian()?;
    println!("the Jacobian is off that of the textbooks by {worst:.1e}");
    inverse_kinematics()
}

/// With all angles 0 the arm stands upright, and its place can be read off the links.
fn stretched_out() {
    let (place, axes) = hand([0.0; N_JOINTS]);
    let expected = [0.088, 0.0, 0.333 + 0.316 + 0.384 - FLANGE];
    assert!(norm(sub(place, expected)) < 1e-15 && axes[2] == [0.0, 0.0, -1.0], "{place:?}, {axes:?}");
    let (place, _) = hand(READY);
    println!("the hand waits at  {:.4} {:.4} {:.4} m", place[0], place[1], place[2]);
}

/// How far the compiled Jacobian is from the geometric one, at random angles.
fn check_jacobian() -> Result<f64, Error> {
    let kinematics = jit(hand::<Var>);
    let slopes = jit(jacobian(hand::<Var>));
    let mut random = Random(7);
    let mut worst = 0.0f64;
    for _ in 0..100 {
        let q = LIMITS.map(|(low, high)| random.range(low, high));
        let (place, _): Hand<f64> = kinematics.call(q)?;
        worst = worst.max(norm(sub(place, hand(q).0)));
        let (place, axes): Hand<[f64; N_JOINTS]> = slopes.call(q)?;
        let (expected_place, expected_axes) = jacobian_by_hand(q);
        let got = place.iter().chain(axes.iter().flatten()).flatten();
        let expected = expected_place.iter().chain(expected_axes.iter().flatten()).flatten();
        worst = got.zip(expected).map(|(got, expected)| (got - expected).abs()).fold(worst, f64::max);
    }
    assert!(worst < 1e-14, "the Jacobian is off by {worst:e}");
    Ok(worst)
}

// Inverse kinematics

const N_RESIDUALS: usize = 12;
const N_TARGETS: usize = 200;
const N_STEPS: usize = 100;
/// What keeps steps short: in proportion to the residuals squared, since far away the linear model does not hold; and a
/// little at the end, since seven joints leave one direction in which nothing moves.
const DAMPING: (f64, f64) = (1e-2, 1e-9);
const LONGEST_STEP: f64 = 0.5;

/// What separates the hand from its target: the way to its place, and from each axis to where it should point.
fn residuals<T: Float>(angles: [T; N_JOINTS], (place, axes): Hand<T>) -> [T; N_RESIDUALS] {
    let (got_place, got_axes) = hand(angles);
    let ways = [sub(got_place, place), sub(got_axes[0], axes[0]), sub(got_axes[1], axes[1]), sub(got_axes[2], axes[2])];
    std::array::from_fn(|k| ways[k / 3][k % 3])
}

/// Brings the hand to where random angles would put it, from the pose in which the arm waits.
fn inverse_kinematics() -> Result<(), Error> {
    let residual = jit(residuals::<Var>);
    let slopes = jit(jacobian(residuals::<Var>));
    let mut random = Random(11);
    let (mut n_reached, mut n_steps, mut worst) = (0, 0, 0.0f64);
    let start = Instant::now();
    for _ in 0..N_TARGETS {
        let near = |(angle, (low, high)): (f64, (f64, f64))| (angle + random.range(-0.8, 0.8)).clamp(low, high);
        let mut angles = READY.into_iter().zip(LIMITS).map(near);
        let target = hand(std::array::from_fn(|_| angles.next().unwrap_or(0.0)));
        let mut q = READY;
        for _ in 0..N_STEPS {
            let r: [f64; N_RESIDUALS] = residual.call(q, target)?;
            let r = SVector::from(r);
            if r.norm() < 1e-13 {
                break;
            }
            let rows: [[f64; N_JOINTS]; N_RESIDUALS] = slopes.call(q, target)?;
            q = step(q, &r, &SMatrix::from_fn(|i, j| rows[i][j]));
            n_steps += 1;
        }
        let (place, axes) = hand(q);
        let off = (0..3).map(|k| norm(sub(axes[k], target.1[k]))).fold(norm(sub(place, target.0)), f64::max);
        if off < 1e-12 {
            n_reached += 1;
            worst = worst.max(off);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{n_reached} of {N_TARGETS} targets reached, to {worst:.1e} m, in {:.1} steps on average", {
        n_steps as f64 / N_TARGETS as f64
    });
    println!("{:.1} µs a step", 1e6 * seconds / f64::from(n_steps));
    assert!(n_reached == N_TARGETS, "{} targets are out of reach", N_TARGETS - n_reached);
    Ok(())
}

/// The step of Gauss and Newton, damped as Levenberg did.
fn step(q: [f64; N_JOINTS], r: &SVector<f64, N_RESIDUALS>, j: &SMatrix<f64, N_RESIDUALS, N_JOINTS>) -> [f64; N_JOINTS] {
    let damping = DAMPING.0 * r.norm_squared() + DAMPING.1;
    let normal = j.transpose() * j + SMatrix::identity() * damping;
    let step = normal.cholesky().map_or(SVector::zeros(), |factors| factors.solve(&(j.transpose() * r)));
    let shorter = (LONGEST_STEP / step.norm()).min(1.0);
    std::array::from_fn(|k| q[k] - shorter * step[k])
}

fn norm(a: [f64; 3]) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}
