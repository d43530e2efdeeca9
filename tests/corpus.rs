//! Old files still load, save canonically, and give their recorded outputs; and every operation is in one of them.

pub mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Random, floats, object, ulps};
use retrograd::ir::{Document, Limits, Operation, results_of};
use retrograd::op::{Examples, Graph, Op};
use retrograd::value::json::Json;
use retrograd::value::{Array, Type};
use retrograd::{Program, interpret, optimize};

#[test]
fn old_files_save_canonically() {
    for name in names() {
        let text = read(&name, "json");
        let document = load(&name);
        // A file written by a program is reproduced byte for byte; a handwritten one has a canonical form beside it.
        let canonical = if path(&name, "dump.json").exists() { read(&name, "dump.json") } else { text };
        assert_eq!(document.to_json().unwrap(), canonical, "{name}");
        let again: Document<Op> = Document::from_json(&canonical, &Limits::default()).unwrap();
        assert_eq!(again.to_json().unwrap(), canonical, "{name}, again");
    }
}

#[test]
fn old_files_run_to_their_recorded_outputs() {
    for name in names() {
        let graph = load(&name).into_graph();
        let inputs: Vec<(String, Type)> =
            graph.inputs().iter().map(|input| (input.name.to_string(), graph.ty(input.node.into()).clone())).collect();
        let outputs: Vec<(String, Type)> =
            graph.outputs().iter().map(|output| (output.name.to_string(), graph.ty(output.value).clone())).collect();
        let inputs = arrays(&read(&name, "inputs.json"), &inputs);
        let expected = arrays(&read(&name, "outputs.json"), &outputs);
        let optimized = optimize::optimize(&graph).unwrap();
        for got in [
            interpret::run(&graph, &inputs).unwrap(),
            Program::compile(&graph).unwrap().call(&inputs).unwrap(),
            Program::compile(&optimized).unwrap().call(&inputs).unwrap(),
        ] {
            for ((got, expected), (output, _)) in got.iter().zip(&expected).zip(&outputs) {
                same(got, expected).unwrap_or_else(|element| panic!("{name}: {output}{element}"));
            }
        }
    }
}

#[test]
fn every_operation_is_in_an_old_file() {
    // By the parameters that stand in the file, so that what may be left out is met both ways.
    let form = |op: &Op| (op.name(), op.attributes().into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    let mut known = BTreeSet::new();
    for name in names() {
        let graph = load(&name).into_graph();
        known.extend(graph.ids().filter_map(|id| graph.node(id).op().map(form)));
    }
    let is_known = |examples: &Examples| {
        let answers = examples.answers.iter().map(|answer| &answer.op);
        let samples = examples.samples.iter().map(|sample| &sample.op);
        if examples.samples.is_empty() {
            answers.map(form).any(|form| known.contains(&form))
        } else {
            samples.map(form).all(|form| known.contains(&form))
        }
    };
    let missing: Vec<&str> =
        Op::table().into_iter().filter(|(_, _, examples)| !is_known(examples)).map(|(name, ..)| name).collect();
    if std::env::var_os("RECORD").is_some() && !missing.is_empty() {
        record(&missing);
        return;
    }
    assert!(missing.is_empty(), "in no old file (RECORD=1 writes one): {missing:?}");
}

/// Writes a file with these operations, and its outputs.
fn record(operations: &[&str]) {
    let random = &mut Random(23);
    let mut graph = Graph::new("operations");
    let (mut applications, mut inputs) = (Vec::new(), Vec::new());
    for (name, _, examples) in Op::table().into_iter().filter(|(name, ..)| operations.contains(name)) {
        let mut seen = Vec::new();
        for (k, sample) in examples.samples.iter().enumerate() {
            // One application for each set of parameters.
            if seen.contains(&&sample.op) {
                continue;
            }
            seen.push(&sample.op);
            let mut operands = Vec::new();
            for (slot, (ty, range)) in sample.operands.iter().enumerate() {
                operands.push(graph.add_input(format!("{name}.{k}.{slot}"), ty.clone()).unwrap());
                inputs.push(random.array(ty, *range));
            }
            applications.push((format!("{name}.{k}"), sample.op.clone(), sample.regions.clone(), operands));
        }
        // An operation without operands, a constant, has answers but no samples.
        if seen.is_empty() {
            for (k, answer) in examples.answers.iter().enumerate().filter(|(_, answer)| answer.operands.is_empty()) {
                applications.push((format!("{name}.{k}"), answer.op.clone(), Vec::new(), Vec::new()));
            }
        }
    }
    for (name, op, regions, operands) in applications {
        let node = graph.add_with_regions(op, &operands, regions.into(), Default::default()).unwrap();
        for result in results_of(&graph, node) {
            graph.add_output(format!("{name}.{}", result.result), result).unwrap();
        }
    }
    let outputs = interpret::run(&graph, &inputs).unwrap();
    let number = (1..).find(|number| !path(&format!("operations_{number}"), "json").exists()).unwrap();
    let name = format!("operations_{number}");
    fs::write(path(&name, "json"), graph.to_json().unwrap()).unwrap();
    let inputs = object(graph.inputs().iter().map(|input| &*input.name), &inputs);
    fs::write(path(&name, "inputs.json"), inputs).unwrap();
    let outputs = object(graph.outputs().iter().map(|output| &*output.name), &outputs);
    fs::write(path(&name, "outputs.json"), outputs).unwrap();
}

/// Checks that two arrays agree up to the changes allowed between versions: elementary functions may become more
/// accurate.
fn same(got: &Array, expected: &Array) -> Result<(), String> {
    assert_eq!(got.ty(), expected.ty());
    let scale = floats(expected).into_iter().filter(|x| x.is_finite()).fold(0.0f64, |scale, x| scale.max(x.abs()));
    let tolerance = scale * 4.0 * if got.dtype().size() == 4 { f64::from(f32::EPSILON) } else { f64::EPSILON };
    for (place, ((x, y), (a, b))) in
        got.elements().zip(expected.elements()).zip(floats(got).into_iter().zip(floats(expected))).enumerate()
    {
        let near = got.dtype().is_float() && (ulps(x, y) <= 4.0 || (a - b).abs() <= tolerance);
        if x.bits() != y.bits() && !near {
            return Err(format!("[{place}] is {x:?}, not {y:?}"));
        }
    }
    Ok(())
}

// Files

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/v1")
}

fn path(name: &str, suffix: &str) -> PathBuf {
    folder().join(format!("{name}.{suffix}"))
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_string()))
        .filter(|name| !name.contains('.'))
        .collect();
    names.sort();
    assert!(names.len() >= 8, "old files are gone: {names:?}");
    names
}

fn read(name: &str, suffix: &str) -> String {
    fs::read_to_string(path(name, suffix)).unwrap_or_else(|error| panic!("{name}.{suffix}: {error}"))
}

fn load(name: &str) -> Document<Op> {
    Document::from_json(&read(name, "json"), &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The arrays of a file, checked to have these names and types.
fn arrays(text: &str, expected: &[(String, Type)]) -> Vec<Array> {
    let json = Json::parse(text).unwrap();
    let fields = json.as_object().unwrap();
    assert_eq!(fields.len(), expected.len());
    let read = |((field, value), (name, ty)): (&(_, Json<'_>), &(String, Type))| {
        assert_eq!(field, name);
        Array::from_json(value, ty).unwrap_or_else(|misfit| panic!("{name}{}: {}", misfit.place, misfit.requirement))
    };
    fields.iter().zip(expected).map(read).collect()
}
