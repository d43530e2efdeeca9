//! Outputs that take nothing, or not all.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::process::Stdio;

use retrograd::Graph;
use retrograd::ir::Provenance;
use retrograd::op::Mul;
use retrograd::value::{DType, Type};

use super::{Folder, outcome};

/// A reader that stops early, as `head` does, is no error.
#[test]
fn a_broken_pipe_ends_quietly() {
    let folder = Folder::new();
    let mut graph = Graph::new("long");
    let mut x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
    for _ in 0..10_000 {
        x = graph.add(Mul.into(), &[x, x], Provenance::default()).unwrap().into();
    }
    graph.add_output("y", x).unwrap();
    graph.save(folder.path("long.json")).unwrap();
    let mut command = folder.command(&["show", "long.json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"long");
    let (code, _, err) = outcome(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
}

/// No verb minds a reader that has gone, and its exit code is what it would have been.
#[test]
fn every_verb_survives_a_closed_output() {
    let folder = Folder::new();
    folder.write("g.json", &folder.read("f.json").replace("reduce_sum", "reduce_prod"));
    for (expected, arguments) in [
        (0, &["show", "f.json"][..]),
        (0, &["show", "--asm", "f.json"]),
        (0, &["check", "f.json"]),
        (0, &["grad", "f.json"]),
        (0, &["optimize", "f.json", "-v"]),
        (0, &["diff", "f.json", "f.json"]),
        (1, &["diff", "f.json", "g.json"]),
        (0, &["check", "f.json", "--json"]),
        (1, &["check", "nowhere.json", "--json"]),
        (1, &["diff", "f.json", "g.json", "--json"]),
        (2, &["diff", "f.json", "nowhere.json", "--json"]),
        (0, &["show", "f.json", "--plan", "--json"]),
        (1, &["check-grad", "f.json", "v=1", "--json"]),
        (0, &["run", "f.json", "--template"]),
        (1, &["run", "f.json"]),
        (0, &["ops"]),
        (0, &["completions", "zsh"]),
        (0, &["man"]),
        (0, &["--help"]),
        (1, &["show", "nowhere.json"]),
        (2, &["shout"]),
    ] {
        let closed = || {
            let (_, writer) = io::pipe().unwrap();
            writer
        };
        let mut command = folder.command(arguments);
        let status = command.stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(status.code(), Some(expected), "{arguments:?}");
    }
}

/// A full disk is an error that names what could not be written.
#[test]
#[cfg(target_os = "linux")]
fn a_full_output_is_an_error() {
    let folder = Folder::new();
    for verb in [
        &["show", "f.json"][..],
        &["show", "f.json", "--sizes", "--json"],
        &["check", "f.json", "--json"],
        &["check-grad", "f.json", "--json"],
        &["ops"],
        &["diff", "f.json", "f.json"],
        &["diff", "f.json", "f.json", "--json"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (code, _, err) = outcome(folder.command(verb).stdout(full).output().unwrap());
        assert_eq!(code, if verb[0] == "diff" { 2 } else { 1 }, "{verb:?}");
        assert_eq!(err, "error: cannot write the standard output: No space left on device (os error 28)\n", "{verb:?}");
    }
    let err = folder.fails(1, &["grad", "f.json", "-o", "/dev/full"]);
    assert_eq!(err, "error: cannot write /dev/full: No space left on device (os error 28)\n");
}

/// Where a file is asked for, nobody need listen: it is written completely, and the exit code says if it is not.
#[test]
fn files_are_written_where_nobody_listens() {
    let folder = Folder::new();
    let values = "w=[1,2,3] x=[1.5,-1,0] k=7";
    for line in [
        "grad f.json --hessian",
        "optimize f.json",
        &format!("run f.json {values}"),
        "run f.json --template",
        &format!("minimize f.json {values} --of k --wrt x"),
        &format!("minimize f.json {values} --wrt x --point point.json"),
    ] {
        let verb: Vec<&str> = line.split(' ').collect();
        folder.ok(&[&verb[..], &["-o", "expected.json"]].concat());
        for (name, expected) in [("out.json", 0), ("nowhere/out.json", 1), ("-", 0)] {
            let closed = || {
                let (_, writer) = io::pipe().unwrap();
                writer
            };
            let mut command = folder.command(&[&verb[..], &["-o", name]].concat());
            let status = command.stdout(closed()).stderr(closed()).status().unwrap();
            assert_eq!(status.code(), Some(expected), "{line} -o {name}");
        }
        assert_eq!(folder.read("out.json"), folder.read("expected.json"), "{line}");
    }
}
