use std::io::Read;
use std::process::Stdio;

use retrograd::Graph;
use retrograd::ir::Provenance;
use retrograd::op::Mul;
use retrograd::value::{DType, Type};

use super::{Folder, outcome};

#[test]
fn show_prints_a_listing_or_json() {
    let folder = Folder::new();
    assert_eq!(folder.ok(&["show", "f.json"]), Graph::load(folder.path("f.json")).unwrap().to_string());
    assert_eq!(folder.ok(&["show", "--json", "f.json"]), folder.read("f.json"));
    let (code, out, _) = folder.run_with_input(&["show", "-", "--json"], &folder.read("f.json"));
    assert_eq!((code, out), (0, folder.read("f.json")));
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

#[test]
fn what_cannot_be_shown() {
    let folder = Folder::new();
    assert_eq!(
        folder.fails(1, &["show", "nowhere.json"]),
        "error: cannot read nowhere.json: No such file or directory (os error 2)\n"
    );
    assert_eq!(folder.fails(1, &["show", "."]), "error: cannot read .: Is a directory (os error 21)\n");
}
