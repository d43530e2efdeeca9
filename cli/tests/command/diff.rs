use super::Folder;

#[test]
fn differences_are_told_by_structure() {
    let folder = Folder::new();
    let text = folder.read("f.json");
    folder.write("g.json", &text.replace("reduce_sum", "reduce_prod"));
    let (code, out, err) = folder.run(&["diff", "f.json", "g.json"]);
    let expected = "- %2: f64[] = reduce_sum %1 axes=[0]\n+ %2: f64[] = reduce_prod %1 axes=[0]\n\
                    outputs differ; 3 operations the same of 4 and 4\n";
    assert_eq!((code, out.as_str(), err.as_str()), (1, expected, ""));

    // Other ids and another order of independent operations.
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains("\"n0\"")).unwrap();
    let mut moved = lines.clone();
    let last = moved.remove(at + 3).to_string() + ",";
    let third = moved[at + 2].trim_end_matches(',');
    moved[at + 2] = third;
    moved.insert(at, &last);
    folder.write("moved.json", &moved.join("\n").replace("\"n1\"", "\"other\""));
    assert_eq!(folder.ok(&["diff", "f.json", "moved.json"]), "outputs equal; 4 operations the same of 4 and 4\n");
    let (code, out, _) = folder.run_with_input(&["diff", "-", "g.json"], &text);
    assert_eq!((code, out.as_str()), (1, expected));
}

#[test]
fn renamed_inputs_and_outputs_are_differences() {
    let folder = Folder::new();
    let text = folder.read("f.json");
    folder.write("g.json", &text.replace("\"name\": \"y\"", "\"name\": \"loss\""));
    let (code, out, _) = folder.run(&["diff", "f.json", "g.json"]);
    assert_eq!(
        (code, out.as_str()),
        (1, "- output y: f64[] = %2\n+ output loss: f64[] = %2\noutputs differ; 4 operations the same of 4 and 4\n")
    );
    folder.write("g.json", &text.replace("\"id\": \"k\", \"type\": \"i64[]\"", "\"id\": \"k\", \"type\": \"bool[]\""));
    let (code, out, _) = folder.run(&["diff", "f.json", "g.json"]);
    assert_eq!(
        (code, out.as_str()),
        (1, "- %k: i64[] = input\n+ %k: bool[] = input\noutputs differ; 4 operations the same of 4 and 4\n")
    );
}

/// A name cannot pass for a line of the difference.
#[test]
fn names_stay_on_their_line() {
    let folder = Folder::new();
    let text = folder.read("f.json");
    folder.write("g.json", &text.replace("\"name\": \"y\"", "\"name\": \"y\\noutputs equal\\u001b\""));
    let (code, out, _) = folder.run(&["diff", "f.json", "g.json"]);
    assert_eq!((code, out.lines().count()), (1, 3));
    assert!(out.contains("+ output y\\noutputs equal\\u{1b}: f64[]"), "{out}");
}

/// Here 1 says that there is a difference, so what goes wrong is 2.
#[test]
fn what_cannot_be_compared_exits_with_2() {
    let folder = Folder::new();
    let err = folder.fails(2, &["diff", "f.json", "nowhere.json"]);
    assert_eq!(err, "error: cannot read nowhere.json: No such file or directory (os error 2)\n");
    folder.write("bad.json", &folder.read("f.json").replace("mul", "mull"));
    let err = folder.fails(2, &["diff", "bad.json", "nowhere.json"]);
    assert!(err.starts_with("error: bad.json: f.n0: there is no operation \"mull\"") && err.contains("nowhere.json"));
}

#[test]
fn differences_are_colored_where_colors_are_wanted() {
    let folder = Folder::new();
    folder.write("g.json", &folder.read("f.json").replace("reduce_sum", "reduce_prod"));
    let mut command = folder.command(&["diff", "f.json", "g.json"]);
    let (_, out, _) = super::outcome(command.env("CLICOLOR_FORCE", "1").output().unwrap());
    assert!(out.starts_with("\u{1b}[31m- %2"), "{out}");
}
