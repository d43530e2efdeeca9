//! Plots of lines, points and bands as SVG.

use std::fmt::Write as _;

/// A line through points, in the order in which they stand.
pub struct Curve {
    pub label: String,
    pub points: Vec<(f64, f64)>,
}

/// What stands over the axes.
pub enum Layer {
    Line(Curve),
    /// Points that nothing connects.
    Dots(Curve),
    /// What lies between two curves.
    Band(Curve, Vec<(f64, f64)>),
}

impl Layer {
    fn curve(&self) -> &Curve {
        match self {
            Layer::Line(curve) | Layer::Dots(curve) | Layer::Band(curve, _) => curve,
        }
    }

    /// All points that are drawn.
    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        let others: &[(f64, f64)] = match self {
            Layer::Band(_, others) => others,
            Layer::Line(_) | Layer::Dots(_) => &[],
        };
        self.curve().points.iter().chain(others).copied()
    }
}

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 500.0;
const MARGIN: f64 = 45.0;
/// Colors that people with color blindness can tell apart (Okabe and Ito).
const COLORS: [&str; 7] = ["#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7"];

/// The drawing of all curves over the same axes.
pub fn plot(title: &str, curves: &[Curve]) -> String {
    let line = |curve: &Curve| Layer::Line(Curve { label: curve.label.clone(), points: curve.points.clone() });
    draw(title, &curves.iter().map(line).collect::<Vec<_>>())
}

/// The drawing of all layers over the same axes, the first of them at the bottom.
pub fn draw(title: &str, layers: &[Layer]) -> String {
    let points = || layers.iter().flat_map(Layer::points);
    let (left, right) = range(points().map(|(x, _)| x));
    let (bottom, top) = range(points().map(|(_, y)| y));
    let across = |x: f64| MARGIN + (x - left) / (right - left) * (WIDTH - 2.0 * MARGIN);
    let down = |y: f64| HEIGHT - MARGIN - (y - bottom) / (top - bottom) * (HEIGHT - 2.0 * MARGIN);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    text(&mut svg, (WIDTH / 2.0, MARGIN / 2.0), "middle", title);
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let (x, y) = (left + part * (right - left), bottom + part * (top - bottom));
        line(&mut svg, (across(x), MARGIN), (across(x), HEIGHT - MARGIN));
        line(&mut svg, (MARGIN, down(y)), (WIDTH - MARGIN, down(y)));
        text(&mut svg, (across(x), HEIGHT - MARGIN / 2.0), "middle", &format!("{x:.3}"));
        text(&mut svg, (MARGIN - 6.0, down(y) + 4.0), "end", &format!("{y:.2}"));
    }
    for (layer, color) in layers.iter().zip(COLORS.into_iter().cycle()) {
        shape(&mut svg, layer, color, |(x, y)| (across(x), down(y)));
    }
    for (place, (layer, color)) in layers.iter().zip(COLORS.into_iter().cycle()).enumerate() {
        let y = MARGIN + 18.0 * (place as f64 + 1.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"4\" fill=\"{color}\"/>",
            MARGIN + 8.0,
            y - 6.0
        );
        text(&mut svg, (MARGIN + 28.0, y), "start", &layer.curve().label);
    }
    svg.push_str("</svg>\n");
    svg
}

fn shape(svg: &mut String, layer: &Layer, color: &str, place: impl Fn((f64, f64)) -> (f64, f64)) {
    let listed = |points: &mut dyn Iterator<Item = &(f64, f64)>| {
        points.fold(String::new(), |mut list, &point| {
            let (x, y) = place(point);
            let _ = write!(list, "{x:.2},{y:.2} ");
            list
        })
    };
    match layer {
        Layer::Line(curve) => {
            let points = listed(&mut curve.points.iter());
            let _ =
                writeln!(svg, "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.6\" points=\"{points}\"/>");
        }
        Layer::Dots(curve) => {
            for &point in &curve.points {
                let (x, y) = place(point);
                let _ = writeln!(svg, "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"3\" fill=\"{color}\"/>");
            }
        }
        Layer::Band(curve, others) => {
            let points = listed(&mut curve.points.iter().chain(others.iter().rev()));
            let _ = writeln!(svg, "<polygon fill=\"{color}\" fill-opacity=\"0.25\" points=\"{points}\"/>");
        }
    }
}

fn line(svg: &mut String, (x, y): (f64, f64), (to_x, to_y): (f64, f64)) {
    let _ = writeln!(svg, "<path d=\"M{x:.2} {y:.2}L{to_x:.2} {to_y:.2}\" stroke=\"#dddddd\"/>");
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\">{content}</text>");
}

/// The least and the largest, kept apart where they are equal.
fn range(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if low < high { (low, high) } else { (low - 1.0, low + 1.0) }
}
