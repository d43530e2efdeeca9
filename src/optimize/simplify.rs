//! Local rewriting and common-subexpression elimination. Every identity here is exact to the bit for all operands, with
//! all NaNs equal: `x + (-0)`, but not `x + 0`, which is +0 for x = -0; `x · 1`, but not `x · 0`, which is NaN for x =
//! inf.

use smallvec::{SmallVec, smallvec};

use super::cse::{Builder, Known};
use super::narrow::{Fitted, fitted};
use super::rebuild::{Copy, Rewrite, Run, rebuild};
use super::slices::{gather_of_sums, sums_of_slices};
use crate::error::Error;
use crate::ir::{NodeId, Operands, Operation, Value};
use crate::op::{
    Add, BroadcastInDim, Derivative, Fma, Graph, Iota, Mul, Neg, Op, Reshape, Strong, StrongFma, StrongMul, Sub,
    Transpose,
};
use crate::stack;
use crate::value::{Array, DType, Scalar};

/// Results of up to this many elements are folded if all operands are constants and the run's total allows it
/// ([`Run::folds`]).
const MAX_FOLDED: usize = 4096;

pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    stack::for_levels(graph.depth(), || run_in(graph, &Run::default()))
}

/// Simplifies a graph with the state of an enclosing run.
pub(super) fn run_in(graph: &Graph, run: &Run) -> Result<Graph, Error> {
    let mut known = Known::new(graph.n_nodes());
    let pass = |region: &Graph| run_in(region, run);
    let (fitted, sums_of_slices) = (fitted(graph), sums_of_slices(graph));
    let simple = rebuild(graph, run, pass, |new, copy| {
        if sums_of_slices.contains(&copy.id)
            && let Some((gather, operands, provenance)) = gather_of_sums(new, copy.op, copy.operands[0])
        {
            return Ok(Rewrite::Value(known.builder(new, &provenance).add(gather.into(), &operands)?));
        }
        let mut new = known.builder(new, copy.provenance);
        match fitted.get(&copy.id) {
            Some(fitted) => fit(&mut new, copy, fitted),
            None => rewrite(&mut new, copy, run),
        }
    })?;
    // An identity may leave operands without uses.
    Ok(simple.without_unneeded())
}

/// The operation that gives the used results for the least.
fn fit(new: &mut Builder<'_>, copy: &Copy<'_>, fitted: &Fitted) -> Result<Rewrite, Error> {
    let first = new.add(fitted.op.clone(), copy.operands)?;
    let place = |place: &Option<u16>| place.map(|result| Value { result, ..first });
    Ok(Rewrite::Values(fitted.places.iter().map(place).collect()))
}

fn rewrite(new: &mut Builder<'_>, copy: &Copy<'_>, run: &Run) -> Result<Rewrite, Error> {
    let (op, x) = (copy.op, copy.operands);
    if copy.regions.is_empty() {
        let numbers: Numbers = x.iter().map(|&x| number(new.graph, x)).collect();
        if let Some(value) = identity(new.graph, op, x, &numbers) {
            return Ok(Rewrite::Value(value));
        }
        if let Some(value) = fold(new, op, x, run)? {
            return Ok(Rewrite::Value(value));
        }
        if let Some((op, operands)) = replace(new, op, x, &numbers)? {
            return Ok(Rewrite::Value(new.add(op, &operands)?));
        }
        if let Some(value) = lift(new, op, x, &numbers)? {
            return Ok(Rewrite::Value(value));
        }
    }
    Ok(Rewrite::Node(new.copy(copy)?))
}

/// For each operand, the number that all its elements equal, if that is known.
type Numbers = SmallVec<[Option<Scalar>; 3]>;

/// The operand that equals the result, if there is one.
fn identity(graph: &Graph, op: &Op, x: &Operands, numbers: &Numbers) -> Option<Value> {
    let is = |slot: usize, number: f64| is_number(numbers[slot], number);
    let unchanged = |holds: bool, slot: usize| holds.then(|| x[slot]);
    // `x + (-0)` and `x - (+0)` are x; integers have only one zero.
    let integer = || graph.ty(x[0]).dtype == DType::I64;
    match op {
        Op::Alias(_) => Some(x[0]),
        Op::Add(_) if is(1, -0.0) || integer() && is(1, 0.0) => Some(x[0]),
        Op::Add(_) if is(0, -0.0) || integer() && is(0, 0.0) => Some(x[1]),
        Op::Sub(_) => unchanged(is(1, 0.0), 0),
        Op::Mul(_) if is(1, 1.0) => Some(x[0]),
        Op::Mul(_) if is(0, 1.0) => Some(x[1]),
        Op::Div(_) => unchanged(is(1, 1.0), 0),
        Op::Neg(_) => match made_by(graph, x[0]) {
            Some((Op::Neg(_), y)) => Some(y[0]),
            _ => None,
        },
        Op::Select(_) if x[1] == x[2] => Some(x[1]),
        Op::Select(_) => match numbers[0]? {
            Scalar::Bool(true) => Some(x[1]),
            Scalar::Bool(false) => Some(x[2]),
            _ => None,
        },
        Op::Convert(convert) => unchanged(convert.dtype == graph.ty(x[0]).dtype, 0),
        Op::Reshape(reshape) => unchanged(reshape.shape == graph.ty(x[0]).shape, 0),
        Op::BroadcastInDim(broadcast) => unchanged(broadcast.shape == graph.ty(x[0]).shape, 0),
        Op::Transpose(transpose) => unchanged(transpose.perm.is_sorted(), 0),
        Op::Reverse(reverse) => unchanged(reverse.axes.is_empty(), 0),
        Op::Slice(slice) => {
            let whole = slice.start.iter().all(|&start| start == 0) && slice.stride.iter().all(|&stride| stride == 1);
            unchanged(whole && slice.limit == graph.ty(x[0]).shape.extents(), 0)
        }
        Op::IntegerPow(power) => unchanged(power.exponent == 1, 0),
        _ => None,
    }
}

/// The result as a constant, if all operands are constants. A broadcast constant stays a view.
fn fold(new: &mut Builder<'_>, op: &Op, x: &Operands, run: &Run) -> Result<Option<Value>, Error> {
    let all_constant = x.iter().all(|&x| constant(new.graph, x).is_some());
    // A function of the host may be another when the graph runs.
    if x.is_empty() || !all_constant || matches!(op, Op::BroadcastInDim(_) | Op::External(_)) {
        return Ok(None);
    }
    let constants: Vec<&Array> = x.iter().filter_map(|&x| constant(new.graph, x)).collect();
    let types: Vec<_> = x.iter().map(|&x| new.graph.ty(x).clone()).collect();
    let Ok(results) = op.infer(&types, &[]) else { return Ok(None) };
    let [ty] = &results[..] else { return Ok(None) };
    // A number takes less memory than a node, so only larger results count.
    if ty.size() > MAX_FOLDED || ty.size() > 1 && !run.folds(ty.size() * ty.dtype.size()) {
        return Ok(None);
    }
    // What fails does so when the graph runs, if it gets there.
    let Ok(mut values) = op.try_eval(&constants, &results) else { return Ok(None) };
    let value = values.swap_remove(0);
    new.add(Op::from_constant(value), &[]).map(Some)
}

/// A cheaper operation with the same result.
fn replace(new: &mut Builder<'_>, op: &Op, x: &Operands, numbers: &Numbers) -> Result<Option<(Op, Operands)>, Error> {
    let is = |slot: usize, wanted: f64| is_number(numbers[slot], wanted);
    let negated = |new: &Builder<'_>, slot: usize| match made_by(new.graph, x[slot]) {
        Some((Op::Neg(_), y)) => Some(y[0]),
        _ => None,
    };
    Ok(match op {
        Op::Add(_) => match (negated(new, 0), negated(new, 1)) {
            (_, Some(y)) => Some((Sub.into(), smallvec![x[0], y])),
            (Some(y), None) => Some((Sub.into(), smallvec![x[1], y])),
            (None, None) => None,
        },
        Op::Sub(_) if is(0, -0.0) => Some((Neg.into(), smallvec![x[1]])),
        Op::Sub(_) => negated(new, 1).map(|y| (Add.into(), smallvec![x[0], y])),
        // A number other than 0 has no zeros that could be strong.
        Op::StrongMul(strong) => match occurring(strong.zeros, numbers) {
            Some(zeros) if zeros == strong.zeros => None,
            Some(zeros) => Some((StrongMul { zeros }.into(), x.clone())),
            None => Some((Mul.into(), x.clone())),
        },
        Op::StrongFma(strong) => match occurring(strong.zeros, numbers) {
            Some(zeros) if zeros == strong.zeros => None,
            Some(zeros) => Some((StrongFma { zeros }.into(), x.clone())),
            None => Some((Fma.into(), x.clone())),
        },
        Op::Mul(_) if is(1, -1.0) => Some((Neg.into(), smallvec![x[0]])),
        Op::Mul(_) if is(0, -1.0) => Some((Neg.into(), smallvec![x[1]])),
        Op::Mul(_) | Op::Div(_) => {
            // Negating a constant costs nothing.
            let number = |slot: usize| numbers[slot].and_then(negative).map(|number| (number, x[slot]));
            let operands = match [negated(new, 0), negated(new, 1)] {
                [Some(a), Some(b)] => Some(smallvec![a, b]),
                [Some(a), None] if let Some((number, like)) = number(1) => {
                    Some(smallvec![a, new.everywhere(number, like)?])
                }
                [None, Some(b)] if let Some((number, like)) = number(0) => {
                    Some(smallvec![new.everywhere(number, like)?, b])
                }
                _ => None,
            };
            match (operands, op, numbers[1].and_then(reciprocal)) {
                (Some(operands), ..) => Some((op.clone(), operands)),
                (None, Op::Div(_), Some(number)) => Some((Mul.into(), smallvec![x[0], new.everywhere(number, x[1])?])),
                _ => None,
            }
        }
        Op::Reshape(reshape) => match made_by(new.graph, x[0]) {
            Some((Op::Reshape(_), y)) => Some((Reshape { shape: reshape.shape.clone() }.into(), y)),
            _ => None,
        },
        Op::Transpose(outer) => match made_by(new.graph, x[0]) {
            Some((Op::Transpose(inner), y)) => {
                let perm = outer.perm.iter().map(|&axis| inner.perm[axis]).collect();
                Some((Transpose { perm }.into(), y))
            }
            _ => None,
        },
        // Counted once, along its axis.
        Op::Iota(iota) if iota.shape.rank() > 1 => {
            let n = iota.shape.extents()[iota.axis];
            let line = new.add(Iota { shape: [n].into(), axis: 0, dtype: iota.dtype }.into(), &[])?;
            Some((BroadcastInDim { shape: iota.shape.clone(), axes: vec![iota.axis] }.into(), smallvec![line]))
        }
        Op::BroadcastInDim(outer) => match made_by(new.graph, x[0]) {
            Some((Op::BroadcastInDim(inner), y)) => {
                let axes = inner.axes.iter().map(|&axis| outer.axes[axis]).collect();
                Some((BroadcastInDim { shape: outer.shape.clone(), axes }.into(), y))
            }
            _ => None,
        },
        _ => None,
    })
}

/// The operands whose strong zeros may occur.
fn occurring(zeros: Strong, numbers: &Numbers) -> Option<Strong> {
    let is_zero = |x: Scalar| is_number(Some(x), 0.0) || is_number(Some(x), -0.0);
    Strong::of([0, 1].map(|slot| zeros.holds(slot) && numbers[slot].is_none_or(is_zero)))
}

/// The negative of a float; `None` for integers and booleans.
pub(super) fn negative(number: Scalar) -> Option<Scalar> {
    match number {
        Scalar::F64(x) => Some(Scalar::F64(-x)),
        Scalar::F32(x) => Some(Scalar::F32(-x)),
        Scalar::I64(_) | Scalar::Bool(_) => None,
    }
}

/// The reciprocal of a power of two: `x / 2ᵏ` is `x · 2⁻ᵏ`, since both round the same real number once.
fn reciprocal(number: Scalar) -> Option<Scalar> {
    match number {
        Scalar::F64(y) if is_power_of_two(y, 52) => Some(Scalar::F64(1.0 / y)),
        Scalar::F32(y) if is_power_of_two(f64::from(y), 52) && (1.0 / y).is_normal() => Some(Scalar::F32(1.0 / y)),
        _ => None,
    }
}

/// Whether `y` and its reciprocal are normal powers of two; `bits` is the width of the fraction.
fn is_power_of_two(y: f64, bits: u32) -> bool {
    y.is_normal() && (1.0 / y).is_normal() && y.to_bits() & ((1 << bits) - 1) == 0
}

/// Moves an elementwise operation before a broadcast: `exp(broadcast(x))` becomes `broadcast(exp(x))`.
fn lift(new: &mut Builder<'_>, op: &Op, x: &Operands, numbers: &Numbers) -> Result<Option<Value>, Error> {
    let elementwise = || matches!(op.derivative(), Derivative::Elementwise(_));
    // A scalar is not a broadcast; the operands of an elementwise operation have the same shape.
    if x.is_empty() || new.graph.ty(x[0]).rank() == 0 || !elementwise() {
        return Ok(None);
    }
    if let Some(numbers) = numbers.iter().copied().collect::<Option<SmallVec<[Scalar; 3]>>>() {
        return number_everywhere(new, op, x, numbers);
    }
    let Some((broadcast, small)) = liftable(new.graph, x, numbers) else { return Ok(None) };
    let mut operands = Operands::new();
    for (number, small) in numbers.iter().zip(small) {
        operands.push(match small {
            Some(value) => value,
            None => {
                // Broadcast to the shape of the operand of `broadcast` only.
                let number = number.expect("bug: neither a broadcast nor a uniform operand");
                new.spread(number, broadcast.axes.iter().map(|&axis| broadcast.shape[axis]).collect())?
            }
        });
    }
    let lifted = new.add(op.clone(), &operands)?;
    new.add(broadcast.into(), &[lifted]).map(Some)
}

/// Folds an elementwise operation on uniform operands, whose result is uniform.
fn number_everywhere(
    new: &mut Builder<'_>,
    op: &Op,
    x: &Operands,
    numbers: SmallVec<[Scalar; 3]>,
) -> Result<Option<Value>, Error> {
    let numbers: Vec<Array> = numbers.into_iter().map(Array::from_scalar).collect();
    let types: Vec<_> = numbers.iter().map(Array::ty).collect();
    let Ok(results) = op.infer(&types, &[]) else { return Ok(None) };
    let value = op.eval_inferred(&numbers.iter().collect::<Vec<_>>(), &results).swap_remove(0);
    let number = value.get(0).expect("bug: a number without an element");
    new.everywhere(number, x[0]).map(Some)
}

/// If every operand is uniform or the result of the same broadcast: that broadcast and its operands, `None` for uniform
/// ones. At least one operand is a broadcast that is not uniform.
fn liftable(graph: &Graph, x: &Operands, numbers: &Numbers) -> Option<(BroadcastInDim, SmallVec<[Option<Value>; 3]>)> {
    let mut common: Option<BroadcastInDim> = None;
    let mut small = SmallVec::new();
    for (&x, number) in x.iter().zip(numbers) {
        match made_by(graph, x) {
            Some((Op::BroadcastInDim(broadcast), y)) if number.is_none() => {
                if common.as_ref().is_some_and(|common| *common != *broadcast) {
                    return None;
                }
                common = Some(*broadcast);
                small.push(Some(y[0]));
            }
            _ => {
                (*number)?;
                small.push(None);
            }
        }
    }
    Some((common?, small))
}

/// The operation that computes a value, and its operands, if it is one of the four that the rewrites look for.
fn made_by(graph: &Graph, x: Value) -> Option<(Op, Operands)> {
    let op = graph.node(x.node).op()?;
    // Others are not cloned.
    let sought = matches!(op, Op::Neg(_) | Op::Reshape(_) | Op::Transpose(_) | Op::BroadcastInDim(_));
    sought.then(|| (op.clone(), graph.operands(x.node)))
}

fn constant(graph: &Graph, x: Value) -> Option<&Array> {
    graph.node(x.node).op()?.constant()
}

/// The number that all elements of a value equal, if it is a constant of one element, broadcast or reshaped.
pub(super) fn number(graph: &Graph, x: Value) -> Option<Scalar> {
    let mut node: NodeId = x.node;
    loop {
        match graph.node(node).op()? {
            Op::Constant(constant) if constant.value.size() == 1 => return constant.value.get(0),
            Op::BroadcastInDim(_) | Op::Reshape(_) => node = graph.operands(node)[0].node,
            _ => return None,
        }
    }
}

/// Whether a number equals `wanted` bit for bit.
fn is_number(number: Option<Scalar>, wanted: f64) -> bool {
    number.is_some_and(|x| x.bits() == Scalar::F64(wanted).convert(x.dtype()).bits())
}

#[cfg(test)]
mod tests {
    use crate::op::trace::{self, record};
    use crate::op::{Graph, Strong, StrongMul, Var};
    use crate::optimize::optimize;
    use crate::value::{DType, Type};

    fn optimized(f: impl FnOnce(Var) -> Var) -> String {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::new(DType::F64, [3])).unwrap();
        let (mut graph, y) = record(graph, 1000, None, || f(trace::variable(x))).unwrap();
        graph.strip_source_lines();
        graph.add_output("y", y.value().unwrap()).unwrap();
        let listing = optimize(&graph).unwrap().to_string();
        listing.lines().skip(1).map(str::trim).filter(|line| *line != "}").collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn exact_identities_apply_and_others_do_not() {
        assert_eq!(optimized(|x| (x * 1.0) / 1.0 - 0.0), "return y: f64[3] = %x");
        assert_eq!(optimized(|x| -(-x)), "return y: f64[3] = %x");
        assert!(optimized(|x| x + 0.0).contains("add %x"), "x + 0 is not x at -0");
        assert!(optimized(|x| x * 0.0).contains("mul %x"), "x · 0 is not 0 at inf");
        assert!(optimized(|x| x / 4.0).contains("constant 0.25"));
        assert!(optimized(|x| x / 3.0).contains("div %x"));
        let rows = |x: Var| x + Var::iota(&[2, 3], 0, DType::F64) * 2.0;
        assert!(optimized(rows).contains("iota shape=[2]"), "{}", optimized(rows));
        assert_eq!(optimized(|x| x + -x), "%0: f64[3] = sub %x %x; return y: f64[3] = %0");
        let strong = |zeros, x: Var, y: Var| trace::apply(StrongMul { zeros }, &[x, y]);
        assert!(optimized(|x| strong(Strong::Lhs, x.full_like(2.0), x)).contains(" = mul "));
        assert!(optimized(|x| strong(Strong::Lhs, x.full_like(-0.0), x)).contains("zeros=\"lhs\""));
        assert!(optimized(|x| strong(Strong::Either, x, x.full_like(f64::NAN))).contains("zeros=\"lhs\""));
        assert!(optimized(|x| strong(Strong::Either, x.full_like(2.0), x)).contains("zeros=\"rhs\""));
    }

    #[test]
    fn equal_values_are_computed_once() {
        assert_eq!(
            optimized(|x| (x.exp() + x) * (x + x.exp())),
            "%0: f64[3] = exp %x; %1: f64[3] = add %0 %x; %2: f64[3] = mul %1 %1; return y: f64[3] = %2"
        );
    }

    #[test]
    fn elementwise_operations_move_before_broadcasts() {
        let listing = optimized(|x| (x.broadcast_to(&[4, 3]) * 2.0).exp());
        assert!(listing.contains("exp %2; %4: f64[4,3] = broadcast_in_dim %3"), "{listing}");
    }
}
