use super::Folder;

/// `y = (x · 1 + x · 1) · x`.
const WASTEFUL: &str = r#"{"format": "retrograd", "version": 1, "producer": "a test", "entry": "f", "graphs": {"f": {
    "inputs": [{"id": "x", "type": "f64[]"}],
    "nodes": [{"id": "one", "op": "constant", "in": [], "type": "f64[]", "value": 1.0},
    {"id": "a", "op": "mul", "in": ["x", "one"], "type": "f64[]"},
    {"id": "b", "op": "sin", "in": ["a"], "type": "f64[]"},
    {"id": "c", "op": "sin", "in": ["a"], "type": "f64[]"},
    {"id": "d", "op": "add", "in": ["b", "c"], "type": "f64[]"}],
    "outputs": [{"name": "y", "value": "d"}]}}}"#;

#[test]
fn passes_are_chosen_and_say_what_they_did() {
    let folder = Folder::new();
    folder.write("f.json", WASTEFUL);
    let said = |arguments: &[&str]| {
        let (code, out, err) = folder.run(&[&["optimize", "f.json"], arguments].concat());
        assert_eq!((code, out.is_empty()), (0, false), "{err}");
        err
    };
    assert_eq!(said(&[]), "");
    let all = "simplify: 5 → 2 operations\nloops: 2 → 2 operations\n";
    assert_eq!(said(&["--verbose"]), all);
    assert_eq!(said(&["-v", "--passes", "cse"]), "cse: 5 → 4 operations\n");
    assert_eq!(said(&["-v", "--passes", "cse,simplify"]), "cse: 5 → 4 operations\nsimplify: 4 → 2 operations\n");
    // The former names of passes are still accepted.
    assert_eq!(said(&["-v", "--passes", "share"]), "cse: 5 → 4 operations\n");
    assert_eq!(said(&["-v", "--passes", "regions"]), said(&["-v", "--passes", "loops"]));
    assert_eq!(
        folder.ok(&["optimize", "--passes", "cse", "f.json", "-o", "-"]),
        folder.ok(&["optimize", "f.json", "--passes=cse"])
    );

    let small = "f(%x: f64[]) {\n  %0: f64[] = sin %x\n  %1: f64[] = add %0 %0\n  return y: f64[] = %1\n}\n";
    assert_eq!(folder.ok(&["show", "--after", "cse", "f.json"]), small);
    assert_eq!(folder.ok(&["show", "--after", "share", "f.json"]), small);
    let (_, out, _) = folder.run_with_input(&["show", "-"], &folder.ok(&["optimize", "f.json"]));
    assert_eq!(out, small);
}

#[test]
fn a_file_that_cannot_be_written_is_left_as_it_was() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder")).unwrap();
    let err = folder.fails(1, &["optimize", "f.json", "-o", "folder"]);
    assert!(err.starts_with("error: cannot write folder: ") && err.contains("is a directory"), "{err}");
    let err = folder.fails(1, &["optimize", "f.json", "-o", "nowhere/out.json"]);
    assert_eq!(err, "error: cannot write nowhere/out.json: No such file or directory (os error 2)\n");

    folder.write("old.json", "old");
    folder.write("bad.json", &folder.read("f.json")[..100]);
    folder.fails(1, &["optimize", "bad.json", "-o", "old.json"]);
    assert_eq!(folder.read("old.json"), "old");
    let mut names: Vec<String> = std::fs::read_dir(folder.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["bad.json", "f.json", "folder", "old.json"]);
}
