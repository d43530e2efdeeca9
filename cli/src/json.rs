use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use retrograd::Error;
use retrograd::error::LimitError;
use retrograd::value::json::Json;
use serde_json::{Value, json};

use crate::output::messages;

/// A JSON value as text of many lines, keys in the order in which they were given.
pub fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("bug: a JSON value that cannot be written");
    let mut escaped = String::with_capacity(text.len() + 1);
    // JSON allows these control characters in strings, but terminals obey them.
    for c in text.chars() {
        if c.is_control() && c != '\n' { escaped.push_str(&format!("\\u{:04x}", c as u32)) } else { escaped.push(c) }
    }
    escaped + "\n"
}

/// A number; "nan", "inf" and "-inf" are strings, as in files.
pub fn number(x: f64) -> Value {
    serde_json::Number::from_f64(x).map_or_else(|| json!(format!("{x}").to_lowercase()), Value::Number)
}

/// What a verb prints with `--json` if it fails: each error with the file that it is about.
pub fn errors(errors: &[(&Path, &Error)]) -> Value {
    let errors = errors.iter().flat_map(|(file, error)| {
        messages(error).into_iter().map(|message| json!({"file": file.display().to_string(), "message": message}))
    });
    json!({"errors": errors.collect::<Vec<_>>()})
}

/// Everything that is wrong with a file whose text is this, with the lines of the file; what is not known is null.
pub fn findings(error: &Error, text: Option<&str>) -> Vec<Value> {
    let json = text.and_then(|text| Json::parse(text).ok());
    let places = text.zip(json.as_ref()).map(|(text, json)| Places::of(text, json)).unwrap_or_default();
    let finding = |place: Option<&str>, message: &str, hint: Option<&str>| {
        let known = place.and_then(|place| places.0.get(place));
        let line = known.map(|known| known.line).or_else(|| line_of_syntax(place?));
        let node = known.and_then(|known| known.node);
        json!({"place": place, "node": node, "message": message, "hint": hint, "line": line})
    };
    match error {
        Error::Verify(error) => {
            let findings = error.findings.iter();
            findings.map(|x| finding(Some(&x.place), &x.message, x.hint.as_deref())).collect()
        }
        Error::Limit(limit) => {
            let bare = Error::from(LimitError { place: None, ..limit.clone() });
            messages(&bare).iter().map(|message| finding(limit.place.as_deref(), message, None)).collect()
        }
        error => messages(error).iter().map(|message| finding(None, message, None)).collect(),
    }
}

/// `line 3 column 7`
fn line_of_syntax(place: &str) -> Option<usize> {
    place.strip_prefix("line ")?.split(' ').next()?.parse().ok()
}

/// The places of a document by the names that findings give them.
#[derive(Default)]
struct Places<'t>(HashMap<String, Known<'t>>);

/// Where a place of a document is.
struct Known<'t> {
    /// The id, if it is an input or a node.
    node: Option<&'t str>,
    line: usize,
}

impl<'t> Places<'t> {
    fn of(text: &'t str, json: &'t Json<'t>) -> Places<'t> {
        let mut places = Places::default();
        let lines = Lines::of(text);
        for (name, _) in table(json, "constants") {
            places.insert(format!("constants.{name}"), None, lines.of_slice(name));
        }
        for (graph, body) in table(json, "graphs") {
            places.insert(graph.to_string(), None, lines.of_slice(graph));
            for (list, items) in entries(body) {
                for (position, item) in items.as_list().unwrap_or_default().iter().enumerate() {
                    // An object has no address in the text, but its first key does.
                    let line = entries(item).first().and_then(|(key, _)| lines.of_slice(key));
                    places.insert(format!("{graph}.{list}[{position}]"), None, line);
                    let id = entries(item).iter().find(|(key, _)| key == "id").and_then(|(_, id)| id.as_text());
                    if let Some(id) = id.filter(|_| list == "inputs" || list == "nodes") {
                        places.insert(format!("{graph}.{id}"), Some(id), line);
                    }
                }
            }
        }
        places
    }

    /// Notes a place; of several with one name the first counts.
    fn insert(&mut self, place: String, node: Option<&'t str>, line: Option<usize>) {
        if let Some(line) = line {
            self.0.entry(place).or_insert(Known { node, line });
        }
    }
}

fn entries<'t>(json: &'t Json<'t>) -> &'t [(Cow<'t, str>, Json<'t>)] {
    json.as_object().unwrap_or_default()
}

/// The entries of the object that a key of another one has.
fn table<'t>(json: &'t Json<'t>, key: &str) -> &'t [(Cow<'t, str>, Json<'t>)] {
    entries(json).iter().find(|(known, _)| known == key).map(|(_, table)| entries(table)).unwrap_or_default()
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Lines<'t> {
        let starts = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, starts }
    }

    /// The line, from 1 on, of a part of the text; `None` for a copy of one, as of a key with escapes.
    fn of_slice(&self, part: &str) -> Option<usize> {
        let offset = (part.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        (offset < self.text.len()).then(|| self.starts.partition_point(|&start| start <= offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_lacks_are_strings() {
        let text = |x| number(x).to_string();
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(text), ["\"nan\"", "\"inf\"", "\"-inf\""]);
        for x in [0.0, -0.0, 1e-300, f64::MAX, 5e-324, 1.0 / 3.0] {
            assert_eq!(text(x).parse::<f64>().unwrap().to_bits(), f64::to_bits(x));
        }
    }
}
