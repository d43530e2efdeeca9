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
        let graph = retrograd::Graph::load(&path).unwrap();
        let is_scalar = graph.ty(graph.outputs()[0].value).rank() == 0;
        let inputs = path.with_extension("inputs.json");
        let (path, inputs) = (path.to_str().unwrap(), inputs.to_str().unwrap());
        if !is_scalar {
            let out = folder.ok(&["bench", path, "--input", inputs, "--seconds", "0.02", "--json"]);
            roofline(&out);
            continue;
        }
        let out = folder.ok(&["bench", path, "--input", inputs, "--grad", "--seconds", "0.02", "--json"]);
        let expected = ["read", "verify", "differentiate", "optimize", "compile", "native call", "interpreted call"];
        assert_eq!(stages(&out), expected);
        roofline(&out);
    }
}

/// Requires that all kernels be there, with all that is told of them. How fast they are nobody can say.
fn roofline(out: &str) {
    let json: serde_json::Value = serde_json::from_str(out).unwrap();
    let machine = json["machine"].as_object().unwrap();
    let rates: Vec<&str> = machine.keys().map(String::as_str).collect();
    assert_eq!(rates, ["memory_bandwidth", "bandwidth", "f64_flops", "f32_flops", "product_flops", "calls"]);
    assert!(machine.values().all(|rate| rate.as_f64().unwrap() > 1e3), "{out}");
    let kernels = json["kernels"].as_array().unwrap();
    let share: f64 = kernels.iter().map(|kernel| kernel["share"].as_f64().unwrap()).sum();
    assert!((share - 1.0).abs() < 1e-9, "{out}");
    for kernel in kernels {
        assert!(!kernel["kernel"].as_str().unwrap().is_empty() && !kernel["operations"].as_str().unwrap().is_empty());
        assert!(kernel["bytes"].as_u64().unwrap() > 0, "{kernel}");
        assert_eq!(kernel["flops"].is_u64(), kernel["calls"].is_u64(), "{kernel}");
        let bound = kernel["bound_by"].as_str().unwrap();
        assert_eq!(bound == "the number of iterations", kernel["flops"].is_null(), "{kernel}");
        assert!(
            ["memory", "compute", "math calls", "overhead", "the number of iterations"].contains(&bound),
            "{kernel}"
        );
    }
    assert!(json["peak_bytes"].as_u64().unwrap() >= json["peak_loop_bytes"].as_u64().unwrap() + 8, "{out}");
}

#[test]
fn a_table_tells_stages_and_calls() {
    let folder = Folder::with_vectors(30);
    let out = folder.ok(&["bench", "f.json", "--seconds", "0.02"]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with("f: 4 operations, optimized; ") && lines[0].ends_with(" bytes of working memory"),
        "{out}"
    );
    assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["shortest", "median"]);
    let first = |line: &&str| line.split("  ").next().unwrap().to_string();
    let (stages_of, rest) = lines[2..].split_at(6);
    let names: Vec<String> = stages_of.iter().map(first).collect();
    assert_eq!(names, ["read", "verify", "optimize", "compile", "native call", "interpreted call"]);
    let [blank, head, fused, scalar, roofs, peak] = rest else { panic!("{out}") };
    assert_eq!(*blank, "");
    let words: Vec<&str> = head.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    assert_eq!(words, ["kernel", "time", "share", "GB/s", "GFLOP/s", "bound by"]);
    assert!(
        fused.starts_with("0 loop over [30]: 2 mul, reduce_sum  ") && scalar.starts_with("1 scalar: convert  "),
        "{out}"
    );
    assert!(roofs.starts_with("100% is ") && roofs.contains(" GB/s for the 504 bytes of a call"), "{out}");
    assert_eq!(
        *peak,
        "peak of memory: 504 bytes; 488 of inputs, 16 of outputs, 0 of constants, 0 of arena and frame, 0 of what loops save"
    );
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
