//! The file: a graph as one JSON document that a person can read and diff.
//!
//! ```json
//! {
//!  "format": "retrograd", "version": 1, "producer": "retrograd 0.1.0", "entry": "loss",
//!  "graphs": {
//!   "loss": {
//!    "inputs": [
//!     {"id": "w", "type": "f64[3]"}
//!    ],
//!    "nodes": [
//!     {"id": "n0", "op": "constant", "in": [], "type": "f64[3]", "value": [1.0, 2.0, "inf"]},
//!     {"id": "n1", "op": "mul", "in": ["w", "n0"], "type": "f64[3]", "at": "src/main.rs:12:18"},
//!     {"id": "n2", "op": "reduce_sum", "in": ["n1"], "type": "f64[]", "axes": [0]}
//!    ],
//!    "outputs": [
//!     {"name": "loss", "value": "n2"}
//!    ]
//!   }
//!  }
//! }
//! ```
//!
//! **Document.** `format`, `version`, `producer`, `entry` (the main graph), `graphs`, and optionally `constants` and
//! `meta`.
//!
//! **Graph.** `inputs` (`id`, `type`), `nodes`, optional `guards` (`value`, `expect`, `at`), `outputs` (`name`,
//! `value`), `meta`. A graph other than the entry is the region of some node.
//!
//! **Node.** `id`, `op`, `in` (the operands' ids), `type`, then the operation's parameters in an order that the
//! operation defines, then optionally `regions` (names of graphs), `name`, `cotangent_of` or `tangent_of` (the primal
//! value of an earlier node or input), `at` (a source line) and `meta`. A node with several results has a list of
//! types, and its results are called `n5.0`, `n5.1`, … A node comes after its operands. Written ids are `n0`, `n1`, …
//! in order (`nn0`, … where an input has such a name); files edited by hand may use any ids that differ from each
//! other.
//!
//! **Constants.** `value` is a number or nested lists as in [`crate::value::json`]; with more than 64 elements it is
//! `{"ref": "c0"}`, and the document's table holds the elements, base64-encoded, little-endian and row-major:
//! `"constants": {"c0": {"type": "f64[100]", "base64": "…"}}`. Nodes may share an entry.
//!
//! A document, a graph and a node may have **`meta`**, which may hold anything. Any other key that is not listed here
//! is an error. A [`Document`] keeps `meta` and `producer`, so that saving a loaded document reproduces every byte; a
//! [`Graph`] alone does not hold them.
//!
//! # Compatibility
//! A file written by one version of retrograd can be read by every later version, with the same meaning:
//! - The function that an operation with given name and parameters computes, and its derivative, never change, except
//!   that results may become more accurate. A different function gets a different name, or a new `version`.
//! - Additions within a version (an operation, an optional key) do not affect files without them. An older program
//!   rejects what it does not know, by name; it never guesses.
//! - A document of an older `version` is read by the rules of that version, and saved in the newest.
//! - Saving a loaded document reproduces every byte that retrograd wrote; a new `version` may end that for older files.
//!
//! The tests check this with files of every version and with every operation (`tests/corpus`). The JSON Schema
//! `ir-examples/schema.json` describes the form alone, without the relations between names and types.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Graph, Operation};
use crate::error::{Error, IoError, LimitError};

mod constants;
mod fields;
mod ids;
mod limits;
mod read;
mod write;

pub(super) use ids::Ids;
pub use limits::Limits;

/// The value of `format`.
const FORMAT: &str = "retrograd";

/// The value of `version`. A change of meaning requires a new version or a new name, and old files must still load.
const VERSION: u64 = 1;

/// The default `producer`.
const PRODUCER: &str = concat!("retrograd ", env!("CARGO_PKG_VERSION"));

/// The most elements, and the most axes, of a constant that is written in its node.
const MAX_INLINE: usize = 64;
const MAX_INLINE_RANK: usize = 8;

/// A graph with the further contents of its file: the program that wrote it, and `meta`.
///
/// A file written by one version of retrograd can be read by every later version, with the same meaning; an older
/// program rejects what it does not know, by name.
///
/// ```
/// use retrograd::ir::{Document, Limits};
/// use retrograd::op::Op;
///
/// let document: Document<Op> = Document::load("ir-examples/rosenbrock.json", &Limits::default())?;
/// assert_eq!(document.graph().inputs().len(), 2);
/// assert_eq!(document.to_json()?, std::fs::read_to_string("ir-examples/rosenbrock.json").unwrap());
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Document<O> {
    graph: Graph<O>,
    producer: String,
    meta: Meta,
}

/// The values of `meta`, by where they are in the document.
#[derive(Clone, Debug, Default)]
struct Meta {
    document: Option<serde_json::Value>,
    graphs: BTreeMap<String, GraphMeta>,
}

/// The values of `meta` of a graph, and of its nodes by [`Graph::op_number`].
#[derive(Clone, Debug, Default)]
struct GraphMeta {
    graph: Option<serde_json::Value>,
    nodes: BTreeMap<usize, serde_json::Value>,
}

impl<O: Operation> Document<O> {
    /// A new document with this graph as its entry.
    pub fn new(graph: Graph<O>) -> Document<O> {
        Document { graph, producer: PRODUCER.to_string(), meta: Meta::default() }
    }

    /// Reads a document, and verifies all of it.
    ///
    /// # Errors
    /// [`Error::Verify`] with all that was found, or [`Error::Limit`].
    pub fn from_json(text: &str, limits: &Limits) -> Result<Document<O>, Error> {
        read::read(text, limits)
    }

    /// Reads a file, and verifies all of it; `-` is the standard input.
    ///
    /// # Errors
    /// [`Error::Io`], and as [`Document::from_json`].
    pub fn load(path: impl AsRef<Path>, limits: &Limits) -> Result<Document<O>, Error> {
        Document::from_json(&read_text(path.as_ref(), limits.document_bytes)?, limits)
    }

    /// The text of the file: the same bytes for the same document.
    ///
    /// # Errors
    /// [`Error::Verify`] if the graph does not verify.
    pub fn to_json(&self) -> Result<String, Error> {
        to_json(&self.graph, &self.producer, &self.meta)
    }

    /// Writes the file, all or nothing; see [`write_atomically`].
    ///
    /// # Errors
    /// [`Error::Io`], and as [`Document::to_json`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        write_atomically(path.as_ref(), self.to_json()?.as_bytes())
    }

    /// The graph.
    pub fn graph(&self) -> &Graph<O> {
        &self.graph
    }

    /// The graph alone.
    pub fn into_graph(self) -> Graph<O> {
        self.graph
    }

    /// The program that wrote the file.
    pub fn producer(&self) -> &str {
        &self.producer
    }
}

impl<O: Operation> Graph<O> {
    /// The text of this graph's file: the same bytes for the same graph.
    ///
    /// # Errors
    /// [`Error::Verify`] if the graph does not verify.
    pub fn to_json(&self) -> Result<String, Error> {
        to_json(self, PRODUCER, &Meta::default())
    }

    /// Reads the text of a file, and verifies all of it.
    ///
    /// # Errors
    /// [`Error::Verify`] with all that was found, or [`Error::Limit`].
    pub fn from_json(text: &str, limits: &Limits) -> Result<Graph<O>, Error> {
        Document::from_json(text, limits).map(Document::into_graph)
    }

    /// Writes this graph to a file, all or nothing; see [`write_atomically`].
    ///
    /// # Errors
    /// [`Error::Io`], and as [`Graph::to_json`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        write_atomically(path.as_ref(), self.to_json()?.as_bytes())
    }

    /// Reads a file, and verifies all of it, with the default [`Limits`].
    ///
    /// # Errors
    /// [`Error::Io`], and as [`Graph::from_json`].
    pub fn load(path: impl AsRef<Path>) -> Result<Graph<O>, Error> {
        Document::load(path, &Limits::default()).map(Document::into_graph)
    }
}

fn to_json<O: Operation>(graph: &Graph<O>, producer: &str, meta: &Meta) -> Result<String, Error> {
    graph.verify()?;
    Ok(write::write(graph, producer, meta))
}

/// Reads a text of at most `max_bytes` from a file; `-` is the standard input.
///
/// # Errors
/// [`Error::Io`], or [`Error::Limit`] before the whole of a larger file is read.
pub fn read_text(path: &Path, max_bytes: u64) -> Result<String, Error> {
    String::from_utf8(read_bytes(path, max_bytes)?).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        let message = format!("byte {position} is not UTF-8");
        io_error(path, "read", &io::Error::new(io::ErrorKind::InvalidData, message))
    })
}

/// Reads at most `max_bytes` from a file; `-` is the standard input.
///
/// # Errors
/// As [`read_text`].
pub fn read_bytes(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Error> {
    let io_error = |error: io::Error| io_error(path, "read", &error);
    let mut bytes = Vec::new();
    // Reading one byte beyond the limit distinguishes a file that is too large from one that just fits, even for a
    // device that never ends.
    let n_wanted = max_bytes.saturating_add(1);
    if path == Path::new("-") {
        io::stdin().lock().take(n_wanted).read_to_end(&mut bytes).map_err(io_error)?;
    } else {
        fs::File::open(path).and_then(|file| file.take(n_wanted).read_to_end(&mut bytes)).map_err(io_error)?;
    }
    if bytes.len() as u64 > max_bytes {
        return Err(LimitError { what: "bytes of a document", limit: max_bytes, got: None, place: None }.into());
    }
    Ok(bytes)
}

/// Writes a file atomically: the bytes go to a temporary file in the same folder, which replaces the old file once it
/// is complete and on disk. Anything but a regular file (a device, a pipe) is written to directly.
///
/// # Errors
/// [`Error::Io`]; the old file is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    try_write(path, bytes).map_err(|error| io_error(path, "write", &error))
}

fn try_write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Some(metadata.permissions()),
        Ok(metadata) if metadata.is_dir() => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
        Ok(_) => return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // A symbolic link is kept; its target is replaced.
    let path = if old.is_some() { fs::canonicalize(path)? } else { target_of(path) };
    let folder = folder_of(&path);
    let mut new = NewFile::create_in(&folder)?;
    new.file.write_all(bytes)?;
    if let Some(permissions) = old {
        new.file.set_permissions(permissions)?;
    }
    new.file.sync_all()?;
    new.replace(&path)?;
    sync_folder(&folder)
}

/// Where the links that begin at a path lead, though nothing is there. A circle of links has no metadata, not even that
/// nothing is there.
fn target_of(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    while let Ok(target) = fs::read_link(&path) {
        path = folder_of(&path).join(target);
    }
    path
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// A file of a name of its own, with the default permissions of a new file. It is removed unless it takes the place of
/// another.
struct NewFile {
    file: fs::File,
    path: PathBuf,
    is_kept: bool,
}

/// The most names that are tried.
const MAX_NAMES: u64 = 1 << 16;

impl NewFile {
    fn create_in(folder: &Path) -> io::Result<NewFile> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut result = Err(io::Error::from(io::ErrorKind::AlreadyExists));
        // A process that was killed may have left files behind, and another machine may write to the same folder.
        for _ in 0..MAX_NAMES {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".retrograd-{}-{number}", process::id()));
            result = fs::OpenOptions::new().write(true).create_new(true).open(&path).map(|file| (file, path));
            if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
                break;
            }
        }
        let (file, path) = result?;
        Ok(NewFile { file, path, is_kept: false })
    }

    fn replace(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the rename durable. Only Unix can open folders, and some file systems cannot sync them; the file itself is
/// complete in any case.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let _ = fs::File::open(folder)?.sync_all();
    }
    Ok(())
}

fn io_error(path: &Path, action: &'static str, error: &io::Error) -> Error {
    IoError { path: path.display().to_string(), action, message: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_kept_only_in_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
            entries.map(|name| name.into_string().unwrap()).collect::<Vec<String>>()
        };
        let new = NewFile::create_in(folder.path()).unwrap();
        assert_eq!(names(), [new.path.file_name().unwrap().to_str().unwrap()]);
        drop(new);
        assert!(names().is_empty());
        let [mut first, second] = [(); 2].map(|()| NewFile::create_in(folder.path()).unwrap());
        first.file.write_all(b"{}").unwrap();
        first.replace(&folder.path().join("a.json")).unwrap();
        assert!(second.replace(&folder.path().join("nowhere").join("a.json")).is_err());
        assert_eq!(names(), ["a.json"]);
        assert_eq!(fs::read(folder.path().join("a.json")).unwrap(), b"{}");
    }

    #[test]
    fn names_that_were_left_behind_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let left: Vec<PathBuf> =
            (0..1000).map(|number| folder.path().join(format!(".retrograd-{}-{number}", process::id()))).collect();
        left.iter().for_each(|path| fs::write(path, "left").unwrap());
        let path = folder.path().join("a.json");
        write_atomically(&path, b"{}").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        assert!(left.iter().all(|path| fs::read(path).unwrap() == b"left"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1001);
    }
}
