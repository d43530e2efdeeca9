use super::{Folder, VALUES};

#[test]
fn limits_can_be_set() {
    let folder = Folder::new();
    let fails = |flags: &[&str], expected: &str| {
        let err = folder.fails(1, &[&["run", "f.json"], &VALUES[..], flags].concat());
        assert_eq!(err, format!("error: f.json: {expected}\n"));
    };
    fails(&["--max-nodes", "6"], "f: limit of 6 nodes of a document exceeded: got 7");
    fails(&["--max-elements", "2"], "f.w: limit of 2 elements of a value exceeded: got 3");
    fails(&["--max-file-bytes", "10"], "limit of 10 bytes of a document exceeded");
    fails(&["--max-total-bytes", "30"], "f.x: limit of 30 bytes of all values exceeded: got 48");
    fails(&["--max-memory", "8", "--interpret"], "limit of 8 bytes of memory for a run exceeded: got 120");
}

#[test]
fn bad_usage_exits_with_2() {
    let folder = Folder::new();
    for arguments in [
        &["show"][..],
        &["shout", "f.json"],
        &["show", "f.json", "--jsn"],
        &["check"],
        &["run", "f.json", "x"],
        &["run", "f.json", "x=[1,"],
        &["run", "f.json", "x=one"],
        &["run", "-", "--input", "-"],
    ] {
        let err = folder.fails(2, arguments);
        assert!(err.starts_with("error: "), "{arguments:?}: {err}");
    }
    assert!(folder.fails(2, &["run", "f.json", "x=one"]).contains("the value is not JSON: expected value at column 1"));
}

#[test]
fn help_teaches_by_examples() {
    let folder = Folder::new();
    for verb in ["show", "check", "grad", "run"] {
        let help = folder.ok(&[verb, "--help"]);
        assert!(help.contains("Examples:\n  retrograd "), "{help}");
        assert!(folder.ok(&["--help"]).contains(verb));
    }
    assert_eq!(folder.ok(&["--version"]), format!("retrograd {}\n", env!("CARGO_PKG_VERSION")));
}
