//! The rules of the house, read off the source: which floor may use which, what may be named where, and what may not
//! be written at all. Every breach is reported with its file and line.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors from the top down. A floor uses only itself and floors above it, `value` and `error` each other.
const FLOORS: [&str; 21] = [
    "value",
    "error",
    "stack",
    "math",
    "external",
    "ir",
    "op",
    "interpret",
    "batch",
    "differentiate",
    "optimize",
    "emit",
    "compile",
    "transform",
    "numpy",
    "linalg",
    "fft",
    "signal",
    "random",
    "stats",
    "lib",
];

/// The floors that may use less than all above them.
const NARROW: [(&str, &[&str]); 7] = [
    ("stack", &["error"]),
    ("value", &["error"]),
    ("error", &["value"]),
    ("math", &["value"]),
    ("external", &["value", "error"]),
    ("ir", &["stack", "value", "error"]),
    ("emit", &["value", "error", "math", "op"]),
];

/// The rooms of `compile` from the top down. A room uses only itself and rooms above it; what is in none uses all.
const ROOMS_OF_COMPILE: [&str; 5] = ["abi", "runtime", "schedule", "memory", "codegen"];

/// The floors whose files form no circle.
const WITHOUT_CIRCLES: [&str; 8] = ["batch", "compile", "differentiate", "emit", "ir", "numpy", "op", "optimize"];

/// What may be named on some floors only.
const ROOMS: [(&str, &[&str]); 3] =
    [("petgraph", &["ir"]), ("cranelift_", &["emit"]), ("unsafe", &["compile", "emit", "math"])];

/// Macros that are left over from work, or print what nobody asked for.
const UNWANTED: [&str; 7] = ["todo", "unimplemented", "dbg", "println", "print", "eprintln", "eprint"];

const MAX_LINES: usize = 1_000;

#[test]
fn floors_use_only_floors_above_them() {
    report(|file, findings| {
        for (position, path) in file.paths() {
            let Some(target) = file.floor_of(&path) else { continue };
            if !file.in_test(position) && !may_use(file.floor(), &target) {
                findings.add(file, position, format!("{} may not use {target}", file.floor()));
            }
        }
    });
}

#[test]
fn rooms_of_the_compiler_use_only_rooms_above_them() {
    report(|file, findings| {
        let room = |module: &[String]| {
            let [floor, room, ..] = module else { return None };
            ROOMS_OF_COMPILE.iter().position(|name| floor == "compile" && room == name)
        };
        let own: Vec<String> = file.module().into_iter().map(str::to_string).collect();
        let Some(own) = room(&own) else { return };
        for (position, path) in file.paths() {
            let target = file.resolved(&path);
            let within = target.first().is_some_and(|floor| floor == "compile") && target.len() > 1;
            // What `compile` has in no room is made of what its rooms give.
            let is_below = within && room(&target).is_none_or(|target| target > own);
            if is_below && !file.in_test(position) {
                let names = ROOMS_OF_COMPILE[own];
                findings.add(file, position, format!("{names} may not use {}", target.join("::")));
            }
        }
    });
}

/// A folder's `mod.rs` is its face: it lists what its files give, and names that are taken from there count for none.
#[test]
fn files_form_no_circles() {
    let sources = sources();
    let of = |floor: &str| sources.iter().filter(|file| file.floor() == floor).collect::<Vec<&Source>>();
    for floor in WITHOUT_CIRCLES {
        let files: Vec<&Source> = of(floor).into_iter().filter(|file| !file.path.ends_with("mod.rs")).collect();
        let uses = |file: &Source| -> Vec<usize> {
            let paths = file.paths().into_iter().filter(|&(position, _)| !file.in_test(position));
            let targets = paths.map(|(_, path)| file.resolved(&path));
            let number = |target: &[String]| {
                let is_of = |other: &&Source| {
                    let module = other.module();
                    target.len() >= module.len() && target.iter().zip(&module).all(|(a, b)| a == b)
                };
                files.iter().position(is_of)
            };
            targets.filter_map(|target| number(&target)).collect()
        };
        let edges: Vec<Vec<usize>> = files.iter().map(|file| uses(file)).collect();
        for (start, file) in files.iter().enumerate() {
            let others = |from: usize| edges[from].iter().copied().filter(move |&to| to != from);
            let (mut seen, mut pending) = (vec![false; files.len()], others(start).collect::<Vec<usize>>());
            while let Some(next) = pending.pop() {
                assert!(next != start, "src/{} uses a file that uses it", file.path);
                if !std::mem::replace(&mut seen[next], true) {
                    pending.extend(others(next));
                }
            }
        }
    }
}

#[test]
fn libraries_and_unsafe_code_stay_in_their_rooms() {
    report(|file, findings| {
        for (word, rooms) in ROOMS {
            for position in file.words(word, !word.ends_with('_')) {
                // A foreign trait may ask for an `unsafe fn`, whose body does nothing unsafe without a block of its own.
                let is_declaration = file.code[position..].starts_with("unsafe fn ");
                if !rooms.contains(&file.floor()) && !is_declaration {
                    findings.add(file, position, format!("{word} stands outside of {}", rooms.join(", ")));
                }
            }
        }
    });
}

/// The packages that whoever depends on the library compiles, the library among them.
const MAX_PACKAGES: usize = 100;

/// What the command alone needs.
const OF_THE_COMMAND: [&str; 5] = ["argmin", "clap", "csv", "indicatif", "zip"];

#[test]
fn the_library_stands_on_few_packages() {
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["tree", "-e", "normal", "-p", "retrograd", "--prefix", "none", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let listed = String::from_utf8(cargo.stdout).unwrap();
    let packages: BTreeSet<&str> = listed.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    assert!((50..=MAX_PACKAGES).contains(&packages.len()), "{} packages:\n{listed}", packages.len());
    let unwanted = |package: &&&str| OF_THE_COMMAND.contains(&package.split(' ').next().unwrap_or_default());
    assert_eq!(packages.iter().filter(unwanted).count(), 0, "{listed}");
}

#[test]
fn unsafe_code_says_why_it_is_safe() {
    report(|file, findings| {
        for position in file.words("unsafe", true) {
            let rest = file.code[position + "unsafe".len()..].trim_start();
            let claims = rest.starts_with('{') || rest.starts_with("impl");
            if claims && !file.is_justified(file.line_of(position)) {
                findings.add(file, position, "unsafe without a `// SAFETY:` line before its statement".to_string());
            }
        }
    });
}

#[test]
fn matches_over_operations_are_complete() {
    report(|file, findings| {
        if !["differentiate", "compile"].contains(&file.floor()) {
            return;
        }
        for position in file.words("match", true) {
            let patterns = file.patterns(position);
            let over_op = patterns.iter().any(|(_, pattern)| names(pattern, "Op::"));
            for (at, pattern) in patterns.iter().filter(|_| over_op) {
                if pattern.trim() == "_" || pattern.trim().starts_with("_ if") {
                    findings.add(file, *at, "`_ =>` in a match over `Op`".to_string());
                }
            }
        }
    });
}

#[test]
fn nothing_is_left_over() {
    report(|file, findings| {
        for name in UNWANTED {
            for position in file.words(name, true) {
                let is_macro = file.code[position + name.len()..].starts_with('!');
                if is_macro {
                    findings.add(file, position, format!("{name}! in the library"));
                }
            }
        }
        let n_lines = file.text.lines().count();
        if n_lines > MAX_LINES {
            findings.add(file, file.text.len(), format!("{n_lines} lines are more than {MAX_LINES}"));
        }
    });
}

#[test]
fn the_reader_sees_what_it_should() {
    let file = Source::new(
        "op/power.rs",
        "use crate::{ir::Value, compile::{Program}};\nuse super::super::math;\n// crate::transform\nlet s = \"crate::lib\";\n\
         let c = ('\"', 'a'); let l: &'static str;\nlet r = r#\"unsafe \"quoted\"#;\n#[cfg(test)]\nmod tests {\n    use \
         crate::transform;\n}\nmatch op { Op::Add(_) => { 1 } _ => match x { _ => 2 }, }\n",
    );
    let paths: Vec<String> = file.paths().into_iter().filter_map(|(_, path)| file.floor_of(&path)).collect();
    assert_eq!(paths, ["ir", "compile", "transform", "math"]);
    let tested: Vec<bool> = file.paths().into_iter().map(|(position, _)| file.in_test(position)).collect();
    assert_eq!(tested, [false, false, true, false]);
    assert!(file.words("unsafe", true).is_empty());
    let patterns: Vec<Vec<&str>> = file
        .words("match", true)
        .into_iter()
        .map(|position| file.patterns(position).into_iter().map(|(_, pattern)| pattern.trim()).collect())
        .collect();
    assert_eq!(patterns, [vec!["Op::Add(_)", "_"], vec!["_"]]);
    assert!(
        !may_use("op", "compile")
            && may_use("op", "ir")
            && may_use("error", "value")
            && !may_use("emit", "ir")
            && !may_use("op", "emit")
    );
}

fn may_use(from: &str, to: &str) -> bool {
    let place = |floor: &str| FLOORS.iter().position(|&other| other == floor).expect("a floor of the house");
    if from == to {
        return true;
    }
    match NARROW.iter().find(|(floor, _)| *floor == from) {
        Some((_, allowed)) => allowed.contains(&to),
        None => place(to) < place(from),
    }
}

/// Applies a rule to every file of the library, and fails with all that it found.
fn report(rule: impl Fn(&Source, &mut Findings)) {
    let mut findings = Findings(String::new());
    let files = sources();
    assert!(files.len() > 40, "the sources were not found");
    files.iter().for_each(|file| rule(file, &mut findings));
    assert!(findings.0.is_empty(), "\n{}", findings.0);
}

struct Findings(String);

impl Findings {
    fn add(&mut self, file: &Source, position: usize, message: String) {
        let _ = writeln!(self.0, "src/{}:{}: {message}", file.path, file.line_of(position) + 1);
    }
}

/// A source file, and its code without comments and without what stands in strings.
struct Source {
    /// Relative to `src`, with `/` between folders.
    path: String,
    text: String,
    /// As long as `text`, byte for byte.
    code: String,
    /// The stretches that are compiled for tests only. These may use any floor: what they look at may stand below.
    tests: Vec<std::ops::Range<usize>>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            match path.extension() {
                Some(extension) if extension == "rs" => files.push(path),
                _ if path.is_dir() => folders.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    let mut sources: Vec<Source> = files
        .iter()
        .map(|path| {
            let parts: Vec<_> =
                path.strip_prefix(&root).expect("below src").iter().map(|x| x.to_string_lossy()).collect();
            Source::new(&parts.join("/"), &fs::read_to_string(path).expect("a source file can be read"))
        })
        .collect();
    // A module that its parent declares for tests only is a test as a whole.
    let test_files: Vec<String> = sources.iter().flat_map(Source::test_files).collect();
    for source in sources.iter_mut().filter(|source| test_files.contains(&source.path)) {
        source.tests = std::iter::once(0..source.text.len()).collect();
    }
    sources
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let code = blank(text);
        let mut source = Source { path: path.to_string(), text: text.to_string(), code, tests: Vec::new() };
        source.tests = source.code.match_indices("#[cfg(test)]").map(|(start, _)| source.item(start)).collect();
        source
    }

    /// The stretch from an attribute to the end of the item that bears it.
    fn item(&self, start: usize) -> std::ops::Range<usize> {
        let mut depth = 0usize;
        for (at, byte) in self.code.bytes().enumerate().skip(start) {
            match byte {
                b'{' => depth += 1,
                b'}' if depth == 1 => return start..at,
                b'}' => depth -= 1,
                b';' if depth == 0 => return start..at,
                _ => {}
            }
        }
        start..self.code.len()
    }

    /// The files that hold the modules which are declared here for tests only.
    fn test_files(&self) -> Vec<String> {
        let folder = self.path.strip_suffix("mod.rs").unwrap_or_default();
        let declared = self.tests.iter().filter_map(|range| {
            let (_, name) = self.code[range.clone()].split_once("mod ")?;
            name.chars().all(|c| c.is_alphanumeric() || c == '_').then(|| format!("{folder}{name}.rs"))
        });
        declared.collect()
    }

    fn floor(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or(&self.path);
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The module that the file is, from the root of the crate.
    fn module(&self) -> Vec<&str> {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        path.split('/').filter(|&part| !["mod", "lib"].contains(&part)).collect()
    }

    fn line_of(&self, position: usize) -> usize {
        self.text[..position].matches('\n').count()
    }

    fn in_test(&self, position: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&position))
    }

    /// Where a word stands in the code; if it is not `whole`, where a word begins with it.
    fn words<'a>(&'a self, word: &'a str, whole: bool) -> Vec<usize> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let is_name = |position: usize| {
            let rest = &self.code[position + word.len()..];
            self.code[..position].ends_with(is_part) || whole && rest.starts_with(is_part)
        };
        self.code.match_indices(word).map(|(position, _)| position).filter(|&position| !is_name(position)).collect()
    }

    /// Every path that begins at `crate` or `super`, with its groups unfolded.
    fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let mut paths = Vec::new();
        for root in ["crate", "super"] {
            for position in self.words(root, true) {
                let rest = &self.code[position..];
                // The second `super` of a path is reached from the first.
                if rest[root.len()..].starts_with("::") && !self.code[..position].ends_with("::") {
                    unfold(rest, Vec::new(), &mut |path| paths.push((position, path)));
                }
            }
        }
        paths
    }

    /// A path from the root of the crate.
    fn resolved(&self, path: &[String]) -> Vec<String> {
        let climbs = path.iter().take_while(|part| *part == "super").count();
        let module = self.module();
        let base = if climbs == 0 { &[] } else { &module[..module.len().saturating_sub(climbs)] };
        base.iter().map(|part| part.to_string()).chain(path[climbs.max(1)..].iter().cloned()).collect()
    }

    /// The floor that a path names, unless it ends within the module tree of its own.
    fn floor_of(&self, path: &[String]) -> Option<String> {
        let module = self.resolved(path);
        let first = module.first()?.as_str();
        if first == "*" {
            return None;
        }
        // What is no floor is an item of the crate's root.
        Some(if FLOORS.contains(&first) { first } else { "lib" }.to_string())
    }

    /// Whether a comment with `SAFETY:` ends right before the statement or item that this line belongs to.
    fn is_justified(&self, line: usize) -> bool {
        let code: Vec<&str> = self.code.lines().collect();
        let text: Vec<&str> = self.text.lines().collect();
        let is_comment = |line: usize| text[line].trim_start().starts_with("//");
        let mut first = line;
        while first > 0 && !is_comment(first - 1) && !code[first - 1].trim_end().ends_with(['{', '}', ';', ',']) {
            first -= 1;
        }
        (0..first).rev().take_while(|&line| is_comment(line)).any(|line| text[line].contains("// SAFETY:"))
    }

    /// The patterns of the `match` at that position, each with where it begins.
    fn patterns(&self, position: usize) -> Vec<(usize, &str)> {
        let bytes = self.code.as_bytes();
        let mut patterns = Vec::new();
        let mut depth = 0usize;
        let mut start = None;
        let mut in_pattern = true;
        for at in position..bytes.len() {
            match bytes[at] {
                b'(' | b'[' => depth += 1,
                b')' | b']' => depth -= 1,
                b'{' => {
                    depth += 1;
                    if start.is_none() && depth == 1 {
                        start = Some(at + 1);
                    }
                }
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                    // An arm that is a block needs no comma.
                    if depth == 1 && !in_pattern && self.ends_arm(at) {
                        (start, in_pattern) = (Some(at + 1), true);
                    }
                }
                b',' if depth == 1 => (start, in_pattern) = (Some(at + 1), true),
                b'=' if depth == 1 && bytes.get(at + 1) == Some(&b'>') => {
                    if let Some(start) = start.filter(|_| in_pattern) {
                        patterns.push((start + leading_space(&self.code[start..at]), &self.code[start..at]));
                    }
                    in_pattern = false;
                }
                _ => {}
            }
        }
        patterns
    }

    /// Whether a closing brace ends an arm: what follows begins a pattern, and is no method call or operator.
    fn ends_arm(&self, brace: usize) -> bool {
        let next = self.code[brace + 1..].trim_start().chars().next();
        next.is_some_and(|c| c.is_alphanumeric() || "_(&[|".contains(c))
            && !self.code[brace + 1..].trim_start().starts_with("else")
    }
}

fn leading_space(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// Whether a path begins in the text, and not in the middle of a name: `Op::` but not `ScalarOp::`.
fn names(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Gives every path that a text begins with: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn unfold(text: &str, mut path: Vec<String>, give: &mut dyn FnMut(Vec<String>)) {
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(rest.len());
        path.push(rest[..end].to_string());
        match rest[end..].strip_prefix("::") {
            None => return give(path),
            Some(group) if group.starts_with('{') => {
                parts(group).into_iter().for_each(|part| unfold(part, path.clone(), give));
                return;
            }
            Some(more) => rest = more,
        }
    }
}

/// The parts of a group `{a, b::{c, d}}`.
fn parts(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 1, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if (c == ',' && depth == 1) || depth == 0 {
            parts.extend(Some(group[start..at].trim()).filter(|part| !part.is_empty()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    parts
}

/// The text with comments and the insides of strings and characters replaced by spaces, byte for byte.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => at + find(&bytes[at..], b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => at + find(&bytes[at..], b"*/") + 2,
            b'"' => at + string_length(&bytes[at..]),
            b'r' if !at.checked_sub(1).is_some_and(|at| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') => {
                at + raw_string_length(&bytes[at..])
            }
            b'\'' => at + character_length(&bytes[at..]),
            _ => at,
        };
        let end = end.min(bytes.len());
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("comments and strings end where characters do")
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap_or(bytes.len())
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of a raw string, or 0 if none begins here.
fn raw_string_length(bytes: &[u8]) -> usize {
    let n_hashes = bytes[1..].iter().take_while(|&&byte| byte == b'#').count();
    if bytes.get(1 + n_hashes) != Some(&b'"') {
        return 0;
    }
    let close = [b"\"".as_slice(), &b"#".repeat(n_hashes)].concat();
    let start = 2 + n_hashes;
    start + find(&bytes[start..], &close) + close.len()
}

/// The length of a character literal, or 0 for a lifetime.
fn character_length(bytes: &[u8]) -> usize {
    if bytes.get(1) == Some(&b'\\') {
        return 3 + find(&bytes[3..], b"'") + 1;
    }
    let rest = std::str::from_utf8(&bytes[1..bytes.len().min(6)])
        .unwrap_or_else(|error| std::str::from_utf8(&bytes[1..1 + error.valid_up_to()]).expect("valid up to there"));
    let mut characters = rest.chars();
    match (characters.next(), characters.next()) {
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}
