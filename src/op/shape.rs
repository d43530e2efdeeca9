//! Constants, and operations that give elements other indices.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rules::{
    Answer, Batching, Derivative, Doc, Examples, Layout, Linear, Lowering, Rules, Sample, View, eval_view,
    expect_arity, led, literal, shifted, shifted_batch, with_rows,
};
use super::trace::{self, apply};
use super::{Op, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::value::{Array, DType, Shape, Type};

/// A value that is known when the graph is built.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The value. Files encode it apart from the parameters.
    #[serde(skip, default = "no_value")]
    pub value: Arc<Array>,
}

fn no_value() -> Arc<Array> {
    Arc::new(Array::scalar(0.0))
}

impl Rules for Constant {
    const NAME: &'static str = "constant";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 0)?;
        if !self.value.is_row_major() {
            return Err(mismatch!("takes elements in row-major order; use Array::into_row_major"));
        }
        Ok(smallvec::smallvec![self.value.ty()])
    }

    fn eval(&self, _: &[&Array], _: &[Type]) -> Vec<Array> {
        vec![Array::clone(&self.value)]
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Zero
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Constant
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Constant(&self.value)
    }

    fn doc() -> Doc {
        Doc { summary: "a value known when the graph is built", derivative: "none", accuracy: "exact" }
    }

    fn examples() -> Examples {
        let value = Array::from_elements([2], vec![1.5, -0.0]).expect("bug: two elements");
        let op: Op = Constant { value: Arc::new(value.clone()) }.into();
        Examples {
            answers: vec![Answer { op, operands: vec![], results: vec![value], ulps: 0, regions: vec![] }],
            samples: vec![],
        }
    }
}

/// The same value under a new identity: the place at which a transformation takes a derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Alias;

impl Rules for Alias {
    const NAME: &'static str = "alias";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 1)?;
        Ok(smallvec::smallvec![operands[0].clone()])
    }

    fn eval(&self, operands: &[&Array], _: &[Type]) -> Vec<Array> {
        vec![operands[0].clone()]
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Elementwise
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::View(self)
    }

    fn doc() -> Doc {
        Doc { summary: "x under a new identity", derivative: "1", accuracy: "exact" }
    }

    fn examples() -> Examples {
        let x = Array::from_elements([2], vec![1.5, -2.5]).expect("bug: two elements");
        let answer = Answer { op: Alias.into(), operands: vec![x.clone()], results: vec![x], ulps: 0, regions: vec![] };
        let samples = DType::ALL
            .into_iter()
            .map(|dtype| Sample {
                op: Alias.into(),
                operands: vec![(Type::new(dtype, [2, 3]), (-2.0, 2.0))],
                regions: vec![],
            })
            .collect();
        Examples { answers: vec![answer], samples }
    }
}

impl Linear for Alias {
    fn apply(&self, t: &[Var]) -> Var {
        apply(*self, t)
    }

    fn transpose(&self, _: usize, _: &[Type], ct: Var) -> Var {
        ct
    }

    fn transpose_mask(&self, _: usize, _: &[Type], mask: Var) -> Option<Var> {
        Some(mask)
    }
}

impl View for Alias {
    fn view(&self, operand: &Layout) -> Option<Layout> {
        Some(operand.clone())
    }
}

/// Repetition along new axes: `out[i] = x[i[axes]]`.
///
/// # Constraints
/// (C1) `axes` has one entry for each axis of `x`, strictly ascending and within the result's rank.
/// (C2) `shape[axes[k]]` is the extent of `x` along axis `k`.
///
/// # Derivative
/// Linear. The cotangent is summed over the new axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BroadcastInDim {
    /// The result's shape.
    pub shape: Shape,
    /// Where each axis of the operand goes.
    pub axes: Vec<usize>,
}

impl BroadcastInDim {
    /// The axes of the result along which elements repeat.
    fn new_axes(&self) -> Vec<usize> {
        (0..self.shape.rank()).filter(|axis| !self.axes.contains(axis)).collect()
    }
}

impl Rules for BroadcastInDim {
    const NAME: &'static str = "broadcast_in_dim";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 1)?;
        let x = &operands[0];
        if self.axes.len() != x.rank() {
            return Err(mismatch!("axes must name a place for each of {} axes, but got {:?}", x.rank(), self.axes));
        }
        if !self.axes.is_sorted_by(|a, b| a < b) || self.axes.last().is_some_and(|&axis| axis >= self.shape.rank()) {
            return Err(mismatch!(
                "axes must ascend strictly and lie below the rank {}, but got {:?}",
                self.shape.rank(),
                self.axes
            ));
        }
        for (axis, &place) in self.axes.iter().enumerate() {
            if self.shape[place] != x.shape[axis] {
                return Err(mismatch!(
                    "axis {axis} has extent {}, but axis {place} of shape {} has extent {}",
                    x.shape[axis],
                    self.shape,
                    self.shape[place]
                ));
            }
        }
        Ok(smallvec::smallvec![Type::new(x.dtype, self.shape.clone())])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        vec![eval_view(self, operands[0], &results[0])]
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::View(self)
    }

    fn doc() -> Doc {
        Doc { summary: "x repeated along new axes", derivative: "sum over the new axes", accuracy: "exact" }
    }

    fn examples() -> Examples {
        let op: Op = BroadcastInDim { shape: [2, 3].into(), axes: vec![0] }.into();
        let x = Array::from_elements([2], vec![1.0, 2.0]).expect("bug: two elements");
        let y = Array::from_elements([2, 3], vec![1.0, 1.0, 1.0, 2.0, 2.0, 2.0]).expect("bug: six elements");
        let answers = vec![Answer { op, operands: vec![x], results: vec![y], ulps: 0, regions: vec![] }];
        let op: Op = BroadcastInDim { shape: [4, 2, 3, 5].into(), axes: vec![1, 3] }.into();
        let sample =
            |dtype| Sample { op: op.clone(), operands: vec![(Type::new(dtype, [2, 5]), (-2.0, 2.0))], regions: vec![] };
        Examples { answers, samples: DType::ALL.map(sample).into() }
    }
}

impl Linear for BroadcastInDim {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, _: usize, _: &[Type], ct: Var) -> Var {
        ct.sum_axes(&self.new_axes())
    }

    fn transpose_mask(&self, _: usize, _: &[Type], _: Var) -> Option<Var> {
        None
    }
}

impl View for BroadcastInDim {
    fn view(&self, operand: &Layout) -> Option<Layout> {
        let mut strides = smallvec::smallvec![0; self.shape.rank()];
        for (axis, &place) in self.axes.iter().enumerate() {
            strides[place] = operand.strides[axis];
        }
        Some(Layout { offset: operand.offset, strides, shape: self.shape.clone() })
    }
}

shifted_batch!(BroadcastInDim, |op, n| BroadcastInDim {
    shape: with_rows(&op.shape, n),
    axes: led(0, &shifted(&op.axes))
});

/// The same elements in row-major order under another shape.
///
/// # Constraints
/// (C1) Both shapes have the same number of elements.
///
/// # Derivative
/// Linear. The cotangent takes the operand's shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The result's shape.
    pub shape: Shape,
}

impl Rules for Reshape {
    const NAME: &'static str = "reshape";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 1)?;
        if self.shape.checked_size() != operands[0].shape.checked_size() {
            return Err(mismatch!("the new shape must have {} elements, but got {}", operands[0].size(), self.shape));
        }
        Ok(smallvec::smallvec![Type::new(operands[0].dtype, self.shape.clone())])
    }

    fn eval(&self, operands: &[&Array], _: &[Type]) -> Vec<Array> {
        vec![operands[0].reshape(&self.shape).expect("bug: another size passed inference")]
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::View(self)
    }

    fn doc() -> Doc {
        Doc { summary: "x under another shape", derivative: "reshape back", accuracy: "exact" }
    }

    fn examples() -> Examples {
        let op: Op = Reshape { shape: [3, 2].into() }.into();
        let x = Array::from_elements([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("bug: six elements");
        let y = Array::from_elements([3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("bug: six elements");
        let answers = vec![Answer { op: op.clone(), operands: vec![x], results: vec![y], ulps: 0, regions: vec![] }];
        let sample =
            |dtype| Sample { op: op.clone(), operands: vec![(Type::new(dtype, [2, 3]), (-2.0, 2.0))], regions: vec![] };
        Examples { answers, samples: DType::ALL.map(sample).into() }
    }
}

impl Linear for Reshape {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, _: usize, operands: &[Type], ct: Var) -> Var {
        ct.reshape(&operands[0].shape)
    }

    fn transpose_mask(&self, slot: usize, operands: &[Type], mask: Var) -> Option<Var> {
        Some(self.transpose(slot, operands, mask))
    }
}

impl View for Reshape {
    /// Only rows that lie without gaps can be cut otherwise; the rest is copied by the plan first.
    fn view(&self, operand: &Layout) -> Option<Layout> {
        if operand.is_row_major() || operand.shape.size() <= 1 {
            return Some(Layout { offset: operand.offset, ..Layout::row_major(&self.shape) });
        }
        unit_axes_only(operand, &self.shape)
    }
}

shifted_batch!(Reshape, |op, n| Reshape { shape: with_rows(&op.shape, n) });

/// The layout after a reshape that only adds or drops axes of extent 1.
fn unit_axes_only(operand: &Layout, shape: &Shape) -> Option<Layout> {
    let mut kept = (0..operand.shape.rank()).filter(|&axis| operand.shape[axis] != 1);
    let mut strides = smallvec::SmallVec::new();
    for &extent in shape.iter() {
        if extent == 1 {
            strides.push(0);
            continue;
        }
        let axis = kept.next().filter(|&axis| operand.shape[axis] == extent)?;
        strides.push(operand.strides[axis]);
    }
    match kept.next() {
        None => Some(Layout { offset: operand.offset, strides, shape: shape.clone() }),
        Some(_) => None,
    }
}

/// The axes in another order: axis `k` of the result is axis `perm[k]` of the operand.
///
/// # Constraints
/// (C1) `perm` names each axis of the operand once.
///
/// # Derivative
/// Linear. The cotangent's axes go back to their places.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transpose {
    /// Where each axis of the result comes from.
    pub perm: Vec<usize>,
}

impl Rules for Transpose {
    const NAME: &'static str = "transpose";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 1)?;
        let x = &operands[0];
        let mut seen = vec![false; x.rank()];
        let distinct = self.perm.iter().all(|&axis| axis < x.rank() && !std::mem::replace(&mut seen[axis], true));
        if !distinct || self.perm.len() != x.rank() {
            return Err(mismatch!("perm must name each of {} axes once, but got {:?}", x.rank(), self.perm));
        }
        Ok(smallvec::smallvec![Type::new(x.dtype, self.perm.iter().map(|&axis| x.shape[axis]).collect::<Shape>())])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        vec![eval_view(self, operands[0], &results[0])]
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Linear(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::View(self)
    }

    fn doc() -> Doc {
        Doc { summary: "x with its axes in another order", derivative: "transpose back", accuracy: "exact" }
    }

    fn examples() -> Examples {
        let answers = vec![Answer {
            op: Transpose { perm: vec![1, 0] }.into(),
            operands: vec![literal([2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])],
            results: vec![literal([3, 2], [1.0, 4.0, 2.0, 5.0, 3.0, 6.0])],
            ulps: 0,
            regions: vec![],
        }];
        let op: Op = Transpose { perm: vec![2, 0, 3, 1] }.into();
        let sample = |dtype| Sample {
            op: op.clone(),
            operands: vec![(Type::new(dtype, [2, 5, 3, 4]), (-2.0, 2.0))],
            regions: vec![],
        };
        Examples { answers, samples: DType::ALL.map(sample).into() }
    }
}

shifted_batch!(Transpose, |op, n| Transpose { perm: led(0, &shifted(&op.perm)) });

/// The permutation that undoes another.
pub(super) fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    for (k, &axis) in perm.iter().enumerate() {
        inverse[axis] = k;
    }
    inverse
}

impl Linear for Transpose {
    fn apply(&self, t: &[Var]) -> Var {
        apply(self.clone(), t)
    }

    fn transpose(&self, _: usize, _: &[Type], ct: Var) -> Var {
        ct.transpose(&inverse(&self.perm))
    }

    fn transpose_mask(&self, slot: usize, operands: &[Type], mask: Var) -> Option<Var> {
        Some(Linear::transpose(self, slot, operands, mask))
    }
}

impl View for Transpose {
    fn view(&self, operand: &Layout) -> Option<Layout> {
        Some(Layout {
            offset: operand.offset,
            strides: self.perm.iter().map(|&axis| operand.strides[axis]).collect(),
            shape: self.perm.iter().map(|&axis| operand.shape[axis]).collect(),
        })
    }
}

/// Whether the axis exists; if not, the trace has an error. A poisoned value has none to show.
#[track_caller]
pub(super) fn check_axis(x: Var, axis: usize) -> bool {
    let rank = x.rank();
    if axis >= rank {
        trace::fail_at(format!("takes an axis below the rank {rank}, but got {axis}"));
    }
    axis < rank
}

impl Var {
    /// The extent of [`Var::reshape`] that follows from the others and the number of elements.
    pub const REST: usize = usize::MAX;

    /// The same elements in row-major order under another shape; see [`Reshape`]. One extent may be
    /// [`Var::REST`].
    ///
    /// Takes any dtype. A shape of another number of elements is an error, and so is [`Var::REST`] where the elements
    /// do not determine it. The derivative takes the old shape.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let pairs: Array2<f64> = jit(|x: Var| x.reshape(&[Var::REST, 2])).call(array![1.0, 2.0, 3.0, 4.0])?;
    /// assert_eq!(pairs, array![[1.0, 2.0], [3.0, 4.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn reshape(self, shape: &[usize]) -> Var {
        if !shape.contains(&Var::REST) {
            return apply(Reshape { shape: shape.into() }, &[self]);
        }
        let _method = trace::method("reshape", &[self]);
        let (own, mut shape) = (self.shape(), shape.to_vec());
        let open: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] == Var::REST).collect();
        let mut known = shape.iter().filter(|&&extent| extent != Var::REST);
        let known = known.try_fold(1usize, |product, &extent| product.checked_mul(extent)).unwrap_or(0);
        if open.len() > 1 || known == 0 || own.size() % known != 0 {
            let known = shape.iter().map(|&x| if x == Var::REST { "REST".to_string() } else { x.to_string() });
            let asked = known.collect::<Vec<_>>().join(",");
            trace::fail_at(format!(
                "takes one extent that the {} elements of {own} leave open, but got [{asked}]",
                own.size()
            ));
            return Var::poisoned();
        }
        shape[open[0]] = own.size() / known;
        apply(Reshape { shape: shape.into() }, &[self])
    }

    /// All elements along one axis, in row-major order; a scalar becomes a vector of one element. Takes any dtype.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.flatten()).call(array![[1.0, 2.0], [3.0, 4.0]])?;
    /// assert_eq!(y, array![1.0, 2.0, 3.0, 4.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn flatten(self) -> Var {
        let _method = trace::method("flatten", &[self]);
        self.reshape(&[self.ty().size()])
    }

    /// This value with a new axis of extent 1 at that place. Takes any dtype; a place above the rank is an error.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let column: Array2<f64> = jit(|x: Var| x.insert_axis(1)).call(array![1.0, 2.0])?;
    /// assert_eq!(column, array![[1.0], [2.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn insert_axis(self, axis: usize) -> Var {
        let _method = trace::method("insert_axis", &[self]);
        let mut shape = self.shape().to_vec();
        if axis > shape.len() {
            let rank = shape.len();
            trace::fail_at(format!("takes a place of at most the rank {rank}, but got {axis}"));
            return Var::poisoned();
        }
        shape.insert(axis, 1);
        self.reshape(&shape)
    }

    /// This value without that axis, whose extent is 1. Takes any dtype; an axis of another extent, or one that does
    /// not exist, is an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.squeeze(1)).call(array![[1.0], [2.0]])?;
    /// assert_eq!(y, array![1.0, 2.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn squeeze(self, axis: usize) -> Var {
        let _method = trace::method("squeeze", &[self]);
        if !check_axis(self, axis) {
            return Var::poisoned();
        }
        let shape = self.shape();
        if shape[axis] != 1 {
            trace::fail_at(format!("takes an axis of extent 1, but axis {axis} has extent {}", shape[axis]));
            return Var::poisoned();
        }
        self.reshape(&shape.without(&[axis]))
    }

    /// The axes in another order: axis `k` of the result is axis `perm[k]` of `self`; see [`Transpose`]. [`Var::t`]
    /// reverses the order.
    ///
    /// Takes any dtype. A list that does not name each axis once is an error. The derivative goes back to the old
    /// order.
    ///
    /// ```
    /// use ndarray::Array3;
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array3<f64> = jit(|x: Var| x.transpose(&[2, 0, 1])).call(Array3::<f64>::zeros((2, 3, 4)))?;
    /// assert_eq!(y.shape(), [4, 2, 3]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn transpose(self, perm: &[usize]) -> Var {
        apply(Transpose { perm: perm.into() }, &[self])
    }

    /// The axes in reverse order: the transpose of a matrix. A scalar and a vector stay as they are. Takes any dtype.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array2<f64> = jit(|x: Var| x.t()).call(array![[1.0, 2.0], [3.0, 4.0]])?;
    /// assert_eq!(y, array![[1.0, 3.0], [2.0, 4.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn t(self) -> Var {
        let rank = self.rank();
        if rank < 2 { self } else { self.transpose(&(0..rank).rev().collect::<Vec<_>>()) }
    }

    /// Zeros of that type (`false` for `bool`), or of `f64` where a shape alone is given: a constant, which carries no derivative.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::value::{DType, Type};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x + Var::zeros(&[2])).call(3.0)?;
    /// assert_eq!(y, array![3.0, 3.0]);
    /// let whole: Array1<i64> = jit(|_: Var| Var::zeros(Type::new(DType::I64, [1]))).call(0.0)?;
    /// assert_eq!(whole, array![0i64]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn zeros(ty: impl Into<Type>) -> Var {
        let ty = ty.into();
        Var::number(0.0, ty.dtype).broadcast_to(&ty.shape)
    }

    /// Ones of that type (`true` for `bool`), or of `f64` where a shape alone is given: a constant, which carries no derivative.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x * Var::ones(&[2])).call(3.0)?;
    /// assert_eq!(y, array![3.0, 3.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn ones(ty: impl Into<Type>) -> Var {
        let ty = ty.into();
        Var::number(1.0, ty.dtype).broadcast_to(&ty.shape)
    }
}
