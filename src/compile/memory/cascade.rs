//! Reductions of many terms in a loop nest, in the order of [`pairwise`].
//!
//! A nest meets the terms of a result one after the other, and combines them in the result's memory. After a block of
//! them it calls [`pairwise::close_block`], which keeps what waits for a partner in scratch memory. A nest meets many
//! results side by side: along the row, and along other kept axes within the outermost reduced one. Where that one ends
//! its results are complete, so what waits has room for those results only.

use super::streams::{Action, Stream, Work};
use crate::compile::schedule::bytes_of;
use crate::math::pairwise;
use crate::op::{Monoid, TILE};
use crate::value::{DType, Type};

/// A reduction whose terms make more than one block.
#[derive(Debug)]
pub struct Cascade {
    /// The position of the reduction among the nest's works.
    pub work: usize,
    /// The stream of its result.
    pub stream: usize,
    pub kind: CascadeKind,
    pub dtype: DType,
    /// How many terms a result has.
    pub n_terms: usize,
    /// How many of them one row of the nest gives.
    pub terms_of_row: usize,
    /// The axes of the nest that are reduced, but for the row.
    pub reduced: Vec<bool>,
    /// The distances of neighbors, in elements, among what waits.
    pub strides: Vec<usize>,
    /// How many results are met side by side, which is the distance of the levels.
    pub size: usize,
    /// How many of them a block closes at once.
    pub width: usize,
    /// The distance of what waits from the first that waits in the nest.
    pub offset: usize,
}

/// What the terms are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CascadeKind {
    /// Tiles of a row.
    Tiles(Monoid),
    /// Elements of which those along the row belong to different results.
    Elements(Monoid),
    /// Rows of a matrix, which the call that adds them counts.
    Rows,
}

impl Cascade {
    /// The cascades of a nest whose axes have been merged.
    pub fn all(extents: &[usize], streams: &[Stream], works: &[Work]) -> Vec<Cascade> {
        let mut offset = 0;
        let cascades = works.iter().enumerate().filter_map(|(position, work)| {
            let cascade = Cascade { offset, ..Cascade::new(extents, streams, position, work)? };
            offset += cascade.bytes();
            Some(cascade)
        });
        cascades.collect()
    }

    fn new(extents: &[usize], streams: &[Stream], position: usize, work: &Work) -> Option<Cascade> {
        let row = extents.last().copied().unwrap_or(1);
        let outer = extents.len().saturating_sub(1);
        let (kind, terms_of_row, width) = match work.action {
            Action::ReduceRow(monoid) => (CascadeKind::Tiles(monoid), row.div_ceil(TILE), 1),
            Action::ReduceAcross(monoid) => (CascadeKind::Elements(monoid), 1, row),
            Action::AddRows { columns, .. } => (CascadeKind::Rows, row, columns),
            Action::Inline(_)
            | Action::Math1(_)
            | Action::Math2(_)
            | Action::Move
            | Action::AddToZero
            | Action::Add
            | Action::RowsTimesVector { .. } => return None,
        };
        match kind {
            CascadeKind::Tiles(monoid) | CascadeKind::Elements(monoid) if !monoid.depends_on_order(work.dtype) => {
                return None;
            }
            CascadeKind::Tiles(_) | CascadeKind::Elements(_) | CascadeKind::Rows => {}
        }
        let stream = work.store.expect("bug: a reduction without a result");
        let reduced: Vec<bool> = (0..outer).map(|axis| streams[stream].strides[axis] == 0).collect();
        let reduced_extents = (0..outer).filter(|&axis| reduced[axis]).map(|axis| extents[axis]);
        let n_terms = terms_of_row * reduced_extents.product::<usize>();
        if pairwise::levels(n_terms) == 0 {
            return None;
        }
        let outermost = reduced.iter().position(|&reduced| reduced).unwrap_or(outer);
        let (mut strides, mut size) = (vec![0; outer], width);
        for axis in (outermost..outer).rev().filter(|&axis| !reduced[axis]) {
            strides[axis] = size;
            size *= extents[axis];
        }
        let dtype = work.dtype;
        Some(Cascade {
            work: position,
            stream,
            kind,
            dtype,
            n_terms,
            terms_of_row,
            reduced,
            strides,
            size,
            width,
            offset: 0,
        })
    }

    /// The bytes of what waits.
    fn bytes(&self) -> usize {
        // The blocks outnumber the levels, so this is less than the bytes of the operand.
        bytes_of(&Type::new(self.dtype, [pairwise::levels(self.n_terms), self.size])).next_multiple_of(16)
    }

    /// The bytes of all that waits in a nest.
    pub fn bytes_of_all(cascades: &[Cascade]) -> usize {
        cascades.last().map_or(0, |last| last.offset + last.bytes())
    }
}
