use retrograd::value::{DType, Type};
use retrograd::{Var, trace};

use super::examples::files;
use super::{Folder, VALUES};

fn document(inputs: &str, nodes: &str, outputs: &str) -> String {
    format!(
        r#"{{"format": "retrograd", "version": 1, "producer": "a test", "entry": "f", "graphs": {{"f": {{
        "inputs": [{inputs}], "nodes": [{nodes}], "outputs": [{outputs}]}}}}}}"#
    )
}

/// `y` of one operation on an array of three.
fn elementwise(op: &str) -> String {
    document(
        r#"{"id": "x", "type": "f64[3]"}"#,
        &format!(r#"{{"id": "y", "op": "{op}", "in": ["x"], "type": "f64[3]"}}"#),
        r#"{"name": "y", "value": "y"}"#,
    )
}

/// Five comparisons at each point, and none of them off.
#[test]
fn every_file_is_right_at_its_inputs_and_at_random_points() {
    let folder = Folder::new();
    for (name, path) in files() {
        // Its derivative is that of one step of Newton's method, which is not that of what bisection finds.
        if name == "bisection" {
            continue;
        }
        let inputs = path.with_extension("inputs.json");
        let (path, inputs) = (path.to_str().unwrap(), inputs.to_str().unwrap());
        let out = folder.ok(&["check-grad", path, "--input", inputs]);
        assert_eq!(
            (out.lines().next(), out.matches(" compared\n").count()),
            (Some("point 1 of 1"), 5),
            "{name}: {out}"
        );
        // One path of a loop holds for few numbers.
        if name != "taylor_sine" {
            let mut arguments = vec!["check-grad", path, "--points", "2", "--seed", "7", "--range", "0.2..1"];
            // A mean of no words is NaN.
            arguments.extend((name == "embedding").then_some("sentences=[0,0,0,1,2,2]"));
            let out = folder.ok(&arguments);
            assert_eq!(out.matches(" compared\n").count(), 10, "{name}: {out}");
        }
    }
}

/// What cancels leaves the rounding of its terms, in one mode more than in the other, and is no wrong derivative.
#[test]
fn derivatives_that_cancel_are_right() {
    let folder = Folder::new();
    let graphs: [(&str, fn(Var) -> Var); 5] = [
        ("softmax", |x| x.softmax(0).sum()),
        ("circle", |x| (x.sin().square() + x.cos().square()).sum()),
        ("rotation", |x| {
            let (a, b, turn) = (x.index(0), x.index(1), x.index(2));
            (a * turn.cos() - b * turn.sin()).hypot(a * turn.sin() + b * turn.cos())
        }),
        ("identity", |x| x.exp().ln().sum()),
        ("diagonal", |x| x.atan2(x).sum()),
    ];
    for (name, f) in graphs {
        trace(f, (Type::new(DType::F64, [3]),)).unwrap().save(folder.path("cancels.json")).unwrap();
        let out = folder.ok(&["check-grad", "cancels.json", "--points", "5"]);
        assert_eq!(out.matches(" compared\n").count(), 25, "{name}: {out}");
    }
}

#[test]
fn points_are_the_same_for_the_same_seed() {
    let folder = Folder::new();
    let run = |seed: &str| folder.ok(&["check-grad", "f.json", "--seed", seed, "--wrt", "w"]);
    assert_eq!(run("1"), run("1"));
    assert_ne!(run("1"), run("2"));
    assert!(!run("1").contains("by x"));
    let out = folder.ok(&[&["check-grad", "f.json", "--points", "5"], &VALUES[..]].concat());
    assert!(out.starts_with("point 1 of 1\n"));
    let out = folder.ok(&["check-grad", "f.json", "--points", "2", VALUES[0]]);
    assert!(out.starts_with("point 1 of 2\n") && out.contains("\npoint 2 of 2\n"));
}

/// The gradient of a kink is what it is defined to be, and not what differences say.
#[test]
fn a_disagreement_names_leaf_and_element() {
    let folder = Folder::new();
    folder.write(
        "relu.json",
        &document(
            r#"{"id": "x", "type": "f64[3]"}"#,
            r#"{"id": "z", "op": "stop_gradient", "in": ["x"], "type": "f64[3]"},
            {"id": "a", "op": "mul", "in": ["x", "z"], "type": "f64[3]"}"#,
            r#"{"name": "y", "value": "a"}"#,
        ),
    );
    let (code, out, err) = folder.run(&["check-grad", "relu.json", "x=[0, 0, 3]"]);
    assert_eq!(code, 1);
    assert!(out.contains("  forward mode against differences: 9 compared\n    worst: "), "{out}");
    assert!(out.contains("y[2] by x[2], 3.000000e0 against 6.000000e0, "), "{out}");
    assert!(!out.contains("second order"), "{out}");
    let expected =
        "error: relu.json: point 1 of 1: forward mode against differences: y[2] by x[2] is 3e0, but should be ";
    assert!(err.starts_with(expected), "{err}");
}

#[test]
fn a_point_outside_of_the_domain_is_no_wrong_derivative() {
    let folder = Folder::new();
    for op in ["log", "sqrt", "reciprocal"] {
        folder.write(&format!("{op}.json"), &elementwise(op));
    }
    let outside = |arguments: &[&str], expected: &str| {
        let (code, out, err) = folder.run(&[&["check-grad"], arguments].concat());
        assert_eq!(code, 1);
        assert_eq!(out, format!("point 1 of 1\n  outside of the domain, or at its edge: {expected}\n"));
        assert_eq!(err, format!("error: {}: no point lies inside of the domain\n", arguments[0]));
    };
    outside(&["log.json", "x=[1, -1, 2]"], "y[1] is NaN");
    outside(&["reciprocal.json", "x=[1, 2, 0]"], "y[2] is inf");
    outside(&["sqrt.json", "x=[0, 1, 2]"], "the derivative of y[0] by x[0] is inf");
    // Of several random points, some lie inside.
    let out = folder.ok(&["check-grad", "log.json", "--points", "40", "--range", "-0.1..1"]);
    assert!(out.contains("outside of the domain") && out.contains("second order"), "{out}");

    let path = files().into_iter().find(|(name, _)| name == "taylor_sine").unwrap().1;
    let (code, out, err) = folder.run(&["check-grad", path.to_str().unwrap(), "x=0.1"]);
    assert!(code == 1 && err.ends_with("no point lies inside of the domain\n"), "{err}");
    assert!(
        out.contains("  outside of the domain, or at its edge: guard 1: this program holds the path on which"),
        "{out}"
    );
}

#[test]
fn bad_inputs_of_check_grad() {
    let folder = Folder::new();
    let fails = |options: &[&str]| folder.fails(1, &[&["check-grad", "f.json"], options].concat());
    assert_eq!(fails(&["--wrt", "v"]), "error: there is no input \"v\"; there are: w, x, k\n");
    assert_eq!(fails(&["--wrt", "k"]), "error: f.json: derivative: \"k\" must be of floating point, but is i64[]\n");
    assert_eq!(fails(&["--wrt", "w", "w"]), "error: w: is named twice\n");
    assert_eq!(fails(&["w=[1]"]), "error: w: takes a list of 3 (f64[3]), but got a list of 1\n");
}

/// What has no output of floating point is not right, either.
#[test]
fn nothing_to_compare_is_an_error() {
    let folder = Folder::new();
    let finite = elementwise("is_finite").replace(r#"["x"], "type": "f64[3]""#, r#"["x"], "type": "bool[3]""#);
    folder.write("finite.json", &finite);
    let (code, _, told) = folder.run(&["check-grad", "finite.json"]);
    let expected = "error: finite.json: no output of floating point has an element to differentiate\n";
    assert_eq!((code, &*told), (1, expected));
}
