//! Helpers of several tests: a seeded generator, graphs of one operation, comparison in units in the last place, runs
//! of examples. They are public, since none of the tests uses all of them.

pub mod everywhere;

use std::env;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use std::sync::Arc;

use retrograd::ir::{Operation, Value};
use retrograd::op::{Cholesky, ComplexLu, Factors, Graph, Inverse, Lu, Op, Solve};
use retrograd::value::json::write_text;
use retrograd::value::{Array, DType, Scalar, Type};

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same on every machine.
pub struct Random(pub u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn array(&mut self, ty: &Type, (low, high): (f64, f64)) -> Array {
        let elements: Vec<Scalar> = (0..ty.size())
            .map(|_| match ty.dtype {
                DType::Bool => Scalar::Bool(self.bits() & 1 == 1),
                DType::I64 => {
                    let (low, high) = (low.floor() as i64, high.ceil() as i64);
                    Scalar::I64(low + self.below((high - low).max(1) as usize) as i64)
                }
                dtype => Scalar::F64(self.range(low, high)).convert(dtype),
            })
            .collect();
        Array::collect(ty, elements.into_iter())
    }
}

/// The graph that applies one operation to inputs `x0`, `x1`, … of these types.
pub fn graph_of(op: &Op, types: &[Type]) -> Graph {
    graph_with(op, &[], types)
}

/// The graph that applies one operation with these regions to inputs `x0`, `x1`, … of these types.
pub fn graph_with(op: &Op, regions: &[Arc<Graph>], types: &[Type]) -> Graph {
    applied(op, regions, types, |_, inputs| inputs.to_vec())
}

/// The same for inputs of any numbers: what the operation asks of its operands, they get. Matrices that are factored or solved
/// with, or have a root or a logarithm, or weigh costs, have a diagonal that exceeds all else, and factors are those of their matrix.
pub fn sample_graph(op: &Op, regions: &[Arc<Graph>], types: &[Type]) -> Graph {
    applied(op, regions, types, |graph, inputs| {
        let mut operands = inputs.to_vec();
        match op {
            Op::Cholesky(_) | Op::CholeskyPullback(_) | Op::Lu(_) | Op::ComplexLu(_) => {
                operands[0] = dominated(graph, operands[0])
            }
            Op::Sqrtm(_) | Op::Logm(_) | Op::LogmFrechet(_) => operands[0] = dominated(graph, operands[0]),
            Op::SolveContinuousAre(_) | Op::SolveDiscreteAre(_) => {
                operands[2] = dominated(graph, operands[2]);
                operands[3] = dominated(graph, operands[3]);
            }
            Op::Solve(Solve { factors, .. }) | Op::Inverse(Inverse { factors }) => {
                operands[0] = dominated(graph, operands[0]);
                let factor: Op = match factors {
                    Factors::Lu => Lu.into(),
                    Factors::Cholesky => Cholesky.into(),
                };
                operands[1] = graph.add(factor, &[operands[0]], Default::default()).unwrap().into();
            }
            Op::ComplexSolve(_) => {
                operands[0] = dominated(graph, operands[0]);
                let factors = graph.add(ComplexLu.into(), &operands[..2], Default::default()).unwrap();
                let factors: Vec<Value> = retrograd::ir::results_of(graph, factors).collect();
                operands[2..4].copy_from_slice(&factors);
            }
            _ => {}
        }
        operands
    })
}

/// A stack of square matrices with their extent added to their diagonals.
fn dominated(graph: &mut Graph, x: Value) -> Value {
    let ty = graph.ty(x).clone();
    let n = ty.shape[ty.rank() - 1];
    let element = |k: usize| if k % n == k / n % n { n as f64 } else { 0.0 };
    let numbers = (0..ty.size()).map(|k| Scalar::F64(element(k)).convert(ty.dtype));
    let diagonal =
        graph.add(<Op as Operation>::from_constant(Array::collect(&ty, numbers)), &[], Default::default()).unwrap();
    graph.add(retrograd::op::Add.into(), &[x, diagonal.into()], Default::default()).unwrap().into()
}

fn applied(
    op: &Op,
    regions: &[Arc<Graph>],
    types: &[Type],
    operands: impl FnOnce(&mut Graph, &[Value]) -> Vec<Value>,
) -> Graph {
    let mut graph = Graph::new("main");
    let inputs: Vec<Value> =
        types.iter().enumerate().map(|(k, ty)| graph.add_input(format!("x{k}"), ty.clone()).unwrap()).collect();
    let operands = operands(&mut graph, &inputs);
    let node = graph.add_with_regions(op.clone(), &operands, regions.into(), Default::default()).unwrap();
    for result in retrograd::ir::results_of(&graph, node) {
        graph.add_output(format!("y{}", result.result), result).unwrap();
    }
    graph
}

/// The distance of two numbers in units in the last place of the second; infinite if only one of them is NaN.
pub fn ulps(got: Scalar, expected: Scalar) -> f64 {
    if got.bits() == expected.bits() {
        return 0.0;
    }
    match (got, expected) {
        (Scalar::F64(a), Scalar::F64(b)) if a.is_finite() && b.is_finite() => {
            (a - b).abs() / (b.abs().next_up() - b.abs())
        }
        (Scalar::F32(a), Scalar::F32(b)) if a.is_finite() && b.is_finite() => {
            f64::from((a - b).abs()) / f64::from(b.abs().next_up() - b.abs())
        }
        _ => f64::INFINITY,
    }
}

pub fn floats(array: &Array) -> Vec<f64> {
    array
        .elements()
        .map(|x| match x.convert(DType::F64) {
            Scalar::F64(x) => x,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The folder of the workspace, for the tests of all packages.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("ir-examples").is_dir()).expect("a package of the workspace")
}

/// The output of `cargo run` with these arguments, in the profile of this test, so that nothing is built twice.
pub fn cargo_run(arguments: &[&str]) -> String {
    let test = env::current_exe().unwrap();
    let profile = match test.ancestors().nth(2).and_then(Path::file_name).and_then(|name| name.to_str()) {
        Some("debug") | None => "test",
        Some(profile) => profile,
    };
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--profile", profile])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Arrays by name, as the command writes them.
pub fn object<'n>(names: impl Iterator<Item = &'n str>, arrays: &[Array]) -> String {
    let mut text = String::from("{");
    for (place, (name, array)) in names.zip(arrays).enumerate() {
        text.push_str(if place > 0 { ",\n " } else { "\n " });
        write_text(name, &mut text);
        write!(text, ": {}", array.to_json()).unwrap();
    }
    text + "\n}\n"
}
