use std::fs;

use retrograd::ir::Provenance;
use retrograd::op::Neg;
use retrograd::value::json::Json;
use retrograd::value::{Array, DType, Type, npz};
use retrograd::{Graph, Program};

use super::examples::files;
use super::{Folder, VALUES};

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
fn bad_inputs_of_a_run() {
    let folder = Folder::new();
    let run = |values: &[&str]| folder.fails(1, &[&["run", "f.json"], values].concat());
    let ways = "\n  give each as NAME=VALUE, or several in a file with --input; `retrograd run --template` writes such a file\n";
    assert_eq!(run(&VALUES[..2]), format!("error: 1 input has no value: k (i64[]){ways}"));
    assert_eq!(run(&[]), format!("error: 3 inputs have no value: w (f64[3]), x (f64[3]), k (i64[]){ways}"));
    assert_eq!(
        folder.fails(1, &["minimize", "f.json", "k=1", "--wrt", "w"]),
        format!("error: 2 inputs have no value: w (f64[3]), x (f64[3]){ways}")
    );
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

    folder.write("inputs.json", &format!("{{\"k\": 1{}}}", " ".repeat(4000)));
    let expected =
        "error: f.json: inputs.json: limit of 3000 bytes of a document exceeded; --max-file-bytes allows more\n";
    assert_eq!(run(&["--input", "inputs.json", "--max-file-bytes", "3000"]), expected);
    assert_eq!(run(&["k=@inputs.json", "--max-file-bytes", "3000"]), expected);

    let expected = "error: cannot write nowhere/out.json: No such file or directory (os error 2)\n";
    assert_eq!(run(&[&VALUES[..], &["-o", "nowhere/out.json"]].concat()), expected);
}

/// A template names every input, holds zeros of its type, and is read back as it is, from JSON and from an archive.
#[test]
fn templates_are_read_back() {
    let folder = Folder::new();
    for (name, path) in files() {
        let graph = Graph::load(&path).unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(folder.ok(&["run", path, "--template", "-o", "inputs.json"]), "");
        let text = folder.read("inputs.json");
        assert_eq!(folder.ok(&["run", "--template", path]), text);
        let json = Json::parse(&text).unwrap();
        let fields = json.as_object().unwrap();
        assert_eq!(fields.len(), graph.inputs().len(), "{name}");
        let zeros: Vec<Array> = graph.inputs().iter().map(|input| Array::zeros(graph.ty(input.node.into()))).collect();
        for ((input, zeros), (key, value)) in graph.inputs().iter().zip(&zeros).zip(fields) {
            assert_eq!(
                (key, Array::from_json(value, &zeros.ty()).as_ref()),
                (&input.name.to_string().into(), Ok(zeros))
            );
        }
        assert_eq!(folder.ok(&["run", path, "--template", "-o", "inputs.npz"]), "");
        let archive = npz::read(&fs::read(folder.path("inputs.npz")).unwrap(), 1 << 24).unwrap();
        assert_eq!(archive.into_iter().map(|(_, array)| array).collect::<Vec<_>>(), zeros, "{name}");
        // Where zeros are off the path that was traced, that is all that is wrong.
        let expected = Program::compile(&graph).unwrap().call(&zeros);
        for inputs in ["inputs.json", "inputs.npz"] {
            let (code, out, err) = folder.run(&["run", path, "--input", inputs]);
            match &expected {
                Ok(outputs) => {
                    assert_eq!((code, err.as_str()), (0, ""), "{name}");
                    assert!(outputs.iter().all(|output| out.contains(&output.to_json())), "{name}: {out}");
                }
                Err(error) => assert_eq!(err, format!("error: {path}: {error}\n")),
            }
        }
    }
}

/// Arrays that nobody fills in by hand are named, with what to do instead; an archive holds them, too.
#[test]
fn templates_leave_large_arrays_to_other_files() {
    let folder = Folder::new();
    let mut graph = Graph::new("f");
    let x = graph.add_input("x", Type::new(DType::F64, [100, 101])).unwrap();
    // It has no elements, but as many lists as rows.
    graph.add_input("rows", Type::new(DType::F64, [1 << 20, 0])).unwrap();
    graph.add_input("flag", Type::scalar(DType::Bool)).unwrap();
    let y = graph.add(Neg.into(), &[x], Provenance::default()).unwrap();
    graph.add_output("y", y.into()).unwrap();
    graph.save(folder.path("large.json")).unwrap();
    let (code, out, err) = folder.run(&["run", "large.json", "--template"]);
    assert_eq!((code, out.as_str()), (0, "{\n \"flag\": false\n}\n"));
    let note = |name: &str, ty: &str| {
        format!(
            "note: input {name} ({ty}) is left out, since it is large; give {name}=@FILE.npy, or write the template as .npz\n"
        )
    };
    assert_eq!(err, note("x", "f64[100,101]") + &note("rows", "f64[1048576,0]"));
    folder.ok(&["run", "large.json", "--template", "-o", "inputs.npz"]);
    assert!(folder.ok(&["run", "large.json", "-i", "inputs.npz"]).starts_with("{\n \"y\": [[-0.0, "));
    let err = folder.fails(1, &["run", "large.json", "--template", "-o", "inputs.csv"]);
    assert_eq!(err, "error: inputs.csv: a template is written as .json or .npz\n");
    assert!(!folder.path("inputs.csv").exists());
}

/// `y` of rank 2, `z` of rank 1 with NaN, `k` of integers beyond 2⁵³, `p` a scalar.
fn table() -> Folder {
    let folder = Folder::new();
    folder.write(
        "table.json",
        r#"{"format": "retrograd", "version": 1, "producer": "a test", "entry": "f", "graphs": {"f": {
        "inputs": [{"id": "x", "type": "f64[2,3]"}, {"id": "v", "type": "f32[2]"}, {"id": "k", "type": "i64[2]"},
        {"id": "p", "type": "bool[]"}],
        "nodes": [{"id": "y", "op": "neg", "in": ["x"], "type": "f64[2,3]"},
        {"id": "t", "op": "transpose", "in": ["x"], "type": "f64[3,2]", "perm": [1, 0]},
        {"id": "z", "op": "sqrt", "in": ["v"], "type": "f32[2]"}],
        "outputs": [{"name": "y", "value": "y"}, {"name": "z, root", "value": "z"}, {"name": "k", "value": "k"},
        {"name": "p", "value": "p"}, {"name": "t", "value": "t"}, {"name": "y.1", "value": "z"}]}}}"#,
    );
    folder
}

const ROWS: [&str; 4] = ["x=[[1,2,3],[4,5,1e-9]]", "v=[0.01,-1]", "k=[1,\"9007199254740993\"]", "p=true"];

#[test]
fn outputs_are_written_as_columns() {
    let folder = table();
    let write = |only: &[&str]| {
        folder.ok(&[&["run", "table.json"], &ROWS[..], &["-o", "out.csv", "--only"], only].concat());
        folder.read("out.csv")
    };
    assert_eq!(
        write(&["k", "y", "z, root"]),
        "k,y.0,y.1,y.2,\"z, root\"\n1,-1.0,-2.0,-3.0,0.1\n9007199254740993,-4.0,-5.0,-1e-9,nan\n"
    );
    assert_eq!(write(&["t"]), "t.0,t.1\n1.0,4.0\n2.0,5.0\n3.0,1e-9\n");
    assert_eq!(write(&["p"]), "p\ntrue\n");
    // What is written is read: to the last bit.
    write(&["t", "--interpret"]);
    folder.write(
        "back.json",
        &folder
            .read("table.json")
            .replace("f64[2,3]", "f64[a]")
            .replace("f64[3,2]", "f64[2,3]")
            .replace("f64[a]", "f64[3,2]"),
    );
    let out = folder.ok(&["run", "back.json", "x=@out.csv:t.0..=t.1", ROWS[1], ROWS[2], ROWS[3], "--only", "t"]);
    assert_eq!(out, "{\n \"t\": [[1.0, 2.0, 3.0], [4.0, 5.0, 1e-9]]\n}\n");
}

#[test]
fn outputs_that_are_no_table_are_refused() {
    let folder = table();
    let refused = |only: &str, expected: &str| {
        folder.write("old.csv", "old");
        let err = folder.fails(1, &[&["run", "table.json"], &ROWS[..], &["-o", "old.csv", "--only", only]].concat());
        let instead = "write .json or .npz instead, or choose with `run --only`";
        assert_eq!(err, format!("error: old.csv: {expected}; {instead}\n"));
        assert_eq!(folder.read("old.csv"), "old");
    };
    refused("y,p", "takes arrays with equally many rows, but got y (f64[2,3]), p (bool[])");
    refused("y,t", "takes arrays with equally many rows, but got y (f64[2,3]), t (f64[3,2])");
    refused("y,y.1", "two columns would have the name y.1");
    folder.write(
        "table.json",
        &folder
            .read("table.json")
            .replace("[2,3]", "[2,3,1]")
            .replace("[3,2]", "[3,2,1]")
            .replace("[1, 0]", "[1, 0, 2]"),
    );
    let rows = [&["x=[[[1],[2],[3]],[[4],[5],[6]]]"], &ROWS[1..]].concat();
    let err = folder.fails(1, &[&["run", "table.json"], &rows[..], &["-o", "old.csv", "--only", "k", "t"]].concat());
    assert!(err.starts_with("error: old.csv: takes arrays of rank 0 to 2, but got t (f64[3,2,1]); write"), "{err}");
}

/// An extension that means nothing is bad usage, before anything is computed, and not JSON under a false name.
#[test]
fn unknown_extensions_are_refused() {
    let folder = Folder::new();
    for name in ["out.txt", "out.NPY", "out.json.gz"] {
        let err = folder.fails(2, &[&["run", "f.json", "-o", name], &VALUES[..]].concat());
        assert!(err.contains("takes a file that ends in .json, .npz, .npy or .csv"), "{err}");
    }
    for (option, name) in [("-o", "out.csv"), ("-o", "out.npy"), ("--point", "out.txt"), ("-o", "out.txt")] {
        let err = folder.fails(2, &[&["minimize", "f.json", option, name], &VALUES[..]].concat());
        assert!(err.contains("takes a file that ends in .json"), "{err}");
    }
    folder.ok(&[&["run", "f.json", "-o", "out"], &VALUES[..]].concat());
    assert_eq!(folder.read("out"), "{\n \"y\": 4.25,\n \"k\": 7.0\n}\n");
}

/// The command has no functions of a host, but shows and optimizes graphs that apply some.
#[test]
fn unknown_functions_of_a_host_are_named() {
    let folder = Folder::new();
    let text = r#"{"format": "retrograd", "version": 1, "producer": "retrograd 0.1.0", "entry": "f", "graphs": {"f": {
        "inputs": [{"id": "x", "type": "f64[]"}],
        "nodes": [{"id": "n0", "op": "external", "in": ["x"], "type": "f64[]", "function": "wind tunnel", "results": ["f64[]"]}],
        "outputs": [{"name": "y", "value": "n0"}]}}}"#;
    folder.write("external.json", text);
    assert!(folder.ok(&["show", "external.json"]).contains("external %x function=\"wind tunnel\""));
    folder.ok(&["optimize", "external.json", "-o", "small.json"]);
    for arguments in [&["run", "small.json", "x=1"][..], &["bench", "external.json", "x=1"]] {
        let err = folder.fails(1, arguments);
        assert!(err.contains("has registered no function \"wind tunnel\"; ") && err.contains("the command"), "{err}");
    }
    let err = folder.fails(1, &["grad", "external.json"]);
    assert!(err.contains("external: has no derivative by its first operand"), "{err}");
}
