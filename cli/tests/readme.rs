//! Every command that the README shows, run as it stands, gives the output that the README shows. Its blocks of Rust run
//! as documentation of the crate.

#[path = "../../tests/common/mod.rs"]
pub mod common;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use common::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The blocks of the README in that language.
fn blocks(language: &str) -> Vec<String> {
    let readme = read("README.md");
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some(found) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if found == language {
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

/// The commands of a block, each with the output that follows.
fn commands(block: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, String::new())),
            (None, Some((_, output))) => {
                output.push_str(line);
                output.push('\n');
            }
            (None, None) => panic!("a block that begins without a command: {line}"),
        }
    }
    commands
}

#[test]
#[cfg(unix)]
fn commands_print_what_the_readme_shows() {
    let folder = tempfile::tempdir().unwrap();
    copy(&root().join("ir-examples"), &folder.path().join("ir-examples"));
    let mut n_commands = 0;
    for (command, expected) in blocks("console").iter().flat_map(|block| commands(block)) {
        n_commands += 1;
        let output = match command.split(' ').next() {
            Some("retrograd") => shell(command, folder.path()),
            Some("cargo") if command == TESTS => continue,
            Some("cargo") => cargo(command),
            other => panic!("the README shows a command of another kind: {other:?}"),
        };
        assert_eq!(output, expected, "{command}");
    }
    assert!(n_commands > 2, "the README shows its commands in blocks of another kind");
}

/// The command that runs this very test, and so cannot be run by it.
const TESTS: &str = "cargo test";

#[test]
fn the_checks_run_the_tests_as_the_readme_does() {
    assert!(blocks("console").iter().any(|block| block == &format!("$ {TESTS}")));
    assert!(read(".ci/run").lines().any(|line| line == TESTS));
}

#[test]
fn quoted_blocks_stand_in_the_source() {
    let source: String = fs::read_dir(root().join("src/op"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let blocks = blocks("rs");
    assert!(!blocks.is_empty());
    for block in blocks {
        assert!(source.contains(&block), "not in src/op:\n{block}");
    }
}

#[test]
fn links_lead_somewhere() {
    let readme = read("README.md");
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(link.starts_with("https://") || root().join(link).exists(), "{link}");
    }
}

/// What a line of the README prints when the command is installed.
fn shell(line: &str, folder: &Path) -> String {
    let bin = Path::new(env!("CARGO_BIN_EXE_retrograd")).parent().unwrap().to_path_buf();
    let path: Vec<PathBuf> =
        [bin].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())).collect();
    let path: OsString = env::join_paths(path).unwrap();
    let output =
        Command::new("sh").arg("-c").arg(format!("{{ {line}; }} 2>&1")).env("PATH", path).current_dir(folder).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// What an example prints.
fn cargo(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let ["cargo", "run", rest @ ..] = &words[..] else { panic!("{line}") };
    common::cargo_run(rest)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
