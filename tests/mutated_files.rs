//! Files that were damaged at random: none makes the reader panic, and what is accepted verifies, can be dumped and runs.

pub mod common;

use common::{Random, graph_with};
use retrograd::error::{DerivativeError, SourceLine};
use retrograd::ir::{Guard, Limits, Operation, Provenance, Role, Value};
use retrograd::op::{Add, Lt, Mul, Op};
use retrograd::value::{Array, DType, Type};
use retrograd::{Error, Graph, Loop, Program, Var, cond, differentiate, interpret, optimize, scan, trace};

/// How many damaged files are read.
const N_MUTATIONS: usize = 10_000;

/// Sound documents: one for each operation, and one with everything that a file may hold.
fn documents() -> Vec<String> {
    let mut documents: Vec<String> = Op::table()
        .into_iter()
        .filter_map(|(_, _, examples)| {
            let sample = examples.samples.first()?;
            let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
            Some(graph_with(&sample.op, &sample.regions, &types).to_json().unwrap())
        })
        .collect();
    documents.push(everything().to_json().unwrap());
    // Regions in regions, stacks, and regions that stand in several places.
    let loops = loops();
    let gradient = optimize::optimize(&differentiate::grad(&loops, 0, &[0]).unwrap()).unwrap();
    documents.extend([&loops, &gradient, &loops, &gradient].map(|graph| graph.to_json().unwrap()));
    documents
}

fn loops() -> Graph {
    let f = |x: Var, rows: Var| {
        let body = |sum: Var, row: Var| {
            let grown = |y: Var| cond(y.greater(row), || y * x + 1.0, || y + row * row + 1.0);
            let limited = Loop::new().max_trips(20);
            (limited.while_loop(sum * 0.1, |y| y.less(3.0), grown), sum)
        };
        let (last, all) = scan(x, rows, body);
        last * all.sum()
    };
    trace(f, (DType::F64, Type::new(DType::F64, [3]))).unwrap()
}

/// Whether all loops of a graph end soon.
fn ends_soon(graph: &Graph) -> bool {
    graph.ids().all(|id| {
        let node = graph.node(id);
        let is_short = match node.op() {
            Some(Op::While(op)) => op.max_trips.is_some_and(|limit| limit <= 100),
            Some(Op::Scan(op)) => op.length.is_none_or(|length| length <= 100),
            Some(Op::Revolve(op)) => op.length <= 100,
            _ => true,
        };
        is_short && node.regions().iter().all(|region| ends_soon(region))
    })
}

fn everything() -> Graph {
    let mut graph = Graph::new("loss");
    let x = graph.add_input("x", Type::new(DType::F32, [100])).unwrap();
    let t = graph.add_input("params.0", Type::scalar(DType::I64)).unwrap();
    let at = Some(SourceLine::Recorded("src/main.rs:3:5".into()));
    let provenance = |role| Provenance { at: at.clone(), name: Some("a name".into()), role };
    let table = Array::from_elements([100], (0..100).map(|k| k as f32).collect()).unwrap();
    let a: Value = graph.add(Op::from_constant(table), &[], provenance(None)).unwrap().into();
    let b = Array::from_elements([2], vec![f64::NAN, -0.0]).unwrap();
    let b: Value = graph.add(Op::from_constant(b), &[], Provenance::default()).unwrap().into();
    let y: Value = graph.add(Mul.into(), &[x, a], provenance(Some(Role::Tangent(x)))).unwrap().into();
    let z: Value = graph.add(Add.into(), &[y, y], provenance(Some(Role::Cotangent(y)))).unwrap().into();
    let condition: Value = graph.add(Lt.into(), &[t, t], Provenance::default()).unwrap().into();
    graph.add_guard(Guard { value: condition, expect: true, at: at.clone() }).unwrap();
    graph.add_output("z", z).unwrap();
    graph.add_output("b", b).unwrap();
    graph
}

/// What a text editor, a bad disk or an attacker may do to a file.
fn mutate(text: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    match random.below(9) {
        0 => {
            let place = random.below(bytes.len());
            bytes[place] ^= 1 << random.below(8);
        }
        1 => {
            let place = random.below(bytes.len());
            bytes[place] = b"{}[]\",:0123456789-e. ntf"[random.below(24)];
        }
        2 => bytes.truncate(random.below(text.len())),
        3 => {
            let start = random.below(bytes.len());
            let end = (start + 1 + random.below(20)).min(bytes.len());
            bytes.drain(start..end);
        }
        4 => bytes = edited(&lines, random, |lines, i, j| lines.swap(i, j)),
        5 => bytes = edited(&lines, random, |lines, i, j| lines.insert(j, lines[i])),
        6 => bytes = edited(&lines, random, |lines, i, _| _ = lines.remove(i)),
        7 => bytes = replace_token(text, random, |c| c.is_ascii_digit(), &NUMBERS),
        _ => bytes = replace_token(text, random, |c| c.is_ascii_alphanumeric() || c == '_', &WORDS),
    }
    bytes
}

fn edited(lines: &[&str], random: &mut Random, edit: impl FnOnce(&mut Vec<&str>, usize, usize)) -> Vec<u8> {
    let mut lines = lines.to_vec();
    let (i, j) = (random.below(lines.len()), random.below(lines.len()));
    edit(&mut lines, i, j);
    lines.concat().into_bytes()
}

/// Numbers at which sizes, ranges and signs go wrong.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "64",
    "-1",
    "1.5",
    "1e300",
    "1000000000",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "99999999999999999999",
];

/// Words of the format in places where others are due.
const WORDS: [&str; 18] = [
    "x0",
    "n0",
    "n1",
    "f32",
    "i64",
    "bool",
    "add",
    "constant",
    "reduce_sum",
    "axes",
    "regions",
    "null",
    "body",
    "condition",
    "scan",
    "while",
    "stack f64[]",
    "true",
];

/// Replaces one run of such characters.
fn replace_token(text: &str, random: &mut Random, of: impl Fn(char) -> bool, by: &[&str]) -> Vec<u8> {
    let starts: Vec<usize> = text
        .char_indices()
        .filter(|&(place, c)| of(c) && !text[..place].chars().next_back().is_some_and(&of))
        .map(|(place, _)| place)
        .collect();
    if starts.is_empty() {
        return text.into();
    }
    let start = starts[random.below(starts.len())];
    let end = text[start..].find(|c| !of(c)).map_or(text.len(), |length| start + length);
    [&text[..start], by[random.below(by.len())], &text[end..]].concat().into_bytes()
}

/// What is accepted can be differentiated, optimized and run, both ways with the same bits; or compiled, if it is large.
fn run(seed: u64, graph: &Graph) {
    let n_elements: usize = graph.ids().flat_map(|id| graph.node(id).types()).map(Type::size).sum();
    if n_elements > 10_000 || !ends_soon(graph) {
        // It may take long to run, but it is compiled, or asks for more than any machine has.
        let outcome = Program::compile(graph);
        assert!(matches!(outcome, Ok(_) | Err(Error::Limit(_))), "seed {seed}: {:?}\n{graph}", outcome.err());
        return;
    }
    let mut random = Random(seed);
    let types: Vec<&Type> = graph.inputs().iter().map(|input| graph.ty(input.node.into())).collect();
    let inputs: Vec<Array> = types.iter().map(|ty| random.array(ty, (-2.0, 2.0))).collect();
    let floats: Vec<usize> = (0..types.len()).filter(|&position| types[position].dtype.is_float()).collect();
    let tangents = match differentiate::jvp(graph, &floats) {
        Ok(tangents) => tangents,
        // Some operations have no derivative by some operands, and say so.
        Err(Error::Derivative(DerivativeError::NoRule { .. })) => graph.clone(),
        Err(error) => panic!("seed {seed}: {error}\n{graph}"),
    };
    let optimized = optimize::optimize(&tangents).unwrap();
    optimized.verify().unwrap_or_else(|error| panic!("seed {seed}: {error}\n{optimized}"));

    let expected = interpret::run(graph, &inputs);
    let got = Program::compile(&optimize::optimize(graph).unwrap()).unwrap().call(&inputs);
    match (expected, got) {
        (Ok(expected), Ok(got)) => {
            let same = expected.iter().zip(&got).all(|(x, y)| x.same_bits(y));
            assert!(same, "seed {seed}\ninterpreted {expected:?}\nnative {got:?}\n{graph}");
        }
        // A guard does not hold, or a loop goes on for too long, for both.
        (expected, got) => assert_eq!(expected.err(), got.err(), "seed {seed}\n{graph}"),
    }
}

#[test]
fn damaged_files_are_read_or_refused() {
    let documents = documents();
    let limits = Limits { elements: 1 << 20, ..Limits::default() };
    let mut n_accepted = 0;
    for seed in 0..N_MUTATIONS as u64 {
        let mut random = Random(seed);
        let mut bytes = mutate(&documents[random.below(documents.len())], &mut random);
        // One time in four the damage is twofold.
        if random.below(4) == 0
            && let Ok(text) = str::from_utf8(&bytes)
            && !text.is_empty()
        {
            bytes = mutate(text, &mut random);
        }
        let Ok(text) = str::from_utf8(&bytes) else { continue };
        let outcome = std::panic::catch_unwind(|| Graph::from_json(text, &limits));
        let Ok(outcome) = outcome else { panic!("seed {seed} makes the reader panic:\n{text}") };
        let Ok(graph) = outcome else { continue };
        n_accepted += 1;
        graph.verify().unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let dumped = graph.to_json().unwrap();
        let again = Graph::from_json(&dumped, &limits).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{dumped}"));
        assert_eq!(again.to_json().unwrap(), dumped, "seed {seed}");
        run(seed, &graph);
    }
    // Much damage is harmless, as a renamed output; but if nearly all were, the checks would not have been reached.
    assert!((N_MUTATIONS / 50..N_MUTATIONS / 2).contains(&n_accepted), "{n_accepted} of {N_MUTATIONS} were accepted");
}
