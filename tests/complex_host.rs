//! Complex numbers of the host: arguments, results, and files.

use ndarray::{Array1, Array2, ArrayD, ArrayView1, arr0, array, s};
use num_complex::{Complex32, Complex64, c32, c64};
use retrograd::value::{DType, Kind, LeafRef, ToTree, Type};
use retrograd::{
    Complex, Tree, Var, checkpoint, cond, custom_vjp, fori_loop, grad, jit, scan, trace, vmap, while_loop,
};

/// A pair of parts as a function takes it that knows nothing of complex numbers.
#[derive(Clone, Debug, PartialEq, Tree)]
struct Pair<T> {
    re: T,
    im: T,
}

/// The square.
fn square(z: Pair<Var>) -> Pair<Var> {
    Pair { re: z.re * z.re - z.im * z.im, im: 2.0 * z.re * z.im }
}

fn types(value: &impl ToTree, kind: &Kind) -> String {
    value.to_tree_as(kind).map(&mut LeafRef::ty).to_string()
}

#[test]
fn numbers_and_arrays_are_arguments_and_results() {
    let f = jit(square);
    assert_eq!(f.call::<Complex64>(c64(1.0, 2.0)).unwrap(), c64(-3.0, 4.0));
    assert_eq!(f.call::<Complex32>(c32(1.0, 2.0)).unwrap(), c32(-3.0, 4.0));
    let z = array![c64(1.0, 2.0), c64(0.0, 1.0), c64(3.0, 0.0)];
    let squared = array![c64(-3.0, 4.0), c64(-1.0, 0.0), c64(9.0, 0.0)];
    assert_eq!(f.call::<Array1<Complex64>>(&z).unwrap(), squared);
    assert_eq!(f.call::<ndarray::ArcArray1<Complex64>>(z.view()).unwrap(), squared.to_shared());
    assert_eq!(f.call::<ArrayD<Complex64>>(z.to_shared()).unwrap(), squared.clone().into_dyn());
    assert_eq!(f.call::<Vec<Complex64>>(&z).unwrap(), squared.to_vec());
    assert_eq!(f.call::<[Complex64; 3]>(&z).unwrap(), squared.to_vec()[..]);
    assert_eq!(f.call::<Array1<Complex32>>(z.mapv(|z| c32(z.re as f32, z.im as f32))).unwrap()[1], c32(-1.0, 0.0));
    assert_eq!(f.call::<ndarray::Array0<Complex64>>(arr0(c64(0.0, 2.0))).unwrap(), arr0(c64(-4.0, 0.0)));
}

/// A result of ordinary shape has its rows as lists of lists.
#[test]
fn rows_of_results_are_lists() {
    let z = Array2::from_shape_fn((2, 3), |(i, j)| c64(i as f64, j as f64));
    let rows: Vec<[Complex64; 3]> = jit(|z: Pair<Var>| z).call(&z).unwrap();
    assert_eq!(rows.concat(), z.iter().copied().collect::<Vec<_>>());
}

#[test]
fn views_of_any_strides_are_read() {
    let same = jit(|z: Pair<Var>| z);
    let z = Array2::from_shape_fn((4, 6), |(i, j)| c64(i as f64, 10.0 + j as f64));
    for view in [
        z.view(),
        z.t(),
        z.slice(s![..;-1, ..;2]),
        z.slice(s![1..3, ..;-3]),
        z.slice(s![2..3, 1..2]),
        z.slice(s![.., 3..3]),
        z.slice(s![0..1, ..]).broadcast((3, 6)).unwrap().reversed_axes(),
    ] {
        assert_eq!(same.call::<Array2<Complex64>>(view).unwrap(), view, "{:?} {:?}", view.shape(), view.strides());
    }
    let z: Array1<Complex32> = Array1::from_shape_fn(7, |k| c32(k as f32, -(k as f32)));
    assert_eq!(same.call::<Array1<Complex32>>(z.slice(s![..;-2])).unwrap(), z.slice(s![..;-2]));
    let nothing: Array1<Complex64> = Array1::default(0);
    assert_eq!(same.call::<Array1<Complex64>>(&nothing).unwrap(), nothing);
}

/// The leaves are where the elements are.
#[test]
fn arguments_are_views_without_a_copy() {
    let z = array![[c64(1.0, 2.0), c64(3.0, 4.0)], [c64(5.0, 6.0), c64(7.0, 8.0)]];
    let of_rows = [[c64(1.0, 2.0), c64(3.0, 4.0)], [c64(5.0, 6.0), c64(7.0, 8.0)]];
    for (tree, first) in [(z.to_tree(), &z[[0, 0]]), (of_rows.to_tree_as(&Kind::Complex), &of_rows[0][0])] {
        let [re, im] = tree.as_complex().unwrap().map(|leaf| match leaf.view() {
            retrograd::value::ArrayRef::F64(view) => (view.as_ptr(), view.strides().to_vec()),
            other => panic!("{other:?}"),
        });
        assert_eq!(re, (&raw const first.re, vec![4, 2]));
        assert_eq!(im, (&raw const first.im, vec![4, 2]));
    }
}

#[test]
fn rows_of_numbers_are_arrays_where_one_is_taken() {
    let z = [[c64(1.0, 2.0); 3]; 2];
    assert_eq!(types(&z, &Kind::Complex), "complex f64[2,3]");
    assert_eq!(types(&z.to_vec(), &Kind::Complex), "complex f64[2,3]");
    assert_eq!(types(&z, &Kind::List(&Kind::Complex)), "[complex f64[3], complex f64[3]]");
    assert_eq!(types(&z[0].as_slice(), &Kind::List(&Kind::Complex)), "[complex f64[], complex f64[], complex f64[]]");
    assert_eq!(types(&z[0].to_vec(), &Kind::Any), "[complex f64[], complex f64[], complex f64[]]");
    assert_eq!(types(&[[] as [Complex32; 0]; 2], &Kind::Complex), "complex f32[2,0]");
    assert_eq!(types(&(z[0], 1.0), &Kind::Tuple(&[Kind::Complex, Kind::Leaf])), "(complex f64[3], f64[])");
    assert_eq!(types(&Vec::<Complex64>::new(), &Kind::Complex), "complex f64[0]");
}

/// The imaginary part of what is real is 0, and takes no memory.
#[test]
fn real_values_are_complex_where_one_is_taken() {
    assert_eq!(types(&1.0, &Kind::Complex), "complex f64[]");
    assert_eq!(types(&1f32, &Kind::Complex), "complex f32[]");
    assert_eq!(types(&[1.0, 2.0], &Kind::Complex), "complex f64[2]");
    assert_eq!(types(&vec![[1f32]; 2], &Kind::Complex), "complex f32[2,1]");
    assert_eq!(types(&vec![1.0, 2.0], &Kind::List(&Kind::Complex)), "[complex f64[], complex f64[]]");
    assert_eq!(types(&Array2::<f64>::zeros((2, 3)).t(), &Kind::Complex), "complex f64[3,2]");
    assert_eq!(types(&retrograd::value::Array::scalar(1.0), &Kind::Complex), "complex f64[]");
    assert_eq!(types(&1i64, &Kind::Complex), "i64[]");
    let one = [1.0];
    let large = ArrayView1::from(&one);
    let large = large.broadcast([1 << 40]).unwrap();
    let tree = large.to_tree_as(&Kind::Complex);
    let [_, im] = tree.as_complex().unwrap().map(LeafRef::view);
    assert_eq!((im.shape(), im.as_slice::<f64>()), ([1 << 40].as_slice(), None));
}

/// Arguments are read as the function takes them.
#[test]
fn complex_functions_take_numbers_rows_and_lists() {
    let twice = jit(|z: Complex| z + z);
    assert_eq!(twice.call::<Complex64>(c64(1.0, 2.0)).unwrap(), c64(2.0, 4.0));
    assert_eq!(twice.call::<Complex64>(3.0).unwrap(), c64(6.0, 0.0));
    assert_eq!(twice.call::<Vec<Complex64>>([c64(1.0, 2.0), c64(0.5, 0.0)]).unwrap(), [c64(2.0, 4.0), c64(1.0, 0.0)]);
    assert_eq!(twice.call::<Vec<Complex64>>(vec![1.0, 2.0]).unwrap(), [c64(2.0, 0.0), c64(4.0, 0.0)]);
    let rows: Array2<Complex32> = twice.call([[c32(1.0, 2.0), c32(3.0, 4.0)]]).unwrap();
    assert_eq!(rows, array![[c32(2.0, 4.0), c32(6.0, 8.0)]]);
    let product = jit(|z: Vec<Complex>| z[0] * z[1]);
    assert_eq!(product.call::<Complex64>([c64(0.0, 1.0), c64(2.0, 1.0)]).unwrap(), c64(-1.0, 2.0));
    assert_eq!(product.call::<Complex64>(vec![3.0, 2.0]).unwrap(), c64(6.0, 0.0));
    let product = jit(|p: (Complex, Var)| (p.0 * p.1, [p.0]));
    let (scaled, [same]): (Complex64, [Complex64; 1]) = product.call((c64(0.0, 1.0), 2.0)).unwrap();
    assert_eq!((scaled, same), (c64(0.0, 2.0), c64(0.0, 1.0)));
}

/// A struct of users, with complex parts on both sides.
#[test]
fn derived_structs_have_complex_fields() {
    #[derive(Clone, Debug, PartialEq, Tree)]
    struct Filter<Z, T> {
        poles: Vec<Z>,
        gain: T,
        taps: Z,
    }
    let respond = |filter: Filter<Complex, Var>, z: Complex| Filter {
        poles: filter.poles.iter().map(|&pole| z - pole).collect(),
        gain: filter.gain * z.abs_squared(),
        taps: filter.taps * z,
    };
    let filter = Filter { poles: vec![c64(0.5, 0.5), c64(0.5, -0.5)], gain: 2.0, taps: c64(1.0, 1.0) };
    let expected = Filter { poles: vec![c64(-0.5, 0.5), c64(-0.5, 1.5)], gain: 2.0, taps: c64(-1.0, 1.0) };
    let response: Filter<Complex64, f64> = jit(respond).call(&filter, c64(0.0, 1.0)).unwrap();
    assert_eq!(response, expected);
    let arrays = Filter { poles: vec![], gain: 1.0, taps: array![c64(1.0, 2.0), c64(3.0, 4.0)] };
    let response: Filter<Array1<Complex64>, f64> = jit(respond).call(&arrays, c64(0.0, 1.0)).unwrap();
    assert_eq!(response.taps, array![c64(-2.0, 1.0), c64(-4.0, 3.0)]);
    let graph = jit(respond).graph(&filter, c64(0.0, 1.0)).unwrap();
    let names: Vec<&str> = graph.inputs().iter().map(|input| &*input.name).collect();
    let expected = ["x.poles.0.re", "x.poles.0.im", "x.poles.1.re", "x.poles.1.im", "x.gain", "x.taps.re", "x.taps.im"];
    assert_eq!(names, [expected.as_slice(), &["y.re", "y.im"]].concat());
    let error = jit(respond).call::<Filter<Complex64, f64>>(Filter { poles: vec![], gain: 1.0, taps: 1.0 }, 1.0);
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("argument 0 (x.taps): takes a complex array or number, but got f64[]\n"), "{error}");
}

/// What is of the other kind is an error that says what to do.
#[test]
fn complex_and_real_are_not_mixed_up() {
    let starts = |error: retrograd::Error, expected: &str| {
        let error = error.to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    let z = array![c64(1.0, 2.0), c64(3.0, 4.0)];
    let real = jit(|x: Var, y: Var| x + y);
    let takes_real = "takes a real array or number, but got complex";
    let then = "take its `re` or `abs`";
    starts(real.call::<f64>(1.0, &z).unwrap_err(), &format!("argument 1 (y): {takes_real} f64[2]; {then}\n"));
    starts(real.call::<f64>(c32(1.0, 2.0), 1.0).unwrap_err(), &format!("argument 0 (x): {takes_real} f32[]; {then}\n"));
    starts(real.call::<f64>(z.to_vec(), 1.0).unwrap_err(), &format!("argument 0 (x): {takes_real} f64[2]; {then}\n"));
    let list = jit(|x: Vec<Var>| x[0]);
    starts(list.call::<f64>(z.to_vec()).unwrap_err(), &format!("argument 0 (x.0): {takes_real} f64[]; {then}\n"));
    let complex = jit(|z: Complex| z);
    starts(
        complex.call::<Complex64>(1i64).unwrap_err(),
        "argument 0 (x): takes a complex array or number, but got i64[]\n",
    );
    starts(
        complex.call::<f64>(c64(1.0, 2.0)).unwrap_err(),
        &format!("out: takes f64[], but got complex f64[]; {then}\n"),
    );
    starts(
        complex.call::<Array1<f64>>(&z).unwrap_err(),
        &format!("out: takes an array of f64 of rank 1, but got complex f64[2]; {then}\n"),
    );
    starts(
        complex.call::<Array2<Complex64>>(&z).unwrap_err(),
        "out: takes an array of complex f64 of rank 2, but got complex f64[2]\n",
    );
    starts(
        complex.call::<Array1<Complex32>>(&z).unwrap_err(),
        "out: takes an array of complex f32 of rank 1, but got complex f64[2]\n",
    );
    starts(complex.call::<Complex64>(&z).unwrap_err(), "out: takes complex f64[], but got complex f64[2]\n");
    starts(complex.call::<[Complex64; 3]>(&z).unwrap_err(), "out: takes a list of 3, but got complex f64[2]\n");
    starts(jit(|x: Var| x).call::<Complex64>(1.0).unwrap_err(), "out: takes complex f64[], but got f64[]\n");
}

/// Row by row, with the parameter the same for each.
#[test]
fn rows_are_mapped() {
    let f = |z: Complex, w: Complex| z * z + w;
    let rows = vmap(f).over(retrograd::Arg::<0>);
    let z = array![c64(1.0, 1.0), c64(0.0, 2.0), c64(-3.0, 0.5)];
    let mapped: Array1<Complex64> = jit(rows).call(&z, c64(0.0, 1.0)).unwrap();
    assert_eq!(mapped, z.mapv(|z| z * z + c64(0.0, 1.0)));
    let slope = grad(|z: Complex| z.abs_squared());
    let slopes: Array1<Complex64> = jit(vmap(slope)).call(z.slice(s![..;-1])).unwrap();
    assert_eq!(slopes, z.slice(s![..;-1]).mapv(|z| 2.0 * z));
}

/// A recurrence `z ← z² + c` as a scan, a `fori_loop`, a `while_loop` and a checkpointed body, its gradient against the
/// derivative by hand.
#[test]
fn loops_carry_complex_numbers() {
    let step = |z: Complex, c: Complex| z * z + c;
    let unrolled = |c: Complex| step(step(step(c, c), c), c).abs_squared();
    let scanned = |c: Complex, factors: Complex| {
        let (z, orbit) = scan(c, factors, |z, factor| {
            let next = step(z, c) * factor;
            (next, next)
        });
        (z.abs_squared(), orbit)
    };
    let (c, ones) = (c64(-0.3, 0.6), Array1::from_elem(3, c64(1.0, 0.0)));
    let (value, orbit): (f64, Array1<Complex64>) = jit(scanned).call(c, &ones).unwrap();
    let mut expected = vec![];
    let mut z = c;
    for _ in 0..3 {
        z = z * z + c;
        expected.push(z);
    }
    assert_eq!((value, orbit.to_vec()), (z.re * z.re + z.im * z.im, expected));
    let slope: Complex64 = jit(grad(unrolled)).call(c).unwrap();
    let close = |got: Complex64, expected: Complex64| assert!((got - expected).norm() < 1e-14, "{got} {expected}");
    // dz/dc by the recurrence dz ← 2 z dz + 1; the gradient of |z|² is 2 z conj(dz).
    let (mut z, mut dz) = (c, c64(1.0, 0.0));
    for _ in 0..3 {
        (z, dz) = (z * z + c, 2.0 * z * dz + 1.0);
    }
    close(slope, 2.0 * z * dz.conj());
    let of_scan = move |c: Complex, ones: Complex| scanned(c, ones).0;
    close(jit(grad(of_scan)).call(c, &ones).unwrap(), slope);
    let of_fori = move |c: Complex| fori_loop(3, c, |_, z| step(z, c)).abs_squared();
    close(jit(grad(of_fori)).call(c).unwrap(), slope);
    let of_while = move |c: Complex| {
        let (z, _) = while_loop((c, Var::from(0.0)), |(_, k)| k.less(3.0), |(z, k)| (step(z, c), k + 1.0));
        z.abs_squared()
    };
    close(jit(grad(of_while)).call(c).unwrap(), slope);
    let kept = move |c: Complex| {
        let body = checkpoint(step);
        body.call(body.call(body.call(c, c), c), c).abs_squared()
    };
    close(jit(grad(kept)).call(c).unwrap(), slope);
}

#[test]
fn branches_take_and_return_complex_numbers() {
    let f = |z: Complex, above: Var| cond(above.greater(0.0), || z * z, || z.conj());
    let f = jit(f);
    assert_eq!(f.call::<Complex64>(c64(1.0, 2.0), 1.0).unwrap(), c64(-3.0, 4.0));
    assert_eq!(f.call::<Complex64>(c64(1.0, 2.0), -1.0).unwrap(), c64(1.0, -2.0));
    // Plain `if` on a part, with a path for each outcome.
    let upper = jit(|z: Complex| if z.im > 0.0 { z } else { -z });
    assert_eq!(upper.call::<Complex64>(c64(1.0, -2.0)).unwrap(), c64(-1.0, 2.0));
    assert_eq!(upper.call::<Complex64>(c64(1.0, 2.0)).unwrap(), c64(1.0, 2.0));
    assert_eq!(upper.n_paths(), 2);
}

/// A rule that turns the cotangent, which the gradient shows.
#[test]
fn custom_rules_take_and_return_complex_numbers() {
    let turned = |z: Complex| {
        let turn = custom_vjp(|z: Complex| z, |_: (Complex,), _, ct: Complex| (ct * c64(0.0, 1.0),));
        turn.call(z).abs_squared()
    };
    let slope: Complex64 = jit(grad(turned)).call(c64(1.0, 2.0)).unwrap();
    assert_eq!(slope, c64(2.0, 4.0) * c64(0.0, 1.0));
}

/// A saved graph has the parts by name, and runs with them.
#[test]
fn graphs_have_the_parts_by_name() {
    let graph = jit(|z: Complex, w: Var| (z * w, z.abs_squared())).arguments(["z", "w"]).results(["y", "size"]);
    let graph = graph.trace((Type::new(DType::F64, [2]).complex(), DType::F64)).unwrap();
    let names = |list: Vec<&str>| list.join(" ");
    assert_eq!(names(graph.inputs().iter().map(|input| &*input.name).collect()), "z.re z.im w");
    assert_eq!(names(graph.outputs().iter().map(|output| &*output.name).collect()), "y.re y.im size");
    let error = trace(|z: Complex| z, DType::F64).unwrap_err().to_string();
    assert!(error.starts_with("argument 0 (x): takes a complex array or number, but got f64[]\n"), "{error}");
    let error = trace(|x: Var| x, Type::scalar(DType::F64).complex()).unwrap_err().to_string();
    let expected = "argument 0 (x): takes a real array or number, but got complex f64[]; take its `re` or `abs`\n";
    assert!(error.starts_with(expected), "{error}");
}
