//! The file format: files read back byte for byte and bit for bit; limits hold; files are written atomically.

pub mod common;

use std::fs;
use std::sync::Arc;

use common::graph_with;
use retrograd::error::{LimitError, SourceLine, VerifyError};
use retrograd::ir::{Guard, Limits, Operation, Provenance, Role, Value, results_of};
use retrograd::op::{Add, Checkpoint, Constant, Graph, Lt, Mul, Neg, Op, Scan, While};
use retrograd::optimize::optimize;
use retrograd::value::{Array, DType, Type};
use retrograd::{Error, Program, Var, cond, differentiate, interpret, scan, trace, while_loop};

type Document = retrograd::ir::Document<Op>;

fn from_json(text: &str) -> Result<Graph, Error> {
    Graph::from_json(text, &Limits::default())
}

/// Saves, loads, and saves again; returns the text and the loaded graph.
fn round_trip(graph: &Graph) -> (String, Graph) {
    let text = graph.to_json().unwrap();
    let loaded = from_json(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(loaded.to_json().unwrap(), text);
    assert_eq!(loaded.to_string(), graph.to_string());
    (text, loaded)
}

fn at(line: &str) -> Provenance {
    Provenance { at: Some(SourceLine::Recorded(line.into())), name: None, role: None }
}

/// A graph with a constant, a guard, a name, a role and source lines.
fn example() -> Graph {
    let mut graph = Graph::new("loss");
    let x = graph.add_input("x", Type::new(DType::F64, [3])).unwrap();
    let t = graph.add_input("t", Type::scalar(DType::F64)).unwrap();
    let c = graph.add(
        Op::from_constant(Array::from_elements([3], vec![1.0, -0.0, f64::INFINITY]).unwrap()),
        &[],
        at("src/main.rs:3:5"),
    );
    let c: Value = c.unwrap().into();
    let y: Value = graph.add(Mul.into(), &[x, c], at("src/main.rs:4:9")).unwrap().into();
    graph.set_node_name(y.node, "scaled \"x\"\n");
    let role = Provenance { role: Some(Role::Cotangent(y)), ..Provenance::default() };
    let ct: Value = graph.add(Neg.into(), &[y], role).unwrap().into();
    let condition: Value = graph.add(Lt.into(), &[t, t], Provenance::default()).unwrap().into();
    let at = Some(SourceLine::Recorded("src/main.rs:9:11".into()));
    graph.add_guard(Guard { value: condition, expect: false, at }).unwrap();
    graph.add_output("loss", y).unwrap();
    graph.add_output("ct", ct).unwrap();
    graph
}

#[test]
fn the_text_is_canonical() {
    let (text, _) = round_trip(&example());
    let expected = r#"{
 "format": "retrograd", "version": 1, "producer": "retrograd 0.1.0", "entry": "loss",
 "graphs": {
  "loss": {
   "inputs": [
    {"id": "x", "type": "f64[3]"},
    {"id": "t", "type": "f64[]"}
   ],
   "nodes": [
    {"id": "n0", "op": "constant", "in": [], "type": "f64[3]", "value": [1.0, -0.0, "inf"], "at": "src/main.rs:3:5"},
    {"id": "n1", "op": "mul", "in": ["x", "n0"], "type": "f64[3]", "name": "scaled \"x\"\n", "at": "src/main.rs:4:9"},
    {"id": "n2", "op": "neg", "in": ["n1"], "type": "f64[3]", "cotangent_of": "n1"},
    {"id": "n3", "op": "lt", "in": ["t", "t"], "type": "bool[]"}
   ],
   "guards": [
    {"value": "n3", "expect": false, "at": "src/main.rs:9:11"}
   ],
   "outputs": [
    {"name": "loss", "value": "n1"},
    {"name": "ct", "value": "n2"}
   ]
  }
 }
}
"#;
    assert_eq!(text, expected.replace("0.1.0", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_operation_survives() {
    for (name, _, examples) in Op::table() {
        let answers = examples
            .answers
            .iter()
            .map(|x| (&x.op, &x.regions, x.operands.iter().map(Array::ty).collect::<Vec<Type>>()));
        let samples = examples
            .samples
            .iter()
            .map(|x| (&x.op, &x.regions, x.operands.iter().map(|(ty, _)| ty.clone()).collect::<Vec<Type>>()));
        for (op, regions, types) in answers.chain(samples) {
            let graph = graph_with(op, regions, &types);
            let (text, loaded) = round_trip(&graph);
            let id = loaded.ids().nth(types.len()).unwrap();
            assert_eq!(loaded.node(id).op(), Some(op), "{name}: {text}");
        }
    }
}

/// The common keys of nodes cannot be parameters of an operation.
#[test]
fn parameters_do_not_use_common_keys() {
    let reserved = ["id", "op", "in", "type", "value", "regions", "name", "cotangent_of", "tangent_of", "at", "meta"];
    for (name, _, examples) in Op::table() {
        let ops =
            examples.answers.iter().map(|answer| &answer.op).chain(examples.samples.iter().map(|sample| &sample.op));
        for op in ops {
            let taken = op.attributes().keys().find(|key| reserved.contains(&key.as_str())).cloned();
            assert_eq!(taken, None, "{name}");
            let mut attributes = op.attributes();
            attributes.insert("surplus".into(), 1.into());
            assert!(Op::from_attributes(name, attributes).is_err(), "{name} ignores unknown parameters");
        }
    }
}

#[test]
fn large_constants_are_in_a_table_and_are_shared() {
    let values: [Array; 5] = [
        Array::from_elements([100], (0..100).map(|k| f64::from(k) / 7.0).collect()).unwrap(),
        Array::from_elements([5, 20], (0..100).map(|k| (k as f32) / 7.0).collect()).unwrap(),
        Array::from_elements([100], (0..100).map(|k| i64::MAX - k).collect()).unwrap(),
        Array::from_elements([2, 50], (0..100).map(|k| k % 3 == 0).collect()).unwrap(),
        Array::from_elements::<f64>([1000, 0], vec![]).unwrap(),
    ];
    for value in values {
        let mut graph = Graph::new("main");
        let constant = Constant { value: Arc::new(value.clone()) };
        for name in ["a", "b"] {
            let node = graph.add(constant.clone().into(), &[], Provenance::default()).unwrap();
            graph.add_output(name, node.into()).unwrap();
        }
        let (text, loaded) = round_trip(&graph);
        assert_eq!(text.matches("base64").count(), 1, "{text}");
        for output in loaded.outputs() {
            assert_eq!(loaded.node(output.value.node).op().and_then(Operation::constant), Some(&value));
        }
    }
}

#[test]
fn inputs_may_be_called_like_nodes() {
    let mut graph = Graph::new("main");
    let x = graph.add_input("n0", Type::scalar(DType::F64)).unwrap();
    let y = graph.add_input("nnn7.1", Type::scalar(DType::F64)).unwrap();
    let z = graph.add(Add.into(), &[x, y], Provenance::default()).unwrap();
    graph.add_output("ü\u{7f}\\", z.into()).unwrap();
    let (text, _) = round_trip(&graph);
    assert!(text.contains(r#"{"id": "nn0", "op": "add", "in": ["n0", "nnn7.1"], "type": "f64[]"}"#), "{text}");
}

#[test]
fn meta_is_kept() {
    let text = example().to_json().unwrap();
    let text = text
        .replace(concat!("retrograd ", env!("CARGO_PKG_VERSION")), "another 7")
        .replace("\"type\": \"bool[]\"}", "\"type\": \"bool[]\", \"meta\": [null, 1.5]}")
        .replace(
            "   ]\n  }\n }\n}",
            "   ],\n   \"meta\": \"of the graph\"\n  }\n },\n \"meta\": {\"of\": {\"the\": \"document\"}}\n}",
        );
    assert!(text.contains("another 7") && text.contains("null") && text.contains("of the graph"), "{text}");
    let document = Document::from_json(&text, &Limits::default()).unwrap();
    assert_eq!(document.producer(), "another 7");
    assert_eq!(document.to_json().unwrap(), text);
    assert_eq!(document.into_graph().to_json().unwrap(), example().to_json().unwrap());
}

#[test]
fn handwritten_ids_and_layout_are_read() {
    let text = r#"{"graphs": {"f": {"outputs": [{"value": "twice", "name": "y"}], "inputs": [{"type": "i64[]", "id": "x"}],
        "nodes": [{"in": ["x", "x"], "id": "twice", "op": "add", "type": ["i64[]"]}]}},
        "entry": "f", "producer": "a hand", "version": 1, "format": "retrograd"}"#;
    let graph = from_json(text).unwrap();
    assert_eq!(graph.to_string(), "f(%x: i64[]) {\n  %0: i64[] = add %x %x\n  return y: i64[] = %0\n}\n");
    round_trip(&graph);
}

#[test]
fn small_files_cannot_require_large_resources() {
    let check = |types: [&str; 2], node: &str, what: &str| {
        let text = format!(
            r#"{{"format": "retrograd", "version": 1, "producer": "", "entry": "f", "graphs": {{"f": {{
            "inputs": [{{"id": "x", "type": "{}"}}], "nodes": [{{"id": "n0", "type": "{}", {node}}}], "outputs": []}}}}}}"#,
            types[0], types[1]
        );
        match from_json(&text) {
            Err(Error::Limit(LimitError { what: got, .. })) => assert_eq!(got, what, "{text}"),
            other => panic!("{other:?}\n{text}"),
        }
    };
    let neg = r#""op": "neg", "in": ["x"]"#;
    check(["f64[1000000000,1000000000]", "f64[]"], neg, "elements of a value");
    check(["f64[18446744073709551615,2]", "f64[]"], neg, "elements of a value");
    check(["f64[0,1000000000]", "f64[]"], neg, "elements of a value");
    check(["f64[]", "f64[1000000000,1000000000]"], neg, "elements of a value");
    let broadcast = r#""op": "broadcast_in_dim", "in": ["x"], "shape": [1000000000, 1000000000], "axes": []"#;
    check(["f64[]", "f64[2]"], broadcast, "elements of a value");
    check(["f64[]", &format!("f64[{}1]", "1,".repeat(256))], neg, "axes of a value");
}

/// A chain of graphs, each with one or two `checkpoint`s of the next graph; the last one is `neg`.
fn nested(depth: usize, n_uses: usize) -> String {
    let graph = |k: usize| {
        let regions = if k < depth { format!(r#""checkpoint", "regions": ["g{}"]"#, k + 1) } else { r#""neg""#.into() };
        let operand = |position: usize| if position == 0 { "x".to_string() } else { format!("n{}", position - 1) };
        let node = |position: usize| {
            let operand = operand(position);
            format!(r#"{{"id": "n{position}", "in": ["{operand}"], "type": "f64[]", "op": {regions}}}"#)
        };
        let nodes: Vec<String> = (0..n_uses).map(node).collect();
        format!(
            r#""g{k}": {{"inputs": [{{"id": "x", "type": "f64[]"}}], "nodes": [{}],
            "outputs": [{{"name": "y", "value": "{}"}}]}}"#,
            nodes.join(", "),
            operand(n_uses)
        )
    };
    let graphs: Vec<String> = (0..=depth).map(graph).collect();
    let graphs = graphs.join(",\n");
    format!(r#"{{"format": "retrograd", "version": 1, "producer": "", "entry": "g0", "graphs": {{{graphs}}}}}"#)
}

#[test]
fn regions_are_nested_up_to_a_limit() {
    let deep = from_json(&nested(128, 1)).unwrap();
    assert_eq!(interpret::run(&deep, &[Array::scalar(2.0)]).unwrap(), [Array::scalar(-2.0)]);
    round_trip(&deep);
    assert!(matches!(from_json(&nested(129, 1)), Err(Error::Limit(LimitError { what: "nested regions", .. }))));
    assert!(matches!(from_json(&nested(10_000, 1)), Err(Error::Limit(LimitError { what: "nested regions", .. }))));
}

/// A region with several uses is written once, and is shared again after it is read.
#[test]
fn regions_are_shared() {
    let graph = from_json(&nested(3, 2)).unwrap();
    let (text, loaded) = round_trip(&graph);
    assert_eq!(text.matches("\"inputs\": [").count(), 4, "{text}");
    let mut current = &loaded;
    for _ in 0..3 {
        let regions: Vec<_> = current.ids().flat_map(|id| current.node(id).regions()).collect();
        assert!(regions.len() == 2 && Arc::ptr_eq(regions[0], regions[1]));
        current = regions[0];
    }
    // The sign is changed 2⁴ times.
    assert_eq!(interpret::run(&loaded, &[Array::scalar(2.0)]).unwrap(), [Array::scalar(2.0)]);
    // The limit counts each use of a region, as evaluation visits it.
    let limits = Limits { nodes: 40, ..Limits::default() };
    match Graph::from_json(&text, &limits) {
        Err(Error::Limit(LimitError { what: "nodes of a document, as often as its regions are used", .. })) => {}
        other => panic!("{other:?}"),
    }
}

/// No source lines are left, neither in the graph nor in its regions.
#[test]
fn source_lines_are_stripped() {
    let f = |x: Var| while_loop(x, |y| y.less(4.0), |y| cond(y.greater(x), || y * y + 0.5, || y + x));
    let mut graph = differentiate::grad(&trace(f, (DType::F64,)).unwrap(), 0, &[0]).unwrap();
    assert!(graph.to_json().unwrap().contains("\"at\""));
    graph.strip_source_lines();
    let text = graph.to_json().unwrap();
    assert!(!text.contains("\"at\"") && !text.contains(".rs"), "{text}");

    let mut shared = from_json(&nested(3, 2)).unwrap();
    let text = shared.to_json().unwrap();
    shared.strip_source_lines();
    assert_eq!(shared.to_json().unwrap(), text);
}

/// A loop, its gradient and the gradient of that are unchanged by saving and loading, before and after optimization,
/// and so are graphs with different regions of the same name.
#[test]
fn loops_and_their_derivatives_survive() {
    let f = |x: Var, rows: Var| {
        let inner = |y: Var| while_loop(y, |y| y.less(4.0), |y| cond(y.greater(x), || y * y + 0.5, || y + x));
        let (last, all) = scan(x, rows, |sum, row| (inner(sum * 0.1) + row, sum));
        last * all.sum()
    };
    let graph = trace(f, (DType::F64, Type::new(DType::F64, [3]))).unwrap();
    let first = differentiate::grad(&graph, 0, &[0]).unwrap();
    let second = differentiate::grad(&first, 1, &[0]).unwrap();
    let tangents = differentiate::jvp(&first, &[0, 1]).unwrap();
    for graph in [graph, first, second, tangents] {
        let optimized = optimize(&graph).unwrap();
        for graph in [graph, optimized] {
            // The listing may differ: in a file, regions of the same name get numbers.
            let text = graph.to_json().unwrap();
            let loaded = from_json(&text).unwrap();
            assert_eq!(loaded.to_json().unwrap(), text);
            let mut inputs = vec![Array::scalar(1.25), Array::from_elements([3], vec![0.5, -1.0, 2.0]).unwrap()];
            inputs.extend(graph.inputs()[2..].iter().map(|input| Array::zeros(graph.ty(input.node.into()))));
            let expected = interpret::run(&graph, &inputs).unwrap();
            assert_eq!(interpret::run(&loaded, &inputs).unwrap(), expected);
            assert_eq!(Program::compile(&loaded).unwrap().call(&inputs).unwrap(), expected);
        }
    }
}

#[test]
fn limits_can_be_set() {
    let text = example().to_json().unwrap();
    let check = |limits: Limits, what: &str| match Graph::from_json(&text, &limits) {
        Err(Error::Limit(LimitError { what: got, .. })) => assert_eq!(got, what),
        other => panic!("{other:?}"),
    };
    check(Limits { document_bytes: 100, ..Limits::default() }, "bytes of a document");
    check(Limits { nodes: 5, ..Limits::default() }, "nodes of a document");
    check(Limits { elements: 2, ..Limits::default() }, "elements of a value");
    check(Limits { rank: 0, ..Limits::default() }, "axes of a value");
    check(Limits { total_bytes: 100, ..Limits::default() }, "bytes of all values");
    Graph::from_json(&text, &Limits { nodes: 6, rank: 1, elements: 3, total_bytes: 105, ..Limits::default() }).unwrap();
}

#[test]
fn files_are_written_atomically() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.json");
    let graph = example();
    graph.save(&path).unwrap();
    assert_eq!(Graph::load(&path).unwrap().to_json().unwrap(), fs::read_to_string(&path).unwrap());

    let mut unsound = graph.clone();
    unsound.add_output("loss", graph.outputs()[0].value).unwrap();
    assert!(matches!(unsound.save(&path), Err(Error::Verify(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), graph.to_json().unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let nowhere = folder.path().join("nowhere").join("loss.json");
    let Err(Error::Io(error)) = graph.save(&nowhere) else { panic!("saved to a folder that is not there") };
    assert_eq!((error.path, error.action), (nowhere.display().to_string(), "write"));
    assert!(matches!(graph.save(folder.path()), Err(Error::Io(_))));
    assert!(matches!(Graph::load(&nowhere), Err(Error::Io(_))));
    fs::write(&path, [b'{', 0xff]).unwrap();
    assert!(matches!(Graph::load(&path), Err(Error::Io(_))));
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("a.json"), folder.path().join("b.json"));
    example().save(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&path, &link).unwrap();
    example().save(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    example().save("/dev/null").unwrap();
    // Links to what is not there yet, and in a circle.
    let (new, second) = (folder.path().join("c.json"), folder.path().join("d.json"));
    symlink("c.json", &second).unwrap();
    symlink("d.json", folder.path().join("e.json")).unwrap();
    example().save(folder.path().join("e.json")).unwrap();
    assert!(fs::symlink_metadata(&second).unwrap().is_symlink() && fs::symlink_metadata(&new).unwrap().is_file());
    symlink("circle", folder.path().join("circle")).unwrap();
    assert!(matches!(example().save(folder.path().join("circle")), Err(Error::Io(_))));
}

#[test]
fn graphs_in_memory_are_verified() {
    let mut graph = example();
    let y = graph.outputs()[0].value;
    graph.add_output("loss", y).unwrap();
    let VerifyError { findings, .. } = graph.verify().unwrap_err();
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings, ["loss.outputs[2]: the name \"loss\" is given twice"]);
}

/// Invalid graphs cannot be built, so nothing has to be verified before compilation.
#[test]
fn invalid_nodes_are_not_added() {
    let mut graph = example();
    let y = graph.outputs()[0].value;
    let missing = Value { result: 7, ..y };
    let larger = chain(100);
    let foreign = larger.outputs()[0].value;
    let guard = |value| Guard { value, expect: true, at: None };
    let roles = |role| Provenance { role: Some(role), ..Provenance::default() };
    let guarded = Arc::new(example());
    let errors = [
        graph.add_output("", y).unwrap_err(),
        graph.add_output("missing", missing).unwrap_err(),
        graph.add_output("foreign", foreign).unwrap_err(),
        graph.add_guard(guard(y)).unwrap_err(),
        graph.add_guard(guard(missing)).unwrap_err(),
        graph.add_guard(guard(foreign)).unwrap_err(),
        graph.add(Neg.into(), &[missing], Provenance::default()).unwrap_err(),
        graph.add(Neg.into(), &[y], roles(Role::Cotangent(foreign))).unwrap_err(),
        graph.add_with_regions(Checkpoint.into(), &[y], [guarded].into(), Provenance::default()).unwrap_err(),
        graph.inline(&larger, &[foreign]).unwrap_err(),
        graph.inline(&larger, &[]).unwrap_err(),
    ];
    assert_eq!(
        errors.map(|error| error.to_string()),
        [
            "loss.outputs[2]: the name is empty",
            "loss.outputs[2]: refers to a value that does not exist",
            "loss.outputs[2]: refers to a value that does not exist",
            "loss.guards[1]: a guard takes a value of bool[], but got f64[3]",
            "loss.guards[1]: refers to a value that does not exist",
            "loss.guards[1]: refers to a value that does not exist",
            "neg: operand 0 is not a value of this graph",
            "neg: the role refers to a value that no earlier node has",
            "checkpoint: a region cannot have guards",
            "x: takes a value of graph \"loss\", but got one of another",
            "chain: takes 1 arguments, but got 0",
        ]
    );
    assert_eq!(graph.to_json().unwrap(), example().to_json().unwrap());
}

/// `save` rejects what `load` would, with the same error.
#[test]
fn graphs_nested_too_deep_are_not_loaded() {
    let load = |depth: usize, region_depth: usize| {
        Graph::from_json(&nested(depth, 1), &Limits { region_depth, ..Limits::default() })
    };
    assert_eq!(load(65, 64).unwrap_err().to_string(), "g64.n0: limit of 64 nested regions exceeded");
    assert_eq!(load(128, 128).unwrap().depth(), 128);
    assert_eq!(from_json(&nested(129, 1)).unwrap_err().to_string(), "g128.n0: limit of 128 nested regions exceeded");
    // Even with higher limits, the depth of recursion is bounded.
    assert_eq!(load(1_000, 1_000).unwrap_err().to_string(), "g128.n0: limit of 128 nested regions exceeded");

    // The depth of a region is that of its deepest use, even if it is first read at a shallower one.
    let shallow = nested(128, 1).replace(
        "\"graphs\": {",
        "\"graphs\": {\"f\": {\"inputs\": [{\"id\": \"x\", \"type\": \"f64[]\"}], \"outputs\": [{\"name\": \"y\", \"value\": \"n1\"}], \"nodes\": [
            {\"id\": \"n0\", \"op\": \"checkpoint\", \"in\": [\"x\"], \"type\": \"f64[]\", \"regions\": [\"g1\"]},
            {\"id\": \"n1\", \"op\": \"checkpoint\", \"in\": [\"n0\"], \"type\": \"f64[]\", \"regions\": [\"g0\"]}]},",
    );
    let text = shallow.replace("\"entry\": \"g0\"", "\"entry\": \"f\"");
    assert_eq!(from_json(&text).unwrap_err().to_string(), "g0.n0: limit of 128 nested regions exceeded");
}

/// Only loops make and use stacks.
#[test]
fn stacks_stay_between_loops() {
    let f = |x: Var| while_loop(x, |y| y.less(4.0), |y| y * y + x);
    let mut graph = differentiate::grad(&trace(f, (DType::F64,)).unwrap(), 0, &[0]).unwrap();
    let is_stack = |&x: &Value| graph.ty(x).stack;
    let stack = graph.ids().flat_map(|id| results_of(&graph, id)).find(is_stack).unwrap();
    let error = graph.add(Neg.into(), &[stack], Provenance::default()).unwrap_err().to_string();
    assert!(error.starts_with("neg: takes arrays, but got stack f64[]"), "{error}");
    let error = graph.add_output("saved", stack).unwrap_err().to_string();
    assert_eq!(error, "main.outputs[2]: an output must be an array, but got stack f64[]");

    let saved = Graph::new("f").add_input("saved", Type::scalar(DType::F64).stacked()).unwrap_err();
    assert_eq!(saved.to_string(), "saved: an input must be an array, but got stack f64[]");
}

/// Each loop runs along the stacks of the previous loop and of the first one.
#[test]
fn long_chains_of_loops_load() {
    const N: usize = 20_000;
    let value = Type::scalar(DType::F64);
    let region = |name: &str, inputs: &[Type], outputs: &[usize]| {
        let mut region = Graph::new(name);
        let inputs: Vec<Value> =
            (0..inputs.len()).map(|k| region.add_input(format!("x{k}"), inputs[k].clone()).unwrap()).collect();
        outputs.iter().enumerate().for_each(|(k, &input)| region.add_output(format!("y{k}"), inputs[input]).unwrap());
        Arc::new(region)
    };
    let flag = Type::scalar(DType::Bool);
    let regions = [
        region("condition", &[flag.clone(), value.clone()], &[0]),
        region("body", &[flag.clone(), value.clone()], &[0, 1]),
    ];
    let along = region("along", &[Type::scalar(DType::I64), value.clone(), value.clone()], &[1]);
    let mut graph = Graph::new("f");
    let inputs = [graph.add_input("more", flag).unwrap(), graph.add_input("x", value).unwrap()];
    let made = graph.add_with_regions(
        While { carry: 1, max_trips: Some(7) }.into(),
        &inputs,
        regions.into(),
        Default::default(),
    );
    let first = Value { node: made.unwrap(), result: 1 };
    let mut last = first;
    for _ in 0..N {
        let op = Scan { carry: 0, xs: 2, length: None, reverse: false, checkpoint: None };
        let node = graph.add_with_regions(op.into(), &[last, first], [along.clone()].into(), Default::default());
        last = node.unwrap().into();
    }
    let text = graph.to_json().unwrap();
    assert_eq!(from_json(&text).unwrap().to_json().unwrap(), text);
}

/// A chain of scalar operations, as from a traced plain loop.
fn chain(n: usize) -> Graph {
    let mut graph = Graph::new("chain");
    let x = graph.add_input("x", Type::scalar(DType::F64)).unwrap();
    let (mut y, mut z) = (x, x);
    for k in 0..n {
        let op: Op = if k % 2 == 0 { Mul.into() } else { Add.into() };
        (z, y) = (y, graph.add(op, &[y, z], at("src/main.rs:12:18")).unwrap().into());
    }
    graph.add_output("y", y).unwrap();
    graph
}

#[test]
fn long_graphs_load_and_long_lists_of_findings_are_truncated() {
    let text = chain(40_000).to_json().unwrap();
    assert_eq!(from_json(&text).unwrap().to_json().unwrap(), text);

    // Half of the operations are unknown, and each is a finding.
    let text = text.replace("\"mul\"", "\"mull\"").replace("[\"x\"", "[\"y\"");
    let Err(Error::Verify(VerifyError { findings, .. })) = from_json(&text) else { panic!("verified") };
    assert!(findings.last().unwrap().message.ends_with("more findings are not listed"));
}
