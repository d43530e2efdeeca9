use retrograd::Graph;

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
}
