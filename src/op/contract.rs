//! Sums of products over paired axes, and the products of linear algebra that are made of them.

use ndarray::{ArrayView2, ArrayViewD, Axis, CowArray, Ix3};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::rules::{
    Answer, Batching, Derivative, Doc, Examples, General, Layout, Library, Lowering, Rules, Sample, eval_library,
    expect_arity, floats, literal,
};
use super::strong::{Float, Strong, StrongMul, matters};
use super::trace::{self, apply};
use super::var::broadcast_shape;
use super::{BroadcastInDim, Var, sparse};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::linear::{self, Matrix, Number, Rows, with_number};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Shape, Type};

/// Batched contraction of two arrays.
///
/// `out[b, i, j] = Σₖ lhs[b, i, k] · rhs[b, j, k]`; the result's axes are batch, kept lhs, kept rhs.
///
/// # Constraints
/// (C1) Paired axes have equal extents. (C2) `contract` and `batch` are disjoint per operand, and name no axis twice.
/// (C3) The operands have one numeric dtype.
///
/// # Order
/// It depends on the operation's parameters and on extents, never on strides. Axes of extent 1 do not count. An operand
/// without kept axes is a vector. A product of vectors, and of a vector with a matrix whose last axis is contracted, is
/// summed as [`ReduceSum`](super::ReduceSum) sums a last axis; that of a vector with a matrix whose last axis is kept, as
/// it sums a first axis: the error of both grows as the logarithm of the number of products. So are products of two
/// matrices that take few multiplications; the order of others is faer's, for operands that lie in row-major order: it
/// depends on the kind of processor, too, as does whether faer fuses multiplication and addition. Faer adds a few hundred
/// products in registers, and such sums one after the other.
///
/// Half is left out where it is known: the products with a triangle of zeros, of matrices from 192 rows and columns on, if
/// the other matrix is finite; and one half of a product of a matrix with its own transpose, of 192 rows and sums of 64
/// terms or more, which is copied from the other half, so that the result is symmetric to the bit. What the elements hold
/// decides, not how they were computed.
///
/// # Derivative
/// Bilinear. The cotangent of `lhs` contracts `ct` with `rhs` over `rhs`'s kept axes, then restores `lhs`'s axis order;
/// that of `rhs` is the same rule with the operands swapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DotGeneral {
    /// The axes of `lhs` and of `rhs` that are summed over, in pairs.
    pub contract: [Vec<usize>; 2],
    /// The axes of `lhs` and of `rhs` that run side by side, in pairs.
    pub batch: [Vec<usize>; 2],
}

/// The names of the operands.
const SIDES: [&str; 2] = ["lhs", "rhs"];

impl DotGeneral {
    /// The axes of an operand that are neither contracted nor batch, in ascending order.
    pub(super) fn kept(&self, slot: usize, rank: usize) -> Vec<usize> {
        (0..rank).filter(|axis| !self.contract[slot].contains(axis) && !self.batch[slot].contains(axis)).collect()
    }

    fn check_axes(&self, slot: usize, rank: usize) -> Result<(), Mismatch> {
        let side = SIDES[slot];
        let mut seen = vec![false; rank];
        for &axis in self.batch[slot].iter().chain(&self.contract[slot]) {
            if axis >= rank {
                return Err(mismatch!("axes of {side} must lie below its rank {rank}, but got {axis}"));
            }
            if std::mem::replace(&mut seen[axis], true) {
                return Err(mismatch!("axes of {side} must be named once, but {axis} is named twice"));
            }
        }
        Ok(())
    }
}

/// Requires equal extents of paired axes.
fn check_pairs(kind: &str, axes: &[Vec<usize>; 2], operands: &[Type]) -> Result<(), Mismatch> {
    if axes[0].len() != axes[1].len() {
        return Err(mismatch!("{kind} axes must be pairs, but got {:?} of lhs and {:?} of rhs", axes[0], axes[1]));
    }
    for (&l, &r) in axes[0].iter().zip(&axes[1]) {
        let (m, n) = (operands[0].shape[l], operands[1].shape[r]);
        if m != n {
            return Err(mismatch!("{kind} axis {l} of lhs has extent {m}, but axis {r} of rhs has extent {n}"));
        }
    }
    Ok(())
}

impl Rules for DotGeneral {
    const NAME: &'static str = "dot_general";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        let dtype = super::rules::numbers(&[operands[0].dtype, operands[1].dtype])?;
        self.check_axes(0, operands[0].rank())?;
        self.check_axes(1, operands[1].rank())?;
        check_pairs("contracting", &self.contract, operands)?;
        check_pairs("batch", &self.batch, operands)?;
        let batch = self.batch[0].iter().map(|&axis| operands[0].shape[axis]);
        let kept = |slot: usize| {
            let shape = &operands[slot].shape;
            self.kept(slot, shape.rank()).into_iter().map(|axis| shape[axis])
        };
        let shape: Shape = batch.chain(kept(0)).chain(kept(1)).collect();
        Ok(smallvec::smallvec![Type::new(dtype, shape)])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::General(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Contract(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "sums of products of x and y over contracting axes, side by side over batch axes",
            derivative: "bilinear: products of the cotangent with y, and with x",
            accuracy: "one fixed order for vectors; that of faer for matrices; integers wrap",
        }
    }

    fn examples() -> Examples {
        let matrix_vector = DotGeneral::matrix([1, 0]);
        let w = literal([2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let answer = |op: &DotGeneral, x: &Array, y: &Array, result: Array| Answer {
            op: op.clone().into(),
            operands: vec![x.clone(), y.clone()],
            results: vec![result],
            ulps: 0,
            regions: vec![],
        };
        let batched = DotGeneral { contract: [vec![1], vec![2]], batch: [vec![0], vec![0]] };
        let outer = DotGeneral { contract: [vec![], vec![]], batch: [vec![], vec![]] };
        let answers = vec![
            answer(&matrix_vector, &w, &literal([3], [1.0, -1.0, 0.5]), literal([2], [0.5, 2.0])),
            answer(&DotGeneral::matrix([0, 0]), &w, &literal([2], [1.0, -1.0]), literal([3], [-3.0, -3.0, -3.0])),
            answer(&matrix_vector, &w, &literal([3, 1], [1.0, 0.0, -1.0]), literal([2, 1], [-2.0, -2.0])),
            answer(
                &matrix_vector,
                &w,
                &literal([3, 2], [1.0, 0.0, 0.0, 1.0, 2.0, -1.0]),
                literal([2, 2], [7.0, -1.0, 16.0, -1.0]),
            ),
            answer(
                &matrix_vector,
                &literal([2, 2], [1i64, 2, 3, 4]),
                &literal([2], [5i64, 6]),
                literal([2], [17i64, 39]),
            ),
            answer(
                &batched,
                &literal([2, 2], [1.0, 2.0, 3.0, 4.0]),
                &literal([2, 1, 2], [5.0, 6.0, 7.0, 8.0]),
                literal([2, 1], [17.0, 53.0]),
            ),
            answer(
                &outer,
                &literal([2], [1.0, 2.0]),
                &literal([3], [3.0, 4.0, 5.0]),
                literal([2, 3], [3.0, 4.0, 5.0, 6.0, 8.0, 10.0]),
            ),
            answer(&matrix_vector, &literal::<f64>([2, 0], []), &literal::<f64>([0], []), literal([2], [0.0, 0.0])),
            answer(
                &matrix_vector,
                &literal::<f64>([2, 0], []),
                &literal::<f64>([0, 2], []),
                literal([2, 2], [0.0, 0.0, 0.0, 0.0]),
            ),
        ];
        Examples { answers, samples: samples() }
    }
}

/// Vectors, matrices and batches, in every order of axes, small and beyond the size from which faer is called.
fn samples() -> Vec<Sample> {
    type Case = ([&'static [usize]; 2], [&'static [usize]; 2], &'static [usize], &'static [usize]);
    let cases: [Case; 14] = [
        ([&[0], &[0]], [&[], &[]], &[19], &[19]),
        ([&[1], &[0]], [&[], &[]], &[5, 21], &[21]),
        ([&[0], &[0]], [&[], &[]], &[21, 5], &[21]),
        ([&[0], &[1]], [&[], &[]], &[7], &[3, 7]),
        ([&[0], &[0]], [&[], &[]], &[7], &[7, 3]),
        ([&[1], &[0]], [&[], &[]], &[2, 3], &[3, 5]),
        ([&[0], &[1]], [&[], &[]], &[3, 2], &[5, 3]),
        ([&[1], &[0]], [&[], &[]], &[9, 17], &[17, 11]),
        ([&[1], &[1]], [&[], &[]], &[9, 17], &[11, 17]),
        ([&[0], &[0]], [&[], &[]], &[17, 9], &[17, 11]),
        ([&[], &[]], [&[], &[]], &[2, 3], &[5]),
        ([&[2], &[1]], [&[0], &[0]], &[2, 3, 5], &[2, 5, 4]),
        ([&[0], &[2]], [&[2], &[0]], &[5, 3, 2], &[2, 4, 5]),
        ([&[2, 0], &[0, 1]], [&[], &[]], &[3, 4, 5], &[5, 3, 2]),
    ];
    let sample = |dtype: DType| {
        cases.map(|(contract, batch, lhs, rhs)| Sample {
            op: DotGeneral { contract: contract.map(Vec::from), batch: batch.map(Vec::from) }.into(),
            operands: vec![(Type::new(dtype, lhs), (-2.0, 2.0)), (Type::new(dtype, rhs), (-1.0, 3.0))],
            regions: vec![],
        })
    };
    [DType::F64, DType::F32, DType::I64].into_iter().flat_map(sample).collect()
}

impl General for DotGeneral {
    fn jvp(&self, x: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        let of_lhs = t[0].map(|t| contraction(self.clone(), [t, x[1]], Strong::Lhs));
        let of_rhs = t[1].map(|t| contraction(self.clone(), [x[0], t], Strong::Rhs));
        vec![match (of_lhs, of_rhs) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        }]
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let ct_of = |slot: usize| ct[0].filter(|_| wanted[slot]).map(|ct| self.cotangent(slot, x, ct, true));
        vec![ct_of(0), ct_of(1)]
    }
}

impl DotGeneral {
    /// The contraction of one axis of each operand.
    fn matrix([l, r]: [usize; 2]) -> DotGeneral {
        DotGeneral { contract: [vec![l], vec![r]], batch: [vec![], vec![]] }
    }

    /// The cotangent of the operand in that slot: `ct` contracted with the other operand over the other's kept axes. Zeros
    /// of `ct` annihilate the other operand, and those of the other annihilate `ct` unless it is a `partial` derivative.
    pub(super) fn cotangent(&self, slot: usize, x: &[Var], ct: Var, partial: bool) -> Var {
        let zeros = |slot: usize| if partial { Strong::slot(slot) } else { Strong::Either };
        let other = 1 - slot;
        let (rank, other_rank) = (x[slot].rank(), x[other].rank());
        let (kept, other_kept) = (self.kept(slot, rank), self.kept(other, other_rank));
        let n_batch = self.batch[slot].len();
        // Where the other's kept axes lie in `ct`.
        let first = n_batch + if slot == 0 { kept.len() } else { 0 };
        let in_ct: Vec<usize> = (first..first + other_kept.len()).collect();
        let ct_batch: Vec<usize> = (0..n_batch).collect();
        // The product leaves the other's contracted axes in the other's order; these are their partners.
        let mut pairs: Vec<(usize, usize)> =
            self.contract[other].iter().copied().zip(self.contract[slot].iter().copied()).collect();
        pairs.sort_unstable();
        let contracted = pairs.into_iter().map(|(_, own)| own);

        // Either operand of the product may come first. The one that needs no transposition is better.
        let ct_first: Vec<usize> =
            self.batch[slot].iter().copied().chain(kept.clone()).chain(contracted.clone()).collect();
        let ct_last: Vec<usize> = self.batch[slot].iter().copied().chain(contracted).chain(kept).collect();
        let (op, operands, zeros, axes) = if !is_identity(&ct_first) && is_identity(&ct_last) {
            let op = DotGeneral { contract: [other_kept, in_ct], batch: [self.batch[other].clone(), ct_batch] };
            (op, [x[other], ct], zeros(1), ct_last)
        } else {
            let op = DotGeneral { contract: [in_ct, other_kept], batch: [ct_batch, self.batch[other].clone()] };
            (op, [ct, x[other]], zeros(0), ct_first)
        };
        let product = contraction(op, operands, zeros);
        if is_identity(&axes) { product } else { product.transpose(&super::shape::inverse(&axes)) }
    }
}

/// Whether a permutation leaves everything in its place.
pub(super) fn is_identity(perm: &[usize]) -> bool {
    perm.iter().enumerate().all(|(k, &axis)| k == axis)
}

impl DotGeneral {
    /// For each element of the result the positions, in row-major order, of the elements of both operands that are
    /// multiplied, in the order in which the products are added.
    pub(crate) fn pairs(&self, lhs: &Shape, rhs: &Shape) -> Vec<Vec<(usize, usize)>> {
        let kept = [self.kept(0, lhs.rank()), self.kept(1, rhs.rank())];
        let places = |shape: &Shape, axes: &[usize]| {
            let strides = shape.strides();
            let layout = Layout {
                offset: 0,
                strides: axes.iter().map(|&axis| strides[axis]).collect(),
                shape: axes.iter().map(|&axis| shape[axis]).collect(),
            };
            layout.places().map(|place| place as usize).collect::<Vec<usize>>()
        };
        let batch = [places(lhs, &self.batch[0]), places(rhs, &self.batch[1])];
        let contract = [places(lhs, &self.contract[0]), places(rhs, &self.contract[1])];
        let [rows, columns] = [places(lhs, &kept[0]), places(rhs, &kept[1])];
        let mut pairs = Vec::new();
        for (&b, &c) in batch[0].iter().zip(&batch[1]) {
            for &i in &rows {
                for &j in &columns {
                    let products = contract[0].iter().zip(&contract[1]);
                    pairs.push(products.map(|(&k, &l)| (b + i + k, c + j + l)).collect());
                }
            }
        }
        pairs
    }
}

/// A product of a matrix with a vector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatrixVector {
    /// Which operand is the matrix.
    pub matrix: usize,
    /// Whether the rows are added up, each times an element of the vector; else each row is multiplied with the vector.
    pub adds_rows: bool,
}

impl DotGeneral {
    /// Whether this is a product of a matrix with a vector, both longer than 1 in every direction.
    pub(crate) fn matrix_vector(&self, lhs: &Shape, rhs: &Shape) -> Option<MatrixVector> {
        let matrix = match (lhs.rank(), rhs.rank()) {
            (2, 1) => 0,
            (1, 2) => 1,
            _ => return None,
        };
        let contracted = self.contract[matrix].first()?;
        let long = lhs.iter().chain(rhs.iter()).all(|&extent| extent > 1);
        (long && self.batch[0].is_empty()).then_some(MatrixVector { matrix, adds_rows: *contracted == 0 })
    }
}

impl Library for DotGeneral {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        with_number!(operands[0].dtype(), T => {
            let result = results[0].typed::<T>().as_slice_mut().expect("bug: a result with gaps");
            self.multiply::<T>([operands[0].typed(), operands[1].typed()], result);
        });
    }

    fn flops(&self, operands: &[&Type], result: &Type) -> usize {
        let contracted = self.contract[0].iter().map(|&axis| operands[0].shape[axis]);
        contracted.fold(result.size().saturating_mul(2), usize::saturating_mul)
    }
}

impl DotGeneral {
    pub(super) fn multiply<T: Number>(&self, operands: [&ArrayViewD<'_, T>; 2], result: &mut [T]) {
        let sides = [0, 1].map(|slot| Side::new(self, slot, operands[slot].shape()));
        let ordered = [0, 1].map(|slot| operands[slot].clone().permuted_axes(&sides[slot].perm[..]));
        let [lhs, rhs] = [0, 1].map(|slot| sides[slot].in_rows(&ordered[slot]));
        let [m, n] = [sides[0].kept, sides[1].kept];
        if m * n == 0 {
            return;
        }
        for (b, result) in result.chunks_exact_mut(m * n).enumerate() {
            let (x, y) = (lhs.index_axis(Axis(0), b), rhs.index_axis(Axis(0), b));
            if n == 1 {
                sides[0].times_vector(x, y, result);
            } else if m == 1 {
                sides[1].times_vector(y, x, result);
            } else {
                let (x, y) = (x.as_standard_layout(), y.as_standard_layout());
                let matrix = |side: &Side, elements| Matrix {
                    elements,
                    rows: side.kept,
                    columns: side.contracted,
                    by_columns: side.contracted_first,
                };
                let lhs = matrix(&sides[0], x.as_slice().expect("bug: a copy with gaps"));
                let rhs = matrix(&sides[1], y.as_slice().expect("bug: a copy with gaps")).transposed();
                linear::product(lhs, rhs, result);
            }
        }
    }
}

impl DotGeneral {
    /// The same with another product of two elements, summed from left to right.
    pub(super) fn multiply_by<T: Number>(
        &self,
        operands: [&ArrayViewD<'_, T>; 2],
        result: &mut [T],
        product: impl Fn(T, T) -> T,
    ) {
        let sides = [0, 1].map(|slot| Side::new(self, slot, operands[slot].shape()));
        let ordered = [0, 1].map(|slot| operands[slot].clone().permuted_axes(&sides[slot].perm[..]));
        let [lhs, rhs] = [0, 1].map(|slot| sides[slot].in_rows(&ordered[slot]));
        let element = |side: &Side, x: &CowArray<'_, T, Ix3>, b: usize, kept: usize, contracted: usize| {
            if side.contracted_first { x[[b, contracted, kept]] } else { x[[b, kept, contracted]] }
        };
        let [m, n] = [sides[0].kept, sides[1].kept];
        for (position, result) in result.iter_mut().enumerate() {
            let (b, i, j) = (position / (m * n), position / n % m, position % n);
            *result = (0..sides[0].contracted).fold(T::ZERO, |sum, k| {
                sum.plus(product(element(&sides[0], &lhs, b, i, k), element(&sides[1], &rhs, b, j, k)))
            });
        }
    }
}

/// How an operand becomes a batch of matrices.
struct Side {
    /// The operand's axes: batch, then rows, then columns.
    perm: SmallVec<[usize; 6]>,
    /// The product of the extents of the batch axes.
    batch: usize,
    /// The product of the extents of the kept axes.
    kept: usize,
    /// The product of the extents of the contracted axes.
    contracted: usize,
    /// Whether rows run over the contracted axes, and columns over the kept ones; else it is the other way round.
    contracted_first: bool,
}

impl Side {
    /// Decides by parameters and extents alone: columns are the group of axes that holds the last axis whose extent is
    /// not 1, so that the elements of an operand in row-major order need not move.
    fn new(op: &DotGeneral, slot: usize, shape: &[usize]) -> Side {
        let (batch, kept, contracted) = (&op.batch[slot], op.kept(slot, shape.len()), &op.contract[slot]);
        let size = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).product::<usize>();
        let contracted_first =
            (0..shape.len()).rfind(|&axis| shape[axis] != 1).is_some_and(|axis| kept.contains(&axis));
        let groups = if contracted_first { [batch, contracted, &kept] } else { [batch, &kept, contracted] };
        Side {
            perm: groups.into_iter().flatten().copied().collect(),
            batch: size(batch),
            kept: size(&kept),
            contracted: size(contracted),
            contracted_first,
        }
    }

    /// The operand, whose axes are in order, as a batch of matrices whose rows lie in one piece. Elements are copied
    /// only where no strides express that.
    fn in_rows<'a, T: Number>(&self, ordered: &'a ArrayViewD<'_, T>) -> CowArray<'a, T, Ix3> {
        let (rows, columns) =
            if self.contracted_first { (self.contracted, self.kept) } else { (self.kept, self.contracted) };
        let matrices = ordered.to_shape((self.batch, rows, columns)).expect("bug: groups that leave axes out");
        if columns <= 1 || matrices.stride_of(Axis(2)) == 1 {
            return matrices;
        }
        CowArray::from(matrices.as_standard_layout().into_owned())
    }

    /// This operand's matrix times the other operand, of which nothing is kept.
    fn times_vector<T: Number>(&self, matrix: ArrayView2<'_, T>, vector: ArrayView2<'_, T>, result: &mut [T]) {
        let x = vector.index_axis_move(Axis(0), 0);
        if self.contracted_first {
            linear::vector_times_rows(x, Rows::new(matrix), result);
        } else {
            linear::rows_times_vector(
                Rows::new(matrix),
                x.to_slice().expect("bug: a vector in several pieces"),
                result,
            );
        }
    }
}

/// Whether the axes that a product of matrices or vectors sums over have one extent; if not, the trace has an error.
#[track_caller]
fn check_contracted(lhs: Var, rhs: Var) -> bool {
    let (a, b) = (lhs.shape(), rhs.shape());
    let (last, first) = (a.rank() - 1, b.rank().saturating_sub(2));
    let fits = a[last] == b[first];
    if !fits {
        trace::fail_at(format!(
            "axis {last} of the left operand has extent {}, but axis {first} of the right operand has extent {}",
            a[last], b[first]
        ));
    }
    fits
}

impl Var {
    /// Sums of products over paired axes; see [`DotGeneral`]. Axis `contract[0][k]` of `self` is summed with axis
    /// `contract[1][k]` of `rhs`, and along axes `batch[0][k]` and `batch[1][k]` products stand side by side. The axes
    /// of the result are those of the batch, then the others of `self`, then the others of `rhs`.
    ///
    /// Takes two arrays of one numeric dtype; integers wrap. Paired axes of different extents, axes named twice and
    /// axes that do not exist are an error. The derivative is bilinear. The order of summation is that of
    /// [`DotGeneral`].
    ///
    /// ```
    /// use ndarray::Array3;
    /// use retrograd::{Var, jit};
    ///
    /// // The products of three pairs of matrices, summed over the last axis of both.
    /// let products = |x: Var, y: Var| x.dot_general(y, [&[2], &[2]], [&[0], &[0]]);
    /// let (x, y) = (Array3::<f64>::ones((3, 2, 4)), Array3::<f64>::ones((3, 5, 4)));
    /// let z: Array3<f64> = jit(products).call(x, y)?;
    /// assert_eq!(z, Array3::<f64>::from_elem((3, 2, 5), 4.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn dot_general(self, rhs: Var, contract: [&[usize]; 2], batch: [&[usize]; 2]) -> Var {
        apply(DotGeneral { contract: contract.map(Vec::from), batch: batch.map(Vec::from) }, &[self, rhs])
    }

    /// NumPy's `dot`: the sum of products over the last axis of `self` and the last but one of `rhs`, or its only one.
    /// A scalar on either side multiplies.
    ///
    /// Takes two arrays of one numeric dtype; contracted axes of different extents are an error. The derivative is
    /// bilinear. The order of summation is that of [`DotGeneral`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let w = array![[1.0, 2.0], [3.0, 4.0]];
    /// let y: Array1<f64> = jit(|w: Var, x: Var| w.dot(x)).call(&w, array![1.0, -1.0])?;
    /// assert_eq!(y, array![-1.0, -1.0]);
    /// let inner: f64 = jit(|x: Var| x.dot(x)).call(array![3.0, 4.0])?;
    /// assert_eq!(inner, 25.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn dot(self, rhs: Var) -> Var {
        let _method = trace::method("dot", &[self, rhs]);
        let (m, n) = (self.rank(), rhs.rank());
        if m == 0 || n == 0 {
            return self * rhs;
        }
        if !check_contracted(self, rhs) {
            return Var::poisoned();
        }
        self.dot_general(rhs, [&[m - 1], &[n.saturating_sub(2)]], [&[], &[]])
    }

    /// NumPy's `matmul`: products of matrices in the last two axes, side by side over the axes before them, which
    /// broadcast. An operand of rank 1 is a row on the left and a column on the right.
    ///
    /// Takes two arrays of one numeric dtype and of rank 1 or more. A scalar, contracted axes of different extents, and
    /// axes of the batch that do not broadcast are an error. The derivative is bilinear. The order of summation is that
    /// of [`DotGeneral`].
    ///
    /// ```
    /// use ndarray::{Array2, Array3, array};
    /// use retrograd::{Var, jit};
    ///
    /// let product = |x: Var, y: Var| x.matmul(y);
    /// let z: Array2<f64> = jit(product).call(array![[1.0, 2.0], [3.0, 4.0]], array![[0.0, 1.0], [1.0, 0.0]])?;
    /// assert_eq!(z, array![[2.0, 1.0], [4.0, 3.0]]);
    /// let batched: Array3<f64> = jit(product).call(Array3::<f64>::ones((5, 2, 3)), Array2::<f64>::ones((3, 4)))?;
    /// assert_eq!(batched, Array3::<f64>::from_elem((5, 2, 4), 3.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn matmul(self, rhs: Var) -> Var {
        let _method = trace::method("matmul", &[self, rhs]);
        let (a, b) = (self.shape(), rhs.shape());
        if a.rank() == 0 || b.rank() == 0 {
            trace::fail_at(format!("takes vectors and matrices, but got {a} and {b}; use *"));
            return Var::poisoned();
        }
        if b.rank() <= 2 {
            return self.dot(rhs);
        }
        if !check_contracted(self, rhs) {
            return Var::poisoned();
        }
        let lead = |shape: &Shape| shape[..shape.rank().saturating_sub(2)].to_vec();
        let Some(batch) = broadcast_shape(&lead(&a), &lead(&b)) else {
            trace::fail_at(format!("cannot broadcast the batch axes of {a} and {b}"));
            return Var::poisoned();
        };
        let spread = |shape: &Shape| [&batch, &shape[shape.rank() - 2..]].concat();
        let axes: Vec<usize> = (0..batch.len()).collect();
        let rank = batch.len();
        // A vector has no batch axes, so it need not be repeated: the product is made from the right.
        if a.rank() == 1 {
            return rhs.dot_general(self, [&[b.rank() - 2], &[0]], [&[], &[]]);
        }
        let (lhs, rhs) = (self.broadcast_to(&spread(&a)), rhs.broadcast_to(&spread(&b)));
        lhs.dot_general(rhs, [&[rank + 1], &[rank]], [&axes, &axes])
    }

    /// The products of all elements of `self` with all of `rhs`: `out[i, j] = self[i] · rhs[j]`. Arrays of other ranks
    /// are flattened, as in NumPy.
    ///
    /// Takes two arrays of one numeric dtype. The derivative is bilinear.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let z: Array2<f64> = jit(|x: Var, y: Var| x.outer(y)).call(array![1.0, 2.0], array![3.0, 4.0, 5.0])?;
    /// assert_eq!(z, array![[3.0, 4.0, 5.0], [6.0, 8.0, 10.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn outer(self, rhs: Var) -> Var {
        let _method = trace::method("outer", &[self, rhs]);
        let lhs = if self.rank() == 1 { self } else { self.flatten() };
        let rhs = if rhs.rank() == 1 { rhs } else { rhs.flatten() };
        lhs.dot_general(rhs, [&[], &[]], [&[], &[]])
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

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
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

/// The contraction in which zeros of one operand, or of either, annihilate the other.
#[track_caller]
pub(super) fn contraction(op: DotGeneral, operands: [Var; 2], zeros: Strong) -> Var {
    let zeros = zeros.here(operands);
    if trace::has_failed() {
        return apply(op, &operands);
    }
    if !matters(operands, zeros) {
        if let Some(product) = sparse::contraction(&op, operands) {
            return product;
        }
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

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, IxDyn};

    use super::*;
    use crate::op::ReduceSum;
    use crate::value::{Element, Scalar};

    /// Numbers in (-1, 1) of which no two sums round alike.
    fn random(ty: &Type, seed: u64) -> Array {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
            Scalar::F64(if ty.dtype == DType::I64 { unit * 1e6 } else { 2.0 * unit - 1.0 }).convert(ty.dtype)
        };
        Array::collect(ty, (0..ty.size()).map(next))
    }

    /// The samples, and sizes beyond tiles and blocks, with random operands.
    fn cases() -> Vec<(DotGeneral, [Array; 2])> {
        let mut cases: Vec<(DotGeneral, [Type; 2])> = Vec::new();
        for sample in DotGeneral::examples().samples {
            let super::super::Op::DotGeneral(op) = sample.op else { unreachable!("bug: an example of another") };
            cases.push((*op, [sample.operands[0].0.clone(), sample.operands[1].0.clone()]));
        }
        let large: [([usize; 2], &[usize], &[usize]); 9] = [
            ([0, 0], &[1300], &[1300]),
            ([1, 0], &[7, 1300], &[1300]),
            ([0, 0], &[1300, 7], &[1300]),
            ([1, 0], &[70, 3], &[3]),
            ([1, 0], &[13, 600], &[600, 17]),
            ([1, 1], &[13, 600], &[17, 600]),
            ([0, 0], &[600, 13], &[600, 17]),
            ([0, 1], &[600, 13], &[17, 600]),
            ([1, 0], &[40, 1], &[1, 50]),
        ];
        for (contract, lhs, rhs) in large {
            for dtype in [DType::F64, DType::F32, DType::I64] {
                cases.push((DotGeneral::matrix(contract), [Type::new(dtype, lhs), Type::new(dtype, rhs)]));
            }
        }
        let operands = |types: &[Type; 2]| [random(&types[0], 1), random(&types[1], 2)];
        cases.iter().map(|(op, types)| (op.clone(), operands(types))).collect()
    }

    fn eval(op: &DotGeneral, operands: &[Array; 2]) -> Array {
        let results = op.infer(&[operands[0].ty(), operands[1].ty()], &[]).unwrap();
        op.eval(&[&operands[0], &operands[1]], &results).remove(0)
    }

    /// Every index of a shape.
    fn indices(shape: &[usize]) -> Vec<IxDyn> {
        ndarray::indices(shape).into_iter().collect()
    }

    #[test]
    fn products_agree_with_the_definition() {
        for (op, operands) in cases() {
            let (x, y) = (&operands[0], &operands[1]);
            let float = |a: &Array| -> ArrayD<f64> {
                let elements = a.elements().map(|x| match x.convert(DType::F64) {
                    Scalar::F64(x) => x,
                    other => unreachable!("bug: {other} converted"),
                });
                ArrayD::from_shape_vec(IxDyn(a.shape()), elements.collect()).unwrap()
            };
            let (a, b, got) = (float(x), float(y), float(&eval(&op, &operands)));
            let contracted: Vec<usize> = op.contract[0].iter().map(|&axis| x.shape()[axis]).collect();
            let (kept, batch) = ([op.kept(0, a.ndim()), op.kept(1, b.ndim())], op.batch[0].len());
            let tolerance = if x.dtype() == DType::F32 { 1e-6 } else { 1e-15 };
            for index in indices(got.shape()) {
                let place = |slot: usize, k: &IxDyn, rank: usize| {
                    let mut place = IxDyn(&vec![0; rank]);
                    op.batch[slot].iter().enumerate().for_each(|(b, &axis)| place[axis] = index[b]);
                    op.contract[slot].iter().enumerate().for_each(|(c, &axis)| place[axis] = k[c]);
                    let first = batch + if slot == 0 { 0 } else { kept[0].len() };
                    kept[slot].iter().enumerate().for_each(|(i, &axis)| place[axis] = index[first + i]);
                    place
                };
                let products: Vec<f64> =
                    indices(&contracted).iter().map(|k| a[place(0, k, a.ndim())] * b[place(1, k, b.ndim())]).collect();
                let (sum, size) = (products.iter().sum::<f64>(), products.iter().map(|x| x.abs()).sum::<f64>());
                let error = (got[&index] - sum).abs();
                assert!(error <= tolerance * 10.0 * size, "{op:?} {} {}: {error} at {index:?}", x.ty(), y.ty());
            }
        }
    }

    /// The same elements with axes in the opposite order in memory, every second element left out, and one axis backwards.
    fn scattered<T: Element>(x: &ArrayViewD<'_, T>) -> ArrayD<T> {
        let extents: Vec<usize> = x.shape().iter().rev().map(|extent| 2 * extent + 1).collect();
        let mut room = ArrayD::from_elem(IxDyn(&extents), T::default());
        window(room.view_mut()).assign(x);
        room
    }

    fn window<T>(room: ndarray::ArrayViewMutD<'_, T>) -> ndarray::ArrayViewMutD<'_, T> {
        let mut view = room.reversed_axes();
        for axis in 0..view.ndim() {
            view.slice_axis_inplace(Axis(axis), ndarray::Slice::new(1, None, 2));
        }
        if view.ndim() > 0 {
            view.invert_axis(Axis(0));
        }
        view
    }

    #[test]
    fn bits_do_not_depend_on_strides() {
        for (op, operands) in cases() {
            let expected = eval(&op, &operands);
            with_number!(expected.dtype(), T => {
                let views = operands.each_ref().map(|x| x.view());
                let mut rooms = views.each_ref().map(|x| scattered(x.typed::<T>()));
                for (first, second) in [(true, false), (false, true), (true, true)] {
                    let [a, b] = rooms.each_mut().map(|room| window(room.view_mut()));
                    let lhs = if first { a.view() } else { views[0].typed::<T>().clone() };
                    let rhs = if second { b.view() } else { views[1].typed::<T>().clone() };
                    let mut got = Array::zeros(&expected.ty());
                    let mut view = got.view_mut();
                    op.multiply([&lhs, &rhs], view.typed::<T>().as_slice_mut().unwrap());
                    drop(view);
                    assert!(got.same_bits(&expected), "{op:?} {} {}", operands[0].ty(), operands[1].ty());
                }
            });
        }
    }

    #[test]
    fn bits_do_not_depend_on_addresses() {
        for (m, n, k) in [(37, 41, 600), (16, 16, 16), (64, 48, 32), (9, 11, 17)] {
            let op = DotGeneral::matrix([1, 0]);
            let operands = [random(&Type::new(DType::F64, [m, k]), 3), random(&Type::new(DType::F64, [k, n]), 4)];
            let expected = eval(&op, &operands);
            for shift in 1..8 {
                let shifted = operands.each_ref().map(|x| [vec![0.0; shift], x.as_slice().unwrap().to_vec()].concat());
                let [lhs, rhs] = shifted.each_ref().map(|elements| &elements[shift..]);
                let lhs = ArrayViewD::from_shape(IxDyn(&[m, k]), lhs).unwrap();
                let rhs = ArrayViewD::from_shape(IxDyn(&[k, n]), rhs).unwrap();
                let mut result = vec![f64::NAN; shift + m * n];
                op.multiply([&lhs, &rhs], &mut result[shift..]);
                let got = Array::from_elements([m, n], result[shift..].to_vec()).unwrap();
                assert!(got.same_bits(&expected), "{m} {n} {k} at {shift}");
            }
        }
    }

    #[test]
    fn vectors_are_summed_like_reductions() {
        for (rows, columns) in [(5, 3), (6, 15), (7, 16), (3, 1300), (4, 512), (9, 1043)] {
            let w = random(&Type::new(DType::F64, [rows, columns]), 5);
            for axis in [0, 1] {
                let x = random(&Type::new(DType::F64, [w.shape()[axis]]), 6);
                let products: Vec<f64> = (0..rows * columns)
                    .map(|p| {
                        let k = if axis == 0 { p / columns } else { p % columns };
                        w.as_slice::<f64>().unwrap()[p] * x.as_slice::<f64>().unwrap()[k]
                    })
                    .collect();
                let products = Array::from_elements([rows, columns], products).unwrap();
                let sum = ReduceSum { axes: vec![axis] }.eval(&[&products], &[]).remove(0);
                let got = eval(&DotGeneral::matrix([axis, 0]), &[w.clone(), x]);
                assert!(got.same_bits(&sum), "{rows} {columns} {axis}");
            }
        }
    }
}
