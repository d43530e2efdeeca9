//! The command as a user runs it.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use retrograd::Graph;
use retrograd::ir::Provenance;
use retrograd::op::{Convert, Mul, ReduceSum};
use retrograd::value::{DType, Type};

/// A folder with the file `f.json`: `y = Σ w·x²`, and `k` converted.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut graph = Graph::new("f");
        let w = graph.add_input("w", Type::new(DType::F64, [3])).unwrap();
        let x = graph.add_input("x", Type::new(DType::F64, [3])).unwrap();
        let k = graph.add_input("k", Type::scalar(DType::I64)).unwrap();
        let mut add = |op, operands: &[_]| graph.add(op, operands, Provenance::default()).unwrap().into();
        let wx = add(Mul.into(), &[w, x]);
        let wxx = add(Mul.into(), &[wx, x]);
        let y = add(ReduceSum { axes: vec![0] }.into(), &[wxx]);
        let k = add(Convert { dtype: DType::F64 }.into(), &[k]);
        graph.add_output("y", y);
        graph.add_output("k", k);
        graph.save(folder.path("f.json")).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retrograd"));
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    /// Runs the command; gives its exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        outcome(self.command(arguments).output().unwrap())
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        outcome(child.wait_with_output().unwrap())
    }

    /// The standard output of a run that must succeed.
    fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        out
    }

    /// The standard error of a run that must fail with that code and print nothing else.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let (got, out, err) = self.run(arguments);
        assert_eq!((got, out.as_str()), (code, ""), "{arguments:?}: {err}");
        err
    }
}

fn outcome(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("killed by a signal"), text(output.stdout), text(output.stderr))
}

const VALUES: [&str; 3] = ["w=[1, 2, 3]", "x=[1.5, -1, 0]", "k=7"];

#[test]
fn show_prints_a_listing_or_json() {
    let folder = Folder::new();
    assert_eq!(folder.ok(&["show", "f.json"]), Graph::load(folder.path("f.json")).unwrap().to_string());
    assert_eq!(folder.ok(&["show", "--json", "f.json"]), folder.read("f.json"));
    let (code, out, _) = folder.run_with_input(&["show", "-", "--json"], &folder.read("f.json"));
    assert_eq!((code, out), (0, folder.read("f.json")));
}

#[test]
fn check_reports_every_finding_of_every_file() {
    let folder = Folder::new();
    assert_eq!(folder.ok(&["check", "f.json"]), "f.json: sound: 3 inputs, 4 operations, 2 outputs\n");
    let bad = folder.read("f.json").replace("\"mul\"", "\"mull\"").replace("\"value\": \"n3\"", "\"value\": \"nn\"");
    folder.write("bad.json", &bad);
    folder.write("cut.json", &bad[..30]);
    let (code, out, err) = folder.run(&["check", "bad.json", "f.json", "cut.json", "nowhere.json"]);
    assert_eq!((code, out.as_str()), (1, "f.json: sound: 3 inputs, 4 operations, 2 outputs\n"));
    assert_eq!(
        err,
        "error: bad.json: f.n0: there is no operation \"mull\" (did you mean \"mul\"?)\n\
         error: bad.json: f.n1: there is no operation \"mull\" (did you mean \"mul\"?)\n\
         error: bad.json: f.outputs[1]: there is no value \"nn\"\n\
         error: cut.json: line 2 column 28: the text ends too soon: EOF while parsing a string\n\
         error: cannot read nowhere.json: No such file or directory (os error 2)\n"
    );
}

/// A file can name its values as it likes, but it cannot paint the terminal.
#[test]
fn control_characters_are_shown() {
    let folder = Folder::new();
    let text = folder.read("f.json").replace("\"w\"", "\"\\u001b[2Jw\"");
    folder.write("f.json", &text);
    assert!(folder.ok(&["show", "f.json"]).starts_with("f(%\\u{1b}[2Jw: f64[3], "));
    assert_eq!(folder.ok(&["show", "--json", "f.json"]), text);
    folder.write("f.json", &text.replacen("f64[3]", "f64[4]", 1));
    assert!(folder.fails(1, &["check", "f.json"]).contains("\n  \\u{1b}[2Jw: f64[4] = input\n"));
}

#[test]
fn run_prints_outputs_as_json() {
    let folder = Folder::new();
    let expected = "{\n \"y\": 4.25,\n \"k\": 7.0\n}\n";
    assert_eq!(folder.ok(&[&["run", "f.json"], &VALUES[..]].concat()), expected);
    assert_eq!(folder.ok(&[&["run", "--interpret", "f.json"], &VALUES[..]].concat()), expected);
    folder.write("inputs.json", "{\"x\": [1.5, -1, 0], \"k\": \"7\"}");
    assert_eq!(folder.ok(&["run", "f.json", VALUES[0], "--input", "inputs.json"]), expected);
    assert_eq!(folder.ok(&["run", "f.json", VALUES[0], "--input", "inputs.json", "-o", "outputs.json"]), "");
    assert_eq!(folder.read("outputs.json"), expected);
    let (code, out, _) = folder.run_with_input(&["run", "f.json", VALUES[0], "-i", "-"], &folder.read("inputs.json"));
    assert_eq!((code, out.as_str()), (0, expected));
}

#[test]
fn numbers_that_json_lacks_need_no_quotes_where_they_stand_alone() {
    let folder = Folder::new();
    let graph = Graph::from_json(
        r#"{"format": "retrograd", "version": 1, "producer": "a test", "entry": "f", "graphs": {"f": {
        "inputs": [{"id": "x", "type": "f64[]"}], "nodes": [{"id": "y", "op": "neg", "in": ["x"], "type": "f64[]"}],
        "outputs": [{"name": "y", "value": "y"}]}}}"#,
        &Default::default(),
    );
    graph.unwrap().save(folder.path("neg.json")).unwrap();
    assert_eq!(folder.ok(&["run", "neg.json", "x=-inf"]), "{\n \"y\": \"inf\"\n}\n");
    assert_eq!(folder.ok(&["run", "neg.json", "x=nan"]), "{\n \"y\": \"nan\"\n}\n");
    assert_eq!(folder.ok(&["run", "neg.json", "x=0"]), "{\n \"y\": -0.0\n}\n");
}

#[test]
fn gradients_of_gradients_come_from_files_alone() {
    let folder = Folder::new();
    assert_eq!(folder.ok(&["grad", "f.json", "-o", "g.json"]), "");
    let expected = "{\n \"y\": 4.25,\n \"k\": 7.0,\n \"w.grad\": [2.25, 1.0, 0.0],\n \"x.grad\": [3.0, -4.0, 0.0]\n}\n";
    assert_eq!(folder.ok(&[&["run", "g.json"], &VALUES[..]].concat()), expected);
    assert_eq!(folder.ok(&["show", "--json", "g.json"]), folder.read("g.json"));

    let both = folder.ok(&["grad", "f.json", "--wrt", "x", "w"]);
    assert_eq!(folder.ok(&["grad", "f.json", "--wrt", "x", "--wrt", "w", "-o", "-"]), both);
    assert!(both.find("x.grad") < both.find("w.grad"));

    folder.write(
        "square.json",
        r#"{"format": "retrograd", "version": 1, "producer": "a hand", "entry": "f", "graphs": {"f": {
        "inputs": [{"id": "x", "type": "f64[]"}],
        "nodes": [{"id": "y", "op": "mul", "in": ["x", "x"], "type": "f64[]"}, {"id": "z", "op": "mul", "in": ["y", "x"], "type": "f64[]"}],
        "outputs": [{"name": "z", "value": "z"}]}}}"#,
    );
    let first = folder.ok(&["grad", "square.json", "--wrt", "x"]);
    let (_, second, _) = folder.run_with_input(&["grad", "-", "--of", "x.grad"], &first);
    let (code, out, err) = folder.run_with_input(&["run", "-", "x=2"], &second);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "{\n \"z\": 8.0,\n \"x.grad\": 12.0,\n \"x.grad.x.grad\": 12.0\n}\n", "")
    );
}

#[test]
fn bad_input_exits_with_1() {
    let folder = Folder::new();
    let run = |values: &[&str]| folder.fails(1, &[&["run", "f.json"], values].concat());
    assert_eq!(run(&VALUES[..2]), "error: input \"k\" has no value\n");
    assert_eq!(run(&["w=[1, 2]"]), "error: w: takes a list of 3 (f64[3]), but got a list of 2\n");
    assert_eq!(
        run(&["w=[1, 2, [3]]"]),
        "error: w[2]: takes a number, \"nan\", \"inf\" or \"-inf\", but got a list of 1\n"
    );
    assert_eq!(run(&["k=1.5"]), "error: k: takes an integer of 64 bits, but got the number 1.5\n");
    assert_eq!(run(&["k=1", "k=2"]), "error: k: has two values\n");
    assert_eq!(run(&["v=1"]), "error: there is no input \"v\"; there are: w, x, k\n");

    folder.write("inputs.json", "{\"w\": [1, 2, 3],");
    let expected = "error: inputs.json: line 1 column 16: the text ends too soon: EOF while parsing a value\n";
    assert_eq!(run(&["--input", "inputs.json"]), expected);
    folder.write("inputs.json", "[1, 2, 3]");
    let expected = "error: inputs.json: takes an object of values by name, but got a list of 3\n";
    assert_eq!(run(&["--input", "inputs.json"]), expected);
    let expected = "error: cannot read nowhere.json: No such file or directory (os error 2)\n";
    assert_eq!(run(&["--input", "nowhere.json"]), expected);

    let expected = "error: cannot write nowhere/out.json: No such file or directory (os error 2)\n";
    assert_eq!(run(&[&VALUES[..], &["-o", "nowhere/out.json"]].concat()), expected);
    assert_eq!(folder.fails(1, &["grad", "f.json", "-o", "nowhere/out.json"]), expected);
    assert_eq!(
        folder.fails(1, &["show", "nowhere.json"]),
        "error: cannot read nowhere.json: No such file or directory (os error 2)\n"
    );
    assert_eq!(folder.fails(1, &["show", "."]), "error: cannot read .: Is a directory (os error 21)\n");

    let grad = |options: &[&str]| folder.fails(1, &[&["grad", "f.json"], options].concat());
    assert_eq!(grad(&["--wrt", "v"]), "error: there is no input \"v\"; there are: w, x, k\n");
    assert_eq!(grad(&["--of", "z"]), "error: there is no output \"z\"; there are: y, k\n");
    assert_eq!(grad(&["--wrt", "k"]), "error: f.json: derivative: \"k\" must be of floating point, but is i64[]\n");
}

#[test]
fn limits_can_be_set() {
    let folder = Folder::new();
    let fails = |flags: &[&str], expected: &str| {
        let err = folder.fails(1, &[&["run", "f.json"], &VALUES[..], flags].concat());
        assert_eq!(err, format!("error: f.json: {expected}\n"));
    };
    fails(&["--max-nodes", "6"], "f: limit of 6 nodes of a document exceeded: got 7");
    fails(&["--max-elements", "2"], "f.w: limit of 2 elements of a value exceeded: got 3");
    fails(&["--max-file-bytes", "10"], "limit of 10 bytes of a document exceeded");
    fails(&["--max-total-bytes", "30"], "f.x: limit of 30 bytes of all values exceeded: got 48");
    fails(&["--max-memory", "8", "--interpret"], "limit of 8 bytes of memory for a run exceeded: got 120");
}

#[test]
fn bad_usage_exits_with_2() {
    let folder = Folder::new();
    for arguments in [
        &["show"][..],
        &["shout", "f.json"],
        &["show", "f.json", "--jsn"],
        &["check"],
        &["run", "f.json", "x"],
        &["run", "f.json", "x=[1,"],
        &["run", "f.json", "x=one"],
        &["run", "-", "--input", "-"],
    ] {
        let err = folder.fails(2, arguments);
        assert!(err.starts_with("error: "), "{arguments:?}: {err}");
    }
    assert!(folder.fails(2, &["run", "f.json", "x=one"]).contains("the value is not JSON: expected value at column 1"));
}

#[test]
fn help_teaches_by_examples() {
    let folder = Folder::new();
    for verb in ["show", "check", "grad", "run"] {
        let help = folder.ok(&[verb, "--help"]);
        assert!(help.contains("Examples:\n  retrograd "), "{help}");
        assert!(folder.ok(&["--help"]).contains(verb));
    }
    assert_eq!(folder.ok(&["--version"]), format!("retrograd {}\n", env!("CARGO_PKG_VERSION")));
}

/// A reader that stops early, as `head` does, is no error.
#[test]
fn a_broken_pipe_ends_quietly() {
    let folder = Folder::new();
    let mut graph = Graph::new("long");
    let mut x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
    for _ in 0..10_000 {
        x = graph.add(Mul.into(), &[x, x], Provenance::default()).unwrap().into();
    }
    graph.add_output("y", x);
    graph.save(folder.path("long.json")).unwrap();
    let mut command = folder.command(&["show", "long.json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"long");
    let (code, _, err) = outcome(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
}
