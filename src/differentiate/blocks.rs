use super::activity::Activity;
use super::{pullback, pushforward};
use crate::batch::Pass;
use crate::ir::{Role, Value};
use crate::op::region::{self, Region};
use crate::op::{Scan, Var, trace};
use crate::value::{Array, DType, Scalar, Shape, Type};

/// The most passes for one leaf that are written out one after the other, if what they compute is small.
const MAX_WRITTEN_OUT: usize = 16;

/// How many elements each of its values may have for a pass to be written out.
const MAX_SMALL: usize = 64;

/// How many elements the largest value of a batched pass may have; more rows are taken in blocks, one after the other.
const MAX_BLOCK: usize = 1 << 17;

/// The least rows of a block, however large their values are.
const MIN_ROWS: usize = 8;

/// Appends the Jacobian of `y` by `x` to the open trace: a block for each pair, of shape `[y's shape…, x's shape…]`,
/// ordered by output. It takes one pushforward for each element of `x`, or one pullback for each element of `y`.
///
/// The passes for one leaf are one pass on rows, the unit vectors, in blocks that fit into the cache; few small ones are
/// written out, where what a single element does not reach is known to vanish.
///
/// Each leaf adds at least one node per block of the Jacobian. If there are too many for the limit on nodes, the error comes
/// before the first pass.
#[track_caller]
pub(crate) fn jacobian_blocks(x: &[Var], y: &[Var], forward: bool) -> Vec<Var> {
    let (passes, others) = if forward { (x, y) } else { (y, x) };
    let is_small = all_is_small(x, y);
    let is_written_out = |leaf: Var| {
        let n = leaf.ty().size();
        n <= 1 || is_small && n <= MAX_WRITTEN_OUT
    };
    let n_passes = passes.iter().map(|&leaf| if is_written_out(leaf) { leaf.ty().size() } else { 1 });
    let n_passes = n_passes.fold(0, usize::saturating_add);
    trace::demand_nodes((n_passes as u64).saturating_mul(others.len() as u64));
    if forward { by_leaf(x, y, &is_written_out) } else { by_output(x, y, &is_written_out) }
}

/// What a pass gives for each unit vector in the place of a tangent of `x`, by output, each with a leading axis for these;
/// `None` for one that is 0. The pass need not be linear.
#[track_caller]
pub(crate) fn along_unit_vectors(x: Var, y: &[Var], pass: impl Fn(Var) -> Vec<Option<Var>>) -> Vec<Option<Var>> {
    let n = x.ty().size();
    if trace::has_failed() || !(n <= 1 || n <= MAX_WRITTEN_OUT && all_is_small(&[x], y)) {
        return on_rows(x, Role::Tangent, pass);
    }
    let stacked = |(rows, y): (Vec<Option<Var>>, &Var)| {
        if rows.iter().all(Option::is_none) {
            return None;
        }
        let rows: Vec<Var> = rows.into_iter().map(|row| row.unwrap_or_else(|| y.full_like(0.0))).collect();
        Some(Var::stack(&rows, 0))
    };
    written_out(x, Role::Tangent, y.len(), pass).into_iter().zip(y).map(stacked).collect()
}

/// Whether fewer pushforwards than pullbacks are necessary.
pub(crate) fn forward_is_cheaper(x: &[Var], y: &[Var]) -> bool {
    let n_elements = |vars: &[Var]| vars.iter().map(|x| x.ty().size()).fold(0, usize::saturating_add);
    n_elements(x) <= n_elements(y)
}

/// Whether all that lies between is small.
fn all_is_small(x: &[Var], y: &[Var]) -> bool {
    let local = |vars: &[Var]| vars.iter().map(|&x| trace::local(x)).collect::<Option<Vec<Value>>>();
    let (Some(x), Some(y)) = (local(x), local(y)) else { return true };
    Activity::between(&x, &y).widest() <= MAX_SMALL
}

/// The blocks, ordered by output, from one pullback for each element of the outputs.
fn by_output(x: &[Var], y: &[Var], is_written_out: &dyn Fn(Var) -> bool) -> Vec<Var> {
    let mut blocks = Vec::new();
    for &output in y {
        let pass = |ct: Var| pullback(x, &[output], &[ct]);
        if is_written_out(output) {
            let rows = written_out(output, Role::Cotangent, x.len(), pass);
            blocks.extend(x.iter().zip(rows).map(|(&input, rows)| block(&rows, output, input, Along::Rows)));
        } else {
            let rows = on_rows(output, Role::Cotangent, pass);
            blocks.extend(x.iter().zip(rows).map(|(&input, rows)| block_of_rows(rows, output, input, Along::Rows)));
        }
    }
    blocks
}

/// The blocks, ordered by output, from one pushforward for each element of the inputs.
fn by_leaf(x: &[Var], y: &[Var], is_written_out: &dyn Fn(Var) -> bool) -> Vec<Var> {
    let mut blocks = vec![Var::poisoned(); x.len() * y.len()];
    for (k, &input) in x.iter().enumerate() {
        let pass = |t: Var| pushforward(&[input], &[t], y);
        let column: Vec<Var> = if is_written_out(input) {
            let columns = written_out(input, Role::Tangent, y.len(), pass);
            y.iter().zip(columns).map(|(&output, columns)| block(&columns, output, input, Along::Columns)).collect()
        } else {
            let columns = on_rows(input, Role::Tangent, pass);
            let of = |(&output, columns)| block_of_rows(columns, output, input, Along::Columns);
            y.iter().zip(columns).map(of).collect()
        };
        column.into_iter().enumerate().for_each(|(j, block)| blocks[j * x.len() + k] = block);
    }
    blocks
}

/// The results of one pass for each element of `like`, by result.
fn written_out(
    like: Var,
    role: fn(Value) -> Role,
    n_results: usize,
    pass: impl Fn(Var) -> Vec<Option<Var>>,
) -> Vec<Vec<Option<Var>>> {
    let n = like.ty().size();
    let mut results: Vec<Vec<Option<Var>>> = vec![Vec::with_capacity(n); n_results];
    for position in 0..n {
        let seed = seed(like, position, role);
        results.iter_mut().zip(pass(seed)).for_each(|(results, y)| results.push(y));
    }
    results
}

/// The results of the passes for all elements of `like`, each with a leading axis for these; `None` for one that is 0.
fn on_rows(like: Var, role: fn(Value) -> Role, pass: impl FnOnce(Var) -> Vec<Option<Var>>) -> Vec<Option<Var>> {
    if trace::has_failed() {
        return pass(Var::poisoned());
    }
    let (ty, n) = (like.ty(), like.ty().size());
    let primal = value(like);
    // The pass on one vector, whatever it holds. Only what depends on nothing of it remains in use.
    let vector = trace::in_role(role(primal), || trace::placeholder(like));
    let results = pass(vector);
    let Some(pass) = Pass::between(vector, &results) else { return results };
    let vectors = |first: usize, n: usize| {
        trace::in_role(role(primal), || unit_vectors(&ty, Var::number(first as f64, places(&ty)), n))
    };
    let rows = (MAX_BLOCK / pass.widest().max(ty.size()).max(1)).max(MIN_ROWS);
    if n <= rows || pass.takes_stacks() {
        return pass.on_unit_vectors(vectors(0, n), n);
    }
    let mut parts = vec![in_blocks(&ty, n / rows, rows, &pass)];
    if n % rows > 0 {
        parts.push(pass.on_rows(vectors(n - n % rows, n % rows), n % rows));
    }
    (0..results.len())
        .map(|k| {
            let parts: Option<Vec<Var>> = parts.iter().map(|part| part.get(k).copied().flatten()).collect();
            parts.map(|parts| if let [only] = parts[..] { only } else { Var::concatenate(&parts, 0) })
        })
        .collect()
}

/// The pass on so many blocks of unit vectors, one after the other.
fn in_blocks(ty: &Type, n_blocks: usize, rows: usize, pass: &Pass) -> Vec<Option<Var>> {
    let mut known = Vec::new();
    let region = region::trace("block", &[("i".to_string(), Type::scalar(DType::I64))], |x| {
        let dtype = places(ty);
        let first = x[0].convert(dtype) * Var::number(rows as f64, dtype);
        let results = pass.on_rows(unit_vectors(ty, first, rows), rows);
        known = results.iter().map(Option::is_some).collect();
        results.iter().flatten().enumerate().map(|(k, &y)| (format!("y.{k}"), y)).collect()
    });
    let results = region.and_then(|Region { graph, captured }| {
        let op = Scan { carry: 0, xs: 0, length: Some(n_blocks), reverse: false, checkpoint: None };
        trace::apply_regions(op, &captured, vec![graph])
    });
    let mut results = results.unwrap_or_default().into_iter();
    let joined = |y: Var| {
        let shape = y.shape();
        y.reshape(&[&[n_blocks * rows], &shape[2..]].concat())
    };
    known.into_iter().map(|is| if is { results.next().map(joined) } else { None }).collect()
}

/// As many arrays of that type as rows, in each of which one element is 1 and the others are 0: the first row's element has
/// the number `first`.
fn unit_vectors(ty: &Type, first: Var, n: usize) -> Var {
    let (dtype, size) = (places(ty), ty.size());
    let shape = [n, size];
    let row = Var::iota(&shape, 0, dtype) + first;
    let is_there = row.equal(Var::iota(&shape, 1, dtype));
    is_there.convert(ty.dtype).reshape(&[&[n], &ty.shape[..]].concat())
}

/// The dtype in which places are compared. Floats are compared in lanes, and are exact up to their number of digits.
fn places(ty: &Type) -> DType {
    let exact = ty.dtype == DType::F64 || ty.size() <= 1 << f32::MANTISSA_DIGITS;
    if exact { ty.dtype } else { DType::I64 }
}

/// An array like `like` with 1 at one position and 0 elsewhere.
fn seed(like: Var, position: usize, role: fn(Value) -> Role) -> Var {
    if trace::has_failed() {
        return Var::poisoned();
    }
    let ty = like.ty();
    let element = |k: usize| Scalar::Bool(k == position).convert(ty.dtype);
    let one_hot = Array::collect(&ty, (0..ty.size()).map(element));
    trace::in_role(role(value(like)), || Var::constant(one_hot))
}

/// Whether the parts of a block are its rows or its columns.
#[derive(Clone, Copy)]
enum Along {
    Rows,
    Columns,
}

/// One block, `[output's shape…, input's shape…]`, from its rows or columns. A part that is `None` is zero.
fn block(parts: &[Option<Var>], output: Var, input: Var, along: Along) -> Var {
    if trace::has_failed() {
        return Var::poisoned();
    }
    let Place { shape, role, dtype } = Place::of(output, input, along);
    let (axis, part) = match along {
        Along::Rows => (0, [1, input.ty().size()]),
        Along::Columns => (1, [output.ty().size(), 1]),
    };
    trace::in_role(role, || match parts {
        _ if parts.iter().all(Option::is_none) => Var::number(0.0, output.dtype()).broadcast_to(&shape),
        &[Some(only)] if only.shape() == shape => to_dtype(only, output.dtype()),
        _ => {
            let zero = || Var::number(0.0, dtype).broadcast_to(&part);
            let parts: Vec<Var> = parts.iter().map(|x| x.map_or_else(zero, |x| x.reshape(&part))).collect();
            to_dtype(Var::concatenate(&parts, axis).reshape(&shape), output.dtype())
        }
    })
}

/// The same from all rows or columns, along a leading axis.
fn block_of_rows(rows: Option<Var>, output: Var, input: Var, along: Along) -> Var {
    if trace::has_failed() {
        return Var::poisoned();
    }
    let Place { shape, role, .. } = Place::of(output, input, along);
    trace::in_role(role, || match (rows, along) {
        (None, _) => Var::number(0.0, output.dtype()).broadcast_to(&shape),
        (Some(rows), Along::Rows) => to_dtype(rows.reshape(&shape), output.dtype()),
        (Some(columns), Along::Columns) => {
            let sizes = [input.ty().size(), output.ty().size()];
            to_dtype(columns.reshape(&sizes).t().reshape(&shape), output.dtype())
        }
    })
}

/// Where a block belongs.
struct Place {
    shape: Shape,
    role: Role,
    /// The dtype that the parts have before they have the output's.
    dtype: DType,
}

impl Place {
    fn of(output: Var, input: Var, along: Along) -> Place {
        let shape = output.shape().iter().chain(input.shape().iter()).copied().collect();
        match along {
            Along::Rows => Place { shape, role: Role::Cotangent(value(input)), dtype: input.dtype() },
            Along::Columns => Place { shape, role: Role::Tangent(value(output)), dtype: output.dtype() },
        }
    }
}

/// A block has the dtype of the output, even if its rows have that of the input.
fn to_dtype(x: Var, dtype: DType) -> Var {
    if x.dtype() == dtype { x } else { x.convert(dtype) }
}

/// The value of a variable, in a trace without errors.
fn value(x: Var) -> Value {
    trace::local(x).expect("bug: a poisoned variable in a trace without error")
}
