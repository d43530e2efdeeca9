//! Residuals with Jacobians: bundle adjustment, and the pose of a hand (ADBench's `ba` and `hand`).

use std::array;
use std::error::Error;

use retrograd::{Var, jacobian, map};

use crate::rig::{Case, Rig, What, floats, gather, types};

/// The residual of an observation by a camera (rotation, center, focal length, principal point, two coefficients of
/// radial distortion) of a point, with a weight; these are 15 numbers.
fn observation(p: &[Var], feature: Var) -> [Var; 2] {
    let [rotation, center, point] = [0, 3, 11].map(|k| [p[k], p[k + 1], p[k + 2]]);
    let (focal, principal, distortion, w) = (p[6], [p[7], p[8]], [p[9], p[10]], p[14]);
    let x = turn(rotation, array::from_fn(|i| point[i] - center[i]));
    let u = [x[0] / x[2], x[1] / x[2]];
    let square = u[0] * u[0] + u[1] * u[1];
    let scale = 1.0 + distortion[0] * square + distortion[1] * square * square;
    array::from_fn(|i| w * (u[i] * scale * focal + principal[i] - feature.index(i)))
}

/// Rodrigues' formula: rotates a vector about the direction of `by`, by an angle equal to its length.
fn turn(by: [Var; 3], x: [Var; 3]) -> [Var; 3] {
    let angle = dot(by, by).sqrt();
    let (sin, cos) = angle.sin_cos();
    let k = by.map(|k| k / angle);
    let (kx, along) = (cross(k, x), dot(k, x) * (1.0 - cos));
    array::from_fn(|i| x[i] * cos + kx[i] * sin + k[i] * along)
}

fn dot(x: [Var; 3], y: [Var; 3]) -> Var {
    x[0] * y[0] + x[1] * y[1] + x[2] * y[2]
}

fn cross(x: [Var; 3], y: [Var; 3]) -> [Var; 3] {
    [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
}

/// The 15 numbers of one observation.
fn numbers(camera: Var, point: Var, w: Var) -> Vec<Var> {
    [camera.unstack(0), point.unstack(0), vec![w]].concat()
}

/// The residuals of all observations.
fn reprojection(cameras: Var, points: Var, w: Var, features: Var) -> Var {
    map((cameras, points, w, features), |(camera, point, w, feature)| {
        Var::stack(&observation(&numbers(camera, point, w), feature), 0)
    })
}

/// The residuals, the block of the Jacobian for each observation, and the derivatives of the other residuals `1 - w²`.
fn reprojection_blocks(cameras: Var, points: Var, w: Var, features: Var) -> (Var, Var, Var) {
    let (residuals, blocks) = map((cameras, points, w, features), |(camera, point, w, feature)| {
        let p = numbers(camera, point, w);
        let block = jacobian(|p: Vec<Var>| observation(&p, feature)).call(p.clone());
        (Var::stack(&observation(&p, feature), 0), Var::stack(&block.map(|row| Var::stack(&row, 0)), 0))
    });
    (residuals, blocks, -2.0 * w)
}

/// The camera and the point of each observation are the same in every call, so they are gathered before.
pub fn measure_bundle_adjustment(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let ([cameras, points, w], [of_camera, of_point, features]) = (rig.args()?, rig.consts()?);
    let inputs = vec![gather(&cameras, &of_camera)?, gather(&points, &of_point)?, w, features];
    let types = types(&inputs);
    let mut case = Case::new(rig, "map", inputs);
    case.traced(What::Primal, reprojection, &types, 1)?;
    case.traced(What::Jacobian, reprojection_blocks, &types, 1)
}

/// A linear map in its first three columns, and a translation in the last.
type Affine = [[Var; 4]; 3];

/// The composition: first `b`, then `a`.
fn compose(a: &Affine, b: &Affine) -> Affine {
    a.map(|row| {
        array::from_fn(|k| {
            let sum = row[0] * b[0][k] + row[1] * b[1][k] + row[2] * b[2][k];
            if k == 3 { sum + row[3] } else { sum }
        })
    })
}

/// `a` after a rotation by an angle in the plane of two of the axes.
fn after_turn(a: &Affine, angle: Var, [i, j]: [usize; 2]) -> Affine {
    let (sin, cos) = angle.sin_cos();
    a.map(|mut row| {
        (row[i], row[j]) = (row[i] * cos + row[j] * sin, row[j] * cos - row[i] * sin);
        row
    })
}

/// The bones of a hand: a wrist, four bones for each finger, and the forearm.
#[derive(Clone, Copy)]
struct Skeleton<'a> {
    parents: &'a [Option<usize>],
}

impl Skeleton<'_> {
    /// The transformations of the bones from their rest positions, given 4 angles for each finger: its second bone
    /// turns about two axes, the following bones about one.
    fn transforms(self, angles: &[Var], relative: Var, rest: Var) -> Vec<Affine> {
        let (relative, rest) = (relative.flatten(), rest.flatten());
        let affine = |x: Var, bone: usize| -> Affine {
            array::from_fn(|row| array::from_fn(|column| x.index(16 * bone + 4 * row + column)))
        };
        let (mut posed, mut transforms) = (Vec::<Affine>::new(), Vec::new());
        for (bone, &parent) in self.parents.iter().enumerate() {
            let own = after_joint(affine(relative, bone), bone, angles);
            posed.push(parent.map_or(own, |parent| compose(&posed[parent], &own)));
            transforms.push(compose(&posed[bone], &affine(rest, bone)));
        }
        transforms
    }
}

/// `a` composed with the rotation of a bone about its joint, if it has one.
fn after_joint(mut a: Affine, bone: usize, angles: &[Var]) -> Affine {
    if let Some((finger, joint)) = joint(bone) {
        let angles = &angles[4 * finger..];
        if joint == 0 {
            a = after_turn(&a, angles[1], [0, 1]);
        }
        a = after_turn(&a, angles[if joint == 0 { 0 } else { joint + 1 }], [1, 2]);
    }
    a
}

/// The finger and the joint that a bone turns about.
fn joint(bone: usize) -> Option<(usize, usize)> {
    let (finger, joint) = (bone.checked_sub(2)? / 4, bone.checked_sub(2)? % 4);
    (finger < 5 && joint < 3).then_some((finger, joint))
}

/// The axes, rotated by the rotation of the whole hand.
fn turned_axes(theta: &[Var]) -> [[Var; 3]; 3] {
    let axis = |k: usize| array::from_fn(|i| Var::from(f64::from(u8::from(i == k))));
    [0, 1, 2].map(|k| turn([theta[0], theta[1], theta[2]], axis(k)))
}

/// The offsets from the vertices of a hand's skin to the observed points. `theta` is a rotation and a translation of
/// the whole hand, followed by the angles of its fingers. Vertices follow several bones, with weights.
fn skin(skeleton: Skeleton<'_>, theta: &[Var], [relative, rest, base, weights, points]: [Var; 5]) -> Var {
    let transforms = skeleton.transforms(&theta[6..], relative, rest);
    let columns = turned_axes(theta);
    let offset = |(base, weights, point): (Var, Var, Var)| {
        let (base, weights) = (base.unstack(0), weights.unstack(0));
        let posed: [Var; 3] = array::from_fn(|i| {
            let blended = |k: usize| weights.iter().zip(&transforms).map(|(&w, bone)| w * bone[i][k]).sum::<Var>();
            let along = |k: usize| base[k] * blended(k);
            along(0) + along(1) + along(2) + along(3)
        });
        let offsets: [Var; 3] = array::from_fn(|i| {
            let turned = columns[0][i] * posed[0] + columns[1][i] * posed[1] + columns[2][i] * posed[2];
            point.index(i) - (turned + theta[3 + i])
        });
        Var::stack(&offsets, 0)
    };
    map((base, weights, points), offset).flatten()
}

/// The data of a hand that do not depend on its pose, as numbers: zeros are not in the graph.
struct Hand<'a> {
    parents: &'a [Option<usize>],
    relative: &'a [f64],
    rest: &'a [f64],
    /// For each observed point, the bones that its vertex follows, with the rest position of the vertex times their
    /// weight.
    vertices: Vec<Vec<(usize, [f64; 4])>>,
    points: &'a [f64],
}

impl Hand<'_> {
    /// The offsets from the vertices to the points, as in [`skin`].
    fn offset(&self, theta: &[Var]) -> Var {
        let (mut posed, mut transforms) = (Vec::<Affine>::new(), Vec::new());
        for (bone, &parent) in self.parents.iter().enumerate() {
            let still = array::from_fn(|i| array::from_fn(|k| Var::from(f64::from(u8::from(i == k)))));
            let own = compose_numbers(&parent.map_or(still, |parent| posed[parent]), &self.relative[16 * bone..]);
            let own = after_joint(own, bone, &theta[6..]);
            posed.push(own);
            transforms.push(compose_numbers(&own, &self.rest[16 * bone..]));
        }
        let columns = turned_axes(theta);
        let offsets = self.vertices.iter().zip(self.points.chunks_exact(3)).flat_map(|(bones, point)| {
            let posed: [Var; 3] = array::from_fn(|i| {
                bones.iter().map(|(bone, vertex)| combination(vertex.iter().copied(), transforms[*bone][i])).sum()
            });
            array::from_fn::<Var, 3, _>(|i| {
                let turned = columns[0][i] * posed[0] + columns[1][i] * posed[1] + columns[2][i] * posed[2];
                point[i] - (turned + theta[3 + i])
            })
        });
        Var::stack(&offsets.collect::<Vec<Var>>(), 0)
    }
}

/// A linear combination of variables, without zero coefficients.
fn combination(numbers: impl Iterator<Item = f64>, x: [Var; 4]) -> Var {
    numbers.zip(x).filter(|(number, _)| *number != 0.0).map(|(number, x)| number * x).sum()
}

fn compose_numbers(a: &Affine, b: &[f64]) -> Affine {
    a.map(|row| array::from_fn(|k| combination((0..4).map(|j| b[4 * j + k]), row)))
}

/// Only observed vertices are transformed: their rows are selected before.
pub fn measure_hand(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let ([theta], [relative, rest, base, weights, points, vertices]) = (rig.args()?, rig.consts()?);
    let parents = rig.positions("parents")?;
    let skeleton = Skeleton { parents: &parents };
    let n_points = points.shape()[0];
    let inputs = vec![theta, relative, rest, gather(&base, &vertices)?, gather(&weights, &vertices)?, points];
    let types = types(&inputs);
    let residuals = |theta: Var, relative: Var, rest: Var, base: Var, weights: Var, points: Var| {
        skin(skeleton, &theta.unstack(0), [relative, rest, base, weights, points])
    };
    // With each angle as a scalar, so that it is known which bones it affects. The columns are concatenated.
    let derivatives = |theta: Var, relative: Var, rest: Var, base: Var, weights: Var, points: Var| {
        let data = [relative, rest, base, weights, points];
        let columns = jacobian(|theta: Vec<Var>| skin(skeleton, &theta, data)).call(theta.unstack(0));
        (skin(skeleton, &theta.unstack(0), data), Var::stack(&columns, 0))
    };
    let mut case = Case::new(rig, "", inputs);
    case.traced(What::Primal, residuals, &types, 1)?;
    case.traced(What::Jacobian, derivatives, &types, 1)?;
    // With more points, compiling the large code does not pay offset; CasADi is not measured with them, either.
    if n_points <= 400 { measure_known_hand(rig) } else { Ok(()) }
}

/// The variant in which everything but the pose is a number in the code.
fn measure_known_hand(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let ([theta], [relative, rest, base, weights, points, vertices]) = (rig.args()?, rig.consts()?);
    let parents = rig.positions("parents")?;
    let (base, weights) = (gather(&base, &vertices)?, gather(&weights, &vertices)?);
    let bones = |(base, weights): (&[f64], &[f64])| {
        let weights = weights.iter().copied().enumerate().filter(|(_, w)| *w != 0.0);
        weights.map(|(bone, w)| (bone, array::from_fn(|k| w * base[k]))).collect()
    };
    let vertices = floats(&base).chunks_exact(4).zip(floats(&weights).chunks_exact(parents.len())).map(bones).collect();
    let [relative, rest, points] = [&relative, &rest, &points].map(floats);
    let hand = Hand { parents: &parents, relative, rest, vertices, points };
    let inputs = vec![theta];
    let types = types(&inputs);
    let derivatives = |theta: Var| {
        let columns = jacobian(|theta: Vec<Var>| hand.offset(&theta)).call(theta.unstack(0));
        (hand.offset(&theta.unstack(0)), Var::stack(&columns, 0))
    };
    let mut case = Case::new(rig, "numbers", inputs);
    case.traced(What::Primal, |theta: Var| hand.offset(&theta.unstack(0)), &types, 1)?;
    case.traced(What::Jacobian, derivatives, &types, 1)
}
