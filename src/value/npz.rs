//! The `.npz` format of NumPy: arrays by name, each as a [`.npy`](super::npy) member of a zip archive, stored or
//! deflated.
//!
//! ```
//! use retrograd::value::{Array, npz};
//!
//! let (w, b) = (Array::from_elements([2], vec![0.5, -0.5]).unwrap(), Array::scalar(1.0));
//! let bytes = npz::write([("w", &w), ("b", &b)])?;
//! assert_eq!(npz::read(&bytes, 1 << 20)?, [("w".to_string(), w), ("b".to_string(), b)]);
//! # Ok::<(), retrograd::value::Malformed>(())
//! ```
//!
//! A complex array `z` is the two arrays `z.re` and `z.im` of its parts: so it is read, and so it is written, if these follow
//! each other, are of one type of floating point, and no other array is named `z`.
//!
//! ```
//! use retrograd::value::{Array, npz};
//!
//! let (re, im) = (Array::scalar(1.0), Array::scalar(2.0));
//! let bytes = npz::write([("z.re", &re), ("z.im", &im)])?;
//! assert_eq!(npz::entries(&bytes)?[0].1.to_string(), "complex f64[]");
//! assert_eq!(npz::read(&bytes, 1 << 20)?, [("z.re".to_string(), re), ("z.im".to_string(), im)]);
//! # Ok::<(), retrograd::value::Malformed>(())
//! ```

use std::collections::HashSet;
use std::io::{Cursor, Read, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{Array, Malformed, Tree, Type, npy};

/// Whether the bytes begin as those of a `.npz` file do, with or without members.
pub fn is_npz(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Reads the bytes of a `.npz` file: the arrays by name, in the order of the file. Sizes are checked before anything is
/// unpacked, and no more of a member is read than its header announces.
///
/// # Errors
/// If the bytes are not such a file, a member is not an array, two members or parts have the same name, or all members
/// together take more than `max_bytes` when unpacked.
pub fn read(bytes: &[u8], max_bytes: u64) -> Result<Vec<(String, Array)>, Malformed> {
    let mut archive = Archive::open(bytes, max_bytes)?;
    let positions = 0..archive.names.len();
    let members = positions.map(|position| Ok((archive.names[position].clone(), archive.array(position)?)));
    leaves(members.collect::<Result<_, Malformed>>()?)
}

/// The names and types of the arrays of a `.npz` file, in the order of the file; their headers alone are read.
///
/// ```
/// use retrograd::value::{Array, DType, Type, npz};
///
/// let w = Array::from_elements([2], vec![0.5, -0.5]).unwrap();
/// let bytes = npz::write([("w", &w)])?;
/// assert_eq!(npz::types(&bytes)?, [("w".to_string(), Type::new(DType::F64, [2]))]);
/// # Ok::<(), retrograd::value::Malformed>(())
/// ```
///
/// # Errors
/// If the bytes are not such a file, a member is not an array, or two members or parts have the same name.
pub fn types(bytes: &[u8]) -> Result<Vec<(String, Type)>, Malformed> {
    leaves(entries(bytes)?)
}

/// The names and types of the members of a `.npz` file, complex arrays among them, in the order of the file; their headers
/// alone are read.
///
/// # Errors
/// If the bytes are not such a file, a member is not an array, or two members have the same name.
pub fn entries(bytes: &[u8]) -> Result<Vec<(String, Tree<Type>)>, Malformed> {
    let mut archive = Archive::open(bytes, u64::MAX)?;
    let positions = 0..archive.names.len();
    positions.map(|position| Ok((archive.names[position].clone(), archive.announced(position)?.types()))).collect()
}

/// Reads one array of a `.npz` file, by its position in the list of [`types`].
///
/// # Errors
/// As [`read`]; and if there is no array at that position.
pub fn read_at(bytes: &[u8], position: usize, max_bytes: u64) -> Result<Array, Malformed> {
    let mut first = 0;
    for (member, (_, types)) in entries(bytes)?.iter().enumerate() {
        let n_leaves = types.n_leaves();
        if position < first + n_leaves {
            let mut arrays = Vec::new();
            read_entry(bytes, member, max_bytes)?.take_each(&mut |array| arrays.push(array));
            return Ok(arrays.swap_remove(position - first));
        }
        first += n_leaves;
    }
    Err(Malformed::whole(format!("has {first} arrays, and none at {position}")))
}

/// Reads one member of a `.npz` file, by its position in the list of [`entries`].
///
/// # Errors
/// As [`read`]; and if there is no member at that position.
pub fn read_entry(bytes: &[u8], position: usize, max_bytes: u64) -> Result<Tree<Array>, Malformed> {
    Archive::open(bytes, max_bytes)?.array(position)
}

/// The leaves of all members, by their names.
fn leaves<T>(members: Vec<(String, Tree<T>)>) -> Result<Vec<(String, T)>, Malformed> {
    let mut named = Vec::with_capacity(members.len());
    let mut seen = HashSet::new();
    for (name, tree) in members {
        let mut names = tree.named_leaves(&name).into_iter().map(|(leaf, _)| leaf).collect::<Vec<_>>().into_iter();
        let mut twice = None;
        tree.take_each(&mut |leaf| {
            let leaf_name = names.next().expect("bug: a leaf without a name");
            if !seen.insert(leaf_name.clone()) {
                twice = Some(leaf_name.clone());
            }
            named.push((leaf_name, leaf));
        });
        if let Some(twice) = twice {
            return Err(Malformed::at(format!("{name}.npy"), format!("the array {twice} occurs twice")));
        }
    }
    Ok(named)
}

/// A `.npz` file that is being read.
struct Archive<'b> {
    archive: ZipArchive<Cursor<&'b [u8]>>,
    names: Vec<String>,
    max_bytes: u64,
    /// The bytes that may still be unpacked.
    left: u64,
}

impl<'b> Archive<'b> {
    fn open(bytes: &'b [u8], max_bytes: u64) -> Result<Archive<'b>, Malformed> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| not_an_archive(bytes, &error))?;
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        for position in 0..archive.len() {
            let nameless = |error: ZipError| Malformed::at(format!("member {position}"), error.to_string());
            let member = archive.by_index(position).map_err(nameless)?;
            let file = member.name().map_err(nameless)?.to_string();
            let Some(name) = file.strip_suffix(".npy") else {
                return Err(Malformed::at(file, "takes members of .npy"));
            };
            if !seen.insert(name.to_string()) {
                return Err(Malformed::at(file, "occurs twice"));
            }
            names.push(name.to_string());
        }
        Ok(Archive { archive, names, max_bytes, left: max_bytes })
    }

    fn announced(&mut self, position: usize) -> Result<npy::Announced, Malformed> {
        self.member(position, |member, _| Ok((npy::Announced::read(member)?.0, 0)))
    }

    fn array(&mut self, position: usize) -> Result<Tree<Array>, Malformed> {
        let exceeded = Malformed::whole(format!("limit of {} bytes of unpacked arrays exceeded", self.max_bytes));
        self.member(position, |member, left| {
            let (announced, n_header) = npy::Announced::read(member)?;
            let taken = n_header.saturating_add(announced.max_bytes());
            if taken > left {
                return Err(exceeded);
            }
            Ok((announced.read_data(member)?, taken))
        })
    }

    /// Reads a member; `read` also returns the number of bytes that it has unpacked, at most those left.
    fn member<T>(
        &mut self,
        position: usize,
        read: impl FnOnce(&mut dyn Read, u64) -> Result<(T, u64), Malformed>,
    ) -> Result<T, Malformed> {
        let Some(name) = self.names.get(position) else {
            return Err(Malformed::whole(format!("has {} arrays, and none at {position}", self.names.len())));
        };
        let file = format!("{name}.npy");
        let mut member = self.archive.by_index(position).map_err(|error| Malformed::at(&file, error.to_string()))?;
        let (value, taken) = read(&mut member, self.left).map_err(|error| error.within(&file))?;
        self.left -= taken;
        Ok(value)
    }
}

/// The bytes of a `.npz` file with these arrays, uncompressed as by `numpy.savez`: the same bytes for the same arrays.
///
/// # Errors
/// If two arrays have the same name, or a name is longer than archives allow.
pub fn write<'a>(arrays: impl IntoIterator<Item = (&'a str, &'a Array)>) -> Result<Vec<u8>, Malformed> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members(&arrays.into_iter().collect::<Vec<_>>())? {
        let wrong = |error: &dyn ToString| Malformed::at(format!("{name}.npy"), error.to_string());
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(u32::try_from(bytes.len()).is_err());
        archive.start_file(format!("{name}.npy"), options).map_err(|error| wrong(&error))?;
        archive.write_all(&bytes).map_err(|error| wrong(&error))?;
    }
    let bytes = archive.finish().map_err(|error| Malformed::whole(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// The members of an archive with these arrays; those of the parts of complex arrays are joined.
fn members<'a>(arrays: &[(&'a str, &Array)]) -> Result<Vec<(&'a str, Vec<u8>)>, Malformed> {
    let names: HashSet<&str> = arrays.iter().map(|(name, _)| *name).collect();
    let mut members = Vec::new();
    let mut rest = arrays;
    while let [(name, array), after @ ..] = rest {
        rest = after;
        if let (Some(whole), [(second, im), beyond @ ..]) = (name.strip_suffix(".re"), after)
            && second.strip_suffix(".im") == Some(whole)
            && npy::is_pair(array, im)
            && !names.contains(whole)
        {
            members.push((whole, npy::write_complex(array, im)?));
            rest = beyond;
        } else {
            members.push((*name, npy::write(array)));
        }
    }
    Ok(members)
}

/// The list of members is at the end of an archive, so a truncated one lacks it.
fn not_an_archive(bytes: &[u8], error: &ZipError) -> Malformed {
    Malformed::whole(match is_npz(bytes) {
        true => format!("is damaged or truncated: {error}"),
        false => "is not a .npz file: it does not begin as a zip archive".to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deflated(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            archive.start_file(*name, options).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn fails(bytes: &[u8], max_bytes: u64) -> String {
        read(bytes, max_bytes).unwrap_err().to_string()
    }

    #[test]
    fn written_files_can_be_read() {
        let (x, y) = (Array::scalar(true), Array::from_elements([2], vec![1.5f32, -0.0]).unwrap());
        let bytes = write([("x.grad", &x), ("y", &y)]).unwrap();
        assert_eq!(bytes, write([("x.grad", &x), ("y", &y)]).unwrap());
        let arrays = vec![("x.grad".to_string(), x), ("y".to_string(), y)];
        assert_eq!(read(&bytes, 1 << 20), Ok(arrays));
        assert_eq!(read(&write([]).unwrap(), 0), Ok(vec![]));
        assert_eq!(write([("x", &Array::scalar(1.0)); 2]).unwrap_err().place, "x.npy");
    }

    #[test]
    fn complex_arrays_are_two() {
        let (re, im) =
            (Array::from_elements([2], vec![1.0, 2.0]).unwrap(), Array::from_elements([2], vec![3.0, 4.0]).unwrap());
        let single = Array::scalar(1f32);
        let names = |arrays: &[(&str, &Array)]| -> Vec<String> {
            let bytes = write(arrays.iter().copied()).unwrap();
            let entries = entries(&bytes).unwrap().into_iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
            let expected = arrays.iter().map(|(name, array)| (name.to_string(), (*array).clone())).collect();
            assert_eq!(read(&bytes, 1 << 20), Ok(expected));
            let types: Vec<(String, Type)> =
                arrays.iter().map(|(name, array)| (name.to_string(), array.ty())).collect();
            assert_eq!(super::types(&bytes), Ok(types));
            for (position, (_, array)) in arrays.iter().enumerate() {
                assert_eq!(read_at(&bytes, position, 1 << 20).as_ref(), Ok(*array));
            }
            assert!(read_at(&bytes, arrays.len(), 1 << 20).is_err());
            entries
        };
        assert_eq!(
            names(&[("x", &re), ("z.re", &re), ("z.im", &im), ("y", &im)]),
            ["x: f64[2]", "z: complex f64[2]", "y: f64[2]"]
        );
        assert_eq!(names(&[("z.re", &single), ("z.im", &single)]), ["z: complex f32[]"]);
        // What is no pair stays apart.
        assert_eq!(names(&[("z.im", &im), ("z.re", &re)]), ["z.im: f64[2]", "z.re: f64[2]"]);
        assert_eq!(names(&[("z.re", &re), ("z.im", &single)]), ["z.re: f64[2]", "z.im: f32[]"]);
        assert_eq!(names(&[("z", &re), ("z.re", &re), ("z.im", &im)]), ["z: f64[2]", "z.re: f64[2]", "z.im: f64[2]"]);
        assert_eq!(names(&[("z.re", &re)]), ["z.re: f64[2]"]);
        let pair = npy::write_complex(&re, &im).unwrap();
        let twice = deflated(&[("z.npy", &pair), ("z.im.npy", &npy::write(&im))]);
        assert_eq!(fails(&twice, 1 << 20), "z.im.npy: the array z.im occurs twice");
        // Both parts count.
        let bytes = deflated(&[("z.npy", &pair)]);
        assert!(read(&bytes, pair.len() as u64).is_ok());
        assert_eq!(fails(&bytes, pair.len() as u64 - 1), "z.npy: limit of 159 bytes of unpacked arrays exceeded");
        let cut = deflated(&[("z.npy", &pair[..pair.len() - 3])]);
        assert_eq!(
            fails(&cut, 1000),
            "z.npy: is truncated: the data of complex f64[2] takes 32 bytes, but there are 29"
        );
    }

    #[test]
    fn limits_hold_whatever_the_archive_says() {
        let zeros = npy::write(&Array::from_elements([100_000], vec![0.0; 100_000]).unwrap());
        let bytes = deflated(&[("x.npy", &zeros)]);
        assert!(bytes.len() < zeros.len() / 100);
        assert!(read(&bytes, zeros.len() as u64).is_ok());
        let expected = format!("x.npy: limit of {} bytes of unpacked arrays exceeded", zeros.len() - 1);
        assert_eq!(fails(&bytes, zeros.len() as u64 - 1), expected);
    }

    #[test]
    fn errors_name_the_member() {
        let array = npy::write(&Array::scalar(1.0));
        assert_eq!(
            fails(&deflated(&[("x.npy", &array), ("notes.txt", b"?")]), 1000),
            "notes.txt: takes members of .npy"
        );
        let cut = deflated(&[("x.npy", &array[..array.len() - 3])]);
        assert_eq!(fails(&cut, 1000), "x.npy: is truncated: the data of f64[] takes 8 bytes, but there are 5");
        let whole = deflated(&[("x.npy", &array)]);
        assert!(fails(&whole[..whole.len() - 4], 1000).starts_with("is damaged or truncated: "));
        assert_eq!(fails(&array, 1000), "is not a .npz file: it does not begin as a zip archive");
        // The checksum detects a flipped bit in the data.
        let stored = write([("x", &Array::scalar(1.0))]).unwrap();
        let mut flipped = stored.clone();
        let at = stored.windows(6).position(|window| window == b"\x93NUMPY").unwrap() + array.len() - 1;
        flipped[at] ^= 1;
        assert!(fails(&flipped, 1000).starts_with("x.npy: cannot be unpacked: "), "{}", fails(&flipped, 1000));
        for length in 0..stored.len() {
            assert!(read(&stored[..length], 1000).is_err(), "{length}");
        }
    }
}
