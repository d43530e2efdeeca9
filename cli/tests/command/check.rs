use std::fs;
use std::path::Path;

use super::Folder;

#[test]
fn check_reports_every_finding_of_every_file() {
    let folder = Folder::new();
    assert_eq!(folder.ok(&["check", "f.json"]), "f.json: sound: 3 inputs, 4 operations, 2 outputs\n");
    let bad = folder.read("f.json").replace("\"mul\"", "\"mull\"").replace("\"value\": \"n3\"", "\"value\": \"nn\"");
    folder.write("bad.json", &bad);
    folder.write("cut.json", &bad[..30]);
    let (code, out, err) = folder.run(&["check", "bad.json", "f.json", "cut.json", "nowhere.json"]);
    assert_eq!((code, out.as_str()), (1, "f.json: sound: 3 inputs, 4 operations, 2 outputs\n"));
    assert_eq!(
        err,
        "error: bad.json: f.n0: there is no operation \"mull\" (did you mean \"mul\"?)\n\
         error: bad.json: f.n1: there is no operation \"mull\" (did you mean \"mul\"?)\n\
         error: bad.json: f.outputs[1]: there is no value \"nn\"\n\
         error: cut.json: line 2 column 28: the text ends too soon: EOF while parsing a string\n\
         error: cannot read nowhere.json: No such file or directory (os error 2)\n"
    );
}

#[test]
fn check_reads_the_standard_input() {
    let folder = Folder::new();
    let (code, out, err) = folder.run_with_input(&["check", "f.json", "-"], &folder.read("f.json"));
    let sound = |name: &str| format!("{name}: sound: 3 inputs, 4 operations, 2 outputs\n");
    assert_eq!((code, out, err.as_str()), (0, sound("f.json") + &sound("-"), ""));
    let (code, out, err) = folder.run_with_input(&["check", "-"], "");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("error: -: line 1 column 0: "), "{err}");
}

#[test]
fn every_invalid_example_is_refused() {
    let folder = Folder::new();
    let invalid = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ir-examples/invalid");
    let mut n_files = 0;
    for path in fs::read_dir(invalid).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let path = path.to_str().unwrap();
        for verb in ["check", "show", "grad", "optimize"] {
            let err = folder.fails(1, &[verb, path]);
            assert!(err.starts_with(&format!("error: {path}: ")), "{err}");
        }
        n_files += 1;
    }
    assert!(n_files > 10);
}

#[test]
fn check_proves_the_plan() {
    let folder = Folder::new();
    let out = folder.ok(&["check", "--plan", "f.json"]);
    let (sound, plan) = out.split_once("; plan: ").unwrap();
    assert_eq!(sound, "f.json: sound: 3 inputs, 4 operations, 2 outputs");
    assert!(plan.ends_with(" reads proved\n"), "{plan}");
}
