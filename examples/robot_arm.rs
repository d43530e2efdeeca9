//! A robot arm of seven joints: where its hand is, how that changes with each joint, and which angles bring it to a given
//! place.
//!
//! `cargo run --release --example robot_arm`
//!
//! The kinematics are written once, generic over `num_traits::Float`: plain `f64` runs them, and `Var` traces them. Their
//! Jacobian is compiled from the trace and held to the one of the textbooks, column by column: joint i, which turns about the
//! axis z at the place p, moves the hand by z × (hand - p), and turns it by z. Gauss and Newton's method inverts them.

#[path = "common/random.rs"]
pub mod random;

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};
use std::time::Instant;

use nalgebra::{SMatrix, SVector};
use num_traits::Float;
use random::Random;
use retrograd::{Error, Function, Jit, Var, jacobian, jit};

const N_JOINTS: usize = 7;

/// The links of the Franka Emika Panda in the convention of Craig, as its maker publishes them (Franka Control Interface
/// documentation, "Robot and interface specifications"): a and d in meters, α in radians; then the flange.
const LINKS: [(f64, f64, f64); N_JOINTS] = [
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -FRAC_PI_2),
    (0.0, 0.316, FRAC_PI_2),
    (0.0825, 0.0, FRAC_PI_2),
    (-0.0825, 0.384, -FRAC_PI_2),
    (0.0, 0.0, FRAC_PI_2),
    (0.088, 0.0, FRAC_PI_2),
];
const FLANGE: f64 = 0.107;
/// The least and the largest angle of each joint, from the same page.
const LIMITS: [(f64, f64); N_JOINTS] = [
    (-2.8973, 2.8973),
    (-1.7628, 1.7628),
    (-2.8973, 2.8973),
    (-3.0718, -0.0698),
    (-2.8973, 2.8973),
    (-0.0175, 3.7525),
    (-2.8973, 2.8973),
];
/// The pose in which the arm waits.
const READY: [f64; N_JOINTS] = [0.0, -FRAC_PI_4, 0.0, -3.0 * FRAC_PI_4, 0.0, FRAC_PI_2, FRAC_PI_4];

fn main() -> Result<(), Error> {
    stretched_out();
    let kinematics = jit(hand::<Var>);
    let slopes = jit(jacobian(hand::<Var>));
    let worst = check_jacobian(&kinematics, &slopes)?;
    println!("the Jacobian is off that of the textbooks by {worst:.1e}");
    inverse_kinematics()
}

/// Where something stands, and the directions of its three axes.
#[derive(Clone, Copy)]
struct Frame<T> {
    place: [T; 3],
    axes: [[T; 3]; 3],
}

impl<T: Float> Frame<T> {
    fn base() -> Frame<T> {
        let (o, l) = (T::zero(), T::one());
        Frame { place: [o; 3], axes: [[l, o, o], [o, l, o], [o, o, l]] }
    }

    /// Moved along its own axis.
    fn along(self, axis: usize, by: T) -> Frame<T> {
        Frame { place: std::array::from_fn(|k| self.place[k] + by * self.axes[axis][k]), ..self }
    }

    /// Turned about its own x or z axis, given the sine and cosine of the angle.
    fn about(self, axis: usize, (sin, cos): (T, T)) -> Frame<T> {
        let mut axes = self.axes;
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        for k in 0..3 {
            axes[u][k] = cos * self.axes[u][k] + sin * self.axes[v][k];
            axes[v][k] = cos * self.axes[v][k] - sin * self.axes[u][k];
        }
        Frame { axes, ..self }
    }
}

fn number<T: Float>(x: f64) -> T {
    T::from(x).expect("a float has all numbers of f64, rounded")
}

/// The frames of the joints, and that of the flange.
fn frames<T: Float>(angles: [T; N_JOINTS]) -> [Frame<T>; N_JOINTS + 1] {
    let mut frames = [Frame::base(); N_JOINTS + 1];
    let mut frame = Frame::base();
    for (joint, ((a, d, alpha), angle)) in LINKS.into_iter().zip(angles).enumerate() {
        // These angles are right ones, whose sine and cosine are known better than their own last place.
        let twist = (number(alpha.sin().round()), number(alpha.cos().round()));
        frame = frame.along(0, number(a)).about(0, twist).about(2, angle.sin_cos()).along(2, number(d));
        frames[joint] = frame;
    }
    frames[N_JOINTS] = frame.along(2, number(FLANGE));
    frames
}

/// The place of the flange, and its three axes.
fn hand<T: Float>(angles: [T; N_JOINTS]) -> ([T; 3], [[T; 3]; 3]) {
    let frame = frames(angles)[N_JOINTS];
    (frame.place, frame.axes)
}

type Hand = ([f64; 3], [[f64; 3]; 3]);

/// With all angles 0 the arm stands upright, and its place can be read off the links.
fn stretched_out() {
    let (place, axes) = hand([0.0; N_JOINTS]);
    let expected = [0.088, 0.0, 0.333 + 0.316 + 0.384 - FLANGE];
    assert!(norm(sub(place, expected)) < 1e-15 && axes[2] == [0.0, 0.0, -1.0], "{place:?}, {axes:?}");
    let (place, _) = hand(READY);
    println!("the hand waits at  {:.4} {:.4} {:.4} m", place[0], place[1], place[2]);
}

/// How far the compiled Jacobian is from the geometric one, at random angles.
fn check_jacobian<F, G, A>(kinematics: &Jit<F, (A,)>, slopes: &Jit<G, (A,)>) -> Result<f64, Error>
where
    A: retrograd::VarTree,
    F: Function<(A,)>,
    G: Function<(A,)>,
{
    let mut random = Random(7);
    let mut worst = 0.0f64;
    for _ in 0..100 {
        let q = LIMITS.map(|(low, high)| random.range(low, high));
        let traced: Hand = kinematics.call(q)?;
        let plain = hand(q);
        worst = worst.max(norm(sub(traced.0, plain.0)));
        let ([x, y, z], axes): ([[f64; N_JOINTS]; 3], [[[f64; N_JOINTS]; 3]; 3]) = slopes.call(q)?;
        let frames = frames(q);
        for joint in 0..N_JOINTS {
            let pivot = frames[joint];
            let moved = cross(pivot.axes[2], sub(plain.0, pivot.place));
            worst = worst.max(norm(sub([x[joint], y[joint], z[joint]], moved)));
            for (axis, by_joint) in plain.1.into_iter().zip(axes) {
                let turned = cross(pivot.axes[2], axis);
                worst = worst.max(norm(sub(by_joint.map(|row| row[joint]), turned)));
            }
        }
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
fn residuals<T: Float>(angles: [T; N_JOINTS], (place, axes): ([T; 3], [[T; 3]; 3])) -> [T; N_RESIDUALS] {
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

// Vectors

fn sub<T: Float>(a: [T; 3], b: [T; 3]) -> [T; 3] {
    std::array::from_fn(|k| a[k] - b[k])
}

fn cross<T: Float>(a: [T; 3], b: [T; 3]) -> [T; 3] {
    std::array::from_fn(|k| a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3])
}

fn norm(a: [f64; 3]) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}
