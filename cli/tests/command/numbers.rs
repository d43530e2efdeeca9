//! Numbers that come from files, and go to files.

use std::fs;
use std::path::Path;

use retrograd::Graph;
use retrograd::value::json::Json;
use retrograd::value::{Array, Element, npy, npz};

use super::examples::files;
use super::{Folder, VALUES};

const OUTPUTS: &str = "{\n \"y\": 4.25,\n \"k\": 7.0\n}\n";

fn array<T: Element>(elements: &[T]) -> Array {
    Array::from_elements([elements.len()], elements.to_vec()).unwrap()
}

/// The values in a file of JSON, of the types of these inputs or outputs.
fn values(path: &Path, types: &[(String, retrograd::value::Type)]) -> Vec<(String, Array)> {
    let text = fs::read_to_string(path).unwrap();
    let json = Json::parse(&text).unwrap();
    let fields = json.as_object().unwrap().iter().zip(types);
    fields.map(|((name, value), (_, ty))| (name.to_string(), Array::from_json(value, ty).unwrap())).collect()
}

fn archive(arrays: &[(String, Array)]) -> Vec<u8> {
    npz::write(arrays.iter().map(|(name, array)| (name.as_str(), array))).unwrap()
}

/// Through archives, every file runs to its recorded outputs: all at once, and one by one.
#[test]
fn every_file_runs_from_archive_to_archive() {
    let folder = Folder::new();
    for (name, path) in files() {
        let graph = Graph::load(&path).unwrap();
        let program = retrograd::Program::compile(&graph).unwrap();
        let inputs = values(&path.with_extension("inputs.json"), program.inputs());
        let outputs = values(&path.with_extension("outputs.json"), program.outputs());
        fs::write(folder.path("inputs.npz"), archive(&inputs)).unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(folder.ok(&["run", path, "-i", "inputs.npz", "-o", "outputs.npz"]), "");
        let got = npz::read(&fs::read(folder.path("outputs.npz")).unwrap(), 1 << 20).unwrap();
        assert_eq!(got, outputs, "{name}");
        for (name, output) in &outputs {
            folder.ok(&["run", path, "-i", "inputs.npz", "-o", "only.npy", "--only", name]);
            assert_eq!(npy::read(&fs::read(folder.path("only.npy")).unwrap()), Ok(output.clone()), "{name}");
        }
        let reversed: Vec<&str> = outputs.iter().rev().map(|(name, _)| name.as_str()).collect();
        let text = folder.ok(&[&["run", path, "-i", "inputs.npz", "--only"], &reversed[..]].concat());
        let places: Vec<usize> = reversed.iter().map(|name| text.find(&format!("\"{name}\": ")).unwrap()).collect();
        assert!(places.is_sorted(), "{name}: {text}");
    }
}

#[test]
fn sources_mix() {
    let folder = Folder::new();
    fs::write(folder.path("w.npy"), npy::write(&array(&[1.0f32, 2.0, 3.0]))).unwrap();
    folder.write("x.csv", "t, x, y\n0, 1.5, 1\n1, -1, 2\n2, 0, 3\n");
    folder.write("k.json", "7");
    fs::write(
        folder.path("all.npz"),
        archive(&[("k".into(), Array::scalar(7i64)), ("weights".into(), array(&[1i64, 2, 3]))]),
    )
    .unwrap();
    let run = |values: &[&str]| assert_eq!(folder.ok(&[&["run", "f.json"], values].concat()), OUTPUTS, "{values:?}");
    run(&["w=@w.npy", "x=@x.csv", "k=7"]);
    run(&["w=@x.csv:y", "x=@x.csv:x", "k=@k.json"]);
    run(&["w=@all.npz:weights", "x=@x.csv:#2", "k=@all.npz"]);
    folder.write("given.json", "{\"k\": 7}");
    run(&["-i", "given.json", "w=@w.npy", VALUES[1]]);
    fs::write(folder.path("k.npz"), archive(&[("k".into(), Array::scalar(7i64))])).unwrap();
    folder.write("w.json", "{\"w\": [1, 2, 3]}");
    run(&["-i", "k.npz", "--input", "w.json", VALUES[1]]);
    folder.write("plain.csv", "1.5,1\n-1,2\n0,3\n");
    run(&["--no-header", "x=@plain.csv:#1", "w=@plain.csv:#2", "k=7"]);

    let mut command = folder.command(&["run", "f.json", "w=@-", VALUES[1], VALUES[2]]);
    let stdin = fs::File::open(folder.path("w.npy")).unwrap();
    assert_eq!(String::from_utf8(command.stdin(stdin).output().unwrap().stdout).unwrap(), OUTPUTS);
    let mut command = folder.command(&["run", "f.json", "-i", "-", "w=@w.npy", VALUES[1]]);
    let stdin = fs::File::open(folder.path("k.npz")).unwrap();
    assert_eq!(String::from_utf8(command.stdin(stdin).output().unwrap().stdout).unwrap(), OUTPUTS);
    let (_, out, err) = folder.run_with_input(&["run", "f.json", "w=@w.npy", "x=@-:x", "k=7"], &folder.read("x.csv"));
    assert_eq!((out.as_str(), err.as_str()), (OUTPUTS, ""));
    let (_, out, _) = folder.run_with_input(&["run", "f.json", "w=@w.npy", "x=@-", "k=7"], "[1.5, -1, 0]");
    assert_eq!(out, OUTPUTS);
}

/// Arrays that NumPy wrote: columns first, and other dtypes.
#[test]
fn files_of_numpy_are_read() {
    let folder = Folder::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/npy");
    folder.write(
        "sum.json",
        r#"{"format": "retrograd", "version": 1, "producer": "a test", "entry": "f", "graphs": {"f": {
        "inputs": [{"id": "x", "type": "f64[2,3,4]"}],
        "nodes": [{"id": "y", "op": "reduce_sum", "in": ["x"], "type": "f64[4]", "axes": [0, 1]}],
        "outputs": [{"name": "y", "value": "y"}]}}}"#,
    );
    let x = |name: &str| format!("x=@{}", data.join(name).display());
    assert_eq!(folder.ok(&["run", "sum.json", &x("read_fortran.npy")]), "{\n \"y\": [60.0, 66.0, 72.0, 78.0]\n}\n");
    let err = folder.fails(1, &["run", "sum.json", &x("read_be_i2.npy")]);
    assert!(err.ends_with("read_be_i2.npy: takes f64[2,3,4], but got i64[2,3]\n"), "{err}");
    let err = folder.fails(1, &["run", "sum.json", &x("refused_complex.npy")]);
    let expected = "takes f64[2,3,4], but got complex f64[1]; take its real part or absolute value\n";
    assert!(err.ends_with(expected), "{err}");
    let err = folder.fails(1, &["run", "sum.json", &x("refused_object.npy")]);
    assert!(err.contains("integers or bool, but got the dtype '|O'"), "{err}");
}

#[test]
fn bad_arrays() {
    let folder = Folder::new();
    let save = |name: &str, array: Array| fs::write(folder.path(name), npy::write(&array)).unwrap();
    let run = |values: &[&str]| folder.fails(1, &[&["run", "f.json"], values].concat());
    save("two.npy", array(&[1.0, 2.0]));
    assert_eq!(run(&["w=@two.npy"]), "error: w: two.npy: takes f64[3], but got f64[2]\n");
    save("bits.npy", array(&[true, true, false]));
    assert_eq!(run(&["w=@bits.npy"]), "error: w: bits.npy: takes f64[3], but got bool[3]\n");
    save("half.npy", Array::scalar(0.5));
    assert_eq!(run(&["k=@half.npy"]), "error: k: half.npy: takes i64[], but got f64[]\n");
    save("large.npy", array(&[1i64, 2, (1 << 53) + 1]));
    assert_eq!(run(&["w=@large.npy"]), "error: w: large.npy: takes f64[3], but got i64[3]\n");
    let whole = fs::read(folder.path("two.npy")).unwrap();
    fs::write(folder.path("cut.npy"), &whole[..whole.len() - 1]).unwrap();
    let expected = "error: w: cut.npy: is truncated: the data of f64[2] takes 16 bytes, but there are 15\n";
    assert_eq!(run(&["w=@cut.npy"]), expected);
    folder.write("text.npy", "[1, 2, 3]");
    let expected = "error: w: text.npy: is not a .npy file: it does not begin with \\x93NUMPY\n";
    assert_eq!(run(&["w=@text.npy"]), expected);
    assert_eq!(run(&["w=@no.npy"]), "error: cannot read no.npy: No such file or directory (os error 2)\n");
    assert_eq!(run(&["-i", "two.npy"]), "error: two.npy: holds one array without a name; write NAME=@two.npy\n");
    assert_eq!(run(&["w=@two.npy", "w=[1,2,3]"]), "error: w: two.npy: takes f64[3], but got f64[2]\n");
    assert_eq!(run(&["w=[1,2,3]", "w=[1,2,3]"]), "error: w: has two values\n");
    fs::write(folder.path("binary.json"), [b'[', 0xff]).unwrap();
    assert_eq!(run(&["w=@binary.json"]), "error: binary.json: byte 1 is not UTF-8\n");
    folder.write("w.json", "[1, 2, \"x\"]");
    let expected = "error: w: w.json[2]: takes a number, \"nan\", \"inf\" or \"-inf\", but got the string \"x\"\n";
    assert_eq!(run(&["w=@w.json"]), expected);
}

#[test]
fn bad_archives() {
    let folder = Folder::new();
    let run = |values: &[&str]| folder.fails(1, &[&["run", "f.json"], values].concat());
    let save = |name: &str, arrays: &[(&str, Array)]| {
        let bytes = npz::write(arrays.iter().map(|(name, array)| (*name, array))).unwrap();
        fs::write(folder.path(name), bytes).unwrap();
    };
    let three = || array(&[1.0, 2.0, 3.0]);
    save("names.npz", &[("ww", three()), ("x", three())]);
    assert_eq!(run(&["-i", "names.npz"]), "error: there is no input \"ww\"; did you mean \"w\"?\n");
    let expected = "error: w: names.npz: there is no array \"xx\"; did you mean \"x\"?\n";
    assert_eq!(run(&["w=@names.npz:xx"]), expected);
    let expected = "error: k: names.npz: there is no array \"k\"; there are: ww, x\n";
    assert_eq!(run(&["k=@names.npz"]), expected);
    save("types.npz", &[("w", three()), ("k", Array::scalar(7.0))]);
    assert_eq!(run(&["-i", "types.npz"]), "error: k: types.npz: takes i64[], but got f64[]\n");
    save("w.npz", &[("w", three())]);
    assert_eq!(run(&["-i", "w.npz", "-i", "w.npz"]), "error: w: has two values\n");
    assert_eq!(run(&["-i", "w.npz", VALUES[0]]), "error: w: has two values\n");
    assert!(run(&["-i", "w.npz"]).starts_with("error: 2 inputs have no value: x (f64[3]), k (i64[])\n"));
    let whole = fs::read(folder.path("w.npz")).unwrap();
    fs::write(folder.path("cut.npz"), &whole[..whole.len() / 2]).unwrap();
    assert!(run(&["-i", "cut.npz"]).starts_with("error: cut.npz: is damaged or truncated: "));
    let err = folder.fails(1, &["run", "f.json", "-i", "w.npz", "--max-file-bytes", "100"]);
    assert_eq!(err, "error: f.json: limit of 100 bytes of a document exceeded; --max-file-bytes allows more\n");
}

#[test]
fn bad_columns() {
    let folder = Folder::new();
    let run = |value: &str| folder.fails(1, &["run", "f.json", value]);
    folder.write("good.csv", "weight,length\n1,2\n3,4\n5,6\n");
    assert_eq!(
        run("w=@good.csv:wieght"),
        "error: w: good.csv: there is no column \"wieght\"; did you mean \"weight\"?\n"
    );
    assert_eq!(run("w=@good.csv"), "error: w: good.csv: there is no column \"w\"; there are: weight, length\n");
    let expected = "error: w: good.csv: takes f64[3], but got 2 columns of 3 rows\n";
    assert_eq!(run("w=@good.csv:weight,length"), expected);
    folder.write("short.csv", "w\n1\n2\n");
    assert_eq!(run("w=@short.csv"), "error: w: short.csv: takes f64[3], but got 1 columns of 2 rows\n");
    folder.write("ragged.csv", "w,x\n1,2\n3\n5,6\n");
    let expected = "error: w: ragged.csv: line 3: takes 2 fields, as in the first line, but got 1\n";
    assert_eq!(run("w=@ragged.csv"), expected);
    folder.write("words.csv", "w\n1\ntwo\n3\n");
    let expected = "error: w: words.csv: line 3, column \"w\": takes a number, but got \"two\"\n";
    assert_eq!(run("w=@words.csv"), expected);
    let err = folder.fails(1, &["run", "f.json", "-i", "good.csv"]);
    assert_eq!(err, "error: good.csv: holds columns; write NAME=@good.csv:COLUMN\n");
}

#[test]
fn bad_outputs() {
    let folder = Folder::new();
    let run = |options: &[&str]| folder.fails(1, &[&["run", "f.json"], &VALUES[..], options].concat());
    assert_eq!(run(&["--only", "yy"]), "error: there is no output \"yy\"; did you mean \"y\"?\n");
    assert_eq!(run(&["--only", "y", "y"]), "error: y: is named twice\n");
    let expected = "error: out.npy: takes one array, but there are y, k; write .json or .npz instead, or choose with `run --only`\n";
    assert_eq!(run(&["-o", "out.npy"]), expected);
    for name in ["no/out.npz", "no/out.json"] {
        let expected = format!("error: cannot write {name}: No such file or directory (os error 2)\n");
        assert_eq!(run(&["-o", name]), expected);
    }
    assert!(!folder.path("out.npy").exists());
}

/// A name may hold `=`: of all readings, the one that names an input counts.
#[test]
fn names_of_inputs_may_hold_equals_signs() {
    let folder = Folder::new();
    let text = r#"{"format": "retrograd", "version": 1, "producer": "", "entry": "f", "graphs": {"f": {
        "inputs": [{"id": "a=b", "type": "f64[]"}, {"id": "c", "type": "f64[]"}, {"id": "==", "type": "f64[]"}],
        "nodes": [{"id": "n", "op": "sub", "in": ["a=b", "c"], "type": "f64[]"},
                  {"id": "m", "op": "mul", "in": ["n", "=="], "type": "f64[]"}],
        "outputs": [{"name": "y", "value": "m"}]}}}"#;
    folder.write("equals.json", text);
    assert_eq!(folder.ok(&["run", "equals.json", "a=b=3", "c=1", "===2"]), "{\n \"y\": 4.0\n}\n");
    let err = folder.fails(1, &["run", "equals.json", "a=3", "c=1", "===2"]);
    assert!(err.starts_with("error: there is no input \"a\""), "{err}");
    let err = folder.fails(2, &["run", "equals.json", "a=b=x", "c=1"]);
    assert!(err.contains("the value is not JSON"), "{err}");
}

/// Some editors begin a file with a byte order mark.
#[test]
fn a_byte_order_mark_is_skipped() {
    let folder = Folder::new();
    let expected = folder.ok(&[&["run", "f.json"], &VALUES[..]].concat());
    let with_mark = format!("\u{feff}{}", folder.read("f.json"));
    folder.write("marked.json", &with_mark);
    folder.write("inputs.json", "\u{feff}{\"w\": [1, 2, 3], \"x\": [1.5, -1, 0], \"k\": 7}");
    folder.write("x.csv", "\u{feff}x\n1.5\n-1\n0\n");
    assert_eq!(folder.ok(&["run", "marked.json", "-i", "inputs.json"]), expected);
    assert_eq!(folder.ok(&["run", "marked.json", VALUES[0], "x=@x.csv:x", VALUES[2]]), expected);
    assert_eq!(folder.ok(&["check", "marked.json"]), folder.ok(&["check", "f.json"]).replace("f.json", "marked.json"));
    // Of another encoding it is not.
    fs::write(folder.path("wide.json"), [0xff, 0xfe, b'{', 0]).unwrap();
    let err = folder.fails(1, &["check", "wide.json"]);
    assert!(err.contains("byte 0 is not UTF-8"), "{err}");
}
