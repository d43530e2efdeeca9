//! Files that once caused a wrong number, a panic or a crash, each minimal for its bug. To add one, put it into
//! `tests/cases/` and add a line to [`CASES`].
//!
//! Test threads have a stack of 2 MiB, so a deep recursion fails here.

use std::fs;
use std::path::{Path, PathBuf};

use retrograd::ir::Limits;
use retrograd::value::json::Json;
use retrograd::value::{Array, DType};
use retrograd::{Error, Graph, Program, Var, cond, differentiate, fori_loop, interpret, optimize, trace, while_loop};

use Expected::{Agrees, Fails, Gives, Refused, Sound};

/// A file of `tests/cases/`, the derivatives that are taken first (`"grad vjp"`), the values of its inputs
/// (`"x=2 y=[1,2]"`), and the expected outcome.
type Case = (&'static str, &'static str, &'static str, Expected);

const CASES: &[Case] = &[
    // The result reused the memory of an array whose transpose the same kernel read.
    ("symmetrize", "", "m=[[0,1,2,3],[0,0,0,0],[1,1,1,1],[2,2,2,2]]", Agrees),
    (
        "symmetrize",
        "vjp",
        "m=[[0,1,2,3],[0,0,0,0],[1,1,1,1],[2,2,2,2]] out.ct=[[0,1,2,3],[0,0,0,0],[1,1,1,1],[2,2,2,2]]",
        Agrees,
    ),
    // Only one element of a broadcast constant was written.
    ("concat_with_broadcast", "", "q=[1,2,3,4,5,6,7,8,9,10,11,12]", Agrees),
    // Arrays that are built within each other's memory.
    ("grow", "", "x=[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", Gives("out=128")),
    ("grow", "grad", "x=[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", Agrees),
    ("guard_number", "", "x=0.5", Gives("y=0.5")),
    (
        "guard_number",
        "",
        "x=2",
        Fails("guard 2: this program holds the path on which the comparison is true, but it is false"),
    ),
    ("guard_number", "", "x=-1", Fails("guard 0: ")),
    (
        "nested_scan_grad",
        "grad",
        "",
        Refused("scan: f64[1000000,1000000,1000000,1000000]: limit of 9223372036854775807 bytes of a value"),
    ),
    ("vjp_of_vjp_names", "vjp vjp", "n=3 x=1.5 y.ct=2 y.ct.2=3 x.ct.ct=5", Agrees),
    ("vjp_of_vjp_names", "vjp jvp vjp", "", Sound),
    ("plateau", "", "x=-2.4423470353692043", Agrees),
    ("plateau", "grad hessian", "x=-0.3", Agrees),
];

/// The expected outcome of a case.
enum Expected {
    /// The interpreter, native code and optimized native code give the same bits.
    Agrees,
    /// They give the same bits, and these outputs: `"y=0.5 z=[1,2]"`.
    Gives(&'static str),
    /// All of them end in the same error, whose message begins like this.
    Fails(&'static str),
    /// A derivative ends in an error whose message begins like this.
    Refused(&'static str),
    /// The derivatives verify, and can be saved, loaded, optimized and compiled.
    Sound,
}

#[test]
fn every_case_holds() {
    let broken: Vec<String> = CASES
        .iter()
        .filter_map(|case @ (file, derivatives, inputs, _)| {
            let outcome = check(case);
            outcome.err().map(|finding| format!("{file} {derivatives} {inputs}: {finding}"))
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_has_a_case() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(CASES.iter().any(|(file, ..)| *file == name), "{name} is in no line of CASES");
    }
}

fn check((file, derivatives, inputs, expected): &Case) -> Result<(), String> {
    let loaded =
        Graph::load(folder().join(format!("{file}.json"))).map_err(|error| format!("does not load: {error}"))?;
    let graph = match (derived(loaded, derivatives), expected) {
        (Err(error), Refused(start)) => return begins(&error, start),
        (Ok(_), Refused(start)) => return Err(format!("is not refused with {start:?}")),
        (graph, _) => graph.map_err(|error| error.to_string())?,
    };
    let optimized = sound(&graph).map_err(|error| error.to_string())?;
    if let Sound = expected {
        return Ok(());
    }
    let inputs = arrays(inputs, &graph)?;
    let natively = [&graph, &optimized].map(|graph| Program::compile(graph).and_then(|program| program.call(&inputs)));
    let tiered = Program::compile_tiered(graph.clone()).and_then(|program| program.call(&inputs));
    let interpreted = [&graph, &optimized].map(|graph| interpret::run(graph, &inputs));
    let outcomes: Vec<_> = interpreted.into_iter().chain(natively).chain([tiered]).collect();
    match outcomes.iter().find(|outcome| **outcome != outcomes[0]) {
        Some(other) => Err(format!("{:?} is not {other:?}", outcomes[0])),
        None => as_expected(expected, &outcomes[0], &graph),
    }
}

fn as_expected(expected: &Expected, outcome: &Result<Vec<Array>, Error>, graph: &Graph) -> Result<(), String> {
    match (expected, outcome) {
        (Agrees, Ok(_)) => Ok(()),
        (Gives(outputs), Ok(got)) => {
            for ((name, text), (output, array)) in fields(outputs).zip(graph.outputs().iter().zip(got)) {
                let expected = array_from(text, &array.ty())?;
                if *name != *output.name || expected != *array {
                    return Err(format!("gives {}={}, not {name}={text}", output.name, array.to_json()));
                }
            }
            Ok(())
        }
        (Fails(start), Err(error)) => begins(error, start),
        (_, Ok(got)) => Err(format!("gives {:?}", got.iter().map(Array::to_json).collect::<Vec<_>>())),
        (_, Err(error)) => Err(error.to_string()),
    }
}

fn begins(error: &Error, start: &str) -> Result<(), String> {
    let message = error.to_string();
    if message.starts_with(start) { Ok(()) } else { Err(format!("fails with {message:?}, not {start:?}")) }
}

/// The graph with derivatives of these kinds applied one after the other: of the first output, by all floating-point
/// inputs.
fn derived(graph: Graph, derivatives: &str) -> Result<Graph, Error> {
    derivatives.split_whitespace().try_fold(graph, |graph, kind| {
        let is_float = |&k: &usize| graph.ty(graph.inputs()[k].node.into()).dtype.is_float();
        let wrt: Vec<usize> = (0..graph.inputs().len()).filter(is_float).collect();
        match kind {
            "grad" => differentiate::grad(&graph, 0, &wrt),
            "jvp" => differentiate::jvp(&graph, &wrt),
            "vjp" => differentiate::vjp(&graph, &wrt),
            "jacobian" => differentiate::jacobian(&graph, 0, &wrt),
            "hessian" => differentiate::hessian(&graph, 0, &wrt),
            "hvp" => differentiate::hvp(&graph, 0, &wrt),
            "taylor" => differentiate::taylor(&graph, 2, &wrt),
            other => panic!("there is no derivative {other}"),
        }
    })
}

/// The optimized graph; checks that both graphs verify, and that the graph survives saving and loading.
fn sound(graph: &Graph) -> Result<Graph, Error> {
    graph.verify()?;
    let text = graph.to_json()?;
    assert_eq!(Graph::from_json(&text, &Default::default())?.to_json()?, text);
    let optimized = optimize::optimize(graph)?;
    optimized.verify()?;
    Program::compile(&optimized)?;
    Ok(optimized)
}

fn arrays(inputs: &str, graph: &Graph) -> Result<Vec<Array>, String> {
    let given: Vec<(&str, &str)> = fields(inputs).collect();
    let of = |name: &str| given.iter().find(|(other, _)| *other == name).map(|(_, text)| *text);
    let inputs = graph.inputs().iter();
    inputs
        .map(|input| {
            let text = of(&input.name).ok_or_else(|| format!("input {} has no value", input.name))?;
            array_from(text, graph.ty(input.node.into()))
        })
        .collect()
}

fn array_from(text: &str, ty: &retrograd::value::Type) -> Result<Array, String> {
    let json = Json::parse(text).map_err(|error| error.to_string())?;
    Array::from_json(&json, ty).map_err(|misfit| misfit.to_string())
}

/// The fields of `"x=1 y=[2,3]"`, by name.
fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_whitespace().map(|field| field.split_once('=').expect("a field without a value"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// Third-order derivatives of loops and branches, in every combination of kinds: the names that they add must differ
/// from all existing ones, also in regions.
#[test]
fn every_composition_of_derivatives_verifies() {
    const KINDS: [&str; 7] = ["grad", "jvp", "vjp", "jacobian", "hessian", "hvp", "taylor"];
    let scalar = (DType::F64, DType::F64);
    let graphs = [
        trace(|x: Var, y: Var| (x * y).sin() + x, scalar),
        trace(|x: Var, y: Var| while_loop(x, |x| x.less(y), |x| x * 2.0 + y.trunc()), scalar),
        trace(|x: Var, y: Var| fori_loop(3, x, |_, x| (x * y).sin()), scalar),
        trace(|x: Var, y: Var| cond(x.less(y), || x * y, || x.trunc()), scalar),
        Graph::load(folder().join("vjp_of_vjp_names.json")),
    ];
    for graph in graphs.map(Result::unwrap) {
        let n = KINDS.len();
        for number in 0..n.pow(3) {
            let [first, second, third] = [number / (n * n), number / n % n, number % n].map(|kind| KINDS[kind]);
            let kinds = format!("{first} {second} {third}");
            let derived = derived(graph.clone(), &kinds).unwrap_or_else(|error| panic!("{kinds}: {error}"));
            derived.verify().unwrap_or_else(|error| panic!("{kinds}: {error}"));
            let text = derived.to_json().unwrap();
            assert_eq!(Graph::from_json(&text, &Limits::default()).unwrap().to_json().unwrap(), text, "{kinds}");
        }
    }
}
