//! Help, limits, bad usage, colors.

use std::fs;
use std::process::Command;

use super::{Folder, VALUES, outcome};

const VERBS: [&str; 12] = [
    "show",
    "check",
    "grad",
    "optimize",
    "diff",
    "run",
    "check-grad",
    "bench",
    "minimize",
    "ops",
    "completions",
    "man",
];

#[test]
fn limits_can_be_set() {
    let folder = Folder::new();
    let fails = |flags: &[&str], expected: &str| {
        let err = folder.fails(1, &[&["run", "f.json"], &VALUES[..], flags].concat());
        assert_eq!(err, format!("error: f.json: {expected}\n"));
    };
    fails(&["--max-nodes", "6"], "f: limit of 6 nodes of a document exceeded: got 7; --max-nodes allows more");
    fails(&["--max-elements", "2"], "f.w: limit of 2 elements of a value exceeded: got 3; --max-elements allows more");
    fails(&["--max-file-bytes", "10"], "limit of 10 bytes of a document exceeded; --max-file-bytes allows more");
    fails(
        &["--max-total-bytes", "30"],
        "f.x: limit of 30 bytes of all values exceeded: got 48; --max-total-bytes allows more",
    );
    fails(
        &["--max-memory", "8", "--interpret"],
        "limit of 8 bytes of memory for a run exceeded; --max-memory allows more",
    );
    fails(&["--max-memory", "8"], "limit of 8 bytes of memory for a run exceeded: got 16; --max-memory allows more");
    for (verb, flags) in [("check-grad", &["k=2"][..]), ("bench", &[]), ("minimize", &VALUES[..])] {
        let err = folder.fails(1, &[&[verb, "f.json", "--max-memory", "8"], flags].concat());
        assert!(err.contains("limit of 8 bytes of memory for a run exceeded: got "), "{verb}: {err}");
        assert!(err.ends_with("; --max-memory allows more\n"), "{verb}: {err}");
    }
    for verb in ["show", "check", "grad", "optimize", "check-grad", "bench", "minimize"] {
        let err = folder.fails(1, &[verb, "f.json", "--max-nodes", "6"]);
        assert_eq!(err, "error: f.json: f: limit of 6 nodes of a document exceeded: got 7; --max-nodes allows more\n");
    }
}

/// Limits are what few users set, so that the help lists them apart from the other options.
#[test]
fn limits_have_a_section_of_their_own() {
    let folder = Folder::new();
    let files = ["--max-file-bytes", "--max-nodes", "--max-elements", "--max-total-bytes"];
    for verb in VERBS {
        for help in ["-h", "--help"] {
            let text = folder.ok(&[verb, help]);
            let (options, limits) = text.split_once("\nLimits:\n").unwrap_or((&text, ""));
            let limits: Vec<&str> = limits
                .lines()
                .take_while(|line| line.is_empty() || line.starts_with(' '))
                .filter_map(|line| line.trim_start().split(' ').next().filter(|word| word.starts_with("--")))
                .collect();
            let runs = ["run", "check-grad", "bench", "minimize"].contains(&verb);
            let expected = match verb {
                "ops" | "completions" | "man" => vec![],
                _ if runs => [&["--max-memory"], &files[..]].concat(),
                _ => files.to_vec(),
            };
            assert_eq!(limits, expected, "{verb} {help}");
            assert!(!options.replace("--max-iterations", "").contains("  --max-"), "{verb} {help}");
        }
    }
}

#[test]
fn bad_usage_exits_with_2() {
    let folder = Folder::new();
    for arguments in [
        &["show"][..],
        &["shout", "f.json"],
        &["show", "f.json", "--jsn"],
        &["show", "f.json", "--json", "--dot"],
        &["show", "f.json", "--after", "shar"],
        &["show", "f.json", "--after", "all", "--dot"],
        &["show", "f.json", "--plan", "--asm"],
        &["check"],
        &["grad", "f.json", "--jvp", "--vjp"],
        &["grad", "f.json", "--of", "y", "--of", "k"],
        &["optimize", "f.json", "--passes", "simplify,shar"],
        &["diff", "f.json"],
        &["diff", "-", "-"],
        &["completions", "dash"],
        &["run", "f.json", "x"],
        &["run", "f.json", "x=[1,"],
        &["run", "f.json", "x=one"],
        &["run", "-", "--input", "-"],
        &["run", "f.json", "--input", "-", "w=@-"],
        &["run", "f.json", "w=@"],
        &["run", "f.json", "--template", "k=1"],
        &["run", "f.json", "--template", "--only", "y"],
        &["show", "f.json", "--plan", "--sizes"],
        &["check-grad", "f.json", "--points", "0"],
        &["check-grad", "f.json", "--range", "1..0"],
        &["check-grad", "f.json", "--range", "0..inf"],
        &["check-grad", "-", "w=@-"],
        &["bench", "f.json", "--seconds", "0"],
        &["bench", "f.json", "--wrt", "w"],
        &["bench", "-", "--input", "-"],
        &["minimize", "f.json", "--method", "newton"],
        &["minimize", "f.json", "--learning-rate", "0.1"],
        &["minimize", "f.json", "--method", "adam", "--learning-rate", "0"],
        &["minimize", "f.json", "--tolerance", "nan"],
        &["minimize", "f.json", "--trajectory", "path.png"],
        &["minimize", "-", "--input", "-"],
    ] {
        let err = folder.fails(2, arguments);
        assert!(err.starts_with("error: "), "{arguments:?}: {err}");
    }
    assert!(folder.fails(2, &["run", "f.json", "x=one"]).contains("the value is not JSON: expected value at column 1"));
    let err = folder.fails(2, &["optimize", "f.json", "--passes", "csee"]);
    assert!(
        err.contains("[possible values: simplify, loops, cse, fma]") && err.contains("a similar value exists: 'cse'")
    );
    let err = folder.fails(2, &["show", "f.json", "--after", "all", "--dot"]);
    assert!(err.starts_with("error: --dot shows one graph; name one pass instead of all\n"), "{err}");
}

#[test]
fn help_teaches_by_examples() {
    let folder = Folder::new();
    for verb in VERBS {
        let help = folder.ok(&[verb, "--help"]);
        assert!(help.contains("Examples:\n  retrograd "), "{help}");
        assert!(folder.ok(&["--help"]).contains(verb));
    }
    assert_eq!(folder.ok(&["--version"]), format!("retrograd {}\n", env!("CARGO_PKG_VERSION")));
}

/// Every example of every help, run as it stands in a folder that has the files that it names.
#[test]
#[cfg(unix)]
fn examples_of_the_help_work() {
    let folder = Folder::new();
    folder.prepare_examples();
    let mut n_examples = 0;
    for verb in VERBS {
        let help = folder.ok(&[verb, "--help"]);
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        for line in examples.lines().map_while(|line| line.strip_prefix("  ")) {
            // What follows two spaces explains.
            let command = line.split("  ").next().unwrap();
            let (code, _, err) = folder.shell(command);
            assert!(code == 0 && (err.is_empty() || command.contains("--verbose")), "{command}: {err}");
            n_examples += 1;
        }
    }
    assert!(n_examples > 2 * VERBS.len());
}

impl Folder {
    /// The files and folders that the examples of the help name, and stand-ins for the other programs.
    #[cfg(unix)]
    fn prepare_examples(&self) {
        use std::os::unix::fs::PermissionsExt;
        let document = |entry: &str, body: &str| {
            format!(
                r#"{{"format": "retrograd", "version": 1, "producer": "a test", "entry": "{entry}", "graphs": {{"{entry}": {{{body}}}}}}}"#
            )
        };
        let loss = document(
            "loss",
            r#""inputs": [{"id": "w", "type": "f64[3]"}, {"id": "t", "type": "f64[]"}],
            "nodes": [{"id": "a", "op": "mul", "in": ["w", "w"], "type": "f64[3]"},
            {"id": "b", "op": "reduce_sum", "in": ["a"], "type": "f64[]", "axes": [0]},
            {"id": "c", "op": "sub", "in": ["b", "t"], "type": "f64[]"}],
            "outputs": [{"name": "loss", "value": "c"}]"#,
        );
        let cube = document(
            "f",
            r#""inputs": [{"id": "x", "type": "f64[]"}],
            "nodes": [{"id": "a", "op": "integer_pow", "in": ["x"], "type": "f64[]", "exponent": 3}],
            "outputs": [{"name": "y", "value": "a"}]"#,
        );
        for file in ["loss.json", "edited.json", "before.json", "after.json"] {
            self.write(file, &loss);
        }
        self.write("f.json", &cube);
        self.write("inputs.json", r#"{"w": [0.1, 0.2, 0.3], "t": 1}"#);
        self.write("trees.csv", "height,age\n1.5,3\n2.5,5\n4,8\n");
        let w = retrograd::value::Array::from_elements([3], vec![0.1, 0.2, 0.3]).unwrap();
        fs::write(self.path("w.npy"), retrograd::value::npy::write(&w)).unwrap();
        for place in [
            ".local/share/bash-completion/completions",
            ".local/share/man/man1",
            ".zfunc",
            ".config/fish/completions",
            "bin",
        ] {
            fs::create_dir_all(self.path(place)).unwrap();
        }
        for program in ["dot", "man"] {
            let path = self.path("bin").join(program);
            fs::write(&path, "#!/bin/sh\nexec cat > /dev/null\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// Runs a line as a shell does where the command is installed, and the folder is the home of the user.
    #[cfg(unix)]
    fn shell(&self, line: &str) -> (i32, String, String) {
        let bin = std::path::Path::new(env!("CARGO_BIN_EXE_retrograd")).parent().unwrap().to_path_buf();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths([self.path("bin"), bin].into_iter().chain(std::env::split_paths(&path))).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.path(".")).env("PATH", path).env("HOME", self.path("."));
        outcome(shell.output().unwrap())
    }
}

#[test]
fn completions_and_manual_pages_know_every_verb() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = folder.ok(&["completions", shell]);
        assert!(VERBS.iter().all(|verb| script.contains(verb)) && script.contains("hessian"), "{shell}");
    }
    let page = folder.ok(&["man"]);
    assert!(page.contains(".TH retrograd 1") && page.contains("exit code"), "{page}");
    for verb in VERBS {
        assert!(page.contains(&format!("retrograd\\-{}(1)", verb.replace('-', "\\-"))), "{verb}");
        let page = folder.ok(&["man", verb]);
        assert!(
            page.contains(&format!(".TH retrograd-{verb} 1"))
                && page.contains(".SH NOTES\n.nf\n")
                && page.contains("Examples:"),
            "{page}"
        );
    }
    assert_eq!(folder.fails(1, &["man", "shwo"]), "error: there is no verb \"shwo\"; did you mean \"show\"?\n");
}

/// Without a terminal there are no colors; what forces them gives way to `NO_COLOR`.
#[test]
fn errors_are_colored_where_colors_are_wanted() {
    let folder = Folder::new();
    let err = |variables: &[(&str, &str)]| {
        let mut command = folder.command(&["show", "nowhere.json"]);
        outcome(command.envs(variables.iter().copied()).output().unwrap()).2
    };
    assert!(err(&[]).starts_with("error: cannot read nowhere.json"));
    assert!(err(&[("CLICOLOR_FORCE", "1")]).starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m cannot read nowhere.json"));
    assert!(!err(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}
