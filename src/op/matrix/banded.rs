//! Equations with tridiagonal and banded matrices.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::extents;
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::linear::Number;
use crate::math::matrix::{Real, banded, parts, with_real};
use crate::op::rules::{Answer, Doc, Examples, General, Library, Rules, Sample, expect_arity, floats, literal};
use crate::op::strong::{Strong, strong_product};
use crate::op::trace::apply;
use crate::op::{Op, Var};
use crate::value::{ArrayMut, ArrayRef, DType, Type};

/// The X of `A X = B` for tridiagonal matrices.
///
/// Operands: the elements before the diagonal, on it and behind it, each `[…, n]` by rows, of which the first of those before
/// it and the last of those behind it count for nothing; and B, `[…, n, k]`. By factors with partial pivoting, as LAPACK's
/// `gtsv`. A singular matrix gives NaN, and so does any number that is infinite or NaN; with `strong`, a B that is exactly 0
/// gives 0, whatever the matrix is.
///
/// # Constraints
/// (C1) The operands are of one dtype, of floating point. (C2) The diagonals have one shape, which is that of B without its
/// last axis.
///
/// # Derivative
/// S solves the equation of the transpose, `Aᵀ S = ct`; the cotangent of B is S, and those of the diagonals are what `-S Xᵀ`
/// has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TridiagonalSolve {
    /// Whether a B that is exactly 0 gives 0 even if the matrix is infinite or NaN: what derivatives ask for.
    pub strong: bool,
}

impl Rules for TridiagonalSolve {
    const NAME: &'static str = "tridiagonal_solve";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 4)?;
        let dtypes: Vec<DType> = operands.iter().map(|ty| ty.dtype).collect();
        floats(&dtypes)?;
        extents(&operands[3])?;
        let rows = &operands[3].shape[..operands[3].rank() - 1];
        if let Some(other) = operands[..3].iter().find(|ty| ty.shape[..] != *rows) {
            return Err(mismatch!(
                "takes diagonals with all axes of the right side but the last, but got {other} and {}",
                operands[3]
            ));
        }
        Ok(smallvec::smallvec![operands[3].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the x of a x = b for tridiagonal a",
            derivative: "by the equation with the transpose",
            accuracy: "backward stable: a few units in the last place, in norm",
        }
    }

    fn examples() -> Examples {
        let nan = f64::NAN;
        let answer = |strong: bool, diagonals: [[f64; 3]; 3], b: [f64; 3], x: [f64; 3]| Answer {
            op: TridiagonalSolve { strong }.into(),
            operands: diagonals.map(|d| literal([3], d)).into_iter().chain([literal([3, 1], b)]).collect(),
            results: vec![literal([3, 1], x)],
            ulps: 2,
            regions: vec![],
        };
        let answers = vec![
            answer(false, [[nan, 1.0, 1.0], [2.0; 3], [1.0, 1.0, nan]], [3.0, 4.0, 3.0], [1.0; 3]),
            // The first pivot is 0, so that rows are exchanged.
            answer(false, [[0.0, 2.0, 1.0], [0.0, 1.0, 1.0], [4.0, 1.0, 0.0]], [8.0, 7.0, 5.0], [1.0, 2.0, 3.0]),
            answer(false, [[0.0; 3], [1.0, 0.0, 1.0], [0.0; 3]], [1.0; 3], [nan; 3]),
            answer(false, [[0.0; 3], [1.0, nan, 1.0], [0.0; 3]], [0.0; 3], [nan; 3]),
            answer(true, [[0.0; 3], [1.0, nan, 1.0], [0.0; 3]], [0.0; 3], [0.0; 3]),
        ];
        let sample = |dtype: DType| {
            [(true, vec![5], 2), (false, vec![2, 4], 1)].map(|(strong, shape, columns)| {
                let ty = Type::new(dtype, shape.clone());
                let b = Type::new(dtype, [shape, vec![columns]].concat());
                let beside = (ty.clone(), (-0.5, 0.5));
                let operands = vec![beside.clone(), (ty, (1.5, 2.0)), beside, (b, (-1.0, 1.0))];
                Sample { op: TridiagonalSolve { strong }.into(), operands, regions: vec![] }
            })
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(sample).collect() }
    }
}

impl General for TridiagonalSolve {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let mut rhs = t[3];
        for (slot, offset) in OFFSETS {
            if let Some(t) = t[slot] {
                let known = scaled_rows(t, moved(y[0], -offset), Strong::Lhs);
                rhs = Some(rhs.map_or(-known, |rhs| rhs - known));
            }
        }
        let strong = TridiagonalSolve { strong: true };
        vec![rhs.map(|rhs| apply(strong, &[x[0], x[1], x[2], rhs]))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None; 4] };
        // What stands before the diagonal stood behind that of the row before it.
        let (before, behind) = (moved_along(x[2], 1), moved_along(x[0], -1));
        let s = apply(TridiagonalSolve { strong: true }, &[before, x[1], behind, ct]);
        let mut cts = vec![None, None, None, wanted[3].then_some(s)];
        for (slot, offset) in OFFSETS {
            cts[slot] = wanted[slot].then(|| -row_products(s, moved(y[0], -offset), Strong::Lhs));
        }
        cts
    }
}

/// For each diagonal how far behind the main one its elements stand.
const OFFSETS: [(usize, i64); 3] = [(0, -1), (1, 0), (2, 1)];

/// The rows moved down by so many, and zeros in place of those that are missing.
#[track_caller]
fn moved(x: Var, by: i64) -> Var {
    if x.is_poisoned() || by == 0 {
        return x;
    }
    moved_axis(x, x.rank() - 2, by)
}

/// The elements of the last axis moved by so many places, and zeros in place of those that are missing.
#[track_caller]
fn moved_along(x: Var, by: i64) -> Var {
    if x.is_poisoned() || by == 0 {
        return x;
    }
    moved_axis(x, x.rank() - 1, by)
}

#[track_caller]
fn moved_axis(x: Var, axis: usize, by: i64) -> Var {
    let rank = x.rank();
    let (mut low, mut high) = (vec![0; rank], vec![0; rank]);
    (low[axis], high[axis]) = (by, -by);
    x.pad(0.0, &low, &high, &vec![0; rank])
}

/// The rows of x, each times an element of a vector.
#[track_caller]
fn scaled_rows(factors: Var, x: Var, zeros: Strong) -> Var {
    if factors.is_poisoned() || x.is_poisoned() {
        return Var::poisoned();
    }
    strong_product(factors.insert_axis(factors.rank()).broadcast_to(&x.shape()), x, zeros)
}

/// For each row of x its product with the same row of y.
#[track_caller]
fn row_products(x: Var, y: Var, zeros: Strong) -> Var {
    if x.is_poisoned() || y.is_poisoned() {
        return Var::poisoned();
    }
    strong_product(x, y, zeros).sum_axes(&[x.rank() - 1])
}

impl Library for TridiagonalSolve {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        let &[.., n, columns] = operands[3].shape() else { unreachable!("bug: a vector passed inference") };
        with_real!(operands[3].dtype(), T => {
            let all: [Cow<'_, [T]>; 4] = std::array::from_fn(|slot| elements(&operands[slot]));
            for (position, result) in parts::<T>(&mut results[0], n * columns).enumerate() {
                let diagonal = |slot: usize| &all[slot][position * n..][..n];
                let b = &all[3][position * n * columns..][..n * columns];
                if self.strong && is_zero(b) {
                    result.fill(T::ZERO);
                } else {
                    banded::tridiagonal([diagonal(0), diagonal(1), diagonal(2), b], columns, result);
                }
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        operands[0].size().saturating_mul(3).saturating_add(result.size().saturating_mul(7))
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        operands[0].shape.last().map_or(0, |n| n.saturating_mul(3 * size_of::<f64>()))
    }
}

/// The elements in row-major order, copied if they lie otherwise.
fn elements<'a, T: Real>(operand: &'a ArrayRef<'_>) -> Cow<'a, [T]> {
    let view = operand.typed::<T>();
    match view.as_slice() {
        Some(elements) => Cow::Borrowed(elements),
        None => Cow::Owned(view.iter().copied().collect()),
    }
}

fn is_zero<T: Real>(x: &[T]) -> bool {
    x.iter().all(|&x| x == T::ZERO)
}

/// The X of `A X = B` for banded matrices, or of `Aᵀ X = B`.
///
/// Operands: the diagonals, `[…, lower + upper + 1, n]`, of which element `[upper + i - k, k]` is that of row i and column k,
/// and what belongs to no row counts for nothing; and B, `[…, n, k]`. By factors with partial pivoting, as LAPACK's `gbsv`. A
/// singular matrix gives NaN, and so does any number that is infinite or NaN; with `strong`, a B that is exactly 0 gives 0,
/// whatever the matrix is.
///
/// # Constraints
/// (C1) The operands are of one dtype, of floating point, and have the same leading axes. (C2) There are
/// `lower + upper + 1` diagonals, as long as B has rows.
///
/// # Derivative
/// S solves the equation of the transpose; the cotangent of B is S, and that of the diagonals what `-S Xᵀ`, or `-X Sᵀ`, has
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandedSolve {
    /// The number of diagonals below the main one.
    pub below: usize,
    /// The number of diagonals above the main one.
    pub above: usize,
    /// Whether the equation is that of the transpose.
    pub transposed: bool,
    /// Whether a B that is exactly 0 gives 0 even if the matrix is infinite or NaN: what derivatives ask for.
    pub strong: bool,
}

impl Rules for BandedSolve {
    const NAME: &'static str = "banded_solve";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let [[n_bands, length], [n, _]] = super::stacks::stacks::<2>(operands)?;
        let expected = self.below.checked_add(self.above).and_then(|sum| sum.checked_add(1));
        if expected != Some(n_bands) || length != n {
            return Err(mismatch!(
                "takes {} + {} + 1 diagonals as long as the right side has rows, but got {} and {}",
                self.below,
                self.above,
                operands[0],
                operands[1]
            ));
        }
        Ok(smallvec::smallvec![operands[1].clone()])
    }

    on_stacks!();

    fn doc() -> Doc {
        Doc {
            summary: "the x of a x = b for banded a",
            derivative: "by the equation with the transpose",
            accuracy: "backward stable: a few units in the last place, in norm",
        }
    }

    fn examples() -> Examples {
        let nan = f64::NAN;
        let answer = |transposed: bool, strong: bool, bands: [f64; 9], b: [f64; 3], x: [f64; 3]| Answer {
            op: BandedSolve { below: 1, above: 1, transposed, strong }.into(),
            operands: vec![literal([3, 3], bands), literal([3, 1], b)],
            results: vec![literal([3, 1], x)],
            ulps: 2,
            regions: vec![],
        };
        // [[0, 4, 0], [2, 1, 1], [0, 1, 1]], of which the first pivot is 0.
        let bands = [nan, 4.0, 1.0, 0.0, 1.0, 1.0, 2.0, 1.0, nan];
        let zero_bands = [0.0, 0.0, 0.0, 1.0, nan, 1.0, 0.0, 0.0, 0.0];
        let answers = vec![
            answer(false, false, bands, [8.0, 7.0, 5.0], [1.0, 2.0, 3.0]),
            answer(true, false, bands, [4.0, 9.0, 5.0], [1.0, 2.0, 3.0]),
            answer(false, false, [0.0; 9], [1.0; 3], [nan; 3]),
            answer(false, false, zero_bands, [0.0; 3], [nan; 3]),
            answer(false, true, zero_bands, [0.0; 3], [0.0; 3]),
        ];
        let sample = |dtype: DType| {
            let cases: [(usize, usize, bool, &[usize], usize); 4] =
                [(1, 2, false, &[], 2), (2, 1, true, &[2], 1), (0, 2, false, &[], 1), (3, 1, false, &[2], 2)];
            cases.map(|(lower, upper, transposed, leading, columns)| {
                let ty = |own: [usize; 2]| Type::new(dtype, [leading, &own].concat());
                let op: Op = BandedSolve { below: lower, above: upper, transposed, strong: columns == 2 }.into();
                // Generic, not dominated by its diagonal.
                let operands = vec![(ty([lower + upper + 1, 5]), (0.5, 1.5)), (ty([5, columns]), (-1.0, 1.0))];
                Sample { op, operands, regions: vec![] }
            })
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(sample).collect() }
    }
}

impl BandedSolve {
    /// For each diagonal how far below the main one its elements stand.
    fn offsets(self) -> impl Iterator<Item = (usize, i64)> {
        (0..=self.below + self.above).map(move |r| (r, r as i64 - self.above as i64))
    }

    /// The product of a matrix of these diagonals with x.
    #[track_caller]
    fn times(self, bands: Var, x: Var) -> Option<Var> {
        let product = |(r, offset): (usize, i64)| {
            let band = bands.index_axis(bands.rank() - 2, r);
            if self.transposed {
                scaled_rows(band, moved(x, -offset), Strong::Lhs)
            } else {
                moved(scaled_rows(band, x, Strong::Lhs), offset)
            }
        };
        if bands.is_poisoned() || x.is_poisoned() {
            return Some(Var::poisoned());
        }
        self.offsets().map(product).reduce(|x, y| x + y)
    }
}

impl General for BandedSolve {
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let known = t[0].and_then(|t| self.times(t, y[0]));
        let rhs = match (t[1], known) {
            (Some(b), Some(known)) => Some(b - known),
            (b, known) => b.or(known.map(|known| -known)),
        };
        vec![rhs.map(|rhs| apply(BandedSolve { strong: true, ..*self }, &[x[0], rhs]))]
    }

    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None; 2] };
        let s = apply(BandedSolve { strong: true, transposed: !self.transposed, ..*self }, &[x[0], ct]);
        let of_band = |(_, offset): (usize, i64)| {
            let (row, column) = if self.transposed { (y[0], s) } else { (s, y[0]) };
            let zeros = if self.transposed { Strong::Rhs } else { Strong::Lhs };
            -row_products(moved(row, -offset), column, zeros)
        };
        let of_bands = || {
            let bands: Vec<Var> = self.offsets().map(of_band).collect();
            if s.is_poisoned() { s } else { Var::stack(&bands, s.rank() - 2) }
        };
        vec![wanted[0].then(of_bands), wanted[1].then_some(s)]
    }
}

impl Library for BandedSolve {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        let &[.., n, columns] = operands[1].shape() else { unreachable!("bug: a vector passed inference") };
        with_real!(operands[1].dtype(), T => {
            let (bands, b) = (elements::<T>(&operands[0]), elements::<T>(&operands[1]));
            let n_bands = self.below + self.above + 1;
            for (position, result) in parts::<T>(&mut results[0], n * columns).enumerate() {
                let own = &bands[position * n_bands * n..][..n_bands * n];
                let b = &b[position * n * columns..][..n * columns];
                if self.strong && is_zero(b) {
                    result.fill(T::ZERO);
                } else if self.transposed {
                    let own = transposed([self.below, self.above], own, n);
                    banded::banded([self.above, self.below], [&own, b], [n, columns], result);
                } else {
                    banded::banded([self.below, self.above], [own, b], [n, columns], result);
                }
            }
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        let width = self.below.saturating_mul(2).saturating_add(self.above);
        let factors = operands[0].size().saturating_mul(width);
        factors.saturating_add(result.size().saturating_mul(width).saturating_mul(2))
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        let width = self.below.max(self.above).saturating_mul(3).saturating_add(1);
        operands[1]
            .shape
            .iter()
            .rev()
            .nth(1)
            .map_or(0, |n| n.saturating_mul(width))
            .saturating_mul(2 * size_of::<f64>())
    }
}

/// The diagonals of the transpose.
fn transposed<T: Real>([lower, upper]: [usize; 2], bands: &[T], n: usize) -> Vec<T> {
    let mut result = vec![T::ZERO; bands.len()];
    for i in 0..n {
        for k in i.saturating_sub(lower)..n.min(i + upper + 1) {
            // Element (i, k) becomes element (k, i).
            result[(lower + k - i) * n + i] = bands[(upper + i - k) * n + k];
        }
    }
    result
}
