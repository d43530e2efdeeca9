//! The files of `ir-examples`: each file equals the trace of its function, verifies, is reproduced byte for byte by
//! loading and saving, gives its recorded outputs, and can be differentiated twice, from the file alone. With
//! `RECORD=1` in the environment, the files are recorded again, to be reviewed like code. Old files, which are never
//! recorded again, are in `tests/corpus`; `cli/tests/schema.rs` checks the form of all files.

pub mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Random, floats, object};
use ndarray::{Array1, array};
use retrograd::ir::Limits;
use retrograd::value::json::Json;
use retrograd::value::{Array, DType, ToTree, Type};
use retrograd::{Error, Graph, Loop, Program, Var};
use retrograd::{cond, differentiate, grad, interpret, jit, optimize, scan, while_loop};

// The functions
fn rosenbrock(x: Var, y: Var) -> Var {
    let (a, b) = (1.0 - x, y - x * x);
    a * a + 100.0 * b * b
}

/// x - x³/3! + x⁵/5! - …, up to the first term of at most 0.001.
fn taylor_sine(x: Var) -> Var {
    let (mut ans, mut term, mut i) = (x, x, 0);
    while term.abs() > 0.001 {
        term = -term * x * x / ((2 * i + 3) * (2 * i + 2));
        ans += term;
        i += 1;
    }
    ans
}

/// sin³((2x² + x + 1)²)
fn chain_rule(x: Var) -> Var {
    (2.0 * x * x + x + 1.0).powi(2).sin().powi(3)
}

fn logistic_loss(w: Var, x: Var, t: Var) -> Var {
    let p = 0.5 * ((x.dot(w) / 2.0).tanh() + 1.0);
    -(p * t + (1.0 - p) * (1.0 - t)).ln().sum()
}

/// The cross-entropy of a network of one hidden layer.
fn mlp_loss(layers: [(Var, Var); 2], x: Var, labels: Var) -> (Var, Var) {
    let [(w1, b1), (w2, b2)] = layers;
    let hidden = (x.matmul(w1) + b1).tanh().named("hidden");
    let log_p = (hidden.matmul(w2) + b2).log_softmax(1).named("log_p");
    let loss = -(log_p * labels).sum_axes(&[1]).mean();
    (loss, log_p.argmax(1))
}

/// The total of an order, from `f32` prices, integer quantities, and a flag for a discount.
fn invoice(prices: Var, quantities: Var, member: Var) -> (Var, Var, Var, Var) {
    let reduced = quantities.greater_equal(10) | member;
    let rate = reduced.select(prices.full_like(0.9), prices.full_like(1.0));
    let amounts = prices * quantities.convert(DType::F32) * rate;
    let utility = amounts.convert(DType::F64).ln_1p().sum();
    (utility, amounts.sum(), quantities.sum(), reduced)
}

/// Causal attention of two heads, whose queries, keys and values are side by side.
fn attention(x: Var) -> (Var, Var) {
    let (n, heads, width) = (x.shape()[0], 2, x.shape()[1] / 6);
    let [q, k, v] = [0, 1, 2].map(|part| {
        let start = part * heads * width;
        x.slice_axis(1, start, start + heads * width, 1).reshape(&[n, heads, width])
    });
    let scores = q.dot_general(k, [&[2], &[2]], [&[1], &[1]]) / (width as f64).sqrt();
    let causal = Var::iota(&[n, n], 0, DType::I64).greater_equal(Var::iota(&[n, n], 1, DType::I64));
    let causal = causal.broadcast_to(&[heads, n, n]);
    let weights = causal.select(scores, scores.full_like(f64::NEG_INFINITY)).softmax(2).named("weights");
    let out = weights.dot_general(v, [&[2], &[0]], [&[0], &[1]]).transpose(&[1, 0, 2]).reshape(&[n, heads * width]);
    (out.square().sum(), out)
}

/// A filter built from slices, every second element of its result, and reductions of all kinds.
fn signal(x: Var, filter: Var) -> (Var, Var, Var) {
    let (n, taps) = (x.shape()[0], filter.shape()[0]);
    let padded = x.pad(0.0, &[1], &[1], &[0]);
    let terms: Vec<Var> = (0..taps).map(|k| padded.slice_axis(0, k, k + n + 3 - taps, 1) * filter.index(k)).collect();
    let filtered = Var::stack(&terms, 0).sum_axes(&[0]);
    let coarse = filtered.slice_axis(0, 0, n + 3 - taps, 2);
    let running = Var::concatenate(&[coarse.cumsum(0), coarse.reverse(&[0])], 0);
    let energy = running.square().mean() + coarse.max_all() * coarse.min_all() + filter.prod();
    (energy, running, filtered.greater(0.0).all())
}

/// √x by Newton's method, until the square is close to x, with a limit on iterations for numbers without a root.
fn newton_sqrt(x: Var) -> Var {
    Loop::new().max_trips(100).while_loop(x, |y| (y * y - x).abs().greater(1e-14 * x), |y| 0.5 * (y + x / y))
}

/// The root of x³ + p x - q between 0 and q: bisection, which has no derivative by itself, and a Newton step.
fn bisection(p: Var, q: Var) -> Var {
    let f = move |x: Var| x * x * x + p * x - q;
    let halve = |(low, high): (Var, Var)| {
        let middle = 0.5 * (low + high);
        cond(f(middle).greater(0.0), || (low, middle), || (middle, high))
    };
    let (low, high) = while_loop((q.full_like(0.0), q), |(low, high)| (high - low).greater(1e-6), halve);
    let x = (0.5 * (low + high)).stop_gradient();
    x - f(x) / grad(f).call(x)
}

/// A driven damped pendulum, by the Runge–Kutta method: its final energy, and its angles over time.
fn rk4(angle: Var, speed: Var, damping: Var, pushes: Var) -> (Var, Var) {
    let h = 0.1;
    let step = |(angle, speed): (Var, Var), push: Var| {
        let slope = |a: Var, s: Var| (s, push - a.sin() - damping * s);
        let (a1, s1) = slope(angle, speed);
        let (a2, s2) = slope(angle + 0.5 * h * a1, speed + 0.5 * h * s1);
        let (a3, s3) = slope(angle + 0.5 * h * a2, speed + 0.5 * h * s2);
        let (a4, s4) = slope(angle + h * a3, speed + h * s3);
        let next = angle + h / 6.0 * (a1 + 2.0 * (a2 + a3) + a4);
        ((next, speed + h / 6.0 * (s1 + 2.0 * (s2 + s3) + s4)), next)
    };
    let ((angle, speed), angles) = scan((angle, speed), pushes, step);
    (0.5 * speed * speed + 1.0 - angle.cos(), angles)
}

/// A recurrent network: the mean squared distance of its outputs from the targets, and its last state.
fn rnn((w, u, b): (Var, Var, Var), out: Var, x: Var, targets: Var) -> (Var, Var) {
    let step = |state: Var, (x, target): (Var, Var)| {
        let state = (w.dot(state) + u.dot(x) + b).tanh();
        (state, (out.dot(state) - target).square().mean())
    };
    let (state, errors) = scan(b.full_like(0.0), (x, targets), step);
    (errors.mean(), state)
}

/// Bundle adjustment: the weighted distances between features and projected points. A camera is its rotation (an axis
/// times an angle), center, focal length, principal point, and radial distortion.
fn bundle_adjustment(cameras: Var, points: Var, weights: Var, features: Var) -> (Var, Var) {
    let errors = retrograd::map((cameras, points, weights, features), |(camera, point, weight, feature)| {
        let parts = camera.split(0, &[3, 3, 1, 2, 2]);
        let [rotation, center, focal, principal, distortion] = parts[..] else { unreachable!("five parts") };
        let x = point - center;
        let angle = rotation.norm_squared().sqrt();
        let axis = rotation / angle;
        let ([k0, k1, k2], [x0, x1, x2]) = ([0, 1, 2].map(|i| axis.index(i)), [0, 1, 2].map(|i| x.index(i)));
        let cross = Var::stack(&[k1 * x2 - k2 * x1, k2 * x0 - k0 * x2, k0 * x1 - k1 * x0], 0);
        let seen = x * angle.cos() + cross * angle.sin() + axis * (axis.dot(x) * (1.0 - angle.cos()));
        let on_plane = seen.slice_axis(0, 0, 2, 1) / seen.index(2);
        let r2 = on_plane.norm_squared();
        let bend = 1.0 + distortion.index(0) * r2 + distortion.index(1) * r2 * r2;
        weight * (on_plane * bend * focal + principal - feature)
    });
    (errors.square().sum(), errors)
}

/// log ∑ exp x, with a rule for its derivative: the cotangent times softmax x.
fn logsumexp(x: Var) -> Var {
    let function = |x: Var| {
        let largest = x.max_all().stop_gradient();
        (x - largest).exp().sum().ln() + largest
    };
    let rule = |(x,): (Var,), y: Var, ct: Var| (ct * (x - y).exp(),);
    retrograd::custom_vjp(function, rule).call(x)
}

/// Kepler's equation: the eccentric anomaly for a mean anomaly and an eccentricity.
fn kepler(mean: Var, eccentricity: Var) -> Var {
    retrograd::root(|x| x - eccentricity * x.sin() - mean, mean)
}

/// Sentences as means of rows of a table, one for each word: their scores, and the loss of labels.
fn embedding(table: Var, w: Var, words: Var, sentences: Var, labels: Var) -> (Var, Var) {
    let means = table.take(words, 0).segment_mean(sentences, labels.shape()[0]).named("means");
    let scores = means.dot(w);
    let loss = (-(2.0 * labels - 1.0) * scores).exp().ln_1p().mean();
    (loss, scores)
}

/// A convolution by 3×3 kernels, whose images are padded by zeros and have their channels last; the largest of each 2×2
/// elements; a layer; and the cross-entropy.
fn conv_net(kernel: Var, dense: Var, images: Var, labels: Var) -> Var {
    let [n, height, width, channels] = [0, 1, 2, 3].map(|axis| images.shape()[axis]);
    let padded = images.pad(0.0, &[0, 1, 1, 0], &[0, 1, 1, 0], &[0; 4]);
    let part = |k: usize| padded.slice(1, k / 3..k / 3 + height).slice(2, k % 3..k % 3 + width);
    let columns = Var::concatenate(&(0..9).map(part).collect::<Vec<_>>(), 3);
    let features = kernel.shape()[3];
    let hidden = columns.dot(kernel.reshape(&[9 * channels, features])).relu();
    let pooled = hidden.reshape(&[n, height / 2, 2, width / 2, 2, features]).max_axes(&[2, 4]);
    let logits = pooled.reshape(&[n, Var::REST]).dot(dense);
    -logits.log_softmax(1).take_along_axis(labels.insert_axis(1), 1).mean()
}

/// An estimate of the mean of sin² over a normal distribution, from draws of the key, with the draws' standard error. The
/// draws depend on mean and deviation, so that it has their derivatives.
fn sampled_estimate(key: Var, mean: Var, deviation: Var) -> (Var, Var) {
    let draws = retrograd::random::normal(key, [64]) * deviation + mean;
    let values = draws.sin().square();
    (values.mean(), values.std() / 8.0)
}

/// Minus the log-likelihood of a Gaussian process, given the logarithms of its amplitude, length and noise; and its
/// gradient, with the factor that the likelihood has.
fn gaussian_process(parameters: Var, x: Var, y: Var) -> (Var, Var) {
    let cost = |parameters: Var, x: Var, y: Var| {
        let (n, [amplitude, length, noise]) = (y.shape()[0], [0, 1, 2].map(|k| parameters.index(k)));
        let distances = ((x.insert_axis(1) - x.insert_axis(0)) / length.exp()).square();
        let covariance =
            (2.0 * amplitude - 0.5 * distances).exp() + (2.0 * noise).exp() * retrograd::numpy::identity(n);
        let factor = retrograd::linalg::cho_factor(covariance);
        0.5 * (y.dot(factor.solve(y)) + factor.logdet() + n as f64 * std::f64::consts::TAU.ln())
    };
    retrograd::value_and_grad(cost).call(parameters, x, y)
}

/// A Kalman filter of an object on a line, a `scan` along what is measured: minus the log-likelihood, given the logarithms
/// of the deviations of a change of velocity and of a measurement; and where the object is.
fn kalman(noise: Var, measured: Var) -> (Var, Var) {
    let matrix = |rows: [[f64; 2]; 2]| Var::from(ndarray::arr2(&rows));
    let (transition, first) = (matrix([[1.0, 1.0], [0.0, 1.0]]), matrix([[9.0, 0.0], [0.0, 1.0]]));
    let variances = (2.0 * noise).exp();
    let process = variances.index(0) * matrix([[1.0 / 3.0, 0.5], [0.5, 1.0]]);
    let step = |(mean, covariance): (Var, Var), measured: Var| {
        let (off, seen) = (measured - mean.slice(0, ..1), covariance.slice(0, ..1));
        let innovation = retrograd::linalg::cho_factor(seen.slice(1, ..1) + variances.index(1));
        let cost = 0.5 * (off.dot(innovation.solve(off)) + innovation.logdet() + std::f64::consts::TAU.ln());
        let gain = innovation.solve(seen).t();
        let (mean, covariance) = (mean + gain.dot(off), covariance - gain.dot(seen));
        let next = transition.dot(covariance).dot(transition.t()) + process;
        ((transition.dot(mean), next), (cost, mean.index(0)))
    };
    let (_, (costs, positions)) = scan((first.at(0) * 0.0, first), measured, step);
    (costs.sum(), positions)
}

// The graphs, and the inputs of the recorded runs

struct Example {
    name: &'static str,
    graph: Graph,
    inputs: Vec<Array>,
}

fn examples() -> Result<Vec<Example>, Error> {
    let x = array![[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]];
    let (w, t) = (array![0.1, -0.2, 0.3], array![1.0, 1.0, 0.0, 1.0]);
    let loss = jit(logistic_loss).named("logistic_loss").arguments(["w", "x", "t"]).results(["loss"]);
    let loss = loss.graph(&w, &x, &t)?;
    let loss_grad = differentiate::grad(&loss, 0, &[0])?;

    let random = &mut Random(10);
    let mut draw = |shape: &[usize]| random.array(&Type::new(DType::F64, shape), (-1.0, 1.0));
    let layers = [(draw(&[3, 5]), draw(&[5])), (draw(&[5, 2]), draw(&[2]))];
    let (points, sequence, samples) = (draw(&[4, 3]), draw(&[5, 18]), draw(&[12]));
    let labels = array![[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
    let mlp = jit(mlp_loss).named("mlp_loss").arguments(["layers", "x", "labels"]).results(["loss", "predicted"]);
    let prices = array![2.5f32, 0.1, 19.99, 7.0, 1e-3];
    let (quantities, member) = (array![1i64, 12, 3, 9, 1000], array![false, false, true, false, true]);
    let invoice = jit(invoice).named("invoice").arguments(["prices", "quantities", "member"]);
    let invoice = invoice.results(["utility", "total", "n_items", "reduced"]);
    let attention = jit(attention).named("attention").results(["loss", "out"]);
    let filter: Array1<f64> = array![0.25, 0.5, -0.75];
    let signal = jit(signal).named("signal").arguments(["x", "filter"]).results(["energy", "running", "positive"]);

    let newton = jit(newton_sqrt).named("newton_sqrt").results(["root"]).graph(2.0)?;
    let newton_grad = differentiate::grad(&newton, 0, &[0])?;
    // What `retrograd batch FILE --over x --rows 4` makes of both.
    let rows_of = |graph: &Graph| retrograd::batch::batch(graph, &[0], 4);
    let (newton_rows, newton_grad_rows) = (rows_of(&newton)?, rows_of(&newton_grad)?);
    let numbers = array![2.0, 900.0, 0.001, 1.21];
    let bisection = jit(bisection).named("bisection").arguments(["p", "q"]).results(["root"]);
    let pushes = array![0.5, 0.5, 0.0, -0.5, 0.25, 0.0];
    let rk4 = jit(rk4).named("rk4").arguments(["angle", "speed", "damping", "pushes"]).results(["energy", "angles"]);
    let rk4 = rk4.graph(0.3, -0.1, 0.2, &pushes)?;
    let rk4_grad = differentiate::grad(&rk4, 0, &[0, 1, 2])?;
    let layer = (draw(&[3, 3]), draw(&[3, 2]), draw(&[3]));
    let (out, steps, targets) = (draw(&[1, 3]), draw(&[5, 2]), draw(&[5, 1]));
    let rnn = jit(rnn).named("rnn").arguments(["layer", "out", "x", "targets"]).results(["loss", "state"]);
    let rnn = rnn.graph(&layer, &out, &steps, &targets)?;
    let rnn_grad = differentiate::grad(&rnn, 0, &[0, 1, 2, 3])?;
    let cameras = array![
        [0.01, -0.2, 0.03, 0.5, -0.1, 0.2, 1.5, 0.01, -0.02, 0.1, 0.05],
        [-0.3, 0.1, 0.2, -0.4, 0.3, -0.1, 1.2, 0.0, 0.03, -0.2, 0.01],
        [0.2, 0.4, -0.1, 0.1, 0.2, 0.3, 1.8, -0.05, 0.02, 0.15, -0.1],
    ];
    let landmarks = array![[0.3, 0.4, 3.0], [-0.5, 0.6, 4.0], [0.8, -0.7, 5.0]];
    let (weights, features) = (array![1.0, 0.9, 1.1], array![[0.1, 0.2], [-0.3, 0.1], [0.4, -0.2]]);
    let adjustment = jit(bundle_adjustment).named("bundle_adjustment").results(["cost", "errors"]);
    let adjustment = adjustment.arguments(["cameras", "points", "weights", "features"]);
    let adjustment = adjustment.graph(&cameras, &landmarks, &weights, &features)?;

    let scores = array![0.5, 3.0, -1.0, 1000.0];
    let kepler = jit(kepler).named("kepler").arguments(["mean", "eccentricity"]).results(["eccentric"]);

    let (table, direction) = (draw(&[6, 2]), draw(&[2]));
    let (words, sentences) = (array![4i64, 0, 5, 4, 1, 1], array![0i64, 0, 0, 1, 2, 2]);
    let sentiments = array![1.0, 0.0, 1.0];
    let embedding = jit(embedding).named("embedding").arguments(["table", "w", "words", "sentences", "labels"]);
    let embedding = embedding.results(["loss", "scores"]);
    let embedding = embedding.graph(&table, &direction, &words, &sentences, &sentiments)?;
    let (kernel, dense, images, digits) = (draw(&[3, 3, 1, 2]), draw(&[8, 3]), draw(&[2, 4, 4, 1]), array![2i64, 0]);
    let conv = jit(conv_net).named("conv_net").arguments(["kernel", "dense", "images", "labels"]).results(["loss"]);
    let conv = conv.graph(&kernel, &dense, &images, &digits)?;

    let key = array![0i64, 42];
    let estimate = jit(sampled_estimate).named("sampled_estimate").arguments(["key", "mean", "deviation"]);
    let estimate = estimate.results(["estimate", "error"]).graph(&key, 0.5, 2.0)?;

    let (parameters, at) = (array![-0.5, 0.3, -2.0], array![0.0, 0.7, 1.1, 2.0, 3.5]);
    let seen = array![0.5, 0.4, 0.1, -0.3, -0.2];
    let process = jit(gaussian_process).named("gaussian_process").arguments(["parameters", "x", "y"]);
    let process = process.results(["cost", "slope"]).graph(&parameters, &at, &seen)?;
    let (noise, measured) = (array![-1.0, 0.0], array![[0.4], [1.9], [2.5], [5.0], [5.6], [8.1]]);
    let kalman = jit(kalman).named("kalman").arguments(["noise", "measured"]).results(["cost", "positions"]);
    let kalman = kalman.graph(&noise, &measured)?;
    let kalman_grad = differentiate::grad(&kalman, 0, &[0])?;

    let example = |name, graph, inputs: &dyn ToTree| Example { name, graph, inputs: leaves(inputs) };
    Ok(vec![
        example("rosenbrock", jit(rosenbrock).named("rosenbrock").graph(-1.2, 1.0)?, &(-1.2, 1.0)),
        example("taylor_sine", jit(taylor_sine).named("taylor_sine").graph(2.0)?, &2.0),
        example("chain_rule", jit(chain_rule).named("chain_rule").graph(0.3)?, &0.3),
        example("logistic_loss", loss, &(&w, &x, &t)),
        example("logistic_loss_grad", loss_grad, &(&w, &x, &t)),
        example("mlp_loss", mlp.graph(&layers, &points, &labels)?, &(&layers, &points, &labels)),
        example("invoice", invoice.graph(&prices, &quantities, &member)?, &(&prices, &quantities, &member)),
        example("attention", attention.graph(&sequence)?, &sequence),
        example("signal", signal.graph(&samples, &filter)?, &(&samples, &filter)),
        example("newton_sqrt", newton, &2.0),
        example("newton_sqrt_grad", newton_grad, &2.0),
        example("newton_sqrt_rows", newton_rows, &numbers),
        example("newton_sqrt_grad_rows", newton_grad_rows, &numbers),
        example("bisection", bisection.graph(1.0, 3.0)?, &(1.0, 3.0)),
        example("rk4", rk4, &(0.3, -0.1, 0.2, &pushes)),
        example("rk4_grad", rk4_grad, &(0.3, -0.1, 0.2, &pushes)),
        example("rnn", rnn, &(&layer, &out, &steps, &targets)),
        example("rnn_grad", rnn_grad, &(&layer, &out, &steps, &targets)),
        example("bundle_adjustment", adjustment, &(&cameras, &landmarks, &weights, &features)),
        example("kepler", kepler.graph(1.0, 0.5)?, &(1.0, 0.5)),
        example("embedding", embedding, &(&table, &direction, &words, &sentences, &sentiments)),
        example("sampled_estimate", estimate, &(&key, 0.5, 2.0)),
        example("conv_net", conv, &(&kernel, &dense, &images, &digits)),
        example("gaussian_process", process, &(&parameters, &at, &seen)),
        example("kalman", kalman, &(&noise, &measured)),
        example("kalman_grad", kalman_grad, &(&noise, &measured)),
        example("logsumexp", jit(logsumexp).named("logsumexp").graph(&scores)?, &scores),
    ])
}

fn leaves(inputs: &dyn ToTree) -> Vec<Array> {
    let mut leaves = Vec::new();
    inputs.to_tree().for_each(&mut |leaf| leaves.push(leaf.to_array()));
    leaves
}

// The tests

#[test]
fn files_are_what_tracing_gives() -> Result<(), Error> {
    let mut known = Vec::new();
    for Example { name, graph, inputs } in examples()? {
        let outputs = interpret::run(&graph, &inputs)?;
        for (suffix, text) in [
            ("json", graph.to_json()?),
            ("inputs.json", object(graph.inputs().iter().map(|input| &*input.name), &inputs)),
            ("outputs.json", object(graph.outputs().iter().map(|output| &*output.name), &outputs)),
        ] {
            let path = folder().join(format!("{name}.{suffix}"));
            if std::env::var_os("RECORD").is_some() {
                fs::write(&path, &text).unwrap();
            }
            let recorded = fs::read_to_string(&path).unwrap_or_default();
            assert!(recorded == text, "{}: tracing gives another text (RECORD=1 writes it)\n{text}", path.display());
            known.push(path);
        }
    }
    let mut files: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files
        .retain(|path| path.extension().is_some_and(|extension| extension == "json") && !path.ends_with("schema.json"));
    known.sort();
    files.sort();
    assert_eq!(files, known);
    Ok(())
}

#[test]
fn files_save_byte_identically() {
    for File { name, text, graph, .. } in files() {
        assert_eq!(graph.verify(), Ok(()), "{name}");
        assert_eq!(graph.to_json().unwrap(), text, "{name}");
        let optimized = optimize::optimize(&graph).unwrap();
        let text = optimized.to_json().unwrap();
        assert_eq!(load(&text).to_json().unwrap(), text, "{name}, optimized");
    }
}

#[test]
fn files_run_to_their_recorded_outputs() {
    for File { name, graph, inputs, outputs, .. } in files() {
        let results = run_everywhere(&name, &graph, &inputs);
        let results = object(graph.outputs().iter().map(|output| &*output.name), &results);
        assert_eq!(results, outputs, "{name}");
    }
}

/// The README beside the files quotes two of them completely.
#[test]
fn the_readme_quotes_files() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for (title, name) in
        [("## One file, line by line\n", "rosenbrock"), ("## A file with a loop, line by line\n", "newton_sqrt")]
    {
        let (_, explained) = readme.split_once(title).unwrap();
        let section = explained.split("\n## ").next().unwrap();
        let quoted: String =
            section.lines().filter_map(|line| line.strip_prefix("    ")).flat_map(|x| [x, "\n"]).collect();
        assert_eq!(quoted, read_file(name.to_string()).text);
    }
}

/// Reverse mode and forward mode agree on the gradient, and on the Hessian times a vector, which is symmetric. Where the
/// first output is no number, the outputs are weighted by cotangents.
#[test]
fn files_differentiate_twice() {
    let random = &mut Random(11);
    for File { name, graph, inputs, .. } in files() {
        let wrt: Vec<usize> = (0..inputs.len()).filter(|&k| inputs[k].dtype().is_float()).collect();
        let v: Vec<Array> = wrt.iter().map(|&k| random.array(&inputs[k].ty(), (-1.0, 1.0))).collect();
        let (n_primal, single) = (graph.outputs().len(), inputs.iter().any(|x| x.dtype() == DType::F32));
        let tolerance = if single { 1e-5 } else { 1e-12 };

        let is_number = graph.ty(graph.outputs()[0].value).rank() == 0;
        let first = if is_number { differentiate::grad(&graph, 0, &wrt) } else { differentiate::vjp(&graph, &wrt) };
        let first = reload(first.unwrap());
        let weights = first.inputs()[inputs.len()..].iter().map(|input| first.ty(input.node.into()));
        let weights: Vec<Array> = weights.map(|ty| random.array(ty, (-1.0, 1.0))).collect();
        let given = [inputs.clone(), weights.clone()].concat();
        let gradient = run_everywhere(&name, &first, &given).split_off(n_primal);
        let forward = reload(differentiate::jvp(&graph, &wrt).unwrap());
        let forward = run_everywhere(&name, &forward, &[inputs.clone(), v.clone()].concat()).split_off(n_primal);
        let along = if is_number { floats(&forward[0]) } else { vec![dot(&weights, &forward)] };
        close(&name, &[dot(&gradient, &v)], &along, tolerance);

        // Of the outputs, only the gradient gets a cotangent.
        let second = reload(differentiate::vjp(&first, &wrt).unwrap());
        let cts = second.inputs()[given.len()..].iter().map(|input| Array::zeros(second.ty(input.node.into())));
        let mut cts: Vec<Array> = cts.collect();
        let n_other = cts.len() - v.len();
        cts.splice(n_other.., v.clone());
        let reverse = run_everywhere(&name, &second, &[given.clone(), cts].concat());
        let forward = reload(differentiate::jvp(&first, &wrt).unwrap());
        let forward = run_everywhere(&name, &forward, &[given, v.clone()].concat());
        let last =
            |outputs: &[Array]| -> Vec<f64> { outputs[outputs.len() - v.len()..].iter().flat_map(floats).collect() };
        close(&name, &last(&reverse), &last(&forward), tolerance);
    }
}

/// The second derivative of a scalar function, as the gradient of a gradient.
#[test]
fn gradient_of_a_gradient_from_files_alone() {
    let number = Type::scalar(DType::F64);
    let one_number =
        |file: &File| file.inputs.len() == 1 && file.inputs[0].ty() == number && file.graph.outputs().len() == 1;
    for File { name, graph, inputs, .. } in files().into_iter().filter(one_number) {
        let first = reload(differentiate::grad(&graph, 0, &[0]).unwrap());
        let second = reload(differentiate::grad(&first, 1, &[0]).unwrap());
        let at = |x: f64| floats(&run_everywhere(&name, &second, &[Array::scalar(x)])[1])[0];
        let (x, h) = (floats(&inputs[0])[0], 1e-5);
        let difference = (at(x + h) - at(x - h)) / (2.0 * h);
        let exact = floats(&run_everywhere(&name, &second, &inputs)[2])[0];
        close(&name, &[exact], &[difference], 1e-7);
    }
}

// Helpers

/// The text of a file, with its recorded run.
struct File {
    name: String,
    text: String,
    graph: Graph,
    inputs: Vec<Array>,
    outputs: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ir-examples")
}

fn files() -> Vec<File> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_string()))
        .filter(|name| !name.contains('.') && name != "schema")
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names.into_iter().map(read_file).collect()
}

fn read_file(name: String) -> File {
    let read = |suffix: &str| fs::read_to_string(folder().join(format!("{name}.{suffix}"))).unwrap();
    let text = read("json");
    let graph = load(&text);
    let inputs = read("inputs.json");
    let inputs = Json::parse(&inputs).unwrap();
    let inputs = graph.inputs().iter().zip(inputs.as_object().unwrap()).map(|(input, (name, value))| {
        assert_eq!(*input.name, **name);
        Array::from_json(value, graph.ty(input.node.into())).unwrap()
    });
    let inputs = inputs.collect();
    File { outputs: read("outputs.json"), text, graph, inputs, name }
}

fn load(text: &str) -> Graph {
    Graph::from_json(text, &Limits::default()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The graph after saving and loading.
fn reload(graph: Graph) -> Graph {
    load(&graph.to_json().unwrap())
}

/// The outputs, checked to have the same bits from the interpreter and from native code, optimized or not.
fn run_everywhere(name: &str, graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    let outputs = interpret::run(graph, inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
    let optimized = optimize::optimize(graph).unwrap();
    assert_eq!(interpret::run(&optimized, inputs).unwrap(), outputs, "{name}, optimized");
    assert_eq!(Program::compile(graph).unwrap().call(inputs).unwrap(), outputs, "{name}, native");
    assert_eq!(Program::compile(&optimized).unwrap().call(inputs).unwrap(), outputs, "{name}, optimized and native");
    outputs
}

fn dot(x: &[Array], y: &[Array]) -> f64 {
    x.iter().zip(y).flat_map(|(x, y)| floats(x).into_iter().zip(floats(y))).map(|(x, y)| x * y).sum()
}

#[track_caller]
fn close(name: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    let scale = expected.iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
    let same = got.len() == expected.len() && got.iter().zip(expected).all(|(x, y)| (x - y).abs() <= tolerance * scale);
    assert!(same, "{name}: {got:?} is not {expected:?}");
}
