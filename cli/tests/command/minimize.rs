use std::fs;
use std::path::{Path, PathBuf};

use retrograd::value::{DType, Type, npz};
use retrograd::{Var, trace};
use serde_json::Value;

use super::Folder;
use super::examples::files;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ir-examples").join(name)
}

fn result(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// All methods find the minimum at (1, 1), from where the textbooks start.
#[test]
fn rosenbrock_is_minimized_by_every_method() {
    let folder = Folder::new();
    let path = example("rosenbrock.json");
    // The error is the gradient's times the largest eigenvalue of the inverse Hessian, 2.5.
    for (method, most) in [("gradient-descent", 40_000), ("adam", 20_000), ("lbfgs", 60), ("newton-cg", 100)] {
        let arguments = ["minimize", path.to_str().unwrap(), "x=-1.2", "y=1", "--method", method];
        let found = result(&folder.ok(&[&arguments[..], &["--max-iterations", "40000"]].concat()));
        assert_eq!((found["method"].as_str(), found["stopped"].as_str()), (Some(method), Some("gradient")));
        assert!(number(&found["iterations"]) <= f64::from(most), "{found}");
        assert!(number(&found["gradient_norm"]) <= 1e-6 && number(&found["value"]) <= 1e-11, "{found}");
        for name in ["x", "y"] {
            assert!((number(&found["point"][name]) - 1.0).abs() <= 2.6e-6, "{found}");
        }
    }
    let arguments = ["minimize", path.to_str().unwrap(), "x=-1.2", "y=1", "--tolerance", "1e-12"];
    let found = result(&folder.ok(&[&arguments[..], &["--method", "newton-cg"]].concat()));
    assert!(
        number(&found["gradient_norm"]) <= 1e-12 && (number(&found["point"]["x"]) - 1.0).abs() <= 2.6e-12,
        "{found}"
    );
}

/// The mean of softplus(z) - t z, where z = x w + b and the columns of x are standardized, and a ridge.
fn logistic_loss(w: Var, b: Var, x: Var, t: Var) -> Var {
    let centered = x - x.mean_axes(&[0]);
    let standard = centered / centered.square().mean_axes(&[0]).sqrt();
    let z = standard.dot(w) + b;
    let softplus = z.relu() + (-z.abs()).exp().ln_1p();
    (softplus - t * z).mean() + 0.005 * w.square().sum()
}

/// A regression on real data, from a CSV file, against the optimum that tests/data/logistic/reference.py finds.
#[test]
fn a_logistic_regression_reaches_its_optimum() {
    let folder = Folder::new();
    let f64s = |shape: &[usize]| Type::new(DType::F64, shape);
    let types = (f64s(&[30]), DType::F64, f64s(&[569, 30]), f64s(&[569]));
    let mut graph = trace(logistic_loss, types).unwrap();
    graph.set_name("loss");
    graph.save(folder.path("loss.json")).unwrap();
    let names: Vec<String> = graph.inputs().iter().map(|input| input.name.to_string()).collect();
    let [w, b, x, t] = &names[..] else { panic!("{names:?}") };
    let table = fs::read_to_string(example("../examples/data/breast_cancer.csv")).unwrap();
    // The first line tells rows, features and labels.
    folder.write("data.csv", table.split_once('\n').unwrap().1);
    let start = format!("{w}=[{}]", ["0"; 30].join(","));
    let (b0, x0, t0) = (format!("{b}=0"), format!("{x}=@data.csv:#1..=#30"), format!("{t}=@data.csv:#31"));
    for method in ["lbfgs", "newton-cg", "adam"] {
        let arguments =
            ["minimize", "loss.json", &start, &b0, &x0, &t0, "--no-header", "--method", method, "--wrt", w, b];
        let arguments = [&arguments[..], &["--tolerance", "1e-8", "--point", "fitted.npz"]].concat();
        let found = result(&folder.ok(&arguments));
        assert_eq!(found["stopped"], "gradient", "{method}: {found}");
        assert!((number(&found["value"]) - 0.099591375484705).abs() < 1e-14, "{method}: {found}");
        let (w, b) = (&found["point"][w], &found["point"][b]);
        let expected =
            [(&w[0], -0.416054173043), (&w[20], -0.629780423309), (&w[29], -0.189148177424), (b, 0.495269691090)];
        for (got, expected) in expected {
            // The ridge bounds the Hessian from below by 0.01, but the intercept's by a little less.
            assert!((number(got) - expected).abs() < 3e-6, "{method}: {got} is not {expected}");
        }
        // The point is what `run` reads.
        let value = folder.ok(&["run", "loss.json", "-i", "fitted.npz", &x0, &t0, "--no-header"]);
        assert_eq!(number(&result(&value)["out"]), number(&found["value"]));
    }
}

/// Every file with a scalar for its first output can be minimized for some steps, which never lead up.
#[test]
fn every_scalar_file_goes_down() {
    let folder = Folder::new();
    let mut n_files = 0;
    for (name, path) in files() {
        let graph = retrograd::Graph::load(&path).unwrap();
        let ty = graph.ty(graph.outputs()[0].value);
        let inputs = path.with_extension("inputs.json");
        let (path, inputs) = (path.to_str().unwrap(), inputs.to_str().unwrap());
        let arguments = ["minimize", path, "--input", inputs, "--max-iterations", "5", "--trajectory", "steps.csv"];
        if ty.rank() > 0 || !ty.dtype.is_float() {
            assert!(folder.fails(1, &arguments).contains("must be"), "{name}");
            continue;
        }
        // One path of a loop holds for few numbers, logarithms are not bounded from below, and not every number has a root.
        let (code, out, err) = folder.run(&arguments);
        if code == 1 {
            assert!(
                ["guard ", "diverged in iteration ", "iterations of a loop", "did not converge: "]
                    .iter()
                    .any(|reason| err.contains(reason)),
                "{name}: {err}"
            );
        } else {
            assert_eq!((code, err.as_str()), (0, ""), "{name}");
        }
        if code == 0 || err.contains("did not converge: ") {
            assert!(number(&result(&out)["iterations"]) <= 5.0);
            n_files += 1;
        }
        let table = folder.read("steps.csv");
        let values: Vec<f64> =
            table.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
        assert!(!values.is_empty() && values.is_sorted_by(|x, y| x >= y), "{name}: {values:?}");
    }
    assert!(n_files >= 4, "{n_files} files were minimized");
}

#[test]
fn results_go_to_files() {
    let folder = Folder::new();
    let path = example("rosenbrock.json");
    let minimize =
        |options: &[&str]| folder.ok(&[&["minimize", path.to_str().unwrap(), "x=-1.2", "y=1"], options].concat());
    let text = minimize(&[]);
    assert_eq!(minimize(&["-o", "result.json"]), "");
    assert_eq!(folder.read("result.json"), text);
    minimize(&["-o", "result.npz", "--point", "point.json"]);
    let arrays = npz::read(&fs::read(folder.path("result.npz")).unwrap(), 1 << 20).unwrap();
    let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x", "y", "result.value", "result.gradient_norm", "result.iterations", "result.converged"]);
    assert_eq!(arrays[5].1.to_json(), "true");
    let found = result(&text);
    assert_eq!(arrays[0].1.to_json(), found["point"]["x"].to_string());
    assert_eq!(arrays[4].1.to_json(), found["iterations"].to_string());
    assert_eq!(result(&folder.read("point.json")), found["point"]);

    let one = result(&minimize(&["--wrt", "y"]));
    assert_eq!(one["point"].as_object().unwrap().len(), 1);
    assert!((number(&one["point"]["y"]) - 1.44).abs() < 1e-8, "{one}");
}

/// Without convergence the result is written all the same, the reason is on the standard error, and the exit code is 1.
#[test]
fn what_does_not_converge_fails() {
    let folder = Folder::new();
    fs::copy(example("rosenbrock.json"), folder.path("f.json")).unwrap();
    let run = |options: &[&str]| {
        let (code, out, err) = folder.run(&[&["minimize", "f.json", "x=-1.2", "y=1"], options].concat());
        (code, result(&out), err)
    };
    for method in ["gradient-descent", "adam", "lbfgs", "newton-cg"] {
        let (code, few, err) = run(&["--max-iterations", "3", "--method", method]);
        assert_eq!(
            (code, few["stopped"].as_str(), number(&few["iterations"])),
            (1, Some("iterations"), 3.0),
            "{method}"
        );
        let start = "error: f.json: minimize: did not converge: the limit of iterations is reached; in iteration 3";
        assert!(err.starts_with(start) && err.ends_with("tolerance 1e-6 (the lowest point is written)\n"), "{err}");
        assert!(number(&few["value"]) < 24.2, "{few}");
    }
    let (code, none, _) = run(&["--max-iterations", "0"]);
    assert_eq!((code, none["stopped"].as_str(), number(&none["point"]["x"])), (1, Some("iterations"), -1.2));
    // More than rounding allows.
    let (code, stuck, err) = run(&["--tolerance", "0"]);
    assert!((number(&stuck["point"]["x"]) - 1.0).abs() < 1e-7, "{stuck}");
    let reason = stuck["stopped"].as_str().unwrap();
    let told = err.contains("did not converge: no step leads to a lower value; ");
    assert!(matches!((code, reason, told), (0, "gradient", false) | (1, "no progress", true)), "{code} {stuck} {err}");
}

/// The first step along a steep slope would lead far over the minimum, to where a logistic function is flat: the gradient
/// vanishes there, but that is no minimum.
#[test]
fn a_plateau_is_no_minimum() {
    let folder = Folder::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/plateau.json");
    let start = ["minimize", file.to_str().unwrap(), "x=-2.4423470353692043", "--method"];
    for method in ["gradient-descent", "adam", "lbfgs", "newton-cg"] {
        let found = result(&folder.ok(&[&start[..], &[method]].concat()));
        assert!((number(&found["point"]["x"]) + 0.32277).abs() < 1e-5, "{method}: {found}");
    }
    // A rate that leads there nevertheless.
    let (code, out, err) = folder.run(&[&start[..], &["gradient-descent", "--learning-rate", "1"]].concat());
    let found = result(&out);
    assert!(code == 1 || (number(&found["point"]["x"]) + 0.32277).abs() < 1e-5, "{found} {err}");
}

/// A line search meets the minimum of x - ln x on its way from next to the barrier, where all other steps lead up.
#[test]
fn a_minimum_that_a_line_search_has_met_is_one() {
    let folder = Folder::new();
    let graph = trace(|x: Var| x - x.ln(), (Type::scalar(DType::F64),)).unwrap();
    graph.save(folder.path("barrier.json")).unwrap();
    for method in ["gradient-descent", "lbfgs"] {
        let found = result(&folder.ok(&["minimize", "barrier.json", "x=1e-300", "--method", method]));
        assert_eq!(found["stopped"].as_str(), Some("gradient"), "{found}");
        assert!((number(&found["point"]["x"]) - 1.0).abs() < 1e-6 && number(&found["gradient_norm"]) < 1e-6, "{found}");
    }
}

#[test]
fn results_go_to_different_files() {
    let folder = Folder::new();
    let path = example("rosenbrock.json");
    let start = ["minimize", path.to_str().unwrap(), "x=-1.2", "y=1"];
    for files in [["-o", "r.json", "--point", "r.json"], ["--point", "r.csv", "--trajectory", "r.csv"]] {
        let told = folder.fails(2, &[start, files].concat());
        assert!(told.contains("--output, --point and --trajectory take different files"), "{told}");
    }
}

/// Squares of these gradients overflow.
#[test]
fn a_steep_slope_has_a_norm() {
    let folder = Folder::new();
    let mut graph =
        trace(|x: Var, y: Var| 1e180 * (x - 3.0).square() + 1e180 * (y - 1.0).square(), (DType::F64, DType::F64))
            .unwrap();
    graph.set_name("steep");
    graph.save(folder.path("steep.json")).unwrap();
    for method in ["gradient-descent", "lbfgs", "newton-cg"] {
        let (code, out, err) = folder.run(&["minimize", "steep.json", "x=1", "y=0", "--method", method]);
        let found = result(&out);
        assert!(number(&found["gradient_norm"]).is_finite(), "{method}: {found}");
        for (name, expected) in [("x", 3.0), ("y", 1.0)] {
            assert!((number(&found["point"][name]) - expected).abs() < 1e-12, "{method}: {found} {err}");
        }
        assert!(code == 0 || err.contains("did not converge: "), "{method}: {err}");
    }
    let (code, out, _) = folder.run(&["minimize", "steep.json", "x=1", "y=0", "--max-iterations", "0"]);
    assert_eq!((code, number(&result(&out)["gradient_norm"])), (1, 4e180f64.hypot(2e180)));
}

#[test]
fn trajectories_are_tables_and_plots() {
    let folder = Folder::new();
    let path = example("rosenbrock.json");
    let minimize = |file: &str, more: &[&str]| {
        let arguments = ["minimize", path.to_str().unwrap(), "x=-1.2", "y=1", "--trajectory", file];
        result(&folder.ok(&[&arguments[..], more].concat()))
    };
    let found = minimize("steps.csv", &[]);
    let table = folder.read("steps.csv");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["iteration", "value", "gradient_norm", "x", "y"]);
    assert_eq!(rows[1][..2], ["0", "24.199999999999996"]);
    assert_eq!(rows[1][3..], ["-1.2", "1.0"]);
    assert_eq!(rows.len() as f64, number(&found["iterations"]) + 2.0);
    let last: Vec<f64> = rows[rows.len() - 1].iter().map(|field| field.parse().unwrap()).collect();
    let names = ["iterations", "value", "gradient_norm"].map(|name| number(&found[name]));
    assert_eq!(last, [&names[..], &[number(&found["point"]["x"]), number(&found["point"]["y"])]].concat());

    // Two numbers are unknown: the path is drawn on contours. One: it is not.
    minimize("both.svg", &[]);
    let svg = folder.read("both.svg");
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    assert!(svg.contains(">the path on contours of out</text>") && svg.contains(">out by iteration</text>"), "{svg}");
    let contours = svg.lines().filter(|line| line.contains("stroke=\"#b8b8b8\"")).count();
    assert!(contours > 8, "{contours} contours");
    assert!(svg.contains(">1e0</text>") && svg.contains(">iteration</text>"));
    minimize("one.svg", &["--wrt", "y"]);
    assert!(!folder.read("one.svg").contains("contours"));
}

/// It stops, says where, and what was good before is written.
#[test]
fn a_divergence_is_told() {
    let folder = Folder::new();
    fs::copy(example("rosenbrock.json"), folder.path("rosenbrock.json")).unwrap();
    let arguments = ["minimize", "rosenbrock.json", "x=-1.2", "y=1", "--method", "gradient-descent"];
    let (code, out, err) = folder.run(
        &[&arguments[..], &["--learning-rate", "0.01", "--point", "point.json", "--trajectory", "steps.csv"]].concat(),
    );
    assert_eq!(code, 1);
    let found = result(&out);
    assert_eq!((found["stopped"].as_str(), &found["iterations"]), (Some("diverged"), &Value::from(6)));
    let expected = "error: rosenbrock.json: minimize: diverged in iteration 6 at x = 1.1163569543664577e78, y = ";
    assert!(err.starts_with(expected) && err.ends_with(" (the lowest point is written): out is inf\n"), "{err}");
    assert_eq!(result(&folder.read("point.json")), found["point"]);
    assert!(number(&found["value"]).is_finite() && folder.read("steps.csv").lines().count() == 1 + 6);

    // Unbounded from below, and a start outside of the domain.
    let graph = |name: &str, f: fn(Var) -> Var| {
        let mut graph = trace(|x: Var| f(x), (DType::F64,)).unwrap();
        graph.set_name(name);
        graph.save(folder.path(&format!("{name}.json"))).unwrap();
    };
    graph("cubic", |x| x * x * x);
    graph("log", |x| x.ln());
    for method in ["lbfgs", "newton-cg", "gradient-descent"] {
        let (code, out, err) = folder.run(&["minimize", "cubic.json", "x=1", "--method", method]);
        // At 0 the gradient is 0, though it is no minimum.
        assert!(code == 1 && err.ends_with(": out is -inf\n") || result(&out)["stopped"] == "gradient", "{out}{err}");
        let err = folder.fails(1, &["minimize", "log.json", "x=-1", "--method", method]);
        assert_eq!(err, "error: log.json: minimize: diverged in iteration 0 at x = -1.0: out is NaN\n");
    }
    let (code, out, err) = folder.run(&["minimize", "log.json", "x=1"]);
    assert_eq!((code, number(&result(&out)["point"]["x"])), (1, 1.0));
    let expected =
        "error: log.json: minimize: diverged in iteration 1 at x = 0.0 (the lowest point is written): out is -inf\n";
    assert_eq!(err, expected);
    // What a line search met on its way to infinity counts, too.
    graph("hill", |x| -x * x);
    for method in ["lbfgs", "newton-cg", "gradient-descent"] {
        let (code, out, _) = folder.run(&["minimize", "hill.json", "x=0.001", "--method", method]);
        let found = result(&out);
        let (x, value) = (number(&found["point"]["x"]), number(&found["value"]));
        assert!(code == 1 && value < -1e100 && value == -x * x, "{method}: {found}");
    }
    // The first step leads to where there is no logarithm: a step too far, and no divergence.
    graph("barrier", |x| 10.0 * x - x.ln());
    for method in ["lbfgs", "newton-cg", "gradient-descent"] {
        let found = result(&folder.ok(&["minimize", "barrier.json", "x=0.5", "--method", method]));
        assert!((number(&found["point"]["x"]) - 0.1).abs() < 1e-8, "{method}: {found}");
    }
}

/// One path through a loop holds for few numbers; the way down leads out of it.
#[test]
fn a_guard_that_does_not_hold_is_told() {
    let folder = Folder::new();
    fs::copy(example("taylor_sine.json"), folder.path("sine.json")).unwrap();
    let (code, out, err) = folder.run(&["minimize", "sine.json", "x=2"]);
    let found = result(&out);
    assert_eq!((code, found["stopped"].as_str()), (1, Some("failed")));
    let iteration = &found["iterations"];
    assert!(err.starts_with(&format!("error: sine.json: minimize: failed in iteration {iteration} at x = ")), "{err}");
    assert!(err.contains(" (the lowest point is written): guard "), "{err}");
    let err = folder.fails(1, &["minimize", "sine.json", "x=0.1"]);
    let expected = "error: sine.json: minimize: failed in iteration 0 at x = 0.1: guard 1: this program holds the path";
    assert!(err.starts_with(expected), "{err}");
}

#[test]
fn bad_inputs_of_minimize() {
    let folder = Folder::new();
    let fails = |options: &[&str]| folder.fails(1, &[&["minimize", "f.json"], options].concat());
    assert!(fails(&[]).starts_with("error: 3 inputs have no value: w (f64[3]), x (f64[3]), k (i64[])\n"));
    assert_eq!(fails(&["--of", "z"]), "error: there is no output \"z\"; there are: y, k\n");
    assert_eq!(fails(&["--wrt", "v"]), "error: there is no input \"v\"; there are: w, x, k\n");
    let values = super::VALUES;
    let with = |options: &[&str]| fails(&[&values[..], options].concat());
    assert_eq!(with(&["--wrt", "k"]), "error: f.json: derivative: \"k\" must be of floating point, but is i64[]\n");
    let err = folder.fails(2, &["minimize", "f.json", "--learning-rate", "1"]);
    assert!(err.starts_with("error: --learning-rate is for adam and gradient-descent; "), "{err}");
}

/// A file that cannot be written is an error, but it costs neither the other files nor the result.
#[test]
fn one_file_that_cannot_be_written_costs_no_other() {
    let folder = Folder::new();
    let path = example("rosenbrock.json");
    let search = ["minimize", path.to_str().unwrap(), "x=-1.2", "y=1"];
    let result = folder.ok(&search);
    let cannot = |name: &str| format!("error: cannot write {name}: No such file or directory (os error 2)\n");
    let options = ["--trajectory", "no/path.csv", "--point", "no/point.json"];
    let outcome = folder.run(&[&search[..], &options].concat());
    assert_eq!(outcome, (1, result.clone(), cannot("no/path.csv") + &cannot("no/point.json")));
    let options =
        ["--trajectory", "path.csv", "--point", "point.json", "-o", "no/result.json", "--max-iterations", "3"];
    let err = folder.fails(1, &[&search[..], &options].concat());
    assert!(err.contains("the limit of iterations is reached") && err.ends_with(&cannot("no/result.json")), "{err}");
    assert!(!err.contains("is written"), "{err}");
    assert_eq!((folder.read("path.csv").lines().count(), folder.read("point.json").lines().count()), (5, 4));
}
