use std::fs;
use std::path::Path;

use super::Folder;

/// `y = a · x² where x > 0, else 0`, chosen by an `if` of the host where `guarded`.
fn graph(guarded: bool) -> String {
    let guards = if guarded { r#", "guards": [{"value": "p", "expect": true, "at": "src/main.rs:7:8"}]"# } else { "" };
    format!(
        r#"{{"format": "retrograd", "version": 1, "producer": "a test", "entry": "f", "graphs": {{"f": {{
    "inputs": [{{"id": "a", "type": "f64[]"}}, {{"id": "x", "type": "f64[]"}}],
    "nodes": [{{"id": "zero", "op": "constant", "in": [], "type": "f64[]", "value": 0.0}},
    {{"id": "p", "op": "gt", "in": ["x", "zero"], "type": "bool[]"}},
    {{"id": "s", "op": "mul", "in": ["x", "x"], "type": "f64[]"}},
    {{"id": "t", "op": "mul", "in": ["a", "s"], "type": "f64[]"}},
    {{"id": "y", "op": "select", "in": ["p", "t", "zero"], "type": "f64[]"}}],
    "outputs": [{{"name": "y", "value": "y"}}]{guards}}}}}}}"#
    )
}

#[test]
fn graphs_are_applied_to_rows() {
    let folder = Folder::new();
    folder.write("f.json", &graph(false));
    folder.ok(&["batch", "f.json", "--over", "x", "--rows", "3", "-o", "rows.json"]);
    assert_eq!(folder.ok(&["run", "rows.json", "a=2", "x=[3,-1,0.5]"]), "{\n \"y\": [18.0, 0.0, 0.5]\n}\n");

    // A gradient for each row, and the gradient of what has rows.
    let gradient = folder.ok(&["grad", "f.json", "--wrt", "x"]);
    let (code, rows, err) = folder.run_with_input(&["batch", "-", "--over=a,x", "--rows", "2"], &gradient);
    assert_eq!(code, 0, "{err}");
    let (_, out, err) = folder.run_with_input(&["run", "-", "a=[2,5]", "x=[3,4]", "--only", "x.grad"], &rows);
    assert_eq!(out, "{\n \"x.grad\": [12.0, 40.0]\n}\n", "{err}");
    let cotangents = folder.ok(&["grad", "rows.json", "--vjp"]);
    let given = ["run", "-", "a=2", "x=[3,-1,0.5]", "y.ct=[1,1,1]", "--only", "a.ct"];
    let (_, out, err) = folder.run_with_input(&given, &cotangents);
    assert_eq!(out, "{\n \"a.ct\": 9.25\n}\n", "{err}");

    let none = folder.ok(&["batch", "f.json", "--over", "x", "--rows", "0"]);
    let (_, out, err) = folder.run_with_input(&["run", "-", "a=2", "x=[]"], &none);
    assert_eq!(out, "{\n \"y\": []\n}\n", "{err}");
}

/// The saved loops on rows are what the command makes of those of one row.
#[test]
fn files_on_rows_are_made_by_the_command() {
    let folder = Folder::new();
    let saved = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../ir-examples").join(name);
    for name in ["newton_sqrt", "newton_sqrt_grad"] {
        let single = saved(&format!("{name}.json"));
        let rows = folder.ok(&["batch", single.to_str().unwrap(), "--over", "x", "--rows", "4"]);
        assert_eq!(rows, fs::read_to_string(saved(&format!("{name}_rows.json"))).unwrap());
    }
}

#[test]
fn what_cannot_have_rows_is_named() {
    let folder = Folder::new();
    folder.write("f.json", &graph(false));
    let err = folder.fails(1, &["batch", "f.json", "--over", "z", "--rows", "3"]);
    assert!(err.contains("z") && err.contains("a") && err.contains("x"), "{err}");
    let err = folder.fails(1, &["batch", "f.json", "--over", "x,x", "--rows", "3"]);
    assert!(err.contains("is named twice"), "{err}");
    let err = folder.fails(1, &["batch", "f.json", "--over", "x", "--rows", "99999999999999"]);
    assert!(err.contains("99999999999999") && err.contains("elements of a value"), "{err}");
    folder.fails(2, &["batch", "f.json", "--rows", "3"]);
    folder.fails(2, &["batch", "f.json", "--over", "x", "--rows", "-3"]);

    folder.write("guarded.json", &graph(true));
    let err = folder.fails(1, &["batch", "guarded.json", "--over", "x", "--rows", "3"]);
    assert!(err.contains("an `if` decides by a value that differs from row to row"), "{err}");
    assert!(err.contains("select, cond or while_loop") && err.contains("src/main.rs:7:8"), "{err}");
    folder.ok(&["batch", "guarded.json", "--over", "a", "--rows", "3"]);
}
