use std::fmt::Write as _;

/// A plot of lines over two axes.
pub struct Plot {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    /// Whether the vertical axis is logarithmic; what is not positive is then left out.
    pub log_y: bool,
    pub lines: Vec<Line>,
}

/// A line through points; where one of them is NaN, the pen is lifted.
pub struct Line {
    /// What the legend says; empty for none.
    pub label: String,
    pub points: Vec<[f64; 2]>,
    /// Any color of SVG.
    pub color: String,
    pub width: f64,
}

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 32.0;
const BOTTOM: f64 = 48.0;

/// The plots side by side, as the text of an SVG file.
pub fn svg(plots: &[Plot]) -> String {
    let width = WIDTH * plots.len() as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" \
         height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for (place, plot) in plots.iter().enumerate() {
        let _ = writeln!(text, "<g transform=\"translate({} 0)\">", WIDTH * place as f64);
        draw(plot, &mut text);
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

fn draw(plot: &Plot, text: &mut String) {
    let shown = |&[x, y]: &[f64; 2]| x.is_finite() && y.is_finite() && (!plot.log_y || y > 0.0);
    let points = || plot.lines.iter().flat_map(|line| &line.points).filter(|point| shown(point));
    let x_axis = Axis::new(points().map(|point| point[0]), false, (LEFT, WIDTH - RIGHT));
    let y_axis = Axis::new(points().map(|point| point[1]), plot.log_y, (HEIGHT - BOTTOM, TOP));
    draw_frame(plot, &x_axis, &y_axis, text);
    for line in &plot.lines {
        let mut path = String::new();
        let mut is_down = false;
        for point in &line.points {
            if shown(point) {
                let command = if is_down { 'L' } else { 'M' };
                let _ = write!(path, "{command}{:.2} {:.2}", x_axis.place(point[0]), y_axis.place(point[1]));
            }
            is_down = shown(point);
        }
        if !path.is_empty() {
            let Line { color, width, .. } = line;
            let color = escape(color);
            let _ = writeln!(
                text,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"/>"
            );
        }
    }
    draw_legend(plot, text);
}

fn draw_frame(plot: &Plot, x_axis: &Axis, y_axis: &Axis, text: &mut String) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for (tick, label) in x_axis.ticks() {
        let x = x_axis.place(tick);
        let _ = writeln!(text, "<path d=\"M{x:.2} {TOP}V{bottom}\" stroke=\"#e4e4e4\"/>");
        let _ = writeln!(text, "<text x=\"{x:.2}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", bottom + 16.0);
    }
    for (tick, label) in y_axis.ticks() {
        let y = y_axis.place(tick);
        let _ = writeln!(text, "<path d=\"M{LEFT} {y:.2}H{right}\" stroke=\"#e4e4e4\"/>");
        let _ = writeln!(text, "<text x=\"{}\" y=\"{:.2}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, y + 4.0);
    }
    let _ = writeln!(text, "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>");
    let (middle_x, middle_y) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
    let mut label = |x: f64, y: f64, more: &str, words: &str| {
        let _ = writeln!(text, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\"{more}>{}</text>", escape(words));
    };
    label(middle_x, 20.0, " font-weight=\"bold\"", &plot.title);
    label(middle_x, HEIGHT - 10.0, "", &plot.x_label);
    label(16.0, middle_y, &format!(" transform=\"rotate(-90 16 {middle_y})\""), &plot.y_label);
}

fn draw_legend(plot: &Plot, text: &mut String) {
    for (row, line) in plot.lines.iter().filter(|line| !line.label.is_empty()).enumerate() {
        let (x, y) = (WIDTH - RIGHT - 8.0, TOP + 16.0 + 16.0 * row as f64);
        let (color, label) = (escape(&line.color), escape(&line.label));
        let _ = writeln!(text, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\" fill=\"{color}\">{label}</text>");
    }
}

/// A range of numbers, or of their logarithms, and where on the page it lies.
struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    page: (f64, f64),
}

impl Axis {
    fn new(numbers: impl Iterator<Item = f64>, is_log: bool, page: (f64, f64)) -> Axis {
        let scaled = numbers.map(|x| if is_log { x.log10() } else { x });
        let (low, high) = scaled.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        // A single number gets some room, too.
        let room = if high > low { 0.04 * (high - low) } else { 0.5 * low.abs().max(1.0) };
        Axis { low: low - room, high: high + room, is_log, page }
    }

    fn place(&self, x: f64) -> f64 {
        let x = if self.is_log { x.log10() } else { x };
        self.page.0 + (x - self.low) / (self.high - self.low) * (self.page.1 - self.page.0)
    }

    /// About five round numbers, and how they are written.
    fn ticks(&self) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / 5.0;
        let unit = 10f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * unit >= rough).map_or(rough, |step| step * unit);
        // Between powers of ten there are no round logarithms.
        let step = if self.is_log { step.ceil().max(1.0) } else { step };
        let digits = (-step.log10().floor()).max(0.0) as usize;
        let ticks = (0..20).map(|k| ((self.low / step).ceil() + f64::from(k)) * step).take_while(|&x| x <= self.high);
        let label = |x: f64| match self.is_log {
            true => (10f64.powf(x), format!("1e{x:.0}")),
            false if digits > 6 || x.abs() >= 1e6 => (x, format!("{x:.2e}")),
            // A zero of either sign is written without one.
            false => (x, format!("{:.digits$}", x + 0.0)),
        };
        ticks.map(label).collect()
    }
}

/// The text as XML has it, without what XML cannot have.
fn escape(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
