use std::fmt::Write as _;

use super::Program;
use super::control::Emitted;
use super::plan::{Item, LoopKernel, Plan, ScalarOp};
use crate::emit::FunctionText;
use crate::error::Error;
use crate::ir::{NodeId, Value};
use crate::op::Graph;

/// A program together with the text of its code; see [`Program::inspect`].
pub struct Inspection {
    /// The program.
    pub program: Program,
    /// Its functions, in the order in which they were compiled. A library routine, as for a product of matrices, is
    /// none of them: it is only called.
    pub functions: Vec<FunctionText>,
}

impl Program {
    /// Compiles a graph, as [`Program::compile`] does, and keeps the code as text: what Cranelift was given, and what it
    /// made of it. Programs that are compiled without being looked at do not pay for this.
    ///
    /// ```
    /// use retrograd::value::DType;
    /// use retrograd::{Program, Var, trace};
    ///
    /// let graph = trace(|x: Var| x.sqrt() + 1.0, (DType::F64,))?;
    /// let inspection = Program::inspect(&graph)?;
    /// assert!(inspection.clif().contains("= sqrt v"));
    /// assert!(inspection.assembly().lines().count() > 3);
    /// assert_eq!(inspection.functions[0].code_bytes, inspection.program.code_bytes());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn inspect(graph: &Graph) -> Result<Inspection, Error> {
        let (program, functions) = Program::build(graph, true)?;
        Ok(Inspection { program, functions })
    }
}

impl Inspection {
    /// Every function in the language of Cranelift, under comments that say what it computes.
    pub fn clif(&self) -> String {
        self.text(|function| &function.clif)
    }

    /// The machine code of every function, under comments that say what it computes.
    pub fn assembly(&self) -> String {
        self.text(|function| &function.assembly)
    }

    fn text(&self, body: impl Fn(&FunctionText) -> &str) -> String {
        let mut text = String::new();
        for function in &self.functions {
            let separator = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{separator}; {}, {} bytes of machine code", function.name, function.code_bytes);
            for line in function.purpose.lines() {
                let _ = writeln!(text, "; {line}");
            }
            let _ = writeln!(text, "{}", body(function).trim_end());
        }
        text
    }
}

/// What a stretch of straight-line code computes.
pub(super) fn straight_line(plan: &Plan<'_>, ops: &[ScalarOp]) -> String {
    let lines = ops.iter().map(|&op| match op {
        ScalarOp::Node(node) => plan.graph.line(node),
        ScalarOp::Output { from, output } => output_line(plan, from, output),
        ScalarOp::Guard(guard) => {
            let guard = &plan.graph.guards()[guard];
            format!("guard {} == {}", plan.graph.value_name(guard.value), guard.expect)
        }
    });
    list("computes", lines)
}

/// What a loop nest computes.
pub(super) fn nest(plan: &Plan<'_>, nest: &LoopKernel) -> String {
    let lines = nest.items.iter().map(|item| match item {
        Item::Op(node) | Item::Gather(node) | Item::Copy(node) | Item::Reduce { node, .. } => plan.graph.line(*node),
        Item::Output { from, output } => output_line(plan, *from, *output),
    });
    let extents: Vec<String> = nest.shape.iter().map(usize::to_string).collect();
    list(&format!("computes over [{}]", extents.join(",")), lines)
}

/// Which functions are the code of the regions of control flow.
pub(super) fn control(plan: &Plan<'_>, node: NodeId, regions: &[Emitted]) -> String {
    let names = plan.graph.node(node).regions().iter().map(|region| region.name());
    let lines = names.zip(regions).map(|(name, region)| format!("{name} is {}", region.entry));
    list(&plan.graph.line(node), lines)
}

/// What a function calls, one after the other.
pub(super) fn calls(steps: impl Iterator<Item = String>) -> String {
    list("calls", steps)
}

fn output_line(plan: &Plan<'_>, from: Value, output: usize) -> String {
    format!("output {} = {}", plan.graph.outputs()[output].name, plan.graph.value_name(from))
}

fn list(title: &str, lines: impl Iterator<Item = String>) -> String {
    lines.fold(title.to_string(), |text, line| text + "\n  " + &line)
}
