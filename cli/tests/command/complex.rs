//! Complex inputs and outputs: two of the graph, under one name.

use std::fs;
use std::path::Path;

use retrograd::value::{Array, DType, Tree, Type, npy, npz};
use retrograd::{Complex, Var, jit};

use super::Folder;

/// A folder with `f.json`: `y = z²·w`, and `loss = Σ |z - (1 + 2i)|²`.
fn folder() -> Folder {
    let folder = Folder::new();
    let f = |z: Complex, w: Var| (z * z * w, ((z.re - 1.0).square() + (z.im - 2.0).square()).sum());
    let types = (Type::new(DType::F64, [2]).complex(), Type::scalar(DType::F64));
    let graph = jit(f).arguments(["z", "w"]).results(["y", "loss"]).trace(types).unwrap();
    graph.save(folder.path("f.json")).unwrap();
    folder
}

const OUTPUTS: &str = "{\n \"y\": {\"re\": [-6.0, 18.0], \"im\": [8.0, 0.0]},\n \"loss\": 8.0\n}\n";

/// `z = [1 + 2j, 3]`, `w = 2`, in all ways to write them.
#[test]
fn complex_numbers_are_read_and_written() {
    let folder = folder();
    let run = |values: &[&str]| assert_eq!(folder.ok(&[&["run", "f.json"], values].concat()), OUTPUTS, "{values:?}");
    for z in [
        "z=[1+2j,3]",
        "z=[1+2i, 3+0i]",
        "z=[1e0+.2e+1J, 3+0.0I]",
        "z=[\"1+2j\", 3.0]",
        r#"z={"re": [1, 3], "im": [2, 0]}"#,
        r#"z=[{"re": 1, "im": 2}, {"im": 0, "re": 3}]"#,
        r#"z=[{"re": 1, "im": 2}, 3]"#,
    ] {
        run(&[z, "w=2"]);
    }
    run(&["z.re=[1,3]", "z.im=[2,0]", "w=2"]);
    folder.write("inputs.json", r#"{"w": 2, "z": {"re": [1, 3], "im": [2, 0]}}"#);
    run(&["-i", "inputs.json"]);
    folder.write("z.json", r#"["1+2j", 3]"#);
    run(&["z=@z.json", "w=2"]);
    run(&["z=@z.json", "w=2", "--interpret"]);
}

#[test]
fn outputs_are_inputs_of_the_next_run() {
    let folder = folder();
    let same = jit(|y: Complex| y).arguments(["y"]).results(["y"]).trace(Type::new(DType::F64, [2]).complex()).unwrap();
    same.save(folder.path("same.json")).unwrap();
    let y = "{\n \"y\": {\"re\": [-6.0, 18.0], \"im\": [8.0, 0.0]}\n}\n";
    for file in ["y.json", "y.npz"] {
        folder.ok(&["run", "f.json", "z=[1+2j,3]", "w=2", "--only", "y", "-o", file]);
        assert_eq!(folder.ok(&["run", "same.json", "-i", file]), y, "{file}");
    }
    folder.ok(&["run", "f.json", "z=[1+2j,3]", "w=2", "--only", "y", "-o", "y.npy"]);
    assert_eq!(folder.ok(&["run", "same.json", "y=@y.npy"]), y);
    assert_eq!(folder.ok(&["run", "same.json", "y=@y.npz"]), y);
    let entries = npz::entries(&fs::read(folder.path("y.npz")).unwrap()).unwrap();
    assert_eq!(entries, [("y".to_string(), Type::new(DType::F64, [2]).complex())]);
    let part = |x: [f64; 2]| Tree::Leaf(Array::from_elements([2], x.to_vec()).unwrap());
    let pair = Tree::complex(part([-6.0, 18.0]), part([8.0, 0.0]));
    assert_eq!(npy::read_tree(&fs::read(folder.path("y.npy")).unwrap()).unwrap(), pair);
    assert_eq!(folder.ok(&["run", "f.json", "z=[1+2j,3]", "w=2", "--only", "y.im"]), "{\n \"y.im\": [8.0, 0.0]\n}\n");
    // What is not finite has its strings.
    let text = "{\n \"y\": {\"re\": [\"nan\", \"-inf\"], \"im\": [-0.0, 1.0]}\n}\n";
    folder.write("special.json", text);
    assert_eq!(folder.ok(&["run", "same.json", "-i", "special.json"]), text);
    assert_eq!(folder.ok(&["run", "same.json", "y=[nan-0.0j,-inf+j]"]), text);
    assert_eq!(folder.ok(&["run", "same.json", "--template", "-o", "zeros.npz"]), "");
    assert_eq!(folder.ok(&["run", "same.json", "--template"]), folder.ok(&["run", "same.json", "-i", "zeros.npz"]));
}

/// Files that NumPy wrote.
#[test]
fn arrays_of_numpy_are_complex() {
    let folder = Folder::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/npy");
    let file = |name: &str| data.join(name).display().to_string();
    let graph = jit(|z: Complex| z).arguments(["z"]).results(["y"]).trace(Type::new(DType::F64, [2, 3]).complex());
    graph.unwrap().save(folder.path("same.json")).unwrap();
    let expected =
        "{\n \"y\": {\"re\": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], \"im\": [[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]}\n}\n";
    for name in ["read_be_c16.npy", "read_be_c8.npy", "read_fortran_c8.npy", "complex.npz", "complex.npz:z"] {
        assert_eq!(folder.ok(&["run", "same.json", &format!("z=@{}", file(name))]), expected, "{name}");
    }
    // A real array is complex, too.
    let real = folder.ok(&["run", "same.json", &format!("z=@{}", file("read_be_f4.npy"))]);
    assert_eq!(
        real,
        "{\n \"y\": {\"re\": [[-3.0, -2.0, -1.0], [0.0, 1.0, 2.0]], \"im\": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]}\n}\n"
    );
    let err = folder.fails(1, &["run", "same.json", &format!("z=@{}", file("complex_scalar.npy"))]);
    assert!(err.ends_with("complex_scalar.npy: takes complex f64[2,3], but got complex f64[]\n"), "{err}");
    let err = folder.fails(1, &["run", "same.json", "-i", &file("complex.npz")]);
    assert!(err.starts_with("error: there is no input \"w\""), "{err}");
    // Double precision is not rounded.
    let graph = jit(|z: Complex| z).arguments(["z"]).trace(Type::new(DType::F32, [2, 3]).complex()).unwrap();
    graph.save(folder.path("single.json")).unwrap();
    let err = folder.fails(1, &["run", "single.json", &format!("z=@{}", file("read_be_c16.npy"))]);
    assert!(err.ends_with("takes complex f32[2,3], but got complex f64[2,3]\n"), "{err}");
}

#[test]
fn bad_complex_numbers() {
    let folder = folder();
    let run = |value: &str| folder.fails(1, &["run", "f.json", value]);
    let usage = |value: &str| folder.fails(2, &["run", "f.json", value]);
    assert_eq!(run("w=1+2j"), "error: w: takes f64[], but got complex f64[]; take its real part or absolute value\n");
    assert_eq!(
        run(r#"w={"re": 1, "im": 2}"#),
        "error: w: takes f64[], but got complex f64[]; take its real part or absolute value\n"
    );
    assert_eq!(
        run("z=[1+2j]"),
        "error: z: takes a list of 2 (complex f64[2]), or an object of re and im, but got a list of 1\n"
    );
    let takes = "takes a number, a complex one as \"1+2j\", or an object of re and im, but got";
    assert_eq!(run("z=[1+2j, true]"), format!("error: z[1]: {takes} true\n"));
    assert_eq!(run("z=[1+2j, \"1+2\"]"), format!("error: z[1]: {takes} the string \"1+2\"\n"));
    assert_eq!(run(r#"z={"re": [1, 2]}"#), "error: z: takes an object of re and im, but got one of re\n");
    assert_eq!(
        run(r#"z=[1, {"re": 1, "im": 1, "abs": 1}]"#),
        "error: z[1]: takes an object of re and im, but got one of re, im, abs\n"
    );
    assert_eq!(run(r#"z={"re": [1, 2], "im": [1]}"#), "error: z.im: takes a list of 2 (f64[2]), but got a list of 1\n");
    assert_eq!(
        run(r#"z=[1, {"re": 1, "im": "x"}]"#),
        "error: z[1].im: takes a number, \"nan\", \"inf\" or \"-inf\", but got the string \"x\"\n"
    );
    assert!(usage("z=[1e400+2j,3]").contains("number out of range: [1e400+2j,3]"), "{}", usage("z=[1e400+2j,3]"));
    assert!(usage("z=[1+2k,3]").contains("the value is not JSON"));
    let twice = |values: &[&str]| folder.fails(1, &[&["run", "f.json"], values].concat());
    assert_eq!(twice(&["z=[1j,2j]", "z.im=[1,2]"]), "error: z.im: has two values\n");
    assert_eq!(twice(&["z.im=[1,2]", "z=[1j,2j]"]), "error: z: has two values\n");
    assert!(twice(&["w=1"]).starts_with("error: 1 input has no value: z (complex f64[2])\n"), "{}", twice(&["w=1"]));
    assert!(twice(&["w=1", "z.re=[1,2]"]).starts_with("error: 1 input has no value: z.im (f64[2])\n"));
    folder.write("z.csv", "z\n1\n2\n");
    assert_eq!(
        run("z=@z.csv"),
        "error: z: z.csv: the columns of a CSV file are real; give both parts, each under its name\n"
    );
    assert_eq!(run("zz=1j"), "error: there is no input \"zz\"; there are: z.re, z.im, w\n");
}

/// One name for both parts, with each verb that takes names.
#[test]
fn verbs_take_the_name_of_a_complex_value() {
    let folder = folder();
    let values = ["z=[1+2j,3]", "w=2"];
    folder.ok(&["grad", "f.json", "--of", "loss", "--wrt", "z", "-o", "slope.json"]);
    let slope = folder.ok(&[&["run", "slope.json"], &values[..], &["--only", "z.grad"]].concat());
    assert_eq!(slope, "{\n \"z.grad\": {\"re\": [0.0, 4.0], \"im\": [0.0, -4.0]}\n}\n");
    folder.ok(&["grad", "f.json", "--jvp", "--of", "y", "--wrt", "z", "-o", "push.json"]);
    let push = folder.ok(&[&["run", "push.json"], &values[..], &["z.tangent=[1,j]", "--only", "y.tangent"]].concat());
    assert_eq!(push, "{\n \"y.tangent\": {\"re\": [4.0, 0.0], \"im\": [8.0, 12.0]}\n}\n");
    folder.ok(&["grad", "f.json", "--vjp", "--of", "y", "--wrt", "z,w", "-o", "pull.json"]);
    let pull = folder.ok(&[&["run", "pull.json"], &values[..], &["y.ct=[1,0]", "--only", "z.ct", "w.ct"]].concat());
    assert_eq!(pull, "{\n \"z.ct\": {\"re\": [4.0, 0.0], \"im\": [-8.0, 0.0]},\n \"w.ct\": -3.0\n}\n");
    folder.ok(&["batch", "f.json", "--over", "z", "--rows", "2", "-o", "rows.json"]);
    let rows = folder.ok(&["run", "rows.json", "z=[[1+2j,3],[1+2j,1+2j]]", "w=2", "--only", "loss"]);
    assert_eq!(rows, "{\n \"loss\": [8.0, 0.0]\n}\n");
    folder.ok(&["optimize", "f.json", "-o", "optimized.json"]);
    assert_eq!(folder.ok(&[&["run", "optimized.json"], &values[..]].concat()), OUTPUTS);
    let err = folder.fails(1, &["grad", "f.json", "--of", "y"]);
    assert_eq!(err, "error: y: is complex; this takes one of its parts, y.re or y.im\n");
    let err = folder.fails(1, &["grad", "f.json", "--of", "loss", "--wrt", "z", "z.im"]);
    assert_eq!(err, "error: z.im: is named twice\n");
    assert!(folder.ok(&["check-grad", "f.json", "w=2", "--wrt", "z"]).contains("point 3 of 3"));
    assert!(folder.ok(&["bench", "f.json", "--seconds", "0.01", "z=[1+2j,3]"]).contains("native call"));
    assert!(folder.ok(&["check", "f.json"]).contains("3 inputs"));
    assert!(folder.ok(&["show", "f.json"]).contains("z.im"));
    let (code, out, _) = folder.run(&["diff", "f.json", "optimized.json"]);
    assert!(code < 2 && out.contains("outputs"), "{out}");
}

#[test]
fn complex_parameters_are_found() {
    let folder = folder();
    let minimize = |more: &[&str]| {
        folder.ok(&[&["minimize", "f.json", "z=[5j,-3]", "w=1", "--of", "loss", "--wrt", "z"], more].concat())
    };
    for method in ["lbfgs", "newton-cg"] {
        let found: serde_json::Value = serde_json::from_str(&minimize(&["--method", method])).unwrap();
        let part = |name: &str| {
            let part = found["point"]["z"][name].as_array().unwrap_or_else(|| panic!("{found}"));
            part.iter().map(|x| (x.as_f64().unwrap() * 1e6).round() / 1e6).collect::<Vec<f64>>()
        };
        assert_eq!((part("re"), part("im")), (vec![1.0, 1.0], vec![2.0, 2.0]), "{method}");
    }
    minimize(&["--point", "z.npz", "-o", "result.npz"]);
    let loss = folder.ok(&["run", "f.json", "-i", "z.npz", "w=1", "--only", "loss"]);
    let loss: serde_json::Value = serde_json::from_str(&loss).unwrap();
    assert!(loss["loss"].as_f64().unwrap() < 1e-12, "{loss}");
    let entries = npz::entries(&fs::read(folder.path("result.npz")).unwrap()).unwrap();
    assert_eq!((entries[0].0.as_str(), entries[0].1.to_string().as_str()), ("z", "complex f64[2]"));
}
