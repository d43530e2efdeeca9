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
