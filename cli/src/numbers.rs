use std::fmt::Write as _;
use std::path::Path;

use retrograd::Error;
use retrograd::error::ArgumentError;
use retrograd::ir::write_atomically;
use retrograd::value::json::write_text;
use retrograd::value::{Array, npy, npz};

use crate::output::write;

/// Writes arrays by name: `.npz` and `.npy` as the file's name says, else JSON, one a line.
pub fn write_arrays(path: Option<&Path>, arrays: &[(&str, &Array)]) -> Result<(), Error> {
    let extension = path.and_then(|path| path.extension()).and_then(|extension| extension.to_str());
    match (path, extension) {
        (Some(path), Some("npz")) => {
            let bytes = npz::write(arrays.iter().copied()).map_err(|error| cannot(path, error.to_string()))?;
            write_atomically(path, &bytes)
        }
        (Some(path), Some("npy")) => match arrays {
            [(_, only)] => write_atomically(path, &npy::write(only)),
            several => {
                let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
                let requirement = format!("takes one array, but there are {}; choose with --only", names.join(", "));
                Err(cannot(path, requirement).into())
            }
        },
        (path, _) => write(path, &object(arrays.iter().copied())),
    }
}

/// Arrays by name as JSON, one a line.
pub fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a Array)>) -> String {
    let mut text = String::from("{");
    for (place, (name, array)) in fields.enumerate() {
        text.push_str(if place > 0 { ",\n " } else { "\n " });
        write_text(name, &mut text);
        let _ = write!(text, ": {}", array.to_json());
    }
    text.push_str("\n}\n");
    text
}

fn cannot(path: &Path, requirement: String) -> ArgumentError {
    ArgumentError::Value { name: path.display().to_string(), requirement }
}
