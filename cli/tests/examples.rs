//! Every example runs, holds what it claims about itself, and what it writes is what the command reads.

#[path = "../../tests/common/mod.rs"]
pub mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::cargo_run;

/// What an example prints.
fn example(name: &str, arguments: &[&str]) -> String {
    cargo_run(&[&["--example", name, "--"], arguments].concat())
}

#[test]
fn every_example_has_a_test() {
    let tests = fs::read_to_string("tests/examples.rs").unwrap();
    let readme = fs::read_to_string("../README.md").unwrap();
    for entry in fs::read_dir("../examples").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let tested =
                tests.contains(&format!("example(\"{name}\"")) || readme.contains(&format!("--example {name}\n"));
            assert!(tested, "{name} is run by no test");
        }
    }
}

#[test]
fn the_small_ones_run() {
    for (printed, line) in [
        (example("chain_rule", &[]), ""),
        (example("define_gradient", &[]), "bytes gives the same gradient"),
        (example("implicit", &[]), "an equilibrium of 12 numbers: pushed along its gradient"),
        (example("external", &[]), "J0 is 0 at 2.40482555769"),
        (example("per_example_gradients", &[]), "of single rows, clipped by hand, are the same"),
        (example("taylor_sine", &[]), "derived by hand"),
        (example("rosenbrock", &[]), "; 7 of Newton's method on it"),
        (example("max_likelihood", &[]), "exponent 1.0246 ±"),
        (example("robot_arm", &[]), "200 of 200 targets reached"),
        (example("rnn", &[]), "sequences ten times as long"),
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

#[test]
fn derivatives_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let drawing = folder.path().join("curves.svg");
    example("tanh_derivatives", &["--out", drawing.to_str().unwrap()]);
    let svg = fs::read_to_string(drawing).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<polyline").count(), 7);
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn the_command_reproduces_the_predictions_of_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let printed = example("neural_net", &["--out", folder.path().to_str().unwrap()]);
    assert!(printed.contains("held-out accuracy"), "{printed}");
    let again = run(folder.path(), &["run", "digits.json", "--input", "inputs.json"]);
    let saved = fs::read_to_string(folder.path().join("predictions.json")).unwrap();
    assert!(saved == again, "the command predicts something else");
}

/// What the command prints.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_retrograd")).args(arguments).current_dir(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
