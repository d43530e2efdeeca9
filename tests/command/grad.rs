use super::{Folder, VALUES};

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
fn what_cannot_be_differentiated() {
    let folder = Folder::new();
    let expected = "error: cannot write nowhere/out.json: No such file or directory (os error 2)\n";
    assert_eq!(folder.fails(1, &["grad", "f.json", "-o", "nowhere/out.json"]), expected);
    let grad = |options: &[&str]| folder.fails(1, &[&["grad", "f.json"], options].concat());
    assert_eq!(grad(&["--wrt", "v"]), "error: there is no input \"v\"; there are: w, x, k\n");
    assert_eq!(grad(&["--of", "z"]), "error: there is no output \"z\"; there are: y, k\n");
    assert_eq!(grad(&["--wrt", "k"]), "error: f.json: derivative: \"k\" must be of floating point, but is i64[]\n");
}
