//! Hares and lynxes: fits the four parameters of the Lotka–Volterra equations to the pelts that the Hudson's Bay Company
//! took in twenty years. The gradient goes back through a thousand steps of Runge's and Kutta's method, as one loop.
//!
//! `cargo run --release --example lotka_volterra`

#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::Parser;
use ndarray::{Array1, Array2, array};
use retrograd::value::DType;
use retrograd::{Var, jit, scan, value_and_grad};
use target::target;

/// Fits the Lotka–Volterra equations to hares and lynxes, and draws the fit.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "DIR", default_value_os_t = target("lotka_volterra"))]
    out: PathBuf,
}

const N_STEPS: usize = 1000;
const STEPS_PER_YEAR: usize = 50;

/// u' = a u - b u v, v' = c u v - d v: hares are born and eaten, lynxes eat and die. The parameters are given by their
/// logarithms, so that they stay positive. Returns both populations after each step.
fn populations(logs: Var, start: (Var, Var)) -> (Var, Var) {
    let parameters = logs.exp();
    let [a, b, c, d] = [0, 1, 2, 3].map(|k| parameters.index(k));
    let slope = |(u, v): (Var, Var)| (u * (a - b * v), v * (c * u - d));
    let h = 1.0 / STEPS_PER_YEAR as f64;
    let ahead = |(u, v): (Var, Var), h: f64, (du, dv): (Var, Var)| (u + h * du, v + h * dv);
    let step = |x: (Var, Var), _: Var| {
        let k1 = slope(x);
        let k2 = slope(ahead(x, 0.5 * h, k1));
        let k3 = slope(ahead(x, 0.5 * h, k2));
        let k4 = slope(ahead(x, h, k3));
        let mean = |k1: Var, k2: Var, k3: Var, k4: Var| (k1 + 2.0 * (k2 + k3) + k4) / 6.0;
        let next = ahead(x, h, (mean(k1.0, k2.0, k3.0, k4.0), mean(k1.1, k2.1, k3.1, k4.1)));
        (next, next)
    };
    scan(start, Var::iota(&[N_STEPS], 0, DType::F64), step).1
}

/// The mean square of the differences of logarithms, over all years but the first, which is where the model starts.
fn loss(logs: Var, hares: Var, lynxes: Var) -> Var {
    let (u, v) = populations(logs, (hares.index(0), lynxes.index(0)));
    let off = |model: Var, data: Var| {
        let years = model.slice_axis(0, STEPS_PER_YEAR - 1, N_STEPS, STEPS_PER_YEAR);
        (years.ln() - data.slice_axis(0, 1, data.shape()[0], 1).ln()).square().mean()
    };
    0.5 * (off(u, hares) + off(v, lynxes))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let data = load_data()?;
    let (hares, lynxes) = (data.column(1).to_owned(), data.column(2).to_owned());

    let compiled = jit(value_and_grad(loss));
    let f =
        |logs: &Array1<f64>| -> Result<(f64, Array1<f64>), retrograd::Error> { compiled.call(logs, &hares, &lynxes) };
    let start = array![0.5f64, 0.02, 0.02, 0.7].mapv(f64::ln);
    println!("{} years, {N_STEPS} steps of Runge's and Kutta's method", data.nrows());
    let off = largest_difference(&start, &f)?;
    println!("gradient against differences  {}", if off < 1e-7 { "equal to 1e-7" } else { "off" });
    assert!(off < 1e-7, "the gradient is off by {off:e}");

    let (before, _) = f(&start)?;
    let fit = minimize(start, &f)?;
    let (after, slope) = f(&fit)?;
    println!("loss before the fit  {before:.6}");
    println!("loss after the fit   {after:.6}");
    for (name, x) in ["a", "b", "c", "d"].iter().zip(fit.mapv(f64::exp)) {
        println!("  {name} = {x:.4}");
    }
    assert!(slope.iter().all(|x| x.abs() < 1e-6), "the fit is no minimum: {slope}");
    assert!(after < 0.2 * before, "the fit is not much better than its beginning");

    let curves = jit(populations);
    let (u, v): (Array1<f64>, Array1<f64>) = curves.call(&fit, (hares[0], lynxes[0]))?;
    fs::create_dir_all(&args.out)?;
    let file = args.out.join("fit.svg");
    fs::write(&file, drawing(&data, &u, &v))?;
    println!("Drawn to {}", file.strip_prefix(env::current_dir()?).unwrap_or(&file).display());
    Ok(())
}

/// What is minimized: values and gradients.
type Outcome = Result<(f64, Array1<f64>), retrograd::Error>;

/// How far the gradient is from central differences, relative to its norm.
fn largest_difference(x: &Array1<f64>, f: &impl Fn(&Array1<f64>) -> Outcome) -> Result<f64, retrograd::Error> {
    let (_, slope) = f(x)?;
    let mut largest = 0.0f64;
    for k in 0..x.len() {
        let at = |h: f64| {
            let mut x = x.clone();
            x[k] += h;
            f(&x).map(|(value, _)| value)
        };
        let h = 1e-4;
        // Richardson's extrapolation of two central differences.
        let [wide, narrow] = [(at(h)? - at(-h)?) / (2.0 * h), (at(h / 2.0)? - at(-h / 2.0)?) / h];
        largest = largest.max(((4.0 * narrow - wide) / 3.0 - slope[k]).abs());
    }
    Ok(largest / slope.dot(&slope).sqrt())
}

/// The method of Broyden, Fletcher, Goldfarb and Shanno, with Armijo's rule for the length of steps.
fn minimize(mut x: Array1<f64>, f: &impl Fn(&Array1<f64>) -> Outcome) -> Result<Array1<f64>, retrograd::Error> {
    let (mut value, mut slope) = f(&x)?;
    let mut inverse = Array2::<f64>::eye(x.len());
    for _ in 0..200 {
        if slope.iter().all(|x| x.abs() < 1e-9) {
            break;
        }
        let direction = -inverse.dot(&slope);
        // No step changes a parameter by more than half of it.
        let mut length = (0.5 / direction.iter().fold(0.0f64, |most, x| most.max(x.abs()))).min(1.0);
        let descent = slope.dot(&direction);
        let (next, (next_value, next_slope)) = loop {
            let next = &x + &(length * &direction);
            let outcome = f(&next)?;
            if outcome.0 <= value + 1e-4 * length * descent || length < 1e-12 {
                break (next, outcome);
            }
            length /= 2.0;
        };
        let (step, change) = (&next - &x, &next_slope - &slope);
        let curvature = step.dot(&change);
        if curvature > 1e-12 {
            let product = inverse.dot(&change);
            let scale = (1.0 + change.dot(&product) / curvature) / curvature;
            for ((i, j), entry) in inverse.indexed_iter_mut() {
                *entry += scale * step[i] * step[j] - (product[i] * step[j] + step[i] * product[j]) / curvature;
            }
        }
        (x, value, slope) = (next, next_value, next_slope);
    }
    Ok(x)
}

/// Years, hares and lynxes, in thousands of pelts.
fn load_data() -> Result<Array2<f64>, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/hare_lynx.csv");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let numbers = text.lines().skip(1).flat_map(|line| line.split(',')).map(str::parse);
    let numbers = numbers.collect::<Result<Vec<f64>, _>>()?;
    Ok(Array2::from_shape_vec((numbers.len() / 3, 3), numbers)?)
}

// The drawing

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
const MARGIN: f64 = 45.0;

/// The data as dots, and the model as lines.
fn drawing(data: &Array2<f64>, u: &Array1<f64>, v: &Array1<f64>) -> String {
    let (first, n_years) = (data[[0, 0]], (data.nrows() - 1) as f64);
    let most = data.columns().into_iter().skip(1).flatten().chain(u).chain(v).fold(0.0f64, |most, &x| most.max(x));
    let place = |years: f64, pelts: f64| {
        let x = MARGIN + years / n_years * (WIDTH - 2.0 * MARGIN);
        (x, HEIGHT - MARGIN - pelts / most * (HEIGHT - 2.0 * MARGIN))
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let ((left, bottom), (right, _)) = (place(0.0, 0.0), place(n_years, 0.0));
    let _ = writeln!(svg, "<path d=\"M{left} {MARGIN}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>");
    for years in (0..=n_years as usize).step_by(5) {
        let (x, y) = place(years as f64, 0.0);
        let _ =
            writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>", y + 18.0, first + years as f64);
    }
    for pelts in (0..=most as usize).step_by(20) {
        let (x, y) = place(0.0, pelts as f64);
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{pelts}</text>", x - 8.0, y + 4.0);
    }
    let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{}\">thousands of pelts</text>", MARGIN - 20.0);
    for (column, curve, color, name) in [(1, u, "#1f77b4", "hares"), (2, v, "#d62728", "lynxes")] {
        let mut line = String::new();
        for (k, &pelts) in curve.iter().enumerate() {
            let (x, y) = place((k + 1) as f64 / STEPS_PER_YEAR as f64, pelts);
            let _ = write!(line, "{x:.1},{y:.1} ");
        }
        let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\"/>", line.trim_end());
        for row in data.rows() {
            let (x, y) = place(row[0] - first, row[column]);
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
        }
        let y = MARGIN - 20.0 + 16.0 * (column as f64 - 1.0);
        let _ = writeln!(svg, "<text x=\"{right}\" y=\"{y}\" fill=\"{color}\" text-anchor=\"end\">{name}</text>");
    }
    svg + "</svg>\n"
}
