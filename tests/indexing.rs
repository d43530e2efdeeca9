//! Indices that are computed: errors, rows, control flow, files, and orders of elements.

pub mod common;

use ndarray::{Array1, Array2, array};
use retrograd::ir::{Limits, Value};
use retrograd::op::{Graph, Op, Quantile, Reverse, Ties, Transpose};
use retrograd::value::{Array, DType, Type};
use retrograd::{
    Arg, Error, Program, Var, batch, check_grad, cond, grad, hessian, interpret, jacobian, jit, map, optimize, scan,
    trace, vmap, while_loop,
};

/// The error of a call, which must be that of an index, from the interpreter and from native code alike.
fn index_error(graph: &Graph, inputs: &[Array]) -> retrograd::error::IndexError {
    let program = Program::compile(graph).unwrap();
    let errors = [interpret::run(graph, inputs).unwrap_err(), program.call(inputs).unwrap_err()];
    let [interpreted, native] = errors.map(|error| match error {
        Error::Index(error) => *error,
        other => panic!("{other}"),
    });
    assert_eq!(interpreted, native);
    native
}

fn indices(shape: &[usize], indices: &[i64]) -> Array {
    Array::from_elements(shape, indices.to_vec()).unwrap()
}

fn numbers(shape: &[usize]) -> Array {
    let n = shape.iter().product::<usize>();
    Array::from_elements(shape, (0..n).map(|i| i as f64).collect()).unwrap()
}

#[test]
fn one_bad_index_among_a_million_is_named_and_the_program_goes_on() {
    let n = 1_000_000;
    let types = (Type::new(DType::F64, [100]), Type::new(DType::I64, [n]));
    let graph = trace(|x: Var, i: Var| x.take(i, 0).sum(), types).unwrap();
    let good: Vec<i64> = (0..n as i64).map(|i| i * 7919 % 100).collect();
    let program = Program::compile(&graph).unwrap();
    let x = numbers(&[100]);
    let expected = program.call(&[x.clone(), indices(&[n], &good)]).unwrap();
    for (place, index) in [(0, -1), (567_891, 100), (n - 1, i64::MIN), (3, i64::MAX)] {
        let mut bad = good.clone();
        bad[place] = index;
        let Err(Error::Index(error)) = program.call(&[x.clone(), indices(&[n], &bad)]) else { panic!("no error") };
        assert_eq!((error.index, error.position, error.axis, error.extent), (index, vec![place], 0, 100));
        assert!(error.at.is_some_and(|at| at.to_string().contains("tests/indexing.rs")));
        assert_eq!(program.call(&[x.clone(), indices(&[n], &good)]).unwrap(), expected);
    }
}

#[test]
fn errors_say_which_index_it_is() {
    let types = (Type::new(DType::F64, [4, 3]), Type::new(DType::I64, [2, 2]));
    let graph = trace(|x: Var, i: Var| x.take(i, 1), types.clone()).unwrap();
    let error = index_error(&graph, &[numbers(&[4, 3]), indices(&[2, 2], &[0, 2, 3, 9])]);
    let text = error.to_string();
    assert!(text.starts_with("gather: index 3 at [1, 0] must lie within 0..3, for axis 1 of extent 3, in %"), "{text}");
    assert!(text.contains("\n  at tests/indexing.rs:"), "{text}");

    let write = trace(|x: Var, i: Var| x.at_indices(i, 0).add(1.0), types).unwrap();
    let error = index_error(&write, &[numbers(&[4, 3]), indices(&[2, 2], &[0, 1, -5, 2])]);
    assert_eq!((error.op, error.index, &error.position[..], error.extent), ("scatter", -5, &[1, 0][..], 4));

    let types = (Type::new(DType::F64, [5, 4]), Type::scalar(DType::I64));
    let window = |x: Var, i: Var| x.dynamic_slice(&[i, i], &[2, 3]);
    let error = index_error(&trace(window, types).unwrap(), &[numbers(&[5, 4]), Array::scalar(2i64)]);
    let text = error.to_string();
    assert!(
        text.starts_with("gather: index 2 must lie within 0..2, for 3 elements along axis 1 of extent 4"),
        "{text}"
    );
}

#[test]
fn indices_of_the_host_are_refused_where_they_are_written() {
    let call = |f: fn(Var) -> Var| jit(f).call::<Array1<f64>>(array![1.0, 2.0, 3.0]).unwrap_err().to_string();
    assert!(call(|x| x.take([0, 3], 0)).contains("index 3"));
    assert!(call(|x| x.take(x, 0)).contains("takes indices of dtype i64, but got f64[3]; use convert"));
    assert!(call(|x| x.take([0], 1)).contains("takes an axis below the rank 1, but got 1"));
    assert!(call(|x| x.top_k(4, 0).0).contains("takes at most the 3 elements along axis 0, but got 4"));
    assert!(call(|x| x.quantile(1.5, 0)).contains("takes a quantile from 0 to 1"));
    assert!(call(|x| x.quantile(f64::NAN, 0)).contains("takes a quantile from 0 to 1"));
    assert!(call(|x| x.slice(0, ..0).median(0)).contains("with elements along axis 0"));
    assert!(call(|x| x.along([0], 0).get().sum().along([0], 0).get()).contains("takes an axis below the rank 0"));
    assert!(call(|x| x.segment_sum([0, 1], 2)).contains("takes one segment of dtype i64 for each element"));
    assert!(call(|x| x.at_points(&[]).get()).contains("takes from 1 to 1 coordinates, one an axis, but got 0"));
    assert!(call(|x| x.dynamic_slice(&[], &[])).contains("takes a start and an extent for each of 1 axes"));
    assert!(
        call(|x| x.slice(0, ..0).take([0], 0)).contains("a slice that extends over 1 does not fit axis 0 of extent 0")
    );
    assert!(call(|x| x.interp(x, x.slice(0, 1..))).contains("two vectors of one extent"));
}

#[test]
fn indices_are_checked_in_loops_branches_rows_and_files() {
    let x = || array![1.0, 2.0, 3.0];
    let in_map = jit(|x: Var, i: Var| map(i, |i: Var| x.at_indices(i, 0).get()));
    let in_scan = jit(|x: Var, i: Var| scan(Var::from(0.0), i, |sum: Var, i: Var| (sum + x.take(i, 0), sum)).0);
    let in_rows = jit(vmap(|x: Var, i: Var| x.take(i, 0)).over(Arg::<1>));
    let untaken = jit(|x: Var, i: Var| cond(x.at(0).greater(0.0), || x.at(0), || x.take(i, 0).sum()));
    let (good, bad) = (array![2i64, 0], array![2i64, 3]);
    assert_eq!(in_map.call::<Array1<f64>>(x(), good.clone()).unwrap(), array![3.0, 1.0]);
    assert_eq!(in_scan.call::<f64>(x(), good.clone()).unwrap(), 4.0);
    assert_eq!(in_rows.call::<Array1<f64>>(x(), good.clone()).unwrap(), array![3.0, 1.0]);
    for error in [
        in_map.call::<Array1<f64>>(x(), bad.clone()).unwrap_err(),
        in_scan.call::<f64>(x(), bad.clone()).unwrap_err(),
        in_rows.call::<Array1<f64>>(x(), bad.clone()).unwrap_err(),
    ] {
        assert!(matches!(&error, Error::Index(error) if error.index == 3), "{error}");
    }
    // A branch that is not taken checks nothing, nor do its rows.
    assert_eq!(untaken.call::<f64>(x(), bad.clone()).unwrap(), 1.0);
    let rows =
        vmap(|p: Var, x: Var, i: Var| cond(p.greater(0.0), || x.at(0), || x.take(i, 0))).over((Arg::<0>, Arg::<2>));
    let y: Array1<f64> = jit(rows).call(array![1.0, -1.0], x(), array![77i64, 1]).unwrap();
    assert_eq!(y, array![1.0, 2.0]);

    // What is the same in all iterations is not read before a loop that runs none; and a bad index that is known when a
    // program is compiled is an error of the calls that get there.
    let none = jit(|x: Var, i: Var, n: Var| {
        while_loop((n, x.at(0)), |(n, _)| n.greater(0.0), |(n, y)| (n - 1.0, y + x.take(i, 0).sum())).1
    });
    assert_eq!(none.call::<f64>(x(), bad.clone(), 0.0).unwrap(), 1.0);
    assert!(matches!(none.call::<f64>(x(), bad.clone(), 2.0), Err(Error::Index(_))));
    let known = jit(|x: Var| cond(x.at(0).greater(0.0), || x.at(0), || Var::from(array![1.0, 2.0]).take([9], 0).sum()));
    assert_eq!(known.call::<f64>(x()).unwrap(), 1.0);
    assert!(matches!(known.call::<f64>(-x()), Err(Error::Index(error)) if error.index == 9));

    let types = (Type::new(DType::F64, [3]), Type::new(DType::I64, [2]));
    let graph = trace(|x: Var, i: Var| x.take(i, 0).square().sum(), types).unwrap();
    let loaded = Graph::from_json(&graph.to_json().unwrap(), &Limits::default()).unwrap();
    let error = index_error(&loaded, &[numbers(&[3]), indices(&[2], &[0, 3])]);
    assert_eq!(error.index, 3);
    let rows = batch::batch(&loaded, &[1], 2).unwrap();
    let error = index_error(&rows, &[numbers(&[3]), indices(&[2, 2], &[0, 1, 2, 3])]);
    assert_eq!(error.index, 3);
}

#[test]
fn derivatives_go_back_to_where_elements_came_from() {
    let i = || Var::constant(indices(&[4], &[2, 0, 2, 1]));
    let x = array![0.3, -1.2, 2.5];
    let y = array![0.7, 1.1, -0.4, 0.9];
    check_grad(|x: Var| x.take(i(), 0).powi(3).sum(), x.clone()).unwrap();
    check_grad(|x: Var, y: Var| x.at_indices(i(), 0).set(y).powi(3).sum(), (x.clone(), y.clone())).unwrap();
    check_grad(|x: Var, y: Var| x.at_indices(i(), 0).add(y).powi(3).sum(), (x.clone(), y.clone())).unwrap();
    check_grad(|x: Var, y: Var| x.at_indices(i(), 0).max(y).powi(3).sum(), (x.clone(), y.clone())).unwrap();
    check_grad(|x: Var, y: Var| x.at_indices(i(), 0).min(y).powi(3).sum(), (x.clone(), y.clone())).unwrap();
    check_grad(|x: Var| x.at_indices(i(), 0).mul(2.0).powi(3).sum(), x.clone()).unwrap();
    check_grad(|x: Var, y: Var| y.interp(x.sort(0), x.square()).powi(2).sum(), (x.clone(), y.clone())).unwrap();

    // Of equal indices the last one stays.
    let kept: Array1<f64> = jit(grad(|y: Var| Var::zeros([3]).at_indices(i(), 0).set(y).sum())).call(&y).unwrap();
    assert_eq!(kept, array![0.0, 1.0, 1.0, 1.0]);
    // Ties share evenly, the array's element included; a NaN gives NaN.
    let ties = |x: Var, y: Var| x.at_indices([0usize, 0, 1], 0).max(y).sum();
    let f = jit(jacobian(ties).wrt((Arg::<0>, Arg::<1>)));
    let (dx, dy): (Array1<f64>, Array1<f64>) = f.call(array![1.0, f64::NAN], array![1.0, 1.0, 5.0]).unwrap();
    assert!(dx[1].is_nan() && dy[2].is_nan());
    assert_eq!((dx[0], dy[0], dy[1]), (1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0));
    // Products are exact where factors are zero, in second order, too.
    check_grad(|x: Var, y: Var| x.at_indices(i(), 0).mul(y).powi(3).sum(), (x.clone(), y.clone())).unwrap();
    let product = |y: Var| Var::ones([3]).at_indices(i(), 0).mul(y).at(2);
    let h: Array2<f64> = jit(hessian(product)).call(array![0.0, 2.0, 0.0, 3.0]).unwrap();
    assert_eq!((h[[0, 2]], h[[2, 0]], h.sum()), (1.0, 1.0, 2.0));

    let h: Array2<f64> = jit(hessian(|x: Var| x.take(i(), 0).powi(3).sum())).call(&x).unwrap();
    assert_eq!(h.diag(), array![6.0 * 0.3, -6.0 * 1.2, 12.0 * 2.5]);
}

#[test]
fn elements_that_are_skipped_have_no_derivative() {
    let f = |x: Var| x.at_indices(Var::constant(indices(&[3], &[-1, 1, 7])), 0).skip().get().sum();
    let slope: Array1<f64> = jit(grad(f)).call(array![f64::NAN, 2.0]).unwrap();
    assert_eq!(slope, array![0.0, 1.0]);
    let f = |x: Var| x.at_indices(Var::constant(indices(&[3], &[-1, 1, 7])), 0).get_or(9.0).sum();
    let (y, slope): (f64, Array1<f64>) = jit(retrograd::value_and_grad(f)).call(array![f64::INFINITY, 2.0]).unwrap();
    assert_eq!((y, slope), (20.0, array![0.0, 1.0]));
    let f = |x: Var, y: Var| x.at_indices(Var::constant(indices(&[3], &[-1, 1, 7])), 0).skip().set(y).sum();
    let slopes: (Array1<f64>, Array1<f64>) =
        jit(grad(f).wrt((Arg::<0>, Arg::<1>))).call(array![1.0, 2.0], array![3.0, 4.0, 5.0]).unwrap();
    assert_eq!(slopes, (array![1.0, 0.0], array![0.0, 1.0, 0.0]));
}

/// NumPy 2 and SciPy 1: `np.quantile(x, q, method=…)`, `scipy.stats.rankdata(x, method)`, of one and of an even number.
#[test]
fn quantiles_and_ranks_are_those_of_numpy_and_scipy() {
    for line in include_str!("data/quantiles.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let method = match cells[0] {
            "inverted_cdf" => Quantile::InvertedCdf,
            "averaged_inverted_cdf" => Quantile::AveragedInvertedCdf,
            "closest_observation" => Quantile::ClosestObservation,
            "interpolated_inverted_cdf" => Quantile::InterpolatedInvertedCdf,
            "hazen" => Quantile::Hazen,
            "weibull" => Quantile::Weibull,
            "linear" => Quantile::Linear,
            "median_unbiased" => Quantile::MedianUnbiased,
            "normal_unbiased" => Quantile::NormalUnbiased,
            "lower" => Quantile::Lower,
            "higher" => Quantile::Higher,
            "midpoint" => Quantile::Midpoint,
            "nearest" => Quantile::Nearest,
            other => panic!("{other}"),
        };
        let q: f64 = cells[1].parse().unwrap();
        let expected: f64 = cells[2].parse().unwrap();
        let x: Array1<f64> = cells[3..].iter().map(|x| x.parse::<f64>().unwrap()).collect();
        let got: f64 = jit(move |x: Var| x.quantile_by(q, 0, method)).call(&x).unwrap();
        assert!((got - expected).abs() <= 1e-15 * expected.abs(), "{line}: {got}");
    }
    let x = array![2.0, 1.0, 2.0, -3.0, 2.0, 1.0];
    for (ties, expected) in [
        (Ties::Average, array![5.0, 2.5, 5.0, 1.0, 5.0, 2.5]),
        (Ties::Min, array![4.0, 2.0, 4.0, 1.0, 4.0, 2.0]),
        (Ties::Max, array![6.0, 3.0, 6.0, 1.0, 6.0, 3.0]),
        (Ties::Dense, array![3.0, 2.0, 3.0, 1.0, 3.0, 2.0]),
        (Ties::Ordinal, array![4.0, 2.0, 5.0, 1.0, 6.0, 3.0]),
    ] {
        assert_eq!(jit(move |x: Var| x.ranks(0, ties)).call::<Array1<f64>>(&x).unwrap(), expected, "{ties:?}");
    }
}

#[test]
fn nan_is_last_and_spoils_quantiles() {
    let nan = f64::NAN;
    let x = array![2.0, nan, -1.0, nan, 5.0];
    let f = jit(|x: Var| (x.sort(0), x.sort_descending(0), x.median(0), x.top_k(2, 0).0));
    let (up, down, median, top): (Array1<f64>, Array1<f64>, f64, Array1<f64>) = f.call(&x).unwrap();
    assert_eq!(up.slice(ndarray::s![..3]), array![-1.0, 2.0, 5.0]);
    assert_eq!(down.slice(ndarray::s![..3]), array![5.0, 2.0, -1.0]);
    assert!(up[3].is_nan() && down[4].is_nan() && median.is_nan());
    assert_eq!(top, array![5.0, 2.0]);
    let slope: Array1<f64> = jit(grad(|x: Var| x.median(0))).call(&x).unwrap();
    assert!(slope.iter().all(|x| x.is_nan() || *x == 0.0), "{slope}");
}

#[test]
fn masks_of_known_count() {
    let f = jit(|x: Var| x.compress(x.greater(0.0), 2, 0));
    assert_eq!(f.call::<Array1<f64>>(array![3.0, -1.0, 2.0]).unwrap(), array![3.0, 2.0]);
    for wrong in [array![3.0, 1.0, 2.0], array![-3.0, -1.0, 2.0]] {
        assert!(matches!(f.call::<Array1<f64>>(wrong), Err(Error::Index(_))));
    }
    let none: Array1<f64> = jit(|x: Var| x.compress(x.greater(0.0), 0, 0)).call(array![-3.0]).unwrap();
    assert_eq!(none.len(), 0);
}

#[test]
fn segments_of_rows_in_a_vmap_are_those_of_each_row() {
    let f = |x: Var, s: Var| (x.segment_sum(s, 3), x.segment_max(s, 3), x.segment_mean(s, 3), s.bincount(3));
    let (x, s) = (Array2::from_shape_fn((4, 6), |(i, j)| (i * 7 + j * j) as f64 - 9.5), array![0i64, 2, 2, 0, 0, 2]);
    type Rows = (Array2<f64>, Array2<f64>, Array2<f64>, Array2<i64>);
    let s_rows = Array2::from_shape_fn((4, 6), |(i, j)| ((i + j) % 3) as i64);
    let rows: Rows = jit(vmap(f)).call(&x, &s_rows).unwrap();
    for row in 0..4 {
        let one: (Array1<f64>, Array1<f64>, Array1<f64>, Array1<i64>) =
            jit(f).call(x.row(row).to_owned(), s_rows.row(row).to_owned()).unwrap();
        assert_eq!(
            (rows.0.row(row), rows.1.row(row), rows.2.row(row), rows.3.row(row)),
            (one.0.view(), one.1.view(), one.2.view(), one.3.view())
        );
    }
    let (sum, max, mean, count): (Array1<f64>, Array1<f64>, Array1<f64>, Array1<i64>) =
        jit(f).call(x.row(0).to_owned(), s).unwrap();
    assert_eq!((sum[1], max[1], count), (0.0, f64::NEG_INFINITY, array![3i64, 0, 3]));
    assert!(mean[1].is_nan());
}

/// `numpy.interp`, also at points of the table, at infinite ones, and where points are equal.
#[test]
fn interpolation_is_that_of_numpy() {
    let inf = f64::INFINITY;
    let cases = [
        (
            vec![0.0, 1.0, -5.0, 1e9, f64::NAN],
            vec![-inf, 1.0, inf],
            vec![5.0, 6.0, 2.0],
            vec![6.0, 6.0, 6.0, 6.0, f64::NAN],
        ),
        (vec![1.0, 0.5, 3.0, 9.0], vec![0.0, 1.0, 1.0, 3.0], vec![5.0, 1.0, 2.0, 8.0], vec![2.0, 3.0, 8.0, 8.0]),
        (vec![1.0, 0.0], vec![0.0, 1.0, 2.0], vec![0.0, 7.0, inf], vec![7.0, 0.0]),
        (vec![-1.0, 2.0, 5.0], vec![2.0], vec![3.0], vec![3.0, 3.0, 3.0]),
    ];
    for (t, xs, ys, expected) in cases {
        let f = jit(|t: Var, xs: Var, ys: Var| t.interp(xs, ys));
        let got: Array1<f64> = f.call(&t, &xs, &ys).unwrap();
        let same = |(x, y): (&f64, &f64)| x == y || x.is_nan() && y.is_nan();
        assert!(got.iter().zip(&expected).all(same), "{t:?} in {xs:?}, {ys:?}: {got}, not {expected:?}");
    }
    // At an inner point the slope is that of the piece to the right.
    let slope = jit(grad(|t: Var| t.interp(Var::from(array![0.0, 1.0, 3.0]), Var::from(array![5.0, 6.0, 2.0]))));
    assert_eq!([0.5, 1.0, 3.0, 4.0].map(|t| slope.call::<f64>(t).unwrap()), [1.0, -2.0, 0.0, 0.0]);
}

/// Arrays without elements, and modes that leave nothing beyond the array.
#[test]
fn nothing_to_index() {
    let empty = Array2::<f64>::zeros((0, 3));
    let sorted: Array2<f64> = jit(|x: Var| x.sort(0)).call(&empty).unwrap();
    assert_eq!(sorted.shape(), [0, 3]);
    let (count, taken): (Array1<i64>, Array2<f64>) =
        jit(|i: Var, x: Var| (i.bincount(0), x.take(i, 0))).call(Array1::<i64>::zeros(0), &empty).unwrap();
    assert_eq!((count.len(), taken.shape()), (0, &[0, 3][..]));
    let slope: Array2<f64> =
        jit(grad(|x: Var| x.sort(0).sum() + x.take(Var::zeros(Type::new(DType::I64, [0])), 0).sum()))
            .call(&empty)
            .unwrap();
    assert_eq!(slope.shape(), [0, 3]);
    let x = array![1.0, 2.0, 3.0];
    let i = array![i64::MIN, -1, 3, 1];
    let wrapped: Array1<f64> = jit(|x: Var, i: Var| x.at_indices(i, 0).wrap().get_or(9.0)).call(&x, &i).unwrap();
    let clamped: Array1<f64> = jit(|x: Var, i: Var| x.at_indices(i, 0).clamp().get_or(9.0)).call(&x, &i).unwrap();
    let filled: Array1<f64> = jit(|x: Var, i: Var| x.at_indices(i, 0).skip().get_or(9.0)).call(&x, &i).unwrap();
    // -2⁶³ is 1 modulo 3.
    assert_eq!((wrapped, clamped), (array![2.0, 3.0, 1.0, 2.0], array![1.0, 1.0, 3.0, 2.0]));
    assert_eq!(filled, array![9.0, 9.0, 9.0, 2.0]);
    let error =
        jit(|x: Var, i: Var| retrograd::numpy::take(x, i, 0)).call::<Array1<f64>>(&x, array![-3i64, -7]).unwrap_err();
    assert!(error.to_string().contains("index -7 at [1]"), "{error}");
}

/// What indices mean, written down once more, element by element: the interpreter and native code share one routine.
mod by_definition {
    use retrograd::op::{Gather, Indexing, OutOfBounds, Scatter, Update};

    /// Row-major indices of a shape.
    fn places(shape: &[usize]) -> Vec<Vec<usize>> {
        let mut places = vec![vec![]];
        for &extent in shape {
            places = places.into_iter().flat_map(|p| (0..extent).map(move |i| [&p[..], &[i]].concat())).collect();
        }
        places
    }

    fn position(shape: &[usize], place: &[usize]) -> usize {
        shape.iter().zip(place).fold(0, |sum, (extent, i)| sum * extent + i)
    }

    pub struct Case {
        pub indexing: Indexing,
        pub sizes: Vec<usize>,
        pub array: Vec<usize>,
        pub indices: Vec<usize>,
        pub slices: Vec<usize>,
        pub vectors: Vec<i64>,
    }

    impl Case {
        /// For each element of the slices in the order of the indices, where it is in the array; `None` where its slice
        /// does not lie within. An error is the first index that does not.
        fn elements(&self, out_of_bounds: OutOfBounds) -> Result<Vec<(usize, Option<usize>)>, i64> {
            let Indexing { window, collapsed, batch, map } = &self.indexing;
            let extended: Vec<usize> =
                (0..self.array.len()).filter(|axis| !collapsed.contains(axis) && !batch[0].contains(axis)).collect();
            let window_shape: Vec<usize> = extended.iter().map(|&axis| self.sizes[axis]).collect();
            let mut elements = Vec::new();
            for place in places(&self.indices[..self.indices.len() - 1]) {
                let vector = &self.vectors[position(&self.indices, &place) * map.len()..][..map.len()];
                let mut start = vec![0i64; self.array.len()];
                let mut inside = true;
                for (&axis, &index) in map.iter().zip(vector) {
                    let limit = (self.array[axis] - self.sizes[axis]) as i64;
                    if !(0..=limit).contains(&index) {
                        if out_of_bounds == OutOfBounds::Error {
                            return Err(index);
                        }
                        inside = false;
                    }
                    start[axis] = index.clamp(0, limit);
                }
                for (&axis, &with) in batch[0].iter().zip(&batch[1]) {
                    start[axis] = place[with] as i64;
                }
                for offset in places(&window_shape) {
                    let (mut at, mut offsets, mut rest) = (start.clone(), offset.iter(), place.iter());
                    extended.iter().zip(&offset).for_each(|(&axis, &by)| at[axis] += by as i64);
                    let slice: Vec<usize> = (0..self.slices.len())
                        .map(|axis| if window.contains(&axis) { offsets.next() } else { rest.next() })
                        .map(|i| *i.unwrap())
                        .collect();
                    let at: Vec<usize> = at.into_iter().map(|i| i as usize).collect();
                    let meets = inside || out_of_bounds == OutOfBounds::Clamp;
                    elements.push((position(&self.slices, &slice), meets.then(|| position(&self.array, &at))));
                }
            }
            Ok(elements)
        }

        pub fn gather(&self, op: &Gather, array: &[f64]) -> Result<Vec<f64>, i64> {
            let mut slices = vec![0.0; self.slices.iter().product()];
            for (slice, at) in self.elements(op.out_of_bounds)? {
                slices[slice] = at.map_or(0.0, |at| array[at]);
            }
            Ok(slices)
        }

        pub fn scatter(&self, op: &Scatter, array: &[f64], slices: &[f64]) -> Result<Vec<f64>, i64> {
            let mut array = array.to_vec();
            for (slice, at) in self.elements(op.out_of_bounds)? {
                let Some(at) = at else { continue };
                array[at] = match op.update {
                    Update::Set => slices[slice],
                    Update::Add => array[at] + slices[slice],
                    Update::Mul => array[at] * slices[slice],
                    Update::Min => array[at].min(slices[slice]),
                    Update::Max => array[at].max(slices[slice]),
                };
            }
            Ok(array)
        }
    }
}

/// An input, given as it is, or with its axes and elements in reverse order, which the graph reverses again by views.
struct Given {
    array: Array,
    input: Value,
    views: Vec<Op>,
}

fn add_input(graph: &mut Graph, name: &str, x: &Array, random: &mut common::Random) -> Given {
    let axes: Vec<usize> = (0..x.shape().len()).collect();
    let mut views: Vec<Op> = Vec::new();
    if random.below(2) == 0 {
        views.push(Transpose { perm: axes.iter().rev().copied().collect() }.into());
    }
    if random.below(2) == 0 {
        views.push(Reverse { axes }.into());
    }
    let array = views.iter().rev().fold(x.clone(), |x, view| view.eval(&[&x]).unwrap().remove(0));
    Given { input: graph.add_input(name, array.ty()).unwrap(), array, views }
}

impl Given {
    fn value(&self, graph: &mut Graph) -> Value {
        let view = |x, view: &Op| graph.add(view.clone(), &[x], Default::default()).unwrap().into();
        self.views.iter().fold(self.input, view)
    }
}

/// Random ways to address slices, with indices within and far beyond, of views of any strides.
#[test]
fn indices_mean_what_is_written_down() {
    use retrograd::op::{Gather, Indexing, OutOfBounds, ReduceSum, Scatter, Update};
    let random = &mut common::Random(17);
    let (mut n_errors, mut n_results, mut n_sums) = (0, 0, 0);
    for round in 0..3000 {
        let array: Vec<usize> = (0..1 + random.below(3)).map(|_| 1 + random.below(4)).collect();
        // For each axis of the array: indexed and collapsed, indexed and extended, batch, or extended from 0.
        let kinds: Vec<usize> = array.iter().map(|_| random.below(4)).collect();
        let of = |kind: &dyn Fn(usize) -> bool| (0..array.len()).filter(|&axis| kind(kinds[axis])).collect::<Vec<_>>();
        let (collapsed, mut map, batch) = (of(&|kind| kind == 0), of(&|kind| kind < 2), of(&|kind| kind == 2));
        if random.below(2) == 0 {
            map.reverse();
        }
        let sizes: Vec<usize> = (0..array.len())
            .map(|axis| if [0, 2].contains(&kinds[axis]) { 1 } else { 1 + random.below(array[axis]) })
            .collect();
        // Batch axes of the indices are the first, and further axes follow.
        let more = random.below(3);
        let mut indices: Vec<usize> = batch.iter().map(|&axis| array[axis]).collect();
        indices.extend((0..more).map(|_| random.below(4)));
        let n_places = indices.len();
        indices.push(map.len());
        let extended = of(&|kind| kind == 1 || kind == 3);
        let mut axes: Vec<usize> = (0..n_places + extended.len()).collect();
        while axes.len() > extended.len() {
            axes.remove(random.below(axes.len()));
        }
        let n_batch = batch.len();
        let indexing = Indexing { window: axes, collapsed, batch: [batch, (0..n_batch).collect()], map };
        let mut slices = Vec::new();
        let (mut windows, mut places) = (extended.iter(), indices[..n_places].iter());
        for axis in 0..n_places + extended.len() {
            let window = indexing.window.contains(&axis);
            slices.push(if window { sizes[*windows.next().unwrap()] } else { *places.next().unwrap() });
        }
        let wild = [i64::MIN, i64::MAX, -1, 4, 1 << 40];
        let strange = random.below(3) == 0;
        let index = |random: &mut common::Random| match random.below(8) {
            0 if strange => wild[random.below(5)],
            _ => random.below(2) as i64 * i64::from(random.below(2) == 0),
        };
        let vectors: Vec<i64> = (0..indices.iter().product()).map(|_| index(random)).collect();
        let case = by_definition::Case { indexing, sizes, array, indices, slices, vectors };

        let out_of_bounds = [OutOfBounds::Error, OutOfBounds::Clamp, OutOfBounds::Drop][random.below(3)];
        let (indexing, sizes) = (case.indexing.clone(), case.sizes.clone());
        let gather = Gather { indexing, sizes, out_of_bounds, summed: vec![] };
        let update = [Update::Set, Update::Add, Update::Mul, Update::Min, Update::Max][random.below(5)];
        let scatter = Scatter { indexing: case.indexing.clone(), update, out_of_bounds };
        let array = random.array(&Type::new(DType::F64, &case.array[..]), (-2.0, 2.0));
        let slices = random.array(&Type::new(DType::F64, &case.slices[..]), (-2.0, 2.0));
        let vectors = Array::from_elements(&case.indices[..], case.vectors.clone()).unwrap();

        let mut graph = Graph::new("main");
        let operands = [("array", &array), ("vectors", &vectors), ("slices", &slices)];
        let given = operands.map(|(name, x)| add_input(&mut graph, name, x, random));
        let inputs = given.each_ref().map(|given| given.value(&mut graph));
        let arrays = given.map(|given| given.array);
        let inputs_only = graph.clone();
        let reads = graph.add(gather.clone().into(), &inputs[..2], Default::default()).unwrap();
        let writes = graph.add(scatter.clone().into(), &inputs, Default::default()).unwrap();
        graph.add_output("y", if round % 2 == 0 { reads } else { writes }.into()).unwrap();
        let expected = if round % 2 == 0 {
            case.gather(&gather, &common::floats(&array))
        } else {
            case.scatter(&scatter, &common::floats(&array), &common::floats(&slices))
        };
        match (expected, Program::compile(&graph).unwrap().call(&arrays), interpret::run(&graph, &arrays)) {
            (Ok(expected), native, interpreted) => {
                n_results += 1;
                assert_eq!(common::floats(&interpreted.unwrap()[0]), expected, "{graph}{arrays:?}");
                assert_eq!(common::floats(&native.unwrap()[0]), expected, "{graph}{arrays:?}");
            }
            (Err(index), Err(Error::Index(native)), Err(Error::Index(interpreted))) => {
                n_errors += 1;
                assert_eq!((native.index, interpreted.index), (index, index), "{graph}{arrays:?}");
            }
            other => panic!("{other:?}\n{graph}{arrays:?}"),
        }
        if round % 2 == 0 {
            let rank = case.slices.len();
            let axes = (0..rank).filter(|axis| !case.indexing.window.contains(axis) && random.below(2) == 0).collect();
            let mut sums = inputs_only;
            let reads = sums.add(gather.into(), &inputs[..2], Default::default()).unwrap();
            let sum = sums.add(ReduceSum { axes }.into(), &[reads.into()], Default::default()).unwrap();
            sums.add_output("sums", sum.into()).unwrap();
            n_sums += usize::from(sums_of_slices_are_reductions(&sums, &arrays));
        }
    }
    assert!(n_errors > 100 && n_results > 2000, "{n_errors} errors, {n_results} results");
    assert!(n_sums > 200, "{n_sums} sums of slices");
}

/// Whether the optimized graph has a gather that sums; what it gives must be what the graph says.
fn sums_of_slices_are_reductions(graph: &Graph, inputs: &[Array]) -> bool {
    let optimized = optimize::optimize(graph).unwrap();
    let expected = interpret::run(graph, inputs);
    let native = Program::compile(&optimized).unwrap().call(inputs);
    match (expected, native, interpret::run(&optimized, inputs)) {
        (Ok(expected), native, interpreted) => {
            assert_eq!(native.unwrap(), expected, "{optimized}{inputs:?}");
            assert_eq!(interpreted.unwrap(), expected, "{optimized}{inputs:?}");
        }
        (Err(Error::Index(expected)), Err(Error::Index(native)), Err(Error::Index(interpreted))) => {
            let what = |error: &retrograd::error::IndexError| {
                (error.op, error.index, error.position.clone(), error.axis, error.extent, error.size)
            };
            assert_eq!(
                (what(&native), what(&interpreted)),
                (what(&expected), what(&expected)),
                "{optimized}{inputs:?}"
            );
        }
        other => panic!("{other:?}\n{optimized}{inputs:?}"),
    }
    optimized.to_string().contains("summed=[")
}

#[test]
fn long_sums_of_slices_have_the_bits_of_reductions() {
    let random = &mut common::Random(29);
    for (dtype, width, places, axes) in [
        (DType::F64, 43, vec![7, 10], vec![1]),
        (DType::F64, 32, vec![100, 5], vec![0]),
        (DType::F64, 9, vec![3, 5, 33], vec![0, 2]),
        (DType::F64, 2, vec![1100], vec![0]),
        (DType::F32, 75, vec![6, 65], vec![1]),
        (DType::I64, 40, vec![5, 33], vec![1]),
        (DType::F64, 17, vec![4, 0], vec![1]),
    ] {
        let types = (Type::new(dtype, [20, width]), Type::new(DType::I64, &places[..]));
        let sum = |x: Var, i: Var| x.take(i, 0).sum_axes(&axes);
        let graph = trace(sum, types.clone()).unwrap();
        let inputs = [random.array(&types.0, (-9.0, 9.0)), random.array(&types.1, (0.0, 20.0))];
        let optimized = optimize::optimize(&graph).unwrap();
        assert!(optimized.to_string().contains("summed=["), "{optimized}");
        let expected = interpret::run(&graph, &inputs).unwrap();
        assert_eq!(Program::compile(&graph).unwrap().call(&inputs).unwrap(), expected);
        assert_eq!(interpret::run(&optimized, &inputs).unwrap(), expected);
        assert_eq!(Program::compile(&optimized).unwrap().call(&inputs).unwrap(), expected);
    }
}

#[test]
fn slices_that_are_used_are_not_only_summed() {
    let types = (Type::new(DType::F64, [20, 8]), Type::new(DType::I64, [5, 3]));
    let is_summed = |f: fn(Var, Var) -> Var| {
        optimize::optimize(&trace(f, types.clone()).unwrap()).unwrap().to_string().contains("summed=[")
    };
    assert!(is_summed(|x, i| x.take(i, 0).sum_axes(&[1])));
    assert!(is_summed(|x, i| x.take(i, 0).sum_axes(&[0, 1])));
    assert!(!is_summed(|x, i| {
        let slices = x.take(i, 0);
        slices.sum_axes(&[1]).sum() + slices.max_axes(&[0, 1, 2])
    }));
    assert!(!is_summed(|x, i| x.take(i, 0).sum_axes(&[1, 2])));
    assert!(!is_summed(|x, i| x.at(0).take(i, 0).sum_axes(&[1])));
    // A sum over no axes is one, too: it makes 0 of -0.
    let graph = trace(|x: Var, i: Var| 1.0 / x.take(i, 0).sum_axes(&[]), types).unwrap();
    let inputs = [Array::from_elements([20, 8], vec![-0.0; 160]).unwrap(), indices(&[5, 3], &[0; 15])];
    let expected = interpret::run(&graph, &inputs).unwrap();
    assert_eq!(common::floats(&expected[0])[0], f64::INFINITY);
    assert_eq!(interpret::run(&optimize::optimize(&graph).unwrap(), &inputs).unwrap(), expected);
}

/// Slices that are narrower than the array, which no method of `Var` writes.
#[test]
fn derivatives_of_narrow_slices_of_a_product_are_whole() {
    use retrograd::differentiate;
    use retrograd::op::{DotGeneral, Gather, Indexing, OutOfBounds, ReduceSum, Sin};
    let mut graph = Graph::new("narrow");
    let types = [Type::new(DType::F64, [300, 4]), Type::new(DType::F64, [4, 6]), Type::new(DType::I64, [3, 1])];
    let [x, w, i] = [0, 1, 2].map(|k| graph.add_input(["x", "w", "i"][k], types[k].clone()).unwrap());
    let mut add = |op: Op, operands: &[Value]| Value::from(graph.add(op, operands, Default::default()).unwrap());
    let product = add(DotGeneral { contract: [vec![1], vec![0]], batch: [vec![], vec![]] }.into(), &[x, w]);
    let sine = add(Sin.into(), &[product]);
    let mut losses = Vec::new();
    let narrow = Gather {
        indexing: Indexing { window: vec![1], collapsed: vec![0], batch: [vec![], vec![]], map: vec![0] },
        sizes: vec![1, 2],
        out_of_bounds: OutOfBounds::Error,
        summed: vec![],
    };
    for (name, x) in [("product", product), ("sine", sine)] {
        let slices = add(narrow.clone().into(), &[x, i]);
        let loss = add(ReduceSum { axes: vec![0, 1] }.into(), &[slices]);
        losses.push((name, loss));
    }
    for (name, loss) in losses {
        graph.add_output(name, loss).unwrap();
    }
    let random = &mut common::Random(5);
    let inputs =
        [random.array(&types[0], (-1.0, 1.0)), random.array(&types[1], (-1.0, 1.0)), indices(&[3, 1], &[7, 0, 299])];
    for output in 0..2 {
        let slopes = differentiate::grad(&graph, output, &[1]).unwrap();
        let got = interpret::run(&slopes, &inputs).unwrap().pop().unwrap();
        assert_eq!(got.shape(), [4, 6]);
        let loss = |w: &[f64]| {
            let inputs = [inputs[0].clone(), Array::from_elements([4, 6], w.to_vec()).unwrap(), inputs[2].clone()];
            common::floats(&interpret::run(&graph, &inputs).unwrap()[output])[0]
        };
        let w = common::floats(&inputs[1]);
        for (k, got) in common::floats(&got).into_iter().enumerate() {
            let moved = |by: f64| {
                loss(&w.iter().enumerate().map(|(j, w)| if j == k { w + by } else { *w }).collect::<Vec<_>>())
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((got - difference).abs() < 1e-8, "{k}: {got} {difference}");
        }
    }

    // What replaces is not added: of two slices at one place the last stays.
    let replace = |v: Var, i: Var, w: Var| Var::zeros([300]).at_indices(i, 0).set(v).dot(w);
    let types = (Type::new(DType::F64, [3]), Type::new(DType::I64, [3]), Type::new(DType::F64, [300]));
    let tangent = differentiate::jvp(&trace(replace, types).unwrap(), &[0]).unwrap();
    let v = || Array::from_elements([3], vec![1.0, 10.0, 100.0]).unwrap();
    let got = interpret::run(&tangent, &[v(), indices(&[3], &[7, 7, 2]), numbers(&[300]), v()]).unwrap().pop().unwrap();
    assert_eq!(common::floats(&got), [10.0 * 7.0 + 100.0 * 2.0]);
}

/// An index is an error at the line where the user reads, from the derivative, too.
#[test]
fn indices_of_few_slices_are_errors_at_the_line_of_the_user() {
    for n in [255, 256] {
        let read = |w: Var, x: Var, i: Var| {
            let y = x.dot(w);
            y.take(i, 0).sum() // here
        };
        let types = (Type::new(DType::F64, [9, 2]), Type::new(DType::F64, [n, 9]), Type::new(DType::I64, [2]));
        let graph = trace(grad(read), types).unwrap();
        let error = index_error(&graph, &[numbers(&[9, 2]), numbers(&[n, 9]), indices(&[2], &[0, 5000])]);
        let at = error.at.unwrap().to_string();
        let line: usize = at.split(':').nth(1).unwrap().parse().unwrap();
        let text = include_str!("indexing.rs").lines().nth(line - 1).unwrap();
        assert!(text.ends_with("// here"), "{at}: {text}");
    }
}

/// The derivative of what reads little reads little; where that would change what it is, it reads all.
#[test]
fn products_with_few_slices_read_only_these() {
    let n = 4000;
    let loss = |w: Var, x: Var, y: Var| ((x.dot(w) - y).abs().top_k(40, 0).0 * 3.0).sum();
    let types = (Type::new(DType::F64, [6]), Type::new(DType::F64, [n, 6]), Type::new(DType::F64, [n]));
    let graph = trace(grad(loss), types).unwrap();
    assert!(!graph.to_string().contains("scatter"), "{graph}");
    let random = &mut common::Random(3);
    let mut array = |shape: &[usize]| random.array(&Type::new(DType::F64, shape), (-1.0, 1.0));
    let inputs = [array(&[6]), array(&[n, 6]), array(&[n])];
    let got = &Program::compile(&graph).unwrap().call(&inputs).unwrap()[0];
    let [w, x, y] = inputs.each_ref().map(common::floats);
    let residual = |i: usize| x[6 * i..6 * i + 6].iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() - y[i];
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| residual(j).abs().total_cmp(&residual(i).abs()));
    for (k, got) in common::floats(got).into_iter().enumerate() {
        let expected: f64 = order[..40].iter().map(|&i| 3.0 * residual(i).signum() * x[6 * i + k]).sum();
        assert!((got - expected).abs() < 1e-12, "{got} {expected}");
    }

    // Rows of a matrix, repeated, on either side of the product, and once more differentiated.
    let few = |w: Var, x: Var, i: Var| (x.dot(w).take(i, 0) * 2.0).sin().sum();
    let many = |w: Var, x: Var, i: Var| (x.take(i, 0).dot(w) * 2.0).sin().sum();
    let inputs = [array(&[3, 5]), array(&[300, 3]), indices(&[4], &[7, 299, 7, 0])];
    let arguments = inputs.each_ref().map(Array::ty);
    let types = || (arguments[0].clone(), arguments[1].clone(), arguments[2].clone());
    let both = [trace(grad(few), types()).unwrap(), trace(grad(many), types()).unwrap()];
    assert!(!both[0].to_string().contains("scatter"), "{}", both[0]);
    let twice = [trace(hessian(few), types()).unwrap(), trace(hessian(many), types()).unwrap()];
    for [few, many] in [both, twice] {
        let [few, many] = [few, many].map(|graph| Program::compile(&graph).unwrap().call(&inputs).unwrap().remove(0));
        for (few, many) in common::floats(&few).into_iter().zip(common::floats(&many)) {
            assert!((few - many).abs() < 1e-13, "{few} {many}");
        }
    }

    // What may be infinite is annihilated by zeros, which sums of cotangents may be.
    let wild = |w: Var, x: Var, i: Var| {
        let y = x.ln().dot(w).take(i, 0);
        y.at(0) - y.at(1)
    };
    let types = (Type::new(DType::F64, [2]), Type::new(DType::F64, [300, 2]), Type::new(DType::I64, [2]));
    let graph = trace(grad(wild), types).unwrap();
    let inputs = [array(&[2]), numbers(&[300, 2]), indices(&[2], &[0, 0])];
    assert_eq!(common::floats(&interpret::run(&graph, &inputs).unwrap()[0]), [0.0, 0.0]);
}
