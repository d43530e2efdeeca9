//! Reductions of many terms in a loop nest, in the order of [`pairwise`].
//!
//! A nest meets the terms of a result one after the other, and combines them in the result's memory. After a block of
//! them it calls [`pairwise::close_block`], which keeps what waits for a partner in scratch memory. A nest meets many
//! results side by side: along the row, and along other kept axes within the outermost reduced one. Where that one ends
//! its results are complete, so what waits has room for those results only.

use super::nest::{Action, Nest};
use super::rows::bytes_of;
use crate::emit::{Emitter, Pointer, signed, unsigned};
use crate::math::pairwise;
use crate::op::{Monoid, TILE};
use crate::value::{DType, Type};

/// A reduction whose terms make more than one block.
#[derive(Debug)]
pub(super) struct Cascade {
    /// The position of the reduction among the nest's works.
    pub work: usize,
    /// The stream of its result.
    stream: usize,
    pub kind: CascadeKind,
    dtype: DType,
    /// How many terms a result has.
    n_terms: usize,
    /// How many of them one row of the nest gives.
    terms_of_row: usize,
    /// The axes of the nest that are reduced, but for the row.
    reduced: Vec<bool>,
    /// The distances of neighbors, in elements, among what waits.
    strides: Vec<usize>,
    /// How many results are met side by side, which is the distance of the levels.
    size: usize,
    /// How many of them a block closes at once.
    width: usize,
    /// The distance of what waits from the first that waits in the nest.
    offset: usize,
}

/// What the terms are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CascadeKind {
    /// Tiles of a row.
    Tiles(Monoid),
    /// Elements of which those along the row belong to different results.
    Elements(Monoid),
    /// Rows of a matrix, which the call that adds them counts.
    Rows,
}

/// Where a nest is in its terms.
#[derive(Clone, Copy)]
pub(super) struct Position {
    /// What waits.
    pub waiting: Pointer,
    /// How many terms, or rows of tiles, came before, along the axes so far; `None` if none of them is reduced.
    n_before: Option<Pointer>,
}

impl Cascade {
    /// The cascades of a nest whose axes have been merged.
    pub fn all(nest: &Nest<'_, '_>) -> Vec<Cascade> {
        let mut offset = 0;
        let works = 0..nest.works.len();
        let cascades = works.filter_map(|work| {
            let cascade = Cascade { offset, ..Cascade::new(nest, work)? };
            offset += cascade.bytes();
            Some(cascade)
        });
        cascades.collect()
    }

    fn new(nest: &Nest<'_, '_>, position: usize) -> Option<Cascade> {
        let work = &nest.works[position];
        let row = unsigned(nest.row());
        let outer = nest.extents.len().saturating_sub(1);
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
        let reduced: Vec<bool> = (0..outer).map(|axis| nest.streams[stream].strides[axis] == 0).collect();
        let reduced_extents = (0..outer).filter(|&axis| reduced[axis]).map(|axis| nest.extents[axis]);
        let n_terms = terms_of_row * reduced_extents.product::<usize>();
        if pairwise::levels(n_terms) == 0 {
            return None;
        }
        let outermost = reduced.iter().position(|&reduced| reduced).unwrap_or(outer);
        let (mut strides, mut size) = (vec![0; outer], width);
        for axis in (outermost..outer).rev().filter(|&axis| !reduced[axis]) {
            strides[axis] = size;
            size *= nest.extents[axis];
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

    /// Before the first term; what waits in the nest begins at `waiting`.
    pub fn start(&self, e: &mut Emitter<'_>, waiting: Pointer) -> Position {
        Position { waiting: e.offset(waiting, signed(self.offset)), n_before: None }
    }

    /// The position at an index of an axis around the row.
    pub fn advance(&self, e: &mut Emitter<'_>, at: Position, axis: usize, extent: usize, index: Pointer) -> Position {
        if self.reduced[axis] {
            let n_before = at.n_before.map_or(index, |n_before| e.advance(index, n_before, signed(extent)));
            return Position { n_before: Some(n_before), ..at };
        }
        let bytes = signed(self.strides[axis] * self.dtype.size());
        Position { waiting: e.advance(at.waiting, index, bytes), ..at }
    }

    /// After a term: closes its block if that ends with it. `first` is the index at which its tile begins in the row,
    /// `results` are the addresses of the streams.
    pub fn close(&self, e: &mut Emitter<'_>, at: Position, first: Pointer, results: &[Pointer]) {
        let n_before = match at.n_before {
            Some(n_before) if self.terms_of_row == 1 => n_before,
            Some(n_before) => {
                let tile = e.quotient(first, TILE);
                e.advance(tile, n_before, signed(self.terms_of_row))
            }
            None => e.quotient(first, TILE),
        };
        let n_terms = e.offset(n_before, 1);
        e.when_multiple(n_terms, pairwise::BLOCK, |e| self.call(e, at, n_terms, results[self.stream]));
        if !self.n_terms.is_multiple_of(pairwise::BLOCK) {
            let end = e.index(signed(self.n_terms));
            e.when_equal(n_terms, end, |e| self.call(e, at, n_terms, results[self.stream]));
        }
    }

    fn call(&self, e: &mut Emitter<'_>, at: Position, n_terms: Pointer, results: Pointer) {
        let is_product = match self.kind {
            CascadeKind::Tiles(monoid) | CascadeKind::Elements(monoid) => monoid == Monoid::Prod,
            CascadeKind::Rows => unreachable!("bug: rows close their blocks themselves"),
        };
        let [width, size, n_total] = [self.width, self.size, self.n_terms].map(|n| e.index(signed(n)));
        let address = pairwise::close_block_address(self.dtype, is_product);
        e.call_address(address, &[results, width, at.waiting, size, n_terms, n_total]);
    }
}
