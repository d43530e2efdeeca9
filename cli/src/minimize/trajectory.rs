use retrograd::value::Scalar;

use super::objective::{Objective, Point};
use crate::numbers::csv_field;
use crate::plot::{Line, Plot, svg};

/// Where the iterations of a run led.
#[derive(Default)]
pub struct Trajectory(Vec<Step>);

struct Step {
    iteration: u64,
    value: f64,
    gradient_norm: f64,
    x: Vec<f64>,
}

/// How many points a line of a plot has at most.
const MAX_POINTS: usize = 2_000;

/// How many points the grid for contours has along each axis, and how many contours there are.
const GRID: usize = 160;
const N_LEVELS: u32 = 14;

impl Trajectory {
    /// Appends where an iteration led.
    pub fn push(&mut self, iteration: u64, point: &Point) {
        let gradient_norm = point.gradient_norm();
        self.0.push(Step { iteration, value: point.value, gradient_norm, x: point.x.clone() });
    }

    /// A line for each iteration: its number, the value, the norm of the gradient, and the unknowns.
    pub fn csv(&self, objective: &Objective) -> Vec<u8> {
        let number = |x: f64| csv_field(Scalar::F64(x));
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = ["iteration", "value", "gradient_norm"].map(String::from);
        let mut write = |record: Vec<String>| writer.write_record(record).expect("bug: memory that cannot be written");
        write(header.into_iter().chain(objective.element_names()).collect());
        for Step { iteration, value, gradient_norm, x } in &self.0 {
            let numbers = [*value, *gradient_norm].into_iter().chain(x.iter().copied()).map(number);
            write([iteration.to_string()].into_iter().chain(numbers).collect());
        }
        writer.into_inner().expect("bug: memory that cannot be written")
    }

    /// A plot of the value over the iterations and, for two unknown numbers, one of the path on contours.
    pub fn svg(&self, objective: &Objective) -> String {
        let mut plots = vec![self.values(objective)];
        if let [x, y] = &objective.element_names()[..] {
            plots.push(self.path(objective, x, y));
        }
        svg(&plots)
    }

    fn values(&self, objective: &Objective) -> Plot {
        let lowest = self.0.iter().fold(f64::INFINITY, |lowest, step| lowest.min(step.value));
        let name = objective.name();
        // A logarithm takes positive numbers only.
        let (shift, y_label) =
            if lowest > 0.0 { (0.0, name.to_string()) } else { (lowest, format!("{name} above its lowest")) };
        let points = self.thinned().map(|step| [step.iteration as f64, step.value - shift]).collect();
        Plot {
            title: format!("{name} by iteration"),
            x_label: "iteration".to_string(),
            y_label,
            log_y: true,
            lines: vec![line(points, "#1f5fa8", 1.5)],
        }
    }

    fn path(&self, objective: &Objective, x: &str, y: &str) -> Plot {
        let path: Vec<[f64; 2]> = self.thinned().map(|step| [step.x[0], step.x[1]]).collect();
        let sides = [0, 1].map(|axis| side(path.iter().map(|point| point[axis])));
        let field: Vec<Vec<f64>> =
            sides[1].iter().map(|&y| sides[0].iter().map(|&x| objective.value(&[x, y])).collect()).collect();
        let mut lines: Vec<Line> =
            levels(&field).into_iter().map(|level| line(contour(&field, &sides, level), "#b8b8b8", 0.8)).collect();
        lines.push(line(path, "#c03028", 1.5));
        Plot {
            title: format!("the path on contours of {}", objective.name()),
            x_label: x.to_string(),
            y_label: y.to_string(),
            log_y: false,
            lines,
        }
    }

    /// Every so many-th step, and the last.
    fn thinned(&self) -> impl Iterator<Item = &Step> {
        let stride = self.0.len().div_ceil(MAX_POINTS).max(1);
        let last = self.0.len().saturating_sub(1);
        self.0.iter().enumerate().filter(move |(place, _)| place % stride == 0 || *place == last).map(|(_, step)| step)
    }
}

fn line(points: Vec<[f64; 2]>, color: &str, width: f64) -> Line {
    Line { label: String::new(), points, color: color.to_string(), width }
}

/// The grid along one axis: where the path lies, and a quarter more on both ends.
fn side(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let (low, high) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let room = if high > low { 0.25 * (high - low) } else { 1.0 };
    let step = (high - low + 2.0 * room) / (GRID - 1) as f64;
    (0..GRID).map(|k| low - room + step * k as f64).collect()
}

/// Values that lie close together near the lowest, where the path goes.
fn levels(field: &[Vec<f64>]) -> Vec<f64> {
    let finite = field.iter().flatten().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    (1..=N_LEVELS).map(|k| low + (high - low) * (f64::from(k) / f64::from(N_LEVELS + 1)).powi(6)).collect()
}

/// The line where the field has that value, by marching squares: a piece for each pair of sides that it crosses.
fn contour(field: &[Vec<f64>], sides: &[Vec<f64>; 2], level: f64) -> Vec<[f64; 2]> {
    let mut points = Vec::new();
    for row in 1..field.len() {
        for column in 1..field[row].len() {
            let corner = |down: usize, left: usize| {
                let (row, column) = (row - down, column - left);
                ([sides[0][column], sides[1][row]], field[row][column])
            };
            let corners = [corner(1, 1), corner(1, 0), corner(0, 0), corner(0, 1)];
            if corners.iter().any(|(_, value)| !value.is_finite()) {
                continue;
            }
            let crossings = (0..4).filter_map(|k| crossing(corners[k], corners[(k + 1) % 4], level));
            let crossings: Vec<[f64; 2]> = crossings.collect();
            for pair in crossings.chunks_exact(2) {
                points.extend([pair[0], pair[1], [f64::NAN; 2]]);
            }
        }
    }
    points
}

/// Where the level lies between two corners, if it does.
fn crossing((a, at_a): ([f64; 2], f64), (b, at_b): ([f64; 2], f64), level: f64) -> Option<[f64; 2]> {
    if (at_a < level) == (at_b < level) {
        return None;
    }
    let t = (level - at_a) / (at_b - at_a);
    Some([0, 1].map(|axis| a[axis] + t * (b[axis] - a[axis])))
}
