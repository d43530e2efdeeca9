//! Draws the graph of a function, and that of its gradient, as files for Graphviz.
//!
//! `cargo run --release --example dot_graph`, then `dot -Tsvg target/dot_graph/gradient.dot`
//!
//! Example of autograd's of the same name. The command does the same to a saved graph: `retrograd show --dot`.

#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use retrograd::value::DType;
use retrograd::{Graph, Var, differentiate, trace};
use target::target;

/// Draws a graph.
#[derive(Parser)]
struct Args {
    /// Where the files are written.
    #[arg(long, value_name = "DIR", default_value_os_t = target("dot_graph"))]
    out: PathBuf,
}

/// The function that autograd's example draws.
fn fun(x: Var) -> Var {
    let y = x.sin();
    (y + x.exp() - 0.5) * y
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    fs::create_dir_all(&args.out)?;
    let graph = trace(fun, (DType::F64,))?;
    let gradient = differentiate::grad(&graph, 0, &[0])?;
    for (name, graph) in [("function", &graph), ("gradient", &gradient)] {
        let text = graph.to_dot();
        let (n_boxes, n_arrows) = (n_boxes(graph), n_arrows(graph));
        let (arrows, boxes): (Vec<_>, Vec<_>) = text
            .lines()
            .filter(|line| line.ends_with(';') && !line.contains("node ["))
            .partition(|line| line.contains(" -> "));
        println!("{name}: {n_boxes} boxes, {n_arrows} arrows");
        assert_eq!((boxes.len(), arrows.len()), (n_boxes, n_arrows), "the drawing of the {name} is another graph");
        assert!(text.starts_with("digraph ") && text.ends_with("}\n"), "{text}");
        fs::write(args.out.join(name).with_extension("dot"), text)?;
    }
    println!("written to {}", args.out.display());
    Ok(())
}

/// A box for each input, operation and output.
fn n_boxes(graph: &Graph) -> usize {
    graph.n_nodes() + graph.outputs().len()
}

/// An arrow for each operand, and one to each output.
fn n_arrows(graph: &Graph) -> usize {
    graph.ids().map(|id| graph.operands(id).len()).sum::<usize>() + graph.outputs().len()
}
