//! Reductions over axes.
//!
//! # Order
//! Floating-point sums and products depend on their order, so there is one. It follows from the operand's shape and the
//! axes alone, not from lanes, tiles of memory, threads, or what is fused.
//!
//! 1. *Terms.* If the last axis is reduced, its elements (a *row*) are cut into tiles of [`TILE`], and a term is what a
//!    tile gives. A tile shorter than [`MIN_INTERLEAVED`] is combined from left to right; a longer one by 8 interleaved
//!    accumulators, element `k` into accumulator `k mod 8`, combined at the end as
//!    `((a₀+a₄)+(a₂+a₆))+((a₁+a₅)+(a₃+a₇))`. Accumulators start from the identity. If the last axis is kept, a term is an
//!    element.
//! 2. *Blocks.* For each element of the result its terms are taken in row-major order of the axes that are reduced.
//!    [`BLOCK`] consecutive ones are a block, combined from left to right, starting from the identity; the last block may
//!    be shorter.
//! 3. *Pairs.* The blocks are combined pairwise: `n > 1` of them give what the first `2ᵏ` give, combined with what the
//!    others give, where `2ᵏ` is the greatest power of two below `n`.
//!
//! No element goes through more than `64 + 32 + log₂ n + 3` additions, where `n` is the number of terms, so the error of
//! a sum of numbers of one sign is at most about that many half units in the last place, and typically a few.
//! Integers wrap, so their order does not matter, nor does that of maxima and minima.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::rules::{
    Answer, Batching, Derivative, Doc, Examples, General, Linear, Lowering, Monoid, Rules, Sample, expect_arity,
    literal, numbers, shifted, shifted_batch,
};
use super::shape::inverse;
use super::strong::{Strong, strong_product};
use super::trace::{self, apply};
use super::{BroadcastInDim, Op, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
pub use crate::math::linear::{ACCUMULATORS, MIN_INTERLEAVED, TILE};
pub use crate::math::pairwise::BLOCK;
use crate::math::pairwise::combine_tile;
use crate::op::arithmetic::{maximum, minimum};
use crate::value::{Array, DType, Scalar, Shape, Type};

impl Monoid {
    /// Whether the result depends on the order in which elements are combined.
    pub fn depends_on_order(self, dtype: DType) -> bool {
        matches!(self, Monoid::Sum | Monoid::Prod) && dtype.is_float()
    }

    /// What leaves the other operand as it is.
    pub fn identity(self, dtype: DType) -> Scalar {
        match self {
            Monoid::Sum => Scalar::F64(0.0).convert(dtype),
            Monoid::Prod => Scalar::F64(1.0).convert(dtype),
            Monoid::Max if dtype == DType::I64 => Scalar::I64(i64::MIN),
            Monoid::Max => Scalar::F64(f64::NEG_INFINITY).convert(dtype),
            Monoid::Min if dtype == DType::I64 => Scalar::I64(i64::MAX),
            Monoid::Min => Scalar::F64(f64::INFINITY).convert(dtype),
            Monoid::And => Scalar::Bool(true),
            Monoid::Or => Scalar::Bool(false),
        }
    }

    /// The two elements combined.
    pub fn combine(self, x: Scalar, y: Scalar) -> Scalar {
        match (x, y) {
            (Scalar::F64(x), Scalar::F64(y)) => Scalar::F64(match self {
                Monoid::Sum => x + y,
                Monoid::Prod => x * y,
                Monoid::Max => maximum!(x, y),
                Monoid::Min => minimum!(x, y),
                Monoid::And | Monoid::Or => unreachable!("bug: {self:?} of floats"),
            }),
            (Scalar::F32(x), Scalar::F32(y)) => Scalar::F32(match self {
                Monoid::Sum => x + y,
                Monoid::Prod => x * y,
                Monoid::Max => maximum!(x, y),
                Monoid::Min => minimum!(x, y),
                Monoid::And | Monoid::Or => unreachable!("bug: {self:?} of floats"),
            }),
            (Scalar::I64(x), Scalar::I64(y)) => Scalar::I64(match self {
                Monoid::Sum => x.wrapping_add(y),
                Monoid::Prod => x.wrapping_mul(y),
                Monoid::Max => x.max(y),
                Monoid::Min => x.min(y),
                Monoid::And | Monoid::Or => unreachable!("bug: {self:?} of integers"),
            }),
            (Scalar::Bool(x), Scalar::Bool(y)) => Scalar::Bool(match self {
                Monoid::And => x & y,
                Monoid::Or => x | y,
                _ => unreachable!("bug: {self:?} of bools"),
            }),
            other => unreachable!("bug: {other:?} combined"),
        }
    }
}

/// The reference semantics of every reduction.
fn reduce(monoid: Monoid, axes: &[usize], x: &Array) -> Array {
    let shape = Shape::from(x.shape());
    let result = Type::new(x.dtype(), shape.without(axes));
    let elements: Vec<Scalar> = x.elements().collect();
    let combine = |x, y| monoid.combine(x, y);
    let results = reduce_in_order(&shape, axes, monoid.identity(x.dtype()), &elements, combine);
    Array::collect(&result, results.into_iter())
}

/// Elements of that shape, in row-major order, reduced along axes in the documented order; of numbers, or of what code
/// holds in registers.
pub(crate) fn reduce_in_order<T: Copy>(
    shape: &Shape,
    axes: &[usize],
    identity: T,
    x: &[T],
    mut combine: impl FnMut(T, T) -> T,
) -> Vec<T> {
    let mut blocks = vec![Blocks::new(identity); shape.without(axes).size()];
    let last_reduced = shape.rank() > 0 && axes.contains(&(shape.rank() - 1));
    let row = if last_reduced { shape[shape.rank() - 1] } else { 1 };
    for position in 0..x.len().checked_div(row).unwrap_or(0) {
        let kept = kept_position(shape, axes, position * row);
        for tile in x[position * row..(position + 1) * row].chunks(TILE) {
            // A tile of one kept element is that element itself.
            let term = if last_reduced { combine_tile(identity, tile, &mut combine) } else { tile[0] };
            blocks[kept].add(term, &mut combine);
        }
    }
    blocks.into_iter().map(|blocks| blocks.combine(&mut combine)).collect()
}

/// Blocks of terms, in the documented order.
#[derive(Clone)]
struct Blocks<T> {
    identity: T,
    results: SmallVec<[T; 1]>,
    n_terms: usize,
}

impl<T: Copy> Blocks<T> {
    pub fn new(identity: T) -> Blocks<T> {
        Blocks { identity, results: SmallVec::new(), n_terms: 0 }
    }

    /// Adds a term to its block.
    pub fn add(&mut self, term: T, mut combine: impl FnMut(T, T) -> T) {
        if self.n_terms.is_multiple_of(BLOCK) {
            self.results.push(self.identity);
        }
        let block = self.results.last_mut().expect("bug: a term without a block");
        *block = combine(*block, term);
        self.n_terms += 1;
    }

    /// The blocks combined.
    pub fn combine(self, mut combine: impl FnMut(T, T) -> T) -> T {
        if self.results.is_empty() { self.identity } else { combine_pairs(&self.results, &mut combine) }
    }
}

fn combine_pairs<T: Copy>(blocks: &[T], combine: &mut impl FnMut(T, T) -> T) -> T {
    if let [block] = blocks {
        return *block;
    }
    let (first, rest) = blocks.split_at(blocks.len().next_power_of_two() / 2);
    let (first, rest) = (combine_pairs(first, combine), combine_pairs(rest, combine));
    combine(first, rest)
}

/// The row-major position in the result to which the element at that position of the operand belongs.
pub(crate) fn kept_position(shape: &Shape, axes: &[usize], mut position: usize) -> usize {
    let (mut kept, mut stride) = (0, 1);
    for axis in (0..shape.rank()).rev() {
        let index = position % shape[axis];
        position /= shape[axis];
        if !axes.contains(&axis) {
            kept += index * stride;
            stride *= shape[axis];
        }
    }
    kept
}

/// Requires axes below the rank, in ascending order, none twice.
pub(super) fn check_axes(axes: &[usize], rank: usize) -> Result<(), Mismatch> {
    if axes.is_sorted_by(|a, b| a < b) && axes.last().is_none_or(|&axis| axis < rank) {
        return Ok(());
    }
    Err(mismatch!("axes must ascend strictly and lie below the rank {rank}, but got {axes:?}"))
}

/// The types of a reduction, or of one that only takes `bool`.
fn infer_reduction(monoid: Monoid, axes: &[usize], operands: &[Type]) -> Result<Types, Mismatch> {
    expect_arity(operands, 1)?;
    let x = &operands[0];
    check_axes(axes, x.rank())?;
    match monoid {
        Monoid::And | Monoid::Or if x.dtype != DType::Bool => return Err(mismatch!("takes bool, but got {x}")),
        Monoid::And | Monoid::Or => {}
        Monoid::Sum | Monoid::Prod if x.dtype == DType::Bool => {
            return Err(mismatch!("takes numbers, but got bool; use convert"));
        }
        Monoid::Max | Monoid::Min if x.dtype == DType::Bool => {
            return Err(mismatch!("takes numbers, but got bool; use reduce_or or reduce_and"));
        }
        Monoid::Sum | Monoid::Prod | Monoid::Max | Monoid::Min => {
            numbers(&[x.dtype])?;
        }
    }
    Ok(smallvec::smallvec![Type::new(x.dtype, x.shape.without(axes))])
}

/// Writes the rules of a reduction, but for those of its derivative.
macro_rules! reduction {
    (
        $(#[$doc:meta])*
        $op:ident, $name:literal, $monoid:expr, $derivative:expr;
        doc: $table_doc:expr;
        dtypes: $dtypes:expr;
        answers: $rows:expr;
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $op {
            /// The axes that vanish.
            pub axes: Vec<usize>,
        }

        impl Rules for $op {
            const NAME: &'static str = $name;

            fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
                infer_reduction($monoid, &self.axes, operands)
            }

            fn eval(&self, operands: &[&Array], _: &[Type]) -> Vec<Array> {
                vec![reduce($monoid, &self.axes, operands[0])]
            }

            fn derivative(&self) -> Derivative<'_> {
                let derivative: fn(&$op) -> Derivative<'_> = $derivative;
                derivative(self)
            }

            fn batch(&self) -> Batching<'_> {
                Batching::Rule(self)
            }

            fn lower(&self) -> Lowering<'_> {
                Lowering::Reduce { monoid: $monoid, axes: &self.axes }
            }

            fn doc() -> Doc {
                $table_doc
            }

            fn examples() -> Examples {
                let op = |axes| $op { axes }.into();
                Examples { answers: reduction_answers(op, $rows), samples: reduction_samples($monoid, op, &$dtypes) }
            }
        }

        shifted_batch!($op, |op, n| $op { axes: shifted(&op.axes) });
    };
}

const NUMBERS: [DType; 3] = [DType::F64, DType::F32, DType::I64];

const NAN: f64 = f64::NAN;

/// A matrix whose elements differ.
fn matrix() -> Array {
    literal([2, 3], [1.0, 5.0, 3.0, 4.0, 2.0, 6.0])
}

reduction! {
    /// Sum over axes, in the order that this module documents. Integers wrap; the sum of nothing is 0.
    ///
    /// # Constraints
    /// (C1) `axes` ascend strictly and lie below the operand's rank. (C2) The operand is numeric.
    ///
    /// # Derivative
    /// Linear. The cotangent is repeated along the axes.
    ReduceSum, "reduce_sum", Monoid::Sum, |op| Derivative::Linear(op);
    doc: Doc {
        summary: "sum over axes",
        derivative: "1 for every element",
        accuracy: "one fixed order, whose error grows as log n; integers wrap",
    };
    dtypes: NUMBERS;
    answers: [
        (&[0], matrix(), literal([3], [5.0, 7.0, 9.0])),
        (&[1], matrix(), literal([2], [9.0, 12.0])),
        (&[0, 1], matrix(), literal([], [21.0])),
        (&[0], literal([2], [i64::MAX, 1]), literal([], [i64::MIN])),
        (&[1], literal::<f64>([2, 0], []), literal([2], [0.0, 0.0])),
    ];
}

reduction! {
    /// Product over axes, in the order that this module documents. Integers wrap; the product of nothing is 1.
    ///
    /// # Constraints
    /// (C1) `axes` ascend strictly and lie below the operand's rank. (C2) The operand is numeric.
    ///
    /// # Derivative
    /// For each element the product of the others, made of products only: elements that are 0 do no harm, to any order.
    ReduceProd, "reduce_prod", Monoid::Prod, |op| Derivative::General(op);
    doc: Doc {
        summary: "product over axes",
        derivative: "the product of the other elements, exact also where elements are 0",
        accuracy: "one fixed order, whose error grows as log n; integers wrap",
    };
    dtypes: NUMBERS;
    answers: [
        (&[0], matrix(), literal([3], [4.0, 10.0, 18.0])),
        (&[1], matrix(), literal([2], [15.0, 48.0])),
        (&[0, 1], matrix(), literal([], [720.0])),
        (&[0], literal([3], [i64::MAX, 2, 3]), literal([], [-6i64])),
        (&[1], literal::<f64>([2, 0], []), literal([2], [1.0, 1.0])),
    ];
}

reduction! {
    /// Maximum over axes: NaN if any element is, and -0 is less than +0. The maximum of nothing is -inf, or the least
    /// integer.
    ///
    /// # Constraints
    /// (C1) `axes` ascend strictly and lie below the operand's rank. (C2) The operand is numeric.
    ///
    /// # Derivative
    /// 1 for the largest element; equal ones share it evenly. If the maximum is NaN, it is NaN for every element.
    ReduceMax, "reduce_max", Monoid::Max, |op| Derivative::General(op);
    doc: Doc {
        summary: "maximum over axes",
        derivative: "1 for the largest element, 1/n each for n equal ones",
        accuracy: "exact; NaN if any element is",
    };
    dtypes: NUMBERS;
    answers: [
        (&[0], matrix(), literal([3], [4.0, 5.0, 6.0])),
        (&[1], matrix(), literal([2], [5.0, 6.0])),
        (&[0, 1], matrix(), literal([], [6.0])),
        (&[1], literal([2, 2], [NAN, 1.0, -0.0, 0.0]), literal([2], [NAN, 0.0])),
        (&[0], literal([3], [-5i64, i64::MAX, 7]), literal([], [i64::MAX])),
        (&[1], literal::<f64>([1, 0], []), literal([1], [f64::NEG_INFINITY])),
    ];
}

reduction! {
    /// Minimum over axes: NaN if any element is, and -0 is less than +0. The minimum of nothing is inf, or the greatest
    /// integer.
    ///
    /// # Constraints
    /// (C1) `axes` ascend strictly and lie below the operand's rank. (C2) The operand is numeric.
    ///
    /// # Derivative
    /// 1 for the smallest element; equal ones share it evenly. If the minimum is NaN, it is NaN for every element.
    ReduceMin, "reduce_min", Monoid::Min, |op| Derivative::General(op);
    doc: Doc {
        summary: "minimum over axes",
        derivative: "1 for the smallest element, 1/n each for n equal ones",
        accuracy: "exact; NaN if any element is",
    };
    dtypes: NUMBERS;
    answers: [
        (&[0], matrix(), literal([3], [1.0, 2.0, 3.0])),
        (&[1], matrix(), literal([2], [1.0, 2.0])),
        (&[0, 1], matrix(), literal([], [1.0])),
        (&[1], literal([2, 2], [NAN, 1.0, 0.0, -0.0]), literal([2], [NAN, -0.0])),
        (&[0], literal([3], [-5i64, i64::MIN, 7]), literal([], [i64::MIN])),
        (&[1], literal::<f64>([1, 0], []), literal([1], [f64::INFINITY])),
    ];
}

reduction! {
    /// Whether all elements hold, over axes. All of nothing do.
    ///
    /// # Constraints
    /// (C1) `axes` ascend strictly and lie below the operand's rank. (C2) The operand is of `bool`.
    ///
    /// # Derivative
    /// None.
    ReduceAnd, "reduce_and", Monoid::And, |_| Derivative::Zero;
    doc: Doc { summary: "whether all elements hold, over axes", derivative: "none", accuracy: "exact" };
    dtypes: [DType::Bool];
    answers: [
        (&[0], literal([2, 2], [true, true, false, true]), literal([2], [false, true])),
        (&[0, 1], literal([2, 1], [true, true]), literal([], [true])),
        (&[1], literal::<bool>([1, 0], []), literal([1], [true])),
    ];
}

reduction! {
    /// Whether any element holds, over axes. Of nothing, none does.
    ///
    /// # Constraints
    /// (C1) `axes` ascend strictly and lie below the operand's rank. (C2) The operand is of `bool`.
    ///
    /// # Derivative
    /// None.
    ReduceOr, "reduce_or", Monoid::Or, |_| Derivative::Zero;
    doc: Doc { summary: "whether any element holds, over axes", derivative: "none", accuracy: "exact" };
    dtypes: [DType::Bool];
    answers: [
        (&[0], literal([2, 2], [false, false, false, true]), literal([2], [false, true])),
        (&[0, 1], literal([2, 1], [false, false]), literal([], [false])),
        (&[1], literal::<bool>([1, 0], []), literal([1], [false])),
    ];
}

impl Linear for ReduceSum {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, _: usize, operands: &[Type], ct: Var) -> Var {
        spread(ct, &operands[0].shape, &self.axes)
    }

    fn transpose_mask(&self, slot: usize, operands: &[Type], mask: Var) -> Option<Var> {
        Some(self.transpose(slot, operands, mask))
    }
}

/// A product is made in halves: elements of the first times those of the second, again and again, so that its derivatives
/// need neither quotients nor more than a few products for each element.
impl General for ReduceProd {
    fn jvp(&self, x: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let Some(t) = t[0] else { return vec![None] };
        let shape = x[0].shape();
        let Some(joined) = Joined::new(&shape, &self.axes) else { return vec![None] };
        let (mut x, mut t, mut n) = (joined.join(x[0]), joined.join(t), joined.reduced);
        while n > 1 {
            let (halves, tangents) = (Halves::new(x, n), Halves::new(t, n));
            x = halves.product();
            let by_first = strong_product(tangents.first, halves.second, Strong::Lhs);
            let by_second = strong_product(halves.first, tangents.second, Strong::Rhs);
            t = halves.with(by_second + by_first, tangents.rest);
            n = n.div_ceil(2);
        }
        vec![Some(t.reshape(&shape.without(&self.axes)))]
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], _: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None] };
        let Some(joined) = Joined::new(&x[0].shape(), &self.axes) else { return vec![None] };
        let (mut product, mut n, mut levels) = (joined.join(x[0]), joined.reduced, Vec::new());
        while n > 1 {
            let halves = Halves::new(product, n);
            product = halves.product();
            levels.push(halves);
            n = n.div_ceil(2);
        }
        let mut ct = ct.reshape(&[1, joined.kept]);
        for halves in levels.into_iter().rev() {
            let own = ct.slice_axis(0, 0, halves.half, 1);
            let rest = halves.rest.map(|_| ct.slice_axis(0, halves.half, halves.half + 1, 1));
            let both = [halves.second, halves.first].map(|other| strong_product(own, other, Strong::Lhs));
            ct = Var::concatenate(&both.into_iter().chain(rest).collect::<Vec<_>>(), 0);
        }
        vec![Some(joined.restore(ct))]
    }
}

/// How an array becomes a matrix of which the first axis is reduced, and the second kept.
struct Joined {
    perm: Vec<usize>,
    /// The extents in the order of `perm`.
    shape: Shape,
    reduced: usize,
    kept: usize,
}

impl Joined {
    /// `None` if there is nothing to reduce: then the product is constant.
    fn new(shape: &Shape, axes: &[usize]) -> Option<Joined> {
        let kept = (0..shape.rank()).filter(|axis| !axes.contains(axis));
        let perm: Vec<usize> = axes.iter().copied().chain(kept).collect();
        let ordered: Shape = perm.iter().map(|&axis| shape[axis]).collect();
        let reduced = axes.iter().map(|&axis| shape[axis]).product();
        let joined = Joined { perm, shape: ordered, reduced, kept: shape.without(axes).size() };
        (reduced > 0).then_some(joined)
    }

    fn join(&self, x: Var) -> Var {
        x.transpose(&self.perm).reshape(&[self.reduced, self.kept])
    }

    fn restore(&self, x: Var) -> Var {
        x.reshape(&self.shape).transpose(&inverse(&self.perm))
    }
}

/// The first and the second half of the rows, and the last row if their number is odd.
struct Halves {
    half: usize,
    first: Var,
    second: Var,
    rest: Option<Var>,
}

impl Halves {
    fn new(x: Var, n: usize) -> Halves {
        let half = n / 2;
        let part = |start, end| x.slice_axis(0, start, end, 1);
        let rest = (n % 2 == 1).then(|| part(n - 1, n));
        Halves { half, first: part(0, half), second: part(half, 2 * half), rest }
    }

    fn product(&self) -> Var {
        self.with(self.first * self.second, self.rest)
    }

    fn with(&self, x: Var, rest: Option<Var>) -> Var {
        match rest {
            Some(rest) => Var::concatenate(&[x, rest], 0),
            None => x,
        }
    }
}

/// Maximum and minimum have one derivative: it shares among the elements that equal the result.
macro_rules! shared_derivative {
    ($($op:ident),*) => {$(
        impl General for $op {
            fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
                let Some(t) = t[0] else { return vec![None] };
                let ties = Ties::new(x[0], y[0], &self.axes);
                let lost = strong_product(t, spread(ties.lost, &x[0].shape(), &self.axes), Strong::Lhs);
                vec![Some(ties.mask.select(t, lost).sum_axes(&self.axes) / ties.number)]
            }

            fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], _: &[bool]) -> Vec<Option<Var>> {
                let Some(ct) = ct[0] else { return vec![None] };
                let ties = Ties::new(x[0], y[0], &self.axes);
                let spread = |ct: Var| spread(ct, &x[0].shape(), &self.axes);
                let lost = strong_product(ct, ties.lost, Strong::Lhs);
                vec![Some(ties.mask.select(spread(ct / ties.number), spread(lost)))]
            }
        }
    )*};
}
shared_derivative!(ReduceMax, ReduceMin);

/// The elements that equal the result of a reduction.
struct Ties {
    /// Where they are.
    mask: Var,
    /// How many there are, for each element of the result; 1 where there are none.
    number: Var,
    /// The derivative by the other elements: 0, and NaN where the result is NaN, which equals no element.
    lost: Var,
}

impl Ties {
    fn new(x: Var, y: Var, axes: &[usize]) -> Ties {
        let mask = x.equal(spread(y, &x.shape(), axes));
        let number = mask.select(x.full_like(1.0), x.full_like(0.0)).sum_axes(axes);
        let none = number.equal(0);
        let lost = none.select(number.full_like(NAN), number.full_like(0.0));
        Ties { mask, number: none.select(number.full_like(1.0), number), lost }
    }
}

/// Repeats the result of a reduction along the axes that it removed.
#[track_caller]
pub(super) fn spread(y: Var, shape: &Shape, axes: &[usize]) -> Var {
    let kept = (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect();
    apply(BroadcastInDim { shape: shape.clone(), axes: kept }, &[y])
}

/// Rows of axes, operand and result as answers.
fn reduction_answers<const N: usize>(
    op: impl Fn(Vec<usize>) -> Op,
    rows: [(&[usize], Array, Array); N],
) -> Vec<Answer> {
    rows.map(|(axes, x, y)| Answer {
        op: op(axes.into()),
        operands: vec![x],
        results: vec![y],
        ulps: 0,
        regions: vec![],
    })
    .into()
}

/// Reductions over the first, the last, a middle and all axes, over rows longer than a tile, and over several blocks.
fn reduction_samples(monoid: Monoid, op: impl Fn(Vec<usize>) -> Op, dtypes: &[DType]) -> Vec<Sample> {
    // An extreme is smooth only where its elements lie well apart; a product must not overflow.
    let domain = if matches!(monoid, Monoid::Max | Monoid::Min) { (-5e3, 5e3) } else { (0.5, 1.5) };
    let cases: [(&[usize], &[usize]); 9] = [
        (&[0], &[4, 3]),
        (&[1], &[3, 19]),
        (&[1], &[2, 3, 4]),
        (&[0, 2], &[3, 2, 17]),
        (&[0, 1], &[5, 7]),
        (&[], &[2, 3]),
        (&[0], &[TILE + 25]),
        (&[0], &[3 * BLOCK + 5, 2]),
        (&[0, 2], &[2 * BLOCK + 3, 2, 2]),
    ];
    let sample = |&dtype: &DType| {
        cases.map(|(axes, shape)| Sample {
            op: op(axes.into()),
            operands: vec![(Type::new(dtype, shape), domain)],
            regions: vec![],
        })
    };
    dtypes.iter().flat_map(sample).collect()
}

impl Var {
    /// The sum of all elements; 0 for none. See [`ReduceSum`], which documents the order of summation.
    ///
    /// Takes numbers of any shape; `bool` is an error. Integers wrap. The derivative by each element is 1.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::sum)).call(array![1.0, 2.5])?;
    /// assert_eq!((y, slope), (3.5, array![1.0, 1.0]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sum(self) -> Var {
        let _method = trace::method("sum", &[self]);
        self.sum_axes(&self.every_axis())
    }

    /// The sum over the given axes, which vanish; see [`Var::sum`] and [`ReduceSum`]. [`Var::sum_keep_axes`] keeps them
    /// with extent 1.
    ///
    /// Takes numbers of any shape; `bool` is an error, and so are axes that do not exist or do not ascend strictly.
    /// Integers wrap.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let x = array![[1.0, 2.0], [3.0, 4.0]];
    /// let y: Array1<f64> = jit(|x: Var| x.sum_axes(&[0])).call(&x)?;
    /// assert_eq!(y, array![4.0, 6.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn sum_axes(self, axes: &[usize]) -> Var {
        apply(ReduceSum { axes: axes.into() }, &[self])
    }

    /// The product of all elements; 1 for none. See [`ReduceProd`].
    ///
    /// Takes numbers of any shape; `bool` is an error. Integers wrap. The derivative by an element is the product of
    /// the others, exact also where elements are 0.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::prod)).call(array![2.0, 0.0, 5.0])?;
    /// assert_eq!((y, slope), (0.0, array![0.0, 10.0, 0.0]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn prod(self) -> Var {
        let _method = trace::method("prod", &[self]);
        self.prod_axes(&self.every_axis())
    }

    /// The product over the given axes, which vanish; see [`Var::prod`] and [`ReduceProd`].
    ///
    /// Takes numbers of any shape; `bool` is an error, and so are axes that do not exist or do not ascend strictly.
    /// Integers wrap.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let x = array![[1.0, 2.0], [3.0, 4.0]];
    /// let y: Array1<f64> = jit(|x: Var| x.prod_axes(&[1])).call(&x)?;
    /// assert_eq!(y, array![2.0, 12.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn prod_axes(self, axes: &[usize]) -> Var {
        apply(ReduceProd { axes: axes.into() }, &[self])
    }

    /// The largest element; -inf, or the least integer, for none, and NaN if any is. See [`ReduceMax`]. [`Var::max`]
    /// compares two operands.
    ///
    /// Takes numbers of any shape; `bool` is an error. The derivative is 1 for the largest element; n equal ones get
    /// 1/n each. If the result is NaN, the derivative is NaN for every element.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::max_all)).call(array![1.0, 3.0, 3.0])?;
    /// assert_eq!((y, slope), (3.0, array![0.0, 0.5, 0.5]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn max_all(self) -> Var {
        let _method = trace::method("max_all", &[self]);
        self.max_axes(&self.every_axis())
    }

    /// The largest elements over the given axes, which vanish; see [`Var::max_all`] and [`ReduceMax`]. [`Var::max`]
    /// compares two operands.
    ///
    /// Takes numbers of any shape; `bool` is an error, and so are axes that do not exist or do not ascend strictly. The
    /// derivative is 1 for the largest element; n equal ones get 1/n each, and all get NaN where the result is NaN.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.max_axes(&[1])).call(array![[1.0, 2.0], [3.0, 4.0]])?;
    /// assert_eq!(y, array![2.0, 4.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn max_axes(self, axes: &[usize]) -> Var {
        apply(ReduceMax { axes: axes.into() }, &[self])
    }

    /// The older name of [`Var::max_axes`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.reduce_max(&[1])).call(array![[1.0, 2.0], [3.0, 4.0]])?;
    /// assert_eq!(y, array![2.0, 4.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_max(self, axes: &[usize]) -> Var {
        self.max_axes(axes)
    }

    /// The smallest element; inf, or the greatest integer, for none, and NaN if any is. See [`ReduceMin`]. [`Var::min`]
    /// compares two operands.
    ///
    /// Takes numbers of any shape; `bool` is an error. The derivative is 1 for the smallest element; n equal ones get
    /// 1/n each. If the result is NaN, the derivative is NaN for every element.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::min_all)).call(array![5.0, 3.0, 3.0])?;
    /// assert_eq!((y, slope), (3.0, array![0.0, 0.5, 0.5]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn min_all(self) -> Var {
        let _method = trace::method("min_all", &[self]);
        self.min_axes(&self.every_axis())
    }

    /// The smallest elements over the given axes, which vanish; see [`Var::min_all`] and [`ReduceMin`]. [`Var::min`]
    /// compares two operands.
    ///
    /// Takes numbers of any shape; `bool` is an error, and so are axes that do not exist or do not ascend strictly. The
    /// derivative is 1 for the smallest element; n equal ones get 1/n each, and all get NaN where the result is NaN.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.min_axes(&[1])).call(array![[1.0, 2.0], [3.0, 4.0]])?;
    /// assert_eq!(y, array![1.0, 3.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn min_axes(self, axes: &[usize]) -> Var {
        apply(ReduceMin { axes: axes.into() }, &[self])
    }

    /// The older name of [`Var::min_axes`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.reduce_min(&[1])).call(array![[1.0, 2.0], [3.0, 4.0]])?;
    /// assert_eq!(y, array![1.0, 3.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_min(self, axes: &[usize]) -> Var {
        self.min_axes(axes)
    }

    /// Whether all elements hold; `true` for none. See [`ReduceAnd`]. Takes `bool`; another dtype is an error.
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::{Var, jit};
    ///
    /// let y: bool = jit(|x: Var| x.greater(0.0).all()).call(array![1.0, -1.0])?;
    /// assert_eq!(y, false);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn all(self) -> Var {
        let _method = trace::method("all", &[self]);
        self.all_axes(&self.every_axis())
    }

    /// Whether all elements along the given axes hold, which vanish; see [`ReduceAnd`]. Takes `bool`; another dtype is
    /// an error, and so are axes that do not exist or do not ascend strictly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<bool> = jit(|x: Var| x.greater(0.0).all_axes(&[1])).call(array![[1.0, 2.0], [3.0, -4.0]])?;
    /// assert_eq!(y, array![true, false]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn all_axes(self, axes: &[usize]) -> Var {
        apply(ReduceAnd { axes: axes.into() }, &[self])
    }

    /// The older name of [`Var::all_axes`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<bool> = jit(|x: Var| x.greater(0.0).all_over(&[1])).call(array![[1.0, 2.0], [3.0, -4.0]])?;
    /// assert_eq!(y, array![true, false]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn all_over(self, axes: &[usize]) -> Var {
        self.all_axes(axes)
    }

    /// Whether any element holds; `false` for none. See [`ReduceOr`]. Takes `bool`; another dtype is an error.
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::{Var, jit};
    ///
    /// let y: bool = jit(|x: Var| x.greater(0.0).any()).call(array![1.0, -1.0])?;
    /// assert_eq!(y, true);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn any(self) -> Var {
        let _method = trace::method("any", &[self]);
        self.any_axes(&self.every_axis())
    }

    /// Whether any element along the given axes holds, which vanish; see [`ReduceOr`]. Takes `bool`; another dtype is
    /// an error, and so are axes that do not exist or do not ascend strictly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<bool> = jit(|x: Var| x.greater(0.0).any_axes(&[1])).call(array![[1.0, 2.0], [3.0, -4.0]])?;
    /// assert_eq!(y, array![true, true]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn any_axes(self, axes: &[usize]) -> Var {
        apply(ReduceOr { axes: axes.into() }, &[self])
    }

    /// The older name of [`Var::any_axes`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<bool> = jit(|x: Var| x.greater(0.0).any_over(&[1])).call(array![[1.0, 2.0], [3.0, -4.0]])?;
    /// assert_eq!(y, array![true, true]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn any_over(self, axes: &[usize]) -> Var {
        self.any_axes(axes)
    }

    /// Every axis, in order.
    #[track_caller]
    pub(super) fn every_axis(self) -> Vec<usize> {
        (0..self.rank()).collect()
    }
}
