//! Array methods against values and gradients worked out by hand: kinks, infinities, shapes, and wrong axes.

use std::f64::consts::LN_2;

use ndarray::{Array1, Array2, Array3, ArrayD, array};
use retrograd::value::{Array, DType, Type};
use retrograd::{Error, Var, grad, hessian, jit, trace, value_and_grad};

const INF: f64 = f64::INFINITY;

/// Value and gradient of a function of a vector.
#[track_caller]
fn check(f: fn(Var) -> Var, x: &[f64], value: f64, gradient: &[f64]) {
    let (got, slope): (f64, Array1<f64>) = jit(value_and_grad(f)).call(Array1::from(x.to_vec())).unwrap();
    let close = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-15 * b.abs().max(1.0);
    assert!(close(got, value), "{got} instead of {value}");
    assert_eq!(slope.len(), gradient.len());
    assert!(slope.iter().zip(gradient).all(|(&a, &b)| close(a, b)), "gradient {slope} instead of {gradient:?}");
}

#[test]
fn kinks_have_the_documented_derivatives() {
    check(Var::norm, &[3.0, -4.0], 5.0, &[0.6, -0.8]);
    check(Var::norm, &[0.0, 0.0], 0.0, &[0.0, 0.0]);
    check(Var::std, &[1.0, 3.0], 1.0, &[-0.5, 0.5]);
    check(Var::std, &[2.0, 2.0, 2.0], 0.0, &[0.0, 0.0, 0.0]);
    check(Var::var, &[1.0, 3.0], 1.0, &[-1.0, 1.0]);
    check(Var::mean, &[1.0, 3.0], 2.0, &[0.5, 0.5]);
    check(Var::max_all, &[1.0, 3.0, 3.0], 3.0, &[0.0, 0.5, 0.5]);
    check(Var::min_all, &[1.0, 3.0, 1.0], 1.0, &[0.5, 0.0, 0.5]);
    check(Var::prod, &[2.0, 0.0, 5.0], 0.0, &[0.0, 10.0, 0.0]);
    check(Var::prod, &[0.0, 3.0, 0.0], 0.0, &[0.0, 0.0, 0.0]);
}

#[test]
fn a_product_with_zeros_has_second_derivatives() -> Result<(), Error> {
    let h: Array2<f64> = jit(hessian(|x: Var| x.prod())).call(array![0.0, 3.0, 5.0])?;
    assert_eq!(h, array![[0.0, 5.0, 3.0], [5.0, 0.0, 0.0], [3.0, 0.0, 0.0]]);
    let h: Array2<f64> = jit(hessian(|x: Var| x.prod())).call(array![0.0, 0.0, 5.0])?;
    assert_eq!(h, array![[0.0, 5.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
    Ok(())
}

#[test]
fn sums_of_exponentials_handle_infinities() -> Result<(), Error> {
    check(|x| x.logsumexp(&[0]), &[1e4, 1e4], 1e4 + LN_2, &[0.5, 0.5]);
    check(|x| x.logsumexp(&[0]), &[-INF, 1.0, 1.0], 1.0 + LN_2, &[0.0, 0.5, 0.5]);
    check(|x| x.logsumexp(&[0]), &[-INF, -INF], -INF, &[0.0, 0.0]);
    check(|x| x.softmax(0).index(0), &[1e4, 1e4 - 800.0], 1.0, &[0.0, 0.0]);
    check(|x| x.log_softmax(0).index(1), &[1e4, 1e4 - 800.0], -800.0, &[-1.0, 1.0]);
    assert_eq!(jit(|x: Var| x.logsumexp(&[0])).call::<f64>(array![INF, 1.0])?, INF);
    let rows: Array2<f64> = jit(|x: Var| x.softmax(1)).call(array![[0.0, LN_2], [3.0, 3.0]])?;
    assert!((rows - array![[1.0 / 3.0, 2.0 / 3.0], [0.5, 0.5]]).iter().all(|error| error.abs() < 1e-15));
    Ok(())
}

#[test]
fn slices_and_concatenations() -> Result<(), Error> {
    let x = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let columns: Array2<f64> = jit(|x: Var| Var::stack(&x.unstack(1), 0)).call(&x)?;
    assert_eq!(columns, x.t());
    let same: Array2<f64> = jit(|x: Var| Var::concatenate(&x.split(1, &[1, 0, 2]), 1)).call(&x)?;
    assert_eq!(same, x);
    let row: Array1<f64> = jit(|x: Var| x.index_axis(0, 1).slice_axis(0, 0, 3, 2)).call(&x)?;
    assert_eq!(row, array![4.0, 6.0]);
    let padded: Array1<f64> = jit(|x: Var| x.flatten().pad(9.0, &[1], &[-4], &[0])).call(&x)?;
    assert_eq!(padded, array![9.0, 1.0, 2.0]);
    let reversed: Array2<f64> = jit(|x: Var| x.reverse(&[0]).cumsum(1)).call(&x)?;
    assert_eq!(reversed, array![[4.0, 9.0, 15.0], [1.0, 3.0, 6.0]]);
    let weights: Array1<f64> = jit(|x: Var| x * Var::iota(&[3], 0, DType::F64)).call(array![5.0, 6.0, 7.0])?;
    assert_eq!(weights, array![0.0, 6.0, 14.0]);
    let places: Array1<i64> = jit(|x: Var| x.argmax(0)).call(&x)?;
    assert_eq!(places, array![1i64, 1, 1]);
    let (all, any): (bool, bool) = jit(|x: Var| (x.greater(3.0).all(), x.greater(3.0).any())).call(&x)?;
    assert_eq!((all, any), (false, true));
    Ok(())
}

#[test]
fn many_parts_are_concatenated_and_split() -> Result<(), Error> {
    let n = 1000;
    let f = |x: Var| Var::stack(&x.unstack(0).into_iter().rev().collect::<Vec<_>>(), 0).dot(x);
    let x = Array1::from_iter((0..n).map(f64::from));
    let slope: Array1<f64> = jit(grad(f)).call(&x)?;
    assert_eq!(slope, Array1::from_iter((0..n).map(|i| 2.0 * f64::from(n - 1 - i))));
    Ok(())
}

#[test]
fn products_follow_numpy() -> Result<(), Error> {
    let (w, x, r) = (array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], array![1.0, 0.0, -1.0], array![1.0, 2.0]);
    let dot = jit(|x: Var, y: Var| x.dot(y));
    assert_eq!(dot.call::<Array1<f64>>(&w, &x)?, w.dot(&x));
    assert_eq!(dot.call::<Array1<f64>>(&r, &w)?, r.dot(&w));
    assert_eq!(dot.call::<f64>(&x, &x)?, 2.0);
    assert_eq!(dot.call::<Array1<f64>>(3.0, &r)?, array![3.0, 6.0]);
    assert_eq!(jit(|x: Var, y: Var| x.dot(y.t())).call::<Array2<f64>>(&w, &w)?, w.dot(&w.t()));
    assert_eq!(
        jit(|x: Var, y: Var| x.outer(y)).call::<Array2<f64>>(&r, &x)?,
        array![[1.0, 0.0, -1.0], [2.0, 0.0, -2.0]]
    );

    // Every pair of ranks that NumPy's matmul takes, against sums of products of slices.
    let batch = |shape: [usize; 3]| Array3::from_shape_fn(shape, |(b, i, j)| (b * 7 + i * 3 + j) as f64 - 4.0);
    let (a, b) = (batch([4, 2, 3]), batch([4, 3, 5]));
    let matmul = jit(|x: Var, y: Var| x.matmul(y));
    let product: Array3<f64> = matmul.call(&a, &b)?;
    let wide: Array3<f64> = matmul.call(&a, b.index_axis(ndarray::Axis(0), 1).to_owned())?;
    let from_left: Array3<f64> = matmul.call(&w, &b)?;
    let row: Array2<f64> = matmul.call(&x, &b)?;
    for k in 0..4 {
        let (ak, bk) = (a.index_axis(ndarray::Axis(0), k), b.index_axis(ndarray::Axis(0), k));
        assert_eq!(product.index_axis(ndarray::Axis(0), k), ak.dot(&bk));
        assert_eq!(wide.index_axis(ndarray::Axis(0), k), ak.dot(&b.index_axis(ndarray::Axis(0), 1)));
        assert_eq!(from_left.index_axis(ndarray::Axis(0), k), w.dot(&bk));
        assert_eq!(row.index_axis(ndarray::Axis(0), k), x.dot(&bk));
    }
    let spread: ArrayD<f64> = matmul.call(b.clone().insert_axis(ndarray::Axis(1)), batch([6, 5, 2]))?;
    assert_eq!(spread.shape(), [4, 6, 3, 2]);
    Ok(())
}

#[test]
fn wrong_axes_are_errors() {
    let wrong: [(&str, fn(Var) -> Var); 24] = [
        ("sum_axes", |x| x.sum_axes(&[1])),
        ("mean_axes", |x| x.mean_axes(&[1])),
        ("mean of integers", |x| x.convert(DType::I64).mean()),
        ("var_axes", |x| x.var_axes(&[0, 0])),
        ("prod_axes", |x| x.prod_axes(&[1])),
        ("argmax", |x| x.argmax(1)),
        ("argmin of nothing", |x| x.slice_axis(0, 0, 0, 1).argmin(0)),
        ("cumsum", |x| x.cumsum(1)),
        ("softmax", |x| x.softmax(1)),
        ("log_softmax", |x| x.log_softmax(2)),
        ("logsumexp", |x| x.logsumexp(&[3])),
        ("slice_axis", |x| x.slice_axis(1, 0, 1, 1)),
        ("slice_axis backwards", |x| x.slice_axis(0, 2, 1, 1)),
        ("slice_axis without step", |x| x.slice_axis(0, 0, 1, 0)),
        ("index_axis", |x| x.index_axis(0, 2)),
        ("index of a matrix", |x| x.insert_axis(0).index(0)),
        ("insert_axis", |x| x.insert_axis(2)),
        ("squeeze", |x| x.squeeze(0)),
        ("transpose", |x| x.transpose(&[1])),
        ("reverse", |x| x.reverse(&[1])),
        ("matmul with a scalar", |x| x.matmul(x.sum())),
        ("concatenate", |x| Var::concatenate(&[x, x.sum()], 0)),
        ("concatenate nothing", |_| Var::concatenate(&[], 0)),
        ("pad", |x| x.pad(0.0, &[-3], &[0], &[0])),
    ];
    for (name, f) in wrong {
        let error = trace(f, (Type::new(DType::F64, [2]),)).expect_err(name).to_string();
        assert!(error.contains("tests/arrays.rs"), "{name}: {error}");
    }
    // Operations after the first error compute nothing, and do not fail either.
    let after = trace(|x: Var| x.squeeze(0).matmul(x).index(3).softmax(0).norm(), (Type::new(DType::F64, [2]),));
    assert!(after.is_err());
}

#[test]
fn huge_parameters_are_errors() {
    use retrograd::Graph;
    use retrograd::op::{Pad, ScatterSlices, Slice};

    let refuses = |op: retrograd::op::Op, shapes: &[&[usize]]| {
        let mut graph = Graph::new("huge");
        let operands: Vec<_> =
            shapes.iter().map(|&shape| graph.add_input("x", Type::new(DType::F64, shape)).unwrap()).collect();
        assert!(graph.add(op.clone(), &operands, Default::default()).is_err(), "{op:?}");
    };
    let big = usize::MAX;
    let far = Slice { start: vec![big], limit: vec![big], stride: vec![1] };
    refuses(far.into(), &[&[2]]);
    for (low, high, interior) in [(i64::MAX, i64::MAX, 0), (0, 0, big), (i64::MIN, i64::MIN, big), (i64::MIN, 0, 1)] {
        refuses(Pad { low: vec![low], high: vec![high], interior: vec![interior] }.into(), &[&[2], &[]]);
    }
    for (start, stride) in [(big, 1), (0, big), (1, big)] {
        let scatter = ScatterSlices { shape: [5].into(), starts: vec![vec![start]], strides: vec![vec![stride]] };
        refuses(scatter.into(), &[&[2]]);
    }
    // Any gap is allowed for a single element, since no element follows it.
    let graph = trace(|x: Var| x.pad(7.0, &[1], &[0], &[usize::MAX]), (Type::new(DType::F64, [1]),)).unwrap();
    let x = Array::from_elements([1], vec![3.0]).unwrap();
    let padded = retrograd::interpret::run(&graph, &[x]).unwrap();
    assert_eq!(padded, [Array::from_elements([2], vec![7.0, 3.0]).unwrap()]);
    let slope = retrograd::differentiate::vjp(&graph, &[0]).unwrap();
    assert!(slope.n_nodes() > graph.n_nodes());
}

#[test]
fn numbers_arrays_and_ranges_stand_beside_values() -> Result<(), Error> {
    let a = array![[1.0, 2.0], [3.0, 4.0]];
    let (b, c) = (a.clone(), a.clone());
    let f = jit(move |x: Var| (x * &b, &b * x, x - b.clone(), c.clone() / x));
    type Matrix = ndarray::Array2<f64>;
    let (left, right, minus, over): (Matrix, Matrix, Matrix, Matrix) = f.call([2.0, 4.0])?;
    let x = array![2.0, 4.0];
    assert_eq!((left, right), (&a * &x, &a * &x));
    assert_eq!((minus, over), (&x - &a, &a / &x));
    let narrow = jit(|x: Var| x + array![1.0f32, 2.0]);
    assert_eq!(narrow.call::<Vec<f32>>([0.5f32, 0.5])?, [1.5, 2.5]);
    let error = narrow.call::<Vec<f64>>([0.5, 0.5]).unwrap_err().to_string();
    assert!(error.starts_with("add: operands must have equal dtypes") && error.contains(file!()), "{error}");

    let pick = jit(|x: Var| (x.less(0.0).select(0.0, x), x.less(0.0).select(x, 1), x.less(0.0).select(1, 0)));
    let (low, high, flags): (Vec<f64>, Vec<f64>, Vec<f64>) = pick.call([-1.0, 2.0])?;
    assert_eq!((low, high, flags), (vec![0.0, 2.0], vec![-1.0, 1.0], vec![1.0, 0.0]));
    let whole = jit(|n: Var| n.greater(1).select(n, 0)).call::<Vec<i64>>([1i64, 3])?;
    assert_eq!(whole, [0, 3]);
    assert_eq!(jit(|x: Var| x.max(3usize)).call::<f64>(2.0)?, 3.0);

    let ends = jit(|x: Var| (x.slice(0, 1..3), x.slice(0, ..=1), x.slice(0, 2..2), x.at(3)));
    let (middle, head, none, last): (Vec<f64>, Vec<f64>, Vec<f64>, f64) = ends.call([1.0, 2.0, 3.0, 4.0])?;
    assert_eq!((middle, head, none, last), (vec![2.0, 3.0], vec![1.0, 2.0], vec![], 4.0));
    let message = |f: fn(Var) -> Var| jit(f).call::<Array>([1.0, 2.0, 3.0]).unwrap_err().to_string();
    let wrong = message(|x| x.slice(0, 2..5));
    assert!(
        wrong.starts_with("slice: takes a range within 0..3, the extent of axis 0, but got 2..5\n  %x: "),
        "{wrong}"
    );
    // Reversed ranges are what is refused here.
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = message(|x| x.slice(0, 2..1));
    assert!(reversed.contains("but got 2..1"), "{reversed}");
    assert!(message(|x| x.slice(0, ..=usize::MAX)).starts_with("slice: takes a range"));
    assert!(message(|x| x.slice(1, ..)).starts_with("slice: takes an axis below the rank 1, but got 1"));
    assert!(message(|x| x.at(3)).starts_with("at: takes an index below the extent 3 of axis 0, but got 3"));

    let shaped =
        jit(|x: Var| (x.reshape(&[Var::REST, 3]), x.reshape(&[2, 3, Var::REST]), x.sum().reshape(&[Var::REST])));
    let types = shaped.graph(array![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    let types: Vec<String> = types.outputs().iter().map(|output| types.ty(output.value).to_string()).collect();
    assert_eq!(types, ["f64[2,3]", "f64[2,3,1]", "f64[1]"]);
    let open = "reshape: takes one extent that the 3 elements of [3] leave open, but got ";
    assert!(message(|x| x.reshape(&[Var::REST, 2])).starts_with(&format!("{open}[REST,2]\n")));
    assert!(message(|x| x.reshape(&[Var::REST, Var::REST])).starts_with(&format!("{open}[REST,REST]\n")));
    assert!(message(|x| x.reshape(&[0, Var::REST])).starts_with(&format!("{open}[0,REST]\n")));
    Ok(())
}

/// A number by which all elements are shifted takes other instructions than an array does; both give the same bits.
#[test]
fn shifts_by_a_number_are_those_by_an_array() {
    type Shift = fn(Var, Var) -> Var;
    let shifts: [Shift; 3] =
        [|x, y| x.shift_left(y), |x, y| x.shift_right_logical(y), |x, y| x.shift_right_arithmetic(y)];
    let x: Array1<i64> = (0..37).map(|i: i64| (i - 18).wrapping_mul(0x0123_4567_89ab_cdef)).collect();
    for shift in shifts {
        for amount in [i64::MIN, -1, 0, 1, 31, 32, 63, 64, i64::MAX] {
            let by_number: Array1<i64> = jit(move |x: Var| shift(x, Var::from(amount))).call(&x).unwrap();
            let by_array: Array1<i64> = jit(shift).call(&x, Array1::from_elem(37, amount)).unwrap();
            assert_eq!(by_number, by_array, "{amount}");
        }
    }
}
