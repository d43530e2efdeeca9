//! Random programs from fixed seeds, both like those that people write and arbitrary ones: interpreter, native code and
//! optimized native code agree to the bit, derivatives agree with differences, and forward with reverse mode.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use retrograd::Graph;
use retrograd::ir::{Input, Limits};
use retrograd::value::json::Json;
use retrograd::value::{Array, DType, Type};
use retrograd_fuzz::case::{Case, Draw, draw};
use retrograd_fuzz::oracle::check;
use retrograd_fuzz::{Choices, Effort, Generator, Random, examine, files, panics, smallest};

/// The number of programs, unless the environment variable `N_GRAPHS` is set.
const N_GRAPHS: u64 = 2_000;

/// The first seed; these seeds differ from those of manual runs.
const FIRST_SEED: u64 = 1 << 40;

/// What is done to shrink a failing program.
const EFFORT: Effort = Effort { tries: 500, time: Duration::from_secs(60) };

#[test]
fn all_ways_to_run_a_program_agree() {
    let n = std::env::var("N_GRAPHS").map_or(N_GRAPHS, |n| n.parse().expect("N_GRAPHS is a number"));
    panics::keep();
    let next = AtomicU64::new(FIRST_SEED);
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let check = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= FIRST_SEED + n {
            return None;
        }
        let (generator, choices) = (Generator::of_seed(seed), Choices::from_seed(seed));
        if let Err(finding) = examine(generator, &choices, seed) {
            next.store(FIRST_SEED + n, Ordering::Relaxed);
            return Some((seed, smallest(generator, choices.bytes(), seed, EFFORT, *finding)));
        }
    };
    let finding = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(check)).collect();
        threads.into_iter().find_map(|thread| thread.join().expect("panics are findings"))
    });
    drop(std::panic::take_hook());
    if let Some((seed, finding)) = finding {
        panic!("seed {seed}: {}\n{}\n{}\n{:?}", finding.kind, finding.detail, finding.case.graph, finding.case.inputs);
    }
}

/// Files that once failed, run at several points.
#[test]
fn former_failures_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/files");
    let mut n_files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // Limits have their own tests.
        let Ok(graph) = Graph::from_json(&text, &Limits { elements: 1 << 20, ..Limits::default() }) else { continue };
        if !files::ends_soon(&graph) {
            continue;
        }
        n_files += 1;
        for (seed, from) in [Draw::Uniform(-2.0, 2.0), Draw::Uniform(0.1, 3.0), Draw::Halves].into_iter().enumerate() {
            let random = Random::new(seed as u64);
            let inputs: Vec<Array> =
                graph.inputs().iter().map(|x| draw(&random, graph.ty(x.node.into()), from)).collect();
            let case = Case { graph: graph.clone(), inputs, loss: None };
            if let Err(finding) = check(&case, seed as u64) {
                panic!("{}: {}\n{}\n{:?}", path.display(), finding.kind, finding.detail, case.inputs);
            }
        }
    }
    assert!(n_files >= 20, "{n_files}");
}

/// Programs whose derivatives are correct and were once reported as wrong: each for another reason differs from what it
/// is compared with, or is not finite.
#[test]
fn former_false_findings_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/judged");
    let mut n_files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let Some(name) = name.strip_suffix(".inputs.json") else { continue };
        n_files += 1;
        let graph = Graph::load(path.with_file_name(format!("{name}.json"))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let json = Json::parse(&text).unwrap();
        let read = |(x, (_, json)): (&Input, &(_, Json<'_>))| Array::from_json(json, graph.ty(x.node.into())).unwrap();
        let inputs: Vec<Array> = graph.inputs().iter().zip(json.as_object().unwrap()).map(read).collect();
        let loss = graph.outputs().iter().position(|output| *graph.ty(output.value) == Type::scalar(DType::F64));
        let case = Case { graph, inputs, loss };
        // The seed selects the direction, the weights and the derivatives.
        for seed in 0..12 {
            if let Err(finding) = check(&case, seed) {
                panic!("{name}, seed {seed}: {}\n{}", finding.kind, finding.detail);
            }
        }
    }
    assert_eq!(n_files, 16);
}
