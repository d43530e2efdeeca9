use retrograd::Graph;

use super::Folder;
use super::examples::files;

#[test]
fn show_prints_a_listing_or_json() {
    let folder = Folder::new();
    assert_eq!(folder.ok(&["show", "f.json"]), Graph::load(folder.path("f.json")).unwrap().to_string());
    assert_eq!(folder.ok(&["show", "--json", "f.json"]), folder.read("f.json"));
    let (code, out, _) = folder.run_with_input(&["show", "-", "--json"], &folder.read("f.json"));
    assert_eq!((code, out), (0, folder.read("f.json")));
}

/// A file can name its values as it likes, but it cannot paint the terminal.
#[test]
fn control_characters_are_shown() {
    let folder = Folder::new();
    let text = folder.read("f.json").replace("\"w\"", "\"\\u001b[2Jw\"");
    folder.write("f.json", &text);
    assert!(folder.ok(&["show", "f.json"]).starts_with("f(%\\u{1b}[2Jw: f64[3], "));
    assert_eq!(folder.ok(&["show", "--json", "f.json"]), text);
    folder.write("f.json", &text.replacen("f64[3]", "f64[4]", 1));
    assert!(folder.fails(1, &["check", "f.json"]).contains("\n  \\u{1b}[2Jw: f64[4] = input\n"));
}

#[test]
fn what_cannot_be_shown() {
    let folder = Folder::new();
    assert_eq!(
        folder.fails(1, &["show", "nowhere.json"]),
        "error: cannot read nowhere.json: No such file or directory (os error 2)\n"
    );
    assert_eq!(folder.fails(1, &["show", "."]), "error: cannot read .: Is a directory (os error 21)\n");
}

#[test]
fn the_code_is_that_of_the_graph_which_is_asked_for() {
    let folder = Folder::with_vectors(30);
    let clif = |after: &[&str]| folder.ok(&[&["show", "f.json", "--clif"], after].concat());
    assert_eq!(clif(&[]), clif(&["--after", "cse"]));
    let whole = clif(&["--after", "none"]);
    let head = "; f0, ";
    assert!(whole.starts_with(head) && whole.contains(";   %2: f64[] = reduce_sum %1 axes=[0]\n"), "{whole}");
    assert!(whole.contains("; calls\n;   f0\n;   f1\n"), "{whole}");
    let asm = folder.ok(&["show", "f.json", "--asm"]);
    assert!(asm.starts_with(head) && !asm.contains("function u0"), "{asm}");
    // Each function's bytes are said, and together they are what --sizes says.
    let bytes: usize = asm
        .lines()
        .filter_map(|line| line.strip_suffix(" bytes of machine code")?.split(' ').nth(2)?.parse::<usize>().ok())
        .sum();
    let sizes = folder.ok(&["show", "f.json", "--sizes", "--after", "cse"]);
    let row = sizes.lines().find_map(|line| line.strip_prefix("bytes of code")).unwrap();
    assert_eq!(row.trim(), bytes.to_string(), "{asm}");
}

#[test]
fn a_plan_tells_what_fused_and_where_values_live() {
    let folder = Folder::with_vectors(30);
    let plan = folder.ok(&["show", "f.json", "--plan"]);
    // How many bytes of code there are depends on the machine.
    let lines: Vec<&str> = plan.lines().map(|line| line.split(" bytes of code").next().unwrap()).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end_matches(|c: char| c.is_ascii_digit())).collect();
    let expected = [
        "f: 2 kernels, ",
        "",
        "kernel 0: loop over [30], ",
        "  %0: f64[30] = mul %w %x             registers",
        "  %1: f64[30] = mul %0 %x             registers",
        "  %2: f64[] = reduce_sum %1 axes=[0]  output y",
        "  reads %w, %x",
        "  480 bytes read, 8 written; 89 flops, 0.182 a byte",
        "",
        "kernel 1: scalar, ",
        "  %3: f64[] = convert %k dtype=\"f64\"  output k",
        "  reads %k",
        "  8 bytes read, 8 written; 0 flops, 0.000 a byte",
        "",
        "in all",
        "  504 bytes moved",
        "  89 flops, 0.177 a byte",
        "  0 bytes of working memory: 0 of arena with tiles, 0 of frame",
        "  488 bytes of inputs, 16 of outputs, 0 of constants",
    ];
    assert_eq!(lines, expected, "{plan}");
    // It is that of the graph which is asked for.
    assert_eq!(folder.ok(&["show", "f.json", "--plan", "--after", "loops"]), plan);
    let err = folder.fails(2, &["show", "f.json", "--plan", "--after", "all"]);
    assert!(err.starts_with("error: --plan shows one graph; name one pass instead of all\n"), "{err}");
    // A library routine has no code of its own, and what a name paints is not obeyed.
    let text = folder.read("f.json").replace("\"w\"", "\"\\u001b[2Jw\"");
    folder.write("g.json", &text);
    assert!(folder.ok(&["show", "g.json", "--plan"]).contains("  reads %\\u{1b}[2Jw, %x\n"));
}

#[test]
fn sizes_are_counted_by_name() {
    let folder = Folder::new();
    let sizes = folder.ok(&["show", "--sizes", "f.json", "--after", "none"]);
    let counts = "after pass                    none\ninputs                           3\noutputs                          2\n\
                  guards                           0\noperations                       4\n  convert                        1\n  \
                  mul                            2\n  reduce_sum                     1\nbytes of constants               0\n";
    assert!(sizes.starts_with(counts), "{sizes}");
}

#[test]
fn a_drawing_has_slots_only_where_order_matters() {
    let folder = Folder::new();
    folder.write(
        "g.json",
        r#"{"format": "retrograd", "version": 1, "producer": "a test", "entry": "a \"b\"", "graphs": {"a \"b\"": {
        "inputs": [{"id": "x", "type": "f64[]"}, {"id": "y\\\u0007", "type": "f64[]"}],
        "nodes": [{"id": "a", "op": "sub", "in": ["x", "y\\\u0007"], "type": "f64[]"},
        {"id": "b", "op": "mul", "in": ["a", "x"], "type": "f64[]"},
        {"id": "c", "op": "gt", "in": ["b", "x"], "type": "bool[]"}],
        "guards": [{"value": "c", "expect": true}],
        "outputs": [{"name": "z", "value": "b"}]}}}"#,
    );
    assert_eq!(
        folder.ok(&["show", "--dot", "g.json"]),
        r#"digraph "a \"b\"" {
  node [shape=box, fontname=monospace];
  n0 [label="%x\nf64[]", shape=oval];
  n1 [label="%y\\\\u{7}\nf64[]", shape=oval];
  n2 [label="%0 sub\nf64[]"];
  n0 -> n2 [label=0];
  n1 -> n2 [label=1];
  n3 [label="%1 mul\nf64[]"];
  n2 -> n3;
  n0 -> n3;
  n4 [label="%2 gt\nbool[]"];
  n3 -> n4 [label=0];
  n0 -> n4 [label=1];
  guard0 [label="guard: true", shape=octagon];
  n4 -> guard0;
  out0 [label="z", shape=oval];
  n3 -> out0;
}
"#
    );
}

/// The output with colors, which some terminal wants.
fn colored(folder: &Folder, arguments: &[&str]) -> String {
    let mut command = folder.command(arguments);
    let (code, out, err) = super::outcome(command.env("CLICOLOR_FORCE", "1").output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
    out
}

#[test]
fn listings_are_colored_where_colors_are_wanted() {
    let folder = Folder::new();
    let path = files().into_iter().find(|(name, _)| name == "taylor_sine").unwrap().1;
    let painted = colored(&folder, &["show", path.to_str().unwrap()]);
    let plain = folder.ok(&["show", path.to_str().unwrap()]);
    let line = |text: &str, part: &str| text.lines().find(|line| line.contains(part)).unwrap().to_string();
    assert!(line(&painted, "taylor_sine").contains(": \u{1b}[32mf64[]\u{1b}[0m"), "{painted}");
    let (mul, guard) = (line(&plain, " = mul "), line(&plain, "guard "));
    let (code, source) = mul.split_once("  # ").unwrap();
    let (result, operands) = code.split_once(": f64[] = mul").unwrap();
    let expected = format!(
        "{result}: \u{1b}[32mf64[]\u{1b}[0m = \u{1b}[36mmul\u{1b}[0m{operands}\u{1b}[90m  # {source}\u{1b}[0m\n"
    );
    assert!(painted.contains(&expected), "{painted}");
    let (code, source) = guard.split_once("  # ").unwrap();
    assert!(painted.contains(&format!("\u{1b}[33m{code}\u{1b}[0m\u{1b}[90m  # {source}\u{1b}[0m\n")), "{painted}");
    let mut command = folder.command(&["show", path.to_str().unwrap()]);
    let output = command.envs([("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).output().unwrap();
    assert_eq!(super::outcome(output), (0, plain, String::new()));
}

/// Colors are all that they add, whatever the names.
#[test]
fn colors_leave_the_text_as_it_is() {
    let folder = Folder::new();
    let nasty = "\\u001b[31m = a  # b: c] , {";
    folder.write("nasty.json", &folder.read("f.json").replace("\"w\"", &format!("\"{nasty}\"")));
    let mut paths: Vec<String> = files().into_iter().map(|(_, path)| path.to_str().unwrap().to_string()).collect();
    paths.push("nasty.json".to_string());
    for path in paths {
        for options in [&[][..], &["--after", "all"], &["--plan"]] {
            let arguments = [&["show", &*path], options].concat();
            let painted = colored(&folder, &arguments);
            assert!(painted.contains("\u{1b}[36m") && painted.contains("\u{1b}[32m"), "{painted}");
            let mut text = painted.clone();
            for style in ["1", "32", "33", "36", "90", "0"] {
                text = text.replace(&format!("\u{1b}[{style}m"), "");
            }
            assert_eq!(text, folder.ok(&arguments), "{arguments:?}");
        }
        for form in ["--dot", "--json"] {
            assert_eq!(colored(&folder, &["show", &path, form]), folder.ok(&["show", &path, form]));
        }
    }
}
