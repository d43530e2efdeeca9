//! The kinematics of a robot arm of seven joints, generic over the numbers.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use num_traits::Float;

pub const N_JOINTS: usize = 7;

/// The links of the Franka Emika Panda in the convention of Craig, as its maker publishes them (Franka Control
/// Interface documentation, "Robot and interface specifications"): a and d in meters, α in radians; then the flange.
pub const LINKS: [(f64, f64, f64); N_JOINTS] = [
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -FRAC_PI_2),
    (0.0, 0.316, FRAC_PI_2),
    (0.0825, 0.0, FRAC_PI_2),
    (-0.0825, 0.384, -FRAC_PI_2),
    (0.0, 0.0, FRAC_PI_2),
    (0.088, 0.0, FRAC_PI_2),
];
pub const FLANGE: f64 = 0.107;
/// The least and the largest angle of each joint, from the same page.
pub const LIMITS: [(f64, f64); N_JOINTS] = [
    (-2.8973, 2.8973),
    (-1.7628, 1.7628),
    (-2.8973, 2.8973),
    (-3.0718, -0.0698),
    (-2.8973, 2.8973),
    (-0.0175, 3.7525),
    (-2.8973, 2.8973),
];
/// The pose in which the arm waits.
pub const READY: [f64; N_JOINTS] = [0.0, -FRAC_PI_4, 0.0, -3.0 * FRAC_PI_4, 0.0, FRAC_PI_2, FRAC_PI_4];

/// Where something stands, and the directions of its three axes.
#[derive(Clone, Copy)]
pub struct Frame<T> {
    pub place: [T; 3],
    pub axes: [[T; 3]; 3],
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
        axes[u] = std::array::from_fn(|k| cos * self.axes[u][k] + sin * self.axes[v][k]);
        axes[v] = std::array::from_fn(|k| cos * self.axes[v][k] - sin * self.axes[u][k]);
        Frame { axes, ..self }
    }
}

pub fn number<T: Float>(x: f64) -> T {
    T::from(x).expect("a float has all numbers of f64, rounded")
}

/// The frames of the joints, and that of the flange.
pub fn frames<T: Float>(angles: [T; N_JOINTS]) -> [Frame<T>; N_JOINTS + 1] {
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
pub fn hand<T: Float>(angles: [T; N_JOINTS]) -> Hand<T> {
    let frame = frames(angles)[N_JOINTS];
    (frame.place, frame.axes)
}

pub fn sub<T: Float>(a: [T; 3], b: [T; 3]) -> [T; 3] {
    std::array::from_fn(|k| a[k] - b[k])
}

pub fn cross<T: Float>(a: [T; 3], b: [T; 3]) -> [T; 3] {
    std::array::from_fn(|k| a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3])
}

/// The place and the axes of the flange.
pub type Hand<T> = ([T; 3], [[T; 3]; 3]);

/// Their slopes by each joint, as the textbooks have them: joint i, which turns about the axis z at the place p, moves
/// the hand by z × (hand - p), and turns each of its axes by z × axis.
pub fn jacobian_by_hand(angles: [f64; N_JOINTS]) -> Hand<[f64; N_JOINTS]> {
    let frames = frames(angles);
    let hand = frames[N_JOINTS];
    let (mut place, mut axes) = ([[0.0; N_JOINTS]; 3], [[[0.0; N_JOINTS]; 3]; 3]);
    for (joint, pivot) in frames[..N_JOINTS].iter().enumerate() {
        let moved = cross(pivot.axes[2], sub(hand.place, pivot.place));
        for k in 0..3 {
            place[k][joint] = moved[k];
            let turned = cross(pivot.axes[2], hand.axes[k]);
            for (row, turned) in axes[k].iter_mut().zip(turned) {
                row[joint] = turned;
            }
        }
    }
    (place, axes)
}
