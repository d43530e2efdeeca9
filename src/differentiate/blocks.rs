use super::{pullback, pushforward};
use crate::ir::{Role, Value};
use crate::op::{Var, trace};
use crate::value::{Array, DType, Scalar, Shape};

/// Appends the Jacobian of `y` by `x` to the open trace: a block for each pair, of shape `[y's shape…, x's shape…]`,
/// ordered by output. It takes one pushforward for each element of `x`, or one pullback for each element of `y`.
///
/// Each pass adds at least one node per block. If there are too many for the limit on nodes, the error comes before the
/// first pass.
#[track_caller]
pub(crate) fn jacobian_blocks(x: &[Var], y: &[Var], forward: bool) -> Vec<Var> {
    let (passes, others) = if forward { (x, y) } else { (y, x) };
    let n_passes = passes.iter().map(|x| x.ty().size()).fold(0, usize::saturating_add);
    trace::demand_nodes((n_passes as u64).saturating_mul(others.len() as u64));
    if forward { columns(x, y) } else { rows(x, y) }
}

/// Whether fewer pushforwards than pullbacks are necessary.
pub(crate) fn forward_is_cheaper(x: &[Var], y: &[Var]) -> bool {
    let n_elements = |vars: &[Var]| vars.iter().map(|x| x.ty().size()).fold(0, usize::saturating_add);
    n_elements(x) <= n_elements(y)
}

/// The blocks of the Jacobian, ordered by output, from one pullback for each element of the outputs.
fn rows(x: &[Var], y: &[Var]) -> Vec<Var> {
    let mut blocks = Vec::new();
    for &output in y {
        let n = output.ty().size();
        let mut rows: Vec<Vec<Option<Var>>> = vec![Vec::with_capacity(n); x.len()];
        for position in 0..n {
            let seed = seed(output, position, Role::Cotangent);
            for (rows, ct) in rows.iter_mut().zip(pullback(x, &[output], &[seed])) {
                rows.push(ct);
            }
        }
        blocks.extend(x.iter().zip(rows).map(|(&input, rows)| block(&rows, output, input, Along::Rows)));
    }
    blocks
}

/// The blocks of the Jacobian, ordered by output, from one pushforward for each element of the inputs.
fn columns(x: &[Var], y: &[Var]) -> Vec<Var> {
    let mut blocks = vec![Var::poisoned(); x.len() * y.len()];
    for (k, &input) in x.iter().enumerate() {
        let n = input.ty().size();
        let mut columns: Vec<Vec<Option<Var>>> = vec![Vec::with_capacity(n); y.len()];
        for position in 0..n {
            let seed = seed(input, position, Role::Tangent);
            for (columns, t) in columns.iter_mut().zip(pushforward(&[input], &[seed], y)) {
                columns.push(t);
            }
        }
        for (j, (&output, columns)) in y.iter().zip(columns).enumerate() {
            blocks[j * x.len() + k] = block(&columns, output, input, Along::Columns);
        }
    }
    blocks
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
    let (out, own) = (output.ty(), input.ty());
    let shape: Shape = out.shape.iter().chain(own.shape.iter()).copied().collect();
    let (role, axis, part, dtype) = match along {
        Along::Rows => (Role::Cotangent(value(input)), 0, [1, own.size()], own.dtype),
        Along::Columns => (Role::Tangent(value(output)), 1, [out.size(), 1], out.dtype),
    };
    trace::in_role(role, || match parts {
        _ if parts.iter().all(Option::is_none) => Var::number(0.0, out.dtype).broadcast_to(&shape),
        &[Some(only)] if only.shape() == shape => to_dtype(only, out.dtype),
        _ => {
            let zero = || Var::number(0.0, dtype).broadcast_to(&part);
            let parts: Vec<Var> = parts.iter().map(|x| x.map_or_else(zero, |x| x.reshape(&part))).collect();
            to_dtype(Var::concatenate(&parts, axis).reshape(&shape), out.dtype)
        }
    })
}

/// A block has the dtype of the output, even if its rows have that of the input.
fn to_dtype(x: Var, dtype: DType) -> Var {
    if x.dtype() == dtype { x } else { x.convert(dtype) }
}

/// The value of a variable, in a trace without errors.
fn value(x: Var) -> Value {
    trace::local(x).expect("bug: a poisoned variable in a trace without error")
}
