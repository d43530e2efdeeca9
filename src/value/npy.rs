//! The `.npy` format of NumPy: one array, with its dtype and shape in a text header.
//!
//! - Floats of 16, 32 and 64 bits, integers and `bool` are read, in either byte order, and in the order of C or of
//!   Fortran. They become the smallest dtype of this crate that represents all values of theirs: `f32`, `f64`, `i64`,
//!   `bool`.
//! - Complex numbers of 64 and 128 bits are read as a pair of arrays, of their real and of their imaginary parts, and
//!   written from such a pair: [`read_tree`], [`write_complex`].
//! - The bytes written are those of `numpy.save`.
//!
//! ```
//! use retrograd::value::{Array, npy};
//!
//! let array = Array::from_elements([2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
//! let bytes = npy::write(&array);
//! assert_eq!(npy::read(&bytes), Ok(array));
//! let error = npy::read(&bytes[..150]).unwrap_err();
//! assert_eq!(error.to_string(), "is truncated: the data of f64[2,2] takes 32 bytes, but there are 22");
//! ```

#[cfg(feature = "npz")]
use std::io::{self, Read};

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use super::{Array, DType, Element, Malformed, Shape, Tree, Type};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The length of the header is a multiple of this, so that the data can be mapped into memory.
const ALIGNMENT: usize = 64;

/// NumPy leaves space in the header for the first extent to grow to the digits of a 64-bit integer.
const GROWTH_DIGITS: usize = 21;

/// The most bytes of a header; an array with thousands of axes has a shorter one.
#[cfg(feature = "npz")]
const MAX_HEADER: u64 = 1 << 20;

/// Whether the bytes begin as those of a `.npy` file do.
pub fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads the bytes of a `.npy` file.
///
/// # Errors
/// If the bytes are not such a file, are fewer or more than its header specifies, or no dtype of this crate represents
/// the file's, as of complex numbers, which [`read_tree`] reads. Sizes are checked before anything is allocated.
pub fn read(bytes: &[u8]) -> Result<Array, Malformed> {
    let (text, data) = split(bytes)?;
    match Announced::parse(text)?.require_real()?.decode(data)? {
        Tree::Leaf(array) => Ok(array),
        _ => unreachable!("bug: an array of several parts"),
    }
}

/// Reads the bytes of a `.npy` file of real or complex numbers: complex ones are the [pair](Tree::complex) of their parts.
///
/// ```
/// use retrograd::value::{Array, Tree, npy};
///
/// let part = |x: [f64; 2]| Array::from_elements([2], x.to_vec()).unwrap();
/// let bytes = npy::write_complex(&part([1.0, 2.0]), &part([3.0, 4.0]))?;
/// let z = npy::read_tree(&bytes)?;
/// assert_eq!(z, Tree::complex(Tree::Leaf(part([1.0, 2.0])), Tree::Leaf(part([3.0, 4.0]))));
/// # Ok::<(), retrograd::value::Malformed>(())
/// ```
///
/// # Errors
/// As [`read`].
pub fn read_tree(bytes: &[u8]) -> Result<Tree<Array>, Malformed> {
    let (text, data) = split(bytes)?;
    Announced::parse(text)?.decode(data)
}

/// The type of the array in a `.npy` file. Nothing is allocated for its elements.
///
/// ```
/// use retrograd::value::{Array, DType, Type, npy};
///
/// let bytes = npy::write(&Array::zeros(&Type::new(DType::F32, [2, 3])));
/// assert_eq!(npy::read_type(&bytes), Ok(Type::new(DType::F32, [2, 3])));
/// ```
///
/// # Errors
/// As [`read`], but elements are not looked at.
pub fn read_type(bytes: &[u8]) -> Result<Type, Malformed> {
    let (text, data) = split(bytes)?;
    let announced = Announced::parse(text)?.require_real()?;
    announced.check_length(data)?;
    Ok(announced.ty)
}

/// The type of what [`read_tree`] reads. Nothing is allocated for its elements.
///
/// ```
/// use retrograd::value::{Array, npy};
///
/// let bytes = npy::write_complex(&Array::scalar(1f32), &Array::scalar(2f32))?;
/// assert_eq!(npy::read_type_tree(&bytes)?.to_string(), "complex f32[]");
/// # Ok::<(), retrograd::value::Malformed>(())
/// ```
///
/// # Errors
/// As [`read_type`].
pub fn read_type_tree(bytes: &[u8]) -> Result<Tree<Type>, Malformed> {
    let (text, data) = split(bytes)?;
    let announced = Announced::parse(text)?;
    announced.check_length(data)?;
    Ok(announced.types())
}

/// The contents of a header.
pub(super) struct Announced {
    header: Header,
    kind: Kind,
    /// The type of the array; for complex numbers, of each part.
    ty: Type,
    /// The bytes of the data.
    n_bytes: usize,
}

impl Announced {
    fn parse(text: &str) -> Result<Announced, Malformed> {
        let header = Header::parse(text)?;
        let kind = Kind::parse(&header.descr)?;
        let ty = Type::new(kind.dtype(), Shape::from(header.shape.clone()));
        let n_bytes = ty.shape.checked_size().and_then(|size| size.checked_mul(kind.bytes * kind.n_parts()));
        let announced = Announced { header, kind, ty, n_bytes: n_bytes.unwrap_or_default() };
        match n_bytes.and_then(|_| announced.array_bytes()) {
            Some(_) => Ok(announced),
            None => Err(Malformed::whole(format!("{} does not fit into memory", announced.types()))),
        }
    }

    /// The type of what is read.
    pub fn types(&self) -> Tree<Type> {
        if self.kind.is_complex { self.ty.clone().complex() } else { Tree::Leaf(self.ty.clone()) }
    }

    /// The bytes of all arrays that are read.
    fn array_bytes(&self) -> Option<usize> {
        self.ty.checked_bytes()?.checked_mul(self.kind.n_parts()).filter(|&bytes| isize::try_from(bytes).is_ok())
    }

    fn require_real(self) -> Result<Announced, Malformed> {
        if self.kind.is_complex {
            let descr = &self.header.descr;
            let requirement = format!("takes real numbers, but got the dtype '{descr}'; `read_tree` reads both parts");
            return Err(Malformed::whole(requirement));
        }
        Ok(self)
    }

    fn check_length(&self, data: &[u8]) -> Result<(), Malformed> {
        let (ty, n_bytes) = (self.types(), &self.n_bytes);
        if data.len() < *n_bytes {
            let got = data.len();
            return Err(Malformed::whole(format!(
                "is truncated: the data of {ty} takes {n_bytes} bytes, but there are {got}"
            )));
        }
        if data.len() > *n_bytes {
            let more = data.len() - n_bytes;
            return Err(Malformed::whole(format!("has {more} bytes beyond the data of {ty}")));
        }
        Ok(())
    }

    fn decode(&self, data: &[u8]) -> Result<Tree<Array>, Malformed> {
        self.check_length(data)?;
        let bytes = self.array_bytes().ok_or_else(|| self.no_memory())?;
        Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| self.no_memory())?;
        let part = |first: usize| self.kind.decode(data, &self.header, first).map(Tree::Leaf);
        if self.kind.is_complex { Ok(Tree::complex(part(0)?, part(1)?)) } else { part(0) }
    }

    fn no_memory(&self) -> Malformed {
        Malformed::whole(format!("{} takes more memory than the system gives", self.types()))
    }
}

/// Reading the members of archives piece by piece.
#[cfg(feature = "npz")]
impl Announced {
    /// Reads a header from the beginning of a file, and nothing after it. Also returns its length in bytes.
    pub fn read(file: &mut dyn Read) -> Result<(Announced, u64), Malformed> {
        let mut head = Vec::new();
        let mut more = |head: &mut Vec<u8>, n: u64| {
            Read::take(&mut *file, n).read_to_end(head).map_err(|error| cannot_be_unpacked(&error))
        };
        // The prefix contains the length of the text; its longer form has two more bytes.
        more(&mut head, 10)?;
        if head.get(MAGIC.len()).is_some_and(|&major| major > 1) {
            more(&mut head, 2)?;
        }
        match text_length(&head) {
            Some(length) if length > MAX_HEADER => {
                return Err(Malformed::whole(format!(
                    "takes headers of {MAX_HEADER} bytes, but this one has {length}"
                )));
            }
            Some(length) => drop(more(&mut head, length)?),
            None => {}
        }
        let (text, _) = split(&head)?;
        Ok((Announced::parse(text)?, head.len() as u64))
    }

    /// The larger of the sizes of the data and of what is read, in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.array_bytes().map_or(u64::MAX, |bytes| bytes.max(self.n_bytes) as u64)
    }

    /// Reads the data after the header, which must be the rest of the file.
    pub fn read_data(&self, file: &mut dyn Read) -> Result<Tree<Array>, Malformed> {
        let mut data = Vec::new();
        // One more byte, to detect a file that is too long.
        data.try_reserve_exact(self.n_bytes.saturating_add(1)).map_err(|_| self.no_memory())?;
        let length = (self.n_bytes as u64).saturating_add(1);
        Read::take(file, length).read_to_end(&mut data).map_err(|error| cannot_be_unpacked(&error))?;
        self.decode(&data)
    }
}

#[cfg(feature = "npz")]
fn cannot_be_unpacked(error: &io::Error) -> Malformed {
    Malformed::whole(format!("cannot be unpacked: {error}"))
}

/// The length of a header's text, if the prefix is complete.
#[cfg(feature = "npz")]
fn text_length(head: &[u8]) -> Option<u64> {
    let (version, length) = head.strip_prefix(MAGIC)?.split_first_chunk::<2>()?;
    match version[0] {
        1 => length.first_chunk().map(|&length| u16::from_le_bytes(length).into()),
        _ => length.first_chunk().map(|&length| u32::from_le_bytes(length).into()),
    }
}

/// The bytes that `numpy.save` writes for this array.
pub fn write(array: &Array) -> Vec<u8> {
    let descr = match array.dtype() {
        DType::F64 => "<f8",
        DType::F32 => "<f4",
        DType::I64 => "<i8",
        DType::Bool => "|b1",
    };
    let mut bytes = header(descr, array.shape());
    bytes.reserve(array.size() * array.dtype().size());
    match array {
        Array::F64(a) => a.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Array::F32(a) => a.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Array::I64(a) => a.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Array::Bool(a) => a.iter().for_each(|&x| bytes.push(x.into())),
    }
    bytes
}

/// The bytes that `numpy.save` writes for the complex array of these parts: `complex128` or `complex64`.
///
/// # Errors
/// If the parts are not of one type, or not of floating point.
pub fn write_complex(re: &Array, im: &Array) -> Result<Vec<u8>, Malformed> {
    if !is_pair(re, im) {
        let requirement = format!("takes parts of one type of floating point, but got {} and {}", re.ty(), im.ty());
        return Err(Malformed::whole(requirement));
    }
    let mut bytes = header(if re.dtype() == DType::F64 { "<c16" } else { "<c8" }, re.shape());
    bytes.reserve(2 * re.size() * re.dtype().size());
    if let (Array::F64(re), Array::F64(im)) = (re, im) {
        re.iter().zip(im).for_each(|(re, im)| bytes.extend([re.to_le_bytes(), im.to_le_bytes()].as_flattened()));
    }
    if let (Array::F32(re), Array::F32(im)) = (re, im) {
        re.iter().zip(im).for_each(|(re, im)| bytes.extend([re.to_le_bytes(), im.to_le_bytes()].as_flattened()));
    }
    Ok(bytes)
}

/// Whether these are the parts of a complex array.
pub(super) fn is_pair(re: &Array, im: &Array) -> bool {
    re.dtype().is_float() && re.ty() == im.ty()
}

/// The header's text, and the data.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), Malformed> {
    let truncated = || Malformed::whole("is truncated: the header ends too soon");
    if !is_npy(bytes) {
        let cut = bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes);
        return Err(if cut {
            truncated()
        } else {
            Malformed::whole("is not a .npy file: it does not begin with \\x93NUMPY")
        });
    }
    let rest = &bytes[MAGIC.len()..];
    let (&[major, minor], rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
    let (length, rest) = match major {
        1 => rest.split_first_chunk::<2>().map(|(&length, rest)| (u16::from_le_bytes(length).into(), rest)),
        2 | 3 => rest.split_first_chunk::<4>().map(|(&length, rest)| (u32::from_le_bytes(length), rest)),
        _ => {
            let requirement = format!("takes versions 1 to 3 of the format, but got {major}.{minor}");
            return Err(Malformed::whole(requirement));
        }
    }
    .ok_or_else(truncated)?;
    let (text, data) = rest.split_at_checked(length as usize).ok_or_else(truncated)?;
    let text = std::str::from_utf8(text).map_err(|_| Malformed::whole("the header is not text"))?;
    Ok((text, data))
}

fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let shape = match &extents[..] {
        [only] => format!("({only},)"),
        extents => format!("({})", extents.join(", ")),
    };
    let growth = extents.first().map_or(0, |first| GROWTH_DIGITS - first.len());
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}{:growth$}", "");
    // Version 1 has a 16-bit header length; an array with thousands of axes requires version 2.
    let narrow = MAGIC.len() + 2 + 2;
    let padding = |prefix: usize| ALIGNMENT - (prefix + text.len() + 1) % ALIGNMENT;
    let length = text.len() + padding(narrow) + 1;
    let mut bytes = MAGIC.to_vec();
    let padding = if let Ok(length) = u16::try_from(length) {
        bytes.extend([1, 0]);
        bytes.extend(length.to_le_bytes());
        padding(narrow)
    } else {
        let padding = padding(narrow + 2);
        let length = u32::try_from(text.len() + padding + 1).expect("bug: a shape of a billion axes");
        bytes.extend([2, 0]);
        bytes.extend(length.to_le_bytes());
        padding
    };
    bytes.extend(text.as_bytes());
    bytes.extend(std::iter::repeat_n(b' ', padding));
    bytes.push(b'\n');
    bytes
}

/// The parts of a NumPy dtype such as `<f8`.
struct Kind {
    letter: u8,
    /// The bytes of an element, or of a part of it.
    bytes: usize,
    big_endian: bool,
    /// Whether an element is the pair of its parts.
    is_complex: bool,
}

impl Kind {
    fn parse(descr: &str) -> Result<Kind, Malformed> {
        let refused = || {
            Malformed::whole(format!(
                "takes floats of 16, 32 or 64 bits, complex numbers of 64 or 128, integers or bool, but got the \
                 dtype '{descr}'"
            ))
        };
        if let [order @ (b'<' | b'>'), b'c', size @ ..] = descr.as_bytes() {
            let bytes = match size {
                b"8" => 4,
                b"16" => 8,
                _ => return Err(refused()),
            };
            return Ok(Kind { letter: b'f', bytes, big_endian: *order == b'>', is_complex: true });
        }
        let [order, letter, digit] = descr.as_bytes() else { return Err(refused()) };
        let bytes = usize::from(digit.wrapping_sub(b'0'));
        let known = match letter {
            b'f' => [2, 4, 8].contains(&bytes),
            b'i' | b'u' => [1, 2, 4, 8].contains(&bytes),
            b'b' => bytes == 1,
            _ => false,
        };
        // `=` is the byte order of the writing machine, which is unknown.
        let big_endian = match order {
            b'<' => false,
            b'>' => true,
            b'|' if bytes == 1 => false,
            _ => return Err(refused()),
        };
        if known { Ok(Kind { letter: *letter, bytes, big_endian, is_complex: false }) } else { Err(refused()) }
    }

    fn dtype(&self) -> DType {
        match (self.letter, self.bytes) {
            (b'f', 8) => DType::F64,
            (b'f', _) => DType::F32,
            (b'b', _) => DType::Bool,
            _ => DType::I64,
        }
    }

    /// How many numbers an element is.
    fn n_parts(&self) -> usize {
        if self.is_complex { 2 } else { 1 }
    }

    /// The array of the first or second parts.
    fn decode(&self, data: &[u8], header: &Header, part: usize) -> Result<Array, Malformed> {
        match (self.letter, self.bytes) {
            (b'f', 8) if self.is_complex => Ok(header.array(self.parts(data, part, f64::from_le_bytes))),
            (b'f', 4) if self.is_complex => Ok(header.array(self.parts(data, part, f32::from_le_bytes))),
            (b'f', 8) => Ok(header.array(self.elements(data, f64::from_le_bytes))),
            (b'f', 4) => Ok(header.array(self.elements(data, f32::from_le_bytes))),
            (b'f', _) => Ok(header.array(self.elements(data, |x| half(u16::from_le_bytes(x))))),
            (b'i', 8) => Ok(header.array(self.elements(data, i64::from_le_bytes))),
            (b'i', 4) => Ok(header.array(self.elements(data, |x| i64::from(i32::from_le_bytes(x))))),
            (b'i', 2) => Ok(header.array(self.elements(data, |x| i64::from(i16::from_le_bytes(x))))),
            (b'i', _) => Ok(header.array(self.elements(data, |x| i64::from(i8::from_le_bytes(x))))),
            (b'u', 4) => Ok(header.array(self.elements(data, |x| i64::from(u32::from_le_bytes(x))))),
            (b'u', 2) => Ok(header.array(self.elements(data, |x| i64::from(u16::from_le_bytes(x))))),
            (b'u', 1) => Ok(header.array(self.elements(data, |[x]| i64::from(x)))),
            (b'u', _) => {
                let unsigned = self.elements(data, u64::from_le_bytes);
                let signed: Result<Vec<i64>, _> = unsigned.iter().map(|&x| i64::try_from(x).map_err(|_| x)).collect();
                let too_large = |x| Malformed::whole(format!("takes integers up to {}, but got {x}", i64::MAX));
                Ok(header.array(signed.map_err(too_large)?))
            }
            _ => match data.iter().find(|&&x| x > 1) {
                None => Ok(header.array(self.elements(data, |[x]| x == 1))),
                Some(x) => Err(Malformed::whole(format!("takes truth values as bytes of 0 or 1, but got {x}"))),
            },
        }
    }

    fn elements<const N: usize, T>(&self, data: &[u8], from_le_bytes: impl Fn([u8; N]) -> T) -> Vec<T> {
        let (chunks, _) = data.as_chunks::<N>();
        chunks.iter().map(|&chunk| from_le_bytes(self.in_little_endian(chunk))).collect()
    }

    fn parts<const N: usize, T>(&self, data: &[u8], part: usize, from_le_bytes: impl Fn([u8; N]) -> T) -> Vec<T> {
        let (chunks, _) = data.as_chunks::<N>();
        chunks.as_chunks::<2>().0.iter().map(|pair| from_le_bytes(self.in_little_endian(pair[part]))).collect()
    }

    fn in_little_endian<const N: usize>(&self, mut chunk: [u8; N]) -> [u8; N] {
        if self.big_endian {
            chunk.reverse();
        }
        chunk
    }
}

/// Converts a float of 16 bits (IEEE 754 binary16), which is exact in 32.
fn half(bits: u16) -> f32 {
    let fraction = f32::from(bits & 0x3ff);
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1.0 + fraction / 1024.0) * 2f32.powi(i32::from(exponent) - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The fields of a header, a literal of a Python dictionary.
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Header, Malformed> {
        let mut literal = Literal { rest: text };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        literal.expect('{')?;
        while !literal.takes('}') {
            let key = literal.string()?;
            literal.expect(':')?;
            match key {
                "descr" if descr.is_none() => descr = Some(literal.dtype()?.to_string()),
                "fortran_order" if fortran_order.is_none() => fortran_order = Some(literal.bool()?),
                "shape" if shape.is_none() => shape = Some(literal.tuple()?),
                "descr" | "fortran_order" | "shape" => {
                    return Err(Malformed::whole(format!("the header has '{key}' twice")));
                }
                _ => return Err(Malformed::whole(format!("the header has the unknown key '{key}'"))),
            }
            if !literal.takes(',') {
                literal.expect('}')?;
                break;
            }
        }
        literal.end()?;
        let missing = |key: &str| Malformed::whole(format!("the header has no '{key}'"));
        Ok(Header {
            descr: descr.ok_or_else(|| missing("descr"))?,
            fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }

    /// The array of these elements, in row-major order.
    fn array<T: Element>(&self, elements: Vec<T>) -> Array {
        let shape = IxDyn(&self.shape).set_f(self.fortran_order);
        Array::from_ndarray(ArrayD::from_shape_vec(shape, elements).expect("bug: the number of elements was compared"))
    }
}

/// A parser for the subset of Python literals that headers use.
struct Literal<'t> {
    rest: &'t str,
}

impl<'t> Literal<'t> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), Malformed> {
        if self.takes(wanted) { Ok(()) } else { Err(self.wrong(&format!("'{wanted}'"))) }
    }

    fn string(&mut self) -> Result<&'t str, Malformed> {
        self.skip_space();
        let quote = self.rest.chars().next().filter(|c| ['\'', '"'].contains(c));
        let parts = quote.and_then(|quote| self.rest[1..].split_once(quote));
        let (text, rest) = parts.ok_or_else(|| self.wrong("a string"))?;
        self.rest = rest;
        Ok(text)
    }

    /// A plain dtype; a structured one, which is a list, is an error.
    fn dtype(&mut self) -> Result<&'t str, Malformed> {
        self.skip_space();
        if self.rest.starts_with('[') {
            return Err(Malformed::whole("takes numbers, but got a structured dtype"));
        }
        self.string()
    }

    fn bool(&mut self) -> Result<bool, Malformed> {
        self.skip_space();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(self.wrong("True or False"))
    }

    fn tuple(&mut self) -> Result<Vec<usize>, Malformed> {
        let mut extents = Vec::new();
        self.expect('(')?;
        while !self.takes(')') {
            extents.push(self.extent()?);
            if !self.takes(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(extents)
    }

    fn extent(&mut self) -> Result<usize, Malformed> {
        self.skip_space();
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let extent = digits.parse().map_err(|_| self.wrong("an extent"))?;
        // Python 2 wrote long integers with a letter.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        Ok(extent)
    }

    fn end(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.rest.is_empty() { Ok(()) } else { Err(self.wrong("its end")) }
    }

    fn wrong(&self, wanted: &str) -> Malformed {
        let got: String = self.rest.chars().take(20).collect();
        Malformed::whole(format!("the header takes {wanted} where it has {got:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 1 with this header and data.
    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC.as_slice(), &[1, 0], &length, header.as_bytes(), data].concat()
    }

    fn plain(descr: &str, data: &[u8]) -> Result<Array, Malformed> {
        let size = data.len() / usize::from(descr.as_bytes()[2] - b'0');
        read(&file(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({size},), }}"), data))
    }

    #[test]
    fn dtypes_widen_without_loss() {
        let integers = |x: &[i64]| Ok(Array::from_elements([x.len()], x.to_vec()).unwrap());
        assert_eq!(plain("|u1", &[0, 200]), integers(&[0, 200]));
        assert_eq!(plain("|i1", &[0, 200]), integers(&[0, -56]));
        assert_eq!(plain("<u2", &[1, 255]), integers(&[0xff01]));
        assert_eq!(plain(">i2", &[255, 1]), integers(&[-255]));
        assert_eq!(plain(">u4", &[255, 0, 0, 1]), integers(&[0xff00_0001]));
        assert_eq!(plain("<i4", &[255; 4]), integers(&[-1]));
        assert_eq!(plain("<u8", &i64::MAX.to_le_bytes()), integers(&[i64::MAX]));
        let singles = |x: &[f32]| Ok(Array::from_elements([x.len()], x.to_vec()).unwrap());
        assert_eq!(plain(">f4", &0.1f32.to_be_bytes()), singles(&[0.1]));
        // 1, the largest, the smallest positive, -0, -inf and NaN of 16 bits.
        let halves = [0x3c00u16, 0x7bff, 0x0001, 0x8000, 0xfc00, 0x7e00].map(u16::to_le_bytes).concat();
        let expected = [1.0, 65504.0, 2f32.powi(-24), -0.0, f32::NEG_INFINITY, f32::NAN];
        assert_eq!(plain("<f2", &halves), singles(&expected));
        assert_eq!(plain(">f8", &[0.1f64, -0.0].map(f64::to_be_bytes).concat()).unwrap().to_json(), "[0.1, -0.0]");
        assert_eq!(plain("|b1", &[0, 1]).unwrap().to_json(), "[false, true]");
    }

    #[test]
    fn fortran_order_is_read() {
        let header = "{\"shape\": (2L, 3), 'fortran_order': True, 'descr': '|i1'}  \n";
        assert_eq!(read(&file(header, &[1, 4, 2, 5, 3, 6])).unwrap().to_json(), "[[1, 2, 3], [4, 5, 6]]");
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }";
        assert_eq!(read(&file(header, &[])).unwrap().ty().to_string(), "f64[0,3]");
    }

    #[test]
    fn written_files_can_be_read() {
        let arrays = [
            Array::scalar(f64::NAN),
            Array::from_elements([2, 0, 3], Vec::<f32>::new()).unwrap(),
            Array::from_elements([3], vec![i64::MIN, 0, i64::MAX]).unwrap(),
            Array::from_elements([1, 2], vec![true, false]).unwrap(),
            Array::from_elements(vec![1; 30_000], vec![1.5f64]).unwrap(),
        ];
        for array in arrays {
            let bytes = write(&array);
            assert_eq!((bytes.len() - array.size() * array.dtype().size()) % ALIGNMENT, 0);
            assert_eq!(read(&bytes).unwrap(), array);
        }
    }

    #[test]
    fn complex_numbers_are_pairs() {
        let doubles = |x: [f64; 4]| Tree::Leaf(Array::from_elements([2, 2], x.to_vec()).unwrap());
        let shape = "'shape': (2, 2), }";
        let data = [1.0, -0.0, 2.0, f64::INFINITY, 3.0, -3.0, 4.0, f64::NAN];
        let bytes =
            file(&format!("{{'descr': '>c16', 'fortran_order': True, {shape}"), &data.map(f64::to_be_bytes).concat());
        let transposed = Tree::complex(doubles([1.0, 3.0, 2.0, 4.0]), doubles([-0.0, -3.0, f64::INFINITY, f64::NAN]));
        assert_eq!(read_tree(&bytes).unwrap(), transposed);
        assert_eq!(read_type_tree(&bytes).unwrap().to_string(), "complex f64[2,2]");
        let refused = "takes real numbers, but got the dtype '>c16'; `read_tree` reads both parts";
        assert_eq!([read(&bytes).unwrap_err().to_string(), read_type(&bytes).unwrap_err().to_string()], [refused; 2]);
        let singles = [1f32, 2.0, 3.0, 4.0];
        let part = |x: [f32; 2]| Array::from_elements([2], x.to_vec()).unwrap();
        let bytes =
            file("{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", &singles.map(f32::to_le_bytes).concat());
        let (re, im) = (part([1.0, 3.0]), part([2.0, 4.0]));
        let pair = Tree::complex(Tree::Leaf(re.clone()), Tree::Leaf(im.clone()));
        assert_eq!(read_tree(&bytes).unwrap(), pair);
        let written = write_complex(&re, &im).unwrap();
        assert_eq!((read_tree(&written).unwrap(), (written.len() - 16) % ALIGNMENT), (pair, 0));
        for length in 0..written.len() {
            let error = read_tree(&written[..length]).unwrap_err().to_string();
            assert!(error.starts_with("is truncated: "), "{length}: {error}");
        }
        let nothing = Array::from_elements([0, 3], Vec::<f64>::new()).unwrap();
        let bytes = write_complex(&nothing, &nothing).unwrap();
        assert_eq!(read_type_tree(&bytes).unwrap().to_string(), "complex f64[0,3]");
        let error = write_complex(&re, &nothing).unwrap_err().to_string();
        assert_eq!(error, "takes parts of one type of floating point, but got f32[2] and f64[0,3]");
        assert!(write_complex(&Array::scalar(1i64), &Array::scalar(2i64)).is_err());
    }

    /// Every truncated file is an error, without allocating what only its header announces.
    #[test]
    fn truncated_files_are_errors() {
        let whole = write(&Array::from_elements([2], vec![1.0, 2.0]).unwrap());
        for length in 0..whole.len() {
            let error = read(&whole[..length]).unwrap_err().to_string();
            assert!(error.starts_with("is truncated: "), "{length}: {error}");
        }
    }

    #[test]
    fn errors_say_what_is_required() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(read(bytes).unwrap_err().to_string(), expected);
        check(b"PK\x03\x04 and more", "is not a .npy file: it does not begin with \\x93NUMPY");
        check(b"\x93NUMPY\x04\x00", "takes versions 1 to 3 of the format, but got 4.0");
        let of = |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
        let header = |text: &str, expected: &str| check(&file(text, &[]), expected);
        header(
            &of("'<f8'", "(1000000, 1000000)"),
            "is truncated: the data of f64[1000000,1000000] takes 8000000000000 bytes, but there are 0",
        );
        header(&of("'<f8'", "(4611686018427387904, 4)"), "f64[4611686018427387904,4] does not fit into memory");
        header(&of("'|u1'", "(4611686018427387904,)"), "i64[4611686018427387904] does not fit into memory");
        header(&of("'<c16'", "(576460752303423488,)"), "complex f64[576460752303423488] does not fit into memory");
        header(
            &of("'<f8'", "(99999999999999999999999,)"),
            "the header takes an extent where it has \"99999999999999999999\"",
        );
        header(&of("'<f8'", "(-1,)"), "the header takes an extent where it has \"-1,), }\"");
        let refused =
            "takes floats of 16, 32 or 64 bits, complex numbers of 64 or 128, integers or bool, but got the dtype ";
        for descr in ["<c4", "<c32", "|c8", "c16", "=c16", "|O", "<U3", "<f16", "=f8", "<M8[s]", "|f8", "<i3"] {
            header(&of(&format!("'{descr}'"), "()"), &format!("{refused}'{descr}'"));
        }
        header(&of("[('x', '<f8')]", "()"), "takes numbers, but got a structured dtype");
        header("{'descr': '<f8', 'shape': ()}", "the header has no 'fortran_order'");
        header("{'descr': '<f8', 'descr': '<f8'}", "the header has 'descr' twice");
        header("{'order': 'C'}", "the header has the unknown key 'order'");
        header("{'shape': () 3}", "the header takes '}' where it has \"3}\"");
        header("{} and more", "the header takes its end where it has \"and more\"");
        header("{'fortran_order': 1}", "the header takes True or False where it has \"1}\"");
        header("[]", "the header takes '{' where it has \"[]\"");
        check(&file(&of("'<f8'", "()"), &[0; 9]), "has 1 bytes beyond the data of f64[]");
        check(&file(&of("'|b1'", "()"), &[2]), "takes truth values as bytes of 0 or 1, but got 2");
        let error = plain("<u8", &[255; 8]).unwrap_err().to_string();
        assert_eq!(error, "takes integers up to 9223372036854775807, but got 18446744073709551615");
        check(&[MAGIC.as_slice(), &[1, 0, 1, 0, 0xff]].concat(), "the header is not text");
    }
}
