//! Code of reductions of many terms.

use crate::compile::memory::{Cascade, CascadeKind};
use crate::emit::{Emitter, Pointer, signed};
use crate::math::pairwise;
use crate::op::{Monoid, TILE};

/// Where a nest is in its terms.
#[derive(Clone, Copy)]
pub struct Position {
    /// What waits.
    pub waiting: Pointer,
    /// How many terms, or rows of tiles, came before, along the axes so far; `None` if none of them is reduced.
    n_before: Option<Pointer>,
}

impl Cascade {
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
