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
    assert_eq!(folder.ok(&["grad", "f.json", "--wrt", "x,w"]), both);

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
    assert_eq!(grad(&["--wrt", "x", "x"]), "error: x: is named twice\n");
    assert_eq!(grad(&["--of", "loss"]), "error: there is no output \"loss\"; there are: y, k\n");

    folder.write("g.json", &folder.read("f.json").replace("\"value\": \"n2\"", "\"value\": \"n1\""));
    for kind in ["--value", "--hessian", "--hvp"] {
        assert_eq!(
            folder.fails(1, &["grad", "g.json", kind]),
            "error: g.json: grad: output \"y\" must be a scalar, but is f64[3]; use jacobian or vjp, or sum it\n"
        );
    }
    folder.ok(&["grad", "g.json", "--jacobian"]);
    folder.write("cut.json", &folder.read("f.json")[..30]);
    assert!(
        folder.fails(1, &["grad", "cut.json"]).starts_with("error: cut.json: line 2 column 28: the text ends too soon")
    );
}

#[test]
fn a_derivative_that_is_too_large_or_of_nothing_is_refused() {
    let folder = Folder::new();
    let text = folder.read("f.json").replace("[3]", "[100000]");
    folder.write("g.json", &text);
    assert_eq!(
        folder.fails(1, &["grad", "g.json", "--hessian", "--wrt", "x"]),
        "error: g.json: y.x.x.hessian: limit of 268435456 elements of a value exceeded: got 10000000000; \
         --max-elements allows more\n"
    );
    let integers = folder.read("f.json").replace("f64", "i64");
    folder.write("g.json", &integers);
    let expected = "error: derivative: takes an input of floating point, but the graph has none\n";
    assert_eq!(folder.fails(1, &["grad", "g.json"]), expected);
    folder.write(
        "g.json",
        &folder
            .read("f.json")
            .replace("\"value\": \"n2\"", "\"value\": \"k\"")
            .replace("\"value\": \"n3\"", "\"value\": \"k\""),
    );
    let expected = "error: derivative: takes an output of floating point, but the graph has none\n";
    assert_eq!(folder.fails(1, &["grad", "g.json", "--vjp"]), expected);
    let expected = "error: g.json: derivative: \"y\" must be of floating point, but is i64[]\n";
    assert_eq!(folder.fails(1, &["grad", "g.json"]), expected);
}

/// y = Σ w·x², at w = (1, 2, 3), x = (1.5, -1, 0).
#[test]
fn every_derivative_of_one_function() {
    let folder = Folder::new();
    let derive = |options: &[&str], more: &[&str]| {
        folder.ok(&[&["grad", "f.json", "--value", "--of", "y", "-o", "d.json"], options].concat());
        folder.ok(&[&["run", "d.json"], &VALUES[..], more].concat())
    };
    let gradient = "{\n \"y\": 4.25,\n \"w.grad\": [2.25, 1.0, 0.0],\n \"x.grad\": [3.0, -4.0, 0.0]\n}\n";
    assert_eq!(derive(&[], &[]), gradient);
    assert_eq!(derive(&["--vjp"], &["y.ct=1"]), gradient.replace(".grad", ".ct"));
    assert_eq!(
        derive(&["--jacobian"], &[]),
        gradient.replace("w.grad", "y.w.jacobian").replace("x.grad", "y.x.jacobian")
    );
    assert_eq!(
        derive(&["--jvp", "--wrt", "x"], &["x.tangent=[1,10,100]"]),
        "{\n \"y\": 4.25,\n \"y.tangent\": -37.0\n}\n"
    );
    assert_eq!(
        derive(&["--hessian", "--wrt", "x", "w"], &[]),
        "{\n \"y\": 4.25,\n \
         \"y.x.x.hessian\": [[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0]],\n \
         \"y.x.w.hessian\": [[3.0, 0.0, 0.0], [-0.0, -2.0, -0.0], [0.0, 0.0, 0.0]],\n \
         \"y.w.x.hessian\": [[3.0, 0.0, 0.0], [-0.0, -2.0, -0.0], [0.0, 0.0, 0.0]],\n \
         \"y.w.w.hessian\": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]\n}\n"
    );
    assert_eq!(
        derive(&["--hvp", "--wrt", "x"], &["x.tangent=[1,10,100]"]),
        "{\n \"y\": 4.25,\n \"x.hvp\": [2.0, 40.0, 600.0]\n}\n"
    );
    assert_eq!(
        derive(&["--taylor", "3", "--wrt", "x"], &["x.tangent=[1,10,100]"]),
        "{\n \"y\": 4.25,\n \"y.taylor.1\": -37.0,\n \"y.taylor.2\": 30201.0,\n \"y.taylor.3\": 0.0\n}\n"
    );
    assert_eq!(
        folder.fails(1, &["grad", "f.json", "--taylor", "1001"]),
        "error: f.json: f: limit of 1000 order of a Taylor series exceeded: got 1001\n"
    );

    // Without a choice of outputs, --jvp and --vjp take all.
    folder.ok(&["grad", "f.json", "--vjp", "-o", "d.json"]);
    let listing = folder.ok(&["show", "d.json"]);
    assert!(listing.starts_with("f(%w: f64[3], %x: f64[3], %k: i64[], %y.ct: f64[], %k.ct: f64[]) {\n"), "{listing}");
    folder.ok(&["grad", "f.json", "--jvp", "--of", "k", "--of", "y", "--value", "-o", "d.json"]);
    let listing = folder.ok(&["show", "d.json"]);
    let outputs: Vec<&str> =
        listing.lines().rev().nth(1).unwrap().split(", ").map(|x| x.split(':').next().unwrap()).collect();
    assert_eq!(outputs, ["  return k", "y", "k.tangent", "y.tangent"]);
}

/// Names are listed with commas between them, and one that holds a comma is still found.
#[test]
fn lists_of_names_have_commas() {
    let folder = Folder::new();
    folder.write("f.json", &folder.read("f.json").replace("\"x\"", "\"x,k\""));
    let outputs = |wrt: &[&str]| {
        let text = folder.ok(&[&["grad", "f.json", "--wrt"], wrt].concat());
        ["w.grad", "x,k.grad"].map(|name| text.contains(&format!("\"{name}\"")))
    };
    assert_eq!(outputs(&["x,k"]), [false, true]);
    assert_eq!(outputs(&["w,x,k"]), [true, true]);
    assert_eq!(outputs(&["x,k,w"]), [true, true]);
    let fails = |verb: &str, wrt: &str| folder.fails(1, &[verb, "f.json", "--wrt", wrt]);
    for verb in ["grad", "check-grad", "minimize"] {
        assert_eq!(fails(verb, "w,v"), "error: there is no input \"v\"; there are: w, \"x,k\", k\n");
        assert_eq!(fails(verb, "w,w"), "error: w: is named twice\n");
    }
    let err = folder.fails(1, &["bench", "f.json", "--grad", "--wrt", "w,x,k,v", "--seconds", "0.01"]);
    assert_eq!(err, "error: there is no input \"v\"; there are: w, \"x,k\", k\n");
    assert_eq!(folder.ok(&["grad", "f.json", "--jvp", "--of", "y,k"]), folder.ok(&["grad", "f.json", "--jvp"]));
}

/// What could not be read again is not written, and the option that is named makes it readable.
#[test]
fn a_result_beyond_the_limits_is_not_written() {
    let folder = Folder::new();
    let length = folder.read("f.json").len();
    folder.write("out.json", "old");
    for (option, limit, what) in [
        ("--max-nodes", 7, "nodes of a document"),
        ("--max-total-bytes", 120, "bytes of all values"),
        ("--max-file-bytes", length, "bytes of a document"),
    ] {
        // The graph itself is within the limit.
        folder.ok(&["check", "f.json", option, &limit.to_string()]);
        let grad = |limit: &str| folder.run(&["grad", "f.json", "-o", "out.json", option, limit]);
        let (code, out, err) = grad(&limit.to_string());
        let expected = "error: f.json: the result is not written, since it could not be read again: ";
        assert!(code == 1 && out.is_empty() && err.starts_with(expected), "{err}");
        assert!(err.contains(&format!("limit of {limit} {what} exceeded")), "{err}");
        assert!(err.ends_with(&format!("; {option} allows more, here and where the result is read\n")), "{err}");
        assert_eq!(folder.read("out.json"), "old");
        // The least limit that lets it be written lets it be read, and the next smaller one neither.
        let least = (limit..10 * limit).find(|limit| grad(&limit.to_string()).0 == 0).unwrap();
        folder.ok(&["check", "out.json", option, &least.to_string()]);
        folder.fails(1, &["check", "out.json", option, &(least - 1).to_string()]);
        folder.write("out.json", "old");
    }
    let text = folder.read("f.json").replace("[3]", "[4]");
    folder.write("g.json", &text);
    let err = folder.fails(1, &["grad", "g.json", "--wrt", "x", "--hessian", "--max-elements", "15"]);
    assert!(err.ends_with("limit of 15 elements of a value exceeded: got 16; --max-elements allows more\n"), "{err}");
    folder.ok(&["grad", "g.json", "--wrt", "x", "--hessian", "--max-elements", "16"]);
}
