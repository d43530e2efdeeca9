//! Numbers as JSON, the same in files and on the command line.
//!
//! - A scalar is a number, an array a list of lists, outermost axis first.
//! - A float is the shortest decimal that reads back to the same bits of its dtype; negative zero keeps its sign, and
//!   `"nan"`, `"inf"`, `"-inf"` are strings. Integers are read as floats, too.
//! - An integer beyond ±2⁵³ is a string, since many readers of JSON would round it.
//! - A `bool` is `true` or `false`.
//! - A complex number is `{"re": 1.0, "im": 2.0}`, and a complex array the same with lists, or a list of complex numbers;
//!   also read are the string `"1+2j"`, and a number, whose imaginary part is 0: see [`read_complex`].

use std::borrow::Cow;
use std::fmt::{self, Write};

use num_complex::Complex;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use smallvec::SmallVec;

use super::{Array, DType, Scalar, Type};

/// The largest integer up to which every integer is an exact `f64`.
const MAX_EXACT: u64 = 1 << 53;

/// A JSON value that borrows from its text and keeps the order of keys and duplicate keys. It takes 24 bytes, and lists
/// and objects have no spare capacity, since files with millions of nodes are read.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// A list.
    List(Box<[Json<'a>]>),
    /// An object, with its keys in the order of the text.
    Object(Box<[(Cow<'a, str>, Json<'a>)]>),
}

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1; 0 before the first character of a line.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}: {}", self.line, self.column, self.message)
    }
}

/// Why a JSON value is not an array of some type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The indices of the first element that does not fit: `[2][0]`; empty for the whole value.
    pub place: String,
    /// What is required there, and what was found instead.
    pub requirement: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.requirement),
            place => write!(f, "{place}: {}", self.requirement),
        }
    }
}

impl<'a> Json<'a> {
    /// Reads a text. Lists and objects may be nested 127 deep. A byte order mark before the text is skipped.
    pub fn parse(text: &'a str) -> Result<Json<'a>, SyntaxError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let message = message.strip_suffix(&place).unwrap_or(&message);
            let message = if error.is_eof() { format!("the text ends too soon: {message}") } else { message.into() };
            SyntaxError { line: error.line(), column: error.column(), message }
        })
    }

    /// The string, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The elements, if this is a list.
    pub fn as_list(&self) -> Option<&[Json<'a>]> {
        if let Json::List(elements) = self { Some(elements) } else { None }
    }

    /// The keys and values, if this is an object.
    pub fn as_object(&self) -> Option<&[(Cow<'a, str>, Json<'a>)]> {
        if let Json::Object(fields) = self { Some(fields) } else { None }
    }

    /// A description for messages: a short value itself, otherwise its kind.
    pub fn describe(&self) -> String {
        match self {
            Json::Null => "null".into(),
            Json::Bool(x) => x.to_string(),
            Json::Number(x) => format!("the number {x}"),
            Json::Text(text) if text.chars().count() > 40 => "a long string".into(),
            Json::Text(text) => format!("the string {text:?}"),
            Json::List(elements) => format!("a list of {}", elements.len()),
            Json::Object(_) => "an object".into(),
        }
    }

    /// This value as a `serde_json::Value`; of duplicate keys, the last one wins.
    pub fn to_value(&self) -> serde_json::Value {
        match self {
            Json::Null => serde_json::Value::Null,
            Json::Bool(x) => (*x).into(),
            Json::Number(x) => x.clone().into(),
            Json::Text(text) => text.as_ref().into(),
            Json::List(elements) => elements.iter().map(Json::to_value).collect(),
            Json::Object(fields) => fields.iter().map(|(key, x)| (key.to_string(), x.to_value())).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, x: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(x))
    }

    fn visit_i64<E: de::Error>(self, x: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(x.into()))
    }

    fn visit_u64<E: de::Error>(self, x: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(x.into()))
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Json<'de>, E> {
        Number::from_f64(x).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.into())))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        // Most lists and objects are short: they grow on the stack and are allocated once.
        let mut elements = SmallVec::<[Json<'de>; 4]>::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Json::List(exact(elements)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut fields = SmallVec::<[(Cow<'de, str>, Json<'de>); 8]>::new();
        while let Some(key) = map.next_key::<Json<'de>>()? {
            let Json::Text(key) = key else { return Err(de::Error::custom("a key must be a string")) };
            fields.push((key, map.next_value()?));
        }
        Ok(Json::Object(exact(fields)))
    }
}

/// The elements in a boxed slice, allocated with its exact size.
fn exact<A: smallvec::Array>(elements: SmallVec<A>) -> Box<[A::Item]> {
    let mut slice = Vec::with_capacity(elements.len());
    slice.extend(elements);
    slice.into_boxed_slice()
}

impl Array {
    /// This array as JSON: `[[1.0, 2.0], [3.0, 4.0]]`; see the [rules](crate::value::json).
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        write_lists(self, 0, &mut 0, &mut text);
        text
    }

    /// Reads an array of type `ty`; see the [rules](crate::value::json).
    ///
    /// ```
    /// use retrograd::value::{Array, DType, Type, json::Json};
    ///
    /// let json = Json::parse(r#"[[1, 2.5], [-0.0, "nan"]]"#).unwrap();
    /// let array = Array::from_json(&json, &Type::new(DType::F64, [2, 2])).unwrap();
    /// assert_eq!(array.to_json(), r#"[[1.0, 2.5], [-0.0, "nan"]]"#);
    /// let misfit = Array::from_json(&json, &Type::new(DType::F64, [2, 3])).unwrap_err();
    /// assert_eq!(misfit.to_string(), "[0]: takes a list of 3 (axis 1 of f64[2,3]), but got a list of 2");
    /// ```
    ///
    /// # Errors
    /// The first position that does not fit.
    pub fn from_json(json: &Json<'_>, ty: &Type) -> Result<Array, Misfit> {
        // Elements are collected as they are read: the type alone must not cause an allocation.
        let mut elements = Vec::new();
        let mut place = Vec::new();
        read_lists(json, ty, &mut place, &mut elements).map_err(|requirement| Misfit {
            place: place.iter().map(|index| format!("[{index}]")).collect(),
            requirement,
        })?;
        Ok(Array::collect(ty, elements.into_iter()))
    }
}

/// Reads the parts of a complex array, each of type `ty`. Where `ty` has axes left, an object of `re` and `im` holds the parts
/// of all that is there; so the list of objects and the object of lists are both read.
///
/// ```
/// use retrograd::value::json::{Json, read_complex};
/// use retrograd::value::{DType, Type};
///
/// let ty = Type::new(DType::F64, [3]);
/// for text in [r#"{"re": [1, 0, 3], "im": [2, -1, 0]}"#, r#"[{"re": 1, "im": 2}, "-j", 3]"#] {
///     let [re, im] = read_complex(&Json::parse(text).unwrap(), &ty).unwrap();
///     assert_eq!([re.to_json(), im.to_json()], ["[1.0, 0.0, 3.0]", "[2.0, -1.0, 0.0]"]);
/// }
/// let misfit = read_complex(&Json::parse(r#"[1, {"re": 2}, 3]"#).unwrap(), &ty).unwrap_err();
/// assert_eq!(misfit.to_string(), r#"[1]: takes an object of re and im, but got one of re"#);
/// ```
///
/// # Errors
/// The first position that does not fit. The type must be of floating point.
pub fn read_complex(json: &Json<'_>, ty: &Type) -> Result<[Array; 2], Misfit> {
    let (mut place, mut parts) = (String::new(), [Vec::new(), Vec::new()]);
    match read_complex_lists(json, ty, 0, &mut place, &mut parts) {
        Ok(()) => Ok(parts.map(|part| Array::collect(ty, part.into_iter()))),
        Err(requirement) => Err(Misfit { place, requirement }),
    }
}

/// Reads a complex number with an imaginary unit, `j` or `i`: `1+2j`, `-3.5e2i`, `j`, `nan-infj`.
///
/// ```
/// use num_complex::Complex;
/// use retrograd::value::json::parse_complex;
///
/// assert_eq!(parse_complex("1+2j"), Ok(Complex::new(1.0, 2.0)));
/// assert_eq!(parse_complex("-i"), Ok(Complex::new(0.0, -1.0)));
/// assert_eq!(parse_complex("1e400+2j"), Err("number out of range"));
/// assert_eq!(parse_complex("1+2"), Err("takes a complex number, as in 1+2j"));
/// ```
///
/// # Errors
/// What is wrong with another text.
pub fn parse_complex(text: &str) -> Result<Complex<f64>, &'static str> {
    const WRONG: &str = "takes a complex number, as in 1+2j";
    let body = text.strip_suffix(['i', 'j', 'I', 'J']).ok_or(WRONG)?;
    // The sign between the parts is the last one that belongs to no exponent.
    let is_between = |&(at, _): &(usize, &str)| at > 0 && !body[..at].ends_with(['e', 'E']);
    let at = body.rmatch_indices(['+', '-']).find(is_between).map_or(0, |(at, _)| at);
    let part = |text: &str| -> Result<f64, &'static str> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let is_special = ["nan", "inf"].contains(&digits);
        if !is_special && !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Err(WRONG);
        }
        let number: f64 = text.parse().map_err(|_| WRONG)?;
        if number.is_finite() || is_special { Ok(number) } else { Err("number out of range") }
    };
    let re = if at == 0 { 0.0 } else { part(&body[..at])? };
    let im = match &body[at..] {
        "" | "+" => 1.0,
        "-" => -1.0,
        im => part(im)?,
    };
    Ok(Complex { re, im })
}

/// Appends the parts of the elements in row-major order. After an error, `place` is its position.
fn read_complex_lists(
    json: &Json<'_>,
    ty: &Type,
    axis: usize,
    place: &mut String,
    parts: &mut [Vec<Scalar>; 2],
) -> Result<(), String> {
    if let Some(fields) = json.as_object() {
        let rest = Type::new(ty.dtype, &ty.shape[axis..]);
        for ((name, part), elements) in parts_of(fields)?.into_iter().zip(parts) {
            let mut within = Vec::new();
            read_lists(part, &rest, &mut within, elements).inspect_err(|_| {
                let _ = write!(place, ".{name}");
                within.iter().for_each(|index| _ = write!(place, "[{index}]"));
            })?;
        }
        return Ok(());
    }
    let Some(&extent) = ty.shape.get(axis) else {
        let number = read_complex_scalar(json, ty.dtype)?;
        parts.iter_mut().zip(number).for_each(|(part, x)| part.push(x));
        return Ok(());
    };
    let list = json.as_list().filter(|list| list.len() == extent).ok_or_else(|| {
        let of = if ty.rank() > 1 { format!("axis {axis} of complex {ty}") } else { format!("complex {ty}") };
        format!("takes a list of {extent} ({of}), or an object of re and im, but got {}", json.describe())
    })?;
    for (index, element) in list.iter().enumerate() {
        let length = place.len();
        let _ = write!(place, "[{index}]");
        read_complex_lists(element, ty, axis + 1, place, parts)?;
        place.truncate(length);
    }
    Ok(())
}

/// The fields of both parts, in either order.
fn parts_of<'j, 't>(fields: &'j [(Cow<'t, str>, Json<'t>)]) -> Result<[(&'static str, &'j Json<'t>); 2], String> {
    let of = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, part)| part);
    match (of("re"), of("im")) {
        (Some(re), Some(im)) if fields.len() == 2 => Ok([("re", re), ("im", im)]),
        _ => {
            let keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_ref()).collect();
            let got = if keys.is_empty() { "an empty one".to_string() } else { format!("one of {}", keys.join(", ")) };
            Err(format!("takes an object of re and im, but got {got}"))
        }
    }
}

fn read_complex_scalar(json: &Json<'_>, dtype: DType) -> Result<[Scalar; 2], String> {
    if let Some(x) = read_scalar(json, dtype).ok() {
        return Ok([x, Scalar::F64(0.0).convert(dtype)]);
    }
    let narrow = |x: f64| match dtype {
        DType::F32 => Some((x, x as f32)).filter(fits).map(|(_, x)| Scalar::F32(x)),
        DType::F64 => Some(Scalar::F64(x)),
        DType::I64 | DType::Bool => None,
    };
    let number = json.as_text().and_then(|text| parse_complex(text).ok());
    number.and_then(|Complex { re, im }| Some([narrow(re)?, narrow(im)?])).ok_or_else(|| {
        let that_fits = if dtype == DType::F32 { " that fits f32" } else { "" };
        let got = json.describe();
        format!("takes a number{that_fits}, a complex one as \"1+2j\", or an object of re and im, but got {got}")
    })
}

fn write_lists(array: &Array, axis: usize, position: &mut usize, text: &mut String) {
    let Some(&extent) = array.shape().get(axis) else {
        write_scalar(array.get(*position).expect("bug: position beyond the size"), text);
        *position += 1;
        return;
    };
    text.push('[');
    for index in 0..extent {
        if index > 0 {
            text.push_str(", ");
        }
        write_lists(array, axis + 1, position, text);
    }
    text.push(']');
}

/// Writes one element.
fn write_scalar(x: Scalar, text: &mut String) {
    let wide = match x {
        Scalar::F64(x) => x,
        Scalar::F32(x) => x.into(),
        Scalar::I64(x) if x.unsigned_abs() > MAX_EXACT => return text.push_str(&format!("\"{x}\"")),
        Scalar::I64(_) | Scalar::Bool(_) => return text.push_str(&x.to_string()),
    };
    if wide.is_nan() {
        text.push_str("\"nan\"");
    } else if wide.is_infinite() {
        text.push_str(if wide > 0.0 { "\"inf\"" } else { "\"-inf\"" });
    } else if survives(x) {
        let _ = write!(text, "{x}");
    } else {
        let _ = write!(text, "{wide:?}");
    }
}

/// Whether the shortest decimal reads back to the same bits. Files are read via `f64`, which could round an `f32`
/// twice.
fn survives(x: Scalar) -> bool {
    match x {
        Scalar::F32(x) => format!("{x:?}").parse::<f64>().is_ok_and(|wide| (wide as f32).to_bits() == x.to_bits()),
        Scalar::F64(_) | Scalar::I64(_) | Scalar::Bool(_) => true,
    }
}

/// Appends the elements in row-major order. After an error, `place` has the indices of its position.
fn read_lists(json: &Json<'_>, ty: &Type, place: &mut Vec<usize>, elements: &mut Vec<Scalar>) -> Result<(), String> {
    let axis = place.len();
    let Some(&extent) = ty.shape.get(axis) else {
        elements.push(read_scalar(json, ty.dtype)?);
        return Ok(());
    };
    let list = json.as_list().filter(|list| list.len() == extent).ok_or_else(|| {
        let of = if ty.rank() > 1 { format!(" (axis {axis} of {ty})") } else { format!(" ({ty})") };
        format!("takes a list of {extent}{of}, but got {}", json.describe())
    })?;
    for (index, element) in list.iter().enumerate() {
        place.push(index);
        read_lists(element, ty, place, elements)?;
        place.pop();
    }
    Ok(())
}

fn read_scalar(json: &Json<'_>, dtype: DType) -> Result<Scalar, String> {
    let scalar = match dtype {
        DType::F64 => read_float(json).map(Scalar::F64),
        DType::F32 => read_float(json).map(|x| (x, x as f32)).filter(fits).map(|(_, x)| Scalar::F32(x)),
        DType::I64 => read_integer(json).map(Scalar::I64),
        DType::Bool => {
            if let Json::Bool(x) = json {
                Some(Scalar::Bool(*x))
            } else {
                None
            }
        }
    };
    scalar.ok_or_else(|| {
        let takes = match dtype {
            DType::F64 => "a number, \"nan\", \"inf\" or \"-inf\"",
            DType::F32 => "a number that fits f32, \"nan\", \"inf\" or \"-inf\"",
            DType::I64 => "an integer of 64 bits",
            DType::Bool => "true or false",
        };
        format!("takes {takes}, but got {}", json.describe())
    })
}

/// Whether a finite number stays finite in the narrower type.
fn fits(&(wide, narrow): &(f64, f32)) -> bool {
    narrow.is_finite() || !wide.is_finite()
}

fn read_float(json: &Json<'_>) -> Option<f64> {
    match json {
        Json::Number(x) => x.as_f64(),
        Json::Text(text) => match text.as_ref() {
            "nan" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => None,
    }
}

fn read_integer(json: &Json<'_>) -> Option<i64> {
    match json {
        Json::Number(x) => x.as_i64(),
        Json::Text(text) => text.parse().ok(),
        Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => None,
    }
}

/// Appends a JSON value on one line, with a space after each comma and colon, and floats by the rules of this module.
pub(crate) fn write_value(value: &serde_json::Value, text: &mut String) {
    match value {
        serde_json::Value::Null => text.push_str("null"),
        serde_json::Value::Bool(x) => text.push_str(if *x { "true" } else { "false" }),
        serde_json::Value::Number(x) => match x.as_f64().filter(|_| x.is_f64()) {
            Some(x) => write_scalar(Scalar::F64(x), text),
            None => text.push_str(&x.to_string()),
        },
        serde_json::Value::String(x) => write_text(x, text),
        serde_json::Value::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_value(element, text);
            }
            text.push(']');
        }
        serde_json::Value::Object(fields) => {
            text.push('{');
            for (index, (key, value)) in fields.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_text(key, text);
                text.push_str(": ");
                write_value(value, text);
            }
            text.push('}');
        }
    }
}

/// Appends a string with its quotes and escapes. Non-ASCII characters are not escaped.
pub fn write_text(x: &str, text: &mut String) {
    text.push('"');
    for c in x.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04x}", c as u32);
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, ty: &Type) -> Result<Array, Misfit> {
        Array::from_json(&Json::parse(text).unwrap(), ty)
    }

    #[test]
    fn every_bit_survives() {
        let doubles =
            [0.0, -0.0, 0.1, 1e16, 5e-324, f64::MAX, f64::MIN_POSITIVE, 1.0 / 3.0, f64::INFINITY, -f64::INFINITY];
        let a = Array::from_elements([10], doubles.to_vec()).unwrap();
        assert_eq!(read(&a.to_json(), &a.ty()), Ok(a));
        // A stride prime to 2³² visits floats of every exponent.
        let singles: Vec<f32> = (0..100_000u32).map(|k| f32::from_bits(k.wrapping_mul(2_654_435_761))).collect();
        let a = Array::from_elements([100_000], singles).unwrap();
        assert_eq!(read(&a.to_json(), &a.ty()), Ok(a));
        let integers = [0, -1, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN];
        let a = Array::from_elements([2, 3], integers.to_vec()).unwrap();
        assert_eq!(read(&a.to_json(), &a.ty()), Ok(a));
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(Array::scalar(0.1f32).to_json(), "0.1");
        assert_eq!(Array::scalar(f32::NAN).to_json(), "\"nan\"");
        assert_eq!(Array::scalar(i64::MIN).to_json(), "\"-9223372036854775808\"");
        let empty = Array::from_elements::<f64>([2, 0], vec![]).unwrap();
        assert_eq!(empty.to_json(), "[[], []]");
        assert_eq!(read("[[], []]", &empty.ty()), Ok(empty));
    }

    #[test]
    fn misfits_name_the_first_place() {
        let check = |text: &str, ty: &str, expected: &str| {
            assert_eq!(read(text, &Type::parse(ty).unwrap()).unwrap_err().to_string(), expected);
        };
        check("[1, 2]", "f64[3]", "takes a list of 3 (f64[3]), but got a list of 2");
        check("[[1, 2], [3, true]]", "f64[2,2]", "[1][1]: takes a number, \"nan\", \"inf\" or \"-inf\", but got true");
        check(
            "1e300",
            "f32[]",
            "takes a number that fits f32, \"nan\", \"inf\" or \"-inf\", but got the number 1e+300",
        );
        check("1.5", "i64[]", "takes an integer of 64 bits, but got the number 1.5");
        check("[0]", "bool[1]", "[0]: takes true or false, but got the number 0");
    }

    #[test]
    fn values_are_small() {
        assert_eq!(size_of::<Json<'_>>(), 24);
    }

    #[test]
    fn syntax_errors_have_a_position() {
        let error = Json::parse("{\"a\": [1,\n 2").unwrap_err();
        assert_eq!(error.to_string(), "line 2 column 2: the text ends too soon: EOF while parsing a list");
        let deep = "[".repeat(100_000);
        assert_eq!(Json::parse(&deep).unwrap_err().message, "recursion limit exceeded");
        let Json::Object(fields) = Json::parse("{\"a\": 1, \"a\": 2}").unwrap() else { panic!("an object") };
        assert_eq!(fields.len(), 2);
    }
}
