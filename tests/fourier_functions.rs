//! Functions of Fourier transforms and of signals: against NumPy and SciPy, their derivatives, under transformations, and
//! what they refuse.

pub mod common;

use std::collections::BTreeMap;

use common::Random;
use retrograd::fft::{self, Norm, Transform, Variant};
use retrograd::numpy::ConvolveMode;
use retrograd::signal::{self, Sampling, Scaling, Stft, Welch};
use retrograd::value::{Array, DType, Type};
use retrograd::{Complex, Graph, Program, Var, differentiate, interpret, jit, map, scan, trace, vmap};

/// The line of `tests/data/fourier/transforms.py`.
fn line(n: usize, number: u64) -> Vec<f64> {
    let element = |j: u64| {
        let z = (j + 1 + (number << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((z ^ (z >> 29)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..n as u64).map(element).collect()
}

fn array(shape: &[usize], number: u64) -> Array {
    let n = shape.iter().product();
    Array::from_elements(shape, line(n, number)).unwrap()
}

/// A function that the data file has the results of: of inputs, by name.
struct Case {
    name: String,
    inputs: Vec<Array>,
    graph: Graph,
}

/// A function of an array of complex numbers, of which inputs are the parts.
fn complex(name: impl Into<String>, f: impl Fn(Complex) -> Complex) -> Case {
    let shape = [2, 5, 4];
    let ty = Type::new(DType::F64, shape);
    let f = |re: Var, im: Var| {
        let y = f(Complex::new(re, im));
        (y.re, y.im)
    };
    let graph = trace(f, (&ty, &ty)).unwrap();
    Case { name: name.into(), inputs: vec![array(&shape, 1), array(&shape, 2)], graph }
}

/// The same of complex numbers to real ones.
fn to_real(name: impl Into<String>, f: impl Fn(Complex) -> Var) -> Case {
    let shape = [2, 5, 4];
    let ty = Type::new(DType::F64, shape);
    let graph = trace(|re: Var, im: Var| f(Complex::new(re, im)), (&ty, &ty)).unwrap();
    Case { name: name.into(), inputs: vec![array(&shape, 1), array(&shape, 2)], graph }
}

/// A function of real values to complex ones.
fn of_real(name: impl Into<String>, x: Array, f: impl Fn(Var) -> Complex) -> Case {
    let f = |x: Var| {
        let y = f(x);
        (y.re, y.im)
    };
    let graph = trace(f, (x.ty(),)).unwrap();
    Case { name: name.into(), inputs: vec![x], graph }
}

/// A function of real values.
fn real(name: impl Into<String>, x: Array, f: impl Fn(Var) -> Var) -> Case {
    let graph = trace(f, (x.ty(),)).unwrap();
    Case { name: name.into(), inputs: vec![x], graph }
}

/// A value without operands.
fn constant(name: impl Into<String>, f: impl Fn() -> Var) -> Case {
    real(name, Array::scalar(0.0), |x: Var| f() + x)
}

fn with_norms() -> Vec<Case> {
    let x = || array(&[2, 5, 4], 1);
    let mut cases = Vec::new();
    for (norm, name) in [(Norm::Backward, "backward"), (Norm::Ortho, "ortho"), (Norm::Forward, "forward")] {
        let t = Transform::new().norm(norm);
        let named = |function: &str| format!("{function} {name}");
        cases.push(complex(named("fft"), |z| t.fft(z)));
        cases.push(complex(named("ifft"), |z| t.ifft(z)));
        cases.push(complex(named("fft2"), |z| t.fft2(z)));
        cases.push(complex(named("ifft2"), |z| t.ifft2(z)));
        cases.push(complex(named("fftn"), |z| t.fftn(z)));
        cases.push(complex(named("ifftn"), |z| t.ifftn(z)));
        cases.push(of_real(named("rfft"), x(), |x| t.rfft(x)));
        cases.push(of_real(named("rfft2"), x(), |x| t.rfft2(x)));
        cases.push(of_real(named("rfftn"), x(), |x| t.rfftn(x)));
        cases.push(of_real(named("ihfft"), x(), |x| t.ihfft(x)));
        cases.push(to_real(named("irfft"), |z| t.irfft(z)));
        cases.push(to_real(named("irfft2"), |z| t.irfft2(z)));
        cases.push(to_real(named("irfftn"), |z| t.irfftn(z)));
        cases.push(to_real(named("hfft"), |z| t.hfft(z)));
        for (number, variant) in [Variant::I, Variant::II, Variant::III, Variant::IV].into_iter().enumerate() {
            for (n, axis) in [(5, 1), (4, 2)] {
                let t = t.clone().axes(axis);
                let named = |function: &str| format!("{function} {} {n} {name}", number + 1);
                cases.push(real(named("dct"), x(), |x| t.dct(x, variant)));
                cases.push(real(named("idct"), x(), |x| t.idct(x, variant)));
                cases.push(real(named("dst"), x(), |x| t.dst(x, variant)));
                cases.push(real(named("idst"), x(), |x| t.idst(x, variant)));
            }
        }
    }
    cases
}

fn with_axes_and_lengths() -> Vec<Case> {
    let x = || array(&[2, 5, 4], 1);
    let t = Transform::new;
    vec![
        complex("fft axis 0", |z| t().axes(0).fft(z)),
        complex("fft axis 1 cut", |z| t().axes(1).lengths(&[3]).fft(z)),
        complex("ifft axis -2 padded", |z| t().axes(-2).lengths(&[8]).ifft(z)),
        of_real("fft of real padded", x(), |x| t().lengths(&[130]).fft(x)),
        of_real("ifft of real padded", x(), |x| t().lengths(&[131]).ifft(x)),
        of_real("rfft axis 0 padded", x(), |x| t().axes(0).lengths(&[4]).rfft(x)),
        to_real("irfft axis 0 odd", |z| t().axes(0).lengths(&[3]).irfft(z)),
        to_real("irfft odd", |z| t().lengths(&[7]).irfft(z)),
        complex("fft2 axes lengths", |z| t().axes([2, 0]).lengths(&[2, 6]).fft2(z)),
        of_real("rfft2 axes lengths", x(), |x| t().axes([2, 0]).lengths(&[2, 6]).rfft2(x)),
        to_real("irfft2 axes lengths", |z| t().axes([1, 0]).lengths(&[2, 3]).irfft2(z)),
        complex("fftn lengths", |z| t().lengths(&[4, 3]).fftn(z)),
        complex("ifftn axes", |z| t().axes([0, 2]).ifftn(z)),
        of_real("rfftn axes", x(), |x| t().axes([1, 0]).rfftn(x)),
        to_real("irfftn lengths", |z| t().lengths(&[4, 6]).irfftn(z)),
        to_real("hfft odd", |z| t().lengths(&[7]).hfft(z)),
        real("dct padded", x(), |x| t().lengths(&[9]).dct(x, Variant::II)),
        real("dst cut", x(), |x| t().lengths(&[3]).dst(x, Variant::III)),
        complex("fftshift", |z| fft::fftshift(z, ())),
        complex("fftshift axes", |z| fft::fftshift(z, [0, -1])),
        complex("ifftshift", |z| fft::ifftshift(z, ())),
        constant("fftfreq 7", || fft::fftfreq(7, 0.3)),
        constant("fftfreq 8", || fft::fftfreq(8, 0.3)),
        constant("rfftfreq 7", || fft::rfftfreq(7, 0.3)),
        constant("rfftfreq 8", || fft::rfftfreq(8, 0.3)),
    ]
}

fn of_signals() -> Vec<Case> {
    let vector = |x: Vec<f64>| Array::from_elements([x.len()], x).unwrap();
    let shifted = |n: usize| vector(line(50, 7)[..n].iter().map(|x| x + 0.3).collect());
    let mut cases = Vec::new();
    for (mode, name) in [(ConvolveMode::Full, "full"), (ConvolveMode::Same, "same"), (ConvolveMode::Valid, "valid")] {
        let (u, v) = (vector(line(23, 5)), vector(line(6, 6)));
        let both = (u.ty(), v.ty());
        let graph = trace(|u: Var, v: Var| signal::fft_convolve(u, v, mode), both.clone()).unwrap();
        cases.push(Case { name: format!("convolve {name}"), inputs: vec![u.clone(), v.clone()], graph });
        let graph = trace(|u: Var, v: Var| signal::fft_convolve(v, u, mode), both).unwrap();
        cases.push(Case { name: format!("convolve short {name}"), inputs: vec![u, v], graph });
    }
    cases.push(of_real("hilbert even", vector(line(24, 5)), signal::hilbert));
    cases.push(of_real("hilbert odd", vector(line(23, 5)), signal::hilbert));
    let windows: [(&str, fn(usize, Sampling) -> Var); 3] =
        [("hann", signal::hann), ("hamming", signal::hamming), ("blackman", signal::blackman)];
    for (name, window) in windows {
        for n in [1, 2, 7, 8] {
            cases.push(constant(format!("{name} periodic {n}"), || window(n, Sampling::Periodic)));
            cases.push(constant(format!("{name} symmetric {n}"), || window(n, Sampling::Symmetric)));
        }
    }
    let hann = || signal::hann(12, Sampling::Periodic);
    cases.push(of_real("stft", shifted(50), |x| signal::stft(x, hann(), 4)));
    cases.push(of_real("stft longer", shifted(50), |x| Stft::new(hann(), 5).length(16).stft(x)));
    cases.push(of_real("stft centered", shifted(48), |x| Stft::new(hann(), 4).centered().stft(x)));
    cases.push(real("periodogram frequencies", shifted(50), |x| signal::periodogram(x, 2.5).0));
    cases.push(real("periodogram", shifted(50), |x| signal::periodogram(x, 2.5).1));
    cases.push(real("periodogram odd", shifted(49), |x| signal::periodogram(x, 2.5).1));
    cases.push(real("welch frequencies", shifted(50), |x| signal::welch(x, 2.5, 12).0));
    cases.push(real("welch", shifted(50), |x| signal::welch(x, 2.5, 12).1));
    cases.push(real("welch options", shifted(50), |x| {
        let window = signal::hamming(11, Sampling::Periodic);
        Welch::new(window, 2.5).hop(8).keep_mean().scaling(Scaling::Spectrum).density(x).1
    }));
    cases
}

fn all_cases() -> Vec<Case> {
    [with_norms(), with_axes_and_lengths(), of_signals()].into_iter().flatten().collect()
}

/// What a data file has of a result.
struct Expected {
    shape: Vec<usize>,
    elements: Vec<(usize, f64, Option<f64>)>,
}

fn expected() -> BTreeMap<String, Expected> {
    let mut all: BTreeMap<String, Expected> = BTreeMap::new();
    for row in include_str!("data/fourier/functions.csv").lines().skip(1) {
        let [name, shape, position, re, im] = row.split(',').collect::<Vec<_>>().try_into().unwrap();
        let shape = shape.split('x').map(|extent| extent.parse().unwrap()).collect();
        let entry = all.entry(name.to_string()).or_insert(Expected { shape, elements: Vec::new() });
        let im = if im.is_empty() { None } else { Some(im.parse().unwrap()) };
        entry.elements.push((position.parse().unwrap(), re.parse().unwrap(), im));
    }
    all
}

/// The results of a graph, whose bits are those of the interpreter and of native code, with and without optimization.
fn run(what: &str, graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    let results = interpret::run(graph, inputs).unwrap();
    let optimized = retrograd::optimize::optimize(graph).unwrap();
    for graph in [graph, &optimized] {
        let native = Program::compile(graph).unwrap().call(inputs).unwrap();
        assert!(native.iter().zip(&results).all(|(x, y)| x.same_bits(y)), "{what}\n{graph}");
    }
    results
}

#[test]
fn functions_are_those_of_numpy_and_scipy() {
    let mut expected = expected();
    for Case { name, inputs, graph } in all_cases() {
        let Expected { shape, elements } = expected.remove(&name).unwrap_or_else(|| panic!("no results of {name}"));
        let results = run(&name, &graph, &inputs);
        assert_eq!(results[0].shape(), shape, "{name}");
        let size = elements.iter().map(|&(_, re, im)| re.hypot(im.unwrap_or(0.0))).fold(0.0, f64::max);
        let parts: Vec<Vec<f64>> = results.iter().map(common::floats).collect();
        for (position, re, im) in elements {
            assert_eq!(im.is_some(), parts.len() == 2, "{name}");
            let error = (parts[0][position] - re).hypot(im.map_or(0.0, |im| parts[1][position] - im));
            assert!(error <= 1e-14 * size, "{name}: element {position} differs by {error}, of {size}");
        }
    }
    assert!(expected.is_empty(), "not tested: {:?}", expected.keys());
}

fn dot(x: &[Array], y: &[Array]) -> f64 {
    x.iter().zip(y).flat_map(|(x, y)| common::floats(x).into_iter().zip(common::floats(y))).map(|(x, y)| x * y).sum()
}

fn random_like(random: &mut Random, arrays: &[Type]) -> Vec<Array> {
    arrays.iter().map(|ty| random.array(ty, (-1.0, 1.0))).collect()
}

/// ⟨c, J t⟩ = ⟨Jᵀ c, t⟩, forward mode against differences, and a symmetric Hessian.
#[test]
fn derivatives_are_adjoint_and_of_any_order() {
    let mut random = Random(5);
    for Case { name, inputs, graph } in all_cases() {
        if inputs[0].shape().is_empty() {
            continue;
        }
        let wrt: Vec<usize> = (0..inputs.len()).collect();
        let types: Vec<Type> = inputs.iter().map(Array::ty).collect();
        let results: Vec<Type> = graph.outputs().iter().map(|y| graph.ty(y.value).clone()).collect();
        let (t, ct) = (random_like(&mut random, &types), random_like(&mut random, &results));
        let jvp = differentiate::jvp(&graph, &wrt).unwrap();
        let pushed = run(&name, &jvp, &[&inputs[..], &t].concat());
        let vjp = differentiate::vjp(&graph, &wrt).unwrap();
        let pulled = run(&name, &vjp, &[&inputs[..], &ct].concat());
        let n = results.len();
        let (left, right) = (dot(&ct, &pushed[n..]), dot(&pulled[n..], &t));
        let size = dot(&ct, &ct).sqrt() * dot(&pushed[n..], &pushed[n..]).sqrt();
        assert!((left - right).abs() <= 1e-13 * (size + 1e-3), "{name}: {left} and {right}");

        // All are polynomials of degree 2 at most, but for the division of `istft`, so central differences are exact.
        let moved = |h: f64| {
            let at: Vec<Array> = inputs
                .iter()
                .zip(&t)
                .map(|(x, t)| {
                    let elements = common::floats(x).iter().zip(common::floats(t)).map(|(x, t)| x + h * t).collect();
                    Array::from_elements(x.shape(), elements).unwrap()
                })
                .collect();
            interpret::run(&graph, &at).unwrap().iter().flat_map(common::floats).collect::<Vec<f64>>()
        };
        let tangent: Vec<f64> = pushed[n..].iter().flat_map(common::floats).collect();
        let size = tangent.iter().map(|x| x.abs()).fold(1.0, f64::max);
        for ((t, plus), minus) in tangent.iter().zip(moved(0.5)).zip(moved(-0.5)) {
            assert!((t - (plus - minus)).abs() <= 1e-13 * size, "{name}: tangent {t}, difference {}", plus - minus);
        }

        let hvp = differentiate::jvp(&vjp, &wrt).unwrap();
        let [u, v] = [(), ()].map(|()| random_like(&mut random, &types));
        let curve = |u: &[Array]| {
            let results = run(&name, &hvp, &[&inputs[..], &ct, u].concat());
            results[results.len() - wrt.len()..].to_vec()
        };
        let (left, right) = (dot(&v, &curve(&u)), dot(&u, &curve(&v)));
        assert!((left - right).abs() <= 1e-12 * (1.0 + left.abs()), "{name}: Hessian {left} and {right}");
    }
}

/// Every row of a batch has the bits of the row alone, in a map, too.
#[test]
fn rows_are_transformed_alone() {
    let f = |x: Var, re: Var| {
        let z = fft::fft(Complex::new(re, x));
        let y = fft::irfft(fft::rfft(x) * Complex::new(re.slice(0, ..6), x.slice(0, 1..7)));
        (z.re, z.im, y, fft::dct(x, Variant::IV), signal::hilbert(x).im)
    };
    type Results = (Array, Array, Array, Array, Array);
    let (x, re) = (array(&[7, 10], 1), array(&[7, 10], 2));
    let all: Results = jit(vmap(f)).call(&x, &re).unwrap();
    let mapped: Results = jit(|x: Var, re: Var| map((x, re), |(x, re)| f(x, re))).call(&x, &re).unwrap();
    let alone = jit(f);
    for row in 0..7 {
        let part = |x: &Array| Array::collect(&Type::new(DType::F64, [10]), x.elements().skip(10 * row).take(10));
        let one: Results = alone.call(part(&x), part(&re)).unwrap();
        for all in [&all, &mapped] {
            let pairs = [(&all.0, &one.0), (&all.1, &one.1), (&all.2, &one.2), (&all.3, &one.3), (&all.4, &one.4)];
            for (all, one) in pairs {
                let n = one.size();
                let own = Array::collect(&one.ty(), all.elements().skip(n * row).take(n));
                assert!(own.same_bits(one), "row {row}: {own} and {one}");
            }
        }
    }
}

/// A damped wave, step by step in the frequency domain: values and gradient inside a loop are those of the loop unrolled.
#[test]
fn loops_transform() {
    let step = |x: Var, w: Var| fft::irfft(fft::rfft(x) * Complex::from(w)) * 0.5 + x.sin();
    let looped = |x: Var, w: Var| {
        let (last, _) = scan(x, Var::iota(&[5], 0, DType::F64), |x: Var, _: Var| (step(x, w), ()));
        last.square().sum()
    };
    let unrolled = |x: Var, w: Var| (0..5).fold(x, |x, _| step(x, w)).square().sum();
    let (x, w) = (array(&[16], 1), array(&[9], 2));
    let of = |graph: Graph| {
        let gradient = differentiate::vjp(&graph, &[0, 1]).unwrap();
        let results = run("a loop", &gradient, &[x.clone(), w.clone(), Array::scalar(1.0)]);
        results.iter().flat_map(common::floats).collect::<Vec<f64>>()
    };
    let looped = of(trace(looped, (x.ty(), w.ty())).unwrap());
    let unrolled = of(trace(unrolled, (x.ty(), w.ty())).unwrap());
    assert!(looped.iter().zip(&unrolled).all(|(x, y)| (x - y).abs() <= 1e-13 * (1.0 + y.abs())));
}

/// What is known to be real takes half of the transform, with its derivatives.
#[test]
fn real_lines_take_real_transforms() {
    let loss = |x: Var| fft::fft(x).abs_squared().dot(x);
    let graph = retrograd::optimize::optimize(
        &trace(retrograd::value_and_grad(loss), (Type::new(DType::F64, [128]),)).unwrap(),
    )
    .unwrap();
    let listing = graph.to_string();
    assert!(listing.contains("= rfft ") && listing.contains("= irfft ") && !listing.contains("= fft "), "{listing}");
}

/// Spectra of a signal give the signal.
#[test]
fn frames_give_the_signal_again() {
    for (m, hop, n_fft) in [(8, 4, 8), (8, 3, 16), (7, 2, 7), (5, 5, 9), (4, 1, 4)] {
        let f = |x: Var| {
            let spectra = Stft::new(signal::hann(m, Sampling::Periodic), hop).length(n_fft).centered();
            let plain = Stft::new(signal::hamming(m, Sampling::Symmetric), hop).length(n_fft);
            (spectra.istft(spectra.stft(x)), plain.istft(plain.stft(x)))
        };
        let x = array(&[2, 41], 3);
        let (centered, plain): (Array, Array) = jit(f).call(&x).unwrap();
        let rows = |x: &Array| common::floats(x).chunks(x.shape()[1]).map(<[f64]>::to_vec).collect::<Vec<_>>();
        for result in [centered, plain] {
            assert!(result.shape()[1] > 41 - hop - m / 2, "{:?}", result.shape());
            for (got, expected) in rows(&result).iter().zip(rows(&x)) {
                // With a hop as long as the window, the first weight of Hann's window is all that there is of some elements.
                let known = |k: &usize| m > hop || !(k + m / 2).is_multiple_of(m) || result.shape()[1] == 40;
                let differ = |k: usize| (got[k] - expected[k]).abs() > 1e-13;
                assert!(!(0..got.len()).filter(known).any(differ), "{m} {hop} {n_fft}");
            }
        }
    }
}

#[test]
fn single_precision_stays() {
    let f = |x: Var| {
        let z = fft::fft(Complex::new(x, x.sin()));
        let (f, p) = signal::welch(x, 2.0, 8);
        (fft::ifftn(z).re, fft::dst(x, Variant::I), fft::dct(x, Variant::III), signal::hilbert(x).im, f, p)
    };
    let ty = Type::new(DType::F32, [20]);
    let graph = trace(f, (&ty,)).unwrap();
    let x = Array::collect(&ty, array(&[20], 1).elements().map(|x| x.convert(DType::F32)));
    let wide = Array::collect(&Type::new(DType::F64, [20]), x.elements().map(|x| x.convert(DType::F64)));
    let double = interpret::run(&trace(f, (wide.ty(),)).unwrap(), &[wide]).unwrap();
    for (single, double) in run("single precision", &graph, &[x]).iter().zip(&double) {
        assert_eq!(single.dtype(), DType::F32);
        let size = common::floats(double).into_iter().map(f64::abs).fold(0.0, f64::max);
        for (x, y) in common::floats(single).into_iter().zip(common::floats(double)) {
            assert!((x - y).abs() <= 2e-6 * size, "{x} and {y}");
        }
    }
}

/// The message of the error, without the lines of the operands; its last line names this file.
#[track_caller]
fn error(shape: &[usize], f: impl Fn(Var) -> Var) -> String {
    let message = trace(f, (Type::new(DType::F64, shape),)).unwrap_err().to_string();
    assert!(message.contains("tests/fourier_functions.rs:"), "{message}");
    message.lines().next().unwrap().to_string()
}

#[test]
fn wrong_options_are_errors() {
    let t = Transform::new;
    let cases: Vec<(&[usize], fn(Var) -> Var, &str)> = vec![
        (&[0], |x| fft::fft(x).re, "fft: takes at least 1 element along axis 0, but got f64[0]"),
        (&[3, 0], |x| fft::rfft(x).re, "rfft: takes at least 1 element along axis 1, but got f64[3,0]"),
        (&[], |x| fft::ifft(x).re, "ifft: takes an array with an axis -1, but got a number"),
        (&[4], |x| fft::fft2(x).re, "fft2: takes an axis within -1..1 of 1 axes, but got -2"),
        (&[1], |x| fft::irfft(x), "irfft: takes at least 2 bins along axis 0, or a length, but got f64[1]"),
        (&[0], |x| fft::irfft(x), "irfft: takes at least 2 bins along axis 0, or a length, but got f64[0]"),
        (&[1], |x| fft::hfft(x), "hfft: takes at least 2 bins along axis 0, or a length, but got f64[1]"),
        (&[1], |x| fft::dct(x, Variant::I), "dct: takes at least 2 elements along axis 0 for type I, but got f64[1]"),
        (&[0], |x| fft::dst(x, Variant::II), "dst: takes at least 1 element along axis 0, but got f64[0]"),
        (&[4], |_| fft::fftfreq(0, 1.0), "fftfreq: takes lines of length 1 or more, but got 0"),
        (&[4], |x| fft::fftshift(x, [0, 0]), "fftshift: takes each axis once, but got [0, 0] of 1 axes"),
        (&[4], |_| signal::hann(0, Sampling::Periodic), "hann: takes a length of at least 1, but got 0"),
        (
            &[0],
            |x| signal::hilbert(x).im,
            "hilbert: takes signals that have elements along the last axis, but got f64[0]",
        ),
        (
            &[],
            |x| signal::periodogram(x, 1.0).1,
            "periodogram: takes signals that have elements along the last axis, but got f64[]",
        ),
        (&[4], |x| signal::welch(x, 1.0, 0).1, "welch: takes segments of at least 1 element, but got 0"),
        (
            &[4],
            |x| signal::stft(x, x.slice(0, ..2), 0).re,
            "stft: takes a hop of at least 1, and a length of at least that of the window, 2, but got 0 and 2",
        ),
        (
            &[4],
            |x| signal::stft(x.slice(0, ..2), x, 1).re,
            "stft: takes signals as long as the window, 4, or longer, but got f64[2]",
        ),
        (
            &[4],
            |x| signal::istft(Complex::from(x), x, 1),
            "istft: takes frames with 3 bins along the last axis, but got f64[4]",
        ),
    ];
    for (shape, f, message) in cases {
        assert_eq!(error(shape, f), message);
    }
    assert_eq!(
        error(&[4, 4], |x| t().axes([0, -2]).fft2(x).re),
        "fft2: takes each axis once, but got [0, -2] of 2 axes"
    );
    assert_eq!(error(&[4, 4], |x| t().axes([0, 1]).fft(x).re), "fft: takes 1 axes, but got [0, 1]");
    assert_eq!(error(&[4], |x| t().axes(1).fft(x).re), "fft: takes an axis within -1..1 of 1 axes, but got 1");
    assert_eq!(error(&[4], |x| t().lengths(&[0]).fft(x).re), "fft: takes lengths of at least 1, but got [0]");
    assert_eq!(
        error(&[4], |x| t().lengths(&[4, 4]).fft(x).re),
        "fft: takes a length for each of the axes [-1], but got [4, 4]"
    );
    assert_eq!(
        error(&[5], |x| t().lengths(&[7]).irfft(x)),
        "irfft: takes n/2 + 1 = 4 bins along axis 0 for lines of length n = 7, but got f64[5]; cut them or append zeros first"
    );
    let none: [isize; 0] = [];
    assert_eq!(error(&[4], |x| t().axes(none).rfftn(x).re), "rfftn: takes at least 1 axis, but got none");
    let mixed = |x: Var| fft::fft(Complex { re: x, im: x.convert(DType::F32) }).re;
    assert!(error(&[4], mixed).contains("one dtype"), "{}", error(&[4], mixed));
    let mixed = |x: Var| signal::fft_convolve(x, x.convert(DType::F32), ConvolveMode::Full);
    assert!(error(&[4], mixed).contains("f32"), "{}", error(&[4], mixed));
}

/// Lengths beyond any memory are errors, at whatever step they are met.
#[test]
fn absurd_lengths_are_errors() {
    let error =
        |f: fn(Var) -> Var| jit(f).call::<ndarray::ArrayD<f64>>(ndarray::array![1.0, 2.0, 3.0, 4.0]).unwrap_err();
    let absurd: [fn(Var) -> Var; 4] = [
        |x| fft::Transform::new().lengths(&[usize::MAX]).fft(x).re,
        |x| fft::Transform::new().lengths(&[usize::MAX]).rfft(x).im,
        |x| Stft::new(signal::hann(2, Sampling::Periodic), 1).length(usize::MAX).stft(x).re,
        |x| {
            let stft = Stft::new(signal::hann(2, Sampling::Periodic), usize::MAX / 2);
            stft.istft(Complex::from(x.reshape(&[2, 2])))
        },
    ];
    for f in absurd {
        assert!(!error(f).to_string().contains("bug"));
    }
    assert!(error(|x| fft::fft(x.sum()).re).to_string().contains("an array with an axis"));
}

/// A hop that is longer than any signal takes one frame, and no memory of its own.
#[test]
fn one_frame_needs_no_hop() {
    let x = vec![1.0, -1.0, 0.5, 3.0];
    let frames = |hop: usize| -> Vec<f64> {
        let power = jit(move |x: Var| signal::stft(x, x.slice(0, 1..4), hop).abs_squared().flatten());
        power.call(&x).expect("frames")
    };
    assert_eq!(frames(usize::MAX), frames(2));
    let round_trip = jit(|x: Var| {
        let window = x.slice(0, 1..4);
        signal::istft(signal::stft(x, window, usize::MAX), window, usize::MAX)
    });
    let back: Vec<f64> = round_trip.call(&x).expect("a signal");
    assert!(back.len() == 3 && back.iter().zip(&x).all(|(got, x)| (got - x).abs() < 1e-15), "{back:?}");
}
