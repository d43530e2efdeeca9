//! How indices address slices of an array.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::reduce::check_axes;
use super::rules::{led, literal, shifted};
use super::trace::apply;
use super::{BroadcastInDim, Var};
use crate::error::IndexError;
use crate::ir::{Mismatch, mismatch};
use crate::math::indexing::{Axes, Beyond, Refused};
use crate::value::{DType, Shape, Type};

/// What happens to a slice that does not lie within the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfBounds {
    /// The call ends in an [`IndexError`].
    Error,
    /// The slice begins at the nearest index from where it lies within.
    Clamp,
    /// Nothing is read or written; what would be read is 0.
    Drop,
}

/// How indices address slices of an array; shared by [`Gather`](super::Gather) and [`Scatter`](super::Scatter).
///
/// The last axis of the indices holds index vectors: their `i`-th entry is an index along axis `map[i]` of the array.
/// There is one slice for each place along the other axes of the indices. A slice extends from its index along each axis
/// of `map`, and from 0 along all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indexing {
    /// The axes of the array of slices along which a slice extends, ascending. The others are those of the indices.
    pub window: Vec<usize>,
    /// The axes of the array along which a slice has one element and no axis, ascending.
    pub collapsed: Vec<usize>,
    /// Axes of the array and of the indices that run side by side, in pairs.
    pub batch: [Vec<usize>; 2],
    /// The axis of the array that belongs to each entry of an index vector.
    pub map: Vec<usize>,
}

impl Indexing {
    /// Slices of one element along an axis, which vanishes, each as large as the array along all others: what `x[i]` is.
    pub(super) fn rows(axis: usize, rank: usize, n_index_axes: usize) -> Indexing {
        let window = (0..axis).chain(axis + n_index_axes..rank - 1 + n_index_axes).collect();
        Indexing { window, collapsed: vec![axis], batch: [vec![], vec![]], map: vec![axis] }
    }

    /// The axes of the array along which a slice extends, in order.
    pub(super) fn extended(&self, rank: usize) -> impl Iterator<Item = usize> + '_ {
        (0..rank).filter(|axis| !self.collapsed.contains(axis) && !self.batch[0].contains(axis))
    }

    /// The axes of the array of slices that are those of the indices.
    pub(super) fn places(&self, rank: usize) -> SmallVec<[usize; 4]> {
        (0..rank).filter(|axis| !self.window.contains(axis)).collect()
    }

    /// The shape of the array of slices that have these extents along the axes along which they extend.
    pub(super) fn slices(&self, extents: &[usize], indices: &[usize]) -> Shape {
        let (mut places, mut extents) = (indices[..indices.len() - 1].iter(), extents.iter());
        let rank = places.len() + extents.len();
        let next = |axis: usize| if self.window.contains(&axis) { extents.next() } else { places.next() };
        (0..rank).map(next).map(|extent| *extent.expect("bug: axes were checked before")).collect()
    }

    /// Requires that the axes fit an array of that type, indices of that type, and slices of that rank.
    pub(super) fn check(&self, array: &Type, indices: &Type) -> Result<(), Mismatch> {
        if indices.dtype != DType::I64 || indices.rank() == 0 {
            return Err(mismatch!("indices must be i64 with an axis of index vectors, but got {indices}"));
        }
        let rank = array.rank();
        check_axes(&self.collapsed, rank)?;
        let n_entries = indices.shape[indices.rank() - 1];
        if n_entries != self.map.len() {
            return Err(mismatch!("index vectors must have {} entries, as map, but got {n_entries}", self.map.len()));
        }
        distinct("map", &self.map, rank)?;
        distinct("batch axes of the array", &self.batch[0], rank)?;
        distinct("batch axes of the indices", &self.batch[1], indices.rank() - 1)?;
        if self.batch[0].len() != self.batch[1].len() {
            let [array, indices] = &self.batch;
            return Err(mismatch!("batch axes must come in pairs, but got {array:?} and {indices:?}"));
        }
        for (&axis, &place) in self.batch[0].iter().zip(&self.batch[1]) {
            if array.shape[axis] != indices.shape[place] {
                return Err(mismatch!(
                    "batch axes must have equal extents, but got {} along axis {axis} of the array and {} along axis \
                     {place} of the indices",
                    array.shape[axis],
                    indices.shape[place]
                ));
            }
            if self.collapsed.contains(&axis) || self.map.contains(&axis) {
                return Err(mismatch!("batch axis {axis} of the array must not be collapsed, nor in map"));
            }
        }
        let slice_rank = rank - self.collapsed.len() - self.batch[0].len();
        check_axes(&self.window, slice_rank + indices.rank() - 1)?;
        if self.window.len() != slice_rank {
            return Err(mismatch!("window must have {slice_rank} axes, as a slice has, but got {:?}", self.window));
        }
        Ok(())
    }

    /// The same for rows of the array, of the indices, or of both, along a leading axis of each and of the slices.
    pub(super) fn with_rows(&self, array: bool, indices: bool) -> Indexing {
        let of_array = |axes: &[usize]| if array { shifted(axes) } else { axes.to_vec() };
        let of_indices = |axes: &[usize]| if indices { shifted(axes) } else { axes.to_vec() };
        let mut batch = [of_array(&self.batch[0]), of_indices(&self.batch[1])];
        let mut window = shifted(&self.window);
        match (array, indices) {
            (true, true) => batch = batch.map(|axes| led(0, &axes)),
            // The rows are a part of each slice.
            (true, false) => window = led(0, &window),
            (false, _) => {}
        }
        Indexing { window, collapsed: of_array(&self.collapsed), batch, map: of_array(&self.map) }
    }

    pub(super) fn axes(&self, array_rank: usize, slices_rank: usize) -> Axes {
        Axes {
            places: self.places(slices_rank),
            batch: self.batch[0].iter().copied().zip(self.batch[1].iter().copied()).collect(),
            window: self.extended(array_rank).zip(self.window.iter().copied()).collect(),
            indexed: self.map.iter().copied().collect(),
        }
    }

    /// The error behind an index that was refused.
    pub(super) fn refusal(&self, op: &'static str, refused: Refused, array: &[usize], slices: &[usize]) -> IndexError {
        let Refused { index, position, axis } = refused;
        let size = self.axes(array.len(), slices.len()).size(axis, slices);
        IndexError { op, node: None, index, position, axis, extent: array[axis], size, at: None }
    }

    /// For each place of the indices, whether its slice lies within the array: the mask for slices of that shape.
    pub(super) fn within(&self, array: &Type, indices: Var, slices: &Shape) -> Var {
        let axes = self.axes(array.rank(), slices.rank());
        let limit = |&axis: &usize| array.shape[axis].saturating_sub(axes.size(axis, slices)) as i64;
        let limits: Vec<i64> = self.map.iter().map(limit).collect();
        let limits = Var::constant(literal([limits.len()], limits));
        let inside = indices.greater_equal(0) & indices.less_equal(limits);
        let inside = inside.all_axes(&[indices.rank() - 1]);
        apply(BroadcastInDim { shape: slices.clone(), axes: axes.places.to_vec() }, &[inside])
    }
}

fn distinct(what: &str, axes: &[usize], rank: usize) -> Result<(), Mismatch> {
    if let Some(&axis) = axes.iter().find(|&&axis| axis >= rank) {
        return Err(mismatch!("{what} must lie below the rank {rank}, but got {axis}"));
    }
    match (1..axes.len()).find(|&i| axes[..i].contains(&axes[i])) {
        Some(i) => Err(mismatch!("{what} must not name axis {} twice", axes[i])),
        None => Ok(()),
    }
}

impl OutOfBounds {
    pub(super) fn beyond(self) -> Beyond {
        match self {
            OutOfBounds::Error => Beyond::Refuse,
            OutOfBounds::Clamp => Beyond::Clamp,
            OutOfBounds::Drop => Beyond::Skip,
        }
    }
}
