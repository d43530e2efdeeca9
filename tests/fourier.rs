//! Fourier transforms: against NumPy, against their definition for all lengths to 1,030, along any strides, from several
//! threads.

pub mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::Random;
use retrograd::op::{Fft, Graph, Irfft, Op, Rfft, Transpose};
use retrograd::value::{Array, DType, Type};
use retrograd::{Program, interpret};

/// The line of `tests/data/fourier/transforms.py`.
fn line(n: usize, number: u64) -> Vec<f64> {
    let element = |j: u64| {
        let z = (j + 1 + (number << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((z ^ (z >> 29)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..n as u64).map(element).collect()
}

fn vector(x: &[f64]) -> Array {
    Array::from_elements([x.len()], x.to_vec()).unwrap()
}

fn single(x: &[f64]) -> Array {
    Array::from_elements([x.len()], x.iter().map(|&x| x as f32).collect()).unwrap()
}

/// The results of the reference semantics, in double precision.
fn eval(op: impl Into<Op>, x: &[Array]) -> Vec<Vec<f64>> {
    op.into().eval(&x.iter().collect::<Vec<_>>()).unwrap().iter().map(common::floats).collect()
}

/// A transform of the line of that length, by name; the imaginary parts of a real line are zeros.
fn transform(name: &str, n: usize) -> [Vec<f64>; 2] {
    let h = n / 2 + 1;
    let complex = || [line(n, 1), line(n, 2)].map(|x| vector(&x));
    let bins = || [line(h, 3), line(h, 4)].map(|x| vector(&x));
    let results = match name {
        "fft" => eval(Fft { inverse: false }, &complex()),
        "ifft" => eval(Fft { inverse: true }, &complex()),
        "rfft" => eval(Rfft { doubled: false }, &[vector(&line(n, 1))]),
        "irfft" => eval(Irfft { n, halved: false }, &bins()),
        other => panic!("{other}"),
    };
    let zeros = vec![0.0; results[0].len()];
    let im = results.get(1).cloned().unwrap_or(zeros);
    [results[0].clone(), im]
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn bins_are_those_of_numpy() {
    let mut by_case: BTreeMap<(&str, usize), Vec<(usize, f64, f64)>> = BTreeMap::new();
    for row in include_str!("data/fourier/transforms.csv").lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let number = |k: usize| fields[k].parse::<f64>().unwrap();
        let entry = (fields[2].parse().unwrap(), number(3), number(4));
        by_case.entry((fields[0], fields[1].parse().unwrap())).or_default().push(entry);
    }
    assert_eq!(by_case.len(), 4 * 53);
    for ((name, n), bins) in by_case {
        let [re, im] = transform(name, n);
        let size = norm(&[norm(&re), norm(&im)]) / (re.len() as f64).sqrt();
        for (k, expected_re, expected_im) in bins {
            let error = (re[k] - expected_re).hypot(im[k] - expected_im);
            assert!(error <= 1e-13 * size, "{name} {n}: bin {k} is {} + {}i, error {error}", re[k], im[k]);
        }
    }
}

/// `exp(2πik/n)`, from an angle in the first eighth of a turn.
fn turns(n: usize) -> Vec<(f64, f64)> {
    let turn = |k: usize| {
        let (octant, rest) = (8 * k / n, 8 * k % n);
        let rest = if octant % 2 == 1 { n - rest } else { rest };
        let (s, c) = (std::f64::consts::FRAC_PI_4 * (rest as f64 / n as f64)).sin_cos();
        [(c, s), (s, c), (-s, c), (-c, s), (-c, -s), (-s, -c), (s, -c), (c, -s)][octant]
    };
    (0..n).map(turn).collect()
}

/// The first bins of the transform by its definition.
fn defined(re: &[f64], im: &[f64], inverse: bool, turns: &[(f64, f64)], n_bins: usize) -> [Vec<f64>; 2] {
    let n = re.len();
    let bin = |k: usize| {
        let (mut sum_re, mut sum_im, mut place) = (0.0, 0.0, 0);
        for j in 0..n {
            let (c, s) = turns[place];
            let s = if inverse { s } else { -s };
            sum_re += re[j] * c - im[j] * s;
            sum_im += re[j] * s + im[j] * c;
            place += k;
            place -= if place >= n { n } else { 0 };
        }
        (sum_re, sum_im)
    };
    let (re, im) = (0..n_bins).map(bin).unzip();
    [re, im]
}

fn distance(x: &[Vec<f64>], y: &[Vec<f64>]) -> f64 {
    assert_eq!(x.iter().map(Vec::len).collect::<Vec<_>>(), y.iter().map(Vec::len).collect::<Vec<_>>());
    let differences: Vec<f64> = x.iter().flatten().zip(y.iter().flatten()).map(|(x, y)| x - y).collect();
    norm(&differences) / norm(&y.concat())
}

#[test]
fn all_lengths_have_the_sums_of_the_definition() {
    let (mut worst, mut worst_single) = (0.0f64, 0.0f64);
    for n in 1..=1030 {
        let (re, im, turns) = (line(n, 1), line(n, 2), turns(n));
        let [expected_re, expected_im] = defined(&re, &im, false, &turns, n);
        let expected = [expected_re, expected_im];
        let got = eval(Fft { inverse: false }, &[vector(&re), vector(&im)]);
        let forward = distance(&got, &expected);

        // Of what is real it is half of the bins; and the inverse gives the line again.
        let h = n / 2 + 1;
        let zeros = vec![0.0; n];
        let real = defined(&re, &zeros, false, &turns, h);
        let bins = eval(Rfft { doubled: false }, &[vector(&re)]);
        let of_real = distance(&bins, &real);
        let scaled: Vec<Vec<f64>> =
            vec![re.iter().map(|x| x * n as f64).collect(), im.iter().map(|x| x * n as f64).collect()];
        let back = distance(&eval(Fft { inverse: true }, &[vector(&got[0]), vector(&got[1])]), &scaled);
        let real_back =
            distance(&eval(Irfft { n, halved: false }, &[vector(&bins[0]), vector(&bins[1])]), &scaled[..1]);
        let errors = [forward, of_real, back, real_back];
        worst = errors.into_iter().fold(worst, f64::max);
        assert!(errors.iter().all(|&error| error <= 1e-13), "{n}: {errors:?}");
        assert!(bins[1][0] == 0.0 && (n % 2 == 1 || bins[1][n / 2] == 0.0), "{n}");

        let got = eval(Fft { inverse: false }, &[single(&re), single(&im)]);
        let bins = eval(Rfft { doubled: false }, &[single(&re)]);
        let errors = [distance(&got, &expected), distance(&bins, &real)];
        worst_single = errors.into_iter().fold(worst_single, f64::max);
        assert!(errors.iter().all(|&error| error <= 3e-6), "{n} in single precision: {errors:?}");
    }
    println!("relative to the norm: {worst:e}, in single precision {worst_single:e}");
}

/// Twice the inner bins, and half of them: what makes each of the two real transforms the transpose of the other.
#[test]
fn scaled_bins_are_the_transposes() {
    for n in (1..=40).chain([97, 128, 255, 1006]) {
        let h = n / 2 + 1;
        let is_inner = |k: usize| k > 0 && 2 * k < n;
        let weighed = |x: &[f64], factor: f64| -> Vec<f64> {
            x.iter().enumerate().map(|(k, &x)| if is_inner(k) { factor * x } else { x }).collect()
        };
        let x = line(n, 1);
        let plain = eval(Rfft { doubled: false }, &[vector(&x)]);
        let doubled = eval(Rfft { doubled: true }, &[vector(&x)]);
        let expected: Vec<Vec<f64>> = plain.iter().map(|part| weighed(part, 2.0)).collect();
        assert!(distance(&doubled, &expected) <= 1e-15, "{n}");

        let [re, im] = [line(h, 3), line(h, 4)];
        let plain = eval(Irfft { n, halved: false }, &[vector(&weighed(&re, 0.5)), vector(&weighed(&im, 0.5))]);
        let halved = eval(Irfft { n, halved: true }, &[vector(&re), vector(&im)]);
        assert!(distance(&halved, &plain) <= 1e-15, "{n}");

        let dot = |x: &[Vec<f64>], y: &[Vec<f64>]| -> f64 {
            x.iter().flatten().zip(y.iter().flatten()).map(|(x, y)| x * y).sum()
        };
        let bins = [re, im].to_vec();
        let (left, right) =
            (dot(&bins, &doubled), dot(&eval(Irfft { n, halved: false }, &[vector(&bins[0]), vector(&bins[1])]), &[x]));
        assert!((left - right).abs() <= 1e-13 * n as f64, "{n}: {left} and {right}");
    }
}

/// A graph that applies a transform to operands whose axes are permuted, with the axes of the results permuted back.
fn along_axes(op: &Op, shape: &[usize], axes: &[usize], dtype: DType) -> Graph {
    let mut graph = Graph::new("main");
    let at = Default::default;
    let n_operands = if matches!(op, Op::Rfft(_)) { 1 } else { 2 };
    let transpose = |permutation: &[usize]| Op::from(Transpose { perm: permutation.to_vec() });
    let inputs: Vec<_> =
        (0..n_operands).map(|k| graph.add_input(format!("x{k}"), Type::new(dtype, shape)).unwrap()).collect();
    let operands: Vec<_> = inputs.into_iter().map(|x| graph.add(transpose(axes), &[x], at()).unwrap().into()).collect();
    let node = graph.add(op.clone(), &operands, at()).unwrap();
    let mut back = vec![0; axes.len()];
    axes.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    for (k, result) in retrograd::ir::results_of(&graph, node).into_iter().enumerate() {
        let y = graph.add(transpose(&back), &[result], at()).unwrap();
        graph.add_output(format!("y{k}"), y.into()).unwrap();
    }
    graph
}

/// Where a line lies, and which others are beside it, changes no bit.
#[test]
fn lines_have_the_same_bits_along_any_axis() {
    let mut random = Random(3);
    for dtype in [DType::F64, DType::F32] {
        for (shape, axes) in [
            (vec![16, 19], vec![1, 0]),
            (vec![19, 16], vec![0, 1]),
            (vec![5, 12, 9], vec![0, 2, 1]),
            (vec![11, 3, 10], vec![1, 2, 0]),
            (vec![7, 2, 10], vec![2, 1, 0]),
            (vec![64, 1], vec![1, 0]),
            (vec![3, 2, 2, 24], vec![1, 2, 0, 3]),
        ] {
            let n = shape[axes[axes.len() - 1]];
            let ops: [Op; 4] = [
                Fft { inverse: false }.into(),
                Fft { inverse: true }.into(),
                Rfft { doubled: false }.into(),
                Irfft { n: 2 * n - 1, halved: false }.into(),
            ];
            for op in ops {
                let graph = along_axes(&op, &shape, &axes, dtype);
                let inputs: Vec<Array> =
                    graph.inputs().iter().map(|input| random.array(graph.ty(input.node.into()), (-1.0, 1.0))).collect();
                let native = Program::compile(&graph).unwrap().call(&inputs).unwrap();
                let optimized = retrograd::optimize::optimize(&graph).unwrap();
                let optimized = Program::compile(&optimized).unwrap().call(&inputs).unwrap();
                let expected = interpret::run(&graph, &inputs).unwrap();
                for ((native, optimized), expected) in native.iter().zip(&optimized).zip(&expected) {
                    assert!(native.same_bits(expected) && optimized.same_bits(expected), "{op:?} {shape:?} {axes:?}");
                }
                let lines = |arrays: &[Array]| -> Vec<Vec<Array>> {
                    let permuted: Vec<Array> = arrays
                        .iter()
                        .map(|x| Op::from(Transpose { perm: axes.clone() }).eval(&[x]).unwrap().remove(0))
                        .collect();
                    let n = permuted[0].shape()[axes.len() - 1];
                    let line =
                        |x: &Array, k: usize| Array::collect(&Type::new(dtype, [n]), x.elements().skip(k * n).take(n));
                    (0..permuted[0].size() / n).map(|k| permuted.iter().map(|x| line(x, k)).collect()).collect()
                };
                for (own, result) in lines(&inputs).iter().zip(lines(&native)) {
                    let alone = op.eval(&own.iter().collect::<Vec<_>>()).unwrap();
                    assert!(alone.iter().zip(&result).all(|(x, y)| x.same_bits(y)), "{op:?} {shape:?} {axes:?}");
                }
            }
        }
    }
}

#[test]
fn several_threads_call_one_program() {
    let mut graph = Graph::new("main");
    let x = graph.add_input("x", Type::new(DType::F64, [5, 770])).unwrap();
    let node = graph.add(Rfft { doubled: false }.into(), &[x], Default::default()).unwrap();
    for (k, result) in retrograd::ir::results_of(&graph, node).into_iter().enumerate() {
        graph.add_output(format!("y{k}"), result).unwrap();
    }
    let program = Arc::new(Program::compile(&graph).unwrap());
    std::thread::scope(|scope| {
        for seed in 0..8 {
            let (program, graph) = (Arc::clone(&program), &graph);
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..20 {
                    let x = random.array(&Type::new(DType::F64, [5, 770]), (-1.0, 1.0));
                    let expected = interpret::run(graph, std::slice::from_ref(&x)).unwrap();
                    let got = program.call(&[x]).unwrap();
                    assert!(got.iter().zip(&expected).all(|(x, y)| x.same_bits(y)));
                }
            });
        }
    });
}

/// What is not finite spoils its own line alone.
#[test]
fn lines_are_spoiled_alone() {
    for bad in [f64::NAN, f64::INFINITY] {
        for n in [8, 15, 37] {
            let mut re = [line(n, 1), line(n, 2)].concat();
            re[n / 3] = bad;
            let parts = [re, [line(n, 3), line(n, 4)].concat()];
            let parts = parts.map(|x| Array::from_elements([2, n], x).unwrap());
            let alone = eval(Fft { inverse: false }, &[vector(&line(n, 2)), vector(&line(n, 4))]);
            let got = eval(Fft { inverse: false }, &parts);
            for (got, alone) in got.iter().zip(&alone) {
                assert_eq!(got[n..], alone[..]);
            }
            assert!(got[0][..n].iter().all(|x| !x.is_finite()), "{n}: {:?}", got[0]);
        }
    }
}

#[test]
fn wrong_operands_are_errors() {
    let ty = |dtype: DType, shape: &[usize]| Type::new(dtype, shape);
    let error = |op: Op, operands: &[Type]| op.infer(operands, &[]).unwrap_err().0;
    let (fft, rfft) = (Op::from(Fft { inverse: false }), Op::from(Rfft { doubled: false }));
    let irfft = Op::from(Irfft { n: 8, halved: false });
    let [x, single] = [ty(DType::F64, &[4]), ty(DType::F32, &[4])];
    assert_eq!(
        error(fft.clone(), &[x.clone(), single]),
        "operands must have equal dtypes, but got f64 and f32; use convert"
    );
    assert_eq!(
        error(fft, &[x.clone(), ty(DType::F64, &[5])]),
        "takes real and imaginary parts of one shape, but got f64[4] and f64[5]"
    );
    assert_eq!(error(rfft.clone(), &[ty(DType::F64, &[])]), "takes arrays with at least 1 axis, but got f64[]");
    assert_eq!(error(rfft, &[ty(DType::I64, &[4])]), "takes floating-point numbers, but got i64");
    assert_eq!(error(irfft, &[x.clone(), x]), "lines of length 8 have 5 bins along the last axis, but got f64[4]");
}
