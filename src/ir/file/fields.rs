//! Reading objects of a document one key at a time, with a finding for each error.

use std::borrow::Cow;
use std::fmt;

use crate::error::closest;
use crate::ir::verify::Findings;
use crate::value::json::Json;
use crate::value::{DType, Type};

/// A location in a document.
#[derive(Clone, Copy)]
pub(super) enum Place<'t> {
    /// The document itself.
    Document,
    /// An entry of the table of constants.
    Constant(&'t str),
    /// A graph.
    Graph(&'t str),
    /// An element of a list of a graph: `loss.inputs[2]`.
    Item(&'t str, &'static str, usize),
    /// A node of a graph, by its id: `loss.n5`.
    Node(&'t str, &'t str),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Document => f.write_str("document"),
            Place::Constant(name) => write!(f, "constants.{name}"),
            Place::Graph(graph) => f.write_str(graph),
            Place::Item(graph, list, position) => write!(f, "{graph}.{list}[{position}]"),
            Place::Node(graph, id) => write!(f, "{graph}.{id}"),
        }
    }
}

/// The values of the known keys, and the other keys with their values.
pub(super) struct Fields<'t, const N: usize> {
    /// By the position of the key among the known ones.
    pub known: [Option<&'t Json<'t>>; N],
    /// In the order of the document.
    pub rest: Vec<(&'t str, &'t Json<'t>)>,
}

/// A hint with the most similar known name.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(name, known.into_iter()).map(|meant| format!("did you mean \"{meant}\"?"))
}

impl Findings {
    /// Adds a finding.
    pub(super) fn at(&mut self, place: Place<'_>, message: impl Into<String>) {
        self.add(place.to_string(), message);
    }

    /// The fields of an object that may have other keys than the known ones.
    pub(super) fn fields<'t, const N: usize>(
        &mut self,
        place: Place<'_>,
        json: &'t Json<'t>,
        keys: [&str; N],
    ) -> Option<Fields<'t, N>> {
        let Some(object) = json.as_object() else {
            self.at(place, format!("takes an object, but got {}", json.describe()));
            return None;
        };
        let mut fields = Fields { known: [None; N], rest: Vec::new() };
        for (key, value) in object {
            let Some(position) = keys.iter().position(|known| known == key) else {
                fields.rest.push((key, value));
                continue;
            };
            if fields.known[position].replace(value).is_some() {
                self.at(place, format!("the key \"{key}\" is given twice"));
            }
        }
        Some(fields)
    }

    /// The fields of an object that may have only the known keys; others are findings.
    pub(super) fn all_fields<'t, const N: usize>(
        &mut self,
        place: Place<'_>,
        json: &'t Json<'t>,
        keys: [&str; N],
    ) -> Option<[Option<&'t Json<'t>>; N]> {
        let fields = self.fields(place, json, keys)?;
        for (key, _) in fields.rest {
            self.add_with_hint(place.to_string(), format!("unknown key \"{key}\""), || did_you_mean(key, keys));
        }
        Some(fields.known)
    }

    /// The value of a required key.
    pub(super) fn required<'t>(
        &mut self,
        place: Place<'_>,
        key: &str,
        value: Option<&'t Json<'t>>,
    ) -> Option<&'t Json<'t>> {
        if value.is_none() {
            self.at(place, format!("the key \"{key}\" is missing"));
        }
        value
    }

    /// A required string.
    pub(super) fn text<'t>(&mut self, place: Place<'_>, key: &str, value: Option<&'t Json<'t>>) -> Option<&'t str> {
        let value = self.required(place, key, value)?;
        if value.as_text().is_none() {
            self.takes(place, key, "a string", value);
        }
        value.as_text()
    }

    /// A required string that is not empty.
    pub(super) fn name<'t>(&mut self, place: Place<'_>, key: &str, value: Option<&'t Json<'t>>) -> Option<&'t str> {
        let name = self.text(place, key, value)?;
        if name.is_empty() {
            self.at(place, format!("\"{key}\" is empty"));
        }
        Some(name)
    }

    /// A required list.
    pub(super) fn list<'t>(
        &mut self,
        place: Place<'_>,
        key: &str,
        value: Option<&'t Json<'t>>,
    ) -> Option<&'t [Json<'t>]> {
        let value = self.required(place, key, value)?;
        if value.as_list().is_none() {
            self.takes(place, key, "a list", value);
        }
        value.as_list()
    }

    /// A required list of strings.
    pub(super) fn texts<'t>(
        &mut self,
        place: Place<'_>,
        key: &str,
        value: Option<&'t Json<'t>>,
    ) -> Option<Vec<&'t str>> {
        let list = self.list(place, key, value)?;
        list.iter()
            .map(|element| {
                if element.as_text().is_none() {
                    self.takes(place, key, "strings", element);
                }
                element.as_text()
            })
            .collect()
    }

    /// A required object.
    pub(super) fn object<'t>(
        &mut self,
        place: Place<'_>,
        key: &str,
        value: Option<&'t Json<'t>>,
    ) -> Option<&'t [(Cow<'t, str>, Json<'t>)]> {
        let value = self.required(place, key, value)?;
        if value.as_object().is_none() {
            self.takes(place, key, "an object", value);
        }
        value.as_object()
    }

    /// Parses a type.
    pub(super) fn ty(&mut self, place: Place<'_>, text: &str) -> Option<Type> {
        let ty = Type::parse(text);
        if ty.is_none() {
            let (dtype, extents) = text.split_once('[').unwrap_or((text, ""));
            let is_digits = |extent: &str| !extent.is_empty() && extent.bytes().all(|b| b.is_ascii_digit());
            let hint = || match DType::from_name(dtype) {
                Some(_) if extents.trim_end_matches(']').split(',').all(is_digits) => {
                    Some("an extent has 64 bits and no leading zeros".into())
                }
                Some(_) => Some(format!("types are written {dtype}[] or {dtype}[2,3]")),
                None => did_you_mean(dtype, DType::ALL.map(DType::name)),
            };
            self.add_with_hint(place.to_string(), format!("\"{text}\" is not a type"), hint);
        }
        ty
    }

    /// Adds the finding that the value of a key is not of the required kind.
    pub(super) fn takes(&mut self, place: Place<'_>, key: &str, what: &str, got: &Json<'_>) {
        self.at(place, format!("\"{key}\" takes {what}, but got {}", got.describe()));
    }
}
