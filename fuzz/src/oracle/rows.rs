//! Programs and their derivatives on rows, against the same row by row.

use retrograd::batch::batch;
use retrograd::op::Op;
use retrograd::value::{Array, DType, Scalar};
use retrograd::{Error, Graph, differentiate, interpret};

use super::{BOTH, Finding, Form, Oracle, Run, first_difference, reals};
use crate::case::Case;

impl Oracle {
    /// Checks the program, or a derivative of it, on rows.
    pub(super) fn rows(&self, case: &Case) -> Result<(), Box<Finding>> {
        if case.inputs.is_empty() {
            return Ok(());
        }
        let (wrt, of) = (case.float_inputs(), case.float_outputs());
        let derived = match self.random.below(3) {
            0 if !wrt.is_empty() && !of.is_empty() => differentiate::vjp_of(&case.graph, &of, &wrt),
            1 if !wrt.is_empty() && !of.is_empty() => differentiate::jvp_of(&case.graph, &of, &wrt),
            _ => Ok(case.graph.clone()),
        };
        // A derivative that does not exist is another check's.
        let Ok(graph) = derived else { return Ok(()) };
        let n = *self.of(&[1, 2, 3, 5]);
        let own = graph.inputs().iter().map(|input| graph.ty(input.node.into()));
        let given = case.inputs.iter().cloned();
        let inputs: Vec<Array> = given
            .chain(own.skip(case.inputs.len()).map(|ty| Array::collect(ty, (0..ty.size()).map(|k| seed(k, ty.dtype)))))
            .collect();
        let over: Vec<usize> = (0..inputs.len()).filter(|_| self.random.below(3) > 0).collect();
        let over = if over.is_empty() { vec![self.random.below(inputs.len())] } else { over };
        let run = Run::of("batch", &graph, &inputs);
        let batched = match run.attempt("batch", || batch(&graph, &over, n))? {
            Ok(batched) => batched,
            Err(Error::Operation(error)) if error.op == "batch" && !graph.guards().is_empty() => return Ok(()),
            Err(error) => return Err(run.finding("batch fails", error.to_string())),
        };
        let input = |k: usize, row: usize| if over.contains(&k) { turned(&inputs[k], row) } else { inputs[k].clone() };
        let rows: Vec<Vec<Array>> = (0..n).map(|row| (0..inputs.len()).map(|k| input(k, row)).collect()).collect();
        let stacked: Vec<Array> = (0..inputs.len())
            .map(|k| if over.contains(&k) { joined(&rows, k, n) } else { inputs[k].clone() })
            .collect();
        let forms = *self.of(&[BOTH, &[Form::Optimized][..]]);
        let got = self.agree("batch", &batched, &stacked, forms)?;
        let expected: Result<Vec<Vec<Array>>, Error> = rows.iter().map(|row| interpret::run(&graph, row)).collect();
        let run = Run::of("batch", &batched, &stacked);
        match (expected, got) {
            (Err(_), Err(_)) => Ok(()),
            (Err(error), Ok(_)) => Err(run.finding("a row ends in an error, all rows do not", error.to_string())),
            (Ok(_), Err(error)) => Err(run.finding("all rows end in an error, no row does", error.to_string())),
            (Ok(_), Ok(_)) if has_products(&graph) => Ok(()),
            (Ok(expected), Ok(got)) => {
                for (k, got) in got.outputs.iter().enumerate() {
                    let expected = joined(&expected, k, n);
                    if !got.same_bits(&expected) {
                        let place = first_difference(&expected, got);
                        return Err(run.finding("rows differ from row by row", format!("output {k}: {place}")));
                    }
                }
                Ok(())
            }
        }
    }
}

/// Longer inputs take long, and differ in nothing.
const MAX_PASSES: usize = 200;

impl Oracle {
    /// Checks a column of a Jacobian by passes on rows against forward mode along a unit vector.
    pub(super) fn passes(&self, case: &Case) -> Result<(), Box<Finding>> {
        let (wrt, of) = (case.float_inputs(), case.float_outputs());
        if wrt.is_empty() || of.is_empty() || has_products(&case.graph) {
            return Ok(());
        }
        let (w, k) = (*self.of(&wrt), *self.of(&of));
        let n = case.inputs[w].size();
        let size = case.graph.ty(case.graph.outputs()[k].value).size();
        // With fewer outputs than inputs it would be reverse mode, whose sums have another order.
        if n > MAX_PASSES || n > size {
            return Ok(());
        }
        let derived = (differentiate::jacobian(&case.graph, k, &[w]), differentiate::jvp_of(&case.graph, &[k], &[w]));
        let (Ok(jacobian), Ok(jvp)) = derived else { return Ok(()) };
        // Those of the rules of decompositions.
        if has_products(&jvp) {
            return Ok(());
        }
        let Ok(agreed) = self.agree("jacobian", &jacobian, &case.inputs, &[Form::Optimized])? else { return Ok(()) };
        let place = self.random.below(n);
        let dtype = case.inputs[w].dtype();
        let unit = (0..n).map(|at| Scalar::Bool(at == place).convert(dtype));
        let unit = Array::collect(&case.inputs[w].ty(), unit);
        let Ok(outputs) = interpret::run(&jvp, &[&case.inputs[..], &[unit]].concat()) else { return Ok(()) };
        let (Some(whole), Some(column)) = (agreed.outputs.last(), outputs.last()) else { return Ok(()) };
        let (whole, column) = (reals(whole), reals(column));
        for (row, expected) in column.iter().enumerate() {
            let got = whole[row * n + place];
            // The sign of a zero may be that of zeros that were added.
            if got != *expected && !(got.is_nan() && expected.is_nan()) {
                let detail = format!("row {row}, column {place}: {got}, along the unit vector {expected}");
                return Err(Run::of("jacobian", &jacobian, &case.inputs).finding("a column differs", detail));
            }
        }
        Ok(())
    }
}

/// Whether sums of products of matrices, which may have another order, are among the operations.
fn has_products(graph: &Graph) -> bool {
    graph.ids().any(|id| {
        let node = graph.node(id);
        matches!(node.op(), Some(Op::DotGeneral(_) | Op::StrongDot(_)))
            || node.regions().iter().any(|r| has_products(r))
    })
}

/// An element of a tangent or cotangent; some are 0.
fn seed(k: usize, dtype: DType) -> Scalar {
    Scalar::F64([1.0, -0.5, 0.0, 0.75][k % 4]).convert(dtype)
}

/// Another array of the same elements, each further by so many places.
fn turned(x: &Array, row: usize) -> Array {
    let elements: Vec<Scalar> = x.elements().collect();
    Array::collect(&x.ty(), (0..elements.len()).map(|k| elements[(k + row) % elements.len()]))
}

/// The arrays at that place of each row, one upon the other.
fn joined(rows: &[Vec<Array>], k: usize, n: usize) -> Array {
    let ty = rows[0][k].ty().repeated(n);
    Array::collect(&ty, rows.iter().flat_map(|row| row[k].elements().collect::<Vec<Scalar>>()))
}
