use anstyle::{AnsiColor, Style};

const OPERATION: Style = AnsiColor::Cyan.on_default();
const TYPE: Style = AnsiColor::Green.on_default();
const SOURCE: Style = AnsiColor::BrightBlack.on_default();
const GUARD: Style = AnsiColor::Yellow.on_default();
const TITLE: Style = Style::new().bold();

/// A listing or a plan with colors for terminals. Without them it is the same text.
///
/// Names can be anything, so that one which looks like a part of a listing may get a color, too.
pub fn listing(text: &str) -> String {
    let mut painted = String::with_capacity(2 * text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        paint_line(line, &mut painted);
        painted.push_str(end);
    }
    painted
}

fn paint_line(line: &str, painted: &mut String) {
    let start = line.trim_start();
    let (code, note) = line.split_at(line.find("  # ").unwrap_or(line.len()));
    if start.starts_with("# ") || start.starts_with("kernel ") {
        paint(TITLE, line, painted);
        return;
    } else if start.starts_with("guard ") {
        paint(GUARD, code, painted);
    } else if start.starts_with("return ") || start.ends_with(") {") {
        paint_types(code, painted);
    } else if let Some((results, application)) = code.split_once(" = ") {
        paint_types(results, painted);
        painted.push_str(" = ");
        let (op, operands) = application.split_at(application.find(' ').unwrap_or(application.len()));
        paint(OPERATION, op, painted);
        painted.push_str(operands);
    } else {
        painted.push_str(code);
    }
    paint(SOURCE, note, painted);
}

/// Paints the types in a list of `name: type`, each up to the next comma, parenthesis or space.
fn paint_types(list: &str, painted: &mut String) {
    let mut parts = list.split(": ");
    painted.push_str(parts.next().unwrap_or_default());
    for part in parts {
        painted.push_str(": ");
        let end = part.find(']').map_or(0, |at| at + 1);
        paint(TYPE, &part[..end], painted);
        painted.push_str(&part[end..]);
    }
}

fn paint(style: Style, text: &str, painted: &mut String) {
    if !text.is_empty() {
        painted.push_str(&format!("{style}{text}{style:#}"));
    }
}
