//! Local rewriting. Every identity here holds for all operands to the bit, all NaNs alike: `x + (-0)`, but not
//! `x + 0`, which is +0 for x = -0; `x · 1`, but not `x · 0`, which is NaN for x = inf.

use smallvec::{SmallVec, smallvec};

use super::rebuild::{Rewrite, rebuild};
use crate::error::Error;
use crate::ir::{NodeId, Operands, Operation, Provenance, Value};
use crate::op::{Add, BroadcastInDim, Derivative, Graph, Mul, Neg, Op, Reshape, Sub, Transpose};
use crate::value::{Array, DType, Scalar};

/// Results up to this size are computed at compile time, where all operands are constants.
const MAX_FOLDED: usize = 4096;

pub(super) fn run(graph: &Graph) -> Result<Graph, Error> {
    rebuild(graph, run, |new, copy| {
        let (op, x, provenance) = (copy.op, copy.operands, copy.provenance);
        if !copy.regions.is_empty() {
            return Ok(Rewrite::Keep);
        }
        let numbers: Numbers = x.iter().map(|&x| number(new, x)).collect();
        if let Some(value) = identity(new, op, x, &numbers) {
            return Ok(Rewrite::Value(value));
        }
        if let Some(value) = fold(new, op, x, provenance)? {
            return Ok(Rewrite::Value(value));
        }
        if let Some((op, operands)) = replace(new, op, x, &numbers, provenance)? {
            return Ok(Rewrite::Op(op, operands));
        }
        lift(new, op, x, &numbers, provenance)
    })
}

/// For each operand the number that stands everywhere in it, if it is known.
type Numbers = SmallVec<[Option<Scalar>; 3]>;

/// An operand that is itself the result.
fn identity(graph: &Graph, op: &Op, x: &Operands, numbers: &Numbers) -> Option<Value> {
    let is = |slot: usize, number: f64| is_number(numbers[slot], number);
    let unchanged = |holds: bool, slot: usize| holds.then(|| x[slot]);
    // Adding -0 changes nothing, subtracting +0 neither; integers have only one zero.
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

/// The result as a constant, if all operands are constants. Repetitions of a constant stay views of it.
fn fold(graph: &mut Graph, op: &Op, x: &Operands, provenance: &Provenance) -> Result<Option<Value>, Error> {
    let all_constant = x.iter().all(|&x| constant(graph, x).is_some());
    if x.is_empty() || !all_constant || matches!(op, Op::BroadcastInDim(_)) {
        return Ok(None);
    }
    let constants: Vec<&Array> = x.iter().filter_map(|&x| constant(graph, x)).collect();
    let types: Vec<_> = x.iter().map(|&x| graph.ty(x).clone()).collect();
    let Ok(results) = op.infer(&types) else { return Ok(None) };
    let [ty] = &results[..] else { return Ok(None) };
    if ty.size() > MAX_FOLDED {
        return Ok(None);
    }
    let value = op.eval(&constants, &results).swap_remove(0);
    let node = graph.add(Op::from_constant(value), &[], provenance.clone())?;
    Ok(Some(node.into()))
}

/// A cheaper operation with the same result.
fn replace(
    graph: &mut Graph,
    op: &Op,
    x: &Operands,
    numbers: &Numbers,
    provenance: &Provenance,
) -> Result<Option<(Op, Operands)>, Error> {
    let negated = |slot: usize| match made_by(graph, x[slot]) {
        Some((Op::Neg(_), y)) => Some(y[0]),
        _ => None,
    };
    let is = |slot: usize, wanted: f64| is_number(numbers[slot], wanted);
    let rewritten: Option<(Op, Operands)> = match op {
        Op::Add(_) => match (negated(0), negated(1)) {
            (_, Some(y)) => Some((Sub.into(), smallvec![x[0], y])),
            (Some(y), None) => Some((Sub.into(), smallvec![x[1], y])),
            (None, None) => None,
        },
        Op::Sub(_) if is(0, -0.0) => Some((Neg.into(), smallvec![x[1]])),
        Op::Sub(_) => negated(1).map(|y| (Add.into(), smallvec![x[0], y])),
        Op::Mul(_) if is(1, -1.0) => Some((Neg.into(), smallvec![x[0]])),
        Op::Mul(_) if is(0, -1.0) => Some((Neg.into(), smallvec![x[1]])),
        Op::Mul(_) | Op::Div(_) => match (negated(0), negated(1)) {
            (Some(a), Some(b)) => Some((op.clone(), smallvec![a, b])),
            // The sign of a number costs nothing.
            (Some(a), None) => match numbers[1] {
                Some(number) => {
                    let number = negative_everywhere(graph, number, x[1], provenance)?;
                    number.map(|number| (op.clone(), smallvec![a, number]))
                }
                None => None,
            },
            (None, Some(b)) => match numbers[0] {
                Some(number) => {
                    let number = negative_everywhere(graph, number, x[0], provenance)?;
                    number.map(|number| (op.clone(), smallvec![number, b]))
                }
                None => None,
            },
            (None, None) => None,
        },
        Op::Reshape(reshape) => match made_by(graph, x[0]) {
            Some((Op::Reshape(_), y)) => Some((Reshape { shape: reshape.shape.clone() }.into(), y)),
            _ => None,
        },
        Op::Transpose(outer) => match made_by(graph, x[0]) {
            Some((Op::Transpose(inner), y)) => {
                let perm = outer.perm.iter().map(|&axis| inner.perm[axis]).collect();
                Some((Transpose { perm }.into(), y))
            }
            _ => None,
        },
        Op::BroadcastInDim(outer) => match made_by(graph, x[0]) {
            Some((Op::BroadcastInDim(inner), y)) => {
                let axes = inner.axes.iter().map(|&axis| outer.axes[axis]).collect();
                Some((BroadcastInDim { shape: outer.shape.clone(), axes }.into(), y))
            }
            _ => None,
        },
        _ => None,
    };
    match rewritten {
        None => divide_by_power_of_two(graph, op, x, numbers, provenance),
        some => Ok(some),
    }
}

/// `x / 2ᵏ` as `x · 2⁻ᵏ`: both round the same real number once.
fn divide_by_power_of_two(
    graph: &mut Graph,
    op: &Op,
    x: &Operands,
    numbers: &Numbers,
    provenance: &Provenance,
) -> Result<Option<(Op, Operands)>, Error> {
    if !matches!(op, Op::Div(_)) {
        return Ok(None);
    }
    let reciprocal = match numbers[1] {
        Some(Scalar::F64(y)) if is_power_of_two(y, 52) => Scalar::F64(1.0 / y),
        Some(Scalar::F32(y)) if is_power_of_two(f64::from(y), 52) && (1.0 / y).is_normal() => Scalar::F32(1.0 / y),
        _ => return Ok(None),
    };
    let factor = everywhere(graph, reciprocal, x[1], provenance)?;
    Ok(Some((Mul.into(), smallvec![x[0], factor])))
}

/// The negative of a float, in the shape of `like`. Integers have no sign of their own.
pub(super) fn negative_everywhere(
    graph: &mut Graph,
    number: Scalar,
    like: Value,
    provenance: &Provenance,
) -> Result<Option<Value>, Error> {
    let negative = match number {
        Scalar::F64(x) => Scalar::F64(-x),
        Scalar::F32(x) => Scalar::F32(-x),
        Scalar::I64(_) | Scalar::Bool(_) => return Ok(None),
    };
    everywhere(graph, negative, like, provenance).map(Some)
}

/// A number in the shape of `like`.
fn everywhere(graph: &mut Graph, number: Scalar, like: Value, provenance: &Provenance) -> Result<Value, Error> {
    let shape = graph.ty(like).shape.clone();
    let constant = graph.add(Op::from_constant(Array::from_scalar(number)), &[], provenance.clone())?;
    if shape.rank() == 0 {
        return Ok(constant.into());
    }
    Ok(graph.add(BroadcastInDim { shape, axes: vec![] }.into(), &[constant.into()], provenance.clone())?.into())
}

/// Whether `y` and its reciprocal are normal powers of two; `bits` is the width of the fraction.
fn is_power_of_two(y: f64, bits: u32) -> bool {
    y.is_normal() && (1.0 / y).is_normal() && y.to_bits() & ((1 << bits) - 1) == 0
}

/// Computes an elementwise operation before its operands are repeated rather than after: `exp(broadcast(x))` is
/// `broadcast(exp(x))`.
fn lift(
    graph: &mut Graph,
    op: &Op,
    x: &Operands,
    numbers: &Numbers,
    provenance: &Provenance,
) -> Result<Rewrite, Error> {
    let elementwise = || matches!(op.derivative(), Derivative::Elementwise(_));
    // Nothing is repeated in a scalar, and operands of elementwise operations are of one shape.
    if x.is_empty() || graph.ty(x[0]).rank() == 0 || !elementwise() {
        return Ok(Rewrite::Keep);
    }
    if let Some(numbers) = numbers.iter().copied().collect::<Option<SmallVec<[Scalar; 3]>>>() {
        return number_everywhere(graph, op, x, numbers, provenance);
    }
    let Some((broadcast, small)) = liftable(graph, x, numbers) else { return Ok(Rewrite::Keep) };
    let mut operands = Operands::new();
    for (number, small) in numbers.iter().zip(small) {
        operands.push(match small {
            Some(value) => value,
            None => {
                let number = number.expect("bug: neither a repetition nor a number everywhere");
                spread_number(graph, number, &broadcast, provenance)?
            }
        });
    }
    let node = graph.add(op.clone(), &operands, provenance.clone())?;
    Ok(Rewrite::Op(broadcast.into(), smallvec![node.into()]))
}

/// An elementwise operation on numbers that are the same everywhere gives a number that is the same everywhere.
fn number_everywhere(
    graph: &mut Graph,
    op: &Op,
    x: &Operands,
    numbers: SmallVec<[Scalar; 3]>,
    provenance: &Provenance,
) -> Result<Rewrite, Error> {
    let numbers: Vec<Array> = numbers.into_iter().map(Array::from_scalar).collect();
    let types: Vec<_> = numbers.iter().map(Array::ty).collect();
    let Ok(results) = op.infer(&types) else { return Ok(Rewrite::Keep) };
    let value = op.eval(&numbers.iter().collect::<Vec<_>>(), &results).swap_remove(0);
    let constant = graph.add(Op::from_constant(value), &[], provenance.clone())?;
    let shape = graph.ty(x[0]).shape.clone();
    Ok(Rewrite::Op(BroadcastInDim { shape, axes: vec![] }.into(), smallvec![constant.into()]))
}

/// If every operand is the same repetition of something, or one number everywhere: that repetition, and what is
/// repeated. At least one operand is a repetition of more than a number.
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

/// A number that is everywhere in an operand, repeated only as far as the operand of `broadcast` reaches.
fn spread_number(
    graph: &mut Graph,
    number: Scalar,
    broadcast: &BroadcastInDim,
    provenance: &Provenance,
) -> Result<Value, Error> {
    let constant = graph.add(Op::from_constant(Array::from_scalar(number)), &[], provenance.clone())?;
    if broadcast.axes.is_empty() {
        return Ok(constant.into());
    }
    let shape = broadcast.axes.iter().map(|&axis| broadcast.shape[axis]).collect();
    let spread = BroadcastInDim { shape, axes: vec![] };
    Ok(graph.add(spread.into(), &[constant.into()], provenance.clone())?.into())
}

/// The operation and operands behind a value with one result.
fn made_by(graph: &Graph, x: Value) -> Option<(Op, Operands)> {
    let op = graph.node(x.node).op()?;
    // Only these are looked for, so that others are not copied.
    let sought = matches!(op, Op::Neg(_) | Op::Reshape(_) | Op::Transpose(_) | Op::BroadcastInDim(_));
    sought.then(|| (op.clone(), graph.operands(x.node)))
}

fn constant(graph: &Graph, x: Value) -> Option<&Array> {
    graph.node(x.node).op()?.constant()
}

/// The number that stands everywhere in a value: a constant of one element, or a repetition of one.
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

/// Whether a number is that one, to the bit.
fn is_number(number: Option<Scalar>, wanted: f64) -> bool {
    number.is_some_and(|x| x.bits() == Scalar::F64(wanted).convert(x.dtype()).bits())
}

#[cfg(test)]
mod tests {
    use crate::op::trace::{self, record};
    use crate::op::{Graph, Var};
    use crate::optimize::optimize;
    use crate::value::{DType, Type};

    fn optimized(f: impl FnOnce(Var) -> Var) -> String {
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", Type::new(DType::F64, [3])).unwrap();
        let (mut graph, y) = record(graph, 1000, None, || f(trace::variable(x))).unwrap();
        graph.strip_source_lines();
        graph.add_output("y", y.value().unwrap());
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
        assert_eq!(optimized(|x| x + -x), "%0: f64[3] = sub %x %x; return y: f64[3] = %0");
    }

    #[test]
    fn equal_values_are_computed_once() {
        assert_eq!(
            optimized(|x| (x.exp() + x) * (x + x.exp())),
            "%0: f64[3] = exp %x; %1: f64[3] = add %0 %x; %2: f64[3] = mul %1 %1; return y: f64[3] = %2"
        );
    }

    #[test]
    fn elementwise_work_is_done_before_repetition() {
        let listing = optimized(|x| (x.broadcast_to(&[4, 3]) * 2.0).exp());
        assert!(listing.contains("exp %2; %4: f64[4,3] = broadcast_in_dim %3"), "{listing}");
    }
}
