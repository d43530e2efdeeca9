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

use std::collections::HashSet;
use std::io::{Cursor, Read, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{Array, Malformed, npy};

/// Whether the bytes begin as those of a `.npz` file do, with or without members.
pub fn is_npz(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Reads the bytes of a `.npz` file: the arrays by name, in the order of the file.
///
/// # Errors
/// If the bytes are no such file, a member is no array, two have one name, or all of them together take more than
/// `max_bytes` when they are unpacked.
pub fn read(bytes: &[u8], max_bytes: u64) -> Result<Vec<(String, Array)>, Malformed> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| not_an_archive(bytes, &error))?;
    let mut left = max_bytes;
    let mut names = HashSet::new();
    let mut arrays = Vec::new();
    for position in 0..archive.len() {
        let nameless = |error: ZipError| Malformed::at(format!("member {position}"), error.to_string());
        let mut member = archive.by_index(position).map_err(nameless)?;
        let file = member.name().map_err(nameless)?.to_string();
        let Some(name) = file.strip_suffix(".npy") else {
            return Err(Malformed::at(file, "takes members of .npy"));
        };
        // One byte beyond the limit tells a member that is too large from one that just fits; its own word on its
        // size is not to be trusted.
        let mut unpacked = Vec::new();
        let copied = member.by_ref().take(left.saturating_add(1)).read_to_end(&mut unpacked);
        copied.map_err(|error| Malformed::at(&file, format!("cannot be unpacked: {error}")))?;
        left = left
            .checked_sub(unpacked.len() as u64)
            .ok_or_else(|| Malformed::at(&file, format!("limit of {max_bytes} bytes of unpacked arrays exceeded")))?;
        arrays.push((name.to_string(), npy::read(&unpacked).map_err(|error| error.within(&file))?));
        if !names.insert(name.to_string()) {
            return Err(Malformed::at(file, "stands there twice"));
        }
    }
    Ok(arrays)
}

/// The bytes of a `.npz` file with these arrays, stored as `numpy.savez` does it: the same bytes for the same arrays.
///
/// # Errors
/// If two have one name, or a name is longer than archives allow.
pub fn write<'a>(arrays: impl IntoIterator<Item = (&'a str, &'a Array)>) -> Result<Vec<u8>, Malformed> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, array) in arrays {
        let wrong = |error: &dyn ToString| Malformed::at(format!("{name}.npy"), error.to_string());
        let bytes = npy::write(array);
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

/// The list of members stands at an archive's end, so this is what a truncated one lacks.
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
    fn what_is_written_is_read() {
        let (x, y) = (Array::scalar(true), Array::from_elements([2], vec![1.5f32, -0.0]).unwrap());
        let bytes = write([("x.grad", &x), ("y", &y)]).unwrap();
        assert_eq!(bytes, write([("x.grad", &x), ("y", &y)]).unwrap());
        let arrays = vec![("x.grad".to_string(), x), ("y".to_string(), y)];
        assert_eq!(read(&bytes, 1 << 20), Ok(arrays));
        assert_eq!(read(&write([]).unwrap(), 0), Ok(vec![]));
        assert_eq!(write([("x", &Array::scalar(1.0)); 2]).unwrap_err().place, "x.npy");
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
        // A flipped bit of the data is found by its checksum.
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
