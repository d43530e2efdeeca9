//! The command as a user runs it.

mod batch;
mod bench;
mod check;
mod check_grad;
mod complex;
mod diff;
mod examples;
mod grad;
mod json;
mod minimize;
mod numbers;
mod ops;
mod optimize;
mod pipes;
mod run;
mod show;
mod usage;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use retrograd::Graph;
use retrograd::ir::Provenance;
use retrograd::op::{Convert, Mul, ReduceSum};
use retrograd::value::{DType, Type};

/// A folder with the file `f.json`: `y = Σ w·x²`, and `k` converted.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder::with_vectors(3)
    }

    /// `w` and `x` of that many elements. Few of them are no loop.
    fn with_vectors(n: usize) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut graph = Graph::new("f");
        let w = graph.add_input("w", Type::new(DType::F64, [n])).unwrap();
        let x = graph.add_input("x", Type::new(DType::F64, [n])).unwrap();
        let k = graph.add_input("k", Type::scalar(DType::I64)).unwrap();
        let mut add = |op, operands: &[_]| graph.add(op, operands, Provenance::default()).unwrap().into();
        let wx = add(Mul.into(), &[w, x]);
        let wxx = add(Mul.into(), &[wx, x]);
        let y = add(ReduceSum { axes: vec![0] }.into(), &[wxx]);
        let k = add(Convert { dtype: DType::F64 }.into(), &[k]);
        graph.add_output("y", y).unwrap();
        graph.add_output("k", k).unwrap();
        graph.save(folder.path("f.json")).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retrograd"));
        command.current_dir(self.0.path()).args(arguments);
        // What the environment of the tests says of colors is not what is tested.
        ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"].iter().for_each(|name| _ = command.env_remove(name));
        command
    }

    /// Runs the command; gives its exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        outcome(self.command(arguments).output().unwrap())
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        outcome(child.wait_with_output().unwrap())
    }

    /// The standard output of a run that must succeed.
    fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        out
    }

    /// The standard error of a run that must fail with that code and print nothing else.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let (got, out, err) = self.run(arguments);
        assert_eq!((got, out.as_str()), (code, ""), "{arguments:?}: {err}");
        err
    }
}

fn outcome(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("killed by a signal"), text(output.stdout), text(output.stderr))
}

const VALUES: [&str; 3] = ["w=[1, 2, 3]", "x=[1.5, -1, 0]", "k=7"];
