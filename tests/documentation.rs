//! What the documentation must have, read off the source: every method of `Var` has an example that runs, and is linked
//! from the documentation of the type. Methods that macros write count, one for each use of the macro.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_method_has_an_example() {
    let files = sources();
    let examples = example_macros(&files);
    let methods: Vec<Method> = files.iter().flat_map(methods_of).collect();
    let lacking: Vec<&str> =
        methods.iter().filter(|method| !has_example(&method.docs, &examples)).map(|method| &*method.place).collect();
    assert!(methods.len() > 90, "only {} methods were found", methods.len());
    assert!(lacking.is_empty(), "methods of Var without an example that runs:\n{}", lacking.join("\n"));
}

#[test]
fn every_method_is_linked_from_the_type() {
    let files = sources();
    let methods: Vec<Method> = files.iter().flat_map(methods_of).collect();
    let names: BTreeSet<String> = methods.iter().flat_map(|method| method.names(&files)).collect();
    let var = files.iter().find(|file| file.path == "op/var.rs").expect("the file of Var");
    let (docs, _) = var.text.split_once("pub struct Var").expect("the type");
    let lacking: Vec<&String> = names.iter().filter(|name| !docs.contains(&format!("(Var::{name})"))).collect();
    assert!(names.len() > 150, "only {} names were found", names.len());
    assert!(lacking.is_empty(), "methods that the documentation of Var does not link: {lacking:?}");
}

#[test]
fn the_reader_sees_what_it_should() {
    let text = "\
macro_rules! shown { () => { concat!(\"```\\nlet x;\\n```\") }; }
macro_rules! family {
    ($(#[$doc:meta])* $op:ident, $name:literal, $method:ident, $rest:expr) => {
        impl Var {
            #[doc = shown!($method)]
            #[track_caller]
            pub fn $method(self) -> Var {
                apply($op, &[self])
            }
        }
    };
}
family! {
    /// Words.
    Exp, \"exp\", exp, 1
}
family!(Log, \"log\", ln, 2);
impl Var {
    /// Nothing to run.
    pub fn bare(self) -> Var {
        self
    }

    /// ```text
    /// words
    /// ```
    pub fn told(self) -> Var {
        self
    }

    /// ```
    /// let x = 1;
    /// ```
    #[track_caller]
    pub fn run(self) -> Var {
        self
    }
}
";
    let files = [Source { path: "op/example.rs".to_string(), text: text.to_string() }];
    let examples = example_macros(&files);
    let methods = methods_of(&files[0]);
    let found: Vec<(Vec<String>, bool)> =
        methods.iter().map(|method| (method.names(&files), has_example(&method.docs, &examples))).collect();
    let method = |names: &[&str], has: bool| (names.iter().map(ToString::to_string).collect(), has);
    assert_eq!(
        found,
        [method(&["exp", "ln"], true), method(&["bare"], false), method(&["told"], false), method(&["run"], true)]
    );
}

struct Source {
    path: String,
    text: String,
}

/// A method of `Var` as it is written, in a macro or not.
struct Method {
    /// The file and line, with the name.
    place: String,
    /// The name, or the macro's variable for it.
    name: String,
    /// The macro that writes it, and the number of the argument that is its name.
    family: Option<(String, usize)>,
    /// All that is between the item before and the method.
    docs: String,
}

impl Method {
    /// The names under which the method exists: one for each use of its macro.
    fn names(&self, files: &[Source]) -> Vec<String> {
        let Some((family, argument)) = &self.family else { return vec![self.name.clone()] };
        files.iter().flat_map(|file| uses(&file.text, family, *argument)).collect()
    }
}

/// The argument with that number in each use of a macro.
fn uses(text: &str, family: &str, argument: usize) -> Vec<String> {
    let calls = ["!(", "! {"].map(|open| format!("{family}{open}"));
    let after = calls.iter().flat_map(|call| {
        let at_line_start = |&(at, _): &(usize, &str)| at == 0 || text[..at].ends_with('\n');
        text.match_indices(call.as_str()).filter(at_line_start).map(|(at, _)| &text[at + call.len()..])
    });
    let mut names: Vec<String> = after
        .filter_map(|arguments| {
            let lines = arguments.lines().filter(|line| !line.trim_start().starts_with("///"));
            let arguments: String = lines.take(20).collect::<Vec<&str>>().join("\n");
            arguments.split(',').nth(argument).map(|name| name.trim().to_string())
        })
        .collect();
    names.sort();
    names
}

/// The methods in every `impl Var` of a file.
fn methods_of(file: &Source) -> Vec<Method> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut methods = Vec::new();
    let mut start = 0;
    while let Some(offset) = lines[start..].iter().position(|line| line.trim() == "impl Var {") {
        let first = start + offset;
        let end_line = lines[first].replace("impl Var {", "}");
        let length = lines[first..].iter().position(|line| *line == end_line).expect("the end of the impl");
        let family = (!lines[first].starts_with("impl")).then(|| Family::around(&lines[..first]));
        for at in first + 1..first + length {
            let Some(rest) = lines[at].trim_start().strip_prefix("pub fn ") else { continue };
            let name = rest.split(['(', '<']).next().unwrap_or(rest).to_string();
            let begin = (first + 1..at).rev().find(|&line| lines[line].trim().is_empty()).unwrap_or(first) + 1;
            methods.push(Method {
                place: format!("src/{}:{}: {name}", file.path, at + 1),
                family: family.as_ref().map(|family| (family.name.clone(), family.argument(&name))),
                docs: lines[begin..at].join("\n"),
                name,
            });
        }
        start = first + length;
    }
    methods
}

/// A macro that writes methods.
struct Family {
    name: String,
    /// What its arguments are matched by.
    matcher: String,
}

impl Family {
    /// The macro whose definition began last.
    fn around(lines: &[&str]) -> Family {
        let text = lines.join("\n");
        let (_, definition) = text.rsplit_once("macro_rules! ").expect("an indented impl in a macro");
        let (name, body) = definition.split_once('{').expect("the body of a macro");
        let (matcher, _) = body.split_once("=> {").expect("the matcher of a macro");
        Family { name: name.trim().to_string(), matcher: matcher.to_string() }
    }

    /// The number of the argument that is this variable.
    fn argument(&self, variable: &str) -> usize {
        let (before, _) = self.matcher.split_once(&format!("{variable}:")).expect("a variable of the macro");
        before.matches(',').count()
    }
}

/// The macros that write examples.
fn example_macros(files: &[Source]) -> Vec<String> {
    let file = files.iter().find(|file| file.path == "op/example.rs").expect("the file of examples");
    let definitions = file.text.split("macro_rules! ").skip(1);
    definitions
        .filter(|text| text.contains("```"))
        .filter_map(|text| Some(text.split([' ', '{']).next()?.to_string()))
        .collect()
}

/// Whether documentation has a block of code that is run, or a macro that writes one.
fn has_example(docs: &str, examples: &[String]) -> bool {
    let opening = docs.match_indices("```").step_by(2);
    let mut after = opening.map(|(at, fence)| &docs[at + fence.len()..]);
    after.any(|rest| rest.starts_with(['\n', '\\'])) || examples.iter().any(|name| docs.contains(&format!("{name}!(")))
}

/// The files of the library.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            files.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
        }
    }
}
