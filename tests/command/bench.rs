use std::fs;

use super::Folder;
use super::examples::files;

fn stages(out: &str) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(out).unwrap();
    let seconds = json["seconds"].as_object().unwrap();
    for (name, time) in seconds {
        let (min, median) = (time["min"].as_f64().unwrap(), time["median"].as_f64().unwrap());
        assert!(0.0 < min && min <= median && median < 60.0, "{name}: {time}");
    }
    seconds.keys().cloned().collect()
}

#[test]
fn every_file_is_measured_with_its_gradient() {
    let folder = Folder::new();
    for (_, path) in files() {
        let inputs = path.with_extension("inputs.json");
        let (path, inputs) = (path.to_str().unwrap(), inputs.to_str().unwrap());
        let out = folder.ok(&["bench", path, "--input", inputs, "--grad", "--seconds", "0.02", "--json"]);
        let expected = ["read", "verify", "differentiate", "optimize", "compile", "native call", "interpreted call"];
        assert_eq!(stages(&out), expected);
    }
}

#[test]
fn a_table_tells_stages_and_calls() {
    let folder = Folder::new();
    let out = folder.ok(&["bench", "f.json", "--seconds", "0.02"]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with("f: 4 operations, optimized; ") && lines[0].ends_with(" bytes of working memory"),
        "{out}"
    );
    assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["shortest", "median"]);
    let first = |line: &&str| line.split("  ").next().unwrap().to_string();
    let names: Vec<String> = lines[2..].iter().map(first).collect();
    assert_eq!(names, ["read", "verify", "optimize", "compile", "native call", "interpreted call"]);
    // What comes from the standard input is read once.
    let (code, out, err) =
        folder.run_with_input(&["bench", "-", "--json", "--seconds", "0.02"], &folder.read("f.json"));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(stages(&out)[0], "verify");
}

#[test]
fn bad_inputs_of_bench() {
    let folder = Folder::new();
    let fails = |options: &[&str]| folder.fails(1, &[&["bench", "f.json", "--seconds", "0.02"], options].concat());
    assert_eq!(fails(&["--grad", "--of", "z"]), "error: there is no output \"z\"; there are: y, k\n");
    assert_eq!(fails(&["--grad", "--wrt", "v"]), "error: there is no input \"v\"; there are: w, x, k\n");
    assert_eq!(fails(&["v=1"]), "error: there is no input \"v\"; there are: w, x, k\n");
    let path = files().into_iter().find(|(name, _)| name == "taylor_sine").unwrap().1;
    fs::copy(&path, folder.path("taylor_sine.json")).unwrap();
    let err = folder.fails(1, &["bench", "taylor_sine.json", "x=0.1", "--seconds", "0.02"]);
    assert!(err.starts_with("error: taylor_sine.json: guard 1: this program holds the path on which"), "{err}");
}
