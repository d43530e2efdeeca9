use std::fmt::Write as _;
use std::time::Duration;

use super::Program;
use super::codegen::KernelCode;
use super::program::{Built, compilable};
use super::report::Report;
use crate::emit::{FunctionText, Mode};
use crate::error::Error;
use crate::op::Graph;
use crate::stack;
use crate::value::{ArrayMut, ArrayRef};

/// A program together with its plan and the text of its code; see [`Program::inspect`].
pub struct Inspection {
    /// The program.
    pub program: Program,
    /// Its kernels, and where values live.
    pub plan: Report,
    /// Its functions, in the order in which they were compiled. A library routine, as for a product of matrices, is
    /// none of them: it is only called.
    pub functions: Vec<FunctionText>,
    kernels: Vec<KernelCode>,
}

impl Program {
    /// Compiles a graph, as [`Program::compile`] does, and keeps the plan, and the code as text: what Cranelift was given,
    /// and what it made of it. Programs that are compiled without being looked at do not pay for this.
    ///
    /// ```
    /// use retrograd::value::DType;
    /// use retrograd::{Program, Var, trace};
    ///
    /// let graph = trace(|x: Var| x.sqrt() + 1.0, (DType::F64,))?;
    /// let inspection = Program::inspect(&graph)?;
    /// assert_eq!(inspection.plan.kernels[0].summary(), "add, sqrt");
    /// assert!(inspection.clif().contains("= sqrt v"));
    /// assert!(inspection.assembly().lines().count() > 3);
    /// assert_eq!(inspection.functions[0].code_bytes, inspection.program.code_bytes());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn inspect(graph: &Graph) -> Result<Inspection, Error> {
        stack::for_levels(graph.depth(), || Program::build_inspected(graph))
    }

    fn build_inspected(graph: &Graph) -> Result<Inspection, Error> {
        let graph = compilable(graph)?;
        let Built { program, functions, schedule, plan, kernels } =
            Program::build(&graph, Mode { keeps_texts: true, ..Mode::default() })?;
        let plan = Report::new(&schedule, &plan, &kernels, &functions);
        Ok(Inspection { program, plan, functions, kernels })
    }
}

impl Inspection {
    /// Runs the program, as [`Program::call_into`] does, but kernel by kernel; gives the time that each kernel of the plan
    /// took. A reading of the clock is part of it, so kernels that are shorter than some tens of nanoseconds seem longer
    /// than they are.
    ///
    /// ```
    /// use retrograd::value::{Array, DType, Scalar, Type};
    /// use retrograd::{Program, Var, trace};
    ///
    /// let matrix = Type::new(DType::F64, [2, 2]);
    /// let graph = trace(|x: Var| x.dot(x) + 1.0, (matrix.clone(),))?;
    /// let inspection = Program::inspect(&graph)?;
    /// let (x, mut y) = (Array::full(&matrix, Scalar::F64(1.0)), Array::zeros(&matrix));
    /// let times = inspection.time_kernels(&[x.view()], &mut [y.view_mut()])?;
    /// assert_eq!(times.len(), inspection.plan.kernels.len());
    /// assert_eq!(y, Array::full(&matrix, Scalar::F64(3.0)));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::call_into`].
    pub fn time_kernels(&self, inputs: &[ArrayRef<'_>], outputs: &mut [ArrayMut<'_>]) -> Result<Vec<Duration>, Error> {
        self.program.call_timed(&self.kernels, inputs, outputs)
    }

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
