//! A mixture of normal distributions with full covariances, fitted by L-BFGS; what expectation and maximization would do
//! next is nothing.
//!
//! `cargo run --release --example gmm`
//!
//! Example of autograd's of the same name, on the same arms of a pinwheel. The covariances AᵀA are factored side by side,
//! as one stack. Where the gradient vanishes, the parameters are those to which a step of expectation and maximization
//! leads (Dempster, Laird and Rubin, 1977): the shares, means and covariances of the points, each counted by its
//! probabilities.

#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::f64::consts::TAU;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use ndarray::{Array1, Array2, Array3, Axis, s};
use retrograd::transform::Minimize;
use retrograd::value::DType;
use retrograd::{Tree, Var, jit, linalg, random};
use svg::{Curve, Layer, draw};
use target::target;

/// Fits a mixture, and draws it.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("gmm.svg"))]
    out: PathBuf,
}

const N_ARMS: usize = 3;
/// Points of each arm.
const N: usize = 100;

/// Logarithms of weights up to a constant, means, and roots A of the covariances AᵀA, each a stack.
#[derive(Clone, Debug, Tree)]
struct Mixture<W, M, R> {
    weights: W,
    means: M,
    roots: R,
}

type Traced = Mixture<Var, Var, Var>;
type Host = Mixture<Array1<f64>, Array2<f64>, Array3<f64>>;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let arms: [Array2<f64>; 2] = [jit(pinwheel).call(1i64)?, jit(pinwheel).call(2i64)?];
    let [points, held_out] = &arms;
    let score = jit(|mixture: Traced, points: Var| mixture.log_densities(points).logsumexp(&[0]).mean());
    let [one, three] = [fit(1, points)?, fit(N_ARMS, points)?];
    println!("components    nats a point    held out");
    let mut scores = Vec::new();
    for mixture in [&one, &three] {
        let [seen, new]: [f64; 2] = [score.call(mixture, points)?, score.call(mixture, held_out)?];
        println!("{:10}{:16.4}{:12.4}", mixture.weights.len(), -seen, -new);
        scores.push(new);
    }
    assert!(scores[1] > scores[0] + 0.3, "arms are not told apart");
    check_one(&one, points);
    check_expectation(&three, points)?;
    check_arms(&three, held_out)?;
    fs::write(&args.out, drawing(&three, points))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

/// Arms that turn with their distance from the middle, one after the other.
fn pinwheel(seed: Var) -> Var {
    let noise = random::normal(random::key(seed), [N_ARMS * N, 2]);
    let (along, across) = (1.0 + 0.3 * noise.index_axis(1, 0), 0.05 * noise.index_axis(1, 1));
    let arm = (Var::iota(&[N_ARMS * N], 0, DType::F64) / N as f64).floor();
    let angle = arm * (TAU / N_ARMS as f64) + 0.4 * along.exp();
    let (cos, sin) = (angle.cos(), angle.sin());
    2.0 * Var::stack(&[along * cos - across * sin, along * sin + across * cos], 1)
}

impl Traced {
    fn covariances(&self) -> Var {
        self.roots.transpose(&[0, 2, 1]).matmul(self.roots)
    }

    /// The logarithm of each component's share of the density at points, row by row.
    fn log_densities(&self, points: Var) -> Var {
        let factors = linalg::cho_factor(self.covariances());
        let off = (points - self.means.insert_axis(1)).transpose(&[0, 2, 1]);
        let quadratic = (off * factors.solve(off)).sum_axes(&[1]);
        let heights = self.weights.log_softmax(0) - 0.5 * factors.logdet() - TAU.ln();
        heights.insert_axis(1) - 0.5 * quadratic
    }
}

fn fit(n_components: usize, points: &Array2<f64>) -> Result<Host, retrograd::Error> {
    let angle = |k: usize| TAU * k as f64 / n_components as f64;
    let start = Host {
        weights: Array1::zeros(n_components),
        means: Array2::from_shape_fn((n_components, 2), |(k, axis)| [angle(k).cos(), angle(k).sin()][axis]),
        roots: Array3::from_shape_fn((n_components, 2, 2), |(_, i, j)| f64::from(i == j)),
    };
    let fit = |start: Traced, points: Var| {
        let cost = |mixture: Traced| -mixture.log_densities(points).logsumexp(&[0]).mean();
        Minimize::new().lbfgs(10).tolerance(1e-7, 0.0).solve(cost, start)
    };
    jit(fit).call(&start, points)
}

/// One normal distribution has the mean and the covariance of the points.
fn check_one(one: &Host, points: &Array2<f64>) {
    let n = points.nrows() as f64;
    let mean = points.sum_axis(Axis(0)) / n;
    let off = points - &mean;
    demand("the mean", one.means.row(0).iter(), mean.iter());
    let root = one.roots.index_axis(Axis(0), 0);
    demand("the covariance", root.t().dot(&root).iter(), (off.t().dot(&off) / n).iter());
}

fn check_expectation(mixture: &Host, points: &Array2<f64>) -> Result<(), Box<dyn Error>> {
    let shares: Array2<f64> = jit(|m: Traced, points: Var| m.log_densities(points).softmax(0)).call(mixture, points)?;
    let covariances: Array3<f64> = jit(|m: Traced| m.covariances()).call(mixture)?;
    let weights: Array1<f64> = jit(|m: Traced| m.weights.softmax(0)).call(mixture)?;
    for (k, shares) in shares.outer_iter().enumerate() {
        let n = shares.sum();
        let mean = shares.dot(points) / n;
        let off = points - &mean;
        let covariance = off.t().dot(&(&off * &shares.insert_axis(Axis(1)))) / n;
        demand("a weight", [weights[k]].iter(), [n / points.nrows() as f64].iter());
        demand("a mean", mixture.means.row(k).iter(), mean.iter());
        demand("a covariance", covariances.index_axis(Axis(0), k).iter(), covariance.iter());
    }
    println!("a step of expectation and maximization changes nothing");
    Ok(())
}

/// Each component holds the points of one arm.
fn check_arms(mixture: &Host, points: &Array2<f64>) -> Result<(), Box<dyn Error>> {
    let likeliest: Array1<i64> =
        jit(|m: Traced, points: Var| m.log_densities(points).argmax(0)).call(mixture, points)?;
    let mut n_right = 0;
    for arm in 0..N_ARMS {
        let own = likeliest.slice(s![arm * N..(arm + 1) * N]);
        let counts = (0..N_ARMS as i64).map(|k| own.iter().filter(|&&likeliest| likeliest == k).count());
        n_right += counts.max().unwrap_or(0);
    }
    println!("{n_right} of {} held-out points are in the component of their arm", N_ARMS * N);
    assert!(n_right * 10 >= 9 * N_ARMS * N, "the components are no arms");
    Ok(())
}

fn drawing(mixture: &Host, points: &Array2<f64>) -> String {
    let rows = points.outer_iter().map(|row| (row[0], row[1])).collect();
    let mut layers = vec![Layer::Dots(Curve { label: "points".to_string(), points: rows })];
    for (k, (mean, root)) in mixture.means.outer_iter().zip(mixture.roots.outer_iter()).enumerate() {
        let at = |step: i32| {
            let angle = TAU * f64::from(step) / 100.0;
            let point = &mean + &(2.0 * ndarray::arr1(&[angle.cos(), angle.sin()]).dot(&root));
            (point[0], point[1])
        };
        let label = format!("component {}, two deviations", k + 1);
        layers.push(Layer::Line(Curve { label, points: (0..=100).map(at).collect() }));
    }
    draw("A mixture of normal distributions", &layers)
}

/// Requires numbers to be near others.
fn demand<'x>(what: &str, got: impl Iterator<Item = &'x f64>, expected: impl Iterator<Item = &'x f64>) {
    for (got, expected) in got.zip(expected) {
        assert!((got - expected).abs() < 1e-5, "{what} is {got}, not {expected}");
    }
}
