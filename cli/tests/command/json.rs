//! What `--json` prints: JSON whatever the outcome, with the keys that the help documents.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::examples::files;
use super::{Folder, VALUES};

/// Runs a verb with `--json`; gives its exit code and what it printed.
fn run(folder: &Folder, arguments: &[&str]) -> (i32, Value) {
    let (code, out, err) = folder.run(&[arguments, &["--json"]].concat());
    let value: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}{err}"));
    assert_documented(folder, arguments[0], &value);
    (code, value)
}

/// Requires that the help name every key, but for names of operations.
fn assert_documented(folder: &Folder, verb: &str, value: &Value) {
    let help = folder.ok(&[verb, "--help"]);
    let words: BTreeSet<&str> = help.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut values = vec![value];
    while let Some(value) = values.pop() {
        match value {
            Value::Array(items) => values.extend(items),
            Value::Object(fields) => {
                for (key, value) in fields {
                    let is_known = words.contains(key.as_str()) || key.contains(' ') && help.contains(key);
                    assert!(is_known, "the help of {verb} does not explain {key}");
                    if key != "by_name" {
                        values.push(value);
                    }
                }
            }
            _ => {}
        }
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn check_lists_findings_with_node_hint_and_line() {
    let folder = Folder::new();
    let bad = folder.read("f.json").replace("\"mul\"", "\"mull\"").replace("\"value\": \"n3\"", "\"value\": \"nn\"");
    folder.write("bad.json", &bad);
    folder.write("cut.json", &bad[..30]);
    let line = |part: &str| bad.lines().position(|line| line.contains(part)).unwrap() + 1;
    let finding = |place: &str, node: Option<&str>, message: &str, hint: Option<&str>, line: usize| json!({"place": place, "node": node, "message": message, "hint": hint, "line": line});
    let unsound = |file: &str, findings: Value| {
        json!({
            "file": file, "sound": false, "inputs": null, "operations": null, "outputs": null, "plan": null,
            "findings": findings
        })
    };
    let mul = |node, n| {
        let (message, hint) = ("there is no operation \"mull\"", "did you mean \"mul\"?");
        finding(n, Some(node), message, Some(hint), line(&format!("\"id\": \"{node}\"")))
    };
    let (code, value) = run(&folder, &["check", "bad.json", "f.json", "cut.json", "nowhere.json", "--plan"]);
    let expected_bad = [
        mul("n0", "f.n0"),
        mul("n1", "f.n1"),
        finding("f.outputs[1]", None, "there is no value \"nn\"", None, line("\"nn\"")),
    ];
    let cut = finding("line 2 column 28", None, "the text ends too soon: EOF while parsing a string", None, 2);
    let mut nowhere = finding("", None, "cannot read nowhere.json: No such file or directory (os error 2)", None, 0);
    nowhere["place"] = Value::Null;
    nowhere["line"] = Value::Null;
    assert_eq!(code, 1);
    let files = value["files"].as_array().unwrap();
    assert_eq!(files[0], unsound("bad.json", json!(expected_bad)));
    assert_eq!(files[2..], [unsound("cut.json", json!([cut])), unsound("nowhere.json", json!([nowhere]))]);
    let sound = &files[1];
    assert_eq!((&sound["sound"], &sound["operations"], &sound["findings"]), (&json!(true), &json!(4), &json!([])));
    assert!(sound["plan"]["reads"].as_u64().unwrap() > 0 && keys(&sound["plan"]) == ["kernels", "reads", "skipped"]);

    // Ids with escapes are copies of the text, but the line of their node is still known.
    let escaped = folder.read("f.json").replace("\"n0\"", "\"n\\u0030x\"").replace("\"mul\"", "\"mull\"");
    folder.write("bad.json", &escaped);
    let (_, value) = run(&folder, &["check", "bad.json"]);
    let first = &value["files"][0]["findings"][0];
    assert_eq!((&first["node"], first["line"].as_u64().unwrap() as usize), (&json!("n0x"), line("\"n0\"")));
    let (code, value) = run(&folder, &["check", "f.json"]);
    assert_eq!((code, &value["files"][0]["plan"]), (0, &Value::Null));
    let (code, value) = run(&folder, &["check", "f.json", "--max-elements", "2"]);
    let message = "limit of 2 elements of a value exceeded: got 3; --max-elements allows more";
    let expected = finding("f.w", Some("w"), message, None, line("\"id\": \"w\""));
    assert_eq!((code, &value["files"][0]["findings"]), (1, &json!([expected])));
}

/// Of every finding of every invalid example that names a node, the line is one that holds its id.
#[test]
fn lines_of_findings_hold_their_nodes() {
    let folder = Folder::new();
    let invalid = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ir-examples/invalid");
    let mut n_nodes = 0;
    for path in std::fs::read_dir(invalid).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let (code, value) = run(&folder, &["check", path.to_str().unwrap()]);
        let findings = value["files"][0]["findings"].as_array().unwrap();
        assert!(code == 1 && !findings.is_empty(), "{value}");
        for finding in findings.iter().filter(|finding| finding["node"].is_string()) {
            let line = text.lines().nth(finding["line"].as_u64().unwrap() as usize - 1).unwrap();
            assert!(line.contains(finding["node"].as_str().unwrap()), "{finding}: {line}");
            n_nodes += 1;
        }
    }
    assert!(n_nodes > 40, "{n_nodes}");
}

#[test]
fn diff_lists_changes() {
    let folder = Folder::new();
    folder.write("g.json", &folder.read("f.json").replace("reduce_sum", "reduce_prod"));
    let expected = json!({
        "equal": false, "outputs_equal": false, "operations": [4, 4], "common_operations": 3,
        "changes": [
            {"change": "removed", "line": "%2: f64[] = reduce_sum %1 axes=[0]"},
            {"change": "added", "line": "%2: f64[] = reduce_prod %1 axes=[0]"},
        ]
    });
    assert_eq!(run(&folder, &["diff", "f.json", "g.json"]), (1, expected));
    let (code, same) = run(&folder, &["diff", "f.json", "f.json"]);
    assert_eq!((code, &same["equal"], &same["changes"]), (0, &json!(true), &json!([])));
    folder.write("g.json", &folder.read("f.json").replace("mul", "mull"));
    let (code, failed) = run(&folder, &["diff", "g.json", "nowhere.json"]);
    let files: Vec<&str> =
        failed["errors"].as_array().unwrap().iter().map(|error| error["file"].as_str().unwrap()).collect();
    assert_eq!((code, &files[..]), (2, &["g.json", "g.json", "nowhere.json"][..]), "{failed}");
}

#[test]
fn check_grad_lists_points_and_comparisons() {
    let folder = Folder::new();
    let (code, value) = run(&folder, &["check-grad", "f.json", "--points", "2"]);
    assert_eq!((code, &value["passed"], value["points"].as_array().unwrap().len()), (0, &json!(true), 2));
    for point in value["points"].as_array().unwrap() {
        assert_eq!((&point["outside"], point["comparisons"].as_array().unwrap().len()), (&Value::Null, 5));
        for comparison in point["comparisons"].as_array().unwrap() {
            assert!(comparison["worst"]["excess"].as_f64().unwrap() <= 1.0, "{comparison}");
        }
    }
    // A derivative that is wrong, or a point outside of the domain, is no reason to print anything but JSON.
    folder.write("g.json", &elementwise("stop_gradient"));
    let (code, value) = run(&folder, &["check-grad", "g.json", "x=[1,2,3]"]);
    assert_eq!((code, &value["passed"]), (1, &json!(false)));
    let worst = &value["points"][0]["comparisons"][0]["worst"];
    assert_eq!((&worst["derivative"], worst["place"].as_str().unwrap().contains(" by x[")), (&json!(0.0), true));
    assert!(worst["excess"].as_f64().is_some_and(|excess| excess > 1.0) || worst["excess"] == "inf", "{worst}");
    folder.write("g.json", &elementwise("log"));
    let (code, value) = run(&folder, &["check-grad", "g.json", "x=[1,-1,2]"]);
    assert_eq!((code, &value["points"][0]["outside"]), (1, &json!("y[1] is NaN")));
    let (code, value) = run(&folder, &["check-grad", "g.json", "--wrt", "v"]);
    let error = json!({"file": "g.json", "message": "there is no input \"v\"; there are: x"});
    assert_eq!((code, value), (1, json!({ "errors": [error] })));
}

/// `y` of one operation on an array of three.
fn elementwise(op: &str) -> String {
    format!(
        r#"{{"format": "retrograd", "version": 1, "producer": "a test", "entry": "f", "graphs": {{"f": {{
        "inputs": [{{"id": "x", "type": "f64[3]"}}], "nodes": [{{"id": "y", "op": "{op}", "in": ["x"], "type": "f64[3]"}}],
        "outputs": [{{"name": "y", "value": "y"}}]}}}}}}"#
    )
}

/// The numbers of `--sizes` and `--plan` are those that they print for people.
#[test]
fn sizes_and_plans_have_the_numbers_of_the_text() {
    let folder = Folder::new();
    for (name, path) in files() {
        let path = path.to_str().unwrap();
        let (code, sizes) = run(&folder, &["show", "--sizes", path]);
        let text = folder.ok(&["show", "--sizes", path]);
        let stages = sizes["stages"].as_array().unwrap();
        for (title, key) in [
            ("after pass ", "after"),
            ("inputs ", "inputs"),
            ("guards ", "guards"),
            ("operations ", "operations"),
            ("bytes of constants ", "constant_bytes"),
            ("bytes of code ", "code_bytes"),
            ("bytes of memory ", "memory_bytes"),
        ] {
            let row = text.lines().find_map(|line| line.strip_prefix(title)).unwrap().split_whitespace();
            let got = stages.iter().map(|stage| stage[key].to_string().replace('"', ""));
            assert!(row.eq(got), "{name}: {title}: {sizes}");
        }
        let (plan_code, plan) = run(&folder, &["show", "--plan", path]);
        let text = folder.ok(&["show", "--plan", path]);
        assert_eq!((code, plan_code), (0, 0));
        let n_kernels = plan["kernels"].as_array().unwrap().len();
        assert_eq!(n_kernels, text.lines().filter(|line| line.starts_with("kernel ")).count(), "{name}");
        let expected = format!("\nin all\n  {} bytes moved\n", plan["moved_bytes"]);
        assert!(text.contains(&expected), "{name}: {plan}");
        for step in plan["kernels"].as_array().unwrap().iter().flat_map(|kernel| kernel["steps"].as_array().unwrap()) {
            assert!(text.contains(step["line"].as_str().unwrap()), "{name}: {step}");
        }
    }
    let folder = Folder::with_vectors(30);
    let (_, plan) = run(&folder, &["show", "--plan", "f.json"]);
    let fused = &plan["kernels"][0];
    assert_eq!((&fused["kind"], &fused["shape"], &fused["f64_flops"]), (&json!("loop"), &json!([30]), &json!(89)));
    let location = json!({"in": "output", "name": "y"});
    assert_eq!((&fused["steps"][2]["op"], &fused["steps"][2]["locations"]), (&json!("reduce_sum"), &json!([location])));
    let read = json!({"value": "%w", "location": {"in": "input", "name": "w"}});
    assert_eq!((&fused["reads"][0], &fused["read_bytes"]), (&read, &json!(480)));
    let (code, value) = run(&folder, &["show", "--sizes", "nowhere.json"]);
    assert_eq!((code, keys(&value)), (1, vec!["errors"]));
    for form in ["--dot", "--clif", "--asm"] {
        folder.fails(2, &["show", "f.json", "--json", form]);
    }
}

/// Names come from files: what a terminal would obey is escaped.
#[test]
fn control_characters_are_escaped() {
    let folder = Folder::new();
    folder.write("f.json", &folder.read("f.json").replace("\"w\"", "\"\\u001b\u{9b}2J\\u007fw\""));
    folder.write("g.json", &folder.read("f.json").replace("mul", "add"));
    for arguments in [&["diff", "f.json", "g.json"][..], &["show", "--plan", "f.json"], &["check-grad", "f.json"]] {
        let (_, out, _) = folder.run(&[arguments, &["--json"]].concat());
        assert!(out.contains("\\u009b2J\\u007fw"), "{out}");
        assert!(!out.chars().any(|c| c.is_control() && c != '\n'), "{out}");
        run(&folder, arguments);
    }
}

/// What goes wrong with a run of `bench` is JSON, too.
#[test]
fn failures_of_bench_are_json() {
    let folder = Folder::new();
    let (code, value) = run(&folder, &["bench", "f.json", "v=1", "--seconds", "0.01"]);
    let error = json!({"file": "f.json", "message": "there is no input \"v\"; there are: w, x, k"});
    assert_eq!((code, value), (1, json!({ "errors": [error] })));
    let arguments = [&["bench", "f.json", "--seconds", "0.01"], &VALUES[..]].concat();
    assert_eq!(run(&folder, &arguments).0, 0);
}
