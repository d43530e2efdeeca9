//! An arm with seven joints: the position of its hand, and the torques for a motion; plain scalar Rust, generic over
//! [`Float`].

use std::array;
use std::error::Error;

use num_traits::Float;
use retrograd::value::{Array, Tree, Type};
use retrograd::{Var, hessian, jacobian, value_and_grad};

use crate::rig::{Case, Rig, What};

const N: usize = 7;
const GRAVITY: f64 = 9.81;
/// The distances from joint to joint, along the common normal and along the axis.
const LENGTHS: [f64; N] = [0.0, 0.0, 0.0, 0.0825, -0.0825, 0.0, 0.088];
const OFFSETS: [f64; N] = [0.333, 0.0, 0.316, 0.0, 0.384, 0.0, 0.0];
/// Axes of adjacent joints are parallel or perpendicular.
const TWISTS: [Twist; N] =
    [Twist::None, Twist::Back, Twist::Forth, Twist::Forth, Twist::Back, Twist::Forth, Twist::Forth];

/// A rotation about the x axis by 0 or ±90 degrees.
#[derive(Clone, Copy)]
enum Twist {
    None,
    Forth,
    Back,
}

impl Twist {
    fn apply<T: Float>(self, [x, y, z]: [T; 3]) -> [T; 3] {
        match self {
            Twist::None => [x, y, z],
            Twist::Forth => [x, -z, y],
            Twist::Back => [x, z, -y],
        }
    }

    fn inverse(self) -> Twist {
        match self {
            Twist::None => Twist::None,
            Twist::Forth => Twist::Back,
            Twist::Back => Twist::Forth,
        }
    }
}

/// The rotation from the frame of a link to the previous one: by the angle of the joint, then by the twist.
#[derive(Clone, Copy)]
struct Rotation<T> {
    sin: T,
    cos: T,
    twist: Twist,
}

impl<T: Float> Rotation<T> {
    fn new(joint: usize, angle: T) -> Rotation<T> {
        let (sin, cos) = angle.sin_cos();
        Rotation { sin, cos, twist: TWISTS[joint] }
    }

    fn apply(self, [x, y, z]: [T; 3]) -> [T; 3] {
        self.twist.apply([self.cos * x - self.sin * y, self.sin * x + self.cos * y, z])
    }

    fn invert(self, v: [T; 3]) -> [T; 3] {
        let [x, y, z] = self.twist.inverse().apply(v);
        [self.cos * x + self.sin * y, self.cos * y - self.sin * x, z]
    }
}

/// The position of a joint in the previous frame.
fn place<T: Float>(joint: usize) -> [T; 3] {
    let [_, y, z] = TWISTS[joint].apply([0.0, 0.0, OFFSETS[joint]]);
    [LENGTHS[joint], y, z].map(number)
}

/// The position of the hand, then the rows of its rotation.
fn kinematics<T: Float>(q: [T; N]) -> [T; 12] {
    let zero = T::zero();
    let mut p = [zero; 3];
    let mut rows = [[T::one(), zero, zero], [zero, T::one(), zero], [zero, zero, T::one()]];
    for (joint, &angle) in q.iter().enumerate() {
        let (rotation, place) = (Rotation::new(joint, angle), place(joint));
        p = array::from_fn(|i| p[i] + dot(rows[i], place));
        rows = rows.map(|row| rotation.invert(row));
    }
    array::from_fn(|k| if k < 3 { p[k] } else { rows[k / 3 - 1][k % 3] })
}

/// The mass and inertia of a link.
struct Body {
    mass: f64,
    center: [f64; 3],
    inertia: [[f64; 3]; 3],
}

impl Body {
    /// The bodies of the rig.
    fn all() -> [Body; N] {
        let mass = uniform("rnea7/mass", 1.0, 4.0);
        let center = uniform("rnea7/com", -0.1, 0.1);
        let diagonal = uniform("rnea7/Idiag", 0.01, 0.1);
        let products = uniform("rnea7/Ioff", -0.005, 0.005);
        array::from_fn(|i| {
            let [x, y, z] = array::from_fn(|k| diagonal(3 * i + k));
            let [xy, xz, yz] = array::from_fn(|k| products(3 * i + k));
            let inertia = [[x, xy, xz], [xy, y, yz], [xz, yz, z]];
            Body { mass: mass(i), center: array::from_fn(|k| center(3 * i + k)), inertia }
        })
    }
}

/// The elements of an array that the rig makes from its name: splitmix64, seeded by FNV-1a.
fn uniform(name: &str, low: f64, high: f64) -> impl Fn(usize) -> f64 {
    let seed =
        name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    move |k| {
        let z = seed.wrapping_add((k as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 * 2.0f64.powi(-53);
        low + (high - low) * unit
    }
}

/// The torques that cause these accelerations at these velocities, by the Newton–Euler recursion: motion is propagated
/// outward from link to link, and forces are propagated back.
fn torques<T: Float>(bodies: &[Body; N], q: [T; N], velocity: [T; N], acceleration: [T; N]) -> [T; N] {
    let zero = T::zero();
    let (mut w, mut dw, mut a) = ([zero; 3], [zero; 3], [zero, zero, number(GRAVITY)]);
    let (mut rotations, mut loads) = (Vec::new(), Vec::new());
    for (joint, body) in bodies.iter().enumerate() {
        let rotation = Rotation::new(joint, q[joint]);
        a = rotation.invert(moved(a, w, dw, place(joint)));
        let [x, y, z] = rotation.invert(w);
        let [dx, dy, dz] = rotation.invert(dw);
        dw = [dx + y * velocity[joint], dy - x * velocity[joint], dz + acceleration[joint]];
        w = [x, y, z + velocity[joint]];
        let force = moved(a, w, dw, body.center.map(number)).map(|a| number::<T>(body.mass) * a);
        let inertia = body.inertia.map(|row| row.map(number));
        let spin = |w: [T; 3]| inertia.map(|row| dot(row, w));
        loads.push((force, add(spin(dw), cross(w, spin(w)))));
        rotations.push(rotation);
    }
    let mut outer: Option<([T; 3], [T; 3])> = None;
    let mut torques = [zero; N];
    for joint in (0..N).rev() {
        let (force, moment) = loads[joint];
        let (mut f, mut n) = (force, add(moment, cross(bodies[joint].center.map(number), force)));
        if let Some((outer_f, outer_n)) = outer {
            let rotation = rotations[joint + 1];
            let pull = rotation.apply(outer_f);
            f = add(f, pull);
            n = add(add(n, rotation.apply(outer_n)), cross(place(joint + 1), pull));
        }
        torques[joint] = n[2];
        outer = Some((f, n));
    }
    torques
}

/// The acceleration of a point at offset `r` in a rotating frame.
fn moved<T: Float>(a: [T; 3], w: [T; 3], dw: [T; 3], r: [T; 3]) -> [T; 3] {
    add(add(a, cross(dw, r)), cross(w, cross(w, r)))
}

fn number<T: Float>(x: f64) -> T {
    T::from(x).expect("bug: a float takes any number")
}

fn add<T: Float>(x: [T; 3], y: [T; 3]) -> [T; 3] {
    array::from_fn(|i| x[i] + y[i])
}

fn dot<T: Float>(x: [T; 3], y: [T; 3]) -> T {
    x[0] * y[0] + x[1] * y[1] + x[2] * y[2]
}

fn cross<T: Float>(x: [T; 3], y: [T; 3]) -> [T; 3] {
    [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
}

/// One scalar for each element of the rig's only argument, and their types.
fn numbers(rig: &Rig) -> Result<(Vec<Array>, Tree<Type>), Box<dyn Error>> {
    let [x] = rig.args()?;
    let scalars: Vec<Array> = x.elements().map(Array::from_scalar).collect();
    let leaves = scalars.iter().map(|x| Tree::Leaf(x.ty())).collect();
    Ok((scalars, Tree::Tuple(vec![Tree::List(leaves)])))
}

pub fn measure_kinematics(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let (inputs, types) = numbers(rig)?;
    let mut case = Case::new(rig, "scalars", inputs);
    case.traced(What::Primal, kinematics::<Var>, &types, 12)?;
    case.traced(What::Jacobian, jacobian(kinematics::<Var>), &types, 0)
}

/// The scalar function is half the sum of the squared torques.
pub fn measure_dynamics(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let bodies = Body::all();
    let (inputs, types) = numbers(rig)?;
    let all = |x: [Var; 3 * N]| {
        let [q, velocity, acceleration] = [0, N, 2 * N].map(|start| array::from_fn(|k| x[start + k]));
        torques(&bodies, q, velocity, acceleration)
    };
    let mut case = Case::new(rig, "torques", inputs.clone());
    case.traced(What::Primal, all, &types, N)?;
    case.traced(What::Jacobian, jacobian(all), &types, 0)?;

    let effort = |x: [Var; 3 * N]| 0.5 * all(x).map(|torque| torque * torque).into_iter().sum::<Var>();
    let mut case = Case::new(rig, "half their squares", inputs);
    case.traced(What::Primal, effort, &types, 1)?;
    case.traced(What::ValueAndGrad, value_and_grad(effort), &types, 1)?;
    case.traced(What::Hessian, hessian(effort), &types, 0)
}
