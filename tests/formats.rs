//! NumPy's formats, compared with files that NumPy wrote (`tests/data/npy/reference.py`).
#![cfg(feature = "npz")]

use std::fs;
use std::path::PathBuf;

use retrograd::value::{Array, npy, npz};

fn file(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "data", "npy", name].iter().collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// NumPy's files are read bit for bit, and reproduced byte for byte.
#[test]
fn npy_is_what_numpy_writes() {
    let check = |name: &str, ty: &str, json: &str| {
        let array = npy::read(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((array.ty().to_string().as_str(), array.to_json().as_str()), (ty, json), "{name}");
        assert!(npy::write(&array) == file(name), "{name}: other bytes");
    };
    check("f64.npy", "f64[2,4]", r#"[[0.0, -0.0, 0.1, -2.5], ["inf", "-inf", "nan", 5e-324]]"#);
    check("f32.npy", "f32[3]", "[0.5, -1.25, 3e38]");
    check("i64.npy", "i64[1,1,3]", r#"[[[1, -2, "4611686018427387904"]]]"#);
    check("bool.npy", "bool[2,1]", "[[true], [false]]");
    check("scalar.npy", "f64[]", "1.5");
    check("empty.npy", "f64[0,3]", "[]");
    let many_axes = Array::from_elements(vec![1; 24], vec![1.0]).unwrap();
    check("many_axes.npy", &many_axes.ty().to_string(), &many_axes.to_json());
}

#[test]
fn other_dtypes_and_byte_orders_are_read() {
    let mut n_files = 0;
    for order in ["le", "be", "one"] {
        for (dtype, expected) in
            [("f2", "f32"), ("f4", "f32"), ("f8", "f64"), ("i1", "i64"), ("i2", "i64"), ("i4", "i64"), ("i8", "i64")]
                .into_iter()
                .chain(["u1", "u2", "u4", "u8"].map(|dtype| (dtype, "i64")))
        {
            // Single bytes have no byte order, and the others are compared above.
            let written_above = order == "le" && ["f4", "f8", "i8"].contains(&dtype);
            if (order == "one") != dtype.ends_with('1') || written_above {
                continue;
            }
            n_files += 1;
            let array = npy::read(&file(&format!("read_{order}_{dtype}.npy"))).unwrap();
            let json = match (dtype.starts_with('f'), dtype.starts_with('u')) {
                (true, _) => "[[-3.0, -2.0, -1.0], [0.0, 1.0, 2.0]]",
                (_, true) => "[[0, 1, 2], [3, 4, 5]]",
                _ => "[[-3, -2, -1], [0, 1, 2]]",
            };
            assert_eq!(
                (array.ty().to_string(), array.to_json().as_str()),
                (format!("{expected}[2,3]"), json),
                "{dtype}"
            );
        }
    }
    assert_eq!(n_files, 17);
}

#[test]
fn complex_npy_is_what_numpy_writes() {
    let read = |name: &str| npy::read_tree(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let check = |name: &str, ty: &str, expected: [&str; 2]| {
        let (bytes, tree) = (file(name), read(name));
        assert_eq!(tree.map(&mut Array::ty).to_string(), ty, "{name}");
        assert_eq!(npy::read_type_tree(&bytes).unwrap().to_string(), ty, "{name}");
        let [re, im] = tree.as_complex().unwrap();
        assert_eq!([re.to_json(), im.to_json()], expected, "{name}");
        if !name.starts_with("read_") {
            assert!(npy::write_complex(re, im).unwrap() == bytes, "{name}: other bytes");
        }
    };
    let signed = [r#"[[0.0, -2.5], ["inf", 5e-324]]"#, r#"[[-0.0, 0.1], ["nan", "-inf"]]"#];
    check("complex128.npy", "complex f64[2,2]", signed);
    check("complex64.npy", "complex f32[3]", ["[1.0, 0.5, 0.0]", "[2.0, -3e38, 0.0]"]);
    check("complex_scalar.npy", "complex f64[]", ["1.0", "-2.0"]);
    check("complex_empty.npy", "complex f64[0,3]", ["[]", "[]"]);
    let grid = ["[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]", "[[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]"];
    check("read_be_c16.npy", "complex f64[2,3]", grid);
    check("read_be_c8.npy", "complex f32[2,3]", grid);
    check("read_fortran_c8.npy", "complex f32[2,3]", grid);
}

#[test]
fn orders_of_elements_and_versions_are_read() {
    let numbers = Array::from_elements([2, 3, 4], (0..24).map(f64::from).collect()).unwrap();
    assert_eq!(npy::read(&file("read_fortran.npy")), Ok(numbers));
    for version in ["read_version_2.npy", "read_version_3.npy"] {
        assert_eq!(npy::read(&file(version)).unwrap().to_json(), "[0.0, 1.0, 2.0]");
    }
}

#[test]
fn files_without_arrays_of_numbers_are_refused() {
    let refused = |name: &str| npy::read(&file(name)).unwrap_err().to_string();
    let takes = "takes floats of 16, 32 or 64 bits, complex numbers of 64 or 128, integers or bool, but got the dtype";
    let parts = "takes real numbers, but got the dtype '<c16'; `read_tree` reads both parts";
    assert_eq!(refused("refused_complex.npy"), parts);
    assert_eq!(refused("refused_text.npy"), format!("{takes} '<U4'"));
    assert_eq!(refused("refused_object.npy"), format!("{takes} '|O'"));
    assert_eq!(refused("refused_fields.npy"), "takes numbers, but got a structured dtype");
}

#[test]
fn npz_is_what_numpy_writes() {
    for (name, extent) in [("stored.npz", 3), ("deflated.npz", 1000)] {
        let arrays = npz::read(&file(name), 1 << 20).unwrap();
        let w = Array::from_elements([extent], (0..extent as u32).map(f64::from).collect()).unwrap();
        assert_eq!(arrays, [("w".to_string(), w), ("b.0".to_string(), Array::scalar(true))], "{name}");
    }
}

/// A complex member is two arrays, and written as one again.
#[test]
fn complex_npz_is_what_numpy_writes() {
    let arrays = npz::read(&file("complex.npz"), 1 << 20).unwrap();
    let names: Vec<String> = arrays.iter().map(|(name, array)| format!("{name}: {}", array.ty())).collect();
    assert_eq!(names, ["w: f64[3]", "z.re: f64[2,3]", "z.im: f64[2,3]"]);
    let written = npz::write(arrays.iter().map(|(name, array)| (name.as_str(), array))).unwrap();
    assert_eq!(npz::entries(&written), npz::entries(&file("complex.npz")));
    assert_eq!(npz::read(&written, 1 << 20).unwrap(), arrays);
}

/// Reading does not panic whichever byte of a file is changed.
#[test]
fn damaged_files_are_errors_or_other_numbers() {
    for name in
        ["f64.npy", "read_fortran.npy", "complex64.npy", "read_be_c16.npy", "stored.npz", "deflated.npz", "complex.npz"]
    {
        let whole = file(name);
        for at in 0..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                let read = if name.ends_with(".npy") {
                    npy::read_tree(&bytes).map(|tree| tree.leaves().iter().map(|array| array.size()).sum())
                } else {
                    npz::read(&bytes, 1 << 16).map(|arrays| arrays.len())
                };
                assert!(read.is_err() || read.is_ok_and(|size| size <= 24), "{name}: byte {at}");
            }
        }
    }
}
