//! Images of digits as points on a plane, from which Gaussian processes lead back to the images.
//!
//! `cargo run --release --example gplvm`
//!
//! Example of autograd's of the same name, on handwritten digits (Lawrence, *Probabilistic non-linear principal component
//! analysis with Gaussian process latent variable models*, 2005): each pixel is a function of the place on the plane, drawn
//! from one Gaussian process, and places and process are those of the highest probability, by L-BFGS from the principal
//! components. With a linear covariance the optimum is known in closed form, and is reached; with the other one, neighbors
//! on the plane show the same digit more often than among principal components.

#[path = "common/digits.rs"]
pub mod digits;
#[path = "common/process.rs"]
pub mod process;
#[path = "common/random.rs"]
pub mod random;
#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::f64::consts::TAU;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use digits::{N_PIXELS, load_data};
use ndarray::{Array2, ArrayView1, Axis};
use process::Process;
use random::Random;
use retrograd::transform::Minimize;
use retrograd::{Var, jit, linalg, numpy, value_and_grad};
use svg::{Curve, Layer, draw};
use target::target;

/// Lays images out on a plane, and draws it.
#[derive(Parser)]
struct Args {
    /// How many iterations there are at most.
    #[arg(long, default_value_t = 300)]
    iterations: u64,
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("gplvm.svg"))]
    out: PathBuf,
}

/// Which digits there are, and how many images of each.
const DIGITS: [usize; 4] = [1, 3, 5, 8];
const N_EACH: usize = 25;
const N: usize = DIGITS.len() * N_EACH;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let args = Args::parse();
    let (images, labels) = load_images()?;
    let components: Array2<f64> = jit(principal_components).call(&images)?;
    check_linear(&images)?;

    let start = Process { mean: 0.0, amplitude: -1.5, lengths: vec![0.0, 0.0], noise: -1.5 };
    check_gradient((&components, &start), &images)?;
    let n = args.iterations;
    let fit = move |start: Model, images: Var| {
        Minimize::new().lbfgs(10).tolerance(1e-3, 0.0).max_iterations(n).flagged(|model| cost(model, images), start).0
    };
    let (places, process): (Array2<f64>, Process<f64>) = jit(fit).call((&components, &start), &images)?;
    let cost = jit(cost);
    let [before, after]: [f64; 2] =
        [cost.call((&components, &start), &images)?, cost.call((&places, &process), &images)?];
    println!("log-probability before {:.1}, after {:.1}", -before, -after);
    let [by_components, by_places] = [neighbors(&components, &labels), neighbors(&places, &labels)];
    println!(
        "of {N} images the nearest one shows the same digit: {by_components} by principal components, {by_places} here"
    );
    assert!(by_places > by_components, "the plane is no better than that of principal components");
    fs::write(&args.out, drawing(&places, &labels))?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

/// Rows of pixels, without their mean, and what they show.
fn load_images() -> Result<(Array2<f64>, Vec<usize>), Box<dyn Error>> {
    let (data, _) = load_data(&mut Random(5))?;
    let labels = &data.labels;
    let of_digit = |digit: usize| (0..labels.len()).filter(move |&row| labels[row] == digit).take(N_EACH);
    let rows: Vec<usize> = DIGITS.into_iter().flat_map(of_digit).collect();
    let data = data.rows(&rows);
    let mean = data.images.mean_axis(Axis(0)).ok_or("no images")?;
    Ok((data.images - mean, data.labels))
}

/// The first two, each scaled to a variance of 1.
fn principal_components(images: Var) -> Var {
    let (u, _, _) = linalg::svd(images);
    u.slice(1, ..2) * (N as f64).sqrt()
}

/// Places, and the process of each pixel.
type Model = (Var, Process<Var>);

/// Minus the logarithm of the density of all pixels, given the covariance of their images.
fn cost_of_pixels(covariance: Var, images: Var) -> Var {
    let factor = linalg::cho_factor(covariance);
    let n_pixels = N_PIXELS as f64;
    0.5 * ((images * factor.solve(images)).sum() + n_pixels * (factor.logdet() + N as f64 * TAU.ln()))
}

/// With a standard normal distribution of places.
fn cost((places, process): Model, images: Var) -> Var {
    cost_of_pixels(process.observed(places), images) + 0.5 * places.square().sum()
}

/// Along a direction, the gradient against differences.
fn check_gradient((places, start): (&Array2<f64>, &Process<f64>), images: &Array2<f64>) -> Outcome {
    let random = &mut Random(8);
    let direction = Array2::from_shape_simple_fn((N, 2), || random.range(-1.0, 1.0));
    let slope = jit(value_and_grad(cost));
    let at = |h: f64| slope.call::<(f64, (Array2<f64>, Process<f64>))>((places + &(h * &direction), start), images);
    let along = (at(0.0)?.1.0 * &direction).sum();
    let (wide, narrow) = ((at(2e-3)?.0 - at(-2e-3)?.0) / 4e-3, (at(1e-3)?.0 - at(-1e-3)?.0) / 2e-3);
    let difference = (4.0 * narrow - wide) / 3.0;
    assert!((along - difference).abs() < 1e-7 * along.abs(), "a slope of {along}, by differences {difference}");
    Ok(())
}

/// With the covariance X Xᵀ + s² I, without a distribution of X, the best X has two eigenvectors of the images' covariance
/// Y Yᵀ/64, and s² is the mean of the other eigenvalues (Lawrence, section 2.2). The likelihood then is that of these.
fn check_linear(images: &Array2<f64>) -> Outcome {
    let cost = |(places, noise): (Var, Var), images: Var| {
        let covariance = places.dot(places.t()) + (2.0 * noise).exp() * numpy::identity(N);
        cost_of_pixels(covariance, images)
    };
    let fit = move |start: (Var, Var), images: Var| {
        let fitted = Minimize::new().lbfgs(20).tolerance(1e-3, 0.0).solve(|model| cost(model, images), start);
        cost(fitted, images)
    };
    let random = &mut Random(7);
    let start = Array2::from_shape_simple_fn((N, 2), || random.range(-0.1, 0.1));
    let reached: f64 = jit(fit).call((start, -1.0), images)?;

    let in_closed_form = |images: Var| {
        let values = linalg::eigvalsh(images.dot(images.t()) / N_PIXELS as f64);
        let noise = values.slice(0, ..N - 2).mean();
        let log_det = values.slice(0, N - 2..).ln().sum() + (N - 2) as f64 * noise.ln();
        0.5 * N_PIXELS as f64 * (log_det + N as f64 * (1.0 + TAU.ln()))
    };
    let exact: f64 = jit(in_closed_form).call(images)?;
    println!("linear: log-likelihood {:.6}, in closed form {:.6}", -reached, -exact);
    assert!((reached - exact).abs() < 1e-8 * exact.abs(), "the optimum is missed");
    Ok(())
}

/// How many have a nearest one with the same label.
fn neighbors(places: &Array2<f64>, labels: &[usize]) -> usize {
    let distance = |x: ArrayView1<f64>, y: ArrayView1<f64>| (&x - &y).mapv(|x| x * x).sum();
    let nearest = |row: usize| {
        let others = (0..N).filter(|&other| other != row);
        let to = |other: usize| distance(places.row(row), places.row(other));
        others.min_by(|&x, &y| to(x).total_cmp(&to(y))).expect("there are others")
    };
    (0..N).filter(|&row| labels[nearest(row)] == labels[row]).count()
}

fn drawing(places: &Array2<f64>, labels: &[usize]) -> String {
    let of_digit = |digit: usize| {
        let rows = places.outer_iter().zip(labels).filter(|&(_, &label)| label == digit);
        let points = rows.map(|(row, _)| (row[0], row[1])).collect();
        Layer::Dots(Curve { label: digit.to_string(), points })
    };
    draw("Images of digits on a plane", &DIGITS.map(of_digit))
}
