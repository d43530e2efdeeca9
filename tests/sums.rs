//! Sums: the documented order; the same bits from the interpreter and from native code for every layout of the operand
//! and every fusion; and errors that grow as the logarithm of the number of elements. Means, variances and norms.

use ndarray::{Array1, Array2, array};
use retrograd::op::{BLOCK, MIN_INTERLEAVED, TILE};
use retrograd::optimize::optimize;
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Error, Program, Var, grad, hessian, interpret, jit, map, numpy as np, trace, value_and_grad};

use common::Random;

#[path = "common/mod.rs"]
pub mod common;

const INF: f64 = f64::INFINITY;

/// Evaluates a function by the interpreter, natively, and natively after optimization, and checks that the bits are
/// equal.
#[track_caller]
fn agreed(what: &str, f: impl Fn(Var) -> Vec<Var>, x: &Array) -> Vec<Array> {
    let graph = trace(f, (x.ty(),)).unwrap();
    let inputs = std::slice::from_ref(x);
    let expected = interpret::run(&graph, inputs).unwrap();
    let optimized = optimize(&graph).unwrap();
    for (how, graph) in [("native", &graph), ("optimized", &optimized)] {
        let got = Program::compile(graph).unwrap().call(inputs).unwrap();
        for (k, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert!(got.same_bits(expected), "{what} {x_type}: output {k}, {how}\n{graph}", x_type = x.ty());
        }
    }
    expected
}

/// Shapes and axes: one and several blocks, whole and partial ones; tiles; kept axes outside, between and inside.
const CASES: [(&[usize], &[&[usize]]); 22] = [
    (&[BLOCK], &[&[0]]),
    (&[TILE * BLOCK], &[&[0]]),
    (&[TILE * BLOCK + 1], &[&[0]]),
    (&[3 * TILE * BLOCK + 700], &[&[0]]),
    (&[6 * TILE * BLOCK], &[&[0]]),
    (&[BLOCK, 3], &[&[0], &[1], &[0, 1]]),
    (&[BLOCK + 1, 3], &[&[0], &[0, 1]]),
    (&[2 * BLOCK, 3], &[&[0], &[0, 1]]),
    (&[7 * BLOCK + 5, 2], &[&[0], &[1], &[0, 1]]),
    (&[7 * BLOCK, 17], &[&[0], &[1], &[0, 1]]),
    (&[2, 7 * BLOCK + 1], &[&[0], &[1], &[0, 1]]),
    (&[5, BLOCK * TILE + 3], &[&[0], &[1], &[0, 1]]),
    (&[70, 2 * TILE + 9], &[&[0], &[1], &[0, 1]]),
    (&[3, 70, 2], &[&[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]]),
    (&[40, 3, 20], &[&[0], &[1], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]]),
    (&[2, 40, 3, 33], &[&[1], &[1, 2], &[1, 3], &[0, 2], &[0, 1, 3], &[0, 3], &[0, 1, 2]]),
    (&[9, 2, 8, 5], &[&[0, 2], &[0, 1], &[0, 2, 3], &[0, 3]]),
    (&[70, 1, 2], &[&[0], &[0, 1], &[0, 2], &[0, 1, 2]]),
    (&[70, 2, 1], &[&[0], &[0, 1], &[0, 2], &[0, 1, 2]]),
    (&[1, 70], &[&[0], &[1], &[0, 1]]),
    (&[70, 1], &[&[0], &[1], &[0, 1]]),
    (&[0, 70], &[&[0], &[1], &[0, 1]]),
];

/// The sum in the documented order, implemented independently of the crate.
fn documented(x: &[f64], shape: &[usize], axes: &[usize]) -> Vec<f64> {
    let rank = shape.len();
    let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let mut terms: Vec<Vec<f64>> = vec![Vec::new(); kept.iter().map(|&axis| shape[axis]).product()];
    let in_row = axes.contains(&(rank - 1));
    let row = if in_row { shape[rank - 1] } else { 1 };
    for (position, row_elements) in x.chunks(row.max(1)).enumerate() {
        let (mut rest, mut index) = (position * row, vec![0; rank]);
        for axis in (0..rank).rev() {
            (index[axis], rest) = (rest % shape[axis], rest / shape[axis]);
        }
        let result = kept.iter().fold(0, |result, &axis| result * shape[axis] + index[axis]);
        terms[result].extend(row_elements.chunks(TILE).map(|tile| if in_row { tile_sum(tile) } else { tile[0] }));
    }
    terms.iter().map(|terms| pairs(&terms.chunks(BLOCK).map(left_to_right).collect::<Vec<f64>>())).collect()
}

fn left_to_right(terms: &[f64]) -> f64 {
    terms.iter().fold(0.0, |sum, x| sum + x)
}

fn tile_sum(tile: &[f64]) -> f64 {
    if tile.len() < MIN_INTERLEAVED {
        return left_to_right(tile);
    }
    let a: Vec<f64> = (0..8).map(|k| tile.iter().skip(k).step_by(8).fold(0.0, |sum, x| sum + x)).collect();
    ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
}

fn pairs(blocks: &[f64]) -> f64 {
    match blocks {
        [] => 0.0,
        [block] => *block,
        _ => {
            let mut half = 1;
            while 2 * half < blocks.len() {
                half *= 2;
            }
            pairs(&blocks[..half]) + pairs(&blocks[half..])
        }
    }
}

#[test]
fn sums_are_computed_in_the_documented_order() {
    let mut random = Random(1);
    for (shape, all_axes) in CASES {
        let x = random.array(&Type::new(DType::F64, shape), (-1.0, 2.0));
        for axes in all_axes {
            let [sum] = &agreed("sum", |x| vec![x.sum_axes(axes)], &x)[..] else { unreachable!() };
            let expected = documented(x.as_slice::<f64>().unwrap(), shape, axes);
            let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
            assert_eq!(bits(sum.as_slice::<f64>().unwrap()), bits(&expected), "{shape:?} over {axes:?}");
        }
    }
}

#[test]
fn interpreter_and_native_agree_on_reductions_of_many_terms() {
    let mut random = Random(2);
    for (shape, all_axes) in CASES {
        for dtype in [DType::F64, DType::F32, DType::I64] {
            let x = random.array(&Type::new(dtype, shape), (0.9, 1.1));
            for axes in all_axes {
                agreed("prod, max", |x| vec![x.prod_axes(axes), x.reduce_max(axes), x.sum_axes(axes)], &x);
            }
        }
    }
}

#[test]
fn fusion_and_layout_change_no_bit() {
    let mut random = Random(3);
    for (shape, all_axes) in CASES {
        let axes_reversed: Vec<usize> = (0..shape.len()).rev().collect();
        let every: Vec<usize> = (0..shape.len()).collect();
        for dtype in [DType::F64, DType::F32] {
            let x = random.array(&Type::new(dtype, shape), (0.0, 1.0));
            let transposed: Vec<usize> = shape.iter().rev().copied().collect();
            let t = random.array(&Type::new(dtype, &transposed[..]), (0.0, 1.0));
            for axes in all_axes {
                // After elementwise operations, in lanes and by the tiles of `math`.
                agreed("fused", |x| vec![(x * x - 0.5).sum_axes(axes)], &x);
                agreed("tiles", |x| vec![(x.exp() * x).sum_axes(axes), x.sin().prod_axes(axes)], &x);
                // Views.
                agreed("transposed", |t| vec![t.transpose(&axes_reversed).sum_axes(axes)], &t);
                agreed("reversed", |x| vec![(x.reverse(&every) + x).sum_axes(axes)], &x);
                if shape[0] > 0 {
                    agreed("broadcast", |x| vec![x.index_axis(0, 0).broadcast_to(shape).sum_axes(axes)], &x);
                }
                // Several reductions in one loop nest, with an elementwise output, and an operation on the result.
                let several = |x: Var| {
                    let y = x * 1.5 + 0.25;
                    let sums: Vec<Var> = all_axes.iter().map(|axes| y.sum_axes(axes)).collect();
                    let product = x.prod_axes(axes);
                    sums.into_iter().chain([product, y, product * 2.0]).collect()
                };
                agreed("several", several, &x);
            }
        }
    }
}

#[test]
fn sums_in_regions_and_of_rows_agree() {
    let mut random = Random(4);
    let x = random.array(&Type::new(DType::F32, [3, 2 * BLOCK * 3 + 1, 3]), (0.0, 1.0));
    let rows = |x: Var| vec![map(x, |row| row.sum_axes(&[0])), map(x, |row| row.exp().sum_axes(&[0]).prod())];
    agreed("rows", rows, &x);
    let columns = random.array(&Type::new(DType::F64, [5, BLOCK + 3, 1]), (0.0, 1.0));
    agreed("small rows", |x| vec![map(x, |row| row.sum_axes(&[0]).sum())], &columns);
}

#[test]
fn products_with_vectors_are_summed_as_sums_are() {
    let mut random = Random(5);
    for dtype in [DType::F64, DType::F32, DType::I64] {
        for (rows, columns) in
            [(BLOCK, 3), (BLOCK + 1, 3), (5 * BLOCK + 7, 4), (3 * TILE + 70, 5), (6, 5 * TILE * BLOCK + 9)]
        {
            let x = random.array(&Type::new(dtype, [rows, columns]), (-1.0, 3.0));
            let products = |x: Var| {
                let ones = |n: usize| Var::from(1.0).convert(dtype).broadcast_to(&[n]);
                let weights = x.index_axis(1, 0) + 1;
                vec![
                    ones(rows).dot(x),
                    x.sum_axes(&[0]),
                    x.dot(ones(columns)),
                    x.sum_axes(&[1]),
                    weights.dot(x),
                    (weights * 2).dot(x),
                    (x.dot(x.index_axis(0, 1)) - 1).dot(x),
                ]
            };
            let y = agreed("products", products, &x);
            assert!(y[0].same_bits(&y[1]) && y[2].same_bits(&y[3]), "{rows}×{columns} of {dtype}");
        }
        let x = random.array(&Type::new(dtype, [7 * TILE * BLOCK + 3]), (-1.0, 3.0));
        agreed("dot", |x| vec![x.dot(x), x.dot(x + 1)], &x);
    }
}

/// Evaluates a function in native code only.
fn native(f: impl Fn(Var) -> Var, x: Array) -> Vec<f64> {
    let program = Program::compile(&optimize(&trace(f, (x.ty(),)).unwrap()).unwrap()).unwrap();
    common::floats(&program.call(&[x]).unwrap()[0])
}

/// Checks that the error of a sum of `n` positive numbers is at most proportional to `log₂ n` units in the last place.
#[track_caller]
fn check_error(what: &str, got: f64, exact: f64, n: usize, epsilon: f64) {
    let error = ((got - exact) / exact).abs() / epsilon;
    assert!(error <= (n as f64).log2(), "{what}: {got} instead of {exact}, an error of {error} epsilon");
}

/// A compensated sum, accurate to its last bits (Neumaier 1974).
fn exact_sum(x: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut errors) = (0.0f64, 0.0);
    for x in x {
        let next = sum + x;
        errors += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + errors
}

#[test]
fn long_sums_of_ones_do_not_saturate() {
    let ones = |shape: &[usize]| Array::full(&Type::new(DType::F32, shape), Scalar::F32(1.0));
    assert_eq!(native(|x| x.sum_axes(&[0]), ones(&[20_000_000])), [2e7]);
    assert_eq!(native(|x| x.sum_axes(&[0]), ones(&[20_000_000, 1])), [2e7]);
    let bias = |b: Var| grad(|b: Var| (b.broadcast_to(&[20_000_000, 2]) * 1.0).sum()).call(b);
    assert_eq!(native(bias, ones(&[2])), [2e7, 2e7]);
}

#[test]
fn the_mean_of_equal_numbers_is_near_them() {
    let x = || Array::full(&Type::new(DType::F32, [1_000_000, 2]), Scalar::F32(0.1));
    for axes in [&[0][..], &[1], &[0, 1]] {
        let means = native(|x| x.mean_axes(axes), x());
        means.iter().for_each(|&mean| check_error("mean", mean, 0.1f32.into(), 2_000_000, f32::EPSILON.into()));
    }
    let weighted = |x: Var| x.index_axis(1, 0).full_like(1.0).dot(x);
    let sums = native(weighted, x());
    sums.iter().for_each(|&sum| check_error("dot", sum, 1e6 * f64::from(0.1f32), 1_000_000, f32::EPSILON.into()));
}

#[test]
fn errors_grow_as_the_logarithm_in_every_layout() {
    let layouts: [(&[usize], &[usize]); 9] = [
        (&[10_000_000], &[0]),
        (&[10_000_000, 1], &[0]),
        (&[5_000_000, 2], &[0]),
        (&[5_000_000, 2], &[0, 1]),
        (&[2, 5_000_000], &[0, 1]),
        (&[100_000, 100], &[0]),
        (&[10, 100_000, 10], &[0, 1]),
        (&[50_000, 4, 50], &[0, 2]),
        (&[100_000, 10, 10], &[0, 1, 2]),
    ];
    let mut random = Random(6);
    let all: Vec<f32> = (0..10_000_000).map(|_| random.range(0.0, 1.0) as f32).collect();
    for (shape, axes) in layouts {
        let x = Array::from_elements(shape, all.clone()).unwrap();
        let wide = x.to_f64_columns(shape, axes);
        let sums = native(|x| x.sum_axes(axes), x);
        for (sum, elements) in sums.iter().zip(wide) {
            let n = elements.len();
            check_error(
                &format!("f32{shape:?} over {axes:?}"),
                *sum,
                exact_sum(elements.into_iter()),
                n,
                f32::EPSILON.into(),
            );
        }
    }
    for (shape, axes) in [(&[1_000_000][..], &[0][..]), (&[500_000, 2], &[0]), (&[1000, 10, 100], &[0, 2])] {
        let x = random.array(&Type::new(DType::F64, shape), (0.0, 1.0));
        let wide = x.to_f64_columns(shape, axes);
        let sums = native(|x| x.sum_axes(axes), x);
        for (sum, elements) in sums.iter().zip(wide) {
            let n = elements.len();
            check_error(&format!("f64{shape:?} over {axes:?}"), *sum, exact_sum(elements.into_iter()), n, f64::EPSILON);
        }
    }
}

/// The elements of each result of a reduction.
trait Columns {
    fn to_f64_columns(&self, shape: &[usize], axes: &[usize]) -> Vec<Vec<f64>>;
}

impl Columns for Array {
    fn to_f64_columns(&self, shape: &[usize], axes: &[usize]) -> Vec<Vec<f64>> {
        let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
        let mut columns = vec![Vec::new(); kept.iter().map(|&axis| shape[axis]).product()];
        for (position, x) in common::floats(self).into_iter().enumerate() {
            let (mut rest, mut column, mut stride) = (position, 0, 1);
            for axis in (0..shape.len()).rev() {
                if kept.contains(&axis) {
                    column += rest % shape[axis] * stride;
                    stride *= shape[axis];
                }
                rest /= shape[axis];
            }
            columns[column].push(x);
        }
        columns
    }
}

#[test]
fn the_variance_of_equal_numbers_is_zero() -> Result<(), Error> {
    for x in [0.1, -1e9 / 3.0, 1e30 / 3.0, 5e-324] {
        for n in [2, 3, 7, 1000] {
            let (var, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::var)).call(Array1::from_elem(n, x))?;
            assert_eq!((var, slope), (0.0, Array1::zeros(n)), "{n} times {x}");
        }
        let rows: Array1<f64> = jit(|x: Var| x.std_axes(&[0])).call(Array2::from_elem((70, 2), x))?;
        assert_eq!(rows, array![0.0, 0.0]);
        let x = x as f32;
        let var: f32 = jit(|x: Var| x.var_axes(&[0, 1])).call(Array2::from_elem((100_000, 3), x))?;
        assert_eq!(var, 0.0, "{x}");
    }
    Ok(())
}

#[test]
fn variances_keep_their_digits_far_from_zero() -> Result<(), Error> {
    // Distances of 1, 2, …, 1000 from 10⁹, whose variance is (1000² - 1)/12.
    let x = Array1::from_iter((1..=1000).map(|k| 1e9 + f64::from(k)));
    let (var, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::var)).call(&x)?;
    assert!((var / 83333.25 - 1.0).abs() < 1e-14, "{var}");
    let expected = Array1::from_iter((1..=1000).map(|k| 2e-3 * (f64::from(k) - 500.5)));
    assert!((slope - expected).iter().all(|error| error.abs() < 1e-13));
    let h: Array2<f64> = jit(hessian(Var::var)).call(array![1e9, 1e9 + 1.0])?;
    assert_eq!(h, array![[0.5, -0.5], [-0.5, 0.5]]);
    let nothing: f64 = jit(|x: Var| x.var()).call(Array1::<f64>::zeros(0))?;
    assert!(nothing.is_nan());
    Ok(())
}

/// Value, gradient and Hessian of the norm of `5·unit`, at 3 and 4 times a unit.
fn check_norm(unit: f64) -> Result<(), Error> {
    let x = array![3.0 * unit, -4.0 * unit];
    let close = |a: f64, b: f64, epsilon: f64| a == b || ((a - b) / b).abs() < epsilon;
    let (norm, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::norm)).call(&x)?;
    let loss = if unit < 1e-300 { 1e-7 } else { 1e-15 };
    assert!(close(norm, 5.0 * unit, loss), "{norm}");
    assert!(close(slope[0], 0.6, loss) && close(slope[1], -0.8, loss), "{slope}");
    if (1e-240..1e240).contains(&unit) {
        let h: Array2<f64> = jit(hessian(Var::norm)).call(&x)?;
        let expected = array![[0.128, 0.096], [0.096, 0.072]];
        assert!(h.iter().zip(&expected).all(|(&h, e)| close(h, e / unit, 1e-13)), "{unit}: {h}");
    }
    Ok(())
}

#[test]
fn norms_neither_overflow_nor_underflow() -> Result<(), Error> {
    for unit in [1.0, 1e-200, 1e200, 1e-160, 1e150, 1e154, 1e-154, 1e307, 1e-307, 1e-315] {
        check_norm(unit)?;
    }
    for unit in [1e-30f32, 1e30, 5e37, 1e-40, 1e-20, 1e18] {
        let (norm, slope): (f32, Array1<f32>) =
            jit(value_and_grad(Var::norm)).call(array![3.0f32 * unit, 4.0 * unit])?;
        let loss = if unit < 1e-37 { 1e-3 } else { 3e-7 };
        assert!((norm / (5.0 * unit) - 1.0).abs() < loss, "{unit}: {norm}");
        assert!((slope[0] - 0.6).abs() < loss && (slope[1] - 0.8).abs() < loss, "{unit}: {slope}");
    }
    // Rows of large numbers, small numbers, ordinary numbers and zeros.
    let x = array![[3e200, 4e200], [3e-200, 4e-200], [3.0, 4.0], [0.0, 0.0]];
    let norms = |x: Var| (x.norm_axes(&[1]), grad(|x: Var| x.norm_axes(&[1]).sum()).call(x));
    let (norms, slope): (Array1<f64>, Array2<f64>) = jit(norms).call(&x)?;
    let lengths = array![5e200, 5e-200, 5.0, 0.0];
    assert!(norms.iter().zip(&lengths).all(|(&a, &b)| a == b || (a / b - 1.0).abs() < 1e-15), "{norms}");
    let directions = array![[0.6, 0.8], [0.6, 0.8], [0.6, 0.8], [0.0, 0.0]];
    assert!((&slope - &directions).iter().all(|error| error.abs() < 1e-15), "{slope}");
    Ok(())
}

#[test]
fn deviations_neither_overflow_nor_underflow() -> Result<(), Error> {
    let ways: [fn(Var) -> Var; 4] = [Var::std, |x| np::std(x, (), 0), |x| np::nanstd(x, (), 0), |x| x.std_axes(&[0])];
    for how in ways {
        for unit in [1.0, 1e-200, 1e200, 1e-162, 1e155, 1e-154, 1e307, 1e-307] {
            let (deviation, slope): (f64, Array1<f64>) =
                jit(value_and_grad(how)).call(array![3.0 * unit, 4.0 * unit])?;
            assert!((deviation / (0.5 * unit) - 1.0).abs() < 1e-15, "{unit}: {deviation}");
            assert!((slope[0] + 0.5).abs() < 1e-15 && (slope[1] - 0.5).abs() < 1e-15, "{unit}: {slope}");
        }
        for unit in [1e-22f32, 1e-30, 1e20, 4e37] {
            let (deviation, slope): (f32, Array1<f32>) =
                jit(value_and_grad(how)).call(array![3.0f32 * unit, 4.0 * unit])?;
            assert!((deviation / (0.5 * unit) - 1.0).abs() < 1e-6, "{unit}: {deviation}");
            assert!((slope[0] + 0.5).abs() < 1e-6 && (slope[1] - 0.5).abs() < 1e-6, "{unit}: {slope}");
        }
    }
    Ok(())
}

#[test]
fn norms_of_many_numbers_handle_every_range() -> Result<(), Error> {
    for unit in [1e-320, 1e-170, 1.0, 1e170, 1e303] {
        let x = Array1::from_elem(10_000, unit);
        let (norm, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::norm)).call(&x)?;
        assert!((norm / (100.0 * unit) - 1.0).abs() < 1e-3, "{unit}: {norm}");
        assert!(slope.iter().all(|slope| (slope - 0.01).abs() < 1e-14), "{unit}: {slope}");
    }
    Ok(())
}

#[test]
fn norms_of_non_finite_numbers_are_non_finite() -> Result<(), Error> {
    let norm = jit(Var::norm);
    assert_eq!(norm.call::<f64>(array![1.0, -INF])?, INF);
    assert!(norm.call::<f64>(array![1.0, f64::NAN])?.is_nan());
    let (norm, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::norm)).call(array![f64::NAN, 1.0])?;
    assert!(norm.is_nan() && slope.iter().all(|x| x.is_nan()), "{slope}");
    let (norm, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::norm)).call(array![0.0, 0.0])?;
    assert_eq!((norm, slope), (0.0, array![0.0, 0.0]));
    Ok(())
}

#[test]
fn hypot_neither_overflows_nor_underflows() -> Result<(), Error> {
    for unit in [1e-320, 1e-200, 1.0, 1e200, 2e307] {
        let f = |x: Var, y: Var| x.hypot(y);
        let (length, (x, y)): (f64, (f64, f64)) =
            jit(value_and_grad(f).wrt(retrograd::AllArgs)).call(3.0 * unit, 4.0 * unit)?;
        let loss = if unit < 1e-300 { 1e-3 } else { 1e-15 };
        assert!((length / (5.0 * unit) - 1.0).abs() < loss, "{unit}: {length}");
        assert!((x - 0.6).abs() < loss && (y - 0.8).abs() < loss, "{unit}: {x}, {y}");
    }
    Ok(())
}
