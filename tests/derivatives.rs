//! Derivatives of every elementwise operation up to order 3 against the tables of `tests/data/derivatives`, within the
//! documented errors (module `op`); and the same bits inside every kind of region.

pub mod common;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::graph_of;
use retrograd::ir::{Operation, Value};
use retrograd::op::internals::Derivative;
use retrograd::op::{Add, Checkpoint, Cond, Graph, Lt, Op, Scan, Switch, While};
use retrograd::value::{Array, DType, Type};
use retrograd::{Program, differentiate, interpret};

/// The modes of a chain of derivatives, one letter for each order, starting with the first.
const MODES: [&str; 3] = ["rrr", "fff", "rfr"];

/// An elementwise operation and its table.
struct Case {
    name: String,
    op: Op,
    table: Table,
}

/// A file of exact derivatives.
struct Table {
    /// The values of each operand, over the points.
    operands: Vec<Vec<f64>>,
    columns: Vec<Column>,
}

impl Table {
    /// The operands at a point.
    fn at(&self, point: usize) -> Vec<f64> {
        self.operands.iter().map(|x| x[point]).collect()
    }
}

/// One derivative at all points.
struct Column {
    /// The order of differentiation by each operand.
    orders: Vec<usize>,
    cells: Vec<Option<Cell>>,
}

#[derive(Clone, Copy)]
struct Cell {
    value: f64,
    /// The magnitude that errors are relative to.
    size: f64,
}

impl Column {
    fn order(&self) -> usize {
        self.orders.iter().sum()
    }

    /// Whether the documentation states an error for it.
    fn is_stated(&self) -> bool {
        self.cells.iter().any(Option::is_some)
    }

    /// The operands to differentiate by, in order.
    fn slots(&self) -> Vec<usize> {
        self.orders.iter().enumerate().flat_map(|(slot, &n)| vec![slot; n]).collect()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/derivatives")
}

fn read(name: &str) -> Table {
    let path = folder().join(format!("{name}.csv"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == head.len()), "{name}: rows of other lengths");
    let n_operands = head.iter().filter(|title| title.starts_with('x')).count();
    let operands = (0..n_operands).map(|k| rows.iter().map(|row| number(row[k])).collect()).collect();
    let column = |k: usize| Column {
        orders: head[k][1..].chars().map(|digit| digit.to_digit(10).expect("an order") as usize).collect(),
        cells: rows.iter().map(|row| cell(row[k])).collect(),
    };
    Table { operands, columns: (n_operands..head.len()).map(column).collect() }
}

fn cell(text: &str) -> Option<Cell> {
    if text == "-" {
        return None;
    }
    let (value, size) = text.split_once('~').unwrap_or((text, text));
    Some(Cell { value: number(value), size: number(size).abs().max(number(value).abs()) })
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// The elementwise operations on floating-point numbers, with their parameters.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, _, examples) in Op::table() {
        for sample in examples.samples {
            let floats = sample.operands.iter().all(|(ty, _)| ty.dtype == DType::F64);
            let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
            let elementwise = matches!(sample.op.derivative(), Derivative::Elementwise(_));
            if !floats || !elementwise || sample.op == Op::StopGradient(retrograd::op::StopGradient) {
                continue;
            }
            if sample.op.infer(&types, &[]).expect("an example")[0].dtype != DType::F64 {
                continue;
            }
            let parameters: String = sample.op.attributes().values().map(|value| format!("_{value}")).collect();
            let name = format!("{name}{parameters}").replace('"', "");
            cases.push(Case { table: read(&name), name, op: sample.op });
        }
    }
    cases
}

/// The graph of an operation on vectors, differentiated by these operands one after the other, in these modes. Its last
/// output is the derivative if all inputs beyond the operands are ones.
fn chain(graph: Graph, slots: &[usize], modes: &str) -> Graph {
    slots.iter().zip(modes.chars()).fold(graph, |graph, (&slot, mode)| {
        let last = [graph.outputs().len() - 1];
        match mode {
            'r' => differentiate::vjp_of(&graph, &last, &[slot]).expect("a derivative"),
            _ => {
                let first = differentiate::jvp_of(&graph, &last, &[slot]);
                first.expect("a derivative")
            }
        }
    })
}

fn inputs(graph: &Graph, operands: &[Vec<f64>]) -> Vec<Array> {
    let n = operands[0].len();
    let ones = vec![1.0; n];
    let columns = operands.iter().chain(std::iter::repeat(&ones)).take(graph.inputs().len());
    columns.map(|column| Array::from_elements([n], column.clone()).expect("a vector")).collect()
}

fn last(outputs: &[Array]) -> Vec<f64> {
    common::floats(outputs.last().expect("an output"))
}

/// The distance to the exact value in units in the last point of the magnitude that errors are relative to.
fn error(got: f64, exact: Cell) -> f64 {
    if got == exact.value || got.is_nan() && exact.value.is_nan() {
        return 0.0;
    }
    if exact.value.is_infinite() {
        // Instead of overflowing, a result may be close to the largest number.
        let excess = (f64::MAX - got * exact.value.signum()) / (f64::MAX * f64::EPSILON);
        return if excess.is_nan() { f64::INFINITY } else { excess.max(0.0) };
    }
    let size = exact.size.min(f64::MAX);
    let unit = size.next_up().min(f64::MAX) - size.next_up().min(f64::MAX).next_down();
    let error = (got - exact.value).abs() / unit;
    if error.is_nan() { f64::INFINITY } else { error }
}

/// The documented errors of an operation.
struct Stated {
    /// The largest errors of the orders 1 to 3.
    errors: [f64; 3],
    /// A factor of the errors, as a function of the operands.
    growth: fn(&[f64]) -> f64,
}

/// The documented errors by operation; 4 for all others.
fn stated() -> HashMap<String, Stated> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/op/derivatives.md");
    let text = fs::read_to_string(path).expect("a table");
    let mut stated = HashMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let errors = [cells[1], cells[2], cells[3]].map(number);
        for name in cells[0].split(", ") {
            let row = Stated { errors, growth: growth(cells[4]) };
            assert!(stated.insert(name.trim_matches('`').to_string(), row).is_none(), "{name} has two rows");
        }
    }
    stated
}

/// Parses a factor of the documentation.
fn growth(text: &str) -> fn(&[f64]) -> f64 {
    match text {
        "" => |_| 1.0,
        "1 + abs(ln x)" => |x| 1.0 + x[0].ln().abs(),
        "1 + abs(ln y)" => |x| 1.0 + x[1].abs().ln().abs(),
        "1 + abs(x - y)" => |x| 1.0 + (x[0] - x[1]).abs(),
        other => panic!("\"{other}\" is not known to this test"),
    }
}

/// The largest documented error for an order, at a point.
fn bound(row: Option<&Stated>, order: usize, x: &[f64]) -> f64 {
    let growth = row.map_or(1.0, |row| (row.growth)(x));
    row.map_or(4.0, |row| row.errors[order - 1]) * if growth.is_finite() { growth } else { 1.0 }
}

#[test]
fn derivatives_are_as_accurate_as_documented() {
    let stated = stated();
    let mut report = String::new();
    for Case { name, op, table } in cases() {
        let types: Vec<Type> = table.operands.iter().map(|x| Type::new(DType::F64, [x.len()])).collect();
        for column in table.columns.iter().filter(|column| column.order() > 0 && column.is_stated()) {
            for modes in MODES {
                let graph = chain(graph_of(&op, &types), &column.slots(), modes);
                let inputs = inputs(&graph, &table.operands);
                let outputs = interpret::run(&graph, &inputs).expect("numbers");
                let native = Program::compile(&graph).expect("a program").call(&inputs).expect("numbers");
                assert!(native.iter().zip(&outputs).all(|(x, y)| x.same_bits(y)), "{name} {modes}\n{graph}");
                let got = last(&outputs);
                let excess = |point: usize| {
                    let error = error(got[point], column.cells[point]?);
                    Some((error / bound(stated.get(op.name()), column.order(), &table.at(point)), point))
                };
                let worst = (0..got.len()).filter_map(excess).max_by(|x, y| x.0.total_cmp(&y.0)).expect("a point");
                if worst.0 > 1.0 {
                    let (excess, point) = worst;
                    let (x, orders, got) = (table.at(point), &column.orders, got[point]);
                    let exact = column.cells[point].expect("a stated cell").value;
                    writeln!(
                        report,
                        "{name} {orders:?} {modes}: {excess:.2} times that, {got:e}, not {exact:e}, at {x:?}"
                    )
                    .expect("memory");
                }
            }
        }
    }
    assert!(report.is_empty(), "errors above those that are stated:\n{report}");
}

/// The kinds of regions that an operation can be in.
const REGIONS: [&str; 6] = ["checkpoint", "cond", "switch", "map", "scan", "while"];

/// Operations whose derivatives may differ in the last places within `map` and `scan`: there a formula adds three or
/// more cotangents to one operand, and the reverse loop first adds those that depend on saved values.
const OTHER_SUMS: [&str; 8] = [
    "beta_density",
    "bessel_in",
    "bessel_jn",
    "erf_inv_derivative",
    "gamma",
    "gamma_density",
    "ndtri_derivative",
    "rgamma",
];

/// The graph of an operation on vectors of `n` numbers, within a region of the given kind.
fn within(kind: &str, op: &Op, n_operands: usize, n: usize) -> Graph {
    let vector = Type::new(DType::F64, [n]);
    let scalar = Type::scalar(DType::F64);
    let mut graph = Graph::new("main");
    let x: Vec<Value> =
        (0..n_operands).map(|k| graph.add_input(format!("x{k}"), vector.clone()).expect("a name")).collect();
    let body = |ty: &Type| Arc::new(graph_of(op, &vec![ty.clone(); n_operands]));
    let (op, before, regions): (Op, Option<Array>, Vec<Arc<Graph>>) = match kind {
        "checkpoint" => (Checkpoint.into(), None, vec![body(&vector)]),
        "cond" => (Cond.into(), Some(Array::scalar(true)), vec![body(&vector), body(&vector)]),
        "switch" => (Switch.into(), Some(Array::scalar(1i64)), vec![body(&vector), body(&vector)]),
        "map" | "scan" => {
            let carry = usize::from(kind == "scan");
            let scan = Scan { carry, xs: n_operands, length: Some(n), reverse: false, checkpoint: None };
            // The index of the row, then the carry, which does not change.
            let mut types = vec![scalar.clone(); 1 + carry + n_operands];
            types[0] = Type::scalar(DType::I64);
            let row = region(&types, |graph, x| {
                let y = add(graph, op.clone(), &x[1 + carry..]);
                x[1..1 + carry].iter().copied().chain([y]).collect()
            });
            (scan.into(), (carry == 1).then(|| Array::scalar(0.5)), vec![row])
        }
        "while" => {
            let mut types = vec![vector.clone(); 2 + n_operands];
            types[0] = Type::scalar(DType::I64);
            let one = |graph: &mut Graph| constant(graph, Array::scalar(1i64));
            let condition = region(&types, |graph, x| {
                let limit = one(graph);
                vec![add(graph, Lt, &[x[0], limit])]
            });
            let body = region(&types, |graph, x| {
                let step = one(graph);
                vec![add(graph, Add, &[x[0], step]), add(graph, op.clone(), &x[2..])]
            });
            let regions = vec![condition, body];
            (While { carry: 2, max_trips: None }.into(), Some(Array::scalar(0i64)), regions)
        }
        other => panic!("{other}"),
    };
    let mut operands: Vec<Value> = before.map(|value| constant(&mut graph, value)).into_iter().collect();
    if kind == "while" {
        operands.push(constant(&mut graph, Array::zeros(&vector)));
    }
    operands.extend(&x);
    let node = graph.add_with_regions(op, &operands, regions.into(), Default::default()).expect("a region");
    let y = retrograd::ir::results_of(&graph, node).last().expect("a result");
    graph.add_output("y", y).unwrap();
    graph
}

fn constant(graph: &mut Graph, value: Array) -> Value {
    add(graph, <Op as Operation>::from_constant(value), &[])
}

/// A region with these inputs, and outputs from them.
fn region(types: &[Type], outputs: impl FnOnce(&mut Graph, &[Value]) -> Vec<Value>) -> Arc<Graph> {
    let mut graph = Graph::new("region");
    let named = types.iter().enumerate();
    let inputs: Vec<Value> =
        named.map(|(k, ty)| graph.add_input(format!("x{k}"), ty.clone()).expect("a name")).collect();
    for (k, output) in outputs(&mut graph, &inputs).into_iter().enumerate() {
        graph.add_output(format!("y{k}"), output).unwrap();
    }
    Arc::new(graph)
}

fn add(graph: &mut Graph, op: impl Into<Op>, operands: &[Value]) -> Value {
    graph.add(op.into(), operands, Default::default()).expect("an operation").into()
}

#[test]
fn derivatives_within_regions_are_the_same_numbers() {
    let stated = stated();
    let mut report = String::new();
    for Case { name, op, table } in cases() {
        let (n_operands, n) = (table.operands.len(), table.operands[0].len());
        let types = vec![Type::new(DType::F64, [n]); n_operands];
        let row = stated.get(op.name());
        let highest = table.columns.iter().map(Column::order).max().expect("a column");
        let columns = table.columns.iter().filter(|column| column.order() == highest);
        for column in columns.filter(|column| column.is_stated()) {
            for modes in MODES {
                let outside = chain(graph_of(&op, &types), &column.slots(), modes);
                let inputs_of = |graph: &Graph| inputs(graph, &table.operands);
                let expected = interpret::run(&outside, &inputs_of(&outside)).expect("numbers");
                for kind in REGIONS {
                    let graph = chain(within(kind, &op, n_operands, n), &column.slots(), modes);
                    let got = interpret::run(&graph, &inputs_of(&graph)).expect("numbers");
                    let (got, expected) = (last(&got), last(&expected));
                    // A loop adds to 0, which loses the sign of -0.
                    let equal = |k: usize| got[k] == expected[k] || got[k].is_nan() && expected[k].is_nan();
                    let sums = OTHER_SUMS.contains(&op.name()) && ["map", "scan"].contains(&kind);
                    let same = |k: usize| {
                        let cell = column.cells[k].expect("a stated cell");
                        equal(k) || sums && error(got[k], cell) <= bound(row, highest, &table.at(k))
                    };
                    let stated = (0..n).filter(|&k| column.cells[k].is_some());
                    if let Some(point) = stated.into_iter().find(|&k| !same(k)) {
                        let x = table.at(point);
                        let (got, expected) = (got[point], expected[point]);
                        writeln!(
                            report,
                            "{name} {:?} {modes} in {kind} at {x:?}: {got:e}, not {expected:e}",
                            column.orders
                        )
                        .expect("memory");
                    }
                }
            }
        }
    }
    assert!(report.is_empty(), "other numbers within a region:\n{report}");
}
