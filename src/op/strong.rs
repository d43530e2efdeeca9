//! Products with a strong zero: what derivatives are multiplied with where a factor may be infinite or NaN.
//!
//! What is exactly zero in a cotangent or a tangent passes nothing on, whatever the partial derivative is. A plain product
//! would turn `0 · inf` into NaN, as at the elements that a `select` leaves out. The term is Enzyme's ("strong zero"; so
//! are the "hard zeros" of Julia's ChainRules).

use std::num::FpCategory;

use ndarray::ArrayViewD;
use serde::{Deserialize, Serialize};

use super::contract::{DotGeneral, is_identity};
use super::instructions::Instructions;
use super::rules::{
    Answer, Derivative, Doc, Elementwise, Examples, Facts, General, Library, Lowering, Partial, Rules, Sample,
    eval_library, floats, literal,
};
use super::trace::{self, apply};
use super::{BroadcastInDim, Var};
use crate::ir::{Mismatch, Signature, Types};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Scalar, Shape, Type};

/// Which operand of a product annihilates the other where it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strong {
    /// The first.
    Lhs,
    /// The second.
    Rhs,
    /// Either of them.
    Either,
}

impl Strong {
    /// The operand in that slot.
    pub(super) fn slot(slot: usize) -> Strong {
        if slot == 0 { Strong::Lhs } else { Strong::Rhs }
    }

    /// Whether zeros of the operand in that slot annihilate the other.
    pub(crate) fn holds(self, slot: usize) -> bool {
        self == Strong::Either || self == Strong::slot(slot)
    }

    /// The partial derivative may itself be a cotangent or tangent of an earlier mode, of which an exact zero passes nothing
    /// on either, though what flows now may be infinite there.
    fn here(self, operands: [Var; 2]) -> Strong {
        let may_be_linear = |slot: usize| !self.holds(slot) && trace::may_be_linear(operands[slot]);
        if trace::is_derived() && (0..2).any(may_be_linear) { Strong::Either } else { self }
    }

    /// That of the product in which a tangent takes the place of the operand in that slot: what was a partial derivative
    /// counts only where both its tangent and what it was multiplied with are not 0.
    fn of_tangent(self, slot: usize) -> Strong {
        if self == Strong::slot(slot) { self } else { Strong::Either }
    }
}

/// `x · y`, elementwise, and 0 where an operand that annihilates is 0, even if the other is infinite or NaN.
///
/// Derivative rules multiply with it where a partial derivative may be infinite or NaN; which operand holds the cotangent
/// or tangent, `zeros` says.
///
/// # Derivative
/// By the annihilating operand it is the other one; what flows to the other one is annihilated by the zeros of either the
/// cotangent or the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrongMul {
    /// Whose zeros annihilate.
    pub zeros: Strong,
}

impl Elementwise for StrongMul {
    const NAME: &'static str = "strong_mul";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        match x {
            [Scalar::F64(x), Scalar::F64(y)] => Scalar::F64(x.strong_times(*y, self.zeros)),
            [Scalar::F32(x), Scalar::F32(y)] => Scalar::F32(x.strong_times(*y, self.zeros)),
            other => unreachable!("bug: operands {other:?} passed inference"),
        }
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        let other = x[1 - slot];
        if self.zeros == Strong::slot(slot) { Partial::Of(other) } else { Partial::Vanishing(other) }
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let zeros = self.zeros;
        let product = i.mul(x[0], x[1]);
        (0..2).filter(|&slot| zeros.holds(slot)).fold(product, |product, slot| i.zero_where_zero(product, x[slot]))
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "x · y, and 0 where an operand that annihilates is 0, even if the other is infinite or NaN",
                derivative: "y, x, with the same zeros",
                accuracy: "correctly rounded",
            },
            floats: &[
                (&[1.5, -2.25], -3.375),
                (&[0.0, f64::INFINITY], 0.0),
                (&[-0.0, f64::NAN], 0.0),
                (&[0.0, -1.0], 0.0),
                (&[f64::INFINITY, 0.0], f64::NAN),
                (&[f64::NAN, 0.0], f64::NAN),
                (&[5e-324, f64::INFINITY], f64::INFINITY),
            ],
            integers: &[],
            domain: &[(0.1, 2.0), (0.1, 3.0)],
            ulps: 0,
        }
    }

    fn instances() -> Vec<StrongMul> {
        [Strong::Lhs, Strong::Rhs, Strong::Either].map(|zeros| StrongMul { zeros }).into()
    }
}

/// [`DotGeneral`], in which a product counts as 0 where an operand that annihilates is 0, even if the other is infinite or
/// NaN.
///
/// Derivative rules contract with it where a factor may be infinite or NaN. Where all are finite, it is the plain
/// contraction, at the price of looking at them.
///
/// # Constraints
/// Those of [`DotGeneral`], for floating-point numbers.
///
/// # Order
/// That of [`DotGeneral`] where no number is infinite or NaN that could be annihilated; else from left to right.
///
/// # Derivative
/// Bilinear, with the zeros of [`StrongMul`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrongDot {
    /// The axes of `lhs` and of `rhs` that are summed over, in pairs.
    pub contract: [Vec<usize>; 2],
    /// The axes of `lhs` and of `rhs` that run side by side, in pairs.
    pub batch: [Vec<usize>; 2],
    /// Whose zeros annihilate.
    pub zeros: Strong,
}

impl StrongDot {
    fn new(DotGeneral { contract, batch }: DotGeneral, zeros: Strong) -> StrongDot {
        StrongDot { contract, batch, zeros }
    }

    fn plain(&self) -> DotGeneral {
        DotGeneral { contract: self.contract.clone(), batch: self.batch.clone() }
    }
}

impl Rules for StrongDot {
    const NAME: &'static str = "strong_dot_general";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let results = self.plain().infer(operands, &[])?;
        floats(&[results[0].dtype])?;
        Ok(results)
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::General(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Library(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "dot_general with the products of strong_mul",
            derivative: "bilinear, with the same zeros",
            accuracy: "that of dot_general; from left to right where a number is infinite or NaN",
        }
    }

    fn examples() -> Examples {
        let matrix = |zeros| StrongDot { contract: [vec![1], vec![0]], batch: [vec![], vec![]], zeros };
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let answer = |zeros, x: [f64; 4], y: [f64; 4], z: [f64; 4]| Answer {
            op: matrix(zeros).into(),
            operands: vec![literal([2, 2], x), literal([2, 2], y)],
            results: vec![literal([2, 2], z)],
            ulps: 0,
            regions: vec![],
        };
        let answers = vec![
            answer(Strong::Lhs, [1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [19.0, 22.0, 43.0, 50.0]),
            answer(Strong::Lhs, [1.0, 0.0, 0.0, 2.0], [inf, 3.0, nan, 4.0], [inf, 3.0, nan, 8.0]),
            answer(Strong::Lhs, [inf, 2.0, 3.0, nan], [0.0, 1.0, 1.0, 0.0], [nan, inf, nan, nan]),
            answer(Strong::Rhs, [inf, 2.0, 3.0, nan], [0.0, 1.0, 1.0, 0.0], [2.0, inf, nan, 3.0]),
            answer(Strong::Either, [nan, 0.0, 0.0, 1.0], [0.0, 2.0, inf, nan], [0.0, nan, inf, nan]),
        ];
        let cases: [([&[usize]; 2], [&[usize]; 2], &[usize], &[usize]); 4] = [
            ([&[1], &[0]], [&[], &[]], &[5, 21], &[21]),
            ([&[1], &[1]], [&[], &[]], &[9, 17], &[11, 17]),
            ([&[2], &[1]], [&[0], &[0]], &[2, 3, 5], &[2, 5, 4]),
            ([&[2, 0], &[0, 1]], [&[], &[]], &[3, 4, 5], &[5, 3, 2]),
        ];
        let sample = |dtype: DType, zeros: Strong| {
            cases.map(|(contract, batch, lhs, rhs)| Sample {
                op: StrongDot { contract: contract.map(Vec::from), batch: batch.map(Vec::from), zeros }.into(),
                operands: vec![(Type::new(dtype, lhs), (0.1, 2.0)), (Type::new(dtype, rhs), (0.1, 3.0))],
                regions: vec![],
            })
        };
        let samples = [Strong::Lhs, Strong::Rhs, Strong::Either]
            .into_iter()
            .flat_map(|zeros| [DType::F64, DType::F32].into_iter().flat_map(move |dtype| sample(dtype, zeros)));
        Examples { answers, samples: samples.collect() }
    }
}

impl General for StrongDot {
    fn jvp(&self, x: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let of = |slot: usize| {
            let mut operands = [x[0], x[1]];
            operands[slot] = t[slot]?;
            Some(contraction(self.plain(), operands, self.zeros.of_tangent(slot)))
        };
        vec![match (of(0), of(1)) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        }]
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let ct_of = |slot: usize| {
            let ct = ct[0].filter(|_| wanted[slot])?;
            Some(self.plain().cotangent(slot, x, ct, self.zeros == Strong::slot(slot)))
        };
        vec![ct_of(0), ct_of(1)]
    }
}

impl Library for StrongDot {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        match operands[0].dtype() {
            DType::F64 => self.contract::<f64>(operands, results),
            DType::F32 => self.contract::<f32>(operands, results),
            dtype => unreachable!("bug: {dtype} passed inference"),
        }
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        let contracted = self.contract[0].iter().map(|&axis| operands[0].shape[axis]);
        contracted.fold(result.size().saturating_mul(2), usize::saturating_mul)
    }
}

impl StrongDot {
    fn contract<T: Float>(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        let views: [&ArrayViewD<'_, T>; 2] = [operands[0].typed(), operands[1].typed()];
        let result = results[0].typed::<T>().as_slice_mut().expect("bug: a result with gaps");
        let is_tame = |slot: usize| !self.zeros.holds(1 - slot) || views[slot].iter().all(|x| x.is_tame());
        let plain = self.plain();
        if is_tame(0) && is_tame(1) {
            plain.multiply(views, result);
        } else {
            plain.multiply_by(views, result, |x, y| x.strong_times(y, self.zeros));
        }
    }
}

/// What a product with strong zeros asks of a number.
trait Float: crate::math::linear::Number {
    /// The product with strong zeros.
    fn strong_times(self, y: Self, zeros: Strong) -> Self;
    /// Whether it is neither infinite nor NaN.
    fn is_tame(self) -> bool;
}

macro_rules! float {
    ($($float:ty),*) => {$(
        impl Float for $float {
            fn strong_times(self, y: Self, zeros: Strong) -> Self {
                let is_zero = |slot: usize| zeros.holds(slot) && [self, y][slot].classify() == FpCategory::Zero;
                if is_zero(0) || is_zero(1) { 0.0 } else { self * y }
            }

            fn is_tame(self) -> bool {
                self.is_finite()
            }
        }
    )*};
}
float!(f64, f32);

/// The product of two variables in which zeros of one, or of either, annihilate the other: a plain product where that
/// makes no difference, so far as can be seen from the graph.
#[track_caller]
pub(crate) fn strong_product(x: Var, y: Var, zeros: Strong) -> Var {
    let zeros = zeros.here([x, y]);
    if matters([x, y], zeros) { apply(StrongMul { zeros }, &[x, y]) } else { x * y }
}

/// The contraction in which zeros of one operand, or of either, annihilate the other.
#[track_caller]
pub(super) fn contraction(op: DotGeneral, operands: [Var; 2], zeros: Strong) -> Var {
    let zeros = zeros.here(operands);
    if trace::has_failed() || !matters(operands, zeros) {
        return apply(op, &operands);
    }
    let shapes = operands.map(Var::shape);
    let kept = [0, 1].map(|slot| op.kept(slot, shapes[slot].rank()));
    let size = |slot: usize, axes: &[usize]| axes.iter().map(|&axis| shapes[slot][axis]).product::<usize>();
    let [m, n] = [size(0, &kept[0]), size(1, &kept[1])];
    let contracted = size(0, &op.contract[0]);
    let small = m.saturating_mul(n).saturating_mul(contracted).saturating_mul(size(0, &op.batch[0])) <= MAX_SPREAD;
    if m > 1 && n > 1 && contracted > 1 && !small {
        return apply(StrongDot::new(op, zeros), &operands);
    }
    // Products that are fused with their sum, as those of vectors, or few.
    let rank = op.batch[0].len() + kept[0].len() + kept[1].len() + op.contract[0].len();
    let extents = |slot: usize, axes: &[usize]| axes.iter().map(|&axis| shapes[slot][axis]).collect::<Vec<usize>>();
    let shape: Shape =
        [extents(0, &op.batch[0]), extents(0, &kept[0]), extents(1, &kept[1]), extents(0, &op.contract[0])]
            .concat()
            .into();
    let first_contracted = rank - op.contract[0].len();
    let spread = |slot: usize| {
        let perm = [&op.batch[slot][..], &kept[slot], &op.contract[slot]].concat();
        let first_kept = op.batch[0].len() + if slot == 0 { 0 } else { kept[0].len() };
        let own = first_kept..first_kept + kept[slot].len();
        let axes: Vec<usize> = (0..op.batch[0].len()).chain(own).chain(first_contracted..rank).collect();
        let x = if is_identity(&perm) { operands[slot] } else { operands[slot].transpose(&perm) };
        if axes.len() == rank { x } else { apply(BroadcastInDim { shape: shape.clone(), axes }, &[x]) }
    };
    let products = apply(StrongMul { zeros }, &[spread(0), spread(1)]);
    if first_contracted == rank { products } else { products.sum_axes(&(first_contracted..rank).collect::<Vec<_>>()) }
}

/// Products of matrices up to that many multiplications are written out.
const MAX_SPREAD: usize = 64;

/// Whether a strong zero can make a difference: whether an operand may be 0 where the other may be infinite or NaN.
fn matters(x: [Var; 2], zeros: Strong) -> bool {
    let ranges = x.map(trace::range);
    (0..2).any(|slot| zeros.holds(slot) && ranges[slot].may_be_zero() && ranges[1 - slot].may_be_wild())
}
