/// How long something takes, in seconds.
pub struct Time {
    /// What it is.
    pub what: &'static str,
    /// The shortest.
    pub min: f64,
    /// The median.
    pub median: f64,
}

/// The shortest and the median of some times, at least one.
pub fn time(what: &'static str, mut samples: Vec<f64>) -> Time {
    samples.sort_by(f64::total_cmp);
    Time { what, min: samples[0], median: samples[samples.len() / 2] }
}

/// `12.3 µs`
pub fn human(seconds: f64) -> String {
    let (unit, name) = match seconds {
        s if s < 1e-6 => (1e9, "ns"),
        s if s < 1e-3 => (1e6, "µs"),
        s if s < 1.0 => (1e3, "ms"),
        _ => (1.0, "s"),
    };
    let x = seconds * unit;
    let digits = if x < 10.0 {
        2
    } else if x < 100.0 {
        1
    } else {
        0
    };
    format!("{x:.digits$} {name}")
}
