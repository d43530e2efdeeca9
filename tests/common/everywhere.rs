//! Functions and graphs by the interpreter and by native code, as they are, optimized, saved and loaded.

use retrograd::ir::Limits;
use retrograd::op::Graph;
use retrograd::optimize::optimize;
use retrograd::transform::Arguments;
use retrograd::value::{Array, ToTree};
use retrograd::{Function, Program, interpret, trace_with};

/// The results of a function, checked to have the same bits from the interpreter and from native code, as traced and
/// optimized, saved and loaded.
///
/// # Panics
/// As [`run_everywhere`].
#[track_caller]
pub fn everywhere<F: Function<Args>, Args: Arguments>(f: F, args: impl ToTree) -> Vec<f64> {
    let graph = trace_with(f, &args).unwrap_or_else(|error| panic!("{error}"));
    let mut inputs = Vec::new();
    args.to_tree().for_each(&mut |leaf| inputs.push(leaf.to_array()));
    run_everywhere(&graph, &inputs)
}

/// The same of a graph.
///
/// # Panics
/// If bits differ, or a file is not what was saved.
#[track_caller]
pub fn run_everywhere(graph: &Graph, inputs: &[Array]) -> Vec<f64> {
    let optimized = optimize(graph).unwrap();
    let expected = interpret::run(graph, inputs).unwrap();
    for (how, graph) in [("as traced", graph), ("optimized", &optimized)] {
        graph.verify().unwrap_or_else(|error| panic!("{how}: {error}\n{graph}"));
        let json = graph.to_json().unwrap();
        let loaded = Graph::from_json(&json, &Limits::default()).unwrap();
        assert_eq!(loaded.to_json().unwrap(), json, "{how}: saved and loaded");
        for (by, got) in [
            ("interpreter", interpret::run(&loaded, inputs).unwrap()),
            ("native code", Program::compile(&loaded).unwrap().call(inputs).unwrap()),
        ] {
            let same = got.len() == expected.len() && got.iter().zip(&expected).all(|(x, y)| x.same_bits(y));
            assert!(same, "{how}, {by}: {got:?} is not {expected:?}\n{graph}");
        }
    }
    expected.iter().flat_map(super::floats).collect()
}
