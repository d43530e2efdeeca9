//! What kernels compute, in words: the comments of their code.

use super::kernels::{Item, Kernel, LoopKernel, ScalarOp, Schedule};
use super::parts;
use crate::ir::{NodeId, Value};

/// What a segment of straight-line code computes.
pub fn straight_line(schedule: &Schedule<'_>, ops: &[ScalarOp]) -> String {
    let lines = ops.iter().map(|&op| match op {
        ScalarOp::Node(node) => schedule.graph.line(node),
        ScalarOp::Output { from, output } => output_line(schedule, from, output),
        ScalarOp::Part { from, node, first, .. } => {
            part_line(schedule, node, first as usize, schedule.ty(from).size(), from)
        }
        ScalarOp::Fill { with, node, first, n } => part_line(schedule, node, first as usize, n as usize, with),
        ScalarOp::Guard(guard) => {
            let guard = &schedule.graph.guards()[guard];
            format!("guard {} == {}", schedule.graph.value_name(guard.value), guard.expect)
        }
    });
    list("computes", lines)
}

/// What a loop nest computes.
pub fn nest(schedule: &Schedule<'_>, nest: &LoopKernel) -> String {
    let lines = nest.items.iter().filter_map(|item| match item {
        Item::Op(node)
        | Item::Gather(node)
        | Item::Copy(node)
        | Item::Reduce { node, .. }
        | Item::Product { node, .. } => Some(schedule.graph.line(*node)),
        Item::Output { from, output } => Some(output_line(schedule, *from, *output)),
        Item::Part(part) => part.together(nest).map(|parts| parts::line(schedule, &parts)),
    });
    let extents: Vec<String> = nest.shape.iter().map(usize::to_string).collect();
    list(&format!("computes over [{}]", extents.join(",")), lines)
}

/// Which functions are the code of the regions of control flow.
pub fn control(schedule: &Schedule<'_>, kernel: usize, entries: &[String]) -> String {
    let Kernel::Control(node) = schedule.kernels[kernel] else { unreachable!("bug: no control kernel") };
    let names = schedule.controls[&kernel].regions.iter().map(|region| region.graph.name());
    let lines = names.zip(entries).map(|(name, entry)| format!("{name} is {entry}"));
    list(&schedule.graph.line(node), lines)
}

/// What a function calls, one after the other.
pub fn calls(steps: impl Iterator<Item = String>) -> String {
    list("calls", steps)
}

fn output_line(schedule: &Schedule<'_>, from: Value, output: usize) -> String {
    format!("output {} = {}", schedule.graph.outputs()[output].name, schedule.graph.value_name(from))
}

/// The listing's line of `n` elements of a result, from the first on, that straight-line code stores.
pub fn part_line(schedule: &Schedule<'_>, node: NodeId, first: usize, n: usize, from: Value) -> String {
    format!("{n} of {} from {first} on = {}", schedule.graph.value_name(node.into()), schedule.graph.value_name(from))
}

fn list(title: &str, lines: impl Iterator<Item = String>) -> String {
    lines.fold(title.to_string(), |text, line| text + "\n  " + &line)
}
