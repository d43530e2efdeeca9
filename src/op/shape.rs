//! Constants, and operations that give elements other indices.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rules::{
    Answer, Derivative, Doc, Examples, Layout, Linear, Lowering, Rules, Sample, View, eval_view, expect_arity, literal,
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
    /// The same elements in row-major order under another shape; see [`Reshape`].
    #[track_caller]
    pub fn reshape(self, shape: &[usize]) -> Var {
        apply(Reshape { shape: shape.into() }, &[self])
    }

    /// All elements along one axis, in row-major order.
    #[track_caller]
    pub fn flatten(self) -> Var {
        let _method = trace::method("flatten", &[self]);
        self.reshape(&[self.ty().size()])
    }

    /// This value with a new axis of extent 1 at that place.
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

    /// This value without that axis, whose extent is 1.
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

    /// The axes in another order: axis `k` of the result is axis `perm[k]` of `self`; see [`Transpose`].
    #[track_caller]
    pub fn transpose(self, perm: &[usize]) -> Var {
        apply(Transpose { perm: perm.into() }, &[self])
    }

    /// The axes in reverse order: the transpose of a matrix.
    #[track_caller]
    pub fn t(self) -> Var {
        let rank = self.rank();
        if rank < 2 { self } else { self.transpose(&(0..rank).rev().collect::<Vec<_>>()) }
    }

    /// Zeros of that type (`false` for `bool`).
    #[track_caller]
    pub fn zeros(ty: &Type) -> Var {
        Var::number(0.0, ty.dtype).broadcast_to(&ty.shape)
    }

    /// Ones of that type (`true` for `bool`).
    #[track_caller]
    pub fn ones(ty: &Type) -> Var {
        Var::number(1.0, ty.dtype).broadcast_to(&ty.shape)
    }
}
