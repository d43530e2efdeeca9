use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::table::Table;
use clap::Args;
use retrograd::error::ArgumentError;
use retrograd::ir::read_bytes;
use retrograd::value::json::Json;
use retrograd::value::{Array, Malformed, Type, npy, npz};
use retrograd::{Error, Graph};

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
        let is_input = |(name, _): &&(String, Source)| graph.inputs().iter().any(|input| *input.name == **name);
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
            Err(error) => Err(format!("the value is not JSON: {} at column {}", error.message, error.column)),
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
        let bytes = read_bytes(path, self.limits.max_file_bytes)?;
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
                let types = npz::types(&bytes).map_err(|error| of_file(error.to_string()))?;
                types.iter().enumerate().try_for_each(|(at, (name, got))| {
                    self.take(name, |ty| from_npz(&bytes, at, got, ty, &format!("{name}: {}", path.display())))
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

    fn take_json(&mut self, name: &str, value: &Json<'_>) -> Result<(), Error> {
        self.take(name, |ty| from_json(value, ty, name))
    }

    /// One value from a file.
    fn take_part(&mut self, name: &str, path: &Path, part: Option<&str>) -> Result<(), Error> {
        let bytes = read_bytes(path, self.limits.max_file_bytes)?;
        let label = format!("{name}: {}", path.display());
        let malformed = |error: Malformed| ArgumentError::Value { name: label.clone(), requirement: error.to_string() };
        let has_header = !self.no_header;
        self.take(name, |ty| match Kind::of(path, &bytes, part) {
            Kind::Npy => {
                same_shape(&npy::read_type(&bytes).map_err(malformed)?, ty, &label)?;
                fit(npy::read(&bytes).map_err(malformed)?, ty, &label)
            }
            Kind::Npz => {
                let types = npz::types(&bytes).map_err(malformed)?;
                let names = types.iter().map(|(name, _)| name.as_str());
                let at = position("array", part.unwrap_or(name), names)
                    .map_err(|error| ArgumentError::Value { name: label.clone(), requirement: error.to_string() })?;
                from_npz(&bytes, at, &types[at].1, ty, &label)
            }
            Kind::Csv => {
                let table = Table::read(&bytes, has_header).map_err(malformed)?;
                Ok(table.array(part.unwrap_or(name), ty).map_err(malformed)?)
            }
            Kind::Json => {
                let json = Json::parse(text(path, &bytes)?)
                    .map_err(|error| ArgumentError::Value { name: label.clone(), requirement: error.to_string() })?;
                from_json(&json, ty, &label)
            }
        })
    }

    /// The value of an input, which is made for the input's type.
    fn take(&mut self, name: &str, make: impl FnOnce(&Type) -> Result<Array, Error>) -> Result<(), Error> {
        let at = position("input", name, self.graph.inputs().iter().map(|input| &*input.name))?;
        let array = make(self.graph.ty(self.graph.inputs()[at].node.into()))?;
        match self.found[at].replace(array) {
            None => Ok(()),
            Some(_) => {
                Err(ArgumentError::Value { name: name.to_string(), requirement: "has two values".into() }.into())
            }
        }
    }
}

/// Names all inputs without a value at once, and says how to give them one.
fn missing(graph: &Graph, given: &[Option<Array>]) -> ArgumentError {
    let inputs = graph.inputs().iter().zip(given).filter(|(_, value)| value.is_none()).map(|(input, _)| input);
    let inputs: Vec<String> =
        inputs.map(|input| format!("{} ({})", one_line(&input.name), graph.ty(input.node.into()))).collect();
    let inputs_have = if let [_] = &inputs[..] { "1 input has" } else { &format!("{} inputs have", inputs.len()) };
    let requirement = format!(
        "{}\n  give each as NAME=VALUE, or several in a file with --input; `retrograd run --template` writes such a file",
        inputs.join(", ")
    );
    ArgumentError::Value { name: format!("{inputs_have} no value"), requirement }
}

fn from_json(value: &Json<'_>, ty: &Type, label: &str) -> Result<Array, Error> {
    Ok(Array::from_json(value, ty).map_err(|misfit| ArgumentError::Value {
        name: format!("{label}{}", misfit.place),
        requirement: misfit.requirement,
    })?)
}

fn same_shape(got: &Type, ty: &Type, label: &str) -> Result<(), ArgumentError> {
    if got.shape == ty.shape {
        return Ok(());
    }
    Err(ArgumentError::Type { name: label.to_string(), expected: ty.clone(), got: got.clone() })
}

/// An array of a `.npz` file as one of that type. Shapes are compared before anything is unpacked: so an array takes as many
/// bytes as the input, or a few times as many if its dtype is a wider one, which is refused then.
fn from_npz(bytes: &[u8], at: usize, got: &Type, ty: &Type, label: &str) -> Result<Array, Error> {
    same_shape(got, ty, label)?;
    let array = npz::read_at(bytes, at, u64::MAX);
    let array =
        array.map_err(|error| ArgumentError::Value { name: label.to_string(), requirement: error.to_string() })?;
    fit(array, ty, label)
}

/// The array as one of that type, if none of its elements changes.
fn fit(array: Array, ty: &Type, label: &str) -> Result<Array, Error> {
    let got = array.ty();
    let wide = if got.shape == ty.shape { array.widen(ty.dtype) } else { None };
    Ok(wide.ok_or_else(|| ArgumentError::Type { name: label.to_string(), expected: ty.clone(), got })?)
}

fn text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, ArgumentError> {
    std::str::from_utf8(bytes).map_err(|error| ArgumentError::Value {
        name: path.display().to_string(),
        requirement: format!("byte {} is not UTF-8", error.valid_up_to()),
    })
}
