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
        (example("quantum", &[]), "the ground state has energy -10.251661791"),
        (example("rnn", &[]), "sequences ten times as long"),
        (example("quantile_regression", &[]), "lie below the 90 % quantile"),
        (example("rkhs", &[]), "off their closed form by"),
        (example("neural_net_regression", &[]), "off the cosine"),
        (example("ode_net", &["--steps", "1000"]), "between the times that were seen"),
        (example("print_trace", &[]), "the function and its gradient"),
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

/// Those that take longer do less here: what they hold themselves to then is in their options.
#[test]
fn what_learns_by_indices_runs() {
    for (printed, line) in [
        (example("embedding", &["--epochs", "4"]), "nats a character"),
        (example("lstm", &["--steps", "100"]), "memory "),
        (example("hmm_em", &["--iterations", "40"]), "states need"),
        (example("convnet", &["--epochs", "3", "--accuracy", "0.95"]), "held-out accuracy"),
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

#[test]
fn what_is_inferred_by_draws_runs() {
    for (printed, line) in [
        (example("variational", &[]), "network of unknown frequencies"),
        (example("black_box_svi", &[]), "in closed form"),
        (example("natural_gradient_svi", &[]), "the best bound is"),
        (example("mixture_vi", &["--steps", "600"]), "the integral of the target is"),
        (example("vae", &["--epochs", "20"]), "where pixels are independent"),
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

#[test]
fn fluids_run() {
    for (printed, line) in [
        (example("fluid_simulation", &["--steps", "60"]), "slope along a direction"),
        (example("wing", &["--steps", "30"]), "its mirror image"),
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

#[test]
fn what_solves_and_factors_runs() {
    for (printed, line) in [
        (drawn_example("gaussian_process", 1), "log-likelihood 22.4232"),
        (drawn_example("kalman", 3), "the posterior distribution of 400 numbers"),
        (drawn_example("lqr", 2), "a pole of 0.603 m is the easiest to hold"),
        (drawn_example("deep_gaussian_process", 2), "off the step by"),
        (drawn_example("gplvm", 0), "the nearest one shows the same digit"),
        (drawn_example("gmm", 3), "a step of expectation and maximization changes nothing"),
        (drawn_example("bayesian_optimization", 0), "in truth 0.39789"),
        (example("ica", &[]), "distance from a permutation"),
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

/// What an example prints that draws so many curves.
fn drawn_example(name: &str, n_curves: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drawing.svg");
    let printed = example(name, &["--out", file.to_str().unwrap()]);
    check_drawing(&file, n_curves);
    printed
}

#[test]
fn derivatives_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("curves.svg");
    let out = ["--out", file.to_str().unwrap()];
    example("tanh_derivatives", &out);
    check_drawing(&file, 7);
    example("sinusoid", &out);
    check_drawing(&file, 5);
}

#[test]
fn a_response_is_fitted_and_drawn() {
    let printed = drawn_example("spectrum", 1);
    assert!(printed.contains("the impulse response is off that of the recursion by at most 0.00"), "{printed}");
    let printed = drawn_example("transfer_function", 1);
    assert!(printed.contains("without noise the filter is found to "), "{printed}");
}

fn check_drawing(file: &Path, n_curves: usize) {
    let svg = fs::read_to_string(file).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<polyline").count(), n_curves);
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn graphs_are_written_for_graphviz() {
    let folder = tempfile::tempdir().unwrap();
    example("dot_graph", &["--out", folder.path().to_str().unwrap()]);
    let [function, gradient] =
        ["function.dot", "gradient.dot"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    assert!(function.starts_with("digraph ") && gradient.lines().count() > function.lines().count());
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
