use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use retrograd::Error;
use retrograd::error::ArgumentError;
use retrograd::ir::write_atomically;
use retrograd::value::json::write_text;
use retrograd::value::{Array, Scalar, npy, npz};

use crate::complex::{join, to_json};
use crate::output::{one_line, write};

/// How numbers are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Npy,
    Npz,
    Csv,
}

impl Format {
    /// The format that the name of a file asks for: JSON without an extension, and for the standard output.
    ///
    /// # Errors
    /// If the extension is none of these.
    pub fn of(path: Option<&Path>) -> Result<Format, ArgumentError> {
        let Some(path) = path else { return Ok(Format::Json) };
        match path.extension().map(OsStr::as_encoded_bytes) {
            None | Some(b"json") => Ok(Format::Json),
            Some(b"npy") => Ok(Format::Npy),
            Some(b"npz") => Ok(Format::Npz),
            Some(b"csv") => Ok(Format::Csv),
            Some(_) => Err(cannot(path, "takes a file that ends in .json, .npz, .npy or .csv")),
        }
    }
}

/// Takes the name of a file for numbers, so that one that cannot be written is refused before anything is computed.
pub fn file_parser() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match Format::of(Some(&path)) {
        Ok(_) => Ok(path),
        Err(_) => Err("takes a file that ends in .json, .npz, .npy or .csv"),
    })
}

/// Writes arrays by name, in the format that the name of the file asks for.
///
/// # Errors
/// If the file cannot be written, or the arrays do not fit its format.
pub fn write_arrays(path: Option<&Path>, arrays: &[(&str, &Array)]) -> Result<(), Error> {
    match (path, Format::of(path)?) {
        (Some(path), Format::Npz) => {
            let joined = join(arrays, Array::ty);
            let named: Vec<(String, &&Array)> =
                joined.iter().flat_map(|(name, tree)| tree.named_leaves(name)).collect();
            let bytes = npz::write(named.iter().map(|(name, array)| (name.as_str(), **array)));
            write_atomically(path, &bytes.map_err(|error| cannot(path, error.to_string()))?)
        }
        (Some(path), Format::Npy) => match &join(arrays, Array::ty)[..] {
            [(_, only)] => {
                let bytes = match only.as_complex() {
                    Some([re, im]) => npy::write_complex(re, im).map_err(|error| cannot(path, error.to_string()))?,
                    None => only.leaves().iter().flat_map(|array| npy::write(array)).collect(),
                };
                write_atomically(path, &bytes)
            }
            [] => Err(cannot(path, "takes one array, but there is no output".to_string()).into()),
            several => {
                let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                Err(cannot(path, format!("takes one array, but there are {}; {ELSE}", names.join(", "))).into())
            }
        },
        (Some(path), Format::Csv) => write_atomically(path, &csv(path, arrays)?),
        (path, _) => write(path, &object(arrays)),
    }
}

/// What to do where arrays do not fit a format.
const ELSE: &str = "write .json or .npz instead, or choose with `run --only`";

/// Arrays by name as JSON, one a line; the parts of a complex one are an object.
pub fn object(arrays: &[(&str, &Array)]) -> String {
    let mut text = String::from("{");
    for (place, (name, value)) in join(arrays, Array::ty).iter().enumerate() {
        text.push_str(if place > 0 { ",\n " } else { "\n " });
        write_text(name, &mut text);
        let _ = write!(text, ": {}", to_json(value));
    }
    text.push_str("\n}\n");
    text
}

/// A number as CSV has it: as in JSON, but without quotes.
pub fn csv_field(x: Scalar) -> String {
    Array::from_scalar(x).to_json().replace('"', "")
}

/// An error about what is to be written to a file.
pub fn cannot(path: &Path, requirement: impl Into<String>) -> ArgumentError {
    ArgumentError::Value { name: path.display().to_string(), requirement: requirement.into() }
}

/// A column of a CSV file: every so many-th element of an array.
struct Column<'a> {
    header: String,
    array: &'a Array,
    first: usize,
    stride: usize,
}

/// A table with a row for each element of arrays of rank 1, whose columns are named as the arrays are; an array of rank 2
/// has a column for each of its own, `name.0`, `name.1`, and a scalar is a column of one row.
fn csv(path: &Path, arrays: &[(&str, &Array)]) -> Result<Vec<u8>, ArgumentError> {
    let n_rows = n_rows(path, arrays)?;
    let columns: Vec<Column<'_>> = arrays.iter().flat_map(|(name, array)| columns(name, array)).collect();
    let mut headers = HashSet::new();
    if let Some(column) = columns.iter().find(|column| !headers.insert(&column.header)) {
        let header = one_line(&column.header);
        return Err(cannot(path, format!("two columns would have the name {header}; {ELSE}")));
    }
    if arrays.is_empty() {
        return Err(cannot(path, "there is no output to write".to_string()));
    }
    if columns.is_empty() {
        return Err(cannot(path, format!("there is no column to write; {ELSE}")));
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |record: Vec<String>| writer.write_record(record).expect("bug: memory that cannot be written");
    write(columns.iter().map(|column| column.header.clone()).collect());
    for row in 0..n_rows {
        let at = |column: &Column<'_>| column.array.get(column.first + row * column.stride);
        write(columns.iter().map(|column| csv_field(at(column).expect("bug: a column that is too short"))).collect());
    }
    Ok(writer.into_inner().expect("bug: memory that cannot be written"))
}

/// How many rows the arrays have, if it is one number for all.
fn n_rows(path: &Path, arrays: &[(&str, &Array)]) -> Result<usize, ArgumentError> {
    let described = |arrays: &mut dyn Iterator<Item = &(&str, &Array)>| {
        let described = arrays.map(|(name, array)| format!("{} ({})", one_line(name), array.ty()));
        described.collect::<Vec<_>>().join(", ")
    };
    let mut deep = arrays.iter().filter(|(_, array)| array.shape().len() > 2).peekable();
    if deep.peek().is_some() {
        return Err(cannot(path, format!("takes arrays of rank 0 to 2, but got {}; {ELSE}", described(&mut deep))));
    }
    let rows = |array: &Array| array.shape().first().copied().unwrap_or(1);
    let Some(n_rows) = arrays.first().map(|(_, array)| rows(array)) else { return Ok(0) };
    if arrays.iter().all(|(_, array)| rows(array) == n_rows) {
        return Ok(n_rows);
    }
    let all = described(&mut arrays.iter());
    Err(cannot(path, format!("takes arrays with equally many rows, but got {all}; {ELSE}")))
}

fn columns<'a>(name: &str, array: &'a Array) -> Vec<Column<'a>> {
    let Some(&stride) = array.shape().get(1) else {
        return vec![Column { header: name.to_string(), array, first: 0, stride: 1 }];
    };
    (0..stride).map(|first| Column { header: format!("{name}.{first}"), array, first, stride }).collect()
}
