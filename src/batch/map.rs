//! Maps, which are loops without a carry, applied to all rows at once.

use super::analysis::{Analyses, Analysis};
use super::rows::Batcher;
use crate::error::Error;
use crate::ir::NodeId;
use crate::op::{Batched, Graph, Library, Lowering, Op, Scan, Var, keeps_order, region, small_matrices, trace};
use crate::value::{DType, Type};

/// A loop over fewer rows is left as it is.
const MIN_ROWS: usize = 4;

/// What all values of all rows may take, in bytes. More rows run one after the other.
const MAX_BYTES: usize = 64 << 20;

/// How many operations the body may have.
const MAX_OPERATIONS: usize = 2_000;

/// How many operations on single numbers the body may have if it is to run. Straight-line code keeps as many in registers as
/// there are; loops over the rows would write most of them to memory.
const MAX_SCALARS: usize = 256;

/// What the graph of all rows is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To run in place of the map.
    Run,
    /// To be differentiated: the reverse of a loop costs more than all rows at once ever do.
    Differentiate,
}

/// The graph that applies the body of a map to all rows at once, on the operands of the map, where that gives the same bits
/// and is faster; `None` for another operation, and where it does not.
///
/// It is not done if the result could have other bits, which products of matrices may have; if a row's own branch or loop
/// would be left, which takes as long as before; and if all rows together would take much memory.
pub(crate) fn map_on_rows(op: &Op, body: &Graph, operands: &[Type], purpose: Purpose) -> Result<Option<Graph>, Error> {
    let Op::Scan(scan) = op else { return Ok(None) };
    let Scan { carry: 0, xs, length: Some(n), checkpoint: None, .. } = **scan else { return Ok(None) };
    if n < MIN_ROWS || operands.iter().any(|ty| ty.stack) || !pays(body, xs, n, purpose) {
        return Ok(None);
    }
    let mut graph = Graph::new("map");
    let mut inputs = Vec::new();
    for (k, ty) in operands.iter().enumerate() {
        inputs.push(graph.add_input(format!("x.{k}"), ty.clone())?);
    }
    let (mut graph, outputs) = trace::record(graph, trace::DEFAULT_MAX_NODES, None, || {
        let index = Batched { var: Var::iota(&[n], 0, DType::I64), has_rows: true };
        let operand = |(k, &x)| Batched { var: trace::variable(x), has_rows: k < xs };
        let inputs: Vec<Batched> = std::iter::once(index).chain(inputs.iter().enumerate().map(operand)).collect();
        let outputs = Batcher::new(n).replay(body, &inputs).unwrap_or_default();
        outputs.into_iter().map(|y| y.rows(n)).collect::<Vec<Var>>()
    })?;
    for (output, y) in body.outputs().iter().zip(outputs) {
        graph.add_output(output.name.clone(), y.value().expect("bug: a poisoned result of a trace without error"))?;
    }
    Ok(Some(graph))
}

/// The most instructions of a body that stays in registers: its derivative takes a few times as many, and should stay there, too.
const MAX_WORK: usize = 700;

/// Whether the body of a map factors or solves with small matrices and stays in registers. Its rows go side by side in lanes,
/// and to compute it again costs less than to store what it knows.
pub(crate) fn stays_in_registers(body: &Graph) -> bool {
    let (mut work, mut has_matrices) = (0usize, false);
    for id in body.ids() {
        let node = body.node(id);
        if !node.regions().is_empty() || node.types().iter().any(|ty| ty.stack) {
            return false;
        }
        let Some(op) = node.op() else { continue };
        let is_large = node.types().iter().any(|ty| ty.size() > small_matrices::MAX_ELEMENTS);
        let operands: Vec<&Type> = body.operands(id).into_iter().map(|x| body.ty(x)).collect();
        let sizes = || operands.iter().map(|ty| ty.size()).fold(0, usize::saturating_add);
        let own = match op.lower() {
            Lowering::View(_) | Lowering::Constant(_) => continue,
            _ if is_large => return false,
            Lowering::Matrix(matrix) => {
                has_matrices = true;
                matrix.work(&operands)
            }
            Lowering::Elementwise
            | Lowering::Math1(_)
            | Lowering::Math2(_)
            | Lowering::Assemble(_)
            | Lowering::Generate(_) => Some(node.types()[0].size()),
            Lowering::Reduce { .. } | Lowering::Scatter(_) => Some(sizes()),
            Lowering::Contract(dot) => Some(Library::flops(dot, &operands, &node.types()[0])),
            Lowering::Library(_) | Lowering::Checked(_) | Lowering::External(_) | Lowering::Control => None,
        };
        match own.and_then(|own| work.checked_add(own)) {
            Some(sum) if sum <= MAX_WORK => work = sum,
            _ => return false,
        }
    }
    has_matrices
}

/// What the graph gives for rows by a map of it, where that stays in registers: a loop in lanes, appended to the open trace.
/// The inner `None` after an error.
#[track_caller]
pub(super) fn map_in_lanes(graph: &Graph, inputs: &[Batched], n: usize) -> Option<Option<Vec<Batched>>> {
    let depends = inputs.iter().any(|x| x.has_rows);
    if n < MIN_ROWS || !depends || !graph.guards().is_empty() || !stays_in_registers(graph) {
        return None;
    }
    let rows: Vec<Var> = inputs.iter().filter(|x| x.has_rows).map(|x| x.var).collect();
    let mut types = vec![("i".to_string(), Type::scalar(DType::I64))];
    let own = graph.inputs().iter().zip(inputs).filter(|(_, x)| x.has_rows);
    types.extend(own.enumerate().map(|(k, (input, _))| (format!("row.{k}"), graph.ty(input.node.into()).clone())));
    let region = region::trace("row", &types, |x| {
        let mut own = x[1..].iter().copied();
        let given = |x: &Batched| if x.has_rows { own.next().expect("bug: a row is missing") } else { x.var };
        let given: Vec<Var> = inputs.iter().map(given).collect();
        let outputs = trace::inline(graph, &given).unwrap_or_default();
        outputs.into_iter().enumerate().map(|(k, y)| (format!("y.{k}"), y)).collect()
    });
    let results = region.and_then(|region| {
        let op = Scan { carry: 0, xs: rows.len(), length: Some(n), reverse: false, checkpoint: None };
        trace::apply_regions(op, &[rows, region.captured].concat(), vec![region.graph])
    });
    Some(results.map(|results| results.into_iter().map(|var| Batched { var, has_rows: true }).collect()))
}

/// Whether the body on `n` rows, of which the first inputs have one each, keeps its bits and is faster.
fn pays(body: &Graph, xs: usize, n: usize, purpose: Purpose) -> bool {
    let has_rows: Vec<bool> = (0..body.inputs().len()).map(|k| k <= xs).collect();
    if stays_in_registers(body) {
        return false;
    }
    let mut analyses = Analyses::default();
    let needed = body.needed();
    let (mut bytes, mut n_scalars): (usize, usize) = (0, 0);
    let analysis = analyses.of(body, &has_rows);
    for id in body.ids().filter(|id| needed[id.index()] && body.node(*id).op().is_some()) {
        let node = body.node(id);
        // Loops within loops are compiled well, and may have any size.
        let stays = !node.regions().is_empty() || analysis.is_row_by_row(id);
        if stays || !keeps_order_of(body, id, &analysis) {
            return false;
        }
        let own = node.types().iter().map(|ty| ty.checked_bytes().unwrap_or(usize::MAX));
        bytes = own.fold(bytes, usize::saturating_add);
        n_scalars += usize::from(node.types()[0].size() == 1 && body.op(id).is_elementwise());
    }
    let is_short = n_scalars <= MAX_SCALARS || purpose == Purpose::Differentiate;
    is_short && body.n_ops() <= MAX_OPERATIONS && bytes.saturating_mul(n) <= MAX_BYTES
}

fn keeps_order_of(body: &Graph, id: NodeId, analysis: &Analysis) -> bool {
    let operands: Vec<(&Type, bool)> =
        body.operands(id).into_iter().map(|x| (body.ty(x), analysis.has_rows(x))).collect();
    keeps_order(body.op(id), &operands)
}
