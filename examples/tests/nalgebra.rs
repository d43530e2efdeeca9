//! `nalgebra` on `Var`: what it gives on `f64`, with the same bits where it is arithmetic and square roots, and its
//! derivatives beside closed forms.

use approx::{abs_diff_eq, relative_eq, ulps_eq};
use nalgebra::{
    Complex, Isometry3, Matrix2, Matrix3, Matrix4, Quaternion, RealField, Rotation2, Rotation3, SVector,
    SimdComplexField, Translation3, Unit, UnitQuaternion, Vector2, Vector3, Vector4,
};
use ndarray::array;
use retrograd::error::TraceError;
use retrograd::value::{DType, Type};
use retrograd::{AllArgs, Error, Function, Var, grad, hessian, jacobian, jit, trace};

/// Numbers that are in no simple relation to each other.
fn numbers<const N: usize>(seed: u64) -> [f64; N] {
    let mut state = seed;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

/// Requires what a function gives on `f64`.
#[track_caller]
fn check<const N: usize, const M: usize>(
    f: impl Function<([Var; N],), Output = [Var; M]>,
    plain: impl Fn([f64; N]) -> [f64; M],
    same: fn(f64, f64) -> bool,
) {
    let f = jit(f);
    for seed in 1..6 {
        let x = numbers(seed);
        let got: [f64; M] = f.call(x).unwrap();
        for (got, expected) in got.into_iter().zip(plain(x)) {
            assert!(same(got, expected), "seed {seed}: {got:?} is not {expected:?}");
        }
    }
}

fn same_bits(x: f64, y: f64) -> bool {
    x.to_bits() == y.to_bits()
}

/// Within the accuracy of a few elementary functions in a row.
fn close(x: f64, y: f64) -> bool {
    (x - y).abs() <= 1e-14 * y.abs().max(1.0)
}

/// Functions of `[T; N]`, generic over the scalar, each compared with its own run on `f64`.
macro_rules! agree {
    ($($same:ident { $($name:ident($x:ident: $n:literal) -> $m:literal $body:block)* })*) => {$($(
        #[test]
        fn $name() {
            fn f<T: RealField + Copy>($x: [T; $n]) -> [T; $m] $body
            check(f::<Var>, f::<f64>, $same);
        }
    )*)*};
}
agree! {
    same_bits {
        products_of_matrices(x: 18) -> 9 {
            let (a, b) = x.split_at(9);
            (Matrix3::from_column_slice(a) * Matrix3::from_column_slice(b)).as_slice().try_into().unwrap()
        }
        determinants(x: 9) -> 1 { [Matrix3::from_column_slice(&x).determinant()] }
        inverses(x: 9) -> 9 {
            Matrix3::from_column_slice(&x).try_inverse().unwrap().as_slice().try_into().unwrap()
        }
        solutions_by_lu(x: 20) -> 4 {
            let (a, b) = x.split_at(16);
            Matrix4::from_column_slice(a).lu().solve(&Vector4::from_column_slice(b)).unwrap().into()
        }
        factors_of_cholesky(x: 9) -> 9 {
            let a = Matrix3::from_column_slice(&x);
            let spd = a * a.transpose() + Matrix3::identity();
            spd.cholesky().unwrap().l().as_slice().try_into().unwrap()
        }
        factors_of_qr(x: 9) -> 9 {
            let (q, r) = Matrix3::from_column_slice(&x).qr().unpack();
            (q + r).as_slice().try_into().unwrap()
        }
        lengths_and_products_of_vectors(x: 6) -> 6 {
            let (a, b) = (Vector3::new(x[0], x[1], x[2]), Vector3::new(x[3], x[4], x[5]));
            let c = a.cross(&b).normalize() + a.lerp(&b, nalgebra::convert(0.25));
            [c.x, c.y, c.z, a.dot(&b), a.norm(), (a - b).norm_squared()]
        }
        turns_by_quaternions(x: 7) -> 3 {
            let q = UnitQuaternion::from_quaternion(Quaternion::new(x[0], x[1], x[2], x[3]));
            (q * Vector3::new(x[4], x[5], x[6])).into()
        }
        matrices_of_quaternions(x: 4) -> 9 {
            let q = UnitQuaternion::from_quaternion(Quaternion::new(x[0], x[1], x[2], x[3]));
            q.to_rotation_matrix().matrix().as_slice().try_into().unwrap()
        }
    }
    close {
        isometries(x: 12) -> 3 {
            let turn = UnitQuaternion::from_euler_angles(x[0], x[1], x[2]);
            let first = Isometry3::from_parts(Translation3::new(x[3], x[4], x[5]), turn);
            let second = Isometry3::new(Vector3::new(x[6], x[7], x[8]), Vector3::new(x[2], x[0], x[1]));
            (first * second.inverse() * Vector3::new(x[9], x[10], x[11]) + (first * second).translation.vector).into()
        }
        turns_about_an_axis(x: 7) -> 3 {
            let axis = Unit::new_normalize(Vector3::new(x[0], x[1], x[2]));
            (Rotation3::from_axis_angle(&axis, x[3]) * Vector3::new(x[4], x[5], x[6])).into()
        }
        angles_of_rotations(x: 3) -> 3 {
            let (roll, pitch, yaw) = Rotation3::from_euler_angles(x[0], x[1], x[2]).euler_angles();
            [roll, pitch, yaw]
        }
        logarithms_of_quaternions(x: 3) -> 3 {
            UnitQuaternion::from_scaled_axis(Vector3::new(x[0], x[1], x[2])).scaled_axis().into()
        }
        ways_between_quaternions(x: 9) -> 4 {
            let a = UnitQuaternion::from_quaternion(Quaternion::new(x[0], x[1], x[2], x[3]));
            let b = UnitQuaternion::from_quaternion(Quaternion::new(x[4], x[5], x[6], x[7]));
            let q = a.slerp(&b, x[8]).into_inner();
            [q.w, q.i, q.j, q.k]
        }
        turns_of_the_plane(x: 3) -> 2 { (Rotation2::new(x[0]) * Vector2::new(x[1], x[2])).into() }
        eigenvalues(x: 9) -> 3 {
            let a = Matrix3::from_column_slice(&x);
            let values = (a + a.transpose()).symmetric_eigenvalues();
            let mut values: [T; 3] = values.into();
            values.sort_by(|x, y| x.partial_cmp(y).unwrap());
            values
        }
        complex_products(x: 4) -> 3 {
            let z = Complex::new(x[0], x[1]) * Complex::new(x[2], x[3]).simd_exp();
            [z.re, z.im, z.simd_modulus()]
        }
    }
}

#[test]
fn an_isometry_turns_by_the_cross_product() -> Result<(), Error> {
    // ∂(exp([v]ₓ) p)/∂v at v = 0 is -[p]ₓ, and a translation moves everything with it.
    let moved = |v: [Var; 3], t: [Var; 3], p: [Var; 3]| -> [Var; 3] {
        let move_by = Isometry3::from_parts(t.into(), UnitQuaternion::from_scaled_axis(Vector3::from(v)));
        (move_by.rotation * Vector3::from(p) + move_by.translation.vector).into()
    };
    let (v, p) = ([1e-9, -2e-9, 1.5e-9], [0.5, -2.0, 3.0]);
    type Rows = [([f64; 3], [f64; 3], [f64; 3]); 3];
    let rows: Rows = jit(jacobian(moved).wrt(AllArgs)).call(v, [0.1, 0.2, 0.3], p)?;
    let cross = [[0.0, p[2], -p[1]], [-p[2], 0.0, p[0]], [p[1], -p[0], 0.0]];
    for (i, (by_v, by_t, by_p)) in rows.into_iter().enumerate() {
        for j in 0..3 {
            let unit = if i == j { 1.0 } else { 0.0 };
            assert!((by_v[j] - cross[i][j]).abs() < 1e-7, "∂{i}/∂v{j}");
            assert!((by_t[j] - unit).abs() < 1e-15 && (by_p[j] - unit).abs() < 1e-7, "∂{i}/∂t{j}, ∂{i}/∂p{j}");
        }
    }
    Ok(())
}

#[test]
fn jacobis_formula_for_the_determinant() -> Result<(), Error> {
    // ∇ ln det A = A⁻ᵀ, and the Hessian by one element a is -(A⁻¹)² there.
    let x: [f64; 9] = numbers(7);
    let f = |x: [Var; 9]| {
        (Matrix3::from_column_slice(&x).determinant() * Matrix3::from_column_slice(&x).determinant()).ln()
    };
    let slope: [f64; 9] = jit(grad(f)).call(x)?;
    let inverse = Matrix3::from_column_slice(&x).try_inverse().unwrap();
    for (slope, expected) in slope.iter().zip(inverse.transpose().iter()) {
        assert!((slope - 2.0 * expected).abs() < 1e-12 * expected.abs().max(1.0));
    }
    let curved: [[f64; 9]; 9] = jit(hessian(f)).call(x)?;
    let expected = -2.0 * inverse[(0, 0)].powi(2);
    assert!((curved[0][0] - expected).abs() < 1e-11 * expected.abs().max(1.0), "{} {expected}", curved[0][0]);
    Ok(())
}

#[test]
fn single_precision_stays_single() -> Result<(), Error> {
    fn f<T: RealField + Copy>(x: [T; 4]) -> [T; 4] {
        let a = Matrix2::from_column_slice(&x);
        ((a + Matrix2::identity()).try_inverse().unwrap() * T::pi() + Matrix2::from_element(nalgebra::convert(0.1)))
            .as_slice()
            .try_into()
            .unwrap()
    }
    let x = numbers(3).map(|x| x as f32);
    let got: [f32; 4] = jit(f::<Var>).call(x)?;
    assert_eq!(got, f(x));
    Ok(())
}

#[test]
fn branches_of_nalgebra_are_followed() -> Result<(), Error> {
    /// 0 where the matrix has no inverse.
    fn f<T: RealField + Copy>(x: [T; 4]) -> T {
        Matrix2::from_column_slice(&x).try_inverse().map_or(T::zero(), |inverse| inverse.trace())
    }
    let g = jit(f::<Var>);
    for x in [[1.0f64, 2.0, 3.0, 4.0], [1.0, 2.0, 2.0, 4.0], [0.5, 0.0, 0.0, 4.0]] {
        assert_eq!(g.call::<f64>(x)?.to_bits(), f(x).to_bits());
    }
    assert_eq!(g.n_paths(), 2);
    let without_values = trace(f::<Var>, ([retrograd::value::DType::F64; 4],));
    assert!(matches!(without_values, Err(Error::Trace(TraceError::BranchWithoutValues { .. }))));
    Ok(())
}

#[test]
fn near_is_as_near_as_on_numbers() -> Result<(), Error> {
    /// A bit for each comparison.
    fn f<T: RealField + Copy>([x, y]: [T; 2]) -> T {
        let near = [
            relative_eq!(x, y),
            abs_diff_eq!(x, y),
            relative_eq!(x, y, max_relative = nalgebra::convert(0.5)),
            Vector2::new(x, y).relative_eq(&Vector2::new(y, x), nalgebra::convert(1e-3), nalgebra::convert(1e-3)),
        ];
        nalgebra::convert(near.iter().fold(0.0, |bits, &near| 2.0 * bits + f64::from(u8::from(near))))
    }
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let points =
        [(1.0, 1.0), (1.0, 1.0 + 1e-15), (1.0, 1.5), (1e9, 1e9 + 1e-7), (0.0, 1e-300), (1.0, 1.0005), (-1.0, 1.0)];
    let wild = [(inf, inf), (inf, -inf), (inf, 1.0), (nan, nan), (nan, 1.0)];
    let g = jit(f::<Var>);
    for (x, y) in points.into_iter().chain(wild) {
        assert_eq!(g.call::<f64>([x, y])?, f([x, y]), "{x:e} and {y:e}");
    }
    Ok(())
}

#[test]
fn what_takes_a_number_out_of_the_trace_is_an_error() {
    #[track_caller]
    fn check(asked: &str, f: impl Fn(Var) -> Var + Send + Sync + 'static) {
        let text = jit(f).call::<f64>(2.0).unwrap_err().to_string();
        assert!(text.contains(&format!("{asked} needs the number itself")), "{text}");
    }
    check("a conversion to f64", |x| x * nalgebra::convert_unchecked::<Var, f64>(x));
    check("a conversion to f64", |x| x * nalgebra::try_convert::<Var, f64>(x).unwrap());
    check("a conversion to f32", |x| {
        x + SVector::<Var, 2>::new(x, x).map(nalgebra::convert_unchecked::<Var, f32>).x as f64
    });
    check("ulps_eq", |x| if ulps_eq!(x, x + 1.0) { x } else { -x });
}

/// The lines of a crate that is traced through are not the user's.
#[test]
fn lines_of_other_crates_are_not_told() {
    let first = line!();
    let solve = |m: Var, b: Var| {
        let m = nalgebra::Matrix2::new(
            m.index_axis(0, 0).index(0),
            m.index_axis(0, 0).index(1),
            m.index_axis(0, 1).index(0),
            m.index_axis(0, 1).index(1),
        );
        let x = m.lu().solve(&nalgebra::Vector2::new(b, b)).unwrap();
        x.norm()
    };
    let last = line!();
    let graph = jit(solve).graph(array![[1.0, 2.0], [3.0, 4.0]], 1.0).unwrap();
    assert!(!graph.guards().is_empty(), "nalgebra compares numbers");
    let lines = graph.guards().iter().map(|guard| guard.at.clone());
    let lines = lines.chain(graph.ids().skip(2).map(|id| graph.node(id).provenance().at.clone()));
    for line in lines {
        let line = line.unwrap().to_string();
        assert!(line.starts_with(file!()), "{line}");
    }
    // Without values the comparison has no answer.
    let types = (Type::new(DType::F64, [2, 2]), DType::F64);
    let message = trace(solve, types).unwrap_err().to_string();
    let line = message.rsplit_once(&format!("{}:", file!())).and_then(|(_, rest)| rest.split(':').next()?.parse().ok());
    assert!(line.is_some_and(|line: u32| (first..=last).contains(&line)), "not in {first}..={last}: {message}");
}
