//! Damaged files, as from a bad disk, an editor or an attacker: the reader rejects them or returns a graph that
//! verifies and is saved as it was read; and such a graph goes through derivatives, optimizer, compiler and native code
//! without a panic, with the numbers of the interpreter.

use std::path::{Path, PathBuf};

use retrograd::error::DerivativeError;
use retrograd::ir::Limits;
use retrograd::op::Op;
use retrograd::optimize::optimize;
use retrograd::value::{Array, Type};
use retrograd::{Error, Graph, Program, differentiate, interpret};
use serde_json::{Map, Value};

use crate::case::{Draw, draw};
use crate::choices::{Choices, Random};

/// Limits for damaged files: just enough for every valid document of the corpus.
pub fn limits() -> Limits {
    Limits {
        document_bytes: 1 << 20,
        nodes: 4_000,
        rank: 16,
        elements: 1 << 16,
        total_bytes: 1 << 22,
        region_depth: 12,
    }
}

/// The documents to damage, some of which are already damaged: those of `ir-examples`, `tests/corpus` and
/// `fuzz/corpus/files`.
pub fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["ir-examples", "ir-examples/invalid", "tests/corpus/v1", "fuzz/corpus/files"] {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten();
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.extend(files.filter(|path| path.extension().is_some_and(|end| end == "json")));
    }
    paths.sort();
    let texts = paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).filter(|text| text.len() < 40_000);
    let (sound, unsound): (Vec<String>, Vec<String>) =
        texts.partition(|text| Graph::from_json(text, &limits()).is_ok());
    let some = unsound.into_iter().filter(|text| text.contains("\"graphs\"")).step_by(8);
    sound.into_iter().chain(some).collect()
}

/// A document with one to four random changes.
pub fn damaged(choices: &Choices, corpus: &[String]) -> Vec<u8> {
    let mut text = choices.of(corpus).clone();
    for _ in 0..1 + [0, 0, 1, 3][choices.below(4)] {
        let changed = match choices.below(3) {
            0 => in_text(&text, choices),
            _ => in_structure(&text, choices, corpus).unwrap_or_else(|| in_text(&text, choices)),
        };
        match String::from_utf8(changed) {
            Ok(changed) if !changed.is_empty() => text = changed,
            Ok(changed) => return changed.into_bytes(),
            Err(error) => return error.into_bytes(),
        }
    }
    text.into_bytes()
}

/// Reads a document. An accepted graph must verify, and saving, loading and saving it again must give the same text.
///
/// # Errors
/// What does not hold. A panic is the caller's to catch.
pub fn read(bytes: &[u8]) -> Result<Option<Graph>, String> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
    let Ok(graph) = Graph::from_json(text, &limits()) else { return Ok(None) };
    graph.verify().map_err(|error| format!("what was read does not verify: {error}"))?;
    let dumped = graph.to_json().map_err(|error| format!("what was read cannot be dumped: {error}"))?;
    // The saved text may repeat constants that the file shared, so it may be larger.
    let generous = Limits { document_bytes: 1 << 26, total_bytes: 1 << 26, ..limits() };
    let again = Graph::from_json(&dumped, &generous).map_err(|error| format!("the dump cannot be read: {error}"))?;
    match again.to_json() {
        Ok(again) if again == dumped => Ok(Some(graph)),
        _ => Err("the dump of the dump differs".to_string()),
    }
}

/// Runs a graph through all stages: derivatives, optimizer, native code, and a run that is compared with the
/// interpreter's. Returns whether it was run.
///
/// # Errors
/// What does not hold. A panic is the caller's to catch.
pub fn run(graph: &Graph, seed: u64) -> Result<bool, String> {
    let random = Random::new(seed);
    let mut graphs = vec![graph.clone()];
    graphs.extend(derivative(graph, &random)?);
    let mut ran = false;
    for graph in &graphs {
        graph.verify().map_err(|error| format!("the derivative does not verify: {error}"))?;
        let optimized = optimize(graph).map_err(|error| format!("optimize: {error}"))?;
        optimized.verify().map_err(|error| format!("the optimized graph does not verify: {error}"))?;
        let form = if random.below(2) == 0 { graph } else { &optimized };
        let program = match Program::compile(form) {
            Ok(program) => program.with_loop_memory(1 << 24).with_poisoned_memory(),
            // A damaged name may be that of a function of the host.
            Err(Error::Limit(_) | Error::External(_)) => continue,
            Err(error) => return Err(format!("compile: {error}")),
        };
        if !ends_soon(graph) {
            continue;
        }
        ran = true;
        let ty = |k: usize| graph.ty(graph.inputs()[k].node.into()).clone();
        let inputs: Vec<Array> =
            (0..graph.inputs().len()).map(|k| draw(&random, &ty(k), Draw::Uniform(-2.0, 2.0))).collect();
        match (interpret::run(graph, &inputs), program.call(&inputs)) {
            (Ok(expected), Ok(got)) => {
                if let Some(k) = expected.iter().zip(&got).position(|(x, y)| !x.same_bits(y)) {
                    return Err(format!("output {k}: expected {}, got {}", expected[k], got[k]));
                }
            }
            (Err(expected), Err(got)) if expected == got => {}
            // Of several bad indices any may be met first.
            (Err(Error::Index(_)), Err(Error::Index(_))) => {}
            // They count memory differently, so only one may exceed a limit.
            (_, Err(Error::Limit(_))) | (Err(Error::Limit(_)), _) => {}
            (expected, got) => {
                return Err(format!("expected {:?}, got {:?}", expected.err(), got.err()));
            }
        }
    }
    Ok(ran)
}

/// The most elements computed in a run; more would take too long.
const MAX_WORK: usize = 300_000;

/// Whether a run of the graph is sure to end soon.
pub fn ends_soon(graph: &Graph) -> bool {
    work(graph).is_some_and(|work| work <= MAX_WORK)
}

/// The approximate number of elements that a run computes; `None` if it may not end.
fn work(graph: &Graph) -> Option<usize> {
    let mut sum = 0usize;
    for id in graph.ids() {
        let node = graph.node(id);
        let iterations = match node.op() {
            Some(Op::While(op)) => usize::try_from(op.max_trips?).ok()?,
            Some(Op::Scan(op)) => op.length.unwrap_or(100),
            Some(Op::Revolve(op)) => op.length.checked_mul(op.length.min(100))?,
            _ => 1,
        };
        for region in node.regions() {
            sum = sum.checked_add(work(region)?.checked_mul(iterations)?)?;
        }
        for ty in node.types() {
            sum = sum.checked_add(ty.shape.checked_size()?)?;
        }
        if let Some(Op::DotGeneral(_)) = node.op() {
            let sizes: Option<Vec<usize>> =
                graph.operands(id).iter().map(|&x| graph.ty(x).shape.checked_size()).collect();
            sum = sum.checked_add(sizes?.iter().try_fold(1usize, |n, &size| n.checked_mul(size))?)?;
        }
    }
    Some(sum)
}

/// A derivative of a graph, if it has one.
fn derivative(graph: &Graph, random: &Random) -> Result<Option<Graph>, String> {
    let ty = |k: usize| graph.ty(graph.inputs()[k].node.into());
    let wrt: Vec<usize> = (0..graph.inputs().len()).filter(|&k| ty(k).dtype.is_float()).collect();
    let is_loss = |k: &usize| {
        let ty: &Type = graph.ty(graph.outputs()[*k].value);
        ty.dtype.is_float() && ty.rank() == 0
    };
    let loss = (0..graph.outputs().len()).find(is_loss);
    let n: usize = wrt.iter().map(|&k| ty(k).size()).sum();
    let derived = match (random.below(4), loss) {
        (0, _) => differentiate::jvp(graph, &wrt),
        (1, _) | (_, None) => differentiate::vjp(graph, &wrt),
        (2, Some(loss)) if n <= 8 => differentiate::hessian(graph, loss, &wrt),
        (_, Some(loss)) => differentiate::grad(graph, loss, &wrt),
    };
    match derived {
        Ok(graph) => Ok(Some(graph)),
        Err(Error::Derivative(DerivativeError::NoRule { .. }) | Error::Limit(_)) => Ok(None),
        Err(error) => Err(format!("differentiate: {error}")),
    }
}

/// Damages bytes and lines.
fn in_text(text: &str, choices: &Choices) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    let place = choices.below(bytes.len().min(1 << 16));
    match choices.below(6) {
        0 => bytes[place] ^= 1 << choices.below(8),
        1 => bytes[place] = b"{}[]\",:0123456789-e. ntf"[choices.below(24)],
        2 => bytes.truncate(place),
        3 => drop(bytes.drain(place..(place + 1 + choices.below(20)).min(bytes.len()))),
        4 => {
            let from = choices.below(bytes.len().min(1 << 16));
            let piece = bytes[from..(from + 1 + choices.below(64)).min(bytes.len())].to_vec();
            drop(bytes.splice(place..place, piece));
        }
        _ => {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            let (i, j) = (choices.below(lines.len()), choices.below(lines.len()));
            match choices.below(3) {
                0 => lines.swap(i, j),
                1 => lines.insert(j, lines[i]),
                _ => drop(lines.remove(i)),
            }
            bytes = lines.concat().into_bytes();
        }
    }
    bytes
}

/// Numbers that typically reveal errors of sizes, ranges and signs.
const NUMBERS: [&str; 20] = [
    "0",
    "1",
    "2",
    "3",
    "5",
    "7",
    "13",
    "64",
    "-1",
    "1.5",
    "1e300",
    "65536",
    "1000000000",
    "2147483647",
    "4294967296",
    "1152921504606846976",
    "9223372036854775807",
    "18446744073709551614",
    "18446744073709551615",
    "99999999999999999999",
];

const TYPES: [&str; 14] = [
    "f64[]",
    "f64[3]",
    "f32[3]",
    "i64[]",
    "bool[]",
    "bool[3]",
    "f64[0]",
    "f64[3,3]",
    "f64[1]",
    "stack f64[]",
    "i64[3]",
    "f64[4294967296,4294967296]",
    "f64[65536]",
    "stack f64[3]",
];

/// Damages a document as a tree, so that the syntax stays valid.
fn in_structure(text: &str, choices: &Choices, corpus: &[String]) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    let names: Vec<String> = document.get("graphs")?.as_object()?.keys().cloned().collect();
    let name = names.get(choices.below(names.len()))?;
    let graph = document["graphs"][name].as_object_mut()?;
    let damage = Damage { choices, names: &names, corpus };
    match choices.weighted(&[3, 3, 6, 1, 4, 3, 1, 3, 2, 1]) {
        0 => damage.order(graph)?,
        1 => damage.operation(graph)?,
        2 => damage.operand(graph)?,
        3 => *damage.node(graph)?.get_mut("type")? = (*choices.of(&TYPES)).into(),
        4 => damage.attribute(graph)?,
        5 => damage.output(graph)?,
        6 => {
            let inputs = graph.get_mut("inputs")?.as_array_mut()?;
            let place = choices.below(inputs.len());
            let input = inputs.get_mut(place)?.as_object_mut()?;
            input.insert("type".to_string(), (*choices.of(&TYPES)).into());
        }
        7 => damage.graft(graph)?,
        8 => damage.region(graph)?,
        _ => {
            let id = choices.of(&before(graph, usize::MAX)).0.clone();
            let guard = serde_json::json!([{"value": id, "expect": choices.below(2) == 0}]);
            graph.insert("guards".to_string(), guard);
        }
    }
    if choices.below(4) > 0 {
        repair(&mut document);
    }
    serde_json::to_vec(&document).ok()
}

struct Damage<'d> {
    choices: &'d Choices,
    names: &'d [String],
    corpus: &'d [String],
}

type Entries = Map<String, Value>;

impl Damage<'_> {
    fn node<'g>(&self, graph: &'g mut Entries) -> Option<&'g mut Entries> {
        let nodes = graph.get_mut("nodes")?.as_array_mut()?;
        let place = self.choices.below(nodes.len());
        nodes.get_mut(place)?.as_object_mut()
    }

    fn order(&self, graph: &mut Entries) -> Option<()> {
        let nodes = graph.get_mut("nodes")?.as_array_mut().filter(|nodes| !nodes.is_empty())?;
        let (i, j) = (self.choices.below(nodes.len()), self.choices.below(nodes.len()));
        match self.choices.below(3) {
            0 => nodes.swap(i, j),
            1 => drop(nodes.remove(i)),
            _ => nodes.insert(j, nodes[i].clone()),
        }
        Some(())
    }

    /// Replaces an operation by one with the same number of operands and the same attributes.
    fn operation(&self, graph: &mut Entries) -> Option<()> {
        let node = self.node(graph)?;
        if self.choices.one_in(4) {
            *node.get_mut("op")? = self.choices.of(table()).as_str().into();
            return Some(());
        }
        let theirs: Vec<Entries> = self.others()?.into_iter().filter(|other| form(other) == form(node)).collect();
        let other = theirs.get(self.choices.below(theirs.len()))?;
        for (key, value) in other.iter().filter(|(key, _)| !["id", "in", "type", "at"].contains(&key.as_str())) {
            node.insert(key.clone(), value.clone());
        }
        Some(())
    }

    /// The nodes of another document.
    fn others(&self) -> Option<Vec<Entries>> {
        let other: Value = serde_json::from_str(self.choices.of::<String>(self.corpus)).ok()?;
        let graphs = other.get("graphs")?.as_object()?.values();
        let nodes = graphs.filter_map(|graph| graph.get("nodes")?.as_array()).flatten();
        Some(nodes.filter_map(|node| node.as_object().cloned()).collect())
    }

    /// Replaces an operand, mostly by one of the same type.
    fn operand(&self, graph: &mut Entries) -> Option<()> {
        let n_nodes = graph.get("nodes")?.as_array()?.len();
        let at = self.choices.below(n_nodes);
        let known = before(graph, if self.choices.one_in(8) { usize::MAX } else { at });
        let operands = graph.get_mut("nodes")?.as_array_mut()?.get_mut(at)?.get_mut("in")?.as_array_mut()?;
        let place = self.choices.below(operands.len());
        if self.choices.one_in(5) {
            match self.choices.below(2) {
                0 => operands.insert(place, self.choices.of(&known).0.as_str().into()),
                _ if place < operands.len() => drop(operands.remove(place)),
                _ => return None,
            }
            return Some(());
        }
        let operand = operands.get_mut(place)?;
        let ty = known.iter().find(|(id, _)| operand == id).map(|(_, ty)| ty.clone());
        let alike: Vec<&(String, String)> = known.iter().filter(|(_, other)| Some(other) == ty.as_ref()).collect();
        let chosen = match alike.is_empty() || self.choices.one_in(4) {
            true => self.choices.of(&known),
            false => *self.choices.of(&alike),
        };
        *operand = chosen.0.as_str().into();
        Some(())
    }

    fn attribute(&self, graph: &mut Entries) -> Option<()> {
        let node = self.node(graph)?;
        let own = |key: &&String| !["id", "op", "in", "type", "at", "regions"].contains(&key.as_str());
        let keys: Vec<String> = node.keys().filter(own).cloned().collect();
        let key = keys.get(self.choices.below(keys.len()))?;
        let number: Value = match self.choices.below(2) {
            0 => self.choices.below(4).into(),
            _ => serde_json::from_str(self.choices.of::<&str>(&NUMBERS)).ok()?,
        };
        match (node.get_mut(key)?, self.choices.below(4)) {
            (Value::Array(list), 0) => list.push(number),
            (Value::Array(list), 1) if !list.is_empty() => drop(list.remove(self.choices.below(list.len()))),
            (Value::Array(list), _) if !list.is_empty() => {
                let place = self.choices.below(list.len());
                match &mut list[place] {
                    Value::Array(inner) if !inner.is_empty() => {
                        let place = self.choices.below(inner.len());
                        inner[place] = number;
                    }
                    entry => *entry = number,
                }
            }
            (Value::Bool(value), 0..=2) => *value = !*value,
            (_, 3) => drop(node.remove(key)),
            (value, _) => *value = number,
        }
        Some(())
    }

    fn output(&self, graph: &mut Entries) -> Option<()> {
        let known = before(graph, usize::MAX);
        let outputs = graph.get_mut("outputs")?.as_array_mut()?;
        let (place, value) = (self.choices.below(outputs.len()), self.choices.of(&known).0.as_str());
        match self.choices.below(3) {
            0 if !outputs.is_empty() => drop(outputs.remove(place)),
            1 if !outputs.is_empty() => {
                outputs[place].as_object_mut()?.insert("value".to_string(), value.into());
            }
            _ => outputs.push(serde_json::json!({"name": format!("new{}", outputs.len()), "value": value})),
        }
        Some(())
    }

    /// Inserts a node of another document, applied to values of this one, of the same types if possible.
    fn graft(&self, graph: &mut Entries) -> Option<()> {
        let theirs = self.others()?;
        let mut new = theirs.get(self.choices.below(theirs.len()))?.clone();
        let id = format!("new{}", self.choices.below(1_000));
        new.insert("id".to_string(), id.as_str().into());
        let at = self.choices.below(graph.get("nodes")?.as_array()?.len() + 1);
        let known = before(graph, at);
        for operand in new.get_mut("in")?.as_array_mut()? {
            *operand = self.choices.of(&known).0.as_str().into();
        }
        graph.get_mut("nodes")?.as_array_mut()?.insert(at, new.into());
        let output = serde_json::json!({"name": id, "value": id});
        graph.get_mut("outputs")?.as_array_mut()?.push(output);
        Some(())
    }

    fn region(&self, graph: &mut Entries) -> Option<()> {
        let nodes = graph.get_mut("nodes")?.as_array_mut()?;
        let mut with: Vec<&mut Value> = nodes.iter_mut().filter_map(|node| node.get_mut("regions")).collect();
        let at = self.choices.below(with.len());
        let list = with.get_mut(at)?.as_array_mut().filter(|list| !list.is_empty())?;
        let place = self.choices.below(list.len());
        match self.choices.below(3) {
            0 => drop(list.remove(place)),
            1 => list.push(list[place].clone()),
            _ => list[place] = self.choices.of(self.names).as_str().into(),
        }
        Some(())
    }
}

/// The number of operands and the names of attributes.
fn form(node: &Entries) -> (usize, Vec<&str>) {
    let mut keys: Vec<&str> = node.keys().map(String::as_str).filter(|key| *key != "at").collect();
    keys.sort_unstable();
    (node.get("in").and_then(Value::as_array).map_or(0, Vec::len), keys)
}

/// The ids of inputs and of the results of the first nodes, with their types.
fn before(graph: &Entries, n_nodes: usize) -> Vec<(String, String)> {
    let entries = |list: &str| graph.get(list).and_then(Value::as_array).into_iter().flatten();
    let mut known = Vec::new();
    for entry in entries("inputs").chain(entries("nodes").take(n_nodes)) {
        let Some(id) = entry.get("id").and_then(Value::as_str) else { continue };
        match entry.get("type") {
            Some(Value::Array(types)) => {
                let text = |ty: &Value| ty.as_str().unwrap_or_default().to_string();
                known.extend(types.iter().enumerate().map(|(k, ty)| (format!("{id}.{k}"), text(ty))));
            }
            ty => known.push((id.to_string(), ty.and_then(Value::as_str).unwrap_or_default().to_string())),
        }
    }
    if known.is_empty() {
        known.push(("n0".to_string(), String::new()));
    }
    known
}

/// Updates the recorded types after a change, so that the reader proceeds beyond the first type that differs from the
/// inferred one. The inferred types are taken from the reader's own findings.
fn repair(document: &mut Value) {
    for _ in 0..6 {
        let Ok(text) = serde_json::to_string(document) else { return };
        let Err(Error::Verify(error)) = Graph::from_json(&text, &limits()) else { return };
        let mut repaired = false;
        for line in error.to_string().lines() {
            repaired |= repair_type(document, line).is_some();
        }
        if !repaired {
            return;
        }
    }
}

/// `graph.node: the type is recorded as T, but neg gives U`.
fn repair_type(document: &mut Value, finding: &str) -> Option<()> {
    let (place, message) = finding.split_once(": the type is recorded as ")?;
    let (_, ty) = message.split_once(" gives ")?;
    let (graph, node) = place.split_once('.')?;
    let nodes = document.get_mut("graphs")?.get_mut(graph)?.get_mut("nodes")?.as_array_mut()?;
    let node = nodes.iter_mut().find(|other| other.get("id").and_then(Value::as_str) == Some(node))?;
    let types: Value = match ty.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        Some(list) => list.split(", ").map(Value::from).collect::<Vec<Value>>().into(),
        None => ty.into(),
    };
    node.as_object_mut()?.insert("type".to_string(), types);
    Some(())
}

fn table() -> &'static [String] {
    static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    NAMES.get_or_init(|| Op::table().into_iter().map(|(name, ..)| name.to_string()).collect())
}
