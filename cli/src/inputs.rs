use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::table::Table;
use clap::Args;
use retrograd::error::{ArgumentError, LimitError};
use retrograd::ir::read_bytes;
use retrograd::value::json::{Json, read_complex};
use retrograd::value::{Array, Malformed, Tree, Type, npy, npz};
use retrograd::{Error, Graph};

use crate::complex::{Slot, join, quote};
use crate::limits::LimitFlags;
use crate::names::position;
use crate::output::{one_line, usage_error};

/// Where values of inputs come from.
#[derive(Args)]
pub struct InputFlags {
    /// Values of inputs, as JSON or from files.
    #[arg(value_name = "NAME=VALUE")]
    values: Vec<Assignment>,
    /// A file with values of inputs by name, JSON or .npz; `-` is the standard input. May be repeated.
    #[arg(short, long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// CSV files have no header, and their columns are #1, #2, …
    #[arg(long)]
    no_header: bool,
}

/// What `--help` says about values of inputs.
macro_rules! values_help {
    () => {
        "\
Inputs are given one by one as NAME=VALUE, together in a file (--input), or both; each input once. A VALUE is one of
  1.5, [1,2], [[1],[2]]      JSON, or nan, inf or -inf
  1+2j, [1+2j,-i,3]          complex numbers, for both parts of a complex z, the inputs z.re and z.im
  {\"re\": [1], \"im\": [2]}   the same as JSON, where a list may also hold such objects, or \"1+2j\"
  @w.npy                     an array of NumPy; @w.json is one in JSON
  @all.npz:w                 one of several arrays; without :w, the one with the input's name
  @data.csv:age              a column of a CSV file, for an input of rank 1; without :age, the one with the input's name
  @data.csv:age,a..=z,#7     several columns, for an input of rank 2: age, those from a to z, and the seventh
  @-                         any of these from the standard input
A file may hold a narrower dtype than the input has, but no number is rounded or truncated."
    };
}
pub(super) use values_help;

/// `NAME=VALUE` on the command line. A name may hold `=`, too, so which one ends it depends on the inputs' names.
#[derive(Clone)]
struct Assignment {
    /// What it can be, at least one; the first has the shortest name.
    readings: Vec<(String, Source)>,
}

#[derive(Clone)]
enum Source {
    /// A text that is JSON.
    Json(String),
    /// A file, and which part of it.
    File { path: PathBuf, part: Option<String> },
}

/// What a file holds, by the extension of its name, or else by its first bytes.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Json,
    Npy,
    Npz,
    Csv,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Assignment, String> {
        let all = text.match_indices('=').map(|(at, _)| (&text[..at], Source::of_value(&text[at + 1..])));
        let (readings, errors): (Vec<_>, Vec<_>) = all.partition(|(_, value)| value.is_ok());
        let readings: Vec<(String, Source)> =
            readings.into_iter().filter_map(|(name, value)| Some((name.to_string(), value.ok()?))).collect();
        if readings.is_empty() {
            let first = errors.into_iter().next().and_then(|(_, value)| value.err());
            return Err(first.unwrap_or_else(|| "takes NAME=VALUE, as in x=1.5 or w=[1,2]".to_string()));
        }
        Ok(Assignment { readings })
    }
}

impl Assignment {
    /// The reading whose name is that of an input.
    fn reading(&self, graph: &Graph) -> &(String, Source) {
        let is_input = |(name, _): &&(String, Source)| Slot::of(name, graph).is_some();
        self.readings.iter().find(is_input).unwrap_or(&self.readings[0])
    }
}

impl Source {
    /// Reads what follows the `=`.
    fn of_value(value: &str) -> Result<Source, String> {
        if let Some(place) = value.strip_prefix('@') {
            return Source::parse(place);
        }
        // Shells make quotes hard to type, so the three numbers that JSON lacks need none here.
        let value = if ["nan", "inf", "-inf"].contains(&value) { format!("\"{value}\"") } else { value.to_string() };
        match Json::parse(&value) {
            Ok(_) => Ok(Source::Json(value)),
            Err(error) => match quote(&value).map_err(|message| format!("{message}: {value}"))? {
                quoted if Json::parse(&quoted).is_ok() => Ok(Source::Json(quoted)),
                _ => Err(format!(
                    "the value is not JSON: {} at column {}; it is a number or lists of numbers, complex ones as 1+2j, or a file \
                     as @x.npy",
                    error.message, error.column
                )),
            },
        }
    }

    /// `FILE` or `FILE:PART`. Names of folders and columns may contain a colon, so only one after an extension ends the
    /// file.
    fn parse(place: &str) -> Result<Source, String> {
        let ends = [".csv:", ".npz:"].into_iter().filter_map(|end| Some(place.find(end)? + end.len()));
        let end = ends.min().or(place.starts_with("-:").then_some(2));
        let (path, part) = match end {
            Some(end) => (&place[..end - 1], Some(place[end..].to_string())),
            None => (place, None),
        };
        if path.is_empty() {
            return Err("takes a file after @, as in x=@x.npy".to_string());
        }
        Ok(Source::File { path: path.into(), part })
    }

    fn is_stdin(&self) -> bool {
        matches!(self, Source::File { path, .. } if path == Path::new("-"))
    }
}

impl Kind {
    fn of(path: &Path, bytes: &[u8], part: Option<&str>) -> Kind {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npy") => Kind::Npy,
            Some("npz") => Kind::Npz,
            Some("csv") => Kind::Csv,
            Some("json") => Kind::Json,
            _ if npy::is_npy(bytes) => Kind::Npy,
            _ if npz::is_npz(bytes) => Kind::Npz,
            _ if part.is_some() => Kind::Csv,
            _ => Kind::Json,
        }
    }
}

impl InputFlags {
    /// Ends the command if more than one thing is to come from the standard input, the graph among them.
    pub fn require_one_stdin<A: Args>(&self, verb: &'static str, graph: &Path) {
        let files = self.input.iter().map(PathBuf::as_path).chain([graph]);
        let n = files.filter(|path| *path == Path::new("-")).count();
        let n =
            n + self.values.iter().filter(|value| value.readings.iter().any(|(_, source)| source.is_stdin())).count();
        if n > 1 {
            usage_error::<A>(verb, "only one of the graph and its inputs can come from the standard input");
        }
    }

    /// The values of all inputs, in order.
    pub fn all(&self, graph: &Graph, limits: &LimitFlags) -> Result<Vec<Array>, Error> {
        let given = self.given(graph, limits)?;
        match given.iter().all(Option::is_some) {
            true => Ok(given.into_iter().flatten().collect()),
            false => Err(missing(graph, &given).into()),
        }
    }

    /// The values of those inputs that have one.
    pub fn given(&self, graph: &Graph, limits: &LimitFlags) -> Result<Vec<Option<Array>>, Error> {
        let mut values = Values { graph, limits, no_header: self.no_header, found: vec![None; graph.inputs().len()] };
        for path in &self.input {
            values.take_file(path)?;
        }
        for assignment in &self.values {
            let (name, value) = assignment.reading(graph);
            match value {
                Source::Json(text) => {
                    let json = Json::parse(text).expect("bug: the value was JSON before");
                    values.take_json(name, &json)?;
                }
                Source::File { path, part } => values.take_part(name, path, part.as_deref())?,
            }
        }
        Ok(values.found)
    }
}

/// Values that are being collected.
struct Values<'a> {
    graph: &'a Graph,
    limits: &'a LimitFlags,
    no_header: bool,
    found: Vec<Option<Array>>,
}

impl Values<'_> {
    /// All values that a file holds by name.
    fn take_file(&mut self, path: &Path) -> Result<(), Error> {
        let bytes = self.bytes(path)?;
        let of_file = |requirement: String| ArgumentError::Value { name: path.display().to_string(), requirement };
        match Kind::of(path, &bytes, None) {
            Kind::Json => {
                let text = text(path, &bytes)?;
                let file = Json::parse(text).map_err(|error| of_file(error.to_string()))?;
                let fields = file.as_object().ok_or_else(|| {
                    of_file(format!("takes an object of values by name, but got {}", file.describe()))
                })?;
                fields.iter().try_for_each(|(name, value)| self.take_json(name, value))
            }
            Kind::Npz => {
                let entries = npz::entries(&bytes).map_err(|error| of_file(error.to_string()))?;
                entries.iter().enumerate().try_for_each(|(at, (name, got))| {
                    self.take(name, |wanted| from_npz(&bytes, at, got, wanted, &format!("{name}: {}", path.display())))
                })
            }
            Kind::Npy => {
                let requirement = format!("holds one array without a name; write NAME=@{}", path.display());
                Err(of_file(requirement).into())
            }
            Kind::Csv => {
                let requirement = format!("holds columns; write NAME=@{}:COLUMN", path.display());
                Err(of_file(requirement).into())
            }
        }
    }

    fn bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        read_bytes(path, self.limits.max_file_bytes).map_err(|error| match error {
            // It is not the graph's file.
            Error::Limit(error) => LimitError { place: Some(path.display().to_string()), ..error }.into(),
            error => error,
        })
    }

    fn take_json(&mut self, name: &str, value: &Json<'_>) -> Result<(), Error> {
        self.take(name, |wanted| from_json(value, wanted, name))
    }

    /// One value from a file.
    fn take_part(&mut self, name: &str, path: &Path, part: Option<&str>) -> Result<(), Error> {
        let bytes = self.bytes(path)?;
        let label = format!("{name}: {}", path.display());
        let malformed = |error: Malformed| ArgumentError::Value { name: label.clone(), requirement: error.to_string() };
        let has_header = !self.no_header;
        self.take(name, |wanted| match Kind::of(path, &bytes, part) {
            Kind::Npy => {
                wanted.require_shape(&npy::read_type_tree(&bytes).map_err(malformed)?, &label)?;
                wanted.fit(npy::read_tree(&bytes).map_err(malformed)?, &label)
            }
            Kind::Npz => {
                let entries = npz::entries(&bytes).map_err(malformed)?;
                let names = entries.iter().map(|(name, _)| name.as_str());
                let at = position("array", part.unwrap_or(name), names)
                    .map_err(|error| ArgumentError::Value { name: label.clone(), requirement: error.to_string() })?;
                from_npz(&bytes, at, &entries[at].1, wanted, &label)
            }
            Kind::Csv if wanted.is_complex => {
                let requirement =
                    "the columns of a CSV file are real; give both parts, each under its name".to_string();
                Err(ArgumentError::Value { name: label.clone(), requirement }.into())
            }
            Kind::Csv => {
                let table = Table::read(&bytes, has_header).map_err(malformed)?;
                Ok(vec![table.array(part.unwrap_or(name), wanted.ty).map_err(malformed)?])
            }
            Kind::Json => {
                let json = Json::parse(text(path, &bytes)?)
                    .map_err(|error| ArgumentError::Value { name: label.clone(), requirement: error.to_string() })?;
                from_json(&json, wanted, &label)
            }
        })
    }

    /// The value of an input, or those of both parts of a complex one, which are made for their type.
    fn take(&mut self, name: &str, make: impl FnOnce(Wanted<'_>) -> Result<Vec<Array>, Error>) -> Result<(), Error> {
        let inputs = self.graph.inputs();
        let slots = match Slot::of(name, self.graph) {
            Some(Slot::Complex(parts)) => parts.to_vec(),
            Some(Slot::Real(at)) => vec![at],
            None => vec![position("input", name, inputs.iter().map(|input| &*input.name))?],
        };
        let ty = self.graph.ty(inputs[slots[0]].node.into());
        let arrays = make(Wanted { ty, is_complex: slots.len() > 1 })?;
        for (at, array) in slots.into_iter().zip(arrays) {
            if self.found[at].replace(array).is_some() {
                let requirement = "has two values".to_string();
                return Err(ArgumentError::Value { name: name.to_string(), requirement }.into());
            }
        }
        Ok(())
    }
}

/// What an input takes: an array of a type, or a complex one whose parts have that type.
#[derive(Clone, Copy)]
struct Wanted<'g> {
    ty: &'g Type,
    is_complex: bool,
}

impl Wanted<'_> {
    /// An error unless what is to be read has this shape. A real array is a complex one, too, but not the reverse.
    fn require_shape(self, got: &Tree<Type>, label: &str) -> Result<(), ArgumentError> {
        let is_complex = got.as_complex().is_some();
        let has_shape = got.leaves().iter().all(|part| part.shape == self.ty.shape);
        if has_shape && (self.is_complex || !is_complex) { Ok(()) } else { Err(self.mismatch(got, label)) }
    }

    /// The array, or both parts, of the input's type, if none of its elements changes.
    fn fit(self, got: Tree<Array>, label: &str) -> Result<Vec<Array>, Error> {
        let types = got.map(&mut Array::ty);
        self.require_shape(&types, label)?;
        let parts: Option<Vec<Array>> = got.leaves().iter().map(|array| array.widen(self.ty.dtype)).collect();
        let mut parts = parts.ok_or_else(|| self.mismatch(&types, label))?;
        if self.is_complex && parts.len() == 1 {
            parts.push(Array::try_zeros(self.ty)?);
        }
        Ok(parts)
    }

    fn mismatch(self, got: &Tree<Type>, label: &str) -> ArgumentError {
        let name = label.to_string();
        match got {
            Tree::Leaf(got) if !self.is_complex => {
                ArgumentError::Type { name, expected: self.ty.clone(), got: got.clone() }
            }
            _ => {
                let expected = if self.is_complex { self.ty.clone().complex() } else { Tree::Leaf(self.ty.clone()) };
                let hint = if self.is_complex { "" } else { "; take its real part or absolute value" };
                ArgumentError::Structure { name, expected: expected.to_string(), got: format!("{got}{hint}") }
            }
        }
    }
}

/// Names all inputs without a value at once, and says how to give them one.
fn missing(graph: &Graph, given: &[Option<Array>]) -> ArgumentError {
    let missing = graph.inputs().iter().zip(given).filter(|(_, value)| value.is_none());
    let missing: Vec<(&str, &Type)> = missing.map(|(input, _)| (&*input.name, graph.ty(input.node.into()))).collect();
    let inputs: Vec<String> = join(&missing, Type::clone)
        .into_iter()
        .map(|(name, types)| format!("{} ({})", one_line(&name), types.map(&mut |ty| (*ty).clone())))
        .collect();
    let inputs_have = if let [_] = &inputs[..] { "1 input has" } else { &format!("{} inputs have", inputs.len()) };
    let requirement = format!(
        "{}\n  give each as NAME=VALUE, or several in a file with --input; `retrograd run --template` writes such a file",
        inputs.join(", ")
    );
    ArgumentError::Value { name: format!("{inputs_have} no value"), requirement }
}

fn from_json(value: &Json<'_>, wanted: Wanted<'_>, label: &str) -> Result<Vec<Array>, Error> {
    let Wanted { ty, is_complex } = wanted;
    let arrays = match is_complex {
        true => read_complex(value, ty).map(Vec::from),
        false => Array::from_json(value, ty).map(|array| vec![array]),
    };
    Ok(arrays.map_err(|misfit| match is_complex {
        false if ty.dtype.is_float() && read_complex(value, ty).is_ok() => {
            wanted.mismatch(&ty.clone().complex(), label)
        }
        _ => ArgumentError::Value { name: format!("{label}{}", misfit.place), requirement: misfit.requirement },
    })?)
}

/// A member of a `.npz` file as an input takes it. Shapes are compared before anything is unpacked: so an array takes as many
/// bytes as the input, or a few times as many if its dtype is a wider one, which is refused then.
fn from_npz(bytes: &[u8], at: usize, got: &Tree<Type>, wanted: Wanted<'_>, label: &str) -> Result<Vec<Array>, Error> {
    wanted.require_shape(got, label)?;
    let arrays = npz::read_entry(bytes, at, u64::MAX);
    let arrays =
        arrays.map_err(|error| ArgumentError::Value { name: label.to_string(), requirement: error.to_string() })?;
    wanted.fit(arrays, label)
}

fn text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, ArgumentError> {
    std::str::from_utf8(bytes).map_err(|error| ArgumentError::Value {
        name: path.display().to_string(),
        requirement: format!("byte {} is not UTF-8", error.valid_up_to()),
    })
}
