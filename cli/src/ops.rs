use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use retrograd::ir::{Operation as _, Provenance};
use retrograd::op::internals::Derivative;
use retrograd::op::{Answer, Doc, Examples, Op, Sample};
use retrograd::value::{DType, Type};
use retrograd::{Error, Graph};
use serde_json::{Value, json};

use crate::names::position;
use crate::output::{print, report};

/// Prints the table of operations, or everything about one of them.
#[derive(Args)]
#[command(after_long_help = "\
A derivative is zero, elementwise (each element of the result depends only on the operands' elements at the same place),
linear, or general. The accuracy is how far a result may be from the exact one, in units in the last place (ulp).

Examples:
  retrograd ops                      one line for each operation
  retrograd ops max                  what it does at ties, the types it takes, and how a file writes it
  retrograd ops --json               the same for programs")]
pub struct Ops {
    /// The operation [default: all].
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is known about an operation; all of it is read off its rules.
struct Entry {
    name: &'static str,
    doc: Doc,
    /// How it is differentiated, in a word.
    kind: &'static str,
    /// The parameters, each with the values that it has in the examples.
    parameters: Vec<(String, Vec<String>)>,
    /// Operand and result types, one example for each choice of dtypes.
    types: Vec<String>,
    /// A node as a file writes it.
    node: String,
}

impl Ops {
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        report(Path::new("-"), self.work())
    }

    fn work(&self) -> Result<(), Error> {
        let mut table = Op::table();
        if let Some(name) = &self.name {
            let at = position("operation", name, table.iter().map(|(name, ..)| *name))?;
            let entry = entry(table.swap_remove(at))?;
            return print(&if self.json { format!("{}\n", entry.to_json()) } else { entry.to_string() });
        }
        let entries = table.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        print(&if self.json { list(&entries) } else { lines(&entries) })
    }
}

fn entry((name, doc, examples): (&'static str, Doc, Examples)) -> Result<Entry, Error> {
    let uses = uses(examples);
    let first = uses.first().expect("bug: an operation without examples");
    let op = &first.op;
    let mut parameters: Vec<(String, Vec<String>)> =
        op.attributes().into_iter().map(|(key, _)| (key, Vec::new())).collect();
    let mut types: BTreeMap<Vec<DType>, String> = BTreeMap::new();
    for used in &uses {
        let attributes = used.op.attributes();
        for (key, values) in &mut parameters {
            let value = attributes.get(key).map(Value::to_string).unwrap_or_default();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let graph = graph(used)?;
        let nodes = graph.ids().map(|id| graph.node(id));
        let dtypes = nodes.flat_map(|node| node.types()).map(|ty| ty.dtype).collect();
        types.entry(dtypes).or_insert_with(|| signature(&graph));
    }
    // Whatever the rule, nothing flows through a result that is not of floating point.
    let has_float = types.keys().any(|dtypes| dtypes.last().is_some_and(|dtype| dtype.is_float()));
    let kind = if has_float { op.derivative().kind() } else { Derivative::Zero.kind() };
    Ok(Entry { name, doc, kind, parameters, types: types.into_values().collect(), node: node(first)? })
}

/// The operation as it is used in one of its examples.
struct Use {
    op: Op,
    operands: Vec<Type>,
    regions: Vec<Arc<Graph>>,
}

fn uses(examples: Examples) -> Vec<Use> {
    let samples = examples.samples.into_iter();
    let samples = samples.map(|Sample { op, operands, regions }| Use {
        op,
        operands: operands.into_iter().map(|(ty, _)| ty).collect(),
        regions,
    });
    let answers = examples.answers.into_iter();
    let answers = answers.map(|Answer { op, operands, regions, .. }| Use {
        op,
        operands: operands.iter().map(|x| x.ty()).collect(),
        regions,
    });
    samples.chain(answers).collect()
}

fn signature(graph: &Graph) -> String {
    let list = |types: Vec<Type>| types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
    let signature = graph.signature();
    format!("({}) -> {}", list(signature.inputs), list(signature.outputs))
}

/// The line of a file that applies the operation.
fn node(used: &Use) -> Result<String, Error> {
    let text = graph(used)?.to_json()?;
    let line = text.lines().find(|line| line.contains("\"op\": ")).expect("bug: a graph without its operation");
    Ok(line.trim().trim_end_matches(',').to_string())
}

/// A graph of that operation alone, on inputs `x`, `y`, `z` or, where there are more, `x0`, `x1`, …
fn graph(Use { op, operands, regions }: &Use) -> Result<Graph, Error> {
    let mut graph = Graph::new("f");
    let mut inputs = Vec::new();
    for (slot, ty) in operands.iter().enumerate() {
        let name = if operands.len() <= 3 { ["x", "y", "z"][slot].to_string() } else { format!("x{slot}") };
        inputs.push(graph.add_input(name, ty.clone())?);
    }
    let node = graph.add_with_regions(op.clone(), &inputs, regions.as_slice().into(), Provenance::default())?;
    for value in retrograd::ir::results_of(&graph, node).collect::<Vec<_>>() {
        graph.add_output(format!("out{}", value.result), value)?;
    }
    Ok(graph)
}

/// A line for each operation, under a head.
fn lines(entries: &[Entry]) -> String {
    let mut text = format!("{:16}  {:11}  computes (accuracy)\n", "operation", "derivative");
    for Entry { name, kind, doc, .. } in entries {
        let _ = writeln!(text, "{name:16}  {kind:11}  {} ({})", doc.summary, doc.accuracy);
    }
    text
}

/// An operation a line, in one list.
fn list(entries: &[Entry]) -> String {
    let lines: Vec<String> = entries.iter().map(|entry| format!(" {}", entry.to_json())).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

impl Entry {
    fn to_json(&self) -> String {
        let parameters = self.parameters.iter().map(|(name, _)| name);
        let node: Value = serde_json::from_str(&self.node).expect("bug: a node that is not JSON");
        let entry = json!({
            "name": self.name,
            "summary": self.doc.summary,
            "kind": self.kind,
            "derivative": self.doc.derivative,
            "accuracy": self.doc.accuracy,
            "parameters": parameters.collect::<Vec<_>>(),
            "types": self.types,
            "node": node,
        });
        entry.to_string()
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {}\n", self.name, self.doc.summary)?;
        writeln!(f, "derivative  {}: {}", self.kind, self.doc.derivative)?;
        writeln!(f, "accuracy    {}", self.doc.accuracy)?;
        for (place, (name, values)) in self.parameters.iter().enumerate() {
            let title = if place == 0 { "parameters" } else { "" };
            writeln!(f, "{title:10}  {name}, as in {}", values[..values.len().min(MAX_SHOWN)].join(" or "))?;
        }
        for (place, signature) in self.types.iter().enumerate() {
            let title = if place == 0 { "types" } else { "" };
            writeln!(f, "{title:10}  {signature}")?;
        }
        writeln!(f, "in a file   {}", self.node)
    }
}

/// How many values of a parameter are shown.
const MAX_SHOWN: usize = 4;
