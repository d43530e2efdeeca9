//! Operations on small arrays, element by element: an array is as many registers as it has elements.
//!
//! Straight-line code and control flow in registers are made of these. What only moves elements costs nothing.

use crate::compile::schedule::calls::MIN_IN_CALL;
use crate::emit::{Emitter, Reg, signed, unsigned};
use crate::math;
use crate::op::{DotGeneral, Layout, Lowering, Op, ScatterSlices, View, reduce_in_order};
use crate::value::{Array, DType, Scalar, Type};

/// Two functions of several elements: for each result that is wanted which of the two it is of, and of which element.
pub fn both(e: &mut Emitter<'_>, couple: math::Couple, x: &[Reg], wanted: &[(usize, usize)]) -> Vec<Reg> {
    if x.len() >= MIN_IN_CALL {
        return e.couple_many(couple, x, wanted);
    }
    let results: Vec<[Reg; 2]> = x.iter().map(|&x| e.couple(couple, x)).collect();
    wanted.iter().map(|&(function, k)| results[k][function]).collect()
}

/// The elements of the result from those of the operands, all in so many lanes.
pub fn compute(e: &mut Emitter<'_>, op: &Op, x: &[Vec<Reg>], operands: &[&Type], result: &Type, lanes: u8) -> Vec<Reg> {
    let each = |e: &mut Emitter<'_>, f: &dyn Fn(&mut Emitter<'_>, &[Reg]) -> Reg| -> Vec<Reg> {
        (0..result.size()).map(|k| f(e, &x.iter().map(|x| x[k]).collect::<Vec<Reg>>())).collect()
    };
    match op.lower() {
        Lowering::Elementwise => each(e, &|e, x| op.code(e, x)),
        Lowering::Math1(f) => each(e, &|e, x| e.math1(f, x[0])),
        Lowering::Math2(f) => each(e, &|e, x| e.math2(f, x[0], x[1])),
        Lowering::Constant(value) => value.elements().map(|x| e.constant(x, lanes)).collect(),
        Lowering::View(view) => view_of(view, operands[0]).map(|place| x[0][place]).collect(),
        Lowering::Reduce { monoid, axes } => {
            let identity = e.constant(monoid.identity(result.dtype), lanes);
            reduce_in_order(&operands[0].shape, axes, identity, &x[0], |x, y| monoid.emit(e, x, y))
        }
        Lowering::Assemble(_) => {
            let all = x.concat();
            moved(op, operands, result).into_iter().map(|from| all[from]).collect()
        }
        Lowering::Generate(_) => {
            let numbers = op.eval_inferred(&[], std::slice::from_ref(result)).swap_remove(0);
            numbers.elements().map(|x| e.constant(x, lanes)).collect()
        }
        Lowering::Scatter(scatter) => {
            let zero = e.constant(Scalar::F64(0.0).convert(result.dtype), lanes);
            add_slices(e, scatter, x, operands, vec![zero; result.size()])
        }
        Lowering::Contract(op) => {
            let zero = e.constant(Scalar::F64(0.0).convert(result.dtype), lanes);
            dot(e, op, x, operands, zero)
        }
        Lowering::Matrix(matrix) => matrix.code(e, x, operands),
        Lowering::Library(_) | Lowering::Checked(_) | Lowering::External(_) | Lowering::Control => {
            unreachable!("bug: {} in registers", op.name())
        }
    }
}

fn add_slices(
    e: &mut Emitter<'_>,
    op: &ScatterSlices,
    x: &[Vec<Reg>],
    operands: &[&Type],
    zeros: Vec<Reg>,
) -> Vec<Reg> {
    let mut sums = zeros;
    for (slot, x) in x.iter().enumerate() {
        for (place, &x) in op.places(slot, &operands[slot].shape).into_iter().zip(x) {
            sums[place] = e.add(sums[place], x);
        }
    }
    sums
}

/// Sums of products, from left to right.
fn dot(e: &mut Emitter<'_>, op: &DotGeneral, x: &[Vec<Reg>], operands: &[&Type], zero: Reg) -> Vec<Reg> {
    let mut results = Vec::new();
    for pairs in op.pairs(&operands[0].shape, &operands[1].shape) {
        let sum = pairs.into_iter().fold(zero, |sum, (i, j)| {
            let product = e.mul(x[0][i], x[1][j]);
            e.add(sum, product)
        });
        results.push(sum);
    }
    results
}

/// The places of a view's elements in its operand, which lies in row-major order.
fn view_of(view: &dyn View, operand: &Type) -> impl Iterator<Item = usize> {
    let layout = view.view(&Layout::row_major(&operand.shape)).expect("bug: a view of a row-major array");
    layout.places().map(isize::unsigned_abs).collect::<Vec<usize>>().into_iter()
}

/// For an operation that only moves elements, where each element of the result comes from, the operands' elements counted
/// one operand after the other: the operation itself says so, applied to these numbers.
fn moved(op: &Op, types: &[&Type], ty: &Type) -> Vec<usize> {
    let mut next = 0;
    let numbered: Vec<Array> = types
        .iter()
        .map(|ty| {
            let first = next;
            next += signed(ty.size());
            Array::collect(&ty.with_dtype(DType::I64), (first..next).map(Scalar::I64))
        })
        .collect();
    let moved = op.eval_inferred(&numbered.iter().collect::<Vec<_>>(), &[ty.with_dtype(DType::I64)]).swap_remove(0);
    let places = moved.as_slice::<i64>().expect("bug: numbers of another dtype");
    places.iter().map(|&place| unsigned(place)).collect()
}
