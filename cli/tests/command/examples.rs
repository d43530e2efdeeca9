//! Every verb on every file of `ir-examples/`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use retrograd::{Graph, Program, optimize};

use super::Folder;

/// The saved graphs, by name.
pub fn files() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ir-examples");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".json")?.to_string();
        // Beside the graphs stand their inputs and outputs, and the schema of all of them.
        (!name.contains('.') && name != "schema").then_some((name, path))
    });
    let mut files: Vec<(String, PathBuf)> = named.collect();
    files.sort();
    assert!(files.len() > 5);
    files
}

/// A number of a graph and of the regions within it, together.
fn of_all(graph: &Graph, number: &dyn Fn(&Graph) -> usize) -> usize {
    let regions = graph.ids().flat_map(|id| graph.node(id).regions());
    number(graph) + regions.map(|region| of_all(region, number)).sum::<usize>()
}

#[test]
fn every_file_is_shown_in_every_form() {
    let folder = Folder::new();
    for (name, path) in files() {
        let path = path.to_str().unwrap();
        let graph = Graph::load(path).unwrap();
        assert_eq!(folder.ok(&["show", path]), graph.to_string());
        assert_eq!(folder.ok(&["show", "--json", path]), fs::read_to_string(path).unwrap());
        let dot = folder.ok(&["show", "--dot", path]);
        let n_ends = of_all(&graph, &|graph| graph.inputs().len() + graph.outputs().len());
        assert_eq!(dot.lines().filter(|line| line.contains("shape=oval")).count(), n_ends, "{name}");
        assert_eq!(dot.matches("[label=\"%").count(), of_all(&graph, &Graph::n_nodes), "{name}");
        for form in ["--clif", "--asm"] {
            let code = folder.ok(&["show", form, path]);
            assert!(code.starts_with("; f0, ") && code.lines().any(|line| line.contains("block0")), "{name}: {code}");
        }
        let plan = Program::inspect(&optimize::optimize(&graph).unwrap()).unwrap().plan;
        assert_eq!(folder.ok(&["show", "--plan", path]), plan.to_string());
        let sizes = folder.ok(&["show", "--sizes", path]);
        let row = |title: &str| -> Vec<usize> {
            let line = sizes.lines().find(|line| line.starts_with(title)).unwrap();
            line[title.len()..].split_whitespace().map(|number| number.parse().unwrap()).collect()
        };
        assert_eq!(row("operations ")[0], graph.n_ops());
        assert_eq!(row("guards ")[0], graph.guards().len());
        assert!(row("bytes of code ").iter().all(|&bytes| bytes > 0));
        let all = folder.ok(&["show", "--after", "all", path]);
        let last = folder.ok(&["show", "--after", "loops", path]);
        assert!(all.starts_with("# after none: ") && all.ends_with(&last), "{name}: {all}");
    }
}

#[test]
fn every_file_is_sound() {
    let folder = Folder::new();
    for (name, path) in files() {
        assert!(folder.ok(&["check", path.to_str().unwrap()]).contains(": sound: "), "{name}");
    }
}

/// What `optimize` writes runs to the recorded outputs, and differs from the file in operations alone.
#[test]
fn every_file_is_optimized_and_compared() {
    let folder = Folder::new();
    for (name, path) in files() {
        let inputs = path.with_extension("inputs.json");
        let (path, inputs) = (path.to_str().unwrap(), inputs.to_str().unwrap());
        assert_eq!(folder.ok(&["optimize", path, "-o", "small.json"]), "");
        let expected = fs::read_to_string(path.replace(".json", ".outputs.json")).unwrap();
        assert_eq!(folder.ok(&["run", "small.json", "-i", inputs]), expected, "{name}");

        let same = folder.ok(&["diff", path, path]);
        let n_ops = Graph::load(path).unwrap().n_ops();
        assert_eq!(same, format!("outputs equal; {n_ops} operations the same of {n_ops} and {n_ops}\n"));
        let (code, changes, err) = folder.run(&["diff", path, "small.json"]);
        assert_eq!((code, err.as_str()), (i32::from(changes.lines().count() > 1), ""), "{name}");
        assert!(!changes.contains("= input") && !changes.contains("guard"), "{name}: {changes}");
    }
}

/// Every derivative of every file is sound, runs, and leaves the outputs of the file as they were.
#[test]
fn every_file_is_differentiated_in_every_way() {
    let folder = Folder::new();
    for (name, path) in files() {
        let inputs = path.with_extension("inputs.json");
        let (path, inputs) = (path.to_str().unwrap(), inputs.to_str().unwrap());
        let given = fs::read_to_string(inputs).unwrap();
        let expected = fs::read_to_string(path.replace(".json", ".outputs.json")).unwrap();
        let expected = expected.trim_end_matches("\n}\n");
        let graph = Graph::load(path).unwrap();
        let is_number = graph.ty(graph.outputs()[0].value).shape.is_empty();
        let of_numbers: &[&str] = if is_number { &["", "--hessian", "--hvp"] } else { &[] };
        for kind in [&["--jvp", "--vjp", "--jacobian", "--taylor=3"], of_numbers].concat() {
            let arguments = ["grad", path, "-o", "derivative.json", kind];
            let n_arguments = if kind.is_empty() { 4 } else { 5 };
            assert_eq!(folder.ok(&arguments[..n_arguments]), "");
            folder.write("inputs.json", &with_ones(&given, &Graph::load(folder.path("derivative.json")).unwrap()));
            let outputs = folder.ok(&["run", "derivative.json", "-i", "inputs.json"]);
            assert!(outputs.starts_with(expected) && outputs.len() > expected.len() + 4, "{name} {kind}: {outputs}");
        }
    }
}

/// The inputs of a file, and ones for what its derivative takes beside them.
fn with_ones(given: &str, graph: &Graph) -> String {
    let mut text = given.trim_end_matches("\n}\n").to_string();
    for input in graph.inputs() {
        let name = format!("\"{}\"", input.name);
        if !given.contains(&format!("{name}:")) {
            let shape = &graph.ty(input.node.into()).shape;
            let ones =
                shape.iter().rev().fold("1".to_string(), |ones, &extent| format!("[{}]", vec![ones; extent].join(",")));
            text.push_str(&format!(",\n {name}: {ones}"));
        }
    }
    text + "\n}\n"
}
