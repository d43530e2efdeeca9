//! Each file of `ir-examples/invalid` causes the error recorded beside it. With `RECORD=1` in the environment the
//! errors are recorded again, to be reviewed like code.

use std::fs;
use std::path::{Path, PathBuf};

use retrograd::Graph;
use retrograd::ir::Limits;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ir-examples/invalid")
}

/// The files with this extension, without it, in order.
fn stems(extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut stems: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|x| x == extension))
        .map(|path| path.with_extension(""))
        .collect();
    stems.sort();
    stems
}

#[test]
fn invalid_files_give_their_errors() {
    for stem in stems("json") {
        let text = fs::read_to_string(stem.with_extension("json")).unwrap();
        let error = match Graph::from_json(&text, &Limits::default()) {
            Ok(graph) => panic!("{} is accepted:\n{graph}", stem.display()),
            Err(error) => format!("{error}\n"),
        };
        let record = stem.with_extension("error");
        if std::env::var_os("RECORD").is_some() {
            fs::write(&record, &error).unwrap();
        }
        let expected = fs::read_to_string(&record).unwrap_or_default();
        assert_eq!(error, expected, "{}", stem.display());
    }
}

#[test]
fn errors_and_files_are_in_pairs() {
    assert!(!stems("json").is_empty());
    assert_eq!(stems("json"), stems("error"));
}
